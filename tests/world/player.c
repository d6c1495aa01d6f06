/* Players: a medium in segments, a buffer, a viewer who sees it stand still.
 *
 * Each track asks for its next segment whenever the buffer has room for it (live: when it exists).
 * What the viewer goes through is the truth of all faults of quality. */
#include <math.h>

#include "world.h"

#define EDGE_SEGMENTS 2.2 /* how far behind the edge of a live stream a player begins */
enum { LEVELS = 5, TICK_MS = 250, LOW_AUDIO_S = 15, AUDIO_BPS = 96000, PIECE = 512 * 1024 };

static void step(struct world *world, void *object, uint64_t unused);

static double elapsed_s(const struct world *world, const struct player *player) {
    return (double)(world->now_us - player->start_us) / SECOND;
}

static double loaded_s(const struct player *player) {
    double least = player->tracks[0].loaded_s;
    return player->n_tracks > 1 && player->tracks[1].loaded_s < least ? player->tracks[1].loaded_s
                                                                      : least;
}

static double rate_bps(const struct player *player) {
    return player->rate_bps *
           pow(player->best_bps / player->rate_bps, player->level / (LEVELS - 1.0));
}

/* ---- what the viewer sees ---- */

static void stalls(struct world *world, struct player *player) {
    if (player->playing || player->paused) return;
    if (player->begun || elapsed_s(world, player) > 12) faults_stalled(world, player);
}

/* The viewer jumps: what is loaded is thrown away, what is on its way cut off. */
static void seek(struct world *world, struct player *player) {
    player->seek_us =
        likely(world, 0.5) ? world->now_us + (int64_t)(waiting(world, 20) * SECOND) : NEVER;
    player->playing = player->begun = false;
    player->start_us = world->now_us;
    viewer_jumps(world, player);
    for (unsigned i = 0; i < player->n_tracks; i++) {
        struct track *track = &player->tracks[i];
        track->loaded_s = player->played_s;
        if (track->asking && player->row->transport != H2) {
            track->asking = false;
            channel_drop(world, track->channel, player->row->browser);
            world_at(world, world->now_us + 30 * MS, step, track, 0);
        } else if (!track->asking) {
            world_at(world, world->now_us + 30 * MS, step, track, 0);
        }
    }
}

/* How much of each track must be there before the picture moves. A browser with sound apart begins
 * with the first segment of each (dash.js and shaka in Chromium), other films with the second. */
static double enough_s(const struct player *player) {
    bool first = player->begun || player->row->medium != 'v' ||
                 (player->row->browser && player->n_tracks > 1);
    return player->segment_s * (first ? 1 : 2) - 0.01;
}

static void tick(struct world *world, void *object, uint64_t unused) {
    struct player *player = object;
    if (player->over) return;
    if (world->now_us >= player->stop_us || world->now_us >= player->client->gone_us) {
        player->over = true;
        viewer_leaves(world, player);
        if (world->now_us < player->client->gone_us) {
            for (unsigned i = 0; i < player->n_tracks; i++)
                channel_drop(world, player->tracks[i].channel, player->row->browser);
            if (player->control) channel_drop(world, player->control, player->row->browser);
            if (player->telemetry) channel_drop(world, player->telemetry, player->row->browser);
        }
        return;
    }
    double passed_s = (double)(world->now_us - player->seen_us) / SECOND;
    player->seen_us = world->now_us;
    if (world->now_us >= player->seek_us) seek(world, player);
    player->paused = world->now_us >= player->pause_us && world->now_us < player->pause_to_us;
    if (player->playing && !player->paused) player->played_s += passed_s;
    double ahead_s = loaded_s(player) - player->played_s;
    if (player->playing && ahead_s <= 0) {
        player->playing = false;
        player->played_s += ahead_s; /* nobody sees what is not there */
        viewer_stalls(world, player);
    } else if (!player->playing && ahead_s >= enough_s(player)) {
        player->playing = player->begun = true;
        viewer_plays(world, player);
    }
    stalls(world, player);
    viewer_second(world, player);
    world_at(world, world->now_us + TICK_MS * MS, tick, player, 0);
}

/* ---- requests ---- */

static unsigned request_bytes(struct world *world, const struct player_row *row,
                              const struct channel *channel) {
    if (row->request_first && !(channel->conn && channel->conn->first_asked))
        return row->request_first + chance(world, 9);
    return row->request_low + chance(world, row->request_high - row->request_low + 1);
}

static int64_t think(struct world *world) {
    return (int64_t)(likely(world, 0.03) ? waiting(world, 0.25 * SECOND) : waiting(world, 8 * MS)) +
           2 * MS;
}

static void ask(struct world *world, struct track *track, unsigned answer, int64_t think_us) {
    struct player *player = track->player;
    struct request *request = world_new(sizeof *request);
    struct channel *channel = track->channel;
    struct host *host = world->services[player->service].media[player->place];
    if (channel->host != host) { /* moved elsewhere */
        channel_drop(world, channel, false);
        channel->host = host;
    }
    *request = (struct request){.bytes = request_bytes(world, player->row, channel),
                                .answer = answer,
                                .think_us = think_us};
    track->asking = true;
    track->asked_us = world->now_us;
    channel_ask(world, channel, request);
}

/* A list names as many segments at any time: its size wavers by some bytes, and is another for each
 * stream. */
static unsigned list_bytes(struct world *world, const struct player *player) {
    unsigned number = (unsigned)(player - world->players);
    return 700 +
           (unsigned)((world->seed * 0x9e3779b97f4a7c15u + number * 0xd1b54a33u) >> 33) % 1500 +
           chance(world, 24);
}

/* How long until the next segment of a live stream exists. */
static double ahead_of_edge_s(const struct world *world, const struct track *track) {
    const struct player *player = track->player;
    return track->loaded_s + player->segment_s - elapsed_s(world, player) -
           EDGE_SEGMENTS * player->segment_s;
}

/* A held list is answered when the segment that it is asked for exists: at once, while the player
 * still loads what lies behind the edge. */
static int64_t held_us(struct world *world, const struct track *track) {
    double held_s = ahead_of_edge_s(world, track);
    return think(world) + (held_s > 0 ? (int64_t)(held_s * SECOND) : 0);
}

static void ask_segment(struct world *world, struct track *track) {
    struct player *player = track->player;
    const struct player_row *row = player->row;
    bool second = track == &player->tracks[1];
    double size = second ? AUDIO_BPS * player->segment_s / 8
                         : rate_bps(player) * player->segment_s / 8 * uniform(world, 0.7, 1.3);
    if (row->medium == 'a') size = PIECE;
    if (row->medium == 'h' && track->list)
        ask(world, track, 900 + chance(world, 900), held_us(world, track));
    else if (row->medium == 'l' && track->list)
        ask(world, track, list_bytes(world, player), think(world));
    else
        ask(world, track, (unsigned)size + 300, think(world));
}

static void step(struct world *world, void *object, uint64_t unused) {
    struct track *track = object;
    struct player *player = track->player;
    if (track->asking || player->over || world->now_us >= player->client->gone_us) return;
    double ahead_s = track->loaded_s - player->played_s, wait_s = 0;
    char medium = player->row->medium;
    if (medium == 'l' || medium == 'h')
        wait_s = ahead_of_edge_s(world, track);
    else if (medium == 'a')
        wait_s = track->held ? ahead_s - LOW_AUDIO_S : 0;
    else
        wait_s = ahead_s + player->segment_s - player->cap_s;
    if (wait_s > 0 && track == &player->tracks[0])
        viewer_has_enough(player, world->now_us + (int64_t)(wait_s * SECOND));
    if (wait_s <= 0 || medium == 'h') {
        ask_segment(world, track);
        return;
    }
    wait_s = wait_s < 0.05 ? 0.05 : wait_s > 1 && player->paused ? 1 : wait_s;
    world_at(world, world->now_us + (int64_t)(wait_s * SECOND), step, track, 0);
}

static void adapt(struct world *world, struct player *player, double bytes, double seconds) {
    if (bytes < 15000 || seconds <= 0) return;
    double bps = bytes * 8 / seconds;
    player->fetched_bps = player->fetched_bps ? 0.6 * player->fetched_bps + 0.4 * bps : bps;
    if (!player->row->adapts) return;
    double now_bps = rate_bps(player),
           next_bps = now_bps * pow(player->best_bps / player->rate_bps, 1.0 / (LEVELS - 1));
    if (player->fetched_bps < 1.15 * now_bps && player->level)
        player->level--;
    else if (player->fetched_bps > 1.7 * next_bps && player->level < LEVELS - 1)
        player->level++;
}

static void segment_failed(struct world *world, struct track *track) {
    struct player *player = track->player;
    player->n_failures++;
    track->failures++;
    if (player->row->adapts && player->level) player->level--;
    unsigned n = world->services[player->service].n_media;
    if (player->row->fails_over && n > 1 && track->failures % 2 == 0)
        player->place = (player->place + 1) % n;
    double wait_s =
        0.4 * pow(2, track->failures < 5 ? track->failures : 5) * uniform(world, 0.6, 1.0);
    world_at(world, world->now_us + (int64_t)(wait_s * SECOND), step, track, 0);
}

static void segment_answered(struct world *world, void *owner, struct request *request, bool good) {
    struct track *track = owner;
    struct player *player = track->player;
    if (!track->asking || player->over) return;
    track->asking = false;
    if (!good) {
        segment_failed(world, track);
        return;
    }
    track->failures = 0;
    char medium = player->row->medium;
    if ((medium == 'l' || medium == 'h') && track->list) {
        track->list = false;
        ask_segment(world, track);
        return;
    }
    track->list = medium == 'l' || medium == 'h';
    player->n_segments++;
    if (track == &player->tracks[0]) viewer_segment(player, request->answer);
    track->loaded_s += medium == 'a' ? PIECE * 8 / rate_bps(player) : player->segment_s;
    if (medium == 'a') {
        double ahead_s = track->loaded_s - player->played_s;
        track->held = ahead_s >= player->cap_s || (track->held && ahead_s > LOW_AUDIO_S);
    }
    adapt(world, player, request->answer, (double)(world->now_us - track->asked_us) / SECOND);
    int64_t rest_us = (int64_t)waiting(world, 12 * MS);
    world_at(world, world->now_us + rest_us, step, track, 0);
}

/* ---- control and telemetry ---- */

static void nothing(struct world *world, void *owner, struct request *request, bool good) {}

static void talk(struct world *world, void *object, uint64_t unused) {
    struct player *player = object;
    if (player->over || world->now_us >= player->client->gone_us) return;
    const struct player_row *row = player->row;
    struct request *request = world_new(sizeof *request);
    bool first = !(player->control->conn && player->control->conn->first_asked);
    unsigned bytes = row->transport == H1 ? 380 + chance(world, 60)
                     : first              ? 420 + chance(world, 40)
                                          : 70 + chance(world, 60);
    *request = (struct request){
        .bytes = bytes, .answer = 1500 + chance(world, 18000), .think_us = think(world) + 20 * MS};
    channel_ask(world, player->control, request);
    world_at(world, world->now_us + (int64_t)(within(world, row->control_s) * SECOND), talk, player,
             0);
}

static void beacon(struct world *world, void *object, uint64_t unused) {
    struct player *player = object;
    if (player->over || world->now_us >= player->client->gone_us) return;
    struct request *request = world_new(sizeof *request);
    *request = (struct request){.bytes = 700 + chance(world, 700),
                                .answer = 180 + chance(world, 120),
                                .think_us = think(world)};
    channel_ask(world, player->telemetry, request);
    world_at(world, world->now_us + (int64_t)(uniform(world, 8, 30) * SECOND), beacon, player, 0);
}

static void begin(struct world *world, void *object, uint64_t unused) {
    struct player *player = object;
    if (world->now_us >= player->client->gone_us) return;
    const struct player_row *row = player->row;
    struct service *service = &world->services[player->service];
    player->seen_us = world->now_us;
    viewer_begins(world, player);
    for (unsigned i = 0; i < player->n_tracks; i++) {
        struct track *track = &player->tracks[i];
        track->player = player;
        track->list = row->medium == 'l' || row->medium == 'h';
        track->channel = channel_new(world, player->client, service->media[player->place],
                                     row->transport, row, track, segment_answered);
        world_at(world, world->now_us + (row->control_s.high > 0 ? 400 * MS : 0) + i * 30 * MS,
                 step, track, 0);
    }
    enum transport calm = row->transport == H3 && !service->row->quic ? H2 : row->transport;
    if (row->control_s.high > 0) {
        player->control =
            channel_new(world, player->client, likely(world, 0.5) ? service->control : service->api,
                        calm, row, player, nothing);
        world_at(world, world->now_us, talk, player, 0);
    }
    if (row->telemetry) {
        player->telemetry =
            channel_new(world, player->client, service->telemetry, H2, row, player, nothing);
        world_at(world, world->now_us + 3 * SECOND, beacon, player, 0);
    }
    world_at(world, world->now_us + TICK_MS * MS, tick, player, 0);
}

void player_start(struct world *world, struct player *player) {
    const struct player_row *row = player->row;
    player->segment_s = within(world, row->segment_s);
    player->cap_s = within(world, row->buffer_s);
    player->rate_bps = row->rate_bps.low * world->rate_scale * uniform(world, 0.8, 1.2);
    player->best_bps = row->rate_bps.high * world->rate_scale * uniform(world, 0.7, 1.2);
    player->level = row->adapts ? 1 : 2;
    player->n_tracks = row->audio && row->connections > 1 ? 2 : 1;
    world_at(world, player->start_us, begin, player, 0);
}
