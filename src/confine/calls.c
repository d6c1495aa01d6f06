/* The system calls that a confined weir may make; any other one kills it.
 *
 * The list is what capture, files, reloads and threads need; connecting and listening are added for
 * who was given an address. Where a call can do much more than weir wants of it, its arguments are
 * looked at:
 *
 * - write, send, setsockopt, dup: not on a packet socket. It could put forged frames on the wire,
 *   lose its filter, or get another number and be written to under that.
 * - sockets of this machine, beside a packet socket: only for a Redis there, and then no messages.
 *   Such a message can carry a packet socket to another number, or to another process.
 * - bind: a packet socket, to an interface that came back; else only who listens.
 * - socket: IPv4 and IPv6 for who connects or listens. Route sockets are answered with
 *   EAFNOSUPPORT, upon which the C library goes on without.
 * - ioctl: single ones, none that types into the terminal (TIOCSTI).
 * - fcntl: flags, locks and copies; not F_SETOWN, which sends signals.
 * - clone: threads, no processes. clone3 keeps its flags in memory, where a filter cannot look. It
 *   is answered with ENOSYS, upon which the C library takes clone.
 * - mmap, mprotect: no new code. Memory is never executable (EACCES), nor writable and executable.
 * - tgkill: only to this process (abort). prlimit64: asking about this process. prctl: names.
 *
 * A filter sees the whole register and the kernel takes a descriptor's lower half. So descriptors
 * are compared in all 64 bits: 9 + 2^32 would be the packet socket 9 again.
 *
 * io_uring is ENOSYS too: libraries fall back, and its operations would go past the filter.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "confine/confine.h"

static const int allowed[] = {
    /* files and streams */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(lseek),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(close),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(fstatfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(getcwd),
    SCMP_SYS(flock),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(umask),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchown), /* SQLite gives the files beside its own the same mode */
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    /* waiting */
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(futex),
    SCMP_SYS(restart_syscall),
    /* sockets; socket() itself is below */
    SCMP_SYS(shutdown),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(membarrier),
    /* threads, signals */
    SCMP_SYS(set_robust_list),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(getcpu),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(sigaltstack),
    /* asking */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(times),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getgroups),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrlimit),
    /* what machines of 32 bits have in the place of some above: wider files, users and times */
    SCMP_SYS(_llseek),
    SCMP_SYS(stat64),
    SCMP_SYS(lstat64),
    SCMP_SYS(fstat64),
    SCMP_SYS(fstatat64),
    SCMP_SYS(fstatfs64),
    SCMP_SYS(ftruncate64),
    SCMP_SYS(fchown32),
    SCMP_SYS(_newselect),
    SCMP_SYS(ppoll_time64),
    SCMP_SYS(pselect6_time64),
    SCMP_SYS(timerfd_settime64),
    SCMP_SYS(timerfd_gettime64),
    SCMP_SYS(clock_nanosleep_time64),
    SCMP_SYS(futex_time64),
    SCMP_SYS(recv),
    SCMP_SYS(recvmmsg_time64),
    SCMP_SYS(sigreturn),
    SCMP_SYS(rt_sigtimedwait_time64),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_getres_time64),
    SCMP_SYS(getuid32),
    SCMP_SYS(geteuid32),
    SCMP_SYS(getgid32),
    SCMP_SYS(getegid32),
    SCMP_SYS(getgroups32),
    SCMP_SYS(ugetrlimit),
};

/* What AddressSanitizer and LeakSanitizer do beside the program: no part of a release. */
static const int allowed_sanitized[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(wait4),
    SCMP_SYS(clone),
    SCMP_SYS(prctl),
    SCMP_SYS(kill),
    SCMP_SYS(tgkill),
    SCMP_SYS(tkill),
    SCMP_SYS(process_vm_readv),
    /* of the program that gives addresses names, which is not run: the report comes without them */
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(mmap),
    SCMP_SYS(mmap2),
    SCMP_SYS(mprotect),
    SCMP_SYS(getdents),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(personality),
};

/* Answered with ENOSYS. */
static const int not_here[] = {SCMP_SYS(clone3), SCMP_SYS(io_uring_setup)};

struct looked_at {
    int call;
    unsigned n;
    struct scmp_arg_cmp arguments[2];
};

static int add_each(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n) {
    int error = 0;
    for (size_t i = 0; !error && i < n; i++) {
        error = seccomp_rule_add(filter, action, calls[i], 0);
        if (error == -EDOM || error == -EEXIST) /* not on this architecture; said already */
            error = 0;
    }
    return error;
}

static int add_rows(scmp_filter_ctx filter, uint32_t action, const struct looked_at *rows,
                    size_t n) {
    int error = 0;
    for (size_t i = 0; !error && i < n; i++) {
        error = seccomp_rule_add_array(filter, action, rows[i].call, rows[i].n, rows[i].arguments);
        if (error == -EDOM || error == -EEXIST) error = 0;
    }
    return error;
}

/* ---- who may send, and on what ---- */

static int add_rule(scmp_filter_ctx filter, int call, unsigned n,
                    const struct scmp_arg_cmp *arguments) {
    int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, arguments);
    return error == -EDOM || error == -EEXIST ? 0 : error; /* not here; said already */
}

/* Allows a call on the descriptors of [from, from + size), size a power of two, but not on packet
 * sockets: a range without any is one rule, of the bits that its numbers have in common; another
 * one is halved. `also`, if not NULL, is one more argument to look at. */
static int add_range(scmp_filter_ctx filter, const struct weir_confinement *how, int call,
                     uint64_t from, uint64_t size, const struct scmp_arg_cmp *also) {
    bool has_one = false;
    for (size_t i = 0; i < how->n_captures; i++)
        has_one |= (uint64_t)how->captures[i] - from < size;
    if (has_one && size == 1) return 0;
    if (has_one) {
        int error = add_range(filter, how, call, from, size / 2, also);
        return error ? error : add_range(filter, how, call, from + size / 2, size / 2, also);
    }
    struct scmp_arg_cmp arguments[2] = {SCMP_A0(SCMP_CMP_MASKED_EQ, ~(size - 1), from)};
    if (also) arguments[1] = *also;
    return add_rule(filter, call, also ? 2 : 1, arguments);
}

/* Numbers below 0 are no descriptors: the kernel answers EBADF, as it should. */
static int add_but_captures(scmp_filter_ctx filter, const struct weir_confinement *how, int call,
                            const struct scmp_arg_cmp *also) {
    static const uint64_t numbers = 1ull << 32, below_zero = ~0ull << 31;
    if (!how->n_captures) return add_rule(filter, call, also ? 1 : 0, also);
    int error = add_range(filter, how, call, 0, numbers, also);
    return error ? error : add_range(filter, how, call, below_zero, -below_zero, also);
}

static int add_writing(scmp_filter_ctx filter, const struct weir_confinement *how) {
    static const int always[] = {SCMP_SYS(write),      SCMP_SYS(writev), SCMP_SYS(pwrite64),
                                 SCMP_SYS(setsockopt), SCMP_SYS(dup),    SCMP_SYS(dup2),
                                 SCMP_SYS(dup3)},
                     to_others[] = {SCMP_SYS(sendto), SCMP_SYS(send)},
                     messages[] = {SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg)};
    bool talks = how->connects || how->listens, passes = how->n_captures && how->local_redis;
    int error = 0;
    for (size_t i = 0; !error && i < sizeof always / sizeof always[0]; i++)
        error = add_but_captures(filter, how, always[i], NULL);
    for (size_t i = 0; !error && talks && i < sizeof to_others / sizeof to_others[0]; i++)
        error = add_but_captures(filter, how, to_others[i], NULL);
    for (size_t i = 0; !error && talks && !passes && i < sizeof messages / sizeof messages[0]; i++)
        error = add_but_captures(filter, how, messages[i], NULL);
    return error;
}

/* Copies of packet sockets would have another number. Flags and locks do no harm on any. */
static int add_fcntl(scmp_filter_ctx filter, const struct weir_confinement *how, int call) {
    static const int harmless[] = {F_GETFD, F_SETFD,  F_GETFL,     F_SETFL,     F_GETLK,
                                   F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW},
                     copies[] = {F_DUPFD, F_DUPFD_CLOEXEC};
    int error = 0;
    for (size_t i = 0; !error && i < sizeof harmless / sizeof harmless[0]; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                                 SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)harmless[i]));
    for (size_t i = 0; !error && i < sizeof copies / sizeof copies[0]; i++)
        error = add_but_captures(filter, how, call, &SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)copies[i]));
    return error == -EDOM ? 0 : error; /* not on this architecture */
}

static int add_sockets(scmp_filter_ctx filter, const struct weir_confinement *how) {
    static const int connecting[] = {SCMP_SYS(connect)},
                     listening[] = {SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept),
                                    SCMP_SYS(accept4)};
    const struct looked_at families[] = {
        {SCMP_SYS(socket), 1, {SCMP_A0(SCMP_CMP_EQ, AF_INET)}},
        {SCMP_SYS(socket), 1, {SCMP_A0(SCMP_CMP_EQ, AF_INET6)}},
    };
    bool local = !how->n_captures || how->local_redis;
    int error = seccomp_rule_add(filter, local ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT),
                                 SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    if (!error && !how->n_captures)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 0);
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
    if (!error && (how->connects || how->listens))
        error = add_rows(filter, SCMP_ACT_ALLOW, families, 2);
    if (!error && how->connects) error = add_each(filter, SCMP_ACT_ALLOW, connecting, 1);
    if (!error && how->listens)
        error = add_each(filter, SCMP_ACT_ALLOW, listening, sizeof listening / sizeof listening[0]);
    for (size_t i = 0; !error && !how->listens && i < how->n_captures; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bind), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)how->captures[i]));
    return error;
}

/* ---- the rest of those that are looked at ---- */

/* The C library asks for a terminal's settings by termios2 from 2.42 on. The kernel's header, which
 * has the names of these calls, does not go beside the C library's. */
enum { TERMIOS2_BYTES = 44 };
#define GETS2  _IOC(_IOC_READ, 'T', 0x2A, TERMIOS2_BYTES)
#define SETS2  _IOC(_IOC_WRITE, 'T', 0x2B, TERMIOS2_BYTES)
#define SETSW2 _IOC(_IOC_WRITE, 'T', 0x2C, TERMIOS2_BYTES)
#define SETSF2 _IOC(_IOC_WRITE, 'T', 0x2D, TERMIOS2_BYTES)

static int add_ioctl(scmp_filter_ctx filter, const struct weir_confinement *how) {
    static const unsigned long always[] = {FIONBIO,      FIOCLEX,      FIONREAD,
                                           TCGETS,       GETS2,        TIOCGWINSZ,
                                           SIOCGIFINDEX, SIOCGIFFLAGS, SIOCGIFNAME},
                               screen[] = {TCSETS, TCSETSW, TCSETSF,  SETS2,
                                           SETSW2, SETSF2,  TIOCGPGRP};
    int error = 0;
    for (size_t i = 0; !error && i < sizeof always / sizeof always[0]; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                 SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)always[i]));
    for (size_t i = 0; !error && how->full_screen && i < sizeof screen / sizeof screen[0]; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                 SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)screen[i]));
    return error;
}

static int add_looked_at(scmp_filter_ctx filter) {
    enum { EITHER = PROT_WRITE | PROT_EXEC };
    const struct looked_at
        rows[] =
            {
                /* libpcap, at its end */
                {SCMP_SYS(setsockopt),
                 2,
                 {SCMP_A1(SCMP_CMP_EQ, SOL_PACKET), SCMP_A2(SCMP_CMP_EQ, PACKET_RX_RING)}},
                {SCMP_SYS(clone), 1, {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)}},
                {SCMP_SYS(mmap), 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
                {SCMP_SYS(mmap2), 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
                {SCMP_SYS(mprotect), 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
                {SCMP_SYS(tgkill), 1, {SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())}},
                {SCMP_SYS(prlimit64), 2, {SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0)}},
                {SCMP_SYS(prctl), 1, {SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)}},
                /* PR_SET_VMA: the C library names its mappings */
                {SCMP_SYS(prctl), 1, {SCMP_A0(SCMP_CMP_EQ, 0x53564d41)}},
                /* a library that is loaded late is not loaded, and who wanted it goes on without */
            },
        new_code[] = {
            {SCMP_SYS(mmap), 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, EITHER, PROT_EXEC)}},
            {SCMP_SYS(mmap2), 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, EITHER, PROT_EXEC)}},
        };
    int error = add_rows(filter, SCMP_ACT_ALLOW, rows, sizeof rows / sizeof rows[0]);
    return error ? error
                 : add_rows(filter, SCMP_ACT_ERRNO(EACCES), new_code,
                            sizeof new_code / sizeof new_code[0]);
}

/* What sanitizers do beside the program needs the calls whole. */
static const int whole_for_sanitizers[] = {
    SCMP_SYS(write),   SCMP_SYS(writev),     SCMP_SYS(pwrite64),  SCMP_SYS(setsockopt),
    SCMP_SYS(dup),     SCMP_SYS(dup2),       SCMP_SYS(dup3),      SCMP_SYS(sendto),
    SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg),   SCMP_SYS(fcntl),     SCMP_SYS(socket),
    SCMP_SYS(connect), SCMP_SYS(bind),       SCMP_SYS(listen),    SCMP_SYS(accept),
    SCMP_SYS(accept4), SCMP_SYS(ioctl),      SCMP_SYS(prlimit64), SCMP_SYS(fcntl64),
    SCMP_SYS(send),    SCMP_SYS(socketpair),
};

static int add_all_looked_at(scmp_filter_ctx filter, const struct weir_confinement *how) {
    int error = add_writing(filter, how);
    if (!error) error = add_fcntl(filter, how, SCMP_SYS(fcntl));
    if (!error) error = add_fcntl(filter, how, SCMP_SYS(fcntl64));
    if (!error) error = add_sockets(filter, how);
    if (!error) error = add_ioctl(filter, how);
    return error ? error : add_looked_at(filter);
}

static int make(scmp_filter_ctx filter, const struct weir_confinement *how) {
    int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!error) /* a binary search, not a list */
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!error)
        error = add_each(filter, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof allowed[0]);
    if (!error && WEIR_SANITIZED)
        error = add_each(filter, SCMP_ACT_ALLOW, allowed_sanitized,
                         sizeof allowed_sanitized / sizeof allowed_sanitized[0]);
    if (!error && WEIR_SANITIZED)
        error = add_each(filter, SCMP_ACT_ALLOW, whole_for_sanitizers,
                         sizeof whole_for_sanitizers / sizeof whole_for_sanitizers[0]);
    else if (!error)
        error = add_all_looked_at(filter, how);
    if (!error)
        error = add_each(filter, SCMP_ACT_ERRNO(ENOSYS), not_here,
                         sizeof not_here / sizeof not_here[0]);
    return error ? error : seccomp_load(filter);
}

int weir_confine_calls(const struct weir_confinement *how, struct weir_fault *fault) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int error = filter ? make(filter, how) : -ENOMEM;
    seccomp_release(filter);
    if (!error && WEIR_SANITIZED &&
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) /* LeakSanitizer looks at its own threads */
        error = -errno;
    return error ? weir_fault_set(fault, error, "cannot filter system calls: %s", strerror(-error))
                 : 0;
}
