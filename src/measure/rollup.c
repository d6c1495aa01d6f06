/* The rollup: accumulators of all workers become a window per service, windows become the run.
 * States merge by addition, so neither the number of workers nor their order shows. Clients are
 * counted here, in one bounded set: a client's first evidence in the window, and its first ever,
 * each count once.
 *
 * Traffic of flows that never had a name is measured as "other".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weir/device.h>

#include "measure/links.h"
#include "measure/mix.h"
#include "measure/signal.h"

enum { CLIENTS_MAX = 65536, CLIENT_WINDOWS = 360 };
enum { ONE_WAY_LEAST = 10 }; /* ended flows before their share says anything */

struct client { /* that asked a service for something */
    struct weir_addr addr;
    weir_service_id service;
    bool used;
    uint32_t window; /* last one in which it was counted */
};

struct weir_rollup {
    size_t n_services;
    struct weir_accumulator *window, *run;
    struct {
        int64_t first_us, last_us;
        uint64_t clients;
    } seen[WEIR_SERVICES_MAX];
    uint64_t window_clients[WEIR_SERVICES_MAX];
    uint32_t window_number;
    struct client *clients;
    const struct weir_devices *devices; /* or NULL */
    size_t n_clients, clients_max, clients_mask;
    struct weir_links links; /* all workers', of the window */
    struct weir_client_link *shown;
    size_t n_shown, shown_room;
    struct weir_rollup_stats stats;
};

int weir_rollup_new(struct weir_rollup **ret_rollup, size_t n_services, size_t clients_max) {
    struct weir_rollup *rollup = calloc(1, sizeof *rollup);
    if (!rollup) return -ENOMEM;
    rollup->n_services = n_services < WEIR_SERVICE_FIRST  ? WEIR_SERVICE_FIRST
                         : n_services > WEIR_SERVICES_MAX ? WEIR_SERVICES_MAX
                                                          : n_services;
    rollup->clients_max = clients_max ? clients_max : CLIENTS_MAX;
    size_t size = 16;
    while (size < rollup->clients_max * 2) size *= 2;
    rollup->clients_mask = size - 1;
    rollup->clients = calloc(size, sizeof *rollup->clients);
    rollup->window = weir_accumulators_new(rollup->n_services);
    rollup->run = weir_accumulators_new(rollup->n_services);
    rollup->window_number = 1;
    weir_links_init(&rollup->links, rollup->clients_max);
    if (!rollup->clients || !rollup->window || !rollup->run) {
        weir_rollup_free(rollup);
        return -ENOMEM;
    }
    *ret_rollup = rollup;
    return 0;
}

void weir_rollup_free(struct weir_rollup *rollup) {
    if (!rollup) return;
    weir_links_deinit(&rollup->links);
    free(rollup->shown);
    free(rollup->clients);
    free(rollup->window);
    free(rollup->run);
    free(rollup);
}

static struct weir_accumulator *window_of(const struct weir_rollup *rollup,
                                          weir_service_id service) {
    size_t index = service == WEIR_SERVICE_NONE || service >= rollup->n_services
                       ? WEIR_SERVICE_OTHER
                       : service;
    return weir_accumulator_at(rollup->window, index);
}

static void add_naming(const struct weir_accumulator *accumulator, uint64_t flows[WEIR_NAMED_N],
                       uint64_t bytes[WEIR_NAMED_N]) {
    const struct weir_flows_state *state =
        weir_accumulator_state(accumulator, &weir_signal_traffic);
    for (int by = 0; by < WEIR_NAMED_N; by++) {
        flows[by] += state->named_flows[by];
        bytes[by] += accumulator->traffic.named_bytes[by];
    }
}

void weir_rollup_by_device(struct weir_rollup *rollup, const struct weir_devices *devices) {
    rollup->devices = devices;
}

static const struct weir_addr *client_of(const struct weir_rollup *rollup,
                                         const struct weir_link_row *row) {
    return rollup->devices ? weir_devices_client(rollup->devices, &row->client) : &row->client;
}

void weir_rollup_block(struct weir_rollup *rollup, const struct weir_block *block) {
    if (!block->window_end || !block->accumulators) return;
    for (size_t id = 0; id < block->n_services; id++)
        weir_accumulator_merge(window_of(rollup, (weir_service_id)id),
                               weir_accumulator_at(block->accumulators, id));
    rollup->stats.clients_refused += block->links_refused;
    for (size_t i = 0; i < block->n_links; i++)
        rollup->stats.clients_refused += !weir_links_merge(
            &rollup->links, client_of(rollup, &block->links[i]), &block->links[i]);
}

static int compare_links(const void *a, const void *b) {
    return weir_addr_compare(&((const struct weir_client_link *)a)->client,
                             &((const struct weir_client_link *)b)->client);
}

size_t weir_rollup_links(struct weir_rollup *rollup, const struct weir_client_link **ret_links) {
    *ret_links = NULL;
    size_t room = rollup->links.index.n;
    if (room > rollup->shown_room) {
        struct weir_client_link *shown = realloc(rollup->shown, room * sizeof *shown);
        if (!shown) return 0;
        rollup->shown = shown;
        rollup->shown_room = room;
    }
    rollup->n_shown = 0;
    for (size_t i = 0; i < room; i++)
        if (rollup->links.rows[i].segments_down)
            weir_links_read(&rollup->links.rows[i], &rollup->shown[rollup->n_shown++]);
    if (rollup->n_shown > 1)
        qsort(rollup->shown, rollup->n_shown, sizeof *rollup->shown, compare_links);
    *ret_links = rollup->shown;
    return rollup->n_shown;
}

uint32_t weir_rollup_sampled(const struct weir_rollup *rollup, weir_service_id service,
                             enum weir_continuous what) {
    return rollup->links.n_sampled[what][service];
}

void weir_rollup_prefetch(const struct weir_rollup *rollup, const struct weir_evidence *evidence) {
    size_t at =
        weir_mix_end(weir_mix_addr(evidence->service, &evidence->client)) & rollup->clients_mask;
    __builtin_prefetch(&rollup->clients[at]);
}

/* The client's place, made where there is none; NULL: no room. */
static struct client *client_need(struct weir_rollup *rollup, const struct weir_addr *addr,
                                  weir_service_id service) {
    size_t at = weir_mix_end(weir_mix_addr(service, addr)) & rollup->clients_mask;
    for (; rollup->clients[at].used; at = (at + 1) & rollup->clients_mask)
        if (rollup->clients[at].service == service &&
            weir_addr_compare(&rollup->clients[at].addr, addr) == 0)
            return &rollup->clients[at];
    if (rollup->n_clients >= rollup->clients_max) return NULL;
    rollup->n_clients++;
    rollup->clients[at] = (struct client){.addr = *addr, .service = service, .used = true};
    rollup->seen[service].clients++;
    return &rollup->clients[at];
}

void weir_rollup_evidence(struct weir_rollup *rollup, const struct weir_evidence *evidence) {
    weir_service_id service = evidence->service;
    if (service == WEIR_SERVICE_NONE || service >= rollup->n_services ||
        evidence->kind == WEIR_EVIDENCE_END)
        return;
    struct client *client = client_need(rollup, &evidence->client, service);
    if (!client) {
        rollup->stats.clients_refused++;
        return;
    }
    if (client->window == rollup->window_number) return;
    client->window = rollup->window_number;
    rollup->window_clients[service]++;
    window_of(rollup, service)->touched = true;
}

void weir_rollup_slot(struct weir_rollup *rollup, const struct weir_slot *slot) {
    for (size_t i = 0; i < slot->n_trials; i++)
        if (slot->trials[i].ok || slot->trials[i].fail)
            weir_accumulator_trial(window_of(rollup, slot->trials[i].service), &slot->trials[i]);
}

void weir_rollup_sums(struct weir_rollup *rollup, weir_service_id service,
                      const struct weir_session_sums *sums) {
    weir_accumulator_sums(window_of(rollup, service), sums);
}

bool weir_rollup_seen(const struct weir_rollup *rollup, weir_service_id service) {
    return service < rollup->n_services && window_of(rollup, service)->touched;
}

/* The last window of a run may be a short one. */
static int64_t window_start(int64_t end_us) { return end_us - ((end_us - 1) % WEIR_SLOT_US + 1); }

static void put_clients(struct weir_accumulator *accumulator, uint64_t clients) {
    struct weir_clients_state *state = weir_accumulator_state(accumulator, &weir_signal_clients);
    state->clients = clients;
}

void weir_rollup_window(const struct weir_rollup *rollup, weir_service_id service, int64_t end_us,
                        struct weir_window_record *ret_record) {
    struct weir_accumulator *accumulator = window_of(rollup, service);
    *ret_record = (struct weir_window_record){
        .start_us = window_start(end_us), .end_us = end_us, .service = service};
    put_clients(accumulator, rollup->window_clients[service]);
    weir_accumulator_read(accumulator, ret_record->values);
}

static void clients_forget(struct weir_rollup *rollup) {
    size_t size = rollup->clients_mask + 1;
    if (rollup->n_clients < rollup->clients_max / 4 * 3) return;
    struct client *old = rollup->clients, *clients = calloc(size, sizeof *clients);
    if (!clients) return;
    rollup->clients = clients;
    rollup->n_clients = 0;
    for (size_t i = 0; i < size; i++) {
        if (!old[i].used || rollup->window_number - old[i].window > CLIENT_WINDOWS) continue;
        size_t at =
            weir_mix_end(weir_mix_addr(old[i].service, &old[i].addr)) & rollup->clients_mask;
        while (clients[at].used) at = (at + 1) & rollup->clients_mask;
        clients[at] = old[i];
        rollup->n_clients++;
    }
    free(old);
}

void weir_rollup_window_done(struct weir_rollup *rollup, int64_t end_us) {
    for (size_t id = 0; id < rollup->n_services; id++) {
        struct weir_accumulator *window = weir_accumulator_at(rollup->window, id);
        if (!window->touched) continue;
        weir_accumulator_merge(weir_accumulator_at(rollup->run, id), window);
        weir_accumulator_clear(window);
        if (!rollup->seen[id].last_us) rollup->seen[id].first_us = window_start(end_us);
        rollup->seen[id].last_us = end_us;
    }
    memset(rollup->window_clients, 0, sizeof rollup->window_clients);
    rollup->window_number++;
    weir_links_clear(&rollup->links, 0);
    clients_forget(rollup);
}

bool weir_rollup_service(const struct weir_rollup *rollup, weir_service_id service,
                         struct weir_service_record *ret_record) {
    if (service >= rollup->n_services || !rollup->seen[service].last_us) return false;
    struct weir_accumulator *accumulator = weir_accumulator_at(rollup->run, service);
    *ret_record = (struct weir_service_record){.first_us = rollup->seen[service].first_us,
                                               .last_us = rollup->seen[service].last_us,
                                               .service = service};
    add_naming(accumulator, ret_record->named_flows, ret_record->named_bytes);
    put_clients(accumulator, rollup->seen[service].clients);
    weir_accumulator_read(accumulator, ret_record->values);
    return true;
}

double weir_rollup_one_way_share(const struct weir_rollup *rollup) {
    uint64_t ended = 0, one_way = 0;
    for (size_t id = 0; id < rollup->n_services; id++) {
        const struct weir_traffic *traffic = &weir_accumulator_at(rollup->window, id)->traffic;
        ended += traffic->tcp_ended;
        one_way += traffic->tcp_ended_one_way;
    }
    return ended >= ONE_WAY_LEAST ? (double)one_way / (double)ended : 0;
}

uint64_t weir_rollup_down_bytes(const struct weir_rollup *rollup) {
    uint64_t bytes = 0;
    for (size_t id = 0; id < rollup->n_services; id++)
        bytes += weir_accumulator_at(rollup->window, id)->traffic.bytes[WEIR_SERVER];
    return bytes;
}

uint64_t weir_rollup_down_payload(const struct weir_rollup *rollup, weir_service_id service) {
    return window_of(rollup, service)->traffic.tcp_payload[WEIR_SERVER];
}

void weir_rollup_naming(const struct weir_rollup *rollup, uint64_t flows[WEIR_NAMED_N],
                        uint64_t bytes[WEIR_NAMED_N]) {
    for (size_t id = 0; id < rollup->n_services; id++)
        add_naming(weir_accumulator_at(rollup->run, id), flows, bytes);
}

void weir_rollup_read_stats(const struct weir_rollup *rollup, struct weir_rollup_stats *ret_stats) {
    *ret_stats = rollup->stats;
}
