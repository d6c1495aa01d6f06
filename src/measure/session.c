/* Players buffer, so silence is no stall: a healthy video pauses its downloads for up to two minutes. What tells is
 * demand that is not served: requests open all the time, and bytes that come far slower than this session used to get.
 *
 *     demand      a tick in which a request waits for its first byte, or bytes arrive
 *     slow        15 ticks with demand in all but two of them at most, their rate below half of the session's own
 *                 median chunk, and no chunk in the meantime that shows the client being served: of 30 kB or more and
 *                 at half the median or faster, or done so soon that its flow then rested for as long as it took. Short
 *                 segments with pauses between them have a low average and are served well. A chunk below a tenth of
 *                 the mean size shows nothing by resting: sound rests while the picture that it waits for is too slow
 *     starving    slow, or every open request unanswered for longer than the service ever takes
 *
 * Chunks that came while slow don't enter the median, else a throttled session would soon find itself normal.
 * Blind spot: a player that lowers its quality in time is not starved, only worse.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/session.h"

enum { LARGE_BYTES = 100000, VETO_BYTES = 30000, RATES_MIN = 5, CADENCE_MIN = 5 };
#define BITRATE_SPAN_US INT64_C(60000000)
#define POSSIBLE_US INT64_C(40000000)      /* starved for longer: playback may stand still */
#define BUFFER_VOD_US INT64_C(120000000)   /* no buffer lasts longer */
#define BUFFER_LIVE_US INT64_C(6000000)

void weir_session_begin(struct weir_session *session, const struct weir_evidence *evidence)
{
    *session = (struct weir_session){
        .client = evidence->client,
        .service = evidence->service,
        .midstream = evidence->midstream,
        .start_us = evidence->flow_first_us,
        .active_us = evidence->ts_us,
        .active_now_us = evidence->now_us,
        .useful_slot = INT64_MIN,
        .starved_slot = INT64_MIN,
    };
}

void weir_session_progress(struct weir_session *session, const struct weir_evidence *evidence, int64_t timeout_us)
{
    bool demand = evidence->progress.waiting || evidence->progress.bytes > 0;
    if (!demand)
        return;
    struct weir_tick_demand *tick = &session->tick;
    if (tick->open++ == 0)
        tick->sample = evidence;
    tick->bytes += evidence->progress.bytes;
    if (evidence->progress.waiting && evidence->progress.waiting_us >= timeout_us)
        tick->unanswered++;
    if (evidence->progress.waiting && evidence->progress.waiting_us > tick->longest_wait_us)
        tick->longest_wait_us = evidence->progress.waiting_us;
}

/* A rate in 16 bits, as a float of 11 bits behind the leading one: exact to 0.05 %, and in the same order as the rates. */
static uint16_t pack(uint32_t kbps)
{
    unsigned shift = 0;
    while (kbps >> shift >= 1u << 12)
        shift++;
    return shift ? (uint16_t)((shift + 1) << 11 | (kbps >> shift & 0x7ff)) : (uint16_t)kbps;
}

static uint32_t unpack(uint16_t packed)
{
    unsigned shift = packed >> 11;
    return shift > 1 ? (uint32_t)((packed & 0x7ff) | 0x800) << (shift - 1) : packed;
}

static int compare_u16(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* The lower median of the newest `max` of `n` values in a ring. */
static uint16_t median(const uint16_t *ring, uint32_t n, uint32_t max)
{
    uint16_t sorted[WEIR_SESSION_RATES];
    uint32_t count = n < max ? n : max;
    memcpy(sorted, ring, count * sizeof *ring);
    qsort(sorted, count, sizeof *sorted, compare_u16);
    return sorted[(count - 1) / 2];
}

static int64_t median_kbps(const struct weir_session *session)
{
    return unpack(median(session->rates, session->n_rates, WEIR_SESSION_RATES));
}

int64_t weir_session_median_kbps(const struct weir_session *session)
{
    return session->n_rates < RATES_MIN ? -1 : median_kbps(session);
}

int64_t weir_session_cadence_us(const struct weir_session *session)
{
    if (session->n_cadence < CADENCE_MIN)
        return -1;
    return (int64_t)median(session->cadence_ms, session->n_cadence, WEIR_SESSION_CADENCE) * 1000;
}

int64_t weir_session_bitrate_bps(const struct weir_session *session)
{
    int64_t span_us = session->active_us - session->first_request_us;
    bool steady = session->chunks > 1 && span_us >= BITRATE_SPAN_US && session->on_us < span_us / 2;
    return steady ? (int64_t)((double)session->media_bytes * 8e6 / (double)span_us) : WEIR_NULL;
}

static void note_request(struct weir_session *session, int64_t request_us)
{
    int64_t gap_us = request_us - session->last_request_us;
    if (session->last_request_us && gap_us > 0 && gap_us < BITRATE_SPAN_US)
        session->cadence_ms[session->n_cadence++ % WEIR_SESSION_CADENCE] = (uint16_t)(gap_us / 1000);
    if (request_us > session->last_request_us)
        session->last_request_us = request_us;
}

static void run_end(struct weir_session *session)
{
    session->run_ticks = 0;
    session->quiet_ticks = 0;
    session->run_open = 0;
    session->slow = false;
}

static int64_t rate_kbps(uint64_t bytes, int64_t us)
{
    double rate = (double)bytes * 8000 / (double)(us > 0 ? us : 1);
    return rate > UINT32_MAX ? UINT32_MAX : (int64_t)rate;
}

/* True when it was served at half of the session's own median rate or faster, or that is not known. */
static bool chunk_is_quick(const struct weir_session *session, const struct weir_evidence *evidence)
{
    int64_t median_kbps = weir_session_median_kbps(session);
    return median_kbps < 0 || rate_kbps(evidence->chunk.bytes, evidence->chunk.transfer_us) * 2 >= median_kbps;
}

/* True when it shows that the client was served (see above). */
static bool chunk_serves(const struct weir_session *session, const struct weir_evidence *evidence, int64_t on_us,
    bool quick)
{
    if (evidence->chunk.bytes < VETO_BYTES)
        return false;
    double mean_bytes = (double)session->media_bytes / (double)session->chunks;
    return quick || (evidence->chunk.rest_us >= on_us && (double)evidence->chunk.bytes * 10 >= mean_bytes);
}

bool weir_session_chunk(struct weir_session *session, const struct weir_evidence *evidence)
{
    uint64_t bytes = evidence->chunk.bytes;
    int64_t transfer_us = evidence->chunk.transfer_us > 0 ? evidence->chunk.transfer_us : 0;
    int64_t wait_us = evidence->chunk.ttfb_us > 0 ? evidence->chunk.ttfb_us : 0;
    bool quick = chunk_is_quick(session, evidence);
    note_request(session, evidence->chunk.request_us);
    if (session->chunks == 0)
        session->first_request_us = evidence->chunk.request_us;
    if (++session->chunks == 2)
        session->second_chunk_us = evidence->chunk.request_us + wait_us + transfer_us;
    session->on_us += wait_us + transfer_us;
    if (chunk_serves(session, evidence, wait_us + transfer_us, quick))
        run_end(session);
    if (bytes < LARGE_BYTES)
        return false;
    if (!session->slow && transfer_us > 0)
        session->rates[session->n_rates++ % WEIR_SESSION_RATES] = pack((uint32_t)rate_kbps(bytes, transfer_us));
    return !quick;
}

static void run_add(struct weir_session *session, bool open)
{
    session->run_open = session->run_open << 1 | open;
    session->run_bytes[session->run_ticks++ % WEIR_SESSION_RUN] =
        session->tick.bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)session->tick.bytes;
}

/* A run begins with demand, and ends when there was none for three ticks. */
static void run_tick(struct weir_session *session)
{
    bool open = session->tick.open > 0;
    session->quiet_ticks = open ? 0 : (uint8_t)(session->quiet_ticks + 1);
    if (session->quiet_ticks >= WEIR_SESSION_QUIET)
        run_end(session);
    else if (open || session->run_ticks)
        run_add(session, open);
}

static bool is_slow(const struct weir_session *session)
{
    int n_open = __builtin_popcount(session->run_open & ((1u << WEIR_SESSION_RUN) - 1));
    if (session->run_ticks < WEIR_SESSION_RUN || n_open + WEIR_SESSION_QUIET <= WEIR_SESSION_RUN)
        return false;
    uint64_t bytes = 0;
    for (int i = 0; i < WEIR_SESSION_RUN; i++)
        bytes += session->run_bytes[i];
    int64_t rate = rate_kbps(bytes, INT64_C(1000000) * WEIR_SESSION_RUN);
    int64_t median_kbps = weir_session_median_kbps(session), bitrate_bps = weir_session_bitrate_bps(session);
    return bytes > 0 && ((median_kbps > 0 && rate * 2 < median_kbps) || (bitrate_bps > 0 && rate * 2000 < bitrate_bps));
}

static bool is_unanswered(const struct weir_session *session, enum weir_service_kind kind)
{
    const struct weir_tick_demand *tick = &session->tick;
    if (tick->open == 0)
        return false;
    if (tick->unanswered == tick->open)
        return true;
    int64_t cadence_us = weir_session_cadence_us(session);
    int64_t live_us = cadence_us * 3 > 4000000 ? cadence_us * 3 : 4000000;
    return kind == WEIR_KIND_LIVE && cadence_us > 0 && tick->bytes == 0 && tick->longest_wait_us >= live_us;
}

int64_t weir_session_tick(struct weir_session *session, enum weir_service_kind kind, int64_t now_us)
{
    run_tick(session);
    session->slow = is_slow(session);
    bool unanswered = is_unanswered(session, kind);
    bool was = session->starving;
    session->starving = session->slow || unanswered;
    int64_t added_us = 0;
    if (session->starving) {
        int64_t before_us = session->slow ? INT64_C(1000000) * WEIR_SESSION_RUN : session->tick.longest_wait_us;
        int64_t since_us = was ? session->starved_end_us : now_us - before_us;
        if (since_us < session->starved_end_us)
            since_us = session->starved_end_us;
        added_us = now_us - since_us;
        if (!was) {
            session->spells++;
            session->spell_us = 0;
        }
        session->starved_end_us = now_us;
        session->starved_us += added_us;
        session->spell_us += added_us;
        if (session->spell_us > session->longest_us)
            session->longest_us = session->spell_us;
    }
    return added_us;
}

static enum weir_stall_confidence stall_confidence(const struct weir_session *session, enum weir_service_kind kind)
{
    int64_t buffer_us = kind == WEIR_KIND_LIVE ? BUFFER_LIVE_US : BUFFER_VOD_US;
    if (session->longest_us >= buffer_us)
        return WEIR_STALL_LIKELY;
    return session->longest_us >= POSSIBLE_US ? WEIR_STALL_POSSIBLE : WEIR_STALL_NONE;
}

static void report_startup(const struct weir_session *session, struct weir_session_record *record)
{
    int64_t startup_us = session->second_chunk_us - session->start_us;
    record->startup_us = WEIR_NULL;
    if (session->midstream)
        record->startup_reason = WEIR_REASON_NO_HANDSHAKE;
    else if (session->chunks < 2)
        record->startup_reason = WEIR_REASON_NO_SAMPLE;
    else
        record->startup_us = startup_us > 0 ? startup_us : 0;
}

void weir_session_report(const struct weir_session *session, enum weir_service_kind kind,
    struct weir_session_record *ret_record)
{
    int64_t bitrate_bps = weir_session_bitrate_bps(session);
    *ret_record = (struct weir_session_record){
        .start_us = session->start_us,
        .end_us = session->active_us > session->start_us ? session->active_us : session->start_us,
        .client = session->client,
        .service = session->service,
        .media_bytes = session->media_bytes,
        .chunks = session->chunks,
        .small_answers = session->small_answers,
        .bitrate_bps = bitrate_bps,
        .bitrate_reason = bitrate_bps == WEIR_NULL ? WEIR_REASON_NO_SAMPLE : WEIR_REASON_NONE,
        .goodput_p50_bps = session->n_rates ? median_kbps(session) * 1000 : WEIR_NULL,
        .starved_us = session->starved_us,
        .starved_spells = session->spells,
        .longest_starved_us = session->longest_us,
        .hollow = session->hollow_answers,
        .confidence = (uint8_t)stall_confidence(session, kind),
    };
    report_startup(session, ret_record);
}
