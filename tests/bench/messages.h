/* The messages by which a passive observer names a flow: DNS, TLS hellos, QUIC flights, HTTP/1
 * heads. Each function returns the length of what it wrote to `bytes`; `salt` makes one flow's
 * random fields differ from another's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HELLO_MAX = 2048, /* a ClientHello message, record header included */
    DATAGRAM_MAX = 1250,
    QUIC_ID = 8, /* bytes of every connection id here */
};

/* `address` in host byte order, for an answer; 0: a question. */
size_t message_dns(uint8_t *bytes, const char *host, uint16_t id, uint32_t address);

/* The ClientHello of a browser: one segment, or with a post-quantum key share (`hybrid`) two. As a
 * TLS record. */
size_t message_client_hello(uint8_t *bytes, const char *host, uint32_t salt, bool hybrid);
/* ServerHello and change_cipher_spec, as TLS records. */
size_t message_server_hello(uint8_t *bytes, uint32_t salt);

/* Datagram `nth` (0 or, with a hybrid hello, 1) of a client's QUIC version 1 flight, under its real
 * protection. 0: there is no such datagram. */
size_t message_quic_client(uint8_t *bytes, const char *host, uint32_t salt, bool hybrid,
                           unsigned nth);
/* The server's first datagram: its Initial, and a Handshake packet behind it. */
size_t message_quic_server(uint8_t *bytes, uint32_t salt);
/* The client's Handshake packet of about `length` bytes. */
size_t message_quic_handshake(uint8_t *bytes, uint32_t salt, size_t length);
/* One of the server's. */
size_t message_quic_server_handshake(uint8_t *bytes, uint32_t salt, size_t length);
/* A one-RTT packet's first byte and connection id, written over the start of `bytes`. */
void message_quic_short(uint8_t *bytes, uint32_t salt, bool from_server);

size_t message_http_request(uint8_t *bytes, size_t capacity, const char *host, uint32_t salt);
size_t message_http_head(uint8_t *bytes, size_t capacity, size_t body_length);
