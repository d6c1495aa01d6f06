/* How far an attempt got before it failed. */
#pragma once

#include <stdint.h>

/* Nobody there; turned away; let in, and then failed. WEIR_DEPTHS: the outcome does not say. */
enum weir_depth { WEIR_DEPTH_CLOSED, WEIR_DEPTH_REFUSED, WEIR_DEPTH_LET_IN, WEIR_DEPTHS };

/* `outcome`: an enum weir_outcome. */
enum weir_depth weir_depth_of(uint8_t outcome);
