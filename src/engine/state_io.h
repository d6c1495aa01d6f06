/* Files of the state directory: read whole, replaced whole. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

enum { WEIR_STATE_NONE = 1 };
/* *ret_bytes is the caller's to free, at least `least` bytes. WEIR_STATE_NONE: there is no such
 * file, or (the fault says why) none that can be used. */
int weir_state_io_read(const char *directory, const char *name, size_t least, uint8_t **ret_bytes,
                       size_t *ret_n, struct weir_fault *fault);
/* Writes the two parts beside the old file and renames, so that a crash leaves the old one whole. 0
 * or < 0 with a fault. */
int weir_state_io_replace(const char *directory, const char *name, const void *head, size_t n_head,
                          const void *body, size_t n_body, struct weir_fault *fault);
/* What speaks against using, at `now_us`, what was saved then; NULL: nothing. */
const char *weir_state_io_age(int64_t saved_us, int64_t now_us);
