/* Events in time order, first made first at the same time; chance (splitmix64). */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "world.h"

struct event {
    int64_t at_us;
    uint64_t order;
    event_fn *fn;
    void *object;
    uint64_t argument;
};

struct heap {
    struct event *events;
    size_t n, room;
    uint64_t made;
};

/* All that a world is made of lives as long as it: one chain, given back at once. */
static struct piece { _Alignas(max_align_t) struct piece *before; } * newest;

void *world_new(size_t size) {
    struct piece *made = calloc(1, sizeof *made + size);
    if (!made) abort();
    made->before = newest;
    newest = made;
    return made + 1;
}

void world_end(struct world *world) {
    if (world->heap) free(world->heap->events);
    for (struct piece *before; newest; newest = before) {
        before = newest->before;
        free(newest);
    }
}

static bool before(const struct event *a, const struct event *b) {
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void world_at(struct world *world, int64_t at_us, event_fn *fn, void *object, uint64_t argument) {
    if (at_us > world->end_us) return;
    if (!world->heap) world->heap = world_new(sizeof *world->heap);
    struct heap *heap = world->heap;
    if (heap->n == heap->room) {
        heap->room = heap->room ? 2 * heap->room : 4096;
        heap->events = realloc(heap->events, heap->room * sizeof *heap->events);
        if (!heap->events) abort();
    }
    struct event made = {at_us < world->now_us ? world->now_us : at_us, heap->made++, fn, object,
                         argument};
    size_t at = heap->n++;
    for (; at && before(&made, &heap->events[(at - 1) / 2]); at = (at - 1) / 2)
        heap->events[at] = heap->events[(at - 1) / 2];
    heap->events[at] = made;
}

static struct event pop(struct heap *heap) {
    struct event top = heap->events[0], last = heap->events[--heap->n];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < heap->n) {
        child += child + 1 < heap->n && before(&heap->events[child + 1], &heap->events[child]);
        if (!before(&heap->events[child], &last)) break;
        heap->events[at] = heap->events[child];
        at = child;
    }
    heap->events[at] = last;
    return top;
}

void world_run(struct world *world) {
    while (world->heap && world->heap->n) {
        struct event event = pop(world->heap);
        world->now_us = event.at_us;
        event.fn(world, event.object, event.argument);
    }
}

static uint64_t draw(struct world *world) {
    uint64_t mixed = world->random += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

uint32_t chance(struct world *world, uint32_t n) {
    return n ? (uint32_t)((draw(world) >> 32) * n >> 32) : 0;
}

double uniform(struct world *world, double low, double high) {
    return low + (high - low) * (double)(draw(world) >> 11) * 0x1p-53;
}

double within(struct world *world, struct range_s range) {
    return uniform(world, range.low, range.high);
}

double within_log(struct world *world, struct range_s range) {
    return range.low <= 0 ? within(world, range)
                          : exp(uniform(world, log(range.low), log(range.high)));
}

double waiting(struct world *world, double mean) { return -mean * log(1 - uniform(world, 0, 1)); }

bool likely(struct world *world, double probability) { return uniform(world, 0, 1) < probability; }
