/* history.db: what is written is read, killed writers lose nothing that they were told is there,
 * and a year fits. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history/store.h"

#define BEGIN_US (INT64_C(490000) * WEIR_HOUR_US)

static char directory[64];
static struct weir_fault fault;

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *where) {
    return remove(path);
}

static int setup(void **state) {
    strcpy(directory, "/tmp/weir-history-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state) { return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

static struct weir_history_store *open_store(void) {
    struct weir_history_store *store = NULL;
    if (weir_history_store_open(&store, directory, "home", &fault) < 0) fail_msg("%s", fault.text);
    return store;
}

static struct weir_history_hour an_hour(int64_t n) {
    return (struct weir_history_hour){.start_us = BEGIN_US + n * WEIR_HOUR_US,
                                      .healthy_s = (int32_t)(3600 - n % 500),
                                      .down_s = (int32_t)(n % 500),
                                      .judged_s = 3600,
                                      .trials_ok = 100000 + n % 9999,
                                      .trials_fail = n % 777,
                                      .goodput_bps = 25000000 + (double)(n % 1234567),
                                      .ttfb_us = 30000 + n % 999,
                                      .rtt_server_us = 12000 + n % 999,
                                      .rtt_client_us = NAN,
                                      .loss_server = 0.000123,
                                      .loss_client = 0.01};
}

static struct weir_history_incident an_event(int n, const char *event) {
    static char json[3000];
    struct weir_history_incident incident = {.onset_us = BEGIN_US + n * INT64_C(1000000),
                                             .raised_us = BEGIN_US + n * INT64_C(1000000) + 1,
                                             .told_us = BEGIN_US + n * INT64_C(1000000) + 2,
                                             .text = (char *)"netflix is down",
                                             .json = json};
    if (!json[0]) snprintf(json, sizeof json, "{\"text\":\"%02000d\"}", 7);
    snprintf(incident.id, sizeof incident.id, "netflix-%d", n);
    snprintf(incident.event, sizeof incident.event, "%s", event);
    strcpy(incident.service, "netflix");
    strcpy(incident.state, "down");
    strcpy(incident.cause, "service");
    return incident;
}

static void put_event(struct weir_history_store *store, int n, const char *kind) {
    struct weir_history_incident incident = an_event(n, kind);
    assert_int_equal(weir_history_store_begin(store, &fault), 0);
    assert_int_equal(weir_history_store_event(store, &incident, &fault), 0);
    assert_int_equal(weir_history_store_end(store, &fault), 0);
}

static int count_event(void *context, int64_t seq, const char *id, const char *json) {
    ++*(int64_t *)context;
    return 0;
}

static int64_t count_events(struct weir_history_store *store) {
    int64_t n = 0;
    assert_int_equal(weir_history_store_events(store, NULL, 0, INT64_MAX, count_event, &n, &fault),
                     0);
    return n;
}

static void test_what_is_written_is_read(void **state) {
    struct weir_history_store *store = open_store();
    struct weir_history_hour hour = an_hour(5), there;
    assert_int_equal(weir_history_store_read_hour(store, "netflix", hour.start_us, &there, &fault),
                     0);
    assert_int_equal(weir_history_store_begin(store, &fault), 0);
    assert_int_equal(weir_history_store_hour(store, "netflix", &hour, &fault), 0);
    hour.down_s = 17; /* takes the place of the first */
    hour.healthy_s = 3583;
    assert_int_equal(weir_history_store_hour(store, "netflix", &hour, &fault), 0);
    assert_int_equal(weir_history_store_end(store, &fault), 0);
    assert_int_equal(weir_history_store_read_hour(store, "netflix", hour.start_us, &there, &fault),
                     1);
    assert_int_equal(there.down_s, 17);
    assert_int_equal(there.judged_s, 3600);
    assert_true(there.goodput_bps == hour.goodput_bps && isnan(there.rtt_client_us) &&
                fabs(there.loss_server - hour.loss_server) < 1e-6);
    put_event(store, 1, "raised");
    put_event(store, 1, "raised"); /* told again */
    put_event(store, 1, "cleared");
    assert_int_equal(count_events(store), 2);
    weir_history_store_free(store);
    char site[160];
    assert_int_equal(weir_history_store_open_to_read(&store, directory, NULL, site, &fault), 0);
    assert_string_equal(site, "home");
    assert_int_equal(count_events(store), 2);
    weir_history_store_free(store);
}

static void test_old_rows_go(void **state) {
    struct weir_history_store *store = open_store();
    struct weir_history_hour hour = an_hour(0);
    assert_int_equal(weir_history_store_begin(store, &fault), 0);
    assert_int_equal(weir_history_store_hour(store, "netflix", &hour, &fault), 0);
    assert_int_equal(weir_history_store_prune(
                         store, hour.start_us + WEIR_HISTORY_DAYS * 24 * WEIR_HOUR_US, &fault),
                     0);
    assert_int_equal(weir_history_store_read_hour(store, "netflix", hour.start_us, &hour, &fault),
                     1);
    assert_int_equal(
        weir_history_store_prune(store, hour.start_us + (WEIR_HISTORY_DAYS * 24 + 1) * WEIR_HOUR_US,
                                 &fault),
        0);
    assert_int_equal(weir_history_store_read_hour(store, "netflix", hour.start_us, &hour, &fault),
                     0);
    assert_int_equal(weir_history_store_end(store, &fault), 0);
    weir_history_store_free(store);
}

static void test_a_damaged_file_is_put_aside(void **state) {
    char path[128];
    snprintf(path, sizeof path, "%s/history.db", directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 10000; i++) fputs("no database", file);
    fclose(file);
    struct weir_history_store *store = open_store();
    put_event(store, 1, "raised");
    assert_int_equal(count_events(store), 1);
    weir_history_store_free(store);
    snprintf(path, sizeof path, "%s/history.db.damaged", directory);
    assert_int_equal(access(path, R_OK), 0);
}

/* A child writes events and hours, and says after each on a pipe that it is on disk; it is killed
 * at any moment. */
static void write_until_killed(int pipe_end, int first) {
    struct weir_history_store *store = open_store();
    for (int n = first;; n++) {
        struct weir_history_hour hour = an_hour(n);
        put_event(store, n, "raised");
        if (weir_history_store_begin(store, &fault) < 0 ||
            weir_history_store_hour(store, "netflix", &hour, &fault) < 0 ||
            weir_history_store_end(store, &fault) < 0 || write(pipe_end, &n, sizeof n) != sizeof n)
            _exit(1);
    }
}

static int kill_one(int first, useconds_t after_us) {
    int ends[2], n, last = first - 1;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) write_until_killed(ends[1], first);
    close(ends[1]);
    if (read(ends[0], &n, sizeof n) == sizeof n) /* however busy the machine is, it has begun */
        last = n;
    usleep(after_us);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(ends[0], &n, sizeof n) == sizeof n) last = n;
    close(ends[0]);
    return last;
}

static void test_killed_at_any_moment(void **state) {
    const char *campaign = getenv("WEIR_KILLS");
    int last = -1, kills = campaign ? atoi(campaign) : 15;
    for (int i = 0; i < kills; i++) {
        last = kill_one(last + 1, (useconds_t)(5000 + i * 7919 % 40000));
        struct weir_history_store *store = open_store();
        int64_t n = count_events(store);
        struct weir_history_hour hour;
        assert_true(n >= last + 1);
        if (last >= 0)
            assert_int_equal(weir_history_store_read_hour(
                                 store, "netflix", BEGIN_US + last * WEIR_HOUR_US, &hour, &fault),
                             1);
        weir_history_store_free(store);
        last = (int)n - 1;
    }
    print_message("# %d kills, %d events, none lost\n", kills, last + 1);
    assert_true(last > kills);
}

static void test_a_year_of_25_services_fits(void **state) {
    struct weir_history_store *store = open_store();
    char name[16], path[128];
    struct stat stat_of;
    for (int n = 0; n < 366 * 24; n++) {
        if (n % 24 == 0) assert_int_equal(weir_history_store_begin(store, &fault), 0);
        struct weir_history_hour hour = an_hour(n);
        for (int s = 0; s < 25; s++) {
            snprintf(name, sizeof name, "service%d", s);
            assert_int_equal(weir_history_store_hour(store, name, &hour, &fault), 0);
        }
        if (n % 12 == 0) { /* two incidents a day, of four events each */
            static const char *const kinds[] = {"raised", "updated", "reopened", "cleared"};
            for (int k = 0; k < 4; k++) {
                struct weir_history_incident incident = an_event(n, kinds[k]);
                assert_int_equal(weir_history_store_event(store, &incident, &fault), 0);
            }
        }
        if (n % 24 == 23) assert_int_equal(weir_history_store_end(store, &fault), 0);
    }
    weir_history_store_free(store);
    snprintf(path, sizeof path, "%s/history.db", directory);
    assert_int_equal(stat(path, &stat_of), 0);
    print_message("# a year of 25 services: %.1f MiB\n", (double)stat_of.st_size / 1048576);
    assert_true(stat_of.st_size < 50 << 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_written_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_rows_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_file_is_put_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_year_of_25_services_fits, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
