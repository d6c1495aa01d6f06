/* A service's time, second by second (in windows of ten), so that it can be put right later.
 *
 *      window   ...  healthy  suspect  suspect  DOWN   DOWN   recovering  recovering  healthy
 *      event                                    raised                                cleared
 *                    |onset                            |recovered
 *      booked        |<----------- down -------------->|<---------- healthy ---------------->
 *
 * A detector needs some time to be sure, both of a fault and of its end, and says afterwards when
 * it really began and ended. The windows of this hour and the last one are therefore kept apart
 * (a byte each), and rewritten by what an incident's events tell; an hour that changed is visited
 * again. Onsets that lie more than two hours back correct only what is still kept.
 *
 * Between two windows of a service, nobody used it. Its state stands for 15 minutes, as it does for
 * the detector: otherwise an outage, in which every try is seen, would weigh more than the quiet
 * hours around it. After a longer silence it is not judged, up to the next window.
 *
 * While the uplink, the resolver or the capture is at fault, nothing is said about services.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <weir/measure.h>
#include <weir/trial.h>

#include "history/hours.h"

enum {
    WINDOWS = WEIR_HOUR_US / WEIR_SLOT_US,
    WINDOW_S = WEIR_SLOT_US / 1000000,
    PAGES = 2,
    SITE_FAULTS_MAX = 16
};
static const int64_t stands_us = INT64_C(900000000);

enum code { CODE_NONE, CODE_UNKNOWN, CODE_HEALTHY, CODE_DEGRADED, CODE_PARTIAL, CODE_DOWN, CODE_N };

enum median { GOODPUT, TTFB, RTT_SERVER, RTT_CLIENT, N_MEDIANS };
static const struct {
    const char *group, *name;
} median_fields[N_MEDIANS] = {[GOODPUT] = {"goodput", "p50_bps"},
                              [TTFB] = {"ttfb", "p50_us"},
                              [RTT_SERVER] = {"rtt_server", "p50_us"},
                              [RTT_CLIENT] = {"rtt_client", "p50_us"}};

struct page {
    int64_t start_us; /* of the hour; 0: unused */
    bool changed;
    uint8_t code[WINDOWS];
    uint16_t n[N_MEDIANS];
    float value[N_MEDIANS][WINDOWS];
    double loss[2], loss_weight; /* server, client; weighed by bytes */
    int64_t trials_ok, trials_fail;
};

struct book {
    struct page page[PAGES]; /* of hour h: page h % PAGES */
    int64_t last_end_us;     /* of the newest window */
    uint8_t last_code;
};

struct weir_hours {
    struct book *books[WEIR_SERVICES_MAX];
    unsigned n_site_faults;
    char site_faults[SITE_FAULTS_MAX][sizeof((struct weir_incident *)0)->id];
};

struct weir_hours *weir_hours_new(void) {
    return calloc(1, sizeof(struct weir_hours));
}

void weir_hours_free(struct weir_hours *hours) {
    for (size_t i = 0; hours && i < WEIR_SERVICES_MAX; i++) free(hours->books[i]);
    free(hours);
}

static enum code code_of(uint8_t state) {
    switch (state) {
    case WEIR_STATE_HEALTHY:
    case WEIR_STATE_SUSPECT: /* not known to be anything else: an incident puts it right */
    case WEIR_STATE_RECOVERING: return CODE_HEALTHY;
    case WEIR_STATE_DEGRADED: return CODE_DEGRADED;
    case WEIR_STATE_PARTIAL: return CODE_PARTIAL;
    case WEIR_STATE_DOWN: return CODE_DOWN;
    default: return CODE_UNKNOWN;
    }
}

/* ---- pages ---- */

static int64_t hour_of(int64_t us) { return us - us % WEIR_HOUR_US; }

/* The page of the hour that `us` lies in, if it is kept. */
static struct page *find_page(struct book *book, int64_t us) {
    struct page *page = &book->page[us / WEIR_HOUR_US % PAGES];
    return page->start_us == hour_of(us) ? page : NULL;
}

static struct page *make_page(struct book *book, int64_t us) {
    struct page *page = &book->page[us / WEIR_HOUR_US % PAGES];
    if (page->start_us < hour_of(us)) {
        *page = (struct page){.start_us = hour_of(us)};
        page->start_us = hour_of(us);
    }
    return page->start_us == hour_of(us) ? page : NULL;
}

static void set_code(struct page *page, int64_t us, enum code code) {
    uint8_t *at = &page->code[us % WEIR_HOUR_US / WEIR_SLOT_US];
    page->changed |= *at != code;
    *at = (uint8_t)code;
}

/* ---- windows ---- */

static double measured(const struct weir_window_record *window, const char *group,
                       const char *name) {
    size_t n;
    int field = weir_field_find(group, name);
    if (field < 0 || window->values[field].reason != WEIR_REASON_NONE) return NAN;
    const struct weir_field *fields = weir_fields(&n);
    return fields[field].type == WEIR_FIELD_RATIO ? window->values[field].real
                                                  : (double)window->values[field].integer;
}

static void book_values(struct page *page, const struct weir_window_record *window) {
    for (int i = 0; i < N_MEDIANS; i++) {
        double value = measured(window, median_fields[i].group, median_fields[i].name);
        if (!isnan(value) && page->n[i] < WINDOWS) page->value[i][page->n[i]++] = (float)value;
    }
    double bytes = measured(window, NULL, "bytes_down");
    double server = measured(window, "loss", "down_before_share");
    double client = measured(window, "loss", "down_beyond_share");
    if (bytes > 0 && !isnan(server) && !isnan(client)) {
        page->loss[0] += bytes * server;
        page->loss[1] += bytes * client;
        page->loss_weight += bytes;
    }
    double ok = measured(window, NULL, "trials_ok"),
           fail = measured(window, "trials_fail", "total");
    page->trials_ok += ok > 0 ? (int64_t)ok : 0;
    page->trials_fail += fail > 0 ? (int64_t)fail : 0;
    page->changed = true;
}

/* Its state stood while nobody used it. */
static void fill_gap(struct book *book, int64_t until_us) {
    if (!book->last_end_us || book->last_code < CODE_HEALTHY ||
        until_us - book->last_end_us > stands_us)
        return;
    for (int64_t us = book->last_end_us; us < until_us; us += WEIR_SLOT_US) {
        struct page *page = make_page(book, us);
        if (page) set_code(page, us, book->last_code);
    }
}

int weir_hours_window(struct weir_hours *hours, const struct weir_window_record *window) {
    struct book **book = &hours->books[window->service];
    int64_t start_us =
        window->end_us - WEIR_SLOT_US; /* of its last ten seconds, where time stood */
    if (start_us < 0 || start_us < (*book ? (*book)->last_end_us : 0)) return 0;
    if (!*book && !(*book = calloc(1, sizeof **book))) return -ENOMEM;
    fill_gap(*book, start_us - start_us % WEIR_SLOT_US);
    struct page *page = make_page(*book, start_us);
    if (!page) return 0;
    enum code code = hours->n_site_faults ? CODE_UNKNOWN : code_of(window->state);
    set_code(page, start_us, code);
    book_values(page, window);
    (*book)->last_end_us = window->end_us - window->end_us % WEIR_SLOT_US;
    (*book)->last_code = (uint8_t)code;
    return 0;
}

/* ---- incidents ---- */

/* Of [from, until), each window that lies in it for the most part, if its code is one of `which`.
 * */
static void rewrite(struct book *book, int64_t from_us, int64_t until_us, unsigned which,
                    enum code code) {
    int64_t half_us = WEIR_SLOT_US / 2, oldest_us = until_us - PAGES * WEIR_HOUR_US;
    int64_t us = from_us > oldest_us ? from_us : oldest_us;
    us = us > 0 ? us + half_us - 1 : half_us;
    for (us -= us % WEIR_SLOT_US; us + half_us <= until_us; us += WEIR_SLOT_US) {
        struct page *page = find_page(book, us);
        if (page && us < book->last_end_us &&
            which & 1u << page->code[us % WEIR_HOUR_US / WEIR_SLOT_US])
            set_code(page, us, code);
    }
}

static bool concerns_site(uint8_t cause) {
    return weir_cause_whose((enum weir_cause)cause) == WEIR_WHOSE_SITE;
}

static void note_site_fault(struct weir_hours *hours, const struct weir_incident *incident) {
    unsigned at = 0;
    while (at < hours->n_site_faults && strcmp(hours->site_faults[at], incident->id) != 0) at++;
    bool stands = incident->event != WEIR_INCIDENT_CLEARED && concerns_site(incident->cause);
    if (stands && at == hours->n_site_faults && at < SITE_FAULTS_MAX)
        memcpy(hours->site_faults[hours->n_site_faults++], incident->id, sizeof incident->id);
    else if (!stands && at < hours->n_site_faults)
        memmove(hours->site_faults[at], hours->site_faults[--hours->n_site_faults],
                sizeof incident->id);
}

void weir_hours_incident(struct weir_hours *hours, const struct weir_incident *incident) {
    int64_t recovered_us = incident->recovered_us;
    enum {
        ANY = (1 << CODE_N) - 1,
        JUDGED = ANY & ~(1 << CODE_NONE) & ~(1 << CODE_UNKNOWN),
        WELL = 1 << CODE_NONE | 1 << CODE_UNKNOWN | 1 << CODE_HEALTHY,
        ILL = JUDGED & ~(1 << CODE_HEALTHY)
    };
    int64_t end_us = recovered_us ? recovered_us : incident->ts_us;
    note_site_fault(hours, incident);
    if (concerns_site(incident->cause)) {
        for (size_t i = 0; i < WEIR_SERVICES_MAX; i++)
            if (hours->books[i])
                rewrite(hours->books[i], incident->onset_us, end_us, JUDGED, CODE_UNKNOWN);
        return;
    }
    struct book *book =
        incident->service < WEIR_SERVICES_MAX ? hours->books[incident->service] : NULL;
    if (!book || incident->service == WEIR_SERVICE_NONE) return;
    if (incident->event == WEIR_INCIDENT_RAISED && code_of(incident->state) > CODE_HEALTHY)
        rewrite(book, incident->onset_us, end_us, WELL, code_of(incident->state));
    if (recovered_us) rewrite(book, recovered_us, incident->ts_us, ILL, CODE_HEALTHY);
}

/* ---- reading ---- */

static int by_value(const void *a, const void *b) {
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

static double median(const struct page *page, enum median which) {
    float sorted[WINDOWS];
    size_t n = page->n[which];
    if (!n) return NAN;
    memcpy(sorted, page->value[which], n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    return n % 2 ? sorted[n / 2] : ((double)sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void read_page(const struct page *page, struct weir_history_hour *ret_hour) {
    int32_t seconds[CODE_N] = {0};
    for (size_t i = 0; i < WINDOWS; i++) seconds[page->code[i]] += WINDOW_S;
    *ret_hour = (struct weir_history_hour){
        .start_us = page->start_us,
        .healthy_s = seconds[CODE_HEALTHY],
        .degraded_s = seconds[CODE_DEGRADED],
        .partial_s = seconds[CODE_PARTIAL],
        .down_s = seconds[CODE_DOWN],
        .trials_ok = page->trials_ok,
        .trials_fail = page->trials_fail,
        .goodput_bps = median(page, GOODPUT),
        .ttfb_us = median(page, TTFB),
        .rtt_server_us = median(page, RTT_SERVER),
        .rtt_client_us = median(page, RTT_CLIENT),
        .loss_server = page->loss_weight > 0 ? page->loss[0] / page->loss_weight : NAN,
        .loss_client = page->loss_weight > 0 ? page->loss[1] / page->loss_weight : NAN};
    ret_hour->judged_s =
        ret_hour->healthy_s + ret_hour->degraded_s + ret_hour->partial_s + ret_hour->down_s;
}

void weir_hours_changed(struct weir_hours *hours, int64_t now_us, bool also_open,
                        weir_hours_visit visit, void *context) {
    for (size_t id = 0; id < WEIR_SERVICES_MAX; id++)
        for (int64_t back = PAGES - 1; hours->books[id] && back >= 0;
             back--) { /* the older hour first */
            struct page *page = find_page(hours->books[id], now_us - back * WEIR_HOUR_US);
            struct weir_history_hour hour;
            if (!page || !page->changed || (!also_open && page->start_us + WEIR_HOUR_US > now_us))
                continue;
            page->changed = false;
            read_page(page, &hour);
            visit(context, (weir_service_id)id, &hour);
        }
}
