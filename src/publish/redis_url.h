/* Where Redis is: redis://[user[:password]@]host[:port][/db],
 * unix://[user[:password]@]/path[?db=N], or the master that Sentinels name:
 * redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/db].
 * rediss:// is redis:// by TLS, and takes ?ca=FILE&cert=FILE&key=FILE&name=HOST. */
#pragma once

#include <stdbool.h>

#include <weir/error.h>

enum { WEIR_SENTINELS_MAX = 8 };
struct weir_redis_url {
    char user[128], password[256]; /* empty: none */
    char host[256];                /* or the path of the socket */
    bool is_unix;
    int port, db;
    struct weir_redis_url_tls {
        bool on;
        /* PEM files; ca empty: the system's authorities; cert and key empty: a client without */
        char ca[256], cert[256], key[256];
        char name[256]; /* that the certificate must carry; empty: the host's */
    } tls;
    char master[128]; /* what Sentinel calls it; empty: no Sentinel */
    unsigned n_sentinels;
    struct {
        char host[256];
        int port;
    } sentinels[WEIR_SENTINELS_MAX];
    /* the URL without its password: the only form for logs and errors */
    char shown[512];
};

/* 0, or -EINVAL with what is wrong; never shows the password. */
int weir_redis_url_parse(struct weir_redis_url *ret_url, const char *text,
                         struct weir_fault *fault);
/* Takes the password from a file's first line. < 0: it can't be read, is empty or too long; the one
 * before stays. */
int weir_redis_password_read(struct weir_redis_url *url, const char *path,
                             struct weir_fault *fault);
/* Overwrites the password in a text that was given as a URL (the command line, which ps shows) by
 * asterisks. */
void weir_redis_url_hide(char *text);
