/* How each command confines itself, from its options (src/confine says what that means). */
#pragma once

#include "confine/confine.h"
#include "engine/config.h"
#include "ui/prompt.h"

/* What live and replay read again later: signatures, and the directories of the configuration, the
 * password, the key and the database of autonomous systems (of the directory, since an editor puts
 * a new file in the old one's place). */
void weir_confinement_of_config(struct weir_confinement *how, const struct weir_config *config);
/* Adds the directory of a file that is read later; NULL: none. */
void weir_confinement_reads(struct weir_confinement *how, const char *file);
/* Adds what a connection to Redis reads: the password's file, and those that the URL names for TLS.
 * Each may be NULL. */
void weir_confinement_reads_redis(struct weir_confinement *how, const char *url,
                                  const char *password_file);
/* A reader at the prompt: keeps its user, sees the state directory, connects where Redis is named.
 * Before it reads a byte. */
int weir_confine_reader(const struct weir_prompt *prompt, bool full_screen,
                        struct weir_fault *fault);
