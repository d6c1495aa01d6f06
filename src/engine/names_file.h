/* `names.state` in the state directory: what DNS told clients about addresses. See names_file.c. */
#pragma once

#include <weir/classify.h>
#include <weir/error.h>

struct weir_names_file; /* opaque */

/* Reads what an earlier run left. 0, also when there is nothing to read (*ret_file NULL; a fault
 * says why, empty when there is no file); -ENOMEM. */
int weir_names_file_read(struct weir_names_file **ret_file, const char *directory,
                         struct weir_fault *fault);
void weir_names_file_free(struct weir_names_file *file);
/* Teaches the names that are still alive at `now_us`, the time of the first packet; nothing where
 * the file is of a later time. */
void weir_names_file_restore(const struct weir_names_file *file, struct weir_classifier *classifier,
                             int64_t now_us);
/* A copy of what the classifier knows at `now_us`, to be written: made by the thread that has the
 * classifier, or when that is gone. The caller frees it. 0 or -ENOMEM. */
int weir_names_file_take(struct weir_names_file **ret_file,
                         const struct weir_classifier *classifier, int64_t now_us);
/* Replaces the file as a whole; it is on the disk then, which takes its time. 0 or < 0 with a
 * fault. */
int weir_names_file_write(const char *directory, const struct weir_names_file *file,
                          struct weir_fault *fault);
