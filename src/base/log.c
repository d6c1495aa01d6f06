/* Log lines: "weir: error: ..." in a terminal or pipe, "<3>..." where the journal reads
 * (JOURNAL_STREAM). */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/printable.h"

static enum weir_log_level log_level = WEIR_LOG_NOTICE;

void weir_log_set_level(enum weir_log_level level) { log_level = level; }

static const char *level_text(enum weir_log_level level) {
    switch (level) {
    case WEIR_LOG_ERROR: return "error: ";
    case WEIR_LOG_WARNING: return "warning: ";
    case WEIR_LOG_DEBUG: return "debug: ";
    default: return "";
    }
}

void weir_log(enum weir_log_level level, const char *format, ...) {
    if (level > log_level) return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    weir_printable(line, false); /* names of files, hosts and interfaces are in it */
    const char *none = getenv("NO_COLOR");
    bool colour = isatty(STDERR_FILENO) && !(none && *none);
    if (getenv("JOURNAL_STREAM") && !isatty(STDERR_FILENO))
        fprintf(stderr, "<%d>%s\n", level, line);
    else
        fprintf(stderr, "weir: %s%s%s%s\n",
                colour ? (level == WEIR_LOG_ERROR     ? "\033[31m"
                          : level == WEIR_LOG_WARNING ? "\033[33m"
                                                      : "")
                       : "",
                level_text(level), colour ? "\033[0m" : "", line);
}
