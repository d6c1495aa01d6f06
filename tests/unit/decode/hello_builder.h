/* Makes TLS ClientHello messages for tests, from the handshake header on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hello_spec {
    const char *sni;         /* NULL: none */
    const char *const *alpn; /* NULL-terminated; NULL: none */
    size_t key_share_len;    /* 32 for X25519, 1216 for X25519MLKEM768 */
    bool sni_last;           /* behind the key share, else in front */
    bool ech;
    bool tls13;         /* supported_versions, with a GREASE value in front */
    bool no_extensions; /* end behind the compression methods */
};
/* The message's length; asserts that it fits into `capacity`. */
size_t hello_build(const struct hello_spec *spec, uint8_t *bytes, size_t capacity);
