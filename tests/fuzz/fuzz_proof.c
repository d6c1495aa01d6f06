/* Any packets through the ring, the choice and the rewriting: frames that come out are no longer
 * than they may be, and say of the clients no more than their number. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proof/rewrite.h"
#include "proof/select.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES_MAX = 64 };
static struct weir_service_set *set;
static uint8_t *copies[ENTRIES_MAX];
static size_t n_copies;

static int copy(void *context, const struct weir_proof_entry *entry) {
    if (n_copies == ENTRIES_MAX) return 0;
    copies[n_copies] = malloc(entry->size);
    memcpy(copies[n_copies++], entry, entry->size);
    return 0;
}

static void keep(struct weir_proof_ring *ring, const uint8_t *data, size_t size, int64_t ts_us) {
    static const uint8_t transports[] = {WEIR_TRANSPORT_TCP, WEIR_TRANSPORT_UDP,
                                         WEIR_TRANSPORT_ICMP, WEIR_TRANSPORT_TCP};
    struct weir_packet packet;
    memset(&packet, 0, sizeof packet);
    packet.ts_us = ts_us;
    packet.transport = transports[data[0] & 3];
    packet.src_port = data[0] & 4 ? 53 : data[0] & 8 ? 443 : 40000;
    packet.dst_port = data[0] & 16 ? 53 : data[0] & 32 ? 80 : 40001;
    weir_addr_parse(data[0] & 64 ? "2001:db8::1" : "203.0.113.9", &packet.src);
    weir_addr_parse(data[0] & 64 ? "2001:db8::2" : "192.0.2.7", &packet.dst);
    packet.payload = data + 1;
    packet.payload_captured = (uint32_t)size - 1;
    packet.payload_len = packet.payload_captured + data[0];
    if (packet.transport == WEIR_TRANSPORT_ICMP)
        memcpy(&packet.icmp, data, size < sizeof packet.icmp ? size : sizeof packet.icmp);
    else
        memcpy(&packet.tcp, data, size < 24 ? size : 24);
    weir_proof_keep(ring, &packet, data[0] & 15, data[0] >> 6, data[0] & 1, data[0] & 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct weir_fault fault;
    if (!set && weir_service_set_load(&set, WEIR_SIGNATURES, &fault) < 0) abort();
    struct weir_proof_ring *ring = weir_proof_ring_new(1 << 20);
    struct weir_proof_clients clients = {0};
    struct weir_proof_entry *entries[ENTRIES_MAX];
    int64_t ts_us = 1000000;
    while (size >= 3) {
        size_t n = (size_t)(data[0] << 8 | data[1]) % 700 + 1;
        n = n < size - 2 ? n : size - 2;
        keep(ring, data + 2, n, ts_us += 700);
        data += n + 2;
        size -= n + 2;
    }
    n_copies = 0;
    weir_proof_ring_read(ring, 0, INT64_MAX, copy, NULL);
    for (size_t i = 0; i < n_copies; i++) entries[i] = (struct weir_proof_entry *)(void *)copies[i];
    const struct weir_proof_case about = {
        .service = 2, .onset_us = 1010000, .until_us = INT64_MAX, .bytes_max = 20000};
    long kept = weir_proof_select(entries, n_copies, &about);
    assert(kept >= 0 && (size_t)kept <= n_copies);
    for (long i = 0; i < kept; i++) {
        uint8_t frame[WEIR_PROOF_FRAME_MAX];
        uint32_t wire = 0;
        size_t captured = weir_proof_frame(&clients, set, entries[i], frame, &wire);
        assert(captured <= sizeof frame && captured <= wire + (captured == 0));
    }
    weir_proof_clients_deinit(&clients);
    for (size_t i = 0; i < n_copies; i++) free(copies[i]);
    weir_proof_ring_free(ring);
    return 0;
}
