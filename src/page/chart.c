/* Pictures, drawn as SVG: bands of states over time, and four small charts a service.
 *
 * Places in time are percentages, so that a picture is as wide as its column while its text keeps
 * its size; only the lines of a chart live in an inner drawing that is stretched. A picture is one
 * image to a reader that cannot see it, and says in its label what it shows. Heights and strokes
 * tell states and sides apart, colours repeat them.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page/render.h"
#include "view/view.h"

static double place_of(const struct weir_page *page, int64_t us) {
    double share = (double)(us - page->first_us) / (double)(page->last_us - page->first_us);
    return share < 0 ? 0 : share > 1 ? 100 : share * 100;
}

/* ---- axis ---- */

static int64_t step_us(const struct weir_page *page, int most) {
    static const int steps_s[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
                                  600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
    int64_t span_us = page->last_us - page->first_us;
    for (size_t i = 0; i < sizeof steps_s / sizeof steps_s[0]; i++)
        if (span_us / (steps_s[i] * INT64_C(1000000)) < most) return steps_s[i] * INT64_C(1000000);
    return (span_us / most / 86400000000 + 1) * 86400000000;
}

static const char *tick_text(char text[64], int64_t us, int64_t step) {
    weir_page_clock(text, us, step >= 86400000000, false);
    if (step >= 86400000000)
        text[10] = '\0'; /* the date alone */
    else if (step >= 60000000)
        text[5] = '\0'; /* no seconds */
    return text;
}

static void put_axis(struct weir_html *html, const struct weir_page *page) {
    char text[64];
    int64_t step = step_us(page, 6);
    weir_html_raw(
        html,
        "<div class=row aria-hidden=true><span></span><svg class=axis width=\"100%\" height=18>");
    for (int64_t us = (page->first_us / step + 1) * step; us < page->last_us; us += step) {
        double at = place_of(page, us);
        if (at > 4 && at < 96)
            weir_html_add(html, "<text x=\"%.2f%%\" y=13>%s</text>", at, tick_text(text, us, step));
    }
    weir_html_raw(html, "</svg></div>\n");
}

/* ---- the time line ---- */

/* A state's height in a row of 22: the worse, the taller. */
static int height_of(enum weir_state state) {
    static const int heights[] = {
        [WEIR_STATE_UNKNOWN] = 2,    [WEIR_STATE_HEALTHY] = 6,   [WEIR_STATE_SUSPECT] = 6,
        [WEIR_STATE_RECOVERING] = 8, [WEIR_STATE_DEGRADED] = 12, [WEIR_STATE_PARTIAL] = 16,
        [WEIR_STATE_DOWN] = 22};
    return heights[state];
}

static void put_band(struct weir_html *html, const struct weir_page *page,
                     const struct weir_page_band *band) {
    char from[64], to[64];
    double x = place_of(page, band->start_us), width = place_of(page, band->end_us) - x;
    int height = height_of(band->state);
    weir_html_add(html,
                  "<rect class=\"s-%s\" x=\"%.3f%%\" y=%d width=\"%.3f%%\" height=%d><title>%s, %s "
                  "to %s</title></rect>",
                  weir_state_name(band->state), x, 12 - height / 2, width < 0.25 ? 0.25 : width,
                  height, weir_page_state_words(band->state),
                  weir_page_clock(from, band->start_us, false, false),
                  weir_page_clock(to, band->end_us, false, true));
}

static void put_row(struct weir_html *html, const struct weir_page *page,
                    const struct weir_page_service *row, const char *title) {
    char from[64], to[64];
    size_t said = 0;
    weir_html_add(html,
                  "<div class=row><span class=name>%s</span><svg class=bands role=img "
                  "width=\"100%%\" height=24 aria-label=\"%s:",
                  title, title);
    for (size_t i = 0; i < row->n_bands && said < 12; i++)
        if (weir_page_badness(row->bands[i].state) >= weir_page_badness(WEIR_STATE_DEGRADED) ||
            row->n_bands == 1)
            weir_html_add(html, "%s %s from %s to %s", said++ ? "," : "",
                          weir_page_state_words(row->bands[i].state),
                          weir_page_clock(from, row->bands[i].start_us, false, false),
                          weir_page_clock(to, row->bands[i].end_us, false, false));
    weir_html_raw(html, said ? "\">" : " no trouble seen\">");
    for (size_t i = 0; i < row->n_bands; i++) put_band(html, page, &row->bands[i]);
    for (size_t i = 0; i < row->n_bands; i++) { /* when it was told */
        const struct weir_page_incident *incident = row->bands[i].incident;
        if (incident && incident->raised_us && (i == 0 || row->bands[i - 1].incident != incident))
            weir_html_add(html,
                          "<rect class=told x=\"%.3f%%\" y=0 width=2 height=24><title>told at "
                          "%s</title></rect>",
                          place_of(page, incident->raised_us),
                          weir_page_clock(from, incident->raised_us, false, true));
    }
    weir_html_raw(html, "</svg></div>\n");
}

static void put_key(struct weir_html *html) {
    static const enum weir_state shown[] = {WEIR_STATE_HEALTHY,    WEIR_STATE_DEGRADED,
                                            WEIR_STATE_PARTIAL,    WEIR_STATE_DOWN,
                                            WEIR_STATE_RECOVERING, WEIR_STATE_UNKNOWN};
    weir_html_raw(html, "<p class=key>");
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        weir_html_add(html,
                      "<span><svg aria-hidden=true width=18 height=24><rect class=\"s-%s\" y=%d "
                      "width=18 height=%d /></svg>%s</span> ",
                      weir_state_name(shown[i]), 12 - height_of(shown[i]) / 2, height_of(shown[i]),
                      weir_page_state_words(shown[i]));
    weir_html_raw(html, "<span><svg aria-hidden=true width=6 height=24><rect class=told x=2 "
                        "width=2 height=24 /></svg>incident told</span></p>\n");
}

void weir_page_put_timeline(struct weir_html *html, const struct weir_page *page) {
    if (page->last_us <= page->first_us) return;
    weir_html_raw(html, "<div class=timeline>");
    for (size_t i = 0; i < page->n_services; i++)
        if (page->services[i].n_bands && !page->services[i].is_control)
            put_row(html, page, &page->services[i], page->services[i].title);
    weir_html_raw(html, "<hr>");
    put_row(html, page, &page->uplink, "Uplink");
    put_row(html, page, &page->resolver, "DNS resolver");
    put_axis(html, page);
    weir_html_raw(html, "</div>\n");
    put_key(html);
}

/* ---- small charts ---- */

enum { HIGH = 100 };

struct line {
    enum weir_page_series series;
    const char *class;
    double scale; /* of the value that is at the top */
};

static void put_line(struct weir_html *html, const struct weir_page *page,
                     const struct weir_page_track *track, const struct line *line) {
    bool on = false;
    weir_html_add(html, "<path class=\"%s\" d=\"", line->class);
    for (size_t b = 0; b < page->n_bins; b++) {
        double value = weir_page_value(&track->bins[b], line->series);
        bool next =
            b + 1 < page->n_bins && !isnan(weir_page_value(&track->bins[b + 1], line->series));
        if (isnan(value)) {
            on = false;
            continue;
        }
        double y = HIGH - HIGH * value / line->scale;
        weir_html_add(html, on ? "L%.1f %.1f" : "M%.1f %.1f", (double)b + (on || next ? 0.5 : 0.05),
                      y);
        if (!on && !next) weir_html_raw(html, "h.9"); /* alone: a dash */
        on = true;
    }
    weir_html_raw(html, "\"/>");
}

/* Bars from a line in the middle: useful up, failing down. */
static void put_bars(struct weir_html *html, const struct weir_page *page,
                     const struct weir_page_track *track, double scale) {
    static const struct {
        enum weir_page_series series;
        const char *class;
        int sign;
    } sides[] = {{WEIR_PAGE_OK, "ok", -1}, {WEIR_PAGE_FAIL, "bad", 1}};
    for (size_t i = 0; i < 2; i++) {
        weir_html_add(html, "<path class=\"bar %s\" d=\"", sides[i].class);
        for (size_t b = 0; b < page->n_bins; b++) {
            double value = weir_page_value(&track->bins[b], sides[i].series);
            if (value > 0)
                weir_html_add(html, "M%zu 50v%.1fh.86V50", b, sides[i].sign * 50 * value / scale);
        }
        weir_html_raw(html, "\"/>");
    }
    weir_html_add(html, "<path class=zero d=\"M0 50H%zu\"/>", page->n_bins);
}

/* Where incidents of the service were. */
static void put_shade(struct weir_html *html, const struct weir_page *page,
                      const struct weir_page_service *service) {
    for (size_t i = 0; i < service->n_bands; i++)
        if (service->bands[i].incident) {
            double x = place_of(page, service->bands[i].start_us),
                   width = place_of(page, service->bands[i].end_us) - x;
            weir_html_add(html, "<rect class=shade x=\"%.2f%%\" y=16 width=\"%.2f%%\" height=60 />",
                          x, width < 0.3 ? 0.3 : width);
        }
}

static void begin_chart(struct weir_html *html, const struct weir_page *page,
                        const struct weir_page_service *service, const char *title,
                        const char *says) {
    weir_html_add(
        html,
        "<figure><figcaption><b>%s</b> <span>%s</span></figcaption>"
        "<svg class=chart role=img width=\"100%%\" height=94 aria-label=\"%s of %s: %s\">",
        title, says, title, service->title, says);
    put_shade(html, page, service);
    weir_html_add(html,
                  "<svg x=0 y=16 width=\"100%%\" height=60 viewBox=\"0 -2 %.3f 104\" "
                  "preserveAspectRatio=none>",
                  (double)(page->last_us - page->first_us) / (double)page->bin_us);
}

static void end_chart(struct weir_html *html, const struct weir_page *page, const char *top) {
    char from[64], to[64];
    bool days = page->last_us - page->first_us > 86400000000;
    weir_page_clock(from, page->first_us, days, false);
    weir_page_clock(to, page->last_us, days, false);
    from[strlen(from) - 3] = to[strlen(to) - 3] = '\0';
    weir_html_add(html,
                  "</svg><path class=floor d=\"M0 76H4000\"/><text x=0 y=11 "
                  "class=top>%s</text><text y=90>%s</text>"
                  "<text x=\"100%%\" y=90 class=end>%s</text></svg></figure>\n",
                  top, from, to);
}

static void put_trials(struct weir_html *html, const struct weir_page *page,
                       const struct weir_page_service *service) {
    char says[120], top[40], span[32];
    double most = fmax(service->summary[WEIR_PAGE_OK].most, service->summary[WEIR_PAGE_FAIL].most);
    if (isnan(service->fail))
        snprintf(says, sizeof says, "%.0f useful", service->ok);
    else
        snprintf(says, sizeof says, "%.0f useful above, %.0f failing below", service->ok,
                 service->fail);
    begin_chart(html, page, service, "Trials", says);
    put_bars(html, page, service->track, most > 0 ? most : 1);
    snprintf(top, sizeof top, "%.0f in %s", most, weir_view_span(span, page->bin_us));
    end_chart(html, page, top);
}

/* A chart of one line or two: near the servers solid, near the clients dashed. */
static void put_lines(struct weir_html *html, const struct weir_page *page,
                      const struct weir_page_service *service, const char *title,
                      const enum weir_page_series series[2],
                      const char *(*words)(char *text, double value)) {
    char says[200], first[32], second[32], top[32];
    bool two = series[1] != series[0];
    const struct weir_page_summary *one = &service->summary[series[0]],
                                   *other = &service->summary[series[1]];
    double most = fmax(one->n ? one->most : 0, other->n ? other->most : 0);
    if (!one->n && !other->n) {
        weir_html_add(html,
                      "<figure class=none><figcaption><b>%s</b> <span>not "
                      "measured</span></figcaption></figure>\n",
                      title);
        return;
    }
    words(first, one->n ? one->typical : NAN);
    words(second, other->n ? other->typical : NAN);
    if (two)
        snprintf(says, sizeof says, "servers %s, clients %s (dashed)", first, second);
    else
        snprintf(says, sizeof says, "median %s", first);
    begin_chart(html, page, service, title, says);
    const struct line lines[] = {{series[0], "line", most > 0 ? most : 1},
                                 {series[1], "line client", most > 0 ? most : 1}};
    for (int i = two ? 1 : 0; i >= 0; i--) put_line(html, page, service->track, &lines[i]);
    end_chart(html, page, words(top, most));
}

void weir_page_put_charts(struct weir_html *html, const struct weir_page *page,
                          const struct weir_page_service *service) {
    if (!service->track || page->last_us <= page->first_us) return;
    weir_html_raw(html, "<div class=charts>");
    put_trials(html, page, service);
    put_lines(html, page, service, "Goodput",
              (enum weir_page_series[]){WEIR_PAGE_GOODPUT, WEIR_PAGE_GOODPUT}, weir_page_rate);
    put_lines(html, page, service, "Delay",
              (enum weir_page_series[]){WEIR_PAGE_RTT_SERVER, WEIR_PAGE_RTT_CLIENT},
              weir_page_delay);
    put_lines(html, page, service, "Loss",
              (enum weir_page_series[]){WEIR_PAGE_LOSS_BEFORE, WEIR_PAGE_LOSS_BEYOND},
              weir_page_share_text);
    weir_html_raw(html, "</div>\n");
}
