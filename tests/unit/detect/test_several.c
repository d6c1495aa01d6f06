/* Several services at once: which fail, for how many clients, and what is said. Two of ten are two
 * services; all are the uplink; what fails at one shared place is that place's; fifty thousand
 * failing places of one service are that service.
 *
 * And every sentence that is said on the way keeps to the record: each number in it is one of the
 * record's, or a difference or share of two of them; nothing that works is listed as failing.
 */
#undef NDEBUG
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/detect.h>

enum { SERVICES = 25, EVENTS = 256, FIRST = WEIR_SERVICE_FIRST };
#define T0     (INT64_C(1750000000) * 1000000)
#define SECOND INT64_C(1000000)

struct world {
    struct weir_detector *detector;
    struct weir_incident events[EVENTS];
    size_t n_events;
    int64_t slot_us;
    unsigned clients, used; /* services that are used */
    unsigned failing;       /* the first of these fail.. */
    unsigned from, to;      /* ..for these clients */
    bool one_place;         /* all services live in one prefix */
    bool many_places;       /* a prefix a client */
    bool names;             /* all look up names, at a resolver that fails */
    bool bad_wifi;          /* the last client fails with whatever it tries */
    unsigned calm, ticks;   /* slots before, looks at a slot; 0: 12, 10 */
    unsigned share;         /* of a hundred trials of what fails */
};

/* ---- sentences ---- */

static bool is_span(int64_t number, int64_t seconds) {
    return number == seconds || number == seconds / 60 || number == seconds % 60 ||
           number == seconds / 3600 || number == seconds / 60 % 60;
}

static bool is_clock(int64_t number, int64_t at_us) {
    int64_t second = at_us / 1000000 % 86400;
    return at_us &&
           (number == second / 3600 || number == second / 60 % 60 || number == second % 60);
}

static bool is_of(int64_t number, uint32_t fail, uint32_t total) {
    return number == fail || number == total || number == (int64_t)total - fail;
}

static bool is_in_record(const struct weir_incident *record, int64_t number) {
    bool found = number == 95 || number == 4 || number == 6; /* "95 %", "IPv4" */
    found |= is_clock(number, record->onset_us) || is_clock(number, record->recovered_us);
    found |= record->recovered_us &&
             is_span(number, (record->recovered_us - record->onset_us) / 1000000);
    found |= is_of(number, record->trials.fail, record->trials.total) ||
             number == (int64_t)(record->trials.low * 100);
    found |= number == record->n_clients || number == record->n_clients_seen ||
             number == record->n_prefixes;
    found |= is_of(number, record->controls.fail, record->controls.total) ||
             number == record->other_family_ok;
    for (unsigned i = 0; i < record->controls.n; i++)
        found |= is_of(number, record->controls.by_service[i].fail,
                       record->controls.by_service[i].total);
    for (unsigned i = 0; i < record->n_prefixes && i < WEIR_INCIDENT_LIST_MAX; i++)
        for (unsigned byte = 12; byte < 16; byte++)
            found |= number == record->prefixes[i].bytes[byte];
    found |= is_of(number, record->viewers_stalled, record->viewers);
    found |= is_of(number, record->link.lost_beyond, record->link.segments) ||
             is_of(number, record->link.others_lost, record->link.others_segments);
    return found;
}

static void check_sentence(const struct weir_incident *record) {
    for (const char *at = record->text; *at;) {
        if (*at < '0' || *at > '9') {
            at++;
            continue;
        }
        char *end;
        int64_t number = strtoll(at, &end, 10);
        /* a service, an id */
        bool is_name = at > record->text && ((at[-1] >= 'a' && at[-1] <= 'z') || at[-1] == '-');
        if (!is_name && !is_in_record(record, number))
            fail_msg("%lld is not in the record: %s", (long long)number, record->text);
        at = end;
    }
    assert_true(strlen(record->text) > 20 && record->text[strlen(record->text) - 1] == '.');
    bool over = record->event == WEIR_INCIDENT_CLEARED || record->recovered_us;
    assert_true(!over ||
                (!strstr(record->text, " is down") && !strstr(record->text, " fails in part")));
    assert_true(record->event != WEIR_INCIDENT_CLEARED || record->recovered_us >= record->onset_us);
    assert_true(record->probability > 0 && record->probability <= 1);
    double sum = record->probability;
    for (unsigned i = 0; i < record->n_alternatives; i++)
        sum += record->alternatives[i].probability;
    assert_true(sum <= 1 + 1e-9);
    if (record->cause == WEIR_CAUSE_UPLINK && strstr(record->text, "Several services fail"))
        for (unsigned i = 0, failing = 0; i < record->controls.n; i++) {
            failing += record->controls.by_service[i].fail > 0;
            assert_true(i + 1 < record->controls.n || failing >= 2);
        }
}

static void observe(void *context, const struct weir_incident *incident) {
    struct world *world = context;
    check_sentence(incident);
    if (world->n_events < EVENTS) world->events[world->n_events++] = *incident;
}

/* ---- the world ---- */

static struct weir_addr client_addr(unsigned i) {
    return (struct weir_addr){
        {[10] = 0xff, 0xff, 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

static struct weir_addr server_addr(unsigned i) {
    return (struct weir_addr){
        {[10] = 0xff, 0xff, 198, (uint8_t)(18 + (i >> 16)), (uint8_t)(i >> 8), 0}};
}

static void slot(struct world *world, bool trouble) {
    enum { EACH = 4 }; /* trials of a client, its lookup the last */
    struct weir_trial *trials = calloc((size_t)world->clients * EACH, sizeof *trials);
    size_t n = 0;
    assert_non_null(trials);
    for (unsigned i = 0; i < world->clients; i++)
        for (unsigned k = 0; k < (world->names ? EACH : EACH - 1); k++) {
            unsigned service = k == 2 ? WEIR_SERVICE_OTHER : FIRST + (i + k * 7) % world->used;
            int64_t at_us = world->slot_us + SECOND / 2 +
                            (int64_t)(i * EACH + k) * 9 * SECOND / (world->clients * EACH);
            bool fails = trouble && k < 2 && service - FIRST < world->failing && i >= world->from &&
                         i < world->to &&
                         (i * 37 + k * 11 + (unsigned)(world->slot_us / WEIR_SLOT_US) * 53) % 100 <
                             world->share;
            fails |= trouble && (k == 3 || (world->bad_wifi && i == world->clients - 1));
            unsigned place = world->many_places ? 256 * (1000 + i)
                             : world->one_place ? 256
                                                : 256 * (service + 10);
            trials[n++] = (struct weir_trial){.client = client_addr(i),
                                              .prefix = server_addr(k == 2   ? 256 * 200
                                                                    : k == 3 ? 256 * 201
                                                                             : place),
                                              .service = (weir_service_id)service,
                                              .layer = k == 3 ? WEIR_LAYER_DNS : WEIR_LAYER_CONNECT,
                                              .kind = !fails   ? WEIR_OUTCOME_USEFUL
                                                      : k == 3 ? WEIR_OUTCOME_DNS_TIMEOUT
                                                               : WEIR_OUTCOME_SYN_TIMEOUT,
                                              .ok = !fails,
                                              .fail = fails,
                                              .ok_us = fails ? 0 : at_us,
                                              .fail_us = fails ? at_us : 0,
                                              .first_us = at_us - 3 * SECOND};
        }
    unsigned ticks = world->ticks ? world->ticks : 10;
    for (unsigned tick = 1; tick <= ticks; tick++) {
        struct weir_slot open = {
            .start_us = world->slot_us, .trials = trials, .n_trials = n * tick / ticks};
        weir_detector_slot(world->detector, &open, tick == ticks);
        weir_detector_step(world->detector, world->slot_us + tick * WEIR_SLOT_US / ticks);
    }
    world->slot_us += WEIR_SLOT_US;
    free(trials);
}

static void run(struct world *world, unsigned slots) {
    static char names[SERVICES][8];
    const char *all[SERVICES];
    struct weir_detect_config config;
    for (unsigned i = 0; i < SERVICES; i++) {
        snprintf(names[i], sizeof names[i], "s%c", 'a' + (int)i);
        all[i] = names[i];
    }
    weir_detect_config_default(&config);
    assert_int_equal(weir_detector_new(&world->detector, &config, all, SERVICES, observe, world),
                     0);
    world->slot_us = T0;
    world->n_events = 0;
    world->to = world->to ? world->to : world->clients;
    world->share = world->share ? world->share : 100;
    for (unsigned i = 0; i < (world->calm ? world->calm : 12); i++) slot(world, false);
    assert_int_equal(world->n_events, 0);
    for (unsigned i = 0; i < slots; i++) slot(world, true);
}

/* What each incident says last, counted by cause. */
static void count(const struct world *world, unsigned by_cause[WEIR_CAUSE_N]) {
    memset(by_cause, 0, WEIR_CAUSE_N * sizeof *by_cause);
    for (size_t i = 0; i < world->n_events; i++) {
        bool last = world->events[i].event != WEIR_INCIDENT_CLEARED;
        for (size_t j = i + 1; j < world->n_events; j++)
            last &= strcmp(world->events[j].id, world->events[i].id) != 0;
        by_cause[world->events[i].cause] += last;
    }
}

static void recover(struct world *world) {
    int64_t end_us = world->slot_us;
    for (int i = 0; i < 12; i++) slot(world, false);
    for (size_t i = 0; i < world->n_events; i++) {
        const struct weir_incident *record = &world->events[i];
        if (record->event != WEIR_INCIDENT_CLEARED || strstr(record->text, "part of")) continue;
        if (labs((long)(record->recovered_us - end_us)) > 5 * SECOND)
            fail_msg("%.1f s after its end: %s", (double)(record->recovered_us - end_us) / 1e6,
                     record->text);
        assert_true(record->cleared_us - record->recovered_us <= 60 * SECOND);
    }
    weir_detector_finish(world->detector, world->slot_us);
    weir_detector_free(world->detector);
}

/* ---- which services, how many clients, what was said ---- */

static void several_are_several(void **state) {
    static const struct {
        unsigned clients, used, failing;
    } rows[] = {{5, 5, 1},    {5, 5, 2},     {40, 10, 2},   {40, 22, 3},
                {40, 22, 10}, {1500, 22, 1}, {1500, 22, 3}, {1500, 22, 10}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct world world;
        unsigned by_cause[WEIR_CAUSE_N];
        world = (struct world){
            .clients = rows[i].clients, .used = rows[i].used, .failing = rows[i].failing};
        run(&world, 6);
        count(&world, by_cause);
        if (by_cause[WEIR_CAUSE_UPLINK] || by_cause[WEIR_CAUSE_CLIENT] ||
            by_cause[WEIR_CAUSE_SERVICE] != rows[i].failing)
            fail_msg("%u of %u services, %u clients: %u services, %u uplink, %u client",
                     rows[i].failing, rows[i].used, rows[i].clients, by_cause[WEIR_CAUSE_SERVICE],
                     by_cause[WEIR_CAUSE_UPLINK], by_cause[WEIR_CAUSE_CLIENT]);
        recover(&world);
    }
}

static void a_shared_place(void **state) {
    static struct world world;
    unsigned by_cause[WEIR_CAUSE_N];
    (void)state;
    world = (struct world){.clients = 40, .used = 4, .failing = 4, .one_place = true};
    run(&world, 6);
    count(&world, by_cause);
    assert_true(by_cause[WEIR_CAUSE_CDN] >= 1 && by_cause[WEIR_CAUSE_UPLINK] == 0 &&
                by_cause[WEIR_CAUSE_SERVICE] == 0);
    recover(&world);
}

static void one_client_beside_an_outage(void **state) {
    static struct world world;
    unsigned by_cause[WEIR_CAUSE_N];
    (void)state;
    world = (struct world){.clients = 40, .used = 10, .failing = 10, .from = 3, .to = 4};
    run(&world, 12);
    count(&world, by_cause);
    assert_true(by_cause[WEIR_CAUSE_SERVICE] == 0 && by_cause[WEIR_CAUSE_UPLINK] == 0);
    recover(&world);
}

static void a_third_fails(void **state) {
    static struct world world;
    unsigned by_cause[WEIR_CAUSE_N];
    (void)state;
    world = (struct world){.clients = 100, .used = 10, .failing = 1, .share = 30};
    run(&world, 18);
    count(&world, by_cause);
    assert_int_equal(by_cause[WEIR_CAUSE_SERVICE], 1);
    assert_int_equal(by_cause[WEIR_CAUSE_UPLINK], 0);
    recover(&world);
}

static void places_without_number(void **state) {
    static struct world world;
    unsigned by_cause[WEIR_CAUSE_N];
    (void)state;
    world = (struct world){.clients = 3000, .used = 2, .failing = 1, .many_places = true};
    run(&world, 4);
    count(&world, by_cause);
    assert_true(by_cause[WEIR_CAUSE_SERVICE] == 1 && by_cause[WEIR_CAUSE_UPLINK] == 0);
    weir_detector_free(world.detector);
}

/* Sites of an ISP: few looks, for each shows a hundred thousand trials. */
static void many_clients(void **state) {
    static const struct world rows[] = {
        {.clients = 20000, .used = 23, .failing = 1},
        {.clients = 20000, .used = 23, .failing = 3},
        {.clients = 20000, .used = 23, .failing = 10},
        {.clients = 50000, .used = 2, .failing = 1, .many_places = true}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct world world;
        unsigned by_cause[WEIR_CAUSE_N];
        world = rows[i];
        world.calm = 4;
        world.ticks = 2;
        run(&world, 2);
        count(&world, by_cause);
        if (by_cause[WEIR_CAUSE_UPLINK] || by_cause[WEIR_CAUSE_CLIENT] ||
            by_cause[WEIR_CAUSE_SERVICE] != rows[i].failing)
            fail_msg("row %zu: %u services, %u uplink, %u client", i, by_cause[WEIR_CAUSE_SERVICE],
                     by_cause[WEIR_CAUSE_UPLINK], by_cause[WEIR_CAUSE_CLIENT]);
        weir_detector_free(world.detector);
    }
}

/* All lookups fail, and one service: names that are known go on. */
static void a_resolver_beside_a_service(void **state) {
    static struct world world;
    unsigned by_cause[WEIR_CAUSE_N];
    (void)state;
    world = (struct world){.clients = 40, .used = 10, .failing = 1, .names = true};
    run(&world, 6);
    count(&world, by_cause);
    assert_int_equal(by_cause[WEIR_CAUSE_DNS_RESOLVER], 1);
    assert_int_equal(by_cause[WEIR_CAUSE_SERVICE], 1);
    assert_int_equal(by_cause[WEIR_CAUSE_UPLINK], 0);
    recover(&world);
}

/* One client loses everything while one service fails for all. */
static void bad_wifi_beside_an_outage(void **state) {
    static struct world world;
    unsigned by_cause[WEIR_CAUSE_N];
    (void)state;
    world = (struct world){.clients = 12, .used = 10, .failing = 1, .bad_wifi = true};
    run(&world, 12);
    count(&world, by_cause);
    assert_int_equal(by_cause[WEIR_CAUSE_SERVICE], 1);
    assert_int_equal(by_cause[WEIR_CAUSE_UPLINK], 0);
    recover(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_are_several),         cmocka_unit_test(a_shared_place),
        cmocka_unit_test(one_client_beside_an_outage), cmocka_unit_test(a_third_fails),
        cmocka_unit_test(places_without_number),       cmocka_unit_test(many_clients),
        cmocka_unit_test(a_resolver_beside_a_service), cmocka_unit_test(bad_wifi_beside_an_outage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
