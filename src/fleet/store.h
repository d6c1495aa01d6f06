/* Where `weir fleet` reads and keeps everything: Redis, or a Redis Cluster.
 *
 * - weir:fleet:inbox:{0..15}, STREAM: sites' incident events, in; read by the group "fleet"
 * - weir:fleet:incidents, STREAM: verdicts, out
 *
 * And in the slot of the latter (weir:fleet:{weir:fleet:incidents}:...), so that one script can
 * change them together:
 *
 * - leader, STRING: who works; gone 5 s after its last word
 * - cases, HASH: "<site> <incident>" -> what its newest event said
 * - open, HASH: service -> what was said last
 * - stats, HASH: counters
 *
 * Exactly once: an event changes `cases` only if its (site, entry) is newer than what is there, so
 * that it may be read again; what is said goes out in one script with the change of `open`; and
 * both only while the caller is the leader, so that a fleet that was thought dead, and wakes,
 * changes nothing.
 */
#pragma once

#include <weir/error.h>

#include "fleet/cases.h"
#include "fleet/sample.h"
#include "fleet/vote.h"
#include "publish/redis_client.h"

enum { WEIR_FLEET_SHARDS = 16, WEIR_FLEET_BATCH = 256, WEIR_FLEET_LEASE_MS = 5000 };

struct weir_fleet_store; /* opaque */
int weir_fleet_store_open(struct weir_fleet_store **ret_store, const char *url,
                          const char *password_file, struct weir_fault *fault);
void weir_fleet_store_free(struct weir_fleet_store *store);

/* Redis' clock, the one that all fleets share. */
int weir_fleet_store_now(struct weir_fleet_store *store, int64_t *ret_us, struct weir_fault *fault);
/* 1: this fleet leads for the next seconds; 0: another does; < 0. */
int weir_fleet_store_lease(struct weir_fleet_store *store, struct weir_fault *fault);
void weir_fleet_store_resign(struct weir_fleet_store *store);

/* Called for each service of which something was said. */
typedef void (*weir_fleet_said_reader)(void *context, const char *service, const char *text);
int weir_fleet_store_load(struct weir_fleet_store *store, struct weir_fleet_cases *cases,
                          weir_fleet_said_reader read, void *context, struct weir_fault *fault);

struct weir_fleet_counts {
    /* new; read before; no events at all; clock ahead; over a minute old; no room */
    uint64_t events, again, bad, skewed, late, refused;
};
/* Reads what is in the inboxes (with `claim`, what a dead fleet had taken, first), puts it into
 * `cases` here and in Redis, and confirms it. Returns how many entries; < 0: Redis is away, or
 * another leads (-EPERM): load again before going on. */
int weir_fleet_store_take(struct weir_fleet_store *store, bool claim,
                          struct weir_fleet_cases *cases, struct weir_fleet_counts *counts,
                          struct weir_fault *fault);
/* Forgets cases that are over. */
int weir_fleet_store_drop(struct weir_fleet_store *store, const char *key,
                          struct weir_fault *fault);

/* Says something: adds `fields` (names and texts) and json to weir:fleet:incidents, sends json to
 * weir:alerts, and keeps `said` (NULL: nothing is open now), all or nothing. 0, or < 0 as above. */
int weir_fleet_store_say(struct weir_fleet_store *store, const char *service,
                         uint32_t revision_before, const char *said, const char *json,
                         const char *const *fields, size_t n_fields, struct weir_fault *fault);

/* Last words of sites' probes, from weir:sites: seen_us[i], 0 where there was none. */
int weir_fleet_store_seen(struct weir_fleet_store *store, const char *const *sites, size_t n,
                          int64_t *seen_us, struct weir_fault *fault);
/* Sites that are asked about a service: at random, WEIR_FLEET_SAMPLE_MAX at the most. */
int weir_fleet_store_draw(struct weir_fleet_store *store, struct weir_fleet_sample *sample,
                          struct weir_fault *fault);
/* Their newest windows of the service, added up since the onset. */
int weir_fleet_store_ask(struct weir_fleet_store *store, const char *service, const char *layer,
                         int64_t onset_us, int64_t now_us, struct weir_fleet_sample *sample,
                         struct weir_fault *fault);
