/* A viewer waits from his click on. Names, connections, the page, the catalogue and the licence
 * come before the media, and attempts that fail do, too:
 *
 *     lookup    connection (page)   connection that fails    connection (media)   request
 *     |-----|   |---|               |-------------------|    |----|               |
 *     startup begins here     rests of three seconds at most                      asked
 *
 * So startup begins with the first of a row of attempts that the first request for media ends. From
 * the end of one to the next, or to the connection, it is three seconds at most. Behind one that
 * failed it is half a minute: players wait longer after each failure. A row may have begun six
 * seconds before the connection, for who looks around for longer has not clicked yet. One in which
 * something failed may have begun two minutes before: nobody waits for longer.
 *
 * A connection that was opened for longer before its first request for media, without any of this
 * between, was opened ahead, or has served an earlier session: startup begins with the request.
 *
 * Lookups of names that are neither media nor control may be any program's. */
#include <errno.h>
#include <stdlib.h>

#include "measure/mix.h"
#include "measure/prelude.h"

enum { PRELUDES = 4096 };
#define REST_US    INT64_C(3000000)
#define AGAIN_US   INT64_C(30000000)  /* behind a failure */
#define LOOK_US    INT64_C(6000000)   /* of looking around, before the connection */
#define IN_VAIN_US INT64_C(120000000) /* the same, where something fails */

int weir_preludes_init(struct weir_preludes *preludes) {
    preludes->table = calloc(PRELUDES, sizeof *preludes->table);
    return preludes->table ? 0 : -ENOMEM;
}

void weir_preludes_deinit(struct weir_preludes *preludes) {
    free(preludes->table);
    preludes->table = NULL;
}

/* Where this client and service belong; the newest pair has it. */
static struct weir_prelude *prelude_of(const struct weir_preludes *preludes,
                                       const struct weir_evidence *evidence, uint64_t *ret_key) {
    *ret_key = weir_mix_end(weir_mix_addr(evidence->service, &evidence->client)) | 1;
    return &preludes->table[*ret_key >> 32 & (PRELUDES - 1)];
}

/* The longest rest behind what came so far. */
static int64_t rest_us(const struct weir_prelude *prelude) {
    return prelude->failed ? AGAIN_US : REST_US;
}

/* Whether a viewer waits for it. */
static bool is_waited_for(const struct weir_evidence *evidence) {
    bool useful = evidence->outcome == WEIR_OUTCOME_USEFUL;
    bool opens = evidence->layer == WEIR_LAYER_CONNECT || evidence->layer == WEIR_LAYER_QUIC;
    bool own = evidence->role == WEIR_ROLE_MEDIA || evidence->role == WEIR_ROLE_CONTROL;
    if (evidence->service < WEIR_SERVICE_FIRST || evidence->by_session ||
        evidence->outcome == WEIR_OUTCOME_NEUTRAL)
        return false;
    return opens ? own || useful : own && evidence->layer == WEIR_LAYER_DNS;
}

void weir_preludes_take(struct weir_preludes *preludes, const struct weir_evidence *evidence) {
    uint64_t key;
    if (!is_waited_for(evidence)) return;
    struct weir_prelude *prelude = prelude_of(preludes, evidence, &key);
    int64_t from_us = evidence->flow_first_us, to_us = evidence->ts_us;
    bool failed = evidence->outcome != WEIR_OUTCOME_USEFUL;
    if (prelude->key != key || from_us - prelude->last_us > rest_us(prelude))
        *prelude = (struct weir_prelude){.key = key, .first_us = from_us, .last_us = to_us};
    if (from_us < prelude->first_us) prelude->first_us = from_us;
    if (to_us >= prelude->last_us) {
        prelude->last_us = to_us;
        prelude->failed = failed;
    }
    prelude->in_vain |= failed;
}

static int64_t asked_us(const struct weir_evidence *evidence) {
    int64_t asked_us = evidence->kind == WEIR_EVIDENCE_CHUNK
                           ? evidence->chunk.request_us
                           : evidence->ts_us - evidence->progress.open_us;
    return asked_us > evidence->flow_first_us ? asked_us : evidence->flow_first_us;
}

int64_t weir_preludes_begin_us(const struct weir_preludes *preludes,
                               const struct weir_evidence *evidence) {
    uint64_t key;
    const struct weir_prelude *prelude = prelude_of(preludes, evidence, &key);
    int64_t begin_us = evidence->flow_first_us, request_us = asked_us(evidence);
    bool known = prelude->key == key && prelude->first_us <= begin_us;
    bool joined = known && request_us - prelude->last_us <= rest_us(prelude);
    if (request_us - begin_us > REST_US && !joined) return request_us;
    bool counts = known && begin_us - prelude->last_us <= rest_us(prelude) &&
                  begin_us - prelude->first_us <= (prelude->in_vain ? IN_VAIN_US : LOOK_US);
    return counts ? prelude->first_us : begin_us;
}
