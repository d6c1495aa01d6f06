/* What is said of a session at its end. Its stalls and the states of its buffer come from the
 * buffer model (playout.c) where answers have a rhythm. Where they have none, and where one answer
 * goes on for minutes, they come from the bytes (reserve.c). */
#include <assert.h>

#include "measure/session.h"

enum { GOOD_MIN = 6, ASKS_MIN = 5 };

static enum weir_stall_confidence confidence_of(const struct weir_session *session,
                                                uint32_t n_stalls) {
    if (n_stalls == 0) return WEIR_STALL_NONE;
    bool sure = session->cadence.good >= GOOD_MIN && session->playout.n_asks >= ASKS_MIN;
    return sure ? WEIR_STALL_LIKELY : WEIR_STALL_POSSIBLE;
}

static void report_startup(const struct weir_session *session, struct weir_session_record *record) {
    record->startup_us = weir_session_startup_us(session);
    if (session->midstream)
        record->startup_reason = WEIR_REASON_NO_HANDSHAKE;
    else if (record->startup_us == WEIR_NULL)
        record->startup_reason = WEIR_REASON_NO_SAMPLE;
}

static void put_states(const struct weir_fullness *fullness, struct weir_session_record *record) {
    bool known = fullness->n > 0;
    record->buffer_low_us = known ? fullness->us[WEIR_BUFFER_LOW] : WEIR_NULL;
    record->buffer_full_us = known ? fullness->us[WEIR_BUFFER_FULL] : WEIR_NULL;
    record->n_buffer_changes = known ? fullness->n : 0;
    for (uint32_t i = 0; i < record->n_buffer_changes; i++) {
        record->buffer_changes[i].ts_us =
            fullness->begun_us + (int64_t)fullness->changes[i].ms * 1000;
        record->buffer_changes[i].state = fullness->changes[i].state;
    }
}

/* The first of `n_stalls`, of which there are none where there is no list. */
static void list_stalls(const struct weir_standstill *stalls, struct weir_session_record *record) {
    for (uint32_t i = 0; i < record->n_stalls && i < WEIR_SESSION_STALLS_MAX; i++) {
        record->stalls[i].start_us = stalls[i].start_us;
        record->stalls[i].duration_us = stalls[i].duration_us;
    }
}

static void report_stalls(const struct weir_session *session, struct weir_session_record *record) {
    static_assert((int)WEIR_PLAYOUT_STALLS == (int)WEIR_SESSION_STALLS_MAX,
                  "all that are kept are told");
    bool picture = record->kind == WEIR_KIND_VOD ||
                   record->kind == WEIR_KIND_LIVE; /* music comes a track at a time */
    record->n_stalls = picture ? session->playout.n_stalls : 0;
    record->stalled_us =
        picture && session->playout.known ? session->playout.stalled_us : WEIR_NULL;
    if (session->playout.story) list_stalls(session->playout.story->stalls, record);
}

void weir_session_report(struct weir_session *session, enum weir_service_kind kind,
                         struct weir_session_record *ret_record) {
    weir_session_settle(session);
    int64_t value_us = session->cadence.value_us, bitrate_bps = weir_session_bitrate_bps(session);
    int64_t kbps = weir_session_rate_kbps(session);
    int64_t buffer_us = weir_playout_buffer_us(&session->playout, session->playout.at_us, value_us);
    *ret_record = (struct weir_session_record){
        .start_us = session->start_us,
        .end_us = session->active_us > session->start_us ? session->active_us : session->start_us,
        .client = session->shown,
        .service = session->service,
        .kind = (uint8_t)kind,
        .media_bytes = session->media_bytes,
        .chunks = session->chunks,
        .sound_chunks = session->sound_chunks,
        .small_answers = session->small_answers,
        .bitrate_bps = bitrate_bps,
        .bitrate_reason = bitrate_bps == WEIR_NULL ? WEIR_REASON_NO_SAMPLE : WEIR_REASON_NONE,
        .goodput_p50_bps = kbps >= 0 ? kbps * 1000 : WEIR_NULL,
        .segment_us = value_us > 0 ? value_us : WEIR_NULL,
        .buffer_us = buffer_us >= 0 ? buffer_us : WEIR_NULL,
        .quality_changes = session->ladder.changes,
        .starved_us = session->starved_us,
        .starved_spells = session->spells,
        .longest_starved_us = session->longest_us,
        .hollow = session->hollow_answers,
    };
    report_startup(session, ret_record);
    static const struct weir_fullness unknown;
    const struct weir_playout *playout = &session->playout;
    put_states(playout->known && playout->story ? &playout->story->fullness : &unknown, ret_record);
    report_stalls(session, ret_record);
    ret_record->confidence = (uint8_t)confidence_of(session, ret_record->n_stalls);
}

/* ---- from the bytes alone ---- */

static void put_reserve(const struct weir_reserve_found *found,
                        struct weir_session_record *record) {
    record->n_stalls = found->n;
    record->stalled_us = found->stalled_us;
    record->confidence = found->n ? WEIR_STALL_POSSIBLE : WEIR_STALL_NONE;
    list_stalls(found->stalls, record);
}

/* A burst is no segment: bytes over the need tell how long it plays. */
static void report_lasting(const struct weir_session *session, struct weir_session_record *record) {
    struct weir_reserve_found found = {0};
    record->segment_us = record->buffer_us = WEIR_NULL;
    record->stalled_us = record->buffer_low_us = record->buffer_full_us = WEIR_NULL;
    record->n_stalls = record->n_buffer_changes = 0;
    record->confidence = WEIR_STALL_NONE;
    struct weir_reserve_habits habits = {.rate_bps = session->cadence.need_bps};
    if (habits.rate_bps <= 0 || !weir_reserve_find(&session->reserve, &habits, &found)) return;
    record->bitrate_bps = habits.rate_bps;
    record->bitrate_reason = WEIR_REASON_NONE;
    put_reserve(&found, record);
    put_states(&found.fullness, record);
}

void weir_session_report_reserve(const struct weir_session *session, int64_t ahead_us,
                                 struct weir_session_record *record) {
    bool film = record->kind == WEIR_KIND_VOD;
    if (session->lasts) {
        if (film || record->kind == WEIR_KIND_LIVE) report_lasting(session, record);
        return;
    }
    if (!film || ahead_us <= 0 || session->cadence.value_us > 0) return;
    struct weir_reserve_found found = {0};
    struct weir_reserve_habits habits = {.ahead_us = ahead_us};
    /* none proves nothing: its rates are bounds from below */
    if (weir_reserve_find(&session->reserve, &habits, &found) && found.n)
        put_reserve(&found, record);
}
