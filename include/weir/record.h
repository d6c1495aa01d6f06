/* Records: what leaves weir (NDJSON schema version 1, contrib/doc/method.md). Plain structs, filled
 * by the stages, read by sinks.
 *
 * A value that was not measured is WEIR_NULL, never 0; `unmeasured` lists say why.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/counter.h>
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
    WEIR_REASON_NO_TIME,       /* "no time stamps": none, or all the same */
    WEIR_REASON_N
};
const char *weir_reason_text(enum weir_reason reason);

struct weir_quantiles {
    int64_t min, p50, p95; /* WEIR_NULL when samples == 0 */
    uint64_t samples;
    uint8_t reason; /* enum weir_reason when samples == 0 */
};

/* What is counted of a flow's segments, one row each, in the order of JSON: EACH(field, place in
 * JSON), or BY_SENDER(field, place of the client's, place of the server's). From a row come the
 * field of flow's own state and of the record, the copy, JSON and the schema: a new one is a row
 * here, and a `++` where it happens. */
/* clang-format off */
#define WEIR_FLOW_COUNTS(EACH, BY_SENDER) \
    BY_SENDER(lost_beyond, "retransmissions_up.beyond", "retransmissions_down.beyond") \
    BY_SENDER(lost_before, "retransmissions_up.before", "retransmissions_down.before") \
    BY_SENDER(reordered, "reordered_up", "reordered_down") \
    EACH(duplicates, "duplicates") \
    BY_SENDER(spurious, "spurious.up", "spurious.down") \
    EACH(keepalives, "keepalives") \
    BY_SENDER(zero_window, "zero_window_up", "zero_window_down")
/* clang-format on */
#define WEIR_FLOW_COUNT(name, json)               uint32_t name;
#define WEIR_FLOW_COUNT_BY_SENDER(name, up, down) uint32_t name[2];

#define WEIR_STALLS_MAX 8
struct weir_flow_record {
    int64_t first_ts_us, last_ts_us;
    struct weir_addr addr[2]; /* by side */
    uint16_t port[2];
    uint8_t transport;       /* WEIR_TRANSPORT_TCP, _UDP */
    struct weir_named named; /* app QUIC makes the transport "quic" */
    char ndpi_text[32];      /* "TLS.NetFlix", written by classify; empty: nDPI had no say */
    /* by sender: bytes of IP payload, bytes of transport payload */
    uint64_t packets[2], bytes[2], payload[2];
    uint8_t outcome; /* enum weir_outcome */
    uint8_t end;     /* enum weir_flow_end */
    bool has_reset;
    struct {
        uint8_t by, kind;
        bool injected;
    } reset;
    int64_t reset_pause_us;      /* not published: the coordinator may make a failure of it */
    uint32_t syn, syn_ack;       /* how many were seen */
    int64_t handshake_rtt_us[2]; /* by side: server = SYN-ACK - SYN */
    uint8_t handshake_rtt_reason[2];
    struct weir_quantiles rtt_us[2]; /* continuous, by side */
    WEIR_FLOW_COUNTS(WEIR_FLOW_COUNT, WEIR_FLOW_COUNT_BY_SENDER)
    uint64_t lost_bytes[2]; /* retransmitted bytes, by sender */
    int64_t tls_handshake_us;
    uint8_t tls_handshake_reason;
    uint32_t requests, request_timeouts;
    int64_t ttfb_p50_us, goodput_p50_bps;
    uint8_t serve_reason; /* why ttfb or goodput is null */
    /* what payload tells (names, lookups, requests, the outcome) may lie behind the snap length */
    bool payload_cut;
    bool one_direction;
    bool has_dns; /* port 53 */
    struct {
        uint32_t queries, answers, timeout, servfail, refused, nxdomain;
    } dns;
    uint32_t n_stalls; /* all of them; the first WEIR_STALLS_MAX are listed */
    struct {
        int64_t start_us, duration_us;
    } stalls[WEIR_STALLS_MAX];
};

/* ---- window, service, session, capture ---- */

/* One measured value: of type WEIR_FIELD_RATIO in `real`, else in `integer`; null unless reason is
 * NONE. */
struct weir_value {
    union {
        int64_t integer;
        double real;
    };
    uint8_t reason; /* enum weir_reason */
};

/* The values' names, units and types: weir_fields() in measure.h. */
#define WEIR_FIELDS_MAX 128

/* Names of a service that a filter here answers for, so that they are no outage; in alphabetical
 * order. */
#define WEIR_BLOCKED_NAME_MAX  64 /* with the end of the text; longer names are cut */
#define WEIR_BLOCKED_NAMES_MAX 8
struct weir_blocked_names {
    uint8_t n;
    char text[WEIR_BLOCKED_NAMES_MAX][WEIR_BLOCKED_NAME_MAX];
};

struct weir_window_record {
    int64_t start_us, end_us;
    weir_service_id service;
    uint8_t state; /* enum weir_state at its end; the coordinator's */
    struct weir_value values[WEIR_FIELDS_MAX];
    struct weir_blocked_names blocked; /* within the last ten minutes; the coordinator's */
};

struct weir_service_record {
    /* first and last window in which it was seen: start of the one, end of the other */
    int64_t first_us, last_us;
    weir_service_id service;
    uint8_t state; /* enum weir_state at the end; the coordinator's */
    /* by enum weir_named_by, lookups left out */
    uint64_t named_flows[WEIR_NAMED_N], named_bytes[WEIR_NAMED_N];
    struct weir_value values[WEIR_FIELDS_MAX];
    struct weir_blocked_names blocked; /* at any time of the run; the coordinator's */
};

/* How sure it is that the picture stood still. */
enum weir_stall_confidence { WEIR_STALL_NONE, WEIR_STALL_POSSIBLE, WEIR_STALL_LIKELY };
/* "none" "possible" "likely" */
const char *weir_stall_confidence_name(enum weir_stall_confidence confidence);

#define WEIR_SESSION_STALLS_MAX 16
/* Of a session's buffer: see src/measure/fullness.c. */
enum weir_buffer_state { WEIR_BUFFER_EMPTY, WEIR_BUFFER_LOW, WEIR_BUFFER_FULL, WEIR_BUFFER_STATES };
#define WEIR_BUFFER_CHANGES_MAX 32

struct weir_session_record {
    int64_t start_us, end_us; /* first packet of the first media flow; last activity */
    struct weir_addr client;
    weir_service_id service;
    uint8_t kind;       /* enum weir_service_kind */
    int64_t startup_us; /* until the second answer was complete; WEIR_NULL: there was none */
    /* enum weir_reason; NO_HANDSHAKE with a value: from the first request, its start was not seen
     */
    uint8_t startup_reason;
    uint64_t media_bytes;  /* payload down of complete answers */
    uint64_t chunks;       /* complete answers of the picture, or of the only track */
    uint64_t sound_chunks; /* of a sound track of its own */
    uint64_t small_answers;
    int64_t bitrate_bps; /* of the picture, while it played; WEIR_NULL unless its rhythm is known,
                          * or it lasted a minute and received less than half of it */
    uint8_t bitrate_reason;
    /* of its last 64 chunks of 100 kB and more that were not starved; WEIR_NULL */
    int64_t goodput_p50_bps;
    /* playing time that an answer carries; WEIR_NULL: its rhythm is not known */
    int64_t segment_us;
    int64_t buffer_us;         /* playing time in the buffer at its end; WEIR_NULL likewise */
    uint32_t n_buffer_changes; /* listed: the first WEIR_BUFFER_CHANGES_MAX */
    struct {
        int64_t ts_us;
        uint8_t state; /* enum weir_buffer_state, from then on */
    } buffer_changes[WEIR_BUFFER_CHANGES_MAX];
    int64_t buffer_low_us, buffer_full_us; /* all of the time; WEIR_NULL: its rhythm is not known */
    uint32_t n_stalls; /* all of them; the first WEIR_SESSION_STALLS_MAX are listed */
    struct {
        int64_t start_us, duration_us;
    } stalls[WEIR_SESSION_STALLS_MAX];
    int64_t stalled_us; /* WEIR_NULL: its rhythm is not known */
    uint32_t quality_changes;
    /* served far below its need or not at all, whether the picture stood still or not */
    int64_t starved_us;
    uint32_t starved_spells;
    int64_t longest_starved_us;
    uint32_t hollow;    /* hollow answers beyond the second in a row */
    uint8_t confidence; /* enum weir_stall_confidence of the stalls */
};

#define WEIR_DRIFT_LISTED_MAX 16 /* unmatched hosts of media CDNs that are listed */
struct weir_capture_record {
    /* the run goes on (an interface, once a window): what was seen so far */
    bool interim;
    WEIR_COUNTERS(WEIR_COUNTER_FIELD)
    int64_t first_ts_us, last_ts_us; /* WEIR_NULL without packets */
    uint64_t decode[WEIR_DECODE_N];
    /* by enum weir_named_by; NONE is the unnamed; lookups left out */
    uint64_t named_flows[WEIR_NAMED_N], named_bytes[WEIR_NAMED_N];
    /* behind ECH or GREASE; DNS over HTTPS, over TLS; tunnels */
    uint64_t flows_ech, flows_doh, flows_dot, flows_vpn;
    /* flows whose server had no DNS answer for the client in an hour; WEIR_NULL */
    int64_t blind_share_ppm;
    uint32_t n_drift; /* most popular unmatched hosts of media CDNs, by flows */
    /* valid during the sink's call */
    struct {
        const char *host;
        uint64_t flows;
    } drift[WEIR_DRIFT_LISTED_MAX];
};
