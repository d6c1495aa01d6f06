/* One client's own link: see links.c. */
#pragma once

#include <weir/detect.h>

#include "detect/incidents.h"
#include "detect/keyed.h"

struct weir_link {
    struct weir_keyed_head head;
    struct weir_incident_link last; /* the last bad window */
    /* windows in a row that say either; a window with little to say counts as neither */
    uint32_t bad_run, good_run;
    int64_t onset_us, bad_us; /* begin of the first bad window of the run; end of the last */
    /* end of the last window that showed it well; 0: the last one didn't */
    int64_t fine_us;
};
/* The incident was raised by its link, and the link is well again, or gone. */
bool weir_link_is_over(const struct weir_detector *detector, const struct weir_case *incident);
/* The client's last window shows that its link carries what is sent to it. */
bool weir_link_is_fine(const struct weir_detector *detector, const struct weir_addr *client,
                       int64_t now_us);
/* Its last windows show that its link loses what is sent to it. */
bool weir_link_is_bad(const struct weir_detector *detector, const struct weir_addr *client,
                      int64_t now_us);
