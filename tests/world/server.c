/* What the ends say: handshakes of TLS and QUIC, requests, answers, and how servers fail. */
#include <string.h>

#include "bench/messages.h"
#include "world.h"

enum { RAW_INITIAL = 1, RAW_INITIAL_2, RAW_SERVER_FIRST, RAW_SERVER_REST, RAW_FINISHED };
enum { QUIC_OVERHEAD = 27, QUIC_TRIES = 6 };

static uint8_t *copy(const void *bytes, size_t length) {
    uint8_t *made = world_new(length);
    memcpy(made, bytes, length);
    return made;
}

/* ---- QUIC's first flights ---- */

static void send_raw(struct world *world, struct conn *conn, int from, unsigned what,
                     const uint8_t *bytes, size_t length) {
    struct packet *packet = packet_new(world, &conn->flow, conn, from);
    packet->kind = P_RAW;
    packet->flags = (uint8_t)what;
    packet->raw = copy(bytes, length);
    packet->length = (uint32_t)length;
    path_send(world, packet);
}

static void send_initials(struct world *world, void *object, uint64_t timer) {
    struct conn *conn = object;
    if (conn->state != C_SYN || conn->client_closed || conn->timer != timer ||
        conn->tries++ >= QUIC_TRIES)
        return;
    uint8_t bytes[DATAGRAM_MAX];
    for (unsigned nth = 0; nth < 2; nth++) {
        size_t length = message_quic_client(bytes, conn->flow.host->name, conn->salt,
                                            conn->flow.client->hybrid, nth);
        if (length) send_raw(world, conn, CLIENT, RAW_INITIAL + nth, bytes, length);
    }
    world_at(world, world->now_us + (300 * MS << (conn->tries - 1)), send_initials, conn,
             ++conn->timer);
}

void quic_client_first(struct world *world, struct conn *conn) {
    send_initials(world, conn, conn->timer);
}

static void quic_server_flight(struct world *world, struct conn *conn) {
    uint8_t bytes[DATAGRAM_MAX];
    send_raw(world, conn, SERVER, RAW_SERVER_FIRST, bytes, message_quic_server(bytes, conn->salt));
    for (unsigned i = 0; i < 2; i++)
        send_raw(world, conn, SERVER, RAW_SERVER_REST, bytes,
                 message_quic_server_handshake(bytes, conn->salt, 900 + 100 * i));
}

void quic_raw(struct world *world, struct packet *packet) {
    struct conn *conn = packet->conn;
    if (packet->flags == RAW_INITIAL || packet->flags == RAW_INITIAL_2) {
        if (!conn->flow.client->hybrid || packet->flags == RAW_INITIAL_2) {
            conn->server_open = true;
            quic_server_flight(world, conn);
        }
    } else if (packet->flags == RAW_SERVER_REST && conn->state == C_SYN && !conn->client_closed) {
        uint8_t bytes[DATAGRAM_MAX];
        conn->state = C_OPEN;
        conn->timer++;
        conn->heard_us = world->now_us;
        send_raw(world, conn, CLIENT, RAW_FINISHED, bytes,
                 message_quic_handshake(bytes, conn->salt, 60));
        end_queue(world, conn, CLIENT, M_CONTROL, NULL, 40, NULL);
        end_pump(world, conn, CLIENT);
        if (conn->channel) channel_ready(world, conn->channel, conn);
    }
}

/* ---- TLS ---- */

static void server_hello(struct world *world, struct conn *conn) {
    struct fault *silent = fault_of(world, conn, TLS_SILENT),
                 *alert = fault_of(world, conn, TLS_ALERT);
    if (silent || alert)
        fault_saw(world, silent ? silent : alert, conn->flow.client, conn->flow.host->service);
    if (silent) return;
    if (alert) {
        end_queue(world, conn, SERVER, M_ALERT, copy("\x15\3\3\0\2\2\x50", 7), 7, NULL);
        end_queue(world, conn, SERVER, M_FIN, NULL, 1, NULL);
    } else {
        uint8_t bytes[512];
        size_t length = message_server_hello(bytes, conn->salt);
        end_queue(world, conn, SERVER, M_CONTROL, copy(bytes, length), length, NULL);
        end_queue(world, conn, SERVER, M_SERVER_FLIGHT, NULL, 2200 + chance(world, 2400), NULL);
    }
    end_pump(world, conn, SERVER);
}

/* An HTTP/2 client that asks now and then whether the connection still lives. */
static void ping(struct world *world, void *object, uint64_t unused) {
    struct conn *conn = object;
    if (conn->state != C_OPEN || conn->client_closed || !conn->channel) return;
    end_queue(world, conn, CLIENT, M_PING, NULL, 39, NULL);
    end_pump(world, conn, CLIENT);
    world_at(world, world->now_us + 45 * SECOND, ping, conn, 0);
}

static void client_finished(struct world *world, struct conn *conn) {
    static const uint8_t head[] = {0x14, 3, 3, 0, 1, 1, 0x17, 3, 3, 0, 53};
    uint8_t bytes[64];
    memset(bytes, 0x5d, sizeof bytes);
    memcpy(bytes, head, sizeof head);
    end_queue(world, conn, CLIENT, M_FINISHED, copy(bytes, 64), 64, NULL);
    if (conn->channel && conn->channel->transport != H1)
        end_queue(world, conn, CLIENT, M_CONTROL, NULL, 92, NULL);
    conn->state = C_OPEN;
    end_pump(world, conn, CLIENT);
    if (conn->channel && conn->channel->transport == H2 && conn->salt % 5 == 0)
        world_at(world, world->now_us + 20 * SECOND, ping, conn, 0);
    if (conn->channel) channel_ready(world, conn->channel, conn);
}

static void server_tickets(struct world *world, struct conn *conn) {
    for (unsigned i = 0; i < 2; i++) end_queue(world, conn, SERVER, M_TICKETS, NULL, 255, NULL);
    if (conn->channel && conn->channel->transport != H1)
        end_queue(world, conn, SERVER, M_CONTROL, NULL, 62, NULL);
    end_pump(world, conn, SERVER);
}

/* ---- requests ---- */

static void rested(struct world *world, void *object, uint64_t timer) {
    struct conn *conn = object;
    if (conn->idle_timer != timer || conn->server_closed || conn->end[SERVER].fin) return;
    if (conn->quic) {
        /* silently: the idle time-out that both ends know */
        conn->server_closed = conn->client_closed = true;
        conn->state = C_CLOSED;
        if (conn->channel) channel_lost(world, conn->channel, conn, true);
        return;
    }
    if (conn->flow.host->rude) {
        server_reset(world, conn);
        return;
    }
    end_queue(world, conn, SERVER, M_FIN, NULL, 1, NULL);
    end_pump(world, conn, SERVER);
}

static void keep_alive(struct world *world, struct conn *conn) {
    world_at(world, world->now_us + conn->keep_alive_us, rested, conn, ++conn->idle_timer);
}

static void reset_now(struct world *world, void *object, uint64_t unused) {
    struct conn *conn = object;
    if (conn->server_closed || conn->state == C_CLOSED) return;
    server_reset(world, conn);
}

static void server_answers(struct world *world, void *object, uint64_t word) {
    struct conn *conn = object;
    struct request *request = (struct request *)(uintptr_t)word;
    if (conn->server_closed || conn->state == C_CLOSED) return;
    int service = conn->flow.host->service;
    struct fault *hollow = fault_of(world, conn, HOLLOW), *reset = fault_of(world, conn, RESET_MID);
    size_t length = request->answer;
    if (hollow) {
        fault_saw(world, hollow, conn->flow.client, service);
        request->hollow = true;
        length = 250 + chance(world, 500);
    }
    conn->n_served++;
    if (reset && length > 20000 && likely(world, reset->strength)) {
        fault_saw(world, reset, conn->flow.client, service);
        end_queue(world, conn, SERVER, M_CONTROL, NULL,
                  (size_t)((double)length * uniform(world, 0.1, 0.7)), NULL);
        end_pump(world, conn, SERVER);
        world_at(world, world->now_us + (int64_t)(uniform(world, 0.05, 0.4) * SECOND), reset_now,
                 conn, 0);
        return;
    }
    end_queue(world, conn, SERVER, M_RESPONSE, NULL, length, request);
    if (conn->max_requests && conn->n_served >= conn->max_requests && !conn->quic)
        end_queue(world, conn, SERVER, M_FIN, NULL, 1, NULL);
    else
        keep_alive(world, conn);
    end_pump(world, conn, SERVER);
}

static void server_asked(struct world *world, struct conn *conn, struct request *request) {
    if (conn->end[SERVER].fin || conn->server_closed) return;
    conn->idle_timer++;
    struct fault *silent = fault_of(world, conn, TLS_SILENT),
                 *alert = fault_of(world, conn, TLS_ALERT);
    if ((silent && silent->restarts) || (alert && alert->restarts)) {
        server_reset(world, conn);
        return;
    }
    struct fault *hang = fault_of(world, conn, HANG), *slow = fault_of(world, conn, SLOW);
    if (hang) fault_saw(world, hang, conn->flow.client, conn->flow.host->service);
    if (hang || request->served) return;
    request->served = true;
    int64_t think_us = request->think_us + (slow ? (int64_t)waiting(world, 0.3 * SECOND) : 0);
    world_at(world, world->now_us + think_us, server_answers, conn, (uint64_t)(uintptr_t)request);
}

void conn_ask(struct world *world, struct conn *conn, struct request *request) {
    unsigned bytes = conn->quic
                         ? request->bytes > QUIC_OVERHEAD + 60 ? request->bytes - QUIC_OVERHEAD : 60
                         : request->bytes;
    request->sent = true;
    request->sent_us = world->now_us;
    conn->first_asked = true;
    end_queue(world, conn, CLIENT, M_REQUEST, NULL, bytes, request);
    end_pump(world, conn, CLIENT);
}

/* ---- what arrives ---- */

static void at_server(struct world *world, struct conn *conn, struct message *message) {
    switch (message->tag) {
    case M_HELLO: server_hello(world, conn); break;
    case M_FINISHED: server_tickets(world, conn); break;
    case M_REQUEST: server_asked(world, conn, message->request); break;
    case M_PING:
        if (!conn->end[SERVER].fin && !fault_of(world, conn, HANG)) {
            end_queue(world, conn, SERVER, M_CONTROL, NULL, 39, NULL);
            end_pump(world, conn, SERVER);
        }
        break;
    case M_FIN:
        if (!conn->end[SERVER].fin) {
            end_queue(world, conn, SERVER, M_FIN, NULL, 1, NULL);
            end_pump(world, conn, SERVER);
        }
        break;
    default: break;
    }
}

static void at_client(struct world *world, struct conn *conn, struct message *message) {
    switch (message->tag) {
    case M_SERVER_FLIGHT: client_finished(world, conn); break;
    case M_RESPONSE:
        if (conn->channel) channel_answered(world, conn->channel, message->request);
        break;
    case M_ALERT:
    case M_FIN:
        if (conn->client_closed) break;
        if (conn->channel) {
            struct channel *channel = conn->channel;
            bool orderly = message->tag == M_FIN && conn->state == C_OPEN;
            channel_lost(world, channel, conn, orderly);
        }
        conn_close(world, conn, false);
        break;
    default: break;
    }
}

void conn_deliver(struct world *world, struct conn *conn, int receiver, struct message *message) {
    if (receiver == SERVER)
        at_server(world, conn, message);
    else
        at_client(world, conn, message);
}
