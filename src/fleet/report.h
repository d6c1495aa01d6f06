/* What a fleet says: as fields, JSON and a sentence. */
#pragma once

#include "fleet/vote.h"

enum { WEIR_FLEET_FIELDS_MAX = 48, WEIR_FLEET_ID_MAX = 96 };

struct weir_fleet_report {
    char id[WEIR_FLEET_ID_MAX]; /* "fleet-<service>-<onset in ms>" */
    const char *event;          /* "raised" "updated" "cleared" */
    uint32_t revision;          /* of the incident: 1, 2, 3... without a gap */
    const char *service, *state, *cause;
    int64_t ts_us, onset_us;
    const struct weir_fleet_verdict *verdict;
    /* filled by weir_fleet_report_write */
    char text[900];
    char sites[WEIR_FLEET_SITES_LISTED * 140];
    char numbers[12][32];
    size_t n_fields;
    const char *fields[WEIR_FLEET_FIELDS_MAX]; /* name, text, name, text... */
    char *json;                                /* the caller frees */
};
int weir_fleet_report_write(struct weir_fleet_report *report);
