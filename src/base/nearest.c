/* Optimal string alignment: Levenshtein's distance, with swaps of neighbours. Words are short. */
#include <string.h>

#include "base/nearest.h"

enum { LONGEST = 32, FARTHEST = 2 };

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

static unsigned distance(const char *a, size_t n, const char *b, size_t m) {
    unsigned rows[LONGEST + 1][LONGEST + 1];
    for (unsigned i = 0; i <= n; i++) rows[i][0] = i;
    for (unsigned j = 0; j <= m; j++) rows[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            unsigned other = a[i - 1] != b[j - 1];
            rows[i][j] =
                least(least(rows[i - 1][j] + 1, rows[i][j - 1] + 1), rows[i - 1][j - 1] + other);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                rows[i][j] = least(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    return rows[n][m];
}

const char *weir_nearest(const char *word, const char *const *words, size_t n) {
    const char *found = NULL;
    unsigned best = FARTHEST + 1;
    size_t length = strlen(word);
    for (size_t i = 0; i < n; i++) {
        size_t other = words[i] ? strlen(words[i]) : LONGEST + 1;
        if (length > LONGEST || other > LONGEST) continue;
        unsigned away = distance(word, length, words[i], other),
                 longer = (unsigned)(length > other ? length : other);
        if (away == 0) return NULL;
        if (away < best && away * 3 <= longer) {
            best = away;
            found = words[i];
        }
    }
    return found;
}
