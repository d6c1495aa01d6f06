/* Redis through hiredis: the only file that knows it. Keys and types as DESIGN 4; every key of a site carries the hash tag
 * {<site>}, so a site is one slot.
 *
 * Windows are pipelined: commands are appended, and at a flush all replies are read and each is looked at. Incidents go at
 * once: the stream entry first, and only if it is new the message to weir:alerts, so that sending again says nothing twice.
 *
 * Stream ids are explicit, <ms>-<seq>. Redis answers a doubled id and an id below the stream's top alike; then the
 * newest entries are searched for this very event, and it is added under an id of Redis' own if it is not there.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/log.h"
#include "publish/fields.h"
#include "publish/redis_url.h"

enum { ARGS_MAX = 2 * WEIR_PAIRS_MAX + 16, PENDING_MAX = 4096, LOOK_BACK = 256, TIMEOUT_S = 5 };

struct redis_sink {
    const struct weir_publish_context *context;
    struct weir_redis_options options;
    struct weir_redis_url url;
    struct weir_json *json;
    redisContext *redis;
    unsigned n_pending;            /* commands appended, replies not read */
    int64_t last_incident_ms;
    unsigned incident_seq;
    uint64_t refused;              /* commands that Redis answered with an error */
    bool seen[WEIR_SERVICES_MAX];  /* services that have a hash */
    struct weir_fields fields;
    /* one command in the making */
    int n_args;
    const char *args[ARGS_MAX];
    size_t lengths[ARGS_MAX];
    char key[320], ttl[24], id[48], maxlen[24];
};

static void arg(struct redis_sink *sink, const char *text)
{
    sink->args[sink->n_args] = text;
    sink->lengths[sink->n_args++] = strlen(text);
}

static void begin(struct redis_sink *sink, const char *command)
{
    sink->n_args = 0;
    arg(sink, command);
}

static const char *site_key(struct redis_sink *sink, const char *what, const char *name)
{
    snprintf(sink->key, sizeof sink->key, "weir:{%s}:%s%s", sink->context->site, what, name);
    return sink->key;
}

static void arg_fields(struct redis_sink *sink)
{
    for (size_t i = 0; i < sink->fields.n; i++) {
        arg(sink, sink->fields.names[i]);
        arg(sink, sink->fields.texts[i]);
    }
}

static int lost(struct redis_sink *sink, struct weir_fault *fault)
{
    return weir_fault_set(fault, -EIO, "Redis at %s: %s", sink->url.shown, sink->redis->errstr);
}

/* Reads the replies of all appended commands. An id that was there already is what sending again looks like. */
static int read_pending(struct redis_sink *sink, struct weir_fault *fault)
{
    while (sink->n_pending) {
        redisReply *reply = NULL;
        if (redisGetReply(sink->redis, (void **)&reply) != REDIS_OK)
            return lost(sink, fault);
        sink->n_pending--;
        if (reply->type == REDIS_REPLY_ERROR && !strstr(reply->str, "equal or smaller")) {
            if (sink->refused++ == 0)
                weir_log(WEIR_LOG_ERROR, "Redis at %s refused a command: %s", sink->url.shown, reply->str);
        }
        freeReplyObject(reply);
    }
    return 0;
}

static int append(struct redis_sink *sink, struct weir_fault *fault)
{
    if (redisAppendCommandArgv(sink->redis, sink->n_args, sink->args, sink->lengths) != REDIS_OK)
        return lost(sink, fault);
    return ++sink->n_pending >= PENDING_MAX ? read_pending(sink, fault) : 0;
}

/* Sends the command and waits for its reply (which the caller frees); NULL when the connection is lost. */
static redisReply *ask(struct redis_sink *sink, struct weir_fault *fault)
{
    if (read_pending(sink, fault) < 0)
        return NULL;
    redisReply *reply = redisCommandArgv(sink->redis, sink->n_args, sink->args, sink->lengths);
    if (!reply)
        lost(sink, fault);
    return reply;
}

static int expire(struct redis_sink *sink, struct weir_fault *fault)
{
    snprintf(sink->ttl, sizeof sink->ttl, "%" PRId64, sink->options.ttl_s);
    begin(sink, "EXPIRE");
    arg(sink, sink->key);
    arg(sink, sink->ttl);
    return append(sink, fault);
}

static int hash_set(struct redis_sink *sink, const char *what, const char *name, struct weir_fault *fault)
{
    begin(sink, "HSET");
    arg(sink, site_key(sink, what, name));
    arg_fields(sink);
    int error = append(sink, fault);
    return error ? error : expire(sink, fault);
}

static void begin_xadd(struct redis_sink *sink, const char *key, int64_t maxlen, const char *id)
{
    snprintf(sink->maxlen, sizeof sink->maxlen, "%" PRId64, maxlen);
    begin(sink, "XADD");
    arg(sink, key);
    arg(sink, "MAXLEN");
    arg(sink, "~");
    arg(sink, sink->maxlen);
    arg(sink, id);
    arg_fields(sink);
}

static int put_window(struct redis_sink *sink, const struct weir_record *record, struct weir_fault *fault)
{
    const char *service = weir_service_get(sink->context->set, record->window->service)->id;
    sink->seen[record->window->service] = true;
    weir_fields_clear(&sink->fields);
    weir_fields_time(&sink->fields, "ts", record->ts_us);
    weir_fields_window(&sink->fields, sink->context, record->window);
    int error = hash_set(sink, "service:", service, fault);
    if (error)
        return error;
    snprintf(sink->id, sizeof sink->id, "%" PRId64 "-0", record->ts_us / 1000);
    begin_xadd(sink, site_key(sink, "metrics:", service), sink->options.window_maxlen, sink->id);
    return append(sink, fault);
}

/* The value of a field of a stream entry ([id, [name, value, ...]]), or NULL. */
static const char *entry_value(const redisReply *entry, const char *name)
{
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 || entry->element[1]->type != REDIS_REPLY_ARRAY)
        return NULL;
    const redisReply *pairs = entry->element[1];
    for (size_t i = 0; i + 1 < pairs->elements; i += 2)
        if (strcmp(pairs->element[i]->str, name) == 0)
            return pairs->element[i + 1]->str;
    return NULL;
}

static bool same_value(const redisReply *entry, const char *name, const char *wanted)
{
    const char *there = entry_value(entry, name);
    return there && strcmp(there, wanted) == 0;
}

/* Is this very event (incident, what happened, when) in the newest part of the stream already? 1 yes, 0 no, < 0 lost. */
static int incident_is_there(struct redis_sink *sink, const char *key, const struct weir_incident *incident, const char *ts,
                             struct weir_fault *fault)
{
    char count[16];
    snprintf(count, sizeof count, "%d", LOOK_BACK);
    begin(sink, "XREVRANGE");
    arg(sink, key);
    arg(sink, "+");
    arg(sink, "-");
    arg(sink, "COUNT");
    arg(sink, count);
    redisReply *reply = ask(sink, fault);
    if (!reply)
        return -EIO;
    int found = 0;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements && !found; i++)
        found = same_value(reply->element[i], "id", incident->id) && same_value(reply->element[i], "ts", ts) &&
                same_value(reply->element[i], "event", weir_incident_event_name(incident->event));
    freeReplyObject(reply);
    return found;
}

/* Adds the entry: 1 added, 0 was there, < 0 lost or refused. */
static int incident_add(struct redis_sink *sink, const char *key, const struct weir_incident *incident, struct weir_fault *fault)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        begin_xadd(sink, key, sink->options.incident_maxlen, attempt ? "*" : sink->id);
        redisReply *reply = ask(sink, fault);
        if (!reply)
            return -EIO;
        bool doubled = reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "equal or smaller");
        bool refused = reply->type == REDIS_REPLY_ERROR && !doubled;
        if (refused)
            weir_fault_set(fault, -EPROTO, "Redis at %s refused an incident: %s", sink->url.shown, reply->str);
        freeReplyObject(reply);
        if (refused)
            return -EPROTO;
        if (!doubled)
            return 1;
        int there = incident_is_there(sink, key, incident, sink->fields.texts[0], fault);
        if (there)
            return there < 0 ? there : 0;
    }
    return weir_fault_set(fault, -EPROTO, "Redis at %s takes no entry for %s", sink->url.shown, key);
}

static int put_incident(struct redis_sink *sink, const struct weir_record *record, struct weir_fault *fault)
{
    size_t length;
    const char *json = weir_json_record(sink->json, record, &length);
    int64_t ms = record->ts_us / 1000;
    sink->incident_seq = ms == sink->last_incident_ms ? sink->incident_seq + 1 : 0;
    sink->last_incident_ms = ms;
    snprintf(sink->id, sizeof sink->id, "%" PRId64 "-%u", ms, sink->incident_seq);

    weir_fields_clear(&sink->fields);
    weir_fields_time(&sink->fields, "ts", record->ts_us);
    weir_fields_incident(&sink->fields, sink->context, record->incident);
    weir_fields_text(&sink->fields, "json", json);
    int added = incident_add(sink, site_key(sink, "incidents", ""), record->incident, fault);
    if (added <= 0)
        return added;
    begin(sink, "PUBLISH");
    arg(sink, "weir:alerts");
    arg(sink, json);
    return append(sink, fault);
}

static int put_capture(struct redis_sink *sink, const struct weir_record *record, struct weir_fault *fault)
{
    char score[40];
    weir_fields_clear(&sink->fields);
    weir_fields_probe(&sink->fields, sink->context, sink->options.replay, sink->seen, record->ts_us);
    weir_fields_capture(&sink->fields, sink->context, record->capture);
    weir_fields_int(&sink->fields, "redis_refused", (int64_t)sink->refused);
    int error = hash_set(sink, "probe", "", fault);
    if (error)
        return error;
    snprintf(score, sizeof score, "%.6f", (double)record->ts_us / 1e6);
    begin(sink, "ZADD");
    arg(sink, "weir:sites");
    arg(sink, score);
    arg(sink, sink->context->site);
    return append(sink, fault);
}

static int redis_record(void *state, const struct weir_record *record, struct weir_fault *fault)
{
    struct redis_sink *sink = state;
    switch (record->type) {
    case WEIR_RECORD_WINDOW: return put_window(sink, record, fault);
    case WEIR_RECORD_INCIDENT: return put_incident(sink, record, fault);
    case WEIR_RECORD_CAPTURE: return put_capture(sink, record, fault);
    default: return 0;
    }
}

static int redis_flush(void *state, struct weir_fault *fault)
{
    return read_pending(state, fault);
}

static void redis_free(void *state)
{
    struct redis_sink *sink = state;
    if (!sink)
        return;
    if (sink->redis)
        redisFree(sink->redis);
    weir_json_free(sink->json);
    free(sink);
}

/* One command of the hand-shake; Redis' error becomes the fault. */
static int greet(struct redis_sink *sink, struct weir_fault *fault)
{
    redisReply *reply = redisCommandArgv(sink->redis, sink->n_args, sink->args, sink->lengths);
    if (!reply)
        return lost(sink, fault);
    int error = reply->type == REDIS_REPLY_ERROR
                    ? weir_fault_set(fault, -EACCES, "Redis at %s: %s", sink->url.shown, reply->str) : 0;
    freeReplyObject(reply);
    return error;
}

static int connect_and_greet(struct redis_sink *sink, struct weir_fault *fault)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    const struct weir_redis_url *url = &sink->url;
    sink->redis = url->is_unix ? redisConnectUnixWithTimeout(url->host, timeout) : redisConnectWithTimeout(url->host, url->port, timeout);
    if (!sink->redis)
        return -ENOMEM;
    if (sink->redis->err)
        return weir_fault_set(fault, -ECONNREFUSED, "cannot reach Redis at %s: %s; start it, correct --redis, or leave --redis out",
                              url->shown, sink->redis->errstr);
    redisSetTimeout(sink->redis, timeout);
    int error = 0;
    if (url->password[0]) {
        begin(sink, "AUTH");
        if (url->user[0])
            arg(sink, url->user);
        arg(sink, url->password);
        error = greet(sink, fault);
    }
    if (!error && url->db) {
        char db[16];
        snprintf(db, sizeof db, "%d", url->db);
        begin(sink, "SELECT");
        arg(sink, db);
        error = greet(sink, fault);
    }
    if (error)
        return error;
    begin(sink, "PING");
    return greet(sink, fault);
}

int weir_sink_redis_new(void **ret_state, const struct weir_publish_context *context, const struct weir_redis_options *options,
                        struct weir_fault *fault)
{
    struct redis_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return -ENOMEM;
    sink->context = context;
    sink->options = *options;
    sink->last_incident_ms = -1;
    sink->json = weir_json_new(context);
    int error = sink->json ? weir_redis_url_parse(&sink->url, options->url, fault) : -ENOMEM;
    if (!error)
        error = connect_and_greet(sink, fault);
    if (error) {
        redis_free(sink);
        return error;
    }
    *ret_state = sink;
    return 0;
}

const struct weir_sink weir_sink_redis = {
    .name = "redis",
    .help = "hashes, streams and messages in Redis",
    .record = redis_record,
    .flush = redis_flush,
    .free = redis_free,
};
