/* What a viewer goes through, second by second: the truth of `viewers` in a world's label.
 *
 * - startup: from the player's begin to the first picture.
 * - stalls: the picture stands still though it had begun.
 * - jumps: the viewer jumps, until the picture is there again. These waits are of his own making,
 *   no stalls.
 * - states: a letter a second. 'e' nothing to show; 'l' plays, and still wants more than it has;
 *   'f' plays, or is paused, and has had all that it wants within one and a half segments.
 */
#include "world.h"

void viewer_begins(struct world *world, struct player *player) {
    struct viewer *viewer = &player->viewer;
    viewer->from_us = world->now_us;
    viewer->end_us = world->end_us;
    viewer->first_us = 0;
    viewer->max_states = (unsigned)((world->end_us - world->now_us) / SECOND) + 2;
    viewer->states = world_new(viewer->max_states);
}

void viewer_segment(struct player *player, double bytes) {
    player->viewer.picture_bytes += bytes;
    player->viewer.picture_s += player->segment_s;
}

void viewer_has_enough(struct player *player, int64_t until_us) {
    player->viewer.enough_us = until_us;
}

void viewer_stalls(struct world *world, struct player *player) {
    player->n_stalls++;
    player->stall_since_us = world->now_us;
}

void viewer_jumps(struct world *world, struct player *player) {
    if (!player->viewer.jump_us) player->viewer.jump_us = world->now_us;
}

void viewer_plays(struct world *world, struct player *player) {
    struct viewer *viewer = &player->viewer;
    if (!viewer->first_us) viewer->first_us = world->now_us;
    if (viewer->jump_us && viewer->n_jumps < VIEWER_JUMPS) {
        viewer->jumps[viewer->n_jumps][0] = viewer->jump_us;
        viewer->jumps[viewer->n_jumps++][1] = world->now_us;
    }
    viewer->jump_us = 0;
    if (!player->stall_since_us) return;
    player->stalled_us += world->now_us - player->stall_since_us;
    if (viewer->n_stalls < VIEWER_STALLS) {
        viewer->stalls[viewer->n_stalls][0] = player->stall_since_us;
        viewer->stalls[viewer->n_stalls++][1] = world->now_us;
    }
    player->stall_since_us = 0;
}

void viewer_leaves(struct world *world, struct player *player) {
    player->viewer.end_us = world->now_us;
    if (player->stall_since_us || player->viewer.jump_us) viewer_plays(world, player);
}

void viewer_second(struct world *world, struct player *player) {
    struct viewer *viewer = &player->viewer;
    unsigned at = (unsigned)((world->now_us - viewer->from_us) / SECOND);
    if (at >= viewer->max_states) return;
    bool full = world->now_us < viewer->enough_us + (int64_t)(1.5 * player->segment_s * SECOND);
    char state = !player->playing ? 'e' : full || player->paused ? 'f' : 'l';
    while (viewer->n_states <= at) viewer->states[viewer->n_states++] = state;
}

/* ---- the label ---- */

static bool is_alone(const struct world *world, const struct player *player) {
    if (world->site->vantage == 'n') return false;
    for (unsigned i = 0; i < world->n_players; i++)
        if (&world->players[i] != player && world->players[i].client == player->client &&
            world->players[i].service == player->service)
            return false;
    return true;
}

static void put_address(FILE *out, const struct ip *ip) {
    if (ip->six) {
        for (int i = 0; i < 16; i += 2)
            fprintf(out, "%s%x", i ? ":" : "\"", ip->bytes[i] << 8 | ip->bytes[i + 1]);
    } else {
        fprintf(out, "\"%u.%u.%u.%u", ip->bytes[0], ip->bytes[1], ip->bytes[2], ip->bytes[3]);
    }
    fputc('"', out);
}

static void put_spells(FILE *out, int64_t (*spells)[2], unsigned n) {
    for (unsigned i = 0; i < n; i++)
        fprintf(out, "%s[%.2f, %.2f]", i ? ", " : "[", (double)spells[i][0] / SECOND,
                (double)spells[i][1] / SECOND);
    fputs(n ? "]" : "[]", out);
}

static void put_viewer(struct world *world, struct player *player, FILE *out) {
    struct viewer *viewer = &player->viewer;
    if (player->stall_since_us || viewer->jump_us) viewer_leaves(world, player);
    fputs("{\"client\": [", out);
    put_address(out, &player->client->address[0]);
    if (player->client->dual) {
        fputs(", ", out);
        put_address(out, &player->client->address[1]);
    }
    fprintf(out,
            "], \"service\": \"%s\", \"player\": \"%s\", \"medium\": \"%c\", \"alone\": %s,"
            " \"segment_s\": %.2f, \"segments\": %u, \"from\": %.3f, \"begun\": ",
            world->services[player->service].row->id, player->row->name, player->row->medium,
            is_alone(world, player) ? "true" : "false", player->segment_s, player->n_segments,
            (double)viewer->from_us / SECOND);
    if (viewer->first_us)
        fprintf(out, "%.3f", (double)viewer->first_us / SECOND);
    else
        fputs("null", out);
    fprintf(out,
            ", \"end\": %.3f, \"bitrate\": %.0f, \"stalls\": ", (double)viewer->end_us / SECOND,
            viewer->picture_s > 0 ? viewer->picture_bytes * 8 / viewer->picture_s : 0);
    put_spells(out, viewer->stalls, viewer->n_stalls);
    fputs(", \"jumps\": ", out);
    put_spells(out, viewer->jumps, viewer->n_jumps);
    fprintf(out, ", \"states\": \"%.*s\"}", (int)viewer->n_states, viewer->states);
}

void viewers_write(struct world *world, FILE *out) {
    const char *comma = "";
    fputs(" \"viewers\": [", out);
    for (unsigned i = 0; i < world->n_players; i++) {
        if (!world->players[i].viewer.states) continue; /* never began */
        fprintf(out, "%s\n  ", comma);
        put_viewer(world, &world->players[i], out);
        comma = ",";
    }
    fputs("],\n", out);
}
