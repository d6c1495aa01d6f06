/* See quic_builder.h. Keys by nettle's own HKDF, packets written front to back into a bounded
 * writer. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include <nettle/aes.h>
#include <nettle/gcm.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>

#include "quic_builder.h"

struct weir_cid quic_cid(const void *bytes, size_t length) {
    struct weir_cid cid = {.length = (uint8_t)length};
    assert(length <= sizeof cid.bytes);
    if (length) memcpy(cid.bytes, bytes, length);
    return cid;
}

/* ---- frames ---- */

static size_t put_varint(uint8_t *out, uint64_t value, unsigned size) {
    unsigned log = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
    for (unsigned i = 0; i < size; i++) out[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    out[0] |= (uint8_t)(log << 6);
    return size;
}

void quic_add_bytes(struct quic_frames *frames, const void *bytes, size_t length) {
    assert(length <= sizeof frames->bytes - frames->length);
    if (length) memcpy(frames->bytes + frames->length, bytes, length);
    frames->length += length;
}

void quic_add_varint(struct quic_frames *frames, uint64_t value) {
    uint8_t out[8];
    unsigned size = value < 0x40 ? 1 : value < 0x4000 ? 2 : value < 0x40000000 ? 4 : 8;
    quic_add_bytes(frames, out, put_varint(out, value, size));
}

void quic_add_padding(struct quic_frames *frames, size_t length) {
    for (size_t i = 0; i < length; i++) quic_add_bytes(frames, "", 1);
}

void quic_add_ping(struct quic_frames *frames) { quic_add_bytes(frames, "\x01", 1); }

void quic_add_ack(struct quic_frames *frames, uint64_t largest, unsigned n_more_ranges, bool ecn) {
    quic_add_varint(frames, ecn ? 3 : 2);
    quic_add_varint(frames, largest);
    quic_add_varint(frames, 25);
    quic_add_varint(frames, n_more_ranges);
    quic_add_varint(frames, 0);
    for (unsigned i = 0; i < 2 * n_more_ranges + (ecn ? 3 : 0); i++) quic_add_varint(frames, i);
}

void quic_add_crypto(struct quic_frames *frames, const uint8_t *stream, uint64_t offset,
                     size_t length) {
    quic_add_varint(frames, 6);
    quic_add_varint(frames, offset);
    quic_add_varint(frames, length);
    quic_add_bytes(frames, stream + offset, length);
}

void quic_add_close(struct quic_frames *frames, uint64_t code, const char *reason) {
    quic_add_varint(frames, 0x1c);
    quic_add_varint(frames, code);
    quic_add_varint(frames, 0);
    quic_add_varint(frames, strlen(reason));
    quic_add_bytes(frames, reason, strlen(reason));
}

/* ---- packets ---- */

struct writer {
    uint8_t *bytes;
    size_t length, capacity;
    bool full;
};

static void put(struct writer *writer, const void *bytes, size_t length) {
    if (writer->full || length > writer->capacity - writer->length) {
        writer->full = true;
        return;
    }
    if (length) memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void put_u8(struct writer *writer, uint8_t value) { put(writer, &value, 1); }

static void put_be32(struct writer *writer, uint32_t value) {
    put(writer,
        (uint8_t[]){(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                    (uint8_t)value},
        4);
}

static void put_size(struct writer *writer, uint64_t value, unsigned size) {
    uint8_t out[8];
    put(writer, out, put_varint(out, value, size));
}

static void put_filler(struct writer *writer, size_t length) {
    for (size_t i = 0; i < length; i++) put_u8(writer, (uint8_t)(0xa5 + 31 * i));
}

static void put_cid(struct writer *writer, const struct weir_cid *cid) {
    put_u8(writer, cid->length);
    put(writer, cid->bytes, cid->length);
}

/* First byte (with `low` bits), version and ids. */
static void put_long_header(struct writer *writer, uint32_t version, enum weir_quic_type type,
                            uint8_t low, const struct weir_cid *dcid, const struct weir_cid *scid) {
    unsigned bits = type == WEIR_QUIC_INITIAL     ? 0
                    : type == WEIR_QUIC_ZERO_RTT  ? 1
                    : type == WEIR_QUIC_HANDSHAKE ? 2
                                                  : 3;
    if (version == QUIC_V2) bits = (bits + 1) % 4;
    put_u8(writer, (uint8_t)(0xc0 | bits << 4 | low));
    put_be32(writer, version);
    put_cid(writer, dcid);
    put_cid(writer, scid);
}

static size_t finish(const struct writer *writer) { return writer->full ? 0 : writer->length; }

size_t quic_build_opaque(uint32_t version, enum weir_quic_type type, const struct weir_cid *dcid,
                         const struct weir_cid *scid, size_t body_len, uint8_t *packet,
                         size_t capacity) {
    struct writer writer = {packet, 0, capacity, false};
    put_long_header(&writer, version, type, 0x0e, dcid, scid);
    put_size(&writer, body_len, 2);
    put_filler(&writer, body_len);
    return finish(&writer);
}

size_t quic_build_short(const struct weir_cid *dcid, size_t body_len, uint8_t *packet,
                        size_t capacity) {
    struct writer writer = {packet, 0, capacity, false};
    put_u8(&writer, 0x5b);
    put(&writer, dcid->bytes, dcid->length);
    put_filler(&writer, body_len);
    return finish(&writer);
}

size_t quic_build_retry(uint32_t version, const struct weir_cid *dcid, const struct weir_cid *scid,
                        const uint8_t *token, size_t token_len, uint8_t *packet, size_t capacity) {
    struct writer writer = {packet, 0, capacity, false};
    put_long_header(&writer, version, WEIR_QUIC_RETRY, 0, dcid, scid);
    put(&writer, token, token_len);
    put_filler(&writer, 16);
    return finish(&writer);
}

size_t quic_build_negotiation(const struct weir_cid *dcid, const struct weir_cid *scid,
                              const uint32_t *versions, size_t n_versions, uint8_t *packet,
                              size_t capacity) {
    struct writer writer = {packet, 0, capacity, false};
    put_u8(&writer, 0x8a);
    put_be32(&writer, 0);
    put_cid(&writer, dcid);
    put_cid(&writer, scid);
    for (size_t i = 0; i < n_versions; i++) put_be32(&writer, versions[i]);
    return finish(&writer);
}

/* ---- protection ---- */

static const struct {
    uint32_t version;
    const char *salt;
    const char *key, *iv, *hp;
} protections[] = {
    {QUIC_V1, "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a",
     "quic key", "quic iv", "quic hp"},
    {QUIC_V2, "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9",
     "quicv2 key", "quicv2 iv", "quicv2 hp"},
    {QUIC_DRAFT29,
     "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99", "quic key",
     "quic iv", "quic hp"},
};

static void expand(const uint8_t secret[32], const char *label, size_t length, uint8_t *ret_bytes) {
    uint8_t info[64];
    size_t label_len = strlen(label);
    info[0] = 0;
    info[1] = (uint8_t)length;
    info[2] = (uint8_t)(label_len + 6);
    memcpy(info + 3, "tls13 ", 6);
    memcpy(info + 9, label, label_len);
    info[9 + label_len] = 0;
    struct hmac_sha256_ctx hmac;
    hmac_sha256_set_key(&hmac, 32, secret);
    hkdf_expand(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
                (nettle_hash_digest_func *)hmac_sha256_digest, 32, 10 + label_len, info, length,
                ret_bytes);
}

static void extract(const char *salt, const struct weir_cid *dcid, uint8_t ret_secret[32]) {
    struct hmac_sha256_ctx hmac;
    hmac_sha256_set_key(&hmac, 20, (const uint8_t *)salt);
    hkdf_extract(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
                 (nettle_hash_digest_func *)hmac_sha256_digest, 32, dcid->length, dcid->bytes,
                 ret_secret);
}

/* Encrypts what lies behind `offset` + number, appends the tag, masks the header: in place. */
static void protect(const struct quic_initial_spec *spec, uint8_t *packet, size_t offset,
                    size_t plain_len) {
    size_t row = 0;
    while (protections[row].version != spec->version)
        assert(++row < sizeof protections / sizeof protections[0]);
    uint8_t common[32], secret[32], key[16], nonce[12], hp[16], mask[16];
    extract(protections[row].salt, &spec->first_dcid, common);
    expand(common, spec->from_server ? "server in" : "client in", 32, secret);
    expand(secret, protections[row].key, sizeof key, key);
    expand(secret, protections[row].iv, sizeof nonce, nonce);
    expand(secret, protections[row].hp, sizeof hp, hp);
    for (unsigned i = 0; i < 4; i++) nonce[8 + i] ^= (uint8_t)(spec->packet_number >> 8 * (3 - i));

    size_t header_len = offset + spec->packet_number_len;
    struct gcm_aes128_ctx gcm;
    gcm_aes128_set_key(&gcm, key);
    gcm_aes128_set_iv(&gcm, sizeof nonce, nonce);
    gcm_aes128_update(&gcm, header_len, packet);
    gcm_aes128_encrypt(&gcm, plain_len, packet + header_len, packet + header_len);
    gcm_aes128_digest(&gcm, 16, packet + header_len + plain_len);

    struct aes128_ctx aes;
    aes128_set_encrypt_key(&aes, hp);
    aes128_encrypt(&aes, sizeof mask, mask, packet + offset + 4);
    packet[0] ^= mask[0] & 0x0f;
    for (unsigned i = 0; i < spec->packet_number_len; i++) packet[offset + i] ^= mask[1 + i];
}

size_t quic_build_initial(const struct quic_initial_spec *spec, const uint8_t *frames,
                          size_t frames_len, uint8_t *packet, size_t capacity) {
    unsigned number_len = spec->packet_number_len;
    assert(number_len >= 1 && number_len <= 4);
    struct writer writer = {packet, 0, capacity, false};
    put_long_header(&writer, spec->version, WEIR_QUIC_INITIAL, (uint8_t)(number_len - 1),
                    &spec->dcid, &spec->scid);
    put_size(&writer, spec->token_len, spec->token_len < 0x40 ? 1 : 2);
    put(&writer, spec->token, spec->token_len);

    size_t around = writer.length + 2 + number_len + 16; /* all but the frames */
    /* there must be a sample to take */
    size_t plain_len = frames_len + number_len < 4 ? 4 - number_len : frames_len;
    if (plain_len + around < spec->pad_to) plain_len = spec->pad_to - around;
    put_size(&writer, number_len + plain_len + 16, 2);
    size_t offset = writer.length;
    for (unsigned i = number_len; i-- > 0;)
        put_u8(&writer, (uint8_t)(spec->packet_number >> 8 * i));
    put(&writer, frames, frames_len);
    for (size_t i = frames_len; i < plain_len; i++) put_u8(&writer, 0);
    static const uint8_t tag_room[16];
    put(&writer, tag_room, sizeof tag_room);
    if (writer.full) return 0;
    protect(spec, packet, offset, plain_len);
    return writer.length;
}
