/* When is a server's reset of an idle connection premature?
 *
 * Servers close what rests too long, and that is no fault: the client opens another connection when
 * it needs one. Their timers are fixed, so pauses that were survived bound them from below: where
 * eight pauses longer than p have been survived lately, no timer of p is at work. The timer is one
 * of the server's (or of the balancer before it), hence by service, role and network; a service's
 * other hosts may have another.
 *
 *     pauses survived      | | ||| || |||| |
 *     reset after      ^ premature        ^ a timer, perhaps
 *
 * A timer is also known by its own resets: where eight came after pauses of one length, before
 * longer ones were survived there, that timer is at work beside the longer one: another server of
 * the network, another protocol.
 *
 * Pauses are counted by length, four classes an octave from one second on. Of two that are compared
 * one is taken for the longer where it is longer by a third: the server's clock begins at another
 * packet than ours, and classes are a fifth wide. Old counts are halved every hour, since timers
 * are changed.
 *
 * Blind spots: a place with fewer than eight long pauses has no bound, and its resets stay neutral;
 * servers of one network with different timers, of which the longer ones are used first, look like
 * premature resets of the others; a limit of a connection's age or number of requests that is
 * enforced by a reset does, too.
 */
#include <math.h>

#include "measure/lifetimes.h"

enum {
    CLASSES = 48,
    CLASSES_AN_OCTAVE = 4,
    SURVIVORS_LEAST = 8,
    TIMED_LEAST = 8,
    TIMED_MAX = 200,
    COUNT_MAX = 60000,
    HALVINGS_MAX = 16
};
#define HALVE_US  INT64_C(3600000000)
#define SECOND_US 1e6

struct key {
    struct weir_addr prefix;
    uint32_t service, role;
};

struct place {
    struct weir_assoc_mark mark;
    struct key key;
    int64_t halved_us;
    uint16_t survived[CLASSES]; /* by length */
    uint8_t timed[CLASSES];     /* resets, while nothing longer was survived */
};

int weir_lifetimes_init(struct weir_lifetimes *lifetimes, size_t max_places) {
    return weir_assoc_init(&lifetimes->places, sizeof(struct place), sizeof(struct key),
                           max_places);
}

void weir_lifetimes_deinit(struct weir_lifetimes *lifetimes) {
    weir_assoc_deinit(&lifetimes->places);
}

static struct key key_of(weir_service_id service, uint8_t role, const struct weir_addr *server) {
    return (struct key){.prefix = weir_addr_prefix(server), .service = service, .role = role};
}

/* Of whole pauses: class c holds those of 2^(c/4) seconds and longer. */
static int class_of(double seconds) {
    double class = floor(CLASSES_AN_OCTAVE * log2(seconds));
    return class < 0 ? 0 : class < CLASSES ? (int)class : CLASSES - 1;
}

static void halve(struct place *place, int64_t now_us) {
    if (!place->halved_us || now_us - place->halved_us >= HALVINGS_MAX * HALVE_US) {
        memset(place->survived, 0, sizeof place->survived);
        memset(place->timed, 0, sizeof place->timed);
        place->halved_us = now_us;
    }
    for (; now_us - place->halved_us >= HALVE_US; place->halved_us += HALVE_US)
        for (int class = 0; class < CLASSES; class ++) {
            place->survived[class] /= 2;
            place->timed[class] /= 2;
        }
}

void weir_lifetimes_survived(struct weir_lifetimes *lifetimes, weir_service_id service,
                             uint8_t role, const struct weir_addr *server, int64_t pause_us,
                             int64_t now_us) {
    struct key key = key_of(service, role, server);
    struct place *place = weir_assoc_get(&lifetimes->places, &key, now_us);
    halve(place, now_us);
    uint16_t *count = &place->survived[class_of((double)pause_us / SECOND_US)];
    *count += *count < COUNT_MAX;
}

void weir_lifetimes_timed(struct weir_lifetimes *lifetimes, weir_service_id service, uint8_t role,
                          const struct weir_addr *server, int64_t pause_us, int64_t now_us) {
    struct key key = key_of(service, role, server);
    struct place *place = weir_assoc_get(&lifetimes->places, &key, now_us);
    halve(place, now_us);
    uint8_t *count = &place->timed[class_of((double)pause_us / SECOND_US)];
    *count += *count < TIMED_MAX;
}

/* A timer may lie on the border of two classes. */
static bool is_timer(const struct place *place, int class) {
    int first = class > 0 ? class - 1 : 0, last = class < CLASSES - 1 ? class + 1 : class;
    unsigned n = 0;
    for (int at = first; at <= last; at++) n += place->timed[at];
    return n >= TIMED_LEAST;
}

bool weir_lifetimes_outlived(const struct weir_lifetimes *lifetimes, weir_service_id service,
                             uint8_t role, const struct weir_addr *server, int64_t pause_us) {
    struct key key = key_of(service, role, server);
    const struct place *place = pause_us > 0 ? weir_assoc_find(&lifetimes->places, &key) : NULL;
    if (!place) return false;
    unsigned survivors = 0;
    for (int class = class_of((double)pause_us / SECOND_US * 4 / 3) + 1; class < CLASSES; class ++)
        survivors += place->survived[class];
    return survivors >= SURVIVORS_LEAST && !is_timer(place, class_of((double)pause_us / SECOND_US));
}
