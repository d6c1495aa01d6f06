/* Between the files of the table itself. */
#pragma once

#include "flow/flow.h"

size_t timer_fired_bytes(size_t n_flows);

/* table.c: takes the flow out of its bucket and gives its memory back. */
void table_remove(struct weir_flow *flow);
