/* DIR/history.db: hours of each service and the events of incidents, kept for 13 months.
 *
 *      engine --record--> hours (booked in memory) --at an hour's end, or at an incident--> queue
 * --> thread --> SQLite
 *
 * Writing to a slow disk may take seconds, and capture can't wait: a thread of this sink writes,
 * all that waits in one transaction. A failed one (a full disk) is said once, kept, and tried
 * again; behind QUEUE_MAX the newest are dropped, and counted. What a kill takes is the open hour,
 * up to the last incident in it.
 *
 * An interface's run goes on in an hour that an earlier run may have begun: what that one wrote is
 * read once, and added. A replay's hours take the place of those of an earlier replay, so that it
 * can be repeated.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/sink.h>

#include "base/log.h"
#include "history/hours.h"
#include "history/store.h"
#include "publish/json.h"

enum { QUEUE_MAX = 8192, AGAIN_S = 10, LIVE_PATIENCE_S = 5, REPLAY_PATIENCE_S = 60, PAGES = 2 };

struct job {
    struct job *next;
    bool is_event;
    weir_service_id service;
    char name[64]; /* of the service */
    struct weir_history_hour hour;
    struct weir_history_incident incident; /* its texts are the job's own */
};

/* What an earlier run wrote of an hour; start_us says of which. */
struct base {
    struct weir_history_hour hour[PAGES];
};

struct history_sink {
    const struct weir_publish_context *context;
    bool replay, over, incident_said;
    struct weir_json *json;
    struct weir_hours *hours;
    int64_t now_us;

    struct weir_history_store *store;      /* the thread's, once it runs */
    struct base *bases[WEIR_SERVICES_MAX]; /* the thread's */
    pthread_t thread;
    bool runs;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct job *first, **end;
    size_t n_jobs; /* that wait, or are being written */
    uint64_t dropped;
    bool stop, failing;
    struct weir_fault why; /* of the last failure */
};

static void job_free(struct job *job) {
    free(job->incident.text);
    free(job->incident.json);
    free(job);
}

static void jobs_free(struct job *job) {
    while (job) {
        struct job *next = job->next;
        job_free(job);
        job = next;
    }
}

/* ---- the thread ---- */

/* Adds what an earlier run saw of the same hour; together no more than there is in an hour. */
static void add_base(struct weir_history_hour *hour, const struct weir_history_hour *base) {
    int32_t room = 3600 - hour->judged_s;
    const struct {
        int32_t *own;
        int32_t base;
    } rows[] = {{&hour->down_s, base->down_s},
                {&hour->partial_s, base->partial_s},
                {&hour->degraded_s, base->degraded_s},
                {&hour->healthy_s, base->healthy_s}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t more = rows[i].base < room ? rows[i].base : room;
        *rows[i].own += more;
        room -= more;
    }
    if (base->judged_s > hour->judged_s) { /* medians: of the run that saw more */
        hour->goodput_bps = base->goodput_bps;
        hour->ttfb_us = base->ttfb_us;
        hour->rtt_server_us = base->rtt_server_us;
        hour->rtt_client_us = base->rtt_client_us;
        hour->loss_server = base->loss_server;
        hour->loss_client = base->loss_client;
    }
    hour->judged_s = 3600 - room;
    hour->trials_ok += base->trials_ok;
    hour->trials_fail += base->trials_fail;
}

static int find_base(struct history_sink *sink, const struct job *job,
                     const struct weir_history_hour **ret_base, struct weir_fault *fault) {
    struct base **base = &sink->bases[job->service];
    if (!*base && !(*base = calloc(1, sizeof **base))) return -ENOMEM;
    struct weir_history_hour *hour = &(*base)->hour[job->hour.start_us / WEIR_HOUR_US % PAGES];
    *ret_base = hour;
    if (hour->start_us == job->hour.start_us) return 0;
    int there =
        weir_history_store_read_hour(sink->store, job->name, job->hour.start_us, hour, fault);
    if (there == 0) *hour = (struct weir_history_hour){0};
    if (there >= 0) hour->start_us = job->hour.start_us;
    return there < 0 ? there : 0;
}

static int write_job(struct history_sink *sink, const struct job *job, struct weir_fault *fault) {
    if (job->is_event) return weir_history_store_event(sink->store, &job->incident, fault);
    struct weir_history_hour hour = job->hour;
    if (!sink->replay) {
        const struct weir_history_hour *base;
        int error = find_base(sink, job, &base, fault);
        if (error) return error;
        add_base(&hour, base);
    }
    return weir_history_store_hour(sink->store, job->name, &hour, fault);
}

static int write_jobs(struct history_sink *sink, const struct job *jobs, struct weir_fault *fault) {
    int64_t newest_us = 0;
    int error = weir_history_store_begin(sink->store, fault);
    for (const struct job *job = jobs; !error && job; job = job->next) {
        error = write_job(sink, job, fault);
        newest_us = job->hour.start_us > newest_us ? job->hour.start_us : newest_us;
    }
    if (!error && newest_us) error = weir_history_store_prune(sink->store, newest_us, fault);
    return error ? error : weir_history_store_end(sink->store, fault);
}

static void tell(struct history_sink *sink, int error) {
    if (error && !sink->failing)
        weir_log(WEIR_LOG_ERROR, "%s; history waits in memory until it can be written",
                 sink->why.text);
    else if (!error && sink->failing)
        weir_log(WEIR_LOG_NOTICE, "history is written again");
    sink->failing = error != 0;
}

/* Puts back, in front of those that came since, what could not be written. The lock is held. */
static void put_back(struct history_sink *sink, struct job *jobs) {
    struct job **end = &jobs;
    while (*end) end = &(*end)->next;
    *end = sink->first;
    if (!sink->first) sink->end = end;
    sink->first = jobs;
}

static void wait_for_jobs(struct history_sink *sink, bool again) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AGAIN_S;
    while (!sink->stop && (again || !sink->first))
        if (!again)
            pthread_cond_wait(&sink->changed, &sink->lock);
        else if (pthread_cond_timedwait(&sink->changed, &sink->lock, &until) == ETIMEDOUT)
            break;
}

static void *write_all(void *context) {
    struct history_sink *sink = context;
    bool again = false;
    pthread_mutex_lock(&sink->lock);
    for (;;) {
        wait_for_jobs(sink, again);
        if (!sink->first) break; /* to stop */
        struct job *jobs = sink->first;
        size_t n = sink->n_jobs;
        struct weir_fault fault = {0};
        sink->first = NULL;
        sink->end = &sink->first;
        pthread_mutex_unlock(&sink->lock);
        int error = write_jobs(sink, jobs, &fault);
        pthread_mutex_lock(&sink->lock);
        sink->why = fault;
        tell(sink, error);
        if (error && !sink->stop) {
            put_back(sink, jobs);
        } else {
            jobs_free(jobs);
            sink->n_jobs -= n;
        }
        again = error != 0;
        pthread_cond_broadcast(&sink->changed);
        if (error && sink->stop) break;
    }
    pthread_mutex_unlock(&sink->lock);
    return NULL;
}

/* ---- records ---- */

/* Takes over the job. */
static void put_job(struct history_sink *sink, struct job *job) {
    pthread_mutex_lock(&sink->lock);
    if (sink->n_jobs >= QUEUE_MAX) {
        if (sink->dropped++ == 0)
            weir_log(WEIR_LOG_ERROR, "history cannot be written, and no more of it fits into "
                                     "memory: what comes is lost");
        job_free(job);
    } else {
        *sink->end = job;
        sink->end = &job->next;
        sink->n_jobs++;
        pthread_cond_broadcast(&sink->changed);
    }
    pthread_mutex_unlock(&sink->lock);
}

static void put_hour(void *context, weir_service_id service, const struct weir_history_hour *hour) {
    struct history_sink *sink = context;
    struct job *job = calloc(1, sizeof *job);
    if (!job) return;
    job->service = service;
    job->hour = *hour;
    snprintf(job->name, sizeof job->name, "%s", weir_service_get(sink->context->set, service)->id);
    put_job(sink, job);
}

static void put_event(struct history_sink *sink, const struct weir_record *record) {
    const struct weir_incident *incident = record->incident;
    const struct weir_service *service =
        incident->service ? weir_service_get(sink->context->set, incident->service) : NULL;
    size_t length;
    const char *json = weir_json_record(sink->json, record, &length);
    struct job *job = calloc(1, sizeof *job);
    if (!job) return;
    job->is_event = true;
    struct weir_history_incident *into = &job->incident;
    *into = (struct weir_history_incident){.onset_us = incident->onset_us,
                                           .raised_us = incident->raised_us,
                                           .recovered_us = incident->recovered_us,
                                           .cleared_us = incident->cleared_us,
                                           .told_us = record->ts_us,
                                           .maintenance = incident->maintenance,
                                           .text = strdup(incident->text),
                                           .json = strdup(json)};
    snprintf(into->id, sizeof into->id, "%s", incident->id);
    snprintf(into->service, sizeof into->service, "%s", service ? service->id : "");
    snprintf(into->state, sizeof into->state, "%s", weir_state_name(incident->state));
    snprintf(into->cause, sizeof into->cause, "%s", weir_cause_name(incident->cause));
    snprintf(into->event, sizeof into->event, "%s", weir_incident_event_name(incident->event));
    weir_hours_incident(sink->hours, incident);
    if (into->text && into->json)
        put_job(sink, job);
    else
        job_free(job);
    sink->incident_said = true;
}

static int history_record(void *state, const struct weir_record *record, struct weir_fault *fault) {
    struct history_sink *sink = state;
    int error = 0;
    if (record->type == WEIR_RECORD_WINDOW)
        error = weir_hours_window(sink->hours, record->window);
    else if (record->type == WEIR_RECORD_INCIDENT)
        put_event(sink, record);
    else if (record->type == WEIR_RECORD_CAPTURE)
        sink->over = !record->capture->interim;
    else
        return 0;
    if (record->ts_us > sink->now_us) sink->now_us = record->ts_us;
    return error;
}

/* Waits until all is written: < 0 says why it is not. The lock is held. */
static int drain(struct history_sink *sink, int64_t patience_s, struct weir_fault *fault) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += patience_s;
    while (sink->n_jobs && !sink->failing)
        if (pthread_cond_timedwait(&sink->changed, &sink->lock, &until) == ETIMEDOUT) break;
    if (!sink->n_jobs) return 0;
    return weir_fault_set(fault, -EIO, "%s: history of this run is not whole",
                          sink->failing ? sink->why.text : "the disk is too slow");
}

static int history_flush(void *state, struct weir_fault *fault) {
    struct history_sink *sink = state;
    struct weir_fault why = {0};
    weir_hours_changed(sink->hours, sink->now_us, sink->over || sink->incident_said, put_hour,
                       sink);
    sink->incident_said = false;
    if (!sink->over && !sink->replay) return 0;
    pthread_mutex_lock(&sink->lock);
    int error = drain(sink, sink->replay ? REPLAY_PATIENCE_S : LIVE_PATIENCE_S, &why);
    pthread_mutex_unlock(&sink->lock);
    if (error && sink->replay) return weir_fault_set(fault, error, "%s", why.text);
    if (error) weir_log(WEIR_LOG_ERROR, "%s", why.text);
    return 0;
}

/* ---- life ---- */

static void history_free(void *state) {
    struct history_sink *sink = state;
    if (!sink) return;
    if (sink->runs) {
        pthread_mutex_lock(&sink->lock);
        sink->stop = true;
        pthread_cond_broadcast(&sink->changed);
        pthread_mutex_unlock(&sink->lock);
        pthread_join(sink->thread, NULL);
    }
    jobs_free(sink->first);
    for (size_t i = 0; i < WEIR_SERVICES_MAX; i++) free(sink->bases[i]);
    weir_history_store_free(sink->store);
    weir_hours_free(sink->hours);
    weir_json_free(sink->json);
    pthread_cond_destroy(&sink->changed);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}

int weir_sink_history_new(void **ret_state, const struct weir_publish_context *context,
                          const char *directory, bool replay, struct weir_fault *fault) {
    struct history_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return -ENOMEM;
    sink->context = context;
    sink->replay = replay;
    sink->end = &sink->first;
    pthread_mutex_init(&sink->lock, NULL);
    pthread_cond_init(&sink->changed, NULL);
    sink->json = weir_json_new(context);
    sink->hours = weir_hours_new();
    int error = sink->json && sink->hours
                    ? weir_history_store_open(&sink->store, directory, context->site, fault)
                    : -ENOMEM;
    if (!error) {
        error = -pthread_create(&sink->thread, NULL, write_all, sink);
        sink->runs = error == 0;
    }
    if (error) {
        history_free(sink);
        return error;
    }
    *ret_state = sink;
    return 0;
}

const struct weir_sink weir_sink_history = {
    .name = "history",
    .help = "history.db in the state directory: hours and incidents of 13 months",
    .record = history_record,
    .flush = history_flush,
    .free = history_free,
};
