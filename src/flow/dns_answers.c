/* The messages of DNS servers over TCP, for a memory of names that sees every server's packets: a
 * few streams, those that were heard last, whatever flows they are of. What one segment holds whole
 * needs none of that. */
#include <errno.h>
#include <stdlib.h>

#include "flow/dns_stream.h"

#include <weir/flow.h>

enum { STREAMS_MAX = 32 };

struct weir_dns_answers {
    uint64_t clock; /* counts segments: the oldest stream makes way */
    struct {
        uint64_t key, used;
    } entry[STREAMS_MAX];
    struct dns_stream stream[STREAMS_MAX];
};

int weir_dns_answers_new(struct weir_dns_answers **ret_answers) {
    *ret_answers = calloc(1, sizeof **ret_answers);
    return *ret_answers ? 0 : -ENOMEM;
}

void weir_dns_answers_free(struct weir_dns_answers *answers) { free(answers); }

static struct dns_stream *stream_of(struct weir_dns_answers *answers, uint64_t key,
                                    const struct weir_packet *packet) {
    unsigned oldest = 0;
    answers->clock++;
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        if (answers->entry[i].used && answers->entry[i].key == key) {
            answers->entry[i].used = answers->clock;
            return &answers->stream[i];
        }
        if (answers->entry[i].used < answers->entry[oldest].used) oldest = i;
    }
    answers->entry[oldest].key = key;
    answers->entry[oldest].used = answers->clock;
    dns_stream_begin(&answers->stream[oldest], packet->tcp.seq, false, true);
    return &answers->stream[oldest];
}

void weir_dns_answers_segment(struct weir_dns_answers *answers, uint64_t hash,
                              const struct weir_packet *packet, weir_dns_visitor visitor,
                              void *context) {
    size_t length;
    const uint8_t *message;
    uint64_t key = hash ^ (packet->dst_port + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
    struct dns_stream *stream = stream_of(answers, key, packet);
    dns_stream_put(stream, packet->tcp.seq, packet->payload, packet->payload_captured);
    while ((message = dns_stream_next(stream, &length))) visitor(context, message, length);
    if (packet->payload_captured == packet->payload_len) return;
    message = dns_stream_rest(stream, packet->tcp.seq + packet->payload_len, &length);
    if (message) visitor(context, message, length);
}
