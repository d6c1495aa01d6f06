/* What a request asks for, and whether it may: pure functions over what strangers send. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum weir_route_kind {
    WEIR_ROUTE_INDEX,
    WEIR_ROUTE_SERVICE,
    WEIR_ROUTE_INCIDENT,
    WEIR_ROUTE_STYLE,
    WEIR_ROUTE_SCRIPT,
    WEIR_ROUTE_EVENTS,
    WEIR_ROUTE_METRICS,
    WEIR_ROUTE_SUMMARY,
    WEIR_ROUTE_STATUS,
    WEIR_ROUTE_INCIDENTS,
    WEIR_ROUTE_HEALTH,
    WEIR_ROUTE_NONE
};
struct weir_route {
    enum weir_route_kind kind;
    char name[64]; /* SERVICE, INCIDENT: whose page; letters, digits and . _ - only */
};
struct weir_route weir_route_find(const char *path);

/* True where the value of an Authorization header holds the token: "Bearer <token>", or "Basic
 * <base64 of any:token>", which a browser sends after asking for a password. Takes as long for a
 * wrong token as for the right one. `header` may be NULL. */
bool weir_request_allowed(const char *header, const char *token);
/* True where a Host header names this machine: localhost, or an address of loopback, with a port or
 * without; also where there is none, as of HTTP/1.0. */
bool weir_request_is_local(const char *host);
/* True where an Accept header asks for OpenMetrics. NULL: it does not. */
bool weir_request_wants_open_metrics(const char *accept);
