/* history: what a site saw over months, read back: hours of each service, and past incidents.
 *
 * One model, two places it comes from: history.db in the state directory (SQLite, kept by the
 * probe), or a site's `hours:<name>` streams and `incidents` in Redis. Reading never blocks the
 * probe. Time is an argument.
 *
 * An hour tells how many seconds of it the service could be judged, and how they were:
 *
 *      judged_s = healthy_s + degraded_s + partial_s + down_s       (3600 - judged_s: not judged)
 *
 * The seconds are corrected by what is known later: from an incident's onset on they are its
 * state's, also before it was raised, and from its recovery on they are healthy, also before it
 * was cleared. While the uplink, the resolver or the capture itself was at fault no service is
 * judged. A service that nobody used for longer than 15 minutes is not judged either.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

#define WEIR_HISTORY_FILE "history.db"
#define WEIR_HOUR_US      INT64_C(3600000000)
#define WEIR_HISTORY_DAYS 396 /* 13 months: nothing older is kept */

struct weir_history_hour {
    int64_t start_us; /* a multiple of WEIR_HOUR_US */
    int32_t judged_s, healthy_s, degraded_s, partial_s, down_s;
    int64_t trials_ok, trials_fail;
    /* Medians of the windows' medians, loss means by traffic; NAN: not measured. Server and client
     * are the two sides of the probe. */
    double goodput_bps, ttfb_us, rtt_server_us, rtt_client_us, loss_server, loss_client;
};

struct weir_history_service {
    char name[64];
    size_t n_hours;
    struct weir_history_hour *hours; /* oldest first; hours in which it was not seen are left out */
};

/* An incident as its last event left it. */
struct weir_history_incident {
    char id[48], service[64], state[16], cause[24], event[12]; /* service "" where it is nobody's */
    int64_t onset_us, raised_us;
    int64_t recovered_us, cleared_us; /* 0: not (yet) known */
    int64_t told_us;                  /* its last event */
    bool maintenance;
    char *text; /* the sentence; never NULL */
    char *json; /* the whole last record; never NULL */
};

struct weir_history {
    char site[160];
    char from[512]; /* the file or the URL, for a person */
    size_t n_services;
    struct weir_history_service *services; /* by name */
    size_t n_incidents;
    struct weir_history_incident *incidents; /* oldest onset first */
};

struct weir_history_where {
    const char *redis, *password_file; /* URL, or NULL: the file */
    const char *state;                 /* directory of history.db */
    const char *site;                  /* NULL: the only one, or the last that wrote */
    const char *service;               /* NULL: all */
    int64_t since_us;                  /* hours that end, and incidents that were told, behind it */
};

/* Reads it whole. `history` needs no initialisation, and is deinitialised by the caller after a
 * success. -ENOENT: there is no history (yet); other: cannot be read. A fault says which and why.
 * */
int weir_history_load(struct weir_history *ret_history, const struct weir_history_where *where,
                      struct weir_fault *fault);
void weir_history_deinit(struct weir_history *history);
const struct weir_history_service *weir_history_find(const struct weir_history *history,
                                                     const char *service);

/* The events of one incident, oldest first, as their records; the caller frees each and the list.
 * Returns how many, or < 0. */
int weir_history_events(char ***ret_json, const struct weir_history_where *where, const char *id,
                        struct weir_fault *fault);

/* ---- availability: pure ---- */

enum weir_history_step {
    WEIR_HISTORY_HOUR,
    WEIR_HISTORY_DAY,
    WEIR_HISTORY_WEEK,
    WEIR_HISTORY_MONTH
};

struct weir_history_span {
    int64_t start_us, end_us; /* UTC; weeks begin on Monday */
    int64_t judged_s, healthy_s, degraded_s, partial_s, down_s;
    int64_t trials_ok, trials_fail;
};
/* The spans of `step` from the one that `from_us` lies in up to the one before `until_us`'s end,
 * all of them, also those without any judged second. Returns how many; at most `max`. */
size_t weir_history_spans(const struct weir_history_service *service, enum weir_history_step step,
                          int64_t from_us, int64_t until_us, struct weir_history_span *ret_spans,
                          size_t max);
/* Share of the judged time in which it was not down; NAN where nothing could be judged. */
double weir_history_up(const struct weir_history_span *span);
/* Share of the judged time in which it was neither down, nor partly down, nor degraded; or NAN. */
double weir_history_well(const struct weir_history_span *span);
/* How long it lasted: to its recovery, else its clearing, else `now_us`. */
int64_t weir_history_duration_us(const struct weir_history_incident *incident, int64_t now_us);
