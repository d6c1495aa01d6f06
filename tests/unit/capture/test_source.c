/* Merging, sharing between workers, filtering, clock repair and stopping: the source as its workers
 * see it. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "forge.h"

/* A capture of frames stamped as listed (seconds, ended by -1); each one's data are its stamp and
 * the file's tag. */
static struct forge_file forge_stamps(const int *stamps_s, uint8_t tag, size_t n_cut) {
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 1);
    for (; *stamps_s >= 0; stamps_s++) forge_record(forge, (uint32_t)*stamps_s, 0, 40, 40, tag);
    struct forge_file file = forge_file(forge->bytes, forge->n - n_cut);
    free(forge);
    return file;
}

static void assert_order(const struct seen *seen, const char *tags) {
    assert_int_equal(seen->n_frames, strlen(tags));
    for (size_t i = 0; i < seen->n_frames; i++) assert_int_equal(seen->frames[i].data[0], tags[i]);
}

static void files_are_merged_by_stamp_and_keep_their_own_order(void **state) {
    struct forge_file files[] = {
        /* 105 is late, and stays behind 110 */
        forge_stamps((int[]){100, 110, 105, 130, -1}, 'a', 0),
        forge_stamps((int[]){-1}, 'b', 0),
        forge_stamps((int[]){90, 105, 110, 111, 140, -1}, 'c', 0),
        forge_stamps((int[]){100, 100, -1}, 'd', 0),
    };
    const char *paths[] = {files[0].path, files[1].path, files[2].path, files[3].path};
    struct seen seen = see(paths, 4, NULL);
    assert_int_equal(seen.end, WEIR_SOURCE_END);
    /*                    90 100 100 100 105 110 105 110 111 130 140 */
    assert_order(&seen, "caddcaaccac");
    assert_int_equal(seen.stats.time_backwards, 1);
    assert_int_equal(seen.frames[6].ts_us, 105000000);
    assert_int_equal(seen.frames[6].now_us, 110000000);
    seen_free(&seen);
}

static void a_bad_file_ends_the_merge_where_it_is_bad(void **state) {
    struct forge_file files[] = {
        forge_stamps((int[]){100, 120, 140, -1}, 'a', 0),
        forge_stamps((int[]){110, 130, 131, -1}, 'b', 7),
    };
    const char *paths[] = {files[0].path, files[1].path};
    struct seen seen = see(paths, 2, NULL);
    assert_true(seen.end < 0);
    assert_order(&seen, "abab");
    assert_non_null(strstr(seen.fault.text, files[1].path));
    assert_non_null(strstr(seen.fault.text, "byte 136: cut in mid-record"));
    seen_free(&seen);
    paths[1] = "/nonexistent";
    seen = see(paths, 2, NULL);
    assert_true(seen.opened < 0);
}

/* Many frames, some so large that they fill a batch's bytes, some so small that they fill its
 * frames. */
static struct forge *forge_mixed(uint32_t start_s, uint8_t tag) {
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 1);
    for (uint32_t i = 0; i < 9000; i++) forge_record(forge, start_s + i, 0, i % 5, 60, tag);
    for (uint32_t i = 0; i < 3; i++)
        forge_record(forge, start_s + 9000 + i, 0, 200000 + i, 200000 + i, tag);
    return forge;
}

static void a_merge_of_large_files_loses_nothing(void **state) {
    struct forge *a = forge_mixed(1000, 'a'), *b = forge_mixed(4000, 'b');
    struct forge_file files[] = {forge_file(a->bytes, a->n), forge_file(b->bytes, b->n)};
    const char *paths[] = {files[0].path, files[1].path};
    struct seen seen = see(paths, 2, NULL);
    struct seen one = see_bytes(a->bytes, a->n);
    assert_int_equal(one.n_frames, 9003);
    assert_int_equal(seen.end, WEIR_SOURCE_END);
    assert_int_equal(seen.n_frames, 2 * 9003);
    size_t n_a = 0, n_b = 0;
    for (size_t i = 0; i < seen.n_frames; i++) {
        const struct weir_frame *frame = &seen.frames[i];
        assert_true(i == 0 || frame->ts_us >= seen.frames[i - 1].ts_us);
        if (frame->caplen == 0) continue;
        size_t *n = frame->data[0] == 'a' ? &n_a : &n_b;
        while (one.frames[*n].caplen == 0) ++*n;
        assert_int_equal(frame->caplen, one.frames[*n].caplen);
        assert_int_equal(frame->data[frame->caplen - 1], frame->data[0]);
        ++*n;
    }
    assert_int_equal(n_a, 9003);
    assert_int_equal(n_b, 9003);
    seen_free(&seen);
    seen_free(&one);
    free(a);
    free(b);
}

struct worker {
    struct weir_source *source;
    unsigned index;
    unsigned pause_us; /* between batches, so that workers drift apart */
    uint64_t sum, n_frames, n_batches;
    int end;
    struct weir_fault fault;
    pthread_t thread;
};

static void *work(void *arg) {
    struct worker *worker = arg;
    const struct weir_batch *batch;
    while ((worker->end =
                weir_source_next(worker->source, worker->index, &batch, &worker->fault)) == 0) {
        assert(batch->index == worker->n_batches++);
        for (size_t i = 0; i < batch->n_frames; i++) {
            const struct weir_frame *frame = &batch->frames[i];
            for (uint32_t j = 0; j < frame->caplen; j += 16)
                worker->sum = worker->sum * 31 + frame->data[j];
            worker->sum = worker->sum * 31 + (uint64_t)frame->now_us + frame->caplen;
        }
        worker->n_frames += batch->n_frames;
        if (worker->pause_us > 0) usleep(worker->pause_us);
    }
    return NULL;
}

static void run_workers(struct weir_source *source, struct worker *workers, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        workers[i] = (struct worker){.source = source, .index = i, .pause_us = i * 300};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < n; i++) pthread_join(workers[i].thread, NULL);
}

static void every_worker_sees_the_same(void **state) {
    /* One file many times over: stamps go back each time, so the clock's repair is seen alike, too.
     * The last is cut. */
    struct forge *forge = forge_mixed(1000, 'x');
    struct forge_file whole = forge_file(forge->bytes, forge->n),
                      cut = forge_file(forge->bytes, forge->n - 1);
    for (size_t n_paths = 1; n_paths <= 5; n_paths += 4) {
        const char *paths[5] = {whole.path, whole.path, whole.path, whole.path, whole.path};
        paths[n_paths - 1] = cut.path;
        struct worker alone = {0}, workers[3];
        for (unsigned n = 1; n <= 3; n++) {
            struct weir_source *source;
            struct weir_source_options options = {.n_workers = n};
            assert_int_equal(weir_source_open_files(&source, paths, n_paths, &options, NULL), 0);
            run_workers(source, workers, n);
            weir_source_free(source);
            if (n == 1) alone = workers[0];
            for (unsigned i = 0; i < n; i++) {
                assert_true(workers[i].end < 0);
                assert_int_equal(workers[i].end, alone.end);
                assert_string_equal(workers[i].fault.text, alone.fault.text);
                assert_int_equal(workers[i].n_frames, alone.n_frames);
                assert_int_equal(workers[i].n_batches, alone.n_batches);
                assert_int_equal(workers[i].sum, alone.sum);
            }
        }
        assert_true(alone.n_batches > 3);
        /* the cut last frame ends the merge before the others' last, which have the same stamp */
        assert_int_equal(alone.n_frames, n_paths * 9002);
    }
    free(forge);
}

static void who_has_got_furthest_leads(void **state) {
    struct forge *forge = forge_mixed(1000, 'x');
    struct forge_file file = forge_file(forge->bytes, forge->n);
    const char *path = file.path;
    struct weir_source *source;
    const struct weir_batch *batch;
    struct weir_source_options options = {.n_workers = 2};
    assert_int_equal(weir_source_open_files(&source, &path, 1, &options, NULL), 0);
    assert_true(weir_source_leads(source, 0) && weir_source_leads(source, 1));
    assert_int_equal(weir_source_next(source, 0, &batch, NULL), 0);
    assert_true(weir_source_leads(source, 0) && !weir_source_leads(source, 1));
    assert_int_equal(weir_source_next(source, 1, &batch, NULL), 0);
    assert_true(weir_source_leads(source, 0) && weir_source_leads(source, 1));
    assert_int_equal(weir_source_next(source, 1, &batch, NULL), 0);
    assert_true(!weir_source_leads(source, 0) && weir_source_leads(source, 1));
    weir_source_free(source);
    free(forge);
}

static void one_worker_is_ahead_only_by_a_bound(void **state) {
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 1);
    for (uint32_t i = 0; i < 60000; i++) forge_record(forge, i, 0, 0, 60, 0);
    struct forge_file file = forge_file(forge->bytes, forge->n);
    const char *path = file.path;
    struct weir_source *source;
    struct weir_source_options options = {.n_workers = 2};
    assert_int_equal(weir_source_open_files(&source, &path, 1, &options, NULL), 0);
    struct worker fast = {.source = source, .index = 0};
    assert_int_equal(pthread_create(&fast.thread, NULL, work, &fast), 0);
    usleep(100000);
    struct weir_source_stats stats;
    weir_source_stats(source, &stats);
    assert_in_range(stats.packets, 1, 12 * 4096); /* 8 + 2 * 2 batches */
    struct worker slow = {.source = source, .index = 1};
    work(&slow);
    pthread_join(fast.thread, NULL);
    assert_int_equal(slow.n_frames, 60000);
    assert_int_equal(fast.n_frames, 60000);
    assert_int_equal(slow.sum, fast.sum);
    weir_source_free(source);
    free(forge);
}

static void a_source_can_be_dropped_at_any_time(void **state) {
    struct forge *forge = forge_mixed(1, 'x');
    struct forge_file file = forge_file(forge->bytes, forge->n);
    const char *paths[] = {file.path, file.path};
    for (unsigned held = 0; held < 6; held++)
        for (size_t n_paths = 1; n_paths <= 2; n_paths++) {
            struct weir_source *source;
            struct weir_source_options options = {.n_workers = 3};
            const struct weir_batch *batch;
            assert_int_equal(weir_source_open_files(&source, paths, n_paths, &options, NULL), 0);
            for (unsigned i = 0; i < held; i++)
                assert_int_equal(weir_source_next(source, i % 2, &batch, NULL), 0);
            weir_source_free(source);
        }
    weir_source_free(NULL);
    free(forge);
}

static void after_a_stop_all_get_what_is_filled_and_then_the_end(void **state) {
    struct forge *forge = forge_mixed(1, 'x');
    struct forge_file file = forge_file(forge->bytes, forge->n);
    const char *path = file.path;
    struct weir_source *source;
    struct weir_source_options options = {.n_workers = 2};
    const struct weir_batch *batch;
    assert_int_equal(weir_source_open_files(&source, &path, 1, &options, NULL), 0);
    assert_int_equal(weir_source_next(source, 0, &batch, NULL), 0);
    weir_source_stop(source);
    uint64_t n_filled = 1; /* and what was read ahead */
    while (weir_source_next(source, 0, &batch, NULL) == 0)
        assert_int_equal(batch->index, n_filled++);
    assert_in_range(n_filled, 1, 4);
    for (uint64_t i = 0; i < n_filled; i++) {
        assert_int_equal(weir_source_next(source, 1, &batch, NULL), 0);
        assert_int_equal(batch->index, i);
    }
    assert_int_equal(weir_source_next(source, 1, &batch, NULL), WEIR_SOURCE_END);
    weir_source_free(source);
    free(forge);
}

static void ignore(int signal) {}

static void a_read_that_blocks_is_ended_by_stop_and_a_signal(void **state) {
    int ends[2], kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[0], STDIN_FILENO);
    struct forge *forge = forge_new(false);
    forge_pcap(forge, MAGIC_MICRO, 1);
    assert_int_equal(write(ends[1], forge->bytes, forge->n), forge->n);
    const char *path = "-";
    struct worker worker = {0};
    struct weir_source_options options = {.n_workers = 1};
    assert_int_equal(weir_source_open_files(&worker.source, &path, 1, &options, NULL), 0);
    struct sigaction action = {.sa_handler = ignore}, old;
    sigaction(SIGUSR1, &action, &old);
    assert_int_equal(pthread_create(&worker.thread, NULL, work, &worker), 0);
    usleep(20000);
    pthread_kill(worker.thread, SIGUSR1); /* alone it changes nothing */
    usleep(20000);
    weir_source_stop(worker.source);
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 5;
    pthread_kill(worker.thread, SIGUSR1);
    assert_int_equal(pthread_timedjoin_np(worker.thread, NULL, &deadline), 0);
    assert_int_equal(worker.end, WEIR_SOURCE_END);
    weir_source_free(worker.source);
    sigaction(SIGUSR1, &old, NULL);
    dup2(kept, STDIN_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
    free(forge);
}

static void a_clock_set_back_is_repaired_and_counted(void **state) {
    struct forge_file file = forge_stamps((int[]){1000, 1010, 500, 501, 499, 502, -1}, 'a', 0);
    const char *path = file.path;
    struct seen seen = see(&path, 1, NULL);
    static const int64_t now_s[] = {1000, 1010, 1010, 1011, 1011, 1012};
    assert_int_equal(seen.n_frames, 6);
    for (size_t i = 0; i < 6; i++) assert_int_equal(seen.frames[i].now_us, now_s[i] * 1000000);
    assert_int_equal(seen.frames[2].ts_us, 500000000);
    assert_int_equal(seen.stats.clock_steps, 1);
    assert_int_equal(seen.stats.time_backwards, 1);
    assert_int_equal(seen.stats.clock_offset_us, 510000000);
    assert_int_equal(seen.stats.first_ts_us, 499000000);
    assert_int_equal(seen.stats.last_ts_us, 1010000000);
    seen_free(&seen);
}

/* An IPv4 UDP packet to `port`, behind `n_link` link bytes. */
static void forge_udp(uint8_t *packet, const uint8_t *link, size_t n_link, uint16_t port) {
    static const uint8_t ip[28] = {0x45, 0,   0, 28, 0, 0,   0, 0, 64, 17,   0,
                                   0,    192, 0, 2,  1, 192, 0, 2, 2,  0x30, 0x39};
    if (n_link) memcpy(packet, link, n_link);
    memcpy(packet + n_link, ip, sizeof ip);
    packet[n_link + 22] = (uint8_t)(port >> 8);
    packet[n_link + 23] = (uint8_t)port;
}

static void forge_packet(struct forge *forge, uint32_t interface, uint64_t ts_us,
                         const uint8_t *packet, uint32_t n) {
    uint8_t body[100] = {0};
    uint32_t words[] = {interface, (uint32_t)(ts_us >> 32), (uint32_t)ts_us, n, n};
    memcpy(body, words, sizeof words);
    memcpy(body + sizeof words, packet, n);
    forge_block(forge, 6, body, sizeof words + n);
}

static void a_filter_fits_every_link_type(void **state) {
    static const uint8_t ethernet[14] = {[12] = 8};
    uint8_t packet[64];
    struct forge *forge = forge_new(false);
    forge_section(forge);
    forge_interface(forge, 1, 0, -1, 0);   /* Ethernet */
    forge_interface(forge, 101, 0, -1, 0); /* raw IP, whose DLT_ differs */
    forge_interface(forge, 189, 0, -1, 0); /* USB, of which no filter knows ports */
    for (uint16_t i = 0; i < 4; i++) {
        forge_udp(packet, ethernet, 14, i % 2 ? 443 : 53);
        forge_packet(forge, 0, 1000000u * (10 - i), packet, 42);
        forge_udp(packet, NULL, 0, i % 2 ? 443 : 53);
        forge_packet(forge, 1, 1000000u * (20 + i), packet, 28);
        forge_packet(forge, 2, 1000000u * (30 + i), packet, 28);
    }
    struct forge_file file = forge_file(forge->bytes, forge->n);
    const char *paths[] = {file.path, file.path};
    for (size_t n_paths = 1; n_paths <= 2; n_paths++) {
        struct weir_source_options options = {.n_workers = 1, .filter = "udp port 443"};
        struct seen seen = see(paths, n_paths, &options);
        assert_int_equal(seen.end, WEIR_SOURCE_END);
        assert_int_equal(seen.n_frames, 4 * n_paths);
        assert_int_equal(seen.stats.filtered, 8 * n_paths);
        for (size_t i = 0; i < seen.n_frames; i++)
            assert_int_equal(seen.frames[i].data[seen.frames[i].caplen - 5], 443 & 0xff);
        assert_int_equal(seen.stats.last_ts_us, 23000000);
        seen_free(&seen);
        options.filter = "udp port 99";
        seen = see(paths, n_paths, &options);
        assert_int_equal(seen.end, WEIR_SOURCE_END);
        assert_int_equal(seen.n_frames, 0);
        assert_int_equal(seen.stats.first_ts_us, 0);
        options.filter = "udp prot 99";
        seen = see(paths, n_paths, &options);
        assert_int_equal(seen.opened, -EINVAL);
        assert_non_null(strstr(seen.fault.text, "filter \"udp prot 99\": "));
        assert_non_null(strstr(seen.fault.text, "syntax error"));
        options.filter = "";
        seen = see(paths, n_paths, &options);
        assert_int_equal(seen.n_frames, 12 * n_paths);
        seen_free(&seen);
    }
    free(forge);
}

static void a_bad_filter_is_found_in_an_empty_capture(void **state) {
    struct forge *forge = forge_new(false);
    forge_section(forge);
    struct forge_file file = forge_file(forge->bytes, forge->n);
    const char *path = file.path;
    struct weir_source_options options = {.n_workers = 1, .filter = "host"};
    struct seen seen = see(&path, 1, &options);
    assert_int_equal(seen.opened, -EINVAL);
    options.filter = "host 192.0.2.1";
    seen = see(&path, 1, &options);
    assert_int_equal(seen.end, WEIR_SOURCE_END);
    free(forge);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_merged_by_stamp_and_keep_their_own_order),
        cmocka_unit_test(a_bad_file_ends_the_merge_where_it_is_bad),
        cmocka_unit_test(a_merge_of_large_files_loses_nothing),
        cmocka_unit_test(every_worker_sees_the_same),
        cmocka_unit_test(who_has_got_furthest_leads),
        cmocka_unit_test(one_worker_is_ahead_only_by_a_bound),
        cmocka_unit_test(a_source_can_be_dropped_at_any_time),
        cmocka_unit_test(after_a_stop_all_get_what_is_filled_and_then_the_end),
        cmocka_unit_test(a_read_that_blocks_is_ended_by_stop_and_a_signal),
        cmocka_unit_test(a_clock_set_back_is_repaired_and_counted),
        cmocka_unit_test(a_filter_fits_every_link_type),
        cmocka_unit_test(a_bad_filter_is_found_in_an_empty_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
