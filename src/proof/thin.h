/* Fewer packets of one flow that say the same. */
#pragma once

#include "proof/ring.h"

/* How much of a transfer becomes one packet: see thin.c. */
enum { WEIR_PROOF_GRAINS = 5 };

/* `entries`: of one flow, in the order of time. Changes those that take others, leaves in front
 * those that stay, and returns how many. Finest first: `grain` 0, then 1 ... on what was left. */
size_t weir_proof_thin(struct weir_proof_entry **entries, size_t n, unsigned grain);
