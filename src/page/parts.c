/* Parts of a page that the report and the status page share: the answer, cards, tables, facts. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page/render.h"
#include "view/view.h"

static const struct {
    const char *mark, *words; /* a sign that needs no colour; what a person calls it */
} looks[] = {
    [WEIR_STATE_UNKNOWN] = {"?", "unknown"},
    [WEIR_STATE_HEALTHY] = {"\u2713", "works"},
    [WEIR_STATE_SUSPECT] = {"\u2248", "works, watched"},
    [WEIR_STATE_DEGRADED] = {"\u25d0", "works badly"},
    [WEIR_STATE_PARTIAL] = {"\u25b2", "fails in part"},
    [WEIR_STATE_DOWN] = {"\u2715", "down"},
    [WEIR_STATE_RECOVERING] = {"\u21bb", "recovering"},
};

const char *weir_page_state_words(enum weir_state state) { return looks[state].words; }

void weir_page_put_mark(struct weir_html *html, enum weir_state state) {
    weir_html_add(html, "<span class=\"mark p-%s\" aria-hidden=true>%s</span>",
                  weir_state_name(state), looks[state].mark);
}

void weir_page_put_pill(struct weir_html *html, enum weir_state state) {
    weir_html_add(html, "<span class=\"pill p-%s\"><span aria-hidden=true>%s</span> %s</span>",
                  weir_state_name(state), looks[state].mark, looks[state].words);
}

void weir_page_put_time(struct weir_html *html, int64_t us, bool with_date, bool with_zone) {
    char local[64], utc[64];
    if (!us) {
        weir_html_raw(html, "-");
        return;
    }
    weir_page_utc(utc, us);
    weir_html_add(html, "<time datetime=\"%.10sT%.8sZ\" title=\"%s\">%s</time>", utc, utc + 11, utc,
                  weir_page_clock(local, us, with_date, with_zone));
}

void weir_page_put_answer(struct weir_html *html, const struct weir_page *page) {
    weir_html_add(html, "<section class=\"answer a-%s\" aria-label=Answer>",
                  weir_state_name(page->state));
    weir_page_put_mark(html, page->state);
    weir_html_add(html, "<div><h1>%s</h1>", page->answer);
    if (page->answer_more[0]) weir_html_add(html, "<p>%s</p>", page->answer_more);
    weir_html_raw(html, "</div></section>\n");
}

static void put_capital(struct weir_html *html, const char *text) {
    char first[2] = {(char)toupper((unsigned char)text[0])};
    weir_html_add(html, "%s%s", first, text + (text[0] != '\0'));
}

/* ---- services ---- */

static void put_cell(struct weir_html *html, const char *label, const char *text) {
    weir_html_add(html, "<td data-label=\"%s\">%s</td>", label, text);
}

static void put_service(struct weir_html *html, const struct weir_page_service *service) {
    char text[64], amount[32];
    weir_html_add(html, "<tr><th scope=row><a href=\"#s-%s\">%s</a></th><td>", service->id,
                  service->title);
    if (service->is_control)
        weir_html_raw(html, "<span class=soft>for comparison</span>");
    else
        weir_page_put_pill(html, service->state);
    if (service->sentence[0])
        weir_html_add(html, " <span class=\"soft note\">%s</span>", service->sentence);
    weir_html_raw(html, "</td>");
    if (service->ok + service->fail > 0)
        snprintf(text, sizeof text, "%.0f of %.0f", service->ok, service->ok + service->fail);
    else
        strcpy(text, "-");
    put_cell(html, "useful trials", text);
    put_cell(html, "failing by",
             service->fail > 0 && service->failing_by[0] ? service->failing_by : "-");
    snprintf(text, sizeof text, isnan(service->clients) ? "-" : "%.0f", service->clients);
    put_cell(html, "clients", text);
    put_cell(html, "down", weir_view_amount(amount, service->bytes_down, "B"));
    put_cell(html, "goodput", weir_page_rate(amount, service->goodput_bps));
    put_cell(html, "delay", weir_page_delay(amount, service->rtt_us));
    put_cell(html, "loss", weir_page_share_text(amount, service->loss));
    weir_html_raw(html, "</tr>\n");
}

void weir_page_put_services(struct weir_html *html, const struct weir_page *page) {
    weir_html_raw(html, "<table class=services><thead><tr><th scope=col>Service<th "
                        "scope=col>State<th scope=col>Useful trials<th scope=col>Failing by"
                        "<th scope=col>Clients<th scope=col>Down<th scope=col>Goodput<th "
                        "scope=col>Delay<th scope=col>Loss</tr></thead><tbody>\n");
    for (size_t i = 0; i < page->n_services; i++) put_service(html, &page->services[i]);
    weir_html_raw(html, "</tbody></table>\n");
}

/* ---- an incident's card ---- */

static void put_when(struct weir_html *html, const char *name, int64_t us, const char *otherwise) {
    weir_html_add(html, "<div><dt>%s</dt><dd>", name);
    if (us)
        weir_page_put_time(html, us, false, false);
    else
        weir_html_add(html, "%s", otherwise);
    weir_html_raw(html, "</dd></div>");
}

static const char *part_words(const char *part) {
    return strcmp(part, "media") == 0     ? "picture and sound"
           : strcmp(part, "control") == 0 ? "log-in, catalogue, licences"
                                          : part;
}

static void put_times(struct weir_html *html, const struct weir_page_incident *incident) {
    char sure[32];
    weir_html_raw(html, "<dl class=times>");
    put_when(html, "Began", incident->onset_us, "-");
    put_when(html, "Told", incident->raised_us, "-");
    put_when(html, "Recovered",
             incident->recovered_us ? incident->recovered_us : incident->cleared_us, "not yet");
    weir_html_add(html, "<div><dt>%s</dt><dd>%s</dd></div>", incident->is_open ? "Lasts" : "Lasted",
                  incident->lasted);
    if (incident->part[0] && strcmp(incident->part, "all") != 0)
        weir_html_add(html, "<div><dt>What of it</dt><dd>%s</dd></div>",
                      part_words(incident->part));
    if (incident->probability > 0)
        weir_html_add(html, "<div><dt>Sure of the cause</dt><dd>%s</dd></div>",
                      weir_page_sure(sure, incident->probability));
    else
        weir_html_add(html, "<div><dt>Confidence</dt><dd>%s</dd></div>", incident->confidence);
    weir_html_raw(html, "</dl>\n");
}

/* A line of a list with a bar: `share` of its width. */
static void put_meter(struct weir_html *html, const char *text, double share, const char *class,
                      const char *figure) {
    weir_html_add(html,
                  "<li><span>%s</span><svg aria-hidden=true class=meter width=\"100%%\" "
                  "height=8><rect class=back width=\"100%%\" height=8 rx=4 />"
                  "<rect class=\"%s\" width=\"%.1f%%\" height=8 rx=4 /></svg><b>%s</b></li>",
                  text, class, 100 * share, figure);
}

static void put_trials(struct weir_html *html, const struct weir_page_incident *incident) {
    char figure[64];
    if (!(incident->total > 0)) return;
    weir_html_raw(html, "<section><h4>Trials at the same time</h4><ul class=meters>");
    snprintf(figure, sizeof figure, "%.0f of %.0f useful", incident->total - incident->fail,
             incident->total);
    put_meter(html, incident->title, (incident->total - incident->fail) / incident->total, "bad",
              figure);
    for (size_t i = 0; i < incident->n_controls; i++) {
        const struct weir_page_counted *one = &incident->controls[i];
        if (!(one->total > 0)) continue;
        snprintf(figure, sizeof figure, "%.0f of %.0f useful", one->total - one->fail, one->total);
        put_meter(html, one->text, (one->total - one->fail) / one->total, "ok", figure);
    }
    weir_html_raw(html, "</ul>");
    if (!isnan(incident->low))
        weir_html_add(html, "<p class=soft>95 %%: between %.0f and %.0f %% of its trials fail.</p>",
                      floor(incident->low * 100), ceil(incident->high * 100));
    weir_html_raw(html, "</section>\n");
}

static void put_kinds(struct weir_html *html, const struct weir_page_incident *incident) {
    char figure[32];
    double sum = 0;
    for (size_t i = 0; i < incident->n_kinds; i++) sum += incident->kinds[i].fail;
    if (!(sum > 0)) return;
    weir_html_raw(html, "<section><h4>How it failed</h4><ul class=meters>");
    for (size_t i = 0; i < incident->n_kinds; i++) {
        snprintf(figure, sizeof figure, "%.0f", incident->kinds[i].fail);
        put_meter(html, incident->kinds[i].text, incident->kinds[i].fail / sum, "bad", figure);
    }
    weir_html_raw(html, "</ul></section>\n");
}

static void put_names(struct weir_html *html, const char *head, const char *items, size_t size,
                      size_t n, unsigned more) {
    if (!n) return;
    weir_html_add(html, "<section><h4>%s</h4><ul class=names>", head);
    for (size_t i = 0; i < n; i++) weir_html_add(html, "<li>%s</li>", items + i * size);
    if (more) weir_html_add(html, "<li class=soft>and %d more</li>", (int)more);
    weir_html_raw(html, "</ul></section>\n");
}

static void put_rulings(struct weir_html *html, const struct weir_page_incident *incident) {
    char sure[32];
    if (!incident->n_rulings && !incident->n_alternatives) return;
    weir_html_raw(
        html,
        "<section class=wide><h4>What it is, and what it is not</h4><table class=rulings><tbody>");
    weir_html_raw(html, "<tr><th scope=row>");
    put_capital(html, incident->cause_words);
    weir_html_raw(html, "</th><td><b>the cause told</b></td><td>");
    if (incident->probability > 0)
        weir_html_add(html, "%s sure.", weir_page_sure(sure, incident->probability));
    else
        weir_html_add(html, "Confidence: %s.", incident->confidence);
    weir_html_raw(html, "</td></tr>");
    for (size_t i = 0; i < incident->n_alternatives; i++)
        weir_html_add(
            html, "<tr><th scope=row>Or %s</th><td>possible</td><td>%.0f %%.</td></tr>",
            incident->alternatives[i].text,
            isnan(incident->alternatives[i].total) ? 0 : incident->alternatives[i].total * 100);
    for (size_t i = 0; i < incident->n_rulings; i++)
        weir_html_add(html, "<tr><th scope=row>%s</th><td>%s</td><td>%s</td></tr>",
                      incident->rulings[i].what, incident->rulings[i].verdict,
                      incident->rulings[i].why);
    weir_html_raw(html, "</tbody></table></section>\n");
}

static void put_hit(struct weir_html *html, const struct weir_page *page,
                    const struct weir_page_incident *incident) {
    if (!(incident->clients > 0)) return;
    weir_html_add(html, "<section><h4>For whom</h4><p>%s%.0f of %.0f clients that used it.",
                  incident->at_least ? "At least " : "", incident->clients, incident->clients_seen);
    if (incident->viewers > 0)
        weir_html_add(html, " %.0f were watching; for %.0f the picture stood still.",
                      incident->viewers, incident->viewers_stalled);
    weir_html_raw(html, "</p>");
    if (incident->n_hit && !page->hide_clients) {
        weir_html_raw(html, "<ul class=names>");
        for (size_t i = 0; i < incident->n_hit; i++)
            weir_html_add(html, "<li>%s</li>", incident->hit[i]);
        if (incident->hit_more)
            weir_html_add(html, "<li class=soft>and %d more</li>", (int)incident->hit_more);
        weir_html_raw(html, "</ul>");
    }
    weir_html_raw(html, "</section>\n");
}

void weir_page_put_incident(struct weir_html *html, const struct weir_page *page,
                            const struct weir_page_incident *incident, bool linked) {
    weir_html_add(html, "<article class=\"card e-%s\" id=\"i-%s\"><header>",
                  weir_state_name(incident->worst), incident->id);
    weir_page_put_pill(html, incident->worst);
    weir_html_add(html, linked ? "<h3><a href=\"/incident/%s\">" : "<h3 title=\"%s\">",
                  incident->id);
    put_capital(html, incident->title);
    weir_html_raw(html, linked ? "</a></h3>" : "</h3>");
    weir_html_add(html, "<span class=soft>%s%s</span></header>\n",
                  incident->is_open ? "open" : "over",
                  incident->maintenance ? ", announced work" : "");
    if (!incident->is_open && incident->end_text[0])
        weir_html_add(html,
                      "<p class=story>%s</p>\n<p class=\"story soft\">While it lasted: "
                      "&ldquo;%s&rdquo;</p>\n",
                      incident->end_text, incident->text);
    else
        weir_html_add(html, "<p class=story>%s</p>\n", incident->text);
    put_times(html, incident);
    weir_html_raw(html, "<div class=evidence>");
    put_trials(html, incident);
    put_kinds(html, incident);
    put_hit(html, page, incident);
    put_names(html, "Where", incident->prefixes[0], sizeof incident->prefixes[0],
              incident->n_prefixes, incident->prefixes_more);
    put_names(html, "Names that a local policy blocks", incident->blocked[0],
              sizeof incident->blocked[0], incident->n_blocked, 0);
    put_rulings(html, incident);
    weir_html_raw(html, "</div></article>\n");
}

/* ---- sessions ---- */

static void put_strip(struct weir_html *html, const struct weir_page *page,
                      const struct weir_page_session *session) {
    double span = (double)(page->last_us - page->first_us);
    double x = 100 * (double)(session->start_us - page->first_us) / span,
           width = 100 * (double)(session->end_us - session->start_us) / span;
    weir_html_add(html,
                  "<td class=strip><svg aria-hidden=true width=\"100%%\" height=14><rect "
                  "class=back y=6 width=\"100%%\" height=2 />"
                  "<rect class=play x=\"%.2f%%\" y=4 width=\"%.2f%%\" height=6 rx=3 />",
                  x < 0 ? 0 : x, width < 0.5 ? 0.5 : width);
    for (size_t i = 0; i < session->n_stalls; i++)
        weir_html_add(
            html, "<rect class=still x=\"%.2f%%\" width=\"%.2f%%\" height=14 />",
            100 * (double)(session->stall[i].start_us - page->first_us) / span,
            fmax(0.4,
                 100 * (double)(session->stall[i].end_us - session->stall[i].start_us) / span));
    weir_html_raw(html, "</svg></td>");
}

/* A stall where the rhythm of the media tells it; else how long it was served too slowly, which
 * need not be one. */
static const char *waited(const struct weir_page_session *session, char text[80]) {
    char span[32];
    if (!isnan(session->stalled_us) && session->stalled_us < 5e5)
        snprintf(text, 80, "no");
    else if (!isnan(session->stalled_us))
        snprintf(text, 80, "%s in %.0f", weir_view_span(span, (int64_t)session->stalled_us),
                 session->stalls > 0 ? session->stalls : 1);
    else if (session->starved_us >= 5e5)
        snprintf(text, 80, "perhaps: served too slowly for %s",
                 weir_view_span(span, (int64_t)session->starved_us));
    else
        snprintf(text, 80, "no sign of it");
    return text;
}

static const char *quality(const struct weir_page_session *session, char text[80]) {
    char rate[32];
    weir_page_rate(rate, session->bitrate_bps);
    if (session->quality_changes > 0)
        snprintf(text, 80, "%s, %.0f change%s", rate, session->quality_changes,
                 session->quality_changes > 1 ? "s" : "");
    else
        snprintf(text, 80, "%s", rate);
    return text;
}

static void put_session(struct weir_html *html, const struct weir_page *page,
                        const struct weir_page_session *session) {
    char text[80];
    weir_html_add(html, "<tr><th scope=row>%s%s%s</th>", session->service,
                  session->kind[0] && strcmp(session->kind, "unknown") ? ", " : "",
                  strcmp(session->kind, "unknown") ? session->kind : "");
    if (!page->hide_clients) put_cell(html, "client", session->client[0] ? session->client : "-");
    weir_html_raw(html, "<td data-label=began>");
    weir_page_put_time(html, session->start_us, false, false);
    weir_html_raw(html, "</td>");
    put_cell(html, "length", weir_view_span(text, session->end_us - session->start_us));
    put_cell(html, "start-up", weir_page_delay(text, session->startup_us));
    put_cell(html, "stood still", waited(session, text));
    put_cell(html, "a stall is", session->confidence[0] ? session->confidence : "-");
    put_cell(html, "quality", quality(session, text));
    put_strip(html, page, session);
    weir_html_raw(html, "</tr>\n");
}

void weir_page_put_sessions(struct weir_html *html, const struct weir_page *page) {
    weir_html_add(html, "<table class=sessions><thead><tr><th scope=col>Service");
    weir_html_raw(html, page->hide_clients ? "" : "<th scope=col>Client");
    weir_html_raw(html, "<th scope=col>Began<th scope=col>Length<th scope=col>Start-up<th "
                        "scope=col>Stood still<th scope=col>A stall is"
                        "<th scope=col>Quality<td class=strip></td></tr></thead><tbody>\n");
    for (size_t i = 0; i < page->n_sessions; i++) put_session(html, page, &page->sessions[i]);
    weir_html_raw(html, "</tbody></table>\n");
    if (page->sessions_left_out)
        weir_html_add(html, "<p class=soft>The %zu that stood still longest, of %lu.</p>\n",
                      page->n_sessions, (unsigned long)page->sessions_total);
}

/* ---- what was seen ---- */

static void put_shares(struct weir_html *html, const struct weir_page *page) {
    char figure[80], flows[32], bytes[32];
    if (!page->n_shares) return;
    weir_html_raw(html, "<section><h3>How flows were named</h3><ul class=meters>");
    for (size_t i = 0; i < page->n_shares; i++) {
        const struct weir_page_share *one = &page->shares[i];
        snprintf(figure, sizeof figure, "%s of flows, %s of bytes",
                 weir_page_share_text(flows, one->flows), weir_page_share_text(bytes, one->bytes));
        put_meter(html, one->name, one->flows, "ok", figure);
    }
    weir_html_raw(html, "</ul></section>\n");
}

void weir_page_put_seen(struct weir_html *html, const struct weir_page *page) {
    weir_html_raw(html, "<div class=two><section><h3>What was seen</h3><dl class=facts>");
    for (size_t i = 0; i < page->n_facts; i++)
        weir_html_add(html, "<div%s><dt>%s</dt><dd>%s</dd></div>",
                      page->facts[i].warns ? " class=warns" : "", page->facts[i].name,
                      page->facts[i].value);
    weir_html_raw(html, "</dl></section>\n");
    put_shares(html, page);
    weir_html_raw(html, "</div>\n");
}

void weir_page_put_unknowns(struct weir_html *html, const struct weir_page *page) {
    size_t n = 0;
    weir_html_raw(html, "<ul class=doubts>");
    for (size_t i = 0; i < page->n_services; i++)
        if (page->services[i].state == WEIR_STATE_UNKNOWN && !page->services[i].is_control) {
            weir_html_add(html, "<li>Whether %s works: too little was seen of it.</li>",
                          page->services[i].title);
            n++;
        }
    for (size_t i = 0; i < page->n_unknowns; i++, n++)
        weir_html_add(html, "<li>%s</li>", page->unknowns[i]);
    if (!n) weir_html_raw(html, "<li>Nothing stood in the way.</li>");
    weir_html_raw(html, "</ul>\n");
}
