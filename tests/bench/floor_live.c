/* The floor of live capture: a bare libpcap `pcap_dispatch` loop on an interface's ring, as large
 * as weir's. It counts bytes.
 *
 *     floor_live IFACE RING_MIB        says "watching"; SIGINT ends it; prints packets seen and
 * packets that found no room
 */
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <pcap/pcap.h>

struct totals {
    uint64_t packets, bytes;
};

static pcap_t *watched;
static volatile sig_atomic_t over;

static void on_interrupt(int number) {
    (void)number;
    over = 1;
    pcap_breakloop(watched); /* libpcap goes on waiting after a signal, unless told */
}

static void count(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes) {
    struct totals *totals = (struct totals *)user;
    totals->packets++;
    totals->bytes += header->len;
}

static pcap_t *open_ring(const char *interface, int ring_bytes) {
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_create(interface, error);
    if (!pcap) return NULL;
    pcap_set_snaplen(pcap, 65535);
    pcap_set_buffer_size(pcap, ring_bytes);
    pcap_set_timeout(pcap, 50);
    pcap_set_promisc(pcap, 1);
    return pcap_activate(pcap) < 0 ? NULL : pcap;
}

int main(int argc, char **argv) {
    pcap_t *pcap = watched = argc == 3 ? open_ring(argv[1], atoi(argv[2]) << 20) : NULL;
    if (!pcap) {
        fprintf(stderr,
                argc == 3 ? "floor_live: %s: cannot capture\n"
                          : "usage: floor_live IFACE RING_MIB\n",
                argv[1]);
        return argc == 3 ? 1 : 2;
    }
    struct totals totals = {0};
    struct pcap_stat stats = {0};
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    fprintf(stderr, "watching\n");
    while (!over && pcap_dispatch(pcap, -1, count, (u_char *)&totals) >= 0)
        ;
    char error[PCAP_ERRBUF_SIZE];
    while (pcap_setnonblock(pcap, 1, error) == 0 &&
           pcap_dispatch(pcap, -1, count, (u_char *)&totals) > 0)
        ; /* what lies in the ring still */
    pcap_stats(pcap, &stats);
    printf("%" PRIu64 " %u\n", totals.packets, stats.ps_drop);
    pcap_close(pcap);
    return 0;
}
