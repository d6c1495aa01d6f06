/* The spool: what was added and not done comes back, after any cut and any damage; bounded; one
 * owner. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish/spool.h"

enum { BIG = 1 << 20 };

struct seen {
    size_t n;
    uint64_t seq[4096];
    char text[4096][32];
};

static void note(void *context, uint64_t seq, const uint8_t *bytes, size_t size) {
    struct seen *seen = context;
    assert_true(seen->n < 4096);
    seen->seq[seen->n] = seq;
    snprintf(seen->text[seen->n++], 32, "%.*s", (int)size, (const char *)bytes);
}

static struct seen seen;
static char path[64];

static struct weir_spool *open_spool(size_t max_bytes) {
    struct weir_spool *spool = NULL;
    struct weir_fault fault = {0};
    memset(&seen, 0, sizeof seen);
    if (weir_spool_open(&spool, path, max_bytes, note, &seen, &fault) < 0)
        fail_msg("%s", fault.text);
    return spool;
}

static uint64_t add(struct weir_spool *spool, int i) {
    char text[32];
    uint64_t seq;
    snprintf(text, sizeof text, "record %d", i);
    assert_int_equal(weir_spool_add(spool, (const uint8_t *)text, strlen(text), &seq), 0);
    return seq;
}

static int setup(void **state) {
    strcpy(path, "/tmp/weir-spool-XXXXXX");
    int fd = mkstemp(path);
    close(fd);
    return unlink(path);
}

static int teardown(void **state) { return unlink(path); }

static size_t file_size(void) {
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return (size_t)info.st_size;
}

static void test_what_is_not_done_comes_back(void **state) {
    struct weir_spool *spool = open_spool(BIG);
    uint64_t seq[3];
    for (int i = 0; i < 3; i++) seq[i] = add(spool, i);
    assert_int_equal(weir_spool_sync(spool), 0);
    weir_spool_done(spool, seq[1]);
    weir_spool_done(spool, 999);
    assert_int_equal(weir_spool_read_stats(spool).records, 2);
    weir_spool_close(spool);

    spool = open_spool(BIG);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.text[0], "record 0");
    assert_string_equal(seen.text[1], "record 2");
    assert_true(add(spool, 3) > seq[2]);
    weir_spool_close(spool);
}

static void test_empty_again_when_all_is_done(void **state) {
    struct weir_spool *spool = open_spool(BIG);
    size_t empty = file_size();
    for (int i = 0; i < 100; i++) weir_spool_done(spool, add(spool, i));
    assert_int_equal(file_size(), empty);
    weir_spool_close(spool);
    weir_spool_close(open_spool(BIG));
    assert_int_equal(seen.n, 0);
}

/* Cut at every byte: whole records before the cut are there, the torn one is not, and the file can
 * be written on. */
static void test_torn_tail(void **state) {
    struct weir_spool *spool = open_spool(BIG);
    size_t ends[4] = {file_size()};
    for (int i = 0; i < 3; i++) {
        add(spool, i);
        ends[i + 1] = file_size();
    }
    weir_spool_close(spool);
    uint8_t bytes[1024];
    int fd = open(path, O_RDWR);
    size_t size = (size_t)read(fd, bytes, sizeof bytes);
    close(fd);
    assert_int_equal(size, ends[3]);
    for (size_t cut = 0; cut <= size; cut++) {
        fd = open(path, O_RDWR | O_TRUNC);
        assert_int_equal(write(fd, bytes, cut), cut);
        close(fd);
        size_t whole = cut >= ends[3] ? 3 : cut >= ends[2] ? 2 : cut >= ends[1] ? 1 : 0;
        spool = open_spool(BIG);
        assert_int_equal(seen.n, whole);
        assert_int_equal(weir_spool_read_stats(spool).broken_bytes,
                         cut < ends[0] ? 0 : cut - ends[whole]);
        add(spool, 9);
        weir_spool_close(spool);
        weir_spool_close(open_spool(BIG));
        assert_int_equal(seen.n, whole + 1);
        assert_string_equal(seen.text[whole], "record 9");
    }
}

/* One byte flipped anywhere costs at most its own record. */
static void test_damage(void **state) {
    struct weir_spool *spool = open_spool(BIG);
    for (int i = 0; i < 3; i++) add(spool, i);
    weir_spool_close(spool);
    uint8_t bytes[1024];
    int fd = open(path, O_RDWR);
    size_t size = (size_t)read(fd, bytes, sizeof bytes);
    close(fd);
    for (size_t at = 8; at < size; at++) {
        bytes[at] ^= 0x55;
        fd = open(path, O_RDWR | O_TRUNC);
        assert_int_equal(write(fd, bytes, size), size);
        close(fd);
        bytes[at] ^= 0x55;
        weir_spool_close(open_spool(BIG));
        assert_int_equal(seen.n, 2);
    }
}

static void test_bound(void **state) {
    enum { BOUND = 4096 };
    struct weir_spool *spool = open_spool(BOUND);
    for (int i = 0; i < 1000; i++) {
        add(spool, i);
        assert_true(file_size() <= BOUND);
    }
    struct weir_spool_stats stats = weir_spool_read_stats(spool);
    assert_int_equal(stats.records + stats.dropped, 1000);
    weir_spool_close(spool);
    spool = open_spool(BOUND);
    assert_int_equal(seen.n, stats.records);
    assert_string_equal(seen.text[seen.n - 1], "record 999");
    char oldest[32];
    snprintf(oldest, sizeof oldest, "record %d", (int)stats.dropped);
    assert_string_equal(seen.text[0], oldest);
    weir_spool_close(spool);
}

/* Much goes through while one record stays: the file is compacted, and nothing wanted is lost. */
static void test_compaction(void **state) {
    struct weir_spool *spool = open_spool(4096);
    add(spool, -1);
    for (int i = 0; i < 1000; i++) weir_spool_done(spool, add(spool, i));
    assert_int_equal(weir_spool_read_stats(spool).dropped, 0);
    weir_spool_close(spool);
    weir_spool_close(open_spool(4096));
    assert_int_equal(seen.n, 1);
    assert_string_equal(seen.text[0], "record -1");
}

static void test_one_owner_and_no_others_file(void **state) {
    struct weir_fault fault = {0};
    struct weir_spool *spool = open_spool(BIG), *second = NULL;
    assert_int_equal(weir_spool_open(&second, path, BIG, note, &seen, &fault), -EBUSY);
    weir_spool_close(spool);
    int fd = open(path, O_RDWR | O_TRUNC);
    assert_int_equal(write(fd, "a letter to my aunt", 19), 19);
    close(fd);
    assert_int_equal(weir_spool_open(&second, path, BIG, note, &seen, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, path));
    assert_int_equal(file_size(), 19);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_not_done_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_again_when_all_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_owner_and_no_others_file, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
