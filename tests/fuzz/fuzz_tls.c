/* Any bytes as a TLS record and as a ClientHello. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include <weir/wire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct weir_tls_record record;
    if (weir_tls_record(data, size, &record) == WEIR_WIRE_OK) {
        assert(record.type >= WEIR_TLS_CCS && record.type <= WEIR_TLS_DATA);
        assert(record.length <= 16384 + 2048);
    }
    struct weir_client_hello hello;
    weir_client_hello(data, size, &hello);
    assert(hello.sni.length <= 253 && strlen(hello.sni.text) == hello.sni.length);
    assert(strlen(hello.alpn.text) == hello.alpn.length);
    return 0;
}
