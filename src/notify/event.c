/* Records as messages of others' forms: Alertmanager's API v2, CloudEvents 1.0 (structured mode),
 * Slack's incoming web hooks, ntfy. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/incident.h>

#include "notify/event.h"

/* Slack wants no more than that in a message; ntfy would make an attachment of more. */
enum { SLACK_TEXT_MAX = 4000, NTFY_BODY_MAX = 4096 };

/* ---- reading ---- */

static const char *text_of(struct json_object *record, const char *name) {
    struct json_object *value;
    const char *text = json_object_object_get_ex(record, name, &value) && value
                           ? json_object_get_string(value)
                           : NULL;
    return text ? text : "";
}

static int64_t time_of(struct json_object *record, const char *name) {
    struct json_object *value;
    double seconds = json_object_object_get_ex(record, name, &value) && value
                         ? json_object_get_double(value)
                         : 0;
    return seconds > 0 && seconds < 9e9 ? llround(seconds * 1e6) : 0;
}

static void read_place(struct weir_event_record *event) {
    struct json_object *prefixes, *first;
    const char *asn = text_of(event->json, "asn");
    if (*asn)
        snprintf(event->place, sizeof event->place, "AS%.50s", asn);
    else if (json_object_object_get_ex(event->json, "prefixes", &prefixes) &&
             json_object_is_type(prefixes, json_type_array) &&
             (first = json_object_array_get_idx(prefixes, 0)))
        snprintf(event->place, sizeof event->place, "%s", json_object_get_string(first));
}

int weir_event_read(struct weir_event_record *event, const char *position, const char *json) {
    struct json_object *value;
    *event = (struct weir_event_record){.json = json_tokener_parse(json)};
    if (!json_object_is_type(event->json, json_type_object) || !*text_of(event->json, "id") ||
        !*text_of(event->json, "event")) {
        weir_event_deinit(event);
        return -EBADMSG;
    }
    snprintf(event->position, sizeof event->position, "%s", position);
    const struct {
        char *into;
        size_t size;
        const char *name;
    } rows[] = {{event->id, sizeof event->id, "id"},
                {event->event, sizeof event->event, "event"},
                {event->service, sizeof event->service, "service"},
                {event->state, sizeof event->state, "state"},
                {event->cause, sizeof event->cause, "cause"},
                {event->site, sizeof event->site, "site"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        snprintf(rows[i].into, rows[i].size, "%s", text_of(event->json, rows[i].name));
    if (!event->site[0]) strcpy(event->site, "fleet"); /* a verdict over all sites */
    event->text = (char *)text_of(event->json, "text");
    event->ts_us = time_of(event->json, "ts");
    event->onset_us = time_of(event->json, "onset_ts");
    event->maintenance = json_object_object_get_ex(event->json, "maintenance", &value) &&
                         json_object_get_boolean(value);
    event->raised_like =
        strcmp(event->event, "raised") == 0 || strcmp(event->event, "reopened") == 0;
    for (int state = WEIR_STATE_UNKNOWN; state <= WEIR_STATE_DOWN; state++)
        if (strcmp(event->state, weir_state_name((enum weir_state)state)) == 0)
            event->severity = (uint8_t)state;
    read_place(event);
    return 0;
}

void weir_event_deinit(struct weir_event_record *event) {
    json_object_put(event->json);
    event->json = NULL;
}

int weir_position_compare(const char *a, const char *b) {
    char *x, *y;
    unsigned long long left = strtoull(a, &x, 10), right = strtoull(b, &y, 10);
    if (left != right) return left < right ? -1 : 1;
    left = *x == '-' ? strtoull(x + 1, NULL, 10) : 0;
    right = *y == '-' ? strtoull(y + 1, NULL, 10) : 0;
    return (left > right) - (left < right);
}

/* ---- writing ---- */

static struct json_object *rfc3339(int64_t us) {
    char text[40];
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    size_t used = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
    snprintf(text + used, sizeof text - used, ".%03dZ", (int)(us % 1000000 / 1000));
    return json_object_new_string(text);
}

static void put(struct json_object *object, const char *key, const char *text) {
    json_object_object_add(object, key, json_object_new_string(text));
}

static bool is_over(const struct weir_event_record *event) {
    return strcmp(event->event, "cleared") == 0;
}

/* "netflix is down", "uplink: degraded", "netflix is well again" */
static void write_title(char title[128], const struct weir_event_record *event) {
    const char *who = event->service[0] ? event->service : event->cause;
    snprintf(title, 128, "%s %s", who,
             is_over(event)                      ? "is well again"
             : strcmp(event->state, "down") == 0 ? "is down"
                                                 : event->state);
}

/* The labels are the alert's identity: they do not change while it lasts. Without an end
 * Alertmanager would call it over after its own patience, five minutes. */
static struct json_object *alertmanager(const struct weir_event_record *event,
                                        const char *told_service) {
    enum { LASTS_S = 7 * 86400 };
    struct json_object *list = json_object_new_array(), *alert = json_object_new_object(),
                       *labels = json_object_new_object(), *annotations = json_object_new_object();
    char title[128];
    write_title(title, event);
    put(labels, "alertname", "WeirIncident");
    put(labels, "site", event->site);
    put(labels, "incident", event->id);
    put(labels, "service", *told_service ? told_service : "none");
    put(annotations, "summary", title);
    put(annotations, "description", event->text);
    put(annotations, "state", event->state);
    put(annotations, "cause", event->cause);
    put(annotations, "confidence", text_of(event->json, "confidence"));
    json_object_object_add(alert, "labels", labels);
    json_object_object_add(alert, "annotations", annotations);
    int64_t end_us = time_of(event->json, "recovered_ts") && is_over(event)
                         ? time_of(event->json, "recovered_ts")
                         : event->ts_us;
    json_object_object_add(alert, "startsAt", rfc3339(event->onset_us));
    json_object_object_add(
        alert, "endsAt",
        rfc3339(is_over(event) ? end_us : event->ts_us + (int64_t)LASTS_S * 1000000));
    json_object_array_add(list, alert);
    return list;
}

static struct json_object *cloudevents(const struct weir_event_record *event) {
    struct json_object *object = json_object_new_object();
    char text[256];
    put(object, "specversion", "1.0");
    snprintf(text, sizeof text, "%s/%s", event->id, event->position);
    put(object, "id", text);
    snprintf(text, sizeof text, "/weir/%s", event->site);
    for (char *at = text; *at; at++) /* a URI reference */
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:", *at))
            *at = '_';
    put(object, "source", text);
    snprintf(text, sizeof text, "weir.incident.%s", event->event);
    put(object, "type", text);
    put(object, "subject", event->id);
    json_object_object_add(object, "time", rfc3339(event->ts_us));
    put(object, "datacontenttype", "application/json");
    json_object_object_add(object, "data", json_object_get(event->json));
    return object;
}

/* Bytes of the text's beginning that are no more than `most`, and end with a whole character. */
static size_t fitting(const char *text, size_t most) {
    size_t n = strlen(text);
    if (n <= most) return n;
    while (most && ((unsigned char)text[most] & 0xc0) == 0x80) most--;
    return most;
}

/* &, < and > mean something there. */
static struct json_object *slack(const struct weir_event_record *event) {
    char text[5 * SLACK_TEXT_MAX + 512];
    size_t used = 0;
    char title[128];
    write_title(title, event);
    used = (size_t)snprintf(text, sizeof text, "*%s* (%s)\n", title, event->site);
    const char *end = event->text + fitting(event->text, SLACK_TEXT_MAX);
    for (const char *at = event->text; at < end && used < sizeof text; at++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 *at == '&'   ? "&amp;"
                                 : *at == '<' ? "&lt;"
                                 : *at == '>' ? "&gt;"
                                              : "%c",
                                 *at);
    struct json_object *object = json_object_new_object();
    put(object, "text", text);
    return object;
}

static void add_header(struct weir_headers *headers, const char *name, const char *value) {
    if (headers->n == WEIR_HEADERS_MAX) return;
    char *text = headers->text[headers->n++];
    snprintf(text, WEIR_HEADER_BYTES, "%s: %s", name, value);
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || (unsigned char)*at > '~') *at = '?';
}

static char *ntfy(const struct weir_event_record *event, struct weir_headers *headers) {
    char title[128];
    write_title(title, event);
    add_header(headers, "Content-Type", "text/plain; charset=utf-8");
    add_header(headers, "Title", title);
    add_header(headers, "Priority",
               is_over(event)                       ? "default"
               : event->severity == WEIR_STATE_DOWN ? "urgent"
                                                    : "high");
    add_header(headers, "Tags",
               is_over(event)                       ? "white_check_mark"
               : event->severity == WEIR_STATE_DOWN ? "red_circle"
                                                    : "warning");
    return strndup(event->text, fitting(event->text, NTFY_BODY_MAX));
}

char *weir_event_body(const struct weir_event_record *event, const struct weir_target *target,
                      const char *told_service, struct weir_headers *headers) {
    *headers = (struct weir_headers){0};
    if (target->format == WEIR_FORMAT_NTFY) return ntfy(event, headers);
    struct json_object *object =
        target->format == WEIR_FORMAT_ALERTMANAGER  ? alertmanager(event, told_service)
        : target->format == WEIR_FORMAT_CLOUDEVENTS ? cloudevents(event)
        : target->format == WEIR_FORMAT_SLACK       ? slack(event)
                                                    : json_object_get(event->json);
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE);
    char *body = text ? strdup(text) : NULL;
    json_object_put(object);
    add_header(headers, "Content-Type",
               target->format == WEIR_FORMAT_CLOUDEVENTS
                   ? "application/cloudevents+json; charset=utf-8"
                   : "application/json");
    return body;
}

const char *weir_event_url(const struct weir_target *target, char *url) {
    size_t length = strlen(target->url);
    bool whole =
        target->format != WEIR_FORMAT_ALERTMANAGER || strstr(target->url, "/api/v2/alerts");
    snprintf(url, 500, "%.*s%s",
             (int)(!whole && length && target->url[length - 1] == '/' ? length - 1 : length),
             target->url, whole ? "" : "/api/v2/alerts");
    return url;
}
