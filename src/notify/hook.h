/* A command that gets events on its standard input: run by a small process of its own, started
 * before weir notify gives up what it needs for that. */
#pragma once

#include <stddef.h>

#include <weir/error.h>

enum weir_hook_answer { WEIR_HOOK_TAKEN = 'y', WEIR_HOOK_AGAIN = 'n', WEIR_HOOK_NEVER = 'x' };

/* Starts the process; *ret_fd is how to talk with it, and is readable when it has an answer (or is
 * gone). */
int weir_hook_start(int *ret_fd, const char *command_line, struct weir_fault *fault);
/* Hands it one event. 0 or < 0. */
int weir_hook_ask(int fd, const char *body, size_t length);
/* Its answer: a character of enum weir_hook_answer; < 0: the process is gone. */
int weir_hook_answer(int fd);
