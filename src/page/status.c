/* The status page of a site, and a page for each service and incident. What is inside <main> is
 * replaced by the script when something changed; without the script the page is as true as when it
 * was loaded.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page/render.h"
#include "page/status.h"
#include "view/view.h"

static void put_head(struct weir_html *html, const struct weir_page *page, const char *title) {
    weir_html_add(html,
                  "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
                  "content=\"width=device-width, initial-scale=1\">"
                  "<meta name=color-scheme content=\"light dark\"><title>%s</title><link "
                  "rel=stylesheet href=/style.css><link rel=icon href=\"data:,\">"
                  "<script src=/live.js defer></script></head><body>\n",
                  title);
    weir_html_add(
        html,
        "<header class=banner><span class=brand><a href=/>weir</a></span><span class=site>%s</span>"
        "<span class=when id=live role=status></span></header>\n",
        page ? page->site : "");
}

static void begin_main(struct weir_html *html, const struct weir_page *page,
                       unsigned long generation) {
    weir_html_add(html, "<main data-generation=%lu>\n", generation);
    if (page->trouble[0])
        weir_html_add(html, "<p class=trouble><b>Old news.</b> %s</p>\n", page->trouble);
}

static void put_foot(struct weir_html *html, const struct weir_page *page) {
    weir_html_raw(html, "</main>\n<footer>");
    if (page && page->heard_us) {
        weir_html_raw(html, "Probe heard at ");
        weir_page_put_time(html, page->heard_us, true, true);
        weir_html_raw(html, page->replay ? " (a replay). " : ". ");
    }
    weir_html_add(html,
                  "weir %s. <a href=/api/v2/summary.json>JSON</a> <a "
                  "href=/metrics>Metrics</a></footer>\n</body></html>\n",
                  WEIR_VERSION);
}

/* ---- availability ---- */

static void put_day(struct weir_html *html, const struct weir_page_day *day, size_t i, size_t n) {
    char date[64], bad[32];
    weir_page_clock(date, day->start_us, true, false);
    date[10] = '\0';
    double bad_s = day->down_s + day->partial_s + day->degraded_s;
    weir_html_add(html,
                  "<rect class=\"s-%s\" x=\"%.3f%%\" y=%d width=\"%.3f%%\" height=%d><title>%s: ",
                  weir_state_name(day->state), 100.0 * (double)i / (double)n,
                  day->judged_s > 0 ? 0 : 20, 72.0 / (double)n, day->judged_s > 0 ? 26 : 6, date);
    if (day->judged_s <= 0)
        weir_html_raw(html, "not recorded</title></rect>");
    else if (bad_s < 1)
        weir_html_raw(html, "no trouble</title></rect>");
    else
        weir_html_add(html, "%s of trouble</title></rect>",
                      weir_view_span(bad, (int64_t)(bad_s * 1e6)));
    if (weir_page_badness(day->state) >
        weir_page_badness(WEIR_STATE_HEALTHY)) /* a notch tells a bad day without its colour */
        weir_html_add(html, "<rect class=notch x=\"%.3f%%\" y=0 width=\"%.3f%%\" height=%d />",
                      100.0 * (double)i / (double)n, 72.0 / (double)n,
                      4 + (int)(10 * fmin(1, bad_s / day->judged_s)));
}

static void put_days(struct weir_html *html, const struct weir_page_service *service) {
    if (!service->n_days) {
        weir_html_raw(html, "<p class=\"soft days-none\">Availability: not recorded yet.</p>");
        return;
    }
    weir_html_add(html,
                  "<svg class=days role=img width=\"100%%\" height=26 aria-label=\"Availability of "
                  "%s over %zu days: ",
                  service->title, service->n_days);
    if (isnan(service->availability))
        weir_html_raw(html, "not recorded\">");
    else
        weir_html_add(html, "%.2f %%\">", service->availability * 100);
    for (size_t i = 0; i < service->n_days; i++)
        put_day(html, &service->days[i], i, service->n_days);
    weir_html_raw(html, "</svg>");
    weir_html_add(html, "<p class=\"soft ends\"><span>%zu days</span><span>", service->n_days);
    if (isnan(service->availability))
        weir_html_raw(html, "not recorded yet");
    else
        weir_html_add(html, "up %.2f %% of judged time", service->availability * 100);
    weir_html_raw(html, "</span><span>today</span></p>");
}

/* ---- the first page ---- */

static void put_tile(struct weir_html *html, const struct weir_page_service *service) {
    char goodput[32], delay[32], watched[80] = "";
    weir_html_add(html,
                  "<article class=tile id=\"t-%s\" data-state=%s><header><h3><a "
                  "href=\"/service/%s\">%s</a></h3>",
                  service->id, weir_state_name(service->state), service->id, service->title);
    weir_page_put_pill(html, service->state);
    weir_html_raw(html, "</header>");
    if (service->viewers > 0)
        snprintf(watched, sizeof watched, "; %.0f of %.0f viewers stand still",
                 service->viewers_stalled, service->viewers);
    weir_html_add(html, "<p class=soft>%.0f of %.0f trials useful in 5 min%s%s%s%s%s</p>",
                  service->recent_ok, service->recent_ok + service->recent_fail,
                  isnan(service->goodput_bps) ? "" : ", goodput ",
                  isnan(service->goodput_bps) ? "" : weir_page_rate(goodput, service->goodput_bps),
                  isnan(service->rtt_us) ? "" : ", delay ",
                  isnan(service->rtt_us) ? "" : weir_page_delay(delay, service->rtt_us), watched);
    put_days(html, service);
    weir_html_raw(html, "</article>\n");
}

static void put_past(struct weir_html *html, const struct weir_page *page, const char *service) {
    size_t n = 0;
    for (size_t i = 0; i < page->n_incidents && n < 50; i++) {
        const struct weir_page_incident *one = &page->incidents[i];
        if (one->is_open || (service && strcmp(one->service, service) != 0)) continue;
        weir_html_raw(
            html,
            n++ ? ""
                : "<table class=past><thead><tr><th scope=col>What<th scope=col>How<th "
                  "scope=col>Began<th scope=col>Lasted<th scope=col>Cause</tr></thead><tbody>\n");
        weir_html_add(html, "<tr><th scope=row><a href=\"/incident/%s\">%s</a></th><td>", one->id,
                      one->title);
        weir_page_put_pill(html, one->worst);
        weir_html_raw(html, "</td><td data-label=began>");
        weir_page_put_time(html, one->onset_us, true, false);
        weir_html_add(html, "</td><td data-label=lasted>%s</td><td data-label=cause>%s</td></tr>\n",
                      one->lasted, one->cause_words);
    }
    weir_html_raw(html, n ? "</tbody></table>\n" : "<p class=soft>None on record.</p>\n");
}

/* `service`: of it alone; NULL: all. */
static void put_open(struct weir_html *html, const struct weir_page *page, const char *service) {
    bool any = false;
    for (size_t i = 0; i < page->n_incidents; i++)
        if (page->incidents[i].is_open &&
            (!service || strcmp(page->incidents[i].service, service) == 0)) {
            weir_html_raw(html, any ? "" : "<section><h2>Now</h2>\n");
            weir_page_put_incident(html, page, &page->incidents[i], true);
            any = true;
        }
    weir_html_raw(html, any ? "</section>\n" : "");
}

static void put_sites(struct weir_html *html, const struct weir_page *page) {
    if (!page->n_sites) return;
    weir_html_raw(html, "<section><h2>Sites</h2>\n<table class=sites><tbody>");
    for (size_t i = 0; i < page->n_sites; i++) {
        weir_html_add(html, "<tr><th scope=row>%s</th><td>", page->sites[i].name);
        weir_page_put_pill(html, page->sites[i].state);
        weir_html_add(html, "</td><td>%s</td></tr>\n", page->sites[i].sentence);
    }
    weir_html_raw(html, "</tbody></table></section>\n");
}

void weir_page_status(const struct weir_page *page, unsigned long generation,
                      struct weir_html *html) {
    char title[800];
    snprintf(title, sizeof title, "%.150s: %.600s", page->site, page->answer);
    put_head(html, page, title);
    begin_main(html, page, generation);
    weir_page_put_answer(html, page);
    put_open(html, page, NULL);
    if (page->n_services) {
        weir_html_raw(html, "<section><h2>Services</h2>\n<div class=tiles>");
        for (size_t i = 0; i < page->n_services; i++)
            if (!page->services[i].is_control) put_tile(html, &page->services[i]);
        weir_html_raw(html, "</div></section>\n<section><h2>The last hour</h2>\n");
        weir_page_put_timeline(html, page);
        weir_html_raw(html, "</section>\n");
    }
    put_sites(html, page);
    weir_html_raw(html, "<section><h2>Past incidents</h2>\n");
    put_past(html, page, NULL);
    weir_html_raw(html, "</section>\n");
    put_foot(html, page);
}

/* ---- a service ---- */

static void put_figures(struct weir_html *html, const struct weir_page_service *service) {
    char text[64];
    weir_html_raw(html, "<dl class=times>");
    weir_html_add(html, "<div><dt>Useful trials, 5 min</dt><dd>%.0f of %.0f</dd></div>",
                  service->recent_ok, service->recent_ok + service->recent_fail);
    if (service->failing_by[0])
        weir_html_add(html, "<div><dt>Failing by</dt><dd>%s</dd></div>", service->failing_by);
    if (!isnan(service->clients))
        weir_html_add(html, "<div><dt>Clients, last window</dt><dd>%.0f</dd></div>",
                      service->clients);
    if (service->viewers > 0)
        weir_html_add(html, "<div><dt>Viewers, standing still</dt><dd>%.0f, %.0f</dd></div>",
                      service->viewers, service->viewers_stalled);
    if (!isnan(service->startup_us))
        weir_html_add(html, "<div><dt>Start-up</dt><dd>%s</dd></div>",
                      weir_page_delay(text, service->startup_us));
    if (!isnan(service->bitrate_bps))
        weir_html_add(html, "<div><dt>Quality</dt><dd>%s</dd></div>",
                      weir_page_rate(text, service->bitrate_bps));
    weir_html_add(html, "<div><dt>Goodput</dt><dd>%s</dd></div>",
                  weir_page_rate(text, service->goodput_bps));
    weir_html_add(html, "<div><dt>Delay to servers</dt><dd>%s</dd></div>",
                  weir_page_delay(text, service->rtt_us));
    weir_html_add(html, "<div><dt>Delay to clients</dt><dd>%s</dd></div>",
                  weir_page_delay(text, service->rtt_client_us));
    weir_html_add(html, "<div><dt>Loss</dt><dd>%s</dd></div>",
                  weir_page_share_text(text, service->loss));
    weir_html_raw(html, "</dl>\n");
}

/* The others at the same time: what speaks for or against the uplink. */
static void put_others(struct weir_html *html, const struct weir_page *page,
                       const struct weir_page_service *but) {
    weir_html_raw(html, "<section><h2>Others at the same time</h2><table><tbody>");
    for (size_t i = 0; i < page->n_services; i++) {
        const struct weir_page_service *one = &page->services[i];
        if (one == but) continue;
        weir_html_add(html, "<tr><th scope=row><a href=\"/service/%s\">%s</a></th><td>", one->id,
                      one->title);
        if (!one->is_control) weir_page_put_pill(html, one->state);
        weir_html_add(html, "</td><td>%.0f of %.0f trials useful in 5 min</td></tr>\n",
                      one->recent_ok, one->recent_ok + one->recent_fail);
    }
    weir_html_raw(html, "</tbody></table></section>\n");
}

void weir_page_status_service(const struct weir_page *page, const struct weir_page_service *service,
                              unsigned long generation, struct weir_html *html) {
    char title[300];
    snprintf(title, sizeof title, "%.95s at %.100s: %s", service->title, page->site,
             weir_page_state_words(service->state));
    put_head(html, page, title);
    begin_main(html, page, generation);
    weir_html_add(html, "<section class=\"answer a-%s\" aria-label=Answer>",
                  weir_state_name(service->state));
    weir_page_put_mark(html, service->state);
    weir_html_add(html, "<div><h1>%s %s</h1><p>%s</p></div></section>\n", service->title,
                  service->state == WEIR_STATE_DOWN         ? "is down"
                  : service->state == WEIR_STATE_UNKNOWN    ? "cannot be judged"
                  : service->state == WEIR_STATE_RECOVERING ? "is recovering"
                                                            : weir_page_state_words(service->state),
                  service->sentence);
    put_open(html, page, service->id);
    weir_html_raw(html, "<section><h2>The last hour</h2><div class=multiple>\n");
    put_figures(html, service);
    weir_page_put_charts(html, page, service);
    weir_html_raw(html, "</div></section>\n<section><h2>Availability</h2>\n");
    put_days(html, service);
    weir_html_raw(html, "</section>\n");
    put_others(html, page, service);
    weir_html_raw(html, "<section><h2>Past incidents</h2>\n");
    put_past(html, page, service->id);
    weir_html_raw(html, "</section>\n");
    if (service->hosts[0])
        weir_html_add(html, "<section><h2>Known by</h2><p class=soft>%s</p></section>\n",
                      service->hosts);
    put_foot(html, page);
}

void weir_page_status_incident(const struct weir_page *page,
                               const struct weir_page_incident *incident, unsigned long generation,
                               struct weir_html *html) {
    char title[300];
    snprintf(title, sizeof title, "%.110s: %s (%.100s)", incident->title,
             weir_page_state_words(incident->worst), page->site);
    put_head(html, page, title);
    begin_main(html, page, generation);
    weir_html_add(html, "<h1 class=hidden>%s</h1><h2 class=hidden>Evidence</h2>\n", title);
    weir_page_put_incident(html, page, incident, false);
    weir_html_raw(html, "<p><a href=/>All services</a></p>\n");
    put_foot(html, page);
}

void weir_page_status_notice(const char *head, const char *text, struct weir_html *html) {
    put_head(html, NULL, head);
    weir_html_add(
        html,
        "<main><section class=\"answer a-unknown\"><div><h1>%s</h1><p>%s</p></div></section>\n",
        head, text);
    put_foot(html, NULL);
}
