/* Unserved demand, as the sessions found it: null in windows in which nobody asked for media. */
#include "measure/signal.h"

struct starved_state {
    uint64_t windows, starved_us, drops; /* windows: with demand */
};

static void on_sums(void *state, const struct weir_session_sums *sums) {
    struct starved_state *starved = state;
    if (!sums->demand) return;
    starved->windows++;
    starved->starved_us += sums->starved_us;
    starved->drops += sums->throughput_drops;
}

static void merge(void *into_state, const void *from_state) {
    struct starved_state *into = into_state;
    const struct starved_state *from = from_state;
    into->windows += from->windows;
    into->starved_us += from->starved_us;
    into->drops += from->drops;
}

static struct weir_value read_starved(const void *state, const struct weir_traffic *traffic,
                                      unsigned argument) {
    const struct starved_state *starved = state;
    return starved->windows ? weir_value_integer((int64_t)starved->starved_us)
                            : weir_value_null(WEIR_REASON_NO_SAMPLE);
}

static struct weir_value read_drops(const void *state, const struct weir_traffic *traffic,
                                    unsigned argument) {
    const struct starved_state *starved = state;
    return starved->windows ? weir_value_integer((int64_t)starved->drops)
                            : weir_value_null(WEIR_REASON_NO_SAMPLE);
}

static const struct weir_signal_field fields[] = {
    {{NULL, "starved_us", "us",
      "time that clients waited for media that came far too slowly or not at all",
      WEIR_FIELD_COUNT},
     read_starved},
    {{NULL, "throughput_drops", "1", "media answers slower than half of their session's median",
      WEIR_FIELD_COUNT},
     read_drops},
};

const struct weir_signal weir_signal_starved = {
    .name = "starved",
    .help = "unserved demand of sessions",
    .state_size = sizeof(struct starved_state),
    .on_sums = on_sums,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
