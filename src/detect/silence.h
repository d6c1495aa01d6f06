/* Nobody asks any more: see silence.c. */
#pragma once

#include <weir/detect.h>

#include "detect/baseline.h"

struct weir_detector;

enum {
    WEIR_SILENCE_BITS = 4096,
    WEIR_SILENCE_MINUTES = 10,
    WEIR_SILENCE_RING = 128,
    WEIR_SILENCE_WINDOWS = 4
};

struct weir_silence_minute { /* clients that tried in it, one bit of their hash each */
    int64_t minute;
    uint64_t bits[WEIR_SILENCE_BITS / 64];
};
struct weir_silence_window { /* of 1, 2, 5 or 10 minutes */
    /* by its last minute: clients that tried in it; < 0: not known */
    float seen[WEIR_SILENCE_RING];
    float hours[WEIR_HOURS]; /* their mean by hour of the week */
    /* decayed sums of (x - m)^2 - m and of m^2: over-dispersion is their ratio */
    double excess, square;
    double before; /* mean of the hour before the alarm */
};
struct weir_silence { /* of one service; made when it is first tried */
    struct weir_silence_minute tried[WEIR_SILENCE_MINUTES]; /* ring, by minute */
    struct weir_silence_window windows[WEIR_SILENCE_WINDOWS];
    uint32_t n_hour[WEIR_HOURS], n_spread; /* minutes in the means, in the sums */
    bool alarm;
    /* first silent minute; end of the last one judged silent */
    int64_t onset_us, last_us;
    struct weir_incident_silence found; /* what was judged last */
};

/* Each trial of a closed slot that is judged; `start_us` of the slot. */
void weir_silence_note(struct weir_detector *detector, const struct weir_trial *trial,
                       int64_t start_us);
/* After these, at the end of the slot. */
void weir_silence_slot(struct weir_detector *detector, int64_t start_us);
bool weir_silence_lasts(const struct weir_detector *detector, weir_service_id service);
/* After a restart: drops what is no number, or no longer of use. */
void weir_silence_mend(struct weir_silence *silence);
/* P(X <= x) for a count with this mean whose variance is mean + dispersion * mean^2 (negative
 * binomial; dispersion > 0). */
double weir_silence_tail(double x, double mean, double dispersion);
