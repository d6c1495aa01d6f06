/* Local policy is no outage. Households and schools run filters that answer for names they dislike,
 * most often for telemetry: with their own address, 0.0.0.0 or ::, NXDOMAIN, or REFUSED. The
 * service is as well as before.
 *
 *     points inside   a lookup of a service's name answered with local addresses alone, while the
 *                     service also lives outside (another lookup, or something useful, had an
 *                     outside address): a filter's doing. So is whatever then happens at that
 *                     address, refused, unanswered or a page with an explanation. An address from
 *                     which much has come is no filter but the service's own server here.
 *     denied          NXDOMAIN or REFUSED for one name, while the same resolver goes on answering
 *                     other names of the service and the service serves. `Goes on` means: after
 *                     this name was first denied. Within the first minute something that the
 *                     service served since then will do, or an answer of the last half a minute,
 *                     if this name alone is denied: when a zone breaks, the next name that anybody
 *                     asks for is denied too. Players keep names and connections for a while, so
 *                     that nobody may ask for another name meanwhile.
 *
 * The service serves while its last useful connection or answer is not a minute older than its last
 * failure. A name that is answered from outside again is no longer blocked. Nor is one of a host of
 * media, if media had come until it was denied, and then none has for a quarter of a minute, while
 * it is still asked for: whoever denies it, what people watch has stopped for it.
 *
 * Blind spots: a service that takes one of its own names away looks the same. A filter that answers
 * with an outside address is not recognised. Where nothing but the denied name is ever asked for,
 * it counts as failing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "measure/hollow.h"
#include "measure/policy.h"

enum {
    NAMES_MAX = 1024,
    RESOLVERS_MAX = 1024,
    TRUSTED_MAX = 256,
    TRUST_BYTES = 100000,
    ANSWERS = 2
};
#define RECENT_US  INT64_C(30000000)
#define DOUBT_US   INT64_C(60000000)
#define SERVES_US  INT64_C(60000000)
#define RUN_US     INT64_C(600000000) /* not denied for so long: it begins anew */
#define DRY_US     INT64_C(15000000)  /* a player with a full buffer rests for less */
#define OUTSIDE_US (INT64_C(24) * 3600 * 1000000)

struct name_key {
    uint64_t service, hash;
};
struct name {
    struct weir_assoc_mark mark;
    struct name_key key;
    int64_t denied_us, last_denied_us; /* the first of this run, and the last */
    int64_t blocked_us;                /* when it was last said to be blocked; 0: it is not */
    char text[WEIR_BLOCKED_NAME_MAX];
};

struct resolver_key {
    struct weir_addr resolver;
    uint64_t service;
};
struct resolver {
    struct weir_assoc_mark mark;
    struct resolver_key key;
    struct {
        uint64_t hash;
        int64_t us;
    } answered[ANSWERS]; /* the last two names, the newer first */
    uint64_t denied_hash;
    uint32_t n_denied; /* different names in a row, since anything was answered */
};

struct weir_policy_service {
    int64_t useful_us, failed_us, outside_us;
    int64_t served_us; /* the last answer to a request, or useful connection */
    int64_t media_us;  /* the last bytes of media */
};

int weir_policy_init(struct weir_policy *policy, const struct weir_cidr *local, size_t n_local) {
    *policy = (struct weir_policy){.local = local, .n_local = n_local};
    policy->services = calloc(WEIR_SERVICES_MAX, sizeof *policy->services);
    if (policy->services &&
        weir_assoc_init(&policy->names, sizeof(struct name), sizeof(struct name_key), NAMES_MAX) ==
            0 &&
        weir_assoc_init(&policy->resolvers, sizeof(struct resolver), sizeof(struct resolver_key),
                        RESOLVERS_MAX) == 0 &&
        weir_known_names_init(&policy->trusted, TRUSTED_MAX) == 0)
        return 0;
    weir_policy_deinit(policy);
    return -ENOMEM;
}

void weir_policy_deinit(struct weir_policy *policy) {
    weir_assoc_deinit(&policy->names);
    weir_assoc_deinit(&policy->resolvers);
    weir_known_names_deinit(&policy->trusted);
    free(policy->services);
    policy->services = NULL;
}

static struct name *name_of(struct weir_policy *policy, weir_service_id service, uint64_t hash,
                            int64_t now_us) {
    struct name_key key = {service, hash};
    return weir_assoc_get(&policy->names, &key, now_us);
}

void weir_policy_name(struct weir_policy *policy, const struct weir_heard_name *heard,
                      int64_t now_us) {
    struct name *name = name_of(policy, heard->service, heard->hash, now_us);
    memcpy(name->text, heard->text, sizeof name->text);
}

static bool is_local(const struct weir_policy *policy, const struct weir_addr *addr) {
    if (weir_addr_is_local(addr)) return true;
    for (size_t i = 0; i < policy->n_local; i++)
        if (weir_cidr_contains(&policy->local[i], addr)) return true;
    return false;
}

static bool lives_outside(const struct weir_policy *policy, weir_service_id service,
                          int64_t now_us) {
    int64_t us = policy->services[service].outside_us;
    return us && now_us - us < OUTSIDE_US;
}

static bool serves(const struct weir_policy *policy, weir_service_id service) {
    const struct weir_policy_service *seen = &policy->services[service];
    return seen->useful_us && seen->failed_us - seen->useful_us < SERVES_US;
}

/* ---- lookups ---- */

static void note_answer(struct resolver *resolver, uint64_t hash, int64_t now_us) {
    if (resolver->answered[0].hash != hash) {
        resolver->answered[1] = resolver->answered[0];
        resolver->answered[0].hash = hash;
    }
    resolver->answered[0].us = now_us;
    resolver->denied_hash = 0;
    resolver->n_denied = 0;
}

/* When another name of the service was last answered; INT64_MIN: never. */
static int64_t other_answer_us(const struct resolver *resolver, uint64_t hash) {
    const int newer = resolver->answered[0].hash == hash;
    return resolver->answered[newer].hash ? resolver->answered[newer].us : INT64_MIN;
}

static void note_denial(struct name *name, struct resolver *resolver, int64_t now_us) {
    if (!name->denied_us || now_us - name->last_denied_us > RUN_US) name->denied_us = now_us;
    name->last_denied_us = now_us;
    resolver->n_denied += resolver->denied_hash != name->key.hash;
    resolver->denied_hash = name->key.hash;
}

static bool is_single(const struct name *name, const struct resolver *resolver, int64_t served_us,
                      int64_t now_us) {
    int64_t answer_us = other_answer_us(resolver, name->key.hash);
    if (answer_us >= name->denied_us || name->blocked_us) return true;
    return (answer_us >= name->denied_us - RECENT_US || served_us > name->denied_us) &&
           now_us - name->denied_us <= DOUBT_US && resolver->n_denied <= 1;
}

/* Media came until the name was denied, and have run dry since. */
static bool is_dry(const struct weir_policy_service *service, const struct name *name,
                   const struct weir_evidence *evidence) {
    return evidence->role == WEIR_ROLE_MEDIA && name->denied_us &&
           service->media_us >= name->denied_us - RECENT_US &&
           evidence->now_us - service->media_us > DRY_US;
}

bool weir_policy_lookup(struct weir_policy *policy, const struct weir_evidence *evidence) {
    weir_service_id service = evidence->service;
    if (service < WEIR_SERVICE_FIRST || service >= WEIR_SERVICES_MAX || !evidence->host_hash)
        return false;
    struct resolver_key key = {evidence->server, service};
    struct resolver *resolver = weir_assoc_get(&policy->resolvers, &key, evidence->now_us);
    bool useful = evidence->outcome == WEIR_OUTCOME_USEFUL, inside = useful && evidence->dns.inside;
    if (!useful && !evidence->dns.denied) return false;
    struct name *name = name_of(policy, service, evidence->host_hash, evidence->now_us);
    if (useful && !inside) {
        note_answer(resolver, evidence->host_hash, evidence->now_us);
        name->denied_us = name->blocked_us = 0;
        policy->services[service].outside_us = evidence->now_us;
        return false;
    }
    if (!inside) note_denial(name, resolver, evidence->now_us);
    bool blocked = inside ? lives_outside(policy, service, evidence->now_us)
                          : serves(policy, service) &&
                                is_single(name, resolver, policy->services[service].served_us,
                                          evidence->now_us) &&
                                !is_dry(&policy->services[service], name, evidence);
    if (blocked) name->blocked_us = evidence->now_us;
    return blocked;
}

/* ---- flows ---- */

static void note_flow(struct weir_policy *policy, const struct weir_evidence *evidence) {
    struct weir_policy_service *seen = &policy->services[evidence->service];
    if (evidence->kind == WEIR_EVIDENCE_CHUNK) seen->served_us = evidence->now_us;
    uint64_t bytes = evidence->kind == WEIR_EVIDENCE_CHUNK      ? evidence->chunk.bytes
                     : evidence->kind == WEIR_EVIDENCE_PROGRESS ? evidence->progress.bytes
                                                                : 0;
    if (evidence->media && bytes >= WEIR_SMALL_BYTES) seen->media_us = evidence->now_us;
    if (evidence->kind != WEIR_EVIDENCE_ATTEMPT) return;
    if (evidence->outcome == WEIR_OUTCOME_USEFUL)
        seen->served_us = seen->useful_us = seen->outside_us = evidence->now_us;
    else if (weir_outcome_failed(evidence->outcome))
        seen->failed_us = evidence->now_us;
}

bool weir_policy_flow(struct weir_policy *policy, const struct weir_evidence *evidence) {
    if (evidence->service < WEIR_SERVICE_FIRST || evidence->service >= WEIR_SERVICES_MAX)
        return false;
    if (!is_local(policy, &evidence->server)) {
        note_flow(policy, evidence);
        return false;
    }
    uint64_t address = weir_hash_addr(&evidence->server) | 1;
    if (evidence->kind == WEIR_EVIDENCE_CHUNK && evidence->chunk.bytes >= TRUST_BYTES)
        weir_known_names_add(&policy->trusted, address, evidence->now_us);
    if (weir_known_names_has(&policy->trusted, address, evidence->now_us) ||
        !lives_outside(policy, evidence->service, evidence->now_us))
        return false;
    if (evidence->host_hash)
        name_of(policy, evidence->service, evidence->host_hash, evidence->now_us)->blocked_us =
            evidence->now_us;
    return true;
}

/* ---- what is told ---- */

/* In their order, as far as there is room: the last of a full list gives way. */
static void insert(struct weir_blocked_names *names, const char text[WEIR_BLOCKED_NAME_MAX]) {
    size_t at = names->n;
    while (at > 0 && strcmp(names->text[at - 1], text) > 0) at--;
    if (at == WEIR_BLOCKED_NAMES_MAX) return;
    size_t behind = names->n - at - (names->n == WEIR_BLOCKED_NAMES_MAX);
    memmove(names->text[at + 1], names->text[at], behind * sizeof names->text[0]);
    memcpy(names->text[at], text, sizeof names->text[0]);
    names->n += names->n < WEIR_BLOCKED_NAMES_MAX;
}

void weir_policy_blocked(const struct weir_policy *policy, weir_service_id service,
                         int64_t since_us, struct weir_blocked_names *ret_names) {
    size_t cursor = 0;
    const struct name *name;
    ret_names->n = 0;
    while ((name = weir_assoc_next(&policy->names, &cursor)))
        if (name->key.service == service && name->blocked_us && name->blocked_us >= since_us &&
            name->text[0])
            insert(ret_names, name->text);
}
