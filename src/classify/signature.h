/* One file of signatures/, read and checked by itself: the first half of loading a set (service.c
 * does the rest). */
#pragma once

#include <weir/service.h>

/* Bounds of one file; FORMAT.md states them. */
enum {
    WEIR_SIGNATURE_BYTES_MAX = 64 * 1024,
    WEIR_SIGNATURE_HOSTS_MAX = 256,    /* of one role */
    WEIR_SIGNATURE_PREFIXES_MAX = 256, /* of one role */
    WEIR_SIGNATURE_NEVER_MAX = 64,
    WEIR_SIGNATURE_NDPI_MAX = 8,
    WEIR_SIGNATURE_ASNS_MAX = 32,
    WEIR_SIGNATURE_CDN_MAX = 256,
    WEIR_SIGNATURE_ID_MAX = 31,
    WEIR_SIGNATURE_TITLE_MAX = 63,
    WEIR_SIGNATURE_SEGMENT_S_MAX = 60,
    WEIR_SIGNATURE_BUFFER_S_MAX = 600,
};

/* The file that lists shared media CDNs instead of describing a service. */
#define WEIR_SIGNATURE_CDN_FILE "cdn.yaml"

struct weir_signature {
    struct weir_service service; /* all zero for the CDN file */
    const char *const *cdn;      /* suffixes; the CDN file only */
    size_t n_cdn;
    char *path; /* for messages: "signatures/netflix.yaml" */

    /* the file's bytes, with a NUL behind: line numbers are looked up here */
    char *text;
    size_t length;
    /* what libcyaml built, by which schema; the strings above live in it */
    void *document;
    const void *schema;
};

/* Reads `name` in the open directory `directory_fd`. `directory` is its path, for messages.
 * 0, or < 0 with `fault` set; the caller frees *ret_signature. */
int weir_signature_read(struct weir_signature **ret_signature, int directory_fd,
                        const char *directory, const char *name, struct weir_fault *fault);
void weir_signature_free(struct weir_signature *signature);

/* The line (from 1) on which `word` stands for the `nth` time (from 1) outside comments; 0 when it
 * does not. */
unsigned weir_signature_line(const struct weir_signature *signature, const char *word,
                             unsigned nth);

/* Sets `fault` to "path:line: field: <message>" and returns -EINVAL; the line is that of `word`. */
__attribute__((format(printf, 6, 7))) int
weir_signature_fault(const struct weir_signature *signature, struct weir_fault *fault,
                     const char *field, const char *word, unsigned nth, const char *format, ...);
