/* A stream of trials under watch (a service's layer, a prefix, a resolver, the uplink): hard and
 * slow mixture, the tests that clear them, and the open slot.
 *
 * Closed slots are folded into `committed`. Each tick the open slot's trials are folded over a copy
 * of it, named by the detector's generation: when the generation moves on, the copy is void without
 * anyone having to clear it.
 *
 *     committed ---- closed slot ----> committed ---- closed slot ----> committed
 *         \                                \
 *          open (tick 1), open (tick 2)..   open (tick 1)..
 */
#include <math.h>

#include "detect/track.h"

enum { USUAL_MIN = 200, USUAL_MAX = 4000 };
static const double usual_margin = 1.5, usual_most = 0.25;

/* Of a slow burn a failure says less where it is not rare: the share that fails here while nothing
 * is wrong, with a margin. */
static double nats_here(const struct weir_track_state *state, const struct weir_track_rule *rule,
                        double nats) {
    double total = state->n_ok + state->n_fail;
    if (total < USUAL_MIN) return nats;
    double usual = fmin(usual_most, usual_margin * state->n_fail / total);
    return usual > rule->hard_mixture.p0 ? fmin(nats, -log(usual)) : nats;
}

static void learn(struct weir_track_state *state, const struct weir_track_trial *trial) {
    if (state->hard_alarm || state->slow_alarm) return;
    if (trial->fail && trial->weight > 0) state->n_fail++;
    if (trial->ok) state->n_ok++;
    if (state->n_ok + state->n_fail > USUAL_MAX) {
        state->n_ok /= 2;
        state->n_fail /= 2;
    }
}

static void hard_fold(struct weir_track_state *state, const struct weir_track_rule *rule,
                      const struct weir_track_trial *trial) {
    bool failed = trial->fail && !trial->ok;
    /* Two clients vouch for each other: what is doubted of one because it tried nothing else counts
     * in full after another's. */
    bool second = state->hard.s > 0 && state->fail_client && trial->client &&
                  state->fail_client != trial->client;
    double weight = second && trial->weight > 0 ? fmax(1, trial->weight) : trial->weight;
    if (failed && trial->weight > 0) state->fail_client = trial->client;
    if (failed)
        weir_mixture_fail(&state->hard, &rule->hard_mixture, weight * trial->nats, trial->at_us,
                          trial->began_us);
    else
        weir_mixture_ok(&state->hard, &rule->hard_mixture);

    if (!state->hard_alarm && state->hard.s >= rule->h) {
        state->hard_alarm = true;
        state->hard_sprt.llr = 0;
    } else if (state->hard_alarm) {
        /* The outage is over; what it left in the slow mixture was the outage, too. */
        if (weir_sprt_step(&state->hard_sprt, rule->hard, failed, trial->weight,
                           rule->sprt_bound) == WEIR_SPRT_GOOD) {
            state->hard = state->slow = (struct weir_mixture){.s = 0};
            state->slow_alarm = false;
        }
        state->hard_alarm = state->hard.s >= rule->h / 4;
    }
}

static void slow_step(struct weir_track_state *state, const struct weir_track_rule *rule,
                      const struct weir_track_trial *trial, bool failed) {
    if (failed)
        weir_mixture_fail(&state->slow, &rule->slow_mixture,
                          trial->slow_weight * nats_here(state, rule, trial->nats), trial->at_us,
                          trial->began_us);
    else
        weir_mixture_ok(&state->slow, &rule->slow_mixture);
    if (state->slow_alarm && weir_sprt_step(&state->slow_sprt, rule->slow, failed,
                                            trial->slow_weight, rule->sprt_bound) == WEIR_SPRT_GOOD)
        state->slow = (struct weir_mixture){.s = 0};
}

static void slow_fold(struct weir_track_state *state, const struct weir_track_rule *rule,
                      const struct weir_track_trial *trial) {
    if (trial->fail) slow_step(state, rule, trial, true);
    if (trial->ok) slow_step(state, rule, trial, false);

    if (state->slow.arm[0].s <= 0)
        state->slow_mixed = state->slow_pure = 0;
    else if (trial->fail && trial->slow_weight > 0)
        *(trial->ok ? &state->slow_mixed : &state->slow_pure) += 1;

    if (!state->slow_alarm && state->slow.s >= rule->h_slow) {
        state->slow_alarm = true;
        state->slow_sprt.llr = 0;
    } else if (state->slow_alarm && state->slow.s < rule->h_slow / 4)
        state->slow_alarm = false;
}

void weir_track_fold(struct weir_track *track, const struct weir_track_rule *rule,
                     const struct weir_track_trial *trial, uint64_t generation, bool closed) {
    struct weir_track_state *state = &track->committed;
    if (!closed) {
        if (track->generation != generation) track->open = track->committed;
        track->generation = generation;
        state = &track->open;
    }
    if (trial->at_us - state->last_us > rule->stale_us) {
        state->hard = state->slow = (struct weir_mixture){.s = 0};
        state->hard_alarm = state->slow_alarm = false;
    }
    hard_fold(state, rule, trial);
    slow_fold(state, rule, trial);

    if (closed) learn(state, trial);
    state->last_us = trial->at_us;
    if (trial->ok)
        state->ok_run++;
    else if (trial->fail && trial->weight > 0)
        state->ok_run = 0;
    if (trial->fail && trial->weight > 0) state->last_fail_us = trial->at_us;
    if (closed && trial->ok) track->useful++;
}

const struct weir_track_state *weir_track_now(const struct weir_track *track, uint64_t generation) {
    return track->generation == generation ? &track->open : &track->committed;
}

void weir_track_reset(struct weir_track *track) {
    struct weir_track_state *states[] = {&track->committed, &track->open};
    for (int i = 0; i < 2; i++) {
        struct weir_track_state *state = states[i];
        *state = (struct weir_track_state){.ok_run = state->ok_run,
                                           .last_us = state->last_us,
                                           .last_fail_us = state->last_fail_us,
                                           .n_ok = state->n_ok,
                                           .n_fail = state->n_fail};
    }
}
