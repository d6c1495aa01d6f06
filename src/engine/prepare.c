/* With several workers, whoever fills a batch also decodes and hashes it, for all, and lists for
 * each worker the packets that are its own: so this is done once, by the worker that has time for
 * it, and the others neither look at a packet of somebody else nor guess whose the next one is.
 */
#include "engine/prepare.h"

size_t weir_prepared_bytes(unsigned n_workers) {
    return sizeof(struct weir_prepared) + n_workers * sizeof(struct weir_share);
}

static void share_add(struct weir_share *share, size_t at) { share->at[share->n++] = (uint16_t)at; }

static void deal(struct weir_prepared *prepared, unsigned n_workers, size_t at) {
    if (!weir_is_answer(&prepared->packet[at])) {
        share_add(&prepared->share[weir_flow_worker(prepared->hash[at], n_workers)], at);
        return;
    }
    for (unsigned i = 0; i < n_workers; i++) share_add(&prepared->share[i], at);
}

void weir_prepare(void *context, const struct weir_batch *batch, void *room) {
    const struct weir_preparer *preparer = context;
    struct weir_prepared *prepared = room;
    size_t n = 0, n_seconds = 0, n_refused = 0;
    int64_t second = -1;
    for (unsigned i = 0; i < preparer->n_workers; i++) prepared->share[i].n = 0;
    for (size_t i = 0; i < batch->n_frames; i++) {
        if (batch->frames[i].now_us / WEIR_TICK_US != second) {
            second = batch->frames[i].now_us / WEIR_TICK_US;
            prepared->second[n_seconds].now_us = batch->frames[i].now_us;
            prepared->second[n_seconds++].at = n;
        }
        struct weir_packet *packet = &prepared->packet[n];
        int outcome = weir_decode(&batch->frames[i], packet);
        if (outcome != WEIR_DECODE_OK) {
            prepared->refused[n_refused].second = (uint16_t)(n_seconds - 1);
            prepared->refused[n_refused++].outcome = (uint8_t)outcome;
            continue;
        }
        prepared->hash[n] = weir_flow_hash(preparer->table, packet);
        deal(prepared, preparer->n_workers, n++);
    }
    prepared->n = n;
    prepared->n_seconds = n_seconds;
    prepared->n_refused = n_refused;
}
