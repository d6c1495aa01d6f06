/* Options and sources of the commands at the prompt. Redis comes from --redis, else the file of
 * --config, else WEIR_REDIS; without any of them the state directory of this machine is read, so
 * that a home gateway needs no server. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/help.h"
#include "base/nearest.h"
#include "publish/redis_url.h"
#include "ui/command.h"
#include "ui/prompt.h"

enum { OPTIONS_MAX = 24, OWN = 512 };

static const struct weir_prompt_option common[] = {
    {"config", "FILE", "read redis, site and state from this YAML file"},
    {"redis", "URL",
     "read Redis: redis://[user:password@]host[:port][/db] or unix:///path. Else the environment's WEIR_REDIS is read. WEIR_REDIS_PASSWORD may hold the password"},
    {"redis-password-file", "FILE", "Redis' password is its first line"},
    {"site", "NAME", "which site of several"},
    {"state", "DIR", "without Redis: where weir live keeps status.json (default: /var/lib/weir)"},
    {"json", NULL, "JSON instead of text"},
    {"no-colour", NULL, "plain text, as in a pipe or with NO_COLOR set (also --no-color)"},
    {"no-color", NULL, NULL},
    {"help", NULL, "show this"},
};
enum { CONFIG, REDIS, PASSWORD, SITE, STATE, JSON, NO_COLOUR, NO_COLOR, HELP, N_COMMON };

static void print_option(const struct weir_prompt_option *option) {
    if (option->help)
        weir_help_option(option == &common[0] ? 'c' : 0, option->name, option->argument,
                         option->help);
}

static void print_help(const char *usage, const struct weir_prompt_option *own) {
    weir_help_usage(usage);
    puts("\nOptions:");
    for (; own && own->name; own++) print_option(own);
    for (int i = 0; i < N_COMMON; i++) print_option(&common[i]);
}

static int bad_option(const char *word, const char *command, const struct weir_prompt_option *own,
                      struct weir_fault *fault) {
    const char *names[OPTIONS_MAX];
    size_t n = 0;
    for (; own && own->name && n < OPTIONS_MAX - N_COMMON; own++) names[n++] = own->name;
    for (int i = 0; i < N_COMMON; i++) names[n++] = common[i].name;
    const char *near = strncmp(word, "--", 2) == 0 ? weir_nearest(word + 2, names, n) : NULL;
    return weir_fault_set(fault, -EINVAL, "%s: no such option;%s%s%s see weir %s --help", word,
                          near ? " did you mean --" : "", near ? near : "", near ? "?" : "",
                          command);
}

static void fill(struct option *option, const struct weir_prompt_option *from, int value) {
    *option =
        (struct option){from->name, from->argument ? required_argument : no_argument, NULL, value};
}

static int load_config(struct weir_prompt *prompt, const char *path, struct weir_fault *fault) {
    int error = weir_config_load(&prompt->config, path, fault);
    prompt->redis = prompt->redis ? prompt->redis : prompt->config.redis;
    prompt->site = prompt->site ? prompt->site : prompt->config.site;
    prompt->state = prompt->state ? prompt->state : prompt->config.state;
    return error;
}

int weir_prompt_parse(struct weir_prompt *prompt, int argc, char **argv, const char *usage,
                      const struct weir_prompt_option *own, void *context,
                      struct weir_fault *fault) {
    struct option options[OPTIONS_MAX] = {0};
    const char *config = NULL;
    char *text_of_url;
    int n = 0, letter, error = 0;
    *prompt = (struct weir_prompt){0};
    weir_config_init(&prompt->config);
    for (int i = 0; i < N_COMMON; i++) fill(&options[n++], &common[i], 256 + i);
    for (int i = 0; own && own[i].name && n < OPTIONS_MAX - 1; i++)
        fill(&options[n++], &own[i], OWN + i);
    opterr = 0;
    optind = 1;
    while (!error && (letter = getopt_long(argc, argv, ":hc:", options, NULL)) != -1) {
        switch (letter) {
        case 'c':
        case 256 + CONFIG: config = optarg; break;
        case 256 + REDIS:
            text_of_url = strdup(optarg); /* the command line, which ps shows, keeps no password */
            free(prompt->own_redis);
            prompt->redis = prompt->own_redis = text_of_url;
            weir_redis_url_hide(optarg);
            break;
        case 256 + PASSWORD:
            free((char *)prompt->config.redis_password_file);
            prompt->config.redis_password_file = strdup(optarg);
            break;
        case 256 + SITE: prompt->site = optarg; break;
        case 256 + STATE: prompt->state = optarg; break;
        case 256 + JSON: prompt->json = true; break;
        case 256 + NO_COLOUR:
        case 256 + NO_COLOR:
            prompt->no_colour = true;
            setenv("NO_COLOR", "1", 1); /* what is logged has none either */
            break;
        case 256 + HELP:
        case 'h': print_help(usage, own); return WEIR_CONFIG_HELP;
        case ':':
            return weir_fault_set(fault, -EINVAL, "%s: needs a value; see weir %s --help",
                                  argv[optind - 1], argv[0]);
        case '?': return bad_option(argv[optind - 1], argv[0], own, fault);
        default: error = own[letter - OWN].read(context, optarg, fault);
        }
    }
    if (!error && config) error = load_config(prompt, config, fault);
    return error ? error : optind;
}

void weir_prompt_deinit(struct weir_prompt *prompt) {
    free(prompt->own_redis);
    weir_config_deinit(&prompt->config);
}

const char *weir_prompt_redis(const struct weir_prompt *prompt) {
    const char *environment = getenv("WEIR_REDIS");
    return prompt->redis ? prompt->redis : environment && *environment ? environment : NULL;
}

int weir_prompt_open(const struct weir_prompt *prompt, struct weir_view_source **ret_source,
                     struct weir_fault *fault) {
    const struct weir_view_where where = {
        .redis = prompt->redis || !prompt->state ? weir_prompt_redis(prompt) : NULL,
        .password_file = prompt->config.redis_password_file,
        .state = weir_state_path(prompt->state, R_OK),
        .site = prompt->site};
    if (!where.redis && !where.state) return weir_state_absent("status.json", fault);
    return weir_view_source_new(ret_source, &where, fault);
}

int64_t weir_prompt_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool weir_prompt_colour(const struct weir_prompt *prompt) {
    return weir_terminal_colour(prompt->no_colour);
}

int weir_prompt_fail(const struct weir_fault *fault, int error) {
    return weir_complain(fault, error,
                         error == -ENOENT || error == -EINVAL ? WEIR_EXIT_USAGE : WEIR_EXIT_FAILED);
}
