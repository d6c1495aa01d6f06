/* One service on the whole screen: its sentence, its last hour, what fails in which layer, where
 * and for whom, and the names by which it is known. A file of the state directory holds ten
 * minutes, Redis the hour.
 */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page/page.h"
#include "ui/top_draw.h"

static const char *same(const void *of, const char *id) { return id; }

static int put_line(const struct weir_top_screen *screen, int y, int last, const char *name,
                    const char *text) {
    if (y >= last || !text[0]) return y;
    weir_top_put(screen, y, 0, 13, HEAD, name, false);
    return y + weir_top_put_wrapped(screen, y, 14, last - y < 2 ? last - y : 2, PLAIN, text);
}

/* ---- the last hour ---- */

static int put_hour(const struct weir_top_screen *screen, const struct weir_view *view,
                    const struct weir_view_service *service, int y, int last) {
    int width = COLS - 14 > 180 ? 180 : COLS - 14;
    int64_t first_us = service->n_points ? service->points[0].end_us : view->now_us,
            hour_us = 3600000000, step_us = WEIR_TOP_WINDOW_US;
    int64_t span_us = view->now_us - first_us < hour_us ? view->now_us - first_us : hour_us;
    while (width > 0 && step_us * width < span_us) step_us += WEIR_TOP_WINDOW_US;
    char text[32], line[120], step[32];
    const struct {
        const char *name;
        enum weir_top_series series;
    } rows[] = {{"useful", WEIR_TOP_TRIALS},
                {"failing", WEIR_TOP_FAILED},
                {"goodput", WEIR_TOP_GOODPUT},
                {"rtt", WEIR_TOP_RTT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && y < last; i++) {
        weir_top_put(screen, y, 0, 13, HEAD, rows[i].name, false);
        weir_top_put_spark(screen, y++, 14, width, service, rows[i].series, view->now_us, step_us);
    }
    snprintf(line, sizeof line, "the last %s, a column is %s", weir_view_span(text, span_us),
             weir_view_span(step, step_us));
    if (y < last) weir_top_put(screen, y++, 14, COLS - 14, DIM, line, false);
    return y;
}

/* ---- the newest window ---- */

static void add(char *line, size_t size, const char *text, double value) {
    size_t used = strlen(line);
    if (value > 0) snprintf(line + used, size - used, "%s%.0f %s", used ? ", " : "", value, text);
}

static int put_failures(const struct weir_top_screen *screen,
                        const struct weir_view_service *service, int y, int last) {
    char line[600] = "", layers[200] = "";
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++)
        add(line, sizeof line, weir_outcome_help((enum weir_outcome)kind), service->kinds[kind]);
    y = put_line(screen, y, last, "failing by", line[0] ? line : "nothing in the last window");
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) {
        size_t used = strlen(layers);
        double ok = service->layer_ok[layer], fail = service->layer_fail[layer];
        if (ok + fail > 0)
            snprintf(layers + used, sizeof layers - used, "%s%s %.0f/%.0f", used ? ", " : "",
                     weir_layer_name((enum weir_layer)layer), ok, ok + fail);
    }
    return put_line(screen, y, last, "layers", layers);
}

static int put_values(const struct weir_top_screen *screen, const struct weir_view_service *service,
                      int y, int last) {
    char line[300], goodput[32], server[32], client[32], before[32], beyond[32];
    snprintf(line, sizeof line,
             "goodput %s, delay to servers %s, to clients %s, loss before %s, beyond %s",
             weir_view_amount(goodput, service->goodput_bps, "bit/s"),
             weir_page_delay(server, service->rtt_us),
             weir_page_delay(client, service->rtt_client_us),
             weir_page_share_text(before, service->loss_share),
             weir_page_share_text(beyond, service->loss_beyond_share));
    y = put_line(screen, y, last, "last window", line);
    snprintf(line, sizeof line, "%.0f in the last window",
             isnan(service->clients) ? 0 : service->clients);
    if (service->viewers > 0)
        snprintf(line + strlen(line), sizeof line - strlen(line),
                 ", %.0f watch, of %.0f the picture stands still", service->viewers,
                 service->viewers_stalled);
    return put_line(screen, y, last, "clients", line);
}

/* ---- its incident ---- */

static void join(char *line, size_t size, const char *items, size_t item, size_t n, unsigned more) {
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(line);
        snprintf(line + used, size - used, "%s%s", i ? ", " : "", items + i * item);
    }
    if (more) snprintf(line + strlen(line), size - strlen(line), " and %u more", more);
}

static int put_incident(const struct weir_top_screen *screen, const struct weir_view_event *event,
                        int y, int last) {
    struct weir_page_incident incident;
    char places[1600] = "", hit[900] = "", others[400] = "";
    struct json_object *record = event->json ? json_tokener_parse(event->json) : NULL;
    bool known = record && weir_page_read_incident(&incident, record, same, NULL) == 0;
    json_object_put(record);
    weir_top_put(screen, y, 0, 13, HEAD, "incident", false);
    y += weir_top_put_wrapped(screen, y, 14, last - y < 4 ? last - y : 4,
                              weir_top_colour(event->state), event->text);
    if (!known) return y;
    join(places, sizeof places, incident.prefixes[0], sizeof incident.prefixes[0],
         incident.n_prefixes, incident.prefixes_more);
    join(hit, sizeof hit, incident.hit[0], sizeof incident.hit[0], incident.n_hit,
         incident.hit_more);
    for (size_t i = 0; i < incident.n_rulings; i++) {
        size_t used = strlen(others);
        snprintf(others + used, sizeof others - used, "%s%s %s", used ? ", " : "",
                 incident.rulings[i].what, incident.rulings[i].verdict);
    }
    y = put_line(screen, y, last, "where", places);
    y = put_line(screen, y, last, "who is hit", hit);
    return put_line(screen, y, last, "and else", others);
}

static int put_hosts(const struct weir_top_screen *screen, const struct weir_top *top,
                     const char *id, int y, int last) {
    static const enum weir_role roles[] = {WEIR_ROLE_MEDIA, WEIR_ROLE_CONTROL};
    weir_service_id found = top->set ? weir_service_find(top->set, id) : WEIR_SERVICE_NONE;
    const struct weir_service *service =
        found >= WEIR_SERVICE_FIRST ? weir_service_get(top->set, found) : NULL;
    for (size_t r = 0; service && r < 2; r++) {
        char line[700] = "";
        for (size_t i = 0; i < service->n_hosts; i++) {
            size_t used = strlen(line);
            if (service->hosts[i].role == roles[r])
                snprintf(line + used, sizeof line - used, "%s%s", used ? ", " : "",
                         service->hosts[i].suffix);
        }
        y = put_line(screen, y, last, r ? "control hosts" : "media hosts", line);
    }
    return y;
}

void weir_top_put_detail(const struct weir_top_screen *screen, const struct weir_top *top,
                         const struct weir_view *view, const struct weir_top_row *row, int y,
                         int last) {
    const struct weir_view_service *service = row->service;
    char line[1300], useful[64];
    snprintf(line, sizeof line, "%s  %s", service->name, row->judgement.state);
    weir_top_put(screen, y++, 0, COLS, weir_top_colour(row->judgement.state), line, false);
    y += weir_top_put_wrapped(screen, y, 0, 2, PLAIN, row->judgement.sentence) + 1;
    snprintf(useful, sizeof useful, "%.0f of %.0f trials in 5 min", row->ok, row->ok + row->fail);
    y = put_line(screen, y, last, "useful", useful);
    y = put_failures(screen, service, y, last);
    y = put_values(screen, service, y, last) + 1;
    y = put_hour(screen, view, service, y, last) + 1;
    const struct weir_view_event *open[WEIR_VIEW_EVENTS_MAX];
    size_t n = weir_view_open(view, open, WEIR_VIEW_EVENTS_MAX);
    for (size_t i = 0; i < n && y < last; i++)
        if (strcmp(open[i]->service, service->name) == 0)
            y = put_incident(screen, open[i], y, last);
    put_hosts(screen, top, service->name, y, last);
}
