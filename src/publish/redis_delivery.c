/* The publisher's thread: a libuv loop that owns the spool and all connections.
 *
 *     engine --put--> queue --spool, fsync--> flights --answers--> gone from queue and spool
 *
 * Incidents fly one at a time, so that they arrive in order; windows many at once. What can't be
 * delivered waits in its place, with a pause that grows and is jittered; a lane's pause does not
 * hold up the others. Each kind of trouble is told once when it begins and once when it is over.
 * After a lost connection the incidents answered in the last half minute fly again: the server may
 * have forgotten them (a fail-over, an AOF synced every second), and their ids make it harmless if
 * not.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "publish/redis_delivery.h"
#include "publish/redis_flight.h"
#include "publish/spool.h"

enum {
    TICK_MS = 200,
    SPOOL_AGAIN_MS = 1000,
    DOUBT_MS = 30000,
    START_MS = 10000,
    PAUSE_MIN_MS = 100,
    PAUSE_MAX_MS = 5000,
    SYNC_MAX = 64,
    SYNC_EVERY_MS = 10
};
enum { SPOOL_BYTES_MAX = 16 << 20 };

static const unsigned flying_max[WEIR_LANE_N] = {[WEIR_LANE_INCIDENT] = 1,
                                                 [WEIR_LANE_WINDOW] = 64,
                                                 [WEIR_LANE_PROBE] = 1,
                                                 [WEIR_LANE_OPEN] = 1,
                                                 [WEIR_LANE_SITES] = 1};

struct lane_state {
    unsigned flying, failures;
    int64_t pause_until_ms;
};

struct weir_delivery {
    struct weir_delivery_options options;
    struct weir_redis_url url;
    char *password_file, *site_key;
    struct weir_queue *queue;
    pthread_t thread;
    bool started;
    uv_async_t wake;
    atomic_bool stop;

    pthread_mutex_t lock; /* of what follows, up to the next comment */
    pthread_cond_t news;
    struct weir_delivery_stats stats;
    bool ready;              /* a connection was made */
    char first_trouble[600]; /* before that */

    uv_loop_t loop; /* the thread's own from here on */
    uv_timer_t tick;
    struct weir_router *router;
    struct weir_spool *spool;
    struct weir_flight_options flights;
    struct weir_troubles troubles;
    struct lane_state lanes[WEIR_LANE_N];
    int64_t spool_again_ms, synced_ms;
    bool reachable, asked_series, stopping;
    uint64_t told_dropped;
};

static void pump(struct weir_delivery *d);

static int64_t now_ms(const struct weir_delivery *d) { return (int64_t)uv_now(&d->loop); }

/* ---- telling ---- */

static void on_trouble(void *context, enum weir_trouble trouble, const char *text) {
    struct weir_delivery *d = context;
    bool fresh = weir_troubles_meet(&d->troubles, trouble, text, now_ms(d));
    if (d->stopping) return;
    pthread_mutex_lock(&d->lock);
    bool starting = d->options.wait && !d->ready; /* then it is the start that fails, and says so */
    if (!d->first_trouble[0] && trouble != WEIR_TROUBLE_LOADING)
        snprintf(d->first_trouble, sizeof d->first_trouble, "%s", text);
    snprintf(d->stats.last_error, sizeof d->stats.last_error, "%s", d->troubles.last_error);
    pthread_cond_broadcast(&d->news);
    pthread_mutex_unlock(&d->lock);
    if (fresh && !starting)
        weir_log(WEIR_LOG_WARNING, "Redis: %s; %s", text, weir_trouble_row(trouble)->advice);
}

static void tell_what_is_over(struct weir_delivery *d) {
    int64_t lasted_ms;
    enum weir_trouble trouble;
    if (!d->reachable) weir_troubles_hold(&d->troubles, now_ms(d));
    while ((trouble = weir_troubles_over(&d->troubles, now_ms(d), &lasted_ms)))
        weir_log(WEIR_LOG_NOTICE, "Redis: over after %" PRId64 " s: %s", (lasted_ms + 999) / 1000,
                 d->troubles.of[trouble].text);
}

static void publish_stats(struct weir_delivery *d) {
    struct weir_spool_stats spool = {0};
    if (d->spool) spool = weir_spool_read_stats(d->spool);
    pthread_mutex_lock(&d->lock);
    d->stats.spool_records = spool.records;
    d->stats.spool_bytes = spool.bytes;
    d->stats.spool_dropped = spool.dropped;
    d->stats.connections = weir_router_connections(d->router);
    pthread_mutex_unlock(&d->lock);
}

static void tell_drops(struct weir_delivery *d) {
    struct weir_queue_stats queue = weir_queue_read_stats(d->queue);
    uint64_t dropped = queue.dropped[WEIR_LANE_WINDOW] + queue.dropped[WEIR_LANE_INCIDENT];
    if (dropped != d->told_dropped)
        on_trouble(d, WEIR_TROUBLE_DROPPED, "windows or incidents are dropped");
    d->told_dropped = dropped;
}

/* ---- the spool ---- */

static void spool_failed(struct weir_delivery *d, int error) {
    char text[128];
    snprintf(text, sizeof text, "the spool cannot be written: %s", strerror(-error));
    pthread_mutex_lock(&d->lock);
    d->stats.spool_failures++;
    pthread_mutex_unlock(&d->lock);
    on_trouble(d, WEIR_TROUBLE_SPOOL, text);
}

/* Up to SYNC_MAX incidents into the spool, then one fsync for all of them. Returns how many. */
static size_t spool_some(struct weir_delivery *d, bool again) {
    struct weir_item *items[SYNC_MAX];
    size_t n = 0, added = 0;
    int error = 0;
    while (n < SYNC_MAX && !error && (items[n] = weir_queue_take_unsafe(d->queue, again))) {
        error = weir_spool_add(d->spool, items[n]->bytes, items[n]->size, &items[n]->spool_seq);
        added += error == 0;
        n++;
    }
    if (added) {
        int sync_error = weir_spool_sync(d->spool);
        error = error ? error : sync_error;
    }
    if (error) spool_failed(d, error);
    pthread_mutex_lock(&d->lock);
    d->stats.spooled += added;
    pthread_mutex_unlock(&d->lock);
    for (size_t i = 0; i < n; i++) {
        items[i]->tried = true;
        weir_queue_give_back(d->queue, items[i]);
    }
    return error && again ? 0 : n;
}

/* While incidents fly, new ones gather for a moment, so that one fsync does for many. */
static void spool_incidents(struct weir_delivery *d) {
    bool again = now_ms(d) >= d->spool_again_ms;
    if (!d->spool ||
        (d->lanes[WEIR_LANE_INCIDENT].flying && now_ms(d) - d->synced_ms < SYNC_EVERY_MS))
        return;
    d->synced_ms = now_ms(d);
    while (spool_some(d, false) == SYNC_MAX)
        ;
    if (!again) return;
    while (spool_some(d, true) == SYNC_MAX)
        ;
    d->spool_again_ms = now_ms(d) + SPOOL_AGAIN_MS;
}

static void take_spooled(void *context, uint64_t seq, const uint8_t *bytes, size_t size) {
    struct weir_delivery *d = context;
    struct weir_item *item =
        weir_flight_can(bytes, size) ? weir_item_new(WEIR_LANE_INCIDENT, bytes, size) : NULL;
    if (!item) return;
    item->tried = true;
    item->spool_seq = seq;
    weir_queue_put(d->queue, item, 0);
}

/* ---- flights ---- */

static void pause_lane(struct weir_delivery *d, struct lane_state *lane) {
    uint32_t chance = 0;
    int64_t pause = PAUSE_MIN_MS << (lane->failures < 6 ? lane->failures : 6);
    pause = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
    uv_random(NULL, NULL, &chance, sizeof chance, 0, NULL);
    lane->pause_until_ms = now_ms(d) + pause / 2 + (int64_t)(chance % (uint32_t)pause);
    lane->failures++;
}

static void arrived(struct weir_delivery *d, struct weir_item *item) {
    pthread_mutex_lock(&d->lock);
    d->stats.delivered[item->lane]++;
    pthread_mutex_unlock(&d->lock);
    if (item->spool_seq && d->spool) weir_spool_done(d->spool, item->spool_seq);
    item->spool_seq = 0;
    d->lanes[item->lane].failures = 0;
    weir_queue_answered(d->queue, item, now_ms(d));
}

static void on_landed(void *context, struct weir_item *item, enum weir_remedy remedy) {
    struct weir_delivery *d = context;
    struct lane_state *lane = &d->lanes[item->lane];
    lane->flying--;
    if (remedy == WEIR_REMEDY_NONE) {
        arrived(d, item);
    } else if (remedy == WEIR_REMEDY_REFUSE && item->lane != WEIR_LANE_INCIDENT) {
        pthread_mutex_lock(&d->lock);
        d->stats.refused++;
        pthread_mutex_unlock(&d->lock);
        weir_queue_refuse(d->queue, item);
    } else {
        weir_queue_give_back(d->queue, item);
        if (remedy != WEIR_REMEDY_RECONNECT) pause_lane(d, lane);
    }
    if (!d->stopping) uv_async_send(&d->wake); /* the next, but not from in here */
}

static void fly(struct weir_delivery *d, enum weir_lane which) {
    struct lane_state *lane = &d->lanes[which];
    struct weir_item *item;
    while (lane->flying < flying_max[which] && now_ms(d) >= lane->pause_until_ms &&
           (item = weir_queue_take(d->queue, which))) {
        lane->flying++;
        if (weir_flight_start(&d->flights, item) == 0) continue;
        lane->flying--;
        weir_queue_give_back(d->queue, item);
        d->reachable = false;
        return;
    }
}

static void pump(struct weir_delivery *d) {
    if (d->stopping) return;
    fly(d, WEIR_LANE_INCIDENT); /* those that are safe already */
    spool_incidents(d);
    for (int lane = 0; lane < WEIR_LANE_N; lane++) fly(d, (enum weir_lane)lane);
}

/* ---- what the router tells ---- */

static void on_series(void *context, struct weir_link *link, const redisReply *reply) {
    struct weir_delivery *d = context;
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1)
        d->flights.series = reply->element[0]->type == REDIS_REPLY_ARRAY;
}

static void ask_for_series(struct weir_delivery *d) {
    static const char *argv[] = {"COMMAND", "INFO", "TS.ADD"};
    struct weir_link *link = weir_router_find(d->router, d->site_key, strlen(d->site_key));
    if (!d->asked_series && link)
        d->asked_series = weir_link_ask(link, 3, argv, NULL, on_series, d) == 0;
}

static void on_ready(void *context) {
    struct weir_delivery *d = context;
    pthread_mutex_lock(&d->lock);
    d->ready = true;
    pthread_cond_broadcast(&d->news);
    pthread_mutex_unlock(&d->lock);
    publish_stats(d);
    ask_for_series(d);
    uv_async_send(&d->wake);
}

static void on_lost(void *context) {
    struct weir_delivery *d = context;
    d->asked_series = false;
    weir_queue_doubt(d->queue);
}

/* A password may be changed while weir runs. One that can't be read (any more) leaves the one
 * before. */
static void before_connect(void *context) {
    struct weir_delivery *d = context;
    if (d->password_file) weir_redis_password_read(&d->url, d->password_file, NULL);
}

/* ---- the thread ---- */

static void on_tick(uv_timer_t *timer) {
    struct weir_delivery *d = timer->data;
    d->reachable = true;
    weir_router_tick(d->router, now_ms(d));
    if (!weir_router_find(d->router, d->site_key, strlen(d->site_key))) d->reachable = false;
    pump(d);
    weir_queue_forget(d->queue, now_ms(d) - DOUBT_MS);
    tell_drops(d);
    tell_what_is_over(d);
    publish_stats(d);
}

static void close_all(struct weir_delivery *d) {
    d->stopping = true;
    weir_router_free(d->router);
    uv_close((uv_handle_t *)&d->tick, NULL);
    uv_close((uv_handle_t *)&d->wake, NULL);
}

static void on_wake(uv_async_t *async) {
    struct weir_delivery *d = async->data;
    if (atomic_load(&d->stop) && !d->stopping)
        close_all(d);
    else
        pump(d);
}

static void *thread_main(void *argument) {
    struct weir_delivery *d = argument;
    on_tick(&d->tick);
    uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- the engine's side ---- */

int weir_delivery_put(struct weir_delivery *d, enum weir_lane lane, const uint8_t *bytes,
                      size_t size, struct weir_fault *fault) {
    struct weir_item *item = weir_item_new(lane, bytes, size);
    if (!item) return -ENOMEM;
    item->tried = !d->spool;
    int error = weir_queue_put(d->queue, item, d->options.patience_ms);
    uv_async_send(&d->wake);
    if (!error) return 0;
    struct weir_delivery_stats stats;
    weir_delivery_read_stats(d, &stats);
    return weir_fault_set(fault, -EIO, "Redis at %s takes nothing for %" PRId64 " s: %s",
                          d->url.shown, d->options.patience_ms / 1000, stats.last_error);
}

void weir_delivery_read_stats(struct weir_delivery *d, struct weir_delivery_stats *ret_stats) {
    pthread_mutex_lock(&d->lock);
    *ret_stats = d->stats;
    pthread_mutex_unlock(&d->lock);
    ret_stats->queue = weir_queue_read_stats(d->queue);
}

int weir_delivery_finish(struct weir_delivery *d, struct weir_fault *fault) {
    struct weir_delivery_stats stats;
    if (weir_queue_wait_empty(d->queue, d->options.patience_ms)) return 0;
    weir_delivery_read_stats(d, &stats);
    return weir_fault_set(
        fault, -EIO,
        "not delivered to Redis at %s: %" PRIu64 " incident events%s, %" PRIu64 " windows (%s)",
        d->url.shown, stats.queue.depth[WEIR_LANE_INCIDENT],
        stats.spool_records ? " (kept in the spool)" : "", stats.queue.depth[WEIR_LANE_WINDOW],
        stats.last_error[0] ? stats.last_error : "no answer in time");
}

/* A replay wants to know at once that its Redis is not there. */
static int wait_for_redis(struct weir_delivery *d, struct weir_fault *fault) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += START_MS / 1000;
    int error = 0;
    pthread_mutex_lock(&d->lock);
    while (!d->ready && !d->first_trouble[0] && !error)
        error = pthread_cond_timedwait(&d->news, &d->lock, &until);
    bool ready = d->ready;
    pthread_mutex_unlock(&d->lock);
    return ready
               ? 0
               : weir_fault_set(
                     fault, -ECONNREFUSED,
                     "cannot use Redis at %s: %s; start it, correct --redis, or leave --redis out",
                     d->url.shown, d->first_trouble[0] ? d->first_trouble : "no answer in 10 s");
}

static int open_spool(struct weir_delivery *d) {
    struct weir_fault fault = {0};
    if (!d->options.spool_path) return 0;
    if (weir_spool_open(&d->spool, d->options.spool_path, SPOOL_BYTES_MAX, take_spooled, d,
                        &fault) < 0) {
        weir_log(WEIR_LOG_ERROR, "%s; incidents are kept in memory only", fault.text);
        return 0;
    }
    struct weir_spool_stats stats = weir_spool_read_stats(d->spool);
    if (stats.records)
        weir_log(WEIR_LOG_NOTICE, "%zu incident events of an earlier run wait in %s", stats.records,
                 d->options.spool_path);
    if (stats.broken_bytes)
        weir_log(WEIR_LOG_WARNING, "%s: %" PRIu64 " damaged bytes were left out",
                 d->options.spool_path, stats.broken_bytes);
    return 0;
}

static int start(struct weir_delivery *d) {
    sigset_t all, before;
    d->wake.data = d->tick.data = d;
    if (uv_loop_init(&d->loop) != 0 || uv_timer_init(&d->loop, &d->tick) != 0 ||
        uv_async_init(&d->loop, &d->wake, on_wake) != 0)
        return -EIO;
    const struct weir_router_options router = {.loop = &d->loop,
                                               .url = &d->url,
                                               .before_connect = before_connect,
                                               .on_ready = on_ready,
                                               .on_lost = on_lost,
                                               .on_trouble = on_trouble,
                                               .context = d};
    d->router = weir_router_new(&router);
    d->flights = (struct weir_flight_options){
        .router = d->router, .on_landed = on_landed, .on_trouble = on_trouble, .context = d};
    if (!d->router) return -ENOMEM;
    open_spool(d);
    /* signals are for the other threads; a closed socket is an error, not SIGPIPE */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&d->thread, NULL, thread_main, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    d->started = error == 0;
    return -error;
}

int weir_delivery_new(struct weir_delivery **ret_delivery,
                      const struct weir_delivery_options *options, struct weir_fault *fault) {
    struct weir_delivery *d = calloc(1, sizeof *d);
    if (!d) return -ENOMEM;
    d->options = *options;
    d->url = *options->url;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->news, NULL);
    d->password_file = options->password_file ? strdup(options->password_file) : NULL;
    d->site_key = strdup(options->site_key);
    d->queue = weir_queue_new(options->window_bytes, options->wait);
    int error = d->queue && d->site_key ? start(d) : -ENOMEM;
    if (error)
        weir_fault_set(fault, error, "cannot start the publisher's thread: %s", strerror(-error));
    else if (options->wait)
        error = wait_for_redis(d, fault);
    if (error) {
        weir_delivery_free(d);
        return error;
    }
    *ret_delivery = d;
    return 0;
}

void weir_delivery_free(struct weir_delivery *d) {
    if (!d) return;
    if (d->started) {
        atomic_store(&d->stop, true);
        uv_async_send(&d->wake);
        pthread_join(d->thread, NULL);
        uv_loop_close(&d->loop);
    }
    weir_spool_close(d->spool);
    weir_queue_free(d->queue);
    pthread_cond_destroy(&d->news);
    pthread_mutex_destroy(&d->lock);
    free(d->password_file);
    free(d->site_key);
    free(d);
}
