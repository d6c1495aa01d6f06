/* Names of services that somebody typed. */
#pragma once

#include <weir/service.h>

/* Fills `near` with the names that may have been meant, with commas; empty: none. */
void weir_services_near(const struct weir_service_set *set, const char *wanted, char *near,
                        size_t size);
/* 0 where the set has the service; else -ENOENT with a fault that says who asked (`where`, such as
 * "--maintenance") and what was meant. */
int weir_service_must_be(const struct weir_service_set *set, const char *wanted, const char *where,
                         struct weir_fault *fault);
/* The signatures of this weir, to tell names from slips; NULL where they can't be read. Unref it.
 */
struct weir_service_set *weir_services_shipped(void);
