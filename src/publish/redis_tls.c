/* A context of OpenSSL for each connection: connections are few, and files may be renewed.
 *
 * The name that the certificate must carry is the host's, or the URL's `name`: a cluster tells the
 * addresses of its nodes, and a certificate seldom has these.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "publish/redis_tls.h"

/* What OpenSSL says of the first thing that went wrong. */
static const char *reason(void) {
    unsigned long code = ERR_peek_error();
    const char *text =
        ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    return text ? text : "not what was expected";
}

static int cannot_use(const char *what, const char *path, struct weir_fault *fault) {
    return weir_fault_set(fault, -EINVAL, "Redis' TLS: %s %s: %s", what, path, reason());
}

static int load_authorities(SSL_CTX *context, const struct weir_redis_url *url,
                            struct weir_fault *fault) {
    if (url->tls.ca[0])
        return SSL_CTX_load_verify_locations(context, url->tls.ca, NULL) == 1
                   ? 0
                   : cannot_use("ca", url->tls.ca, fault);
    return SSL_CTX_set_default_verify_paths(context) == 1
               ? 0
               : cannot_use("authorities of", "the system", fault);
}

static int load_own(SSL_CTX *context, const struct weir_redis_url *url, struct weir_fault *fault) {
    if (!url->tls.cert[0]) return 0;
    if (SSL_CTX_use_certificate_chain_file(context, url->tls.cert) != 1)
        return cannot_use("cert", url->tls.cert, fault);
    if (SSL_CTX_use_PrivateKey_file(context, url->tls.key, SSL_FILETYPE_PEM) != 1)
        return cannot_use("key", url->tls.key, fault);
    return 0;
}

/* Nobody is there to type the passphrase of a key. */
static int no_passphrase(char *buffer, int size, int writing, void *data) { return -1; }

static int context_new(SSL_CTX **ret_context, const struct weir_redis_url *url,
                       struct weir_fault *fault) {
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) return weir_fault_set(fault, -ENOMEM, "Redis' TLS: %s", reason());
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    int error = load_authorities(context, url, fault);
    if (!error) error = load_own(context, url, fault);
    if (error)
        SSL_CTX_free(context);
    else
        *ret_context = context;
    return error;
}

int weir_redis_tls_check(const struct weir_redis_url *url, struct weir_fault *fault) {
    SSL_CTX *context = NULL;
    int error = url->tls.on ? context_new(&context, url, fault) : 0;
    SSL_CTX_free(context);
    return error;
}

/* An address is looked for among the certificate's addresses, and is no name to ask for (SNI). */
static bool expect(SSL *session, const char *name) {
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name) == 1) return true;
    return SSL_set1_host(session, name) == 1 && SSL_set_tlsext_host_name(session, name) == 1;
}

/* ---- a handshake has an end ----
 * On a connection that blocks, the time-out of the socket begins anew with every byte, and a server
 * that nobody trusts yet may send one a second for ever. So each read of the handshake looks at the
 * clock. Where the connection does not block, whoever waits for it ends it. */

enum { HANDSHAKE_S = 5 };

static int64_t monotonic_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static long read_in_time(BIO *bio, int what, const char *bytes, size_t size, int option,
                         long argument, int answer, size_t *n) {
    const int64_t *until_s = (const void *)BIO_get_callback_arg(bio);
    if (what != BIO_CB_READ || monotonic_s() <= *until_s) return answer;
    errno = ETIMEDOUT;
    return -1;
}

static void on_handshake(const SSL *session, int where, int value) {
    BIO *bio = SSL_get_rbio(session);
    if (!(where & SSL_CB_HANDSHAKE_START) || !bio) return;
    BIO_set_callback_arg(bio, SSL_get_app_data(session));
    BIO_set_callback_ex(bio, read_in_time);
}

/* hiredis gives the session its socket, and shakes hands at once. */
static int shake_hands(redisContext *connection, SSL *session) {
    int64_t until_s = monotonic_s() + HANDSHAKE_S;
    SSL_set_app_data(session, (char *)&until_s);
    SSL_set_info_callback(session, on_handshake);
    int answer = redisInitiateSSL(connection, session);
    SSL_set_info_callback(session, NULL);
    SSL_set_app_data(session, NULL);
    if (SSL_get_rbio(session)) BIO_set_callback_ex(SSL_get_rbio(session), NULL);
    return answer;
}

int weir_redis_tls_begin(struct ssl_st **ret_session, redisContext *connection,
                         const struct weir_redis_url *url, const char *host,
                         struct weir_fault *fault) {
    SSL_CTX *context = NULL;
    int error = context_new(&context, url, fault);
    if (error) return error;
    SSL *session = SSL_new(context);
    SSL_CTX_free(context); /* the session holds it */
    if (!session || !expect(session, url->tls.name[0] ? url->tls.name : host)) {
        error = weir_fault_set(fault, -ENOMEM, "Redis' TLS: %s", reason());
    } else if (shake_hands(connection, session) != REDIS_OK) {
        const char *refusal = weir_redis_tls_refusal(session);
        error = weir_fault_set(fault, -ECONNREFUSED, "%s", refusal ? refusal : connection->errstr);
    }
    if (error) /* hiredis keeps a session only where it could begin */
        SSL_free(session);
    else
        *ret_session = session;
    return error;
}

const char *weir_redis_tls_hint(const struct weir_redis_url *url) {
    return url && url->tls.on && !url->tls.cert[0]
               ? "; where the server asks for a certificate, give cert= and key= in the URL"
               : "";
}

const char *weir_redis_tls_refusal(const struct ssl_st *session) {
    long result = session ? SSL_get_verify_result(session) : X509_V_OK;
    return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}
