/* Text from outside on its way to a terminal or a log: it must not steer the terminal, and must be
 * valid UTF-8.
 *
 * Escape sequences begin with a control character of C0 (ESC) or of C1 (U+0080 to U+009F, of which
 * U+009B is CSI). Both kinds, DEL, bytes that are no UTF-8, and the marks that turn the direction
 * of writing become '?'.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Replaces in place; never longer. With `lines` newline and tab stay. Returns the text. */
char *weir_printable(char *text, bool lines);
/* The same of a JSON text, lines and escapes included: a string of it that is read later steers
 * nothing. */
char *weir_printable_json(char *text);
/* The same into `room`, cut at a character's end to fit. Returns `room`. */
char *weir_printable_copy(char *room, size_t size, const char *text);
/* True where nothing would be replaced. */
bool weir_is_printable(const char *text);
