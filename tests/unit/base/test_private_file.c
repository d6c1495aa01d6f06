/* Files that others have put in the way: links, pipes, sparse giants, a full disk. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/private_file.h"

static char directory[64], path[128], other[128];

static int set_up(void **state) {
    strcpy(directory, "/tmp/weir-private-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/file", directory);
    snprintf(other, sizeof other, "%s/other", directory);
    return 0;
}

static int tear_down(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static void put(const char *where, const char *text) {
    const struct weir_piece piece = {text, strlen(text)};
    assert_int_equal(weir_private_replace(where, 0600, true, &piece, 1), 0);
}

static void holds(const char *where, const char *text) {
    char *bytes;
    size_t n;
    assert_int_equal(weir_private_read(where, 1000, &bytes, &n), 0);
    assert_int_equal(n, strlen(text));
    assert_string_equal(bytes, text);
    free(bytes);
}

static void test_there_and_back(void **state) {
    struct stat stat_of;
    char *bytes;
    size_t n;
    assert_int_equal(weir_private_read(path, 1000, &bytes, &n), -ENOENT);
    put(path, "one");
    put(path, "two");
    holds(path, "two");
    assert_int_equal(weir_private_append(path, 1000, "+3", 2), 0);
    holds(path, "two+3");
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
    assert_int_equal(weir_private_append(path, 6, "xx", 2), -EFBIG);
}

static void test_links_are_not_followed(void **state) {
    char *bytes;
    size_t n;
    put(other, "secret");
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(weir_private_read(path, 1000, &bytes, &n), -ENXIO);
    assert_int_equal(weir_private_append(path, 1000, "x", 1), -ENXIO);
    put(path, "mine"); /* takes the link's place */
    holds(other, "secret");
    holds(path, "mine");
    unlink(path);
    assert_int_equal(link(other, path), 0);
    assert_int_equal(weir_private_append(path, 1000, "x", 1), -ENXIO);
}

static void test_pipes_and_giants_are_refused_at_once(void **state) {
    char *bytes;
    size_t n;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(weir_private_read(path, 1000, &bytes, &n), -ENXIO);
    assert_int_equal(weir_private_append(path, 1000, "x", 1), -ENXIO);
    put(other, "");
    assert_int_equal(truncate(other, (off_t)20 << 30), 0);
    assert_int_equal(weir_private_read(other, 1000, &bytes, &n), -EFBIG);
}

static unsigned files(void) {
    char command[128];
    snprintf(command, sizeof command, "ls -A %s | wc -l", directory);
    FILE *pipe = popen(command, "r");
    unsigned n = 0;
    assert_int_equal(fscanf(pipe, "%u", &n), 1);
    pclose(pipe);
    return n;
}

static void test_a_failed_write_leaves_the_old_file_and_nothing_else(void **state) {
    static char big[100000];
    const struct weir_piece piece = {big, sizeof big};
    struct rlimit before, small;
    put(path, "old");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 5000; /* as a full disk */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int error = weir_private_replace(path, 0600, true, &piece, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(error, -EFBIG);
    holds(path, "old");
    assert_int_equal(files(), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links_are_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pipes_and_giants_are_refused_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_write_leaves_the_old_file_and_nothing_else,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
