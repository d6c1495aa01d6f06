/* Flows, services and evidence made by hand: measure is tested without the stages before it. */
#pragma once

#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/classify.h>
#include <weir/measure.h>

struct weir_flow {
    struct weir_addr addr[2];
    uint16_t port[2];
    uint8_t transport;
    int64_t first_us;
    uint64_t payload[2];
    int64_t reset_pause_us; /* 0: none */
    bool midstream, one_way;
    uint8_t outcome;
    struct weir_named named;
};

/* Services of every set: 0, 1, then FILM (vod), SPORT (live), RADIO (audio). */
enum { FILM = WEIR_SERVICE_FIRST, SPORT, RADIO, N_SERVICES };
struct weir_service_set *fake_set(void);

#define S  INT64_C(1000000)
#define T0 (INT64_C(1700000000) * S) /* a slot's start */

struct weir_addr fake_addr(const char *text);
struct weir_flow fake_flow(const char *client, const char *server, weir_service_id service,
                           enum weir_role role);
/* A connection attempt of `client` decided at `now_us`, begun `age_us` before. */
struct weir_evidence fake_attempt(weir_service_id service, const char *client, const char *server,
                                  enum weir_layer layer, enum weir_outcome outcome, int64_t now_us,
                                  int64_t age_us);
struct weir_evidence fake_chunk(weir_service_id service, const char *client, const char *server,
                                int64_t now_us, uint64_t bytes, int64_t ttfb_us,
                                int64_t transfer_us);
/* It was asked for earlier than that: what is left of the time it rested. */
void fake_asked(struct weir_evidence *chunk, int64_t asked_us);
struct weir_evidence fake_progress(weir_service_id service, const char *client, const char *server,
                                   int64_t now_us, uint64_t bytes, int64_t waiting_us);
/* The value of a field in a window's or service's values. */
struct weir_value fake_value(const struct weir_value *values, const char *group, const char *name);
