/* Redis URLs (the scheme registered with IANA): user and password percent-decoded, the password never shown. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish/redis_url.h"

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? (tolower(c) - 'a') + 10 : -1;
}

/* Copies text[0..length) with %xx undone; false when it is too long or malformed. */
static bool decode(char *into, size_t size, const char *text, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        if (n + 1 >= size)
            return false;
        if (text[i] != '%') {
            into[n++] = text[i];
            continue;
        }
        if (i + 2 >= length || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
            return false;
        into[n++] = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
        i += 2;
    }
    into[n] = '\0';
    return true;
}

static bool number(const char *text, int max, int *ret)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || value > max)
        return false;
    *ret = (int)value;
    return true;
}

static bool parse_credentials(struct weir_redis_url *url, const char *text, size_t length)
{
    const char *colon = memchr(text, ':', length);
    size_t user_length = colon ? (size_t)(colon - text) : length;
    return decode(url->user, sizeof url->user, text, user_length) &&
           (!colon || decode(url->password, sizeof url->password, colon + 1, length - user_length - 1));
}

static bool parse_host(struct weir_redis_url *url, char *rest)
{
    char *slash = strchr(rest, '/');
    if (slash) {
        *slash = '\0';
        if (slash[1] && !number(slash + 1, 1 << 20, &url->db))
            return false;
    }
    char *port = NULL, *host = rest;
    if (*rest == '[') { /* an IPv6 address */
        host = rest + 1;
        char *close = strchr(host, ']');
        if (!close || (close[1] && close[1] != ':'))
            return false;
        port = close[1] ? close + 2 : NULL;
        *close = '\0';
    } else if ((port = strchr(rest, ':'))) {
        *port++ = '\0';
    }
    if (port && (!number(port, 65535, &url->port) || url->port == 0))
        return false;
    return snprintf(url->host, sizeof url->host, "%s", *host ? host : "127.0.0.1") < (int)sizeof url->host;
}

static bool parse_path(struct weir_redis_url *url, char *rest)
{
    char *query = strchr(rest, '?');
    if (query) {
        *query++ = '\0';
        if (strncmp(query, "db=", 3) != 0 || !number(query + 3, 1 << 20, &url->db))
            return false;
    }
    return *rest == '/' && decode(url->host, 108, rest, strlen(rest));
}

int weir_redis_url_parse(struct weir_redis_url *ret_url, const char *text, struct weir_fault *fault)
{
    struct weir_redis_url url = {.port = 6379};
    if (strncmp(text, "rediss://", 9) == 0)
        return weir_fault_set(fault, -EINVAL, "rediss:// needs a hiredis with TLS, which this build has not; run a TLS tunnel "
                              "(stunnel, ghostunnel) beside weir and give its local end as redis://127.0.0.1:PORT");
    url.is_unix = strncmp(text, "unix://", 7) == 0;
    if (!url.is_unix && strncmp(text, "redis://", 8) != 0)
        return weir_fault_set(fault, -EINVAL, "Redis URL: begin with redis://host:port or unix:///path/to/socket");
    char rest[1024];
    const char *behind = text + (url.is_unix ? 7 : 8);
    const char *at = strrchr(behind, '@');
    bool good = strlen(behind) < sizeof rest && (!at || parse_credentials(&url, behind, (size_t)(at - behind)));
    if (good) {
        strcpy(rest, at ? at + 1 : behind);
        good = url.is_unix ? parse_path(&url, rest) : parse_host(&url, rest);
    }
    if (!good)
        return weir_fault_set(fault, -EINVAL, "Redis URL: use redis://[user[:password]@]host[:port][/db] or unix:///path[?db=N]");
    if (url.is_unix)
        snprintf(url.shown, sizeof url.shown, "unix://%s", url.host);
    else
        snprintf(url.shown, sizeof url.shown, strchr(url.host, ':') ? "redis://[%s]:%d" : "redis://%s:%d", url.host, url.port);
    *ret_url = url;
    return 0;
}
