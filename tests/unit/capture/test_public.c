/* Public captures of real traffic: as many frames and bytes as tshark 4.0 counts in them. Skipped
 * where absent. */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "forge.h"

static const struct row {
    const char *name;
    uint64_t packets, wire_bytes, captured_bytes, snaplen_cut, backwards;
    int64_t first_ts_us, last_ts_us;
} rows[] = {
    {"android.pcap", 500, 133530, 133530, 0, 0, 1582454769772338, 1582454872047699},
    {"flow-drop-iponly-02.pcap", 7, 630, 630, 0, 0, 1507567510121479, 1507567525638393},
    {"latency1.pcapng", 6, 2387, 2387, 0, 0, 1265678319618072, 1265678319719274},
    {"latency2.pcapng", 6, 2387, 2387, 0, 0, 1277053587269305, 1277053589335868},
    {"netflix.pcap", 1793, 1006416, 1006416, 0, 0, 1484319030789585, 1484319120726362},
    {"nowebaccess1.pcapng", 9, 620, 620, 0, 0, 1268911941445645, 1268911949445293},
    {"nowebaccess3.pcapng", 5, 462, 462, 0, 0, 1268914566029657, 1268914567046188},
    {"short_clean_dump.pcap", 200, 44155, 20280, 56, 0, 1517604279644252, 1517604281433600},
    {"sites.pcapng", 699, 374435, 374435, 0, 17, 1595957694169758, 1722540110397706},
    {"spotify_tcp.pcap", 10, 3370, 3370, 0, 0, 53789009, 53980552},
    {"tcp_retransmissions.pcapng", 6, 4236, 4236, 0, 0, 979489081289000, 979489090500000},
    {"tcpseq_synthetic.pcap", 39, 2268, 2268, 0, 37, 1748736000000000, 1748736000041000},
    {"tls-1.2-handshake-failure.pcap", 11, 931, 931, 0, 0, 1393957586776878, 1393957586796777},
    {"youtube_quic.pcap", 289, 191639, 191639, 0, 0, 1489363823466752, 1489363826862170},
};

static const char *folder(void) {
    const char *shared = getenv("WEIR_SHARED");
    return shared ? shared : WEIR_SOURCE_ROOT "/../shared";
}

static void counts_as_tshark_does(void **state) {
    const struct row *row = *state;
    char path[4096];
    snprintf(path, sizeof path, "%s/pcaps/%s", folder(), row->name);
    if (access(path, R_OK) != 0) {
        print_message("%s is not there: skipped\n", path);
        skip();
    }
    const char *paths[] = {path};
    struct seen seen = see(paths, 1, NULL);
    uint64_t captured_bytes = 0;
    for (size_t i = 0; i < seen.n_frames; i++) captured_bytes += seen.frames[i].caplen;
    assert_int_equal(seen.end, WEIR_SOURCE_END);
    assert_int_equal(seen.stats.packets, row->packets);
    assert_int_equal(seen.stats.bytes, row->wire_bytes);
    assert_int_equal(captured_bytes, row->captured_bytes);
    assert_int_equal(seen.stats.snaplen_cut, row->snaplen_cut);
    assert_int_equal(seen.stats.time_backwards, row->backwards);
    assert_int_equal(seen.stats.clock_steps, 0);
    assert_int_equal(seen.stats.first_ts_us, row->first_ts_us);
    assert_int_equal(seen.stats.last_ts_us, row->last_ts_us);
    seen_free(&seen);
}

int main(void) {
    enum { N = sizeof rows / sizeof rows[0] };
    struct CMUnitTest tests[N];
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = counts_as_tshark_does,
                                       .initial_state = (void *)&rows[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
