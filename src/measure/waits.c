/* A request that waits says more with each second: how rare it is that this service's answers take
 * so long.
 *
 *     nats = -ln S(wait),  S the share of the service's last answers whose first byte took that
 *                          long or longer, (longer + 1) / (all + 1): with 30 answers known at most
 *                          3.4 nats, with 1,000 at most 6.9
 *
 * What waits is the client, not the connection: a player that gives up after four seconds and asks
 * again elsewhere is not served by that. So its wait begins with the first request that was not
 * answered, and ends when a chunk comes, or when it has asked for nothing for ten seconds. Fewer
 * than eight answers say nothing.
 *
 * Words of a size that nobody has answered here may be no request. A browser's first one on a
 * connection is five times as long as the next ones, so that where one viewer is alone it has been
 * answered once or never, and a server that hangs is asked by nothing else: the player gives up,
 * connects and asks again. So they count where the client is waiting for this service already, and
 * where an earlier one was in vain: it had waited for four seconds, and ten seconds later at most
 * the client asks again. A client that is served meanwhile waits for nothing.
 *
 * Blind spot: sound that is served on another connection ends the picture's wait as far as it was
 * carried over.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "measure/waits.h"

enum { CLIENTS_MAX = 16384, ANSWERS_MIN = 8, SERVED_BYTES = 5000 };
#define FORGET_US  INT64_C(10000000)
#define IN_VAIN_US INT64_C(4000000)

struct key {
    struct weir_addr client;
    uint64_t service;
};

struct unserved {
    struct weir_assoc_mark mark;
    struct key key;
    int64_t since_us, seen_us; /* engine's clock; seen_us 0: served */
    /* words that may be a request: when said, and when they waited last; 0: none */
    int64_t doubtful_us, doubtful_seen_us;
};

int weir_waits_init(struct weir_waits *waits, size_t clients_max) {
    *waits = (struct weir_waits){.answers = calloc(WEIR_SERVICES_MAX, sizeof *waits->answers)};
    if (waits->answers &&
        weir_assoc_init(&waits->unserved, sizeof(struct unserved), sizeof(struct key),
                        clients_max ? clients_max : CLIENTS_MAX) == 0)
        return 0;
    weir_waits_deinit(waits);
    return -ENOMEM;
}

void weir_waits_deinit(struct weir_waits *waits) {
    free(waits->answers);
    waits->answers = NULL;
    weir_assoc_deinit(&waits->unserved);
}

static struct key key_of(const struct weir_evidence *evidence) {
    return (struct key){evidence->client, evidence->service};
}

void weir_waits_served(struct weir_waits *waits, const struct weir_evidence *evidence) {
    bool chunk = evidence->kind == WEIR_EVIDENCE_CHUNK;
    uint64_t bytes = chunk ? evidence->chunk.bytes : evidence->progress.bytes;
    if (chunk && evidence->chunk.known && evidence->chunk.ttfb_us >= 0 && !evidence->chunk.cut)
        weir_learned_add(&waits->answers[evidence->service % WEIR_SERVICES_MAX],
                         (uint64_t)evidence->chunk.ttfb_us);
    if (bytes < SERVED_BYTES) return;
    struct key key = key_of(evidence);
    struct unserved *unserved = weir_assoc_find(&waits->unserved, &key);
    if (unserved) unserved->seen_us = unserved->doubtful_seen_us = 0;
}

static float nats_of(const struct weir_learned *answers, int64_t wait_us) {
    if (answers->n < ANSWERS_MIN) return 0;
    uint32_t longer = 0;
    for (unsigned bucket = weir_histogram_bucket((uint64_t)wait_us);
         bucket < WEIR_HISTOGRAM_BUCKETS; bucket++)
        longer += answers->counts[bucket];
    return -logf((float)(longer + 1) / (float)(answers->n + 1));
}

static struct weir_hang waits_since(struct weir_waits *waits, struct unserved *unserved,
                                    const struct weir_evidence *evidence, int64_t since_us) {
    if (!unserved->seen_us || evidence->now_us - unserved->seen_us > FORGET_US ||
        since_us < unserved->since_us)
        unserved->since_us = since_us;
    unserved->seen_us = evidence->now_us;
    int64_t us = evidence->now_us - unserved->since_us;
    return (struct weir_hang){us,
                              nats_of(&waits->answers[evidence->service % WEIR_SERVICES_MAX], us)};
}

/* The first words in doubt are only remembered; when those that began four seconds later and more
 * wait as well, the client has been waiting since the first. */
static struct weir_hang doubtful(struct weir_waits *waits, struct unserved *unserved,
                                 const struct weir_evidence *evidence) {
    int64_t since_us = evidence->now_us - evidence->progress.unsure_us,
            first_us = unserved->doubtful_us;
    bool lately =
        unserved->doubtful_seen_us && evidence->now_us - unserved->doubtful_seen_us <= FORGET_US;
    if (!lately) unserved->doubtful_us = since_us;
    unserved->doubtful_seen_us = evidence->now_us;
    if (unserved->seen_us && evidence->now_us - unserved->seen_us <= FORGET_US)
        return waits_since(waits, unserved, evidence, since_us);
    if (lately && since_us - first_us >= IN_VAIN_US)
        return waits_since(waits, unserved, evidence, first_us);
    return (struct weir_hang){0};
}

struct weir_hang weir_waits_hanging(struct weir_waits *waits,
                                    const struct weir_evidence *evidence) {
    struct key key = key_of(evidence);
    struct unserved *unserved = weir_assoc_get(&waits->unserved, &key, evidence->now_us);
    if (!evidence->progress.waiting) return doubtful(waits, unserved, evidence);
    return waits_since(waits, unserved, evidence, evidence->now_us - evidence->progress.waiting_us);
}
