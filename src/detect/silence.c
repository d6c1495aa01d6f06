/* At a site with many clients somebody always asks: a service that nobody tries any more, while all
 * else is tried as usual, is in trouble that no trial shows. So it looks where names can't be seen
 * and don't resolve, or an app that fails before it ever connects.
 *
 * What is counted over the last 1, 2, 5 and 10 minutes is clients that tried to connect, TCP or
 * QUIC, whatever came of it: one machine that tries ten times a second is one, and so is one viewer
 * who comes back every minute, for he leaves as one. Expected is the least of three means: of this
 * hour of the week, of the next one, and of the hour just before, so that neither the slow end of
 * an evening nor an unusually busy one counts, nor a match that ends early. It is scaled down by
 * what all the others did of theirs: where everybody left, nobody is silent. The count is negative
 * binomial, with an over-dispersion learned from the service's own past. An alarm needs P(X <=
 * seen) < silence_p, and that at least four in five are missing.
 *
 * Homes are idle for good reasons: nothing is judged below silence_clients active clients, in the
 * first day, nor in an hour of the day that was never seen. Blind spots: what fades over an hour; a
 * service that few use; what people stop wanting all at once.
 *
 * Clients are counted by the empty bits of a bitmap (linear counting: Whang, Vander-Zanden, Taylor
 * 1990).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "detect/state.h"

#define MINUTE_US INT64_C(60000000)
#define DAY_US    INT64_C(86400000000)
enum {
    SLOTS_A_MINUTE = 6,
    BEFORE = 60,
    KNOWN_MIN = 30,
    HOUR_MEMORY = 180,
    SPREAD_MIN = 60,
    CLEAR_WINDOW = 2
};
static const int minutes_of[WEIR_SILENCE_WINDOWS] = {1, 2, 5, WEIR_SILENCE_MINUTES};
static const double least_dispersion = 0.02, first_dispersion = 0.1, missing_min = 0.8,
                    others_min = 0.5, unremarkable = 1e-3, spread_decay = 1 - 1.0 / 4320;

double weir_silence_tail(double x, double mean, double dispersion) {
    double size = 1 / dispersion, sum = 0;
    for (double j = 0; j <= x; j++)
        sum += exp(lgamma(j + size) - lgamma(size) - lgamma(j + 1) +
                   size * log(size / (size + mean)) + j * log(mean / (size + mean)));
    return sum;
}

/* NULL: the service was never tried. */
static struct weir_silence *of(const struct weir_detector *detector, size_t id) {
    return weir_watch_recall(detector, (weir_service_id)id, WEIR_WATCH_silence);
}

bool weir_silence_lasts(const struct weir_detector *detector, weir_service_id id) {
    const struct weir_silence *silence = of(detector, id);
    return silence && silence->alarm;
}

/* ---- counting ---- */

void weir_silence_note(struct weir_detector *detector, const struct weir_trial *trial,
                       int64_t start_us) {
    if (trial->layer != WEIR_LAYER_CONNECT && trial->layer != WEIR_LAYER_QUIC) return;
    struct weir_silence *silence = weir_watch_memory(detector, trial->service, WEIR_WATCH_silence);
    if (!silence) /* without memory nothing is learned, and nothing said */
        return;
    int64_t minute = start_us / MINUTE_US;
    struct weir_silence_minute *tried = &silence->tried[(uint64_t)minute % WEIR_SILENCE_MINUTES];
    if (tried->minute != minute) {
        memset(tried->bits, 0, sizeof tried->bits);
        tried->minute = minute;
    }
    uint32_t bit = (uint32_t)weir_hash_addr(&trial->client) % WEIR_SILENCE_BITS;
    tried->bits[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* Clients that tried in the `n` minutes up to this one. */
static double count(const struct weir_silence *silence, int64_t minute, int n) {
    uint64_t bits[WEIR_SILENCE_BITS / 64] = {0};
    unsigned empty = 0;
    for (int64_t m = minute; m > minute - n; m--) {
        const struct weir_silence_minute *tried =
            &silence->tried[(uint64_t)m % WEIR_SILENCE_MINUTES];
        for (unsigned i = 0; tried->minute == m && i < WEIR_SILENCE_BITS / 64; i++)
            bits[i] |= tried->bits[i];
    }
    for (unsigned i = 0; i < WEIR_SILENCE_BITS / 64; i++)
        empty += (unsigned)__builtin_popcountll(~bits[i]);
    return WEIR_SILENCE_BITS * log((double)WEIR_SILENCE_BITS / (empty ? empty : 1));
}

static float *seen_at(struct weir_silence_window *window, int64_t minute) {
    return &window->seen[(uint64_t)minute % WEIR_SILENCE_RING];
}

/* A window is known when all of its minutes are. */
static void note_minute(struct weir_silence *silence, int64_t minute, int64_t gap, bool whole) {
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++) {
        for (int64_t i = 1; i < gap && i < WEIR_SILENCE_RING; i++)
            *seen_at(&silence->windows[w], minute - i) = -1;
        bool known = whole;
        for (int i = 1; i < minutes_of[w]; i++)
            known = known && *seen_at(&silence->windows[0], minute - i) >= 0;
        *seen_at(&silence->windows[w], minute) =
            known ? (float)count(silence, minute, minutes_of[w]) : -1;
    }
}

/* ---- what is normal ---- */

static size_t hour_of(int64_t minute) {
    int64_t hour = minute / 60 % WEIR_HOURS;
    return (size_t)(hour < 0 ? hour + WEIR_HOURS : hour);
}

/* Of this hour of the week; where it was never seen the least of other days' at that hour. < 0: not
 * known. */
static double mean_of_hour(const struct weir_silence *silence, int w, int64_t minute) {
    size_t hour = hour_of(minute);
    double least = -1;
    if (silence->n_hour[hour] >= KNOWN_MIN) return silence->windows[w].hours[hour];
    for (size_t day = 1; day < 7; day++) {
        size_t other = (hour + 24 * day) % WEIR_HOURS;
        if (silence->n_hour[other] >= KNOWN_MIN &&
            (least < 0 || silence->windows[w].hours[other] < least))
            least = silence->windows[w].hours[other];
    }
    return least;
}

/* Of the hour before the window that ends with this minute. < 0: not known. */
static double mean_before(struct weir_silence *silence, int w, int64_t minute) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < BEFORE; i++) {
        float seen = *seen_at(&silence->windows[w], minute - minutes_of[w] - i);
        sum += seen >= 0 ? seen : 0;
        n += seen >= 0;
    }
    return n >= KNOWN_MIN ? sum / n : -1;
}

static double expected(struct weir_silence *silence, int w, int64_t minute) {
    double now = mean_of_hour(silence, w, minute), next = mean_of_hour(silence, w, minute + 60),
           before = silence->alarm ? silence->windows[w].before : mean_before(silence, w, minute);
    return now < 0 || next < 0 || before < 0 ? -1 : fmin(fmin(now, next), before);
}

static double dispersion(const struct weir_silence *silence, int w) {
    const struct weir_silence_window *window = &silence->windows[w];
    return silence->n_spread < SPREAD_MIN || window->square <= 0
               ? first_dispersion
               : fmax(least_dispersion, window->excess / window->square);
}

/* A minute enters what is normal when it is known not to belong to a silence. */
static void learn(const struct weir_detector *detector, size_t id, int64_t minute) {
    struct weir_silence *silence = of(detector, id);
    size_t hour = hour_of(minute);
    if (silence->alarm || detector->services[id].incident.open || detector->uplink_case.open ||
        *seen_at(&silence->windows[0], minute) < 0)
        return;
    uint32_t n = silence->n_hour[hour] += silence->n_hour[hour] < HOUR_MEMORY;
    silence->n_spread += silence->n_spread < UINT32_MAX;
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++) {
        struct weir_silence_window *window = &silence->windows[w];
        double x = *seen_at(window, minute), mean = mean_before(silence, w, minute);
        if (x < 0) continue;
        window->hours[hour] += (float)((x - window->hours[hour]) / n);
        if (mean < 1) continue;
        window->excess = window->excess * spread_decay + (x - mean) * (x - mean) - mean;
        window->square = window->square * spread_decay + mean * mean;
    }
}

/* ---- what is silent ---- */

struct counts { /* over one window, by service */
    /* expected < 0: nothing can be said */
    double seen[WEIR_SERVICES_MAX], expected[WEIR_SERVICES_MAX];
    double all_seen, all_expected;
};

static void count_window(struct weir_detector *detector, int w, int64_t minute,
                         struct counts *counts) {
    *counts = (struct counts){0};
    for (size_t id = WEIR_SERVICE_OTHER; id < detector->n_services; id++) {
        struct weir_silence *silence = of(detector, id);
        counts->seen[id] = silence ? *seen_at(&silence->windows[w], minute) : -1;
        counts->expected[id] = counts->seen[id] >= 0 ? expected(silence, w, minute) : -1;
        if (counts->expected[id] < 0) continue;
        counts->all_seen += counts->seen[id];
        counts->all_expected += counts->expected[id];
    }
}

/* False also when the others can't tell whether everybody left. */
static bool is_silent(const struct weir_detector *detector, int w, const struct counts *counts,
                      size_t id, double p, struct weir_incident_silence *ret_found) {
    double others_expected = counts->all_expected - counts->expected[id],
           others = counts->all_seen - counts->seen[id];
    if (counts->expected[id] <= 0 || others_expected < counts->expected[id] ||
        others < others_min * others_expected)
        return false;
    double mean = counts->expected[id] * fmin(1, others / others_expected);
    *ret_found = (struct weir_incident_silence){.window_us = minutes_of[w] * MINUTE_US,
                                                .clients = counts->seen[id],
                                                .expected = mean,
                                                .others_share = others / others_expected};
    return counts->seen[id] <= (1 - missing_min) * mean &&
           weir_silence_tail(floor(counts->seen[id]), mean, dispersion(of(detector, id), w)) < p;
}

static void begin(struct weir_silence *silence, int64_t minute) {
    double each = expected(silence, 0, minute);
    int64_t first = minute;
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++)
        silence->windows[w].before = mean_before(silence, w, minute);
    for (int i = 1; i < WEIR_SILENCE_MINUTES; i++) {
        double seen = *seen_at(&silence->windows[0], minute - i);
        if (seen < 0 || seen > (1 - missing_min) * each) break;
        first = minute - i;
    }
    silence->alarm = true;
    silence->onset_us = first * MINUTE_US;
    silence->last_us = (minute + 1) * MINUTE_US;
}

/* It is over when it is no longer remarkable; also because it is an hour at which few ask. After a
 * day the new level is normal. */
static void go_on(struct weir_detector *detector, size_t id, int64_t minute) {
    struct weir_silence *silence = of(detector, id);
    struct weir_incident_silence found;
    struct counts counts;
    int w = CLEAR_WINDOW;
    while (w > 0 && minute + 1 - silence->onset_us / MINUTE_US < minutes_of[w]) w--;
    count_window(detector, w, minute, &counts);
    if (counts.expected[id] < 0) return;
    if (is_silent(detector, w, &counts, id, unremarkable, &found)) {
        silence->found = found;
        silence->last_us = (minute + 1) * MINUTE_US;
    }
    bool over = counts.seen[id] > (1 - missing_min) * counts.expected[id] ||
                weir_silence_tail(floor(counts.seen[id]), counts.expected[id],
                                  dispersion(silence, w)) > unremarkable;
    silence->alarm = !over && (minute + 1) * MINUTE_US - silence->onset_us < DAY_US;
}

static void judge(struct weir_detector *detector, int64_t minute) {
    if (detector->n_active < detector->config.silence_clients || detector->uplink_case.open ||
        detector->capture_case.open)
        return;
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++) {
        struct counts counts;
        count_window(detector, w, minute, &counts);
        for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++) {
            struct weir_silence *silence = of(detector, id);
            bool asked = silence && !silence->alarm && !detector->services[id].incident.open;
            if (asked &&
                is_silent(detector, w, &counts, id, detector->config.silence_p, &silence->found))
                begin(silence, minute);
        }
    }
}

static void end_minute(struct weir_detector *detector, int64_t minute, bool whole) {
    for (size_t id = WEIR_SERVICE_OTHER; id < detector->n_services; id++) {
        struct weir_silence *silence = of(detector, id);
        if (!silence) continue;
        note_minute(silence, minute, minute - detector->silence_minute, whole);
        learn(detector, id, minute - WEIR_SILENCE_MINUTES);
    }
    detector->silence_minute = minute;
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++)
        if (weir_silence_lasts(detector, (weir_service_id)id)) go_on(detector, id, minute);
    judge(detector, minute);
}

void weir_silence_slot(struct weir_detector *detector, int64_t start_us) {
    int64_t minute = start_us / MINUTE_US;
    if (minute != detector->silence_open) { /* slots were left out */
        detector->silence_open = minute;
        detector->silence_slots = 0;
    }
    detector->silence_slots++;
    if ((start_us + WEIR_SLOT_US) % MINUTE_US == 0)
        end_minute(detector, minute, detector->silence_slots == SLOTS_A_MINUTE);
}

/* ---- after a restart ---- */

static bool is_sane(const struct weir_silence *silence) {
    bool sane = isfinite(silence->found.clients) && isfinite(silence->found.expected) &&
                isfinite(silence->found.others_share);
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++) {
        const struct weir_silence_window *window = &silence->windows[w];
        sane = sane && isfinite(window->excess) && isfinite(window->square) &&
               isfinite(window->before);
        for (unsigned i = 0; i < WEIR_HOURS; i++)
            sane = sane && window->hours[i] >= 0 && isfinite(window->hours[i]) &&
                   silence->n_hour[i] <= HOUR_MEMORY;
    }
    return sane;
}

void weir_silence_mend(struct weir_silence *silence) {
    uint8_t alarm;
    memcpy(&alarm, &silence->alarm, 1);
    silence->alarm = alarm != 0;
    if (!is_sane(silence)) memset(silence, 0, sizeof *silence);
    memset(silence->tried, 0, sizeof silence->tried);
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++)
        for (unsigned i = 0; i < WEIR_SILENCE_RING; i++) silence->windows[w].seen[i] = -1;
}

/* ---- its row ---- */

static void take_slot(struct weir_detector *detector, const struct weir_slot *slot) {
    for (size_t i = 0; i < slot->n_trials; i++)
        if (weir_trial_is_sane(detector, &slot->trials[i]))
            weir_silence_note(detector, &slot->trials[i], slot->start_us);
    weir_silence_slot(detector, slot->start_us);
}

/* Only where nothing fails: whoever is tried and fails is not silent. */
static void offer(const struct weir_detector *detector, const struct weir_subject *subject,
                  struct weir_alarm *best) {
    const struct weir_silence *silence = of(detector, subject->service);
    if (best->rank > 0 || !silence || !silence->alarm) return;
    struct weir_scope scope = {.service = subject->service,
                               .layer = WEIR_LAYER_CONNECT,
                               .since_us = silence->onset_us,
                               .began_us = silence->onset_us};
    weir_alarm_offer(best, WEIR_WATCH_silence, scope, silence->last_us);
}

static bool lasts(const struct weir_detector *detector, const struct weir_subject *subject) {
    return weir_silence_lasts(detector, subject->service);
}

static void mend(void *memory) { weir_silence_mend(memory); }

static void say(struct weir_text *text, const struct weir_incident *record) {
    weir_say(
        text,
        ": nobody asks for it any more, %.0f client%s tried in %d min where %.0f are normal at this hour",
        record->silence.clients,
        record->silence.clients < 1.5 && record->silence.clients >= 0.5 ? "" : "s",
        (int)(record->silence.window_us / 60000000), record->silence.expected);
}

const struct weir_watch weir_watch_silence = {
    .name = "silence",
    .help = "nobody asks for it any more",
    .scope = WEIR_WATCHES_SERVICE,
    .rank = 0.5,
    .offer = offer,
    .judge = weir_verdict_silence,
    .slot = take_slot,
    .lasts = lasts,
    .memory = sizeof(struct weir_silence),
    .mend = mend,
    .state = {" has been silent", " was silent"},
    .evidence = say,
};
