/* Finding the server.
 *
 * All places are nodes: host, port and a link that is made when a key first needs it, and again,
 * with growing and jittered pauses, while it is needed. One server: the node of the URL. Sentinel:
 * the node is what the Sentinels, asked in turn before each connection, call the master, and it
 * must itself say that it is. Cluster: the URL's node is asked for all slots (CLUSTER SLOTS); where
 * a cluster is not, that fails and nothing more happens. A key's slot tells its node; -MOVED
 * corrects one slot at once, a lost node makes the others be asked again, once a second.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish/redis_router.h"
#include "publish/redis_slot.h"

enum {
    NODES_MAX = 200,
    NODE_UNKNOWN = 255,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    MAP_EVERY_MS = 1000,
    UNUSED_MS = 60000
};

struct node {
    struct weir_router *router;
    struct weir_link *link;
    char host[256];
    int port;
    unsigned failures;
    int64_t retry_ms, used_ms; /* when to try again; when it was last needed */
};

struct weir_router {
    struct weir_router_options options;
    struct node *nodes[NODES_MAX];
    unsigned n_nodes, home;
    bool cluster, map_wanted, map_asked;
    int64_t map_ms; /* asked last */
    uint8_t slots[WEIR_REDIS_SLOTS];
    struct weir_link *sentinel; /* being asked */
    unsigned sentinel_at, sentinel_failures;
    int64_t sentinel_retry_ms;
    bool master_known;
    uint64_t connections;
};

static int64_t now_ms(const struct weir_router *router) {
    return (int64_t)uv_now(router->options.loop);
}

/* Doubles from a tenth of a second to five, half of it by chance, so that a fleet does not come
 * back all at once. */
static int64_t backoff(unsigned failures) {
    uint32_t chance = 0;
    int64_t pause = BACKOFF_MIN_MS << (failures < 6 ? failures : 6);
    pause = pause < BACKOFF_MAX_MS ? pause : BACKOFF_MAX_MS;
    uv_random(NULL, NULL, &chance, sizeof chance, 0, NULL);
    return pause / 2 + (int64_t)(chance % (uint32_t)pause);
}

static bool by_sentinel(const struct weir_router *router) {
    return router->options.url->master[0] != '\0';
}

/* ---- nodes ---- */

static void node_ready(void *context, struct weir_link *link) {
    struct node *node = context;
    struct weir_router *router = node->router;
    node->failures = 0;
    router->connections++;
    if (!by_sentinel(router) && !router->options.url->is_unix) router->map_wanted = true;
    router->options.on_ready(router->options.context);
}

static void node_down(void *context, struct weir_link *link, enum weir_trouble why,
                      const char *text) {
    struct node *node = context;
    struct weir_router *router = node->router;
    char where[400];
    node->retry_ms = now_ms(router) + backoff(node->failures++);
    router->master_known = false;
    if (router->cluster) {
        router->map_wanted = true;
        if (node == router->nodes[router->home] && node->failures > 1)
            router->home = (router->home + 1) % router->n_nodes;
    }
    snprintf(where, sizeof where, router->options.url->is_unix ? "%s" : "%s:%d", node->host,
             node->port);
    char line[700];
    snprintf(line, sizeof line, "%s: %s", where, text);
    router->options.on_trouble(router->options.context, why, line);
    router->options.on_lost(router->options.context);
}

static struct weir_link *make_link(struct node *node) {
    const struct weir_redis_url *url = node->router->options.url;
    const struct weir_link_options options = {.loop = node->router->options.loop,
                                              .host = node->host,
                                              .port = node->port,
                                              .is_unix = url->is_unix,
                                              .tls = url->tls.on ? url : NULL,
                                              .db = url->db,
                                              .user = url->user,
                                              .password = url->password,
                                              .want_master = by_sentinel(node->router),
                                              .on_ready = node_ready,
                                              .on_down = node_down,
                                              .context = node};
    return weir_link_new(&options);
}

/* The node of this address, new if need be; NULL when there are too many, or no memory. */
static struct node *node_at(struct weir_router *router, const char *host, int port,
                            unsigned *ret_index) {
    for (unsigned i = 0; i < router->n_nodes; i++)
        if (router->nodes[i]->port == port && strcmp(router->nodes[i]->host, host) == 0) {
            *ret_index = i;
            return router->nodes[i];
        }
    struct node *node = router->n_nodes < NODES_MAX ? calloc(1, sizeof *node) : NULL;
    if (!node) return NULL;
    node->router = router;
    node->port = port;
    snprintf(node->host, sizeof node->host, "%s", host);
    node->link = make_link(node);
    if (!node->link) {
        free(node);
        return NULL;
    }
    *ret_index = router->n_nodes;
    router->nodes[router->n_nodes++] = node;
    return node;
}

static struct node *node_of_link(struct weir_router *router, const struct weir_link *link) {
    for (unsigned i = 0; i < router->n_nodes; i++)
        if (router->nodes[i]->link == link) return router->nodes[i];
    return router->nodes[router->home];
}

/* ---- a cluster's map ---- */

static void take_slots(struct weir_router *router, const struct weir_link *from,
                       const redisReply *range) {
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
        range->element[0]->type != REDIS_REPLY_INTEGER ||
        range->element[1]->type != REDIS_REPLY_INTEGER)
        return;
    /* the master first, then its replicas: whom to ask when it is gone */
    for (size_t i = 2; i < range->elements; i++) {
        const redisReply *address = range->element[i];
        unsigned index;
        if (address->type != REDIS_REPLY_ARRAY || address->elements < 2 ||
            address->element[1]->type != REDIS_REPLY_INTEGER)
            continue;
        const char *host =
            address->element[0]->type == REDIS_REPLY_STRING && address->element[0]->len
                ? address->element[0]->str
                : node_of_link(router, from)->host;
        if (!node_at(router, host, (int)address->element[1]->integer, &index) || i > 2) continue;
        for (long long slot = range->element[0]->integer; slot <= range->element[1]->integer;
             slot++)
            if (slot >= 0 && slot < WEIR_REDIS_SLOTS) router->slots[slot] = (uint8_t)index;
    }
}

static void on_map(void *context, struct weir_link *link, const redisReply *reply) {
    struct weir_router *router = context;
    router->map_asked = false;
    if (!reply || reply->type != REDIS_REPLY_ARRAY)
        return; /* no cluster, or not allowed to ask: -MOVED tells what must be known */
    router->cluster = true;
    for (size_t i = 0; i < reply->elements; i++) take_slots(router, link, reply->element[i]);
    router->options.on_ready(router->options.context);
}

static void ask_for_map(struct weir_router *router, int64_t now) {
    static const char *argv[] = {"CLUSTER", "SLOTS"};
    struct weir_link *link = NULL;
    if (!router->map_wanted || router->map_asked || now - router->map_ms < MAP_EVERY_MS) return;
    for (unsigned i = 0; i < router->n_nodes && !link; i++) {
        struct node *node = router->nodes[(router->home + i) % router->n_nodes];
        link = weir_link_is_ready(node->link) ? node->link : NULL;
    }
    if (!link || weir_link_ask(link, 2, argv, NULL, on_map, router) < 0) return;
    router->map_wanted = false;
    router->map_asked = true;
    router->map_ms = now;
}

/* "... <slot> <host>:<port>" (the host may be missing: the same as that of the one who says so). */
static struct node *parse_redirect(struct weir_router *router, const struct weir_link *from,
                                   const char *error, unsigned *ret_slot, unsigned *ret_index) {
    char host[256];
    int port;
    if (sscanf(error, "%*s %u %255s", ret_slot, host) != 2 || *ret_slot >= WEIR_REDIS_SLOTS)
        return NULL;
    char *colon = strrchr(host, ':');
    if (!colon || (port = atoi(colon + 1)) <= 0 || port > 65535) return NULL;
    *colon = '\0';
    return node_at(router, host[0] ? host : node_of_link(router, from)->host, port, ret_index);
}

void weir_router_moved(struct weir_router *router, const struct weir_link *from,
                       const char *error) {
    unsigned slot, index;
    router->cluster = true;
    router->map_wanted = true;
    if (parse_redirect(router, from, error, &slot, &index)) router->slots[slot] = (uint8_t)index;
}

static struct weir_link *use(struct node *node) {
    node->used_ms = now_ms(node->router);
    if (weir_link_is_down(node->link) && node->used_ms >= node->retry_ms &&
        !by_sentinel(node->router)) {
        node->router->options.before_connect(node->router->options.context);
        weir_link_connect(node->link);
    }
    return weir_link_is_ready(node->link) ? node->link : NULL;
}

struct weir_link *weir_router_asked(struct weir_router *router, const struct weir_link *from,
                                    const char *error) {
    unsigned slot, index;
    struct node *node = parse_redirect(router, from, error, &slot, &index);
    return node ? use(node) : NULL;
}

struct weir_link *weir_router_find(struct weir_router *router, const char *key, size_t length) {
    if (!router->n_nodes) /* no Sentinel has named the master yet */
        return NULL;
    unsigned index = router->cluster ? router->slots[weir_redis_slot(key, length)] : router->home;
    struct weir_link *link = use(router->nodes[index < router->n_nodes ? index : router->home]);
    router->map_wanted |= router->cluster && !link;
    return link;
}

void weir_router_give_up(struct weir_router *router, struct weir_link *link, enum weir_trouble why,
                         const char *error) {
    if (router->cluster) router->map_wanted = true;
    weir_link_drop(link, why, error);
}

/* ---- Sentinel ---- */

static void sentinel_failed(struct weir_router *router, const char *text) {
    const struct weir_redis_url *url = router->options.url;
    char line[700];
    snprintf(line, sizeof line, "Sentinel %s:%d: %s", url->sentinels[router->sentinel_at].host,
             url->sentinels[router->sentinel_at].port, text);
    router->sentinel_at = (router->sentinel_at + 1) % url->n_sentinels;
    router->sentinel_retry_ms = now_ms(router) + backoff(router->sentinel_failures++);
    if (router->sentinel_failures >= url->n_sentinels) /* one of them may be away */
        router->options.on_trouble(router->options.context, WEIR_TROUBLE_SENTINEL, line);
}

static void on_master(void *context, struct weir_link *link, const redisReply *reply) {
    struct weir_router *router = context;
    unsigned index;
    struct node *node = NULL;
    if (!reply) return;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[1]->type == REDIS_REPLY_STRING)
        node = node_at(router, reply->element[0]->str, atoi(reply->element[1]->str), &index);
    if (!node) {
        sentinel_failed(router, reply->type == REDIS_REPLY_ERROR
                                    ? reply->str
                                    : "it knows no master of this name");
    } else {
        router->home = index;
        router->master_known = true;
        router->sentinel_failures = 0;
        router->options.before_connect(router->options.context);
        weir_link_connect(node->link);
    }
    router->sentinel = NULL;
    weir_link_free(link);
}

static void sentinel_ready(void *context, struct weir_link *link) {
    struct weir_router *router = context;
    const char *argv[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", router->options.url->master};
    weir_link_ask(link, 3, argv, NULL, on_master, router);
}

static void sentinel_down(void *context, struct weir_link *link, enum weir_trouble why,
                          const char *text) {
    struct weir_router *router = context;
    router->sentinel = NULL;
    sentinel_failed(router, text);
    weir_link_free(link);
}

static void ask_sentinel(struct weir_router *router, int64_t now) {
    const struct weir_redis_url *url = router->options.url;
    const struct node *home = router->n_nodes ? router->nodes[router->home] : NULL;
    if (router->sentinel || router->master_known || now < router->sentinel_retry_ms ||
        (home && now < home->retry_ms))
        return;
    const struct weir_link_options options = {.loop = router->options.loop,
                                              .host = url->sentinels[router->sentinel_at].host,
                                              .port = url->sentinels[router->sentinel_at].port,
                                              .user = "",
                                              .password = "",
                                              .on_ready = sentinel_ready,
                                              .on_down = sentinel_down,
                                              .context = router};
    struct weir_link *link = router->sentinel = weir_link_new(&options);
    if (link) weir_link_connect(link);
}

/* ---- time, life ---- */

void weir_router_tick(struct weir_router *router, int64_t now) {
    if (by_sentinel(router)) {
        if (router->sentinel) weir_link_tick(router->sentinel, now);
        ask_sentinel(router, now);
    } else {
        use(router->nodes[router->home]); /* also when there is nothing to send */
    }
    for (unsigned i = 0; i < router->n_nodes; i++) {
        struct node *node = router->nodes[i];
        weir_link_tick(node->link, now);
        if (i != router->home && weir_link_is_ready(node->link) &&
            now - node->used_ms > UNUSED_MS) {
            weir_link_free(node->link);
            node->link = make_link(node);
            if (!node->link) abort(); /* a few hundred bytes */
        }
    }
    ask_for_map(router, now);
}

uint64_t weir_router_connections(const struct weir_router *router) { return router->connections; }

struct weir_router *weir_router_new(const struct weir_router_options *options) {
    struct weir_router *router = calloc(1, sizeof *router);
    unsigned index;
    if (!router) return NULL;
    router->options = *options;
    memset(router->slots, NODE_UNKNOWN, sizeof router->slots);
    router->map_ms = -MAP_EVERY_MS;
    const bool placed =
        by_sentinel(router) || node_at(router, options->url->host, options->url->port, &index);
    if (!placed) {
        free(router);
        return NULL;
    }
    return router;
}

void weir_router_free(struct weir_router *router) {
    if (!router) return;
    weir_link_free(router->sentinel);
    for (unsigned i = 0; i < router->n_nodes; i++) {
        weir_link_free(router->nodes[i]->link);
        free(router->nodes[i]);
    }
    free(router);
}
