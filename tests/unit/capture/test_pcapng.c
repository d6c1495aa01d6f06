/* pcapng: sections, interfaces, units of stamps, every packet block, unknown blocks, and damage. */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "forge.h"

#define T_S UINT64_C(1700000000)

static void all_blocks_in_both_byte_orders(void **state) {
    for (int swapped = 0; swapped < 2; swapped++) {
        struct forge *forge = forge_new(swapped);
        forge_section(forge);
        forge_block(forge, 0x0bad, "comment", 7);
        forge_interface(forge, 1, 0, -1, 0);
        forge_interface(forge, 113, 0, -1, 0);
        forge_epb(forge, 0, T_S * 1000000 + 5, 3, 100, 0xa1);
        forge_block(forge, 4, "names that nobody needs", 23);
        forge_epb(forge, 1, T_S * 1000000 + 6, 0, 10, 0);
        forge_pb(forge, 1, T_S * 1000000 + 7, 2, 1, 0xa2);
        forge_spb(forge, 5, 5, 0xa3);
        forge_isb(forge, 0, 3, 4);
        forge_isb(forge, 1, 0, 10);
        forge_isb(forge, 0, 5, 4);
        struct seen seen = see_bytes(forge->bytes, forge->n);
        assert_int_equal(seen.end, WEIR_SOURCE_END);
        assert_int_equal(seen.n_frames, 4);
        assert_int_equal(seen.frames[0].ts_us, T_S * 1000000 + 5);
        assert_int_equal(seen.frames[0].caplen, 3);
        assert_int_equal(seen.frames[0].wirelen, 100);
        assert_memory_equal(seen.frames[0].data, "\xa1\xa1\xa1", 3);
        assert_int_equal(seen.frames[1].linktype, 113);
        assert_int_equal(seen.frames[1].interface, 1);
        assert_int_equal(seen.frames[2].ts_us, T_S * 1000000 + 7);
        assert_int_equal(seen.frames[2].interface, 1);
        assert_int_equal(seen.frames[2].wirelen, 2);
        assert_int_equal(seen.frames[3].interface, 0);
        assert_int_equal(seen.frames[3].caplen, 5);
        assert_int_equal(seen.frames[3].ts_us, T_S * 1000000 + 7);
        assert_int_equal(seen.stats.dropped_kernel, 5 + 4 + 10);
        seen_free(&seen);
        free(forge);
    }
}

static void stamps_in_every_unit(void **state) {
    static const struct {
        int tsresol;
        int64_t offset_s;
        uint64_t units;
        int64_t ts_us;
    } rows[] = {
        {-1, 0, T_S * 1000000 + 1, INT64_C(1700000000000001)},
        {6, 0, T_S * 1000000 + 1, INT64_C(1700000000000001)},
        {9, 0, T_S * 1000000000 + 1999, INT64_C(1700000000000001)},
        {3, 0, T_S * 1000 + 250, INT64_C(1700000000250000)},
        {0, 0, T_S, INT64_C(1700000000000000)},
        {7, 0, T_S * 10000000 + 19, INT64_C(1700000000000001)},
        {10, 0, T_S * 10000000000 + 5000000000, INT64_C(1700000000500000)},
        {0x80 | 10, 0, T_S * 1024 + 512, INT64_C(1700000000500000)},
        {0x80 | 32, 0, T_S << 32 | UINT64_C(0x40000000), INT64_C(1700000000250000)},
        {0x80 | 0, 0, T_S, INT64_C(1700000000000000)},
        {6, 1600000000, 100000000u * UINT64_C(1000000), INT64_C(1700000000000000)},
        {6, -100, T_S * 1000000, INT64_C(1699999900000000)},
        /* lies, brought into the years that can be */
        {0, 0, UINT64_MAX, INT64_C(253402300799999999)},
        {6, 0, UINT64_MAX, INT64_C(253402300799999999)},
        {6, INT64_MAX, 1, INT64_C(253402300799999999)},
        {6, INT64_MIN, T_S * 1000000, 0},
        {6, -100, 5, 0},
        {0x80 | 127, 0, UINT64_MAX, 0},
        {127, 0, UINT64_MAX - 1, 0},
        {25, 0, UINT64_MAX, 1},
        {26, 0, UINT64_MAX - 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct forge *forge = forge_new(i % 2);
        forge_section(forge);
        forge_interface(forge, 1, 0, rows[i].tsresol, rows[i].offset_s);
        forge_epb(forge, 0, rows[i].units, 1, 1, 1);
        struct seen seen = see_bytes(forge->bytes, forge->n);
        assert_int_equal(seen.n_frames, 1);
        assert_int_equal(seen.frames[0].ts_us, rows[i].ts_us);
        seen_free(&seen);
        free(forge);
    }
}

static void a_simple_packet_is_cut_to_the_snaplen(void **state) {
    struct forge *forge = forge_new(false);
    forge_section(forge);
    forge_interface(forge, 1, 6, -1, 0);
    forge_spb(forge, 6, 1500, 0x11);
    struct seen seen = see_bytes(forge->bytes, forge->n);
    assert_int_equal(seen.n_frames, 1);
    assert_int_equal(seen.frames[0].caplen, 6);
    assert_int_equal(seen.frames[0].wirelen, 1500);
    assert_int_equal(seen.frames[0].ts_us, 0);
    seen_free(&seen);
    free(forge);
}

static void a_section_forgets_interfaces_and_may_turn_the_byte_order(void **state) {
    struct forge *forge = forge_new(false);
    forge_section(forge);
    forge_interface(forge, 1, 0, -1, 0);
    forge_interface(forge, 113, 0, -1, 0);
    forge_epb(forge, 1, 10, 1, 1, 1);
    forge_isb(forge, 1, 5, 0);
    forge->swapped = true;
    forge_section(forge);
    forge_interface(forge, 276, 0, 9, 0);
    forge_epb(forge, 0, 20000, 1, 1, 1);
    forge_isb(forge, 0, 2, 0);
    size_t bad_at = forge->n;
    forge_epb(forge, 1, 30000, 1, 1, 1);
    struct seen seen = see_bytes(forge->bytes, forge->n);
    assert_int_equal(seen.n_frames, 2);
    assert_int_equal(seen.frames[0].linktype, 113);
    assert_int_equal(seen.frames[1].linktype, 276);
    assert_int_equal(seen.frames[1].ts_us, 20);
    assert_int_equal(seen.stats.dropped_kernel, 7);
    assert_true(seen.end < 0);
    char offset[40];
    snprintf(offset, sizeof offset, "byte %zu: packet of interface 1", bad_at);
    assert_non_null(strstr(seen.fault.text, offset));
    seen_free(&seen);
    free(forge);
}

static void an_unknown_block_of_any_length_flows_past(void **state) {
    static uint8_t body[900000];
    struct forge *forge = forge_new(false);
    forge_section(forge);
    forge_block(forge, 0x40000bad, body, sizeof body);
    forge_interface(forge, 1, 0, -1, 0);
    forge_epb(forge, 0, 10, 1, 1, 0x77);
    struct seen seen = see_bytes(forge->bytes, forge->n);
    assert_int_equal(seen.end, WEIR_SOURCE_END);
    assert_int_equal(seen.n_frames, 1);
    assert_int_equal(seen.frames[0].data[0], 0x77);
    seen_free(&seen);
    /* cut inside it */
    seen = see_bytes(forge->bytes, 800000);
    assert_true(seen.end < 0);
    assert_non_null(strstr(seen.fault.text, "byte 800000: cut"));
    free(forge);
}

/* Each row damages one byte-aligned word of the third block, an enhanced packet of 4 bytes, after a
 * good one. */
static void damage_is_named_and_frames_before_are_kept(void **state) {
    static const struct {
        size_t word;
        uint32_t value;
        const char *reason;
    } rows[] = {
        {1, 0, "block length 0"},
        {1, 11, "block length 11"},
        {1, 37, "block length 37"},
        {1, 40, "cut in mid-record"},
        {1, 28, "enhanced packet block of 28 bytes"},
        {1, 2000000, "enhanced packet block of 2000000 bytes"},
        {2, 9, "interface 9, of 1"},
        {5, 5, "packet of 5 captured bytes in a block with room for 4"},
        {5, 0xffffffff, "4294967295 captured bytes"},
        {8, 99, "block length 36 is repeated as 99"},
        {0, 0x0a0d0d0a, "byte-order magic"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct forge *forge = forge_new(false);
        forge_section(forge);
        forge_interface(forge, 1, 0, -1, 0);
        forge_epb(forge, 0, 10, 4, 4, 1);
        size_t bad_at = forge->n;
        forge_epb(forge, 0, 11, 4, 4, 2);
        memcpy(forge->bytes + bad_at + 4 * rows[i].word, &rows[i].value, 4);
        struct seen seen = see_bytes(forge->bytes, forge->n);
        assert_int_equal(seen.n_frames, 1);
        assert_true(seen.end < 0);
        char offset[32];
        snprintf(offset, sizeof offset, "byte %zu: ", bad_at);
        assert_non_null(strstr(seen.fault.text, offset));
        assert_non_null(strstr(seen.fault.text, rows[i].reason));
        seen_free(&seen);
        free(forge);
    }
}

static void options_that_lie_are_ignored(void **state) {
    for (uint32_t length = 0; length < 300; length++) {
        struct forge *forge = forge_new(false);
        forge_section(forge);
        uint8_t body[24] = {1, 0, 0, 0, 0, 0, 0, 0, 9, 0, (uint8_t)length, (uint8_t)(length >> 8),
                            9};
        forge_block(forge, 1, body, sizeof body - length % 4);
        forge_epb(forge, 0, 5000, 1, 1, 1);
        struct seen seen = see_bytes(forge->bytes, forge->n);
        assert_int_equal(seen.end, WEIR_SOURCE_END);
        assert_int_equal(seen.n_frames, 1);
        assert_int_equal(seen.frames[0].ts_us, length >= 1 && length <= 12 ? 5 : 5000);
        seen_free(&seen);
        free(forge);
    }
}

static void cut_anywhere_keeps_the_frames_before(void **state) {
    struct forge *forge = forge_new(false);
    size_t ends[16], frames[16], n_ends = 0, n_frames = 0;
    for (int step = 0; step < 9; step++) {
        switch (step) {
        case 0:
        case 6: forge_section(forge); break;
        case 1:
        case 7: forge_interface(forge, 1, 0, -1, 0); break;
        case 2:
        case 8:
            forge_epb(forge, 0, 1000, 5, 5, 1);
            n_frames++;
            break;
        case 3: forge_block(forge, 0x0bad, "unknown", 7); break;
        case 4:
            forge_spb(forge, 3, 3, 1);
            n_frames++;
            break;
        case 5: forge_isb(forge, 0, 1, 1); break;
        }
        frames[n_ends] = n_frames;
        ends[n_ends++] = forge->n;
    }
    for (size_t n = 0; n <= forge->n; n++) {
        size_t whole = 0;
        while (whole < n_ends && ends[whole] <= n) whole++;
        bool clean = whole > 0 && ends[whole - 1] == n;
        struct seen seen = see_bytes(forge->bytes, n);
        assert_int_equal(seen.opened < 0, whole == 0);
        assert_int_equal(seen.n_frames, whole == 0 ? 0 : frames[whole - 1]);
        if (seen.opened == 0) assert_int_equal(seen.end < 0, !clean);
        assert_int_equal(seen.fault.text[0] == '\0', clean);
        seen_free(&seen);
    }
    free(forge);
}

static bool only_ethernet(uint16_t linktype) { return linktype == 1; }

static void unknown_link_types_pass_only_beside_known_ones(void **state) {
    struct weir_source_options options = {.n_workers = 1, .knows_linktype = only_ethernet};
    for (int beside = 0; beside < 2; beside++) {
        struct forge *forge = forge_new(false);
        forge_section(forge);
        forge_interface(forge, 189, 0, -1, 0);
        if (beside) forge_interface(forge, 1, 0, -1, 0);
        forge_epb(forge, 0, 10, 1, 1, 1);
        struct forge_file file = forge_file(forge->bytes, forge->n);
        const char *path = file.path;
        struct seen seen = see(&path, 1, &options);
        assert_int_equal(seen.end < 0, !beside);
        assert_int_equal(seen.n_frames, beside);
        if (!beside) assert_non_null(strstr(seen.fault.text, "link type 189 is not known"));
        seen_free(&seen);
        free(forge);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_blocks_in_both_byte_orders),
        cmocka_unit_test(stamps_in_every_unit),
        cmocka_unit_test(a_simple_packet_is_cut_to_the_snaplen),
        cmocka_unit_test(a_section_forgets_interfaces_and_may_turn_the_byte_order),
        cmocka_unit_test(an_unknown_block_of_any_length_flows_past),
        cmocka_unit_test(damage_is_named_and_frames_before_are_kept),
        cmocka_unit_test(options_that_lie_are_ignored),
        cmocka_unit_test(cut_anywhere_keeps_the_frames_before),
        cmocka_unit_test(unknown_link_types_pass_only_beside_known_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
