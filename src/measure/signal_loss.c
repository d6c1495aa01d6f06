/* Losses of TCP segments, by who sent them and on which side of the vantage they were lost:
 * "before" is between the sender and here, "beyond" between here and the receiver. Shares are of
 * the TCP payload that passed, the repeats among it, in the same direction. QUIC shows no losses.
 */
#include "measure/signal.h"

enum place { BEFORE, BEYOND, N_PLACES };

struct loss_state {
    uint64_t lost_bytes[2][N_PLACES];
    uint64_t lost_segments[2][N_PLACES];
    uint64_t needless_bytes[2], needless_segments[2]; /* of those beyond, taken back */
    uint64_t reordered, spurious, zero_window[2];
};

static void on_event(void *state, const struct weir_sample *sample) {
    struct loss_state *loss = state;
    unsigned sender = sample->event->anomaly.sender;
    uint64_t segments = sample->event->anomaly.segments;
    enum weir_anomaly what = sample->event->anomaly.what;
    switch (what) {
    case WEIR_ANOMALY_LOST_BEFORE:
    case WEIR_ANOMALY_LOST_BEYOND: {
        enum place place = what == WEIR_ANOMALY_LOST_BEFORE ? BEFORE : BEYOND;
        loss->lost_bytes[sender][place] += sample->event->anomaly.bytes;
        loss->lost_segments[sender][place] += segments;
        break;
    }
    case WEIR_ANOMALY_REORDERED: loss->reordered += segments; break;
    case WEIR_ANOMALY_NEEDLESS:
        loss->needless_bytes[sender] += sample->event->anomaly.bytes;
        loss->needless_segments[sender] += segments;
        loss->spurious += segments;
        break;
    case WEIR_ANOMALY_SPURIOUS: loss->spurious += segments; break;
    case WEIR_ANOMALY_ZERO_WINDOW: loss->zero_window[sender]++; break;
    case WEIR_ANOMALY_KEEPALIVE:
    case WEIR_ANOMALY_DUPLICATE:
    case WEIR_ANOMALY_N: break;
    }
}

static void merge(void *into_state, const void *from_state) {
    struct loss_state *into = into_state;
    const struct loss_state *from = from_state;
    for (int side = 0; side < 2; side++) {
        for (int place = 0; place < N_PLACES; place++) {
            into->lost_bytes[side][place] += from->lost_bytes[side][place];
            into->lost_segments[side][place] += from->lost_segments[side][place];
        }
        into->needless_bytes[side] += from->needless_bytes[side];
        into->needless_segments[side] += from->needless_segments[side];
        into->zero_window[side] += from->zero_window[side];
    }
    into->reordered += from->reordered;
    into->spurious += from->spurious;
}

/* What was told in an earlier window is no longer there to be taken back. */
static uint64_t less(uint64_t lost, uint64_t needless) {
    return lost > needless ? lost - needless : 0;
}

static struct weir_value read_share(const void *state, const struct weir_traffic *traffic,
                                    unsigned argument) {
    unsigned sender = argument / N_PLACES, place = argument % N_PLACES;
    const struct loss_state *loss = state;
    uint64_t needless = place == BEYOND ? loss->needless_bytes[sender] : 0;
    return weir_value_ratio(less(loss->lost_bytes[sender][place], needless),
                            traffic->tcp_payload[sender]);
}

static struct weir_value read_segments(const void *state, const struct weir_traffic *traffic,
                                       unsigned argument) {
    const struct loss_state *loss = state;
    unsigned sender = argument / N_PLACES, place = argument % N_PLACES;
    uint64_t needless = place == BEYOND ? loss->needless_segments[sender] : 0;
    return weir_value_integer((int64_t)less(loss->lost_segments[sender][place], needless));
}

static struct weir_value read_reordered(const void *state, const struct weir_traffic *traffic,
                                        unsigned argument) {
    return weir_value_integer((int64_t)((const struct loss_state *)state)->reordered);
}

static struct weir_value read_spurious(const void *state, const struct weir_traffic *traffic,
                                       unsigned argument) {
    return weir_value_integer((int64_t)((const struct loss_state *)state)->spurious);
}

static struct weir_value read_zero_window(const void *state, const struct weir_traffic *traffic,
                                          unsigned side) {
    return weir_value_integer((int64_t)((const struct loss_state *)state)->zero_window[side]);
}

/* clang-format off */
#define PLACE_FIELDS(sender, place, text, what) \
    {{"loss", text "_share", "1", "lost bytes " what " over TCP payload", WEIR_FIELD_RATIO}, read_share, \
        sender * N_PLACES + place}, \
    {{"loss", text "_segments", "1", "segments lost " what, WEIR_FIELD_COUNT}, read_segments, sender * N_PLACES + place}
/* clang-format on */

static const struct weir_signal_field fields[] = {
    PLACE_FIELDS(WEIR_SERVER, BEFORE, "down_before", "between servers and here"),
    PLACE_FIELDS(WEIR_SERVER, BEYOND, "down_beyond", "between here and clients"),
    PLACE_FIELDS(WEIR_CLIENT, BEFORE, "up_before", "between clients and here"),
    PLACE_FIELDS(WEIR_CLIENT, BEYOND, "up_beyond", "between here and servers"),
    {{"loss", "reordered", "1", "segments that came out of order", WEIR_FIELD_COUNT},
     read_reordered},
    {{"loss", "spurious", "1", "segments sent again although they were there", WEIR_FIELD_COUNT},
     read_spurious},
    {{"loss", "zero_window_client", "1", "packets in which clients closed their window",
      WEIR_FIELD_COUNT},
     read_zero_window,
     WEIR_CLIENT},
    {{"loss", "zero_window_server", "1", "packets in which servers closed their window",
      WEIR_FIELD_COUNT},
     read_zero_window,
     WEIR_SERVER},
};

const struct weir_signal weir_signal_loss = {
    .name = "loss",
    .help = "lost, reordered and needless TCP segments",
    .state_size = sizeof(struct loss_state),
    .events = 1u << WEIR_EVENT_ANOMALY,
    .on_event = on_event,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
