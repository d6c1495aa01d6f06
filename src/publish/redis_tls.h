/* TLS to Redis (rediss://): who is trusted, under which name, and who we are. By hiredis_ssl over
 * OpenSSL; hiredis_ssl by itself checks no host name, so that the session is made here. */
#pragma once

#include <hiredis/hiredis.h>

#include <weir/error.h>

#include "publish/redis_url.h"

struct ssl_st; /* OpenSSL's SSL */

/* Can a URL with TLS be served: does this build know TLS, and do the files that it names hold what
 * they should? 0, also for a URL without TLS; < 0 with a fault that names the file. */
int weir_redis_tls_check(const struct weir_redis_url *url, struct weir_fault *fault);

/* Begins TLS on a connection to `host`; not yet done when it returns 0 on a connection that does
 * not block. The files are read anew, so that a renewed certificate counts. No byte is sent to a
 * server before its certificate is found to be good. < 0 with a fault: the connection is of no use.
 * `ret_session` belongs to the connection and lives as long. */
int weir_redis_tls_begin(struct ssl_st **ret_session, redisContext *connection,
                         const struct weir_redis_url *url, const char *host,
                         struct weir_fault *fault);

/* What else may be wrong where a server hangs up on its greeting: it asks for a certificate and was
 * shown none. "" where that cannot be, or `url` is NULL. */
const char *weir_redis_tls_hint(const struct weir_redis_url *url);

/* Why the server's certificate was refused; NULL: it was not, or `session` is NULL. */
const char *weir_redis_tls_refusal(const struct ssl_st *session);
