/* A table under test: packets made by hand, a clock that ticks on the way, and all events written
 * down. */
#pragma once

#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weir/flow.h>
#include <weir/record.h>

#define RIG_START_US INT64_C(1700000000000000) /* a whole second */
#define MS           INT64_C(1000)
#define S            INT64_C(1000000)

enum { RIG_EVENTS = 4096, RIG_RECORDS = 1024 };

struct rig {
    struct weir_flow_table *table;
    int64_t us;      /* the engine's clock and, unless skewed, the stamps */
    int64_t skew_us; /* added to stamps only */
    int64_t ticked_us;
    struct weir_event events[RIG_EVENTS];
    char qnames[RIG_EVENTS][64];
    size_t n_events;
    struct weir_flow_record records[RIG_RECORDS];
    size_t n_records;
    int64_t timeouts[WEIR_SERVICES_MAX];
    struct weir_ask_page asks[WEIR_SERVICES_MAX];
    enum weir_role role;    /* given to every new flow */
    enum weir_track track;  /* answer of the last packet */
    struct weir_flow *flow; /* of the last packet */
    enum weir_side side;
};

/* A conversation: the next sequence number of each side, and what all its packets have. */
struct talk {
    struct weir_addr addr[2];
    uint16_t port[2];
    uint8_t transport, ttl[2];
    uint32_t seq[2];
    uint16_t id[2];
    bool timestamps;
    uint32_t tsval[2], tsecr[2]; /* tsecr: what that side would echo */
    uint16_t mss;
};

void rig_open(struct rig *rig, size_t memory_bytes);
void rig_close(struct rig *rig); /* drains first */
void rig_drain(struct rig *rig);
void rig_wait(struct rig *rig, int64_t us); /* ticks each second on the way */
/* The service has answered requests of that size before, in less than five seconds. */
void rig_knows(struct rig *rig, uint32_t request_bytes);

/* client 192.168.1.10:40000+n to 198.18.0.1:443, ISNs 1000 and 5000 */
struct talk talk_tcp(unsigned n);
struct talk talk_udp(unsigned n, uint16_t server_port);

/* A packet of the conversation as it stands, not yet sent. */
struct weir_packet talk_packet(struct talk *talk, enum weir_side side, uint8_t flags, uint32_t len);
void rig_send(struct rig *rig, struct weir_packet *packet);
/* Sends the next `len` bytes (content `bytes`, NULL: none captured) and moves the conversation on.
 */
void rig_tcp(struct rig *rig, struct talk *talk, enum weir_side side, uint8_t flags, uint32_t len);
void rig_bytes(struct rig *rig, struct talk *talk, enum weir_side side, const void *bytes,
               uint32_t len);
void rig_udp(struct rig *rig, struct talk *talk, enum weir_side side, const void *bytes,
             uint32_t len);
/* The three packets, `rtt_us` apart from one another. */
void rig_handshake(struct rig *rig, struct talk *talk, int64_t rtt_us);

size_t rig_count(const struct rig *rig, enum weir_event_kind kind);
const struct weir_event *rig_last(const struct rig *rig, enum weir_event_kind kind);
size_t rig_attempts(const struct rig *rig, enum weir_layer layer, enum weir_outcome outcome);
size_t rig_fails(const struct rig *rig); /* attempts and DNS transactions that failed */
size_t rig_anomalies(const struct rig *rig, enum weir_anomaly what, enum weir_side sender);
const struct weir_flow_record *rig_record(const struct rig *rig); /* the last */
/* of the last packet's flow, now */
void rig_report(struct rig *rig, struct weir_flow_record *ret);
