/* Link headers, tags and label stacks: from the start of a frame to the IP packet in it.
 *
 * Each link type is a row of a table. What says the next protocol is in the end one of two numbers,
 * an Ethernet type or a PPP protocol; both lead to an IP packet, to another tag (once round more,
 * bounded), or to "not IP".
 *
 * Blind spots: a pseudowire without control word whose inner destination address begins with the
 * digit 4 or 6 reads as IP (RFC 4928 exists because routers do the same); encrypted or proprietary
 * encapsulations are counted as unknown, not guessed. */
#include "walk.h"

/* Those that other files name are in walk.h. */
enum ethertype {
    ETHERTYPE_LEN_MAX = 1500, /* up to here an IEEE 802.3 length */
    ETHERTYPE_MIN = 0x0600,
    ETHERTYPE_TEB = 0x6558, /* transparent Ethernet bridging: a whole Ethernet frame */
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_MPLS_UPSTREAM = 0x8848,
    ETHERTYPE_PPPOE = 0x8864,
    ETHERTYPE_QINQ = 0x88a8,
    ETHERTYPE_QINQ_OLD = 0x9100,
    ETHERTYPE_VNTAG = 0x8926,
    /* Encapsulations that carry IP where weir cannot see it. */
    ETHERTYPE_FABRICPATH = 0x8903,
    ETHERTYPE_MACSEC = 0x88e5,
    ETHERTYPE_PBB = 0x88e7,
    ETHERTYPE_NSH = 0x894f,
};

enum ppp_protocol {
    PPP_IPV4 = 0x0021,
    PPP_IPV6 = 0x0057,
    PPP_MPLS = 0x0281,
    PPP_MPLS_MULTICAST = 0x0283,
    /* Compressed or split: they carry IP where weir cannot see it. */
    PPP_VJ_COMPRESSED = 0x002d,
    PPP_VJ_UNCOMPRESSED = 0x002f,
    PPP_MULTILINK = 0x003d,
    PPP_ENCRYPTED = 0x0053,
    PPP_COMPRESSED = 0x00fd,
};

enum {
    LLC_BYTES = 3,
    SNAP_BYTES = 8,
    TAG_BYTES = 4,
    VNTAG_BYTES = 6,
    HDLC_BYTES = 4,
    NFLOG_BYTES = 4,
    NFLOG_FIELDS_MAX = 32,
    LABEL_BYTES = 4,
    CONTROL_WORD_BYTES = 4,
    PPPOE_BYTES = 6,
    FAMILY_BYTES = 4,
    SLL_BYTES = 16,
    SLL2_BYTES = 20,
};

static int found_ip(struct walk *walk, uint8_t version) {
    walk->ip_version = version;
    return WEIR_DECODE_OK;
}

/* IEEE 802.2: either SNAP with an Ethernet type, or one of the protocols that are never IP. */
static int walk_llc(struct walk *walk) {
    if (walk_captured(walk) < LLC_BYTES) return WEIR_DECODE_LINK_CUT;
    if (walk->at[0] != 0xaa || walk->at[1] != 0xaa || walk->at[2] != 0x03)
        return WEIR_DECODE_NOT_IP;
    if (walk_captured(walk) < SNAP_BYTES) return WEIR_DECODE_LINK_CUT;
    uint32_t organisation = be32(walk->at + 2) & 0xffffff;
    uint16_t ethertype = be16(walk->at + 6);
    if ((organisation != 0 && organisation != 0x0000f8) || ethertype < ETHERTYPE_MIN)
        return WEIR_DECODE_NOT_IP;
    walk_skip(walk, SNAP_BYTES);
    return walk_ethertype(walk, ethertype);
}

/* Behind the tag protocol identifier: priority and VLAN id, then the type of what is tagged. VLAN
 * id 0 only carries a priority, which one side may set and the other not: it is no VLAN. */
static int walk_vlan_tag(struct walk *walk, uint16_t *ret_ethertype) {
    if (walk_deeper(walk)) return WEIR_DECODE_TUNNEL_DEPTH;
    if (walk_captured(walk) < TAG_BYTES) return WEIR_DECODE_LINK_CUT;
    uint16_t vlan = be16(walk->at) & 0x0fff;
    if (vlan) walk_domain(walk, DOMAIN_VLAN, vlan);
    *ret_ethertype = be16(walk->at + 2);
    walk_skip(walk, TAG_BYTES);
    return WEIR_DECODE_OK;
}

/* Between a switch and a virtual interface (IEEE 802.1BR's forerunner): the interfaces' ids, which
 * differ by direction. */
static int walk_vntag(struct walk *walk, uint16_t *ret_ethertype) {
    if (walk_deeper(walk)) return WEIR_DECODE_TUNNEL_DEPTH;
    if (walk_captured(walk) < VNTAG_BYTES) return WEIR_DECODE_LINK_CUT;
    *ret_ethertype = be16(walk->at + 4);
    walk_skip(walk, VNTAG_BYTES);
    return WEIR_DECODE_OK;
}

bool ethertype_carries_ip(uint16_t ethertype) {
    return ethertype == ETHERTYPE_IPV4 || ethertype == ETHERTYPE_IPV6 ||
           ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ ||
           ethertype == ETHERTYPE_MPLS || ethertype == ETHERTYPE_PPPOE;
}

/* A pseudowire's Ethernet frame, with control word (RFC 4448) or without. Two zero bytes are a
 * control word unless only the reading without it leads to IP. Looked up, not tried: trying both
 * readings of each of many nested wires would take exponential time. */
static int walk_pseudowire(struct walk *walk) {
    if (walk_captured(walk) < ETHERNET_BYTES) return WEIR_DECODE_LINK_CUT;
    if (be16(walk->at) == 0) {
        bool plain = ethertype_carries_ip(be16(walk->at + 12));
        bool behind_word = walk_captured(walk) >= CONTROL_WORD_BYTES + ETHERNET_BYTES &&
                           ethertype_carries_ip(be16(walk->at + 16));
        if (behind_word || !plain) walk_skip(walk, CONTROL_WORD_BYTES);
    }
    return walk_ethernet(walk);
}

/* Nothing in a label says what it labels: the first half byte behind the stack does (RFC 4928). */
static int walk_mpls(struct walk *walk) {
    bool bottom = false;
    while (!bottom) {
        if (walk_deeper(walk)) return WEIR_DECODE_TUNNEL_DEPTH;
        if (walk_captured(walk) < LABEL_BYTES) return WEIR_DECODE_LINK_CUT;
        bottom = walk->at[2] & 1;
        walk_skip(walk, LABEL_BYTES);
    }
    if (walk_captured(walk) < 1) return WEIR_DECODE_LINK_CUT;
    switch (walk->at[0] >> 4) {
    case 4: return found_ip(walk, 4);
    case 6: return found_ip(walk, 6);
    case 1: /* an associated channel: BFD and other maintenance */ return WEIR_DECODE_NOT_IP;
    default: return walk_pseudowire(walk);
    }
}

static int walk_ppp_protocol(struct walk *walk, uint16_t protocol) {
    switch (protocol) {
    case PPP_IPV4: return found_ip(walk, 4);
    case PPP_IPV6: return found_ip(walk, 6);
    case PPP_MPLS:
    case PPP_MPLS_MULTICAST: return walk_mpls(walk);
    case PPP_VJ_COMPRESSED:
    case PPP_VJ_UNCOMPRESSED:
    case PPP_MULTILINK:
    case PPP_ENCRYPTED:
    case PPP_COMPRESSED: return WEIR_DECODE_LINK_UNKNOWN;
    default: return WEIR_DECODE_NOT_IP;
    }
}

/* Protocol field of two bytes, or of one odd byte where it was compressed (RFC 1661, 6.5). */
static int walk_ppp(struct walk *walk) {
    if (walk_captured(walk) < 1) return WEIR_DECODE_LINK_CUT;
    uint16_t protocol = walk->at[0];
    if (protocol & 1) {
        walk_skip(walk, 1);
        return walk_ppp_protocol(walk, protocol);
    }
    if (walk_captured(walk) < 2) return WEIR_DECODE_LINK_CUT;
    protocol = be16(walk->at);
    walk_skip(walk, 2);
    return walk_ppp_protocol(walk, protocol);
}

/* RFC 2516. Its length is not used: the IP header has one. */
static int walk_pppoe(struct walk *walk) {
    if (walk_deeper(walk)) return WEIR_DECODE_TUNNEL_DEPTH;
    if (walk_captured(walk) < PPPOE_BYTES) return WEIR_DECODE_LINK_CUT;
    if (walk->at[0] != 0x11) return WEIR_DECODE_TUNNEL_MALFORMED;
    if (walk->at[1] != 0) return WEIR_DECODE_NOT_IP;
    walk_skip(walk, PPPOE_BYTES);
    return walk_ppp(walk);
}

int walk_ethertype(struct walk *walk, uint16_t ethertype) {
    for (;;) {
        switch (ethertype) {
        case ETHERTYPE_IPV4: return found_ip(walk, 4);
        case ETHERTYPE_IPV6: return found_ip(walk, 6);
        case ETHERTYPE_VLAN:
        case ETHERTYPE_QINQ:
        case ETHERTYPE_QINQ_OLD: {
            int outcome = walk_vlan_tag(walk, &ethertype);
            if (outcome) return outcome;
            continue;
        }
        case ETHERTYPE_PPPOE: return walk_pppoe(walk);
        case ETHERTYPE_MPLS:
        case ETHERTYPE_MPLS_UPSTREAM: return walk_mpls(walk);
        case ETHERTYPE_TEB:
            return walk_deeper(walk) ? WEIR_DECODE_TUNNEL_DEPTH : walk_ethernet(walk);
        case ETHERTYPE_VNTAG: {
            int outcome = walk_vntag(walk, &ethertype);
            if (outcome) return outcome;
            continue;
        }
        case ETHERTYPE_FABRICPATH:
        case ETHERTYPE_MACSEC:
        case ETHERTYPE_PBB:
        case ETHERTYPE_NSH:
        case ETHERTYPE_ERSPAN:
        case ETHERTYPE_ERSPAN_3: return WEIR_DECODE_LINK_UNKNOWN;
        default:
            /* Below 1500 it is a length: LLC follows, behind a tag too. */
            return ethertype <= ETHERTYPE_LEN_MAX ? walk_llc(walk) : WEIR_DECODE_NOT_IP;
        }
    }
}

int walk_ethernet(struct walk *walk) {
    if (walk_captured(walk) < ETHERNET_BYTES) return WEIR_DECODE_LINK_CUT;
    uint16_t ethertype = be16(walk->at + 12);
    walk->mac = walk->at + MAC_OFFSET;
    walk_skip(walk, ETHERNET_BYTES);
    return walk_ethertype(walk, ethertype);
}

static int walk_raw(struct walk *walk) { return found_ip(walk, 0); }

static int walk_raw4(struct walk *walk) { return found_ip(walk, 4); }

static int walk_raw6(struct walk *walk) { return found_ip(walk, 6); }

/* The address family in the byte order of the capturing machine (or of the network, in LOOP): all
 * families are small, so that the order shows. AF_INET6 differs between systems. */
static int walk_family(struct walk *walk) {
    if (walk_captured(walk) < FAMILY_BYTES) return WEIR_DECODE_LINK_CUT;
    uint32_t family = be32(walk->at);
    if (family > 0xffff) family = __builtin_bswap32(family);
    walk_skip(walk, FAMILY_BYTES);
    switch (family) {
    case 2: /* AF_INET everywhere */ return found_ip(walk, 4);
    case 10: /* AF_INET6: Linux */
    case 24: /* NetBSD, OpenBSD, BSD/OS */
    case 28: /* FreeBSD */
    case 30: /* macOS */ return found_ip(walk, 6);
    default: return WEIR_DECODE_NOT_IP;
    }
}

int walk_ppp_framed(struct walk *walk) {
    if (walk_captured(walk) < 2) return WEIR_DECODE_LINK_CUT;
    uint16_t address_control = be16(walk->at);
    if (address_control == 0xff03) walk_skip(walk, 2);
    return walk_ppp(walk);
}

/* Cisco's framing: unicast 0x0f or multicast 0x8f, 0, an Ethernet type (or SLARP, CDP and the
 * like). */
static int walk_cisco_hdlc(struct walk *walk) {
    if (walk_captured(walk) < HDLC_BYTES) return WEIR_DECODE_LINK_CUT;
    uint16_t ethertype = be16(walk->at + 2);
    walk_skip(walk, HDLC_BYTES);
    return ethertype < ETHERTYPE_MIN ? WEIR_DECODE_NOT_IP : walk_ethertype(walk, ethertype);
}

/* LINKTYPE_PPP_HDLC holds Cisco's framing too. */
static int walk_ppp_hdlc(struct walk *walk) {
    if (walk_captured(walk) < HDLC_BYTES) return WEIR_DECODE_LINK_CUT;
    uint16_t address_control = be16(walk->at);
    return address_control == 0x0f00 || address_control == 0x8f00 ? walk_cisco_hdlc(walk)
                                                                  : walk_ppp_framed(walk);
}

/* A field's length and type are in the capturing machine's order: the reading that fits is taken.
 */
static uint32_t nflog_length(const uint8_t *field, uint32_t left, bool *ret_little) {
    uint32_t little = (uint32_t)field[0] | (uint32_t)field[1] << 8, big = be16(field);
    *ret_little = little >= 4 && (little <= left || big < 4 || big > little);
    return *ret_little ? little : big;
}

/* What netfilter logs: family, version, resource; then fields of which one is the packet, from its
 * IP header on. */
static int walk_nflog(struct walk *walk) {
    enum { FIELD_PAYLOAD = 9, TYPE_MASK = 0x3fff };
    if (walk_captured(walk) < NFLOG_BYTES) return WEIR_DECODE_LINK_CUT;
    if (walk->at[1] != 0) return WEIR_DECODE_LINK_UNKNOWN;
    walk_skip(walk, NFLOG_BYTES);
    for (unsigned n = 0; n < NFLOG_FIELDS_MAX && walk_wire(walk) >= 4; n++) {
        if (walk_captured(walk) < 4) return WEIR_DECODE_LINK_CUT;
        bool little;
        uint32_t length = nflog_length(walk->at, walk_wire(walk), &little);
        uint32_t type =
            (little ? (uint32_t)walk->at[2] | (uint32_t)walk->at[3] << 8 : be16(walk->at + 2)) &
            TYPE_MASK;
        if (length < 4 || length > walk_wire(walk)) return WEIR_DECODE_TUNNEL_MALFORMED;
        if (type == FIELD_PAYLOAD) {
            walk_limit(walk, length);
            walk_skip(walk, 4);
            return found_ip(walk, 0);
        }
        uint32_t padded = (length + 3) & ~3u;
        if (padded > walk_captured(walk)) return WEIR_DECODE_LINK_CUT;
        walk_skip(walk, padded);
    }
    return WEIR_DECODE_NOT_IP;
}

/* A data frame of IEEE 802.11: addresses, perhaps a fourth and quality of service, then LLC. Some
 * access points hand its first two bytes on swapped. Of several frames in one (A-MSDU) the first is
 * read. */
int walk_wifi(struct walk *walk) {
    enum {
        WIFI_BYTES = 24,
        TYPE = 0x0c,
        DATA = 0x08,
        QOS = 0x80,
        EMPTY = 0x40,
        BOTH_WAYS = 0x03,
        PROTECTED = 0x40,
        ORDER = 0x80,
        AGGREGATE = 0x80,
        SUBFRAME_BYTES = 14
    };
    if (walk_deeper(walk)) return WEIR_DECODE_TUNNEL_DEPTH;
    if (walk_captured(walk) < WIFI_BYTES) return WEIR_DECODE_LINK_CUT;
    bool straight = (walk->at[0] & (TYPE | 0x03)) == DATA;
    uint8_t kind = walk->at[straight ? 0 : 1], flags = walk->at[straight ? 1 : 0];
    if ((kind & (TYPE | 0x03)) != DATA || kind & EMPTY) return WEIR_DECODE_NOT_IP;
    if (flags & PROTECTED) return WEIR_DECODE_LINK_UNKNOWN;
    uint32_t length = WIFI_BYTES + ((flags & BOTH_WAYS) == BOTH_WAYS ? 6 : 0), qos = length;
    length += kind & QOS ? 2 + (flags & ORDER ? 4 : 0) : 0;
    if (length > walk_captured(walk)) return WEIR_DECODE_LINK_CUT;
    if (kind & QOS && walk->at[qos] & AGGREGATE) length += SUBFRAME_BYTES;
    if (length > walk_captured(walk)) return WEIR_DECODE_LINK_CUT;
    walk_skip(walk, length);
    return walk_llc(walk);
}

/* Linux cooked headers give, for each kind of interface, an Ethernet type or a small number of
 * their own, and some kinds of interface put something else there. */
static int walk_cooked(struct walk *walk, uint16_t hardware, uint16_t protocol) {
    enum { HARDWARE_RADIOTAP = 803, HARDWARE_NETLINK = 824, COOKED_802_2 = 4 };
    if (hardware == HARDWARE_RADIOTAP) return WEIR_DECODE_LINK_UNKNOWN;
    if (hardware == HARDWARE_NETLINK) return WEIR_DECODE_NOT_IP;
    if (protocol == COOKED_802_2) return walk_llc(walk);
    return protocol < ETHERTYPE_MIN ? WEIR_DECODE_NOT_IP : walk_ethertype(walk, protocol);
}

static int walk_sll(struct walk *walk) {
    if (walk_captured(walk) < SLL_BYTES) return WEIR_DECODE_LINK_CUT;
    uint16_t hardware = be16(walk->at + 2), protocol = be16(walk->at + 14);
    walk->mac = be16(walk->at + 4) == MAC_BYTES ? walk->at + 6 : NULL;
    walk_skip(walk, SLL_BYTES);
    return walk_cooked(walk, hardware, protocol);
}

static int walk_sll2(struct walk *walk) {
    if (walk_captured(walk) < SLL2_BYTES) return WEIR_DECODE_LINK_CUT;
    uint16_t protocol = be16(walk->at), hardware = be16(walk->at + 8);
    walk->mac = walk->at[11] == MAC_BYTES ? walk->at + 12 : NULL;
    walk_skip(walk, SLL2_BYTES);
    return walk_cooked(walk, hardware, protocol);
}

static const struct {
    uint16_t linktype;
    int (*walk)(struct walk *walk);
} links[] = {
    {LINKTYPE_ETHERNET, walk_ethernet},
    {113, walk_sll},
    {276, walk_sll2},
    {101, walk_raw},
    {228, walk_raw4},
    {229, walk_raw6},
    {0, walk_family},   /* NULL: BSD loopback */
    {108, walk_family}, /* LOOP: OpenBSD loopback */
    {9, walk_ppp_framed},
    {50, walk_ppp_hdlc},
    {104, walk_cisco_hdlc},
    {239, walk_nflog},
    {51, walk_pppoe}, /* PPPoE without the Ethernet header */
    {12, walk_raw},   /* raw IP, where a writer used its DLT_ number */
    {14, walk_raw},
};

bool weir_decode_knows_link(uint16_t linktype) {
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (links[i].linktype == linktype) return true;
    return false;
}

int walk_link(struct walk *walk, uint16_t linktype) {
    for (unsigned i = 0; i < sizeof links / sizeof links[0]; i++)
        if (links[i].linktype == linktype) return links[i].walk(walk);
    return WEIR_DECODE_LINK_UNKNOWN;
}
