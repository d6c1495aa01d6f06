/* Nobody asks any more: see silence.c. */
#pragma once

#include <weir/detect.h>

#include "detect/baseline.h"

enum { WEIR_SILENCE_BITS = 4096, WEIR_SILENCE_RING = 128 };

struct weir_silence { /* of one service; made when it is first tried */
    uint64_t tried[WEIR_SILENCE_BITS / 64];           /* clients that tried in the open minute, one bit of their hash each */
    float minutes[WEIR_SILENCE_RING];                 /* by minute: clients that tried; < 0: not known */
    struct { float mean; uint32_t n; } hours[WEIR_HOURS]; /* clients a minute, by hour of the week */
    double excess, square;                            /* decayed sums of (x - m)^2 - m and of m^2: over-dispersion is their ratio */
    uint32_t n_spread;                                /* minutes in them, ever */
    bool alarm;
    int64_t onset_us, last_us;                        /* first silent minute; end of the last one judged silent */
    double before;                                    /* clients a minute in the hour before the alarm */
    struct weir_incident_silence found;               /* what was judged last */
};

/* Each trial of a closed slot that is judged. */
void weir_silence_note(struct weir_detector *detector, const struct weir_trial *trial);
/* After these, at the end of each closed slot that is judged; `start_us` of it. */
void weir_silence_slot(struct weir_detector *detector, int64_t start_us);
/* After a restart: drops what is no number, or no longer of use. */
void weir_silence_mend(struct weir_silence *silence);
/* P(X <= x) for a count with this mean whose variance is mean + dispersion * mean^2 (negative binomial; dispersion > 0). */
double weir_silence_tail(double x, double mean, double dispersion);
