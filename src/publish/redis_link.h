/* One connection to one Redis server on a libuv loop: connects, says who it is, answers or is lost.
 * Every wait has an end. */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "publish/redis_trouble.h"
#include "publish/redis_url.h"

struct weir_link; /* opaque */

/* Who logs in where. Strings live as long as the link. */
struct weir_link_options {
    uv_loop_t *loop;
    const char *host; /* or the path of a socket */
    bool is_unix;
    const struct weir_redis_url *tls; /* how TLS is spoken; NULL: it is not */
    int port, db;
    const char *user, *password; /* "": none */
    bool want_master;            /* a server that says it is a replica is no good */
    /* Ready for commands; or gone, and why (the link stays, DOWN, and can connect again). */
    void (*on_ready)(void *context, struct weir_link *link);
    void (*on_down)(void *context, struct weir_link *link, enum weir_trouble why, const char *text);
    void *context;
};

/* `reply` is NULL when the connection was lost before the answer came. */
typedef void (*weir_link_answer)(void *context, struct weir_link *link, const redisReply *reply);

struct weir_link *weir_link_new(const struct weir_link_options *options);
/* Closes without telling on_down; open questions are answered with NULL. The memory goes once the
 * loop has turned. */
void weir_link_free(struct weir_link *link);
void weir_link_connect(struct weir_link *link);
bool weir_link_is_down(const struct weir_link *link);
bool weir_link_is_ready(const struct weir_link *link);
/* Sends a command (only on a link that is ready). < 0: it is not sent, and `answer` is not called.
 */
int weir_link_ask(struct weir_link *link, int argc, const char **argv, const size_t *lengths,
                  weir_link_answer answer, void *context);
/* Gives the connection up. */
void weir_link_drop(struct weir_link *link, enum weir_trouble why, const char *text);
/* A few times a second: time-outs, and a PING on a connection that is idle. */
void weir_link_tick(struct weir_link *link, int64_t now_ms);
