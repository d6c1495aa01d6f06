/* A stream of uncompressed bytes: a file or stdin, plain, gzip or zstd, told apart by their first
 * bytes. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

struct weir_stream;

/* Opens `path` ("-": stdin) and reads its first bytes to tell the compression. While `*stop` is
 * true an interrupted read ends with -EINTR instead of being repeated; `stop` must outlive the
 * stream, and may be NULL. */
int weir_stream_open(struct weir_stream **ret_stream, const char *path, const atomic_bool *stop,
                     struct weir_fault *fault);

/* Up to `size` (> 0) bytes: as many as one read gives, at least one. Returns the number in *ret_n,
 * 0 at the end. A damaged stream gives all its good bytes first, then < 0, again and again; `fault`
 * holds only the reason. */
int weir_stream_read(struct weir_stream *stream, void *bytes, size_t size, size_t *ret_n,
                     struct weir_fault *fault);

/* Would a read answer at once, or within `ms`: with bytes, the end or a failure? */
bool weir_stream_wait(const struct weir_stream *stream, int ms);

/* The path as it can be shown in one line: the tail of a long one, control characters replaced. */
const char *weir_stream_name(const struct weir_stream *stream);
bool weir_stream_is_compressed(const struct weir_stream *stream);
/* Bytes taken from the disk so far, and in all (0: unknown, a pipe). */
uint64_t weir_stream_bytes_read(const struct weir_stream *stream);
uint64_t weir_stream_bytes_total(const struct weir_stream *stream);

void weir_stream_free(struct weir_stream *stream);
