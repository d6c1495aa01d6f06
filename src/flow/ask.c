/* What the size of a client's words tells: whether such were answered with data before.
 *
 *      known   by this flow (its last two sizes) or, by the page of its service, by any
 *      thin    as small as control frames are, and not known: below 60 bytes over TCP, 100 over
 *              QUIC
 *      pushed  the server has said a little after a long silence, unasked: a web socket, or the
 *              like. On such a flow no size is known any more, since what comes next may answer
 *              nothing.
 */
#include "flow/request.h"

enum {
    THIN_TCP = 60,
    THIN_UDP = 100,
    PUSHED = 127, /* in serve.known */
    PUSH_MAX = 10000,
    DATA_MIN = 500,
};

static unsigned transport_of(const struct weir_flow *flow) {
    return flow->transport == WEIR_TRANSPORT_UDP;
}

uint16_t ask_timeout_ds(const struct weir_flow *flow, unsigned size) {
    const struct weir_ask_page *pages = flow->table->config.asks;
    if (!pages || size == 0) return 0;
    return pages[flow->named.service].timeout_ds[transport_of(flow)][size];
}

static bool is_near(unsigned known, unsigned size) {
    return known == size ||
           (size >= WEIR_ASK_NEAR && known && (known + 1 == size || known == size + 1));
}

bool ask_is_known(const struct weir_flow *flow, unsigned size) {
    const struct serve *serve = &flow->serve;
    if (size == 0 || serve->known == PUSHED) return false;
    return is_near(serve->known, size) || is_near(serve->known_before, size) ||
           ask_timeout_ds(flow, size);
}

bool ask_is_pushed(const struct weir_flow *flow) { return flow->serve.known == PUSHED; }

bool ask_is_thin(const struct weir_flow *flow, unsigned size) {
    unsigned least = weir_ask_size(transport_of(flow) ? THIN_UDP : THIN_TCP);
    return size < least && !ask_is_known(flow, size);
}

void ask_learn(struct weir_flow *flow, struct serve *serve) {
    if (serve->known == PUSHED) return;
    if (serve->resumed && serve->chunk_bytes < PUSH_MAX) {
        serve->known = PUSHED;
        return;
    }
    if (serve->resumed || serve->chunk_bytes < DATA_MIN || serve->size == 0 ||
        ask_is_thin(flow, serve->size) || serve->size == serve->known)
        return;
    serve->known_before = serve->known;
    serve->known = serve->size;
}
