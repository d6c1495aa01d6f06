/* Records: what leaves weir (NDJSON schema version 1, DESIGN 3). Plain structs, filled by the stages, read by sinks.
 *
 * A value that was not measured is WEIR_NULL, never 0; `unmeasured` lists say why.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/decode.h>
#include <weir/flow.h>
#include <weir/outcome.h>
#include <weir/service.h>

#define WEIR_NULL INT64_MIN /* an int64_t that could not be measured */

/* X(field of struct weir_unmeasured, text) - why something is null */
enum weir_reason {
    WEIR_REASON_NONE,
    WEIR_REASON_ONE_DIRECTION, /* "one direction only" */
    WEIR_REASON_NO_HANDSHAKE,  /* "handshake not captured" */
    WEIR_REASON_RETRANSMITTED, /* "handshake packets were sent again" */
    WEIR_REASON_NO_SAMPLE,     /* "no sample" */
    WEIR_REASON_SNAPLEN,       /* "cut by the snap length" */
    WEIR_REASON_TRANSPORT,     /* "not visible in this transport" */
    WEIR_REASON_N
};
const char *weir_reason_text(enum weir_reason reason);

struct weir_quantiles {
    int64_t min, p50, p95;   /* WEIR_NULL when samples == 0 */
    uint64_t samples;
    uint8_t reason;          /* enum weir_reason when samples == 0 */
};

#define WEIR_STALLS_MAX 8
struct weir_flow_record {
    int64_t first_ts_us, last_ts_us;
    struct weir_addr addr[2];       /* by side */
    uint16_t port[2];
    uint8_t transport;              /* WEIR_TRANSPORT_TCP, _UDP */
    struct weir_named named;        /* app QUIC makes the transport "quic" */
    char ndpi_text[32];             /* "TLS.NetFlix", written by classify; empty: nDPI had no say */
    uint64_t packets[2], bytes[2], payload[2]; /* by sender: bytes of IP payload, bytes of transport payload */
    uint8_t outcome;                /* enum weir_outcome */
    uint8_t end;                    /* enum weir_flow_end */
    bool has_reset;
    struct { uint8_t by, kind; bool injected; } reset;
    uint32_t syn, syn_ack;          /* how many were seen */
    int64_t handshake_rtt_us[2];    /* by side: server = SYN-ACK - SYN */
    uint8_t handshake_rtt_reason[2];
    struct weir_quantiles rtt_us[2];/* continuous, by side */
    uint32_t lost_beyond[2], lost_before[2], reordered[2], spurious[2], keepalives, zero_window[2]; /* segments, by sender */
    uint64_t lost_bytes[2];         /* retransmitted bytes, by sender */
    uint32_t duplicates;
    int64_t tls_handshake_us;
    uint8_t tls_handshake_reason;
    uint32_t requests, request_timeouts;
    int64_t ttfb_p50_us, goodput_p50_bps;
    uint8_t serve_reason;           /* why ttfb or goodput is null */
    bool one_direction;
    bool has_dns;                   /* port 53 */
    struct { uint32_t queries, answers, timeout, servfail, refused, nxdomain; } dns;
    uint32_t n_stalls;              /* all of them; the first WEIR_STALLS_MAX are listed */
    struct { int64_t start_us, duration_us; } stalls[WEIR_STALLS_MAX];
};
