/* Which addresses are one client: told in any order and by any number of workers. */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weir/device.h>

static struct weir_addr addr(const char *text) {
    struct weir_addr parsed;
    assert_int_equal(weir_addr_parse(text, &parsed), 0);
    return parsed;
}

static struct weir_device_fact fact(const char *text, uint8_t mac, uint8_t ttl) {
    return (struct weir_device_fact){.addr = addr(text), .mac = {2, 0, 0, 0, 0, mac}, .ttl = ttl};
}

static struct weir_devices *learned(const struct weir_device_fact *facts, size_t n) {
    struct weir_devices *devices;
    assert_int_equal(weir_devices_new(&devices, 64), 0);
    weir_devices_tick(devices, 1000);
    weir_devices_learn(devices, facts, n, 1000);
    return devices;
}

static bool same(const struct weir_devices *devices, const char *a, const char *b) {
    struct weir_addr one = addr(a), other = addr(b);
    return weir_addr_compare(weir_devices_client(devices, &one),
                             weir_devices_client(devices, &other)) == 0;
}

static void test_a_device_has_one_name(void **state) {
    for (unsigned order = 0; order < 2; order++) {
        struct weir_device_fact facts[3] = {fact("fe80::1", 1, 255), fact("2001:db8::7", 1, 64),
                                            fact("192.168.1.9", 1, 64)};
        if (order) {
            struct weir_device_fact swap = facts[0];
            facts[0] = facts[2];
            facts[2] = swap;
        }
        struct weir_devices *devices = learned(facts, 3);
        struct weir_addr v6 = addr("2001:db8::7"), name = addr("192.168.1.9"), all[8];
        uint8_t mac[6];
        assert_true(same(devices, "2001:db8::7", "192.168.1.9") &&
                    same(devices, "fe80::1", "192.168.1.9"));
        assert_memory_equal(weir_devices_client(devices, &v6), &name, sizeof name);
        assert_int_equal(weir_devices_addresses(devices, &v6, all, 8), 3);
        assert_true(weir_devices_mac(devices, &v6, mac) && mac[5] == 1);
        weir_devices_free(devices);
    }
}

static void test_others_are_themselves(void **state) {
    static const struct {
        const char *a, *b;
        uint8_t mac_a, mac_b, ttl;
    } cases[] = {
        {"192.168.1.9", "2001:db8::7", 1, 2, 64},  /* two devices */
        {"192.168.1.9", "192.168.1.10", 1, 1, 64}, /* two hosts behind one MAC */
        {"192.168.1.9", "2001:db8::7", 1, 1, 63},  /* behind a router */
        {"192.168.1.9", "2001:db8::7", 1, 1, 121},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct weir_device_fact facts[2] = {fact(cases[i].a, cases[i].mac_a, cases[i].ttl),
                                                  fact(cases[i].b, cases[i].mac_b, cases[i].ttl)};
        struct weir_devices *devices = learned(facts, 2);
        struct weir_addr stranger = addr("10.1.1.1");
        assert_false(same(devices, cases[i].a, cases[i].b));
        assert_ptr_equal(weir_devices_client(devices, &stranger), &stranger);
        weir_devices_free(devices);
    }
}

/* A lease that ends is no second host; an address that two MACs send from is nobody's. */
static void test_time(void **state) {
    const struct weir_device_fact before[2] = {fact("192.168.1.9", 1, 64),
                                               fact("2001:db8::7", 1, 64)},
                                  lease = fact("192.168.1.30", 1, 64),
                                  taken = fact("192.168.1.9", 2, 64);
    struct weir_devices *devices = learned(before, 2);
    weir_devices_learn(devices, &lease, 1, 9000);
    assert_true(same(devices, "192.168.1.30", "2001:db8::7"));
    weir_devices_learn(devices, &taken, 1, 9000); /* two hours later: given to another */
    assert_false(same(devices, "192.168.1.9", "2001:db8::7"));
    assert_true(same(devices, "192.168.1.30", "2001:db8::7"));
    weir_devices_learn(devices, before, 1, 9005); /* and now both */
    uint8_t mac[6];
    struct weir_addr shared = addr("192.168.1.9");
    assert_false(weir_devices_mac(devices, &shared, mac));
    weir_devices_free(devices);
}

static void test_bound(void **state) {
    struct weir_devices *devices = learned(NULL, 0);
    struct weir_device_stats stats;
    for (unsigned i = 0; i < 100; i++) {
        struct weir_device_fact one = fact("10.0.0.0", (uint8_t)i, 64);
        one.addr.bytes[15] = (uint8_t)i;
        weir_devices_learn(devices, &one, 1, 1000);
    }
    weir_devices_stats(devices, &stats);
    assert_int_equal(stats.addresses, 64);
    assert_int_equal(stats.refused, 36);
    weir_devices_tick(devices, 1000 + 2 * 86400); /* two days later there is room again */
    weir_devices_stats(devices, &stats);
    assert_int_equal(stats.addresses, 0);
    assert_int_equal(stats.refused, 36);
    weir_devices_free(devices);
}

static void test_teller(void **state) {
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, group[6] = {1, 0, 94, 0, 0, 1};
    struct weir_device_teller *teller;
    const struct weir_device_fact *facts;
    assert_int_equal(weir_device_teller_new(&teller), 0);
    struct weir_packet packet = {.src = addr("192.168.1.9"), .ttl = 64, .mac = mac};
    for (unsigned i = 0; i < 3; i++) weir_device_tell(teller, &packet);
    packet.mac = group;
    weir_device_tell(teller, &packet);
    packet.mac = NULL;
    weir_device_tell(teller, &packet);
    assert_int_equal(weir_device_take(teller, &facts, false), 1);
    packet.mac = mac;
    weir_device_tell(teller, &packet);
    assert_int_equal(weir_device_take(teller, &facts, true), 0);
    weir_device_tell(teller, &packet); /* each window anew */
    assert_int_equal(weir_device_take(teller, &facts, true), 1);
    assert_memory_equal(facts[0].mac, mac, 6);
    weir_device_teller_free(teller);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_device_has_one_name),
        cmocka_unit_test(test_others_are_themselves),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_teller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
