/* A router has 128 MiB, a server 128 GiB, and weir is a guest on both: an eighth of RAM for its
 * tables, a 64th for the packets that prove an incident, a 128th for each kernel's ring. Each has a
 * most, beyond which it buys nothing, and a least, below which weir would be of no use.
 *
 *     RAM, MiB        128   256   512   1024   2048   4096 and more
 *     --memory         16    32    64    128    256    512
 *     --evidence        2     4     8     16     32     64
 *     --buffer          2     2     4      8     16     16
 *
 * A ring of 16 MiB holds 130 ms of 1 Gbit/s. All of it is resident from the start, in use or not;
 * whoever watches more than that gives a larger one.
 *
 * Only `live` asks: a replay gives the same answers on every machine.
 */
#include <inttypes.h>
#include <stdio.h>

#include "engine/budget.h"

static size_t part_of(uint64_t ram_mib, unsigned divisor, size_t least, size_t most) {
    uint64_t part = ram_mib / divisor;
    return (ram_mib == 0 || part > most ? most : part < least ? least : (size_t)part) << 20;
}

struct weir_budget weir_budget_of(uint64_t ram_bytes) {
    /* a machine of 1 GiB tells of some less: the kernel's own is not in it */
    uint64_t ram_mib = (ram_bytes >> 20) + (ram_bytes >> 24);
    return (struct weir_budget){.memory = part_of(ram_mib, 8, 16, 512),
                                .ring = part_of(ram_mib, 128, 2, 16),
                                .evidence = part_of(ram_mib, 64, 2, 64)};
}

/* The number behind `format` in the first line of the file that has one; 0 where none has, as in
 * "max". */
static uint64_t number_in(const char *path, const char *format) {
    char line[128];
    uint64_t number = 0;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, format, &number) != 1)
        ;
    if (file) fclose(file);
    return number;
}

uint64_t weir_budget_ram(void) {
    uint64_t ram = number_in("/proc/meminfo", "MemTotal: %" SCNu64) << 10,
             bound = number_in("/sys/fs/cgroup/memory.max", "%" SCNu64);
    return bound && (!ram || bound < ram) ? bound : ram;
}
