/* The capture's own incident: weir does not see enough to judge, and says so.
 *
 * Raised when a source stays silent, a link is down or packets are not decoded, or after six
 * windows in a row of which too much was lost. While it is open no service is judged.
 */
#include "detect/state.h"

/* Whole windows count from a window's begin; sight that came back in the one before them came back
 * earlier. */
static int64_t seen_again_us(const struct weir_detector *detector) {
    int64_t sound_us = detector->open_start_us - (int64_t)detector->sound_run * WEIR_SLOT_US,
            back_us = detector->blind.back_us;
    return back_us && sound_us - back_us <= WEIR_SLOT_US ? back_us : sound_us;
}

/* Told at once the first time; a link that goes up and down is told of once a slot. */
static void tell_sight(struct weir_detector *detector, struct weir_case *incident) {
    bool first = incident->emitted_us == incident->reraised_us;
    if (incident->record.recovered_us == detector->blind.back_us ||
        (!first && detector->now_us - incident->emitted_us < WEIR_SLOT_US))
        return;
    weir_case_report(detector, incident);
}

static void tick(struct weir_detector *detector) {
    struct weir_case *incident = &detector->capture_case;
    bool blind = detector->sight.blindness != WEIR_BLIND_NOT;
    if (blind)
        detector->blind = (struct weir_blind){.sight = detector->sight};
    else if (detector->blind.sight.blindness && !detector->blind.back_us)
        detector->blind.back_us = detector->now_us;
    if (!incident->open && (blind || detector->frozen_run >= WEIR_CAPTURE_RUN)) {
        int64_t onset_us = blind ? detector->sight.since_us
                                 : detector->open_start_us - detector->frozen_run * WEIR_SLOT_US;
        struct weir_verdict verdict = {.record = {.onset_us = onset_us,
                                                  .state = WEIR_STATE_DEGRADED,
                                                  .cause = WEIR_CAUSE_CAPTURE,
                                                  .confidence = WEIR_CONFIDENCE_HIGH,
                                                  .probability = 1,
                                                  .trials = {.high = 1},
                                                  .watch = WEIR_WATCH_capture}};
        weir_case_apply(detector, incident, &verdict, detector->now_us);
    } else if (incident->open && !blind && detector->sound_run >= WEIR_CAPTURE_RUN) {
        incident->evidence_us = seen_again_us(detector);
        weir_case_clear(detector, incident, NULL);
        detector->blind = (struct weir_blind){.back_us = 0};
    } else if (incident->open)
        tell_sight(detector, incident);
}

const struct weir_watch weir_watch_capture = {
    .name = "capture",
    .help = "too little is seen to judge",
    .scope = WEIR_WATCHES_CAPTURE,
    .tick = tick,
    .state = {" is incomplete", " was incomplete"},
};
