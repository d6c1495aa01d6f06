/* Memory that is so small that its absence leaves nothing to do: 64 KiB and less.
 *
 * Tables, rings and batches are asked for at the start, are large, and whoever asks says which
 * option to lower. What is asked for later, mostly by libraries that write JSON or dissect packets,
 * is small, and many of these libraries crash without it. So the program ends then, with one
 * sentence: the spool and the state are whole on the disk, and a service manager starts it again.
 *
 * And memory that was needed for a moment goes back: a state that is written and evidence that is
 * gathered take some MiB for some milliseconds. After the first such block the C library would keep
 * the like for ever, unless its threshold is set.
 *
 * Only the C library of GNU has its functions under a second name; sanitizers have an allocator of
 * their own. Elsewhere each caller is on its own.
 */
#include <features.h>
#include <stddef.h>
#include <unistd.h>

#include "base/sanitized.h"

#if defined(__GLIBC__) && !WEIR_SANITIZED

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "ui/command.h"

enum { SMALL_BYTES = 64 << 10, LARGE_BYTES = 128 << 10 };

__attribute__((constructor)) static void give_back(void) { mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); }

extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size),
    *__libc_realloc(void *old, size_t n);

static void *there_or_end(void *memory, size_t n) {
    static const char words[] =
        "weir: error: out of memory; lower --memory or --buffer, or give weir more\n";
    if (memory || n == 0 || n > SMALL_BYTES) return memory;
    (void)!write(STDERR_FILENO, words, sizeof words - 1);
    _exit(WEIR_EXIT_FAILED);
}

void *malloc(size_t n) { return there_or_end(__libc_malloc(n), n); }

void *calloc(size_t n, size_t size) {
    size_t all;
    return there_or_end(__libc_calloc(n, size),
                        __builtin_mul_overflow(n, size, &all) ? SIZE_MAX : all);
}

void *realloc(void *old, size_t n) { return there_or_end(__libc_realloc(old, n), n); }

#endif
