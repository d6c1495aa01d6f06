/* One verdict of many sites: pure arithmetic, no Redis, no clock.
 *
 * Each site that may speak (its own verdict is the service's fault, or that the service is well)
 * votes by Wald's test over its trials since the outage began: bad, good, or not yet known. No
 * healthy site and two bad ones: GLOBAL. Some of each, and Fisher's test says that they differ:
 * REGIONAL, with the list. Else what is bad stays LOCAL: it cannot be told apart from one site's
 * own trouble.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect/fisher.h"

enum weir_fleet_vote { WEIR_FLEET_UNKNOWN, WEIR_FLEET_GOOD, WEIR_FLEET_BAD };
enum weir_fleet_scope { WEIR_FLEET_NONE, WEIR_FLEET_LOCAL, WEIR_FLEET_REGIONAL, WEIR_FLEET_GLOBAL };
/* "none" "local" "regional" "global" */
const char *weir_fleet_scope_name(enum weir_fleet_scope scope);

/* Bad or good once the likelihood ratio of so many failures passes the bound for errors of 1 %. */
enum weir_fleet_vote weir_fleet_vote(struct weir_tally trials);

/* "eu" of "eu/munich-3"; its length, 0 where the name has no region. */
size_t weir_fleet_region(const char *site);

enum { WEIR_FLEET_SITES_LISTED = 32, WEIR_FLEET_REGION_MAX = 64 };

/* One site that was asked, or that said so itself. */
struct weir_fleet_ballot {
    const char *site;
    enum weir_fleet_vote vote;
    struct weir_tally trials; /* since the onset */
    /* unknown, but its detector sees nothing wrong: a few windows more may tell */
    bool waits;
};

struct weir_fleet_verdict {
    enum weir_fleet_scope scope;
    uint32_t n_bad, n_good, n_unknown;
    uint32_t n_waiting;          /* of the unknown */
    struct weir_tally bad, good; /* pooled trials of the sites that voted so */
    /* Fisher: that bad and good fail alike; 1 where one side is empty */
    double p;
    /* all bad sites are in it and no good one is; "" otherwise */
    char region[WEIR_FLEET_REGION_MAX];
    uint32_t n_listed;
    const char *sites[WEIR_FLEET_SITES_LISTED]; /* bad ones; the ballots' */
};
void weir_fleet_judge(const struct weir_fleet_ballot *ballots, size_t n,
                      struct weir_fleet_verdict *ret_verdict);

/* ---- what is said when ---- */

/* a verdict of LOCAL waits so long for others to speak */
#define WEIR_FLEET_SETTLE_US INT64_C(10000000)
/* and one of LOCAL or GLOBAL so long for sites that seem well to show it */
#define WEIR_FLEET_WAIT_US INT64_C(25000000)
/* least time between two updates of one incident  */
#define WEIR_FLEET_REPEAT_US INT64_C(10000000)
/* sites silent so long take their incidents with them */
#define WEIR_FLEET_SILENT_US INT64_C(900000000)
#define WEIR_FLEET_SKEW_US   INT64_C(5000000)  /* clocks of sites may differ by so much */
#define WEIR_FLEET_FRESH_US  INT64_C(40000000) /* a site not heard for so long is unknown */

/* What was said last about a service. */
struct weir_fleet_said {
    uint32_t revision; /* of the incident that is open; 0: none is */
    uint8_t scope;     /* enum weir_fleet_scope */
    uint32_t n_bad;
    char region[WEIR_FLEET_REGION_MAX];
    int64_t ts_us;
};
enum weir_fleet_event { WEIR_FLEET_QUIET, WEIR_FLEET_RAISE, WEIR_FLEET_UPDATE, WEIR_FLEET_CLEAR };
/* `n_cases`: open incidents of sites about the service, of silent sites too; `first_us`: when the
 * oldest of them arrived. */
enum weir_fleet_event weir_fleet_decide(const struct weir_fleet_said *said,
                                        const struct weir_fleet_verdict *verdict, size_t n_cases,
                                        int64_t first_us, int64_t now_us);
