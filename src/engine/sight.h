/* Whether the capture sees at all. See sight.c. */
#pragma once

#include <weir/capture.h>
#include <weir/decode.h>
#include <weir/detect.h>

struct weir_sight {                 /* zeroed at the start */
    int64_t first_us, heard_us;     /* the first tick; the last one by which a packet had come */
    int64_t longest_gap_us;         /* between packets, that ended with a packet */
    uint64_t packets, heard_ticks;  /* at the last tick; ticks in which packets came */
    uint64_t decode[WEIR_DECODE_N]; /* at the last window's end */
    double undecoded_share;         /* of the last window's packets */
    struct weir_detect_sight now;
};

/* Once a tick. `stats`: of a live source, NULL for files (whose packets alone make time). `decode`:
 * outcomes since the start. */
void weir_sight_look(struct weir_sight *sight, int64_t now_us, bool window_end,
                     const struct weir_source_stats *stats, const uint64_t decode[WEIR_DECODE_N]);
