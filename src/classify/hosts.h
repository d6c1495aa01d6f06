/* The text of host names that a signature matched: each kept once, for the life of the classifier,
 * up to a bound. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hosts {
    char **slots; /* open addressing, at most three quarters full */
    size_t n_slots, n_hosts;
    size_t bytes, bytes_max;
    uint64_t refused; /* names not kept: no room */
    struct hosts_block *blocks;
};

void hosts_init(struct hosts *hosts, size_t bytes_max);
void hosts_deinit(struct hosts *hosts);
/* The kept copy of `text`, or NULL when there is no room (counted). */
const char *hosts_keep(struct hosts *hosts, const char *text, size_t length);
