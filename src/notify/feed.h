/* Where incident events come from: a site's stream in Redis, or the events of history.db. Both
 * keep them in order, each under a position, for months; nothing that is read is taken away. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

struct weir_feed; /* opaque */

struct weir_feed_where {
    const char *redis, *password_file; /* or NULL: the file */
    const char *state;                 /* directory of history.db */
    const char *site;                  /* NULL: the only one, or the last that wrote */
    bool fleet; /* Redis: what weir fleet concludes, in place of a site's incidents */
};

int weir_feed_new(struct weir_feed **ret_feed, const struct weir_feed_where *where);
void weir_feed_free(struct weir_feed *feed);
const char *weir_feed_site(const struct weir_feed *feed); /* "" until the first reading */

/* Visits up to `max` events behind `after`, oldest first. < 0: cannot be read now; the next call
 * tries again. */
typedef int (*weir_feed_visit)(void *context, const char *position, const char *json);
int weir_feed_read(struct weir_feed *feed, const char *after, int max, weir_feed_visit visit,
                   void *context, struct weir_fault *fault);
/* The newest event's position, "0" where there is none. */
int weir_feed_newest(struct weir_feed *feed, char ret_position[48], struct weir_fault *fault);
/* Was it acknowledged (weir alerts --ack), as of the last weir_feed_read()? */
bool weir_feed_is_acknowledged(const struct weir_feed *feed, const char *id);
