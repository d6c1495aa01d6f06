/* Frames from an interface, through libpcap's ring.
 *
 * The kernel fills blocks of the ring and gives each one up when it is full or 50 ms old; a fill copies what is there into
 * the batch, since libpcap's pointers live for one callback, and comes back after 100 ms at the latest, with frames or
 * without. Time goes on all the same: once the ring was empty at a moment, everything stamped well before that moment
 * has been taken, so the engine's clock may follow the wall clock at a distance (IDLE_LAG_US), and no later frame is
 * behind it. A replay of what was written therefore ticks at the same places.
 *
 *      |---- all of it taken ----|--- IDLE_LAG_US: may still lie in a block ---| wall clock
 *                                ^ engine's clock while nothing comes
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pcap/pcap.h>

#include "base/log.h"
#include "capture/clock.h"
#include "capture/filter.h"
#include "capture/source.h"

static_assert((int)WEIR_SNAPLEN_MAX <= (int)WEIR_BATCH_BYTES, "a batch holds one frame at the least");

enum {
    RING_TIMEOUT_MS = 50,       /* a block with frames is given up after this, or at the next beat of the same length */
    FILL_US = 100000,           /* longest time without a batch */
    IDLE_LAG_US = 250000,       /* 2 x RING_TIMEOUT_MS, and more than that again for a busy machine */
    STATS_US = 500000,          /* drop counters cost system calls */
    FLUSH_US = 1000000,         /* of the written file */
};

struct live {
    char *interface;
    pcap_t *pcap;
    bool nano;
    uint16_t linktype;
    uint32_t snaplen;
    int64_t end_us;             /* on the monotonic clock; 0: none */
    struct weir_clock clock;
    atomic_bool stop;
    struct weir_source_stats stats;
    struct weir_batch_room *room; /* being filled */
    size_t used;                /* of its buffer */
    int64_t stats_read_us;      /* monotonic */
    uint32_t seen_drop, seen_ifdrop; /* libpcap's counters, which wrap */
    pcap_dumper_t *dumper;
    char *write;
    int64_t flushed_us;         /* monotonic */
};

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- one frame ---- */

static void count(struct live *live, const struct weir_frame *frame)
{
    struct weir_source_stats *stats = &live->stats;
    if (stats->packets == 0 || frame->ts_us < stats->first_ts_us)
        stats->first_ts_us = frame->ts_us;
    if (stats->packets == 0 || frame->ts_us > stats->last_ts_us)
        stats->last_ts_us = frame->ts_us;
    stats->packets++;
    stats->bytes += frame->wirelen;
    stats->snaplen_cut += frame->caplen < frame->wirelen;
}

static bool has_room(const struct live *live)
{
    return live->room->n_frames < WEIR_BATCH_FRAMES && live->room->buffer.capacity - live->used >= live->snaplen;
}

static void take(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes)
{
    struct live *live = (struct live *)context;
    struct weir_batch_room *room = live->room;
    uint32_t caplen = header->caplen < live->snaplen ? header->caplen : live->snaplen;
    uint8_t *copy = room->buffer.bytes + live->used;
    struct weir_frame *frame = &room->frames[room->n_frames++];
    memcpy(copy, bytes, caplen);
    live->used += caplen;
    int64_t fraction_us = live->nano ? header->ts.tv_usec / 1000 : header->ts.tv_usec;
    *frame = (struct weir_frame){
        .ts_us = weir_ts_clamp((int64_t)header->ts.tv_sec * 1000000 + fraction_us), .data = copy, .caplen = caplen,
        .wirelen = header->len > caplen ? header->len : caplen, .linktype = live->linktype};
    frame->now_us = weir_clock_now(&live->clock, frame->ts_us);
    count(live, frame);
    if (live->dumper)
        pcap_dump((u_char *)live->dumper, header, bytes);
    if (!has_room(live))
        pcap_breakloop(live->pcap); /* the rest stays in the ring */
}

/* ---- one batch ---- */

static void follow_wall_clock(struct live *live, int64_t wall_us)
{
    int64_t now_us = weir_ts_clamp(wall_us - IDLE_LAG_US) + live->clock.offset_us;
    if (now_us > live->clock.now_us && now_us < WEIR_CLOCK_MAX_US)
        live->clock.now_us = now_us;
}

/* libpcap's counters are 32 bits wide. */
static void read_drops(struct live *live, int64_t monotonic_us)
{
    struct pcap_stat now;
    if (monotonic_us - live->stats_read_us < STATS_US)
        return;
    live->stats_read_us = monotonic_us;
    if (pcap_stats(live->pcap, &now) < 0)
        return;
    live->stats.dropped_kernel += (uint32_t)(now.ps_drop - live->seen_drop);
    live->stats.dropped_interface += (uint32_t)(now.ps_ifdrop - live->seen_ifdrop);
    live->seen_drop = now.ps_drop;
    live->seen_ifdrop = now.ps_ifdrop;
}

/* A file that can't be written ends the writing, not the watching. */
static void flush_written(struct live *live, int64_t monotonic_us, bool at_end)
{
    if (!live->dumper || (!at_end && monotonic_us - live->flushed_us < FLUSH_US))
        return;
    live->flushed_us = monotonic_us;
    errno = 0;
    bool failed = pcap_dump_flush(live->dumper) < 0 || ferror(pcap_dump_file(live->dumper));
    if (failed)
        weir_log(WEIR_LOG_ERROR, "%s: cannot write: %s; capture goes on without it", live->write,
                 errno ? strerror(errno) : "an earlier write failed");
    if (failed || at_end) {
        pcap_dump_close(live->dumper);
        live->dumper = NULL;
    }
}

static int lost(const struct live *live, struct weir_fault *fault)
{
    return weir_fault_set(fault, -EIO, "%s: capture ended: %s", live->interface, pcap_geterr(live->pcap));
}

static void wait_for_frames(const struct live *live, int64_t us)
{
    struct pollfd ring = {.fd = pcap_get_selectable_fd(live->pcap), .events = POLLIN};
    poll(&ring, 1, (int)(us / 1000) + 1);
}

/* Takes what the ring holds, up to the room. Returns 0 or < 0; *ret_drained: nothing was left in the ring. */
static int take_all(struct live *live, bool *ret_drained, struct weir_fault *fault)
{
    int wanted = WEIR_BATCH_FRAMES;
    int n = pcap_dispatch(live->pcap, wanted, take, (u_char *)live);
    *ret_drained = n >= 0 && n < wanted;
    return n >= 0 || n == PCAP_ERROR_BREAK ? 0 : lost(live, fault);
}

static int live_fill(void *state, struct weir_batch_room *room, struct weir_fault *fault)
{
    struct live *live = state;
    int64_t monotonic_us = clock_us(CLOCK_MONOTONIC), until_us = monotonic_us + FILL_US;
    bool drained = false, over = false;
    int error = 0;
    live->room = room;
    live->used = 0;
    do {
        int64_t wall_us = clock_us(CLOCK_REALTIME);
        error = take_all(live, &drained, fault);
        if (drained)
            follow_wall_clock(live, wall_us);
        if (!error && room->n_frames == 0)
            wait_for_frames(live, until_us - monotonic_us);
        monotonic_us = clock_us(CLOCK_MONOTONIC);
        over = atomic_load(&live->stop) || (live->end_us && monotonic_us >= live->end_us);
    } while (!error && !over && room->n_frames == 0 && monotonic_us < until_us);
    room->now_us = live->clock.now_us;
    read_drops(live, monotonic_us);
    flush_written(live, monotonic_us, error || over);
    return error ? error : over ? WEIR_SOURCE_END : 0;
}

static void live_stats(const void *state, struct weir_source_stats *ret_stats)
{
    const struct live *live = state;
    *ret_stats = live->stats;
    ret_stats->time_backwards = live->clock.n_backwards;
    ret_stats->time_steps = live->clock.n_steps;
    ret_stats->clock_offset_us = live->clock.offset_us;
}

static void live_free(void *state)
{
    struct live *live = state;
    flush_written(live, 0, true);
    if (live->pcap)
        pcap_close(live->pcap);
    free(live->interface);
    free(live->write);
    free(live);
}

static const struct weir_producer live_producer = {.fill = live_fill, .stats = live_stats, .free = live_free};

/* ---- opening ---- */

static int no_such_interface(const char *interface, struct weir_fault *fault)
{
    char error[PCAP_ERRBUF_SIZE], names[256] = "";
    pcap_if_t *all = NULL;
    size_t used = 0;
    if (pcap_findalldevs(&all, error) < 0)
        all = NULL;
    for (const pcap_if_t *one = all; one && used < sizeof names; one = one->next)
        if (one->flags & PCAP_IF_UP)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", one->name);
    pcap_freealldevs(all);
    return weir_fault_set(fault, -ENODEV, "%s: no such interface; this machine has %s", interface, names[0] ? names : "none that is up");
}

/* What libpcap's answer means for the person at the keyboard. */
static int explain(const struct live *live, int answer, struct weir_fault *fault)
{
    const char *words = pcap_geterr(live->pcap), *name = live->interface;
    switch (answer) {
    case PCAP_ERROR_NO_SUCH_DEVICE: return no_such_interface(name, fault);
    case PCAP_ERROR_PERM_DENIED:
        return weir_fault_set(fault, -EPERM, "%s: no permission to capture; run weir as root, or once: "
                              "setcap cap_net_raw,cap_net_admin+ep PATH/TO/weir", name);
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return weir_fault_set(fault, -EPERM, "%s: no permission for promiscuous mode; run weir as root, or give --no-promiscuous", name);
    case PCAP_ERROR_IFACE_NOT_UP: return weir_fault_set(fault, -ENETDOWN, "%s: the interface is down; ip link set %s up", name, name);
    default: return weir_fault_set(fault, -EIO, "%s: %s", name, words && *words ? words : pcap_statustostr(answer));
    }
}

static int set_up(struct live *live, const struct weir_live_options *options, struct weir_fault *fault)
{
    pcap_set_snaplen(live->pcap, (int)options->snaplen);
    pcap_set_promisc(live->pcap, options->promiscuous);
    pcap_set_timeout(live->pcap, RING_TIMEOUT_MS);
    pcap_set_immediate_mode(live->pcap, 0);
    pcap_set_buffer_size(live->pcap, (int)options->buffer_bytes);
    live->nano = pcap_set_tstamp_precision(live->pcap, PCAP_TSTAMP_PRECISION_NANO) == 0;
    int answer = pcap_activate(live->pcap);
    if (answer < 0)
        return explain(live, answer, fault);
    if (answer > 0)
        weir_log(WEIR_LOG_WARNING, "%s: %s", live->interface, answer == PCAP_WARNING ? pcap_geterr(live->pcap) : pcap_statustostr(answer));
    char error[PCAP_ERRBUF_SIZE];
    if (pcap_setnonblock(live->pcap, 1, error) < 0)
        return weir_fault_set(fault, -EIO, "%s: %s", live->interface, error);
    live->nano = pcap_get_tstamp_precision(live->pcap) == PCAP_TSTAMP_PRECISION_NANO;
    live->linktype = weir_linktype_of_dlt(pcap_datalink(live->pcap));
    return 0;
}

static int set_filter(struct live *live, const char *expression, struct weir_fault *fault)
{
    struct bpf_program program;
    if (pcap_compile(live->pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0)
        return weir_fault_set(fault, -EINVAL, "filter \"%.200s\": %s", expression, pcap_geterr(live->pcap));
    int answer = pcap_setfilter(live->pcap, &program);
    pcap_freecode(&program);
    return answer == 0 ? 0 : weir_fault_set(fault, -EIO, "filter \"%.200s\": %s", expression, pcap_geterr(live->pcap));
}

static int open_written(struct live *live, const char *path, struct weir_fault *fault)
{
    live->write = strdup(path);
    if (!live->write)
        return -ENOMEM;
    live->dumper = pcap_dump_open(live->pcap, path);
    return live->dumper ? 0 : weir_fault_set(fault, -EIO, "cannot write %s", pcap_geterr(live->pcap));
}

static int open_live(struct live *live, const struct weir_live_options *live_options, const struct weir_source_options *options,
                     struct weir_fault *fault)
{
    char error[PCAP_ERRBUF_SIZE];
    live->snaplen = live_options->snaplen;
    live->interface = strdup(live_options->interface);
    if (!live->interface)
        return -ENOMEM;
    live->pcap = pcap_create(live->interface, error);
    if (!live->pcap)
        return weir_fault_set(fault, -EIO, "%s: %s", live->interface, error);
    int r = set_up(live, live_options, fault);
    if (r == 0 && options->knows_linktype && !options->knows_linktype(live->linktype))
        r = weir_fault_set(fault, -EPROTONOSUPPORT, "%s: link type %u (%s) is not known", live->interface, live->linktype,
                           pcap_datalink_val_to_name(pcap_datalink(live->pcap)));
    if (r == 0 && options->filter && options->filter[0])
        r = set_filter(live, options->filter, fault);
    if (r == 0 && live_options->write)
        r = open_written(live, live_options->write, fault);
    return r;
}

int weir_source_open_live(struct weir_source **ret_source, const struct weir_live_options *live_options,
                          const struct weir_source_options *options, struct weir_fault *fault)
{
    if (live_options->snaplen < WEIR_SNAPLEN_MIN || live_options->snaplen > WEIR_SNAPLEN_MAX ||
        live_options->buffer_bytes > WEIR_RING_BYTES_MAX)
        return weir_fault_set(fault, -EINVAL, "snap length or ring size out of bounds");
    struct live *live = calloc(1, sizeof *live);
    if (!live)
        return weir_fault_set(fault, -ENOMEM, "out of memory");
    int r = open_live(live, live_options, options, fault);
    if (r < 0) {
        live_free(live);
        return r;
    }
    if (live_options->duration_us)
        live->end_us = clock_us(CLOCK_MONOTONIC) + live_options->duration_us;
    return weir_source_new(ret_source, &live_producer, live, &live->stop, options->n_workers, fault);
}
