/* See private_file.h: one handle of the directory, one look at what was opened, then reading or
 * replacing. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/private_file.h"

enum { OPEN_ALWAYS = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, TRIES = 16 };

int weir_private_directory(const char *path, const char **ret_name) {
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof directory) return -ENAMETOOLONG;
    memcpy(directory, path, length);
    directory[length] = '\0';
    *ret_name = slash ? slash + 1 : path;
    int fd = open(!slash ? "." : length ? directory : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int refuse_unless_plain(int fd, size_t max_bytes) {
    struct stat stat;
    if (fstat(fd, &stat) < 0) return -errno;
    if (!S_ISREG(stat.st_mode) || stat.st_nlink > 1) return -ENXIO;
    return stat.st_size < 0 || (uintmax_t)stat.st_size > max_bytes ? -EFBIG : 0;
}

int weir_private_open(int directory, const char *name, int flags, size_t max_bytes) {
    int fd = openat(directory, name, flags | OPEN_ALWAYS, 0600);
    if (fd < 0) /* a link, or a FIFO without a reader */
        return errno == ELOOP ? -ENXIO : -errno;
    int error = refuse_unless_plain(fd, max_bytes);
    if (error) close(fd);
    return error ? error : fd;
}

static ssize_t read_whole(int fd, char *bytes, size_t room) {
    size_t n = 0;
    while (n < room) {
        ssize_t got = read(fd, bytes + n, room - n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? -errno : (ssize_t)n;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

int weir_private_read(const char *path, size_t max_bytes, char **ret_bytes, size_t *ret_n) {
    const char *name;
    int directory = weir_private_directory(path, &name);
    if (directory < 0) return directory;
    int fd = weir_private_open(directory, name, O_RDONLY, max_bytes);
    close(directory);
    if (fd < 0) return fd;
    struct stat stat = {0};
    size_t room = fstat(fd, &stat) == 0 ? (size_t)stat.st_size : 0;
    char *bytes = malloc(room + 1);
    ssize_t n = bytes ? read_whole(fd, bytes, room) : -ENOMEM;
    close(fd);
    if (n < 0) {
        free(bytes);
        return (int)n;
    }
    bytes[n] = '\0';
    *ret_bytes = bytes;
    *ret_n = (size_t)n;
    return 0;
}

static int write_piece(int fd, const struct weir_piece *piece) {
    for (size_t done = 0; done < piece->n;) {
        ssize_t wrote = write(fd, (const char *)piece->bytes + done, piece->n - done);
        if (wrote < 0 && errno != EINTR) return -errno;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

/* A new file under a name that nobody foresaw, so that nobody can have put something there. */
static int make_beside(int directory, const char *name, char *beside, size_t size, mode_t mode) {
    for (unsigned i = 0; i < TRIES; i++) {
        int length = snprintf(beside, size, ".%s.%u.%d.new", name, i, (int)getpid());
        if (length < 0 || (size_t)length >= size) return -ENAMETOOLONG;
        int fd = openat(directory, beside, O_WRONLY | O_CREAT | O_EXCL | OPEN_ALWAYS, mode);
        if (fd >= 0 || errno != EEXIST) return fd < 0 ? -errno : fd;
        unlinkat(directory, beside, 0); /* what a killed run of this name left */
    }
    return -EEXIST;
}

static int fill_and_close(int fd, bool sync, const struct weir_piece *pieces, size_t n_pieces) {
    int error = 0;
    for (size_t i = 0; !error && i < n_pieces; i++) error = write_piece(fd, &pieces[i]);
    if (!error && sync && fdatasync(fd) < 0) error = -errno;
    if (close(fd) < 0 && !error) error = -errno;
    return error;
}

int weir_private_replace(const char *path, mode_t mode, bool sync, const struct weir_piece *pieces,
                         size_t n_pieces) {
    char beside[NAME_MAX + 1];
    const char *name;
    int directory = weir_private_directory(path, &name);
    if (directory < 0) return directory;
    int fd = make_beside(directory, name, beside, sizeof beside, mode);
    int error = fd < 0 ? fd : fill_and_close(fd, sync, pieces, n_pieces);
    if (!error && renameat(directory, beside, directory, name) < 0) error = -errno;
    if (error && fd >= 0) unlinkat(directory, beside, 0);
    close(directory);
    return error;
}

int weir_private_append(const char *path, size_t max_bytes, const void *bytes, size_t n) {
    const char *name;
    int directory = weir_private_directory(path, &name);
    if (directory < 0) return directory;
    int fd = n > max_bytes
                 ? -EFBIG
                 : weir_private_open(directory, name, O_WRONLY | O_APPEND | O_CREAT, max_bytes - n);
    close(directory);
    if (fd < 0) return fd;
    int error = write_piece(fd, &(struct weir_piece){bytes, n});
    if (close(fd) < 0 && !error) error = -errno;
    return error;
}

const char *weir_private_error(int error) {
    switch (error) {
    case -ENXIO:
        return "not a plain file (a link, a pipe, or a file with several names): move it away";
    case -EFBIG: return "larger than anything that weir writes there: move it away";
    default: return strerror(-error);
    }
}
