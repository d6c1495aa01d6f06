/* The classic pcap format, as libpcap has written it since 1998.
 *
 *      file header   magic(4) major(2) minor(2) zone(4) sigfigs(4) snaplen(4) linktype(4)
 *      record        seconds(4) fraction(4) caplen(4) wirelen(4) [Kuznetzov: index(4) protocol(2)
 * type(1) pad(1)] data
 *
 * The magic tells byte order, fraction (micro- or nanoseconds) and the patched format of old Linux
 * kernels by Alexey Kuznetzov. The upper half of the link type field holds what is known of frame
 * check sequences: these lie behind the IP packet, where nobody looks, so the bits are masked.
 * Seconds are unsigned: until 2106.
 *
 * Nothing marks the start of a record, so a damaged length cannot be skipped: it ends the file.
 */
#include <errno.h>

#include "capture/reader.h"

enum {
    FILE_HEADER_BYTES = 24,
    RECORD_HEADER_BYTES = 16,
    KUZNETZOV_HEADER_BYTES = 24,
};

static const struct magic {
    uint32_t value;
    bool nano;
    uint8_t header_bytes;
} magics[] = {
    {0xa1b2c3d4, false, RECORD_HEADER_BYTES},
    {0xa1b23c4d, true, RECORD_HEADER_BYTES},
    {0xa1b2cd34, false, KUZNETZOV_HEADER_BYTES},
};

static const struct magic *find_magic(const uint8_t *bytes, bool swapped) {
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
        if (weir_load32(bytes, swapped) == magics[i].value) return &magics[i];
    return NULL;
}

static bool pcap_matches(const uint8_t *bytes, size_t n) {
    return n >= 4 && (find_magic(bytes, false) || find_magic(bytes, true));
}

static int pcap_open(struct weir_reader *reader, struct weir_fault *fault) {
    struct weir_pcap *pcap = &reader->pcap;
    reader->want = FILE_HEADER_BYTES;
    if (weir_reader_left(reader) < FILE_HEADER_BYTES) return WEIR_READER_MORE;
    const uint8_t *header = reader->at;
    pcap->swapped = !find_magic(header, false);
    const struct magic *magic = find_magic(header, pcap->swapped);
    pcap->nano = magic->nano;
    pcap->header_bytes = magic->header_bytes;
    pcap->linktype = (uint16_t)(weir_load32(header + 20, pcap->swapped) & 0xffff);
    uint16_t major = weir_load16(header + 4, pcap->swapped),
             minor = weir_load16(header + 6, pcap->swapped);
    if (major != 2)
        return weir_reader_fault(reader, fault, -EBADMSG, "pcap version %u.%u is not known", major,
                                 minor);
    if (reader->knows_linktype && !reader->knows_linktype(pcap->linktype))
        return weir_reader_fault(reader, fault, -EPFNOSUPPORT, "link type %u is not known",
                                 pcap->linktype);
    reader->at += FILE_HEADER_BYTES;
    reader->want = 0;
    return 0;
}

/* `swapped` and `nano` are constants where this is inlined: the hot loop has no branch for either.
 */
static inline __attribute__((always_inline)) int walk(struct weir_reader *reader,
                                                      struct weir_frame *frames, size_t max,
                                                      size_t *ret_n, struct weir_fault *fault,
                                                      bool swapped, bool nano) {
    const size_t header_bytes = reader->pcap.header_bytes;
    const uint16_t linktype = reader->pcap.linktype;
    const uint8_t *at = reader->at, *const end = reader->end;
    int64_t last_us = reader->last_ts_us;
    uint32_t caplen = 0;
    size_t n = 0;
    while (n < max) {
        size_t left = (size_t)(end - at);
        caplen = 0;
        if (left < header_bytes) break;
        caplen = weir_load32(at + 8, swapped);
        if (caplen > WEIR_CAPLEN_MAX || left - header_bytes < caplen) break;
        uint32_t wirelen = weir_load32(at + 12, swapped), fraction = weir_load32(at + 4, swapped);
        int64_t ts_us =
            (int64_t)weir_load32(at, swapped) * 1000000 + (nano ? fraction / 1000 : fraction);
        if (ts_us == 0) {
            if (caplen == 0 && wirelen == 0) { /* padding */
                at += header_bytes;
                reader->padded = true;
                continue;
            }
            ts_us = last_us;
        }
        last_us = ts_us;
        frames[n++] = (struct weir_frame){
            .ts_us = ts_us,
            .data = at + header_bytes,
            .caplen = caplen,
            .wirelen = wirelen > caplen ? wirelen : caplen,
            .linktype = linktype,
        };
        at += header_bytes + caplen;
    }
    reader->at = at;
    reader->last_ts_us = last_us;
    reader->want = 0;
    *ret_n = n;
    if (n == max) return 0;
    if (caplen > WEIR_CAPLEN_MAX)
        return weir_reader_fault(reader, fault, -EBADMSG,
                                 "record of %u captured bytes: more than %u, the file is damaged",
                                 caplen, WEIR_CAPLEN_MAX);
    if (at < end) reader->want = header_bytes + caplen;
    return WEIR_READER_MORE;
}

static int pcap_walk(struct weir_reader *reader, struct weir_frame *frames, size_t max,
                     size_t *ret_n, struct weir_fault *fault) {
    if (reader->pcap.swapped)
        return reader->pcap.nano ? walk(reader, frames, max, ret_n, fault, true, true)
                                 : walk(reader, frames, max, ret_n, fault, true, false);
    return reader->pcap.nano ? walk(reader, frames, max, ret_n, fault, false, true)
                             : walk(reader, frames, max, ret_n, fault, false, false);
}

static size_t pcap_linktypes(const struct weir_reader *reader, uint16_t *ret_linktypes,
                             size_t max) {
    if (max == 0) return 0;
    ret_linktypes[0] = reader->pcap.linktype;
    return 1;
}

const struct weir_format weir_format_pcap = {
    .name = "pcap",
    .matches = pcap_matches,
    .open = pcap_open,
    .walk = pcap_walk,
    .linktypes = pcap_linktypes,
};
