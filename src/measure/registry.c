/* The registry of signals: lays the states of all of them behind one another, and all their fields
 * in one table. Which signals there are comes from meson.build; nothing else lists them. */
#include <stdlib.h>
#include <string.h>

#include "measure/registry.inc"
#include "measure/signal.h"

#define X(name) extern const struct weir_signal weir_signal_##name;
WEIR_SIGNALS(X)
#undef X

static const struct weir_signal *const signals[] = {
#define X(name) &weir_signal_##name,
    WEIR_SIGNALS(X)
#undef X
};
enum { N_SIGNALS = sizeof signals / sizeof signals[0] };

static struct {
    size_t offset[N_SIGNALS];
    size_t size;
    struct weir_field fields[WEIR_FIELDS_MAX];
    size_t n_fields;
} layout;
static pthread_once_t layout_once = PTHREAD_ONCE_INIT;

static void layout_make(void) {
    size_t at = offsetof(struct weir_accumulator, states);
    for (size_t i = 0; i < N_SIGNALS; i++) {
        layout.offset[i] = at;
        at += (signals[i]->state_size + 15) & ~(size_t)15;
        for (size_t f = 0; f < signals[i]->n_fields && layout.n_fields < WEIR_FIELDS_MAX; f++)
            layout.fields[layout.n_fields++] = signals[i]->fields[f].field;
    }
    layout.size = (at + 63) & ~(size_t)63;
}

static void layout_need(void) { pthread_once(&layout_once, layout_make); }

size_t weir_signals(const struct weir_signal *const **ret_signals) {
    *ret_signals = signals;
    return N_SIGNALS;
}

const struct weir_field *weir_fields(size_t *ret_n) {
    layout_need();
    *ret_n = layout.n_fields;
    return layout.fields;
}

int weir_field_find(const char *group, const char *name) {
    layout_need();
    for (size_t i = 0; i < layout.n_fields; i++) {
        const struct weir_field *field = &layout.fields[i];
        bool same_group =
            group && field->group ? strcmp(group, field->group) == 0 : group == field->group;
        if (same_group && strcmp(name, field->name) == 0) return (int)i;
    }
    return -1;
}

/* A span of 0 is none: the capture has no time stamps (flow.h). */
/* a smaller answer is over within a round trip or two and says more of latency */
enum { GOODPUT_BYTES = 100000 };

enum weir_continuous weir_sampled_by(const struct weir_sample *sample) {
    const struct weir_event *event = sample->event;
    switch (event->kind) {
    case WEIR_EVENT_RTT:
        return event->rtt.us < 0 || event->rtt.waited ? WEIR_CONTINUOUS_N
               : event->rtt.side == WEIR_SERVER       ? WEIR_CONTINUOUS_RTT_SERVER
                                                      : WEIR_CONTINUOUS_RTT_CLIENT;
    case WEIR_EVENT_FIRST_BYTE:
        return sample->media && event->first_byte.ttfb_us > 0 ? WEIR_CONTINUOUS_TTFB
                                                              : WEIR_CONTINUOUS_N;
    case WEIR_EVENT_DNS: return event->dns.latency_us > 0 ? WEIR_CONTINUOUS_DNS : WEIR_CONTINUOUS_N;
    case WEIR_EVENT_CHUNK:
        return sample->media && event->chunk.bytes >= GOODPUT_BYTES &&
                       event->chunk.transfer_us > 0 && event->chunk.bytes <= UINT64_MAX / 8000000
                   ? WEIR_CONTINUOUS_GOODPUT
                   : WEIR_CONTINUOUS_N;
    default: return WEIR_CONTINUOUS_N;
    }
}

size_t weir_accumulator_size(void) {
    layout_need();
    return layout.size;
}

struct weir_accumulator *weir_accumulators_new(size_t n) {
    return calloc(n, weir_accumulator_size());
}

struct weir_accumulator *weir_accumulator_at(const struct weir_accumulator *accumulators,
                                             size_t index) {
    return (struct weir_accumulator *)((uintptr_t)accumulators + index * layout.size);
}

static void *state_of(const struct weir_accumulator *accumulator, size_t signal) {
    return (void *)((uintptr_t)accumulator + layout.offset[signal]);
}

void *weir_accumulator_state(const struct weir_accumulator *accumulator,
                             const struct weir_signal *signal) {
    layout_need();
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (signals[i] == signal) return state_of(accumulator, i);
    return NULL;
}

void weir_accumulator_event(struct weir_accumulator *accumulator,
                            const struct weir_sample *sample) {
    uint32_t bit = UINT32_C(1) << sample->event->kind;
    accumulator->touched = true;
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (signals[i]->events & bit) signals[i]->on_event(state_of(accumulator, i), sample);
}

void weir_accumulator_trial(struct weir_accumulator *accumulator, const struct weir_trial *trial) {
    accumulator->touched = true;
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (signals[i]->on_trial) signals[i]->on_trial(state_of(accumulator, i), trial);
}

void weir_accumulator_sums(struct weir_accumulator *accumulator,
                           const struct weir_session_sums *sums) {
    if (!sums->demand && !accumulator->touched)
        return; /* viewers alone make no window: nothing was seen in it */
    accumulator->touched = true;
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (signals[i]->on_sums) signals[i]->on_sums(state_of(accumulator, i), sums);
}

static void traffic_merge(struct weir_traffic *into, const struct weir_traffic *from) {
    for (int side = 0; side < 2; side++) {
        into->packets[side] += from->packets[side];
        into->bytes[side] += from->bytes[side];
        into->tcp_payload[side] += from->tcp_payload[side];
    }
    for (int by = 0; by < WEIR_NAMED_N; by++) into->named_bytes[by] += from->named_bytes[by];
    into->tcp_ended += from->tcp_ended;
    into->tcp_ended_one_way += from->tcp_ended_one_way;
}

void weir_accumulator_merge(struct weir_accumulator *into, const struct weir_accumulator *from) {
    if (!from->touched) return;
    into->touched = true;
    traffic_merge(&into->traffic, &from->traffic);
    for (size_t i = 0; i < N_SIGNALS; i++) signals[i]->merge(state_of(into, i), state_of(from, i));
}

void weir_accumulator_clear(struct weir_accumulator *accumulator) {
    if (accumulator->touched) memset(accumulator, 0, layout.size);
}

void weir_accumulator_read(const struct weir_accumulator *accumulator, struct weir_value *values) {
    size_t at = 0;
    for (size_t i = 0; i < N_SIGNALS; i++) {
        const struct weir_signal *signal = signals[i];
        for (size_t f = 0; f < signal->n_fields && at < WEIR_FIELDS_MAX; f++)
            values[at++] = signal->fields[f].read(state_of(accumulator, i), &accumulator->traffic,
                                                  signal->fields[f].argument);
    }
}
