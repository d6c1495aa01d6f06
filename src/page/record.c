/* Records (NDJSON's objects) into the model: incidents, sessions, and what a capture says of
 * itself.
 *
 * Whatever is absent is not known, never 0: an older probe's records are read too. Rulings say what
 * an incident is not: they repeat the record's evidence (controls, clients, layer, alternatives),
 * and judge nothing anew.
 */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "detect/wilson.h"
#include "page/page.h"
#include "view/view.h"

#define COPY(array, text) snprintf(array, sizeof(array), "%s", text)

static struct json_object *member(struct json_object *object, const char *name) {
    struct json_object *value = NULL;
    return json_object_is_type(object, json_type_object) &&
                   json_object_object_get_ex(object, name, &value)
               ? value
               : NULL;
}

static const char *text_of(struct json_object *object, const char *name) {
    struct json_object *value = member(object, name);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

/* NAN also where the number is larger than anything that weir counts or measures: it must fit into
 * 64 bits. */
static double number_of(struct json_object *object, const char *name) {
    struct json_object *value = member(object, name);
    bool is_number =
        json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
    double number = is_number ? json_object_get_double(value) : NAN;
    return fabs(number) <= 1e15 ? number : NAN;
}

static int64_t time_of(struct json_object *object, const char *name) {
    double seconds = number_of(object, name);
    return seconds > 0 && seconds < 253402300800.0 ? (int64_t)llround(seconds * 1e6) : 0;
}

static size_t length_of(struct json_object *list) {
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

/* ---- an incident ---- */

static int most_first(const void *a, const void *b) {
    const struct weir_page_counted *x = a, *y = b;
    return x->fail != y->fail ? (x->fail > y->fail ? -1 : 1) : strcmp(x->text, y->text);
}

static void read_kinds(struct weir_page_incident *incident, struct json_object *kinds) {
    for (int kind = 0; kind < WEIR_OUTCOME_N && incident->n_kinds < WEIR_PAGE_LIST_MAX; kind++) {
        double n = number_of(kinds, weir_outcome_name(kind));
        if (n > 0) {
            struct weir_page_counted *one = &incident->kinds[incident->n_kinds++];
            *one = (struct weir_page_counted){.fail = n, .total = n};
            COPY(one->text, weir_outcome_help(kind));
        }
    }
    qsort(incident->kinds, incident->n_kinds, sizeof incident->kinds[0], most_first);
}

static void read_prefixes(struct weir_page_incident *incident, struct json_object *record) {
    struct json_object *list = member(record, "prefixes"), *systems = member(record, "prefix_as");
    for (size_t i = 0; i < length_of(list); i++) {
        struct json_object *of =
            i < length_of(systems) ? json_object_array_get_idx(systems, i) : NULL;
        double number = number_of(of, "asn");
        if (incident->n_prefixes == WEIR_PAGE_LIST_MAX) {
            incident->prefixes_more++;
            continue;
        }
        char *text = incident->prefixes[incident->n_prefixes++];
        const char *prefix = json_object_get_string(json_object_array_get_idx(list, i));
        if (number > 0)
            snprintf(text, sizeof incident->prefixes[0], "%.48s (AS%.0f %.50s)",
                     prefix ? prefix : "?", number, text_of(of, "as_org"));
        else
            snprintf(text, sizeof incident->prefixes[0], "%.100s", prefix ? prefix : "?");
    }
}

/* A client is a text, or an object that names it. */
static const char *client_of(struct json_object *client) {
    if (json_object_is_type(client, json_type_string)) return json_object_get_string(client);
    const char *name = text_of(client, "name");
    return *name ? name : text_of(client, "client");
}

static void read_clients(struct weir_page_incident *incident, struct json_object *list) {
    for (size_t i = 0; i < length_of(list); i++)
        if (incident->n_hit < WEIR_PAGE_LIST_MAX)
            snprintf(incident->hit[incident->n_hit++], sizeof incident->hit[0], "%.60s",
                     client_of(json_object_array_get_idx(list, i)));
        else
            incident->hit_more++;
}

static void read_controls(struct weir_page_incident *incident, struct json_object *controls,
                          weir_page_title title, const void *of) {
    struct json_object *by_service = member(controls, "by_service");
    incident->controls_fail = number_of(controls, "fail");
    incident->controls_total = number_of(controls, "total");
    if (!json_object_is_type(by_service, json_type_object)) return;
    struct json_object_iter at;
    json_object_object_foreachC(by_service, at) {
        if (incident->n_controls == WEIR_PAGE_LIST_MAX) return;
        struct weir_page_counted *one = &incident->controls[incident->n_controls++];
        *one = (struct weir_page_counted){.fail = number_of(at.val, "fail"),
                                          .total = number_of(at.val, "total")};
        snprintf(one->text, sizeof one->text, "%.100s", title(of, at.key));
    }
}

/* {cause: its probability}, the likeliest first. */
static void read_alternatives(struct weir_page_incident *incident, struct json_object *by_cause) {
    if (!json_object_is_type(by_cause, json_type_object)) return;
    struct json_object_iter at;
    json_object_object_foreachC(by_cause, at) {
        if (incident->n_alternatives == WEIR_PAGE_LIST_MAX) return;
        struct weir_page_counted *into = &incident->alternatives[incident->n_alternatives++];
        *into = (struct weir_page_counted){.total = json_object_get_double(at.val)};
        snprintf(into->text, sizeof into->text, "%.100s", weir_view_cause_words(at.key));
    }
}

static void read_blocked(struct weir_page_incident *incident, struct json_object *list) {
    for (size_t i = 0; i < length_of(list) && incident->n_blocked < WEIR_PAGE_LIST_MAX; i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(list, i));
        snprintf(incident->blocked[incident->n_blocked++], sizeof incident->blocked[0], "%.110s",
                 name ? name : "?");
    }
}

/* ---- what it is not ---- */

__attribute__((format(printf, 4, 5))) static void rule(struct weir_page_incident *incident,
                                                       const char *what, const char *verdict,
                                                       const char *format, ...) {
    if (incident->n_rulings == sizeof incident->rulings / sizeof incident->rulings[0]) return;
    struct weir_page_ruling *ruling = &incident->rulings[incident->n_rulings++];
    COPY(ruling->what, what);
    COPY(ruling->verdict, verdict);
    va_list args;
    va_start(args, format);
    vsnprintf(ruling->why, sizeof ruling->why, format, args);
    va_end(args);
}

static bool is_alternative(struct json_object *record, const char *cause) {
    return member(member(record, "alternatives"), cause) != NULL;
}

static void rule_uplink(struct weir_page_incident *incident, struct json_object *record) {
    double total = incident->controls_total, fail = incident->controls_fail;
    if (strcmp(incident->cause, "uplink") == 0 || !incident->service[0]) return;
    if (!(total > 0 && fail >= 0 && fail <= total)) {
        rule(incident, "The uplink", "not ruled out", "Nothing else was used at the same time.");
        return;
    }
    struct weir_interval share = weir_wilson((uint64_t)fail, (uint64_t)total);
    rule(incident, "The uplink", is_alternative(record, "uplink") ? "not ruled out" : "ruled out",
         "%.0f of %.0f trials of other services were useful at the same time (95 %%: at most %.0f "
         "%% failed).",
         total - fail, total, ceil(share.high * 100));
}

static void rule_resolver(struct weir_page_incident *incident, struct json_object *record) {
    if (strstr(incident->cause, "dns") || !incident->service[0]) return;
    if (is_alternative(record, "dns_resolver"))
        rule(incident, "The DNS resolver", "not ruled out", "Some look-ups failed as well.");
    else if (strcmp(incident->layer, "dns") != 0)
        rule(incident, "The DNS resolver", "ruled out",
             "Names were resolved; what failed came after, in the %s layer.", incident->layer);
}

static void rule_client(struct weir_page_incident *incident) {
    if (strcmp(incident->cause, "client") == 0 || !(incident->clients > 0)) return;
    if (incident->clients >= 2)
        rule(incident, "One device", "ruled out", "%.0f of %.0f clients that used it were hit.",
             incident->clients, incident->clients_seen);
    else
        rule(incident, "One device", "not ruled out",
             "Only one client was hit, of %.0f that used it.", incident->clients_seen);
}

/* The record's sentence with local clocks, and with the titles of services in the place of their
 * ids, as all else on a page has them. */
static void read_sentence(struct weir_page_incident *incident, const char *sentence,
                          weir_page_title title, const void *of) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    char local[sizeof incident->text], word[64];
    const char *at = weir_local_sentence(local, sizeof local, sentence, incident->onset_us);
    size_t used = 0, size = sizeof incident->text;
    while (*at && used + 1 < size) {
        size_t length = strspn(at, letters);
        const char *told = word;
        if (length == 0 || length >= sizeof word) {
            incident->text[used++] = *at++;
            continue;
        }
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        bool whole = !strchr("-.:/", at[length] ? at[length] : ' ') &&
                     (at == local || !strchr("-.:/", at[-1]));
        if (whole && strcmp(word, "other") != 0) told = title(of, word);
        used += (size_t)snprintf(incident->text + used, size - used, "%s", told);
        at += length;
    }
    incident->text[used < size ? used : size - 1] = '\0';
}

int weir_page_read_incident(struct weir_page_incident *incident, struct json_object *record,
                            weir_page_title title, const void *of) {
    *incident = (struct weir_page_incident){0};
    COPY(incident->id, text_of(record, "id"));
    if (!incident->id[0] || strlen(incident->id) + 1 == sizeof incident->id) return -EINVAL;
    COPY(incident->service, text_of(record, "service"));
    COPY(incident->state_name, text_of(record, "state"));
    COPY(incident->cause, text_of(record, "cause"));
    COPY(incident->cause_words, weir_view_cause_words(incident->cause));
    COPY(incident->confidence, text_of(record, "confidence"));
    COPY(incident->part, text_of(record, "part"));
    COPY(incident->layer, text_of(record, "layer"));
    snprintf(incident->title, sizeof incident->title, "%.100s",
             incident->service[0] ? title(of, incident->service) : incident->cause_words);
    incident->state = incident->worst = weir_page_state(incident->state_name);
    incident->is_open = strcmp(text_of(record, "event"), "cleared") != 0;
    incident->onset_us = time_of(record, "onset_ts");
    read_sentence(incident, text_of(record, "text"), title, of);
    incident->raised_us = time_of(record, "raised_ts");
    incident->recovered_us = time_of(record, "recovered_ts");
    incident->cleared_us = time_of(record, "cleared_ts");
    incident->last_us = time_of(record, "ts");
    incident->probability = number_of(record, "probability");
    incident->clients = number_of(record, "clients");
    incident->clients_seen = number_of(record, "clients_seen");
    incident->viewers = number_of(record, "viewers");
    incident->viewers_stalled = number_of(record, "viewers_stalled");
    incident->at_least = json_object_get_boolean(member(record, "at_least"));
    struct json_object *trials = member(record, "trials");
    incident->fail = number_of(trials, "fail");
    incident->total = number_of(trials, "total");
    incident->low = number_of(trials, "low");
    incident->high = number_of(trials, "high");
    incident->maintenance = json_object_get_boolean(member(record, "maintenance"));
    read_kinds(incident, member(record, "kinds"));
    read_prefixes(incident, record);
    read_clients(incident, member(record, "clients_hit"));
    read_controls(incident, member(record, "controls"), title, of);
    read_alternatives(incident, member(record, "alternatives"));
    read_blocked(incident, member(record, "blocked_names"));
    rule_uplink(incident, record);
    rule_resolver(incident, record);
    rule_client(incident);
    return 0;
}

void weir_page_join_incident(struct weir_page_incident *incident,
                             const struct weir_page_incident *later) {
    struct weir_page_incident old = *incident;
    *incident = *later;
    if (!later->is_open &&
        old.text[0]) { /* trials since then are the recovery's: what was wrong stays shown */
        *incident = old;
        incident->is_open = false;
        incident->recovered_us = later->recovered_us;
        incident->cleared_us = later->cleared_us;
        incident->last_us = later->last_us;
        snprintf(incident->end_text, sizeof incident->end_text, "%.390s", later->text);
    }
    if (weir_page_badness(old.worst) > weir_page_badness(incident->worst))
        incident->worst = old.worst;
    incident->raised_us = incident->raised_us ? incident->raised_us : old.raised_us;
}

/* ---- a session ---- */

static void read_stalls(struct weir_page_session *session, struct json_object *list) {
    for (size_t i = 0; i < length_of(list) &&
                       session->n_stalls < sizeof session->stall / sizeof session->stall[0];
         i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        int64_t start_us = time_of(one, "start_ts");
        double duration_us = number_of(one, "duration_us");
        if (start_us && duration_us > 0)
            session->stall[session->n_stalls++] =
                (struct weir_page_span){start_us, start_us + (int64_t)duration_us};
    }
}

static void read_missing(struct weir_page_session *session, struct json_object *unmeasured) {
    static const struct {
        const char *key, *words;
    } known[] = {{"startup_us", "start-up"}, {"bitrate_bps", "quality"}, {"stalled_us", "stalls"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const char *why = text_of(unmeasured, known[i].key);
        size_t used = strlen(session->missing);
        if (*why)
            snprintf(session->missing + used, sizeof session->missing - used, "%s%s: %s",
                     used ? "; " : "", known[i].words, why);
    }
}

int weir_page_read_session(struct weir_page_session *session, struct json_object *record,
                           weir_page_title title, const void *of) {
    *session = (struct weir_page_session){.start_us = time_of(record, "start_ts"),
                                          .end_us = time_of(record, "end_ts")};
    if (!session->start_us || session->end_us < session->start_us) return -EINVAL;
    struct json_object *stalls = member(record, "stalls");
    snprintf(session->service, sizeof session->service, "%.90s",
             title(of, text_of(record, "service")));
    COPY(session->client, text_of(record, "client"));
    COPY(session->kind, text_of(record, "kind"));
    COPY(session->confidence, text_of(record, "confidence"));
    session->startup_us = number_of(record, "startup_us");
    session->stalled_us = number_of(record, "stalled_us");
    session->starved_us = number_of(record, "starved_us");
    session->stalls = number_of(record, "stall_spells");
    session->bitrate_bps = number_of(record, "bitrate_bps");
    session->goodput_bps = number_of(record, "goodput_p50_bps");
    session->quality_changes = number_of(record, "quality_changes");
    session->buffer_s = number_of(record, "buffer_s");
    session->bytes = number_of(record, "media_bytes");
    read_stalls(session, stalls);
    read_missing(session, member(record, "unmeasured"));
    return 0;
}

/* ---- what a capture says of itself ---- */

__attribute__((format(printf, 4, 5))) static void fact(struct weir_page *page, const char *name,
                                                       bool warns, const char *format, ...) {
    if (page->n_facts == WEIR_PAGE_FACTS_MAX) return;
    struct weir_page_fact *one = &page->facts[page->n_facts++];
    one->warns = warns;
    COPY(one->name, name);
    va_list args;
    va_start(args, format);
    vsnprintf(one->value, sizeof one->value, format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3))) static void doubt(struct weir_page *page, const char *format,
                                                        ...) {
    if (page->n_unknowns == WEIR_PAGE_FACTS_MAX) return;
    va_list args;
    va_start(args, format);
    vsnprintf(page->unknowns[page->n_unknowns++], sizeof page->unknowns[0], format, args);
    va_end(args);
}

static void read_shares(struct weir_page *page, struct json_object *naming) {
    static const struct {
        const char *key, *words;
    } ways[] = {{"sni", "server name"},       {"http", "HTTP host"}, {"dns", "DNS answer"},
                {"address", "known address"}, {"ndpi", "nDPI"},      {"none", "not named"}};
    struct json_object *flows = member(naming, "flows_share"),
                       *bytes = member(naming, "bytes_share");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct weir_page_share *one = &page->shares[page->n_shares];
        *one = (struct weir_page_share){.flows = number_of(flows, ways[i].key),
                                        .bytes = number_of(bytes, ways[i].key)};
        COPY(one->name, ways[i].words);
        page->n_shares += one->flows > 0 || one->bytes > 0;
    }
}

/* Work that a bound refused: a sum, and which. */
static void read_refused(struct weir_page *page, struct json_object *refused,
                         double flows_refused) {
    char which[140] = "";
    double sum = flows_refused > 0 ? flows_refused : 0;
    if (sum > 0) COPY(which, "flows");
    if (json_object_is_type(refused, json_type_object)) {
        struct json_object_iter at;
        json_object_object_foreachC(refused, at) {
            size_t used = strlen(which);
            double n = json_object_get_double(at.val);
            sum += n;
            if (n > 0)
                snprintf(which + used, sizeof which - used, "%s%.30s", used ? ", " : "", at.key);
        }
    }
    if (sum > 0)
        doubt(page, "%.0f times a table was full (%s): what did not fit was not measured.", sum,
              which);
}

static void read_decode(struct weir_page *page, struct json_object *decode) {
    double refused = 0;
    if (!json_object_is_type(decode, json_type_object)) return;
    struct json_object_iter at;
    json_object_object_foreachC(decode, at) refused +=
        strcmp(at.key, "ok") == 0 ? 0 : json_object_get_double(at.val);
    if (refused > 0)
        fact(page, "Not decoded", false, "%.0f packets (no IP, no TCP or UDP, or malformed)",
             refused);
}

static void read_doubts(struct weir_page *page, struct json_object *record,
                        struct json_object *naming) {
    double lost = number_of(record, "dropped_kernel") + number_of(record, "dropped_interface"),
           cut = number_of(record, "snaplen_cut");
    double blind = number_of(naming, "blind_share"), ech = number_of(naming, "flows_ech"),
           vpn = number_of(naming, "flows_vpn");
    double secret = number_of(naming, "flows_doh") + number_of(naming, "flows_dot");
    if (lost > 0)
        doubt(page,
              "The capture lost %.0f packets: losses that it shows need not be the network's.",
              lost);
    if (cut > 0)
        doubt(page,
              "%.0f packets were cut by the snap length: what lay behind it (names, requests) is "
              "not known.",
              cut);
    if (blind > 0.5)
        doubt(page,
              "DNS is hidden: %.0f %% of HTTPS flows went to addresses that no answer told the "
              "client.",
              blind * 100);
    if (secret > 0)
        doubt(page, "%.0f flows carried DNS in secret (DoH, DoT): their look-ups are not judged.",
              secret);
    if (ech > 0)
        doubt(page,
              "%.0f hellos came with ECH or GREASE: behind real ECH the server's name is hidden.",
              ech);
    if (vpn > 0) doubt(page, "%.0f tunnels (VPN): what they carry is not seen.", vpn);
    if (number_of(record, "clock_steps") > 0)
        doubt(page, "The capture's clock stepped back %.0f times.",
              number_of(record, "clock_steps"));
    struct json_object *hosts = member(naming, "unmatched_media_hosts");
    for (size_t i = 0; i < length_of(hosts) && i < 5; i++) {
        struct json_object *one = json_object_array_get_idx(hosts, i);
        doubt(page, "No signature knows %.120s, a host of a media CDN (%.0f flows).",
              text_of(one, "host"), number_of(one, "flows"));
    }
}

void weir_page_read_capture(struct weir_page *page, struct json_object *record) {
    char amount[32];
    struct json_object *naming = member(record, "naming");
    int64_t first_us = time_of(record, "first_ts"), last_us = time_of(record, "last_ts");
    page->n_facts = page->n_shares = page->n_unknowns = 0;
    if (first_us) {
        page->first_us = page->first_us && page->first_us < first_us ? page->first_us : first_us;
        page->last_us = last_us;
    }
    fact(page, "Packets", false, "%s", weir_view_amount(amount, number_of(record, "packets"), ""));
    fact(page, "On the wire", false, "%s",
         weir_view_amount(amount, number_of(record, "bytes"), "B"));
    fact(page, "Flows", false, "%s", weir_view_amount(amount, number_of(record, "flows"), ""));
    fact(page, "Lost by the capture", number_of(record, "dropped_kernel") > 0, "%.0f packets",
         number_of(record, "dropped_kernel") + number_of(record, "dropped_interface"));
    read_decode(page, member(record, "decode"));
    read_shares(page, naming);
    read_doubts(page, record, naming);
    read_refused(page, member(record, "refused"), number_of(record, "flows_refused"));
}
