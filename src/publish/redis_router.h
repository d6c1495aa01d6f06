/* Which connection a key goes to: one server, the master that Sentinels name, or a cluster's nodes.
 */
#pragma once

#include <uv.h>

#include "publish/redis_link.h"
#include "publish/redis_url.h"

struct weir_router; /* opaque */
struct weir_router_options {
    uv_loop_t *loop;
    /* lives as long as the router; its password may change between connections */
    const struct weir_redis_url *url;
    /* read the password again */
    void (*before_connect)(void *context);
    /* some link can be used, or a key's place was learned */
    void (*on_ready)(void *context);
    /* a link that was used is gone */
    void (*on_lost)(void *context);
    void (*on_trouble)(void *context, enum weir_trouble trouble, const char *text);
    void *context;
};

struct weir_router *weir_router_new(const struct weir_router_options *options);
void weir_router_free(struct weir_router *router);
/* The link for a key, ready; NULL when there is none at the moment. */
struct weir_link *weir_router_find(struct weir_router *router, const char *key, size_t length);
/* "MOVED <slot> <host>:<port>": learns it. "ASK ...": the link to ask, or NULL while it is not
 * ready. */
void weir_router_moved(struct weir_router *router, const struct weir_link *from, const char *error);
struct weir_link *weir_router_asked(struct weir_router *router, const struct weir_link *from,
                                    const char *error);
/* The server is of no use (a replica, one that wants another password): connect again, perhaps
 * elsewhere. */
void weir_router_give_up(struct weir_router *router, struct weir_link *link, enum weir_trouble why,
                         const char *error);
void weir_router_tick(struct weir_router *router, int64_t now_ms);
uint64_t weir_router_connections(const struct weir_router *router); /* made, ever */
