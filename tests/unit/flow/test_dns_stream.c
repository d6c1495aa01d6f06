/* DNS over TCP put together again, however it was cut, mixed and repeated. */
#include "rig.h"

#include "flow/dns_stream.h"

enum { N_MESSAGES = 6, BYTES = 4000 };

struct text {
    uint8_t bytes[BYTES];
    uint32_t length;
};

/* Answers with ids 1, 2, 3 ..., of different lengths; the filler is what a careless reader takes
 * for a length or a header. */
static struct text make(void) {
    struct text text = {.length = 0};
    for (unsigned id = 1; id <= N_MESSAGES; id++) {
        uint32_t n = 12 + id * 97;
        uint8_t *at = text.bytes + text.length;
        const uint8_t header[14] = {
            (uint8_t)(n >> 8), (uint8_t)n, 0, (uint8_t)id, 0x81, 0x80, 0, 1, 0, 1};
        memset(at, id % 2 ? 0 : 0xff, n + 2);
        memcpy(at, header, sizeof header);
        text.length += n + 2;
    }
    assert(text.length <= BYTES);
    return text;
}

struct heard {
    unsigned n;
    uint8_t ids[64];
};

static void drain(struct dns_stream *stream, struct heard *heard) {
    const uint8_t *bytes;
    size_t length;
    while ((bytes = dns_stream_next(stream, &length))) {
        assert_in_range(bytes[1], 1, N_MESSAGES);
        assert_int_equal(length, 12 + bytes[1] * 97);
        assert_true(heard->n < 64);
        heard->ids[heard->n++] = bytes[1];
    }
}

static void assert_all_in_order(const struct heard *heard) {
    assert_int_equal(heard->n, N_MESSAGES);
    for (unsigned i = 0; i < N_MESSAGES; i++) assert_int_equal(heard->ids[i], i + 1);
}

static void test_any_cut(void **state) {
    struct text text = make();
    for (uint32_t step = 1; step <= text.length; step += step < 40 ? 1 : 37) {
        static struct dns_stream stream;
        struct heard heard = {0};
        uint32_t base = UINT32_MAX - 500; /* wraps on the way */
        dns_stream_begin(&stream, base, step & 1, true);
        for (uint32_t at = 0; at < text.length; at += step) {
            uint32_t n = text.length - at < step ? text.length - at : step;
            dns_stream_put(&stream, base + at, text.bytes + at, n);
            drain(&stream, &heard);
        }
        assert_all_in_order(&heard);
        assert_true(dns_stream_is_empty(&stream));
    }
}

/* Segments overtake one another, overlap and are sent again; the first seen may be any. */
static void test_any_order(void **state) {
    struct text text = make();
    uint32_t x = 7;
    for (unsigned round = 0; round < 500; round++) {
        static struct dns_stream stream;
        struct heard heard = {0};
        struct {
            uint32_t at, n;
        } parts[8];
        uint32_t base = x;
        for (unsigned i = 0; i < 8; i++) {
            parts[i].at = text.length / 8 * i;
            parts[i].n = i == 7 ? text.length - parts[i].at : text.length / 8 + (x >> 9) % 30;
        }
        for (unsigned i = 7; i > 0; i--) {
            x = x * 1664525 + 1013904223;
            unsigned k = (x >> 16) % (i + 1);
            uint32_t at = parts[i].at, n = parts[i].n;
            parts[i] = parts[k];
            parts[k].at = at;
            parts[k].n = n;
        }
        dns_stream_begin(&stream, base + parts[0].at, false, true);
        for (unsigned i = 0; i < 8; i++) {
            dns_stream_put(&stream, base + parts[i].at, text.bytes + parts[i].at, parts[i].n);
            drain(&stream, &heard);
            if (heard.n && x & 1) /* left of the window */
                dns_stream_put(&stream, base + parts[0].at, text.bytes + parts[0].at, parts[0].n);
        }
        drain(&stream, &heard);
        assert_int_equal(heard.ids[heard.n - 1], N_MESSAGES);
        for (unsigned i = 1; i < heard.n; i++) assert_int_equal(heard.ids[i], heard.ids[i - 1] + 1);
    }
}

static void test_missing_bytes_end(void **state) {
    struct text text = make();
    static struct dns_stream stream;
    struct heard heard = {0};
    dns_stream_begin(&stream, 100, true, true);
    dns_stream_put(&stream, 150, text.bytes, 50); /* 50 bytes before it never come */
    drain(&stream, &heard);
    assert_int_equal(heard.n, 0);
    dns_stream_put(&stream, 100 + 20000, text.bytes, text.length);
    drain(&stream, &heard);
    assert_all_in_order(&heard);
}

static void test_whole(void **state) {
    struct text text = make();
    assert_true(dns_stream_is_whole(text.bytes, text.length, true));
    assert_true(dns_stream_is_whole(text.bytes, 2 + 12 + 97, true));
    assert_false(dns_stream_is_whole(text.bytes, 2 + 12 + 98, true));
    assert_false(dns_stream_is_whole(text.bytes, 2 + 12 + 96, true));
    assert_false(dns_stream_is_whole(text.bytes, text.length, false));
    assert_false(dns_stream_is_whole(text.bytes + 1, text.length - 1, true));
    assert_false(dns_stream_is_whole(text.bytes, 0, true));
}

static void note(void *context, const uint8_t *bytes, size_t length) {
    struct heard *heard = context;
    heard->ids[heard->n++ & 63] = bytes[1];
}

/* Many streams at once: those that were heard last are kept apart. */
static void test_answers(void **state) {
    struct weir_dns_answers *answers;
    struct text text = make();
    struct heard heard = {0};
    assert_int_equal(weir_dns_answers_new(&answers), 0);
    for (uint32_t at = 0; at < text.length; at += 200) {
        for (uint16_t port = 1; port <= 20; port++) {
            uint32_t n = text.length - at < 200 ? text.length - at : 200;
            struct weir_packet packet = {.transport = WEIR_TRANSPORT_TCP,
                                         .src_port = 53,
                                         .dst_port = port,
                                         .payload = text.bytes + at,
                                         .payload_len = n,
                                         .payload_captured = n};
            packet.tcp.seq = 1000u * port + at;
            weir_dns_answers_segment(answers, 42, &packet, note, &heard);
        }
    }
    assert_int_equal(heard.n, 20 * N_MESSAGES);
    weir_dns_answers_free(answers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut),           cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_missing_bytes_end), cmocka_unit_test(test_whole),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
