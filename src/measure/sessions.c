/* All sessions, and what services are like. A session begins with a client's first media answer or
 * request and ends 60 s after the last one, 240 s where a film had filled its buffer. Services'
 * medians of chunk sizes and their 99th percentile of waiting are learned from all clients.
 *
 * Sessions give attempts to the trials: USEFUL where chunks arrive, STARVED once a slot while they
 * come far too slowly, HOLLOW for the third and later small answers in a row. "other" has no
 * sessions: it is no service.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "measure/asks.h"
#include "measure/learned.h"
#include "measure/mix.h"
#include "measure/prelude.h"
#include "measure/session.h"
#include "measure/shrunk.h"

enum { SESSIONS_MAX = 16384, HOSTS_MAX = 4096, API_HOSTS_MAX = 512, CONTROL_BYTES = 100 };
#define IDLE_US        INT64_C(60000000)
#define IDLE_FULL_US   INT64_C(240000000)
#define TIMEOUT_MAX_US INT64_C(30000000)
/* how late it is known that an answer was over: five seconds of silence, and two ticks */
#define NOTICED_US INT64_C(7000000)
/* a connection that took longer: the player waited  */
#define WEIR_LATE_CONNECT_US INT64_C(1000000)
/* a picture that stands still for longer is starved, whatever comes */
#define STILL_MIN_US INT64_C(2000000)

/* What its viewers had since the sums were taken, and what was taken. */
struct viewing {
    struct weir_histogram startup_us, bitrate_bps;
};

struct service {
    struct viewing viewing, taken;
    struct weir_learned chunk_bytes, ttfb_us;
    struct weir_session_sums sums;
    struct weir_demand demand;
};

struct weir_sessions {
    struct weir_preludes preludes;
    struct weir_sessions_config config;
    size_t n_services;
    struct weir_session *sessions; /* dense: the first n are in use */
    uint32_t *index;               /* 1 + place in sessions; 0: free */
    size_t n, max, mask;
    uint32_t serial;
    struct service *services;
    int64_t *timeouts_us;
    struct weir_asks asks;
    struct weir_small_answers small;
    struct weir_shrunk shrunk;
    struct weir_sessions_stats stats;
};

int weir_sessions_new(struct weir_sessions **ret_sessions,
                      const struct weir_sessions_config *config) {
    struct weir_sessions *all = calloc(1, sizeof *all);
    if (!all) return -ENOMEM;
    if (weir_preludes_init(&all->preludes) < 0) {
        free(all);
        return -ENOMEM;
    }
    all->config = *config;
    all->n_services =
        config->n_services > WEIR_SERVICE_FIRST ? config->n_services : WEIR_SERVICE_FIRST;
    all->max = config->sessions_max ? config->sessions_max : SESSIONS_MAX;
    size_t size = 16;
    while (size < all->max * 2) size *= 2;
    all->mask = size - 1;
    all->sessions = calloc(all->max, sizeof *all->sessions);
    all->index = calloc(size, sizeof *all->index);
    all->services = calloc(all->n_services, sizeof *all->services);
    all->timeouts_us = calloc(WEIR_SERVICES_MAX, sizeof *all->timeouts_us);
    int error =
        weir_small_answers_init(&all->small, config->hosts_max ? config->hosts_max : HOSTS_MAX);
    if (!error) error = weir_shrunk_init(&all->shrunk, API_HOSTS_MAX);
    if (weir_asks_init(&all->asks, all->n_services) < 0 || error < 0 || !all->sessions ||
        !all->index || !all->services || !all->timeouts_us) {
        weir_sessions_free(all);
        return -ENOMEM;
    }
    for (size_t id = 0; id < WEIR_SERVICES_MAX; id++)
        all->timeouts_us[id] = WEIR_REQUEST_TIMEOUT_MIN_US;
    *ret_sessions = all;
    return 0;
}

void weir_sessions_free(struct weir_sessions *all) {
    if (!all) return;
    weir_asks_deinit(&all->asks);
    weir_small_answers_deinit(&all->small);
    weir_shrunk_deinit(&all->shrunk);
    for (size_t i = 0; i < all->n; i++) weir_session_end(&all->sessions[i]);
    weir_preludes_deinit(&all->preludes);
    free(all->sessions);
    free(all->index);
    free(all->services);
    free(all->timeouts_us);
    free(all);
}

/* NULL: nothing is known of it. */
static const struct weir_service *known_of(const struct weir_sessions *all,
                                           weir_service_id service) {
    bool known = all->config.set && service < weir_service_set_count(all->config.set);
    return known ? weir_service_get(all->config.set, service) : NULL;
}

static enum weir_service_kind kind_of(const struct weir_sessions *all, weir_service_id service) {
    const struct weir_service *known = known_of(all, service);
    return known ? known->kind : WEIR_KIND_VOD;
}

/* Whose picture can stand still. Audio comes a track at a time, with small answers in between that
 * are no errors (covers, words). */
static bool has_picture(enum weir_service_kind kind) {
    return kind == WEIR_KIND_VOD || kind == WEIR_KIND_LIVE;
}

/* Calls ask for nothing. */
static bool has_demand(enum weir_service_kind kind) {
    return has_picture(kind) || kind == WEIR_KIND_AUDIO;
}

/* ---- finding ---- */

static size_t home_of(const struct weir_sessions *all, const struct weir_addr *client,
                      weir_service_id service) {
    return weir_mix_end(weir_mix_addr(service, client)) & all->mask;
}

static size_t place_of(const struct weir_sessions *all, const struct weir_addr *client,
                       weir_service_id service) {
    size_t at = home_of(all, client, service);
    for (; all->index[at]; at = (at + 1) & all->mask) {
        const struct weir_session *session = &all->sessions[all->index[at] - 1];
        if (session->service == service && weir_addr_compare(&session->client, client) == 0) break;
    }
    return at;
}

void weir_sessions_prefetch(const struct weir_sessions *all, const struct weir_evidence *evidence) {
    __builtin_prefetch(&all->index[home_of(all, &evidence->client, evidence->service)]);
}

void weir_sessions_prefetch_found(const struct weir_sessions *all,
                                  const struct weir_evidence *evidence) {
    uint32_t place = all->index[home_of(all, &evidence->client, evidence->service)];
    if (place) __builtin_prefetch(&all->sessions[place - 1], 1);
}

static struct weir_session *session_need(struct weir_sessions *all,
                                         const struct weir_evidence *evidence) {
    size_t at = place_of(all, &evidence->client, evidence->service);
    if (all->index[at]) return &all->sessions[all->index[at] - 1];
    if (all->n >= all->max) {
        all->stats.sessions_refused++;
        return NULL;
    }
    struct weir_session *session = &all->sessions[all->n++];
    all->index[at] = (uint32_t)all->n;
    weir_session_begin(session, evidence);
    session->begun_us = weir_preludes_begin_us(&all->preludes, evidence);
    session->serial = ++all->serial;
    all->stats.sessions++;
    return session;
}

static void index_remove(struct weir_sessions *all, size_t hole) {
    for (size_t at = (hole + 1) & all->mask; all->index[at]; at = (at + 1) & all->mask) {
        const struct weir_session *session = &all->sessions[all->index[at] - 1];
        size_t home = home_of(all, &session->client, session->service);
        if (((at - home) & all->mask) >= ((at - hole) & all->mask)) {
            all->index[hole] = all->index[at];
            hole = at;
        }
    }
    all->index[hole] = 0;
}

/* The last one moves into the gap. */
static void session_remove(struct weir_sessions *all, struct weir_session *session) {
    struct weir_session *last = &all->sessions[all->n - 1];
    index_remove(all, place_of(all, &session->client, session->service));
    if (last != session) {
        all->index[place_of(all, &last->client, last->service)] =
            (uint32_t)(session - all->sessions) + 1;
        *session = *last;
    }
    all->n--;
}

/* ---- evidence ---- */

static void emit(const struct weir_sessions *all, const struct weir_evidence *from,
                 enum weir_outcome outcome, int64_t first_us, int64_t now_us) {
    struct weir_evidence attempt = *from;
    attempt.kind = WEIR_EVIDENCE_ATTEMPT;
    attempt.layer = from->kind == WEIR_EVIDENCE_REPLY ? WEIR_LAYER_API : WEIR_LAYER_SERVE;
    attempt.outcome = (uint8_t)outcome;
    attempt.by_session = true;
    attempt.first_us = first_us;
    attempt.now_us = now_us;
    if (from->kind == WEIR_EVIDENCE_PROGRESS && outcome == WEIR_OUTCOME_USEFUL)
        attempt.ts_us = from->progress.last_us;
    if (all->config.on_attempt) all->config.on_attempt(all->config.context, &attempt);
}

/* One whose last byte came in an earlier slot was useful there, by its progress. It rested until
 * the next request, and that this was one may have been noticed later. A stamp that is further
 * behind is another clock's. */
static bool ended_in_this_slot(const struct weir_evidence *chunk) {
    int64_t ago_us = chunk->now_us - chunk->ts_us;
    if (ago_us < chunk->chunk.rest_us || ago_us > NOTICED_US) ago_us = chunk->chunk.rest_us;
    return (chunk->now_us - ago_us - 1) / WEIR_SLOT_US == (chunk->now_us - 1) / WEIR_SLOT_US;
}

/* Was it asked for with words that media were answered to? The first request on a connection has a
 * size of its own, which may be new. Behind two errors the player tries new connections: what it
 * asks on one that it opened since the first of them is the same request again. */
static bool asks_for_media(const struct weir_sessions *all, const struct weir_session *session,
                           const struct weir_evidence *chunk) {
    if (chunk->chunk.known || weir_asks_knows(&all->asks, chunk)) return true;
    return session->hollow.run >= WEIR_HOLLOW_RUN - 1 && chunk->role == WEIR_ROLE_MEDIA &&
           chunk->flow_first_us >= session->first_small_us;
}

static void take_chunk(struct weir_sessions *all, struct weir_session *session,
                       const struct weir_evidence *evidence) {
    struct service *service = &all->services[evidence->service];
    session->media_bytes += evidence->chunk.bytes;
    if (evidence->chunk.cut) { /* one request, one outcome: it has failed already */
        if (weir_session_has_all_the_same(session, evidence)) weir_session_chunk(session, evidence);
        return;
    }
    weir_asks_chunk(&all->asks, evidence);
    if (evidence->chunk.ttfb_us >= 0)
        weir_learned_add(&service->ttfb_us, (uint64_t)evidence->chunk.ttfb_us);
    bool rules = has_demand(kind_of(all, evidence->service));
    if (evidence->chunk.bytes >= WEIR_SMALL_BYTES) {
        weir_learned_add(&service->chunk_bytes, evidence->chunk.bytes);
        service->sums.throughput_drops += weir_session_chunk(session, evidence);
        weir_hollow_chunk(&session->hollow, &all->small, evidence);
        int64_t took_us = evidence->chunk.transfer_us +
                          (evidence->chunk.ttfb_us > 0 ? evidence->chunk.ttfb_us : 0);
        if (rules && ended_in_this_slot(evidence) &&
            weir_session_is_served(session, evidence->chunk.bytes, took_us))
            emit(all, evidence, WEIR_OUTCOME_USEFUL, evidence->first_us, evidence->now_us);
        return;
    }
    if (session->lasts &&
        evidence->chunk.ttfb_us >= 0) /* what it asked for comes in large bursts */
        weir_session_wanted(session, evidence->chunk.request_us, evidence->now_us);
    if (evidence->chunk.ttfb_us < 0 || !asks_for_media(all, session, evidence))
        return; /* or it is the rest of an answer, after a silence */
    session->small_answers++;
    weir_session_small(session, evidence);
    uint32_t run = weir_hollow_small(&session->hollow, &all->small, evidence);
    if (run == 1) session->first_small_us = evidence->chunk.request_us;
    if (run >= 2)
        weir_session_wanted(session,
                            run == 2 ? session->first_small_us : evidence->chunk.request_us,
                            evidence->ts_us);
    if (!has_picture(kind_of(all, evidence->service)) || run < WEIR_HOLLOW_RUN ||
        weir_learned_quantile(&service->chunk_bytes, 0.5) <= WEIR_HOLLOW_MEDIAN_BYTES)
        return;
    session->hollow_answers++;
    emit(all, evidence, WEIR_OUTCOME_HOLLOW, evidence->first_us, evidence->now_us);
}

/* A long transfer is useful while it lasts: no need to wait for its end. */
static void take_progress(struct weir_sessions *all, struct weir_session *session,
                          const struct weir_evidence *evidence) {
    weir_session_progress(session, evidence, all->timeouts_us[evidence->service]);
    bool useful = weir_session_is_being_served(session, evidence);
    if (!useful || !has_demand(kind_of(all, evidence->service))) return;
    emit(all, evidence, WEIR_OUTCOME_USEFUL, evidence->ts_us - evidence->progress.open_us,
         evidence->now_us);
}

/* A control frame and its acknowledgement, most likely. */
static bool is_control(const struct weir_evidence *chunk) {
    return !chunk->chunk.known && chunk->chunk.bytes < CONTROL_BYTES && chunk->chunk.ttfb_us >= 0;
}

/* A player that tries to connect, or to look its host up, asks for media. One that took long did
 * so, too. */
static void take_attempt(struct weir_sessions *all, const struct weir_evidence *evidence) {
    weir_preludes_take(&all->preludes, evidence);
    bool late = evidence->ts_us - evidence->first_us >= WEIR_LATE_CONNECT_US;
    if (evidence->role != WEIR_ROLE_MEDIA || evidence->outcome == WEIR_OUTCOME_NEUTRAL ||
        evidence->by_session || (evidence->outcome == WEIR_OUTCOME_USEFUL && !late) ||
        evidence->service < WEIR_SERVICE_FIRST || evidence->service >= all->n_services)
        return;
    size_t at = place_of(all, &evidence->client, evidence->service);
    if (!all->index[at]) return;
    struct weir_session *session = &all->sessions[all->index[at] - 1];
    session->active_now_us = evidence->now_us; /* who tries in vain has not left */
    weir_session_wanted(session, evidence->first_us, evidence->ts_us);
}

/* What an API answers says nothing of pictures, but whether it works. */
static void take_reply(struct weir_sessions *all, const struct weir_evidence *evidence) {
    if (evidence->service < WEIR_SERVICE_FIRST || evidence->service >= all->n_services) return;
    enum weir_outcome outcome = weir_shrunk_take(&all->shrunk, evidence);
    if (outcome != WEIR_OUTCOME_NEUTRAL)
        emit(all, evidence, outcome, evidence->first_us, evidence->now_us);
}

void weir_sessions_take(struct weir_sessions *all, const struct weir_evidence *evidence) {
    if (evidence->kind == WEIR_EVIDENCE_ATTEMPT || evidence->kind == WEIR_EVIDENCE_DNS) {
        take_attempt(all, evidence);
        return;
    }
    if (evidence->kind == WEIR_EVIDENCE_REPLY) {
        take_reply(all, evidence);
        return;
    }
    bool chunk = evidence->kind == WEIR_EVIDENCE_CHUNK;
    if ((!chunk && evidence->kind != WEIR_EVIDENCE_PROGRESS) || !evidence->media ||
        evidence->service < WEIR_SERVICE_FIRST || evidence->service >= all->n_services)
        return;
    if (!chunk && !evidence->progress.waiting && evidence->progress.bytes == 0) return; /* unsure */
    if (chunk && is_control(evidence)) {
        weir_asks_chunk(&all->asks, evidence);
        return;
    }
    struct weir_session *session = session_need(all, evidence);
    if (!session) return;
    session->media_hosts |= evidence->role == WEIR_ROLE_MEDIA;
    if (session->media_hosts && evidence->role != WEIR_ROLE_MEDIA) {
        if (chunk) weir_asks_chunk(&all->asks, evidence);
        /* a page, a picture book, a player's program: large, but no media, for that comes from
         * elsewhere */
        return;
    }
    if (chunk || evidence->progress.waiting || evidence->progress.bytes) {
        session->active_now_us = evidence->now_us;
        if (evidence->ts_us > session->active_us) session->active_us = evidence->ts_us;
    }
    if (evidence->flow_first_us < session->start_us) {
        int64_t begun_us = weir_preludes_begin_us(&all->preludes, evidence);
        if (begun_us < session->begun_us && !session->second_chunk_us) session->begun_us = begun_us;
        session->start_us = evidence->flow_first_us;
        session->midstream = evidence->midstream;
    }
    if (chunk)
        take_chunk(all, session, evidence);
    else
        take_progress(all, session, evidence);
}

/* ---- ticks ---- */

static void end_session(struct weir_sessions *all, struct weir_session *session) {
    struct weir_session_record record;
    const struct weir_service *known = known_of(all, session->service);
    weir_session_report(session, kind_of(all, session->service), &record);
    weir_session_report_reserve(session, known ? known->buffer_us : 0, &record);
    if (all->config.on_session) all->config.on_session(all->config.context, &record);
    weir_session_end(session);
}

static bool is_idle(const struct weir_sessions *all, const struct weir_session *session,
                    int64_t now_us) {
    if (now_us - session->active_now_us < IDLE_US) return false;
    enum weir_service_kind kind = kind_of(all, session->service);
    bool full = kind == WEIR_KIND_AUDIO || /* a track, or several, at a time */
                (kind == WEIR_KIND_VOD && weir_session_bitrate_bps(session) != WEIR_NULL);
    return now_us - session->active_now_us >= (full ? IDLE_FULL_US : IDLE_US);
}

static void count_viewer(struct weir_sessions *all, const struct weir_session *session) {
    struct service *service = &all->services[session->service];
    struct weir_demand *demand = &service->demand;
    demand->viewers++;
    demand->viewers_known += session->playout.known;
    service->sums.watched_us += session->playout.known ? (uint64_t)WEIR_TICK_US : 0;
    if (!session->still_us) return;
    demand->viewers_stalled++;
    service->sums.still_us += (uint64_t)WEIR_TICK_US;
    if (!demand->stalled_since_us || session->still_us < demand->stalled_since_us)
        demand->stalled_since_us = session->still_us;
}

/* What is said of a viewer once: how long the picture took to begin; and once a window: what it
 * uses. */
static void count_viewing(struct weir_sessions *all, struct weir_session *session, int64_t now_us) {
    struct viewing *viewing = &all->services[session->service].viewing;
    int64_t startup_us = session->told_startup ? WEIR_NULL : weir_session_startup_us(session);
    if (startup_us != WEIR_NULL) {
        session->told_startup = true;
        if (!session->midstream) weir_histogram_add(&viewing->startup_us, (uint64_t)startup_us);
    }
    if (now_us % WEIR_SLOT_US == 0 && session->cadence.need_bps > 0)
        weir_histogram_add(&viewing->bitrate_bps, (uint64_t)session->cadence.need_bps);
}

/* What comes is far too little, or too late for the picture: once a slot. */
static void starve(struct weir_sessions *all, struct weir_session *session, int64_t now_us) {
    int64_t slot = (now_us - 1) / WEIR_SLOT_US;
    bool still = has_picture(kind_of(all, session->service)) && session->still_us &&
                 now_us - session->still_us >= STILL_MIN_US && weir_need_bytes(&session->need) > 0;
    if ((!session->slow && !still) || !session->tick.open || session->starved_slot == slot) return;
    session->starved_slot = slot;
    emit(all, session->tick.sample, WEIR_OUTCOME_STARVED,
         weir_session_short_since_us(session, now_us), now_us);
}

static void tick_session(struct weir_sessions *all, struct weir_session *session, int64_t now_us) {
    enum weir_service_kind kind = kind_of(all, session->service);
    struct service *service = &all->services[session->service];
    const struct weir_tick_demand *tick = &session->tick;
    int64_t starved_us = weir_session_tick(session, kind, now_us);
    if (has_demand(kind)) {
        service->demand.open += tick->open;
        service->demand.overdue += tick->unanswered;
        service->demand.clients_open += tick->open > 0;
        service->demand.clients_overdue += tick->open > 0 && tick->unanswered == tick->open;
        service->demand.clients_starved += session->starving;
        service->demand.clients_slow += session->slow && tick->open > 0;
        service->sums.demand |= tick->open > 0;
        service->sums.starved_us += (uint64_t)starved_us;
        starve(all, session, now_us);
    }
    memset(&session->tick, 0, sizeof session->tick);
}

static void learn_timeouts(struct weir_sessions *all) {
    for (size_t id = WEIR_SERVICE_FIRST; id < all->n_services && id < WEIR_SERVICES_MAX; id++) {
        int64_t learned_us = 3 * weir_learned_quantile(&all->services[id].ttfb_us, 0.99);
        all->timeouts_us[id] = learned_us < WEIR_REQUEST_TIMEOUT_MIN_US
                                   ? WEIR_REQUEST_TIMEOUT_MIN_US
                               : learned_us > TIMEOUT_MAX_US ? TIMEOUT_MAX_US
                                                             : learned_us;
    }
    weir_asks_publish(&all->asks, all->timeouts_us);
}

static void count_most(struct service *service) {
    if (service->demand.viewers > service->sums.viewers)
        service->sums.viewers = service->demand.viewers;
    if (service->demand.viewers_stalled > service->sums.viewers_stalled)
        service->sums.viewers_stalled = service->demand.viewers_stalled;
}

void weir_sessions_tick(struct weir_sessions *all, int64_t now_us) {
    for (size_t id = 0; id < all->n_services; id++)
        all->services[id].demand = (struct weir_demand){.service = (weir_service_id)id};
    for (size_t i = 0; i < all->n;) {
        struct weir_session *session = &all->sessions[i];
        if (weir_session_is_busy(session)) tick_session(all, session, now_us);
        if (has_picture(kind_of(all, session->service))) {
            count_viewer(all, session);
            count_viewing(all, session, now_us);
        }
        if (!is_idle(all, session, now_us)) {
            i++;
            continue;
        }
        end_session(all, session);
        session_remove(all, session);
    }
    all->stats.sessions_now = all->n;
    for (size_t id = 0; id < all->n_services; id++) count_most(&all->services[id]);
    if (now_us % WEIR_SLOT_US == 0) learn_timeouts(all);
}

static int compare_start(const void *a, const void *b) {
    const struct weir_session *x = a, *y = b;
    if (x->start_us != y->start_us) return x->start_us < y->start_us ? -1 : 1;
    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

void weir_sessions_finish(struct weir_sessions *all, int64_t now_us) {
    qsort(all->sessions, all->n, sizeof *all->sessions, compare_start);
    for (size_t i = 0; i < all->n; i++) end_session(all, &all->sessions[i]);
    memset(all->index, 0, (all->mask + 1) * sizeof *all->index);
    all->n = 0;
    all->stats.sessions_now = 0;
}

/* ---- what others ask ---- */

const int64_t *weir_sessions_request_timeouts(const struct weir_sessions *all) {
    return all->timeouts_us;
}

const struct weir_ask_page *weir_sessions_asks(const struct weir_sessions *all) {
    return all->asks.pages;
}

struct weir_demand weir_sessions_demand(const struct weir_sessions *all, weir_service_id service) {
    return service < all->n_services ? all->services[service].demand
                                     : (struct weir_demand){.service = service};
}

void weir_sessions_take_sums(struct weir_sessions *all, weir_service_id service,
                             struct weir_session_sums *ret_sums) {
    *ret_sums = (struct weir_session_sums){0};
    if (service >= all->n_services) return;
    struct service *one = &all->services[service];
    *ret_sums = one->sums;
    one->sums = (struct weir_session_sums){0};
    if (one->viewing.startup_us.n || one->viewing.bitrate_bps.n) {
        one->taken = one->viewing;
        one->viewing = (struct viewing){0};
        ret_sums->startup_us = &one->taken.startup_us;
        ret_sums->bitrate_bps = &one->taken.bitrate_bps;
    }
}

void weir_sessions_read_stats(const struct weir_sessions *all,
                              struct weir_sessions_stats *ret_stats) {
    *ret_stats = all->stats;
    ret_stats->hosts_refused = all->small.refused;
}
