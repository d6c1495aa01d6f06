/* Duration of handshakes: TLS over TCP from ClientHello to the server's first application data,
 * QUIC from the client's Initial to 1-RTT. */
#include "measure/signal.h"

enum { TLS, QUIC, N_KINDS, KIND_STEP = 1000 };

struct handshake_state {
    struct weir_histogram kind[N_KINDS];
};

static void on_event(void *state, const struct weir_sample *sample) {
    struct handshake_state *handshake = state;
    int kind = sample->transport == WEIR_TRANSPORT_TCP ? TLS : QUIC;
    if (sample->event->handshake.us >= 0)
        weir_histogram_add(&handshake->kind[kind], (uint64_t)sample->event->handshake.us);
}

static void merge(void *into_state, const void *from_state) {
    struct handshake_state *into = into_state;
    const struct handshake_state *from = from_state;
    for (int kind = 0; kind < N_KINDS; kind++)
        weir_histogram_merge(&into->kind[kind], &from->kind[kind]);
}

static struct weir_value read_time(const void *state, const struct weir_traffic *traffic,
                                   unsigned argument) {
    return weir_value_histogram(
        &((const struct handshake_state *)state)->kind[argument / KIND_STEP], argument % KIND_STEP);
}

static const struct weir_signal_field fields[] = {
    WEIR_HISTOGRAM_FIELDS("tls_handshake", "us", "us", "TLS handshakes over TCP", read_time,
                          TLS *KIND_STEP),
    WEIR_HISTOGRAM_FIELDS("quic_handshake", "us", "us", "QUIC handshakes", read_time,
                          QUIC *KIND_STEP),
};

const struct weir_signal weir_signal_handshake = {
    .name = "handshake",
    .help = "duration of TLS and QUIC handshakes",
    .state_size = sizeof(struct handshake_state),
    .events = 1u << WEIR_EVENT_HANDSHAKE,
    .on_event = on_event,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
