/* One stream of batches, read by every worker.
 *
 * A batch is filled once, by whichever worker first needs it, and then read by all; the last one to
 * let go of it hands its memory back. The most recently freed memory is used first, so a single
 * worker goes round in one batch that never leaves its cache. With several, the fastest may be
 * ahead of the slowest by the whole pool, then waits.
 *
 *      free slots (a stack) --fill--> ring[index % n_slots] --worker 0, 1, 2 ... each in order-->
 * free slots
 *
 * The lock covers a few pointers and never a read or a parse: the filler takes itself out with the
 * `filling` flag and works unlocked, while others take what has been filled. The end, good or bad,
 * is a state that is reached once after the last batch, so every worker gets the same batches and
 * then the same answer.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "capture/source.h"

enum { READ_AHEAD = 3 }; /* batches that a worker leaves to others to work on while it fills one */

struct slot {
    struct weir_batch batch; /* what workers see of the room */
    struct weir_batch_room room;
    void *prepared;     /* or NULL */
    unsigned n_holders; /* workers that have still to read it, or are at it */
    struct slot *next_free;
};

struct worker {
    uint64_t next_index;
    struct slot *holds;
};

struct weir_source {
    const struct weir_producer *producer;
    void *state;
    atomic_bool *stop;
    weir_preparation prepare; /* or NULL */
    void *prepare_context;
    size_t prepared_bytes;

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t changed;
    bool filling;
    int end; /* 0: goes on; WEIR_SOURCE_END or < 0: behind batch n_filled - 1 */
    struct weir_fault why;
    struct weir_source_stats stats;
    uint64_t n_filled;
    /* max_slots of them: batch i lies at i % max_slots until all have read it */
    struct slot **ring;
    struct slot **slots; /* every one that was made */
    struct slot *free;
    unsigned n_slots, max_slots, read_ahead;
    unsigned n_workers;
    struct worker workers[];
};

static void slot_free(struct slot *slot) {
    free(slot->room.frames);
    free(slot->room.buffer.bytes);
    free(slot->prepared);
    free(slot);
}

static struct slot *slot_new(void) {
    struct slot *slot = calloc(1, sizeof *slot);
    if (!slot) return NULL;
    slot->room.frames = malloc(WEIR_BATCH_FRAMES * sizeof *slot->room.frames);
    if (!slot->room.frames || weir_buffer_grow(&slot->room.buffer, WEIR_BATCH_BYTES) < 0) {
        slot_free(slot);
        return NULL;
    }
    return slot;
}

static struct slot *add_slot(struct weir_source *source) {
    struct slot *slot = slot_new();
    if (slot) source->slots[source->n_slots++] = slot;
    return slot;
}

int weir_source_new(struct weir_source **ret_source, const struct weir_producer *producer,
                    void *state, atomic_bool *stop, unsigned n_workers, struct weir_fault *fault) {
    assert(n_workers >= 1);
    struct weir_source *source = calloc(1, sizeof *source + n_workers * sizeof source->workers[0]);
    if (!source) {
        producer->free(state);
        return weir_fault_set(fault, -ENOMEM, "out of memory");
    }
    source->producer = producer;
    source->state = state;
    source->stop = stop;
    source->n_workers = n_workers;
    source->max_slots = n_workers == 1 ? 1 : 8 + 2 * n_workers;
    source->read_ahead = n_workers == 1 ? 0 : READ_AHEAD;
    pthread_mutex_init(&source->lock, NULL);
    pthread_cond_init(&source->changed, NULL);
    producer->stats(state, &source->stats);
    source->ring = calloc(source->max_slots, sizeof *source->ring);
    source->slots = calloc(source->max_slots, sizeof *source->slots);
    if (!source->ring || !source->slots || !(source->free = add_slot(source))) {
        weir_source_free(source);
        return weir_fault_set(fault, -ENOMEM, "out of memory");
    }
    *ret_source = source;
    return 0;
}

void weir_source_prepare(struct weir_source *source, weir_preparation prepare, void *context,
                         size_t bytes) {
    source->prepare = prepare;
    source->prepare_context = context;
    source->prepared_bytes = bytes;
}

/* What workers see of a filled slot. Without room for the preparation the run cannot go on. */
static int show(struct weir_source *source, struct slot *slot, struct weir_fault *why) {
    const struct weir_batch_room *room = &slot->room;
    slot->batch = (struct weir_batch){
        .frames = room->frames, .n_frames = room->n_frames, .now_us = room->now_us};
    if (!source->prepare) return 0;
    if (!slot->prepared && !(slot->prepared = malloc(source->prepared_bytes)))
        return weir_fault_set(why, -ENOMEM, "out of memory");
    source->prepare(source->prepare_context, &slot->batch, slot->prepared);
    slot->batch.prepared = slot->prepared;
    return 0;
}

static void let_go(struct weir_source *source, struct worker *worker) {
    struct slot *slot = worker->holds;
    worker->holds = NULL;
    if (!slot || --slot->n_holders > 0) return;
    slot->next_free = source->free;
    source->free = slot;
    pthread_cond_broadcast(&source->changed);
}

/* A slot to fill, or NULL while all are in use. When memory is short the slots at hand have to do.
 */
static struct slot *take_free(struct weir_source *source) {
    if (!source->free && source->n_slots < source->max_slots) source->free = add_slot(source);
    struct slot *slot = source->free;
    if (slot) source->free = slot->next_free;
    return slot;
}

static bool stopping(const struct weir_source *source) {
    return source->stop && !source->producer->ends_itself && atomic_load(source->stop);
}

/* Called and left with the lock held; works without it. */
static void fill(struct weir_source *source, struct slot *slot) {
    source->filling = true;
    pthread_mutex_unlock(&source->lock);

    struct weir_fault why = {0};
    struct weir_source_stats stats;
    slot->room.n_frames = 0;
    slot->room.now_us = 0;
    int end = source->producer->fill(source->state, &slot->room, &why);
    source->producer->stats(source->state, &stats);
    if (end < 0 && stopping(source)) end = WEIR_SOURCE_END; /* an interrupted read is no fault */
    bool any = slot->room.n_frames > 0 || slot->room.now_us != 0;
    int error = any ? show(source, slot, &why) : 0;
    if (error < 0) {
        end = error;
        any = false;
    }

    pthread_mutex_lock(&source->lock);
    source->filling = false;
    source->stats = stats;
    source->end = end;
    source->why = why;
    if (any) {
        slot->batch.index = source->n_filled;
        slot->n_holders = source->n_workers;
        source->ring[source->n_filled++ % source->max_slots] = slot;
    } else {
        slot->next_free = source->free;
        source->free = slot;
    }
    pthread_cond_broadcast(&source->changed);
}

int weir_source_next(struct weir_source *source, unsigned worker_index,
                     const struct weir_batch **ret_batch, struct weir_fault *fault) {
    assert(worker_index < source->n_workers);
    struct worker *worker = &source->workers[worker_index];
    int r;
    pthread_mutex_lock(&source->lock);
    let_go(source, worker);
    for (;;) {
        struct slot *slot = NULL;
        uint64_t ahead = source->n_filled - worker->next_index;
        bool may_fill = !source->filling && source->end == 0 && ahead <= source->read_ahead;
        if (may_fill && stopping(source))
            source->end = WEIR_SOURCE_END;
        else if (may_fill && (slot = take_free(source)))
            fill(source, slot);
        else if (ahead > 0 || source->end != 0)
            break;
        else
            pthread_cond_wait(&source->changed, &source->lock);
    }
    r = worker->next_index < source->n_filled ? 0 : source->end;
    if (r == 0) {
        worker->holds = source->ring[worker->next_index++ % source->max_slots];
        *ret_batch = &worker->holds->batch;
    } else if (r < 0) {
        weir_fault_set(fault, r, "%s", source->why.text);
    }
    pthread_mutex_unlock(&source->lock);
    return r;
}

bool weir_source_leads(struct weir_source *source, unsigned worker_index) {
    bool leads = true;
    pthread_mutex_lock(&source->lock);
    for (unsigned i = 0; i < source->n_workers; i++)
        leads &= source->workers[i].next_index <= source->workers[worker_index].next_index;
    pthread_mutex_unlock(&source->lock);
    return leads;
}

size_t weir_source_sockets(const struct weir_source *source, int *ret_descriptors, size_t room) {
    return source->producer->sockets
               ? source->producer->sockets(source->state, ret_descriptors, room)
               : 0;
}

void weir_source_stats(struct weir_source *source, struct weir_source_stats *ret_stats) {
    pthread_mutex_lock(&source->lock);
    *ret_stats = source->stats;
    pthread_mutex_unlock(&source->lock);
    if (source->producer->bytes_read)
        ret_stats->bytes_read = source->producer->bytes_read(source->state);
}

void weir_source_stop(struct weir_source *source) {
    if (source->stop) atomic_store(source->stop, true);
}

void weir_source_resume(struct weir_source *source) {
    if (!source->producer->resume || source->end != WEIR_SOURCE_END) return;
    source->producer->resume(source->state);
    source->end = 0;
}

void weir_source_free(struct weir_source *source) {
    if (!source) return;
    for (unsigned i = 0; i < source->n_slots; i++) slot_free(source->slots[i]);
    source->producer->free(source->state);
    pthread_cond_destroy(&source->changed);
    pthread_mutex_destroy(&source->lock);
    free(source->ring);
    free(source->slots);
    free(source);
}
