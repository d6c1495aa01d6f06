/* What each client's own link did in a window, and which clients gave samples of which service: see
 * links.c. */
#pragma once

#include <weir/measure.h>

#include "base/index.h"
#include "measure/signal.h"

enum { LINK_RTT_CLASSES = 72 };
struct weir_link_row { /* the first cache line is written by packets */
    struct weir_addr client;
    uint64_t services[WEIR_SERVICES_MAX / 64]; /* that sent to it */
    uint32_t segments_down, segments_up, lost_beyond, lost_before, lost_up;
    uint32_t needless; /* of those beyond, taken back */
    uint64_t sampled[WEIR_CONTINUOUS_N]
                    [WEIR_SERVICES_MAX / 64]; /* of which service it gave samples */
    uint16_t rtt[LINK_RTT_CLASSES];           /* client's side */
};

struct weir_links {
    struct weir_index index; /* of `rows` */
    struct weir_link_row *rows;
    size_t room;
    uint16_t refused_mark; /* in named.link: no room in this window */
    uint32_t n_sampled[WEIR_CONTINUOUS_N]
                      [WEIR_SERVICES_MAX]; /* clients, of rows that were merged */
};

void weir_links_init(struct weir_links *links, size_t max_clients); /* no memory yet */
void weir_links_deinit(struct weir_links *links);
void weir_links_clear(struct weir_links *links, uint16_t window);
/* A TCP packet with payload. */
void weir_links_packet(struct weir_links *links, struct weir_flow *flow, enum weir_side sender,
                       uint32_t payload_len);
/* An event as the signals see it, which `service` counts. */
void weir_links_event(struct weir_links *links, struct weir_flow *flow, weir_service_id service,
                      const struct weir_sample *sample);
/* Adds a row of a worker; false: no room. */
bool weir_links_merge(struct weir_links *links, const struct weir_addr *client,
                      const struct weir_link_row *row);
void weir_links_read(const struct weir_link_row *row, struct weir_client_link *ret_link);
