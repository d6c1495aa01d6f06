/* Between the two places that a history is read from (history.h has what others call). */
#pragma once

#include "history/store.h"

int weir_history_load_redis(struct weir_history *history, const struct weir_history_where *where,
                            struct weir_fault *fault);
int weir_history_events_redis(const struct weir_history_where *where, const char *id,
                              weir_history_event_visit visit, void *context,
                              struct weir_fault *fault);

/* Adds to the end of a history; hours of a service lie side by side. */
int weir_history_add_hour(void *context, const char *service, const struct weir_history_hour *hour);
int weir_history_add_incident(void *context, const struct weir_history_incident *incident);
int weir_history_add_event(void *context, int64_t seq, const char *id, const char *json);
/* An incident from a record's JSON; its texts are the caller's to free. 0, -EBADMSG or -ENOMEM. */
int weir_history_read_record(struct weir_history_incident *ret_incident, const char *json);
