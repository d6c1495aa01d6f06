/* The program as it is, but each call of the detector is written to the tape that WEIR_TAPE names.
 *
 * Linked before the program's own objects with `--wrap`: its calls of weir_detector_X come to
 * __wrap_weir_detector_X here, and go on to the detector, __real_weir_detector_X. A program with
 * several detectors would mix them; a replay has one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tape.h"

static gzFile tape;

static void fail(void) {
    fprintf(stderr, "tape: %s can't be written\n", getenv("WEIR_TAPE"));
    exit(1);
}

static void put(const void *bytes, size_t n) {
    if (tape && n && gzwrite(tape, bytes, (unsigned)n) != (int)n) fail();
}

/* Before main: the program gives up opening files before it makes its detector. */
__attribute__((constructor)) static void open_tape(void) {
    const char *path = getenv("WEIR_TAPE");
    if (path && !(tape = gzopen(path, "wb1"))) fail();
}

static void put_call(enum tape_call call) { put(&(char){(char)call}, 1); }

static void put_one(enum tape_call call, const void *bytes, size_t n) {
    put_call(call);
    put(bytes, n);
}

/* A call with its wrapped names; the real one is the detector's. */
#define WRAP(result, name, ...)                      \
    result __real_weir_detector_##name(__VA_ARGS__); \
    result __wrap_weir_detector_##name(__VA_ARGS__); \
    result __wrap_weir_detector_##name(__VA_ARGS__)

WRAP(int, new, struct weir_detector **ret_detector, const struct weir_detect_config *config,
     const char *const *names, size_t n_services, weir_incident_observer observer, void *context) {
    struct tape_head head = tape_head(n_services);
    put(&head, sizeof head);
    for (size_t i = 0; i < n_services; i++) {
        char name[TAPE_NAME_MAX] = "";
        snprintf(name, sizeof name, "%s", names[i]);
        put(name, sizeof name);
    }
    return __real_weir_detector_new(ret_detector, config, names, n_services, observer, context);
}

WRAP(void, slot, struct weir_detector *detector, const struct weir_slot *slot, bool closed) {
    uint32_t n = (uint32_t)slot->n_trials;
    put_one(TAPE_SLOT, &(char){closed}, 1);
    put(&slot->start_us, sizeof slot->start_us);
    put(&n, sizeof n);
    put(slot->trials, n * sizeof *slot->trials);
    __real_weir_detector_slot(detector, slot, closed);
}

WRAP(void, window, struct weir_detector *detector, const struct weir_detect_window *window) {
    put_one(TAPE_WINDOW, window, sizeof *window);
    put(window->services, window->n_services * sizeof *window->services);
    put(window->links, window->n_links * sizeof *window->links);
    __real_weir_detector_window(detector, window);
}

WRAP(void, connection_end, struct weir_detector *detector, const struct weir_connection_end *end) {
    put_one(TAPE_END, end, sizeof *end);
    __real_weir_detector_connection_end(detector, end);
}

WRAP(void, demand, struct weir_detector *detector, const struct weir_demand *demand) {
    put_one(TAPE_DEMAND, demand, sizeof *demand);
    __real_weir_detector_demand(detector, demand);
}

WRAP(void, sight, struct weir_detector *detector, const struct weir_detect_sight *sight) {
    put_one(TAPE_SIGHT, sight, sizeof *sight);
    __real_weir_detector_sight(detector, sight);
}

WRAP(void, traffic, struct weir_detector *detector, int64_t now_us, bool heard,
     const uint64_t asking[WEIR_SERVICES_MAX / 64]) {
    put_one(TAPE_TRAFFIC, &now_us, sizeof now_us);
    put(&(char){heard}, 1);
    put(asking, WEIR_SERVICES_MAX / 8);
    __real_weir_detector_traffic(detector, now_us, heard, asking);
}

WRAP(void, freeze, struct weir_detector *detector, int64_t slot_start_us) {
    put_one(TAPE_FREEZE, &slot_start_us, sizeof slot_start_us);
    __real_weir_detector_freeze(detector, slot_start_us);
}

WRAP(void, step, struct weir_detector *detector, int64_t now_us) {
    put_one(TAPE_STEP, &now_us, sizeof now_us);
    __real_weir_detector_step(detector, now_us);
}

WRAP(void, finish, struct weir_detector *detector, int64_t now_us) {
    put_one(TAPE_FINISH, &now_us, sizeof now_us);
    __real_weir_detector_finish(detector, now_us);
    if (tape && gzclose(tape) != Z_OK) fail();
    tape = NULL;
}
