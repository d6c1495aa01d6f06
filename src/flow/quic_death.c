/* A QUIC connection that dies while it is used (a block of UDP that sets in, a path that breaks).
 *
 *      client     ask .. again .. again .... again ........ again ................ (close)
 *      server  answer                                                 nothing
 *                 |--------------- 2 s or more ---------|
 *
 * Nothing on the wire says that a QUIC connection is lost. But whatever a live peer receives and
 * must acknowledge, it acknowledges within a round trip, and a client that hears nothing sends
 * again, each time after twice the wait. So: five datagrams of the client over two seconds or more,
 * the first large enough to ask for something, and not one of the server. The waits must grow: a
 * client whose datagrams come in even measure hears its server, by a way that we do not see. Four
 * are enough where each wait is half as long again as the one before.
 *
 * Where an answer is under way the client need not ask: when its acknowledgements are lost the
 * server stops, and the client, whose credit for more data is not acknowledged, sends small
 * datagrams after doubled waits (RFC 9002 6.2.1). Three doublings in a row that began within a
 * second of the server's data are a death, too.
 *
 * The connection failed when the first of these datagrams was sent. Its open request is nobody's
 * any more: the client asks again elsewhere. When the server is heard after all, the connection
 * lives on.
 *
 * A block is often of one direction. Then the server does not hear that its last words came, and
 * sends them again: one or two full datagrams at a time (probes, RFC 9002 6.2), after longer and
 * longer waits, until it gives up. They say nothing of what the client asked. A server that hears
 * acknowledges within a round trip and 25 ms, and mostly in a datagram that is not full.
 *
 * No death: a client that falls silent itself (it was suspended, it moved to another address or
 * port, it closed); PINGs into the void, for which nobody waits; a connection that had been silent
 * for half a minute before, of which the server, or a NAT on the way, may have forgotten everything
 * in good order. Blind spot: an answer frozen in the middle, to which the client has nothing to
 * say.
 */
#include "flow/flow.h"

enum {
    SAID_LEAST = 5,
    SAID_GROWING = 4,
    GROWN = 2,
    DOUBLED = 3,
    ASKS_MIN = 80,
    UNHEARD_MS = 2000,
    FORGOTTEN_US = 30000000,
    ACK_DELAYED_US = 50000, /* 25 ms (RFC 9000 18.2), and timers */
    UNDER_WAY_US = 1000000,
    EVEN_OF = 4
};
enum {
    PROBES_MAX = 2, /* datagrams at a time */
    PROBE_MIN = 1200,
    PROBES_APART_US = 20000
};

/* Whether the server may say this without having heard anything since the client asked. */
static bool may_be_probe(struct weir_flow *flow, const struct weir_packet *packet) {
    if (flow->unheard.said == 0 || packet->payload_len < PROBE_MIN ||
        packet->payload_len < flow->mss[WEIR_SERVER] ||
        now_ms(packet->now_us) - flow->unheard.last_ms <= flow_acknowledged_within_ms(flow))
        return false;
    bool apart = low_span(flow->payload_us[WEIR_SERVER], packet->ts_us) > PROBES_APART_US;
    flow->unheard.probes = apart ? 1 : (uint8_t)(flow->unheard.probes + 1);
    return flow->unheard.probes <= PROBES_MAX;
}

void quic_heard(struct weir_flow *flow, const struct weir_packet *packet) {
    if (flow_is(flow, FLOW_WAITING) || may_be_probe(flow, packet)) return;
    memset(&flow->unheard, 0, sizeof flow->unheard);
    flow->flags &= ~(uint32_t)FLOW_DEAD;
}

bool quic_is_dead(const struct weir_flow *flow) {
    return flow->proto == PROTO_QUIC && flow_is(flow, FLOW_DEAD);
}

/* The longest wait is a good part of the whole. */
static bool waits_grow(const struct weir_flow *flow, uint32_t ms) {
    uint32_t now = ms - flow->unheard.last_ms, longest = flow->unheard.longest_ms;
    return (now > longest ? now : longest) >= (ms - flow->unheard.since_ms) / EVEN_OF;
}

static void die(struct weir_flow *flow, int64_t since_us, int64_t now_us) {
    bool open = flow_is(flow, FLOW_USEFUL | FLOW_MID);
    struct serve *serve = flow_serve(flow);
    flow->flags |= FLOW_DEAD;
    if (open)
        flow_attempt(flow, now_us, now_us, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_TIMEOUT, since_us);
    else
        flow_connect(flow, now_us, now_us, WEIR_OUTCOME_QUIC_TIMEOUT);
    if (request_waiting(flow) &&
        serve->timed_out) /* it is the connection's failure, not the request's */
        flow_attempt(flow, now_us, now_us, WEIR_LAYER_SERVE, WEIR_OUTCOME_NEUTRAL, serve->asked_us);
    request_end(flow, now_us, now_us);
}

static bool has_said_enough(const struct weir_flow *flow) {
    if (flow->unheard.small)
        return flow->unheard.said >= SAID_LEAST && flow->unheard.grown >= DOUBLED;
    return flow->unheard.said >= SAID_LEAST ||
           (flow->unheard.said >= SAID_GROWING && flow->unheard.grown >= GROWN);
}

/* When to ask again; INT64_MAX: when more was said. */
int64_t quic_death_timer(struct weir_flow *flow, int64_t now_us) {
    if (flow->proto != PROTO_QUIC || flow_is(flow, FLOW_WAITING | FLOW_DEAD) ||
        !has_said_enough(flow) || flow->unheard.forgotten || !flow->packets[WEIR_SERVER])
        return INT64_MAX;
    uint32_t ms = now_ms(now_us), age_ms = ms - flow->unheard.since_ms;
    if (age_ms < UNHEARD_MS) return now_us + (int64_t)(UNHEARD_MS - age_ms) * 1000;
    if (!waits_grow(flow, ms)) return INT64_MAX;
    die(flow, now_us - (int64_t)age_ms * 1000, now_us);
    return INT64_MAX;
}

/* The last acknowledgement is answered by nobody. */
static bool may_begin(const struct weir_flow *flow, bool asks, uint32_t since_server_us) {
    return asks || (flow_is(flow, FLOW_USEFUL | FLOW_MID) && since_server_us > ACK_DELAYED_US &&
                    since_server_us <= UNDER_WAY_US);
}

static void count_wait(struct weir_flow *flow, uint32_t wait_ms) {
    uint32_t longest_ms = flow->unheard.longest_ms;
    bool more = flow->unheard.said > 1 && wait_ms * 2 >= longest_ms * 3,
         doubled = more && wait_ms <= longest_ms * 3;
    if (flow->unheard.small && flow->unheard.said > 1 && !doubled)
        flow->unheard.grown = 0;
    else if (more && flow->unheard.grown < UINT8_MAX)
        flow->unheard.grown++;
    if (wait_ms > longest_ms) flow->unheard.longest_ms = wait_ms;
}

void quic_said(struct weir_flow *flow, const struct weir_packet *packet) {
    uint32_t ms = now_ms(packet->now_us),
             since_server_us = low_span(flow->payload_us[WEIR_SERVER], packet->ts_us);
    bool large = packet->payload_len >= ASKS_MIN, asks = large || request_waiting(flow);
    if (flow_is(flow, FLOW_WAITING | FLOW_DEAD) ||
        (flow->unheard.said == 0 && !may_begin(flow, asks, since_server_us)))
        return;
    if (!large && flow->unheard.said && since_server_us <= PROBES_APART_US)
        return; /* it acknowledges a probe */
    if (flow->unheard.said == 0 || (flow->unheard.small && large)) {
        memset(&flow->unheard, 0, sizeof flow->unheard);
        flow->unheard.since_ms = ms;
        flow->unheard.forgotten = since_server_us >= FORGOTTEN_US;
        flow->unheard.small = !asks;
    } else
        count_wait(flow, ms - flow->unheard.last_ms);
    flow->unheard.last_ms = ms;
    if (flow->unheard.said < UINT8_MAX) flow->unheard.said++;
    if (has_said_enough(flow)) timer_by(flow, packet->now_us + 1);
}
