/* Requests and their answers, by who speaks.
 *
 *      client  |request                       |request
 *      server          |first ..... last|     ^
 *              |-ttfb--|---transfer-----|     chunk ends (or after 5 s of silence, or a FIN)
 *
 * Encryption hides what a client's bytes are, and their size does not tell: over HTTP/2 a browser's
 * request is 66 to 69 bytes and its control frames 31 to 70. So whatever the client says after the
 * handshake may open a chunk, and how it is answered shows what it was:
 *
 *   thin      below 60 bytes (of QUIC 100) and never yet answered with data: a control frame, most
 *             likely. It is remembered where nothing is open, and was a request when data comes
 *             within two seconds. What little comes instead acknowledges it (and is told as an
 *             answer of so many bytes, so that the size is known for that).
 *   known     a size that this flow, or by its page this service, has answered with data before.
 *             Only such a request waits: it may time out and counts as demand.
 *   burst     packets within 20 ms are one request. While it waits, what else the client says
 *             changes nothing, unless only the later one can be the request.
 *   while an answer arrives   a request is remembered and judged by the next bytes: no answer to it
 *             can come within a few milliseconds. Where bytes arrive without a pause after that,
 *             the answer goes on, whatever was asked (HTTP/2 and QUIC: the two are one chunk).
 *             After a pause, or with nothing more, a new chunk began with the request.
 *   behind a greeting   an HTTP/2 connection begins with settings and their acknowledgements. The
 *             server's first frame below 60 bytes behind them answers no request: the request
 *             waits on.
 *
 * A server that says a little after long silences, unasked, pushes (WebSockets): on its flow
 * nothing waits. While the client is still sending much, the clock of its request starts over: an
 * upload is not waiting.
 *
 * A silent spell is a stall when it lies inside a transfer (10 kB before it, 500 bytes after it,
 * one second long, the client's window was open, and it acknowledged nothing that we had not seen),
 * or when it was an unanswered request.
 *
 * Blind spots: a request of a size that was never answered here hangs unseen. The first of two
 * multiplexed requests answers for both.
 */
#include "flow/request.h"

enum {
    DATAGRAM_MIN = 45, /* below it a QUIC datagram acknowledges, and nothing else */
    BURST_US = 20000,
    THIN_ANSWER_US = 2000000,
    LITTLE_MAX = 100,
    GREETING_MAX = 1000,
    FRAME_MAX = 60,
    PAUSE_UNKNOWN_US = 100,
    PAUSE_MAX_US = 5000,
    DATA_MIN = 500,
    UPLOAD_PACKET_MIN = 1000,
    UPLOAD_MIN = 4000,
    STALL_US = 1000000,
    STALL_BEFORE_MIN = 10000,
    STALL_AFTER_MIN = 500,
    GOODPUT_MIN = 100000,
    DATAGRAM_FULL_MIN = 1200,
    DATAGRAM_MAX = 1500,
};

/* A byte that comes sooner behind a request is no answer to it. The handshake's round trip is an
 * upper bound of later ones, often by far: a quarter of it, and little at most. */
static uint32_t pause_us(const struct weir_flow *flow) {
    uint32_t rtt_us = flow->opening_rtt_us[WEIR_SERVER];
    if (rtt_us == RTT_NONE) return PAUSE_UNKNOWN_US;
    return rtt_us / 4 < PAUSE_MAX_US ? rtt_us / 4 : PAUSE_MAX_US;
}

bool request_waiting(const struct weir_flow *flow) {
    const struct serve *serve = flow_serve(flow);
    if (!serve) return false;
    if (serve->state == SERVE_ANSWERING) return serve->next_size != 0;
    return serve->state == SERVE_WAITING;
}

/* ---- telling ---- */

static void emit(struct weir_flow *flow, struct weir_event event, int64_t ts_us, int64_t now_us) {
    event.ts_us = ts_us;
    event.now_us = now_us;
    flow_emit(flow, &event);
}

static void stall_keep(struct weir_flow *flow, int64_t start_us, int64_t us) {
    struct report *report = flow_report(flow);
    if (!report) return;
    if (report->n_stalls == 0) report->stalls = slab_take(&flow->table->stalls);
    if (report->stalls && report->n_stalls < WEIR_STALLS_MAX) {
        struct stalls *stalls = slab_at(&flow->table->stalls, report->stalls);
        stalls->list[report->n_stalls].start_us = start_us;
        stalls->list[report->n_stalls].duration_us = us;
    } else if (!report->stalls) {
        flow->table->stats.detail_refused++;
    }
    report->n_stalls++;
}

static void keep(struct weir_flow *flow, struct spread *spread, uint64_t value) {
    if (!spread_add(spread, &flow->table->histograms,
                    value < UINT32_MAX ? (uint32_t)value : UINT32_MAX))
        flow->table->stats.detail_refused++;
}

static int64_t first_byte_us(const struct serve *serve) {
    return serve->asked_us + serve->first_byte_after_us;
}

static void first_byte_at(struct serve *serve, int64_t us) {
    int64_t after_us = us > serve->asked_us ? us - serve->asked_us : 0;
    serve->first_byte_after_us = after_us < UINT32_MAX ? (uint32_t)after_us : UINT32_MAX;
    serve->last_byte_us = us;
}

static void stall(struct weir_flow *flow, struct serve *serve, int64_t start_us, int64_t ts_us,
                  int64_t now_us) {
    int64_t us = span_us(flow->table, start_us, ts_us);
    stall_keep(flow, start_us, us);
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_STALL, .stall = {start_us, us}}, ts_us,
         now_us);
}

/* Told with the stamp of its last byte, whenever that is noticed. */
void request_chunk_done(struct weir_flow *flow, struct serve *serve, int64_t ts_us,
                        int64_t now_us) {
    int64_t transfer_us = span_us(flow->table, first_byte_us(serve), serve->last_byte_us);
    struct report *report = flow_report(flow);
    if (report && serve->chunk_bytes >= GOODPUT_MIN && transfer_us > 0)
        keep(flow, &report->goodput, serve->chunk_bytes * 8000 / (uint64_t)transfer_us);
    struct weir_event event = {
        .kind = WEIR_EVENT_CHUNK,
        .chunk = {.bytes = serve->chunk_bytes,
                  .request_us = serve->asked_us,
                  .ttfb_us = serve->resumed ? -1 : (int64_t)serve->first_byte_after_us,
                  .transfer_us = transfer_us,
                  .rest_us = ts_us > serve->last_byte_us ? ts_us - serve->last_byte_us : 0,
                  .request_bytes = serve->size ? serve->request_bytes : 0,
                  .known = ask_is_known(flow, serve->size),
                  .cut = flow_is(flow, FLOW_RST) && (flow->reset & 15) == WEIR_RESET_MID}};
    ask_learn(flow, serve);
    serve->told = serve->told == TOLD_NOTHING && serve->chunk_bytes < GREETING_MAX ? TOLD_GREETING
                                                                                   : TOLD_MORE;
    emit(flow, event, serve->last_byte_us, now_us);
}

/* ---- the client speaks ---- */

static uint16_t at_most(uint32_t bytes) {
    return (uint16_t)((bytes < REQUEST_BYTES_MAX ? bytes : (uint32_t)REQUEST_BYTES_MAX) &
                      REQUEST_BYTES_MAX);
}

/* The next tick asks, or the first one by which the answer may be over. */
static void watch(struct weir_flow *flow, int64_t now_us) {
    timer_by(flow, now_us + (request_is_watched(flow) ? 1 : REQUEST_SILENT_MS * INT64_C(1000)));
}

static void tell_request(struct weir_flow *flow, const struct serve *serve, int64_t now_us) {
    if (flow_report(flow)) flow_report(flow)->requests++;
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_REQUEST, .request = {serve->request_bytes}},
         serve->asked_us, now_us);
}

static void open_chunk(struct weir_flow *flow, struct serve *serve, int64_t asked_us,
                       uint32_t asked_ms, unsigned size) {
    serve->asked_us = asked_us;
    serve->asked_ms = asked_ms;
    serve->size = size & 127;
    serve->next_size = 0;
    serve->state = SERVE_WAITING;
    serve->timed_out = serve->resumed = false;
    serve->chunk_bytes = 0;
    flow->flags |= FLOW_ASKED;
}

static void open_at(struct weir_flow *flow, struct serve *serve, const struct weir_packet *packet,
                    uint32_t bytes) {
    unsigned size = weir_ask_size(bytes);
    open_chunk(flow, serve, packet->ts_us, now_ms(packet->now_us), size);
    serve->request_bytes = at_most(bytes);
    watch(flow, packet->now_us);
    tell_request(flow, serve, packet->now_us);
}

static bool in_burst(const struct weir_flow *flow, const struct weir_packet *packet) {
    return low_span(flow->payload_us[WEIR_CLIENT], packet->ts_us) <= BURST_US;
}

static void widen(struct serve *serve, uint32_t bytes) {
    unsigned size = weir_ask_size(bytes);
    serve->request_bytes = at_most(serve->request_bytes + bytes);
    if (size > serve->size) serve->size = size & 127;
}

/* More from the client, and not a byte of an answer yet. */
static void said_waiting(struct weir_flow *flow, struct serve *serve,
                         const struct weir_packet *packet, uint32_t bytes) {
    unsigned size = weir_ask_size(bytes);
    bool firm = ask_is_known(flow, serve->size) || serve->timed_out;
    if (bytes >= UPLOAD_PACKET_MIN) {
        widen(serve, bytes);
        if (serve->request_bytes >= UPLOAD_MIN && !serve->timed_out) {
            serve->asked_us = packet->ts_us;
            serve->asked_ms = now_ms(packet->now_us);
        }
    } else if (in_burst(flow, packet)) {
        widen(serve, bytes);
    } else if (ask_is_thin(flow, size)) {
        serve->next_size = size & 127;
        flow->next_us = (uint32_t)packet->ts_us;
    } else if (!firm && size != serve->size) { /* the same size again: sent again, over QUIC */
        open_at(flow, serve, packet, bytes);
    }
}

/* What was said while the answer arrived began a chunk of its own. */
static void turn_to_next(struct weir_flow *flow, struct serve *serve, int64_t ts_us,
                         int64_t now_us) {
    enum { AGE_MAX_US = 10000000 };
    uint32_t age_us = low_span(flow->next_us, ts_us);
    int64_t asked_us =
        serve->last_byte_us + (int32_t)(flow->next_us - (uint32_t)serve->last_byte_us);
    unsigned size = serve->next_size;
    request_chunk_done(flow, serve, asked_us, now_us);
    open_chunk(flow, serve, asked_us,
               now_ms(now_us) - (age_us < AGE_MAX_US ? age_us : (uint32_t)AGE_MAX_US) / 1000, size);
    serve->request_bytes = at_most(weir_ask_bytes(size));
    tell_request(flow, serve, now_us);
}

static bool nothing_since(const struct weir_flow *flow, const struct serve *serve) {
    return (int32_t)(flow->next_us - (uint32_t)serve->last_byte_us) >= 0;
}

/* More from the client while an answer arrives. */
static void said_answering(struct weir_flow *flow, struct serve *serve,
                           const struct weir_packet *packet, uint32_t bytes) {
    unsigned size = weir_ask_size(bytes);
    if (serve->next_size && in_burst(flow, packet)) {
        if (size > serve->next_size) serve->next_size = size & 127;
        return;
    }
    if (serve->next_size) {
        if (nothing_since(flow, serve)) { /* what was said before has been waiting */
            turn_to_next(flow, serve, packet->ts_us, packet->now_us);
            said_waiting(flow, serve, packet, bytes);
        }
        return;
    }
    if (ask_is_thin(flow, size)) return;
    serve->next_size = size & 127;
    flow->next_us = (uint32_t)packet->ts_us;
    watch(flow, packet->now_us);
}

/* Nothing is open: was it a request? The next bytes will tell. */
static void said_thin(struct weir_flow *flow, struct serve *serve, const struct weir_packet *packet,
                      uint32_t bytes) {
    flow->flags |= FLOW_ASKED;
    serve->state = SERVE_SILENT;
    serve->next_size = weir_ask_size(bytes) & 127;
    flow->next_us = (uint32_t)packet->ts_us;
}

void request_client(struct weir_flow *flow, const struct weir_packet *packet, uint32_t bytes) {
    struct serve *serve = &flow->serve;
    if (bytes == 0 || flow_is(flow, FLOW_DNS)) return;
    if (flow->transport == WEIR_TRANSPORT_UDP && bytes < DATAGRAM_MIN && !request_waiting(flow))
        return;
    if (serve->state == SERVE_WAITING)
        said_waiting(flow, serve, packet, bytes);
    else if (serve->state == SERVE_ANSWERING)
        said_answering(flow, serve, packet, bytes);
    else if (ask_is_thin(flow, weir_ask_size(bytes)))
        said_thin(flow, serve, packet, bytes);
    else
        open_at(flow, serve, packet, bytes);
}

/* No byte has come since that shows what it was. */
void request_settle_next(struct weir_flow *flow, struct serve *serve, int64_t now_us) {
    if (nothing_since(flow, serve))
        turn_to_next(flow, serve, now_us, now_us);
    else
        serve->next_size =
            0; /* the last bytes of what was asked before, or all of a short answer */
}

/* ---- the server speaks ---- */

/* A sender with more to send fills its segments: an answer's last one is full by chance only. */
static bool is_full(struct weir_flow *flow, const struct weir_packet *packet) {
    uint32_t len = packet->payload_len;
    if (flow->transport == WEIR_TRANSPORT_UDP) {
        /* `mss` has no other use there: the largest so far. Network cards join datagrams, too. */
        uint16_t *largest = &flow->mss[WEIR_SERVER];
        if (len > *largest && len <= DATAGRAM_MAX) *largest = (uint16_t)len;
        return *largest >= DATAGRAM_FULL_MIN && len >= *largest && len % *largest == 0;
    }
    uint32_t segment = flow->mss[WEIR_CLIENT] - (flow_is(flow, FLOW_TIMESTAMPS) ? 12u : 0u);
    return flow->mss[WEIR_CLIENT] > 12 && (len == segment || (len > segment && len % segment == 0));
}

static void first_byte(struct weir_flow *flow, struct serve *serve,
                       const struct weir_packet *packet) {
    int64_t ttfb_us = span_us(flow->table, serve->asked_us, packet->ts_us);
    serve->state = SERVE_ANSWERING;
    first_byte_at(serve, packet->ts_us);
    if (flow_report(flow) && !(ttfb_us == 0 && flow_is_timeless(flow, packet->ts_us)))
        keep(flow, &flow_report(flow)->ttfb, (uint64_t)ttfb_us);
    emit(flow, (struct weir_event){.kind = WEIR_EVENT_FIRST_BYTE, .first_byte = {ttfb_us}},
         packet->ts_us, packet->now_us);
    if (serve->timed_out) stall(flow, serve, serve->asked_us, packet->ts_us, packet->now_us);
    if (!serve->timed_out || flow_is_media(flow)) /* answered late: its failure may be taken back */
        flow_attempt(flow, packet->ts_us, packet->now_us, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL,
                     serve->asked_us);
}

/* More of an answer: was there a silence before it? */
static void next_bytes(struct weir_flow *flow, struct serve *serve,
                       const struct weir_packet *packet, uint32_t bytes) {
    int64_t gap_us = packet->ts_us > serve->last_byte_us ? packet->ts_us - serve->last_byte_us : 0;
    if (gap_us >= STALL_US && serve->chunk_bytes >= STALL_BEFORE_MIN && bytes >= STALL_AFTER_MIN &&
        !flow_is(flow, FLOW_ZERO_SINCE | FLOW_UNSEEN))
        stall(flow, serve, serve->last_byte_us, packet->ts_us, packet->now_us);
    if (serve->state == SERVE_ANSWERING && serve->timed_out && gap_us >= STALL_US) {
        serve->timed_out = false; /* it was frozen: its failure may be taken back */
        flow_attempt(flow, packet->ts_us, packet->now_us, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL,
                     serve->last_byte_us);
    }
    if (serve->state != SERVE_SILENT) return;
    serve->state = SERVE_ANSWERING;
    serve->resumed = true;
    serve->size = 0;
    serve->chunk_bytes = serve->tick_bytes = 0;
    first_byte_at(serve, packet->ts_us);
}

/* The client has said something since: do these bytes answer it, or what was asked before? */
static void judge_next(struct weir_flow *flow, struct serve *serve,
                       const struct weir_packet *packet) {
    uint32_t pause = pause_us(flow);
    if (low_span(flow->next_us, packet->ts_us) < pause) return;
    if (packet->ts_us - serve->last_byte_us >= pause)
        turn_to_next(flow, serve, packet->ts_us, packet->now_us);
    else
        serve->next_size = 0;
}

/* Bytes behind something thin: data within two seconds make it a request. */
static void judge_thin(struct weir_flow *flow, struct serve *serve,
                       const struct weir_packet *packet, uint32_t bytes) {
    uint32_t age_us = low_span(flow->next_us, packet->ts_us);
    unsigned size = serve->next_size;
    serve->next_size = 0;
    if (bytes >= DATA_MIN && age_us < THIN_ANSWER_US) {
        open_chunk(flow, serve, packet->ts_us - age_us, now_ms(packet->now_us) - age_us / 1000,
                   size);
        serve->request_bytes = at_most(weir_ask_bytes(size));
        tell_request(flow, serve, packet->now_us);
    } else if (bytes < LITTLE_MAX) {
        emit(flow,
             (struct weir_event){.kind = WEIR_EVENT_CHUNK,
                                 .chunk = {.bytes = bytes,
                                           .request_us = packet->ts_us - age_us,
                                           .ttfb_us = age_us,
                                           .request_bytes = weir_ask_bytes(size)}},
             packet->ts_us, packet->now_us);
    }
}

/* Little bytes of the server while a request waits: they acknowledge what the client said since (a
 * PING), or its settings, where nothing but a greeting was told on this connection. A first answer
 * names its kind, date and length in full, so it is longer than a control frame. */
static bool acknowledges(const struct weir_flow *flow, const struct serve *serve, uint32_t bytes) {
    if (serve->next_size && bytes < LITTLE_MAX) return true;
    return bytes < FRAME_MAX && serve->told == TOLD_GREETING && !serve->timed_out &&
           flow->transport == WEIR_TRANSPORT_TCP;
}

void request_server(struct weir_flow *flow, const struct weir_packet *packet, uint32_t bytes) {
    struct serve *serve = flow_serve(flow);
    if (!serve || bytes == 0 || serve->state == SERVE_IDLE) return;
    if (serve->state == SERVE_ANSWERING && serve->next_size) judge_next(flow, serve, packet);
    if (serve->state == SERVE_SILENT && serve->next_size) judge_thin(flow, serve, packet, bytes);
    if (serve->state == SERVE_SILENT && bytes < STALL_AFTER_MIN) return;
    if (serve->state == SERVE_WAITING && acknowledges(flow, serve, bytes)) {
        serve->next_size = 0;
        watch(flow, packet->now_us);
        return;
    }
    if (serve->state == SERVE_WAITING) {
        first_byte(flow, serve, packet);
        serve->next_size = 0;
        serve->timed_out = false;
    } else
        next_bytes(flow, serve, packet, bytes);
    flow->flags &= ~(uint32_t)FLOW_ZERO_SINCE;
    serve->chunk_bytes = (serve->chunk_bytes + bytes < CHUNK_BYTES_MAX ? serve->chunk_bytes + bytes
                                                                       : CHUNK_BYTES_MAX) &
                         CHUNK_BYTES_MAX;
    serve->tick_bytes = serve->tick_bytes + bytes < TICK_BYTES_MAX
                            ? (serve->tick_bytes + bytes) & TICK_BYTES_MAX
                            : TICK_BYTES_MAX;
    serve->full = is_full(flow, packet);
    if (packet->ts_us > serve->last_byte_us) serve->last_byte_us = packet->ts_us;
    serve->byte_ms = (uint16_t)now_ms(packet->now_us);
    watch(flow, packet->now_us);
}

/* ---- ends ---- */

static void finish(struct weir_flow *flow, int64_t ts_us, int64_t now_us) {
    struct serve *serve = flow_serve(flow);
    if (!serve) return;
    if (serve->state == SERVE_ANSWERING)
        request_chunk_done(flow, serve, ts_us, now_us);
    else if (serve->state == SERVE_WAITING && serve->timed_out)
        stall(flow, serve, serve->asked_us, ts_us, now_us);
    serve->state = SERVE_IDLE;
}

void request_server_closed(struct weir_flow *flow, int64_t ts_us, int64_t now_us) {
    finish(flow, ts_us, now_us);
}
void request_end(struct weir_flow *flow, int64_t ts_us, int64_t now_us) {
    finish(flow, ts_us, now_us);
}
