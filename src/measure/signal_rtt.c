/* Round-trip times split at the vantage: the server's part and the client's. Delayed
 * acknowledgements inflate single samples, hence the 10th percentile. */
#include "measure/signal.h"

struct rtt_state {
    struct weir_histogram side[2];
};

static void on_event(void *state, const struct weir_sample *sample) {
    struct rtt_state *rtt = state;
    if (weir_sampled_by(sample) != WEIR_CONTINUOUS_N)
        weir_histogram_add(&rtt->side[sample->event->rtt.side], (uint64_t)sample->event->rtt.us);
}

static void merge(void *into_state, const void *from_state) {
    struct rtt_state *into = into_state;
    const struct rtt_state *from = from_state;
    for (int side = 0; side < 2; side++) weir_histogram_merge(&into->side[side], &from->side[side]);
}

enum { SIDE_STEP = 1000 };

static struct weir_value read_time(const void *state, const struct weir_traffic *traffic,
                                   unsigned argument) {
    const struct rtt_state *rtt = state;
    return weir_value_histogram(&rtt->side[argument / SIDE_STEP], argument % SIDE_STEP);
}

static const struct weir_signal_field fields[] = {
    WEIR_HISTOGRAM_FIELDS("rtt_server", "us", "us", "round-trip time between here and the servers",
                          read_time, WEIR_SERVER *SIDE_STEP),
    WEIR_HISTOGRAM_FIELDS("rtt_client", "us", "us", "round-trip time between here and the clients",
                          read_time, WEIR_CLIENT *SIDE_STEP),
};

const struct weir_signal weir_signal_rtt = {
    .name = "rtt",
    .help = "round-trip times, server's and client's part",
    .state_size = sizeof(struct rtt_state),
    .events = 1u << WEIR_EVENT_RTT,
    .on_event = on_event,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
