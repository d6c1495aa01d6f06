/* A file that keeps records through a crash until they are said to be done: what was added and
 * synced is there after kill -9 or a power cut. Used by one thread of one process at a time (the
 * file is locked). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

enum { WEIR_SPOOL_RECORD_MAX = 65536 };

struct weir_spool; /* opaque */
struct weir_spool_stats {
    size_t records, bytes; /* not done; size of the file */
    uint64_t dropped;      /* records given up for the bound, oldest first */
    uint64_t broken_bytes; /* skipped when it was opened: a torn tail, or damage */
};

/* Called at opening for each record that is not done, oldest first. */
typedef void (*weir_spool_visitor)(void *context, uint64_t seq, const uint8_t *bytes, size_t size);

/* Makes the file (mode 0600) where there is none. < 0: the directory, its rights, another process,
 * or no spool at all. */
int weir_spool_open(struct weir_spool **ret_spool, const char *path, size_t max_bytes,
                    weir_spool_visitor visit, void *context, struct weir_fault *fault);
void weir_spool_close(struct weir_spool *spool);
/* Writes a record, which is safe once weir_spool_sync returned 0. < 0 (-ENOSPC, -EIO...): it is not
 * in the file. */
int weir_spool_add(struct weir_spool *spool, const uint8_t *bytes, size_t size, uint64_t *ret_seq);
int weir_spool_sync(struct weir_spool *spool);
/* The record is needed no more. Not synced: after a crash it may come back, which its reader must
 * bear. */
void weir_spool_done(struct weir_spool *spool, uint64_t seq);
struct weir_spool_stats weir_spool_read_stats(const struct weir_spool *spool);
