/* What the parts of `weir top`'s screen draw with. */
#pragma once

#include <ncurses.h>

#include "ui/top.h"

enum colour { PLAIN, GOOD, WARN, BAD, DIM, HEAD };

struct weir_top_screen {
    SCREEN *screen;
    bool colour, utf8, help, typing;
    size_t scroll, room; /* first row of services that is shown; how many find room */
    char chosen[64];     /* the service that the keys are on; "": the first */
    bool detail;         /* its own screen is shown */
};

attr_t weir_top_paint(const struct weir_top_screen *screen, enum colour colour);
enum colour weir_top_colour(const char *state);
/* Text in a field of `width` columns, cut or padded; never over the right edge. */
void weir_top_put(const struct weir_top_screen *screen, int y, int x, int width, enum colour colour,
                  const char *text, bool right);
/* Words, from column x to the right edge, over at most `lines` lines; returns how many it took. */
int weir_top_put_wrapped(const struct weir_top_screen *screen, int y, int x, int lines,
                         enum colour colour, const char *text);
/* `width` columns of `step_us` each, the newest whole one at the right. */
void weir_top_put_spark(const struct weir_top_screen *screen, int y, int x, int width,
                        const struct weir_view_service *service, enum weir_top_series series,
                        int64_t now_us, int64_t step_us);

/* The screen of one service, between these lines (top_detail.c). */
void weir_top_put_detail(const struct weir_top_screen *screen, const struct weir_top *top,
                         const struct weir_view *view, const struct weir_top_row *row, int y,
                         int last);
