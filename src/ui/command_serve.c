/* `weir serve`: the status page of a site, its metrics and its JSON, over HTTP. It only reads. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/service.h>

#include "base/log.h"
#include "serve/reader.h"
#include "ui/command.h"
#include "ui/confined.h"
#include "ui/prompt.h"
#include "ui/web.h"

static const char usage[] =
    "Usage: weir serve [OPTIONS]\n\n"
    "A status page of the site that renews itself, at http://127.0.0.1:8470/, with a page for"
    " each service and incident. Has /metrics for Prometheus, and /healthz. Has "
    "/api/v2/summary.json, status.json and incidents.json as Statuspage has them. Nothing can"
    " be written to.\n\n"
    "Exit: 0 stopped, 1 failed while running, 2 usage.";

struct serve {
    const char *listen, *token_file, *user;
    bool public;
    char token[256];
};

static int read_listen(void *context, const char *text, struct weir_fault *fault) {
    ((struct serve *)context)->listen = text;
    return 0;
}

static int read_user(void *context, const char *text, struct weir_fault *fault) {
    ((struct serve *)context)->user = text;
    return 0;
}

static int read_public(void *context, const char *text, struct weir_fault *fault) {
    ((struct serve *)context)->public = true;
    return 0;
}

/* Its first line. */
static int read_token_file(void *context, const char *path, struct weir_fault *fault) {
    struct serve *serve = context;
    FILE *file = fopen(path, "re");
    bool some = file && fgets(serve->token, sizeof serve->token, file);
    int error = file ? 0 : -errno;
    if (file) fclose(file);
    serve->token[strcspn(serve->token, "\r\n")] = '\0';
    serve->token_file = path;
    if (error) return weir_fault_set(fault, error, "--token-file %s: %s", path, strerror(-error));
    return some && strlen(serve->token) >= 16
               ? 0
               : weir_fault_set(fault, -EINVAL,
                                "--token-file %s: its first line must be 16 to 254 characters",
                                path);
}

static const struct weir_prompt_option own[] = {
    {"listen", "ADDR:PORT",
     "where to listen (default: 127.0.0.1:8470); other addresses than loopback need one of the "
     "next two",
     read_listen},
    {"token-file", "FILE",
     "who reads must know its first line: as a bearer token, or as the password in a browser",
     read_token_file},
    {"public", NULL, "anybody may read, and no client is shown", read_public},
    {"user", "NAME", "whom to become, if started as root (default: weir, else nobody)", read_user},
    {0}};

static volatile sig_atomic_t stopped;

static void on_stop(int number) { stopped = 1; }

static int give_up_rights(const struct serve *serve, const struct weir_prompt *prompt,
                          const char *state, struct weir_fault *fault) {
    struct weir_confinement how = {
        .user = serve->user, .connects = weir_prompt_redis(prompt) != NULL, .listens = true};
    static char signatures[PATH_MAX];
    weir_confine_path(how.readable, weir_signatures_path(NULL, signatures));
    weir_confine_path(how.readable, state);
    weir_confinement_reads_redis(&how, weir_prompt_redis(prompt),
                                 prompt->config.redis_password_file);
    return weir_confine(&how, fault);
}

static void look_until_stopped(struct weir_reader *reader, struct weir_server *server) {
    const struct timespec second = {.tv_sec = 1};
    while (!stopped) {
        int64_t now_us = weir_prompt_now_us();
        struct weir_shelf *shelf = weir_reader_look(reader, now_us);
        weir_server_tick(server, now_us);
        if (shelf) weir_server_show(server, shelf);
        nanosleep(&second, NULL);
    }
}

static int run_server(const struct serve *serve, const struct weir_prompt *prompt, int fd,
                      const struct weir_service_set *set, struct weir_fault *fault) {
    const char *redis = weir_prompt_redis(prompt),
               *state = redis ? NULL : weir_state_path(prompt->state, R_OK);
    const struct weir_reader_options options = {
        .where = {.redis = redis,
                  .password_file = prompt->config.redis_password_file,
                  .state = state,
                  .site = prompt->site},
        .set = set,
        .hide_clients = serve->public};
    struct weir_reader *reader = NULL;
    struct weir_server *server = NULL;
    const struct weir_server_options how = {.fd = fd,
                                            .token = serve->token_file ? serve->token : NULL,
                                            .local = !serve->token_file && !serve->public};
    const struct sigaction stop = {.sa_handler = on_stop}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    tzset();
    int error = give_up_rights(serve, prompt, state, fault);
    if (!error) error = weir_reader_new(&reader, &options) < 0 ? -ENOMEM : 0;
    struct weir_shelf *first =
        error ? NULL
              : weir_reader_look(reader, weir_prompt_now_us()); /* whoever asks finds pages */
    if (!error) error = weir_server_start(&server, &how, fault);
    if (!error && first)
        weir_server_show(server, first);
    else
        weir_shelf_unref(first);
    if (!error) {
        weir_log(WEIR_LOG_NOTICE, "serving at http://%s/", serve->listen);
        look_until_stopped(reader, server);
    } else
        close(fd);
    weir_server_stop(server);
    weir_reader_free(reader);
    return error;
}

static int serve_site(const struct serve *serve, const struct weir_prompt *prompt,
                      struct weir_fault *fault) {
    char path[PATH_MAX];
    struct weir_fault ignored = {0};
    struct weir_service_set *set = NULL;
    bool loopback = false;
    int fd = weir_serve_listen(serve->listen, &loopback, fault);
    if (fd >= 0 && !loopback && !serve->token_file && !serve->public) {
        close(fd);
        fd = weir_fault_set(fault, -EINVAL,
                            "--listen %s: others than this machine can reach it; give "
                            "--token-file, or --public, which shows no client",
                            serve->listen);
    }
    if (fd < 0) return fd;
    if (weir_service_set_load(&set, weir_signatures_path(NULL, path), &ignored) < 0) set = NULL;
    int error = run_server(serve, prompt, fd, set, fault);
    weir_service_set_unref(set);
    return error;
}

int weir_web_serve(int argc, char **argv) {
    struct weir_prompt prompt;
    struct weir_fault fault = {0};
    struct serve serve = {.listen = "127.0.0.1:8470"};
    int operand = weir_prompt_parse(&prompt, argc, argv, usage, own, &serve, &fault),
        code = WEIR_EXIT_DONE;
    if (operand >= 0 && operand < argc)
        operand =
            weir_fault_set(&fault, -EINVAL, "'%s': serve takes options only; see weir serve --help",
                           argv[operand]);
    else if (operand >= 0 && prompt.json)
        operand =
            weir_fault_set(&fault, -EINVAL, "--json: serve answers JSON at /api/v2/summary.json");
    if (operand >= 0 && operand != WEIR_CONFIG_HELP) operand = serve_site(&serve, &prompt, &fault);
    if (operand < 0) code = weir_prompt_fail(&fault, operand);
    weir_prompt_deinit(&prompt);
    return code;
}
