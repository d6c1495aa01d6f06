/* A signal is one thing that windows publish: one const record in signal_<name>.c, its name in
 * meson.build. What it keeps of one service in one window is its state: plain memory, zero to begin
 * with, that merges by addition, so that neither the number of workers nor the order of merging
 * shows in what is read. */
#pragma once

#include <pthread.h>
#include <stdalign.h>

#include <weir/measure.h>

#include "base/histogram.h"

/* What a worker's signal sees of an event. */
struct weir_sample {
    const struct weir_event *event;
    uint8_t transport; /* enum weir_transport */
    uint8_t named_by;  /* enum weir_named_by; N: a lookup's flow, which nobody has to name */
    bool media;        /* as in struct weir_evidence */
};

/* Counted for every packet, so kept apart from the signals' states and written by the meter itself.
 */
struct weir_traffic {
    uint64_t packets[2], bytes[2]; /* by sender: IP payload */
    uint64_t tcp_payload[2];       /* what losses are a share of */
    uint64_t mute;                 /* packets of clients that ask for no answer: ACKs, RSTs */
    uint64_t named_bytes[WEIR_NAMED_N];
    uint64_t tcp_ended, tcp_ended_one_way; /* TCP flows with payload */
};

struct weir_signal_field {
    struct weir_field field;
    struct weir_value (*read)(const void *state, const struct weir_traffic *traffic,
                              unsigned argument);
    unsigned argument; /* of read: which of several */
};

struct weir_signal {
    const char *name, *help;
    size_t state_size;
    uint32_t events; /* on_event sees these: bits 1 << enum weir_event_kind */
    /* in workers */
    void (*on_event)(void *state, const struct weir_sample *sample);
    /* in the coordinator */
    void (*on_trial)(void *state, const struct weir_trial *trial);
    /* in the coordinator */
    void (*on_sums)(void *state, const struct weir_session_sums *sums);
    void (*merge)(void *into, const void *from);
    const struct weir_signal_field *fields;
    size_t n_fields;
};

/* All signals' states of one service. An array of them is walked with weir_accumulator_at(). */
struct weir_accumulator {
    bool touched;
    struct weir_traffic traffic;
    alignas(16) uint8_t states[];
};

size_t weir_signals(const struct weir_signal *const **ret_signals);
size_t weir_accumulator_size(void);
struct weir_accumulator *weir_accumulators_new(size_t n); /* zeroed; NULL: no memory. free() it */
struct weir_accumulator *weir_accumulator_at(const struct weir_accumulator *accumulators,
                                             size_t index);
void weir_accumulator_event(struct weir_accumulator *accumulator, const struct weir_sample *sample);
void weir_accumulator_trial(struct weir_accumulator *accumulator, const struct weir_trial *trial);
void weir_accumulator_sums(struct weir_accumulator *accumulator,
                           const struct weir_session_sums *sums);
void weir_accumulator_merge(struct weir_accumulator *into, const struct weir_accumulator *from);
void weir_accumulator_clear(struct weir_accumulator *accumulator);
/* Fills `values` in the order of weir_fields(). */
void weir_accumulator_read(const struct weir_accumulator *accumulator, struct weir_value *values);
/* The state of one signal, for those who keep it from outside; NULL: no such. */
void *weir_accumulator_state(const struct weir_accumulator *accumulator,
                             const struct weir_signal *signal);

/* ---- helpers for signals ---- */

static inline struct weir_value weir_value_integer(int64_t integer) {
    return (struct weir_value){.integer = integer};
}

static inline struct weir_value weir_value_null(enum weir_reason reason) {
    return (struct weir_value){.integer = WEIR_NULL, .reason = (uint8_t)reason};
}

static inline struct weir_value weir_value_ratio(uint64_t part, uint64_t whole) {
    if (whole == 0) return weir_value_null(WEIR_REASON_NO_SAMPLE);
    return (struct weir_value){.real = (double)part / (double)whole};
}

/* Percent-quantile of a histogram, null when empty. */
static inline struct weir_value weir_value_quantile(const struct weir_histogram *histogram,
                                                    unsigned percent) {
    if (histogram->n == 0) return weir_value_null(WEIR_REASON_NO_SAMPLE);
    return weir_value_integer((int64_t)weir_histogram_quantile(histogram, percent / 100.0));
}

/* Fields p10, p50, p95 and samples of a histogram: `read` takes 10, 50, 95, or 0 for the number of
 * samples. */
/* clang-format off */
#define WEIR_HISTOGRAM_FIELDS(group_, suffix, unit_, what, read_, base) \
    {{group_, "p10_" suffix, unit_, "10th percentile of " what, WEIR_FIELD_GAUGE}, read_, (base) + 10}, \
    {{group_, "p50_" suffix, unit_, "median of " what, WEIR_FIELD_GAUGE}, read_, (base) + 50}, \
    {{group_, "p95_" suffix, unit_, "95th percentile of " what, WEIR_FIELD_GAUGE}, read_, (base) + 95}, \
    {{group_, "samples", "1", "samples of " what, WEIR_FIELD_COUNT}, read_, (base)}
/* clang-format on */

static inline struct weir_value weir_value_histogram(const struct weir_histogram *histogram,
                                                     unsigned percent) {
    return percent ? weir_value_quantile(histogram, percent)
                   : weir_value_integer((int64_t)histogram->n);
}

/* Whether the event is a sample of a delay or rate, and of which; N: of none. The one place that
 * says so. */
enum weir_continuous weir_sampled_by(const struct weir_sample *sample);

/* The signals that others write into. */
struct weir_flows_state {
    uint64_t new_flows, named_flows[WEIR_NAMED_N];
};
struct weir_clients_state {
    uint64_t clients;
};
extern const struct weir_signal weir_signal_traffic, weir_signal_clients;
