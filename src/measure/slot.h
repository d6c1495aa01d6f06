/* The trials of one slot: found by key, kept in the order of their first attempt. */
#pragma once

#include <weir/measure.h>

struct weir_slot_table {
    struct weir_trial *trials;
    uint32_t *index; /* 1 + place in trials; 0: free */
    size_t n, max, mask;
};

int weir_slot_table_init(struct weir_slot_table *table, size_t max); /* 0 or -ENOMEM */
void weir_slot_table_deinit(struct weir_slot_table *table);
/* The trial of this attempt's key, made where there is none; NULL: no room. */
struct weir_trial *weir_slot_table_need(struct weir_slot_table *table,
                                        const struct weir_evidence *evidence);
void weir_slot_table_prefetch(const struct weir_slot_table *table,
                              const struct weir_evidence *evidence);
/* Of an empty table: trials of their own, which no attempt's key finds. */
void weir_slot_table_put(struct weir_slot_table *table, const struct weir_trial *trials, size_t n);
void weir_slot_table_clear(struct weir_slot_table *table);
