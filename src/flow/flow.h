/* The private layout of the flow stage.
 *
 * A flow is four cache lines; what only some flows need lies in slabs and is reached by a 32-bit
 * handle (0: none), taken when it is first needed and given back as soon as it is not:
 *
 *      line 0  key, state, counters     read by every lookup
 *      line 1  TCP                      written by every packet
 *      line 2  the open request         written by every packet of an answer
 *      line 3  names                    written when something is learned
 *        shake   TLS or QUIC handshake         detail  holes in the sequence
 *        dns     transactions of a DNS flow    links   of the timer wheel: dense, since it walks
 * them all report  what only the flow's record shows, where records are wanted: item n is flow n's
 *
 * All memory comes from reserved mappings that grow by being touched, under one bound.
 */
#pragma once

#include <assert.h>

#include <weir/flow.h>
#include <weir/record.h>

#include "flow/slab.h"
#include "flow/spread.h"

enum { TABLE_WHEEL_SLOTS = 512, DNS_STREAM_BYTES = 8192 + 80 };

#define PAUSE_LEAST_US INT64_C(1000000) /* a shorter silence of a connection is none */

enum flow_state {
    STATE_SYN_SENT,  /* SYN seen, unanswered */
    STATE_SYN_ACKED, /* SYN-ACK seen, not yet acknowledged */
    STATE_OPEN,      /* established, or taken up in the middle, or UDP */
    STATE_CLOSED,    /* FIN both ways, or a RST */
};

enum flow_proto { PROTO_NONE, PROTO_PLAIN, PROTO_TLS, PROTO_QUIC, PROTO_UDP };

/* Flags of one side stand at bit + side. */
enum flow_flag {
    FLOW_FIN = 1u << 0,          /* and << 1 for the server */
    FLOW_NXT = 1u << 2,          /* nxt[side] is valid */
    FLOW_ACK = 1u << 4,          /* ack[side] is valid */
    FLOW_PENDING = 1u << 6,      /* an RTT sample of this sender is out */
    FLOW_PENDING_BARE = 1u << 8, /* ... armed by a segment without payload */
    FLOW_TSVAL = 1u << 10,       /* tsval[side] is valid */
    FLOW_DEAD = 1u << 10,        /* QUIC: the client is heard, the server no more */
    FLOW_MID = 1u << 12,         /* no handshake was seen */
    FLOW_RST = 1u << 13,
    FLOW_WAITING = 1u << 14, /* nobody answered yet: in the list of flows that are shed first */
    FLOW_TIMESTAMPS = 1u << 15,
    FLOW_DECIDED = 1u << 16, /* the connection attempt failed, or has no verdict to come */
    FLOW_USEFUL = 1u << 17,
    FLOW_ICMP = 1u << 18,        /* an ICMP error quoted the opening packet */
    FLOW_SHAKE = 1u << 19,       /* `shake` is a handle */
    FLOW_SHAKEN = 1u << 20,      /* `shake` is the length of the handshake, in us */
    FLOW_CUT = 1u << 21,         /* a record header lay behind the snap length */
    FLOW_ACKS_UNSEEN = 1u << 22, /* the client acknowledged a server that was never seen */
    FLOW_CLIENT_DATA = 1u << 23, /* plain TCP: the client has spoken */
    FLOW_INJECTED = 1u << 24,    /* the RST was not the peer's own */
    FLOW_ZERO_SINCE = 1u << 25,  /* the client's window was closed since the last server byte */
    FLOW_DNS = 1u << 26,
    FLOW_CLOSED_FIN = 1u << 27, /* both FINs came before any RST, or the only one that is seen */
    FLOW_GQUIC = 1u << 28,      /* Google's QUIC before the standard */
    FLOW_KEPT = 1u << 28,       /* TCP: the client's last word is a keep-alive, unanswered */
    FLOW_ASKED = 1u << 30,      /* there was a request */
    /* payload that tells names or requests lay behind the snap length */
    FLOW_BLIND = 1u << 31,
    /* the client acknowledged server bytes that the capture missed, and none came since */
    FLOW_UNSEEN = 1u << 29,
};

#define RTT_NONE UINT32_MAX

enum serve_state {
    SERVE_IDLE,      /* nothing asked */
    SERVE_WAITING,   /* asked, no byte of the answer yet */
    SERVE_ANSWERING, /* the answer is arriving */
    SERVE_SILENT,    /* the answer has been reported as complete; more of it may still come */
};
/* Of a flow's chunks before the one that is open. */
enum serve_told {
    TOLD_NOTHING,
    TOLD_GREETING, /* one of few bytes: settings and tickets, most likely */
    TOLD_MORE,
};
#define CHUNK_BYTES_MAX ((UINT64_C(1) << 34) - 1)
enum { REQUEST_BYTES_MAX = 4095, TICK_BYTES_MAX = (1 << 28) - 1, COPIES_TOLD = 7 };
struct serve { /* the request that is open, or was last */
    int64_t asked_us, last_byte_us;
    uint64_t chunk_bytes : 34; /* at most CHUNK_BYTES_MAX */
    uint64_t told : 2;         /* enum serve_told */
    /* of the request: weir_ask_size() of its largest packet; 0: several asked at once */
    uint64_t size : 7;
    /* of what the client said while the answer was arriving, at next_us; 0: nothing */
    uint64_t next_size : 7;
    /* the last two sizes that this flow's server answered with data */
    uint64_t known : 7, known_before : 7;
    uint32_t first_byte_after_us; /* behind asked_us */
    uint32_t asked_ms;
    uint32_t tick_bytes : 28; /* at most TICK_BYTES_MAX */
    /* of client data, since anything of the server was heard; COPIES_TOLD: it has failed */
    uint32_t copies : 3;
    /* the last bytes of the answer filled their segment: more was to come */
    uint32_t full : 1;
    /* low bits: asked every 5 s at the least while an answer arrives */
    uint16_t byte_ms;
    uint16_t request_bytes : 12; /* at most REQUEST_BYTES_MAX */
    uint16_t state : 2;          /* enum serve_state */
    uint16_t timed_out : 1, resumed : 1;
};

struct weir_flow {
    struct weir_addr addr[2];
    uint32_t domain; /* of the first packet; others may have joined (domain.c) */
    uint16_t port[2];
    uint8_t transport, state, proto, outcome;
    uint32_t flags;
    uint32_t last_ms;   /* engine's clock of the last packet, in ms */
    uint32_t timer_due; /* engine's second */
    uint32_t packets[2];

    uint64_t payload[2];
    /* low bits of the stamp of the last payload; [SERVER]: of the SYN-ACK before any */
    uint32_t payload_us[2];
    uint32_t nxt[2], ack[2]; /* by sender: highest end of sequence, highest acknowledgement */
    /* of UDP: the domain of this side where it is not `domain`, once FLOW_TSVAL says so */
    uint32_t tsval[2];
    union {
        struct {
            uint32_t value[2], us[2];
        } pending; /* TSval or acknowledgement awaited; after a RST its seq and stamp */
        struct {
            uint32_t prev, next, born_ms, icmp_ms;
        } waiting; /* while FLOW_WAITING */
        /* QUIC: what the client sent since it asked and heard nothing, the first and the last of
         * it, the longest wait between two */
        struct {
            uint32_t since_ms, last_ms, longest_ms;
            uint8_t said, grown; /* grown: waits that were half as long again as all before */
            uint8_t probes;      /* of the server, at a time */
            /* small: what it began with asks for nothing */
            bool forgotten : 1, small : 1;
        } unheard;
    };

    union {
        struct serve serve;
        uint32_t dns; /* where FLOW_DNS: handle of a dns_flow */
    };
    uint32_t opening_rtt_us[2]; /* of the handshake, by side */
    uint32_t shake, detail;     /* handles */
    uint8_t ttl[2];
    uint8_t syn, syn_ack;
    uint32_t next_us; /* low bits of the stamp: see serve.next_size */

    int64_t first_ts_us;
    uint16_t mss[2];
    uint16_t server_id;      /* IPv4 identification of the server's last packet */
    uint8_t server_id_steps; /* how often it went up by little */
    uint8_t reset;           /* side << 4 | kind */
    struct weir_named named;
    void *naming;
    struct weir_flow_table *table;
};
/* Of machines of 64 bits; on others the flow is shorter, and nothing depends on its lines. */
#if UINTPTR_MAX > UINT32_MAX
static_assert(sizeof(struct weir_flow) == 256, "a flow is four cache lines");
static_assert(offsetof(struct weir_flow, payload) == 64, "lookup stays in one cache line");
static_assert(offsetof(struct weir_flow, serve) == 128, "TCP stays in one cache line");
static_assert(offsetof(struct weir_flow, first_ts_us) == 192, "requests stay in one cache line");
#endif

/* ---- cold state ---- */

/* What only the flow's record shows. */
struct report {
    int64_t last_ts_us;
    uint64_t bytes[2];
    struct spread rtt[2], ttfb, goodput;
    WEIR_FLOW_COUNTS(WEIR_FLOW_COUNT, WEIR_FLOW_COUNT_BY_SENDER)
    uint64_t lost_bytes[2];
    uint32_t requests, timeouts, n_stalls;
    uint32_t stalls; /* a handle */
};
struct stalls {
    struct {
        int64_t start_us, duration_us;
    } list[WEIR_STALLS_MAX];
};

enum { DETAIL_HOLES = 8, DETAIL_RANGES = 6, DETAIL_REPEATS = 4 };
struct hole {
    uint32_t start, end;
    uint32_t us, tsval; /* of the packet behind it that showed it */
    uint16_t ip_id;
    bool open;
};
struct range {
    uint32_t start, end;
    bool used;
};
struct repeat { /* told as lost beyond */
    uint32_t start, end, us;
    bool used;
};
/* Of a receiver that sends no SACK: what lies behind a hole that was filled here. */
struct doubt {
    uint32_t start, end;
    uint32_t again_end; /* of what was sent again since */
    enum { DOUBT_NONE, DOUBT_OPEN, DOUBT_KEEPS, DOUBT_BLIND } state;
};
struct detail { /* by who sent the bytes */
    struct hole holes[2][DETAIL_HOLES];
    struct range excused[2][DETAIL_RANGES]; /* not acknowledged, and no loss when they come again */
    struct repeat repeats[2][DETAIL_REPEATS];
    struct doubt doubts[2];
    bool sacks[2];  /* the receiver says so by SACK blocks */
    bool closed[2]; /* the receiver's window is closed */
};

enum walk_state { WALK_NONE, WALK_ON, WALK_LOST };
struct walk {      /* over the TLS records of one direction */
    uint32_t next; /* sequence number of the next record header */
    uint8_t state, n_held;
    uint8_t held[7]; /* the header's bytes so far, and the first two behind it */
};

enum shake_flag { /* TLS */
                  SHAKE_CLIENT_HELLO = 1u << 0,
                  SHAKE_HELLO_WHOLE = 1u << 1,
                  SHAKE_SERVER_HELLO = 1u << 2,
                  SHAKE_CLIENT_22 =
                      1u << 3, /* a client handshake record that is no ClientHello: TLS 1.2 */
                  SHAKE_CLIENT_CCS = 1u << 4,
                  SHAKE_SERVER_CCS = 1u << 5,
                  SHAKE_FINISHED = 1u << 6, /* the client's part is over */
                  SHAKE_CLIENT_DATA = 1u << 7,
                  SHAKE_REJECT = 1u << 8,   /* the client answered with what can only be an alert */
                  SHAKE_TIMED = 1u << 9,    /* handshake_us is valid */
                  SHAKE_SETTLED = 1u << 10, /* no more session tickets are expected */
                  SHAKE_SKIPPED = 1u
                                  << 13, /* a hole in what the client sent took records with it */
                  SHAKE_BLIND =
                      1u << 12, /* a record header of the server lay behind the snap length */
                  SHAKE_GUESSED = 1u << 11, /* TLS by the port only: no byte was captured */
                  /* QUIC */
                  SHAKE_SERVER_INITIAL = 1u << 16,
                  SHAKE_SERVER_HANDSHAKE = 1u << 17,
                  SHAKE_CLIENT_HANDSHAKE = 1u << 18,
                  SHAKE_CLIENT_SHORT = 1u << 19,
                  /* any datagram of the server that is neither Retry nor version negotiation */
                  SHAKE_ANSWERED = 1u << 20,
                  /* the last word of the server, no new Initial since */
                  SHAKE_RETRY = 1u << 21,
                  SHAKE_NEGOTIATION = 1u << 22,
                  /* the next client Initial brings the id that the keys come from */
                  SHAKE_NEW_DCID = 1u << 23,
};
enum { QUIC_RIVALS = 3 };
struct opening {          /* of a QUIC connection: an Initial that the server may answer */
    int64_t start_us;     /* its stamp */
    uint32_t scid;        /* hash of the client's own id, by which the server answers */
    uint8_t flights;      /* how often it was sent */
    struct weir_cid dcid; /* makes the keys */
};

struct shake {
    /* stamp of ClientHello; QUIC: of the Initial that opens the connection */
    int64_t start_us;
    int64_t server_us; /* QUIC: stamp of the server's first Handshake packet */
    uint32_t flags;
    /* engine's clock when the ClientHello was whole; QUIC: of Retry or negotiation */
    uint32_t whole_ms;
    uint32_t hello_end; /* sequence number behind the ClientHello */
    /* low bits of the stamp of the suspected alert, else of the client's Finished; QUIC: of its
     * first 1-RTT packet */
    uint32_t reject_us;
    uint32_t handshake_us;
    uint32_t initial_ms; /* QUIC: of the last client Initial */
    uint16_t ticket_len;
    uint8_t n_tickets, n_small, n_client_records;
    uint8_t initials, retries; /* QUIC: flights of client Initials, Retry packets */
    uint8_t n_openings;
    union {
        struct walk walk[2]; /* TLS */
        /* QUIC: the first, or the one that was answered, and others before an answer */
        struct opening openings[1 + QUIC_RIVALS];
    };
};

enum { DNS_OPEN_MAX = 6 };
struct dns_flow {
    uint32_t queries, answers, timeout, servfail, refused, nxdomain;
    uint32_t unlisted; /* queries that found no room in `open` */
    uint8_t last;      /* enum weir_outcome of the last answer */
    struct {
        uint32_t name, first_ms;
        uint16_t id;
        uint8_t sends;
        bool open;
    } open[DNS_OPEN_MAX];
    uint32_t stream[2]; /* DNS over TCP: handles of buffers, while a message is in pieces */
    uint32_t next[2];   /* where the next message begins, once `begun` */
    bool begun[2];
};

/* ---- the table ---- */

struct bucket;
struct link;
struct echo_set;
struct dns;

struct weir_flow_table {
    struct weir_flow_config config;
    struct memory flow_memory, memory;
    struct slab flows, histograms, stalls, shake, detail, dns_flows, dns_streams;
    struct report *reports; /* by the flow's handle; NULL: not wanted */
    struct link *links;     /* by the flow's handle */
    size_t n_flows_max;
    bool emptying; /* all flows end: none needs to be taken out of its bucket */
    struct bucket *buckets;
    size_t bucket_mask, n_buckets_max; /* of those in use; a power of two as well */
    uint32_t waiting_head, waiting_tail;
    uint32_t wheel[TABLE_WHEEL_SLOTS];
    int64_t wheel_sec;
    bool wheel_started;
    struct echo_set *echoes;
    size_t echo_mask;
    struct dns *dns;
    uint32_t expected_seq; /* of the last TCP packet's sender, before it came */
    uint32_t before_ms;    /* engine's clock of that flow's packet before, of either side */
    struct weir_flow_stats stats;
};

static inline enum weir_side other(enum weir_side side) {
    return side == WEIR_CLIENT ? WEIR_SERVER : WEIR_CLIENT;
}
static inline bool flow_is(const struct weir_flow *flow, uint32_t flags) {
    return (flow->flags & flags) != 0;
}
static inline uint32_t now_ms(int64_t now_us) { return (uint32_t)((uint64_t)now_us / 1000); }

/* Microseconds between two stamps, of which the low bits of the earlier are kept; never negative.
 */
static inline uint32_t low_span(uint32_t earlier_us, int64_t later_us) {
    int32_t span = (int32_t)((uint32_t)later_us - earlier_us);
    return span > 0 ? (uint32_t)span : 0;
}

static inline int64_t span_us(struct weir_flow_table *table, int64_t earlier_us, int64_t later_us) {
    int64_t span;
    if (__builtin_sub_overflow(later_us, earlier_us, &span) || span < 0) {
        table->stats.time_clamped++;
        return 0;
    }
    return span;
}

/* No time has passed since the flow's first packet: where several packets later that is still so,
 * the capture has no stamps, or one for all. Spans of 0 are then no measurements. */
static inline bool flow_is_timeless(const struct weir_flow *flow, int64_t ts_us) {
    return ts_us == flow->first_ts_us;
}

static inline uint32_t handle_of(const struct weir_flow *flow) {
    return (uint32_t)(((const uint8_t *)flow - flow->table->flows.base) / sizeof *flow);
}

static inline void flow_prefetch(const struct weir_flow *flow) {
    for (unsigned line = 0; line < sizeof *flow / 64; line++)
        __builtin_prefetch((const uint8_t *)flow + 64 * line, 1);
}

/* NULL unless flow records are wanted. */
static inline struct report *flow_report(const struct weir_flow *flow) {
    return flow->table->reports ? &flow->table->reports[handle_of(flow)] : NULL;
}

/* The request of a flow; NULL where it has none, and never for DNS. */
static inline struct serve *flow_serve(const struct weir_flow *flow) {
    return flow_is(flow, FLOW_ASKED) ? (struct serve *)&flow->serve : NULL;
}

/* Much came down, or the name says so. */
static inline bool flow_is_media(const struct weir_flow *flow) {
    return flow->named.role == WEIR_ROLE_MEDIA || flow->payload[WEIR_SERVER] >= WEIR_MEDIA_BYTES;
}

/* The cold parts of a flow: NULL when there is none; the _make forms take one, NULL (counted)
 * without room. */
struct detail *flow_detail(const struct weir_flow *flow);
struct detail *flow_detail_make(struct weir_flow *flow);
void flow_detail_free(struct weir_flow *flow);
struct shake *flow_shake(const struct weir_flow *flow);
struct shake *flow_shake_make(struct weir_flow *flow);
void flow_shake_free(struct weir_flow *flow);
struct dns_flow *flow_dns(const struct weir_flow *flow);

/* Packets of one side only, while the other side must have spoken. */
void flow_emit(struct weir_flow *flow, const struct weir_event *event);
/* Decides an attempt and reports it; failures of one-way flows are not reported. */
void flow_attempt(struct weir_flow *flow, int64_t ts_us, int64_t now_us, enum weir_layer layer,
                  enum weir_outcome outcome, int64_t first_us);
/* A CONNECT or QUIC attempt: a failure only once, useful only once. */
void flow_connect(struct weir_flow *flow, int64_t ts_us, int64_t now_us, enum weir_outcome outcome);
void flow_rtt_sample(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                     int64_t us, bool handshake);
/* A server that hears its client acknowledges so soon. */
uint32_t flow_acknowledged_within_ms(const struct weir_flow *flow);
/* Somebody answered: the flow is no longer shed first. */
void flow_answered(struct weir_flow *flow);
/* The last events, END, and the memory back. */
void flow_end(struct weir_flow *flow, enum weir_flow_end end, int64_t ts_us, int64_t now_us);
enum weir_flow_end flow_end_reason(const struct weir_flow *flow, enum weir_flow_end otherwise);

/* timer.c: fires on the first tick at or after due_us, or earlier if it was already armed so. */
void timer_start(struct weir_flow *flow, int64_t now_us, int64_t due_us);
void timer_by(struct weir_flow *flow, int64_t due_us);
void timer_stop(struct weir_flow *flow);
/* expire.c: what is due at a tick; ends the flow or says when to ask again. */
void flow_timer(struct weir_flow *flow, int64_t now_us);
void flow_last_words(struct weir_flow *flow, int64_t ts_us, int64_t now_us);

/* domain.c: does a packet with the flow's endpoints, but in other tags, belong to its conversation?
 * It joins it then. */
bool domain_follows(const struct weir_flow *flow, const struct weir_packet *packet,
                    enum weir_side side);
void domain_joined(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side);

/* echo.c: true when this packet was captured before. */
void echo_prefetch(const struct weir_flow_table *table, uint64_t hash,
                   const struct weir_packet *packet);
bool echo_seen(struct weir_flow_table *table, uint64_t hash, const struct weir_packet *packet);

/* tcp.c, rtt.c */
void tcp_open(struct weir_flow *flow, const struct weir_packet *packet);
void tcp_packet(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side);
bool tcp_is_reuse(const struct weir_flow *flow, const struct weir_packet *packet,
                  enum weir_side side);
/* anomaly.c: judges a segment against what was seen, moves nxt on; returns the payload bytes not
 * seen before. */
uint32_t anomaly_segment(struct weir_flow *flow, const struct weir_packet *packet,
                         enum weir_side side, bool *ret_disturbed);
/* An acknowledgement of a flow with detail: losses that it takes back are told. */
void anomaly_acknowledged(struct weir_flow *flow, const struct weir_packet *packet,
                          enum weir_side receiver);
/* sack.c: bytes that the receiver has, or never took, without acknowledging them. `sender` sent
 * them. */
void sack_seen(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side receiver);
/* new bytes */
void sack_sent(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end);
void sack_excuse(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end);
/* how many of them */
uint32_t sack_excused(const struct weir_flow *flow, enum weir_side sender, uint32_t start,
                      uint32_t end);
/* behind a hole, and nobody says what came */
bool sack_is_blind(const struct weir_flow *flow, enum weir_side sender, uint32_t start);
/* the receiver does say what it has */
bool sack_spoken(const struct weir_flow *flow, enum weir_side sender);
/* [start, end) passed here, behind a hole that is filled now. */
void sack_doubt(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end);
/* Whether what is sent again at `start` may have been there already, as far as the acknowledgement
 * of a receiver without SACK tells. */
bool sack_is_doubtful(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end);
/* [start, end) was told as lost beyond. */
void sack_repeated(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end,
                   int64_t ts_us);
/* Bytes of these that the receiver now says it has twice (D-SACK); they are forgotten. */
uint32_t sack_needless(struct weir_flow *flow, const struct weir_packet *packet,
                       enum weir_side receiver);
bool detail_is_needed(const struct weir_flow *flow);
void reset_seen(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side);
void fin_seen(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side);
void rtt_packet(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                bool disturbed,
                uint32_t n_acked); /* bytes that it acknowledges for the first time */
uint32_t flow_opening_rtt_us(const struct weir_flow *flow); /* both sides together; 0: not known */

/* tls.c: payload of a flow that began with TLS. Returns whether the packet carries an application's
 * bytes. */
enum tls_says { TLS_HANDSHAKING, TLS_DEBRIS, TLS_APPLICATION };
bool tls_begins(const struct weir_flow *flow, const struct weir_packet *packet);
enum tls_says tls_packet(struct weir_flow *flow, const struct weir_packet *packet,
                         enum weir_side side);
/* A FIN or RST during the handshake; returns true when the handshake was still open (the reset kind
 * is HANDSHAKE). */
bool tls_closed(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side by);

/* quic.c */
enum quic_opening { QUIC_NOT, QUIC_OPENING, QUIC_MIDSTREAM, QUIC_GOOGLE };
enum quic_opening quic_opens(const struct weir_packet *packet);
void quic_packet(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side);
/* A client's Initial in a flow that began with something else. */
bool quic_begins_anew(const struct weir_flow *flow, const struct weir_packet *packet,
                      enum weir_side side);
/* quic_death.c: a datagram of the server, one of the client; what time decides. */
void quic_heard(struct weir_flow *flow, const struct weir_packet *packet);
void quic_said(struct weir_flow *flow, const struct weir_packet *packet);
bool quic_is_dead(const struct weir_flow *flow);
int64_t quic_death_timer(struct weir_flow *flow, int64_t now_us);
/* when to ask again; INT64_MAX: no need */
int64_t quic_timer(struct weir_flow *flow, int64_t now_us);

/* request.c: application bytes of one packet, those not seen before. */
void request_client(struct weir_flow *flow, const struct weir_packet *packet, uint32_t bytes);
void request_server(struct weir_flow *flow, const struct weir_packet *packet, uint32_t bytes);
/* Client data that was seen before, over TCP; anything of the server. */
void request_copy(struct weir_flow *flow, const struct weir_packet *packet);
static inline void request_heard(struct weir_flow *flow) {
    if (!flow_is(flow, FLOW_DNS) && flow->serve.copies) flow->serve.copies = 0;
}
void request_server_closed(struct weir_flow *flow, int64_t ts_us, int64_t now_us);
/* asked, by all that is known, and not a byte of the answer yet */
bool request_waiting(const struct weir_flow *flow);
int64_t request_timer(struct weir_flow *flow, int64_t now_us);
void request_end(struct weir_flow *flow, int64_t ts_us, int64_t now_us);

/* dns.c: transactions; dns_flow.c: the part of a flow. */
int dns_new(struct weir_flow_table *table);
void dns_free(struct weir_flow_table *table);
void dns_tick(struct weir_flow_table *table, int64_t now_us, bool last);
/* The outcome of an answer (NONE of a question, or of what is no DNS). */
struct weir_dns_message;
enum weir_outcome dns_message(struct weir_flow *flow, const struct weir_packet *packet,
                              enum weir_side side, const struct weir_dns_message *message,
                              uint16_t n_answers);
void dns_payload(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side);
void dns_flow_end(struct weir_flow *flow, int64_t now_us);
void dns_flow_release(struct weir_flow *flow);
