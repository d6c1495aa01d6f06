/* The sinks of a run. A row says when a sink is wanted, how it is made, and what holds when it
 * can't be: a new sink is its file, and a row here. Records reach the sinks in the order of the
 * rows. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "page/sink.h"
#include "ui/command.h"
#include "ui/live_stdout.h"
#include "ui/sinks.h"

static bool wants_report(const struct weir_sinks_run *run) { return run->config->html; }

static int make_report(void **ret_state, const struct weir_sinks_run *run,
                       struct weir_fault *fault) {
    return weir_sink_report_new(ret_state, run->shown, run->config->html, fault);
}

static bool wants_redis(const struct weir_sinks_run *run) { return run->config->redis; }

static int make_redis(void **ret_state, const struct weir_sinks_run *run,
                      struct weir_fault *fault) {
    const struct weir_config *config = run->config;
    char spool[PATH_MAX];
    snprintf(spool, sizeof spool, "%s/spool", run->state ? run->state : "");
    const struct weir_redis_options redis = {
        .url = config->redis,
        .password = config->redis_password,
        .password_file = config->redis_password_file,
        .spool = run->live && run->state ? spool : NULL,
        .queue_bytes = config->redis_queue_bytes,
        .patience_s = run->live && !config->redis_wait_s ? 5 : config->redis_wait_s,
        .ttl_s = run->live ? 35 : 86400,
        .window_maxlen = config->redis_windows,
        .incident_maxlen = 10000,
        .replay = !run->live};
    return weir_sink_redis_new(ret_state, run->sent, &redis, fault);
}

static bool wants_state(const struct weir_sinks_run *run) { return run->state; }

static int make_snapshot(void **ret_state, const struct weir_sinks_run *run,
                         struct weir_fault *fault) {
    return weir_sink_snapshot_new(ret_state, run->sent, run->state, !run->live, fault);
}

static int make_history(void **ret_state, const struct weir_sinks_run *run,
                        struct weir_fault *fault) {
    return weir_sink_history_new(ret_state, run->sent, run->state, !run->live, fault);
}

static bool wants_live(const struct weir_sinks_run *run) { return run->live; }

static int make_live(void **ret_state, const struct weir_sinks_run *run, struct weir_fault *fault) {
    return weir_sink_live_stdout_new(ret_state, run->config, run->shown);
}

static bool wants_json(const struct weir_sinks_run *run) { return !run->live && run->config->json; }

static int make_json(void **ret_state, const struct weir_sinks_run *run, struct weir_fault *fault) {
    return weir_sink_ndjson_new(ret_state, run->shown, run->config->records, stdout);
}

static bool wants_words(const struct weir_sinks_run *run) {
    return !run->live && !run->config->json;
}

static int make_words(void **ret_state, const struct weir_sinks_run *run,
                      struct weir_fault *fault) {
    const struct weir_terminal_options how = {.colour =
                                                  weir_terminal_colour(run->config->no_colour),
                                              .columns = weir_terminal_columns(),
                                              .verbose = run->config->verbose};
    return weir_sink_terminal_new(ret_state, run->shown, stdout, &how);
}

static const struct row {
    const struct weir_sink *sink;
    bool (*wanted)(const struct weir_sinks_run *run);
    int (*make)(void **ret_state, const struct weir_sinks_run *run, struct weir_fault *fault);
    bool early;    /* its file may be anywhere: opened before rights are given up */
    bool optional; /* an interface is watched without it */
} rows[] = {
    {&weir_sink_report, wants_report, make_report, .early = true},
    {&weir_sink_redis, wants_redis, make_redis},
    {&weir_sink_snapshot, wants_state, make_snapshot},
    {&weir_sink_history, wants_state, make_history, .optional = true},
    {&weir_sink_live_stdout, wants_live, make_live},
    {&weir_sink_ndjson, wants_json, make_json},
    {&weir_sink_terminal, wants_words, make_words},
};

static int add(struct weir_publisher *publisher, const struct row *row,
               const struct weir_sinks_run *run, struct weir_fault *fault) {
    const struct weir_sink *sink = row->sink;
    void *state = NULL;
    int error = row->make(&state, run, fault);
    if (error && row->optional && (run->live || error == -ENOSYS)) { /* no part of that build */
        if (run->live)
            weir_log(WEIR_LOG_ERROR, "%s; %s is not kept",
                     fault->text[0] ? fault->text : strerror(-error), sink->name);
        *fault = (struct weir_fault){0};
        return 0;
    }
    if (!error) weir_publisher_add(publisher, sink, state);
    return error;
}

int weir_sinks_add(struct weir_publisher *publisher, const struct weir_sinks_run *run,
                   bool confined, struct weir_fault *fault) {
    int error = 0;
    for (const struct row *row = rows; !error && row < rows + sizeof rows / sizeof rows[0]; row++)
        if (row->early != confined && row->wanted(run)) error = add(publisher, row, run, fault);
    return error;
}
