/* The incident: what weir concludes, as it leaves the program. Made by detect, read by sinks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/outcome.h>
#include <weir/packet.h>
#include <weir/service.h>

enum weir_incident_event {
    WEIR_INCIDENT_RAISED,
    WEIR_INCIDENT_UPDATED,
    WEIR_INCIDENT_CLEARED,
    WEIR_INCIDENT_REOPENED, /* it is back within 10 minutes of `cleared`: the same id */
    WEIR_INCIDENT_EVENT_N
};
enum weir_state {
    WEIR_STATE_UNKNOWN,
    WEIR_STATE_HEALTHY,
    WEIR_STATE_SUSPECT,
    WEIR_STATE_DEGRADED,
    WEIR_STATE_PARTIAL,
    WEIR_STATE_DOWN,
    WEIR_STATE_RECOVERING
};
/* Whose fault a cause is. */
enum weir_whose {
    WEIR_WHOSE_PROVIDER, /* the service's, or that of whom it pays: many sites see it */
    WEIR_WHOSE_WAY,      /* that of the network between, for one service */
    WEIR_WHOSE_CLIENT,   /* one client's, or that of its link */
    WEIR_WHOSE_SITE,     /* the whole site's: no service is judged by its trials meanwhile */
};
/* One row a cause: X(enumerator, name in the records, whose, what a person reads). From it come the
 * enum, the records' name, the words of status, page and alerts, the metrics, the schema and
 * contrib/KEYS.md. A hypothesis that leads to it is a row of src/detect/blame.c. */
/* clang-format off */
#define WEIR_CAUSES(X) \
    X(SERVICE, "service", PROVIDER, "the service itself") \
    X(CDN, "cdn", PROVIDER, "a CDN that it shares with others") \
    X(CDN_PATH, "cdn_path", PROVIDER, "the path to one of its networks") \
    X(DNS_SERVICE, "dns_service", PROVIDER, "the service's DNS") \
    X(DNS_RESOLVER, "dns_resolver", SITE, "the DNS resolver") \
    X(QUIC_BLOCKED, "quic_blocked", WAY, "QUIC is blocked on the way") \
    X(CLIENT, "client", CLIENT, "one client") \
    X(UPLINK, "uplink", SITE, "the uplink") \
    X(CAPTURE, "capture", SITE, "the capture is incomplete")
/* clang-format on */
enum weir_cause {
#define X(enumerator, name, whose, words) WEIR_CAUSE_##enumerator,
    WEIR_CAUSES(X)
#undef X
        WEIR_CAUSE_N
};
/* What of a service fails: everything; what carries video and sound; what lets people in (log-in,
 * catalogue, licences); the rest. */
enum weir_part { WEIR_PART_ALL, WEIR_PART_MEDIA, WEIR_PART_CONTROL, WEIR_PART_OTHER, WEIR_PART_N };
enum weir_confidence { WEIR_CONFIDENCE_LOW, WEIR_CONFIDENCE_MEDIUM, WEIR_CONFIDENCE_HIGH };

/* Names as in the records: "raised", "down", "cdn_path", "low"... */
const char *weir_incident_event_name(enum weir_incident_event event);
const char *weir_state_name(enum weir_state state);
const char *weir_cause_name(enum weir_cause cause);
const char *weir_cause_words(enum weir_cause cause);
enum weir_whose weir_cause_whose(enum weir_cause cause);
/* By its name in the records; WEIR_CAUSE_N: none is called so. */
enum weir_cause weir_cause_find(const char *name);
/* Watches of the detector, 0 to n - 1: the name in the records, what raises it; NULL: none. */
const char *weir_watch_name(unsigned watch);
const char *weir_watch_help(unsigned watch);
const char *weir_part_name(enum weir_part part);
const char *weir_confidence_name(enum weir_confidence confidence);

#define WEIR_INCIDENT_LIST_MAX         32
#define WEIR_INCIDENT_REGIONS_MAX      8
#define WEIR_INCIDENT_ALTERNATIVES_MAX 4
#define WEIR_INCIDENT_NAMES_MAX        4
struct weir_as {     /* an autonomous system: whose network an address belongs to */
    uint32_t number; /* 0: not known */
    char name[60];   /* of its organisation, UTF-8, printable; may be empty */
};
/* nobody asks any more; window_us 0: the incident isn't of that kind */
struct weir_incident_silence {
    int64_t window_us;        /* over which was judged last */
    double clients, expected; /* that tried to connect in it; how many are normal */
    double others_share;      /* the same of all other services, seen / normal */
};
/* a client's own link, its last bad window; or the way out, where packets of several services are
 * lost on it; segments 0: the incident isn't of that kind */
struct weir_incident_link {
    uint32_t segments; /* sent to it; of the way out: to all clients */
    /* lost between weir and the client, and on the way to weir */
    uint32_t lost_beyond, lost_before;
    uint32_t others_segments, others_lost; /* the same of all other clients, lost beyond */
};
struct weir_incident_region { /* clients of one region (configuration, `regions:`) */
    char name[32];
    uint32_t fail, total;           /* trials */
    uint32_t clients, clients_seen; /* with failures; with trials */
};
struct weir_incident_alternative {
    uint8_t cause;
    double probability;
};
struct weir_incident {
    /* "<service or cause>-<onset in ms>", the same in every event of it, also when the blame moves
     * (a service that turns out to be the uplink) and when it comes back within 10 minutes of
     * `cleared`. */
    char id[40];
    uint8_t event, state, cause, confidence;
    uint8_t watch; /* that raised it, or judged it last: see weir_watch_name */
    /* NONE when the cause is uplink, dns_resolver, client or capture */
    weir_service_id service;
    int64_t ts_us, onset_us;       /* decision; last time the evidence was clean */
    int64_t raised_us, cleared_us; /* 0 while not */
    /* the first useful trial after which nothing failed; 0 while it lasts: duration is this - onset
     */
    int64_t recovered_us;
    double probability;     /* of this cause, given all that was seen */
    uint8_t n_alternatives; /* causes that are not ruled out, the likeliest first */
    struct weir_incident_alternative alternatives[WEIR_INCIDENT_ALTERNATIVES_MAX];
    uint8_t part; /* enum weir_part */
    /* who watched when it was last judged; of these, whose picture stood still; 0: not known */
    uint32_t viewers, viewers_stalled;
    bool viewers_known;       /* everybody's buffer is, so that none stands still unseen */
    int64_t stalled_since_us; /* the first of those that stand still; 0: none does */
    uint8_t n_blocked_names;
    /* of the service, which a filter here answers for (the engine's) */
    char blocked_names[WEIR_INCIDENT_NAMES_MAX][64];
    uint8_t layer;                  /* enum weir_layer that shows it worst */
    bool pooled;                    /* trials are of all layers above dns, not of that one alone */
    uint32_t kinds[WEIR_OUTCOME_N]; /* failed trials by kind */
    uint32_t n_clients;             /* hit */
    uint32_t n_clients_seen;        /* with trials of the service since onset */
    /* more than could be counted: the numbers of clients and prefixes are lower bounds */
    bool at_least;
    struct weir_addr clients[WEIR_INCIDENT_LIST_MAX];
    uint32_t n_prefixes; /* failing */
    struct weir_addr prefixes[WEIR_INCIDENT_LIST_MAX];
    /* useful trials (or turns of them) at the service's other places while the one that fails most
     * did */
    uint32_t elsewhere_ok;
    /* of each prefix; not known without a database */
    struct weir_as prefix_as[WEIR_INCIDENT_LIST_MAX];
    /* cdn, cdn_path: whose prefixes fail as one; not known: prefixes[0] alone is blamed */
    struct weir_as as;
    /* 4, 6: all that fails is of this version of IP, while the other's trials (not lookups) are */
    uint8_t only_family;
    uint32_t other_family_ok; /* useful, this many; 0: not so */
    uint32_t n_regions;       /* where clients with trials live; 0: no regions are configured */
    struct weir_incident_region regions[WEIR_INCIDENT_REGIONS_MAX];
    /* low, high: Wilson 95 % of the failing share */
    struct {
        uint32_t fail, total;
        double low, high;
    } trials;
    struct {
        uint32_t fail, total;
        uint8_t n;
        struct {
            weir_service_id service;
            uint32_t fail, total;
        } by_service[WEIR_INCIDENT_LIST_MAX];
    } controls;
    struct weir_incident_silence silence;
    struct weir_incident_link link;
    /* raised while work was announced: published, and alerts nobody (the engine's) */
    bool maintenance;
    char text[768]; /* one or two sentences for a person */
};

/* Called for each event, in order of time. The incident is valid during the call. */
typedef void (*weir_incident_observer)(void *context, const struct weir_incident *incident);
