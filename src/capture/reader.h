/* One capture file: a stream of bytes cut into frames by a format.
 *
 *      stream --weir_reader_refill()--> buffer [ done | at ... end | room ]
 *                                                        \--format->walk()--> frames[], pointing
 * into the buffer
 *
 * A walk takes every whole record in the buffer; the unfinished one at its end is carried over to
 * the buffer of the next refill. So a byte is moved twice only at the seams, and frames live as
 * long as their buffer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/packet.h>

#include "capture/stream.h"

enum {
    WEIR_CAPLEN_MAX = 262144,    /* what libpcap and Wireshark hold to */
    WEIR_BLOCK_MAX = 1 << 20,    /* pcapng: a packet block with its options */
    WEIR_INTERFACES_MAX = 65536, /* pcapng: of one section */
};

struct weir_reader;

/* Memory that frames point into. */
struct weir_buffer {
    uint8_t *bytes;
    size_t capacity;
};
int weir_buffer_grow(struct weir_buffer *buffer, size_t capacity); /* keeps nothing; 0 or -ENOMEM */

enum weir_reader_outcome {
    WEIR_READER_MORE = 1, /* the buffer holds no further whole record: refill */
    WEIR_READER_END,      /* the file ended well */
};

/* A capture file format. */
struct weir_format {
    const char *name;
    /* Does a file that begins with these bytes look like one? */
    bool (*matches)(const uint8_t *bytes, size_t n);
    /* Reads the file's header and whatever describes the interfaces before the first frame: as far
     * as the buffer goes. 0, WEIR_READER_MORE or < 0. */
    int (*open)(struct weir_reader *reader, struct weir_fault *fault);
    /* Up to `max` frames, `now_us` unset. Returns 0 (max reached), WEIR_READER_MORE or < 0; *ret_n
     * counts the good frames in each case. `reader->want` says how many bytes would let it go on.
     */
    int (*walk)(struct weir_reader *reader, struct weir_frame *frames, size_t max, size_t *ret_n,
                struct weir_fault *fault);
    /* Link types known so far, up to `max`; returns how many. */
    size_t (*linktypes)(const struct weir_reader *reader, uint16_t *ret_linktypes, size_t max);
    void (*deinit)(struct weir_reader *reader);
};
extern const struct weir_format weir_format_pcap, weir_format_pcapng;

struct weir_pcap {
    bool swapped;         /* written by a machine of the other byte order */
    bool nano;            /* fractions are nanoseconds */
    uint8_t header_bytes; /* of a record */
    uint16_t linktype;
};

struct weir_pcapng_interface {
    uint16_t linktype;
    uint8_t scale;    /* enum scale in pcapng.c: how a stamp becomes microseconds */
    uint8_t shift;    /* for powers of two */
    uint32_t snaplen; /* 0: none */
    uint64_t factor;  /* for powers of ten */
    int64_t offset_s; /* if_tsoffset */
    uint64_t dropped; /* the highest count told for it */
};

struct weir_pcapng {
    bool swapped;
    uint32_t n_interfaces, max_interfaces;
    uint32_t n_known; /* of these, with a link type that the caller knows */
    struct weir_pcapng_interface *interfaces;
    uint64_t skip_bytes; /* of a block that is being passed over, without its trailer */
    /* the length that must stand behind it; 0: no block is being passed over */
    uint32_t skip_trailer;
};

struct weir_reader {
    struct weir_stream *stream;
    const struct weir_format *format;
    bool (*knows_linktype)(uint16_t linktype); /* or NULL */
    const uint8_t *at, *end;                   /* unread bytes of the current buffer */
    uint64_t stream_bytes;                     /* read so far: the offset of `end` */
    size_t want;                               /* bytes from `at` that a walk needs to go on */
    bool at_end;                               /* of the stream: nothing follows `end` */
    int broken;                                /* why the stream ended, < 0; 0: it just ended */
    int64_t last_ts_us;                        /* for frames without a stamp */
    bool padded;                               /* zeros were passed in place of a record */
    uint64_t dropped;                          /* told by the file */
    struct weir_fault why;                     /* of `broken` */
    union {
        struct weir_pcap pcap;
        struct weir_pcapng pcapng;
    };
};

/* Opens the file and reads its header into `buffer`, where the first frames then lie. */
int weir_reader_init(struct weir_reader *reader, const char *path, struct weir_buffer *buffer,
                     const atomic_bool *stop, bool (*knows_linktype)(uint16_t linktype),
                     struct weir_fault *fault);
void weir_reader_deinit(struct weir_reader *reader);

static inline size_t weir_reader_linktypes(const struct weir_reader *reader,
                                           uint16_t *ret_linktypes, size_t max) {
    return reader->format->linktypes(reader, ret_linktypes, max);
}

/* Moves the unread bytes to the front of `buffer` (the current one or another) and, unless they are
 * what the last walk wanted or were not walked yet, reads on. 0 or < 0. */
int weir_reader_refill(struct weir_reader *reader, struct weir_buffer *buffer,
                       struct weir_fault *fault);

/* Up to `max` frames out of `buffer`, which is refilled while it gives none. Returns 0,
 * WEIR_READER_END or < 0, each with *ret_n good frames before it (0 comes with at least one); once
 * it ended, it ends again. */
int weir_reader_walk(struct weir_reader *reader, struct weir_buffer *buffer,
                     struct weir_frame *frames, size_t max, size_t *ret_n,
                     struct weir_fault *fault);

/* "name: byte N: reason", N being the offset of the first unread byte. Returns `error`. */
__attribute__((format(printf, 4, 5))) int weir_reader_fault(const struct weir_reader *reader,
                                                            struct weir_fault *fault, int error,
                                                            const char *format, ...);

/* What a stamp may be, so that arithmetic on it cannot overflow further on. */
#define WEIR_TS_MAX_US INT64_C(253402300799999999) /* the last microsecond of the year 9999 */
static inline int64_t weir_ts_clamp(int64_t ts_us) {
    return ts_us < 0 ? 0 : ts_us > WEIR_TS_MAX_US ? WEIR_TS_MAX_US : ts_us;
}

static inline uint16_t weir_load16(const uint8_t *at, bool swapped) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return swapped ? __builtin_bswap16(value) : value;
}

static inline uint32_t weir_load32(const uint8_t *at, bool swapped) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return swapped ? __builtin_bswap32(value) : value;
}

static inline uint64_t weir_load64(const uint8_t *at, bool swapped) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return swapped ? __builtin_bswap64(value) : value;
}

static inline size_t weir_reader_left(const struct weir_reader *reader) {
    return (size_t)(reader->end - reader->at);
}
