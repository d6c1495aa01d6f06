/* The full screen: services above, incidents below, keys in the last line. Everything is laid out
 * anew for each size, and colours only repeat what words say, so that a terminal without them loses
 * nothing.
 */
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/top_draw.h"

/* ---- set up ---- */

static void set_colours(struct weir_top_screen *screen, bool wanted) {
    screen->colour = wanted && has_colors() && start_color() == OK;
    if (!screen->colour) return;
    int background = use_default_colors() == OK ? -1 : COLOR_BLACK;
    init_pair(GOOD, COLOR_GREEN, (short)background);
    init_pair(WARN, COLOR_YELLOW, (short)background);
    init_pair(BAD, COLOR_RED, (short)background);
    init_pair(DIM, COLORS >= 16 ? 8 : COLOR_WHITE, (short)background);
    init_pair(HEAD, COLOR_CYAN, (short)background);
}

struct weir_top_screen *weir_top_screen_new(bool colour, const char **why) {
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

void weir_top_screen_free(struct weir_top_screen *screen) {
    if (!screen) return;
    endwin();
    delscreen(screen->screen);
    free(screen);
}

/* ---- the table ---- */

struct layout {
    int spark; /* columns of each of the three */
    bool wide; /* room for what fails, clients, loss, age */
};

static struct layout lay_out(void) {
    struct layout layout = {.wide = COLS >= 130};
    int fixed = 14 + 11 + 9 + 11 + 9 + 2 + (layout.wide ? 25 + 8 + 8 + 9 + 11 : 0);
    layout.spark = (COLS - fixed) / 3;
    layout.spark = layout.spark < 0                         ? 0
                   : layout.spark > WEIR_VIEW_POINTS_RECENT ? WEIR_VIEW_POINTS_RECENT
                                                            : layout.spark;
    return layout;
}

/* One row, or with `row` NULL the heads of the columns. */
static void put_row(const struct weir_top_screen *screen, int y, const struct layout *layout,
                    const struct weir_top_row *row, const struct weir_view *view) {
    const struct weir_view_service *service = row ? row->service : NULL;
    char failing[96] = "failing by", useful[32] = "useful", goodput[32] = "goodput",
         rtt[32] = "rtt", clients[32] = "clients", still[32] = "still", loss[32] = "loss",
         age[48] = "window";
    enum colour plain = row ? PLAIN : HEAD;
    int x = 0;
    if (service) {
        char span[32];
        snprintf(useful, sizeof useful, "%.0f/%.0f", row->ok, row->ok + row->fail);
        bool old = view->now_us - service->end_us > 60000000; /* says nothing of now */
        weir_view_amount(goodput, old ? NAN : service->goodput_bps, "b/s");
        snprintf(rtt, sizeof rtt, old || isnan(service->rtt_us) ? "-" : "%.1f ms",
                 service->rtt_us / 1000);
        snprintf(clients, sizeof clients, old || isnan(service->clients) ? "-" : "%.0f",
                 service->clients);
        snprintf(still, sizeof still, old || !(service->viewers > 0) ? "-" : "%.0f/%.0f",
                 service->viewers_stalled, service->viewers);
        snprintf(loss, sizeof loss, old || isnan(service->loss_share) ? "-" : "%.2f %%",
                 service->loss_share * 100);
        if (!weir_view_failing(failing, service)[0]) strcpy(failing, "-");
        snprintf(age, sizeof age, "%s", weir_view_span(span, view->now_us - service->end_us));
    }
    weir_top_put(screen, y, x, 13, plain, service ? service->name : "service", false);
    if (service && strcmp(service->name, screen->chosen) == 0)
        mvchgat(y, 0, (int)strlen(service->name) < COLS ? (int)strlen(service->name) : COLS,
                A_REVERSE, 0, NULL);
    x += 14;
    weir_top_put(screen, y, x, 10, row ? weir_top_colour(row->judgement.state) : HEAD,
                 row ? row->judgement.state : "state", false);
    x += 11;
    weir_top_put(screen, y, x, 8, plain, useful, true);
    x += 9;
    if (layout->wide) {
        weir_top_put(screen, y, x, 24, plain, failing, false);
        x += 25;
        weir_top_put(screen, y, x, 7, plain, clients, true);
        x += 8;
        weir_top_put(screen, y, x, 7, plain, still, true);
        x += 8;
    }
    const struct {
        const char *name, *value;
        int width;
        enum weir_top_series series;
    } series[] = {{"trials", NULL, 0, WEIR_TOP_TRIALS},
                  {"", goodput, 10, WEIR_TOP_GOODPUT},
                  {"", rtt, 8, WEIR_TOP_RTT}};
    for (size_t i = 0; i < 3; i++) {
        if (series[i].value) {
            weir_top_put(screen, y, x, series[i].width, plain, series[i].value, true);
            x += series[i].width + 1;
        }
        if (service)
            weir_top_put_spark(screen, y, x, layout->spark, service, series[i].series, view->now_us,
                               WEIR_TOP_WINDOW_US);
        else
            weir_top_put(screen, y, x, layout->spark, HEAD, series[i].name, false);
        x += layout->spark + 1;
    }
    if (layout->wide) {
        weir_top_put(screen, y, x, 8, plain, loss, true);
        weir_top_put(screen, y, x + 9, 10, plain, age, true);
    }
}

/* ---- the parts of the screen ---- */

static int put_head(const struct weir_top_screen *screen, const struct weir_view *view,
                    const char *trouble) {
    char line[900], clock[32], packets[32];
    struct weir_view_judgement judgement;
    weir_view_judge_site(view, &judgement);
    snprintf(line, sizeof line, "weir  %s%s  %s  %s packets, %.0f dropped  %s", view->site,
             view->replay ? " (replay)" : "", weir_view_clock(clock, view->now_us, view->now_us),
             weir_view_amount(packets, view->packets, ""), view->dropped, view->from);
    weir_top_put(screen, 0, 0, COLS, HEAD, line, false);
    if (trouble) {
        weir_top_put_wrapped(screen, 1, 0, 2, BAD, trouble);
        return 4;
    }
    return 2 +
           weir_top_put_wrapped(screen, 1, 0, 2,
                                weir_top_colour(judgement.health == WEIR_VIEW_HEALTHY ? "healthy"
                                                : judgement.health == WEIR_VIEW_SICK  ? "sick"
                                                                                      : "unknown"),
                                judgement.sentence);
}

/* The chosen row is on the screen; nothing scrolls that fits. */
static size_t first_row(struct weir_top_screen *screen, const struct weir_top *top, size_t room) {
    size_t at = weir_top_find(top, screen->chosen);
    screen->room = room;
    if (top->n_rows && at == top->n_rows) at = 0;
    if (top->n_rows)
        snprintf(screen->chosen, sizeof screen->chosen, "%s", top->rows[at].service->name);
    if (top->n_rows <= room)
        screen->scroll = 0;
    else if (at < screen->scroll)
        screen->scroll = at;
    else if (at >= screen->scroll + room)
        screen->scroll = at + 1 - room;
    if (top->n_rows > room && screen->scroll > top->n_rows - room)
        screen->scroll = top->n_rows - room;
    return screen->scroll;
}

static int put_services(struct weir_top_screen *screen, const struct weir_top *top,
                        const struct weir_view *view, int y, int last) {
    struct layout layout = lay_out();
    size_t first = first_row(screen, top, last > y + 1 ? (size_t)(last - y - 1) : 1);
    put_row(screen, y++, &layout, NULL, view);
    if (!top->n_rows)
        weir_top_put(screen, y++, 0, COLS, DIM,
                     view->n_services ? "no service passes the filter" : "no service was seen yet",
                     false);
    size_t shown = first;
    while (shown < top->n_rows && y < last)
        put_row(screen, y++, &layout, &top->rows[shown++], view);
    if (shown - first < top->n_rows) {
        char range[64];
        snprintf(range, sizeof range, "  %zu-%zu of %zu", first + 1, shown, top->n_rows);
        weir_top_put(screen, 0, COLS - (int)strlen(range), (int)strlen(range), HEAD, range, false);
    }
    return y;
}

/* Standing incidents first, then what is over, newest first. */
static void put_incidents(const struct weir_top_screen *screen, const struct weir_view *view, int y,
                          int last) {
    const struct weir_view_event *open[WEIR_VIEW_EVENTS_MAX];
    size_t n_open = weir_view_open(view, open, WEIR_VIEW_EVENTS_MAX);
    char line[300], clock[32], span[32];
    snprintf(line, sizeof line, "incidents: %zu open", n_open);
    weir_top_put(screen, y++, 0, COLS, HEAD, line, false);
    for (size_t i = n_open; i-- > 0 && y < last;) {
        const struct weir_view_event *event = open[i];
        snprintf(line, sizeof line, "%s %s for %s, %s%s",
                 event->service[0] ? event->service : event->cause, event->state,
                 weir_view_span(span, view->now_us - event->onset_us),
                 weir_view_cause_words(event->cause),
                 event->acknowledged  ? " [acknowledged]"
                 : event->maintenance ? " [maintenance]"
                                      : "");
        weir_top_put(screen, y++, 2, COLS - 2,
                     event->acknowledged || event->maintenance ? DIM
                                                               : weir_top_colour(event->state),
                     line, false);
        y += weir_top_put_wrapped(screen, y, 4, last - y < 3 ? last - y : 3, PLAIN, event->text);
    }
    for (size_t i = view->n_events; i-- > 0 && y < last;) {
        const struct weir_view_event *event = &view->events[i];
        if (strcmp(event->event, "cleared") != 0) continue;
        snprintf(line, sizeof line, "%s  %.240s",
                 weir_view_clock(clock, event->ts_us, view->now_us), event->text);
        weir_top_put(screen, y++, 2, COLS - 2, DIM, line, false);
    }
}

static void put_help(const struct weir_top_screen *screen) {
    static const char *const lines[] = {
        "s       sort by the next of state, name, goodput, rtt, trials",
        "r       turn the order round",
        "f       show all, only what is not healthy, or only what is known",
        "/       show names that hold what is typed; empty for all",
        "up down choose a service",
        "Enter   open it: its hour, what fails, where, for whom; Enter or Esc: back",
        "space   read again now",
        "? h     this help, and back",
        "q       quit",
        "",
        "useful  trials of the last 5 minutes: all that one client tried with one",
        "        service and server prefix in 10 s; useful if anything of it worked",
        "trials  a column is a window of 10 s, red where one failed",
        "goodput median speed of media answers; rtt: towards the servers",
        "still   viewers whose picture stands still, of those who watch"};
    weir_top_put(screen, 0, 0, COLS, HEAD, "weir top", false);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        weir_top_put(screen, 2 + (int)i, 2, COLS - 2, PLAIN, lines[i], false);
}

static void put_keys(const struct weir_top_screen *screen, const struct weir_top *top) {
    char line[200];
    if (screen->detail)
        snprintf(line, sizeof line, "q quit  ? help  Enter back  up down: the next service");
    else if (screen->typing)
        snprintf(line, sizeof line, "show names that hold: %s_  (Enter ends)", top->pattern);
    else
        snprintf(line, sizeof line,
                 "q quit  ? help  Enter open  s sort: %s%s  r reverse  f show: %s  / name%s%s",
                 weir_top_sort_name(top->sort), top->reversed ? " (reversed)" : "",
                 weir_top_filter_name(top->filter), top->pattern[0] ? ": " : "", top->pattern);
    weir_top_put(screen, LINES - 1, 0, COLS, HEAD, line, false);
}

void weir_top_screen_draw(struct weir_top_screen *screen, const struct weir_top *top,
                          const struct weir_view *view, const char *trouble) {
    erase();
    if (screen->help)
        put_help(screen);
    else if (screen->detail && weir_top_find(top, screen->chosen) < top->n_rows)
        weir_top_put_detail(screen, top, view, &top->rows[weir_top_find(top, screen->chosen)],
                            put_head(screen, view, trouble), LINES - 1);
    else {
        int y = put_head(screen, view, trouble), bottom = LINES - 1;
        int want = (int)top->n_rows + 1, most = (bottom - y) * 2 / 3;
        if (want > most && view->n_events) want = most > 2 ? most : 2;
        y = put_services(screen, top, view, y,
                         y + want + (top->n_rows == 0) < bottom ? y + want + (top->n_rows == 0)
                                                                : bottom);
        if (y + 2 < bottom) put_incidents(screen, view, y + 1, bottom);
    }
    put_keys(screen, top);
    refresh();
}

/* ---- keys ---- */

static enum weir_top_wish type(struct weir_top_screen *screen, struct weir_top *top, int key) {
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

static void choose(struct weir_top_screen *screen, const struct weir_top *top, int step) {
    size_t at = weir_top_find(top, screen->chosen);
    if (!top->n_rows) return;
    if (at == top->n_rows)
        at = 0;
    else if (step > 0 ? at + 1 < top->n_rows : at > 0)
        at = (size_t)((int)at + step);
    snprintf(screen->chosen, sizeof screen->chosen, "%s", top->rows[at].service->name);
}

const char *weir_top_screen_opened(const struct weir_top_screen *screen) {
    return screen->detail ? screen->chosen : NULL;
}

enum weir_top_wish weir_top_screen_key(struct weir_top_screen *screen, struct weir_top *top,
                                       int wait_ms) {
    timeout(wait_ms);
    int key = getch();
    if (key == ERR) return WEIR_TOP_NOTHING;
    if (screen->typing && key != KEY_RESIZE) return type(screen, top, key);
    switch (key) {
    case '\n':
    case KEY_ENTER: screen->detail = !screen->detail && top->n_rows; break;
    case 27:
    case KEY_LEFT: screen->detail = false; break;
    case 'q': return WEIR_TOP_QUIT;
    case 's': top->sort = (top->sort + 1) % WEIR_TOP_SORT_N; break;
    case 'r': top->reversed = !top->reversed; break;
    case 'f': top->filter = (top->filter + 1) % WEIR_TOP_FILTER_N; break;
    case '/': screen->typing = true; break;
    case '?':
    case 'h': screen->help = !screen->help; break;
    case KEY_DOWN: choose(screen, top, 1); break;
    case KEY_UP: choose(screen, top, -1); break;
    case ' ': return WEIR_TOP_RELOAD;
    default: break;
    }
    return WEIR_TOP_REDRAW;
}
