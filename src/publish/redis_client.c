/* A blocking Redis client over hiredis, whose version 0.14 knows no clusters: the map of slots to
 * nodes is learned, one MOVED at a time, and a node that went away is forgotten, so that the next
 * one asked tells where its slots are now.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "publish/redis_client.h"
#include "publish/redis_slot.h"
#include "publish/redis_tls.h"
#include "publish/redis_url.h"

enum { NODES_MAX = 64, CONNECT_S = 3, ANSWER_S = 10, ANSWER_BYTES_MAX = 256 << 20, TRIES = 8 };

struct node {
    char host[256];
    int port;
    redisContext *context; /* NULL: not connected */
};

struct weir_redis {
    struct weir_redis_url url;
    size_t n_nodes; /* the first is the URL's */
    struct node nodes[NODES_MAX];
    uint8_t slots[WEIR_REDIS_SLOTS]; /* node of each */
};

/* ---- one answer ---- */

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* hiredis' own time-out begins anew with every byte: a server that sends a line without end would
 * hold its reader for ever. So the whole answer has a time limit, and a size. NULL: none came; the
 * context's error says why, or is 0 for these two limits. */
static redisReply *get_reply(redisContext *context) {
    int64_t until_ms = monotonic_ms() + ANSWER_S * 1000;
    redisReply *reply = NULL;
    int sent = 0;
    while (!reply) {
        if (redisGetReplyFromReader(context, (void **)&reply) != REDIS_OK) return NULL;
        if (reply) break;
        while (!sent)
            if (redisBufferWrite(context, &sent) != REDIS_OK) return NULL;
        if (context->reader->len > ANSWER_BYTES_MAX || monotonic_ms() > until_ms ||
            redisBufferRead(context) != REDIS_OK)
            return NULL;
    }
    return reply;
}

static const char *error_of(const redisContext *context) {
    return context->err ? context->errstr : "its answer does not end";
}

/* ---- nodes ---- */

static int greet(struct weir_redis *redis, redisContext *context, int argc, const char **argv,
                 struct weir_fault *fault) {
    redisReply *reply =
        redisAppendCommandArgv(context, argc, argv, NULL) == REDIS_OK ? get_reply(context) : NULL;
    if (!reply)
        return weir_fault_set(fault, -EIO, "Redis at %s: %s%s", redis->url.shown, error_of(context),
                              weir_redis_tls_hint(&redis->url));
    int error = reply->type == REDIS_REPLY_ERROR ? weir_fault_set(fault, -EACCES, "Redis at %s: %s",
                                                                  redis->url.shown, reply->str)
                                                 : 0;
    freeReplyObject(reply);
    return error;
}

static int authenticate(struct weir_redis *redis, redisContext *context, struct weir_fault *fault) {
    const struct weir_redis_url *url = &redis->url;
    char db[16];
    int error = 0;
    if (url->password[0]) {
        const char *with_user[] = {"AUTH", url->user, url->password},
                   *without[] = {"AUTH", url->password};
        error = url->user[0] ? greet(redis, context, 3, with_user, fault)
                             : greet(redis, context, 2, without, fault);
    }
    if (!error && url->db) {
        snprintf(db, sizeof db, "%d", url->db);
        error = greet(redis, context, 2, (const char *[]){"SELECT", db}, fault);
    }
    return error ? error : greet(redis, context, 1, (const char *[]){"PING"}, fault);
}

/* Asks one Sentinel where the master is: 0, or < 0. */
static int ask_sentinel(struct weir_redis *redis, const char *host, int port,
                        struct weir_fault *fault) {
    const struct timeval limit = {.tv_sec = CONNECT_S};
    struct node *node = &redis->nodes[0];
    redisContext *context = redisConnectWithTimeout(host, port, limit);
    redisReply *reply = NULL;
    if (context && !context->err && redisSetTimeout(context, limit) == REDIS_OK)
        reply = redisAppendCommand(context, "SENTINEL get-master-addr-by-name %s",
                                   redis->url.master) == REDIS_OK
                    ? get_reply(context)
                    : NULL;
    int error = weir_fault_set(fault, -ECONNREFUSED, "Sentinel at %s:%d: %s", host, port,
                               !context ? "no memory"
                               : reply  ? "knows no such master"
                                        : context->errstr);
    const char *address = weir_redis_text(weir_redis_at(reply, 0)),
               *number = weir_redis_text(weir_redis_at(reply, 1));
    if (address && number) {
        snprintf(node->host, sizeof node->host, "%s", address);
        node->port = atoi(number);
        error = 0;
    }
    freeReplyObject(reply);
    if (context) redisFree(context);
    return error;
}

static int find_master(struct weir_redis *redis, struct weir_fault *fault) {
    int error = -ENOENT;
    for (unsigned i = 0; i < redis->url.n_sentinels && error; i++)
        error =
            ask_sentinel(redis, redis->url.sentinels[i].host, redis->url.sentinels[i].port, fault);
    return error;
}

/* Over a fresh connection, which may take as long as connecting. */
static int begin_tls(struct weir_redis *redis, const struct node *node, redisContext *context,
                     struct weir_fault *fault) {
    const struct timeval limit = {.tv_sec = CONNECT_S};
    struct ssl_st *session;
    struct weir_fault why = {0};
    if (!redis->url.tls.on) return 0;
    redisSetTimeout(context, limit);
    int error = weir_redis_tls_begin(&session, context, &redis->url, node->host, &why);
    return error ? weir_fault_set(fault, error, "Redis at %s: TLS: %s", redis->url.shown, why.text)
                 : 0;
}

static int connect_node(struct weir_redis *redis, struct node *node, struct weir_fault *fault) {
    const struct timeval connect = {.tv_sec = CONNECT_S}, answer = {.tv_sec = ANSWER_S};
    int error = redis->url.master[0] ? find_master(redis, fault) : 0;
    if (error) return error;
    redisContext *context = redis->url.is_unix && node == redis->nodes
                                ? redisConnectUnixWithTimeout(node->host, connect)
                                : redisConnectWithTimeout(node->host, node->port, connect);
    if (!context) return -ENOMEM;
    error = context->err
                ? weir_fault_set(fault, -ECONNREFUSED,
                                 "cannot reach Redis at %s: %s; start it or correct --redis",
                                 redis->url.shown, context->errstr)
                : 0;
    if (!error) error = begin_tls(redis, node, context, fault);
    if (!error) redisSetTimeout(context, answer);
    if (!error) error = authenticate(redis, context, fault);
    if (error) {
        redisFree(context);
        return error;
    }
    node->context = context;
    return 0;
}

static void disconnect(struct node *node) {
    if (node->context) redisFree(node->context);
    node->context = NULL;
}

/* A node that fails: whoever comes next in the list is asked for its slots. */
static void forget(struct weir_redis *redis, struct node *node) {
    disconnect(node);
    size_t lost = (size_t)(node - redis->nodes), next = (lost + 1) % redis->n_nodes;
    for (size_t slot = 0; slot < WEIR_REDIS_SLOTS; slot++)
        if (redis->slots[slot] == lost) redis->slots[slot] = (uint8_t)next;
}

/* "<slot> <host>:<port>", as behind MOVED and ASK; the host may be left out. */
static struct node *node_named(struct weir_redis *redis, const char *text, unsigned *ret_slot) {
    char host[256];
    const char *space = strchr(text, ' '), *colon = space ? strrchr(space, ':') : NULL;
    if (!colon || (size_t)(colon - space) > sizeof host) return NULL;
    *ret_slot = (unsigned)strtoul(text, NULL, 10) % WEIR_REDIS_SLOTS;
    snprintf(host, sizeof host, "%.*s", (int)(colon - space - 1), space + 1);
    const char *name = host[0] ? host : redis->nodes[0].host;
    int port = atoi(colon + 1);
    size_t i = 0;
    while (i < redis->n_nodes &&
           (redis->nodes[i].port != port || strcmp(redis->nodes[i].host, name) != 0))
        i++;
    if (i == NODES_MAX) return NULL;
    if (i == redis->n_nodes) {
        snprintf(redis->nodes[i].host, sizeof redis->nodes[i].host, "%s", name);
        redis->nodes[i].port = port;
        redis->n_nodes++;
    }
    return &redis->nodes[i];
}

/* ---- commands ---- */

static size_t slot_of(const struct weir_redis_command *command) {
    return command->key ? weir_redis_slot(command->key, strlen(command->key)) : 0;
}

static struct node *node_for(struct weir_redis *redis, const struct weir_redis_command *command) {
    return &redis->nodes[redis->slots[slot_of(command)]];
}

static redisReply *ask_node(struct weir_redis *redis, struct node *node,
                            const struct weir_redis_command *command, bool asking,
                            struct weir_fault *fault) {
    if (!node->context && connect_node(redis, node, fault) < 0) return NULL;
    if (asking)
        freeReplyObject(redisAppendCommand(node->context, "ASKING") == REDIS_OK
                            ? get_reply(node->context)
                            : NULL);
    redisContext *context = node->context;
    redisReply *reply =
        redisAppendCommandArgv(context, command->n, (const char **)command->args, NULL) == REDIS_OK
            ? get_reply(context)
            : NULL;
    if (!reply) weir_fault_set(fault, -EIO, "Redis at %s: %s", redis->url.shown, error_of(context));
    return reply;
}

redisReply *weir_redis_ask(struct weir_redis *redis, const struct weir_redis_command *command,
                           struct weir_fault *fault) {
    struct node *node = node_for(redis, command);
    bool asking = false;
    for (int attempt = 0; attempt < TRIES; attempt++) {
        redisReply *reply = ask_node(redis, node, command, asking, fault);
        if (!reply) {
            forget(redis, node);
            if (redis->n_nodes == 1) return NULL;
            node = node_for(redis, command);
            asking = false;
            continue;
        }
        bool moved = weir_redis_is_error(reply, "MOVED ");
        asking = weir_redis_is_error(reply, "ASK ");
        unsigned slot;
        struct node *there =
            moved || asking ? node_named(redis, strchr(reply->str, ' ') + 1, &slot) : NULL;
        if (!there) return reply;
        if (moved) redis->slots[slot] = (uint8_t)(there - redis->nodes);
        node = there;
        freeReplyObject(reply);
    }
    weir_fault_set(fault, -EIO, "Redis at %s: no node of the cluster answers for '%s'",
                   redis->url.shown, command->key ? command->key : "");
    return NULL;
}

static bool append_all(struct weir_redis *redis, const struct weir_redis_command *commands,
                       size_t n, struct weir_fault *fault) {
    for (size_t i = 0; i < n; i++) {
        struct node *node = node_for(redis, &commands[i]);
        if (!node->context && connect_node(redis, node, fault) < 0) return false;
        if (redisAppendCommandArgv(node->context, commands[i].n, (const char **)commands[i].args,
                                   NULL) != REDIS_OK)
            return false;
    }
    return true;
}

/* A pipeline to each node; what a node did not answer, or answered with a redirection, is asked
 * again by itself. */
int weir_redis_ask_all(struct weir_redis *redis, const struct weir_redis_command *commands,
                       size_t n, redisReply **replies, struct weir_fault *fault) {
    enum { AT_ONCE = 512 };
    int error = 0;
    memset(replies, 0, n * sizeof *replies);
    for (size_t first = 0; first < n && !error; first += AT_ONCE) {
        size_t count = n - first < AT_ONCE ? n - first : AT_ONCE;
        struct node *nodes[AT_ONCE];
        bool sent = append_all(redis, commands + first, count, fault);
        for (size_t i = 0; i < count; i++) nodes[i] = node_for(redis, &commands[first + i]);
        for (size_t i = 0; sent && i < count; i++)
            if (nodes[i]->context && !(replies[first + i] = get_reply(nodes[i]->context)))
                disconnect(nodes[i]);
        for (size_t i = 0; !sent && i < redis->n_nodes; i++) /* half a pipeline is of no use */
            disconnect(&redis->nodes[i]);
        for (size_t i = first; i < first + count && !error; i++) {
            redisReply *reply = replies[i];
            if (reply && !weir_redis_is_error(reply, "MOVED ") &&
                !weir_redis_is_error(reply, "ASK "))
                continue;
            freeReplyObject(reply);
            replies[i] = weir_redis_ask(redis, &commands[i], fault);
            error = replies[i] ? 0 : -EIO;
        }
    }
    for (size_t i = 0; error && i < n; i++) {
        freeReplyObject(replies[i]);
        replies[i] = NULL;
    }
    return error;
}

/* ---- life ---- */

int weir_redis_open(struct weir_redis **ret_redis, const char *url, const char *password_file,
                    struct weir_fault *fault) {
    struct weir_redis *redis = calloc(1, sizeof *redis);
    const char *environment = getenv("WEIR_REDIS_PASSWORD");
    if (!redis) return -ENOMEM;
    int error = weir_redis_url_parse(&redis->url, url, fault);
    if (!error && password_file)
        error = weir_redis_password_read(&redis->url, password_file, fault);
    else if (!error && !redis->url.password[0] && environment)
        snprintf(redis->url.password, sizeof redis->url.password, "%s", environment);
    if (!error) error = weir_redis_tls_check(&redis->url, fault);
    if (!error) {
        redis->n_nodes = 1;
        snprintf(redis->nodes[0].host, sizeof redis->nodes[0].host, "%s", redis->url.host);
        redis->nodes[0].port = redis->url.port;
        error = connect_node(redis, &redis->nodes[0], fault);
    }
    if (error) {
        weir_redis_free(redis);
        return error;
    }
    *ret_redis = redis;
    return 0;
}

void weir_redis_free(struct weir_redis *redis) {
    for (size_t i = 0; redis && i < redis->n_nodes; i++) disconnect(&redis->nodes[i]);
    free(redis);
}

const char *weir_redis_shown(const struct weir_redis *redis) { return redis->url.shown; }
