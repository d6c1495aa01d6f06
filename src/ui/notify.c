/* One datagram a message to the socket that NOTIFY_SOCKET names: a path, or an abstract name behind
 * '@'. The protocol is part of systemd's interface promise, and a dozen lines of it spare a
 * library. The socket is connected before weir is confined. A sign of life comes from worker 0's
 * loop, so a worker that hangs, or any that it waits for, is noticed.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "ui/notify.h"

static int notify_socket = -1;
static int64_t watchdog_us, said_us;

static int64_t monotonic_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void weir_notify_open(void) {
    const char *path = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC"),
               *pid = getenv("WATCHDOG_PID");
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof where.sun_path)
        return;
    memcpy(where.sun_path, path, strlen(path));
    if (path[0] == '@') where.sun_path[0] = '\0';
    notify_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (notify_socket >= 0 && connect(notify_socket, (const struct sockaddr *)&where, length) < 0) {
        weir_log(WEIR_LOG_WARNING, "NOTIFY_SOCKET %s: %s", path, strerror(errno));
        close(notify_socket);
        notify_socket = -1;
    }
    if (watchdog && (!pid || strtol(pid, NULL, 10) == (long)getpid()))
        watchdog_us = strtoll(watchdog, NULL, 10);
}

void weir_notify(const char *state) {
    if (notify_socket >= 0 && write(notify_socket, state, strlen(state)) < 0)
        weir_log(WEIR_LOG_DEBUG, "the service manager does not listen: %s", strerror(errno));
}

void weir_notify_reloading(void) {
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)monotonic_us());
    weir_notify(state);
}

void weir_notify_alive(void) {
    int64_t now_us;
    if (watchdog_us <= 0 || (now_us = monotonic_us()) - said_us < watchdog_us / 2) return;
    said_us = now_us;
    weir_notify("WATCHDOG=1");
}
