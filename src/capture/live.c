/* Frames from interfaces, one lane a worker.
 *
 *      interface 0 --fan-out--> handle of lane 0 --.
 *                 \-----------> handle of lane 1    \
 *      interface 1 --fan-out--> handle of lane 0 ---- merged by stamp --> lane 0's batches -->
 * worker 0
 *                 \-----------> ...                 /
 *      answers from port 53, ICMP --> of lane 0 --'      (and one of lane 1, ...)
 *
 * A lane merges its handles by stamp: a frame is handed on when no other handle can still bring an
 * earlier one, which is when that handle has a later frame, or its ring was empty IDLE_LAG_US after
 * it. What one packet is on two interfaces then lies side by side, and flow sees that it is the
 * same one. Where the workers share the flows, each lane has a handle of its own on which the
 * kernel lets through, at once, only what all of them need: DNS answers, which reach every worker's
 * name memory before the packets that follow them with no queue or lock between workers, and ICMP
 * errors, which the kernel's hash does not send where the flow is that they quote. It is never
 * waited for.
 *
 * Time goes on without packets: once the rings were empty at a moment, everything stamped well
 * before that moment has been taken, so the engine's clock may follow the wall clock at a distance,
 * and no later frame is behind it. A replay of what was written therefore ticks at the same places.
 *
 *      |---- all of it taken ----|--- IDLE_LAG_US: may still lie in a block ---| wall clock
 *                                ^ engine's clock while nothing comes
 *
 * All lanes begin and end at the same engine's time, so that their workers have the same ticks: who
 * first sees the stop says when that is, no earlier than what any lane has handed on, and each goes
 * on until its clock is there.
 *
 * `written` is what one lane has: then that lane writes it. Several would write out of order, so
 * one more lane, of whole interfaces, is opened for it, in a thread of its own. Its stamps are some
 * microseconds apart from the others', since the kernel stamps for each ring anew.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/clock.h"
#include "capture/handle.h"
#include "capture/source.h"

static_assert((int)WEIR_SNAPLEN_MAX <= (int)WEIR_BATCH_BYTES,
              "a stage holds one frame at the least");

enum {
    FILL_US = 100000, /* longest time without a batch */
    /* 2 x WEIR_RING_TIMEOUT_MS, and more than that again for a busy machine */
    IDLE_LAG_US = 250000,
    STATS_US = 500000,     /* drop counters cost system calls */
    FLUSH_US = 1000000,    /* of the written file */
    PATIENCE_US = 2000000, /* after the end, for a lane whose clock does not get there */
    COPIES_RING_BYTES = 4 << 20,
    /* that ring has slots of one size: 64 KiB each where offloads merge packets, and so only few */
    COPIES_SNAPLEN = 4096,
    LANE_RING_BYTES_MIN = 4 << 20,
    HANDLES_MAX = 2 * WEIR_LIVE_INTERFACES_MAX,
};
static const char copied_filter[] = "((udp or tcp) and src port 53) or icmp or icmp6";

struct written {
    pcap_dumper_t *dumper;
    char *path;
    bool nano;
    int64_t flushed_us; /* monotonic */
};

struct lane {
    struct group *group;
    unsigned index;
    struct weir_handle handles[HANDLES_MAX];
    unsigned n_handles;
    struct weir_clock clock;
    struct weir_source_stats stats;
    int64_t stats_read_us; /* monotonic */
    bool writes;
    bool has_begun; /* the first batch, which says when, is handed on */
};

struct group {
    char *interfaces[WEIR_LIVE_INTERFACES_MAX];
    unsigned n_interfaces;
    atomic_bool stop;
    atomic_uint n_users;     /* lanes that hold it */
    int64_t duration_end_us; /* monotonic; 0: none */
    int64_t start_us;        /* engine's time at which all lanes begin */
    struct written written;

    pthread_mutex_t lock;    /* of what follows */
    int64_t frontier_us;     /* engine's time up to which any lane has handed on */
    atomic_llong end_us;     /* where all end; 0: not yet known; changes under the lock */
    int64_t ended_us;        /* monotonic, when it was known */
    struct weir_fault fault; /* of the first lane that failed */
    int error;

    struct lane *writer; /* or NULL */
    pthread_t writer_thread;
    bool writer_runs;
};

/* ---- the written file ---- */

/* A file that can't be written ends the writing, not the watching. */
static void flush_written(struct written *written, int64_t monotonic_us, bool now, bool close) {
    if (!written->dumper || (!now && monotonic_us - written->flushed_us < FLUSH_US)) return;
    written->flushed_us = monotonic_us;
    errno = 0;
    bool failed = pcap_dump_flush(written->dumper) < 0 || ferror(pcap_dump_file(written->dumper));
    if (failed)
        weir_log(WEIR_LOG_ERROR, "%s: cannot write: %s; capture goes on without it", written->path,
                 errno ? strerror(errno) : "an earlier write failed");
    if (failed || close) {
        pcap_dump_close(written->dumper);
        written->dumper = NULL;
    }
}

static void write_frame(struct written *written, const struct weir_frame *frame) {
    const struct pcap_pkthdr header = {
        .ts = {.tv_sec = frame->ts_us / 1000000,
               .tv_usec = frame->ts_us % 1000000 * (written->nano ? 1000 : 1)},
        .caplen = frame->caplen,
        .len = frame->wirelen};
    pcap_dump((u_char *)written->dumper, &header, frame->data);
}

/* ---- merging ---- */

/* Nothing stamped before this will come from the handle any more. */
static int64_t complete_until(const struct weir_handle *handle) {
    int64_t empty_us = handle->drained ? handle->drained_us - IDLE_LAG_US : 0;
    return handle->newest_us > empty_us ? handle->newest_us : empty_us;
}

static struct weir_handle *earliest(struct lane *lane) {
    struct weir_handle *first = NULL;
    for (unsigned i = 0; i < lane->n_handles; i++) {
        struct weir_handle *handle = &lane->handles[i];
        if (handle->at < handle->n_frames &&
            (!first || handle->frames[handle->at].ts_us < first->frames[first->at].ts_us))
            first = handle;
    }
    return first;
}

static int take_all(struct lane *lane, struct weir_fault *fault) {
    int error = 0;
    for (unsigned i = 0; !error && i < lane->n_handles; i++)
        error = weir_handle_take(&lane->handles[i], fault);
    return error;
}

/* Hands on what no handle can still precede; returns that moment. Frames stay where they are staged
 * until the next take. */
static int64_t merge(struct lane *lane, struct weir_batch_room *room) {
    int64_t end_us = atomic_load(&lane->group->end_us),
            safe_us = end_us ? end_us - lane->clock.offset_us : INT64_MAX;
    for (unsigned i = 0; i < lane->n_handles; i++)
        if (!lane->handles[i].immediate && complete_until(&lane->handles[i]) < safe_us)
            safe_us = complete_until(&lane->handles[i]);
    struct weir_handle *from;
    while (room->n_frames < WEIR_BATCH_FRAMES && (from = earliest(lane)) &&
           from->frames[from->at].ts_us <= safe_us) {
        struct weir_frame *frame = &room->frames[room->n_frames++];
        *frame = from->frames[from->at++];
        frame->now_us =
            frame->copy ? lane->clock.now_us : weir_clock_now(&lane->clock, frame->ts_us);
    }
    return room->n_frames < WEIR_BATCH_FRAMES ? safe_us : 0;
}

static void follow_wall_clock(struct lane *lane, int64_t wall_us) {
    int64_t now_us = weir_ts_clamp(wall_us) + lane->clock.offset_us;
    if (wall_us != INT64_MAX && now_us > lane->clock.now_us && now_us < WEIR_CLOCK_MAX_US)
        lane->clock.now_us = now_us;
}

static void wait_for_frames(struct lane *lane, int64_t us) {
    struct pollfd rings[HANDLES_MAX];
    nfds_t n = 0;
    bool held = false;
    for (unsigned i = 0; i < lane->n_handles; i++) {
        struct weir_handle *handle = &lane->handles[i];
        bool staged = handle->at < handle->n_frames;
        held |= staged;
        if (!staged && !handle->away)
            rings[n++] =
                (struct pollfd){.fd = pcap_get_selectable_fd(handle->pcap), .events = POLLIN};
    }
    if (held && us > 10000) us = 10000; /* frames that another handle may still precede */
    poll(rings, n, (int)(us / 1000) + 1);
    for (nfds_t i = 0; i < n; i++)
        if (rings[i].revents & POLLERR) usleep(10000); /* down, or gone: the next take says which */
}

/* ---- the end ---- */

/* Says where all lanes end, once somebody wants them to; cuts what this lane would hand on behind
 * that. True at its end. */
static bool agree_on_end(struct lane *lane, struct weir_batch_room *room, int64_t monotonic_us) {
    struct group *group = lane->group;
    bool wanted = atomic_load(&group->stop) ||
                  (group->duration_end_us && monotonic_us >= group->duration_end_us);
    pthread_mutex_lock(&group->lock);
    if (wanted && !group->end_us) {
        int64_t wall_us = weir_ts_clamp(weir_clock_us(CLOCK_REALTIME)) + lane->clock.offset_us;
        group->end_us = wall_us > group->frontier_us && wall_us < WEIR_CLOCK_MAX_US
                            ? wall_us
                            : group->frontier_us;
        group->ended_us = monotonic_us;
    }
    int64_t end_us = group->end_us;
    bool late = end_us && monotonic_us - group->ended_us > PATIENCE_US;
    if (!end_us && lane->clock.now_us > group->frontier_us) group->frontier_us = lane->clock.now_us;
    pthread_mutex_unlock(&group->lock);
    if (!end_us) return false;
    while (room->n_frames && room->frames[room->n_frames - 1].now_us > end_us) room->n_frames--;
    bool there = late || lane->clock.now_us >= end_us;
    room->now_us = there ? end_us : lane->clock.now_us;
    return there;
}

static void fail(struct lane *lane, int error, const struct weir_fault *fault) {
    struct group *group = lane->group;
    pthread_mutex_lock(&group->lock);
    if (!group->error) {
        group->error = error;
        group->fault = *fault;
    }
    pthread_mutex_unlock(&group->lock);
    atomic_store(&group->stop, true);
    usleep(10000);
}

/* ---- one batch ---- */

static void count(struct weir_source_stats *stats, const struct weir_frame *frame) {
    if (stats->packets == 0 || frame->ts_us < stats->first_ts_us) stats->first_ts_us = frame->ts_us;
    if (stats->packets == 0 || frame->ts_us > stats->last_ts_us) stats->last_ts_us = frame->ts_us;
    stats->packets++;
    stats->bytes += frame->wirelen;
    stats->snaplen_cut += frame->caplen < frame->wirelen;
}

static void read_drops(struct lane *lane, int64_t monotonic_us) {
    if (monotonic_us - lane->stats_read_us < STATS_US) return;
    lane->stats_read_us = monotonic_us;
    lane->stats.dropped_kernel = lane->stats.dropped_interface = 0;
    lane->stats.links_down = 0;
    for (unsigned i = 0; i < lane->n_handles; i++) {
        weir_handle_read_drops(&lane->handles[i]);
        if (lane->index == 0 && !lane->handles[i].immediate &&
            !weir_handle_is_up(&lane->handles[i]) && lane->stats.links_down++ == 0)
            snprintf(lane->stats.link_down, sizeof lane->stats.link_down, "%.15s",
                     lane->handles[i].interface);
        lane->stats.dropped_kernel += lane->handles[i].dropped_kernel;
        if (lane->index == 0 &&
            !lane->handles[i].immediate) /* the interface's own, the same for every lane */
            lane->stats.dropped_interface += lane->handles[i].dropped_interface;
    }
}

static void hand_on(struct lane *lane, const struct weir_batch_room *room) {
    struct written *written =
        lane->writes && lane->group->written.dumper ? &lane->group->written : NULL;
    for (size_t i = 0; i < room->n_frames; i++) {
        const struct weir_frame *frame = &room->frames[i];
        if (frame->copy) continue;
        count(&lane->stats, frame);
        if (written) write_frame(written, frame);
    }
}

static int fill(struct lane *lane, struct weir_batch_room *room) {
    int64_t monotonic_us = weir_clock_us(CLOCK_MONOTONIC), until_us = monotonic_us + FILL_US;
    bool over = false;
    struct weir_fault fault = {0};
    do {
        int error = take_all(lane, &fault);
        if (error) fail(lane, error, &fault);
        follow_wall_clock(lane, merge(lane, room));
        if (room->n_frames == 0) wait_for_frames(lane, until_us - monotonic_us);
        monotonic_us = weir_clock_us(CLOCK_MONOTONIC);
        room->now_us = lane->clock.now_us;
        over = agree_on_end(lane, room, monotonic_us);
    } while (!over && room->n_frames == 0 && monotonic_us < until_us);
    hand_on(lane, room);
    read_drops(lane, monotonic_us);
    if (lane->writes) flush_written(&lane->group->written, monotonic_us, over, false);
    return over ? WEIR_SOURCE_END : 0;
}

static void *write_all(void *context) {
    struct lane *lane = context;
    struct weir_batch_room room = {.frames = malloc(WEIR_BATCH_FRAMES * sizeof *room.frames)};
    int end = room.frames ? 0 : -ENOMEM;
    while (end == 0) {
        room.n_frames = 0;
        end = fill(lane, &room);
    }
    free(room.frames);
    return NULL;
}

/* The thread that writes is started with the first batch: by then weir has given up its privileges.
 */
static void start_writer(struct group *group) {
    if (!group->writer || group->writer_runs || !group->written.dumper) return;
    group->writer_runs = pthread_create(&group->writer_thread, NULL, write_all, group->writer) == 0;
    if (!group->writer_runs) {
        weir_log(WEIR_LOG_ERROR, "%s: no thread to write it; capture goes on without it",
                 group->written.path);
        flush_written(&group->written, 0, true, true);
    }
}

static int lane_fill(void *state, struct weir_batch_room *room, struct weir_fault *fault) {
    struct lane *lane = state;
    struct group *group = lane->group;
    if (lane->index == 0) start_writer(group);
    /* workers tick from the first time that they hear of, which must be one for all */
    if (!lane->has_begun) {
        lane->has_begun = true;
        room->now_us = group->start_us;
        return 0;
    }
    int end = fill(lane, room);
    if (end == 0) return 0;
    pthread_mutex_lock(&group->lock);
    int error = lane->index == 0 ? group->error : 0;
    *fault = error ? group->fault : *fault;
    pthread_mutex_unlock(&group->lock);
    return error ? error : end;
}

static void lane_stats(const void *state, struct weir_source_stats *ret_stats) {
    const struct lane *lane = state;
    *ret_stats = lane->stats;
    ret_stats->time_backwards = lane->clock.n_backwards;
    ret_stats->clock_steps = lane->clock.n_steps;
    ret_stats->clock_offset_us = lane->clock.offset_us;
}

/* ---- life ---- */

static void join_writer(struct group *group) {
    atomic_store(&group->stop, true);
    if (group->writer_runs) pthread_join(group->writer_thread, NULL);
    group->writer_runs = false;
}

static void group_free(struct group *group) {
    join_writer(group);
    flush_written(&group->written, 0, true, true);
    for (unsigned i = 0; group->writer && i < group->writer->n_handles; i++)
        weir_handle_close(&group->writer->handles[i]);
    free(group->writer);
    free(group->written.path);
    for (unsigned i = 0; i < group->n_interfaces; i++) free(group->interfaces[i]);
    pthread_mutex_destroy(&group->lock);
    free(group);
}

static void lane_free(void *state) {
    struct lane *lane = state;
    if (!lane) return;
    struct group *group = lane->group;
    for (unsigned i = 0; i < lane->n_handles; i++) weir_handle_close(&lane->handles[i]);
    free(lane);
    if (atomic_fetch_sub(&group->n_users, 1) == 1) group_free(group);
}

/* All lanes have ended, and none runs. What was stamped behind that end is still in the rings. */
static void lane_resume(void *state) {
    struct lane *lane = state;
    struct group *group = lane->group;
    join_writer(group);
    int64_t end_us = atomic_exchange(&group->end_us, 0);
    if (end_us) /* the first lane that resumes */
        group->start_us = end_us;
    lane->has_begun = false;
    atomic_store(&group->stop, false);
    lane->stats = (struct weir_source_stats){0}; /* as flows and all else begin anew */
    lane->clock.n_backwards = lane->clock.n_steps = 0;
    for (unsigned i = 0; i < lane->n_handles; i++)
        lane->handles[i].dropped_kernel = lane->handles[i].dropped_interface = 0;
}

/* Lane 0 lists those of the lane that writes, too. */
static size_t lane_sockets(const void *state, int *ret_descriptors, size_t room) {
    const struct lane *lane = state, *writer = lane->index == 0 ? lane->group->writer : NULL;
    size_t n = 0;
    for (unsigned i = 0; i < lane->n_handles && n < room; i++)
        ret_descriptors[n++] = pcap_fileno(lane->handles[i].pcap);
    for (unsigned i = 0; writer && i < writer->n_handles && n < room; i++)
        ret_descriptors[n++] = pcap_fileno(writer->handles[i].pcap);
    return n;
}

static const struct weir_producer live_producer = {.sockets = lane_sockets,
                                                   .resume = lane_resume,
                                                   .fill = lane_fill,
                                                   .stats = lane_stats,
                                                   .free = lane_free,
                                                   .ends_itself = true};

/* ---- opening ---- */

static int group_new(struct group **ret_group, const struct weir_live_options *options) {
    struct group *group = calloc(1, sizeof *group);
    if (!group) return -ENOMEM;
    pthread_mutex_init(&group->lock, NULL);
    group->n_users = 1; /* the opener */
    *ret_group = group;
    for (unsigned i = 0; i < options->n_interfaces; i++) {
        if (!(group->interfaces[i] = strdup(options->interfaces[i]))) return -ENOMEM;
        group->n_interfaces++;
    }
    return 0;
}

struct opening {
    struct group *group;
    const struct weir_live_options *live;
    const struct weir_source_options *options;
    unsigned n_lanes;
    struct weir_fault *fault;
};

static int open_handle(const struct opening *opening, struct lane *lane, unsigned interface,
                       bool copies) {
    const struct weir_live_options *live = opening->live;
    size_t share = live->buffer_bytes / opening->n_lanes;
    const struct weir_handle_options how = {
        .interface = opening->group->interfaces[interface],
        .number = (uint16_t)interface,
        .snaplen = copies && live->snaplen > COPIES_SNAPLEN ? COPIES_SNAPLEN : live->snaplen,
        .promiscuous = live->promiscuous,
        .knows_linktype = opening->options->knows_linktype,
        .immediate = copies,
        .filter = copies ? copied_filter : opening->options->filter,
        .buffer_bytes = copies                        ? COPIES_RING_BYTES
                        : share < LANE_RING_BYTES_MIN ? LANE_RING_BYTES_MIN
                                                      : share};
    return weir_handle_open(&lane->handles[lane->n_handles++], &how, opening->fault);
}

static int open_lane(struct lane **ret_lane, const struct opening *opening, unsigned index,
                     bool share) {
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane) return -ENOMEM;
    *ret_lane = lane;
    lane->group = opening->group;
    lane->index = index;
    int error = 0;
    for (unsigned i = 0; !error && i < opening->group->n_interfaces; i++) {
        error = open_handle(opening, lane, i, false);
        if (!error && share)
            error = weir_handle_join(&lane->handles[lane->n_handles - 1],
                                     (uint16_t)((unsigned)getpid() * WEIR_LIVE_INTERFACES_MAX + i),
                                     opening->fault);
        if (!error && share) error = open_handle(opening, lane, i, true);
    }
    return error;
}

/* What people do on the network is nobody else's business. */
static FILE *open_private(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static int open_written(const struct opening *opening, struct lane *lane) {
    struct group *group = opening->group;
    struct written *written = &group->written;
    const char *path = opening->live->write;
    for (unsigned i = 1; i < group->n_interfaces; i++)
        if (lane->handles[i].linktype != lane->handles[0].linktype)
            return weir_fault_set(
                opening->fault, -EINVAL,
                "--write: %s and %s have different link types, which one pcap file cannot hold",
                group->interfaces[0], group->interfaces[i]);
    lane->writes = true;
    if (!(written->path = strdup(path))) return -ENOMEM;
    written->nano = lane->handles[0].nano;
    FILE *file = strcmp(path, "-") == 0 ? stdout : open_private(path);
    if (!file)
        return weir_fault_set(opening->fault, -errno, "--write %s: %s", path, strerror(errno));
    written->dumper = pcap_dump_fopen(lane->handles[0].pcap, file);
    return written->dumper ? 0
                           : weir_fault_set(opening->fault, -EIO, "cannot write %s",
                                            pcap_geterr(lane->handles[0].pcap));
}

static int open_lanes(const struct opening *opening, struct lane **lanes) {
    struct group *group = opening->group;
    bool share = opening->n_lanes > 1;
    int error = 0;
    for (unsigned i = 0; !error && i < opening->n_lanes; i++) {
        error = open_lane(&lanes[i], opening, i, share);
        atomic_fetch_add(&group->n_users, lanes[i] != NULL);
    }
    if (!error && opening->live->write && share)
        error = open_lane(&group->writer, opening, opening->n_lanes, false);
    return !error && opening->live->write ? open_written(opening, share ? group->writer : lanes[0])
                                          : error;
}

/* What came before all handles were there has gone to some of them twice. */
static void begin(struct group *group, struct lane *const *lanes, unsigned n_lanes,
                  int64_t duration_us) {
    group->start_us = group->frontier_us = weir_ts_clamp(weir_clock_us(CLOCK_REALTIME));
    if (duration_us) group->duration_end_us = weir_clock_us(CLOCK_MONOTONIC) + duration_us;
    for (unsigned i = 0; i <= n_lanes; i++) {
        struct lane *lane = i < n_lanes ? lanes[i] : group->writer;
        if (!lane) continue;
        lane->clock.now_us = group->start_us;
        for (unsigned h = 0; h < lane->n_handles; h++)
            lane->handles[h].not_before_us = group->start_us;
    }
}

int weir_source_open_live(struct weir_source **ret_sources, unsigned n_sources,
                          const struct weir_live_options *live_options,
                          const struct weir_source_options *options, struct weir_fault *fault) {
    assert(n_sources >= 1 && n_sources <= WEIR_LANES_MAX && options->n_workers == 1);
    if (live_options->snaplen < WEIR_SNAPLEN_MIN || live_options->snaplen > WEIR_SNAPLEN_MAX ||
        live_options->buffer_bytes > WEIR_RING_BYTES_MAX ||
        live_options->n_interfaces > WEIR_LIVE_INTERFACES_MAX)
        return weir_fault_set(fault, -EINVAL,
                              "snap length, ring size or number of interfaces out of bounds");
    struct lane *lanes[WEIR_LANES_MAX] = {0};
    struct group *group = NULL;
    int error = group_new(&group, live_options);
    const struct opening opening = {.group = group,
                                    .live = live_options,
                                    .options = options,
                                    .n_lanes = n_sources,
                                    .fault = fault};
    if (!error) error = open_lanes(&opening, lanes);
    if (!error) begin(group, lanes, n_sources, live_options->duration_us);
    for (unsigned i = 0; i < n_sources && lanes[i]; i++) {
        if (!error)
            error =
                weir_source_new(&ret_sources[i], &live_producer, lanes[i], &group->stop, 1, fault);
        else
            lane_free(lanes[i]);
    }
    if (group && atomic_fetch_sub(&group->n_users, 1) == 1) group_free(group);
    return error == -ENOMEM ? weir_fault_set(fault, error, "out of memory") : error;
}
