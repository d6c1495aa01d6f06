/* How much memory a live weir takes of its machine when nobody says: see budget.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct weir_budget { /* bytes, each a whole number of MiB: defaults of the option named beside */
    size_t memory;   /* --memory: flows, and in proportion all other tables */
    size_t ring;     /* --buffer: the kernel's ring of each interface */
    size_t evidence; /* --evidence: headers of the last packets */
};
/* For a machine, or a container, with so many bytes of RAM; 0: not known, then as for a large one.
 */
struct weir_budget weir_budget_of(uint64_t ram_bytes);
/* RAM of this machine, or the bound of a container with a control group of its own (version 2),
 * whichever is less; 0: not known. A bound of the service manager on the host is not seen. */
uint64_t weir_budget_ram(void);
