/* `weir keys`: every key in Redis and every field, as Markdown (contrib/KEYS.md). The fields' names
 * come from the functions that write them; what they mean from measure's table, and from the rows
 * here for the rest. A test compares this with what a real Redis holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/measure.h>

#include "fleet/report.h"
#include "publish/fields.h"
#include "ui/command.h"

struct row {
    const char *name, *meaning;
};

static const struct {
    const char *key, *type, *kept, *meaning;
} keys[] = {
    {"weir:{SITE}:probe", "HASH", "35 s after the last word (a replay's: a day)",
     "how the probe is"},
    {"weir:{SITE}:service:SERVICE", "HASH", "as probe",
     "the newest window of a service, and its state"},
    {"weir:{SITE}:metrics:SERVICE", "STREAM", "option redis-windows; 8 days",
     "all windows; id: the window's end in ms"},
    {"weir:{SITE}:incidents", "STREAM", "10,000 events; 90 days",
     "incident events; id: their time in ms"},
    {"weir:{SITE}:open", "HASH", "as probe",
     "incidents that stand (32 at the most): id -> the record"},
    {"weir:{SITE}:services", "SET", "100 days", "services that have hours"},
    {"weir:{SITE}:hours:SERVICE", "STREAM", "2,300 entries; 100 days",
     "one entry an hour, and a newer one where it was put right; id: when it was written, in ms"},
    {"weir:{SITE}:acknowledged", "SET", "30 days",
     "ids of incidents that weir alerts --ack silenced"},
    {"weir:{SITE}:series:SERVICE:FIELD", "time series", "8 days",
     "where Redis has RedisTimeSeries: the few lines that people draw"},
    {"weir:sites", "ZSET", "100,000 sites; 30 days", "sites, by when they were last heard"},
    {"weir:alerts", "channel", "-",
     "records of incidents (type incident) and of fleets (type fleet), as they happen"},
    {"weir:fleet:inbox:{0..15}", "STREAM", "20,000 events; 7 days",
     "incident events of all live sites: site, entry (id in the site's own stream), json"},
    {"weir:fleet:incidents", "STREAM", "10,000 events", "what weir fleet concludes"},
    {"weir:fleet:{weir:fleet:incidents}:leader", "STRING", "5 s", "which fleet leads"},
    {"weir:fleet:{weir:fleet:incidents}:cases", "HASH", "an hour after the end",
     "sites' incidents, as the fleet knows them"},
    {"weir:fleet:{weir:fleet:incidents}:open", "HASH", "while open",
     "what was said last about each service"},
    {"weir:fleet:{weir:fleet:incidents}:stats", "HASH", "for good",
     "events, events_again (read twice), said"},
};

/* Of fields that are not measured signals. A name means the same wherever it stands. */
static const struct row meanings[] = {
    {"ts", "when it was said: epoch seconds"},
    {"start_ts", "begin of the window"},
    {"end_ts", "its end"},
    {"id", "the same in all events of an incident"},
    {"blocked_names",
     "names of the service that a filter here answers for, which is no outage; separated by spaces"},
    {"state", "healthy, suspect, degraded, partial, down, recovering, unknown"},
    {"event", "raised, updated, cleared, reopened"},
    {"service", "as in signatures/; empty where the fault is nobody's service"},
    {"confidence", "low, medium, high"},
    {"probability", "of this cause, given all that was seen"},
    {"part", "what of the service fails: all, media, control, other"},
    {"recovered_ts", "when it was over; empty while it lasts"},
    {"onset_ts", "when it began"},
    {"layer", "dns, connect, quic, serve: where it shows worst"},
    {"clients", "clients hit"},
    {"clients_seen", "clients with trials of the service since the onset"},
    {"prefixes", "failing server prefixes"},
    {"asn",
     "autonomous system whose prefixes fail as one; empty: one prefix or none is blamed, or no asn-db was given"},
    {"as_org", "its organisation"},
    {"trials_fail", "failed trials since the onset"},
    {"trials_total", "all trials since the onset"},
    {"trials_low", "95 % interval of the failing share: low end"},
    {"trials_high", "its high end"},
    {"controls_fail", "failed trials of what else was used meanwhile"},
    {"controls_total", "all of these"},
    {"maintenance", "1: raised in a maintenance window, alerts nobody"},
    {"text", "a sentence for a person"},
    {"json", "the whole record"},
    {"version", "of weir"},
    {"mode", "live or replay"},
    {"seen_ts", "last word of the probe"},
    {"services", "services that have a hash, separated by spaces"},
    {"first_ts", "first packet of this run"},
    {"last_ts", "newest packet"},
    {"run_ts",
     "begin of the run that saw it: of each hour and run the newest entry counts, and runs add up"},
    {"judged_s", "seconds in which the service could be judged: the sum of the next four"},
    {"healthy_s", "of these, healthy"},
    {"trials_failed", "failed trials of all layers"},
    {"degraded_s", "worse quality, with connections that work"},
    {"partial_s", "partly down"},
    {"down_s", "down"},
    {"goodput_bps", "median of the windows' medians"},
    {"ttfb_us", "median of the windows' medians: time from media request to first byte"},
    {"rtt_server_us", "the same: between here and the servers"},
    {"rtt_client_us", "the same: between here and the clients"},
    {"loss_server", "lost bytes between servers and here over TCP payload"},
    {"loss_client", "the same, between here and clients"},
    {"scope", "local, regional, global"},
    {"region", "that holds all bad sites and no good one; empty: none does"},
    {"revision", "of the incident: 1, 2, 3... without a gap"},
    {"sites_bad", "sites whose trials say bad"},
    {"sites_good", "and good"},
    {"sites_unknown", "and neither"},
    {"sites", "bad ones, 32 at the most, separated by spaces"},
    {"regions", "of the clients that are hit"},
};

/* "whose fault: service, cdn, ...": a list that another place keeps. */
static const char *meaning_of_cause(void) {
    static char text[256];
    size_t used = (size_t)snprintf(text, sizeof text, "whose fault: %s", weir_cause_name(0));
    for (int cause = 1; cause < WEIR_CAUSE_N && used < sizeof text; cause++)
        used += (size_t)snprintf(text + used, sizeof text - used, ", %s",
                                 weir_cause_name((enum weir_cause)cause));
    return text;
}

static const char *meaning_of(const char *name) {
    if (strcmp(name, "cause") == 0) return meaning_of_cause();
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(meanings[i].name, name) == 0) return meanings[i].meaning;
    size_t n;
    const struct weir_field *fields = weir_fields(&n);
    for (size_t i = 0; i < n; i++) {
        char flat[96];
        snprintf(flat, sizeof flat, "%s%s%s", fields[i].group ? fields[i].group : "",
                 fields[i].group ? "_" : "", fields[i].name);
        if (strcmp(flat, name) == 0) return fields[i].help;
    }
    return "";
}

static const char *unit_of(const char *name) {
    size_t n;
    const struct weir_field *fields = weir_fields(&n);
    for (size_t i = 0; i < n; i++) {
        char flat[96];
        snprintf(flat, sizeof flat, "%s%s%s", fields[i].group ? fields[i].group : "",
                 fields[i].group ? "_" : "", fields[i].name);
        if (strcmp(flat, name) == 0) return fields[i].unit;
    }
    return "";
}

static void head(const char *title) {
    printf("\n## %s\n\n| field | unit | what |\n|---|---|---|\n", title);
}

static void line(const char *name, const char *unit, const char *meaning) {
    printf("| `%s` | %s | %s |\n", name, unit, meaning);
}

static void print_fields(const char *title, const struct weir_fields *fields, bool measured) {
    head(title);
    for (size_t i = 0; i < fields->n; i++)
        line(fields->names[i], measured ? unit_of(fields->names[i]) : "",
             meaning_of(fields->names[i]));
}

/* How the probe is: the head, and every counter. */
static void print_probe(void) {
    static const char *const of_head[] = {"version",  "mode",     "seen_ts",
                                          "services", "first_ts", "last_ts"};
    head("probe (besides, `redis_*` and `spool_*`: how delivery stands)");
    for (size_t i = 0; i < sizeof of_head / sizeof of_head[0]; i++)
        line(of_head[i], "", meaning_of(of_head[i]));
    size_t n;
    const struct weir_counter *counters = weir_counters(&n);
    for (size_t i = 0; i < n; i++) line(counters[i].name, "", counters[i].help);
}

static void print_site_fields(void) {
    static struct weir_fields fields;
    static struct weir_window_record window;
    static struct weir_incident incident;
    static const struct weir_history_hour hour;
    weir_fields_clear(&fields);
    weir_fields_time(&fields, "ts", 0);
    weir_fields_window(&fields, NULL, &window);
    print_fields("service:SERVICE and metrics:SERVICE", &fields, true);
    weir_fields_clear(&fields);
    weir_fields_time(&fields, "ts", 0);
    weir_fields_incident(&fields, NULL, &incident);
    weir_fields_text(&fields, "json", "");
    print_fields("incidents", &fields, false);
    weir_fields_clear(&fields);
    weir_fields_time(&fields, "ts", 0);
    weir_fields_hour(&fields, 0, &hour);
    print_fields("hours:SERVICE", &fields, false);
    print_probe();
}

static void print_list(const char *title, const char *const *names, size_t n) {
    printf("\"%s\": [", title);
    for (size_t i = 0; i < n; i++) printf("%s\"%s\"", i ? ", " : "", names[i]);
    printf("]");
}

/* What a schema of the records cannot know by itself. */
static void print_names(void) {
    static const char *const of_flow[] = {
#define EACH(name, json)          json,
#define BY_SENDER(name, up, down) up, down,
        WEIR_FLOW_COUNTS(EACH, BY_SENDER)
#undef EACH
#undef BY_SENDER
    };
    const char *causes[WEIR_CAUSE_N], *outcomes[WEIR_OUTCOME_N], *counts[WEIR_PAIRS_MAX],
        *watches[UINT8_MAX];
    size_t n, n_counts = 0, n_watches = 0;
    const struct weir_counter *counters = weir_counters(&n);
    for (int i = 0; i < WEIR_CAUSE_N; i++) causes[i] = weir_cause_name((enum weir_cause)i);
    for (int i = 1; i < WEIR_OUTCOME_N; i++) /* without NONE: told as neutral */
        outcomes[i - 1] = weir_outcome_name((enum weir_outcome)i);
    while (n_watches < UINT8_MAX && weir_watch_name((unsigned)n_watches)) {
        watches[n_watches] = weir_watch_name((unsigned)n_watches);
        n_watches++;
    }
    for (size_t i = 0; i < n; i++)
        if (!strchr(counters[i].json, '.')) counts[n_counts++] = counters[i].json;
    printf("{");
    print_list("cause", causes, WEIR_CAUSE_N);
    printf(",\n ");
    print_list("outcome", outcomes, WEIR_OUTCOME_N - 1);
    printf(",\n ");
    print_list("watch", watches, n_watches);
    printf(",\n ");
    print_list("flow", of_flow, sizeof of_flow / sizeof of_flow[0]);
    printf(",\n ");
    print_list("capture", counts, n_counts);
    printf("}\n");
}

static int run(int argc, char **argv) {
    struct weir_fleet_report *report = calloc(1, sizeof *report);
    const struct weir_fleet_verdict verdict = {0};
    if (argc == 2 && strcmp(argv[1], "--names") == 0) { /* for tests/schema/made.py */
        free(report);
        print_names();
        return WEIR_EXIT_DONE;
    }
    if (argc > 1 || !report) {
        puts("Usage: weir keys\n\nPrints every key in Redis and every field, as Markdown.");
        free(report);
        return argc > 1 && strcmp(argv[1], "--help") != 0 ? WEIR_EXIT_USAGE : WEIR_EXIT_DONE;
    }
    puts(
        "# Keys and fields in Redis\n\nMade by `weir keys` from the code that writes them. All values are text; an empty one was not measured.\n\n"
        "| key | type | kept | what |\n|---|---|---|---|");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        printf("| `%s` | %s | %s | %s |\n", keys[i].key, keys[i].type, keys[i].kept,
               keys[i].meaning);
    print_site_fields();
    *report = (struct weir_fleet_report){
        .event = "", .service = "", .state = "", .cause = "", .verdict = &verdict};
    int error = weir_fleet_report_write(report);
    head("weir:fleet:incidents");
    for (size_t i = 0; !error && i < report->n_fields; i += 2)
        line(report->fields[i], "", meaning_of(report->fields[i]));
    free(report->json);
    free(report);
    return error ? WEIR_EXIT_FAILED : WEIR_EXIT_DONE;
}

const struct weir_command weir_command_keys = {
    "keys", "every key in Redis and every field, as Markdown", run};
