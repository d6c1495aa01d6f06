/* Redis' errors by kind, and that each is told once when it begins and once when it is over; slots
 * of keys. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "publish/redis_slot.h"
#include "publish/redis_trouble.h"

static void test_kinds(void **state) {
    static const struct {
        const char *error;
        enum weir_trouble trouble;
        enum weir_remedy remedy;
    } cases[] = {
        {"NOAUTH Authentication required.", WEIR_TROUBLE_AUTH, WEIR_REMEDY_RECONNECT},
        {"WRONGPASS invalid username-password pair or user is disabled.", WEIR_TROUBLE_AUTH,
         WEIR_REMEDY_RECONNECT},
        {"LOADING Redis is loading the dataset in memory", WEIR_TROUBLE_LOADING,
         WEIR_REMEDY_RECONNECT},
        {"READONLY You can't write against a read only replica.", WEIR_TROUBLE_READONLY,
         WEIR_REMEDY_RECONNECT},
        {"OOM command not allowed when used memory > 'maxmemory'.", WEIR_TROUBLE_FULL,
         WEIR_REMEDY_WAIT},
        {"MISCONF Redis is configured to save RDB snapshots", WEIR_TROUBLE_DISK, WEIR_REMEDY_WAIT},
        {"CLUSTERDOWN The cluster is down", WEIR_TROUBLE_CLUSTER, WEIR_REMEDY_WAIT},
        {"MOVED 3999 127.0.0.1:6381", WEIR_TROUBLE_MOVED, WEIR_REMEDY_REDIRECT},
        {"ASK 3999 127.0.0.1:6381", WEIR_TROUBLE_ASK, WEIR_REMEDY_ASK},
        {"ERR The ID specified in XADD is equal or smaller than the target stream top item",
         WEIR_TROUBLE_ID, WEIR_REMEDY_LOOK_UP},
        {"WRONGTYPE Operation against a key holding the wrong kind of value", WEIR_TROUBLE_TYPE,
         WEIR_REMEDY_REFUSE},
        {"NOPERM this user has no permissions", WEIR_TROUBLE_PERMISSION, WEIR_REMEDY_REFUSE},
        {"ERR unknown command 'XADD'", WEIR_TROUBLE_OTHER, WEIR_REMEDY_REFUSE},
        {"", WEIR_TROUBLE_OTHER, WEIR_REMEDY_REFUSE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(weir_trouble_of_answer(cases[i].error)->trouble, cases[i].trouble);
        assert_int_equal(weir_trouble_of_answer(cases[i].error)->remedy, cases[i].remedy);
    }
}

static void test_every_trouble_has_a_row(void **state) {
    for (int i = 1; i < WEIR_TROUBLE_N; i++)
        assert_int_equal(weir_trouble_row((enum weir_trouble)i)->trouble, i);
}

static void test_told_once(void **state) {
    struct weir_troubles troubles = {0};
    int64_t lasted;
    int told = 0, over = 0;
    /* a minute of refused connects, tried now and then */
    for (int64_t now = 0; now < 60000; now += 100) {
        if (now % 4000 == 0)
            told += weir_troubles_meet(&troubles, WEIR_TROUBLE_CONNECT, "refused", now);
        weir_troubles_hold(&troubles, now);
        over += weir_troubles_over(&troubles, now, &lasted) != WEIR_TROUBLE_NONE;
    }
    assert_int_equal(told, 1);
    assert_int_equal(over, 0);
    assert_int_equal(weir_troubles_over(&troubles, 60500, &lasted), WEIR_TROUBLE_NONE);
    assert_int_equal(weir_troubles_over(&troubles, 62000, &lasted), WEIR_TROUBLE_CONNECT);
    assert_int_equal(lasted, 59900);
    assert_int_equal(weir_troubles_over(&troubles, 62000, &lasted), WEIR_TROUBLE_NONE);
    assert_true(weir_troubles_meet(&troubles, WEIR_TROUBLE_CONNECT, "refused again", 70000));
    assert_string_equal(troubles.last_error, "refused again");
    assert_false(weir_troubles_meet(&troubles, WEIR_TROUBLE_MOVED, "MOVED 1 h:1",
                                    70000)); /* everyday life of a cluster */
}

static void test_slots(void **state) {
    assert_int_equal(weir_redis_slot("123456789", 9), 0x31c3);
    assert_int_equal(weir_redis_slot("foo", 3), 12182);
    assert_int_equal(weir_redis_slot("weir:{foo}:probe", 16), 12182);
    assert_int_equal(weir_redis_slot("a{}b", 4), weir_redis_slot("a{}b", 4));
    assert_int_not_equal(weir_redis_slot("{}foo", 5),
                         weir_redis_slot("", 0)); /* an empty tag is none */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds), cmocka_unit_test(test_every_trouble_has_a_row),
        cmocka_unit_test(test_told_once), cmocka_unit_test(test_slots)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
