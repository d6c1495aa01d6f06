/* Looks the fields of measure's table up by name once, so that detect needs to know nothing of
 * signals. */
#include <assert.h>

#include "engine/detect_input.h"

struct continuous_fields {
    int value[WEIR_CONTINUOUS_N], samples[WEIR_CONTINUOUS_N];
    int loss_beyond, loss_before;
};

static const struct continuous_fields *find_fields(void) {
    /* Delayed acknowledgements inflate round-trip times, so their low decile is what is compared.
     */
    static const struct {
        const char *group, *value;
    } names[WEIR_CONTINUOUS_N] = {
        [WEIR_CONTINUOUS_RTT_SERVER] = {"rtt_server", "p10_us"},
        [WEIR_CONTINUOUS_RTT_CLIENT] = {"rtt_client", "p10_us"},
        [WEIR_CONTINUOUS_TTFB] = {"ttfb", "p50_us"},
        [WEIR_CONTINUOUS_DNS] = {"dns_latency", "p50_us"},
        [WEIR_CONTINUOUS_GOODPUT] = {"goodput", "p50_bps"},
    };
    static struct continuous_fields fields;
    static bool found;
    if (found) return &fields;
    for (int i = 0; i < WEIR_CONTINUOUS_N; i++) {
        fields.value[i] = weir_field_find(names[i].group, names[i].value);
        fields.samples[i] = weir_field_find(names[i].group, "samples");
    }
    fields.loss_beyond = weir_field_find("loss", "down_beyond_share");
    fields.loss_before = weir_field_find("loss", "down_before_share");
    for (int i = 0; i < WEIR_CONTINUOUS_N; i++)
        assert(fields.value[i] >= 0 && fields.samples[i] >= 0);
    assert(fields.loss_beyond >= 0 && fields.loss_before >= 0);
    found = true;
    return &fields;
}

static double integer_at(const struct weir_window_record *window, int field, double none) {
    return window->values[field].reason != WEIR_REASON_NONE ? none
                                                            : (double)window->values[field].integer;
}

static double real_at(const struct weir_window_record *window, int field, double none) {
    return window->values[field].reason != WEIR_REASON_NONE ? none : window->values[field].real;
}

void weir_detect_input_window(struct weir_detector *detector, struct weir_rollup *rollup,
                              size_t n_services, int64_t end_us, double drop_share,
                              bool dns_blind) {
    const struct continuous_fields *fields = find_fields();
    struct weir_detect_service_window services[WEIR_SERVICES_MAX];
    struct weir_window_record record;
    size_t n = 0;
    for (size_t id = WEIR_SERVICE_OTHER; id < n_services; id++) {
        if (!weir_rollup_seen(rollup, (weir_service_id)id)) continue;
        struct weir_detect_service_window *service = &services[n++];
        *service = (struct weir_detect_service_window){.service = (weir_service_id)id};
        weir_rollup_window(rollup, (weir_service_id)id, end_us, &record);
        for (int i = 0; i < WEIR_CONTINUOUS_N; i++) {
            service->value[i].value = integer_at(&record, fields->value[i], 0);
            service->value[i].samples = (uint32_t)integer_at(&record, fields->samples[i], 0);
            service->value[i].clients =
                weir_rollup_sampled(rollup, (weir_service_id)id, (enum weir_continuous)i);
        }
        service->loss_beyond = real_at(&record, fields->loss_beyond, -1);
        service->loss_before = real_at(&record, fields->loss_before, -1);
        uint64_t segments =
            weir_rollup_down_payload(rollup, (weir_service_id)id) / WEIR_SEGMENT_BYTES;
        service->segments_down = (uint32_t)(segments < UINT32_MAX ? segments : UINT32_MAX);
    }
    const struct weir_client_link *links;
    size_t n_links = weir_rollup_links(rollup, &links);
    const struct weir_detect_window window = {.start_us = end_us - WEIR_SLOT_US,
                                              .drop_share = drop_share,
                                              .one_way_share = weir_rollup_one_way_share(rollup),
                                              .services = services,
                                              .n_services = n,
                                              .links = links,
                                              .n_links = n_links,
                                              .dns_blind = dns_blind,
                                              .down_bps = (double)weir_rollup_down_bytes(rollup) *
                                                          8e6 / (double)WEIR_SLOT_US};
    weir_detector_window(detector, &window);
}

void weir_detect_input_demand(struct weir_detector *detector, const struct weir_sessions *sessions,
                              size_t n_services) {
    for (size_t id = WEIR_SERVICE_OTHER; id < n_services; id++) {
        const struct weir_demand demand = weir_sessions_demand(sessions, (weir_service_id)id);
        weir_detector_demand(detector, &demand);
    }
}
