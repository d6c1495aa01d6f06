/* flow: finds or makes the flow of a packet, keeps its TCP, QUIC and DNS state, expires it, and
 * tells what happened as events. It knows no services: `named` is classify's, written by it,
 * carried here.
 *
 * Sides: WEIR_CLIENT and WEIR_SERVER index everything that exists per direction ("up" is what the
 * client sends). Who is the client: the sender of the SYN (or receiver of the SYN-ACK), else the
 * sender of the client's QUIC Initial, else the side in --local, else a private address, else the
 * higher port.
 *
 * Two clocks: measured spans are differences of the packets' stamps (never negative); timers run on
 * `now_us`, the engine's clock. A tick is one second of it; all timers fire on ticks. Which flow
 * comes first in a tick is not said: who needs an order makes one (measure's evidence, the records
 * of a tick).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/ask.h>
#include <weir/counter.h>
#include <weir/outcome.h>
#include <weir/packet.h>
#include <weir/service.h>
#include <weir/wire.h>

#define WEIR_TICK_US     INT64_C(1000000)
#define WEIR_MEDIA_BYTES UINT64_C(1000000) /* this much down makes a flow media */

enum weir_side { WEIR_CLIENT = 0, WEIR_SERVER = 1 };

/* What classify knows of a flow. */
struct weir_named {
    /* owned by classify, valid while the classifier lives; NULL: none or not kept */
    const char *host;
    uint64_t host_hash; /* of the name, also where the name itself is not kept; 0: no name */
    /* nDPI's master and application protocol are told apart by classify's adapter */
    uint16_t ndpi;
    uint16_t ndpi_app;
    weir_service_id service;
    uint8_t role;        /* enum weir_role */
    uint8_t by;          /* enum weir_named_by */
    bool done;           /* no more packets are needed: classify has freed its state */
    bool ech;            /* ClientHello carried 0xfe0d */
    bool low_confidence; /* named by the outer SNI of a hello with 0xfe0d */
    /* the name is listed as not to be counted: `other`, whatever nDPI says */
    bool never_count;
    bool awaited; /* measure's: its first counts wait for the name */
    /* measure's: where its client stands in the window's table; 0: nowhere yet */
    uint16_t link;
    uint8_t app; /* enum weir_app: what the first payload was */
};

enum weir_app {
    WEIR_APP_UNKNOWN,
    WEIR_APP_TLS,
    WEIR_APP_QUIC,
    WEIR_APP_HTTP,
    WEIR_APP_DNS,
    WEIR_APP_OTHER
};

struct weir_flow; /* fields below are read through these; src/flow/flow.h has the layout */

const struct weir_addr *weir_flow_addr(const struct weir_flow *flow, enum weir_side side);
uint16_t weir_flow_port(const struct weir_flow *flow, enum weir_side side);
/* WEIR_TRANSPORT_TCP or _UDP; QUIC is UDP with app QUIC */
uint8_t weir_flow_transport(const struct weir_flow *flow);
int64_t weir_flow_first_ts_us(const struct weir_flow *flow);
/* What is said of it at its end, as in its record. */
enum weir_outcome weir_flow_outcome(const struct weir_flow *flow);
uint64_t weir_flow_payload(const struct weir_flow *flow, enum weir_side side);
bool weir_flow_midstream(const struct weir_flow *flow); /* no handshake was seen */
/* For how long the server had been silent when it reset this idle connection; -1: it did not. */
int64_t weir_flow_reset_pause_us(const struct weir_flow *flow);
/* Only one side was seen, and the other surely spoke (not: a SYN without answer). */
bool weir_flow_one_way(const struct weir_flow *flow);
struct weir_named *weir_flow_named(struct weir_flow *flow);
/* classify's own state while it names; NULL after */
void **weir_flow_naming(struct weir_flow *flow);
/* Of a QUIC handshake: the id that the client's Initials are opened with; NULL before and after it.
 * While the server has not answered it is the first Initial's, then that of the one which was
 * answered. */
const struct weir_cid *weir_flow_first_dcid(const struct weir_flow *flow);
/* During the visit of a TCP packet of a flow whose handshake was seen: the sequence number that was
 * next of its sender. What lies left of it has been sent before, or was never meant to arrive;
 * right of it something is still to come. */
uint32_t weir_flow_expected(const struct weir_flow *flow);
/* The server has said something; in QUIC more than Retry or version negotiation. */
bool weir_flow_answered(const struct weir_flow *flow);

/* ---- events ---- */

enum weir_event_kind {
    WEIR_EVENT_NEW,     /* a flow was made (classify looks at its memory) */
    WEIR_EVENT_ATTEMPT, /* a connection try, DNS transaction or media request was decided */
    WEIR_EVENT_RTT,     /* one round-trip sample of one side */
    WEIR_EVENT_ANOMALY, /* a TCP segment that is not plain new data */
    WEIR_EVENT_RESET,   /* a RST was seen (first of the flow) */
    /* TCP: the server had said nothing for a second or more when it was asked and answered, or
       reset the connection */
    WEIR_EVENT_PAUSE,
    WEIR_EVENT_ALIVE,      /* TCP: the server has answered a keep-alive of the client */
    WEIR_EVENT_HANDSHAKE,  /* the TLS or QUIC handshake is done */
    WEIR_EVENT_REQUEST,    /* the client asked */
    WEIR_EVENT_FIRST_BYTE, /* the server began to answer */
    /* an answer is complete: the next request came, or the flow fell silent or ended */
    WEIR_EVENT_CHUNK,
    /* of media flows, once a tick in which a request was open or bytes of its answer arrived */
    WEIR_EVENT_PROGRESS,
    WEIR_EVENT_STALL, /* a silent spell inside a transfer, or an unanswered request, is over */
    WEIR_EVENT_DNS,   /* one DNS transaction is over (flow is NULL) */
    WEIR_EVENT_END,   /* the flow leaves the table: the last event of it */
    WEIR_EVENT_N
};

enum weir_anomaly {
    WEIR_ANOMALY_LOST_BEYOND, /* bytes seen before: lost between the vantage and the receiver */
    WEIR_ANOMALY_LOST_BEFORE, /* fills an old hole: lost between the sender and the vantage */
    WEIR_ANOMALY_REORDERED,   /* fills a young hole */
    WEIR_ANOMALY_SPURIOUS,    /* already acknowledged */
    WEIR_ANOMALY_NEEDLESS,    /* told as LOST_BEYOND shortly before, but the receiver got both */
    WEIR_ANOMALY_KEEPALIVE,
    WEIR_ANOMALY_ZERO_WINDOW,
    WEIR_ANOMALY_DUPLICATE, /* the same packet captured twice: dropped before everything else */
    WEIR_ANOMALY_N
};

enum weir_flow_end { WEIR_END_OPEN, WEIR_END_FIN, WEIR_END_RST, WEIR_END_IDLE };

enum weir_reset_kind {                       /* of a RST, by when it came */
                       WEIR_RESET_REFUSED,   /* answers the SYN */
                       WEIR_RESET_HANDSHAKE, /* between ClientHello and first server application
                                                data */
                       WEIR_RESET_MID, /* server RST, request open or server payload younger than 1
                                          s, no FIN */
                       WEIR_RESET_TEARDOWN, /* client RST after data, or any RST after FIN */
                       /* nothing open, idle for 1 s or more; or the first question after so long a
                          pause that the connection was lost */
                       WEIR_RESET_IDLE,
                       WEIR_RESET_N
};

struct weir_event {
    enum weir_event_kind kind;
    int64_t ts_us; /* stamp of what caused it; on ticks the engine's clock */
    int64_t now_us;
    union {
        /* first_us: when it began */
        struct {
            enum weir_layer layer;
            enum weir_outcome outcome;
            int64_t first_us;
        } attempt;
        /* side: whose part of the path */
        struct {
            enum weir_side side;
            int64_t us;
            bool handshake;
            /* an upper bound only: the peer may have held its answer back (see src/flow/rtt.c) */
            bool waited;
        } rtt;
        struct {
            enum weir_anomaly what;
            enum weir_side sender;
            uint32_t bytes, segments;
        } anomaly;
        struct {
            enum weir_side by;
            enum weir_reset_kind what;
            bool injected;
        } reset;
        struct {
            int64_t us;
            bool reset;
        } pause;
        /* TLS: ClientHello to first server application data; QUIC: Initial to 1-RTT */
        struct {
            int64_t us;
        } handshake;
        /* so far: a request may be more than one packet */
        struct {
            uint32_t request_bytes;
        } request;
        struct {
            int64_t ttfb_us;
        } first_byte;
        /* Stamped with its last byte. request_us: when asked; transfer: first to last byte; ttfb
         * -1: more of an answer that had been silent for 5 s and was reported; rest: how long
         * nothing came behind the last byte until the next request, or until the silence was
         * noticed; request_bytes: 0 where several asked at once; known: requests of this size were
         * answered with data before; cut: by the server's RST. */
        struct {
            uint64_t bytes;
            int64_t request_us, ttfb_us, transfer_us, rest_us;
            uint32_t request_bytes;
            bool known, cut;
        } chunk;
        struct {
            uint64_t bytes;
            int64_t open_us;
            bool waiting;
            int64_t waiting_us, timeout_us, last_us;
            /* nothing waits for certain, but words of a size that nobody has answered here do, for
             * so long; 0: none */
            int64_t unsure_us;
        } progress;
        /* bytes since the last tick, the last of them stamped last_us; open_us: since the request;
         * waiting: no byte of the answer yet, for waiting_us, and requests of this size were
         * answered before, or since the answer froze; timeout_us: when that is overdue */
        struct {
            int64_t start_us, duration_us;
        } stall;
        struct {
            const struct weir_addr *client, *resolver;
            const char *qname;
            uint16_t qtype;
            enum weir_outcome outcome;    /* USEFUL, NEUTRAL (no data), DNS_* */
            int64_t first_us, latency_us; /* latency -1: no answer */
            uint8_t queries;
            bool denied; /* NXDOMAIN or REFUSED, whatever the outcome */
            /* answered with addresses, of which none is outside: private, --local, 0.0.0.0, :: */
            bool inside;
        } dns;
        struct {
            enum weir_flow_end end;
        } end;
    };
};

/* Called synchronously. `flow` is valid during the call; NULL for DNS. */
typedef void (*weir_flow_observer)(void *context, struct weir_flow *flow,
                                   const struct weir_event *event);

/* ---- the table ---- */

struct weir_flow_config {
    size_t memory_bytes; /* bound for everything that the table allocates */
    /* flow records are wanted: keep what only weir_flow_report() tells */
    bool reports;
    const struct weir_cidr *local; /* --local, or NULL */
    size_t n_local;
    uint64_t hash_secret; /* 0 in replays; random on live gateways */
    /* when a media request counts as unanswered, by service id, in us (learned: max(5 s, 3 x p99
     * TTFB)); the array lives as long as the table and may change between ticks */
    const int64_t *request_timeout_us;
    /* likewise: which sizes of requests a service has answered; NULL: none known */
    const struct weir_ask_page *asks;
    weir_flow_observer observer;
    void *context;
};

struct weir_flow_table; /* opaque */

int weir_flow_table_new(struct weir_flow_table **ret_table, const struct weir_flow_config *config);
void weir_flow_table_free(struct weir_flow_table *table);

/* The same for both directions, and for an ICMP error and the flow that it quotes. DNS (port 53)
 * leaves the ports out: all of a client's questions to one resolver belong to one worker, whatever
 * port they leave from. */
uint64_t weir_flow_hash(const struct weir_flow_table *table, const struct weir_packet *packet);
/* Flows are in shards, by hash, and a worker has whole shards. A bound that each shard keeps for
 * itself is hit by the same flows with any number of workers. */
enum { WEIR_SHARDS = 64 };
static inline unsigned weir_shard_of(uint64_t hash) { return (unsigned)(hash >> 58); }
static inline unsigned weir_flow_worker(uint64_t hash, unsigned n_workers) {
    return weir_shard_of(hash) * n_workers / WEIR_SHARDS;
}
unsigned weir_flow_shard(const struct weir_flow *flow); /* works out the hash anew */

/* Two hints for a batch: first for every packet's bucket, then for every packet's flow. */
void weir_flow_prefetch_bucket(const struct weir_flow_table *table, uint64_t hash);
void weir_flow_prefetch_flow(const struct weir_flow_table *table, uint64_t hash,
                             const struct weir_packet *packet);

enum weir_track {
    WEIR_TRACK_OK = 0,
    WEIR_TRACK_DUPLICATE = 1, /* captured twice: counted, nothing else */
    WEIR_TRACK_REFUSED = 2,   /* no room (counted) */
    WEIR_TRACK_NO_FLOW = 3,   /* an ICMP error about a flow that is not there */
};
/* Takes one packet; *ret_flow and *ret_side (the sender) are set on OK. */
enum weir_track weir_flow_track(struct weir_flow_table *table, uint64_t hash,
                                const struct weir_packet *packet, struct weir_flow **ret_flow,
                                enum weir_side *ret_side);

/* Fires every timer that is due at `now_us` (a whole second). Call it for each tick in turn; after
 * a gap of more than WEIR_FLOW_LONGEST_US the rest of the gap may be skipped. */
#define WEIR_FLOW_LONGEST_US (INT64_C(400) * 1000000)
void weir_flow_tick(struct weir_flow_table *table, int64_t now_us);

/* The end of the capture: END (WEIR_END_OPEN) for every flow still there. */
void weir_flow_drain(struct weir_flow_table *table, int64_t now_us);
/* The same in parts, 0 first, each once: so that what the flows leave can be taken in portions.
 * Which flow is in which part does not depend on the number of workers. */
enum { WEIR_DRAIN_PARTS = 16 };
void weir_flow_drain_part(struct weir_flow_table *table, int64_t now_us, int part);

struct weir_flow_stats { /* since the start; time_clamped: negative spans held at 0 */
    WEIR_COUNTERS_OF_FLOW(WEIR_COUNTER_FIELD)
    uint64_t dns_cut;     /* DNS messages that the snap length cut */
    uint64_t flows_local; /* of the flows made, with a client in config.local */
    uint64_t flows_now, flows_peak;
    uint64_t memory_bytes; /* in use */
};
void weir_flow_table_stats(const struct weir_flow_table *table, struct weir_flow_stats *ret_stats);

/* Everything measured of one flow, for the `flow` record; fills all but the names of client and
 * server. Counters and distributions are empty unless the table keeps reports. See record.h. */
struct weir_flow_record;
void weir_flow_report(const struct weir_flow *flow, enum weir_flow_end end,
                      struct weir_flow_record *ret_record);

/* ---- DNS servers' messages over TCP ---- */

/* Puts them together from segments that may cut them anywhere, hold several, repeat or overtake one
 * another: the last 32 streams, 8 KiB of each. For whoever must see all answers, not only those of
 * its own flows. */
struct weir_dns_answers;                                         /* opaque */
int weir_dns_answers_new(struct weir_dns_answers **ret_answers); /* 0 or -ENOMEM */
void weir_dns_answers_free(struct weir_dns_answers *answers);
/* A TCP segment with payload from port 53, its flow's hash: `visitor` gets each message that it
 * completes, and the beginning of one that the capture cut or that is too long. */
typedef void (*weir_dns_visitor)(void *context, const uint8_t *bytes, size_t length);
void weir_dns_answers_segment(struct weir_dns_answers *answers, uint64_t hash,
                              const struct weir_packet *packet, weir_dns_visitor visitor,
                              void *context);
