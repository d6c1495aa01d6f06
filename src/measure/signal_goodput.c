/* Goodput of media answers: bytes over the time from first to last byte, of answers of 100 kB and
 * more. A smaller one is over within a round trip or two and says more of latency. Bursts of HTTP/2
 * and 3 are merged answers: still a rate. */
#include "measure/signal.h"

static void on_event(void *state, const struct weir_sample *sample) {
    if (weir_sampled_by(sample) == WEIR_CONTINUOUS_GOODPUT)
        weir_histogram_add(state, sample->event->chunk.bytes * 8000000 /
                                      (uint64_t)sample->event->chunk.transfer_us);
}

static void merge(void *into, const void *from) { weir_histogram_merge(into, from); }

static struct weir_value read_rate(const void *state, const struct weir_traffic *traffic,
                                   unsigned percent) {
    return weir_value_histogram(state, percent);
}

static const struct weir_signal_field fields[] = {
    WEIR_HISTOGRAM_FIELDS("goodput", "bps", "bps", "goodput of media answers of 100 kB and more",
                          read_rate, 0),
};

const struct weir_signal weir_signal_goodput = {
    .name = "goodput",
    .help = "rate of media answers",
    .state_size = sizeof(struct weir_histogram),
    .events = 1u << WEIR_EVENT_CHUNK,
    .on_event = on_event,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
