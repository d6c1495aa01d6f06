/* One process a command, which runs it once an event and says how that ended:
 *
 *      exit 0    taken
 *      exit 100  never again with this one (as a mail server's 5xx)
 *      else      once more, later; so too after PATIENCE_S, when it is killed
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "notify/hook.h"

enum { PATIENCE_S = 30, ARGUMENTS_MAX = 32, BODY_MAX = 1 << 20, EXIT_NEVER = 100 };

static int whole(int fd, void *bytes, size_t n, bool out) {
    for (size_t done = 0; done < n;) {
        ssize_t moved = out ? send(fd, (char *)bytes + done, n - done, MSG_NOSIGNAL)
                            : read(fd, (char *)bytes + done, n - done);
        if (moved <= 0 && !(moved < 0 && errno == EINTR)) return -EPIPE;
        done += moved > 0 ? (size_t)moved : 0;
    }
    return 0;
}

static void become_command(char *line, int input) {
    char *arguments[ARGUMENTS_MAX + 1], *rest = NULL;
    int n = 0;
    for (char *word = strtok_r(line, " ", &rest); word && n < ARGUMENTS_MAX;
         word = strtok_r(NULL, " ", &rest))
        arguments[n++] = word;
    arguments[n] = NULL;
    dup2(input, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execv(arguments[0], arguments);
    _exit(127);
}

static void feed(int pipe_end, const char *body, size_t length) {
    signal(SIGPIPE, SIG_IGN);
    for (size_t done = 0; done < length;) {
        struct pollfd room = {.fd = pipe_end, .events = POLLOUT};
        if (poll(&room, 1, PATIENCE_S * 1000) <= 0) return;
        ssize_t n = write(pipe_end, body + done, length - done);
        if (n < 0) return; /* it need not read all */
        done += (size_t)n;
    }
}

static int wait_for(pid_t child) {
    int status;
    for (int tenth = 0; tenth < PATIENCE_S * 10; tenth++) {
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        nanosleep(&(struct timespec){.tv_nsec = tenth < 20 ? 10000000 : 100000000}, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return -1;
}

static char run_once(const char *command_line, const char *body, size_t length) {
    int ends[2];
    char line[512];
    strncpy(line, command_line, sizeof line - 1);
    line[sizeof line - 1] = '\0';
    if (pipe(ends) < 0) return WEIR_HOOK_AGAIN;
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        become_command(line, ends[0]);
    }
    close(ends[0]);
    if (child > 0) feed(ends[1], body, length);
    close(ends[1]);
    int code = child > 0 ? wait_for(child) : -1;
    return code == 0 ? WEIR_HOOK_TAKEN : code == EXIT_NEVER ? WEIR_HOOK_NEVER : WEIR_HOOK_AGAIN;
}

static void serve(int fd, const char *command_line) {
    uint32_t length;
    while (whole(fd, &length, sizeof length, false) == 0 && length <= BODY_MAX) {
        char *body = malloc(length + 1);
        if (!body || whole(fd, body, length, false) < 0) break;
        body[length] = '\n'; /* a line, as programs read it */
        char answer = run_once(command_line, body, length + (size_t)1);
        free(body);
        if (whole(fd, &answer, 1, true) < 0) break;
    }
}

int weir_hook_start(int *ret_fd, const char *command_line, struct weir_fault *fault) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return weir_fault_set(fault, -errno, "%s: %s", command_line, strerror(errno));
    pid_t child = fork();
    if (child < 0) return weir_fault_set(fault, -errno, "%s: %s", command_line, strerror(errno));
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* and it ends with its parent */
        signal(SIGINT, SIG_IGN);
        close(ends[0]);
        serve(ends[1], command_line);
        _exit(0);
    }
    close(ends[1]);
    *ret_fd = ends[0];
    return 0;
}

int weir_hook_ask(int fd, const char *body, size_t length) {
    uint32_t n = (uint32_t)length;
    int error = length > BODY_MAX ? -EMSGSIZE : whole(fd, &n, sizeof n, true);
    return error ? error : whole(fd, (char *)body, length, true);
}

int weir_hook_answer(int fd) {
    char answer;
    return whole(fd, &answer, 1, false) < 0 ? -EPIPE : answer;
}
