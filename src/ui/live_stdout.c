/* A sink in front of stdout's. What was captured so far is kept back, since one capture record ends
 * a run; of it a person at a terminal gets a line a minute. A pipe or a journal gets incidents
 * only: what keeps them needs no signs of life, and status.json has all else. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/local_time.h"
#include "base/wrap.h"
#include "ui/command.h"
#include "ui/live_stdout.h"
#include "view/view.h"

#define MINUTE_US INT64_C(60000000)

struct live_stdout {
    const struct weir_sink *sink; /* of the records, or of the report at the end */
    void *state;
    const struct weir_service_set *set;
    bool incidents, life; /* which lines there are */
    unsigned columns;
    bool seen[WEIR_SERVICES_MAX];
    uint8_t states[WEIR_SERVICES_MAX];    /* enum weir_state of the newest window */
    int64_t window_us[WEIR_SERVICES_MAX]; /* its end */
    int64_t told_us;                      /* when the last line of a minute was printed */
    uint64_t packets, bytes;              /* at that time */
};

static void free_live(void *state) {
    struct live_stdout *live = state;
    if (live && live->state) live->sink->free(live->state);
    free(live);
}

static void print_line(const struct live_stdout *live, int64_t ts_us, const char *text) {
    char when[32];
    weir_local_time(when, sizeof when, ts_us, "%H:%M:%S");
    printf("%s  ", when);
    weir_wrap(stdout, text, 10, 10, live->columns);
}

/* With date and zone: a line of it may be looked at years later. */
static void say_incident(const struct live_stdout *live, const struct weir_incident *incident) {
    char when[48], text[sizeof incident->text + 16], line[sizeof text + 128];
    const char *who = incident->service ? weir_service_get(live->set, incident->service)->id
                                        : weir_cause_name(incident->cause);
    bool cleared = incident->event == WEIR_INCIDENT_CLEARED;
    weir_local_time(when, sizeof when, incident->ts_us, "%Y-%m-%d %H:%M:%S %Z");
    weir_local_sentence(text, sizeof text, incident->text, incident->onset_us);
    snprintf(line, sizeof line, "%s  %s %s: %s", when, who,
             cleared ? "cleared" : weir_state_name(incident->state), text);
    if (live->life)
        weir_wrap(stdout, line, 0, 10, live->columns);
    else
        puts(line);
}

/* The first time that a service is seen: that it is known is news to who set this up. */
static void see_window(struct live_stdout *live, const struct weir_window_record *window) {
    if (window->service >= WEIR_SERVICES_MAX) return;
    live->states[window->service] = window->state;
    live->window_us[window->service] = window->end_us;
    if (live->seen[window->service] || window->service < WEIR_SERVICE_FIRST) return;
    char text[128];
    live->seen[window->service] = true;
    snprintf(text, sizeof text, "%s is seen for the first time",
             weir_service_get(live->set, window->service)->id);
    print_line(live, window->end_us, text);
}

/* "netflix down, 3 others healthy": those of the last minute that are not well by name. */
static void add_states(const struct live_stdout *live, int64_t now_us, char *text, size_t size) {
    size_t n_well = 0, n_unknown = 0, n_bad = 0, used = strlen(text);
    for (size_t id = WEIR_SERVICE_FIRST; id < WEIR_SERVICES_MAX; id++) {
        enum weir_state state = (enum weir_state)live->states[id];
        if (live->window_us[id] <= now_us - MINUTE_US) continue;
        n_well += state == WEIR_STATE_HEALTHY || state == WEIR_STATE_SUSPECT;
        n_unknown += state == WEIR_STATE_UNKNOWN;
        if (state == WEIR_STATE_UNKNOWN || state == WEIR_STATE_HEALTHY ||
            state == WEIR_STATE_SUSPECT || used + 64 > size)
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s %s", n_bad++ ? ", " : "; ",
                                 weir_service_get(live->set, (weir_service_id)id)->id,
                                 weir_state_name(state));
    }
    if (n_well)
        used += (size_t)snprintf(text + used, size - used, "; %zu service%s healthy", n_well,
                                 n_well == 1 ? "" : "s");
    if (n_unknown)
        used += (size_t)snprintf(text + used, size - used, "; of %zu too little is seen yet",
                                 n_unknown);
    if (!n_well && !n_unknown && !n_bad)
        snprintf(text + used, size - used, "; no streaming service");
}

static void see_capture(struct live_stdout *live, int64_t now_us,
                        const struct weir_capture_record *capture) {
    char text[600], packets[32], rate[32];
    if (!live->told_us) live->told_us = now_us;
    if (now_us - live->told_us < MINUTE_US) return;
    double seconds = (double)(now_us - live->told_us) / 1e6,
           n = (double)(capture->packets - live->packets),
           bps = 8 * (double)(capture->bytes - live->bytes) / seconds;
    if (n > 0)
        snprintf(text, sizeof text, "%s packets in %.0f s, %s", weir_view_amount(packets, n, ""),
                 seconds, weir_view_amount(rate, bps, "bit/s"));
    else
        snprintf(text, sizeof text, "no packet in %.0f s", seconds);
    add_states(live, now_us, text, sizeof text);
    print_line(live, now_us, text);
    live->told_us = now_us;
    live->packets = capture->packets;
    live->bytes = capture->bytes;
}

static int see(struct live_stdout *live, const struct weir_record *record,
               struct weir_fault *fault) {
    if (live->incidents && record->type == WEIR_RECORD_INCIDENT)
        say_incident(live, record->incident);
    else if (live->life && record->type == WEIR_RECORD_WINDOW)
        see_window(live, record->window);
    else if (live->life && record->type == WEIR_RECORD_CAPTURE)
        see_capture(live, record->ts_us, record->capture);
    else
        return 0;
    return fflush(stdout) == 0
               ? 0
               : weir_fault_set(fault, -EIO, "writing to standard output: %s", strerror(errno));
}

static int take_record(void *state, const struct weir_record *record, struct weir_fault *fault) {
    struct live_stdout *live = state;
    bool interim = record->type == WEIR_RECORD_CAPTURE && record->capture->interim;
    int error = interim || record->type != WEIR_RECORD_CAPTURE ? see(live, record, fault) : 0;
    return error || interim ? error : live->sink->record(live->state, record, fault);
}

static int flush(void *state, struct weir_fault *fault) {
    struct live_stdout *live = state;
    return live->sink->flush(live->state, fault);
}

const struct weir_sink weir_sink_live_stdout = {.name = "stdout",
                                                .help = "what an interface shows, as it happens",
                                                .record = take_record,
                                                .flush = flush,
                                                .free = free_live};

int weir_sink_live_stdout_new(void **ret_state, const struct weir_config *config,
                              const struct weir_publish_context *context) {
    const struct weir_terminal_options how = {.colour = weir_terminal_colour(config->no_colour),
                                              .columns = weir_terminal_columns(),
                                              .verbose = config->verbose};
    struct live_stdout *live = calloc(1, sizeof *live);
    if (!live) return -ENOMEM;
    *live = (struct live_stdout){.sink = config->json ? &weir_sink_ndjson : &weir_sink_terminal,
                                 .set = context->set,
                                 .incidents = !config->json,
                                 .life = !config->json && !config->quiet && isatty(STDOUT_FILENO),
                                 .columns = how.columns};
    int error = config->json ? weir_sink_ndjson_new(&live->state, context, config->records, stdout)
                             : weir_sink_terminal_new(&live->state, context, stdout, &how);
    if (error) {
        free(live);
        return error;
    }
    *ret_state = live;
    return 0;
}
