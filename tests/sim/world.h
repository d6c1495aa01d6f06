/* A make-believe site: clients that watch services, the network's ordinary troubles, and outages
 * put into it. See world.c. */
#pragma once

#include <weir/trial.h>

enum {
    WORLD_SERVICES = 10,
    WORLD_PREFIXES = 3,
    WORLD_CLIENTS_MAX = 3000,
    WORLD_TRIALS_MAX = 16384
};

/* What is wrong with a client, a prefix, the uplink or a service for a while. */
struct world_spell {
    int64_t from_us, to_us;
    double share; /* of trials that fail because of it */
};

enum world_outage {
    WORLD_NONE,
    WORLD_UNREACHABLE,
    WORLD_HANGS,
    WORLD_INTERMITTENT,
    WORLD_SILENT,
    WORLD_OUTAGES
};

struct world_client {
    uint8_t service;  /* watched now: 0 none, else 1 .. WORLD_SERVICES */
    uint8_t prefix;   /* of it, that the player keeps to */
    uint16_t watched; /* slots since it began */
    int32_t left;     /* slots until it stops */
    int64_t hangs_us; /* since when its request is unanswered; 0: none is */
    struct world_spell wifi;
};

struct world {
    uint64_t seed;
    unsigned n_clients;
    /* exchanges elsewhere that are answered, a slot: of a client that watches on a device that does
     * more */
    double controls;
    int64_t slot_us;
    struct world_client clients[WORLD_CLIENTS_MAX];
    struct world_spell prefix[WORLD_SERVICES + 1][WORLD_PREFIXES], uplink;
    struct {
        enum world_outage kind;
        unsigned service;
        int64_t from_us, to_us, first_fail_us; /* silent: first_fail_us is from_us */
        unsigned n_fail;
    } outage;
    struct weir_trial trials[WORLD_TRIALS_MAX];
    size_t n;
};

void world_begin(struct world *world, uint64_t seed, unsigned n_clients, double controls,
                 int64_t start_us);
/* Begins an outage of `us` of a service that somebody has been watching for 5 minutes (what never
 * worked isn't judged); false when nobody is. */
bool world_break(struct world *world, enum world_outage kind, int64_t us);
/* The trials of the next slot, in order of decision. */
void world_slot(struct world *world);

double world_draw(struct world *world); /* 0 <= x < 1 */
/* Ids and addresses as the detector sees them. Service 0 is the control group. */
weir_service_id world_service_id(unsigned service);
struct weir_addr world_client_addr(unsigned client);
struct weir_addr world_prefix_addr(unsigned service, unsigned prefix);
