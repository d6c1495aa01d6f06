/* A history read whole: from history.db, or from a site's streams in Redis. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/untrusted_json.h"
#include "history/store.h"
#include "view/history_redis.h"

enum { GROW = 64 };

/* Room for one more at the end of a list. */
static int grow(void **list, size_t n, size_t size) {
    if (n % GROW) return 0;
    void *larger = realloc(*list, (n + GROW) * size);
    if (!larger) return -ENOMEM;
    *list = larger;
    return 0;
}

int weir_history_add_hour(void *context, const char *service,
                          const struct weir_history_hour *hour) {
    struct weir_history *history = context;
    struct weir_history_service *last =
        history->n_services ? &history->services[history->n_services - 1] : NULL;
    if (!last || strcmp(last->name, service) != 0) {
        if (grow((void **)&history->services, history->n_services, sizeof *last) < 0)
            return -ENOMEM;
        last = &history->services[history->n_services++];
        *last = (struct weir_history_service){0};
        snprintf(last->name, sizeof last->name, "%s", service);
    }
    if (grow((void **)&last->hours, last->n_hours, sizeof *last->hours) < 0) return -ENOMEM;
    last->hours[last->n_hours++] = *hour;
    return 0;
}

int weir_history_add_incident(void *context, const struct weir_history_incident *incident) {
    struct weir_history *history = context;
    char *text = strdup(incident->text), *json = strdup(incident->json);
    if (!text || !json ||
        grow((void **)&history->incidents, history->n_incidents, sizeof *incident) < 0) {
        free(text);
        free(json);
        return -ENOMEM;
    }
    struct weir_history_incident *copy = &history->incidents[history->n_incidents++];
    *copy = *incident;
    copy->text = text;
    copy->json = json;
    return 0;
}

/* ---- an incident of its record ---- */

static void copy_text(char *into, size_t size, struct json_object *record, const char *name) {
    snprintf(into, size, "%s", weir_untrusted_member(record, name));
}

static int64_t time_of(struct json_object *record, const char *name) {
    struct json_object *value;
    double seconds = json_object_object_get_ex(record, name, &value) && value
                         ? json_object_get_double(value)
                         : 0;
    return seconds > 0 && seconds < 9e9 ? llround(seconds * 1e6) : 0;
}

int weir_history_read_record(struct weir_history_incident *ret_incident, const char *json) {
    struct json_object *record = weir_untrusted_json(json), *value;
    if (!record) return -EBADMSG;
    *ret_incident = (struct weir_history_incident){.onset_us = time_of(record, "onset_ts"),
                                                   .raised_us = time_of(record, "raised_ts"),
                                                   .recovered_us = time_of(record, "recovered_ts"),
                                                   .cleared_us = time_of(record, "cleared_ts"),
                                                   .told_us = time_of(record, "ts")};
    copy_text(ret_incident->id, sizeof ret_incident->id, record, "id");
    copy_text(ret_incident->service, sizeof ret_incident->service, record, "service");
    copy_text(ret_incident->state, sizeof ret_incident->state, record, "state");
    copy_text(ret_incident->cause, sizeof ret_incident->cause, record, "cause");
    copy_text(ret_incident->event, sizeof ret_incident->event, record, "event");
    ret_incident->maintenance =
        json_object_object_get_ex(record, "maintenance", &value) && json_object_get_boolean(value);
    ret_incident->text = strdup(weir_untrusted_member(record, "text"));
    ret_incident->json = strdup(json);
    json_object_put(record);
    if (ret_incident->text && ret_incident->json) return 0;
    free(ret_incident->text);
    free(ret_incident->json);
    return -ENOMEM;
}

/* ---- the file ---- */

static int load_file(struct weir_history *history, const struct weir_history_where *where,
                     struct weir_fault *fault) {
    struct weir_history_store *store;
    snprintf(history->from, sizeof history->from, "%.480s/" WEIR_HISTORY_FILE, where->state);
    int error =
        weir_history_store_open_to_read(&store, where->state, where->site, history->site, fault);
    if (error) return error;
    error = weir_history_store_hours(store, where->service, where->since_us, weir_history_add_hour,
                                     history, fault);
    if (!error)
        error = weir_history_store_incidents(store, where->service, where->since_us,
                                             weir_history_add_incident, history, fault);
    weir_history_store_free(store);
    return error;
}

int weir_history_load(struct weir_history *history, const struct weir_history_where *where,
                      struct weir_fault *fault) {
    *history = (struct weir_history){0};
    int error =
        where->redis ? weir_history_load_redis(history, where, fault)
        : where->state
            ? load_file(history, where, fault)
            : weir_fault_set(
                  fault, -ENOENT,
                  "nothing to read: name Redis by --redis URL, or by --state DIR the directory "
                  "where weir live keeps " WEIR_HISTORY_FILE);
    if (error) weir_history_deinit(history);
    return error;
}

void weir_history_deinit(struct weir_history *history) {
    for (size_t i = 0; i < history->n_services; i++) free(history->services[i].hours);
    for (size_t i = 0; i < history->n_incidents; i++) {
        free(history->incidents[i].text);
        free(history->incidents[i].json);
    }
    free(history->services);
    free(history->incidents);
    *history = (struct weir_history){0};
}

/* ---- events of one incident ---- */

struct event_list {
    char **json;
    size_t n;
};

int weir_history_add_event(void *context, int64_t seq, const char *id, const char *json) {
    struct event_list *list = context;
    char *copy = strdup(json);
    if (!copy || grow((void **)&list->json, list->n, sizeof *list->json) < 0) {
        free(copy);
        return -ENOMEM;
    }
    list->json[list->n++] = copy;
    return 0;
}

int weir_history_events(char ***ret_json, const struct weir_history_where *where, const char *id,
                        struct weir_fault *fault) {
    enum { EVENTS_MAX = 1000 };
    struct event_list list = {0};
    char site[160];
    int error;
    if (where->redis) {
        error = weir_history_events_redis(where, id, weir_history_add_event, &list, fault);
    } else {
        struct weir_history_store *store = NULL;
        error = weir_history_store_open_to_read(&store, where->state, where->site, site, fault);
        if (!error)
            error = weir_history_store_events(store, id, 0, EVENTS_MAX, weir_history_add_event,
                                              &list, fault);
        weir_history_store_free(store);
    }
    if (error) {
        for (size_t i = 0; i < list.n; i++) free(list.json[i]);
        free(list.json);
        return error;
    }
    *ret_json = list.json;
    return (int)list.n;
}
