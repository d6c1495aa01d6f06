/* A host's requests of one size bring answers of their own kind: lists of films, a session's keys,
 * a beacon's receipt. Learned is their mean (of the logarithm), by host and request's size.
 *
 *     small     less than a quarter of that mean, to a request of a size that has been answered
 *               four times, a minute long, and hardly ever so small
 *     error     small, as everything that the host has answered since: the third in a row and each
 *               later one, three seconds or more after the first, while another client has had
 *               small answers of the service within a minute
 *
 * An outage of an API meets all at once. One client alone may ask again and again whether a page
 * has changed, and be told in few bytes that it has not.
 *
 * A usual answer ends the run: what was small before it was harmless, and is learned. What was
 * judged an error is not. But where errors alone came, four times as many as were usual before, the
 * size is learned anew, for then the service has changed.
 *
 * Blind spots: errors as large as answers, or among others that are none; an API that one client
 * alone asks; requests that nobody makes twice.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "measure/mix.h"
#include "measure/shrunk.h"

enum {
    SIZES = 48, /* four an octave */
    RUN_MIN = 3,
    NOTED_MAX = 8,
    KNOWN_MIN = 4,
    RARE = 20, /* one small answer in so many is as usual */
    SMALLER = 4,
    SMALL_MAX = 5000, /* no error is larger */
    ANEW = 4,
    COUNT_MAX = 1000,
};
#define APART_US    INT64_C(3000000)
#define KNOWN_US    INT64_C(60000000)
#define TOGETHER_US INT64_C(60000000)
#define LATELY_US   INT64_C(600000000)

/* Answers to requests of one size. */
struct kind {
    float log_bytes; /* mean of the usual ones */
    uint16_t usual, small;
};

/* Small answers in a row. */
struct run {
    int64_t first_us;
    uint32_t n;
    unsigned n_noted;
    uint8_t noted[NOTED_MAX]; /* kinds of the first of them, and of other small answers */
};

struct host {
    struct weir_assoc_mark mark;
    uint64_t key;
    int64_t first_us, error_us; /* the first answer; the last error, 0: none */
    struct run run;
    struct kind kinds[SIZES];
};

int weir_shrunk_init(struct weir_shrunk *shrunk, size_t hosts_max) {
    *shrunk = (struct weir_shrunk){.services = calloc(WEIR_SERVICES_MAX, sizeof *shrunk->services)};
    if (shrunk->services &&
        weir_assoc_init(&shrunk->hosts, sizeof(struct host), sizeof(uint64_t), hosts_max) == 0)
        return 0;
    weir_shrunk_deinit(shrunk);
    return -ENOMEM;
}

void weir_shrunk_deinit(struct weir_shrunk *shrunk) {
    weir_assoc_deinit(&shrunk->hosts);
    free(shrunk->services);
    shrunk->services = NULL;
}

/* A host, or its address where the name is not known, as this service uses it. */
static struct host *host_of(struct weir_shrunk *shrunk, const struct weir_evidence *reply) {
    uint64_t hash = weir_mix(reply->transport, reply->service);
    hash =
        reply->host_hash ? weir_mix(hash, reply->host_hash) : weir_mix_addr(hash, &reply->server);
    uint64_t key = weir_mix_end(hash);
    struct host *host = weir_assoc_get(&shrunk->hosts, &key, reply->now_us);
    if (!host->first_us) host->first_us = reply->now_us;
    return host;
}

static unsigned kind_of(uint32_t request_bytes) {
    unsigned kind = (unsigned)(4 * log2((double)request_bytes));
    return kind < SIZES ? kind : SIZES - 1;
}

/* With the kinds beside it: lengths of names and tokens differ by as much. */
static struct kind around(const struct host *host, unsigned at) {
    struct kind sum = {0};
    double logs = 0;
    for (unsigned i = at ? at - 1 : 0; i <= at + 1 && i < SIZES; i++) {
        sum.usual = (uint16_t)(sum.usual + host->kinds[i].usual);
        sum.small = (uint16_t)(sum.small + host->kinds[i].small);
        logs += (double)host->kinds[i].log_bytes * host->kinds[i].usual;
    }
    if (sum.usual) sum.log_bytes = (float)(logs / sum.usual);
    return sum;
}

static void learn_usual(struct kind *kind, double log_bytes) {
    if (kind->usual < COUNT_MAX) kind->usual++;
    kind->log_bytes += (float)((log_bytes - (double)kind->log_bytes) / kind->usual);
}

static void learn_small(struct kind *kind) {
    if (kind->small < COUNT_MAX) kind->small++;
}

/* What was small among usual answers is learned, unless it was judged. */
static void end_run(struct host *host) {
    for (unsigned i = 0; i < host->run.n_noted && host->run.n < RUN_MIN; i++)
        learn_small(&host->kinds[host->run.noted[i]]);
    host->run = (struct run){0};
}

static void note(struct run *run, unsigned at) {
    if (run->n_noted < NOTED_MAX) run->noted[run->n_noted++] = (uint8_t)at;
}

/* One more of a run that is judged: has the service changed? */
static void count_error(struct host *host, unsigned at, int64_t now_us) {
    host->error_us = now_us;
    if (host->run.n > RUN_MIN + ANEW * (uint32_t)around(host, at).usual) {
        memset(host->kinds, 0, sizeof host->kinds);
        host->first_us = now_us;
        host->run = (struct run){0};
    }
}

/* Has another client of the service had small answers lately, from whichever of its hosts? */
static bool meets_others(struct weir_met *met, const struct weir_evidence *reply) {
    uint64_t client = weir_mix_addr(0, &reply->client);
    if (client != met->client) {
        met->other_us = met->us;
        met->client = client;
    }
    met->us = reply->now_us;
    return met->other_us && reply->now_us - met->other_us < TOGETHER_US;
}

static bool go_on(struct run *run, bool together, const struct weir_evidence *reply) {
    if (run->n == 0) run->first_us = reply->chunk.request_us;
    bool judged = run->n >= RUN_MIN - 1 && together && reply->ts_us - run->first_us >= APART_US;
    if (judged || run->n < RUN_MIN - 1) run->n++;
    return judged;
}

enum weir_outcome weir_shrunk_take(struct weir_shrunk *shrunk, const struct weir_evidence *reply) {
    if (reply->chunk.request_bytes == 0 || reply->chunk.ttfb_us < 0 || reply->chunk.bytes == 0 ||
        reply->chunk.cut)
        return WEIR_OUTCOME_NEUTRAL;
    struct host *host = host_of(shrunk, reply);
    unsigned at = kind_of(reply->chunk.request_bytes);
    struct kind kind = around(host, at);
    double log_bytes = log((double)reply->chunk.bytes);
    bool known = kind.usual >= KNOWN_MIN && reply->now_us - host->first_us >= KNOWN_US;
    bool small = kind.usual && reply->chunk.bytes < SMALL_MAX &&
                 log_bytes < (double)kind.log_bytes - log(SMALLER);
    if (host->run.n && !known) { /* of a host in doubt nothing new is learned */
        if (small) note(&host->run, at);
        return WEIR_OUTCOME_NEUTRAL;
    }
    if (!small) {
        learn_usual(&host->kinds[at], log_bytes);
        if (kind.usual < KNOWN_MIN) return WEIR_OUTCOME_NEUTRAL;
        bool lately = host->error_us && reply->now_us - host->error_us < LATELY_US;
        end_run(host);
        return lately ? WEIR_OUTCOME_USEFUL : WEIR_OUTCOME_NEUTRAL;
    }
    if (kind.small * RARE > kind.usual) { /* as small as that is nothing new */
        learn_small(&host->kinds[at]);
        return WEIR_OUTCOME_NEUTRAL;
    }
    note(&host->run, at);
    if (!known) return WEIR_OUTCOME_NEUTRAL;
    bool together = meets_others(&shrunk->services[reply->service], reply);
    if (!go_on(&host->run, together, reply)) return WEIR_OUTCOME_NEUTRAL;
    count_error(host, at, reply->now_us);
    return WEIR_OUTCOME_HOLLOW;
}
