/* The address memory and the facts that feed it: kept, shared, expired, bounded, the same whatever
 * the order. */
#include "fixture.h"

#include "classify/facts.h"

enum { ALPHA = WEIR_SERVICE_FIRST, BRAVO };

static struct weir_address_memory *make_memory(size_t addresses_max) {
    struct weir_address_memory *memory;
    assert_int_equal(weir_address_memory_new(&memory, addresses_max, 0), 0);
    return memory;
}

static void learn(struct weir_address_memory *memory, const char *text, weir_service_id service,
                  uint8_t role, int64_t now_us) {
    struct weir_address_fact fact = {.addr = addr(text), .service = service, .role = role};
    weir_address_memory_learn(memory, &fact, now_us);
}

static enum weir_address_answer look(const struct weir_address_memory *memory, const char *text,
                                     int64_t now_us, struct weir_match *match) {
    struct weir_addr where = addr(text);
    return weir_address_memory_lookup(memory, &where, now_us, match);
}

static void test_known_and_expired(void **state) {
    struct weir_address_memory *memory = make_memory(64);
    struct weir_match match;
    assert_int_equal(look(memory, "198.51.100.1", NOW_US, &match), WEIR_ADDRESS_UNKNOWN);
    learn(memory, "198.51.100.1", ALPHA, WEIR_ROLE_MEDIA, NOW_US);
    assert_int_equal(look(memory, "198.51.100.1", NOW_US + HOUR_US, &match), WEIR_ADDRESS_KNOWN);
    assert_int_equal(match.service, ALPHA);
    assert_int_equal(match.role, WEIR_ROLE_MEDIA);
    assert_int_equal(look(memory, "198.51.100.2", NOW_US, &match), WEIR_ADDRESS_UNKNOWN);
    assert_int_equal(look(memory, "198.51.100.1", NOW_US + WEIR_ADDRESS_KEPT_US - 1, &match),
                     WEIR_ADDRESS_KNOWN);
    assert_int_equal(look(memory, "198.51.100.1", NOW_US + WEIR_ADDRESS_KEPT_US, &match),
                     WEIR_ADDRESS_UNKNOWN);
    weir_address_memory_free(memory);
}

static void test_shared(void **state) {
    struct weir_address_memory *memory = make_memory(64);
    struct weir_match match;
    learn(memory, "198.51.100.1", ALPHA, WEIR_ROLE_MEDIA, NOW_US);
    learn(memory, "198.51.100.1", WEIR_SERVICE_OTHER, WEIR_ROLE_OTHER, NOW_US + HOUR_US - 1);
    assert_int_equal(look(memory, "198.51.100.1", NOW_US + HOUR_US, &match),
                     WEIR_ADDRESS_AMBIGUOUS);
    /* `other` goes on alone: an hour later it has the address */
    learn(memory, "198.51.100.1", WEIR_SERVICE_OTHER, WEIR_ROLE_OTHER, NOW_US + HOUR_US);
    assert_int_equal(look(memory, "198.51.100.1", NOW_US + HOUR_US, &match), WEIR_ADDRESS_KNOWN);
    assert_int_equal(match.service, WEIR_SERVICE_OTHER);
    /* and the first comes back */
    learn(memory, "198.51.100.1", ALPHA, WEIR_ROLE_MEDIA, NOW_US + HOUR_US + 5);
    assert_int_equal(look(memory, "198.51.100.1", NOW_US + HOUR_US + 5, &match),
                     WEIR_ADDRESS_AMBIGUOUS);
    weir_address_memory_free(memory);
}

static void test_order_of_one_moment(void **state) {
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const struct {
        weir_service_id service;
        uint8_t role;
    } facts[3] = {{ALPHA, WEIR_ROLE_CONTROL}, {ALPHA, WEIR_ROLE_MEDIA}, {BRAVO, WEIR_ROLE_CONTROL}};
    for (size_t i = 0; i < 6; i++) {
        struct weir_address_memory *memory = make_memory(8);
        struct weir_match match;
        for (size_t k = 0; k < 3; k++)
            learn(memory, "198.51.100.1", facts[orders[i][k]].service, facts[orders[i][k]].role,
                  NOW_US);
        assert_int_equal(look(memory, "198.51.100.1", NOW_US, &match), WEIR_ADDRESS_AMBIGUOUS);
        learn(memory, "198.51.100.1", ALPHA, WEIR_ROLE_CONTROL, NOW_US + HOUR_US);
        assert_int_equal(look(memory, "198.51.100.1", NOW_US + HOUR_US, &match),
                         WEIR_ADDRESS_KNOWN);
        assert_int_equal(match.service, ALPHA);
        weir_address_memory_free(memory);
    }
}

static void test_bound(void **state) {
    struct weir_address_memory *memory = make_memory(64);
    struct weir_match match;
    size_t known = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "198.18.%u.%u", i / 250, i % 250 + 1);
        learn(memory, text, ALPHA, WEIR_ROLE_MEDIA, NOW_US + i);
    }
    for (unsigned i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "198.18.%u.%u", i / 250, i % 250 + 1);
        known += look(memory, text, NOW_US + 1000, &match) == WEIR_ADDRESS_KNOWN;
    }
    assert_int_equal(known, 64);
    assert_int_equal(weir_address_memory_evictions(memory), 1000 - 64);
    assert_int_equal(look(memory, "198.18.3.250", NOW_US + 1000, &match),
                     WEIR_ADDRESS_KNOWN); /* the newest */
    weir_address_memory_free(memory);
}

struct copy {
    struct weir_address_memory *memory;
    size_t n;
};
static void copy_fact(void *context, const struct weir_address_fact *fact, int64_t learned_us) {
    struct copy *copy = context;
    weir_address_memory_learn(copy->memory, fact, learned_us);
    copy->n++;
}

static void test_each_restores(void **state) {
    struct weir_address_memory *memory = make_memory(64);
    struct copy copy = {.memory = make_memory(64)};
    struct weir_match match;
    learn(memory, "198.51.100.1", BRAVO, WEIR_ROLE_CONTROL, NOW_US);
    learn(memory, "198.51.100.1", ALPHA, WEIR_ROLE_MEDIA, NOW_US + 1);
    learn(memory, "198.51.100.2", ALPHA, WEIR_ROLE_MEDIA, NOW_US);
    weir_address_memory_each(memory, copy_fact, &copy);
    assert_int_equal(copy.n, 3);
    assert_int_equal(look(copy.memory, "198.51.100.1", NOW_US + 1, &match), WEIR_ADDRESS_AMBIGUOUS);
    assert_int_equal(look(copy.memory, "198.51.100.2", NOW_US + 1, &match), WEIR_ADDRESS_KNOWN);
    weir_address_memory_free(copy.memory);
    weir_address_memory_free(memory);
}

static void test_facts(void **state) {
    struct facts *facts = calloc(1, sizeof *facts);
    assert_non_null(facts);
    const struct weir_address_fact *list;
    for (unsigned i = 0; i < 3 * (FACTS_MAX + 10); i++) {
        struct weir_address_fact fact = {.addr = addr("2001:db8::"), .service = ALPHA};
        unsigned which = i / 3; /* each three times */
        memcpy(fact.addr.bytes + 12, &which, sizeof which);
        facts_add(facts, &fact, 0);
    }
    assert_int_equal(facts_take(facts, &list), FACTS_MAX);
    assert_int_equal(facts->refused, 30);
    assert_int_equal(facts_take(facts, &list), 0);
    free(facts);
}

static void test_unify(void **state) {
    struct weir_address_fact facts[] = {
        {.addr = addr("198.51.100.2"), .service = ALPHA},
        {.addr = addr("198.51.100.1"), .service = BRAVO},
        {.addr = addr("198.51.100.2"), .service = ALPHA},
        {.addr = addr("198.51.100.1"), .service = ALPHA},
        {.addr = addr("198.51.100.1"), .service = ALPHA, .role = WEIR_ROLE_MEDIA},
    };
    assert_int_equal(weir_address_facts_unify(facts, 0), 0);
    assert_int_equal(weir_address_facts_unify(facts, 5), 4);
    assert_int_equal(facts[0].service, ALPHA);
    assert_int_equal(facts[0].role, WEIR_ROLE_OTHER);
    assert_int_equal(facts[1].role, WEIR_ROLE_MEDIA);
    assert_int_equal(facts[2].service, BRAVO);
    assert_int_equal(facts[3].addr.bytes[15], 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_and_expired),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_order_of_one_moment),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_each_restores),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_unify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
