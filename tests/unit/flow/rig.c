#include "rig.h"

#include <stdlib.h>

#include <weir/wire.h>

static void note(void *context, struct weir_flow *flow, const struct weir_event *event) {
    struct rig *rig = context;
    if (event->kind == WEIR_EVENT_NEW) weir_flow_named(flow)->role = (uint8_t)rig->role;
    if (event->kind == WEIR_EVENT_END) {
        struct weir_flow_record record;
        weir_flow_report(flow, event->end.end, &record);
        assert(record.last_ts_us >= record.first_ts_us);
        if (rig->n_records < RIG_RECORDS) rig->records[rig->n_records++] = record;
    }
    assert((flow == NULL) == (event->kind == WEIR_EVENT_DNS));
    if (rig->n_events == RIG_EVENTS) return;
    rig->events[rig->n_events] = *event;
    if (event->kind == WEIR_EVENT_DNS) {
        strncpy(rig->qnames[rig->n_events], event->dns.qname, 63);
        rig->events[rig->n_events].dns.qname = rig->qnames[rig->n_events];
    }
    rig->n_events++;
}

void rig_open(struct rig *rig, size_t memory_bytes) {
    memset(rig, 0, sizeof *rig);
    rig->us = rig->ticked_us = RIG_START_US;
    struct weir_flow_config config = {.memory_bytes = memory_bytes,
                                      .reports = true,
                                      .request_timeout_us = rig->timeouts,
                                      .asks = rig->asks,
                                      .observer = note,
                                      .context = rig};
    assert_int_equal(weir_flow_table_new(&rig->table, &config), 0);
}

static int by_first_stamp(const void *a, const void *b) {
    const struct weir_flow_record *one = a, *two = b;
    if (one->first_ts_us != two->first_ts_us) return one->first_ts_us < two->first_ts_us ? -1 : 1;
    return memcmp(one->port, two->port, sizeof one->port);
}

void rig_drain(struct rig *rig) {
    size_t before = rig->n_records; /* the table ends its flows in no order */
    weir_flow_drain(rig->table, rig->us);
    qsort(rig->records + before, rig->n_records - before, sizeof rig->records[0], by_first_stamp);
    struct weir_flow_stats stats;
    weir_flow_table_stats(rig->table, &stats);
    assert_int_equal(stats.flows_now, 0);
}

void rig_close(struct rig *rig) {
    rig_drain(rig);
    weir_flow_table_free(rig->table);
    rig->table = NULL;
}

void rig_wait(struct rig *rig, int64_t us) {
    rig->us += us;
    while (rig->ticked_us + WEIR_TICK_US <= rig->us) {
        rig->ticked_us += WEIR_TICK_US;
        weir_flow_tick(rig->table, rig->ticked_us);
    }
}

void rig_knows(struct rig *rig, uint32_t request_bytes) {
    for (unsigned transport = 0; transport < 2; transport++)
        rig->asks[WEIR_SERVICE_NONE].timeout_ds[transport][weir_ask_size(request_bytes)] = 50;
}

static struct talk talk_new(unsigned n, uint8_t transport, uint16_t server_port) {
    struct talk talk = {.transport = transport,
                        .ttl = {64, 55},
                        .seq = {1000, 5000},
                        .id = {100, 9000},
                        .mss = 1460};
    weir_addr_parse("192.168.1.10", &talk.addr[0]);
    weir_addr_parse("198.18.0.1", &talk.addr[1]);
    talk.addr[0].bytes[14] = (uint8_t)(n >> 14);
    talk.port[0] = (uint16_t)(40000 + (n & 0x3fff));
    talk.port[1] = server_port;
    talk.tsval[0] = 700000;
    talk.tsval[1] = 900000;
    return talk;
}

struct talk talk_tcp(unsigned n) {
    return talk_new(n, WEIR_TRANSPORT_TCP, 443);
}
struct talk talk_udp(unsigned n, uint16_t server_port) {
    return talk_new(n, WEIR_TRANSPORT_UDP, server_port);
}

struct weir_packet talk_packet(struct talk *talk, enum weir_side side, uint8_t flags,
                               uint32_t len) {
    unsigned peer = 1 - side;
    struct weir_packet packet = {.src = talk->addr[side],
                                 .dst = talk->addr[peer],
                                 .src_port = talk->port[side],
                                 .dst_port = talk->port[peer],
                                 .transport = talk->transport,
                                 .ttl = talk->ttl[side],
                                 .ip_id = ++talk->id[side],
                                 .checksum = (uint16_t)(talk->id[side] * 7),
                                 .payload_len = len};
    packet.ip_payload_len = len + (talk->transport == WEIR_TRANSPORT_TCP ? 20 : 8);
    if (talk->transport != WEIR_TRANSPORT_TCP) return packet;
    packet.tcp_flags = flags;
    packet.tcp.seq = talk->seq[side];
    packet.tcp.ack = flags & WEIR_TCP_ACK ? talk->seq[peer] : 0;
    packet.tcp.window = 1000;
    packet.tcp.mss = flags & WEIR_TCP_SYN ? talk->mss : 0;
    packet.tcp.has_timestamps = talk->timestamps;
    packet.tcp.tsval = talk->timestamps ? talk->tsval[side] : 0;
    packet.tcp.tsecr = talk->timestamps && (flags & WEIR_TCP_ACK) ? talk->tsecr[side] : 0;
    return packet;
}

void rig_send(struct rig *rig, struct weir_packet *packet) {
    packet->ts_us = rig->us + rig->skew_us;
    packet->now_us = rig->us;
    rig->track = weir_flow_track(rig->table, weir_flow_hash(rig->table, packet), packet, &rig->flow,
                                 &rig->side);
}

static void move_on(struct talk *talk, enum weir_side side, uint8_t flags, uint32_t len) {
    talk->seq[side] += len + (flags & (WEIR_TCP_SYN | WEIR_TCP_FIN) ? 1 : 0);
    talk->tsecr[1 - side] = talk->tsval[side];
}

void rig_tcp(struct rig *rig, struct talk *talk, enum weir_side side, uint8_t flags, uint32_t len) {
    struct weir_packet packet = talk_packet(talk, side, flags, len);
    rig_send(rig, &packet);
    move_on(talk, side, flags, len);
}

void rig_bytes(struct rig *rig, struct talk *talk, enum weir_side side, const void *bytes,
               uint32_t len) {
    struct weir_packet packet = talk_packet(talk, side, WEIR_TCP_ACK, len);
    packet.payload = bytes;
    packet.payload_captured = len;
    rig_send(rig, &packet);
    move_on(talk, side, WEIR_TCP_ACK, len);
}

void rig_udp(struct rig *rig, struct talk *talk, enum weir_side side, const void *bytes,
             uint32_t len) {
    struct weir_packet packet = talk_packet(talk, side, 0, len);
    packet.payload = bytes;
    packet.payload_captured = bytes ? len : 0;
    rig_send(rig, &packet);
}

void rig_handshake(struct rig *rig, struct talk *talk, int64_t rtt_us) {
    rig_tcp(rig, talk, WEIR_CLIENT, WEIR_TCP_SYN, 0);
    rig_wait(rig, rtt_us);
    rig_tcp(rig, talk, WEIR_SERVER, WEIR_TCP_SYN | WEIR_TCP_ACK, 0);
    rig_wait(rig, rtt_us);
    rig_tcp(rig, talk, WEIR_CLIENT, WEIR_TCP_ACK, 0);
}

size_t rig_count(const struct rig *rig, enum weir_event_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < rig->n_events; i++) n += rig->events[i].kind == kind;
    return n;
}

const struct weir_event *rig_last(const struct rig *rig, enum weir_event_kind kind) {
    for (size_t i = rig->n_events; i-- > 0;)
        if (rig->events[i].kind == kind) return &rig->events[i];
    fail_msg("no event of kind %d", kind);
    return NULL;
}

size_t rig_attempts(const struct rig *rig, enum weir_layer layer, enum weir_outcome outcome) {
    size_t n = 0;
    for (size_t i = 0; i < rig->n_events; i++) {
        const struct weir_event *event = &rig->events[i];
        n += event->kind == WEIR_EVENT_ATTEMPT && event->attempt.layer == layer &&
             event->attempt.outcome == outcome;
    }
    return n;
}

size_t rig_fails(const struct rig *rig) {
    size_t n = 0;
    for (size_t i = 0; i < rig->n_events; i++) {
        const struct weir_event *event = &rig->events[i];
        n += (event->kind == WEIR_EVENT_ATTEMPT && weir_outcome_failed(event->attempt.outcome)) ||
             (event->kind == WEIR_EVENT_DNS && weir_outcome_failed(event->dns.outcome));
    }
    return n;
}

size_t rig_anomalies(const struct rig *rig, enum weir_anomaly what, enum weir_side sender) {
    size_t n = 0;
    for (size_t i = 0; i < rig->n_events; i++) {
        const struct weir_event *event = &rig->events[i];
        n += event->kind == WEIR_EVENT_ANOMALY && event->anomaly.what == what &&
             event->anomaly.sender == sender;
    }
    return n;
}

const struct weir_flow_record *rig_record(const struct rig *rig) {
    assert_true(rig->n_records > 0);
    return &rig->records[rig->n_records - 1];
}

void rig_report(struct rig *rig, struct weir_flow_record *ret) {
    weir_flow_report(rig->flow, WEIR_END_OPEN, ret);
}
