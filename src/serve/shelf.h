/* What the server takes from a shelf. */
#pragma once

#include <microhttpd.h>

#include "serve/request.h"
#include "serve/serve.h"

/* The finished response of a route, the shelf's; NULL where there is no such page. *ret_status: its
 * HTTP status. */
struct MHD_Response *weir_shelf_find(const struct weir_shelf *shelf, const struct weir_route *route,
                                     bool open_metrics, unsigned *ret_status);
/* A response of its own, with the headers that all have; the caller's. NULL: no memory. */
struct MHD_Response *weir_shelf_response(const char *text, size_t length, const char *type);
