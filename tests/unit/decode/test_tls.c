/* TLS: records, hellos whole, split, cut at every byte and damaged, and the same as tshark reads in
 * captures. */
#include "wire_test.h"

#include <weir/wire.h>

#include "hello_builder.h"

static enum weir_wire record_of(const char *hex, struct weir_tls_record *record) {
    uint8_t bytes[64];
    size_t length = unhex(hex, bytes, sizeof bytes);
    uint8_t *copy = exact_copy(bytes, length);
    enum weir_wire wire = weir_tls_record(copy, length, record);
    free(copy);
    return wire;
}

static void test_records(void **state) {
    static const struct {
        const char *hex;
        enum weir_wire wire;
        uint8_t type;
        uint16_t length;
        uint8_t handshake_type;
        uint32_t handshake_len;
        uint8_t alert_level, alert_description;
    } rows[] = {
        {"", WEIR_WIRE_SHORT, 0, 0, 0, 0, 0, 0},
        {"16", WEIR_WIRE_SHORT, 0, 0, 0, 0, 0, 0},
        {"16030102", WEIR_WIRE_SHORT, 0, 0, 0, 0, 0, 0},
        {"1603010200", WEIR_WIRE_OK, 22, 512, 0, 0, 0, 0},
        {"160301020001", WEIR_WIRE_OK, 22, 512, 1, 0, 0, 0},
        {"1603010200010001fc", WEIR_WIRE_OK, 22, 512, 1, 508, 0, 0},
        {"160303007a02000076", WEIR_WIRE_OK, 22, 122, 2, 118, 0, 0},
        {"1603030028010000000000", WEIR_WIRE_OK, 22, 40, 1, 0, 0, 0},
        {"1603030028ff00001000", WEIR_WIRE_OK, 22, 40, 0, 0, 0, 0}, /* no such message: encrypted */
        {"160303002801ffffff00", WEIR_WIRE_OK, 22, 40, 0, 0, 0, 0}, /* a length no message has */
        {"160303000201000076", WEIR_WIRE_OK, 22, 2, 1, 0, 0,
         0}, /* the message goes on in the next record */
        {"15030300020228", WEIR_WIRE_OK, 21, 2, 0, 0, 2, 40},
        {"15030300020100", WEIR_WIRE_OK, 21, 2, 0, 0, 1, 0},
        {"150303000202", WEIR_WIRE_OK, 21, 2, 0, 0, 0, 0},
        {"150303001a0228", WEIR_WIRE_OK, 21, 26, 0, 0, 0, 0}, /* encrypted */
        {"15030300020928", WEIR_WIRE_OK, 21, 2, 0, 0, 0, 0},  /* no such level */
        {"140303000101", WEIR_WIRE_OK, 20, 1, 0, 0, 0, 0},
        {"1703034800", WEIR_WIRE_OK, 23, 18432, 0, 0, 0, 0},
        {"1703030000", WEIR_WIRE_OK, 23, 0, 0, 0, 0, 0},
        {"1703034801", WEIR_WIRE_NOT, 0, 0, 0, 0, 0, 0},
        {"1603030000", WEIR_WIRE_NOT, 0, 0, 0, 0, 0, 0},
        {"1303030001", WEIR_WIRE_NOT, 0, 0, 0, 0, 0, 0},
        {"18", WEIR_WIRE_NOT, 0, 0, 0, 0, 0, 0},
        {"1602", WEIR_WIRE_NOT, 0, 0, 0, 0, 0, 0},
        {"1603050010", WEIR_WIRE_NOT, 0, 0, 0, 0, 0, 0},
        {"474554202f", WEIR_WIRE_NOT, 0, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct weir_tls_record record;
        assert_int_equal(record_of(rows[i].hex, &record), rows[i].wire);
        assert_int_equal(record.type, rows[i].type);
        assert_int_equal(record.length, rows[i].length);
        assert_int_equal(record.handshake_type, rows[i].handshake_type);
        assert_int_equal(record.handshake_len, rows[i].handshake_len);
        assert_int_equal(record.alert_level, rows[i].alert_level);
        assert_int_equal(record.alert_description, rows[i].alert_description);
    }
}

static const char *const h2_http1[] = {"h2", "http/1.1", NULL};
static const char *const grease_h3[] = {"ZZ", "h3", NULL};

static enum weir_wire hello_of(const uint8_t *bytes, size_t length,
                               struct weir_client_hello *hello) {
    uint8_t *copy = exact_copy(bytes, length);
    enum weir_wire wire = weir_client_hello(copy, length, hello);
    free(copy);
    return wire;
}

static void test_hello(void **state) {
    uint8_t bytes[4096];
    struct weir_client_hello hello;
    struct hello_spec spec = {
        .sni = "NRDP.prod.ftl.Netflix.com", .alpn = h2_http1, .key_share_len = 32, .tls13 = true};
    size_t length = hello_build(&spec, bytes, sizeof bytes);
    assert_int_equal(hello_of(bytes, length, &hello), WEIR_WIRE_OK);
    assert_string_equal(hello.sni.text, "nrdp.prod.ftl.netflix.com");
    assert_int_equal(hello.sni.length, strlen(hello.sni.text));
    assert_string_equal(hello.alpn.text, "h2");
    assert_int_equal(hello.version, 0x0304);
    assert_false(hello.ech);

    bytes[length] = 0x16; /* what follows the message is not its own */
    assert_int_equal(hello_of(bytes, length + 1, &hello), WEIR_WIRE_OK);

    spec = (struct hello_spec){.sni = "a.example",
                               .sni_last = true,
                               .alpn = grease_h3,
                               .key_share_len = 1216,
                               .ech = true};
    length = hello_build(&spec, bytes, sizeof bytes);
    assert_true(length > 1400);
    assert_int_equal(hello_of(bytes, length, &hello), WEIR_WIRE_OK);
    assert_string_equal(hello.sni.text, "a.example");
    assert_string_equal(hello.alpn.text, "h3");
    assert_int_equal(hello.version, 0x0303);
    assert_true(hello.ech);
}

static void test_hello_without(void **state) {
    uint8_t bytes[512];
    struct weir_client_hello hello;
    size_t length = hello_build(&(struct hello_spec){.key_share_len = 32}, bytes, sizeof bytes);
    assert_int_equal(hello_of(bytes, length, &hello), WEIR_WIRE_OK);
    assert_int_equal(hello.sni.length, 0);
    assert_int_equal(hello.alpn.length, 0);
    length = hello_build(&(struct hello_spec){.no_extensions = true}, bytes, sizeof bytes);
    assert_int_equal(hello_of(bytes, length, &hello), WEIR_WIRE_OK);
    assert_int_equal(hello.version, 0x0303);
    length = hello_build(&(struct hello_spec){.sni = "not a name"}, bytes, sizeof bytes);
    assert_int_equal(hello_of(bytes, length, &hello), WEIR_WIRE_OK);
    assert_int_equal(hello.sni.length, 0);
}

/* Cut anywhere it is SHORT, and the name is known from where its last byte is there. */
static void test_every_cut(void **state) {
    uint8_t bytes[4096];
    for (int last = 0; last < 2; last++) {
        struct hello_spec spec = {.sni = "cdn.example",
                                  .sni_last = last,
                                  .alpn = h2_http1,
                                  .key_share_len = 1216,
                                  .tls13 = true,
                                  .ech = true};
        size_t length = hello_build(&spec, bytes, sizeof bytes);
        size_t name_end =
            (size_t)((uint8_t *)memmem(bytes, length, "cdn.example", 11) - bytes) + 11;
        for (size_t cut = 0; cut < length; cut++) {
            struct weir_client_hello hello;
            assert_int_equal(hello_of(bytes, cut, &hello), WEIR_WIRE_SHORT);
            assert_int_equal(hello.sni.length, cut >= name_end ? 11 : 0);
        }
    }
}

/* Any one byte changed: whatever the answer, it is bounded and every cut of it reads no byte too
 * many. */
static void test_every_damage(void **state) {
    uint8_t bytes[1024];
    struct hello_spec spec = {
        .sni = "cdn.example", .alpn = h2_http1, .key_share_len = 32, .tls13 = true};
    size_t length = hello_build(&spec, bytes, sizeof bytes);
    static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x10};
    unsigned n_not = 0;
    for (size_t at = 0; at < length; at++) {
        for (size_t flip = 0; flip < sizeof flips; flip++) {
            bytes[at] ^= flips[flip];
            struct weir_client_hello hello;
            n_not += hello_of(bytes, length, &hello) == WEIR_WIRE_NOT;
            hello_of(bytes, at, &hello);
            hello_of(bytes, at + 1, &hello);
            bytes[at] ^= flips[flip];
        }
    }
    assert_true(n_not >= 60); /* the message type and every length field: 15 bytes, 4 ways */
}

static void test_hello_lies(void **state) {
    uint8_t bytes[1024];
    struct weir_client_hello hello;
    struct hello_spec spec = {.sni = "cdn.example"};
    size_t length = hello_build(&spec, bytes, sizeof bytes);
    size_t name = (size_t)((uint8_t *)memmem(bytes, length, "cdn.example", 11) - bytes);
    bytes[name - 1]++; /* the name claims one byte more than its extension has */
    assert_int_equal(hello_of(bytes, length, &hello), WEIR_WIRE_NOT);
    assert_int_equal(hello.sni.length, 0);
    bytes[name - 1]--;
    /* the extension claims more than the message has, seen before that byte is */
    bytes[name - 6]++;
    assert_int_equal(hello_of(bytes, length - 1, &hello), WEIR_WIRE_NOT);
    bytes[name - 6]--;
    bytes[0] = 2;
    assert_int_equal(hello_of(bytes, length, &hello), WEIR_WIRE_NOT);
    /* 64 KiB of hello */
    assert_int_equal(hello_of((const uint8_t[]){1, 1, 0, 0}, 4, &hello), WEIR_WIRE_NOT);
}

/* Each hello of a capture that lies in one segment, against what tshark reads in it. */
static void compare_capture(const char *name, unsigned at_least) {
    char *path = capture_path(name);
    FILE *lines = path ? tshark_fields(path, "tls.handshake.type==1 && tcp",
                                       "-e tcp.payload -e tls.handshake.extensions_server_name "
                                       "-e tls.handshake.extensions_alpn_str")
                       : NULL;
    free(path);
    if (!lines) skip();
    static char line[1 << 17];
    static uint8_t bytes[1 << 16];
    unsigned n_compared = 0;
    while (fgets(line, sizeof line, lines)) {
        char *rest = line;
        size_t length = unhex(next_field(&rest), bytes, sizeof bytes);
        const char *sni = next_field(&rest), *alpn = next_field(&rest);
        struct weir_tls_record record;
        if (weir_tls_record(bytes, length, &record) != WEIR_WIRE_OK || record.handshake_type != 1)
            continue; /* the tail of a hello that tshark put together */
        struct weir_client_hello hello;
        enum weir_wire wire =
            hello_of(bytes + WEIR_TLS_RECORD_HEADER, length - WEIR_TLS_RECORD_HEADER, &hello);
        assert_int_equal(wire, length < WEIR_TLS_RECORD_HEADER + 4 + record.handshake_len
                                   ? WEIR_WIRE_SHORT
                                   : WEIR_WIRE_OK);
        assert_string_equal(hello.sni.text, sni);
        assert_string_equal(hello.alpn.text, alpn);
        n_compared++;
    }
    pclose(lines);
    assert_true(n_compared >= at_least);
}

static void test_capture_sites(void **state) { compare_capture("sites.pcapng", 50); }

static void test_capture_netflix(void **state) { compare_capture("netflix.pcap", 15); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),       cmocka_unit_test(test_hello),
        cmocka_unit_test(test_hello_without), cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_every_damage),  cmocka_unit_test(test_hello_lies),
        cmocka_unit_test(test_capture_sites), cmocka_unit_test(test_capture_netflix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
