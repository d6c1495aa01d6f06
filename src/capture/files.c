/* Frames out of one or several capture files: the producer behind weir_source_open_files().
 *
 * One file is read straight into the batch: what read(2) or the decompressor writes is what the
 * workers see, only the unfinished record at the end of a batch is copied to the next.
 *
 *      one file:       stream -------------------------> batch
 *      several files:  stream -> own buffer, window of frames --heap by stamp--> copied into the
 * batch
 *
 * In a merge each file is ahead by a window of frames in its own buffer; the smallest head goes
 * first (of equals, the earlier named file), so every file keeps its own order, whatever its stamps
 * do. A file that waits for its turn holds only a small buffer, so that a month of rotated captures
 * fits in memory. A file that turns out bad ends the run when the merge comes to the place, after
 * all frames that go before it.
 *
 * The filter comes before the clock: frames that are left out move nothing.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "capture/clock.h"
#include "capture/filter.h"
#include "capture/handle.h"
#include "capture/source.h"

enum {
    WINDOW_FRAMES = 64,
    GROWING_MS = 100, /* longest time without a batch */
    /* what was stamped so long ago has arrived, unless the pipe stands still */
    GROWING_LAG_US = 1000000,
    /* for so long, behind the newest frame, time goes on by the wall clock */
    GROWING_MAX_US = 5000000,
    WAITING_BYTES = 16 * 1024, /* of a file whose turn has not come */
    LINKTYPES_MAX = 32,        /* on which a filter is tried at the start */
};
/* stamps below count from the capture's start: 0 is one of them */
#define RELATIVE_MAX_US (INT64_C(365) * 86400 * 1000000)

struct file {
    struct weir_reader reader;
    struct weir_buffer buffer;
    struct weir_frame *window; /* frames read ahead; unused for a single file */
    size_t at, n;              /* the next of them, and how many there are */
    int end;                   /* behind the window: WEIR_READER_END or < 0; 0: goes on */
    bool started;
    struct weir_fault why;
};

struct files {
    atomic_bool stop;
    struct weir_filter *filter; /* or NULL */
    struct weir_clock clock;
    struct weir_source_stats stats;
    bool growing;
    /* growing: when the newest frame came, by the monotonic clock and by the engine's */
    int64_t heard_us, heard_now_us;
    bool timeless; /* a frame had no stamp, or 0, and none came before it */
    size_t n_files;
    size_t n_heap;
    struct file **heap; /* the files that still have frames, smallest head first */
    struct file files[];
};

/* Stamps, counts and filters the frames of a batch in place; returns how many stay. */
static size_t admit(struct files *files, struct weir_frame *frames, size_t n) {
    struct weir_source_stats *stats = &files->stats;
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct weir_frame *frame = &frames[i];
        if (files->filter && !weir_filter_matches(files->filter, frame)) {
            stats->filtered++;
            continue;
        }
        frame->now_us = weir_clock_now(&files->clock, frame->ts_us);
        stats->bytes += frame->wirelen;
        stats->snaplen_cut += frame->caplen < frame->wirelen;
        if (frame->ts_us > stats->last_ts_us) stats->last_ts_us = frame->ts_us;
        if (frame->ts_us == 0)
            files->timeless = true;
        else if (frame->ts_us < stats->first_ts_us)
            stats->first_ts_us = frame->ts_us;
        if (n_kept != i) frames[n_kept] = *frame;
        n_kept++;
    }
    stats->packets += n_kept;
    return n_kept;
}

/* ---- a stream that grows ---- */

/* Nothing more is there: the engine's clock follows the wall clock, from the newest frame on. */
static int64_t quiet_clock(struct files *files) {
    int64_t quiet_us = weir_clock_us(CLOCK_MONOTONIC) - files->heard_us - GROWING_LAG_US;
    if (quiet_us > GROWING_MAX_US) quiet_us = GROWING_MAX_US;
    if (files->heard_us && quiet_us > 0 && files->heard_now_us + quiet_us > files->clock.now_us)
        files->clock.now_us = files->heard_now_us + quiet_us;
    return files->clock.now_us;
}

static int fill_from_growing(struct files *files, struct weir_batch_room *room,
                             struct weir_fault *fault) {
    struct weir_reader *reader = &files->files[0].reader;
    size_t n = 0;
    bool at_hand = weir_reader_left(reader) >= (reader->want ? reader->want : 1);
    if (!at_hand && !weir_stream_wait(reader->stream, GROWING_MS)) {
        room->now_us = quiet_clock(files);
        return 0;
    }
    int r = weir_reader_refill(reader, &room->buffer, fault);
    if (r == 0)
        r = weir_reader_walk(reader, &room->buffer, room->frames, WEIR_BATCH_FRAMES, &n, fault);
    room->n_frames = admit(files, room->frames, n);
    if (room->n_frames) {
        files->heard_us = weir_clock_us(CLOCK_MONOTONIC);
        files->heard_now_us = files->clock.now_us;
        room->now_us = files->clock.now_us;
    }
    return r < 0 ? r : r ? WEIR_SOURCE_END : 0;
}

static int fill_from_one(struct files *files, struct weir_batch_room *room,
                         struct weir_fault *fault) {
    struct weir_reader *reader = &files->files[0].reader;
    while (room->n_frames == 0) {
        if (atomic_load(&files->stop)) return WEIR_SOURCE_END;
        int r = weir_reader_refill(reader, &room->buffer, fault);
        if (r < 0) return r;
        size_t n;
        r = weir_reader_walk(reader, &room->buffer, room->frames, WEIR_BATCH_FRAMES, &n, fault);
        room->n_frames = admit(files, room->frames, n);
        if (r != 0) return r < 0 ? r : WEIR_SOURCE_END;
    }
    return 0;
}

static int64_t head_us(const struct file *file) { return file->window[file->at].ts_us; }

static bool goes_before(const struct file *a, const struct file *b) {
    int64_t a_us = head_us(a), b_us = head_us(b);
    return a_us < b_us || (a_us == b_us && a < b);
}

/* Lets the file at `i` sink to where it belongs. */
static void sift_down(struct files *files, size_t i) {
    struct file **heap = files->heap;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= files->n_heap) return;
        if (child + 1 < files->n_heap && goes_before(heap[child + 1], heap[child])) child++;
        if (!goes_before(heap[child], heap[i])) return;
        struct file *file = heap[i];
        heap[i] = heap[child];
        heap[child] = file;
        i = child;
    }
}

/* Makes sure that the file has a head. Returns 0, WEIR_READER_END or < 0. */
static int read_ahead(struct file *file, struct weir_fault *fault) {
    if (file->at < file->n) return 0;
    file->at = file->n = 0;
    if (file->end == 0) {
        if (file->started && file->buffer.capacity < WEIR_BATCH_BYTES) {
            struct weir_buffer small = file->buffer;
            file->buffer = (struct weir_buffer){0};
            int r = weir_buffer_grow(&file->buffer, WEIR_BATCH_BYTES);
            if (r == 0)
                r = weir_reader_refill(&file->reader, &file->buffer, &file->why);
            else
                weir_reader_fault(&file->reader, &file->why, r, "out of memory");
            free(small.bytes);
            file->end = r;
        }
        file->started = true;
    }
    if (file->end == 0)
        file->end = weir_reader_walk(&file->reader, &file->buffer, file->window, WINDOW_FRAMES,
                                     &file->n, &file->why);
    if (file->n > 0) return 0;
    return file->end < 0 ? weir_fault_set(fault, file->end, "%s", file->why.text) : file->end;
}

static void let_memory_go(struct file *file) {
    free(file->buffer.bytes);
    free(file->window);
    file->buffer = (struct weir_buffer){0};
    file->window = NULL;
}

/* After the first file's head was taken: puts the file where its next head belongs. 0 or < 0. */
static int advance(struct files *files, struct weir_fault *fault) {
    struct file *file = files->heap[0];
    file->at++;
    int r = read_ahead(file, fault);
    if (r < 0) return r;
    if (r == WEIR_READER_END) {
        let_memory_go(file);
        files->heap[0] = files->heap[--files->n_heap];
    }
    sift_down(files, 0);
    return 0;
}

/* Every file's first head, then the heap. */
static int build_heap(struct files *files, struct weir_fault *fault) {
    for (size_t i = 0; i < files->n_files; i++) {
        int r = read_ahead(&files->files[i], fault);
        if (r < 0) return r;
        if (r == 0)
            files->heap[files->n_heap++] = &files->files[i];
        else
            let_memory_go(&files->files[i]);
    }
    for (size_t i = files->n_heap / 2; i-- > 0;) sift_down(files, i);
    return 0;
}

static int fill_from_many(struct files *files, struct weir_batch_room *room,
                          struct weir_fault *fault) {
    int r = files->files[0].started ? 0 : build_heap(files, fault);
    size_t used = 0;
    while (r == 0 && files->n_heap > 0 && room->n_frames < WEIR_BATCH_FRAMES) {
        struct file *file = files->heap[0];
        struct weir_frame *frame = &room->frames[room->n_frames];
        *frame = file->window[file->at];
        if (frame->caplen > room->buffer.capacity - used)
            return 0; /* never the first one: WEIR_CAPLEN_MAX fits */
        if (atomic_load_explicit(&files->stop, memory_order_relaxed)) return WEIR_SOURCE_END;
        if (admit(files, frame, 1)) {
            memcpy(room->buffer.bytes + used, frame->data, frame->caplen);
            frame->data = room->buffer.bytes + used;
            used += frame->caplen;
            room->n_frames++;
        }
        r = advance(files, fault);
    }
    return r < 0 ? r : files->n_heap == 0 ? WEIR_SOURCE_END : 0;
}

static_assert((size_t)WEIR_BATCH_BYTES >= WEIR_CAPLEN_MAX, "an empty batch has room for any frame");

static int files_fill(void *state, struct weir_batch_room *room, struct weir_fault *fault) {
    struct files *files = state;
    if (files->growing) return fill_from_growing(files, room, fault);
    return files->n_files == 1 ? fill_from_one(files, room, fault)
                               : fill_from_many(files, room, fault);
}

static uint64_t files_bytes_read(const void *state) {
    const struct files *files = state;
    uint64_t bytes = 0;
    for (size_t i = 0; i < files->n_files; i++)
        bytes += weir_stream_bytes_read(files->files[i].reader.stream);
    return bytes;
}

static void files_stats(const void *state, struct weir_source_stats *ret_stats) {
    const struct files *files = state;
    *ret_stats = files->stats;
    if (files->stats.last_ts_us == 0 ||
        (files->timeless && files->stats.last_ts_us < RELATIVE_MAX_US))
        ret_stats->first_ts_us = 0;
    for (size_t i = 0; i < files->n_files; i++)
        ret_stats->dropped_kernel += files->files[i].reader.dropped;
    ret_stats->time_backwards = files->clock.n_backwards;
    ret_stats->clock_steps = files->clock.n_steps;
    ret_stats->clock_offset_us = files->clock.offset_us;
    ret_stats->bytes_read = files_bytes_read(files);
}

static void files_free(void *state) {
    struct files *files = state;
    for (size_t i = 0; i < files->n_files; i++) {
        let_memory_go(&files->files[i]);
        weir_reader_deinit(&files->files[i].reader);
    }
    weir_filter_free(files->filter);
    free(files->heap);
    free(files);
}

static void files_resume(void *state) { atomic_store(&((struct files *)state)->stop, false); }

static const struct weir_producer files_producer = {
    .fill = files_fill,
    .stats = files_stats,
    .bytes_read = files_bytes_read,
    .free = files_free,
    .resume = files_resume,
};

/* The smallest sum that a progress bar can believe in: 0 as soon as one file's size is unknown. */
static void sum_bytes_total(struct files *files) {
    files->stats.bytes_total = 0;
    for (size_t i = 0; i < files->n_files; i++) {
        uint64_t bytes = weir_stream_bytes_total(files->files[i].reader.stream);
        if (bytes == 0) {
            files->stats.bytes_total = 0;
            return;
        }
        files->stats.bytes_total += bytes;
    }
}

static int open_file(struct files *files, const char *path, bool alone,
                     const struct weir_source_options *options, struct weir_fault *fault) {
    struct file *file = &files->files[files->n_files];
    if (weir_buffer_grow(&file->buffer, WAITING_BYTES) < 0 ||
        (!alone && !(file->window = malloc(WINDOW_FRAMES * sizeof *file->window)))) {
        let_memory_go(file);
        return weir_fault_set(fault, -ENOMEM, "out of memory");
    }
    int r = weir_reader_init(&file->reader, path, &file->buffer, &files->stop,
                             options->knows_linktype, fault);
    if (r < 0)
        let_memory_go(file);
    else
        files->n_files++;
    return r;
}

static int set_filter(struct files *files, const char *expression, struct weir_fault *fault) {
    uint16_t linktypes[LINKTYPES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < files->n_files && n < LINKTYPES_MAX; i++)
        n += weir_reader_linktypes(&files->files[i].reader, linktypes + n, LINKTYPES_MAX - n);
    return weir_filter_new(&files->filter, expression, linktypes, n, fault);
}

static int refuse_stdin_twice(const char *const *paths, size_t n_paths, struct weir_fault *fault) {
    size_t n_stdin = 0;
    for (size_t i = 0; i < n_paths; i++) n_stdin += strcmp(paths[i], "-") == 0;
    return n_stdin <= 1 ? 0 : weir_fault_set(fault, -EINVAL, "stdin (-) is given more than once");
}

int weir_source_open_files(struct weir_source **ret_source, const char *const *paths,
                           size_t n_paths, const struct weir_source_options *options,
                           struct weir_fault *fault) {
    if (n_paths == 0) return weir_fault_set(fault, -EINVAL, "no capture file is given");
    int r = refuse_stdin_twice(paths, n_paths, fault);
    if (r < 0) return r;
    struct files *files = calloc(1, sizeof *files + n_paths * sizeof files->files[0]);
    if (!files) return weir_fault_set(fault, -ENOMEM, "out of memory");
    files->stats.first_ts_us = INT64_MAX;
    files->growing = options->growing && n_paths == 1;
    files->heap = calloc(n_paths, sizeof *files->heap);
    r = files->heap ? 0 : weir_fault_set(fault, -ENOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < n_paths; i++)
        r = open_file(files, paths[i], n_paths == 1, options, fault);
    if (r == 0 && options->filter && options->filter[0])
        r = set_filter(files, options->filter, fault);
    if (r < 0) {
        files_free(files);
        return r;
    }
    sum_bytes_total(files);
    return weir_source_new(ret_source, &files_producer, files, &files->stop, options->n_workers,
                           fault);
}
