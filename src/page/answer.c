/* The first sentence of a page: what failed, since when, for how long, whose fault it is, and what
 * worked meanwhile.
 *
 * The incident that is told is the worst that is open, else the worst and longest; how many more
 * there were is said. Without one the sentence says what worked, and where too little was seen it
 * says so: silence is not health.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "page/page.h"
#include "view/view.h"

static int64_t until(const struct weir_page *page, const struct weir_page_incident *incident) {
    return incident->recovered_us ? incident->recovered_us
           : incident->cleared_us ? incident->cleared_us
                                  : page->now_us;
}

static const char *verb(const struct weir_page_incident *incident, bool now) {
    if (strcmp(incident->cause, "quic_blocked") == 0)
        return now ? "is up, but its QUIC is blocked" : "was up, but its QUIC was blocked";
    switch (incident->worst) {
    case WEIR_STATE_PARTIAL: return now ? "fails in part" : "failed in part";
    case WEIR_STATE_DEGRADED: return now ? "works badly" : "worked badly";
    default: return now ? "is down" : "was down";
    }
}

static int64_t length_of(const struct weir_page *page, const struct weir_page_incident *incident) {
    return until(page, incident) - incident->onset_us;
}

static const struct weir_page_incident *foremost(const struct weir_page *page) {
    const struct weir_page_incident *found = NULL;
    for (size_t i = 0; i < page->n_incidents; i++) {
        const struct weir_page_incident *one = &page->incidents[i];
        if (!page->replay && !one->is_open)
            continue; /* what is over is no answer to "is it down now?" */
        int64_t order = !found ? 1 : (int64_t)one->is_open - found->is_open;
        if (!order) order = weir_page_badness(one->worst) - weir_page_badness(found->worst);
        if (!order) order = length_of(page, one) - length_of(page, found);
        found = order > 0 ? one : found;
    }
    return found;
}

static size_t open_count(const struct weir_page *page) {
    size_t n = 0;
    for (size_t i = 0; i < page->n_incidents; i++) n += page->incidents[i].is_open;
    return n;
}

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size,
                                                         const char *format, ...) {
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, size - used, format, args);
    va_end(args);
}
#define APPEND(array, ...) append(array, sizeof(array), __VA_ARGS__)

/* "Disney+, YouTube and 3 more"; how many there are. */
static size_t list_well(const struct weir_page *page, const char *but, char *text, size_t size) {
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < page->n_services; i++) {
        const struct weir_page_service *one = &page->services[i];
        if (one->is_control || strcmp(one->id, but) == 0 ||
            (one->state != WEIR_STATE_HEALTHY && one->state != WEIR_STATE_SUSPECT))
            continue;
        bool hit = false;
        for (size_t k = 0; k < page->n_incidents && !hit; k++)
            hit = strcmp(page->incidents[k].service, one->id) == 0 &&
                  (page->replay || page->incidents[k].is_open);
        if (!hit && ++n <= 4) append(text, size, "%s%.60s", n > 1 ? ", " : "", one->title);
    }
    if (n > 4) append(text, size, " and %zu more", n - 4);
    return n;
}

static void tell_incident(struct weir_page *page, const struct weir_page_incident *incident) {
    char from[64], to[64], span[32], well[400];
    bool now = incident->is_open;
    weir_view_span(span, length_of(page, incident));
    bool days = (until(page, incident) - incident->onset_us) > 86400000000 ||
                page->now_us - incident->onset_us > 86400000000;
    weir_page_clock(from, incident->onset_us, days, now);
    weir_page_clock(to, until(page, incident), days, true);
    page->answer[0] = (char)toupper((unsigned char)incident->title[0]);
    page->answer[1] = '\0';
    APPEND(page->answer, "%.100s %s", incident->title + (incident->title[0] != '\0'),
           verb(incident, now));
    if (now)
        APPEND(page->answer, " since %s (%s).", from, span);
    else
        APPEND(page->answer, " for %s, from %s to %s.", span, from, to);
    if (incident->service[0]) APPEND(page->answer_more, "Cause: %s", incident->cause_words);
    if (incident->service[0] && incident->probability > 0)
        APPEND(page->answer_more, " (%s sure). ", weir_page_sure(span, incident->probability));
    else if (incident->service[0])
        APPEND(page->answer_more, " (confidence: %s). ", incident->confidence);
    size_t n = list_well(page, incident->service, well, sizeof well);
    if (n && incident->service[0])
        APPEND(page->answer_more, "%s %s. ", well,
               !now     ? "worked meanwhile"
               : n == 1 ? "works"
                        : "work");
    size_t more = (page->replay ? page->n_incidents : open_count(page)) - 1;
    if (more) APPEND(page->answer_more, "%zu more incident%s below.", more, more == 1 ? "" : "s");
    page->state = incident->is_open || page->replay ? incident->worst : WEIR_STATE_HEALTHY;
}

/* What a row of the table adds to its state: what happened in the time that is shown. */
static void tell_service(const struct weir_page *page, struct weir_page_service *service) {
    int64_t bad_us = 0;
    size_t n = 0;
    enum weir_state worst = WEIR_STATE_UNKNOWN;
    char span[32];
    for (size_t i = 0; i < page->n_incidents; i++)
        if (strcmp(page->incidents[i].service, service->id) == 0) {
            bad_us += length_of(page, &page->incidents[i]);
            n++;
            if (weir_page_badness(page->incidents[i].worst) > weir_page_badness(worst))
                worst = page->incidents[i].worst;
        }
    service->sentence[0] = '\0';
    if (n)
        APPEND(service->sentence, "%s %s",
               worst == WEIR_STATE_DOWN      ? "down for"
               : worst == WEIR_STATE_PARTIAL ? "failed in part for"
                                             : "worked badly for",
               weir_view_span(span, bad_us));
    if (n > 1) APPEND(service->sentence, " in %zu incidents", n);
}

void weir_page_answer(struct weir_page *page) {
    char from[64], to[64], well[400];
    const struct weir_page_incident *incident = foremost(page);
    page->answer[0] = page->answer_more[0] = '\0';
    size_t n = list_well(page, "", well, sizeof well);
    for (size_t i = 0; i < page->n_incidents; i++)
        weir_view_span(page->incidents[i].lasted, length_of(page, &page->incidents[i]));
    for (size_t i = 0; i < page->n_services; i++)
        if (page->replay) tell_service(page, &page->services[i]);
    if (incident) {
        tell_incident(page, incident);
        return;
    }
    page->state = n ? WEIR_STATE_HEALTHY : WEIR_STATE_UNKNOWN;
    if (!page->last_us)
        APPEND(page->answer, "There is nothing to judge: no packet was seen.");
    else if (n && page->replay)
        APPEND(page->answer, "Nothing failed. %s worked.", well);
    else if (n)
        APPEND(page->answer, "All is well. %s work%s.", well, n == 1 ? "s" : "");
    else
        APPEND(page->answer, "Too little was seen of any service to say whether it works.");
    if (page->last_us && page->replay)
        APPEND(
            page->answer_more, "From %s to %s no incident was found.",
            weir_page_clock(from, page->first_us, true, false),
            weir_page_clock(to, page->last_us, page->last_us - page->first_us > 86400000000, true));
}
