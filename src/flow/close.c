/* How connections end: FINs, and RSTs by when they came (METHODS 1.1).
 *
 * Half of all healthy connections hold a RST, nearly all from a client that has what it wanted. Only a server's RST
 * into an open request, or on the heels of its own data, is a failure. One that the server did not send (another TTL,
 * an IP identification off its trend, several that disagree about the sequence number) is marked, still a failure.
 */
#include <stdlib.h>

#include "flow/flow.h"

enum { FRESH_US = 1000000, BURST_US = 10000, TTL_SLACK = 2, ID_STEPS = 3, ID_SLACK = 1024, LINGER_US = 2000000 };

static bool injected(const struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side)
{
    if (flow->ttl[side] && abs((int)packet->ttl - (int)flow->ttl[side]) > TTL_SLACK)
        return true;
    if (side != WEIR_SERVER || flow->server_id_steps < ID_STEPS || !packet->ip_id)
        return false;
    int16_t step = (int16_t)(packet->ip_id - flow->server_id);
    return step > ID_SLACK || step < -ID_SLACK;
}

static bool server_was_speaking(const struct weir_flow *flow, const struct weir_packet *packet)
{
    if (request_waiting(flow))
        return true;
    return flow->payload[WEIR_SERVER] && low_span(flow->payload_us[WEIR_SERVER], packet->ts_us) < FRESH_US;
}

static bool idle(const struct weir_flow *flow, const struct weir_packet *packet)
{
    for (unsigned side = 0; side < 2; side++)
        if (flow->payload[side] && low_span(flow->payload_us[side], packet->ts_us) < FRESH_US)
            return false;
    return flow->payload[0] || flow->payload[1] || span_us(flow->table, flow->first_ts_us, packet->ts_us) >= FRESH_US;
}

static enum weir_reset_kind kind_of(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side)
{
    if (flow_is(flow, FLOW_FIN << WEIR_CLIENT | FLOW_FIN << WEIR_SERVER))
        return WEIR_RESET_TEARDOWN;
    if (tls_closed(flow, packet, side))
        return WEIR_RESET_HANDSHAKE;
    if (side == WEIR_CLIENT)
        return WEIR_RESET_TEARDOWN;
    if (flow->proto == PROTO_TLS && flow_is(flow, FLOW_SHAKE) && !flow_is(flow, FLOW_USEFUL))
        return idle(flow, packet) ? WEIR_RESET_IDLE : WEIR_RESET_HANDSHAKE;
    if (server_was_speaking(flow, packet))
        return WEIR_RESET_MID;
    return idle(flow, packet) ? WEIR_RESET_IDLE : WEIR_RESET_HANDSHAKE;
}

static void close_flow(struct weir_flow *flow, const struct weir_packet *packet)
{
    flow->state = STATE_CLOSED;
    flow_answered(flow);
    timer_by(flow, packet->now_us + LINGER_US);
}

static void reset_report(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                         enum weir_reset_kind kind)
{
    bool foreign = injected(flow, packet, side);
    flow->flags |= FLOW_RST | (foreign ? (uint32_t)FLOW_INJECTED : 0);
    flow->reset = (uint8_t)(side << 4 | kind);
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_RESET, .ts_us = packet->ts_us, .now_us = packet->now_us,
        .reset = {side, kind, foreign}});
}

/* After the first RST only this: one that disagrees with it within 10 ms shows that somebody else sent them. A closed
 * socket, however, answers whatever still arrives with a RST each. */
static void another_reset(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side)
{
    if (flow->reset >> 4 == side && (flow->reset & 15) != WEIR_RESET_TEARDOWN &&
        flow->pending.value[side] != packet->tcp.seq && low_span(flow->pending.us[side], packet->ts_us) <= BURST_US)
        flow->flags |= FLOW_INJECTED;
}

void reset_seen(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side)
{
    if (flow_is(flow, FLOW_RST)) {
        another_reset(flow, packet, side);
        return;
    }
    if (flow->state == STATE_SYN_SENT) {
        if (side == WEIR_SERVER && (!(packet->tcp_flags & WEIR_TCP_ACK) || packet->tcp.ack != flow->nxt[WEIR_CLIENT]))
            return; /* no answer to this SYN */
        reset_report(flow, packet, side, side == WEIR_SERVER ? WEIR_RESET_REFUSED : WEIR_RESET_TEARDOWN);
        if (side == WEIR_SERVER)
            flow_connect(flow, packet->ts_us, packet->now_us, WEIR_OUTCOME_REFUSED);
    } else {
        enum weir_reset_kind kind = kind_of(flow, packet, side);
        reset_report(flow, packet, side, kind);
        const struct serve *serve = flow_serve(flow);
        if (kind == WEIR_RESET_MID)
            flow_attempt(flow, packet->ts_us, packet->now_us, WEIR_LAYER_SERVE, WEIR_OUTCOME_RST_MID,
                         serve ? serve->asked_us : flow->first_ts_us);
    }
    close_flow(flow, packet);
    flow->pending.value[side] = packet->tcp.seq;
    flow->pending.us[side] = (uint32_t)packet->ts_us;
}

/* The other side's FIN passes elsewhere as all that it sends: what is over must not wait for it until it is idle, or a capture that
 * sees one direction is found out minutes late. */
static bool other_is_unseen(const struct weir_flow *flow, enum weir_side side)
{
    return flow->packets[side] > 2 && !flow->packets[other(side)] && weir_flow_one_way(flow);
}

void fin_seen(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side)
{
    if (flow_is(flow, FLOW_FIN << side))
        return;
    tls_closed(flow, packet, side);
    flow->flags |= FLOW_FIN << side;
    if (side == WEIR_SERVER)
        request_server_closed(flow, packet->ts_us, packet->now_us);
    if (flow_is(flow, FLOW_FIN << other(side)) || other_is_unseen(flow, side)) {
        flow->flags |= FLOW_CLOSED_FIN;
        close_flow(flow, packet);
    }
}
