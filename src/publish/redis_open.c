/* A short list, bounded by number and by bytes, since it is sent as one message. */
#include <stdlib.h>
#include <string.h>

#include "publish/redis_open.h"

static void remove_at(struct weir_open *open, size_t at) {
    free(open->incidents[at].json);
    memmove(&open->incidents[at], &open->incidents[at + 1],
            (--open->n - at) * sizeof open->incidents[0]);
}

static size_t bytes_of(const struct weir_open *open) {
    size_t bytes = 0;
    for (size_t i = 0; i < open->n; i++) bytes += open->incidents[i].length;
    return bytes;
}

void weir_open_take(struct weir_open *open, const struct weir_incident *incident, const char *json,
                    size_t length) {
    for (size_t i = 0; i < open->n; i++)
        if (strcmp(open->incidents[i].id, incident->id) == 0) {
            remove_at(open, i);
            break;
        }
    if (incident->event == WEIR_INCIDENT_CLEARED || length > WEIR_OPEN_BYTES_MAX) return;
    while (open->n == WEIR_OPEN_MAX || (open->n && bytes_of(open) + length > WEIR_OPEN_BYTES_MAX))
        remove_at(open, 0);
    char *copy = strdup(json);
    if (!copy) return;
    memcpy(open->incidents[open->n].id, incident->id, sizeof incident->id);
    open->incidents[open->n].json = copy;
    open->incidents[open->n++].length = length;
}

void weir_open_deinit(struct weir_open *open) {
    while (open->n) remove_at(open, open->n - 1);
}
