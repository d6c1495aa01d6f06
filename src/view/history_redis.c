/* History from a site's keys: `hours:<name>` of each member of `services`, and the stream of
 * incidents.
 *
 * An hour may have several entries: one a run that saw a part of it, and newer ones where it was
 * put right. The newest of each run counts, and runs are added, up to what an hour holds.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view/history_redis.h"
#include "view/source.h"

enum { KEY_MAX = 320, EVENTS_MAX = 10000, RUNS_MAX = 64 };

struct reader {
    struct weir_view_source *source;
    struct weir_history *history;
    const struct weir_history_where *where;
};

static redisReply *ask(struct reader *reader, const struct weir_redis_command *command,
                       struct weir_fault *fault) {
    struct weir_redis *redis = weir_view_source_redis(reader->source);
    redisReply *reply = weir_redis_ask(redis, command, fault);
    if (reply && reply->type == REDIS_REPLY_ARRAY) return reply;
    if (reply)
        weir_fault_set(fault, -EACCES, "Redis at %s: %s", weir_redis_shown(redis),
                       reply->str ? reply->str : "an answer of another type");
    freeReplyObject(reply);
    return NULL;
}

/* ---- hours ---- */

/* What one run saw of one hour. */
struct part {
    int64_t run_us;
    struct weir_history_hour hour;
};

static int32_t seconds_of(const redisReply *fields, const char *name) {
    double value = weir_view_number(weir_view_reply_get(fields, name));
    return value > 0 && value <= 3600 ? (int32_t)value : 0;
}

static int64_t count_of(const redisReply *fields, const char *name) {
    double value = weir_view_number(weir_view_reply_get(fields, name));
    return value > 0 && value < 9e15 ? (int64_t)value : 0;
}

static struct part read_part(const redisReply *fields) {
    struct part part = {.run_us = weir_view_time(weir_view_reply_get(fields, "run_ts"))};
    int64_t start_us = weir_view_time(weir_view_reply_get(fields, "start_ts"));
    part.hour = (struct weir_history_hour){
        .start_us = start_us - start_us % WEIR_HOUR_US,
        .healthy_s = seconds_of(fields, "healthy_s"),
        .degraded_s = seconds_of(fields, "degraded_s"),
        .partial_s = seconds_of(fields, "partial_s"),
        .down_s = seconds_of(fields, "down_s"),
        .trials_ok = count_of(fields, "trials_ok"),
        .trials_fail = count_of(fields, "trials_failed"),
        .goodput_bps = weir_view_number(weir_view_reply_get(fields, "goodput_bps")),
        .ttfb_us = weir_view_number(weir_view_reply_get(fields, "ttfb_us")),
        .rtt_server_us = weir_view_number(weir_view_reply_get(fields, "rtt_server_us")),
        .rtt_client_us = weir_view_number(weir_view_reply_get(fields, "rtt_client_us")),
        .loss_server = weir_view_number(weir_view_reply_get(fields, "loss_server")),
        .loss_client = weir_view_number(weir_view_reply_get(fields, "loss_client"))};
    return part;
}

static int by_time(const void *a, const void *b) {
    const struct part *left = a, *right = b;
    int order =
        (left->hour.start_us > right->hour.start_us) - (left->hour.start_us < right->hour.start_us);
    return order ? order : (left->run_us > right->run_us) - (left->run_us < right->run_us);
}

static void add_part(struct weir_history_hour *hour, const struct weir_history_hour *more) {
    if (hour->judged_s < more->judged_s) {
        struct weir_history_hour other = *hour;
        *hour = *more;
        more = &other;
        hour->trials_ok += more->trials_ok;
        hour->trials_fail += more->trials_fail;
    } else {
        hour->trials_ok += more->trials_ok;
        hour->trials_fail += more->trials_fail;
    }
    int32_t room = 3600 - hour->judged_s;
    const struct {
        int32_t *own;
        int32_t more;
    } rows[] = {{&hour->down_s, more->down_s},
                {&hour->partial_s, more->partial_s},
                {&hour->degraded_s, more->degraded_s},
                {&hour->healthy_s, more->healthy_s}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t added = rows[i].more < room ? rows[i].more : room;
        *rows[i].own += added;
        room -= added;
    }
    hour->judged_s = hour->healthy_s + hour->degraded_s + hour->partial_s + hour->down_s;
}

/* Newest first in `entries`: the first of each hour and run is the one that counts. */
static size_t newest_parts(struct part *parts, const redisReply *entries) {
    size_t n = 0;
    for (size_t i = 0; i < entries->elements; i++) {
        const redisReply *entry = entries->element[i];
        if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
            entry->element[1]->type != REDIS_REPLY_ARRAY)
            continue;
        struct part part = read_part(entry->element[1]);
        bool known = part.hour.start_us == 0;
        for (size_t back = 1; !known && back <= n && back <= RUNS_MAX; back++)
            known = parts[n - back].hour.start_us == part.hour.start_us &&
                    parts[n - back].run_us == part.run_us;
        if (!known) {
            part.hour.judged_s =
                part.hour.healthy_s + part.hour.degraded_s + part.hour.partial_s + part.hour.down_s;
            parts[n++] = part;
        }
    }
    return n;
}

static int take_hours(struct reader *reader, const char *service, const redisReply *entries) {
    struct part *parts = calloc(entries->elements + 1, sizeof *parts);
    size_t n = parts ? newest_parts(parts, entries) : 0;
    int error = parts ? 0 : -ENOMEM;
    if (n) qsort(parts, n, sizeof *parts, by_time);
    for (size_t i = 0, next; !error && i < n; i = next) {
        struct weir_history_hour hour = parts[i].hour;
        for (next = i + 1; next < n && parts[next].hour.start_us == hour.start_us; next++)
            add_part(&hour, &parts[next].hour);
        if (hour.start_us + WEIR_HOUR_US > reader->where->since_us)
            error = weir_history_add_hour(reader->history, service, &hour);
    }
    free(parts);
    return error;
}

static int load_hours(struct reader *reader, const char *service, struct weir_fault *fault) {
    char key[KEY_MAX], since[32];
    snprintf(key, sizeof key, "weir:{%s}:hours:%s", reader->history->site, service);
    snprintf(since, sizeof since, "%lld",
             (long long)(reader->where->since_us > 0 ? reader->where->since_us / 1000 : 0));
    const struct weir_redis_command command =
        weir_redis_command(key, "XREVRANGE", key, "+", since, NULL);
    redisReply *entries = ask(reader, &command, fault);
    int error = entries ? take_hours(reader, service, entries) : -EIO;
    freeReplyObject(entries);
    return error;
}

static int by_text(const void *a, const void *b) {
    const redisReply *const *left = a, *const *right = b;
    const char *a_text = weir_redis_text(*left), *b_text = weir_redis_text(*right);
    return strcmp(a_text ? a_text : "", b_text ? b_text : "");
}

static int load_services(struct reader *reader, struct weir_fault *fault) {
    char key[KEY_MAX];
    snprintf(key, sizeof key, "weir:{%s}:services", reader->history->site);
    const struct weir_redis_command command = weir_redis_command(key, "SMEMBERS", key, NULL);
    redisReply *names = ask(reader, &command, fault);
    int error = names ? 0 : -EIO;
    if (names && names->elements)
        qsort(names->element, names->elements, sizeof *names->element, by_text);
    for (size_t i = 0; !error && i < names->elements; i++) {
        const char *name = weir_redis_text(names->element[i]);
        if (name && (!reader->where->service || strcmp(reader->where->service, name) == 0))
            error = load_hours(reader, name, fault);
    }
    freeReplyObject(names);
    return error;
}

/* ---- incidents ---- */

static redisReply *ask_incidents(struct reader *reader, const char *site,
                                 struct weir_fault *fault) {
    char key[KEY_MAX], count[16];
    snprintf(key, sizeof key, "weir:{%s}:incidents", site);
    snprintf(count, sizeof count, "%d", EVENTS_MAX);
    const struct weir_redis_command command =
        weir_redis_command(key, "XREVRANGE", key, "+", "-", "COUNT", count, NULL);
    return ask(reader, &command, fault);
}

static const char *json_of(const redisReply *entry) {
    bool whole = entry->type == REDIS_REPLY_ARRAY && entry->elements == 2;
    return whole ? weir_view_reply_get(entry->element[1], "json") : NULL;
}

static bool told_already(const struct weir_history *history, const char *id) {
    for (size_t i = history->n_incidents; i-- > 0;)
        if (strcmp(history->incidents[i].id, id) == 0) return true;
    return false;
}

/* Newest first: what is heard first of an incident is how it was left. */
static int take_incident(struct reader *reader, const char *json) {
    const char *service = reader->where->service;
    struct weir_history_incident incident;
    int error = weir_history_read_record(&incident, json);
    if (error == -EBADMSG) return 0;
    if (!error && !told_already(reader->history, incident.id) &&
        incident.told_us >= reader->where->since_us &&
        (!service || strcmp(service, incident.service) == 0))
        error = weir_history_add_incident(reader->history, &incident);
    free(incident.text);
    free(incident.json);
    return error;
}

static int by_onset(const void *a, const void *b) {
    const struct weir_history_incident *left = a, *right = b;
    return (left->onset_us > right->onset_us) - (left->onset_us < right->onset_us);
}

static int load_incidents(struct reader *reader, struct weir_fault *fault) {
    redisReply *entries = ask_incidents(reader, reader->history->site, fault);
    int error = entries ? 0 : -EIO;
    for (size_t i = 0; !error && i < entries->elements; i++)
        if (json_of(entries->element[i]))
            error = take_incident(reader, json_of(entries->element[i]));
    freeReplyObject(entries);
    if (reader->history->n_incidents)
        qsort(reader->history->incidents, reader->history->n_incidents,
              sizeof reader->history->incidents[0], by_onset);
    return error;
}

/* ---- both ---- */

static int open_source(struct weir_view_source **ret_source, const struct weir_history_where *where,
                       struct weir_fault *fault) {
    const struct weir_view_where view = {
        .redis = where->redis, .password_file = where->password_file, .site = where->site};
    return weir_view_source_new(ret_source, &view, fault);
}

int weir_history_load_redis(struct weir_history *history, const struct weir_history_where *where,
                            struct weir_fault *fault) {
    struct reader reader = {.history = history, .where = where};
    int error = open_source(&reader.source, where, fault);
    if (error) return error;
    snprintf(history->site, sizeof history->site, "%s", weir_view_source_site(reader.source));
    snprintf(history->from, sizeof history->from, "%s",
             weir_redis_shown(weir_view_source_redis(reader.source)));
    error = load_services(&reader, fault);
    if (!error) error = load_incidents(&reader, fault);
    weir_view_source_free(reader.source);
    return error;
}

int weir_history_events_redis(const struct weir_history_where *where, const char *id,
                              weir_history_event_visit visit, void *context,
                              struct weir_fault *fault) {
    struct reader reader = {.where = where};
    int error = open_source(&reader.source, where, fault);
    if (error) return error;
    redisReply *entries = ask_incidents(&reader, weir_view_source_site(reader.source), fault);
    error = entries ? 0 : -EIO;
    for (size_t i = entries ? entries->elements : 0; !error && i-- > 0;) {
        const redisReply *entry = entries->element[i];
        const char *json = json_of(entry),
                   *of = json ? weir_view_reply_get(entry->element[1], "id") : NULL;
        if (of && strcmp(of, id) == 0) error = visit(context, 0, id, json);
    }
    freeReplyObject(entries);
    weir_view_source_free(reader.source);
    return error;
}
