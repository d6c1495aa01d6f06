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
 * Joined is only what follows without a hole, in time, and with nothing between but plain
 * acknowledgements. A hole, a repetition, a closed window and a word of the client stay as they
 * were seen. The gap is below the least time for which an acknowledgement of a lone segment is held
 * back (40 ms): a trickle stays a trickle. What ends a burst is never joined, so that an answer
 * which is over can be told from one that was cut.
 *
 * While a hole is open, a client acknowledges each packet and says which bytes it has: with a way
 * that loses, half of all packets. What was lost is seen from the hole and its filler. What the
 * client has is of use only where it is sent again. So of these words, too, the first and the last
 * are enough, at one hole. A transfer neither ends nor begins at a hole or its filler: what comes
 * before them may be joined. The packet that shows a hole stands at its own time.
 *
 * Where a way loses all this is not enough: every hole keeps four packets of data, and as many
 * acknowledgements. So of such transfers, and of no others, the coarsest grain joins across the
 * pauses of a round trip, which such a way forces on a sender, and keeps of plain acknowledgements
 * those that cover the end of a packet. Holes, their fillers, repetitions and what the client says
 * of holes all stay: the share of loss is what it was.
 *
 * Of acknowledgements elsewhere the first and the last of each ACKS_US are enough. Behind the
 * handshake, what is kept of a payload is its first bytes: which kind of record it begins with.
 * Behind a reset, repetitions and further resets say nothing new, and go.
 */
#include <string.h>

#include <weir/wire.h>

#include "proof/thin.h"

enum {
    ACKS_US = 10000,
    AGAIN_MAX = 64,
    ENDS_MAX = 64,
    JOINED_BYTES_MAX = 60000,
    BULK_MIN = 1000,
    DATAGRAM_ACK_MAX = 45,
    HANDSHAKE_MAX = 16384,
    RECORD_BYTES = 8,
    DATA_BYTES = 24
};
static const int64_t grain_us[WEIR_PROOF_GRAINS] = {2000, 25000, 75000, 200000, 400000};
static const int64_t gap_us[WEIR_PROOF_GRAINS] = {20000, 20000, 20000, 35000, 150000};

static bool is_tcp(const struct weir_proof_entry *entry) {
    return entry->transport == WEIR_TRANSPORT_TCP;
}

/* ---- acknowledgements ---- */

static bool is_ack(const struct weir_proof_entry *entry) {
    return is_tcp(entry) && entry->tcp_flags == WEIR_TCP_ACK && !entry->payload_len &&
           entry->window;
}

static bool is_before(uint32_t a, uint32_t b) { return (int32_t)(b - a) > 0; }

static bool is_sack(const struct weir_proof_entry *entry) {
    return is_tcp(entry) && entry->options & WEIR_PROOF_SACK;
}

/* The second says all that the first did, or what the first said beside is of no use. */
static bool goes_on(const struct weir_proof_entry *second, const struct weir_proof_entry *first) {
    if (is_sack(first) != is_sack(second)) return false;
    return !is_sack(first) ||
           (second->ack == first->ack &&
            (!first->needed || (second->sack_left == first->sack_left &&
                                !is_before(second->sack_right, first->sack_right))));
}

/* That a client has some bytes is of use when they are sent again: then they were not lost. Of the
 * repetitions that follow the next AGAIN_MAX are asked. */
static void find_needed(struct weir_proof_entry *const *entries, size_t n) {
    const struct weir_proof_entry *again[AGAIN_MAX] = {NULL};
    uint32_t end[2] = {0};
    bool any[2] = {false};
    for (size_t i = 0; i < n; i++) {
        struct weir_proof_entry *entry = entries[i];
        bool *known = &any[entry->from_client];
        uint32_t *highest = &end[entry->from_client], behind = entry->seq + entry->payload_len;
        if (!is_tcp(entry) || !entry->payload_len) continue;
        entry->again = *known && is_before(entry->seq, *highest);
        if (!*known || is_before(*highest, behind)) *highest = behind;
        *known = true;
    }
    for (size_t i = n, n_again = 0; i-- > 0;) {
        struct weir_proof_entry *entry = entries[i];
        if (entry->again) again[n_again++ % AGAIN_MAX] = entry;
        entry->needed = false;
        for (size_t k = 0; is_sack(entry) && k < n_again && k < AGAIN_MAX; k++)
            entry->needed |= again[k]->from_client != entry->from_client &&
                             is_before(again[k]->seq, entry->sack_right) &&
                             is_before(entry->sack_left, again[k]->seq + again[k]->payload_len);
    }
}

/* QUIC's are small datagrams. */
static bool acknowledges(const struct weir_proof_entry *entry) {
    return is_ack(entry) ||
           (entry->transport == WEIR_TRANSPORT_UDP && !weir_proof_is_lookup(entry) &&
            entry->payload_len < DATAGRAM_ACK_MAX &&
            (!entry->kept || !(*(const uint8_t *)(entry + 1) & 0x80)));
}

/* Of those within ACKS_US that go on from each other the first and the last; of those that tell of
 * a hole, within `holes_us`. */
static size_t thin_acks(struct weir_proof_entry **entries, size_t n, int64_t holes_us) {
    const struct weir_proof_entry *next[2] = {NULL}, *kept[2] = {NULL};
    find_needed(entries, n);
    for (size_t i = n; i-- > 0;) { /* backwards: when the next one of its direction comes */
        const struct weir_proof_entry **of_side = &next[entries[i]->from_client];
        if (!is_ack(entries[i])) continue;
        entries[i]->may_go =
            *of_side && goes_on(*of_side, entries[i]) &&
            (*of_side)->ts_us - entries[i]->ts_us < (is_sack(entries[i]) ? holes_us : ACKS_US);
        *of_side = entries[i];
    }
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        const struct weir_proof_entry **of_side = &kept[entries[i]->from_client];
        if (is_ack(entries[i])) {
            if (entries[i]->may_go && *of_side && goes_on(entries[i], *of_side) &&
                entries[i]->ts_us - (*of_side)->ts_us < (is_sack(entries[i]) ? holes_us : ACKS_US))
                continue;
            *of_side = entries[i];
        }
        entries[left++] = entries[i];
    }
    return left;
}

/* One byte in two hundred or more is sent late, or again: well ways lose fewer. */
static bool loses(struct weir_proof_entry *const *entries, size_t n) {
    uint64_t all = 0, again = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_tcp(entries[i]) || entries[i]->from_client) continue;
        all += entries[i]->payload_len;
        again += entries[i]->again ? entries[i]->payload_len : 0;
    }
    return again && again >= all / 200;
}

/* What one side sent, and what the other said to have of it. */
struct ends {
    uint32_t open[ENDS_MAX], acked; /* of packets that were not acknowledged yet */
    size_t n;
    bool has_acked;
};

static void add_end(struct ends *ends, uint32_t end) {
    if (ends->n == ENDS_MAX) memmove(ends->open, ends->open + 1, --ends->n * sizeof ends->open[0]);
    ends->open[ends->n++] = end;
}

/* Does this acknowledgement go on from the last, and yet cover no further end? */
static bool covers_nothing(struct ends *ends, uint32_t ack) {
    size_t left = 0;
    for (size_t i = 0; i < ends->n; i++)
        if (is_before(ack, ends->open[i])) ends->open[left++] = ends->open[i];
    bool covers = left < ends->n, further = ends->has_acked && is_before(ends->acked, ack);
    ends->n = left;
    return further && !covers;
}

/* Where a way loses, acknowledgements are more than data. What one measures is when the last byte
 * of a packet was there. Where that byte is now within a joined packet, it measures nothing. */
static size_t keep_acks_of_ends(struct weir_proof_entry **entries, size_t n) {
    struct ends of[2] = {{.n = 0}};
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        const struct weir_proof_entry *entry = entries[i];
        if (is_tcp(entry) && entry->tcp_flags & WEIR_TCP_ACK) {
            struct ends *others = &of[!entry->from_client];
            bool needless = covers_nothing(others, entry->ack) && is_ack(entry) && !is_sack(entry);
            if (needless) continue;
            others->acked = entry->ack;
            others->has_acked = true;
        }
        if (is_tcp(entry) && entry->payload_len)
            add_end(&of[entry->from_client], entry->seq + entry->payload_len);
        entries[left++] = entries[i];
    }
    return left;
}

/* ---- behind a reset ---- */

static size_t end_with_reset(struct weir_proof_entry **entries, size_t n) {
    uint32_t end[2] = {0};
    bool spoke[2] = {false}, over = false;
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        const struct weir_proof_entry *entry = entries[i];
        int side = entry->from_client;
        if (is_tcp(entry) && entry->tcp_flags & WEIR_TCP_SYN) over = spoke[0] = spoke[1] = false;
        uint32_t behind = entry->seq + entry->payload_len;
        bool again = entry->payload_len && spoke[side] && (int32_t)(behind - end[side]) <= 0;
        if (over && is_tcp(entry) && (again || entry->tcp_flags & WEIR_TCP_RST)) continue;
        over |= is_tcp(entry) && entry->tcp_flags & WEIR_TCP_RST;
        if (entry->payload_len && (!spoke[side] || !again)) {
            end[side] = behind;
            spoke[side] = true;
        }
        entries[left++] = entries[i];
    }
    return left;
}

/* ---- payload ---- */

/* Once the server has said so much, nothing in clear comes any more. Application data never is. */
static void cut_payload(struct weir_proof_entry *const *entries, size_t n) {
    uint64_t said = 0;
    for (size_t i = 0; i < n; i++) {
        struct weir_proof_entry *entry = entries[i];
        if (entry->transport == WEIR_TRANSPORT_ICMP || weir_proof_is_lookup(entry)) continue;
        bool data = is_tcp(entry) && entry->kept &&
                    *(const uint8_t *)(entry + 1) == WEIR_TLS_DATA && !entry->from_client;
        uint16_t most = said > HANDSHAKE_MAX ? RECORD_BYTES : data ? DATA_BYTES : UINT16_MAX;
        if (entry->kept > most) entry->kept = most;
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

static bool follows(const struct weir_proof_entry *entry, const struct weir_proof_entry *last,
                    int64_t most_us) {
    bool behind = !is_tcp(entry) || entry->seq == last->seq + last->payload_len;
    return behind && entry->from_client == last->from_client &&
           entry->ts_us - last->ts_us <= most_us;
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
    int64_t grain_us, gap_us, begin_us; /* of the run */
    bool burst, has_run;                /* whether there is a last, and a run */
    bool first;                         /* the last is a burst's first, and stays */
    bool owed;                          /* an acknowledgement, before anything more is joined */
    uint32_t end;                       /* of what came in order */
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

/* Behind a hole, or with its filler. */
static bool goes_on_elsewhere(const struct joining *joining, const struct weir_proof_entry *entry) {
    const struct weir_proof_entry *last = joining->entries[joining->last];
    return is_tcp(entry) && entry->from_client == last->from_client &&
           entry->ts_us - last->ts_us <= joining->gap_us;
}

static void see_data(struct joining *joining, struct weir_proof_entry *entry) {
    bool more = joining->burst && follows(entry, joining->entries[joining->last], joining->gap_us),
         elsewhere = !more && joining->burst && goes_on_elsewhere(joining, entry),
         back = elsewhere && entry->seq == joining->end;
    if (elsewhere && joining->has_run && may_join(joining)) take_run(joining);
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
    joining->first = !more && !back;
    joining->burst = true;
    joining->last = joining->left;
    if (!elsewhere || is_before(joining->end, entry->seq + entry->payload_len))
        joining->end = entry->seq + entry->payload_len;
}

static void see_other(struct joining *joining, const struct weir_proof_entry *entry) {
    if (!acknowledges(entry)) {
        joining->burst = joining->has_run = false;
    } else if (joining->owed) {
        joining->owed = false;
        joining->first = true; /* what came before it is left alone */
    }
}

static size_t join(struct weir_proof_entry **entries, size_t n, unsigned grain) {
    struct joining joining = {
        .entries = entries, .grain_us = grain_us[grain], .gap_us = gap_us[grain]};
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
        n = end_with_reset(entries, n);
        n = thin_acks(entries, n, ACKS_US);
    }
    bool last = grain + 1 == WEIR_PROOF_GRAINS;
    if (last && !loses(entries, n)) return n;
    n = join(entries, n, grain);
    if (!last) return n;
    return keep_acks_of_ends(entries, thin_acks(entries, n, grain_us[grain]));
}
