/* What the viewer sees cannot be seen, but it can be worked out:
 *
 *     buffer   media received - media played: each answer of the picture carries the playing time
 *              that cadence.c learned
 *     playing  from the second answer on, and again after a stall with the first one that is
 *              complete
 *     stall    the buffer is empty, and the player asks in vain
 *
 *            answer   rest      asks in vain                      answer
 *     -------|........|==================================================|---> time
 *            at       wanted        ^ buffer empty: the picture stands    goes on
 *
 * A player with room in its buffer asks, so silence without demand is no stall, however long: the
 * buffer is full, or the viewer has paused, or has left. While a player rests its buffer sinks to
 * the level at which it usually asks, and no further: whoever doesn't ask doesn't play. That level
 * is the median of the first eight that were seen, and pulls the estimate towards itself at each
 * rest, or the small errors of an hour would add up; eight asks in a row far from it make a new
 * one. Demand is a request that waits, a connection that fails, an answer that is empty, and lasts
 * from its first sign to the next answer; a pause of 45 s between two signs ends it:
 * players that wait twice as long after each failure reach half a minute. A viewer who gives up
 * ends a stall with the last sign of his demand.
 *
 * Answers become known late, when the next request comes or after seconds of silence, and of
 * several connections in no order: each waits in a queue until nothing older can come any more.
 *
 * Blind spots: a seek throws the buffer away unseen, so a stall soon after it is missed; a player
 * that lets the picture run before its second answer starts earlier than is said; before the
 * cadence is known nothing is claimed.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/playout.h"

#define LAPSE_US      INT64_C(45000000)
#define REST_US       INT64_C(700000)
#define BUFFER_MAX_US INT64_C(600000000)
#define STALL_MIN_US  INT64_C(200000) /* below: within the error of the model */
#define JOIN_US       INT64_C(500000) /* two stalls with less between them are one */
enum { AWAY_MAX = 8 };

void weir_playout_deinit(struct weir_playout *playout) {
    free(playout->story);
    playout->story = NULL;
}

void weir_playout_forget(struct weir_playout *playout) {
    weir_playout_deinit(playout);
    *playout = (struct weir_playout){0};
}

static int compare_u32(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The level at which the player asks; -1: not known. */
static int64_t ask_level_us(const struct weir_playout *playout) {
    uint32_t sorted[WEIR_PLAYOUT_ASKS];
    uint32_t n = playout->n_asks;
    if (n == 0) return -1;
    memcpy(sorted, playout->ask_ms, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_u32);
    return (int64_t)sorted[(n - 1) / 2] * 1000;
}

static void note_ask(struct weir_playout *playout, int64_t buffer_us, int64_t value_us) {
    int64_t usual_us = ask_level_us(playout);
    bool away = playout->n_asks >= 3 && llabs(buffer_us - usual_us) > value_us;
    playout->n_away = away ? (uint8_t)(playout->n_away + 1) : 0;
    if (playout->n_away >= AWAY_MAX) playout->n_asks = playout->n_away = 0;
    if (playout->n_asks < WEIR_PLAYOUT_ASKS)
        playout->ask_ms[playout->n_asks++] = (uint32_t)(buffer_us / 1000);
}

static void stall(struct weir_playout *playout, int64_t from_us, int64_t to_us) {
    if (to_us - from_us < STALL_MIN_US || !playout->known) return;
    uint32_t listed =
        playout->n_stalls < WEIR_PLAYOUT_STALLS ? playout->n_stalls : WEIR_PLAYOUT_STALLS;
    struct weir_standstill *last = listed ? &playout->story->stalls[listed - 1] : NULL;
    playout->stalled_us += to_us - from_us;
    if (last && listed == playout->n_stalls &&
        from_us - last->start_us - last->duration_us < JOIN_US) {
        last->duration_us = to_us - last->start_us;
        return;
    }
    if (listed < WEIR_PLAYOUT_STALLS)
        playout->story->stalls[listed] = (struct weir_standstill){from_us, to_us - from_us};
    playout->n_stalls++;
}

/* What is left in the buffer when the player begins to ask, after `rest_us` of silence. No player
 * that plays waits for less than one answer's time, which is the level until one is known. */
static int64_t after_rest(const struct weir_playout *playout, int64_t rest_us, int64_t value_us) {
    int64_t level_us = ask_level_us(playout), sunk_us = playout->buffer_us - rest_us;
    int64_t floor_us = level_us >= 0 ? level_us : value_us;
    if (floor_us > playout->buffer_us) floor_us = playout->buffer_us;
    return sunk_us > floor_us ? sunk_us : floor_us;
}

/* Where a buffer of `left_us` counts as full: within one answer of the level at which the player
 * asks; before one is known only while it rests. */
static int64_t full_us(const struct weir_playout *playout, int64_t value_us) {
    int64_t level_us = ask_level_us(playout);
    return level_us < 0 ? INT64_MAX : level_us > value_us ? level_us - value_us : 1;
}

/* States from the last answer over a rest, and then while it plays `asked_us` without any more. */
static void note_states(struct weir_playout *playout, int64_t from_us, int64_t to_us,
                        int64_t asked_us, int64_t full_us) {
    struct weir_fullness *fullness = &playout->story->fullness;
    bool rested = from_us - playout->at_us >= REST_US;
    enum weir_buffer_state before = playout->buffer_us <= 0                   ? WEIR_BUFFER_EMPTY
                                    : rested || playout->buffer_us >= full_us ? WEIR_BUFFER_FULL
                                                                              : WEIR_BUFFER_LOW;
    weir_fullness_add(fullness, before, playout->at_us, from_us);
    int64_t low_us = asked_us > full_us ? from_us + asked_us - full_us : from_us;
    int64_t empty_us = from_us + asked_us;
    weir_fullness_add(fullness, WEIR_BUFFER_FULL, from_us, low_us < to_us ? low_us : to_us);
    weir_fullness_add(fullness, WEIR_BUFFER_LOW, low_us, empty_us < to_us ? empty_us : to_us);
    weir_fullness_add(fullness, WEIR_BUFFER_EMPTY, empty_us, to_us);
}

/* Plays from the last answer to `to_us`, with demand that was not met since `wanted_us`. */
static void play(struct weir_playout *playout, int64_t wanted_us, int64_t to_us, int64_t value_us) {
    int64_t rest_us = wanted_us > playout->at_us ? wanted_us - playout->at_us : 0;
    int64_t asked_us = rest_us ? after_rest(playout, rest_us, value_us) : playout->buffer_us;
    if (rest_us >= REST_US) {
        int64_t usual_us = ask_level_us(playout);
        if (playout->n_asks == WEIR_PLAYOUT_ASKS && llabs(asked_us - usual_us) < value_us)
            asked_us += (usual_us - asked_us) / 2;
        note_ask(playout, asked_us, value_us);
    }
    int64_t from_us = wanted_us > playout->at_us ? wanted_us : playout->at_us;
    int64_t left_us = asked_us - (to_us - from_us);
    note_states(playout, from_us, to_us, asked_us, full_us(playout, value_us));
    if (left_us < 0) stall(playout, from_us + asked_us, to_us);
    playout->buffer_us = left_us > 0 ? left_us : 0;
    playout->at_us = to_us;
}

/* From here on the value is known: what came before is counted with it. */
static void begin_to_know(struct weir_playout *playout, int64_t value_us) {
    int64_t buffer_us = (int64_t)playout->answers * value_us - playout->played_us;
    playout->buffer_us = buffer_us > 0 ? buffer_us : 0;
    playout->known = true;
}

static void take_answer(struct weir_playout *playout, const struct weir_playout_note *note,
                        int64_t value_us) {
    if (!playout->known && value_us > 0) begin_to_know(playout, value_us);
    int64_t from_us = note->from_us > playout->at_us ? note->from_us : playout->at_us;
    if (playout->wanted_us && playout->wanted_us < from_us) from_us = playout->wanted_us;
    if (playout->playing && note->at_us > playout->at_us) {
        if (playout->known)
            play(playout, from_us, note->at_us, value_us);
        else
            playout->played_us += note->at_us - playout->at_us;
    }
    if (note->at_us > playout->at_us) playout->at_us = note->at_us;
    playout->wanted_us = 0;
    playout->sign_us = note->at_us;
    if (playout->debt) {
        playout->debt--;
    } else {
        playout->answers++;
        if (playout->known && playout->buffer_us < BUFFER_MAX_US) playout->buffer_us += value_us;
    }
    if (!playout->playing && playout->answers >= 2) {
        playout->playing = true;
        playout->begun_us = playout->at_us;
    }
}

/* Demand ended without an answer: the viewer gave up, or has paused. */
static void lapse(struct weir_playout *playout, int64_t value_us) {
    if (playout->playing && playout->known)
        play(playout, playout->wanted_us, playout->sign_us, value_us);
    else if (playout->playing)
        playout->played_us += playout->sign_us - playout->at_us;
    if (playout->sign_us > playout->at_us) playout->at_us = playout->sign_us;
    playout->wanted_us = 0;
}

static void take_sign(struct weir_playout *playout, const struct weir_playout_note *note,
                      int64_t value_us) {
    if (note->at_us <= playout->at_us) return;
    int64_t from_us = note->from_us > playout->at_us ? note->from_us : playout->at_us;
    if (playout->wanted_us && from_us - playout->sign_us > LAPSE_US) lapse(playout, value_us);
    if (!playout->wanted_us || from_us < playout->wanted_us) playout->wanted_us = from_us;
    if (note->at_us > playout->sign_us) playout->sign_us = note->at_us;
}

static int64_t order_us(const struct weir_playout_note *note) {
    return note->answer ? note->at_us : note->from_us;
}

static void take_oldest(struct weir_playout *playout, int64_t value_us) {
    struct weir_playout_note *queue = playout->story->queue, oldest = queue[0];
    playout->n_queue--;
    memmove(queue, queue + 1, playout->n_queue * sizeof *queue);
    if (oldest.answer)
        take_answer(playout, &oldest, value_us);
    else
        take_sign(playout, &oldest, value_us);
}

static void enqueue(struct weir_playout *playout, struct weir_playout_note note, int64_t value_us) {
    if (!playout->story) playout->story = calloc(1, sizeof *playout->story);
    if (!playout->story) return;
    if (playout->n_queue == WEIR_PLAYOUT_QUEUE) take_oldest(playout, value_us);
    struct weir_playout_note *queue = playout->story->queue;
    int at = playout->n_queue++;
    for (; at > 0 && order_us(&queue[at - 1]) > order_us(&note); at--) queue[at] = queue[at - 1];
    queue[at] = note;
}

void weir_playout_answer(struct weir_playout *playout, int64_t request_us, int64_t done_us,
                         int64_t value_us) {
    enqueue(playout, (struct weir_playout_note){done_us, request_us, true}, value_us);
}

void weir_playout_take_back(struct weir_playout *playout, uint32_t found) {
    playout->debt += found;
}

void weir_playout_give_up(struct weir_playout *playout, int64_t value_us) {
    bool waits = false;
    for (int i = 0; i < playout->n_queue; i++) waits |= playout->story->queue[i].answer;
    if (waits || !playout->known)
        playout->debt++;
    else
        playout->buffer_us = playout->buffer_us > value_us ? playout->buffer_us - value_us : 0;
}

/* One that goes on is one note, not many. */
void weir_playout_wanted(struct weir_playout *playout, int64_t since_us, int64_t until_us,
                         int64_t value_us) {
    for (int i = playout->n_queue; i-- > 0;) {
        struct weir_playout_note *note = &playout->story->queue[i];
        if (note->answer || llabs(note->from_us - since_us) > REST_US) continue;
        note->at_us = until_us > note->at_us ? until_us : note->at_us;
        return;
    }
    enqueue(playout, (struct weir_playout_note){until_us, since_us, false}, value_us);
}

void weir_playout_settle(struct weir_playout *playout, int64_t until_us, int64_t value_us) {
    while (playout->n_queue && order_us(&playout->story->queue[0]) <= until_us)
        take_oldest(playout, value_us);
}

void weir_playout_finish(struct weir_playout *playout, int64_t value_us) {
    weir_playout_settle(playout, INT64_MAX, value_us);
    if (playout->wanted_us) lapse(playout, value_us);
}

/* The model as it would stand if nothing more came up to `now_us`; without a story. */
static struct weir_playout look_ahead(const struct weir_playout *playout, int64_t now_us,
                                      int64_t value_us) {
    struct weir_playout ahead = *playout;
    if (playout->n_queue) { /* else nothing is to be worked out */
        struct weir_playout_story story = *playout->story;
        ahead.story = &story;
        weir_playout_settle(&ahead, now_us, value_us);
    }
    ahead.story = NULL;
    return ahead;
}

int64_t weir_playout_buffer_us(const struct weir_playout *playout, int64_t now_us,
                               int64_t value_us) {
    struct weir_playout ahead = look_ahead(playout, now_us, value_us);
    if (!ahead.known || !ahead.playing) return -1;
    int64_t end_us = ahead.wanted_us ? ahead.wanted_us : now_us;
    int64_t left_us =
        end_us > ahead.at_us ? after_rest(&ahead, end_us - ahead.at_us, value_us) : ahead.buffer_us;
    left_us -= ahead.wanted_us ? now_us - ahead.wanted_us : 0;
    return left_us > 0 ? left_us : 0;
}

int64_t weir_playout_still_since_us(const struct weir_playout *playout, int64_t now_us,
                                    int64_t value_us) {
    if (!playout->known || (!playout->wanted_us && !playout->n_queue)) return 0;
    struct weir_playout ahead = look_ahead(playout, now_us, value_us);
    if (!ahead.known || !ahead.playing || !ahead.wanted_us || now_us - ahead.sign_us > LAPSE_US)
        return 0;
    int64_t rest_us = ahead.wanted_us - ahead.at_us;
    int64_t since_us =
        ahead.wanted_us + (rest_us > 0 ? after_rest(&ahead, rest_us, value_us) : ahead.buffer_us);
    return since_us <= now_us ? since_us : 0;
}
