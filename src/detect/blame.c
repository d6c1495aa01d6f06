/* Whose fault is it? A table of hypotheses; each says which trials it spoils, and so how likely
 * what was seen is under it.
 *
 *     chance        none of them: each fails with p0
 *     client        all trials of one client, at the service and elsewhere, and its lookups of any
 * name here          what one client tries at the service, nothing else: its application, its
 * account, its address clients       as client, for several, each for itself uplink everything
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
 * role, in slots in which this place only failed. Useful trials between two failures of a flapping
 * service are not elsewhere, and that it was seen on several places before says nothing. Without
 * proof the path is less likely than the service, and is told beside it: hardly less where the
 * service was served from several places lately, far less where from this one only.
 *
 * Probabilities are the scores' odds. How long the odds must be against what would be no news
 * (chance, one client) grows with the clients: among forty times as many, forty times as many
 * coincidences are seen.
 *
 * Blind spot: a trouble that hits a group of clients (an access point) is not a hypothesis.
 */
#include <math.h>
#include <stdlib.h>

#include "detect/blame.h"
#include "detect/state.h"

struct share { /* Beta(a, b) of the failing share */
    double a, b;
};
static const struct share whole = {30, 1}, part = {2, 3}, of_path = {2, 1}, lossy = {4, 5},
                          of_uplink = {2, 1};

enum { PROOF_OK = 2 }; /* useful trials elsewhere that prove a path */
/* A path that nobody went round, against the service: where it was served from several places
 * lately, and where from this one only. */
/* several services for one reason; one among them */
static const double rarer_than_uplink = 0.2, one_of_those = 0.2;
static const double one_of_several = 0.8, the_only_one = 0.2;

static double log_beta(double a, double b) {
    int sign;
    return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
}

/* Log likelihood of the tally with the share integrated out. */
static double marginal(struct weir_tally tally, struct share share) {
    double ok = tally.total - tally.fail;
    return log_beta(share.a + tally.fail, share.b + ok) - log_beta(share.a, share.b);
}

static double by_chance(struct weir_tally tally, double p0) {
    return tally.fail * log(p0) + (tally.total - tally.fail) * log(1 - p0);
}

static double gain(struct weir_tally tally, struct share share, double p0) {
    return tally.total ? marginal(tally, share) - by_chance(tally, p0) : 0;
}

/* Three in four are of the likelier kind. */
static double gain_of_either(struct weir_tally tally, struct share likelier, struct share other,
                             double p0) {
    if (!tally.total) return 0;
    double a = marginal(tally, likelier), b = marginal(tally, other), most = fmax(a, b);
    return most + log((3 * exp(a - most) + exp(b - most)) / 4) - by_chance(tally, p0);
}

static double gain_of_service(struct weir_tally tally, double p0) {
    return gain_of_either(tally, whole, part, p0);
}

static double gain_of_client(struct weir_tally tally, double p0) {
    return gain_of_either(tally, lossy, whole, p0);
}

static struct weir_tally sum_of(struct weir_tally a, struct weir_tally b) {
    return (struct weir_tally){.fail = a.fail + b.fail, .total = a.total + b.total};
}

/* An outage may spoil the other layers as well, or leave them alone. */
static double maybe(double gain) { return fmax(0, gain - log(2)); }

/* ---- what is wrong beside ---- */

struct beside {
    /* what explaining the other trials by these gains */
    double clients, services, resolvers, places;
    double all;
};

/* A trouble of its own where the tally is worth its price. */
static double own_trouble(struct weir_tally tally, double prior, double p0) {
    return tally.fail ? fmax(0, gain_of_service(tally, p0) + log(prior)) : 0;
}

/* Services that fail each by itself, or several for one reason of theirs (a provider, a peering, a
 * release): rarer than the uplink, but then each of them is as likely to be one of those that fail
 * as not to be. That the others work is what tells it from the uplink, which would fail each in the
 * same share. */
static double several_services(const struct weir_detector *detector,
                               const struct weir_tally by_service[WEIR_SERVICES_MAX]) {
    const struct weir_detect_config *config = &detector->config;
    double each = 0, together = log(config->prior_uplink * rarer_than_uplink);
    for (size_t id = 0; id < WEIR_SERVICES_MAX; id++) {
        if (!by_service[id].total) continue;
        double gain = gain_of_service(by_service[id], config->p0), hit = log(one_of_those) + gain,
               spared = log(1 - one_of_those);
        each += by_service[id].fail ? fmax(0, gain + log(config->prior_service)) : 0;
        together += fmax(hit, spared) + log1p(exp(-fabs(hit - spared)));
    }
    return fmax(each, together);
}

static struct beside beside(const struct weir_detector *detector) {
    const struct weir_detect_config *config = &detector->config;
    const struct weir_judgement *judgement = &detector->judgement;
    struct beside beside = {0};
    for (size_t i = 0; i < judgement->clients.n; i++) {
        struct weir_tally elsewhere =
            sum_of(judgement->by_client[i].other, judgement->by_client[i].lookups);
        if (elsewhere.fail)
            beside.clients +=
                fmax(0, gain_of_client(elsewhere, config->p0) + log(config->prior_client));
    }
    beside.services = several_services(detector, judgement->by_service);
    for (size_t i = 0; i < judgement->places.n; i++) {
        const struct weir_sums *place = &judgement->by_place[i];
        beside.resolvers += own_trouble(place->lookups, config->prior_resolver, config->p0);
        if (place->own.fail)
            beside.places += own_trouble(place->near, config->prior_path, config->p0);
    }
    beside.all = fmax(beside.clients, beside.services + beside.resolvers) + beside.places;
    return beside;
}

/* ---- clients ---- */

/* Each client that the trials are likelier with is in bad WiFi, beside what explains the rest. */
static void blame_clients(const struct weir_detector *detector, const struct beside *beside,
                          struct weir_blame *blame) {
    const struct weir_judgement *judgement = &detector->judgement;
    double p0 = detector->config.p0, prior = log(detector->config.prior_client), all = 0, top = 0;
    unsigned n = 0;
    for (size_t i = 0; i < judgement->clients.n; i++) {
        const struct weir_sums *client = &judgement->by_client[i];
        if (client->own.fail + client->other.fail + client->lookups.fail == 0) continue;
        struct weir_tally elsewhere = sum_of(client->other, client->lookups);
        double alone = elsewhere.fail ? fmax(0, gain_of_client(elsewhere, p0) + prior) : 0;
        double with =
            gain_of_client(sum_of(sum_of(client->own, client->peer), elsewhere), p0) + prior;
        all += fmax(alone, with);
        if (client->own.fail == 0 || with <= alone) continue;
        n++;
        if (with - alone > top) {
            top = with - alone;
            blame->client = (uint32_t)i;
        }
    }
    double rest = fmax(0, beside->services + beside->resolvers - beside->clients) + beside->places;
    blame->score[WEIR_BY_CLIENT] = n == 1 ? all + rest : -HUGE_VAL;
    blame->score[WEIR_BY_CLIENTS] = n > 1 ? all + rest : -HUGE_VAL;
    struct weir_tally others;
    blame->here = weir_sums_top(judgement->by_client, judgement->clients.n, &others);
    if (blame->here != WEIR_INDEX_NONE)
        blame->score[WEIR_BY_HERE] = gain_of_service(judgement->by_client[blame->here].own, p0) +
                                     log(detector->config.prior_service) - 1 + beside->all;
}

/* ---- places ---- */

static bool is_at(const struct weir_judgement *judgement, const struct weir_place *place,
                  uint32_t number) {
    return place->as ? judgement->by_place[number].as == place->as : number == place->number;
}

static uint8_t failing_role(const struct weir_judgement *judgement, const struct weir_pick *own,
                            const struct weir_place *place) {
    unsigned fails[3] = {0};
    for (size_t i = 0; i < judgement->n; i++) {
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
    unsigned fails, oks;
    struct weir_tally here, rest;
};

static void end_slot(struct slot_sum *slot, struct weir_tally *here, struct weir_tally *elsewhere) {
    if (slot->fails && !slot->oks) {
        weir_tally_add(here, slot->here);
        weir_tally_add(elsewhere, slot->rest);
    }
    *slot = (struct slot_sum){.slot = slot->slot};
}

/* What the service's other places did in the slots in which this one only failed. Connections, so
 * that mixed slots count as one of each; what is useful at the very end may already be the
 * recovery, of which another place may be the first to tell. */
static struct weir_tally elsewhere_of(const struct weir_judgement *judgement,
                                      const struct weir_scope *scope,
                                      const struct weir_place *place, struct weir_tally *ret_here) {
    struct weir_pick own = weir_own_pick(scope);
    uint8_t role = failing_role(judgement, &own, place);
    struct slot_sum slot = {.slot = INT64_MIN};
    struct weir_tally elsewhere = {0};
    *ret_here = elsewhere;
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (!weir_pick_matches(judgement, &own, trial)) continue;
        if (trial->at_us / WEIR_SLOT_US != slot.slot) {
            end_slot(&slot, ret_here, &elsewhere);
            slot.slot = trial->at_us / WEIR_SLOT_US;
        }
        struct weir_tally one = weir_item_tally(trial->flags, true);
        if (is_at(judgement, place, trial->place)) {
            weir_tally_add(&slot.here, one);
            slot.fails += one.fail;
            slot.oks += one.fail == 0;
        } else if (trial->role == role)
            weir_tally_add(&slot.rest, one);
    }
    end_slot(&slot, ret_here, &elsewhere);
    return elsewhere;
}

static bool is_proof(const struct weir_detector *detector, struct weir_tally here,
                     struct weir_tally elsewhere) {
    return elsewhere.total - elsewhere.fail >= PROOF_OK && weir_rest_is_fine(elsewhere) &&
           weir_fisher(here, elsewhere) < detector->config.fisher_p;
}

static double gain_of_path(struct weir_tally own, struct weir_tally peer, double p0) {
    return own.fail ? gain(own, of_path, p0) + maybe(gain(peer, of_path, p0)) : -HUGE_VAL;
}

/* The prefix that fails most, or its whole system where several of its prefixes fail: which is told
 * better, by its gain. */
static struct weir_place place_of(const struct weir_detector *detector, double *ret_gain) {
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_tally rest;
    struct weir_place place = {.number =
                                   weir_sums_top(judgement->by_place, judgement->places.n, &rest)};
    *ret_gain = -HUGE_VAL;
    if (place.number == WEIR_INDEX_NONE) return place;
    const struct weir_sums *top = &judgement->by_place[place.number];
    *ret_gain = gain_of_path(top->own, top->peer, detector->config.p0);
    struct weir_system system = weir_system_of(judgement, top->as);
    if (system.failing < 2) return place;
    double of_system = gain_of_path(system.own, system.peer, detector->config.p0);
    if (of_system <= *ret_gain) return place;
    *ret_gain = of_system;
    place.as = top->as;
    return place;
}

static void blame_path(const struct weir_detector *detector, const struct weir_scope *scope,
                       double others, struct weir_blame *blame) {
    const struct weir_detect_config *config = &detector->config;
    struct weir_tally here;
    double score;
    blame->path = place_of(detector, &score);
    if (blame->path.number == WEIR_INDEX_NONE) return;
    blame->elsewhere = elsewhere_of(&detector->judgement, scope, &blame->path, &here);
    blame->proven = is_proof(detector, here, blame->elsewhere);
    /* of a system more is asked: many services live in one only */
    if (!blame->proven && blame->path.as) {
        blame->path.as = 0;
        blame->elsewhere = elsewhere_of(&detector->judgement, scope, &blame->path, &here);
        blame->proven = is_proof(detector, here, blame->elsewhere);
        score = gain_of_path(detector->judgement.by_place[blame->path.number].own,
                             detector->judgement.by_place[blame->path.number].peer, config->p0);
    }
    blame->score[WEIR_BY_PATH] = score + log(config->prior_path) + others;
    double unproven =
        weir_prefixes_used(detector, scope->service, scope->layer, scope->since_us) >= 2
            ? one_of_several
            : the_only_one;
    if (!blame->proven) /* what fails elsewhere speaks against it, what is useful at other times for
                           nothing */
        blame->score[WEIR_BY_PATH] =
            fmin(blame->score[WEIR_BY_PATH], blame->score[WEIR_BY_SERVICE] + log(unproven));
}

/* Other services fail at the prefix, or in the system, as well. */
static void blame_shared(const struct weir_detector *detector, const struct beside *beside,
                         struct weir_blame *blame) {
    const struct weir_judgement *judgement = &detector->judgement;
    double p0 = detector->config.p0, prior = log(detector->config.prior_path);
    struct weir_tally rest;
    blame->shared.number = weir_sums_top(judgement->by_place, judgement->places.n, &rest);
    if (blame->shared.number == WEIR_INDEX_NONE) return;
    const struct weir_sums *top = &judgement->by_place[blame->shared.number];
    double others = beside->all - own_trouble(top->near, detector->config.prior_path, p0);
    if (top->near.fail >= 2 && weir_mostly_fails(top->near))
        blame->score[WEIR_BY_CDN] =
            gain_of_path(sum_of(top->own, top->near), top->peer, p0) + prior + others;
    struct weir_system system = weir_system_of(judgement, top->as);
    bool shared = system.as && system.failing + system.neighbours >= 2 && system.near.fail >= 2 &&
                  weir_mostly_fails(system.near) && weir_mostly_fails(system.own) &&
                  weir_rest_is_fine(system.rest);
    if (!shared) return;
    double score = gain_of_path(sum_of(system.own, system.near), system.peer, p0) + prior + others;
    if (score > blame->score[WEIR_BY_CDN]) {
        blame->score[WEIR_BY_CDN] = score;
        blame->shared.as = top->as;
    }
}

/* ---- all of them ---- */

static struct weir_blame nobody(void) {
    struct weir_blame blame = {.client = WEIR_INDEX_NONE,
                               .here = WEIR_INDEX_NONE,
                               .path = {.number = WEIR_INDEX_NONE},
                               .shared = {.number = WEIR_INDEX_NONE}};
    for (int i = 0; i < WEIR_HYPOTHESES; i++) blame.score[i] = -HUGE_VAL;
    return blame;
}

struct totals {
    struct weir_tally own, peer, other, near; /* near: of others where this service fails */
};

static struct totals totals_of(const struct weir_judgement *judgement) {
    struct totals totals = {{0}};
    for (size_t i = 0; i < judgement->clients.n; i++) {
        weir_tally_add(&totals.own, judgement->by_client[i].own);
        weir_tally_add(&totals.peer, judgement->by_client[i].peer);
        weir_tally_add(&totals.other, judgement->by_client[i].other);
    }
    for (size_t i = 0; i < judgement->places.n; i++)
        if (judgement->by_place[i].own.fail)
            weir_tally_add(&totals.near, judgement->by_place[i].near);
    return totals;
}

struct weir_blame weir_blame_service(struct weir_detector *detector,
                                     const struct weir_scope *scope) {
    const struct weir_detect_config *config = &detector->config;
    const struct weir_judgement *judgement = &detector->judgement;
    double p0 = config->p0;
    struct weir_blame blame = nobody();
    struct beside others = beside(detector);
    struct totals totals = totals_of(judgement);
    struct weir_tally rest;
    double service = gain_of_service(totals.own, p0) + log(config->prior_service) +
                     maybe(gain_of_service(totals.peer, p0)) + others.all;
    blame.score[WEIR_BY_CHANCE] = others.all;
    blame_clients(detector, &others, &blame);
    struct weir_tally all =
        sum_of(sum_of(totals.own, totals.peer), sum_of(totals.other, totals.near));
    blame.score[WEIR_BY_UPLINK] = gain(all, of_uplink, p0) + log(config->prior_uplink);
    if (scope->layer == WEIR_STREAM_FALLBACK) {
        blame.score[WEIR_BY_QUIC] =
            gain_of_service(totals.own, WEIR_QUIC_P0) + log(config->prior_service) + others.all;
        return blame;
    }
    if (scope->layer == WEIR_LAYER_DNS) {
        uint32_t top = weir_sums_top(judgement->by_place, judgement->places.n, &rest);
        blame.score[WEIR_BY_NAMES] = service;
        if (top != WEIR_INDEX_NONE)
            blame.score[WEIR_BY_RESOLVER] =
                gain_of_service(
                    sum_of(judgement->by_place[top].own, judgement->by_place[top].lookups), p0) +
                log(config->prior_resolver) + maybe(gain_of_service(totals.peer, p0)) + others.all -
                own_trouble(judgement->by_place[top].lookups, config->prior_resolver, p0);
        return blame;
    }
    blame.score[WEIR_BY_SERVICE] = service;
    blame_path(detector, scope, others.all, &blame);
    blame_shared(detector, &others, &blame);
    return blame;
}

/* Each service, place or client for itself, whichever explains most. */
static void blame_each(const struct weir_detector *detector, struct weir_blame *blame) {
    const struct weir_detect_config *config = &detector->config;
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_tally by_service[WEIR_SERVICES_MAX] = {{0}};
    double services = 0, places = 0, clients = 0;
    for (size_t i = 0; i < judgement->n; i++)
        if (judgement->trials[i].flags & WEIR_JUDGED_OWN)
            weir_tally_add(&by_service[judgement->trials[i].service],
                           weir_item_tally(judgement->trials[i].flags, false));
    services = several_services(detector, by_service);
    for (size_t i = 0; i < judgement->places.n; i++)
        places += own_trouble(judgement->by_place[i].own, config->prior_path, config->p0);
    for (size_t i = 0; i < judgement->clients.n; i++)
        if (judgement->by_client[i].own.fail)
            clients += fmax(0, gain_of_client(judgement->by_client[i].own, config->p0) +
                                   log(config->prior_client));
    blame->score[WEIR_BY_SERVICE] = services;
    blame->score[WEIR_BY_CDN] = places;
    blame->score[WEIR_BY_CLIENTS] = clients;
}

struct weir_blame weir_blame_uplink(struct weir_detector *detector,
                                    const struct weir_scope *scope) {
    struct weir_blame blame = nobody();
    struct totals totals = totals_of(&detector->judgement);
    struct weir_tally rest;
    (void)scope;
    blame.score[WEIR_BY_CHANCE] = 0;
    blame.score[WEIR_BY_UPLINK] =
        gain(totals.own, of_uplink, detector->config.p0) + log(detector->config.prior_uplink);
    blame.client =
        weir_sums_top(detector->judgement.by_client, detector->judgement.clients.n, &rest);
    blame_each(detector, &blame);
    return blame;
}

struct weir_blame weir_blame_resolver(struct weir_detector *detector) {
    struct weir_blame blame = nobody();
    struct totals totals = totals_of(&detector->judgement);
    struct weir_tally rest;
    blame.score[WEIR_BY_CHANCE] = 0;
    blame_each(detector, &blame);
    blame.score[WEIR_BY_NAMES] = blame.score[WEIR_BY_SERVICE];
    blame.score[WEIR_BY_SERVICE] = blame.score[WEIR_BY_CDN] = -HUGE_VAL;
    blame.client =
        weir_sums_top(detector->judgement.by_client, detector->judgement.clients.n, &rest);
    blame.score[WEIR_BY_RESOLVER] =
        gain_of_service(totals.own, detector->config.p0) + log(detector->config.prior_resolver);
    blame.score[WEIR_BY_UPLINK] =
        gain(sum_of(totals.own, totals.other), of_uplink, detector->config.p0) +
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

void weir_blame_tell(const struct weir_blame *blame, enum weir_hypothesis hypothesis,
                     struct weir_incident *record) {
    static const double least = 0.05;
    double by_cause[WEIR_CAUSE_N] = {0};
    enum weir_cause told = weir_hypothesis_cause(hypothesis);
    for (int i = 0; i < WEIR_HYPOTHESES; i++)
        if (i != WEIR_BY_CHANCE && blame->score[i] > -HUGE_VAL)
            by_cause[weir_hypothesis_cause((enum weir_hypothesis)i)] +=
                weir_blame_probability(blame, (enum weir_hypothesis)i);
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
