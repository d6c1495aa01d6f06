/* Each forbidden call is made by a child that has confined itself: it must die of it. Each allowed
 * deed must be done. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sanitized.h"
#include "confine/confine.h"

enum { CAPTURE = 9 };

static void run_program(void) { execl("/bin/true", "true", NULL); }
static void make_process(void) {
    if (fork() == 0) _exit(0);
}
static void trace(void) { ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static void packet_socket(void) { close(socket(AF_PACKET, SOCK_RAW, 0)); }
static void become_root(void) { syscall(SYS_setuid, 0); }
static void mount_something(void) { mount("none", "/nowhere", "tmpfs", 0, NULL); }
static void kill_init(void) { kill(1, 0); }
static void change_mode(void) { chmod("/nowhere", 0777); }
static void give_file_away(void) { chown("/nowhere", 0, 0); }
static void link_file(void) { symlink("/a", "/nowhere/b"); }
static void load_bpf(void) { syscall(SYS_bpf, 0, NULL, 0); }
static void leave_namespace(void) { unshare(CLONE_NEWUSER); }
static void change_root(void) { chroot("/"); }
static void set_clock(void) { clock_settime(CLOCK_REALTIME, &(struct timespec){0}); }
static void watch_keys(void) { syscall(SYS_keyctl, 0); }
static void read_process(void) { syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0); }
static void new_code(void) {
    mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void written_then_code(void) { mprotect(&(char){0}, 1, PROT_READ | PROT_EXEC); }
static void type_into_terminal(void) { ioctl(0, TIOCSTI, "x"); }
static void set_terminal(void) { ioctl(0, TCSETS, NULL); }
/* As the C library has it from 2.42 on: struct termios2, of 44 bytes. */
static void ask_terminal_2(void) { ioctl(0, _IOC(_IOC_READ, 'T', 0x2A, 44), NULL); }
static void set_terminal_2(void) { ioctl(0, _IOC(_IOC_WRITE, 'T', 0x2B, 44), NULL); }
static void raise_own_limit(void) {
    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &(struct rlimit){0}, NULL);
}
static void limit_another(void) { syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, NULL, NULL); }
static void signal_another(void) { fcntl(0, F_SETOWN, 1); }
static void ask_routes(void) { close(socket(AF_NETLINK, SOCK_RAW, 0)); }
static void connect_out(void) { connect(-1, NULL, 0); }
static void serve(void) { listen(-1, 1); }
static void say_to_anybody(void) { sendto(-1, "", 0, 0, NULL, 0); }
/* On the descriptor that stands for a packet socket. */
static void forge_frame(void) { write(CAPTURE, "x", 1); }
static void forge_frames(void) { writev(CAPTURE, &(struct iovec){(char[]){"x"}, 1}, 1); }
static void send_frame(void) { sendto(CAPTURE, "x", 1, 0, NULL, 0); }
static void send_message(void) { sendmsg(CAPTURE, &(struct msghdr){0}, 0); }
static void change_filter(void) {
    setsockopt(CAPTURE, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int));
}
static void rename_socket(void) { dup(CAPTURE); }
static void rename_socket_to(void) { dup2(CAPTURE, CAPTURE + 20); }
static void copy_socket(void) { fcntl(CAPTURE, F_DUPFD_CLOEXEC, CAPTURE + 20); }
/* The kernel takes the lower half of a register of 64 bits, the filter sees all of it. Where
 * registers have 32 bits, it is the descriptor itself. */
static const long capture_again = (long)(CAPTURE + (1LL << 32));
static void forge_by_high_bits(void) { syscall(SYS_write, capture_again, "x", 1L); }
static void send_by_high_bits(void) { syscall(SYS_sendto, capture_again, "x", 1L, 0L, NULL, 0L); }
static void copy_by_high_bits(void) { syscall(SYS_fcntl, capture_again, (long)F_DUPFD, 20L); }
static void pair_to_pass_it(void) { socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}); }
static void message_to_pass_it(void) { sendmsg(CAPTURE + 1, &(struct msghdr){0}, 0); }
static void messages_to_pass_it(void) { syscall(SYS_sendmmsg, CAPTURE + 1, NULL, 0, 0); }
static void local_socket(void) {
    assert(socket(AF_UNIX, SOCK_DGRAM, 0) < 0 && errno == EAFNOSUPPORT);
}
static void data_as_code(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}
static void be_dumpable(void) { prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static void raise_limit(void) { syscall(SYS_setpriority, PRIO_PROCESS, 0, -20); }

static const struct weir_confinement watcher = {.captures = {CAPTURE}, .n_captures = 1},
                                     connecting_watcher = {.captures = {CAPTURE},
                                                           .n_captures = 1,
                                                           .connects = true},
                                     local_watcher = {.captures = {CAPTURE},
                                                      .n_captures = 1,
                                                      .connects = true,
                                                      .local_redis = true},
                                     reader = {.keep_user = true, .connects = true},
                                     screen = {.keep_user = true, .full_screen = true};

static const struct forbidden {
    const char *name;
    void (*call)(void);
    bool sanitizers_need_it;
} forbidden[] = {
    {"ioctl TIOCSTI", type_into_terminal, true},
    {"setting a limit", raise_own_limit, true},
    {"another's limits", limit_another, true},
    {"fcntl F_SETOWN", signal_another, true},
    {"mprotect to code", written_then_code, true},
    {"listen", serve, true},
    {"execve", run_program},
    {"fork", make_process, true},
    {"ptrace", trace, true},
    {"packet socket", packet_socket, true},
    {"setuid", become_root},
    {"mount", mount_something},
    {"kill", kill_init, true},
    {"chmod", change_mode},
    {"chown", give_file_away},
    {"symlink", link_file},
    {"bpf", load_bpf},
    {"unshare", leave_namespace},
    {"chroot", change_root},
    {"clock_settime", set_clock},
    {"keyctl", watch_keys},
    {"process_vm_readv", read_process, true},
    {"mmap of writable code", new_code, true},
    {"mprotect to writable code", data_as_code, true},
    {"prctl dumpable", be_dumpable, true},
    {"setpriority", raise_limit},
};

static void late_library(void) {
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) == MAP_FAILED &&
           errno == EACCES);
}

static void *add_one(void *number) {
    ++*(int *)number;
    return NULL;
}

static void threads(void) {
    pthread_t thread;
    int number = 0;
    assert(pthread_create(&thread, NULL, add_one, &number) == 0 &&
           pthread_join(thread, NULL) == 0 && number == 1);
}

static void look_up(void) {
    struct addrinfo *found = NULL;
    getaddrinfo("localhost", "6379", NULL, &found); /* an answer is not asked for, surviving is */
    freeaddrinfo(found);
}

/* Of the test: who is confined may make a directory, and none but the parent removes it. */
static char scratch[] = "/tmp/weir-calls-XXXXXX";

static void replace_file(void) {
    char directory[64], from[80], to[80];
    snprintf(directory, sizeof directory, "%s/in", scratch);
    assert(mkdir(directory, 0700) == 0);
    snprintf(from, sizeof from, "%s/new", directory);
    snprintf(to, sizeof to, "%s/old", directory);
    int fd = open(from, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && ftruncate(fd, 0) == 0 &&
           close(fd) == 0);
    assert(rename(from, to) == 0 && unlink(to) == 0);
}

static void wait_for_events(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC),
        unix_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    struct epoll_event event;
    assert(epoll >= 0 && epoll_wait(epoll, &event, 1, 1) == 0);
    assert(unix_socket >= 0 &&
           connect(unix_socket, (struct sockaddr *)&nobody, sizeof nobody) < 0 && errno == ENOENT);
}

/* Those on both sides of the packet socket's number are written to as before. */
static void other_descriptors(void) {
    int ends[2];
    assert(pipe(ends) == 0);
    for (int fd = 20; fd < 40; fd++) assert(dup2(ends[1], fd) == fd && write(fd, "x", 1) == 1);
    for (int fd = 0; fd < 20; fd++)
        if (fd != CAPTURE && fd != ends[0] && fd != ends[1])
            assert(fcntl(fd, F_DUPFD, 1000) >= 1000 || errno == EBADF || errno == EINVAL);
}

static void memory(void) {
    void *large = malloc(64 << 20);
    assert(large);
    memset(large, 1, 64 << 20);
    free(large);
}

static void new_processes_fall_back(void) {
    assert(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
    assert(syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == ENOSYS);
}

static const struct allowed {
    const char *name;
    void (*deed)(void);
} allowed[] = {{"threads", threads},
               {"name look-ups", look_up},
               {"files", replace_file},
               {"events", wait_for_events},
               {"memory", memory},
               {"clone3 and io_uring are refused, not deadly", new_processes_fall_back}};

/* How a child ends that confines itself so and then does this. */
static int status_after(const struct weir_confinement *how, void (*deed)(void)) {
    pid_t child = fork();
    if (child == 0) {
        struct weir_fault fault = {0};
        struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || weir_confine_calls(how, &fault) < 0)
            _exit(99);
        deed();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_forbidden_calls_kill(void **state) {
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        if (WEIR_SANITIZED && forbidden[i].sanitizers_need_it) continue;
        int status = status_after(&watcher, forbidden[i].call);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s did not kill: status %#x", forbidden[i].name, (unsigned)status);
    }
}

static void dies_of(const struct weir_confinement *how, void (*call)(void), const char *name) {
    int status = WEIR_SANITIZED ? SIGSYS : status_after(how, call);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
        fail_msg("%s did not kill: status %#x", name, (unsigned)status);
}

static void test_a_packet_socket_only_receives(void **state) {
    static const struct forbidden on_a_capture[] = {
        {"write", forge_frame},
        {"writev", forge_frames},
        {"sendto", send_frame},
        {"sendmsg", send_message},
        {"setsockopt", change_filter},
        {"dup", rename_socket},
        {"dup2", rename_socket_to},
        {"fcntl F_DUPFD", copy_socket},
        {"write, by high bits", forge_by_high_bits},
        {"sendto, by high bits", send_by_high_bits},
        {"fcntl F_DUPFD, by high bits", copy_by_high_bits},
        {"socketpair", pair_to_pass_it},
    };
    for (size_t i = 0; i < sizeof on_a_capture / sizeof on_a_capture[0]; i++) {
        dies_of(&watcher, on_a_capture[i].call, on_a_capture[i].name);
        dies_of(&connecting_watcher, on_a_capture[i].call, on_a_capture[i].name);
        dies_of(&local_watcher, on_a_capture[i].call, on_a_capture[i].name);
    }
    /* A message of a local socket carries descriptors. */
    dies_of(&local_watcher, message_to_pass_it, "sendmsg to a local Redis");
    dies_of(&local_watcher, messages_to_pass_it, "sendmmsg to a local Redis");
    if (WEIR_SANITIZED) return;
    assert_int_equal(status_after(&watcher, local_socket), 0);
    assert_int_equal(status_after(&connecting_watcher, local_socket), 0);
    assert_int_equal(status_after(&local_watcher, wait_for_events), 0);
    assert_int_equal(status_after(&local_watcher, other_descriptors), 0);
}

static void test_who_has_no_address_connects_nowhere(void **state) {
    dies_of(&watcher, connect_out, "connect");
    dies_of(&watcher, say_to_anybody, "sendto");
    if (!WEIR_SANITIZED) {
        assert_int_equal(status_after(&reader, connect_out), 0);
        assert_int_equal(status_after(&connecting_watcher, say_to_anybody), 0);
    }
    assert_int_equal(status_after(&reader, ask_routes), 0); /* answered with an error, not deadly */
}

static void test_only_a_screen_sets_the_terminal(void **state) {
    dies_of(&reader, set_terminal, "TCSETS");
    dies_of(&reader, set_terminal_2, "TCSETS2");
    assert_int_equal(status_after(&reader, ask_terminal_2), 0);
    assert_int_equal(status_after(&screen, set_terminal), 0);
    assert_int_equal(status_after(&screen, set_terminal_2), 0);
    dies_of(&screen, type_into_terminal, "TIOCSTI");
}

static void test_new_code_is_refused(void **state) {
    if (!WEIR_SANITIZED) assert_int_equal(status_after(&reader, late_library), 0);
}

static void test_allowed_deeds_are_done(void **state) {
    char inner[64];
    assert_non_null(mkdtemp(scratch));
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        int status = status_after(&reader, allowed[i].deed);
        if (status != 0) fail_msg("%s: status %#x", allowed[i].name, (unsigned)status);
    }
    snprintf(inner, sizeof inner, "%s/in", scratch);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(rmdir(scratch), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forbidden_calls_kill),
                                       cmocka_unit_test(test_a_packet_socket_only_receives),
                                       cmocka_unit_test(test_who_has_no_address_connects_nowhere),
                                       cmocka_unit_test(test_only_a_screen_sets_the_terminal),
                                       cmocka_unit_test(test_new_code_is_refused),
                                       cmocka_unit_test(test_allowed_deeds_are_done)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
