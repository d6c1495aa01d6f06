/* Entries as packets again, without who the clients are and what else they did. */
#pragma once

#include "proof/ring.h"

/* Clients in the order in which they appear, and the devices that they are. */
struct weir_proof_clients {
    size_t n, room;
    struct weir_proof_client {
        struct weir_addr addr;
        uint8_t mac[6];  /* that it sent from last; all zero: not known */
        uint16_t device; /* the number of the first client that sent from it */
    } * clients;
};
void weir_proof_clients_deinit(struct weir_proof_clients *clients);

enum { WEIR_PROOF_FRAME_MAX = 160 + WEIR_PROOF_KEPT_MAX };
/* One Ethernet frame in `frame`: the number of bytes there, *ret_wire those that it
 * says to have. 0: nothing that may be shown. `set` tells which names belong to services. */
size_t weir_proof_frame(struct weir_proof_clients *clients, const struct weir_service_set *set,
                        const struct weir_proof_entry *entry, uint8_t frame[WEIR_PROOF_FRAME_MAX],
                        uint32_t *ret_wire);
