/* One alarm, one pass: every trial since the onset is read once from the history, its client and
 * its place become numbers, and all that is asked afterwards (whose failures, where, what else was
 * useful meanwhile) is sums over these numbers.
 *
 *     history  --one pass-->  trials  --sums-->  own, peer, other, near, lookups  by client and by
 * place  -->  blame
 *
 * The sums are filled in the order own, controls, peers, lookups: controls leave out where own
 * trials fail. From then on they are only read.
 *
 * Severity is judged over the last five minutes at the most, and only up to the last failure: the
 * good trials after an outage say that it is over, not that it was mild.
 */
#include <stdlib.h>
#include <string.h>

#include "detect/state.h"

enum { FAMILY_FAILS = 3, FAMILY_OTHERS = 3 }; /* trials of which something is said */

static void cast_deinit(struct weir_cast *cast) {
    free(cast->addrs);
    free(cast->known);
    free(cast->numbers);
}

void weir_judgement_deinit(struct weir_judgement *judgement) {
    cast_deinit(&judgement->clients);
    cast_deinit(&judgement->places);
    free(judgement->by_client);
    free(judgement->by_place);
    free(judgement->trials);
    *judgement = (struct weir_judgement){0};
}

/* Room for one more. */
static bool make_room(void **array, size_t *room, size_t n, size_t size) {
    if (n < *room) return true;
    size_t more = *room ? *room * 2 : 64;
    void *grown = realloc(*array, more * size);
    if (!grown) return false;
    *array = grown;
    *room = more;
    return true;
}

/* Nobody has appeared; there is room for a number of each address that the history knows. */
static bool cast_clear(struct weir_cast *cast, const struct weir_index *index) {
    for (size_t i = 0; i < cast->n; i++) cast->numbers[cast->known[i]] = 0;
    cast->n = 0;
    if (index->n <= cast->numbers_room) return true;
    uint32_t *numbers = calloc(index->room, sizeof *numbers);
    if (!numbers) return false;
    free(cast->numbers);
    cast->numbers = numbers;
    cast->numbers_room = index->room;
    return true;
}

/* Room for the numbers of one more that appears; `sums` grow with them. */
static bool cast_grow(struct weir_cast *cast, struct weir_sums **sums) {
    size_t addrs_room = cast->room, known_room = cast->room, sums_room = cast->room;
    if (cast->n < cast->room) return true;
    if (cast->n >= WEIR_JUDGED_MAX ||
        !make_room((void **)&cast->addrs, &addrs_room, cast->n, sizeof *cast->addrs) ||
        !make_room((void **)&cast->known, &known_room, cast->n, sizeof *cast->known) ||
        !make_room((void **)sums, &sums_room, cast->n, sizeof **sums))
        return false;
    cast->room = sums_room;
    return true;
}

static uint32_t cast_number(struct weir_cast *cast, struct weir_sums **sums, uint32_t known,
                            const struct weir_index *index) {
    if (cast->numbers[known]) return cast->numbers[known] - 1;
    if (!cast_grow(cast, sums)) return WEIR_INDEX_NONE;
    cast->addrs[cast->n] = index->addrs[known];
    cast->known[cast->n] = known;
    (*sums)[cast->n] = (struct weir_sums){.as = 0};
    cast->numbers[known] = (uint32_t)++cast->n;
    return (uint32_t)cast->n - 1;
}

uint32_t weir_judgement_place(const struct weir_detector *detector, const struct weir_addr *addr) {
    uint32_t known = weir_index_find(&detector->history.places, addr);
    const struct weir_cast *places = &detector->judgement.places;
    return known < places->numbers_room && places->numbers[known] ? places->numbers[known] - 1
                                                                  : WEIR_INDEX_NONE;
}

static void take(struct weir_detector *detector, const struct weir_past *item) {
    struct weir_judgement *judgement = &detector->judgement;
    const struct weir_history *history = &detector->history;
    uint32_t client =
        cast_number(&judgement->clients, &judgement->by_client, item->client, &history->clients);
    size_t n = judgement->places.n;
    uint32_t place =
        cast_number(&judgement->places, &judgement->by_place, item->place, &history->places);
    if (client == WEIR_INDEX_NONE || place == WEIR_INDEX_NONE ||
        !make_room((void **)&judgement->trials, &judgement->room, judgement->n,
                   sizeof *judgement->trials)) {
        judgement->overrun = true;
        return;
    }
    struct weir_sums *sums = &judgement->by_place[place];
    if (item->layer != WEIR_LAYER_DNS && (judgement->places.n > n || !sums->is_server)) {
        sums->as = weir_as_of(detector, weir_history_place(history, item)).number;
        sums->is_server = true;
    }
    uint32_t *last = &judgement->last[item->service], number = (uint32_t)judgement->n++;
    *(*last == WEIR_JUDGED_NONE ? &judgement->first[item->service]
                                : &judgement->trials[*last].next) = number;
    *last = number;
    judgement->trials[number] = (struct weir_judged){.at_us = item->at_us,
                                                     .client = client,
                                                     .place = place,
                                                     .next = WEIR_JUDGED_NONE,
                                                     .useful_ms = item->useful_ms,
                                                     .service = item->service,
                                                     .layer = item->layer,
                                                     .kind = item->kind,
                                                     .flags = item->flags,
                                                     .role = item->role,
                                                     .name = item->name};
}

void weir_judgement_begin(struct weir_detector *detector, int64_t since_us) {
    struct weir_judgement *judgement = &detector->judgement;
    const struct weir_history *history = &detector->history;
    bool room = cast_clear(&judgement->clients, &history->clients);
    room = cast_clear(&judgement->places, &history->places) && room;
    judgement->n = 0;
    memset(judgement->first, 0xff, sizeof judgement->first);
    memset(judgement->last, 0xff, sizeof judgement->last);
    judgement->overrun = !room;
    bool overrun;
    for (uint64_t at = weir_history_since(history, since_us, &overrun); room && at < history->n;
         at++)
        take(detector, weir_history_at(history, at));
    judgement->n_read = judgement->n;
    detector->stats.history_overrun += overrun;
    detector->stats.tally_overrun += judgement->overrun;
    judgement->overrun |= overrun;
}

void weir_judgement_forget_sums(struct weir_judgement *judgement) {
    for (size_t i = 0; i < judgement->n; i++)
        judgement->trials[i].flags &= (uint8_t)~WEIR_JUDGED_OWN;
    for (size_t i = 0; i < judgement->clients.n; i++)
        judgement->by_client[i] = (struct weir_sums){.as = 0};
    for (size_t i = 0; i < judgement->places.n; i++)
        judgement->by_place[i] = (struct weir_sums){.as = judgement->by_place[i].as,
                                                    .is_server = judgement->by_place[i].is_server};
}

/* ---- which trials, and their sum ---- */

int64_t weir_useful_since(const struct weir_scope *scope) {
    int64_t us = scope->began_us + WEIR_BEFORE_US;
    return scope->began_us && us < scope->since_us ? us : scope->since_us;
}

struct weir_pick weir_own_pick(const struct weir_scope *scope) {
    return (struct weir_pick){.service = scope->service,
                              .layer = scope->layer,
                              .pooled = scope->pooled,
                              .need = WEIR_ITEM_SCORED,
                              .since_us = scope->since_us,
                              .until_us = scope->until_us,
                              .useful_us = weir_useful_since(scope),
                              .slow = scope->slow};
}

static bool has_layer(const struct weir_pick *pick, uint8_t layer) {
    return pick->any_layer ? layer < WEIR_LAYER_N
           : pick->pooled  ? layer < WEIR_LAYER_N && layer != WEIR_LAYER_DNS
                           : layer == pick->layer;
}

bool weir_pick_matches(const struct weir_judgement *judgement, const struct weir_pick *pick,
                       const struct weir_judged *trial) {
    if ((trial->flags & pick->need) != pick->need) return false;
    bool late = pick->useful_us && weir_judged_last_us(trial) >= pick->useful_us;
    return (trial->at_us >= pick->since_us || late) &&
           (!pick->until_us || trial->at_us <= pick->until_us) &&
           (pick->any_service || trial->service == pick->service) &&
           has_layer(pick, trial->layer) && (!pick->client || pick->client - 1 == trial->client) &&
           (!pick->place || pick->place - 1 == trial->place ||
            (pick->twin && pick->twin - 1 == trial->place)) &&
           (!pick->as || judgement->by_place[trial->place].as == pick->as);
}

struct weir_tally weir_judgement_sum(const struct weir_judgement *judgement,
                                     const struct weir_pick *pick) {
    struct weir_tally sum = {0};
    for (size_t i = weir_pick_first(judgement, pick); i < judgement->n;
         i = weir_pick_next(judgement, pick, i))
        if (weir_pick_matches(judgement, pick, &judgement->trials[i]))
            weir_tally_add(&sum, weir_item_tally(judgement->trials[i].flags, pick->slow));
    return sum;
}

void weir_leave_out_recovery(struct weir_detector *detector, const struct weir_pick *pick,
                             uint8_t flags) {
    struct weir_judgement *judgement = &detector->judgement;
    int64_t last_us = 0;
    bool overrun;
    for (uint64_t at = weir_history_since(&detector->history, pick->since_us, &overrun);
         at < detector->history.n; at++) {
        const struct weir_past *item = weir_history_at(&detector->history, at);
        int64_t began_us = weir_past_us(item, item->began_ms);
        bool fails =
            item->at_us >= pick->since_us && item->flags & WEIR_ITEM_FAIL &&
            (item->flags & pick->need) == pick->need && has_layer(pick, item->layer) &&
            (pick->any_service ? !weir_is_answer(item->kind) : item->service == pick->service);
        if (fails && began_us > last_us) last_us = began_us;
    }
    if (!last_us) return;
    for (size_t i = weir_pick_first(judgement, pick); i < judgement->n;
         i = weir_pick_next(judgement, pick, i)) {
        struct weir_judged *trial = &judgement->trials[i];
        if (!(trial->flags & WEIR_ITEM_FAIL) && trial->at_us > last_us + WEIR_BEFORE_US &&
            has_layer(pick, trial->layer))
            trial->flags &= (uint8_t)~flags;
    }
}

struct weir_tally weir_judge_severity(struct weir_detector *detector, const struct weir_pick *pick,
                                      struct weir_incident *record) {
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_tally all = {0}, recent = {0}, tail = {0};
    memset(record->kinds, 0, sizeof record->kinds);
    for (size_t i = weir_pick_first(judgement, pick); i < judgement->n;
         i = weir_pick_next(judgement, pick, i)) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (!weir_pick_matches(judgement, pick, trial)) continue;
        struct weir_tally one = weir_item_tally(trial->flags, pick->slow);
        weir_tally_add(&all, one);
        if (one.fail) record->kinds[trial->kind]++;
        if (trial->at_us < detector->now_us - detector->config.severity_us) continue;
        weir_tally_add(&tail, one);
        if (one.fail) {
            weir_tally_add(&recent, tail);
            tail = (struct weir_tally){0};
        }
    }
    struct weir_interval interval = weir_wilson(all.fail, all.total);
    record->trials.fail = all.fail;
    record->trials.total = all.total;
    record->trials.low = interval.low;
    record->trials.high = interval.high;
    return recent;
}

/* ---- the sums ---- */

static uint32_t is_answered(const struct weir_judged *trial, struct weir_tally one) {
    return one.fail && weir_is_answer(trial->kind);
}

static uint32_t list_failing(const struct weir_cast *cast, const struct weir_sums *sums,
                             struct weir_addr list[WEIR_INCIDENT_LIST_MAX]) {
    uint32_t n = 0;
    for (size_t i = 0; i < cast->n; i++) {
        if (sums[i].own.fail == 0) continue;
        if (n < WEIR_INCIDENT_LIST_MAX) list[n] = cast->addrs[i];
        n++;
    }
    return n;
}

/* Does one version of IP fail while the other doesn't? A lookup's prefix is its resolver's, and
 * says nothing of it. */
static void compare_families(const struct weir_tally families[2], struct weir_incident *record) {
    record->only_family = 0;
    record->other_family_ok = 0;
    for (int v6 = 0; v6 < 2; v6++) {
        const struct weir_tally *failing = &families[v6], *other = &families[!v6];
        if (failing->fail < FAMILY_FAILS || other->total < FAMILY_OTHERS || other->fail > 0)
            continue;
        record->only_family = v6 ? 6 : 4;
        record->other_family_ok = other->total;
    }
}

struct weir_tally weir_judge_own(struct weir_detector *detector, const struct weir_pick *pick,
                                 struct weir_incident *record) {
    struct weir_judgement *judgement = &detector->judgement;
    struct weir_tally sum = {0}, families[2] = {{0}};
    for (size_t i = weir_pick_first(judgement, pick); i < judgement->n;
         i = weir_pick_next(judgement, pick, i)) {
        struct weir_judged *trial = &judgement->trials[i];
        if (!weir_pick_matches(judgement, pick, trial)) continue;
        trial->flags |= WEIR_JUDGED_OWN;
        struct weir_tally one = weir_item_tally(trial->flags, pick->slow);
        weir_tally_add(&judgement->by_client[trial->client].own, one);
        weir_tally_add(&judgement->by_place[trial->place].own, one);
        judgement->by_client[trial->client].own_answers += is_answered(trial, one);
        if (trial->layer != WEIR_LAYER_DNS)
            weir_tally_add(&families[!weir_addr_is_v4(&judgement->places.addrs[trial->place])],
                           one);
        weir_tally_add(&sum, one);
    }
    compare_families(families, record);
    record->n_clients_seen = 0;
    for (size_t i = 0; i < judgement->clients.n; i++)
        record->n_clients_seen += judgement->by_client[i].own.total > 0;
    record->n_clients = list_failing(&judgement->clients, judgement->by_client, record->clients);
    record->n_prefixes = list_failing(&judgement->places, judgement->by_place, record->prefixes);
    record->at_least = judgement->overrun;
    weir_regions_fill(detector, record);
    return sum;
}

/* The autonomous systems in which the service fails. */
struct failing_systems {
    uint32_t list[WEIR_INCIDENT_LIST_MAX];
    unsigned n;
};

static bool holds(const struct failing_systems *systems, uint32_t as) {
    for (unsigned i = 0; i < systems->n; i++)
        if (systems->list[i] == as) return true;
    return false;
}

static struct failing_systems failing_systems(const struct weir_judgement *judgement) {
    struct failing_systems systems = {.n = 0};
    for (size_t i = 0; i < judgement->places.n && systems.n < WEIR_INCIDENT_LIST_MAX; i++) {
        const struct weir_sums *place = &judgement->by_place[i];
        if (place->own.fail > 0 && place->as && !holds(&systems, place->as))
            systems.list[systems.n++] = place->as;
    }
    return systems;
}

static bool is_control(const struct weir_judged *trial, weir_service_id service, int64_t since_us) {
    return trial->at_us >= since_us && trial->service != service && trial->layer < WEIR_LAYER_N &&
           (trial->flags & WEIR_ITEM_CONTROL);
}

bool weir_judgement_glance(const struct weir_detector *detector, const struct weir_addr *resolver,
                           int64_t since_us, int64_t began_us, struct weir_glance *ret_glance) {
    const struct weir_history *history = &detector->history;
    uint32_t place = weir_index_find(&history->places, resolver);
    struct weir_glance glance = {.n_read = 0};
    uint64_t first = weir_history_since(history, since_us, &glance.overrun);
    glance.n_read = (size_t)(history->n - first);
    if (glance.n_read >= WEIR_JUDGED_MAX) return false;
    for (uint64_t at = first; at < history->n; at++) {
        const struct weir_past *past = weir_history_at(history, at);
        if (past->place == place) {
            if (past->layer != WEIR_LAYER_DNS) return false;
            continue;
        }
        if (past->at_us >= began_us && past->service != WEIR_SERVICE_NONE &&
            past->layer < WEIR_LAYER_N && (past->flags & WEIR_ITEM_CONTROL))
            weir_tally_add(&glance.controls, weir_item_tally(past->flags, false));
    }
    *ret_glance = glance;
    return true;
}

static struct weir_tally count_controls(struct weir_judgement *judgement, weir_service_id service,
                                        int64_t since_us, bool slow,
                                        const struct failing_systems *systems) {
    struct weir_tally sum = {0}, *by_service = judgement->by_service;
    memset(judgement->by_service, 0, sizeof judgement->by_service);
    for (size_t i = 0; i < judgement->clients.n; i++) {
        judgement->by_client[i].other = sum;
        judgement->by_client[i].other_answers = 0;
    }
    for (size_t i = 0; i < judgement->places.n; i++) {
        judgement->by_place[i].near = sum;
        judgement->by_place[i].near_answers = 0;
    }
    for (size_t i = 0; i < judgement->n; i++) {
        struct weir_judged *trial = &judgement->trials[i];
        struct weir_sums *place = &judgement->by_place[trial->place];
        trial->flags &= (uint8_t)~WEIR_JUDGED_OTHER;
        if (!is_control(trial, service, since_us)) continue;
        struct weir_tally one = weir_item_tally(trial->flags, slow);
        weir_tally_add(&place->near, one);
        place->near_answers += is_answered(trial, one);
        if (place->own.fail > 0 || (place->as && holds(systems, place->as))) continue;
        trial->flags |= WEIR_JUDGED_OTHER;
        weir_tally_add(&judgement->by_client[trial->client].other, one);
        judgement->by_client[trial->client].other_answers += is_answered(trial, one);
        weir_tally_add(&by_service[trial->service], one);
        weir_tally_add(&sum, one);
    }
    return sum;
}

struct weir_tally weir_judge_controls(struct weir_detector *detector, weir_service_id service,
                                      int64_t since_us, bool slow, struct weir_incident *record) {
    struct weir_judgement *judgement = &detector->judgement;
    const struct weir_tally *by_service = judgement->by_service;
    struct failing_systems systems = failing_systems(judgement);
    struct weir_tally sum = count_controls(judgement, service, since_us, slow, &systems);
    if (sum.total < 3 && systems.n) /* nearly everything is in there */
        sum = count_controls(judgement, service, since_us, slow, &(struct failing_systems){.n = 0});
    memset(&record->controls, 0, sizeof record->controls);
    record->controls.fail = sum.fail;
    record->controls.total = sum.total;
    for (unsigned i = 0; i < WEIR_SERVICES_MAX && record->controls.n < WEIR_INCIDENT_LIST_MAX;
         i++) {
        if (by_service[i].total == 0) continue;
        uint8_t n = record->controls.n++;
        record->controls.by_service[n].service = (weir_service_id)i;
        record->controls.by_service[n].fail = by_service[i].fail;
        record->controls.by_service[n].total = by_service[i].total;
    }
    return sum;
}

void weir_judge_peers(struct weir_detector *detector, weir_service_id service, uint8_t layer,
                      int64_t since_us, bool slow) {
    struct weir_judgement *judgement = &detector->judgement;
    const struct weir_pick its = {.service = service};
    for (size_t i = weir_pick_first(judgement, &its); i < judgement->n;
         i = weir_pick_next(judgement, &its, i)) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (trial->at_us < since_us || trial->layer == layer || trial->layer >= WEIR_LAYER_N ||
            !(trial->flags & WEIR_ITEM_SCORED))
            continue;
        struct weir_tally one = weir_item_tally(trial->flags, slow);
        weir_tally_add(&judgement->by_client[trial->client].peer, one);
        judgement->by_client[trial->client].own_answers += is_answered(trial, one);
        if (trial->layer != WEIR_LAYER_DNS)
            weir_tally_add(&judgement->by_place[trial->place].peer, one);
    }
}

void weir_judge_lookups(struct weir_detector *detector, const struct weir_scope *scope) {
    struct weir_judgement *judgement = &detector->judgement;
    for (size_t i = 0; i < judgement->n; i++) {
        struct weir_judged *trial = &judgement->trials[i];
        bool is_peer = !scope->pooled && trial->service == scope->service;
        if (trial->at_us < scope->began_us || trial->layer != WEIR_LAYER_DNS || is_peer ||
            !(trial->flags & WEIR_ITEM_SCORED))
            continue;
        trial->flags |= WEIR_JUDGED_LOOKUP;
        struct weir_tally one = weir_item_tally(trial->flags, scope->slow);
        weir_tally_add(&judgement->by_client[trial->client].lookups, one);
        weir_tally_add(&judgement->by_place[trial->place].lookups, one);
    }
}

uint32_t weir_sums_top(const struct weir_sums *sums, size_t n, struct weir_tally *ret_rest) {
    uint32_t top = WEIR_INDEX_NONE;
    *ret_rest = (struct weir_tally){0};
    for (size_t i = 0; i < n; i++) {
        weir_tally_add(ret_rest, sums[i].own);
        if (sums[i].own.fail > 0 &&
            (top == WEIR_INDEX_NONE || sums[i].own.fail > sums[top].own.fail))
            top = (uint32_t)i;
    }
    if (top != WEIR_INDEX_NONE) {
        ret_rest->fail -= sums[top].own.fail;
        ret_rest->total -= sums[top].own.total;
    }
    return top;
}
