/* From bins and incidents to what a row of the time line shows: bands, one after the other, that do
 * not overlap.
 *
 * A bin says a state as coarsely as it is wide, an incident says when it began and when it was over
 * to the second. So the incidents are laid over the bins; a bad state beside an incident that has
 * recovered is the detector's caution, and is shown as recovering.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page/page.h"

static int64_t end_of(const struct weir_page *page, const struct weir_page_incident *incident) {
    int64_t end_us = incident->recovered_us ? incident->recovered_us
                     : incident->cleared_us ? incident->cleared_us
                                            : page->last_us;
    return end_us > page->last_us ? page->last_us : end_us;
}

static void add(struct weir_page_service *row, int64_t start_us, int64_t end_us, uint8_t state,
                const struct weir_page_incident *incident) {
    struct weir_page_band *last = row->n_bands ? &row->bands[row->n_bands - 1] : NULL;
    if (end_us <= start_us) return;
    if (last && last->state == state && last->incident == incident && last->end_us >= start_us) {
        last->end_us = end_us;
        return;
    }
    if (row->n_bands == WEIR_PAGE_BANDS_MAX) { /* no room to tell them apart: the worst is shown */
        last->end_us = end_us;
        if (weir_page_badness(state) > weir_page_badness(last->state)) last->state = state;
        return;
    }
    row->bands[row->n_bands++] = (struct weir_page_band){start_us, end_us, state, incident};
}

static bool is_about(const struct weir_page_incident *incident, const char *service,
                     const char *cause) {
    return service ? strcmp(incident->service, service) == 0
                   : cause && !incident->service[0] && strcmp(incident->cause, cause) == 0;
}

static const struct weir_page_incident *worst_at(const struct weir_page *page, const char *service,
                                                 const char *cause, int64_t at_us,
                                                 int64_t *next_us) {
    const struct weir_page_incident *found = NULL;
    for (size_t i = 0; i < page->n_incidents; i++) {
        const struct weir_page_incident *one = &page->incidents[i];
        int64_t end_us = end_of(page, one);
        if (!is_about(one, service, cause)) continue;
        if (one->onset_us <= at_us && at_us < end_us) {
            found = !found || weir_page_badness(one->worst) > weir_page_badness(found->worst)
                        ? one
                        : found;
            *next_us = end_us < *next_us ? end_us : *next_us;
        } else if (one->onset_us > at_us && one->onset_us < *next_us)
            *next_us = one->onset_us;
    }
    return found;
}

/* A bad state outside an incident's time is its bin's coarseness (before), or the detector's
 * caution (after). */
static uint8_t beside_incident(const struct weir_page *page, const char *service, int64_t at_us,
                               uint8_t state) {
    for (size_t i = 0; i < page->n_incidents; i++) {
        const struct weir_page_incident *one = &page->incidents[i];
        if (!is_about(one, service, NULL) ||
            at_us > (one->cleared_us ? one->cleared_us : page->last_us))
            continue;
        if (at_us >= one->onset_us) return WEIR_STATE_RECOVERING;
        if (at_us >= one->onset_us - page->bin_us) return WEIR_STATE_HEALTHY;
    }
    return state;
}

/* Trials come in ten seconds' steps, and not in each: what worked is held for a minute. */
static bool worked_lately(const struct weir_page *page, size_t bin, enum weir_page_series series) {
    size_t back = (size_t)(60000000 / page->bin_us), first = bin > back ? bin - back : 0;
    for (size_t i = 0; i < page->n_services; i++)
        for (size_t b = first; page->services[i].track && b <= bin; b++)
            if (page->services[i].track->bins[b].n[series] &&
                page->services[i].track->bins[b].sum[series] > 0)
                return true;
    return false;
}

static uint8_t background(const struct weir_page *page, const struct weir_page_service *row,
                          const char *cause, size_t bin, int64_t at_us) {
    if (cause)
        return worked_lately(page, bin,
                             strcmp(cause, "dns_resolver") == 0 ? WEIR_PAGE_DNS_OK : WEIR_PAGE_OK)
                   ? WEIR_STATE_HEALTHY
                   : WEIR_STATE_UNKNOWN;
    uint8_t state = row->track ? row->track->bins[bin].state : WEIR_STATE_UNKNOWN;
    return weir_page_badness(state) >= weir_page_badness(WEIR_STATE_RECOVERING)
               ? beside_incident(page, row->id, at_us, state)
               : state;
}

/* The bands of a service, or of a cause that has a row of its own. */
static void fill(const struct weir_page *page, struct weir_page_service *row, const char *cause) {
    row->n_bands = 0;
    for (size_t bin = 0; bin < page->n_bins; bin++) {
        int64_t at_us = page->first_us + (int64_t)bin * page->bin_us,
                bin_end_us = at_us + page->bin_us;
        bin_end_us = bin_end_us > page->last_us ? page->last_us : bin_end_us;
        while (at_us < bin_end_us) {
            int64_t next_us = bin_end_us;
            const struct weir_page_incident *incident =
                worst_at(page, cause ? NULL : row->id, cause, at_us, &next_us);
            add(row, at_us, next_us,
                incident ? incident->worst : background(page, row, cause, bin, at_us), incident);
            at_us = next_us;
        }
    }
}

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void summarise(const struct weir_page *page, struct weir_page_service *service) {
    double values[WEIR_PAGE_BINS_MAX];
    for (int s = 0; s < WEIR_PAGE_SERIES_N; s++) {
        size_t n = 0;
        for (size_t b = 0; service->track && b < page->n_bins; b++) {
            double value = weir_page_value(&service->track->bins[b], (enum weir_page_series)s);
            if (!isnan(value)) values[n++] = value;
        }
        qsort(values, n, sizeof values[0], by_value);
        service->summary[s] =
            n ? (struct weir_page_summary){values[0], values[n / 2], values[n - 1], n}
              : (struct weir_page_summary){.n = 0};
    }
}

/* ---- order ---- */

static int by_urgency(const void *a, const void *b) {
    const struct weir_page_incident *left = a, *right = b;
    if (left->is_open != right->is_open) return right->is_open - left->is_open;
    if (left->onset_us != right->onset_us) return left->onset_us < right->onset_us ? 1 : -1;
    return strcmp(left->id, right->id);
}

static int by_name(const void *a, const void *b) {
    const struct weir_page_service *left = a, *right = b;
    if (left->is_control != right->is_control) return left->is_control - right->is_control;
    return strcasecmp(left->title, right->title);
}

static double trouble(const struct weir_page_session *session) {
    double stalled = isnan(session->stalled_us) ? 0 : session->stalled_us,
           starved = isnan(session->starved_us) ? 0 : session->starved_us;
    return stalled > starved ? stalled : starved;
}

static int by_trouble(const void *a, const void *b) {
    double left = trouble(a), right = trouble(b);
    if (left != right) return left < right ? 1 : -1;
    int64_t first = ((const struct weir_page_session *)a)->start_us,
            second = ((const struct weir_page_session *)b)->start_us;
    return (first > second) - (first < second);
}

void weir_page_finish(struct weir_page *page) {
    if (page->n_incidents)
        qsort(page->incidents, page->n_incidents, sizeof page->incidents[0], by_urgency);
    qsort(page->services, page->n_services, sizeof page->services[0], by_name);
    if (page->n_sessions)
        qsort(page->sessions, page->n_sessions, sizeof page->sessions[0], by_trouble);
    for (size_t i = 0; i < page->n_services; i++) {
        fill(page, &page->services[i], NULL);
        summarise(page, &page->services[i]);
    }
    fill(page, &page->uplink, "uplink");
    fill(page, &page->resolver, "dns_resolver");
    weir_page_answer(page);
}

void weir_page_deinit(struct weir_page *page) {
    for (size_t i = 0; i < page->n_services; i++) free(page->services[i].track);
    free(page->incidents);
    free(page->sessions);
    *page = (struct weir_page){0};
}
