/* Windows in which work is announced: incidents raised inside of one are measured, recorded and
 * published, and alert nobody. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

struct weir_maintenance {
    char service[32]; /* an id, or "all": site-wide incidents, too */
    /* UTC; of the day when it is daily, and then until may lie before from: over midnight */
    int64_t from_us, until_us;
    bool daily;
};

/* "SERVICE FROM/UNTIL": both 2026-11-24T02:00Z, or both 02:00 (UTC, every day). Returns 0 or
 * -EINVAL with a fault. */
int weir_maintenance_parse(const char *text, struct weir_maintenance *ret_window,
                           struct weir_fault *fault);
/* `service` NULL: the incident is of the whole site. */
bool weir_maintenance_covers(const struct weir_maintenance *windows, size_t n, const char *service,
                             int64_t at_us);
