/* TCP resets by when they came. About half of all healthy connections end by one: never alarm on
 * these. */
#include "measure/signal.h"

struct reset_state {
    uint64_t kinds[WEIR_RESET_N];
    uint64_t by[2], injected;
};

static void on_event(void *state, const struct weir_sample *sample) {
    struct reset_state *reset = state;
    reset->kinds[sample->event->reset.what]++;
    reset->by[sample->event->reset.by]++;
    reset->injected += sample->event->reset.injected;
}

static void merge(void *into_state, const void *from_state) {
    struct reset_state *into = into_state;
    const struct reset_state *from = from_state;
    for (int kind = 0; kind < WEIR_RESET_N; kind++) into->kinds[kind] += from->kinds[kind];
    for (int side = 0; side < 2; side++) into->by[side] += from->by[side];
    into->injected += from->injected;
}

static struct weir_value read_kind(const void *state, const struct weir_traffic *traffic,
                                   unsigned kind) {
    return weir_value_integer((int64_t)((const struct reset_state *)state)->kinds[kind]);
}

static struct weir_value read_by(const void *state, const struct weir_traffic *traffic,
                                 unsigned side) {
    return weir_value_integer((int64_t)((const struct reset_state *)state)->by[side]);
}

static struct weir_value read_injected(const void *state, const struct weir_traffic *traffic,
                                       unsigned argument) {
    return weir_value_integer((int64_t)((const struct reset_state *)state)->injected);
}

static const struct weir_signal_field fields[] = {
    {{"resets", "refused", "1", "resets that answered a SYN", WEIR_FIELD_COUNT},
     read_kind,
     WEIR_RESET_REFUSED},
    {{"resets", "handshake", "1", "resets in the TLS handshake", WEIR_FIELD_COUNT},
     read_kind,
     WEIR_RESET_HANDSHAKE},
    {{"resets", "mid", "1", "servers' resets in mid-transfer", WEIR_FIELD_COUNT},
     read_kind,
     WEIR_RESET_MID},
    {{"resets", "teardown", "1", "resets after the data or after a FIN", WEIR_FIELD_COUNT},
     read_kind,
     WEIR_RESET_TEARDOWN},
    {{"resets", "idle", "1", "resets of idle connections", WEIR_FIELD_COUNT},
     read_kind,
     WEIR_RESET_IDLE},
    {{"resets", "by_client", "1", "resets that clients sent", WEIR_FIELD_COUNT},
     read_by,
     WEIR_CLIENT},
    {{"resets", "by_server", "1", "resets that servers sent", WEIR_FIELD_COUNT},
     read_by,
     WEIR_SERVER},
    {{"resets", "injected", "1", "resets that somebody on the path seems to have sent",
      WEIR_FIELD_COUNT},
     read_injected},
};

const struct weir_signal weir_signal_reset = {
    .name = "reset",
    .help = "TCP resets by kind",
    .state_size = sizeof(struct reset_state),
    .events = 1u << WEIR_EVENT_RESET,
    .on_event = on_event,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
