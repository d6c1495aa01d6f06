/* What detect wants of measure beside trials: windows of continuous values, and open demand. */
#pragma once

#include <weir/detect.h>
#include <weir/measure.h>

void weir_detect_input_window(struct weir_detector *detector, struct weir_rollup *rollup,
                              size_t n_services, int64_t end_us, double drop_share, bool dns_blind);
void weir_detect_input_demand(struct weir_detector *detector, const struct weir_sessions *sessions,
                              size_t n_services);
