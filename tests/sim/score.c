/* Right or wrong?
 *
 * An incident is right when what it blames was bad at some time since two minutes before its onset:
 * the client's WiFi, the prefix, the uplink, or the service that an outage was put into. Whatever
 * else it blames, at its raise or by an update, is one false alarm, also when something real was
 * behind it: a service blamed for its bad prefix, or for a client's WiFi. Only the first word
 * counts. How many of these false alarms gave the truth beside it, as an alternative of one in five
 * or more, is told apart.
 *
 * The same scorer is for other versions of the detector: those before probabilities were told are
 * built with SIM_WITHOUT_ALTERNATIVES, and "the service or the uplink" counts as their first word
 * "service", with the uplink beside.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "score.h"

#define GRACE_US INT64_C(120000000)
#define OVER_US  INT64_C(30000000) /* an incident this soon after its outage found it */

static bool was_bad(const struct world_spell *spell, const struct weir_incident *incident) {
    return spell->to_us > 0 && spell->to_us >= incident->onset_us - GRACE_US &&
           spell->from_us <= incident->ts_us;
}

static bool outage_explains(const struct score *score, const struct weir_incident *incident) {
    const struct world *world = score->world;
    return world->outage.kind && world_service_id(world->outage.service) == incident->service &&
           world->outage.to_us + GRACE_US >= incident->onset_us;
}

static bool client_was_bad(const struct score *score, const struct weir_incident *incident) {
    const struct world *world = score->world;
    for (unsigned c = 0; c < world->n_clients; c++) {
        struct weir_addr addr = world_client_addr(c);
        for (uint32_t i = 0; i < incident->n_clients && i < WEIR_INCIDENT_LIST_MAX; i++)
            if (weir_addr_compare(&addr, &incident->clients[i]) == 0 &&
                was_bad(&world->clients[c].wifi, incident))
                return true;
    }
    return false;
}

static bool prefix_was_bad(const struct score *score, const struct weir_incident *incident) {
    for (unsigned service = 1; service <= WORLD_SERVICES; service++)
        for (unsigned p = 0; p < WORLD_PREFIXES; p++) {
            struct weir_addr addr = world_prefix_addr(service, p);
            for (uint32_t i = 0; i < incident->n_prefixes && i < WEIR_INCIDENT_LIST_MAX; i++)
                if (weir_addr_compare(&addr, &incident->prefixes[i]) == 0 &&
                    was_bad(&score->world->prefix[service][p], incident))
                    return true;
        }
    return false;
}

/* It said itself that it may be this. */
static bool is_alternative(const struct weir_incident *incident, enum weir_cause cause) {
#ifdef SIM_WITHOUT_ALTERNATIVES
    return cause == WEIR_CAUSE_UPLINK && incident->cause == WEIR_CAUSE_SERVICE_OR_UPLINK;
#else
    for (unsigned i = 0; i < incident->n_alternatives; i++)
        if (incident->alternatives[i].cause == cause &&
            incident->alternatives[i].probability >= 0.2)
            return true;
    return false;
#endif
}

static bool is_right(const struct score *score, const struct weir_incident *incident) {
    bool uplink = was_bad(&score->world->uplink, incident);
    switch (incident->cause) {
    case WEIR_CAUSE_CLIENT: return client_was_bad(score, incident);
    case WEIR_CAUSE_UPLINK: return uplink;
    case WEIR_CAUSE_CDN_PATH:
        return prefix_was_bad(score, incident) || outage_explains(score, incident);
    default: return outage_explains(score, incident);
    }
}

static bool has_truth_beside(const struct score *score, const struct weir_incident *incident) {
    return (is_alternative(incident, WEIR_CAUSE_UPLINK) &&
            was_bad(&score->world->uplink, incident)) ||
           (is_alternative(incident, WEIR_CAUSE_CDN_PATH) && prefix_was_bad(score, incident)) ||
           (is_alternative(incident, WEIR_CAUSE_CLIENT) && client_was_bad(score, incident));
}

static void note_wrong(struct score *score, const struct weir_incident *incident) {
    for (unsigned i = 0; i < score->n_judged && i < 64; i++)
        if (strcmp(score->judged[i], incident->id) == 0) return;
    snprintf(score->judged[score->n_judged++ % 64], sizeof score->judged[0], "%s", incident->id);
    score->wrong[incident->cause]++;
    score->beside += has_truth_beside(score, incident);
    unsigned why = was_bad(&score->world->uplink, incident) ? 3
                   : prefix_was_bad(score, incident)        ? 2
                   : client_was_bad(score, incident)        ? 1
                                                            : 0;
    score->wrong_of[why]++;
    if (score->show)
        fprintf(stderr, "%9.0f wrong(%u) %s %s: %s\n", (double)incident->ts_us / 1e6, why,
                weir_incident_event_name(incident->event), weir_cause_name(incident->cause),
                incident->text);
}

void score_incident(void *context, const struct weir_incident *incident) {
    struct score *score = context;
    const struct world *world = score->world;
    if (incident->event == WEIR_INCIDENT_CLEARED) return;
    if (!is_right(score, incident))
        note_wrong(score, incident);
    else
        score->right[incident->cause] += incident->event == WEIR_INCIDENT_RAISED;
    if (!outage_explains(score, incident) || !world->outage.first_fail_us ||
        incident->ts_us < world->outage.first_fail_us ||
        incident->ts_us > world->outage.to_us + OVER_US)
        return;
    if (!score->found)
        score->found_s = (double)(incident->ts_us - world->outage.first_fail_us) / 1e6;
    score->found = true;
    score->blamed = incident->cause == WEIR_CAUSE_SERVICE;
}

void score_outage_over(struct score *score) {
    struct score_kind *kind = score->world->outage.kind == WORLD_INTERMITTENT ? &score->intermittent
                              : score->world->outage.kind == WORLD_SILENT     ? &score->silent
                                                                              : &score->full;
    kind->n++;
    kind->found += score->found;
    kind->blamed += score->found && score->blamed;
    if (score->found && kind->n_seconds < SCORE_TIMES)
        kind->seconds[kind->n_seconds++] = score->found_s;
    if (score->show && !score->found)
        fprintf(stderr, "%9.0f missed: service %u, kind %d, %u failed trials\n",
                (double)score->world->slot_us / 1e6, score->world->outage.service,
                score->world->outage.kind, score->world->outage.n_fail);
    score->found = score->blamed = false;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double score_percentile(struct score_kind *kind, double share) {
    if (kind->n_seconds == 0) return -1;
    qsort(kind->seconds, kind->n_seconds, sizeof kind->seconds[0], compare_doubles);
    unsigned at = (unsigned)(share * kind->n_seconds);
    return kind->seconds[at < kind->n_seconds ? at : kind->n_seconds - 1];
}

unsigned score_false_alarms(const struct score *score) {
    unsigned n = 0;
    for (int cause = 0; cause < WEIR_CAUSE_N; cause++) n += score->wrong[cause];
    return n;
}
