/* A hop of known delay: takes what a TUN device gives and gives it back later.
 *
 *      relay DEVICE DELAY_US [PERMILLE EXTRA_US]
 *
 * Every packet waits DELAY_US; PERMILLE in a thousand wait EXTRA_US longer, so that those behind
 * overtake them. The routing of the namespace sends packets of both directions into the device and,
 * back from it, to where they go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE_MAX = 8192, PACKET_MAX = 2048 };

struct held {
    int64_t due_ns;
    size_t length;
    uint8_t bytes[PACKET_MAX];
};
static struct held pool[QUEUE_MAX];
/* sorted by due_ns, the next one last; behind n_held the free ones */
static struct held *queue[QUEUE_MAX];
static unsigned n_held;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int open_tun(const char *name) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
        perror(name);
        exit(1);
    }
    return fd;
}

static uint32_t dice(void) {
    static uint32_t state = 20070313;
    state = state * 1664525 + 1013904223;
    return (state >> 16) % 1000;
}

static void hold(struct held *held) {
    unsigned at = n_held++;
    for (; at > 0 && queue[at - 1]->due_ns <= held->due_ns; at--) queue[at] = queue[at - 1];
    queue[at] = held;
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 5) {
        fprintf(stderr, "usage: relay DEVICE DELAY_US [PERMILLE EXTRA_US]\n");
        return 2;
    }
    int64_t delay_ns = atoll(argv[2]) * 1000, extra_ns = argc == 5 ? atoll(argv[4]) * 1000 : 0;
    uint32_t permille = argc == 5 ? (uint32_t)atoi(argv[3]) : 0;
    int fd = open_tun(argv[1]);
    for (unsigned i = 0; i < QUEUE_MAX; i++) queue[i] = &pool[i];
    for (;;) {
        int64_t left_ns = n_held ? queue[n_held - 1]->due_ns - now_ns() : INT64_C(1000000000);
        struct timespec wait = {left_ns > 0 ? left_ns / 1000000000 : 0,
                                left_ns > 0 ? left_ns % 1000000000 : 0};
        struct pollfd readable = {.fd = fd, .events = n_held < QUEUE_MAX ? POLLIN : 0};
        if (ppoll(&readable, 1, &wait, NULL) < 0 && errno != EINTR) return 1;
        while (n_held && queue[n_held - 1]->due_ns <= now_ns()) {
            const struct held *held = queue[--n_held];
            if (write(fd, held->bytes, held->length) < 0) perror("relay");
        }
        while (n_held < QUEUE_MAX) {
            struct held *held = queue[n_held];
            ssize_t length = read(fd, held->bytes, sizeof held->bytes);
            if (length <= 0) break;
            held->length = (size_t)length;
            held->due_ns = now_ns() + delay_ns + (dice() < permille ? extra_ns : 0);
            hold(held);
        }
    }
}
