/* What comes before a session's first answer, and since when its viewer waits. */
#pragma once

#include <weir/measure.h>

/* One client's attempts to reach one service, each closely behind the one before. */
struct weir_prelude {
    uint64_t key;
    int64_t first_us, last_us;
    bool failed;  /* the last one did, */
    bool in_vain; /* or an earlier one */
};

struct weir_preludes {
    /* a fixed number of them; a newer pair takes an older one's place */
    struct weir_prelude *table;
};

int weir_preludes_init(struct weir_preludes *preludes); /* -ENOMEM */
void weir_preludes_deinit(struct weir_preludes *preludes);
/* An ATTEMPT, or a DNS transaction. */
void weir_preludes_take(struct weir_preludes *preludes, const struct weir_evidence *evidence);
/* Since when the viewer waits who asks for media with a CHUNK or PROGRESS. */
int64_t weir_preludes_begin_us(const struct weir_preludes *preludes,
                               const struct weir_evidence *evidence);
