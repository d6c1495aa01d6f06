/* The full screen: services above, incidents below, keys in the last line. Everything is laid out anew for each size, and colours only
 * repeat what words say, so that a terminal without them loses nothing.
 */
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/top.h"

enum colour { PLAIN, GOOD, WARN, BAD, DIM, HEAD };

struct weir_top_screen {
    SCREEN *screen;
    bool colour, utf8, help, typing;
    size_t scroll;
};

/* ---- set up ---- */

static void set_colours(struct weir_top_screen *screen, bool wanted)
{
    screen->colour = wanted && has_colors() && start_color() == OK;
    if (!screen->colour)
        return;
    int background = use_default_colors() == OK ? -1 : COLOR_BLACK;
    init_pair(GOOD, COLOR_GREEN, (short)background);
    init_pair(WARN, COLOR_YELLOW, (short)background);
    init_pair(BAD, COLOR_RED, (short)background);
    init_pair(DIM, COLORS >= 16 ? 8 : COLOR_WHITE, (short)background);
    init_pair(HEAD, COLOR_CYAN, (short)background);
}

struct weir_top_screen *weir_top_screen_new(bool colour, const char **why)
{
    struct weir_top_screen *screen = calloc(1, sizeof *screen);
    setlocale(LC_CTYPE, "");
    *why = "TERM names none that is known";
    if (screen && (screen->screen = newterm(NULL, stdout, stdin)) && !tigetstr((char *)"cup")) {
        *why = "it has no cursor to move";
        endwin();
        delscreen(screen->screen);
        screen->screen = NULL;
    }
    if (!screen || !screen->screen) {
        free(screen);
        return NULL;
    }
    screen->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    set_colours(screen, colour);
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    set_escdelay(50);
    return screen;
}

void weir_top_screen_free(struct weir_top_screen *screen)
{
    if (!screen)
        return;
    endwin();
    delscreen(screen->screen);
    free(screen);
}

/* ---- painting ---- */

static attr_t paint(const struct weir_top_screen *screen, enum colour colour)
{
    static const attr_t without[] = {A_NORMAL, A_NORMAL, A_BOLD, A_REVERSE, A_DIM, A_BOLD};
    if (!screen->colour)
        return without[colour];
    return colour == PLAIN ? A_NORMAL : (attr_t)COLOR_PAIR(colour) | (colour == BAD || colour == HEAD ? A_BOLD : colour == DIM && COLORS < 16 ? A_DIM : 0);
}

static enum colour colour_of(const char *state)
{
    if (strcmp(state, "healthy") == 0)
        return GOOD;
    if (strcmp(state, "down") == 0 || strcmp(state, "sick") == 0)
        return BAD;
    return strcmp(state, "unknown") == 0 ? DIM : WARN;
}

/* Text in a field of `width` columns, cut or padded; never over the right edge. */
static void put(const struct weir_top_screen *screen, int y, int x, int width, enum colour colour, const char *text, bool right)
{
    int room = COLS - x < width ? COLS - x : width;
    if (y < 0 || y >= LINES || room <= 0)
        return;
    int length = (int)strlen(text) < room ? (int)strlen(text) : room;
    attrset(paint(screen, colour));
    mvaddnstr(y, x + (right ? room - length : 0), text, length);
    attrset(A_NORMAL);
}

/* Words, from column x to the right edge, over at most `lines` lines; returns how many it took. */
static int put_wrapped(const struct weir_top_screen *screen, int y, int x, int lines, enum colour colour, const char *text)
{
    int room = COLS - x, line = 0;
    while (*text && line < lines && room > 8) {
        int length = (int)strlen(text), take = length;
        if (length > room) {
            for (take = room; take > 0 && text[take] != ' ';)
                take--;
            take = take ? take : room;
        }
        char part[512];
        snprintf(part, sizeof part, "%.*s", take, text);
        if (line + 1 == lines && length > take && take > 3)
            memcpy(part + (take < 509 ? take : 509) - 3, "...", 3);
        put(screen, y + line++, x, room, colour, part, false);
        text += take;
        text += *text == ' ';
    }
    return line;
}

static void put_spark(const struct weir_top_screen *screen, int y, int x, int width, const struct weir_view_service *service,
                      enum weir_top_series series, int64_t now_us)
{
    static const char *const blocks[] = {"\u2581", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char plain[] = "_.,-~=+*#";
    int levels[WEIR_VIEW_POINTS_MAX], failed[WEIR_VIEW_POINTS_MAX];
    int n = width < WEIR_VIEW_POINTS_MAX ? width : WEIR_VIEW_POINTS_MAX;
    if (n <= 0)
        return;
    weir_top_spark(service, series, now_us, levels, (size_t)n);
    weir_top_spark(service, WEIR_TOP_FAILED, now_us, failed, (size_t)n);
    for (int i = 0; i < n; i++) {
        if (x + i >= COLS || levels[i] < 0)
            continue;
        attrset(paint(screen, series == WEIR_TOP_TRIALS && failed[i] > 0 ? BAD : series == WEIR_TOP_TRIALS ? GOOD : HEAD));
        if (screen->utf8)
            mvaddstr(y, x + i, blocks[levels[i]]);
        else
            mvaddch(y, x + i, (chtype)plain[levels[i]]);
    }
    attrset(A_NORMAL);
}

/* ---- the table ---- */

struct layout {
    int spark;                  /* columns of each of the three */
    bool wide;                  /* room for what fails, clients, loss, age */
};

static struct layout lay_out(void)
{
    struct layout layout = {.wide = COLS >= 130};
    int fixed = 14 + 11 + 9 + 11 + 9 + 2 + (layout.wide ? 17 + 8 + 8 + 9 + 11 : 0);
    layout.spark = (COLS - fixed) / 3;
    layout.spark = layout.spark < 0 ? 0 : layout.spark > WEIR_VIEW_POINTS_RECENT ? WEIR_VIEW_POINTS_RECENT : layout.spark;
    return layout;
}

/* One row, or with `row` NULL the heads of the columns. */
static void put_row(const struct weir_top_screen *screen, int y, const struct layout *layout, const struct weir_top_row *row, const struct weir_view *view)
{
    const struct weir_view_service *service = row ? row->service : NULL;
    char useful[32] = "useful", goodput[32] = "goodput", rtt[32] = "rtt", clients[32] = "clients", still[32] = "still", loss[32] = "loss", age[48] = "window";
    enum colour plain = row ? PLAIN : HEAD;
    int x = 0;
    if (service) {
        char span[32];
        snprintf(useful, sizeof useful, "%.0f/%.0f", row->ok, row->ok + row->fail);
        bool old = view->now_us - service->end_us > 60000000; /* says nothing of now */
        weir_view_amount(goodput, old ? NAN : service->goodput_bps, "b/s");
        snprintf(rtt, sizeof rtt, old || isnan(service->rtt_us) ? "-" : "%.1f ms", service->rtt_us / 1000);
        snprintf(clients, sizeof clients, old || isnan(service->clients) ? "-" : "%.0f", service->clients);
        snprintf(still, sizeof still, old || !(service->viewers > 0) ? "-" : "%.0f/%.0f", service->viewers_stalled, service->viewers);
        snprintf(loss, sizeof loss, old || isnan(service->loss_share) ? "-" : "%.2f %%", service->loss_share * 100);
        snprintf(age, sizeof age, "%s", weir_view_span(span, view->now_us - service->end_us));
    }
    put(screen, y, x, 13, plain, service ? service->name : "service", false);
    x += 14;
    put(screen, y, x, 10, row ? colour_of(row->judgement.state) : HEAD, row ? row->judgement.state : "state", false);
    x += 11;
    put(screen, y, x, 8, plain, useful, true);
    x += 9;
    if (layout->wide) {
        put(screen, y, x, 16, plain, !service ? "failing by" : service->failing_by[0] ? service->failing_by : "-", false);
        x += 17;
        put(screen, y, x, 7, plain, clients, true);
        x += 8;
        put(screen, y, x, 7, plain, still, true);
        x += 8;
    }
    const struct { const char *name, *value; int width; enum weir_top_series series; } series[] = {
        {"trials", NULL, 0, WEIR_TOP_TRIALS}, {"", goodput, 10, WEIR_TOP_GOODPUT}, {"", rtt, 8, WEIR_TOP_RTT}};
    for (size_t i = 0; i < 3; i++) {
        if (series[i].value) {
            put(screen, y, x, series[i].width, plain, series[i].value, true);
            x += series[i].width + 1;
        }
        if (service)
            put_spark(screen, y, x, layout->spark, service, series[i].series, view->now_us);
        else
            put(screen, y, x, layout->spark, HEAD, series[i].name, false);
        x += layout->spark + 1;
    }
    if (layout->wide) {
        put(screen, y, x, 8, plain, loss, true);
        put(screen, y, x + 9, 10, plain, age, true);
    }
}

/* ---- the parts of the screen ---- */

static int put_head(const struct weir_top_screen *screen, const struct weir_view *view, const char *trouble)
{
    char line[900], clock[32], packets[32];
    struct weir_view_judgement judgement;
    weir_view_judge_site(view, &judgement);
    snprintf(line, sizeof line, "weir  %s%s  %s UTC  %s packets, %.0f dropped  %s", view->site, view->replay ? " (replay)" : "",
             weir_view_clock(clock, view->now_us, view->now_us), weir_view_amount(packets, view->packets, ""), view->dropped, view->from);
    put(screen, 0, 0, COLS, HEAD, line, false);
    if (trouble) {
        put_wrapped(screen, 1, 0, 2, BAD, trouble);
        return 4;
    }
    return 2 + put_wrapped(screen, 1, 0, 2, colour_of(judgement.health == WEIR_VIEW_HEALTHY ? "healthy" : judgement.health == WEIR_VIEW_SICK ? "sick" : "unknown"),
                           judgement.sentence);
}

static int put_services(const struct weir_top_screen *screen, const struct weir_top *top, const struct weir_view *view, int y, int last)
{
    struct layout layout = lay_out();
    size_t first = screen->scroll < top->n_rows ? screen->scroll : top->n_rows ? top->n_rows - 1 : 0;
    put_row(screen, y++, &layout, NULL, view);
    if (!top->n_rows)
        put(screen, y++, 0, COLS, DIM, view->n_services ? "no service passes the filter" : "no service was seen yet", false);
    size_t shown = first;
    while (shown < top->n_rows && y < last)
        put_row(screen, y++, &layout, &top->rows[shown++], view);
    if (shown - first < top->n_rows) {
        char range[64];
        snprintf(range, sizeof range, "  %zu-%zu of %zu", first + 1, shown, top->n_rows);
        put(screen, 0, COLS - (int)strlen(range), (int)strlen(range), HEAD, range, false);
    }
    return y;
}

/* Standing incidents first, then what is over, newest first. */
static void put_incidents(const struct weir_top_screen *screen, const struct weir_view *view, int y, int last)
{
    const struct weir_view_event *open[WEIR_VIEW_EVENTS_MAX];
    size_t n_open = weir_view_open(view, open, WEIR_VIEW_EVENTS_MAX);
    char line[300], clock[32], span[32];
    snprintf(line, sizeof line, "incidents: %zu open", n_open);
    put(screen, y++, 0, COLS, HEAD, line, false);
    for (size_t i = n_open; i-- > 0 && y < last;) {
        const struct weir_view_event *event = open[i];
        snprintf(line, sizeof line, "%s %s for %s, %s%s", event->service[0] ? event->service : event->cause, event->state,
                 weir_view_span(span, view->now_us - event->onset_us),
                 weir_view_cause_words(event->cause), event->acknowledged ? " [acknowledged]" : event->maintenance ? " [maintenance]" : "");
        put(screen, y++, 2, COLS - 2, event->acknowledged || event->maintenance ? DIM : colour_of(event->state), line, false);
        y += put_wrapped(screen, y, 4, last - y < 3 ? last - y : 3, PLAIN, event->text);
    }
    for (size_t i = view->n_events; i-- > 0 && y < last;) {
        const struct weir_view_event *event = &view->events[i];
        if (strcmp(event->event, "cleared") != 0)
            continue;
        snprintf(line, sizeof line, "%s  %s", weir_view_clock(clock, event->ts_us, view->now_us), event->text);
        put(screen, y++, 2, COLS - 2, DIM, line, false);
    }
}

static void put_help(const struct weir_top_screen *screen)
{
    static const char *const lines[] = {
        "s       sort by the next of state, name, goodput, rtt, trials", "r       turn the order round", "f       show all, only what is not healthy, or only what is known",
        "/       show names that hold what is typed; empty for all", "up down scroll, where there are more services than lines", "space   read again now",
        "? h     this help, and back", "q       quit", "", "useful  trials of the last 5 minutes: all that one client tried with one",
        "        service and server prefix in 10 s; useful if anything of it worked", "trials  a column is a window of 10 s, red where one failed",
        "goodput median speed of media answers; rtt: towards the servers", "still   viewers whose picture stands still, of those who watch"};
    put(screen, 0, 0, COLS, HEAD, "weir top", false);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        put(screen, 2 + (int)i, 2, COLS - 2, PLAIN, lines[i], false);
}

static void put_keys(const struct weir_top_screen *screen, const struct weir_top *top)
{
    char line[200];
    if (screen->typing)
        snprintf(line, sizeof line, "show names that hold: %s_  (Enter ends)", top->pattern);
    else
        snprintf(line, sizeof line, "q quit  ? help  s sort: %s%s  r reverse  f show: %s  / name%s%s", weir_top_sort_name(top->sort),
                 top->reversed ? " (reversed)" : "", weir_top_filter_name(top->filter), top->pattern[0] ? ": " : "", top->pattern);
    put(screen, LINES - 1, 0, COLS, HEAD, line, false);
}

void weir_top_screen_draw(struct weir_top_screen *screen, const struct weir_top *top, const struct weir_view *view, const char *trouble)
{
    erase();
    if (screen->help)
        put_help(screen);
    else {
        int y = put_head(screen, view, trouble), bottom = LINES - 1;
        int want = (int)top->n_rows + 1, most = (bottom - y) * 2 / 3;
        if (want > most && view->n_events)
            want = most > 2 ? most : 2;
        y = put_services(screen, top, view, y, y + want + (top->n_rows == 0) < bottom ? y + want + (top->n_rows == 0) : bottom);
        if (y + 2 < bottom)
            put_incidents(screen, view, y + 1, bottom);
    }
    put_keys(screen, top);
    refresh();
}

/* ---- keys ---- */

static enum weir_top_wish type(struct weir_top_screen *screen, struct weir_top *top, int key)
{
    size_t length = strlen(top->pattern);
    if (key == '\n' || key == KEY_ENTER || key == 27)
        screen->typing = false;
    else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && length)
        top->pattern[length - 1] = '\0';
    else if (key > ' ' && key < 127 && length + 1 < sizeof top->pattern) {
        top->pattern[length] = (char)key;
        top->pattern[length + 1] = '\0';
    }
    return WEIR_TOP_REDRAW;
}

enum weir_top_wish weir_top_screen_key(struct weir_top_screen *screen, struct weir_top *top, int wait_ms)
{
    timeout(wait_ms);
    int key = getch();
    if (key == ERR)
        return WEIR_TOP_NOTHING;
    if (screen->typing && key != KEY_RESIZE)
        return type(screen, top, key);
    switch (key) {
    case 'q': return WEIR_TOP_QUIT;
    case 's': top->sort = (top->sort + 1) % WEIR_TOP_SORT_N; break;
    case 'r': top->reversed = !top->reversed; break;
    case 'f': top->filter = (top->filter + 1) % WEIR_TOP_FILTER_N; break;
    case '/': screen->typing = true; break;
    case '?':
    case 'h': screen->help = !screen->help; break;
    case KEY_DOWN: screen->scroll += screen->scroll + 1 < top->n_rows; break;
    case KEY_UP: screen->scroll -= screen->scroll > 0; break;
    case ' ': return WEIR_TOP_RELOAD;
    default: break;
    }
    return WEIR_TOP_REDRAW;
}
