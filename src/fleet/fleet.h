/* `weir fleet`: sites' incidents in, one verdict out. One turn is one step; the caller waits
 * between turns. */
#pragma once

#include <weir/error.h>

#include "fleet/store.h"

struct weir_fleet; /* opaque */

int weir_fleet_new(struct weir_fleet **ret_fleet, const char *url, const char *password_file,
                   struct weir_fault *fault);
void weir_fleet_free(struct weir_fleet *fleet); /* resigns first */

enum { WEIR_FLEET_IDLE = 0, WEIR_FLEET_BUSY = 1, WEIR_FLEET_STANDBY = 2 };
/* Reads what came, judges, says. IDLE: nothing came; BUSY: turn again at once; STANDBY: another
 * fleet leads. < 0: Redis is away; turn again later. */
int weir_fleet_turn(struct weir_fleet *fleet, struct weir_fault *fault);
const struct weir_fleet_counts *weir_fleet_counts(const struct weir_fleet *fleet);
/* Called for each thing said, once. */
void weir_fleet_watch(struct weir_fleet *fleet,
                      void (*heard)(void *context, const char *event, const char *text,
                                    const char *json),
                      void *context);
