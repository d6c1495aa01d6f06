/* Fuzzes the naming of flows. The bytes are steps of a few connections of two clients: payload in
 * and out of order, whole or cut by the capture; QUIC Initials with any frames behind a valid
 * protection; DNS answers; time; facts handed back. Whatever comes, a name agrees with itself, a
 * flow that is done holds no state, and nothing is held when all have ended.
 *
 * The classifier lives for many inputs, as nDPI takes long to start: an input begins with the
 * memories of those before it. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <weir/classify.h>
#include <weir/flow.h>

#include "../unit/decode/quic_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_LANES = 16, INPUTS_EACH = 5000, STEP_HEADER = 3, BYTES_MAX = 2047 };
enum step {
    STEP_DATA,
    STEP_INITIAL,
    STEP_DNS,
    STEP_END,
    STEP_CUT,
    STEP_TIME,
    STEP_LEARN,
    STEP_REORDER
};

static struct weir_service_set *set;

/* One connection: what it is follows from its number. */
struct lane {
    uint32_t seq[2];
    bool open;
};

struct run {
    struct weir_classifier *classifier;
    struct weir_flow_table *table;
    int64_t now_us;
    struct lane lanes[N_LANES];
};

static const uint16_t ports[] = {443, 443, 80, 4070};

static void check_name(struct weir_flow *flow) {
    const struct weir_named *named = weir_flow_named(flow);
    assert(named->service < weir_service_set_count(set));
    assert(named->role <= WEIR_ROLE_MEDIA && named->by < WEIR_NAMED_N &&
           named->app <= WEIR_APP_OTHER);
    assert(!named->host || (named->host[0] && named->host_hash != 0 && strlen(named->host) <= 253));
    assert(!named->done || *weir_flow_naming(flow) == NULL);
}

static void observe(void *context, struct weir_flow *flow, const struct weir_event *event) {
    struct run *run = context;
    if (event->kind == WEIR_EVENT_NEW) {
        weir_classify_begin(run->classifier, flow, NULL, event->now_us);
        check_name(flow);
    }
    if (event->kind != WEIR_EVENT_END) return;
    weir_classify_end(run->classifier, flow);
    check_name(flow);
    assert(*weir_flow_naming(flow) == NULL);
    char text[WEIR_NDPI_TEXT_MAX];
    weir_classify_ndpi_text(run->classifier, weir_flow_named(flow), text);
    assert(memchr(text, '\0', sizeof text));
}

static struct weir_addr address(uint8_t a, uint8_t d) {
    return (struct weir_addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, 18, 0, d}};
}

static struct weir_packet packet_of(const struct run *run, unsigned number, enum weir_side side) {
    struct weir_addr ends[2] = {address(10, 1 + (number >> 3)),
                                address(198, (uint8_t)(number & 3))};
    uint16_t port[2] = {(uint16_t)(40000 + number), ports[number & 3]};
    return (struct weir_packet){.ts_us = run->now_us,
                                .now_us = run->now_us,
                                .src = ends[side],
                                .dst = ends[!side],
                                .src_port = port[side],
                                .dst_port = port[!side],
                                .transport =
                                    (number & 3) == 1 ? WEIR_TRANSPORT_UDP : WEIR_TRANSPORT_TCP,
                                .ttl = 60};
}

static void send_packet(struct run *run, struct weir_packet *packet) {
    struct weir_flow *flow;
    enum weir_side side;
    if (weir_flow_track(run->table, weir_flow_hash(run->table, packet), packet, &flow, &side) !=
        WEIR_TRACK_OK)
        return;
    if (packet->payload_captured && !weir_flow_named(flow)->done)
        weir_classify_packet(run->classifier, flow, packet, side);
    check_name(flow);
}

static void open_lane(struct run *run, unsigned number) {
    if (run->lanes[number].open || (number & 3) == 1) return;
    run->lanes[number] = (struct lane){.seq = {1, 1}, .open = true};
    struct weir_packet syn = packet_of(run, number, WEIR_CLIENT);
    syn.tcp_flags = WEIR_TCP_SYN;
    send_packet(run, &syn);
}

/* `skew` moves a segment of TCP back or forth, or, of UDP, does nothing. */
static void send_data(struct run *run, unsigned number, enum weir_side side, const uint8_t *bytes,
                      size_t length, size_t captured, int skew) {
    open_lane(run, number);
    struct weir_packet packet = packet_of(run, number, side);
    struct lane *lane = &run->lanes[number];
    if (packet.transport == WEIR_TRANSPORT_TCP) {
        packet.tcp_flags = WEIR_TCP_ACK | WEIR_TCP_PSH;
        packet.tcp.seq = lane->seq[side] + (uint32_t)skew;
        packet.tcp.ack = lane->seq[!side];
    }
    /* exactly as long as captured, so that an over-read shows */
    uint8_t *copy = malloc(captured ? captured : 1);
    memcpy(copy, bytes, captured);
    packet.payload = copy;
    packet.payload_len = (uint32_t)length;
    packet.payload_captured = (uint32_t)captured;
    packet.ip_payload_len = packet.payload_len + 20;
    send_packet(run, &packet);
    if (skew == 0) lane->seq[side] += (uint32_t)length;
    free(copy);
}

static void send_initial(struct run *run, unsigned number, enum weir_side side,
                         const uint8_t *frames, size_t length, unsigned how) {
    static const uint32_t versions[] = {QUIC_V1, QUIC_V2, QUIC_DRAFT29};
    uint8_t datagram[BYTES_MAX + 200];
    struct weir_cid first = quic_cid("\x83\x94\xc8\xf0\x3e\x51\x57\x08", 8);
    struct quic_initial_spec spec = {.version = versions[how % 3],
                                     .dcid = first,
                                     .scid = first,
                                     .first_dcid = first,
                                     .from_server = side == WEIR_SERVER,
                                     .packet_number = how,
                                     .packet_number_len = 1 + how % 4};
    size_t made = quic_build_initial(&spec, frames, length, datagram, sizeof datagram);
    if (made) send_data(run, (number & ~3u) | 1, side, datagram, made, made, 0);
}

static void send_end(struct run *run, unsigned number, enum weir_side side) {
    struct weir_packet packet = packet_of(run, number, side);
    packet.tcp_flags = WEIR_TCP_RST;
    packet.tcp.seq = run->lanes[number].seq[side];
    send_packet(run, &packet);
    run->lanes[number].open = false;
}

static void tell(struct run *run, unsigned number, const uint8_t *bytes, size_t length) {
    struct weir_dns_message answer;
    struct weir_addr client = address(10, 1 + (number >> 3));
    if (weir_dns_message(bytes, length, &answer) == WEIR_WIRE_OK && answer.response)
        weir_classify_dns(run->classifier, &answer, &client, run->now_us);
}

static void pass_time(struct run *run, unsigned seconds) {
    for (unsigned i = 0; i < seconds; i++) {
        run->now_us += WEIR_TICK_US;
        weir_flow_tick(run->table, run->now_us);
    }
}

static void learn(struct run *run) {
    const struct weir_address_fact *taken;
    size_t n = weir_classify_take_facts(run->classifier, &taken);
    struct weir_address_fact *facts = calloc(n ? n : 1, sizeof *facts);
    if (n) memcpy(facts, taken, n * sizeof *facts);
    n = weir_address_facts_unify(facts, n);
    for (size_t i = 0; i < n; i++)
        assert(facts[i].service < weir_service_set_count(set) && facts[i].role <= WEIR_ROLE_MEDIA);
    weir_classify_learn(run->classifier, facts, n, run->now_us);
    free(facts);
}

static void take_step(struct run *run, uint8_t op, unsigned how, const uint8_t *bytes,
                      size_t length) {
    unsigned number = op & (N_LANES - 1);
    enum weir_side side = how & 1 ? WEIR_SERVER : WEIR_CLIENT;
    switch ((enum step)(op >> 5)) {
    case STEP_DATA: send_data(run, number, side, bytes, length, length, 0); break;
    case STEP_INITIAL: send_initial(run, number, side, bytes, length, how >> 1); break;
    case STEP_DNS: tell(run, number, bytes, length); break;
    case STEP_END: send_end(run, number, side); break;
    case STEP_CUT: send_data(run, number, side, bytes, length + 100, length, 0); break;
    case STEP_TIME: pass_time(run, how * 4); break;
    case STEP_LEARN: learn(run); break;
    case STEP_REORDER:
        send_data(run, number, side, bytes, length, length, ((int)how - 16) * 50);
        break;
    }
}

static struct weir_classifier *classifier_now(void) {
    static struct weir_classifier *classifier;
    static unsigned used;
    struct weir_fault fault = {0};
    int error = set ? 0 : weir_service_set_load(&set, WEIR_SIGNATURES, &fault);
    assert(error == 0);
    if (used++ % INPUTS_EACH == 0) {
        weir_classifier_free(classifier);
        const struct weir_classify_config config = {
            .names_max = 64, .addresses_max = 32, .hosts_bytes = 1 << 14, .naming_max = 12};
        error = weir_classifier_new(&classifier, set, &config);
        assert(error == 0);
    }
    return classifier;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct run run = {.classifier = classifier_now(), .now_us = INT64_C(1700000000000000)};
    const struct weir_flow_config config = {
        .memory_bytes = 1 << 20, .observer = observe, .context = &run};
    if (weir_flow_table_new(&run.table, &config) < 0) return 0;
    while (size >= STEP_HEADER) {
        size_t length = data[1] | (size_t)(data[2] & 7) << 8, room = size - STEP_HEADER;
        length = length < room ? length : room;
        take_step(&run, data[0], data[2] >> 3, data + STEP_HEADER, length);
        data += STEP_HEADER + length;
        size -= STEP_HEADER + length;
    }
    weir_flow_drain(run.table, run.now_us);
    weir_flow_table_free(run.table);
    struct weir_naming_stats stats;
    weir_classify_stats(run.classifier, &stats);
    assert(stats.naming_now == 0 && stats.n_drift <= WEIR_DRIFT_MAX);
    return 0;
}
