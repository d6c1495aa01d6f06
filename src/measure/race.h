/* What became of a client's connections to a name: enough to tell the loser of a race, and a
 * fall-back from QUIC to TCP, from a failure. A bounded memory of the newest; the oldest of a
 * bucket makes room. */
#pragma once

#include <weir/measure.h>

#define WEIR_RACE_US     INT64_C(2000000)
#define WEIR_FALLBACK_US INT64_C(10000000)
/* of a connection that died: clients give up after six to twenty seconds */
#define WEIR_FALLBACK_LATE_US INT64_C(30000000)

struct weir_race_memory {
    struct weir_race_entry *entries; /* in buckets */
    uint64_t *keys;                  /* of entries, a bucket's side by side; 0: free */
    size_t mask;
};

enum weir_race { WEIR_RACE_NONE, WEIR_RACE_LOST, WEIR_RACE_FELL_BACK, WEIR_RACE_BOTH_FAILED };

int weir_race_init(struct weir_race_memory *memory, size_t max); /* 0 or -ENOMEM */
void weir_race_deinit(struct weir_race_memory *memory);
/* Its memory for this evidence on its way: what is looked up of it comes soon. */
void weir_race_prefetch(const struct weir_race_memory *memory,
                        const struct weir_evidence *evidence);
/* A connection that was decided, useful or failed. */
void weir_race_note(struct weir_race_memory *memory, const struct weir_evidence *evidence);
/* A request that was served: over TCP it may be what a client fell back to, on whatever connection.
 */
void weir_race_served(struct weir_race_memory *memory, const struct weir_evidence *evidence);
/* A server has answered a keep-alive over TCP: what a client could fall back to. */
void weir_race_alive(struct weir_race_memory *memory, const struct weir_evidence *evidence);
/* A QUIC connection that had served before it failed. */
bool weir_race_died(const struct weir_evidence *evidence);
/* Of a failed connection. BOTH_FAILED: of QUIC, TCP to the name failed as well. */
enum weir_race weir_race_judge(const struct weir_race_memory *memory,
                               const struct weir_evidence *evidence);
