/* Files that weir keeps in a directory: opened through a handle of that directory, never through a
 * link.
 *
 * Another user may have put anything there: a symbolic link to /etc/shadow, a FIFO that nobody
 * writes to, a sparse file of 20 GB. So each name is opened relative to the directory's handle,
 * without following links and without waiting, and is refused unless it is a regular file with one
 * name and of bounded size. New files can be read by their owner only.
 *
 * Blind spot: the path of the directory itself is the user's own word, and links in it are
 * followed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <weir/error.h>

/* Opens the directory of `path` ("DIR/NAME", or "NAME" for the current one) and says where the name
 * begins. Returns the handle, which the caller closes, or -errno. */
int weir_private_directory(const char *path, const char **ret_name);

/* Opens `name` in the directory for reading, or for reading and writing (made where it is absent,
 * mode 0600). Returns a descriptor, or -errno: -ENOENT absent, -ENXIO no regular file or one with
 * several names, -EFBIG over `max_bytes`. */
int weir_private_open(int directory, const char *name, int flags, size_t max_bytes);

/* Reads the whole file with a zero byte behind it. *ret_bytes is the caller's to free. 0 or -errno
 * as above. */
int weir_private_read(const char *path, size_t max_bytes, char **ret_bytes, size_t *ret_n);

struct weir_piece { /* of a file's contents */
    const void *bytes;
    size_t n;
};
/* Writes the pieces to a new file beside it and renames it: readers see the old or the new one,
 * whole; a failure leaves nothing behind. With `sync` that holds after a power cut, too. `mode`:
 * 0600, or 0644 for what other users may read. 0 or -errno. */
int weir_private_replace(const char *path, mode_t mode, bool sync, const struct weir_piece *pieces,
                         size_t n_pieces);

/* Adds one line's bytes at the end; the file is made where it is absent. 0 or -errno; -EFBIG where
 * it would exceed the bound. */
int weir_private_append(const char *path, size_t max_bytes, const void *bytes, size_t n);

/* In plain words what -errno of these means for the file. */
const char *weir_private_error(int error);
