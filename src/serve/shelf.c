/* All pages of one generation as finished responses: libmicrohttpd counts their users, so that one
 * copy serves everybody and goes when the last reader has it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "page/render.h"
#include "page/status.h"
#include "serve/shelf.h"

static const char html_type[] = "text/html; charset=utf-8",
                  json_type[] = "application/json; charset=utf-8";

struct entry {
    char name[64];
    struct MHD_Response *response;
};

struct weir_shelf {
    atomic_uint references;
    unsigned long generation;
    bool healthy;
    struct MHD_Response *index, *summary, *status, *incidents, *metrics, *open_metrics, *health,
        *style, *script;
    size_t n_services, n_incidents;
    struct entry services[WEIR_PAGE_SERVICES_MAX], incident[WEIR_PAGE_INCIDENTS_MAX];
};

/* Everything comes from here; nothing is framed, guessed or told to others. */
static const struct {
    const char *name, *value;
} headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-cache"},
};

struct MHD_Response *weir_shelf_response(const char *text, size_t length, const char *type) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, (void *)text, MHD_RESPMEM_MUST_COPY);
    if (!response) return NULL;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        MHD_add_response_header(response, headers[i].name, headers[i].value);
    return response;
}

/* Empties the text. */
static struct MHD_Response *finish(struct weir_html *html, const char *type) {
    struct MHD_Response *response =
        html->failed || !html->text ? NULL : weir_shelf_response(html->text, html->length, type);
    html->length = 0;
    return response;
}

static bool put_pages(struct weir_shelf *shelf, const struct weir_page *page,
                      struct weir_html *html) {
    bool whole = true;
    for (size_t i = 0; i < page->n_services && whole; i++) {
        struct entry *entry = &shelf->services[shelf->n_services++];
        memcpy(entry->name, page->services[i].id, sizeof entry->name);
        weir_page_status_service(page, &page->services[i], shelf->generation, html);
        whole = (entry->response = finish(html, html_type)) != NULL;
    }
    for (size_t i = 0; i < page->n_incidents && whole; i++) {
        struct entry *entry = &shelf->incident[shelf->n_incidents++];
        memcpy(entry->name, page->incidents[i].id, sizeof page->incidents[i].id);
        weir_page_status_incident(page, &page->incidents[i], shelf->generation, html);
        whole = (entry->response = finish(html, html_type)) != NULL;
    }
    return whole;
}

static bool put_texts(struct weir_shelf *shelf, const struct weir_page_site *site,
                      const struct weir_page *page, const struct weir_view *view,
                      struct weir_html *html) {
    struct MHD_Response **const json[] = {[WEIR_PAGE_API_SUMMARY] = &shelf->summary,
                                          [WEIR_PAGE_API_STATUS] = &shelf->status,
                                          [WEIR_PAGE_API_INCIDENTS] = &shelf->incidents};
    for (int i = 0; i < 3; i++) {
        weir_page_status_json(page, (enum weir_page_api)i, html);
        if (!(*json[i] = finish(html, json_type))) return false;
    }
    weir_page_metrics(site, page, view, false, html);
    shelf->metrics = finish(html, "text/plain; version=0.0.4; charset=utf-8");
    weir_page_metrics(site, page, view, true, html);
    shelf->open_metrics =
        finish(html, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    shelf->healthy = !page->trouble[0] && page->heard_us &&
                     (view->replay || page->now_us - page->heard_us <= WEIR_VIEW_FRESH_US);
    weir_html_add(html, "%s\n",
                  shelf->healthy     ? "ok"
                  : page->trouble[0] ? page->trouble
                                     : "the probe is not heard");
    shelf->health = finish(html, "text/plain; charset=utf-8");
    return shelf->metrics && shelf->open_metrics && shelf->health;
}

int weir_shelf_new(struct weir_shelf **ret_shelf, const struct weir_page_site *site,
                   const struct weir_page *page, const struct weir_view *view,
                   unsigned long generation) {
    struct weir_shelf *shelf = calloc(1, sizeof *shelf);
    struct weir_html html = {0};
    if (!shelf) return -ENOMEM;
    atomic_init(&shelf->references, 1);
    shelf->generation = generation;
    weir_page_status(page, generation, &html);
    shelf->index = finish(&html, html_type);
    shelf->style =
        weir_shelf_response(weir_page_style, strlen(weir_page_style), "text/css; charset=utf-8");
    shelf->script = weir_shelf_response(weir_page_script, strlen(weir_page_script),
                                        "text/javascript; charset=utf-8");
    bool whole = shelf->index && shelf->style && shelf->script && put_pages(shelf, page, &html) &&
                 put_texts(shelf, site, page, view, &html);
    weir_html_deinit(&html);
    if (!whole) {
        weir_shelf_unref(shelf);
        return -ENOMEM;
    }
    *ret_shelf = shelf;
    return 0;
}

struct weir_shelf *weir_shelf_ref(struct weir_shelf *shelf) {
    atomic_fetch_add(&shelf->references, 1);
    return shelf;
}

void weir_shelf_unref(struct weir_shelf *shelf) {
    if (!shelf || atomic_fetch_sub(&shelf->references, 1) != 1) return;
    struct MHD_Response *const all[] = {shelf->index,     shelf->summary, shelf->status,
                                        shelf->incidents, shelf->metrics, shelf->open_metrics,
                                        shelf->health,    shelf->style,   shelf->script};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]) MHD_destroy_response(all[i]);
    for (size_t i = 0; i < shelf->n_services; i++)
        if (shelf->services[i].response) MHD_destroy_response(shelf->services[i].response);
    for (size_t i = 0; i < shelf->n_incidents; i++)
        if (shelf->incident[i].response) MHD_destroy_response(shelf->incident[i].response);
    free(shelf);
}

unsigned long weir_shelf_generation(const struct weir_shelf *shelf) { return shelf->generation; }

static struct MHD_Response *by_name(const struct entry *entries, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(entries[i].name, name) == 0) return entries[i].response;
    return NULL;
}

struct MHD_Response *weir_shelf_find(const struct weir_shelf *shelf, const struct weir_route *route,
                                     bool open_metrics, unsigned *ret_status) {
    *ret_status = MHD_HTTP_OK;
    switch (route->kind) {
    case WEIR_ROUTE_INDEX: return shelf->index;
    case WEIR_ROUTE_SERVICE: return by_name(shelf->services, shelf->n_services, route->name);
    case WEIR_ROUTE_INCIDENT: return by_name(shelf->incident, shelf->n_incidents, route->name);
    case WEIR_ROUTE_STYLE: return shelf->style;
    case WEIR_ROUTE_SCRIPT: return shelf->script;
    case WEIR_ROUTE_METRICS: return open_metrics ? shelf->open_metrics : shelf->metrics;
    case WEIR_ROUTE_SUMMARY: return shelf->summary;
    case WEIR_ROUTE_STATUS: return shelf->status;
    case WEIR_ROUTE_INCIDENTS: return shelf->incidents;
    case WEIR_ROUTE_HEALTH:
        *ret_status = shelf->healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
        return shelf->health;
    default: return NULL;
    }
}
