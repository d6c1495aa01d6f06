/* Any bytes as what a device says of itself: DHCP and mDNS. Names stay printable and bounded. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "engine/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct weir_hosts *hosts;
    struct weir_packet packet = {.transport = WEIR_TRANSPORT_UDP};
    char name[WEIR_HOST_NAME_MAX] = "";
    if (!hosts) hosts = weir_hosts_new();
    if (size < 1 || !hosts) return 0;
    packet.src_port = data[0] & 1 ? 5353 : 68;
    packet.payload = data + 1;
    packet.payload_captured = packet.payload_len = (uint32_t)size - 1;
    weir_addr_parse("10.1.2.3", &packet.src);
    assert(weir_hosts_may_tell(&packet));
    weir_hosts_take(hosts, &packet);
    weir_hosts_name(hosts, &packet.src, name);
    for (const char *at = name; *at; at++)
        assert(*at >= ' ' && *at < 0x7f && *at != '"' && *at != '<');
    return 0;
}
