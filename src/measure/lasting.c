/* Some services answer one request for as long as they like: sound and picture in turn, as much as
 * the player wants at a time, and nothing while its buffer is full. There one request is not one
 * segment, but one burst is what a segment is elsewhere:
 *
 *      request   |burst|           |burst|           |burst|
 *                      |-- rest ---|
 *
 * An answer shows itself as such by resting: twenty seconds after its request it goes on, and has
 * paused three times for two seconds and then gone on with 100 kB and more. From then on each burst
 * is told as if it were an answer of its own. A segment that stumbles over a bad network may rest
 * once or twice, and its pieces after that are small. The resolution is the tick, a second, and
 * what came before the third rest is not told.
 */
#include "measure/lasting.h"

#define LONG_US INT64_C(20000000)
#define REST_US INT64_C(3000000) /* from tick to tick: two seconds without a byte */
#define TICK_US INT64_C(1000000)
#define SAME_US INT64_C(1500000)
enum { RESTS = 3, BURST_MIN = 100000 };

static bool is_same(const struct weir_lasting *lasting, uint16_t port, int64_t asked_us) {
    int64_t apart_us = asked_us - lasting->asked_us;
    return lasting->port == port && apart_us > -SAME_US && apart_us < SAME_US;
}

bool weir_lasting_tick(struct weir_lasting *lasting, uint16_t port, int64_t asked_us,
                       int64_t now_us, uint64_t bytes, struct weir_lasting_burst *ret_burst) {
    if (now_us - asked_us < LONG_US) return false;
    if (!is_same(lasting, port, asked_us))
        *lasting = (struct weir_lasting){
            .asked_us = asked_us, .from_us = now_us - TICK_US, .last_us = now_us, .port = port};
    bool over = false;
    int64_t rest_us = now_us - lasting->last_us;
    if (rest_us >= REST_US && lasting->bytes >= BURST_MIN) {
        lasting->rests += lasting->rests < RESTS;
        over = lasting->rests == RESTS;
        *ret_burst = (struct weir_lasting_burst){lasting->from_us, lasting->last_us, rest_us,
                                                 lasting->bytes};
        lasting->told_bytes += over ? lasting->bytes : 0;
        lasting->from_us = now_us - TICK_US;
        lasting->bytes = 0;
    }
    lasting->bytes += bytes;
    lasting->last_us = now_us;
    return over;
}

bool weir_lasting_end(struct weir_lasting *lasting, uint16_t port, int64_t asked_us,
                      uint64_t all_bytes, struct weir_lasting_burst *ret_burst) {
    struct weir_lasting ended = *lasting;
    if (!is_same(lasting, port, asked_us)) return false;
    *lasting = (struct weir_lasting){0};
    if (ended.told_bytes == 0) return false;
    uint64_t rest = all_bytes > ended.told_bytes ? all_bytes - ended.told_bytes : 0;
    *ret_burst = (struct weir_lasting_burst){ended.from_us, ended.last_us, 0,
                                             ended.bytes < rest ? ended.bytes : rest};
    return true;
}
