/* JSON in the form of Statuspage's api/v2, which many programs read: components are services,
 * incidents their stories. No client is in it.
 *
 * Statuspage has no word for unknown. A service of which nothing is known is no component then: it
 * is in `unknown`, a list of our own. While weir itself is blind the indicator is "major", for
 * silence is not health.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "page/status.h"
#include "view/view.h"

static struct json_object *text(const char *value) { return json_object_new_string(value); }

static struct json_object *when(int64_t us) {
    char stamp[64];
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    if (!us) return NULL;
    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_object_new_string(stamp);
}

static const char *component_status(enum weir_state state) {
    switch (state) {
    case WEIR_STATE_DOWN: return "major_outage";
    case WEIR_STATE_PARTIAL: return "partial_outage";
    case WEIR_STATE_DEGRADED:
    case WEIR_STATE_RECOVERING: return "degraded_performance";
    default: return "operational"; /* unknown is not asked for: see is_known */
    }
}

/* Of what was before weir went blind only trouble is still told: it may stand, health may not. */
static bool is_known(const struct weir_page *page, const struct weir_page_service *service) {
    return weir_page_badness(service->state) >
           weir_page_badness(page->blind ? WEIR_STATE_SUSPECT : WEIR_STATE_UNKNOWN);
}

static const char *impact(enum weir_state state) {
    return state == WEIR_STATE_DOWN ? "critical" : state == WEIR_STATE_PARTIAL ? "major" : "minor";
}

static const char *indicator(const struct weir_page *page) {
    int worst = 0;
    for (size_t i = 0; i < page->n_incidents; i++)
        if (page->incidents[i].is_open && weir_page_badness(page->incidents[i].worst) > worst)
            worst = weir_page_badness(page->incidents[i].worst);
    return worst >= weir_page_badness(WEIR_STATE_DOWN)                     ? "critical"
           : worst >= weir_page_badness(WEIR_STATE_PARTIAL) || page->blind ? "major"
           : worst                                                         ? "minor"
                                                                           : "none";
}

static struct json_object *status_json(const struct weir_page *page) {
    struct json_object *object = json_object_new_object();
    char unread[420];
    snprintf(unread, sizeof unread, "Unknown: %s", page->trouble);
    json_object_object_add(object, "indicator", text(indicator(page)));
    json_object_object_add(object, "description", text(page->trouble[0] ? unread : page->answer));
    return object;
}

static struct json_object *page_json(const struct weir_page *page) {
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "id", text(page->site));
    json_object_object_add(object, "name", text(page->site));
    json_object_object_add(object, "updated_at", when(page->now_us));
    return object;
}

static struct json_object *component(const struct weir_page *page,
                                     const struct weir_page_service *service) {
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "id", text(service->id));
    json_object_object_add(object, "name", text(service->title));
    if (is_known(page, service))
        json_object_object_add(object, "status", text(component_status(service->state)));
    json_object_object_add(
        object, "state",
        text(weir_state_name(is_known(page, service) ? service->state : WEIR_STATE_UNKNOWN)));
    json_object_object_add(object, "description", text(service->sentence));
    json_object_object_add(object, "updated_at", when(service->seen_us));
    json_object_object_add(object, "page_id", text(page->site));
    return object;
}

static struct json_object *update(const struct weir_page_incident *incident, const char *status,
                                  const char *body, int64_t at_us) {
    struct json_object *object = json_object_new_object();
    char id[96];
    snprintf(id, sizeof id, "%s-%s", incident->id, status);
    json_object_object_add(object, "id", text(id));
    json_object_object_add(object, "incident_id", text(incident->id));
    json_object_object_add(object, "status", text(status));
    json_object_object_add(object, "body", text(body));
    json_object_object_add(object, "created_at", when(at_us));
    json_object_object_add(object, "updated_at", when(at_us));
    return object;
}

static struct json_object *incident_json(const struct weir_page_incident *incident) {
    struct json_object *object = json_object_new_object(), *updates = json_object_new_array(),
                       *components = json_object_new_array();
    char name[300];
    snprintf(name, sizeof name, "%s: %s", incident->title, incident->state_name);
    json_object_object_add(object, "id", text(incident->id));
    json_object_object_add(object, "name", text(name));
    json_object_object_add(object, "status", text(incident->is_open ? "identified" : "resolved"));
    json_object_object_add(object, "impact", text(impact(incident->worst)));
    json_object_object_add(object, "cause", text(incident->cause));
    json_object_object_add(object, "started_at", when(incident->onset_us));
    json_object_object_add(object, "created_at",
                           when(incident->raised_us ? incident->raised_us : incident->onset_us));
    json_object_object_add(object, "updated_at", when(incident->last_us));
    json_object_object_add(object, "resolved_at",
                           incident->is_open ? NULL
                                             : when(incident->recovered_us ? incident->recovered_us
                                                                           : incident->cleared_us));
    if (!incident->is_open)
        json_object_array_add(
            updates, update(incident, "resolved", incident->end_text, incident->cleared_us));
    json_object_array_add(updates,
                          update(incident, "identified", incident->text,
                                 incident->raised_us ? incident->raised_us : incident->onset_us));
    json_object_object_add(object, "incident_updates", updates);
    if (incident->service[0]) {
        struct json_object *one = json_object_new_object();
        json_object_object_add(one, "id", text(incident->service));
        json_object_object_add(one, "name", text(incident->title));
        json_object_array_add(components, one);
    }
    json_object_object_add(object, "components", components);
    return object;
}

static struct json_object *incidents(const struct weir_page *page, bool open_only) {
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < page->n_incidents; i++)
        if (page->incidents[i].is_open || !open_only)
            json_object_array_add(list, incident_json(&page->incidents[i]));
    return list;
}

void weir_page_status_json(const struct weir_page *page, enum weir_page_api which,
                           struct weir_html *json) {
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "page", page_json(page));
    if (which != WEIR_PAGE_API_INCIDENTS)
        json_object_object_add(object, "status", status_json(page));
    if (which == WEIR_PAGE_API_SUMMARY) {
        struct json_object *components = json_object_new_array(),
                           *unknown = json_object_new_array();
        for (size_t i = 0; i < page->n_services; i++)
            if (!page->services[i].is_control)
                json_object_array_add(is_known(page, &page->services[i]) ? components : unknown,
                                      component(page, &page->services[i]));
        json_object_object_add(object, "components", components);
        json_object_object_add(object, "unknown", unknown);
        json_object_object_add(object, "scheduled_maintenances", json_object_new_array());
    }
    if (which != WEIR_PAGE_API_STATUS)
        json_object_object_add(object, "incidents",
                               incidents(page, which == WEIR_PAGE_API_SUMMARY));
    weir_html_raw(json, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                                   JSON_C_TO_STRING_NOSLASHESCAPE));
    weir_html_raw(json, "\n");
    json_object_put(object);
}
