/* Key of a trial: service, role of the host, client, the server's /24 or /48 (of DNS the resolver's
 * address), layer. Media and telemetry of one network don't answer for each other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "measure/mix.h"
#include "measure/slot.h"

int weir_slot_table_init(struct weir_slot_table *table, size_t max) {
    size_t size = 16;
    while (size < max * 2) size *= 2;
    *table = (struct weir_slot_table){.max = max, .mask = size - 1};
    table->trials = calloc(max, sizeof *table->trials);
    table->index = calloc(size, sizeof *table->index);
    if (table->trials && table->index) return 0;
    weir_slot_table_deinit(table);
    return -ENOMEM;
}

void weir_slot_table_deinit(struct weir_slot_table *table) {
    free(table->trials);
    free(table->index);
    table->trials = NULL;
    table->index = NULL;
}

static struct weir_addr prefix_of(const struct weir_evidence *evidence) {
    return evidence->layer == WEIR_LAYER_DNS ? evidence->server
                                             : weir_addr_prefix(&evidence->server);
}

static bool same_key(const struct weir_trial *trial, const struct weir_evidence *evidence,
                     const struct weir_addr *prefix) {
    return trial->service == evidence->service && trial->layer == evidence->layer &&
           trial->role == evidence->role &&
           weir_addr_compare(&trial->client, &evidence->client) == 0 &&
           weir_addr_compare(&trial->prefix, prefix) == 0;
}

static size_t home_of(const struct weir_slot_table *table, const struct weir_evidence *evidence,
                      const struct weir_addr *prefix) {
    uint64_t hash =
        weir_mix((uint64_t)evidence->service << 16 | evidence->role << 8, evidence->layer);
    return weir_mix_end(weir_mix_addr(weir_mix_addr(hash, &evidence->client), prefix)) &
           table->mask;
}

void weir_slot_table_prefetch(const struct weir_slot_table *table,
                              const struct weir_evidence *evidence) {
    struct weir_addr prefix = prefix_of(evidence);
    __builtin_prefetch(&table->index[home_of(table, evidence, &prefix)]);
}

struct weir_trial *weir_slot_table_need(struct weir_slot_table *table,
                                        const struct weir_evidence *evidence) {
    struct weir_addr prefix = prefix_of(evidence);
    size_t at = home_of(table, evidence, &prefix);
    for (; table->index[at]; at = (at + 1) & table->mask)
        if (same_key(&table->trials[table->index[at] - 1], evidence, &prefix))
            return &table->trials[table->index[at] - 1];
    if (table->n >= table->max) return NULL;
    struct weir_trial *trial = &table->trials[table->n++];
    table->index[at] = (uint32_t)table->n;
    *trial = (struct weir_trial){.client = evidence->client,
                                 .prefix = prefix,
                                 .service = evidence->service,
                                 .layer = evidence->layer,
                                 .role = evidence->role,
                                 .kind = WEIR_OUTCOME_USEFUL};
    return trial;
}

void weir_slot_table_clear(struct weir_slot_table *table) {
    if (table->n) memset(table->index, 0, (table->mask + 1) * sizeof *table->index);
    table->n = 0;
}

void weir_slot_table_put(struct weir_slot_table *table, const struct weir_trial *trials, size_t n) {
    table->n = n < table->max ? n : table->max;
    memcpy(table->trials, trials, table->n * sizeof *trials);
}
