/* Parsers of the application headers that tell health and names: TLS, QUIC, DNS, HTTP/1.
 *
 * Pure functions over bytes that may lie or be cut: no state, no allocation, bounded time. Results
 * point into the caller's bytes or are copied into fixed fields. They belong to decode, whose
 * callers (flow for state, classify for names) keep what spans several packets.
 *
 * Common answers of the parsers here: */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/packet.h>

enum weir_wire {
    WEIR_WIRE_OK = 0,
    WEIR_WIRE_SHORT = 1, /* what is there is well formed; more bytes are needed */
    WEIR_WIRE_NOT = 2,   /* not this protocol, or malformed */
};

/* A host name: lower case, no trailing dot, NUL-terminated; only letters, digits, '-', '_' and '.'.
 */
#define WEIR_HOST_MAX 256
struct weir_host {
    uint8_t length; /* 0: none */
    char text[WEIR_HOST_MAX];
};

/* Copies `length` bytes of a name: lowers, strips the trailing dot; false (and empty) if it holds
 * bytes that no host name has, or is empty or over 253 long. */
bool weir_host_set(struct weir_host *host, const char *text, size_t length);

/* ---- TLS (RFC 8446 4, 5; RFC 6066 3; RFC 9849 for ECH) ---- */

enum weir_tls_type {
    WEIR_TLS_CCS = 20,
    WEIR_TLS_ALERT = 21,
    WEIR_TLS_HANDSHAKE = 22,
    WEIR_TLS_DATA = 23
};

struct weir_tls_record {
    uint8_t type; /* enum weir_tls_type */
    uint16_t version;
    uint16_t length; /* of the fragment behind the 5-byte header; <= 16384 + 2048 */
    /* when the fragment's first bytes are at hand: */
    /* as registered: 1 ClientHello, 2 ServerHello ...; 0 unknown or not a handshake */
    uint8_t handshake_type;
    uint32_t handshake_len;                 /* 24-bit length of that message */
    uint8_t alert_level, alert_description; /* of a plain-text alert; 0 unknown */
};
#define WEIR_TLS_RECORD_HEADER 5
/* Reads the record header at `bytes` (and as much of what follows as is there). SHORT below 5
 * bytes. */
enum weir_wire weir_tls_record(const uint8_t *bytes, size_t length,
                               struct weir_tls_record *ret_record);

struct weir_client_hello {
    struct weir_host sni;
    /* the first protocol offered ("h2", "h3", "http/1.1"), GREASE skipped; not a host, but the same
     * shape */
    struct weir_host alpn;
    /* highest of supported_versions, else legacy_version; GREASE skipped, drafts of 1.3 are 1.3 */
    uint16_t version;
    bool ech; /* extension 0xfe0d present: real and GREASE look alike */
};
/* `bytes` begins at the handshake message (type 1). SHORT while the message is not whole:
 * *ret_hello then holds what was found so far (the SNI often comes early). */
enum weir_wire weir_client_hello(const uint8_t *bytes, size_t length,
                                 struct weir_client_hello *ret_hello);

/* ---- QUIC (RFC 9000 17, RFC 9001 5, RFC 9369) ---- */

enum weir_quic_type {
    WEIR_QUIC_SHORT, /* 1-RTT */
    WEIR_QUIC_INITIAL,
    WEIR_QUIC_ZERO_RTT,
    WEIR_QUIC_HANDSHAKE,
    WEIR_QUIC_RETRY,
    WEIR_QUIC_VERSION_NEGOTIATION,
    /* a long header of a version that weir cannot read (gQUIC, future) */
    WEIR_QUIC_UNKNOWN_VERSION,
};

struct weir_cid {
    uint8_t length; /* 0..20 */
    uint8_t bytes[20];
};

struct weir_quic_header {
    uint8_t type;               /* enum weir_quic_type */
    uint32_t version;           /* 0 for short headers */
    struct weir_cid dcid, scid; /* long headers only */
    /* of this packet within the datagram, header included; the rest are coalesced */
    uint16_t packet_len;
    /* of the protected packet number; INITIAL, ZERO_RTT and HANDSHAKE only */
    uint16_t payload_offset;
};
/* The header at the start of `bytes` (wire length `wire_length` >= `length`). To walk a datagram's
 * coalesced packets, call again at bytes + packet_len. WEIR_WIRE_NOT when the fixed bit is 0 and it
 * is neither version negotiation nor of a known version (which may grease that bit: RFC 9287), or
 * when a length in it is more than the wire had. SHORT: cut by the capture; what was read so far
 * (version, ids) is filled in. Ids of an unknown version are filled in when they are laid out as
 * RFC 8999 says and no longer than 20 bytes, else left empty. */
enum weir_wire weir_quic_header(const uint8_t *bytes, size_t length, size_t wire_length,
                                struct weir_quic_header *ret_header);

/* What an Initial says once its protection is removed. */
#define WEIR_QUIC_CRYPTO_MAX 32
struct weir_quic_initial {
    /* CRYPTO frames, as they come; into `plain`, so the struct must not be copied while they are
     * used */
    struct {
        uint32_t offset;
        uint16_t length;
        const uint8_t *bytes;
    } crypto[WEIR_QUIC_CRYPTO_MAX];
    uint8_t n_crypto;
    bool crypto_left_out; /* there were more pieces than that */
    bool closed;          /* a CONNECTION_CLOSE (0x1c) frame */
    uint64_t close_code;
    uint8_t plain[2048]; /* the decrypted payload */
};
/* Opens an Initial of v1, v2 or draft-29 whose header was read by weir_quic_header(). `first_dcid`
 * is the destination id of the client's first Initial, or of its first behind a Retry (RFC
 * 9001 5.2); `from_server` picks the key; the version is this packet's own, as a server may answer
 * v1 in v2. SHORT: not all captured. NOT: authentication failed (n_crypto is 0), or a frame was
 * malformed (frames before it are kept), or the payload is over what `plain` holds. Costs a few
 * microseconds. */
enum weir_wire weir_quic_open_initial(const uint8_t *bytes, size_t length,
                                      const struct weir_quic_header *header,
                                      const struct weir_cid *first_dcid, bool from_server,
                                      struct weir_quic_initial *ret_initial);

/* ---- DNS (RFC 1035, RFC 9460) ---- */

enum weir_dns_rcode {
    WEIR_DNS_NOERROR = 0,
    WEIR_DNS_FORMERR = 1,
    WEIR_DNS_SERVFAIL = 2,
    WEIR_DNS_NXDOMAIN = 3,
    WEIR_DNS_REFUSED = 5
};
enum weir_dns_type {
    WEIR_DNS_A = 1,
    WEIR_DNS_CNAME = 5,
    WEIR_DNS_AAAA = 28,
    WEIR_DNS_SVCB = 64,
    WEIR_DNS_HTTPS = 65
};

#define WEIR_DNS_ADDRS_MAX 32
struct weir_dns_message {
    uint16_t id;
    uint16_t qtype;
    /* enum weir_dns_rcode or another; with the bits that EDNS adds, at most 255 */
    uint8_t rcode;
    bool response, truncated;
    bool no_question; /* a response that does not repeat the question: qname and qtype are its first
                       * answer's, so perhaps an alias of what was asked; none where it only refuses
                       */
    /* the captured bytes or a bound ended before the answers did: addresses may be missing */
    bool cut;
    struct weir_host
        qname; /* the name asked for (addresses behind CNAMEs count as its own); empty for the root
                * and for names that are not a host's (service discovery has spaces in them) */
    uint8_t n_addrs;
    /* ttl at most a week. A, AAAA, and ipv4hint / ipv6hint of HTTPS and SVCB */
    struct {
        struct weir_addr addr;
        uint32_t ttl_s;
    } addrs[WEIR_DNS_ADDRS_MAX];
};
/* One message (without the 2-byte length of TCP). Compression pointers must point back; names,
 * CNAME chains and records are bounded. SHORT when even the question is cut. Only class IN, opcode
 * QUERY, one question (a response may leave it out). */
enum weir_wire weir_dns_message(const uint8_t *bytes, size_t length,
                                struct weir_dns_message *ret_message);

/* ---- HTTP/1 (RFC 9112) ---- */

struct weir_http_request {
    struct weir_host host;
};
/* A request line and the host that it is for: of an absolute target, else of CONNECT, else the Host
 * field; port and user are stripped. SHORT: begins like a request, Host not yet seen. NOT: no
 * request, or a header without Host. OK with an empty host: the Host field is there but holds no
 * name (empty, or an IPv6 literal). */
enum weir_wire weir_http_request(const uint8_t *bytes, size_t length,
                                 struct weir_http_request *ret_request);
