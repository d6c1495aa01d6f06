/* A progress bar on stderr while a capture is read; nothing where stderr is not a terminal. */
#pragma once

#include <stdbool.h>

#include <weir/capture.h>

struct weir_progress {
    bool shown;                /* until it is done */
    double started_s, drawn_s; /* the terminal's clock, not the engine's */
};

void weir_progress_init(struct weir_progress *progress, bool wanted);
/* fits weir_engine_options.progress */
void weir_progress_update(void *progress, struct weir_source *source);
void weir_progress_done(struct weir_progress *progress); /* leaves an empty line; once */
