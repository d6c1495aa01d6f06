/* What one target was told, and what it is still to be told. Pure: no network, no clock. */
#pragma once

#include "notify/event.h"

enum { WEIR_SETTLED_MAX = 2048, WEIR_TOLD_MAX = 512 };

/* An incident of which the target was told, and not yet that it is over. */
struct weir_told {
    char id[48], service[64], state[16], cause[24], place[64];
};

struct weir_mailbox {
    struct weir_target target;
    char at[48]; /* all events up to here are settled */
    size_t n_settled, n_told;
    char settled[WEIR_SETTLED_MAX][48]; /* of those behind: these are too */
    struct weir_told told[WEIR_TOLD_MAX];
    uint64_t delivered, aside; /* taken; refused for good */

    /* of this run */
    bool flying;
    struct weir_event_record *event; /* that is on its way */
    int64_t next_us;                 /* not before */
    unsigned failures;               /* in a row */
};

enum weir_verdict { WEIR_VERDICT_TELL, WEIR_VERDICT_PASS, WEIR_VERDICT_HOLD };

/* The next event of `events` (in order) that is to be told now, or NULL; those that the filters
 * leave out are settled on the way, and *ret_changed is set. `acknowledged` may be NULL. */
struct weir_event_record *weir_mailbox_next(struct weir_mailbox *box,
                                            struct weir_event_record *const *events, size_t n,
                                            int64_t now_us,
                                            bool (*acknowledged)(void *context, const char *id),
                                            void *context, bool *ret_changed);
/* The event was taken, or (not `taken`) set aside for good. */
void weir_mailbox_settle(struct weir_mailbox *box, struct weir_event_record *const *events,
                         size_t n, const struct weir_event_record *event, bool taken);
/* The service under which the incident was told first. */
const char *weir_mailbox_service(const struct weir_mailbox *box,
                                 const struct weir_event_record *event);
bool weir_mailbox_is_settled(const struct weir_mailbox *box, const struct weir_event_record *event);

/* The cursor: a mailbox as JSON, and back. */
struct json_object *weir_mailbox_save(const struct weir_mailbox *box);
void weir_mailbox_load(struct weir_mailbox *box, struct json_object *from);
