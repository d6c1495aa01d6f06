/* Confinement as a command's options ask for it. A directory's name is kept for the life of the
 * process: a command confines itself once. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "publish/redis_url.h"
#include "ui/command.h"
#include "ui/confined.h"

enum { DIRECTORIES_MAX = 12 };

void weir_confinement_reads(struct weir_confinement *how, const char *file) {
    static char directories[DIRECTORIES_MAX][PATH_MAX];
    static unsigned n;
    const char *slash = file ? strrchr(file, '/') : NULL;
    if (!file || n == DIRECTORIES_MAX) return;
    char *directory = directories[n++];
    snprintf(directory, PATH_MAX, "%.*s", slash ? (int)(slash - file) + (slash == file) : 1,
             slash ? file : ".");
    weir_confine_path(how->readable, directory);
}

void weir_confinement_reads_redis(struct weir_confinement *how, const char *url,
                                  const char *password_file) {
    struct weir_redis_url parsed;
    weir_confinement_reads(how, password_file);
    if (!url || weir_redis_url_parse(&parsed, url, NULL) < 0) return;
    how->local_redis = parsed.is_unix;
    if (!parsed.tls.on) return;
    const char *const files[] = {parsed.tls.ca, parsed.tls.cert, parsed.tls.key};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i][0]) weir_confinement_reads(how, files[i]);
}

void weir_confinement_of_config(struct weir_confinement *how, const struct weir_config *config) {
    static char signatures[PATH_MAX];
    weir_confine_path(how->readable, weir_signatures_path(config->signatures, signatures));
    weir_confinement_reads(how, config->path);
    weir_confinement_reads_redis(how, config->redis, config->redis_password_file);
    weir_confinement_reads(how, config->key_file);
    weir_confinement_reads(how, config->asn_path);
    how->connects = config->redis != NULL;
}

int weir_confine_reader(const struct weir_prompt *prompt, bool full_screen,
                        struct weir_fault *fault) {
    static char signatures[PATH_MAX];
    struct weir_confinement how = {.keep_user = true,
                                   .full_screen = full_screen,
                                   .connects = weir_prompt_redis(prompt) != NULL,
                                   .state = weir_state_path(prompt->state, R_OK)};
    weir_confine_path(how.readable, weir_signatures_path(NULL, signatures));
    weir_confinement_reads_redis(&how, weir_prompt_redis(prompt),
                                 prompt->config.redis_password_file);
    return weir_confine(&how, fault);
}
