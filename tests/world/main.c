/* Writes one world's capture and truth.
 *
 *     world SEED OUT.pcap OUT.json [PROFILE [FAULT [apart]]]
 *
 * PROFILE: full (the default), small, or the name of a site's row. FAULT: the name of a fault's
 * row, none, or drawn (the default). `apart`: with addresses of its own, so that it can be joined
 * with another world's capture. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static void renew(struct world *world, void *object, uint64_t unused) { dhcp_hello(world, object); }

int main(int argc, char **argv) {
    if (argc < 4 || argc > 7) {
        fprintf(stderr, "usage: world SEED OUT.pcap OUT.json [PROFILE [FAULT [apart]]]\n");
        return 2;
    }
    struct world *world = world_new(sizeof *world);
    world->seed = strtoull(argv[1], NULL, 10);
    world->end_us = NEVER;
    world->apart = argc > 6;
    plan_world(world, argc > 4 ? argv[4] : "full",
               argc > 5 && strcmp(argv[5], "drawn") ? argv[5] : NULL);
    for (unsigned i = 0; i < world->n_clients && world->site->vantage == 'l'; i++)
        if (likely(world, 0.5))
            world_at(world, (int64_t)(uniform(world, 0, 60) * SECOND), renew, &world->clients[i],
                     0);
    FILE *truth = fopen(argv[3], "w");
    if (!truth || frames_begin(world, argv[2])) {
        fprintf(stderr, "world: cannot write %s or %s\n", argv[2], argv[3]);
        return 1;
    }
    world_run(world);
    truth_write(world, truth);
    int failed = frames_end(world) | fclose(truth);
    world_end(world);
    return failed ? 1 : 0;
}
