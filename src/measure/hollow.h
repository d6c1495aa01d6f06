/* Hollow answers: TLS hides an HTTP error, but not its size. Small answers from a media host that
 * gave this client chunks lately, one after the other and no chunk between, are errors - unless
 * their sizes are what that host's small answers have always been: playlists and beacons neither
 * make the run nor break it. After an error players ask elsewhere: a media host that gave this
 * client nothing so far may go on with the run, but not begin it. */
#pragma once

#include <weir/measure.h>

enum { WEIR_SMALL_BYTES = 5000, WEIR_HOLLOW_RUN = 3, WEIR_HOLLOW_HOSTS = 8, WEIR_HOLLOW_NOTED = 8 };
/* a service whose median chunk is not above this is not judged */
#define WEIR_HOLLOW_MEDIAN_BYTES 50000

/* Sizes of the small answers of media hosts, over all clients. */
struct weir_small_answers {
    struct weir_small_host *hosts;
    size_t mask, n, max;
    uint64_t refused;
};
int weir_small_answers_init(struct weir_small_answers *answers, size_t max); /* 0 or -ENOMEM */
void weir_small_answers_deinit(struct weir_small_answers *answers);

/* One session's part. */
struct weir_hollow {
    /* that gave chunks, and when last: engine's second */
    struct {
        uint32_t host, chunk_s;
    } hosts[WEIR_HOLLOW_HOSTS];
    /* small answers since the last chunk */
    uint32_t noted_host[WEIR_HOLLOW_NOTED];
    uint16_t noted_bytes[WEIR_HOLLOW_NOTED]; /* below WEIR_SMALL_BYTES */
    uint32_t run, n_noted;
};

/* A chunk came: the run is over, and what was small before it was harmless. */
void weir_hollow_chunk(struct weir_hollow *hollow, struct weir_small_answers *answers,
                       const struct weir_evidence *evidence);
/* A small answer came; the length of the run of candidates with it, 0 when it is none. */
uint32_t weir_hollow_small(struct weir_hollow *hollow, struct weir_small_answers *answers,
                           const struct weir_evidence *evidence);
