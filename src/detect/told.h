/* Pieces of a verdict that several kinds of alarm share: the record's begin, how bad, how sure,
 * whose it becomes. See severity.c, verdict_uplink.c, verdict.c. */
#pragma once

#include "detect/state.h"

/* severity.c: what is known of any record at its begin. */
void weir_told_begin(const struct weir_detector *detector, const struct weir_scope *scope,
                     struct weir_verdict *ret_verdict);
/* Where the judgement's pass begins: at the onset, and a minute ago at the latest. */
int64_t weir_told_earliest(const struct weir_detector *detector, const struct weir_scope *scope);
bool weir_is_starvation(const struct weir_incident *record);
/* A service all of whose new connections fail, while older ones are served on. */
bool weir_lets_nobody_in(const struct weir_incident *record);
/* `recent`: of the last five minutes (weir_judge_severity). */
enum weir_state weir_severity(const struct weir_incident *record, struct weir_tally recent,
                              bool slow);
enum weir_confidence weir_confidence_of(const struct weir_incident *record);
/* The incident is this client's (its number): the controls are the other clients of the same
 * trials. It stays open for its first minute. */
void weir_told_client(struct weir_detector *detector, const struct weir_scope *scope,
                      const struct weir_pick *own, uint32_t client, struct weir_verdict *verdict);

/* verdict_uplink.c: evidence of the uplink, beside its own watch, that settles the question. */
bool weir_uplink_is_seen(const struct weir_detector *detector, const struct weir_scope *scope);
/* False: it is not, and no trial needs to be read to know that. */
bool weir_uplink_may_be_seen(const struct weir_detector *detector, const struct weir_scope *scope);
/* Congestion while the uplink is out: whatever the trials say is a part of that, and stays open.
 */
bool weir_uplink_holds(const struct weir_detector *detector, const struct weir_scope *scope);
/* Too few of the services in use were tried since: the rest will tell, two slots later at most. */
bool weir_uplink_is_early(const struct weir_detector *detector, const struct weir_scope *scope);
/* Of a service that starves: it may be the uplink, which is not known yet. */
bool weir_uplink_may_starve(const struct weir_detector *detector, const struct weir_scope *scope);
/* Its story leads; it must also be one of now, and of more than one client where there are more. */
bool weir_uplink_may_be_told(const struct weir_detector *detector, weir_service_id service);
/* The incident is the uplink's: published are the trials of everything. */
void weir_told_uplink(struct weir_detector *detector, const struct weir_scope *scope,
                      struct weir_verdict *verdict);

/* verdict_quiet.c: starved or slow while the loss and the delay are on the clients' side. */
bool weir_network_of_clients(const struct weir_detector *detector, weir_service_id service);

/* nats: a cause that is settled by itself is worth at least so much more than the rest */
#define WEIR_SETTLED 10.0
