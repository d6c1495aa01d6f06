/* What devices call themselves: names by DHCP (option 12) and mDNS, for a person who asks which
 * devices are hit. Kept only where the site shows its clients plainly. */
#pragma once

#include <weir/error.h>
#include <weir/packet.h>
#include <weir/sink.h>

#define WEIR_HOSTS_FILE "clients.json"
/* More than the names of all devices that are kept. */
enum { WEIR_HOSTS_BYTES_MAX = 4 << 20 };
enum { WEIR_HOST_NAME_MAX = 64, WEIR_HOSTS_MAX = 4096 };

struct weir_hosts; /* opaque; any thread */

/* NULL: no memory. */
struct weir_hosts *weir_hosts_new(void);
void weir_hosts_free(struct weir_hosts *hosts);

/* Could this packet tell a name? Cheap, for every packet. */
static inline bool weir_hosts_may_tell(const struct weir_packet *packet) {
    return packet->transport == WEIR_TRANSPORT_UDP &&
           (packet->src_port == 5353 || packet->src_port == 68 || packet->src_port == 67);
}
void weir_hosts_take(struct weir_hosts *hosts, const struct weir_packet *packet);

/* The name of an address, or NULL; `name` holds WEIR_HOST_NAME_MAX bytes. */
const char *weir_hosts_name(struct weir_hosts *hosts, const struct weir_addr *addr, char *name);

/* Keeps DIR/clients.json, written whole and renamed when a name is new. The table outlives the
 * sink. */
extern const struct weir_sink weir_sink_hosts;
int weir_sink_hosts_new(void **ret_state, const struct weir_publish_context *context,
                        struct weir_hosts *hosts, const char *directory);
