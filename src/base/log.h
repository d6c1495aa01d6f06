/* Lines for the operator on stderr, one each, with a level that a terminal shows in colour and the
 * journal understands. Never called per packet. */
#pragma once

enum weir_log_level {
    WEIR_LOG_ERROR = 3,
    WEIR_LOG_WARNING = 4,
    WEIR_LOG_NOTICE = 5,
    WEIR_LOG_INFO = 6,
    WEIR_LOG_DEBUG = 7
};

void weir_log_set_level(enum weir_log_level level); /* default NOTICE */
__attribute__((format(printf, 2, 3))) void weir_log(enum weir_log_level level, const char *format,
                                                    ...);
