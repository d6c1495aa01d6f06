/* A watch turns what is seen into alarms: one line of WEIR_WATCHES and one file, which holds its
 * row. The row says whom it watches, how its alarms rank, what judges them, what it remembers, and
 * its words. From it come the order in which alarms are asked for, the saved state, the sentence,
 * the name in the records, the schema and contrib/KEYS.md.
 */
#pragma once

#include "detect/verdict.h"

struct weir_resolver;
struct weir_text;

/* Strongest kind first; what ranks alike is asked in this order. */
/* clang-format off */
#define WEIR_WATCHES(X) \
    X(failures) X(slow_burn) X(place) X(place_pooled) X(pooled) X(resets) X(quic) X(delays) \
    X(silence) X(uplink) X(uplink_slow) X(congestion) X(losses) X(downlink) X(resolver) X(link) \
    X(capture)
/* clang-format on */
enum weir_watch_id {
#define X(name) WEIR_WATCH_##name,
    WEIR_WATCHES(X)
#undef X
        WEIR_WATCH_N
};

enum weir_watch_scope {
    WEIR_WATCHES_CAPTURE,
    WEIR_WATCHES_SITE,
    WEIR_WATCHES_RESOLVER,
    WEIR_WATCHES_CLIENT,
    WEIR_WATCHES_SERVICE
};

/* Whom an alarm is about. */
struct weir_subject {
    weir_service_id service;        /* scope SERVICE; else NONE */
    struct weir_resolver *resolver; /* scope RESOLVER; else NULL */
    /* its incident: while it is open an alarm lasts longer; NULL: it has none */
    const struct weir_case *incident;
};

struct weir_alarm {
    double rank; /* 0: none */
    enum weir_watch_id watch;
    struct weir_scope scope;
    int64_t fail_us; /* last failure */
};

struct weir_watch {
    const char *name; /* as in the records */
    const char *help; /* what raises it, for a person */
    enum weir_watch_scope scope;
    /* Of its alarms, beside the strength: an alarm of a higher rank is judged. */
    double rank;
    /* Is it alarmed? Then says so by weir_alarm_offer. NULL: it raises by itself, or never does. */
    void (*offer)(const struct weir_detector *detector, const struct weir_subject *subject,
                  struct weir_alarm *best);
    void (*judge)(struct weir_detector *detector, const struct weir_scope *scope,
                  struct weir_verdict *ret_verdict); /* NULL where `offer` is */
    void (*tick)(struct weir_detector *detector);    /* raises by itself; NULL */
    /* What it takes, NULL for nothing: each sound window; each closed slot that is judged. */
    void (*window)(struct weir_detector *detector, const struct weir_detect_window *window);
    void (*slot)(struct weir_detector *detector, const struct weir_slot *slot);
    /* Something of it is left, so that the incident is not over. NULL: it has no say in that. */
    bool (*lasts)(const struct weir_detector *detector, const struct weir_subject *subject);
    /* The incident of this service is over: nothing is left to be raised again. NULL: its memory
     * says nothing of one incident. */
    void (*forget)(struct weir_detector *detector, weir_service_id service);
    /* What it remembers, of the site or of each service (weir_watch_memory): zeroed at first. It
     * outlasts a restart where `mend` puts right what may be wrong in bytes from a file. */
    size_t memory;
    void (*mend)(void *memory);
    /* Its words, where they are not those of failing trials: the incident's state (" is silent")
     * while it lasts and once it is over; the evidence; what it leaves open. NULL: the usual. */
    const char *state[2];
    void (*evidence)(struct weir_text *text, const struct weir_incident *record);
};
extern const struct weir_watch *const weir_watches[WEIR_WATCH_N];

/* With the row's rank and `scope.strength`: the best so far keeps its place where they are equal.
 */
void weir_alarm_offer(struct weir_alarm *best, enum weir_watch_id watch, struct weir_scope scope,
                      int64_t fail_us);
/* The highest of all rows of this scope. */
struct weir_alarm weir_alarm_of(const struct weir_detector *detector, enum weir_watch_scope scope,
                                const struct weir_subject *subject);
/* What its row's `judge` says of it. */
void weir_alarm_judge(struct weir_detector *detector, const struct weir_alarm *alarm,
                      struct weir_verdict *ret_verdict);
/* Any row of the scope has something left. */
bool weir_watches_last(const struct weir_detector *detector, enum weir_watch_scope scope,
                       const struct weir_subject *subject);
void weir_watches_tick(struct weir_detector *detector, enum weir_watch_scope scope);

/* A row's memory: of the site always there; of a service made when it is first asked for, and NULL
 * without room. `service` NONE: the site's. `_recall` makes none. */
void *weir_watch_memory(struct weir_detector *detector, weir_service_id service,
                        enum weir_watch_id watch);
void *weir_watch_recall(const struct weir_detector *detector, weir_service_id service,
                        enum weir_watch_id watch);
int weir_watches_init(struct weir_detector *detector); /* 0 or -ENOMEM */
void weir_watches_deinit(struct weir_detector *detector);
