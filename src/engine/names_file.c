/* The name memory outlasts a restart: clients go on with the addresses that they were told before
 * it, and in an outage a connection to one of them never says its name.
 *
 *     magic "weirname" | version | names | saved (us) | checksum (XXH3 of the names) | name, name,
 * ... a name: struct saved_name, then the text of the host where a signature matched it
 *
 * Every worker holds the same names. One copies its own when asked to, so that another thread may
 * write them; and each is taught them before its first packet. What a host's service is, the
 * signatures of the day say.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/names_file.h"
#include "engine/state_io.h"

#define NAME "names.state"
enum { VERSION = 1, HOST_MAX = 255 };

struct head {
    char magic[8];
    uint32_t version, n_names;
    int64_t saved_us;
    uint64_t checksum;
};
struct saved_name {
    struct weir_addr client, server;
    uint64_t host_hash;
    int64_t expires_us;
    uint32_t host_length; /* of the text behind it */
};

struct weir_names_file {
    uint8_t *bytes; /* as in the file, the head included */
    size_t n;
    struct head head;
};

/* ---- reading ---- */

/* The name at *at, which is moved behind it; false: what is there is none. `text` holds HOST_MAX +
 * 1 bytes. */
static bool next_name(const struct weir_names_file *file, size_t *at, char *text,
                      struct weir_learned_name *ret_name) {
    struct saved_name saved;
    if (file->n - *at < sizeof saved) return false;
    memcpy(&saved, file->bytes + *at, sizeof saved);
    *at += sizeof saved;
    if (saved.host_length > HOST_MAX || file->n - *at < saved.host_length) return false;
    memcpy(text, file->bytes + *at, saved.host_length);
    text[saved.host_length] = '\0';
    *at += saved.host_length;
    *ret_name = (struct weir_learned_name){.client = saved.client,
                                           .server = saved.server,
                                           .host_hash = saved.host_hash,
                                           .expires_us = saved.expires_us,
                                           .host = saved.host_length ? text : NULL};
    return true;
}

static const char *objection(const struct weir_names_file *file) {
    if (memcmp(file->head.magic, "weirname", 8) != 0) return "not a state of weir's";
    if (file->head.version != VERSION) return "written by another version of weir";
    return file->head.checksum !=
                   XXH3_64bits(file->bytes + sizeof file->head, file->n - sizeof file->head)
               ? "damaged (its checksum does not fit)"
               : NULL;
}

int weir_names_file_read(struct weir_names_file **ret_file, const char *directory,
                         struct weir_fault *fault) {
    struct weir_names_file *file = calloc(1, sizeof *file);
    if (!file) return -ENOMEM;
    *ret_file = NULL;
    if (weir_state_io_read(directory, NAME, sizeof file->head, &file->bytes, &file->n, fault) ==
        0) {
        memcpy(&file->head, file->bytes, sizeof file->head);
        const char *why = objection(file);
        if (!why) {
            *ret_file = file;
            return 0;
        }
        weir_fault_set(fault, 0, "%s/" NAME ": %s; what was learned before is not used", directory,
                       why);
    }
    weir_names_file_free(file);
    return 0;
}

void weir_names_file_free(struct weir_names_file *file) {
    if (file) free(file->bytes);
    free(file);
}

void weir_names_file_restore(const struct weir_names_file *file, struct weir_classifier *classifier,
                             int64_t now_us) {
    struct weir_learned_name name;
    char text[HOST_MAX + 1];
    size_t at = sizeof file->head;
    if (weir_state_io_age(file->head.saved_us, now_us)) return;
    for (uint32_t i = 0; i < file->head.n_names && next_name(file, &at, text, &name); i++)
        weir_classify_names_restore(classifier, &name, now_us);
}

/* ---- writing ---- */

struct names {
    uint8_t *bytes; /* NULL: only counted */
    size_t n;
    uint32_t n_names;
};

static void take_name(void *context, const struct weir_learned_name *name) {
    struct names *names = context;
    struct saved_name saved;
    size_t length = name->host ? strlen(name->host) : 0;
    if (length > HOST_MAX) return;
    if (names->bytes) {
        memset(&saved, 0, sizeof saved); /* no stray bytes between the fields */
        saved.client = name->client;
        saved.server = name->server;
        saved.host_hash = name->host_hash;
        saved.expires_us = name->expires_us;
        saved.host_length = (uint32_t)length;
        memcpy(names->bytes + names->n, &saved, sizeof saved);
        memcpy(names->bytes + names->n + sizeof saved, name->host ? name->host : "", length);
    }
    names->n += sizeof saved + length;
    names->n_names++;
}

int weir_names_file_take(struct weir_names_file **ret_file,
                         const struct weir_classifier *classifier, int64_t now_us) {
    struct weir_names_file *file = calloc(1, sizeof *file);
    struct names counted = {0}, names = {.n = sizeof file->head};
    weir_classify_names_each(classifier, take_name, &counted);
    names.bytes = file ? malloc(sizeof file->head + counted.n) : NULL;
    if (!names.bytes) {
        free(file);
        return -ENOMEM;
    }
    weir_classify_names_each(classifier, take_name, &names);
    size_t n = names.n - sizeof file->head;
    *file = (struct weir_names_file){
        .bytes = names.bytes,
        .n = names.n,
        .head = {.magic = {'w', 'e', 'i', 'r', 'n', 'a', 'm', 'e'},
                 .version = VERSION,
                 .n_names = names.n_names,
                 .saved_us = now_us,
                 .checksum = XXH3_64bits(names.bytes + sizeof file->head, n)}};
    memcpy(file->bytes, &file->head, sizeof file->head);
    *ret_file = file;
    return 0;
}

int weir_names_file_write(const char *directory, const struct weir_names_file *file,
                          struct weir_fault *fault) {
    size_t n_head = sizeof file->head;
    return weir_state_io_replace(directory, NAME, file->bytes, n_head, file->bytes + n_head,
                                 file->n - n_head, fault);
}
