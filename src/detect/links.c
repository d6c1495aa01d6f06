/* Is it one client's own link? A television at the edge of its WiFi loses packets of everything
 * that it does, and no service is to be accused of it. The vantage stands between the two: what was
 * seen here on its way and had to be sent again was lost beyond.
 *
 * A window of a client is bad when, of at least 200 segments sent to it, one in twenty is lost
 * beyond with 95 % confidence; when it had them from two services, or from all that it uses; when
 * next to nothing was lost before the vantage (behind a hole in the server's data repeats look like
 * loss beyond); and when the other clients lose next to nothing. Healthy WiFi loses 1.7 % in the
 * median and 4 % in its worst tenth. Two bad windows raise it, as this client's; two good ones end
 * it.
 *
 * Who is served by such a link starves, whatever is watched: that it does is no evidence against
 * the service. What counts as good is under half of that. A client whose link is visibly fine is
 * believed when it says that a service fails: a television that does one thing only has no other
 * witness.
 *
 * Blind spots: QUIC shows no loss; where there is no other client nothing tells the client's link
 * from a fault of the gateway's own network; a link that drops all packets shows as silence.
 */
#include <string.h>

#include "detect/state.h"

enum {
    SEGMENTS_MIN = 200,
    OTHERS_MIN = 200,
    RAISE_WINDOWS = 2,
    CLEAR_WINDOWS = 2,
    FINE_SEGMENTS = 20
};
static const double bad_share = 0.05, good_share = 0.025, before_share = 0.01, others_share = 0.02,
                    fine_share = 0.04;
/* Chosen by: worlds 30001-30202, in which it was so in all 19 incidents (claimed 0.9). */
static const double of_link = 0.97;

static unsigned count_bits(const uint64_t bits[WEIR_SERVICES_MAX / 64]) {
    unsigned n = 0;
    for (unsigned i = 0; i < WEIR_SERVICES_MAX / 64; i++)
        n += (unsigned)__builtin_popcountll(bits[i]);
    return n;
}

struct sum {
    uint64_t segments, beyond, before;
};

static struct sum sum_of(const struct weir_detect_window *window) {
    struct sum sum = {0};
    for (size_t i = 0; i < window->n_links; i++) {
        sum.segments += window->links[i].segments_down;
        sum.beyond += window->links[i].lost_beyond;
        sum.before += window->links[i].lost_before;
    }
    return sum;
}

/* More services than one at the client, or at none of the others more than at this one: a home in
 * which each does one thing. */
static bool is_of_all(const struct weir_detector *detector, const struct weir_client_link *row) {
    const struct weir_client *client = weir_keyed_find(&detector->clients, &row->client, 0, 0);
    if (count_bits(row->services) >= 2) return true;
    /* what it does beside, and does well, speaks against its link */
    for (int i = 0; client && i < WEIR_NOTES; i++) {
        const struct weir_note *note = &client->notes[i];
        bool other =
            note->at_us && !(row->services[note->service / 64] >> (note->service % 64) & 1);
        if (other && note->ok && note->service >= WEIR_SERVICE_FIRST &&
            detector->now_us - note->at_us <= detector->config.control_us)
            return false;
    }
    return count_bits(row->services) == 1;
}

static void take_row(struct weir_detector *detector, const struct weir_client_link *row,
                     struct sum all, int64_t start_us) {
    struct weir_link *link = weir_keyed_get(&detector->links, &row->client, 0, 0, start_us);
    if (row->segments_down < SEGMENTS_MIN) return;
    struct sum others = {all.segments - row->segments_down, all.beyond - row->lost_beyond,
                         all.before - row->lost_before};
    double share = weir_wilson(row->lost_beyond, row->segments_down).low;
    bool alone = others.segments >= OTHERS_MIN &&
                 (double)others.beyond <= others_share * (double)others.segments;
    bool clean = row->lost_before <= before_share * row->segments_down;
    if (share >= bad_share && alone && clean && is_of_all(detector, row)) {
        if (!link->bad_run) link->onset_us = start_us;
        link->bad_run++;
        link->good_run = 0;
        link->bad_us = start_us + WEIR_SLOT_US;
        link->last = (struct weir_incident_link){
            .segments = row->segments_down,
            .lost_beyond = row->lost_beyond,
            .lost_before = row->lost_before,
            .others_segments =
                (uint32_t)(others.segments < UINT32_MAX ? others.segments : UINT32_MAX),
            .others_lost = (uint32_t)(others.beyond < UINT32_MAX ? others.beyond : UINT32_MAX)};
    } else if (row->lost_beyond <= good_share * row->segments_down) {
        link->good_run++;
        link->bad_run = link->good_run >= CLEAR_WINDOWS ? 0 : link->bad_run;
    }
}

static void take(struct weir_detector *detector, const struct weir_detect_window *window) {
    struct sum all = sum_of(window);
    for (size_t i = 0; i < window->n_links; i++) {
        const struct weir_client_link *row = &window->links[i];
        take_row(detector, row, all, window->start_us);
        struct weir_link *link =
            weir_keyed_get(&detector->links, &row->client, 0, 0, window->start_us);
        link->fine_us = row->segments_down >= FINE_SEGMENTS &&
                                row->lost_beyond <= fine_share * row->segments_down
                            ? window->start_us + WEIR_SLOT_US
                        : row->segments_down >= FINE_SEGMENTS ? 0
                                                              : link->fine_us;
    }
}

bool weir_link_is_fine(const struct weir_detector *detector, const struct weir_addr *client,
                       int64_t now_us) {
    const struct weir_link *link = weir_keyed_find(&detector->links, client, 0, 0);
    return link && link->fine_us && now_us - link->fine_us <= detector->config.control_us;
}

bool weir_link_is_bad(const struct weir_detector *detector, const struct weir_addr *client,
                      int64_t now_us) {
    const struct weir_link *link = weir_keyed_find(&detector->links, client, 0, 0);
    return link && link->bad_run >= RAISE_WINDOWS &&
           now_us - link->bad_us <= detector->config.control_us;
}

/* ---- incidents ---- */

static void raise(struct weir_detector *detector, struct weir_case *incident,
                  const struct weir_link *link) {
    struct weir_verdict verdict = {.subject = link->head.addr,
                                   .record = {.onset_us = link->onset_us,
                                              .ts_us = detector->now_us,
                                              .state = WEIR_STATE_DEGRADED,
                                              .cause = WEIR_CAUSE_CLIENT,
                                              .confidence = WEIR_CONFIDENCE_MEDIUM,
                                              .probability = of_link,
                                              .layer = WEIR_LAYER_SERVE,
                                              .n_clients = 1,
                                              .n_clients_seen = 1,
                                              .trials = {.high = 1},
                                              .link = link->last,
                                              .watch = WEIR_WATCH_link}};
    verdict.record.clients[0] = link->head.addr;
    weir_case_apply(detector, incident, &verdict, link->bad_us);
}

static bool is_fresh(const struct weir_detector *detector, const struct weir_link *link) {
    return link->bad_run >= RAISE_WINDOWS && detector->now_us - link->bad_us <= 2 * WEIR_SLOT_US;
}

static void tick(struct weir_detector *detector) {
    size_t cursor = 0;
    if (detector->links_judged_us == detector->open_start_us) /* once a window */
        return;
    detector->links_judged_us = detector->open_start_us;
    for (struct weir_link *link; (link = weir_assoc_next(&detector->links, &cursor));) {
        if (!is_fresh(detector, link) || detector->uplink_case.open) continue;
        struct weir_case *incident =
            weir_case_of(detector, detector->client_cases, WEIR_CLIENT_CASES, &link->head.addr);
        if (!incident)
            detector->stats.incidents_refused++;
        else if (!incident->open || incident->record.link.segments)
            raise(detector, incident, link);
    }
}

bool weir_link_is_over(const struct weir_detector *detector, const struct weir_case *incident) {
    const struct weir_link *link = weir_keyed_find(&detector->links, &incident->subject, 0, 0);
    return !link || link->good_run >= CLEAR_WINDOWS;
}

static void say(struct weir_text *text, const struct weir_incident *record) {
    weir_say(text, ": of %u packets sent to it %u were lost on the last stretch",
             record->link.segments, record->link.lost_beyond);
}

const struct weir_watch weir_watch_link = {
    .name = "link",
    .help = "packets lost between here and one client",
    .scope = WEIR_WATCHES_CLIENT,
    .tick = tick,
    .window = take,
    .evidence = say,
};
