/* Hours summed to days, weeks and months of UTC, and what share of the judged time was well. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "history/history.h"

/* The beginning of the span that `us` lies in; with `next`, of the one behind it. */
static int64_t begin_of(int64_t us, enum weir_history_step step, int next) {
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    utc.tm_min = utc.tm_sec = 0;
    if (step != WEIR_HISTORY_HOUR) utc.tm_hour = 0;
    if (step == WEIR_HISTORY_WEEK) utc.tm_mday -= (utc.tm_wday + 6) % 7;
    if (step == WEIR_HISTORY_MONTH) utc.tm_mday = 1;
    utc.tm_hour += next && step == WEIR_HISTORY_HOUR;
    utc.tm_mday += next && step == WEIR_HISTORY_DAY ? 1 : next && step == WEIR_HISTORY_WEEK ? 7 : 0;
    utc.tm_mon += next && step == WEIR_HISTORY_MONTH;
    return (int64_t)timegm(&utc) * 1000000;
}

static void add_hour(struct weir_history_span *span, const struct weir_history_hour *hour) {
    span->judged_s += hour->judged_s;
    span->healthy_s += hour->healthy_s;
    span->degraded_s += hour->degraded_s;
    span->partial_s += hour->partial_s;
    span->down_s += hour->down_s;
    span->trials_ok += hour->trials_ok;
    span->trials_fail += hour->trials_fail;
}

size_t weir_history_spans(const struct weir_history_service *service, enum weir_history_step step,
                          int64_t from_us, int64_t until_us, struct weir_history_span *ret_spans,
                          size_t max) {
    size_t n = 0, hour = 0;
    for (int64_t at_us = begin_of(from_us, step, 0); n < max && at_us < until_us; n++) {
        struct weir_history_span *span = &ret_spans[n];
        *span = (struct weir_history_span){.start_us = at_us, .end_us = begin_of(at_us, step, 1)};
        at_us = span->end_us;
        while (hour < service->n_hours && service->hours[hour].start_us < span->start_us) hour++;
        while (hour < service->n_hours && service->hours[hour].start_us < span->end_us)
            add_hour(span, &service->hours[hour++]);
    }
    return n;
}

double weir_history_up(const struct weir_history_span *span) {
    return span->judged_s ? 1 - (double)span->down_s / (double)span->judged_s : NAN;
}

double weir_history_well(const struct weir_history_span *span) {
    return span->judged_s ? (double)span->healthy_s / (double)span->judged_s : NAN;
}

int64_t weir_history_duration_us(const struct weir_history_incident *incident, int64_t now_us) {
    int64_t end_us = incident->recovered_us ? incident->recovered_us
                     : incident->cleared_us ? incident->cleared_us
                                            : now_us;
    return end_us > incident->onset_us ? end_us - incident->onset_us : 0;
}

const struct weir_history_service *weir_history_find(const struct weir_history *history,
                                                     const char *service) {
    for (size_t i = 0; i < history->n_services; i++)
        if (strcmp(history->services[i].name, service) == 0) return &history->services[i];
    return NULL;
}
