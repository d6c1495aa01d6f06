/* `weir clients`: which devices are hit now, or were by an incident. Names come from `hosts:` of
 * the configuration and from what devices call themselves (clients.json in the state directory);
 * both only where the site shows its clients plainly. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/untrusted_json.h"
#include "engine/hosts.h"
#include "ui/command.h"
#include "ui/confined.h"
#include "ui/prompt.h"
#include "ui/service_names.h"
#include "ui/status.h"

static const char usage[] =
    "Usage: weir clients [OPTIONS] [NAME]\n\n"
    "Says which devices are hit now. NAME is an incident's id, a service, or a device's name "
    "or address: then which devices it hit, or what hit that device. Devices have names where"
    " the site's clients mode is plain: by DHCP, mDNS, and `hosts:` of the configuration. "
    "Elsewhere they have pseudonyms.\n\n"
    "Exit: 0 done, 1 could not be read, 2 usage.";

struct asked {
    struct weir_prompt prompt;
    const char *name;
    const char *state;
    struct json_object *names; /* address -> name; NULL: none */
};

static const char *config_name(const struct weir_config *config, const char *client) {
    size_t length = strlen(client);
    for (size_t i = 0; i < config->n_hosts; i++)
        if (strncmp(config->hosts[i], client, length) == 0 && config->hosts[i][length] == '=')
            return config->hosts[i] + length + 1;
    return NULL;
}

/* NULL: it has none, or only its pseudonym is known. */
static const char *name_of(const struct asked *asked, const char *client) {
    const char *name = config_name(&asked->prompt.config, client);
    if (!name && asked->names) name = weir_untrusted_member(asked->names, client);
    return name && *name ? name : NULL;
}

static struct json_object *load_names(const char *state, const char *site) {
    char path[4200];
    struct json_object *object, *names = NULL;
    snprintf(path, sizeof path, "%.4000s/" WEIR_HOSTS_FILE, state ? state : "");
    object = state ? weir_untrusted_json_file(path, WEIR_HOSTS_BYTES_MAX) : NULL;
    if (object && strcmp(weir_untrusted_member(object, "site"), site) == 0 &&
        json_object_object_get_ex(object, "names", &names) &&
        json_object_is_type(names, json_type_object))
        json_object_get(names);
    else
        names = NULL;
    json_object_put(object);
    return names;
}

/* ---- which incidents ---- */

static bool hits(const struct asked *asked, struct json_object *clients) {
    for (size_t i = 0; i < json_object_array_length(clients); i++) {
        const char *client = weir_untrusted_text(json_object_array_get_idx(clients, i)),
                   *name = name_of(asked, client);
        if (strcmp(client, asked->name) == 0 || (name && strcasecmp(name, asked->name) == 0))
            return true;
    }
    return false;
}

static bool wanted(const struct asked *asked, const struct weir_view_event *event,
                   struct json_object *clients, bool open) {
    if (!asked->name) return open;
    return strcmp(event->id, asked->name) == 0 ||
           (open && strcmp(event->service, asked->name) == 0) || hits(asked, clients);
}

static bool is_open(const struct weir_view *view, const struct weir_view_event *event) {
    const struct weir_view_event *open[WEIR_VIEW_EVENTS_MAX];
    size_t n = weir_view_open(view, open, WEIR_VIEW_EVENTS_MAX);
    for (size_t i = 0; i < n; i++)
        if (open[i] == event) return true;
    return false;
}

/* The last event of its incident that has clients: its end lists them as well. */
static bool is_last(const struct weir_view *view, size_t at) {
    for (size_t i = at + 1; i < view->n_events; i++)
        if (strcmp(view->events[i].id, view->events[at].id) == 0) return false;
    return true;
}

/* ---- showing ---- */

static void print_event(const struct asked *asked, const struct weir_view_event *event,
                        struct json_object *clients, bool open) {
    char clock[32];
    size_t n = json_object_array_length(clients);
    printf("%s %s%s %s %s, %.0f client%s hit%s  [%s]\n",
           event->service[0] ? event->service : event->cause, open ? "" : "was ", event->state,
           open ? "since" : "from", weir_view_clock(clock, event->onset_us, 0), event->clients,
           event->clients == 1 ? "" : "s", n < event->clients ? ", some of them" : "", event->id);
    for (size_t i = 0; i < n; i++) {
        const char *client = weir_untrusted_text(json_object_array_get_idx(clients, i)),
                   *name = name_of(asked, client);
        printf("    %-32s %s\n", name ? name : client, name ? client : "");
    }
    if (!n) puts("    this site tells no clients (clients: none)");
}

static void print_json(const struct asked *asked, const struct weir_view_event *event,
                       struct json_object *clients, bool open) {
    struct json_object *object = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(object, "id", json_object_new_string(event->id));
    json_object_object_add(object, "service",
                           event->service[0] ? json_object_new_string(event->service) : NULL);
    json_object_object_add(object, "state", json_object_new_string(event->state));
    json_object_object_add(object, "open", json_object_new_boolean(open));
    json_object_object_add(object, "clients", json_object_new_double(event->clients));
    for (size_t i = 0; i < json_object_array_length(clients); i++) {
        const char *client = weir_untrusted_text(json_object_array_get_idx(clients, i)),
                   *name = name_of(asked, client);
        struct json_object *one = json_object_new_object();
        json_object_object_add(one, "client", json_object_new_string(client));
        json_object_object_add(one, "name", name ? json_object_new_string(name) : NULL);
        json_object_array_add(list, one);
    }
    json_object_object_add(object, "clients_hit", list);
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

static size_t show_events(const struct asked *asked, const struct weir_view *view) {
    size_t n = 0;
    for (size_t i = 0; i < view->n_events; i++) {
        const struct weir_view_event *event = &view->events[i];
        struct json_object *record = event->json ? json_tokener_parse(event->json) : NULL, *clients;
        bool open = is_open(view, event);
        if (is_last(view, i) && record &&
            json_object_object_get_ex(record, "clients_hit", &clients) &&
            json_object_is_type(clients, json_type_array) && wanted(asked, event, clients, open)) {
            (asked->prompt.json ? print_json : print_event)(asked, event, clients, open);
            n++;
        }
        json_object_put(record);
    }
    return n;
}

/* A service that hits nobody is an answer; a word that nothing is called by is not. */
static int say_nobody(const struct asked *asked, const struct weir_view *view,
                      struct weir_fault *fault) {
    char near[200];
    struct weir_service_set *set = weir_services_shipped();
    bool known = weir_view_find(view, asked->name) ||
                 (set && weir_service_find(set, asked->name) != WEIR_SERVICE_NONE);
    weir_services_near(set, asked->name, near, sizeof near);
    weir_service_set_unref(set);
    if (!known)
        return weir_fault_set(
            fault, -ENOENT,
            "'%s': no incident, service that fails, or device that was hit, at site %s%s%s%s",
            asked->name, view->site, near[0] ? "; did you mean " : "", near, near[0] ? "?" : "");
    if (!asked->prompt.json) printf("nobody is hit by %s\n", asked->name);
    return 0;
}

static int show(struct asked *asked, struct weir_fault *fault) {
    struct weir_view_source *source = NULL;
    struct weir_view *view = calloc(1, sizeof *view);
    int error = view ? weir_prompt_open(&asked->prompt, &source, fault) : -ENOMEM;
    if (!error) error = weir_view_load(source, weir_prompt_now_us(), 0, view, fault);
    if (!error) {
        asked->names = load_names(asked->state, view->site);
        size_t n = show_events(asked, view);
        if (!n && asked->name)
            error = say_nobody(asked, view, fault);
        else if (!n && !asked->prompt.json)
            printf("nobody is hit at site %s\n", view->site);
        json_object_put(asked->names);
    }
    if (view) weir_view_deinit(view);
    free(view);
    weir_view_source_free(source);
    return error;
}

static int run(int argc, char **argv) {
    struct asked asked = {0};
    struct weir_fault fault = {0};
    int operand = weir_prompt_parse(&asked.prompt, argc, argv, usage, NULL, &asked, &fault),
        code = WEIR_EXIT_DONE;
    if (operand >= 0 && operand != WEIR_CONFIG_HELP && operand + 1 < argc)
        operand =
            weir_fault_set(&fault, -EINVAL, "'%s': one name at a time; see weir clients --help",
                           argv[operand + 1]);
    if (operand >= 0 && operand != WEIR_CONFIG_HELP) {
        asked.name = operand < argc ? argv[operand] : NULL;
        asked.state = weir_state_path(asked.prompt.state, 0);
        operand = weir_confine_reader(&asked.prompt, false, &fault);
        if (operand >= 0) operand = show(&asked, &fault);
    }
    if (operand < 0) code = weir_prompt_fail(&fault, operand);
    weir_prompt_deinit(&asked.prompt);
    return code;
}

const struct weir_command weir_command_clients = {"clients", "which devices are hit", run};
