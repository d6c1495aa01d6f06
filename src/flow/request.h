/* What requests (request.c), their sizes (ask.c) and time (demand.c) have of one another. */
#pragma once

#include "flow/flow.h"

enum { REQUEST_SILENT_MS = 5000 }; /* an answer that is silent for so long is told as complete */

/* When a request of that size counts as unanswered, by what its service has answered, in tenths of
 * a second; 0: it never answered one. */
uint16_t ask_timeout_ds(const struct weir_flow *flow, unsigned size);
/* A size that was answered with data before, by this flow's server or by its service. */
bool ask_is_known(const struct weir_flow *flow, unsigned size);
/* The server says what nobody asked for: nothing waits on this flow. */
bool ask_is_pushed(const struct weir_flow *flow);
/* Too small to be taken for a request at sight. */
bool ask_is_thin(const struct weir_flow *flow, unsigned size);
/* The chunk is complete. */
void ask_learn(struct weir_flow *flow, struct serve *serve);

/* Whether each tick asks what the answer does: of media, and of what may yet turn out to be. */
static inline bool request_is_watched(const struct weir_flow *flow) {
    return !flow->named.done || flow_is_media(flow);
}
/* Tells the chunk, with the stamp of its last byte; `ts_us` is when its end was noticed. */
void request_chunk_done(struct weir_flow *flow, struct serve *serve, int64_t ts_us, int64_t now_us);
/* No byte has come for a while that would show what the client said while the answer arrived: it
 * waits for an answer of its own, or was answered already. */
void request_settle_next(struct weir_flow *flow, struct serve *serve, int64_t now_us);
