/* Any bytes as what weir serve reads of a request: a path, an Authorization and an Accept header;
 * and as a record that a page shows. Markup comes out only as this program's own. */
#undef NDEBUG
#include <assert.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "page/render.h"
#include "serve/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *title(const void *of, const char *id) { return id; }

/* A name in a route is harmless as text and as the end of a path. */
static void a_request(const char *text) {
    struct weir_route route = weir_route_find(text);
    assert(strlen(route.name) < sizeof route.name);
    assert(!strpbrk(route.name, "/<>&\"'% \t\r\n\\"));
    assert((route.kind == WEIR_ROUTE_SERVICE || route.kind == WEIR_ROUTE_INCIDENT) ==
           (route.name[0] != '\0'));
    bool allowed = weir_request_allowed(text, "a-token-of-some-length");
    assert(!allowed || strncasecmp(text, "Basic ", 6) == 0 ||
           strcmp(text + 7, "a-token-of-some-length") == 0);
    weir_request_wants_open_metrics(text);
}

static void a_record(const char *text) {
    struct json_object *object = json_tokener_parse(text);
    struct weir_page_incident incident;
    struct weir_page_session session;
    static struct weir_page page;
    struct weir_html html = {0};
    if (weir_page_read_incident(&incident, object, title, NULL) == 0)
        weir_page_put_incident(&html, &page, &incident, true);
    weir_page_read_session(&session, object, title, NULL);
    if (object) weir_page_read_capture(&page, object);
    weir_html_escape(&html, text, strlen(text));
    assert(!html.text || !strstr(html.text, "<script"));
    weir_html_deinit(&html);
    json_object_put(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    assert(text);
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    a_request(text);
    a_record(text);
    free(text);
    return 0;
}
