/* Who is told, how, and of what: one line of the configuration's `to:`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

enum weir_format {
    WEIR_FORMAT_ALERTMANAGER,
    WEIR_FORMAT_CLOUDEVENTS,
    WEIR_FORMAT_SLACK,
    WEIR_FORMAT_NTFY,
    WEIR_FORMAT_JSON,
    WEIR_FORMAT_COMMAND,
    WEIR_FORMAT_N
};

enum { WEIR_TARGETS_MAX = 64 };

/* "FORMAT URL [services=a,b] [state=degraded|partial|down] [after=90s] [quiet=22:00/07:00]
 * [changes] [each] [token-file=PATH]", or "command PROGRAM [ARGUMENT...]" with the same words in
 * front of the program. */
struct weir_target {
    enum weir_format format;
    char url[400];      /* or the command line */
    char shown[120];    /* for a person: without what follows the host, which may be a secret */
    char name[24];      /* of its own in the cursor: changes with format and URL only */
    char services[200]; /* ",netflix,youtube,"; "": all */
    uint8_t least;      /* enum weir_state */
    int64_t after_us;   /* an incident must have lasted so long */
    int quiet_from, quiet_until; /* minutes of the day, UTC; equal: none */
    bool changes;                /* of updates only those that change state or cause */
    bool each;               /* also incidents of one cause with another that was told already */
    char authorization[256]; /* header, or "" */
};

/* Reads a token file at once. 0 or -EINVAL with what is wrong. */
int weir_target_parse(struct weir_target *ret_target, const char *line, struct weir_fault *fault);
bool weir_target_wants_service(const struct weir_target *target, const char *service);
bool weir_target_is_quiet(const struct weir_target *target, int64_t now_us);
const char *weir_format_name(enum weir_format format);
