/* Sizes are learned in histogram buckets of about 6 %, a neighbour counts too, since a live
 * playlist's size wavers. Only what was followed by a chunk is learned, and of a run that was
 * already judged hollow nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "measure/hollow.h"
#include "measure/mix.h"

#define HOST_S 600 /* a host is a media host of this client for 10 min after its last chunk */
enum { SIZES = 160, KNOWN_MIN = 2, COUNT_MAX = 250 };

struct weir_small_host {
    uint32_t host; /* 0: free */
    uint8_t counts[SIZES];
};

int weir_small_answers_init(struct weir_small_answers *answers, size_t max) {
    size_t size = 16;
    while (size < max * 2) size *= 2;
    *answers = (struct weir_small_answers){
        .hosts = calloc(size, sizeof *answers->hosts), .mask = size - 1, .max = max};
    return answers->hosts ? 0 : -ENOMEM;
}

void weir_small_answers_deinit(struct weir_small_answers *answers) {
    free(answers->hosts);
    answers->hosts = NULL;
}

static struct weir_small_host *host_find(const struct weir_small_answers *answers, uint32_t host) {
    for (size_t at = host & answers->mask; answers->hosts[at].host; at = (at + 1) & answers->mask)
        if (answers->hosts[at].host == host) return &answers->hosts[at];
    return NULL;
}

static struct weir_small_host *host_need(struct weir_small_answers *answers, uint32_t host) {
    struct weir_small_host *found = host_find(answers, host);
    if (found) return found;
    if (answers->n >= answers->max) {
        answers->refused++;
        return NULL;
    }
    size_t at = host & answers->mask;
    while (answers->hosts[at].host) at = (at + 1) & answers->mask;
    answers->hosts[at].host = host;
    answers->n++;
    return &answers->hosts[at];
}

static void learn(struct weir_small_answers *answers, uint32_t host, uint32_t bytes) {
    struct weir_small_host *entry = host_need(answers, host);
    unsigned bucket = weir_histogram_bucket(bytes);
    if (entry && bucket < SIZES && entry->counts[bucket] < COUNT_MAX) entry->counts[bucket]++;
}

static bool is_usual(const struct weir_small_answers *answers, uint32_t host, uint32_t bytes) {
    const struct weir_small_host *entry = host_find(answers, host);
    unsigned bucket = weir_histogram_bucket(bytes), seen = 0;
    if (!entry) return false;
    for (unsigned near = bucket ? bucket - 1 : 0; near <= bucket + 1 && near < SIZES; near++)
        seen += entry->counts[near];
    return seen >= KNOWN_MIN;
}

static uint32_t second_of(const struct weir_evidence *evidence) {
    return (uint32_t)(evidence->now_us / 1000000);
}

/* A host, or its address where the name is not known, as this service uses it. */
static uint32_t host_of(const struct weir_evidence *evidence) {
    uint64_t hash = weir_mix(0, evidence->service);
    hash = evidence->host_hash ? weir_mix(hash, evidence->host_hash)
                               : weir_mix_addr(hash, &evidence->server);
    uint32_t host = (uint32_t)weir_mix_end(hash);
    return host ? host : 1;
}

static void host_gave_chunk(struct weir_hollow *hollow, uint32_t host, uint32_t now_s) {
    int oldest = 0;
    for (int i = 0; i < WEIR_HOLLOW_HOSTS; i++) {
        if (hollow->hosts[i].host == host) {
            hollow->hosts[i].chunk_s = now_s;
            return;
        }
        if (hollow->hosts[i].chunk_s < hollow->hosts[oldest].chunk_s) oldest = i;
    }
    hollow->hosts[oldest].host = host;
    hollow->hosts[oldest].chunk_s = now_s;
}

static bool host_gives_chunks(const struct weir_hollow *hollow, uint32_t host, uint32_t now_s) {
    for (int i = 0; i < WEIR_HOLLOW_HOSTS; i++)
        if (hollow->hosts[i].host == host) return now_s - hollow->hosts[i].chunk_s <= HOST_S;
    return false;
}

/* After an error a player asks another media host, which gave this client nothing so far: it goes
 * on with the run that one which did has begun. */
static bool is_candidate(const struct weir_hollow *hollow, uint32_t host,
                         const struct weir_evidence *evidence) {
    return host_gives_chunks(hollow, host, second_of(evidence)) ||
           (hollow->run > 0 && evidence->role == WEIR_ROLE_MEDIA);
}

void weir_hollow_chunk(struct weir_hollow *hollow, struct weir_small_answers *answers,
                       const struct weir_evidence *evidence) {
    host_gave_chunk(hollow, host_of(evidence), second_of(evidence));
    if (hollow->run < WEIR_HOLLOW_RUN)
        for (unsigned i = 0; i < hollow->n_noted; i++)
            learn(answers, hollow->noted_host[i], hollow->noted_bytes[i]);
    hollow->n_noted = 0;
    hollow->run = 0;
}

uint32_t weir_hollow_small(struct weir_hollow *hollow, struct weir_small_answers *answers,
                           const struct weir_evidence *evidence) {
    uint32_t host = host_of(evidence);
    uint32_t bytes = (uint32_t)evidence->chunk.bytes;
    if (hollow->n_noted < WEIR_HOLLOW_NOTED) {
        hollow->noted_host[hollow->n_noted] = host;
        hollow->noted_bytes[hollow->n_noted++] = (uint16_t)bytes;
    }
    if (!is_candidate(hollow, host, evidence) || is_usual(answers, host, bytes)) return 0;
    return ++hollow->run;
}
