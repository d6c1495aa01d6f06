/* DNS messages made by hand, a record at a time: answers, hints, cuts, loops; and what tshark reads
 * in captures. */
#include "wire_test.h"

#include <weir/wire.h>

struct message {
    uint8_t bytes[8192];
    size_t length;
};

enum { QNAME = 12 }; /* where the name asked for starts */

static void put(struct message *message, const void *bytes, size_t length) {
    assert(length <= sizeof message->bytes - message->length);
    memcpy(message->bytes + message->length, bytes, length);
    message->length += length;
}

static void put_be(struct message *message, uint32_t value, unsigned size) {
    while (size-- > 0) put(message, &(uint8_t){(uint8_t)(value >> 8 * size)}, 1);
}

static void put_name(struct message *message, const char *name) {
    while (*name) {
        size_t length = strcspn(name, ".");
        put_be(message, (uint32_t)length, 1);
        put(message, name, length);
        name += length + (name[length] == '.');
    }
    put_be(message, 0, 1);
}

static struct message begin(uint16_t flags, unsigned n_answers, unsigned n_others,
                            const char *qname, uint16_t qtype) {
    struct message message = {.length = 0};
    put_be(&message, 0xbeef, 2);
    put_be(&message, flags, 2);
    put_be(&message, 1, 2);
    put_be(&message, n_answers, 2);
    put_be(&message, 0, 2);
    put_be(&message, n_others, 2);
    put_name(&message, qname);
    put_be(&message, qtype, 2);
    put_be(&message, 1, 2);
    return message;
}

/* A record whose owner is the name at `owner`. */
static void put_record(struct message *message, size_t owner, uint16_t type, uint32_t ttl_s,
                       const void *data, size_t length) {
    put_be(message, (uint32_t)(0xc000 | owner), 2);
    put_be(message, type, 2);
    put_be(message, 1, 2);
    put_be(message, ttl_s, 4);
    put_be(message, (uint32_t)length, 2);
    put(message, data, length);
}

static enum weir_wire parse(const struct message *message, size_t length,
                            struct weir_dns_message *dns) {
    uint8_t *copy = exact_copy(message->bytes, length);
    enum weir_wire wire = weir_dns_message(copy, length, dns);
    free(copy);
    return wire;
}

static enum weir_wire parse_all(const struct message *message, struct weir_dns_message *dns) {
    return parse(message, message->length, dns);
}

static void assert_addr(const struct weir_dns_message *dns, unsigned i, const char *text,
                        uint32_t ttl_s) {
    char got[WEIR_ADDR_TEXT_MAX];
    assert_true(i < dns->n_addrs);
    assert_string_equal(weir_addr_text(&dns->addrs[i].addr, got), text);
    assert_int_equal(dns->addrs[i].ttl_s, ttl_s);
}

static const uint8_t v4[] = {198, 51, 100, 7};
static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

static void test_query(void **state) {
    struct weir_dns_message dns;
    struct message message = begin(0x0100, 0, 0, "Api-Global.NETFLIX.com", WEIR_DNS_HTTPS);
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
    assert_int_equal(dns.id, 0xbeef);
    assert_int_equal(dns.qtype, WEIR_DNS_HTTPS);
    assert_false(dns.response || dns.truncated || dns.cut);
    assert_string_equal(dns.qname.text, "api-global.netflix.com");
    for (size_t cut = 0; cut < message.length; cut++)
        assert_int_equal(parse(&message, cut, &dns), WEIR_WIRE_SHORT);
}

/* A chain of two CNAMEs, then A and AAAA: the addresses are the name's that was asked for, in its
 * mixed case. */
static void test_chain(void **state) {
    struct weir_dns_message dns;
    struct message message = begin(0x8180, 4, 1, "wWw.ExAmPle.com", WEIR_DNS_A);
    put_record(&message, QNAME, WEIR_DNS_CNAME, 300,
               "\x03"
               "cdn\xc0\x10",
               6);
    size_t alias = message.length - 6;
    put_record(&message, alias, WEIR_DNS_CNAME, 300,
               "\x04"
               "edge\xc0\x10",
               7);
    put_record(&message, alias, WEIR_DNS_A, 20, v4, 4);
    put_record(&message, alias, WEIR_DNS_AAAA, 0, v6, 16);
    /* additional: a name server's, not an answer */
    put_record(&message, alias, WEIR_DNS_A, 60, v4, 4);
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
    assert_true(dns.response);
    assert_int_equal(dns.rcode, WEIR_DNS_NOERROR);
    assert_string_equal(dns.qname.text, "www.example.com");
    assert_int_equal(dns.n_addrs, 2);
    assert_addr(&dns, 0, "198.51.100.7", 20);
    assert_addr(&dns, 1, "2001:db8::1", 0);
    assert_false(dns.cut);
}

static void test_service_hints(void **state) {
    struct weir_dns_message dns;
    struct message message = begin(0x8180, 2, 0, "example.com", WEIR_DNS_HTTPS),
                   data = {.length = 0};
    put_be(&data, 1, 2);
    put_name(&data, "svc.example.com");
    put(&data, "\0\1\0\3\2h3", 7); /* alpn */
    put_be(&data, 4, 2);
    put_be(&data, 8, 2);
    put(&data, v4, 4);
    put(&data, "\xc6\x33\x64\x08", 4);
    put_be(&data, 6, 2);
    put_be(&data, 16, 2);
    put(&data, v6, 16);
    put_record(&message, QNAME, WEIR_DNS_HTTPS, 120, data.bytes, data.length);
    put_record(&message, QNAME, WEIR_DNS_HTTPS, 120, "\0\0\0", 3); /* alias form, root target */
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
    assert_int_equal(dns.n_addrs, 3);
    assert_addr(&dns, 1, "198.51.100.8", 120);
    assert_addr(&dns, 2, "2001:db8::1", 120);
    /* a record that ends inside its own fields */
    for (size_t length = 0; length < data.length; length++) {
        message = begin(0x8180, 1, 0, "example.com", WEIR_DNS_HTTPS);
        put_record(&message, QNAME, WEIR_DNS_SVCB, 120, data.bytes, length);
        bool between_fields = length == 19 || length == 26 || length == 38;
        assert_int_equal(parse_all(&message, &dns), between_fields ? WEIR_WIRE_OK : WEIR_WIRE_NOT);
    }
    message = begin(0x8180, 1, 0, "example.com", WEIR_DNS_HTTPS);
    put_record(&message, QNAME, WEIR_DNS_HTTPS, 120, "\0\1\0\0\4\0\3abc",
               10); /* a hint of three bytes */
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
}

static void test_rcodes(void **state) {
    static const uint16_t rcodes[] = {0, 1, 2, 3, 5, 9};
    struct weir_dns_message dns;
    for (size_t i = 0; i < sizeof rcodes / sizeof rcodes[0]; i++) {
        struct message message =
            begin((uint16_t)(0x8180 | rcodes[i]), 0, 0, "a.example", WEIR_DNS_A);
        assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
        assert_int_equal(dns.rcode, rcodes[i]);
    }
    static const struct {
        uint32_t opt_ttl;
        uint8_t rcode;
    } edns[] = {
        {0, 2}, {0x01000000, 0x12}, {0x0f008000, 0xf2}, {0x10000000, 255}, {0xff000000, 255},
    };
    for (size_t i = 0; i < sizeof edns / sizeof edns[0]; i++) {
        struct message message = begin(0x8182, 0, 1, "a.example", WEIR_DNS_A);
        put(&message, "\0\0\x29\x04\xd0", 5);
        put_be(&message, edns[i].opt_ttl, 4);
        put_be(&message, 0, 2);
        assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
        assert_int_equal(dns.rcode, edns[i].rcode);
    }
}

static void test_ttl(void **state) {
    static const struct {
        uint32_t sent_s, ttl_s;
    } rows[] = {
        {0, 0},          {1, 1},          {604800, 604800}, {604801, 604800}, {0x7fffffff, 604800},
        {0x80000000, 0}, {0xffffffff, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct weir_dns_message dns;
        struct message message = begin(0x8180, 1, 0, "a.example", WEIR_DNS_A);
        put_record(&message, QNAME, WEIR_DNS_A, rows[i].sent_s, v4, 4);
        assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
        assert_addr(&dns, 0, "198.51.100.7", rows[i].ttl_s);
    }
}

/* Cut at every byte: SHORT up to the question's end, then OK with what is there; `cut` until the
 * last answer is whole. */
static void test_every_cut(void **state) {
    struct message message = begin(0x8380, 2, 1, "a.example", WEIR_DNS_A);
    size_t question_end = message.length;
    put_record(&message, QNAME, WEIR_DNS_A, 20, v4, 4);
    size_t first_end = message.length;
    put_record(&message, QNAME, WEIR_DNS_AAAA, 20, v6, 16);
    size_t answers_end = message.length;
    put(&message, "\0\0\x29\x04\xd0\x01\0\0\0\0\0", 11);
    for (size_t cut = 0; cut <= message.length; cut++) {
        struct weir_dns_message dns;
        assert_int_equal(parse(&message, cut, &dns),
                         cut < question_end ? WEIR_WIRE_SHORT : WEIR_WIRE_OK);
        if (cut < question_end) continue;
        assert_true(dns.truncated);
        assert_int_equal(dns.n_addrs, (cut >= first_end) + (cut >= answers_end));
        assert_int_equal(dns.cut, cut < answers_end);
        assert_int_equal(dns.rcode, cut == message.length ? 16 : 0);
    }
}

static void test_pointers(void **state) {
    struct weir_dns_message dns;
    struct message message = begin(0x8180, 1, 0, "a.example", WEIR_DNS_A);
    size_t at = message.length;
    /* itself, onwards, into the header */
    const size_t bad[] = {at, at + 1, at + 2, at + 100, 0x3fff, 0, 11};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        message = begin(0x8180, 1, 0, "a.example", WEIR_DNS_A);
        put_record(&message, bad[i], WEIR_DNS_A, 20, v4, 4);
        assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
    }
    message = begin(0x8180, 1, 0, "a.example", WEIR_DNS_A);
    message.bytes[QNAME] = 0xc0; /* the question's name points at itself, or ahead */
    message.bytes[QNAME + 1] = QNAME;
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
    message.bytes[QNAME + 1] = QNAME + 2;
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);

    /* Two owners that point at each other: the first of them points ahead. */
    message = begin(0x8180, 2, 0, "a.example", WEIR_DNS_A);
    put_record(&message, message.length + 16, WEIR_DNS_A, 20, v4, 4);
    put_record(&message, message.length - 16, WEIR_DNS_A, 20, v4, 4);
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);

    message = begin(0x8180, 1, 0, "a.example",
                    WEIR_DNS_A); /* labels of the kinds that were never defined */
    put(&message, "\x41", 1);
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
}

static void test_names(void **state) {
    static const struct {
        const char *label;
        size_t length;
        const char *qname;
    } rows[] = {
        {"\x03"
         "a.b\x01"
         "c",
         6, ""}, /* a dot inside a label is not two labels */
        {"\x03"
         "a b\x01"
         "c",
         6, ""},
        {"\x01"
         "*\x01"
         "c",
         4, ""},
        {"", 0, ""},
        {"\x01"
         "A\x01"
         "c",
         4, "a.c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct weir_dns_message dns;
        struct message message = begin(0x0100, 0, 0, "", WEIR_DNS_A);
        message.length = QNAME;
        put(&message, rows[i].label, rows[i].length);
        put(&message, "\0\0\x01\0\x01", 5);
        assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
        assert_string_equal(dns.qname.text, rows[i].qname);
    }
    char name[300];
    for (unsigned i = 0; i < sizeof name; i++) name[i] = i % 2 ? '.' : 'x';
    struct weir_dns_message dns;
    name[253] = '\0';
    struct message message = begin(0x0100, 0, 0, name, WEIR_DNS_A);
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
    assert_int_equal(dns.qname.length, 253);
    name[253] = '.';
    name[255] = '\0';
    message = begin(0x0100, 0, 0, name, WEIR_DNS_A);
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
}

static void test_refused(void **state) {
    struct weir_dns_message dns;
    struct message message = begin(0x2800, 0, 0, "a.example", WEIR_DNS_A); /* UPDATE */
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
    message = begin(0x0100, 0, 0, "a.example", WEIR_DNS_A);
    message.bytes[message.length - 1] = 3; /* class CHAOS */
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
    message = begin(0x0100, 0, 0, "a.example", WEIR_DNS_A);
    message.bytes[5] = 2;
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
    message = begin(0x0103, 0, 0, "a.example", WEIR_DNS_A); /* a query with an rcode */
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
    message = begin(0x8180, 1, 0, "a.example", WEIR_DNS_A);
    put_record(&message, QNAME, WEIR_DNS_A, 20, v6, 16);
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_NOT);
}

/* A response without its question: the first answer's owner is the name; a bare refusal has none.
 */
static void test_no_question(void **state) {
    struct weir_dns_message dns;
    struct message message = begin(0x8180, 2, 0, "www.example", WEIR_DNS_CNAME);
    message.bytes[5] = 0;
    put(&message,
        "\0\0\1\x2c\0\6\3"
        "cdn\xc0\x10",
        12);
    put_record(&message, message.length - 6, WEIR_DNS_A, 20, v4, 4);
    for (size_t cut = 0; cut <= message.length; cut++) {
        enum weir_wire wire = parse(&message, cut, &dns);
        assert_int_equal(wire, cut < QNAME + 13 + 4 ? WEIR_WIRE_SHORT : WEIR_WIRE_OK);
    }
    assert_true(dns.no_question);
    assert_string_equal(dns.qname.text, "www.example");
    assert_int_equal(dns.n_addrs, 1);
    assert_addr(&dns, 0, "198.51.100.7", 20);

    message = begin(0x8185, 0, 0, "", WEIR_DNS_A);
    message.bytes[5] = 0;
    assert_int_equal(parse(&message, QNAME, &dns), WEIR_WIRE_OK);
    assert_int_equal(dns.rcode, WEIR_DNS_REFUSED);
    assert_int_equal(dns.qname.length, 0);
    message.bytes[3] = 0x80; /* no question, no answer, no error */
    assert_int_equal(parse(&message, QNAME, &dns), WEIR_WIRE_NOT);
    message.bytes[2] = 0x01; /* a query of nothing */
    assert_int_equal(parse(&message, QNAME, &dns), WEIR_WIRE_NOT);
}

static void test_bounds(void **state) {
    struct weir_dns_message dns;
    struct message message = begin(0x8180, 40, 0, "a.example", WEIR_DNS_A);
    for (unsigned i = 0; i < 40; i++) put_record(&message, QNAME, WEIR_DNS_A, 20, v4, 4);
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
    assert_int_equal(dns.n_addrs, WEIR_DNS_ADDRS_MAX);
    assert_true(dns.cut);

    message = begin(0x8180, 600, 0, "a.example", WEIR_DNS_A); /* more records than anybody sends */
    for (unsigned i = 0; i < 600; i++) put_record(&message, QNAME, WEIR_DNS_CNAME, 20, "", 1);
    assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
    assert_true(dns.cut);
}

/* Each byte set to each of a few values: no cut of it is read past its end, and no count is passed.
 */
static void test_every_damage(void **state) {
    struct message message = begin(0x8180, 3, 1, "www.example", WEIR_DNS_HTTPS);
    put_record(&message, QNAME, WEIR_DNS_CNAME, 300,
               "\x03"
               "cdn\xc0\x10",
               6);
    put_record(&message, message.length - 6, WEIR_DNS_HTTPS, 20, "\0\1\0\0\4\0\4\1\2\3\4", 11);
    put_record(&message, QNAME, WEIR_DNS_A, 20, v4, 4);
    put(&message, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
    static const uint8_t values[] = {0, 1, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};
    unsigned n_not = 0;
    for (size_t at = 0; at < message.length; at++) {
        uint8_t before = message.bytes[at];
        for (size_t i = 0; i < sizeof values; i++) {
            struct weir_dns_message dns;
            message.bytes[at] = values[i];
            n_not += parse_all(&message, &dns) == WEIR_WIRE_NOT;
            assert_true(dns.n_addrs <= WEIR_DNS_ADDRS_MAX);
            parse(&message, at + 1, &dns);
        }
        message.bytes[at] = before;
    }
    assert_true(n_not > 0);
}

static void compare_capture(const char *name, unsigned at_least) {
    char *path = capture_path(name);
    FILE *lines =
        path
            ? tshark_fields(
                  path, "dns && udp.port==53 && !icmp && !icmpv6",
                  "-e udp.payload -e dns.qry.name -e dns.flags.response -e dns.flags.rcode -e dns.a -e dns.resp.name")
            : NULL;
    free(path);
    if (!lines) skip();
    static char line[1 << 14];
    static uint8_t bytes[1 << 13];
    unsigned n_compared = 0;
    while (fgets(line, sizeof line, lines)) {
        char *rest = line, got[WEIR_ADDR_TEXT_MAX];
        struct message message = {.length = unhex(next_field(&rest), bytes, sizeof bytes)};
        assert(message.length <= sizeof message.bytes);
        memcpy(message.bytes, bytes, message.length);
        struct weir_dns_message dns;
        assert_int_equal(parse_all(&message, &dns), WEIR_WIRE_OK);
        struct weir_host want;
        const char *qname = next_field(&rest);
        const char *response = next_field(&rest);
        assert_int_equal(dns.response, response[0] == '1' || response[0] == 'T');
        assert_int_equal(dns.rcode, atoi(next_field(&rest)));
        const char *addr = next_field(&rest);
        if (addr[0] && dns.n_addrs)
            assert_string_equal(weir_addr_text(&dns.addrs[0].addr, got), addr);
        assert_int_equal(addr[0] != '\0' && dns.qtype == WEIR_DNS_A,
                         dns.n_addrs > 0 && dns.qtype == WEIR_DNS_A);
        const char *owner = next_field(&rest);
        qname = dns.no_question ? owner : qname;
        weir_host_set(&want, qname, strlen(qname));
        assert_string_equal(dns.qname.text, want.text);
        n_compared++;
    }
    pclose(lines);
    assert_true(n_compared >= at_least);
}

static void test_capture_netflix(void **state) { compare_capture("netflix.pcap", 20); }

static void test_capture_clean(void **state) { compare_capture("short_clean_dump.pcap", 30); }

static void test_capture_servfail(void **state) { compare_capture("flow-drop-iponly-02.pcap", 5); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_service_hints),
        cmocka_unit_test(test_rcodes),
        cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_question),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_every_damage),
        cmocka_unit_test(test_capture_netflix),
        cmocka_unit_test(test_capture_clean),
        cmocka_unit_test(test_capture_servfail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
