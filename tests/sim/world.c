/* What happens at a site in ten seconds.
 *
 * Clients: each watches one of ten services for about half an hour at a time, a tenth of them on
 * average, most in the evening; a player makes a request trial in nearly every slot and a
 * connection trial in some, mostly to the prefix that it keeps to. Whoever watches is answered by
 * something else about once in ten seconds (`controls`), the idle every eighty: the control group.
 * Measured per slot of a client that watches, in captures of real players: 1.1 and 1.7 exchanges
 * with other prefixes and 0.26 lookups (two sessions of Requet), 0.5 to 2.1 and 0.3 to 0.6 (five
 * runs of a laboratory); 12 to 32 % of the slots had neither. One client in four is a television
 * that does nothing else: it is answered elsewhere once in three minutes.
 *
 * Troubles that nobody is to be called for, or not a service: a trial in a hundred fails by itself,
 * and as many fail first and succeed when tried again within the slot; each client has two spells
 * of bad WiFi a day, 1 to 5 minutes in which 30 to 90 % of its trials fail; each service has a bad
 * prefix once a day, 5 to 30 minutes, 30 to 100 %; the uplink loses 30 to 100 % for 1 to 10 minutes
 * once a week.
 *
 * Outages: unreachable (no connection comes about, open ones break off), hanging (connections do,
 * requests stay without an answer), intermittent (30 % of all trials fail), silent (nobody finds it
 * any more: open connections go on, none is tried).
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)
static const double p0 = 0.01;
static const double watching = 0.1; /* of the clients, on average of the day */
/* lookups for each exchange elsewhere: the other names are still known */
static const double looked_up = 0.3;
static const double television = 0.05; /* of the exchanges elsewhere of other devices */
/* of a service's connections: the others are its control hosts' */
static const double media_connects = 0.75;
static const double slots_watched = 180;
static const double slots_per_day = 8640;

double world_draw(struct world *world) {
    uint64_t x = world->seed += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) >> 11) / 9007199254740992.0;
}

static double between(struct world *world, double low, double high) {
    return low + world_draw(world) * (high - low);
}

static unsigned one_of(struct world *world, unsigned n) {
    return (unsigned)(world_draw(world) * n);
}

weir_service_id world_service_id(unsigned service) {
    return (weir_service_id)(service ? WEIR_SERVICE_FIRST + service - 1 : WEIR_SERVICE_OTHER);
}

struct weir_addr world_client_addr(unsigned client) {
    struct weir_addr addr = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, (uint8_t)(client >> 8), (uint8_t)client}};
    return addr;
}

struct weir_addr world_prefix_addr(unsigned service, unsigned prefix) {
    struct weir_addr addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198,
                              (uint8_t)(18 + service), (uint8_t)prefix, 0}};
    return addr;
}

void world_begin(struct world *world, uint64_t seed, unsigned n_clients, double controls,
                 int64_t start_us) {
    memset(world, 0, sizeof *world);
    world->seed = seed * UINT64_C(0x2545f4914f6cdd1d);
    world->n_clients = n_clients;
    world->controls = controls;
    world->slot_us = start_us;
}

/* ---- who watches what ---- */

/* Share of clients that watch at this time of the day: from a fifth of the average at 4 to 1.9
 * times of it at 21. */
static double busy(int64_t at_us) {
    static const double hours[24] = {1.2, .8, .5, .3, .2,  .2,  .3,  .4,  .5,  .6,  .7,  .8,
                                     .9,  .9, .9, 1,  1.1, 1.3, 1.5, 1.7, 1.9, 1.9, 1.8, 1.6};
    return watching * hours[at_us / (3600 * SECOND) % 24];
}

static bool is_broken(const struct world *world, unsigned service) {
    return world->outage.kind && world->outage.service == service &&
           world->slot_us < world->outage.to_us;
}

static void watch(struct world *world, struct world_client *client) {
    if (client->service) {
        client->watched++;
        if (client->left-- <= 0 && !is_broken(world, client->service))
            client->service = client->watched = 0;
        return;
    }
    double share = busy(world->slot_us);
    if (world_draw(world) >= share / (1 - share) / slots_watched) return;
    client->service = (uint8_t)(1 + one_of(world, WORLD_SERVICES));
    client->prefix = (uint8_t)one_of(world, WORLD_PREFIXES);
    client->left = (int)(slots_watched * between(world, 0.1, 1.9));
}

bool world_break(struct world *world, enum world_outage kind, int64_t us) {
    unsigned n = 0, chosen = 0;
    for (unsigned i = 0; i < world->n_clients; i++) /* a service in proportion to who watches it */
        if (world->clients[i].watched >= 30 && one_of(world, ++n) == 0)
            chosen = world->clients[i].service;
    if (!chosen) return false;
    world->outage.kind = kind;
    world->outage.service = chosen;
    world->outage.from_us = world->slot_us;
    world->outage.to_us = world->slot_us + us;
    world->outage.first_fail_us = kind == WORLD_SILENT ? world->slot_us : 0;
    world->outage.n_fail = 0;
    return true;
}

/* ---- troubles ---- */

static void spell(struct world *world, struct world_spell *spell, double a_day, double min_s,
                  double max_s, double min_share, double max_share) {
    if (world->slot_us < spell->to_us || world_draw(world) >= a_day / slots_per_day) return;
    spell->from_us = world->slot_us;
    spell->to_us = world->slot_us + (int64_t)between(world, min_s, max_s) * SECOND;
    spell->share = between(world, min_share, max_share);
}

static bool spoils(struct world *world, const struct world_spell *spell) {
    return world->slot_us < spell->to_us && world_draw(world) < spell->share;
}

static void troubles(struct world *world) {
    spell(world, &world->uplink, 1 / 7.0, 60, 600, 0.3, 1);
    for (unsigned service = 1; service <= WORLD_SERVICES; service++) {
        bool any = false;
        for (unsigned i = 0; i < WORLD_PREFIXES; i++)
            any |= world->slot_us < world->prefix[service][i].to_us;
        if (!any)
            spell(world, &world->prefix[service][one_of(world, WORLD_PREFIXES)], 1, 300, 1800, 0.3,
                  1);
    }
}

/* ---- trials ---- */

static struct weir_trial *put(struct world *world, unsigned service, enum weir_layer layer,
                              unsigned client, struct weir_addr prefix) {
    if (world->n == WORLD_TRIALS_MAX) abort();
    struct weir_trial *trial = &world->trials[world->n++];
    int64_t at_us =
        world->slot_us + (int64_t)between(world, 0.05, 9.95) * SECOND + one_of(world, 1000000);
    *trial = (struct weir_trial){.client = world_client_addr(client),
                                 .prefix = prefix,
                                 .service = world_service_id(service),
                                 .layer = (uint8_t)layer,
                                 .kind = WEIR_OUTCOME_USEFUL,
                                 .ok_us = at_us,
                                 .last_ok_us = at_us,
                                 .ok = true,
                                 .attempts_ok = 1};
    bool media = service && (layer == WEIR_LAYER_SERVE || world_draw(world) < media_connects);
    trial->media = media;
    trial->role = !service || layer == WEIR_LAYER_DNS ? WEIR_ROLE_OTHER
                  : media                             ? WEIR_ROLE_MEDIA
                                                      : WEIR_ROLE_CONTROL;
    return trial;
}

static void fails(struct weir_trial *trial, bool mixed) {
    static const uint8_t kinds[WEIR_LAYER_N] = {WEIR_OUTCOME_DNS_TIMEOUT, WEIR_OUTCOME_SYN_TIMEOUT,
                                                WEIR_OUTCOME_QUIC_TIMEOUT,
                                                WEIR_OUTCOME_REQUEST_TIMEOUT};
    trial->fail = true;
    trial->fail_us = trial->ok_us;
    trial->first_us = trial->fail_us - 3 * SECOND;
    trial->kind = kinds[trial->layer];
    trial->attempts_fail = 1;
    trial->ok = mixed;
    if (!mixed) trial->ok_us = trial->last_ok_us = 0, trial->attempts_ok = 0;
}

/* A request that hangs says more the longer it does: how few of a service's answers ever took so
 * long. Of real ones 0.28 % took over 5 s. */
static void hangs(struct world *world, struct world_client *client, struct weir_trial *trial) {
    if (!client->hangs_us) client->hangs_us = trial->first_us;
    trial->wait_us = world->slot_us + WEIR_SLOT_US - client->hangs_us;
    double nats = 5.2 + 0.06 * (double)(trial->wait_us / SECOND);
    trial->wait_nats = (float)(nats < 6.9 ? nats : 6.9);
}

static bool outage_hits(struct world *world, enum weir_layer layer) {
    switch (world->outage.kind) {
    case WORLD_UNREACHABLE: return layer != WEIR_LAYER_DNS;
    case WORLD_HANGS: return layer == WEIR_LAYER_SERVE;
    case WORLD_SILENT: return false;
    default: return layer != WEIR_LAYER_DNS && world_draw(world) < 0.3;
    }
}

static void try(struct world *world, unsigned service, enum weir_layer layer, unsigned c,
                unsigned prefix) {
    struct world_client *client = &world->clients[c];
    bool dns = layer == WEIR_LAYER_DNS;
    struct weir_trial *trial =
        put(world, service, layer, c,
            dns ? world_prefix_addr(11, 53) : world_prefix_addr(service, prefix));
    if (is_broken(world, service) && outage_hits(world, layer)) {
        fails(trial, false);
        if (layer == WEIR_LAYER_SERVE && world->outage.kind == WORLD_HANGS)
            hangs(world, client, trial);
        if (!world->outage.first_fail_us || trial->fail_us < world->outage.first_fail_us)
            world->outage.first_fail_us = trial->fail_us;
        world->outage.n_fail++;
    } else if (spoils(world, &client->wifi) || spoils(world, &world->uplink) ||
               (service && !dns && spoils(world, &world->prefix[service][prefix])))
        fails(trial, world_draw(world) < 0.3);
    else if (world_draw(world) < 2 * p0)
        fails(trial, world_draw(world) < 0.5);
    if (trial->ok && service && layer == WEIR_LAYER_SERVE) client->hangs_us = 0;
    /* A player whose server fails may try another. */
    if (service && trial->fail && !trial->ok && world_draw(world) < 0.25)
        client->prefix = (uint8_t)one_of(world, WORLD_PREFIXES);
}

static void live(struct world *world, unsigned c) {
    struct world_client *client = &world->clients[c];
    unsigned service = client->service;
    double elsewhere = world->controls * (c % 4 == 3 ? television : 1) * (service ? 1 : 0.125);
    if (world_draw(world) < elsewhere * looked_up) try(world, 0, WEIR_LAYER_DNS, c, 0);
    if (world_draw(world) < elsewhere)
        try(world, 0, world_draw(world) < 0.5 ? WEIR_LAYER_SERVE : WEIR_LAYER_CONNECT, c,
            one_of(world, 30));
    if (!service) return;
    bool cut_off = is_broken(world, service) && world->outage.kind == WORLD_UNREACHABLE;
    unsigned prefix = world_draw(world) < 0.8 ? client->prefix : one_of(world, WORLD_PREFIXES);
    /* Cut off, nothing is requested once the open connections are gone, and connecting is all that
     * is tried. */
    if (world_draw(world) <
        (cut_off ? world->slot_us - world->outage.from_us < 20 * SECOND ? 0.5 : 0 : 0.9))
        try(world, service, WEIR_LAYER_SERVE, c, prefix);
    if (is_broken(world, service) && world->outage.kind == WORLD_SILENT) return;
    if (world_draw(world) < (cut_off ? 0.9 : 0.25))
        try(world, service, WEIR_LAYER_CONNECT, c, prefix);
    if (world_draw(world) < 0.1) try(world, service, WEIR_LAYER_DNS, c, 0);
}

static int64_t decided_us(const struct weir_trial *trial) {
    return trial->fail ? trial->fail_us : trial->ok_us;
}

static int by_decision(const void *a, const void *b) {
    int64_t x = decided_us(a), y = decided_us(b);
    return (x > y) - (x < y);
}

void world_slot(struct world *world) {
    world->n = 0;
    troubles(world);
    for (unsigned c = 0; c < world->n_clients; c++) {
        spell(world, &world->clients[c].wifi, 2, 60, 300, 0.3, 0.9);
        watch(world, &world->clients[c]);
        live(world, c);
    }
    qsort(world->trials, world->n, sizeof world->trials[0], by_decision);
    world->slot_us += WEIR_SLOT_US;
}
