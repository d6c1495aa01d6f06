/* Whose a host, an address and a protocol name is: in sets made for it, against a slow reading of
 * the same rule, and in the signatures that weir ships. */
#undef NDEBUG
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>
#include <ndpi_api.h>

#include <weir/service.h>

#include "signature_files.h"

static struct weir_service_set *load(const char *directory) {
    struct weir_service_set *set = NULL;
    struct weir_fault fault = {""};
    if (weir_service_set_load(&set, directory, &fault) < 0) print_error("%s\n", fault.text);
    assert_non_null(set);
    return set;
}

/* Two services and a CDN, with everything that may overlap. */
static struct weir_service_set *small_set(void) {
    struct signature_files files = signature_files_new();
    signature_files_add(
        &files, "one.yaml",
        "id: one\ntitle: One\nkind: vod\nndpi: [OneProto]\n"
        "hosts: {media: [media.one.net, cache.one.net], control: [one.net, manifest.media.one.net]}\n"
        "never_count: [speed.one.net, sister.two.net]\n"
        "prefixes: {media: [198.18.0.0/16, 2001:db8::/32],\n"
        "  control: [198.18.128.0/17, 198.18.7.0/24, 198.18.9.0/24]}\n");
    signature_files_add(
        &files, "two.yaml",
        "id: two\ntitle: Two\nkind: live\nndpi: [TwoProto]\n"
        "hosts: {media: [two.net, two.cdn.example], control: [two.one.net]}\n"
        "prefixes: {media: [198.18.200.0/24, 2001:db8:1::/48], control: [198.19.0.0/16]}\n");
    signature_files_add(&files, "cdn.yaml", "cdn: [cdn.example]\n");
    struct weir_service_set *set = load(files.path);
    signature_files_free(&files);
    return set;
}

static void check_host(const struct weir_service_set *set, const char *host, const char *service,
                       const char *role) {
    struct weir_match match = weir_service_match_host(set, host, strlen(host));
    const char *id = weir_service_get(set, match.service)->id;
    if (strcmp(id, service) != 0 || strcmp(weir_role_name(match.role), role) != 0)
        print_error("%s: %s %s, not %s %s\n", host, id, weir_role_name(match.role), service, role);
    assert_string_equal(id, service);
    assert_string_equal(weir_role_name(match.role), role);
}

static void test_the_longest_suffix_wins_at_label_boundaries(void **state) {
    struct weir_service_set *set = small_set();
    static const struct {
        const char *host, *service, *role;
    } cases[] = {
        {"one.net", "one", "control"},
        {"www.one.net", "one", "control"},
        {"media.one.net", "one", "media"},
        {"a.b.c.media.one.net", "one", "media"},
        {"xmedia.one.net", "one", "control"},
        {"manifest.media.one.net", "one", "control"},
        {"x.manifest.media.one.net", "one", "control"},
        {"media.one.net.", "one", "media"},
        {"two.one.net", "two", "control"},
        {"media.two.one.net", "two", "control"},
        {"two.net", "two", "media"},
        {"xtwo.net", "other", "other"},
        {"one.net.evil.example", "other", "other"},
        {"net", "other", "other"},
        {"e.net", "other", "other"},
        {"ne.net", "other", "other"},
        {".one.net", "one", "control"},
        {"..", "other", "other"},
        {".", "other", "other"},
        {"", "other", "other"},
        {"speed.one.net", "other", "other"},
        {"x.speed.one.net", "other", "other"},
        {"xspeed.one.net", "one", "control"},
        {"sister.two.net", "other", "other"},
        {"cdn.example", "other", "other"},
        {"two.cdn.example", "two", "media"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_host(set, cases[i].host, cases[i].service, cases[i].role);

    assert_true(weir_service_match_host(set, "a.speed.one.net", 15).never_count);
    assert_false(weir_service_match_host(set, "a.speel.one.net", 15).never_count);
    assert_false(weir_service_match_host(set, "nobody.example", 14).never_count);
    assert_true(weir_service_is_media_cdn(set, "cdn.example", 11));
    assert_true(weir_service_is_media_cdn(set, "x.cdn.example", 13));
    assert_false(weir_service_is_media_cdn(set, "xcdn.example", 12));
    assert_false(weir_service_is_media_cdn(set, "one.net", 7));
    weir_service_set_unref(set);
}

/* The name is not terminated: only `length` bytes may be read (the sanitizers watch the end). */
static void test_a_host_of_any_bytes(void **state) {
    struct weir_service_set *set = small_set();
    for (size_t length = 0; length < 600; length++) {
        char *host = malloc(length ? length : 1);
        assert_non_null(host);
        memset(host, length % 3 == 0 ? '.' : length % 3 == 1 ? 'a' : 0xff, length);
        assert_int_equal(weir_service_match_host(set, host, length).service, WEIR_SERVICE_OTHER);
        if (length >= 8) {
            memcpy(host + length - 8, ".one.net", 8);
            assert_string_equal(
                weir_service_get(set, weir_service_match_host(set, host, length).service)->id,
                "one");
        }
        free(host);
    }
    weir_service_set_unref(set);
}

static struct weir_addr addr_of(const char *text) {
    struct weir_addr addr;
    assert_int_equal(weir_addr_parse(text, &addr), 0);
    return addr;
}

static void test_the_longest_prefix_wins(void **state) {
    struct weir_service_set *set = small_set();
    static const struct {
        const char *addr, *service, *role;
    } cases[] = {
        {"198.17.255.255", "other", "other"},  {"198.18.0.0", "one", "media"},
        {"198.18.6.255", "one", "media"},      {"198.18.7.0", "one", "control"},
        {"198.18.7.255", "one", "control"},    {"198.18.8.0", "one", "media"},
        {"198.18.9.9", "one", "control"},      {"198.18.10.0", "one", "media"},
        {"198.18.127.255", "one", "media"},    {"198.18.128.0", "one", "control"},
        {"198.18.199.255", "one", "control"},  {"198.18.200.0", "two", "media"},
        {"198.18.200.255", "two", "media"},    {"198.18.201.0", "one", "control"},
        {"198.18.255.255", "one", "control"},  {"198.19.0.0", "two", "control"},
        {"198.20.0.0", "other", "other"},      {"0.0.0.0", "other", "other"},
        {"255.255.255.255", "other", "other"}, {"::", "other", "other"},
        {"2001:db7:ffff::", "other", "other"}, {"2001:db8::", "one", "media"},
        {"2001:db8:1::", "two", "media"},      {"2001:db8:1:ffff::1", "two", "media"},
        {"2001:db8:2::", "one", "media"},      {"2001:db9::", "other", "other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir_addr addr = addr_of(cases[i].addr);
        struct weir_match match = weir_service_match_addr(set, &addr);
        if (strcmp(weir_service_get(set, match.service)->id, cases[i].service) != 0)
            print_error("%s\n", cases[i].addr);
        assert_string_equal(weir_service_get(set, match.service)->id, cases[i].service);
        assert_string_equal(weir_role_name(match.role), cases[i].role);
    }
    weir_service_set_unref(set);
}

static void test_protocol_names(void **state) {
    struct weir_service_set *set = small_set();
    assert_int_equal(weir_service_match_ndpi(set, "OneProto").service,
                     weir_service_find(set, "one"));
    assert_int_equal(weir_service_match_ndpi(set, "ONEPROTO").service,
                     weir_service_find(set, "one"));
    assert_int_equal(weir_service_match_ndpi(set, "TwoProto").service,
                     weir_service_find(set, "two"));
    assert_int_equal(weir_service_match_ndpi(set, "TwoProto").role, WEIR_ROLE_OTHER);
    assert_int_equal(weir_service_match_ndpi(set, "TLS").service, WEIR_SERVICE_OTHER);
    assert_int_equal(weir_service_match_ndpi(set, "").service, WEIR_SERVICE_OTHER);
    weir_service_set_unref(set);
}

static void test_ids_and_names(void **state) {
    struct weir_service_set *set = small_set();
    assert_int_equal(weir_service_set_count(set), 4);
    assert_string_equal(weir_service_get(set, WEIR_SERVICE_NONE)->id, "none");
    assert_string_equal(weir_service_get(set, WEIR_SERVICE_OTHER)->id, "other");
    assert_string_equal(weir_service_get(set, WEIR_SERVICE_FIRST)->id, "one");
    assert_string_equal(weir_service_get(set, 3)->id, "two");
    assert_null(weir_service_get(set, 4));
    assert_null(weir_service_get(set, 255));
    assert_int_equal(weir_service_find(set, "one"), 2);
    assert_int_equal(weir_service_find(set, "two"), 3);
    assert_int_equal(weir_service_find(set, "other"), WEIR_SERVICE_OTHER);
    assert_int_equal(weir_service_find(set, "none"), WEIR_SERVICE_NONE);
    assert_int_equal(weir_service_find(set, "on"), WEIR_SERVICE_NONE);
    assert_string_equal(weir_role_name(WEIR_ROLE_CONTROL), "control");
    assert_string_equal(weir_kind_name(WEIR_KIND_CALL), "call");
    assert_string_equal(weir_named_by_name(WEIR_NAMED_NDPI), "ndpi");
    for (int i = 0; i < WEIR_NAMED_N; i++)
        assert_non_null(weir_named_by_name((enum weir_named_by)i));
    weir_service_set_unref(set);
}

static void *take_and_leave(void *argument) {
    struct weir_service_set *set = argument;
    for (int i = 0; i < 20000; i++) weir_service_set_unref(weir_service_set_ref(set));
    weir_service_set_unref(set);
    return NULL;
}

static void test_references_from_threads(void **state) {
    struct weir_service_set *set = small_set();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, take_and_leave, weir_service_set_ref(set)), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    check_host(set, "one.net", "one", "control"); /* still ours */
    weir_service_set_unref(set);
    weir_service_set_unref(NULL);
}

/* What weir ships */

static const char *const shipped[] = {
    "applemusic", "appletv", "bbciplayer", "crunchyroll", "dazn",    "deezer",
    "disneyplus", "hulu",    "max",        "netflix",     "pandora", "paramountplus",
    "peacock",    "plutotv", "primevideo", "soundcloud",  "spotify", "tidal",
    "tiktok",     "tubi",    "twitch",     "vimeo",       "youtube",
};

static void test_shipped_set_is_whole(void **state) {
    struct weir_service_set *set = load(WEIR_SIGNATURES);
    size_t n = sizeof shipped / sizeof shipped[0];
    assert_int_equal(n, 23);
    assert_true(weir_service_set_count(set) >= n + WEIR_SERVICE_FIRST);
    for (size_t i = 0; i < n; i++) {
        weir_service_id id = weir_service_find(set, shipped[i]);
        assert_int_not_equal(id, WEIR_SERVICE_NONE);
        const struct weir_service *service = weir_service_get(set, id);
        size_t n_roles[3] = {0};
        for (size_t k = 0; k < service->n_hosts; k++) n_roles[service->hosts[k].role]++;
        assert_true(n_roles[WEIR_ROLE_MEDIA] > 0);
        assert_true(n_roles[WEIR_ROLE_CONTROL] > 0);
        for (size_t k = 0; k < service->n_hosts; k++)
            check_host(set, service->hosts[k].suffix, service->id,
                       weir_role_name(service->hosts[k].role));
    }
    weir_service_set_unref(set);
}

/* Suffixes of one service under another's that are meant to be there. */
static const char *const meant_below[] = {"hulu.playback.edge.bamgrid.com"};

static bool is_meant_below(const char *suffix) {
    for (size_t i = 0; i < sizeof meant_below / sizeof meant_below[0]; i++)
        if (strcmp(meant_below[i], suffix) == 0) return true;
    return false;
}

static bool is_below(const char *host, const char *suffix) {
    size_t length = strlen(host), below = strlen(suffix);
    return length > below && host[length - below - 1] == '.' &&
           strcmp(host + length - below, suffix) == 0;
}

static void check_nothing_shadowed(const struct weir_service *upper,
                                   const struct weir_service *lower) {
    for (size_t i = 0; i < upper->n_hosts; i++) {
        for (size_t k = 0; k < lower->n_hosts; k++) {
            bool below = is_below(lower->hosts[k].suffix, upper->hosts[i].suffix);
            if (below && !is_meant_below(lower->hosts[k].suffix))
                fail_msg("%s of %s lies below %s of %s", lower->hosts[k].suffix, lower->id,
                         upper->hosts[i].suffix, upper->id);
        }
        for (size_t k = 0; k < lower->n_never_count; k++)
            assert_false(is_below(lower->never_count[k], upper->hosts[i].suffix));
    }
}

static void test_shipped_suffixes_do_not_shadow_each_other(void **state) {
    struct weir_service_set *set = load(WEIR_SIGNATURES);
    size_t n = weir_service_set_count(set);
    for (size_t upper = WEIR_SERVICE_FIRST; upper < n; upper++)
        for (size_t lower = WEIR_SERVICE_FIRST; lower < n; lower++)
            if (upper != lower)
                check_nothing_shadowed(weir_service_get(set, (weir_service_id)upper),
                                       weir_service_get(set, (weir_service_id)lower));
    weir_service_set_unref(set);
}

static void test_shipped_hosts_of_public_captures(void **state) {
    struct weir_service_set *set = load(WEIR_SIGNATURES);
    static const struct {
        const char *host, *service, *role;
    } cases[] = {
        {"prod-static.disney-plus.net", "disneyplus", "control"},
        {"hulu.com", "hulu", "control"},
        {"gql.twitch.tv", "twitch", "control"},
        {"www.primevideo.com", "primevideo", "control"},
        {"f.vimeocdn.com", "vimeo", "control"},
        {"vcs-va.tiktokv.com", "tiktok", "control"},
        {"pandora.com", "pandora", "control"},
        {"deezer.com", "deezer", "control"},
        {"soundcloud.com", "soundcloud", "control"},
        {"api-global.netflix.com", "netflix", "control"},
        {"ios.nccp.netflix.com", "netflix", "control"},
        {"art-1.nflximg.net", "netflix", "control"},
        {"ichnaea.netflix.com", "netflix", "other"},
        {"android.logs.netflix.com", "netflix", "other"},
        {"vortex.hulu.com", "hulu", "other"},
        {"ipv4-c004-cdg001-ix.1.oca.nflxvideo.net", "netflix", "media"},
        {"occ-0-56-55.1.nflxso.net", "netflix", "control"},
        {"fast.com", "other", "other"},
        {"api.fast.com", "other", "other"},
        {"googlevideo.com", "youtube", "media"},
        {"r3---sn-gxo5uxg-jqbe.googlevideo.com", "youtube", "media"},
        {"o-o.preferred.telekomrs-beg1.v2.lscache8.c.youtube.com", "youtube", "media"},
        {"yt3.ggpht.com", "youtube", "control"},
        {"www.youtube.com", "youtube", "control"},
        {"i.ytimg.com", "youtube", "control"},
        {"youtubei.googleapis.com", "youtube", "control"},
        {"www.google.com", "other", "other"},
        {"googleads.g.doubleclick.net", "other", "other"},
        {"guzzoni.apple.com", "other", "other"},
        {"origin-a.akamaihd.net", "other", "other"},
        /* URLs in public players */
        {"video-weaver.fra05.hls.ttvnw.net", "twitch", "media"},
        {"usher.ttvnw.net", "twitch", "control"},
        {"9f39f2.rufio.hls.live-video.net", "twitch", "media"},
        {"vod-akc-ap-north-1.media.dssott.com", "disneyplus", "media"},
        {"disney.api.edge.bamgrid.com", "disneyplus", "control"},
        {"espn.api.edge.bamgrid.com", "other", "other"},
        {"hulu.playback.edge.bamgrid.com", "hulu", "control"},
        {"ottb.live.cf.ww.aiv-cdn.net", "primevideo", "media"},
        {"cf-timedtext.aux.pv-cdn.net", "primevideo", "control"},
        {"m.media-amazon.com", "other", "other"},
        {"audio-ak-spotify-com.akamaized.net", "spotify", "media"},
        {"audio-fa.scdn.co", "spotify", "media"},
        {"i.scdn.co", "spotify", "control"},
        {"cf-hls-media.sndcdn.com", "soundcloud", "media"},
        {"i1.sndcdn.com", "soundcloud", "control"},
        {"cdnt-stream.dzcdn.net", "deezer", "media"},
        {"vs-cmaf-pushb-uk.live.cf.md.bbci.co.uk", "bbciplayer", "media"},
        {"vod-dash-uk-live.akamaized.net", "bbciplayer", "media"},
        {"g003-vod-us-cmaf-prd-cl.cdn.peacocktv.com", "peacock", "media"},
        {"akm.asia.prd.media.max.com", "max", "media"},
        {"e-cdns-proxy-a.dzcdn.net", "deezer", "media"},
        {"cdns-preview-0.dzcdn.net", "deezer", "media"},
        {"e-cdns-images.dzcdn.net", "deezer", "control"},
        {"v16-webapp-prime.us.tiktok.com", "tiktok", "media"},
        {"v16m-default.akamaized.net", "tiktok", "media"},
        {"audio-fa-tls130.spotifycdn.com", "spotify", "media"},
        {"video-fa.scdn.co", "spotify", "media"},
        {"cf-hls-opus-media.sndcdn.com", "soundcloud", "media"},
        {"mvod.itunes.apple.com", "applemusic", "media"},
        {"a-vrv.akamaized.net", "crunchyroll", "media"},
        {"vod-progressive-ak.vimeocdn.com", "vimeo", "media"},
        {"vmz-ad-cf.video.tidal.com", "tidal", "media"},
        {"cloudfront.xp-assets.aiv-cdn.net", "primevideo", "control"},
        {"atv-ps-eu.amazon.de", "primevideo", "control"},
        {"g001-live-us-cmaf-prd-ak.pcdn03.cssott.com", "peacock", "media"},
        {"g001-vod-eu-cmaf-prd-lu.pcdn01.cssott.com", "other", "other"},
        {"ingest.global-contribute.live-video.net", "twitch", "control"},
        {"fa723fc1b171.global-contribute.live-video.net", "other", "other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_host(set, cases[i].host, cases[i].service, cases[i].role);
    assert_true(weir_service_is_media_cdn(set, "origin-a.akamaihd.net", 21));

    struct weir_addr oca = addr_of("23.246.11.133");
    assert_int_equal(weir_service_match_addr(set, &oca).service, weir_service_find(set, "netflix"));
    assert_int_equal(weir_service_match_addr(set, &oca).role, WEIR_ROLE_MEDIA);
    struct weir_addr dns = addr_of("8.8.8.8");
    assert_int_equal(weir_service_match_addr(set, &dns).service, WEIR_SERVICE_OTHER);
    weir_service_set_unref(set);
}

/* The table against the rule, read slowly: every host there is, with labels before and behind and
 * cut anywhere. */
static const char *slow_owner(const struct weir_service_set *set, const char *host) {
    const char *owner = "other";
    size_t longest = 0;
    for (size_t id = WEIR_SERVICE_FIRST; id < weir_service_set_count(set); id++) {
        const struct weir_service *service = weir_service_get(set, (weir_service_id)id);
        for (size_t i = 0; i < service->n_hosts + service->n_never_count; i++) {
            bool never = i >= service->n_hosts;
            const char *suffix =
                never ? service->never_count[i - service->n_hosts] : service->hosts[i].suffix;
            if ((strcmp(host, suffix) == 0 || is_below(host, suffix)) && strlen(suffix) > longest) {
                longest = strlen(suffix);
                owner = never ? "other" : service->id;
            }
        }
    }
    return owner;
}

static void test_table_agrees_with_the_rule(void **state) {
    struct weir_service_set *set = load(WEIR_SIGNATURES);
    static const char *const before[] = {"", "a.", "a", "x.y.z.", "-"};
    static const char *const behind[] = {"", ".example", "x"};
    for (size_t id = WEIR_SERVICE_FIRST; id < weir_service_set_count(set); id++) {
        const struct weir_service *service = weir_service_get(set, (weir_service_id)id);
        for (size_t i = 0; i < service->n_hosts; i++) {
            for (size_t k = 0; k < 15; k++) {
                char host[300];
                snprintf(host, sizeof host, "%s%s%s", before[k / 3], service->hosts[i].suffix,
                         behind[k % 3]);
                for (const char *cut = host; *cut; cut += 1 + strlen(cut) / 8) {
                    struct weir_match match = weir_service_match_host(set, cut, strlen(cut));
                    assert_string_equal(weir_service_get(set, match.service)->id,
                                        slow_owner(set, cut));
                }
            }
        }
    }
    weir_service_set_unref(set);
}

static void test_ndpi_knows_the_protocol_names(void **state) {
    struct weir_service_set *set = load(WEIR_SIGNATURES);
#ifdef WEIR_NDPI_INIT_PREFS
    struct ndpi_detection_module_struct *ndpi = ndpi_init_detection_module(ndpi_no_prefs);
#else
    struct ndpi_detection_module_struct *ndpi = ndpi_init_detection_module(NULL);
#endif
    assert_non_null(ndpi);
    size_t n = 0;
    for (size_t id = WEIR_SERVICE_FIRST; id < weir_service_set_count(set); id++) {
        const struct weir_service *service = weir_service_get(set, (weir_service_id)id);
        for (size_t i = 0; i < service->n_ndpi; i++, n++) {
            if (ndpi_get_proto_by_name(ndpi, service->ndpi[i]) == NDPI_PROTOCOL_UNKNOWN)
                fail_msg("nDPI knows no %s", service->ndpi[i]);
            assert_int_equal(weir_service_match_ndpi(set, service->ndpi[i]).service, id);
        }
    }
    assert_true(n >= 12);
    ndpi_exit_detection_module(ndpi);
    weir_service_set_unref(set);
}

/* Well under a microsecond, also for the longest name that cannot match; the bound is loose for
 * slow machines and sanitizers. */
static void test_matching_is_quick(void **state) {
    struct weir_service_set *set = load(WEIR_SIGNATURES);
    char longest[253];
    for (size_t i = 0; i < sizeof longest; i++) longest[i] = i % 2 ? '.' : 'a';
    memcpy(longest + sizeof longest - 4, ".net", 4);
    enum { ROUNDS = 200000 };
    clock_t start = clock();
    unsigned matched = 0;
    for (unsigned i = 0; i < ROUNDS; i++)
        matched += weir_service_match_host(set, longest, sizeof longest - i % 2).service;
    double each_us = (double)(clock() - start) / CLOCKS_PER_SEC * 1e6 / ROUNDS;
    assert_true(matched > 0);
    print_message("%.3f us a name of %zu bytes\n", each_us, sizeof longest);
    assert_true(each_us < 20);
    weir_service_set_unref(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_longest_suffix_wins_at_label_boundaries),
        cmocka_unit_test(test_a_host_of_any_bytes),
        cmocka_unit_test(test_the_longest_prefix_wins),
        cmocka_unit_test(test_protocol_names),
        cmocka_unit_test(test_ids_and_names),
        cmocka_unit_test(test_references_from_threads),
        cmocka_unit_test(test_shipped_set_is_whole),
        cmocka_unit_test(test_shipped_suffixes_do_not_shadow_each_other),
        cmocka_unit_test(test_shipped_hosts_of_public_captures),
        cmocka_unit_test(test_table_agrees_with_the_rule),
        cmocka_unit_test(test_ndpi_knows_the_protocol_names),
        cmocka_unit_test(test_matching_is_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
