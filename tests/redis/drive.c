/* drive: a load for the fault tests. Made-up incidents and windows through the very sink that `weir
 * live` uses, at a given rate; says what it handed over, what was safe on disk and what was
 * delivered.
 *
 *     drive --redis URL [--spool FILE] [--password-file FILE] [--site NAME] [--from N] [--incidents
 * N] [--rate PER_SECOND]
 *           [--windows PER_SECOND] [--progress FILE] [--wait SECONDS] [--queue MIB] [--keep
 * WINDOWS] [--replay] SIGNATURES
 *
 * Incident i is named drive-<i>. The progress file always holds two numbers, "handed safe": it
 * outlives kill -9.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <weir/incident.h>
#include <weir/measure.h>
#include <weir/sink.h>

#include "publish/redis_delivery.h"
#include "publish/sink_redis.h"

struct drive {
    struct weir_publish_context context;
    struct weir_redis_options redis;
    int64_t from, incidents;
    double rate, windows;
    int progress;
    void *sink;
    struct weir_fault fault;
};

static int64_t now_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int say(struct drive *drive, enum weir_record_type type, const void *body) {
    const struct weir_record record = {.type = type, .ts_us = now_us(CLOCK_REALTIME), .flow = body};
    return weir_sink_redis.record(drive->sink, &record, &drive->fault);
}

static int say_incident(struct drive *drive, int64_t i) {
    struct weir_incident incident = {.event = WEIR_INCIDENT_RAISED,
                                     .state = WEIR_STATE_DOWN,
                                     .cause = WEIR_CAUSE_SERVICE,
                                     .confidence = WEIR_CONFIDENCE_HIGH,
                                     .service = WEIR_SERVICE_OTHER,
                                     .ts_us = now_us(CLOCK_REALTIME),
                                     .onset_us = now_us(CLOCK_REALTIME),
                                     .n_clients = 3,
                                     .n_clients_seen = 4};
    incident.raised_us = incident.ts_us;
    incident.trials.fail = incident.trials.total = 14;
    incident.trials.low = 0.78;
    incident.trials.high = 1;
    snprintf(incident.id, sizeof incident.id, "drive-%" PRId64, i);
    snprintf(incident.text, sizeof incident.text,
             "Made-up incident %" PRId64
             ": 0 of 14 connection trials useful, SYNs unanswered, 5 of 5 clients.",
             i);
    return say(drive, WEIR_RECORD_INCIDENT, &incident);
}

static int say_window(struct drive *drive, int64_t i) {
    int64_t end_us = now_us(CLOCK_REALTIME);
    struct weir_window_record window = {.start_us = end_us - 10000000,
                                        .end_us = end_us,
                                        .service = WEIR_SERVICE_OTHER,
                                        .state = WEIR_STATE_HEALTHY};
    size_t n;
    const struct weir_field *fields = weir_fields(&n);
    for (size_t f = 0; f < n; f++) {
        if (fields[f].type == WEIR_FIELD_RATIO)
            window.values[f].real = (double)((i + (int64_t)f) % 100) / 100;
        else
            window.values[f].integer = (i * 7919 + (int64_t)f * 104729) % 1000000;
    }
    return say(drive, WEIR_RECORD_WINDOW, &window);
}

static int say_capture(struct drive *drive, bool interim) {
    const struct weir_capture_record capture = {.interim = interim, .packets = 1};
    int error = say(drive, WEIR_RECORD_CAPTURE, &capture);
    return error ? error : weir_sink_redis.flush(drive->sink, &drive->fault);
}

/* Times that this thread was pushed off its processor: what it waited for then was not the queue.
 */
static long preemptions(void) {
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

static void note_progress(struct drive *drive, int64_t handed) {
    struct weir_delivery_stats stats;
    char text[64];
    if (drive->progress < 0) return;
    weir_delivery_read_stats(weir_sink_redis_delivery(drive->sink), &stats);
    int length =
        snprintf(text, sizeof text, "%20" PRId64 " %20" PRIu64 "\n", handed, stats.spooled);
    (void)!pwrite(drive->progress, text, (size_t)length, 0);
}

static void print_result(struct drive *drive, int64_t handed, int64_t windows, int64_t longest_us) {
    struct weir_delivery_stats s;
    weir_delivery_read_stats(weir_sink_redis_delivery(drive->sink), &s);
    printf("{\"handed\":%" PRId64 ",\"windows\":%" PRId64 ",\"spooled\":%" PRIu64
           ",\"delivered\":%" PRIu64 ",\"delivered_windows\":%" PRIu64
           ",\"dropped_windows\":%" PRIu64 ",\"dropped_incidents\":%" PRIu64 ",\"left\":%" PRIu64
           ",\"spool_records\":%zu,\"spool_failures\":%" PRIu64 ",\"connections\":%" PRIu64
           ",\"refused\":%" PRIu64 ",\"longest_us\":%" PRId64 "}\n",
           handed, windows, s.spooled, s.delivered[WEIR_LANE_INCIDENT],
           s.delivered[WEIR_LANE_WINDOW], s.queue.dropped[WEIR_LANE_WINDOW],
           s.queue.dropped[WEIR_LANE_INCIDENT], s.queue.depth[WEIR_LANE_INCIDENT], s.spool_records,
           s.spool_failures, s.connections, s.refused, longest_us);
}

static int run(struct drive *drive) {
    int64_t start_us = now_us(CLOCK_MONOTONIC), handed = 0, windows = 0, probes = 0, longest_us = 0;
    int error = 0;
    while (handed < drive->incidents && !error) {
        double seconds = (double)(now_us(CLOCK_MONOTONIC) - start_us) / 1e6;
        int64_t before_us = now_us(CLOCK_MONOTONIC);
        long before = preemptions();
        if ((double)handed < seconds * drive->rate)
            error = say_incident(drive, drive->from + handed++);
        if (!error && (double)windows < seconds * drive->windows)
            error = say_window(drive, windows++);
        if (!error && (double)probes < seconds) error = say_capture(drive, ++probes > 0);
        /* how long the engine would have waited */
        int64_t took_us = now_us(CLOCK_MONOTONIC) - before_us;
        longest_us = took_us > longest_us && preemptions() == before ? took_us : longest_us;
        note_progress(drive, handed);
        usleep(200);
    }
    if (!error) error = say_capture(drive, false);
    note_progress(drive, handed);
    print_result(drive, handed, windows, longest_us);
    return error;
}

static int parse(struct drive *drive, int argc, char **argv) {
    static const struct option options[] = {
        {"redis", 1, NULL, 'r'},         {"spool", 1, NULL, 's'},
        {"password-file", 1, NULL, 'p'}, {"site", 1, NULL, 'n'},
        {"from", 1, NULL, 'f'},          {"incidents", 1, NULL, 'i'},
        {"rate", 1, NULL, 'a'},          {"windows", 1, NULL, 'w'},
        {"progress", 1, NULL, 'o'},      {"wait", 1, NULL, 't'},
        {"queue", 1, NULL, 'q'},         {"replay", 0, NULL, 'y'},
        {"keep", 1, NULL, 'k'},          {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) switch (letter) {
        case 'r': drive->redis.url = optarg; break;
        case 's': drive->redis.spool = optarg; break;
        case 'p': drive->redis.password_file = optarg; break;
        case 'n': drive->context.site = optarg; break;
        case 'f': drive->from = atoll(optarg); break;
        case 'i': drive->incidents = atoll(optarg); break;
        case 'a': drive->rate = atof(optarg); break;
        case 'w': drive->windows = atof(optarg); break;
        case 'o': drive->progress = open(optarg, O_WRONLY | O_CREAT, 0600); break;
        case 't': drive->redis.patience_s = atoll(optarg); break;
        case 'q': drive->redis.queue_bytes = (size_t)atoll(optarg) << 20; break;
        case 'k': drive->redis.window_maxlen = atoll(optarg); break;
        case 'y': drive->redis.replay = true; break;
        default: return -1;
        }
    return drive->redis.url && optind + 1 == argc ? 0 : -1;
}

int main(int argc, char **argv) {
    struct drive drive = {
        .context = {.site = "drive", .clients = WEIR_CLIENTS_PSEUDONYM},
        .rate = 100,
        .progress = -1,
        .redis = {
            .ttl_s = 35, .window_maxlen = 8640, .incident_maxlen = 1000000, .patience_s = 60}};
    if (parse(&drive, argc, argv) < 0) {
        fprintf(stderr, "usage: see the top of tests/redis/drive.c\n");
        return 2;
    }
    int error = weir_service_set_load(&drive.context.set, argv[optind], &drive.fault);
    if (!error)
        error = weir_sink_redis_new(&drive.sink, &drive.context, &drive.redis, &drive.fault);
    if (!error) {
        error = run(&drive);
        weir_sink_redis.free(drive.sink);
    }
    weir_service_set_unref(drive.context.set);
    if (error) fprintf(stderr, "drive: %s\n", drive.fault.text);
    return error ? 1 : 0;
}
