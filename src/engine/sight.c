/* A monitor that sees nothing must not say that all is well. Three ways to be blind, besides lost
 * packets and a tap that shows one direction, which detect knows from its windows:
 *
 * - link down: an interface is not up, or has no carrier. The kernel says so.
 * - silent: no packet at all for three times as long as the longest pause so far, ten seconds at
 *   the least. Only where packets came in most seconds before: a quiet link at night is not blind.
 * - undecoded: a fifth of a window's packets and more cannot be read. The encapsulation is unknown
 *   to weir, or the snap length is too short. ARP, LLDP and the like are read, and are no
 *   streaming.
 *
 * Blind spot: a mirror port that loses one of its sources while others go on.
 */
#include <stdio.h>
#include <string.h>

#include "engine/sight.h"

enum { GAPS = 3, LEARN_TICKS = 30, UNDECODED_MIN = 200 };
#define SILENT_MIN_US   INT64_C(10000000)
#define UNDECODED_SHARE 0.2

static void listen_for_packets(struct weir_sight *sight, int64_t now_us, uint64_t packets) {
    if (packets == sight->packets) return;
    int64_t gap_us = sight->heard_us ? now_us - sight->heard_us : 0;
    if (gap_us > sight->longest_gap_us) sight->longest_gap_us = gap_us;
    sight->packets = packets;
    sight->heard_us = now_us;
    sight->heard_ticks++;
}

static bool is_silent(const struct weir_sight *sight, int64_t now_us) {
    int64_t ticks = sight->heard_us ? (sight->heard_us - sight->first_us) / 1000000 + 1 : 0;
    int64_t patience_us =
        GAPS * sight->longest_gap_us > SILENT_MIN_US ? GAPS * sight->longest_gap_us : SILENT_MIN_US;
    return sight->heard_ticks >= LEARN_TICKS && (int64_t)sight->heard_ticks * 2 > ticks &&
           now_us - sight->heard_us >= patience_us;
}

/* Outcomes from LINK_UNKNOWN on are refusals; those before it were read. */
static double undecoded(const uint64_t now[WEIR_DECODE_N], const uint64_t before[WEIR_DECODE_N]) {
    uint64_t all = 0, refused = 0;
    for (int i = 0; i < WEIR_DECODE_N; i++) {
        all += now[i] - before[i];
        refused += i >= WEIR_DECODE_LINK_UNKNOWN ? now[i] - before[i] : 0;
    }
    return all >= UNDECODED_MIN ? (double)refused / (double)all : 0;
}

void weir_sight_look(struct weir_sight *sight, int64_t now_us, bool window_end,
                     const struct weir_source_stats *stats, const uint64_t decode[WEIR_DECODE_N]) {
    struct weir_detect_sight now = {0};
    if (!sight->first_us) sight->first_us = now_us;
    if (stats) listen_for_packets(sight, now_us, stats->packets);
    if (window_end) {
        sight->undecoded_share = undecoded(decode, sight->decode);
        memcpy(sight->decode, decode, sizeof sight->decode);
    }
    if (stats && stats->links_down) {
        now.blindness = WEIR_BLIND_LINK_DOWN;
        snprintf(now.where, sizeof now.where, "%s", stats->link_down);
    } else if (stats && is_silent(sight, now_us)) {
        now.blindness = WEIR_BLIND_SILENT;
        now.since_us = sight->heard_us;
    } else if (sight->undecoded_share >= UNDECODED_SHARE) {
        now.blindness = WEIR_BLIND_UNDECODED;
        now.share = sight->undecoded_share;
    }
    if (!now.since_us)
        now.since_us = sight->now.blindness == now.blindness ? sight->now.since_us : now_us;
    sight->now = now;
}
