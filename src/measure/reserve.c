/* Some players load minutes ahead in bursts of any size, sound and picture in ranges of their own
 * length. Their requests have no rhythm, so that nobody can say how much time one of them carries.
 * What is known of such a service is how far ahead its players load at most (`buffer_seconds` of
 * its signature). That bounds the bytes of a second from below:
 *
 *     filling   from an empty buffer to the next one; the picture runs all that time
 *     rate      a buffer holds `ahead` at most. So N bytes that came in t seconds of playing are at
 *               least N / (ahead + t) a second. The highest of these is the rate of the filling,
 *               because it is reached where the buffer is full
 *     short     a filling below two thirds of the highest rate has not filled the buffer: it has
 *               the mean rate of the others
 *     buffer    bytes / rate, at most `ahead`, less what was played. It is full when the player
 *               rests: nothing is asked for five seconds behind an answer that came as fast as it
 *               plays, and carried five seconds. So no error adds up
 *     stall     the buffer is empty, the player has asked in vain, and in the last twenty seconds
 *               came hardly anything (a quarter of the rate). In vain is also the time by which an
 *               answer took longer than it plays. It ends with an answer that comes as
 *               fast as it plays, behind which there are five seconds in the buffer: that is
 *               what players wait for after one. None is told of a filling's first 20 seconds
 *
 * A higher rate empties the buffer earlier, which begins more fillings, which have their rates: all
 * is worked out again until nothing changes, eight times at most.
 *
 * A rate from below makes stalls late and few, and never many: a counter of bytes with a mean bit
 * rate sees stalls wherever a quality is above the mean. Where a player goes down to a poor quality
 * and lives on it, the rate is too high; then bytes keep coming, and no stall is claimed, the
 * buffer is taken for half full.
 *
 * A silence of 45 s and more, in which nothing is asked, is a pause or a full buffer: from it no
 * buffer comes out less than half full.
 *
 * Blind spots: a player that loads less far ahead than the table says has stalls that are missed; a
 * seek throws the buffer away unseen; wasted bytes (a quality loaded twice) count as played.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "measure/grow.h"
#include "measure/reserve.h"

#define LAPSE_MS      INT64_C(45000)
#define DRY_MS        INT64_C(20000)
#define SAME_WAIT_MS  UINT32_C(5000)
#define STALL_MIN_MS  INT64_C(3000) /* below: within the error of the model */
#define ENOUGH_MS     5000
#define REST_MS       5000
#define BURST_REST_MS 2000 /* where a burst is one segment, or a few */
#define LEARN_MS      INT64_C(86400000)
enum {
    RESTS = 4,
    DRY_OF = 4,
    ROUNDS = 8,
    FILLINGS = WEIR_PLAYOUT_STALLS + 1,
    WAITED_MIN_MS = 5000
};

/* ---- notes ---- */

void weir_reserve_deinit(struct weir_reserve *reserve) {
    free(reserve->notes);
    reserve->notes = NULL;
}

static uint32_t ms(const struct weir_reserve *reserve, int64_t us) {
    int64_t since_ms = (us - reserve->base_us) / 1000;
    return since_ms <= 0 ? 0 : since_ms < UINT32_MAX ? (uint32_t)since_ms : UINT32_MAX;
}

static uint32_t sum(uint32_t a, uint32_t b) { return a > UINT32_MAX - b ? UINT32_MAX : a + b; }

static void join(struct weir_reserve_note *note, const struct weir_reserve_note *next) {
    if (next->from_ms < note->from_ms) note->from_ms = next->from_ms;
    if (next->at_ms > note->at_ms) note->at_ms = next->at_ms;
    note->bytes = sum(note->bytes, next->bytes);
}

/* Makes room: the two neighbours of a kind that together last shortest become one. */
static void coarsen(struct weir_reserve *reserve) {
    uint32_t best = 0, shortest_ms = UINT32_MAX;
    for (uint32_t i = 0; i + 1 < reserve->n; i++) {
        const struct weir_reserve_note *note = &reserve->notes[i], *next = note + 1;
        uint32_t span_ms = next->at_ms > note->from_ms ? next->at_ms - note->from_ms : 0;
        if ((note->bytes == 0) != (next->bytes == 0) || span_ms >= shortest_ms) continue;
        best = i;
        shortest_ms = span_ms;
    }
    if (shortest_ms < UINT32_MAX) join(&reserve->notes[best], &reserve->notes[best + 1]);
    /* else picture and waits take turns: the oldest goes */
    uint32_t gone = shortest_ms < UINT32_MAX ? best + 1 : 0;
    reserve->n--;
    memmove(&reserve->notes[gone], &reserve->notes[gone + 1],
            (reserve->n - gone) * sizeof *reserve->notes);
}

static void add(struct weir_reserve *reserve, int64_t from_us, int64_t at_us, uint32_t bytes) {
    if (reserve->n == 0) reserve->base_us = from_us;
    if (!weir_grow((void **)&reserve->notes, &reserve->room, reserve->n, WEIR_RESERVE_NOTES,
                   sizeof *reserve->notes)) {
        if (reserve->n == 0) return; /* no memory at all */
        coarsen(reserve);
    }
    reserve->notes[reserve->n++] =
        (struct weir_reserve_note){ms(reserve, from_us), ms(reserve, at_us), bytes};
}

void weir_reserve_answer(struct weir_reserve *reserve, int64_t from_us, int64_t at_us,
                         uint64_t bytes) {
    add(reserve, from_us, at_us, bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX);
}

void weir_reserve_wanted(struct weir_reserve *reserve, int64_t since_us, int64_t until_us) {
    struct weir_reserve_note *last = reserve->n ? &reserve->notes[reserve->n - 1] : NULL;
    if (last && last->bytes == 0 && ms(reserve, since_us) <= last->at_ms + SAME_WAIT_MS) {
        struct weir_reserve_note more = {ms(reserve, since_us), ms(reserve, until_us), 0};
        join(last, &more);
        return;
    }
    add(reserve, since_us, until_us, 0);
}

/* ---- the model ---- */

struct rates { /* bytes a ms, of each filling */
    double of[FILLINGS];
    int n;
};

struct model {
    const struct weir_reserve_note *notes; /* by at_ms */
    uint32_t n;
    int64_t ahead_ms, from_ms; /* from: the picture began, or went on */
    double buffer_ms, bytes;   /* bytes: of this filling */
    int64_t at_ms, empty_ms;   /* empty: since when; -1: it plays */
    int64_t sign_ms;           /* the last sign that the player is there */
    bool plenty;               /* the newest note is an answer, fast and not small */
    struct weir_reserve_found *found;
    struct rates rates;
    double rate;      /* known; 0: `rates` */
    int64_t rest_ms;  /* who asks for nothing that long has all that it wants */
    double enough_ms; /* an answer behind which a rest is one */
    double full_ms;   /* full from there on */
    /* while ahead_ms is learned: what was in the buffer at its first rests */
    double rests_ms;
    uint32_t n_rests;
};

/* Of one filling: its own, unless it fell short. */
static double rate_of(const struct rates *rates, int filling) {
    double highest = 0, all = 0;
    int n = 0;
    for (int i = 0; i < rates->n; i++)
        if (rates->of[i] > highest) highest = rates->of[i];
    if (filling < rates->n && rates->of[filling] * 3 >= highest * 2) return rates->of[filling];
    for (int i = 0; i < rates->n; i++) {
        if (rates->of[i] * 3 < highest * 2) continue;
        all += rates->of[i];
        n++;
    }
    return n ? all / n : 0;
}

/* Of a short buffer half: what filled it last is no sign that something comes. */
static int64_t dry_of(const struct model *model) {
    return model->ahead_ms / 2 < DRY_MS ? model->ahead_ms / 2 : DRY_MS;
}

/* Whether hardly anything came in the last seconds before the buffer was empty, and the player
 * asked for it. */
static bool is_dry(const struct model *model, int64_t empty_ms, double rate) {
    double bytes = 0;
    int64_t waited_ms = 0, dry_ms = dry_of(model);
    for (uint32_t i = 0; i < model->n; i++) {
        const struct weir_reserve_note *note = &model->notes[i];
        int64_t from_ms = note->from_ms > empty_ms - dry_ms ? note->from_ms : empty_ms - dry_ms;
        int64_t to_ms = note->at_ms < empty_ms ? note->at_ms : empty_ms;
        if (note->bytes == 0) {
            if (note->at_ms < empty_ms - LAPSE_MS || note->from_ms > empty_ms + LAPSE_MS) continue;
            waited_ms += note->at_ms - note->from_ms;
        } else if (to_ms >= from_ms && to_ms >= 0) {
            double span_ms = note->at_ms > note->from_ms ? note->at_ms - note->from_ms : 1;
            double late_ms = span_ms - note->bytes / rate;
            bytes += note->bytes * (double)(to_ms > from_ms ? to_ms - from_ms : 1) / span_ms;
            if (late_ms > 0) waited_ms += (int64_t)late_ms;
        }
    }
    return waited_ms >= WAITED_MIN_MS && bytes * DRY_OF < rate * (double)dry_ms;
}

static void stall(struct weir_reserve_found *found, int64_t from_ms, int64_t to_ms) {
    if (to_ms - from_ms < STALL_MIN_MS) return;
    if (found->n < WEIR_PLAYOUT_STALLS)
        found->stalls[found->n] =
            (struct weir_standstill){from_ms * 1000, (to_ms - from_ms) * 1000};
    found->n++;
    found->stalled_us += (to_ms - from_ms) * 1000;
}

static void rest(struct model *model) {
    if (model->ahead_ms < LEARN_MS) {
        model->buffer_ms = (double)model->ahead_ms;
        return;
    }
    if (model->n_rests == RESTS) return;
    model->rests_ms += model->buffer_ms;
    model->n_rests++;
}

/* From now to `to_ms`, in which nothing comes. */
static void note_states(struct model *model, int64_t to_ms) {
    struct weir_fullness *fullness = &model->found->fullness;
    int64_t from_ms = model->at_ms, empty_ms = from_ms + (int64_t)model->buffer_ms;
    int64_t low_ms = empty_ms - (int64_t)model->full_ms;
    if (model->full_ms <= 0) return;
    if (low_ms > to_ms) low_ms = to_ms;
    if (empty_ms > to_ms || model->empty_ms < 0) empty_ms = to_ms;
    if (low_ms > from_ms)
        weir_fullness_add(fullness, WEIR_BUFFER_FULL, from_ms * 1000, low_ms * 1000);
    weir_fullness_add(fullness, WEIR_BUFFER_LOW, from_ms * 1000, empty_ms * 1000);
    weir_fullness_add(fullness, WEIR_BUFFER_EMPTY, from_ms * 1000, to_ms * 1000);
}

/* Plays until `to_ms`, behind a silence of `silent_ms`. */
static void play(struct model *model, int64_t to_ms, int64_t silent_ms, double rate) {
    if (to_ms <= model->at_ms) return;
    if (silent_ms >= model->rest_ms && model->plenty) rest(model);
    double left_ms = model->buffer_ms - (double)(to_ms - model->at_ms);
    double least_ms = (double)model->ahead_ms / 2;
    if (silent_ms > LAPSE_MS && left_ms < least_ms)
        left_ms = model->buffer_ms < least_ms ? model->buffer_ms : least_ms;
    if (left_ms < 0) {
        int64_t empty_ms = model->at_ms + (int64_t)model->buffer_ms;
        if (empty_ms - model->from_ms < dry_of(model))
            left_ms = 0; /* it has just begun, from next to nothing */
        else if (is_dry(model, empty_ms, rate))
            model->empty_ms = empty_ms;
        else
            left_ms = least_ms; /* the rate was too high */
    }
    note_states(model, to_ms);
    model->buffer_ms = left_ms > 0 ? left_ms : 0;
    model->at_ms = to_ms;
}

static void begin_filling(struct model *model, int64_t at_ms, double bytes) {
    model->empty_ms = -1;
    model->from_ms = at_ms;
    model->bytes = bytes;
    if (model->rates.n < FILLINGS) model->rates.of[model->rates.n++] = 0;
}

/* The time at which `enough_ms` are there, of an answer that goes on. */
static int64_t resumes_ms(const struct weir_reserve_note *note, double before_ms, double more_ms) {
    double part = more_ms > 0 ? (ENOUGH_MS - before_ms) / more_ms : 1;
    int64_t span_ms = (int64_t)note->at_ms - note->from_ms;
    return note->from_ms + (int64_t)((double)span_ms * (part < 0 ? 0 : part > 1 ? 1 : part));
}

static void take_answer(struct model *model, const struct weir_reserve_note *note, double rate) {
    double more_ms = rate > 0 ? note->bytes / rate : 0, before_ms = model->buffer_ms;
    int64_t span_ms = (int64_t)note->at_ms - note->from_ms;
    model->plenty = more_ms >= (double)span_ms && more_ms >= model->enough_ms;
    model->bytes += note->bytes;
    model->buffer_ms += more_ms;
    if (model->buffer_ms > (double)model->ahead_ms) model->buffer_ms = (double)model->ahead_ms;
    if (model->empty_ms >= 0) {
        if (model->buffer_ms < ENOUGH_MS || more_ms < (double)span_ms) {
            weir_fullness_add(&model->found->fullness, WEIR_BUFFER_EMPTY, model->empty_ms * 1000,
                              note->at_ms * INT64_C(1000));
            return;
        }
        int64_t on_ms = resumes_ms(note, before_ms, more_ms);
        weir_fullness_add(&model->found->fullness, WEIR_BUFFER_EMPTY, model->empty_ms * 1000,
                          on_ms * 1000);
        stall(model->found, model->empty_ms, on_ms);
        begin_filling(model, on_ms, note->bytes);
        model->buffer_ms -= (double)(note->at_ms - on_ms); /* it plays while more comes */
    }
    double least = model->bytes / (double)(model->ahead_ms + note->at_ms - model->from_ms);
    double *own = &model->rates.of[model->rates.n - 1];
    if (least > *own) *own = least;
}

/* The picture begins with the second answer; where the rate is known, with enough bytes. */
static bool begins(const struct model *model, uint32_t answers) {
    return model->rate > 0 ? model->bytes >= ENOUGH_MS * model->rate : answers >= 2;
}

static void begin(struct model *model, const struct weir_reserve_note *note, double rate) {
    int64_t on_ms = note->at_ms;
    double before = model->bytes - note->bytes;
    if (model->rate > 0) on_ms = resumes_ms(note, before / rate, note->bytes / rate);
    if (rate > 0) model->buffer_ms = before / rate - (double)(note->at_ms - on_ms);
    begin_filling(model, on_ms, before);
    take_answer(model, note, rate);
}

/* One round: stalls with the rates of the round before, and the rates of the fillings between. */
static void work_out(struct model *model, const struct rates *before) {
    uint32_t answers = 0;
    *model->found = (struct weir_reserve_found){0};
    for (uint32_t i = 0; i < model->n; i++) {
        const struct weir_reserve_note *note = &model->notes[i];
        double rate = model->rate > 0 ? model->rate
                                      : rate_of(before, model->rates.n ? model->rates.n - 1 : 0);
        int64_t silent_ms = (int64_t)note->from_ms - model->sign_ms;
        if (model->rates.n && model->empty_ms < 0) play(model, note->at_ms, silent_ms, rate);
        if (model->empty_ms >= 0 && silent_ms > LAPSE_MS) { /* the viewer had left */
            stall(model->found, model->empty_ms, model->sign_ms);
            begin_filling(model, note->at_ms, 0);
        }
        model->at_ms = note->at_ms;
        answers += note->bytes > 0;
        if (note->bytes && model->rates.n) {
            take_answer(model, note, rate);
        } else if (note->bytes) {
            model->bytes += note->bytes;
            if (begins(model, answers)) begin(model, note, rate);
        }
        model->plenty &= note->bytes > 0;
        if (note->at_ms > model->sign_ms) model->sign_ms = note->at_ms;
    }
    if (model->empty_ms < 0) return;
    stall(model->found, model->empty_ms, model->sign_ms);
    model->found->still_us = model->empty_ms * 1000;
}

static int compare_at(const void *a, const void *b) {
    const struct weir_reserve_note *x = a, *y = b;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

/* The mean of what answers behind which it rests carry. */
static double usual_ms(const struct weir_reserve_note *notes, uint32_t n, double rate) {
    double bytes = 0;
    uint32_t answers = 0;
    for (uint32_t i = 1; i < n; i++) { /* the first fills the buffer */
        bytes += notes[i].bytes;
        answers += notes[i].bytes > 0;
    }
    return answers ? bytes / answers / rate : 0;
}

bool weir_reserve_find(const struct weir_reserve *reserve, const struct weir_reserve_habits *habits,
                       struct weir_reserve_found *ret_found) {
    struct weir_reserve_note notes[WEIR_RESERVE_NOTES];
    struct rates rates = {0};
    if (reserve->n) memcpy(notes, reserve->notes, reserve->n * sizeof *notes);
    qsort(notes, reserve->n, sizeof *notes, compare_at);
    bool known = habits->rate_bps > 0;
    struct model empty = {.notes = notes,
                          .n = reserve->n,
                          .ahead_ms = habits->ahead_us ? habits->ahead_us / 1000 : LEARN_MS,
                          .empty_ms = -1,
                          .rate = (double)habits->rate_bps / 8000,
                          .rest_ms = known ? BURST_REST_MS : REST_MS,
                          .enough_ms = known ? BURST_REST_MS : ENOUGH_MS,
                          .found = ret_found};
    if (known) {
        struct model model = empty;
        work_out(&model, &rates);
        if (model.n_rests == 0) return false;
        empty.ahead_ms = (int64_t)(model.rests_ms / model.n_rests);
        empty.full_ms = (double)empty.ahead_ms - 2 * usual_ms(notes, reserve->n, empty.rate);
        if (empty.full_ms < 1) empty.full_ms = 1;
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct model model = empty;
        work_out(&model, &rates);
        if (known || memcmp(&model.rates, &rates, sizeof rates) == 0) break;
        rates = model.rates;
    }
    for (uint32_t i = 0; i < ret_found->n && i < WEIR_PLAYOUT_STALLS; i++)
        ret_found->stalls[i].start_us += reserve->base_us;
    ret_found->fullness.begun_us += reserve->base_us;
    if (ret_found->still_us) ret_found->still_us += reserve->base_us;
    return true;
}
