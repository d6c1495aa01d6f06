/* `replay --html`: one file that needs no network, no script and nothing beside it.
 *
 * Its policy allows one thing, the style below by its hash. First the answer, then the proof: time
 * line, incidents, services, sessions, and what could not be seen.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "page/render.h"

static void put_head(struct weir_html *html, const struct weir_page *page) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    char base64[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL)];
    crypto_hash_sha256(hash, (const unsigned char *)weir_page_style, strlen(weir_page_style));
    sodium_bin2base64(base64, sizeof base64, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    weir_html_add(html,
                  "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n<meta "
                  "http-equiv=Content-Security-Policy content=\"default-src 'none'; "
                  "style-src 'sha256-%.*s'; base-uri 'none'; form-action 'none'\">\n",
                  (int)strlen(base64), base64);
    weir_html_add(html,
                  "<meta name=viewport content=\"width=device-width, initial-scale=1\"><meta "
                  "name=color-scheme content=\"light dark\">"
                  "<meta name=referrer content=no-referrer>\n<title>%s: %s</title>\n<style>",
                  page->site, page->answer);
    weir_html_raw(html, weir_page_style);
    weir_html_raw(html, "</style></head><body>\n");
}

static void put_banner(struct weir_html *html, const struct weir_page *page) {
    weir_html_add(html,
                  "<header class=banner><span class=brand>weir</span><span "
                  "class=site>%s</span><span class=when>",
                  page->site);
    if (page->last_us) {
        weir_page_put_time(html, page->first_us, true, false);
        weir_html_raw(html, " to ");
        weir_page_put_time(html, page->last_us, page->last_us - page->first_us > 43200000000, true);
    }
    weir_html_raw(html, "</span></header>\n<main>\n");
}

static void put_incidents(struct weir_html *html, const struct weir_page *page) {
    if (!page->n_incidents) return;
    weir_html_raw(html, "<section><h2>Incidents</h2>\n");
    for (size_t i = 0; i < page->n_incidents; i++)
        weir_page_put_incident(html, page, &page->incidents[i], false);
    if (page->incidents_left_out)
        weir_html_add(
            html, "<p class=soft>%lu more events are of incidents that found no room here.</p>\n",
            (unsigned long)page->incidents_left_out);
    weir_html_raw(html, "</section>\n");
}

static void put_multiples(struct weir_html *html, const struct weir_page *page) {
    weir_html_raw(html, "<section><h2>Each service</h2>\n");
    for (size_t i = 0; i < page->n_services; i++) {
        weir_html_add(html, "<article class=multiple id=\"s-%s\"><h3>%s ", page->services[i].id,
                      page->services[i].title);
        if (!page->services[i].is_control) weir_page_put_pill(html, page->services[i].state);
        weir_html_raw(html, "</h3>\n");
        weir_page_put_charts(html, page, &page->services[i]);
        weir_html_raw(html, "</article>\n");
    }
    weir_html_raw(html, "</section>\n");
}

int weir_page_report(const struct weir_page *page, struct weir_html *html) {
    put_head(html, page);
    put_banner(html, page);
    weir_page_put_answer(html, page);
    if (page->n_services) {
        weir_html_raw(html, "<section><h2>Over time</h2>\n");
        weir_page_put_timeline(html, page);
        weir_html_raw(html, "</section>\n");
    }
    put_incidents(html, page);
    if (page->n_services) {
        weir_html_raw(html, "<section><h2>Services</h2>\n");
        weir_page_put_services(html, page);
        weir_html_raw(html, "<p class=soft>A trial is all that one client tried with one service "
                            "and server prefix in ten seconds; it is useful "
                            "if anything of it worked. Delay and loss are those towards the "
                            "servers.</p></section>\n");
        put_multiples(html, page);
    }
    if (page->n_sessions) {
        weir_html_raw(html, "<section><h2>Viewing</h2>\n");
        weir_page_put_sessions(html, page);
        weir_html_raw(html, "</section>\n");
    }
    weir_html_raw(html, "<section><h2>How well it could see</h2>\n");
    weir_page_put_seen(html, page);
    weir_html_raw(html, "<h3>What could not be known</h3>\n");
    weir_page_put_unknowns(html, page);
    weir_html_raw(html, "</section>\n</main>\n");
    weir_html_add(html,
                  "<footer>Made by weir %s from packets alone; nothing was "
                  "decrypted.</footer>\n</body></html>\n",
                  WEIR_VERSION);
    return html->failed ? -ENOMEM : 0;
}
