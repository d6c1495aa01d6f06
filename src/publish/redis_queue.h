/* The queue between the engine and the publisher's thread: lanes of messages, each bounded, oldest
 * dropped first.
 *
 * The engine only puts. The publisher takes the first that waits, and says afterwards what became
 * of it; until then it stays in its lane, so that order survives whatever happens to the
 * connection. An answered incident stays a while longer: a server that fails over, or restarts from
 * a file written a second ago, forgets what it had answered for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum weir_lane {
    WEIR_LANE_INCIDENT,
    WEIR_LANE_WINDOW,
    WEIR_LANE_PROBE,
    WEIR_LANE_OPEN,
    WEIR_LANE_SITES,
    WEIR_LANE_N
};

enum weir_item_state { WEIR_ITEM_WAITING, WEIR_ITEM_FLYING, WEIR_ITEM_ANSWERED };
struct weir_item {
    struct weir_item *prev, *next;
    uint8_t lane, state;
    /* incidents: the spool was asked to keep it; before that it is not sent */
    bool tried;
    bool from_spool; /* an earlier run's */
    bool unsure;     /* was sent by this run, and no answer came */
    bool ours;       /* this run put the entry there, or may have */
    bool alerted;
    uint64_t spool_seq; /* 0: not in the spool */
    int64_t answered_ms;
    size_t size;
    uint8_t bytes[]; /* a message (redis_message.h) */
};

struct weir_queue; /* opaque */
struct weir_queue_stats {
    uint64_t depth[WEIR_LANE_N], dropped[WEIR_LANE_N];
    size_t bytes;
};

/* `window_bytes`: bound of the windows' lane. `wait`: a full lane makes the engine wait (a replay)
 * instead of dropping. */
struct weir_queue *weir_queue_new(size_t window_bytes, bool wait);
void weir_queue_free(struct weir_queue *queue);
struct weir_item *weir_item_new(enum weir_lane lane, const uint8_t *bytes, size_t size);

/* Takes over the item. -ETIMEDOUT when it waited `patience_ms` without room (the item is gone and
 * counted). */
int weir_queue_put(struct weir_queue *queue, struct weir_item *item, int64_t patience_ms);
struct weir_queue_stats weir_queue_read_stats(struct weir_queue *queue);
/* Waits until nothing is left unanswered; false when `patience_ms` were over. */
bool weir_queue_wait_empty(struct weir_queue *queue, int64_t patience_ms);

/* For the publisher's thread. */
/* The first incident that the spool was not asked to keep yet (`again`: the first that is not in
 * it), now flying. */
struct weir_item *weir_queue_take_unsafe(struct weir_queue *queue, bool again);
/* waiting -> flying, or NULL */
struct weir_item *weir_queue_take(struct weir_queue *queue, enum weir_lane lane);
/* flying -> waiting, in its old place */
void weir_queue_give_back(struct weir_queue *queue, struct weir_item *item);
/* keeps incidents for a while */
void weir_queue_answered(struct weir_queue *queue, struct weir_item *item, int64_t now_ms);
/* drops it, counted */
void weir_queue_refuse(struct weir_queue *queue, struct weir_item *item);
/* those answered before that */
void weir_queue_forget(struct weir_queue *queue, int64_t before_ms);
/* Incidents answered lately wait again: the connection was lost, and with it perhaps what the
 * server had answered for. */
void weir_queue_doubt(struct weir_queue *queue);
