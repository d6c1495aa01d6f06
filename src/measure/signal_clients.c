/* Distinct clients with any evidence of the service. The rollup counts them (sets don't merge by
 * addition) and writes the number here. */
#include "measure/signal.h"

static void merge(void *into, const void *from) {}

static struct weir_value read_clients(const void *state, const struct weir_traffic *traffic,
                                      unsigned argument) {
    return weir_value_integer((int64_t)((const struct weir_clients_state *)state)->clients);
}

static const struct weir_signal_field fields[] = {
    {{NULL, "clients", "1", "distinct clients that asked the service for anything",
      WEIR_FIELD_GAUGE},
     read_clients},
};

const struct weir_signal weir_signal_clients = {
    .name = "clients",
    .help = "distinct clients",
    .state_size = sizeof(struct weir_clients_state),
    .merge = merge,
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
