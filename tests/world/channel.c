/* How a program asks a host: a name, a race of address families or of QUIC and TCP, one connection
 * kept for all requests, patience, and a fresh connection after a failure. */
#include "world.h"

static void dial(struct world *world, struct channel *channel);

struct channel *channel_new(struct world *world, struct client *client, struct host *host,
                            enum transport transport, const struct player_row *habits, void *owner,
                            answered_fn *answered) {
    struct channel *channel = world_new(sizeof *channel);
    *channel = (struct channel){.client = client,
                                .host = host,
                                .transport = transport,
                                .habits = habits,
                                .owner = owner,
                                .answered = answered,
                                .timeout_us = 15 * SECOND,
                                .connect_timeout_us = 12 * SECOND,
                                .keep_alive_us = 60 * SECOND,
                                .dial = 1,
                                .watch = 1};
    if (habits) {
        channel->timeout_us = (int64_t)(within(world, habits->timeout_s) * SECOND);
        channel->connect_timeout_us =
            channel->timeout_us < 10 * SECOND ? channel->timeout_us : 10 * SECOND;
        channel->keep_alive_us = (int64_t)(within(world, habits->keep_alive_s) * SECOND);
        channel->max_requests = habits->max_requests;
        channel->resets = habits->browser;
    }
    return channel;
}

static void leave_racers(struct world *world, struct channel *channel, const struct conn *but) {
    for (unsigned i = 0; i < channel->n_racers; i++) {
        struct conn *racer = channel->racers[i];
        if (racer == but) continue;
        racer->channel = NULL;
        conn_close(world, racer, false);
    }
    channel->n_racers = 0;
}

/* The connection goes, and with it all that waits for it. */
static void fail(struct world *world, struct channel *channel, bool reset) {
    channel->dialing = false;
    channel->dial++;
    leave_racers(world, channel, NULL);
    if (channel->conn) {
        struct conn *conn = channel->conn;
        channel->conn = NULL;
        conn->channel = NULL;
        conn_close(world, conn, reset);
    }
    unsigned n = channel->n_queue;
    struct request *queue[QUEUE];
    for (unsigned i = 0; i < n; i++) queue[i] = channel->queue[i];
    channel->n_queue = 0;
    for (unsigned i = 0; i < n; i++) channel->answered(world, channel->owner, queue[i], false);
}

void channel_drop(struct world *world, struct channel *channel, bool reset) {
    channel->n_queue = 0;
    fail(world, channel, reset);
}

static void connect_timed_out(struct world *world, void *object, uint64_t number) {
    struct channel *channel = object;
    if (channel->dial == number && channel->dialing) fail(world, channel, false);
}

static void race(struct world *world, struct channel *channel, bool six, bool quic) {
    if (channel->n_racers < 3)
        channel->racers[channel->n_racers++] = conn_open(world, channel, six, quic);
}

/* The other family, or TCP beside QUIC: `word` is the dial's number, and the family. */
static void race_late(struct world *world, void *object, uint64_t word) {
    struct channel *channel = object;
    if (channel->dial == (uint32_t)(word >> 1) && channel->dialing)
        race(world, channel, word & 1, false);
}

static void named(struct world *world, void *object, bool good) {
    struct channel *channel = object;
    if (!channel->dialing || channel->n_racers) return;
    if (!good) {
        fail(world, channel, false);
        return;
    }
    uint32_t number = ++channel->dial;
    bool six = channel->client->dual,
         quic = channel->transport == H3 && world->now_us >= channel->no_quic_until_us;
    race(world, channel, six, quic);
    if (quic)
        world_at(world, world->now_us + 300 * MS + chance(world, 1500) * MS, race_late, channel,
                 (uint64_t)number << 1 | six);
    if (six)
        world_at(world, world->now_us + (quic ? 2000 : 250) * MS, race_late, channel,
                 (uint64_t)number << 1);
    world_at(world, world->now_us + channel->connect_timeout_us, connect_timed_out, channel,
             number);
}

static void dial(struct world *world, struct channel *channel) {
    channel->dialing = true;
    name_lookup(world, channel->client, channel->host, named, channel);
}

/* Nothing of an answer for as long as the program waits. */
static void watch(struct world *world, void *object, uint64_t number) {
    struct channel *channel = object;
    if (channel->watch != number || !channel->n_queue) return;
    struct request *request = channel->queue[0];
    int64_t since_us = request->sent ? request->sent_us : request->asked_us;
    if (channel->conn && channel->conn->heard_us > since_us) since_us = channel->conn->heard_us;
    int64_t patience_us =
        channel->conn && channel->conn->quic ? channel->timeout_us * 2 / 3 : channel->timeout_us;
    if (!channel->dialing && world->now_us - since_us >= patience_us) {
        if (channel->conn && channel->conn->quic)
            channel->no_quic_until_us = world->now_us + 120 * SECOND;
        fail(world, channel, channel->resets);
        return;
    }
    world_at(world, channel->dialing ? world->now_us + SECOND : since_us + patience_us + 1000,
             watch, channel, number);
}

static void hand_over(struct world *world, struct channel *channel) {
    for (unsigned i = 0; i < channel->n_queue; i++)
        if (!channel->queue[i]->sent) conn_ask(world, channel->conn, channel->queue[i]);
}

void channel_ask(struct world *world, struct channel *channel, struct request *request) {
    request->asked_us = world->now_us;
    request->sent = request->served = request->hollow = false;
    if (channel->n_queue == QUEUE) {
        channel->answered(world, channel->owner, request, false);
        return;
    }
    channel->queue[channel->n_queue++] = request;
    if (channel->n_queue == 1)
        world_at(world, world->now_us + channel->timeout_us, watch, channel, ++channel->watch);
    if (channel->conn)
        hand_over(world, channel);
    else if (!channel->dialing)
        dial(world, channel);
}

void channel_preconnect(struct world *world, struct channel *channel) {
    channel->bare = true;
    if (!channel->conn && !channel->dialing) dial(world, channel);
}

static void tls_hello(struct world *world, struct conn *conn) {
    extern size_t message_client_hello(uint8_t *, const char *, uint32_t, bool);
    uint8_t *bytes = world_new(2048);
    size_t length =
        message_client_hello(bytes, conn->flow.host->name, conn->salt, conn->flow.client->hybrid);
    end_queue(world, conn, CLIENT, M_HELLO, bytes, length, NULL);
    end_pump(world, conn, CLIENT);
}

void channel_ready(struct world *world, struct channel *channel, struct conn *conn) {
    if (channel->conn == conn) { /* handshake done */
        hand_over(world, channel);
        return;
    }
    if (!channel->dialing) {
        conn->channel = NULL;
        conn_close(world, conn, false);
        return;
    }
    bool quic_was_tried = false;
    for (unsigned i = 0; i < channel->n_racers; i++) quic_was_tried |= channel->racers[i]->quic;
    if (quic_was_tried && !conn->quic) channel->no_quic_until_us = world->now_us + 60 * SECOND;
    channel->conn = conn;
    channel->dialing = false;
    channel->dial++;
    conn->heard_us = world->now_us;
    leave_racers(world, channel, conn);
    if (conn->quic)
        hand_over(world, channel);
    else if (!channel->bare || channel->n_queue)
        tls_hello(world, conn);
}

void channel_lost(struct world *world, struct channel *channel, struct conn *conn, bool orderly) {
    if (conn != channel->conn) { /* a racer was refused: the others run on */
        unsigned kept = 0;
        for (unsigned i = 0; i < channel->n_racers; i++)
            if (channel->racers[i] != conn) channel->racers[kept++] = channel->racers[i];
        channel->n_racers = kept;
        if (!kept && channel->dialing) fail(world, channel, false);
        return;
    }
    channel->conn = NULL;
    conn->channel = NULL;
    /* the request crossed the server's farewell: asked again, at once */
    if (orderly && channel->n_queue) {
        for (unsigned i = 0; i < channel->n_queue; i++)
            channel->queue[i]->sent = channel->queue[i]->served = false;
        dial(world, channel);
    } else if (!orderly) {
        fail(world, channel, false);
    }
}

void channel_answered(struct world *world, struct channel *channel, struct request *request) {
    unsigned at = 0;
    while (at < channel->n_queue && channel->queue[at] != request) at++;
    if (at == channel->n_queue) return;
    channel->n_queue--;
    for (; at < channel->n_queue; at++) channel->queue[at] = channel->queue[at + 1];
    if (channel->n_queue)
        world_at(world, world->now_us + channel->timeout_us, watch, channel, ++channel->watch);
    if (!request->hollow && channel->conn)
        faults_well(world, channel->client, channel->host, &channel->conn->flow);
    channel->answered(world, channel->owner, request, !request->hollow);
}
