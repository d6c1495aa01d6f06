/* Public captures: how many packets of each kind each holds, as counted with another dissector, and
 * every packet of them cut at each of its first bytes. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "frame_builder.h"

enum { CUT_MAX = 120 };

static const struct capture {
    const char *file;
    unsigned tcp, udp, icmp, not_ip, not_transport;
} captures[] = {
    {"android.pcap", 398, 70, 0, 25, 7},
    {"flow-drop-iponly-02.pcap", 0, 6, 1, 0, 0},
    {"latency1.pcapng", 6, 0, 0, 0, 0},
    {"latency2.pcapng", 6, 0, 0, 0, 0},
    {"netflix.pcap", 1748, 44, 0, 0, 1},
    {"nowebaccess1.pcapng", 0, 7, 0, 2, 0},
    {"nowebaccess3.pcapng", 3, 2, 0, 0, 0},
    {"short_clean_dump.pcap", 160, 40, 0, 0, 0},
    {"sites.pcapng", 693, 6, 0, 0, 0},
    {"spotify_tcp.pcap", 10, 0, 0, 0, 0},
    {"tcp_retransmissions.pcapng", 6, 0, 0, 0, 0},
    {"tcpseq_synthetic.pcap", 39, 0, 0, 0, 0},
    {"tls-1.2-handshake-failure.pcap", 11, 0, 0, 0, 0},
    {"youtube_quic.pcap", 0, 289, 0, 0, 0},
};

static void count(const struct weir_packet *packet, int outcome, struct capture *counts) {
    counts->not_ip += outcome == WEIR_DECODE_NOT_IP;
    counts->not_transport += outcome == WEIR_DECODE_NOT_TRANSPORT;
    if (outcome != WEIR_DECODE_OK) {
        assert_true(outcome == WEIR_DECODE_NOT_IP || outcome == WEIR_DECODE_NOT_TRANSPORT);
        return;
    }
    counts->tcp += packet->transport == WEIR_TRANSPORT_TCP;
    counts->udp += packet->transport == WEIR_TRANSPORT_UDP;
    counts->icmp += packet->transport == WEIR_TRANSPORT_ICMP;
    assert_int_equal(packet->domain, 0);
}

/* A cut changes neither addresses nor lengths of what it leaves readable. */
static void decode_cut(const uint8_t *bytes, const struct pcap_pkthdr *header,
                       const struct weir_packet *whole) {
    for (uint32_t length = 0; length < header->caplen && length < CUT_MAX; length++) {
        struct weir_packet packet;
        if (frame_decode_bytes(bytes, length, header->len, 1, &packet) != WEIR_DECODE_OK) continue;
        assert_int_equal(weir_addr_compare(&packet.src, &whole->src), 0);
        assert_int_equal(weir_addr_compare(&packet.dst, &whole->dst), 0);
        assert_int_equal(packet.payload_len, whole->payload_len);
        assert_int_equal(packet.dst_port, whole->dst_port);
    }
}

static void check_capture(pcap_t *pcap, const struct capture *expected) {
    struct capture counts = {.file = expected->file};
    struct pcap_pkthdr *header;
    const u_char *bytes;
    int more;
    assert_int_equal(pcap_datalink(pcap), DLT_EN10MB);
    while ((more = pcap_next_ex(pcap, &header, &bytes)) == 1) {
        struct weir_packet packet;
        int outcome = frame_decode_bytes(bytes, header->caplen, header->len, 1, &packet);
        count(&packet, outcome, &counts);
        decode_cut(bytes, header, &packet);
    }
    assert_int_equal(more, PCAP_ERROR_BREAK);
    assert_int_equal(counts.tcp, expected->tcp);
    assert_int_equal(counts.udp, expected->udp);
    assert_int_equal(counts.icmp, expected->icmp);
    assert_int_equal(counts.not_ip, expected->not_ip);
    assert_int_equal(counts.not_transport, expected->not_transport);
}

static void test_captures(void **state) {
    unsigned n_read = 0;
    for (unsigned i = 0; i < sizeof captures / sizeof captures[0]; i++) {
        char path[4096], error[PCAP_ERRBUF_SIZE];
        snprintf(path, sizeof path, "%s/%s", WEIR_PCAPS, captures[i].file);
        if (access(path, R_OK) != 0) {
            print_message("absent, skipped: %s\n", path);
            continue;
        }
        pcap_t *pcap = pcap_open_offline(path, error);
        if (!pcap) fail_msg("%s", error);
        print_message("%s\n", captures[i].file);
        check_capture(pcap, &captures[i]);
        pcap_close(pcap);
        n_read++;
    }
    if (n_read == 0) skip();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
