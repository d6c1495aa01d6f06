/* DNS messages: which name was asked for, how it went, which addresses it has.
 *
 *   header(12) | question | answers | authority | additional (holds the OPT record)
 *
 * A response collapses to its question: every address in the answer section counts for the name
 * asked for, whatever chain of CNAMEs lies between, since that name is what the client wanted.
 * Authority and additional sections are read for the EDNS rcode only: their addresses belong to
 * name servers.
 *
 * Names may point back into the message to share tails. A pointer must lead to before the name part
 * it ends, which makes each jump go strictly back and every name finite; owner names are stepped
 * over and never followed. */
#include <weir/wire.h>

#include "base/cursor.h"

#define HEADER_LEN   12
#define NAME_MAX_LEN 255
#define RECORDS_MAX  512
#define TTL_MAX_S    (7 * 24 * 3600)

enum { FLAG_RESPONSE = 0x8000, FLAG_TRUNCATED = 0x0200, OPCODE_MASK = 0x7800 };
enum { CLASS_IN = 1, TYPE_OPT = 41 };
enum { SVC_IPV4HINT = 4, SVC_IPV6HINT = 6 };

/* Steps over a name, up to its root or first pointer. */
static enum weir_wire skip_name(struct weir_cursor *cursor, const uint8_t *message) {
    for (;;) {
        const uint8_t *start = cursor->at;
        uint8_t length = weir_cursor_u8(cursor);
        if (length >= 0xc0) {
            uint16_t target = (uint16_t)((length & 0x3f) << 8 | weir_cursor_u8(cursor));
            if (cursor->short_of_bytes) return WEIR_WIRE_SHORT;
            return target >= HEADER_LEN && target < start - message ? WEIR_WIRE_OK : WEIR_WIRE_NOT;
        }
        if (length > 63) return WEIR_WIRE_NOT;
        weir_cursor_skip(cursor, length);
        if (cursor->short_of_bytes) return WEIR_WIRE_SHORT;
        if (length == 0) return WEIR_WIRE_OK;
    }
}

/* The first name of the message as text. A pointer in it has nothing to point at. */
static enum weir_wire read_first_name(struct weir_cursor *cursor, struct weir_host *host) {
    char text[NAME_MAX_LEN + 1];
    size_t text_len = 0;
    bool is_host = true;
    for (;;) {
        uint8_t length = weir_cursor_u8(cursor);
        if (length > 63 || text_len + length + 1 > NAME_MAX_LEN) return WEIR_WIRE_NOT;
        const uint8_t *label = weir_cursor_take(cursor, length);
        if (!label) return WEIR_WIRE_SHORT;
        if (length == 0) break;
        if (memchr(label, '.', length))
            is_host = false; /* a dot inside a label would read as two */
        memcpy(text + text_len, label, length);
        text_len += length;
        text[text_len++] = '.';
    }
    if (is_host) weir_host_set(host, text, text_len);
    return WEIR_WIRE_OK;
}

static void add_addr(struct weir_dns_message *message, const uint8_t *bytes, size_t length,
                     uint32_t ttl_s) {
    if (message->n_addrs == WEIR_DNS_ADDRS_MAX) {
        message->cut = true;
        return;
    }
    static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t *addr = message->addrs[message->n_addrs].addr.bytes;
    size_t front = 16 - length;
    memcpy(addr, v4_mapped, front);
    memcpy(addr + front, bytes, length);
    message->addrs[message->n_addrs++].ttl_s = ttl_s;
}

/* A list of addresses that fills `length` bytes. */
static enum weir_wire read_hints(struct weir_dns_message *message, const uint8_t *bytes,
                                 size_t length, size_t addr_len, uint32_t ttl_s) {
    if (length == 0 || length % addr_len) return WEIR_WIRE_NOT;
    for (size_t i = 0; i < length; i += addr_len) add_addr(message, bytes + i, addr_len, ttl_s);
    return WEIR_WIRE_OK;
}

/* SVCB and HTTPS: priority(2) target name, { key(2) value<2> }. The target is not compressed (RFC
 * 9460 2.2). */
static enum weir_wire read_service(struct weir_dns_message *message, struct weir_cursor data,
                                   uint32_t ttl_s) {
    weir_cursor_be16(&data);
    uint8_t label_len;
    do {
        label_len = weir_cursor_u8(&data);
        if (label_len > 63) return WEIR_WIRE_NOT;
        weir_cursor_skip(&data, label_len);
    } while (label_len > 0);
    while (!data.short_of_bytes && weir_cursor_left(&data) > 0) {
        uint16_t key = weir_cursor_be16(&data);
        uint16_t length = weir_cursor_be16(&data);
        const uint8_t *value = weir_cursor_take(&data, length);
        if (!value) break;
        size_t addr_len = key == SVC_IPV4HINT ? 4 : key == SVC_IPV6HINT ? 16 : 0;
        if (addr_len && read_hints(message, value, length, addr_len, ttl_s) != WEIR_WIRE_OK)
            return WEIR_WIRE_NOT;
    }
    return data.short_of_bytes ? WEIR_WIRE_NOT : WEIR_WIRE_OK;
}

struct record {
    uint16_t type, class;
    uint32_t ttl_s; /* as sent */
    uint16_t data_len;
    const uint8_t *data;
};

static enum weir_wire read_record(struct weir_cursor *cursor, const uint8_t *message,
                                  struct record *record) {
    enum weir_wire wire = skip_name(cursor, message);
    if (wire != WEIR_WIRE_OK) return wire;
    record->type = weir_cursor_be16(cursor);
    record->class = weir_cursor_be16(cursor);
    record->ttl_s = weir_cursor_be32(cursor);
    record->data_len = weir_cursor_be16(cursor);
    record->data = weir_cursor_take(cursor, record->data_len);
    return record->data ? WEIR_WIRE_OK : WEIR_WIRE_SHORT;
}

/* RFC 2181 8: a TTL with its top bit set is 0. Nobody means more than a week. */
static uint32_t sane_ttl_s(uint32_t ttl_s) {
    if (ttl_s > INT32_MAX) return 0;
    return ttl_s < TTL_MAX_S ? ttl_s : TTL_MAX_S;
}

static enum weir_wire take_answer(struct weir_dns_message *message, const struct record *record) {
    if (record->class != CLASS_IN) return WEIR_WIRE_OK;
    uint32_t ttl_s = sane_ttl_s(record->ttl_s);
    switch (record->type) {
    case WEIR_DNS_A:
    case WEIR_DNS_AAAA: {
        size_t addr_len = record->type == WEIR_DNS_A ? 4 : 16;
        if (record->data_len != addr_len) return WEIR_WIRE_NOT;
        add_addr(message, record->data, addr_len, ttl_s);
        return WEIR_WIRE_OK;
    }
    case WEIR_DNS_HTTPS:
    case WEIR_DNS_SVCB:
        return read_service(message, weir_cursor_init(record->data, record->data_len), ttl_s);
    default: return WEIR_WIRE_OK;
    }
}

/* OPT keeps the upper eight bits of a twelve-bit rcode where a TTL would be (RFC 6891 6.1.3). */
static void take_opt(struct weir_dns_message *message, const struct record *record) {
    unsigned rcode = record->ttl_s >> 24 << 4 | (message->rcode & 0x0f);
    message->rcode = rcode < 255 ? (uint8_t)rcode : 255;
}

/* The three sections behind the question. */
static enum weir_wire read_sections(struct weir_cursor *cursor, const uint8_t *bytes,
                                    unsigned n_answers, unsigned n_records,
                                    struct weir_dns_message *message) {
    bool have_opt = false;
    for (unsigned i = 0; i < n_records; i++) {
        struct record record;
        enum weir_wire wire =
            i < RECORDS_MAX ? read_record(cursor, bytes, &record) : WEIR_WIRE_SHORT;
        if (wire == WEIR_WIRE_SHORT) {
            message->cut |= i < n_answers;
            return WEIR_WIRE_OK;
        }
        if (wire == WEIR_WIRE_OK && i < n_answers) wire = take_answer(message, &record);
        if (wire != WEIR_WIRE_OK) return wire;
        if (i >= n_answers && record.type == TYPE_OPT && !have_opt) {
            take_opt(message, &record);
            have_opt = true;
        }
    }
    return WEIR_WIRE_OK;
}

static enum weir_wire read_question(struct weir_cursor *cursor, struct weir_dns_message *message) {
    enum weir_wire wire = read_first_name(cursor, &message->qname);
    if (wire != WEIR_WIRE_OK) return wire;
    message->qtype = weir_cursor_be16(cursor);
    uint16_t class = weir_cursor_be16(cursor);
    if (cursor->short_of_bytes) return WEIR_WIRE_SHORT;
    return class == CLASS_IN ? WEIR_WIRE_OK : WEIR_WIRE_NOT;
}

/* Some servers and relays leave the question out of a response. Owner, type and class of the first
 * answer are laid out as a question is, and the owner is the head of the chain: so it is read in
 * its place, and again as an answer. */
static enum weir_wire read_without_question(struct weir_cursor cursor, unsigned n_answers,
                                            struct weir_dns_message *message) {
    message->no_question = true;
    if (!message->response) return WEIR_WIRE_NOT;
    if (n_answers > 0) return read_question(&cursor, message);
    return message->rcode != WEIR_DNS_NOERROR ? WEIR_WIRE_OK : WEIR_WIRE_NOT; /* a bare refusal */
}

enum weir_wire weir_dns_message(const uint8_t *bytes, size_t length,
                                struct weir_dns_message *ret_message) {
    struct weir_dns_message *message = ret_message;
    message->no_question = message->response = message->truncated = message->cut = false;
    message->rcode = message->n_addrs = message->qname.length = 0;
    message->qname.text[0] = '\0';
    message->qtype = 0;

    struct weir_cursor cursor = weir_cursor_init(bytes, length);
    message->id = weir_cursor_be16(&cursor);
    uint16_t flags = weir_cursor_be16(&cursor);
    uint16_t n_questions = weir_cursor_be16(&cursor);
    uint16_t n_answers = weir_cursor_be16(&cursor);
    unsigned n_records = (unsigned)n_answers + weir_cursor_be16(&cursor);
    n_records += weir_cursor_be16(&cursor);
    if (cursor.short_of_bytes) return WEIR_WIRE_SHORT;
    if ((flags & OPCODE_MASK) || n_questions > 1) return WEIR_WIRE_NOT;
    message->response = flags & FLAG_RESPONSE;
    message->truncated = flags & FLAG_TRUNCATED;
    message->rcode = flags & 0x0f;
    if (!message->response && (message->rcode != 0 || n_answers != 0)) return WEIR_WIRE_NOT;

    enum weir_wire wire = n_questions ? read_question(&cursor, message)
                                      : read_without_question(cursor, n_answers, message);
    if (wire != WEIR_WIRE_OK) return wire;
    if (!message->response) return WEIR_WIRE_OK;
    return read_sections(&cursor, bytes, n_answers, n_records, message);
}
