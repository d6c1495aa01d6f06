/* What a run counts and publishes: one row a counter.
 *
 * A row belongs to the stage that counts it. From it come the field in that stage's statistics, the
 * sum over workers, the field of the capture record, its place in JSON, the Redis field, and its
 * line in contrib/KEYS.md. So a new counter is a row here, and a `++` where it happens.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum weir_counter_kind {
    WEIR_COUNTER_SEEN,    /* what there was */
    WEIR_COUNTER_DROPPED, /* packets that the capture lost */
    WEIR_COUNTER_REFUSED, /* work that a bound refused: 0 in healthy operation */
};

/* X(name, kind, place in the JSON record, help); the name is the struct's and Redis'. Rows of JSON
 * come in this order. */
/* clang-format off */
#define WEIR_COUNTERS_OF_SOURCE(X) \
    X(packets, SEEN, "packets", "seen") \
    X(bytes, SEEN, "bytes", "on the wire") \
    X(dropped_kernel, DROPPED, "dropped_kernel", "packets that the kernel had no room for") \
    X(dropped_interface, DROPPED, "dropped_interface", "and the interface") \
    X(snaplen_cut, SEEN, "snaplen_cut", "packets that the snap length cut") \
    X(clock_steps, SEEN, "clock_steps", "time stamps that stepped back")
#define WEIR_COUNTERS_OF_FLOW(X) \
    X(time_clamped, SEEN, "time_clamped", "and that were held") \
    X(flows, SEEN, "flows", "made") \
    X(flows_refused, REFUSED, "flows_refused", "flows not made for want of room") \
    X(duplicates, SEEN, "duplicates", "packets seen twice, left out") \
    X(flows_shed, REFUSED, "refused.flows_shed", "half-open flows let go early for want of room") \
    X(detail_refused, REFUSED, "refused.detail", "measurements of a flow not kept for want of room") \
    X(dns_refused, REFUSED, "refused.dns", "lookups not followed for want of room")
#define WEIR_COUNTERS_OF_METER(X) \
    X(evidence_refused, REFUSED, "refused.evidence", "evidence of one second above the bound") \
    X(records_refused, REFUSED, "refused.records", "flow records of one second above the bound") \
    X(pending_refused, REFUSED, "refused.pending", "new flows whose name was not waited for: counted as unnamed")
#define WEIR_COUNTERS_OF_TRIALS(X) \
    X(trials_refused, REFUSED, "refused.trials", "trials of a slot above the bound") \
    X(held_refused, REFUSED, "refused.held", "failures decided at once because too many were held")
#define WEIR_COUNTERS_OF_SESSIONS(X) \
    X(sessions_refused, REFUSED, "refused.sessions", "sessions not followed for want of room")
#define WEIR_COUNTERS_OF_ROLLUP(X) \
    X(clients_refused, REFUSED, "refused.clients", "clients of a window that were not counted for want of room")
/* clang-format on */

#define WEIR_COUNTERS(X)         \
    WEIR_COUNTERS_OF_SOURCE(X)   \
    WEIR_COUNTERS_OF_FLOW(X)     \
    WEIR_COUNTERS_OF_METER(X)    \
    WEIR_COUNTERS_OF_TRIALS(X)   \
    WEIR_COUNTERS_OF_SESSIONS(X) \
    WEIR_COUNTERS_OF_ROLLUP(X)

#define WEIR_COUNTER_FIELD(name, kind, json, help) uint64_t name;

struct weir_counter {
    const char *name; /* in Redis */
    enum weir_counter_kind kind;
    const char *json; /* "flows", "refused.detail": in an object of the record */
    const char *help;
    size_t offset; /* of its uint64_t in struct weir_capture_record */
};
/* All of them, in order; never NULL. */
const struct weir_counter *weir_counters(size_t *ret_n);
struct weir_capture_record;
uint64_t weir_counter_value(const struct weir_counter *counter,
                            const struct weir_capture_record *capture);
