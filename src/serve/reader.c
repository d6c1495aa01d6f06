/* The one reader of a site: asks once a second whether anything is new, and makes the pages when it
 * is.
 *
 * Pages hold spans ("since 4 min 12 s"), so they are made anew every ten seconds anyway. Other
 * sites of the fleet are read every ten seconds, the history every five minutes and when an
 * incident was told. What cannot be read leaves the last pages, with the reason on them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history/history.h"
#include "serve/reader.h"

static const int64_t remake_us = 10000000, history_us = 300000000,
                     days_us = INT64_C(90) * 86400000000;

struct weir_reader {
    struct weir_reader_options options;
    struct weir_view_source *source;
    struct weir_page_site *site;
    struct weir_view *view;
    struct weir_view *other;
    struct weir_history history;
    bool has_history;
    char mark[WEIR_VIEW_MARK_MAX], newest_event[96];
    int64_t made_us, read_us, history_read_us;
    unsigned long generation;
};

int weir_reader_new(struct weir_reader **ret_reader, const struct weir_reader_options *options) {
    struct weir_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return -1;
    reader->options = *options;
    reader->view = calloc(1, sizeof *reader->view);
    reader->other = calloc(1, sizeof *reader->other);
    if (!reader->view || !reader->other ||
        weir_page_site_new(&reader->site, options->set, options->hide_clients) < 0) {
        weir_reader_free(reader);
        return -1;
    }
    *ret_reader = reader;
    return 0;
}

void weir_reader_free(struct weir_reader *reader) {
    if (!reader) return;
    weir_page_site_free(reader->site);
    weir_view_source_free(reader->source);
    if (reader->has_history) weir_history_deinit(&reader->history);
    if (reader->view) weir_view_deinit(reader->view);
    if (reader->other) weir_view_deinit(reader->other);
    free(reader->view);
    free(reader->other);
    free(reader);
}

/* ---- the history ---- */

static bool event_is_new(struct weir_reader *reader) {
    const struct weir_view_event *last =
        reader->view->n_events ? &reader->view->events[reader->view->n_events - 1] : NULL;
    char newest[96];
    snprintf(newest, sizeof newest, "%.40s %.10s %lld", last ? last->id : "",
             last ? last->event : "", last ? (long long)last->ts_us : 0);
    bool is_new = strcmp(newest, reader->newest_event) != 0;
    memcpy(reader->newest_event, newest, sizeof newest);
    return is_new;
}

static void read_history(struct weir_reader *reader, int64_t now_us) {
    struct weir_fault ignored = {0};
    struct weir_history history;
    const struct weir_history_where where = {.redis = reader->options.where.redis,
                                             .password_file = reader->options.where.password_file,
                                             .state = reader->options.where.state,
                                             .site = reader->view->site,
                                             .since_us = now_us - days_us};
    reader->history_read_us = now_us;
    if (weir_history_load(&history, &where, &ignored) < 0)
        return; /* there is none yet: the page says so */
    if (reader->has_history) weir_history_deinit(&reader->history);
    reader->history = history;
    reader->has_history = true;
}

/* ---- other sites ---- */

static uint8_t site_state(const struct weir_view_judgement *judgement) {
    enum weir_state state = weir_page_state(judgement->state);
    return judgement->health == WEIR_VIEW_HEALTHY   ? WEIR_STATE_HEALTHY
           : judgement->health == WEIR_VIEW_UNKNOWN ? WEIR_STATE_UNKNOWN
           : state == WEIR_STATE_UNKNOWN            ? WEIR_STATE_DOWN
                                                    : state;
}

static void read_sites(struct weir_reader *reader, int64_t now_us) {
    char names[WEIR_PAGE_SITES_MAX][WEIR_VIEW_NAME_MAX];
    struct weir_page *page = weir_page_site_model(reader->site);
    size_t n = weir_view_other_sites(reader->source, names, WEIR_PAGE_SITES_MAX);
    page->n_sites = 0;
    for (size_t i = 0; i < n; i++) {
        struct weir_fault ignored = {0};
        struct weir_view_judgement judgement;
        if (strncmp(names[i], "replay:", 7) == 0 ||
            weir_view_load_other(reader->source, names[i], now_us, reader->other, &ignored) < 0)
            continue; /* somebody's capture is no site */
        weir_view_judge_site(reader->other, &judgement);
        struct weir_page_place *place = &page->sites[page->n_sites++];
        *place = (struct weir_page_place){.state = site_state(&judgement),
                                          .seen_us = reader->other->seen_us};
        memcpy(place->name, names[i], sizeof place->name);
        snprintf(place->sentence, sizeof place->sentence, "%.390s", judgement.sentence);
    }
}

/* ---- reading ---- */

static int read_site(struct weir_reader *reader, int64_t now_us, struct weir_fault *fault) {
    bool soon = reader->read_us &&
                now_us - reader->read_us <
                    2 * remake_us; /* what was read is kept: only the newest are asked for */
    int error = weir_view_load(reader->source, now_us, soon ? 6 : WEIR_VIEW_POINTS_MAX,
                               reader->view, fault);
    if (error) return error;
    reader->read_us = now_us;
    if (event_is_new(reader) || !reader->history_read_us ||
        now_us - reader->history_read_us >= history_us)
        read_history(reader, now_us);
    return weir_page_site_take(reader->site, reader->view,
                               reader->has_history ? &reader->history : NULL);
}

static int try_read(struct weir_reader *reader, int64_t now_us, bool *changed,
                    struct weir_fault *fault) {
    char mark[WEIR_VIEW_MARK_MAX] = "";
    int error =
        reader->source ? 0 : weir_view_source_new(&reader->source, &reader->options.where, fault);
    if (!error) error = weir_view_mark(reader->source, mark, fault);
    bool stale = now_us - reader->made_us >= remake_us || now_us < reader->made_us;
    if (error || (strcmp(mark, reader->mark) == 0 && !stale)) return error;
    error = read_site(reader, now_us, fault);
    if (!error && stale) read_sites(reader, now_us);
    if (!error) memcpy(reader->mark, mark, sizeof mark);
    *changed = true;
    return error;
}

struct weir_shelf *weir_reader_look(struct weir_reader *reader, int64_t now_us) {
    struct weir_fault fault = {0};
    struct weir_shelf *shelf = NULL;
    struct weir_page *page = weir_page_site_model(reader->site);
    bool changed = reader->generation == 0, was_trouble = page->trouble[0] != '\0';
    if (try_read(reader, now_us, &changed, &fault) < 0) {
        weir_page_site_trouble(reader->site, fault.text, now_us);
        changed = !was_trouble || now_us - reader->made_us >= remake_us;
        reader->mark[0] = '\0';
    }
    if (!changed ||
        weir_shelf_new(&shelf, reader->site, page, reader->view, reader->generation + 1) < 0)
        return NULL;
    reader->generation++;
    reader->made_us = now_us;
    return shelf;
}
