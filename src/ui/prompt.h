/* What the commands at the prompt (status, alerts, top, fleet) share: their options, and where they
 * read. */
#pragma once

#include <stdbool.h>

#include "engine/config.h"
#include "view/view.h"

struct weir_prompt {
    const char *redis, *site, *state;
    char *own_redis; /* --redis */
    bool json, no_colour;
    struct weir_config config; /* of --config */
};

/* An option of one command: NULL `argument` is a switch, NULL `help` another spelling that is not
 * listed. `read` may be NULL where the common ones are listed. */
struct weir_prompt_option {
    const char *name, *argument, *help;
    int (*read)(void *context, const char *text, struct weir_fault *fault);
};

/* Reads the options, the common ones and `own` (up to one without a name). Returns the index of the
 * first operand, WEIR_CONFIG_HELP after help, or < 0 with a fault. Deinitialise in any case. */
int weir_prompt_parse(struct weir_prompt *prompt, int argc, char **argv, const char *usage,
                      const struct weir_prompt_option *own, void *context,
                      struct weir_fault *fault);
void weir_prompt_deinit(struct weir_prompt *prompt);
/* The URL of Redis, or NULL: from --redis, --config or WEIR_REDIS. */
const char *weir_prompt_redis(const struct weir_prompt *prompt);
/* Opens what the options name: Redis, else the state directory. */
int weir_prompt_open(const struct weir_prompt *prompt, struct weir_view_source **ret_source,
                     struct weir_fault *fault);
int64_t weir_prompt_now_us(void);                          /* the wall clock */
bool weir_prompt_colour(const struct weir_prompt *prompt); /* of stdout */
/* 2 where there is no such thing, else 1; after saying the fault. */
int weir_prompt_fail(const struct weir_fault *fault, int error);
