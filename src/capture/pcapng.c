/* The pcapng format: blocks, of which some are packets (draft-ietf-opsawg-pcapng).
 *
 *      section header (byte order; forgets all interfaces)
 *        interface description 0 (link type, unit and offset of stamps), 1, 2 ...
 *        enhanced packet | simple packet | packet (obsolete) | interface statistics | anything
 * else, passed over section header ...
 *
 *      block:  type(4) length(4) body length(4)
 *
 * Known blocks are taken when they lie whole in the buffer; others, of whatever length, flow past
 * without being held. The second length must repeat the first, which finds damage before it is
 * believed.
 *
 * Stamps count units since the epoch, of 10^-n or 2^-n seconds as each interface says; they come
 * out as microseconds between 1970 and the year 9999, whatever was written. A simple packet has
 * none and gets its predecessor's, as one whose stamp is 0. Zeros behind the last block are
 * padding. Statistics count from the start of the capture, so of several for one interface the
 * highest holds.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/wide.h"
#include "capture/reader.h"

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 2,
    BLOCK_SIMPLE_PACKET = 3,
    BLOCK_STATISTICS = 5,
    BLOCK_ENHANCED_PACKET = 6,
    ORDER_MAGIC = 0x1a2b3c4d,

    BLOCK_HEADER_BYTES = 8,
    BLOCK_FRAME_BYTES = 12, /* header and trailer */

    OPTION_END = 0,
    OPTION_IF_TSRESOL = 9,
    OPTION_IF_TSOFFSET = 14,
    OPTION_ISB_IFDROP = 5,
    OPTION_ISB_OSDROP = 7,

    BLOCK_DONE = 0, /* block outcomes: no frame in it */
    BLOCK_FRAME = 100,
};

enum scale { SCALE_MICRO, SCALE_NANO, SCALE_MULTIPLY, SCALE_DIVIDE, SCALE_BINARY };

/* either way: beyond every year that a stamp may have */
#define OFFSET_MAX_S INT64_C(1000000000000)

struct body {
    const uint8_t *bytes;
    uint32_t length;
};

static void set_resolution(struct weir_pcapng_interface *interface, uint8_t resolution) {
    uint8_t exponent = resolution & 0x7f;
    if (resolution & 0x80) {
        interface->scale = SCALE_BINARY;
        interface->shift = exponent;
        return;
    }
    unsigned steps = exponent > 6 ? exponent - 6u : 6u - exponent;
    interface->factor = 1;
    for (unsigned i = 0; i < steps && interface->factor <= UINT64_MAX / 10; i++)
        interface->factor *= 10;
    if (steps > 19) interface->factor = UINT64_MAX;
    interface->scale = exponent == 6   ? SCALE_MICRO
                       : exponent == 9 ? SCALE_NANO
                       : exponent > 6  ? SCALE_DIVIDE
                                       : SCALE_MULTIPLY;
}

static uint64_t scale_stamp(const struct weir_pcapng_interface *interface, uint64_t units) {
    switch ((enum scale)interface->scale) {
    case SCALE_MICRO: return units;
    case SCALE_NANO: return units / 1000;
    case SCALE_DIVIDE: return units / interface->factor;
    case SCALE_MULTIPLY:
        return units > UINT64_MAX / interface->factor ? UINT64_MAX : units * interface->factor;
    case SCALE_BINARY: return weir_wide_shift(weir_multiply(units, 1000000), interface->shift);
    }
    return 0;
}

static int64_t stamp_us(const struct weir_pcapng_interface *interface, uint32_t high,
                        uint32_t low) {
    /* Up to twice the limit, an offset can still bring a stamp back into range; beyond, nothing
     * sensible can. */
    uint64_t us = scale_stamp(interface, (uint64_t)high << 32 | low);
    int64_t ts_us = us < INT64_MAX / 4 ? (int64_t)us : INT64_MAX / 4;
    return weir_ts_clamp(ts_us + interface->offset_s * 1000000);
}

/* The next option of a body; false at the end, or where the options contradict themselves. */
static bool next_option(struct weir_cursor *cursor, bool swapped, uint16_t *ret_code,
                        uint16_t *ret_length, const uint8_t **ret_value) {
    const uint8_t *head = weir_cursor_take(cursor, 4);
    if (!head) return false;
    *ret_code = weir_load16(head, swapped);
    *ret_length = weir_load16(head + 2, swapped);
    if (*ret_code == OPTION_END) return false;
    *ret_value = weir_cursor_take(cursor, *ret_length);
    size_t padding = -(size_t)*ret_length & 3;
    if (*ret_value && weir_cursor_left(cursor) >= padding) weir_cursor_skip(cursor, padding);
    return *ret_value != NULL;
}

static int on_section(struct weir_reader *reader, struct body body, struct weir_frame *ret_frame,
                      struct weir_fault *fault) {
    uint16_t major = weir_load16(body.bytes + 4, reader->pcapng.swapped);
    uint16_t minor = weir_load16(body.bytes + 6, reader->pcapng.swapped);
    if (major != 1)
        return weir_reader_fault(reader, fault, -EBADMSG, "pcapng version %u.%u is not known",
                                 major, minor);
    reader->pcapng.n_interfaces = reader->pcapng.n_known = 0;
    return BLOCK_DONE;
}

static int make_room(struct weir_reader *reader, struct weir_fault *fault) {
    struct weir_pcapng *ng = &reader->pcapng;
    if (ng->n_interfaces < ng->max_interfaces) return 0;
    if (ng->n_interfaces >= WEIR_INTERFACES_MAX)
        return weir_reader_fault(reader, fault, -EBADMSG, "more than %u interfaces",
                                 WEIR_INTERFACES_MAX);
    uint32_t max = ng->max_interfaces ? ng->max_interfaces * 2 : 4;
    void *interfaces = realloc(ng->interfaces, max * sizeof *ng->interfaces);
    if (!interfaces) return weir_reader_fault(reader, fault, -ENOMEM, "out of memory");
    ng->interfaces = interfaces;
    ng->max_interfaces = max;
    return 0;
}

static int on_interface(struct weir_reader *reader, struct body body, struct weir_frame *ret_frame,
                        struct weir_fault *fault) {
    struct weir_pcapng *ng = &reader->pcapng;
    struct weir_pcapng_interface interface = {
        .linktype = weir_load16(body.bytes, ng->swapped),
        .snaplen = weir_load32(body.bytes + 4, ng->swapped),
        .scale = SCALE_MICRO,
    };
    struct weir_cursor options = weir_cursor_init(body.bytes + 8, body.length - 8);
    uint16_t code, length;
    const uint8_t *value;
    while (next_option(&options, ng->swapped, &code, &length, &value)) {
        if (code == OPTION_IF_TSRESOL && length >= 1) set_resolution(&interface, value[0]);
        if (code == OPTION_IF_TSOFFSET && length >= 8) {
            int64_t offset_s = (int64_t)weir_load64(value, ng->swapped);
            interface.offset_s = offset_s > OFFSET_MAX_S    ? OFFSET_MAX_S
                                 : offset_s < -OFFSET_MAX_S ? -OFFSET_MAX_S
                                                            : offset_s;
        }
    }
    int r = make_room(reader, fault);
    if (r < 0) return r;
    ng->interfaces[ng->n_interfaces++] = interface;
    ng->n_known += !reader->knows_linktype || reader->knows_linktype(interface.linktype);
    return BLOCK_DONE;
}

static int on_statistics(struct weir_reader *reader, struct body body, struct weir_frame *ret_frame,
                         struct weir_fault *fault) {
    struct weir_pcapng *ng = &reader->pcapng;
    uint32_t id = weir_load32(body.bytes, ng->swapped);
    if (id >= ng->n_interfaces) return BLOCK_DONE;
    struct weir_cursor options = weir_cursor_init(body.bytes + 12, body.length - 12);
    uint64_t dropped = 0;
    uint16_t code, length;
    const uint8_t *value;
    while (next_option(&options, ng->swapped, &code, &length, &value))
        if ((code == OPTION_ISB_IFDROP || code == OPTION_ISB_OSDROP) && length >= 8) {
            uint64_t n = weir_load64(value, ng->swapped);
            dropped = n > INT64_MAX - dropped ? INT64_MAX : dropped + n;
        }
    struct weir_pcapng_interface *interface = &ng->interfaces[id];
    if (dropped > interface->dropped) {
        uint64_t more = dropped - interface->dropped;
        reader->dropped = more > INT64_MAX - reader->dropped ? INT64_MAX : reader->dropped + more;
        interface->dropped = dropped;
    }
    return BLOCK_DONE;
}

/* What the three packet blocks have in common, once their fields are read. */
static int give_frame(struct weir_reader *reader, uint32_t interface, const uint8_t *data,
                      uint32_t room, uint32_t caplen, uint32_t wirelen,
                      struct weir_frame *ret_frame, struct weir_fault *fault) {
    const struct weir_pcapng *ng = &reader->pcapng;
    if (caplen > WEIR_CAPLEN_MAX)
        return weir_reader_fault(reader, fault, -EBADMSG,
                                 "packet of %u captured bytes: more than %u, the file is damaged",
                                 caplen, WEIR_CAPLEN_MAX);
    if (caplen > room)
        return weir_reader_fault(reader, fault, -EBADMSG,
                                 "packet of %u captured bytes in a block with room for %u", caplen,
                                 room);
    uint16_t linktype = ng->interfaces[interface].linktype;
    if (ng->n_known == 0)
        return weir_reader_fault(reader, fault, -EPFNOSUPPORT, "link type %u is not known",
                                 linktype);
    *ret_frame = (struct weir_frame){
        .ts_us = reader->last_ts_us,
        .data = data,
        .caplen = caplen,
        .wirelen = wirelen > caplen ? wirelen : caplen,
        .linktype = linktype,
        .interface = (uint16_t)interface,
    };
    return BLOCK_FRAME;
}

static int no_interface(struct weir_reader *reader, uint32_t id, struct weir_fault *fault) {
    return weir_reader_fault(reader, fault, -EBADMSG,
                             "packet of interface %u, of %u described ones", id,
                             reader->pcapng.n_interfaces);
}

static int on_simple_packet(struct weir_reader *reader, struct body body,
                            struct weir_frame *ret_frame, struct weir_fault *fault) {
    const struct weir_pcapng *ng = &reader->pcapng;
    if (ng->n_interfaces == 0) return no_interface(reader, 0, fault);
    uint32_t wirelen = weir_load32(body.bytes, ng->swapped), room = body.length - 4;
    uint32_t snaplen = ng->interfaces[0].snaplen;
    uint32_t caplen = wirelen < room ? wirelen : room;
    if (snaplen > 0 && caplen > snaplen) caplen = snaplen;
    return give_frame(reader, 0, body.bytes + 4, room, caplen, wirelen, ret_frame, fault);
}

/* Enhanced packets, and the obsolete ones that differ in how they write the interface. */
static inline int on_stamped_packet(struct weir_reader *reader, struct body body, uint32_t id,
                                    struct weir_frame *ret_frame, struct weir_fault *fault) {
    const struct weir_pcapng *ng = &reader->pcapng;
    bool swapped = ng->swapped;
    const uint8_t *at = body.bytes;
    if (id >= ng->n_interfaces) return no_interface(reader, id, fault);
    int r = give_frame(reader, id, at + 20, body.length - 20, weir_load32(at + 12, swapped),
                       weir_load32(at + 16, swapped), ret_frame, fault);
    uint32_t high = weir_load32(at + 4, swapped), low = weir_load32(at + 8, swapped);
    if (r == BLOCK_FRAME && (high | low))
        ret_frame->ts_us = reader->last_ts_us = stamp_us(&ng->interfaces[id], high, low);
    return r;
}

static int on_enhanced_packet(struct weir_reader *reader, struct body body,
                              struct weir_frame *ret_frame, struct weir_fault *fault) {
    return on_stamped_packet(reader, body, weir_load32(body.bytes, reader->pcapng.swapped),
                             ret_frame, fault);
}

static int on_packet(struct weir_reader *reader, struct body body, struct weir_frame *ret_frame,
                     struct weir_fault *fault) {
    return on_stamped_packet(reader, body, weir_load16(body.bytes, reader->pcapng.swapped),
                             ret_frame, fault);
}

/* `on` returns BLOCK_DONE, BLOCK_FRAME or < 0. Most frequent first. */
static const struct block {
    uint32_t type;
    uint32_t body_min_bytes;
    bool is_packet;
    const char *name;
    int (*on)(struct weir_reader *reader, struct body body, struct weir_frame *ret_frame,
              struct weir_fault *fault);
} blocks[] = {
    {BLOCK_ENHANCED_PACKET, 20, true, "enhanced packet", on_enhanced_packet},
    {BLOCK_SIMPLE_PACKET, 4, true, "simple packet", on_simple_packet},
    {BLOCK_PACKET, 20, true, "packet", on_packet},
    {BLOCK_INTERFACE, 8, false, "interface", on_interface},
    {BLOCK_STATISTICS, 12, false, "statistics", on_statistics},
    {BLOCK_SECTION, 16, false, "section header", on_section},
};

static const struct block *find_block(uint32_t type) {
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (blocks[i].type == type) return &blocks[i];
    return NULL;
}

static int want(struct weir_reader *reader, size_t bytes) {
    reader->want = bytes;
    return WEIR_READER_MORE;
}

/* Lets an unknown block flow past, then compares its two lengths. */
static int pass_over(struct weir_reader *reader, struct weir_fault *fault) {
    struct weir_pcapng *ng = &reader->pcapng;
    size_t left = weir_reader_left(reader);
    size_t n = ng->skip_bytes < left ? (size_t)ng->skip_bytes : left;
    reader->at += n;
    ng->skip_bytes -= n;
    if (left - n < 4) return want(reader, 4);
    uint32_t trailer = weir_load32(reader->at, ng->swapped);
    if (trailer != ng->skip_trailer)
        return weir_reader_fault(reader, fault, -EBADMSG, "block length %u is repeated as %u",
                                 ng->skip_trailer, trailer);
    ng->skip_trailer = 0;
    reader->at += 4;
    return BLOCK_DONE;
}

/* Byte order is written in the section header itself, behind its length. */
static int learn_byte_order(struct weir_reader *reader, struct weir_fault *fault) {
    uint32_t order = weir_load32(reader->at + 8, false);
    if (order != ORDER_MAGIC && order != __builtin_bswap32(ORDER_MAGIC))
        return weir_reader_fault(reader, fault, -EBADMSG,
                                 "byte-order magic %08x of a pcapng section", order);
    reader->pcapng.swapped = order != ORDER_MAGIC;
    return 0;
}

/* A known block of `length` bytes, once it is here whole. */
static inline int take_block(struct weir_reader *reader, const struct block *block, uint32_t length,
                             struct weir_frame *ret_frame, struct weir_fault *fault) {
    if (length > WEIR_BLOCK_MAX || length < BLOCK_FRAME_BYTES + block->body_min_bytes)
        return weir_reader_fault(reader, fault, -EBADMSG, "%s block of %u bytes", block->name,
                                 length);
    if (weir_reader_left(reader) < length) return want(reader, length);
    uint32_t trailer = weir_load32(reader->at + length - 4, reader->pcapng.swapped);
    if (trailer != length)
        return weir_reader_fault(reader, fault, -EBADMSG, "block length %u is repeated as %u",
                                 length, trailer);
    struct body body = {.bytes = reader->at + BLOCK_HEADER_BYTES,
                        .length = length - BLOCK_FRAME_BYTES};
    int r = block->on(reader, body, ret_frame, fault);
    if (r >= 0) reader->at += length;
    return r;
}

/* One block: BLOCK_DONE, BLOCK_FRAME, WEIR_READER_MORE or < 0. Only the first two move on. */
static inline int next_block(struct weir_reader *reader, struct weir_frame *ret_frame,
                             struct weir_fault *fault) {
    struct weir_pcapng *ng = &reader->pcapng;
    if (ng->skip_trailer) return pass_over(reader, fault);
    size_t left = weir_reader_left(reader);
    if (left == 0) return want(reader, 0);
    if (left < BLOCK_FRAME_BYTES) return want(reader, BLOCK_FRAME_BYTES);
    uint32_t type = weir_load32(reader->at, ng->swapped);
    if (type == BLOCK_SECTION) {
        int r = learn_byte_order(reader, fault);
        if (r < 0) return r;
    }
    uint32_t length = weir_load32(reader->at + 4, ng->swapped);
    if (type == 0 && length == 0) {
        reader->at += 4;
        reader->padded = true;
        return BLOCK_DONE;
    }
    if (length < BLOCK_FRAME_BYTES || length % 4 != 0)
        return weir_reader_fault(reader, fault, -EBADMSG, "block length %u", length);
    const struct block *block = find_block(type);
    if (block) return take_block(reader, block, length, ret_frame, fault);
    reader->at += BLOCK_HEADER_BYTES;
    ng->skip_bytes = length - BLOCK_FRAME_BYTES;
    ng->skip_trailer = length;
    return BLOCK_DONE;
}

static bool pcapng_matches(const uint8_t *bytes, size_t n) {
    return n >= 4 && weir_load32(bytes, false) == BLOCK_SECTION;
}

static bool at_packet(const struct weir_reader *reader) {
    if (reader->pcapng.skip_trailer || weir_reader_left(reader) < 4) return false;
    const struct block *block = find_block(weir_load32(reader->at, reader->pcapng.swapped));
    return block && block->is_packet;
}

/* After the section header, the interfaces as far as they lie in the buffer are read too, so that a
 * filter can be tried on their link types before any work is done. What is wrong there is told when
 * the walk comes to it. */
static int pcapng_open(struct weir_reader *reader, struct weir_fault *fault) {
    int r = next_block(reader, NULL, fault);
    while (r == BLOCK_DONE && !at_packet(reader))
        if (next_block(reader, NULL, NULL) != BLOCK_DONE) break;
    return r;
}

static int pcapng_walk(struct weir_reader *reader, struct weir_frame *frames, size_t max,
                       size_t *ret_n, struct weir_fault *fault) {
    size_t n = 0;
    int r = 0;
    while (n < max) {
        r = next_block(reader, &frames[n], fault);
        if (r == BLOCK_FRAME)
            n++;
        else if (r != BLOCK_DONE)
            break;
    }
    *ret_n = n;
    if (n < max) return r;
    reader->want = 0;
    return 0;
}

static size_t pcapng_linktypes(const struct weir_reader *reader, uint16_t *ret_linktypes,
                               size_t max) {
    size_t n = reader->pcapng.n_interfaces < max ? reader->pcapng.n_interfaces : max;
    for (size_t i = 0; i < n; i++) ret_linktypes[i] = reader->pcapng.interfaces[i].linktype;
    return n;
}

static void pcapng_deinit(struct weir_reader *reader) { free(reader->pcapng.interfaces); }

const struct weir_format weir_format_pcapng = {
    .name = "pcapng",
    .matches = pcapng_matches,
    .open = pcapng_open,
    .walk = pcapng_walk,
    .linktypes = pcapng_linktypes,
    .deinit = pcapng_deinit,
};
