/* Bounded lanes behind one lock, held only to link and unlink. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "publish/redis_queue.h"

enum { ANSWERED_KEPT_MAX = 256 };

struct lane {
    struct weir_item *first, *last;
    /* incidents: first that the spool was not asked to keep yet; all behind it neither */
    struct weir_item *untried;
    size_t n, n_answered, bytes; /* n: without the answered */
    size_t max_n, max_bytes;
    uint64_t dropped;
};

struct weir_queue {
    pthread_mutex_t lock;
    pthread_cond_t less; /* something left */
    bool wait;
    struct lane lanes[WEIR_LANE_N];
};

/* Of the probe, of what is open and of the list of sites only the newest matters. */
static const struct {
    size_t max_n, max_bytes;
} bounds[WEIR_LANE_N] = {
    [WEIR_LANE_INCIDENT] = {10000, (size_t)32 << 20},
    [WEIR_LANE_WINDOW] = {SIZE_MAX, 0},
    [WEIR_LANE_PROBE] = {1, SIZE_MAX},
    [WEIR_LANE_OPEN] = {1, SIZE_MAX},
    [WEIR_LANE_SITES] = {1, SIZE_MAX},
};

struct weir_queue *weir_queue_new(size_t window_bytes, bool wait) {
    struct weir_queue *queue = calloc(1, sizeof *queue);
    if (!queue) return NULL;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->less, &monotonic);
    pthread_condattr_destroy(&monotonic);
    queue->wait = wait;
    for (int i = 0; i < WEIR_LANE_N; i++) {
        queue->lanes[i].max_n = bounds[i].max_n;
        queue->lanes[i].max_bytes = bounds[i].max_bytes ? bounds[i].max_bytes : window_bytes;
    }
    return queue;
}

void weir_queue_free(struct weir_queue *queue) {
    if (!queue) return;
    for (int i = 0; i < WEIR_LANE_N; i++)
        for (struct weir_item *item = queue->lanes[i].first, *next; item; item = next) {
            next = item->next;
            free(item);
        }
    pthread_cond_destroy(&queue->less);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

struct weir_item *weir_item_new(enum weir_lane lane, const uint8_t *bytes, size_t size) {
    struct weir_item *item = malloc(sizeof *item + size);
    if (!item) return NULL;
    *item = (struct weir_item){.lane = (uint8_t)lane, .size = size};
    memcpy(item->bytes, bytes, size);
    return item;
}

/* ---- under the lock ---- */

static void unlink_item(struct weir_queue *queue, struct weir_item *item) {
    struct lane *lane = &queue->lanes[item->lane];
    if (lane->untried == item) lane->untried = item->next;
    *(item->prev ? &item->prev->next : &lane->first) = item->next;
    *(item->next ? &item->next->prev : &lane->last) = item->prev;
    if (item->state == WEIR_ITEM_ANSWERED)
        lane->n_answered--;
    else
        lane->n--;
    lane->bytes -= item->size;
    free(item);
    pthread_cond_broadcast(&queue->less);
}

static struct weir_item *first_in_state(const struct lane *lane, enum weir_item_state state) {
    struct weir_item *item = lane->first;
    while (item && item->state != state) item = item->next;
    return item;
}

static bool full(const struct lane *lane, size_t size) {
    return lane->n + 1 > lane->max_n || (lane->n && lane->bytes + size > lane->max_bytes);
}

/* Makes room by dropping the oldest that is not on its way. */
static void make_room(struct weir_queue *queue, struct lane *lane, size_t size) {
    struct weir_item *oldest;
    while (full(lane, size) && (oldest = first_in_state(lane, WEIR_ITEM_WAITING))) {
        lane->dropped++;
        unlink_item(queue, oldest);
    }
}

static struct timespec from_now(int64_t ms) {
    struct timespec when;
    clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += ms / 1000;
    when.tv_nsec += ms % 1000 * 1000000;
    if (when.tv_nsec >= 1000000000) {
        when.tv_sec++;
        when.tv_nsec -= 1000000000;
    }
    return when;
}

/* ---- for the engine ---- */

int weir_queue_put(struct weir_queue *queue, struct weir_item *item, int64_t patience_ms) {
    struct lane *lane = &queue->lanes[item->lane];
    struct timespec until = from_now(patience_ms);
    int error = 0;
    pthread_mutex_lock(&queue->lock);
    while (queue->wait && lane->max_n > 1 && full(lane, item->size) && !error)
        error = pthread_cond_timedwait(&queue->less, &queue->lock, &until);
    if (error) {
        lane->dropped++;
        free(item);
    } else {
        make_room(queue, lane, item->size);
        item->prev = lane->last;
        item->next = NULL;
        *(lane->last ? &lane->last->next : &lane->first) = item;
        lane->last = item;
        if (!lane->untried && !item->tried) lane->untried = item;
        lane->n++;
        lane->bytes += item->size;
    }
    pthread_mutex_unlock(&queue->lock);
    return error ? -ETIMEDOUT : 0;
}

struct weir_queue_stats weir_queue_read_stats(struct weir_queue *queue) {
    struct weir_queue_stats stats = {0};
    pthread_mutex_lock(&queue->lock);
    for (int i = 0; i < WEIR_LANE_N; i++) {
        stats.depth[i] = queue->lanes[i].n;
        stats.dropped[i] = queue->lanes[i].dropped;
        stats.bytes += queue->lanes[i].bytes;
    }
    pthread_mutex_unlock(&queue->lock);
    return stats;
}

static bool empty(const struct weir_queue *queue) {
    size_t n = 0;
    for (int i = 0; i < WEIR_LANE_N; i++) n += queue->lanes[i].n;
    return n == 0;
}

bool weir_queue_wait_empty(struct weir_queue *queue, int64_t patience_ms) {
    struct timespec until = from_now(patience_ms);
    int error = 0;
    pthread_mutex_lock(&queue->lock);
    while (!empty(queue) && !error)
        error = pthread_cond_timedwait(&queue->less, &queue->lock, &until);
    bool done = empty(queue);
    pthread_mutex_unlock(&queue->lock);
    return done;
}

/* ---- for the publisher ---- */

struct weir_item *weir_queue_take_unsafe(struct weir_queue *queue, bool again) {
    struct lane *lane = &queue->lanes[WEIR_LANE_INCIDENT];
    pthread_mutex_lock(&queue->lock);
    struct weir_item *item = again ? lane->first : lane->untried;
    while (again && item &&
           (item->state != WEIR_ITEM_WAITING || item->spool_seq || item->answered_ms))
        item = item->next;
    if (item) {
        item->state = WEIR_ITEM_FLYING;
        lane->untried = lane->untried == item ? item->next : lane->untried;
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

struct weir_item *weir_queue_take(struct weir_queue *queue, enum weir_lane lane) {
    pthread_mutex_lock(&queue->lock);
    struct weir_item *item = first_in_state(&queue->lanes[lane], WEIR_ITEM_WAITING);
    if (item && lane == WEIR_LANE_INCIDENT && !item->tried) item = NULL;
    if (item) item->state = WEIR_ITEM_FLYING;
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void weir_queue_give_back(struct weir_queue *queue, struct weir_item *item) {
    pthread_mutex_lock(&queue->lock);
    item->state = WEIR_ITEM_WAITING;
    pthread_mutex_unlock(&queue->lock);
}

void weir_queue_answered(struct weir_queue *queue, struct weir_item *item, int64_t now_ms) {
    struct lane *lane = &queue->lanes[item->lane];
    pthread_mutex_lock(&queue->lock);
    if (item->lane != WEIR_LANE_INCIDENT) {
        unlink_item(queue, item);
    } else {
        item->state = WEIR_ITEM_ANSWERED;
        item->answered_ms = now_ms;
        lane->n--;
        if (++lane->n_answered > ANSWERED_KEPT_MAX)
            unlink_item(queue, first_in_state(lane, WEIR_ITEM_ANSWERED));
        pthread_cond_broadcast(&queue->less);
    }
    pthread_mutex_unlock(&queue->lock);
}

void weir_queue_refuse(struct weir_queue *queue, struct weir_item *item) {
    pthread_mutex_lock(&queue->lock);
    unlink_item(queue, item);
    pthread_mutex_unlock(&queue->lock);
}

void weir_queue_forget(struct weir_queue *queue, int64_t before_ms) {
    struct weir_item *item;
    pthread_mutex_lock(&queue->lock);
    while ((item = first_in_state(&queue->lanes[WEIR_LANE_INCIDENT], WEIR_ITEM_ANSWERED)) &&
           item->answered_ms < before_ms)
        unlink_item(queue, item);
    pthread_mutex_unlock(&queue->lock);
}

void weir_queue_doubt(struct weir_queue *queue) {
    struct lane *lane = &queue->lanes[WEIR_LANE_INCIDENT];
    pthread_mutex_lock(&queue->lock);
    for (struct weir_item *item = lane->first; item; item = item->next)
        if (item->state == WEIR_ITEM_ANSWERED) {
            item->state = WEIR_ITEM_WAITING;
            lane->n_answered--;
            lane->n++;
        }
    pthread_mutex_unlock(&queue->lock);
}
