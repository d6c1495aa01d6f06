/* A bounded table of what is remembered by key: see assoc.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* First member of every entry; the key's bytes follow it at once, and then what is remembered. */
struct weir_assoc_mark {
    int64_t last_us;
    uint64_t used;
};

struct weir_assoc {
    uint8_t *entries;
    /* a byte a set, a bit an entry that was ever made: who visits all skips the empty ones */
    uint8_t *taken;
    uint8_t *tags; /* a byte an entry: of the hash of its key */
    size_t entry_size, key_size, n_sets;
    uint64_t evicted; /* entries that gave way to others */
};
/* Room for `max_entries` at most, eight at least. The key has no padding bytes that differ between
 * equal keys. 0 or -ENOMEM. */
int weir_assoc_init(struct weir_assoc *assoc, size_t entry_size, size_t key_size,
                    size_t max_entries);
void weir_assoc_deinit(struct weir_assoc *assoc);
/* The entry, or NULL. */
void *weir_assoc_find(const struct weir_assoc *assoc, const void *key);
/* The entry, made where there is none: all behind its key is then zero. Sets last_us. The address
 * stays while the entry does. */
void *weir_assoc_get(struct weir_assoc *assoc, const void *key, int64_t now_us);
/* The same, begun at the entry that the caller had for this key before, or at NULL: where it still
 * is that one nothing is hashed and no other entry touched. */
void *weir_assoc_get_again(struct weir_assoc *assoc, void *before, const void *key, int64_t now_us);
/* The same, but makes none: NULL where there is none. */
void *weir_assoc_find_again(const struct weir_assoc *assoc, void *before, const void *key);
/* Visits all entries: *cursor begins at 0; NULL at the end. */
void *weir_assoc_next(const struct weir_assoc *assoc, size_t *cursor);
