/* A growing text of markup. Templates are literals of this program; whatever comes from elsewhere
 * goes in by %s, which escapes it: there is no other way for a stranger's host name into a page. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct weir_html {
    char *text; /* NULL while empty; the owner frees it */
    size_t length, size;
    bool failed; /* no memory: what was added after is not there */
};

/* printf, of whose conversions %s and %.*s are escaped for text and quoted attributes; numbers are
 * as usual. */
__attribute__((format(printf, 2, 3))) void weir_html_add(struct weir_html *html, const char *format,
                                                         ...);
/* Markup as it is: literals, and what this program made. */
void weir_html_raw(struct weir_html *html, const char *markup);
void weir_html_raw_n(struct weir_html *html, const char *markup, size_t length);
void weir_html_escape(struct weir_html *html, const char *text, size_t length);
void weir_html_deinit(struct weir_html *html);
