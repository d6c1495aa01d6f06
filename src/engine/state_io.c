#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/private_file.h"
#include "engine/state_io.h"

enum { FILE_MAX = 256 << 20 };
#define TOO_OLD_US (INT64_C(7) * 86400 * 1000000)
#define AHEAD_US   INT64_C(60000000)

int weir_state_io_read(const char *directory, const char *name, size_t least, uint8_t **ret_bytes,
                       size_t *ret_n, struct weir_fault *fault) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    char *bytes = NULL;
    size_t n = 0;
    int error = weir_private_read(path, FILE_MAX, &bytes, &n);
    if (error == -ENOENT) return WEIR_STATE_NONE;
    if (!error && n >= least) {
        *ret_bytes = (uint8_t *)bytes;
        *ret_n = n;
        return 0;
    }
    free(bytes);
    weir_fault_set(fault, 0, "%s: %s; what was learned before is not used", path,
                   error ? weir_private_error(error) : "not a state of weir's");
    return WEIR_STATE_NONE;
}

int weir_state_io_replace(const char *directory, const char *name, const void *head, size_t n_head,
                          const void *body, size_t n_body, struct weir_fault *fault) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    const struct weir_piece pieces[] = {{head, n_head}, {body, n_body}};
    int error = weir_private_replace(path, 0600, true, pieces, 2);
    return error ? weir_fault_set(fault, error, "%s: cannot be written: %s", path,
                                  weir_private_error(error))
                 : 0;
}

const char *weir_state_io_age(int64_t saved_us, int64_t now_us) {
    if (saved_us > now_us + AHEAD_US) return "of a later time than these packets";
    return now_us - saved_us > TOO_OLD_US ? "more than a week old" : NULL;
}
