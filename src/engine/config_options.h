/* The options as rows, for config.c alone. */
#pragma once

#include "engine/config.h"

struct weir_config_option {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* NULL: a switch */
    bool repeatable;
    bool command_line_only;
    /* 0, or < 0 with a fault that names the option and what is allowed; NULL: config.c's own */
    int (*read)(struct weir_config *config, const char *text, struct weir_fault *fault);
    const char *help;  /* NULL: another spelling, not listed */
    unsigned commands; /* enum weir_config_command bits; 0: all */
};

enum { WEIR_CONFIG_OPTIONS_MAX = 64 };
extern const struct weir_config_option weir_config_options[];
extern const int weir_config_n_options; /* at most WEIR_CONFIG_OPTIONS_MAX */
