/* One session: what a client gets from a service. sessions.c finds it and asks once a tick. */
#pragma once

#include <weir/measure.h>

#include "measure/cadence.h"
#include "measure/early.h"
#include "measure/hollow.h"
#include "measure/need.h"
#include "measure/playout.h"
#include "measure/lasting.h"
#include "measure/reserve.h"
#include "measure/tracks.h"

enum {
    WEIR_SESSION_RATES = 64, /* of the last chunks, for the median */
};

struct weir_tick_demand { /* of one tick */
    uint32_t open, unanswered;
    uint64_t bytes;
    int64_t longest_wait_us;
    const struct weir_evidence *sample; /* an open request, to make an attempt from: the tick's */
};

/* Changes of quality, by the size of the picture's answers. */
struct weir_ladder {
    uint32_t bytes, next_bytes; /* of the step that is played, and of one that may follow it */
    uint8_t n_next;
    uint32_t changes;
};

/* The newest answer of a connection: it may go on after a silence. */
struct weir_last_answer {
    int64_t request_us, done_us;
    uint64_t bytes;
    uint16_t port;
    bool counted; /* as one of the picture */
};

/* A large site has thousands of these: what is kept of each chunk is packed, and what each tick
 * asks of all of them stands at the begin, in three cache lines. */
struct weir_session {
    struct weir_addr client, shown; /* the device's name, and the address of the first flow */
    weir_service_id service;
    bool midstream;               /* its first flow was */
    bool told_startup;            /* to the window */
    bool media_hosts;             /* hosts that are known for media were among its own */
    bool slow, starving, starved; /* starved: the time counts */
    bool thin;                    /* far less comes than it used, and no answer tells */
    uint32_t serial;              /* order of beginning */
    int64_t active_now_us;        /* engine's clock of the last activity */
    int64_t still_us;             /* since when the picture stands still, at a tick; 0: it runs */
    struct weir_tick_demand tick; /* being filled */
    int64_t second_chunk_us;
    struct weir_need need;
    uint64_t came_bytes; /* of all ticks in which it was not thin, */
    uint32_t came_ticks; /* so many since the first byte */
    struct weir_playout playout;

    int64_t start_us, active_us; /* stamps of the first packet and of the last activity */
    int64_t picture_request_us;  /* the latest that was answered */
    int64_t begun_us;            /* where its startup begins: see sessions.c */
    uint64_t media_bytes, picture_bytes;
    uint64_t answered_bytes;                      /* of answers that came in time, */
    int64_t used_until_us;                        /* by now, or by the latest request */
    uint32_t answers;                             /* of media: picture and sound */
    uint32_t chunks, sound_chunks, small_answers; /* chunks: of the picture */
    int64_t first_small_us; /* request of the first in a row of empty answers */
    int64_t on_us;          /* time in which answers were arriving, all flows added up */
    uint16_t port;          /* of the last answer's connection */
    bool late;              /* that answer took longer than it plays */
    /* answers in time, after which the connection was another, or the same */
    uint32_t moved, kept;
    uint32_t least_bytes; /* of an answer of the picture that came in time */
    uint32_t n_rates;
    uint16_t rates[WEIR_SESSION_RATES]; /* kbit/s, packed: see session.c */

    struct weir_tracks tracks;
    struct weir_cadence cadence;
    struct weir_early early;
    struct weir_reserve reserve;     /* where no rhythm is found */
    bool told;                       /* what came early, to the playout */
    struct weir_last_answer last[2]; /* of two connections */
    struct weir_ladder ladder;
    struct weir_lasting lasting;
    bool lasts;                      /* some of its answers went on for minutes */
    int64_t resumed_us;              /* request of an answer that went on after long rests, */
    uint8_t n_resumed;               /* so often */
    struct weir_lasting_burst first; /* its first answer, or burst */

    int64_t spell_us, starved_us, longest_us, starved_end_us;
    uint32_t spells, hollow_answers;
    int64_t starved_slot; /* the last slot of which that was said */
    struct weir_hollow hollow;
};

/* One that was begun is the caller's to end; it may be moved in memory meanwhile. */
void weir_session_begin(struct weir_session *session, const struct weir_evidence *evidence);
void weir_session_end(struct weir_session *session);
void weir_session_progress(struct weir_session *session, const struct weir_evidence *evidence,
                           int64_t timeout_us);
/* A complete answer of 5 kB or more; true when it was slower than half of the session's own median.
 * */
bool weir_session_chunk(struct weir_session *session, const struct weir_evidence *evidence);
/* Whether an answer behind which the connection was reset had come whole: it had rested, and is as
 * large as the picture's answers are. */
bool weir_session_has_all_the_same(const struct weir_session *session,
                                   const struct weir_evidence *evidence);
/* An answer of less than 5 kB: a player that waited for it longer than a second asked for media,
 * too. */
void weir_session_small(struct weir_session *session, const struct weir_evidence *evidence);
/* What was asked for in vain from `since_us` to `until_us`: a connection that failed, an empty
 * answer. */
void weir_session_wanted(struct weir_session *session, int64_t since_us, int64_t until_us);
/* Whether a tick changes anything: there was demand in it or lately, a spell goes on, or answers
 * wait to be worked out. */
static inline bool weir_session_is_busy(const struct weir_session *session) {
    return session->tick.open || session->need.open || session->starving ||
           session->playout.n_queue || session->still_us;
}
/* Ends the tick; how much of it, and of the time before that turned out so, was starved, in us. */
int64_t weir_session_tick(struct weir_session *session, enum weir_service_kind kind,
                          int64_t now_us);
/* Since when it gets too little, as far as the last ten ticks tell: of one that is slow or still.
 */
int64_t weir_session_short_since_us(const struct weir_session *session, int64_t now_us);
/* Whether an answer of `bytes` that took `us` serves it, and whether one that goes on does, by the
 * bytes of the tick. */
bool weir_session_is_served(const struct weir_session *session, uint64_t bytes, int64_t us);
bool weir_session_is_being_served(const struct weir_session *session,
                                  const struct weir_evidence *progress);
/* Whether `bytes` in `us` are half of its need or more, or its need is not known. */
bool weir_session_is_enough(const struct weir_session *session, uint64_t bytes, int64_t us);
int64_t weir_session_need_bps(const struct weir_session *session);    /* 0: not known */
int64_t weir_session_median_kbps(const struct weir_session *session); /* -1: fewer than 5 chunks */
int64_t weir_session_rate_kbps(const struct weir_session *session);   /* -1: no chunk */
int64_t weir_session_bitrate_bps(const struct weir_session *session); /* WEIR_NULL: not known */
int64_t weir_session_startup_us(const struct weir_session *session);  /* WEIR_NULL: no second one */
/* The end: works out what waits. */
void weir_session_settle(struct weir_session *session);
/* Ends the session and says what it was: session_report.c. */
void weir_session_report(struct weir_session *session, enum weir_service_kind kind,
                         struct weir_session_record *ret_record);
/* Stalls of a film from its bytes, put into its record: where one answer went on for minutes, or
 * without a rhythm where players of its service are known to load `ahead_us` ahead (0: not known).
 */
void weir_session_report_reserve(const struct weir_session *session, int64_t ahead_us,
                                 struct weir_session_record *record);
