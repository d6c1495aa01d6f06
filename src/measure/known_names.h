/* Names that resolved in the last 7 days: NXDOMAIN for one of these is a failure, for any other a
 * typing error. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_known_names {
    struct weir_known_name *entries;
    size_t mask;
    uint64_t evicted;
};

int weir_known_names_init(struct weir_known_names *names, size_t max); /* 0 or -ENOMEM */
void weir_known_names_deinit(struct weir_known_names *names);
void weir_known_names_add(struct weir_known_names *names, uint64_t hash, int64_t now_us);
bool weir_known_names_has(const struct weir_known_names *names, uint64_t hash, int64_t now_us);
