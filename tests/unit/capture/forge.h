/* Captures made byte by byte for tests, in memory, and what a source makes of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/capture.h>

struct forge {
    uint8_t bytes[1 << 20];
    size_t n;
    bool swapped; /* write numbers in the other byte order */
};

struct forge *forge_new(bool swapped);
void forge_bytes(struct forge *forge, const void *bytes, size_t n);
void forge_16(struct forge *forge, uint16_t value);
void forge_32(struct forge *forge, uint32_t value);
void forge_64(struct forge *forge, uint64_t value);

enum {
    MAGIC_MICRO = (int)0xa1b2c3d4,
    MAGIC_NANO = (int)0xa1b23c4d,
    MAGIC_KUZNETZOV = (int)0xa1b2cd34
};
void forge_pcap(struct forge *forge, uint32_t magic, uint32_t linktype);
/* A record whose data are `caplen` times the byte `fill`. */
void forge_record(struct forge *forge, uint32_t s, uint32_t fraction, uint32_t caplen,
                  uint32_t wirelen, uint8_t fill);

void forge_section(struct forge *forge);
/* tsresol < 0: no such option. */
void forge_interface(struct forge *forge, uint16_t linktype, uint32_t snaplen, int tsresol,
                     int64_t tsoffset_s);
void forge_epb(struct forge *forge, uint32_t interface, uint64_t units, uint32_t caplen,
               uint32_t wirelen, uint8_t fill);
void forge_spb(struct forge *forge, uint32_t caplen, uint32_t wirelen, uint8_t fill);
void forge_pb(struct forge *forge, uint16_t interface, uint64_t units, uint32_t caplen,
              uint32_t wirelen, uint8_t fill);
void forge_isb(struct forge *forge, uint32_t interface, uint64_t ifdrop, uint64_t osdrop);
void forge_block(struct forge *forge, uint32_t type, const void *body, size_t n);

/* A file that holds the first `n` bytes: a path that can be opened until the test ends. */
struct forge_file {
    int fd;
    char path[32];
};
struct forge_file forge_file(const void *bytes, size_t n);

/* Everything that a worker saw. */
struct seen {
    size_t n_frames, n_batches;
    struct weir_frame *frames; /* their data are copies */
    int opened;                /* of weir_source_open_files() */
    int end;                   /* of the last weir_source_next() */
    struct weir_fault fault;
    struct weir_source_stats stats;
};
struct seen see(const char *const *paths, size_t n_paths,
                const struct weir_source_options *options);
struct seen see_bytes(const void *bytes, size_t n);
/* One worker's part of a run. */
void see_worker(struct weir_source *source, unsigned worker, struct seen *seen);
void seen_free(struct seen *seen);
bool seen_equal(const struct seen *a, const struct seen *b);
