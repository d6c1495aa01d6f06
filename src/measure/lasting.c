/* Some services answer one request for as long as they like: sound and picture in turn, as much as
 * the player wants at a time, and nothing while its buffer is full. There one request is not one
 * segment, but one burst is what a segment is elsewhere:
 *
 *      request   |burst|           |burst|           |burst|
 *                      |-- rest ---|
 *
 * An answer shows itself as such by resting: twenty seconds after its request it goes on, and has
 * paused three times for two seconds, each time behind 100 kB and more. Then the bursts before
 * are told, and each one after it, as if it were an answer of its own. Later answers of the session
 * are such answers from their first rest on. A segment that stumbles over a bad network may rest
 * once or twice, and its pieces after that are small. The resolution is the tick, a second. What
 * comes on other connections leaves an answer alone that has rested once.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/lasting.h"

#define LONG_US INT64_C(20000000)
#define REST_US INT64_C(2000000)
#define TICK_US INT64_C(1000000)
#define SAME_US INT64_C(1500000)
enum { BURST_MIN = 100000 };

void weir_lasting_deinit(struct weir_lasting *lasting) {
    free(lasting->kept);
    lasting->kept = NULL;
}

/* Another answer, or none: only the memory stays. */
static void forget(struct weir_lasting *lasting, int64_t asked_us, uint16_t port) {
    *lasting = (struct weir_lasting){.asked_us = asked_us, .port = port, .kept = lasting->kept};
}

static bool is_same(const struct weir_lasting *lasting, uint16_t port, int64_t asked_us) {
    int64_t apart_us = asked_us - lasting->asked_us;
    return lasting->port == port && apart_us > -SAME_US && apart_us < SAME_US;
}

/* A burst began in the tick before its first bytes were seen, but not before the rest was over. */
static void begin(struct weir_lasting *lasting, int64_t last_us) {
    int64_t least_us = lasting->last_us ? lasting->last_us + REST_US : lasting->asked_us;
    lasting->from_us = last_us - TICK_US > least_us ? last_us - TICK_US : least_us;
    if (lasting->from_us > last_us) lasting->from_us = last_us;
    lasting->bytes = 0;
}

/* The burst that is over; one too many joins the one before. Without memory it is lost. */
static void keep(struct weir_lasting *lasting, int64_t rest_us) {
    struct weir_lasting_burst burst = {lasting->from_us, lasting->last_us, rest_us, lasting->bytes};
    if (!lasting->kept) lasting->kept = calloc(WEIR_LASTING_BURSTS, sizeof *lasting->kept);
    if (!lasting->kept) return;
    if (lasting->n_kept == WEIR_LASTING_BURSTS) {
        const struct weir_lasting_burst *before = &lasting->kept[--lasting->n_kept];
        burst.from_us = before->from_us;
        burst.bytes += before->bytes;
    }
    lasting->kept[lasting->n_kept++] = burst;
}

/* All that are kept. */
static int tell(struct weir_lasting *lasting, struct weir_lasting_burst *ret_bursts) {
    int n = lasting->n_kept;
    if (n) memcpy(ret_bursts, lasting->kept, (size_t)n * sizeof *ret_bursts);
    for (int i = 0; i < n; i++) lasting->told_bytes += ret_bursts[i].bytes;
    lasting->told = true;
    lasting->n_kept = 0;
    return n;
}

int weir_lasting_tick(struct weir_lasting *lasting, uint16_t port, int64_t asked_us,
                      int64_t last_us, uint64_t bytes, bool known,
                      struct weir_lasting_burst ret_bursts[WEIR_LASTING_BURSTS]) {
    bool goes_on = last_us - lasting->last_us < LONG_US;
    if (lasting->port != port && goes_on && (lasting->told || lasting->n_kept)) return 0;
    if (!is_same(lasting, port, asked_us)) {
        forget(lasting, asked_us, port);
        begin(lasting, last_us);
        lasting->last_us = last_us;
    }
    int n = 0;
    int64_t rest_us = last_us - lasting->last_us;
    if (rest_us >= REST_US && lasting->bytes >= BURST_MIN) {
        keep(lasting, rest_us);
        bool shown = last_us - asked_us >= LONG_US && lasting->n_kept >= WEIR_LASTING_RESTS;
        if (lasting->told || known || shown) n = tell(lasting, ret_bursts);
        begin(lasting, last_us);
    }
    lasting->bytes += bytes;
    lasting->last_us = last_us;
    return n;
}

bool weir_lasting_is_told(const struct weir_lasting *lasting, uint16_t port, int64_t asked_us) {
    return lasting->told && is_same(lasting, port, asked_us);
}

bool weir_lasting_end(struct weir_lasting *lasting, uint16_t port, int64_t asked_us,
                      uint64_t all_bytes, struct weir_lasting_burst *ret_burst) {
    struct weir_lasting ended = *lasting;
    if (!is_same(lasting, port, asked_us)) return false;
    forget(lasting, 0, 0);
    if (!ended.told) return false;
    uint64_t rest = all_bytes > ended.told_bytes ? all_bytes - ended.told_bytes : 0;
    *ret_burst = (struct weir_lasting_burst){ended.from_us, ended.last_us, 0,
                                             ended.bytes < rest ? ended.bytes : rest};
    return true;
}
