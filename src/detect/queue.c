/* Do the others wait as well? A full queue on the way out delays all that passes it: the round-trip
 * times between here and the servers rise for every service at once. A service that is throttled,
 * or whose servers are slow, delays nobody else.
 *
 * It is asked before a starved service is accused. The first one to starve does so ten seconds and
 * more before a second one does, for a player starves only after 15 s and where its buffer asks for
 * more, while each packet has waited in the queue since the first window. A queue that is full is
 * full in all of it, so the low decile rises, too: by a factor of 3 and by 20 ms against the least
 * of ten minutes.
 *
 *     throttled       its own 20 -> 200 ms, others' 20 ms: 0 of 5 others above         the service
 *     a full uplink   all of them 20 -> 200 ms: 5 of 5                                 the uplink
 *
 * Blind spots: a home in which nothing else is heard that the low decile can be taken of; a link
 * that has been full for ten minutes; someone's upload that fills the queue while a service is
 * throttled.
 */
#include "detect/state.h"

static enum weir_against_least delay_of(const struct weir_detector *detector, size_t id) {
    const struct weir_baseline *far =
        detector->services[id].continuous.signals[WEIR_CONTINUOUS_RTT_SERVER];
    return far && detector->now_us - far->last_us <= 2 * WEIR_SLOT_US ? far->against_least
                                                                      : WEIR_LEAST_UNKNOWN;
}

bool weir_queue_is_shared(const struct weir_detector *detector, weir_service_id service) {
    unsigned above = 0, alike = 0;
    for (size_t id = WEIR_SERVICE_OTHER; id < detector->n_services; id++) {
        enum weir_against_least delay = delay_of(detector, id);
        if (id == service && delay == WEIR_NEAR_LEAST) return false; /* it does not wait itself */
        above += id != service && delay == WEIR_ABOVE_LEAST;
        alike += id != service && delay == WEIR_NEAR_LEAST;
    }
    return above > alike;
}
