/* Between a producer of batches (files.c; an interface) and the workers that read them. */
#pragma once

#include <stdatomic.h>

#include <weir/capture.h>

#include "capture/reader.h"

enum {
    WEIR_BATCH_FRAMES = WEIR_BATCH_FRAMES_MAX, /* 160 KiB of frames ... */
    /* ... and their bytes: together well within a core's L2 cache */
    WEIR_BATCH_BYTES = 256 * 1024,
};

/* A batch while it is filled: the producer owns it then, alone. */
struct weir_batch_room {
    struct weir_frame *frames; /* WEIR_BATCH_FRAMES of them */
    size_t n_frames;
    /* of WEIR_BATCH_BYTES at the least; may be grown while no frame points into it */
    struct weir_buffer buffer;
    int64_t now_us; /* see struct weir_batch; 0 unless the producer sets it */
};

struct weir_producer {
    /* Fills the room with at least one frame, blocking for it (with none only when it sets now_us).
     * Returns 0; or WEIR_SOURCE_END or < 0 with the frames before it (maybe none), and is then not
     * called again. Never called by two threads at once. */
    int (*fill)(void *state, struct weir_batch_room *room, struct weir_fault *fault);
    /* Counters; called by the thread that fills, after each fill. */
    void (*stats)(const void *state, struct weir_source_stats *ret_stats);
    /* Bytes taken from disk up to this moment; any thread, during a fill too. NULL: as in the
     * stats. */
    uint64_t (*bytes_read)(const void *state);
    void (*free)(void *state);
    void (*resume)(void *state); /* goes on after an END that a stop made; NULL: cannot */
    /* Descriptors of packet sockets, to be listed before anything else runs; NULL: none. Returns
     * how many were listed. */
    size_t (*sockets)(const void *state, int *ret_descriptors, size_t room);
    bool ends_itself; /* after a stop, filling goes on until it says END (soon) */
};

/* Takes over `state`, also when it fails. `stop` is the flag that `state` watches, or NULL. */
int weir_source_new(struct weir_source **ret_source, const struct weir_producer *producer,
                    void *state, atomic_bool *stop, unsigned n_workers, struct weir_fault *fault);
