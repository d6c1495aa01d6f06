/* Names of outcomes and layers: see outcome.h. */
#include <stddef.h>

#include <weir/outcome.h>

static const struct {
    const char *name;
    bool failed;
    const char *help;
} outcomes[WEIR_OUTCOME_N] = {
#define X(name, text, failure, help) [WEIR_OUTCOME_##name] = {text, failure, help},
    WEIR_OUTCOMES(X)
#undef X
};

const char *weir_outcome_name(enum weir_outcome outcome) { return outcomes[outcome].name; }

const char *weir_outcome_help(enum weir_outcome outcome) { return outcomes[outcome].help; }

bool weir_outcome_failed(enum weir_outcome outcome) { return outcomes[outcome].failed; }

const char *weir_layer_name(enum weir_layer layer) {
    static const char *const names[WEIR_LAYER_N] = {"dns", "connect", "quic", "serve", "api"};
    return names[layer];
}
