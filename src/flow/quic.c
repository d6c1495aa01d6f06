/* QUIC seen from outside: the stages of its handshake by long headers.
 *
 *      client Initial -> server Initial/Handshake -> client Handshake -> 1-RTT both ways
 *          |---- server ----|          |----- client -----|                 (round trips)
 *
 * Only two things are decrypted. A server Initial that no Handshake packet accompanies may hold the
 * CONNECTION_CLOSE of a refusal. Its keys come from the destination id of the client's first
 * Initial; after a Retry or version negotiation, of the next. And where a client opened with
 * several ids before it was answered (a decoy against filters, an attempt given up), the one whose
 * keys open the server's first Initial is the connection: its name, its clock and its round trip
 * count. Where none can be opened (cut, or a version of its own), the client's id in that Initial's
 * header tells. A flow that began with something else (a packet of an older connection, noise,
 * 0-RTT that overtook its Initial) begins anew with a client's Initial. An answer is told from an
 * acknowledgement by its size alone: 80 bytes or more, and two datagrams below 700 bytes in the
 * first round trips of 1-RTT are taken for tickets and settings. Google's QUIC (Q0xx) has no long
 * headers: such a flow is taken as one whose handshake cannot be seen. Blind spots: loss, the end
 * of a connection, requests in 0-RTT.
 */
#include "flow/flow.h"

enum {
    PORT_QUIC = 443,
    INITIAL_MIN = 1200,
    SHORT_MIN = 21,
    PACKETS_MAX = 8,
    FLIGHT_GAP_MS = 100,
    TIMEOUT_MS = 3000,
    ANSWER_MIN = 80,
    ACK_MAX = 250,
    ACK_STEP = 24,
    DEBRIS_MAX = 700,
    DEBRIS_COUNT = 2,
    DEBRIS_SLACK_US = 50000,
};

/* Public flags with the version bit, an 8-byte connection id, then "Q0" and two digits. */
static bool is_google(const struct weir_packet *packet) {
    const uint8_t *at = packet->payload;
    return packet->dst_port == PORT_QUIC && packet->payload_captured >= 13 &&
           (at[0] & 0xc9) == 0x09 && at[9] == 'Q' && at[10] == '0';
}

enum quic_opening quic_opens(const struct weir_packet *packet) {
    struct weir_quic_header header;
    if (packet->payload_captured == 0 || packet->src_port == 53 || packet->dst_port == 53)
        return QUIC_NOT;
    bool port = packet->dst_port == PORT_QUIC || packet->src_port == PORT_QUIC;
    bool long_header = packet->payload[0] & 0x80;
    if (is_google(packet)) return QUIC_GOOGLE;
    if (!long_header)
        return port && packet->payload_len >= SHORT_MIN && (packet->payload[0] & 0x40)
                   ? QUIC_MIDSTREAM
                   : QUIC_NOT;
    if (weir_quic_header(packet->payload, packet->payload_captured, packet->payload_len, &header) !=
            WEIR_WIRE_OK ||
        !(packet->payload[0] & 0x40)) /* greased only once the peer is known */
        return QUIC_NOT;
    if (header.type == WEIR_QUIC_INITIAL && packet->payload_len >= INITIAL_MIN)
        return packet->src_port == PORT_QUIC && packet->dst_port != PORT_QUIC ? QUIC_MIDSTREAM
                                                                              : QUIC_OPENING;
    if (header.type == WEIR_QUIC_UNKNOWN_VERSION)
        return packet->dst_port == PORT_QUIC && packet->payload_len >= INITIAL_MIN ? QUIC_OPENING
                                                                                   : QUIC_NOT;
    return port ? QUIC_MIDSTREAM : QUIC_NOT;
}

/* What one datagram holds. */
struct datagram {
    uint32_t types;       /* bits of 1 << enum weir_quic_type */
    uint32_t short_bytes; /* of the 1-RTT packet, which is always the last */
    bool hidden;          /* packets behind the captured bytes */
    uint32_t initial_at;
    struct weir_quic_header initial;
};

static void walk_datagram(const struct weir_packet *packet, struct datagram *ret) {
    *ret = (struct datagram){0};
    uint32_t at = 0;
    for (unsigned n = 0; n < PACKETS_MAX && at < packet->payload_len; n++) {
        struct weir_quic_header header;
        if (at >= packet->payload_captured) {
            ret->hidden = true;
            return;
        }
        if (!(packet->payload[at] & 0x80)) {
            /* else padding behind the last packet; the fixed bit may be greased (RFC 9287) */
            if (at == 0 || packet->payload[at]) {
                ret->types |= 1u << WEIR_QUIC_SHORT;
                ret->short_bytes = packet->payload_len - at;
            }
            return;
        }
        if (weir_quic_header(packet->payload + at, packet->payload_captured - at,
                             packet->payload_len - at, &header) != WEIR_WIRE_OK)
            return;
        ret->types |= 1u << header.type;
        if (header.type == WEIR_QUIC_INITIAL && !ret->initial.packet_len) {
            ret->initial = header;
            ret->initial_at = at;
        }
        if (!header.packet_len) return;
        at += header.packet_len;
    }
}

/* A datagram of 1-RTT larger than all before it tries how large they may be (RFC 8899): no request.
 * `mss` has no other use in UDP. */
static bool probes_size(struct weir_flow *flow, const struct weir_packet *packet) {
    uint16_t largest = flow->mss[WEIR_CLIENT];
    if (packet->payload_len <= largest) return false;
    flow->mss[WEIR_CLIENT] = (uint16_t)packet->payload_len;
    return largest >= INITIAL_MIN;
}

/* Where datagrams are lost, acknowledgements list ranges and grow, by a few bytes each; a request
 * stands out from what the client said before. `tsval` has no other use in UDP: the size of the
 * client's last datagram. */
static bool acknowledges(struct weir_flow *flow, uint32_t bytes) {
    uint32_t before = flow->tsval[WEIR_CLIENT];
    flow->tsval[WEIR_CLIENT] = bytes;
    return bytes < ACK_MAX && bytes <= before + ACK_STEP;
}

/* It is as small as an acknowledgement, and there is nothing to acknowledge: while a request waits
 * the client speaks of its own accord, well after all that the server said must have reached it. It
 * closes the connection, or pings (demand.c tells them apart). */
static bool speaks_unasked(const struct weir_flow *flow, const struct weir_packet *packet) {
    enum { RTT_UNKNOWN_US = 100000, ACK_DELAYED_US = 50000 }; /* 25 ms, and timers */
    uint32_t rtt_us = flow->opening_rtt_us[WEIR_CLIENT];
    if (rtt_us == RTT_NONE) rtt_us = RTT_UNKNOWN_US;
    return request_waiting(flow) &&
           low_span(flow->payload_us[WEIR_SERVER], packet->ts_us) > rtt_us + ACK_DELAYED_US;
}

/* Behind the snap length may have been what a stage begins with: later sightings of it time
 * nothing. */
static void blind(struct weir_flow *flow, struct shake *shake, const struct datagram *datagram) {
    if (!datagram->hidden) return;
    flow->flags |= FLOW_CUT;
    shake->flags |= SHAKE_BLIND;
}

static bool has(const struct datagram *datagram, enum weir_quic_type type) {
    return datagram->types >> type & 1;
}

static uint32_t cid_hash(const struct weir_cid *cid) {
    uint32_t hash = 0x811c9dc5u ^ cid->length;
    for (unsigned i = 0; i < cid->length; i++) hash = (hash ^ cid->bytes[i]) * 0x01000193u;
    return hash;
}

static bool cid_same(const struct weir_cid *a, const struct weir_cid *b) {
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* The opening that an Initial belongs to; a new one where there is none. The newest is overwritten
 * when there is no room. */
static struct opening *opening_of(struct weir_flow *flow, struct shake *shake,
                                  const struct weir_packet *packet,
                                  const struct weir_quic_header *initial) {
    for (unsigned i = 0; i < shake->n_openings; i++)
        if (cid_same(&shake->openings[i].dcid, &initial->dcid)) return &shake->openings[i];
    if (shake->n_openings > QUIC_RIVALS)
        flow->table->stats.detail_refused++;
    else
        shake->n_openings++;
    struct opening *opening = &shake->openings[shake->n_openings - 1];
    *opening = (struct opening){
        .start_us = packet->ts_us, .scid = cid_hash(&initial->scid), .dcid = initial->dcid};
    return opening;
}

/* Which of several openings the server's first Initial answers: it comes to the front. */
static void choose_opening(struct shake *shake, const struct weir_packet *packet,
                           const struct datagram *datagram) {
    static _Thread_local struct weir_quic_initial scratch;
    const struct weir_quic_header *header = &datagram->initial;
    const uint8_t *bytes = packet->payload + datagram->initial_at;
    unsigned chosen = shake->n_openings, by_id = shake->n_openings;
    for (unsigned i = 0; i < shake->n_openings && chosen == shake->n_openings; i++) {
        if (by_id == shake->n_openings && shake->openings[i].scid == cid_hash(&header->dcid))
            by_id = i;
        if (weir_quic_open_initial(bytes, packet->payload_captured - datagram->initial_at, header,
                                   &shake->openings[i].dcid, true, &scratch) == WEIR_WIRE_OK)
            chosen = i;
    }
    if (chosen == shake->n_openings) chosen = by_id < shake->n_openings ? by_id : 0;
    shake->openings[0] = shake->openings[chosen];
    shake->n_openings = 1;
    shake->start_us = shake->openings[0].start_us;
}

static void client_initial(struct weir_flow *flow, struct shake *shake,
                           const struct weir_packet *packet, const struct datagram *datagram) {
    uint32_t ms = now_ms(packet->now_us);
    bool again = shake->flags & SHAKE_NEW_DCID;
    if (again) shake->n_openings = 0;
    if (!(shake->flags & (SHAKE_SERVER_INITIAL | SHAKE_SERVER_HANDSHAKE))) {
        struct opening *opening = opening_of(flow, shake, packet, &datagram->initial);
        if (opening->flights == 0 || ms - shake->initial_ms >= FLIGHT_GAP_MS)
            opening->flights += opening->flights < UINT8_MAX;
        shake->start_us = shake->openings[0].start_us;
    }
    if (shake->initials == 0 || again || ms - shake->initial_ms >= FLIGHT_GAP_MS) {
        if (shake->initials < UINT8_MAX) shake->initials++;
        shake->initial_ms = ms;
    }
    shake->flags &= ~(uint32_t)(SHAKE_NEW_DCID | SHAKE_RETRY | SHAKE_NEGOTIATION);
    if (flow_is(flow, FLOW_WAITING)) {
        uint32_t age = ms - flow->waiting.born_ms;
        timer_by(flow,
                 packet->now_us + (age < TIMEOUT_MS ? (int64_t)(TIMEOUT_MS - age) * 1000 : 0));
    }
}

static void handshake_timed(struct weir_flow *flow, struct shake *shake,
                            const struct weir_packet *packet) {
    shake->flags |= SHAKE_CLIENT_SHORT;
    shake->reject_us = (uint32_t)packet->ts_us;
    if (shake->flags & (SHAKE_TIMED | SHAKE_BLIND) || !shake->start_us) return;
    int64_t us = span_us(flow->table, shake->start_us, packet->ts_us);
    if (us == 0 && flow_is_timeless(flow, packet->ts_us)) return;
    shake->flags |= SHAKE_TIMED;
    shake->handshake_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_HANDSHAKE,
                                         .ts_us = packet->ts_us,
                                         .now_us = packet->now_us,
                                         .handshake = {us}});
}

static void client_datagram(struct weir_flow *flow, struct shake *shake,
                            const struct weir_packet *packet) {
    struct datagram datagram;
    walk_datagram(packet, &datagram);
    blind(flow, shake, &datagram);
    if (has(&datagram, WEIR_QUIC_INITIAL) ||
        (has(&datagram, WEIR_QUIC_UNKNOWN_VERSION) && !flow->packets[WEIR_SERVER]))
        client_initial(flow, shake, packet, &datagram);
    if (has(&datagram, WEIR_QUIC_HANDSHAKE) && !(shake->flags & SHAKE_CLIENT_HANDSHAKE)) {
        shake->flags |= SHAKE_CLIENT_HANDSHAKE;
        if ((shake->flags & SHAKE_SERVER_HANDSHAKE) && !(shake->flags & SHAKE_BLIND))
            flow_rtt_sample(flow, packet, WEIR_CLIENT,
                            span_us(flow->table, shake->server_us, packet->ts_us), true);
    }
    if (has(&datagram, WEIR_QUIC_SHORT) && !(shake->flags & SHAKE_CLIENT_SHORT))
        handshake_timed(flow, shake, packet);
    if ((shake->flags & (SHAKE_CLIENT_HANDSHAKE | SHAKE_CLIENT_SHORT)) &&
        !flow->packets[WEIR_SERVER])
        flow->flags |= FLOW_ACKS_UNSEEN;
    if (!probes_size(flow, packet) && datagram.short_bytes &&
        !acknowledges(flow, datagram.short_bytes))
        request_client(flow, packet, datagram.short_bytes);
}

static bool server_closes(const struct shake *shake, const struct weir_packet *packet,
                          const struct datagram *datagram) {
    static _Thread_local struct weir_quic_initial initial;
    const struct weir_quic_header *header = &datagram->initial;
    if (!header->packet_len || has(datagram, WEIR_QUIC_HANDSHAKE) ||
        shake->flags & SHAKE_SERVER_HANDSHAKE)
        return false;
    initial.closed = false;
    weir_quic_open_initial(packet->payload + datagram->initial_at,
                           packet->payload_captured - datagram->initial_at, header,
                           &shake->openings[0].dcid, true, &initial);
    return initial.closed;
}

static void server_wants_again(struct weir_flow *flow, struct shake *shake,
                               const struct weir_packet *packet, bool retry) {
    if (shake->flags & SHAKE_ANSWERED) return;
    shake->flags |= SHAKE_NEW_DCID | (retry ? SHAKE_RETRY : SHAKE_NEGOTIATION);
    shake->whole_ms = now_ms(packet->now_us);
    timer_by(flow, packet->now_us + TIMEOUT_MS * 1000);
    if (retry && ++shake->retries >= 2)
        flow_connect(flow, packet->ts_us, packet->now_us, WEIR_OUTCOME_QUIC_CLOSE);
}

static void server_stages(struct weir_flow *flow, struct shake *shake,
                          const struct weir_packet *packet, const struct datagram *datagram) {
    if (has(datagram, WEIR_QUIC_RETRY) || has(datagram, WEIR_QUIC_VERSION_NEGOTIATION)) {
        server_wants_again(flow, shake, packet, has(datagram, WEIR_QUIC_RETRY));
        return;
    }
    shake->flags |= SHAKE_ANSWERED;
    shake->flags &= ~(uint32_t)(SHAKE_RETRY | SHAKE_NEGOTIATION);
    if (has(datagram, WEIR_QUIC_INITIAL) && !(shake->flags & SHAKE_SERVER_INITIAL)) {
        shake->flags |= SHAKE_SERVER_INITIAL;
        if (shake->n_openings > 1) choose_opening(shake, packet, datagram);
        if (shake->openings[0].flights == 1 && shake->start_us)
            flow_rtt_sample(flow, packet, WEIR_SERVER,
                            span_us(flow->table, shake->start_us, packet->ts_us), true);
    }
    if (server_closes(shake, packet, datagram))
        flow_connect(flow, packet->ts_us, packet->now_us, WEIR_OUTCOME_QUIC_CLOSE);
    if (has(datagram, WEIR_QUIC_HANDSHAKE) && !(shake->flags & SHAKE_SERVER_HANDSHAKE)) {
        shake->flags |= SHAKE_SERVER_HANDSHAKE;
        shake->server_us = packet->ts_us;
    }
}

/* The server's tickets and settings, in the first round trips of 1-RTT, are no answer. */
static bool debris(const struct weir_flow *flow, struct shake *shake,
                   const struct weir_packet *packet) {
    uint32_t window =
        2 * (flow_opening_rtt_us(flow) < 10000000 ? flow_opening_rtt_us(flow) : 10000000) +
        DEBRIS_SLACK_US;
    if (packet->payload_len >= DEBRIS_MAX || shake->n_small >= DEBRIS_COUNT ||
        low_span(shake->reject_us, packet->ts_us) > window)
        return false;
    shake->n_small++;
    return true;
}

static void server_datagram(struct weir_flow *flow, struct shake *shake,
                            const struct weir_packet *packet) {
    struct datagram datagram;
    walk_datagram(packet, &datagram);
    blind(flow, shake, &datagram);
    server_stages(flow, shake, packet, &datagram);
    bool told = has(&datagram, WEIR_QUIC_SHORT) && (shake->flags & SHAKE_CLIENT_SHORT);
    bool untold = (datagram.hidden || packet->payload_captured == 0) &&
                  (shake->flags & SHAKE_CLIENT_HANDSHAKE);
    if (!told && !untold) return;
    flow_connect(flow, packet->ts_us, packet->now_us, WEIR_OUTCOME_USEFUL);
    if (packet->payload_len < ANSWER_MIN || debris(flow, shake, packet)) return;
    request_server(flow, packet, packet->payload_len);
    flow_shake_free(flow);
}

bool quic_begins_anew(const struct weir_flow *flow, const struct weir_packet *packet,
                      enum weir_side side) {
    bool open = flow->proto == PROTO_UDP || flow_is(flow, FLOW_MID);
    return open && side == WEIR_CLIENT && packet->payload_len >= INITIAL_MIN &&
           packet->payload_captured && (packet->payload[0] & 0xc0) == 0xc0 &&
           quic_opens(packet) == QUIC_OPENING;
}

/* From the Initial that opens a connection on, a flow is that connection. */
static void begin(struct weir_flow *flow, const struct weir_packet *packet) {
    flow->named.app = WEIR_APP_QUIC;
    flow->named.done = false;
    request_end(flow, packet->ts_us, packet->now_us);
    flow->serve = (struct serve){0};
    flow->flags &= ~(uint32_t)(FLOW_MID | FLOW_GQUIC | FLOW_ASKED);
    flow->opening_rtt_us[0] = flow->opening_rtt_us[1] = RTT_NONE;
    if (flow_is(flow, FLOW_WAITING)) flow->waiting.born_ms = now_ms(packet->now_us);
    if (!flow_shake(flow)) flow_shake_make(flow);
}

void quic_packet(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side) {
    if (flow->packets[0] + flow->packets[1] == 1) {
        enum quic_opening opening = quic_opens(packet);
        flow->named.app = WEIR_APP_QUIC;
        if (side == WEIR_CLIENT && opening == QUIC_OPENING)
            flow_shake_make(flow);
        else
            flow->flags |= FLOW_MID | (opening == QUIC_GOOGLE ? (uint32_t)FLOW_GQUIC : 0);
    } else if (quic_begins_anew(flow, packet, side)) {
        begin(flow, packet);
    }
    if (side == WEIR_SERVER)
        quic_heard(flow, packet);
    else
        quic_said(flow, packet);
    if (quic_is_dead(flow)) return; /* what the client asks now, it asks in vain */
    struct shake *shake = flow_shake(flow);
    if (shake) {
        if (side == WEIR_CLIENT)
            client_datagram(flow, shake, packet);
        else
            server_datagram(flow, shake, packet);
        return;
    }
    if (packet->payload_captured &&
        (packet->payload[0] & 0x80 || (flow_is(flow, FLOW_GQUIC) && packet->payload[0] & 1)))
        return; /* of a handshake */
    if (side == WEIR_CLIENT) {
        if (!probes_size(flow, packet) &&
            (!acknowledges(flow, packet->payload_len) || speaks_unasked(flow, packet)))
            request_client(flow, packet, packet->payload_len);
    } else if (packet->payload_len >= ANSWER_MIN) {
        request_server(flow, packet, packet->payload_len);
    }
}

int64_t quic_timer(struct weir_flow *flow, int64_t now_us) {
    const struct shake *shake = flow->proto == PROTO_QUIC ? flow_shake(flow) : NULL;
    if (!shake || flow_is(flow, FLOW_DECIDED | FLOW_USEFUL)) return INT64_MAX;
    bool again = shake->flags & (SHAKE_RETRY | SHAKE_NEGOTIATION);
    bool unanswered = flow_is(flow, FLOW_WAITING) && !flow->packets[WEIR_SERVER] &&
                      shake->initials >= 2 && !flow_is(flow, FLOW_ICMP);
    if (!again && !unanswered) return INT64_MAX;
    uint32_t age = now_ms(now_us) - (again ? shake->whole_ms : flow->waiting.born_ms);
    if (age < TIMEOUT_MS) return now_us + (int64_t)(TIMEOUT_MS - age) * 1000;
    flow_connect(flow, now_us, now_us,
                 again && shake->flags & SHAKE_NEGOTIATION ? WEIR_OUTCOME_QUIC_CLOSE
                                                           : WEIR_OUTCOME_QUIC_TIMEOUT);
    return INT64_MAX;
}
