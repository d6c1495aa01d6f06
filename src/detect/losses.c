/* Does the way out lose packets? What servers sent and what did not come this far was lost on the
 * way to here: in the network of a service, or on the way that all services share.
 *
 * One service alone that loses says nothing of the others. So a window is bad when two services or
 * more lose at least one packet in fifty each, with 95 % confidence, and hardly any other does not:
 * at most one that is fine for three that lose. Fine is a loss of at most one in a hundred. Healthy
 * paths lose well below that, also with a queue that runs over now and then; one in fifty cuts a
 * connection of 40 ms to some two Mbit/s, which viewers notice. What is no service's counts as one
 * service: pages and downloads come from many places.
 *
 * Two bad windows in a row, and the way out is held to lose; two good ones, or half a minute
 * without a bad one, and it is over. Losses are no incident by themselves: nobody need notice them.
 * They are the cause when requests starve or pictures stand still (verdict_uplink.c).
 *
 * Blind spots: QUIC shows no losses, so that a site of browsers has few services to compare; one
 * service alone at a site; a way out that lost at all times counts as bad only while somebody
 * starves.
 */
#include "detect/losses.h"
#include "detect/state.h"

/* After an outage or congestion all players fill their buffers at once, and queues run over. */
#define REFILL_US INT64_C(120000000)
enum { SEGMENTS_MIN = 60, FINE_MIN = 150, BAD_SERVICES = 2, FINE_FOR_EACH = 3, WINDOWS = 2 };
static const double bad_share = 0.02, fine_share = 0.01;
#define FRESH_US (3 * WEIR_SLOT_US)

static struct weir_losses *of(const struct weir_detector *detector) {
    return weir_watch_recall(detector, WEIR_SERVICE_NONE, WEIR_WATCH_losses);
}

struct weir_incident_link weir_losses_last(const struct weir_detector *detector) {
    return of(detector)->last;
}

static void take(struct weir_detector *detector, const struct weir_detect_window *window) {
    struct weir_losses *losses = of(detector);
    struct weir_incident_link sum = {0};
    unsigned bad = 0, fine = 0;
    for (size_t i = 0; i < window->n_services; i++) {
        const struct weir_detect_service_window *service = &window->services[i];
        uint32_t segments = service->segments_down;
        if (segments < SEGMENTS_MIN || service->loss_before < 0) continue;
        uint32_t lost = (uint32_t)(service->loss_before * segments + 0.5);
        bad += weir_wilson(lost < segments ? lost : segments, segments).low >= bad_share;
        fine += segments >= FINE_MIN && service->loss_before <= fine_share;
        sum.segments += segments;
        sum.lost_before += lost;
    }
    if (window->start_us - losses->bad_us > FRESH_US) losses->bad_run = 0;
    if (bad >= BAD_SERVICES && bad >= FINE_FOR_EACH * fine) {
        if (!losses->bad_run) losses->onset_us = window->start_us;
        losses->bad_run++;
        losses->good_run = 0;
        losses->bad_us = window->start_us + WEIR_SLOT_US;
        losses->last = sum;
    } else if (fine > bad && ++losses->good_run >= WINDOWS)
        losses->bad_run = 0;
}

bool weir_way_out_loses(const struct weir_detector *detector) {
    const struct weir_losses *losses = of(detector);
    return losses->bad_run >= WINDOWS && detector->now_us - losses->bad_us <= FRESH_US;
}

bool weir_viewers_suffer(const struct weir_detector *detector) {
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++) {
        const struct weir_service_state *service = &detector->services[id];
        bool starves = service->starved_slot_us &&
                       service->starved_slot_us >= detector->open_start_us - WEIR_SLOT_US;
        if (starves || service->viewers_stalled) return true;
    }
    return false;
}

static bool is_refilling(const struct weir_detector *detector) {
    const struct weir_case *uplink = &detector->uplink_case;
    return uplink->exists && !uplink->open &&
           detector->now_us - uplink->record.cleared_us <= REFILL_US;
}

/* Only where nothing says more. */
static void offer(const struct weir_detector *detector, const struct weir_subject *subject,
                  struct weir_alarm *best) {
    const struct weir_losses *losses = of(detector);
    struct weir_scope scope = {.layer = WEIR_LAYER_SERVE,
                               .since_us = losses->onset_us,
                               .began_us = losses->onset_us,
                               .strength = 1};
    if (best->rank > 0 || weir_uplink_is_out(detector) || !weir_way_out_loses(detector) ||
        is_refilling(detector) || (!subject->incident->open && !weir_viewers_suffer(detector)))
        return;
    weir_alarm_offer(best, WEIR_WATCH_losses, scope, losses->bad_us);
}

const struct weir_watch weir_watch_losses = {
    .name = "losses",
    .help = "packets of several services lost on their way here",
    .scope = WEIR_WATCHES_SITE,
    .rank = 10,
    .offer = offer,
    .judge = weir_verdict_losses,
    .window = take,
    .memory = sizeof(struct weir_losses),
};
