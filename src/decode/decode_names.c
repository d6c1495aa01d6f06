/* Names and explanations of the decode outcomes, from the list in decode.h. */
#include <weir/decode.h>

static const struct {
    const char *name, *help;
} outcomes[WEIR_DECODE_N] = {
#define X(enumerator, text, explanation) [WEIR_DECODE_##enumerator] = {text, explanation},
    WEIR_DECODE_OUTCOMES(X)
#undef X
};

const char *weir_decode_name(enum weir_decode_outcome outcome) {
    return (unsigned)outcome < WEIR_DECODE_N ? outcomes[outcome].name : "unknown";
}

const char *weir_decode_help(enum weir_decode_outcome outcome) {
    return (unsigned)outcome < WEIR_DECODE_N ? outcomes[outcome].help : "not an outcome of decode";
}
