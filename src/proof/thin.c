/* A transfer as few packets: what is measured of it stays as it was.
 *
 *      as seen   first data data data data data data data last      word
 *                        ack      ack      ack      ack       ack
 *      kept      first ....................... joined      last      word
 *                                                     ack       ack
 *
 * More than nine in ten packets of a household are the inside of transfers. What counts of one is
 * when it began, how much came by when, and how long its last byte took to be acknowledged. So the
 * first packet of a burst and the last stay as they are. Those between are joined for as long as
 * the grain says, and the joined packet stands at the time of its last part, with that part's time
 * stamp: a round trip that begins with it is exact. Acknowledgements within it would tell of bytes
 * that were not seen yet, so they go; behind each joined packet one is waited for.
 *
 * Joined is only what follows without a hole, within GAP_US, and with nothing between but plain
 * acknowledgements. A hole, a repetition, a closed window and a word of the client stay as they
 * were seen. GAP_US is below the least time for which an acknowledgement of a lone segment is held
 * back (40 ms): a trickle stays a trickle. What ends a burst is never joined, so that an answer
 * which is over can be told from one that was cut.
 *
 * Of acknowledgements elsewhere the first and the last of each ACKS_US are enough. Behind the
 * handshake, what is kept of a payload is its first bytes: which kind of record it begins with.
 */
#include <string.h>

#include "proof/thin.h"

enum {
    ACKS_US = 10000,
    GAP_US = 20000,
    JOINED_BYTES_MAX = 60000,
    BULK_MIN = 1000,
    DATAGRAM_ACK_MAX = 45,
    HANDSHAKE_MAX = 16384,
    RECORD_BYTES = 8
};
static const int64_t grain_us[WEIR_PROOF_GRAINS] = {2000, 25000, 75000, 200000};

static bool is_tcp(const struct weir_proof_entry *entry) {
    return entry->transport == WEIR_TRANSPORT_TCP;
}

/* ---- acknowledgements ---- */

static bool is_plain_ack(const struct weir_proof_entry *entry) {
    return is_tcp(entry) && entry->tcp_flags == WEIR_TCP_ACK && !entry->payload_len &&
           entry->window && !(entry->options & WEIR_PROOF_SACK);
}

/* QUIC's are small datagrams. */
static bool acknowledges(const struct weir_proof_entry *entry) {
    return is_plain_ack(entry) ||
           (entry->transport == WEIR_TRANSPORT_UDP && !weir_proof_is_lookup(entry) &&
            entry->payload_len < DATAGRAM_ACK_MAX &&
            (!entry->kept || !(*(const uint8_t *)(entry + 1) & 0x80)));
}

static size_t thin_acks(struct weir_proof_entry **entries, size_t n) {
    int64_t kept_us[2] = {INT64_MIN / 2, INT64_MIN / 2}, next_us[2] = {INT64_MAX, INT64_MAX};
    for (size_t i = n; i-- > 0;) { /* backwards: when the next one of its direction comes */
        int side = entries[i]->from_client;
        if (!is_plain_ack(entries[i])) continue;
        entries[i]->may_go = next_us[side] - entries[i]->ts_us < ACKS_US;
        next_us[side] = entries[i]->ts_us;
    }
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        int side = entries[i]->from_client;
        if (is_plain_ack(entries[i])) {
            if (entries[i]->may_go && entries[i]->ts_us - kept_us[side] < ACKS_US) continue;
            kept_us[side] = entries[i]->ts_us;
        }
        entries[left++] = entries[i];
    }
    return left;
}

/* ---- payload ---- */

/* Once the server has said so much, nothing in clear comes any more. */
static void cut_payload(struct weir_proof_entry *const *entries, size_t n) {
    uint64_t said = 0;
    for (size_t i = 0; i < n; i++) {
        struct weir_proof_entry *entry = entries[i];
        if (entry->transport == WEIR_TRANSPORT_ICMP || weir_proof_is_lookup(entry)) continue;
        if (said > HANDSHAKE_MAX && entry->kept > RECORD_BYTES) entry->kept = RECORD_BYTES;
        if (!entry->from_client) said += entry->payload_len;
    }
}

/* ---- joining ---- */

/* Behind what may name the flow. */
static bool is_data(const struct weir_proof_entry *entry) {
    if (weir_proof_is_lookup(entry) || entry->payload_len < (entry->from_client ? BULK_MIN : 1))
        return false;
    if (is_tcp(entry))
        return (entry->tcp_flags & ~WEIR_TCP_PSH) == WEIR_TCP_ACK && entry->window &&
               !(entry->options & WEIR_PROOF_SACK) && (entry->bulk || entry->kept <= RECORD_BYTES);
    return entry->transport == WEIR_TRANSPORT_UDP && !entry->from_client && entry->kept &&
           entry->payload_len >= BULK_MIN && !(*(const uint8_t *)(entry + 1) & 0x80);
}

static bool follows(const struct weir_proof_entry *entry, const struct weir_proof_entry *last) {
    bool behind = !is_tcp(entry) || entry->seq == last->seq + last->payload_len;
    return behind && entry->from_client == last->from_client &&
           entry->ts_us - last->ts_us <= GAP_US;
}

/* A list that is made shorter while it is read: its first `left` entries stay.
 *
 *      ... first  run  ack ack  last  ack ack | the next entry
 *
 * When data come behind the last, the run and the last become one, and the acknowledgements
 * between them go. */
struct joining {
    struct weir_proof_entry **entries;
    size_t left, run, last;
    int64_t grain_us, begin_us; /* of the run */
    bool burst, has_run;        /* whether there is a last, and a run */
    bool first;                 /* the last is a burst's first, and stays */
    bool owed;                  /* an acknowledgement, before anything more is joined */
};

static bool may_join(const struct joining *joining) {
    const struct weir_proof_entry *run = joining->entries[joining->run],
                                  *last = joining->entries[joining->last];
    return last->ts_us - joining->begin_us <= joining->grain_us &&
           run->payload_len + last->payload_len <= JOINED_BYTES_MAX;
}

static void take_run(struct joining *joining) {
    struct weir_proof_entry **entries = joining->entries, *last = entries[joining->last];
    const struct weir_proof_entry *run = entries[joining->run];
    last->seq = run->seq;
    last->payload_len += run->payload_len;
    if (last->kept > run->kept) last->kept = run->kept;
    memcpy(last + 1, run + 1, last->kept);
    memmove(entries + joining->run, entries + joining->last,
            (joining->left - joining->last) * sizeof *entries);
    joining->left -= joining->last - joining->run;
}

static void see_data(struct joining *joining, struct weir_proof_entry *entry) {
    bool more = joining->burst && follows(entry, joining->entries[joining->last]);
    if (!more) {
        joining->has_run = joining->owed = false;
    } else if (joining->has_run && may_join(joining)) {
        take_run(joining);
    } else if (joining->has_run) {
        joining->has_run = false;
        joining->owed = true;
    } else if (!joining->first && !joining->owed) {
        joining->run = joining->last;
        joining->begin_us = joining->entries[joining->last]->ts_us;
        joining->has_run = true;
    }
    joining->first = !more;
    joining->burst = true;
    joining->last = joining->left;
}

static void see_other(struct joining *joining, const struct weir_proof_entry *entry) {
    if (!acknowledges(entry)) {
        joining->burst = joining->has_run = false;
    } else if (joining->owed) {
        joining->owed = false;
        joining->first = true; /* what came before it is left alone */
    }
}

static size_t join(struct weir_proof_entry **entries, size_t n, int64_t grain) {
    struct joining joining = {.entries = entries, .grain_us = grain};
    for (size_t i = 0; i < n; i++) {
        struct weir_proof_entry *entry = entries[i];
        if (is_data(entry))
            see_data(&joining, entry);
        else
            see_other(&joining, entry);
        entries[joining.left++] = entry;
    }
    return joining.left;
}

size_t weir_proof_thin(struct weir_proof_entry **entries, size_t n, unsigned grain) {
    if (grain == 0) {
        cut_payload(entries, n);
        n = thin_acks(entries, n);
    }
    return join(entries, n, grain_us[grain]);
}
