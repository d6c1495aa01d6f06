/* A stretch of road between two network namespaces: packets that enter one end leave the other
 * later, and no faster than a rate.
 *
 * usage: relay NAME_HERE NETNS NAME_THERE, as root in the namespace of the near end. Both ends are
 * TUN devices that it makes; addresses and routes are the caller's work. It obeys lines on standard
 * input:
 *
 *     delay MS             each way (default 0)
 *     rate KBIT BYTES      towards the near end ("down"): rate, and the queue in front of it; 0 is
 * no limit (default)
 *
 * and prints "ready" first. It ends when its input ends. The delay is the same for all packets, so
 * each direction is one ring in order of time; a full ring or queue drops its newest packet, as a
 * router does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define RING_SLOTS   8192 /* a power of two */
#define PACKET_BYTES 2048

struct packet {
    int64_t due_us;
    uint32_t len;
    uint8_t bytes[PACKET_BYTES];
};

struct way {
    int from, to;
    int64_t rate_bps, queue_bytes;
    int64_t free_us; /* when the last packet has passed the rate */
    uint32_t head, tail;
    struct packet *ring;
};

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void die(const char *what) {
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int make_tun(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) die("/dev/net/tun");
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) < 0) die(name);
    return fd;
}

static void enter(const char *netns) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", netns);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) die(path);
    close(fd);
}

/* When a packet of `len` bytes has passed the rate's queue; -1 if that is full. */
static int64_t pass_rate(struct way *way, uint32_t len, int64_t now) {
    if (!way->rate_bps) return now;
    int64_t start = way->free_us > now ? way->free_us : now;
    if ((start - now) * way->rate_bps / 8000000 + len > way->queue_bytes) return -1;
    return way->free_us = start + (int64_t)len * 8000000 / way->rate_bps;
}

static void take(struct way *way, int64_t now, int64_t delay_us) {
    while (way->tail - way->head < RING_SLOTS) {
        struct packet *packet = &way->ring[way->tail % RING_SLOTS];
        ssize_t len = read(way->from, packet->bytes, PACKET_BYTES);
        if (len <= 0) return;
        int64_t passed = pass_rate(way, (uint32_t)len, now);
        if (passed < 0) continue;
        packet->len = (uint32_t)len;
        packet->due_us = passed + delay_us;
        way->tail++;
    }
}

/* Sends what is due; returns when the next packet is, INT64_MAX if none waits. */
static int64_t give(struct way *way, int64_t now) {
    while (way->head != way->tail) {
        struct packet *packet = &way->ring[way->head % RING_SLOTS];
        if (packet->due_us > now) return packet->due_us;
        if (write(way->to, packet->bytes, packet->len) < 0 && errno == EAGAIN) return now + 1000;
        way->head++;
    }
    return INT64_MAX;
}

static int obey(struct way *down, int64_t *delay_us) {
    char line[128];
    long long first, second;
    ssize_t len = read(STDIN_FILENO, line, sizeof line - 1);
    if (len <= 0) return -1;
    line[len] = '\0';
    for (char *rest = line, *one; (one = strsep(&rest, "\n"));) {
        if (sscanf(one, "delay %lld", &first) == 1)
            *delay_us = first * 1000;
        else if (sscanf(one, "rate %lld %lld", &first, &second) == 2)
            down->rate_bps = first * 1000, down->queue_bytes = second;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: relay NAME_HERE NETNS NAME_THERE\n");
        return 2;
    }
    int here = make_tun(argv[1]);
    enter(argv[2]);
    int there = make_tun(argv[3]);
    struct way up = {.from = here, .to = there}, down = {.from = there, .to = here};
    up.ring = calloc(RING_SLOTS, sizeof *up.ring);
    down.ring = calloc(RING_SLOTS, sizeof *down.ring);
    if (!up.ring || !down.ring) die("memory");
    int64_t delay_us = 0;
    puts("ready");
    fflush(stdout);
    for (;;) {
        int64_t now = now_us();
        take(&up, now, delay_us);
        take(&down, now, delay_us);
        int64_t a = give(&up, now), b = give(&down, now), next = a < b ? a : b;
        int64_t wait_us = next == INT64_MAX ? 1000000 : next > now ? next - now : 0;
        struct timespec timeout = {.tv_sec = wait_us / 1000000,
                                   .tv_nsec = wait_us % 1000000 * 1000};
        struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = here, .events = POLLIN},
                               {.fd = there, .events = POLLIN}};
        if (ppoll(fds, 3, &timeout, NULL) > 0 && fds[0].revents && obey(&down, &delay_us) < 0)
            return 0;
    }
}
