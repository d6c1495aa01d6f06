/* Sends a capture's packets into an interface: blast CAPTURE IFACE PACKETS_PER_SECOND|own
 *
 * The file is mapped and indexed before the clock starts. Packets go out in batches, past the
 * queueing discipline; before each batch the clock says how many are due by now, so that one delay
 * is made up for and the mean rate holds. A rate of 0 is as fast as possible; `own` is the pace of
 * the capture's stamps. Each packet goes once: flows end as they do in the capture. Prints packets
 * sent and seconds taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FILE_HEAD = 24, RECORD_HEAD = 16 };
#define CAPTURE_MAGIC 0xa1b2c3d4u

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void fail(const char *what) {
    fprintf(stderr, "blast: %s: %s\n", what,
            errno ? strerror(errno) : "not a capture of this machine's byte order");
    exit(1);
}

/* The frames, and when each is due: seconds behind the first. */
static size_t map_frames(const char *path, struct iovec **ret_frames, double **ret_due_s) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) < 0) fail(path);
    size_t size = (size_t)stat.st_size, n = 0, room = 0;
    uint8_t *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    uint32_t magic = 0, caplen, stamp[2];
    if (bytes == MAP_FAILED) fail(path);
    close(fd);
    if (size >= FILE_HEAD) memcpy(&magic, bytes, sizeof magic);
    if (magic != CAPTURE_MAGIC) fail(path);
    struct iovec *frames = NULL;
    double *due_s = NULL;
    for (size_t at = FILE_HEAD; at + RECORD_HEAD <= size; at += RECORD_HEAD + caplen) {
        memcpy(&caplen, bytes + at + 8, sizeof caplen);
        if (caplen > size - at - RECORD_HEAD) break;
        if (n == room) {
            room = room ? 2 * room : 1 << 16;
            frames = realloc(frames, room * sizeof *frames);
            due_s = realloc(due_s, room * sizeof *due_s);
            if (!frames || !due_s) fail("memory");
        }
        memcpy(stamp, bytes + at, sizeof stamp);
        due_s[n] = stamp[0] + stamp[1] * 1e-6;
        frames[n++] = (struct iovec){.iov_base = bytes + at + RECORD_HEAD, .iov_len = caplen};
    }
    for (size_t i = n; i-- > 0;) due_s[i] -= due_s[0];
    *ret_frames = frames;
    *ret_due_s = due_s;
    return n;
}

static int open_interface(const char *name) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), yes = 1;
    const struct sockaddr_ll where = {.sll_family = AF_PACKET,
                                      .sll_ifindex = (int)if_nametoindex(name)};
    if (fd < 0 || !where.sll_ifindex ||
        bind(fd, (const struct sockaddr *)&where, sizeof where) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) < 0)
        fail(name);
    return fd;
}

static size_t send_batch(int fd, struct iovec *frames, size_t n) {
    struct mmsghdr messages[BATCH];
    for (size_t i = 0; i < n; i++)
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &frames[i], .msg_iovlen = 1}};
    int sent = sendmmsg(fd, messages, (unsigned)n, 0);
    if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) fail("sending");
    return sent < 0 ? 0 : (size_t)sent;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: blast CAPTURE IFACE PACKETS_PER_SECOND|own\n");
        return 2;
    }
    struct iovec *frames;
    double *due_s;
    size_t n = map_frames(argv[1], &frames, &due_s), sent = 0, due = 0;
    int fd = open_interface(argv[2]);
    double rate = atof(argv[3]), start = now_s();
    bool own = strcmp(argv[3], "own") == 0;
    while (sent < n) {
        double gone_s = now_s() - start, soon = rate > 0 ? gone_s * rate + 1 : (double)n;
        if (own)
            while (due < n && due_s[due] <= gone_s) due++;
        else
            due = soon < (double)n ? (size_t)soon : n;
        if (due <= sent) {
            nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
            continue;
        }
        sent += send_batch(fd, frames + sent, due - sent < BATCH ? due - sent : BATCH);
    }
    printf("%zu %.6f\n", sent, now_s() - start);
    free(frames);
    free(due_s);
    return 0;
}
