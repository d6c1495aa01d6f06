/* A set-associative memory: a name lies in one bucket, and the one unused longest makes room. */
#include <errno.h>
#include <stdlib.h>

#include "measure/known_names.h"
#include "measure/mix.h"

enum { WAYS = 4 };
#define KEPT_US (INT64_C(7) * 24 * 3600 * 1000000)

struct weir_known_name {
    uint64_t hash; /* 0: free */
    int64_t us;
};

int weir_known_names_init(struct weir_known_names *names, size_t max) {
    size_t buckets = 16;
    while (buckets * WAYS < max) buckets *= 2;
    *names = (struct weir_known_names){.entries = calloc(buckets * WAYS, sizeof *names->entries),
                                       .mask = buckets - 1};
    return names->entries ? 0 : -ENOMEM;
}

void weir_known_names_deinit(struct weir_known_names *names) {
    free(names->entries);
    names->entries = NULL;
}

static struct weir_known_name *bucket_of(const struct weir_known_names *names, uint64_t hash) {
    return &names->entries[(weir_mix_end(hash) & names->mask) * WAYS];
}

void weir_known_names_add(struct weir_known_names *names, uint64_t hash, int64_t now_us) {
    struct weir_known_name *bucket = bucket_of(names, hash), *place = bucket;
    if (!hash) return;
    for (int way = 0; way < WAYS; way++) {
        if (bucket[way].hash == hash) {
            bucket[way].us = now_us;
            return;
        }
        if (place->hash && (!bucket[way].hash || bucket[way].us < place->us)) place = &bucket[way];
    }
    names->evicted += place->hash && now_us - place->us < KEPT_US;
    *place = (struct weir_known_name){hash, now_us};
}

bool weir_known_names_has(const struct weir_known_names *names, uint64_t hash, int64_t now_us) {
    const struct weir_known_name *bucket = bucket_of(names, hash);
    for (int way = 0; way < WAYS && hash; way++)
        if (bucket[way].hash == hash) return now_us - bucket[way].us < KEPT_US;
    return false;
}
