/* What the files of the classifier share: its layout, and the state of a flow while it is being
 * named. */
#pragma once

#include <weir/classify.h>

#include "classify/dpi.h"
#include "classify/drift.h"
#include "classify/facts.h"
#include "classify/hello.h"
#include "classify/hosts.h"
#include "classify/names.h"

struct weir_classifier {
    struct weir_service_set *set;
    struct dpi *dpi;
    struct hosts hosts;
    struct names names;
    struct weir_address_memory *addresses;
    uint64_t secret;
    size_t naming_max;
    struct weir_naming_stats stats; /* the counters of the parts above are read from them */
    struct drift drift;
    struct facts facts;
    struct naming *quiet_longest, *quiet_least; /* ends of the list of all states */
    struct weir_quic_initial initial;           /* scratch */
    uint8_t scratch[HELLO_BYTES_MAX];
};

enum { RIVALS_MAX = 3 };
/* Where weir_flow_naming() points, from the first payload that did not settle the name to the
 * verdict. */
struct naming {
    struct weir_flow *flow;
    struct naming *quieter, *louder; /* in the order of their last payload */
    int64_t spoken_us;               /* engine's clock of that */
    struct hello_stream stream;
    struct dpi_flow *dpi;
    uint16_t n_client; /* payload packets of the client so far */
    bool begun;        /* the stream begins like a hello: nDPI waits */
    bool own_over;     /* weir's own parsers have nothing more to say */
    bool settled;      /* named; kept for its rivals until the server answers */
    /* QUIC: the opening that is read, and the names that earlier ones gave, until the server
     * answers one of them. */
    bool has_dcid;
    uint8_t n_rivals;
    struct weir_cid dcid;
    struct {
        struct weir_cid dcid;
        struct weir_named named;
    } * rivals; /* RIVALS_MAX of them, once there is one */
};

/* ---- assign.c: what a name means ---- */

bool host_is_name(const struct weir_host *host); /* not empty and not an address */
/* Names the flow by what its payload said. `whole` is false where more of the hello may come. */
void assign_host(struct weir_classifier *classifier, struct weir_flow *flow,
                 const struct hello *hello, bool whole, int64_t now_us);
void assign_verdict(struct weir_classifier *classifier, struct weir_flow *flow,
                    const struct dpi_verdict *verdict, int64_t now_us);
/* The provisional name, from the memories. */
void assign_memory(struct weir_classifier *classifier, struct weir_flow *flow, int64_t now_us);
/* Tells the coordinator what the flow's server serves, if the flow knows by itself. */
void assign_fact(struct weir_classifier *classifier, struct weir_flow *flow);
