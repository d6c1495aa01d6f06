/* What `weir check` found: one line a question, and what to do about it. */
#pragma once

#include <stddef.h>

#include "engine/config.h"

enum weir_check_level { WEIR_CHECK_OK, WEIR_CHECK_WARN, WEIR_CHECK_FAIL };

struct weir_check_finding {
    enum weir_check_level level;
    char about[32];   /* "clock", "eth1 offloads" */
    char text[192];   /* what is */
    char advice[256]; /* what to change; empty when nothing is to */
};

enum { WEIR_CHECK_MAX = 96 };
struct weir_check {
    struct weir_check_finding findings[WEIR_CHECK_MAX];
    size_t n;
};

/* The next finding, to be filled; the last one again when there are too many. */
struct weir_check_finding *weir_check_add(struct weir_check *check, enum weir_check_level level,
                                          const char *about);
void weir_check_text(struct weir_check_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void weir_check_advice(struct weir_check_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* All questions about one interface. */
void weir_check_interface(struct weir_check *check, const char *interface,
                          const struct weir_config *config);
