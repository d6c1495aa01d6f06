/* What measure hands to detect: trials, how connections ended, delays and rates, clients' links,
 * and open demand. Filled by the one, read by the other, copied by nobody. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/outcome.h>
#include <weir/packet.h>
#include <weir/service.h>

/* a trial's slot and a window: 10 s, aligned to the epoch  */
#define WEIR_SLOT_US                INT64_C(10000000)
#define WEIR_REQUEST_TIMEOUT_MIN_US INT64_C(5000000) /* no media request is timed out sooner */

/* All attempts with the same key in one slot. `ok` and `fail` may both be set (mixed: tried again
 * with success): it then counts as OK, and in the slow-burn detector as one of each. A failing
 * attempt that began after the last useful one unsets `ok`. Neither is set: all that failed was
 * taken back, and the trial says nothing. */
struct weir_trial {
    struct weir_addr client;
    /* of the server: /24 or /48; for layer DNS the resolver's address */
    struct weir_addr prefix;
    weir_service_id service; /* never NONE; OTHER is the control group */
    uint8_t layer;           /* enum weir_layer */
    uint8_t kind;            /* enum weir_outcome of the first failure; USEFUL without one */
    bool ok, fail;
    int64_t ok_us, fail_us; /* engine's clock of the first of each, 0: none */
    int64_t last_ok_us;     /* stamp of the last useful one */
    int64_t first_us;       /* when the earliest failing attempt began */
    /* when the latest failing attempt began, or was seen to starve; the first useful one after
     * that, as far as known; 0: none */
    int64_t last_began_us, back_us;
    uint32_t attempts_ok, attempts_fail;
    /* of attempts_fail: requests that may still be answered, which takes the failure back */
    uint32_t attempts_overdue;
    /* layer QUIC: failed, and TCP to the same name was useful within 10 s, or served within 30 s of
     * a death */
    bool quic_fell_back;
    /* layer QUIC: a connection that had served died in use, not only one that was not opened */
    bool quic_died;
    bool media;   /* the server's role was media */
    uint8_t role; /* enum weir_role of the host: part of the key */
    /* of the host of the first failing attempt; 0: none, or not known */
    uint64_t host_hash;
    /* the longest that a media request of this trial hangs, at its last tick; 0: none does */
    int64_t wait_us;
    /* -ln of the chance that this service's answers take so long; taken back when it is answered */
    float wait_nats;
};

/* The slot that is open now, in order of the first decision (ties by key); measure fills it, detect
 * reads it. */
struct weir_slot {
    int64_t start_us;
    const struct weir_trial *trials;
    size_t n_trials;
};

/* Ends of finished media connections, by how they ended: fed to the connection-ends CUSUM. */
struct weir_connection_end {
    struct weir_addr client, prefix;
    weir_service_id service;
    bool rst_mid;
    int64_t ts_us;
};

/* The continuous signals: delays and rates of a window. */
enum weir_continuous {
    WEIR_CONTINUOUS_RTT_SERVER,
    WEIR_CONTINUOUS_RTT_CLIENT,
    WEIR_CONTINUOUS_TTFB,
    WEIR_CONTINUOUS_DNS,
    WEIR_CONTINUOUS_GOODPUT,
    WEIR_CONTINUOUS_N
};

#define WEIR_SEGMENT_BYTES 1448 /* payload of a full TCP segment */

/* One client's own link in a window, over all services: what passed here on its way to it, and what
 * of that was lost. A client that nothing was sent to has no row. */
struct weir_client_link {
    struct weir_addr client;
    /* bit: that service sent to it (WEIR_SERVICE_OTHER: any other) */
    uint64_t services[WEIR_SERVICES_MAX / 64];
    /* TCP segments with payload from servers, those sent again among them */
    uint32_t segments_down;
    uint32_t lost_beyond;          /* of these, lost between here and the client */
    uint32_t lost_before;          /* lost between the servers and here */
    uint32_t segments_up, lost_up; /* the client's own segments; lost between it and here */
    uint32_t rtt_samples;          /* of the round trip between here and the client */
    int64_t rtt_us;                /* their low decile; not read without samples */
};

/* Open media requests of a service at this moment, over the whole site. */
struct weir_demand {
    weir_service_id service;
    /* requests: without their answer complete; unanswered for T or longer */
    uint32_t open, overdue;
    uint32_t clients_overdue; /* clients with an overdue request */
    uint32_t clients_open;    /* clients with an open request or a running session */
    /* of these, how many are starved or have an overdue request */
    uint32_t clients_starved;
    uint32_t clients_slow; /* of these, served far below their need, so that several services can be
                              summed: clients_open above clients_starved means that somebody is
                              served well */
    /* who watches now, and of these, whose picture stands still */
    uint32_t viewers, viewers_stalled;
    uint32_t viewers_known; /* of the first, those whose buffer is known */
    /* the earliest moment from which a picture stands still; 0: none does */
    int64_t stalled_since_us;
};
