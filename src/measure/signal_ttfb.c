/* Time from a media request to the first byte of its answer. */
#include "measure/signal.h"

static void on_event(void *state, const struct weir_sample *sample) {
    if (weir_sampled_by(sample) == WEIR_CONTINUOUS_TTFB)
        weir_histogram_add(state, (uint64_t)sample->event->first_byte.ttfb_us);
}

static void merge(void *into, const void *from) { weir_histogram_merge(into, from); }

static struct weir_value read_time(const void *state, const struct weir_traffic *traffic,
                                   unsigned percent) {
    return weir_value_histogram(state, percent);
}

static const struct weir_signal_field fields[] = {
    WEIR_HISTOGRAM_FIELDS("ttfb", "us", "us", "time from media request to first byte", read_time,
                          0),
};

const struct weir_signal weir_signal_ttfb = {
    .name = "ttfb",
    .help = "time to first byte of media answers",
    .state_size = sizeof(struct weir_histogram),
    .events = 1u << WEIR_EVENT_FIRST_BYTE,
    .on_event = on_event,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
