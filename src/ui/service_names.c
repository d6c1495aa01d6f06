/* A name is near where few letters differ, or where one is a part of the other ("prime" for
 * primevideo). */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "ui/command.h"
#include "ui/service_names.h"

static bool is_near(const char *name, const char *wanted) {
    return weir_nearest(wanted, &name, 1) ||
           (strlen(wanted) >= 3 && (strstr(name, wanted) || strstr(wanted, name)));
}

void weir_services_near(const struct weir_service_set *set, const char *wanted, char *near,
                        size_t size) {
    near[0] = '\0';
    for (size_t id = WEIR_SERVICE_FIRST; set && id < weir_service_set_count(set); id++) {
        const char *name = weir_service_get(set, (weir_service_id)id)->id;
        size_t used = strlen(near);
        if (is_near(name, wanted))
            snprintf(near + used, size - used, "%s%s", used ? ", " : "", name);
    }
}

int weir_service_must_be(const struct weir_service_set *set, const char *wanted, const char *where,
                         struct weir_fault *fault) {
    char near[200];
    if (set && weir_service_find(set, wanted) != WEIR_SERVICE_NONE) return 0;
    weir_services_near(set, wanted, near, sizeof near);
    if (near[0])
        return weir_fault_set(fault, -ENOENT, "%s%sno service '%s'; did you mean %s?", where,
                              *where ? ": " : "", wanted, near);
    return weir_fault_set(fault, -ENOENT, "%s%sno service '%s'; `weir services` lists them", where,
                          *where ? ": " : "", wanted);
}

struct weir_service_set *weir_services_shipped(void) {
    char path[PATH_MAX];
    struct weir_fault ignored = {0};
    struct weir_service_set *set = NULL;
    return weir_service_set_load(&set, weir_signatures_path(NULL, path), &ignored) < 0 ? NULL : set;
}
