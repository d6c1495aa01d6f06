/* The meeting: all ticks, in order, each with every worker's block, in parts, one thread at a time,
 * whoever does them. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "engine/meeting.h"

enum { WORKERS = 3, TICKS = 200, PARTS = 3, WINDOW = 10, N_BLOCKS = 3, NEVER = TICKS + 1 };

static struct {
    struct weir_meeting *meeting;
    atomic_int inside;
    int n_parts, n_ticks, wrong;
    int fails_at; /* tick */
    int n_delivered[WORKERS];
} at;

static enum weir_meeting_part do_part(void *context, const struct weir_block *blocks) {
    (void)context;
    at.wrong += atomic_fetch_add(&at.inside, 1) != 0;
    for (int w = 0; w < WORKERS; w++)
        at.wrong += blocks[w].tick_us != at.n_ticks || blocks[w].n_flows != (size_t)w;
    bool last = ++at.n_parts % PARTS == 0, failed = at.n_ticks == at.fails_at;
    at.n_ticks += last;
    atomic_fetch_sub(&at.inside, 1);
    return failed ? WEIR_MEETING_FAILED : last ? WEIR_MEETING_LAST : WEIR_MEETING_MORE;
}

static void *run_worker(void *context) {
    unsigned worker = (unsigned)(uintptr_t)context;
    for (int tick = 0; tick < TICKS && !weir_meeting_failed(at.meeting); tick++) {
        bool window_end = tick % WINDOW == WINDOW - 1;
        weir_meeting_wait(at.meeting, worker, window_end);
        weir_meeting_deliver(
            at.meeting, worker,
            &(struct weir_block){.tick_us = tick, .n_flows = worker, .window_end = window_end});
        at.n_delivered[worker]++;
        if (worker == 0) weir_meeting_help(at.meeting);
    }
    return NULL;
}

static void meet(bool own_thread, int fails_at) {
    const struct weir_meeting_config config = {
        .n_workers = WORKERS, .n_blocks = N_BLOCKS, .own_thread = own_thread, .work = do_part};
    pthread_t threads[WORKERS];
    at.n_parts = at.n_ticks = at.wrong = 0;
    at.fails_at = fails_at;
    for (int w = 0; w < WORKERS; w++) at.n_delivered[w] = 0;
    assert_int_equal(weir_meeting_new(&at.meeting, &config), 0);
    assert_int_equal(weir_meeting_start(at.meeting), 0);
    for (uintptr_t w = 0; w < WORKERS; w++)
        assert_int_equal(pthread_create(&threads[w], NULL, run_worker, (void *)w), 0);
    for (int w = 0; w < WORKERS; w++) pthread_join(threads[w], NULL);
    weir_meeting_stop(at.meeting);
    assert_int_equal(at.wrong, 0);
}

static void test_every_tick_is_worked_on(void **state) {
    (void)state;
    for (int own_thread = 0; own_thread < 2; own_thread++) {
        meet(own_thread, NEVER);
        assert_int_equal(at.n_ticks, TICKS);
        assert_int_equal(at.n_parts, TICKS * PARTS);
        assert_false(weir_meeting_failed(at.meeting));
        weir_meeting_free(at.meeting);
    }
}

/* Nobody waits for ever for a tick that will not be done; none gets further than its blocks. */
static void test_failure_ends_it(void **state) {
    (void)state;
    for (int own_thread = 0; own_thread < 2; own_thread++) {
        meet(own_thread, 25);
        assert_int_equal(at.n_ticks, 25);
        assert_true(weir_meeting_failed(at.meeting));
        for (int w = 0; w < WORKERS; w++) assert_in_range(at.n_delivered[w], 25, 25 + N_BLOCKS + 1);
        weir_meeting_free(at.meeting);
    }
    weir_meeting_free(NULL);
}

/* The work on a tick that is over only when the worker has gone on. */
static enum weir_meeting_part wait_for_worker(void *context, const struct weir_block *blocks) {
    sem_t *gone_on = context;
    struct timespec until;
    (void)blocks;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    return sem_timedwait(gone_on, &until) == 0 ? WEIR_MEETING_LAST : WEIR_MEETING_FAILED;
}

/* With a second block and a thread for the work, the only worker of an interface is not kept. */
static void test_lone_worker_goes_on(void **state) {
    (void)state;
    sem_t gone_on;
    const struct weir_meeting_config config = {.n_workers = 1,
                                               .n_blocks = 2,
                                               .own_thread = true,
                                               .work = wait_for_worker,
                                               .context = &gone_on};
    struct weir_meeting *meeting;
    sem_init(&gone_on, 0, 0);
    assert_int_equal(weir_meeting_new(&meeting, &config), 0);
    assert_int_equal(weir_meeting_start(meeting), 0);
    for (int tick = 0; tick < 5; tick++) {
        weir_meeting_wait(meeting, 0, tick == 4);
        weir_meeting_deliver(meeting, 0,
                             &(struct weir_block){.tick_us = tick, .window_end = tick == 4});
        sem_post(&gone_on);
    }
    weir_meeting_stop(meeting);
    assert_false(weir_meeting_failed(meeting));
    weir_meeting_free(meeting);
    sem_destroy(&gone_on);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_tick_is_worked_on),
                                       cmocka_unit_test(test_lone_worker_goes_on),
                                       cmocka_unit_test(test_failure_ends_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
