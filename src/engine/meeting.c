/* Who works on a tick, and when.
 *
 *      worker 0 --block--> queue \
 *      worker 1 --block--> queue  > all blocks of the next tick are there: work, part by part, one
 * thread at a time worker 2 --block--> queue /
 *
 * Queues are short, so that no worker waits while a tick of the past is worked on (a few ticks
 * apart, and within a window: learning is a window late). The work is done by the worker that has
 * got furthest in the packets, while the others catch up. A thread of its own would be one more
 * than there are cores, and take one from a worker that the others then wait for
 * (tests/bench/README.md). Only where workers have an interface to empty there is one: a tick must
 * not keep them. A busy second's takes tens of milliseconds, and a sink or a disk may take more; an
 * interface's ring is full by then.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "engine/meeting.h"

struct queue {
    struct weir_block blocks[WEIR_BLOCKS_MAX];
    uint64_t n_ticks, n_windows; /* delivered */
};

struct weir_meeting {
    struct weir_meeting_config config;
    pthread_mutex_t lock; /* of everything below */
    /* a tick has all its blocks, or a part was done, or no more will come */
    pthread_cond_t changed;
    struct queue *queues;        /* one a worker */
    struct weir_block *blocks;   /* of the tick that is worked on, one a worker */
    uint64_t n_ticks, n_windows; /* done */
    bool begun;                  /* a part of the tick is done */
    bool working;                /* somebody is at it */
    bool ending, failed;
    pthread_t thread;
    bool has_thread;
};

int weir_meeting_new(struct weir_meeting **ret_meeting, const struct weir_meeting_config *config) {
    struct weir_meeting *meeting = calloc(1, sizeof *meeting);
    if (!meeting) return -ENOMEM;
    meeting->config = *config;
    pthread_mutex_init(&meeting->lock, NULL);
    pthread_cond_init(&meeting->changed, NULL);
    meeting->queues = calloc(config->n_workers, sizeof *meeting->queues);
    meeting->blocks = calloc(config->n_workers, sizeof *meeting->blocks);
    if (!meeting->queues || !meeting->blocks) {
        weir_meeting_free(meeting);
        return -ENOMEM;
    }
    *ret_meeting = meeting;
    return 0;
}

void weir_meeting_free(struct weir_meeting *meeting) {
    if (!meeting) return;
    free(meeting->queues);
    free(meeting->blocks);
    pthread_cond_destroy(&meeting->changed);
    pthread_mutex_destroy(&meeting->lock);
    free(meeting);
}

static bool has_tick(const struct weir_meeting *meeting) {
    for (unsigned w = 0; w < meeting->config.n_workers; w++)
        if (meeting->queues[w].n_ticks == meeting->n_ticks) return false;
    return true;
}

static bool is_due(const struct weir_meeting *meeting) {
    return !meeting->working && !meeting->failed && has_tick(meeting);
}

/* One part of the tick that is due. Called and left with the lock held; works without it. */
static void work(struct weir_meeting *meeting) {
    for (unsigned w = 0; !meeting->begun && w < meeting->config.n_workers; w++)
        meeting->blocks[w] = meeting->queues[w].blocks[meeting->n_ticks % WEIR_BLOCKS_MAX];
    meeting->begun = meeting->working = true;
    pthread_mutex_unlock(&meeting->lock);
    enum weir_meeting_part part = meeting->config.work(meeting->config.context, meeting->blocks);
    pthread_mutex_lock(&meeting->lock);
    meeting->working = false;
    meeting->failed = part == WEIR_MEETING_FAILED;
    if (part != WEIR_MEETING_MORE) {
        meeting->begun = false;
        meeting->n_ticks++;
        meeting->n_windows += meeting->blocks[0].window_end;
    }
    pthread_cond_broadcast(&meeting->changed);
}

static void *thread_main(void *argument) {
    struct weir_meeting *meeting = argument;
    pthread_mutex_lock(&meeting->lock);
    for (;;) {
        if (is_due(meeting))
            work(meeting);
        else if (meeting->ending)
            break;
        else
            pthread_cond_wait(&meeting->changed, &meeting->lock);
    }
    pthread_mutex_unlock(&meeting->lock);
    return NULL;
}

int weir_meeting_start(struct weir_meeting *meeting) {
    if (!meeting->config.own_thread) return 0;
    int error = pthread_create(&meeting->thread, NULL, thread_main, meeting);
    meeting->has_thread = error == 0;
    return -error;
}

void weir_meeting_stop(struct weir_meeting *meeting) {
    pthread_mutex_lock(&meeting->lock);
    meeting->ending = true;
    pthread_cond_broadcast(&meeting->changed);
    while (!meeting->has_thread && is_due(meeting)) work(meeting);
    pthread_mutex_unlock(&meeting->lock);
    if (meeting->has_thread) pthread_join(meeting->thread, NULL);
    meeting->has_thread = false;
}

void weir_meeting_help(struct weir_meeting *meeting) {
    pthread_mutex_lock(&meeting->lock);
    if (!meeting->has_thread && is_due(meeting)) work(meeting);
    pthread_mutex_unlock(&meeting->lock);
}

/* Several may be ahead of the work by all their blocks but the one that they fill. */
static bool has_room(const struct weir_meeting *meeting, const struct queue *queue,
                     bool window_end) {
    unsigned most = meeting->config.n_blocks == 1 ? 1 : meeting->config.n_blocks - 1;
    return queue->n_ticks - meeting->n_ticks < most &&
           (!window_end || queue->n_windows == meeting->n_windows);
}

void weir_meeting_wait(struct weir_meeting *meeting, unsigned worker, bool window_end) {
    pthread_mutex_lock(&meeting->lock);
    while (!meeting->failed && !has_room(meeting, &meeting->queues[worker], window_end)) {
        if (!meeting->has_thread && is_due(meeting))
            work(meeting);
        else
            pthread_cond_wait(&meeting->changed, &meeting->lock);
    }
    pthread_mutex_unlock(&meeting->lock);
}

void weir_meeting_deliver(struct weir_meeting *meeting, unsigned worker,
                          const struct weir_block *block) {
    struct queue *queue = &meeting->queues[worker];
    pthread_mutex_lock(&meeting->lock);
    if (!meeting->failed) {
        queue->blocks[queue->n_ticks++ % WEIR_BLOCKS_MAX] = *block;
        queue->n_windows += block->window_end;
        while (meeting->config.n_blocks == 1 && is_due(meeting)) work(meeting);
        if (has_tick(meeting)) pthread_cond_broadcast(&meeting->changed);
    }
    pthread_mutex_unlock(&meeting->lock);
}

bool weir_meeting_failed(struct weir_meeting *meeting) {
    pthread_mutex_lock(&meeting->lock);
    bool failed = meeting->failed;
    pthread_mutex_unlock(&meeting->lock);
    return failed;
}
