/* How an attempt ended: the names that flows, trials, windows and incidents share.
 * Enum, record names and help come from one list. */
#pragma once

#include <stdbool.h>

/* X(enumerator, record name, 1 when it is a failure, what a person reads: "14 of 14 <text>") */
/* clang-format off */
#define WEIR_OUTCOMES(X) \
    X(NONE, "none", 0, "undecided") \
    X(USEFUL, "useful", 0, "useful") \
    X(NEUTRAL, "neutral", 0, "says nothing about health") \
    X(SYN_TIMEOUT, "syn_timeout", 1, "SYNs unanswered") \
    X(REFUSED, "refused", 1, "connections refused") \
    X(ICMP, "icmp", 1, "unreachable by ICMP") \
    X(TLS_ALERT, "tls_alert", 1, "TLS handshakes answered by a fatal alert") \
    X(TLS_CUT, "tls_cut", 1, "TLS handshakes cut off") \
    X(TLS_NORESPONSE, "tls_noresponse", 1, "ClientHellos unanswered") \
    X(RST_MID, "rst_mid", 1, "connections reset in mid-transfer") \
    X(REQUEST_TIMEOUT, "request_timeout", 1, "requests unanswered") \
    X(QUIC_TIMEOUT, "quic_timeout", 1, "QUIC packets unanswered") \
    X(QUIC_CLOSE, "quic_close", 1, "QUIC handshakes closed by the server") \
    X(DNS_TIMEOUT, "dns_timeout", 1, "DNS queries unanswered") \
    X(DNS_SERVFAIL, "dns_servfail", 1, "DNS answers SERVFAIL") \
    X(DNS_REFUSED, "dns_refused", 1, "DNS answers REFUSED") \
    X(DNS_NXDOMAIN, "dns_nxdomain", 1, "DNS answers NXDOMAIN for a name that existed") \
    X(STARVED, "starved", 1, "transfers far below their own earlier rate") \
    X(HOLLOW, "hollow", 1, "requests answered with next to nothing") \
    X(SUSPECT_REJECT, "suspect_reject", 1, "certificates refused by clients") \
    X(UNACKED, "unacked", 1, "data sent again and acknowledged by nobody")
/* clang-format on */

enum weir_outcome {
#define X(name, text, failure, help) WEIR_OUTCOME_##name,
    WEIR_OUTCOMES(X)
#undef X
        WEIR_OUTCOME_N
};

const char *weir_outcome_name(enum weir_outcome outcome);
const char *weir_outcome_help(enum weir_outcome outcome);
bool weir_outcome_failed(enum weir_outcome outcome);

/* Layers are never pooled: answered lookups would hide a service that connects and serves nothing.
 */
enum weir_layer {
    WEIR_LAYER_DNS,
    WEIR_LAYER_CONNECT,
    WEIR_LAYER_QUIC,
    WEIR_LAYER_SERVE, /* requests for media */
    WEIR_LAYER_API,   /* requests of an API that answered in errors lately */
    WEIR_LAYER_N
};
const char *weir_layer_name(enum weir_layer layer); /* "dns" "connect" "quic" "serve" "api" */
