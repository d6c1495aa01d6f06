/* Drives the detector of the program, the same library, through months of made-up traffic, and
 * prints what it said.
 *
 *     weir-sim [--clients N] [--days D] [--seeds A-B] [--controls TRIALS_A_SLOT] [--detect
 * NAME=VALUE] [--show]
 *
 * Each seed is lived twice: once with ordinary troubles only, which gives the false alarms, and
 * once with an outage every two hours (two full ones to one intermittent; after two days at a large
 * site also one at which nobody asks any more), which gives the shares found and the times to
 * detect.
 *
 * Time is cut short in one way only: between two seconds of a slot in which no trial failed nothing
 * can be raised, so the detector is asked at the seconds that brought a failure, and at the slot's
 * end.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "score.h"
#include "world.h"

#define SECOND         INT64_C(1000000)
#define START_US       (INT64_C(1749427200) * SECOND) /* a Monday, midnight UTC */
#define WARM_UP        360                            /* slots */
#define OUTAGE_US      (900 * SECOND)
#define PERIOD         720 /* slots from outage to outage */
#define SILENT_CLIENTS 1000
#define SILENT_SLOT    (2 * 8640)

static struct world world;
static struct score score;

struct run {
    unsigned n_clients;
    double days, controls;
    uint64_t seed_first, seed_last;
    struct weir_detect_config config;
};

static struct weir_detector *new_detector(const struct weir_detect_config *config) {
    static const char *const names[WEIR_SERVICE_FIRST + WORLD_SERVICES] = {
        "none", "other", "one",   "two",   "three", "four",
        "five", "six",   "seven", "eight", "nine",  "ten"};
    struct weir_detector *detector;
    if (weir_detector_new(&detector, config, names, WEIR_SERVICE_FIRST + WORLD_SERVICES,
                          score_incident, &score) < 0) {
        fprintf(stderr, "weir-sim: no detector with these constants\n");
        exit(1);
    }
    return detector;
}

static void tell(struct weir_detector *detector) {
    world_slot(&world);
    struct weir_slot slot = {.start_us = world.slot_us - WEIR_SLOT_US, .trials = world.trials};
    bool failed = false;
    for (size_t i = 0, second = 1; i < world.n; i++) {
        const struct weir_trial *trial = &world.trials[i];
        int64_t at_us = trial->fail ? trial->fail_us : trial->ok_us;
        for (; at_us > slot.start_us + (int64_t)second * SECOND && second < 10; second++) {
            if (failed) {
                slot.n_trials = i;
                weir_detector_slot(detector, &slot, false);
                weir_detector_step(detector, slot.start_us + (int64_t)second * SECOND);
            }
            failed = false;
        }
        failed |= trial->fail;
    }
    slot.n_trials = world.n;
    weir_detector_slot(detector, &slot, true);
    weir_detector_step(detector, world.slot_us);
}

static enum world_outage kind_of(const struct run *run, unsigned n, int64_t slot) {
    if (run->n_clients >= SILENT_CLIENTS && slot >= SILENT_SLOT && n % 4 == 3) return WORLD_SILENT;
    return n % 3 == 2 ? WORLD_INTERMITTENT : n % 3 == 1 ? WORLD_HANGS : WORLD_UNREACHABLE;
}

static void live_through(const struct run *run, uint64_t seed, bool with_outages) {
    struct weir_detector *detector = new_detector(&run->config);
    world_begin(&world, seed, run->n_clients, run->controls, START_US);
    unsigned n = 0;
    bool due = false, going_on = false;
    for (int64_t slot = 0; slot < (int64_t)(run->days * 8640); slot++) {
        due |= with_outages && slot >= WARM_UP && slot % PERIOD == 0;
        if (due && world_break(&world, kind_of(run, n, slot), OUTAGE_US)) {
            due = false;
            going_on = true;
            n++;
        }
        tell(detector);
        if (going_on && world.slot_us >= world.outage.to_us + 30 * SECOND) {
            score_outage_over(&score);
            going_on = false;
        }
    }
    weir_detector_free(detector);
}

static void say_wrong(void) {
    for (int cause = 0; cause < WEIR_CAUSE_N; cause++)
        if (score.wrong[cause] || score.right[cause])
            printf(" %s %u/%u", weir_cause_name((enum weir_cause)cause), score.wrong[cause],
                   score.wrong[cause] + score.right[cause]);
    printf("; truth beside %u", score.beside);
    printf("; wrong while bad: nothing %u, WiFi %u, prefix %u, uplink %u\n", score.wrong_of[0],
           score.wrong_of[1], score.wrong_of[2], score.wrong_of[3]);
}

static void say_found(const char *name, struct score_kind *kind) {
    printf(
        "       %-13s %5u put in, %5.1f %% found, p50 %.0f s, p90 %.0f s, %5.1f %% of those found blamed on the service\n",
        name, kind->n, 100.0 * kind->found / kind->n, score_percentile(kind, 0.5),
        score_percentile(kind, 0.9), kind->found ? 100.0 * kind->blamed / kind->found : 0);
}

/* A short run may see one or two of what a long one allows once a month; a detector that is broken
 * is far beyond. */
static int is_good(unsigned false_alarms) {
    return false_alarms <= 3 && score.full.n > 0 &&
           score.full.found * 100.0 >= score.full.n * 97.0 &&
           score_percentile(&score.full, 0.5) <= 90;
}

/* Returns the false alarms of the times without outages that did not give the truth beside. */
static unsigned run_all(const struct run *run) {
    bool show = score.show;
    memset(&score, 0, sizeof score);
    score.world = &world;
    score.show = show;
    for (uint64_t seed = run->seed_first; seed <= run->seed_last; seed++)
        live_through(run, seed, false);
    double days = run->days * (double)(run->seed_last - run->seed_first + 1);
    unsigned false_alarms = score_false_alarms(&score), quite_wrong = false_alarms - score.beside;
    printf("%5u clients, %.0f days: %.2f false alarms a month (%u; wrong/all by cause:",
           run->n_clients, days, false_alarms * 30 / days, false_alarms);
    say_wrong();
    fflush(stdout);
    for (uint64_t seed = run->seed_first; seed <= run->seed_last; seed++)
        live_through(run, seed + 1000000, true);
    if (score.full.n) {
        say_found("full", &score.full);
        say_found("intermittent", &score.intermittent);
        if (score.silent.n) say_found("silent", &score.silent);
    }
    fflush(stdout);
    return quite_wrong;
}

static int set_constant(struct weir_detect_config *config, char *text) {
    char *value = strchr(text, '=');
    if (!value) return -EINVAL;
    *value = '\0';
    return weir_detect_config_set(config, text, strtod(value + 1, NULL));
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"clients", 1, NULL, 'c'},  {"days", 1, NULL, 'd'},
                                            {"seeds", 1, NULL, 's'},    {"detect", 1, NULL, 'o'},
                                            {"controls", 1, NULL, 'k'}, {"check", 0, NULL, 'x'},
                                            {"show", 0, NULL, 'v'},     {0}};
    struct run run = {.n_clients = 5, .days = 30, .controls = 1.0, .seed_first = 1, .seed_last = 1};
    weir_detect_config_default(&run.config);
    int letter, bad = 0, check = 0;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) switch (letter) {
        case 'c': run.n_clients = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'd': run.days = strtod(optarg, NULL); break;
        case 's':
            run.seed_first = strtoull(optarg, &optarg, 10);
            run.seed_last = *optarg == '-' ? strtoull(optarg + 1, NULL, 10) : run.seed_first;
            break;
        case 'o': bad |= set_constant(&run.config, optarg) < 0; break;
        case 'k': run.controls = strtod(optarg, NULL); break;
        case 'x': check = 1; break;
        case 'v': score.show = true; break;
        default: bad = 1;
        }
    if (bad || run.n_clients < 1 || run.n_clients > WORLD_CLIENTS_MAX ||
        !(run.days > 0 && run.days <= 3650)) {
        fprintf(
            stderr,
            "usage: weir-sim [--clients 1..%d] [--days D] [--seeds A-B] [--controls TRIALS_A_SLOT] [--detect NAME=VALUE]... [--check] [--show]\n",
            WORLD_CLIENTS_MAX);
        return 2;
    }
    unsigned false_alarms = run_all(&run);
    if (check && !is_good(false_alarms)) {
        printf(
            "       beyond what is allowed: more than 3 false alarms, less than 97 %% of full outages found, or p50 above 90 s\n");
        return 1;
    }
    return 0;
}
