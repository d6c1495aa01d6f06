/* A way out that loses packets: seen in what several services sent, told where viewers suffer. */
#include "scenario.h"

enum { SEGMENTS = 1000 };

struct loss {
    weir_service_id service;
    double before;
    uint32_t segments;
};

static void window(const struct loss *losses, size_t n) {
    struct weir_detect_service_window services[N_SITE_SERVICES] = {{.service = 0}};
    for (size_t i = 0; i < n; i++)
        services[i] = (struct weir_detect_service_window){.service = losses[i].service,
                                                          .loss_before = losses[i].before,
                                                          .segments_down = losses[i].segments};
    struct weir_detect_window one = {
        .start_us = site.slot_us - WEIR_SLOT_US, .services = services, .n_services = n};
    weir_detector_window(site.detector, &one);
}

static void watch(weir_service_id service, uint32_t stalled) {
    struct weir_demand demand = {
        .service = service, .viewers = 2, .viewers_stalled = stalled, .clients_open = 2};
    weir_detector_demand(site.detector, &demand);
}

/* `n` slots that end with this window. */
static void live(unsigned n, const struct loss *losses, size_t n_losses, uint32_t stalled) {
    for (unsigned i = 0; i < n; i++) {
        watch(NETFLIX, stalled);
        site_healthy(&site, 1, 3);
        window(losses, n_losses);
    }
}

#define LIVE(n, losses, stalled) live(n, losses, sizeof losses / sizeof *losses, stalled)

static const struct loss both[] = {{NETFLIX, 0.06, SEGMENTS}, {YOUTUBE, 0.05, SEGMENTS}},
                         well[] = {{NETFLIX, 0.002, SEGMENTS}, {YOUTUBE, 0, SEGMENTS}};

/* Two services lose, and a picture stands still: the way out, until it loses no more. */
static void viewers_suffer(void **state) {
    site_healthy(&site, 12, 3);
    LIVE(4, both, 1);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_int_equal(raised->cause, WEIR_CAUSE_UPLINK);
    assert_int_equal(raised->state, WEIR_STATE_DEGRADED);
    assert_int_equal(raised->link.segments, 2 * SEGMENTS);
    assert_int_equal(raised->link.lost_before, 110);
    assert_non_null(strstr(raised->text, "Of 2000 packets of several services 110 were lost"));
    LIVE(12, both, 0); /* it loses on: not over, though nobody suffers now */
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 0);
    LIVE(12, well, 0);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 1);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
}

/* What is no fault of the way out, or none that anybody notices. */
static void is_not_told(void **state) {
    static const struct {
        struct loss losses[4];
        uint32_t stalled;
    } rows[] = {
        {{{NETFLIX, 0.06, SEGMENTS}, {YOUTUBE, 0.05, SEGMENTS}}, 0},
        {{{NETFLIX, 0.2, SEGMENTS}, {YOUTUBE, 0, SEGMENTS}}, 1},
        {{{NETFLIX, 0.2, SEGMENTS}, {YOUTUBE, 0.06, 20}}, 1},
        {{{NETFLIX, 0.015, SEGMENTS}, {YOUTUBE, 0.015, SEGMENTS}}, 1},
        {{{NETFLIX, 0.06, SEGMENTS}, {YOUTUBE, 0.05, SEGMENTS}, {HULU, 0, SEGMENTS}}, 1},
        {{{NETFLIX, -1, SEGMENTS}, {YOUTUBE, -1, SEGMENTS}}, 1},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        end(NULL);
        begin(NULL);
        site_healthy(&site, 12, 3);
        LIVE(6, rows[row].losses, rows[row].stalled);
        assert_int_equal(site.n_events, 0);
    }
}

/* One bad window is a burst, and two with a minute between them are two. */
static void bursts(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 3; i++) {
        LIVE(1, both, 1);
        LIVE(6, well, 1);
    }
    assert_int_equal(site.n_events, 0);
}

/* A service that starves while the way out loses starves for that; buffers last for a while. */
static void starves_for_losses(void **state) {
    for (int loses = 0; loses < 2; loses++) {
        end(NULL);
        begin(NULL);
        site_healthy(&site, 12, 3);
        live(2, loses ? both : well, 2, 0);
        for (int i = 0; i < 9; i++) {
            struct weir_demand demand = {
                .service = NETFLIX, .open = 3, .clients_open = 3, .clients_starved = 3};
            weir_detector_demand(site.detector, &demand);
            for (unsigned client = 0; client < 3; client++)
                site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1, 6)->kind =
                    WEIR_OUTCOME_STARVED;
            site_well(&site, YOUTUBE, 3, 3);
            site_slot(&site);
            window(loses ? both : well, 2);
        }
        assert_true(site.n_events > 0);
        assert_int_equal(site.events[0].cause, loses ? WEIR_CAUSE_UPLINK : WEIR_CAUSE_SERVICE);
        assert_int_equal(site.events[0].state, WEIR_STATE_DEGRADED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENARIO(viewers_suffer),
        SCENARIO(is_not_told),
        SCENARIO(bursts),
        SCENARIO(starves_for_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
