/* Records as commands for Redis. Every key of a site carries the hash tag {<site>}, so a site is
 * one slot; the keys that all sites share (weir:sites, weir:fleet:inbox:{n}) have slots of their
 * own, and so messages of their own.
 *
 * - window: MULTI HSET service EXPIRE EXEC, XADD metrics (id: the window's end), EXPIRE metrics,
 *   TS.ADD where Redis knows it
 * - incident: XADD incidents (id: its time), EXPIRE, PUBLISH weir:alerts if it is new, XADD of a
 *   live site's to its fleet inbox
 * - capture: MULTI HSET probe EXPIRE EXEC; ZADD weir:sites, cut to SITES_MAX, EXPIRE
 * - open: MULTI DEL open HSET EXPIRE EXEC: what stands, whole, at each event and with each capture
 *   record
 * - hour: XADD hours (id: when it was written), EXPIRE hours, SADD services EXPIRE
 *
 * Hash and time to live are one transaction: a hash that never expires would go on saying what was
 * true when a probe died.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <weir/measure.h>

#include "base/log.h"
#include "history/hours.h"
#include "publish/fields.h"
#include "publish/redis_delivery.h"
#include "publish/redis_message.h"
#include "publish/redis_open.h"
#include "publish/redis_tls.h"
#include "publish/sink_redis.h"

enum { INBOXES = 16, INBOX_MAXLEN = 20000, SITES_MAX = 100000, DAY_S = 86400 };
/* Streams are kept for their readers, also when the site is gone. */
enum { HOURS_MAXLEN = 2300, HOURS_TTL_S = 100 * DAY_S }; /* 90 days, and what was put right */
enum {
    METRICS_TTL_S = 8 * DAY_S,
    INCIDENTS_TTL_S = 90 * DAY_S,
    SITES_TTL_S = 30 * DAY_S,
    INBOX_TTL_S = 7 * DAY_S
};

struct redis_sink {
    const struct weir_publish_context *context;
    struct weir_redis_options options;
    struct weir_json *json;
    struct weir_delivery *delivery;
    bool over;                    /* the last record was there */
    bool seen[WEIR_SERVICES_MAX]; /* services that have a hash */
    int64_t last_incident_ms;
    unsigned incident_seq;
    struct weir_open open;
    struct weir_hours *hours;
    int64_t begin_us, now_us; /* of this run: its first window; its newest */
    int hour_error;           /* of putting hours */
    struct weir_fault *hour_fault;
    char inbox[40];
    struct weir_fields fields;
    struct weir_message message;
    char key[320];
};

/* ---- commands ---- */

static const char *site_key(struct redis_sink *sink, const char *what, const char *name) {
    snprintf(sink->key, sizeof sink->key, "weir:{%s}:%s%s", sink->context->site, what, name);
    return sink->key;
}

static void add_fields(struct redis_sink *sink) {
    for (size_t i = 0; i < sink->fields.n; i++) {
        weir_message_arg(&sink->message, sink->fields.names[i]);
        weir_message_arg(&sink->message, sink->fields.texts[i]);
    }
}

static void add_plain(struct redis_sink *sink, const char *name, const char *key, int64_t value) {
    weir_message_command(&sink->message, WEIR_COMMAND_PLAIN, name);
    if (key) {
        weir_message_arg(&sink->message, key);
        weir_message_arg_int(&sink->message, value);
    }
}

static void add_hash(struct redis_sink *sink, const char *key) {
    add_plain(sink, "MULTI", NULL, 0);
    weir_message_command(&sink->message, WEIR_COMMAND_PLAIN, "HSET");
    weir_message_arg(&sink->message, key);
    add_fields(sink);
    add_plain(sink, "EXPIRE", key, sink->options.ttl_s);
    add_plain(sink, "EXEC", NULL, 0);
}

static void begin_xadd(struct redis_sink *sink, enum weir_command_role role, const char *key,
                       int64_t maxlen, const char *id) {
    weir_message_command(&sink->message, role, "XADD");
    weir_message_arg(&sink->message, key);
    weir_message_arg(&sink->message, "MAXLEN");
    weir_message_arg(&sink->message, "~");
    weir_message_arg_int(&sink->message, maxlen);
    weir_message_arg(&sink->message, id);
}

static int put(struct redis_sink *sink, enum weir_lane lane, struct weir_fault *fault) {
    const struct weir_message *message = &sink->message;
    if (message->failed) {
        weir_log(WEIR_LOG_ERROR,
                 "a record is too large for Redis (more than %d bytes), and left out",
                 WEIR_MESSAGE_BYTES_MAX);
        return 0;
    }
    return weir_delivery_put(sink->delivery, lane, message->bytes, message->size, fault);
}

/* ---- windows ---- */

/* Where RedisTimeSeries answers: the few lines that people draw. */
static const struct {
    const char *group, *name;
} series[] = {{NULL, "trials_ok"},      {"trials_fail", "total"}, {"goodput", "p50_bps"},
              {"rtt_server", "p50_us"}, {"ttfb", "p50_us"},       {NULL, "bytes_down"}};

static void add_series(struct redis_sink *sink, const struct weir_window_record *window,
                       const char *service) {
    for (size_t i = 0; i < sizeof series / sizeof series[0]; i++) {
        int field = weir_field_find(series[i].group, series[i].name);
        char key[320], name[64];
        if (field < 0 || window->values[field].reason != WEIR_REASON_NONE) continue;
        snprintf(name, sizeof name, "%s%s%s", series[i].group ? series[i].group : "",
                 series[i].group ? "_" : "", series[i].name);
        snprintf(key, sizeof key, "weir:{%s}:series:%s:%s", sink->context->site, service, name);
        weir_message_command(&sink->message, WEIR_COMMAND_SERIES, "TS.ADD");
        weir_message_arg(&sink->message, key);
        weir_message_arg_int(&sink->message, window->end_us / 1000);
        weir_message_arg_int(&sink->message, window->values[field].integer);
        const char *const rest[] = {
            "RETENTION", "691200000", "ON_DUPLICATE",      "LAST",    "LABELS", "weir",
            name,        "site",      sink->context->site, "service", service};
        for (size_t j = 0; j < sizeof rest / sizeof rest[0]; j++)
            weir_message_arg(&sink->message, rest[j]);
        weir_message_command(&sink->message, WEIR_COMMAND_SERIES, "EXPIRE");
        weir_message_arg(&sink->message, key);
        weir_message_arg_int(&sink->message, METRICS_TTL_S);
    }
}

static int put_window(struct redis_sink *sink, const struct weir_record *record,
                      struct weir_fault *fault) {
    const char *service = weir_service_get(sink->context->set, record->window->service)->id;
    char id[32];
    sink->seen[record->window->service] = true;
    if (!sink->begin_us) sink->begin_us = record->window->start_us;
    int error = weir_hours_window(sink->hours, record->window);
    if (error) return error;
    weir_fields_clear(&sink->fields);
    weir_fields_time(&sink->fields, "ts", record->ts_us);
    weir_fields_window(&sink->fields, sink->context, record->window);
    weir_message_clear(&sink->message);
    add_hash(sink, site_key(sink, "service:", service));
    snprintf(id, sizeof id, "%" PRId64 "-0", record->ts_us / 1000);
    begin_xadd(sink, WEIR_COMMAND_ENTRY, site_key(sink, "metrics:", service),
               sink->options.window_maxlen, id);
    add_fields(sink);
    add_plain(sink, "EXPIRE", sink->key, METRICS_TTL_S);
    add_series(sink, record->window, service);
    return put(sink, WEIR_LANE_WINDOW, fault);
}

/* ---- hours ---- */

/* One service's hour, over or put right. A reader takes the newest entry of each hour and run, and
 * sums the runs'. */
static void put_hour(void *context, weir_service_id id, const struct weir_history_hour *hour) {
    struct redis_sink *sink = context;
    const char *service = weir_service_get(sink->context->set, id)->id;
    char entry[40];
    if (sink->hour_error) return;
    weir_fields_clear(&sink->fields);
    weir_fields_time(&sink->fields, "ts", sink->now_us);
    weir_fields_hour(&sink->fields, sink->begin_us, hour);
    /* Two hours of a service may be written at once, the older first. */
    snprintf(entry, sizeof entry, "%" PRId64 "-%d", sink->now_us / 1000,
             hour->start_us + WEIR_HOUR_US > sink->now_us);
    weir_message_clear(&sink->message);
    begin_xadd(sink, WEIR_COMMAND_ENTRY, site_key(sink, "hours:", service), HOURS_MAXLEN, entry);
    add_fields(sink);
    add_plain(sink, "EXPIRE", sink->key, HOURS_TTL_S);
    weir_message_command(&sink->message, WEIR_COMMAND_PLAIN, "SADD");
    weir_message_arg(&sink->message, site_key(sink, "services", ""));
    weir_message_arg(&sink->message, service);
    add_plain(sink, "EXPIRE", sink->key, HOURS_TTL_S);
    sink->hour_error = put(sink, WEIR_LANE_WINDOW, sink->hour_fault);
}

static int put_hours(struct redis_sink *sink, struct weir_fault *fault) {
    sink->hour_error = 0;
    sink->hour_fault = fault;
    weir_hours_changed(sink->hours, sink->now_us, sink->over, put_hour, sink);
    return sink->hour_error;
}

/* ---- incidents ---- */

/* All that stands, in the place of what stood: a reader need not fold the stream, and nothing of a
 * run that died stays. */
static int put_open(struct redis_sink *sink, struct weir_fault *fault) {
    const char *key = site_key(sink, "open", "");
    weir_message_clear(&sink->message);
    add_plain(sink, "MULTI", NULL, 0);
    weir_message_command(&sink->message, WEIR_COMMAND_PLAIN, "DEL");
    weir_message_arg(&sink->message, key);
    for (size_t i = 0; i < sink->open.n; i++) {
        weir_message_command(&sink->message, WEIR_COMMAND_PLAIN, "HSET");
        weir_message_arg(&sink->message, key);
        weir_message_arg(&sink->message, sink->open.incidents[i].id);
        weir_message_arg(&sink->message, sink->open.incidents[i].json);
    }
    if (sink->open.n) add_plain(sink, "EXPIRE", key, sink->options.ttl_s);
    add_plain(sink, "EXEC", NULL, 0);
    return put(sink, WEIR_LANE_OPEN, fault);
}

static void add_inbox(struct redis_sink *sink) {
    char maxlen[16];
    snprintf(maxlen, sizeof maxlen, "%d", INBOX_MAXLEN);
    begin_xadd(sink, WEIR_COMMAND_INBOX, sink->inbox, INBOX_MAXLEN, "*");
    weir_message_arg(&sink->message, "site");
    weir_message_arg(&sink->message, sink->context->site);
    weir_message_arg(&sink->message, "entry");
    weir_message_arg_ref(&sink->message, WEIR_REF_ENTRY_ID);
    weir_message_arg(&sink->message, "json");
    weir_message_arg_ref(&sink->message, WEIR_REF_JSON);
    weir_message_command(&sink->message, WEIR_COMMAND_INBOX, "EXPIRE");
    weir_message_arg(&sink->message, sink->inbox);
    weir_message_arg_int(&sink->message, INBOX_TTL_S);
}

static int put_incident(struct redis_sink *sink, const struct weir_record *record,
                        struct weir_fault *fault) {
    size_t length;
    const char *json = weir_json_record(sink->json, record, &length);
    int64_t ms = record->ts_us / 1000;
    char id[48];
    sink->incident_seq = ms == sink->last_incident_ms ? sink->incident_seq + 1 : 0;
    sink->last_incident_ms = ms;
    snprintf(id, sizeof id, "%" PRId64 "-%u", ms, sink->incident_seq);

    weir_fields_clear(&sink->fields);
    weir_fields_time(&sink->fields, "ts", record->ts_us);
    weir_fields_incident(&sink->fields, sink->context, record->incident);
    weir_fields_text(&sink->fields, "json", json);
    weir_message_clear(&sink->message);
    begin_xadd(sink, WEIR_COMMAND_ENTRY, site_key(sink, "incidents", ""),
               sink->options.incident_maxlen, id);
    add_fields(sink);
    add_plain(sink, "EXPIRE", sink->key, INCIDENTS_TTL_S);
    if (!record->incident->maintenance) {
        weir_message_command(&sink->message, WEIR_COMMAND_ALERT, "PUBLISH");
        weir_message_arg(&sink->message, "weir:alerts");
        weir_message_arg_ref(&sink->message, WEIR_REF_JSON);
    }
    if (!sink->options.replay) add_inbox(sink);
    int error = put(sink, WEIR_LANE_INCIDENT, fault);
    weir_open_take(&sink->open, record->incident, json, length);
    weir_hours_incident(sink->hours, record->incident);
    return error ? error : put_open(sink, fault);
}

/* ---- the probe ---- */

static void delivery_fields(struct redis_sink *sink) {
    struct weir_delivery_stats stats;
    weir_delivery_read_stats(sink->delivery, &stats);
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"redis_queue_windows", stats.queue.depth[WEIR_LANE_WINDOW]},
                  {"redis_queue_incidents", stats.queue.depth[WEIR_LANE_INCIDENT]},
                  {"redis_queue_bytes", stats.queue.bytes},
                  {"redis_dropped_windows", stats.queue.dropped[WEIR_LANE_WINDOW]},
                  {"redis_dropped_incidents", stats.queue.dropped[WEIR_LANE_INCIDENT]},
                  {"redis_refused", stats.refused},
                  {"redis_connections", stats.connections},
                  {"spool_records", stats.spool_records},
                  {"spool_bytes", stats.spool_bytes},
                  {"spool_failures", stats.spool_failures},
                  {"spool_dropped", stats.spool_dropped}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        weir_fields_int(&sink->fields, counts[i].name, (int64_t)counts[i].value);
    weir_fields_text(&sink->fields, "redis_last_error", stats.last_error);
    add_hash(sink, site_key(sink, "probe", "")); /* while stats.last_error is there */
}

static int put_sites(struct redis_sink *sink, const struct weir_record *record,
                     struct weir_fault *fault) {
    static const char sites[] = "weir:sites";
    char score[40];
    snprintf(score, sizeof score, "%.6f", (double)record->ts_us / 1e6);
    weir_message_clear(&sink->message);
    weir_message_command(&sink->message, WEIR_COMMAND_PLAIN, "ZADD");
    weir_message_arg(&sink->message, sites);
    weir_message_arg(&sink->message, score);
    weir_message_arg(&sink->message, sink->context->site);
    weir_message_command(&sink->message, WEIR_COMMAND_PLAIN,
                         "ZREMRANGEBYRANK"); /* those not seen for longest */
    weir_message_arg(&sink->message, sites);
    weir_message_arg(&sink->message, "0");
    weir_message_arg_int(&sink->message, -SITES_MAX - 1);
    add_plain(sink, "EXPIRE", sites, SITES_TTL_S);
    return put(sink, WEIR_LANE_SITES, fault);
}

static int put_capture(struct redis_sink *sink, const struct weir_record *record,
                       struct weir_fault *fault) {
    sink->over = !record->capture->interim;
    weir_fields_clear(&sink->fields);
    weir_fields_probe(&sink->fields, sink->context, sink->options.replay, sink->seen,
                      record->ts_us);
    weir_fields_capture(&sink->fields, sink->context, record->capture);
    weir_message_clear(&sink->message);
    delivery_fields(sink);
    int error = put(sink, WEIR_LANE_PROBE, fault);
    if (!error) error = put_open(sink, fault);
    return error ? error : put_sites(sink, record, fault);
}

/* ---- the sink ---- */

static int redis_record(void *state, const struct weir_record *record, struct weir_fault *fault) {
    struct redis_sink *sink = state;
    if (record->type == WEIR_RECORD_WINDOW && record->ts_us > sink->now_us)
        sink->now_us = record->ts_us;
    switch (record->type) {
    case WEIR_RECORD_WINDOW: return put_window(sink, record, fault);
    case WEIR_RECORD_INCIDENT: return put_incident(sink, record, fault);
    case WEIR_RECORD_CAPTURE: return put_capture(sink, record, fault);
    default: return 0;
    }
}

/* Only the end waits. An interface's run does not fail because Redis is away. */
static int redis_flush(void *state, struct weir_fault *fault) {
    struct redis_sink *sink = state;
    struct weir_fault why = {0};
    int error = put_hours(sink, fault);
    if (error) return error;
    error = sink->over ? weir_delivery_finish(sink->delivery, &why) : 0;
    if (error && sink->options.replay) return weir_fault_set(fault, error, "%s", why.text);
    if (error) weir_log(WEIR_LOG_WARNING, "%s", why.text);
    return 0;
}

static void redis_free(void *state) {
    struct redis_sink *sink = state;
    if (!sink) return;
    weir_delivery_free(sink->delivery);
    weir_message_deinit(&sink->message);
    weir_open_deinit(&sink->open);
    weir_hours_free(sink->hours);
    weir_json_free(sink->json);
    free(sink);
}

static int place(struct weir_redis_url *url, const struct weir_redis_options *options,
                 struct weir_fault *fault) {
    const char *environment = getenv("WEIR_REDIS_PASSWORD");
    int error = weir_redis_url_parse(url, options->url, fault);
    const char *password = options->password  ? options->password
                           : url->password[0] ? NULL
                                              : environment;
    if (!error && password &&
        snprintf(url->password, sizeof url->password, "%s", password) >= (int)sizeof url->password)
        error = weir_fault_set(fault, -EINVAL, "Redis' password: at most %zu bytes",
                               sizeof url->password - 1);
    return error;
}

int weir_sink_redis_new(void **ret_state, const struct weir_publish_context *context,
                        const struct weir_redis_options *options, struct weir_fault *fault) {
    struct redis_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return -ENOMEM;
    sink->context = context;
    sink->options = *options;
    sink->last_incident_ms = -1;
    sink->json = weir_json_new(context);
    sink->hours = weir_hours_new();
    snprintf(sink->inbox, sizeof sink->inbox, "weir:fleet:inbox:{%u}",
             (unsigned)(XXH3_64bits(context->site, strlen(context->site)) % INBOXES));
    struct weir_redis_url url;
    const struct weir_delivery_options delivery = {
        .url = &url,
        .password_file = options->password_file,
        .spool_path = options->spool,
        .site_key = site_key(sink, "probe", ""),
        .window_bytes = options->queue_bytes ? options->queue_bytes : (size_t)16 << 20,
        .wait = options->replay,
        .patience_ms = (options->patience_s ? options->patience_s : 30) * 1000};
    int error = sink->json && sink->hours ? place(&url, options, fault) : -ENOMEM;
    if (!error) error = weir_redis_tls_check(&url, fault);
    if (!error) error = weir_delivery_new(&sink->delivery, &delivery, fault);
    if (error) {
        redis_free(sink);
        return error;
    }
    *ret_state = sink;
    return 0;
}

struct weir_delivery *weir_sink_redis_delivery(void *state) {
    return ((struct redis_sink *)state)->delivery;
}

const struct weir_sink weir_sink_redis = {
    .name = "redis",
    .help = "hashes, streams and messages in Redis",
    .record = redis_record,
    .flush = redis_flush,
    .free = redis_free,
};
