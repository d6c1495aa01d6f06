/* The word that somebody may have meant. */
#pragma once

#include <stddef.h>

/* Of n words the one with the least distance from `word`; letters left out, added, exchanged or
 * swapped count one each. At most a third of the longer word's length and two may differ. NULL:
 * none is near, or `word` is one of them. */
const char *weir_nearest(const char *word, const char *const *words, size_t n);
