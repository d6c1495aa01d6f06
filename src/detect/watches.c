/* The table of watches, and what is done with all of its rows: ask for alarms, keep their memory.
 * Each row is in the file of its idea.
 */
#include <errno.h>
#include <stdlib.h>

#include "detect/state.h"

#define X(name) extern const struct weir_watch weir_watch_##name;
WEIR_WATCHES(X)
#undef X
const struct weir_watch *const weir_watches[WEIR_WATCH_N] = {
#define X(name) &weir_watch_##name,
    WEIR_WATCHES(X)
#undef X
};

const char *weir_watch_name(unsigned watch) {
    return watch < WEIR_WATCH_N ? weir_watches[watch]->name : NULL;
}

const char *weir_watch_help(unsigned watch) {
    return watch < WEIR_WATCH_N ? weir_watches[watch]->help : NULL;
}

/* ---- alarms ---- */

void weir_alarm_offer(struct weir_alarm *best, enum weir_watch_id watch, struct weir_scope scope,
                      int64_t fail_us) {
    double rank = weir_watches[watch]->rank + scope.strength;
    if (rank > best->rank)
        *best =
            (struct weir_alarm){.rank = rank, .watch = watch, .scope = scope, .fail_us = fail_us};
}

struct weir_alarm weir_alarm_of(const struct weir_detector *detector, enum weir_watch_scope scope,
                                const struct weir_subject *subject) {
    struct weir_alarm best = {.rank = 0};
    for (int i = 0; i < WEIR_WATCH_N; i++)
        if (weir_watches[i]->scope == scope && weir_watches[i]->offer)
            weir_watches[i]->offer(detector, subject, &best);
    return best;
}

void weir_alarm_judge(struct weir_detector *detector, const struct weir_alarm *alarm,
                      struct weir_verdict *ret_verdict) {
    weir_watches[alarm->watch]->judge(detector, &alarm->scope, ret_verdict);
    ret_verdict->record.watch = (uint8_t)alarm->watch;
}

bool weir_watches_last(const struct weir_detector *detector, enum weir_watch_scope scope,
                       const struct weir_subject *subject) {
    for (int i = 0; i < WEIR_WATCH_N; i++)
        if (weir_watches[i]->scope == scope && weir_watches[i]->lasts &&
            weir_watches[i]->lasts(detector, subject))
            return true;
    return false;
}

void weir_watches_tick(struct weir_detector *detector, enum weir_watch_scope scope) {
    for (int i = 0; i < WEIR_WATCH_N; i++)
        if (weir_watches[i]->scope == scope && weir_watches[i]->tick)
            weir_watches[i]->tick(detector);
}

/* ---- memory ---- */

void *weir_watch_recall(const struct weir_detector *detector, weir_service_id service,
                        enum weir_watch_id watch) {
    return service == WEIR_SERVICE_NONE ? detector->memory[watch]
                                        : detector->services[service].memory[watch];
}

void *weir_watch_memory(struct weir_detector *detector, weir_service_id service,
                        enum weir_watch_id watch) {
    void **memory = service == WEIR_SERVICE_NONE ? &detector->memory[watch]
                                                 : &detector->services[service].memory[watch];
    if (!*memory) *memory = calloc(1, weir_watches[watch]->memory);
    return *memory;
}

int weir_watches_init(struct weir_detector *detector) {
    for (int i = 0; i < WEIR_WATCH_N; i++)
        if (weir_watches[i]->memory && weir_watches[i]->scope != WEIR_WATCHES_SERVICE &&
            !weir_watch_memory(detector, WEIR_SERVICE_NONE, (enum weir_watch_id)i))
            return -ENOMEM;
    return 0;
}

void weir_watches_deinit(struct weir_detector *detector) {
    for (int i = 0; i < WEIR_WATCH_N; i++) {
        free(detector->memory[i]);
        for (size_t id = 0; detector->services && id < detector->n_services; id++)
            free(detector->services[id].memory[i]);
    }
}
