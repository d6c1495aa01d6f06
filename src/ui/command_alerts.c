/* `weir alerts`: what was raised, changed and cleared, as text or JSON; and on, as it happens.
 *
 * Past events and new ones come from the same stream (or status.json), never from pub/sub alone: an
 * event that was said while nobody listened is not lost, and one that is read twice has the same id
 * in the stream.
 */
#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "publish/redis_client.h"
#include "ui/command.h"
#include "ui/confined.h"
#include "ui/prompt.h"
#include "ui/status.h"
#include "view/source.h"

static const char usage[] =
    "Usage: weir alerts [OPTIONS]\n\n"
    "Prints what was raised, changed and cleared, oldest first. With --follow goes on until "
    "interrupted.\n\n"
    "Exit: 0 done, 1 could not be read, 2 usage.";

struct alerts {
    struct weir_prompt prompt;
    bool follow, all;
    int64_t since_us; /* back from now; 0: all that is kept */
    const char *acknowledge;
    struct weir_view *view;
    char last[48]; /* newest entry printed: id in the stream */
    /* from a file: time of the newest printed, and how many there are of it */
    int64_t last_ts_us;
    size_t n_last;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) { interrupted = 1; }

/* ---- options ---- */

static int read_follow(void *context, const char *text, struct weir_fault *fault) {
    ((struct alerts *)context)->follow = true;
    return 0;
}

static int read_all(void *context, const char *text, struct weir_fault *fault) {
    ((struct alerts *)context)->all = true;
    return 0;
}

static int read_acknowledge(void *context, const char *text, struct weir_fault *fault) {
    if (!*text || strlen(text) >= 48)
        return weir_fault_set(fault, -EINVAL,
                              "--ack '%.60s': an incident's id, as weir alerts shows it", text);
    ((struct alerts *)context)->acknowledge = text;
    return 0;
}

/* 90s, 30m, 2h, 7d. */
static int read_since(void *context, const char *text, struct weir_fault *fault) {
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    errno = 0;
    long value = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : -1;
    for (size_t i = 0;
         value > 0 && errno == 0 && value < 1000000 && i < sizeof units / sizeof units[0]; i++)
        if (end[0] == units[i].letter && !end[1]) {
            ((struct alerts *)context)->since_us = value * units[i].seconds * 1000000;
            return 0;
        }
    return weir_fault_set(fault, -EINVAL,
                          "--since '%s': a number with s, m, h or d behind it, as 2h", text);
}

static const struct weir_prompt_option own[] = {
    {"follow", NULL, "go on with what comes", read_follow},
    {"since", "TIME",
     "only the last 90s, 30m, 2h, 7d (default: all that is kept, 256 events at the most)",
     read_since},
    {"all", NULL, "also what was acknowledged, or raised in a maintenance window", read_all},
    {"ack", "ID", "from now on say nothing more about this incident; it is measured on",
     read_acknowledge},
    {0},
};

/* ---- printing ---- */

static void print_event(struct alerts *alerts, const struct weir_view_event *event) {
    bool colour = weir_prompt_colour(&alerts->prompt),
         cleared = strcmp(event->event, "cleared") == 0;
    char clock[32], line[160];
    if ((event->acknowledged || event->maintenance) && !alerts->all) return;
    if (alerts->prompt.json) {
        if (event->json) puts(event->json);
        return;
    }
    weir_view_clock(clock, event->ts_us, 0);
    int column = printf("%s  ", clock);
    fputs(weir_status_colour(colour, cleared ? "healthy" : event->state), stdout);
    column += printf("%-10s %-8s ", event->service[0] ? event->service : event->cause,
                     cleared ? "well" : event->state);
    fputs(colour ? "\033[0m" : "", stdout);
    snprintf(line, sizeof line, "%s %s  [%s]", event->event,
             event->acknowledged  ? "acknowledged"
             : event->maintenance ? "maintenance"
                                  : event->cause,
             event->id);
    weir_status_go_on(line, (unsigned)column, 4);
    weir_status_wrapped(event->text, 4);
}

static void print_past(struct alerts *alerts) {
    const struct weir_view *view = alerts->view;
    size_t n = 0;
    for (size_t i = 0; i < view->n_events; i++) {
        const struct weir_view_event *event = &view->events[i];
        if (alerts->since_us && event->ts_us < view->now_us - alerts->since_us) continue;
        print_event(alerts, event);
        n++;
    }
    if (!n && !alerts->prompt.json && !alerts->follow)
        printf("no incidents at site %s%s\n", view->site, alerts->since_us ? " in that time" : "");
    fflush(stdout);
}

/* ---- following ---- */

static void remember(struct alerts *alerts) {
    const struct weir_view *view = alerts->view;
    if (!view->n_events) return;
    const struct weir_view_event *newest = &view->events[view->n_events - 1];
    snprintf(alerts->last, sizeof alerts->last, "%s", newest->entry);
    alerts->last_ts_us = newest->ts_us;
    alerts->n_last = 0;
    for (size_t i = 0; i < view->n_events; i++)
        alerts->n_last += view->events[i].ts_us == newest->ts_us;
}

/* A file has no ids: what is later than the newest printed, or equally late but behind it, is new.
 */
static void print_new_of_file(struct alerts *alerts) {
    const struct weir_view *view = alerts->view;
    size_t same = 0;
    for (size_t i = 0; i < view->n_events; i++) {
        const struct weir_view_event *event = &view->events[i];
        same += event->ts_us == alerts->last_ts_us;
        if (event->ts_us > alerts->last_ts_us ||
            (event->ts_us == alerts->last_ts_us && same > alerts->n_last))
            print_event(alerts, event);
    }
    remember(alerts);
    fflush(stdout);
}

static bool is_acknowledged(struct weir_redis *redis, const char *site, const char *id) {
    char key[320];
    struct weir_fault ignored = {0};
    snprintf(key, sizeof key, "weir:{%s}:acknowledged", site);
    const struct weir_redis_command command = weir_redis_command(key, "SISMEMBER", key, id, NULL);
    redisReply *reply = weir_redis_ask(redis, &command, &ignored);
    bool yes = reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    freeReplyObject(reply);
    return yes;
}

static void print_entries(struct alerts *alerts, struct weir_view_source *source,
                          const redisReply *entries) {
    for (size_t i = 0; entries->type == REDIS_REPLY_ARRAY && i < entries->elements; i++) {
        const redisReply *entry = entries->element[i];
        struct weir_view_event event;
        if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) continue;
        weir_view_read_event(&event, weir_view_reply_get, entry->element[1]);
        event.acknowledged = is_acknowledged(weir_view_source_redis(source),
                                             weir_view_source_site(source), event.id);
        print_event(alerts, &event);
        free(event.json);
        if (weir_redis_text(entry->element[0]))
            snprintf(alerts->last, sizeof alerts->last, "%s", entry->element[0]->str);
    }
    fflush(stdout);
}

/* Waits for new entries: 0, or < 0 while Redis is away. */
static int wait_for_entries(struct alerts *alerts, struct weir_view_source *source,
                            struct weir_fault *fault) {
    char key[320];
    snprintf(key, sizeof key, "weir:{%s}:incidents", weir_view_source_site(source));
    const struct weir_redis_command command = weir_redis_command(
        key, "XREAD", "BLOCK", "2000", "STREAMS", key, alerts->last[0] ? alerts->last : "0", NULL);
    redisReply *reply = weir_redis_ask(weir_view_source_redis(source), &command, fault);
    if (!reply) return -EIO;
    print_entries(alerts, source, weir_redis_at(weir_redis_at(reply, 0), 1));
    int error =
        reply->type == REDIS_REPLY_ERROR ? weir_fault_set(fault, -EIO, "Redis: %s", reply->str) : 0;
    freeReplyObject(reply);
    return error;
}

static int look_again(struct alerts *alerts, struct weir_view_source *source,
                      struct weir_fault *fault) {
    int error = weir_view_load(source, weir_prompt_now_us(), 0, alerts->view, fault);
    if (!error) print_new_of_file(alerts);
    sleep(1);
    return error;
}

/* Goes on while a file is being replaced or Redis is away, and says so once. */
static int follow(struct alerts *alerts, struct weir_view_source *source) {
    struct sigaction interrupt = {.sa_handler = on_interrupt};
    bool said = false;
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
    remember(alerts);
    while (!interrupted && !ferror(stdout)) {
        struct weir_fault fault = {0};
        int error = weir_view_source_redis(source) ? wait_for_entries(alerts, source, &fault)
                                                   : look_again(alerts, source, &fault);
        if (error && !interrupted) {
            if (!said) fprintf(stderr, "weir: %s; trying on\n", fault.text);
            sleep(1);
        } else if (said)
            fprintf(stderr, "weir: it can be read again; going on\n");
        said = error != 0;
    }
    return ferror(stdout) ? -EPIPE : 0;
}

/* ---- the command ---- */

static int acknowledge(struct alerts *alerts, struct weir_view_source *source,
                       struct weir_fault *fault) {
    const struct weir_view *view = alerts->view;
    for (size_t i = 0; i < view->n_events; i++)
        if (strcmp(view->events[i].id, alerts->acknowledge) == 0) {
            int error = weir_view_acknowledge(source, alerts->acknowledge, fault);
            if (!error)
                printf("%s is acknowledged: no more alerts about it\n", alerts->acknowledge);
            return error;
        }
    return weir_fault_set(fault, -ENOENT,
                          "no incident '%s' at site %s; weir alerts lists them, ids in brackets",
                          alerts->acknowledge, view->site);
}

static int show(struct alerts *alerts, struct weir_fault *fault) {
    struct weir_view_source *source = NULL;
    alerts->view = calloc(1, sizeof *alerts->view);
    int error = alerts->view ? weir_confine_reader(&alerts->prompt, false, fault) : -ENOMEM;
    if (!error) error = weir_prompt_open(&alerts->prompt, &source, fault);
    if (!error) error = weir_view_load(source, weir_prompt_now_us(), 0, alerts->view, fault);
    if (!error && alerts->acknowledge)
        error = acknowledge(alerts, source, fault);
    else if (!error) {
        print_past(alerts);
        if (alerts->follow) error = follow(alerts, source);
    }
    if (alerts->view) weir_view_deinit(alerts->view);
    free(alerts->view);
    weir_view_source_free(source);
    return error;
}

static int run(int argc, char **argv) {
    struct alerts alerts = {0};
    struct weir_fault fault = {0};
    int operand = weir_prompt_parse(&alerts.prompt, argc, argv, usage, own, &alerts, &fault),
        code = WEIR_EXIT_DONE;
    if (operand >= 0 && operand < argc)
        operand = weir_fault_set(&fault, -EINVAL,
                                 "'%s': alerts takes options only; see weir alerts --help",
                                 argv[operand]);
    if (operand >= 0 && operand != WEIR_CONFIG_HELP) operand = show(&alerts, &fault);
    if (operand < 0) code = weir_prompt_fail(&fault, operand);
    weir_prompt_deinit(&alerts.prompt);
    return code;
}

const struct weir_command weir_command_alerts = {
    "alerts", "what was raised, changed and cleared; --follow goes on", run};
