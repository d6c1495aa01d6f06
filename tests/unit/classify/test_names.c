/* The name memory, the kept host names, the stream of a hello, and the list of drifting hosts. */
#include "fixture.h"

#include "classify/drift.h"
#include "classify/hello.h"
#include "classify/hosts.h"
#include "classify/names.h"

static const char *const client_text = "192.168.1.10", *const server_text = "198.51.100.1";

static struct name name_of(const char *host, weir_service_id service, int64_t now_us,
                           int64_t kept_us) {
    struct name name = {
        .hash = weir_host_hash(host, strlen(host)), .host = host, .match = {.service = service}};
    name_set_expires(&name, now_us + kept_us);
    return name;
}

static void learn(struct names *names, const char *client, const char *host,
                  weir_service_id service, int64_t now_us) {
    struct weir_addr asker = addr(client), server = addr(server_text);
    struct name name = name_of(host, service, now_us, HOUR_US);
    names_learn(names, &asker, &server, &name, now_us);
}

static const struct name *look(const struct names *names, const char *client, int64_t now_us,
                               bool *own) {
    struct weir_addr asker = addr(client), server = addr(server_text);
    return names_lookup(names, &asker, &server, now_us, own);
}

static bool confirm(const struct names *names, const char *client, const char *host,
                    int64_t now_us) {
    struct weir_addr asker = addr(client), server = addr(server_text);
    return names_confirm(names, &asker, &server, weir_host_hash(host, strlen(host)), now_us);
}

static void test_newest(void **state) {
    struct names names;
    bool own;
    assert_int_equal(names_init(&names, 64, 0), 0);
    assert_null(look(&names, client_text, NOW_US, &own));
    assert_false(own);
    learn(&names, client_text, "a.alpha.com", 2, NOW_US);
    learn(&names, client_text, "b.bravo.com", 3, NOW_US + 1);
    assert_string_equal(look(&names, client_text, NOW_US + 2, &own)->host, "b.bravo.com");
    assert_true(own);
    learn(&names, client_text, "a.alpha.com", 2, NOW_US + 3); /* asked again: the newest again */
    assert_string_equal(look(&names, client_text, NOW_US + 4, &own)->host, "a.alpha.com");
    assert_true(confirm(&names, client_text, "b.bravo.com", NOW_US + 4));
    assert_false(confirm(&names, client_text, "c.example", NOW_US + 4));
    learn(&names, client_text, "c.example", 1, NOW_US + 5);
    learn(&names, client_text, "d.example", 1, NOW_US + 6); /* a fourth: the oldest is dropped */
    assert_false(confirm(&names, client_text, "b.bravo.com", NOW_US + 7));
    assert_true(confirm(&names, client_text, "a.alpha.com", NOW_US + 7));
    names_deinit(&names);
}

static void test_expiry(void **state) {
    struct names names;
    bool own;
    assert_int_equal(names_init(&names, 64, 0), 0);
    learn(&names, client_text, "a.alpha.com", 2, NOW_US);
    assert_non_null(look(&names, client_text, NOW_US + HOUR_US - 1, &own));
    assert_null(look(&names, client_text, NOW_US + HOUR_US, &own));
    assert_false(confirm(&names, client_text, "a.alpha.com", NOW_US + HOUR_US));
    names_deinit(&names);
}

static void test_anybody(void **state) {
    struct names names;
    bool own;
    assert_int_equal(names_init(&names, 64, 0), 0);
    learn(&names, client_text, "a.alpha.com", 2, NOW_US);
    assert_string_equal(look(&names, "2001:db8::10", NOW_US + 1, &own)->host, "a.alpha.com");
    assert_false(own);
    learn(&names, "192.168.1.11", "b.bravo.com", 3,
          NOW_US + 2); /* now two services: nobody else's guess */
    assert_null(look(&names, "2001:db8::10", NOW_US + 3, &own));
    assert_string_equal(look(&names, client_text, NOW_US + 3, &own)->host, "a.alpha.com");
    names_deinit(&names);
}

static void test_names_bound(void **state) {
    struct names names;
    assert_int_equal(names_init(&names, 64, 0), 0);
    for (unsigned i = 0; i < 1000; i++) {
        struct weir_addr asker = addr(client_text), server = addr(server_text);
        memcpy(server.bytes + 12, &i, sizeof i);
        struct name name = name_of("a.alpha.com", 2, NOW_US + i, HOUR_US);
        names_put(&names, &asker, &server, &name, NOW_US + i);
    }
    assert_int_equal(names.evicted, 1000 - 64);
    names_deinit(&names);
}

static void test_hosts(void **state) {
    struct hosts hosts;
    hosts_init(&hosts, 100000);
    const char *first = hosts_keep(&hosts, "a.alpha.com", 11);
    assert_string_equal(first, "a.alpha.com");
    size_t kept = 0;
    for (unsigned i = 0; i < 5000; i++) {
        char text[64];
        int length = snprintf(text, sizeof text, "host-%u.alpha-media.net", i);
        kept += hosts_keep(&hosts, text, (size_t)length) != NULL;
    }
    assert_in_range(kept, 1000, 4000);
    assert_int_equal(hosts.refused, 5000 - kept);
    assert_true(hosts.bytes <= hosts.bytes_max);
    assert_ptr_equal(hosts_keep(&hosts, "a.alpha.com", 11), first); /* known names stay known */
    assert_ptr_not_equal(hosts_keep(&hosts, "a.alpha.co", 10), first);
    assert_string_equal(first, "a.alpha.com");
    hosts_deinit(&hosts);
}

static void test_stream(void **state) {
    struct hello_stream stream = hello_stream_init(100, false);
    assert_int_equal(hello_stream_put(&stream, 110, (const uint8_t *)"klm", 3), 0);
    assert_int_equal(hello_stream_prefix(&stream), 0);
    assert_int_equal(hello_stream_put(&stream, 100, (const uint8_t *)"abcdefgh", 8), 0);
    assert_int_equal(hello_stream_prefix(&stream), 8);
    assert_int_equal(hello_stream_put(&stream, 95, (const uint8_t *)"vwxyz", 5),
                     0); /* before the base */
    assert_int_equal(hello_stream_prefix(&stream), 13);
    assert_int_equal(hello_stream_put(&stream, 106, (const uint8_t *)"ghij", 4),
                     0); /* overlaps and closes the hole */
    assert_int_equal(hello_stream_prefix(&stream), 18);
    assert_memory_equal(stream.bytes, "vwxyzabcdefghijklm", 18);
    hello_stream_deinit(&stream);
}

static void test_stream_bounds(void **state) {
    static const uint8_t bytes[HELLO_BYTES_MAX + 1];
    struct hello_stream stream = hello_stream_init(0, false);
    assert_int_equal(hello_stream_put(&stream, 0, bytes, HELLO_BYTES_MAX + 1), HELLO_FULL);
    assert_int_equal(hello_stream_put(&stream, HELLO_BYTES_MAX, bytes, 1), HELLO_FULL);
    assert_int_equal(hello_stream_put(&stream, HELLO_BYTES_MAX - 1, bytes, 1), 0);
    /* would move the end out */
    assert_int_equal(hello_stream_put(&stream, UINT32_MAX, bytes, 1), HELLO_FULL);
    assert_int_equal(hello_stream_put(&stream, 0x80000000u, bytes, 1), HELLO_FULL);
    for (uint32_t i = 0; i < HELLO_RANGES_MAX - 1; i++)
        assert_int_equal(hello_stream_put(&stream, 10 * i, bytes, 1), 0);
    assert_int_equal(hello_stream_put(&stream, 5, bytes, 1), HELLO_FULL); /* one hole too many */
    assert_int_equal(hello_stream_put(&stream, 1, bytes, 9), 0);          /* closes one */
    assert_int_equal(hello_stream_prefix(&stream), 11);
    hello_stream_deinit(&stream);
}

static struct weir_host host_of(const char *text) {
    struct weir_host host;
    assert_true(weir_host_set(&host, text, strlen(text)));
    return host;
}

static void test_drift(void **state) {
    struct drift drift = {.n = 0};
    struct weir_host popular = host_of("popular.shared-cdn.net");
    for (unsigned i = 0; i < 1000; i++) {
        char text[64];
        snprintf(text, sizeof text, "h%u.shared-cdn.net", i);
        struct weir_host rare = host_of(text);
        drift_add(&drift, &rare, weir_host_hash(text, strlen(text)), 1, 0);
        if (i % 4 == 0)
            drift_add(&drift, &popular, weir_host_hash(popular.text, popular.length), 1, 0);
    }
    drift_add_bytes(&drift, weir_host_hash(popular.text, popular.length), 77);
    assert_int_equal(drift.n, WEIR_DRIFT_MAX);
    drift_sort(drift.hosts, drift.n);
    assert_string_equal(drift.hosts[0].host.text, popular.text);
    assert_true(drift.hosts[0].flows >= 250 &&
                drift.hosts[0].flows - drift.hosts[0].flows_over <= 250);
    assert_int_equal(drift.hosts[0].bytes, 77);
    uint64_t total = 0;
    for (uint32_t i = 0; i < drift.n; i++) total += drift.hosts[i].flows;
    assert_int_equal(total, 1250); /* no flow is lost: who leaves hands on the count */
}

static void test_merge(void **state) {
    struct weir_naming_stats into = {.hellos = 3, .names_evicted = 5, .n_drift = 1},
                             from = {.hellos = 4, .names_evicted = 4, .n_drift = 2};
    into.drift[0] = (struct weir_drift_host){
        .host = host_of("a.shared-cdn.net"), .hash = 1, .flows = 2, .bytes = 10};
    from.drift[0] = (struct weir_drift_host){
        .host = host_of("b.shared-cdn.net"), .hash = 2, .flows = 4, .bytes = 1};
    from.drift[1] = (struct weir_drift_host){
        .host = host_of("a.shared-cdn.net"), .hash = 1, .flows = 3, .bytes = 5};
    weir_naming_stats_merge(&into, &from);
    assert_int_equal(into.hellos, 7);
    assert_int_equal(into.names_evicted, 5);
    assert_int_equal(into.n_drift, 2);
    assert_int_equal(into.drift[0].flows, 5);
    assert_int_equal(into.drift[0].bytes, 15);
    assert_string_equal(into.drift[1].host.text, "b.shared-cdn.net");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest),        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_anybody),       cmocka_unit_test(test_names_bound),
        cmocka_unit_test(test_hosts),         cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_bounds), cmocka_unit_test(test_drift),
        cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
