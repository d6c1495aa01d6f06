/* TLS as far as it is in the clear: record headers, alerts, and the ClientHello.
 *
 *   record       type(1) version(2) length(2) | fragment
 *   handshake    type(1) length(3) | body                       may span records
 *   ClientHello  version(2) random(32) session<1> suites<2> compression<1> extensions<2>
 *
 * A hello arrives in pieces (post-quantum key shares make it two segments), so the parser reads
 * what is there and keeps the two ends apart: where the captured bytes stop (more may come: SHORT)
 * and where the message says that it stops (whatever points behind it is malformed: NOT). Encrypted
 * handshake messages and alerts cannot be told from their header; where their first bytes make no
 * sense they are reported as unknown. */
#include <weir/wire.h>

#include "base/cursor.h"

#define FRAGMENT_MAX (16384 + 2048)
/* certificate chains stay far below; what claims more is cipher text */
#define HANDSHAKE_LEN_MAX 0x20000
#define HELLO_LEN_MAX     0xffff

enum { HANDSHAKE_CLIENT_HELLO = 1, HANDSHAKE_LAST_REGISTERED = 25 };
enum { EXT_SERVER_NAME = 0, EXT_ALPN = 16, EXT_SUPPORTED_VERSIONS = 43, EXT_ECH = 0xfe0d };

static void peek_handshake(const uint8_t *fragment, size_t at_hand,
                           struct weir_tls_record *record) {
    if (at_hand < 1 || fragment[0] > HANDSHAKE_LAST_REGISTERED) return;
    if (at_hand >= 4) {
        uint32_t length = (uint32_t)fragment[1] << 16 | (uint32_t)fragment[2] << 8 | fragment[3];
        if (length > HANDSHAKE_LEN_MAX) return;
        record->handshake_len = length;
    }
    record->handshake_type = fragment[0];
}

static void peek_alert(const uint8_t *fragment, size_t at_hand, struct weir_tls_record *record) {
    bool plain = record->length == 2 && at_hand >= 2 && (fragment[0] == 1 || fragment[0] == 2);
    if (plain) {
        record->alert_level = fragment[0];
        record->alert_description = fragment[1];
    }
}

enum weir_wire weir_tls_record(const uint8_t *bytes, size_t length,
                               struct weir_tls_record *ret_record) {
    *ret_record = (struct weir_tls_record){0};
    if (length >= 1 && (bytes[0] < WEIR_TLS_CCS || bytes[0] > WEIR_TLS_DATA)) return WEIR_WIRE_NOT;
    if (length >= 2 && bytes[1] != 3) return WEIR_WIRE_NOT;
    if (length < WEIR_TLS_RECORD_HEADER) return WEIR_WIRE_SHORT;

    struct weir_tls_record record = {
        .type = bytes[0],
        .version = (uint16_t)(bytes[1] << 8 | bytes[2]),
        .length = (uint16_t)(bytes[3] << 8 | bytes[4]),
    };
    bool empty_allowed = record.type == WEIR_TLS_DATA;
    if (bytes[2] > 4 || record.length > FRAGMENT_MAX || (record.length == 0 && !empty_allowed))
        return WEIR_WIRE_NOT;
    size_t at_hand = length - WEIR_TLS_RECORD_HEADER;
    if (at_hand > record.length) at_hand = record.length;
    if (record.type == WEIR_TLS_HANDSHAKE)
        peek_handshake(bytes + WEIR_TLS_RECORD_HEADER, at_hand, &record);
    else if (record.type == WEIR_TLS_ALERT)
        peek_alert(bytes + WEIR_TLS_RECORD_HEADER, at_hand, &record);
    *ret_record = record;
    return WEIR_WIRE_OK;
}

/* RFC 8701: 0x0a0a, 0x1a1a ... 0xfafa, offered so that nobody grows used to a closed list. */
static bool is_grease(const uint8_t *two) { return (two[0] & 0x0f) == 0x0a && two[0] == two[1]; }

/* What runs short inside an extension is malformed if the extension is whole, else it is only cut.
 */
static enum weir_wire cut_or_bad(bool whole) { return whole ? WEIR_WIRE_NOT : WEIR_WIRE_SHORT; }

/* server_name: list<2> of { type(1) name<2> }; type 0 is a host name and no other was ever defined.
 */
static enum weir_wire read_server_name(struct weir_cursor ext, bool whole,
                                       struct weir_client_hello *hello) {
    weir_cursor_be16(&ext);
    while (weir_cursor_left(&ext) > 0) {
        uint8_t type = weir_cursor_u8(&ext);
        uint16_t length = weir_cursor_be16(&ext);
        const uint8_t *name = weir_cursor_take(&ext, length);
        if (!name) break;
        if (type == 0) {
            weir_host_set(&hello->sni, (const char *)name, length);
            return WEIR_WIRE_OK;
        }
    }
    return ext.short_of_bytes ? cut_or_bad(whole) : WEIR_WIRE_OK;
}

static bool alpn_set(struct weir_host *alpn, const uint8_t *protocol, uint8_t length) {
    if (length == 0 || (length == 2 && is_grease(protocol))) return false;
    for (unsigned i = 0; i < length; i++)
        if (protocol[i] <= ' ' || protocol[i] > '~') return false;
    memcpy(alpn->text, protocol, length);
    alpn->text[length] = '\0';
    alpn->length = length;
    return true;
}

/* ALPN: list<2> of protocol<1>. */
static enum weir_wire read_alpn(struct weir_cursor ext, bool whole,
                                struct weir_client_hello *hello) {
    weir_cursor_be16(&ext);
    while (weir_cursor_left(&ext) > 0) {
        uint8_t length = weir_cursor_u8(&ext);
        const uint8_t *protocol = weir_cursor_take(&ext, length);
        if (!protocol) break;
        if (alpn_set(&hello->alpn, protocol, length)) return WEIR_WIRE_OK;
    }
    return ext.short_of_bytes ? cut_or_bad(whole) : WEIR_WIRE_OK;
}

/* supported_versions: list<1> of version(2). A draft of TLS 1.3 (0x7fXX) counts as 1.3. */
static enum weir_wire read_versions(struct weir_cursor ext, bool whole,
                                    struct weir_client_hello *hello) {
    uint16_t highest = 0;
    weir_cursor_u8(&ext);
    while (weir_cursor_left(&ext) > 0) {
        const uint8_t *two = weir_cursor_take(&ext, 2);
        if (!two) break;
        uint16_t version = two[0] == 0x7f ? 0x0304 : (uint16_t)(two[0] << 8 | two[1]);
        if (version >> 8 == 3 && version > highest) highest = version;
    }
    if (highest) hello->version = highest;
    return ext.short_of_bytes ? cut_or_bad(whole) : WEIR_WIRE_OK;
}

/* `ext` holds as much of the extension's body as was captured. */
static enum weir_wire read_extension(uint16_t type, struct weir_cursor ext, bool whole,
                                     struct weir_client_hello *hello) {
    switch (type) {
    case EXT_SERVER_NAME:
        return hello->sni.length ? WEIR_WIRE_OK : read_server_name(ext, whole, hello);
    case EXT_ALPN: return hello->alpn.length ? WEIR_WIRE_OK : read_alpn(ext, whole, hello);
    case EXT_SUPPORTED_VERSIONS: return read_versions(ext, whole, hello);
    case EXT_ECH: hello->ech = true; return WEIR_WIRE_OK;
    default: return WEIR_WIRE_OK;
    }
}

/* `promised` is how many bytes of extensions the message says there are. */
static enum weir_wire read_extensions(struct weir_cursor *hello_bytes, size_t promised,
                                      struct weir_client_hello *hello) {
    while (promised > 0) {
        uint16_t type = weir_cursor_be16(hello_bytes);
        uint16_t length = weir_cursor_be16(hello_bytes);
        if (promised < 4) return WEIR_WIRE_NOT;
        if (hello_bytes->short_of_bytes) return WEIR_WIRE_SHORT;
        promised -= 4;
        if (length > promised) return WEIR_WIRE_NOT;
        size_t left = weir_cursor_left(hello_bytes);
        bool whole = length <= left;
        struct weir_cursor ext = weir_cursor_init(hello_bytes->at, whole ? length : left);
        enum weir_wire wire = read_extension(type, ext, whole, hello);
        if (wire == WEIR_WIRE_NOT) return WEIR_WIRE_NOT;
        if (!whole) return WEIR_WIRE_SHORT;
        weir_cursor_skip(hello_bytes, length);
        promised -= length;
    }
    return WEIR_WIRE_OK;
}

/* The fixed part, up to and with the length of the extensions. */
static enum weir_wire read_head(struct weir_cursor *bytes, bool whole,
                                struct weir_client_hello *hello) {
    hello->version = weir_cursor_be16(bytes);
    if (!bytes->short_of_bytes && hello->version >> 8 != 3) return WEIR_WIRE_NOT;
    weir_cursor_skip(bytes, 32);
    uint8_t session_len = weir_cursor_u8(bytes);
    if (session_len > 32) return WEIR_WIRE_NOT;
    weir_cursor_skip(bytes, session_len);
    uint16_t suites_len = weir_cursor_be16(bytes);
    if (!bytes->short_of_bytes && (suites_len < 2 || suites_len % 2)) return WEIR_WIRE_NOT;
    weir_cursor_skip(bytes, suites_len);
    uint8_t compression_len = weir_cursor_u8(bytes);
    if (!bytes->short_of_bytes && compression_len == 0) return WEIR_WIRE_NOT;
    weir_cursor_skip(bytes, compression_len);
    return bytes->short_of_bytes ? cut_or_bad(whole) : WEIR_WIRE_OK;
}

enum weir_wire weir_client_hello(const uint8_t *bytes, size_t length,
                                 struct weir_client_hello *ret_hello) {
    struct weir_client_hello *hello = ret_hello;
    hello->sni.length = hello->alpn.length = 0;
    hello->sni.text[0] = hello->alpn.text[0] = '\0';
    hello->version = 0;
    hello->ech = false;

    if (length >= 1 && bytes[0] != HANDSHAKE_CLIENT_HELLO) return WEIR_WIRE_NOT;
    if (length < 4) return WEIR_WIRE_SHORT;
    size_t promised = 4 + ((size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3]);
    if (promised - 4 > HELLO_LEN_MAX) return WEIR_WIRE_NOT;
    bool whole = length >= promised;
    struct weir_cursor cursor = weir_cursor_init(bytes, whole ? promised : length);
    weir_cursor_skip(&cursor, 4);
    enum weir_wire wire = read_head(&cursor, whole, hello);
    if (wire != WEIR_WIRE_OK) return wire;

    size_t rest = promised - (size_t)(cursor.at - bytes);
    if (rest == 0) /* a hello of before extensions */
        return WEIR_WIRE_OK;
    uint16_t extensions_len = weir_cursor_be16(&cursor);
    if (cursor.short_of_bytes) return cut_or_bad(whole);
    if (rest != 2 + (size_t)extensions_len) return WEIR_WIRE_NOT;
    return read_extensions(&cursor, extensions_len, hello);
}
