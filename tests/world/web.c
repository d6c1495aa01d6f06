/* All that is no player: pages, polls, telemetry, connections made ahead, DHCP. */
#include <string.h>

#include "world.h"

struct surfer {
    struct client *client;
    const struct web_row *row;
    struct channel *kept;
};

struct burst {
    struct surfer *surfer;
    struct channel *channel;
    unsigned left;
};

static void burst_answered(struct world *world, void *owner, struct request *request, bool good);

static void burst_ask(struct world *world, void *object, uint64_t unused) {
    struct burst *burst = object;
    const struct web_row *row = burst->surfer->row;
    if (world->now_us >= burst->surfer->client->gone_us) return;
    burst->left--;
    struct request *request = world_new(sizeof *request);
    int64_t hold_us = row->hold_s.high > 0 ? (int64_t)(within(world, row->hold_s) * SECOND) : 0;
    unsigned low = row->answer_low, high = row->answer_high;
    *request = (struct request){
        .bytes = row->request_low + chance(world, row->request_high - row->request_low + 1),
        .answer = low + (high > low ? (unsigned)waiting(world, (high - low) / 3.0) : 0),
        .think_us = hold_us + (int64_t)waiting(world, 25 * MS) + 2 * MS};
    channel_ask(world, burst->channel, request);
}

static void burst_close(struct world *world, void *object, uint64_t unused) {
    struct burst *burst = object;
    channel_drop(world, burst->channel, burst->surfer->row->resets);
}

static void burst_answered(struct world *world, void *owner, struct request *request, bool good) {
    struct burst *burst = owner;
    if (good && burst->left) {
        world_at(world, world->now_us + (int64_t)waiting(world, 60 * MS), burst_ask, burst, 0);
        return;
    }
    if (!likely(world, burst->surfer->row->keeps))
        world_at(world, world->now_us + (int64_t)waiting(world, 2 * SECOND), burst_close, burst, 0);
}

static void surf(struct world *world, void *object, uint64_t unused) {
    struct surfer *surfer = object;
    struct client *client = surfer->client;
    const struct web_row *row = surfer->row;
    if (world->now_us >= client->gone_us) return;
    bool dns = !strcmp(row->name, "doh");
    for (unsigned i = 0; i < row->connections; i++) {
        struct burst *burst = world_new(sizeof *burst);
        *burst = (struct burst){.surfer = surfer, .left = row->requests};
        struct host *host = dns              ? world->doh
                            : row->strangers ? world->stranger[chance(world, 2)]
                                             : world->web[chance(world, world->n_web)];
        burst->channel =
            channel_new(world, client, host, row->requests ? H2 : H1, NULL, burst, burst_answered);
        burst->channel->resets = row->resets;
        if (row->hold_s.high > 0) burst->channel->timeout_us = 120 * SECOND;
        burst->channel->keep_alive_us = (int64_t)(uniform(world, 15, 120) * SECOND);
        if (!row->requests) {
            channel_preconnect(world, burst->channel);
            world_at(world, world->now_us + (int64_t)(uniform(world, 4, 12) * SECOND), burst_close,
                     burst, 0);
        } else {
            world_at(world, world->now_us + (int64_t)(i * 30 * MS), burst_ask, burst, 0);
        }
    }
    world_at(world, world->now_us + (int64_t)(waiting(world, within(world, row->every_s)) * SECOND),
             surf, surfer, 0);
}

void web_start(struct world *world, struct client *client) {
    for (unsigned i = 0; i < n_web_rows; i++) {
        bool dns = !strcmp(web_rows[i].name, "doh");
        if (dns ? !client->doh : !likely(world, web_rows[i].share)) continue;
        struct surfer *surfer = world_new(sizeof *surfer);
        *surfer = (struct surfer){.client = client, .row = &web_rows[i]};
        world_at(world, (int64_t)(uniform(world, 0, web_rows[i].every_s.high) * SECOND), surf,
                 surfer, 0);
    }
}

/* A renewal: the request names the host, as option 12 does. Seen on the LAN side only. */
void dhcp_hello(struct world *world, struct client *client) {
    static const struct {
        uint8_t kind;
        int from;
    } course[] = {{3, CLIENT}, {5, SERVER}};
    struct flow *flow = world_new(sizeof *flow);
    flow_init(world, flow, client, NULL, false, true, 67);
    flow->port[CLIENT] = 68;
    flow->ip[SERVER] =
        (struct ip){.bytes = {client->address[0].bytes[0], client->address[0].bytes[1],
                              client->address[0].bytes[2], 1}};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *bytes = world_new(300);
        bytes[0] = course[i].from == CLIENT ? 1 : 2;
        bytes[1] = 1;
        bytes[2] = 6;
        memcpy(bytes + 4, client->mac + 2, 4);
        memcpy(bytes + 12, client->address[0].bytes, 4);
        memcpy(bytes + 28, client->mac, 6);
        memcpy(bytes + 236, "\x63\x82\x53\x63\x35\1", 6);
        bytes[242] = course[i].kind;
        size_t at = 243;
        if (course[i].from == CLIENT) {
            char name[24];
            int length = snprintf(name, sizeof name, "%s-%u",
                                  client->link->name[0] == 'w' ? "phone" : "tv", client->index);
            bytes[at++] = 12;
            bytes[at++] = (uint8_t)length;
            memcpy(bytes + at, name, (size_t)length);
            at += (size_t)length;
        }
        bytes[at] = 255;
        struct packet *packet = packet_new(world, flow, NULL, course[i].from);
        packet->kind = P_RAW;
        packet->raw = bytes;
        packet->length = 300;
        path_send(world, packet);
    }
}
