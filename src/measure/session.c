/* A session joins what is known of one viewer: which answers are picture and which are sound
 * (tracks.c), how much time each carries and how much is needed (cadence.c), what is in the buffer
 * and when it was empty (playout.c), and whether what comes is enough (need.c).
 *
 * Players buffer, so silence is no stall: a healthy video pauses its downloads for up to two
 * minutes. What tells is demand that is not served: requests open all the time, and bytes that come
 * far slower than the session needs.
 *
 *     demand      a tick in which a request waits for its first byte, or bytes arrive
 *     slow        ten seconds of demand with less than half of its need
 *     starving    slow, or every open request unanswered for longer than the service ever takes
 *     starved     the same for ten seconds: a shorter wait is what buffers are for. Live streams
 *                 have little of that
 *
 * So was one that took longer than it plays, when the player goes on over another connection,
 * though it usually keeps its connections: they have come to an end together.
 *
 * A request that waits while the picture's later ones were answered waits for nothing: players ask
 * for one segment after the other, so that it was asked for again elsewhere, or is not needed any
 * more.
 *
 * An answer that took longer than it plays, or came slower than half of the need, and is less than
 * half as large as the smallest one that came in time was given up by the player: quality has
 * steps, and nobody's lowest is below half of the lowest that was seen. It carries no time.
 *
 * The first answers and waits are told to the buffer model once the rhythm is known, and again when
 * some of them turn out to be sound: see early.c.
 *
 * Answers wait six seconds before the buffer is worked out: one that was complete without a request
 * after it is known only when nothing came behind it for five.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/session.h"

enum {
    LARGE_BYTES = 100000,
    RATES_MIN = 5,
    ANSWERS_MIN = 5,
    LEVEL_TIMES = 2,
    FILLING = 4,
    FILE_BYTES = 5000000
};
#define SETTLE_US       INT64_C(6000000)
#define STEADY_US       INT64_C(20000000) /* before, nobody's need is known */
#define BITRATE_SPAN_US INT64_C(60000000)
#define WAIT_MIN_US     INT64_C(1000000)
#define CADENCE_LIVE_US INT64_C(4000000)
#define FILE_US         INT64_C(20000000)
#define SILENCE_US      INT64_C(4000000)  /* behind an answer: it may not be complete */
#define PATIENCE_US     INT64_C(30000000) /* nobody waits for longer without trying again */

void weir_session_begin(struct weir_session *session, const struct weir_evidence *evidence) {
    static const struct weir_addr none;
    *session = (struct weir_session){
        .client = evidence->client,
        .shown = weir_addr_compare(&evidence->client_seen, &none) ? evidence->client_seen
                                                                  : evidence->client,
        .service = evidence->service,
        .midstream = evidence->midstream,
        .start_us = evidence->flow_first_us,
        .begun_us = evidence->flow_first_us,
        .active_us = evidence->ts_us,
        .active_now_us = evidence->now_us,
        .starved_slot = INT64_MIN,
    };
}

void weir_session_end(struct weir_session *session) {
    weir_early_deinit(&session->early);
    weir_reserve_deinit(&session->reserve);
    weir_playout_deinit(&session->playout);
    weir_lasting_deinit(&session->lasting);
}

bool weir_session_has_all_the_same(const struct weir_session *session,
                                   const struct weir_evidence *evidence) {
    return evidence->chunk.rest_us >= WEIR_CADENCE_REST_US && session->ladder.bytes > 0 &&
           evidence->chunk.bytes * 10 >= session->ladder.bytes * UINT64_C(7);
}

void weir_session_small(struct weir_session *session, const struct weir_evidence *evidence) {
    int64_t took_us = evidence->chunk.ttfb_us + evidence->chunk.transfer_us;
    if (took_us >= WAIT_MIN_US)
        weir_session_wanted(session, evidence->chunk.request_us,
                            evidence->chunk.request_us + took_us);
}

void weir_session_wanted(struct weir_session *session, int64_t since_us, int64_t until_us) {
    weir_cadence_spoil(&session->cadence);
    weir_early_wanted(&session->early, since_us, until_us);
    weir_reserve_wanted(&session->reserve, since_us, until_us);
    if (session->told)
        weir_playout_wanted(&session->playout, since_us, until_us, session->cadence.value_us);
}

int64_t weir_session_need_bps(const struct weir_session *session) {
    if (session->answers < ANSWERS_MIN || session->active_us - session->first.from_us < STEADY_US)
        return 0;
    return session->cadence.need_bps;
}

bool weir_session_is_enough(const struct weir_session *session, uint64_t bytes, int64_t us) {
    int64_t need_bps = weir_session_need_bps(session);
    return (double)bytes * 16e6 >= (double)need_bps * (double)(us > 0 ? us : 1);
}

/* An answer that takes longer than it plays serves nobody, though its bytes be many at the end. */
bool weir_session_is_served(const struct weir_session *session, uint64_t bytes, int64_t us) {
    int64_t value_us = session->cadence.value_us, need_bps = weir_session_need_bps(session);
    if (session->slow || !weir_session_is_enough(session, bytes, us)) return false;
    double plays_us = need_bps > 0 ? (double)bytes * 8e6 / (double)need_bps : 0;
    return value_us == 0 || us < value_us || (double)us < plays_us;
}

bool weir_session_is_being_served(const struct weir_session *session,
                                  const struct weir_evidence *progress) {
    int64_t value_us = session->cadence.value_us;
    if (progress->progress.bytes < WEIR_SMALL_BYTES || session->slow || session->thin ||
        !weir_session_is_enough(session, progress->progress.bytes, WEIR_TICK_US))
        return false;
    return value_us == 0 || progress->progress.open_us < value_us ||
           !weir_need_waited(&session->need);
}

static void take_lasting(struct weir_session *session, const struct weir_evidence *evidence,
                         int64_t asked_us);

/* Whether what comes is so little that the player waits for more. Bursts of a stream may end in a
 * trickle. */
static bool is_late(const struct weir_session *session, const struct weir_evidence *evidence) {
    if (evidence->progress.waiting) return evidence->progress.waiting_us >= WAIT_MIN_US;
    int64_t asked_us = evidence->ts_us - evidence->progress.open_us;
    if (weir_lasting_is_told(&session->lasting, evidence->client_port, asked_us))
        return session->slow;
    return evidence->progress.open_us >= 2 * WAIT_MIN_US && weir_session_need_bps(session) > 0 &&
           !weir_session_is_enough(session, evidence->progress.bytes, WEIR_TICK_US);
}

void weir_session_progress(struct weir_session *session, const struct weir_evidence *evidence,
                           int64_t timeout_us) {
    bool waiting = evidence->progress.waiting;
    if (!waiting && evidence->progress.bytes == 0) return;
    int64_t asked_us = evidence->ts_us - evidence->progress.open_us;
    if (!session->slow && asked_us > session->used_until_us) session->used_until_us = asked_us;
    if (waiting && asked_us < session->picture_request_us)
        return; /* asked for again elsewhere, or given up */
    struct weir_tick_demand *tick = &session->tick;
    if (tick->open++ == 0) tick->sample = evidence;
    tick->bytes += evidence->progress.bytes;
    if (waiting && evidence->progress.waiting_us >= timeout_us) tick->unanswered++;
    if (waiting && evidence->progress.waiting_us > tick->longest_wait_us)
        tick->longest_wait_us = evidence->progress.waiting_us;
    if (!waiting) take_lasting(session, evidence, asked_us);
    if (is_late(session, evidence) && evidence->progress.waiting_us < PATIENCE_US)
        weir_session_wanted(session, asked_us, evidence->ts_us);
}

/* A rate in 16 bits, as a float of 11 bits behind the leading one: exact to 0.05 %, and in the same
 * order as the rates. */
static uint16_t pack(uint32_t kbps) {
    unsigned shift = 0;
    while (kbps >> shift >= 1u << 12) shift++;
    return shift ? (uint16_t)((shift + 1) << 11 | (kbps >> shift & 0x7ff)) : (uint16_t)kbps;
}

static uint32_t unpack(uint16_t packed) {
    unsigned shift = packed >> 11;
    return shift > 1 ? (uint32_t)((packed & 0x7ff) | 0x800) << (shift - 1) : packed;
}

static int compare_u16(const void *a, const void *b) {
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* The lower median of the newest `max` of `n` values in a ring. */
static uint16_t median(const uint16_t *ring, uint32_t n, uint32_t max) {
    uint16_t sorted[WEIR_SESSION_RATES];
    uint32_t count = n < max ? n : max;
    memcpy(sorted, ring, count * sizeof *ring);
    qsort(sorted, count, sizeof *sorted, compare_u16);
    return sorted[(count - 1) / 2];
}

static int64_t median_kbps(const struct weir_session *session) {
    return unpack(median(session->rates, session->n_rates, WEIR_SESSION_RATES));
}

int64_t weir_session_rate_kbps(const struct weir_session *session) {
    return session->n_rates ? median_kbps(session) : -1;
}

int64_t weir_session_median_kbps(const struct weir_session *session) {
    return session->n_rates < RATES_MIN ? -1 : median_kbps(session);
}

/* Bytes of the picture over the time that they carry; else over a minute and more of steady
 * playing. */
int64_t weir_session_bitrate_bps(const struct weir_session *session) {
    int64_t span_us = session->active_us - session->first.from_us,
            value_us = session->cadence.value_us;
    if (value_us > 0 && session->chunks)
        return (int64_t)((double)session->picture_bytes * 8e6 /
                         ((double)value_us * session->chunks));
    bool steady =
        session->answers > 1 && span_us >= BITRATE_SPAN_US && session->on_us < span_us / 2;
    return steady ? (int64_t)((double)session->media_bytes * 8e6 / (double)span_us) : WEIR_NULL;
}

static int64_t rate_kbps(uint64_t bytes, int64_t us) {
    double rate = (double)bytes * 8000 / (double)(us > 0 ? us : 1);
    return rate > UINT32_MAX ? UINT32_MAX : (int64_t)rate;
}

/* A step of quality is a third and more; two answers in a row make one. */
static void climb(struct weir_ladder *ladder, uint32_t bytes) {
    if (ladder->bytes == 0) ladder->bytes = bytes;
    bool same = (uint64_t)bytes * 4 < (uint64_t)ladder->bytes * 5 &&
                (uint64_t)bytes * 5 > (uint64_t)ladder->bytes * 4;
    bool next = ladder->n_next && (uint64_t)bytes * 4 < (uint64_t)ladder->next_bytes * 5 &&
                (uint64_t)bytes * 5 > (uint64_t)ladder->next_bytes * 4;
    if (same) {
        ladder->n_next = 0;
        ladder->bytes = (uint32_t)((int64_t)ladder->bytes + ((int64_t)bytes - ladder->bytes) / 4);
        return;
    }
    uint32_t apart = bytes > ladder->bytes ? bytes - ladder->bytes : ladder->bytes - bytes;
    uint32_t least = bytes < ladder->bytes ? bytes : ladder->bytes;
    if (apart < least / 3) return;
    ladder->n_next = next ? (uint8_t)(ladder->n_next + 1) : 1;
    ladder->next_bytes = bytes;
    if (ladder->n_next < LEVEL_TIMES) return;
    ladder->bytes = bytes;
    ladder->n_next = 0;
    ladder->changes++;
}

/* The player gave it up, or it goes on later: see above. */
static bool is_given_up(const struct weir_session *session, uint64_t bytes, int64_t took_us,
                        int64_t rest_us) {
    int64_t value_us = session->cadence.value_us;
    bool late = took_us >= value_us || rest_us >= SILENCE_US + value_us ||
                !weir_session_is_enough(session, bytes, took_us);
    return value_us > 0 && late && bytes * 2 < session->least_bytes;
}

/* ---- what came early ---- */

/* The rhythm again, now that it is known which answers are sound. */
static void learn_early(struct weir_session *session) {
    const struct weir_early *early = &session->early;
    for (int i = 0; i < early->n; i++) {
        const struct weir_early_note *note = &early->notes[i];
        if (note->bytes == 0)
            weir_cadence_spoil(&session->cadence);
        else if (weir_tracks_is_sound(&session->tracks, note->bytes))
            weir_cadence_add_sound(&session->cadence, note->bytes);
        else
            weir_cadence_add(&session->cadence, weir_early_from_us(early, note),
                             weir_early_at_us(early, note), note->bytes);
    }
}

/* The smallest answer of the picture that came in time. */
static uint32_t least_of_early(const struct weir_session *session) {
    uint32_t least = 0;
    for (int i = 0; i < session->early.n; i++) {
        const struct weir_early_note *note = &session->early.notes[i];
        bool late = (int64_t)(note->at_ms - note->from_ms) * 1000 >= session->cadence.value_us;
        if (note->bytes == 0 || late || weir_tracks_is_sound(&session->tracks, note->bytes))
            continue;
        least = least == 0 || note->bytes < least ? note->bytes : least;
    }
    return least;
}

/* Once it is known what an answer carries, or more came than is kept. */
static void tell_early(struct weir_session *session) {
    const struct weir_early *early = &session->early;
    int64_t value_us = session->cadence.value_us, latest_us = 0;
    if (session->told || (value_us == 0 && !early->full)) return;
    session->told = true;
    weir_playout_forget(&session->playout);
    session->least_bytes = least_of_early(session);
    for (int i = 0; i < early->n; i++) {
        const struct weir_early_note *note = &early->notes[i];
        int64_t from_us = weir_early_from_us(early, note), at_us = weir_early_at_us(early, note);
        bool wait = note->bytes == 0,
             sound = !wait && weir_tracks_is_sound(&session->tracks, note->bytes);
        if (wait || (!sound && is_given_up(session, note->bytes, at_us - from_us, 0)))
            weir_playout_wanted(&session->playout, from_us, at_us, value_us);
        else if (!sound)
            weir_playout_answer(&session->playout, from_us, at_us, value_us);
        if (at_us > latest_us) latest_us = at_us;
        weir_playout_settle(&session->playout, latest_us - SETTLE_US, value_us);
    }
}

static void take_sound(struct weir_session *session, uint32_t found, uint64_t bytes) {
    session->sound_chunks += 1 + found;
    weir_cadence_add_sound(&session->cadence, bytes);
    if (found == 0) return;
    weir_cadence_forget(&session->cadence);
    if (session->early.full)
        weir_playout_take_back(&session->playout, found);
    else {
        session->told = false;
        weir_playout_forget(&session->playout); /* it took sound for picture */
    }
    learn_early(session);
    if (session->early.full)
        weir_cadence_spoil(&session->cadence); /* what came since is no burst */
    session->chunks -= found < session->chunks ? found : session->chunks;
    uint64_t sound_bytes = (uint64_t)found * bytes;
    session->picture_bytes -=
        sound_bytes < session->picture_bytes ? sound_bytes : session->picture_bytes;
    session->least_bytes = 0;
}

static void take_picture(struct weir_session *session, uint64_t bytes, int64_t request_us,
                         int64_t done_us, int64_t rest_us) {
    int64_t value_us = session->cadence.value_us, took_us = done_us - request_us;
    if (is_given_up(session, bytes, took_us, rest_us)) {
        if (rest_us < took_us || took_us >= WAIT_MIN_US)
            weir_session_wanted(session, request_us, done_us);
        return;
    }
    uint32_t size = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    if ((value_us == 0 || took_us < value_us) &&
        (session->least_bytes == 0 || size < session->least_bytes))
        session->least_bytes = size;
    if (request_us > session->picture_request_us) session->picture_request_us = request_us;
    session->chunks++;
    session->picture_bytes += size;
    climb(&session->ladder, size);
    weir_cadence_add(&session->cadence, request_us, done_us, bytes);
    weir_early_answer(&session->early, request_us, done_us, size);
    if (session->told)
        weir_playout_answer(&session->playout, request_us, done_us, session->cadence.value_us);
    else
        tell_early(session);
}

/* An answer, or a burst of a long one. */
static void take_media(struct weir_session *session, uint64_t bytes, int64_t request_us,
                       int64_t done_us, int64_t rest_us) {
    uint32_t found;
    if (session->answers == 0)
        session->first = (struct weir_lasting_burst){request_us, done_us, rest_us, bytes};
    /* what came too slowly is no measure of what is needed */
    if (session->answers == 0 || !session->slow) {
        session->answered_bytes += bytes;
        if (done_us > session->used_until_us) session->used_until_us = done_us;
    }
    if (++session->answers >= 2 && !session->second_chunk_us && session->resumed_us != request_us)
        session->second_chunk_us = done_us;
    if (weir_tracks_add(&session->tracks, bytes, &found) == WEIR_MEDIA_SOUND) {
        take_sound(session, found, bytes);
        weir_early_answer(&session->early, request_us, done_us, (uint32_t)bytes);
    } else
        take_picture(session, bytes, request_us, done_us, rest_us);
}

/* The rest of an answer, after a silence behind which it was taken for complete: it was not, and
 * the player has waited meanwhile. Twice as much as the picture's answers carry is no rest, but
 * another answer, whose request was not seen. */
static bool take_rest(struct weir_session *session, struct weir_last_answer *last, uint64_t bytes,
                      int64_t done_us) {
    int64_t value_us = session->cadence.value_us;
    uint64_t whole = last->bytes + bytes;
    if (whole > 1.5 * session->ladder.bytes || whole > UINT32_MAX) return false;
    weir_session_wanted(session, last->done_us, done_us);
    if (last->counted) {
        session->picture_bytes += bytes;
        weir_early_longer(&session->early, last->request_us, done_us, (uint32_t)whole);
        if (session->told) {
            weir_playout_give_up(&session->playout, value_us);
            weir_playout_answer(&session->playout, last->request_us, done_us, value_us);
        }
    } else if (whole * 2 >= session->least_bytes) {
        take_picture(session, whole, last->request_us, done_us, 0);
        last->counted = true;
    }
    last->bytes = whole;
    last->done_us = done_us;
    return true;
}

/* One request is answered for minutes. As much as a steady burst brings is enough to begin with:
 * when that had come of the first one, the picture ran. */
static void begin_to_last(struct weir_session *session, uint64_t steady_bytes) {
    const struct weir_lasting_burst *first = &session->first;
    if (session->lasts) return;
    session->lasts = true;
    double part = first->bytes ? (double)steady_bytes / (double)first->bytes : 1;
    session->second_chunk_us =
        first->from_us +
        (int64_t)((double)(first->done_us - first->from_us) * (part < 1 ? part : 1));
}

static void take_lasting(struct weir_session *session, const struct weir_evidence *evidence,
                         int64_t asked_us) {
    struct weir_lasting_burst bursts[WEIR_LASTING_BURSTS];
    int64_t last_us = evidence->progress.last_us ? evidence->progress.last_us : evidence->ts_us;
    int n = weir_lasting_tick(&session->lasting, evidence->client_port, asked_us, last_us,
                              evidence->progress.bytes, session->lasts, bursts);
    for (int i = 0; i < n; i++) {
        const struct weir_lasting_burst *burst = &bursts[i];
        weir_reserve_answer(&session->reserve, burst->from_us, burst->done_us, burst->bytes);
        take_media(session, burst->bytes, burst->from_us, burst->done_us, burst->rest_us);
    }
    if (n) begin_to_last(session, bursts[n - 1].bytes);
}

/* Rests of five seconds and more end an answer, as far as is known by then: what comes behind one
 * is a piece. Three large ones, twenty seconds behind the request and later, are bursts. */
static void note_piece(struct weir_session *session, int64_t request_us, int64_t done_us,
                       uint64_t bytes) {
    if (bytes < LARGE_BYTES || done_us - request_us < STEADY_US) return;
    session->n_resumed = session->resumed_us == request_us ? (uint8_t)(session->n_resumed + 1) : 1;
    session->resumed_us = request_us;
    if (session->n_resumed >= WEIR_LASTING_RESTS) {
        session->n_resumed = 0;
        begin_to_last(session, bytes);
    }
}

/* Before each answer: was the one before it given up together with its connection? */
static void note_connection(struct weir_session *session, uint16_t port, int64_t took_us) {
    int64_t value_us = session->cadence.value_us;
    bool moved = session->port && session->port != port;
    if (moved && session->late && session->moved * 3 <= session->kept && session->chunks) {
        session->chunks--;
        weir_playout_give_up(&session->playout, value_us);
    }
    if (session->port && !session->late) {
        session->moved += moved;
        session->kept += !moved;
    }
    session->port = port;
    session->late = value_us > 0 && took_us >= value_us;
}

/* The last answer of this connection; of one that is new here the older of the two gives way. */
static struct weir_last_answer *last_of(struct weir_session *session, uint16_t port) {
    struct weir_last_answer *last = session->last;
    for (int i = 0; i < 2; i++)
        if (last[i].port == port) return &last[i];
    return &last[last[1].done_us < last[0].done_us];
}

bool weir_session_chunk(struct weir_session *session, const struct weir_evidence *evidence) {
    uint64_t bytes = evidence->chunk.bytes;
    int64_t transfer_us = evidence->chunk.transfer_us > 0 ? evidence->chunk.transfer_us : 0;
    int64_t wait_us = evidence->chunk.ttfb_us > 0 ? evidence->chunk.ttfb_us : 0;
    bool resumed = evidence->chunk.ttfb_us < 0; /* its first byte was not the answer's first */
    int64_t request_us = evidence->chunk.request_us;
    int64_t done_us = resumed ? evidence->ts_us : request_us + wait_us + transfer_us;
    int64_t median_kbps = weir_session_median_kbps(session);
    bool quick = median_kbps < 0 || rate_kbps(bytes, transfer_us) * 2 >= median_kbps;
    struct weir_last_answer *answer = last_of(session, evidence->client_port);
    if (!weir_lasting_is_told(&session->lasting, evidence->client_port, request_us))
        weir_reserve_answer(&session->reserve, done_us - transfer_us, done_us, bytes);
    if (resumed) note_piece(session, request_us, done_us, bytes);
    if (resumed && session->lasts) request_us = done_us - transfer_us;
    if (resumed && !session->lasts && answer->port == evidence->client_port &&
        answer->request_us == request_us && take_rest(session, answer, bytes, done_us))
        return false;
    note_connection(session, evidence->client_port, done_us - request_us);
    uint32_t pictures = session->chunks;
    session->on_us += wait_us + transfer_us;
    struct weir_lasting_burst last = {request_us, done_us, 0, bytes};
    bool lasted = weir_lasting_end(&session->lasting, evidence->client_port,
                                   evidence->chunk.request_us, bytes, &last);
    if (lasted) weir_reserve_answer(&session->reserve, last.from_us, last.done_us, last.bytes);
    if (!lasted || last.bytes >= WEIR_SMALL_BYTES)
        take_media(session, last.bytes, last.from_us, last.done_us, evidence->chunk.rest_us);
    *answer = (struct weir_last_answer){request_us, done_us, bytes, evidence->client_port,
                                        session->chunks > pictures};
    /* sound and what was given up are not taken back */
    session->late &= session->chunks > pictures;
    if (bytes < LARGE_BYTES) return false;
    if (!session->slow && transfer_us > 0)
        session->rates[session->n_rates++ % WEIR_SESSION_RATES] =
            pack((uint32_t)rate_kbps(bytes, transfer_us));
    return !quick;
}

static bool is_unanswered(const struct weir_session *session, enum weir_service_kind kind) {
    const struct weir_tick_demand *tick = &session->tick;
    if (tick->open == 0) return false;
    if (tick->unanswered == tick->open) return true;
    int64_t cadence_us = session->cadence.value_us;
    int64_t live_us = cadence_us * 3 > CADENCE_LIVE_US ? cadence_us * 3 : CADENCE_LIVE_US;
    return kind == WEIR_KIND_LIVE && cadence_us > 0 && tick->bytes == 0 &&
           tick->longest_wait_us >= live_us;
}

/* One more tick of a spell, which began before it was noticed. */
static int64_t spell_tick(struct weir_session *session, bool was, int64_t now_us) {
    int64_t before_us = session->tick.longest_wait_us;
    if (before_us < WEIR_NEED_TICKS * WEIR_TICK_US && session->slow)
        before_us = WEIR_NEED_TICKS * WEIR_TICK_US;
    int64_t since_us = was ? session->starved_end_us : now_us - before_us;
    if (since_us < session->starved_end_us) since_us = session->starved_end_us;
    if (!was) {
        session->spells++;
        session->spell_us = 0;
    }
    session->starved_end_us = now_us;
    session->starved_us += now_us - since_us;
    session->spell_us += now_us - since_us;
    if (session->spell_us > session->longest_us) session->longest_us = session->spell_us;
    return now_us - since_us;
}

static bool has_few_answers(const struct weir_session *session) {
    return !session->cadence.need_bps && session->answers < ANSWERS_MIN;
}

/* Until its rhythm is known a quarter of what it used over time, pauses included: a player that
 * fills its buffer takes up to four times what it plays. That tells a collapse, and nothing finer.
 * Requests too short to be seen make one answer without an end: then it used what came.
 */
static int64_t least_need_bps(const struct weir_session *session) {
    if (has_few_answers(session))
        return session->came_ticks * WEIR_TICK_US < STEADY_US
                   ? 0
                   : (int64_t)(session->came_bytes * 8 / session->came_ticks / FILLING);
    if (session->cadence.need_bps) return weir_session_need_bps(session);
    int64_t us = session->used_until_us - session->first.from_us;
    if (us < STEADY_US) return 0;
    return (int64_t)((double)session->answered_bytes * 8e6 / (double)us / FILLING);
}

int64_t weir_session_short_since_us(const struct weir_session *session, int64_t now_us) {
    return now_us - weir_need_short_ticks(&session->need, least_need_bps(session)) * WEIR_TICK_US;
}

/* Of bursts: only while it waits for one. */
static int64_t still_since_us(const struct weir_session *session) {
    struct weir_reserve_habits habits = {.rate_bps = session->cadence.need_bps};
    struct weir_reserve_found found = {0};
    if (habits.rate_bps <= 0 || (!session->playout.wanted_us && !session->playout.n_queue))
        return 0;
    return weir_reserve_find(&session->reserve, &habits, &found) ? found.still_us : 0;
}

/* What could not be seen to fail must not speak for its service: no answers are seen, and less than
 * a quarter comes of what came before. */
static void take_tick(struct weir_session *session, int64_t need_bps) {
    session->thin = has_few_answers(session) && weir_need_is_slow(&session->need, 2 * need_bps);
    if (session->thin || (session->came_ticks == 0 && session->tick.bytes == 0)) return;
    session->came_bytes += session->tick.bytes;
    session->came_ticks++;
}

int64_t weir_session_tick(struct weir_session *session, enum weir_service_kind kind,
                          int64_t now_us) {
    weir_need_tick(&session->need, session->tick.open > 0, session->tick.bytes);
    tell_early(session);
    int64_t value_us = session->cadence.value_us;
    weir_playout_settle(&session->playout, now_us - SETTLE_US, value_us);
    session->still_us = session->lasts
                            ? still_since_us(session)
                            : weir_playout_still_since_us(&session->playout, now_us, value_us);
    int64_t need_bps = least_need_bps(session);
    take_tick(session, need_bps);
    bool was = session->starved, unanswered = is_unanswered(session, kind);
    session->slow = weir_need_is_slow(&session->need, need_bps);
    session->starving = session->slow || unanswered;
    session->starved =
        session->slow ||
        (unanswered && (kind == WEIR_KIND_LIVE ||
                        session->tick.longest_wait_us >= WEIR_NEED_TICKS * WEIR_TICK_US));
    return session->starved ? spell_tick(session, was, now_us) : 0;
}

/* A file that is played while it comes: at this rate the picture began long before its end, and
 * nothing shows when. A first segment on a bad network takes as long, but is smaller. */
static bool begins_with_a_file(const struct weir_session *session) {
    const struct weir_lasting_burst *first = &session->first;
    return !session->lasts && first->bytes >= FILE_BYTES &&
           first->done_us - first->from_us >= FILE_US;
}

int64_t weir_session_startup_us(const struct weir_session *session) {
    int64_t from_us = session->midstream ? session->first.from_us : session->begun_us;
    if (!session->second_chunk_us || begins_with_a_file(session)) return WEIR_NULL;
    return session->second_chunk_us > from_us ? session->second_chunk_us - from_us : 0;
}

void weir_session_settle(struct weir_session *session) {
    weir_cadence_guess(&session->cadence);
    tell_early(session);
    weir_playout_finish(&session->playout, session->cadence.value_us);
}
