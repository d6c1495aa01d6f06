/* One trial into all that watches it: see fold.c. */
#pragma once

#include "detect/shown.h"
#include "detect/state.h"

void weir_fold_trial(struct weir_detector *detector, const struct weir_trial *trial,
                     struct weir_shown *shown, int64_t slot_start_us, bool closed);
/* What the history keeps of it; `layer` may be a stream beside the layers. `flags`: those of
 * weir_item_flag that the trial itself does not say. */
struct weir_item weir_item_of(const struct weir_trial *trial, uint8_t layer, uint8_t flags);
