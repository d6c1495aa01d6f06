/* Times for a person: the clock on this machine's wall, with its zone. Records keep UTC.
 *
 * main() reads the zone once, before any command gives up the right to read its file; nothing here
 * reads it again. */
#pragma once

#include <stdint.h>
#include <stddef.h>

/* The time in a format of strftime(3). Returns `text`. */
const char *weir_local_time(char *text, size_t size, int64_t us, const char *format);
/* The zone's name at that time, "CET". Returns `text`. */
const char *weir_local_zone(char text[16], int64_t us);
/* A sentence of an incident, whose clocks are UTC ("since 21:33:28 UTC"), with local ones in their
 * place ("since 22:33:28 CET"). `around_us`: a time of that incident, for summer time. What looks
 * like a clock inside an address stays. Cut at `size`. Returns `room`. */
const char *weir_local_sentence(char *room, size_t size, const char *sentence, int64_t around_us);
