/* Two ends that hand each other a stream: TCP, and by the same machine QUIC, drawn as datagrams.
 *
 * Slow start, additive increase, halving; SACK with three blocks, recovery by holes, time-outs that
 * double; delayed acknowledgements. A stream is a list of messages; what the receiving end does
 * with one is in server.c. QUIC's packets show nothing of the stream; its losses are mended by new
 * datagrams, its acknowledgements come rarer. */
#include <string.h>

#include "world.h"

enum {
    MSS = 1448,
    MSS_SIX = 1428,
    DATAGRAM = 1200,
    MERGED_MAX = 16,
    ACK_EVERY = 2,
    QUIC_ACK_EVERY = 6,
    BACKOFF_MAX = 7
};

static unsigned segment_of(const struct conn *conn) {
    return conn->quic                      ? DATAGRAM
           : conn->flow.ip[0].six          ? MSS_SIX
           : conn->flow.client->timestamps ? MSS
                                           : MSS + 12;
}

static uint32_t clock_of(const struct world *world, const struct conn *conn, int side) {
    return (uint32_t)(world->now_us / 1000) +
           (side == CLIENT ? conn->flow.client->clock : conn->salt ^ 0x3c5a77u);
}

static struct packet *tcp_packet(struct world *world, struct conn *conn, int from, unsigned flags) {
    struct packet *packet = packet_new(world, &conn->flow, conn, from);
    struct end *end = &conn->end[from], *peer = &conn->end[!from];
    packet->kind = P_TCP;
    packet->flags = (uint8_t)flags;
    packet->seq = end->isn + (flags & SYN ? 0 : 1 + (uint32_t)end->nxt);
    packet->ack = flags & ACK ? peer->isn + 1 + (uint32_t)end->received : 0;
    packet->tsval = clock_of(world, conn, from);
    packet->tsecr = end->clock_seen;
    return packet;
}

/* ---- streams ---- */

void end_queue(struct world *world, struct conn *conn, int side, enum message_tag tag,
               const uint8_t *bytes, size_t length, struct request *request) {
    struct end *end = &conn->end[side];
    struct message *message = world_new(sizeof *message);
    *message = (struct message){.start = end->total,
                                .end = end->total + length,
                                .tag = tag,
                                .request = request,
                                .bytes = bytes,
                                .record = 16406};
    end->total += length;
    if (end->last) end->last->next = message;
    end->last = message;
    if (!end->sending) end->sending = message;
    if (!end->oldest) end->oldest = message;
    if (!end->undelivered) end->undelivered = message;
    if (tag == M_FIN) end->fin = true;
}

size_t stream_bytes(const struct conn *conn, int side, uint64_t offset, size_t length,
                    uint8_t *out) {
    const struct message *message = conn->end[side].oldest;
    uint64_t state = (conn->salt ^ offset) * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < length; i++, offset++) {
        while (message && offset >= message->end) message = message->next;
        state = state * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(state >> 56);
        if (!message || offset < message->start) continue;
        uint64_t at = offset - message->start, size = message->end - message->start;
        if (message->bytes) {
            out[i] = message->bytes[at];
            continue;
        }
        uint64_t in_record = at % message->record, begun = at - in_record;
        uint64_t body = (size - begun < message->record ? size - begun : message->record) - 5;
        if (in_record < 5)
            out[i] = (uint8_t[]){0x17, 3, 3, (uint8_t)(body >> 8), (uint8_t)body}[in_record];
    }
    return length;
}

/* ---- sending ---- */

static void arm(struct world *world, struct conn *conn, int side);

/* Holes in order; overlapping ones are joined. */
static void add_hole(struct hole *holes, unsigned *n, uint64_t from, uint64_t to) {
    unsigned at = 0;
    while (at < *n && holes[at].to < from) at++;
    unsigned last = at;
    while (last < *n && holes[last].from <= to) {
        from = holes[last].from < from ? holes[last].from : from;
        to = holes[last].to > to ? holes[last].to : to;
        last++;
    }
    if (last == at) {
        if (*n == HOLES) return;
        memmove(&holes[at + 1], &holes[at], (*n - at) * sizeof *holes);
        ++*n;
    } else {
        memmove(&holes[at + 1], &holes[last], (*n - last) * sizeof *holes);
        *n -= last - at - 1;
    }
    holes[at] = (struct hole){from, to};
}

static void drop_holes(struct hole *holes, unsigned *n, uint64_t until) {
    unsigned gone = 0;
    while (gone < *n && holes[gone].to <= until) gone++;
    memmove(holes, holes + gone, (*n - gone) * sizeof *holes);
    *n -= gone;
    if (*n && holes[0].from < until) holes[0].from = until;
}

static uint64_t sum_holes(const struct hole *holes, unsigned n) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++) sum += holes[i].to - holes[i].from;
    return sum;
}

/* Fewer early bytes are told than there are: the newest three ranges, as a receiver does. */
static void put_sacks(struct packet *packet, const struct end *end) {
    for (unsigned i = end->n_early; i-- > 0 && packet->n_sacks < SACKS;)
        packet->sacks[packet->n_sacks++] = end->early[i];
}

static void send_unit(struct world *world, struct conn *conn, int side, uint64_t from,
                      uint64_t to) {
    struct end *end = &conn->end[side];
    const struct message *message = end->oldest;
    while (message && message->end <= from) message = message->next;
    bool fin = end->fin && to == end->total, last = message && message->end == to;
    struct packet *packet = tcp_packet(world, conn, side, ACK | (last ? PSH : 0) | (fin ? FIN : 0));
    packet->seq = end->isn + 1 + (uint32_t)from;
    packet->offset = from;
    packet->length = (uint32_t)(to - from - fin);
    packet->stream = (uint32_t)(to - from);
    packet->ack_offset = end->received;
    put_sacks(packet, end);
    if (conn->quic) {
        packet->kind = P_QUIC_DATA;
        packet->length = packet->stream + 27 + (end->n_unacked ? 6 : 0);
    }
    end->n_unacked = 0;
    end->delayed = false;
    end->ack_timer++;
    if (!end->timed_end && from == end->nxt) {
        end->timed_end = to;
        end->timed_at_us = world->now_us;
    }
    path_send(world, packet);
}

static uint64_t unit_end(const struct world *world, const struct conn *conn, int side,
                         uint64_t from, bool again) {
    const struct end *end = &conn->end[side];
    const struct message *message = again ? end->oldest : end->sending;
    while (message && message->end <= from) message = message->next;
    if (!message) return from;
    unsigned size = segment_of(conn);
    if (world->merged && !conn->quic && side == SERVER && !again && end->cwnd >= 4 * size &&
        conn->flow.client->loss == 0)
        size *= (unsigned)(end->cwnd / 2 / size) < MERGED_MAX ? (unsigned)(end->cwnd / 2 / size)
                                                              : MERGED_MAX;
    uint64_t to = from + size < message->end ? from + size : message->end;
    if (message->next && message->next->tag == M_FIN && to == message->end) to = message->next->end;
    return to;
}

static void pump_later(struct world *world, void *object, uint64_t side) {
    end_pump(world, object, (int)side);
}

static double pace_of(struct world *world, struct conn *conn) {
    struct fault *fault = fault_of(world, conn, SLOW);
    return fault ? fault->strength : 0;
}

/* Sends again what lies between una and the highest byte that arrived; all of it after a time-out.
 */
static void mend(struct world *world, struct conn *conn, int side, double *room) {
    struct end *end = &conn->end[side];
    uint64_t top = end->backoff    ? end->recover
                   : end->n_sacked ? end->sacked[end->n_sacked - 1].from
                                   : end->una;
    uint64_t at = end->again > end->una ? end->again : end->una;
    for (unsigned i = 0; at<top && * room> 0;) {
        while (i < end->n_sacked && end->sacked[i].to <= at) i++;
        if (i < end->n_sacked && end->sacked[i].from <= at) {
            at = end->sacked[i].to;
            continue;
        }
        uint64_t to = unit_end(world, conn, side, at, true);
        if (i < end->n_sacked && to > end->sacked[i].from) to = end->sacked[i].from;
        if (to <= at) break;
        end->timed_end = 0;
        send_unit(world, conn, side, at, to);
        *room -= (double)(to - at);
        at = to;
    }
    end->again = at;
}

void end_pump(struct world *world, struct conn *conn, int side) {
    struct end *end = &conn->end[side];
    if (conn->state != C_OPEN && conn->state != C_SHAKE) return;
    if (side == SERVER ? conn->server_closed || !conn->server_open
                       : conn->client_closed && !end->fin)
        return;
    double flight = (double)(end->nxt - end->una - sum_holes(end->sacked, end->n_sacked));
    if (end->recovering)
        flight -= (double)(end->recover > end->again ? (end->recover - end->again) / 2 : 0);
    double room = end->cwnd - (flight > 0 ? flight : 0);
    double pace = side == SERVER && world->n_faults ? pace_of(world, conn) : 0;
    if (end->recovering) mend(world, conn, side, &room);
    while (end->nxt < end->total && room > 0) {
        if (pace > 0 && end->total - end->nxt > 2000 && world->now_us < end->pace_us) {
            world_at(world, end->pace_us, pump_later, conn, (uint64_t)side);
            break;
        }
        uint64_t to = unit_end(world, conn, side, end->nxt, false), size = to - end->nxt;
        if (!size) break;
        if (pace > 0)
            end->pace_us = (end->pace_us > world->now_us ? end->pace_us : world->now_us) +
                           (int64_t)((double)size * 8e6 / pace);
        send_unit(world, conn, side, end->nxt, to);
        end->nxt = to;
        while (end->sending && end->sending->end <= end->nxt) end->sending = end->sending->next;
        room -= (double)size;
    }
    arm(world, conn, side);
}

/* ---- time-outs ---- */

static int64_t timeout_us(const struct conn *conn, const struct end *end) {
    int64_t base = end->srtt_us ? end->srtt_us * 3 / 2 + (conn->quic ? 60 : 200) * MS
                                : (conn->quic ? 600 : 1000) * MS;
    return base << (end->backoff < 6 ? end->backoff : 6);
}

static void timed_out(struct world *world, void *object, uint64_t word) {
    struct conn *conn = object;
    int side = (int)(word & 1);
    struct end *end = &conn->end[side];
    if (end->timer != (uint32_t)(word >> 1) || conn->state == C_CLOSED) return;
    end->armed = false;
    if (end->una >= end->nxt ||
        (side == SERVER ? conn->server_closed : conn->client_closed && !end->fin))
        return;
    if (++end->backoff > BACKOFF_MAX) {
        if (side == SERVER) conn->server_closed = true;
        return;
    }
    double segment = segment_of(conn);
    end->ssthresh = end->cwnd / 2 > 2 * segment ? end->cwnd / 2 : 2 * segment;
    end->cwnd = segment;
    end->recovering = true;
    end->recover = end->nxt;
    end->again = end->una;
    end->timed_end = 0;
    double room = conn->quic ? 2 * segment : 1;
    mend(world, conn, side, &room);
    arm(world, conn, side);
}

static void arm(struct world *world, struct conn *conn, int side) {
    struct end *end = &conn->end[side];
    if (end->armed || end->una >= end->nxt) return;
    end->armed = true;
    world_at(world, world->now_us + timeout_us(conn, end), timed_out, conn,
             (uint64_t)++end->timer << 1 | (unsigned)side);
}

static void send_ack(struct world *world, struct conn *conn, int side) {
    struct end *end = &conn->end[side];
    struct packet *packet = tcp_packet(world, conn, side, ACK);
    packet->ack_offset = end->received;
    put_sacks(packet, end);
    if (conn->quic) {
        packet->kind = P_QUIC_DATA;
        packet->length = 33 + (packet->n_sacks ? 3 * packet->n_sacks : 0) + (end->nxt & 1);
    }
    end->n_unacked = 0;
    end->delayed = false;
    end->ack_timer++;
    path_send(world, packet);
}

static void delayed_ack(struct world *world, void *object, uint64_t word) {
    struct conn *conn = object;
    int side = (int)(word & 1);
    if (conn->end[side].ack_timer == (uint32_t)(word >> 1) && conn->state != C_CLOSED &&
        conn->end[side].delayed)
        send_ack(world, conn, side);
}

/* ---- receiving ---- */

static void acked(struct world *world, struct conn *conn, int side, const struct packet *packet) {
    struct end *end = &conn->end[side];
    double segment = segment_of(conn);
    for (unsigned i = 0; i < packet->n_sacks; i++)
        if (packet->sacks[i].to > end->una)
            add_hole(end->sacked, &end->n_sacked, packet->sacks[i].from, packet->sacks[i].to);
    if (packet->ack_offset > end->una) {
        uint64_t newly = packet->ack_offset - end->una;
        end->una = packet->ack_offset;
        end->backoff = end->recovering && end->una < end->recover ? (end->backoff ? 1 : 0) : 0;
        if (end->timed_end && end->una >= end->timed_end) {
            int64_t sample_us = world->now_us - end->timed_at_us;
            end->srtt_us = end->srtt_us ? (7 * end->srtt_us + sample_us) / 8 : sample_us;
            end->timed_end = 0;
        }
        if (end->cwnd < end->ssthresh)
            end->cwnd += (double)newly;
        else
            end->cwnd += segment * (double)newly / end->cwnd;
        if (end->cwnd > 250000) end->cwnd = 250000;
        if (end->recovering && end->una >= end->recover) end->recovering = false;
        while (end->oldest && end->oldest->end <= end->una && end->oldest != end->undelivered)
            end->oldest = end->oldest->next;
        end->armed = false;
        end->timer++;
    }
    drop_holes(end->sacked, &end->n_sacked, end->una);
    bool lost =
        end->n_sacked && end->sacked[end->n_sacked - 1].to - end->una > 3 * (uint64_t)segment;
    if (lost && !end->recovering) {
        end->recovering = true;
        end->recover = end->nxt;
        end->again = end->una;
        end->cwnd = end->ssthresh = end->cwnd / 2 > 2 * segment ? end->cwnd / 2 : 2 * segment;
    }
    end_pump(world, conn, side);
}

static void deliver(struct world *world, struct conn *conn, int receiver) {
    struct end *end = &conn->end[receiver], *peer = &conn->end[!receiver];
    while (peer->undelivered && peer->undelivered->end <= end->received &&
           conn->state != C_CLOSED) {
        struct message *message = peer->undelivered;
        peer->undelivered = message->next;
        conn_deliver(world, conn, receiver, message);
    }
}

static void take_data(struct world *world, struct conn *conn, int receiver,
                      const struct packet *packet, uint64_t to) {
    struct end *end = &conn->end[receiver];
    uint64_t before = end->received;
    bool early = packet->offset > end->received;
    if (to > end->received) add_hole(end->early, &end->n_early, packet->offset, to);
    if (end->n_early && end->early[0].from <= end->received) {
        end->received = end->early[0].to > end->received ? end->early[0].to : end->received;
        drop_holes(end->early, &end->n_early, end->received);
    }
    bool old = to <= before;
    unsigned size = segment_of(conn);
    end->n_unacked += 1 + (unsigned)((to - packet->offset) / (size + 1));
    if (receiver == CLIENT) {
        conn->heard_us = world->now_us;
        conn->since_window_update += end->received - before;
    }
    if (early || old || packet->flags & FIN ||
        end->n_unacked >= (conn->quic ? QUIC_ACK_EVERY : ACK_EVERY) || end->n_early) {
        send_ack(world, conn, receiver);
    } else if (!end->delayed) {
        end->delayed = true;
        world_at(world, world->now_us + (conn->quic ? 25 : 40) * MS, delayed_ack, conn,
                 (uint64_t)++end->ack_timer << 1 | (unsigned)receiver);
    }
    deliver(world, conn, receiver);
    if (receiver == CLIENT && conn->since_window_update > 700000 && conn->channel &&
        conn->channel->transport != H1 && conn->state == C_OPEN && !conn->client_closed) {
        conn->since_window_update = 0;
        end_queue(world, conn, CLIENT, M_CONTROL, NULL, conn->quic ? 12 : 35, NULL);
        end_pump(world, conn, CLIENT);
    }
}

/* ---- TCP's own ---- */

static void send_syn(struct world *world, void *object, uint64_t timer) {
    struct conn *conn = object;
    if (conn->state != C_SYN || conn->timer != timer || conn->client_closed) return;
    if (conn->tries++ > 5) return;
    path_send(world, tcp_packet(world, conn, CLIENT, SYN));
    int64_t wait_us = SECOND << (conn->tries - 1);
    world_at(world, world->now_us + wait_us, send_syn, conn, ++conn->timer);
}

static void client_is_through(struct world *world, struct conn *conn) {
    conn->state = C_SHAKE;
    conn->timer++;
    send_ack(world, conn, CLIENT);
    if (conn->channel) channel_ready(world, conn->channel, conn);
}

static void client_answers_reset(struct world *world, struct conn *conn,
                                 const struct packet *packet) {
    if (packet->flags & RST || conn->quic || conn->n_rsts++ > 5 ||
        !(packet->length || packet->flags & FIN))
        return;
    struct packet *reset = tcp_packet(world, conn, CLIENT, RST);
    reset->seq = packet->ack;
    reset->ack = 0;
    path_send(world, reset);
}

void server_reset(struct world *world, struct conn *conn) {
    conn->server_closed = true;
    if (!conn->quic) path_send(world, tcp_packet(world, conn, SERVER, RST | ACK));
}

static void syn_arrives(struct world *world, struct conn *conn, const struct packet *packet) {
    if (conn->client_closed && conn->state == C_CLOSED) return;
    conn->server_open = true;
    conn->end[SERVER].clock_seen = packet->tsval;
    path_send(world, tcp_packet(world, conn, SERVER, SYN | ACK));
}

static void tcp_arrive(struct world *world, struct packet *packet) {
    struct conn *conn = packet->conn;
    int side = packet->from == CLIENT ? SERVER : CLIENT;
    if (packet->flags & RST) {
        if (side == SERVER) {
            conn->server_closed = true;
        } else if (conn->state != C_CLOSED && !conn->client_closed) {
            conn->state = C_CLOSED;
            conn->client_closed = true;
            if (conn->channel) channel_lost(world, conn->channel, conn, false);
        }
        return;
    }
    if (packet->flags & SYN) {
        if (side == SERVER) {
            syn_arrives(world, conn, packet);
        } else if (conn->state == C_SYN && !conn->client_closed) {
            conn->end[CLIENT].clock_seen = packet->tsval;
            client_is_through(world, conn);
        } else if (conn->client_closed) {
            client_answers_reset(world, conn, &(struct packet){.flags = FIN, .ack = packet->ack});
        }
        return;
    }
    if (side == CLIENT && conn->client_closed && !conn->end[CLIENT].fin) {
        client_answers_reset(world, conn, packet);
        return;
    }
    if (side == SERVER && conn->server_closed) return;
    conn->end[side].clock_seen = packet->tsval;
    acked(world, conn, side, packet);
    if (packet->stream) take_data(world, conn, side, packet, packet->offset + packet->stream);
}

static void quic_arrive(struct world *world, struct packet *packet) {
    struct conn *conn = packet->conn;
    int side = packet->from == CLIENT ? SERVER : CLIENT;
    if (side == CLIENT ? conn->client_closed : conn->server_closed) return;
    acked(world, conn, side, packet);
    if (packet->stream) take_data(world, conn, side, packet, packet->offset + packet->stream);
}

static void icmp_arrive(struct world *world, struct conn *conn) {
    if (conn->state != C_SYN || conn->client_closed) return;
    conn->state = C_CLOSED;
    conn->client_closed = true;
    if (conn->channel) channel_lost(world, conn->channel, conn, false);
}

void conn_arrive(struct world *world, struct packet *packet) {
    if (packet->kind == P_TCP)
        tcp_arrive(world, packet);
    else if (packet->kind == P_QUIC_DATA)
        quic_arrive(world, packet);
    else if (packet->kind == P_RAW)
        quic_raw(world, packet);
    else
        icmp_arrive(world, packet->conn);
}

struct conn *conn_open(struct world *world, struct channel *channel, bool six, bool quic) {
    struct conn *conn = world_new(sizeof *conn);
    flow_init(world, &conn->flow, channel->client, channel->host, six, quic, 443);
    conn->channel = channel;
    conn->quic = quic;
    conn->state = C_SYN;
    conn->begun_us = conn->heard_us = world->now_us;
    conn->salt = chance(world, UINT32_MAX) | 1;
    for (int side = 0; side < 2; side++) {
        conn->end[side].isn = chance(world, UINT32_MAX);
        conn->end[side].cwnd = 10.0 * segment_of(conn);
        conn->end[side].ssthresh = 1e9;
    }
    conn->keep_alive_us = channel->keep_alive_us;
    conn->max_requests = channel->max_requests;
    conn->silent = likely(world, world->chance_bad);
    if (quic)
        quic_client_first(world, conn);
    else
        send_syn(world, conn, conn->timer);
    return conn;
}

void conn_close(struct world *world, struct conn *conn, bool reset) {
    if (conn->state == C_CLOSED || conn->client_closed) return;
    conn->channel = NULL;
    if (conn->state == C_SYN) {
        conn->client_closed = true;
        return;
    }
    if (conn->quic) { /* CONNECTION_CLOSE: one small datagram */
        struct packet *packet = packet_new(world, &conn->flow, conn, CLIENT);
        packet->kind = P_QUIC_DATA;
        packet->length = 40;
        path_send(world, packet);
        conn->client_closed = conn->server_closed = true;
        conn->state = C_CLOSED;
        return;
    }
    if (reset) {
        path_send(world, tcp_packet(world, conn, CLIENT, RST | ACK));
        conn->client_closed = true;
        return;
    }
    conn->client_closed = true;
    end_queue(world, conn, CLIENT, M_FIN, NULL, 1, NULL);
    end_pump(world, conn, CLIENT);
}
