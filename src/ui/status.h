/* Shared by the files of `weir status` and `weir alerts`. */
#pragma once

#include "ui/prompt.h"

/* The verdict of all sites: an exit code, or < 0 with a fault. */
int weir_status_of_fleet(const struct weir_prompt *prompt, const char *service,
                         struct weir_fault *fault);

/* The sentence, the evidence and the table. */
void weir_status_print(const struct weir_view *view, const char *service,
                       const struct weir_view_judgement *judgement, bool colour);
const char *weir_status_colour(bool colour, const char *state); /* an escape sequence, or "" */
void weir_status_wrapped(const char *text, unsigned indent);    /* words, to the terminal's width */
/* The same on a line that has begun: the cursor is at `column`. */
void weir_status_go_on(const char *text, unsigned column, unsigned indent);
const char *weir_status_health_name(enum weir_view_health health);
