/* Is it well? A sentence, an exit code and the incident behind both.
 *
 * In this order: a probe that is not heard knows nothing; an incident that stands is an answer; one
 * of the whole site (its uplink, its resolver) answers for every service; then the state that
 * detect gave the newest window. Too little seen, or nothing for a quarter of an hour, is unknown
 * and never healthy.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <weir/incident.h>

#include "view/view.h"

const char *weir_view_cause_words(const char *cause) {
    enum weir_cause known = weir_cause_find(cause);
    return known < WEIR_CAUSE_N ? weir_cause_words(known) : cause;
}

const struct weir_view_service *weir_view_find(const struct weir_view *view, const char *service) {
    for (size_t i = 0; i < view->n_services; i++)
        if (strcmp(view->services[i].name, service) == 0) return &view->services[i];
    return NULL;
}

/* ---- incidents that stand ---- */

static bool is_well(const struct weir_view_service *service) {
    return strcmp(service->state, "healthy") == 0 || strcmp(service->state, "unknown") == 0;
}

/* A probe that was started anew may not know of an incident that its predecessor left open: then
 * windows speak against it. */
static bool contradicted(const struct weir_view *view, const struct weir_view_event *event) {
    if (event->service[0]) {
        const struct weir_view_service *service = weir_view_find(view, event->service);
        return service && service->end_us > event->ts_us && is_well(service);
    }
    for (size_t i = 0; event->ts_us < view->first_us && i < view->n_services; i++)
        if (view->services[i].end_us > event->ts_us &&
            strcmp(view->services[i].state, "healthy") == 0)
            return true;
    return false;
}

size_t weir_view_open(const struct weir_view *view, const struct weir_view_event **ret_events,
                      size_t max) {
    size_t n = 0;
    for (size_t i = 0; i < view->n_events; i++) {
        const struct weir_view_event *event = &view->events[i];
        bool later = false;
        for (size_t j = i + 1; j < view->n_events && !later; j++)
            later = strcmp(view->events[j].id, event->id) == 0;
        if (later || strcmp(event->event, "cleared") == 0 || contradicted(view, event)) continue;
        if (n < max) ret_events[n] = event;
        n++;
    }
    return n;
}

/* ---- sentences ---- */

__attribute__((format(printf, 4, 5))) static void conclude(struct weir_view_judgement *judgement,
                                                           enum weir_view_health health,
                                                           const char *state, const char *format,
                                                           ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(judgement->sentence, sizeof judgement->sentence, format, args);
    va_end(args);
    judgement->health = health;
    snprintf(judgement->state, sizeof judgement->state, "%s", state);
}

static const char *state_words(const char *state) {
    return strcmp(state, "partial") == 0      ? "fails in part"
           : strcmp(state, "degraded") == 0   ? "works badly"
           : strcmp(state, "recovering") == 0 ? "is recovering"
                                              : "is down";
}

/* The incident stands, but the service's newest window says that it works again: the same word as
 * in reports and on pages, which show that window. */
static bool is_recovering(const struct weir_view *view, const struct weir_view_event *incident) {
    const struct weir_view_service *service = weir_view_find(view, incident->service);
    return service && service->end_us > incident->ts_us &&
           strcmp(service->state, "recovering") == 0;
}

static void blame(const struct weir_view *view, const struct weir_view_event *incident,
                  const char *subject, struct weir_view_judgement *judgement) {
    char since[32], span[32];
    judgement->incident = incident;
    weir_view_clock(since, incident->onset_us, view->now_us);
    weir_view_span(span, view->now_us - incident->onset_us);
    if (is_recovering(view, incident))
        conclude(judgement, WEIR_VIEW_SICK, "recovering",
                 "%s is recovering; its failure began at %s (%s ago); cause: %s.", subject, since,
                 span, weir_view_cause_words(incident->cause));
    else if (strcmp(incident->cause, "quic_blocked") == 0)
        conclude(judgement, WEIR_VIEW_SICK, incident->state,
                 "%s is up, but its QUIC is blocked since %s (%s).", subject, since, span);
    else
        conclude(judgement, WEIR_VIEW_SICK, incident->state, "%s %s since %s (%s); cause: %s.",
                 subject, state_words(incident->state), since, span,
                 weir_view_cause_words(incident->cause));
}

/* True where the probe itself settles it: not heard, or never. */
static bool probe_is_silent(const struct weir_view *view, struct weir_view_judgement *judgement) {
    char since[32], span[32];
    if (view->seen_us && (view->replay || view->now_us - view->seen_us <= WEIR_VIEW_FRESH_US))
        return false;
    if (view->seen_us && view->now_us - view->written_us <= WEIR_VIEW_FRESH_US)
        conclude(
            judgement, WEIR_VIEW_UNKNOWN, "unknown",
            "Unknown: the newest packets of site %s are of %s, %s old; of now nothing is known.",
            view->site, weir_view_clock(since, view->seen_us, view->now_us),
            weir_view_span(span, view->now_us - view->seen_us));
    else if (view->seen_us)
        conclude(judgement, WEIR_VIEW_UNKNOWN, "unknown",
                 "Unknown: the probe of site %s was last heard at %s, %s ago.", view->site,
                 weir_view_clock(since, view->seen_us, view->now_us),
                 weir_view_span(span, view->now_us - view->seen_us));
    else
        conclude(judgement, WEIR_VIEW_UNKNOWN, "unknown",
                 "Unknown: the probe of site %s is not heard.", view->site);
    return true;
}

static const struct weir_view_event *open_about(const struct weir_view *view, const char *service,
                                                const char *cause) {
    const struct weir_view_event *open[WEIR_VIEW_EVENTS_MAX], *found = NULL;
    size_t n = weir_view_open(view, open, WEIR_VIEW_EVENTS_MAX);
    for (size_t i = 0; i < n; i++)
        if (service ? strcmp(open[i]->service, service) == 0
                    : !open[i]->service[0] && strcmp(open[i]->cause, cause) == 0)
            found = open[i];
    return found;
}

/* Unknown while the capture can't be trusted; sick while the whole site is. */
static bool site_settles_it(const struct weir_view *view, const char *service,
                            struct weir_view_judgement *judgement) {
    const struct weir_view_event *capture = open_about(view, NULL, "capture"),
                                 *uplink = open_about(view, NULL, "uplink"),
                                 *resolver = open_about(view, NULL, "dns_resolver");
    char subject[200];
    if (capture) {
        conclude(judgement, WEIR_VIEW_UNKNOWN, "unknown", "Unknown: %s", capture->text);
        judgement->incident = capture;
    } else if (uplink || resolver) {
        snprintf(subject, sizeof subject, "%s can't be judged: the %s", service,
                 uplink ? "uplink" : "DNS resolver");
        blame(view, uplink ? uplink : resolver, subject, judgement);
    }
    return capture || uplink || resolver;
}

/* A service that was tried, and reached by nobody: looked up at most. Its state is unknown, so it
 * is not known to have worked here. Returns how many trials failed in the windows that are known;
 * 0: not so. */
static double never_reached(const struct weir_view_service *service) {
    double reached = 0, failed = 0;
    for (size_t i = 0; i < service->n_points; i++) {
        const struct weir_view_point *point = &service->points[i];
        if (point->ok > 0) reached += point->ok - (point->dns_ok > 0 ? point->dns_ok : 0);
        if (point->fail > 0) failed += point->fail;
    }
    return reached > 0 || strcmp(service->state, "unknown") != 0 ? 0 : failed;
}

void weir_view_judge_service(const struct weir_view *view, const char *name,
                             struct weir_view_judgement *judgement) {
    char span[32];
    *judgement = (struct weir_view_judgement){0};
    if (probe_is_silent(view, judgement)) return;
    const struct weir_view_event *incident = open_about(view, name, NULL);
    const struct weir_view_service *service = weir_view_find(view, name);
    if (incident)
        blame(view, incident, name, judgement);
    else if (site_settles_it(view, name, judgement))
        return;
    else if (!service || !service->end_us)
        conclude(judgement, WEIR_VIEW_UNKNOWN, "unknown",
                 "Unknown: site %s has seen nothing of %s.", view->site, name);
    else if (view->now_us - service->end_us > WEIR_VIEW_SILENT_US)
        conclude(judgement, WEIR_VIEW_UNKNOWN, "unknown",
                 "Unknown: nobody at site %s has used %s for %s.", view->site, name,
                 weir_view_span(span, view->now_us - service->end_us));
    else if (strcmp(service->state, "healthy") == 0)
        conclude(judgement, WEIR_VIEW_HEALTHY, "healthy", "%s works.", name);
    else if (strcmp(service->state, "suspect") == 0)
        conclude(judgement, WEIR_VIEW_HEALTHY, "suspect",
                 "%s works so far; some failures are being watched.", name);
    else if (never_reached(service) > 0)
        conclude(
            judgement, WEIR_VIEW_UNKNOWN, "unknown",
            "Unknown: %s is not known to work at site %s, so it is not judged; %.0f trials failed.",
            name, view->site, never_reached(service));
    else if (is_well(service))
        conclude(judgement, WEIR_VIEW_UNKNOWN, "unknown",
                 "Unknown: too little was seen of %s at site %s.", name, view->site);
    else
        conclude(judgement, WEIR_VIEW_SICK, service->state, "%s %s.", name,
                 state_words(service->state));
}

/* ---- the whole site ---- */

static void list(char *text, size_t size, const char *name) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? ", " : "", name);
}

void weir_view_judge_site(const struct weir_view *view, struct weir_view_judgement *judgement) {
    char sick[600] = "", unreached[600] = "";
    size_t n_sick = 0, n_well = 0, n_unknown = 0;
    const struct weir_view_event *first = NULL;
    *judgement = (struct weir_view_judgement){0};
    if (probe_is_silent(view, judgement) || site_settles_it(view, "Every service", judgement))
        return;
    for (size_t i = 0; i < view->n_services; i++) {
        struct weir_view_judgement one;
        if (strcmp(view->services[i].name, "other") == 0)
            continue; /* the control group is not a service */
        weir_view_judge_service(view, view->services[i].name, &one);
        n_sick += one.health == WEIR_VIEW_SICK;
        n_well += one.health == WEIR_VIEW_HEALTHY;
        if (one.health == WEIR_VIEW_UNKNOWN && never_reached(&view->services[i]) > 0)
            list(unreached, sizeof unreached, view->services[i].name);
        else
            n_unknown += one.health == WEIR_VIEW_UNKNOWN;
        if (one.health == WEIR_VIEW_SICK) {
            char words[128];
            snprintf(words, sizeof words, "%.63s %s", view->services[i].name,
                     one.incident ? state_words(one.state) : one.state);
            list(sick, sizeof sick, words);
            first = first ? first : one.incident;
        }
    }
    if (n_sick)
        conclude(judgement, WEIR_VIEW_SICK, "sick", "%s; %zu other service%s work%s%s.", sick,
                 n_well, n_well == 1 ? "" : "s", n_well == 1 ? "s" : "",
                 n_unknown ? ", some are unknown" : "");
    else if (n_well && unreached[0])
        conclude(judgement, WEIR_VIEW_HEALTHY, "healthy",
                 "%zu service%s work%s. Tried in vain, but never seen to work here, so not judged: "
                 "%s%s.",
                 n_well, n_well == 1 ? "" : "s", n_well == 1 ? "s" : "", unreached,
                 n_unknown ? "; of some too little was seen to say" : "");
    else if (n_well)
        conclude(judgement, WEIR_VIEW_HEALTHY, "healthy", "All is well: %zu service%s work%s%s.",
                 n_well, n_well == 1 ? "" : "s", n_well == 1 ? "s" : "",
                 n_unknown ? "; of some too little was seen to say" : "");
    else
        conclude(judgement, WEIR_VIEW_UNKNOWN, "unknown",
                 "Unknown: too little was seen of any service at site %s%s%s.", view->site,
                 unreached[0] ? "; tried in vain: " : "", unreached);
    judgement->incident = first;
}
