/* The incident in one or two sentences, for the person who has to decide whether to do something.
 *
 *     <who> <state> since <when> [for <whom>]: <evidence>, <how it failed>. <What speaks against
 * other causes>.
 *
 * No client's address is written here: text leaves weir where addresses do not.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "detect/told.h"

void weir_say(struct weir_text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->at, text->room, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < text->room ? (size_t)n : text->room - 1;
    text->at += used;
    text->room -= used;
}

/* "20:41:05": of the day, UTC. */
static void say_clock(struct weir_text *text, int64_t at_us) {
    int64_t second = at_us / 1000000 % 86400;
    if (second < 0) second += 86400;
    weir_say(text, "%02d:%02d:%02d", (int)(second / 3600), (int)(second / 60 % 60),
             (int)(second % 60));
}

static void say_span(struct weir_text *text, int64_t span_us) {
    long long seconds = span_us / 1000000;
    if (seconds >= 3600)
        weir_say(text, "%lld h %lld min", seconds / 3600, seconds / 60 % 60);
    else if (seconds >= 60)
        weir_say(text, "%lld min %lld s", seconds / 60, seconds % 60);
    else
        weir_say(text, "%lld s", seconds > 0 ? seconds : 0);
}

static const char *name_of(const struct weir_detector *detector, weir_service_id id) {
    return id < detector->n_services ? detector->services[id].name : "?";
}

static void say_subject(struct weir_text *text, const struct weir_detector *detector,
                        const struct weir_case *incident) {
    char addr[WEIR_ADDR_TEXT_MAX];
    const struct weir_incident *record = &incident->record;
    switch (record->cause) {
    case WEIR_CAUSE_UPLINK: weir_say(text, "The uplink"); break;
    case WEIR_CAUSE_DNS_RESOLVER:
        weir_say(text, "The DNS resolver %s", weir_addr_text(&incident->subject, addr));
        break;
    case WEIR_CAUSE_CLIENT: weir_say(text, "One client"); break;
    case WEIR_CAUSE_CAPTURE: weir_say(text, "The capture"); break;
    default: weir_say(text, "%s", name_of(detector, record->service));
    }
}

/* Words for each state, while it lasts and once it is over. */
struct state_words {
    const char *down[2], *partial[2], *degraded[2];
};
static const struct state_words
    words_of_service = {{" is down", " was down"},
                        {" fails in part", " failed in part"},
                        {" is degraded", " was degraded"}},
    words_of_media = {{" plays no video or sound, while the rest of it answers",
                       " played no video or sound, while the rest of it answered"},
                      {" plays video and sound in part, while the rest of it answers",
                       " played video and sound in part, while the rest of it answered"},
                      {" is degraded", " was degraded"}},
    words_of_control = {{" lets nobody new in, while who watches goes on",
                         " let nobody new in, while who watched went on"},
                        {" lets nobody new in, while who watches goes on",
                         " let nobody new in, while who watched went on"},
                        {" is degraded", " was degraded"}},
    words_of_api = {{" answers its apps in errors, while who watches goes on",
                     " answered its apps in errors, while who watched went on"},
                    {" answers its apps in errors, while who watches goes on",
                     " answered its apps in errors, while who watched went on"},
                    {" is degraded", " was degraded"}},
    words_of_client = {{" gets nothing through", " got nothing through"},
                       {" fails in part", " failed in part"},
                       {" is badly served", " was badly served"}},
    words_of_quic = {{" is up, but its QUIC is blocked", " was up, but its QUIC was blocked"},
                     {" is up, but its QUIC is blocked", " was up, but its QUIC was blocked"},
                     {" is up, but its QUIC is blocked", " was up, but its QUIC was blocked"}};

static void say_state(struct weir_text *text, const struct weir_incident *record) {
    const char *const *own = weir_watches[record->watch]->state;
    const struct state_words *words =
        record->cause == WEIR_CAUSE_QUIC_BLOCKED                           ? &words_of_quic
        : record->cause == WEIR_CAUSE_CLIENT                               ? &words_of_client
        : record->layer == WEIR_LAYER_API                                  ? &words_of_api
        : record->part == WEIR_PART_CONTROL || weir_lets_nobody_in(record) ? &words_of_control
        : record->part == WEIR_PART_MEDIA                                  ? &words_of_media
                                                                           : &words_of_service;
    const char *const *word = own[0]                                ? own
                              : record->state == WEIR_STATE_DOWN    ? words->down
                              : record->state == WEIR_STATE_PARTIAL ? words->partial
                                                                    : words->degraded;
    weir_say(text, "%s", word[record->recovered_us != 0]);
}

static enum weir_outcome main_kind(const struct weir_incident *record) {
    enum weir_outcome most = WEIR_OUTCOME_NONE;
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++)
        if (record->kinds[kind] > 0 &&
            (most == WEIR_OUTCOME_NONE || record->kinds[kind] > record->kinds[most]))
            most = (enum weir_outcome)kind;
    return most;
}

/* "AS2906 Netflix Streaming Services" */
static void say_as(struct weir_text *text, const struct weir_as *as) {
    weir_say(text, "AS%u%s%s", as->number, as->name[0] ? " " : "", as->name);
}

static void say_prefixes(struct weir_text *text, const struct weir_incident *record,
                         const struct weir_as *as) {
    weir_say(text, "%u prefix%s of ", record->n_prefixes, record->n_prefixes == 1 ? "" : "es");
    say_as(text, as);
}

/* "198.18.10.0 (AS2906 Netflix Streaming Services)", with its twin of the other version of IP; or,
 * where it is the whole of it, the system alone. */
static void say_place(struct weir_text *text, const struct weir_case *incident) {
    char addr[WEIR_ADDR_TEXT_MAX];
    const struct weir_incident *record = &incident->record;
    if (record->as.number) {
        say_as(text, &record->as);
        return;
    }
    weir_say(text, "%s", weir_addr_text(&incident->subject, addr));
    if (record->n_prefixes == 2)
        weir_say(text, " and %s", weir_addr_text(&record->prefixes[1], addr));
    if (record->prefix_as[0].number)
        weir_say(text, " ("), say_as(text, &record->prefix_as[0]), weir_say(text, ")");
}

/* Whose all failing prefixes of a service are, if they are one network's; NULL: not known, or not
 * to be told. */
static const struct weir_as *network_of(const struct weir_incident *record) {
    bool service = record->cause == WEIR_CAUSE_SERVICE;
    if (!service || record->layer == WEIR_LAYER_DNS || record->n_prefixes == 0 ||
        record->n_prefixes > WEIR_INCIDENT_LIST_MAX)
        return NULL;
    for (unsigned i = 0; i < record->n_prefixes; i++)
        if (!record->prefix_as[i].number ||
            record->prefix_as[i].number != record->prefix_as[0].number)
            return NULL;
    return &record->prefix_as[0];
}

/* Where the trials that are told went, if not wherever the service is: a service that works
 * elsewhere fails in part, while of these all may. */
static void say_whither(struct weir_text *text, const struct weir_case *incident) {
    char addr[WEIR_ADDR_TEXT_MAX];
    const struct weir_incident *record = &incident->record;
    if (record->cause != WEIR_CAUSE_CDN && record->cause != WEIR_CAUSE_CDN_PATH) return;
    if (record->as.number)
        weir_say(text, " at AS%u", record->as.number);
    else
        weir_say(text, " at %s", weir_addr_text(&incident->subject, addr));
}

static void say_evidence(struct weir_text *text, const struct weir_case *incident) {
    const struct weir_incident *record = &incident->record;
    static const char *const trials[WEIR_LAYER_N] = {"lookup", "connection", "QUIC", "request",
                                                     "API"};
    const struct weir_watch *watch = weir_watches[record->watch];
    if (watch->evidence) {
        watch->evidence(text, record);
        return;
    }
    if (record->trials.total == 0 || record->trials.fail == 0) {
        weir_say(text, ": answers are slower or thinner than normal here");
        return;
    }
    weir_say(text, ": %u of %u %s trials", record->trials.total - record->trials.fail,
             record->trials.total,
             record->pooled ? "connection and request" : trials[record->layer]);
    say_whither(text, incident);
    weir_say(text, " useful");
    weir_say(text, " (95 %%: at least %d %% fail)", (int)(record->trials.low * 100));
    enum weir_outcome kind = main_kind(record);
    if (kind != WEIR_OUTCOME_NONE) weir_say(text, ", %s", weir_outcome_help(kind));
    const struct weir_as *network = network_of(record);
    if (network) weir_say(text, ", at "), say_prefixes(text, record, network);
}

/* A dead IPv6 beside a working IPv4: who falls back sees little of it, and it is another fault to
 * mend. */
static void say_family(struct weir_text *text, const struct weir_incident *record) {
    bool told = record->cause == WEIR_CAUSE_SERVICE || record->cause == WEIR_CAUSE_UPLINK;
    if (told && record->only_family)
        weir_say(text, " Only IPv%d fails: over IPv%d all %u trials are useful.",
                 record->only_family, 10 - record->only_family, record->other_family_ok);
}

/* "youtube 22/22, other 118/118": useful of all, the busiest first, five at the most. */
static void say_others(struct weir_text *text, const struct weir_detector *detector,
                       const struct weir_incident *record) {
    bool said[WEIR_INCIDENT_LIST_MAX] = {false};
    for (int turn = 0; turn < 5 && turn < record->controls.n; turn++) {
        int best = -1;
        for (int i = 0; i < record->controls.n; i++)
            if (!said[i] && (best < 0 || record->controls.by_service[i].total >
                                             record->controls.by_service[best].total))
                best = i;
        said[best] = true;
        uint32_t fail = record->controls.by_service[best].fail,
                 total = record->controls.by_service[best].total;
        weir_say(text, "%s%s %u/%u", turn ? ", " : "",
                 name_of(detector, record->controls.by_service[best].service), total - fail, total);
    }
}

/* "The downlink carries 94 Mbit/s, 97 % of what its busiest windows did: it is full." */
static void say_downlink(struct weir_text *text, const struct weir_detector *detector,
                         const struct weir_incident *record) {
    const struct weir_downlink *downlink = weir_downlink_of(detector);
    if (record->state == WEIR_STATE_DEGRADED && weir_downlink_is_full(downlink, detector->now_us))
        weir_say(
            text,
            " The downlink carries what it carries in its busiest hundredth of the time: it is full.");
}

static void say_sight(struct weir_text *text, const struct weir_blind *blind, bool over) {
    const struct weir_detect_sight *sight = &blind->sight;
    switch (sight->blindness) {
    case WEIR_BLIND_LINK_DOWN:
        weir_say(text,
                 over ? "interface %s is back since " : "interface %s is down, or has no carrier",
                 sight->where);
        break;
    case WEIR_BLIND_SILENT:
        weir_say(text, over ? "packets come again since " : "no packet has come at all since ");
        say_clock(text, over ? blind->back_us : sight->since_us);
        weir_say(text, " UTC");
        return;
    case WEIR_BLIND_UNDECODED:
        weir_say(text,
                 over ? "%.0f %% of the packets could not be decoded until "
                      : "%.0f %% of the packets cannot be decoded",
                 sight->share * 100);
        break;
    default:
        weir_say(
            text,
            "%.1f %% of packets were lost before weir, %.0f %% of flows show one direction only",
            blind->drop_share * 100, blind->one_way_share * 100);
        return;
    }
    if (over) {
        say_clock(text, blind->back_us);
        weir_say(text, " UTC");
    }
}

static void say_blindness(struct weir_text *text, const struct weir_detector *detector) {
    const struct weir_blind *blind = &detector->blind;
    bool over = blind->back_us != 0,
         known = blind->sight.blindness || blind->drop_share > 0 || blind->one_way_share > 0;
    weir_say(text, " No service is judged meanwhile");
    if (known) { /* else parts of windows were lost, of which none lost much */
        weir_say(text, ": ");
        say_sight(text, blind, over);
    }
    if (over)
        weir_say(text, "; judged again after %d s of whole capture",
                 (int)(WEIR_CAPTURE_RUN * WEIR_SLOT_US / 1000000));
    weir_say(text, ".");
}

/* Those that fail, the worst first, five at the most: "netflix 5 of 5, hulu 7 of 9 failed". */
static unsigned say_failing(struct weir_text *text, const struct weir_detector *detector,
                            const struct weir_incident *record) {
    bool said[WEIR_INCIDENT_LIST_MAX] = {false};
    unsigned n = 0;
    for (; n < 5; n++) {
        int best = -1;
        for (int i = 0; i < record->controls.n; i++)
            if (!said[i] && record->controls.by_service[i].fail &&
                (best < 0 ||
                 record->controls.by_service[i].fail > record->controls.by_service[best].fail))
                best = i;
        if (best < 0) break;
        said[best] = true;
        weir_say(text, "%s%s %u of %u", n ? ", " : "",
                 name_of(detector, record->controls.by_service[best].service),
                 record->controls.by_service[best].fail, record->controls.by_service[best].total);
    }
    return n;
}

static void say_uplink(struct weir_text *text, const struct weir_detector *detector,
                       const struct weir_incident *record) {
    unsigned failing = 0;
    if (record->link.segments) {
        weir_say(
            text,
            " Of %u packets of several services %u were lost on their way here: the way out, not one of them.",
            record->link.segments, record->link.lost_before);
        return;
    }
    for (int i = 0; i < record->controls.n; i++) failing += record->controls.by_service[i].fail > 0;
    if (failing < 2) {
        weir_say(text,
                 record->state == WEIR_STATE_DEGRADED
                     ? " Several services starve at once: the way out, not one of them."
                     : " Nothing gets through, whoever is asked: the way out, not one service.");
        return;
    }
    weir_say(text, " Several services fail at once (");
    say_failing(text, detector, record);
    weir_say(text, " failed): the way out, not one of them.");
}

static void say_client(struct weir_text *text, const struct weir_incident *record) {
    uint32_t fail = record->controls.fail, total = record->controls.total;
    if (record->link.segments)
        weir_say(text, " All others lost %u of %u: its own link, or its WiFi.",
                 record->link.others_lost, record->link.others_segments);
    else if (total)
        weir_say(text, " The others are fine (%u/%u useful): it is this client or its WiFi.",
                 total - fail, total);
    else
        weir_say(text,
                 " Nobody else tried the same meanwhile: it is likely this client or its WiFi.");
}

/* What else it may be, where that is not ruled out. */
static void say_alternatives(struct weir_text *text, const struct weir_incident *record) {
    char addr[WEIR_ADDR_TEXT_MAX];
    for (unsigned i = 0; i < record->n_alternatives; i++) {
        uint8_t cause = record->alternatives[i].cause;
        bool told = record->cause == WEIR_CAUSE_SERVICE || record->cause == WEIR_CAUSE_DNS_RESOLVER;
        if (cause == WEIR_CAUSE_CDN_PATH && record->n_prefixes == 1 && record->elsewhere_ok)
            weir_say(text, " It fails at %s; another of its places was useful meanwhile.",
                     weir_addr_text(&record->prefixes[0], addr));
        else if (cause == WEIR_CAUSE_CDN_PATH && record->n_prefixes == 1)
            weir_say(text, " It fails at %s; nobody here has tried another of its places.",
                     weir_addr_text(&record->prefixes[0], addr));
        else if (cause == WEIR_CAUSE_UPLINK && told)
            weir_say(text,
                     record->controls.total
                         ? " It may be the uplink as well."
                         : " Nothing else was tried meanwhile: it may be the uplink as well.");
        else if (cause == WEIR_CAUSE_SERVICE && record->cause == WEIR_CAUSE_CDN_PATH)
            weir_say(text, " Its other places were hardly tried: it may be all of it.");
        else if (cause == WEIR_CAUSE_SERVICE && record->cause == WEIR_CAUSE_UPLINK)
            weir_say(text, " It may be several services, each by itself.");
    }
}

/* While it lasts; nothing where nobody watches, or a buffer is not known. */
static void say_viewers(struct weir_text *text, const struct weir_incident *record) {
    if (record->viewers && record->viewers_stalled) {
        weir_say(text, " Pictures %s still", record->recovered_us ? "stood" : "stand");
        if (record->stalled_since_us && !record->recovered_us) {
            weir_say(text, " since ");
            say_clock(text, record->stalled_since_us);
            weir_say(text, " UTC");
        }
        weir_say(text, " for %u of %u viewer%s.", record->viewers_stalled, record->viewers,
                 record->viewers == 1 ? "" : "s");
    } else if (record->viewers && record->viewers_known && !record->recovered_us) {
        if (record->viewers == 1)
            weir_say(text, " The one viewer notices nothing yet.");
        else
            weir_say(text, " None of %u viewers notices yet.", record->viewers);
    }
}

static void say_reason(struct weir_text *text, const struct weir_detector *detector,
                       const struct weir_case *incident) {
    const struct weir_incident *record = &incident->record;
    bool twin = !record->as.number && record->n_prefixes == 2;
    switch (record->cause) {
    case WEIR_CAUSE_CAPTURE: say_blindness(text, detector); return;
    case WEIR_CAUSE_UPLINK:
        say_uplink(text, detector, record);
        say_downlink(text, detector, record);
        return;
    case WEIR_CAUSE_CLIENT: say_client(text, record); return;
    case WEIR_CAUSE_CDN:
        weir_say(text, " Other services fail on "), say_place(text, incident),
            weir_say(text, " as well: a shared CDN.");
        break;
    case WEIR_CAUSE_CDN_PATH:
        if (record->as.number)
            weir_say(text, " Only its "), say_prefixes(text, record, &record->as),
                weir_say(text, " fail.");
        else
            weir_say(text, twin ? " Only its prefixes " : " Only its prefix "),
                say_place(text, incident), weir_say(text, twin ? " fail." : " fails.");
        break;
    case WEIR_CAUSE_QUIC_BLOCKED: weir_say(text, " TCP to the same names is useful."); break;
    case WEIR_CAUSE_DNS_RESOLVER: weir_say(text, " Names of unrelated services fail there."); break;
    default: break;
    }
    if (record->silence.window_us) {
        weir_say(text,
                 " All else is tried as usual (%.0f %% of normal): it is not found, or not wanted.",
                 record->silence.others_share * 100);
        if (detector->dns_blind)
            weir_say(text, " Lookups are hidden here: a resolver that fails would look like this.");
        return;
    }
    if (record->controls.total > 0) {
        weir_say(text, " At the same time ");
        say_others(text, detector, record);
        if (4 * record->controls.fail > record->controls.total) {
            weir_say(text, " useful.");
            return;
        }
        weir_say(text, " useful: not your uplink%s.",
                 record->cause == WEIR_CAUSE_SERVICE && record->layer != WEIR_LAYER_DNS &&
                         !detector->dns_blind
                     ? ", not DNS"
                     : "");
    }
}

/* " from 21:33:30 to 21:34:20 UTC, 50 s" or " since 21:33:30 UTC". */
static void say_when(struct weir_text *text, const struct weir_case *incident) {
    const struct weir_incident *record = &incident->record;
    weir_say(text, record->recovered_us ? " from " : " since ");
    say_clock(text, record->onset_us);
    if (record->recovered_us) {
        weir_say(text, " to ");
        say_clock(text, record->recovered_us);
    }
    weir_say(text, " UTC");
    if (record->recovered_us) {
        weir_say(text, ", for ");
        say_span(text, record->recovered_us - record->onset_us);
    }
    if (incident->reopened) weir_say(text, " (on and off)");
}

static void say_whom(struct weir_text *text, const struct weir_incident *record) {
    if (record->cause == WEIR_CAUSE_CLIENT || record->cause == WEIR_CAUSE_CAPTURE ||
        !record->n_clients)
        return;
    weir_say(text, ", %s%s%u of %u client%s", record->recovered_us ? "hit: " : "for ",
             record->at_least ? "at least " : "", record->n_clients, record->n_clients_seen,
             record->n_clients_seen == 1 ? "" : "s");
}

static void say_cleared(struct weir_text *text, const struct weir_detector *detector,
                        const struct weir_case *incident, const struct weir_case *part_of) {
    const struct weir_incident *record = &incident->record;
    say_subject(text, detector, incident);
    if (part_of) {
        weir_say(text, ": now counted as part of the incident %s.", part_of->record.id);
        return;
    }
    bool gone = detector->now_us - incident->evidence_us > detector->config.silent_us &&
                (record->cause == WEIR_CAUSE_CLIENT || record->cause == WEIR_CAUSE_DNS_RESOLVER);
    say_state(text, record);
    say_when(text, incident);
    say_whom(text, record);
    weir_say(text, gone ? ". It is no longer seen." : ". It is well again.");
}

void weir_sentence(const struct weir_detector *detector, struct weir_case *incident,
                   const struct weir_case *part_of) {
    struct weir_incident *record = &incident->record;
    struct weir_text text = {record->text, sizeof record->text};
    record->text[0] = '\0';
    if (record->event == WEIR_INCIDENT_CLEARED) {
        say_cleared(&text, detector, incident, part_of);
        return;
    }
    say_subject(&text, detector, incident);
    say_state(&text, record);
    say_when(&text, incident);
    if (record->cause != WEIR_CAUSE_CAPTURE) {
        if (record->recovered_us)
            say_whom(&text, record);
        else if (record->cause != WEIR_CAUSE_CLIENT && record->n_clients > 0)
            weir_say(&text, " for %s%u of %u client%s", record->at_least ? "at least " : "",
                     record->n_clients, record->n_clients_seen,
                     record->n_clients_seen == 1 ? "" : "s");
        say_evidence(&text, incident);
    }
    weir_say(&text, ".");
    if (record->recovered_us && record->cause != WEIR_CAUSE_CAPTURE)
        weir_say(&text, " It seems to be over.");
    say_family(&text, record);
    say_reason(&text, detector, incident);
    say_alternatives(&text, record);
    say_viewers(&text, record);
    const struct weir_incident_region *alone =
        record->cause == WEIR_CAUSE_CLIENT ? NULL : weir_regions_alone(detector, record);
    if (alone) {
        weir_say(&text, " Only %s is hit (", alone->name);
        for (unsigned i = 0; i < record->n_regions; i++)
            weir_say(&text, "%s%s %u/%u", i ? ", " : "", record->regions[i].name,
                     record->regions[i].total - record->regions[i].fail, record->regions[i].total);
        weir_say(&text, " useful).");
    }
    if (record->n_clients_seen == 1 && record->cause != WEIR_CAUSE_CLIENT)
        weir_say(&text, " Seen by one client only.");
}
