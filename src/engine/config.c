/* Options as rows. A row says the name, what it takes and what it means, and holds the function
 * that reads a text into the configuration. The command line (getopt_long) and the configuration
 * file (libcyaml, the same names as keys, `detect:` beside them) both go through the rows, so that
 * a value is checked by one piece of code.
 */
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
#include "base/printable.h"
#include "engine/asn.h"
#include "engine/budget.h"
#include "engine/config.h"
#include "publish/redis_url.h"

typedef int (*option_reader)(struct weir_config *config, const char *text,
                             struct weir_fault *fault);

struct option_row {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* NULL: a switch */
    bool repeatable;
    bool command_line_only;
    option_reader read;
    const char *help;  /* NULL: another spelling, not listed */
    unsigned commands; /* enum weir_config_command bits; 0: all */
};

static int text_copy(const char **target, const char *text) {
    char *copy = strdup(text);
    if (!copy) return -ENOMEM;
    free((char *)*target);
    *target = copy;
    return 0;
}

static int read_site(struct weir_config *config, const char *text, struct weir_fault *fault) {
    if (!*text || strlen(text) > 128 || strpbrk(text, "{} \t\r\n") || !weir_is_printable(text))
        return weir_fault_set(
            fault, -EINVAL, "--site '%s': 1 to 128 printable characters without spaces and braces",
            text);
    return text_copy(&config->site, text);
}

static int read_json(struct weir_config *config, const char *text, struct weir_fault *fault) {
    config->json = true;
    return 0;
}

static int read_records(struct weir_config *config, const char *text, struct weir_fault *fault) {
    unsigned mask = 0;
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",");
        int type = weir_record_type_parse(at, length);
        if (type < 0)
            return weir_fault_set(
                fault, -EINVAL,
                "--records '%.*s': use flow, window, service, session, incident, capture",
                (int)length, at);
        mask |= 1u << type;
        at += length + (at[length] == ',');
    }
    if (!mask) return weir_fault_set(fault, -EINVAL, "--records: name at least one type");
    config->records = mask;
    config->records_set = true;
    return 0;
}

static int read_number(const char *name, const char *text, unsigned long min, unsigned long max,
                       unsigned long *ret, struct weir_fault *fault) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || *text < '0' || *text > '9' || *end || value < min || value > max)
        return weir_fault_set(fault, -EINVAL, "--%s '%s': a whole number from %lu to %lu", name,
                              text, min, max);
    *ret = value;
    return 0;
}

static int read_redis(struct weir_config *config, const char *text, struct weir_fault *fault) {
    return text_copy(&config->redis, text);
}

/* Read at once, with the rights of who started weir; and again, if those still allow it, before
 * each connection. */
static int read_redis_password_file(struct weir_config *config, const char *text,
                                    struct weir_fault *fault) {
    struct weir_redis_url url;
    int error = weir_redis_password_read(&url, text, fault);
    if (!error) error = text_copy(&config->redis_password_file, text);
    return error ? error : text_copy(&config->redis_password, url.password);
}

static int read_redis_queue(struct weir_config *config, const char *text,
                            struct weir_fault *fault) {
    unsigned long value = 0;
    int error = read_number("redis-queue", text, 1, 4096, &value, fault);
    if (!error) config->redis_queue_bytes = (size_t)value << 20;
    return error;
}

static int read_redis_windows(struct weir_config *config, const char *text,
                              struct weir_fault *fault) {
    unsigned long value = 0;
    int error = read_number("redis-windows", text, 10, 10000000, &value, fault);
    if (!error) config->redis_windows = (int64_t)value;
    return error;
}

static int read_redis_wait(struct weir_config *config, const char *text, struct weir_fault *fault) {
    unsigned long value = 0;
    int error = read_number("redis-wait", text, 1, 86400, &value, fault);
    if (!error) config->redis_wait_s = (int64_t)value;
    return error;
}

static int read_local(struct weir_config *config, const char *text, struct weir_fault *fault) {
    if (config->n_local == WEIR_LOCAL_MAX)
        return weir_fault_set(fault, -EINVAL, "--local: at most %d prefixes", WEIR_LOCAL_MAX);
    if (weir_cidr_parse(text, &config->local[config->n_local]) < 0)
        return weir_fault_set(fault, -EINVAL,
                              "--local '%s': not a prefix such as 192.168.0.0/16 or 2001:db8::/32",
                              text);
    config->n_local++;
    return 0;
}

static int read_region(struct weir_config *config, const char *text, struct weir_fault *fault) {
    char prefix[64];
    const char *equals = strchr(text, '=');
    struct weir_detect_region *region = &config->regions[config->n_regions];
    size_t length = equals ? strlen(equals + 1) : 0;
    if (config->n_regions == WEIR_LOCAL_MAX)
        return weir_fault_set(fault, -EINVAL, "--regions: at most %d prefixes", WEIR_LOCAL_MAX);
    if (length < 1 || length >= sizeof region->name || (size_t)(equals - text) >= sizeof prefix)
        return weir_fault_set(
            fault, -EINVAL,
            "--regions '%s': a client prefix and a name of 1 to %zu characters, such as 10.1.0.0/16=west",
            text, sizeof region->name - 1);
    snprintf(prefix, sizeof prefix, "%.*s", (int)(equals - text), text);
    for (const char *at = equals + 1; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return weir_fault_set(fault, -EINVAL,
                                  "--regions: the name of %s holds a control character", prefix);
    if (weir_cidr_parse(prefix, &region->prefix) < 0)
        return weir_fault_set(fault, -EINVAL,
                              "--regions '%s': not a prefix such as 10.1.0.0/16 or 2001:db8::/32",
                              prefix);
    snprintf(region->name, sizeof region->name, "%s", equals + 1);
    config->n_regions++;
    return 0;
}

/* Opened at once, with the rights of who started weir; on SIGHUP a newer file is. */
static int read_asn_db(struct weir_config *config, const char *text, struct weir_fault *fault) {
    struct weir_asn *asn;
    int error = weir_asn_open(&asn, text, fault);
    if (error) return error;
    weir_asn_free(config->asn);
    config->asn = asn;
    return text_copy(&config->asn_path, text);
}

static int read_maintenance(struct weir_config *config, const char *text,
                            struct weir_fault *fault) {
    if (config->n_maintenance == WEIR_LOCAL_MAX)
        return weir_fault_set(fault, -EINVAL, "maintenance: at most %d windows", WEIR_LOCAL_MAX);
    int error = weir_maintenance_parse(text, &config->maintenance[config->n_maintenance], fault);
    config->n_maintenance += error == 0;
    return error;
}

static int read_host(struct weir_config *config, const char *text, struct weir_fault *fault) {
    char address[64];
    struct weir_addr addr;
    const char *equals = strchr(text, '=');
    if (config->n_hosts == WEIR_CONFIG_HOSTS_MAX)
        return weir_fault_set(fault, -EINVAL, "hosts: at most %d of them", WEIR_CONFIG_HOSTS_MAX);
    snprintf(address, sizeof address, "%.*s", equals ? (int)(equals - text) : 0, text);
    if (!equals || !equals[1] || weir_addr_parse(address, &addr) < 0)
        return weir_fault_set(fault, -EINVAL,
                              "hosts: '%s': an address and a name, such as 192.168.1.7=tv", text);
    return text_copy(&config->hosts[config->n_hosts++], text);
}

static int read_to(struct weir_config *config, const char *text, struct weir_fault *fault) {
    if (config->n_to == WEIR_LOCAL_MAX)
        return weir_fault_set(fault, -EINVAL, "to: at most %d targets", WEIR_LOCAL_MAX);
    return text_copy(&config->to[config->n_to++], text);
}

static int read_filter(struct weir_config *config, const char *text, struct weir_fault *fault) {
    return text_copy(&config->filter, text);
}

static int read_signatures(struct weir_config *config, const char *text, struct weir_fault *fault) {
    return text_copy(&config->signatures, text);
}

static int read_workers(struct weir_config *config, const char *text, struct weir_fault *fault) {
    unsigned long value = 0;
    int error = read_number("workers", text, 1, 64, &value, fault);
    if (!error) config->workers = (unsigned)value;
    return error;
}

static int read_memory(struct weir_config *config, const char *text, struct weir_fault *fault) {
    unsigned long value = 0;
    int error = read_number("memory", text, 16, 1 << 20, &value, fault);
    if (!error) config->memory_bytes = (size_t)value << 20;
    return error;
}

static int read_clients(struct weir_config *config, const char *text, struct weir_fault *fault) {
    static const char *const names[] = {"plain", "pseudonym", "none"};
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            config->clients = (enum weir_clients_mode)i;
            config->clients_set = true;
            return 0;
        }
    return weir_fault_set(fault, -EINVAL, "--clients '%s': use plain, pseudonym or none", text);
}

static int read_key_file(struct weir_config *config, const char *text, struct weir_fault *fault) {
    return text_copy(&config->key_file, text);
}

static int read_html(struct weir_config *config, const char *text, struct weir_fault *fault) {
    if (!*text) return weir_fault_set(fault, -EINVAL, "--html: name the file to write");
    return text_copy(&config->html, text);
}

static int read_state(struct weir_config *config, const char *text, struct weir_fault *fault) {
    return text_copy(&config->state, text);
}

/* 64MiB, 0; a number alone is in MiB. */
static int read_evidence_size(struct weir_config *config, const char *text,
                              struct weir_fault *fault) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    bool unit = !*end || strcmp(end, "MiB") == 0 || strcmp(end, "M") == 0;
    if (errno || *text < '0' || *text > '9' || !unit || (value && value < 2) || value > 65536)
        return weir_fault_set(
            fault, -EINVAL, "--evidence '%s': memory for it, from 2MiB to 65536MiB, or 0 for none",
            text);
    config->evidence_bytes = (size_t)value << 20;
    return 0;
}

static int read_evidence(struct weir_config *config, const char *text, struct weir_fault *fault) {
    if (!*text || strlen(text) > 3500)
        return weir_fault_set(fault, -EINVAL, "--evidence: name a directory");
    return text_copy(&config->evidence, text);
}

static int read_user(struct weir_config *config, const char *text, struct weir_fault *fault) {
    if (!*text) return weir_fault_set(fault, -EINVAL, "--user: give a user's name");
    return text_copy(&config->user, text);
}

static int read_quiet(struct weir_config *config, const char *text, struct weir_fault *fault) {
    config->quiet = true;
    return 0;
}

static int read_verbose(struct weir_config *config, const char *text, struct weir_fault *fault) {
    config->verbose = true;
    return 0;
}

static int read_no_colour(struct weir_config *config, const char *text, struct weir_fault *fault) {
    config->no_colour = true;
    return 0;
}

static int read_interface(struct weir_config *config, const char *text, struct weir_fault *fault) {
    if (!*text) return weir_fault_set(fault, -EINVAL, "--interface: give a name, such as eth0");
    if (config->n_interfaces == WEIR_LIVE_INTERFACES_MAX)
        return weir_fault_set(fault, -EINVAL, "--interface: at most %d of them",
                              WEIR_LIVE_INTERFACES_MAX);
    for (unsigned i = 0; i < config->n_interfaces; i++)
        if (strcmp(config->interfaces[i], text) == 0)
            return weir_fault_set(fault, -EINVAL, "--interface %s: named twice", text);
    config->n_interfaces++;
    return text_copy(&config->interfaces[config->n_interfaces - 1], text);
}

static int read_from(struct weir_config *config, const char *text, struct weir_fault *fault) {
    if (!*text) return weir_fault_set(fault, -EINVAL, "--from: give - for stdin, or a FIFO's name");
    return text_copy(&config->from, text);
}

static int read_buffer(struct weir_config *config, const char *text, struct weir_fault *fault) {
    unsigned long value = 0;
    int error = read_number("buffer", text, 1, WEIR_RING_BYTES_MAX >> 20, &value, fault);
    if (!error) config->ring_bytes = (size_t)value << 20;
    return error;
}

static int read_snaplen(struct weir_config *config, const char *text, struct weir_fault *fault) {
    unsigned long value = 0;
    int error = read_number("snaplen", text, WEIR_SNAPLEN_MIN, WEIR_SNAPLEN_MAX, &value, fault);
    if (!error) config->snaplen = (uint32_t)value;
    return error;
}

static int read_no_promiscuous(struct weir_config *config, const char *text,
                               struct weir_fault *fault) {
    config->no_promiscuous = true;
    return 0;
}

static int read_duration(struct weir_config *config, const char *text, struct weir_fault *fault) {
    unsigned long value = 0;
    int error = read_number("duration", text, 1, 1000000000, &value, fault);
    if (!error) config->duration_us = (int64_t)value * 1000000;
    return error;
}

static int read_write(struct weir_config *config, const char *text, struct weir_fault *fault) {
    if (!*text || strcmp(text, "-") == 0)
        return weir_fault_set(fault, -EINVAL, "--write '%s': give a file's name", text);
    return text_copy(&config->write, text);
}

static const struct option_row rows[] = {
    {"config", 'c', "FILE", false, true, NULL, "read these options from a YAML file first"},
    {"interface", 'i', "IFACE", true, false, read_interface,
     "where packets are captured (repeatable); any is all interfaces",
     WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
    {"from", 0, "FILE", false, true, read_from,
     "in place of an interface a capture that grows: - is stdin, as in ssh router tcpdump -U -w - | weir live --from -",
     WEIR_CONFIG_LIVE},
    {"duration", 0, "SECONDS", false, true, read_duration,
     "end by itself (default: until SIGINT or SIGTERM)", WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
    {"write", 'w', "FILE", false, true, read_write, "keep what was captured in a pcap file",
     WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
    {"buffer", 0, "MIB", false, false, read_buffer,
     "kernel's ring of each interface, 1 to 1024 MiB (default: 16; less where RAM is below 2 GiB)",
     WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
    {"snaplen", 0, "BYTES", false, false, read_snaplen,
     "most of a packet, 2048 to 262144 (default: 65535)", WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
    {"no-promiscuous", 0, NULL, false, true, read_no_promiscuous,
     "only packets from and to this machine", WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
    {"json", 0, NULL, false, true, read_json, "records as NDJSON on stdout, nothing else there"},
    {"records", 0, "TYPES", false, false, read_records,
     "flow,window,service,session,incident,capture (default: all but flow)"},
    {"html", 0, "FILE", false, true, read_html, "write the report as one page for a browser too",
     WEIR_CONFIG_REPLAY},
    {"redis", 0, "URL", false, false, read_redis,
     "publish to redis://[user:password@]host[:port][/db], unix:///path or redis+sentinel://host[,host]/master"},
    {"redis-password-file", 0, "FILE", false, false, read_redis_password_file,
     "Redis' password is its first line (else the URL's, else WEIR_REDIS_PASSWORD's)"},
    {"redis-queue", 0, "MIB", false, false, read_redis_queue,
     "windows that wait while Redis is away, 1 to 4096 MiB; the oldest are dropped (default: 16)"},
    {"redis-windows", 0, "N", false, false, read_redis_windows,
     "windows of a service that Redis keeps (default: 8640, a day)"},
    {"redis-wait", 0, "SECONDS", false, false, read_redis_wait,
     "how long the end waits for Redis to take the rest (default: replay 30, live 5)"},
    {"site", 0, "NAME", false, false, read_site,
     "name of this site in records and keys (default: host name; replay:<file>)"},
    {"local", 0, "CIDR", true, false, read_local,
     "addresses that are clients (repeatable; default: private ranges)"},
    {"regions", 0, "CIDR=NAME", true, false, read_region,
     "a name for clients of a prefix, so that an incident can say where it is (repeatable)",
     WEIR_CONFIG_REPLAY | WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
    {"asn-db", 0, "FILE", false, false, read_asn_db,
     "autonomous systems of servers: a database in MaxMind's format, such as GeoLite2-ASN"},
    {"maintenance", 0, "WINDOW", true, false, read_maintenance,
     "announced work, which alerts nobody: 'SERVICE|all FROM/UNTIL' in UTC, or every day 'all 02:00/04:00' (repeatable)",
     WEIR_CONFIG_REPLAY | WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
    {"hosts", 0, "ADDRESS=NAME", true, false, read_host,
     "what weir clients calls a device (repeatable)", WEIR_CONFIG_FILE},
    {"to", 0, "TARGET", true, false, read_to,
     "whom weir notify tells (repeatable); see weir notify --help", WEIR_CONFIG_FILE},
    {"filter", 0, "BPF", false, false, read_filter,
     "only packets that match this libpcap expression"},
    {"signatures", 0, "DIR", false, false, read_signatures,
     "services' signatures (default: the ones shipped)"},
    {"workers", 'j', "N", false, false, read_workers,
     "packet workers, 1 to 64 (default: 1); any number gives the same output"},
    {"memory", 0, "MIB", false, false, read_memory,
     "bound for flow tables in MiB (default: 512; live: less where RAM is below 4 GiB); below 256 all other tables shrink with it"},
    {"clients", 0, "MODE", false, false, read_clients,
     "client addresses: plain, pseudonym or none (default: plain on a terminal and NDJSON of a replay, else pseudonym)"},
    {"key-file", 0, "FILE", false, false, read_key_file,
     "key of the pseudonyms, made where there is none"},
    {"state", 0, "DIR", false, false, read_state,
     "where what outlasts a run is kept, and status.json for weir status, alerts and top"},
    {"evidence", 0, "SIZE", false, false, read_evidence_size,
     "memory for the last packets' headers, of which DIR/evidence/ID.pcapng is made (default: 64MiB, less where RAM is below 4 GiB; 0: none)",
     WEIR_CONFIG_LIVE},
    {"evidence", 0, "DIR", false, true, read_evidence,
     "write the packets that prove an incident to DIR/ID.pcapng", WEIR_CONFIG_REPLAY},
    {"user", 0, "NAME", false, false, read_user,
     "whom to become once capture is open (default: weir, else nobody), if started as root",
     WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
    {"quiet", 'q', NULL, false, true, read_quiet, "no progress bar, no word but the report"},
    {"verbose", 'v', NULL, false, true, read_verbose,
     "also how flows were named, and what could not be decoded"},
    {"no-colour", 0, NULL, false, true, read_no_colour,
     "plain text, as in a pipe or with NO_COLOR set (also --no-color)"},
    {"no-color", 0, NULL, false, true, read_no_colour, NULL},
    {"help", 'h', NULL, false, true, NULL, "show this"},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

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

static bool concerns(const struct option_row *row, enum weir_config_command command) {
    return !row->commands || (row->commands & command);
}

static void print_help(enum weir_config_command command, const char *usage) {
    weir_help_usage(usage);
    puts("\nOptions:");
    for (int i = 0; i < N_ROWS; i++)
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
    struct file_value row[N_ROWS];
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
    for (int i = 0; i < N_ROWS; i++) {
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
    cyaml_schema_field_t detect[DETECT_MAX + 1] = {0}, fields[N_ROWS + 2] = {0};
    detect_fields(detect);
    int n = 0;
    for (int i = 0; i < N_ROWS; i++)
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
    const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "", *names[N_ROWS];
    if (letter == ':') return weir_fault_set(fault, -EINVAL, "%s: needs a value; see --help", word);
    for (int i = 0; i < N_ROWS; i++) names[i] = rows[i].name;
    const char *near = strncmp(word, "--", 2) == 0 ? weir_nearest(word + 2, names, N_ROWS) : NULL;
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
    struct option options[N_ROWS + 1] = {0};
    char letters[2 * N_ROWS + 2] = ":";
    for (int i = 0, n = 0; i < N_ROWS; i++) {
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
    if (path && !error) error = text_copy(&config->path, path);
    while (!error && (letter = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        int i = 0;
        while (i < N_ROWS && letter != (rows[i].letter ? rows[i].letter : 256 + i)) i++;
        if (i == N_ROWS) return bad_option(argc, argv, letter, fault);
        if (letter == 'h') {
            print_help(command, usage);
            return WEIR_CONFIG_HELP;
        }
        if (rows[i].read) error = rows[i].read(config, optarg, fault);
        if (rows[i].read == read_redis) weir_redis_url_hide(optarg); /* ps shows the command line */
    }
    if (!error && config->records_set && !config->json && command != WEIR_CONFIG_CHECK)
        error = weir_fault_set(fault, -EINVAL,
                               "--records chooses among the records of --json, which is not given");
    return error ? error : optind;
}
