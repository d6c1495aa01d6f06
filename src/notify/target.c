/* A line becomes a target; its options are rows. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/incident.h>

#include "notify/target.h"

static const char *const formats[WEIR_FORMAT_N] = {"alertmanager", "cloudevents", "slack",
                                                   "ntfy",         "json",        "command"};

const char *weir_format_name(enum weir_format format) { return formats[format]; }

static int read_services(struct weir_target *target, const char *text, struct weir_fault *fault) {
    int length = snprintf(target->services, sizeof target->services, ",%s,", text);
    return *text && length < (int)sizeof target->services
               ? 0
               : weir_fault_set(fault, -EINVAL, "services=%.40s: names, separated by commas", text);
}

static int read_state(struct weir_target *target, const char *text, struct weir_fault *fault) {
    for (int state = WEIR_STATE_DEGRADED; state <= WEIR_STATE_DOWN; state++)
        if (strcmp(text, weir_state_name((enum weir_state)state)) == 0) {
            target->least = (uint8_t)state;
            return 0;
        }
    return weir_fault_set(fault, -EINVAL, "state=%.40s: use degraded, partial or down", text);
}

static int read_after(struct weir_target *target, const char *text, struct weir_fault *fault) {
    char *end;
    long value = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : -1;
    int64_t unit = value < 0               ? 0
                   : strcmp(end, "s") == 0 ? 1
                   : strcmp(end, "m") == 0 ? 60
                   : strcmp(end, "h") == 0 ? 3600
                                           : 0;
    if (!unit || value > 100000)
        return weir_fault_set(fault, -EINVAL,
                              "after=%.40s: a number with s, m or h behind it, as 90s", text);
    target->after_us = value * unit * 1000000;
    return 0;
}

static int read_quiet(struct weir_target *target, const char *text, struct weir_fault *fault) {
    unsigned h1, m1, h2, m2;
    int used = 0;
    if (sscanf(text, "%2u:%2u/%2u:%2u%n", &h1, &m1, &h2, &m2, &used) != 4 || text[used] ||
        h1 > 23 || h2 > 24 || m1 > 59 || m2 > 59)
        return weir_fault_set(fault, -EINVAL, "quiet=%.40s: hours of UTC, as 22:00/07:00", text);
    target->quiet_from = (int)(h1 * 60 + m1);
    target->quiet_until = (int)(h2 * 60 + m2);
    return 0;
}

static int read_token(struct weir_target *target, const char *text, struct weir_fault *fault) {
    char line[200] = "";
    FILE *file = fopen(text, "re");
    bool there = file && fgets(line, sizeof line, file);
    if (file) fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    if (!there || !line[0])
        return weir_fault_set(fault, -EINVAL, "token-file=%.80s: %s", text,
                              file ? "its first line is empty" : strerror(errno));
    snprintf(target->authorization, sizeof target->authorization, "Authorization: Bearer %s", line);
    return 0;
}

static int read_each(struct weir_target *target, const char *text, struct weir_fault *fault) {
    target->each = true;
    return 0;
}

static int read_changes(struct weir_target *target, const char *text, struct weir_fault *fault) {
    target->changes = true;
    return 0;
}

static const struct {
    const char *name;
    int (*read)(struct weir_target *target, const char *text, struct weir_fault *fault);
} options[] = {{"services=", read_services}, {"state=", read_state}, {"after=", read_after},
               {"quiet=", read_quiet},       {"each", read_each},    {"changes", read_changes},
               {"token-file=", read_token}};

/* 1: was an option; 0: is none. */
static int read_option(struct weir_target *target, const char *word, struct weir_fault *fault) {
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        size_t length = strlen(options[i].name);
        bool whole = options[i].name[length - 1] == '='
                         ? strncmp(word, options[i].name, length) == 0
                         : strcmp(word, options[i].name) == 0;
        if (whole) {
            int error = options[i].read(target, word + length, fault);
            return error ? error : 1;
        }
    }
    return 0;
}

static void name_it(struct weir_target *target) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *at = target->url; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    hash ^= hash >> 29;
    snprintf(target->name, sizeof target->name, "%.4s-%012llx", formats[target->format],
             (unsigned long long)(hash & 0xffffffffffffu));
    const char *host = strstr(target->url, "://"), *at = host ? strchr(host, '@') : NULL;
    if (target->format == WEIR_FORMAT_COMMAND)
        snprintf(target->shown, sizeof target->shown, "%s %.*s", formats[target->format],
                 (int)strcspn(target->url, " "), target->url);
    else
        snprintf(target->shown, sizeof target->shown, "%s %.*s", formats[target->format],
                 (int)strcspn(at ? at + 1 : host + 3, "/?"), at ? at + 1 : host + 3);
}

static int check(const struct weir_target *target, const char *line, struct weir_fault *fault) {
    bool http = strncmp(target->url, "http://", 7) == 0 || strncmp(target->url, "https://", 8) == 0;
    if (target->format == WEIR_FORMAT_COMMAND ? target->url[0] == '/' : http) return 0;
    return weir_fault_set(fault, -EINVAL, "to '%.60s': %s", line,
                          target->format == WEIR_FORMAT_COMMAND
                              ? "a command is named by its whole path"
                              : "behind the format comes an http:// or https:// URL");
}

int weir_target_parse(struct weir_target *target, const char *line, struct weir_fault *fault) {
    char words[512], *rest = NULL, *word;
    *target = (struct weir_target){.format = WEIR_FORMAT_N, .least = WEIR_STATE_DEGRADED};
    if (strlen(line) >= sizeof words)
        return weir_fault_set(fault, -EINVAL, "to '%.40s...': too long", line);
    strcpy(words, line);
    word = strtok_r(words, " \t", &rest);
    for (int i = 0; word && i < WEIR_FORMAT_N; i++)
        if (strcmp(word, formats[i]) == 0) target->format = (enum weir_format)i;
    if (target->format == WEIR_FORMAT_N)
        return weir_fault_set(
            fault, -EINVAL,
            "to '%.60s': begin with alertmanager, cloudevents, slack, ntfy, json or command", line);
    while ((word = strtok_r(NULL, " \t", &rest))) {
        bool argument = target->format == WEIR_FORMAT_COMMAND && target->url[0];
        int taken = argument ? 0 : read_option(target, word, fault);
        size_t used = strlen(target->url);
        if (taken < 0) return taken;
        if (!taken && (used + strlen(word) + 2 > sizeof target->url || (used && !argument)))
            return weir_fault_set(fault, -EINVAL, "to '%.60s': '%.40s' is no option of a target",
                                  line, word);
        if (!taken)
            snprintf(target->url + used, sizeof target->url - used, "%s%s", used ? " " : "", word);
    }
    int error = check(target, line, fault);
    if (!error) name_it(target);
    return error;
}

bool weir_target_wants_service(const struct weir_target *target, const char *service) {
    char name[80];
    snprintf(name, sizeof name, ",%s,", service);
    return !target->services[0] || !*service ||
           strstr(target->services, name); /* the uplink is everybody's */
}

bool weir_target_is_quiet(const struct weir_target *target, int64_t now_us) {
    int minute = (int)(now_us / 60000000 % 1440), from = target->quiet_from,
        until = target->quiet_until;
    return from < until ? minute >= from && minute < until
                        : from > until && (minute >= from || minute < until);
}
