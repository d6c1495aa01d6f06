/* Incidents that stand, each with its last record: what the hash `open` of a site shows. */
#pragma once

#include <stddef.h>

#include <weir/incident.h>

enum { WEIR_OPEN_MAX = 32, WEIR_OPEN_BYTES_MAX = 49152 /* of their records together */ };

struct weir_open {
    size_t n;
    struct {
        char id[sizeof((struct weir_incident *)0)->id];
        char *json;
        size_t length;
    } incidents[WEIR_OPEN_MAX]; /* told last comes last */
};

/* An event: what it says is copied. The incidents told longest ago make room. */
void weir_open_take(struct weir_open *open, const struct weir_incident *incident, const char *json,
                    size_t length);
void weir_open_deinit(struct weir_open *open);
