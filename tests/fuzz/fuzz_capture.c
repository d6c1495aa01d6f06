/* Any bytes as a capture file: every frame is walked and its last byte read; the formats must not
 * crash, over-read, give a frame that contradicts itself or go on for ever. */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <weir/capture.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void walk(const char *const *paths, size_t n_paths, size_t size) {
    struct weir_source_options options = {.n_workers = 1};
    struct weir_fault fault = {0};
    struct weir_source *source;
    if (weir_source_open_files(&source, paths, n_paths, &options, &fault) < 0) {
        assert(fault.text[0]);
        return;
    }
    const struct weir_batch *batch;
    uint64_t n = 0;
    int64_t now_us = 0;
    int r;
    while ((r = weir_source_next(source, 0, &batch, &fault)) == 0)
        for (size_t i = 0; i < batch->n_frames; i++) {
            const struct weir_frame *frame = &batch->frames[i];
            assert(frame->wirelen >= frame->caplen);
            assert(frame->ts_us >= 0 && frame->now_us >= now_us);
            now_us = frame->now_us;
            if (frame->caplen > 0)
                sink = (uint8_t)(frame->data[0] ^ frame->data[frame->caplen - 1]);
            n++;
        }
    assert(r == WEIR_SOURCE_END || fault.text[0]);
    struct weir_source_stats stats;
    weir_source_stats(source, &stats);
    assert(stats.packets == n);
    assert(stats.bytes_read <= size * n_paths);
    weir_source_free(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        if (fd >= 0) close(fd);
        return 0;
    }
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const char *paths[] = {path, path};
    walk(paths, 1, size);
    walk(paths, 2, size);
    close(fd);
    return 0;
}
