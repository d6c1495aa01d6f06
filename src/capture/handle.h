/* One libpcap handle on one interface, and the frames taken from its ring that were not handed on
 * yet. */
#pragma once

#include <pcap/pcap.h>

#include <weir/capture.h>

#include "capture/reader.h"

struct weir_handle {
    const char *interface; /* whoever opened it keeps the text */
    uint16_t number;       /* of the interface in this capture */
    pcap_t *pcap;
    bool nano;
    bool immediate; /* frames are there at once, not by blocks */
    bool in_fanout; /* cannot be bound to another interface */
    bool away;      /* the interface is gone */
    uint16_t linktype;
    uint32_t snaplen;
    size_t ring_bytes;     /* asked of the kernel */
    int64_t not_before_us; /* older stamps are from before capture began in earnest */

    struct weir_frame *frames; /* staged: [at, n_frames) are still to be handed on */
    size_t at, n_frames;
    /* stamp of any taken so far: processors may put them into the ring a little out of order */
    int64_t newest_us;
    struct weir_buffer buffer;
    size_t used;
    bool drained;       /* when last asked, nothing was left in the ring, ... */
    int64_t drained_us; /* ... and this was the wall clock before */

    uint64_t dropped_kernel, dropped_interface;
    uint32_t seen_drop, seen_ifdrop;
};

struct weir_handle_options {
    const char *interface;
    uint16_t number;
    uint32_t snaplen;
    size_t buffer_bytes;
    bool promiscuous, immediate;
    const char *filter;                        /* BPF or NULL */
    bool (*knows_linktype)(uint16_t linktype); /* or NULL */
};

enum {
    /* a block with frames is given up after this, or at the next beat of the same length */
    WEIR_RING_TIMEOUT_MS = 50,
};

/* Opens and activates; what fails says what to do next. */
int weir_handle_open(struct weir_handle *handle, const struct weir_handle_options *options,
                     struct weir_fault *fault);
/* Joins the sockets of one interface: each flow, with its fragments, goes to one of them, the same
 * for both directions. */
int weir_handle_join(struct weir_handle *handle, uint16_t group, struct weir_fault *fault);
/* Stages what the ring holds, once all that was staged before is handed on. Returns 0 or < 0 when
 * capture has ended. */
int weir_handle_take(struct weir_handle *handle, struct weir_fault *fault);
/* Adds what was dropped since the last call. */
void weir_handle_read_drops(struct weir_handle *handle);
/* Is the interface there, up, and is there a carrier? */
bool weir_handle_is_up(const struct weir_handle *handle);
void weir_handle_close(struct weir_handle *handle);

int64_t weir_clock_us(int clock); /* clockid_t: CLOCK_REALTIME, CLOCK_MONOTONIC */
