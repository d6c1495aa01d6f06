/* capture: frames from files (pcap, pcapng, .gz, .zst, stdin) or interfaces, in batches.
 *
 * A source is read once, and each batch of it is seen by every worker, in order: the source turns
 * bytes into an array of frames (whichever worker comes first does it, alone), and the batch is
 * shared, counted, and recycled when the last worker is done with it. So decompressing, merging
 * several files, the BPF filter and the repair of time stamps happen once, and all workers see the
 * same packets in the same order, which makes their results independent of their number. Where one
 * batch ends and the next begins may depend on the reads (a pipe gives less at once); the frames
 * and their order do not.
 *
 *      file(s) --read, inflate--> chunk --walk records--> weir_batch {frames[]} --> worker 0
 *                                                                              \--> worker 1
 * The engine's clock: now = max(now, ts + offset). A stamp more than 60 s behind `now` is a clock
 * that was set back: the offset grows so that time goes on from `now`, and the step is counted.
 * Smaller disorder only holds `now` still. Stamps are brought into the years 1970 to 9999.
 *
 * Several files are merged by stamp; each keeps its own order, and its own interface numbers, from
 * 0. A frame of a pcapng block that has no stamp gets that of the frame before it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/counter.h>
#include <weir/error.h>
#include <weir/packet.h>

#define WEIR_BATCH_FRAMES_MAX 4096
struct weir_batch {
    const struct weir_frame *frames; /* in capture order */
    size_t n_frames;
    uint64_t index;       /* 0, 1, 2... over the whole run */
    const void *prepared; /* what weir_source_prepare() asked for; else NULL */
    int64_t now_us;       /* the engine's clock behind the last frame: time goes on at an interface
                           * without packets (a batch of it may have no frames); 0 for files, whose
                           * frames alone make time */
};

struct weir_source; /* opaque */

struct weir_source_options {
    const char *filter; /* BPF expression or NULL */
    unsigned n_workers; /* >= 1 */
    /* Which link types the caller can decode; NULL: any. A file that has no other kind is refused
     * with a fault that names the type; frames of unknown types beside known ones are delivered. */
    bool (*knows_linktype)(uint16_t linktype);
    /* Files: the one file is a stream that grows while it is read (a pipe from tcpdump). Batches
     * come every 100 ms at the latest, as those of an interface do, and time goes on without
     * frames, by the wall clock, for five seconds at the most: a longer silence may be the pipe's
     * own, of which nothing can be said. */
    bool growing;
};

struct weir_source_stats {
    /* packets: handed on; dropped_kernel: ps_drop, and of files pcapng's interface statistics,
     * where dumpcap puts it; dropped_interface: ps_ifdrop; clock_steps: stamps over 60 s behind */
    WEIR_COUNTERS_OF_SOURCE(WEIR_COUNTER_FIELD)
    uint64_t filtered;                /* left out by the filter */
    uint64_t time_backwards;          /* stamps behind the clock, held */
    uint64_t bytes_read, bytes_total; /* of the files as they lie on disk; total 0: unknown */
    int64_t first_ts_us, last_ts_us;  /* smallest and largest stamp; 0 while packets == 0 */
    int64_t clock_offset_us;          /* now - ts since the last step; 0 normally */
    uint32_t links_down;              /* interfaces that are not up, have no carrier or are gone */
    char link_down[16];               /* the first of these */
};

/* Opens the files (several are one capture in time order; "-" is stdin, at most once). Every file
 * is opened and its header checked here, so that a wrong name fails before any work. Returns 0 or <
 * 0 with `fault` naming file, offset and reason. */
int weir_source_open_files(struct weir_source **ret_source, const char *const *paths,
                           size_t n_paths, const struct weir_source_options *options,
                           struct weir_fault *fault);

/* An interface. `filter` works in the kernel: what it leaves out is not counted. */
enum {
    WEIR_SNAPLEN_MIN = 2048,
    WEIR_SNAPLEN_MAX = 262144,
    WEIR_RING_BYTES_MAX = 1 << 30,
    WEIR_LIVE_INTERFACES_MAX = 8,
    WEIR_LANES_MAX = 64
};
struct weir_live_options {
    const char *interfaces[WEIR_LIVE_INTERFACES_MAX]; /* "any" is all of them */
    unsigned n_interfaces;
    uint32_t snaplen;    /* WEIR_SNAPLEN_MIN to _MAX */
    size_t buffer_bytes; /* of the kernel's rings of an interface, together */
    bool promiscuous;
    const char *write;   /* pcap file for every frame that is handed on; NULL: none */
    int64_t duration_us; /* ends by itself after this; 0: never */
};
/* Opens the interfaces; what fails says what to do next. A batch comes every 100 ms at the latest.
 * Each of `n_sources` is for one worker (options->n_workers is 1) and has its own share of the
 * flows, both directions of a flow in the same one; DNS answers and ICMP are in each of them a
 * second time, marked `copy`. All begin and end at the same engine's time. A stop of one stops all.
 * After a failure the caller frees those that are there. */
int weir_source_open_live(struct weir_source **ret_sources, unsigned n_sources,
                          const struct weir_live_options *live_options,
                          const struct weir_source_options *options, struct weir_fault *fault);

/* Lists the packet sockets of an interface's source, for who confines the process. Returns how
 * many; files have none. */
size_t weir_source_sockets(const struct weir_source *source, int *ret_descriptors, size_t room);

/* From now on `prepare` is called once for each batch, by the worker that filled it and before any
 * sees it; `room` has `bytes` bytes that live as long as the batch. Before the first
 * weir_source_next(). */
typedef void (*weir_preparation)(void *context, const struct weir_batch *batch, void *room);
void weir_source_prepare(struct weir_source *source, weir_preparation prepare, void *context,
                         size_t bytes);

/* The next batch for this worker (each worker gets every batch). Returns
 *   0  *ret_batch is valid until the worker's next call
 *   1  WEIR_SOURCE_END: no more frames
 *   <0 fatal: the fault names file, offset and reason. All frames before the bad place have been
 *      delivered to every worker before this is returned; every worker gets the same answer. */
enum { WEIR_SOURCE_END = 1 };
int weir_source_next(struct weir_source *source, unsigned worker,
                     const struct weir_batch **ret_batch, struct weir_fault *fault);

/* Has no other worker got further than this one? Then it has time for what is not a packet's. Any
 * time but inside of weir_source_next(). */
bool weir_source_leads(struct weir_source *source, unsigned worker);

/* Fills no further batch: each worker still gets those that are filled, then WEIR_SOURCE_END. Any
 * thread, any time, and from signal handlers; workers go on calling weir_source_next() until it
 * ends. A read that blocks is ended by a signal to its thread (handler without SA_RESTART). */
void weir_source_stop(struct weir_source *source);

/* After a stopped source of an interface has ended: goes on, for workers that are new. */
void weir_source_resume(struct weir_source *source);

/* Counters up to now; any thread, any time. */
void weir_source_stats(struct weir_source *source, struct weir_source_stats *ret_stats);

/* Freeing NULL is fine. No worker may be inside weir_source_next(). */
void weir_source_free(struct weir_source *source);
