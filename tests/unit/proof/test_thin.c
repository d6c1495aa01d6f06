/* A transfer is joined; where it begins and ends, its round trips and its faults stay. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proof/thin.h"

enum { MANY = 400, SEGMENT = 1448 };

static struct {
    struct weir_proof_entry entry;
    uint8_t payload[32];
} made[MANY];
static struct weir_proof_entry *list[MANY];
static size_t n_made;

static struct weir_proof_entry *add(int64_t ts_us, bool from_client) {
    assert_true(n_made < MANY);
    struct weir_proof_entry *entry = &made[n_made].entry;
    memset(&made[n_made], 0, sizeof made[n_made]);
    *entry = (struct weir_proof_entry){.ts_us = ts_us,
                                       .from_client = from_client,
                                       .src_port = from_client ? 50000 : 443,
                                       .dst_port = from_client ? 443 : 50000,
                                       .transport = WEIR_TRANSPORT_TCP,
                                       .tcp_flags = WEIR_TCP_ACK,
                                       .window = 500,
                                       .options = WEIR_PROOF_TIMESTAMPS,
                                       .size = sizeof made[n_made]};
    list[n_made++] = entry;
    return entry;
}

static struct weir_proof_entry *data(int64_t ts_us, uint32_t seq, uint32_t bytes) {
    struct weir_proof_entry *entry = add(ts_us, false);
    entry->seq = seq;
    entry->payload_len = bytes;
    entry->bulk = bytes >= 1000;
    entry->kept = 24;
    entry->tsval = (uint32_t)(ts_us / 1000);
    return entry;
}

static void acknowledge(int64_t ts_us, uint32_t number, uint32_t tsecr) {
    struct weir_proof_entry *entry = add(ts_us, true);
    entry->ack = number;
    entry->tsecr = tsecr;
}

/* `n` segments, one each `every_us`, each second one acknowledged after 300 us. The next number. */
static uint32_t transfer(int64_t begin_us, uint32_t seq, unsigned n, int64_t every_us) {
    for (unsigned i = 0; i < n; i++, seq += SEGMENT) {
        const struct weir_proof_entry *sent = data(begin_us + i * every_us, seq, SEGMENT);
        if (i % 2 || i + 1 == n) acknowledge(sent->ts_us + 300, seq + SEGMENT, sent->tsval);
    }
    return seq;
}

static uint32_t bytes_of(size_t n) {
    uint32_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += list[i]->payload_len;
    return bytes;
}

static size_t thin_all(void) {
    size_t n = n_made;
    for (unsigned grain = 0; grain < WEIR_PROOF_GRAINS; grain++)
        n = weir_proof_thin(list, n, grain);
    return n;
}

static int setup(void **state) {
    n_made = 0;
    return 0;
}

/* What a reader measures: nothing is acknowledged before it was seen, numbers go on without a hole,
 * and the last byte's time stamp comes back as late as it did. */
static void test_a_transfer(void **state) {
    uint32_t end = transfer(1000000, 7000, 100, 1000);
    size_t n = thin_all();
    assert_true(n < 20);
    assert_int_equal(bytes_of(n), 100 * SEGMENT);
    assert_int_equal(list[0]->ts_us, 1000000);
    assert_int_equal(list[0]->payload_len, SEGMENT);
    uint32_t next = 7000, acknowledged = 7000;
    int64_t last_us = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(list[i]->ts_us >= last_us);
        last_us = list[i]->ts_us;
        if (list[i]->payload_len) {
            assert_int_equal(list[i]->seq, next);
            next += list[i]->payload_len;
        } else {
            assert_true((int32_t)(list[i]->ack - next) <= 0);
            acknowledged = list[i]->ack;
        }
    }
    assert_int_equal(next, end);
    assert_int_equal(acknowledged, end);
    const struct weir_proof_entry *sent = list[n - 2], *answer = list[n - 1];
    assert_int_equal(sent->payload_len, SEGMENT); /* the last one is never joined */
    assert_int_equal(answer->ts_us - sent->ts_us, 300);
    assert_int_equal(answer->tsecr, sent->tsval);
}

/* A segment each 50 ms with its own acknowledgement, held back: how it waited must be seen. */
static void test_a_trickle_stays(void **state) {
    for (uint32_t i = 0; i < 40; i++) {
        data(1000000 + i * 50000, 7000 + i * SEGMENT, SEGMENT);
        acknowledge(1000000 + i * 50000 + 40000, 7000 + (i + 1) * SEGMENT, 0);
    }
    assert_int_equal(thin_all(), 80);
}

static void test_faults_stay(void **state) {
    uint32_t seq = transfer(1000000, 7000, 20, 1000);
    data(1021000, seq + SEGMENT, SEGMENT); /* behind a hole */
    struct weir_proof_entry *sack = add(1021300, true);
    sack->options |= WEIR_PROOF_SACK;
    sack->ack = seq;
    data(1022000, seq, SEGMENT); /* again */
    struct weir_proof_entry *closed = add(1022300, true);
    closed->window = 0;
    closed->ack = seq + 2 * SEGMENT;
    size_t n = thin_all(), found = 0;
    for (size_t i = 0; i < n; i++)
        found += list[i] == sack || list[i] == closed || list[i]->seq == seq ||
                 list[i]->seq == seq + SEGMENT;
    assert_int_equal(found, 4);
    assert_true(n < n_made / 2);
}

static struct weir_proof_entry *has(int64_t ts_us, uint32_t ack, uint32_t left, uint32_t right) {
    struct weir_proof_entry *entry = add(ts_us, true);
    entry->options |= WEIR_PROOF_SACK;
    entry->ack = ack;
    entry->sack_left = left;
    entry->sack_right = right;
    return entry;
}

/* A hole, and behind it `n` segments, each of which the client says to have. */
static uint32_t behind_a_hole(uint32_t hole, unsigned n) {
    uint32_t seq = hole + SEGMENT;
    for (unsigned i = 0; i < n; i++, seq += SEGMENT) {
        data(1000000 + i * 500, seq, SEGMENT);
        has(1000100 + i * 500, hole, hole + SEGMENT, seq + SEGMENT);
    }
    return seq;
}

/* What was lost is seen from the packet that shows the hole, at its own time, and from the filler.
 */
static void test_a_hole(void **state) {
    uint32_t hole = transfer(900000, 7000, 40, 1000), end = behind_a_hole(hole, 40);
    data(1020000, hole, SEGMENT);
    transfer(1020500, end, 40, 1000);
    size_t n = thin_all(), shown = 0, filled = 0;
    assert_int_equal(bytes_of(n), 121 * SEGMENT);
    for (size_t i = 0; i < n; i++) {
        shown += list[i]->seq == hole + SEGMENT && list[i]->ts_us == 1000000;
        filled += list[i]->seq == hole && list[i]->payload_len == SEGMENT;
    }
    assert_int_equal(shown, 1);
    assert_int_equal(filled, 1);
    assert_true(n < 30);
}

/* A way that loses: bursts a round trip apart, one packet of each is lost and sent again in the
 * next. The coarsest grain takes a fifth of what was left, and no loss. */
static void test_a_way_that_loses(void **state) {
    enum { BURSTS = 20, IN_BURST = 6 };
    uint32_t seq = 7000, lost = 0;
    for (int64_t burst = 0, at_us = 1000000; burst < BURSTS; burst++, at_us += 80000) {
        if (lost) data(at_us, lost, SEGMENT);
        lost = seq + 3 * SEGMENT;
        for (unsigned i = 0; i < IN_BURST; i++, seq += SEGMENT) {
            if (seq != lost) data(at_us + 100 + i * 1000, seq, SEGMENT);
            if (seq < lost)
                acknowledge(at_us + 30000 + i * 12000, seq + SEGMENT, 0);
            else if (seq > lost)
                has(at_us + 30000 + i * 12000, lost, lost + SEGMENT, seq + SEGMENT);
        }
    }
    size_t n = n_made, fine = 0, filled = 0;
    for (unsigned grain = 0; grain < WEIR_PROOF_GRAINS; grain++) {
        if (grain + 1 == WEIR_PROOF_GRAINS) fine = n;
        n = weir_proof_thin(list, n, grain);
    }
    uint32_t end = 7000;
    for (size_t i = 0; i < n; i++) {
        if (!list[i]->payload_len) continue;
        filled += list[i]->seq < end && list[i]->payload_len == SEGMENT;
        if (list[i]->seq + list[i]->payload_len > end) end = list[i]->seq + list[i]->payload_len;
    }
    assert_int_equal(filled, BURSTS - 1);
    assert_int_equal(bytes_of(n), (BURSTS * IN_BURST - 1) * SEGMENT);
    assert_true(n <= fine * 4 / 5);
}

/* Of two ranges the first is needed only where it is sent again. */
static void test_what_a_client_has(void **state) {
    for (int again = 0; again < 2; again++) {
        n_made = 0;
        uint32_t start = 7000;
        for (unsigned i = 0; i < 6; i++) {
            uint32_t seq = start + (2 * i + 1) * SEGMENT; /* each second one is lost */
            data(1000000 + i * 1000, seq, SEGMENT);
            has(1000100 + i * 1000, start, seq, seq + SEGMENT);
        }
        for (unsigned i = 0; i < 12; i++)
            if (again || i % 2 == 0) data(1040000 + i * 100, start + i * SEGMENT, SEGMENT);
        size_t n = weir_proof_thin(list, n_made, 0), words = 0;
        for (size_t i = 0; i < n; i++) words += list[i]->from_client;
        assert_int_equal(words, again ? 6 : 2);
    }
}

static void test_behind_a_reset(void **state) {
    uint32_t end = transfer(1000000, 7000, 20, 1000);
    add(1020000, true)->tcp_flags = WEIR_TCP_RST;
    for (int i = 0; i < 6; i++) {
        data(1100000 + i * 100000, end - SEGMENT, SEGMENT);
        add(1100100 + i * 100000, true)->tcp_flags = WEIR_TCP_RST;
    }
    data(1900000, end, SEGMENT); /* new: it stays */
    size_t n = thin_all(), resets = 0;
    for (size_t i = 0; i < n; i++) resets += list[i]->tcp_flags == WEIR_TCP_RST;
    assert_int_equal(resets, 1);
    assert_int_equal(bytes_of(n), 21 * SEGMENT);
}

/* What a client says ends a burst, and stays: the first byte behind it is exact. */
static void test_words_stay(void **state) {
    uint32_t seq = transfer(1000000, 7000, 20, 1000);
    struct weir_proof_entry *word = add(1019500, true);
    word->payload_len = 66;
    word->kept = 24;
    transfer(1020000, seq, 20, 1000);
    size_t n = thin_all(), at = 0;
    while (at < n && list[at] != word) at++;
    assert_true(at > 0 && at + 1 < n);
    assert_in_range(list[at - 1]->ts_us, 1019000, 1019500);
    assert_int_equal(list[at + 1]->ts_us, 1020000);
    assert_int_equal(list[at + 1]->payload_len, SEGMENT);
}

static void test_datagrams(void **state) {
    for (int i = 0; i < 60; i++) {
        struct weir_proof_entry *entry = data(1000000 + i * 1000, 0, 1350);
        entry->transport = WEIR_TRANSPORT_UDP;
        made[n_made - 1].payload[0] = 0x40; /* a short header */
        struct weir_proof_entry *answer = add(1000300 + i * 1000, true);
        answer->transport = WEIR_TRANSPORT_UDP;
        answer->payload_len = 33;
    }
    size_t n = thin_all();
    assert_true(n < 20);
    uint32_t down = 0;
    for (size_t i = 0; i < n; i++) down += list[i]->from_client ? 0 : list[i]->payload_len;
    assert_int_equal(down, 60 * 1350);
}

/* Behind the handshake nothing of the content is kept but the kind of record. */
static void test_content_goes(void **state) {
    transfer(1000000, 7000, 40, 1000);
    weir_proof_thin(list, n_made, 0);
    assert_int_equal(made[0].entry.kept, 24);
    assert_true(made[n_made - 2].entry.kept <= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_a_transfer, setup),
                                       cmocka_unit_test_setup(test_a_trickle_stays, setup),
                                       cmocka_unit_test_setup(test_faults_stay, setup),
                                       cmocka_unit_test_setup(test_a_hole, setup),
                                       cmocka_unit_test_setup(test_a_way_that_loses, setup),
                                       cmocka_unit_test_setup(test_what_a_client_has, setup),
                                       cmocka_unit_test_setup(test_behind_a_reset, setup),
                                       cmocka_unit_test_setup(test_words_stay, setup),
                                       cmocka_unit_test_setup(test_datagrams, setup),
                                       cmocka_unit_test_setup(test_content_goes, setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
