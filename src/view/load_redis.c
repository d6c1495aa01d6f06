/* A view from a site's keys in Redis: all of them in two pipelines, since the probe's hash says
 * which services there are. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "view/source.h"

enum { KEY_MAX = 320 };

const char *weir_view_reply_get(const void *of, const char *name) {
    const redisReply *pairs = of;
    for (size_t i = 0; pairs->type == REDIS_REPLY_ARRAY && i + 1 < pairs->elements; i += 2) {
        const char *key = weir_redis_text(pairs->element[i]);
        if (key && strcmp(key, name) == 0) return weir_redis_text(pairs->element[i + 1]);
    }
    return NULL;
}

/* ---- sites ---- */

static void list_sites(char *text, size_t size, const redisReply *sites) {
    text[0] = '\0';
    /* thirteen were asked for: the last says "more" */
    for (size_t i = 0, used = 0; i < sites->elements && used + 2 < size; i++) {
        const char *site = weir_redis_text(sites->element[i]);
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
                                 i == 12 ? "..."
                                 : site  ? site
                                         : "?");
    }
}

static redisReply *ask_sites(struct weir_view_source *source, struct weir_fault *fault) {
    const struct weir_redis_command command =
        weir_redis_command("weir:sites", "ZREVRANGE", "weir:sites", "0", "12", NULL);
    redisReply *reply = weir_redis_ask(source->redis, &command, fault);
    if (reply && reply->type != REDIS_REPLY_ARRAY) {
        weir_fault_set(fault, -EPROTO, "Redis at %s: %s", weir_redis_shown(source->redis),
                       reply->str ? reply->str : "weir:sites is no sorted set");
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

/* This machine's, where it is a site; else the only one. */
int weir_view_choose_site(struct weir_view_source *source, struct weir_fault *fault) {
    redisReply *sites = ask_sites(source, fault);
    if (!sites) return -EIO;
    char host[256] = "", text[400];
    gethostname(host, sizeof host - 1);
    int error = 0;
    const char *chosen = sites->elements == 1 ? weir_redis_text(sites->element[0]) : NULL;
    for (size_t i = 0; i < sites->elements; i++) {
        const char *site = weir_redis_text(sites->element[i]);
        if (site && strcmp(site, host) == 0) chosen = site;
    }
    list_sites(text, sizeof text, sites);
    if (chosen)
        snprintf(source->site, sizeof source->site, "%s", chosen);
    else if (sites->elements)
        error = weir_fault_set(fault, -ENOENT,
                               "several sites write to Redis at %s; choose by --site: %s",
                               weir_redis_shown(source->redis), text);
    else
        error = weir_fault_set(
            fault, -ENOENT,
            "no site has written to Redis at %s yet: weir live --redis and weir replay --redis do",
            weir_redis_shown(source->redis));
    freeReplyObject(sites);
    return error;
}

static int no_such_site(struct weir_view_source *source, struct weir_fault *fault) {
    char text[400];
    redisReply *sites = ask_sites(source, fault);
    if (!sites) return -EIO;
    list_sites(text, sizeof text, sites);
    freeReplyObject(sites);
    return weir_fault_set(fault, -ENOENT, "no site '%s' in Redis at %s; there %s: %s", source->site,
                          weir_redis_shown(source->redis), strchr(text, ',') ? "are" : "is",
                          text[0] ? text : "none");
}

size_t weir_view_other_sites(struct weir_view_source *source, char (*names)[WEIR_VIEW_NAME_MAX],
                             size_t max) {
    struct weir_fault ignored = {0};
    const struct weir_redis_command command =
        weir_redis_command("weir:sites", "ZREVRANGE", "weir:sites", "0", "63", NULL);
    redisReply *sites = source->redis ? weir_redis_ask(source->redis, &command, &ignored) : NULL;
    size_t n = 0;
    for (size_t i = 0; sites && sites->type == REDIS_REPLY_ARRAY && i < sites->elements && n < max;
         i++)
        if (sites->element[i]->str && strcmp(sites->element[i]->str, source->site) != 0)
            snprintf(names[n++], WEIR_VIEW_NAME_MAX, "%s", sites->element[i]->str);
    freeReplyObject(sites);
    return n;
}

/* ---- the keys of one site ---- */

static const char *site_key(char key[KEY_MAX], const char *site, const char *what,
                            const char *name) {
    snprintf(key, KEY_MAX, "weir:{%s}:%s%s", site, what, name);
    return key;
}

static void read_events(struct weir_view *view, const redisReply *entries) {
    for (size_t i = entries->type == REDIS_REPLY_ARRAY ? entries->elements : 0;
         i-- > 0 && view->n_events < WEIR_VIEW_EVENTS_MAX;) {
        const redisReply *entry = entries->element[i]; /* newest first */
        if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) continue;
        struct weir_view_event *event = &view->events[view->n_events++];
        weir_view_read_event(event, weir_view_reply_get, entry->element[1]);
        const char *id = weir_redis_text(entry->element[0]);
        snprintf(event->entry, sizeof event->entry, "%s", id ? id : "");
    }
}

static void mark_acknowledged(struct weir_view *view, const redisReply *members) {
    for (size_t i = 0; members->type == REDIS_REPLY_ARRAY && i < members->elements; i++)
        for (size_t e = 0; e < view->n_events; e++)
            if (weir_redis_text(members->element[i]) &&
                strcmp(view->events[e].id, members->element[i]->str) == 0)
                view->events[e].acknowledged = true;
}

/* `replies`: a hash, and with history the newest windows, of each name. */
static void read_services(struct weir_view *view, char names[][64], size_t n, redisReply **replies,
                          size_t step) {
    for (size_t i = 0; i < n; i++) {
        const redisReply *hash = replies[i * step],
                         *windows = step > 1 ? replies[i * step + 1] : NULL;
        if (hash->type != REDIS_REPLY_ARRAY || hash->elements == 0) continue; /* expired */
        struct weir_view_service *service = &view->services[view->n_services++];
        weir_view_read_service(service, names[i], weir_view_reply_get, hash);
        for (size_t w = windows && windows->type == REDIS_REPLY_ARRAY ? windows->elements : 0;
             w-- > 0 && service->n_points < WEIR_VIEW_POINTS_MAX;)
            if (windows->element[w]->type == REDIS_REPLY_ARRAY &&
                windows->element[w]->elements == 2)
                weir_view_read_point(&service->points[service->n_points++], weir_view_reply_get,
                                     windows->element[w]->element[1]);
    }
}

static int load_services(struct weir_view_source *source, unsigned n_points, const char *list,
                         struct weir_view *view, struct weir_fault *fault) {
    char points[16];
    snprintf(points, sizeof points, "%u", n_points);
    char names[WEIR_VIEW_SERVICES_MAX][64], hashes[WEIR_VIEW_SERVICES_MAX][KEY_MAX],
        streams[WEIR_VIEW_SERVICES_MAX][KEY_MAX];
    struct weir_redis_command commands[2 * WEIR_VIEW_SERVICES_MAX];
    redisReply *replies[2 * WEIR_VIEW_SERVICES_MAX];
    size_t n = 0, n_commands = 0, step = n_points ? 2 : 1;
    while (list && *list && n < WEIR_VIEW_SERVICES_MAX) {
        size_t length = strcspn(list, " ");
        snprintf(names[n], sizeof names[n], "%.*s", (int)(length < 63 ? length : 63), list);
        list += length;
        list += strspn(list, " ");
        site_key(hashes[n], source->site, "service:", names[n]);
        commands[n_commands++] = weir_redis_command(hashes[n], "HGETALL", hashes[n], NULL);
        site_key(streams[n], source->site, "metrics:", names[n]);
        if (n_points)
            commands[n_commands++] = weir_redis_command(streams[n], "XREVRANGE", streams[n], "+",
                                                        "-", "COUNT", points, NULL);
        n++;
    }
    int error = n ? weir_redis_ask_all(source->redis, commands, n_commands, replies, fault) : 0;
    if (error || !n) return error;
    read_services(view, names, n, replies, step);
    for (size_t i = 0; i < n_commands; i++) freeReplyObject(replies[i]);
    return 0;
}

int weir_view_load_redis(struct weir_view_source *source, unsigned n_points, struct weir_view *view,
                         struct weir_fault *fault) {
    char probe[KEY_MAX], incidents[KEY_MAX], acknowledged[KEY_MAX], count[16];
    snprintf(count, sizeof count, "%d", WEIR_VIEW_EVENTS_MAX);
    site_key(probe, source->site, "probe", "");
    site_key(incidents, source->site, "incidents", "");
    site_key(acknowledged, source->site, "acknowledged", "");
    const struct weir_redis_command commands[] = {
        weir_redis_command(probe, "HGETALL", probe, NULL),
        weir_redis_command(incidents, "XREVRANGE", incidents, "+", "-", "COUNT", count, NULL),
        weir_redis_command(acknowledged, "SMEMBERS", acknowledged, NULL),
        weir_redis_command("weir:sites", "ZSCORE", "weir:sites", source->site, NULL),
    };
    enum { PROBE, INCIDENTS, ACKNOWLEDGED, SEEN, N };
    redisReply *replies[N];
    int error = weir_redis_ask_all(source->redis, commands, N, replies, fault);
    if (error) return error;
    snprintf(view->site, sizeof view->site, "%s", source->site);
    snprintf(view->from, sizeof view->from, "%s", weir_redis_shown(source->redis));
    if (replies[PROBE]->type == REDIS_REPLY_ERROR)
        error = weir_fault_set(fault, -EACCES, "Redis at %s: %s", view->from, replies[PROBE]->str);
    else if (replies[PROBE]->elements == 0 && replies[SEEN]->type == REDIS_REPLY_NIL)
        error = no_such_site(source, fault);
    else {
        weir_view_read_probe(view, weir_view_reply_get, replies[PROBE]);
        if (view->seen_us)
            view->written_us = view->now_us; /* else it would have expired */
        else
            view->seen_us = weir_view_time(weir_redis_text(replies[SEEN])); /* its hash expired */
        read_events(view, replies[INCIDENTS]);
        mark_acknowledged(view, replies[ACKNOWLEDGED]);
        error = load_services(source, n_points, weir_view_reply_get(replies[PROBE], "services"),
                              view, fault);
    }
    for (size_t i = 0; i < N; i++) freeReplyObject(replies[i]);
    return error;
}

/* When the probe spoke last, and the newest incident event. */
int weir_view_mark_redis(struct weir_view_source *source, char mark[WEIR_VIEW_MARK_MAX],
                         struct weir_fault *fault) {
    char probe[KEY_MAX], incidents[KEY_MAX];
    site_key(probe, source->site, "probe", "");
    site_key(incidents, source->site, "incidents", "");
    const struct weir_redis_command commands[] = {
        weir_redis_command(probe, "HGET", probe, "seen_ts", NULL),
        weir_redis_command(incidents, "XREVRANGE", incidents, "+", "-", "COUNT", "1", NULL)};
    redisReply *replies[2];
    int error = weir_redis_ask_all(source->redis, commands, 2, replies, fault);
    if (error) return error;
    const redisReply *newest = replies[1]->type == REDIS_REPLY_ARRAY && replies[1]->elements
                                   ? replies[1]->element[0]
                                   : NULL;
    const char *entry = newest && newest->type == REDIS_REPLY_ARRAY && newest->elements
                            ? newest->element[0]->str
                            : NULL;
    snprintf(mark, WEIR_VIEW_MARK_MAX, "%.60s %.60s",
             replies[0]->type == REDIS_REPLY_STRING ? replies[0]->str : "-", entry ? entry : "-");
    for (size_t i = 0; i < 2; i++) freeReplyObject(replies[i]);
    return 0;
}

/* A set beside the incidents, gone a month after the last word. */
int weir_view_acknowledge_redis(struct weir_view_source *source, const char *id,
                                struct weir_fault *fault) {
    char key[KEY_MAX];
    site_key(key, source->site, "acknowledged", "");
    const struct weir_redis_command commands[] = {
        weir_redis_command(key, "SADD", key, id, NULL),
        weir_redis_command(key, "EXPIRE", key, "2592000", NULL)};
    redisReply *replies[2];
    int error = weir_redis_ask_all(source->redis, commands, 2, replies, fault);
    if (error) return error;
    if (replies[0]->type == REDIS_REPLY_ERROR)
        error = weir_fault_set(fault, -EACCES, "Redis at %s: %s", weir_redis_shown(source->redis),
                               replies[0]->str);
    for (size_t i = 0; i < 2; i++) freeReplyObject(replies[i]);
    return error;
}
