/* An entry becomes a frame that says the same to whoever measures it, and no more.
 *
 *      client, local addresses   10.119.0.1, 10.119.0.2 ... and fd77::1 ..., numbered as they
 *                                appear: nothing leads back
 *      server addresses          as they are, public ones
 *      hardware addresses        numbered likewise: addresses of one device stay one device's
 *      tags, tunnels             gone
 *      checksums                 computed anew over what is there
 *      payload, known services   the handshake, and the beginning of each packet
 *      payload, all others       what tells the kind of record, and no name
 *      lookups                   built anew: of known services with their name, of others with a
 *                                name that is only a number
 *      HTTP                      a request line and the host, if a service's; no path, no cookie;
 *                                the answer's status
 *
 * A name that is only a number is the same for the same name, within one file, so that asking
 * again is asking again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/wire.h>

#include "proof/rewrite.h"

enum {
    ETHERNET = 14,
    IP4 = 20,
    IP6 = 40,
    QUOTED_WIRE = 60,
    OTHER_TCP_BYTES = 11 /* up to a hello's random */,
    OTHER_QUIC_BYTES = 48,
    CLIENTS_MAX = 60000,
    CLIENT_NET = 119,
    DNS_ADDRS_MAX = 8
};

static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value);
}

/* ---- addresses ---- */

void weir_proof_clients_deinit(struct weir_proof_clients *clients) {
    free(clients->clients);
    *clients = (struct weir_proof_clients){0};
}

/* NULL: no room. */
static struct weir_proof_client *client_of(struct weir_proof_clients *clients,
                                           const struct weir_addr *addr) {
    for (size_t i = clients->n; i-- > 0;)
        if (weir_addr_compare(&clients->clients[i].addr, addr) == 0) return &clients->clients[i];
    if (clients->n == clients->room && clients->room < CLIENTS_MAX) {
        size_t room = clients->room ? 2 * clients->room : 64;
        struct weir_proof_client *larger = realloc(clients->clients, room * sizeof *larger);
        if (!larger) return NULL;
        clients->clients = larger;
        clients->room = room;
    }
    if (clients->n == clients->room) return NULL;
    clients->clients[clients->n] = (struct weir_proof_client){.addr = *addr};
    return &clients->clients[clients->n++];
}

static uint32_t number_of(const struct weir_proof_clients *clients,
                          const struct weir_proof_client *client) {
    return (uint32_t)(client - clients->clients) + 1;
}

/* Who is not to be known: a client, and what else is in its own network. False: no room. */
static bool hide(struct weir_proof_clients *clients, struct weir_addr *addr, bool client) {
    if (!client && !weir_addr_is_local(addr)) return true;
    const struct weir_proof_client *known = client_of(clients, addr);
    if (!known) return false;
    uint32_t number = number_of(clients, known);
    if (weir_addr_is_v4(addr)) {
        addr->bytes[12] = 10;
        addr->bytes[13] = CLIENT_NET;
        put16(addr->bytes + 14, number);
    } else {
        memset(addr->bytes, 0, sizeof addr->bytes);
        addr->bytes[0] = 0xfd;
        addr->bytes[1] = CLIENT_NET;
        put16(addr->bytes + 14, number);
    }
    return true;
}

/* ---- lookups ---- */

static size_t put_name(uint8_t *at, const char *name) {
    uint8_t *begin = at;
    while (*name) {
        size_t length = strcspn(name, ".");
        *at++ = (uint8_t)length;
        memcpy(at, name, length);
        at += length;
        name += length + (name[length] == '.');
    }
    *at++ = 0;
    return (size_t)(at - begin);
}

static size_t put_answer(uint8_t *at, const struct weir_addr *addr, uint32_t ttl_s) {
    bool v4 = weir_addr_is_v4(addr);
    size_t length = v4 ? 4 : 16;
    put16(at, 0xc00c); /* the question's name */
    put16(at + 2, v4 ? WEIR_DNS_A : WEIR_DNS_AAAA);
    put16(at + 4, 1);
    put32(at + 6, ttl_s);
    put16(at + 10, (uint32_t)length);
    memcpy(at + 12, v4 ? addr->bytes + 12 : addr->bytes, length);
    return 12 + length;
}

static uint64_t hash_name(const char *name) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

/* The message anew: header, one question, addresses. 0: none that can be read. */
static size_t scrub_lookup(struct weir_proof_clients *clients, const struct weir_service_set *set,
                           const uint8_t *bytes, size_t n, uint8_t *into) {
    struct weir_dns_message message;
    char number[32];
    if (weir_dns_message(bytes, n, &message) != WEIR_WIRE_OK || n < 12) return 0;
    bool named = message.qname.length &&
                 weir_service_match_host(set, message.qname.text, message.qname.length).service >
                     WEIR_SERVICE_OTHER;
    unsigned n_answers = message.n_addrs < DNS_ADDRS_MAX ? message.n_addrs : DNS_ADDRS_MAX;
    snprintf(number, sizeof number, "n%08x.invalid",
             (unsigned)(hash_name(message.qname.text) >> 32));
    memset(into, 0, 12);
    memcpy(into, bytes, 4); /* id, flags, rcode */
    into[3] = (uint8_t)((into[3] & 0xf0) | (message.rcode & 15));
    put16(into + 4, 1);
    put16(into + 6, n_answers);
    size_t at = 12 + put_name(into + 12, named ? message.qname.text : number);
    put16(into + at, message.qtype);
    put16(into + at + 2, 1);
    at += 4;
    for (unsigned i = 0; i < n_answers; i++) {
        struct weir_addr addr = message.addrs[i].addr;
        if (!hide(clients, &addr, false)) return 0;
        at += put_answer(into + at, &addr, message.addrs[i].ttl_s);
    }
    return at;
}

/* ---- payload ---- */

static bool begins(const uint8_t *bytes, size_t n, const char *text) {
    return n >= strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

static bool is_request(const uint8_t *bytes, size_t n) {
    static const char *const methods[] = {"GET ",     "POST ",    "HEAD ",   "PUT ",
                                          "OPTIONS ", "CONNECT ", "DELETE ", "PATCH "};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (begins(bytes, n, methods[i])) return true;
    return false;
}

/* No longer than what was there. */
static size_t scrub_request(const struct weir_service_set *set,
                            const struct weir_proof_entry *entry, const uint8_t *bytes,
                            uint8_t *into) {
    struct weir_http_request request;
    char text[WEIR_HOST_MAX + 64];
    bool named = weir_http_request(bytes, entry->kept, &request) == WEIR_WIRE_OK &&
                 request.host.length &&
                 weir_service_match_host(set, request.host.text, request.host.length).service >
                     WEIR_SERVICE_OTHER;
    int length = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n",
                          named ? request.host.text : "n.invalid");
    if (length > entry->kept) length = snprintf(text, sizeof text, "GET /");
    length = length < entry->kept ? length : entry->kept;
    memcpy(into, text, (size_t)length);
    return (size_t)length;
}

static size_t scrub_tcp(const struct weir_service_set *set, const struct weir_proof_entry *entry,
                        const uint8_t *bytes, uint8_t *into) {
    size_t n = entry->kept;
    bool tls =
        n && bytes[0] >= WEIR_TLS_CCS && bytes[0] <= WEIR_TLS_DATA && (n < 2 || bytes[1] == 3);
    if (entry->src_port == 53 || entry->dst_port == 53) return 0;
    if (entry->from_client && is_request(bytes, n)) return scrub_request(set, entry, bytes, into);
    if (begins(bytes, n, "HTTP/1."))
        n = n < 12 ? n : 12; /* "HTTP/1.1 200" */
    else if (entry->service <= WEIR_SERVICE_OTHER)
        n = n < OTHER_TCP_BYTES ? n : OTHER_TCP_BYTES;
    else if (!tls && entry->src_port != 443 && entry->dst_port != 443)
        n = 0; /* plain text, perhaps */
    memcpy(into, bytes, n);
    return n;
}

/* The payload as it may be shown; *wire_len changes only where it is another's message. */
static size_t scrub(struct weir_proof_clients *clients, const struct weir_service_set *set,
                    const struct weir_proof_entry *entry, uint8_t *into, uint32_t *wire_len) {
    const uint8_t *bytes = (const uint8_t *)(entry + 1);
    if (entry->transport == WEIR_TRANSPORT_TCP) return scrub_tcp(set, entry, bytes, into);
    if (entry->src_port == 53 || entry->dst_port == 53) {
        size_t n = scrub_lookup(clients, set, bytes, entry->kept, into);
        *wire_len = (uint32_t)n;
        return n;
    }
    size_t n = entry->service > WEIR_SERVICE_OTHER || entry->kept < OTHER_QUIC_BYTES
                   ? entry->kept
                   : OTHER_QUIC_BYTES;
    memcpy(into, bytes, n);
    return n;
}

/* ---- headers ---- */

static uint32_t add_up(uint32_t sum, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i + 1 < n; i += 2) sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    return n & 1 ? sum + (uint32_t)(bytes[n - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static size_t address_bytes(bool v4) { return v4 ? 4 : 16; }

static const uint8_t *address_at(const struct weir_addr *addr, bool v4) {
    return v4 ? addr->bytes + 12 : addr->bytes;
}

static size_t put_ip(uint8_t *at, const struct weir_addr *src, const struct weir_addr *dst,
                     uint8_t protocol, uint8_t ttl, uint16_t id, uint32_t payload) {
    bool v4 = weir_addr_is_v4(dst);
    size_t n = v4 ? IP4 : IP6, a = address_bytes(v4);
    memset(at, 0, n);
    at[0] = v4 ? 0x45 : 0x60;
    put16(at + (v4 ? 2 : 4), payload + (v4 ? IP4 : 0));
    if (v4) put16(at + 4, id);
    at[v4 ? 8 : 7] = ttl;
    at[v4 ? 9 : 6] = protocol;
    memcpy(at + n - 2 * a, address_at(src, v4), a);
    memcpy(at + n - a, address_at(dst, v4), a);
    if (v4) put16(at + 10, fold(add_up(0, at, IP4)));
    return n;
}

/* Over the pseudo-header, and what is there behind the IP header. */
static uint16_t checksum(const uint8_t *ip, const uint8_t *from, size_t n, uint32_t wire,
                         uint8_t protocol) {
    bool v4 = ip[0] >> 4 == 4;
    size_t a = 2 * address_bytes(v4);
    uint32_t sum =
        add_up(0, ip + (v4 ? IP4 : IP6) - a, a) + (wire >> 16) + (wire & 0xffff) + protocol;
    uint16_t folded = fold(add_up(sum, from, n));
    return folded || protocol != WEIR_TRANSPORT_UDP ? folded
                                                    : 0xffff; /* 0 would say that there is none */
}

static size_t put_options(uint8_t *at, const struct weir_proof_entry *entry) {
    uint8_t *begin = at;
    if (entry->mss) {
        put16(at, 0x0204);
        put16(at + 2, entry->mss);
        at += 4;
    }
    if (entry->options & WEIR_PROOF_SACK_OK) {
        put32(at, 0x01010402);
        at += 4;
    }
    if (entry->options & WEIR_PROOF_TIMESTAMPS) {
        put32(at, 0x0101080a);
        put32(at + 4, entry->tsval);
        put32(at + 8, entry->tsecr);
        at += 12;
    }
    if (entry->options & WEIR_PROOF_SCALE) {
        put32(at, 0x01030300u | entry->window_scale);
        at += 4;
    }
    if (entry->options & WEIR_PROOF_SACK) {
        put32(at, 0x0101050a);
        put32(at + 4, entry->sack_left);
        put32(at + 8, entry->sack_right);
        at += 12;
    }
    return (size_t)(at - begin);
}

static size_t put_tcp(uint8_t *at, const struct weir_proof_entry *entry) {
    size_t options = put_options(at + 20, entry);
    memset(at, 0, 20);
    put16(at, entry->src_port);
    put16(at + 2, entry->dst_port);
    put32(at + 4, entry->seq);
    put32(at + 8, entry->ack);
    at[12] = (uint8_t)((20 + options) / 4 << 4);
    at[13] = entry->tcp_flags;
    put16(at + 14, entry->window);
    return 20 + options;
}

static size_t put_udp(uint8_t *at, const struct weir_proof_entry *entry, uint32_t payload) {
    put16(at, entry->src_port);
    put16(at + 2, entry->dst_port);
    put16(at + 4, payload + 8);
    put16(at + 6, 0);
    return 8;
}

/* A device has the number of the first client that sent from its hardware address. Where that is
 * not known, an address is a device of its own. */
static uint16_t device_of(struct weir_proof_clients *clients, struct weir_proof_client *client,
                          const uint8_t mac[6]) {
    static const uint8_t unknown[6];
    if (!client->device) client->device = (uint16_t)number_of(clients, client);
    if (memcmp(mac, unknown, 6) == 0 || memcmp(mac, client->mac, 6) == 0) return client->device;
    memcpy(client->mac, mac, 6);
    const struct weir_proof_client *first = clients->clients;
    while (memcmp(first->mac, mac, 6) != 0) first++;
    return client->device = first->device;
}

static void put_mac(uint8_t *at, uint16_t device) {
    static const uint8_t local[4] = {2};
    memcpy(at, local, sizeof local);
    put16(at + 4, device);
}

/* The router has number 0. */
static void put_ethernet(uint8_t *at, struct weir_proof_clients *clients,
                         const struct weir_proof_entry *entry) {
    struct weir_proof_client *client =
        client_of(clients, entry->from_client ? &entry->src : &entry->dst);
    uint16_t device = client ? device_of(clients, client, entry->mac) : 0;
    put_mac(at, entry->from_client ? 0 : device);
    put_mac(at + 6, entry->from_client ? device : 0);
    put16(at + 12, weir_addr_is_v4(&entry->dst) ? 0x0800 : 0x86dd);
}

/* ---- errors of ICMP: they quote a packet of the flow, headers only ---- */

static size_t icmp_frame(struct weir_proof_clients *clients, const struct weir_proof_entry *entry,
                         uint8_t *frame, uint32_t *ret_wire) {
    struct weir_packet packet;
    struct weir_addr src = entry->src, dst = entry->dst;
    memcpy(&packet.icmp, entry + 1, sizeof packet.icmp);
    bool v4 = weir_addr_is_v4(&dst);
    uint8_t protocol = v4 ? 1 : 58, *icmp = frame + (v4 ? IP4 : IP6);
    if (entry->kept < sizeof packet.icmp || weir_addr_is_v4(&packet.icmp.quoted_dst) != v4 ||
        !packet.icmp.quoted_transport)
        return 0;
    /* Routers on the way are no clients, unless they are local. */
    if (!hide(clients, &src, false) || !hide(clients, &dst, true) ||
        !hide(clients, &packet.icmp.quoted_src, true) ||
        !hide(clients, &packet.icmp.quoted_dst, false))
        return 0;
    memset(icmp, 0, 8);
    icmp[0] = packet.icmp.type;
    icmp[1] = packet.icmp.code;
    bool tcp = packet.icmp.quoted_transport == WEIR_TRANSPORT_TCP;
    size_t n = 8 + put_ip(icmp + 8, &packet.icmp.quoted_src, &packet.icmp.quoted_dst,
                          packet.icmp.quoted_transport, 1, 0, QUOTED_WIRE);
    put16(icmp + n, packet
                        .icmp
                        /* the first eight bytes of what was longer: no checksum can be told */
                        .quoted_src_port);
    put16(icmp + n + 2, packet.icmp.quoted_dst_port);
    put32(icmp + n + 4, tcp ? packet.icmp.quoted_seq : (uint32_t)QUOTED_WIRE << 16);
    n += 8;
    size_t at = put_ip(frame, &src, &dst, protocol, entry->ttl, entry->ip_id, (uint32_t)n);
    put16(icmp + 2,
          v4 ? fold(add_up(0, icmp, n)) : checksum(frame, icmp, n, (uint32_t)n, protocol));
    *ret_wire = (uint32_t)(at + n);
    return at + n;
}

static size_t ip_packet(struct weir_proof_clients *clients, const struct weir_service_set *set,
                        const struct weir_proof_entry *entry, uint8_t *frame, uint32_t *ret_wire) {
    struct weir_addr src = entry->src, dst = entry->dst;
    if (entry->transport == WEIR_TRANSPORT_ICMP) return icmp_frame(clients, entry, frame, ret_wire);
    if (!hide(clients, &src, entry->from_client) || !hide(clients, &dst, !entry->from_client) ||
        weir_addr_is_v4(&src) != weir_addr_is_v4(&dst))
        return 0;
    bool v4 = weir_addr_is_v4(&dst), tcp = entry->transport == WEIR_TRANSPORT_TCP;
    uint8_t *transport = frame + (v4 ? IP4 : IP6);
    uint32_t payload = entry->payload_len;
    size_t header = tcp ? put_tcp(transport, entry) : 8,
           kept = scrub(clients, set, entry, transport + header, &payload);
    if (!tcp) put_udp(transport, entry, payload);
    if ((!payload && !tcp) || header + payload > 65535 - IP4) return 0;
    uint32_t wire = (uint32_t)header + payload;
    size_t at = put_ip(frame, &src, &dst, entry->transport, entry->ttl, entry->ip_id, wire);
    put16(transport + (tcp ? 16 : 6),
          checksum(frame, transport, header + kept, wire, entry->transport));
    *ret_wire = (uint32_t)at + wire;
    return at + header + kept;
}

size_t weir_proof_frame(struct weir_proof_clients *clients, const struct weir_service_set *set,
                        const struct weir_proof_entry *entry, uint8_t frame[WEIR_PROOF_FRAME_MAX],
                        uint32_t *ret_wire) {
    size_t n = ip_packet(clients, set, entry, frame + ETHERNET, ret_wire);
    if (!n) return 0;
    put_ethernet(frame, clients, entry);
    *ret_wire += ETHERNET;
    return ETHERNET + n;
}
