/* From blocks to records.
 *
 * Its parts are made in coordinator_parts.c; what outlasts a run is coordinator_saved.c's.
 *
 * Within a tick the order is fixed: learn addresses, flow records, evidence (sessions, trials,
 * rollup), accumulators, timers, slots, windows, decision. Facts and learned time-outs go back to
 * the workers one window later, at a place of their packet order that is the same for all. Who
 * calls, and when, is meeting.c's affair: here one thread is at work at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weir/classify.h>
#include <weir/device.h>
#include <weir/detect.h>
#include <weir/measure.h>

#include "base/log.h"
#include "engine/bounds.h"
#include "engine/coordinator_inside.h"
#include "engine/counters.h"
#include "engine/detect_input.h"

enum { AHEAD = 8 };            /* pieces of evidence whose places in tables are prefetched */
enum { EVIDENCE_PART = 2048 }; /* pieces taken at a time, while other workers go on */

/* ---- one tick ---- */

static void learn_addresses(struct weir_coordinator *c) {
    for (unsigned w = 0; w < c->options->n_workers; w++) {
        const struct weir_block *block = &c->blocks[w];
        for (size_t i = 0; i < block->n_facts && c->n_facts < c->facts_max; i++)
            c->facts[c->n_facts++] = block->facts[i];
    }
    weir_devices_tick(c->devices, c->now_us / WEIR_TICK_US);
    for (unsigned w = 0; w < c->options->n_workers; w++)
        weir_devices_learn(c->devices, c->blocks[w].devices, c->blocks[w].n_devices,
                           c->now_us / WEIR_TICK_US);
    c->n_facts = weir_address_facts_unify(c->facts, c->n_facts);
    for (size_t i = 0; i < c->n_facts; i++)
        weir_address_memory_learn(c->addresses, &c->facts[i], c->now_us);
}

/* A client is a device where that is known. */
static void resolve_client(const struct weir_coordinator *c, struct weir_evidence *evidence) {
    evidence->client_seen = evidence->client;
    evidence->client = *weir_devices_client(c->devices, &evidence->client);
}

/* A flow that never said its name belongs to what its server's address serves. */
static void resolve_evidence(const struct weir_coordinator *c, struct weir_evidence *evidence) {
    struct weir_match match;
    if (evidence->service != WEIR_SERVICE_NONE) return;
    if (weir_address_memory_lookup(c->addresses, &evidence->server, c->now_us, &match) !=
        WEIR_ADDRESS_KNOWN)
        match = (struct weir_match){.service = WEIR_SERVICE_OTHER, .role = WEIR_ROLE_OTHER};
    evidence->service = match.service;
    evidence->role = match.role;
    evidence->media |= match.role == WEIR_ROLE_MEDIA;
}

static void gather_evidence(struct weir_coordinator *c) {
    for (unsigned w = 0; w < c->options->n_workers; w++)
        for (size_t i = 0; i < c->blocks[w].n_names; i++)
            weir_trials_name(c->trials, &c->blocks[w].names[i], c->now_us);
    c->n_evidence = c->evidence_seen = c->evidence_taken = 0;
    if (weir_evidence_gather(&c->gather, c->blocks, c->options->n_workers, &c->evidence,
                             &c->n_evidence) < 0)
        c->n_evidence = 0;
}

/* Whose it is, in advance: by that its places in tables are found, which no cache holds, and asked
 * for. What is learned of addresses and devices is learned before a tick's evidence is taken. */
static void look_ahead(struct weir_coordinator *c, size_t until) {
    struct weir_evidence **evidence = c->evidence;
    for (; c->evidence_seen < until && c->evidence_seen < c->n_evidence; c->evidence_seen++) {
        size_t i = c->evidence_seen;
        if (i + AHEAD < c->n_evidence) __builtin_prefetch(evidence[i + AHEAD], 1);
        resolve_client(c, evidence[i]);
        resolve_evidence(c, evidence[i]);
        weir_sessions_prefetch(c->sessions, evidence[i]);
        weir_trials_prefetch(c->trials, evidence[i]);
        weir_rollup_prefetch(c->rollup, evidence[i]);
    }
}

static void take_evidence(struct weir_coordinator *c) {
    struct weir_evidence **evidence = c->evidence;
    size_t n = c->n_evidence,
           end = n - c->evidence_taken > EVIDENCE_PART ? c->evidence_taken + EVIDENCE_PART : n;
    for (size_t i = c->evidence_taken; i < end; i++) {
        look_ahead(c, i + AHEAD);
        if (i + AHEAD / 2 < n) weir_sessions_prefetch_found(c->sessions, evidence[i + AHEAD / 2]);
        weir_sessions_take(c->sessions, evidence[i]);
        weir_trials_take(c->trials, evidence[i]);
        weir_rollup_evidence(c->rollup, evidence[i]);
    }
    c->evidence_taken = end;
}

static int compare_flows(const void *a, const void *b) {
    return weir_flow_record_compare(*(const struct weir_flow_record *const *)a,
                                    *(const struct weir_flow_record *const *)b);
}

static void publish_flow(struct weir_coordinator *c, const struct weir_flow_record *flow) {
    struct weir_flow_record record = *flow;
    struct weir_match match;
    weir_classify_ndpi_text(c->namer, &record.named, record.ndpi_text);
    if (c->counters.flow.dns_cut && record.named.by != WEIR_NAMED_SNI &&
        record.named.by != WEIR_NAMED_HTTP && record.named.by != WEIR_NAMED_DNS)
        record.payload_cut = true; /* a lookup that was cut may have said its name */
    if (record.named.service == WEIR_SERVICE_NONE &&
        weir_address_memory_lookup(c->addresses, &record.addr[WEIR_SERVER], c->now_us, &match) ==
            WEIR_ADDRESS_KNOWN) {
        record.named.service = match.service;
        record.named.role = match.role;
        record.named.by = WEIR_NAMED_ADDRESS;
    }
    if (weir_trials_is_premature(c->trials, record.named.service, record.named.role,
                                 &record.addr[WEIR_SERVER], record.reset_pause_us))
        record.outcome = WEIR_OUTCOME_RST_MID;
    coordinator_publish(c, WEIR_RECORD_FLOW, record.last_ts_us, &record);
}

static void publish_flows(struct weir_coordinator *c) {
    size_t n = 0;
    for (unsigned w = 0; w < c->options->n_workers; w++) n += c->blocks[w].n_flows;
    if (n > c->flows_room) {
        const struct weir_flow_record **room = realloc(c->flows, n * sizeof *room);
        if (!room) return;
        c->flows = room;
        c->flows_room = n;
    }
    n = 0;
    for (unsigned w = 0; w < c->options->n_workers; w++)
        for (size_t i = 0; i < c->blocks[w].n_flows; i++) c->flows[n++] = &c->blocks[w].flows[i];
    if (n > 1) qsort(c->flows, n, sizeof c->flows[0], compare_flows);
    for (size_t i = 0; i < n; i++) publish_flow(c, c->flows[i]);
}

/* What sessions add to the window. */
static void take_sums(struct weir_coordinator *c) {
    for (size_t id = WEIR_SERVICE_OTHER; id < c->n_services; id++) {
        struct weir_session_sums sums;
        weir_sessions_take_sums(c->sessions, (weir_service_id)id, &sums);
        weir_rollup_sums(c->rollup, (weir_service_id)id, &sums);
    }
}

/* ---- what was seen of the capture ---- */

static void tell_traffic(struct weir_coordinator *c) {
    bool heard = false;
    uint64_t asking[WEIR_SERVICES_MAX / 64] = {0};
    for (unsigned w = 0; w < c->options->n_workers; w++) {
        heard |= c->blocks[w].heard;
        for (size_t i = 0; i < WEIR_SERVICES_MAX / 64; i++) asking[i] |= c->blocks[w].asking[i];
    }
    weir_detector_traffic(c->detector, c->now_us, heard, asking);
}

/* Most flows go to servers whose names no lookup told: then nothing is known of the resolvers. */
static bool dns_is_blind(const struct weir_coordinator *c) {
    return c->counters.naming.https_blind * 2 > c->counters.naming.https_flows;
}

static void read_source(const struct weir_coordinator *c, struct weir_source *source,
                        struct weir_source_stats *ret_stats) {
    weir_counters_read_sources(source, c->options->lanes, c->options->n_workers, ret_stats);
}

/* `ts_us`: 0 for that of the last packet. */
static void publish_capture(struct weir_coordinator *c, struct weir_source *source, int64_t ts_us,
                            bool interim) {
    struct weir_source_stats stats;
    struct weir_capture_record capture = {.interim = interim};
    read_source(c, source, &stats);
    weir_counters_fill(&c->counters, &stats, &capture);
    weir_counters_fill_measured(c->trials, c->sessions, c->rollup, &capture);
    coordinator_publish(c, WEIR_RECORD_CAPTURE,
                        ts_us           ? ts_us
                        : stats.packets ? stats.last_ts_us
                                        : 0,
                        &capture);
}

/* What the capture lost of the window so far, as a share. Known before a tick decides, so that our
 * own loss is never called the network's. */
static double drop_share(const struct weir_coordinator *c, const struct weir_source_stats *now) {
    uint64_t dropped = now->dropped_kernel + now->dropped_interface - c->before.dropped,
             packets = now->packets - c->before.packets;
    return dropped ? (double)dropped / (double)(dropped + packets) : 0;
}

static double watch_drops(struct weir_coordinator *c, bool window_end) {
    if (!c->live) return 0;
    struct weir_source_stats now;
    read_source(c, c->live, &now);
    double share = drop_share(c, &now);
    if (share > c->options->detect->drop_share) {
        int64_t last_us = c->now_us - 1; /* a tick at a slot's end judges that slot */
        weir_detector_freeze(c->detector, last_us - last_us % WEIR_SLOT_US);
    }
    if (window_end) {
        c->before.packets = now.packets;
        c->before.dropped = now.dropped_kernel + now.dropped_interface;
    }
    return share;
}

static void end_window(struct weir_coordinator *c) {
    for (size_t id = WEIR_SERVICE_OTHER; id < c->n_services; id++) {
        if (!weir_rollup_seen(c->rollup, (weir_service_id)id) &&
            weir_detector_state(c->detector, (weir_service_id)id) < WEIR_STATE_SUSPECT)
            continue;
        struct weir_window_record window;
        weir_rollup_window(c->rollup, (weir_service_id)id, c->now_us, &window);
        window.state = weir_detector_state(c->detector, (weir_service_id)id);
        weir_trials_blocked(c->trials, (weir_service_id)id, c->now_us - BLOCKED_US,
                            &window.blocked);
        coordinator_publish(c, WEIR_RECORD_WINDOW, c->now_us, &window);
    }
    weir_rollup_window_done(c->rollup, c->now_us);
    if (c->live) publish_capture(c, c->live, c->now_us, true);
}

/* What this window taught goes to the workers at the end of the next one. */
static void issue_bulletin(struct weir_coordinator *c) {
    struct weir_address_fact *spare = c->bulletin_facts;
    c->bulletin_facts = c->facts;
    c->n_bulletin_facts = c->n_facts;
    c->facts = spare;
    c->n_facts = 0;
    coordinator_post_requests(c);
}

static void begin_tick(struct weir_coordinator *c) {
    c->now_us = c->blocks[0].tick_us;
    if (!c->state_read && !coordinator_read_state(c)) {
        weir_detector_free(c->detector);
        c->detector = NULL;
        c->error = coordinator_new_detector(c);
    }
    if (c->error) return;
    c->dropped = watch_drops(c, c->blocks[0].window_end);
    weir_counters_sum(&c->counters, c->blocks, c->options->n_workers, c->options->lanes);
    learn_addresses(c);
    if (c->options->want_flows) publish_flows(c);
    gather_evidence(c);
}

static void advance_sessions(struct weir_coordinator *c) {
    for (unsigned w = 0; w < c->options->n_workers; w++)
        weir_rollup_block(c->rollup, &c->blocks[w]);
    weir_sessions_tick(c->sessions, c->now_us);
    if (c->blocks[0].window_end) take_sums(c);
}

static void look_around(struct weir_coordinator *c, bool window_end) {
    struct weir_source_stats stats;
    if (c->live) read_source(c, c->live, &stats);
    weir_sight_look(&c->sight, c->now_us, window_end, c->live ? &stats : NULL, c->counters.decode);
    weir_detector_sight(c->detector, &c->sight.now);
}

static void decide(struct weir_coordinator *c) {
    bool window_end = c->blocks[0].window_end;
    if (window_end)
        weir_detect_input_window(c->detector, c->rollup, c->n_services, c->now_us, c->dropped,
                                 dns_is_blind(c));
    weir_trials_tick(c->trials, c->now_us);
    weir_detect_input_demand(c->detector, c->sessions, c->n_services);
    tell_traffic(c);
    look_around(c, window_end);
    weir_detector_step(c->detector, c->now_us);
    if (window_end) end_window(c);
    if (c->incident_said && !window_end && c->live) /* who reads of it sees that the probe lives */
        publish_capture(c, c->live, c->now_us, true);
    if ((window_end || c->incident_said) &&
        !c->error) /* whoever reads hears of an incident at once */
        c->error = weir_publisher_flush(c->options->publisher, &c->fault);
    c->incident_said = false;
    if (window_end) {
        issue_bulletin(c);
        if (c->state_due == 0 || --c->state_due == 0) coordinator_write_state(c);
        if (c->names_taken) coordinator_write_names(c);
        if (c->names_due) c->names_due--;
    }
}

/* Parts are short, so that workers can take turns at them: one that does a whole tick falls so far
 * behind that the others have to wait for it. */
enum weir_meeting_part weir_coordinator_work(void *context, const struct weir_block *blocks) {
    struct weir_coordinator *c = context;
    c->blocks = blocks;
    if (c->part == PART_BEGIN)
        begin_tick(c);
    else if (c->part == PART_EVIDENCE)
        take_evidence(c);
    else if (c->part == PART_SESSIONS)
        advance_sessions(c);
    else
        decide(c);
    if (c->error) return WEIR_MEETING_FAILED;
    if (c->part == PART_EVIDENCE && c->evidence_taken < c->n_evidence) return WEIR_MEETING_MORE;
    c->part = c->part == PART_DECIDE ? PART_BEGIN : c->part + 1;
    return c->part == PART_BEGIN ? WEIR_MEETING_LAST : WEIR_MEETING_MORE;
}

/* ---- what workers ask ---- */

struct weir_bulletin weir_coordinator_bulletin(const struct weir_coordinator *c) {
    return (struct weir_bulletin){c->bulletin_facts, c->n_bulletin_facts, c->bulletin_timeouts,
                                  c->bulletin_asks, c->options->state && !c->names_due};
}

const struct weir_devices *weir_coordinator_devices(const struct weir_coordinator *c) {
    return c->devices;
}

const struct weir_names_file *weir_coordinator_names(const struct weir_coordinator *c) {
    return c->names;
}

/* ---- the end ---- */

static void publish_services(struct weir_coordinator *c) {
    for (size_t id = WEIR_SERVICE_OTHER; id < c->n_services; id++) {
        struct weir_service_record service;
        if (!weir_rollup_service(c->rollup, (weir_service_id)id, &service)) continue;
        service.state = weir_detector_state(c->detector, (weir_service_id)id);
        weir_trials_blocked(c->trials, (weir_service_id)id, INT64_MIN, &service.blocked);
        coordinator_publish(c, WEIR_RECORD_SERVICE, c->now_us, &service);
    }
}

int weir_coordinator_finish(struct weir_coordinator *c, int64_t now_us, struct weir_source *source,
                            struct weir_fault *fault) {
    c->now_us = now_us;
    if (now_us) {
        weir_sessions_finish(c->sessions, now_us);
        weir_trials_finish(c->trials, now_us);
        weir_detector_step(c->detector, now_us);
        weir_detector_finish(c->detector, now_us);
        coordinator_write_state(c);
        weir_coordinator_take_names(c, c->namer, now_us);
        coordinator_write_names(c);
        weir_rollup_window_done(c->rollup, now_us);
    }
    publish_services(c);
    weir_counters_warn(&c->counters, c->options->n_local);
    /* live: the last whole tick */
    publish_capture(c, source, c->live && now_us ? now_us - WEIR_TICK_US : 0, false);
    if (!c->error) c->error = weir_publisher_flush(c->options->publisher, &c->fault);
    if (c->error && fault) *fault = c->fault;
    return c->error;
}
