/* Options as rows. A row says the name, what it takes and what it means, and holds the function
 * that reads a text into the configuration: a value is checked by one piece of code, wherever it
 * comes from.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/capture.h>

#include "base/printable.h"
#include "engine/asn.h"
#include "engine/config_options.h"
#include "publish/redis_url.h"

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

/* So many MiB, or fewer where a size_t holds fewer. */
static unsigned long mib_max(unsigned long max) {
    return max < SIZE_MAX >> 20 ? max : (unsigned long)(SIZE_MAX >> 20);
}

static int read_redis_queue(struct weir_config *config, const char *text,
                            struct weir_fault *fault) {
    unsigned long value = 0;
    int error = read_number("redis-queue", text, 1, mib_max(4096), &value, fault);
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
    int error = read_number("memory", text, 16, mib_max(1 << 20), &value, fault);
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
    if (errno || *text < '0' || *text > '9' || !unit || (value && value < 2) ||
        value > mib_max(65536))
        return weir_fault_set(fault, -EINVAL,
                              "--evidence '%s': memory for it, from 2MiB to %luMiB, or 0 for none",
                              text, (unsigned long)mib_max(65536));
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
    return setenv("NO_COLOR", "1", 1) < 0 ? -errno : 0; /* what is logged has none either */
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

const struct weir_config_option weir_config_options[] = {
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
     "publish to redis://[user:password@]host[:port][/db], rediss:// likewise (TLS), unix:///path or "
     "redis+sentinel://host[,host]/master"},
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
     WEIR_CONFIG_LIVE | WEIR_CONFIG_CHECK},
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
const int weir_config_n_options = sizeof weir_config_options / sizeof weir_config_options[0];
static_assert(sizeof weir_config_options / sizeof weir_config_options[0] <= WEIR_CONFIG_OPTIONS_MAX,
              "whoever reads the table has room for so many");
