/* Weaves a capture from flows of other captures: real handshakes, names, protocols, gaps and
 * losses, in a mix that nobody designed.
 *
 *      weave mix|bulk|churn SEED PACKETS OUT.pcap CAPTURE...
 *
 * Each capture is cut into flows (5-tuples, either way round), and each flow is a template: its
 * packets from the IP header on, with the times between them. An instance of a template is the same
 * packets under another client, client port and server address, from another moment on. Servers of
 * one /24 (or /48) stay in one; DNS answers are rewritten alike, so that an address still belongs
 * to the name that was asked for. One client in FAILING gets no answer: its SYNs, requests and
 * lookups are sent, and again after 1 and 3 s. One IPv4 instance in WIDENED goes out as IPv6.
 *
 *      mix     any template, each as likely as another; three in four rest for 60 to 120 s
 * somewhere on their way, as connections that are kept do, so that most instances are alive at once
 *      bulk    300 instances of the heaviest, each begun anew when it ends
 *      churn   first packets only, each of a 5-tuple of its own
 *
 * Checksums of whole packets are made anew, since a capture taken where a network card computes
 * them has none; those of snapped ones are carried over by difference (RFC 1624).
 *
 * What is not real: the same few hundred flows again and again; clients whose flows have nothing to
 * do with each other; addresses inside of payloads other than DNS.
 *
 * Prints one line of JSON: packets, bytes, flows, templates, and flows alive at the peak.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEMPLATES_MAX = 8192,
    PACKETS_MAX = 4000,
    KEPT_BYTES_MAX = 400 << 20,
    FAILING = 50,
    WIDENED = 5,
    BULK_FLOWS = 300,
    CLIENTS = 40000,
    HEAVY_SHARE = 20,
};
#define SECOND   INT64_C(1000000)
#define START_US (1700000000 * SECOND)
#define SPAN_US  (180 * SECOND)

/* ---- templates ---- */

struct packet {
    int64_t after_us;      /* the template's first */
    uint32_t length, wire; /* kept bytes from the IP header on; as they were on the wire */
    uint8_t *bytes;
    bool up;
};
struct template {
    uint8_t version, protocol; /* 4, 6; TCP, UDP */
    uint8_t client[16], server[16];
    uint16_t client_port, server_port;
    struct packet *packets;
    uint32_t n, room;
    uint64_t wire_bytes;
};
static struct template templates[TEMPLATES_MAX];
static uint32_t n_templates, heaviest[TEMPLATES_MAX];
static uint64_t kept_bytes;

static uint64_t seed_state;
static uint64_t draw(void) /* splitmix64 */
{
    uint64_t z = seed_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
static uint64_t mix(uint64_t value, uint64_t salt) {
    uint64_t before = seed_state;
    seed_state = value * UINT64_C(0xd6e8feb86659fd93) ^ salt;
    uint64_t mixed = draw();
    seed_state = before;
    return mixed;
}

/* The IP packet inside of a frame, and its length; NULL: none, or in something that is not opened
 * here. */
static const uint8_t *find_ip(int link, const uint8_t *frame, uint32_t caplen,
                              uint32_t *ret_offset) {
    uint32_t at;
    uint16_t type = 0;
    if (link == DLT_EN10MB && caplen >= 14) {
        at = 14;
        type = (uint16_t)(frame[12] << 8 | frame[13]);
        while ((type == 0x8100 || type == 0x88a8) && caplen >= at + 4) {
            type = (uint16_t)(frame[at + 2] << 8 | frame[at + 3]);
            at += 4;
        }
    } else if (link == DLT_LINUX_SLL && caplen >= 16) {
        at = 16;
        type = (uint16_t)(frame[14] << 8 | frame[15]);
    } else if (link == DLT_RAW || link == DLT_IPV4 || link == DLT_IPV6) {
        at = 0;
        type = caplen && frame[0] >> 4 == 6 ? 0x86dd : 0x0800;
    } else if ((link == DLT_NULL || link == DLT_LOOP) && caplen >= 4) {
        at = 4;
        type = caplen > 4 && frame[4] >> 4 == 6 ? 0x86dd : 0x0800;
    } else
        return NULL;
    if (type != 0x0800 && type != 0x86dd) return NULL;
    *ret_offset = at;
    return frame + at;
}

struct view { /* of one IP packet */
    uint8_t version, protocol;
    const uint8_t *from, *to;
    uint16_t from_port, to_port;
    uint32_t header; /* of IP */
    uint8_t tcp_flags;
};

static bool read_ip(const uint8_t *ip, uint32_t length, struct view *view) {
    if (length < 20) return false;
    view->version = ip[0] >> 4;
    if (view->version == 4) {
        view->header = (uint32_t)(ip[0] & 15) * 4;
        view->protocol = ip[9];
        view->from = ip + 12;
        view->to = ip + 16;
        if ((ip[6] & 0x3f) || ip[7]) return false; /* a fragment */
    } else if (view->version == 6 && length >= 40) {
        view->header = 40;
        view->protocol = ip[6];
        view->from = ip + 8;
        view->to = ip + 24;
    } else
        return false;
    uint32_t least = view->protocol == IPPROTO_TCP   ? 20
                     : view->protocol == IPPROTO_UDP ? 8
                                                     : UINT32_MAX;
    if (view->header < 20 || least == UINT32_MAX || length < view->header + least) return false;
    const uint8_t *transport = ip + view->header;
    view->from_port = (uint16_t)(transport[0] << 8 | transport[1]);
    view->to_port = (uint16_t)(transport[2] << 8 | transport[3]);
    view->tcp_flags = view->protocol == IPPROTO_TCP ? transport[13] : 0;
    return true;
}

static struct template *find_template(uint32_t first, const struct view *view, bool *ret_up) {
    size_t n = view->version == 4 ? 4 : 16;
    for (uint32_t i = n_templates; i-- > first;) {
        struct template *one = &templates[i];
        if (one->version != view->version || one->protocol != view->protocol) continue;
        *ret_up = one->client_port == view->from_port && one->server_port == view->to_port &&
                  memcmp(one->client, view->from, n) == 0 && memcmp(one->server, view->to, n) == 0;
        if (*ret_up ||
            (one->client_port == view->to_port && one->server_port == view->from_port &&
             memcmp(one->client, view->to, n) == 0 && memcmp(one->server, view->from, n) == 0))
            return one;
    }
    return NULL;
}

/* The client is who sends the SYN, or sent first; or has the higher port, where the first packet
 * seen is an answer's. */
static struct template *new_template(const struct view *view, bool *ret_up) {
    if (n_templates == TEMPLATES_MAX) return NULL;
    bool answer = (view->tcp_flags & 0x12) == 0x12 ||
                  (!(view->tcp_flags & 2) && view->from_port < 1024 && view->to_port >= 1024);
    struct template *one = &templates[n_templates++];
    size_t n = view->version == 4 ? 4 : 16;
    *one = (struct template){.version = view->version, .protocol = view->protocol};
    memcpy(one->client, answer ? view->to : view->from, n);
    memcpy(one->server, answer ? view->from : view->to, n);
    one->client_port = answer ? view->to_port : view->from_port;
    one->server_port = answer ? view->from_port : view->to_port;
    *ret_up = !answer;
    return one;
}

static void keep(struct template *one, bool up, int64_t after_us, const uint8_t *ip,
                 uint32_t length, uint32_t wire) {
    if (one->n == PACKETS_MAX || kept_bytes + length > KEPT_BYTES_MAX) return;
    if (one->n == one->room) {
        one->room = one->room ? one->room * 2 : 8;
        one->packets = realloc(one->packets, one->room * sizeof *one->packets);
    }
    uint8_t *bytes = malloc(length);
    if (!one->packets || !bytes) abort();
    memcpy(bytes, ip, length);
    kept_bytes += length;
    one->wire_bytes += wire;
    one->packets[one->n++] = (struct packet){after_us, length, wire, bytes, up};
}

static void read_capture(const char *path) {
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(path, error);
    struct pcap_pkthdr *header;
    const u_char *frame;
    static int64_t first_us[TEMPLATES_MAX];
    uint32_t first = n_templates; /* another capture's flows are others, whatever their addresses */
    if (!pcap) {
        fprintf(stderr, "weave: %s: %s\n", path, error);
        return;
    }
    while (pcap_next_ex(pcap, &header, &frame) == 1) {
        uint32_t offset;
        struct view view;
        bool up;
        const uint8_t *ip = find_ip(pcap_datalink(pcap), frame, header->caplen, &offset);
        if (!ip || !read_ip(ip, header->caplen - offset, &view)) continue;
        uint32_t said = view.version == 4 ? (uint32_t)(ip[2] << 8 | ip[3])
                                          : (uint32_t)(ip[4] << 8 | ip[5]) + 40;
        uint32_t length = header->caplen - offset,
                 wire = header->len > offset ? header->len - offset : length;
        if (said >= view.header && said < wire) /* short frames are padded */
            wire = said;
        if (length > wire) length = wire;
        int64_t at_us = (int64_t)header->ts.tv_sec * SECOND + header->ts.tv_usec;
        struct template *one = find_template(first, &view, &up);
        if (!one && (one = new_template(&view, &up))) first_us[one - templates] = at_us;
        if (!one) continue;
        int64_t after_us = at_us - first_us[one - templates];
        uint32_t last = one->n ? one->n - 1 : 0;
        if (one->n && after_us < one->packets[last].after_us)
            after_us = one->packets[last].after_us;
        keep(one, up, after_us, ip, length, wire);
    }
    pcap_close(pcap);
}

/* ---- instances ---- */

struct instance {
    const struct template *template;
    int64_t start_us;
    uint32_t next; /* packet */
    uint32_t client;
    uint16_t port;
    bool widened, failing;
    uint32_t rests_at; /* packet before which it rests */
    int64_t rest_us;
    uint8_t again; /* of a failing one: how often its first packet was sent */
};
static struct instance *instances;
static uint32_t *heap, n_heap;

static const struct packet *next_of(const struct instance *one) {
    return &one->template->packets[one->next];
}
static int64_t due_us(const struct instance *one) {
    static const int64_t again_us[] = {0, 1 * SECOND, 3 * SECOND};
    return one->start_us + (one->failing ? again_us[one->again]
                                         : next_of(one)->after_us +
                                               (one->next >= one->rests_at ? one->rest_us : 0));
}

static void sink(uint32_t at) {
    for (;;) {
        uint32_t least = at, left = 2 * at + 1;
        if (left < n_heap && due_us(&instances[heap[left]]) < due_us(&instances[heap[least]]))
            least = left;
        if (left + 1 < n_heap &&
            due_us(&instances[heap[left + 1]]) < due_us(&instances[heap[least]]))
            least = left + 1;
        if (least == at) return;
        uint32_t other = heap[at];
        heap[at] = heap[least];
        heap[least] = other;
        at = least;
    }
}

static void begin(struct instance *one, const struct template *template, int64_t start_us) {
    *one = (struct instance){.template = template,
                             .start_us = start_us,
                             .client = (uint32_t)(draw() % CLIENTS),
                             .port = (uint16_t)(1024 + draw() % 64000)};
    one->widened = template->version == 4 && draw() % WIDENED == 0;
    one->failing = one->client % FAILING == 0 && template->packets[0].up;
    one->rests_at = template->n ? 1 + (uint32_t)(draw() % template->n) : 0;
    one->rest_us =
        draw() % 4 && template->n > 1 ? 60 * SECOND + (int64_t)(draw() % 60) * SECOND : 0;
}

/* Skips what does not happen to a client that nobody answers. True: there is no more. */
static bool advance(struct instance *one) {
    if (one->failing) return ++one->again == 3;
    return ++one->next == one->template->n;
}

/* ---- writing ---- */

static uint16_t folded(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint32_t sum_of(const uint8_t *bytes, size_t n) {
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < n; i += 2) sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    return n % 2 ? sum + (uint32_t)(bytes[n - 1] << 8) : sum;
}

/* The checksum at `at` after what it covers went from the sum `before` to the sum `after`. */
static void carry(uint8_t *at, uint32_t before, uint32_t after) {
    uint16_t old = (uint16_t)(at[0] << 8 | at[1]);
    uint16_t now =
        (uint16_t)~folded((uint32_t)(uint16_t)~old + (uint16_t)~folded(before) + folded(after));
    at[0] = (uint8_t)(now >> 8);
    at[1] = (uint8_t)now;
}

static void checksum_anew(const uint8_t *ip, bool six, uint8_t protocol, const uint8_t *transport,
                          uint32_t n, uint8_t *at) {
    at[0] = at[1] = 0;
    uint32_t sum = sum_of(six ? ip + 8 : ip + 12, six ? 32 : 8) + protocol + n;
    sum = folded(sum) + folded(sum_of(transport, n));
    uint16_t value = (uint16_t)~folded(sum);
    if (value == 0 && protocol == IPPROTO_UDP) value = 0xffff;
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void client_address(const struct instance *one, bool six, uint8_t *into) {
    uint32_t id = one->client + 1;
    if (six) {
        const uint8_t address[16] = {0xfd, 0x77, 0, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, 0, 0,
                                     0,    0,    0, 0, 0, 2};
        memcpy(into, address, 16);
    } else {
        const uint8_t address[4] = {10, (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
        memcpy(into, address, 4);
    }
}

/* The same for the same address of the same seed: a /24 and a /48 stay one. */
static void server_address(const uint8_t *old, bool was_six, bool six, uint8_t *into) {
    uint64_t network = 0;
    memcpy(&network, old, was_six ? 6 : 3);
    uint64_t mixed = mix(network, was_six);
    if (six) {
        memcpy(into, "\x2a\x01", 2);
        memcpy(into + 2, &mixed, 6);
        memset(into + 8, 0, 8);
        memcpy(into + (was_six ? 8 : 12), old + (was_six ? 8 : 0), was_six ? 8 : 4);
    } else {
        into[0] = (uint8_t)(24 + mixed % 60); /* no private or reserved block begins there */
        into[1] = (uint8_t)(mixed >> 8);
        into[2] = (uint8_t)(mixed >> 16);
        into[3] = old[3];
    }
}

static size_t skip_name(const uint8_t *dns, size_t at, size_t n) {
    while (at < n && dns[at]) {
        if (dns[at] >= 0xc0) return at + 2;
        at += 1 + (size_t)dns[at];
    }
    return at + 1;
}

/* Addresses in a DNS answer, so that names still lead to the servers. They are even-aligned or not:
 * the sums are of the whole. */
static void rewrite_dns(uint8_t *dns, size_t n) {
    if (n < 12 || !(dns[2] & 0x80)) return;
    unsigned questions = (unsigned)(dns[4] << 8 | dns[5]),
             answers = (unsigned)(dns[6] << 8 | dns[7]);
    size_t at = 12;
    while (questions-- && at < n) at = skip_name(dns, at, n) + 4;
    while (answers-- && at < n) {
        at = skip_name(dns, at, n);
        if (at + 10 > n) return;
        unsigned type = (unsigned)(dns[at] << 8 | dns[at + 1]),
                 length = (unsigned)(dns[at + 8] << 8 | dns[at + 9]);
        at += 10;
        uint8_t old[16];
        if (at + length > n) return;
        memcpy(old, dns + at, length < 16 ? length : 16);
        if (type == 1 && length == 4)
            server_address(old, false, false, dns + at);
        else if (type == 28 && length == 16)
            server_address(old, true, true, dns + at);
        at += length;
    }
}

static FILE *out;
static uint64_t n_packets, n_bytes;

static void write_frame(int64_t ts_us, bool six, const uint8_t *ip, uint32_t length,
                        uint32_t wire) {
    static const uint8_t four_head[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0},
                         six_head[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd};
    const uint32_t header[4] = {(uint32_t)(ts_us / SECOND), (uint32_t)(ts_us % SECOND), length + 14,
                                wire + 14};
    fwrite(header, sizeof header, 1, out);
    fwrite(six ? six_head : four_head, 14, 1, out);
    fwrite(ip, length, 1, out);
    n_packets++;
    n_bytes += wire + 14;
}

static void write_packet(const struct instance *one, const struct packet *packet, int64_t ts_us) {
    static uint8_t old[65536 + 64], ip[65536 + 64];
    const struct template *template = one->template;
    bool six = template->version == 6 || one->widened, up = packet->up;
    uint32_t header = template->version == 6 ? 40 : (uint32_t)(packet->bytes[0] & 15) * 4,
             head = six ? 40 : header;
    uint32_t rest = packet->length - header, cut = rest > 65535 ? 65535 : rest;
    uint8_t *transport = ip + head;
    memcpy(old, packet->bytes, packet->length < sizeof old ? packet->length : sizeof old);
    memcpy(transport, old + header, cut);
    if (!one->widened)
        memcpy(ip, old, header);
    else {
        uint32_t payload = packet->wire - header;
        const uint8_t fresh[8] = {
            0x60, 0, 0, 0, (uint8_t)(payload >> 8), (uint8_t)payload, template->protocol, old[8]};
        memcpy(ip, fresh, 8);
    }
    uint8_t *from = ip + (six ? 8 : 12), *to = ip + (six ? 24 : 16), *client = up ? from : to,
            *server = up ? to : from;
    client_address(one, six, client);
    server_address(template->server, template->version == 6, six, server);
    uint8_t *port = transport + (up ? 0 : 2);
    port[0] = (uint8_t)(one->port >> 8);
    port[1] = (uint8_t)one->port;
    bool dns = template->protocol == IPPROTO_UDP && template->server_port == 53;
    if (dns && !up && cut > 8) rewrite_dns(transport + 8, cut - 8);
    bool whole = rest == packet->wire - header;
    uint32_t before =
        sum_of(template->version == 6 ? old + 8 : old + 12, template->version == 6 ? 32 : 8) +
        sum_of(old + header, dns ? cut : 4);
    uint32_t after =
        sum_of(six ? ip + 8 : ip + 12, six ? 32 : 8) + sum_of(transport, dns ? cut : 4);
    uint8_t *checksum = transport + (template->protocol == IPPROTO_TCP ? 16 : 6);
    if (dns) { /* the sum before has the old checksum in it, and so has the one after */
        uint32_t own = (uint32_t)(checksum[0] << 8 | checksum[1]);
        before += 0xffff - own, after += 0xffff - own;
    }
    if (whole)
        checksum_anew(ip, six, template->protocol, transport, cut, checksum);
    else if (template->protocol == IPPROTO_TCP || checksum[0] || checksum[1])
        carry(checksum, before, after);
    if (!six) { /* a length of 0 is a card's that cuts segments itself */
        ip[10] = ip[11] = 0;
        uint16_t value = (uint16_t)~folded(sum_of(ip, header));
        ip[10] = (uint8_t)(value >> 8);
        ip[11] = (uint8_t)value;
    }
    write_frame(ts_us, six, ip, head + cut, packet->wire - header + head);
}

/* ---- kinds of capture ---- */

static int by_weight(const void *a, const void *b) {
    const struct template *x = &templates[*(const uint32_t *)a],
                          *y = &templates[*(const uint32_t *)b];
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : 0;
}

/* Of the heaviest few where it must be heavy. */
static const struct template *pick(bool heavy) {
    uint32_t among = heavy ? n_templates / HEAVY_SHARE + 1 : n_templates;
    return &templates[heavy ? heaviest[draw() % among] : draw() % among];
}

static uint64_t weave(const char *kind, uint64_t wanted, uint64_t *ret_peak) {
    bool bulk = strcmp(kind, "bulk") == 0;
    uint64_t all = 0, n_flows = 0, alive = 0;
    for (uint32_t i = 0; i < n_templates; i++) all += templates[i].n;
    uint32_t n = bulk ? BULK_FLOWS : (uint32_t)(wanted * n_templates / all + 1);
    instances = calloc(n, sizeof *instances);
    heap = calloc(n, sizeof *heap);
    if (!instances || !heap) abort();
    for (uint32_t i = 0; i < n; i++) {
        begin(&instances[i], pick(bulk),
              START_US + (int64_t)(draw() % (uint64_t)(bulk ? SECOND : SPAN_US / 3)));
        if (bulk) instances[i].rest_us = 0;
        heap[n_heap++] = i;
    }
    for (uint32_t i = n_heap / 2; i-- > 0;) sink(i);
    n_flows = n;
    while (n_heap && n_packets < wanted) {
        struct instance *one = &instances[heap[0]];
        int64_t now_us = due_us(one);
        bool first = one->next == 0 && one->again == 0;
        write_packet(one, one->failing ? &one->template->packets[0] : next_of(one), now_us);
        alive += first;
        *ret_peak = alive > *ret_peak ? alive : *ret_peak;
        if (advance(one)) {
            alive--;
            if (bulk) {
                begin(one, pick(true), now_us + 1000), one->rest_us = 0;
                n_flows++;
            } else
                heap[0] = heap[--n_heap];
        }
        sink(0);
    }
    return n_flows;
}

static uint64_t churn(uint64_t wanted) {
    for (uint64_t i = 0; i < wanted; i++) {
        struct instance one;
        begin(&one, pick(false), START_US + (int64_t)(i * 10)); /* 100,000 a second */
        write_packet(&one, &one.template->packets[0], one.start_us);
    }
    return wanted;
}

int main(int argc, char **argv) {
    static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535 + 64, 1};
    uint64_t peak = 0, flows;
    if (argc < 6) {
        fputs("usage: weave mix|bulk|churn SEED PACKETS OUT.pcap CAPTURE...\n", stderr);
        return 2;
    }
    for (int i = 5; i < argc; i++) read_capture(argv[i]);
    for (uint32_t i = 0; i < n_templates; i++) heaviest[i] = i;
    qsort(heaviest, n_templates, sizeof heaviest[0], by_weight);
    seed_state = strtoull(argv[2], NULL, 10);
    out = n_templates ? fopen(argv[4], "wb") : NULL;
    if (!out) {
        fprintf(stderr, "weave: %s\n", n_templates ? argv[4] : "no flow in these captures");
        return 1;
    }
    static char buffer[1 << 20];
    setvbuf(out, buffer, _IOFBF, sizeof buffer);
    fwrite(head, sizeof head, 1, out);
    uint64_t wanted = strtoull(argv[3], NULL, 10);
    flows = strcmp(argv[1], "churn") == 0 ? churn(wanted) : weave(argv[1], wanted, &peak);
    if (fclose(out) != 0) {
        perror(argv[4]);
        return 1;
    }
    printf("{\"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"flows\": %" PRIu64
           ", \"templates\": %u, \"alive\": %" PRIu64 "}\n",
           n_packets, n_bytes, flows, n_templates, peak);
    return 0;
}
