/* One session: what a client gets from a service (METHODS 5). sessions.c finds it and asks once a tick. */
#pragma once

#include <weir/measure.h>

#include "measure/hollow.h"

enum {
    WEIR_SESSION_RATES = 64,     /* of the last chunks, for the median */
    WEIR_SESSION_RUN = 15,       /* seconds of open demand before a slow rate is starvation */
    WEIR_SESSION_CADENCE = 16,
    WEIR_SESSION_QUIET = 3,      /* ticks without demand: in a row the run is over, within it the client was served */
};

struct weir_tick_demand { /* of one tick */
    uint32_t open, unanswered;
    uint64_t bytes;
    int64_t longest_wait_us;
    const struct weir_evidence *sample; /* one of the open requests: what an attempt is made from. The tick's own */
};

/* A large site has thousands of these: what is kept of each chunk is packed. */
struct weir_session {
    struct weir_addr client;
    weir_service_id service;
    bool midstream;              /* its first flow was */
    bool slow, starving;
    uint8_t quiet_ticks;
    uint32_t serial;             /* order of beginning */
    uint32_t run_ticks;
    int64_t active_now_us;       /* engine's clock of the last activity */
    int64_t start_us, active_us; /* stamps of the first packet and of the last activity */
    int64_t second_chunk_us;
    int64_t first_request_us, last_request_us;
    uint64_t media_bytes;
    uint32_t chunks, small_answers;
    int64_t on_us;               /* time in which answers were arriving, all flows added up */
    uint32_t n_rates, n_cadence;
    uint16_t rates[WEIR_SESSION_RATES];        /* kbit/s, packed: see session.c */
    uint16_t cadence_ms[WEIR_SESSION_CADENCE]; /* less than a minute */

    struct weir_tick_demand tick;              /* being filled */
    uint32_t run_bytes[WEIR_SESSION_RUN];      /* of the last ticks with demand; at most UINT32_MAX */
    uint32_t run_open;                         /* bit a tick, the newest lowest: had demand */
    int64_t spell_us, starved_us, longest_us, starved_end_us;
    uint32_t spells, hollow_answers;
    int64_t useful_slot, starved_slot;         /* the last slots of which that was said */
    struct weir_hollow hollow;
};

void weir_session_begin(struct weir_session *session, const struct weir_evidence *evidence);
void weir_session_progress(struct weir_session *session, const struct weir_evidence *evidence, int64_t timeout_us);
/* A complete answer of 5 kB or more; true when it was slower than half of the session's own median. */
bool weir_session_chunk(struct weir_session *session, const struct weir_evidence *evidence);
/* Whether a tick changes anything: there was demand in it, or a run or a spell goes on. */
static inline bool weir_session_is_busy(const struct weir_session *session)
{
    return session->tick.open || session->run_ticks || session->starving;
}
/* Ends the tick; how much of it, and of the time before that turned out so, was starved, in us. */
int64_t weir_session_tick(struct weir_session *session, enum weir_service_kind kind, int64_t now_us);
int64_t weir_session_median_kbps(const struct weir_session *session); /* -1: fewer than 5 chunks */
int64_t weir_session_bitrate_bps(const struct weir_session *session); /* WEIR_NULL where it is no proxy */
int64_t weir_session_cadence_us(const struct weir_session *session);  /* median time between requests; -1: too few */
void weir_session_report(const struct weir_session *session, enum weir_service_kind kind,
    struct weir_session_record *ret_record);
