/* Silent spells inside media transfers and unanswered media requests: stalls of connections.
 * Whether playback stood still is another question, which buffers hide: see `starved_us` and the
 * sessions. */
#include "measure/signal.h"

struct stall_state {
    uint64_t count, total_us, longest_us;
};

static void on_event(void *state, const struct weir_sample *sample) {
    struct stall_state *stall = state;
    int64_t duration_us = sample->event->stall.duration_us;
    if (!sample->media || duration_us < 0) return;
    stall->count++;
    stall->total_us += (uint64_t)duration_us;
    if ((uint64_t)duration_us > stall->longest_us) stall->longest_us = (uint64_t)duration_us;
}

static void merge(void *into_state, const void *from_state) {
    struct stall_state *into = into_state;
    const struct stall_state *from = from_state;
    into->count += from->count;
    into->total_us += from->total_us;
    if (from->longest_us > into->longest_us) into->longest_us = from->longest_us;
}

static struct weir_value read_count(const void *state, const struct weir_traffic *traffic,
                                    unsigned argument) {
    return weir_value_integer((int64_t)((const struct stall_state *)state)->count);
}

static struct weir_value read_total(const void *state, const struct weir_traffic *traffic,
                                    unsigned argument) {
    return weir_value_integer((int64_t)((const struct stall_state *)state)->total_us);
}

static struct weir_value read_longest(const void *state, const struct weir_traffic *traffic,
                                      unsigned argument) {
    const struct stall_state *stall = state;
    return stall->count ? weir_value_integer((int64_t)stall->longest_us)
                        : weir_value_null(WEIR_REASON_NO_SAMPLE);
}

static const struct weir_signal_field fields[] = {
    {{"stalls", "count", "1", "silent spells in media transfers that ended", WEIR_FIELD_COUNT},
     read_count},
    {{"stalls", "total_us", "us", "their duration together", WEIR_FIELD_COUNT}, read_total},
    {{"stalls", "longest_us", "us", "the longest of them", WEIR_FIELD_GAUGE}, read_longest},
};

const struct weir_signal weir_signal_stall = {
    .name = "stall",
    .help = "silent spells in media transfers",
    .state_size = sizeof(struct stall_state),
    .events = 1u << WEIR_EVENT_STALL,
    .on_event = on_event,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
