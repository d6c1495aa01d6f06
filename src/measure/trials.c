/* Attempts collapse to trials: a retry is no new evidence, so what counts is whether a client got
 * through to a server's network in ten seconds, layer by layer.
 *
 *     attempt -> does it say anything? -> lost race, fall-back? (held until that is known) -> trial
 * of the open slot
 *
 * An attempt belongs to the slot that is open when it is decided; slots close at ticks only, so the
 * trials of a slot are those of all ticks in (start, start + 10 s].
 *
 * Blind spot: the loser of a race between two services' names looks like a failure.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "measure/known_names.h"
#include "measure/lifetimes.h"
#include "measure/need.h"
#include "measure/overdue.h"
#include "measure/policy.h"
#include "measure/race.h"
#include "measure/slot.h"
#include "measure/waits.h"

enum {
    TRIALS_MAX = 65536,
    HELD_MAX = 8192,
    OVERDUE_MAX = 8192,
    USEFUL_MAX = 16384,
    NAMES_MAX = 65536
};
/* what fails on a flow without handshake says nothing for this long: its past is not known, and
 * with it whether anything waits. An answer is one */
#define MIDSTREAM_US INT64_C(60000000)
#define HANG_MIN_US  INT64_C(1000000)
/* a request that hangs for longer was forgotten by the client as well */
#define HANG_MAX_US INT64_C(60000000)
/* two clients that refuse a certificate within this make an incident of it */
#define REJECT_US INT64_C(60000000)

enum { LONE_NAMES_MAX = 3 };            /* names that never resolved, each asked once, in vain */
#define LONE_NAMES_US INT64_C(20000000) /* from one to the next */

struct held {
    struct weir_evidence evidence;
    int64_t release_us;
    bool counted; /* and only waited for as a fall-back may come late */
};

struct reject { /* of a service: the last client that refused its certificate */
    struct weir_addr client;
    int64_t us;
    bool several;
};

struct weir_trials {
    struct weir_trials_config config;
    struct weir_slot_table slot;
    int64_t start_us; /* of the open slot */
    bool open;
    struct held *held; /* in the order of arrival */
    size_t n_held, held_max;
    struct weir_overdue overdue;
    struct weir_race_memory races;
    struct weir_waits waits;
    struct weir_policy policy;
    struct weir_lifetimes lifetimes;
    struct weir_known_names names, vain; /* that resolved; that were asked once and not answered */
    struct lone_names {
        int64_t us;
        unsigned n;
    } lone_names[WEIR_SERVICES_MAX];
    struct reject rejects[WEIR_SERVICES_MAX];
    struct weir_trials_stats stats;
};

static size_t or_default(size_t value, size_t otherwise) { return value ? value : otherwise; }

int weir_trials_new(struct weir_trials **ret_trials, const struct weir_trials_config *config) {
    struct weir_trials *trials = calloc(1, sizeof *trials);
    if (!trials) return -ENOMEM;
    trials->config = *config;
    trials->held_max = or_default(config->held_max, HELD_MAX);
    trials->held = calloc(trials->held_max, sizeof *trials->held);
    if (!trials->held ||
        weir_slot_table_init(&trials->slot, or_default(config->trials_max, TRIALS_MAX)) < 0 ||
        weir_overdue_init(&trials->overdue, OVERDUE_MAX) < 0 ||
        weir_waits_init(&trials->waits, 0) < 0 ||
        weir_policy_init(&trials->policy, config->local, config->n_local) < 0 ||
        weir_race_init(&trials->races, or_default(config->useful_max, USEFUL_MAX)) < 0 ||
        weir_lifetimes_init(&trials->lifetimes, or_default(config->useful_max, USEFUL_MAX) / 4) <
            0 ||
        weir_known_names_init(&trials->names, or_default(config->names_max, NAMES_MAX)) < 0 ||
        weir_known_names_init(&trials->vain, or_default(config->names_max, NAMES_MAX) / 4) < 0) {
        weir_trials_free(trials);
        return -ENOMEM;
    }
    *ret_trials = trials;
    return 0;
}

void weir_trials_free(struct weir_trials *trials) {
    if (!trials) return;
    free(trials->held);
    weir_slot_table_deinit(&trials->slot);
    weir_overdue_deinit(&trials->overdue);
    weir_race_deinit(&trials->races);
    weir_waits_deinit(&trials->waits);
    weir_policy_deinit(&trials->policy);
    weir_lifetimes_deinit(&trials->lifetimes);
    weir_known_names_deinit(&trials->names);
    weir_known_names_deinit(&trials->vain);
    free(trials);
}

void weir_trials_read_stats(const struct weir_trials *trials, struct weir_trials_stats *ret_stats) {
    *ret_stats = trials->stats;
    ret_stats->names_evicted = trials->names.evicted;
}

static int64_t slot_of(int64_t now_us) {
    int64_t rest = now_us % WEIR_SLOT_US;
    return now_us - (rest < 0 ? rest + WEIR_SLOT_US : rest);
}

static void slot_show(struct weir_trials *trials, bool closed) {
    struct weir_slot slot = {
        .start_us = trials->start_us, .trials = trials->slot.trials, .n_trials = trials->slot.n};
    if (trials->config.on_slot) trials->config.on_slot(trials->config.context, &slot, closed);
}

static void slot_close(struct weir_trials *trials, int64_t now_us) {
    weir_overdue_settle(&trials->overdue, trials->slot.trials, now_us);
    weir_overdue_carry(&trials->overdue, trials->slot.trials, trials->slot.n);
    if (trials->open) slot_show(trials, true);
    weir_slot_table_clear(&trials->slot);
    weir_slot_table_put(&trials->slot, trials->overdue.carried, trials->overdue.n_carried);
    trials->open = false;
}

static void slot_open(struct weir_trials *trials, int64_t now_us) {
    if (trials->open) return;
    trials->start_us = slot_of(now_us);
    trials->open = true;
}

/* The latest failing attempt, and what was useful after it. An attempt fails with its first packet;
 * an answer that is hollow when that is seen. Starving is half of what is needed, over ten seconds:
 * what comes in full again for five of them does not look so. */
static void note_began(struct weir_trial *trial, const struct weir_evidence *evidence) {
    int64_t began_us = evidence->outcome == WEIR_OUTCOME_STARVED
                           ? evidence->ts_us - (int64_t)WEIR_NEED_TICKS * WEIR_TICK_US / 2
                       : evidence->outcome == WEIR_OUTCOME_HOLLOW ? evidence->ts_us
                                                                  : evidence->first_us;
    if (began_us <= trial->last_began_us) return;
    trial->last_began_us = began_us;
    if (trial->back_us < began_us)
        trial->back_us = trial->last_ok_us >= began_us ? trial->last_ok_us : 0;
}

/* The attempt counts now. */
static void count(struct weir_trials *trials, const struct weir_evidence *evidence, int64_t now_us,
                  bool fell_back) {
    slot_open(trials, now_us);
    struct weir_trial *trial = weir_slot_table_need(&trials->slot, evidence);
    if (!trial) {
        trials->stats.trials_refused++;
        return;
    }
    trials->stats.attempts++;
    trial->media |= evidence->media || evidence->role == WEIR_ROLE_MEDIA;
    if (evidence->outcome == WEIR_OUTCOME_USEFUL) {
        if (!trial->ok) /* when the last byte came, not when that was noticed */
            trial->ok_us = evidence->ts_us > trials->start_us && evidence->ts_us < now_us
                               ? evidence->ts_us
                               : now_us;
        if (evidence->ts_us > trial->last_ok_us) trial->last_ok_us = evidence->ts_us;
        if (!trial->back_us && evidence->ts_us >= trial->last_began_us)
            trial->back_us = evidence->ts_us;
        trial->ok = true;
        trial->attempts_ok++;
        return;
    }
    /* What began after the last success is not answered by it: a fault that sets in during the
     * slot. Its first word is the newest. A connection that is reset while nothing is asked leaves
     * the client served. */
    bool at_rest = evidence->outcome == WEIR_OUTCOME_RST_MID && evidence->pause.reset;
    bool sets_in = trial->ok && !at_rest && evidence->first_us >= trial->last_ok_us;
    if (sets_in) trial->ok = false;
    if (!trial->fail || sets_in) {
        trial->fail_us = now_us;
        trial->kind = evidence->outcome;
        trial->first_us = evidence->first_us;
        trial->host_hash = evidence->host_hash;
    }
    if (evidence->first_us < trial->first_us) trial->first_us = evidence->first_us;
    note_began(trial, evidence);
    trial->fail = true;
    trial->quic_fell_back |= fell_back;
    trial->quic_died |= weir_race_died(evidence);
    trial->attempts_fail++;
    if (weir_overdue_may_be_answered(evidence))
        weir_overdue_add(&trials->overdue, evidence, trials->slot.trials,
                         (uint32_t)(trial - trials->slot.trials));
}

/* True when the race is decided, one way or the other. */
static bool settle(struct weir_trials *trials, const struct weir_evidence *evidence, int64_t now_us,
                   bool due) {
    switch (weir_race_judge(&trials->races, evidence)) {
    case WEIR_RACE_LOST:
        trials->stats.neutral++;
        trials->stats.race_losers++;
        return true;
    case WEIR_RACE_FELL_BACK:
        trials->stats.fell_back++;
        count(trials, evidence, now_us, true);
        return true;
    case WEIR_RACE_BOTH_FAILED: count(trials, evidence, now_us, false); return true;
    case WEIR_RACE_NONE: break;
    }
    if (due) count(trials, evidence, now_us, false);
    return due;
}

/* A winner may still come: of any race until 2 s after the first packet, of a fall-back until 10 s
 * after it. */
static void hold_or_count(struct weir_trials *trials, const struct weir_evidence *evidence) {
    int64_t patience_us = evidence->layer == WEIR_LAYER_QUIC ? WEIR_FALLBACK_US : WEIR_RACE_US;
    int64_t left_us = evidence->first_us + patience_us - evidence->ts_us;
    if (left_us > patience_us) left_us = patience_us;
    bool full = trials->n_held == trials->held_max;
    if (left_us > 0 && full) trials->stats.held_refused++;
    if (settle(trials, evidence, evidence->now_us, left_us <= 0 || full)) return;
    trials->held[trials->n_held++] = (struct held){*evidence, evidence->now_us + left_us, false};
}

/* True when nothing more is to come of it. A connection that died counts when its time is up, as
 * any other; where the fall-back comes later than that, it counts once more, in the slot in which
 * the fall-back shows. */
static bool release_one(struct weir_trials *trials, struct held *held, int64_t now_us, bool all) {
    enum weir_race race = weir_race_judge(&trials->races, &held->evidence);
    bool due = all || now_us >= held->release_us;
    if (held->counted && race != WEIR_RACE_FELL_BACK) return due;
    if (!settle(trials, &held->evidence, now_us, due)) return false;
    if (all || race != WEIR_RACE_NONE || !weir_race_died(&held->evidence)) return true;
    held->counted = true;
    held->release_us = held->evidence.first_us + WEIR_FALLBACK_LATE_US;
    return false;
}

static void release(struct weir_trials *trials, int64_t now_us, bool all) {
    size_t kept = 0;
    for (size_t i = 0; i < trials->n_held; i++)
        if (!release_one(trials, &trials->held[i], now_us, all))
            trials->held[kept++] = trials->held[i];
    trials->n_held = kept;
}

static enum weir_service_kind kind_of(const struct weir_trials *trials, weir_service_id service) {
    if (!trials->config.set || service < WEIR_SERVICE_FIRST ||
        service >= weir_service_set_count(trials->config.set))
        return WEIR_KIND_VOD;
    return weir_service_get(trials->config.set, service)->kind;
}

/* Requests count on media flows only: an unanswered one of an API may be a long poll. Audio and
 * calls have connection outcomes only. Of our services a request was useful when the sessions saw a
 * chunk, not any answer: an error page is an answer too. */
static bool serve_counts(const struct weir_trials *trials, const struct weir_evidence *evidence) {
    if (!evidence->media || (evidence->midstream && evidence->outcome != WEIR_OUTCOME_USEFUL &&
                             evidence->now_us - evidence->flow_first_us < MIDSTREAM_US))
        return false;
    if (evidence->service < WEIR_SERVICE_FIRST || evidence->by_session ||
        evidence->outcome == WEIR_OUTCOME_RST_MID)
        return true;
    enum weir_service_kind kind = kind_of(trials, evidence->service);
    return evidence->outcome != WEIR_OUTCOME_USEFUL &&
           (kind == WEIR_KIND_VOD || kind == WEIR_KIND_LIVE || kind == WEIR_KIND_AUDIO);
}

/* One client that refuses a certificate has a problem of its own; two make it the service's. */
static bool reject_counts(struct weir_trials *trials, const struct weir_evidence *evidence) {
    struct reject *reject = &trials->rejects[evidence->service % WEIR_SERVICES_MAX];
    bool recent = reject->us && evidence->now_us - reject->us < REJECT_US;
    bool other = recent && weir_addr_compare(&reject->client, &evidence->client) != 0;
    reject->several = recent && (reject->several || other);
    reject->client = evidence->client;
    reject->us = evidence->now_us;
    return reject->several;
}

/* More such names in a row than a service's clients turn to: a flood of random names under its own,
 * which their authority does not answer. */
static bool one_of_a_flood(struct weir_trials *trials, const struct weir_evidence *evidence) {
    struct lone_names *lone = &trials->lone_names[evidence->service % WEIR_SERVICES_MAX];
    if (evidence->now_us - lone->us > LONE_NAMES_US) lone->n = 0;
    lone->us = evidence->now_us;
    return ++lone->n > LONE_NAMES_MAX;
}

/* A name that never resolved may be a typing error: NXDOMAIN says nothing of it. Silence does, but
 * of many such names only when somebody asks again for the same one. */
static bool name_is_dubious(struct weir_trials *trials, const struct weir_evidence *evidence) {
    if (weir_known_names_has(&trials->names, evidence->host_hash, evidence->now_us)) return false;
    if (evidence->outcome != WEIR_OUTCOME_DNS_TIMEOUT)
        return evidence->outcome == WEIR_OUTCOME_DNS_NXDOMAIN;
    bool asked_again = evidence->dns.queries >= 2 || !evidence->host_hash ||
                       weir_known_names_has(&trials->vain, evidence->host_hash, evidence->now_us);
    weir_known_names_add(&trials->vain, evidence->host_hash, evidence->now_us);
    return !asked_again && one_of_a_flood(trials, evidence);
}

static void take_dns(struct weir_trials *trials, const struct weir_evidence *evidence) {
    bool useful = evidence->outcome == WEIR_OUTCOME_USEFUL;
    if (useful) weir_known_names_add(&trials->names, evidence->host_hash, evidence->now_us);
    if (name_is_dubious(trials, evidence) || (!useful && !weir_outcome_failed(evidence->outcome)))
        trials->stats.neutral++;
    else
        count(trials, evidence, evidence->now_us, false);
}

static void take_attempt(struct weir_trials *trials, const struct weir_evidence *evidence) {
    bool useful = evidence->outcome == WEIR_OUTCOME_USEFUL;
    if (evidence->layer == WEIR_LAYER_SERVE && !evidence->by_session)
        weir_race_served(&trials->races, evidence);
    bool connection = evidence->layer == WEIR_LAYER_CONNECT || evidence->layer == WEIR_LAYER_QUIC;
    bool says_nothing =
        (!useful && !weir_outcome_failed(evidence->outcome)) ||
        (evidence->layer == WEIR_LAYER_SERVE && !serve_counts(trials, evidence)) ||
        (evidence->outcome == WEIR_OUTCOME_SUSPECT_REJECT && !reject_counts(trials, evidence));
    if (weir_overdue_is_answer(evidence)) {
        weir_overdue_answer(&trials->overdue, evidence, trials->slot.trials);
        says_nothing = true;
    }
    if (says_nothing) {
        trials->stats.neutral++;
        return;
    }
    if (connection) weir_race_note(&trials->races, evidence);
    if (connection && !useful && evidence->outcome != WEIR_OUTCOME_RST_MID)
        hold_or_count(trials, evidence);
    else
        count(trials, evidence, evidence->now_us, false);
}

bool weir_trials_is_premature(const struct weir_trials *trials, weir_service_id service,
                              uint8_t role, const struct weir_addr *server, int64_t pause_us) {
    return weir_lifetimes_outlived(&trials->lifetimes, service, role, server, pause_us);
}

/* A connection that rested: was its rest survived, or cut short? */
static void take_pause(struct weir_trials *trials, const struct weir_evidence *evidence) {
    if (!evidence->pause.reset) {
        weir_lifetimes_survived(&trials->lifetimes, evidence->service, evidence->role,
                                &evidence->server, evidence->pause.us, evidence->now_us);
        return;
    }
    if (!weir_trials_is_premature(trials, evidence->service, evidence->role, &evidence->server,
                                  evidence->pause.us)) {
        weir_lifetimes_timed(&trials->lifetimes, evidence->service, evidence->role,
                             &evidence->server, evidence->pause.us, evidence->now_us);
        return;
    }
    struct weir_evidence attempt = *evidence;
    attempt.kind = WEIR_EVIDENCE_ATTEMPT;
    attempt.layer = WEIR_LAYER_SERVE;
    attempt.outcome = WEIR_OUTCOME_RST_MID;
    trials->stats.resets_premature++;
    take_attempt(trials, &attempt);
}

/* A request that waits fails in every slot in which it hangs, and says how rare that is; a tick
 * later it says so anew. */
static void take_progress(struct weir_trials *trials, const struct weir_evidence *evidence) {
    struct weir_evidence attempt = *evidence;
    if (evidence->service < WEIR_SERVICE_FIRST) return;
    weir_waits_served(&trials->waits, evidence);
    int64_t open_us =
        evidence->progress.waiting ? evidence->progress.waiting_us : evidence->progress.unsure_us;
    if (open_us == 0 || open_us > HANG_MAX_US) return;
    attempt.kind = WEIR_EVIDENCE_ATTEMPT;
    attempt.layer = WEIR_LAYER_SERVE;
    attempt.outcome = WEIR_OUTCOME_REQUEST_TIMEOUT;
    if (!serve_counts(trials, &attempt)) return;
    struct weir_hang hang = weir_waits_hanging(&trials->waits, evidence);
    if (hang.us < HANG_MIN_US) return;
    attempt.first_us = evidence->ts_us - hang.us;
    struct weir_trial *trial = weir_slot_table_need(&trials->slot, &attempt);
    if (!trial) return;
    if (hang.us >= evidence->progress.timeout_us && !trial->fail)
        count(trials, &attempt, evidence->now_us, false);
    if (hang.us > trial->wait_us) {
        trial->wait_us = hang.us;
        trial->wait_nats = hang.nats;
    }
}

/* A server goes on repeating, for minutes, what was never acknowledged; a client that has closed
 * answers with a reset each time. These are no connections that ended well: after an outage by
 * resets there are several of each that broke. */
static bool is_leftover(const struct weir_evidence *evidence) {
    return evidence->midstream && evidence->end.unasked && !evidence->end.rst_mid;
}

static void take_end(struct weir_trials *trials, const struct weir_evidence *evidence) {
    bool finished = evidence->end.end != WEIR_END_OPEN && !is_leftover(evidence) &&
                    evidence->transport == WEIR_TRANSPORT_TCP;
    if (!finished || !evidence->media || !trials->config.on_connection_end) return;
    struct weir_connection_end end = {
        .client = evidence->client,
        .prefix = weir_addr_prefix(&evidence->server),
        .service = evidence->service,
        .rst_mid = evidence->end.rst_mid ||
                   weir_trials_is_premature(trials, evidence->service, evidence->role,
                                            &evidence->server, evidence->end.reset_pause_us),
        .ts_us = evidence->now_us,
    };
    trials->config.on_connection_end(trials->config.context, &end);
}

void weir_trials_name(struct weir_trials *trials, const struct weir_heard_name *name,
                      int64_t now_us) {
    weir_policy_name(&trials->policy, name, now_us);
}

void weir_trials_blocked(const struct weir_trials *trials, weir_service_id service,
                         int64_t since_us, struct weir_blocked_names *ret_names) {
    weir_policy_blocked(&trials->policy, service, since_us, ret_names);
}

/* A filter's doing says nothing of the service. */
static bool is_local_policy(struct weir_trials *trials, const struct weir_evidence *evidence) {
    bool policy = evidence->kind == WEIR_EVIDENCE_DNS
                      ? weir_policy_lookup(&trials->policy, evidence)
                      : weir_policy_flow(&trials->policy, evidence);
    trials->stats.local_policy += policy;
    trials->stats.neutral += policy;
    return policy;
}

void weir_trials_prefetch(const struct weir_trials *trials, const struct weir_evidence *evidence) {
    weir_race_prefetch(&trials->races, evidence);
    weir_slot_table_prefetch(&trials->slot, evidence);
}

void weir_trials_take(struct weir_trials *trials, const struct weir_evidence *evidence) {
    if (evidence->service == WEIR_SERVICE_NONE) return;
    if (trials->open && evidence->now_us > trials->start_us + WEIR_SLOT_US)
        slot_close(trials, evidence->now_us); /* ticks were left out */
    slot_open(trials, evidence->now_us);
    if (is_local_policy(trials, evidence)) return;
    switch ((enum weir_evidence_kind)evidence->kind) {
    case WEIR_EVIDENCE_ATTEMPT: take_attempt(trials, evidence); break;
    case WEIR_EVIDENCE_DNS: take_dns(trials, evidence); break;
    case WEIR_EVIDENCE_END: take_end(trials, evidence); break;
    case WEIR_EVIDENCE_PAUSE: take_pause(trials, evidence); break;
    case WEIR_EVIDENCE_ALIVE: weir_race_alive(&trials->races, evidence); break;
    case WEIR_EVIDENCE_CHUNK:
        if (evidence->service >= WEIR_SERVICE_FIRST) weir_waits_served(&trials->waits, evidence);
        break;
    case WEIR_EVIDENCE_PROGRESS: take_progress(trials, evidence); break;
    case WEIR_EVIDENCE_REPLY: break; /* the sessions say what it is worth */
    }
}

void weir_trials_tick(struct weir_trials *trials, int64_t now_us) {
    slot_open(trials, now_us - 1);
    release(trials, now_us, false);
    weir_overdue_settle(&trials->overdue, trials->slot.trials, now_us);
    if (now_us >= trials->start_us + WEIR_SLOT_US) slot_close(trials, now_us);
    slot_open(trials, now_us);
    slot_show(trials, false);
    for (size_t i = 0; i < trials->slot.n; i++) { /* what still waits says so at the next tick */
        trials->slot.trials[i].wait_us = 0;
        trials->slot.trials[i].wait_nats = 0;
    }
}

void weir_trials_finish(struct weir_trials *trials, int64_t now_us) {
    slot_open(trials, now_us);
    release(trials, now_us, true);
    slot_close(trials, INT64_MAX); /* nothing comes any more */
}
