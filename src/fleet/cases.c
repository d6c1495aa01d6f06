/* Sites' incidents: reading them, and a table by key. */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/incident.h>

#include "base/printable.h"
#include "fleet/cases.h"
#include "fleet/vote.h"

/* ---- events ---- */

static const char *text_of(struct json_object *object, const char *key) {
    struct json_object *value;
    return json_object_object_get_ex(object, key, &value) &&
                   json_object_is_type(value, json_type_string)
               ? json_object_get_string(value)
               : "";
}

static double number_of(struct json_object *object, const char *key) {
    struct json_object *value;
    if (!json_object_object_get_ex(object, key, &value) || !value) return 0;
    double number = json_object_get_double(value);
    return isfinite(number) && number > 0 && number < 1e11 ? number : 0;
}

static uint32_t count_of(struct json_object *object, const char *key) {
    double n = number_of(object, key);
    return n < 1e9 ? (uint32_t)n : 1000000000;
}

static void read_trials(struct weir_fleet_case *one, struct json_object *trials) {
    one->trials.total = count_of(trials, "total");
    one->trials.fail = count_of(trials, "fail");
    if (one->trials.fail > one->trials.total) one->trials.fail = one->trials.total;
}

/* A word as weir writes them, or nothing: so none can hold what sets fields apart. */
static const char *word_of(struct json_object *object, const char *key) {
    const char *text = text_of(object, key);
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")] ? "" : text;
}

#define COPY(array, text) snprintf(array, sizeof(array), "%s", text)

int weir_fleet_case_read(struct weir_fleet_case *one, const char *site, const char *json,
                         int64_t arrived_us) {
    struct json_object *object = json_tokener_parse(json), *trials;
    const char *id = text_of(object, "id"), *event = text_of(object, "event");
    *one = (struct weir_fleet_case){.arrived_us = arrived_us,
                                    .last_us = arrived_us,
                                    .seen_us = arrived_us,
                                    .asked_us = arrived_us};
    bool known = strcmp(event, "raised") == 0 || strcmp(event, "updated") == 0 ||
                 strcmp(event, "cleared") == 0 || strcmp(event, "reopened") == 0;
    if (!known || !*id || strlen(id) >= 48 || strpbrk(id, " \n") || !*site ||
        strlen(site) >= sizeof one->site || strpbrk(site, "{} \n") || !weir_is_printable(site) ||
        !weir_is_printable(id)) {
        json_object_put(object);
        return -EINVAL;
    }
    snprintf(one->key, sizeof one->key, "%s %s", site, id);
    COPY(one->site, site);
    COPY(one->service, word_of(object, "service"));
    COPY(one->state, word_of(object, "state"));
    COPY(one->cause, word_of(object, "cause"));
    COPY(one->layer, word_of(object, "layer"));
    one->onset_us = (int64_t)(number_of(object, "onset_ts") * 1e6);
    int64_t said_us = (int64_t)(number_of(object, "ts") * 1e6);
    /* nothing is said before it happens: the site's clock is ahead */
    if (said_us > arrived_us + WEIR_FLEET_SKEW_US) {
        one->onset_us -= said_us - arrived_us;
        one->skewed = true;
    }
    if (json_object_object_get_ex(object, "trials", &trials)) read_trials(one, trials);
    one->ended_us = strcmp(event, "cleared") == 0 ? arrived_us : 0;
    json_object_put(object);
    return 0;
}

bool weir_fleet_case_counts(const struct weir_fleet_case *one) {
    enum weir_cause cause = weir_cause_find(one->cause);
    bool blamed = cause < WEIR_CAUSE_N && weir_cause_whose(cause) == WEIR_WHOSE_PROVIDER;
    return blamed && one->service[0] &&
           (strcmp(one->state, "down") == 0 || strcmp(one->state, "partial") == 0);
}

/* Fields are set apart by tabs. */
const char *weir_fleet_case_write(const struct weir_fleet_case *one, char *text) {
    snprintf(text, WEIR_FLEET_CASE_TEXT, "%s\t%s\t%s\t%s\t%lld\t%lld\t%lld\t%lld\t%u\t%u",
             one->service, one->state, one->cause, one->layer, (long long)one->onset_us,
             (long long)one->arrived_us, (long long)one->last_us, (long long)one->ended_us,
             one->trials.fail, one->trials.total);
    return text;
}

int weir_fleet_case_parse(struct weir_fleet_case *one, const char *key, const char *text) {
    long long onset, arrived, last, ended;
    *one = (struct weir_fleet_case){0};
    const char *space = strchr(key, ' ');
    if (!space || (size_t)(space - key) >= sizeof one->site || strlen(key) >= sizeof one->key ||
        !weir_is_printable(key))
        return -EINVAL;
    COPY(one->key, key);
    snprintf(one->site, sizeof one->site, "%.*s", (int)(space - key), key);
    char copy[WEIR_FLEET_CASE_TEXT], *at = copy;
    snprintf(copy, sizeof copy, "%s", text);
    const struct {
        char *into;
        size_t size;
    } texts[] = {{one->service, sizeof one->service},
                 {one->state, sizeof one->state},
                 {one->cause, sizeof one->cause},
                 {one->layer, sizeof one->layer}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *field = strsep(&at, "\t");
        if (!at) return -EINVAL;
        snprintf(texts[i].into, texts[i].size, "%s", field);
    }
    if (sscanf(at, "%lld\t%lld\t%lld\t%lld\t%u\t%u", &onset, &arrived, &last, &ended,
               &one->trials.fail, &one->trials.total) != 6)
        return -EINVAL;
    one->onset_us = onset;
    one->arrived_us = arrived;
    one->last_us = last;
    one->ended_us = ended;
    return 0;
}

/* ---- the table: a tree to find, an array to walk ---- */

struct weir_fleet_cases {
    void *root;
    size_t n, size;
    struct weir_fleet_case **all;
};

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct weir_fleet_case *)a)->key,
                  ((const struct weir_fleet_case *)b)->key);
}

struct weir_fleet_cases *weir_fleet_cases_new(void) {
    return calloc(1, sizeof(struct weir_fleet_cases));
}

static void leave(void *one) {}

void weir_fleet_cases_free(struct weir_fleet_cases *cases) {
    if (!cases) return;
    tdestroy(cases->root, leave);
    for (size_t i = 0; i < cases->n; i++) free(cases->all[i]);
    free(cases->all);
    free(cases);
}

static struct weir_fleet_case *find(const struct weir_fleet_cases *cases, const char *key) {
    struct weir_fleet_case wanted;
    snprintf(wanted.key, sizeof wanted.key, "%s", key);
    struct weir_fleet_case **there = tfind(&wanted, &cases->root, by_key);
    return there ? *there : NULL;
}

const struct weir_fleet_case *weir_fleet_cases_find(const struct weir_fleet_cases *cases,
                                                    const char *key) {
    return find(cases, key);
}

struct weir_fleet_case *weir_fleet_cases_put(struct weir_fleet_cases *cases,
                                             const struct weir_fleet_case *one) {
    struct weir_fleet_case *there = find(cases, one->key);
    if (there) {
        /* open again: anew */
        int64_t arrived_us =
            there->ended_us && !one->ended_us ? one->arrived_us : there->arrived_us;
        *there = *one;
        there->arrived_us = arrived_us;
        return there;
    }
    if (cases->n == WEIR_FLEET_CASES_MAX) return NULL;
    if (cases->n == cases->size) {
        size_t size = cases->size ? 2 * cases->size : 256;
        struct weir_fleet_case **all = realloc(cases->all, size * sizeof *all);
        if (!all) return NULL;
        cases->all = all;
        cases->size = size;
    }
    there = malloc(sizeof *there);
    if (!there) return NULL;
    *there = *one;
    if (!tsearch(there, &cases->root, by_key)) {
        free(there);
        return NULL;
    }
    return cases->all[cases->n++] = there;
}

void weir_fleet_cases_remove(struct weir_fleet_cases *cases, const char *key) {
    struct weir_fleet_case *there = find(cases, key);
    if (!there) return;
    tdelete(there, &cases->root, by_key);
    for (size_t i = 0; i < cases->n; i++)
        if (cases->all[i] == there) {
            cases->all[i] = cases->all[--cases->n];
            break;
        }
    free(there);
}

struct weir_fleet_case **weir_fleet_cases_all(struct weir_fleet_cases *cases, size_t *ret_n) {
    *ret_n = cases->n;
    return cases->all;
}
