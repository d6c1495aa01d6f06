/* Names that records share: see record.h. */
#include <weir/record.h>

const char *weir_reason_text(enum weir_reason reason) {
    static const char *const texts[WEIR_REASON_N] = {
        [WEIR_REASON_NONE] = "measured",
        [WEIR_REASON_ONE_DIRECTION] = "one direction only",
        [WEIR_REASON_NO_HANDSHAKE] = "handshake not captured",
        [WEIR_REASON_RETRANSMITTED] = "handshake packets were sent again",
        [WEIR_REASON_NO_SAMPLE] = "no sample",
        [WEIR_REASON_SNAPLEN] = "cut by the snap length",
        [WEIR_REASON_TRANSPORT] = "not visible in this transport",
        [WEIR_REASON_NO_TIME] = "no time stamps",
    };
    return texts[reason];
}

const char *weir_stall_confidence_name(enum weir_stall_confidence confidence) {
    static const char *const names[] = {"none", "possible", "likely"};
    return names[confidence];
}
