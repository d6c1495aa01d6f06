/* How much of a service passed: flows, packets, bytes of IP payload. Packets that came before a
 * flow had its name are counted as unnamed, so a service's first few hundred bytes a flow are
 * missing here. Flows are counted when they are made (by the meter, which waits for the name) and,
 * by the way of their naming, when they end. */
#include "measure/signal.h"

static void on_event(void *state, const struct weir_sample *sample) {
    struct weir_flows_state *flows = state;
    if (sample->event->kind == WEIR_EVENT_NEW)
        flows->new_flows++;
    else if (sample->named_by < WEIR_NAMED_N)
        flows->named_flows[sample->named_by]++;
}

static void merge(void *into_state, const void *from_state) {
    struct weir_flows_state *into = into_state;
    const struct weir_flows_state *from = from_state;
    into->new_flows += from->new_flows;
    for (int by = 0; by < WEIR_NAMED_N; by++) into->named_flows[by] += from->named_flows[by];
}

static struct weir_value read_flows(const void *state, const struct weir_traffic *traffic,
                                    unsigned argument) {
    return weir_value_integer((int64_t)((const struct weir_flows_state *)state)->new_flows);
}

static struct weir_value read_packets(const void *state, const struct weir_traffic *traffic,
                                      unsigned side) {
    return weir_value_integer((int64_t)traffic->packets[side]);
}

static struct weir_value read_bytes(const void *state, const struct weir_traffic *traffic,
                                    unsigned side) {
    return weir_value_integer((int64_t)traffic->bytes[side]);
}

static const struct weir_signal_field fields[] = {
    {{NULL, "flows_new", "1", "flows that began", WEIR_FIELD_COUNT}, read_flows},
    {{NULL, "packets_up", "1", "packets from clients", WEIR_FIELD_COUNT},
     read_packets,
     WEIR_CLIENT},
    {{NULL, "packets_down", "1", "packets to clients", WEIR_FIELD_COUNT},
     read_packets,
     WEIR_SERVER},
    {{NULL, "bytes_up", "bytes", "IP payload from clients", WEIR_FIELD_COUNT},
     read_bytes,
     WEIR_CLIENT},
    {{NULL, "bytes_down", "bytes", "IP payload to clients", WEIR_FIELD_COUNT},
     read_bytes,
     WEIR_SERVER},
};

const struct weir_signal weir_signal_traffic = {
    .name = "traffic",
    .help = "flows, packets and bytes",
    .state_size = sizeof(struct weir_flows_state),
    .events = 1u << WEIR_EVENT_NEW | 1u << WEIR_EVENT_END,
    .on_event = on_event,
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
