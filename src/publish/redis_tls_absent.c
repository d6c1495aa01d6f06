/* rediss:// in a build without TLS to Redis: it is refused before anything connects. */
#include <errno.h>

#include "publish/redis_tls.h"

int weir_redis_tls_check(const struct weir_redis_url *url, struct weir_fault *fault) {
    return url->tls.on
               ? weir_fault_set(fault, -ENOSYS,
                                "this build speaks no TLS to Redis: rediss:// needs hiredis 1 with "
                                "hiredis_ssl (meson -Dredis-tls=enabled); or run a TLS tunnel "
                                "(stunnel, ghostunnel) beside weir and give its local end as "
                                "redis://127.0.0.1:PORT")
               : 0;
}

int weir_redis_tls_begin(struct ssl_st **ret_session, redisContext *connection,
                         const struct weir_redis_url *url, const char *host,
                         struct weir_fault *fault) {
    return weir_redis_tls_check(url, fault);
}

const char *weir_redis_tls_hint(const struct weir_redis_url *url) { return ""; }

const char *weir_redis_tls_refusal(const struct ssl_st *session) { return NULL; }
