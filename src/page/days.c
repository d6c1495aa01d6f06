/* Ninety days of each service, from the history: a day is what the worst that lasted makes of it.
 */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "history/history.h"
#include "page/page.h"

static const int64_t day_us = 86400000000;

static uint8_t state_of(const struct weir_history_span *span) {
    const struct {
        int64_t bad_s;
        uint8_t state;
    } worst_first[] = {{span->down_s, WEIR_STATE_DOWN},
                       {span->partial_s, WEIR_STATE_PARTIAL},
                       {span->degraded_s, WEIR_STATE_DEGRADED}};
    for (size_t i = 0; i < sizeof worst_first / sizeof worst_first[0]; i++)
        if (worst_first[i].bad_s >= 60 ||
            (worst_first[i].bad_s > 0 && worst_first[i].bad_s * 100 >= span->judged_s))
            return worst_first[i].state;
    return span->judged_s > 0 ? WEIR_STATE_HEALTHY : WEIR_STATE_UNKNOWN;
}

void weir_page_put_days(struct weir_page_service *service, const struct weir_history *history,
                        int64_t now_us) {
    const struct weir_history_service *from = weir_history_find(history, service->id);
    struct weir_history_span spans[WEIR_PAGE_DAYS_MAX + 1];
    service->n_days = 0;
    service->availability = NAN;
    if (!from) return;
    size_t n =
        weir_history_spans(from, WEIR_HISTORY_DAY, now_us - (WEIR_PAGE_DAYS_MAX - 1) * day_us,
                           now_us, spans, WEIR_PAGE_DAYS_MAX + 1);
    double judged = 0, down = 0;
    for (size_t i = n > WEIR_PAGE_DAYS_MAX ? n - WEIR_PAGE_DAYS_MAX : 0; i < n; i++) {
        service->days[service->n_days++] =
            (struct weir_page_day){.start_us = spans[i].start_us,
                                   .judged_s = (double)spans[i].judged_s,
                                   .healthy_s = (double)spans[i].healthy_s,
                                   .degraded_s = (double)spans[i].degraded_s,
                                   .partial_s = (double)spans[i].partial_s,
                                   .down_s = (double)spans[i].down_s,
                                   .state = state_of(&spans[i])};
        judged += (double)spans[i].judged_s;
        down += (double)spans[i].down_s;
    }
    if (judged > 0) service->availability = 1 - down / judged;
}
