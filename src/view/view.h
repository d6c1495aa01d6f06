/* view: what a probe published, read back for a person: by `weir status`, `alerts` and `top`.
 *
 * One model, two places it comes from: a site's keys in Redis, or status.json in the state
 * directory. Both hold the same flat fields. Time is an argument: `now_us` is the reader's clock,
 * and for a replay the end of its capture.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>
#include <weir/outcome.h>

/* A probe that was not heard for so long is gone, and nothing that it said counts; a service,
 * unseen for so long, unknown. */
#define WEIR_VIEW_FRESH_US  INT64_C(40000000)
#define WEIR_VIEW_SILENT_US INT64_C(900000000)

enum {
    WEIR_VIEW_POINTS_MAX = 360 /* an hour; a file holds ten minutes */,
    WEIR_VIEW_POINTS_RECENT = 60,
    WEIR_VIEW_SERVICES_MAX = 128,
    WEIR_VIEW_EVENTS_MAX = 256,
    WEIR_VIEW_NAME_MAX = 160
};

/* One window of a service; NAN where nothing was measured. */
struct weir_view_point {
    int64_t end_us;
    double ok, fail, goodput_bps, rtt_us; /* rtt: towards the servers */
    /* towards the clients; shares lost towards servers, towards clients */
    double rtt_client_us, loss_before, loss_beyond;
    double dns_ok;  /* of ok: look-ups */
    char state[12]; /* at its end; "": not kept */
};

struct weir_view_service {
    /* the kind that most failed trials of the newest window were, or "" */
    char name[64], state[16], failing_by[24];
    int64_t end_us; /* of the newest window */
    double ok, fail, clients, flows, bytes_down, goodput_bps, ttfb_us, rtt_us, rtt_client_us,
        loss_share, loss_beyond_share;
    /* who watches: NAN where nobody does */
    double viewers, viewers_stalled, stalled_share, startup_us, bitrate_bps;
    double layer_ok[WEIR_LAYER_N], layer_fail[WEIR_LAYER_N]; /* trials of that window */
    double kinds[WEIR_OUTCOME_N]; /* its failed trials by kind; NAN or 0: none */
    size_t n_points;              /* history, oldest first */
    struct weir_view_point points[WEIR_VIEW_POINTS_MAX];
};

struct weir_view_event {
    char entry[48]; /* id in the stream; "" from a file */
    char id[48], event[12], service[64], state[16], cause[24], confidence[12], layer[16];
    int64_t ts_us, onset_us;
    double clients, trials_fail, trials_total;
    char text[800];    /* the sentence, with local clocks */
    char *json;        /* the record; NULL where there is none */
    bool acknowledged; /* by `weir alerts --ack` */
    bool maintenance;  /* raised while work was announced */
};

struct weir_view {
    char site[WEIR_VIEW_NAME_MAX], from[512]; /* the URL or the file, for a person */
    bool replay;
    /* seen: last word of the probe; first: first packet of its run; 0 unknown */
    int64_t now_us, seen_us, first_us;
    /* when that word was put here, by this machine's clock: later than seen_us where a probe reads
     * old packets; 0 unknown */
    int64_t written_us;
    double packets, bytes, dropped, refused;
    size_t n_services;
    struct weir_view_service services[WEIR_VIEW_SERVICES_MAX];
    size_t n_events;
    struct weir_view_event events[WEIR_VIEW_EVENTS_MAX]; /* oldest first */
};

/* ---- loading ---- */

struct weir_view_where {
    const char *redis;         /* URL, or NULL: the file */
    const char *password_file; /* of Redis; NULL: none */
    const char *state;         /* directory of status.json */
    const char *site;          /* NULL: the only one there is */
};
struct weir_view_source; /* opaque; keeps its connection */

/* Faults name the file or the URL, and what to do. -ENOENT: there is nothing (no site, no file);
 * other: can't be read. */
int weir_view_source_new(struct weir_view_source **ret_source, const struct weir_view_where *where,
                         struct weir_fault *fault);
void weir_view_source_free(struct weir_view_source *source);
/* Reads all of it anew, with up to n_points windows of history of each service. `view` starts
 * zeroed and is deinitialised by the caller, also after a failure. */
int weir_view_load(struct weir_view_source *source, int64_t now_us, unsigned n_points,
                   struct weir_view *view, struct weir_fault *fault);
void weir_view_deinit(struct weir_view *view);
/* A mark that differs when something new can be read: costs one small question. 0, or < 0 as from
 * loading. */
enum { WEIR_VIEW_MARK_MAX = 160 };
int weir_view_mark(struct weir_view_source *source, char mark[WEIR_VIEW_MARK_MAX],
                   struct weir_fault *fault);
/* The other sites of the same Redis, the last heard first; none where it is a file. Returns how
 * many, at most `max`. */
size_t weir_view_other_sites(struct weir_view_source *source, char (*ret_names)[WEIR_VIEW_NAME_MAX],
                             size_t max);
/* One of them, without windows of the past: enough to judge it. As weir_view_load. */
int weir_view_load_other(struct weir_view_source *source, const char *site, int64_t now_us,
                         struct weir_view *view, struct weir_fault *fault);
/* From now on alerts about the incident are silent; it is measured on. */
int weir_view_acknowledge(struct weir_view_source *source, const char *id,
                          struct weir_fault *fault);
struct weir_redis *weir_view_source_redis(struct weir_view_source *source); /* NULL: a file */
/* NULL until it is known */
const char *weir_view_source_site(const struct weir_view_source *source);

/* ---- from flat fields (fields.c); `get` gives the text of a field or NULL ---- */

typedef const char *(*weir_view_get)(const void *of, const char *name);
void weir_view_read_probe(struct weir_view *view, weir_view_get get, const void *of);
void weir_view_read_service(struct weir_view_service *service, const char *name, weir_view_get get,
                            const void *of);
void weir_view_read_point(struct weir_view_point *point, weir_view_get get, const void *of);
void weir_view_read_event(struct weir_view_event *event, weir_view_get get, const void *of);
int64_t weir_view_time(const char *text);  /* epoch seconds as text; 0 where there is none */
double weir_view_number(const char *text); /* NAN where there is none */

/* ---- judging (judge.c): pure ---- */

/* As exit codes. */
enum weir_view_health { WEIR_VIEW_HEALTHY = 0, WEIR_VIEW_SICK = 3, WEIR_VIEW_UNKNOWN = 4 };

struct weir_view_judgement {
    enum weir_view_health health;
    const struct weir_view_event *incident; /* that makes it sick, or NULL */
    char sentence[1200];                    /* what, since when, whose fault */
    char state[16];                         /* "healthy", "down", "unknown", ... of a service */
};
/* The last event of each incident that stands: its id has no later event, it is not cleared, and no
 * later window of its service contradicts it. Returns how many; at most `max` are listed. */
size_t weir_view_open(const struct weir_view *view, const struct weir_view_event **ret_events,
                      size_t max);
const struct weir_view_service *weir_view_find(const struct weir_view *view, const char *service);
void weir_view_judge_service(const struct weir_view *view, const char *service,
                             struct weir_view_judgement *ret_judgement);
void weir_view_judge_site(const struct weir_view *view, struct weir_view_judgement *ret_judgement);
/* What a cause is called in a sentence: "the service itself", "the uplink". */
const char *weir_view_cause_words(const char *cause);

/* ---- words ---- */

/* "20:41:05 CET", with the date where it is another day than now, or now_us is 0 */
const char *weir_view_clock(char text[32], int64_t us, int64_t now_us);
/* "12 s", "4 min", "3 h", "2 days" */
const char *weir_view_age(char text[32], int64_t us);
/* What most failed trials of the newest window were, in words; "" where none failed. */
const char *weir_view_failing(char text[96], const struct weir_view_service *service);
/* "4 viewers, the picture stands still for 2 (31 % of their time), 1.8 Mbit/s each"; "" where
 * nobody watches. */
const char *weir_view_viewers(char text[208], const struct weir_view_service *service);
const char *weir_view_span(char text[32], int64_t us); /* "4 min 12 s" */
/* "1.2 MB"; "-" for NAN */
const char *weir_view_amount(char text[32], double value, const char *unit);
