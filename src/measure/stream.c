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
#include "measure/stream.h"

#define LONG_US INT64_C(20000000)
#define REST_US INT64_C(3000000) /* from tick to tick: two seconds without a byte */
#define TICK_US INT64_C(1000000)
#define SAME_US INT64_C(1500000)
enum { RESTS = 3, BURST_MIN = 100000 };

static bool is_same(const struct weir_stream *stream, uint16_t port, int64_t asked_us)
{
    int64_t apart_us = asked_us - stream->asked_us;
    return stream->port == port && apart_us > -SAME_US && apart_us < SAME_US;
}

bool weir_stream_tick(struct weir_stream *stream, uint16_t port, int64_t asked_us, int64_t now_us,
    uint64_t bytes, struct weir_stream_burst *ret_burst)
{
    if (now_us - asked_us < LONG_US)
        return false;
    if (!is_same(stream, port, asked_us))
        *stream = (struct weir_stream){
            .asked_us = asked_us, .from_us = now_us - TICK_US, .last_us = now_us, .port = port};
    bool over = false;
    int64_t rest_us = now_us - stream->last_us;
    if (rest_us >= REST_US && stream->bytes >= BURST_MIN) {
        stream->rests += stream->rests < RESTS;
        over = stream->rests == RESTS;
        *ret_burst = (struct weir_stream_burst){
            stream->from_us, stream->last_us, rest_us, stream->bytes};
        stream->told_bytes += over ? stream->bytes : 0;
        stream->from_us = now_us - TICK_US;
        stream->bytes = 0;
    }
    stream->bytes += bytes;
    stream->last_us = now_us;
    return over;
}

bool weir_stream_end(struct weir_stream *stream, uint16_t port, int64_t asked_us,
    uint64_t all_bytes, struct weir_stream_burst *ret_burst)
{
    struct weir_stream ended = *stream;
    if (!is_same(stream, port, asked_us))
        return false;
    *stream = (struct weir_stream){0};
    if (ended.told_bytes == 0)
        return false;
    uint64_t rest = all_bytes > ended.told_bytes ? all_bytes - ended.told_bytes : 0;
    *ret_burst = (struct weir_stream_burst){
        ended.from_us, ended.last_us, 0, ended.bytes < rest ? ended.bytes : rest};
    return true;
}
