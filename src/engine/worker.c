/* A packet's way through one worker: decode, hash, (not ours? next), flow, classify, measure.
 *
 * Packets are taken in small runs, so that the table's cache lines are on their way while the run
 * is still being decoded: prefetch each one's bucket, then each one's flow, then track (tests/bench
 * says what that is worth). DNS answers are shown to every worker's name memory in packet order;
 * all else of a flow belongs to one worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weir/decode.h>
#include <weir/device.h>
#include <weir/flow.h>
#include <weir/wire.h>

#include "engine/bounds.h"
#include "engine/hosts.h"
#include "engine/prepare.h"
#include "engine/worker.h"
#include "proof/proof.h"

enum { RUN = 32 };

/* What a block points to and the meter does not keep. */
struct delivery {
    struct weir_naming_stats naming;
    struct weir_address_fact *facts;
    size_t facts_room;
    struct weir_device_fact *devices;
    size_t devices_room;
};

enum { GAP_TICKS_MAX = 20000 };
#define GAP_PATIENCE_US (60 * WEIR_TICK_US)

struct weir_worker {
    unsigned index;
    const struct weir_engine_options *options;
    struct weir_source *source;
    struct weir_coordinator *coordinator;
    struct weir_meeting *meeting;
    struct weir_flow_table *flows;
    struct weir_classifier *classifier;
    struct weir_dns_answers *dns_answers;
    struct weir_device_teller *devices;
    const struct weir_packet *packet; /* that is being tracked */
    struct weir_meter *meter;
    struct weir_proof_ring *proof; /* or NULL */
    int64_t next_tick_us;          /* 0 until the first frame */
    unsigned gap_ticks;            /* behind the first minute of gaps, so far */
    uint64_t decode[WEIR_DECODE_N];
    struct delivery deliveries[WEIR_BLOCKS_MAX];
    unsigned n_deliveries, delivery; /* as many as the meter has blocks; the next one */
    int64_t request_timeout_us[WEIR_SERVICES_MAX];
    struct weir_ask_page asks[WEIR_SERVICES_MAX];
    struct run {
        size_t n;
        const struct weir_packet *packet[RUN];
        uint64_t hash[RUN];
        bool mine[RUN]; /* else it is shown for its names only */
    } run;
    struct weir_packet packets[RUN];
};

/* Flow's events: classify names a flow before measure hears of it; at an end nDPI's last guess is
 * taken. */
static void on_event(void *context, struct weir_flow *flow, const struct weir_event *event) {
    struct weir_worker *worker = context;
    if (event->kind == WEIR_EVENT_NEW &&
        weir_addr_compare(weir_flow_addr(flow, WEIR_CLIENT), &worker->packet->src) == 0)
        weir_device_tell(worker->devices, worker->packet);
    if (event->kind == WEIR_EVENT_NEW)
        weir_classify_begin(worker->classifier, flow, NULL, event->now_us);
    if (event->kind == WEIR_EVENT_END) weir_classify_end(worker->classifier, flow);
    weir_meter_event(worker->meter, flow, event);
}

/* ---- ticks ---- */

static void take_facts(struct weir_worker *worker, struct delivery *delivery,
                       struct weir_block *block) {
    const struct weir_address_fact *facts;
    size_t n = weir_classify_take_facts(worker->classifier, &facts);
    if (n > delivery->facts_room) {
        struct weir_address_fact *room = realloc(delivery->facts, n * sizeof *room);
        if (!room) return;
        delivery->facts = room;
        delivery->facts_room = n;
    }
    if (n) memcpy(delivery->facts, facts, n * sizeof *facts);
    block->facts = delivery->facts;
    block->n_facts = n;
}

static void take_requests(struct weir_worker *worker, const struct weir_bulletin *bulletin) {
    size_t n = weir_service_set_count(worker->options->set);
    memcpy(worker->request_timeout_us, bulletin->request_timeout_us,
           n * sizeof worker->request_timeout_us[0]);
    memcpy(worker->asks, bulletin->asks, n * sizeof worker->asks[0]);
}

static void take_devices(struct weir_worker *worker, struct delivery *delivery,
                         struct weir_block *block) {
    const struct weir_device_fact *facts;
    size_t n = weir_device_take(worker->devices, &facts, block->window_end);
    if (n > delivery->devices_room) {
        struct weir_device_fact *room = realloc(delivery->devices, n * sizeof *room);
        if (!room) return;
        delivery->devices = room;
        delivery->devices_room = n;
    }
    if (n) memcpy(delivery->devices, facts, n * sizeof *facts);
    block->devices = delivery->devices;
    block->n_devices = n;
}

static void deliver(struct weir_worker *worker, int64_t tick_us, bool window_end) {
    struct delivery *delivery = &worker->deliveries[worker->delivery];
    struct weir_block block;
    worker->delivery = (worker->delivery + 1) % worker->n_deliveries;
    weir_meeting_wait(worker->meeting, worker->index, window_end);
    if (window_end) {
        struct weir_bulletin bulletin = weir_coordinator_bulletin(worker->coordinator);
        weir_classify_learn(worker->classifier, bulletin.facts, bulletin.n_facts, tick_us);
        take_requests(worker, &bulletin);
        if (worker->index == 0 && bulletin.names_wanted)
            weir_coordinator_take_names(worker->coordinator, worker->classifier, tick_us);
    }
    weir_meter_take(worker->meter, &block, tick_us, window_end);
    take_facts(worker, delivery, &block);
    take_devices(worker, delivery, &block);
    weir_classify_stats(worker->classifier, &delivery->naming);
    block.naming = &delivery->naming;
    memcpy(block.decode, worker->decode, sizeof block.decode);
    weir_flow_table_stats(worker->flows, &block.flow);
    weir_meeting_deliver(worker->meeting, worker->index, &block);
}

static void begin(struct weir_worker *worker, int64_t now_us) {
    const struct weir_names_file *names = weir_coordinator_names(worker->coordinator);
    if (names) weir_names_file_restore(names, worker->classifier, now_us);
    worker->next_tick_us = now_us - now_us % WEIR_TICK_US + WEIR_TICK_US;
}

/* Of a gap without packets each second is worked on, until a capture has had so many of them that
 * its clock must be broken: from then on only the ends of slots are, behind the first minute of a
 * gap. */
static void step(struct weir_worker *worker, int64_t gap_begin_us, int64_t now_us) {
    worker->next_tick_us += WEIR_TICK_US;
    if (worker->next_tick_us - gap_begin_us <= GAP_PATIENCE_US) return;
    int64_t slot_end_us = (worker->next_tick_us + WEIR_SLOT_US - 1) / WEIR_SLOT_US * WEIR_SLOT_US;
    if (worker->gap_ticks < GAP_TICKS_MAX)
        worker->gap_ticks++;
    else if (slot_end_us <= now_us)
        worker->next_tick_us = slot_end_us;
}

/* All ticks up to `now_us`. A gap in which nothing can happen any more is crossed in one step. */
static void advance(struct weir_worker *worker, int64_t now_us) {
    /* timers, and 15 min until a service is unknown */
    static const int64_t longest_us = INT64_C(1000) * WEIR_TICK_US;
    if (worker->next_tick_us == 0) begin(worker, now_us);
    int64_t gap_begin_us = worker->next_tick_us, last_busy_us = gap_begin_us + longest_us;
    while (worker->next_tick_us <= now_us) {
        if (worker->next_tick_us > last_busy_us && now_us - worker->next_tick_us > 2 * WEIR_SLOT_US)
            worker->next_tick_us = now_us - now_us % WEIR_SLOT_US;
        weir_flow_tick(worker->flows, worker->next_tick_us);
        weir_classify_tick(worker->classifier, worker->next_tick_us);
        deliver(worker, worker->next_tick_us, worker->next_tick_us % WEIR_SLOT_US == 0);
        step(worker, gap_begin_us, now_us);
    }
}

/* ---- packets ---- */

struct asker { /* whose answer it is */
    struct weir_worker *worker;
    const struct weir_packet *packet;
};

static void learn_message(void *context, const uint8_t *bytes, size_t length) {
    const struct asker *asker = context;
    struct weir_dns_message message;
    if (weir_dns_message(bytes, length, &message) == WEIR_WIRE_OK && message.response)
        weir_classify_dns(asker->worker->classifier, &message, &asker->packet->dst,
                          asker->packet->now_us);
}

/* DNS answers name the addresses that the client will turn to next. */
static void learn_names(struct weir_worker *worker, const struct weir_packet *packet,
                        uint64_t hash) {
    struct asker asker = {worker, packet};
    if (packet->transport == WEIR_TRANSPORT_TCP)
        weir_dns_answers_segment(worker->dns_answers, hash, packet, learn_message, &asker);
    else
        learn_message(&asker, packet->payload, packet->payload_captured);
}

static void process(struct weir_worker *worker, const struct weir_packet *packet, uint64_t hash) {
    struct weir_flow *flow;
    enum weir_side side;
    worker->packet = packet;
    if (weir_flow_track(worker->flows, hash, packet, &flow, &side) != WEIR_TRACK_OK) return;
    bool naming = packet->payload_captured && !weir_flow_named(flow)->done;
    if (naming) weir_classify_packet(worker->classifier, flow, packet, side);
    weir_meter_packet(worker->meter, flow, side, packet);
    if (worker->proof)
        weir_proof_keep(worker->proof, packet, hash, weir_flow_named(flow)->service,
                        side == WEIR_CLIENT, naming);
}

/* One run of packets, none of which is behind the next tick. */
static void process_run(struct weir_worker *worker) {
    const struct run *run = &worker->run;
    for (size_t i = 0; i < run->n; i++)
        weir_flow_prefetch_flow(worker->flows, run->hash[i], run->packet[i]);
    for (size_t i = 0; i < run->n; i++) {
        if (weir_is_answer(run->packet[i])) learn_names(worker, run->packet[i], run->hash[i]);
        if (worker->options->hosts && weir_hosts_may_tell(run->packet[i]))
            weir_hosts_take(worker->options->hosts, run->packet[i]);
        if (run->mine[i]) process(worker, run->packet[i], run->hash[i]);
    }
    worker->run.n = 0;
}

static void run_add(struct weir_worker *worker, const struct weir_packet *packet, uint64_t hash,
                    bool mine) {
    struct run *run = &worker->run;
    weir_flow_prefetch_bucket(worker->flows, hash);
    run->packet[run->n] = packet;
    run->hash[run->n] = hash;
    run->mine[run->n++] = mine;
}

/* ---- batches ---- */

/* Of a lane, all is this worker's but the copies that every lane gets; only that the kernel cannot
 * tell which lane an ICMP error belongs to: all look for the flow that it quotes, and the one that
 * has it finds it. */
static bool is_mine(const struct weir_worker *worker, const struct weir_frame *frame,
                    const struct weir_packet *packet) {
    return !worker->options->lanes || frame->copy == (packet->transport == WEIR_TRANSPORT_ICMP);
}

/* The only worker of a source decodes as it goes, so that what it decoded is still in the nearest
 * cache. */
static void decode_batch(struct weir_worker *worker, const struct weir_batch *batch) {
    for (size_t at = 0; at < batch->n_frames; at++) {
        const struct weir_frame *frame = &batch->frames[at];
        if (frame->now_us >= worker->next_tick_us || worker->run.n == RUN) {
            process_run(worker);
            advance(worker, frame->now_us);
        }
        struct weir_packet *packet = &worker->packets[worker->run.n];
        int outcome = weir_decode(frame, packet);
        worker->decode[outcome] += !frame->copy;
        if (outcome == WEIR_DECODE_OK)
            run_add(worker, packet, weir_flow_hash(worker->flows, packet),
                    is_mine(worker, frame, packet));
    }
    process_run(worker);
}

/* What another core decoded lies in that one's cache: the packet is asked for as it joins the run,
 * and its payload's ends, which tell duplicates and records apart, when the run is complete
 * (tests/bench/README.md, "Two workers"). */
static void fetch_packet(const struct weir_packet *packet) {
    for (size_t at = 0; at < sizeof *packet; at += 64)
        __builtin_prefetch((const uint8_t *)packet + at);
}

static void fetch_payload(const struct weir_packet *packet) {
    __builtin_prefetch(packet->payload);
    if (packet->transport == WEIR_TRANSPORT_UDP && packet->payload_captured)
        __builtin_prefetch(packet->payload + packet->payload_captured - 1);
}

static void process_shared_run(struct weir_worker *worker) {
    for (size_t i = 0; i < worker->run.n; i++) fetch_payload(worker->run.packet[i]);
    process_run(worker);
}

/* Of its share of a batch, from the `*from`-th on, what lies before packet `end`. */
static void share_packets(struct weir_worker *worker, const struct weir_prepared *prepared,
                          uint32_t *from, size_t end) {
    const struct weir_share *share = &prepared->share[worker->index];
    for (; *from < share->n && share->at[*from] < end; ++*from) {
        const struct weir_packet *packet = &prepared->packet[share->at[*from]];
        uint64_t hash = prepared->hash[share->at[*from]];
        fetch_packet(packet);
        run_add(worker, packet, hash,
                weir_flow_worker(hash, worker->options->n_workers) == worker->index);
        if (worker->run.n == RUN) process_shared_run(worker);
    }
    process_shared_run(worker);
}

/* All workers cross every second at the same frame, whosever packet it holds. */
static void share_batch(struct weir_worker *worker, const struct weir_prepared *prepared) {
    uint32_t from = 0;
    size_t refused = 0;
    for (size_t i = 0; i < prepared->n_seconds; i++) {
        size_t end = i + 1 < prepared->n_seconds ? prepared->second[i + 1].at : prepared->n;
        advance(worker, prepared->second[i].now_us);
        /* counted in the second in which they came */
        worker->decode[WEIR_DECODE_OK] += end - prepared->second[i].at;
        for (; refused < prepared->n_refused && prepared->refused[refused].second == i; refused++)
            worker->decode[prepared->refused[refused].outcome]++;
        share_packets(worker, prepared, &from, end);
    }
}

static void process_batch(struct weir_worker *worker, const struct weir_batch *batch) {
    if (worker->next_tick_us == 0 && batch->n_frames) advance(worker, batch->frames[0].now_us);
    if (batch->prepared)
        share_batch(worker, batch->prepared);
    else
        decode_batch(worker, batch);
    if (batch->now_us) advance(worker, batch->now_us);
}

int weir_worker_run(struct weir_worker *worker, struct weir_fault *fault) {
    const struct weir_batch *batch;
    int error;
    while ((error = weir_source_next(worker->source, worker->options->lanes ? 0 : worker->index,
                                     &batch, fault)) == 0) {
        process_batch(worker, batch);
        if (!worker->options->lanes && weir_source_leads(worker->source, worker->index))
            weir_meeting_help(worker->meeting);
        if (worker->index == 0 && worker->options->progress)
            worker->options->progress(worker->options->progress_context, worker->source);
        if (weir_meeting_failed(worker->meeting))
            /* and take what is filled already: other workers wait for that */
            weir_source_stop(worker->source);
    }
    if (worker->next_tick_us) { /* the capture's end falls into this last tick */
        for (int part = 0; part < WEIR_DRAIN_PARTS; part++) {
            weir_flow_drain_part(worker->flows, worker->next_tick_us, part);
            deliver(worker, worker->next_tick_us, part == WEIR_DRAIN_PARTS - 1);
        }
    }
    return error < 0 ? error : 0;
}

int64_t weir_worker_now_us(const struct weir_worker *worker) { return worker->next_tick_us; }

const struct weir_flow_table *weir_worker_flows(const struct weir_worker *worker) {
    return worker->flows;
}

/* ---- life ---- */

int weir_worker_new(struct weir_worker **ret_worker, unsigned index, struct weir_source *source,
                    struct weir_coordinator *coordinator, struct weir_meeting *meeting,
                    const struct weir_engine_options *options) {
    struct weir_worker *worker = calloc(1, sizeof *worker);
    if (!worker) return -ENOMEM;
    *worker = (struct weir_worker){.index = index,
                                   .options = options,
                                   .source = source,
                                   .coordinator = coordinator,
                                   .meeting = meeting,
                                   .n_deliveries = engine_blocks(options)};
    const struct weir_bulletin bulletin = weir_coordinator_bulletin(coordinator);
    take_requests(worker, &bulletin);
    const struct weir_flow_config flow = {.memory_bytes =
                                              options->memory_bytes / options->n_workers,
                                          .local = options->local,
                                          .n_local = options->n_local,
                                          .reports = options->want_flows,
                                          .request_timeout_us = worker->request_timeout_us,
                                          .asks = worker->asks,
                                          .observer = on_event,
                                          .context = worker};
    const struct weir_meter_config meter = {.set = options->set,
                                            .flow_records = options->want_flows,
                                            .n_blocks = worker->n_deliveries,
                                            .pending_max = engine_bound(options, BOUND_PENDING),
                                            .records_max = engine_bound(options, BOUND_RECORDS),
                                            .evidence_max = engine_bound(options, BOUND_EVIDENCE)};
    const struct weir_classify_config classify = {
        .names_max = engine_bound(options, BOUND_NAMES),
        .addresses_max = engine_bound(options, BOUND_ADDRESSES),
        .hosts_bytes = engine_bound(options, BOUND_HOSTS_BYTES),
        .naming_max = engine_bound(options, BOUND_NAMING)};
    int error = weir_flow_table_new(&worker->flows, &flow);
    if (!error) error = weir_classifier_new(&worker->classifier, options->set, &classify);
    if (!error) error = weir_dns_answers_new(&worker->dns_answers);
    if (!error) error = weir_device_teller_new(&worker->devices);
    if (!error) error = weir_meter_new(&worker->meter, &meter);
    if (error) {
        weir_worker_free(worker);
        return error;
    }
    worker->proof = weir_proof_ring_of(options->proof, index);
    if (index == 0) weir_coordinator_set_namer(coordinator, worker->classifier);
    *ret_worker = worker;
    return 0;
}

void weir_worker_free(struct weir_worker *worker) {
    if (!worker) return;
    weir_meter_free(worker->meter);
    weir_flow_table_free(worker->flows);
    weir_dns_answers_free(worker->dns_answers);
    weir_device_teller_free(worker->devices);
    weir_classifier_free(worker->classifier);
    for (unsigned i = 0; i < worker->n_deliveries; i++) {
        free(worker->deliveries[i].facts);
        free(worker->deliveries[i].devices);
    }
    free(worker);
}
