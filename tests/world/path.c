/* The way of a packet: the client's link, the vantage, the site's uplink, the place.
 *
 * A pipe with a rate is a queue that forgets nothing but its end: a packet waits for those before
 * it, and is lost where it would wait longer than the queue is long. Packets of one flow and
 * direction never overtake each other. */
#include <string.h>

#include "world.h"

struct packet *packet_new(struct world *world, struct flow *flow, struct conn *conn, int from) {
    struct packet *packet = world->free_packets;
    if (packet)
        world->free_packets = packet->next;
    else
        packet = world_new(sizeof *packet);
    *packet = (struct packet){.flow = flow, .conn = conn, .from = (uint8_t)from};
    return packet;
}

static void packet_done(struct world *world, struct packet *packet) {
    packet->next = world->free_packets;
    world->free_packets = packet;
}

static void arrives(struct world *world, void *object, uint64_t unused) {
    struct packet *packet = object;
    if (packet->conn)
        conn_arrive(world, packet);
    else
        name_arrive(world, packet);
    packet_done(world, packet);
}

/* When a packet of `size` bytes is through; -1: the queue was full. */
static int64_t through(struct pipe *pipe, int64_t at_us, unsigned size, double slow) {
    double rate = pipe->rate_bps * slow;
    if (rate <= 0) return at_us;
    int64_t start_us = at_us > pipe->free_us ? at_us : pipe->free_us;
    if (start_us - at_us > pipe->queue_us) return -1;
    pipe->free_us = start_us + (int64_t)(size * 8e6 / rate);
    return pipe->free_us;
}

static const struct spell *spell_at(const struct client *client, int64_t at_us) {
    for (unsigned i = 0; i < client->n_spells; i++)
        if (at_us >= client->spells[i].from_us && at_us < client->spells[i].to_us)
            return &client->spells[i];
    return NULL;
}

/* The client's own link; -1: lost. */
static int64_t near_link(struct world *world, struct client *client, int from,
                         const struct packet *packet) {
    int64_t at_us = world->now_us;
    if (at_us >= client->gone_us) return -1;
    const struct spell *spell = spell_at(client, at_us);
    double loss = client->loss + (spell ? spell->loss : 0);
    if (loss > 0 && likely(world, loss)) return -1;
    struct pipe *pipe = from == CLIENT ? &client->up : &client->down;
    double slow = spell && spell->rate_bps > 0 ? spell->rate_bps / pipe->rate_bps : 1;
    at_us = through(pipe, at_us, frames_size(packet), slow < 1 ? slow : 1);
    if (at_us < 0) return -1;
    double jitter = client->jitter_us ? waiting(world, (double)client->jitter_us) : 0;
    return at_us + client->delay_us +
           (spell ? (int64_t)waiting(world, (double)spell->delay_us) : 0) + (int64_t)jitter;
}

/* The site's uplink and the way to the place; -1: lost. */
static int64_t far_link(struct world *world, const struct packet *packet, int64_t at_us) {
    const struct place *place = packet->flow->place;
    double loss = packet->from == CLIENT ? world->up_loss : world->down_loss;
    double slow = 1;
    for (unsigned i = 0; i < world->n_faults; i++) {
        const struct fault *fault = &world->faults[i];
        if (fault->row->scope != ON_SITE || at_us < fault->from_us || at_us >= fault->to_us)
            continue;
        if (fault->row->act == LOSE) loss += fault->strength;
        if (fault->row->act == SLOW) slow = fault->strength;
    }
    if (loss > 0 && likely(world, loss)) return -1;
    if (place == world->resolver_place && world->resolver_local) return at_us + place->delay_us;
    at_us = through(packet->from == CLIENT ? &world->up : &world->down, at_us, frames_size(packet),
                    slow);
    if (at_us < 0) return -1;
    return at_us + world->uplink_delay_us + place->delay_us + fault_delay_us(world, at_us) +
           (int64_t)waiting(world, (double)place->delay_us / 40 + 30);
}

/* `leg`: a side to pass the vantage from, or that plus 2 to arrive from. */
static int64_t in_order(struct flow *flow, int leg, int64_t at_us) {
    if (at_us <= flow->last_us[leg]) at_us = flow->last_us[leg] + 1;
    flow->last_us[leg] = at_us;
    return at_us;
}

enum { SLOT_S = 10, LOSSY_SENT = 60, LOSSY_SHARE = 25 /* one in so many */ };

/* Which links were bad, whatever the reason: a spell, a slow link's full queue. */
static void note_link(struct world *world, struct client *client, bool lost) {
    uint32_t slot = (uint32_t)(world->now_us / (SLOT_S * SECOND));
    if (slot != client->link_slot) {
        client->link_slot = slot;
        client->n_link_sent = client->n_link_lost = 0;
    }
    client->n_link_sent++;
    client->n_link_lost += lost;
    if (client->n_link_sent >= LOSSY_SENT &&
        client->n_link_lost * LOSSY_SHARE >= client->n_link_sent) {
        client->lossy_us[0] = client->lossy_us[0] ? client->lossy_us[0] : slot * SLOT_S * SECOND;
        client->lossy_us[1] = (slot + 1) * SLOT_S * SECOND;
    }
}

static void passes_down(struct world *world, void *object, uint64_t unused) {
    struct packet *packet = object;
    frames_packet(world, packet);
    int64_t come_us = near_link(world, packet->flow->client, SERVER, packet);
    note_link(world, packet->flow->client, come_us < 0);
    if (come_us >= 0)
        world_at(world, in_order(packet->flow, 2 + SERVER, come_us), arrives, packet, 0);
    else
        packet_done(world, packet);
}

/* The network's own word instead of the server's: a reset, or ICMP unreachable. */
static void answer_for(struct world *world, const struct packet *packet, enum verdict verdict) {
    struct packet *answer = packet_new(world, packet->flow, packet->conn, SERVER);
    if (verdict == RESET && packet->kind == P_TCP) {
        answer->kind = P_TCP;
        answer->flags = RST | ACK;
        answer->seq = packet->flags & SYN ? 0 : packet->ack;
        answer->ack = packet->seq + packet->length + (packet->flags & (SYN | FIN) ? 1 : 0);
    } else {
        uint8_t *quoted = world_new(48);
        answer->kind = P_ICMP;
        answer->raw = quoted;
        bool six = packet->flow->ip[0].six;
        answer->length = six ? 48 : 28;
        memset(quoted, 0, 48);
        size_t head = six ? 40 : 20;
        if (six) {
            quoted[0] = 0x60;
            quoted[5] = 40;
            quoted[6] = packet->kind == P_TCP ? 6 : 17;
            quoted[7] = 60;
            memcpy(quoted + 8, packet->flow->ip[0].bytes, 16);
            memcpy(quoted + 24, packet->flow->ip[1].bytes, 16);
        } else {
            memcpy(quoted, "\x45\0\0\x3c\0\0\x40\0\x3c", 9);
            quoted[9] = packet->kind == P_TCP ? 6 : 17;
            memcpy(quoted + 12, packet->flow->ip[0].bytes, 4);
            memcpy(quoted + 16, packet->flow->ip[1].bytes, 4);
        }
        quoted[head] = (uint8_t)(packet->flow->port[0] >> 8);
        quoted[head + 1] = (uint8_t)packet->flow->port[0];
        quoted[head + 2] = (uint8_t)(packet->flow->port[1] >> 8);
        quoted[head + 3] = (uint8_t)packet->flow->port[1];
        for (int i = 0; i < 4; i++)
            quoted[head + 4 + (size_t)i] =
                (uint8_t)(packet->kind == P_TCP ? packet->seq >> 8 * (3 - i) : 0);
    }
    int64_t pass_us = world->now_us + world->uplink_delay_us + packet->flow->place->delay_us + 500;
    world_at(world, in_order(packet->flow, SERVER, pass_us), passes_down, answer, 0);
}

static void passes_up(struct world *world, void *object, uint64_t unused) {
    struct packet *packet = object;
    frames_packet(world, packet);
    enum verdict verdict = fault_packet(world, packet, false);
    if (verdict == RESET || verdict == UNREACHABLE) answer_for(world, packet, verdict);
    int64_t come_us = verdict == PASS ? far_link(world, packet, world->now_us) : -1;
    if (come_us >= 0)
        world_at(world, in_order(packet->flow, 2 + CLIENT, come_us), arrives, packet, 0);
    else
        packet_done(world, packet);
}

void path_send(struct world *world, struct packet *packet) {
    struct flow *flow = packet->flow;
    int64_t pass_us = -1;
    if (packet->from == CLIENT)
        pass_us = near_link(world, flow->client, CLIENT, packet);
    else if (fault_packet(world, packet, true) == PASS)
        pass_us = far_link(world, packet, world->now_us);
    if (pass_us >= 0)
        world_at(world, in_order(flow, packet->from, pass_us),
                 packet->from == CLIENT ? passes_up : passes_down, packet, 0);
    else
        packet_done(world, packet);
}

struct ip place_address(const struct place *place, bool six, unsigned number) {
    struct ip ip = {.six = six};
    if (six) {
        memcpy(ip.bytes, "\x20\x01\x0d\xb8", 4);
        ip.bytes[4] = (uint8_t)(place->id >> 8);
        ip.bytes[5] = (uint8_t)place->id;
        ip.bytes[15] = (uint8_t)(number + 1);
    } else {
        ip.bytes[0] = 198;
        ip.bytes[1] = (uint8_t)(18 + (place->id >> 8));
        ip.bytes[2] = (uint8_t)place->id;
        ip.bytes[3] = (uint8_t)(number + 1);
    }
    return ip;
}

void flow_init(struct world *world, struct flow *flow, struct client *client, struct host *host,
               bool six, bool udp, uint16_t server_port) {
    *flow = (struct flow){.client = client, .host = host, .udp = udp, .luck = uniform(world, 0, 1)};
    flow->place = host ? host->place : world->resolver_place;
    flow->ip[CLIENT] = client->address[six];
    flow->ip[SERVER] =
        host ? place_address(host->place, six, host->address + chance(world, host->n_addresses))
             : world->resolver;
    flow->port[CLIENT] = client->next_port++;
    if (client->next_port < 32768) client->next_port = 32768;
    if (world->site->vantage == 'n' && !six) {
        flow->ip[CLIENT] = world->nat_address;
        flow->port[CLIENT] = world->nat_port =
            world->nat_port < 1100 ? 65000 : (uint16_t)(world->nat_port - 1);
    }
    flow->port[SERVER] = server_port;
    flow->ip_id[0] = (uint16_t)chance(world, 65536);
    flow->ip_id[1] = (uint16_t)chance(world, 65536);
}
