/* `engine.state` in the state directory: see state_file.c. */
#pragma once

#include <weir/classify.h>
#include <weir/detect.h>
#include <weir/error.h>

#include "engine/state_io.h" /* WEIR_STATE_NONE */

/* Reads the state of an earlier run into a new detector and the address memory. `now_us`: of the
 * first packets. 0: read; > 0: there was none, or none that can be used, and a fault says why
 * (empty when there is none); < 0: the detector is spoilt, make a new one (the fault says why). */
int weir_state_file_read(const char *directory, struct weir_detector *detector,
                         struct weir_address_memory *addresses, const struct weir_service_set *set,
                         int64_t now_us, struct weir_fault *fault);
/* Replaces the file as a whole. 0 or < 0 with a fault. */
int weir_state_file_write(const char *directory, struct weir_detector *detector,
                          const struct weir_address_memory *addresses,
                          const struct weir_service_set *set, int64_t now_us,
                          struct weir_fault *fault);
