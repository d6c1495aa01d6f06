/* Records point at host names after their flow is gone, so a name once kept stays. The text lies in
 * blocks that never move; a hash table of pointers finds it. What one service uses is a few
 * thousand names; the bound is for whoever invents names below a known domain. */
#include "classify/hosts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <weir/classify.h>

enum { BLOCK_BYTES = 16384, FIRST_SLOTS = 256 };

struct hosts_block {
    struct hosts_block *next;
    size_t used;
    char text[BLOCK_BYTES];
};

uint64_t weir_host_hash(const char *host, size_t length) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)host[i]) * UINT64_C(0x100000001b3);
    hash ^= hash >> 29;
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

void hosts_init(struct hosts *hosts, size_t bytes_max) {
    *hosts = (struct hosts){.bytes_max = bytes_max};
}

void hosts_deinit(struct hosts *hosts) {
    while (hosts->blocks) {
        struct hosts_block *next = hosts->blocks->next;
        free(hosts->blocks);
        hosts->blocks = next;
    }
    free(hosts->slots);
    *hosts = (struct hosts){0};
}

/* The slot where the name is or would be; there is always a free one. */
static size_t find_slot(char **slots, size_t n_slots, const char *text, size_t length) {
    size_t at = weir_host_hash(text, length) & (n_slots - 1);
    while (slots[at] && (strncmp(slots[at], text, length) != 0 || slots[at][length] != '\0'))
        at = (at + 1) & (n_slots - 1);
    return at;
}

static bool grow_slots(struct hosts *hosts) {
    size_t n_slots = hosts->n_slots ? hosts->n_slots * 2 : FIRST_SLOTS;
    char **slots = calloc(n_slots, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < hosts->n_slots; i++) {
        if (hosts->slots[i])
            slots[find_slot(slots, n_slots, hosts->slots[i], strlen(hosts->slots[i]))] =
                hosts->slots[i];
    }
    free(hosts->slots);
    hosts->slots = slots;
    hosts->n_slots = n_slots;
    return true;
}

static char *take_room(struct hosts *hosts, size_t length) {
    if (!hosts->blocks || length > BLOCK_BYTES - hosts->blocks->used) {
        struct hosts_block *block = malloc(sizeof *block);
        if (!block) return NULL;
        block->next = hosts->blocks;
        block->used = 0;
        hosts->blocks = block;
    }
    char *room = hosts->blocks->text + hosts->blocks->used;
    hosts->blocks->used += length;
    return room;
}

const char *hosts_keep(struct hosts *hosts, const char *text, size_t length) {
    if (length == 0 || length >= WEIR_HOST_MAX) return NULL;
    if (hosts->n_slots) {
        char *known = hosts->slots[find_slot(hosts->slots, hosts->n_slots, text, length)];
        if (known) return known;
    }
    size_t cost = length + 1 + 2 * sizeof(char *); /* the text and its share of the table */
    bool full = hosts->n_hosts * 4 >= hosts->n_slots * 3;
    char *copy = NULL;
    if (cost <= hosts->bytes_max - hosts->bytes && (!full || grow_slots(hosts)))
        copy = take_room(hosts, length + 1);
    if (!copy) {
        hosts->refused++;
        return NULL;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    hosts->slots[find_slot(hosts->slots, hosts->n_slots, text, length)] = copy;
    hosts->n_hosts++;
    hosts->bytes += cost;
    return copy;
}
