/* Slabs of equal items in reserved address space: an item costs memory from the moment it is first
 * touched, and all slabs of a table share one bound. Items are named by 32-bit handles, 0 being
 * none. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct memory {
    size_t used, max; /* bytes; `used` never falls: items are recycled, not given back */
};

struct slab {
    uint8_t *base;
    struct memory *memory;
    size_t reserved;
    uint32_t item_bytes;
    uint32_t n_touched, n_max; /* handles 1 .. n_touched have been in use */
    /* first of the free items, which hold the next handle in their first bytes */
    uint32_t free;
};

/* Address space that reads as zeroes; NULL without. Huge pages are asked for where a whole region
 * will be read at random. */
void *memory_reserve(size_t bytes);
void memory_wish_huge(void *base, size_t bytes);
void memory_release(void *base, size_t bytes);

/* 0 or -ENOMEM. */
int slab_init(struct slab *slab, struct memory *memory, size_t item_bytes, size_t n_max);
void slab_deinit(struct slab *slab);
/* A zeroed item, or 0 at the bound. */
uint32_t slab_take(struct slab *slab);
void slab_give(struct slab *slab, uint32_t handle);

static inline void *slab_at(const struct slab *slab, uint32_t handle) {
    return slab->base + (size_t)handle * slab->item_bytes;
}
