/* What an incident says to a person, word for word: sentences of hand-made incidents. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "site.h"

static struct site site;
static struct weir_case incident;
static struct weir_incident *const record = &incident.record;

/* netflix fails for 3 of 4 clients at two thirds of its connections; nothing else was tried. */
static int begin(void **state) {
    site_begin(&site);
    site.detector->now_us = T0 + 600 * SECOND;
    incident =
        (struct weir_case){.subject = site_prefix(7),
                           .evidence_us = T0 + 590 * SECOND,
                           .record = {.event = WEIR_INCIDENT_UPDATED,
                                      .cause = WEIR_CAUSE_SERVICE,
                                      .state = WEIR_STATE_PARTIAL,
                                      .service = NETFLIX,
                                      .onset_us = T0,
                                      .layer = WEIR_LAYER_CONNECT,
                                      .trials = {.fail = 20, .total = 30, .low = 0.5, .high = 0.8},
                                      .n_clients = 3,
                                      .n_clients_seen = 4}};
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

static const char *said(void) {
    weir_sentence(site.detector, &incident, NULL);
    return record->text;
}

#define assert_says(part)     assert_non_null(strstr(said(), part))
#define assert_says_not(part) assert_null(strstr(said(), part))
#define assert_ends(part)                                                \
    do {                                                                 \
        const char *text_ = said();                                      \
        assert_true(strlen(text_) >= strlen(part));                      \
        assert_string_equal(text_ + strlen(text_) - strlen(part), part); \
    } while (0)

static void beside(weir_service_id service, uint32_t fail, uint32_t total) {
    unsigned i = record->controls.n++;
    record->controls.by_service[i].service = service;
    record->controls.by_service[i].fail = fail;
    record->controls.by_service[i].total = total;
    record->controls.fail += fail;
    record->controls.total += total;
}

static void the_whole_of_it(void **state) {
    record->kinds[WEIR_OUTCOME_SYN_TIMEOUT] = 12;
    record->kinds[WEIR_OUTCOME_REFUSED] = 8;
    beside(YOUTUBE, 0, 22);
    beside(WEIR_SERVICE_OTHER, 2, 118);
    assert_string_equal(
        said(), "netflix fails in part since 15:06:40 UTC for 3 of 4 clients: 10 of 30 connection "
                "trials useful (95 %: at least 50 % fail), SYNs unanswered. At the same time other "
                "116/118, youtube 22/22 useful: not your uplink, not DNS.");
}

/* The kind that most failed with; of two that are level the first. */
static void how_it_failed(void **state) {
    assert_says_not("unanswered");
    record->kinds[WEIR_OUTCOME_REFUSED] = 8;
    assert_says("connections refused");
    record->kinds[WEIR_OUTCOME_TLS_ALERT] = 8;
    assert_says("connections refused");
    record->kinds[WEIR_OUTCOME_UNACKED] = 9;
    assert_says("acknowledged by nobody");
}

static void what_was_tried(void **state) {
    static const char *const words[] = {"20 lookup trials", "20 connection trials",
                                        "20 QUIC trials", "20 request trials", "20 API trials"};
    record->trials.total = 20;
    record->trials.fail = 1;
    for (uint8_t layer = 0; layer < WEIR_LAYER_N; layer++) {
        record->layer = layer;
        assert_says(words[layer]);
    }
    record->pooled = true;
    assert_says("19 of 20 connection and request trials useful");
    record->trials.fail = 0;
    assert_says(": answers are slower or thinner than normal here.");
    record->trials.fail = record->trials.total = 0;
    assert_says(": answers are slower or thinner than normal here.");
}

/* Who sees a picture stand still, since when, or that nobody does: where everybody's buffer is
 * known. */
static void viewers(void **state) {
    record->viewers = 40;
    assert_says_not("viewer");
    record->viewers_known = true;
    assert_ends(" None of 40 viewers notices yet.");
    record->viewers = 1;
    assert_ends(" The one viewer notices nothing yet.");
    record->viewers_stalled = 1;
    record->stalled_since_us = T0 + 25 * SECOND;
    assert_ends(" Pictures stand still since 15:07:05 UTC for 1 of 1 viewer.");
    record->viewers = 40;
    record->viewers_stalled = 31;
    record->viewers_known = false;
    assert_ends(" Pictures stand still since 15:07:05 UTC for 31 of 40 viewers.");
    record->viewers = 0; /* not known */
    assert_says_not("viewer");
}

/* When it is over nobody waits any more. */
static void viewers_of_what_is_over(void **state) {
    record->recovered_us = T0 + 60 * SECOND;
    record->viewers = 6;
    record->viewers_known = true;
    assert_says_not("viewer");
    record->viewers_stalled = 4;
    record->stalled_since_us = T0;
    assert_ends(" Pictures stood still for 4 of 6 viewers.");
}

static void states_in_words(void **state) {
    static const struct {
        uint8_t cause, part, state;
        const char *now, *then;
    } words[] = {
        {WEIR_CAUSE_SERVICE, 0, WEIR_STATE_DOWN, "netflix is down", "netflix was down"},
        {WEIR_CAUSE_SERVICE, 0, WEIR_STATE_PARTIAL, "netflix fails in part", "failed in part"},
        {WEIR_CAUSE_CDN, 0, WEIR_STATE_DEGRADED, "netflix is degraded", "netflix was degraded"},
        {WEIR_CAUSE_SERVICE, WEIR_PART_MEDIA, WEIR_STATE_DOWN, "netflix plays no video or sound,",
         "netflix played no video or sound,"},
        {WEIR_CAUSE_SERVICE, WEIR_PART_CONTROL, WEIR_STATE_PARTIAL, "netflix lets nobody new in,",
         "netflix let nobody new in,"},
        {WEIR_CAUSE_SERVICE, WEIR_PART_OTHER, WEIR_STATE_PARTIAL, "netflix fails in part",
         "netflix failed in part"},
        {WEIR_CAUSE_QUIC_BLOCKED, WEIR_PART_MEDIA, WEIR_STATE_DEGRADED,
         "netflix is up, but its QUIC is blocked", "netflix was up, but its QUIC was blocked"},
        {WEIR_CAUSE_CLIENT, 0, WEIR_STATE_DOWN, "One client gets nothing through",
         "One client got nothing through"},
        {WEIR_CAUSE_CLIENT, WEIR_PART_MEDIA, WEIR_STATE_DEGRADED, "One client is badly served",
         "One client was badly served"},
        {WEIR_CAUSE_UPLINK, 0, WEIR_STATE_DOWN, "The uplink is down", "The uplink was down"},
        {WEIR_CAUSE_CAPTURE, 0, WEIR_STATE_DEGRADED, "The capture is incomplete",
         "The capture was incomplete"},
        {WEIR_CAUSE_DNS_RESOLVER, 0, WEIR_STATE_DOWN, "The DNS resolver 198.18.7.0 is down",
         "The DNS resolver 198.18.7.0 was down"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        record->cause = words[i].cause;
        record->part = words[i].part;
        record->watch =
            words[i].cause == WEIR_CAUSE_CAPTURE ? WEIR_WATCH_capture : WEIR_WATCH_failures;
        record->state = words[i].state;
        record->recovered_us = 0;
        assert_says(words[i].now);
        record->recovered_us = T0 + SECOND;
        assert_says(words[i].then);
    }
}

/* A service that is gone from the signatures since: "?", and no memory that is not its own. */
static void a_name_that_is_gone(void **state) {
    record->service = N_SITE_SERVICES;
    assert_int_equal(strncmp(said(), "? fails", 7), 0);
    record->service = N_SITE_SERVICES - 1;
    assert_int_equal(strncmp(said(), "twitch fails", 12), 0);
}

static void when_and_for_how_long(void **state) {
    static const struct {
        int64_t seconds;
        const char *words;
    } spans[] = {{0, "for 0 s"},          {59, "for 59 s"},
                 {60, "for 1 min 0 s"},   {3599, "for 59 min 59 s"},
                 {3600, "for 1 h 0 min"}, {93784, "for 26 h 3 min"}};
    record->event = WEIR_INCIDENT_CLEARED;
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        record->recovered_us = T0 + spans[i].seconds * SECOND;
        assert_says(spans[i].words);
    }
    record->recovered_us = T0 + 50 * SECOND;
    assert_string_equal(said(), "netflix failed in part from 15:06:40 to 15:07:30 UTC, for 50 s, "
                                "hit: 3 of 4 clients. It is well again.");
    incident.reopened = 1;
    assert_says("for 50 s (on and off), hit");
    record->onset_us = -SECOND; /* a capture's clock may stand anywhere */
    assert_says("from 23:59:59 to");
}

static void it_seems_to_be_over(void **state) {
    record->recovered_us = T0 + 50 * SECOND;
    assert_says("50 s, hit: 3 of 4 clients: 10 of 30");
    assert_says(" useful (95 %: at least 50 % fail). It seems to be over.");
    record->recovered_us = 0;
    assert_says_not("seems to be over");
}

static void whom_it_hits(void **state) {
    record->at_least = true;
    assert_says(" for at least 3 of 4 clients:");
    record->n_clients_seen = record->n_clients = 1;
    record->at_least = false;
    assert_says(" for 1 of 1 client:");
    assert_ends(" Seen by one client only.");
    record->cause = WEIR_CAUSE_CLIENT;
    assert_says_not("client only");
    assert_says_not("of 1 client");
    record->cause = WEIR_CAUSE_SERVICE;
    record->n_clients = 0;
    assert_says("UTC: 10 of 30");
}

static void an_end_that_nobody_saw(void **state) {
    record->event = WEIR_INCIDENT_CLEARED;
    record->recovered_us = T0 + 50 * SECOND;
    record->cause = WEIR_CAUSE_CLIENT;
    int64_t silent_us = site.detector->config.silent_us;
    incident.evidence_us = site.detector->now_us - silent_us;
    assert_ends(", for 50 s. It is well again.");
    incident.evidence_us--;
    assert_ends(", for 50 s. It is no longer seen.");
    record->cause = WEIR_CAUSE_DNS_RESOLVER;
    assert_ends(" It is no longer seen.");
    record->cause = WEIR_CAUSE_SERVICE; /* which is tried by others */
    assert_ends(" It is well again.");
}

static void a_part_of_another(void **state) {
    struct weir_case whole = {.record = {.id = "uplink-1"}};
    record->event = WEIR_INCIDENT_CLEARED;
    weir_sentence(site.detector, &incident, &whole);
    assert_string_equal(record->text, "netflix: now counted as part of the incident uplink-1.");
}

static void places(void **state) {
    record->cause = WEIR_CAUSE_CDN_PATH;
    record->n_prefixes = 1;
    assert_says("10 of 30 connection trials at 198.18.7.0 useful");
    assert_says(" Only its prefix 198.18.7.0 fails.");
    snprintf(record->prefix_as[0].name, sizeof record->prefix_as[0].name, "Flicks");
    record->prefix_as[0].number = 2906;
    assert_says(" Only its prefix 198.18.7.0 (AS2906 Flicks) fails.");
    record->prefixes[1] = site_prefix(8);
    record->n_prefixes = 2;
    assert_says(" Only its prefixes 198.18.7.0 and 198.18.8.0 (AS2906 Flicks) fail.");
    record->as = record->prefix_as[0];
    assert_says("trials at AS2906 useful");
    assert_says(" Only its 2 prefixes of AS2906 Flicks fail.");
    record->n_prefixes = 1;
    record->as.name[0] = '\0';
    assert_says(" Only its 1 prefix of AS2906 fail");
    record->cause = WEIR_CAUSE_CDN;
    assert_says(" Other services fail on AS2906 as well: a shared CDN.");
}

/* A service's prefixes are told as one network's when all of them are, and known to be. */
static void one_network(void **state) {
    record->n_prefixes = 2;
    record->prefix_as[0].number = record->prefix_as[1].number = 2906;
    assert_says(" fail), at 2 prefixes of AS2906.");
    record->layer = WEIR_LAYER_DNS;
    assert_says_not("AS2906");
    record->layer = WEIR_LAYER_SERVE;
    record->prefix_as[1].number = 15169;
    assert_says_not("AS");
    record->prefix_as[1].number = 0;
    assert_says_not("AS");
    record->n_prefixes = 1;
    assert_says(", at 1 prefix of AS2906.");
    record->n_prefixes = WEIR_INCIDENT_LIST_MAX;
    for (int i = 0; i < WEIR_INCIDENT_LIST_MAX; i++) record->prefix_as[i].number = 2906;
    assert_says(", at 32 prefixes of AS2906.");
    record->n_prefixes++; /* of the last one the system is not listed */
    assert_says_not("AS");
}

static void only_one_family(void **state) {
    record->only_family = 6;
    record->other_family_ok = 12;
    assert_says(" Only IPv6 fails: over IPv4 all 12 trials are useful.");
    record->only_family = 4;
    assert_says(" Only IPv4 fails: over IPv6 all 12 trials are useful.");
    record->cause = WEIR_CAUSE_UPLINK;
    assert_says(" Only IPv4 fails");
    record->cause = WEIR_CAUSE_CLIENT;
    assert_says_not("Only IPv");
}

/* Five at the most, the busiest first. */
static void what_else_was_tried(void **state) {
    for (uint32_t i = 1; i <= 6; i++) beside(i % 2 ? YOUTUBE : HULU, i, 10 * i);
    assert_says(
        " At the same time hulu 54/60, youtube 45/50, hulu 36/40, youtube 27/30, hulu 18/20 "
        "useful: not your uplink, not DNS.");
    record->layer = WEIR_LAYER_DNS;
    assert_ends(" useful: not your uplink.");
    record->layer = WEIR_LAYER_SERVE;
    site.detector->dns_blind = true;
    assert_ends(" useful: not your uplink.");
    site.detector->dns_blind = false;
    record->cause = WEIR_CAUSE_DNS_SERVICE;
    assert_ends(" useful: not your uplink.");
    record->cause = WEIR_CAUSE_QUIC_BLOCKED;
    assert_says(" TCP to the same names is useful. At the same time");
    record->cause = WEIR_CAUSE_DNS_RESOLVER;
    assert_says(" Names of unrelated services fail there. At the same time");
}

static void silence(void **state) {
    record->watch = WEIR_WATCH_silence;
    record->silence = (struct weir_incident_silence){
        .window_us = 300 * SECOND, .clients = 2, .expected = 31.2, .others_share = 0.94};
    assert_string_equal(
        said(), "netflix has been silent since 15:06:40 UTC for 3 of 4 clients: nobody asks for it "
                "any more, 2 clients tried in 5 min where 31 are normal at this hour. All else is "
                "tried as usual (94 % of normal): it is not found, or not wanted.");
    record->silence.clients = 1.4;
    assert_says(", 1 client tried");
    record->silence.clients = 1.6;
    assert_says(", 2 clients tried");
    record->silence.clients = 0.4;
    assert_says(", 0 clients tried");
    site.detector->dns_blind = true;
    assert_ends(" Lookups are hidden here: a resolver that fails would look like this.");
}

static void one_client(void **state) {
    record->cause = WEIR_CAUSE_CLIENT;
    assert_ends(" Nobody else tried the same meanwhile: it is likely this client or its WiFi.");
    beside(NETFLIX, 1, 30);
    assert_ends(" The others are fine (29/30 useful): it is this client or its WiFi.");
    record->watch = WEIR_WATCH_link;
    record->link = (struct weir_incident_link){
        .segments = 800, .lost_beyond = 96, .others_segments = 5000, .others_lost = 3};
    assert_says(
        ": of 800 packets sent to it 96 were lost on the last stretch. All others lost 3 of "
        "5000: its own link, or its WiFi.");
}

static void the_uplink(void **state) {
    record->cause = WEIR_CAUSE_UPLINK;
    record->state = WEIR_STATE_DOWN;
    assert_says(" Nothing gets through, whoever is asked: the way out, not one service.");
    beside(NETFLIX, 5, 5);
    beside(YOUTUBE, 0, 9);
    assert_says(" Nothing gets through"); /* one service that fails is not several */
    record->state = WEIR_STATE_DEGRADED;
    assert_says(" Several services starve at once: the way out, not one of them.");
    beside(HULU, 7, 9);
    assert_says(
        " Several services fail at once (hulu 7 of 9, netflix 5 of 5 failed): the way out,");
    for (uint32_t i = 0; i < 4; i++) beside(TWITCH, 10 + i, 20);
    assert_says("(twitch 13 of 20, twitch 12 of 20, twitch 11 of 20, twitch 10 of 20, hulu 7 of 9 "
                "failed)");
}

static void a_full_downlink(void **state) {
    record->cause = WEIR_CAUSE_UPLINK;
    record->state = WEIR_STATE_DEGRADED;
    assert_says_not("it is full");
    weir_downlink_of(site.detector)->full_us = site.detector->now_us - 2 * WEIR_SLOT_US;
    assert_ends(" The downlink carries what it carries in its busiest hundredth of the time: it is "
                "full.");
    weir_downlink_of(site.detector)->full_us--;
    assert_says_not("it is full");
    weir_downlink_of(site.detector)->full_us = site.detector->now_us;
    record->state = WEIR_STATE_DOWN; /* which a full link is not */
    assert_says_not("it is full");
}

static void say_also(enum weir_cause cause) {
    record->n_alternatives = 1;
    record->alternatives[0] = (struct weir_incident_alternative){(uint8_t)cause, 0.2};
}

static void alternatives(void **state) {
    record->n_prefixes = 1;
    record->prefixes[0] = site_prefix(7);
    say_also(WEIR_CAUSE_CDN_PATH);
    assert_ends(" It fails at 198.18.7.0; nobody here has tried another of its places.");
    record->elsewhere_ok = 1;
    assert_ends(" It fails at 198.18.7.0; another of its places was useful meanwhile.");
    record->n_prefixes = 2; /* which of them is not known */
    assert_says_not("places");
    say_also(WEIR_CAUSE_UPLINK);
    assert_ends(" Nothing else was tried meanwhile: it may be the uplink as well.");
    record->cause = WEIR_CAUSE_DNS_RESOLVER;
    assert_ends(" Nothing else was tried meanwhile: it may be the uplink as well.");
    beside(YOUTUBE, 9, 10);
    assert_ends(" It may be the uplink as well.");
    record->cause = WEIR_CAUSE_CDN_PATH;
    assert_says_not("uplink as well");
    say_also(WEIR_CAUSE_SERVICE);
    assert_ends(" Its other places were hardly tried: it may be all of it.");
    record->cause = WEIR_CAUSE_UPLINK;
    assert_ends(" It may be several services, each by itself.");
    record->n_alternatives = 0;
    assert_says_not("each by itself");
}

static void what_the_capture_misses(void **state) {
    struct weir_blind *blind = &site.detector->blind;
    record->cause = WEIR_CAUSE_CAPTURE;
    record->watch = WEIR_WATCH_capture;
#define HEAD "The capture is incomplete since 15:06:40 UTC. No service is judged meanwhile"
    assert_string_equal(said(), HEAD ".");
    blind->drop_share = 0.125;
    assert_string_equal(said(), HEAD ": 12.5 % of packets were lost before weir, 0 % of flows show "
                                     "one direction only.");
    *blind = (struct weir_blind){.one_way_share = 0.75};
    assert_says(": 0.0 % of packets were lost before weir, 75 % of flows");
    blind->sight = (struct weir_detect_sight){
        .blindness = WEIR_BLIND_LINK_DOWN, .since_us = T0, .where = "eth7"};
    assert_ends(" meanwhile: interface eth7 is down, or has no carrier.");
    blind->back_us = T0 + 65 * SECOND;
    assert_ends(": interface eth7 is back since 15:07:45 UTC; judged again after 60 s of whole "
                "capture.");
    blind->sight.blindness = WEIR_BLIND_SILENT;
    assert_ends(
        ": packets come again since 15:07:45 UTC; judged again after 60 s of whole capture.");
    blind->back_us = 0;
    assert_ends(": no packet has come at all since 15:06:40 UTC.");
    blind->sight = (struct weir_detect_sight){.blindness = WEIR_BLIND_UNDECODED, .share = 0.8};
    assert_ends(": 80 % of the packets cannot be decoded.");
    blind->back_us = T0 + 65 * SECOND;
    assert_ends(": 80 % of the packets could not be decoded until 15:07:45 UTC; judged again after "
                "60 s of whole capture.");
}

/* One region is told when it is hit alone. */
static void one_region(void **state) {
    record->n_regions = 2;
    record->regions[0] = (struct weir_incident_region){.name = "west", .fail = 20, .total = 22};
    record->regions[1] = (struct weir_incident_region){.name = "east", .fail = 0, .total = 30};
    assert_ends(" Only west is hit (west 2/22, east 30/30 useful).");
    record->cause = WEIR_CAUSE_CLIENT;
    assert_says_not("west");
    record->cause = WEIR_CAUSE_SERVICE;
    record->regions[1].fail = 20;
    assert_says_not("west");
}

/* A text that is too long is cut, not spilled. */
static void a_long_text_is_cut(void **state) {
    for (int i = 0; i < WEIR_INCIDENT_REGIONS_MAX; i++) {
        struct weir_incident_region *region = &record->regions[record->n_regions++];
        memset(region->name, 'a' + i, sizeof region->name - 1);
        region->fail = i ? 0 : 20;
        region->total = 20;
    }
    record->only_family = 6;
    record->viewers = record->viewers_stalled = 99;
    for (uint32_t i = 0; i < 5; i++) beside(YOUTUBE, 0, 4000000000u);
    record->n_alternatives = WEIR_INCIDENT_ALTERNATIVES_MAX;
    for (int i = 0; i < WEIR_INCIDENT_ALTERNATIVES_MAX; i++)
        record->alternatives[i].cause = WEIR_CAUSE_UPLINK;
    memset(record->text, 'x', sizeof record->text);
    size_t n = strnlen(said(), sizeof record->text);
    assert_in_range(n, sizeof record->text - 2, sizeof record->text - 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_whole_of_it),
        TEST(how_it_failed),
        TEST(what_was_tried),
        TEST(viewers),
        TEST(viewers_of_what_is_over),
        TEST(states_in_words),
        TEST(a_name_that_is_gone),
        TEST(when_and_for_how_long),
        TEST(it_seems_to_be_over),
        TEST(whom_it_hits),
        TEST(an_end_that_nobody_saw),
        TEST(a_part_of_another),
        TEST(places),
        TEST(one_network),
        TEST(only_one_family),
        TEST(what_else_was_tried),
        TEST(silence),
        TEST(one_client),
        TEST(the_uplink),
        TEST(a_full_downlink),
        TEST(alternatives),
        TEST(what_the_capture_misses),
        TEST(one_region),
        TEST(a_long_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
