/* Whose fault is it? A table of hypotheses; each says which trials it spoils, and so how likely
 * what was seen is under it.
 *
 *     chance        none of them: each fails with p0
 *     client        all trials of one client, at the service and elsewhere, and its lookups
 *     here          what one client tries at the service, nothing else: its application, its
 *                   account, its address
 *     clients       as client, for several, each for itself
 *     uplink        everything
 *     resolver      every name that one resolver is asked for
 *     names         the service's names, whoever is asked
 *     cdn           everything at one prefix, or in one autonomous system, whosever it is
 *     path          the service's trials there
 *     quic          QUIC to the service, beside TCP that works
 *     service       all of its trials
 *
 * The share that a trouble spoils isn't known, only what it is like: an outage takes all, or a good
 * part; bad WiFi lets about half through, or nothing at all. So the share is integrated out over
 * Beta distributions (the Beta-binomial marginal likelihood), the likelier kind three in four; the
 * score is that, beside all being chance, times the share of the time for which such a trouble
 * lasts anywhere (options prior_*). One currency for all: five failures of one client are the
 * service's or its WiFi's, and one useful trial of the same client elsewhere, a lookup among them,
 * speaks more than many of others; failures of two clients that have nothing in common but the
 * service are the service's, for two spells of bad WiFi at once are as rare as their product.
 *
 * Troubles beside the one that is asked for are had by every hypothesis, each at its own price:
 * another service that fails by itself, several of them for one reason, another client in bad WiFi,
 * a place, a resolver. So two services of ten that are dead are two services: the uplink would have
 * to fail the other eight as well, in the same share, and one price is not worth that.
 *
 * A path needs proof: that the service was useful from another of its places in the same layer and
 * role, in slots in which this place only failed; or by turns with it, again and again. Useful
 * trials between two failures of a flapping service are not elsewhere, and that it was seen on
 * several places before says nothing. Without proof the path is less likely than the service:
 * hardly less where the service was served from several places lately, far less where from this one
 * only. What other places did meanwhile, too seldom for a proof, changes these odds; so does when
 * it began. Of a place that lets a part through nobody need go round it, so that its prior holds.
 *
 * Probabilities are the scores' odds. How long the odds must be against what would be no news
 * (chance, one client) grows with the clients: among forty times as many, forty times as many
 * coincidences are seen.
 *
 * Blind spot: a trouble that hits a group of clients (an access point) is not a hypothesis.
 */
#include <math.h>
#include <stdlib.h>

#include "detect/beside.h"
#include "detect/blame.h"
#include "detect/depth.h"
#include "detect/likelihood.h"
#include "detect/state.h"

enum {
    PROOF_OK = 2,    /* useful trials elsewhere that prove a path */
    AT_ONCE = 2,     /* slots that show that a part gets through */
    LOOK_BACK = 4096 /* trials before the onset that are read */
};

static struct weir_tally sum_of(struct weir_tally a, struct weir_tally b) {
    return (struct weir_tally){.fail = a.fail + b.fail, .total = a.total + b.total};
}

/* An outage may spoil the other layers as well, or leave them alone. */
static double maybe(double gain) { return fmax(0, gain - log(2)); }

/* ---- clients ---- */

/* Each client that the trials are likelier with is in bad WiFi, beside what explains the rest. */
static void blame_clients(const struct weir_detector *detector, const struct weir_beside *beside,
                          struct weir_blame *blame) {
    const struct weir_judgement *judgement = &detector->judgement;
    double p0 = detector->config.p0, prior = log(detector->config.prior_client), all = 0, top = 0;
    struct weir_gains gains = {.p0 = p0};
    unsigned n = 0;
    for (size_t i = 0; i < judgement->clients.n; i++) {
        const struct weir_sums *client = &judgement->by_client[i];
        if (client->own.fail + client->other.fail + client->lookups.fail == 0) continue;
        struct weir_tally elsewhere = sum_of(client->other, client->lookups);
        double alone = elsewhere.fail ? fmax(0, weir_gain_again(&gains, elsewhere) + prior) : 0;
        elsewhere.fail -= client->other_answers;
        struct weir_tally everything = sum_of(sum_of(client->own, client->peer), elsewhere);
        everything.fail -= client->own_answers;
        double with = weir_gain_again(&gains, everything) + prior;
        all += fmax(alone, with);
        if (client->own.fail == 0 || with <= alone) continue;
        n++;
        if (with - alone > top) {
            top = with - alone;
            blame->client = (uint32_t)i;
        }
    }
    blame->score[WEIR_BY_CLIENT] = n == 1 ? all + beside->rest : -HUGE_VAL;
    blame->score[WEIR_BY_CLIENTS] = n > 1 ? all + beside->rest : -HUGE_VAL;
    struct weir_tally others;
    blame->here = weir_sums_top(judgement->by_client, judgement->clients.n, &others);
    if (blame->here != WEIR_INDEX_NONE)
        blame->score[WEIR_BY_HERE] =
            weir_gain_of_service(judgement->by_client[blame->here].own, p0) +
            maybe(weir_gain_of_service(judgement->by_client[blame->here].peer, p0)) +
            log(detector->config.prior_service * detector->config.share_here) + beside->all;
}

/* ---- places ---- */

static bool is_at(const struct weir_judgement *judgement, const struct weir_place *place,
                  uint32_t number) {
    return place->as ? judgement->by_place[number].as == place->as
                     : number == place->number || number == place->twin;
}

/* A place has an address of each version of IP, and dies with both: the prefix of the other version
 * that fails most, where it mostly fails, as this one does, and is of no other system. */
static uint32_t twin_of(const struct weir_judgement *judgement, uint32_t number) {
    bool four = weir_addr_is_v4(&judgement->places.addrs[number]);
    uint32_t twin = WEIR_INDEX_NONE, as = judgement->by_place[number].as;
    if (!weir_mostly_fails(judgement->by_place[number].own)) return twin;
    for (size_t i = 0; i < judgement->places.n; i++) {
        const struct weir_sums *place = &judgement->by_place[i];
        if (place->own.fail && weir_mostly_fails(place->own) &&
            (!as || !place->as || place->as == as) &&
            weir_addr_is_v4(&judgement->places.addrs[i]) != four &&
            (twin == WEIR_INDEX_NONE || place->own.fail > judgement->by_place[twin].own.fail))
            twin = (uint32_t)i;
    }
    return twin;
}

/* The sums of a prefix and its twin. */
static struct weir_sums sums_at(const struct weir_judgement *judgement,
                                const struct weir_place *place) {
    struct weir_sums sums = judgement->by_place[place->number];
    if (place->twin == WEIR_INDEX_NONE) return sums;
    const struct weir_sums *twin = &judgement->by_place[place->twin];
    weir_tally_add(&sums.own, twin->own);
    weir_tally_add(&sums.peer, twin->peer);
    weir_tally_add(&sums.near, twin->near);
    return sums;
}

static uint8_t failing_role(const struct weir_judgement *judgement, const struct weir_pick *own,
                            const struct weir_place *place) {
    unsigned fails[3] = {0};
    for (size_t i = weir_pick_first(judgement, own); i < judgement->n;
         i = weir_pick_next(judgement, own, i)) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (is_at(judgement, place, trial->place) && weir_pick_matches(judgement, own, trial) &&
            weir_item_tally(trial->flags, true).fail)
            fails[trial->role % 3]++;
    }
    return fails[WEIR_ROLE_MEDIA] >= fails[WEIR_ROLE_CONTROL] &&
                   fails[WEIR_ROLE_MEDIA] >= fails[WEIR_ROLE_OTHER]
               ? WEIR_ROLE_MEDIA
           : fails[WEIR_ROLE_CONTROL] >= fails[WEIR_ROLE_OTHER] ? WEIR_ROLE_CONTROL
                                                                : WEIR_ROLE_OTHER;
}

/* The trials of one slot, at the place and elsewhere in the same role. */
struct slot_sum {
    int64_t slot;
    unsigned fails, oks, all_ok; /* trials here: that failed, were useful, were only useful */
    struct weir_tally here, rest;
};

/* What the service's other places did while this one failed. */
struct elsewhere {
    /* in the slots in which it only failed: a flapping service, up again, is not elsewhere */
    struct weir_tally here, rest;
    /* by turns: trials in order of time, those in a row that came out alike counted once a side. A
     * service that flaps takes turns as well, but wherever it is tried. */
    struct weir_tally turns_here, turns_rest;
    struct weir_tally trials_here, trials_rest; /* all of them */
    /* slots in which the place failed and was useful: it lets a part through, it does not flap */
    unsigned at_once;
    bool serves_on; /* over connections that were open before, while new ones fail there */
    bool fails, at_here, at_rest; /* the turn that goes on */
};

static void end_turn(struct elsewhere *sum) {
    struct weir_tally one = {.fail = sum->fails, .total = 1};
    if (sum->at_here) weir_tally_add(&sum->turns_here, one);
    if (sum->at_rest) weir_tally_add(&sum->turns_rest, one);
    sum->at_here = sum->at_rest = false;
}

static void take_turn(struct elsewhere *sum, bool fails, bool here) {
    if (fails != sum->fails) end_turn(sum);
    sum->fails = fails;
    *(here ? &sum->at_here : &sum->at_rest) = true;
}

/* As many looks as turns, of which at most the trials' share failed. By turns alone a busy place
 * fails too often: its useful trials in a row are one, each that fails by chance is another. */
static struct weir_tally looks(struct weir_tally turns, struct weir_tally trials) {
    if (!trials.total) return turns;
    uint64_t fail = ((uint64_t)turns.total * trials.fail + trials.total - 1) / trials.total;
    if (fail < turns.fail) turns.fail = (uint32_t)fail;
    return turns;
}

/* Until the first failure is decided its attempt hangs: what is useful elsewhere meanwhile counts
 * with it. */
static void end_slot(struct slot_sum *slot, struct elsewhere *sum) {
    if (!slot->fails && !slot->oks && sum->here.total == 0) return;
    sum->at_once += slot->fails && slot->oks;
    if (slot->fails && !slot->all_ok) {
        weir_tally_add(&sum->here, slot->here);
        weir_tally_add(&sum->rest, slot->rest);
    }
    *slot = (struct slot_sum){.slot = slot->slot};
}

/* Does a place let nothing of the service through? Then connections that were open before die with
 * it, and those that are served elsewhere speak of connecting as well. Where its servers refuse new
 * ones, or do not greet them, or go on to serve old ones, what is served elsewhere on old ones says
 * nothing of new ones there. */
static bool is_shut(const struct weir_judgement *judgement, const struct weir_pick *own,
                    const struct weir_place *place) {
    struct weir_pick above = *own;
    unsigned fails = 0, nobody_there = 0;
    above.layer = WEIR_LAYER_SERVE;
    for (size_t i = weir_pick_first(judgement, own); i < judgement->n;
         i = weir_pick_next(judgement, own, i)) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (!is_at(judgement, place, trial->place)) continue;
        bool failed = weir_item_tally(trial->flags, true).fail;
        if (weir_pick_matches(judgement, own, trial) && failed) {
            fails++;
            nobody_there += weir_depth_of(trial->kind) == WEIR_DEPTH_CLOSED;
        }
        if (weir_pick_matches(judgement, &above, trial) && !failed &&
            weir_judged_last_us(trial) >= own->useful_us)
            return false;
    }
    return 2 * nobody_there > fails;
}

/* A served request says that connecting works, too, beside a place that is shut. At the place
 * itself it always speaks against the place. One that fails says nothing of connecting. */
static bool bears(const struct weir_judgement *judgement, const struct weir_pick *own,
                  const struct weir_judged *trial, bool shut, bool here) {
    struct weir_pick above = *own;
    above.layer = WEIR_LAYER_SERVE;
    return weir_pick_matches(judgement, own, trial) ||
           ((shut || here) && (own->layer == WEIR_LAYER_CONNECT || own->layer == WEIR_LAYER_QUIC) &&
            weir_pick_matches(judgement, &above, trial));
}

/* Connections, so that mixed slots count as one of each; what is useful at the very end may already
 * be the recovery, of which another place may be the first to tell. */
static struct elsewhere elsewhere_of(const struct weir_judgement *judgement,
                                     const struct weir_scope *scope,
                                     const struct weir_place *place) {
    struct weir_pick own = weir_own_pick(scope);
    uint8_t role = failing_role(judgement, &own, place);
    bool shut = is_shut(judgement, &own, place);
    struct slot_sum slot = {.slot = INT64_MIN};
    struct elsewhere sum = {{0}};
    for (size_t i = weir_pick_first(judgement, &own); i < judgement->n;
         i = weir_pick_next(judgement, &own, i)) {
        const struct weir_judged *trial = &judgement->trials[i];
        bool here = is_at(judgement, place, trial->place);
        if (!bears(judgement, &own, trial, shut, here)) continue;
        if (trial->at_us / WEIR_SLOT_US != slot.slot) {
            end_slot(&slot, &sum);
            slot.slot = trial->at_us / WEIR_SLOT_US;
        }
        bool above = !weir_pick_matches(judgement, &own, trial);
        if (above && !(trial->flags & WEIR_ITEM_OK)) continue;
        struct weir_tally one =
            above ? (struct weir_tally){.total = 1} : weir_item_tally(trial->flags, true);
        if (!one.fail && weir_judged_last_us(trial) < own.useful_us)
            continue; /* before the fault */
        if (!here && trial->role != role) continue;
        sum.serves_on |= here && above;
        if (one.fail) take_turn(&sum, true, here);
        if (one.fail < one.total) take_turn(&sum, false, here);
        weir_tally_add(here ? &sum.trials_here : &sum.trials_rest, one);
        if (here) {
            weir_tally_add(&slot.here, one);
            slot.fails += one.fail;
            slot.oks += one.fail < one.total;
            slot.all_ok += one.fail == 0;
        } else
            weir_tally_add(&slot.rest, one);
    }
    end_slot(&slot, &sum);
    end_turn(&sum);
    sum.turns_here = looks(sum.turns_here, sum.trials_here);
    sum.turns_rest = looks(sum.turns_rest, sum.trials_rest);
    return sum;
}

static bool is_proof(const struct weir_detector *detector, struct weir_tally here,
                     struct weir_tally rest) {
    return rest.total - rest.fail >= PROOF_OK && weir_rest_is_fine(rest) &&
           weir_fisher(here, rest) < detector->config.fisher_p;
}

static bool is_proven(const struct weir_detector *detector, const struct elsewhere *sum) {
    return is_proof(detector, sum->here, sum->rest) ||
           is_proof(detector, sum->turns_here, sum->turns_rest);
}

static double only_here(struct weir_tally here, struct weir_tally rest, double p0) {
    return weir_gain_of_service(here, p0) - weir_gain_of_service(sum_of(here, rest), p0);
}

/* Of the services that fail in part, those that flap: up for a while, down for a while. A guess: no
 * run measured it. */
static const double share_flapping = 0.2;

/* Log odds of the path against the service, by what other places did: what a service spoils it
 * spoils there in the same share as here. One that flaps does so by turns, and had to be up each
 * time that another place was tried. Nor is a place that serves on one that fails in part. */
static double speaks_for_path(const struct weir_detector *detector, const struct elsewhere *sum) {
    double p0 = detector->config.p0, by_turns = only_here(sum->turns_here, sum->turns_rest, p0);
    if (sum->serves_on) return by_turns;
    return fmin(only_here(sum->trials_here, sum->trials_rest, p0), by_turns - log(share_flapping));
}

/* A place that was told stays to blame while it fails and the others do not: another watch may have
 * begun after what proved it. */
static bool is_told_place(const struct weir_detector *detector, const struct weir_scope *scope,
                          const struct weir_place *place, const struct elsewhere *sum) {
    const struct weir_judgement *judgement = &detector->judgement;
    const struct weir_case *told = &detector->services[scope->service].incident;
    return told->open && told->record.cause == WEIR_CAUSE_CDN_PATH &&
           weir_rest_is_fine(sum->trials_rest) &&
           (told->record.as.number
                ? told->record.as.number == judgement->by_place[place->number].as
                : !weir_addr_compare(&told->subject, &judgement->places.addrs[place->number]));
}

static unsigned places_tried(const struct weir_judgement *judgement) {
    unsigned n = 0;
    for (size_t i = 0; i < judgement->places.n; i++) n += judgement->by_place[i].own.total > 0;
    return n ? n : 1;
}

static bool serves(const struct weir_past *item, const struct weir_scope *scope) {
    bool layer = scope->pooled ? item->layer < WEIR_LAYER_N && item->layer != WEIR_LAYER_DNS
                               : item->layer == scope->layer;
    return item->service == scope->service && layer && item->flags & WEIR_ITEM_SCORED &&
           item->flags & WEIR_ITEM_OK && !(item->flags & WEIR_ITEM_FAIL);
}

/* Log odds of the path against the service, by when it began. What is wrong began between the last
 * useful trial and the first that failed: of the service wherever it was tried, of the place there.
 * So a player that was served until it came to this place speaks for the path: the service would
 * have had to begin to fail as it came. */
static double began_with_a_move(const struct weir_detector *detector,
                                const struct weir_scope *scope, const struct weir_place *place) {
    const struct weir_history *history = &detector->history;
    const struct weir_cast *places = &detector->judgement.places;
    int64_t began_us = scope->began_us ? scope->began_us : scope->since_us,
            earliest_us = began_us - detector->config.active_us, any_us = 0, here_us = began_us;
    uint32_t here = places->known[place->number],
             twin = place->twin == WEIR_INDEX_NONE ? here : places->known[place->twin];
    bool overrun, found = false;
    uint64_t at = weir_history_since(history, began_us, &overrun);
    for (unsigned n = 0; !found && at > 0 && n < LOOK_BACK && history->n - at < history->size &&
                         here_us > earliest_us;
         n++) {
        const struct weir_past *item = weir_history_at(history, --at);
        here_us = item->at_us > earliest_us ? item->at_us : earliest_us;
        if (here_us == earliest_us || item->at_us >= began_us || !serves(item, scope)) continue;
        if (!any_us) any_us = item->at_us;
        found = item->place == here || item->place == twin;
    }
    if (!any_us) return 0;
    return log(fmax(WEIR_SLOT_US, (double)(began_us - here_us)) /
               fmax(WEIR_SLOT_US, (double)(began_us - any_us)));
}

/* Does the place let a part through? By what others did, where any did; else in two slots it failed
 * and was useful: what flaps is seldom seen to do both. What was told is not taken back for that.
 */
static bool lets_a_part_through(const struct weir_detector *detector,
                                const struct weir_scope *scope, const struct elsewhere *sum) {
    const struct weir_case *told = &detector->services[scope->service].incident;
    if (sum->serves_on || (told->open && told->record.cause != WEIR_CAUSE_CDN_PATH)) return false;
    return sum->turns_rest.total ? weir_rest_is_fine(sum->turns_rest) : sum->at_once >= AT_ONCE;
}

/* The score of a place that nobody went round. A player whose server lets nothing through is sent
 * to another one: where none went there, it is rather the service; and of several places one is
 * always the worst. A server that lets a part through keeps its players, and few are seen
 * elsewhere: then it is as much likelier than the service as such places are the more frequent. A
 * service that is seen at one place only is that place. */
static double score_unproven(const struct weir_detector *detector, const struct weir_scope *scope,
                             const struct weir_blame *blame, const struct elsewhere *sum) {
    const struct weir_detect_config *config = &detector->config;
    bool several = weir_prefixes_used(detector, scope->service, scope->layer, scope->since_us) >= 2;
    double share = several ? config->share_path : config->share_path_only;
    double of_service = blame->score[WEIR_BY_SERVICE] + speaks_for_path(detector, sum);
    share /= places_tried(&detector->judgement);
    if (several && !sum->trials_rest.fail)
        of_service += began_with_a_move(detector, scope, &blame->path);
    if (several && lets_a_part_through(detector, scope, sum)) {
        double whole = weir_share_whole(sums_at(&detector->judgement, &blame->path).own);
        share = share * whole + config->prior_path / config->prior_service * (1 - whole);
    }
    return fmin(blame->place, of_service + log(share));
}

static double gain_of_path(struct weir_tally own, struct weir_tally peer, double p0) {
    return own.fail ? weir_gain_of_wide(own, p0) + maybe(weir_gain_of_wide(peer, p0)) : -HUGE_VAL;
}

/* The prefix that fails most, or its whole system where several of its prefixes fail: which is told
 * better, by its gain. */
static struct weir_place place_of(const struct weir_detector *detector, double *ret_gain) {
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_tally rest;
    struct weir_place place = {.number =
                                   weir_sums_top(judgement->by_place, judgement->places.n, &rest),
                               .twin = WEIR_INDEX_NONE};
    *ret_gain = -HUGE_VAL;
    if (place.number == WEIR_INDEX_NONE) return place;
    place.twin = twin_of(judgement, place.number);
    struct weir_sums top = sums_at(judgement, &place);
    *ret_gain = gain_of_path(top.own, top.peer, detector->config.p0);
    struct weir_system system = weir_system_of(judgement, top.as);
    if (system.failing < 2) return place;
    double of_system = gain_of_path(system.own, system.peer, detector->config.p0);
    if (of_system <= *ret_gain) return place;
    *ret_gain = of_system;
    place.as = top.as;
    return place;
}

static void blame_path(const struct weir_detector *detector, const struct weir_scope *scope,
                       double others, struct weir_blame *blame) {
    const struct weir_detect_config *config = &detector->config;
    double score;
    blame->path = place_of(detector, &score);
    if (blame->path.number == WEIR_INDEX_NONE) return;
    struct elsewhere sum = elsewhere_of(&detector->judgement, scope, &blame->path);
    blame->proven = is_proven(detector, &sum);
    /* of a system more is asked: many services live in one only */
    if (!blame->proven && blame->path.as) {
        blame->path.as = 0;
        sum = elsewhere_of(&detector->judgement, scope, &blame->path);
        blame->proven = is_proven(detector, &sum);
        struct weir_sums top = sums_at(&detector->judgement, &blame->path);
        score = gain_of_path(top.own, top.peer, config->p0);
    }
    blame->proven |= is_told_place(detector, scope, &blame->path, &sum);
    blame->elsewhere = sum.rest.total > sum.rest.fail ? sum.rest : sum.turns_rest;
    blame->place = score + log(config->prior_path) + others;
    blame->score[WEIR_BY_PATH] =
        blame->proven ? blame->place : score_unproven(detector, scope, blame, &sum);
}

/* What two services have in common fails both at the same depth: one that answers no SYN and one
 * whose servers stay silent after the ClientHello are two troubles, also in one prefix. */
static bool fail_alike(const struct weir_judgement *judgement, const struct weir_place *place) {
    unsigned of[2][WEIR_DEPTHS + 1] = {{0}};
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        bool own = trial->flags & WEIR_JUDGED_OWN;
        if (is_at(judgement, place, trial->place) && weir_item_tally(trial->flags, false).fail &&
            (own || trial->flags & WEIR_ITEM_CONTROL))
            of[own][weir_depth_of(trial->kind)]++;
    }
    int most[2] = {0};
    for (int who = 0; who < 2; who++)
        for (int depth = 1; depth < WEIR_DEPTHS; depth++)
            if (of[who][depth] > of[who][most[who]]) most[who] = depth;
    return most[0] == most[1] || !of[0][most[0]] || !of[1][most[1]];
}

/* Other services fail at the prefix, or in the system, as well. */
static void blame_shared(const struct weir_detector *detector, const struct weir_beside *beside,
                         struct weir_blame *blame) {
    const struct weir_judgement *judgement = &detector->judgement;
    double p0 = detector->config.p0, prior = log(detector->config.prior_path);
    struct weir_tally rest;
    blame->shared.number = weir_sums_top(judgement->by_place, judgement->places.n, &rest);
    if (blame->shared.number == WEIR_INDEX_NONE) return;
    blame->shared.twin = twin_of(judgement, blame->shared.number);
    struct weir_sums top = sums_at(judgement, &blame->shared);
    double others = beside->all - weir_own_trouble(top.near, detector->config.prior_path, p0);
    if (top.near.fail >= 2 && weir_mostly_fails(top.near) && fail_alike(judgement, &blame->shared))
        blame->score[WEIR_BY_CDN] =
            gain_of_path(sum_of(top.own, top.near), top.peer, p0) + prior + others;
    struct weir_system system = weir_system_of(judgement, top.as);
    bool shared = system.as && system.failing + system.neighbours >= 2 && system.near.fail >= 2 &&
                  weir_mostly_fails(system.near) && weir_mostly_fails(system.own) &&
                  weir_rest_is_fine(system.rest);
    if (!shared) return;
    double score = gain_of_path(sum_of(system.own, system.near), system.peer, p0) + prior + others;
    if (score > blame->score[WEIR_BY_CDN]) {
        blame->score[WEIR_BY_CDN] = score;
        blame->shared.as = top.as;
    }
}

/* ---- all of them ---- */

static struct weir_blame nobody(void) {
    struct weir_blame blame = {.place = -HUGE_VAL,
                               .client = WEIR_INDEX_NONE,
                               .here = WEIR_INDEX_NONE,
                               .path = {.number = WEIR_INDEX_NONE, .twin = WEIR_INDEX_NONE},
                               .shared = {.number = WEIR_INDEX_NONE, .twin = WEIR_INDEX_NONE}};
    for (int i = 0; i < WEIR_HYPOTHESES; i++) blame.score[i] = -HUGE_VAL;
    return blame;
}

struct totals {
    struct weir_tally own, peer, other, near; /* near: of others where this service fails */
    uint32_t answers; /* failures that were answers: no fault of the way there */
};

static struct totals totals_of(const struct weir_judgement *judgement) {
    struct totals totals = {{0}};
    for (size_t i = 0; i < judgement->clients.n; i++) {
        weir_tally_add(&totals.own, judgement->by_client[i].own);
        weir_tally_add(&totals.peer, judgement->by_client[i].peer);
        weir_tally_add(&totals.other, judgement->by_client[i].other);
        totals.answers +=
            judgement->by_client[i].own_answers + judgement->by_client[i].other_answers;
    }
    for (size_t i = 0; i < judgement->places.n; i++)
        if (judgement->by_place[i].own.fail) {
            weir_tally_add(&totals.near, judgement->by_place[i].near);
            totals.answers += judgement->by_place[i].near_answers;
        }
    return totals;
}

struct weir_blame weir_blame_service(struct weir_detector *detector,
                                     const struct weir_scope *scope) {
    const struct weir_detect_config *config = &detector->config;
    const struct weir_judgement *judgement = &detector->judgement;
    double p0 = config->p0;
    struct weir_blame blame = nobody();
    struct weir_beside others = weir_beside(detector, scope->slow);
    struct totals totals = totals_of(judgement);
    struct weir_tally rest;
    double service = weir_gain_of_service(totals.own, p0) + log(config->prior_service) +
                     maybe(weir_gain_of_service(totals.peer, p0)) + others.all;
    blame.score[WEIR_BY_CHANCE] = others.all;
    blame_clients(detector, &others, &blame);
    struct weir_tally all =
        sum_of(sum_of(totals.own, totals.peer), sum_of(totals.other, totals.near));
    all.fail -= totals.answers;
    blame.score[WEIR_BY_UPLINK] = weir_gain_of_wide(all, p0) + log(config->prior_uplink);
    if (scope->layer == WEIR_STREAM_FALLBACK) {
        blame.score[WEIR_BY_QUIC] = weir_gain_of_service(totals.own, WEIR_QUIC_P0) +
                                    log(config->prior_service) + others.all;
        return blame;
    }
    if (scope->layer == WEIR_LAYER_DNS) {
        uint32_t top = weir_sums_top(judgement->by_place, judgement->places.n, &rest);
        blame.score[WEIR_BY_NAMES] = service;
        if (top != WEIR_INDEX_NONE)
            blame.score[WEIR_BY_RESOLVER] =
                weir_gain_of_service(
                    sum_of(judgement->by_place[top].own, judgement->by_place[top].lookups), p0) +
                log(config->prior_resolver) + maybe(weir_gain_of_service(totals.peer, p0)) +
                others.all -
                weir_own_trouble(judgement->by_place[top].lookups, config->prior_resolver, p0);
        return blame;
    }
    blame.score[WEIR_BY_SERVICE] = service;
    blame_path(detector, scope, others.all, &blame);
    blame_shared(detector, &others, &blame);
    return blame;
}

/* Services and clients each for themselves, or places, or clients alone. */
static struct weir_beside blame_each(const struct weir_detector *detector, bool slow,
                                     struct weir_blame *blame) {
    const struct weir_detect_config *config = &detector->config;
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_beside each = weir_each_for_itself(detector, WEIR_JUDGED_OWN, slow);
    double places = 0;
    for (size_t i = 0; i < judgement->places.n; i++)
        places += weir_own_trouble(judgement->by_place[i].own, config->prior_path, config->p0);
    /* of one client alone nothing tells its link from the way out */
    blame->score[WEIR_BY_SERVICE] = each.several_clients ? each.all : each.causes;
    blame->score[WEIR_BY_CDN] = places;
    blame->score[WEIR_BY_CLIENTS] = each.clients;
    return each;
}

/* One way out, that services feel each in its own measure. */
static double gain_of_way(const struct weir_judgement *judgement, bool slow, double p0) {
    enum { LOOKUPS = WEIR_SERVICES_MAX, PARTS };
    struct weir_tally parts[PARTS] = {{0}};
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (trial->flags & WEIR_JUDGED_OWN)
            weir_tally_add(&parts[trial->layer == WEIR_LAYER_DNS ? LOOKUPS : trial->service],
                           weir_item_tally(trial->flags, slow));
    }
    return weir_gain_of_uneven(parts, PARTS, p0);
}

struct weir_blame weir_blame_uplink(struct weir_detector *detector,
                                    const struct weir_scope *scope) {
    struct weir_blame blame = nobody();
    struct weir_tally rest;
    blame.score[WEIR_BY_CHANCE] = 0;
    blame.score[WEIR_BY_UPLINK] =
        gain_of_way(&detector->judgement, scope->slow, detector->config.p0) +
        log(detector->config.prior_uplink);
    blame.client =
        weir_sums_top(detector->judgement.by_client, detector->judgement.clients.n, &rest);
    blame_each(detector, scope->slow, &blame);
    return blame;
}

struct weir_blame weir_blame_resolver(struct weir_detector *detector) {
    struct weir_blame blame = nobody();
    struct totals totals = totals_of(&detector->judgement);
    struct weir_tally rest;
    blame.score[WEIR_BY_CHANCE] = 0;
    blame.score[WEIR_BY_NAMES] = blame_each(detector, false, &blame).causes;
    blame.score[WEIR_BY_SERVICE] = blame.score[WEIR_BY_CDN] = -HUGE_VAL;
    blame.client =
        weir_sums_top(detector->judgement.by_client, detector->judgement.clients.n, &rest);
    blame.score[WEIR_BY_RESOLVER] = weir_gain_of_service(totals.own, detector->config.p0) +
                                    log(detector->config.prior_resolver);
    blame.score[WEIR_BY_UPLINK] =
        weir_gain_of_wide(sum_of(totals.own, totals.other), detector->config.p0) +
        log(detector->config.prior_uplink);
    return blame;
}

/* ---- what it comes to ---- */

enum weir_hypothesis weir_blame_best(const struct weir_blame *blame, bool wide) {
    enum weir_hypothesis best = wide ? WEIR_BY_UPLINK : WEIR_BY_CHANCE;
    for (int i = 0; i < WEIR_HYPOTHESES; i++)
        if (weir_is_wide((enum weir_hypothesis)i) == wide && blame->score[i] > blame->score[best])
            best = (enum weir_hypothesis)i;
    return best;
}

double weir_blame_probability(const struct weir_blame *blame, enum weir_hypothesis hypothesis) {
    double sum = 0;
    for (int i = 0; i < WEIR_HYPOTHESES; i++)
        sum += exp(fmin(700, blame->score[i] - blame->score[hypothesis]));
    return 1 / sum;
}

double weir_lead(const struct weir_detector *detector) {
    return detector->config.lead +
           fmax(0, log(detector->n_known / (double)detector->config.medium_clients));
}

enum weir_cause weir_hypothesis_cause(enum weir_hypothesis hypothesis) {
    static const uint8_t causes[WEIR_HYPOTHESES] = {
        [WEIR_BY_CHANCE] = WEIR_CAUSE_N,          [WEIR_BY_CLIENT] = WEIR_CAUSE_CLIENT,
        [WEIR_BY_HERE] = WEIR_CAUSE_CLIENT,       [WEIR_BY_CLIENTS] = WEIR_CAUSE_CLIENT,
        [WEIR_BY_UPLINK] = WEIR_CAUSE_UPLINK,     [WEIR_BY_RESOLVER] = WEIR_CAUSE_DNS_RESOLVER,
        [WEIR_BY_NAMES] = WEIR_CAUSE_DNS_SERVICE, [WEIR_BY_CDN] = WEIR_CAUSE_CDN,
        [WEIR_BY_PATH] = WEIR_CAUSE_CDN_PATH,     [WEIR_BY_QUIC] = WEIR_CAUSE_QUIC_BLOCKED,
        [WEIR_BY_SERVICE] = WEIR_CAUSE_SERVICE};
    return (enum weir_cause)causes[hypothesis];
}

void weir_blame_tell(const struct weir_detector *detector, const struct weir_blame *blame,
                     enum weir_hypothesis hypothesis, struct weir_incident *record) {
    static const double least = 0.05;
    double by_cause[WEIR_CAUSE_N] = {0};
    enum weir_cause told = weir_hypothesis_cause(hypothesis);
    for (int i = 0; i < WEIR_HYPOTHESES; i++)
        if (i != WEIR_BY_CHANCE && blame->score[i] > -HUGE_VAL)
            by_cause[weir_hypothesis_cause((enum weir_hypothesis)i)] +=
                weir_blame_probability(blame, (enum weir_hypothesis)i) *
                (1 - detector->config.something_else);
    record->probability = by_cause[told];
    record->n_alternatives = 0;
    by_cause[told] = 0;
    while (record->n_alternatives < WEIR_INCIDENT_ALTERNATIVES_MAX) {
        unsigned best = 0;
        for (unsigned i = 1; i < WEIR_CAUSE_N; i++)
            if (by_cause[i] > by_cause[best]) best = i;
        if (by_cause[best] < least) break;
        record->alternatives[record->n_alternatives++] = (struct weir_incident_alternative){
            .cause = (uint8_t)best, .probability = by_cause[best]};
        by_cause[best] = 0;
    }
}
