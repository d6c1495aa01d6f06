/* The model of a page: bins that widen, bands under incidents, the answer; and a day of 25 services
 * as a file. */
#include "page/page.h"

#include <json-c/json.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <weir/measure.h>

#include "page/sink.h"

#include <cmocka.h>

enum { S = 1000000 };
static const int64_t start_us = INT64_C(1795469550000000);

static const char *same(const void *of, const char *id) { return id; }

static struct weir_page_incident incident_of(const char *json) {
    struct weir_page_incident incident;
    struct json_object *object = json_tokener_parse(json);
    assert_non_null(object);
    assert_int_equal(weir_page_read_incident(&incident, object, same, NULL), 0);
    json_object_put(object);
    return incident;
}

static const char outage[] =
    "{\"id\":\"netflix-1\",\"event\":\"raised\",\"service\":\"netflix\",\"state\":\"partial\","
    "\"cause\":\"service\",\"ts\":1795469620,\"onset_ts\":1795469605,"
    "\"raised_ts\":1795469620,\"cleared_ts\":null,\"layer\":\"connect\",\"clients\":3,\"clients_"
    "seen\":3,\"kinds\":{\"syn_timeout\":12},"
    "\"trials\":{\"fail\":12,\"total\":12,\"low\":0.75,\"high\":1},\"controls\":{\"fail\":0,"
    "\"total\":40,\"by_service\":{\"youtube\":{\"fail\":0,\"total\":40}}},"
    "\"clients_hit\":[\"<b>\"],\"prefixes\":[\"198.18.0.0/"
    "24\"],\"confidence\":\"high\",\"text\":\"netflix is down\"}";

static void test_bins_widen(void **state) {
    struct weir_page page = {.n_services = 1};
    struct weir_page_track *track = page.services[0].track = calloc(1, sizeof *track);
    for (int64_t w = 0; w < WEIR_PAGE_BINS_MAX + 1; w++) {
        int place = weir_page_place(&page, start_us + w * 10 * S);
        assert_in_range(place, 0, WEIR_PAGE_BINS_MAX - 1);
        track->bins[place].sum[WEIR_PAGE_OK] += 2;
        track->bins[place].n[WEIR_PAGE_OK]++;
        track->bins[place].sum[WEIR_PAGE_RTT_SERVER] += 5000;
        track->bins[place].n[WEIR_PAGE_RTT_SERVER]++;
        if (w == 1) track->bins[place].state = WEIR_STATE_DOWN;
    }
    assert_int_equal(page.bin_us, 20 * S);
    assert_int_equal(page.n_bins, WEIR_PAGE_BINS_MAX / 2 + 1);
    assert_true(weir_page_value(&track->bins[0], WEIR_PAGE_OK) == 4); /* counts add up */
    assert_true(weir_page_value(&track->bins[0], WEIR_PAGE_RTT_SERVER) ==
                5000); /* delays are averaged */
    assert_true(weir_page_value(&track->bins[WEIR_PAGE_BINS_MAX / 2], WEIR_PAGE_OK) == 2);
    assert_int_equal(track->bins[0].state, WEIR_STATE_DOWN); /* the worst wins */
    assert_true(isnan(weir_page_value(&track->bins[0], WEIR_PAGE_GOODPUT)));
    assert_int_equal(weir_page_place(&page, start_us - S), -1);
    weir_page_deinit(&page);
}

/* Ten windows of 10 s; the detector's state lags, the incident says when. */
static void test_bands_follow_the_incident(void **state) {
    struct weir_page page = {.n_services = 1, .replay = true};
    struct weir_page_service *service = &page.services[0];
    strcpy(service->id, "netflix");
    strcpy(service->title, "Netflix");
    service->track = calloc(1, sizeof *service->track);
    for (int w = 0; w < 20; w++)
        service->track->bins[weir_page_place(&page, start_us + w * 10 * (int64_t)S)].state =
            w >= 7 && w < 14 ? WEIR_STATE_PARTIAL : WEIR_STATE_HEALTHY;
    page.last_us = page.now_us = start_us + 200 * S;
    page.incidents = calloc(1, sizeof *page.incidents);
    page.n_incidents = 1;
    page.incidents[0] = incident_of(outage);
    page.incidents[0].recovered_us = start_us + 125 * S;
    page.incidents[0].cleared_us = start_us + 140 * S;
    page.incidents[0].is_open = false;
    weir_page_finish(&page);
    const struct {
        int64_t end_s;
        int band;
    } expected[] = {{55, WEIR_STATE_HEALTHY},
                    {125, WEIR_STATE_PARTIAL},
                    {140, WEIR_STATE_RECOVERING},
                    {200, WEIR_STATE_HEALTHY}};
    assert_int_equal(service->n_bands, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(service->bands[i].state, expected[i].band);
        assert_int_equal(service->bands[i].end_us, start_us + expected[i].end_s * S);
    }
    assert_non_null(strstr(page.answer, "failed in part for 1 min 10 s"));
    weir_page_deinit(&page);
}

static void test_the_worst_state_and_its_sentence_stay(void **state) {
    struct weir_page_incident first = incident_of(outage), last = first;
    first.worst = WEIR_STATE_DOWN;
    last.is_open = false;
    strcpy(last.text, "netflix is well again");
    weir_page_join_incident(&first, &last);
    assert_int_equal(first.worst, WEIR_STATE_DOWN);
    assert_string_equal(first.text, "netflix is down");
    assert_string_equal(first.end_text, "netflix is well again");
}

static void test_rulings(void **state) {
    struct weir_page_incident incident = incident_of(outage);
    assert_int_equal(incident.n_rulings, 3);
    assert_string_equal(incident.rulings[0].what, "The uplink");
    assert_string_equal(incident.rulings[0].verdict, "ruled out");
    assert_non_null(strstr(incident.rulings[0].why, "40 of 40"));
    assert_non_null(strstr(incident.rulings[0].why, "at most 9 %")); /* Wilson, 0 of 40: 8.8 % */
}

static void test_odd_records(void **state) {
    static const char *const odd[] = {"{}", "[]", "{\"id\":7}", "{\"id\":\"\"}", "null"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct weir_page_incident incident;
        struct weir_page_session session;
        struct json_object *object = json_tokener_parse(odd[i]);
        assert_true(weir_page_read_incident(&incident, object, same, NULL) < 0);
        assert_true(weir_page_read_session(&session, object, same, NULL) < 0);
        json_object_put(object);
    }
}

/* ---- a day ---- */

static void give(void *sink, struct weir_record record) {
    struct weir_fault fault = {{0}};
    if (weir_sink_report.record(sink, &record, &fault) < 0) fail_msg("%s", fault.text);
}

static void set_value(struct weir_value *values, const char *group, const char *name,
                      double value) {
    size_t n;
    int field = weir_field_find(group, name);
    assert_true(field >= 0);
    values[field].reason = WEIR_REASON_NONE;
    if (weir_fields(&n)[field].type == WEIR_FIELD_RATIO)
        values[field].real = value;
    else
        values[field].integer = (int64_t)value;
}

static void a_window(struct weir_window_record *window, int service, int w) {
    *window = (struct weir_window_record){.start_us = start_us + w * INT64_C(10) * S,
                                          .service = (weir_service_id)service,
                                          .state = WEIR_STATE_HEALTHY};
    window->end_us = window->start_us + 10 * S;
    for (size_t i = 0; i < WEIR_FIELDS_MAX; i++) window->values[i].reason = WEIR_REASON_NO_SAMPLE;
    set_value(window->values, NULL, "trials_ok", 3 + (w * 7 + service) % 5);
    set_value(window->values, "trials_fail", "total", (w + service) % 11 == 0);
    set_value(window->values, "goodput", "p50_bps", 4e6 + (w * 7919L + service * 31) % 1000 * 1e4);
    set_value(window->values, "rtt_server", "p50_us", 15000 + (w * 104729L) % 9000);
    set_value(window->values, "rtt_client", "p50_us", 3000 + (w * 1299709L) % 2000);
    set_value(window->values, "loss", "down_before_share", (w % 17) / 2000.0);
    set_value(window->values, "loss", "down_beyond_share", (w % 13) / 3000.0);
}

static void test_a_day_is_small_and_quick(void **state) {
    struct weir_fault fault = {{0}};
    struct weir_publish_context context = {.site = "a <day>"};
    char path[] = "/tmp/weir-page-XXXXXX";
    close(mkstemp(path));
    assert_int_equal(weir_service_set_load(&context.set, WEIR_SOURCE_DIR "/signatures", &fault), 0);
    size_t n_services = weir_service_set_count(context.set);
    assert_in_range(n_services, 24, 60); /* NONE is no service */
    ;
    void *sink;
    assert_int_equal(weir_sink_report_new(&sink, &context, path, &fault), 0);
    static struct weir_window_record window;
    for (int w = 0; w < 8640; w++)
        for (int service = 1; service < (int)n_services; service++) {
            a_window(&window, service, w);
            give(sink, (struct weir_record){
                           .type = WEIR_RECORD_WINDOW, .ts_us = window.end_us, .window = &window});
        }
    for (int i = 0; i < 3000; i++) {
        struct weir_session_record session = {.start_us = start_us + i * INT64_C(20) * S,
                                              .service = 2,
                                              .startup_us = 900000,
                                              .chunks = 300};
        session.end_us = session.start_us + 1800 * INT64_C(1000000);
        give(sink, (struct weir_record){
                       .type = WEIR_RECORD_SESSION, .ts_us = session.end_us, .session = &session});
    }
    struct weir_capture_record capture = {.packets = 1,
                                          .first_ts_us = start_us,
                                          .last_ts_us = start_us + INT64_C(86400) * S,
                                          .blind_share_ppm = WEIR_NULL};
    clock_t begin = clock();
    give(sink, (struct weir_record){
                   .type = WEIR_RECORD_CAPTURE, .ts_us = capture.last_ts_us, .capture = &capture});
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    print_message("# a day of %zu services: %lld bytes in %.3f s\n", n_services - 1,
                  (long long)file.st_size, seconds);
    assert_in_range(file.st_size, 100000, 999999);
    assert_true(seconds < 1 || getenv("ASAN_OPTIONS"));
    weir_sink_report.free(sink);
    weir_service_set_unref(context.set);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bins_widen),
                                       cmocka_unit_test(test_bands_follow_the_incident),
                                       cmocka_unit_test(test_the_worst_state_and_its_sentence_stay),
                                       cmocka_unit_test(test_rulings),
                                       cmocka_unit_test(test_odd_records),
                                       cmocka_unit_test(test_a_day_is_small_and_quick)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
