/* history.db: one connection to it, of one thread. SQLite keeps to store.c. */
#pragma once

#include "history/history.h"

struct weir_history_store; /* opaque */

/* Opens DIR/history.db to write, and makes it where there is none. One that is damaged is put aside
 * as history.db.damaged, and said: what a probe writes must not end with it. `site`: whose. */
int weir_history_store_open(struct weir_history_store **ret_store, const char *directory,
                            const char *site, struct weir_fault *fault);
/* To read only; the file may be that of a probe that runs. -ENOENT: there is none. `site` NULL: the
 * one that wrote last, copied to ret_site (of 160 bytes). */
int weir_history_store_open_to_read(struct weir_history_store **ret_store, const char *directory,
                                    const char *site, char *ret_site, struct weir_fault *fault);
void weir_history_store_free(struct weir_history_store *store);

/* All writes between begin and end are one transaction: on disk, whole, when end returns 0. */
int weir_history_store_begin(struct weir_history_store *store, struct weir_fault *fault);
int weir_history_store_end(struct weir_history_store *store, struct weir_fault *fault);

/* Puts an hour in the place of the one that is there. */
int weir_history_store_hour(struct weir_history_store *store, const char *service,
                            const struct weir_history_hour *hour, struct weir_fault *fault);
/* 1 and the hour; 0: there is none; < 0. */
int weir_history_store_read_hour(struct weir_history_store *store, const char *service,
                                 int64_t start_us, struct weir_history_hour *ret_hour,
                                 struct weir_fault *fault);
/* Adds an event of an incident; one that is there already (same id, time and kind) stays as it is.
 * */
int weir_history_store_event(struct weir_history_store *store,
                             const struct weir_history_incident *incident,
                             struct weir_fault *fault);
/* Removes what is older than WEIR_HISTORY_DAYS, and the oldest events beyond their bound. */
int weir_history_store_prune(struct weir_history_store *store, int64_t now_us,
                             struct weir_fault *fault);

/* ---- reading: rows in order; a visit < 0 ends it and is returned ---- */

typedef int (*weir_history_hour_visit)(void *context, const char *service,
                                       const struct weir_history_hour *hour);
int weir_history_store_hours(struct weir_history_store *store, const char *service,
                             int64_t since_us, weir_history_hour_visit visit, void *context,
                             struct weir_fault *fault);
/* Texts live during the visit. */
typedef int (*weir_history_incident_visit)(void *context,
                                           const struct weir_history_incident *incident);
int weir_history_store_incidents(struct weir_history_store *store, const char *service,
                                 int64_t since_us, weir_history_incident_visit visit, void *context,
                                 struct weir_fault *fault);
/* Events behind the `after`-th, in the order in which they were written; `seq` is that of each,
 * for the next `after`. `id` NULL: of all incidents. At most `max` are visited. */
typedef int (*weir_history_event_visit)(void *context, int64_t seq, const char *id,
                                        const char *json);
int weir_history_store_events(struct weir_history_store *store, const char *id, int64_t after,
                              int64_t max, weir_history_event_visit visit, void *context,
                              struct weir_fault *fault);
/* The `seq` of the newest event of any site; 0: none. */
int64_t weir_history_store_newest(struct weir_history_store *store);
