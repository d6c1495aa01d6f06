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
 * A service is served from several places, some of them far away, and a window of few packets may
 * have been to these only. So where the starved service itself was not timed, the others must also
 * wait 20 ms longer than in any window of those minutes.
 *
 * What starves without waiting and without losses starves elsewhere: where two services do so at
 * once, their packets pass the way out as fast as ever, and it is not that.
 *
 * Blind spots: a home in which nothing else is heard that the low decile can be taken of; a link
 * that has been full for ten minutes; someone's upload that fills the queue while a service is
 * throttled; a router that queues each flow for itself, whose new connections do not wait.
 */
#include "detect/state.h"

static enum weir_against_least delay_of(const struct weir_detector *detector, size_t id,
                                        bool unseen) {
    const struct weir_baseline *far =
        detector->services[id].continuous.signals[WEIR_CONTINUOUS_RTT_SERVER];
    if (!far || detector->now_us - far->last_us > 2 * WEIR_SLOT_US) return WEIR_LEAST_UNKNOWN;
    bool seen = far->against_least == WEIR_ABOVE_LEAST && !far->unseen_us;
    return unseen && seen ? WEIR_LEAST_UNKNOWN : far->against_least;
}

bool weir_queue_is_shared(const struct weir_detector *detector, weir_service_id service) {
    enum weir_against_least own = delay_of(detector, service, false);
    unsigned above = 0, alike = 0;
    if (own == WEIR_NEAR_LEAST) return false; /* it does not wait itself */
    for (size_t id = WEIR_SERVICE_OTHER; id < detector->n_services; id++) {
        enum weir_against_least delay = delay_of(detector, id, own == WEIR_LEAST_UNKNOWN);
        above += id != service && delay == WEIR_ABOVE_LEAST;
        alike += id != service && delay == WEIR_NEAR_LEAST;
    }
    return above > alike;
}

bool weir_way_out_is_free(const struct weir_detector *detector) {
    int64_t lately_us = detector->open_start_us - WEIR_SLOT_US;
    bool near = false;
    if (weir_way_out_loses(detector)) return false;
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++) {
        const struct weir_service_state *service = &detector->services[id];
        enum weir_against_least delay = delay_of(detector, id, false);
        if (delay == WEIR_ABOVE_LEAST) return false;
        /* in a window in which it starved from the beginning */
        near |= delay == WEIR_NEAR_LEAST && service->starved_slot_us &&
                service->starved_slot_us >= lately_us &&
                service->continuous.signals[WEIR_CONTINUOUS_RTT_SERVER]->last_us >=
                    service->starved_since_us;
    }
    return near;
}
