/* Preloaded into weir: the n-th call of one kind fails, all others are done.
 *
 *      WEIR_FAIL=alloc:120      malloc, calloc, realloc, aligned allocations        ENOMEM
 *      WEIR_FAIL=write:3        write, writev, pwrite, fwrite to files              ENOSPC
 *      WEIR_FAIL=sync:1         fsync, fdatasync                                    EIO
 *      WEIR_FAIL=open:5         open, openat, fopen                                 EMFILE
 *      WEIR_FAIL=connect:1      connect, socket                                     ENETUNREACH
 *      WEIR_FAIL=rename:1       rename, renameat                                    EIO
 *      WEIR_FAIL=alloc:120+     that call and every later one of its kind
 *
 * At the end of the process the number of calls of that kind is written to the file of
 * WEIR_FAIL_COUNT, so that whoever drives it knows how far n goes. Calls before main() count as
 * well.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* weir's own malloc calls these names of the C library's; so do we, one further on. */
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_long calls;
static long fails_at;
static bool and_later;
static char kind[16];
static int count_to = -1;

__attribute__((constructor)) static void begin(void) {
    const char *how = getenv("WEIR_FAIL"), *where = getenv("WEIR_FAIL_COUNT");
    const char *colon = how ? strchr(how, ':') : NULL;
    if (!colon || (size_t)(colon - how) >= sizeof kind) return;
    if (where) count_to = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    memcpy(kind, how, (size_t)(colon - how));
    char *end;
    fails_at = strtol(colon + 1, &end, 10);
    and_later = *end == '+';
    atomic_store(&calls, 0);
}

__attribute__((destructor)) static void end(void) {
    char text[24];
    int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
    kind[0] = '\0';
    if (count_to >= 0) (void)!write(count_to, text, (size_t)length);
}

static bool fails(const char *which) {
    if (!kind[0] || strcmp(kind, which) != 0) return false;
    long n = atomic_fetch_add(&calls, 1) + 1;
    return fails_at && (and_later ? n >= fails_at : n == fails_at);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
/* clang-format off */
#define OR_FAIL(which, error, bad, call) \
    do { \
        if (fails(which)) { \
            errno = error; \
            return bad; \
        } \
        return call; \
    } while (0)
/* clang-format on */

void *__libc_malloc(size_t n) { OR_FAIL("alloc", ENOMEM, NULL, REAL(__libc_malloc)(n)); }
void *__libc_calloc(size_t n, size_t size) {
    OR_FAIL("alloc", ENOMEM, NULL, REAL(__libc_calloc)(n, size));
}
void *__libc_realloc(void *old, size_t n) {
    OR_FAIL("alloc", ENOMEM, NULL, REAL(__libc_realloc)(old, n));
}
void *malloc(size_t n) { return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return __libc_calloc(n, size); }
void *realloc(void *old, size_t n) { return __libc_realloc(old, n); }
void *aligned_alloc(size_t alignment, size_t n) {
    OR_FAIL("alloc", ENOMEM, NULL, __libc_memalign(alignment, n));
}
int posix_memalign(void **ret, size_t alignment, size_t n) {
    if (fails("alloc")) return ENOMEM;
    *ret = __libc_memalign(alignment, n);
    return *ret ? 0 : ENOMEM;
}
/* A file, a socket, and standard output whatever it is may fail so; an eventfd and the pipe that
 * libuv keeps to itself cannot. */
static bool fails_on(int fd) {
    char link[40], what[16] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return kind[0] == 'w' && readlink(link, what, sizeof what - 1) > 0 &&
           strncmp(what, "anon_inode:", 11) != 0 &&
           (fd <= STDERR_FILENO || strncmp(what, "pipe:", 5) != 0) && fails("write");
}
/* clang-format off */
#define OR_FAIL_ON(fd, call) \
    do { \
        if (fails_on(fd)) { \
            errno = ENOSPC; \
            return -1; \
        } \
        return call; \
    } while (0)
/* clang-format on */
ssize_t write(int fd, const void *bytes, size_t n) { OR_FAIL_ON(fd, REAL(write)(fd, bytes, n)); }
ssize_t writev(int fd, const struct iovec *pieces, int n) {
    OR_FAIL_ON(fd, REAL(writev)(fd, pieces, n));
}
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
    OR_FAIL_ON(fd, REAL(pwrite)(fd, bytes, n, at));
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    OR_FAIL_ON(fd, REAL(pwrite64)(fd, bytes, n, at));
}
size_t fwrite(const void *bytes, size_t size, size_t n, FILE *file) {
    OR_FAIL("write", ENOSPC, 0, REAL(fwrite)(bytes, size, n, file));
}
int fsync(int fd) { OR_FAIL("sync", EIO, -1, REAL(fsync)(fd)); }
int fdatasync(int fd) { OR_FAIL("sync", EIO, -1, REAL(fdatasync)(fd)); }
FILE *fopen(const char *path, const char *how) {
    OR_FAIL("open", EMFILE, NULL, REAL(fopen)(path, how));
}
FILE *fopen64(const char *path, const char *how) {
    OR_FAIL("open", EMFILE, NULL, REAL(fopen64)(path, how));
}
int connect(int fd, const struct sockaddr *where, socklen_t length) {
    OR_FAIL("connect", ENETUNREACH, -1, REAL(connect)(fd, where, length));
}
int socket(int family, int type, int protocol) {
    OR_FAIL("connect", EMFILE, -1, REAL(socket)(family, type, protocol));
}
int rename(const char *from, const char *to) { OR_FAIL("rename", EIO, -1, REAL(rename)(from, to)); }
int renameat(int a, const char *from, int b, const char *to) {
    OR_FAIL("rename", EIO, -1, REAL(renameat)(a, from, b, to));
}

#define MODE(flags, last) (((flags) & (O_CREAT | O_TMPFILE)) ? va_arg(last, mode_t) : 0)
/* clang-format off */
#define OPENS(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list last; \
        va_start(last, flags); \
        mode_t mode = MODE(flags, last); \
        va_end(last); \
        OR_FAIL("open", EMFILE, -1, REAL(name)(path, flags, mode)); \
    }
/* clang-format on */
OPENS(open)
OPENS(open64)
/* clang-format off */
#define OPENS_AT(name) \
    int name(int at, const char *path, int flags, ...) \
    { \
        va_list last; \
        va_start(last, flags); \
        mode_t mode = MODE(flags, last); \
        va_end(last); \
        OR_FAIL("open", EMFILE, -1, REAL(name)(at, path, flags, mode)); \
    }
/* clang-format on */
OPENS_AT(openat)
OPENS_AT(openat64)
