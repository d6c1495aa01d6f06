/* A race is won by another address of the same name or by the other transport. The same address and
 * transport again is a retry, not a race: it is what mixed slots are made of.
 *
 * IPv4 against IPv6 is run from two addresses of the client, and no packet says that they are one.
 * So a winner of the other family counts, whoever it was, if it set out for the same name within
 * half a second. Blind spot: where many clients ask for one name, a failure of one of them over
 * IPv6 may hide behind another's success over IPv4.
 *
 * QUIC that stays silent while TCP is useful is not a lost race but a fall-back: a healthy server
 * answers an Initial within a round trip, and a client that has its answer by TCP sends no second
 * Initial. Useful is a new connection, or a request served after QUIC had failed over one that was
 * open before: browsers keep both for minutes. A QUIC connection that dies in use has no rival to
 * lose to: only what was served after it counts. Browsers that still wait for it keep TCP
 * connections to the same name alive meanwhile. A server that answers a keep-alive there is not
 * gone: the one transport works, and the other does not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "measure/mix.h"
#include "measure/race.h"

enum { WAYS = 4, WINS = 3, FAMILIES_US = 500000 };

struct win {
    struct weir_addr client, server;
    uint8_t transport;
    int64_t first_us, useful_us; /* stamps; useful_us 0: none */
};

struct weir_race_entry { /* its key: of client and name, or of a name alone */
    int64_t touched_us;
    int64_t tcp_failed_us;
    int64_t served_us;     /* stamp of the last request served over TCP */
    int64_t alive_us;      /* ... of the last keep-alive answered */
    struct win wins[WINS]; /* newest first */
};

int weir_race_init(struct weir_race_memory *memory, size_t max) {
    size_t buckets = 16;
    while (buckets * WAYS < max) buckets *= 2;
    memory->entries = calloc(buckets * WAYS, sizeof *memory->entries);
    memory->keys = calloc(buckets * WAYS, sizeof *memory->keys);
    memory->mask = buckets - 1;
    if (memory->entries && memory->keys) return 0;
    weir_race_deinit(memory);
    return -ENOMEM;
}

void weir_race_deinit(struct weir_race_memory *memory) {
    free(memory->entries);
    free(memory->keys);
    memory->entries = NULL;
    memory->keys = NULL;
}

/* Without a name, the service stands for it; "other" is no name of anything, so there the server's
 * address does. */
static uint64_t key_of(const struct weir_evidence *evidence) {
    uint64_t hash = weir_mix_addr(evidence->service, &evidence->client);
    if (evidence->host_hash)
        hash = weir_mix(hash, evidence->host_hash);
    else if (evidence->service < WEIR_SERVICE_FIRST)
        hash = weir_mix_addr(hash, &evidence->server);
    hash = weir_mix_end(hash);
    return hash ? hash : 1;
}

static uint64_t key_of_name(const struct weir_evidence *evidence) {
    uint64_t hash = weir_mix_end(weir_mix(evidence->service, evidence->host_hash));
    return hash ? hash : 1;
}

/* The first of a bucket's places. */
static size_t bucket_of(const struct weir_race_memory *memory, uint64_t key) {
    return (key >> 8 & memory->mask) * WAYS;
}

void weir_race_prefetch(const struct weir_race_memory *memory,
                        const struct weir_evidence *evidence) {
    __builtin_prefetch(&memory->keys[bucket_of(memory, key_of(evidence))]);
}

static struct weir_race_entry *find(const struct weir_race_memory *memory, uint64_t key) {
    size_t first = bucket_of(memory, key);
    for (size_t at = first; at < first + WAYS; at++)
        if (memory->keys[at] == key) return &memory->entries[at];
    return NULL;
}

static struct weir_race_entry *need(struct weir_race_memory *memory, uint64_t key) {
    struct weir_race_entry *entry = find(memory, key);
    if (entry) return entry;
    size_t first = bucket_of(memory, key), oldest = first;
    for (size_t at = first + 1; at < first + WAYS; at++)
        if (memory->keys[oldest] && (!memory->keys[at] || memory->entries[at].touched_us <
                                                              memory->entries[oldest].touched_us))
            oldest = at;
    memory->keys[oldest] = key;
    memory->entries[oldest] = (struct weir_race_entry){.touched_us = 0};
    return &memory->entries[oldest];
}

static void win_add(struct weir_race_entry *entry, const struct weir_evidence *evidence) {
    int place = 0;
    while (place < WINS - 1 &&
           !(entry->wins[place].transport == evidence->transport &&
             weir_addr_compare(&entry->wins[place].server, &evidence->server) == 0))
        place++;
    memmove(&entry->wins[1], &entry->wins[0], (size_t)place * sizeof entry->wins[0]);
    entry->wins[0] = (struct win){.client = evidence->client,
                                  .server = evidence->server,
                                  .transport = evidence->transport,
                                  .first_us = evidence->first_us,
                                  .useful_us = evidence->ts_us};
}

void weir_race_note(struct weir_race_memory *memory, const struct weir_evidence *evidence) {
    bool useful = evidence->outcome == WEIR_OUTCOME_USEFUL;
    bool tcp_failed = !useful && evidence->transport == WEIR_TRANSPORT_TCP &&
                      weir_outcome_failed(evidence->outcome);
    if (!useful && !tcp_failed) return;
    struct weir_race_entry *entry = need(memory, key_of(evidence));
    entry->touched_us = evidence->now_us;
    if (useful)
        win_add(entry, evidence);
    else
        entry->tcp_failed_us = evidence->ts_us;
    if (!useful || !evidence->host_hash) return;
    entry = need(memory, key_of_name(evidence));
    entry->touched_us = evidence->now_us;
    win_add(entry, evidence);
}

void weir_race_served(struct weir_race_memory *memory, const struct weir_evidence *evidence) {
    if (evidence->transport != WEIR_TRANSPORT_TCP || evidence->outcome != WEIR_OUTCOME_USEFUL)
        return;
    struct weir_race_entry *entry = need(memory, key_of(evidence));
    entry->touched_us = evidence->now_us;
    if (evidence->first_us > entry->served_us) entry->served_us = evidence->first_us;
}

void weir_race_alive(struct weir_race_memory *memory, const struct weir_evidence *evidence) {
    struct weir_race_entry *entry = need(memory, key_of(evidence));
    entry->touched_us = evidence->now_us;
    if (evidence->ts_us > entry->alive_us) entry->alive_us = evidence->ts_us;
}

bool weir_race_died(const struct weir_evidence *evidence) {
    return evidence->layer == WEIR_LAYER_QUIC && evidence->first_us > evidence->flow_first_us;
}

static bool lost_to(const struct weir_evidence *loser, const struct win *win) {
    bool other =
        win->transport != loser->transport || weir_addr_compare(&win->server, &loser->server) != 0;
    return other && win->useful_us >= loser->first_us &&
           win->useful_us <= loser->first_us + WEIR_RACE_US &&
           win->first_us >= loser->first_us - WEIR_RACE_US;
}

static bool fell_back_to(const struct weir_evidence *quic, const struct win *win) {
    if (win->transport != WEIR_TRANSPORT_TCP) return false;
    if (weir_race_died(quic))
        return win->useful_us >= quic->first_us &&
               win->useful_us <= quic->first_us + WEIR_FALLBACK_LATE_US;
    return win->useful_us >= quic->ts_us - WEIR_FALLBACK_US &&
           win->useful_us <= quic->ts_us + WEIR_FALLBACK_US;
}

/* Asked over TCP after QUIC had failed, and served. */
static bool served_instead(const struct weir_evidence *quic, const struct weir_race_entry *entry) {
    int64_t patience_us = weir_race_died(quic) ? WEIR_FALLBACK_LATE_US : WEIR_FALLBACK_US;
    return entry->served_us >= quic->first_us && entry->served_us <= quic->first_us + patience_us;
}

/* A connection that died, and beside it one over TCP that lives, and no other that failed. */
static bool lives_beside(const struct weir_evidence *quic, const struct weir_race_entry *entry) {
    return weir_race_died(quic) && entry->alive_us >= quic->first_us &&
           entry->alive_us <= quic->first_us + WEIR_FALLBACK_LATE_US &&
           entry->tcp_failed_us < quic->first_us;
}

static bool lost_to_family(const struct weir_race_memory *memory,
                           const struct weir_evidence *loser) {
    const struct weir_race_entry *entry =
        loser->host_hash ? find(memory, key_of_name(loser)) : NULL;
    for (int i = 0; entry && i < WINS && entry->wins[i].useful_us; i++) {
        const struct win *win = &entry->wins[i];
        bool other = weir_addr_is_v4(&win->client) != weir_addr_is_v4(&loser->client);
        if (other && lost_to(loser, win) && llabs(win->first_us - loser->first_us) <= FAMILIES_US)
            return true;
    }
    return false;
}

enum weir_race weir_race_judge(const struct weir_race_memory *memory,
                               const struct weir_evidence *evidence) {
    const struct weir_race_entry *entry = find(memory, key_of(evidence));
    if (!weir_race_died(evidence) && lost_to_family(memory, evidence)) return WEIR_RACE_LOST;
    if (!entry) return WEIR_RACE_NONE;
    bool quic = evidence->layer == WEIR_LAYER_QUIC;
    bool works_over_tcp =
        quic && (served_instead(evidence, entry) || lives_beside(evidence, entry));
    enum weir_race verdict = works_over_tcp ? WEIR_RACE_FELL_BACK : WEIR_RACE_NONE;
    for (int i = 0; i < WINS && entry->wins[i].useful_us; i++) {
        if (quic && fell_back_to(evidence, &entry->wins[i]))
            verdict = WEIR_RACE_FELL_BACK;
        else if (!weir_race_died(evidence) && lost_to(evidence, &entry->wins[i]))
            return WEIR_RACE_LOST;
    }
    if (verdict == WEIR_RACE_NONE && quic && entry->tcp_failed_us >= evidence->first_us &&
        entry->tcp_failed_us)
        verdict = WEIR_RACE_BOTH_FAILED;
    return verdict;
}
