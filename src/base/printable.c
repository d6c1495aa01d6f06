/* See printable.h. UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

/* The length of the character at `text`; 0: no valid UTF-8. */
static size_t decode(const unsigned char *text, uint32_t *ret_code) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80                      ? 1
                    : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                    : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                    : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                        : 0;
    if (length <= 1) {
        *ret_code = text[0];
        return length;
    }
    uint32_t code = text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    *ret_code = code;
    return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0
                                                                                        : length;
}

static bool steers(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
           (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

char *weir_printable(char *text, bool lines) {
    unsigned char *to = (unsigned char *)text;
    for (const unsigned char *from = to; *from;) {
        uint32_t code;
        size_t length = decode(from, &code);
        bool keep = length && (!steers(code) || (lines && (code == '\n' || code == '\t')));
        if (keep) {
            memmove(to, from, length);
            to += length;
        } else
            *to++ = '?';
        from += length ? length : 1;
    }
    *to = '\0';
    return text;
}

/* The character that a \uXXXX stands for; 0: none. Halves of pairs are left to who reads them. */
static bool escape_steers(const char *digits) {
    uint32_t code = 0;
    for (size_t i = 0; i < 4; i++) {
        const char *digit =
            digits[i] ? strchr("0123456789abcdef0123456789ABCDEF", digits[i]) : NULL;
        if (!digit) return false;
        code = code << 4 | (uint32_t)((digit - "0123456789abcdef0123456789ABCDEF") & 15);
    }
    return steers(code);
}

char *weir_printable_json(char *text) {
    char *to = weir_printable(text, true);
    for (const char *from = to; *from;) {
        size_t length = from[0] != '\\' || !from[1] ? 1 : from[1] == 'u' ? 6 : 2;
        bool steering = length == 6   ? escape_steers(from + 2)
                        : length == 2 ? strchr("bfnrt", from[1]) != NULL
                                      : false;
        length = length == 6 && !steering ? 2 : length; /* four digits are four characters */
        if (steering)
            *to++ = '?';
        else {
            memmove(to, from, length);
            to += length;
        }
        from += length;
    }
    *to = '\0';
    return text;
}

char *weir_printable_copy(char *room, size_t size, const char *text) {
    size_t n = strnlen(text, size - 1);
    memcpy(room, text, n);
    room[n] = '\0';
    if (text[n]) /* cut: not in the middle of a character */
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) room[--n] = '\0';
    return weir_printable(room, false);
}

bool weir_is_printable(const char *text) {
    uint32_t code;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t length = decode(at, &code);
        if (!length || steers(code)) return false;
        at += length;
    }
    return true;
}
