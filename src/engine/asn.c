/* The database of autonomous systems by libmaxminddb: see asn.h. What the file says may lie:
 * libmaxminddb keeps inside of it, numbers are taken in the two widths that are in use, and of
 * names only whole UTF-8 characters that no terminal obeys. */
#include <errno.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "engine/asn.h"

#define NUMBER "autonomous_system_number"
#define NAME   "autonomous_system_organization"

struct weir_asn {
    MMDB_s file;
};

static uint32_t number_of(MMDB_entry_s *entry) {
    MMDB_entry_data_s data;
    if (MMDB_get_value(entry, &data, NUMBER, NULL) != MMDB_SUCCESS || !data.has_data) return 0;
    return data.type == MMDB_DATA_TYPE_UINT32   ? data.uint32
           : data.type == MMDB_DATA_TYPE_UINT16 ? data.uint16
                                                : 0;
}

/* Bytes of the character at `at`, of which there are n > 0; 0: it isn't one that can be shown. */
static size_t character(const char *at, size_t n) {
    static const uint32_t least[] = {0, 0x20, 0xa0, 0x800, 0x10000};
    uint8_t first = (uint8_t)*at;
    size_t length = first < 0x80       ? 1
                    : first >> 5 == 6  ? 2
                    : first >> 4 == 14 ? 3
                    : first >> 3 == 30 ? 4
                                       : 0;
    uint32_t code = length > 1 ? first & (0x7fu >> length) : first;
    if (length == 0 || length > n) return 0;
    for (size_t i = 1; i < length; i++) {
        if (((uint8_t)at[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | ((uint8_t)at[i] & 0x3f);
    }
    bool shown = code >= least[length] && code != 0x7f && code <= 0x10ffff &&
                 (code < 0xd800 || code > 0xdfff);
    return shown ? length : 0;
}

static void read_name(MMDB_entry_s *entry, struct weir_as *as) {
    MMDB_entry_data_s data;
    size_t used = 0, length;
    if (MMDB_get_value(entry, &data, NAME, NULL) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING)
        return;
    for (size_t at = 0; at < data.data_size; at += length ? length : 1) {
        length = character(data.utf8_string + at, data.data_size - at);
        if (used + (length ? length : 1) >= sizeof as->name) break;
        memcpy(as->name + used, length ? data.utf8_string + at : "?", length ? length : 1);
        used += length ? length : 1;
    }
    as->name[used] = '\0';
}

/* Does any of the first records have a number? Other databases (of cities) have the same format. A
 * tree that leads in a circle is given up. */
static bool has_systems(const MMDB_s *file) {
    enum { STEPS = 10000, STACK = 256 };
    uint32_t stack[STACK] = {0};
    size_t n = 1;
    for (int step = 0; n > 0 && n + 2 <= STACK && step < STEPS; step++) {
        MMDB_search_node_s node;
        if (MMDB_read_node(file, stack[--n], &node) != MMDB_SUCCESS) return false;
        if ((node.left_record_type == MMDB_RECORD_TYPE_DATA &&
             number_of(&node.left_record_entry)) ||
            (node.right_record_type == MMDB_RECORD_TYPE_DATA &&
             number_of(&node.right_record_entry)))
            return true;
        if (node.right_record_type == MMDB_RECORD_TYPE_SEARCH_NODE)
            stack[n++] = (uint32_t)node.right_record;
        if (node.left_record_type == MMDB_RECORD_TYPE_SEARCH_NODE)
            stack[n++] = (uint32_t)node.left_record;
    }
    return false;
}

int weir_asn_open(struct weir_asn **ret_asn, const char *path, struct weir_fault *fault) {
    struct weir_asn *asn = calloc(1, sizeof *asn);
    if (!asn) return -ENOMEM;
    int status = MMDB_open(path, MMDB_MODE_MMAP, &asn->file);
    if (status != MMDB_SUCCESS) {
        const char *why = status == MMDB_FILE_OPEN_ERROR ? strerror(errno) : MMDB_strerror(status);
        free(asn);
        return weir_fault_set(fault, -EINVAL, "--asn-db %s: %s", path, why);
    }
    if (!has_systems(&asn->file)) {
        weir_fault_set(
            fault, -EINVAL,
            "--asn-db %s: its records (%.64s) have no %s; give a database such as GeoLite2-ASN",
            path, asn->file.metadata.database_type, NUMBER);
        weir_asn_free(asn);
        return -EINVAL;
    }
    *ret_asn = asn;
    return 0;
}

void weir_asn_free(struct weir_asn *asn) {
    if (asn) MMDB_close(&asn->file);
    free(asn);
}

bool weir_asn_lookup(void *context, const struct weir_addr *addr, struct weir_as *ret_as) {
    const struct weir_asn *asn = context;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    memcpy(&v4.sin_addr, addr->bytes + 12, 4);
    memcpy(&v6.sin6_addr, addr->bytes, 16);
    const struct sockaddr *name =
        weir_addr_is_v4(addr) ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
    int error;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&asn->file, name, &error);
    if (error != MMDB_SUCCESS || !found.found_entry) return false;
    *ret_as = (struct weir_as){.number = number_of(&found.entry)};
    read_name(&found.entry, ret_as);
    return ret_as->number != 0;
}
