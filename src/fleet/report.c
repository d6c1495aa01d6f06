/* Fields, JSON and a sentence for what a fleet concluded. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/report.h"

static const char *clock_of_day(char text[16], int64_t us) {
    int second = (int)(us / 1000000 % 86400);
    snprintf(text, 16, "%02d:%02d:%02d", second / 3600, second / 60 % 60, second % 60);
    return text;
}

static void write_sites(struct weir_fleet_report *report) {
    const struct weir_fleet_verdict *verdict = report->verdict;
    size_t used = 0;
    report->sites[0] = '\0';
    for (uint32_t i = 0; i < verdict->n_listed; i++)
        used += (size_t)snprintf(report->sites + used, sizeof report->sites - used, "%s%s",
                                 i ? " " : "", verdict->sites[i]);
}

static void write_text(struct weir_fleet_report *report) {
    const struct weir_fleet_verdict *v = report->verdict;
    char since[16], where[WEIR_FLEET_REGION_MAX + 200];
    const char *how = strcmp(report->state, "partial") == 0 ? "fails in part" : "is down";
    clock_of_day(since, report->onset_us);
    if (strcmp(report->event, "cleared") == 0) {
        snprintf(report->text, sizeof report->text,
                 "%s is well again at all sites; it began at %s UTC.", report->service, since);
        return;
    }
    if (v->region[0])
        snprintf(where, sizeof where, "region %s", v->region);
    else
        snprintf(where, sizeof where, "%.140s%s", v->n_listed ? v->sites[0] : "one site",
                 v->n_bad > 1 ? " and others" : "");
    if (v->scope == WEIR_FLEET_GLOBAL)
        snprintf(
            report->text, sizeof report->text,
            "%s %s everywhere since %s UTC: at all %u sites that can tell, %u of %u trials useful (%u sites can't tell).",
            report->service, how, since, v->n_bad, v->bad.total - v->bad.fail, v->bad.total,
            v->n_unknown);
    else if (v->scope == WEIR_FLEET_REGIONAL)
        snprintf(
            report->text, sizeof report->text,
            "%s %s in %s since %s UTC: at %u of %u sites, %u of %u trials useful. At the other %u it works, %u of %u.",
            report->service, how, where, since, v->n_bad, v->n_bad + v->n_good,
            v->bad.total - v->bad.fail, v->bad.total, v->n_good, v->good.total - v->good.fail,
            v->good.total);
    else
        snprintf(
            report->text, sizeof report->text,
            "%s %s at %s since %s UTC, %u of %u trials useful; no other site can tell whether it is the service.",
            report->service, how, where, since, v->bad.total - v->bad.fail, v->bad.total);
}

static void put(struct weir_fleet_report *report, const char *name, const char *text) {
    report->fields[report->n_fields++] = name;
    report->fields[report->n_fields++] = text;
}

static void write_fields(struct weir_fleet_report *report) {
    const struct weir_fleet_verdict *v = report->verdict;
    const struct {
        const char *name;
        uint32_t value;
    } counts[] = {{"revision", report->revision},  {"sites_bad", v->n_bad},
                  {"sites_good", v->n_good},       {"sites_unknown", v->n_unknown},
                  {"trials_fail", v->bad.fail},    {"trials_total", v->bad.total},
                  {"controls_fail", v->good.fail}, {"controls_total", v->good.total}};
    size_t n = 0;
    report->n_fields = 0;
    snprintf(report->numbers[n], 32, "%" PRId64 ".%06d", report->ts_us / 1000000,
             (int)(report->ts_us % 1000000));
    put(report, "ts", report->numbers[n++]);
    put(report, "id", report->id);
    put(report, "event", report->event);
    put(report, "service", report->service);
    put(report, "state", report->state);
    put(report, "cause", report->cause);
    put(report, "scope", weir_fleet_scope_name(v->scope));
    put(report, "region", v->region);
    snprintf(report->numbers[n], 32, "%" PRId64 ".%06d", report->onset_us / 1000000,
             (int)(report->onset_us % 1000000));
    put(report, "onset_ts", report->numbers[n++]);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        snprintf(report->numbers[n], 32, "%u", counts[i].value);
        put(report, counts[i].name, report->numbers[n++]);
    }
    put(report, "sites", report->sites);
    put(report, "text", report->text);
}

/* {"weir":1, "type":"fleet", ...}: numbers where the fields are. */
static int write_json(struct weir_fleet_report *report) {
    struct json_object *object = json_object_new_object(), *sites = json_object_new_array();
    json_object_object_add(object, "weir", json_object_new_int(1));
    json_object_object_add(object, "type", json_object_new_string("fleet"));
    for (size_t i = 0; i + 1 < report->n_fields; i += 2) {
        const char *name = report->fields[i], *text = report->fields[i + 1];
        bool number = (const char *)report->numbers <= text &&
                      text < (const char *)report->numbers + sizeof report->numbers;
        if (strcmp(name, "sites") != 0)
            json_object_object_add(object, name,
                                   !*text   ? NULL
                                   : number ? json_object_new_double_s(strtod(text, NULL), text)
                                            : json_object_new_string(text));
    }
    for (uint32_t i = 0; i < report->verdict->n_listed; i++)
        json_object_array_add(sites, json_object_new_string(report->verdict->sites[i]));
    json_object_object_add(object, "sites", sites);
    report->json = strdup(json_object_to_json_string_ext(
        object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
    return report->json ? 0 : -ENOMEM;
}

int weir_fleet_report_write(struct weir_fleet_report *report) {
    write_sites(report);
    write_text(report);
    write_fields(report);
    int error = write_json(report);
    if (!error) put(report, "json", report->json);
    return error;
}
