/* Trials of closed slots: useful ones, failed ones by the kind of their first failure, and both by
 * layer. A trial with both useful and failed attempts counts as useful; `mixed` says how many there
 * were. */
#include "measure/signal.h"

struct trials_state {
    uint64_t ok[WEIR_LAYER_N], fail[WEIR_LAYER_N];
    uint64_t kinds[WEIR_OUTCOME_N];
    uint64_t mixed, fell_back;
};

static void on_trial(void *state, const struct weir_trial *trial) {
    struct trials_state *trials = state;
    if (trial->ok) {
        trials->ok[trial->layer]++;
        trials->mixed += trial->fail;
    } else {
        trials->fail[trial->layer]++;
        trials->kinds[trial->kind]++;
    }
    trials->fell_back += trial->quic_fell_back;
}

static void merge(void *into_state, const void *from_state) {
    struct trials_state *into = into_state;
    const struct trials_state *from = from_state;
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) {
        into->ok[layer] += from->ok[layer];
        into->fail[layer] += from->fail[layer];
    }
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++) into->kinds[kind] += from->kinds[kind];
    into->mixed += from->mixed;
    into->fell_back += from->fell_back;
}

enum { ALL_LAYERS = WEIR_LAYER_N };

static struct weir_value sum_layers(const uint64_t by_layer[WEIR_LAYER_N], unsigned layer) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < WEIR_LAYER_N; i++)
        sum += layer == ALL_LAYERS || layer == i ? by_layer[i] : 0;
    return weir_value_integer((int64_t)sum);
}

static struct weir_value read_ok(const void *state, const struct weir_traffic *traffic,
                                 unsigned layer) {
    return sum_layers(((const struct trials_state *)state)->ok, layer);
}

static struct weir_value read_fail(const void *state, const struct weir_traffic *traffic,
                                   unsigned layer) {
    return sum_layers(((const struct trials_state *)state)->fail, layer);
}

static struct weir_value read_kind(const void *state, const struct weir_traffic *traffic,
                                   unsigned kind) {
    return weir_value_integer((int64_t)((const struct trials_state *)state)->kinds[kind]);
}

static struct weir_value read_mixed(const void *state, const struct weir_traffic *traffic,
                                    unsigned argument) {
    return weir_value_integer((int64_t)((const struct trials_state *)state)->mixed);
}

static struct weir_value read_fell_back(const void *state, const struct weir_traffic *traffic,
                                        unsigned argument) {
    return weir_value_integer((int64_t)((const struct trials_state *)state)->fell_back);
}

/* clang-format off */
#define LAYER_FIELDS(layer, text) \
    {{"trials_by_layer", text "_ok", "1", "useful trials of layer " text, WEIR_FIELD_COUNT}, read_ok, layer}, \
    {{"trials_by_layer", text "_fail", "1", "failed trials of layer " text, WEIR_FIELD_COUNT}, read_fail, layer}
#define KIND_FIELD_0(name, text, what)
#define KIND_FIELD_1(name, text, what) \
    {{"trials_fail", text, "1", "failed trials: " what, WEIR_FIELD_COUNT}, read_kind, WEIR_OUTCOME_##name},
/* clang-format on */

static const struct weir_signal_field fields[] = {
    {{NULL, "trials_ok", "1", "useful trials of all layers", WEIR_FIELD_COUNT},
     read_ok,
     ALL_LAYERS},
    {{"trials_fail", "total", "1", "failed trials of all layers", WEIR_FIELD_COUNT},
     read_fail,
     ALL_LAYERS},
#define X(name, text, failure, what) KIND_FIELD_##failure(name, text, what)
    WEIR_OUTCOMES(X)
#undef X
        LAYER_FIELDS(WEIR_LAYER_DNS, "dns"),
    LAYER_FIELDS(WEIR_LAYER_CONNECT, "connect"),
    LAYER_FIELDS(WEIR_LAYER_QUIC, "quic"),
    LAYER_FIELDS(WEIR_LAYER_SERVE, "serve"),
    LAYER_FIELDS(WEIR_LAYER_API, "api"),
    {{NULL, "trials_mixed", "1", "useful trials with failed attempts among them", WEIR_FIELD_COUNT},
     read_mixed},
    {{NULL, "quic_fell_back", "1", "QUIC trials that failed while TCP to the same name was useful",
      WEIR_FIELD_COUNT},
     read_fell_back},
};

const struct weir_signal weir_signal_trials = {
    .name = "trials",
    .help = "collapsed attempts of closed slots",
    .state_size = sizeof(struct trials_state),
    .on_trial = on_trial,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
