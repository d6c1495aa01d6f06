/* A confined child writes below its directory and nowhere else, though its user could. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "confine/confine.h"

static int try_open(const char *directory, const char *name, int how) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, how | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : close(fd);
}

/* 0; 77: no Landlock here; else the number of the deed that went wrong. */
static int deeds(const char *inside, const char *outside) {
    struct weir_fault fault = {0};
    char from[128], to[128];
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return 1;
    const struct weir_confinement how = {.state = inside};
    int answer = weir_confine_files(&how, &fault);
    if (answer != 0) return answer > 0 ? 77 : 2;
    if (try_open(inside, "new", O_CREAT | O_WRONLY) != 0) return 3;
    if (try_open(outside, "new", O_CREAT | O_WRONLY) != -EACCES) return 4;
    if (try_open(outside, "old", O_WRONLY) != -EACCES ||
        try_open(outside, "old", O_RDONLY) != -EACCES)
        return 5;
    snprintf(from, sizeof from, "%s/new", inside);
    snprintf(to, sizeof to, "%s/old", inside);
    if (rename(from, to) != 0 || unlink(to) != 0) return 6;
    snprintf(from, sizeof from, "%s/old", outside);
    if (unlink(from) == 0 || errno != EACCES) return 7;
    return try_open("/dev", "null", O_WRONLY) == 0 ? 0 : 8;
}

static void test_writing_stays_inside(void **state) {
    char inside[] = "/tmp/weir-inside-XXXXXX", outside[] = "/tmp/weir-outside-XXXXXX", old[128];
    assert_non_null(mkdtemp(inside));
    assert_non_null(mkdtemp(outside));
    assert_int_equal(try_open(outside, "old", O_CREAT | O_WRONLY), 0);
    pid_t child = fork();
    if (child == 0) _exit(deeds(inside, outside));
    int status = 0;
    waitpid(child, &status, 0);
    snprintf(old, sizeof old, "%s/old", outside);
    unlink(old);
    rmdir(outside);
    rmdir(inside);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_writing_stays_inside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
