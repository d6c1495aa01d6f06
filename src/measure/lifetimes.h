/* For how long connections rest and are served again, by service, role and place: see lifetimes.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <weir/service.h>

#include "base/assoc.h"

struct weir_lifetimes {
    struct weir_assoc places;
};

int weir_lifetimes_init(struct weir_lifetimes *lifetimes, size_t max_places); /* 0 or -ENOMEM */
void weir_lifetimes_deinit(struct weir_lifetimes *lifetimes);
/* A connection that the server had left silent for `pause_us` served again. */
void weir_lifetimes_survived(struct weir_lifetimes *lifetimes, weir_service_id service,
                             uint8_t role, const struct weir_addr *server, int64_t pause_us,
                             int64_t now_us);
/* One was reset after `pause_us`, and that was not premature as far as known then. */
void weir_lifetimes_timed(struct weir_lifetimes *lifetimes, weir_service_id service, uint8_t role,
                          const struct weir_addr *server, int64_t pause_us, int64_t now_us);
/* Have clearly longer pauses than this been survived there, several times over, and is it no
 * timer's? No of 0 and less. */
bool weir_lifetimes_outlived(const struct weir_lifetimes *lifetimes, weir_service_id service,
                             uint8_t role, const struct weir_addr *server, int64_t pause_us);
