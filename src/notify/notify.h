/* notify: hands incident events to people and pagers until each was taken.
 *
 *      feed (Redis, history.db) --> events in memory --> a mailbox for each target --libcurl,
 * command--> target
 *                                                             \--> cursor on disk, after each that
 * was taken
 *
 * A target that is slow, down, or talks nonsense holds up nobody but itself. One that refuses an
 * event for good (4xx, but for 408, 425 and 429) does not get it: it is counted, and said.
 * Redirects are not followed. What was taken is written down at once, so that a kill has the last
 * event told twice at the most.
 */
#pragma once

#include "notify/feed.h"
#include "notify/target.h"

struct weir_notifier; /* opaque */

struct weir_notify_options {
    const struct weir_target *targets;
    size_t n_targets;
    struct weir_feed *feed;
    const char *cursor; /* file */
    bool from_start;    /* a new target hears of all that is kept, else of what comes */
    bool once;          /* ends when nothing is left to tell, or nobody takes it */
};

/* `command_fds[i]` of a target that is a command (weir_hook_start). */
int weir_notifier_new(struct weir_notifier **ret_notifier,
                      const struct weir_notify_options *options, const int *command_fds,
                      struct weir_fault *fault);
void weir_notifier_free(struct weir_notifier *notifier);
/* Until *stop (a signal's), or with `once` until all is told: 0; > 0: that many events were not
 * taken. `alive` is called now and then. */
int weir_notifier_run(struct weir_notifier *notifier, const volatile int *stop, void (*alive)(void),
                      struct weir_fault *fault);
