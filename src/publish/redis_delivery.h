/* Delivery to Redis: takes messages from the engine without ever making it wait, and sees to it
 * that they arrive. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

#include "publish/redis_queue.h"
#include "publish/redis_url.h"

struct weir_delivery; /* opaque */

struct weir_delivery_options {
    const struct weir_redis_url *url; /* copied */
    const char *password_file;        /* read again before each connection; or NULL */
    const char *spool_path;           /* NULL: incidents are in memory only */
    const char *site_key;             /* any key of the site */
    size_t window_bytes;              /* bound of the windows that wait */
    /* a replay: a full queue makes the engine wait, and a Redis that is not there is an error at
     * once */
    bool wait;
    /* how long the end waits for the rest to arrive; and a replay for room */
    int64_t patience_ms;
};

struct weir_delivery_stats {
    struct weir_queue_stats queue;
    size_t spool_records, spool_bytes;
    uint64_t spooled; /* incidents that were put on disk, and synced */
    uint64_t spool_failures, spool_dropped;
    uint64_t connections, refused; /* made; windows that Redis won't have */
    uint64_t delivered[WEIR_LANE_N];
    char last_error[200];
};

/* Starts the publisher's thread. */
int weir_delivery_new(struct weir_delivery **ret_delivery,
                      const struct weir_delivery_options *options, struct weir_fault *fault);
/* Ends the thread. What was not delivered is in the spool, or lost, and that is said. */
void weir_delivery_free(struct weir_delivery *delivery);
int weir_delivery_put(struct weir_delivery *delivery, enum weir_lane lane, const uint8_t *bytes,
                      size_t size, struct weir_fault *fault);
/* Waits, at most `patience_ms`, until all has arrived; < 0 says what has not, and why. */
int weir_delivery_finish(struct weir_delivery *delivery, struct weir_fault *fault);
void weir_delivery_read_stats(struct weir_delivery *delivery,
                              struct weir_delivery_stats *ret_stats);
