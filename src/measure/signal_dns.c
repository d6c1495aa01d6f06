/* Lookups of the service's names: questions, how they ended, and the latency of those that were
 * answered. A name that does not exist counts here as the resolver said it; whether that is a
 * failure is judged in trials. */
#include "measure/signal.h"

struct dns_state {
    uint64_t queries, outcomes[WEIR_OUTCOME_N];
    struct weir_histogram latency;
};

static void on_event(void *state, const struct weir_sample *sample) {
    struct dns_state *dns = state;
    dns->queries += sample->event->dns.queries;
    dns->outcomes[sample->event->dns.outcome]++;
    if (weir_sampled_by(sample) == WEIR_CONTINUOUS_DNS)
        weir_histogram_add(&dns->latency, (uint64_t)sample->event->dns.latency_us);
}

static void merge(void *into_state, const void *from_state) {
    struct dns_state *into = into_state;
    const struct dns_state *from = from_state;
    into->queries += from->queries;
    for (int outcome = 0; outcome < WEIR_OUTCOME_N; outcome++)
        into->outcomes[outcome] += from->outcomes[outcome];
    weir_histogram_merge(&into->latency, &from->latency);
}

static struct weir_value read_queries(const void *state, const struct weir_traffic *traffic,
                                      unsigned argument) {
    return weir_value_integer((int64_t)((const struct dns_state *)state)->queries);
}

static struct weir_value read_outcome(const void *state, const struct weir_traffic *traffic,
                                      unsigned outcome) {
    return weir_value_integer((int64_t)((const struct dns_state *)state)->outcomes[outcome]);
}

static struct weir_value read_latency(const void *state, const struct weir_traffic *traffic,
                                      unsigned percent) {
    return weir_value_histogram(&((const struct dns_state *)state)->latency, percent);
}

static const struct weir_signal_field fields[] = {
    {{"dns", "queries", "1", "questions, repeated ones too", WEIR_FIELD_COUNT}, read_queries},
    {{"dns", "useful", "1", "lookups that gave an address", WEIR_FIELD_COUNT},
     read_outcome,
     WEIR_OUTCOME_USEFUL},
    {{"dns", "neutral", "1", "lookups that gave no data, or were given up", WEIR_FIELD_COUNT},
     read_outcome,
     WEIR_OUTCOME_NEUTRAL},
    {{"dns", "timeout", "1", "lookups unanswered", WEIR_FIELD_COUNT},
     read_outcome,
     WEIR_OUTCOME_DNS_TIMEOUT},
    {{"dns", "servfail", "1", "lookups answered SERVFAIL", WEIR_FIELD_COUNT},
     read_outcome,
     WEIR_OUTCOME_DNS_SERVFAIL},
    {{"dns", "refused", "1", "lookups answered REFUSED", WEIR_FIELD_COUNT},
     read_outcome,
     WEIR_OUTCOME_DNS_REFUSED},
    {{"dns", "nxdomain", "1", "lookups answered NXDOMAIN", WEIR_FIELD_COUNT},
     read_outcome,
     WEIR_OUTCOME_DNS_NXDOMAIN},
    WEIR_HISTOGRAM_FIELDS("dns_latency", "us", "us", "time from question to answer", read_latency,
                          0),
};

const struct weir_signal weir_signal_dns = {
    .name = "dns",
    .help = "lookups of the service's names",
    .state_size = sizeof(struct dns_state),
    .events = 1u << WEIR_EVENT_DNS,
    .on_event = on_event,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
