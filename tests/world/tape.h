/* A tape: what a detector was handed, call by call, in order. tape_record.c writes it, tape_play.c
 * reads it.
 *
 * Beyond its head a tape is a byte that names the call, then its arguments as they lie in memory.
 * So it is of this build only: the head holds the sizes of what follows, and a tape of others is
 * refused. Regions and autonomous systems are not on it: worlds have none. */
#pragma once

#include <weir/detect.h>

enum tape_call {
    TAPE_SLOT = 'S',   /* closed (1 byte), start_us, n (uint32_t), the trials */
    TAPE_WINDOW = 'W', /* the window, its services, its links */
    TAPE_END = 'E',
    TAPE_DEMAND = 'D',
    TAPE_SIGHT = 'G',
    TAPE_TRAFFIC = 'T', /* now_us, heard (1 byte), asking */
    TAPE_FREEZE = 'F',
    TAPE_STEP = 'P',
    TAPE_FINISH = 'X' /* and nothing follows */
};

enum { TAPE_NAME_MAX = 32 };
struct tape_head {
    char magic[8];
    uint32_t trial, window, service_window, link, end, demand, sight; /* sizes */
    uint32_t n_services; /* names follow, TAPE_NAME_MAX bytes each */
};

static inline struct tape_head tape_head(size_t n_services) {
    return (struct tape_head){.magic = "weirtape",
                              .trial = sizeof(struct weir_trial),
                              .window = sizeof(struct weir_detect_window),
                              .service_window = sizeof(struct weir_detect_service_window),
                              .link = sizeof(struct weir_client_link),
                              .end = sizeof(struct weir_connection_end),
                              .demand = sizeof(struct weir_demand),
                              .sight = sizeof(struct weir_detect_sight),
                              .n_services = (uint32_t)n_services};
}
