/* How far an attempt got before it failed: what is shut fails sooner than what does not serve. */
#include "detect/depth.h"

#include <weir/outcome.h>

enum weir_depth weir_depth_of(uint8_t outcome) {
    switch (outcome) {
    case WEIR_OUTCOME_SYN_TIMEOUT:
    case WEIR_OUTCOME_ICMP:
    case WEIR_OUTCOME_QUIC_TIMEOUT:
    case WEIR_OUTCOME_UNACKED: return WEIR_DEPTH_CLOSED;
    case WEIR_OUTCOME_REFUSED: return WEIR_DEPTH_REFUSED;
    case WEIR_OUTCOME_TLS_ALERT:
    case WEIR_OUTCOME_TLS_CUT:
    case WEIR_OUTCOME_TLS_NORESPONSE:
    case WEIR_OUTCOME_HOLLOW:
    case WEIR_OUTCOME_RST_MID: return WEIR_DEPTH_LET_IN;
    default: return WEIR_DEPTHS;
    }
}
