/* Windows of ten seconds, booked by service and hour, and corrected by incidents. Pure: no file,
 * no clock, no thread. */
#pragma once

#include <weir/incident.h>
#include <weir/record.h>

#include "history/history.h"

struct weir_hours; /* opaque; the caller's */

/* NULL: no memory. */
struct weir_hours *weir_hours_new(void);
void weir_hours_free(struct weir_hours *hours);

/* Books one window. Windows of a service come in order of time. 0 or -ENOMEM. */
int weir_hours_window(struct weir_hours *hours, const struct weir_window_record *window);
/* An incident's event: what was booked since its onset, or since its recovery, is put right. */
void weir_hours_incident(struct weir_hours *hours, const struct weir_incident *incident);

/* Visits each hour that changed since the last visit, and is over by `now_us` (or all,
 * `also_open`). */
typedef void (*weir_hours_visit)(void *context, weir_service_id service,
                                 const struct weir_history_hour *hour);
void weir_hours_changed(struct weir_hours *hours, int64_t now_us, bool also_open,
                        weir_hours_visit visit, void *context);
