/* At a site with many clients somebody always asks: a service that nobody tries any more, while all else is tried as usual, is
 * in trouble that no trial shows (METHODS 6.4). So it looks where names can't be seen and don't resolve, or an app that fails
 * before it ever connects.
 *
 * What is counted each minute is clients that tried to connect, TCP or QUIC, whatever came of it: one machine that tries ten
 * times a second is one. Expected is the least of three rates: of this hour of the week, of the next one, and of the hour just
 * before, so that neither the slow end of an evening nor an unusually busy one counts, nor a match that ends early. It is
 * scaled down by what all the others did of theirs: where everybody left, nobody is silent. The count is negative binomial,
 * with an over-dispersion learned from the service's own minutes. An alarm needs P(X <= seen) < silence_p over one to ten
 * minutes, and that at least four in five are missing.
 *
 * Homes are idle for good reasons: nothing is judged below silence_clients active clients, in the first day, nor in an hour of
 * the day that was never seen. Blind spots: what fades over an hour; a service that few use; what people stop wanting all at once.
 *
 * Clients are counted by the empty bits of a bitmap (linear counting: Whang, Vander-Zanden, Taylor 1990).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/state.h"

#define MINUTE_US INT64_C(60000000)
#define HOUR_US   INT64_C(3600000000)
#define DAY_US    INT64_C(86400000000)
enum { SLOTS_A_MINUTE = 6, WINDOWS = 10, CLEAR_WINDOW = 5, BEFORE = 60, KNOWN_MIN = 30, HOUR_MEMORY = 180, SPREAD_MIN = 60 };
static const double least_dispersion = 0.02, first_dispersion = 0.1, missing_min = 0.8, others_min = 0.5,
                    unremarkable = 1e-3, spread_decay = 1 - 1.0 / 4320;

double weir_silence_tail(double x, double mean, double dispersion)
{
    double size = 1 / dispersion, sum = 0;
    for (double j = 0; j <= x; j++)
        sum += exp(lgamma(j + size) - lgamma(size) - lgamma(j + 1) + size * log(size / (size + mean)) + j * log(mean / (size + mean)));
    return sum;
}

void weir_silence_note(struct weir_detector *detector, const struct weir_trial *trial)
{
    struct weir_service_state *service = &detector->services[trial->service];
    if (trial->layer != WEIR_LAYER_CONNECT && trial->layer != WEIR_LAYER_QUIC)
        return;
    if (!service->silence)
        service->silence = calloc(1, sizeof *service->silence);
    if (!service->silence) /* without memory nothing is learned, and nothing said */
        return;
    uint32_t bit = weir_addr_mix(&trial->client) % WEIR_SILENCE_BITS;
    service->silence->tried[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static double count(struct weir_silence *silence)
{
    unsigned set = 0;
    for (unsigned i = 0; i < WEIR_SILENCE_BITS / 64; i++)
        set += (unsigned)__builtin_popcountll(silence->tried[i]);
    memset(silence->tried, 0, sizeof silence->tried);
    unsigned empty = set < WEIR_SILENCE_BITS ? WEIR_SILENCE_BITS - set : 1;
    return WEIR_SILENCE_BITS * log((double)WEIR_SILENCE_BITS / empty);
}

static float *at_minute(struct weir_silence *silence, int64_t minute)
{
    return &silence->minutes[(uint64_t)minute % WEIR_SILENCE_RING];
}

/* ---- what is normal ---- */

static size_t hour_of(int64_t minute)
{
    int64_t hour = minute / 60 % WEIR_HOURS;
    return (size_t)(hour < 0 ? hour + WEIR_HOURS : hour);
}

/* Of this hour of the week; where it was never seen the least of other days' at that hour. < 0: not known. */
static double rate_of_hour(const struct weir_silence *silence, int64_t minute)
{
    size_t hour = hour_of(minute);
    double least = -1;
    if (silence->hours[hour].n >= KNOWN_MIN)
        return silence->hours[hour].mean;
    for (size_t day = 1; day < 7; day++) {
        size_t other = (hour + 24 * day) % WEIR_HOURS;
        if (silence->hours[other].n >= KNOWN_MIN && (least < 0 || silence->hours[other].mean < least))
            least = silence->hours[other].mean;
    }
    return least;
}

/* Mean of the hour that ended `skip` minutes before the end of this one. < 0: not known. */
static double rate_before(struct weir_silence *silence, int64_t minute, int skip)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < BEFORE; i++) {
        float value = *at_minute(silence, minute - skip - i);
        sum += value >= 0 ? value : 0;
        n += value >= 0;
    }
    return n >= KNOWN_MIN ? sum / n : -1;
}

static double rate(struct weir_silence *silence, int64_t minute, int window)
{
    double now = rate_of_hour(silence, minute), next = rate_of_hour(silence, minute + 60),
           before = silence->alarm ? silence->before : rate_before(silence, minute, window);
    return now < 0 || next < 0 || before < 0 ? -1 : fmin(fmin(now, next), before);
}

static double dispersion(const struct weir_silence *silence)
{
    return silence->n_spread < SPREAD_MIN ? first_dispersion : fmax(least_dispersion, silence->excess / silence->square);
}

/* A minute enters what is normal when it is known not to belong to a silence. */
static void learn(struct weir_detector *detector, struct weir_service_state *service, int64_t minute)
{
    struct weir_silence *silence = service->silence;
    float x = *at_minute(silence, minute);
    if (x < 0 || silence->alarm || service->incident.open || detector->uplink_case.open)
        return;
    uint32_t *n = &silence->hours[hour_of(minute)].n;
    float *mean = &silence->hours[hour_of(minute)].mean;
    *n += *n < HOUR_MEMORY;
    *mean += (x - *mean) / (float)*n;
    double expected = rate_before(silence, minute, 1);
    if (expected < 1)
        return;
    silence->excess = silence->excess * spread_decay + (x - expected) * (x - expected) - expected;
    silence->square = silence->square * spread_decay + expected * expected;
    silence->n_spread += silence->n_spread < UINT32_MAX;
}

/* ---- what is silent ---- */

struct counts { /* over one window, by service */
    double seen[WEIR_SERVICES_MAX], expected[WEIR_SERVICES_MAX]; /* expected < 0: nothing can be said */
    double all_seen, all_expected;
};

static void count_window(struct weir_detector *detector, int64_t minute, int window, struct counts *counts)
{
    *counts = (struct counts){0};
    for (size_t id = WEIR_SERVICE_OTHER; id < detector->n_services; id++) {
        struct weir_silence *silence = detector->services[id].silence;
        double each = silence ? rate(silence, minute, window) : -1;
        counts->expected[id] = each < 0 ? -1 : each * window;
        for (int i = 0; each >= 0 && i < window; i++) {
            float value = *at_minute(silence, minute - i);
            counts->seen[id] += value >= 0 ? value : 0;
            if (value < 0)
                counts->expected[id] = each = -1;
        }
        if (each < 0)
            continue;
        counts->all_seen += counts->seen[id];
        counts->all_expected += counts->expected[id];
    }
}

/* False when the others can't tell whether everybody left. */
static bool is_silent(const struct weir_detector *detector, const struct counts *counts, size_t id, int window, double p,
                      struct weir_incident_silence *ret_found)
{
    const struct weir_silence *silence = detector->services[id].silence;
    double others_expected = counts->all_expected - counts->expected[id], others = counts->all_seen - counts->seen[id];
    if (counts->expected[id] <= 0 || others_expected < counts->expected[id] || others < others_min * others_expected)
        return false;
    double share = fmin(1, others / others_expected), mean = counts->expected[id] * share;
    *ret_found = (struct weir_incident_silence){.window_us = window * MINUTE_US, .clients = counts->seen[id], .expected = mean,
                                                .others_share = others / others_expected};
    return counts->seen[id] <= (1 - missing_min) * mean && weir_silence_tail(floor(counts->seen[id]), mean, dispersion(silence)) < p;
}

static void begin(struct weir_silence *silence, int64_t minute, int window)
{
    double each = rate(silence, minute, window);
    int64_t first = minute;
    silence->before = rate_before(silence, minute, window);
    for (int i = 1; i < WINDOWS && *at_minute(silence, minute - i) >= 0 && *at_minute(silence, minute - i) <= (1 - missing_min) * each; i++)
        first = minute - i;
    silence->alarm = true;
    silence->onset_us = first * MINUTE_US;
    silence->last_us = (minute + 1) * MINUTE_US;
}

/* What is over: it is no longer remarkable; also because it is an hour at which few ask. After a day the new level is normal. */
static void go_on(struct weir_detector *detector, size_t id, int64_t minute)
{
    struct weir_silence *silence = detector->services[id].silence;
    struct weir_incident_silence found;
    struct counts counts;
    int64_t since = minute + 1 - silence->onset_us / MINUTE_US;
    int window = since < CLEAR_WINDOW ? (int)since : CLEAR_WINDOW;
    count_window(detector, minute, window, &counts);
    if (counts.expected[id] < 0)
        return;
    if (is_silent(detector, &counts, id, window, unremarkable, &found)) {
        silence->found = found;
        silence->last_us = (minute + 1) * MINUTE_US;
    }
    bool over = counts.seen[id] > (1 - missing_min) * counts.expected[id] ||
                weir_silence_tail(floor(counts.seen[id]), counts.expected[id], dispersion(silence)) > unremarkable;
    silence->alarm = !over && (minute + 1) * MINUTE_US - silence->onset_us < DAY_US;
}

static void judge(struct weir_detector *detector, int64_t minute)
{

    if (detector->n_active < detector->config.silence_clients || detector->uplink_case.open || detector->capture_case.open)
        return;
    for (int window = 1; window <= WINDOWS; window++) {
        struct counts counts;
        count_window(detector, minute, window, &counts);
        for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++) {
            struct weir_service_state *service = &detector->services[id];
            bool asked = service->silence && !service->silence->alarm && !service->incident.open;
            if (asked && is_silent(detector, &counts, id, window, detector->config.silence_p, &service->silence->found))
                begin(service->silence, minute, window);
        }
    }
}

void weir_silence_mend(struct weir_silence *silence)
{
    uint8_t alarm;
    memcpy(&alarm, &silence->alarm, 1);
    silence->alarm = alarm != 0;
    memset(silence->tried, 0, sizeof silence->tried);
    for (unsigned i = 0; i < WEIR_SILENCE_RING; i++)
        silence->minutes[i] = -1;
    bool sane = silence->square >= 0 && isfinite(silence->square) && isfinite(silence->excess) && silence->before >= 0 && isfinite(silence->before);
    for (unsigned i = 0; i < WEIR_HOURS; i++)
        sane = sane && silence->hours[i].mean >= 0 && isfinite(silence->hours[i].mean) && silence->hours[i].n <= HOUR_MEMORY;
    const struct weir_incident_silence *found = &silence->found;
    sane = sane && isfinite(found->clients) && isfinite(found->expected) && isfinite(found->others_share);
    if (!sane)
        memset(silence, 0, sizeof *silence);
}

static void end_minute(struct weir_detector *detector, int64_t minute, bool whole)
{
    for (size_t id = WEIR_SERVICE_OTHER; id < detector->n_services; id++) {
        struct weir_silence *silence = detector->services[id].silence;
        if (!silence)
            continue;
        int64_t gap = minute - detector->silence_minute;
        for (int64_t i = 1; i < gap && i < WEIR_SILENCE_RING; i++)
            *at_minute(silence, minute - i) = -1;
        double n = count(silence);
        *at_minute(silence, minute) = whole ? (float)n : -1;
        learn(detector, &detector->services[id], minute - WINDOWS);
    }
    detector->silence_minute = minute;
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++)
        if (detector->services[id].silence && detector->services[id].silence->alarm)
            go_on(detector, id, minute);
    judge(detector, minute);
}

void weir_silence_slot(struct weir_detector *detector, int64_t start_us)
{
    int64_t minute = start_us / MINUTE_US;
    if (minute != detector->silence_open) { /* slots were left out */
        detector->silence_open = minute;
        detector->silence_slots = 0;
    }
    if (++detector->silence_slots == SLOTS_A_MINUTE || (start_us + WEIR_SLOT_US) % MINUTE_US == 0)
        end_minute(detector, minute, detector->silence_slots == SLOTS_A_MINUTE);
}
