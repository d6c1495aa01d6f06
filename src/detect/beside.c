/* What else is wrong meanwhile: the troubles that every hypothesis may have beside itself, each at
 * its own price.
 *
 * Another service that fails by itself, several of them for one reason, another client in bad WiFi,
 * a place, a resolver. They may come together: a dead service and a television in bad WiFi are
 * these two, and no uplink. So services and resolvers are taken out first and clients explain what
 * is left, or clients first; whichever explains more.
 */
#include <math.h>
#include <string.h>

#include "detect/beside.h"
#include "detect/likelihood.h"
#include "detect/state.h"

/* several services for one reason; one among them */
static const double rarer_than_uplink = 0.2, one_of_those = 0.2;

double weir_own_trouble(struct weir_tally tally, double prior, double p0) {
    return tally.fail ? fmax(0, weir_gain_of_service(tally, p0) + log(prior)) : 0;
}

/* Services that fail each by itself, or several for one reason of theirs (a provider, a peering, a
 * release): rarer than the uplink, but then each of them is as likely to be one of those that fail
 * as not to be. That the others work is what tells it from the uplink, which would fail each in the
 * same share. `ret_taken`: the services that this account explains. */
static double several_services(const struct weir_detector *detector,
                               const struct weir_tally by_service[WEIR_SERVICES_MAX],
                               bool ret_taken[WEIR_SERVICES_MAX]) {
    const struct weir_detect_config *config = &detector->config;
    bool alone[WEIR_SERVICES_MAX] = {false}, one_of_several[WEIR_SERVICES_MAX] = {false};
    double each = 0, together = log(config->prior_uplink * rarer_than_uplink);
    for (size_t id = 0; id < WEIR_SERVICES_MAX; id++) {
        if (!by_service[id].total) continue;
        double gain = weir_gain_of_service(by_service[id], config->p0),
               hit = log(one_of_those) + gain, spared = log(1 - one_of_those);
        double own = weir_own_trouble(by_service[id], config->prior_service, config->p0);
        each += own;
        together += fmax(hit, spared) + log1p(exp(-fabs(hit - spared)));
        alone[id] = own > 0;
        one_of_several[id] = by_service[id].fail > 0 && hit > spared;
    }
    memcpy(ret_taken, together > each ? one_of_several : alone, sizeof alone);
    return fmax(each, together);
}

/* `ret_any`: marks the clients that are taken out, and says whether there are any. */
static double by_clients(const struct weir_detector *detector, bool *ret_any) {
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_gains gains = {.p0 = detector->config.p0};
    double sum = 0, prior = log(detector->config.prior_client);
    if (ret_any) *ret_any = false;
    for (size_t i = 0; i < judgement->clients.n; i++) {
        struct weir_sums *client = &judgement->by_client[i];
        double worth = client->left.fail ? weir_gain_again(&gains, client->left) + prior : 0;
        if (ret_any) *ret_any |= client->taken = worth > 0;
        sum += fmax(0, worth);
    }
    return sum;
}

/* Of services, and of places (resolvers by lookups, servers of what is no service's), by what their
 * clients have left. Such a server is one of very many: it is as rare a trouble as a resolver. */
static double by_services(const struct weir_detector *detector,
                          const struct weir_tally by_service[WEIR_SERVICES_MAX],
                          bool ret_taken[WEIR_SERVICES_MAX], bool *ret_any) {
    const struct weir_detect_config *config = &detector->config;
    const struct weir_judgement *judgement = &detector->judgement;
    double sum = several_services(detector, by_service, ret_taken);
    *ret_any = memchr(ret_taken, true, WEIR_SERVICES_MAX) != NULL;
    for (size_t i = 0; i < judgement->places.n; i++) {
        struct weir_sums *place = &judgement->by_place[i];
        double worth = weir_own_trouble(place->left, config->prior_resolver, config->p0);
        *ret_any |= place->taken = worth > 0;
        sum += worth;
    }
    return sum;
}

/* Which trials: those with this flag, counted as a slow alarm does or not. */
struct part {
    uint8_t flag;
    bool slow;
    bool names; /* lookups fail for several clients, or of several names that are no service's */
};

/* What fails where nothing is told apart by service: a lookup beside, by its resolver; what is no
 * service's, by its server, for these have nothing in common. Lookups of such names that fail for
 * several clients, or of several such names, speak for no service's names at all. */
enum trouble { OF_SERVICE, OF_PLACE, OF_NOTHING };

static bool is_lookup_beside(const struct part *part, const struct weir_judged *trial) {
    return trial->flags & WEIR_JUDGED_LOOKUP && part->flag == WEIR_JUDGED_OTHER;
}

static enum trouble trouble_of(const struct part *part, const struct weir_judged *trial) {
    if (is_lookup_beside(part, trial)) return OF_PLACE;
    if (trial->service >= WEIR_SERVICE_FIRST) return OF_SERVICE;
    if (trial->layer != WEIR_LAYER_DNS) return OF_PLACE;
    return part->names ? OF_NOTHING : OF_SERVICE;
}

/* The flags of trials that the part may hold. */
static uint8_t flags_of(const struct part *part) {
    return part->flag | (part->flag == WEIR_JUDGED_OTHER ? WEIR_JUDGED_LOOKUP : 0);
}

/* What a trial says of its client's link. */
static struct weir_tally of_link(const struct weir_judged *trial, struct weir_tally one) {
    if (weir_is_answer(trial->kind)) one.fail = 0;
    return one;
}

/* Sums what is left: by client, by service, and lookups by resolver. */
static void sum_all(const struct weir_detector *detector, const struct part *part,
                    struct weir_tally by_service[WEIR_SERVICES_MAX]) {
    const struct weir_judgement *judgement = &detector->judgement;
    const uint8_t flags = flags_of(part);
    memset(by_service, 0, WEIR_SERVICES_MAX * sizeof *by_service);
    for (size_t i = 0; i < judgement->clients.n; i++)
        judgement->by_client[i].left = (struct weir_tally){0};
    for (size_t i = 0; i < judgement->places.n; i++)
        judgement->by_place[i].left = (struct weir_tally){0};
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (!(trial->flags & flags)) continue;
        enum trouble trouble = trouble_of(part, trial);
        struct weir_tally one = weir_item_tally(trial->flags, part->slow);
        weir_tally_add(&judgement->by_client[trial->client].left, of_link(trial, one));
        if (trouble != OF_NOTHING)
            weir_tally_add(trouble == OF_PLACE ? &judgement->by_place[trial->place].left
                                               : &by_service[trial->service],
                           one);
    }
}

static void take_from(struct weir_tally *sum, struct weir_tally less) {
    sum->fail -= less.fail;
    sum->total -= less.total;
}

/* From clients what the causes that are taken out explain; from causes what such clients do. */
static void take_out(const struct weir_detector *detector, const struct part *part,
                     const bool taken[WEIR_SERVICES_MAX],
                     struct weir_tally by_service[WEIR_SERVICES_MAX]) {
    const struct weir_judgement *judgement = &detector->judgement;
    const uint8_t flags = flags_of(part);
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (!(trial->flags & flags)) continue;
        struct weir_sums *client = &judgement->by_client[trial->client],
                         *place = &judgement->by_place[trial->place];
        enum trouble trouble = trouble_of(part, trial);
        bool by_cause = (trouble == OF_PLACE && place->taken) ||
                        (trouble == OF_SERVICE && taken[trial->service]),
             by_client = trouble != OF_NOTHING && client->taken;
        if (!by_cause && !by_client) continue;
        struct weir_tally one = weir_item_tally(trial->flags, part->slow);
        if (by_cause) take_from(&client->left, of_link(trial, one));
        if (by_client)
            take_from(trouble == OF_PLACE ? &place->left : &by_service[trial->service], one);
    }
}

static bool any_failed(const struct weir_detector *detector,
                       const struct weir_tally by_service[WEIR_SERVICES_MAX]) {
    const struct weir_judgement *judgement = &detector->judgement;
    bool any = false;
    for (size_t id = 0; id < WEIR_SERVICES_MAX; id++) any |= by_service[id].fail > 0;
    for (size_t i = 0; i < judgement->places.n; i++) any |= judgement->by_place[i].left.fail > 0;
    for (size_t i = 0; i < judgement->clients.n; i++) any |= judgement->by_client[i].left.fail > 0;
    return any;
}

static bool several_clients_fail(const struct weir_judgement *judgement) {
    struct weir_tally rest;
    weir_sums_top(judgement->by_client, judgement->clients.n, &rest);
    return rest.fail > 0;
}

/* One program may go on asking for one dead name, or for two. */
static bool several_names_fail(const struct weir_judgement *judgement, uint8_t flag) {
    enum { NAMES_MIN = 3 };
    bool seen[UINT8_MAX + 1] = {true};
    unsigned n = 0;
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        bool fails = trial->flags & flag && trial->layer == WEIR_LAYER_DNS &&
                     trial->service < WEIR_SERVICE_FIRST && trial->flags & WEIR_ITEM_FAIL &&
                     !weir_is_answer(trial->kind);
        n += fails && !seen[trial->name];
        seen[trial->name] |= fails;
    }
    return n >= NAMES_MIN;
}

struct weir_beside weir_each_for_itself(const struct weir_detector *detector, uint8_t flag,
                                        bool slow) {
    bool many = several_clients_fail(&detector->judgement);
    const struct part part = {flag, slow, many || several_names_fail(&detector->judgement, flag)};
    struct weir_tally by_service[WEIR_SERVICES_MAX] = {{0}};
    bool taken[WEIR_SERVICES_MAX], any_cause, any_client;
    struct weir_beside beside = {.several_clients = many};
    sum_all(detector, &part, by_service);
    if (!any_failed(detector, by_service)) return beside;
    beside.causes = by_services(detector, by_service, taken, &any_cause);
    beside.clients = by_clients(detector, &any_client);
    if (any_cause || any_client) take_out(detector, &part, taken, by_service);
    double rest_of_clients = any_cause ? by_clients(detector, NULL) : beside.clients,
           rest_of_causes =
               any_client ? by_services(detector, by_service, taken, &any_cause) : beside.causes;
    beside.all = fmax(beside.causes + rest_of_clients, beside.clients + rest_of_causes);
    return beside;
}

struct weir_beside weir_beside(const struct weir_detector *detector, bool slow) {
    const struct weir_detect_config *config = &detector->config;
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_beside beside = weir_each_for_itself(detector, WEIR_JUDGED_OTHER, slow);
    beside.rest = fmax(0, beside.all - beside.clients);
    for (size_t i = 0; i < judgement->places.n; i++) {
        const struct weir_sums *place = &judgement->by_place[i];
        double worth =
            place->own.fail ? weir_own_trouble(place->near, config->prior_path, config->p0) : 0;
        beside.all += worth;
        beside.rest += worth;
    }
    return beside;
}

/* Of the others in the incident's last record, those that were not told to fail themselves. */
static bool others_went_on(const struct weir_detector *detector,
                           const struct weir_incident *record) {
    enum { OTHERS_OK = 4 };
    struct weir_tally others = {0};
    for (unsigned i = 0; i < record->controls.n; i++) {
        weir_service_id id = record->controls.by_service[i].service;
        if (id >= WEIR_SERVICE_FIRST && detector->services[id].incident.open) continue;
        others.fail += record->controls.by_service[i].fail;
        others.total += record->controls.by_service[i].total;
    }
    return others.total - others.fail >= OTHERS_OK && weir_rest_is_fine(others);
}

/* Until when it was told that the service fails by itself, while others went on working; 0: it was
 * not. */
static int64_t told_until_us(const struct weir_detector *detector, size_t id) {
    const struct weir_case *incident = &detector->services[id].incident;
    if (!incident->exists || incident->record.cause != WEIR_CAUSE_SERVICE ||
        !others_went_on(detector, &incident->record))
        return 0;
    return incident->open ? INT64_MAX : incident->record.cleared_us;
}

/* It fails where the asked one does not, too: so it would go on failing whatever is wrong there. */
void weir_set_aside(struct weir_detector *detector, weir_service_id service) {
    struct weir_judgement *judgement = &detector->judgement;
    int64_t until_us[WEIR_SERVICES_MAX] = {0};
    bool any = false, elsewhere[WEIR_SERVICES_MAX] = {false};
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++) {
        until_us[id] = id == service ? 0 : told_until_us(detector, id);
        any |= until_us[id] > 0;
    }
    if (!any) return;
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        elsewhere[trial->service] |= trial->flags & WEIR_ITEM_CONTROL &&
                                     weir_item_tally(trial->flags, false).fail &&
                                     !judgement->by_place[trial->place].own.fail;
    }
    for (size_t i = 0; i < judgement->n; i++) {
        struct weir_judged *trial = &judgement->trials[i];
        if (elsewhere[trial->service] && trial->at_us <= until_us[trial->service] &&
            weir_item_tally(trial->flags, false).fail)
            trial->flags &= (uint8_t) ~(WEIR_ITEM_CONTROL | WEIR_ITEM_UPLINK);
    }
}
