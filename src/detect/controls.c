/* Is it the client? Is it the path out? The trials that everybody else makes at the same time are
 * the control group.
 *
 * A failure of a client counts by what else that client does: when its latest trial elsewhere in
 * the last minute was useful the failure weighs 1, when there was none it weighs a half, when that
 * failed too it weighs nothing here (and 1 for the uplink). "Elsewhere" is another service on a
 * prefix that this service was never seen on: a shared CDN that dies must not look like a dead
 * uplink. A failure that is an answer (a reset, SERVFAIL) proves by itself that the client's
 * network works: dual-stack clients look names up over IPv4, and all else that they do may be over
 * IPv6. For the same reason it is a witness for what else that client tries, as a useful trial is.
 *
 * Where nothing else was tried an answered lookup is a witness, too: it came through the client's
 * network; and so is what its link shows (links.c): most televisions do one thing.
 *
 * A service that was told to fail by itself says nothing of the client when it fails on: else of
 * two services that fail for one client the second would never be told.
 *
 * Bad WiFi lets some trials through: a client whose controls were useful and failed within the
 * minute weighs a half.
 *
 * A destination that never worked (blocked from the start), or that has long been dead while others
 * answer, says nothing about the path: some device in every home knocks for months at a server that
 * is gone.
 */
#include <string.h>

#include "detect/shown.h"
#include "detect/state.h"

enum { DEAD_RUN = 6 };                  /* a destination is dead after so many failures in a row */
#define DEAD_US      INT64_C(600000000) /* over so long, while others are useful */
#define OTHERS_OK_US INT64_C(30000000)
#define DAY_US       INT64_C(86400000000)

static bool seen_on(const struct weir_detector *detector, const struct weir_addr *prefix,
                    weir_service_id service) {
    const struct weir_destination *destination =
        weir_keyed_find(&detector->destinations, prefix, 0, 0);
    return destination && (destination->services[service / 64] >> (service % 64) & 1);
}

bool weir_controls_counts(const struct weir_detector *detector, const struct weir_trial *trial,
                          const struct weir_shown *shown) {
    if (trial->layer == WEIR_LAYER_DNS ||
        (trial->layer == WEIR_LAYER_QUIC && trial->fail && trial->quic_fell_back))
        return false;
    if (trial->ok) return true;
    if (trial->kind == WEIR_OUTCOME_STARVED || trial->kind == WEIR_OUTCOME_HOLLOW) return false;
    const struct weir_destination *destination =
        weir_keyed_find_again(&detector->destinations, shown->destination, &trial->prefix, 0, 0);
    if (!destination || destination->useful == 0) return false;
    return destination->fail_run < DEAD_RUN ||
           trial->fail_us - destination->last_ok_us <= DEAD_US ||
           trial->fail_us - detector->uplink_ok_us > OTHERS_OK_US;
}

/* The note of the same (service, prefix); else a free one; else the oldest of a service that holds
 * many; else the oldest. */
static struct weir_note *note_for(struct weir_client *client, weir_service_id service,
                                  const struct weir_addr *prefix) {
    struct weir_note *oldest = &client->notes[0], *same = NULL;
    unsigned n_same = 0;
    for (int i = 0; i < WEIR_NOTES; i++) {
        struct weir_note *note = &client->notes[i];
        if (note->at_us && note->service == service &&
            weir_addr_compare(&note->prefix, prefix) == 0)
            return note;
        if (note->at_us && note->service == service) {
            n_same++;
            if (!same || note->at_us < same->at_us) same = note;
        }
        if (note->at_us < oldest->at_us) oldest = note;
    }
    return oldest->at_us && n_same >= 4 ? same : oldest;
}

static int64_t decided_us(const struct weir_trial *trial) {
    return trial->ok ? trial->ok_us : trial->fail_us;
}

static void note_destination(struct weir_detector *detector, const struct weir_trial *trial,
                             struct weir_shown *shown, bool closed) {
    struct weir_destination *destination = weir_keyed_get_again(
        &detector->destinations, &shown->destination, &trial->prefix, 0, 0, decided_us(trial));
    destination->services[trial->service / 64] |= UINT64_C(1) << (trial->service % 64);
    if (trial->ok && trial->ok_us > destination->last_ok_us) destination->last_ok_us = trial->ok_us;
    if (!closed) return;
    if (trial->ok) {
        destination->useful++;
        destination->fail_run = 0;
    } else
        destination->fail_run++;
}

static void note_active(struct weir_detector *detector, const struct weir_trial *trial,
                        struct weir_shown *shown) {
    struct weir_addr network = trial->client;
    if (!weir_addr_is_v4(&network)) memset(network.bytes + 8, 0, 8);
    weir_keyed_get_again(&detector->active, &shown->active, &network, 0, 0, decided_us(trial));
}

void weir_controls_note(struct weir_detector *detector, const struct weir_trial *trial,
                        struct weir_shown *shown, bool closed) {
    note_active(detector, trial, shown);
    struct weir_client *client = weir_keyed_get_again(&detector->clients, &shown->client,
                                                      &trial->client, 0, 0, decided_us(trial));
    bool counts = weir_controls_counts(detector, trial, shown);
    if (trial->layer == WEIR_LAYER_DNS && trial->ok && trial->ok_us > client->answered_us)
        client->answered_us = trial->ok_us;
    if (trial->layer != WEIR_LAYER_DNS) note_destination(detector, trial, shown, closed);
    bool answered = trial->layer != WEIR_LAYER_DNS && trial->fail && weir_is_answer(trial->kind);
    if (answered && trial->fail_us > detector->uplink_ok_us)
        detector->uplink_ok_us = trial->fail_us;
    if (!counts) return;
    if (trial->ok && trial->ok_us > detector->uplink_ok_us) detector->uplink_ok_us = trial->ok_us;
    if (closed) client->ok_run = trial->ok ? client->ok_run + 1 : 0;
    struct weir_note *note = note_for(client, trial->service, &trial->prefix);
    bool same = note->at_us && note->service == trial->service &&
                weir_addr_compare(&note->prefix, &trial->prefix) == 0;
    /* A failure of the open slot may be taken back: it is dated only when the slot is closed. What
     * was answered came through the client's network, whatever the answer said. */
    bool lost = trial->fail && !answered;
    int64_t fail_us = lost && closed ? trial->fail_us : same ? note->fail_us : 0;
    *note = (struct weir_note){.prefix = trial->prefix,
                               .at_us = decided_us(trial),
                               .fail_us = fail_us,
                               .service = trial->service,
                               .ok = trial->ok || answered};
}

/* It was told that this service fails by itself: its failures are no witness of the client's
 * network.
 */
static bool is_told(const struct weir_detector *detector, weir_service_id service) {
    return service >= WEIR_SERVICE_FIRST && detector->services[service].incident.open;
}

double weir_controls_weight(const struct weir_detector *detector, const struct weir_trial *trial,
                            const struct weir_shown *shown) {
    if (weir_is_answer(trial->kind)) return 1;
    if (trial->kind == WEIR_OUTCOME_STARVED &&
        weir_link_is_bad(detector, &trial->client, trial->fail_us))
        return 0;
    const struct weir_client *client =
        weir_keyed_find_again(&detector->clients, shown->client, &trial->client, 0, 0);
    weir_service_id service = trial->service;
    int64_t now_us = trial->fail_us;
    const struct weir_note *latest = NULL;
    bool shaky = false;
    for (int i = 0; client && i < WEIR_NOTES; i++) {
        const struct weir_note *note = &client->notes[i];
        if (!note->at_us || note->service == service ||
            now_us - note->at_us > detector->config.control_us)
            continue;
        bool told = is_told(detector, note->service),
             newer = !latest || note->at_us > latest->at_us,
             failed =
                 !told && note->fail_us && now_us - note->fail_us <= detector->config.control_us;
        if (told && !note->ok) continue;
        if ((!newer && (shaky || !failed)) || seen_on(detector, &note->prefix, service)) continue;
        shaky |= failed;
        if (newer) latest = note;
    }
    if (latest && !latest->ok) return 0;
    bool answered = trial->layer != WEIR_LAYER_DNS && client && client->answered_us &&
                    now_us - client->answered_us <= detector->config.control_us;
    bool vouched = latest || answered || weir_link_is_fine(detector, &trial->client, now_us);
    return vouched && !shaky ? 1 : detector->config.weight_unknown;
}

unsigned weir_prefixes_used(const struct weir_detector *detector, weir_service_id service,
                            uint8_t layer, int64_t before_us) {
    unsigned n = 0;
    size_t cursor = 0;
    for (const struct weir_prefix *at; (at = weir_assoc_next(&detector->prefixes, &cursor));)
        n += at->head.service == service && at->head.layer == layer && at->track.useful > 0 &&
             before_us - at->track.committed.last_us <= detector->config.active_us;
    return n;
}

static uint32_t count_since(const struct weir_assoc *keyed, int64_t since_us) {
    uint32_t n = 0;
    size_t cursor = 0;
    for (const struct weir_keyed_head *head; (head = weir_assoc_next(keyed, &cursor));)
        n += head->last_us >= since_us;
    return n;
}

void weir_controls_count_clients(struct weir_detector *detector, int64_t now_us) {
    detector->n_active = count_since(&detector->active, now_us - detector->config.active_us);
    if (!detector->known_us || now_us - detector->known_us >= detector->config.active_us ||
        detector->n_known < detector->n_active) {
        detector->n_known = count_since(&detector->clients, now_us - DAY_US);
        detector->known_us = now_us;
    }
}
