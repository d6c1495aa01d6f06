/* Lookups: a stub that asks A (and AAAA) of the site's resolver, waits, asks again, and remembers
 * as long as it is told. */
#include <string.h>

#include "world.h"

enum { TRIES = 3, ANSWER_MAX = 512 };

struct lookup {
    struct flow flow;
    struct client *client;
    struct host *host;
    named_fn *fn;
    void *owner;
    unsigned tries;
    uint16_t id;
    bool done;
    int64_t wait_us;
};

static size_t put_name(uint8_t *out, const char *name) {
    size_t at = 0;
    for (const char *label = name; *label; label += *label == '.') {
        size_t length = strcspn(label, ".");
        out[at++] = (uint8_t)length;
        memcpy(out + at, label, length);
        at += length;
        label += length;
    }
    out[at++] = 0;
    return at;
}

static void put16(uint8_t *at, unsigned value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static size_t put_question(uint8_t *out, const struct lookup *lookup, bool six, unsigned flags) {
    memset(out, 0, 12);
    put16(out, lookup->id + six);
    put16(out + 2, flags);
    put16(out + 4, 1);
    size_t length = 12 + put_name(out + 12, lookup->host->name);
    put16(out + length, six ? 28 : 1);
    put16(out + length + 2, 1);
    return length + 4;
}

static size_t put_record(uint8_t *out, unsigned name, unsigned type, unsigned ttl_s,
                         const uint8_t *data, size_t size) {
    put16(out, name);
    put16(out + 2, type);
    put16(out + 4, 1);
    put16(out + 6, ttl_s >> 16);
    put16(out + 8, ttl_s & 0xffff);
    put16(out + 10, (unsigned)size);
    memcpy(out + 12, data, size);
    return 12 + size;
}

static void send_lookup(struct world *world, struct lookup *lookup, int from, bool six,
                        const uint8_t *bytes, size_t length) {
    struct packet *packet = packet_new(world, &lookup->flow, NULL, from);
    uint8_t *raw = world_new(length);
    memcpy(raw, bytes, length);
    packet->kind = P_RAW;
    packet->raw = raw;
    packet->length = (uint32_t)length;
    packet->flags = six;
    packet->owner = lookup;
    path_send(world, packet);
}

static void finish(struct world *world, struct lookup *lookup, bool good, unsigned ttl_s) {
    if (lookup->done) return;
    lookup->done = true;
    if (good) {
        double kept_s = lookup->client->names_until[lookup->host->id] < 0 ? 60 : ttl_s;
        lookup->client->names_until[lookup->host->id] = world->now_us + (int64_t)(kept_s * SECOND);
        faults_well(world, lookup->client, NULL, NULL);
    }
    lookup->fn(world, lookup->owner, good);
}

static void ask(struct world *world, void *object, uint64_t unused) {
    struct lookup *lookup = object;
    if (lookup->done) return;
    if (lookup->tries++ >= TRIES) {
        finish(world, lookup, false, 0);
        return;
    }
    uint8_t bytes[ANSWER_MAX];
    send_lookup(world, lookup, CLIENT, false, bytes, put_question(bytes, lookup, false, 0x0100));
    if (lookup->client->dual)
        send_lookup(world, lookup, CLIENT, true, bytes, put_question(bytes, lookup, true, 0x0100));
    world_at(world, world->now_us + lookup->wait_us, ask, lookup, 0);
}

static size_t put_answers(struct world *world, const struct lookup *lookup, bool six, uint8_t *out,
                          unsigned ttl_s) {
    const struct host *host = lookup->host;
    size_t length = put_question(out, lookup, six, 0x8180);
    unsigned name = 0xc00c, n = 0;
    if (host->cname[0]) {
        uint8_t target[NAME_MAX_LEN + 2];
        size_t size = put_name(target, host->cname), at = length;
        length += put_record(out + length, name, 5, ttl_s, target, size);
        name = 0xc000 + (unsigned)at + 12;
        n++;
    }
    for (unsigned i = 0; i < host->n_addresses; i++, n++) {
        struct ip ip = place_address(host->place, six, host->address + i);
        length += put_record(out + length, name, six ? 28 : 1, ttl_s, ip.bytes, six ? 16 : 4);
    }
    put16(out + 6, n);
    return length;
}

static void answer(struct world *world, void *object, uint64_t six) {
    struct lookup *lookup = object;
    uint8_t bytes[ANSWER_MAX];
    struct fault *fault = fault_names(world, lookup->client, lookup->host);
    if (fault) fault_saw(world, fault, lookup->client, lookup->host->service);
    size_t length;
    bool blocked =
        world->blocked_name[lookup->host->id] || (fault && fault->row->act == NAMES_LOCAL);
    if (fault && fault->row->act == NAMES_TIMEOUT) return;
    if (blocked) {
        length = put_question(bytes, lookup, six, 0x8180);
        if (!six) {
            length += put_record(bytes + length, 0xc00c, 1, 10, (const uint8_t *)"\0\0\0\0", 4);
            put16(bytes + 6, 1);
        }
    } else if (world->no_name[lookup->host->id]) {
        length = put_question(bytes, lookup, six, 0x8183);
    } else if (fault) {
        length =
            put_question(bytes, lookup, six, fault->row->act == NAMES_NXDOMAIN ? 0x8183 : 0x8182);
    } else {
        length = put_answers(world, lookup, six, bytes,
                             lookup->host->ttl_s / 2 + chance(world, lookup->host->ttl_s / 2 + 1));
    }
    send_lookup(world, lookup, SERVER, six, bytes, length);
}

void name_arrive(struct world *world, struct packet *packet) {
    struct lookup *lookup = packet->owner;
    if (!lookup || packet->kind != P_RAW) return;
    if (packet->from == CLIENT) {
        int64_t think_us = likely(world, 0.2) ? (int64_t)waiting(world, 40 * MS) : 300;
        world_at(world, world->now_us + think_us, answer, lookup, packet->flags);
        return;
    }
    if (packet->flags) return; /* the program waits for A */
    unsigned code = packet->raw[3] & 15, n = packet->raw[7];
    bool blocked = world->blocked_name[lookup->host->id];
    if (code == 2 && lookup->tries < 2) {
        lookup->tries = lookup->tries < 2 ? 2 : lookup->tries;
        ask(world, lookup, 0); /* stubs ask once more at once */
        return;
    }
    finish(world, lookup, !blocked && code == 0 && n, lookup->host->ttl_s);
}

struct waiting_doh {
    named_fn *fn;
    void *owner;
};

void name_lookup(struct world *world, struct client *client, struct host *host, named_fn *fn,
                 void *owner) {
    if (client->names_until[host->id] > world->now_us || (client->doh && host == world->doh)) {
        fn(world, owner, true);
        return;
    }
    if (client->doh) { /* its names are in another connection; here only time passes */
        client->names_until[host->id] = world->now_us + host->ttl_s * SECOND;
        fn(world, owner, true);
        return;
    }
    struct lookup *lookup = world_new(sizeof *lookup);
    *lookup = (struct lookup){.client = client,
                              .host = host,
                              .fn = fn,
                              .owner = owner,
                              .id = (uint16_t)chance(world, 65535)};
    flow_init(world, &lookup->flow, client, NULL, false, true, 53);
    lookup->wait_us = (client->index % 3 == 0 ? 1 : client->index % 3 == 1 ? 2 : 5) * SECOND;
    ask(world, lookup, 0);
}
