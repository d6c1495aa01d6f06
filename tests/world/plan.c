/* Draws a world: its site, clients, links, services with their places, players. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

#define DRAW(world, rows, n, weight) \
    (&(rows)[draw_row(world, (const char *)&(rows)[0].weight, sizeof *(rows), n)])

static unsigned draw_row(struct world *world, const char *weights, size_t stride, unsigned n) {
    unsigned sum = 0, at = 0;
    for (unsigned i = 0; i < n; i++) sum += *(const unsigned *)(const void *)(weights + i * stride);
    unsigned drawn = chance(world, sum);
    while (drawn >= *(const unsigned *)(const void *)(weights + at * stride))
        drawn -= *(const unsigned *)(const void *)(weights + at++ * stride);
    return at;
}

/* ---- places and hosts ---- */

static struct place *new_place(struct world *world, double low_ms, double high_ms) {
    struct place *place = world_new(sizeof *place);
    *place = (struct place){.id = world->n_places + 1 + (world->apart ? 256 : 0),
                            .ttl = (uint8_t)(48 + chance(world, 14))};
    place->delay_us = (int64_t)(within_log(world, (struct range_s){low_ms, high_ms}) * 1000);
    world->places[world->n_places++] = place;
    return place;
}

static struct host *new_host(struct world *world, const char *pattern, int service, enum role role,
                             struct place *place) {
    struct host *host = world_new(sizeof *host);
    *host = (struct host){.id = world->n_hosts, .service = service, .role = role, .place = place};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(host->name, sizeof host->name, pattern, 1 + chance(world, 9));
#pragma GCC diagnostic pop
    host->address = 10 + chance(world, 200);
    host->n_addresses = 1 + chance(world, 4);
    host->rude = likely(world, 0.12);
    host->ttl_s = likely(world, 0.5) ? 20 + chance(world, 50) : 60 + chance(world, 240);
    if (likely(world, 0.3))
        snprintf(host->cname, sizeof host->cname, "e%u.%s", 100 + chance(world, 9000),
                 likely(world, 0.5) ? "dscg.akamaiedge.net" : "cloudfront.net");
    world->hosts[world->n_hosts++] = host;
    return host;
}

/* Some places are another service's too: an on-net cache, a shared CDN. */
static struct place *media_place(struct world *world, unsigned service) {
    if (service && likely(world, 0.22)) {
        struct service *other = &world->services[chance(world, service)];
        struct place *place = other->media[chance(world, other->n_media)]->place;
        bool mine = false;
        for (unsigned i = 0; i < world->services[service].n_media; i++)
            mine |= world->services[service].media[i]->place == place;
        if (!mine && place->n_services < 2) {
            place->n_services++;
            return place;
        }
    }
    struct place *place = new_place(world, 0.5, 20);
    place->n_services = 1;
    return place;
}

static void plan_service(struct world *world, unsigned index, const struct service_row *row) {
    struct service *service = &world->services[index];
    service->row = row;
    unsigned n = 1 + chance(world, PLACES_OF_SERVICE);
    for (unsigned i = 0; i < n; i++) {
        service->media[i] =
            new_host(world, row->media[i], (int)index, MEDIA, media_place(world, index));
        service->n_media++;
    }
    struct place *calm = likely(world, 0.25) ? service->media[0]->place : new_place(world, 2, 45);
    service->control = new_host(world, row->control, (int)index, CONTROL, calm);
    service->api = new_host(world, row->api, (int)index, CONTROL, calm);
    service->telemetry =
        new_host(world, row->telemetry, (int)index, TELEMETRY, new_place(world, 5, 45));
}

static void plan_services(struct world *world) {
    unsigned most = 2 + chance(world, world->n_clients > 100 ? 9 : 5), taken = 0;
    world->services = world_new(most * sizeof *world->services);
    bool used[64] = {false};
    for (unsigned tries = 0; taken < most && tries < 200; tries++) {
        unsigned row = (unsigned)(DRAW(world, service_rows, n_service_rows, weight) - service_rows);
        if (used[row]) continue;
        used[row] = true;
        plan_service(world, taken++, &service_rows[row]);
        world->n_services = taken;
    }
    world->n_web = n_web_hosts;
    world->web = world_new(world->n_web * sizeof *world->web);
    struct place *places[5];
    for (unsigned i = 0; i < 5; i++) places[i] = new_place(world, 1, 60);
    for (unsigned i = 0; i < world->n_web; i++)
        world->web[i] = new_host(world, web_hosts[i], -1, CONTROL, places[chance(world, 5)]);
    for (unsigned i = 0; i < 2; i++)
        world->stranger[i] = new_host(world, i ? "wpad.home.example.net" : "peer%u.example.org", -1,
                                      CONTROL, new_place(world, 20, 90));
    world->doh = new_host(world, "dns.google", -1, CONTROL, new_place(world, 1, 12));
}

/* ---- clients ---- */

static void plan_client(struct world *world, unsigned index, bool dual) {
    struct client *client = &world->clients[index];
    const struct link_row *link = DRAW(world, link_rows, n_link_rows, weight);
    if (world->site->vantage == 't') link = &link_rows[index % 3 ? 1 : 2];
    *client = (struct client){.index = index,
                              .dual = dual && likely(world, 0.8),
                              .timestamps = likely(world, 0.75),
                              .hybrid = likely(world, 0.45),
                              .doh = likely(world, 0.07),
                              .link = link,
                              .gone_us = NEVER,
                              .next_port = (uint16_t)(32768 + chance(world, 20000)),
                              .clock = chance(world, UINT32_MAX)};
    client->delay_us = (int64_t)(within(world, link->delay_ms) * 1000) +
                       (world->site->vantage == 't' ? 3 * MS : 0);
    client->jitter_us = (int64_t)(within(world, link->jitter_ms) * 1000);
    client->loss = within(world, link->loss);
    client->down = (struct pipe){within_log(world, link->down_mbps) * 1e6, 0, 300 * MS};
    client->up = (struct pipe){within_log(world, link->up_mbps) * 1e6, 0, 300 * MS};
    double each_s =
        link->spells_an_hour.high > 0 ? 3600 / within(world, link->spells_an_hour) : 1e9;
    for (double at_s = waiting(world, each_s);
         at_s < (double)world->end_us / SECOND && client->n_spells < SPELLS_MAX - 1;
         at_s += waiting(world, each_s)) {
        struct spell *spell = &client->spells[client->n_spells++];
        spell->from_us = (int64_t)(at_s * SECOND);
        spell->to_us = spell->from_us + (int64_t)(within(world, link->spell_s) * SECOND);
        spell->loss = within(world, link->spell_loss);
        spell->delay_us = (int64_t)(within(world, link->spell_delay_ms) * 1000);
    }
    if (likely(world, 0.02))
        client->gone_us = (int64_t)(uniform(world, 0.3, 0.9) * (double)world->end_us);
    uint32_t number = index + (world->apart ? 120 : 20);
    client->address[0] =
        (struct ip){.bytes = {world->site->vantage == 't' ? 100 : 10, 64 + (uint8_t)(number >> 16),
                              (uint8_t)(number >> 8), (uint8_t)number}};
    if (world->site->vantage == 'l' && world->n_clients < 200)
        client->address[0] = (struct ip){.bytes = {192, 168, 1, (uint8_t)number}};
    client->address[1] = (struct ip){
        .six = true,
        .bytes = {0xfd, 0x77, 0, 0, 0, 0, 0, (uint8_t)(world->site->vantage == 't' ? number : 0),
                  (uint8_t)(world->site->vantage == 't' ? number >> 8 : 0), 0, 0, 0, 0, 0,
                  (uint8_t)(number >> 8), (uint8_t)number}};
    memcpy(
        client->mac,
        (uint8_t[]){2, 0x77, 0, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number},
        6);
    client->names_until = world_new(world->n_hosts * sizeof *client->names_until);
    client->names_asked = world_new(world->n_hosts * sizeof *client->names_asked);
}

/* ---- players ---- */

static bool suits(const struct player_row *row, const struct service_row *service) {
    if (row->transport == H3 && !service->quic) return false;
    if (service->medium == 'a' || row->medium == 'a') return service->medium == row->medium;
    return service->medium == 'l' ? row->medium != 'v' : row->medium != 'h';
}

static void plan_player(struct world *world, struct client *client) {
    struct player *player = &world->players[world->n_players];
    unsigned sum = 0, drawn, at = 0;
    for (unsigned i = 0; i < world->n_services; i++) sum += world->services[i].row->weight;
    for (drawn = chance(world, sum); drawn >= world->services[at].row->weight; at++)
        drawn -= world->services[at].row->weight;
    struct service *service = &world->services[at];
    const struct player_row *row = NULL;
    for (unsigned tries = 0; tries < 100 && !row; tries++) {
        row = DRAW(world, player_rows, n_player_rows, weight);
        if (!suits(row, service->row)) row = NULL;
    }
    if (!row) return;
    *player = (struct player){.row = row,
                              .client = client,
                              .service = (int)at,
                              .place = chance(world, service->n_media),
                              .pause_us = NEVER,
                              .stop_us = NEVER,
                              .seek_us = NEVER};
    double end_s = (double)world->end_us / SECOND;
    player->start_us =
        (int64_t)((likely(world, 0.8) ? uniform(world, 0, 25) : uniform(world, 0, end_s * 0.7)) *
                  SECOND);
    if (likely(world, 0.12))
        player->stop_us = player->start_us + (int64_t)(uniform(world, 40, end_s) * SECOND);
    if (likely(world, 0.12)) {
        player->pause_us = (int64_t)(uniform(world, 40, end_s) * SECOND);
        player->pause_to_us = player->pause_us + (int64_t)(uniform(world, 15, 150) * SECOND);
    }
    if (row->medium == 'v' && likely(world, 0.12))
        player->seek_us = (int64_t)(uniform(world, 30, end_s) * SECOND);
    service->n_players++;
    world->n_players++;
}

/* ---- the world ---- */

static void plan_site(struct world *world, const char *profile) {
    bool small = !strcmp(profile, "small");
    world->site = small ? DRAW(world, site_rows, n_site_rows, weight_small)
                        : DRAW(world, site_rows, n_site_rows, weight);
    for (unsigned i = 0; i < n_site_rows; i++)
        if (!strcmp(site_rows[i].name, profile)) world->site = &site_rows[i];
    const struct site_row *site = world->site;
    world->n_clients = (unsigned)(within_log(
        world, (struct range_s){site->clients_low, site->clients_high + 0.999}));
    double minutes = within(world, site->minutes) * (small ? 0.8 : 1);
    world->end_us = (int64_t)((minutes < 3.2 ? 3.2 : minutes) * 60 * SECOND);
    world->uplink_delay_us = (int64_t)(within_log(world, site->delay_ms) * 1000);
    double watching = world->n_clients * site->watching + 1;
    world->down = (struct pipe){watching * within_log(world, site->down_mbps_client) * 1e6, 0,
                                (int64_t)(uniform(world, 60, 400)) * MS};
    world->up =
        (struct pipe){world->down.rate_bps * uniform(world, 0.15, 0.6), 0, world->down.queue_us};
    world->rate_scale = watching > 12 ? pow(12 / watching, 0.75) : 1;
    world->merged = watching > 40 || likely(world, 0.5);
    world->vlan = likely(world, 0.08);
    world->snap = 96;
    world->snap_first = 14;
    world->chance_bad = uniform(world, 0.0005, 0.004);
    memcpy(world->gateway_mac, "\2\0\0\0\0\xfe", 6);
    memcpy(world->beyond_mac, "\2\0\0\0\1\xfe", 6);
    world->nat_address = (struct ip){.bytes = {192, 168, 77, 2}};
    world->nat_port = 60000;
}

static void plan_resolver(struct world *world) {
    world->resolver_place = new_place(world, 0.2, 6);
    world->resolver_local = world->site->vantage == 'l' && likely(world, 0.4);
    if (world->resolver_local) {
        world->resolver = (struct ip){.bytes = {192, 168, 1, 1}};
        world->resolver_place->delay_us = 200;
        if (world->n_clients >= 200) world->resolver = (struct ip){.bytes = {10, 64, 0, 1}};
    } else {
        world->resolver = place_address(world->resolver_place, false, 52);
    }
}

static void plan_noise(struct world *world, bool dual) {
    world->dead_six = dual && likely(world, 0.08);
    world->blocked_service = -1;
    world->no_name = world_new(world->n_hosts * sizeof *world->no_name);
    world->no_name[world->stranger[1]->id] = true;
    world->blocked_name = world_new(world->n_hosts * sizeof *world->blocked_name);
    if (likely(world, 0.15))
        for (unsigned i = 0; i < world->n_services; i++)
            world->blocked_name[world->services[i].telemetry->id] = likely(world, 0.7);
    if (world->n_services > 2 && likely(world, 0.04))
        world->blocked_service = (int)chance(world, world->n_services);
}

void faults_draw_named(struct world *world, const char *name);

void plan_world(struct world *world, const char *profile, const char *fault) {
    world->random = world->seed * 0x2545f4914f6cdd1du + 11;
    plan_site(world, profile);
    world->epoch_us = (INT64_C(1790000000) + (int64_t)(world->seed % 100000) * 1000) * SECOND +
                      chance(world, 10000000);
    plan_resolver(world);
    plan_services(world);
    bool dual = likely(world, world->site->ipv6);
    world->clients = world_new(world->n_clients * sizeof *world->clients);
    world->players = world_new(2 * world->n_clients * sizeof *world->players);
    for (unsigned i = 0; i < world->n_clients; i++) plan_client(world, i, dual);
    plan_noise(world, dual);
    for (unsigned i = 0; i < world->n_clients; i++)
        for (unsigned n = 0; n < 2; n++)
            if (likely(world, n ? 0.1 : world->site->watching) || (!i && !n))
                plan_player(world, &world->clients[i]);
    if (world->blocked_service >= 0 &&
        world->services[world->blocked_service].n_players == world->n_players)
        world->blocked_service = -1;
    if (world->blocked_service >= 0) world->services[world->blocked_service].n_players = 0;
    if (fault && strcmp(fault, "none"))
        faults_draw_named(world, fault);
    else if (!fault)
        faults_draw(world, !strcmp(profile, "small"));
    for (unsigned i = 0; i < world->n_players; i++) player_start(world, &world->players[i]);
    for (unsigned i = 0; i < world->n_clients; i++) web_start(world, &world->clients[i]);
}
