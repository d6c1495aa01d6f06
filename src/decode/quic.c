/* QUIC as far as it is readable: long headers, and what an Initial says.
 *
 *   long    1Fttxxxx version(4) dcid<1> scid<1> ...
 *   Initial     ... token<varint> length(varint) | packet number(1-4) frames tag(16)
 *   0-RTT, Handshake  ...         length(varint) | ...
 *   short   01xxxxxx dcid ...
 *
 * The Initial's keys come from a salt that each version publishes and from the client's first
 * destination id (RFC 9001 5.2), so whoever sees the first datagram can open it; this hides nothing
 * and authenticates little, but a tag that fits says that the bytes are QUIC and whole. Versions
 * differ in salt, labels and type bits: the table.
 *
 * An Initial's packet number is taken as sent, without the number before it: right while it fits
 * its encoding, as it does until a client has sent hundreds of Initials; past that the tag does not
 * fit and the answer is NOT.
 *
 * Blind spots: ids over 20 bytes (no known version has them), payloads over what weir_quic_initial
 * holds, tokens over 1 KiB, versions without a row. */
#include <nettle/aes.h>
#include <nettle/gcm.h>
#include <nettle/hmac.h>

#include <weir/wire.h>

#include "base/cursor.h"

#define TAG_LEN       16
#define SAMPLE_LEN    16
#define SAMPLE_BEHIND 4 /* the sample starts where a packet number of full length would end */
#define AAD_MAX       1280

struct quic_version {
    uint32_t version;
    uint8_t type_of_bits[4]; /* by the two type bits of the first byte */
    uint8_t salt[20];
    const char *label_key, *label_iv, *label_hp;
};

#define TYPES_OF_V1 \
    { WEIR_QUIC_INITIAL, WEIR_QUIC_ZERO_RTT, WEIR_QUIC_HANDSHAKE, WEIR_QUIC_RETRY }
#define TYPES_OF_V2 \
    { WEIR_QUIC_RETRY, WEIR_QUIC_INITIAL, WEIR_QUIC_ZERO_RTT, WEIR_QUIC_HANDSHAKE }

static const struct quic_version versions[] = {
    {0x00000001,
     TYPES_OF_V1, /* RFC 9001 */
     {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
      0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
     "quic key",
     "quic iv",
     "quic hp"},
    {0x6b3343cf,
     TYPES_OF_V2, /* RFC 9369 */
     {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
      0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
     "quicv2 key",
     "quicv2 iv",
     "quicv2 hp"},
    {0xff00001d,
     TYPES_OF_V1, /* draft-ietf-quic-tls-29 */
     {0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
      0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99},
     "quic key",
     "quic iv",
     "quic hp"},
};

static const struct quic_version *version_find(uint32_t version) {
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (versions[i].version == version) return &versions[i];
    return NULL;
}

static uint64_t cursor_varint(struct weir_cursor *cursor) {
    uint8_t first = weir_cursor_u8(cursor);
    unsigned more = (1u << (first >> 6)) - 1;
    uint64_t value = first & 0x3f;
    const uint8_t *rest = weir_cursor_take(cursor, more);
    if (!rest) return 0;
    for (unsigned i = 0; i < more; i++) value = value << 8 | rest[i];
    return value;
}

/* ---- headers ---- */

/* An id longer than any known version has leaves *cid empty; the return value is its length on the
 * wire. */
static uint8_t cursor_cid(struct weir_cursor *cursor, struct weir_cid *cid) {
    uint8_t length = weir_cursor_u8(cursor);
    const uint8_t *bytes = weir_cursor_take(cursor, length);
    cid->length = 0;
    if (bytes && length <= sizeof cid->bytes) {
        memcpy(cid->bytes, bytes, length);
        cid->length = length;
    }
    return length;
}

/* 'Q' or 'T' and three digits. Before Q050 its ids were laid out in another way than RFC 8999 has
 * it. */
static bool is_gquic(uint32_t version) {
    uint8_t letter = (uint8_t)(version >> 24);
    if (letter != 'Q' && letter != 'T') return false;
    for (int shift = 16; shift >= 0; shift -= 8)
        if ((uint8_t)((uint8_t)(version >> shift) - '0') > 9) return false;
    return true;
}

/* Running off the bytes at hand is SHORT if the wire had more, else it is malformed. */
static enum weir_wire short_or_not(size_t length, size_t wire_length) {
    return length < wire_length ? WEIR_WIRE_SHORT : WEIR_WIRE_NOT;
}

static enum weir_wire read_negotiation(size_t header_len, size_t wire_length,
                                       struct weir_quic_header *header) {
    header->type = WEIR_QUIC_VERSION_NEGOTIATION;
    header->packet_len = (uint16_t)wire_length;
    size_t list_len = wire_length - header_len;
    return list_len >= 4 && list_len % 4 == 0 ? WEIR_WIRE_OK : WEIR_WIRE_NOT;
}

/* The Length field, and the token in front of it in an Initial. */
static enum weir_wire read_length(struct weir_cursor *cursor, const uint8_t *bytes, size_t length,
                                  size_t wire_length, struct weir_quic_header *header) {
    if (header->type == WEIR_QUIC_INITIAL) {
        uint64_t token_len = cursor_varint(cursor);
        if (token_len > wire_length) return WEIR_WIRE_NOT;
        weir_cursor_skip(cursor, token_len);
    }
    uint64_t protected_len = cursor_varint(cursor);
    if (cursor->short_of_bytes) return short_or_not(length, wire_length);
    size_t offset = (size_t)(cursor->at - bytes);
    if (protected_len > wire_length - offset || protected_len < SAMPLE_BEHIND + SAMPLE_LEN)
        return WEIR_WIRE_NOT;
    header->payload_offset = (uint16_t)offset;
    header->packet_len = (uint16_t)(offset + protected_len);
    return WEIR_WIRE_OK;
}

static enum weir_wire read_long(const uint8_t *bytes, size_t length, size_t wire_length,
                                struct weir_quic_header *header) {
    struct weir_cursor cursor = weir_cursor_init(bytes + 1, length - 1);
    header->version = weir_cursor_be32(&cursor);
    if (cursor.short_of_bytes) return short_or_not(length, wire_length);
    bool fixed_bit = bytes[0] & 0x40;
    if (!fixed_bit && header->version != 0 && !version_find(header->version)) return WEIR_WIRE_NOT;
    header->type = WEIR_QUIC_UNKNOWN_VERSION;
    if (is_gquic(header->version)) {
        header->packet_len = (uint16_t)wire_length;
        return WEIR_WIRE_OK;
    }

    uint8_t dcid_len = cursor_cid(&cursor, &header->dcid);
    uint8_t scid_len = cursor_cid(&cursor, &header->scid);
    if (cursor.short_of_bytes) return short_or_not(length, wire_length);
    if (header->version == 0)
        return read_negotiation((size_t)(cursor.at - bytes), wire_length, header);
    const struct quic_version *version = version_find(header->version);
    if (!version) {
        header->packet_len = (uint16_t)wire_length;
        return WEIR_WIRE_OK;
    }
    if (dcid_len > sizeof header->dcid.bytes || scid_len > sizeof header->scid.bytes)
        return WEIR_WIRE_NOT;
    header->type = version->type_of_bits[bytes[0] >> 4 & 3];
    if (header->type != WEIR_QUIC_RETRY)
        return read_length(&cursor, bytes, length, wire_length, header);
    header->packet_len = (uint16_t)wire_length;
    /* token and integrity tag, to the end */
    size_t retry_len = wire_length - (size_t)(cursor.at - bytes);
    return retry_len > TAG_LEN ? WEIR_WIRE_OK : WEIR_WIRE_NOT;
}

enum weir_wire weir_quic_header(const uint8_t *bytes, size_t length, size_t wire_length,
                                struct weir_quic_header *ret_header) {
    struct weir_quic_header *header = ret_header;
    header->type = WEIR_QUIC_SHORT;
    header->version = 0;
    header->dcid.length = header->scid.length = 0;
    header->packet_len = header->payload_offset = 0;

    if (wire_length > UINT16_MAX) wire_length = UINT16_MAX; /* no datagram is longer */
    if (length > wire_length) length = wire_length;
    if (length == 0) return short_or_not(length, wire_length);
    if (bytes[0] & 0x80) return read_long(bytes, length, wire_length, header);
    if (!(bytes[0] & 0x40)) return WEIR_WIRE_NOT;
    header->packet_len = (uint16_t)wire_length;
    return WEIR_WIRE_OK;
}

/* ---- protection ---- */

struct keys {
    uint8_t key[AES128_KEY_SIZE], iv[GCM_IV_SIZE], hp[AES128_KEY_SIZE];
};

/* HKDF-Expand-Label of RFC 8446 7.1 with an empty context and one block of output. `hmac` is keyed
 * with the secret and comes back so: nettle starts it anew after each digest, and three labels
 * share the cost of its key. */
static void expand_label(struct hmac_sha256_ctx *hmac, const char *label, size_t length,
                         uint8_t *ret_bytes) {
    uint8_t info[32] = {0, (uint8_t)length};
    size_t label_len = strlen(label);
    info[2] = (uint8_t)(6 + label_len);
    memcpy(info + 3, "tls13 ", 6);
    memcpy(info + 9, label, label_len);
    info[9 + label_len] = 0;  /* no context */
    info[10 + label_len] = 1; /* the first and only block */
    hmac_sha256_update(hmac, 11 + label_len, info);
    hmac_sha256_digest(hmac, length, ret_bytes);
}

static void derive_keys(const struct quic_version *version, const struct weir_cid *first_dcid,
                        bool from_server, struct keys *ret_keys) {
    struct hmac_sha256_ctx hmac;
    uint8_t secret[SHA256_DIGEST_SIZE];
    hmac_sha256_set_key(&hmac, sizeof version->salt, version->salt);
    hmac_sha256_update(&hmac, first_dcid->length, first_dcid->bytes);
    hmac_sha256_digest(&hmac, sizeof secret, secret);

    hmac_sha256_set_key(&hmac, sizeof secret, secret);
    expand_label(&hmac, from_server ? "server in" : "client in", sizeof secret, secret);

    hmac_sha256_set_key(&hmac, sizeof secret, secret);
    expand_label(&hmac, version->label_key, sizeof ret_keys->key, ret_keys->key);
    expand_label(&hmac, version->label_iv, sizeof ret_keys->iv, ret_keys->iv);
    expand_label(&hmac, version->label_hp, sizeof ret_keys->hp, ret_keys->hp);
}

/* Removes header protection: *ret_first and the packet number bytes as they were before. Their
 * count. */
static unsigned unmask_header(const uint8_t *bytes, size_t offset, const uint8_t *hp,
                              uint8_t *ret_first, uint8_t ret_number[4]) {
    struct aes128_ctx aes;
    uint8_t mask[SAMPLE_LEN];
    aes128_set_encrypt_key(&aes, hp);
    aes128_encrypt(&aes, SAMPLE_LEN, mask, bytes + offset + SAMPLE_BEHIND);
    *ret_first = bytes[0] ^ (mask[0] & 0x0f);
    unsigned number_len = (*ret_first & 3) + 1;
    for (unsigned i = 0; i < number_len; i++) ret_number[i] = bytes[offset + i] ^ mask[1 + i];
    return number_len;
}

/* AES-128-GCM over the frames; the header, unmasked, is authenticated with them. */
static bool decrypt(const uint8_t *cipher, size_t cipher_len, const struct keys *keys,
                    const uint8_t *aad, size_t aad_len, const uint8_t *number, unsigned number_len,
                    uint8_t *ret_plain) {
    uint8_t nonce[GCM_IV_SIZE], tag[TAG_LEN];
    memcpy(nonce, keys->iv, sizeof nonce);
    for (unsigned i = 0; i < number_len; i++) nonce[GCM_IV_SIZE - number_len + i] ^= number[i];

    struct gcm_aes128_ctx gcm;
    gcm_aes128_set_key(&gcm, keys->key);
    gcm_aes128_set_iv(&gcm, sizeof nonce, nonce);
    gcm_aes128_update(&gcm, aad_len, aad);
    gcm_aes128_decrypt(&gcm, cipher_len, ret_plain, cipher);
    gcm_aes128_digest(&gcm, sizeof tag, tag);
    return memcmp(tag, cipher + cipher_len, sizeof tag) == 0;
}

/* ---- frames ---- */

enum {
    FRAME_PADDING = 0,
    FRAME_PING = 1,
    FRAME_ACK = 2,
    FRAME_ACK_ECN = 3,
    FRAME_CRYPTO = 6,
    FRAME_CLOSE = 0x1c
};

static bool skip_ack(struct weir_cursor *cursor, bool ecn) {
    cursor_varint(cursor); /* largest acknowledged */
    cursor_varint(cursor); /* delay */
    uint64_t n_ranges = cursor_varint(cursor);
    cursor_varint(cursor); /* first range */
    if (n_ranges > weir_cursor_left(cursor) / 2) return false;
    for (uint64_t i = 0; i < 2 * n_ranges + (ecn ? 3 : 0); i++) cursor_varint(cursor);
    return !cursor->short_of_bytes;
}

static bool read_crypto(struct weir_cursor *cursor, struct weir_quic_initial *initial) {
    uint64_t offset = cursor_varint(cursor);
    uint64_t length = cursor_varint(cursor);
    if (cursor->short_of_bytes || length > weir_cursor_left(cursor) || offset > UINT32_MAX - length)
        return false;
    const uint8_t *bytes = weir_cursor_take(cursor, length);
    if (length == 0) return true;
    if (initial->n_crypto == WEIR_QUIC_CRYPTO_MAX) {
        initial->crypto_left_out = true;
        return true;
    }
    unsigned i = initial->n_crypto++;
    initial->crypto[i].offset = (uint32_t)offset;
    initial->crypto[i].length = (uint16_t)length;
    initial->crypto[i].bytes = bytes;
    return true;
}

static bool read_close(struct weir_cursor *cursor, struct weir_quic_initial *initial) {
    uint64_t code = cursor_varint(cursor);
    cursor_varint(cursor); /* type of the frame at fault */
    uint64_t reason_len = cursor_varint(cursor);
    if (reason_len > weir_cursor_left(cursor) || !weir_cursor_skip(cursor, reason_len))
        return false;
    if (!initial->closed) initial->close_code = code;
    initial->closed = true;
    return true;
}

/* Only these frames may be in an Initial (RFC 9000 12.4). Each round takes a byte at the least. */
static enum weir_wire read_frames(const uint8_t *plain, size_t length,
                                  struct weir_quic_initial *initial) {
    struct weir_cursor cursor = weir_cursor_init(plain, length);
    while (weir_cursor_left(&cursor) > 0) {
        bool ok = true;
        uint8_t type = weir_cursor_u8(&cursor);
        switch (type) {
        case FRAME_PADDING:
        case FRAME_PING: break;
        case FRAME_ACK:
        case FRAME_ACK_ECN: ok = skip_ack(&cursor, type == FRAME_ACK_ECN); break;
        case FRAME_CRYPTO: ok = read_crypto(&cursor, initial); break;
        case FRAME_CLOSE: ok = read_close(&cursor, initial); break;
        default: ok = false;
        }
        if (!ok) return WEIR_WIRE_NOT;
    }
    return length > 0 ? WEIR_WIRE_OK : WEIR_WIRE_NOT; /* a packet without frames is a violation */
}

enum weir_wire weir_quic_open_initial(const uint8_t *bytes, size_t length,
                                      const struct weir_quic_header *header,
                                      const struct weir_cid *first_dcid, bool from_server,
                                      struct weir_quic_initial *ret_initial) {
    struct weir_quic_initial *initial = ret_initial;
    initial->n_crypto = 0;
    initial->crypto_left_out = initial->closed = false;
    initial->close_code = 0;

    const struct quic_version *version = version_find(header->version);
    size_t offset = header->payload_offset;
    if (!version || header->type != WEIR_QUIC_INITIAL ||
        first_dcid->length > sizeof first_dcid->bytes ||
        offset + SAMPLE_BEHIND + SAMPLE_LEN > header->packet_len || offset + 4 > AAD_MAX)
        return WEIR_WIRE_NOT;
    if (length < header->packet_len) return WEIR_WIRE_SHORT;

    struct keys keys;
    uint8_t aad[AAD_MAX], number[4];
    derive_keys(version, first_dcid, from_server, &keys);
    memcpy(aad, bytes, offset);
    unsigned number_len = unmask_header(bytes, offset, keys.hp, &aad[0], number);
    memcpy(aad + offset, number, number_len);

    size_t plain_len = header->packet_len - offset - number_len - TAG_LEN;
    if (plain_len > sizeof initial->plain) return WEIR_WIRE_NOT;
    if (!decrypt(bytes + offset + number_len, plain_len, &keys, aad, offset + number_len, number,
                 number_len, initial->plain))
        return WEIR_WIRE_NOT;
    return read_frames(initial->plain, plain_len, initial);
}
