/* Faults: what is drawn, which packets and answers they touch, and what of them the packets show.
 */
#include <string.h>

#include "world.h"

enum { SLOT_S = 10, SETTLE_S = 65, TAIL_S = 20 };

static bool active(const struct fault *fault, int64_t at_us) {
    if (at_us < fault->from_us || at_us >= fault->to_us) return false;
    return !fault->period_us || (at_us - fault->from_us) % fault->period_us < fault->period_us / 2;
}

static bool subject(const struct fault *fault, const struct host *host) {
    switch (fault->row->scope) {
    case ON_SERVICE:
    case ON_API:
    case ON_NAMES:
        return host && host->service == fault->service && host->role != TELEMETRY &&
               (fault->part < 0 || (int)host->role == fault->part);
    case ON_PLACE: return host && host->place == fault->place && host->service == fault->service;
    case ON_SHARED: return host && host->place == fault->place;
    case ON_TELEMETRY: return host && host->service == fault->service && host->role == TELEMETRY;
    case ON_SITE: return true;
    default: return false;
    }
}

static bool touches(const struct world *world, const struct fault *fault, const struct flow *flow) {
    if (flow->luck >= fault->share) return false;
    if (fault->row->scope == ON_QUIC) return flow->udp && flow->port[SERVER] == 443;
    if (fault->row->scope == ON_RESOLVER) return !flow->host && flow->port[SERVER] == 53;
    if (fault->row->scope == ON_SITE) return flow->host || !world->resolver_local;
    return fault->row->scope != ON_NAMES && subject(fault, flow->host);
}

static uint32_t slot_of(const struct world *world) {
    return 1 + (uint32_t)((world->epoch_us + world->now_us) / (SLOT_S * SECOND));
}

void fault_saw(struct world *world, struct fault *fault, struct client *client, int service) {
    uint32_t slot = slot_of(world);
    if (!fault->first_seen_us) fault->first_seen_us = world->now_us;
    fault->last_seen_us = world->now_us;
    fault->services |= UINT64_C(1) << (service + 1);
    if (client->seen_slot[fault->index] == slot) return;
    client->seen_slot[fault->index] = slot;
    if (!client->seen_by[fault->index]) {
        client->seen_by[fault->index] = true;
        fault->n_clients++;
    }
    fault->n_trials++;
    fault->n_mixed += client->well_slot[fault->index] == slot;
    fault->n_trials_other += fault->other_service >= 0 && service == fault->other_service;
}

/* A try or a request that meets the fault: the packets will show it. */
static bool is_demand(const struct packet *packet) {
    return packet->from == CLIENT &&
           (packet->flags & SYN || packet->stream || packet->kind == P_RAW) &&
           !(packet->kind == P_TCP && packet->flags & FIN);
}

static uint32_t address_bit(const struct flow *flow) {
    return 1u << (flow->ip[SERVER].bytes[flow->ip[0].six ? 15 : 3] & 31);
}

/* A client that looks names up in secret, at an address that nobody was served from: whose failure
 * that is nobody can see. */
static bool nameless(const struct flow *flow) {
    return flow->client->doh && flow->host && !(flow->host->served_by & address_bit(flow));
}

enum verdict fault_packet(struct world *world, const struct packet *packet, bool beyond_server) {
    const struct flow *flow = packet->flow;
    bool first = packet->kind == P_TCP ? packet->flags & SYN : packet->kind == P_RAW;
    if (packet->conn && packet->conn->silent && first) return LOST;
    if (flow->host && flow->host == world->stranger[0] && flow->luck < 0.8) return LOST;
    if (flow->ip[0].six && world->dead_six) return LOST;
    if (world->blocked_service >= 0 && flow->host && flow->host->service == world->blocked_service)
        return LOST;
    for (unsigned i = 0; i < world->n_faults; i++) {
        struct fault *fault = &world->faults[i];
        enum fault_act act = fault->row->act;
        if (act > ICMP || !active(fault, world->now_us) || !touches(world, fault, flow)) continue;
        if (act == DROP_UP && beyond_server) continue;
        if (is_demand(packet) && !nameless(flow)) {
            fault_saw(world, fault, flow->client, flow->host ? flow->host->service : -1);
            fault->places |= UINT64_C(1) << (flow->place->id & 63);
        }
        if (beyond_server || act == DROP || act == DROP_UP) return LOST;
        if (act == REFUSE) return packet->kind == P_TCP ? RESET : UNREACHABLE;
        return first ? UNREACHABLE : LOST;
    }
    return PASS;
}

struct fault *fault_of(struct world *world, const struct conn *conn, enum fault_act act) {
    for (unsigned i = 0; i < world->n_faults; i++) {
        struct fault *fault = &world->faults[i];
        if (fault->row->act == act && fault->row->scope != ON_SITE &&
            active(fault, world->now_us) && touches(world, fault, &conn->flow))
            return fault;
    }
    return NULL;
}

struct fault *fault_names(struct world *world, const struct client *client,
                          const struct host *host) {
    for (unsigned i = 0; i < world->n_faults; i++) {
        struct fault *fault = &world->faults[i];
        if (!active(fault, world->now_us)) continue;
        if (fault->row->act >= NAMES_SERVFAIL && fault->row->act <= NAMES_LOCAL &&
            subject(fault, host))
            return fault;
        if (fault->row->scope == ON_SITE && fault->row->act == DROP)
            return fault; /* the forwarder of the site hears nothing either */
    }
    return NULL;
}

int64_t fault_delay_us(struct world *world, int64_t at_us) {
    int64_t sum_us = 0;
    for (unsigned i = 0; i < world->n_faults; i++)
        if (world->faults[i].row->act == DELAY && active(&world->faults[i], at_us))
            sum_us += (int64_t)(world->faults[i].strength * 1000);
    return sum_us;
}

/* Something was answered: with the fault, for its subject; else a witness that other things work.
 */
void faults_well(struct world *world, struct client *client, struct host *host,
                 const struct flow *flow) {
    if (host) host->served_by |= address_bit(flow);
    for (unsigned i = 0; i < world->n_faults; i++) {
        struct fault *fault = &world->faults[i];
        bool mine = fault->row->scope == ON_QUIC ? flow && flow->udp : subject(fault, host);
        if (world->now_us < fault->from_us) {
            fault->n_before += mine;
        } else if (world->now_us < fault->to_us) {
            fault->n_well += mine;
            if (mine && client->well_slot[i] != slot_of(world)) {
                client->well_slot[i] = slot_of(world);
                fault->n_mixed += client->seen_slot[i] == slot_of(world);
            }
            fault->n_controls += !mine && !(host && host->service == fault->service);
            fault->n_well_elsewhere +=
                !mine && host && host->service == fault->service && host->role == MEDIA;
        }
    }
}

/* Called again and again while a viewer sees the picture stand still. */
void faults_stalled(struct world *world, const struct player *player) {
    for (unsigned i = 0; i < world->n_faults; i++) {
        struct fault *fault = &world->faults[i];
        if (!fault->row->by_viewers || world->now_us < fault->from_us ||
            world->now_us > fault->to_us)
            continue;
        if (fault->row->scope == ON_SITE || fault->service == player->service)
            fault_saw(world, fault, player->client, player->service);
    }
}

/* ---- drawing ---- */

static int service_with_players(struct world *world, unsigned media_least) {
    unsigned sum = 0, at = 0;
    for (unsigned i = 0; i < world->n_services; i++)
        sum += world->services[i].n_media >= media_least ? world->services[i].n_players : 0;
    if (!sum) return -1;
    unsigned drawn = chance(world, sum);
    for (unsigned i = 0; i < world->n_services; i++) {
        at += world->services[i].n_media >= media_least ? world->services[i].n_players : 0;
        if (drawn < at) return (int)i;
    }
    return -1;
}

/* Two services with players that have a place in common. */
static bool find_shared(struct world *world, struct fault *fault) {
    for (unsigned a = 0; a < world->n_services; a++)
        for (unsigned b = a + 1; b < world->n_services; b++)
            for (unsigned i = 0; i < world->services[a].n_media; i++)
                for (unsigned j = 0; j < world->services[b].n_media; j++)
                    if (world->services[a].n_players && world->services[b].n_players &&
                        world->services[a].media[i]->place == world->services[b].media[j]->place) {
                        fault->service = (int)a;
                        fault->other_service = (int)b;
                        fault->place = world->services[a].media[i]->place;
                        return true;
                    }
    return false;
}

static bool bind(struct world *world, struct fault *fault) {
    bool quic = false;
    switch (fault->row->scope) {
    case ON_SERVICE:
    case ON_API:
    case ON_NAMES:
    case ON_TELEMETRY:
        fault->service = service_with_players(world, 1);
        if (fault->row->scope == ON_SERVICE && fault->row->act <= HANG)
            fault->part = likely(world, 0.7) ? -1 : likely(world, 0.75) ? MEDIA : CONTROL;
        else if (fault->row->scope == ON_SERVICE)
            fault->part = MEDIA;
        else if (fault->row->scope == ON_API)
            fault->part = CONTROL;
        return fault->service >= 0;
    case ON_PLACE:
        fault->service = service_with_players(world, 2);
        if (fault->service < 0) return false;
        fault->place = world->services[fault->service]
                           .media[chance(world, world->services[fault->service].n_media)]
                           ->place;
        return fault->place->n_services < 2;
    case ON_SHARED: return find_shared(world, fault);
    case ON_CLIENT:
        fault->client = &world->clients[chance(world, world->n_clients)];
        return world->n_clients > 1;
    case ON_QUIC:
        for (unsigned i = 0; i < world->n_players; i++)
            quic |= world->players[i].row->transport == H3;
        return quic;
    case ON_RESOLVER: return !world->clients[0].doh;
    default: return true;
    }
}

static bool collides(const struct world *world, const struct fault *fault) {
    for (unsigned i = 0; i < world->n_faults; i++) {
        const struct fault *other = &world->faults[i];
        bool narrow = fault->row->scope == ON_SERVICE && other->row->scope == ON_SERVICE &&
                      fault->service != other->service;
        if (!narrow && fault->from_us < other->to_us + 60 * SECOND &&
            other->from_us < fault->to_us + 60 * SECOND)
            return true;
    }
    return false;
}

/* Strength in what the act needs: the uplink's rate as a share of the lowest renditions of all that
 * watch. */
static void fit_strength(struct world *world, struct fault *fault) {
    fault->strength = within_log(world, fault->row->strength);
    if (fault->row->flaps) fault->period_us = (int64_t)(2 * fault->strength * SECOND);
    double low = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < world->n_players; i++) {
        const struct player *player = &world->players[i];
        if (fault->row->scope == ON_SITE || player->service == fault->service) {
            low += player->row->rate_bps.low * world->rate_scale;
            n++;
        }
    }
    if (fault->row->act == SLOW && fault->row->scope == ON_SITE)
        fault->strength *= low / world->down.rate_bps;
    else if (fault->row->act == SLOW && n)
        fault->strength *= low / n;
    if (fault->row->act == LOSE && fault->row->scope == ON_CLIENT &&
        fault->client->n_spells < SPELLS_MAX)
        fault->client->spells[fault->client->n_spells++] =
            (struct spell){fault->from_us, fault->to_us, fault->strength, 30 * MS, 0};
    if (fault->row->act == LEAVE) fault->client->gone_us = fault->from_us;
}

void faults_draw_named(struct world *world, const char *name);

static bool draw_one(struct world *world, const struct fault_row *row) {
    struct fault fault = {
        .row = row, .index = world->n_faults, .service = -1, .other_service = -1, .part = -1};
    if (!bind(world, &fault)) return false;
    fault.share = within(world, row->share);
    double room_s = (double)world->end_us / SECOND - SETTLE_S - TAIL_S,
           length_s = within(world, row->length_s);
    if (length_s > room_s) length_s = room_s;
    if (length_s < 40) return false;
    fault.from_us = (int64_t)(uniform(world, SETTLE_S, SETTLE_S + room_s - length_s) * SECOND);
    fault.to_us = fault.from_us + (int64_t)(length_s * SECOND);
    if (collides(world, &fault)) return false;
    fault.restarts = likely(world, 0.6);
    fit_strength(world, &fault);
    world->faults[world->n_faults++] = fault;
    return true;
}

void faults_draw_named(struct world *world, const char *name) {
    for (unsigned i = 0; i < n_fault_rows; i++)
        for (unsigned tries = 0; !strcmp(fault_rows[i].name, name) && tries < 20; tries++)
            if (draw_one(world, &fault_rows[i])) return;
}

void faults_draw(struct world *world, bool small) {
    if (likely(world, 0.37)) return;
    unsigned wanted = likely(world, 0.8) ? 1 : 2, sum = 0;
    for (unsigned i = 0; i < n_fault_rows; i++) sum += fault_rows[i].weight;
    for (unsigned tries = 0; tries < 30 && world->n_faults < wanted; tries++) {
        unsigned drawn = chance(world, sum), at = 0;
        while (drawn >= fault_rows[at].weight) drawn -= fault_rows[at++].weight;
        draw_one(world, &fault_rows[at]);
    }
}
