/* Real traffic through capture, decode, flow and classify: what the flows of public captures are
 * called. */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/capture.h>
#include <weir/classify.h>
#include <weir/decode.h>
#include <weir/flow.h>

#include "signatures.h"

static const struct signature_text signatures[] = {
    {"netflix.yaml",
     "id: netflix\ntitle: Netflix\nkind: vod\nndpi: [NetFlix]\nhosts:\n"
     "  media: [nflxvideo.net]\n  control: [netflix.com, nflxext.com, nflximg.com]\n"},
    {"spotify.yaml",
     "id: spotify\ntitle: Spotify\nkind: audio\nndpi: [Spotify]\nhosts:\n  control: [spotify.com]\n"},
    {"hulu.yaml", "id: hulu\ntitle: Hulu\nkind: vod\nhosts:\n  control: [hulu.com]\n"},
    {"vimeo.yaml",
     "id: vimeo\ntitle: Vimeo\nkind: vod\nhosts:\n  control: [vimeo.com, vimeocdn.com]\n"},
    {"deezer.yaml",
     "id: deezer\ntitle: Deezer\nkind: audio\nhosts:\n  control: [deezer.com, dzcdn.net]\n"},
    {"youtube.yaml",
     "id: youtube\ntitle: YouTube\nkind: vod\nndpi: [YouTube]\nhosts:\n  media: [googlevideo.com]\n"
     "  control: [youtube.com, ytimg.com, yt3.ggpht.com]\n"},
};

enum { FLOWS_MAX = 4096 };

struct seen {
    struct weir_named named;
    char host[WEIR_HOST_MAX], ndpi[WEIR_NDPI_TEXT_MAX];
    struct weir_addr addr[2];
    uint16_t port;
    uint8_t transport;
    int64_t first_ts_us;
};

struct run {
    struct weir_service_set *set;
    struct weir_classifier *classifier;
    struct weir_flow_table *table;
    const struct weir_packet *packet;
    struct seen flows[FLOWS_MAX];
    size_t n_flows;
    struct weir_naming_stats stats;
};

static void remember(struct run *run, struct weir_flow *flow) {
    assert_in_range(run->n_flows, 0, FLOWS_MAX - 1);
    struct seen *seen = &run->flows[run->n_flows++];
    seen->named = *weir_flow_named(flow);
    snprintf(seen->host, sizeof seen->host, "%s", seen->named.host ? seen->named.host : "");
    weir_classify_ndpi_text(run->classifier, &seen->named, seen->ndpi);
    seen->addr[0] = *weir_flow_addr(flow, WEIR_CLIENT);
    seen->addr[1] = *weir_flow_addr(flow, WEIR_SERVER);
    seen->port = weir_flow_port(flow, WEIR_SERVER);
    seen->transport = weir_flow_transport(flow);
    seen->first_ts_us = weir_flow_first_ts_us(flow);
    seen->named.host = NULL;
}

static void observe(void *context, struct weir_flow *flow, const struct weir_event *event) {
    struct run *run = context;
    if (event->kind == WEIR_EVENT_NEW) {
        weir_classify_begin(run->classifier, flow, run->packet, event->now_us);
    } else if (event->kind == WEIR_EVENT_END) {
        weir_classify_end(run->classifier, flow);
        assert_null(*weir_flow_naming(flow));
        remember(run, flow);
    }
}

static void take_dns(struct run *run, const struct weir_packet *packet) {
    struct weir_dns_message answer;
    if (packet->transport == WEIR_TRANSPORT_UDP && packet->src_port == 53 &&
        weir_dns_message(packet->payload, packet->payload_captured, &answer) == WEIR_WIRE_OK)
        weir_classify_dns(run->classifier, &answer, &packet->dst, packet->now_us);
}

static void take_frame(struct run *run, const struct weir_frame *frame) {
    struct weir_packet packet;
    if (weir_decode(frame, &packet) != WEIR_DECODE_OK) return;
    take_dns(run, &packet);
    struct weir_flow *flow = NULL;
    enum weir_side side;
    run->packet = &packet;
    enum weir_track track =
        weir_flow_track(run->table, weir_flow_hash(run->table, &packet), &packet, &flow, &side);
    if (track == WEIR_TRACK_OK && packet.transport != WEIR_TRANSPORT_ICMP &&
        packet.payload_captured > 0 && !weir_flow_named(flow)->done)
        weir_classify_packet(run->classifier, flow, &packet, side);
}

static void take_source(struct run *run, struct weir_source *source) {
    const struct weir_batch *batch;
    struct weir_fault fault = {{0}};
    int64_t tick_us = 0, now_us = 0;
    while (weir_source_next(source, 0, &batch, &fault) == 0) {
        for (size_t i = 0; i < batch->n_frames; i++) {
            now_us = batch->frames[i].now_us;
            if (tick_us == 0 || now_us - tick_us > WEIR_FLOW_LONGEST_US)
                tick_us = now_us / WEIR_TICK_US * WEIR_TICK_US;
            for (; tick_us + WEIR_TICK_US <= now_us; tick_us += WEIR_TICK_US)
                weir_flow_tick(run->table, tick_us + WEIR_TICK_US);
            take_frame(run, &batch->frames[i]);
        }
    }
    weir_flow_drain(run->table, now_us);
}

/* NULL where the capture is not there: the test skips. */
static struct run *run_capture(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", WEIR_PCAPS, name);
    if (access(path, R_OK) != 0) {
        print_message("[  SKIPPED ] %s is not here\n", path);
        skip();
    }
    struct run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    run->set = load_signatures(signatures, sizeof signatures / sizeof signatures[0]);
    assert_int_equal(weir_classifier_new(&run->classifier, run->set, NULL), 0);
    struct weir_flow_config config = {
        .memory_bytes = 64u << 20, .reports = true, .observer = observe, .context = run};
    assert_int_equal(weir_flow_table_new(&run->table, &config), 0);
    struct weir_source *source;
    struct weir_source_options options = {.n_workers = 1};
    struct weir_fault fault = {{0}};
    const char *paths[] = {path};
    if (weir_source_open_files(&source, paths, 1, &options, &fault) != 0)
        fail_msg("%s", fault.text);
    take_source(run, source);
    weir_source_free(source);
    weir_flow_table_free(run->table);
    weir_classify_stats(run->classifier, &run->stats);
    assert_int_equal(run->stats.naming_now, 0);
    if (getenv("WEIR_TEST_PRINT")) {
        for (size_t i = 0; i < run->n_flows; i++) {
            char server[WEIR_ADDR_TEXT_MAX];
            print_message("%s:%u/%u %s by %s host %s ndpi %s app %u%s\n",
                          weir_addr_text(&run->flows[i].addr[1], server), run->flows[i].port,
                          run->flows[i].transport,
                          weir_service_get(run->set, run->flows[i].named.service)->id,
                          weir_named_by_name(run->flows[i].named.by), run->flows[i].host,
                          run->flows[i].ndpi, run->flows[i].named.app,
                          run->flows[i].named.done ? "" : " OPEN");
        }
    }
    return run;
}

static void end_run(struct run *run) {
    weir_classifier_free(run->classifier);
    weir_service_set_unref(run->set);
    free(run);
}

static size_t count(const struct run *run, const char *service, enum weir_named_by by) {
    size_t n = 0;
    weir_service_id id = weir_service_find(run->set, service);
    for (size_t i = 0; i < run->n_flows; i++)
        n += run->flows[i].named.service == id &&
             (by == WEIR_NAMED_N || run->flows[i].named.by == by);
    return n;
}

static const struct seen *find_host(const struct run *run, const char *host) {
    for (size_t i = 0; i < run->n_flows; i++) {
        if (strcmp(run->flows[i].host, host) == 0) return &run->flows[i];
    }
    return NULL;
}

static void test_spotify_protocol(void **state) {
    struct run *run = run_capture("spotify_tcp.pcap");
    assert_int_equal(run->n_flows, 1);
    assert_int_equal(count(run, "spotify", WEIR_NAMED_NDPI), 1);
    assert_string_equal(run->flows[0].ndpi, "Spotify");
    end_run(run);
}

static void test_lan_discovery(void **state) {
    struct run *run = run_capture("android.pcap");
    size_t said_spotify = 0;
    for (size_t i = 0; i < run->n_flows; i++)
        said_spotify += strstr(run->flows[i].ndpi, "Spotify") != NULL;
    assert_true(said_spotify > 0);                            /* the trap is in there, */
    assert_int_equal(count(run, "spotify", WEIR_NAMED_N), 0); /* and nobody fell into it */
    end_run(run);
}

static void test_netflix(void **state) {
    struct run *run = run_capture("netflix.pcap");
    const struct seen *api = find_host(run, "api-global.netflix.com"),
                      *log = find_host(run, "ichnaea.netflix.com");
    assert_non_null(api);
    assert_int_equal(api->named.by, WEIR_NAMED_SNI);
    assert_string_equal(api->ndpi, "TLS.NetFlix");
    assert_non_null(log);
    assert_true(count(run, "netflix", WEIR_NAMED_SNI) >= 3);
    /* clear-text media, asked for by address */
    size_t media = 0, media_named = 0;
    struct weir_cidr appliances;
    assert_int_equal(weir_cidr_parse("23.246.0.0/18", &appliances), 0);
    for (size_t i = 0; i < run->n_flows; i++) {
        bool is_media = weir_cidr_contains(&appliances, &run->flows[i].addr[1]);
        media += is_media;
        media_named +=
            is_media && run->flows[i].named.service == weir_service_find(run->set, "netflix");
    }
    assert_true(media > 0);
    assert_int_equal(media_named, media);
    end_run(run);
}

static void test_sites(void **state) {
    struct run *run = run_capture("sites.pcapng");
    static const char *const services[] = {"hulu", "vimeo", "deezer"};
    for (size_t i = 0; i < 3; i++) assert_true(count(run, services[i], WEIR_NAMED_SNI) >= 1);
    assert_true(count(run, "other", WEIR_NAMED_SNI) > 10);
    end_run(run);
}

static void test_gquic(void **state) {
    struct run *run = run_capture("youtube_quic.pcap");
    const struct seen *seen = find_host(run, "yt3.ggpht.com"); /* nDPI read the name */
    assert_non_null(seen);
    assert_int_equal(seen->named.by, WEIR_NAMED_SNI);
    assert_int_equal(seen->named.app, WEIR_APP_QUIC);
    assert_string_equal(seen->ndpi, "QUIC.YouTube");
    end_run(run);
}

/* Named before they say anything: DNS announced them, and the capture ends before their server
 * answers. (Its hellos are cut by the snap length, in front of the name.) */
static void test_unanswered(void **state) {
    struct run *run = run_capture("short_clean_dump.pcap");
    size_t silent = 0;
    for (size_t i = 0; i < run->n_flows; i++) {
        const struct seen *seen = &run->flows[i];
        silent += seen->named.app == WEIR_APP_UNKNOWN && seen->named.by == WEIR_NAMED_DNS &&
                  seen->named.service == weir_service_find(run->set, "netflix") &&
                  strstr(seen->host, ".nflxvideo.net") && seen->named.role == WEIR_ROLE_MEDIA;
    }
    assert_true(silent >= 6);
    end_run(run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spotify_protocol),
        cmocka_unit_test(test_lan_discovery),
        cmocka_unit_test(test_netflix),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_gquic),
        cmocka_unit_test(test_unanswered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
