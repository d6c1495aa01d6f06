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
    MEDIA_MIN = 1000000,
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

static void stall(struct weir_flow *flow, struct serve *serve, int64_t start_us, int64_t ts_us, int64_t now_us)
{
    int64_t us = span_us(flow->table, start_us, ts_us);
    if (serve->n_stalls == 0)
        serve->stalls = slab_take(&flow->table->stalls);
    if (serve->stalls && serve->n_stalls < WEIR_STALLS_MAX) {
        struct stalls *stalls = slab_at(&flow->table->stalls, serve->stalls);
        stalls->list[serve->n_stalls].start_us = start_us;
        stalls->list[serve->n_stalls].duration_us = us;
    } else if (!serve->stalls) {
        flow->table->stats.detail_refused++;
    }
    serve->n_stalls++;
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_STALL, .stall = {start_us, us}}, ts_us, now_us);
}

static void chunk_done(struct weir_flow *flow, struct serve *serve, int64_t ts_us, int64_t now_us)
{
    int64_t transfer_us = span_us(flow->table, serve->first_byte_us, serve->last_byte_us);
    int64_t ttfb_us = serve->resumed ? -1 : span_us(flow->table, serve->asked_us, serve->first_byte_us);
    bool cut = flow_is(flow, FLOW_RST) && (flow->reset & 15) == WEIR_RESET_MID;
    if (serve->chunk_bytes >= GOODPUT_MIN && transfer_us > 0) {
        uint64_t kbps = serve->chunk_bytes * 8000 / (uint64_t)transfer_us;
        if (!spread_add(&serve->goodput, &flow->table->histograms, kbps < UINT32_MAX ? (uint32_t)kbps : UINT32_MAX))
            flow->table->stats.detail_refused++;
    }
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_CHUNK,
        .chunk = {serve->chunk_bytes, serve->asked_us, ttfb_us, transfer_us, cut}}, ts_us, now_us);
}

static void ask(struct serve *serve, const struct weir_packet *packet)
{
    serve->asked_us = packet->ts_us;
    serve->asked_ms = now_ms(packet->now_us);
}

void request_client(struct weir_flow *flow, const struct weir_packet *packet, uint32_t bytes)
{
    struct serve *serve = flow_serve(flow);
    if (serve && serve->state == SERVE_WAITING) {
        if (serve->request_bytes < UINT32_MAX - bytes)
            serve->request_bytes += bytes;
        if (bytes >= UPLOAD_PACKET_MIN && serve->request_bytes >= UPLOAD_MIN && !serve->timed_out)
            ask(serve, packet);
        return;
    }
    if (bytes < REQUEST_MIN || !(serve = flow_serve_make(flow)))
        return;
    if (serve->state == SERVE_ANSWERING)
        chunk_done(flow, serve, packet->ts_us, packet->now_us);
    else
        serve->progress_ms = now_ms(packet->now_us);
    ask(serve, packet);
    serve->state = SERVE_WAITING;
    serve->timed_out = serve->resumed = false;
    serve->request_bytes = bytes;
    serve->chunk_bytes = 0;
    serve->requests++;
    timer_by(flow, packet->now_us + WEIR_TICK_US);
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_REQUEST, .request = {bytes}}, packet->ts_us, packet->now_us);
}

static void first_byte(struct weir_flow *flow, struct serve *serve, const struct weir_packet *packet)
{
    int64_t ttfb_us = span_us(flow->table, serve->asked_us, packet->ts_us);
    serve->state = SERVE_ANSWERING;
    serve->first_byte_us = serve->last_byte_us = packet->ts_us;
    if (!spread_add(&serve->ttfb, &flow->table->histograms, ttfb_us < UINT32_MAX ? (uint32_t)ttfb_us : UINT32_MAX))
        flow->table->stats.detail_refused++;
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_FIRST_BYTE, .first_byte = {ttfb_us}}, packet->ts_us,
         packet->now_us);
    if (serve->timed_out)
        stall(flow, serve, serve->asked_us, packet->ts_us, packet->now_us);
    else
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
    serve->first_byte_us = serve->last_byte_us = packet->ts_us;
    serve->progress_ms = now_ms(packet->now_us);
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
    serve->byte_ms = now_ms(packet->now_us);
    timer_by(flow, packet->now_us + WEIR_TICK_US);
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
    bool media = flow->named.role == WEIR_ROLE_MEDIA || flow->payload[WEIR_SERVER] >= MEDIA_MIN;
    if (serve->timed_out || !media || waited_ms < timeout_ms(flow) ||
        flow_is(flow, FLOW_FIN << WEIR_CLIENT | FLOW_UNSEEN) || flow_one_way(flow))
        return;
    serve->timed_out = true;
    serve->timeouts++;
    flow_attempt(flow, now_us, now_us, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT, serve->asked_us);
}

int64_t request_timer(struct weir_flow *flow, int64_t now_us)
{
    struct serve *serve = flow_serve(flow);
    if (!serve || flow->state == STATE_CLOSED || (serve->state != SERVE_WAITING && serve->state != SERVE_ANSWERING))
        return INT64_MAX;
    uint32_t ms = now_ms(now_us), open_ms = ms - serve->asked_ms;
    bool waiting = serve->state == SERVE_WAITING;
    if (waiting)
        check_timeout(flow, serve, open_ms, now_us);
    emit(flow,
         (struct weir_event){.kind = WEIR_EVENT_PROGRESS,
                             .progress = {.bytes = serve->tick_bytes,
                                          .open_us = (int64_t)open_ms * 1000,
                                          .interval_us = (int64_t)(ms - serve->progress_ms) * 1000,
                                          .waiting = waiting,
                                          .waiting_us = waiting ? (int64_t)open_ms * 1000 : 0}},
         now_us, now_us);
    serve->tick_bytes = 0;
    serve->progress_ms = ms;
    if (!waiting && ms - serve->byte_ms >= CHUNK_SILENT_MS) {
        chunk_done(flow, serve, now_us, now_us);
        serve->state = SERVE_SILENT;
        return INT64_MAX;
    }
    return now_us + WEIR_TICK_US;
}
