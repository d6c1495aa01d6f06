/* A player with a full buffer asks for as much as it plays. So in steady state
 *
 *     request, answer, ... rest            request, ...
 *     |<------------- time to the next burst ------------>|
 *
 *     time to the next burst / answers of the burst = playing time of an answer
 *
 * whatever the service, the codec and the quality, and also where the player lets its buffer sink
 * and then asks for several segments at once. Bytes over the same time are what the session needs:
 * its bit rate, pauses of the network included. Both are means over the last sixteen bursts, of
 * those that are like the median: the first filling of the buffer, refilling after an outage and
 * pauses by the viewer are unlike it, each in its own direction. A burst that took half of its time
 * or more to arrive shows the network's speed, not the player's: it doesn't count.
 *
 * Blind spots: a session that never rests has no steady state and nothing is learned; of two
 * players of one client the sum is learned.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/cadence.h"

#define BURST_MIN_US INT64_C(300000)
#define BURST_MAX_US INT64_C(120000000)

static int compare_double(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double value_of(const struct weir_burst *burst) { return (double)burst->ms / burst->n; }

static void learn(struct weir_cadence *cadence) {
    double values[WEIR_CADENCE_BURSTS];
    uint32_t n = cadence->n_bursts < WEIR_CADENCE_BURSTS ? cadence->n_bursts : WEIR_CADENCE_BURSTS;
    if (n < WEIR_CADENCE_MIN) return;
    for (uint32_t i = 0; i < n; i++) values[i] = value_of(&cadence->bursts[i]);
    qsort(values, n, sizeof *values, compare_double);
    double median = (values[(n - 1) / 2] + values[n / 2]) / 2;
    uint64_t ms = 0, answers = 0, bytes = 0;
    cadence->good = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct weir_burst *burst = &cadence->bursts[i];
        if (value_of(burst) < 0.6 * median || value_of(burst) > 1.6 * median) continue;
        cadence->good++;
        ms += burst->ms;
        answers += burst->n;
        bytes += burst->bytes;
    }
    if (cadence->good < WEIR_CADENCE_MIN - 1 || cadence->good * 2 < n) return;
    cadence->value_us = (int64_t)(ms * 1000 / answers);
    cadence->need_bps = (int64_t)(bytes * 8000 / ms);
}

static void burst_end(struct weir_cadence *cadence, int64_t next_us) {
    int64_t us = next_us - cadence->from_us;
    if (cadence->n == 0 || cadence->spoilt || us < BURST_MIN_US || us > BURST_MAX_US ||
        cadence->on_us * 2 >= us)
        return;
    cadence->bursts[cadence->n_bursts++ % WEIR_CADENCE_BURSTS] =
        (struct weir_burst){.ms = (uint32_t)(us / 1000), .n = cadence->n, .bytes = cadence->bytes};
    learn(cadence);
}

void weir_cadence_add(struct weir_cadence *cadence, int64_t request_us, int64_t done_us,
                      uint64_t bytes) {
    if (cadence->n == 0 || request_us - cadence->end_us >= WEIR_CADENCE_REST_US) {
        burst_end(cadence, request_us);
        cadence->from_us = cadence->end_us = request_us;
        cadence->on_us = 0;
        cadence->bytes = 0;
        cadence->n = 0;
        cadence->spoilt = false;
    }
    int64_t since_us = request_us > cadence->end_us ? request_us : cadence->end_us;
    if (done_us > since_us) {
        cadence->on_us += done_us - since_us;
        cadence->end_us = done_us;
    }
    cadence->n++;
    cadence->bytes += bytes;
}

void weir_cadence_add_sound(struct weir_cadence *cadence, uint64_t bytes) {
    cadence->bytes += bytes;
}

void weir_cadence_spoil(struct weir_cadence *cadence) { cadence->spoilt = true; }

void weir_cadence_forget(struct weir_cadence *cadence) { memset(cadence, 0, sizeof *cadence); }

/* The last two: the first filling of the buffer is unlike. */
void weir_cadence_guess(struct weir_cadence *cadence) {
    uint32_t n = cadence->n_bursts;
    if (cadence->value_us > 0 || n < 2 || n >= WEIR_CADENCE_BURSTS) return;
    const struct weir_burst *last = &cadence->bursts[n - 1], *before = &cadence->bursts[n - 2];
    double more = value_of(last), less = value_of(before);
    if (more > 1.25 * less || less > 1.25 * more) return;
    cadence->value_us = (int64_t)(last->ms + before->ms) * 1000 / (last->n + before->n);
    cadence->need_bps = (int64_t)((last->bytes + before->bytes) * 8000 / (last->ms + before->ms));
}
