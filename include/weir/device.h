/* Who is a client: a device, not an address. On a local network a device is its MAC address, so
 * that the IPv4 address and the IPv6 addresses of one television are one client; behind a router,
 * or where nothing tells, an address is a client.
 *
 * Facts are "this address sent from that MAC", from the first packet of a flow that its client
 * sent. The coordinator learns them, those of a tick before its evidence, whoever worked on it: the
 * answers do not depend on the number of workers. MAC addresses stay inside: no record shows one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/packet.h>

struct weir_device_fact {
    struct weir_addr addr;
    uint8_t mac[6];
    uint8_t ttl; /* of the packet: an initial value says that no router lies between */
};

struct weir_device_stats {
    uint64_t refused;          /* addresses that found no room: each is a client of its own */
    size_t addresses, devices; /* known now; devices: MACs, routers too */
};

struct weir_devices; /* opaque */
/* At most `max` addresses (0: 16384). 0 or -ENOMEM. */
int weir_devices_new(struct weir_devices **ret_devices, size_t max);
void weir_devices_free(struct weir_devices *devices);

/* First of each tick (seconds of the engine's clock), then all facts of it, in any order and as
 * often as one likes. */
void weir_devices_tick(struct weir_devices *devices, int64_t tick);
void weir_devices_learn(struct weir_devices *devices, const struct weir_device_fact *facts,
                        size_t n, int64_t tick);

/* The address that stands for the client whose address this is: the device's first one, else `addr`
 * itself. Valid until the next call that learns. */
const struct weir_addr *weir_devices_client(const struct weir_devices *devices,
                                            const struct weir_addr *addr);

/* The device of an address: false where that is not known, or shared by several hosts. */
bool weir_devices_mac(const struct weir_devices *devices, const struct weir_addr *addr,
                      uint8_t ret_mac[6]);
/* All addresses of the device that has this one, it included, in rising order; returns how many, at
 * most `max`. 1 where no device is known. */
size_t weir_devices_addresses(const struct weir_devices *devices, const struct weir_addr *addr,
                              struct weir_addr *ret_addrs, size_t max);

void weir_devices_stats(const struct weir_devices *devices, struct weir_device_stats *ret_stats);

/* ---- worker side: what to tell ---- */

struct weir_device_teller;                                          /* opaque */
int weir_device_teller_new(struct weir_device_teller **ret_teller); /* 0 or -ENOMEM */
void weir_device_teller_free(struct weir_device_teller *teller);
/* A client sent this packet, the first of a flow. */
void weir_device_tell(struct weir_device_teller *teller, const struct weir_packet *packet);
/* What is to be told since the last call; valid until the next packet. At a window's end all is
 * told anew. */
size_t weir_device_take(struct weir_device_teller *teller,
                        const struct weir_device_fact **ret_facts, bool window_end);
