/* A view from status.json. Whatever the file holds that is not as sink_snapshot.c writes it is not
 * there. */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/printable.h"
#include "base/private_file.h"
#include "view/source.h"

enum { STATUS_BYTES_MAX = 64 << 20 };

static const char *get_json(const void *of, const char *name) {
    struct json_object *value;
    if (!json_object_object_get_ex(of, name, &value) || !value) return NULL;
    return json_object_is_type(value, json_type_object)
               ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                           JSON_C_TO_STRING_NOSLASHESCAPE)
               : json_object_get_string(value);
}

static double element(struct json_object *list, size_t i) {
    struct json_object *value = json_object_array_get_idx(list, i);
    return value ? weir_view_number(json_object_get_string(value)) : NAN;
}

static void read_history(struct weir_view_service *service, struct json_object *history) {
    if (!json_object_is_type(history, json_type_array)) return;
    for (size_t i = 0;
         i < json_object_array_length(history) && service->n_points < WEIR_VIEW_POINTS_MAX; i++) {
        struct json_object *point = json_object_array_get_idx(history, i);
        if (!json_object_is_type(point, json_type_array) || isnan(element(point, 0))) continue;
        struct json_object *state = json_object_array_get_idx(point, 8);
        struct weir_view_point *into = &service->points[service->n_points++];
        *into = (struct weir_view_point){.end_us = (int64_t)(element(point, 0) * 1e6),
                                         .ok = element(point, 1),
                                         .fail = element(point, 2),
                                         .goodput_bps = element(point, 3),
                                         .rtt_us = element(point, 4),
                                         .rtt_client_us = element(point, 5),
                                         .loss_before = element(point, 6),
                                         .loss_beyond = element(point, 7),
                                         .dns_ok = element(point, 9)};
        snprintf(into->state, sizeof into->state, "%s",
                 json_object_is_type(state, json_type_string) ? json_object_get_string(state) : "");
    }
}

static void read_services(struct weir_view *view, struct json_object *services) {
    if (!json_object_is_type(services, json_type_object)) return;
    struct json_object_iter at;
    json_object_object_foreachC(services, at) {
        struct json_object *window = NULL, *history = NULL;
        if (view->n_services == WEIR_VIEW_SERVICES_MAX ||
            !json_object_object_get_ex(at.val, "window", &window))
            continue;
        struct weir_view_service *service = &view->services[view->n_services++];
        weir_view_read_service(service, at.key, get_json, window);
        if (json_object_object_get_ex(at.val, "history", &history)) read_history(service, history);
    }
}

static void read_events(struct weir_view *view, struct json_object *events) {
    size_t n = json_object_is_type(events, json_type_array) ? json_object_array_length(events) : 0;
    for (size_t i = n > WEIR_VIEW_EVENTS_MAX ? n - WEIR_VIEW_EVENTS_MAX : 0; i < n; i++) {
        struct json_object *event = json_object_array_get_idx(events, i);
        if (json_object_is_type(event, json_type_object))
            weir_view_read_event(&view->events[view->n_events++], get_json, event);
    }
}

/* A reader without the right is told so: weir live may well run. */
static int cannot_read(const struct weir_view_source *source, int error, struct weir_fault *fault) {
    return weir_fault_set(
        fault, error, "%s: cannot be read: %s", source->path,
        error == -EACCES
            ? "permission denied; run this as root, or join the group of that directory"
            : "is weir live running, with this --state? Or name Redis by --redis URL");
}

/* The file is written whole and renamed: another file is another state. */
int weir_view_mark_file(struct weir_view_source *source, char mark[WEIR_VIEW_MARK_MAX],
                        struct weir_fault *fault) {
    struct stat at;
    if (stat(source->path, &at) < 0)
        return cannot_read(source, -errno, fault);
    snprintf(mark, WEIR_VIEW_MARK_MAX, "%llu %lld.%09ld %lld", (unsigned long long)at.st_ino,
             (long long)at.st_mtim.tv_sec, at.st_mtim.tv_nsec, (long long)at.st_size);
    return 0;
}

/* ---- acknowledged incidents: one id a line, in a file beside ---- */

static const char *acknowledged_path(const struct weir_view_source *source, char path[4300]) {
    snprintf(path, 4300, "%.*s/acknowledged", (int)(strrchr(source->path, '/') - source->path),
             source->path);
    return path;
}

static void mark_acknowledged(const struct weir_view_source *source, struct weir_view *view) {
    char path[4300];
    char *text = NULL;
    size_t n;
    if (weir_private_read(acknowledged_path(source, path), WEIR_ACKNOWLEDGED_BYTES_MAX, &text, &n) <
        0)
        return;
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        for (size_t i = 0; i < view->n_events; i++)
            if (strcmp(view->events[i].id, line) == 0) view->events[i].acknowledged = true;
    free(text);
}

int weir_view_acknowledge_file(struct weir_view_source *source, const char *id,
                               struct weir_fault *fault) {
    char path[4300];
    char line[64];
    int length = snprintf(line, sizeof line, "%.60s\n", id);
    int error = weir_private_append(acknowledged_path(source, path), WEIR_ACKNOWLEDGED_BYTES_MAX,
                                    line, (size_t)length);
    return error ? weir_fault_set(fault, error, "%s: %s", path, weir_private_error(error)) : 0;
}

int weir_view_load_file(struct weir_view_source *source, struct weir_view *view,
                        struct weir_fault *fault) {
    char *text = NULL;
    size_t n;
    int unread = weir_private_read(source->path, STATUS_BYTES_MAX, &text, &n);
    struct json_object *whole = unread ? NULL : json_tokener_parse(text), *part;
    free(text);
    const char *site = whole ? get_json(whole, "site") : NULL;
    struct stat at;
    snprintf(view->from, sizeof view->from, "%.500s", source->path);
    if (stat(source->path, &at) == 0)
        view->written_us = (int64_t)at.st_mtim.tv_sec * 1000000 + at.st_mtim.tv_nsec / 1000;
    if (!site) {
        json_object_put(whole);
        if (unread == -ENOENT || unread == -EACCES) return cannot_read(source, unread, fault);
        return weir_fault_set(fault, unread ? unread : -EINVAL, "%s: %s", source->path,
                              unread ? weir_private_error(unread) : "is no status file of weir");
    }
    int error = 0;
    if (source->site[0] && strcmp(source->site, site) != 0)
        error = weir_fault_set(fault, -ENOENT, "%s is of site %s, not of %s", source->path, site,
                               source->site);
    weir_printable_copy(view->site, sizeof view->site, site);
    if (!error && json_object_object_get_ex(whole, "probe", &part))
        weir_view_read_probe(view, get_json, part);
    if (!error && json_object_object_get_ex(whole, "services", &part)) read_services(view, part);
    if (!error && json_object_object_get_ex(whole, "incidents", &part)) read_events(view, part);
    mark_acknowledged(source, view);
    if (!error) weir_printable_copy(source->site, sizeof source->site, site);
    json_object_put(whole);
    return error;
}
