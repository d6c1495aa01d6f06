/* Frames of evidence: who a client is does not show, that two addresses are one device's does. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proof/rewrite.h"

static const uint8_t television[6] = {0x00, 0x1d, 0xc9, 0x01, 0x02, 0x03},
                     phone[6] = {0x00, 0x1d, 0xc9, 0x0a, 0x0b, 0x0c}, unknown[6];

static struct weir_proof_clients clients;
static uint8_t frame[WEIR_PROOF_FRAME_MAX];

/* A bare SYN, or its answer; the frame's length. */
static size_t rewrite(const char *client, const char *server, const uint8_t mac[6],
                      bool from_client) {
    struct weir_proof_entry entry = {.from_client = from_client,
                                     .transport = WEIR_TRANSPORT_TCP,
                                     .tcp_flags = WEIR_TCP_SYN,
                                     .src_port = 50000,
                                     .dst_port = 443};
    uint32_t wire = 0;
    assert_int_equal(weir_addr_parse(client, from_client ? &entry.src : &entry.dst), 0);
    assert_int_equal(weir_addr_parse(server, from_client ? &entry.dst : &entry.src), 0);
    memcpy(entry.mac, mac, sizeof entry.mac);
    size_t n = weir_proof_frame(&clients, NULL, &entry, frame, &wire);
    assert_true(n > 14 && n == wire);
    for (size_t i = 0; i + 6 <= n; i++) assert_memory_not_equal(frame + i, television, 6);
    return n;
}

static unsigned device(const uint8_t *mac) {
    static const uint8_t local[4] = {2};
    assert_memory_equal(mac, local, sizeof local);
    return (unsigned)(mac[4] << 8 | mac[5]);
}

static unsigned sender(const char *client, const char *server, const uint8_t mac[6]) {
    rewrite(client, server, mac, true);
    return device(frame + 6);
}

static void test_addresses_of_one_device_stay_together(void **state) {
    (void)state;
    unsigned first = sender("192.168.1.7", "198.51.100.1", television),
             other = sender("192.168.1.8", "198.51.100.1", phone);
    assert_int_not_equal(first, 0);
    assert_int_not_equal(first, other);
    assert_int_equal(sender("2001:db8:1::7", "2001:db8:2::1", television), first);
    assert_int_equal(sender("2001:db8:1::8", "2001:db8:2::1", phone), other);
    assert_int_equal(sender("192.168.1.7", "198.51.100.1", television), first);
    rewrite("2001:db8:1::7", "2001:db8:2::1", unknown, false);
    assert_int_equal(device(frame), first);
    assert_int_equal(device(frame + 6), 0); /* the router */
    weir_proof_clients_deinit(&clients);
}

static void test_without_hardware_addresses_each_address_is_a_device(void **state) {
    (void)state;
    unsigned first = sender("192.168.1.7", "198.51.100.1", unknown),
             second = sender("2001:db8:1::7", "2001:db8:2::1", unknown);
    assert_int_not_equal(first, second);
    assert_int_equal(sender("192.168.1.7", "198.51.100.1", unknown), first);
    weir_proof_clients_deinit(&clients);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_of_one_device_stay_together),
        cmocka_unit_test(test_without_hardware_addresses_each_address_is_a_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
