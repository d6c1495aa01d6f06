/* The meter: a worker's side of measure. It sorts what flow tells into numbers (accumulators, one
 * per service, handed over at window ends) and evidence (a list, handed over each tick). Both exist
 * twice and are swapped, so the coordinator reads one while the worker fills the other.
 *
 * A flow often begins without a name. Its first counts would then go to nobody, and with them the
 * handshake's round-trip times, so a new unnamed flow is kept in a small table (pending.h) until it
 * has a name or ends.
 *
 * Blind spot: bytes that pass before the name is known stay with the unnamed.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weir/classify.h>

#include "measure/links.h"
#include "measure/pending.h"
#include "measure/signal.h"

enum {
    EVIDENCE_MAX = 262144,
    RECORDS_MAX = 65536,
    PENDING_MAX = 65536,
    LINKS_MAX = 4096,
    HEARD_MAX = 64,   /* names of a tick */
    LIST_FIRST = 256, /* capacity to begin with */
};

struct lists { /* what is handed over at a tick */
    struct weir_evidence *evidence;
    size_t n_evidence, cap_evidence;
    struct weir_flow_record *records;
    size_t n_records, cap_records;
    struct weir_heard_name *names;
    size_t n_names, cap_names;
};

struct weir_meter {
    struct weir_accumulator *filling; /* n_services of them */
    size_t accumulator_size, n_services;
    struct weir_accumulator *given;
    bool given_dirty;
    /* as the accumulators: the one that is being filled, and the one given */
    struct weir_links links[2];
    uint16_t window;
    /* packets of `filling`, by sender, up to the tick before; of clients those that ask */
    uint64_t (*told)[2];
    struct lists lists[WEIR_BLOCKS_MAX]; /* filled in turn */
    unsigned n_lists, at;                /* the one that is being filled */
    struct weir_service_set *set;
    bool flow_records;
    size_t evidence_max, records_max;
    struct weir_pending pending;
    struct weir_meter_stats stats;
};

int weir_meter_new(struct weir_meter **ret_meter, const struct weir_meter_config *config) {
    struct weir_meter *meter = calloc(1, sizeof *meter);
    if (!meter) return -ENOMEM;
    meter->n_services = config->n_services ? config->n_services
                        : config->set      ? weir_service_set_count(config->set)
                                           : WEIR_SERVICE_FIRST;
    meter->set = config->set ? weir_service_set_ref(config->set) : NULL;
    meter->flow_records = config->flow_records;
    meter->evidence_max = config->evidence_max ? config->evidence_max : EVIDENCE_MAX;
    meter->records_max = config->records_max ? config->records_max : RECORDS_MAX;
    meter->accumulator_size = weir_accumulator_size();
    meter->filling = weir_accumulators_new(meter->n_services);
    meter->told = calloc(meter->n_services, sizeof *meter->told);
    meter->given = weir_accumulators_new(meter->n_services);
    meter->n_lists = config->n_blocks ? config->n_blocks : 2;
    for (int i = 0; i < 2; i++)
        weir_links_init(&meter->links[i], config->links_max ? config->links_max : LINKS_MAX);
    int error =
        weir_pending_init(&meter->pending, config->pending_max ? config->pending_max : PENDING_MAX);
    if (error < 0 || !meter->filling || !meter->told || !meter->given) {
        weir_meter_free(meter);
        return -ENOMEM;
    }
    *ret_meter = meter;
    return 0;
}

void weir_meter_free(struct weir_meter *meter) {
    if (!meter) return;
    for (unsigned i = 0; i < meter->n_lists; i++) {
        free(meter->lists[i].evidence);
        free(meter->lists[i].records);
        free(meter->lists[i].names);
    }
    if (meter->set) weir_service_set_unref(meter->set);
    weir_pending_deinit(&meter->pending);
    for (int i = 0; i < 2; i++) weir_links_deinit(&meter->links[i]);
    free(meter->told);
    free(meter->filling);
    free(meter->given);
    free(meter);
}

void weir_meter_set_services(struct weir_meter *meter, struct weir_service_set *set) {
    if (set) weir_service_set_ref(set);
    if (meter->set) weir_service_set_unref(meter->set);
    meter->set = set;
}

static struct weir_accumulator *accumulator_of(struct weir_meter *meter, weir_service_id service) {
    size_t index = service < meter->n_services ? service : WEIR_SERVICE_OTHER;
    return (struct weir_accumulator *)((uintptr_t)meter->filling + index * meter->accumulator_size);
}

/* An acknowledgement, or the RST with which a client closes what it no longer needs. */
static bool asks_nothing(const struct weir_packet *packet) {
    return (packet->tcp_flags & WEIR_TCP_RST) ||
           !(packet->tcp_flags & (WEIR_TCP_SYN | WEIR_TCP_FIN));
}

void weir_meter_packet(struct weir_meter *meter, struct weir_flow *flow, enum weir_side side,
                       const struct weir_packet *packet) {
    const struct weir_named *named = weir_flow_named(flow);
    struct weir_accumulator *accumulator = accumulator_of(meter, named->service);
    struct weir_traffic *traffic = &accumulator->traffic;
    accumulator->touched = true;
    traffic->packets[side]++;
    traffic->bytes[side] += packet->ip_payload_len;
    traffic->named_bytes[named->by] += named->app == WEIR_APP_DNS ? 0 : packet->ip_payload_len;
    if (packet->transport != WEIR_TRANSPORT_TCP) return;
    if (packet->payload_len == 0) {
        traffic->mute += side == WEIR_CLIENT && asks_nothing(packet);
        return;
    }
    traffic->tcp_payload[side] += packet->payload_len;
    weir_links_packet(&meter->links[meter->window & 1], flow, side, packet->payload_len);
}

/* Room for one more in a list that grows to a bound; NULL: full. */
static void *list_add(void **list, size_t *n, size_t *capacity, size_t max, size_t size) {
    if (*n >= max) return NULL;
    if (*n == *capacity) {
        size_t more = *capacity ? *capacity * 2 : LIST_FIRST;
        void *grown = realloc(*list, more * size);
        if (!grown) return NULL;
        *list = grown;
        *capacity = more;
    }
    void *entry = (uint8_t *)*list + (*n)++ * size;
    memset(entry, 0, size);
    return entry;
}

static struct weir_evidence *evidence_add(struct weir_meter *meter, enum weir_evidence_kind kind,
                                          const struct weir_event *event) {
    struct lists *lists = &meter->lists[meter->at];
    struct weir_evidence *evidence =
        list_add((void **)&lists->evidence, &lists->n_evidence, &lists->cap_evidence,
                 meter->evidence_max, sizeof *evidence);
    if (!evidence) {
        meter->stats.evidence_refused++;
        return NULL;
    }
    evidence->kind = (uint8_t)kind;
    evidence->now_us = event->now_us;
    evidence->ts_us = event->ts_us;
    return evidence;
}

static bool flow_is_media(struct weir_flow *flow) {
    return weir_flow_named(flow)->role == WEIR_ROLE_MEDIA ||
           weir_flow_payload(flow, WEIR_SERVER) >= WEIR_MEDIA_BYTES;
}

static void evidence_of_flow(struct weir_evidence *evidence, struct weir_flow *flow) {
    const struct weir_named *named = weir_flow_named(flow);
    evidence->client = *weir_flow_addr(flow, WEIR_CLIENT);
    evidence->server = *weir_flow_addr(flow, WEIR_SERVER);
    evidence->client_port = weir_flow_port(flow, WEIR_CLIENT);
    evidence->server_port = weir_flow_port(flow, WEIR_SERVER);
    evidence->transport = weir_flow_transport(flow);
    evidence->service = named->service;
    evidence->role = named->role;
    evidence->host_hash = named->host_hash;
    evidence->media = flow_is_media(flow);
    evidence->midstream = weir_flow_midstream(flow);
    evidence->flow_first_us = weir_flow_first_ts_us(flow);
}

/* DNS transactions have their own event, with more to tell. A host that is never counted may fail:
 * a log collector that a filter blocks is no witness against anybody's network either. */
static void on_attempt(struct weir_meter *meter, struct weir_flow *flow,
                       const struct weir_event *event) {
    if (event->attempt.layer == WEIR_LAYER_DNS) return;
    if (weir_flow_named(flow)->never_count && weir_outcome_failed(event->attempt.outcome)) return;
    struct weir_evidence *evidence = evidence_add(meter, WEIR_EVIDENCE_ATTEMPT, event);
    if (!evidence) return;
    evidence_of_flow(evidence, flow);
    evidence->layer = (uint8_t)event->attempt.layer;
    evidence->outcome = (uint8_t)event->attempt.outcome;
    evidence->first_us = event->attempt.first_us;
}

static void on_chunk(struct weir_meter *meter, struct weir_flow *flow,
                     const struct weir_event *event) {
    bool media = flow_is_media(flow);
    if (!media && weir_flow_named(flow)->role != WEIR_ROLE_CONTROL) return;
    struct weir_evidence *evidence =
        evidence_add(meter, media ? WEIR_EVIDENCE_CHUNK : WEIR_EVIDENCE_REPLY, event);
    if (!evidence) return;
    evidence_of_flow(evidence, flow);
    evidence->first_us = event->chunk.request_us;
    evidence->chunk.bytes = event->chunk.bytes;
    evidence->chunk.request_us = event->chunk.request_us;
    evidence->chunk.ttfb_us = event->chunk.ttfb_us;
    evidence->chunk.transfer_us = event->chunk.transfer_us;
    evidence->chunk.rest_us = event->chunk.rest_us;
    evidence->chunk.request_bytes = event->chunk.request_bytes;
    evidence->chunk.known = event->chunk.known;
    evidence->chunk.cut = event->chunk.cut;
}

static void on_progress(struct weir_meter *meter, struct weir_flow *flow,
                        const struct weir_event *event) {
    if (!flow_is_media(flow)) return;
    struct weir_evidence *evidence = evidence_add(meter, WEIR_EVIDENCE_PROGRESS, event);
    if (!evidence) return;
    evidence_of_flow(evidence, flow);
    evidence->progress.bytes = event->progress.bytes;
    evidence->progress.open_us = event->progress.open_us;
    evidence->progress.waiting = event->progress.waiting;
    evidence->progress.waiting_us = event->progress.waiting_us;
    evidence->progress.timeout_us = event->progress.timeout_us;
    evidence->progress.last_us = event->progress.last_us;
    evidence->progress.unsure_us = event->progress.unsure_us;
}

enum { NAME_MAX_BYTES = 255 };

static size_t name_lower(char lower[NAME_MAX_BYTES], const char *name) {
    size_t length = 0;
    while (name && name[length] && length < NAME_MAX_BYTES) {
        lower[length] = (char)tolower((unsigned char)name[length]);
        length++;
    }
    return length;
}

/* What may turn out to be a filter's doing: its text, once a tick. */
static void keep_name(struct weir_meter *meter, const struct weir_evidence *evidence,
                      const char *name, size_t length) {
    struct lists *lists = &meter->lists[meter->at];
    if (evidence->service < WEIR_SERVICE_FIRST || !(evidence->dns.denied || evidence->dns.inside))
        return;
    for (size_t i = 0; i < lists->n_names; i++)
        if (lists->names[i].hash == evidence->host_hash) return;
    struct weir_heard_name *heard = list_add((void **)&lists->names, &lists->n_names,
                                             &lists->cap_names, HEARD_MAX, sizeof *heard);
    if (!heard) return;
    heard->hash = evidence->host_hash;
    heard->service = evidence->service;
    memcpy(heard->text, name, length < WEIR_BLOCKED_NAME_MAX ? length : WEIR_BLOCKED_NAME_MAX - 1);
}

static void on_dns(struct weir_meter *meter, const struct weir_event *event) {
    char name[NAME_MAX_BYTES];
    size_t length = name_lower(name, event->dns.qname);
    struct weir_match match = {.service = WEIR_SERVICE_OTHER, .role = WEIR_ROLE_OTHER};
    if (meter->set && length > 0) match = weir_service_match_host(meter->set, name, length);
    struct weir_sample sample = {
        .event = event, .transport = WEIR_TRANSPORT_UDP, .named_by = WEIR_NAMED_DNS};
    weir_accumulator_event(accumulator_of(meter, match.service), &sample);
    weir_links_event(&meter->links[meter->window & 1], NULL, match.service, &sample);

    /* that a resolver is silent is its own doing, whatever it is asked for */
    bool failed = weir_outcome_failed(event->dns.outcome);
    if (match.never_count && failed && event->dns.outcome != WEIR_OUTCOME_DNS_TIMEOUT) return;
    struct weir_evidence *evidence = evidence_add(meter, WEIR_EVIDENCE_DNS, event);
    if (!evidence) return;
    evidence->client = *event->dns.client;
    evidence->server = *event->dns.resolver;
    evidence->server_port = 53;
    evidence->layer = WEIR_LAYER_DNS;
    evidence->outcome = (uint8_t)event->dns.outcome;
    evidence->transport = WEIR_TRANSPORT_UDP;
    evidence->service = match.service;
    evidence->role = match.role;
    evidence->first_us = event->dns.first_us;
    evidence->flow_first_us = event->dns.first_us;
    evidence->host_hash = length ? weir_host_hash(name, length) : 0;
    evidence->dns.latency_us = event->dns.latency_us;
    evidence->dns.qtype = event->dns.qtype;
    evidence->dns.queries = event->dns.queries;
    evidence->dns.denied = event->dns.denied;
    evidence->dns.inside = event->dns.inside;
    keep_name(meter, evidence, name, length);
}

/* What says whether the capture sees both directions. Flows without payload, as floods leave them,
 * don't. */
static void count_direction(struct weir_meter *meter, struct weir_flow *flow) {
    struct weir_traffic *traffic = &accumulator_of(meter, weir_flow_named(flow)->service)->traffic;
    if (weir_flow_transport(flow) != WEIR_TRANSPORT_TCP ||
        weir_flow_payload(flow, WEIR_CLIENT) + weir_flow_payload(flow, WEIR_SERVER) == 0)
        return;
    traffic->tcp_ended++;
    traffic->tcp_ended_one_way += weir_flow_one_way(flow);
}

static void on_pause(struct weir_meter *meter, struct weir_flow *flow,
                     const struct weir_event *event) {
    struct weir_evidence *evidence =
        flow_is_media(flow) ? evidence_add(meter, WEIR_EVIDENCE_PAUSE, event) : NULL;
    if (!evidence) return;
    evidence_of_flow(evidence, flow);
    evidence->first_us = event->ts_us;
    evidence->pause.us = event->pause.us;
    evidence->pause.reset = event->pause.reset;
}

static void on_alive(struct weir_meter *meter, struct weir_flow *flow,
                     const struct weir_event *event) {
    struct weir_evidence *evidence = evidence_add(meter, WEIR_EVIDENCE_ALIVE, event);
    if (!evidence) return;
    evidence_of_flow(evidence, flow);
    evidence->first_us = event->ts_us;
}

static void on_end(struct weir_meter *meter, struct weir_flow *flow,
                   const struct weir_event *event) {
    count_direction(meter, flow);
    bool transferred = weir_flow_payload(flow, WEIR_SERVER) > 0 && flow_is_media(flow);
    if (meter->flow_records) {
        /* Half of the room is kept for flows on which both sides spoke: a flood must not crowd out
         * their records. */
        bool spoken =
            weir_flow_payload(flow, WEIR_CLIENT) > 0 && weir_flow_payload(flow, WEIR_SERVER) > 0;
        size_t most = spoken ? meter->records_max : meter->records_max / 2;
        struct lists *lists = &meter->lists[meter->at];
        struct weir_flow_record *record = list_add((void **)&lists->records, &lists->n_records,
                                                   &lists->cap_records, most, sizeof *record);
        if (record)
            weir_flow_report(flow, event->end.end, record);
        else
            meter->stats.records_refused++;
    }
    struct weir_evidence *evidence =
        transferred ? evidence_add(meter, WEIR_EVIDENCE_END, event) : NULL;
    if (!evidence) return;
    evidence_of_flow(evidence, flow);
    evidence->outcome = (uint8_t)weir_flow_outcome(flow);
    evidence->end.end = (uint8_t)event->end.end;
    evidence->end.reset_pause_us = weir_flow_reset_pause_us(flow);
    evidence->end.rst_mid = evidence->outcome == WEIR_OUTCOME_RST_MID;
    evidence->end.unasked = weir_flow_payload(flow, WEIR_CLIENT) == 0;
}

static void count_event(struct weir_meter *meter, struct weir_flow *flow, weir_service_id service,
                        const struct weir_event *event) {
    const struct weir_named *named = weir_flow_named(flow);
    struct weir_sample sample = {
        .event = event,
        .transport = weir_flow_transport(flow),
        .named_by = named->app == WEIR_APP_DNS ? WEIR_NAMED_N : named->by,
        .media = flow_is_media(flow),
    };
    weir_accumulator_event(accumulator_of(meter, service), &sample);
    weir_links_event(&meter->links[meter->window & 1], flow, service, &sample);
}

/* What was kept of a flow while it had no name, counted where it belongs. */
static void pending_settle(struct weir_meter *meter, struct weir_flow *flow,
                           weir_service_id service, const struct weir_pending_flow *kept) {
    struct weir_event event = {.kind = WEIR_EVENT_NEW};
    count_event(meter, flow, service, &event);
    for (unsigned i = 0; i < kept->n_rtt; i++) {
        event = (struct weir_event){.kind = WEIR_EVENT_RTT,
                                    .rtt = {.side = kept->rtt[i].side, .us = kept->rtt[i].us}};
        count_event(meter, flow, service, &event);
    }
}

/* True when the event is kept for later. */
static bool pending_takes(struct weir_meter *meter, struct weir_flow *flow,
                          const struct weir_event *event) {
    weir_service_id service = weir_flow_named(flow)->service;
    if (event->kind == WEIR_EVENT_NEW) {
        if (service != WEIR_SERVICE_NONE) return false;
        weir_flow_named(flow)->awaited = weir_pending_add(&meter->pending, flow);
        if (weir_flow_named(flow)->awaited) return true;
        meter->stats.pending_refused++;
        return false;
    }
    if (!weir_flow_named(flow)->awaited) return false;
    struct weir_pending_flow *kept = weir_pending_find(&meter->pending, flow);
    if (!kept) return false;
    if (service == WEIR_SERVICE_NONE && event->kind != WEIR_EVENT_END)
        return event->kind == WEIR_EVENT_RTT && weir_pending_keep_rtt(kept, event);
    struct weir_pending_flow copy = *kept;
    weir_pending_remove(&meter->pending, kept);
    weir_flow_named(flow)->awaited = false;
    pending_settle(meter, flow, service, &copy);
    return false;
}

void weir_meter_event(struct weir_meter *meter, struct weir_flow *flow,
                      const struct weir_event *event) {
    if (event->kind == WEIR_EVENT_DNS) {
        on_dns(meter, event);
        return;
    }
    if (!flow || pending_takes(meter, flow, event)) return;
    count_event(meter, flow, weir_flow_named(flow)->service, event);
    switch (event->kind) {
    case WEIR_EVENT_ATTEMPT: on_attempt(meter, flow, event); break;
    case WEIR_EVENT_CHUNK: on_chunk(meter, flow, event); break;
    case WEIR_EVENT_PROGRESS: on_progress(meter, flow, event); break;
    case WEIR_EVENT_PAUSE: on_pause(meter, flow, event); break;
    case WEIR_EVENT_ALIVE: on_alive(meter, flow, event); break;
    case WEIR_EVENT_END: on_end(meter, flow, event); break;
    default: break;
    }
}

static void accumulators_swap(struct weir_meter *meter) {
    struct weir_accumulator *full = meter->filling;
    meter->filling = meter->given;
    meter->given = full;
    meter->given_dirty = true;
}

/* What was given at the last window's end has been read by now: make it empty, to be filled next.
 */
static void given_clean(struct weir_meter *meter) {
    if (!meter->given_dirty) return;
    for (size_t i = 0; i < meter->n_services; i++)
        weir_accumulator_clear(weir_accumulator_at(meter->given, i));
    meter->given_dirty = false;
}

/* Who was heard, and who was asked, since the tick before: differences of sums, so that packets
 * hardly pay for it. With a dead resolver clients close old connections, and ask for nothing. */
static void note_talk(struct weir_meter *meter, struct weir_block *block, bool window_end) {
    for (size_t id = 0; id < meter->n_services; id++) {
        const struct weir_traffic *traffic =
            &weir_accumulator_at(window_end ? meter->given : meter->filling, id)->traffic;
        const uint64_t sums[2] = {
            [WEIR_CLIENT] = traffic->packets[WEIR_CLIENT] - traffic->mute,
            [WEIR_SERVER] = traffic->packets[WEIR_SERVER],
        };
        block->heard |= sums[WEIR_SERVER] != meter->told[id][WEIR_SERVER];
        if (sums[WEIR_CLIENT] != meter->told[id][WEIR_CLIENT])
            block->asking[id / 64] |= UINT64_C(1) << (id % 64);
        for (int side = 0; side < 2; side++) meter->told[id][side] = window_end ? 0 : sums[side];
    }
}

void weir_meter_take(struct weir_meter *meter, struct weir_block *ret_block, int64_t tick_us,
                     bool window_end) {
    const struct lists *full = &meter->lists[meter->at];
    const struct weir_links *links = &meter->links[meter->window & 1];
    if (window_end) {
        given_clean(meter);
        accumulators_swap(meter);
        meter->window++;
        weir_links_clear(&meter->links[meter->window & 1], meter->window);
    }
    *ret_block = (struct weir_block){
        .tick_us = tick_us,
        .window_end = window_end,
        .evidence = full->evidence,
        .n_evidence = full->n_evidence,
        .flows = full->records,
        .n_flows = full->n_records,
        .links = window_end ? links->rows : NULL,
        .n_links = window_end ? links->index.n : 0,
        .links_refused = window_end ? links->index.refused : 0,
        .names = full->names,
        .n_names = full->n_names,
        .accumulators = window_end ? meter->given : NULL,
        .n_services = meter->n_services,
        .meter = meter->stats,
    };
    note_talk(meter, ret_block, window_end);
    meter->at = (meter->at + 1) % meter->n_lists;
    meter->lists[meter->at].n_evidence = meter->lists[meter->at].n_records =
        meter->lists[meter->at].n_names = 0;
}
