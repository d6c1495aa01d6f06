/* The name memory: what DNS told a client about an address (the idea of DN-Hunter). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/classify.h>

struct name {
    uint64_t hash;
    const char *host;   /* NULL where no signature matched */
    uint32_t expires_s; /* engine's second: names are many, and live for an hour and more */
    struct weir_match match;
};

enum { NAMES_PER_ADDRESS = 3 };
struct names_entry {
    /* client, server; an all-zero client stands for anybody */
    struct weir_addr key[2];
    struct name names[NAMES_PER_ADDRESS]; /* newest first; hash 0: free */
};

struct names {
    struct names_entry *entries;
    uint8_t *tags; /* a byte an entry: of its key's hash, never 0; 0: never taken */
    size_t n_sets;
    uint64_t secret;
    uint64_t evicted;
};

int names_init(struct names *names, size_t names_max, uint64_t secret); /* 0 or -ENOMEM */
void names_deinit(struct names *names);
/* For this client and for anybody. */
void names_learn(struct names *names, const struct weir_addr *client,
                 const struct weir_addr *server, const struct name *name, int64_t now_us);
/* For this pair alone (a restored entry). */
void names_put(struct names *names, const struct weir_addr *client, const struct weir_addr *server,
               const struct name *name, int64_t now_us);
/* What is known of the pair, or NULL. Entries may hold names that have expired: ask name_alive().
 */
const struct names_entry *names_find(const struct names *names, const struct weir_addr *client,
                                     const struct weir_addr *server, int64_t now_us);
/* The name for a flow of `client` to `server`: the newest that this client was told; else what
 * anybody was told, as long as all of it is one service (dual-stack clients ask over IPv4 for what
 * they open over IPv6). NULL: none. *ret_own says whether this client was told. */
const struct name *names_lookup(const struct names *names, const struct weir_addr *client,
                                const struct weir_addr *server, int64_t now_us, bool *ret_own);
/* Whether DNS gave the name with this hash for the pair (or, where it told this client nothing, for
 * anybody). */
bool names_confirm(const struct names *names, const struct weir_addr *client,
                   const struct weir_addr *server, uint64_t hash, int64_t now_us);

static inline int64_t name_expires_us(const struct name *name) {
    return (int64_t)name->expires_s * 1000000;
}

static inline void name_set_expires(struct name *name, int64_t us) {
    int64_t s = us > 0 ? us / 1000000 + (us % 1000000 != 0) : 0;
    name->expires_s = s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static inline bool name_alive(const struct name *name, int64_t now_us) {
    return name->hash != 0 && name_expires_us(name) > now_us;
}
