/* Where workers meet: each delivers its block of every tick, and a tick is worked on when all
 * blocks of it are there (meeting.c). */
#pragma once

#include <weir/measure.h>

enum weir_meeting_part { WEIR_MEETING_MORE, WEIR_MEETING_LAST, WEIR_MEETING_FAILED };

struct weir_meeting_config {
    unsigned n_workers;
    /* of a worker in use at a time, with the one that it fills, <= WEIR_BLOCKS_MAX; 1: there is
     * only one worker, and the work is done before it goes on */
    unsigned n_blocks;
    bool own_thread; /* the work is done by a thread that does nothing else */
    /* Does a part of the work on a tick, whose blocks (one a worker) stay until it says that the
     * part was the last. Only one thread is in it at a time. FAILED: no further tick is of use. */
    enum weir_meeting_part (*work)(void *context, const struct weir_block *blocks);
    void *context;
};

struct weir_meeting; /* opaque */

/* 0 or -ENOMEM */
int weir_meeting_new(struct weir_meeting **ret_meeting, const struct weir_meeting_config *config);
void weir_meeting_free(struct weir_meeting *meeting);

/* Before the first block: starts the thread, if there is one. 0 or a negative errno. */
int weir_meeting_start(struct weir_meeting *meeting);
/* After the last one: all ticks are worked on, and the thread is gone. */
void weir_meeting_stop(struct weir_meeting *meeting);

/* Waits until there is room for one more block of this worker; at a window's end also until the
 * window before is done. A block that is the only one is done as it is delivered; where no thread
 * does the work, one of several workers works while it waits. */
void weir_meeting_wait(struct weir_meeting *meeting, unsigned worker, bool window_end);
/* Hands over the block of a tick. What it points to must stay until n_blocks - 1 more are
 * delivered. */
void weir_meeting_deliver(struct weir_meeting *meeting, unsigned worker,
                          const struct weir_block *block);
/* For a worker that has time: a part of the work, if any is due and nobody else is at it. */
void weir_meeting_help(struct weir_meeting *meeting);
/* True once a part has failed: reading on is useless. */
bool weir_meeting_failed(struct weir_meeting *meeting);
