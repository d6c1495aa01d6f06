/* Text, colours and small histories on the screen. Colours repeat what words and heights say. */
#include <stdio.h>
#include <string.h>

#include "ui/top_draw.h"

attr_t weir_top_paint(const struct weir_top_screen *screen, enum colour colour) {
    static const attr_t without[] = {A_NORMAL, A_NORMAL, A_BOLD, A_REVERSE, A_DIM, A_BOLD};
    if (!screen->colour) return without[colour];
    return colour == PLAIN ? A_NORMAL
                           : (attr_t)COLOR_PAIR(colour) | (colour == BAD || colour == HEAD ? A_BOLD
                                                           : colour == DIM && COLORS < 16  ? A_DIM
                                                                                           : 0);
}

enum colour weir_top_colour(const char *state) {
    if (strcmp(state, "healthy") == 0) return GOOD;
    if (strcmp(state, "down") == 0 || strcmp(state, "sick") == 0) return BAD;
    return strcmp(state, "unknown") == 0 ? DIM : WARN;
}

void weir_top_put(const struct weir_top_screen *screen, int y, int x, int width, enum colour colour,
                  const char *text, bool right) {
    int room = COLS - x < width ? COLS - x : width;
    if (y < 0 || y >= LINES || room <= 0) return;
    int length = (int)strlen(text) < room ? (int)strlen(text) : room;
    attrset(weir_top_paint(screen, colour));
    mvaddnstr(y, x + (right ? room - length : 0), text, length);
    attrset(A_NORMAL);
}

int weir_top_put_wrapped(const struct weir_top_screen *screen, int y, int x, int lines,
                         enum colour colour, const char *text) {
    int room = COLS - x, line = 0;
    while (*text && line < lines && room > 8) {
        int length = (int)strlen(text), take = length;
        if (length > room) {
            for (take = room; take > 0 && text[take] != ' ';) take--;
            take = take ? take : room;
        }
        char part[512];
        snprintf(part, sizeof part, "%.*s", take, text);
        if (line + 1 == lines && length > take && take > 3)
            memcpy(part + (take < 509 ? take : 509) - 3, "...", 3);
        weir_top_put(screen, y + line++, x, room, colour, part, false);
        text += take;
        text += *text == ' ';
    }
    return line;
}

void weir_top_put_spark(const struct weir_top_screen *screen, int y, int x, int width,
                        const struct weir_view_service *service, enum weir_top_series series,
                        int64_t now_us, int64_t step_us) {
    static const char *const blocks[] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char plain[] = " .,-~=+*#";
    int levels[WEIR_VIEW_POINTS_MAX], failed[WEIR_VIEW_POINTS_MAX];
    int n = width < WEIR_VIEW_POINTS_MAX ? width : WEIR_VIEW_POINTS_MAX;
    if (n <= 0) return;
    weir_top_spark(service, series, now_us, step_us, levels, (size_t)n);
    weir_top_spark(service, WEIR_TOP_FAILED, now_us, step_us, failed, (size_t)n);
    for (int i = 0; i < n; i++) {
        if (x + i >= COLS || levels[i] < 0) continue;
        attrset(weir_top_paint(screen, series == WEIR_TOP_TRIALS && failed[i] > 0 ? BAD
                                       : series == WEIR_TOP_TRIALS                ? GOOD
                                                                                  : HEAD));
        if (screen->utf8)
            mvaddstr(y, x + i, blocks[levels[i]]);
        else
            mvaddch(y, x + i, (chtype)plain[levels[i]]);
    }
    attrset(A_NORMAL);
}
