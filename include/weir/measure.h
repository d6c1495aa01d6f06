/* measure: turns what flow saw into evidence and numbers. Never decides about health.
 *
 * Two halves. Each worker has a **meter**, fed by its own flow table; once a tick it hands over a
 * **block**. The one coordinator takes the blocks of a tick from all workers, and calls, in this
 * order:
 *
 *     n = weir_evidence_gather(...)               all workers' evidence, in an order that does not
 *                                                 depend on workers
 *     for each evidence:
 *         resolve NONE with the address memory (classify), else OTHER
 *         weir_sessions_take(sessions, evidence)  -> may hand over STARVED and HOLLOW attempts
 *         weir_trials_take(trials, evidence)      -> closed slots, connection ends
 *         weir_rollup_evidence(rollup, evidence)
 *     weir_rollup_block(rollup, block)            for each block (accumulators come with the
 *                                                 window's end)
 *     weir_sessions_tick(sessions, now)           -> starved attempts, ended sessions
 *     weir_trials_tick(trials, now)               -> held failures that are due, the closed slot,
 *                                                 then the open slot
 *     at a window's end: weir_rollup_window() per service, weir_rollup_window_done()
 *
 * Spans are differences of the packets' stamps; slots and timers run on the engine's clock
 * (now_us).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/counter.h>
#include <weir/decode.h>
#include <weir/flow.h>
#include <weir/record.h>
#include <weir/service.h>
#include <weir/trial.h>

struct weir_address_fact; /* classify.h */
struct weir_histogram;    /* base/histogram.h */
struct weir_naming_stats; /* classify.h */

/* ---- signals and fields (the one place that says what windows publish) ---- */

/* An integer that adds up; an integer that does not; a double. */
enum weir_field_type { WEIR_FIELD_COUNT, WEIR_FIELD_GAUGE, WEIR_FIELD_RATIO };

struct weir_field {
    /* NDJSON nests `name` in an object of this name; Redis writes <group>_<name>. NULL: neither */
    const char *group;
    const char *name;
    const char *unit; /* "us", "bytes", "bps", "1" */
    const char *help;
    enum weir_field_type type;
};
/* All fields in the order of `values` of window and service records; n <= WEIR_FIELDS_MAX. */
const struct weir_field *weir_fields(size_t *ret_n);
/* The place of a field, or -1. `group` may be NULL. */
int weir_field_find(const char *group, const char *name);

struct weir_link_row; /* opaque */
/* All signals' states of one service: zeroed memory is an empty one. */
struct weir_accumulator; /* opaque */

/* ---- worker side ---- */

enum weir_evidence_kind {
    WEIR_EVIDENCE_ATTEMPT,  /* connection try or media request that was decided */
    WEIR_EVIDENCE_CHUNK,    /* of media: an answer is complete */
    WEIR_EVIDENCE_REPLY,    /* of control hosts, as `chunk`: an answer is complete */
    WEIR_EVIDENCE_PROGRESS, /* a request was open in this tick */
    WEIR_EVIDENCE_DNS,      /* a transaction is over; server is the resolver */
    WEIR_EVIDENCE_END,      /* a flow with server payload ended */
    /* of media: an idle connection served again, or was reset by the server */
    WEIR_EVIDENCE_PAUSE,
    WEIR_EVIDENCE_ALIVE, /* a server answers a keep-alive over TCP */
};

struct weir_evidence {
    int64_t now_us, ts_us;
    /* the coordinator puts the device's name in the client's place (weir/device.h) */
    struct weir_addr client, server;
    /* ... and keeps the flow's address here; all zero: it is `client` */
    struct weir_addr client_seen;
    uint16_t client_port, server_port;
    uint8_t kind;      /* enum weir_evidence_kind */
    uint8_t layer;     /* ATTEMPT, DNS: enum weir_layer */
    uint8_t outcome;   /* ATTEMPT, DNS: enum weir_outcome; END: the flow's */
    uint8_t transport; /* WEIR_TRANSPORT_TCP, _UDP */
    /* NONE: the flow has no name; the coordinator resolves it before use */
    weir_service_id service;
    uint8_t role;          /* enum weir_role */
    bool media;            /* role media, or 1 MB and more came down on the flow */
    bool midstream;        /* no handshake was seen */
    bool by_session;       /* ATTEMPT: judged by the sessions, not by flow */
    int64_t first_us;      /* ATTEMPT, DNS: when it began */
    int64_t flow_first_us; /* first packet of the flow; DNS: first query */
    uint64_t host_hash;    /* of the name (DNS: of the query's name, lower case); 0: none */
    union {
        struct {
            uint64_t bytes;
            int64_t request_us, ttfb_us, transfer_us, rest_us;
            uint32_t request_bytes;
            bool known, cut;
        } chunk;
        /* as in struct weir_event */
        struct {
            uint64_t bytes;
            int64_t open_us, waiting_us, timeout_us, last_us, unsure_us;
            bool waiting;
        } progress;
        /* latency -1: no answer */
        struct {
            int64_t latency_us;
            uint16_t qtype;
            uint8_t queries;
            bool denied, inside;
        } dns;
        /* enum weir_flow_end; as of weir_flow_reset_pause_us() */
        struct {
            int64_t reset_pause_us;
            uint8_t end;
            bool rst_mid;
            bool unasked; /* the client sent nothing but acknowledgements and resets */
        } end;
        struct {
            int64_t us;
            bool reset;
        } pause;
    };
};

/* A name of a service that was denied or answered with a local address: evidence has only its hash.
 */
struct weir_heard_name {
    uint64_t hash;
    weir_service_id service;
    char text[WEIR_BLOCKED_NAME_MAX];
};

struct weir_meter_stats { /* since the start: each bound that was hit */
    WEIR_COUNTERS_OF_METER(WEIR_COUNTER_FIELD)
};

/* What a worker hands over for one tick. What it points to is valid for as many more calls
 * of weir_meter_take() as the meter has blocks, less one; accumulators until the next window's end.
 */
struct weir_block {
    int64_t tick_us;
    /* tick_us is a multiple of WEIR_SLOT_US: accumulators are handed over */
    bool window_end;
    struct weir_evidence *evidence; /* the coordinator names what has no name yet */
    size_t n_evidence;
    const struct weir_flow_record *flows; /* of ended flows, when asked for */
    size_t n_flows;
    /* clients of the window, at its end; for weir_rollup_block() */
    const struct weir_link_row *links;
    size_t n_links;
    uint64_t links_refused; /* packets and events of clients for which there was no room */
    const struct weir_heard_name *names; /* for weir_trials_name() */
    size_t n_names;
    /* NULL unless window_end; for weir_rollup_block() */
    const struct weir_accumulator *accumulators;
    size_t n_services;
    bool heard;                              /* a packet of any server came since the tick before */
    uint64_t asking[WEIR_SERVICES_MAX / 64]; /* bit: clients asked that service since then */
    struct weir_meter_stats meter;
    /* Filled by the pipeline (the meter leaves them 0): */
    const struct weir_address_fact *facts;
    size_t n_facts;
    const struct weir_device_fact *devices;
    size_t n_devices;
    uint64_t decode[WEIR_DECODE_N]; /* outcomes since the start */
    struct weir_flow_stats flow;
    const struct weir_naming_stats *naming;
};

enum { WEIR_BLOCKS_MAX = 4 }; /* of a meter that are in use at a time */

struct weir_meter_config {
    struct weir_service_set *set; /* names of DNS questions; NULL: all DNS is OTHER */
    size_t n_services;            /* ids below this; 0: of the set */
    bool flow_records;            /* fill block.flows */
    /* the one that fills and those that are still being read, <= WEIR_BLOCKS_MAX; 0: 2 */
    unsigned n_blocks;
    /* per tick and worker; 0: defaults (262144, 65536, 65536) */
    size_t evidence_max, records_max, pending_max;
    /* clients whose links are measured, per window and worker; 0: default (4096) */
    size_t links_max;
};

struct weir_meter; /* opaque */

int weir_meter_new(struct weir_meter **ret_meter, const struct weir_meter_config *config);
void weir_meter_free(struct weir_meter *meter);
/* A reload of the signatures: only between ticks, and only to a set in which ids mean the same. */
void weir_meter_set_services(struct weir_meter *meter, struct weir_service_set *set);
/* Every tracked packet, after classify had it. `side` sent it. */
void weir_meter_packet(struct weir_meter *meter, struct weir_flow *flow, enum weir_side side,
                       const struct weir_packet *packet);
/* Every event of flow, after classify had it. */
void weir_meter_event(struct weir_meter *meter, struct weir_flow *flow,
                      const struct weir_event *event);
/* Once a tick. Hands over what came since the last one and begins anew. */
void weir_meter_take(struct weir_meter *meter, struct weir_block *ret_block, int64_t tick_us,
                     bool window_end);

/* ---- coordinator side: evidence in order ---- */

/* Lists the evidence of all blocks in the order (now, ts, client, port, server, port, kind, ...),
 * which does not depend on the number of workers. The list is the gatherer's until the next call,
 * what it points to is the blocks'. */
struct weir_gather; /* opaque, NULL to begin with */
int weir_evidence_gather(struct weir_gather **gather, const struct weir_block *blocks,
                         size_t n_blocks, struct weir_evidence ***ret_evidence, size_t *ret_n);
void weir_gather_free(struct weir_gather *gather);
int weir_evidence_compare(const struct weir_evidence *a, const struct weir_evidence *b);
/* The same order for flow records (last_ts, client, port, server, port, first_ts). */
int weir_flow_record_compare(const struct weir_flow_record *a, const struct weir_flow_record *b);

/* ---- coordinator side: trials ---- */

struct weir_trials_config {
    /* kinds of services: audio and calls have no request outcomes; NULL: all VoD */
    const struct weir_service_set *set;
    /* each tick, and once with closed */
    void (*on_slot)(void *context, const struct weir_slot *slot, bool closed);
    void (*on_connection_end)(void *context, const struct weir_connection_end *end);
    void *context;
    const struct weir_cidr *local; /* --local, or NULL; lives as long as the trials */
    size_t n_local;
    /* 0: defaults (65536, 8192, 16384, 65536) */
    size_t trials_max, held_max, useful_max, names_max;
};

struct weir_trials_stats {
    uint64_t attempts;     /* that counted */
    uint64_t neutral;      /* said nothing, race losers among them */
    uint64_t local_policy; /* of these: a filter's doing */
    uint64_t race_losers;  /* Happy Eyeballs, QUIC against TCP */
    uint64_t fell_back;    /* QUIC failures with TCP useful */
    /* idle connections that servers reset although such pauses are survived here */
    uint64_t resets_premature;
    uint64_t names_evicted; /* resolved names forgotten early */
    WEIR_COUNTERS_OF_TRIALS(WEIR_COUNTER_FIELD)
};

struct weir_trials; /* opaque */

int weir_trials_new(struct weir_trials **ret_trials, const struct weir_trials_config *config);
void weir_trials_free(struct weir_trials *trials);
/* Ahead of the evidence of its tick. */
void weir_trials_name(struct weir_trials *trials, const struct weir_heard_name *name,
                      int64_t now_us);
/* Names of the service that a filter here answered for, at `since_us` or later. */
void weir_trials_blocked(const struct weir_trials *trials, weir_service_id service,
                         int64_t since_us, struct weir_blocked_names *ret_names);
/* Brings what the next call will look for nearer. */
void weir_trials_prefetch(const struct weir_trials *trials, const struct weir_evidence *evidence);
/* In order of now_us. service must not be NONE. */
void weir_trials_take(struct weir_trials *trials, const struct weir_evidence *evidence);
/* After all evidence with now_us <= `now_us`. */
void weir_trials_tick(struct weir_trials *trials, int64_t now_us);
/* The end of the capture: decides what is held, closes the slot. */
void weir_trials_finish(struct weir_trials *trials, int64_t now_us);
/* Whether a reset after this pause came sooner than connections of the service usually last at that
 * place. */
bool weir_trials_is_premature(const struct weir_trials *trials, weir_service_id service,
                              uint8_t role, const struct weir_addr *server, int64_t pause_us);
void weir_trials_read_stats(const struct weir_trials *trials, struct weir_trials_stats *ret_stats);

/* ---- coordinator side: sessions ---- */

struct weir_sessions_config {
    const struct weir_service_set *set; /* kinds of services; NULL: all VoD */
    size_t n_services;
    /* USEFUL, STARVED, HOLLOW: for weir_trials_take() */
    void (*on_attempt)(void *context, const struct weir_evidence *attempt);
    void (*on_session)(void *context, const struct weir_session_record *session); /* at its end */
    void *context;
    size_t sessions_max, hosts_max; /* 0: defaults (16384, 4096) */
};

struct weir_sessions_stats {
    uint64_t sessions; /* begun */
    uint64_t sessions_now;
    uint64_t hosts_refused; /* media hosts whose small answers were not learned */
    WEIR_COUNTERS_OF_SESSIONS(WEIR_COUNTER_FIELD)
};

struct weir_sessions; /* opaque */

int weir_sessions_new(struct weir_sessions **ret_sessions,
                      const struct weir_sessions_config *config);
void weir_sessions_free(struct weir_sessions *sessions);
/* Brings what weir_sessions_take() will look for nearer; a little later, what it will find. */
void weir_sessions_prefetch(const struct weir_sessions *sessions,
                            const struct weir_evidence *evidence);
void weir_sessions_prefetch_found(const struct weir_sessions *sessions,
                                  const struct weir_evidence *evidence);
/* Keeps the pointer until the next tick. */
void weir_sessions_take(struct weir_sessions *sessions, const struct weir_evidence *evidence);
void weir_sessions_tick(struct weir_sessions *sessions, int64_t now_us);
/* Ends all sessions, in order of their start. */
void weir_sessions_finish(struct weir_sessions *sessions, int64_t now_us);
/* By service id, n_services of them: max(5 s, 3 x learned p99 of TTFB), for
 * weir_flow_config.request_timeout_us. Changes in weir_sessions_tick() only, at window ends. */
const int64_t *weir_sessions_request_timeouts(const struct weir_sessions *sessions);
/* WEIR_SERVICES_MAX pages, for weir_flow_config.asks; they change at the same time. */
const struct weir_ask_page *weir_sessions_asks(const struct weir_sessions *sessions);
struct weir_demand weir_sessions_demand(const struct weir_sessions *sessions,
                                        weir_service_id service);
/* What sessions of the service added up since the last call of this. */
struct weir_session_sums {
    bool demand;               /* anybody had an open media request: else the others mean nothing */
    uint64_t starved_us;       /* summed over clients */
    uint64_t throughput_drops; /* chunks slower than half of their session's own median */
    uint32_t viewers, viewers_stalled; /* most at a time */
    /* of viewers whose buffer is known: how long they watched, and with a still picture */
    uint64_t watched_us, still_us;
    /* of viewers; NULL: none. The sessions', until they tick again */
    const struct weir_histogram *startup_us, *bitrate_bps;
};
void weir_sessions_take_sums(struct weir_sessions *sessions, weir_service_id service,
                             struct weir_session_sums *ret_sums);
void weir_sessions_read_stats(const struct weir_sessions *sessions,
                              struct weir_sessions_stats *ret_stats);

/* ---- coordinator side: windows and the run ---- */

struct weir_rollup; /* opaque */

struct weir_rollup_stats {
    WEIR_COUNTERS_OF_ROLLUP(WEIR_COUNTER_FIELD)
};

int weir_rollup_new(struct weir_rollup **ret_rollup, size_t n_services,
                    size_t clients_max /* 0: 65536 */);
void weir_rollup_free(struct weir_rollup *rollup);
/* Rows of clients are counted by device from now on; `devices` outlives the rollup. */
struct weir_devices;
void weir_rollup_by_device(struct weir_rollup *rollup, const struct weir_devices *devices);
void weir_rollup_block(struct weir_rollup *rollup, const struct weir_block *block);
/* as above */
void weir_rollup_prefetch(const struct weir_rollup *rollup, const struct weir_evidence *evidence);
void weir_rollup_evidence(struct weir_rollup *rollup, const struct weir_evidence *evidence);
/* closed slots only */
void weir_rollup_slot(struct weir_rollup *rollup, const struct weir_slot *slot);
void weir_rollup_sums(struct weir_rollup *rollup, weir_service_id service,
                      const struct weir_session_sums *sums);
/* True when anything was seen of the service in this window. */
bool weir_rollup_seen(const struct weir_rollup *rollup, weir_service_id service);
/* The window that ends at `end_us`; state is left to the caller. */
void weir_rollup_window(const struct weir_rollup *rollup, weir_service_id service, int64_t end_us,
                        struct weir_window_record *ret_record);
/* Adds the window to the run's totals and begins the next one. */
void weir_rollup_window_done(struct weir_rollup *rollup, int64_t end_us);
/* Over the whole run; false when nothing was ever seen. */
bool weir_rollup_service(const struct weir_rollup *rollup, weir_service_id service,
                         struct weir_service_record *ret_record);
/* Of the window's ended TCP flows with payload the share of which one direction only was seen; 0
 * when too few ended. */
double weir_rollup_one_way_share(const struct weir_rollup *rollup);
/* IP payload that servers sent in the window, over all services. */
uint64_t weir_rollup_down_bytes(const struct weir_rollup *rollup);
/* Payload of TCP from the service's servers, bytes. */
uint64_t weir_rollup_down_payload(const struct weir_rollup *rollup, weir_service_id service);
/* Of each client that anything was sent to, in order of their addresses; valid until the window is
 * done. */
size_t weir_rollup_links(struct weir_rollup *rollup, const struct weir_client_link **ret_links);
/* How many clients are behind the window's samples. */
uint32_t weir_rollup_sampled(const struct weir_rollup *rollup, weir_service_id service,
                             enum weir_continuous what);
/* Flows and bytes by the way of their naming, over all services. Adds to what is there. */
void weir_rollup_naming(const struct weir_rollup *rollup, uint64_t flows[WEIR_NAMED_N],
                        uint64_t bytes[WEIR_NAMED_N]);
void weir_rollup_read_stats(const struct weir_rollup *rollup, struct weir_rollup_stats *ret_stats);
