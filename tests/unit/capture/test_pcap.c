/* Classic pcap: byte orders, fractions, old formats, lies about lengths, and every way to be cut.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "forge.h"

static void every_byte_order_and_fraction(void **state) {
    for (int swapped = 0; swapped < 2; swapped++)
        for (int nano = 0; nano < 2; nano++) {
            struct forge *forge = forge_new(swapped);
            forge_pcap(forge, nano ? MAGIC_NANO : MAGIC_MICRO, 1);
            forge_record(forge, 1700000000, nano ? 123456789 : 123456, 5, 1500, 0xaa);
            forge_record(forge, 1700000001, 0, 0, 60, 0);
            forge_record(forge, 4294967295u, nano ? 999999999 : 999999, 3, 3, 0xbb);
            struct seen seen = see_bytes(forge->bytes, forge->n);
            assert_int_equal(seen.end, WEIR_SOURCE_END);
            assert_int_equal(seen.n_frames, 3);
            assert_int_equal(seen.frames[0].ts_us, INT64_C(1700000000123456));
            assert_int_equal(seen.frames[0].caplen, 5);
            assert_int_equal(seen.frames[0].wirelen, 1500);
            assert_memory_equal(seen.frames[0].data, "\xaa\xaa\xaa\xaa\xaa", 5);
            assert_int_equal(seen.frames[0].linktype, 1);
            assert_int_equal(seen.frames[1].caplen, 0);
            assert_int_equal(seen.frames[1].wirelen, 60);
            assert_int_equal(seen.frames[2].ts_us, INT64_C(4294967295999999));
            assert_int_equal(seen.stats.first_ts_us, INT64_C(1700000000123456));
            assert_int_equal(seen.stats.last_ts_us, INT64_C(4294967295999999));
            assert_int_equal(seen.stats.bytes, 1563);
            assert_int_equal(seen.stats.snaplen_cut, 2);
            assert_int_equal(seen.stats.bytes_read, forge->n);
            assert_int_equal(seen.stats.bytes_total, forge->n);
            seen_free(&seen);
            free(forge);
        }
}

static void stamps_of_1970(void **state) {
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 1);
    forge_record(forge, 0, 0, 1, 1, 1);
    forge_record(forge, 0, 7, 1, 1, 1);
    struct seen seen = see_bytes(forge->bytes, forge->n);
    assert_int_equal(seen.n_frames, 2);
    assert_int_equal(seen.frames[0].now_us, 0);
    assert_int_equal(seen.frames[1].now_us, 7);
    assert_int_equal(seen.stats.first_ts_us, 0);
    assert_int_equal(seen.stats.last_ts_us, 7);
    seen_free(&seen);
    free(forge);
}

static void kuznetzov_records_have_longer_headers(void **state) {
    for (int swapped = 0; swapped < 2; swapped++) {
        struct forge *forge = forge_new(swapped);
        forge_pcap(forge, MAGIC_KUZNETZOV, 1);
        for (uint32_t i = 0; i < 2; i++) {
            forge_record(forge, 10 + i, 20, 0, 2, 0);
            /* caplen, behind a header of 24 bytes */
            forge->bytes[forge->n - 8 + (swapped ? 3 : 0)] = 2;
            forge_bytes(forge, "\1\2\3\4\5\6\7\0", 8);
            forge_bytes(forge, "ab", 2);
        }
        struct seen seen = see_bytes(forge->bytes, forge->n);
        assert_int_equal(seen.end, WEIR_SOURCE_END);
        assert_int_equal(seen.n_frames, 2);
        assert_memory_equal(seen.frames[1].data, "ab", 2);
        assert_int_equal(seen.frames[1].ts_us, 11000020);
        seen_free(&seen);
        free(forge);
    }
}

static void check_sequence_bits_are_no_link_type(void **state) {
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 0x24000000u | 113);
    forge_record(forge, 1, 0, 1, 1, 1);
    struct seen seen = see_bytes(forge->bytes, forge->n);
    assert_int_equal(seen.n_frames, 1);
    assert_int_equal(seen.frames[0].linktype, 113);
    seen_free(&seen);
    free(forge);
}

static void a_wire_length_below_the_captured_is_raised(void **state) {
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 1);
    forge_record(forge, 1, 0, 60, 10, 1);
    struct seen seen = see_bytes(forge->bytes, forge->n);
    assert_int_equal(seen.frames[0].wirelen, 60);
    assert_int_equal(seen.stats.snaplen_cut, 0);
    seen_free(&seen);
    free(forge);
}

static void the_largest_record_passes_and_one_byte_more_is_a_fault(void **state) {
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 1);
    forge_record(forge, 1, 0, 60, 60, 1);
    forge_record(forge, 2, 0, 262144, 262144, 2);
    forge_record(forge, 3, 0, 60, 60, 3);
    size_t bad_at = forge->n;
    forge_record(forge, 4, 0, 262145, 262145, 4);
    struct seen seen = see_bytes(forge->bytes, forge->n);
    assert_int_equal(seen.n_frames, 3);
    assert_int_equal(seen.frames[1].caplen, 262144);
    assert_int_equal(seen.frames[1].data[262143], 2);
    assert_true(seen.end < 0);
    char offset[32];
    snprintf(offset, sizeof offset, "byte %zu: ", bad_at);
    assert_non_null(strstr(seen.fault.text, offset));
    assert_non_null(strstr(seen.fault.text, "262145"));
    seen_free(&seen);
    free(forge);
}

static void cut_anywhere_keeps_the_frames_before(void **state) {
    struct forge *forge = forge_new(false);
    size_t ends[5], n_ends = 0;
    forge_pcap(forge, MAGIC_MICRO, 1);
    ends[n_ends++] = forge->n;
    for (uint32_t i = 0; i < 4; i++) {
        forge_record(forge, i + 1, 0, i * 7, 100, (uint8_t)i);
        ends[n_ends++] = forge->n;
    }
    for (size_t n = 0; n <= forge->n; n++) {
        size_t whole = 0;
        while (whole + 1 < n_ends && ends[whole + 1] <= n) whole++;
        bool clean = n >= ends[0] && ends[whole] == n;
        struct seen seen = see_bytes(forge->bytes, n);
        assert_int_equal(seen.opened < 0, n < ends[0]);
        assert_int_equal(seen.n_frames, whole);
        if (seen.opened == 0) assert_int_equal(seen.end < 0, !clean);
        assert_int_equal(seen.fault.text[0] == '\0', clean);
        if (n > ends[0] && !clean) {
            char offset[32];
            snprintf(offset, sizeof offset, "byte %zu: cut", ends[whole]);
            assert_non_null(strstr(seen.fault.text, offset));
        }
        seen_free(&seen);
    }
    free(forge);
}

static void what_is_no_capture_says_so(void **state) {
    static const struct {
        const char *bytes;
        size_t n;
        const char *reason;
    } rows[] = {
        {"", 0, "byte 0: the file is empty"},
        {"abc", 3, "not a capture"},
        {"GET / HTTP/1.1\r\n\r\n, and so on", 28, "not a capture"},
        {"\xfd"
         "7zXZ\0rest",
         10, "xz"},
        {"snoop\0\0\0\0\0\0\2", 12, "snoop"},
        {"\xd4\xc3\xb2\xa1\x07\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0", 24, "version 7.4"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen seen = see_bytes(rows[i].bytes, rows[i].n);
        assert_true(seen.opened < 0);
        assert_non_null(strstr(seen.fault.text, rows[i].reason));
        assert_non_null(strstr(seen.fault.text, "/proc/self/fd/"));
        assert_null(strchr(seen.fault.text, '\n'));
    }
    const char *missing = "/nonexistent/evening.pcap", *folder = "/";
    struct seen seen = see(&missing, 1, NULL);
    assert_int_equal(seen.opened, -ENOENT);
    assert_non_null(strstr(seen.fault.text, "/nonexistent/evening.pcap: cannot be opened"));
    seen = see(&folder, 1, NULL);
    assert_int_equal(seen.opened, -EISDIR);
}

static void an_empty_capture_just_ends(void **state) {
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 1);
    struct seen seen = see_bytes(forge->bytes, forge->n);
    assert_int_equal(seen.end, WEIR_SOURCE_END);
    assert_int_equal(seen.n_frames, 0);
    assert_int_equal(seen.stats.first_ts_us, 0);
    free(forge);
}

static bool only_ethernet(uint16_t linktype) { return linktype == 1; }

static void a_link_type_that_nobody_decodes_is_refused(void **state) {
    struct weir_source_options options = {.n_workers = 1, .knows_linktype = only_ethernet};
    for (uint32_t linktype = 1; linktype <= 189; linktype += 188) {
        struct forge *forge = forge_new(false);
        forge_pcap(forge, MAGIC_MICRO, linktype);
        struct forge_file file = forge_file(forge->bytes, forge->n);
        const char *path = file.path;
        struct seen seen = see(&path, 1, &options);
        assert_int_equal(seen.opened < 0, linktype == 189);
        if (linktype == 189) assert_non_null(strstr(seen.fault.text, "link type 189"));
        free(forge);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_order_and_fraction),
        cmocka_unit_test(stamps_of_1970),
        cmocka_unit_test(kuznetzov_records_have_longer_headers),
        cmocka_unit_test(check_sequence_bits_are_no_link_type),
        cmocka_unit_test(a_wire_length_below_the_captured_is_raised),
        cmocka_unit_test(the_largest_record_passes_and_one_byte_more_is_a_fault),
        cmocka_unit_test(cut_anywhere_keeps_the_frames_before),
        cmocka_unit_test(what_is_no_capture_says_so),
        cmocka_unit_test(an_empty_capture_just_ends),
        cmocka_unit_test(a_link_type_that_nobody_decodes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
