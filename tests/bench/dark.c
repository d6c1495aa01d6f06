/* Makes the capture of a site that loses its uplink: everything fails, for everybody, at once.
 *
 *     dark SEED CLIENTS WELL_S DARK_S OUT.pcap
 *
 * Each client opens a connection to one of a few services about every 20 s, some of them behind a
 * lookup, and fetches an answer. After WELL_S nothing comes from beyond the gateway, for DARK_S.
 * Then all is well again for WELL_S. While it is dark, SYNs and lookups are sent again as systems
 * do it, and who got nothing tries again soon: a site asks most when nothing answers.
 *
 * A connection is a course of packets with fixed gaps (`course`). All packets' times are known
 * beforehand; they are put into order, then written. In a connection that the dark cuts, nothing
 * follows what never came, apart from the retransmissions of what waits for it. One that comes
 * through lets it go on.
 *
 * Prints one line of JSON: packets, bytes, connections, and the packets of the busiest second.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "messages.h"

#define SECOND   INT64_C(1000000)
#define START_US (1700000000 * SECOND)
#define RESOLVER 0xc0000235 /* 192.0.2.53 */

enum { MSS = 1448, EVERY_S = 20, AGAIN_S = 6, LOOKUP_SHARE = 8, ADDRESSES = 16 /* of a host */ };

static const char *const hosts[] = {
    "ipv4-c001-fra001-ix.1.oca.nflxvideo.net",
    "rr1---sn-4g5e6nzz.googlevideo.com",
    "vod-akc-eu.media.dssott.com",
    "video-edge-c2a1f0.fra02.abs.hls.ttvnw.net",
    "audio-fa.scdn.co",
    "s3-dub-2.cf.dash.row.aiv-cdn.net",
    "www.example.org",
    "cdn.example.org",
};
enum { N_HOSTS = sizeof hosts / sizeof hosts[0] };

/* What one packet of a connection carries. */
enum act { QUERY, REPLY, SYN, SYN_ACK, ACK, HELLO, SERVER_HELLO, DATA, FINISHED, REQUEST, FIN };

/* One connection's packets: who sends, and how long after the one before. */
static const struct step {
    uint8_t act, from; /* from: 0 the client, 1 the server */
    uint32_t after_us;
} course[] = {
    {QUERY, 0, 0},
    {REPLY, 1, 14000},
    {SYN, 0, 600},
    {SYN_ACK, 1, 15000},
    {ACK, 0, 900},
    {HELLO, 0, 400},
    {SERVER_HELLO, 1, 16000},
    {DATA, 1, 80},
    {DATA, 1, 80},
    {FINISHED, 0, 1500},
    {REQUEST, 0, 500},
    {DATA, 1, 20000},
    {DATA, 1, 150},
    {ACK, 0, 100},
    {DATA, 1, 200},
    {DATA, 1, 150},
    {ACK, 0, 100},
    {DATA, 1, 200},
    {DATA, 1, 150},
    {ACK, 0, 100},
    {FIN, 0, 2000000},
    {FIN, 1, 15000},
};
enum { N_STEPS = sizeof course / sizeof course[0], FIRST_OF_TCP = 2 };

/* When a packet that nobody answers is sent again, after the time before. */
static const int64_t again_us[] = {1 * SECOND, 2 * SECOND};
enum { N_AGAIN = sizeof again_us / sizeof again_us[0] };

struct connection {
    struct ends ends;
    uint32_t seq[2], salt;
    uint8_t host;
};

/* A packet that is to be written. */
struct due {
    int64_t at_us;
    uint32_t connection;
    uint8_t step;
    bool again;
};

struct site {
    struct frames frames;
    struct connection *connections;
    struct due *dues;
    size_t n_connections, n_dues, room_connections, room_dues;
    int64_t dark_us, light_us, end_us;
    uint32_t n_clients;
};

static uint64_t random_state;

static uint32_t chance(uint32_t n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % n);
}

static void *grown(void *items, size_t n, size_t *room, size_t size) {
    if (n < *room) return items;
    *room = *room ? 2 * *room : 1 << 16;
    items = realloc(items, *room * size);
    if (!items) {
        fprintf(stderr, "dark: memory\n");
        exit(1);
    }
    return items;
}

static void add_due(struct site *site, int64_t at_us, unsigned step, bool again) {
    site->dues = grown(site->dues, site->n_dues, &site->room_dues, sizeof *site->dues);
    site->dues[site->n_dues++] =
        (struct due){at_us, (uint32_t)(site->n_connections - 1), (uint8_t)step, again};
}

static bool is_dark(const struct site *site, int64_t at_us) {
    return at_us >= site->dark_us && at_us < site->light_us;
}

/* The packets of one connection that begins then. Returns whether it came to its end. */
static bool plan_connection(struct site *site, uint32_t client, int64_t at_us) {
    site->connections = grown(site->connections, site->n_connections, &site->room_connections,
                              sizeof *site->connections);
    uint32_t host = chance(4) ? client % N_HOSTS : chance(N_HOSTS); /* people have favourites */
    site->connections[site->n_connections++] = (struct connection){
        .ends = {{0x0a000000 + client, 0xc6120000 + host * 256 + chance(ADDRESSES)},
                 {(uint16_t)(1024 + chance(64000)), 443},
                 {0}},
        .seq = {chance(UINT32_MAX), chance(UINT32_MAX)},
        .salt = chance(UINT32_MAX),
        .host = (uint8_t)host};
    unsigned asked = chance(LOOKUP_SHARE) == 0 ? 0 : FIRST_OF_TCP;
    for (unsigned i = asked; i < N_STEPS; i++) {
        at_us += course[i].after_us;
        for (unsigned k = 0; course[i].from == 1 && is_dark(site, at_us); k++) {
            if (k == N_AGAIN) return false;
            at_us += again_us[k];
            add_due(site, at_us - course[i].after_us, asked, true);
        }
        if (course[i].from == 0 && course[i].act != ACK) asked = i;
        add_due(site, at_us, i, false);
    }
    return true;
}

static void plan_client(struct site *site, uint32_t client) {
    int64_t at_us = START_US + chance(EVERY_S * 1000) * INT64_C(1000);
    while (at_us < site->end_us) {
        bool served = plan_connection(site, client, at_us);
        uint32_t mean_s = served ? EVERY_S : AGAIN_S;
        at_us += SECOND * 4 + chance(2 * (mean_s - 4) * 1000) * INT64_C(1000);
    }
}

static size_t put_record(uint8_t *bytes, size_t length, uint32_t salt) {
    memcpy(bytes, (uint8_t[]){0x17, 3, 3, (uint8_t)(length >> 8), (uint8_t)length}, 5);
    for (size_t i = 0; i < length; i++) bytes[5 + i] = (uint8_t)(salt * 31 + i * i);
    return 5 + length;
}

static void write_lookup(struct site *site, const struct connection *connection,
                         const struct due *due) {
    uint8_t bytes[256];
    bool reply = course[due->step].act == REPLY;
    struct ends ends = {
        {connection->ends.address[0], RESOLVER}, {connection->ends.port[0], 53}, {0}};
    size_t length = message_dns(bytes, hosts[connection->host], (uint16_t)connection->salt,
                                reply ? connection->ends.address[1] : 0);
    frames_udp(&site->frames, due->at_us, &ends, reply, bytes, length);
}

static void write_due(struct site *site, const struct due *due) {
    struct connection *connection = &site->connections[due->connection];
    const struct step *step = &course[due->step];
    uint8_t bytes[HELLO_MAX];
    unsigned flags = TCP_ACK;
    size_t length = 0;
    switch (step->act) {
    case QUERY:
    case REPLY: write_lookup(site, connection, due); return;
    case SYN: flags = TCP_SYN; break;
    case SYN_ACK: flags = TCP_SYN | TCP_ACK; break;
    case ACK: break;
    case HELLO:
        length = message_client_hello(bytes, hosts[connection->host], connection->salt, false);
        break;
    case SERVER_HELLO:
        length = message_server_hello(bytes, connection->salt);
        length += put_record(bytes + length, MSS - length - 5, connection->salt);
        break;
    case DATA: length = put_record(bytes, MSS - 5, connection->salt); break;
    case FINISHED: length = put_record(bytes, 53, connection->salt); break;
    case REQUEST: length = put_record(bytes, 75, connection->salt); break;
    case FIN: flags |= TCP_FIN; break;
    }
    if (length) flags |= TCP_PUSH;
    unsigned from = step->from;
    uint32_t moved = (uint32_t)length + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
    uint32_t seq = connection->seq[from] - (due->again ? moved : 0);
    frames_tcp(&site->frames, due->at_us, &connection->ends, (int)from, flags, seq,
               flags == TCP_SYN ? 0 : connection->seq[!from], bytes, length);
    if (!due->again) connection->seq[from] += moved;
}

static int by_time(const void *one, const void *other) {
    const struct due *a = one, *b = other;
    if (a->at_us != b->at_us) return a->at_us < b->at_us ? -1 : 1;
    if (a->connection != b->connection) return a->connection < b->connection ? -1 : 1;
    return (int)a->step - (int)b->step;
}

int main(int argc, char **argv) {
    struct site site = {.n_clients = argc == 6 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0};
    if (!site.n_clients) {
        fprintf(stderr, "usage: dark SEED CLIENTS WELL_S DARK_S OUT.pcap\n");
        return 2;
    }
    random_state = strtoull(argv[1], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
    int64_t well_us = strtoll(argv[3], NULL, 10) * SECOND;
    site.dark_us = START_US + well_us;
    site.light_us = site.dark_us + strtoll(argv[4], NULL, 10) * SECOND;
    site.end_us = site.light_us + well_us;
    for (uint32_t client = 0; client < site.n_clients; client++) plan_client(&site, client);
    qsort(site.dues, site.n_dues, sizeof *site.dues, by_time);
    int error = frames_open(&site.frames, argv[5]);
    uint64_t busiest = 0, begin = 0;
    for (size_t i = 0; !error && i < site.n_dues; i++) {
        if (site.dues[i].at_us / SECOND != site.dues[begin].at_us / SECOND) begin = i;
        if (i - begin + 1 > busiest) busiest = i - begin + 1;
        write_due(&site, &site.dues[i]);
    }
    if (!error) error = frames_close(&site.frames);
    if (error) {
        fprintf(stderr, "dark: %s: %s\n", argv[5], strerror(-error));
        return 1;
    }
    printf("{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"connections\":%zu,\"busiest\":%" PRIu64
           "}\n",
           site.frames.packets, site.frames.bytes, site.n_connections, busiest);
    free(site.connections);
    free(site.dues);
    return 0;
}
