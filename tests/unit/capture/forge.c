#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "forge.h"

struct forge *forge_new(bool swapped) {
    struct forge *forge = calloc(1, sizeof *forge);
    assert(forge);
    forge->swapped = swapped;
    return forge;
}

void forge_bytes(struct forge *forge, const void *bytes, size_t n) {
    assert(n <= sizeof forge->bytes - forge->n);
    if (n > 0) memcpy(forge->bytes + forge->n, bytes, n);
    forge->n += n;
}

void forge_16(struct forge *forge, uint16_t value) {
    value = forge->swapped ? __builtin_bswap16(value) : value;
    forge_bytes(forge, &value, sizeof value);
}

void forge_32(struct forge *forge, uint32_t value) {
    value = forge->swapped ? __builtin_bswap32(value) : value;
    forge_bytes(forge, &value, sizeof value);
}

void forge_64(struct forge *forge, uint64_t value) {
    value = forge->swapped ? __builtin_bswap64(value) : value;
    forge_bytes(forge, &value, sizeof value);
}

static void fill_with(struct forge *forge, uint8_t fill, size_t n) {
    assert(n <= sizeof forge->bytes - forge->n);
    memset(forge->bytes + forge->n, fill, n);
    forge->n += n;
}

void forge_pcap(struct forge *forge, uint32_t magic, uint32_t linktype) {
    forge_32(forge, magic);
    forge_16(forge, 2);
    forge_16(forge, 4);
    forge_32(forge, 0);
    forge_32(forge, 0);
    forge_32(forge, 262144);
    forge_32(forge, linktype);
}

void forge_record(struct forge *forge, uint32_t s, uint32_t fraction, uint32_t caplen,
                  uint32_t wirelen, uint8_t fill) {
    forge_32(forge, s);
    forge_32(forge, fraction);
    forge_32(forge, caplen);
    forge_32(forge, wirelen);
    fill_with(forge, fill, caplen);
}

static size_t begin_block(struct forge *forge, uint32_t type) {
    size_t start = forge->n;
    forge_32(forge, type);
    forge_32(forge, 0);
    return start;
}

static void end_block(struct forge *forge, size_t start) {
    fill_with(forge, 0, -forge->n & 3);
    uint32_t length = (uint32_t)(forge->n - start) + 4;
    forge_32(forge, length);
    memcpy(forge->bytes + start + 4, forge->bytes + forge->n - 4, 4);
}

void forge_section(struct forge *forge) {
    size_t start = begin_block(forge, 0x0a0d0d0a);
    forge_32(forge, 0x1a2b3c4d);
    forge_16(forge, 1);
    forge_16(forge, 0);
    forge_64(forge, UINT64_MAX);
    end_block(forge, start);
}

void forge_interface(struct forge *forge, uint16_t linktype, uint32_t snaplen, int tsresol,
                     int64_t tsoffset_s) {
    size_t start = begin_block(forge, 1);
    forge_16(forge, linktype);
    forge_16(forge, 0);
    forge_32(forge, snaplen);
    forge_16(forge, 2); /* if_name, of a length that needs padding */
    forge_16(forge, 3);
    forge_bytes(forge, "eth\0", 4);
    if (tsresol >= 0) {
        uint8_t value[4] = {(uint8_t)tsresol};
        forge_16(forge, 9);
        forge_16(forge, 1);
        forge_bytes(forge, value, 4);
    }
    if (tsoffset_s != 0) {
        forge_16(forge, 14);
        forge_16(forge, 8);
        forge_64(forge, (uint64_t)tsoffset_s);
    }
    forge_32(forge, 0);
    end_block(forge, start);
}

void forge_epb(struct forge *forge, uint32_t interface, uint64_t units, uint32_t caplen,
               uint32_t wirelen, uint8_t fill) {
    size_t start = begin_block(forge, 6);
    forge_32(forge, interface);
    forge_32(forge, (uint32_t)(units >> 32));
    forge_32(forge, (uint32_t)units);
    forge_32(forge, caplen);
    forge_32(forge, wirelen);
    fill_with(forge, fill, caplen);
    end_block(forge, start);
}

void forge_spb(struct forge *forge, uint32_t caplen, uint32_t wirelen, uint8_t fill) {
    size_t start = begin_block(forge, 3);
    forge_32(forge, wirelen);
    fill_with(forge, fill, caplen);
    end_block(forge, start);
}

void forge_pb(struct forge *forge, uint16_t interface, uint64_t units, uint32_t caplen,
              uint32_t wirelen, uint8_t fill) {
    size_t start = begin_block(forge, 2);
    forge_16(forge, interface);
    forge_16(forge, 7);
    forge_32(forge, (uint32_t)(units >> 32));
    forge_32(forge, (uint32_t)units);
    forge_32(forge, caplen);
    forge_32(forge, wirelen);
    fill_with(forge, fill, caplen);
    end_block(forge, start);
}

void forge_isb(struct forge *forge, uint32_t interface, uint64_t ifdrop, uint64_t osdrop) {
    size_t start = begin_block(forge, 5);
    forge_32(forge, interface);
    forge_64(forge, 0);
    forge_16(forge, 5);
    forge_16(forge, 8);
    forge_64(forge, ifdrop);
    forge_16(forge, 7);
    forge_16(forge, 8);
    forge_64(forge, osdrop);
    forge_32(forge, 0);
    end_block(forge, start);
}

void forge_block(struct forge *forge, uint32_t type, const void *body, size_t n) {
    size_t start = begin_block(forge, type);
    forge_bytes(forge, body, n);
    end_block(forge, start);
}

struct forge_file forge_file(const void *bytes, size_t n) {
    struct forge_file file = {.fd = memfd_create("capture", MFD_CLOEXEC)};
    assert(file.fd >= 0);
    for (size_t done = 0; done < n;) {
        ssize_t written = write(file.fd, (const uint8_t *)bytes + done, n - done);
        assert(written > 0);
        done += (size_t)written;
    }
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static void keep(struct seen *seen, const struct weir_frame *frame) {
    if ((seen->n_frames & (seen->n_frames - 1)) == 0) {
        size_t max = seen->n_frames ? seen->n_frames * 2 : 1;
        seen->frames = realloc(seen->frames, max * sizeof *seen->frames);
        assert(seen->frames);
    }
    uint8_t *data = malloc(frame->caplen + 1);
    assert(data);
    memcpy(data, frame->data, frame->caplen);
    seen->frames[seen->n_frames] = *frame;
    seen->frames[seen->n_frames++].data = data;
}

void see_worker(struct weir_source *source, unsigned worker, struct seen *seen) {
    const struct weir_batch *batch;
    while ((seen->end = weir_source_next(source, worker, &batch, &seen->fault)) == 0) {
        assert(batch->index == seen->n_batches++);
        assert(batch->n_frames > 0);
        for (size_t i = 0; i < batch->n_frames; i++) keep(seen, &batch->frames[i]);
    }
}

struct seen see(const char *const *paths, size_t n_paths,
                const struct weir_source_options *options) {
    struct weir_source_options one = {.n_workers = 1};
    struct seen seen = {0};
    struct weir_source *source = NULL;
    seen.opened =
        weir_source_open_files(&source, paths, n_paths, options ? options : &one, &seen.fault);
    if (seen.opened < 0) {
        assert(!source);
        return seen;
    }
    see_worker(source, 0, &seen);
    const struct weir_batch *batch;
    assert(weir_source_next(source, 0, &batch, NULL) == seen.end);
    weir_source_stats(source, &seen.stats);
    assert(seen.stats.packets == seen.n_frames);
    weir_source_free(source);
    return seen;
}

struct seen see_bytes(const void *bytes, size_t n) {
    struct forge_file file = forge_file(bytes, n);
    const char *path = file.path;
    struct seen seen = see(&path, 1, NULL);
    close(file.fd);
    return seen;
}

void seen_free(struct seen *seen) {
    for (size_t i = 0; i < seen->n_frames; i++) free((void *)seen->frames[i].data);
    free(seen->frames);
    *seen = (struct seen){0};
}

bool seen_equal(const struct seen *a, const struct seen *b) {
    if (a->n_frames != b->n_frames || a->end != b->end) return false;
    for (size_t i = 0; i < a->n_frames; i++) {
        const struct weir_frame *x = &a->frames[i], *y = &b->frames[i];
        if (x->ts_us != y->ts_us || x->now_us != y->now_us || x->caplen != y->caplen ||
            x->wirelen != y->wirelen || x->linktype != y->linktype ||
            x->interface != y->interface || memcmp(x->data, y->data, x->caplen) != 0)
            return false;
    }
    return true;
}
