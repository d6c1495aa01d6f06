/* Does the way out lose packets? See losses.c. */
#pragma once

#include <weir/detect.h>

struct weir_detector;

struct weir_losses {
    /* windows in a row that say either; a window with little to say counts as neither */
    uint32_t bad_run, good_run;
    int64_t onset_us, bad_us;       /* begin of the first bad window of the run; end of the last */
    struct weir_incident_link last; /* of the last bad window: sent to all clients */
};
/* The last bad window. */
struct weir_incident_link weir_losses_last(const struct weir_detector *detector);
/* Somebody's picture stands still, or requests starve. */
bool weir_viewers_suffer(const struct weir_detector *detector);
/* The way out lost packets of several services in each of the last windows, and of none not. */
bool weir_way_out_loses(const struct weir_detector *detector);
