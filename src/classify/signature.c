/* A signature file: from YAML to a checked struct weir_service.
 *
 *     bytes --libcyaml, by schema--> struct document --checks--> struct weir_service
 *
 * The schema refuses what has the wrong shape: unknown keys, wrong types, too long or too many,
 * aliases. The checks refuse what has the right shape and no meaning: a host that is no host name,
 * a prefix with bits behind its length. libcyaml keeps the line only while it parses, and reports
 * an unknown key at the line before; so lines are looked up in the text, by the offending word,
 * wherever there is one.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cyaml/cyaml.h>

#include "signature.h"

struct roles {
    char **media, **control, **other;
    uint32_t media_count, control_count, other_count;
};

struct document {
    char *id, *title;
    enum weir_service_kind kind;
    struct roles hosts, prefixes;
    char **never_count, **ndpi, **cdn;
    uint32_t never_count_count, ndpi_count, cdn_count;
    uint32_t *asns;
    uint32_t asns_count;
    double segment_seconds, buffer_seconds;
};

enum { HOST_MAX = 253, LABEL_MAX = 63, NDPI_NAME_MAX = 63, PREFIX_TEXT_MAX = 49 };
enum { V4_BITS_MIN = 96 + 8, V6_BITS_MIN = 16 }; /* a wider prefix is nobody's own */

static const cyaml_strval_t kind_names[] = {
    {"vod", WEIR_KIND_VOD},
    {"live", WEIR_KIND_LIVE},
    {"audio", WEIR_KIND_AUDIO},
    {"call", WEIR_KIND_CALL},
};

static const cyaml_schema_value_t host_value = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, HOST_MAX)};
static const cyaml_schema_value_t prefix_value = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, PREFIX_TEXT_MAX)};
static const cyaml_schema_value_t ndpi_value = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, NDPI_NAME_MAX)};
static const cyaml_schema_value_t asn_value = {CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint32_t)};

/* clang-format off */
#define LIST(key, structure, member, entry, max) \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member, entry, 1, max)
/* clang-format on */

static const cyaml_schema_field_t host_fields[] = {
    LIST("media", struct roles, media, &host_value, WEIR_SIGNATURE_HOSTS_MAX),
    LIST("control", struct roles, control, &host_value, WEIR_SIGNATURE_HOSTS_MAX),
    LIST("other", struct roles, other, &host_value, WEIR_SIGNATURE_HOSTS_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t prefix_fields[] = {
    LIST("media", struct roles, media, &prefix_value, WEIR_SIGNATURE_PREFIXES_MAX),
    LIST("control", struct roles, control, &prefix_value, WEIR_SIGNATURE_PREFIXES_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t service_fields[] = {
    CYAML_FIELD_STRING_PTR("id", CYAML_FLAG_POINTER, struct document, id, 1, WEIR_SIGNATURE_ID_MAX),
    CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER, struct document, title, 1,
                           WEIR_SIGNATURE_TITLE_MAX),
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, struct document, kind, kind_names,
                     CYAML_ARRAY_LEN(kind_names)),
    LIST("ndpi", struct document, ndpi, &ndpi_value, WEIR_SIGNATURE_NDPI_MAX),
    CYAML_FIELD_MAPPING("hosts", CYAML_FLAG_DEFAULT, struct document, hosts, host_fields),
    LIST("never_count", struct document, never_count, &host_value, WEIR_SIGNATURE_NEVER_MAX),
    CYAML_FIELD_MAPPING("prefixes", CYAML_FLAG_OPTIONAL, struct document, prefixes, prefix_fields),
    LIST("asns", struct document, asns, &asn_value, WEIR_SIGNATURE_ASNS_MAX),
    CYAML_FIELD_FLOAT("segment_seconds", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct document,
                      segment_seconds),
    CYAML_FIELD_FLOAT("buffer_seconds", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct document,
                      buffer_seconds),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t cdn_fields[] = {
    CYAML_FIELD_SEQUENCE("cdn", CYAML_FLAG_POINTER, struct document, cdn, &host_value, 1,
                         WEIR_SIGNATURE_CDN_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t service_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct document, service_fields)};
static const cyaml_schema_value_t cdn_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct document, cdn_fields)};

/* What libcyaml says while it refuses a file: a message, then a backtrace from the innermost value
 * outwards. */
struct complaint {
    char message[200];
    char field[100]; /* "hosts.media" */
    unsigned line;   /* of the innermost value; 0 unknown */
};

static void complaint_add_field(struct complaint *complaint, const char *text) {
    char name[40], outer[sizeof complaint->field];
    if (sscanf(text, " in mapping field '%39[^']'", name) != 1) return;
    memcpy(outer, complaint->field, sizeof outer);
    snprintf(complaint->field, sizeof complaint->field, "%s%s%.50s", name, outer[0] ? "." : "",
             outer);
}

__attribute__((format(printf, 3, 0))) static void on_log(cyaml_log_t level, void *context,
                                                         const char *format, va_list args) {
    struct complaint *complaint = context;
    char text[256];
    if (level < CYAML_LOG_ERROR) return;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';

    const char *line = strstr(text, "(line: ");
    if (strncmp(text, "  in ", 5) == 0) {
        if (line && !complaint->line) complaint->line = (unsigned)strtoul(line + 7, NULL, 10);
        complaint_add_field(complaint, text);
    } else if (!strstr(text, "Backtrace") && !complaint->message[0]) {
        const char *start = strncmp(text, "Load: ", 6) == 0 ? text + 6 : text;
        snprintf(complaint->message, sizeof complaint->message, "%.199s", start);
    }
}

/* A file's own words come back in faults: nothing of them may steer a terminal. */
static void make_printable(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f) *text = '?';
}

static bool is_word_byte(char c) {
    return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_' || c == '/';
}

static bool is_word_at(const char *start, const char *at, size_t length, const char *end) {
    if (at > start && (is_word_byte(at[-1]) || at[-1] == ':')) return false;
    const char *next = at + length;
    if (next == end) return true;
    if (*next == ':') return next + 1 == end || next[1] == ' ';
    return !is_word_byte(*next);
}

static const char *comment_of(const char *line, const char *end) {
    for (const char *at = line; at < end; at++)
        if (*at == '#' && (at == line || at[-1] == ' ' || at[-1] == '\t')) return at;
    return end;
}

unsigned weir_signature_line(const struct weir_signature *signature, const char *word,
                             unsigned nth) {
    size_t length = strlen(word);
    const char *line = signature->text, *text_end = signature->text + signature->length;
    for (unsigned number = 1; length > 0 && line < text_end; number++) {
        const char *newline = memchr(line, '\n', (size_t)(text_end - line));
        const char *next = newline ? newline + 1 : text_end;
        const char *end = comment_of(line, newline ? newline : text_end);
        for (const char *at = line; at < end; at++) {
            at = memmem(at, (size_t)(end - at), word, length);
            if (!at) break;
            if (is_word_at(line, at, length, end) && --nth == 0) return number;
        }
        line = next;
    }
    return 0;
}

static int fault_at(const struct weir_signature *signature, struct weir_fault *fault, unsigned line,
                    const char *field, char *message) {
    make_printable(message);
    char where[32] = "";
    if (line) snprintf(where, sizeof where, "%u:", line);
    return weir_fault_set(fault, -EINVAL, "%s:%s %s%s%s", signature->path, where, field,
                          field[0] ? ": " : "", message);
}

int weir_signature_fault(const struct weir_signature *signature, struct weir_fault *fault,
                         const char *field, const char *word, unsigned nth, const char *format,
                         ...) {
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return fault_at(signature, fault, weir_signature_line(signature, word, nth), field, message);
}

/* Turns libcyaml's complaint into a fault, with the line of the key where it is the key that is
 * wrong. */
static int report(const struct weir_signature *signature, struct weir_fault *fault,
                  struct complaint *complaint, cyaml_err_t error) {
    char key[64];
    unsigned line = 0;
    if (sscanf(complaint->message, "Unexpected key: %63s", key) == 1)
        line = weir_signature_line(signature, key, 1);
    else if (sscanf(complaint->message, "Mapping field already seen: %63s", key) == 1)
        line = weir_signature_line(signature, key, 2);
    else if (strncmp(complaint->message, "Missing required", 16) == 0)
        /* libcyaml names the last key that is there */
        complaint->line = 0, complaint->field[0] = '\0';
    if (!complaint->message[0])
        snprintf(complaint->message, sizeof complaint->message, "%s", cyaml_strerror(error));
    fault_at(signature, fault, line ? line : complaint->line, complaint->field, complaint->message);
    return error == CYAML_ERR_OOM ? -ENOMEM : -EINVAL;
}

static cyaml_config_t config_of(struct complaint *complaint) {
    return (cyaml_config_t){
        .log_fn = on_log,
        .log_ctx = complaint,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS, /* an alias can make a small file a large document */
    };
}

static int parse(struct weir_signature *signature, struct weir_fault *fault) {
    struct complaint complaint = {0};
    cyaml_config_t config = config_of(&complaint);
    cyaml_data_t *document = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)signature->text, signature->length,
                                        &config, signature->schema, &document, NULL);
    if (error != CYAML_OK) return report(signature, fault, &complaint, error);
    if (!document) return weir_fault_set(fault, -EINVAL, "%s: holds nothing", signature->path);
    signature->document = document;
    return 0;
}

/* Why `host` is no host suffix; NULL when it is one. */
static const char *host_defect(const char *host) {
    size_t label = 0, labels = 1;
    for (const char *at = host; *at; at++) {
        if (*at == '.') {
            if (label == 0) return "has an empty label";
            label = 0;
            labels++;
        } else if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '-' ||
                     *at == '_')) {
            return "is no host name (a-z, 0-9, '-', '_' and '.'; no wildcard)";
        } else if (++label > LABEL_MAX) {
            return "has a label of more than 63 characters";
        }
    }
    if (label == 0) return "has an empty label";
    return labels < 2 ? "would match a whole top-level domain" : NULL;
}

static int check_hosts(const struct weir_signature *signature, const char *field, char **hosts,
                       uint32_t n_hosts, struct weir_fault *fault) {
    for (uint32_t i = 0; i < n_hosts; i++) {
        const char *defect = host_defect(hosts[i]);
        if (defect)
            return weir_signature_fault(signature, fault, field, hosts[i], 1, "'%s' %s", hosts[i],
                                        defect);
    }
    return 0;
}

static const char *id_defect(const char *id, const char *name) {
    for (const char *at = id; *at; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9')))
            return "is no service id (a-z and 0-9)";
    if (strcmp(id, "other") == 0 || strcmp(id, "none") == 0) return "is reserved";
    size_t length = strlen(id);
    if (strncmp(id, name, length) != 0 || strcmp(name + length, ".yaml") != 0)
        return "differs from the file's name";
    return NULL;
}

/* C0, DEL and, in UTF-8, C1: what a terminal obeys instead of showing. */
static bool has_control_bytes(const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0)) return true;
    return false;
}

static int take_prefixes(struct weir_signature *signature, const char *field, char **texts,
                         uint32_t n_texts, enum weir_role role, struct weir_fault *fault) {
    struct weir_service *service = &signature->service;
    for (uint32_t i = 0; i < n_texts; i++) {
        struct weir_cidr cidr;
        if (!strchr(texts[i], '/') || weir_cidr_parse(texts[i], &cidr) < 0)
            return weir_signature_fault(signature, fault, field, texts[i], 1,
                                        "'%s' is no address prefix (like 192.0.2.0/24)", texts[i]);
        char addr_text[PREFIX_TEXT_MAX + 1];
        snprintf(addr_text, sizeof addr_text, "%.*s", (int)strcspn(texts[i], "/"), texts[i]);
        struct weir_addr addr;
        if (weir_addr_parse(addr_text, &addr) < 0 || weir_addr_compare(&addr, &cidr.addr) != 0)
            return weir_signature_fault(signature, fault, field, texts[i], 1,
                                        "'%s' has address bits behind its length", texts[i]);
        if (cidr.bits < (weir_addr_is_v4(&addr) ? V4_BITS_MIN : V6_BITS_MIN))
            return weir_signature_fault(signature, fault, field, texts[i], 1, "'%s' is too wide",
                                        texts[i]);
        ((struct weir_cidr *)service->prefixes)[service->n_prefixes] = cidr;
        ((uint8_t *)service->prefix_roles)[service->n_prefixes++] = (uint8_t)role;
    }
    return 0;
}

static int take_all_prefixes(struct weir_signature *signature, struct weir_fault *fault) {
    const struct document *document = signature->document;
    const struct roles *prefixes = &document->prefixes;
    size_t n = (size_t)prefixes->media_count + prefixes->control_count;
    signature->service.prefixes = calloc(n + 1, sizeof(struct weir_cidr));
    signature->service.prefix_roles = calloc(n + 1, 1);
    if (!signature->service.prefixes || !signature->service.prefix_roles)
        return weir_fault_set(fault, -ENOMEM, "%s: out of memory", signature->path);
    int error = take_prefixes(signature, "prefixes.media", prefixes->media, prefixes->media_count,
                              WEIR_ROLE_MEDIA, fault);
    if (error < 0) return error;
    return take_prefixes(signature, "prefixes.control", prefixes->control, prefixes->control_count,
                         WEIR_ROLE_CONTROL, fault);
}

static int take_hosts(struct weir_signature *signature, struct weir_fault *fault) {
    const struct document *document = signature->document;
    const struct roles *roles = &document->hosts;
    size_t n = (size_t)roles->media_count + roles->control_count;
    if (n == 0)
        return weir_signature_fault(signature, fault, "hosts", "hosts", 1,
                                    "neither media nor control is given");
    int error = check_hosts(signature, "hosts.media", roles->media, roles->media_count, fault);
    if (error == 0)
        error =
            check_hosts(signature, "hosts.control", roles->control, roles->control_count, fault);
    if (error == 0)
        error = check_hosts(signature, "hosts.other", roles->other, roles->other_count, fault);
    if (error == 0)
        error = check_hosts(signature, "never_count", document->never_count,
                            document->never_count_count, fault);
    if (error < 0) return error;

    struct weir_service_host *hosts = calloc(n + roles->other_count, sizeof *hosts);
    if (!hosts) return weir_fault_set(fault, -ENOMEM, "%s: out of memory", signature->path);
    for (uint32_t i = 0; i < roles->media_count; i++)
        hosts[i] = (struct weir_service_host){roles->media[i], WEIR_ROLE_MEDIA};
    for (uint32_t i = 0; i < roles->control_count; i++)
        hosts[roles->media_count + i] =
            (struct weir_service_host){roles->control[i], WEIR_ROLE_CONTROL};
    for (uint32_t i = 0; i < roles->other_count; i++)
        hosts[n + i] = (struct weir_service_host){roles->other[i], WEIR_ROLE_OTHER};
    signature->service.hosts = hosts;
    signature->service.n_hosts = n + roles->other_count;
    return 0;
}

static int take_seconds(struct weir_signature *signature, const char *field, double seconds,
                        int max_s, uint32_t *ret_us, struct weir_fault *fault) {
    if (!(seconds >= 0 && seconds <= max_s))
        return weir_signature_fault(signature, fault, field, field, 1, "not within 0 and %d",
                                    max_s);
    *ret_us = (uint32_t)(seconds * 1e6 + 0.5);
    return 0;
}

static int take_numbers(struct weir_signature *signature, struct weir_fault *fault) {
    const struct document *document = signature->document;
    int error = take_seconds(signature, "segment_seconds", document->segment_seconds,
                             WEIR_SIGNATURE_SEGMENT_S_MAX, &signature->service.segment_us, fault);
    if (error == 0)
        error = take_seconds(signature, "buffer_seconds", document->buffer_seconds,
                             WEIR_SIGNATURE_BUFFER_S_MAX, &signature->service.buffer_us, fault);
    if (error < 0) return error;
    for (uint32_t i = 0; i < document->asns_count; i++)
        if (document->asns[i] == 0)
            return weir_signature_fault(signature, fault, "asns", "asns", 1, "0 is no AS number");
    signature->service.asns = document->asns;
    signature->service.n_asns = document->asns_count;
    return 0;
}

static int take_service(struct weir_signature *signature, const char *name,
                        struct weir_fault *fault) {
    struct document *document = signature->document;
    const char *defect = id_defect(document->id, name);
    if (defect)
        return weir_signature_fault(signature, fault, "id", "id", 1, "'%s' %s", document->id,
                                    defect);
    if (has_control_bytes(document->title))
        return weir_signature_fault(signature, fault, "title", "title", 1,
                                    "holds control characters");

    struct weir_service *service = &signature->service;
    service->id = document->id;
    service->title = document->title;
    service->kind = document->kind;
    service->never_count = (const char *const *)document->never_count;
    service->n_never_count = document->never_count_count;
    service->ndpi = (const char *const *)document->ndpi;
    service->n_ndpi = document->ndpi_count;
    int error = take_hosts(signature, fault);
    if (error == 0) error = take_all_prefixes(signature, fault);
    return error < 0 ? error : take_numbers(signature, fault);
}

static int take_cdn(struct weir_signature *signature, struct weir_fault *fault) {
    const struct document *document = signature->document;
    signature->cdn = (const char *const *)document->cdn;
    signature->n_cdn = document->cdn_count;
    return check_hosts(signature, "cdn", document->cdn, document->cdn_count, fault);
}

/* Reads at most the bound and one byte more, so that a longer file is noticed whatever fstat says.
 */
static int read_text(struct weir_signature *signature, int fd, struct weir_fault *fault) {
    while (signature->length <= WEIR_SIGNATURE_BYTES_MAX) {
        ssize_t n = read(fd, signature->text + signature->length,
                         WEIR_SIGNATURE_BYTES_MAX + 1 - signature->length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return weir_fault_set(fault, -errno, "%s: cannot be read: %m", signature->path);
        if (n == 0) return 0;
        signature->length += (size_t)n;
    }
    return weir_fault_set(fault, -EFBIG, "%s: longer than %d bytes", signature->path,
                          WEIR_SIGNATURE_BYTES_MAX);
}

static int open_and_read(struct weir_signature *signature, int directory_fd, const char *name,
                         struct weir_fault *fault) {
    /* a FIFO must not hold us */
    int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return weir_fault_set(fault, -errno, "%s: cannot be opened: %m", signature->path);
    struct stat st;
    int error;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        error = weir_fault_set(fault, -EINVAL, "%s: not a regular file", signature->path);
    else
        error = read_text(signature, fd, fault);
    close(fd);
    return error;
}

int weir_signature_read(struct weir_signature **ret_signature, int directory_fd,
                        const char *directory, const char *name, struct weir_fault *fault) {
    struct weir_signature *signature = calloc(1, sizeof *signature);
    if (!signature || asprintf(&signature->path, "%s/%s", directory, name) < 0) {
        free(signature);
        return weir_fault_set(fault, -ENOMEM, "%s/%s: out of memory", directory, name);
    }
    bool is_cdn = strcmp(name, WEIR_SIGNATURE_CDN_FILE) == 0;
    signature->schema = is_cdn ? &cdn_schema : &service_schema;
    signature->text = calloc(1, WEIR_SIGNATURE_BYTES_MAX + 2);
    int error = signature->text
                    ? open_and_read(signature, directory_fd, name, fault)
                    : weir_fault_set(fault, -ENOMEM, "%s: out of memory", signature->path);
    if (error == 0) error = parse(signature, fault);
    if (error == 0)
        error = is_cdn ? take_cdn(signature, fault) : take_service(signature, name, fault);
    if (error < 0) {
        weir_signature_free(signature);
        return error;
    }
    *ret_signature = signature;
    return 0;
}

void weir_signature_free(struct weir_signature *signature) {
    if (!signature) return;
    struct complaint ignored = {0};
    cyaml_config_t config = config_of(&ignored);
    if (signature->document) cyaml_free(&config, signature->schema, signature->document, 0);
    free((void *)signature->service.hosts);
    free((void *)signature->service.prefixes);
    free((void *)signature->service.prefix_roles);
    free(signature->text);
    free(signature->path);
    free(signature);
}
