/* Redis' side of `weir fleet`: see store.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "fleet/store.h"

#define OWN "weir:fleet:{weir:fleet:incidents}:"
static const char incidents_key[] = "weir:fleet:incidents", leader_key[] = OWN "leader",
                  cases_key[] = OWN "cases", open_key[] = OWN "open", stats_key[] = OWN "stats",
                  group[] = "fleet";

struct weir_fleet_store {
    struct weir_redis *redis;
    char me[96];       /* this process: holder of the lease */
    char consumer[80]; /* this machine: its name does not pile up with restarts */
    char inbox[WEIR_FLEET_SHARDS][32];
};

/* ---- scripts ---- */

static const char lease_script[] = "local who = redis.call('GET', KEYS[1]) "
                                   "if who and who ~= ARGV[1] then return 0 end "
                                   "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1";

static const char resign_script[] =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/* leader, cases, stats; me, key, entry ms, entry seq, text. 1 new, 0 known already, -1 not the
 * leader. */
static const char apply_script[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end "
    "local old = redis.call('HGET', KEYS[2], ARGV[2]) "
    "if old then "
    "  local ms, seq = string.match(old, '^(%d+)-(%d+)\\t') "
    "  if ms and (tonumber(ms) > tonumber(ARGV[3]) or (ms == ARGV[3] and tonumber(seq) >= tonumber(ARGV[4]))) then "
    "    redis.call('HINCRBY', KEYS[3], 'events_again', 1) return 0 end "
    "end "
    "redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. '-' .. ARGV[4] .. '\\t' .. ARGV[5]) "
    "redis.call('HINCRBY', KEYS[3], 'events', 1) return 1";

static const char drop_script[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end return redis.call('HDEL', KEYS[2], ARGV[2])";

/* leader, open, incidents, stats; me, service, revision before, said, json, names and texts. */
static const char say_script[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end "
    "local old = redis.call('HGET', KEYS[2], ARGV[2]) "
    "local revision = old and string.match(old, '^(%d+)\\t') or '0' "
    "if revision ~= ARGV[3] then return -1 end "
    "if ARGV[4] == '' then redis.call('HDEL', KEYS[2], ARGV[2]) else redis.call('HSET', KEYS[2], ARGV[2], ARGV[4]) end "
    "redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', unpack(ARGV, 6)) "
    "redis.call('PUBLISH', 'weir:alerts', ARGV[5]) "
    "redis.call('HINCRBY', KEYS[4], 'said', 1) return 1";

/* ---- small things ---- */

static int refused(const struct weir_fleet_store *store, const redisReply *reply,
                   struct weir_fault *fault) {
    return weir_fault_set(fault, -EPROTO, "Redis at %s: %s", weir_redis_shown(store->redis),
                          reply->str ? reply->str : "an answer of another kind");
}

/* The integer that a command answers, or < -1 with a fault. */
static int64_t ask_integer(struct weir_fleet_store *store, const struct weir_redis_command *command,
                           struct weir_fault *fault) {
    redisReply *reply = weir_redis_ask(store->redis, command, fault);
    if (!reply) return -EIO;
    int64_t answer =
        reply->type == REDIS_REPLY_INTEGER ? reply->integer : refused(store, reply, fault);
    freeReplyObject(reply);
    return answer;
}

static int not_leader(struct weir_fault *fault) {
    return weir_fault_set(fault, -EPERM, "another fleet leads now");
}

int weir_fleet_store_open(struct weir_fleet_store **ret_store, const char *url,
                          const char *password_file, struct weir_fault *fault) {
    struct weir_fleet_store *store = calloc(1, sizeof *store);
    uint64_t salt = 0;
    if (!store) return -ENOMEM;
    int error = weir_redis_open(&store->redis, url, password_file, fault);
    if (error) {
        free(store);
        return error;
    }
    gethostname(store->consumer, sizeof store->consumer - 1);
    if (getrandom(&salt, sizeof salt, 0) < 0) salt = (uint64_t)getpid();
    snprintf(store->me, sizeof store->me, "%.40s-%d-%016" PRIx64, store->consumer, (int)getpid(),
             salt);
    for (int i = 0; i < WEIR_FLEET_SHARDS; i++)
        snprintf(store->inbox[i], sizeof store->inbox[i], "weir:fleet:inbox:{%d}", i);
    *ret_store = store;
    return 0;
}

void weir_fleet_store_free(struct weir_fleet_store *store) {
    if (store) weir_redis_free(store->redis);
    free(store);
}

int weir_fleet_store_now(struct weir_fleet_store *store, int64_t *ret_us,
                         struct weir_fault *fault) {
    const struct weir_redis_command command = weir_redis_command(incidents_key, "TIME", NULL);
    redisReply *reply = weir_redis_ask(store->redis, &command, fault);
    if (!reply) return -EIO;
    int error = 0;
    const char *seconds = weir_redis_text(weir_redis_at(reply, 0)),
               *rest = weir_redis_text(weir_redis_at(reply, 1));
    if (seconds && rest)
        *ret_us = strtoll(seconds, NULL, 10) * 1000000 + strtoll(rest, NULL, 10);
    else
        error = refused(store, reply, fault);
    freeReplyObject(reply);
    return error;
}

int weir_fleet_store_lease(struct weir_fleet_store *store, struct weir_fault *fault) {
    char ms[16];
    snprintf(ms, sizeof ms, "%d", WEIR_FLEET_LEASE_MS);
    const struct weir_redis_command command =
        weir_redis_command(leader_key, "EVAL", lease_script, "1", leader_key, store->me, ms, NULL);
    return (int)ask_integer(store, &command, fault);
}

void weir_fleet_store_resign(struct weir_fleet_store *store) {
    struct weir_fault ignored = {0};
    const struct weir_redis_command command =
        weir_redis_command(leader_key, "EVAL", resign_script, "1", leader_key, store->me, NULL);
    ask_integer(store, &command, &ignored);
}

/* ---- what an earlier leader knew ---- */

static redisReply *ask_hash(struct weir_fleet_store *store, const char *key,
                            struct weir_fault *fault) {
    const struct weir_redis_command command = weir_redis_command(key, "HGETALL", key, NULL);
    redisReply *reply = weir_redis_ask(store->redis, &command, fault);
    if (reply && reply->type != REDIS_REPLY_ARRAY) {
        refused(store, reply, fault);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

int weir_fleet_store_load(struct weir_fleet_store *store, struct weir_fleet_cases *cases,
                          weir_fleet_said_reader read, void *context, struct weir_fault *fault) {
    redisReply *known = ask_hash(store, cases_key, fault),
               *said = known ? ask_hash(store, open_key, fault) : NULL;
    for (size_t i = 0; said && i + 1 < known->elements; i += 2) {
        struct weir_fleet_case one;
        const char *key = weir_redis_text(known->element[i]),
                   *text = weir_redis_text(known->element[i + 1]);
        const char *tab = key && text ? strchr(text, '\t') : NULL; /* behind the entry's id */
        if (tab && weir_fleet_case_parse(&one, key, tab + 1) == 0)
            weir_fleet_cases_put(cases, &one);
    }
    for (size_t i = 0; said && i + 1 < said->elements; i += 2)
        if (weir_redis_text(said->element[i]) && weir_redis_text(said->element[i + 1]))
            read(context, said->element[i]->str, said->element[i + 1]->str);
    int error = said ? 0 : -EIO;
    freeReplyObject(known);
    freeReplyObject(said);
    return error;
}

/* ---- events in ---- */

struct batch {
    struct weir_fleet_counts *counts;
    size_t n;
    struct entry {
        int shard;
        char id[48]; /* in the inbox */
        bool usable, applied;
        char ms[24], seq[24]; /* of the event in the site's own stream */
        struct weir_fleet_case one;
        char text[WEIR_FLEET_CASE_TEXT];
    } entries[WEIR_FLEET_SHARDS * WEIR_FLEET_BATCH];
};

static const char *pair_of(const redisReply *pairs, const char *name) {
    for (size_t i = 0; pairs->type == REDIS_REPLY_ARRAY && i + 1 < pairs->elements; i += 2)
        if (weir_redis_text(pairs->element[i]) && strcmp(pairs->element[i]->str, name) == 0 &&
            weir_redis_text(pairs->element[i + 1]))
            return pairs->element[i + 1]->str;
    return "";
}

static bool split_entry(const char *id, struct entry *entry) {
    size_t ms = strspn(id, "0123456789"),
           seq = id[ms] == '-' ? strspn(id + ms + 1, "0123456789") : 0;
    if (!ms || !seq || ms > 15 || seq > 15 || id[ms + 1 + seq]) return false;
    snprintf(entry->ms, sizeof entry->ms, "%.*s", (int)ms, id);
    snprintf(entry->seq, sizeof entry->seq, "%s", id + ms + 1);
    return true;
}

static void read_entry(struct batch *batch, int shard, const redisReply *reply) {
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !weir_redis_text(reply->element[0]) ||
        batch->n == sizeof batch->entries / sizeof batch->entries[0])
        return;
    struct entry *entry = &batch->entries[batch->n++];
    const redisReply *pairs = reply->element[1];
    *entry = (struct entry){.shard = shard};
    snprintf(entry->id, sizeof entry->id, "%s", reply->element[0]->str);
    int64_t arrived_us = strtoll(entry->id, NULL, 10) * 1000;
    entry->usable = split_entry(pair_of(pairs, "entry"), entry) &&
                    weir_fleet_case_read(&entry->one, pair_of(pairs, "site"),
                                         pair_of(pairs, "json"), arrived_us) == 0;
    batch->counts->bad += !entry->usable;
    batch->counts->skewed += entry->usable && entry->one.skewed;
    batch->counts->late +=
        entry->usable && strtoll(entry->ms, NULL, 10) * 1000 < arrived_us - 60000000;
    weir_fleet_case_write(&entry->one, entry->text);
}

static void read_entries(struct batch *batch, int shard, const redisReply *entries) {
    for (size_t i = 0; entries->type == REDIS_REPLY_ARRAY && i < entries->elements; i++)
        read_entry(batch, shard, entries->element[i]);
}

/* The group of a shard that has none yet. */
static int make_group(struct weir_fleet_store *store, int shard, struct weir_fault *fault) {
    const struct weir_redis_command command = weir_redis_command(
        store->inbox[shard], "XGROUP", "CREATE", store->inbox[shard], group, "0", "MKSTREAM", NULL);
    redisReply *reply = weir_redis_ask(store->redis, &command, fault);
    int error = !reply ? -EIO
                : reply->type == REDIS_REPLY_ERROR && !weir_redis_is_error(reply, "BUSYGROUP")
                    ? refused(store, reply, fault)
                    : 0;
    freeReplyObject(reply);
    return error;
}

/* One round over all shards. XAUTOCLAIM answers [cursor, entries, ...], XREADGROUP [[key,
 * entries]]. */
static int fill_batch(struct weir_fleet_store *store, bool claim, struct batch *batch,
                      struct weir_fault *fault) {
    char count[16];
    struct weir_redis_command commands[WEIR_FLEET_SHARDS];
    redisReply *replies[WEIR_FLEET_SHARDS];
    snprintf(count, sizeof count, "%d", WEIR_FLEET_BATCH);
    for (int i = 0; i < WEIR_FLEET_SHARDS; i++)
        commands[i] =
            claim
                ? weir_redis_command(store->inbox[i], "XAUTOCLAIM", store->inbox[i], group,
                                     store->consumer, "0", "0-0", "COUNT", count, NULL)
                : weir_redis_command(store->inbox[i], "XREADGROUP", "GROUP", group, store->consumer,
                                     "COUNT", count, "STREAMS", store->inbox[i], ">", NULL);
    int error = weir_redis_ask_all(store->redis, commands, WEIR_FLEET_SHARDS, replies, fault);
    for (int i = 0; !error && i < WEIR_FLEET_SHARDS; i++) {
        const redisReply *reply = replies[i];
        if (weir_redis_is_error(reply, "NOGROUP"))
            error = make_group(store, i, fault);
        else if (reply->type == REDIS_REPLY_ERROR)
            error = refused(store, reply, fault);
        else if (claim && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2)
            read_entries(batch, i, reply->element[1]);
        else if (reply->type == REDIS_REPLY_ARRAY && reply->elements)
            read_entries(batch, i, weir_redis_at(reply->element[0], 1));
    }
    for (int i = 0; i < WEIR_FLEET_SHARDS; i++) freeReplyObject(replies[i]);
    return error;
}

static int apply_batch(struct weir_fleet_store *store, struct batch *batch,
                       struct weir_redis_command *commands, redisReply **replies,
                       struct weir_fleet_cases *cases, struct weir_fault *fault) {
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        struct entry *entry = &batch->entries[i];
        if (entry->usable)
            commands[n++] = weir_redis_command(leader_key, "EVAL", apply_script, "3", leader_key,
                                               cases_key, stats_key, store->me, entry->one.key,
                                               entry->ms, entry->seq, entry->text, NULL);
    }
    int error = n ? weir_redis_ask_all(store->redis, commands, n, replies, fault) : 0;
    if (error) return error;
    n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        struct entry *entry = &batch->entries[i];
        if (!entry->usable) continue;
        redisReply *reply = replies[n++];
        if (reply->type != REDIS_REPLY_INTEGER)
            error = error ? error : refused(store, reply, fault);
        else if (reply->integer < 0)
            error = error ? error : not_leader(fault);
        else if (reply->integer == 0)
            batch->counts->again++;
        else {
            batch->counts->events++;
            batch->counts->refused += !weir_fleet_cases_put(cases, &entry->one);
        }
        freeReplyObject(reply);
    }
    return error;
}

static int confirm_batch(struct weir_fleet_store *store, struct batch *batch,
                         struct weir_redis_command *commands, redisReply **replies,
                         struct weir_fault *fault) {
    for (size_t i = 0; i < batch->n; i++) {
        const char *inbox = store->inbox[batch->entries[i].shard];
        commands[i] = weir_redis_command(inbox, "XACK", inbox, group, batch->entries[i].id, NULL);
    }
    int error = batch->n ? weir_redis_ask_all(store->redis, commands, batch->n, replies, fault) : 0;
    for (size_t i = 0; !error && i < batch->n; i++) freeReplyObject(replies[i]);
    return error;
}

int weir_fleet_store_take(struct weir_fleet_store *store, bool claim,
                          struct weir_fleet_cases *cases, struct weir_fleet_counts *counts,
                          struct weir_fault *fault) {
    enum { MOST = WEIR_FLEET_SHARDS * WEIR_FLEET_BATCH };
    struct batch *batch = calloc(1, sizeof *batch);
    struct weir_redis_command *commands = malloc(MOST * sizeof *commands);
    redisReply **replies = malloc(MOST * sizeof *replies);
    int error = batch && commands && replies ? 0 : -ENOMEM;
    if (!error) {
        batch->counts = counts;
        error = fill_batch(store, claim, batch, fault);
    }
    if (!error) error = apply_batch(store, batch, commands, replies, cases, fault);
    if (!error) error = confirm_batch(store, batch, commands, replies, fault);
    int n = error ? error : (int)batch->n;
    free(batch);
    free(commands);
    free(replies);
    return n;
}

/* ---- words out ---- */

static int done_or_not(int64_t answer, struct weir_fault *fault) {
    return answer >= 0 ? 0 : answer == -1 ? not_leader(fault) : (int)answer;
}

int weir_fleet_store_drop(struct weir_fleet_store *store, const char *key,
                          struct weir_fault *fault) {
    const struct weir_redis_command command = weir_redis_command(
        leader_key, "EVAL", drop_script, "2", leader_key, cases_key, store->me, key, NULL);
    return done_or_not(ask_integer(store, &command, fault), fault);
}

int weir_fleet_store_say(struct weir_fleet_store *store, const char *service,
                         uint32_t revision_before, const char *said, const char *json,
                         const char *const *fields, size_t n_fields, struct weir_fault *fault) {
    char revision[16];
    snprintf(revision, sizeof revision, "%u", revision_before);
    struct weir_redis_command command =
        weir_redis_command(leader_key, "EVAL", say_script, "4", leader_key, open_key, incidents_key,
                           stats_key, store->me, service, revision, said ? said : "", json, NULL);
    for (size_t i = 0; i < n_fields && command.n < WEIR_REDIS_ARGS_MAX; i++)
        command.args[command.n++] = fields[i];
    return done_or_not(ask_integer(store, &command, fault), fault);
}

/* ---- other sites ---- */

int weir_fleet_store_seen(struct weir_fleet_store *store, const char *const *sites, size_t n,
                          int64_t *seen_us, struct weir_fault *fault) {
    struct weir_redis_command *commands = calloc(n, sizeof *commands);
    redisReply **replies = calloc(n, sizeof *replies);
    int error = commands && replies ? 0 : -ENOMEM;
    for (size_t i = 0; !error && i < n; i++)
        commands[i] = weir_redis_command("weir:sites", "ZSCORE", "weir:sites", sites[i], NULL);
    if (!error) error = weir_redis_ask_all(store->redis, commands, n, replies, fault);
    for (size_t i = 0; !error && i < n; i++) {
        seen_us[i] = replies[i]->type == REDIS_REPLY_STRING
                         ? (int64_t)(strtod(replies[i]->str, NULL) * 1e6)
                         : 0;
        freeReplyObject(replies[i]);
    }
    free(commands);
    free(replies);
    return error;
}

int weir_fleet_store_draw(struct weir_fleet_store *store, struct weir_fleet_sample *sample,
                          struct weir_fault *fault) {
    char count[16];
    snprintf(count, sizeof count, "%d", WEIR_FLEET_SAMPLE_MAX);
    const struct weir_redis_command command =
        weir_redis_command("weir:sites", "ZRANDMEMBER", "weir:sites", count, NULL);
    redisReply *reply = weir_redis_ask(store->redis, &command, fault);
    if (!reply) return -EIO;
    int error = reply->type == REDIS_REPLY_ARRAY ? 0 : refused(store, reply, fault);
    *sample = (struct weir_fleet_sample){0};
    for (size_t i = 0; !error && i < reply->elements && sample->n < WEIR_FLEET_SAMPLE_MAX; i++)
        if (weir_redis_text(reply->element[i]) &&
            strncmp(reply->element[i]->str, "replay:", 7) != 0)
            snprintf(sample->members[sample->n++].site, WEIR_FLEET_SITE_MAX, "%s",
                     reply->element[i]->str);
    freeReplyObject(reply);
    return error;
}

int weir_fleet_store_ask(struct weir_fleet_store *store, const char *service, const char *layer,
                         int64_t onset_us, int64_t now_us, struct weir_fleet_sample *sample,
                         struct weir_fault *fault) {
    struct weir_redis_command commands[WEIR_FLEET_SAMPLE_MAX];
    redisReply *replies[WEIR_FLEET_SAMPLE_MAX];
    char keys[WEIR_FLEET_SAMPLE_MAX][WEIR_FLEET_SITE_MAX + 96], ok[48], fail[48];
    snprintf(ok, sizeof ok, "trials_by_layer_%s_ok", layer);
    snprintf(fail, sizeof fail, "trials_by_layer_%s_fail", layer);
    for (size_t i = 0; i < sample->n; i++) {
        snprintf(keys[i], sizeof keys[i], "weir:{%s}:service:%s", sample->members[i].site, service);
        commands[i] = weir_redis_command(keys[i], "HMGET", keys[i], "state", "start_ts", "end_ts",
                                         ok, fail, NULL);
    }
    int error =
        sample->n ? weir_redis_ask_all(store->redis, commands, sample->n, replies, fault) : 0;
    for (size_t i = 0; !error && i < sample->n; i++) {
        redisReply *reply = replies[i];
        const char *field[5];
        for (size_t f = 0; f < 5; f++) field[f] = weir_redis_text(weir_redis_at(reply, f));
        if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 5)
            weir_fleet_sample_add(&sample->members[i], field[0], field[1], field[2], field[3],
                                  field[4], onset_us, now_us);
        freeReplyObject(reply);
    }
    return error;
}
