/* TLS seen from outside: the record headers of both directions, walked by sequence numbers.
 *
 *      client   hello(22) ............ ccs(20)  Finished  request ...
 *      server              hello(22) ... [flight]          tickets  answer ...
 *
 * A record's length leads to the next header, so that only headers are read and nothing is put
 * together; a header split between two segments is held. Where one lies in a hole or behind the
 * snap length the walk is lost until a segment begins with a header again, and sizes must do
 * instead.
 *
 * In TLS 1.3 all that follows the hellos is of type 23. What is what: a client that answers the
 * server's hello with a record of type 23 and no other handshake record speaks 1.3, and that record
 * is its Finished (or, of 24 bytes or fewer, an alert: it refused the certificate). Application
 * data is what comes after. The server's type 23 before that is its flight; after it, session
 * tickets come first and must not pass for an answer, or a server that hangs would seem to answer:
 * the first record of up to 700 bytes, others of the same length, and up to three of 80 bytes or
 * fewer (HTTP/2 settings). The client may ask between two tickets: one more of exactly that length
 * is a ticket within two round trips and 50 ms of the Finished. Blind spots: a tiny first answer of
 * a server that sends no tickets is taken for one, and a client certificate for application data.
 */
#include "flow/flow.h"

enum {
    PORT_TLS = 443,
    RECORDS_MAX = 64,
    ALERT_LEN_MAX = 24,
    TICKET_LEN_MAX = 700,
    TICKET_LEN_SLACK = 16,
    SMALL_LEN_MAX = 80,
    SMALL_MAX = 3,
    LATE_TICKET_US = 50000,
    LOST_DATA_MIN = 200,
    FINISHED_BYTES_MAX = 90,
    IDLE_US = 1000000,
    GIVEN_UP_MS = 3000,
    REJECT_MIN_US = 10000,
    REJECT_UNKNOWN_US = 200000,
};

bool tls_begins(const struct weir_flow *flow, const struct weir_packet *packet) {
    const uint8_t *at = packet->payload;
    uint32_t n = packet->payload_captured;
    if (n == 0) return flow->port[WEIR_SERVER] == PORT_TLS && !flow_is(flow, FLOW_MID);
    if (at[0] == WEIR_TLS_HANDSHAKE && (n < 2 || at[1] == 3)) return n < 6 || at[5] == 1;
    /* The hello's first segment may have been missed. */
    return !flow_is(flow, FLOW_MID) && flow->port[WEIR_SERVER] == PORT_TLS &&
           packet->tcp.seq + packet->payload_len != flow->nxt[WEIR_CLIENT];
}

struct view {
    struct weir_flow *flow;
    struct shake *shake;
    const struct weir_packet *packet;
    bool application; /* a record of the application begins in this segment */
    /* a record's header was read in this segment: it says by itself what it holds */
    bool read;
};

static void useful(struct view *view) {
    flow_connect(view->flow, view->packet->ts_us, view->packet->now_us, WEIR_OUTCOME_USEFUL);
}

static void hello_seen(struct view *view, uint32_t end) {
    view->shake->flags |= SHAKE_CLIENT_HELLO;
    view->shake->start_us = view->packet->ts_us;
    view->shake->hello_end = end;
}

static void refused(struct view *view) {
    view->shake->flags |= SHAKE_REJECT;
    view->shake->reject_us = (uint32_t)view->packet->ts_us;
}

/* The client's part is over; `reject_us` is of no more use for an alert. */
static void finished(struct view *view) {
    if (!(view->shake->flags & SHAKE_FINISHED))
        view->shake->reject_us = (uint32_t)view->packet->ts_us;
    view->shake->flags |= SHAKE_FINISHED;
}

static void client_data_record(struct view *view, const struct weir_tls_record *record) {
    struct shake *shake = view->shake;
    if (!(shake->flags & SHAKE_SERVER_HELLO)) {
        shake->flags |= SHAKE_CLIENT_DATA; /* early data */
    } else if ((shake->flags & (SHAKE_CLIENT_22 | SHAKE_FINISHED)) == 0) {
        if (record->length <= ALERT_LEN_MAX && !(shake->flags & SHAKE_CLIENT_DATA))
            refused(view);
        else
            finished(view);
    } else {
        finished(view);
        shake->flags |= SHAKE_CLIENT_DATA;
    }
}

static void client_record(struct view *view, const struct weir_tls_record *record, uint32_t end) {
    struct shake *shake = view->shake;
    shake->flags &= ~(uint32_t)SHAKE_REJECT;
    switch (record->type) {
    case WEIR_TLS_HANDSHAKE:
        if (!(shake->flags & SHAKE_CLIENT_HELLO))
            hello_seen(view, end);
        else if ((shake->flags & SHAKE_SERVER_HELLO) && record->handshake_type != 1)
            shake->flags |= SHAKE_CLIENT_22;
        if (shake->flags & SHAKE_CLIENT_22 && shake->flags & SHAKE_CLIENT_CCS) finished(view);
        break;
    case WEIR_TLS_CCS: shake->flags |= SHAKE_CLIENT_CCS; break;
    case WEIR_TLS_ALERT:
        if ((shake->flags & SHAKE_SERVER_HELLO) && !(shake->flags & SHAKE_FINISHED) &&
            record->alert_level != 1)
            refused(view);
        break;
    case WEIR_TLS_DATA: client_data_record(view, record); break;
    }
}

static void handshake_timed(struct view *view) {
    struct shake *shake = view->shake;
    if (shake->flags & (SHAKE_TIMED | SHAKE_BLIND) || !(shake->flags & SHAKE_CLIENT_HELLO))
        return; /* or the first data may have been behind the snap length */
    int64_t us = span_us(view->flow->table, shake->start_us, view->packet->ts_us);
    if (us == 0 && flow_is_timeless(view->flow, view->packet->ts_us)) return;
    shake->flags |= SHAKE_TIMED;
    shake->handshake_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    flow_emit(view->flow, &(struct weir_event){.kind = WEIR_EVENT_HANDSHAKE,
                                               .ts_us = view->packet->ts_us,
                                               .now_us = view->packet->now_us,
                                               .handshake = {us}});
}

static bool late_ticket(const struct view *view, uint16_t length) {
    struct shake *shake = view->shake;
    uint32_t rtt_us = flow_opening_rtt_us(view->flow),
             bound_us = rtt_us < 10000000 ? 2 * rtt_us + LATE_TICKET_US : rtt_us;
    if (shake->n_tickets != 1 || length != shake->ticket_len ||
        low_span(shake->reject_us, view->packet->ts_us) > bound_us)
        return false;
    shake->n_tickets++;
    return true;
}

/* Tickets and settings: what a server says of its own accord once the handshake is over. */
static bool debris(const struct view *view, uint16_t length) {
    struct shake *shake = view->shake;
    if (shake->flags & SHAKE_SETTLED) return late_ticket(view, length);
    if (length <= SMALL_LEN_MAX && shake->n_small < SMALL_MAX) {
        shake->n_small++;
        return true;
    }
    if (shake->flags & SHAKE_CLIENT_22) return false; /* tickets of TLS 1.2 are handshake records */
    if (shake->n_tickets == 0 && length <= TICKET_LEN_MAX) {
        shake->n_tickets = 1;
        shake->ticket_len = length;
        return true;
    }
    int difference = (int)length - shake->ticket_len;
    if (!shake->n_tickets || difference > TICKET_LEN_SLACK || difference < -TICKET_LEN_SLACK)
        return false;
    shake->n_tickets = 2;
    return true;
}

static void server_record(struct view *view, const struct weir_tls_record *record) {
    struct shake *shake = view->shake;
    switch (record->type) {
    case WEIR_TLS_HANDSHAKE: shake->flags |= SHAKE_SERVER_HELLO; break;
    case WEIR_TLS_CCS: shake->flags |= SHAKE_SERVER_CCS; break;
    case WEIR_TLS_ALERT:
        if (!(shake->flags & SHAKE_SERVER_HELLO) && record->alert_level == 2)
            flow_connect(view->flow, view->packet->ts_us, view->packet->now_us,
                         WEIR_OUTCOME_TLS_ALERT);
        break;
    case WEIR_TLS_DATA:
        handshake_timed(view);
        if (!(shake->flags & SHAKE_FINISHED)) break;
        if (shake->flags & SHAKE_CLIENT_DATA) useful(view);
        if (!debris(view, record->length) && (shake->flags & SHAKE_CLIENT_DATA))
            view->application = true;
        break;
    }
}

/* ---- the walk ---- */

static void lose(struct view *view, struct walk *walk, bool cut) {
    walk->state = WALK_LOST;
    walk->n_held = 0;
    if (!cut) return;
    view->flow->flags |= FLOW_CUT;
    if (walk == &view->shake->walk[WEIR_SERVER]) view->shake->flags |= SHAKE_BLIND;
}

/* A segment that begins like a record puts a lost walk back on its way. */
static void find_again(struct walk *walk, const struct weir_packet *packet) {
    struct weir_tls_record record;
    if (weir_tls_record(packet->payload, packet->payload_captured, &record) != WEIR_WIRE_OK) return;
    walk->state = WALK_ON;
    walk->n_held = 0;
    walk->next = packet->tcp.seq;
}

/* Reads on in the header at walk->next; false when this segment has no more of it. */
static bool hold(struct view *view, struct walk *walk) {
    const struct weir_packet *packet = view->packet;
    while (walk->n_held < sizeof walk->held) {
        uint32_t offset = walk->next + walk->n_held - packet->tcp.seq;
        if (walk->n_held >= WEIR_TLS_RECORD_HEADER) {
            unsigned length = (unsigned)walk->held[3] << 8 | walk->held[4];
            bool whole = walk->n_held == WEIR_TLS_RECORD_HEADER + length;
            if (whole || (offset < packet->payload_len && offset >= packet->payload_captured))
                return true; /* a record of no more bytes, or more of it was not captured */
        }
        if (offset >= packet->payload_len) return false;
        if (offset >= packet->payload_captured) {
            lose(view, walk, true);
            return false;
        }
        walk->held[walk->n_held++] = packet->payload[offset];
    }
    return true;
}

static void walk_segment(struct view *view, struct walk *walk, enum weir_side side) {
    const struct weir_packet *packet = view->packet;
    if (walk->state == WALK_NONE) {
        bool behind_hole = (int32_t)(packet->tcp.seq - view->flow->table->expected_seq) > 0;
        walk->state = behind_hole && !flow_is(view->flow, FLOW_MID) ? WALK_LOST : WALK_ON;
        walk->next = packet->tcp.seq;
    }
    if (walk->state == WALK_LOST) find_again(walk, packet);
    for (unsigned n = 0; walk->state == WALK_ON; n++) {
        int32_t offset = (int32_t)(walk->next + walk->n_held - packet->tcp.seq);
        if (offset >= (int32_t)packet->payload_len) return;
        if (offset < 0 || n == RECORDS_MAX) {
            if (offset < 0 && side == WEIR_CLIENT) view->shake->flags |= SHAKE_SKIPPED;
            lose(view, walk, false);
            find_again(walk, packet);
            if (walk->state != WALK_ON || n == RECORDS_MAX) return;
            continue;
        }
        if (!hold(view, walk)) return;
        struct weir_tls_record record;
        if (weir_tls_record(walk->held, walk->n_held, &record) != WEIR_WIRE_OK) {
            lose(view, walk, false);
            return;
        }
        walk->next += WEIR_TLS_RECORD_HEADER + (uint32_t)record.length;
        walk->n_held = 0;
        view->read = true;
        if (side == WEIR_CLIENT)
            client_record(view, &record, walk->next);
        else
            server_record(view, &record);
    }
}

/* ---- where headers could not be read ---- */

static void client_lost(struct view *view) {
    struct shake *shake = view->shake;
    if (!(shake->flags & SHAKE_CLIENT_HELLO)) {
        hello_seen(view, view->packet->tcp.seq + view->packet->payload_len);
        shake->flags |= SHAKE_GUESSED;
    } else if ((shake->flags & SHAKE_SERVER_HELLO) && view->packet->payload_len >= LOST_DATA_MIN) {
        shake->flags |= SHAKE_FINISHED | SHAKE_CLIENT_DATA;
    } else if (shake->flags & SHAKE_SERVER_HELLO) {
        shake->flags |= SHAKE_FINISHED;
    }
}

/* What lies behind a hole that the client has not got over either is no hello. */
static bool beyond_hole(const struct view *view) {
    const struct weir_flow *flow = view->flow;
    return !(view->shake->flags & SHAKE_SERVER_HELLO) && flow_is(flow, FLOW_ACK << WEIR_CLIENT) &&
           (int32_t)(view->packet->tcp.seq - flow->ack[WEIR_CLIENT]) > 0;
}

/* The client has acknowledged what came behind the hole: the hello, too, reached it, though not by
 * this way. */
static void hole_crossed(struct view *view) {
    const struct weir_flow *flow = view->flow;
    const struct walk *server = &view->shake->walk[WEIR_SERVER];
    if (server->state == WALK_LOST && flow_is(flow, FLOW_ACK << WEIR_CLIENT) &&
        (int32_t)(flow->ack[WEIR_CLIENT] - server->next) > 0)
        view->shake->flags |= SHAKE_SERVER_HELLO;
}

static void server_lost(struct view *view) {
    if (beyond_hole(view)) return;
    view->shake->flags |= SHAKE_SERVER_HELLO;
    if (!(view->shake->flags & SHAKE_CLIENT_DATA)) return;
    useful(view);
    view->application = true;
}

static void client_after(struct view *view) {
    struct shake *shake = view->shake;
    if ((shake->flags & SHAKE_CLIENT_HELLO) && !(shake->flags & SHAKE_HELLO_WHOLE) &&
        (int32_t)(view->flow->nxt[WEIR_CLIENT] - shake->hello_end) >= 0) {
        shake->flags |= SHAKE_HELLO_WHOLE;
        shake->whole_ms = now_ms(view->packet->now_us);
        timer_by(view->flow, view->packet->now_us + 5000000);
    }
    if ((shake->flags & SHAKE_SKIPPED) && (shake->flags & SHAKE_FINISHED) &&
        !(shake->flags & SHAKE_CLIENT_22) &&
        (int32_t)(view->flow->nxt[WEIR_CLIENT] - shake->hello_end) > FINISHED_BYTES_MAX)
        /* whichever record was the Finished: the client said more than that */
        shake->flags |= SHAKE_CLIENT_DATA;
    if (shake->n_tickets && (shake->flags & SHAKE_CLIENT_DATA))
        shake->flags |= SHAKE_SETTLED; /* the tickets came before the question */
}

enum tls_says tls_packet(struct weir_flow *flow, const struct weir_packet *packet,
                         enum weir_side side) {
    struct shake *shake = flow_shake(flow);
    if (!shake) return TLS_APPLICATION;
    struct view view = {flow, shake, packet, false, false};
    struct walk *walk = &shake->walk[side];
    if (side == WEIR_CLIENT) hole_crossed(&view);
    walk_segment(&view, walk, side);
    if (side == WEIR_CLIENT) {
        if (walk->state == WALK_LOST) client_lost(&view);
        client_after(&view);
        uint32_t ready = SHAKE_CLIENT_DATA | SHAKE_FINISHED;
        return (shake->flags & ready) == ready ? TLS_APPLICATION : TLS_HANDSHAKING;
    }
    if (walk->state == WALK_LOST && !view.read) server_lost(&view);
    if (!view.application) return shake->flags & SHAKE_FINISHED ? TLS_DEBRIS : TLS_HANDSHAKING;
    flow_shake_free(flow); /* nothing more is to be learned from headers */
    return TLS_APPLICATION;
}

/* ---- ends ---- */

/* Shaken hands and asked nothing for a second: opened ahead and never used. The server tires of it,
 * and may say so before it goes. */
static bool is_spare(const struct shake *shake, const struct weir_packet *packet) {
    return (shake->flags & SHAKE_FINISHED) && !(shake->flags & SHAKE_CLIENT_DATA) &&
           low_span(shake->reject_us, packet->ts_us) >= IDLE_US;
}

/* Whoever leaves in the middle of a handshake made up his mind, as a browser does that has a better
 * connection by then; but not where the server never said a word and two of his own time-outs have
 * passed. */
static bool given_up(const struct weir_flow *flow, const struct shake *shake,
                     const struct weir_packet *packet) {
    return (shake->flags & SHAKE_HELLO_WHOLE) && !(shake->flags & SHAKE_SERVER_HELLO) &&
           flow->payload[WEIR_SERVER] == 0 && !flow_is(flow, FLOW_UNSEEN) &&
           now_ms(packet->now_us) - shake->whole_ms >= GIVEN_UP_MS;
}

static bool is_reject(const struct weir_flow *flow, const struct shake *shake,
                      const struct weir_packet *packet) {
    uint32_t bound = flow_opening_rtt_us(flow);
    if (bound == 0)
        bound = REJECT_UNKNOWN_US;
    else if (bound < REJECT_MIN_US)
        bound = REJECT_MIN_US;
    return (shake->flags & SHAKE_REJECT) && low_span(shake->reject_us, packet->ts_us) <= bound;
}

bool tls_closed(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side by) {
    const struct shake *shake = flow->proto == PROTO_TLS ? flow_shake(flow) : NULL;
    if (!shake || flow_is(flow, FLOW_USEFUL) || !(shake->flags & SHAKE_CLIENT_HELLO)) return false;
    if (is_reject(flow, shake, packet)) {
        flow_connect(flow, packet->ts_us, packet->now_us, WEIR_OUTCOME_SUSPECT_REJECT);
        return true;
    }
    if (by == WEIR_CLIENT && given_up(flow, shake, packet))
        flow_connect(flow, packet->ts_us, packet->now_us, WEIR_OUTCOME_TLS_NORESPONSE);
    if (by == WEIR_CLIENT || flow_is(flow, FLOW_FIN << WEIR_CLIENT | FLOW_RST) ||
        is_spare(shake, packet))
        return false;
    flow_connect(flow, packet->ts_us, packet->now_us, WEIR_OUTCOME_TLS_CUT);
    return true;
}
