/* Addresses, the MACs that they send from, and which of these are one device's.
 *
 *      address --sent from--> MAC        a MAC is one device unless it is a router's, or stands for
 * several hosts:
 *
 *      - a packet from it had a TTL a few less than the initial values 32, 64, 128 and 255: it was
 * forwarded;
 *      - two IPv4 addresses sent from it in one window. A host has one at a time; a repeater, a
 * router that answers for others, or a capture that was rewritten has many. IPv6 does not count: a
 * host has several (link-local, stable, private ones that change daily).
 *
 * A device's name is the address of it that was told first, of several in one tick an IPv4 address,
 * or the lowest: it stays the same, and so does everything that is counted under it, while
 * addresses come and go. An address that two MACs send from, within an hour, is nobody's (addresses
 * that a network gives anew are told by their old holder no more). What was told in a tick counts,
 * not how often or by whom: it does not depend on the number of workers. Facts of more than a day
 * ago are forgotten when room is needed; without room an address is a client of its own (counted).
 * Blind spots: two hosts behind a repeater of which only one has IPv4; a device with two network
 * cards is two.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weir/device.h>

#include "base/index.h"

enum {
    ADDRESSES_DEFAULT = 16384,
    FORWARDED_MAX = 8,
    DAY_WINDOWS = 8640,
    HOUR_WINDOWS = 360,
    TELLER_FACTS = 4096,
    TELLER_SEEN = 4096,
    TICKS_PER_WINDOW = 10
};

struct address {
    uint32_t mac;  /* number */
    int64_t first; /* tick in which it was told */
    int64_t last;  /* and the last window */
    bool shared;   /* two MACs send from it */
};

struct mac {
    bool many;     /* a router, or several hosts */
    uint32_t name; /* number of the address that stands for it */
    uint32_t v4;   /* number of the last IPv4 address told, in window... */
    int64_t v4_window;
};

struct weir_devices {
    struct weir_index addresses, macs; /* a MAC is kept as an address of six bytes */
    struct address *address;
    struct mac *mac;
    size_t max;
    uint64_t refused;
    int64_t forget; /* window from which it is worth while to look for old ones */
};

int weir_devices_new(struct weir_devices **ret_devices, size_t max) {
    struct weir_devices *devices = calloc(1, sizeof *devices);
    if (!devices) return -ENOMEM;
    devices->max = max ? max : ADDRESSES_DEFAULT;
    devices->address = calloc(devices->max, sizeof *devices->address);
    devices->mac = calloc(devices->max, sizeof *devices->mac);
    weir_index_init(&devices->addresses, devices->max);
    weir_index_init(&devices->macs, devices->max);
    if (!devices->address || !devices->mac) {
        weir_devices_free(devices);
        return -ENOMEM;
    }
    *ret_devices = devices;
    return 0;
}

void weir_devices_free(struct weir_devices *devices) {
    if (!devices) return;
    weir_index_deinit(&devices->addresses);
    weir_index_deinit(&devices->macs);
    free(devices->address);
    free(devices->mac);
    free(devices);
}

static bool forwarded(uint8_t ttl) {
    static const uint8_t initial[] = {32, 64, 128, 255};
    for (size_t i = 0; i < sizeof initial; i++)
        if (ttl < initial[i] && initial[i] - ttl <= FORWARDED_MAX) return true;
    return false;
}

static struct weir_addr as_addr(const uint8_t mac[6]) {
    struct weir_addr addr = {{0}};
    memcpy(addr.bytes, mac, 6);
    return addr;
}

/* Of two names told in the same tick the IPv4 address, else the lower. */
static bool is_better_name(const struct weir_devices *devices, uint32_t number, uint32_t than) {
    if (devices->address[number].first != devices->address[than].first)
        return devices->address[number].first < devices->address[than].first;
    const struct weir_addr *a = &devices->addresses.addrs[number],
                           *b = &devices->addresses.addrs[than];
    bool v4 = weir_addr_is_v4(a);
    return v4 != weir_addr_is_v4(b) ? v4 : weir_addr_compare(a, b) < 0;
}

static void tell_mac(struct weir_devices *devices, struct mac *mac, uint32_t number, uint8_t ttl,
                     int64_t window) {
    if (forwarded(ttl)) mac->many = true;
    if (!weir_addr_is_v4(&devices->addresses.addrs[number])) return;
    if (mac->v4 != number && mac->v4_window == window + 1) mac->many = true;
    mac->v4 = number;
    mac->v4_window = window + 1; /* 0: none yet */
}

/* A device's name went to another: the best of its other addresses takes its place. */
static void rename_device(struct weir_devices *devices, uint32_t mac, uint32_t lost) {
    if (devices->mac[mac].name != lost) return;
    devices->mac[mac].name = WEIR_INDEX_NONE;
    for (uint32_t i = 0; i < devices->addresses.n; i++) {
        uint32_t *name = &devices->mac[mac].name;
        if (i != lost && devices->address[i].mac == mac && !devices->address[i].shared &&
            (*name == WEIR_INDEX_NONE || is_better_name(devices, i, *name)))
            *name = i;
    }
}

static void learn(struct weir_devices *devices, const struct weir_device_fact *fact, int64_t tick) {
    int64_t window = tick / TICKS_PER_WINDOW;
    struct weir_addr key = as_addr(fact->mac);
    size_t n_macs = devices->macs.n, n_addresses = devices->addresses.n;
    uint32_t mac = weir_index_get(&devices->macs, &key);
    uint32_t number =
        mac == WEIR_INDEX_NONE ? WEIR_INDEX_NONE : weir_index_get(&devices->addresses, &fact->addr);
    if (number == WEIR_INDEX_NONE) {
        devices->refused++;
        return;
    }
    struct address *address = &devices->address[number];
    if (number >= n_addresses)
        *address = (struct address){.mac = mac, .first = tick, .last = window};
    if (mac >= n_macs) devices->mac[mac] = (struct mac){.name = number};
    uint32_t before = address->mac;
    if (before != mac && window - address->last > HOUR_WINDOWS)
        *address = (struct address){.mac = mac, .first = tick};
    address->shared |= address->mac != mac;
    address->last = window;
    if (before != mac) {
        rename_device(devices, before, number);
        rename_device(devices, mac, number);
    }
    tell_mac(devices, &devices->mac[mac], number, fact->ttl, window);
    uint32_t *name = &devices->mac[mac].name;
    if (!address->shared && (*name == WEIR_INDEX_NONE || is_better_name(devices, number, *name)))
        *name = number;
}

/* Those of the last day, in the order of their numbers, which the order of telling within a tick
 * must not decide. Visits all: so it is asked again when one of those kept is a day old, and for
 * the MACs that nobody uses any more in an hour. */
static void forget_old(struct weir_devices *devices, int64_t window) {
    struct weir_devices *kept;
    int64_t next = window + HOUR_WINDOWS;
    if (weir_devices_new(&kept, devices->max) < 0) return;
    for (uint32_t i = 0; i < devices->addresses.n; i++) {
        const struct address *address = &devices->address[i];
        if (window - address->last > DAY_WINDOWS) continue;
        if (address->last + DAY_WINDOWS < next) next = address->last + DAY_WINDOWS + 1;
        size_t n_macs = kept->macs.n;
        uint32_t mac = weir_index_get(&kept->macs, &devices->macs.addrs[address->mac]);
        uint32_t number = weir_index_get(&kept->addresses, &devices->addresses.addrs[i]);
        if (mac == WEIR_INDEX_NONE || number == WEIR_INDEX_NONE) continue;
        kept->address[number] = *address;
        kept->address[number].mac = mac;
        if (mac >= n_macs)
            kept->mac[mac] = (struct mac){.many = devices->mac[address->mac].many, .name = number};
        if (!address->shared && (kept->address[kept->mac[mac].name].shared ||
                                 is_better_name(kept, number, kept->mac[mac].name)))
            kept->mac[mac].name = number;
    }
    for (uint32_t mac = 0; mac < kept->macs.n; mac++)
        if (kept->address[kept->mac[mac].name].shared) kept->mac[mac].name = WEIR_INDEX_NONE;
    struct weir_devices old = *devices;
    kept->refused = devices->refused;
    kept->forget = next;
    *devices = *kept;
    *kept = old;
    weir_devices_free(kept);
}

void weir_devices_tick(struct weir_devices *devices, int64_t tick) {
    int64_t window = tick / TICKS_PER_WINDOW;
    if (devices->addresses.n > devices->max / 4 * 3 && window >= devices->forget)
        forget_old(devices, window);
}

void weir_devices_learn(struct weir_devices *devices, const struct weir_device_fact *facts,
                        size_t n, int64_t tick) {
    for (size_t i = 0; i < n; i++) learn(devices, &facts[i], tick);
}

/* The device of an address, or NULL. */
static const struct mac *device_of(const struct weir_devices *devices, const struct weir_addr *addr,
                                   uint32_t *ret_mac) {
    uint32_t number = weir_index_find(&devices->addresses, addr);
    if (number == WEIR_INDEX_NONE || devices->address[number].shared) return NULL;
    *ret_mac = devices->address[number].mac;
    const struct mac *mac = &devices->mac[*ret_mac];
    return mac->many || mac->name == WEIR_INDEX_NONE ? NULL : mac;
}

const struct weir_addr *weir_devices_client(const struct weir_devices *devices,
                                            const struct weir_addr *addr) {
    uint32_t number;
    const struct mac *mac = device_of(devices, addr, &number);
    return mac ? &devices->addresses.addrs[mac->name] : addr;
}

bool weir_devices_mac(const struct weir_devices *devices, const struct weir_addr *addr,
                      uint8_t ret_mac[6]) {
    uint32_t number;
    if (!device_of(devices, addr, &number)) return false;
    memcpy(ret_mac, devices->macs.addrs[number].bytes, 6);
    return true;
}

static int compare_addrs(const void *a, const void *b) { return weir_addr_compare(a, b); }

size_t weir_devices_addresses(const struct weir_devices *devices, const struct weir_addr *addr,
                              struct weir_addr *ret_addrs, size_t max) {
    uint32_t mac;
    size_t n = 0;
    bool known = device_of(devices, addr, &mac) != NULL;
    for (uint32_t i = 0; known && i < devices->addresses.n && n < max; i++)
        if (devices->address[i].mac == mac && !devices->address[i].shared)
            ret_addrs[n++] = devices->addresses.addrs[i];
    if (n == 0 && max) ret_addrs[n++] = *addr;
    qsort(ret_addrs, n, sizeof *ret_addrs, compare_addrs);
    return n;
}

void weir_devices_stats(const struct weir_devices *devices, struct weir_device_stats *ret_stats) {
    *ret_stats =
        (struct weir_device_stats){devices->refused, devices->addresses.n, devices->macs.n};
}

/* ---- worker side ---- */

/* What was told in this window lies in a small table, one fact a place: what is pushed out is told
 * again, which changes nothing. */
struct weir_device_teller {
    struct weir_device_fact seen[TELLER_SEEN], facts[TELLER_FACTS];
    bool used[TELLER_SEEN];
    size_t n;
};

int weir_device_teller_new(struct weir_device_teller **ret_teller) {
    *ret_teller = calloc(1, sizeof **ret_teller);
    return *ret_teller ? 0 : -ENOMEM;
}

void weir_device_teller_free(struct weir_device_teller *teller) { free(teller); }

static size_t seen_at(const struct weir_addr *addr) {
    uint64_t high, low;
    memcpy(&high, addr->bytes, sizeof high);
    memcpy(&low, addr->bytes + sizeof high, sizeof low);
    return (size_t)((high * UINT64_C(0x9e3779b97f4a7c15) ^ low) * UINT64_C(0xa0761d6478bd642f) >>
                    40) %
           TELLER_SEEN;
}

void weir_device_tell(struct weir_device_teller *teller, const struct weir_packet *packet) {
    if (!packet->mac || teller->n == TELLER_FACTS || packet->mac[0] & 1) /* a group sends nothing */
        return;
    struct weir_device_fact fact = {.addr = packet->src,
                                    .ttl = forwarded(packet->ttl) ? packet->ttl : 64};
    memcpy(fact.mac, packet->mac, sizeof fact.mac);
    size_t at = seen_at(&fact.addr);
    if (teller->used[at] && memcmp(&teller->seen[at], &fact, sizeof fact) == 0) return;
    teller->used[at] = true;
    teller->seen[at] = fact;
    teller->facts[teller->n++] = fact;
}

size_t weir_device_take(struct weir_device_teller *teller,
                        const struct weir_device_fact **ret_facts, bool window_end) {
    size_t n = teller->n;
    *ret_facts = teller->facts;
    teller->n = 0;
    if (window_end) memset(teller->used, 0, sizeof teller->used);
    return n;
}
