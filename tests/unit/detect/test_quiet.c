/* Nobody asks any more, rule by rule: what is normal is written by hand, so that an hour of a site
 * is enough where test_silence.c lives through days. */
#undef NDEBUG
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "site.h"

#define MINUTE_US INT64_C(60000000)
enum { MANY = 400, ONE = 0, TWO, FIVE, TEN };

static struct site site;
static int64_t minute;
static unsigned fresh; /* clients that nobody was yet */

static struct weir_silence *of(weir_service_id id) {
    return weir_watch_recall(site.detector, id, WEIR_WATCH_silence);
}

static void tried(weir_service_id id, enum weir_layer layer, unsigned client) {
    struct weir_trial trial = {
        .client = site_client(client), .service = id, .layer = (uint8_t)layer, .ok = true};
    weir_silence_note(site.detector, &trial, minute * MINUTE_US);
}

static void end_minute(unsigned slots) {
    for (unsigned i = 6 - slots; i < 6; i++)
        weir_silence_slot(site.detector, minute * MINUTE_US + i * WEIR_SLOT_US);
    minute++;
}

/* A minute in which so many clients try netflix and two others, each time the same ones. */
static void live(int minutes, unsigned netflix, unsigned others) {
    for (int i = 0; i < minutes; i++) {
        for (unsigned client = 0; client < netflix; client++)
            tried(NETFLIX, WEIR_LAYER_CONNECT, client);
        for (unsigned client = 0; client < others; client++) {
            tried(YOUTUBE, WEIR_LAYER_QUIC, client);
            tried(WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client);
        }
        end_minute(6);
    }
}

/* What is normal at any hour of the week, for each window, from long ago. */
static void usual(weir_service_id id, double one, double two, double five, double ten) {
    const double each[] = {one, two, five, ten};
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++)
        for (int hour = 0; hour < WEIR_HOURS; hour++) {
            of(id)->windows[w].hours[hour] = (float)each[w];
            of(id)->n_hour[hour] = 180;
        }
}

/* An hour as usual: `n` clients of each service. */
static int begin_with(unsigned n) {
    site_begin(&site);
    site.detector->n_active = MANY;
    minute = T0 / MINUTE_US + 1;
    fresh = 1000;
    live(1, n, n);
    for (weir_service_id id = WEIR_SERVICE_OTHER; id <= YOUTUBE; id++) usual(id, n, n, n, n);
    live(75, n, n);
    return 0;
}

static int begin(void **state) { return begin_with(100); }

static int end(void **state) {
    site_end(&site);
    return 0;
}

#define assert_about(a, b) assert_true(fabs((double)(a) - (double)(b)) <= 0.1 * (double)(b))

static void silent_within_a_minute(void **state) {
    int64_t since = minute;
    assert_false(of(NETFLIX)->alarm);
    live(1, 0, 100);
    assert_true(of(NETFLIX)->alarm);
    assert_false(of(YOUTUBE)->alarm);
    assert_int_equal(of(NETFLIX)->onset_us, since * MINUTE_US);
    assert_int_equal(of(NETFLIX)->last_us, minute * MINUTE_US);
    assert_int_equal(of(NETFLIX)->found.window_us, MINUTE_US);
    assert_true(of(NETFLIX)->found.clients == 0);
    assert_about(of(NETFLIX)->found.expected, 100);
    assert_about(of(NETFLIX)->found.others_share, 1);
    live(5, 0, 100); /* it goes on, judged over as much as it lasts */
    assert_true(of(NETFLIX)->alarm);
    assert_int_equal(of(NETFLIX)->onset_us, since * MINUTE_US);
    assert_int_equal(of(NETFLIX)->last_us, minute * MINUTE_US);
    assert_int_equal(of(NETFLIX)->found.window_us, 5 * MINUTE_US);
    live(1, 100, 100);
    live(5, 100, 100);
    assert_false(of(NETFLIX)->alarm);
}

/* One machine that tries ten times is one; lookups and requests are no new connections. */
static void clients_are_counted_not_tries(void **state) {
    for (int i = 0; i < 100; i++) tried(NETFLIX, WEIR_LAYER_CONNECT, 7);
    for (unsigned client = 0; client < 100; client++) {
        tried(NETFLIX, WEIR_LAYER_DNS, client);
        tried(NETFLIX, WEIR_LAYER_SERVE, client);
    }
    live(1, 0, 100);
    assert_true(of(NETFLIX)->alarm);
    assert_about(of(NETFLIX)->found.clients, 1);
}

/* Not one in five is left: then it is silent, where chance is ruled out. */
static void four_in_five_must_be_missing(void **state) {
    end(state);
    begin_with(390);
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++) { /* a service with few surprises */
        of(NETFLIX)->windows[w].excess = 0;
        of(NETFLIX)->windows[w].square = 1e6;
    }
    live(1, 90, 390);
    assert_false(of(NETFLIX)->alarm); /* 23 % are left */
    live(1, 70, 390);
    assert_true(of(NETFLIX)->alarm);
}

/* With few clients each minute it takes as many minutes as chance needs; the onset is the first of
 * them. */
static void few_clients_take_minutes(void **state) {
    for (weir_service_id id = WEIR_SERVICE_OTHER; id <= YOUTUBE; id++) usual(id, 12, 24, 60, 120);
    for (int i = 0; i < 75; i++) {
        for (weir_service_id id = WEIR_SERVICE_OTHER; id <= YOUTUBE; id++)
            for (unsigned client = 0; client < 12; client++)
                tried(id, WEIR_LAYER_CONNECT, fresh + client);
        fresh += 12;
        end_minute(6);
        usual(NETFLIX, 12, 24, 60, 120);
        assert_false(of(NETFLIX)->alarm);
    }
    int64_t since = minute;
    int minutes = 0;
    for (; minutes < 12 && !of(NETFLIX)->alarm; minutes++) {
        for (weir_service_id id = WEIR_SERVICE_OTHER; id <= YOUTUBE; id += 2)
            for (unsigned client = 0; client < 12; client++)
                tried(id, WEIR_LAYER_CONNECT, fresh + client);
        fresh += 12;
        end_minute(6);
    }
    assert_in_range(minutes, 5, 10);
    assert_in_range(of(NETFLIX)->found.window_us, 5 * MINUTE_US, 10 * MINUTE_US);
    assert_int_equal(of(NETFLIX)->onset_us, since * MINUTE_US);
}

/* Where most have left nobody is silent; where a third left, that much less is expected. */
static void others_say_whether_people_are_there(void **state) {
    live(1, 0, 40);
    assert_false(of(NETFLIX)->alarm);
    live(15, 100, 100);
    live(1, 0, 66);
    assert_true(of(NETFLIX)->alarm);
    assert_about(of(NETFLIX)->found.expected, 66);
    assert_about(of(NETFLIX)->found.others_share, 0.66);
}

/* More of the others than usual do not make more expected of this one. */
static void a_rush_elsewhere_adds_nothing(void **state) {
    live(1, 0, 200);
    assert_true(of(NETFLIX)->alarm);
    assert_about(of(NETFLIX)->found.expected, 100);
    assert_about(of(NETFLIX)->found.others_share, 2);
}

/* A service that is larger than all the others together has nobody to be compared with. */
static void the_largest_service_is_not_judged(void **state) {
    end(state);
    begin_with(300);
    usual(YOUTUBE, 100, 100, 100, 100);
    usual(WEIR_SERVICE_OTHER, 100, 100, 100, 100);
    live(1, 0, 100);
    assert_false(of(NETFLIX)->alarm);
}

static void what_keeps_it_quiet(void **state) {
    struct weir_detector *detector = site.detector;
    detector->n_active = (uint32_t)detector->config.silence_clients - 1;
    live(1, 0, 100);
    assert_false(of(NETFLIX)->alarm);
    detector->n_active++;
    detector->uplink_case.open = true;
    live(1, 0, 100);
    assert_false(of(NETFLIX)->alarm);
    detector->uplink_case.open = false;
    detector->capture_case.open = true;
    live(1, 0, 100);
    assert_false(of(NETFLIX)->alarm);
    detector->capture_case.open = false;
    detector->services[NETFLIX].incident.open = true; /* it fails, and that is told */
    live(1, 0, 100);
    assert_false(of(NETFLIX)->alarm);
    detector->services[NETFLIX].incident.open = false;
    live(1, 0, 100);
    assert_true(of(NETFLIX)->alarm);
    /* all of the silent minutes are its own, though they were not told */
    assert_int_equal(of(NETFLIX)->onset_us, (minute - 5) * MINUTE_US);
}

/* A minute of which a slot is missing is not known, nor any window with that minute in it. */
static void a_minute_with_a_hole(void **state) {
    end_minute(5);
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++)
        assert_true(of(NETFLIX)->windows[w].seen[(minute - 1) % WEIR_SILENCE_RING] < 0);
    assert_false(of(NETFLIX)->alarm);
    live(1, 100, 100);
    assert_about(of(NETFLIX)->windows[ONE].seen[(minute - 1) % WEIR_SILENCE_RING], 100);
    assert_true(of(NETFLIX)->windows[TWO].seen[(minute - 1) % WEIR_SILENCE_RING] < 0);
    live(1, 100, 100);
    assert_about(of(NETFLIX)->windows[TWO].seen[(minute - 1) % WEIR_SILENCE_RING], 100);
    assert_true(of(NETFLIX)->windows[FIVE].seen[(minute - 1) % WEIR_SILENCE_RING] < 0);
    live(3, 100, 100);
    assert_about(of(NETFLIX)->windows[FIVE].seen[(minute - 1) % WEIR_SILENCE_RING], 100);
    assert_true(of(NETFLIX)->windows[TEN].seen[(minute - 1) % WEIR_SILENCE_RING] < 0);
    live(5, 100, 100);
    assert_about(of(NETFLIX)->windows[TEN].seen[(minute - 1) % WEIR_SILENCE_RING], 100);
    minute += 20; /* the capture saw nothing: nobody was silent */
    live(1, 100, 100);
    for (int i = 2; i < 22; i++)
        assert_true(of(NETFLIX)->windows[ONE].seen[(minute - i) % WEIR_SILENCE_RING] < 0);
    assert_about(of(NETFLIX)->windows[ONE].seen[(minute - 22) % WEIR_SILENCE_RING], 100);
}

/* Half of the hour before must be known. */
static void the_hour_before_must_be_known(void **state) {
    static const int known[][2] = {{29, false}, {30, true}};
    for (int i = 0; i < 2; i++) {
        minute += 300;
        live(known[i][0], 100, 100);
        live(1, 0, 100);
        assert_int_equal(of(NETFLIX)->alarm, known[i][1]);
    }
}

static void forget_hours(weir_service_id id) { memset(of(id)->n_hour, 0, sizeof of(id)->n_hour); }

/* At an hour of the week that is not known the same hour of another day speaks, the least of them;
 * another hour of the same day does not. */
static void another_day_speaks_for_an_unknown_hour(void **state) {
    int hour = (int)(minute / 60 % WEIR_HOURS);
    forget_hours(NETFLIX);
    of(NETFLIX)->n_hour[(hour + 5) % WEIR_HOURS] = 180;
    live(1, 0, 100);
    assert_false(of(NETFLIX)->alarm);
    live(15, 100, 100);
    forget_hours(NETFLIX);
    hour = (int)(minute / 60 % WEIR_HOURS);
    for (int next = 0; next < 2; next++) {
        of(NETFLIX)->n_hour[(hour + 24 + next) % WEIR_HOURS] = 29; /* half an hour is known */
        of(NETFLIX)->n_hour[(hour + 144 + next) % WEIR_HOURS] = 30;
        of(NETFLIX)->windows[ONE].hours[(hour + 144 + next) % WEIR_HOURS] = 70;
    }
    live(1, 0, 100);
    assert_true(of(NETFLIX)->alarm);
    assert_about(of(NETFLIX)->found.expected, 70);
}

/* The quieter of this hour and the next is what is expected, at an evening's end. */
static void the_next_hour_counts(void **state) {
    size_t next = (size_t)(minute / 60 + 1) % WEIR_HOURS;
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++) of(NETFLIX)->windows[w].hours[next] = 5;
    live(3, 0, 100);
    assert_false(of(NETFLIX)->alarm);
}

/* So is the hour just before: a match that was watched by many ends early. */
static void the_hour_before_counts(void **state) {
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++)
        for (int hour = 0; hour < WEIR_HOURS; hour++) of(NETFLIX)->windows[w].hours[hour] = 500;
    usual(YOUTUBE, 300, 300, 300, 300);
    usual(WEIR_SERVICE_OTHER, 300, 300, 300, 300);
    live(1, 0, 100);
    assert_true(of(NETFLIX)->alarm);
    assert_about(of(NETFLIX)->found.expected, 100);
    assert_about(of(NETFLIX)->windows[TEN].before, 100);
}

/* It ends when so many ask that it is no longer remarkable, also with a quarter of the usual. */
static void it_is_over(void **state) {
    live(10, 0, 100);
    assert_true(of(NETFLIX)->alarm);
    live(5, 10, 100); /* a few tries are no end: others still see nothing */
    assert_true(of(NETFLIX)->alarm);
    live(5, 30, 100);
    assert_false(of(NETFLIX)->alarm);
}

/* After a day the new level is the normal one. */
static void a_day_is_the_longest(void **state) {
    live(1, 0, 100);
    int64_t onset_us = of(NETFLIX)->onset_us;
    while (of(NETFLIX)->alarm) live(1, 0, 100);
    assert_int_equal(minute * MINUTE_US - onset_us, 24 * 60 * MINUTE_US);
}

/* What is normal is learned ten minutes late, so that a silence's own minutes are not in it. */
static void learning(void **state) {
    while (minute % 60 != 10) live(1, 100, 100); /* so that one hour is learned */
    size_t hour = (size_t)(minute / 60 % WEIR_HOURS);
    forget_hours(NETFLIX);
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++) of(NETFLIX)->windows[w].hours[hour] = 0;
    live(10, 200, 100);
    assert_int_equal(of(NETFLIX)->n_hour[hour], 10);
    assert_about(of(NETFLIX)->windows[ONE].hours[hour], 100); /* not yet the 200 */
    live(10, 200, 100);
    assert_int_equal(of(NETFLIX)->n_hour[hour], 20);
    assert_about(of(NETFLIX)->windows[ONE].hours[hour], 150);
    assert_true(of(NETFLIX)->n_spread > 60);
    struct weir_detector *detector = site.detector;
    detector->uplink_case.open = true;
    live(3, 100, 100);
    assert_int_equal(of(NETFLIX)->n_hour[hour], 20);
    detector->uplink_case.open = false;
    detector->services[NETFLIX].incident.open = true;
    live(3, 100, 100);
    assert_int_equal(of(NETFLIX)->n_hour[hour], 20);
    detector->services[NETFLIX].incident.open = false;
    of(NETFLIX)->n_hour[hour] = 180; /* three evenings: older ones fade */
    live(3, 100, 100);
    assert_int_equal(of(NETFLIX)->n_hour[hour], 180);
}

/* How much it varies is learned beside: counts that jump are worth less than steady ones. */
static void surprises_are_learned(void **state) {
    struct weir_silence_window *window = &of(NETFLIX)->windows[ONE];
    for (int i = 0; i < 70; i++) live(1, 100, 100);
    double steady = window->excess / window->square;
    for (int i = 0; i < 70; i++) live(1, i % 2 ? 40 : 160, 100);
    assert_true(steady < 0.02);
    assert_in_range((int)(1000 * window->excess / window->square), 100, 400); /* 0.6 squared */
}

/* After a restart what is normal is kept, what was seen just before is not. */
static void after_a_restart(void **state) {
    live(1, 0, 100);
    assert_true(of(NETFLIX)->alarm);
    weir_silence_mend(of(NETFLIX));
    assert_true(of(NETFLIX)->alarm);
    assert_int_equal(of(NETFLIX)->n_hour[0], 180);
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++)
        for (int i = 0; i < WEIR_SILENCE_RING; i++)
            assert_true(of(NETFLIX)->windows[w].seen[i] < 0);
    for (int i = 0; i < WEIR_SILENCE_MINUTES; i++)
        assert_int_equal(of(NETFLIX)->tried[i].minute, 0);
    struct weir_silence *good = malloc(sizeof *good);
    *good = *of(NETFLIX);
#define SENSELESS(member, value)                     \
    do {                                             \
        *of(NETFLIX) = *good;                        \
        of(NETFLIX)->member = value;                 \
        weir_silence_mend(of(NETFLIX));              \
        assert_false(of(NETFLIX)->alarm);            \
        assert_int_equal(of(NETFLIX)->n_hour[0], 0); \
    } while (0)
    SENSELESS(found.clients, NAN);
    SENSELESS(found.expected, INFINITY);
    SENSELESS(found.others_share, NAN);
    for (int w = 0; w < WEIR_SILENCE_WINDOWS; w++) {
        SENSELESS(windows[w].excess, NAN);
        SENSELESS(windows[w].square, NAN);
        SENSELESS(windows[w].before, INFINITY);
        SENSELESS(windows[w].hours[0], -1);
        SENSELESS(windows[w].hours[WEIR_HOURS - 1], NAN);
    }
    SENSELESS(n_hour[WEIR_HOURS - 1], 181);
    *of(NETFLIX) = *good;
    of(NETFLIX)->n_hour[1] = 180;
    of(NETFLIX)->windows[0].hours[0] = 0;
    weir_silence_mend(of(NETFLIX));
    assert_true(of(NETFLIX)->alarm);
    free(good);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(silent_within_a_minute),
        TEST(clients_are_counted_not_tries),
        TEST(four_in_five_must_be_missing),
        TEST(few_clients_take_minutes),
        TEST(others_say_whether_people_are_there),
        TEST(a_rush_elsewhere_adds_nothing),
        TEST(the_largest_service_is_not_judged),
        TEST(what_keeps_it_quiet),
        TEST(a_minute_with_a_hole),
        TEST(the_hour_before_must_be_known),
        TEST(another_day_speaks_for_an_unknown_hour),
        TEST(the_next_hour_counts),
        TEST(the_hour_before_counts),
        TEST(it_is_over),
        TEST(a_day_is_the_longest),
        TEST(learning),
        TEST(surprises_are_learned),
        TEST(after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
