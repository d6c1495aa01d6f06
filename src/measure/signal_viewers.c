/* Who watches, and whose picture stands still, as the sessions' buffer models say. The share is of
 * viewing time: one of four viewers who stalls for a quarter of a window is a sixteenth. Startups
 * are those that were seen whole and were over in the window; bit rates are what each viewer in
 * steady state uses. Nothing of it is known in windows in which nobody watched. */
#include "measure/signal.h"

struct viewers_state {
    uint64_t watching, stalled;      /* most at a time */
    uint64_t watched_us, stalled_us; /* summed over viewers whose buffer is known */
    struct weir_histogram startup_us, bitrate_bps;
};

static void on_sums(void *state, const struct weir_session_sums *sums) {
    struct viewers_state *viewers = state;
    if (sums->viewers > viewers->watching) viewers->watching = sums->viewers;
    if (sums->viewers_stalled > viewers->stalled) viewers->stalled = sums->viewers_stalled;
    viewers->watched_us += sums->watched_us;
    viewers->stalled_us += sums->still_us;
    if (sums->startup_us) weir_histogram_merge(&viewers->startup_us, sums->startup_us);
    if (sums->bitrate_bps) weir_histogram_merge(&viewers->bitrate_bps, sums->bitrate_bps);
}

static void merge(void *into_state, const void *from_state) {
    struct viewers_state *into = into_state;
    const struct viewers_state *from = from_state;
    if (from->watching > into->watching) into->watching = from->watching;
    if (from->stalled > into->stalled) into->stalled = from->stalled;
    into->watched_us += from->watched_us;
    into->stalled_us += from->stalled_us;
    weir_histogram_merge(&into->startup_us, &from->startup_us);
    weir_histogram_merge(&into->bitrate_bps, &from->bitrate_bps);
}

static struct weir_value read_most(const void *state, const struct weir_traffic *traffic,
                                   unsigned stalled) {
    const struct viewers_state *viewers = state;
    if (viewers->watching == 0) return weir_value_null(WEIR_REASON_NO_SAMPLE);
    return weir_value_integer((int64_t)(stalled ? viewers->stalled : viewers->watching));
}

static struct weir_value read_share(const void *state, const struct weir_traffic *traffic,
                                    unsigned argument) {
    const struct viewers_state *viewers = state;
    return weir_value_ratio(viewers->stalled_us, viewers->watched_us);
}

static struct weir_value read_startup(const void *state, const struct weir_traffic *traffic,
                                      unsigned percent) {
    const struct viewers_state *viewers = state;
    return weir_value_histogram(&viewers->startup_us, percent);
}

static struct weir_value read_bitrate(const void *state, const struct weir_traffic *traffic,
                                      unsigned percent) {
    const struct viewers_state *viewers = state;
    return weir_value_histogram(&viewers->bitrate_bps, percent);
}

static const struct weir_signal_field fields[] = {
    {{"viewers", "watching", "1", "viewers, most at a time", WEIR_FIELD_GAUGE}, read_most, 0},
    {{"viewers", "stalled", "1", "viewers whose picture stood still, most at a time",
      WEIR_FIELD_GAUGE},
     read_most,
     1},
    {{"viewers", "stalled_share", "1", "share of viewing time in which the picture stood still",
      WEIR_FIELD_RATIO},
     read_share},
    {{"viewers", "startup_p50_us", "us", "median of the time until a picture can begin",
      WEIR_FIELD_GAUGE},
     read_startup,
     50},
    {{"viewers", "startup_p95_us", "us", "95th percentile of the time until a picture can begin",
      WEIR_FIELD_GAUGE},
     read_startup,
     95},
    {{"viewers", "startups", "1", "pictures that could begin", WEIR_FIELD_COUNT}, read_startup, 0},
    {{"viewers", "bitrate_p50_bps", "bps", "median of what viewers in steady state use",
      WEIR_FIELD_GAUGE},
     read_bitrate,
     50},
};

const struct weir_signal weir_signal_viewers = {
    .name = "viewers",
    .help = "who watches, and whose picture stands still",
    .state_size = sizeof(struct viewers_state),
    .on_sums = on_sums,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
