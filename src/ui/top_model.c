/* Rows in order, and histories as levels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ui/top.h"

static const int64_t recent_us = 300000000, window_us = WEIR_TOP_WINDOW_US;

const char *weir_top_sort_name(enum weir_top_sort sort) {
    static const char *const names[] = {"state", "name", "goodput", "rtt", "trials"};
    return names[sort];
}

const char *weir_top_filter_name(enum weir_top_filter filter) {
    static const char *const names[] = {"all", "not healthy", "known"};
    return names[filter];
}

/* ---- rows ---- */

static int urgency(const struct weir_top_row *row) {
    static const char *const states[] = {"healthy",  "unknown", "suspect", "recovering",
                                         "degraded", "partial", "down"};
    int n = sizeof states / sizeof states[0];
    for (int i = 0; i < n; i++)
        if (strcmp(row->judgement.state, states[i]) == 0)
            return strcmp(states[i], "unknown") == 0 ? -1 : i; /* the least to be said */
    return n;
}

static double value_of(const struct weir_top_row *row, enum weir_top_sort sort) {
    double value = sort == WEIR_TOP_BY_GOODPUT ? row->service->goodput_bps
                   : sort == WEIR_TOP_BY_RTT   ? row->service->rtt_us
                                               : row->ok + row->fail;
    return isnan(value) ? -1 : value;
}

static int compare(const void *a, const void *b, void *context) {
    const struct weir_top *top = context;
    const struct weir_top_row *left = a, *right = b;
    int rest =
        (strcmp(left->service->name, "other") == 0) - (strcmp(right->service->name, "other") == 0);
    if (rest) return rest;
    double order = 0;
    if (top->sort == WEIR_TOP_BY_STATE)
        order = urgency(right) - urgency(left);
    else if (top->sort != WEIR_TOP_BY_NAME)
        order = value_of(right, top->sort) - value_of(left, top->sort);
    if (order == 0) order = strcmp(left->service->name, right->service->name);
    return (top->reversed ? -1 : 1) * ((order > 0) - (order < 0));
}

static bool is_wanted(const struct weir_top *top, const struct weir_top_row *row) {
    if (top->pattern[0] && !strstr(row->service->name, top->pattern)) return false;
    return top->filter == WEIR_TOP_ALL ||
           (top->filter == WEIR_TOP_NOT_HEALTHY && row->judgement.health == WEIR_VIEW_SICK) ||
           (top->filter == WEIR_TOP_KNOWN && row->judgement.health != WEIR_VIEW_UNKNOWN);
}

void weir_top_arrange(struct weir_top *top, const struct weir_view *view) {
    top->n_rows = 0;
    for (size_t i = 0; i < view->n_services; i++) {
        const struct weir_view_service *service = &view->services[i];
        struct weir_top_row *row = &top->rows[top->n_rows];
        *row = (struct weir_top_row){.service = service};
        weir_view_judge_service(view, service->name, &row->judgement);
        for (size_t p = 0; p < service->n_points; p++)
            if (service->points[p].end_us > view->now_us - recent_us) {
                row->ok += isnan(service->points[p].ok) ? 0 : service->points[p].ok;
                row->fail += isnan(service->points[p].fail) ? 0 : service->points[p].fail;
            }
        top->n_rows += is_wanted(top, row);
    }
    qsort_r(top->rows, top->n_rows, sizeof top->rows[0], compare, top);
}

size_t weir_top_find(const struct weir_top *top, const char *service) {
    size_t i = 0;
    while (i < top->n_rows && strcmp(top->rows[i].service->name, service) != 0) i++;
    return i;
}

/* ---- histories ---- */

/* Of trials only what worked has a height: a dead service's bar is empty. */
static double of_series(const struct weir_view_point *point, enum weir_top_series series) {
    switch (series) {
    case WEIR_TOP_TRIALS: return point->ok;
    case WEIR_TOP_FAILED: return point->fail;
    case WEIR_TOP_GOODPUT: return point->goodput_bps;
    case WEIR_TOP_RTT: return point->rtt_us;
    }
    return NAN;
}

/* Which place from the right. Windows end on slots; one that ends elsewhere, or ahead of the clock,
 * was cut short by the end of what was captured, and would look like a fall: it has no place. */
static int64_t age_of(const struct weir_view_point *point, int64_t now_us, int64_t step_us) {
    if (point->end_us % window_us != 0 || point->end_us > now_us) return -1;
    return (now_us / window_us * window_us - point->end_us) / step_us;
}

void weir_top_spark(const struct weir_view_service *service, enum weir_top_series series,
                    int64_t now_us, int64_t step_us, int *levels, size_t width) {
    double sums[WEIR_VIEW_POINTS_MAX] = {0}, most = 0;
    unsigned n[WEIR_VIEW_POINTS_MAX] = {0};
    bool adds_up = series == WEIR_TOP_TRIALS || series == WEIR_TOP_FAILED;
    width = width < WEIR_VIEW_POINTS_MAX ? width : WEIR_VIEW_POINTS_MAX;
    for (size_t i = 0; i < service->n_points; i++) {
        int64_t age = age_of(&service->points[i], now_us, step_us);
        double value = of_series(&service->points[i], series);
        if (age < 0 || age >= (int64_t)width || isnan(value)) continue;
        sums[width - 1 - (size_t)age] += value;
        n[width - 1 - (size_t)age]++;
    }
    for (size_t i = 0; i < width; i++) {
        sums[i] = n[i] && !adds_up ? sums[i] / n[i] : sums[i];
        most = sums[i] > most ? sums[i] : most;
    }
    for (size_t i = 0; i < width; i++)
        levels[i] = !n[i]         ? -1
                    : sums[i] > 0 ? 1 + (int)((WEIR_TOP_LEVELS - 1) * sums[i] / most + 0.5)
                                  : 0;
}
