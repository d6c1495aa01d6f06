/* The file that proves an incident: DIR/<id>.pcapng.
 *
 * Workers keep the last packets' headers in rings (ring.h); when an incident is told, the packets
 * of the flows that speak for it, and of the controls that rule others out (select.h), are
 * written, from two minutes before the onset to now, without clients' addresses and others' names
 * (rewrite.h). The incident's sentence and figures are comments of the file. `weir replay` of it
 * mostly comes to the same verdict: of what is cut short or left out it can say less.
 */
#pragma once

#include <weir/error.h>
#include <weir/sink.h>

#include "proof/ring.h"

enum { WEIR_PROOF_FILE_MAX = 1000000, WEIR_PROOF_FILES_MAX = 200 };

struct weir_proof; /* opaque */

/* Rings of `bytes` together, one a worker. The directory is made when the first file is written.
 * `live`: files are written by a thread, and a failure is said and survived; else at once, and a
 * failure ends the run. */
int weir_proof_new(struct weir_proof **ret_proof, unsigned n_workers, size_t bytes,
                   const char *directory, bool live, struct weir_fault *fault);
void weir_proof_free(struct weir_proof *proof);
struct weir_proof_ring *weir_proof_ring_of(struct weir_proof *proof,
                                           unsigned worker); /* NULL where `proof` is */

/* The sink that hears of incidents. The proof outlives it. */
extern const struct weir_sink weir_sink_proof;
int weir_sink_proof_new(void **ret_state, const struct weir_publish_context *context,
                        struct weir_proof *proof);
