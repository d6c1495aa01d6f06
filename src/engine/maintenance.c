/* Maintenance windows, in UTC: once, or every day. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/maintenance.h"

#define DAY_US INT64_C(86400000000)

static bool read_clock(const char *text, int64_t *ret_us) {
    struct tm tm = {0};
    const char *end = strptime(text, "%H:%M", &tm);
    *ret_us = (tm.tm_hour * INT64_C(60) + tm.tm_min) * 60000000;
    return end && !*end;
}

static bool read_date(const char *text, int64_t *ret_us) {
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M", &tm);
    if (end && *end == ':') end = strptime(end, ":%S", &tm);
    *ret_us = (int64_t)timegm(&tm) * 1000000;
    return end && strcmp(end, "Z") == 0;
}

int weir_maintenance_parse(const char *text, struct weir_maintenance *ret_window,
                           struct weir_fault *fault) {
    struct weir_maintenance window = {0};
    char from[32], until[32];
    int used = 0;
    bool split = sscanf(text, "%31[a-z0-9_.-] %31[^/ ]/%31[^/ ]%n", window.service, from, until,
                        &used) == 3 &&
                 !text[used];
    window.daily =
        split && read_clock(from, &window.from_us) && read_clock(until, &window.until_us);
    bool once = split && !window.daily && read_date(from, &window.from_us) &&
                read_date(until, &window.until_us);
    if ((!window.daily && !once) || window.from_us == window.until_us ||
        (once && window.until_us < window.from_us))
        return weir_fault_set(
            fault, -EINVAL,
            "maintenance '%.80s': a service or all, then from/until in UTC, such as "
            "'netflix 2026-11-24T02:00Z/2026-11-24T04:00Z' or, every day, 'all 02:00/04:30'",
            text);
    *ret_window = window;
    return 0;
}

static bool contains(const struct weir_maintenance *window, int64_t at_us) {
    int64_t us = window->daily ? at_us % DAY_US : at_us;
    if (window->until_us < window->from_us) return us >= window->from_us || us < window->until_us;
    return us >= window->from_us && us < window->until_us;
}

bool weir_maintenance_covers(const struct weir_maintenance *windows, size_t n, const char *service,
                             int64_t at_us) {
    for (size_t i = 0; i < n; i++) {
        bool all = strcmp(windows[i].service, "all") == 0;
        if ((all || (service && strcmp(windows[i].service, service) == 0)) &&
            contains(&windows[i], at_us))
            return true;
    }
    return false;
}
