/* Many sites, one verdict.
 *
 * The leader reads the inboxes, keeps every site's incidents, and for each service with an open one
 * asks a sample of the other sites how they do; then the votes are counted (vote.c), and what
 * changed is said, once. A fleet that does not lead waits; when the leader's lease runs out it
 * loads what the leader knew, claims what it had taken but not confirmed, and goes on. After any
 * failure the same: Redis is the truth, memory a copy.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/fleet.h"
#include "fleet/report.h"

enum { SERVICES_MAX = 256, ASK_SEEN_MAX = 1024 };
#define LEASE_EVERY_US INT64_C(1000000)
#define JUDGE_EVERY_US INT64_C(500000)
#define ASK_EVERY_US   INT64_C(5000000)
#define SEEN_EVERY_US  INT64_C(10000000)
#define KEEP_ENDED_US  INT64_C(3600000000) /* so that an event read again does not open it */

struct service {
    char name[64];
    struct weir_fleet_said said;
    char id[WEIR_FLEET_ID_MAX];
    int64_t onset_us; /* of the open incident */
    int64_t asked_us;
    struct weir_fleet_sample *sample; /* NULL: nobody was asked yet */
};

struct weir_fleet {
    struct weir_fleet_store *store;
    struct weir_fleet_cases *cases;
    struct weir_fleet_counts counts;
    bool leads;
    int64_t leased_us, judged_us, seen_us;
    size_t n_services;
    struct service *services[SERVICES_MAX];
    void (*heard)(void *context, const char *event, const char *text, const char *json);
    void *context;
};

static void forget_all(struct weir_fleet *fleet) {
    for (size_t i = 0; i < fleet->n_services; i++) {
        free(fleet->services[i]->sample);
        free(fleet->services[i]);
    }
    fleet->n_services = 0;
    weir_fleet_cases_free(fleet->cases);
    fleet->cases = NULL;
    fleet->leads = false;
}

static struct service *service_named(struct weir_fleet *fleet, const char *name) {
    for (size_t i = 0; i < fleet->n_services; i++)
        if (strcmp(fleet->services[i]->name, name) == 0) return fleet->services[i];
    struct service *service = fleet->n_services < SERVICES_MAX ? calloc(1, sizeof *service) : NULL;
    if (!service) {
        fleet->counts.refused++;
        return NULL;
    }
    snprintf(service->name, sizeof service->name, "%s", name);
    return fleet->services[fleet->n_services++] = service;
}

/* ---- taking over ---- */

/* "<revision>\t<id>\t<scope>\t<bad>\t<ts>\t<onset>\t<region>" */
static void read_said(void *context, const char *name, const char *text) {
    struct service *service = service_named(context, name);
    unsigned revision, scope, bad;
    long long ts, onset;
    char id[WEIR_FLEET_ID_MAX], region[WEIR_FLEET_REGION_MAX] = "";
    if (!service || sscanf(text, "%u\t%95[^\t]\t%u\t%u\t%lld\t%lld\t%63[^\t]", &revision, id,
                           &scope, &bad, &ts, &onset, region) < 6)
        return;
    service->said =
        (struct weir_fleet_said){.revision = revision,
                                 .scope = (uint8_t)(scope <= WEIR_FLEET_GLOBAL ? scope : 0),
                                 .n_bad = bad,
                                 .ts_us = ts};
    snprintf(service->said.region, sizeof service->said.region, "%s", region);
    snprintf(service->id, sizeof service->id, "%s", id);
    service->onset_us = onset;
}

static int take_over(struct weir_fleet *fleet, struct weir_fault *fault) {
    forget_all(fleet);
    fleet->cases = weir_fleet_cases_new();
    if (!fleet->cases) return -ENOMEM;
    int n = weir_fleet_store_load(fleet->store, fleet->cases, read_said, fleet, fault);
    while (!n &&
           (n = weir_fleet_store_take(fleet->store, true, fleet->cases, &fleet->counts, fault)) > 0)
        n = 0;
    fleet->leads = n == 0;
    fleet->seen_us = 0;
    return n;
}

/* 1 leads, 0 does not. */
static int renew(struct weir_fleet *fleet, int64_t now_us, struct weir_fault *fault) {
    if (fleet->leads && now_us - fleet->leased_us < LEASE_EVERY_US) return 1;
    int leads = weir_fleet_store_lease(fleet->store, fault);
    fleet->leased_us = now_us;
    if (leads == 1 && !fleet->leads) {
        int error = take_over(fleet, fault);
        return error ? error : 1;
    }
    if (leads != 1) fleet->leads = false;
    return leads;
}

/* ---- cases that live and die ---- */

/* Looks up when the sites with open incidents were last heard: those longest not asked, a bounded
 * number a turn. */
static int ask_seen(struct weir_fleet *fleet, int64_t now_us, struct weir_fault *fault) {
    const char *sites[ASK_SEEN_MAX];
    struct weir_fleet_case *asked[ASK_SEEN_MAX];
    int64_t seen_us[ASK_SEEN_MAX];
    size_t n_cases, n = 0;
    struct weir_fleet_case **all = weir_fleet_cases_all(fleet->cases, &n_cases);
    for (size_t i = 0; i < n_cases && n < ASK_SEEN_MAX; i++)
        if (!all[i]->ended_us && now_us - all[i]->asked_us >= SEEN_EVERY_US) {
            asked[n] = all[i];
            sites[n++] = all[i]->site;
        }
    int error = n ? weir_fleet_store_seen(fleet->store, sites, n, seen_us, fault) : 0;
    for (size_t i = 0; !error && i < n; i++) {
        asked[i]->asked_us = now_us;
        if (seen_us[i] > asked[i]->seen_us && seen_us[i] <= now_us + WEIR_FLEET_SKEW_US)
            asked[i]->seen_us = seen_us[i];
    }
    return error;
}

static int drop_old(struct weir_fleet *fleet, int64_t now_us, struct weir_fault *fault) {
    size_t n;
    struct weir_fleet_case **all = weir_fleet_cases_all(fleet->cases, &n);
    for (size_t i = 0; i < n; i++) {
        const struct weir_fleet_case *one = all[i];
        bool silent = !one->ended_us && one->asked_us &&
                      now_us - one->seen_us > WEIR_FLEET_SILENT_US &&
                      now_us - one->last_us > WEIR_FLEET_SILENT_US;
        if (!silent && !(one->ended_us && now_us - one->ended_us > KEEP_ENDED_US)) continue;
        char key[sizeof one->key];
        snprintf(key, sizeof key, "%s", one->key);
        int error = weir_fleet_store_drop(fleet->store, key, fault);
        if (error) return error;
        weir_fleet_cases_remove(fleet->cases, key);
        all = weir_fleet_cases_all(fleet->cases, &n);
        i--;
    }
    return 0;
}

/* ---- judging one service ---- */

struct hearing {
    /* sites whose newest incident is open and blames the service; silent ones too */
    size_t n_open;
    int64_t first_us, onset_us; /* of the oldest: arrival, onset */
    const struct weir_fleet_case *worst;
    size_t n_ballots;
    struct weir_fleet_ballot *ballots;
};

static int by_site_and_time(const void *a, const void *b) {
    const struct weir_fleet_case *left = *(struct weir_fleet_case *const *)a,
                                 *right = *(struct weir_fleet_case *const *)b;
    int order = strcmp(left->site, right->site);
    return order ? order : (left->last_us > right->last_us) - (left->last_us < right->last_us);
}

static int by_ballot_site(const void *a, const void *b) {
    return strcmp(((const struct weir_fleet_ballot *)a)->site,
                  ((const struct weir_fleet_ballot *)b)->site);
}

/* The site's own incident: bad where it is heard, may speak, and its trials say so. */
static void hear_case(struct hearing *hearing, const struct weir_fleet_case *one, int64_t now_us) {
    bool heard = now_us - one->seen_us <= WEIR_FLEET_FRESH_US;
    bool bad =
        heard && weir_fleet_case_counts(one) && weir_fleet_vote(one->trials) == WEIR_FLEET_BAD;
    hearing->ballots[hearing->n_ballots++] = (struct weir_fleet_ballot){
        one->site, bad ? WEIR_FLEET_BAD : WEIR_FLEET_UNKNOWN, one->trials};
    if (!weir_fleet_case_counts(one)) return;
    hearing->n_open++;
    if (!hearing->first_us || one->arrived_us < hearing->first_us)
        hearing->first_us = one->arrived_us;
    if (!hearing->onset_us || one->onset_us < hearing->onset_us) hearing->onset_us = one->onset_us;
    if (!hearing->worst ||
        (strcmp(one->state, "down") == 0 && strcmp(hearing->worst->state, "down") != 0))
        hearing->worst = one;
}

static void hear_sample(struct hearing *hearing, const struct weir_fleet_sample *sample) {
    size_t n_own = hearing->n_ballots; /* these are in order of sites */
    for (size_t i = 0; sample && i < sample->n; i++) {
        const struct weir_fleet_member *member = &sample->members[i];
        const struct weir_fleet_ballot ballot = {member->site, weir_fleet_sample_vote(member),
                                                 member->trials, member->well};
        if (!bsearch(&ballot, hearing->ballots, n_own, sizeof ballot, by_ballot_site))
            hearing->ballots[hearing->n_ballots++] = ballot;
    }
}

/* `mine`: cases of the service, sorted by site and time: the last of each site counts. */
static int hear_cases(struct hearing *hearing, struct weir_fleet_case **mine, size_t n,
                      int64_t now_us) {
    *hearing =
        (struct hearing){.ballots = malloc((n + WEIR_FLEET_SAMPLE_MAX) * sizeof *hearing->ballots)};
    if (!hearing->ballots) return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if ((i + 1 == n || strcmp(mine[i]->site, mine[i + 1]->site) != 0) && !mine[i]->ended_us)
            hear_case(hearing, mine[i], now_us);
    return 0;
}

static int say(struct weir_fleet *fleet, struct service *service, enum weir_fleet_event event,
               const struct hearing *hearing, const struct weir_fleet_verdict *verdict,
               int64_t now_us, struct weir_fault *fault) {
    static const char *const names[] = {"", "raised", "updated", "cleared"};
    struct weir_fleet_report *report = calloc(1, sizeof *report);
    char said[512];
    if (!report) return -ENOMEM;
    if (event == WEIR_FLEET_RAISE) {
        service->onset_us = hearing->onset_us;
        snprintf(service->id, sizeof service->id, "fleet-%s-%" PRId64, service->name,
                 hearing->onset_us / 1000);
    }
    *report =
        (struct weir_fleet_report){.event = names[event],
                                   .revision = service->said.revision + 1,
                                   .service = service->name,
                                   .state = hearing->worst ? hearing->worst->state : "healthy",
                                   .cause = hearing->worst ? hearing->worst->cause : "service",
                                   .ts_us = now_us,
                                   .onset_us = service->onset_us,
                                   .verdict = verdict};
    memcpy(report->id, service->id, sizeof report->id);
    snprintf(said, sizeof said, "%u\t%s\t%d\t%u\t%" PRId64 "\t%" PRId64 "\t%s", report->revision,
             service->id, verdict->scope, verdict->n_bad, now_us, service->onset_us,
             verdict->region);
    int error = weir_fleet_report_write(report);
    if (!error)
        error = weir_fleet_store_say(fleet->store, service->name, service->said.revision,
                                     event == WEIR_FLEET_CLEAR ? NULL : said, report->json,
                                     report->fields, report->n_fields, fault);
    if (!error) {
        service->said =
            (struct weir_fleet_said){.revision = event == WEIR_FLEET_CLEAR ? 0 : report->revision,
                                     .scope = (uint8_t)verdict->scope,
                                     .n_bad = verdict->n_bad,
                                     .ts_us = now_us};
        memcpy(service->said.region, verdict->region, sizeof service->said.region);
        if (fleet->heard) fleet->heard(fleet->context, report->event, report->text, report->json);
    }
    free(report->json);
    free(report);
    return error;
}

/* Those who said nothing are asked now and then, while something is open. */
static int ask_others(struct weir_fleet *fleet, struct service *service,
                      const struct hearing *hearing, int64_t now_us, struct weir_fault *fault) {
    if (!hearing->n_open || now_us - service->asked_us < ASK_EVERY_US) return 0;
    int error = 0;
    if (!service->sample) {
        service->sample = calloc(1, sizeof *service->sample);
        error =
            service->sample ? weir_fleet_store_draw(fleet->store, service->sample, fault) : -ENOMEM;
    }
    const char *layer =
        hearing->worst && hearing->worst->layer[0] ? hearing->worst->layer : "connect";
    if (!error)
        error = weir_fleet_store_ask(fleet->store, service->name, layer, hearing->onset_us, now_us,
                                     service->sample, fault);
    service->asked_us = now_us;
    return error;
}

static int judge(struct weir_fleet *fleet, struct service *service, struct weir_fleet_case **mine,
                 size_t n, int64_t now_us, struct weir_fault *fault) {
    struct hearing hearing;
    struct weir_fleet_verdict verdict;
    int error = hear_cases(&hearing, mine, n, now_us);
    if (!error) error = ask_others(fleet, service, &hearing, now_us, fault);
    if (!error) {
        hear_sample(&hearing, service->sample);
        weir_fleet_judge(hearing.ballots, hearing.n_ballots, &verdict);
        enum weir_fleet_event event =
            weir_fleet_decide(&service->said, &verdict, hearing.n_open, hearing.first_us, now_us);
        if (event != WEIR_FLEET_QUIET)
            error = say(fleet, service, event, &hearing, &verdict, now_us, fault);
        if (!hearing.n_open) { /* the next outage asks anew */
            free(service->sample);
            service->sample = NULL;
            service->asked_us = 0;
        }
    }
    free(hearing.ballots);
    return error;
}

static int by_service(const void *a, const void *b) {
    const struct weir_fleet_case *left = *(struct weir_fleet_case *const *)a,
                                 *right = *(struct weir_fleet_case *const *)b;
    int order = strcmp(left->service, right->service);
    return order ? order : by_site_and_time(a, b);
}

/* Every service that has cases, or an incident of which the last case is gone. */
static int judge_all(struct weir_fleet *fleet, int64_t now_us, struct weir_fault *fault) {
    size_t n, first = 0;
    struct weir_fleet_case **all = weir_fleet_cases_all(fleet->cases, &n);
    int error = 0;
    qsort(all, n, sizeof all[0], by_service);
    for (size_t i = 0; i < n; i++) /* so that all are known before any is judged */
        if (all[i]->service[0] && (i == 0 || strcmp(all[i]->service, all[i - 1]->service) != 0))
            service_named(fleet, all[i]->service);
    for (size_t s = 0; !error && s < fleet->n_services; s++) {
        struct service *service = fleet->services[s];
        for (first = 0; first < n && strcmp(all[first]->service, service->name) < 0;) first++;
        size_t end = first;
        while (end < n && strcmp(all[end]->service, service->name) == 0) end++;
        error = judge(fleet, service, all + first, end - first, now_us, fault);
    }
    return error;
}

/* ---- one turn ---- */

int weir_fleet_turn(struct weir_fleet *fleet, struct weir_fault *fault) {
    int64_t now_us = 0;
    int n = 0, error = weir_fleet_store_now(fleet->store, &now_us, fault);
    int leads = error ? error : renew(fleet, now_us, fault);
    if (leads == 0) return WEIR_FLEET_STANDBY;
    if (leads > 0)
        n = weir_fleet_store_take(fleet->store, false, fleet->cases, &fleet->counts, fault);
    error = leads < 0 ? leads : n < 0 ? n : 0;
    if (!error && (n || now_us - fleet->judged_us >= JUDGE_EVERY_US)) {
        fleet->judged_us = now_us;
        error = ask_seen(fleet, now_us, fault);
        if (!error) error = judge_all(fleet, now_us, fault);
        if (!error) error = drop_old(fleet, now_us, fault);
    }
    if (error) fleet->leads = false; /* what was done is in Redis: load it again */
    return error == -EPERM ? WEIR_FLEET_STANDBY
           : error         ? error
           : n > 0         ? WEIR_FLEET_BUSY
                           : WEIR_FLEET_IDLE;
}

/* ---- life ---- */

int weir_fleet_new(struct weir_fleet **ret_fleet, const char *url, const char *password_file,
                   struct weir_fault *fault) {
    struct weir_fleet *fleet = calloc(1, sizeof *fleet);
    int error = fleet ? weir_fleet_store_open(&fleet->store, url, password_file, fault) : -ENOMEM;
    if (error) {
        free(fleet);
        return error;
    }
    *ret_fleet = fleet;
    return 0;
}

void weir_fleet_free(struct weir_fleet *fleet) {
    if (!fleet) return;
    weir_fleet_store_resign(fleet->store);
    forget_all(fleet);
    weir_fleet_store_free(fleet->store);
    free(fleet);
}

const struct weir_fleet_counts *weir_fleet_counts(const struct weir_fleet *fleet) {
    return &fleet->counts;
}

void weir_fleet_watch(struct weir_fleet *fleet,
                      void (*heard)(void *context, const char *event, const char *text,
                                    const char *json),
                      void *context) {
    fleet->heard = heard;
    fleet->context = context;
}
