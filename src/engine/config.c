/* The command line (getopt_long) and the configuration file (libcyaml, the same names as keys,
 * `detect:` beside them): both go through the rows of config_options.c. */
#include <assert.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/capture.h>

#include "base/help.h"
#include "base/nearest.h"
#include "engine/asn.h"
#include "engine/budget.h"
#include "engine/config_options.h"
#include "publish/redis_url.h"

enum { MOST = WEIR_CONFIG_OPTIONS_MAX };
static const struct weir_config_option *const rows = weir_config_options;

void weir_config_init(struct weir_config *config) {
    *config = (struct weir_config){
        .records = ((1u << WEIR_RECORD_N) - 1) & ~(1u << WEIR_RECORD_FLOW),
        .workers = 1,
        .memory_bytes = (size_t)512 << 20,
        .redis_windows = 8640,
        .snaplen = 65535,
        .ring_bytes = (size_t)64 << 20,
        .evidence_bytes = (size_t)64 << 20,
    };
    weir_detect_config_default(&config->detect);
}

void weir_config_deinit(struct weir_config *config) {
    free((char *)config->site);
    free((char *)config->asn_path);
    free((char *)config->path);
    free((char *)config->redis);
    free((char *)config->redis_password);
    free((char *)config->redis_password_file);
    weir_asn_free(config->asn);
    for (size_t i = 0; i < config->n_hosts; i++) free((char *)config->hosts[i]);
    for (size_t i = 0; i < config->n_to; i++) free((char *)config->to[i]);
    free((char *)config->filter);
    free((char *)config->signatures);
    free((char *)config->key_file);
    free((char *)config->html);
    free((char *)config->state);
    free((char *)config->evidence);
    free((char *)config->user);
    for (unsigned i = 0; i < config->n_interfaces; i++) free((char *)config->interfaces[i]);
    free((char *)config->write);
    free((char *)config->from);
    *config = (struct weir_config){0};
}

static bool concerns(const struct weir_config_option *row, enum weir_config_command command) {
    return !row->commands || (row->commands & command);
}

static void print_help(enum weir_config_command command, const char *usage) {
    weir_help_usage(usage);
    puts("\nOptions:");
    for (int i = 0; i < weir_config_n_options; i++)
        if (rows[i].help && concerns(&rows[i], command))
            weir_help_option(rows[i].letter, rows[i].name, rows[i].argument, rows[i].help);
}

/* ---- the configuration file ---- */

/* What libcyaml gives: each key's text, or texts, in the order of the rows; and detect's, in the
 * order of its options. */
enum { DETECT_MAX = 64 };
struct file_value {
    char *text;   /* of a key that takes one value */
    char **texts; /* of a repeatable key */
    unsigned n_texts;
};
struct file_values {
    struct file_value row[MOST];
    struct {
        char *text[DETECT_MAX];
    } * detect;
};

/* libcyaml tells where an error was by log lines; the useful ones are joined. */
static void collect_line(cyaml_log_t level, void *context, const char *format, va_list args) {
    struct weir_fault *fault = context;
    size_t used = strlen(fault->text);
    if (level < CYAML_LOG_ERROR || used + 2 >= sizeof fault->text) return;
    char line[256];
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = '\0';
    snprintf(fault->text + used, sizeof fault->text - used, "%s%s", used ? "; " : "", line);
}

static int load_detect(struct weir_config *config, const struct file_values *values,
                       const char *path, struct weir_fault *fault) {
    size_t n;
    const struct weir_detect_option *options = weir_detect_options(&n);
    for (size_t i = 0; values->detect && i < n; i++) {
        const char *text = values->detect->text[i];
        char *end;
        if (!text) continue;
        double value = strtod(text, &end);
        if (!*text || *end || weir_detect_config_set(&config->detect, options[i].name, value) < 0)
            return weir_fault_set(
                fault, -EINVAL, "%s: detect: %s '%s': a number from %g to %g (%s)", path,
                options[i].name, text, options[i].min, options[i].max, options[i].unit);
    }
    return 0;
}

static int load_rows(struct weir_config *config, const struct file_values *values, const char *path,
                     struct weir_fault *fault) {
    for (int i = 0; i < weir_config_n_options; i++) {
        const struct file_value *value = &values->row[i];
        for (unsigned n = 0; n < (value->text ? 1 : value->n_texts); n++) {
            struct weir_fault inner = {0};
            int error = rows[i].read(config, value->text ? value->text : value->texts[n], &inner);
            if (error) return weir_fault_set(fault, error, "%s: %s", path, inner.text);
        }
    }
    return load_detect(config, values, path, fault);
}

/* The schemas are made of the rows, so that file and command line cannot part. */
static const cyaml_schema_value_t entry_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 512)};

static cyaml_schema_field_t text_field(const char *key, size_t offset) {
    return (cyaml_schema_field_t){.key = key,
                                  .data_offset = (uint32_t)offset,
                                  .value = {.type = CYAML_STRING,
                                            .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                                            .data_size = sizeof(char),
                                            .string = {.min = 0, .max = 512}}};
}

static cyaml_schema_field_t list_field(const char *key, size_t offset, size_t count_offset) {
    return (cyaml_schema_field_t){
        .key = key,
        .data_offset = (uint32_t)offset,
        .count_offset = (uint32_t)count_offset,
        .count_size = sizeof(unsigned),
        .value = {.type = CYAML_SEQUENCE,
                  .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                  .data_size = sizeof(char *),
                  .sequence = {.min = 0, .max = WEIR_LOCAL_MAX, .entry = &entry_schema}}};
}

static void detect_fields(cyaml_schema_field_t fields[DETECT_MAX + 1]) {
    size_t n;
    const struct weir_detect_option *options = weir_detect_options(&n);
    assert(n <= DETECT_MAX);
    for (size_t i = 0; i < n; i++) fields[i] = text_field(options[i].name, i * sizeof(char *));
}

int weir_config_load(struct weir_config *config, const char *path, struct weir_fault *fault) {
    cyaml_schema_field_t detect[DETECT_MAX + 1] = {0}, fields[MOST + 2] = {0};
    detect_fields(detect);
    int n = 0;
    for (int i = 0; i < weir_config_n_options; i++)
        if (!rows[i].command_line_only) {
            size_t base = offsetof(struct file_values, row) + (size_t)i * sizeof(struct file_value);
            fields[n++] = rows[i].repeatable
                              ? list_field(rows[i].name, base + offsetof(struct file_value, texts),
                                           base + offsetof(struct file_value, n_texts))
                              : text_field(rows[i].name, base + offsetof(struct file_value, text));
        }
    fields[n++] =
        (cyaml_schema_field_t){.key = "detect",
                               .data_offset = offsetof(struct file_values, detect),
                               .value = {.type = CYAML_MAPPING,
                                         .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                                         .data_size = sizeof *((struct file_values *)0)->detect,
                                         .mapping = {.fields = detect}}};
    const cyaml_schema_value_t top = {
        CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_values, fields)};

    struct weir_fault log = {0};
    const cyaml_config_t how = {.log_fn = collect_line,
                                .log_ctx = &log,
                                .mem_fn = cyaml_mem,
                                .log_level = CYAML_LOG_ERROR,
                                .flags = CYAML_CFG_DEFAULT};
    struct file_values *values = NULL;
    cyaml_err_t failed = cyaml_load_file(path, &how, &top, (cyaml_data_t **)&values, NULL);
    if (failed != CYAML_OK)
        return weir_fault_set(fault, -EINVAL, "%s: %s%s%.300s", path, cyaml_strerror(failed),
                              log.text[0] ? ": " : "", log.text);
    int error = values ? load_rows(config, values, path, fault) : 0;
    cyaml_free(&how, &top, values, 0);
    return error;
}

/* ---- the command line ---- */

static int find_config_file(int argc, char **argv, const struct option *options,
                            const char *letters, const char **ret_path) {
    int letter, index;
    opterr = 0;
    optind = 1;
    while ((letter = getopt_long(argc, argv, letters, options, &index)) != -1)
        if (letter == 'c') *ret_path = optarg;
    optind = 1;
    return 0;
}

static int bad_option(int argc, char **argv, int letter, struct weir_fault *fault) {
    const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "", *names[MOST];
    if (letter == ':') return weir_fault_set(fault, -EINVAL, "%s: needs a value; see --help", word);
    for (int i = 0; i < weir_config_n_options; i++) names[i] = rows[i].name;
    const char *near =
        strncmp(word, "--", 2) == 0 ? weir_nearest(word + 2, names, weir_config_n_options) : NULL;
    return near ? weir_fault_set(fault, -EINVAL,
                                 "%s: no such option; did you mean --%s? See --help", word, near)
                : weir_fault_set(fault, -EINVAL, "%s: no such option; see --help", word);
}

static void take_budget(struct weir_config *config) {
    struct weir_budget budget = weir_budget_of(weir_budget_ram());
    config->memory_bytes = budget.memory;
    config->ring_bytes = budget.ring;
    config->evidence_bytes = budget.evidence;
}

int weir_config_parse(struct weir_config *config, enum weir_config_command command, int argc,
                      char **argv, const char *usage, struct weir_fault *fault) {
    struct option options[MOST + 1] = {0};
    char letters[2 * MOST + 2] = ":";
    for (int i = 0, n = 0; i < weir_config_n_options; i++) {
        if (!concerns(&rows[i], command)) continue;
        options[n++] =
            (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument, NULL,
                            rows[i].letter ? rows[i].letter : 256 + i};
        if (rows[i].letter)
            snprintf(letters + strlen(letters), 3, "%c%s", rows[i].letter,
                     rows[i].argument ? ":" : "");
    }
    if (command & (WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK)) take_budget(config);
    const char *path = NULL;
    find_config_file(argc, argv, options, letters, &path);
    int error = path ? weir_config_load(config, path, fault) : 0;
    int letter;
    if (path && !error) error = (config->path = strdup(path)) ? 0 : -ENOMEM;
    while (!error && (letter = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        int i = 0;
        while (i < weir_config_n_options && letter != (rows[i].letter ? rows[i].letter : 256 + i))
            i++;
        if (i == weir_config_n_options) return bad_option(argc, argv, letter, fault);
        if (letter == 'h') {
            print_help(command, usage);
            return WEIR_CONFIG_HELP;
        }
        if (rows[i].read) error = rows[i].read(config, optarg, fault);
        if (strcmp(rows[i].name, "redis") == 0)
            weir_redis_url_hide(optarg); /* ps shows the command line */
    }
    if (!error && config->records_set && !config->json && command != WEIR_CONFIG_CHECK)
        error = weir_fault_set(fault, -EINVAL,
                               "--records chooses among the records of --json, which is not given");
    return error ? error : optind;
}
