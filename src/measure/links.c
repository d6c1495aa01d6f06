/* Each client's own link: what was sent to it, what of that was lost before and behind us, and how
 * far away it is.
 *
 *      server ---- before ---- [here] ---- beyond ---- client
 *
 * All services' TCP flows of a client share the way between it and here: what goes wrong there goes
 * wrong for all of them, and for no other client. So rows are by client, over all services; which
 * services they were is kept as bits.
 *
 * The same rows say who gave samples of a service's delays and rates: a median of many samples may
 * be one client's.
 *
 * One table a worker and window, handed over at the window's end and added up by the coordinator. A
 * flow remembers its client's row, so that a packet costs a look at one cache line; a row of an
 * earlier window's table is found out by its address. Round-trip times are kept in classes of a
 * quarter octave from 64 us on: a decile is within a tenth.
 *
 * Blind spots: QUIC shows no losses; clients beyond the bound are not told (counted).
 */
#include <stdlib.h>
#include <string.h>

#include "measure/links.h"

enum { GROW_FIRST = 64, REFUSED = 0xff00, RTT_FIRST_OCTAVE = 6, RTT_LEAST = 64 };

void weir_links_init(struct weir_links *links, size_t max_clients) {
    *links = (struct weir_links){.refused_mark = REFUSED};
    weir_index_init(&links->index, max_clients < REFUSED - 1 ? max_clients : REFUSED - 1);
}

void weir_links_deinit(struct weir_links *links) {
    weir_index_deinit(&links->index);
    free(links->rows);
    links->rows = NULL;
}

void weir_links_clear(struct weir_links *links, uint16_t window) {
    weir_index_clear(&links->index);
    links->index.refused = 0;
    memset(links->n_sampled, 0, sizeof links->n_sampled);
    links->refused_mark = REFUSED | (window & 0xff);
}

/* The row of a client, made where there is none; NULL: no room. */
static struct weir_link_row *row_need(struct weir_links *links, const struct weir_addr *client) {
    size_t n = links->index.n;
    uint32_t number = weir_index_get(&links->index, client);
    if (number == WEIR_INDEX_NONE) return NULL;
    if (number >= links->room) {
        size_t room = links->room ? links->room * 2 : GROW_FIRST;
        struct weir_link_row *rows = realloc(links->rows, room * sizeof *rows);
        if (!rows) {
            links->index.n = n; /* its place points beyond the rows: the next one takes both */
            return NULL;
        }
        links->rows = rows;
        links->room = room;
    }
    if (number == n) links->rows[number] = (struct weir_link_row){.client = *client};
    return &links->rows[number];
}

static struct weir_link_row *row_of(struct weir_links *links, struct weir_flow *flow) {
    struct weir_named *named = weir_flow_named(flow);
    const struct weir_addr *client = weir_flow_addr(flow, WEIR_CLIENT);
    if (named->link == links->refused_mark) return NULL;
    if (named->link && named->link <= links->index.n &&
        weir_addr_compare(&links->rows[named->link - 1].client, client) == 0)
        return &links->rows[named->link - 1];
    struct weir_link_row *row = row_need(links, client);
    named->link = row ? (uint16_t)(row - links->rows + 1) : links->refused_mark;
    return row;
}

static void set_bit(uint64_t bits[WEIR_SERVICES_MAX / 64], weir_service_id service) {
    unsigned bit =
        service == WEIR_SERVICE_NONE || service >= WEIR_SERVICES_MAX ? WEIR_SERVICE_OTHER : service;
    bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

void weir_links_packet(struct weir_links *links, struct weir_flow *flow, enum weir_side sender,
                       uint32_t payload_len) {
    struct weir_link_row *row = row_of(links, flow);
    if (!row) return;
    uint32_t n = payload_len <= WEIR_SEGMENT_BYTES
                     ? 1
                     : (payload_len + WEIR_SEGMENT_BYTES - 1) / WEIR_SEGMENT_BYTES;
    if (sender == WEIR_CLIENT) {
        row->segments_up += n;
        return;
    }
    row->segments_down += n;
    set_bit(row->services, weir_flow_named(flow)->service);
}

static void add_loss(struct weir_link_row *row, const struct weir_event *event) {
    bool before = event->anomaly.what == WEIR_ANOMALY_LOST_BEFORE,
         beyond = event->anomaly.what == WEIR_ANOMALY_LOST_BEYOND;
    if (event->anomaly.sender == WEIR_CLIENT) {
        row->lost_up += before ? event->anomaly.segments : 0;
        return;
    }
    row->lost_before += before ? event->anomaly.segments : 0;
    row->lost_beyond += beyond ? event->anomaly.segments : 0;
    row->needless += event->anomaly.what == WEIR_ANOMALY_NEEDLESS ? event->anomaly.segments : 0;
}

static unsigned rtt_class(uint64_t us) {
    if (us < RTT_LEAST) return 0;
    unsigned octave = 63 - (unsigned)__builtin_clzll(us);
    unsigned class = (octave - RTT_FIRST_OCTAVE) * 4 + (unsigned)(us >> (octave - 2) & 3);
    return class < LINK_RTT_CLASSES ? class : LINK_RTT_CLASSES - 1;
}

/* The middle of a class. */
static int64_t rtt_of(unsigned class) {
    unsigned octave = class / 4 + RTT_FIRST_OCTAVE;
    return (INT64_C(1) << octave) + (INT64_C(1) << (octave - 3)) * (int64_t)(2 * (class % 4) + 1);
}

void weir_links_event(struct weir_links *links, struct weir_flow *flow, weir_service_id service,
                      const struct weir_sample *sample) {
    enum weir_continuous what = weir_sampled_by(sample);
    if (what == WEIR_CONTINUOUS_N && sample->event->kind != WEIR_EVENT_ANOMALY) return;
    struct weir_link_row *row =
        flow ? row_of(links, flow) : row_need(links, sample->event->dns.client);
    if (!row) return;
    if (what == WEIR_CONTINUOUS_N) {
        add_loss(row, sample->event);
        return;
    }
    set_bit(row->sampled[what], service);
    if (what != WEIR_CONTINUOUS_RTT_CLIENT) return;
    uint16_t *count = &row->rtt[rtt_class((uint64_t)sample->event->rtt.us)];
    *count += *count < UINT16_MAX;
}

static void merge_sampled(struct weir_links *links, struct weir_link_row *row,
                          const struct weir_link_row *from) {
    for (int what = 0; what < WEIR_CONTINUOUS_N; what++)
        for (int word = 0; word < WEIR_SERVICES_MAX / 64; word++) {
            uint64_t new = from->sampled[what][word] & ~row->sampled[what][word];
            row->sampled[what][word] |= new;
            for (; new; new &= new - 1) links->n_sampled[what][word * 64 + __builtin_ctzll(new)]++;
        }
}

bool weir_links_merge(struct weir_links *links, const struct weir_addr *client,
                      const struct weir_link_row *from) {
    struct weir_link_row *row = row_need(links, client);
    if (!row) return false;
    row->segments_down += from->segments_down;
    row->segments_up += from->segments_up;
    row->lost_beyond += from->lost_beyond;
    row->needless += from->needless;
    row->lost_before += from->lost_before;
    row->lost_up += from->lost_up;
    for (int word = 0; word < WEIR_SERVICES_MAX / 64; word++)
        row->services[word] |= from->services[word];
    merge_sampled(links, row, from);
    for (int class = 0; class < LINK_RTT_CLASSES; class ++) {
        uint32_t sum = (uint32_t)row->rtt[class] + from->rtt[class];
        row->rtt[class] = (uint16_t)(sum < UINT16_MAX ? sum : UINT16_MAX);
    }
    return true;
}

void weir_links_read(const struct weir_link_row *row, struct weir_client_link *ret_link) {
    *ret_link = (struct weir_client_link){
        .client = row->client,
        .segments_down = row->segments_down,
        .segments_up = row->segments_up,
        .lost_beyond = row->lost_beyond > row->needless ? row->lost_beyond - row->needless : 0,
        .lost_before = row->lost_before,
        .lost_up = row->lost_up};
    memcpy(ret_link->services, row->services, sizeof row->services);
    uint32_t n = 0, passed = 0;
    for (int class = 0; class < LINK_RTT_CLASSES; class ++) n += row->rtt[class];
    ret_link->rtt_samples = n;
    for (unsigned class = 0; n && class < LINK_RTT_CLASSES; class ++) {
        passed += row->rtt[class];
        if (passed * UINT64_C(10) < n) continue;
        ret_link->rtt_us = rtt_of(class);
        return;
    }
}
