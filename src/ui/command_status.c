/* `weir status [SERVICE]`: does it work? A sentence first, then what it rests on. */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wrap.h"
#include "ui/command.h"
#include "ui/confined.h"
#include "ui/service_names.h"
#include "ui/prompt.h"
#include "ui/status.h"

static const char usage[] =
    "Usage: weir status [OPTIONS] [SERVICE]\n\n"
    "Says whether a service, or all of them, works at a site, since when not, and whose fault"
    " it is.\n\n"
    "Exit: 0 healthy, 3 not healthy, 4 unknown, 1 could not be read, 2 usage.";

enum { RECENT_US = 300000000 };

/* ---- names ---- */

/* 0 where the service is known to the site or to the signatures; else a fault with the nearest
 * names. */
static int check_service(const struct weir_view *view, const char *wanted,
                         struct weir_fault *fault) {
    if (weir_view_find(view, wanted)) return 0;
    struct weir_service_set *set = weir_services_shipped();
    int error = weir_service_must_be(set, wanted, "", fault);
    weir_service_set_unref(set);
    return error;
}

/* ---- text ---- */

const char *weir_status_colour(bool colour, const char *state) {
    static const struct {
        const char *state, *code;
    } codes[] = {{"down", "\033[1;31m"},   {"sick", "\033[1;31m"},     {"partial", "\033[33m"},
                 {"degraded", "\033[33m"}, {"recovering", "\033[33m"}, {"suspect", "\033[36m"},
                 {"healthy", "\033[32m"}};
    for (size_t i = 0; colour && i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(state, codes[i].state) == 0) return codes[i].code;
    return colour ? "\033[2m" : "";
}

void weir_status_go_on(const char *text, unsigned column, unsigned indent) {
    unsigned width = weir_terminal_columns() > 120 ? 120 : weir_terminal_columns();
    weir_wrap(stdout, text, column, indent, width);
}

void weir_status_wrapped(const char *text, unsigned indent) {
    printf("%*s", (int)indent, "");
    weir_status_go_on(text, indent, indent);
}

/* Trials of the last five minutes: one window says little. */
static void recent(const struct weir_view *view, const struct weir_view_service *service,
                   double *ret_ok, double *ret_fail) {
    *ret_ok = *ret_fail = 0;
    for (size_t i = 0; i < service->n_points; i++)
        if (service->points[i].end_us > view->now_us - RECENT_US) {
            *ret_ok += isnan(service->points[i].ok) ? 0 : service->points[i].ok;
            *ret_fail += isnan(service->points[i].fail) ? 0 : service->points[i].fail;
        }
}

static void print_row(const struct weir_view *view, const struct weir_view_service *service,
                      bool colour) {
    char useful[32], goodput[32], rtt[32] = "-", loss[32] = "-", age[32], failing[96];
    struct weir_view_judgement one;
    weir_view_judge_service(view, service->name, &one);
    double ok, fail;
    recent(view, service, &ok, &fail);
    snprintf(useful, sizeof useful, "%.0f/%.0f", ok, ok + fail);
    if (!isnan(service->rtt_us)) snprintf(rtt, sizeof rtt, "%.1f ms", service->rtt_us / 1000);
    if (!isnan(service->loss_share))
        snprintf(loss, sizeof loss, "%.2f %%", 100 * service->loss_share);
    printf("%-13s %s%-10s%s %9s %7.0f %11s %8s %7s %7s\n", service->name,
           weir_status_colour(colour, one.state), one.state, colour ? "\033[0m" : "", useful,
           isnan(service->clients) ? 0 : service->clients,
           weir_view_amount(goodput, service->goodput_bps, "bit/s"), rtt, loss,
           weir_view_age(age, view->now_us - service->end_us));
    if (weir_view_failing(failing, service)[0]) printf("%14sfails now: %s\n", "", failing);
}

/* Who watches now, of the service that was asked for or of all. */
static void print_viewers(const struct weir_view *view, const char *service) {
    char text[208];
    for (size_t i = 0, any = 0; i < view->n_services; i++) {
        if (service && strcmp(view->services[i].name, service) != 0) continue;
        if (view->now_us - view->services[i].end_us <= WEIR_VIEW_FRESH_US &&
            weir_view_viewers(text, &view->services[i])[0])
            printf("%s%-14s %s\n", any++ ? "" : "\n", view->services[i].name, text);
    }
}

void weir_status_print(const struct weir_view *view, const char *service,
                       const struct weir_view_judgement *judgement, bool colour) {
    char clock[32], packets[32], line[900];
    const struct weir_view_event *incident = judgement->incident;
    fputs(weir_status_colour(colour, judgement->state), stdout);
    weir_status_wrapped(judgement->sentence, 0);
    fputs(colour ? "\033[0m" : "", stdout);
    if (incident && incident->text[0] && !strstr(judgement->sentence, incident->text)) {
        putchar('\n');
        weir_status_wrapped(incident->text, 2);
    }
    if (view->n_services)
        printf("\n%s%-13s %-10s %9s %7s %11s %8s %7s %7s%s\n", colour ? "\033[1m" : "", "service",
               "state", "useful", "clients", "goodput", "rtt", "loss", "seen",
               colour ? "\033[0m" : "");
    for (size_t i = 0; i < view->n_services; i++)
        if (!service || strcmp(view->services[i].name, service) == 0)
            print_row(view, &view->services[i], colour);
    for (size_t i = 0; service && i < view->n_services;
         i++) /* what else works speaks for or against the uplink */
        if (strcmp(view->services[i].name, service) != 0)
            print_row(view, &view->services[i], colour);
    print_viewers(view, service);
    int used = snprintf(line, sizeof line, "site %s%s, heard at %s: %s packets", view->site,
                        view->replay ? " (a replay: times are the capture's)" : "",
                        weir_view_clock(clock, view->seen_us, view->now_us),
                        weir_view_amount(packets, view->packets, ""));
    if (view->dropped > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, ", %.0f dropped by the capture",
                         view->dropped);
    snprintf(line + used, sizeof line - (size_t)used,
             "; useful: trials of the last 5 min; seen: how long ago; read from %s", view->from);
    putchar('\n');
    weir_status_wrapped(line, 0);
    if (incident && incident->service[0])
        printf("Which devices it hits: weir clients %s\n", incident->service);
}

/* ---- JSON ---- */

static struct json_object *number(double value) {
    return isnan(value)            ? NULL
           : floor(value) == value ? json_object_new_int64((int64_t)value)
                                   : json_object_new_double(value);
}

static struct json_object *time_json(int64_t us) {
    char text[40];
    if (!us) return NULL;
    snprintf(text, sizeof text, "%lld.%06lld", (long long)(us / 1000000),
             (long long)(us % 1000000));
    return json_object_new_double_s((double)us / 1e6, text);
}

static struct json_object *service_json(const struct weir_view *view,
                                        const struct weir_view_service *service) {
    struct weir_view_judgement one;
    struct json_object *object = json_object_new_object();
    weir_view_judge_service(view, service->name, &one);
    json_object_object_add(object, "service", json_object_new_string(service->name));
    json_object_object_add(object, "state", json_object_new_string(one.state));
    json_object_object_add(object, "end_ts", time_json(service->end_us));
    json_object_object_add(object, "trials_ok", number(service->ok));
    json_object_object_add(object, "trials_fail", number(service->fail));
    json_object_object_add(object, "clients", number(service->clients));
    json_object_object_add(object, "goodput_p50_bps", number(service->goodput_bps));
    json_object_object_add(object, "viewers", number(service->viewers));
    json_object_object_add(object, "viewers_stalled", number(service->viewers_stalled));
    json_object_object_add(object, "viewers_stalled_share", number(service->stalled_share));
    json_object_object_add(object, "viewers_startup_p50_us", number(service->startup_us));
    json_object_object_add(object, "viewers_bitrate_p50_bps", number(service->bitrate_bps));
    json_object_object_add(object, "rtt_server_p50_us", number(service->rtt_us));
    json_object_object_add(object, "loss_down_before_share", number(service->loss_share));
    return object;
}

const char *weir_status_health_name(enum weir_view_health health) {
    return health == WEIR_VIEW_HEALTHY ? "healthy" : health == WEIR_VIEW_SICK ? "sick" : "unknown";
}

static void print_json(const struct weir_view *view, const char *service,
                       const struct weir_view_judgement *judgement) {
    struct json_object *object = json_object_new_object(), *services = json_object_new_array();
    json_object_object_add(object, "weir", json_object_new_int(1));
    json_object_object_add(object, "type", json_object_new_string("status"));
    json_object_object_add(object, "site", json_object_new_string(view->site));
    json_object_object_add(object, "ts", time_json(view->now_us));
    json_object_object_add(object, "seen_ts", time_json(view->seen_us));
    json_object_object_add(object, "service", service ? json_object_new_string(service) : NULL);
    json_object_object_add(object, "health",
                           json_object_new_string(weir_status_health_name(judgement->health)));
    json_object_object_add(object, "state", json_object_new_string(judgement->state));
    json_object_object_add(object, "sentence", json_object_new_string(judgement->sentence));
    json_object_object_add(object, "incident",
                           judgement->incident && judgement->incident->json
                               ? json_tokener_parse(judgement->incident->json)
                               : NULL);
    for (size_t i = 0; i < view->n_services; i++)
        json_object_array_add(services, service_json(view, &view->services[i]));
    json_object_object_add(object, "services", services);
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

/* ---- the command ---- */

static int read_fleet(void *context, const char *text, struct weir_fault *fault) {
    *(bool *)context = true;
    return 0;
}

static const struct weir_prompt_option own[] = {
    {"fleet", NULL, "what all sites together say (needs Redis and weir fleet)", read_fleet}, {0}};

static int status_of_site(const struct weir_prompt *prompt, const char *service,
                          struct weir_fault *fault) {
    struct weir_view_source *source = NULL;
    struct weir_view_judgement judgement;
    struct weir_view *view = calloc(1, sizeof *view);
    int result = view ? weir_prompt_open(prompt, &source, fault) : -ENOMEM;
    if (!result)
        result = weir_view_load(source, weir_prompt_now_us(), RECENT_US / 10000000, view, fault);
    if (!result && service) result = check_service(view, service, fault);
    if (!result) {
        if (service)
            weir_view_judge_service(view, service, &judgement);
        else
            weir_view_judge_site(view, &judgement);
        if (prompt->json)
            print_json(view, service, &judgement);
        else
            weir_status_print(view, service, &judgement, weir_prompt_colour(prompt));
        result = judgement.health;
    }
    if (view) weir_view_deinit(view);
    free(view);
    weir_view_source_free(source);
    return result;
}

static int run(int argc, char **argv) {
    struct weir_prompt prompt;
    struct weir_fault fault = {0};
    bool fleet = false;
    int operand = weir_prompt_parse(&prompt, argc, argv, usage, own, &fleet, &fault),
        code = WEIR_EXIT_DONE;
    if (operand >= 0 && operand != WEIR_CONFIG_HELP && argc - operand > 1)
        operand =
            weir_fault_set(&fault, -EINVAL, "status takes one service; see weir status --help");
    if (operand < 0)
        code = weir_prompt_fail(&fault, operand);
    else if (operand != WEIR_CONFIG_HELP) {
        int result = weir_confine_reader(&prompt, false, &fault);
        if (!result)
            result = fleet ? weir_status_of_fleet(&prompt, argv[operand], &fault)
                           : status_of_site(&prompt, argv[operand], &fault);
        code = result < 0 ? weir_prompt_fail(&fault, result) : result;
    }
    weir_prompt_deinit(&prompt);
    return code;
}

const struct weir_command weir_command_status = {
    "status", "whether a service works now, since when not, and whose fault it is", run};
