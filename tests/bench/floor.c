/* The floor of the benchmark: the least that a program can do that reads a capture through libpcap.
 * It counts bytes. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include <pcap/pcap.h>

struct totals {
    uint64_t packets, bytes;
};

static void count(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes) {
    struct totals *totals = (struct totals *)user;
    totals->packets++;
    totals->bytes += header->len;
}

int main(int argc, char **argv) {
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;
    if (!pcap) {
        fprintf(stderr, argc == 2 ? "floor: %s\n" : "usage: floor CAPTURE\n", error);
        return argc == 2 ? 1 : 2;
    }
    struct totals totals = {0};
    int status;
    while ((status = pcap_dispatch(pcap, -1, count, (u_char *)&totals)) > 0)
        ;
    if (status < 0) pcap_perror(pcap, "floor");
    pcap_close(pcap);
    printf("%" PRIu64 " packets, %" PRIu64 " bytes\n", totals.packets, totals.bytes);
    return status < 0;
}
