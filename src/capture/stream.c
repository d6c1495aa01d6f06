/* Bytes of a capture file, whatever it is packed in.
 *
 * Captures come plain, gzipped and as zstd, and their names often lie (logrotate, curl, stdin has
 * none), so the first four bytes decide. A packing is one row of a table: how it is recognised,
 * begun, read and ended.
 *
 *      fd --read(2)--> plain:            the caller's buffer, nothing in between
 *         --read(2)--> packed[64 KiB] --inflate / ZSTD_decompressStream--> the caller's buffer
 *
 * Both formats may hold several members (frames) in a row, as pigz, pzstd and `cat a.gz b.gz` make
 * them; that is one stream. Zero bytes behind the last gzip member are padding (tapes, block
 * devices), anything else there is damage. A stream that ends inside a member is cut: what could be
 * unpacked is given out first, and the fault comes when it is used up. Memory is bounded by the
 * formats: 32 KiB window for gzip; zstd refuses windows over 128 MiB by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "capture/stream.h"

enum {
    PACKED_BYTES = 64 * 1024,
    MAGIC_BYTES = 4,
    NAME_BYTES = 240, /* leaves room for the reason in a fault's line */
};

struct packing {
    const char *name;
    uint8_t magic[MAGIC_BYTES];
    uint8_t n_magic;
    uint8_t first_mask; /* applied to the first byte: zstd's skippable frames are sixteen magics */
    int (*begin)(struct weir_stream *stream, struct weir_fault *fault);
    int (*read)(struct weir_stream *stream, uint8_t *bytes, size_t size, size_t *ret_n,
                struct weir_fault *fault);
    void (*end)(struct weir_stream *stream);
};

struct weir_stream {
    int fd;
    bool at_eof;    /* of the file */
    bool in_member; /* of a packed stream: its end is still to come */
    int broken;     /* the error that ended this stream, < 0, or 0 */
    const struct packing *packing;
    const atomic_bool *stop;
    atomic_uint_least64_t bytes_read;
    uint64_t bytes_total;
    struct weir_fault why; /* of `broken` */
    union {
        z_stream gzip;
        ZSTD_DStream *zstd;
    };
    size_t packed_at, packed_end;
    /* bytes read and not yet unpacked; of a plain stream only the first four */
    uint8_t *packed;
    char name[NAME_BYTES + 4];
};

static int gzip_begin(struct weir_stream *stream, struct weir_fault *fault);
static int gzip_read(struct weir_stream *stream, uint8_t *bytes, size_t size, size_t *ret_n,
                     struct weir_fault *fault);
static void gzip_end(struct weir_stream *stream);
static int zstd_begin(struct weir_stream *stream, struct weir_fault *fault);
static int zstd_read(struct weir_stream *stream, uint8_t *bytes, size_t size, size_t *ret_n,
                     struct weir_fault *fault);
static void zstd_end(struct weir_stream *stream);
static int plain_read(struct weir_stream *stream, uint8_t *bytes, size_t size, size_t *ret_n,
                      struct weir_fault *fault);

static const struct packing packings[] = {
    {.name = "gzip",
     .magic = {0x1f, 0x8b},
     .n_magic = 2,
     .first_mask = 0xff,
     .begin = gzip_begin,
     .read = gzip_read,
     .end = gzip_end},
    {.name = "zstd",
     .magic = {0x28, 0xb5, 0x2f, 0xfd},
     .n_magic = 4,
     .first_mask = 0xff,
     .begin = zstd_begin,
     .read = zstd_read,
     .end = zstd_end},
    {.name = "zstd",
     .magic = {0x50, 0x2a, 0x4d, 0x18},
     .n_magic = 4,
     .first_mask = 0xf0,
     .begin = zstd_begin,
     .read = zstd_read,
     .end = zstd_end},
    {.name = "plain", .n_magic = 0, .read = plain_read},
};

static bool packing_matches(const struct packing *packing, const uint8_t *bytes, size_t n) {
    if (n < packing->n_magic) return false;
    for (unsigned i = 0; i < packing->n_magic; i++) {
        uint8_t byte = i == 0 ? bytes[0] & packing->first_mask : bytes[i];
        if (byte != packing->magic[i]) return false;
    }
    return true;
}

/* read(2), counted; 0 at the end of the file. */
static int read_file(struct weir_stream *stream, void *bytes, size_t size, size_t *ret_n,
                     struct weir_fault *fault) {
    *ret_n = 0;
    if (stream->at_eof) return 0;
    ssize_t n;
    while ((n = read(stream->fd, bytes, size)) < 0) {
        int error = errno;
        bool stopping = stream->stop && atomic_load(stream->stop);
        if (error != EINTR || stopping)
            return weir_fault_set(fault, -error, "cannot be read: %s", strerror(error));
    }
    stream->at_eof = n == 0;
    atomic_fetch_add_explicit(&stream->bytes_read, (uint64_t)n, memory_order_relaxed);
    *ret_n = (size_t)n;
    return 0;
}

static int plain_read(struct weir_stream *stream, uint8_t *bytes, size_t size, size_t *ret_n,
                      struct weir_fault *fault) {
    size_t n = stream->packed_end - stream->packed_at;
    if (n == 0) return read_file(stream, bytes, size, ret_n, fault);
    n = n < size ? n : size;
    memcpy(bytes, stream->packed + stream->packed_at, n);
    stream->packed_at += n;
    *ret_n = n;
    return 0;
}

static int refill_packed(struct weir_stream *stream, struct weir_fault *fault) {
    stream->packed_at = stream->packed_end = 0;
    return read_file(stream, stream->packed, PACKED_BYTES, &stream->packed_end, fault);
}

static int gzip_begin(struct weir_stream *stream, struct weir_fault *fault) {
    stream->gzip = (z_stream){0};
    if (inflateInit2(&stream->gzip, 15 + 16) != Z_OK)
        return weir_fault_set(fault, -ENOMEM, "out of memory");
    stream->in_member = true;
    return 0;
}

/* Between two gzip members: 1 another begins, 0 the stream is at its end, < 0 it is damaged. */
static int gzip_next_member(struct weir_stream *stream, struct weir_fault *fault) {
    for (;;) {
        while (stream->packed_at < stream->packed_end && stream->packed[stream->packed_at] == 0)
            stream->packed_at++;
        if (stream->packed_at < stream->packed_end) break;
        int r = refill_packed(stream, fault);
        if (r < 0 || stream->packed_end == 0) return r;
    }
    if (stream->packed[stream->packed_at] != packings[0].magic[0])
        return weir_fault_set(fault, -EBADMSG, "the gzip stream is followed by something else");
    inflateReset(&stream->gzip);
    stream->in_member = true;
    return 1;
}

static int gzip_read(struct weir_stream *stream, uint8_t *bytes, size_t size, size_t *ret_n,
                     struct weir_fault *fault) {
    z_stream *gzip = &stream->gzip;
    size_t room = size < UINT32_MAX ? size : UINT32_MAX;
    gzip->next_out = bytes;
    gzip->avail_out = (uInt)room;
    while (gzip->avail_out == room) {
        if (!stream->in_member) {
            int r = gzip_next_member(stream, fault);
            if (r <= 0) return r;
        }
        if (stream->packed_at == stream->packed_end) {
            int r = refill_packed(stream, fault);
            if (r < 0) return r;
        }
        gzip->next_in = stream->packed + stream->packed_at;
        gzip->avail_in = (uInt)(stream->packed_end - stream->packed_at);
        int z = inflate(gzip, Z_NO_FLUSH);
        stream->packed_at = stream->packed_end - gzip->avail_in;
        *ret_n = room - gzip->avail_out;
        if (z == Z_STREAM_END)
            stream->in_member = false;
        else if (z == Z_BUF_ERROR && stream->at_eof)
            return weir_fault_set(fault, -EBADMSG, "the gzip stream is cut");
        else if (z == Z_MEM_ERROR)
            return weir_fault_set(fault, -ENOMEM, "out of memory");
        else if (z != Z_OK && z != Z_BUF_ERROR)
            return weir_fault_set(fault, -EBADMSG, "the gzip stream is damaged: %s",
                                  gzip->msg ? gzip->msg : "?");
    }
    return 0;
}

static void gzip_end(struct weir_stream *stream) { inflateEnd(&stream->gzip); }

static int zstd_begin(struct weir_stream *stream, struct weir_fault *fault) {
    stream->zstd = ZSTD_createDStream();
    if (!stream->zstd) return weir_fault_set(fault, -ENOMEM, "out of memory");
    stream->in_member = true;
    return 0;
}

static int zstd_read(struct weir_stream *stream, uint8_t *bytes, size_t size, size_t *ret_n,
                     struct weir_fault *fault) {
    ZSTD_outBuffer out = {.dst = bytes, .size = size};
    while (out.pos == 0) {
        if (stream->packed_at == stream->packed_end) {
            int r = refill_packed(stream, fault);
            if (r < 0) return r;
            if (stream->at_eof && !stream->in_member) return 0;
        }
        ZSTD_inBuffer in = {
            .src = stream->packed, .size = stream->packed_end, .pos = stream->packed_at};
        size_t z = ZSTD_decompressStream(stream->zstd, &out, &in);
        stream->packed_at = in.pos;
        *ret_n = out.pos;
        if (ZSTD_isError(z))
            return weir_fault_set(fault, -EBADMSG, "the zstd stream is damaged: %s",
                                  ZSTD_getErrorName(z));
        stream->in_member = z != 0;
        if (stream->in_member && stream->at_eof && out.pos == 0)
            return weir_fault_set(fault, -EBADMSG, "the zstd stream is cut");
    }
    return 0;
}

static void zstd_end(struct weir_stream *stream) { ZSTD_freeDStream(stream->zstd); }

int weir_stream_read(struct weir_stream *stream, void *bytes, size_t size, size_t *ret_n,
                     struct weir_fault *fault) {
    *ret_n = 0;
    if (!stream->broken)
        stream->broken = stream->packing->read(stream, bytes, size, ret_n, &stream->why);
    if (!stream->broken || *ret_n > 0) return 0;
    return weir_fault_set(fault, stream->broken, "%s", stream->why.text);
}

/* Reads the first bytes and picks the packing's row. */
static int recognise(struct weir_stream *stream, struct weir_fault *fault) {
    int r;
    while (stream->packed_end < MAGIC_BYTES && !stream->at_eof) {
        size_t n;
        r = read_file(stream, stream->packed + stream->packed_end, MAGIC_BYTES - stream->packed_end,
                      &n, fault);
        if (r < 0) return r;
        stream->packed_end += n;
    }
    const struct packing *packing = packings;
    while (!packing_matches(packing, stream->packed, stream->packed_end)) packing++;
    r = packing->begin ? packing->begin(stream, fault) : 0;
    if (r == 0) stream->packing = packing;
    return r;
}

static void set_name(struct weir_stream *stream, const char *path) {
    size_t length = strlen(path);
    if (strcmp(path, "-") == 0)
        strcpy(stream->name, "stdin");
    else if (length <= NAME_BYTES)
        strcpy(stream->name, path);
    else
        stpcpy(stpcpy(stream->name, "..."), path + length - NAME_BYTES);
    for (char *c = stream->name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
}

static int open_fd(struct weir_stream *stream, const char *path, struct weir_fault *fault) {
    bool is_stdin = strcmp(path, "-") == 0;
    stream->fd =
        is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (stream->fd < 0 || fstat(stream->fd, &st) < 0)
        return weir_fault_set(fault, -errno, "cannot be opened: %s", strerror(errno));
    if (S_ISDIR(st.st_mode)) return weir_fault_set(fault, -EISDIR, "is a directory, not a capture");
    if (S_ISREG(st.st_mode)) {
        off_t at = lseek(stream->fd, 0, SEEK_CUR);
        stream->bytes_total = at >= 0 && at < st.st_size ? (uint64_t)(st.st_size - at) : 0;
        posix_fadvise(stream->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return 0;
}

int weir_stream_open(struct weir_stream **ret_stream, const char *path, const atomic_bool *stop,
                     struct weir_fault *fault) {
    struct weir_stream *stream = calloc(1, sizeof *stream);
    if (!stream) return weir_fault_set(fault, -ENOMEM, "out of memory");
    stream->fd = -1;
    stream->stop = stop;
    set_name(stream, path);
    struct weir_fault why = {0};
    stream->packed = malloc(PACKED_BYTES);
    int r = stream->packed ? 0 : weir_fault_set(&why, -ENOMEM, "out of memory");
    if (r == 0) r = open_fd(stream, path, &why);
    if (r == 0) r = recognise(stream, &why);
    if (r < 0) {
        weir_fault_set(fault, r, "%s: %s", stream->name, why.text);
        weir_stream_free(stream);
        return r;
    }
    *ret_stream = stream;
    return 0;
}

bool weir_stream_wait(const struct weir_stream *stream, int ms) {
    struct pollfd file = {.fd = stream->fd, .events = POLLIN};
    return stream->broken || stream->at_eof || stream->packed_at < stream->packed_end ||
           poll(&file, 1, ms) != 0;
}

const char *weir_stream_name(const struct weir_stream *stream) { return stream->name; }

bool weir_stream_is_compressed(const struct weir_stream *stream) {
    return stream->packing->n_magic > 0;
}

uint64_t weir_stream_bytes_read(const struct weir_stream *stream) {
    return atomic_load_explicit(&stream->bytes_read, memory_order_relaxed);
}

uint64_t weir_stream_bytes_total(const struct weir_stream *stream) { return stream->bytes_total; }

void weir_stream_free(struct weir_stream *stream) {
    if (!stream) return;
    if (stream->packing && stream->packing->end) stream->packing->end(stream);
    if (stream->fd >= 0) close(stream->fd);
    free(stream->packed);
    free(stream);
}
