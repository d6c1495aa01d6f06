/* Columns are counted as characters of UTF-8; wide ones are not told apart. */
#include <stdbool.h>
#include <string.h>

#include "base/wrap.h"

static unsigned columns_of(const char *word, size_t length) {
    unsigned columns = 0;
    for (size_t i = 0; i < length; i++) columns += ((unsigned char)word[i] & 0xc0) != 0x80;
    return columns;
}

void weir_wrap(FILE *out, const char *text, unsigned column, unsigned indent, unsigned width) {
    bool begins = true; /* of a line: no space is due */
    text += strspn(text, " \n");
    while (*text) {
        size_t length = strcspn(text, " \n");
        unsigned columns = columns_of(text, length);
        if (column + columns + !begins > width && column > indent) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            begins = true;
        }
        fprintf(out, "%s%.*s", begins ? "" : " ", (int)length, text);
        column += columns + !begins;
        begins = false;
        text += length;
        text += strspn(text, " \n");
    }
    fputc('\n', out);
}
