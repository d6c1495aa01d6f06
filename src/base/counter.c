/* The rows of counter.h as a table. */
#include <weir/record.h>

static const struct weir_counter counters[] = {
#define X(name, kind, json, help) \
    {#name, WEIR_COUNTER_##kind, json, help, offsetof(struct weir_capture_record, name)},
    WEIR_COUNTERS(X)
#undef X
};

const struct weir_counter *weir_counters(size_t *ret_n) {
    *ret_n = sizeof counters / sizeof counters[0];
    return counters;
}

uint64_t weir_counter_value(const struct weir_counter *counter,
                            const struct weir_capture_record *capture) {
    return *(const uint64_t *)(const void *)((const char *)capture + counter->offset);
}
