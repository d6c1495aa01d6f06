/* Makes the captures of the benchmark from a seed, so that anybody measures on the same packets.
 *
 *     generate mix|bulk|churn SEED PACKETS OUT.pcap
 *
 * - mix: three minutes of a busy gateway: pages, players over TLS and QUIC, lookups before some of
 *   them, some plain HTTP and some UDP of no known protocol. Three in four flows are alive at the
 *   same time, one third into the capture: a table that only looks good while it fits into the
 *   cache must show it.
 * - bulk: 300 players that do nothing but receive.
 * - churn: 19 of 20 packets are the first of a new 5-tuple, as in a flood of SYNs; a few are
 *   answered.
 *
 * Names are sent as real ones are (messages.h); bodies are noise, as they are when encrypted, with
 * TLS record headers at their places. In long answers one packet in 500 is lost, before or beyond
 * the vantage, and sent again. A flow is a small machine that says its next packet; a heap orders
 * all flows' next packets by time. Mixes end when their flows do, near PACKETS.
 *
 * Prints one line of JSON: packets, bytes, flows, and flows between their first and last packet at
 * the peak.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "messages.h"

enum { MSS = 1448, RECORD = 8192, BULK_FLOWS = 300, MEAN_PACKETS = 46 };
#define SECOND   INT64_C(1000000)
#define START_US (1700000000 * SECOND)

struct host {
    const char *name;
    bool media;
};

static const struct host hosts[] = {
    {"ipv4-c001-fra001-ix.1.oca.nflxvideo.net", true},
    {"rr1---sn-4g5e6nzz.googlevideo.com", true},
    {"vod-akc-eu.media.dssott.com", true},
    {"video-edge-c2a1f0.fra02.abs.hls.ttvnw.net", true},
    {"audio-fa.scdn.co", true},
    {"s3-dub-2.cf.dash.row.aiv-cdn.net", true},
    {"skyfire.vimeocdn.com", true},
    {"api-global.netflix.com", false},
    {"www.youtube.com", false},
    {"i.ytimg.com", false},
    {"www.disneyplus.com", false},
    {"gql.twitch.tv", false},
    {"api.spotify.com", false},
    {"www.primevideo.com", false},
    {"www.example.org", false},
    {"news.example.com", false},
    {"shop.example.net", false},
    {"mail.example.com", false},
    {"cdn.example.org", false},
    {"static.example.net", false},
    {"maps.example.com", false},
    {"img.example.org", false},
    {"app.example.net", false},
    {"login.example.org", false},
    {"fonts.example.com", false},
    {"ads.example.net", false},
    {"game.example.org", false},
};
enum { N_HOSTS = sizeof hosts / sizeof hosts[0], N_MEDIA = 7, ADDRESSES = 64 /* of each host */ };

enum kind { WEB, PLAYER, QUIC, HTTP, OTHER_UDP, N_KINDS };

/* What a kind of connection is like: one row decides how packets spread over a capture. */
struct habit {
    uint8_t share; /* of 100 connections of the mix */
    /* of 100: a DNS lookup first; resolvers and browsers remember the rest */
    uint8_t lookups;
    /* of 100: over within seconds; the others last until the capture's later part */
    uint8_t short_lived;
    bool media;
    uint8_t requests;      /* 1 to this many */
    uint8_t packets, more; /* of the server in an answer: at least, and up to this many more */
    uint16_t port;
};

static const struct habit habits[N_KINDS] = {
    [WEB] = {62, 14, 8, false, 22, 1, 1, 443},         [PLAYER] = {9, 12, 4, true, 2, 14, 36, 443},
    [QUIC] = {12, 12, 6, true, 3, 4, 16, 443},         [HTTP] = {6, 15, 10, false, 4, 1, 8, 80},
    [OTHER_UDP] = {11, 0, 5, false, 1, 24, 60, 27015},
};

/* One direction of a TLS or HTTP connection's data: where it is, and where in a record and an
 * answer. */
struct stream {
    uint32_t seq, answer_left;
    uint16_t record_length, record_at; /* of the record with its header; equal: none is begun */
};

struct flow {
    int64_t next_us, end_us;
    struct ends ends;
    struct stream server, lost; /* `lost`: a segment that must be sent again */
    uint32_t seq, salt;         /* the client's; what makes this flow's random fields its own */
    uint8_t kind, host, step, requests_left, packets_left, unacked;
    uint8_t lost_in; /* data packets until `lost` is sent again; 0: none is lost */
    bool looks_up, hybrid, owes_tickets;
};

struct capture {
    struct frames frames;
    bool bulk;
    int64_t begin_us, last_us; /* flows begin until; and end until */
    uint32_t n_clients;
    uint64_t flows, alive, alive_peak;
};

/* ---- chance and noise ---- */

static uint64_t random_state;

static uint32_t chance(uint32_t n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % n);
}

static uint8_t noise[1 << 16];

static void make_noise(void) {
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)chance(256);
}

/* Up to 2 KiB of noise; the same for the same key, so that a segment sent again is the same
 * segment. */
static const uint8_t *noise_of(uint32_t key) {
    return noise + (key * 2654435761u >> 16) % (sizeof noise - 2048);
}

/* ---- TCP ---- */

static void from_client(struct capture *capture, struct flow *flow, unsigned flags,
                        const uint8_t *payload, size_t length) {
    uint32_t ack = flow->lost_in ? flow->lost.seq : flow->server.seq;
    frames_tcp(&capture->frames, flow->next_us, &flow->ends, 0, flags, flow->seq, ack, payload,
               length);
    flow->seq += (uint32_t)length + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
}

static void from_server(struct capture *capture, struct flow *flow, unsigned flags,
                        const uint8_t *payload, size_t length) {
    frames_tcp(&capture->frames, flow->next_us, &flow->ends, 1, flags, flow->server.seq, flow->seq,
               payload, length);
    flow->server.seq += (uint32_t)length + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
}

/* An application_data record of noise. */
static size_t make_record(uint8_t *bytes, const struct flow *flow, size_t length) {
    memcpy(bytes, (uint8_t[]){0x17, 3, 3, (uint8_t)(length >> 8), (uint8_t)length}, 5);
    memcpy(bytes + 5, noise_of(flow->salt + flow->seq), length);
    return 5 + length;
}

/* The next `length` bytes of the server's records; answers end where a record ends. */
static void fill_records(struct stream *stream, uint8_t *bytes, size_t length) {
    memcpy(bytes, noise_of(stream->seq), length);
    for (size_t at = 0; at < length;) {
        if (stream->record_at == stream->record_length) {
            bool last = stream->answer_left <= RECORD + 64;
            stream->record_length = (uint16_t)(last ? stream->answer_left : RECORD);
            stream->record_at = 0;
        }
        unsigned body = stream->record_length - 5u;
        const uint8_t header[5] = {0x17, 3, 3, (uint8_t)(body >> 8), (uint8_t)body};
        for (; stream->record_at < 5 && at < length;
             at++, stream->record_at++, stream->answer_left--)
            bytes[at] = header[stream->record_at];
        size_t n = (size_t)(stream->record_length - stream->record_at);
        if (n > length - at) n = length - at;
        stream->record_at += (uint16_t)n;
        stream->answer_left -= (uint32_t)n;
        at += n;
    }
}

static void send_segment(struct capture *capture, struct flow *flow, bool seen) {
    uint8_t bytes[MSS];
    size_t length = flow->server.answer_left < MSS ? flow->server.answer_left : MSS;
    unsigned flags = flow->server.answer_left > MSS ? TCP_ACK : TCP_ACK | TCP_PUSH;
    if (flow->kind == HTTP) {
        memcpy(bytes, noise_of(flow->server.seq), length);
        flow->server.answer_left -= (uint32_t)length;
    } else {
        fill_records(&flow->server, bytes, length);
    }
    if (seen)
        from_server(capture, flow, flags, bytes, length);
    else
        flow->server.seq += (uint32_t)length;
}

/* One packet of an answer: data, or an acknowledgement of every second one and of the last, or what
 * was lost three packets ago. */
static void send_answer(struct capture *capture, struct flow *flow) {
    if (flow->unacked == 2 || !flow->packets_left) {
        from_client(capture, flow, TCP_ACK, NULL, 0);
        flow->unacked = 0;
        return;
    }
    flow->unacked++;
    if (flow->lost_in && --flow->lost_in == 0) {
        struct stream now = flow->server;
        flow->server = flow->lost;
        send_segment(capture, flow, true);
        flow->server = now;
        return;
    }
    bool lose = !flow->lost_in && flow->packets_left > 4 && chance(500) == 0;
    if (lose) {
        flow->lost = flow->server;
        flow->lost_in = 3;
    }
    send_segment(capture, flow, !(lose && flow->salt & 1));
    flow->packets_left--;
}

static void begin_answer(struct flow *flow) {
    const struct habit *habit = &habits[flow->kind];
    flow->packets_left = (uint8_t)(habit->packets + chance(habit->more + 1u));
    flow->server.answer_left = (flow->packets_left - 1u) * MSS + 40 + chance(1 + chance(MSS - 40));
    flow->server.record_at = flow->server.record_length;
    flow->unacked = 0;
}

/* When the next request comes: what is left of the flow's time, shared by what is left to ask. */
static void wait_for_request(struct flow *flow) {
    int64_t share_us = (flow->end_us - flow->next_us) / (flow->requests_left + 1);
    if (share_us > 20000)
        flow->next_us += share_us * 3 / 4 + chance((uint32_t)share_us / 2);
    else
        flow->next_us += 20000;
}

/* ---- flows: each call sends one packet and says when the next one comes; false behind the last
 * ---- */

static void send_request(struct capture *capture, struct flow *flow) {
    uint8_t bytes[1024];
    size_t length = flow->kind == HTTP ? message_http_request(bytes, sizeof bytes,
                                                              hosts[flow->host].name, flow->seq)
                                       : make_record(bytes, flow, 330 + chance(350));
    from_client(capture, flow, TCP_ACK | TCP_PUSH, bytes, length);
    begin_answer(flow);
}

static void send_http_head(struct capture *capture, struct flow *flow) {
    uint8_t bytes[256];
    size_t length = message_http_head(bytes, sizeof bytes, flow->server.answer_left);
    from_server(capture, flow, TCP_ACK | TCP_PUSH, bytes, length);
}

/* Two NewSessionTicket messages: they come an RTT after the client's Finished, when it has asked
 * already. */
static void send_tickets(struct capture *capture, struct flow *flow) {
    uint8_t bytes[600];
    size_t length = make_record(bytes, flow, 250);
    length += make_record(bytes + length, flow, 250);
    from_server(capture, flow, TCP_ACK | TCP_PUSH, bytes, length);
    flow->owes_tickets = false;
}

/* The first or only segment of the ClientHello, or the second one. */
static void send_client_hello(struct capture *capture, struct flow *flow, bool second) {
    uint8_t bytes[HELLO_MAX];
    size_t length = message_client_hello(bytes, hosts[flow->host].name, flow->salt, flow->hybrid);
    size_t from = second ? MSS : 0, to = !second && length > MSS ? MSS : length;
    from_client(capture, flow, to == length ? TCP_ACK | TCP_PUSH : TCP_ACK, bytes + from,
                to - from);
}

/* ServerHello, change_cipher_spec, and the first bytes of three segments of encrypted handshake. */
static void send_server_hello(struct capture *capture, struct flow *flow) {
    uint8_t bytes[MSS];
    size_t length = message_server_hello(bytes, flow->salt);
    flow->server.answer_left = (uint32_t)(3 * MSS - length);
    flow->server.record_at = flow->server.record_length;
    fill_records(&flow->server, bytes + length, MSS - length);
    from_server(capture, flow, TCP_ACK, bytes, MSS);
}

enum tcp_step {
    SYN,
    SYN_ACK,
    ACK,
    HELLO,
    HELLO_2,
    SERVER_HELLO,
    SERVER_2,
    SERVER_3,
    FINISHED,
    REQUEST,
    TICKETS,
    HEAD,
    ANSWER,
    CLIENT_FIN,
    SERVER_FIN,
};

/* What follows a handshake step, and after how long. */
static const struct {
    uint8_t next;
    uint32_t after_us;
} tcp_course[] = {
    [SYN] = {SYN_ACK, 15000},
    [SYN_ACK] = {ACK, 900},
    [ACK] = {HELLO, 400},
    [HELLO] = {SERVER_HELLO, 16000},
    [HELLO_2] = {SERVER_HELLO, 16000},
    [SERVER_HELLO] = {SERVER_2, 80},
    [SERVER_2] = {SERVER_3, 80},
    [SERVER_3] = {FINISHED, 1500},
    [FINISHED] = {REQUEST, 500},
    [REQUEST] = {ANSWER, 20000},
    [TICKETS] = {ANSWER, 4000},
    [HEAD] = {ANSWER, 100},
    [ANSWER] = {ANSWER, 0},
    [CLIENT_FIN] = {SERVER_FIN, 15000},
    [SERVER_FIN] = {SERVER_FIN, 0},
};

static bool step_tcp(struct capture *capture, struct flow *flow) {
    unsigned at = flow->step;
    uint8_t bytes[80];
    switch (at) {
    case SYN: from_client(capture, flow, TCP_SYN, NULL, 0); break;
    case SYN_ACK: from_server(capture, flow, TCP_SYN | TCP_ACK, NULL, 0); break;
    case ACK: from_client(capture, flow, TCP_ACK, NULL, 0); break;
    case HELLO:
    case HELLO_2: send_client_hello(capture, flow, at == HELLO_2); break;
    case SERVER_HELLO: send_server_hello(capture, flow); break;
    case SERVER_2:
    case SERVER_3: send_segment(capture, flow, true); break;
    case FINISHED:
        from_client(capture, flow, TCP_ACK | TCP_PUSH, bytes, make_record(bytes, flow, 53));
        break;
    case REQUEST: send_request(capture, flow); break;
    case TICKETS: send_tickets(capture, flow); break;
    case HEAD: send_http_head(capture, flow); break;
    case ANSWER: send_answer(capture, flow); break;
    case CLIENT_FIN: from_client(capture, flow, TCP_FIN | TCP_ACK, NULL, 0); break;
    default: from_server(capture, flow, TCP_FIN | TCP_ACK, NULL, 0); return false;
    }
    flow->step = tcp_course[at].next;
    flow->next_us += tcp_course[at].after_us;
    if (at == ACK && flow->kind == HTTP) flow->step = REQUEST;
    if (at == HELLO && flow->hybrid) flow->step = HELLO_2, flow->next_us -= 15950;
    if (at == REQUEST && flow->kind == HTTP) flow->step = HEAD;
    if (at == FINISHED) flow->owes_tickets = true;
    if (at == REQUEST && flow->owes_tickets) flow->step = TICKETS, flow->next_us -= 4000;
    if (at == ANSWER) {
        flow->next_us += 150 + chance(2500);
        if (!flow->packets_left && !flow->unacked) {
            flow->step = --flow->requests_left ? REQUEST : CLIENT_FIN;
            wait_for_request(flow);
        }
    }
    return true;
}

static void send_short(struct capture *capture, struct flow *flow, int from, size_t length) {
    uint8_t bytes[DATAGRAM_MAX];
    memcpy(bytes, noise_of(flow->seq++), length);
    message_quic_short(bytes, flow->salt, from);
    frames_udp(&capture->frames, flow->next_us, &flow->ends, from, bytes, length);
}

static bool step_quic(struct capture *capture, struct flow *flow) {
    uint8_t bytes[DATAGRAM_MAX];
    const char *host = hosts[flow->host].name;
    int64_t *next = &flow->next_us;
    struct frames *frames = &capture->frames;
    size_t length;
    switch (flow->step++) {
    case 0:
    case 1:
        length = message_quic_client(bytes, host, flow->salt, flow->hybrid, flow->step - 1u);
        frames_udp(frames, *next, &flow->ends, 0, bytes, length);
        flow->step = flow->hybrid && flow->step == 1 ? 1 : 2;
        *next += flow->step == 1 ? 60 : 17000;
        return true;
    case 2:
        frames_udp(frames, *next, &flow->ends, 1, bytes, message_quic_server(bytes, flow->salt));
        *next += 1000;
        return true;
    case 3:
        frames_udp(frames, *next, &flow->ends, 0, bytes,
                   message_quic_handshake(bytes, flow->salt, 70));
        *next += 500;
        return true;
    case 4:
        send_short(capture, flow, 0, 330 + chance(350));
        begin_answer(flow);
        *next += 18000;
        return true;
    default: break;
    }
    flow->step = 5;
    if (flow->unacked == 5 || !flow->packets_left) {
        send_short(capture, flow, 0, 36);
        flow->unacked = 0;
    } else {
        send_short(capture, flow, 1, DATAGRAM_MAX);
        flow->unacked++;
        flow->packets_left--;
    }
    *next += 150 + chance(2500);
    if (flow->packets_left || flow->unacked) return true;
    flow->step = 4;
    wait_for_request(flow);
    return --flow->requests_left > 0;
}

/* A game or a tunnel: small packets of noise both ways for as long as the flow lasts. */
static bool step_other(struct capture *capture, struct flow *flow) {
    if (flow->step == 0) begin_answer(flow);
    const uint8_t *bytes = noise_of(flow->salt + flow->seq++);
    frames_udp(&capture->frames, flow->next_us, &flow->ends, flow->step & 1, bytes,
               60 + chance(400));
    flow->step = flow->step == 1 ? 2 : 1;
    int64_t share_us = (flow->end_us - flow->next_us) / (flow->packets_left + 1);
    flow->next_us += share_us > 0 ? share_us : 20000;
    return flow->packets_left-- > 0;
}

static void send_lookup(struct capture *capture, const struct flow *flow, uint32_t answer) {
    uint8_t bytes[256];
    uint16_t port = (uint16_t)(1024 + flow->salt % 60000);
    struct ends ends = {{flow->ends.address[0], 0xc0000235 /* 192.0.2.53 */}, {port, 53}, {0}};
    size_t length = message_dns(bytes, hosts[flow->host].name, (uint16_t)flow->salt, answer);
    frames_udp(&capture->frames, flow->next_us, &ends, answer != 0, bytes, length);
}

static void count_alive(struct capture *capture, int change) {
    capture->alive += (uint64_t)(int64_t)change;
    if (change > 0) capture->flows++;
    if (capture->alive > capture->alive_peak) capture->alive_peak = capture->alive;
}

static bool step(struct capture *capture, struct flow *flow) {
    enum { REPLY = 255 }; /* a step before the connection's own */
    if (flow->looks_up) {
        send_lookup(capture, flow, flow->step == REPLY ? flow->ends.address[1] : 0);
        count_alive(capture, flow->step == REPLY ? -1 : 1);
        flow->next_us += flow->step == REPLY ? 1500 : 12000;
        flow->looks_up = flow->step != REPLY;
        flow->step = flow->looks_up ? REPLY : 0;
        return true;
    }
    if (flow->step == 0) count_alive(capture, 1);
    bool more = flow->kind == QUIC        ? step_quic(capture, flow)
                : flow->kind == OTHER_UDP ? step_other(capture, flow)
                                          : step_tcp(capture, flow);
    if (!more) count_alive(capture, -1);
    return more;
}

/* ---- the crowd ---- */

static enum kind choose_kind(void) {
    unsigned lot = chance(100), kind = 0;
    while (lot >= habits[kind].share) lot -= habits[kind++].share;
    return kind;
}

static void begin_flow(const struct capture *capture, struct flow *flow, int64_t at_us) {
    enum kind kind = capture->bulk ? PLAYER : choose_kind();
    const struct habit *habit = &habits[kind];
    uint32_t client = chance(capture->n_clients);
    /* people have their favourites */
    unsigned host = habit->media ? (client + chance(2)) % N_MEDIA : chance(N_HOSTS);
    *flow = (struct flow){
        .next_us = at_us, .kind = (uint8_t)kind, .host = (uint8_t)host, .salt = chance(UINT32_MAX)};
    uint32_t server = 0xc6120000 + host * ADDRESSES + chance(ADDRESSES); /* in 198.18.0.0/15 */
    uint16_t port = (uint16_t)(1024 + chance(64000));
    flow->ends = (struct ends){{0x0a000000 + client, server}, {port, habit->port}, {0}};
    flow->seq = chance(UINT32_MAX);
    flow->server.seq = chance(UINT32_MAX);
    flow->looks_up = !capture->bulk && chance(100) < habit->lookups;
    flow->hybrid = chance(3) == 0;
    flow->requests_left = (uint8_t)(capture->bulk ? 255 : 1 + chance(habit->requests));
    bool brief = capture->bulk || chance(100) < habit->short_lived;
    int64_t later_us = capture->begin_us + 20 * SECOND;
    flow->end_us = brief ? at_us + SECOND + chance(3 * SECOND)
                         : later_us + chance((uint32_t)(capture->last_us - later_us));
}

static void sift_down(struct flow **heap, size_t n, size_t at) {
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && heap[child + 1]->next_us < heap[child]->next_us) child++;
        if (heap[at]->next_us <= heap[child]->next_us) return;
        struct flow *swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

static int make_crowd(struct capture *capture, uint64_t n_packets) {
    size_t n_flows = capture->bulk ? BULK_FLOWS : n_packets / MEAN_PACKETS + 1;
    struct flow *flows = calloc(n_flows, sizeof *flows), **heap = calloc(n_flows, sizeof *heap);
    if (!flows || !heap) return -1;
    capture->n_clients = (uint32_t)(n_flows / 38 + 1);
    capture->begin_us = START_US + (capture->bulk ? 1 : 60) * SECOND;
    capture->last_us = START_US + 180 * SECOND;
    for (size_t i = 0; i < n_flows; i++) {
        int64_t offset_us =
            (int64_t)((double)i / (double)n_flows * (double)(capture->begin_us - START_US));
        begin_flow(capture, &flows[i], START_US + offset_us);
        heap[i] = &flows[i]; /* in order of time already: a heap */
    }
    while (n_flows && (!capture->bulk || capture->frames.packets < n_packets)) {
        if (!step(capture, heap[0])) {
            if (capture->bulk)
                begin_flow(capture, heap[0], heap[0]->next_us + 20000);
            else
                heap[0] = heap[--n_flows];
        }
        sift_down(heap, n_flows, 0);
    }
    free(flows);
    free(heap);
    return 0;
}

/* A million new tuples a minute from everywhere; one SYN in twenty is answered. */
static void make_churn(struct capture *capture, uint64_t n_packets) {
    int64_t at_us = START_US;
    while (capture->frames.packets < n_packets) {
        uint32_t client = 0x0a000000 + chance(1 << 24),
                 server = 0xc6120000 + chance(N_HOSTS * ADDRESSES);
        struct ends ends = {{client, server}, {(uint16_t)(1024 + chance(64000)), 443}, {0}};
        uint32_t seq = chance(UINT32_MAX);
        at_us += 20 + chance(80);
        frames_tcp(&capture->frames, at_us, &ends, 0, TCP_SYN, seq, 0, NULL, 0);
        if (chance(20) == 0)
            frames_tcp(&capture->frames, at_us + 15, &ends, 1, TCP_SYN | TCP_ACK,
                       chance(UINT32_MAX), seq + 1, NULL, 0);
        capture->flows++;
    }
    capture->alive_peak = capture->flows; /* none of them ends */
}

int main(int argc, char **argv) {
    struct capture capture = {0};
    const char *kind = argc == 5 ? argv[1] : "";
    if (strcmp(kind, "mix") != 0 && strcmp(kind, "bulk") != 0 && strcmp(kind, "churn") != 0) {
        fprintf(stderr, "usage: generate mix|bulk|churn SEED PACKETS OUT.pcap\n");
        return 2;
    }
    random_state = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
    uint64_t n_packets = strtoull(argv[3], NULL, 10);
    int error = frames_open(&capture.frames, argv[4]);
    if (!error) {
        make_noise();
        capture.bulk = strcmp(kind, "bulk") == 0;
        if (strcmp(kind, "churn") == 0)
            make_churn(&capture, n_packets);
        else
            error = make_crowd(&capture, n_packets);
        int closed = frames_close(&capture.frames);
        error = error ? error : closed;
    }
    if (error) {
        fprintf(stderr, "generate: %s: %s\n", argv[4], strerror(-error));
        return 1;
    }
    printf("{\"capture\":\"%s\",\"seed\":%s,\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",", kind,
           argv[2], capture.frames.packets, capture.frames.bytes);
    printf("\"flows\":%" PRIu64 ",\"alive\":%" PRIu64 "}\n", capture.flows, capture.alive_peak);
    return 0;
}
