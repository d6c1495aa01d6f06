/* An interface's ring, through libpcap.
 *
 * The kernel fills blocks of the ring and gives each one up when it is full or 50 ms old. libpcap's
 * pointers live for one callback, so frames are copied to a stage of this handle's own, small
 * enough for a core's cache. Of several handles in a fan-out group each gets the flows whose hash
 * is its own: the kernel's hash is the same for both directions, and the same for two interfaces
 * whose handles joined in the same order.
 *
 * An interface that goes down and comes back goes on by itself. One that was removed and made anew
 * (a PPP session) has another index: the socket is bound to it, which needs no privilege, unless it
 * is in a fan-out group, where the kernel allows no other binding; then capture ends.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "capture/filter.h"
#include "capture/handle.h"
#include "capture/source.h"

int64_t weir_clock_us(int clock) {
    struct timespec now;
    clock_gettime((clockid_t)clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- frames ---- */

static bool has_room(const struct weir_handle *handle) {
    return handle->n_frames < WEIR_BATCH_FRAMES &&
           handle->buffer.capacity - handle->used >= handle->snaplen;
}

static void stage(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes) {
    struct weir_handle *handle = (struct weir_handle *)context;
    int64_t fraction_us = handle->nano ? header->ts.tv_usec / 1000 : header->ts.tv_usec;
    int64_t ts_us = weir_ts_clamp((int64_t)header->ts.tv_sec * 1000000 + fraction_us);
    if (ts_us < handle->not_before_us) return;
    if (ts_us > handle->newest_us) handle->newest_us = ts_us;
    uint32_t caplen = header->caplen < handle->snaplen ? header->caplen : handle->snaplen;
    uint8_t *copy = handle->buffer.bytes + handle->used;
    memcpy(copy, bytes, caplen);
    handle->used += caplen;
    handle->frames[handle->n_frames++] =
        (struct weir_frame){.ts_us = ts_us,
                            .data = copy,
                            .caplen = caplen,
                            .wirelen = header->len > caplen ? header->len : caplen,
                            .linktype = handle->linktype,
                            .interface = handle->number,
                            .copy = handle->immediate};
    if (!has_room(handle)) pcap_breakloop(handle->pcap); /* the rest stays in the ring */
}

/* 0: there is none of that name. By the packet socket: once it is confined, a process may not open
 * the socket that if_nametoindex() needs. */
static int index_of(const struct weir_handle *handle) {
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%.15s", handle->interface);
    return ioctl(pcap_fileno(handle->pcap), SIOCGIFINDEX, &request) < 0 ? 0 : request.ifr_ifindex;
}

/* The interface is gone: waits, without ending the capture, until one of that name is there again.
 */
static int come_back(struct weir_handle *handle, struct weir_fault *fault) {
    int index = index_of(handle);
    if (handle->in_fanout)
        return weir_fault_set(
            fault, -ENODEV,
            "%s: the interface was removed; weir must be started again to watch its successor",
            handle->interface);
    if (!handle->away)
        weir_log(WEIR_LOG_WARNING, "%s: the interface is gone; waiting for it", handle->interface);
    handle->away = true;
    const struct sockaddr_ll where = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
    if (!index ||
        bind(pcap_fileno(handle->pcap), (const struct sockaddr *)&where, sizeof where) < 0)
        return 0;
    int error = 0;
    socklen_t length = sizeof error;
    /* and clears it */
    getsockopt(pcap_fileno(handle->pcap), SOL_SOCKET, SO_ERROR, &error, &length);
    weir_log(WEIR_LOG_NOTICE, "%s: the interface is back", handle->interface);
    handle->away = false;
    return 0;
}

/* What a failed read means: an interface that is down, or was removed, may come back. */
static int read_failed(struct weir_handle *handle, int answer, struct weir_fault *fault) {
    if (answer == PCAP_ERROR_IFACE_NOT_UP) return 0;
    if (index_of(handle) == 0 || strstr(pcap_geterr(handle->pcap), "disappeared"))
        return come_back(handle, fault);
    return weir_fault_set(fault, -EIO, "%s: capture ended: %s", handle->interface,
                          pcap_geterr(handle->pcap));
}

int weir_handle_take(struct weir_handle *handle, struct weir_fault *fault) {
    if (handle->at < handle->n_frames) return 0;
    handle->at = handle->n_frames = 0;
    handle->used = 0;
    int64_t wall_us = weir_clock_us(CLOCK_REALTIME);
    handle->drained = true;
    handle->drained_us = wall_us;
    if (handle->away) return come_back(handle, fault);
    int answer = pcap_dispatch(handle->pcap, WEIR_BATCH_FRAMES, stage, (u_char *)handle);
    handle->drained = answer >= 0 && answer < WEIR_BATCH_FRAMES;
    if (answer >= 0 || answer == PCAP_ERROR_BREAK) return 0;
    handle->drained = true;
    return read_failed(handle, answer, fault);
}

/* libpcap's counters are 32 bits wide. */
void weir_handle_read_drops(struct weir_handle *handle) {
    struct pcap_stat now;
    if (handle->away || pcap_stats(handle->pcap, &now) < 0) return;
    handle->dropped_kernel += (uint32_t)(now.ps_drop - handle->seen_drop);
    handle->dropped_interface += (uint32_t)(now.ps_ifdrop - handle->seen_ifdrop);
    handle->seen_drop = now.ps_drop;
    handle->seen_ifdrop = now.ps_ifdrop;
}

bool weir_handle_is_up(const struct weir_handle *handle) {
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%.15s", handle->interface);
    if (handle->away) return false;
    if (ioctl(pcap_fileno(handle->pcap), SIOCGIFFLAGS, &request) < 0)
        return errno != ENODEV ||
               strcmp(handle->interface, "any") == 0; /* "any" is no interface, and never down */
    return (request.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
}

/* ---- opening ---- */

static int no_such_interface(const char *interface, struct weir_fault *fault) {
    char error[PCAP_ERRBUF_SIZE], names[256] = "";
    pcap_if_t *all = NULL;
    size_t used = 0;
    if (pcap_findalldevs(&all, error) < 0) all = NULL;
    for (const pcap_if_t *one = all; one && used < sizeof names; one = one->next)
        if (one->flags & PCAP_IF_UP)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     one->name);
    pcap_freealldevs(all);
    return weir_fault_set(fault, -ENODEV, "%s: no such interface; this machine has %s", interface,
                          names[0] ? names : "none that is up");
}

/* What libpcap's answer means for the person at the keyboard. */
static int explain(const struct weir_handle *handle, int answer, struct weir_fault *fault) {
    const char *words = pcap_geterr(handle->pcap), *name = handle->interface;
    switch (answer) {
    case PCAP_ERROR_NO_SUCH_DEVICE: return no_such_interface(name, fault);
    case PCAP_ERROR_PERM_DENIED:
        return weir_fault_set(fault, -EPERM,
                              "%s: no permission to capture; run weir as root, or once: "
                              "setcap cap_net_raw+ep PATH/TO/weir",
                              name);
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return weir_fault_set(
            fault, -EPERM,
            "%s: no permission for promiscuous mode; run weir as root, or give --no-promiscuous",
            name);
    case PCAP_ERROR_IFACE_NOT_UP:
        return weir_fault_set(fault, -ENETDOWN, "%s: the interface is down; ip link set %s up",
                              name, name);
    default:
        if (words && strstr(words, strerror(ENOMEM)))
            return weir_fault_set(fault, -ENOBUFS,
                                  "%s: no memory for a ring of %zu MiB; lower --buffer", name,
                                  handle->ring_bytes >> 20);
        return weir_fault_set(fault, -EIO, "%s: %s", name,
                              words && *words ? words : pcap_statustostr(answer));
    }
}

static int activate(struct weir_handle *handle, const struct weir_handle_options *options,
                    struct weir_fault *fault) {
    char error[PCAP_ERRBUF_SIZE];
    handle->ring_bytes = options->buffer_bytes;
    int answer = pcap_set_snaplen(handle->pcap, (int)options->snaplen);
    if (answer == 0) answer = pcap_set_promisc(handle->pcap, options->promiscuous);
    if (answer == 0) answer = pcap_set_timeout(handle->pcap, WEIR_RING_TIMEOUT_MS);
    if (answer == 0) answer = pcap_set_immediate_mode(handle->pcap, options->immediate);
    if (answer == 0) answer = pcap_set_buffer_size(handle->pcap, (int)options->buffer_bytes);
    if (answer == 0) answer = pcap_set_tstamp_precision(handle->pcap, PCAP_TSTAMP_PRECISION_NANO);
    if (answer == PCAP_ERROR_TSTAMP_PRECISION_NOTSUP) answer = 0; /* microseconds will do */
    if (answer == 0) answer = pcap_activate(handle->pcap);
    if (answer < 0) return explain(handle, answer, fault);
    if (answer > 0)
        weir_log(WEIR_LOG_WARNING, "%s: %s", handle->interface,
                 answer == PCAP_WARNING ? pcap_geterr(handle->pcap) : pcap_statustostr(answer));
    if (pcap_setnonblock(handle->pcap, 1, error) < 0)
        return weir_fault_set(fault, -EIO, "%s: %s", handle->interface, error);
    handle->nano = pcap_get_tstamp_precision(handle->pcap) == PCAP_TSTAMP_PRECISION_NANO;
    handle->linktype = weir_linktype_of_dlt(pcap_datalink(handle->pcap));
    if (options->knows_linktype && !options->knows_linktype(handle->linktype))
        return weir_fault_set(fault, -EPROTONOSUPPORT, "%s: link type %u (%s) is not known",
                              handle->interface, handle->linktype,
                              pcap_datalink_val_to_name(pcap_datalink(handle->pcap)));
    return 0;
}

static int set_filter(struct weir_handle *handle, const char *expression,
                      struct weir_fault *fault) {
    struct bpf_program program;
    if (pcap_compile(handle->pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0)
        return weir_fault_set(fault, -EINVAL, "filter \"%.200s\": %s", expression,
                              pcap_geterr(handle->pcap));
    int answer = pcap_setfilter(handle->pcap, &program);
    pcap_freecode(&program);
    return answer == 0 ? 0
                       : weir_fault_set(fault, -EIO, "filter \"%.200s\": %s", expression,
                                        pcap_geterr(handle->pcap));
}

int weir_handle_open(struct weir_handle *handle, const struct weir_handle_options *options,
                     struct weir_fault *fault) {
    char error[PCAP_ERRBUF_SIZE];
    *handle = (struct weir_handle){.interface = options->interface,
                                   .number = options->number,
                                   .snaplen = options->snaplen,
                                   .immediate = options->immediate};
    handle->frames = malloc(WEIR_BATCH_FRAMES * sizeof *handle->frames);
    if (!handle->frames || weir_buffer_grow(&handle->buffer, WEIR_BATCH_BYTES) < 0)
        return weir_fault_set(fault, -ENOMEM, "out of memory");
    handle->pcap = pcap_create(handle->interface, error);
    if (!handle->pcap) return weir_fault_set(fault, -EIO, "%s: %s", handle->interface, error);
    int r = activate(handle, options, fault), on = 1;
    if (r == 0 && options->filter && options->filter[0])
        r = set_filter(handle, options->filter, fault);
    if (r == 0 &&
        setsockopt(pcap_fileno(handle->pcap), SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) < 0)
        weir_log(WEIR_LOG_DEBUG, "%s: its filter cannot be locked: %s", handle->interface,
                 strerror(errno));
    return r;
}

int weir_handle_join(struct weir_handle *handle, uint16_t group, struct weir_fault *fault) {
    unsigned how = group | (unsigned)(PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG) << 16;
    if (setsockopt(pcap_fileno(handle->pcap), SOL_PACKET, PACKET_FANOUT, &how, sizeof how) < 0)
        return weir_fault_set(fault, -errno,
                              "%s: cannot share its packets among workers: %s; use --workers 1",
                              handle->interface, strerror(errno));
    handle->in_fanout = true;
    return 0;
}

void weir_handle_close(struct weir_handle *handle) {
    if (handle->pcap) pcap_close(handle->pcap);
    free(handle->buffer.bytes);
    free(handle->frames);
    *handle = (struct weir_handle){0};
}
