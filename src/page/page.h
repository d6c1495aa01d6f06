/* page: what a person looks at in a browser, as one model and its faces.
 *
 * The model says everything in the words and figures that are shown: sentences, bands of states,
 * summaries of series. A face (report.c: one file for a capture; status.c: the pages of `weir
 * serve`) lays it out and computes nothing. Two sources fill it: a replay's records (collect.c),
 * and a site that is read again and again (site.c).
 *
 * Memory is bounded: a series is at most WEIR_PAGE_BINS_MAX bins, whose width doubles when a
 * capture outgrows them; of incidents and sessions so many are kept, and how many were left out is
 * said.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>
#include <weir/incident.h>
#include <weir/outcome.h>

enum {
    WEIR_PAGE_BINS_MAX = 480,
    WEIR_PAGE_SERVICES_MAX = 128,
    WEIR_PAGE_INCIDENTS_MAX = 200,
    WEIR_PAGE_SESSIONS_MAX = 120,
    WEIR_PAGE_LIST_MAX = 12, /* of each list in a card; the rest is a number */
    WEIR_PAGE_BANDS_MAX = 160,
    WEIR_PAGE_FACTS_MAX = 40,
    WEIR_PAGE_DAYS_MAX = 90,
};

/* ---- series ---- */

enum weir_page_series {
    WEIR_PAGE_OK,          /* useful trials */
    WEIR_PAGE_FAIL,        /* failing trials */
    WEIR_PAGE_DNS_OK,      /* useful trials that were look-ups */
    WEIR_PAGE_GOODPUT,     /* bit/s */
    WEIR_PAGE_RTT_SERVER,  /* us, between the vantage and the servers */
    WEIR_PAGE_RTT_CLIENT,  /* us, between the clients and the vantage */
    WEIR_PAGE_LOSS_BEFORE, /* share of segments lost between servers and vantage */
    WEIR_PAGE_LOSS_BEYOND, /* share of segments lost between vantage and clients */
    WEIR_PAGE_SERIES_N
};
bool weir_page_series_adds_up(
    enum weir_page_series series); /* counts; the others are averaged over a bin */
/* The window's field that a series is read from; *ret_group may be NULL. */
void weir_page_series_field(enum weir_page_series series, const char **ret_group,
                            const char **ret_name);

struct weir_page_bin {
    uint8_t state; /* enum weir_state, the worst in it; UNKNOWN: not seen */
    bool seen;
    float sum[WEIR_PAGE_SERIES_N];
    uint32_t n[WEIR_PAGE_SERIES_N]; /* 0: not measured */
};
struct weir_page_track { /* of a service: bins from the model's first_us on */
    struct weir_page_bin bins[WEIR_PAGE_BINS_MAX];
};
/* NAN where nothing was measured. */
double weir_page_value(const struct weir_page_bin *bin, enum weir_page_series series);

/* ---- the model ---- */

struct weir_page_band {
    int64_t start_us, end_us;
    uint8_t state;                             /* enum weir_state */
    const struct weir_page_incident *incident; /* whose band it is, or NULL */
};

struct weir_page_summary { /* of one series, for its caption; n 0: not measured */
    double least, typical, most;
    size_t n;
};

struct weir_page_day { /* one bar of availability */
    int64_t start_us;
    double judged_s, healthy_s, degraded_s, partial_s, down_s; /* judged_s 0: not recorded */
    uint8_t state; /* the worst that lasted: a minute, or a hundredth of what could be judged */
};

struct weir_page_service {
    char id[64], title[96];
    uint8_t state;   /* now, or at the end */
    bool is_control; /* "other": what no signature names */
    char sentence[400];
    char hosts[400];                                          /* the names that make it, "" */
    double recent_ok, recent_fail;                            /* of the last five minutes */
    double rtt_client_us, loss_beyond;                        /* NAN */
    double viewers, viewers_stalled, startup_us, bitrate_bps; /* who watches now; NAN: nobody */
    double ok, fail, flows, bytes_down, clients, goodput_bps, rtt_us, loss; /* NAN: not measured */
    char failing_by[64];                                                    /* in words, or "" */
    int64_t seen_us;                                                        /* of its last window */
    struct weir_page_track *track;                                          /* NULL: none */
    struct weir_page_summary summary[WEIR_PAGE_SERIES_N];
    size_t n_bands;
    struct weir_page_band bands[WEIR_PAGE_BANDS_MAX];
    size_t n_days; /* 0: no history is kept */
    struct weir_page_day days[WEIR_PAGE_DAYS_MAX];
    double availability; /* over those days; NAN */
};

struct weir_page_counted {
    char text[120];
    double fail, total;
};
struct weir_page_ruling {
    char what[64], verdict[40], why[240];
};

struct weir_page_incident {
    char id[48], service[64], title[120], state_name[16], cause[24], cause_words[120],
        confidence[12], part[16], layer[16];
    uint8_t state, worst;          /* of its last event; the worst of all */
    char text[800], end_text[400]; /* the evidence's sentence; what was said when it cleared */
    int64_t onset_us, raised_us, recovered_us, cleared_us, last_us; /* 0: not */
    double viewers, viewers_stalled; /* who watched; whose picture stood still: NAN not known */
    bool at_least; /* of clients and prefixes there are more than could be counted */
    double probability, clients, clients_seen, fail, total, low, high; /* NAN: not known */
    bool is_open, maintenance, acknowledged;
    size_t n_kinds, n_prefixes, n_hit, n_controls, n_alternatives, n_blocked, n_rulings;
    struct weir_page_counted kinds[WEIR_PAGE_LIST_MAX], controls[WEIR_PAGE_LIST_MAX],
        alternatives[WEIR_PAGE_LIST_MAX];
    char prefixes[WEIR_PAGE_LIST_MAX][120], hit[WEIR_PAGE_LIST_MAX][64],
        blocked[WEIR_PAGE_LIST_MAX][120];
    unsigned prefixes_more, hit_more;
    double controls_fail, controls_total;
    struct weir_page_ruling rulings[6]; /* what it is not, and how surely */
    char lasted[40];                    /* "4 min 12 s" */
};

struct weir_page_span {
    int64_t start_us, end_us;
};
struct weir_page_session {
    char service[96], client[64], kind[16], confidence[16], missing[120];
    int64_t start_us, end_us;
    double startup_us, stalled_us, starved_us, stalls, bitrate_bps, goodput_bps, quality_changes,
        buffer_s, bytes; /* NAN */
    size_t n_stalls;
    struct weir_page_span stall[8];
};

struct weir_page_fact {
    char name[80], value[160];
    bool warns;
};
struct weir_page_share {
    char name[32];
    double flows, bytes;
};

struct weir_page_place {
    char name[160], sentence[400];
    uint8_t state;
    int64_t seen_us;
}; /* a site of several */

enum { WEIR_PAGE_SITES_MAX = 32 };

struct weir_page {
    char site[160], from[512];
    bool replay, hide_clients;
    int64_t first_us, last_us, now_us; /* of what is shown; 0: nothing */
    int64_t bin_us;
    size_t n_bins;
    uint8_t state;                      /* of the whole */
    char answer[700], answer_more[700]; /* the first sentence; what else is to be said */
    size_t n_services;
    struct weir_page_service services[WEIR_PAGE_SERVICES_MAX];
    struct weir_page_service uplink, resolver; /* rows of the time line: only bands */
    size_t n_incidents;                        /* worst and newest first */
    struct weir_page_incident *incidents;
    uint64_t incidents_left_out;
    size_t n_sessions; /* those that stood still longest first */
    struct weir_page_session *sessions;
    uint64_t sessions_left_out, sessions_total;
    size_t n_sites; /* other sites of the fleet */
    struct weir_page_place sites[WEIR_PAGE_SITES_MAX];
    int64_t heard_us;  /* last word of the probe; 0: none */
    char trouble[400]; /* why what is shown is old; "" */
    /* nothing can be said of now: the probe is not heard, or its capture is incomplete */
    bool blind;
    size_t n_facts, n_shares, n_unknowns;
    struct weir_page_fact facts[WEIR_PAGE_FACTS_MAX];
    struct weir_page_share shares[8];
    char unknowns[WEIR_PAGE_FACTS_MAX][240]; /* what could not be known, a sentence each */
};

/* ---- parts of the model ---- */

struct json_object;
/* An incident from its record; `title` of a service by `name` (NULL: its id). Returns < 0 where it
 * is none. */
typedef const char *(*weir_page_title)(const void *of, const char *id);
int weir_page_read_incident(struct weir_page_incident *incident, struct json_object *record,
                            weir_page_title title, const void *of);
/* Joins a later event of the same incident: the worst state stays, and what was wrong stays said.
 */
void weir_page_join_incident(struct weir_page_incident *incident,
                             const struct weir_page_incident *later);
int weir_page_read_session(struct weir_page_session *session, struct json_object *record,
                           weir_page_title title, const void *of);
/* Shares, facts and doubts of a `capture` record. */
void weir_page_read_capture(struct weir_page *page, struct json_object *record);

/* Bins of one width for all services: the place for a window that starts at start_us, after
 * widening where needed. Returns -1 for a time before the first. */
int weir_page_place(struct weir_page *page, int64_t start_us);
/* After everything was filled: bands, summaries, order, sentences. */
void weir_page_finish(struct weir_page *page);
void weir_page_answer(struct weir_page *page);
void weir_page_deinit(struct weir_page *page);

/* ---- a site that is read again and again ---- */

struct weir_view;
struct weir_history;
struct weir_service_set;
struct weir_page_site; /* opaque: what was seen so far */

int weir_page_site_new(struct weir_page_site **ret_site, const struct weir_service_set *set,
                       bool hide_clients);
void weir_page_site_free(struct weir_page_site *site);
/* What was read just now, and the months before (NULL: none is kept). The model is made anew; 0 or
 * -ENOMEM. */
int weir_page_site_take(struct weir_page_site *site, const struct weir_view *view,
                        const struct weir_history *history);
/* Nothing could be read: what was is shown on, with the reason. */
void weir_page_site_trouble(struct weir_page_site *site, const char *reason, int64_t now_us);
struct weir_page *weir_page_site_model(struct weir_page_site *site);

/* Ninety days of a service, and its availability over them. */
void weir_page_put_days(struct weir_page_service *service, const struct weir_history *history,
                        int64_t now_us);

/* Counts for /metrics: since this program began to read. */
struct weir_page_counts {
    double ok[WEIR_LAYER_N], fail[WEIR_LAYER_N];
};
const struct weir_page_counts *weir_page_site_counts(const struct weir_page_site *site,
                                                     const char *service);

/* ---- words ---- */

const char *weir_page_clock(char text[64], int64_t us, bool with_date, bool with_zone); /* local */
const char *weir_page_utc(char text[64], int64_t us);
const char *weir_page_delay(char text[32], double us);         /* "4.2 ms"; "-" for NAN */
const char *weir_page_share_text(char text[32], double share); /* "1.2 %" */
const char *weir_page_sure(char text[32], double probability); /* never certain */
const char *weir_page_rate(char text[32], double bps);
enum weir_state weir_page_state(const char *name);
int weir_page_badness(enum weir_state state); /* 0 unknown, 1 healthy, ... 6 down */
