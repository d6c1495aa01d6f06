/* With several workers, whoever fills a batch also decodes and hashes it, for all: so these are done once, and by the
 * worker that has time for it. The others read one byte a packet to see whether it is theirs. It spares CPU time, but the
 * elapsed time of two workers hardly changes by it: they wait for each other at ticks (tests/bench/README.md).
 */
#include "engine/prepare.h"

void weir_prepare(void *context, const struct weir_batch *batch, void *room)
{
    const struct weir_preparer *preparer = context;
    struct weir_prepared *prepared = room;
    size_t n = 0, n_seconds = 0;
    int64_t second = -1;
    memset(prepared->decode, 0, sizeof prepared->decode);
    for (size_t i = 0; i < batch->n_frames; i++) {
        if (batch->frames[i].now_us / WEIR_TICK_US != second) {
            second = batch->frames[i].now_us / WEIR_TICK_US;
            prepared->second[n_seconds].now_us = batch->frames[i].now_us;
            prepared->second[n_seconds++].at = n;
        }
        struct weir_packet *packet = &prepared->packet[n];
        int outcome = weir_decode(&batch->frames[i], packet);
        prepared->decode[outcome]++;
        if (outcome != WEIR_DECODE_OK)
            continue;
        prepared->hash[n] = weir_flow_hash(preparer->table, packet);
        prepared->owner[n] = (uint8_t)(weir_flow_worker(prepared->hash[n], preparer->n_workers) |
                                       (weir_is_answer(packet) ? (unsigned)PREPARED_FOR_ALL : 0));
        n++;
    }
    prepared->n = n;
    prepared->n_seconds = n_seconds;
}
