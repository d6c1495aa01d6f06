/* Words in lines that fit. */
#pragma once

#include <stdio.h>

/* Columns that a page of help takes, and that a report may count on. */
#define WEIR_HELP_COLUMNS 80

/* Writes words so that no line is longer than `width` columns, and ends the last line. `column` is
 * where the cursor stands, and where the first line goes on; later lines begin at `indent`. A word
 * that is longer than a line stays whole. A newline in `text` counts as a space. */
void weir_wrap(FILE *out, const char *text, unsigned column, unsigned indent, unsigned width);
