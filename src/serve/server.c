/* libmicrohttpd's side: one thread, epoll, a bound on connections, on their time and on their
 * memory.
 *
 * A stream of events is a response that never ends. It sleeps (suspended) while there is nothing
 * new, and is woken when the shelf changes, or after fifteen seconds for a breath that shows
 * whether the peer is still there. Streams are at most half of all connections, so that a scrape
 * always finds room.
 */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "page/status.h"
#include "serve/serve.h"
#include "serve/shelf.h"

enum { TIMEOUT_S = 30, REQUEST_BYTES = 16384, BREATH_US = 15000000 };

struct stream {
    struct weir_server *server;
    struct MHD_Connection *connection;
    struct stream *next, **link;
    bool asleep, begun;
    unsigned long told; /* the generation that the peer knows */
    int64_t spoke_us;
};

struct weir_server {
    struct MHD_Daemon *daemon;
    const char *token;
    bool local;
    pthread_mutex_t lock; /* of all that follows */
    struct weir_shelf *shelf;
    struct stream *streams;
    unsigned n_streams;
    int64_t now_us;
    bool stopping;
};

/* ---- streams ---- */

static ssize_t stream_read(void *context, uint64_t position, char *into, size_t size) {
    struct stream *stream = context;
    struct weir_server *server = stream->server;
    ssize_t n = 0;
    pthread_mutex_lock(&server->lock);
    unsigned long generation = server->shelf ? weir_shelf_generation(server->shelf) : 0;
    if (server->stopping)
        n = MHD_CONTENT_READER_END_OF_STREAM;
    else if (generation != stream->told && size >= 64) {
        n = snprintf(into, size, "%sevent: change\ndata: %lu\n\n",
                     stream->begun ? "" : "retry: 2000\n", generation);
        stream->told = generation;
        stream->begun = true;
    } else if (server->now_us - stream->spoke_us >= BREATH_US && size >= 8)
        n = snprintf(into, size, ":\n\n");
    if (n > 0)
        stream->spoke_us = server->now_us;
    else if (n == 0) {
        stream->asleep = true;
        MHD_suspend_connection(stream->connection);
    }
    pthread_mutex_unlock(&server->lock);
    return n;
}

static void stream_free(void *context) {
    struct stream *stream = context;
    struct weir_server *server = stream->server;
    pthread_mutex_lock(&server->lock);
    *stream->link = stream->next;
    if (stream->next) stream->next->link = stream->link;
    server->n_streams--;
    pthread_mutex_unlock(&server->lock);
    free(stream);
}

/* Under the lock. */
static void wake(struct weir_server *server, bool all) {
    for (struct stream *stream = server->streams; stream; stream = stream->next)
        if (stream->asleep && (all || server->now_us - stream->spoke_us >= BREATH_US)) {
            stream->asleep = false;
            MHD_resume_connection(stream->connection);
        }
}

static struct stream *stream_new(struct weir_server *server, struct MHD_Connection *connection) {
    pthread_mutex_lock(&server->lock);
    struct stream *stream = server->n_streams < WEIR_SERVE_STREAMS && !server->stopping
                                ? calloc(1, sizeof *stream)
                                : NULL;
    if (stream) {
        *stream = (struct stream){.server = server,
                                  .connection = connection,
                                  .next = server->streams,
                                  .link = &server->streams,
                                  .spoke_us = server->now_us};
        if (stream->next) stream->next->link = &stream->next;
        server->streams = stream;
        server->n_streams++;
    }
    pthread_mutex_unlock(&server->lock);
    return stream;
}

/* ---- answers ---- */

static enum MHD_Result answer_once(struct MHD_Connection *connection, unsigned status,
                                   struct MHD_Response *response) {
    if (!response) return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result notice(struct MHD_Connection *connection, unsigned status, const char *head,
                              const char *text, const char *header, const char *value) {
    struct weir_html html = {0};
    weir_page_status_notice(head, text, &html);
    struct MHD_Response *response =
        html.text ? weir_shelf_response(html.text, html.length, "text/html; charset=utf-8") : NULL;
    weir_html_deinit(&html);
    if (response && header) MHD_add_response_header(response, header, value);
    return answer_once(connection, status, response);
}

static enum MHD_Result answer_events(struct weir_server *server,
                                     struct MHD_Connection *connection) {
    struct stream *stream = stream_new(server, connection);
    if (!stream)
        return notice(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "Too many open pages",
                      "This page is as it was when it was loaded.", "Retry-After", "30");
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 512, stream_read, stream, stream_free);
    if (!response) {
        stream_free(stream);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Accel-Buffering", "no");
    return answer_once(connection, MHD_HTTP_OK, response);
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request) {
    struct weir_server *server = context;
    bool head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (!head && strcmp(method, MHD_HTTP_METHOD_GET) != 0)
        return notice(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only to be read",
                      "Nothing can be changed here.", MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (!*request) { /* an answer to the first call would end the connection */
        *request = server;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0; /* a body says nothing to us */
        return MHD_YES;
    }
    if (server->token &&
        !weir_request_allowed(
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION),
            server->token))
        return notice(connection, MHD_HTTP_UNAUTHORIZED, "A token is needed",
                      "Give it as the password; the name does not matter.",
                      MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"weir\", charset=\"UTF-8\"");
    if (server->local && !weir_request_is_local(MHD_lookup_connection_value(
                             connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST)))
        return notice(connection, MHD_HTTP_MISDIRECTED_REQUEST, "Another name",
                      "Only this machine may read: ask for localhost. Behind a proxy, start weir "
                      "serve with --token-file or --public.",
                      NULL, NULL);
    struct weir_route route = weir_route_find(path);
    if (route.kind == WEIR_ROUTE_EVENTS && !head) return answer_events(server, connection);
    pthread_mutex_lock(&server->lock);
    struct weir_shelf *shelf = server->shelf ? weir_shelf_ref(server->shelf) : NULL;
    pthread_mutex_unlock(&server->lock);
    unsigned status = MHD_HTTP_NOT_FOUND;
    bool open = weir_request_wants_open_metrics(
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
    struct MHD_Response *response = shelf ? weir_shelf_find(shelf, &route, open, &status) : NULL;
    enum MHD_Result result =
        response ? MHD_queue_response(connection, status, response)
                 : notice(connection, MHD_HTTP_NOT_FOUND, "There is no such page",
                          "Services and incidents have their pages here.", NULL, NULL);
    weir_shelf_unref(shelf);
    return result;
}

/* ---- the server ---- */

int weir_server_start(struct weir_server **ret_server, const struct weir_server_options *options,
                      struct weir_fault *fault) {
    struct weir_server *server = calloc(1, sizeof *server);
    if (!server) return -ENOMEM;
    server->token = options->token;
    server->local = options->local;
    pthread_mutex_init(&server->lock, NULL);
    errno = 0;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, server,
        MHD_OPTION_LISTEN_SOCKET, options->fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)WEIR_SERVE_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_END);
    if (!server->daemon) {
        int error = weir_fault_set(fault, errno ? -errno : -EIO, "cannot serve: %s",
                                   errno ? strerror(errno) : "libmicrohttpd does not start");
        pthread_mutex_destroy(&server->lock);
        free(server);
        return error;
    }
    *ret_server = server;
    return 0;
}

void weir_server_show(struct weir_server *server, struct weir_shelf *shelf) {
    pthread_mutex_lock(&server->lock);
    struct weir_shelf *old = server->shelf;
    server->shelf = shelf;
    wake(server, true);
    pthread_mutex_unlock(&server->lock);
    weir_shelf_unref(old);
}

void weir_server_tick(struct weir_server *server, int64_t now_us) {
    pthread_mutex_lock(&server->lock);
    server->now_us = now_us;
    wake(server, false);
    pthread_mutex_unlock(&server->lock);
}

void weir_server_stop(struct weir_server *server) {
    if (!server) return;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    wake(server, true);
    pthread_mutex_unlock(&server->lock);
    MHD_stop_daemon(server->daemon);
    weir_shelf_unref(server->shelf);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

/* ---- listening ---- */

static bool is_loopback(const struct sockaddr *addr) {
    if (addr->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24) == 127;
    return addr->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

static int listen_on(const struct addrinfo *at) {
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1,
        zero = 0;
    if (fd < 0) return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (at->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 128) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int weir_serve_listen(const char *where, bool *ret_loopback, struct weir_fault *fault) {
    char host[256];
    const char *colon = strrchr(where, ':');
    size_t length = colon ? (size_t)(colon - where) : 0;
    if (!colon || !colon[1] || length >= sizeof host)
        return weir_fault_set(
            fault, -EINVAL,
            "--listen '%s': give an address and a port, such as 127.0.0.1:8470 or [::1]:8470",
            where);
    bool bracketed = length >= 2 && where[0] == '[' && where[length - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? length - 2 : length), where + bracketed);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &found);
    if (code) return weir_fault_set(fault, -EINVAL, "--listen '%s': %s", where, gai_strerror(code));
    const struct addrinfo *at = found;
    for (const struct addrinfo *one = found; one && !host[0];
         one = one->ai_next) /* all addresses: IPv6 takes IPv4's too */
        at = one->ai_family == AF_INET6 ? one : at;
    *ret_loopback = is_loopback(at->ai_addr);
    int fd = listen_on(at);
    freeaddrinfo(found);
    return fd < 0 ? weir_fault_set(fault, fd, "--listen '%s': %s", where, strerror(-fd)) : fd;
}
