/* The life of an incident: see lifecycle.c, sentence.c. */
#pragma once

#include <weir/detect.h>

struct weir_detector;
struct weir_verdict;

struct weir_case {
    struct weir_incident record;
    /* client or resolver; for a service the failing prefix, when the cause says so and record.as is
     * unset */
    struct weir_addr subject;
    bool exists, open;   /* exists && !open: cleared, may be reopened */
    int64_t reraised_us; /* the last raise: record.raised_us is the first */
    int64_t evidence_us; /* of the last failure that spoke for it */
    int64_t over_us;     /* cleared: the first useful trial after which none failed */
    int64_t judged_us;   /* when its verdict was last worked out */
    int64_t asked_us;    /* when it was last asked whether it is over */
    int64_t emitted_us;
    uint32_t emitted_clients; /* hit, as told last */
    uint32_t reopened;
};

/* recovery.c */
struct weir_recovery {
    bool over, seems_over; /* sure; likely */
    /* the first useful trial after which nothing (that counts) failed; 0: it lasts */
    int64_t at_us;
    uint32_t run; /* useful trials in a row */
};
struct weir_recovery weir_recovery_of(const struct weir_detector *detector,
                                      const struct weir_case *incident);
/* When it was over, as it is told: the first useful answer after which no attempt began that
 * failed, at_us at the latest; 0: it lasts. */
int64_t weir_recovery_end(const struct weir_detector *detector, const struct weir_case *incident,
                          const struct weir_recovery *recovery);

/* lifecycle.c: raises, reopens or updates. `evidence_us`: of the last failure that speaks for it.
 */
void weir_case_apply(struct weir_detector *detector, struct weir_case *incident,
                     const struct weir_verdict *verdict, int64_t evidence_us);
void weir_case_clear(struct weir_detector *detector, struct weir_case *incident,
                     const struct weir_case *part_of);
/* The open incident goes on under another cause: `to` takes its id. */
void weir_case_move(struct weir_case *from, struct weir_case *to);
/* Takes the verdict to the incident that its cause belongs to; an open `home` that turns out to be
 * part of it goes along. */
void weir_case_route(struct weir_detector *detector, struct weir_case *home,
                     const struct weir_verdict *verdict, int64_t evidence_us);
/* The case of this client or resolver; else a free one; else NULL. */
struct weir_case *weir_case_of(struct weir_detector *detector, struct weir_case *cases, size_t n,
                               const struct weir_addr *subject);
/* Reports an open incident once more. */
void weir_case_report(struct weir_detector *detector, struct weir_case *incident);

/* sentence.c: a sentence that grows; what has no room is cut off. */
struct weir_text {
    char *at;
    size_t room;
};
__attribute__((format(printf, 2, 3))) void weir_say(struct weir_text *text, const char *format,
                                                    ...);
/* Fills record->text. `part_of`: the incident that it turned out to belong to, or NULL.
 */
void weir_sentence(const struct weir_detector *detector, struct weir_case *incident,
                   const struct weir_case *part_of);
