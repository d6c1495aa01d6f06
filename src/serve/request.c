/* Paths and headers.
 *
 * A path is one of a table, or one of two prefixes and a name of a small alphabet: nothing of a
 * request is ever a file's name. A token is compared by its keyed hash, so that neither its length
 * nor a right beginning shows in the time that it takes.
 */
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "serve/request.h"

static const struct {
    const char *path;
    enum weir_route_kind kind;
} whole[] = {
    {"/", WEIR_ROUTE_INDEX},
    {"/style.css", WEIR_ROUTE_STYLE},
    {"/live.js", WEIR_ROUTE_SCRIPT},
    {"/events", WEIR_ROUTE_EVENTS},
    {"/metrics", WEIR_ROUTE_METRICS},
    {"/healthz", WEIR_ROUTE_HEALTH},
    {"/api/v2/summary.json", WEIR_ROUTE_SUMMARY},
    {"/api/v2/status.json", WEIR_ROUTE_STATUS},
    {"/api/v2/incidents.json", WEIR_ROUTE_INCIDENTS},
};
static const struct {
    const char *prefix;
    enum weir_route_kind kind;
} named[] = {
    {"/service/", WEIR_ROUTE_SERVICE},
    {"/incident/", WEIR_ROUTE_INCIDENT},
};

struct weir_route weir_route_find(const char *path) {
    static const char alphabet[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    struct weir_route route = {.kind = WEIR_ROUTE_NONE};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strcmp(path, whole[i].path) == 0) return (struct weir_route){.kind = whole[i].kind};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        size_t prefix = strlen(named[i].prefix), length = strnlen(path, prefix + sizeof route.name);
        if (strncmp(path, named[i].prefix, prefix) != 0 || length == prefix ||
            length >= prefix + sizeof route.name)
            continue;
        if (strspn(path + prefix, alphabet) != length - prefix) continue;
        memcpy(route.name, path + prefix, length - prefix + 1);
        route.kind = named[i].kind;
        return route;
    }
    return route;
}

static bool same(const char *given, size_t length, const char *token) {
    unsigned char key[crypto_shorthash_KEYBYTES], one[crypto_shorthash_BYTES],
        other[crypto_shorthash_BYTES];
    randombytes_buf(key, sizeof key);
    crypto_shorthash(one, (const unsigned char *)given, length, key);
    crypto_shorthash(other, (const unsigned char *)token, strlen(token), key);
    return sodium_memcmp(one, other, sizeof one) == 0;
}

bool weir_request_allowed(const char *header, const char *token) {
    unsigned char decoded[384];
    size_t length;
    if (!header) return false;
    if (strncasecmp(header, "Bearer ", 7) == 0) return same(header + 7, strlen(header + 7), token);
    if (strncasecmp(header, "Basic ", 6) != 0 ||
        sodium_base642bin(decoded, sizeof decoded, header + 6, strlen(header + 6), " ", &length,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    const unsigned char *colon = memchr(decoded, ':', length);
    return colon && same((const char *)colon + 1, length - (size_t)(colon + 1 - decoded), token);
}

/* A web site may give its own name this machine's address, and so read what only this machine may
 * (DNS rebinding). Its name is still in the header. */
bool weir_request_is_local(const char *host) {
    if (!host) return true;
    size_t n = strncmp(host, "127.", 4) == 0            ? strspn(host, "0123456789.")
               : strncasecmp(host, "localhost", 9) == 0 ? 9
               : strncmp(host, "[::1]", 5) == 0         ? 5
                                                        : 0;
    return n && (host[n] == ':' || host[n] == '\0');
}

bool weir_request_wants_open_metrics(const char *accept) {
    return accept && strstr(accept, "application/openmetrics-text") != NULL;
}
