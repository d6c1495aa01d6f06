#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/state_io.h"

enum { FILE_MAX = 256 << 20 };
#define TOO_OLD_US (INT64_C(7) * 86400 * 1000000)
#define AHEAD_US   INT64_C(60000000)

int weir_state_io_read(const char *directory, const char *name, size_t least, uint8_t **ret_bytes, size_t *ret_n, struct weir_fault *fault)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat stat;
    if (fd < 0)
        return errno == ENOENT ? WEIR_STATE_NONE : (weir_fault_set(fault, 0, "%s: %s", path, strerror(errno)), WEIR_STATE_NONE);
    uint8_t *bytes = NULL;
    size_t n = 0;
    if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_size >= (off_t)least && stat.st_size <= FILE_MAX)
        bytes = malloc((size_t)stat.st_size);
    while (bytes && n < (size_t)stat.st_size) {
        ssize_t got = read(fd, bytes + n, (size_t)stat.st_size - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    if (bytes && n == (size_t)stat.st_size) {
        *ret_bytes = bytes;
        *ret_n = n;
        return 0;
    }
    free(bytes);
    weir_fault_set(fault, 0, "%s: not a state of weir's; what was learned before is not used", path);
    return WEIR_STATE_NONE;
}

static int write_all(int fd, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(fd, (const uint8_t *)bytes + done, n - done);
        if (wrote < 0 && errno != EINTR)
            return -errno;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

int weir_state_io_replace(const char *directory, const char *name, const void *head, size_t n_head, const void *body, size_t n_body,
                          struct weir_fault *fault)
{
    char path[PATH_MAX], beside[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    snprintf(beside, sizeof beside, "%s/%s.new", directory, name);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), error = fd < 0 ? -errno : 0;
    if (!error)
        error = write_all(fd, head, n_head);
    if (!error)
        error = write_all(fd, body, n_body);
    if (!error && fdatasync(fd) < 0)
        error = -errno;
    if (fd >= 0)
        close(fd);
    if (!error && rename(beside, path) < 0)
        error = -errno;
    return error ? weir_fault_set(fault, error, "%s: cannot be written: %s", path, strerror(-error)) : 0;
}

const char *weir_state_io_age(int64_t saved_us, int64_t now_us)
{
    if (saved_us > now_us + AHEAD_US)
        return "of a later time than these packets";
    return now_us - saved_us > TOO_OLD_US ? "more than a week old" : NULL;
}
