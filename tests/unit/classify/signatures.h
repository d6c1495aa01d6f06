/* A set of services from texts, for tests. */
#pragma once

#include <stddef.h>

#include <weir/service.h>

struct signature_text {
    const char *name, *text; /* "alpha.yaml" and what is in it */
};
/* asserts */
struct weir_service_set *load_signatures(const struct signature_text *files, size_t n_files);
