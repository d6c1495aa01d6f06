/* Two readers behind one face; each reading also tells which incidents were acknowledged. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/private_file.h"
#include "history/store.h"
#include "notify/feed.h"
#include "view/source.h"

enum { ACKNOWLEDGED_MAX = 1024, KEY_MAX = 320 };

struct weir_feed {
    char redis[1024], password_file[1024], state[4000], wanted_site[160], site[160];
    bool has_password_file, fleet;
    struct weir_view_source *source; /* Redis */
    size_t n_acknowledged;
    char acknowledged[ACKNOWLEDGED_MAX][48];
};

int weir_feed_new(struct weir_feed **ret_feed, const struct weir_feed_where *where) {
    struct weir_feed *feed = calloc(1, sizeof *feed);
    if (!feed) return -ENOMEM;
    snprintf(feed->redis, sizeof feed->redis, "%s", where->redis ? where->redis : "");
    snprintf(feed->password_file, sizeof feed->password_file, "%s",
             where->password_file ? where->password_file : "");
    snprintf(feed->state, sizeof feed->state, "%s", where->state ? where->state : "");
    snprintf(feed->wanted_site, sizeof feed->wanted_site, "%s",
             where->fleet  ? "fleet"
             : where->site ? where->site
                           : "");
    feed->fleet = where->fleet;
    feed->has_password_file = where->password_file != NULL;
    *ret_feed = feed;
    return 0;
}

void weir_feed_free(struct weir_feed *feed) {
    if (feed) weir_view_source_free(feed->source);
    free(feed);
}

const char *weir_feed_site(const struct weir_feed *feed) { return feed->site; }

bool weir_feed_is_acknowledged(const struct weir_feed *feed, const char *id) {
    for (size_t i = 0; i < feed->n_acknowledged; i++)
        if (strcmp(feed->acknowledged[i], id) == 0) return true;
    return false;
}

static void acknowledge(struct weir_feed *feed, const char *id) {
    if (feed->n_acknowledged < ACKNOWLEDGED_MAX)
        snprintf(feed->acknowledged[feed->n_acknowledged++], sizeof feed->acknowledged[0], "%.47s",
                 id);
}

/* ---- Redis ---- */

static int open_redis(struct weir_feed *feed, struct weir_fault *fault) {
    const struct weir_view_where where = {.redis = feed->redis,
                                          .password_file =
                                              feed->has_password_file ? feed->password_file : NULL,
                                          .site = feed->wanted_site[0] ? feed->wanted_site : NULL};
    int error = feed->source ? 0 : weir_view_source_new(&feed->source, &where, fault);
    if (!error) snprintf(feed->site, sizeof feed->site, "%s", weir_view_source_site(feed->source));
    return error;
}

static redisReply *ask(struct weir_feed *feed, const struct weir_redis_command *command,
                       struct weir_fault *fault) {
    redisReply *reply = weir_redis_ask(weir_view_source_redis(feed->source), command, fault);
    if (reply && reply->type == REDIS_REPLY_ARRAY) return reply;
    if (reply)
        weir_fault_set(fault, -EACCES, "Redis: %s",
                       reply->str ? reply->str : "an answer of another type");
    freeReplyObject(reply);
    return NULL;
}

static void read_acknowledged_redis(struct weir_feed *feed) {
    char key[KEY_MAX];
    struct weir_fault ignored = {0};
    snprintf(key, sizeof key, "weir:{%s}:acknowledged", feed->site);
    const struct weir_redis_command command = weir_redis_command(key, "SMEMBERS", key, NULL);
    redisReply *members = ask(feed, &command, &ignored);
    feed->n_acknowledged = 0;
    for (size_t i = 0; members && i < members->elements; i++)
        if (weir_redis_text(members->element[i]))
            acknowledge(feed, weir_redis_text(members->element[i]));
    freeReplyObject(members);
}

static redisReply *ask_stream(struct weir_feed *feed, const char *how, const char *from,
                              const char *until, int max, struct weir_fault *fault) {
    char key[KEY_MAX], count[16];
    if (feed->fleet)
        strcpy(key, "weir:fleet:incidents");
    else
        snprintf(key, sizeof key, "weir:{%s}:incidents", feed->site);
    snprintf(count, sizeof count, "%d", max);
    const struct weir_redis_command command =
        weir_redis_command(key, how, key, from, until, "COUNT", count, NULL);
    return ask(feed, &command, fault);
}

static int read_redis(struct weir_feed *feed, const char *after, int max, weir_feed_visit visit,
                      void *context, struct weir_fault *fault) {
    char from[64];
    int error = open_redis(feed, fault);
    if (error) return error;
    read_acknowledged_redis(feed);
    snprintf(from, sizeof from, "(%s", after);
    redisReply *entries = ask_stream(feed, "XRANGE", from, "+", max, fault);
    error = entries ? 0 : -EIO;
    for (size_t i = 0; !error && i < entries->elements; i++) {
        const redisReply *entry = entries->element[i];
        const char *position = weir_redis_text(weir_redis_at(entry, 0)),
                   *json = weir_view_reply_get(weir_redis_at(entry, 1), "json");
        if (position && json) error = visit(context, position, json);
    }
    freeReplyObject(entries);
    return error;
}

static int newest_redis(struct weir_feed *feed, char position[48], struct weir_fault *fault) {
    int error = open_redis(feed, fault);
    redisReply *entries = error ? NULL : ask_stream(feed, "XREVRANGE", "+", "-", 1, fault);
    const char *newest = entries && entries->elements
                             ? weir_redis_text(weir_redis_at(entries->element[0], 0))
                             : NULL;
    if (newest) snprintf(position, 48, "%s", newest);
    error = error ? error : entries ? 0 : -EIO;
    freeReplyObject(entries);
    return error;
}

/* ---- the file: opened for each reading, so that a new one in its place is seen ---- */

struct visitor {
    weir_feed_visit visit;
    void *context;
};

static int visit_row(void *context, int64_t seq, const char *id, const char *json) {
    struct visitor *visitor = context;
    char position[48];
    snprintf(position, sizeof position, "%lld", (long long)seq);
    return visitor->visit(visitor->context, position, json);
}

static void read_acknowledged_file(struct weir_feed *feed) {
    char path[4100], *text = NULL;
    size_t n;
    snprintf(path, sizeof path, "%s/acknowledged", feed->state);
    feed->n_acknowledged = 0;
    if (weir_private_read(path, WEIR_ACKNOWLEDGED_BYTES_MAX, &text, &n) < 0) return;
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        if (*line) acknowledge(feed, line);
    free(text);
}

static int open_file(struct weir_feed *feed, struct weir_history_store **ret_store,
                     struct weir_fault *fault) {
    return weir_history_store_open_to_read(
        ret_store, feed->state, feed->wanted_site[0] ? feed->wanted_site : NULL, feed->site, fault);
}

static int read_file(struct weir_feed *feed, const char *after, int max, weir_feed_visit visit,
                     void *context, struct weir_fault *fault) {
    struct weir_history_store *store = NULL;
    struct visitor visitor = {visit, context};
    int error = open_file(feed, &store, fault);
    if (error) return error;
    read_acknowledged_file(feed);
    int64_t behind = atoll(after);
    if (behind > weir_history_store_newest(store))
        behind = 0; /* another file than the one that was read before */
    error = weir_history_store_events(store, NULL, behind, max, visit_row, &visitor, fault);
    weir_history_store_free(store);
    return error;
}

static int newest_file(struct weir_feed *feed, char position[48], struct weir_fault *fault) {
    struct weir_history_store *store = NULL;
    int error = open_file(feed, &store, fault);
    if (!error) snprintf(position, 48, "%lld", (long long)weir_history_store_newest(store));
    weir_history_store_free(store);
    return error;
}

int weir_feed_read(struct weir_feed *feed, const char *after, int max, weir_feed_visit visit,
                   void *context, struct weir_fault *fault) {
    return feed->redis[0] ? read_redis(feed, after, max, visit, context, fault)
                          : read_file(feed, after, max, visit, context, fault);
}

int weir_feed_newest(struct weir_feed *feed, char ret_position[48], struct weir_fault *fault) {
    strcpy(ret_position, "0");
    return feed->redis[0] ? newest_redis(feed, ret_position, fault)
                          : newest_file(feed, ret_position, fault);
}
