/* Markup, grown by doubling.
 *
 * Escaping: the five characters that mean something in text or in a quoted attribute become
 * references; control bytes and bytes that are no UTF-8 become a question mark, so that a page is
 * valid whatever a stranger called a host.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "page/html.h"

static bool reserve(struct weir_html *html, size_t more) {
    if (html->failed) return false;
    if (html->length + more + 1 <= html->size) return true;
    size_t size = html->size ? html->size : 16384;
    while (size < html->length + more + 1) size *= 2;
    char *text = realloc(html->text, size);
    if (!text) {
        html->failed = true;
        return false;
    }
    html->text = text;
    html->size = size;
    return true;
}

void weir_html_raw_n(struct weir_html *html, const char *markup, size_t length) {
    if (!reserve(html, length)) return;
    memcpy(html->text + html->length, markup, length);
    html->length += length;
    html->text[html->length] = '\0';
}

void weir_html_raw(struct weir_html *html, const char *markup) {
    weir_html_raw_n(html, markup, strlen(markup));
}

/* How many bytes the UTF-8 character takes that begins here; 0: it is none. */
static size_t character(const uint8_t *text, size_t rest) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = text[0] < 0x80             ? 1
               : (text[0] & 0xe0) == 0xc0 ? 2
               : (text[0] & 0xf0) == 0xe0 ? 3
               : (text[0] & 0xf8) == 0xf0 ? 4
                                          : 0;
    if (n == 0 || n > rest) return 0;
    uint32_t code = n == 1 ? text[0] : text[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    return (n > 1 && code < least[n]) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ||
                   (code >= 0x80 && code < 0xa0)
               ? 0
               : n;
}

static const char *reference(char c) {
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return (unsigned char)c < ' ' || c == 0x7f ? "?" : NULL;
    }
}

void weir_html_escape(struct weir_html *html, const char *text, size_t length) {
    for (size_t i = 0; i < length;) {
        size_t n = character((const uint8_t *)text + i, length - i);
        const char *instead = n == 0 ? "?" : n == 1 ? reference(text[i]) : NULL;
        if (instead)
            weir_html_raw(html, instead);
        else
            weir_html_raw_n(html, text + i, n);
        i += n ? n : 1;
    }
}

/* One conversion, from its % on: returns its length. Only what this program's templates use. */
static size_t convert(struct weir_html *html, const char *at, va_list *args) {
    char spec[24], text[64];
    size_t n = strspn(at + 1, "-+ #0123456789.*lzj") + 2;
    char kind = at[n - 1];
    if (kind == '%') {
        weir_html_raw(html, "%");
        return n;
    }
    if (kind == 's') {
        int most = memchr(at, '*', n) ? va_arg(*args, int) : -1;
        const char *value = va_arg(*args, const char *);
        weir_html_escape(html, value, most < 0 ? strlen(value) : strnlen(value, (size_t)most));
        return n;
    }
    snprintf(spec, sizeof spec, "%.*s", (int)n, at);
    if (kind == 'f' || kind == 'g')
        snprintf(text, sizeof text, spec, va_arg(*args, double));
    else if (memchr(at, 'z', n))
        snprintf(text, sizeof text, spec, va_arg(*args, size_t));
    else if (memchr(at, 'l', n))
        snprintf(text, sizeof text, spec, va_arg(*args, long));
    else
        snprintf(text, sizeof text, spec, va_arg(*args, int));
    weir_html_raw(html, text);
    return n;
}

void weir_html_add(struct weir_html *html, const char *format, ...) {
    va_list args;
    va_start(args, format);
    while (*format) {
        size_t n = strcspn(format, "%");
        weir_html_raw_n(html, format, n);
        format += n;
        if (*format) format += convert(html, format, &args);
    }
    va_end(args);
}

void weir_html_deinit(struct weir_html *html) {
    free(html->text);
    *html = (struct weir_html){0};
}
