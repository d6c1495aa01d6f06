/* Whether a client's bytes are a request is told by what came back: data, or next to nothing.
 *
 *     data     500 bytes or more: three such answers, and the size is known
 *     little   an acknowledged PING, an empty reply to a beacon. A size that is answered so four
 *              times as often as with data is no request for media. (Error pages are little as
 *              well: an outage of errors must last for four times as many requests as were served
 *              before it hides itself.)
 *     held     answered after 5 s or more. Where half of a size's answers are (long polls, held
 *              playlists), it counts as unanswered only after twice the longest of them
 *
 * Counts are halved when they grow large, so that a service's next software is learned. Ambiguous
 * exchanges, in which several things were asked at once, teach nothing. Blind spot: a long poll
 * whose size is that of requests for media is timed out like them.
 */
#include <errno.h>
#include <stdlib.h>

#include "measure/asks.h"

enum { DATA_MIN = 500, KNOWN_MIN = 3, LITTLE_OF = 4, COUNT_MAX = 1024, DS_US = 100000 };

int weir_asks_init(struct weir_asks *asks, size_t n_services) {
    *asks = (struct weir_asks){.n_services = n_services};
    asks->services = calloc(n_services, sizeof *asks->services);
    asks->pages = calloc(WEIR_SERVICES_MAX, sizeof *asks->pages);
    if (asks->services && asks->pages) return 0;
    weir_asks_deinit(asks);
    return -ENOMEM;
}

void weir_asks_deinit(struct weir_asks *asks) {
    free(asks->services);
    free(asks->pages);
    asks->services = NULL;
    asks->pages = NULL;
}

static uint16_t in_ds(int64_t us) {
    return us / DS_US < UINT16_MAX ? (uint16_t)(us / DS_US) : UINT16_MAX;
}

static void halve(struct weir_asked *asked) {
    asked->data /= 2;
    asked->little /= 2;
    asked->held /= 2;
}

void weir_asks_chunk(struct weir_asks *asks, const struct weir_evidence *evidence) {
    unsigned size = weir_ask_size(evidence->chunk.request_bytes);
    if (evidence->service < WEIR_SERVICE_FIRST || evidence->service >= asks->n_services ||
        size == 0 || evidence->chunk.ttfb_us < 0)
        return;
    struct weir_asked *asked =
        &asks->services[evidence->service][evidence->transport == WEIR_TRANSPORT_UDP][size];
    asks->news[evidence->service] = true;
    if (asked->data >= COUNT_MAX || asked->little >= COUNT_MAX) halve(asked);
    if (evidence->chunk.bytes < DATA_MIN) {
        asked->little++;
        return;
    }
    asked->data++;
    if (evidence->chunk.ttfb_us < WEIR_REQUEST_TIMEOUT_MIN_US) return;
    asked->held++;
    if (in_ds(evidence->chunk.ttfb_us) > asked->longest_ds)
        asked->longest_ds = in_ds(evidence->chunk.ttfb_us);
}

/* Of one of a service's sizes, by which number of answers it is known; NULL: by none. */
static const struct weir_asked *known(const struct weir_asked *sizes, unsigned size) {
    const int order[] = {0, -1, 1};
    for (unsigned i = 0; i < (size >= WEIR_ASK_NEAR ? 3 : 1); i++) {
        const struct weir_asked *asked = &sizes[(int)size + order[i]];
        if (asked->data >= KNOWN_MIN && asked->little <= LITTLE_OF * asked->data) return asked;
    }
    return NULL;
}

bool weir_asks_knows(const struct weir_asks *asks, const struct weir_evidence *chunk) {
    unsigned size = weir_ask_size(chunk->chunk.request_bytes);
    bool udp = chunk->transport == WEIR_TRANSPORT_UDP;
    return size && chunk->service < asks->n_services &&
           known(asks->services[chunk->service][udp], size);
}

static uint16_t timeout_of(const struct weir_asked *asked, int64_t timeout_us) {
    if (!asked) return 0;
    int64_t held_us = asked->held * 2 >= asked->data ? 2 * asked->longest_ds * (int64_t)DS_US : 0;
    return in_ds(held_us > timeout_us ? held_us : timeout_us);
}

static void write_page(struct weir_asks *asks, size_t id) {
    for (unsigned transport = 0; transport < 2; transport++)
        for (unsigned size = 1; size < WEIR_ASK_SIZES - 1; size++)
            asks->pages[id].timeout_ds[transport][size] =
                timeout_of(known(asks->services[id][transport], size), asks->timeouts_us[id]);
}

void weir_asks_publish(struct weir_asks *asks, const int64_t *timeouts_us) {
    for (size_t id = WEIR_SERVICE_FIRST; id < asks->n_services; id++) {
        if (!asks->news[id] && asks->timeouts_us[id] == timeouts_us[id]) continue;
        asks->news[id] = false;
        asks->timeouts_us[id] = timeouts_us[id];
        write_page(asks, id);
    }
}
