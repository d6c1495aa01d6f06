/* Runs the workers over a source: one in the caller's thread, the others in threads of their own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "engine/bounds.h"
#include "engine/coordinator.h"
#include "engine/pipeline.h"
#include "engine/prepare.h"
#include "engine/worker.h"

struct worker_thread {
    pthread_t thread;
    struct weir_worker *worker;
    struct weir_fault fault;
    int error;
};

static void *thread_main(void *argument) {
    struct worker_thread *self = argument;
    self->error = weir_worker_run(self->worker, &self->fault);
    return NULL;
}

/* Starts workers 1 .. n-1 and runs worker 0 here. A thread that cannot be had is fatal before
 * anything was read. */
static int run_workers(struct worker_thread *threads, unsigned n, struct weir_fault *fault) {
    for (unsigned i = 1; i < n; i++)
        if (pthread_create(&threads[i].thread, NULL, thread_main, &threads[i]) != 0)
            abort(); /* the other workers already wait for this one */
    threads[0].error = weir_worker_run(threads[0].worker, fault);
    for (unsigned i = 1; i < n; i++) pthread_join(threads[i].thread, NULL);
    return threads[0].error;
}

int weir_engine_run(struct weir_source *source, const struct weir_engine_options *options,
                    struct weir_fault *fault) {
    struct weir_coordinator *coordinator = NULL;
    struct weir_meeting *meeting = NULL;
    struct worker_thread *threads = calloc(options->n_workers, sizeof *threads);
    int error = threads ? weir_coordinator_new(&coordinator, options) : -ENOMEM;
    const struct weir_meeting_config meet = {.n_workers = options->n_workers,
                                             .n_blocks = engine_blocks(options),
                                             .own_thread = options->ticks_aside,
                                             .work = weir_coordinator_work,
                                             .context = coordinator};
    if (!error) error = weir_meeting_new(&meeting, &meet);
    for (unsigned i = 0; !error && i < options->n_workers; i++)
        error = weir_worker_new(&threads[i].worker, i, options->lanes ? options->lanes[i] : source,
                                coordinator, meeting, options);
    if (error == -ENOMEM)
        weir_fault_set(fault, error, "no memory for the tables of --memory %zu; lower --memory%s",
                       options->memory_bytes >> 20, options->n_workers > 1 ? " or --workers" : "");
    struct weir_preparer preparer = {.n_workers = options->n_workers};
    if (!error && options->n_workers > 1 && !options->lanes) {
        preparer.table = weir_worker_flows(threads[0].worker);
        weir_source_prepare(source, weir_prepare, &preparer,
                            weir_prepared_bytes(options->n_workers));
    }
    if (!error && options->live) weir_coordinator_watch(coordinator, source);
    if (!error) error = weir_meeting_start(meeting);
    if (!error) {
        error = run_workers(threads, options->n_workers, fault);
        weir_meeting_stop(meeting);
        if (options->progress) options->progress(options->progress_context, NULL);
        int sink_error = weir_coordinator_finish(coordinator, weir_worker_now_us(threads[0].worker),
                                                 source, error ? NULL : fault);
        error = error ? error : sink_error;
    }
    for (unsigned i = 0; threads && i < options->n_workers; i++)
        weir_worker_free(threads[i].worker);
    free(threads);
    weir_meeting_free(meeting);
    weir_coordinator_free(coordinator);
    return error;
}
