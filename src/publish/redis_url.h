/* Where Redis is: redis://[user[:password]@]host[:port][/db] or unix://[user[:password]@]/path[?db=N]. */
#pragma once

#include <stdbool.h>

#include <weir/error.h>

struct weir_redis_url {
    char user[128], password[256]; /* empty: none */
    char host[256];                /* or the path of the socket */
    bool is_unix;
    int port, db;
    char shown[512];               /* the URL without its password: the only form for logs and errors */
};

/* 0, or -EINVAL with what is wrong; never shows the password. */
int weir_redis_url_parse(struct weir_redis_url *ret_url, const char *text, struct weir_fault *fault);
