/* A set of services, and whose a host name, an address or a protocol name is.
 *
 * Host suffixes lie in an open hash table, keyed by a hash that is taken from the last byte
 * backwards: one walk over a name from its end meets, at every label boundary, the hash of the
 * suffix that starts there.
 *
 *     i p v 4 - c 0 0 1 . o c a . n f l x v i d e o . n e t
 *                         ^       ^                   ^     one probe each; the last that hits is
 * the longest
 *
 * The walk ends at the longest suffix known, so that a long hostile name costs no more than an
 * honest one. Probes end at an empty slot; the table is at most half full and holds only what the
 * operator wrote, so nobody on the wire can lengthen them.
 *
 * Address prefixes either nest or are disjoint. Sorted by address, then by length, the last one
 * that does not start behind an address holds the longest match or has it among the prefixes around
 * it, which `parent` links.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "signature.h"

enum { FILES_MAX = WEIR_SERVICES_MAX - WEIR_SERVICE_FIRST + 1, NAMES_SEEN_MAX = 4096 };

struct suffix {
    const char *text; /* NULL: empty slot; lives in a signature */
    uint32_t hash;
    uint8_t length;
    uint8_t owner; /* the service that listed it, 0 for the CDN file */
    struct weir_match match;
};

struct suffix_table {
    struct suffix *slots;
    uint32_t mask;
    size_t longest;
};

struct prefix {
    struct weir_cidr cidr;
    int32_t parent; /* the narrowest prefix around this one, by index; -1 none */
    uint8_t owner, role;
};

struct ndpi_name {
    const char *name;
    uint8_t owner;
};

struct weir_service_set {
    atomic_uint references;
    size_t n_services;                                    /* NONE and OTHER included */
    struct weir_signature *signatures[WEIR_SERVICES_MAX]; /* by id; the first two are NULL */
    struct weir_signature *cdn_file;
    struct suffix_table hosts, cdn;
    struct prefix *prefixes;
    size_t n_prefixes;
    struct ndpi_name *ndpi;
    size_t n_ndpi;
};

static_assert(WEIR_SERVICES_MAX <= 256, "a service fits its byte");

static const struct weir_service pseudo_services[WEIR_SERVICE_FIRST] = {
    [WEIR_SERVICE_NONE] = {.id = "none", .title = "Not named"},
    [WEIR_SERVICE_OTHER] = {.id = "other", .title = "Other"},
};

static const struct weir_match no_match = {.service = WEIR_SERVICE_OTHER, .role = WEIR_ROLE_OTHER};

const char *weir_role_name(enum weir_role role) {
    static const char *const names[] = {
        [WEIR_ROLE_OTHER] = "other", [WEIR_ROLE_CONTROL] = "control", [WEIR_ROLE_MEDIA] = "media"};
    return (size_t)role < sizeof names / sizeof names[0] ? names[role] : "other";
}

const char *weir_kind_name(enum weir_service_kind kind) {
    static const char *const names[] = {[WEIR_KIND_VOD] = "vod",
                                        [WEIR_KIND_LIVE] = "live",
                                        [WEIR_KIND_AUDIO] = "audio",
                                        [WEIR_KIND_CALL] = "call"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "vod";
}

const char *weir_named_by_name(enum weir_named_by named_by) {
    static const char *const names[WEIR_NAMED_N] = {
        [WEIR_NAMED_NONE] = "none", [WEIR_NAMED_SNI] = "sni",         [WEIR_NAMED_HTTP] = "http",
        [WEIR_NAMED_DNS] = "dns",   [WEIR_NAMED_ADDRESS] = "address", [WEIR_NAMED_NDPI] = "ndpi"};
    return (size_t)named_by < WEIR_NAMED_N ? names[named_by] : "none";
}

/* Host suffixes */

static inline uint32_t hash_start(void) { return 2166136261u; /* FNV-1a */ }

static inline uint32_t hash_add(uint32_t hash, char c) { return (hash ^ (uint8_t)c) * 16777619u; }

static inline uint32_t slot_of(const struct suffix_table *table, uint32_t hash) {
    return (hash ^ hash >> 15) & table->mask;
}

static const struct suffix *suffix_find(const struct suffix_table *table, const char *text,
                                        size_t length, uint32_t hash) {
    for (uint32_t i = slot_of(table, hash); table->slots[i].text; i = (i + 1) & table->mask) {
        const struct suffix *suffix = &table->slots[i];
        if (suffix->hash == hash && suffix->length == length &&
            memcmp(suffix->text, text, length) == 0)
            return suffix;
    }
    return NULL;
}

static const struct suffix *suffix_longest(const struct suffix_table *table, const char *host,
                                           size_t length) {
    const struct suffix *longest = NULL;
    if (!table->slots) return NULL;
    if (length > 0 && host[length - 1] == '.') length--;
    size_t stop = length > table->longest ? length - table->longest : 0;
    uint32_t hash = hash_start();
    for (size_t at = length; at > stop; at--) {
        hash = hash_add(hash, host[at - 1]);
        if (at - 1 > 0 && host[at - 2] != '.') continue;
        const struct suffix *found = suffix_find(table, host + at - 1, length - (at - 1), hash);
        if (found) longest = found;
    }
    return longest;
}

/* Adds a suffix; returns the one that is there already, if any. The table has room. */
static const struct suffix *suffix_add(struct suffix_table *table, const char *text, uint8_t owner,
                                       struct weir_match match) {
    size_t length = strlen(text);
    uint32_t hash = hash_start();
    for (size_t at = length; at > 0; at--) hash = hash_add(hash, text[at - 1]);
    const struct suffix *twin = suffix_find(table, text, length, hash);
    if (twin) return twin;
    uint32_t i = slot_of(table, hash);
    while (table->slots[i].text) i = (i + 1) & table->mask;
    table->slots[i] = (struct suffix){text, hash, (uint8_t)length, owner, match};
    if (length > table->longest) table->longest = length;
    return NULL;
}

static int suffix_table_init(struct suffix_table *table, size_t n) {
    size_t n_slots = 16;
    while (n_slots < 2 * n) n_slots *= 2;
    table->slots = calloc(n_slots, sizeof *table->slots);
    table->mask = (uint32_t)(n_slots - 1);
    return table->slots ? 0 : -ENOMEM;
}

struct weir_match weir_service_match_host(const struct weir_service_set *set, const char *host,
                                          size_t length) {
    const struct suffix *suffix = suffix_longest(&set->hosts, host, length);
    return suffix ? suffix->match : no_match;
}

bool weir_service_is_media_cdn(const struct weir_service_set *set, const char *host,
                               size_t length) {
    return suffix_longest(&set->cdn, host, length) != NULL;
}

/* Addresses and protocol names */

struct weir_match weir_service_match_addr(const struct weir_service_set *set,
                                          const struct weir_addr *addr) {
    /* the first that starts behind `addr` is in [low, high] */
    size_t low = 0, high = set->n_prefixes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (weir_addr_compare(&set->prefixes[middle].cidr.addr, addr) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (int32_t i = (int32_t)low - 1; i >= 0; i = set->prefixes[i].parent) {
        const struct prefix *prefix = &set->prefixes[i];
        if (weir_cidr_contains(&prefix->cidr, addr))
            return (struct weir_match){.service = prefix->owner, .role = prefix->role};
    }
    return no_match;
}

static int by_ndpi_name(const void *a, const void *b) {
    const struct ndpi_name *left = a, *right = b;
    return strcasecmp(left->name, right->name);
}

struct weir_match weir_service_match_ndpi(const struct weir_service_set *set,
                                          const char *ndpi_name) {
    const struct ndpi_name key = {.name = ndpi_name};
    const struct ndpi_name *found =
        set->n_ndpi ? bsearch(&key, set->ndpi, set->n_ndpi, sizeof key, by_ndpi_name) : NULL;
    return found ? (struct weir_match){.service = found->owner, .role = WEIR_ROLE_OTHER} : no_match;
}

/* Building: every table from all files, refusing what two of them claim. */

static int claim(struct weir_service_set *set, const struct weir_signature *signature,
                 uint8_t owner, const char *field, const char *host, struct weir_match match,
                 struct weir_fault *fault) {
    const struct suffix *twin = suffix_add(&set->hosts, host, owner, match);
    if (!twin) return 0;
    if (twin->owner == owner)
        return weir_signature_fault(signature, fault, field, host, 2, "'%s' is listed twice", host);
    return weir_signature_fault(signature, fault, field, host, 1, "'%s' belongs to %s already (%s)",
                                host, set->signatures[twin->owner]->service.id,
                                set->signatures[twin->owner]->path);
}

static int add_hosts(struct weir_service_set *set, uint8_t id, struct weir_fault *fault) {
    const struct weir_signature *signature = set->signatures[id];
    const struct weir_service *service = &signature->service;
    int error = 0;
    for (size_t i = 0; error == 0 && i < service->n_hosts; i++) {
        const struct weir_service_host *host = &service->hosts[i];
        struct weir_match match = {.service = id, .role = (uint8_t)host->role};
        error = claim(set, signature, id,
                      host->role == WEIR_ROLE_MEDIA     ? "hosts.media"
                      : host->role == WEIR_ROLE_CONTROL ? "hosts.control"
                                                        : "hosts.other",
                      host->suffix, match, fault);
    }
    for (size_t i = 0; error == 0 && i < service->n_never_count; i++) {
        struct weir_match match = {
            .service = WEIR_SERVICE_OTHER, .role = WEIR_ROLE_OTHER, .never_count = true};
        error = claim(set, signature, id, "never_count", service->never_count[i], match, fault);
    }
    return error;
}

static int build_hosts(struct weir_service_set *set, struct weir_fault *fault) {
    size_t n = 0;
    for (size_t id = WEIR_SERVICE_FIRST; id < set->n_services; id++)
        n += set->signatures[id]->service.n_hosts + set->signatures[id]->service.n_never_count;
    int error = suffix_table_init(&set->hosts, n);
    if (error < 0) return weir_fault_set(fault, error, "out of memory for %zu host suffixes", n);
    for (size_t id = WEIR_SERVICE_FIRST; error == 0 && id < set->n_services; id++)
        error = add_hosts(set, (uint8_t)id, fault);
    return error;
}

/* A shared CDN that is one service's own would never show drift, and a service that claimed a whole
 * CDN would own what the others carry there. */
static int build_cdn(struct weir_service_set *set, struct weir_fault *fault) {
    const struct weir_signature *file = set->cdn_file;
    if (!file) return 0;
    if (suffix_table_init(&set->cdn, file->n_cdn) < 0)
        return weir_fault_set(fault, -ENOMEM, "%s: out of memory", file->path);
    for (size_t i = 0; i < file->n_cdn; i++) {
        if (suffix_add(&set->cdn, file->cdn[i], 0, no_match))
            return weir_signature_fault(file, fault, "cdn", file->cdn[i], 2, "'%s' is listed twice",
                                        file->cdn[i]);
        const struct suffix *owned =
            suffix_longest(&set->hosts, file->cdn[i], strlen(file->cdn[i]));
        if (owned)
            return weir_signature_fault(
                file, fault, "cdn", file->cdn[i], 1, "'%s' belongs to %s (%s)", file->cdn[i],
                set->signatures[owned->owner]->service.id, set->signatures[owned->owner]->path);
    }
    return 0;
}

static int by_address(const void *a, const void *b) {
    const struct prefix *left = a, *right = b;
    int order = weir_addr_compare(&left->cidr.addr, &right->cidr.addr);
    return order ? order : (int)left->cidr.bits - (int)right->cidr.bits;
}

static int refuse_twin_prefix(const struct weir_service_set *set, const struct prefix *one,
                              const struct prefix *two, struct weir_fault *fault) {
    uint8_t first = one->owner < two->owner ? one->owner : two->owner;
    uint8_t later = one->owner < two->owner ? two->owner : one->owner;
    char text[WEIR_ADDR_TEXT_MAX];
    weir_addr_text(&one->cidr.addr, text);
    unsigned bits = one->cidr.bits - (weir_addr_is_v4(&one->cidr.addr) ? 96u : 0u);
    char word[WEIR_ADDR_TEXT_MAX + 8];
    snprintf(word, sizeof word, "%s/%u", text, bits);
    const struct weir_signature *signature = set->signatures[later];
    if (first == later)
        return weir_signature_fault(signature, fault, "prefixes", word, 2, "'%s' is listed twice",
                                    word);
    return weir_signature_fault(signature, fault, "prefixes", word, 1,
                                "'%s' belongs to %s already (%s)", word,
                                set->signatures[first]->service.id, set->signatures[first]->path);
}

static int link_parents(struct weir_service_set *set, struct weir_fault *fault) {
    for (size_t i = 0; i < set->n_prefixes; i++) {
        struct prefix *prefix = &set->prefixes[i];
        if (i > 0 && by_address(prefix - 1, prefix) == 0)
            return refuse_twin_prefix(set, prefix - 1, prefix, fault);
        prefix->parent = (int32_t)i - 1;
        while (prefix->parent >= 0 &&
               !weir_cidr_contains(&set->prefixes[prefix->parent].cidr, &prefix->cidr.addr))
            prefix->parent = set->prefixes[prefix->parent].parent;
    }
    return 0;
}

static int build_prefixes(struct weir_service_set *set, struct weir_fault *fault) {
    size_t n = 0;
    for (size_t id = WEIR_SERVICE_FIRST; id < set->n_services; id++)
        n += set->signatures[id]->service.n_prefixes;
    set->prefixes = calloc(n + 1, sizeof *set->prefixes);
    if (!set->prefixes)
        return weir_fault_set(fault, -ENOMEM, "out of memory for %zu address prefixes", n);
    for (size_t id = WEIR_SERVICE_FIRST; id < set->n_services; id++) {
        const struct weir_service *service = &set->signatures[id]->service;
        for (size_t i = 0; i < service->n_prefixes; i++)
            set->prefixes[set->n_prefixes++] = (struct prefix){.cidr = service->prefixes[i],
                                                               .owner = (uint8_t)id,
                                                               .role = service->prefix_roles[i]};
    }
    qsort(set->prefixes, set->n_prefixes, sizeof *set->prefixes, by_address);
    return link_parents(set, fault);
}

static int refuse_twin_ndpi(const struct weir_service_set *set, const struct ndpi_name *one,
                            const struct ndpi_name *two, struct weir_fault *fault) {
    const struct ndpi_name *first = one->owner < two->owner ? one : two,
                           *later = first == one ? two : one;
    const struct weir_signature *signature = set->signatures[later->owner];
    if (first->owner == later->owner)
        return weir_signature_fault(signature, fault, "ndpi", later->name, 2,
                                    "'%s' is listed twice", later->name);
    return weir_signature_fault(
        signature, fault, "ndpi", later->name, 1, "'%s' belongs to %s already (%s)", later->name,
        set->signatures[first->owner]->service.id, set->signatures[first->owner]->path);
}

static int build_ndpi(struct weir_service_set *set, struct weir_fault *fault) {
    size_t n = 0;
    for (size_t id = WEIR_SERVICE_FIRST; id < set->n_services; id++)
        n += set->signatures[id]->service.n_ndpi;
    set->ndpi = calloc(n + 1, sizeof *set->ndpi);
    if (!set->ndpi)
        return weir_fault_set(fault, -ENOMEM, "out of memory for %zu protocol names", n);
    for (size_t id = WEIR_SERVICE_FIRST; id < set->n_services; id++) {
        const struct weir_service *service = &set->signatures[id]->service;
        for (size_t i = 0; i < service->n_ndpi; i++)
            set->ndpi[set->n_ndpi++] = (struct ndpi_name){service->ndpi[i], (uint8_t)id};
    }
    qsort(set->ndpi, set->n_ndpi, sizeof *set->ndpi, by_ndpi_name);
    for (size_t i = 1; i < set->n_ndpi; i++)
        if (by_ndpi_name(&set->ndpi[i - 1], &set->ndpi[i]) == 0)
            return refuse_twin_ndpi(set, &set->ndpi[i - 1], &set->ndpi[i], fault);
    return 0;
}

static int build(struct weir_service_set *set, struct weir_fault *fault) {
    int error = build_hosts(set, fault);
    if (error == 0) error = build_cdn(set, fault);
    if (error == 0) error = build_prefixes(set, fault);
    return error < 0 ? error : build_ndpi(set, fault);
}

/* Files of a directory */

struct names {
    char *names[FILES_MAX];
    size_t n;
};

static bool is_signature_name(const char *name) {
    size_t length = strlen(name);
    return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".yaml") == 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_names(struct names *names, DIR *directory, const char *path,
                      struct weir_fault *fault) {
    struct dirent *entry;
    for (unsigned seen = 0; errno = 0, (entry = readdir(directory)) != NULL; seen++) {
        if (seen == NAMES_SEEN_MAX)
            return weir_fault_set(fault, -E2BIG, "%s: more than %d entries", path, NAMES_SEEN_MAX);
        if (!is_signature_name(entry->d_name)) continue;
        if (names->n == FILES_MAX)
            return weir_fault_set(fault, -E2BIG, "%s: more than %d signature files", path,
                                  FILES_MAX);
        names->names[names->n] = strdup(entry->d_name);
        if (!names->names[names->n])
            return weir_fault_set(fault, -ENOMEM, "%s: out of memory", path);
        names->n++;
    }
    if (errno) return weir_fault_set(fault, -errno, "%s: cannot be listed: %m", path);
    qsort(names->names, names->n, sizeof names->names[0], by_name);
    return 0;
}

static int read_files(struct weir_service_set *set, const struct names *names, int fd,
                      const char *path, struct weir_fault *fault) {
    set->n_services = WEIR_SERVICE_FIRST;
    for (size_t i = 0; i < names->n; i++) {
        struct weir_signature *signature;
        int error = weir_signature_read(&signature, fd, path, names->names[i], fault);
        if (error < 0) return error;
        if (signature->n_cdn) {
            set->cdn_file = signature;
        } else if (set->n_services == WEIR_SERVICES_MAX) {
            weir_signature_free(signature);
            return weir_fault_set(fault, -E2BIG, "%s: more than %d services", path,
                                  WEIR_SERVICES_MAX - WEIR_SERVICE_FIRST);
        } else {
            set->signatures[set->n_services++] = signature;
        }
    }
    if (set->n_services == WEIR_SERVICE_FIRST)
        return weir_fault_set(fault, -ENOENT, "%s: holds no signatures (<service>.yaml)", path);
    return 0;
}

static int read_directory(struct weir_service_set *set, const char *path,
                          struct weir_fault *fault) {
    DIR *directory = opendir(path);
    if (!directory) return weir_fault_set(fault, -errno, "%s: cannot be opened: %m", path);
    struct names names = {0};
    int error = list_names(&names, directory, path, fault);
    if (error == 0) error = read_files(set, &names, dirfd(directory), path, fault);
    for (size_t i = 0; i < names.n; i++) free(names.names[i]);
    closedir(directory);
    return error;
}

static void set_free(struct weir_service_set *set) {
    for (size_t i = 0; i < set->n_services; i++) weir_signature_free(set->signatures[i]);
    weir_signature_free(set->cdn_file);
    free(set->hosts.slots);
    free(set->cdn.slots);
    free(set->prefixes);
    free(set->ndpi);
    free(set);
}

int weir_service_set_load(struct weir_service_set **ret_set, const char *directory,
                          struct weir_fault *fault) {
    struct weir_service_set *set = calloc(1, sizeof *set);
    if (!set) return weir_fault_set(fault, -ENOMEM, "%s: out of memory", directory);
    atomic_init(&set->references, 1);
    int error = read_directory(set, directory, fault);
    if (error == 0) error = build(set, fault);
    if (error < 0) {
        set_free(set);
        return error;
    }
    *ret_set = set;
    return 0;
}

struct weir_service_set *weir_service_set_ref(struct weir_service_set *set) {
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void weir_service_set_unref(struct weir_service_set *set) {
    if (!set) return;
    unsigned before = atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) set_free(set);
}

size_t weir_service_set_count(const struct weir_service_set *set) { return set->n_services; }

const struct weir_service *weir_service_get(const struct weir_service_set *set,
                                            weir_service_id id) {
    if (id < WEIR_SERVICE_FIRST) return &pseudo_services[id];
    return id < set->n_services ? &set->signatures[id]->service : NULL;
}

weir_service_id weir_service_find(const struct weir_service_set *set, const char *id) {
    if (strcmp(id, pseudo_services[WEIR_SERVICE_OTHER].id) == 0) return WEIR_SERVICE_OTHER;
    size_t low = WEIR_SERVICE_FIRST, high = set->n_services; /* in alphabetical order */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(id, set->signatures[middle]->service.id);
        if (order == 0) return (weir_service_id)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return WEIR_SERVICE_NONE;
}
