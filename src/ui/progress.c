/* The bar: share of the file, what was read, packets a second, and how long it will take; drawn ten
 * times a second at most. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ui/progress.h"

static double clock_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void weir_progress_init(struct weir_progress *progress, bool wanted) {
    *progress =
        (struct weir_progress){.shown = wanted && isatty(STDERR_FILENO), .started_s = clock_s()};
    progress->drawn_s = progress->started_s;
}

static void draw_bar(double share) {
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++) bar[i] = i < (int)(share * WIDTH) ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3.0f %%", bar, share * 100);
}

void weir_progress_done(struct weir_progress *progress) {
    if (progress->shown) fputs("\r\033[K", stderr);
    progress->shown = false;
}

void weir_progress_update(void *context, struct weir_source *source) {
    struct weir_progress *progress = context;
    double now = clock_s();
    if (!source) {
        weir_progress_done(progress);
        return;
    }
    if (!progress->shown || now - progress->drawn_s < 0.1) return;
    progress->drawn_s = now;
    struct weir_source_stats stats;
    weir_source_stats(source, &stats);
    double elapsed = now - progress->started_s, share = 0;
    if (stats.bytes_total) {
        share = (double)stats.bytes_read / (double)stats.bytes_total;
        draw_bar(share > 1 ? 1 : share);
    }
    fprintf(stderr, "%s  %" PRIu64 " packets, %.1f M/s", stats.bytes_total ? "" : "\r",
            stats.packets, (double)stats.packets / elapsed / 1e6);
    if (share > 0.01) fprintf(stderr, ", %.0f s to go", elapsed / share - elapsed);
    fputs("\033[K", stderr);
}
