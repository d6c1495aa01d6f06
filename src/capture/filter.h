/* A BPF expression, compiled once for each link type that turns up. Interfaces have theirs in the
 * kernel (live.c). */
#pragma once

#include <stdbool.h>

#include <weir/error.h>
#include <weir/packet.h>

struct weir_filter;

/* `linktypes`: those known at the start (none: Ethernet is tried). Fails, in libpcap's words, when
 * the expression cannot be compiled for any of them. */
int weir_filter_new(struct weir_filter **ret_filter, const char *expression,
                    const uint16_t *linktypes, size_t n_linktypes, struct weir_fault *fault);
/* Frames of a link type for which the expression has no meaning never match. */
bool weir_filter_matches(struct weir_filter *filter, const struct weir_frame *frame);
/* What libpcap calls a link type on an interface (DLT_) as capture files call it (LINKTYPE_). */
uint16_t weir_linktype_of_dlt(int dlt);
void weir_filter_free(struct weir_filter *filter);
