/* Redis URLs (the scheme registered with IANA): user and password percent-decoded, the password
 * never shown. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish/redis_url.h"

static int hex(char c) {
    return c >= '0' && c <= '9'         ? c - '0'
           : isxdigit((unsigned char)c) ? (tolower(c) - 'a') + 10
                                        : -1;
}

/* Copies text[0..length) with %xx undone; false when it is too long or malformed. */
static bool decode(char *into, size_t size, const char *text, size_t length) {
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        if (n + 1 >= size) return false;
        if (text[i] != '%') {
            into[n++] = text[i];
            continue;
        }
        if (i + 2 >= length || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return false;
        into[n++] = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
        i += 2;
    }
    into[n] = '\0';
    return true;
}

static bool number(const char *text, int max, int *ret) {
    char *end;
    long value = strtol(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || value > max) return false;
    *ret = (int)value;
    return true;
}

static bool parse_credentials(struct weir_redis_url *url, const char *text, size_t length) {
    const char *colon = memchr(text, ':', length);
    size_t user_length = colon ? (size_t)(colon - text) : length;
    return decode(url->user, sizeof url->user, text, user_length) &&
           (!colon ||
            decode(url->password, sizeof url->password, colon + 1, length - user_length - 1));
}

/* host[:port], [IPv6 address][:port] */
static bool parse_address(char *text, int default_port, char *ret_host, size_t size,
                          int *ret_port) {
    char *port = NULL, *host = text;
    if (*text == '[') {
        host = text + 1;
        char *close = strchr(host, ']');
        if (!close || (close[1] && close[1] != ':')) return false;
        port = close[1] ? close + 2 : NULL;
        *close = '\0';
    } else if ((port = strchr(text, ':'))) {
        *port++ = '\0';
    }
    *ret_port = default_port;
    if (port && (!number(port, 65535, ret_port) || *ret_port == 0)) return false;
    return snprintf(ret_host, size, "%s", *host ? host : "127.0.0.1") < (int)size;
}

/* key=value[&key=value...], of those that only TLS has. A certificate is nothing without its key.
 */
static bool parse_tls(struct weir_redis_url_tls *tls, char *query) {
    const struct {
        const char *key;
        char *into;
    } known[] = {{"ca=", tls->ca}, {"cert=", tls->cert}, {"key=", tls->key}, {"name=", tls->name}};
    enum { N_KNOWN = sizeof known / sizeof known[0] };
    char *save = NULL;
    for (char *one = strtok_r(query, "&", &save); one; one = strtok_r(NULL, "&", &save)) {
        size_t i = 0;
        while (i < N_KNOWN && strncmp(one, known[i].key, strlen(known[i].key)) != 0) i++;
        if (i == N_KNOWN) return false;
        const char *value = one + strlen(known[i].key);
        if (!*value || !decode(known[i].into, sizeof tls->ca, value, strlen(value))) return false;
    }
    return !tls->cert[0] == !tls->key[0];
}

static bool parse_host(struct weir_redis_url *url, char *rest) {
    char *slash = strchr(rest, '/');
    if (slash) {
        *slash = '\0';
        if (slash[1] && !number(slash + 1, 1 << 20, &url->db)) return false;
    }
    return parse_address(rest, 6379, url->host, sizeof url->host, &url->port);
}

/* host[:port][,host[:port]...]/master[/db] */
static bool parse_sentinels(struct weir_redis_url *url, char *rest) {
    char *slash = strchr(rest, '/'), *save = NULL;
    char *db = slash ? strchr(slash + 1, '/') : NULL;
    if (!slash || slash[1] == '\0' || db == slash + 1) return false;
    *slash = '\0';
    if (db) {
        *db++ = '\0';
        if (!number(db, 1 << 20, &url->db)) return false;
    }
    if (!decode(url->master, sizeof url->master, slash + 1, strlen(slash + 1))) return false;
    for (char *one = strtok_r(rest, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
        if (url->n_sentinels == WEIR_SENTINELS_MAX ||
            !parse_address(one, 26379, url->sentinels[url->n_sentinels].host,
                           sizeof url->sentinels[0].host, &url->sentinels[url->n_sentinels].port))
            return false;
        url->n_sentinels++;
    }
    return url->n_sentinels > 0;
}

static bool parse_path(struct weir_redis_url *url, char *rest) {
    char *query = strchr(rest, '?');
    if (query) {
        *query++ = '\0';
        if (strncmp(query, "db=", 3) != 0 || !number(query + 3, 1 << 20, &url->db)) return false;
    }
    return *rest == '/' && decode(url->host, 108, rest, strlen(rest));
}

static bool parse_tls_host(struct weir_redis_url *url, char *rest) {
    char *query = strchr(rest, '?');
    if (query) *query++ = '\0';
    url->tls.on = true;
    return (!query || parse_tls(&url->tls, query)) && parse_host(url, rest);
}

static void show(struct weir_redis_url *url, const char *rest) {
    if (url->is_unix)
        snprintf(url->shown, sizeof url->shown, "unix://%s", url->host);
    else if (url->n_sentinels)
        snprintf(url->shown, sizeof url->shown, "redis+sentinel://%.400s", rest);
    else
        snprintf(url->shown, sizeof url->shown,
                 strchr(url->host, ':') ? "redis%s://[%s]:%d" : "redis%s://%s:%d",
                 url->tls.on ? "s" : "", url->host, url->port);
}

static const struct {
    const char *scheme;
    bool (*parse)(struct weir_redis_url *url, char *rest);
} schemes[] = {{"redis://", parse_host},
               {"rediss://", parse_tls_host},
               {"redis+sentinel://", parse_sentinels},
               {"unix://", parse_path}};
enum { N_SCHEMES = sizeof schemes / sizeof schemes[0] };

int weir_redis_url_parse(struct weir_redis_url *ret_url, const char *text,
                         struct weir_fault *fault) {
    struct weir_redis_url url = {.port = 6379};
    size_t i = 0;
    while (i < N_SCHEMES && strncmp(text, schemes[i].scheme, strlen(schemes[i].scheme)) != 0) i++;
    if (i == N_SCHEMES)
        return weir_fault_set(
            fault, -EINVAL,
            "Redis URL: begin with redis://host:port, rediss://host:port (TLS), unix:///path/to/socket "
            "or redis+sentinel://host:port/master");
    char rest[1024];
    const char *behind = text + strlen(schemes[i].scheme);
    const char *at = strrchr(behind, '@');
    const char *place = at ? at + 1 : behind;
    url.is_unix = schemes[i].parse == parse_path;
    bool good = strlen(behind) < sizeof rest &&
                (!at || parse_credentials(&url, behind, (size_t)(at - behind)));
    if (good) {
        strcpy(rest, place);
        good = schemes[i].parse(&url, rest);
    }
    if (!good)
        return weir_fault_set(
            fault, -EINVAL,
            "Redis URL: use redis://[user[:password]@]host[:port][/db], "
            "rediss://...[?ca=FILE&cert=FILE&key=FILE&name=HOST], unix:///path[?db=N] or "
            "redis+sentinel://host[:port][,host[:port]]/master[/db]");
    show(&url, place);
    *ret_url = url;
    return 0;
}

int weir_redis_password_read(struct weir_redis_url *url, const char *path,
                             struct weir_fault *fault) {
    char line[sizeof url->password + 2];
    FILE *file = fopen(path, "re");
    bool good = file && fgets(line, sizeof line, file);
    int why = errno;
    if (file) fclose(file);
    if (!file) return weir_fault_set(fault, -why, "%s: %s", path, strerror(why));
    if (good) line[strcspn(line, "\r\n")] = '\0';
    if (!good || !line[0] || strlen(line) >= sizeof url->password)
        return weir_fault_set(fault, -EINVAL,
                              "%s: its first line is the password, of 1 to %zu bytes", path,
                              sizeof url->password - 1);
    strcpy(url->password, line);
    explicit_bzero(line, sizeof line);
    return 0;
}

void weir_redis_url_hide(char *text) {
    char *begin = strstr(text, "://"), *at = begin ? strrchr(begin, '@') : NULL;
    char *colon = at ? memchr(begin + 3, ':', (size_t)(at - begin - 3)) : NULL;
    for (char *c = colon ? colon + 1 : NULL; c && c < at; c++) *c = '*';
}
