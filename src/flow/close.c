/* How connections end: FINs, and RSTs by when they came.
 *
 * Half of all healthy connections hold a RST, nearly all from a client that has what it wanted.
 * Only a server's RST into an open request, or on the heels of its own data, is a failure at once;
 * of one into a pause the length of the pause is told, for measure to compare with those that are
 * survived here. A question into a connection that had rested for half a minute or more and is
 * reset at once found it closed long ago: that is a RST into a pause, too. One that the server did
 * not send (another TTL, an IP identification off its trend, several that disagree about the
 * sequence number) is marked, still a failure.
 */
#include <stdlib.h>

#include "flow/flow.h"

enum {
    FRESH_US = 1000000,
    STALE_US = 30000000,
    BURST_US = 10000,
    TTL_SLACK = 2,
    ID_STEPS = 3,
    ID_SLACK = 1024,
    LINGER_US = 2000000
};

static bool injected(const struct weir_flow *flow, const struct weir_packet *packet,
                     enum weir_side side) {
    if (flow->ttl[side] && abs((int)packet->ttl - (int)flow->ttl[side]) > TTL_SLACK) return true;
    if (side != WEIR_SERVER || flow->server_id_steps < ID_STEPS || !packet->ip_id) return false;
    int16_t step = (int16_t)(packet->ip_id - flow->server_id);
    return step > ID_SLACK || step < -ID_SLACK;
}

/* The pause before the question that is open, where nothing of the answer came and the connection
 * may have been lost meanwhile. */
static bool asked_too_late(const struct weir_flow *flow) {
    const struct serve *serve = flow_serve(flow);
    return request_waiting(flow) && flow->payload[WEIR_SERVER] &&
           flow->transport == WEIR_TRANSPORT_TCP &&
           low_span(flow->payload_us[WEIR_SERVER], serve->asked_us) >= STALE_US;
}

static bool server_was_speaking(const struct weir_flow *flow, const struct weir_packet *packet) {
    if (request_waiting(flow)) return !asked_too_late(flow);
    return flow->payload[WEIR_SERVER] &&
           low_span(flow->payload_us[WEIR_SERVER], packet->ts_us) < FRESH_US;
}

static bool idle(const struct weir_flow *flow, const struct weir_packet *packet) {
    for (unsigned side = 0; side < 2; side++)
        if (flow->payload[side] && low_span(flow->payload_us[side], packet->ts_us) < FRESH_US)
            return false;
    return flow->payload[0] || flow->payload[1] ||
           span_us(flow->table, flow->first_ts_us, packet->ts_us) >= FRESH_US;
}

static enum weir_reset_kind kind_of(struct weir_flow *flow, const struct weir_packet *packet,
                                    enum weir_side side) {
    if (flow_is(flow, FLOW_FIN << WEIR_CLIENT | FLOW_FIN << WEIR_SERVER))
        return WEIR_RESET_TEARDOWN;
    if (tls_closed(flow, packet, side)) return WEIR_RESET_HANDSHAKE;
    if (side == WEIR_CLIENT) return WEIR_RESET_TEARDOWN;
    if (flow->proto == PROTO_TLS && flow_is(flow, FLOW_SHAKE) && !flow_is(flow, FLOW_USEFUL))
        return idle(flow, packet) ? WEIR_RESET_IDLE : WEIR_RESET_HANDSHAKE;
    if (server_was_speaking(flow, packet)) return WEIR_RESET_MID;
    if (asked_too_late(flow)) return WEIR_RESET_IDLE;
    return idle(flow, packet) ? WEIR_RESET_IDLE : WEIR_RESET_HANDSHAKE;
}

static void close_flow(struct weir_flow *flow, const struct weir_packet *packet) {
    flow->state = STATE_CLOSED;
    flow_answered(flow);
    timer_by(flow, packet->now_us + LINGER_US);
}

static void reset_report(struct weir_flow *flow, const struct weir_packet *packet,
                         enum weir_side side, enum weir_reset_kind kind) {
    bool foreign = injected(flow, packet, side);
    flow->flags |= FLOW_RST | (foreign ? (uint32_t)FLOW_INJECTED : 0);
    flow->reset = (uint8_t)(side << 4 | kind);
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_RESET,
                                         .ts_us = packet->ts_us,
                                         .now_us = packet->now_us,
                                         .reset = {side, kind, foreign}});
}

/* The place of the other side's sample is free once the connection is over. */
static void pause_ended(struct weir_flow *flow, const struct weir_packet *packet) {
    int64_t until_us = asked_too_late(flow) ? flow_serve(flow)->asked_us : packet->ts_us;
    /* one opened ahead may have limits of its own */
    bool used = flow->payload[WEIR_SERVER] && flow_is(flow, FLOW_USEFUL | FLOW_MID);
    uint32_t us = used ? low_span(flow->payload_us[WEIR_SERVER], until_us) : 0;
    flow->pending.us[WEIR_CLIENT] = us;
    if (us >= PAUSE_LEAST_US)
        flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_PAUSE,
                                             .ts_us = packet->ts_us,
                                             .now_us = packet->now_us,
                                             .pause = {us, true}});
}

int64_t weir_flow_reset_pause_us(const struct weir_flow *flow) {
    bool told = flow_is(flow, FLOW_RST) && flow->reset == (WEIR_SERVER << 4 | WEIR_RESET_IDLE);
    return told && flow->pending.us[WEIR_CLIENT] >= PAUSE_LEAST_US
               ? (int64_t)flow->pending.us[WEIR_CLIENT]
               : -1;
}

/* After the first RST only this: one that disagrees with it within 10 ms shows that somebody else
 * sent them. A closed socket, however, answers whatever still arrives with a RST each. */
static void another_reset(struct weir_flow *flow, const struct weir_packet *packet,
                          enum weir_side side) {
    if (flow->reset >> 4 == side && (flow->reset & 15) != WEIR_RESET_TEARDOWN &&
        flow->pending.value[side] != packet->tcp.seq &&
        low_span(flow->pending.us[side], packet->ts_us) <= BURST_US)
        flow->flags |= FLOW_INJECTED;
}

void reset_seen(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side) {
    if (flow_is(flow, FLOW_RST)) {
        another_reset(flow, packet, side);
        return;
    }
    if (flow->state == STATE_SYN_SENT) {
        if (side == WEIR_SERVER &&
            (!(packet->tcp_flags & WEIR_TCP_ACK) || packet->tcp.ack != flow->nxt[WEIR_CLIENT]))
            return; /* no answer to this SYN */
        reset_report(flow, packet, side,
                     side == WEIR_SERVER ? WEIR_RESET_REFUSED : WEIR_RESET_TEARDOWN);
        if (side == WEIR_SERVER)
            flow_connect(flow, packet->ts_us, packet->now_us, WEIR_OUTCOME_REFUSED);
    } else {
        enum weir_reset_kind kind = kind_of(flow, packet, side);
        reset_report(flow, packet, side, kind);
        const struct serve *serve = flow_serve(flow);
        if (kind == WEIR_RESET_MID)
            flow_attempt(flow, packet->ts_us, packet->now_us, WEIR_LAYER_SERVE,
                         WEIR_OUTCOME_RST_MID, serve ? serve->asked_us : flow->first_ts_us);
    }
    close_flow(flow, packet);
    if (side == WEIR_SERVER && (flow->reset & 15) == WEIR_RESET_IDLE) pause_ended(flow, packet);
    flow->pending.value[side] = packet->tcp.seq;
    flow->pending.us[side] = (uint32_t)packet->ts_us;
}

/* The other side's FIN passes elsewhere as all that it sends: what is over must not wait for it
 * until it is idle, or a capture that sees one direction is found out minutes late. */
static bool other_is_unseen(const struct weir_flow *flow, enum weir_side side) {
    return flow->packets[side] > 2 && !flow->packets[other(side)] && weir_flow_one_way(flow);
}

void fin_seen(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side) {
    if (flow_is(flow, FLOW_FIN << side)) return;
    tls_closed(flow, packet, side);
    flow->flags |= FLOW_FIN << side;
    if (side == WEIR_SERVER) request_server_closed(flow, packet->ts_us, packet->now_us);
    if (flow_is(flow, FLOW_FIN << other(side)) || other_is_unseen(flow, side)) {
        flow->flags |= FLOW_CLOSED_FIN;
        close_flow(flow, packet);
    }
}
