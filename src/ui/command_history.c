/* `weir history`: past outages with their true durations, and how much of the judged time a
 * service was up, as text, CSV or JSON. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/local_time.h"
#include "base/untrusted_json.h"
#include "history/history.h"
#include "ui/command.h"
#include "ui/confined.h"
#include "ui/prompt.h"
#include "ui/service_names.h"
#include "ui/status.h"
#include "view/view.h"

static const char usage[] =
    "Usage: weir history [OPTIONS] [SERVICE]\n\n"
    "Past outages with their true durations, and what share of the time a service was up. "
    "Only time in which it could be judged counts. `up` is the share of it in which the "
    "service was not down. `well` is the share in which it was neither down, nor partly down,"
    " nor degraded. Hours, days, weeks and months are of UTC.\n\n"
    "Exit: 0 done, 1 could not be read, 2 usage.";

enum { SPANS_MAX = 1024 };

struct asked {
    struct weir_prompt prompt;
    const char *service; /* NULL: all */
    int64_t since_us;    /* back from now */
    enum weir_history_step step;
    bool step_set, csv, outages;
    int64_t now_us, from_us;
};

/* ---- options ---- */

static int read_since(void *context, const char *text, struct weir_fault *fault) {
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'h', 3600}, {'d', 86400}, {'w', 604800}, {'m', 2678400}};
    char *end;
    errno = 0;
    long value = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : -1;
    for (size_t i = 0;
         value > 0 && errno == 0 && value < 100000 && i < sizeof units / sizeof units[0]; i++)
        if (end[0] == units[i].letter && !end[1]) {
            ((struct asked *)context)->since_us = value * units[i].seconds * 1000000;
            return 0;
        }
    return weir_fault_set(fault, -EINVAL,
                          "--since '%s': a number with h, d, w or m (31 days) behind it, as 30d",
                          text);
}

static const char *const steps[] = {"hour", "day", "week", "month"};

static int read_by(void *context, const char *text, struct weir_fault *fault) {
    struct asked *asked = context;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (strcmp(text, steps[i]) == 0) {
            asked->step = (enum weir_history_step)i;
            asked->step_set = true;
            return 0;
        }
    return weir_fault_set(fault, -EINVAL, "--by '%s': use hour, day, week or month", text);
}

static int read_csv(void *context, const char *text, struct weir_fault *fault) {
    ((struct asked *)context)->csv = true;
    return 0;
}

static int read_outages(void *context, const char *text, struct weir_fault *fault) {
    ((struct asked *)context)->outages = true;
    return 0;
}

static const struct weir_prompt_option own[] = {
    {"since", "TIME", "how far back: 12h, 30d, 8w, 13m (default: 30d)", read_since},
    {"by", "STEP",
     "a row for each hour, day, week or month (default: day; week from 60d on, month from 200d on)",
     read_by},
    {"csv", NULL, "rows for a spreadsheet: availability, or with --outages the incidents",
     read_csv},
    {"outages", NULL, "only the incidents", read_outages},
    {0},
};

/* ---- words ---- */

static const char *percent(char text[16], double share) {
    if (isnan(share))
        snprintf(text, 16, "-");
    else if (share == 1)
        snprintf(text, 16, "100 %%");
    else /* never 100 % where anything failed */
        snprintf(text, 16, "%.3f %%", share < 1 && share > 0.99999 ? 99.999 : share * 100);
    return text;
}

static const char *span_name(char text[32], int64_t us, enum weir_history_step step) {
    static const char *const formats[] = {"%m-%d %H:00", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m"};
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(text, 32, formats[step], &utc);
    return text;
}

/* Those in which anything could be judged. */
static size_t spans_of(const struct asked *asked, const struct weir_history_service *service,
                       struct weir_history_span spans[SPANS_MAX]) {
    size_t all = weir_history_spans(service, asked->step, asked->from_us, asked->now_us, spans,
                                    SPANS_MAX),
           n = 0;
    for (size_t i = 0; i < all; i++)
        if (spans[i].judged_s) spans[n++] = spans[i];
    return n;
}

static struct weir_history_span sum_of(const struct asked *asked,
                                       const struct weir_history_service *service) {
    struct weir_history_span sum = {.start_us = asked->from_us, .end_us = asked->now_us};
    for (size_t i = 0; i < service->n_hours; i++) {
        const struct weir_history_hour *hour = &service->hours[i];
        sum.judged_s += hour->judged_s;
        sum.healthy_s += hour->healthy_s;
        sum.degraded_s += hour->degraded_s;
        sum.partial_s += hour->partial_s;
        sum.down_s += hour->down_s;
        sum.trials_ok += hour->trials_ok;
        sum.trials_fail += hour->trials_fail;
    }
    return sum;
}

/* ---- text ---- */

static void print_row(const char *name, int width, const struct weir_history_span *span) {
    char up[16], well[16], judged[32], down[32], partial[32], degraded[32];
    printf("%-*s %8s %8s %11s %11s %11s %11s\n", width, name, percent(up, weir_history_up(span)),
           percent(well, weir_history_well(span)), weir_view_span(judged, span->judged_s * 1000000),
           span->down_s ? weir_view_span(down, span->down_s * 1000000) : "-",
           span->partial_s ? weir_view_span(partial, span->partial_s * 1000000) : "-",
           span->degraded_s ? weir_view_span(degraded, span->degraded_s * 1000000) : "-");
}

static void print_services(const struct asked *asked, const struct weir_history *history) {
    printf("%-13s %8s %8s %11s %11s %11s %11s\n", "service", "up", "well", "judged", "down",
           "partly down", "degraded");
    for (size_t i = 0; i < history->n_services; i++) {
        struct weir_history_span sum = sum_of(asked, &history->services[i]);
        print_row(history->services[i].name, 13, &sum);
    }
    if (history->n_services)
        puts("  times: counted in spans of 10 s; those of incidents are exact");
}

static void print_spans(const struct asked *asked, const struct weir_history_service *service) {
    static struct weir_history_span spans[SPANS_MAX];
    size_t n = spans_of(asked, service, spans);
    char name[32];
    printf("\n%-13s %8s %8s %11s %11s %11s %11s\n", steps[asked->step], "up", "well", "judged",
           "down", "partly down", "degraded");
    for (size_t i = 0; i < n; i++)
        print_row(span_name(name, spans[i].start_us, asked->step), 13, &spans[i]);
}

static void print_outages(const struct asked *asked, const struct weir_history *history) {
    bool colour = weir_prompt_colour(&asked->prompt);
    for (size_t i = 0; i < history->n_incidents; i++) {
        const struct weir_history_incident *incident = &history->incidents[i];
        char clock[32], span[32], text[1024];
        bool over = incident->cleared_us != 0;
        int column = printf("%s  ", weir_view_clock(clock, incident->onset_us, 0));
        fputs(weir_status_colour(colour, incident->state), stdout);
        column += printf("%-10s %-8s ", incident->service[0] ? incident->service : incident->cause,
                         incident->state);
        fputs(colour ? "\033[0m" : "", stdout);
        snprintf(text, sizeof text, "%s%s, %s%s  [%s]",
                 weir_view_span(span, weir_history_duration_us(incident, asked->now_us)),
                 over ? "" : " so far", weir_view_cause_words(incident->cause),
                 incident->maintenance ? ", announced work" : "", incident->id);
        weir_status_go_on(text, (unsigned)column, 4);
        weir_status_wrapped(
            weir_local_sentence(text, sizeof text, incident->text, incident->onset_us), 4);
    }
    if (!history->n_incidents) puts("no incidents in that time");
}

static void print_text(const struct asked *asked, const struct weir_history *history) {
    char from[32], until[32], line[300];
    snprintf(line, sizeof line, "site %s, %s to %s; rows are of UTC", history->site,
             weir_local_time(from, sizeof from, asked->from_us, "%Y-%m-%d %H:%M"),
             weir_local_time(until, sizeof until, asked->now_us, "%Y-%m-%d %H:%M %Z"));
    weir_status_wrapped(line, 0);
    puts("");
    if (!asked->outages) {
        print_services(asked, history);
        for (size_t i = 0; asked->service && i < history->n_services; i++)
            print_spans(asked, &history->services[i]);
        puts("");
    }
    print_outages(asked, history);
}

/* ---- CSV ---- */

static void csv_share(double share) {
    if (!isnan(share)) printf("%.6f", share);
}

static void csv_time(int64_t us) {
    char text[32];
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    if (us && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc)))
        fputs(text, stdout);
}

static void csv_text(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"') putchar('"');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

static void print_csv_spans(const struct asked *asked, const struct weir_history *history) {
    static struct weir_history_span spans[SPANS_MAX];
    puts("service,from,until,judged_s,healthy_s,degraded_s,partial_s,down_s,up,well,trials_ok,"
         "trials_fail");
    for (size_t i = 0; i < history->n_services; i++) {
        size_t n = spans_of(asked, &history->services[i], spans);
        for (size_t s = 0; s < n; s++) {
            const struct weir_history_span *span = &spans[s];
            printf("%s,", history->services[i].name);
            csv_time(span->start_us);
            putchar(',');
            csv_time(span->end_us);
            printf(",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",", span->judged_s,
                   span->healthy_s, span->degraded_s, span->partial_s, span->down_s);
            csv_share(weir_history_up(span));
            putchar(',');
            csv_share(weir_history_well(span));
            printf(",%" PRId64 ",%" PRId64 "\n", span->trials_ok, span->trials_fail);
        }
    }
}

static void print_csv_outages(const struct asked *asked, const struct weir_history *history) {
    puts("id,service,state,cause,onset,raised,recovered,cleared,duration_s,maintenance,text");
    for (size_t i = 0; i < history->n_incidents; i++) {
        const struct weir_history_incident *incident = &history->incidents[i];
        const int64_t times[] = {incident->onset_us, incident->raised_us, incident->recovered_us,
                                 incident->cleared_us};
        printf("%s,%s,%s,%s,", incident->id, incident->service, incident->state, incident->cause);
        for (size_t t = 0; t < 4; t++) {
            csv_time(times[t]);
            putchar(',');
        }
        printf("%" PRId64 ",%d,", weir_history_duration_us(incident, asked->now_us) / 1000000,
               incident->maintenance);
        csv_text(incident->text);
        putchar('\n');
    }
}

/* ---- JSON ---- */

static void put_share(struct json_object *object, const char *name, double share) {
    json_object_object_add(object, name,
                           isnan(share) ? NULL : json_object_new_double(round(share * 1e6) / 1e6));
}

static struct json_object *span_json(const struct weir_history_span *span) {
    struct json_object *object = json_object_new_object();
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {{"from_ts", span->start_us / 1000000},
                {"until_ts", span->end_us / 1000000},
                {"judged_s", span->judged_s},
                {"healthy_s", span->healthy_s},
                {"degraded_s", span->degraded_s},
                {"partial_s", span->partial_s},
                {"down_s", span->down_s},
                {"trials_ok", span->trials_ok},
                {"trials_fail", span->trials_fail}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        json_object_object_add(object, rows[i].name, json_object_new_int64(rows[i].value));
    put_share(object, "up", weir_history_up(span));
    put_share(object, "well", weir_history_well(span));
    return object;
}

static struct json_object *services_json(const struct asked *asked,
                                         const struct weir_history *history) {
    static struct weir_history_span spans[SPANS_MAX];
    struct json_object *services = json_object_new_object();
    for (size_t i = 0; i < history->n_services; i++) {
        struct json_object *service = json_object_new_object(), *list = json_object_new_array();
        struct weir_history_span sum = sum_of(asked, &history->services[i]);
        size_t n = spans_of(asked, &history->services[i], spans);
        for (size_t s = 0; s < n; s++) json_object_array_add(list, span_json(&spans[s]));
        json_object_object_add(service, "all", span_json(&sum));
        json_object_object_add(service, steps[asked->step], list);
        json_object_object_add(services, history->services[i].name, service);
    }
    return services;
}

static void print_json(const struct asked *asked, const struct weir_history *history) {
    struct json_object *object = json_object_new_object(), *incidents = json_object_new_array();
    json_object_object_add(object, "weir", json_object_new_int(1));
    json_object_object_add(object, "type", json_object_new_string("history"));
    json_object_object_add(object, "site", json_object_new_string(history->site));
    if (!asked->outages) json_object_object_add(object, "services", services_json(asked, history));
    for (size_t i = 0; i < history->n_incidents; i++) {
        const struct weir_history_incident *incident = &history->incidents[i];
        struct json_object *record = weir_untrusted_json(incident->json);
        if (!record) continue;
        json_object_object_add(
            record, "duration_s",
            json_object_new_int64(weir_history_duration_us(incident, asked->now_us) / 1000000));
        json_object_array_add(incidents, record);
    }
    json_object_object_add(object, "incidents", incidents);
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

/* ---- the command ---- */

/* When a capture ended; 0: not known any more. */
static int64_t last_heard_us(const struct asked *asked, const struct weir_history_where *where,
                             const char *site) {
    const struct weir_view_where status = {.redis = where->redis,
                                           .password_file = where->password_file,
                                           .state = where->state,
                                           .site = site};
    struct weir_view_source *source = NULL;
    struct weir_view *view = calloc(1, sizeof *view);
    struct weir_fault fault = {0};
    int64_t heard_us = 0;
    if (view && weir_view_source_new(&source, &status, &fault) == 0) {
        bool same = weir_view_load(source, asked->now_us, 0, view, &fault) == 0 &&
                    strcmp(view->site, site) == 0;
        heard_us = same ? view->seen_us : 0;
        weir_view_deinit(view);
    }
    weir_view_source_free(source);
    free(view);
    return heard_us;
}

/* A capture's history ends with its packets, not today. */
static void settle_times(struct asked *asked, const struct weir_history_where *where,
                         const struct weir_history *history) {
    bool replay = strncmp(history->site, "replay:", 7) == 0;
    int64_t newest_us = 0, heard_us = replay ? last_heard_us(asked, where, history->site) : 0;
    for (size_t i = 0; i < history->n_services; i++) {
        const struct weir_history_service *service = &history->services[i];
        if (service->n_hours &&
            service->hours[service->n_hours - 1].start_us + WEIR_HOUR_US > newest_us)
            newest_us = service->hours[service->n_hours - 1].start_us + WEIR_HOUR_US;
    }
    for (size_t i = 0; i < history->n_incidents; i++)
        if (history->incidents[i].told_us > newest_us) newest_us = history->incidents[i].told_us;
    if (replay && newest_us) asked->now_us = heard_us ? heard_us : newest_us;
    asked->from_us = asked->now_us > asked->since_us ? asked->now_us - asked->since_us : 0;
    if (!asked->step_set)
        asked->step = asked->since_us >= INT64_C(200) * 86400000000  ? WEIR_HISTORY_MONTH
                      : asked->since_us >= INT64_C(60) * 86400000000 ? WEIR_HISTORY_WEEK
                                                                     : WEIR_HISTORY_DAY;
}

/* Leaves out what lies before. */
static void cut(const struct asked *asked, struct weir_history *history) {
    for (size_t i = 0; i < history->n_services; i++) {
        struct weir_history_service *service = &history->services[i];
        size_t first = 0;
        while (first < service->n_hours &&
               service->hours[first].start_us + WEIR_HOUR_US <= asked->from_us)
            first++;
        service->n_hours -= first;
        memmove(service->hours, service->hours + first, service->n_hours * sizeof *service->hours);
    }
    size_t kept = 0;
    for (size_t i = 0; i < history->n_incidents; i++) {
        if (history->incidents[i].told_us >= asked->from_us) {
            history->incidents[kept++] = history->incidents[i];
        } else {
            free(history->incidents[i].text);
            free(history->incidents[i].json);
        }
    }
    history->n_incidents = kept;
}

/* 0 for a service that is known, of which nothing is kept. */
static int must_be_service(const char *name, struct weir_fault *fault) {
    struct weir_service_set *set = weir_services_shipped();
    int error = weir_service_must_be(set, name, "", fault);
    weir_service_set_unref(set);
    return error;
}

static int show(struct asked *asked, struct weir_fault *fault) {
    struct weir_history history;
    const struct weir_history_where where = {
        .redis =
            asked->prompt.redis || !asked->prompt.state ? weir_prompt_redis(&asked->prompt) : NULL,
        .password_file = asked->prompt.config.redis_password_file,
        .state = weir_state_path(asked->prompt.state, R_OK),
        .site = asked->prompt.site,
        .service = asked->service};
    if (!where.redis && !where.state) return weir_state_absent(WEIR_HISTORY_FILE, fault);
    int error = weir_history_load(&history, &where, fault);
    if (error) return error;
    bool nothing = asked->service && !history.n_services && !history.n_incidents;
    settle_times(asked, &where, &history);
    cut(asked, &history);
    if (nothing) error = must_be_service(asked->service, fault);
    if (error)
        ;
    else if (nothing && !asked->prompt.json && !asked->csv)
        printf("nothing recorded of %s yet\n", asked->service);
    else if (asked->prompt.json)
        print_json(asked, &history);
    else if (asked->csv && asked->outages)
        print_csv_outages(asked, &history);
    else if (asked->csv)
        print_csv_spans(asked, &history);
    else
        print_text(asked, &history);
    weir_history_deinit(&history);
    return error;
}

static int run(int argc, char **argv) {
    struct asked asked = {.since_us = INT64_C(30) * 86400000000, .now_us = weir_prompt_now_us()};
    struct weir_fault fault = {0};
    int operand = weir_prompt_parse(&asked.prompt, argc, argv, usage, own, &asked, &fault),
        code = WEIR_EXIT_DONE;
    if (operand >= 0 && operand != WEIR_CONFIG_HELP && operand + 1 < argc)
        operand = weir_fault_set(&fault, -EINVAL,
                                 "'%s': one service at the most; see weir history --help",
                                 argv[operand + 1]);
    if (operand >= 0 && operand != WEIR_CONFIG_HELP) {
        asked.service = operand < argc ? argv[operand] : NULL;
        operand = weir_confine_reader(&asked.prompt, false, &fault);
        if (operand >= 0) operand = show(&asked, &fault);
    }
    if (operand < 0) code = weir_prompt_fail(&fault, operand);
    weir_prompt_deinit(&asked.prompt);
    return code;
}

const struct weir_command weir_command_history = {
    "history", "past outages, and how much of the time each service was up", run};
