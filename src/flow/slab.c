/* Slabs: see slab.h. Reserving with MAP_NORESERVE makes a bound of gigabytes cost nothing until it
 * is needed, and items never move. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "flow/slab.h"

void *memory_reserve(size_t bytes) {
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

void memory_wish_huge(void *base, size_t bytes) {
    (void)madvise(base, bytes, MADV_HUGEPAGE); /* a wish: nothing depends on it */
}

void memory_release(void *base, size_t bytes) {
    if (base) munmap(base, bytes);
}

int slab_init(struct slab *slab, struct memory *memory, size_t item_bytes, size_t n_max) {
    if (n_max > UINT32_MAX - 1) n_max = UINT32_MAX - 1;
    size_t reserved = (n_max + 1) * item_bytes;
    uint8_t *base = memory_reserve(reserved);
    if (!base) return -ENOMEM;
    *slab = (struct slab){.base = base,
                          .memory = memory,
                          .reserved = reserved,
                          .item_bytes = (uint32_t)item_bytes,
                          .n_max = (uint32_t)n_max};
    return 0;
}

void slab_deinit(struct slab *slab) {
    memory_release(slab->base, slab->reserved);
    *slab = (struct slab){0};
}

uint32_t slab_take(struct slab *slab) {
    uint32_t handle = slab->free;
    if (handle) {
        memcpy(&slab->free, slab_at(slab, handle), sizeof slab->free);
        memset(slab_at(slab, handle), 0, slab->item_bytes);
        return handle;
    }
    if (slab->n_touched >= slab->n_max || slab->memory->max - slab->memory->used < slab->item_bytes)
        return 0;
    slab->memory->used += slab->item_bytes;
    return ++slab->n_touched;
}

void slab_give(struct slab *slab, uint32_t handle) {
    if (!handle) return;
    memcpy(slab_at(slab, handle), &slab->free, sizeof slab->free);
    slab->free = handle;
}
