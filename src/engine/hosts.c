/* Names that devices give themselves.
 *
 * - A DHCP request: option 12 (host name), for the address that is asked for (option 50) or
 *   renewed (ciaddr).
 * - A DHCP answer: option 12, where the server repeats it, for the address that it gives (yiaddr).
 * - An mDNS answer: A and AAAA records of NAME.local, if the address is the sender's own: nobody
 *   names another.
 *
 * What a device says of itself may be anything: it is cut to printable ASCII, and shown to people
 * only. The table is bounded; the name that was heard longest ago makes room.
 */
#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/private_file.h"
#include "base/untrusted_json.h"
#include "engine/hosts.h"

struct host {
    struct weir_addr addr;
    uint64_t heard; /* 0: unused */
    bool by_mdns;
    char name[WEIR_HOST_NAME_MAX];
};

struct weir_hosts {
    pthread_mutex_t lock; /* names are rare */
    uint64_t n_heard;
    size_t n;
    bool changed;
    struct host hosts[WEIR_HOSTS_MAX];
};

struct weir_hosts *weir_hosts_new(void) {
    struct weir_hosts *hosts = calloc(1, sizeof *hosts);
    if (hosts) pthread_mutex_init(&hosts->lock, NULL);
    return hosts;
}

void weir_hosts_free(struct weir_hosts *hosts) {
    if (hosts) pthread_mutex_destroy(&hosts->lock);
    free(hosts);
}

/* ---- the table ---- */

static struct host *find(struct weir_hosts *hosts, const struct weir_addr *addr) {
    for (size_t i = 0; i < hosts->n; i++)
        if (weir_addr_compare(&hosts->hosts[i].addr, addr) == 0) return &hosts->hosts[i];
    return NULL;
}

static struct host *room(struct weir_hosts *hosts) {
    if (hosts->n < WEIR_HOSTS_MAX) return &hosts->hosts[hosts->n++];
    struct host *oldest = &hosts->hosts[0];
    for (size_t i = 1; i < hosts->n; i++)
        if (hosts->hosts[i].heard < oldest->heard) oldest = &hosts->hosts[i];
    return oldest;
}

static size_t printable(char name[WEIR_HOST_NAME_MAX], const uint8_t *bytes, size_t n) {
    size_t used = 0;
    for (size_t i = 0; i < n && used + 1 < WEIR_HOST_NAME_MAX; i++)
        if (bytes[i] > ' ' && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\' &&
            bytes[i] != '<')
            name[used++] = (char)bytes[i];
        else if (bytes[i] == ' ' && used)
            name[used++] = ' ';
    name[used] = '\0';
    return used;
}

static void learn(struct weir_hosts *hosts, const struct weir_addr *addr, const uint8_t *bytes,
                  size_t n, bool by_mdns) {
    char name[WEIR_HOST_NAME_MAX];
    if (!weir_addr_is_local(addr) || weir_addr_is_group(addr) || !printable(name, bytes, n)) return;
    pthread_mutex_lock(&hosts->lock);
    struct host *host = find(hosts, addr);
    if (!host) {
        host = room(hosts);
        *host = (struct host){.addr = *addr};
    }
    if (strcmp(host->name, name) != 0 &&
        (!by_mdns || !host->name[0] || host->by_mdns)) { /* what it told the router stays */
        strcpy(host->name, name);
        host->by_mdns = by_mdns;
        hosts->changed = true;
    }
    host->heard = ++hosts->n_heard;
    pthread_mutex_unlock(&hosts->lock);
}

const char *weir_hosts_name(struct weir_hosts *hosts, const struct weir_addr *addr, char *name) {
    pthread_mutex_lock(&hosts->lock);
    const struct host *host = find(hosts, addr);
    if (host) strcpy(name, host->name);
    pthread_mutex_unlock(&hosts->lock);
    return host ? name : NULL;
}

/* ---- DHCP (RFC 2131, 2132) ---- */

static struct weir_addr v4(const uint8_t *bytes) {
    struct weir_addr addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    memcpy(addr.bytes + 12, bytes, 4);
    return addr;
}

static void take_dhcp(struct weir_hosts *hosts, const uint8_t *bytes, size_t n) {
    enum {
        OPTIONS = 240,
        REQUEST = 3,
        ACK = 5,
        PAD = 0,
        NAME = 12,
        WANTED = 50,
        TYPE = 53,
        END = 255
    };
    static const uint8_t magic[4] = {99, 130, 83, 99};
    const uint8_t *name = NULL, *wanted = NULL;
    size_t name_length = 0, at = OPTIONS;
    uint8_t type = 0;
    if (n < OPTIONS || memcmp(bytes + OPTIONS - 4, magic, 4) != 0) return;
    while (at < n && bytes[at] != END) {
        if (bytes[at] == PAD) {
            at++;
            continue;
        }
        if (at + 2 > n || at + 2 + bytes[at + 1] > n) return;
        uint8_t length = bytes[at + 1];
        if (bytes[at] == NAME) {
            name = bytes + at + 2;
            name_length = length;
        } else if (bytes[at] == WANTED && length == 4)
            wanted = bytes + at + 2;
        else if (bytes[at] == TYPE && length == 1)
            type = bytes[at + 2];
        at += 2 + (size_t)length;
    }
    const uint8_t *address = bytes[0] == 1 && type == REQUEST ? (wanted ? wanted : bytes + 12)
                             : bytes[0] == 2 && type == ACK   ? bytes + 16
                                                              : NULL;
    if (name && address) {
        struct weir_addr addr = v4(address);
        learn(hosts, &addr, name, name_length, false);
    }
}

/* ---- mDNS (RFC 6762) ---- */

/* Passes a name at `at`; its first label is told, through one pointer at the most. Returns where
 * it ends, or 0. */
static size_t pass_name(const uint8_t *bytes, size_t n, size_t at, const uint8_t **ret_label,
                        size_t *ret_length) {
    size_t end = 0;
    *ret_length = 0;
    for (int labels = 0; at < n && labels < 64; labels++) {
        uint8_t length = bytes[at];
        if (length >= 0xc0) {
            if (at + 2 > n) return 0;
            end = end ? end : at + 2;
            size_t to = (size_t)(length & 0x3f) << 8 | bytes[at + 1];
            if (*ret_length || to >= at) /* the label is known; or a pointer that leads nowhere */
                return *ret_length ? end : 0;
            at = to;
            continue;
        }
        if (length >= 0x40 || at + 1 + length > n) return 0;
        if (length && !*ret_length) {
            *ret_label = bytes + at + 1;
            *ret_length = length;
        }
        at += 1 + (size_t)length;
        if (!length) return end ? end : at;
    }
    return 0;
}

static void take_mdns(struct weir_hosts *hosts, const struct weir_packet *packet) {
    const uint8_t *bytes = packet->payload, *label = NULL;
    size_t n = packet->payload_captured, at = 12, length;
    if (n < 12 || !(bytes[2] & 0x80)) return;
    unsigned questions = (unsigned)bytes[4] << 8 | bytes[5];
    unsigned records = ((unsigned)bytes[6] << 8 | bytes[7]) + ((unsigned)bytes[8] << 8 | bytes[9]) +
                       ((unsigned)bytes[10] << 8 | bytes[11]);
    for (unsigned i = 0; i < questions && i < 16; i++)
        if (!(at = pass_name(bytes, n, at, &label, &length)) || (at += 4) > n) return;
    for (unsigned i = 0; i < records && i < 64; i++) {
        if (!(at = pass_name(bytes, n, at, &label, &length)) || at + 10 > n) return;
        unsigned type = (unsigned)bytes[at] << 8 | bytes[at + 1],
                 size = (unsigned)bytes[at + 8] << 8 | bytes[at + 9];
        at += 10;
        if (at + size > n) return;
        struct weir_addr addr = {0};
        if (type == 1 && size == 4)
            addr = v4(bytes + at);
        else if (type == 28 && size == 16)
            memcpy(addr.bytes, bytes + at, 16);
        if (length && weir_addr_compare(&addr, &packet->src) == 0)
            learn(hosts, &addr, label, length, true);
        at += size;
    }
}

void weir_hosts_take(struct weir_hosts *hosts, const struct weir_packet *packet) {
    if (packet->src_port == 5353)
        take_mdns(hosts, packet);
    else
        take_dhcp(hosts, packet->payload, packet->payload_captured);
}

/* ---- the file ---- */

struct hosts_sink {
    const struct weir_publish_context *context;
    struct weir_hosts *hosts;
    bool complained;
    char path[4096];
};

static struct json_object *whole(const struct hosts_sink *sink) {
    struct json_object *object = json_object_new_object(), *names = json_object_new_object();
    for (size_t i = 0; i < sink->hosts->n; i++) {
        char text[WEIR_ADDR_TEXT_MAX];
        weir_addr_text(&sink->hosts->hosts[i].addr, text);
        json_object_object_add(names, text, json_object_new_string(sink->hosts->hosts[i].name));
    }
    json_object_object_add(object, "weir", json_object_new_int(1));
    json_object_object_add(object, "type", json_object_new_string("clients"));
    json_object_object_add(object, "site", json_object_new_string(sink->context->site));
    json_object_object_add(object, "names", names);
    return object;
}

static int hosts_record(void *state, const struct weir_record *record, struct weir_fault *fault) {
    return 0;
}

static int hosts_flush(void *state, struct weir_fault *fault) {
    struct hosts_sink *sink = state;
    pthread_mutex_lock(&sink->hosts->lock);
    struct json_object *object = sink->hosts->changed ? whole(sink) : NULL;
    sink->hosts->changed = false;
    pthread_mutex_unlock(&sink->hosts->lock);
    if (!object) return 0;
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
    const struct weir_piece piece = {text, strlen(text)};
    int error = weir_private_replace(sink->path, 0644, false, &piece, 1);
    if (error && !sink->complained)
        weir_log(WEIR_LOG_WARNING, "%s cannot be written: %s; weir clients shows addresses only",
                 sink->path, weir_private_error(error));
    sink->complained = error != 0;
    json_object_put(object);
    return 0;
}

static void hosts_free(void *state) { free(state); }

/* What earlier runs heard. */
static void inherit(struct hosts_sink *sink) {
    struct json_object *object = weir_untrusted_json_file(sink->path, WEIR_HOSTS_BYTES_MAX), *names;
    if (object && json_object_object_get_ex(object, "names", &names) &&
        json_object_is_type(names, json_type_object)) {
        struct json_object_iter at;
        json_object_object_foreachC(names, at) {
            struct weir_addr addr;
            const char *name = weir_untrusted_text(at.val);
            if (*name && weir_addr_parse(at.key, &addr) == 0)
                learn(sink->hosts, &addr, (const uint8_t *)name, strlen(name), true);
        }
    }
    json_object_put(object);
    sink->hosts->changed = false;
}

int weir_sink_hosts_new(void **ret_state, const struct weir_publish_context *context,
                        struct weir_hosts *hosts, const char *directory) {
    struct hosts_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return -ENOMEM;
    sink->context = context;
    sink->hosts = hosts;
    snprintf(sink->path, sizeof sink->path, "%.4000s/" WEIR_HOSTS_FILE, directory);
    inherit(sink);
    *ret_state = sink;
    return 0;
}

const struct weir_sink weir_sink_hosts = {.name = "hosts",
                                          .help = "names that devices give themselves",
                                          .record = hosts_record,
                                          .flush = hosts_flush,
                                          .free = hosts_free};
