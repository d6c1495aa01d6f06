/* A flow that never gets an answer can still be named: the client asked DNS for the address just
 * before. The memory maps (client, server address) to the newest names that were asked for; a name
 * counts for its TTL and an hour, since applications hold on to addresses for longer than they
 * should.
 *
 * One address carries many names (CDNs), so three are kept: the newest names the flow, the others
 * tell whether an outer SNI is one that the client really asked for.
 *
 * Blind spots: names learned over DoH or DoT, or before the capture began; two names of different
 * services that one client uses on one address at the same time (the newest wins).
 *
 * Only answers change what is kept, never lookups: all workers see the same answers, so all hold
 * the same memory.
 *
 * Most flows go to an address that nobody was told of: a byte of each key's hash lies beside the
 * entries, a set's eight together, so that such a lookup touches none of them. */
#include "classify/names.h"

#include <errno.h>
#include <stdlib.h>

#include "classify/assoc.h"

static const struct weir_addr anybody;

int names_init(struct names *names, size_t names_max, uint64_t secret) {
    size_t n_sets = assoc_sets(names_max);
    *names = (struct names){.n_sets = n_sets, .secret = secret};
    names->entries = calloc(n_sets * ASSOC_WAYS, sizeof *names->entries);
    names->tags = calloc(n_sets, ASSOC_WAYS);
    if (names->entries && names->tags) return 0;
    names_deinit(names);
    return -ENOMEM;
}

void names_deinit(struct names *names) {
    free(names->entries);
    free(names->tags);
    *names = (struct names){0};
}

/* Where a pair may be: the first entry of its set, and what its own has for a tag. */
struct spot {
    size_t first;
    uint8_t tag;
};

static struct spot spot_of(const struct names *names, const struct weir_addr key[2]) {
    uint64_t hash = assoc_hash(names->secret, key, 2 * sizeof key[0]);
    return (struct spot){(hash & (names->n_sets - 1)) * ASSOC_WAYS, (uint8_t)(hash >> 56 | 1)};
}

/* The pair's entry, or NULL. */
static struct names_entry *look(const struct names *names, struct spot spot,
                                const struct weir_addr key[2]) {
    for (size_t at = spot.first; at < spot.first + ASSOC_WAYS; at++) {
        struct names_entry *entry = &names->entries[at];
        if (names->tags[at] == spot.tag && entry->names[0].hash != 0 &&
            memcmp(entry->key, key, sizeof entry->key) == 0)
            return entry;
    }
    return NULL;
}

static int64_t entry_expires(const struct names_entry *entry) {
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < NAMES_PER_ADDRESS; i++) {
        if (entry->names[i].hash != 0 && name_expires_us(&entry->names[i]) > latest)
            latest = name_expires_us(&entry->names[i]);
    }
    return latest;
}

/* The place for a new pair: one that was never used, which its tag tells, else the one that is
 * first to expire. */
static size_t way_of(const struct names *names, struct spot spot) {
    size_t oldest = spot.first;
    for (size_t at = spot.first; at < spot.first + ASSOC_WAYS; at++)
        if (!names->tags[at]) return at;
    for (size_t at = spot.first + 1; at < spot.first + ASSOC_WAYS; at++)
        if (entry_expires(&names->entries[at]) < entry_expires(&names->entries[oldest]))
            oldest = at;
    return oldest;
}

/* The pair's entry, or the one that is first to expire, cleared for it. */
static struct names_entry *take_entry(struct names *names, const struct weir_addr key[2],
                                      int64_t now_us) {
    struct spot spot = spot_of(names, key);
    struct names_entry *known = look(names, spot, key);
    if (known) return known;
    struct names_entry *oldest = &names->entries[way_of(names, spot)];
    if (entry_expires(oldest) > now_us) names->evicted++;
    *oldest = (struct names_entry){.key = {key[0], key[1]}};
    names->tags[oldest - names->entries] = spot.tag;
    return oldest;
}

/* Puts `name` in front; where it stood before, or the last place, closes up. */
static void put_first(struct names_entry *entry, const struct name *name) {
    size_t at = 0;
    while (at < NAMES_PER_ADDRESS - 1 && entry->names[at].hash != name->hash &&
           entry->names[at].hash != 0)
        at++;
    memmove(&entry->names[1], &entry->names[0], at * sizeof entry->names[0]);
    entry->names[0] = *name;
}

void names_put(struct names *names, const struct weir_addr *client, const struct weir_addr *server,
               const struct name *name, int64_t now_us) {
    if (!name_alive(name, now_us)) return;
    const struct weir_addr key[2] = {*client, *server};
    put_first(take_entry(names, key, now_us), name);
}

void names_learn(struct names *names, const struct weir_addr *client,
                 const struct weir_addr *server, const struct name *name, int64_t now_us) {
    names_put(names, client, server, name, now_us);
    names_put(names, &anybody, server, name, now_us);
}

const struct names_entry *names_find(const struct names *names, const struct weir_addr *client,
                                     const struct weir_addr *server, int64_t now_us) {
    const struct weir_addr key[2] = {*client, *server};
    const struct names_entry *entry = look(names, spot_of(names, key), key);
    return entry && entry_expires(entry) > now_us ? entry : NULL;
}

static const struct name *newest_alive(const struct names_entry *entry, int64_t now_us) {
    for (size_t i = 0; i < NAMES_PER_ADDRESS; i++) {
        if (name_alive(&entry->names[i], now_us)) return &entry->names[i];
    }
    return NULL;
}

static bool one_service(const struct names_entry *entry, weir_service_id service, int64_t now_us) {
    for (size_t i = 0; i < NAMES_PER_ADDRESS; i++) {
        if (name_alive(&entry->names[i], now_us) && entry->names[i].match.service != service)
            return false;
    }
    return true;
}

const struct name *names_lookup(const struct names *names, const struct weir_addr *client,
                                const struct weir_addr *server, int64_t now_us, bool *ret_own) {
    const struct names_entry *entry = names_find(names, client, server, now_us);
    *ret_own = entry != NULL;
    if (entry) return newest_alive(entry, now_us);
    entry = names_find(names, &anybody, server, now_us);
    const struct name *name = entry ? newest_alive(entry, now_us) : NULL;
    return name && one_service(entry, name->match.service, now_us) ? name : NULL;
}

bool names_confirm(const struct names *names, const struct weir_addr *client,
                   const struct weir_addr *server, uint64_t hash, int64_t now_us) {
    const struct names_entry *entry = names_find(names, client, server, now_us);
    if (!entry) entry = names_find(names, &anybody, server, now_us);
    for (size_t i = 0; entry && i < NAMES_PER_ADDRESS; i++) {
        if (name_alive(&entry->names[i], now_us) && entry->names[i].hash == hash) return true;
    }
    return false;
}
