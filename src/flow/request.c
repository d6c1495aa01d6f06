/* Requests and their answers, by who speaks (METHODS 5).
 *
 *      client  |request                       |request
 *      server          |first ..... last|     ^
 *              |-ttfb--|---transfer-----|     chunk ends (or after 5 s of silence, or a FIN)
 *
 * A request is a client payload of 300 bytes or more with none open. While the client is still sending much, the
 * clock of its request starts over: an upload is not waiting. A silent spell is a stall when it lies inside a
 * transfer (10 kB before it, 500 bytes after it, one second long, the client's window was open, and it acknowledged
 * nothing that we had not seen), or when it was an unanswered request. Multiplexed requests merge into one chunk.
 */
#include "flow/flow.h"

enum {
    REQUEST_MIN = 300,
    UPLOAD_PACKET_MIN = 1000,
    UPLOAD_MIN = 4000,
    CHUNK_SILENT_MS = 5000,
    STALL_US = 1000000,
    STALL_BEFORE_MIN = 10000,
    STALL_AFTER_MIN = 500,
    GOODPUT_MIN = 100000,
    TIMEOUT_DEFAULT_US = 5000000,
};

bool request_waiting(const struct weir_flow *flow)
{
    const struct serve *serve = flow_serve(flow);
    return serve && serve->state == SERVE_WAITING;
}

static void emit(struct weir_flow *flow, struct weir_event event, int64_t ts_us, int64_t now_us)
{
    event.ts_us = ts_us;
    event.now_us = now_us;
    flow_emit(flow, &event);
}

static void stall_keep(struct weir_flow *flow, int64_t start_us, int64_t us)
{
    struct report *report = flow_report(flow);
    if (!report)
        return;
    if (report->n_stalls == 0)
        report->stalls = slab_take(&flow->table->stalls);
    if (report->stalls && report->n_stalls < WEIR_STALLS_MAX) {
        struct stalls *stalls = slab_at(&flow->table->stalls, report->stalls);
        stalls->list[report->n_stalls].start_us = start_us;
        stalls->list[report->n_stalls].duration_us = us;
    } else if (!report->stalls) {
        flow->table->stats.detail_refused++;
    }
    report->n_stalls++;
}

static void keep(struct weir_flow *flow, struct spread *spread, uint64_t value)
{
    if (!spread_add(spread, &flow->table->histograms, value < UINT32_MAX ? (uint32_t)value : UINT32_MAX))
        flow->table->stats.detail_refused++;
}

static int64_t first_byte_us(const struct serve *serve) { return serve->asked_us + serve->first_byte_after_us; }

static void first_byte_at(struct serve *serve, int64_t us)
{
    int64_t after_us = us > serve->asked_us ? us - serve->asked_us : 0;
    serve->first_byte_after_us = after_us < UINT32_MAX ? (uint32_t)after_us : UINT32_MAX;
    serve->last_byte_us = us;
}

static void stall(struct weir_flow *flow, struct serve *serve, int64_t start_us, int64_t ts_us, int64_t now_us)
{
    int64_t us = span_us(flow->table, start_us, ts_us);
    stall_keep(flow, start_us, us);
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_STALL, .stall = {start_us, us}}, ts_us, now_us);
}

static void chunk_done(struct weir_flow *flow, struct serve *serve, int64_t ts_us, int64_t now_us)
{
    int64_t transfer_us = span_us(flow->table, first_byte_us(serve), serve->last_byte_us);
    int64_t ttfb_us = serve->resumed ? -1 : (int64_t)serve->first_byte_after_us;
    struct report *report = flow_report(flow);
    if (report && serve->chunk_bytes >= GOODPUT_MIN && transfer_us > 0)
        keep(flow, &report->goodput, serve->chunk_bytes * 8000 / (uint64_t)transfer_us);
    bool cut = flow_is(flow, FLOW_RST) && (flow->reset & 15) == WEIR_RESET_MID;
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_CHUNK,
        .chunk = {serve->chunk_bytes, serve->asked_us, ttfb_us, transfer_us, cut}}, ts_us, now_us);
}

static void ask(struct serve *serve, const struct weir_packet *packet)
{
    serve->asked_us = packet->ts_us;
    serve->asked_ms = now_ms(packet->now_us);
}

static uint16_t at_most(uint32_t bytes)
{
    return (uint16_t)((bytes < REQUEST_BYTES_MAX ? bytes : (uint32_t)REQUEST_BYTES_MAX) & REQUEST_BYTES_MAX);
}

/* Whether each tick asks what the answer does: of media, and of what may yet turn out to be. */
static bool is_watched(const struct weir_flow *flow) { return !flow->named.done || flow_is_media(flow); }

/* The next tick asks, or the first one by which the answer may be over. */
static void watch(struct weir_flow *flow, int64_t now_us)
{
    timer_by(flow, now_us + (is_watched(flow) ? 1 : CHUNK_SILENT_MS * INT64_C(1000)));
}

void request_client(struct weir_flow *flow, const struct weir_packet *packet, uint32_t bytes)
{
    struct serve *serve = flow_serve(flow);
    if (serve && serve->state == SERVE_WAITING) {
        serve->request_bytes = at_most(serve->request_bytes + bytes);
        if (bytes >= UPLOAD_PACKET_MIN && serve->request_bytes >= UPLOAD_MIN && !serve->timed_out)
            ask(serve, packet);
        return;
    }
    if (bytes < REQUEST_MIN || flow_is(flow, FLOW_DNS))
        return;
    serve = &flow->serve;
    if (serve->state == SERVE_ANSWERING)
        chunk_done(flow, serve, packet->ts_us, packet->now_us);
    ask(serve, packet);
    flow->flags |= FLOW_ASKED;
    serve->state = SERVE_WAITING;
    serve->timed_out = serve->resumed = false;
    serve->request_bytes = at_most(bytes);
    serve->chunk_bytes = 0;
    if (flow_report(flow))
        flow_report(flow)->requests++;
    watch(flow, packet->now_us);
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_REQUEST, .request = {bytes}}, packet->ts_us, packet->now_us);
}

static void first_byte(struct weir_flow *flow, struct serve *serve, const struct weir_packet *packet)
{
    int64_t ttfb_us = span_us(flow->table, serve->asked_us, packet->ts_us);
    serve->state = SERVE_ANSWERING;
    first_byte_at(serve, packet->ts_us);
    if (flow_report(flow))
        keep(flow, &flow_report(flow)->ttfb, (uint64_t)ttfb_us);
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_FIRST_BYTE, .first_byte = {ttfb_us}}, packet->ts_us,
         packet->now_us);
    if (serve->timed_out)
        stall(flow, serve, serve->asked_us, packet->ts_us, packet->now_us);
    if (!serve->timed_out || flow_is_media(flow)) /* answered late: its failure may be taken back */
        flow_attempt(flow, packet->ts_us, packet->now_us, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL, serve->asked_us);
}

/* More of an answer: was there a silence before it? */
static void next_bytes(struct weir_flow *flow, struct serve *serve, const struct weir_packet *packet, uint32_t bytes)
{
    int64_t gap_us = packet->ts_us > serve->last_byte_us ? packet->ts_us - serve->last_byte_us : 0;
    if (gap_us >= STALL_US && serve->chunk_bytes >= STALL_BEFORE_MIN && bytes >= STALL_AFTER_MIN &&
        !flow_is(flow, FLOW_ZERO_SINCE | FLOW_UNSEEN))
        stall(flow, serve, serve->last_byte_us, packet->ts_us, packet->now_us);
    if (serve->state != SERVE_SILENT)
        return;
    serve->state = SERVE_ANSWERING;
    serve->resumed = true;
    serve->chunk_bytes = serve->tick_bytes = 0;
    first_byte_at(serve, packet->ts_us);
}

void request_server(struct weir_flow *flow, const struct weir_packet *packet, uint32_t bytes)
{
    struct serve *serve = flow_serve(flow);
    if (!serve || bytes == 0 || serve->state == SERVE_IDLE || (serve->state == SERVE_SILENT && bytes < STALL_AFTER_MIN))
        return;
    if (serve->state == SERVE_WAITING)
        first_byte(flow, serve, packet);
    else
        next_bytes(flow, serve, packet, bytes);
    flow->flags &= ~(uint32_t)FLOW_ZERO_SINCE;
    serve->chunk_bytes += bytes;
    serve->tick_bytes += bytes;
    if (packet->ts_us > serve->last_byte_us)
        serve->last_byte_us = packet->ts_us;
    serve->byte_ms = (uint16_t)now_ms(packet->now_us);
    watch(flow, packet->now_us);
}

static void finish(struct weir_flow *flow, int64_t ts_us, int64_t now_us)
{
    struct serve *serve = flow_serve(flow);
    if (!serve)
        return;
    if (serve->state == SERVE_ANSWERING)
        chunk_done(flow, serve, ts_us, now_us);
    else if (serve->state == SERVE_WAITING && serve->timed_out)
        stall(flow, serve, serve->asked_us, ts_us, now_us);
    serve->state = SERVE_IDLE;
}

void request_server_closed(struct weir_flow *flow, int64_t ts_us, int64_t now_us) { finish(flow, ts_us, now_us); }
void request_end(struct weir_flow *flow, int64_t ts_us, int64_t now_us) { finish(flow, ts_us, now_us); }

static uint32_t timeout_ms(const struct weir_flow *flow)
{
    const int64_t *learned = flow->table->config.request_timeout_us;
    int64_t us = learned ? learned[flow->named.service] : 0;
    if (us <= 0)
        us = TIMEOUT_DEFAULT_US;
    return us / 1000 < UINT32_MAX ? (uint32_t)(us / 1000) : UINT32_MAX;
}

static void check_timeout(struct weir_flow *flow, struct serve *serve, uint32_t waited_ms, int64_t now_us)
{
    if (serve->timed_out || waited_ms < timeout_ms(flow) ||
        flow_is(flow, FLOW_FIN << WEIR_CLIENT | FLOW_UNSEEN) || weir_flow_one_way(flow))
        return;
    serve->timed_out = true;
    if (flow_report(flow))
        flow_report(flow)->timeouts++;
    flow_attempt(flow, now_us, now_us, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT, serve->asked_us);
}

int64_t request_timer(struct weir_flow *flow, int64_t now_us)
{
    struct serve *serve = flow_serve(flow);
    if (!serve || flow->state == STATE_CLOSED || (serve->state != SERVE_WAITING && serve->state != SERVE_ANSWERING))
        return INT64_MAX;
    if (serve->state == SERVE_WAITING && flow_is(flow, FLOW_FIN << WEIR_CLIENT))
        return INT64_MAX; /* given up: nobody waits for it, though a dead server may leave the flow open for minutes */
    uint32_t ms = now_ms(now_us), open_ms = ms - serve->asked_ms, silent_ms = (uint16_t)(ms - serve->byte_ms);
    bool waiting = serve->state == SERVE_WAITING, media = flow_is_media(flow);
    if (waiting && media)
        check_timeout(flow, serve, open_ms, now_us);
    if (media && (waiting || serve->tick_bytes))
        emit(flow,
             (struct weir_event){.kind = WEIR_EVENT_PROGRESS,
                                 .progress = {.bytes = serve->tick_bytes,
                                              .open_us = (int64_t)open_ms * 1000,
                                              .waiting = waiting,
                                              .waiting_us = waiting ? (int64_t)open_ms * 1000 : 0}},
             now_us, now_us);
    bool quiet = serve->tick_bytes == 0;
    serve->tick_bytes = 0;
    if (waiting)
        return is_watched(flow) ? now_us + WEIR_TICK_US : INT64_MAX;
    if (silent_ms >= CHUNK_SILENT_MS) {
        chunk_done(flow, serve, now_us, now_us);
        serve->state = SERVE_SILENT;
        return INT64_MAX;
    }
    /* The next byte of media brings the timer forward again. */
    return is_watched(flow) && !quiet ? now_us + WEIR_TICK_US : now_us + (int64_t)(CHUNK_SILENT_MS - silent_ms) * 1000;
}
