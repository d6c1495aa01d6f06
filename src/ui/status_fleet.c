/* `weir status --fleet`: what all sites together say. An open incident of `weir fleet` answers;
 * without one a sample of the sites is asked, as the fleet does; and where no fleet runs, nobody
 * knows. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/untrusted_json.h"
#include "fleet/store.h"
#include "ui/status.h"
#include "view/source.h"

enum { OPEN_MAX = 64 };

struct fleet_answer {
    enum weir_view_health health;
    char sentence[1000];
    size_t n_open;
    struct json_object *open[OPEN_MAX]; /* records, newest first */
};

static const char *text_of(struct json_object *object, const char *key) {
    struct json_object *value;
    return json_object_object_get_ex(object, key, &value) && value ? json_object_get_string(value)
                                                                   : "";
}

/* The newest record of each service that is not `cleared`. */
static void read_open(struct fleet_answer *answer, const redisReply *entries, const char *service) {
    char seen[OPEN_MAX][64];
    size_t n_seen = 0;
    for (size_t i = 0;
         entries->type == REDIS_REPLY_ARRAY && i < entries->elements && n_seen < OPEN_MAX; i++) {
        const redisReply *pairs = weir_redis_at(entries->element[i], 1);
        const char *json = pairs ? weir_view_reply_get(pairs, "json") : NULL;
        struct json_object *record = json ? weir_untrusted_json(json) : NULL;
        const char *name = record ? text_of(record, "service") : "";
        bool old = !*name || (service && strcmp(name, service) != 0);
        for (size_t s = 0; s < n_seen && !old; s++) old = strcmp(seen[s], name) == 0;
        if (!old) snprintf(seen[n_seen++], sizeof seen[0], "%s", name);
        if (!old && strcmp(text_of(record, "event"), "cleared") != 0)
            answer->open[answer->n_open++] = record;
        else
            json_object_put(record);
    }
}

static int read_incidents(struct weir_redis *redis, const char *service,
                          struct fleet_answer *answer, bool *ret_led, struct weir_fault *fault) {
    static const char leader[] = "weir:fleet:{weir:fleet:incidents}:leader",
                      stream[] = "weir:fleet:incidents";
    const struct weir_redis_command commands[] = {
        weir_redis_command(stream, "XREVRANGE", stream, "+", "-", "COUNT", "1000", NULL),
        weir_redis_command(leader, "EXISTS", leader, NULL)};
    redisReply *replies[2];
    int error = weir_redis_ask_all(redis, commands, 2, replies, fault);
    if (error) return error;
    if (replies[0]->type == REDIS_REPLY_ERROR)
        error = weir_fault_set(fault, -EACCES, "Redis at %s: %s", weir_redis_shown(redis),
                               replies[0]->str);
    read_open(answer, replies[0], service);
    *ret_led = replies[1]->type == REDIS_REPLY_INTEGER && replies[1]->integer;
    freeReplyObject(replies[0]);
    freeReplyObject(replies[1]);
    return error;
}

/* How many of a sample of the sites say that the service is well; without a service, how many are
 * heard. */
static int ask_sites(const char *url, const char *password_file, const char *service,
                     size_t *ret_well, size_t *ret_asked, struct weir_fault *fault) {
    struct weir_fleet_store *store = NULL;
    struct weir_fleet_sample *sample = calloc(1, sizeof *sample);
    int64_t now_us = 0, seen_us[WEIR_FLEET_SAMPLE_MAX];
    const char *sites[WEIR_FLEET_SAMPLE_MAX];
    int error = sample ? weir_fleet_store_open(&store, url, password_file, fault) : -ENOMEM;
    if (!error) error = weir_fleet_store_now(store, &now_us, fault);
    if (!error) error = weir_fleet_store_draw(store, sample, fault);
    for (size_t i = 0; !error && i < sample->n; i++) sites[i] = sample->members[i].site;
    if (!error && service)
        error = weir_fleet_store_ask(store, service, "connect", 0, now_us, sample, fault);
    else if (!error && sample->n)
        error = weir_fleet_store_seen(store, sites, sample->n, seen_us, fault);
    *ret_well = 0;
    *ret_asked = sample ? sample->n : 0;
    for (size_t i = 0; !error && i < sample->n; i++)
        *ret_well += service ? sample->members[i].well : seen_us[i] > now_us - WEIR_FLEET_FRESH_US;
    free(sample);
    weir_fleet_store_free(store);
    return error;
}

static void conclude(struct fleet_answer *answer, const char *service, bool led, size_t n_well,
                     size_t n_asked) {
    char *text = answer->sentence;
    size_t size = sizeof answer->sentence;
    answer->health = answer->n_open    ? WEIR_VIEW_SICK
                     : !led || !n_well ? WEIR_VIEW_UNKNOWN
                                       : WEIR_VIEW_HEALTHY;
    if (!led) {
        snprintf(text, size, "Unknown: no weir fleet runs there%s",
                 answer->n_open ? "; the last that ran left this open: " : ".");
        answer->health = WEIR_VIEW_UNKNOWN;
    }
    size_t used = strlen(text);
    for (size_t i = 0; i < answer->n_open && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "",
                                 text_of(answer->open[i], "text"));
    if (answer->n_open || !led) return;
    if (service && n_well)
        snprintf(text, size,
                 "%s works at %zu of %zu sites asked; nothing bad is known of the others.", service,
                 n_well, n_asked);
    else if (service)
        snprintf(text, size, "Unknown: none of %zu sites asked sees enough of %s.", n_asked,
                 service);
    else if (n_well)
        snprintf(text, size, "No incident in the fleet; %zu of %zu sites asked are heard.", n_well,
                 n_asked);
    else
        snprintf(text, size, "Unknown: none of %zu sites asked is heard.", n_asked);
}

static void print_json(const struct fleet_answer *answer, const char *service) {
    struct json_object *object = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(object, "weir", json_object_new_int(1));
    json_object_object_add(object, "type", json_object_new_string("status"));
    json_object_object_add(object, "site", json_object_new_string("fleet"));
    json_object_object_add(object, "service", service ? json_object_new_string(service) : NULL);
    json_object_object_add(object, "health",
                           json_object_new_string(weir_status_health_name(answer->health)));
    json_object_object_add(object, "sentence", json_object_new_string(answer->sentence));
    for (size_t i = 0; i < answer->n_open; i++)
        json_object_array_add(list, json_object_get(answer->open[i]));
    json_object_object_add(object, "incidents", list);
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

static void print_text(const struct weir_prompt *prompt, const struct fleet_answer *answer) {
    bool colour = weir_prompt_colour(prompt);
    printf("%s%s%s\n", weir_status_colour(colour, weir_status_health_name(answer->health)),
           answer->sentence, colour ? "\033[0m" : "");
    for (size_t i = 0; i < answer->n_open; i++) {
        struct json_object *record = answer->open[i], *sites;
        printf("\n  %-14s %-10s %-10s bad %s, good %s, unknown %s; trials failed %s of %s\n",
               text_of(record, "service"), text_of(record, "state"), text_of(record, "scope"),
               text_of(record, "sites_bad"), text_of(record, "sites_good"),
               text_of(record, "sites_unknown"), text_of(record, "trials_fail"),
               text_of(record, "trials_total"));
        bool listed = json_object_object_get_ex(record, "sites", &sites) &&
                      json_object_is_type(sites, json_type_array);
        for (size_t s = 0; listed && s < json_object_array_length(sites); s++)
            printf("    %s\n", weir_untrusted_text(json_object_array_get_idx(sites, s)));
    }
}

int weir_status_of_fleet(const struct weir_prompt *prompt, const char *service,
                         struct weir_fault *fault) {
    const char *url = weir_prompt_redis(prompt);
    struct fleet_answer answer = {0};
    struct weir_redis *redis = NULL;
    size_t n_well = 0, n_asked = 0;
    bool led = false;
    if (!url) return weir_fault_set(fault, -EINVAL, "--fleet needs Redis: name it by --redis URL");
    int error = weir_redis_open(&redis, url, prompt->config.redis_password_file, fault);
    if (!error) error = read_incidents(redis, service, &answer, &led, fault);
    if (!error && !answer.n_open)
        error =
            ask_sites(url, prompt->config.redis_password_file, service, &n_well, &n_asked, fault);
    if (!error) {
        conclude(&answer, service, led, n_well, n_asked);
        if (prompt->json)
            print_json(&answer, service);
        else
            print_text(prompt, &answer);
    }
    for (size_t i = 0; i < answer.n_open; i++) json_object_put(answer.open[i]);
    weir_redis_free(redis);
    return error ? error : (int)answer.health;
}
