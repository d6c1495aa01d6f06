/* A site, read again and again, into the model of a page: the last hour of each service, its
 * incidents, its judgement.
 *
 * A reading brings the newest windows; those not seen before go into a ring of an hour a service,
 * and are counted once for /metrics. The bins of the model are made anew of the rings each time: so
 * the hour slides. What the prompt says (view/judge.c) is what the page says: one judge, several
 * faces.
 */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/service.h>

#include "history/history.h"
#include "page/page.h"
#include "view/view.h"

enum { WINDOWS = 360 /* an hour */, PAST_INCIDENTS = 150 };
static const int64_t window_us = 10000000, hour_us = 3600000000, recent_us = 300000000;

struct past {
    char id[64];
    size_t n; /* ever; the last WINDOWS are kept */
    struct weir_view_point points[WINDOWS];
    int64_t counted_us; /* end of the newest window that was counted */
    struct weir_page_counts counts;
};

struct weir_page_site {
    const struct weir_service_set *set;
    struct weir_page page;
    size_t n_past;
    struct past *past[WEIR_PAGE_SERVICES_MAX];
};

static const char *title_of(const void *of, const char *id) {
    const struct weir_page_site *site = of;
    weir_service_id found = site->set ? weir_service_find(site->set, id) : WEIR_SERVICE_NONE;
    return strcmp(id, "other") == 0     ? "Everything else"
           : found == WEIR_SERVICE_NONE ? id
                                        : weir_service_get(site->set, found)->title;
}

int weir_page_site_new(struct weir_page_site **ret_site, const struct weir_service_set *set,
                       bool hide_clients) {
    struct weir_page_site *site = calloc(1, sizeof *site);
    if (!site) return -ENOMEM;
    site->set = set;
    site->page.hide_clients = hide_clients;
    site->page.state = WEIR_STATE_UNKNOWN;
    *ret_site = site;
    return 0;
}

static void drop_model(struct weir_page *page) {
    for (size_t i = 0; i < page->n_services; i++) free(page->services[i].track);
    page->n_services = page->n_incidents = 0;
}

void weir_page_site_free(struct weir_page_site *site) {
    if (!site) return;
    for (size_t i = 0; i < site->n_past; i++) free(site->past[i]);
    weir_page_deinit(&site->page);
    free(site);
}

struct weir_page *weir_page_site_model(struct weir_page_site *site) {
    return &site->page;
}

/* ---- the past of a service ---- */

static struct past *past_of(struct weir_page_site *site, const char *id) {
    for (size_t i = 0; i < site->n_past; i++)
        if (strcmp(site->past[i]->id, id) == 0) return site->past[i];
    struct past *past = site->n_past < WEIR_PAGE_SERVICES_MAX ? calloc(1, sizeof *past) : NULL;
    if (past) {
        snprintf(past->id, sizeof past->id, "%s", id);
        site->past[site->n_past++] = past;
    }
    return past;
}

const struct weir_page_counts *weir_page_site_counts(const struct weir_page_site *site,
                                                     const char *service) {
    for (size_t i = 0; i < site->n_past; i++)
        if (strcmp(site->past[i]->id, service) == 0) return &site->past[i]->counts;
    return NULL;
}

static int64_t newest(const struct past *past) {
    return past->n ? past->points[(past->n - 1) % WINDOWS].end_us : 0;
}

static void keep_points(struct past *past, const struct weir_view_service *service) {
    for (size_t i = 0; i < service->n_points; i++)
        if (service->points[i].end_us > newest(past))
            past->points[past->n++ % WINDOWS] = service->points[i];
    if (past->n && newest(past) == service->end_us) /* it alone is sure to tell its state */
        snprintf(past->points[(past->n - 1) % WINDOWS].state, sizeof past->points[0].state, "%.11s",
                 service->state);
}

static void count(struct past *past, const struct weir_view_service *service) {
    if (service->end_us <= past->counted_us) return;
    past->counted_us = service->end_us;
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) {
        past->counts.ok[layer] += service->layer_ok[layer] > 0 ? service->layer_ok[layer] : 0;
        past->counts.fail[layer] += service->layer_fail[layer] > 0 ? service->layer_fail[layer] : 0;
    }
}

/* ---- a service of the model ---- */

static void put_bin(struct weir_page_bin *bin, const struct weir_view_point *point) {
    const double values[WEIR_PAGE_SERIES_N] = {[WEIR_PAGE_OK] = point->ok,
                                               [WEIR_PAGE_FAIL] = point->fail,
                                               [WEIR_PAGE_DNS_OK] = point->dns_ok,
                                               [WEIR_PAGE_GOODPUT] = point->goodput_bps,
                                               [WEIR_PAGE_RTT_SERVER] = point->rtt_us,
                                               [WEIR_PAGE_RTT_CLIENT] = point->rtt_client_us,
                                               [WEIR_PAGE_LOSS_BEFORE] = point->loss_before,
                                               [WEIR_PAGE_LOSS_BEYOND] = point->loss_beyond};
    enum weir_state state = weir_page_state(point->state);
    bin->seen = true;
    if (weir_page_badness(state) > weir_page_badness(bin->state)) bin->state = state;
    for (int s = 0; s < WEIR_PAGE_SERIES_N; s++)
        if (!isnan(values[s])) {
            bin->sum[s] += (float)values[s];
            bin->n[s]++;
        }
}

static void put_past(const struct weir_page *page, struct weir_page_service *service,
                     const struct past *past) {
    service->ok = service->fail = service->recent_ok = service->recent_fail = 0;
    for (size_t i = past->n > WINDOWS ? past->n - WINDOWS : 0; i < past->n; i++) {
        const struct weir_view_point *point = &past->points[i % WINDOWS];
        int64_t place = (point->end_us - window_us - page->first_us) / page->bin_us;
        if (point->end_us - window_us < page->first_us || place >= (int64_t)page->n_bins) continue;
        put_bin(&service->track->bins[place], point);
        double ok = isnan(point->ok) ? 0 : point->ok, fail = isnan(point->fail) ? 0 : point->fail;
        bool lately = point->end_us > page->now_us - recent_us;
        service->ok += ok;
        service->fail += fail;
        service->recent_ok += lately ? ok : 0;
        service->recent_fail += lately ? fail : 0;
    }
}

static void put_hosts(const struct weir_page_site *site, struct weir_page_service *service) {
    weir_service_id id = site->set ? weir_service_find(site->set, service->id) : WEIR_SERVICE_NONE;
    if (id < WEIR_SERVICE_FIRST) return;
    const struct weir_service *about = weir_service_get(site->set, id);
    for (size_t i = 0, used = 0; i < about->n_hosts && used + 70 < sizeof service->hosts; i++)
        used += (size_t)snprintf(service->hosts + used, sizeof service->hosts - used, "%s%.60s",
                                 i ? ", " : "", about->hosts[i].suffix);
}

static uint8_t state_of(const struct weir_view_judgement *judgement) {
    enum weir_state state = weir_page_state(judgement->state);
    return judgement->health == WEIR_VIEW_SICK && state == WEIR_STATE_UNKNOWN ? WEIR_STATE_DOWN
                                                                              : state;
}

/* With the title where the judgement has the id: "Netflix is down since ...". */
static void put_sentence(struct weir_page_service *service, const char *sentence) {
    size_t n = strlen(service->id);
    bool named = strncmp(sentence, service->id, n) == 0 && sentence[n] == ' ';
    snprintf(service->sentence, sizeof service->sentence, "%s%.290s", named ? service->title : "",
             named ? sentence + n : sentence);
}

static int put_service(struct weir_page_site *site, const struct weir_view *view,
                       const struct weir_view_service *from) {
    struct weir_page *page = &site->page;
    struct past *past = past_of(site, from->name);
    if (!past || page->n_services == WEIR_PAGE_SERVICES_MAX) return past ? 0 : -ENOMEM;
    struct weir_page_service *service = &page->services[page->n_services++];
    struct weir_view_judgement judgement;
    weir_view_judge_service(view, from->name, &judgement);
    *service = (struct weir_page_service){.state = state_of(&judgement),
                                          .is_control = strcmp(from->name, "other") == 0,
                                          .flows = from->flows,
                                          .bytes_down = from->bytes_down,
                                          .clients = from->clients,
                                          .goodput_bps = from->goodput_bps,
                                          .rtt_us = from->rtt_us,
                                          .loss = from->loss_share,
                                          .seen_us = from->end_us,
                                          .rtt_client_us = from->rtt_client_us,
                                          .loss_beyond = from->loss_beyond_share,
                                          .viewers = from->viewers,
                                          .viewers_stalled = from->viewers_stalled,
                                          .startup_us = from->startup_us,
                                          .bitrate_bps = from->bitrate_bps,
                                          .availability = NAN,
                                          .track = calloc(1, sizeof *service->track)};
    snprintf(service->id, sizeof service->id, "%.60s", from->name);
    snprintf(service->title, sizeof service->title, "%.90s", title_of(site, from->name));
    put_sentence(service, judgement.sentence);
    for (int kind = 0; kind < WEIR_OUTCOME_N && from->failing_by[0]; kind++)
        if (strcmp(weir_outcome_name((enum weir_outcome)kind), from->failing_by) == 0)
            snprintf(service->failing_by, sizeof service->failing_by, "%.60s",
                     weir_outcome_help((enum weir_outcome)kind));
    if (!service->track) return -ENOMEM;
    keep_points(past, from);
    count(past, from);
    put_past(page, service, past);
    put_hosts(site, service);
    return 0;
}

/* ---- incidents ---- */

static int put_incident(struct weir_page_site *site, const char *json, bool acknowledged,
                        bool maintenance) {
    struct weir_page *page = &site->page;
    struct weir_page_incident incident;
    struct json_object *record = json ? json_tokener_parse(json) : NULL;
    int error = record ? weir_page_read_incident(&incident, record, title_of, site) : -EINVAL;
    json_object_put(record);
    if (error) return 0; /* nothing that a page can show */
    incident.acknowledged = acknowledged;
    incident.maintenance |= maintenance;
    for (size_t i = 0; i < page->n_incidents; i++)
        if (strcmp(page->incidents[i].id, incident.id) == 0) {
            weir_page_join_incident(&page->incidents[i], &incident);
            return 0;
        }
    if (!page->incidents &&
        !(page->incidents = calloc(WEIR_PAGE_INCIDENTS_MAX, sizeof *page->incidents)))
        return -ENOMEM;
    if (page->n_incidents == WEIR_PAGE_INCIDENTS_MAX) { /* the oldest goes */
        memmove(page->incidents, page->incidents + 1,
                (WEIR_PAGE_INCIDENTS_MAX - 1) * sizeof *page->incidents);
        page->n_incidents--;
        page->incidents_left_out++;
    }
    page->incidents[page->n_incidents++] = incident;
    return 0;
}

/* The newest of the months before; those that the view tells too are joined to them. */
static int put_history(struct weir_page_site *site, const struct weir_history *history) {
    int error = 0;
    size_t first =
        history->n_incidents > PAST_INCIDENTS ? history->n_incidents - PAST_INCIDENTS : 0;
    for (size_t i = first; i < history->n_incidents && !error; i++)
        error = put_incident(site, history->incidents[i].json, false,
                             history->incidents[i].maintenance);
    return error;
}

/* What stands is the view's to say: it knows windows that speak against an incident that nobody
 * closed. */
static void settle_open(struct weir_page *page, const struct weir_view *view) {
    const struct weir_view_event *open[WEIR_VIEW_EVENTS_MAX];
    size_t n = weir_view_open(view, open, WEIR_VIEW_EVENTS_MAX);
    for (size_t i = 0; i < page->n_incidents; i++) {
        struct weir_page_incident *incident = &page->incidents[i];
        incident->is_open = false;
        for (size_t k = 0; k < n && k < WEIR_VIEW_EVENTS_MAX; k++)
            incident->is_open |= strcmp(open[k]->id, incident->id) == 0;
        if (!incident->is_open && !incident->cleared_us) incident->cleared_us = incident->last_us;
    }
}

int weir_page_site_take(struct weir_page_site *site, const struct weir_view *view,
                        const struct weir_history *history) {
    struct weir_page *page = &site->page;
    int error = 0;
    drop_model(page);
    snprintf(page->site, sizeof page->site, "%s", view->site);
    snprintf(page->from, sizeof page->from, "%s", view->from);
    page->trouble[0] = '\0';
    page->now_us = page->last_us = view->now_us;
    page->heard_us = view->seen_us;
    page->bin_us = window_us;
    page->first_us = (page->now_us - hour_us) / window_us * window_us;
    page->n_bins = (size_t)((page->last_us - page->first_us + window_us - 1) / window_us);
    for (size_t i = 0; i < view->n_services && !error; i++)
        error = put_service(site, view, &view->services[i]);
    for (size_t i = 0; history && i < page->n_services; i++)
        weir_page_put_days(&page->services[i], history, page->now_us);
    if (!error && history) error = put_history(site, history);
    for (size_t i = 0; i < view->n_events && !error; i++)
        error = put_incident(site, view->events[i].json, view->events[i].acknowledged,
                             view->events[i].maintenance);
    if (error) return error;
    settle_open(page, view);
    weir_page_finish(page);
    struct weir_view_judgement judgement;
    weir_view_judge_site(view, &judgement);
    bool heard =
        view->seen_us && (view->replay || view->now_us - view->seen_us <= WEIR_VIEW_FRESH_US);
    /* unknown with an incident: the capture's */
    page->blind = judgement.health == WEIR_VIEW_UNKNOWN && (!heard || judgement.incident);
    if (judgement.health == WEIR_VIEW_UNKNOWN) {
        page->state = WEIR_STATE_UNKNOWN;
        snprintf(page->answer, sizeof page->answer, "%.690s", judgement.sentence);
        page->answer_more[0] = '\0';
    }
    return 0;
}

void weir_page_site_trouble(struct weir_page_site *site, const char *reason, int64_t now_us) {
    struct weir_page *page = &site->page;
    snprintf(page->trouble, sizeof page->trouble, "%.390s", reason);
    page->blind = true;
    if (!page->last_us)
        snprintf(page->answer, sizeof page->answer, "Waiting for a probe that writes.");
    page->now_us = now_us;
}
