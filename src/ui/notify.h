/* What a service manager is told, if one listens (sd_notify(3)'s protocol): readiness, reloads, the
 * end, and signs of life. */
#pragma once

#include <stdbool.h>

/* Before anything is confined: remembers NOTIFY_SOCKET and WATCHDOG_USEC, and whether this process
 * is meant by them. */
void weir_notify_open(void);
void weir_notify(const char *state); /* "READY=1", with what it is doing: "STOPPING=1" ... */
void weir_notify_reloading(void);
/* Called often, from the loop that must not hang: says WATCHDOG=1 when half of the time is over. */
void weir_notify_alive(void);
