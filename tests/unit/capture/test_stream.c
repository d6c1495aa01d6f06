/* Byte streams: plain, gzip and zstd, from files and pipes, whole, cut and damaged. */
#undef NDEBUG
#include <assert.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "capture/stream.h"
#include "forge.h"

enum { PLAIN_MAX = 700000 };

static size_t gzip(const void *plain, size_t n, uint8_t *packed, size_t room) {
    z_stream z = {0};
    assert(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)plain;
    z.avail_in = (uInt)n;
    z.next_out = packed;
    z.avail_out = (uInt)room;
    assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    size_t length = room - z.avail_out;
    deflateEnd(&z);
    return length;
}

static size_t zstd(const void *plain, size_t n, uint8_t *packed, size_t room) {
    size_t length = ZSTD_compress(packed, room, plain, n, 3);
    assert(!ZSTD_isError(length));
    return length;
}

static size_t copy(const void *plain, size_t n, uint8_t *packed, size_t room) {
    assert(n <= room);
    memcpy(packed, plain, n);
    return n;
}

static const struct {
    const char *name;
    size_t (*pack)(const void *plain, size_t n, uint8_t *packed, size_t room);
} packings[] = {{"plain", copy}, {"gzip", gzip}, {"zstd", zstd}};
enum { N_PACKINGS = sizeof packings / sizeof packings[0] };

/* A capture with text-like and random data, so that packing changes its size. */
static struct forge *forge_capture(uint32_t n_frames) {
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 1);
    uint32_t random = 1;
    for (uint32_t i = 0; i < n_frames; i++) {
        forge_record(forge, 1000 + i, i, i * 37 % 1500, 1500, (uint8_t)i);
        for (uint32_t j = 0; j < i * 37 % 1500 / 2; j++) {
            random = random * 1664525 + 1013904223;
            forge->bytes[forge->n - 1 - j] = (uint8_t)(random >> 24);
        }
    }
    return forge;
}

static void packed_captures_equal_the_plain_one(void **state) {
    struct forge *forge = forge_capture(900);
    uint8_t *packed = malloc(2 * PLAIN_MAX);
    struct seen plain = see_bytes(forge->bytes, forge->n);
    assert_int_equal(plain.n_frames, 900);
    for (size_t p = 1; p < N_PACKINGS; p++) {
        size_t n = packings[p].pack(forge->bytes, forge->n, packed, 2 * PLAIN_MAX);
        struct seen seen = see_bytes(packed, n);
        assert_true(seen_equal(&plain, &seen));
        assert_int_equal(seen.stats.bytes_read, n);
        assert_int_equal(seen.stats.bytes_total, n);
        seen_free(&seen);
        /* in several members, cut anywhere in the plain bytes, an empty one between */
        n = packings[p].pack(forge->bytes, 1001, packed, 2 * PLAIN_MAX);
        n += packings[p].pack(forge->bytes, 0, packed + n, 2 * PLAIN_MAX - n);
        n += packings[p].pack(forge->bytes + 1001, forge->n - 1001, packed + n, 2 * PLAIN_MAX - n);
        seen = see_bytes(packed, n);
        assert_true(seen_equal(&plain, &seen));
        seen_free(&seen);
    }
    /* gzip is padded with zero bytes on tapes; zstd has frames to skip, also as the first */
    size_t n = gzip(forge->bytes, forge->n, packed, 2 * PLAIN_MAX);
    memset(packed + n, 0, 1000);
    struct seen seen = see_bytes(packed, n + 1000);
    assert_true(seen_equal(&plain, &seen));
    seen_free(&seen);
    memcpy(packed, "\x53\x2a\x4d\x18\4\0\0\0skip", 12);
    n = zstd(forge->bytes, forge->n, packed + 12, 2 * PLAIN_MAX);
    seen = see_bytes(packed, n + 12);
    assert_true(seen_equal(&plain, &seen));
    seen_free(&seen);
    seen_free(&plain);
    free(packed);
    free(forge);
}

static void a_cut_packed_capture_gives_its_frames_and_says_cut(void **state) {
    struct forge *forge = forge_capture(30);
    uint8_t *packed = malloc(2 * PLAIN_MAX);
    struct seen plain = see_bytes(forge->bytes, forge->n);
    for (size_t p = 1; p < N_PACKINGS; p++) {
        size_t length = packings[p].pack(forge->bytes, forge->n, packed, 2 * PLAIN_MAX), most = 0;
        for (size_t n = 4; n < length; n += n < 100 || n + 117 > length ? 1 : 97) {
            struct seen seen = see_bytes(packed, n);
            assert_true(seen.opened < 0 || seen.end < 0);
            assert_non_null(strstr(seen.fault.text, "(uncompressed): the "));
            assert_non_null(strstr(seen.fault.text, " stream is cut"));
            assert_in_range(seen.n_frames, 0, plain.n_frames);
            for (size_t i = 0; i < seen.n_frames; i++)
                assert_memory_equal(seen.frames[i].data, plain.frames[i].data,
                                    plain.frames[i].caplen);
            most = seen.n_frames > most ? seen.n_frames : most;
            seen_free(&seen);
        }
        if (packings[p].pack == gzip)
            assert_int_equal(most, plain.n_frames); /* only the check sum was cut off */
    }
    seen_free(&plain);
    free(packed);
    free(forge);
}

static void damage_in_a_packed_capture_is_a_fault(void **state) {
    struct forge *forge = forge_capture(30);
    uint8_t *packed = malloc(2 * PLAIN_MAX);
    size_t n = gzip(forge->bytes, forge->n, packed, 2 * PLAIN_MAX);
    packed[n - 6] ^= 1; /* the check sum */
    struct seen seen = see_bytes(packed, n);
    assert_int_equal(seen.n_frames, 30);
    assert_true(seen.end < 0);
    assert_non_null(strstr(seen.fault.text, "gzip stream is damaged: incorrect data check"));
    seen_free(&seen);
    packed[n - 6] ^= 1;
    memcpy(packed + n, "garbage", 7);
    seen = see_bytes(packed, n + 7);
    assert_int_equal(seen.n_frames, 30);
    assert_non_null(strstr(seen.fault.text, "followed by something else"));
    seen_free(&seen);

    n = zstd(forge->bytes, forge->n, packed, 2 * PLAIN_MAX);
    memcpy(packed + n, "garbage!", 8);
    seen = see_bytes(packed, n + 8);
    assert_int_equal(seen.n_frames, 30);
    assert_non_null(strstr(seen.fault.text, "zstd stream is damaged"));
    seen_free(&seen);

    size_t inner = gzip("\x1f\x8b\x08\0 packed twice", 18, packed, 2 * PLAIN_MAX);
    seen = see_bytes(packed, inner);
    assert_true(seen.opened < 0);
    assert_non_null(strstr(seen.fault.text, "packed twice"));
    /* one that only pretends */
    seen = see_bytes("\x1f\x8bnonsense that is not gzip", 27);
    assert_true(seen.opened < 0);
    assert_non_null(strstr(seen.fault.text, "damaged"));
    free(packed);
    free(forge);
}

struct pipe_writer {
    int fd;
    const uint8_t *bytes;
    size_t n, step;
};

static void *write_pipe(void *arg) {
    struct pipe_writer *writer = arg;
    for (size_t done = 0; done < writer->n;) {
        size_t n = writer->n - done < writer->step ? writer->n - done : writer->step;
        ssize_t written = write(writer->fd, writer->bytes + done, n);
        assert(written > 0);
        done += (size_t)written;
    }
    close(writer->fd);
    return NULL;
}

static void stdin_is_read_whatever_it_is_packed_in(void **state) {
    struct forge *forge = forge_capture(300);
    uint8_t *packed = malloc(2 * PLAIN_MAX);
    struct seen plain = see_bytes(forge->bytes, forge->n);
    int kept = dup(STDIN_FILENO);
    for (size_t p = 0; p < N_PACKINGS; p++)
        for (size_t step = 1; step <= 100000; step = step == 1 ? 997 : step * 100) {
            int ends[2];
            pthread_t thread;
            assert_int_equal(pipe(ends), 0);
            assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
            close(ends[0]);
            size_t n = packings[p].pack(forge->bytes, forge->n, packed, 2 * PLAIN_MAX);
            struct pipe_writer writer = {.fd = ends[1], .bytes = packed, .n = n, .step = step};
            assert_int_equal(pthread_create(&thread, NULL, write_pipe, &writer), 0);
            const char *path = "-";
            struct seen seen = see(&path, 1, NULL);
            pthread_join(thread, NULL);
            assert_true(seen_equal(&plain, &seen));
            assert_int_equal(seen.stats.bytes_total, 0);
            assert_int_equal(seen.stats.bytes_read, n);
            seen_free(&seen);
        }
    dup2(kept, STDIN_FILENO);
    close(kept);
    const char *twice[] = {"-", "-"};
    struct seen seen = see(twice, 2, NULL);
    assert_true(seen.opened < 0);
    assert_non_null(strstr(seen.fault.text, "more than once"));
    seen_free(&plain);
    free(packed);
    free(forge);
}

static void a_pipe_is_answered_before_it_ends(void **state) {
    int ends[2], kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    struct forge *forge = forge_capture(4);
    assert_int_equal(write(ends[1], forge->bytes, forge->n - 5), forge->n - 5);
    const char *path = "-";
    struct weir_source *source;
    struct weir_source_options options = {.n_workers = 1};
    assert_int_equal(weir_source_open_files(&source, &path, 1, &options, NULL), 0);
    const struct weir_batch *batch;
    size_t n = 0;
    while (n < 3) {
        assert_int_equal(weir_source_next(source, 0, &batch, NULL), 0);
        n += batch->n_frames;
    }
    assert_int_equal(write(ends[1], forge->bytes + forge->n - 5, 5), 5);
    assert_int_equal(weir_source_next(source, 0, &batch, NULL), 0);
    close(ends[1]);
    assert_int_equal(weir_source_next(source, 0, &batch, NULL), WEIR_SOURCE_END);
    weir_source_free(source);
    dup2(kept, STDIN_FILENO);
    close(kept);
    free(forge);
}

static void a_name_is_shown_in_one_line(void **state) {
    char path[600];
    memset(path, 'x', sizeof path - 1);
    path[599] = '\0';
    memcpy(path + 580, "evil\nname\x1b[31m.pcap", 18);
    struct weir_fault fault = {0};
    struct weir_stream *stream;
    assert_true(weir_stream_open(&stream, path, NULL, &fault) < 0);
    assert_null(strpbrk(fault.text, "\n\x1b"));
    assert_non_null(strstr(fault.text, "evil?name?[31m.pc"));
    assert_non_null(strstr(fault.text, "cannot be opened: "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_captures_equal_the_plain_one),
        cmocka_unit_test(a_cut_packed_capture_gives_its_frames_and_says_cut),
        cmocka_unit_test(damage_in_a_packed_capture_is_a_fault),
        cmocka_unit_test(stdin_is_read_whatever_it_is_packed_in),
        cmocka_unit_test(a_pipe_is_answered_before_it_ends),
        cmocka_unit_test(a_name_is_shown_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
