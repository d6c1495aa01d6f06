/* Any bytes as an HTTP/1 request. What is OK or NOT stays so when more bytes come. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include <weir/wire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct weir_http_request whole, half;
    enum weir_wire wire = weir_http_request(data, size, &whole);
    assert(whole.host.length <= 253 && strlen(whole.host.text) == whole.host.length);
    enum weir_wire before = weir_http_request(data, size / 2, &half);
    if (before == WEIR_WIRE_SHORT) return 0;
    assert(before == wire);
    assert(before != WEIR_WIRE_OK || strcmp(half.host.text, whole.host.text) == 0);
    return 0;
}
