/* What time tells of a request: that it waits, is overdue, was given up, or that nobody
 * acknowledges it.
 *
 *   waits       a known size, and no byte of its answer yet. Media tell it once a tick, with the
 *               bytes that came.
 *   unsure      the same of a size that nobody has answered here. By itself it says nothing; that
 *               its client asks in vain again and again does (measure/waits.c)
 *   overdue     unanswered for longer than this service takes: max(5 s, 3 x p99), or twice the
 *               longest of what is held
 *   frozen      an answer that stopped behind a full segment, which a sender with more to send
 *               fills and the end of an answer fills by chance only; the client has all that we
 *               saw, its window is open. It waits as a request does, since its last byte.
 *   given up    while it waited, the client said something thin that the server acknowledged
 *               without a word in two seconds (a stream's reset); over QUIC the client's last
 *               datagram was small. A PING is answered. A datagram as small as an acknowledgement
 *               that has nothing to acknowledge and that nobody acknowledges closes the connection.
 *   unacked     over TCP, sent again twice or more and acknowledged by nobody for three seconds, or
 *               eight round trips where these are longer, with nothing heard from the server
 *               meanwhile
 *   unacked words   the same of words that may be no request (a PING, a message of a web socket):
 *               the fifth copy tells, for each waits twice as long as the one before, and the
 *               first for 200 ms at the least
 *
 * Blind spots: where the client's segment size is not known (no SYN was seen) nothing freezes; nor
 * does an answer whose server writes in pieces of its own. A request that was given up with the
 * connection (FIN) waits no more here: that the client asks again elsewhere is seen by measure.
 */
#include "flow/request.h"

enum {
    TIMEOUT_DEFAULT_US = 5000000,
    NEXT_AGE_US = 50000,
    FROZEN_MIN_MS = 1000,
    FROZEN_MAX_MS = 60000, /* below the span of byte_ms */
    CANCELLED_US = 2000000,
    CLOSE_MAX = 60, /* a close without much of a reason */
    COPIES_MIN = 2,
    COPIES_LONG = 5,
    UNSURE_MIN_MS = 1000,
    UNACKED_MIN_MS = 3000,
    UNACKED_RTTS = 8,
    STALE_US = 120000000,
};

static uint32_t timeout_ms(const struct weir_flow *flow) {
    const int64_t *learned = flow->table->config.request_timeout_us;
    int64_t us = learned ? learned[flow->named.service] : 0,
            own_us = ask_timeout_ds(flow, flow->serve.size) * INT64_C(100000);
    if (us <= 0) us = TIMEOUT_DEFAULT_US;
    if (us < own_us) us = own_us;
    return us / 1000 < UINT32_MAX ? (uint32_t)(us / 1000) : UINT32_MAX;
}

static void check_timeout(struct weir_flow *flow, struct serve *serve, int64_t first_us,
                          uint32_t waited_ms, int64_t now_us) {
    if (serve->timed_out || waited_ms < timeout_ms(flow) ||
        flow_is(flow, FLOW_FIN << WEIR_CLIENT | FLOW_UNSEEN) || weir_flow_one_way(flow))
        return;
    serve->timed_out = true;
    if (flow_report(flow)) flow_report(flow)->timeouts++;
    flow_attempt(flow, now_us, now_us, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT, first_us);
}

static void tell_progress(struct weir_flow *flow, const struct serve *serve, int64_t open_us,
                          int64_t waiting_us, int64_t unsure_us, int64_t now_us) {
    if (!waiting_us && !unsure_us && !serve->tick_bytes) return;
    struct weir_event event = {
        .kind = WEIR_EVENT_PROGRESS,
        .ts_us = now_us,
        .now_us = now_us,
        .progress = {.bytes = serve->tick_bytes,
                     .last_us = serve->tick_bytes ? serve->last_byte_us : 0,
                     .open_us = open_us,
                     .waiting = waiting_us > 0,
                     .waiting_us = waiting_us,
                     .unsure_us = unsure_us,
                     .timeout_us = waiting_us || unsure_us ? timeout_ms(flow) * INT64_C(1000) : 0}};
    flow_emit(flow, &event);
}

/* ---- what nobody acknowledges ---- */

static bool is_acked(const struct weir_flow *flow) {
    return flow_is(flow, FLOW_ACK << WEIR_SERVER) &&
           (int32_t)(flow->nxt[WEIR_CLIENT] - flow->ack[WEIR_SERVER]) <= 0;
}

static uint32_t unacked_limit_ms(const struct weir_flow *flow) {
    uint32_t rtt_ms = flow_opening_rtt_us(flow) / 1000;
    return rtt_ms * UNACKED_RTTS > UNACKED_MIN_MS ? rtt_ms * UNACKED_RTTS : UNACKED_MIN_MS;
}

void request_copy(struct weir_flow *flow, const struct weir_packet *packet) {
    struct serve *serve = flow_serve(flow);
    if (!serve || flow_is(flow, FLOW_DNS) || serve->copies >= COPIES_TOLD - 1) return;
    serve->copies++;
    if (serve->copies == COPIES_MIN || serve->copies == COPIES_LONG)
        timer_by(flow, packet->now_us + 1);
}

static void tell_unacked(struct weir_flow *flow, struct serve *serve, int64_t first_us,
                         int64_t now_us) {
    bool media = flow_is_media(flow);
    serve->copies = COPIES_TOLD;
    if (media || !flow_is(flow, FLOW_MID))
        flow_attempt(flow, now_us, now_us, media ? WEIR_LAYER_SERVE : WEIR_LAYER_CONNECT,
                     WEIR_OUTCOME_UNACKED, first_us);
}

static bool is_stale(const struct weir_flow *flow, int64_t at_us) {
    return low_span(flow->payload_us[WEIR_SERVER], at_us) >= STALE_US;
}

/* The client's network has carried it as far as here, so it was lost behind us. A connection that
 * had rested for two minutes may have been forgotten by any box on the way: that says nothing. When
 * to ask again. */
static int64_t unacked_timer(struct weir_flow *flow, struct serve *serve, int64_t now_us) {
    if (serve->state != SERVE_WAITING || serve->copies < COPIES_MIN ||
        serve->copies == COPIES_TOLD || is_acked(flow) || flow->transport != WEIR_TRANSPORT_TCP ||
        is_stale(flow, serve->asked_us))
        return INT64_MAX;
    uint32_t waited_ms = now_ms(now_us) - serve->asked_ms, limit_ms = unacked_limit_ms(flow);
    if (waited_ms < limit_ms) return now_us + (int64_t)(limit_ms - waited_ms) * 1000;
    tell_unacked(flow, serve, serve->asked_us, now_us);
    return INT64_MAX;
}

/* The same of words that opened no chunk. */
static void check_unacked_words(struct weir_flow *flow, struct serve *serve, int64_t now_us) {
    if (serve->copies >= COPIES_LONG && serve->copies < COPIES_TOLD && !is_acked(flow) &&
        flow->transport == WEIR_TRANSPORT_TCP && !flow_is(flow, FLOW_FIN << WEIR_CLIENT) &&
        !is_stale(flow, now_us))
        tell_unacked(flow, serve, now_us - UNACKED_MIN_MS * INT64_C(1000), now_us);
}

/* ---- what froze, what was given up ---- */

/* The answer stopped where more was to come, and the client, which wants it, has all that we saw.
 */
static bool is_frozen(const struct weir_flow *flow, const struct serve *serve) {
    bool has_all = flow->transport == WEIR_TRANSPORT_UDP ||
                   (int32_t)(flow->nxt[WEIR_SERVER] - flow->ack[WEIR_CLIENT]) <= 0;
    return serve->full && has_all && !serve->next_size && ask_is_known(flow, serve->size) &&
           flow_is_media(flow) &&
           !flow_is(flow, FLOW_ZERO_SINCE | FLOW_UNSEEN | FLOW_FIN << WEIR_CLIENT);
}

/* The client's last word over QUIC. One as small as an acknowledgement is a PING, which the server
 * acknowledges, or which is said again; or it closes the connection: then there is nothing to
 * acknowledge, and nobody says another word (RFC 9000 10.2, 13.2.1). */
static bool is_last_word(const struct weir_flow *flow, const struct serve *serve) {
    bool answered = (int32_t)(flow->payload_us[WEIR_SERVER] - flow->next_us) >= 0;
    return flow->payload_us[WEIR_CLIENT] == flow->next_us &&
           (weir_ask_bytes(serve->next_size) >= CLOSE_MAX ||
            (!answered && flow->unheard.said <= 1));
}

/* While it waited the client said something small, which the server took without a word: it gave
 * the request up. */
static bool is_cancelled(const struct weir_flow *flow, const struct serve *serve, int64_t now_us) {
    if (!serve->next_size || low_span(flow->next_us, now_us) < CANCELLED_US) return false;
    return flow->transport == WEIR_TRANSPORT_UDP ? is_last_word(flow, serve) : is_acked(flow);
}

/* ---- ticks ---- */

/* While an answer arrives: when to ask again. */
static int64_t answering_timer(struct weir_flow *flow, struct serve *serve, bool quiet,
                               uint32_t silent_ms, int64_t now_us) {
    bool waits = request_is_watched(flow) && silent_ms < FROZEN_MAX_MS && is_frozen(flow, serve);
    if (silent_ms >= REQUEST_SILENT_MS && !waits) {
        request_chunk_done(flow, serve, now_us, now_us);
        serve->state = SERVE_SILENT;
        return INT64_MAX;
    }
    /* The next byte of media brings the timer forward again. */
    return request_is_watched(flow) && (!quiet || serve->next_size || waits)
               ? now_us + WEIR_TICK_US
               : now_us + (int64_t)(REQUEST_SILENT_MS - silent_ms) * 1000;
}

static int64_t waiting_timer(struct weir_flow *flow, struct serve *serve, int64_t now_us) {
    if (is_cancelled(flow, serve, now_us)) {
        serve->state = SERVE_SILENT;
        serve->next_size = 0;
        return INT64_MAX;
    }
    uint32_t open_ms = now_ms(now_us) - serve->asked_ms;
    int64_t again_us = unacked_timer(flow, serve, now_us);
    bool known = flow_is_media(flow) && ask_is_known(flow, serve->size);
    if (known) check_timeout(flow, serve, serve->asked_us, open_ms, now_us);
    int64_t open_us = (int64_t)open_ms * 1000;
    bool unsure = !known && open_ms >= UNSURE_MIN_MS && !ask_is_pushed(flow) &&
                  !flow_is(flow, FLOW_UNSEEN) && !weir_flow_one_way(flow);
    if (flow_is_media(flow))
        tell_progress(flow, serve, open_us, known ? open_us : 0, unsure ? open_us : 0, now_us);
    serve->tick_bytes = 0;
    return request_is_watched(flow) ? now_us + WEIR_TICK_US : again_us;
}

int64_t request_timer(struct weir_flow *flow, int64_t now_us) {
    struct serve *serve = flow_serve(flow);
    if (!serve || flow->state == STATE_CLOSED) return INT64_MAX;
    if (serve->state != SERVE_WAITING) check_unacked_words(flow, serve, now_us);
    if (serve->state != SERVE_WAITING && serve->state != SERVE_ANSWERING) return INT64_MAX;
    if (serve->state == SERVE_WAITING && flow_is(flow, FLOW_FIN << WEIR_CLIENT))
        return INT64_MAX; /* given up, though a dead server may leave the flow open for minutes */
    if (serve->state == SERVE_ANSWERING && serve->next_size &&
        low_span(flow->next_us, now_us) >= NEXT_AGE_US)
        request_settle_next(flow, serve, now_us);
    if (serve->state == SERVE_WAITING) return waiting_timer(flow, serve, now_us);
    uint32_t silent_ms = (uint16_t)(now_ms(now_us) - serve->byte_ms);
    bool quiet = serve->tick_bytes == 0,
         waits = quiet && silent_ms >= FROZEN_MIN_MS && is_frozen(flow, serve);
    if (waits) check_timeout(flow, serve, serve->last_byte_us, silent_ms, now_us);
    if (flow_is_media(flow))
        tell_progress(flow, serve, (int64_t)(now_ms(now_us) - serve->asked_ms) * 1000,
                      waits ? (int64_t)silent_ms * 1000 : 0, 0, now_us);
    serve->tick_bytes = 0;
    return answering_timer(flow, serve, quiet, silent_ms, now_us);
}
