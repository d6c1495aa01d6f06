/* A connection's life:
 *
 *     DOWN -> CONNECTING -> GREETING (TLS; AUTH, SELECT, PING, ROLE) -> READY -> DOWN
 *
 * hiredis 0.14 has no time-outs for its asynchronous calls: each command notes when it was sent,
 * and the oldest one unanswered for WEIR_ANSWER_MS ends the connection. A half-open connection is
 * found by a PING when there was nothing to say.
 *
 * hiredis' own adapter for libuv is not used: it ignores a poll that ends with an error, which is
 * what a refused connect is. A context is never freed while hiredis is at work on it (`inside`); it
 * is doomed, and freed on the way out.
 */
#include <errno.h>
#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish/redis_link.h"
#include "publish/redis_tls.h"

enum { CONNECT_MS = 5000, ANSWER_MS = 5000, IDLE_MS = 10000 };

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_GREETING, LINK_READY };

struct request {
    struct request *next;
    struct weir_link *link;
    int64_t sent_ms;
    weir_link_answer answer;
    void *context;
};

struct watch {
    uv_poll_t poll;
    struct weir_link *link; /* NULL once the context is gone */
    int events;
};

struct weir_link {
    struct weir_link_options options;
    enum link_state state;
    redisAsyncContext *redis;
    struct watch *watch;
    struct ssl_st *session; /* of TLS, hiredis' own; NULL without, and once the context is gone */
    int64_t since_ms, last_ms;    /* of the state; of the last answer */
    struct request *first, *last; /* unanswered, oldest first */
    unsigned inside, n_greetings;
    bool freed;
    enum weir_trouble doom; /* why it is to be closed */
    char doom_text[768];    /* a fault, and a hint at TLS */
};

static int64_t now_ms(const struct weir_link *link) { return (int64_t)uv_now(link->options.loop); }

/* ---- closing ---- */

static void doom(struct weir_link *link, enum weir_trouble why, const char *text) {
    const char *refusal = weir_redis_tls_refusal(link->session);
    if (link->doom) return;
    link->doom = refusal ? WEIR_TROUBLE_CONNECT : why;
    if (refusal)
        snprintf(link->doom_text, sizeof link->doom_text, "TLS: %s", refusal);
    else
        snprintf(link->doom_text, sizeof link->doom_text, "%s%s", text,
                 link->session && link->state != LINK_READY ? weir_redis_tls_hint(link->options.tls)
                                                            : "");
}

/* Frees the context, and tells the owner. Not from inside hiredis. */
static void close_now(struct weir_link *link) {
    enum weir_trouble why = link->doom;
    redisAsyncContext *redis = link->redis;
    char text[sizeof link->doom_text];
    memcpy(text, link->doom_text, sizeof text);
    link->state = LINK_DOWN;
    link->since_ms = now_ms(link);
    if (redis) redisAsyncFree(redis); /* answers what is open with NULL, and calls cleanup */
    link->redis = NULL;
    link->session = NULL;
    link->doom = WEIR_TROUBLE_NONE;
    if (!link->freed) link->options.on_down(link->options.context, link, why, text);
}

/* Whoever called into hiredis, or closes, goes out through here; the outermost frees. */
static void leave(struct weir_link *link) {
    if (link->inside == 1 && link->doom) close_now(link);
    if (--link->inside == 0 && link->freed) free(link);
}

void weir_link_drop(struct weir_link *link, enum weir_trouble why, const char *text) {
    if (link->state == LINK_DOWN) return;
    link->inside++;
    doom(link, why, text);
    leave(link);
}

void weir_link_free(struct weir_link *link) {
    if (!link) return;
    link->freed = true;
    link->inside++;
    if (link->state != LINK_DOWN) doom(link, WEIR_TROUBLE_LOST, "closed");
    leave(link);
}

/* ---- hiredis on libuv ---- */

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct watch *watch = poll->data;
    struct weir_link *link = watch->link;
    if (!link) return;
    if (status < 0) /* libuv stopped watching; hiredis finds the error by reading */
        events = UV_READABLE | UV_WRITABLE;
    link->inside++;
    if (watch->link && (events & UV_READABLE)) redisAsyncHandleRead(link->redis);
    if (watch->link && (events & UV_WRITABLE)) redisAsyncHandleWrite(link->redis);
    if (status < 0 && watch->link) doom(link, WEIR_TROUBLE_LOST, "the socket failed");
    leave(link);
}

static void listen_for(void *privdata, int add, int remove) {
    struct watch *watch = privdata;
    watch->events = (watch->events | add) & ~remove;
    if (watch->events)
        uv_poll_start(&watch->poll, watch->events, on_poll);
    else
        uv_poll_stop(&watch->poll);
}

static void add_read(void *privdata) { listen_for(privdata, UV_READABLE, 0); }
static void del_read(void *privdata) { listen_for(privdata, 0, UV_READABLE); }
static void add_write(void *privdata) { listen_for(privdata, UV_WRITABLE, 0); }
static void del_write(void *privdata) { listen_for(privdata, 0, UV_WRITABLE); }

static void watch_closed(uv_handle_t *handle) { free(handle->data); }

/* hiredis is about to free its context and close the socket. */
static void cleanup(void *privdata) {
    struct watch *watch = privdata;
    if (watch->link) {
        struct weir_link *link = watch->link;
        if (link->state != LINK_DOWN)
            doom(link, link->state == LINK_CONNECTING ? WEIR_TROUBLE_CONNECT : WEIR_TROUBLE_LOST,
                 link->redis->c.errstr[0] ? link->redis->c.errstr : "closed");
        link->redis = NULL;
        link->session = NULL;
        link->watch = NULL;
    }
    watch->link = NULL;
    uv_close((uv_handle_t *)&watch->poll, watch_closed);
}

static int attach(struct weir_link *link) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch) return -ENOMEM;
    if (uv_poll_init(link->options.loop, &watch->poll, link->redis->c.fd) != 0) {
        free(watch);
        return -EIO;
    }
    watch->poll.data = watch;
    watch->link = link;
    link->watch = watch;
    link->redis->ev.data = watch;
    link->redis->ev.addRead = add_read;
    link->redis->ev.delRead = del_read;
    link->redis->ev.addWrite = add_write;
    link->redis->ev.delWrite = del_write;
    link->redis->ev.cleanup = cleanup;
    return 0;
}

/* ---- questions and answers ---- */

static void on_reply(redisAsyncContext *redis, void *reply, void *privdata) {
    struct request *request = privdata;
    struct weir_link *link = request->link;
    link->first = request->next; /* answers come in the order of the questions */
    if (!link->first) link->last = NULL;
    if (reply)
        link->last_ms = now_ms(link);
    else if (link->state != LINK_DOWN) {
        doom(link, WEIR_TROUBLE_LOST,
             redis->c.errstr[0] ? redis->c.errstr : "Redis closed the connection");
        link->state = LINK_DOWN;
    }
    if (request->answer) request->answer(request->context, link, reply);
    free(request);
}

static int ask(struct weir_link *link, int argc, const char **argv, const size_t *lengths,
               weir_link_answer answer, void *context) {
    struct request *request = malloc(sizeof *request);
    if (!request) return -ENOMEM;
    *request = (struct request){
        .link = link, .sent_ms = now_ms(link), .answer = answer, .context = context};
    if (redisAsyncCommandArgv(link->redis, on_reply, request, argc, argv, lengths) != REDIS_OK) {
        free(request);
        return -EIO;
    }
    *(link->last ? &link->last->next : &link->first) = request;
    link->last = request;
    return 0;
}

int weir_link_ask(struct weir_link *link, int argc, const char **argv, const size_t *lengths,
                  weir_link_answer answer, void *context) {
    return weir_link_is_ready(link) ? ask(link, argc, argv, lengths, answer, context) : -ENOTCONN;
}

/* ---- the greeting ---- */

static void ready_when_greeted(struct weir_link *link) {
    if (--link->n_greetings || link->state != LINK_GREETING || link->doom) return;
    link->state = LINK_READY;
    link->since_ms = now_ms(link);
    link->options.on_ready(link->options.context, link);
}

static void on_greeting(void *context, struct weir_link *link, const redisReply *reply) {
    if (!reply) return;
    if (reply->type == REDIS_REPLY_ERROR) {
        const struct weir_trouble_row *row = weir_trouble_of_answer(reply->str);
        doom(link, row->trouble == WEIR_TROUBLE_OTHER ? WEIR_TROUBLE_CONNECT : row->trouble,
             reply->str);
    }
    ready_when_greeted(link);
}

static void on_role(void *context, struct weir_link *link, const redisReply *reply) {
    if (!reply) return;
    bool master = reply->type == REDIS_REPLY_ARRAY && reply->elements &&
                  reply->element[0]->type == REDIS_REPLY_STRING &&
                  strcmp(reply->element[0]->str, "master") == 0;
    if (!master)
        doom(link, WEIR_TROUBLE_NOT_MASTER,
             reply->type == REDIS_REPLY_ERROR ? reply->str : "it is not the master");
    ready_when_greeted(link);
}

static void greet_with(struct weir_link *link, weir_link_answer answer, const char *first,
                       const char *second, const char *third) {
    const char *argv[] = {first, second, third};
    if (link->doom || ask(link, third ? 3 : second ? 2 : 1, argv, NULL, answer, NULL) < 0)
        doom(link, WEIR_TROUBLE_CONNECT, "cannot send");
    else
        link->n_greetings++;
}

static void greet(struct weir_link *link) {
    const struct weir_link_options *options = &link->options;
    char db[16];
    link->state = LINK_GREETING;
    link->since_ms = now_ms(link);
    link->n_greetings = 0;
    if (options->password[0] && options->user[0])
        greet_with(link, on_greeting, "AUTH", options->user, options->password);
    else if (options->password[0])
        greet_with(link, on_greeting, "AUTH", options->password, NULL);
    if (options->db) {
        snprintf(db, sizeof db, "%d", options->db);
        greet_with(link, on_greeting, "SELECT", db, NULL);
    }
    greet_with(link, on_greeting, "PING", NULL, NULL);
    if (options->want_master) greet_with(link, on_role, "ROLE", NULL, NULL);
}

static void on_connect(const redisAsyncContext *redis, int status) {
    struct weir_link *link = redis->data;
    if (status != REDIS_OK)
        doom(link, WEIR_TROUBLE_CONNECT, redis->c.errstr[0] ? redis->c.errstr : "cannot connect");
    else
        greet(link);
}

/* The greeting waits in hiredis until the server has shown a good certificate. Not from on_connect:
 * where it fails there, hiredis goes on to read without a session, and crashes. */
static void begin_tls(struct weir_link *link) {
    struct weir_fault fault = {0};
    if (link->options.tls &&
        weir_redis_tls_begin(&link->session, &link->redis->c, link->options.tls, link->options.host,
                             &fault) < 0)
        doom(link, WEIR_TROUBLE_CONNECT, fault.text);
}

void weir_link_connect(struct weir_link *link) {
    const struct weir_link_options *options = &link->options;
    if (link->state != LINK_DOWN) return;
    link->inside++;
    link->state = LINK_CONNECTING;
    link->since_ms = link->last_ms = now_ms(link);
    link->redis = options->is_unix ? redisAsyncConnectUnix(options->host)
                                   : redisAsyncConnect(options->host, options->port);
    if (!link->redis || link->redis->err || attach(link) < 0) {
        doom(link, WEIR_TROUBLE_CONNECT,
             link->redis && link->redis->c.errstr[0] ? link->redis->c.errstr : "cannot connect");
    } else {
        link->redis->data = link;
        redisAsyncSetConnectCallback(link->redis, on_connect);
        if (!options->is_unix) redisEnableKeepAlive(&link->redis->c);
        begin_tls(link);
    }
    leave(link);
}

/* ---- time ---- */

void weir_link_tick(struct weir_link *link, int64_t now) {
    static const char *ping[] = {"PING"};
    if (link->state == LINK_CONNECTING && now - link->since_ms > CONNECT_MS)
        weir_link_drop(link, WEIR_TROUBLE_CONNECT, "no connection within 5 s");
    else if (link->state != LINK_DOWN && link->first && now - link->first->sent_ms > ANSWER_MS)
        weir_link_drop(link, WEIR_TROUBLE_SLOW, "no answer for 5 s");
    else if (link->state == LINK_READY && !link->first && now - link->last_ms > IDLE_MS &&
             ask(link, 1, ping, NULL, NULL, NULL) < 0)
        weir_link_drop(link, WEIR_TROUBLE_LOST, "cannot send");
}

bool weir_link_is_down(const struct weir_link *link) { return link->state == LINK_DOWN; }

bool weir_link_is_ready(const struct weir_link *link) {
    return link->state == LINK_READY && !link->doom;
}

struct weir_link *weir_link_new(const struct weir_link_options *options) {
    struct weir_link *link = calloc(1, sizeof *link);
    if (link) link->options = *options;
    return link;
}
