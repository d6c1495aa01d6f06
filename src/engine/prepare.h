/* What all workers need of a batch, made once: see prepare.c. */
#pragma once

#include <assert.h>

#include <weir/capture.h>
#include <weir/decode.h>
#include <weir/flow.h>

enum { PREPARED_MAX = WEIR_BATCH_FRAMES_MAX };

/* What one worker takes of a batch: its own packets and, for their names, all answers of DNS. */
struct weir_share {
    uint32_t n;
    uint16_t at[PREPARED_MAX]; /* indices of packets, rising */
};
static_assert(PREPARED_MAX <= UINT16_MAX, "an index of a packet fits");

struct weir_prepared {
    size_t n;         /* packets, in the order of their frames */
    size_t n_refused; /* frames that were not decoded, in order: */
    struct {
        uint16_t second;
        uint8_t outcome;
    } refused[PREPARED_MAX];
    /* of engine's clock that begin in the batch; the first stands for the batch itself */
    size_t n_seconds;
    /* its first frame's clock; the first packet behind that */
    struct {
        int64_t now_us;
        size_t at;
    } second[PREPARED_MAX];
    uint64_t hash[PREPARED_MAX];
    struct weir_packet packet[PREPARED_MAX];
    struct weir_share share[]; /* one a worker */
};

struct weir_preparer {
    const struct weir_flow_table *table; /* anyone's: all hash alike */
    unsigned n_workers;
};

size_t weir_prepared_bytes(unsigned n_workers);
/* For weir_source_prepare(); `context` is a preparer, `room` a weir_prepared. Any thread. */
void weir_prepare(void *context, const struct weir_batch *batch, void *room);

/* DNS answers name the addresses that the client will turn to next. */
static inline bool weir_is_answer(const struct weir_packet *packet) {
    return packet->src_port == 53 && packet->payload_captured > 0;
}
