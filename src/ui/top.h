/* `weir top`: what is shown (top_model.c, pure) and how (top_screen.c, curses). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <weir/service.h>

#include "view/view.h"

enum weir_top_sort {
    WEIR_TOP_BY_STATE,
    WEIR_TOP_BY_NAME,
    WEIR_TOP_BY_GOODPUT,
    WEIR_TOP_BY_RTT,
    WEIR_TOP_BY_TRIALS,
    WEIR_TOP_SORT_N
};
enum weir_top_filter { WEIR_TOP_ALL, WEIR_TOP_NOT_HEALTHY, WEIR_TOP_KNOWN, WEIR_TOP_FILTER_N };
enum weir_top_series { WEIR_TOP_TRIALS, WEIR_TOP_FAILED, WEIR_TOP_GOODPUT, WEIR_TOP_RTT };

const char *weir_top_sort_name(enum weir_top_sort sort);
const char *weir_top_filter_name(enum weir_top_filter filter);

struct weir_top_row {
    const struct weir_view_service *service;
    struct weir_view_judgement judgement;
    double ok, fail; /* of the last five minutes */
};

struct weir_top {
    enum weir_top_sort sort;
    bool reversed;
    enum weir_top_filter filter;
    char pattern[32];                   /* part of a name; "": any */
    const struct weir_service_set *set; /* whose host names; NULL */
    size_t n_rows;
    struct weir_top_row rows[WEIR_VIEW_SERVICES_MAX];
};
/* Rows of the view in order, filtered. The control group is last, whatever the order. */
void weir_top_arrange(struct weir_top *top, const struct weir_view *view);

/* The row of a service; n_rows where it has none. */
size_t weir_top_find(const struct weir_top *top, const char *service);

enum { WEIR_TOP_LEVELS = 8, WEIR_TOP_WINDOW_US = 10000000 };
/* The last `width` steps (whole windows: step_us is a multiple of theirs) as levels 1 to 8 of the
 * series' largest value in them, 0 for zero, -1 where nothing was measured or no window was; the
 * newest at the right. Trials are those that were useful. */
void weir_top_spark(const struct weir_view_service *service, enum weir_top_series series,
                    int64_t now_us, int64_t step_us, int *levels, size_t width);

/* ---- the screen ---- */

struct weir_top_screen; /* opaque */
/* NULL where the terminal can't be drawn on (its reason in `why`). */
struct weir_top_screen *weir_top_screen_new(bool colour, const char **why);
void weir_top_screen_free(struct weir_top_screen *screen);
/* `trouble`: why the view is old, or NULL. */
void weir_top_screen_draw(struct weir_top_screen *screen, const struct weir_top *top,
                          const struct weir_view *view, const char *trouble);
/* The service whose own screen is shown, or NULL. */
const char *weir_top_screen_opened(const struct weir_top_screen *screen);
enum weir_top_wish { WEIR_TOP_NOTHING, WEIR_TOP_REDRAW, WEIR_TOP_RELOAD, WEIR_TOP_QUIT };
/* Waits for a key for so long, and heeds it. */
enum weir_top_wish weir_top_screen_key(struct weir_top_screen *screen, struct weir_top *top,
                                       int wait_ms);
