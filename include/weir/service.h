/* The streaming services that weir knows: signatures/<service>.yaml, read once, asked by host name.
 *
 * A set is immutable after loading, shared by all threads, and replaced whole on reload.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>
#include <weir/packet.h>

/* A service is a small number within its set. */
typedef uint8_t weir_service_id;
enum {
    WEIR_SERVICE_NONE = 0,  /* not named (yet) */
    WEIR_SERVICE_OTHER = 1, /* named, but no service of ours: the control group, shown as "other" */
    WEIR_SERVICE_FIRST = 2, /* the first of signatures/, in alphabetical order of ids */
    WEIR_SERVICES_MAX = 128,
};

/* "other" "control" "media" */
enum weir_role { WEIR_ROLE_OTHER, WEIR_ROLE_CONTROL, WEIR_ROLE_MEDIA };
/* "vod" "live" "audio" "call" */
enum weir_service_kind { WEIR_KIND_VOD, WEIR_KIND_LIVE, WEIR_KIND_AUDIO, WEIR_KIND_CALL };

/* How a flow got its name, best first. */
enum weir_named_by {
    WEIR_NAMED_NONE,
    WEIR_NAMED_SNI,
    WEIR_NAMED_HTTP,
    WEIR_NAMED_DNS,
    WEIR_NAMED_ADDRESS,
    WEIR_NAMED_NDPI,
    WEIR_NAMED_N
};

const char *weir_role_name(enum weir_role role);
const char *weir_kind_name(enum weir_service_kind kind);
const char *weir_named_by_name(enum weir_named_by named_by);

struct weir_service_host {
    const char *suffix; /* "nflxvideo.net" matches itself and every name below it */
    enum weir_role role;
};

struct weir_service {
    const char *id;    /* "netflix": [a-z0-9]+, as in records and keys */
    const char *title; /* "Netflix" */
    enum weir_service_kind kind;
    const struct weir_service_host *hosts; /* by role, as in the file */
    size_t n_hosts;
    /* host suffixes measured as `other`: speed tests, telemetry */
    const char *const *never_count;
    size_t n_never_count;
    const char *const *ndpi; /* nDPI protocol names */
    size_t n_ndpi;
    const struct weir_cidr *prefixes;
    /* enum weir_role of each prefix: what its addresses serve */
    const uint8_t *prefix_roles;
    size_t n_prefixes;
    const uint32_t *asns;
    size_t n_asns;
    uint32_t segment_us; /* length of a media segment; 0 unknown */
    uint32_t buffer_us;  /* how far ahead its players load at most; 0 unknown */
};

struct weir_service_set; /* opaque, reference counted */

/* Reads every *.yaml of a directory (format: signatures/FORMAT.md). On the first fault (schema,
 * duplicate suffix between services, bad prefix) returns < 0 with file, line and field in `fault`,
 * and leaves `ret_set` alone. The caller owns the one reference of a new set. ref and unref may be
 * called from any thread; unref takes NULL. */
int weir_service_set_load(struct weir_service_set **ret_set, const char *directory,
                          struct weir_fault *fault);
struct weir_service_set *weir_service_set_ref(struct weir_service_set *set);
void weir_service_set_unref(struct weir_service_set *set);

/* ids are 0 .. count-1, NONE and OTHER included */
size_t weir_service_set_count(const struct weir_service_set *set);
/* NONE and OTHER have an id and a title ("none", "other") and nothing else. NULL: no such number.
 */
const struct weir_service *weir_service_get(const struct weir_service_set *set, weir_service_id id);
/* WEIR_SERVICE_NONE: no such */
weir_service_id weir_service_find(const struct weir_service_set *set, const char *id);

struct weir_match {
    weir_service_id service; /* WEIR_SERVICE_OTHER when nothing matches */
    uint8_t role;            /* enum weir_role */
    /* the host is listed as not to be counted: let no weaker way name it either */
    bool never_count;
};
/* The longest suffix wins, at label boundaries only; never-count hosts give OTHER. `host` is lower
 * case; one trailing dot is ignored. Allocates nothing and takes no lock. */
struct weir_match weir_service_match_host(const struct weir_service_set *set, const char *host,
                                          size_t length);
/* By nDPI's protocol name, upper and lower case alike (the spelling differs between its versions).
 * The role is WEIR_ROLE_OTHER: such a name says whose a flow is, not what it carries. */
struct weir_match weir_service_match_ndpi(const struct weir_service_set *set,
                                          const char *ndpi_name);
/* By the longest address prefix, with the prefix's role. */
struct weir_match weir_service_match_addr(const struct weir_service_set *set,
                                          const struct weir_addr *addr);
/* True where the host belongs to a CDN that carries media of many services (akamaihd.net,
 * cloudfront.net, ...): its most popular unmatched names are shown as signature drift
 * (signatures/cdn.yaml). */
bool weir_service_is_media_cdn(const struct weir_service_set *set, const char *host, size_t length);
