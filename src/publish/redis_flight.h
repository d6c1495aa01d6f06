/* A message on its way: its commands sent in steps, each answer looked at, until it has arrived or
 * can't for now. */
#pragma once

#include "publish/redis_queue.h"
#include "publish/redis_router.h"

struct weir_flight_options {
    struct weir_router *router;
    bool series; /* RedisTimeSeries is there */
    /* The flight is over: NONE arrived; WAIT or RECONNECT try again; REFUSE Redis won't have it. */
    void (*on_landed)(void *context, struct weir_item *item, enum weir_remedy remedy);
    void (*on_trouble)(void *context, enum weir_trouble trouble, const char *text);
    void *context;
};

/* 0 under way: on_landed will be called, but not from inside. -EAGAIN: no connection for its key at
 * the moment. `options` lives as long as flights do. */
int weir_flight_start(const struct weir_flight_options *options, struct weir_item *item);
/* Is the message one that can be sent at all? */
bool weir_flight_can(const uint8_t *bytes, size_t size);
