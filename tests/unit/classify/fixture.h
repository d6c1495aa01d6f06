/* What the classifier's tests share: a flow of plain fields behind the flow stage's accessors, a
 * set of three services, and packets. */
#pragma once

#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/classify.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)
#define NOW_US    (INT64_C(1700000000) * SECOND_US)

struct weir_flow {
    struct weir_addr addr[2];
    uint16_t port[2];
    uint8_t transport;
    uint64_t payload[2];
    bool midstream;
    bool has_dcid;
    uint32_t expected; /* where the client's stream begins, when `started` */
    bool started;
    bool unanswered; /* the server's bytes were a Retry or version negotiation */
    struct weir_cid dcid;
    struct weir_named named;
    void *naming;
};

/* alpha: media alpha-media.net, control alpha.com, nDPI NetFlix, prefix 203.0.113.0/24; bravo:
 * bravo.com; spotify: nDPI Spotify. CDN: shared-cdn.net. */
struct weir_service_set *fixture_services(void);
weir_service_id fixture_service(struct weir_service_set *set, const char *id);

struct weir_addr addr(const char *text);
struct weir_flow make_flow(uint8_t transport, const char *client, const char *server,
                           uint16_t port);

/* Hands `bytes` to the classifier, out of memory of just that size, as a packet of `side` at `seq`.
 */
void feed(struct weir_classifier *classifier, struct weir_flow *flow, enum weir_side side,
          uint32_t seq, const void *bytes, size_t length);
/* A ClientHello in TLS records. The bytes' number. */
size_t tls_hello(const char *sni, bool ech, size_t key_share_len, bool sni_last, uint8_t *bytes,
                 size_t capacity);
/* An answer "name -> address" to the client. */
void tell(struct weir_classifier *classifier, const char *client, const char *name,
          const char *address, uint32_t ttl_s, int64_t now_us);
