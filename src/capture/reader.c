/* From bytes to frames, whatever the format: see reader.h.
 *
 * A read asks for all that the buffer holds, but is made only when the bytes at hand are no whole
 * record, and not repeated once they are: a file is read in large pieces, and a pipe fed by a live
 * tcpdump is answered at once. A stream that breaks (cut, damaged, disk error) is walked to its
 * last whole record first.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/reader.h"

enum { FOREIGN_MAGIC_MAX = 8 };

/* Files that people take for captures, and captures that weir does not read. */
static const struct foreign {
    const char *magic;
    uint8_t n_magic;
    const char *what;
} foreigns[] = {
    {"\xfd"
     "7zXZ",
     5, "is packed with xz: unpack it first"},
    {"BZh", 3, "is packed with bzip2: unpack it first"},
    {"\x04\x22\x4d\x18", 4, "is packed with lz4: unpack it first"},
    {"PK\x03\x04", 4, "is a zip archive: unpack it first"},
    {"\x1f\x8b", 2, "is packed twice: unpack it first"},
    {"\x28\xb5\x2f\xfd", 4, "is packed twice: unpack it first"},
    {"snoop\0\0", 8, "is a snoop capture: convert it to pcapng with editcap"},
};

int weir_buffer_grow(struct weir_buffer *buffer, size_t capacity) {
    if (capacity <= buffer->capacity) return 0;
    uint8_t *bytes = malloc(capacity);
    if (!bytes) return -ENOMEM;
    free(buffer->bytes);
    *buffer = (struct weir_buffer){.bytes = bytes, .capacity = capacity};
    return 0;
}

int weir_reader_fault(const struct weir_reader *reader, struct weir_fault *fault, int error,
                      const char *format, ...) {
    char reason[240];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return weir_fault_set(fault, error, "%s: byte %llu%s: %s", weir_stream_name(reader->stream),
                          (unsigned long long)(reader->stream_bytes - weir_reader_left(reader)),
                          weir_stream_is_compressed(reader->stream) ? " (uncompressed)" : "",
                          reason);
}

/* Moves the unread bytes into `buffer`, which is made large enough for what the walk wants. */
static int carry_over(struct weir_reader *reader, struct weir_buffer *buffer,
                      struct weir_fault *fault) {
    size_t left = weir_reader_left(reader);
    struct weir_buffer target = *buffer;
    if (reader->want > target.capacity) {
        target = (struct weir_buffer){0};
        if (weir_buffer_grow(&target, reader->want) < 0)
            return weir_reader_fault(reader, fault, -ENOMEM, "out of memory");
    }
    if (left > 0) memmove(target.bytes, reader->at, left);
    if (target.bytes != buffer->bytes) free(buffer->bytes);
    *buffer = target;
    reader->at = buffer->bytes;
    reader->end = buffer->bytes + left;
    return 0;
}

int weir_reader_refill(struct weir_reader *reader, struct weir_buffer *buffer,
                       struct weir_fault *fault) {
    int r = carry_over(reader, buffer, fault);
    if (r < 0) return r;
    size_t left;
    while (!reader->at_end &&
           (left = weir_reader_left(reader)) < (reader->want ? reader->want : 1)) {
        size_t n;
        reader->broken = weir_stream_read(reader->stream, buffer->bytes + left,
                                          buffer->capacity - left, &n, &reader->why);
        reader->at_end = n == 0;
        reader->end += n;
        reader->stream_bytes += n;
    }
    return 0;
}

/* Behind zeros, or as many as no stamp is. */
static bool is_padding(const struct weir_reader *reader) {
    if (!reader->padded && weir_reader_left(reader) < 4) return false;
    for (const uint8_t *at = reader->at; at < reader->end; at++)
        if (*at) return false;
    return true;
}

/* The stream has ended: well, perhaps padded with zeros; broken, or inside a record. */
static int end_of_stream(const struct weir_reader *reader, struct weir_fault *fault) {
    if (reader->broken)
        return weir_reader_fault(reader, fault, reader->broken, "%s", reader->why.text);
    if (weir_reader_left(reader) == 0 ? reader->want == 0 : reader->format && is_padding(reader))
        return WEIR_READER_END;
    return weir_reader_fault(reader, fault, -EBADMSG,
                             "cut in mid-record: %zu of at least %zu bytes are there",
                             weir_reader_left(reader), reader->want);
}

int weir_reader_walk(struct weir_reader *reader, struct weir_buffer *buffer,
                     struct weir_frame *frames, size_t max, size_t *ret_n,
                     struct weir_fault *fault) {
    for (;;) {
        int r = reader->format->walk(reader, frames, max, ret_n, fault);
        if (r < 0 || *ret_n > 0) return r < 0 ? r : 0;
        if (reader->at_end) return end_of_stream(reader, fault);
        r = weir_reader_refill(reader, buffer, fault);
        if (r < 0) return r;
    }
}

static int refuse(struct weir_reader *reader, struct weir_buffer *buffer,
                  struct weir_fault *fault) {
    reader->want = FOREIGN_MAGIC_MAX;
    int r = weir_reader_refill(reader, buffer, fault);
    if (r < 0) return r;
    size_t n = weir_reader_left(reader);
    if (reader->broken) return end_of_stream(reader, fault);
    if (n == 0) return weir_reader_fault(reader, fault, -ENODATA, "the file is empty");
    for (size_t i = 0; i < sizeof foreigns / sizeof foreigns[0]; i++)
        if (n >= foreigns[i].n_magic &&
            memcmp(reader->at, foreigns[i].magic, foreigns[i].n_magic) == 0)
            return weir_reader_fault(reader, fault, -EBADMSG, "%s", foreigns[i].what);
    return weir_reader_fault(reader, fault, -EBADMSG,
                             "not a capture: neither pcap nor pcapng begins like this");
}

static int open_format(struct weir_reader *reader, struct weir_buffer *buffer,
                       struct weir_fault *fault) {
    static const struct weir_format *const formats[] = {&weir_format_pcap, &weir_format_pcapng};
    reader->want = 4;
    int r = weir_reader_refill(reader, buffer, fault);
    if (r < 0) return r;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (formats[i]->matches(reader->at, weir_reader_left(reader))) reader->format = formats[i];
    if (!reader->format) return refuse(reader, buffer, fault);
    while ((r = reader->format->open(reader, fault)) == WEIR_READER_MORE) {
        if (reader->at_end) return end_of_stream(reader, fault);
        r = weir_reader_refill(reader, buffer, fault);
        if (r < 0) return r;
    }
    return r;
}

int weir_reader_init(struct weir_reader *reader, const char *path, struct weir_buffer *buffer,
                     const atomic_bool *stop, bool (*knows_linktype)(uint16_t linktype),
                     struct weir_fault *fault) {
    *reader = (struct weir_reader){.knows_linktype = knows_linktype};
    int r = weir_stream_open(&reader->stream, path, stop, fault);
    if (r == 0) r = open_format(reader, buffer, fault);
    if (r < 0) weir_reader_deinit(reader);
    return r;
}

void weir_reader_deinit(struct weir_reader *reader) {
    if (reader->format && reader->format->deinit) reader->format->deinit(reader);
    weir_stream_free(reader->stream);
    *reader = (struct weir_reader){0};
}
