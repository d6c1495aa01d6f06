/* A clock made of stamps that may step.
 *
 * Two things make a stamp lie behind the one before it. Frames of several queues or interfaces
 * overtake each other by milliseconds: then time holds still until the stamps catch up. And
 * somebody sets the clock of the capturing machine: holding still for an hour would freeze every
 * timer, so from 60 s on the step is taken as such, and the offset makes time go on from where it
 * was.
 *
 *      stamp   100 101 102  41 42 43          offset 0, then 61 (seconds)
 *      now     100 101 102 102 103 104
 *
 * A step forward cannot be told from silence, and is not: timers run out, as they would in that
 * silence.
 */
#include "capture/clock.h"

void weir_clock_step(struct weir_clock *clock, int64_t ts_us) {
    clock->offset_us = clock->now_us - ts_us;
    clock->n_steps++;
}
