/* Any bytes as a DNS message. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include <weir/wire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct weir_dns_message message;
    enum weir_wire wire = weir_dns_message(data, size, &message);
    assert(message.n_addrs <= WEIR_DNS_ADDRS_MAX);
    assert(message.qname.length <= 253 && strlen(message.qname.text) == message.qname.length);
    assert(wire != WEIR_WIRE_OK || message.response ||
           (message.n_addrs == 0 && message.rcode == 0));
    for (unsigned i = 0; i < message.n_addrs; i++) assert(message.addrs[i].ttl_s <= 7 * 24 * 3600);
    return 0;
}
