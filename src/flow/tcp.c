/* TCP at a vantage in the middle of the path: the handshake, and what each segment means for the
 * stages above it. Nothing is reassembled: a segment is judged by its numbers when it passes. */
#include "flow/flow.h"

enum { SYN_TIMEOUT_US = 3000000, REUSE_IDLE_MS = 1000, PORT_TLS = 443, ASIDE_MAX = 100 };

uint32_t flow_opening_rtt_us(const struct weir_flow *flow) {
    uint32_t server = flow->opening_rtt_us[WEIR_SERVER], client = flow->opening_rtt_us[WEIR_CLIENT];
    return (server == RTT_NONE ? 0 : server) + (client == RTT_NONE ? 0 : client);
}

void tcp_open(struct weir_flow *flow, const struct weir_packet *packet) {
    if (packet->tcp_flags & WEIR_TCP_SYN) {
        flow->state = packet->tcp_flags & WEIR_TCP_ACK ? STATE_SYN_ACKED : STATE_SYN_SENT;
        return;
    }
    flow->state = STATE_OPEN;
    flow->flags |= FLOW_MID;
    if (packet->tcp.has_timestamps) flow->flags |= FLOW_TIMESTAMPS;
}

/* The first sequence number of this side is not kept, but a SYN sent again lies behind nxt by no
 * more than was sent. */
static bool is_old_syn(const struct weir_flow *flow, uint32_t seq, enum weir_side side) {
    uint32_t behind = flow->nxt[side] - seq;
    return flow_is(flow, FLOW_NXT << side) && behind > 0 && behind <= flow->payload[side] + 2;
}

bool tcp_is_reuse(const struct weir_flow *flow, const struct weir_packet *packet,
                  enum weir_side side) {
    if ((packet->tcp_flags & (WEIR_TCP_SYN | WEIR_TCP_ACK | WEIR_TCP_RST)) != WEIR_TCP_SYN)
        return false;
    if (is_old_syn(flow, packet->tcp.seq, side)) return false;
    return flow->state == STATE_CLOSED || now_ms(packet->now_us) - flow->last_ms > REUSE_IDLE_MS;
}

static void payload(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                    uint32_t fresh);

/* A time stamp of the handshake has been echoed by it: one that comes again measures nothing. */
static void clock_seen(struct weir_flow *flow, const struct weir_packet *packet,
                       enum weir_side side) {
    if (!packet->tcp.has_timestamps || !packet->tcp.tsval) return;
    flow->tsval[side] = packet->tcp.tsval;
    flow->flags |= FLOW_TSVAL << side;
}

/* Data in a SYN (a fast open) is a question already asked; where the server does not take it, it
 * comes again. */
static void client_syn(struct weir_flow *flow, const struct weir_packet *packet) {
    if (flow->syn < UINT8_MAX) flow->syn++;
    if (flow->state == STATE_SYN_SENT || flow->state == STATE_SYN_ACKED)
        clock_seen(flow, packet, WEIR_CLIENT);
    if (flow->state != STATE_SYN_SENT) return;
    flow->nxt[WEIR_CLIENT] = packet->tcp.seq + 1;
    flow->flags |= FLOW_NXT << WEIR_CLIENT;
    flow->mss[WEIR_CLIENT] = packet->tcp.mss;
    if (packet->payload_len) {
        struct weir_packet data = *packet;
        data.tcp.seq++;
        flow->table->expected_seq = data.tcp.seq;
        payload(flow, &data, WEIR_CLIENT, data.payload_len);
    }
    if (flow->syn < 2 || !flow_is(flow, FLOW_WAITING)) return;
    uint32_t age_ms = now_ms(packet->now_us) - flow->waiting.born_ms;
    int64_t left_us = age_ms < 3000 ? (int64_t)(3000 - age_ms) * 1000 : 0;
    timer_by(flow, packet->now_us + left_us);
}

static void server_syn_ack(struct weir_flow *flow, const struct weir_packet *packet) {
    if (flow->state == STATE_SYN_SENT) {
        /* a fast open's data may be acknowledged at once */
        uint32_t beyond = packet->tcp.ack - flow->nxt[WEIR_CLIENT];
        if (!(packet->tcp_flags & WEIR_TCP_ACK) || beyond > UINT16_MAX) return;
        flow->state = STATE_SYN_ACKED;
        if (beyond <= flow->payload[WEIR_CLIENT]) flow->nxt[WEIR_CLIENT] = packet->tcp.ack;
        if (flow->syn == 1) {
            int64_t us = span_us(flow->table, flow->first_ts_us, packet->ts_us);
            flow_rtt_sample(flow, packet, WEIR_SERVER, us, true);
        }
    }
    if (flow->state == STATE_CLOSED) return;
    if (flow->syn_ack < UINT8_MAX) flow->syn_ack++;
    if (flow->state != STATE_SYN_ACKED) return;
    flow->nxt[WEIR_SERVER] = packet->tcp.seq + 1;
    flow->flags |= FLOW_NXT << WEIR_SERVER;
    flow->mss[WEIR_SERVER] = packet->tcp.mss;
    flow->payload_us[WEIR_SERVER] = (uint32_t)packet->ts_us;
    clock_seen(flow, packet, WEIR_SERVER);
    if (packet->tcp.has_timestamps) flow->flags |= FLOW_TIMESTAMPS;
}

/* An acknowledgement or data of either side ends the handshake; where the SYN-ACK was not seen, so
 * be it. */
static void handshake_goes_on(struct weir_flow *flow, const struct weir_packet *packet,
                              enum weir_side side) {
    if (flow->state == STATE_SYN_SENT) {
        if (side == WEIR_CLIENT && !(packet->tcp_flags & WEIR_TCP_ACK)) return;
        if (packet->tcp.has_timestamps) flow->flags |= FLOW_TIMESTAMPS;
    } else if (side == WEIR_CLIENT) {
        if (!(packet->tcp_flags & WEIR_TCP_ACK) ||
            (int32_t)(packet->tcp.ack - flow->nxt[WEIR_SERVER]) < 0)
            return;
        if (flow->syn_ack == 1 && packet->tcp.ack == flow->nxt[WEIR_SERVER])
            flow_rtt_sample(flow, packet, WEIR_CLIENT,
                            low_span(flow->payload_us[WEIR_SERVER], packet->ts_us), true);
    } else {
        return;
    }
    flow->state = STATE_OPEN;
    flow_answered(flow);
}

static void zero_window(struct weir_flow *flow, const struct weir_packet *packet,
                        enum weir_side side) {
    struct report *report = flow_report(flow);
    if (report) report->zero_window[side]++;
    if (side == WEIR_CLIENT) flow->flags |= FLOW_ZERO_SINCE;
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_ANOMALY,
                                         .ts_us = packet->ts_us,
                                         .now_us = packet->now_us,
                                         .anomaly = {WEIR_ANOMALY_ZERO_WINDOW, side, 0, 1}});
}

static void plain_payload(struct weir_flow *flow, const struct weir_packet *packet,
                          enum weir_side side, uint32_t fresh) {
    if (side == WEIR_CLIENT) {
        flow->flags |= FLOW_CLIENT_DATA;
        if (!flow_is(flow, FLOW_MID) || !tls_begins(flow, packet))
            request_client(flow, packet, fresh);
        return;
    }
    if (flow_is(flow, FLOW_CLIENT_DATA) && fresh)
        flow_connect(flow, packet->ts_us, packet->now_us, WEIR_OUTCOME_USEFUL);
    request_server(flow, packet, fresh);
}

static void tls_payload(struct weir_flow *flow, const struct weir_packet *packet,
                        enum weir_side side, uint32_t fresh) {
    if (tls_packet(flow, packet, side) != TLS_APPLICATION) return;
    if (side == WEIR_CLIENT)
        request_client(flow, packet, fresh);
    else
        request_server(flow, packet, fresh);
}

/* The first bytes of the client that count: a server drops what lies left of its window, and a
 * client may send just that before its hello, to mislead filters. */
static struct weir_packet within_window(const struct weir_flow *flow,
                                        const struct weir_packet *packet) {
    struct weir_packet rest = *packet;
    uint32_t left = flow->table->expected_seq - packet->tcp.seq;
    if (flow_is(flow, FLOW_MID) || left == 0 || left >= packet->payload_captured) return rest;
    rest.tcp.seq += left;
    rest.payload += left;
    rest.payload_len -= left;
    rest.payload_captured -= left;
    return rest;
}

/* The first bytes of the client say whether this is TLS. Where a hole comes before them, the port
 * does. */
static bool says_tls(const struct weir_flow *flow, const struct weir_packet *packet) {
    if (flow_is(flow, FLOW_MID)) return false;
    struct weir_packet first = within_window(flow, packet);
    bool behind_hole = (int32_t)(first.tcp.seq - flow->table->expected_seq) > 0;
    return tls_begins(flow, &first) || (behind_hole && flow->port[WEIR_SERVER] == PORT_TLS);
}

static void choose_proto(struct weir_flow *flow, const struct weir_packet *packet) {
    flow->proto = PROTO_PLAIN;
    if (flow_is(flow, FLOW_DNS)) {
        flow->named.app = WEIR_APP_DNS;
    } else if (says_tls(flow, packet)) {
        flow->proto = PROTO_TLS;
        flow->named.app = WEIR_APP_TLS;
        flow_shake_make(flow);
    }
}

/* The server had been silent until it was asked, and answers: the connection has survived a pause.
 */
static void pause_survived(struct weir_flow *flow, const struct weir_packet *packet) {
    bool spoke = flow->payload[WEIR_SERVER] > packet->payload_len && flow->payload[WEIR_CLIENT];
    int32_t us = (int32_t)(flow->payload_us[WEIR_CLIENT] - flow->payload_us[WEIR_SERVER]);
    if (!spoke || us < PAUSE_LEAST_US || flow_is(flow, FLOW_DNS)) return;
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_PAUSE,
                                         .ts_us = packet->ts_us,
                                         .now_us = packet->now_us,
                                         .pause = {us, false}});
}

/* What a server says of its own accord to a connection that rests (GOAWAY, an alert, a PING or its
 * answer) does not end the rest. */
static bool is_aside(const struct weir_flow *flow, const struct weir_packet *packet) {
    return packet->payload_len <= ASIDE_MAX && !request_waiting(flow) &&
           low_span(flow->payload_us[WEIR_SERVER], packet->ts_us) >= PAUSE_LEAST_US;
}

static void payload(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                    uint32_t fresh) {
    if (side == WEIR_SERVER && fresh > ASIDE_MAX) pause_survived(flow, packet);
    bool aside = side == WEIR_SERVER && is_aside(flow, packet);
    if (flow_is(flow, FLOW_DNS)) dns_payload(flow, packet, side);
    if (flow->proto == PROTO_NONE && side == WEIR_CLIENT) choose_proto(flow, packet);
    if (flow->proto == PROTO_TLS)
        tls_payload(flow, packet, side, fresh);
    else if (flow->proto == PROTO_PLAIN || flow_is(flow, FLOW_MID))
        plain_payload(flow, packet, side, fresh);
    if (!aside) flow->payload_us[side] = (uint32_t)packet->ts_us;
    if (side == WEIR_SERVER) flow->flags &= ~(uint32_t)FLOW_UNSEEN;
}

/* Remembers the acknowledgement; returns how many bytes it moved by. One of bytes that never passed
 * here tells of packets that the capture missed: until the server is seen again its silence proves
 * nothing. */
static uint32_t acknowledged(struct weir_flow *flow, const struct weir_packet *packet,
                             enum weir_side side) {
    int32_t step =
        flow_is(flow, FLOW_ACK << side) ? (int32_t)(packet->tcp.ack - flow->ack[side]) : 0;
    if (!flow_is(flow, FLOW_ACK << side) || step > 0) flow->ack[side] = packet->tcp.ack;
    flow->flags |= FLOW_ACK << side;
    if (side == WEIR_CLIENT && flow_is(flow, FLOW_NXT << WEIR_SERVER) &&
        (int32_t)(packet->tcp.ack - flow->nxt[WEIR_SERVER]) > 0)
        flow->flags |= FLOW_UNSEEN;
    return step > 0 ? (uint32_t)step : 0;
}

static void server_habits(struct weir_flow *flow, const struct weir_packet *packet,
                          enum weir_side side) {
    flow->ttl[side] = packet->ttl;
    if (side != WEIR_SERVER) return;
    uint16_t step = (uint16_t)(packet->ip_id - flow->server_id);
    if (packet->ip_id && step && step < 256) {
        if (flow->server_id_steps < UINT8_MAX) flow->server_id_steps++;
    } else {
        flow->server_id_steps = 0;
    }
    flow->server_id = packet->ip_id;
}

/* A client that has nothing to say asks whether the connection lives, by a byte (or none) that was
 * acknowledged long ago. Servers ask, too, of their own accord and whether they hear the client or
 * not: an answer comes within a round trip. */
static void kept_alive(struct weir_flow *flow, const struct weir_packet *packet,
                       enum weir_side side) {
    if (flow->state != STATE_OPEN || (packet->tcp_flags & WEIR_TCP_FIN)) return;
    if (side == WEIR_CLIENT) {
        bool asks = packet->payload_len <= 1 && flow_is(flow, FLOW_NXT) &&
                    flow->table->expected_seq - packet->tcp.seq == 1;
        flow->flags = asks ? flow->flags | FLOW_KEPT : flow->flags & ~(uint32_t)FLOW_KEPT;
        return;
    }
    if (!flow_is(flow, FLOW_KEPT)) return;
    flow->flags &= ~(uint32_t)FLOW_KEPT;
    if (packet->payload_len ||
        now_ms(packet->now_us) - flow->table->before_ms > flow_acknowledged_within_ms(flow))
        return;
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_ALIVE,
                                         .ts_us = packet->ts_us,
                                         .now_us = packet->now_us});
}

void tcp_packet(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side) {
    uint8_t flags = packet->tcp_flags;
    if (flags & WEIR_TCP_RST) {
        reset_seen(flow, packet, side);
        return;
    }
    server_habits(flow, packet, side);
    if (flags & WEIR_TCP_SYN) {
        if (side == WEIR_CLIENT && !(flags & WEIR_TCP_ACK))
            client_syn(flow, packet);
        else if (side == WEIR_SERVER)
            server_syn_ack(flow, packet);
        return;
    }
    if (flow->state == STATE_SYN_SENT || flow->state == STATE_SYN_ACKED)
        handshake_goes_on(flow, packet, side);
    if (side == WEIR_CLIENT && !flow->packets[WEIR_SERVER] && (flags & WEIR_TCP_ACK))
        flow->flags |= FLOW_ACKS_UNSEEN;
    if (packet->tcp.window == 0 && !(flags & WEIR_TCP_FIN)) zero_window(flow, packet, side);

    bool disturbed = false;
    flow->table->expected_seq = flow->nxt[side];
    uint32_t fresh = anomaly_segment(flow, packet, side, &disturbed);
    if (packet->payload_len <= 1 || flow_is(flow, FLOW_KEPT)) kept_alive(flow, packet, side);
    if (side == WEIR_SERVER)
        request_heard(flow);
    else if (packet->payload_len > 1 && fresh == 0)
        request_copy(flow, packet);
    uint32_t n_acked = flags & WEIR_TCP_ACK ? acknowledged(flow, packet, side) : 0;
    if ((flags & WEIR_TCP_ACK) && (packet->tcp.has_sack || !packet->tcp.window || flow->detail))
        sack_seen(flow, packet, side);
    if (packet->tcp.has_sack && flow->detail) anomaly_acknowledged(flow, packet, side);
    if (flow->state == STATE_CLOSED) return;
    if (!flow_is(flow, FLOW_WAITING)) rtt_packet(flow, packet, side, disturbed, n_acked);
    if (packet->payload_len) payload(flow, packet, side, fresh);
    if (flags & WEIR_TCP_FIN) fin_seen(flow, packet, side);
}
