/* Between the files of the table itself. */
#pragma once

#include "flow/flow.h"

size_t timer_link_bytes(size_t n_flows);

/* table.c: takes the flow out of its bucket and gives its memory back. */
void table_remove(struct weir_flow *flow);
/* After the last one, where `emptying` was set before the first: no flow was taken out of its
 * bucket. */
void table_emptied(struct weir_flow_table *table);
