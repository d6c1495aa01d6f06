/* Flat fields: a record as name = text pairs, for Redis hashes and streams. Every field is always
 * present; what was not measured is an empty string. */
#pragma once

#include <stddef.h>

#include <weir/sink.h>

#include "history/history.h"

#define WEIR_PAIRS_MAX 160
struct weir_fields {
    size_t n; /* pairs */
    const char *names[WEIR_PAIRS_MAX];
    const char *texts[WEIR_PAIRS_MAX];
    size_t used;
    char arena[8192]; /* behind texts */
};

void weir_fields_clear(struct weir_fields *fields);
void weir_fields_text(struct weir_fields *fields, const char *name, const char *text);
/* WEIR_NULL: empty */
void weir_fields_int(struct weir_fields *fields, const char *name, int64_t value);
/* epoch seconds, 6 decimals */
void weir_fields_time(struct weir_fields *fields, const char *name, int64_t us);
void weir_fields_share(struct weir_fields *fields, const char *name, double share);

/* The head of `probe`: version, mode (live or replay), seen_ts, and the services that have windows,
 * separated by spaces, so that a reader finds their keys. */
void weir_fields_probe(struct weir_fields *fields, const struct weir_publish_context *context,
                       bool replay, const bool seen[WEIR_SERVICES_MAX], int64_t seen_us);
void weir_fields_window(struct weir_fields *fields, const struct weir_publish_context *context,
                        const struct weir_window_record *window);
void weir_fields_incident(struct weir_fields *fields, const struct weir_publish_context *context,
                          const struct weir_incident *incident);
void weir_fields_capture(struct weir_fields *fields, const struct weir_publish_context *context,
                         const struct weir_capture_record *capture);
/* An hour of a service; `run_us`: when the run began that saw it. */
void weir_fields_hour(struct weir_fields *fields, int64_t run_us,
                      const struct weir_history_hour *hour);
