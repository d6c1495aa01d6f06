/* Addresses as 16 bytes, IPv4 mapped: text, prefixes, and what kind of address it is. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include <weir/packet.h>

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct weir_addr weir_addr_prefix(const struct weir_addr *addr) {
    struct weir_addr prefix = *addr;
    if (weir_addr_is_v4(addr))
        prefix.bytes[15] = 0;
    else
        memset(prefix.bytes + 6, 0, 10);
    return prefix;
}

char *weir_addr_text(const struct weir_addr *addr, char *text) {
    if (weir_addr_is_v4(addr))
        inet_ntop(AF_INET, addr->bytes + 12, text, WEIR_ADDR_TEXT_MAX);
    else
        inet_ntop(AF_INET6, addr->bytes, text, WEIR_ADDR_TEXT_MAX);
    return text;
}

int weir_addr_parse(const char *text, struct weir_addr *ret_addr) {
    struct weir_addr addr;
    memcpy(addr.bytes, v4_mapped, sizeof v4_mapped);
    if (inet_pton(AF_INET, text, addr.bytes + 12) != 1 &&
        inet_pton(AF_INET6, text, addr.bytes) != 1)
        return -EINVAL;
    *ret_addr = addr;
    return 0;
}

static void addr_mask(struct weir_addr *addr, unsigned bits) {
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits > 8 * i ? bits - 8 * i : 0;
        if (keep < 8) addr->bytes[i] &= (uint8_t)(0xff00 >> keep);
    }
}

int weir_cidr_parse(const char *text, struct weir_cidr *ret_cidr) {
    char addr_text[WEIR_ADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    if (length >= sizeof addr_text) return -EINVAL;
    memcpy(addr_text, text, length);
    addr_text[length] = '\0';

    struct weir_cidr cidr;
    if (weir_addr_parse(addr_text, &cidr.addr) < 0) return -EINVAL;
    unsigned base = weir_addr_is_v4(&cidr.addr) ? 96 : 0;
    unsigned long bits = 128 - base;
    if (slash) {
        char *end;
        bits = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || bits > 128 - base) return -EINVAL;
    }
    cidr.bits = (uint8_t)(base + bits);
    addr_mask(&cidr.addr, cidr.bits);
    *ret_cidr = cidr;
    return 0;
}

bool weir_cidr_contains(const struct weir_cidr *cidr, const struct weir_addr *addr) {
    struct weir_addr masked = *addr;
    addr_mask(&masked, cidr->bits);
    return weir_addr_compare(&masked, &cidr->addr) == 0;
}

bool weir_addr_is_local(const struct weir_addr *addr) {
    const uint8_t *b = addr->bytes;
    if (weir_addr_is_v4(addr)) {
        b += 12;
        return b[0] == 10 || b[0] == 127 || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
               (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254) ||
               (b[0] == 100 && (b[1] & 0xc0) == 64);
    }
    static const uint8_t loopback[16] = {[15] = 1};
    return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
           memcmp(b, loopback, 16) == 0;
}

bool weir_addr_is_group(const struct weir_addr *addr) {
    if (!weir_addr_is_v4(addr)) return addr->bytes[0] == 0xff;
    const uint8_t *b = addr->bytes + 12;
    bool same = b[0] == b[1] && b[0] == b[2] && b[0] == b[3];
    /* 240.0.0.0/4 is nobody's on the wire, and of anybody in a capture whose addresses were
     * disguised. */
    return b[0] >> 4 == 14 || (same && (b[0] == 0 || b[0] == 255));
}
