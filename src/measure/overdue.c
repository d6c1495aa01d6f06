/* A request that is answered late was slow, not unserved.
 *
 * Requests are timed out at max(5 s, 3 x learned p99): soon, so that a frozen service is found in
 * seconds. Some servers begin to hold their answers for longer than that, as playlists with few
 * parts are held; the learned time-out follows after half a minute, and until then each of them
 * would fail. But the answer comes, and proves that the service serves.
 *
 *     asked       timed out        10 s
 *       |------------|---------------|
 *       waits        FAIL, until ... | stands
 *                    the answer takes it back
 *
 * The FAIL counts the moment it is known, as any other. Until then it was taken back within its
 * slot only; now a trial of which nothing but such requests is known at the slot's end goes on in
 * the next slot, beside that slot's own trial of the same key, until it stands or is taken back. So
 * the evidence needs no subtraction afterwards, and an outage loses none: what nobody answers
 * weighs from the first second, in one slot or in the other, as one trial.
 *
 * By numbers, p0 0.02 and p1 0.5 (+3.22 a FAIL, -0.67 an OK, raised at 14): three clients whose
 * requests are held for 6 s one after another have a FAIL standing for one second in six. With
 * nothing taken back four FAILs and four OKs in a minute are 4 x 3.22 - 4 x 0.67 = 10.2, and with
 * the next one 13.4 and on. Taken back, no more stand at a time than clients wait: at the very most
 * 3 x 3.22 = 9.7 for one second, and then 0. A freeze of 20 s has its FAILs standing from 5 s on,
 * as before.
 *
 * Only where they are more than one in six of their service's trials, which is where their sum
 * would rise (6 x 0.67 > 3.22): one in a hundred of a large site's stands where it is, among the
 * useful ones that outweigh it. Carried over, all of them would stand together at the head of the
 * next slot, and seven in a row are an outage.
 *
 * Blind spots: a service that answers everything after nine seconds is slow (starved, time to first
 * byte), not down. What is in the air at a restart isn't kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "measure/overdue.h"

enum { LATE_OF = 6 };

int weir_overdue_init(struct weir_overdue *overdue, size_t max) {
    *overdue = (struct weir_overdue){.max = max};
    overdue->list = calloc(max, sizeof *overdue->list);
    overdue->carried = calloc(max, sizeof *overdue->carried);
    if (overdue->list && overdue->carried) return 0;
    weir_overdue_deinit(overdue);
    return -ENOMEM;
}

void weir_overdue_deinit(struct weir_overdue *overdue) {
    free(overdue->list);
    free(overdue->carried);
    overdue->list = NULL;
    overdue->carried = NULL;
}

void weir_overdue_add(struct weir_overdue *overdue, const struct weir_evidence *evidence,
                      struct weir_trial *trials, uint32_t place) {
    if (overdue->n == overdue->max) return; /* it stands at once */
    overdue->list[overdue->n++] =
        (struct weir_overdue_request){.client = evidence->client,
                                      .server = evidence->server,
                                      .client_port = evidence->client_port,
                                      .server_port = evidence->server_port,
                                      .asked_us = evidence->first_us,
                                      .place = place};
    trials[place].attempts_overdue++;
}

static bool is_of(const struct weir_overdue_request *request,
                  const struct weir_evidence *evidence) {
    return request->asked_us == evidence->first_us &&
           request->client_port == evidence->client_port &&
           request->server_port == evidence->server_port &&
           weir_addr_compare(&request->client, &evidence->client) == 0 &&
           weir_addr_compare(&request->server, &evidence->server) == 0;
}

/* What else is known of the trial stays: other failures, and the successes that this one had come
 * after. */
static void take_back(struct weir_trial *trial) {
    trial->attempts_overdue--;
    if (--trial->attempts_fail > 0) return;
    trial->fail = false;
    trial->ok = trial->attempts_ok > 0;
    trial->kind = WEIR_OUTCOME_USEFUL;
    trial->fail_us = trial->first_us = trial->last_began_us = 0;
    trial->back_us = trial->ok ? trial->ok_us : 0;
}

void weir_overdue_answer(struct weir_overdue *overdue, const struct weir_evidence *evidence,
                         struct weir_trial *trials) {
    for (size_t i = 0; i < overdue->n; i++) {
        if (!is_of(&overdue->list[i], evidence)) continue;
        take_back(&trials[overdue->list[i].place]);
        memmove(&overdue->list[i], &overdue->list[i + 1],
                (--overdue->n - i) * sizeof *overdue->list);
        return;
    }
}

void weir_overdue_settle(struct weir_overdue *overdue, struct weir_trial *trials, int64_t now_us) {
    size_t kept = 0;
    for (size_t i = 0; i < overdue->n; i++) {
        if (now_us - overdue->list[i].asked_us >= WEIR_OVERDUE_US)
            trials[overdue->list[i].place].attempts_overdue--;
        else
            overdue->list[kept++] = overdue->list[i];
    }
    overdue->n = kept;
}

static bool is_late(const struct weir_trial *trial) {
    return trial->fail && !trial->ok && trial->attempts_overdue == trial->attempts_fail;
}

/* Of each service's requests: how many trials there are, and how many of them may still be
 * answered. */
struct share {
    uint32_t late, all;
};

static void count_shares(const struct weir_trial *trials, size_t n_trials,
                         struct share ret_shares[UINT8_MAX + 1]) /* by weir_service_id */
{
    memset(ret_shares, 0, (UINT8_MAX + 1) * sizeof *ret_shares);
    for (size_t i = 0; i < n_trials; i++) {
        if (trials[i].layer != WEIR_LAYER_SERVE) continue;
        struct share *share = &ret_shares[trials[i].service];
        share->late += is_late(&trials[i]);
        share->all += trials[i].ok || trials[i].fail;
    }
}

void weir_overdue_carry(struct weir_overdue *overdue, struct weir_trial *trials, size_t n_trials) {
    struct share shares[UINT8_MAX + 1];
    size_t kept = 0;
    overdue->n_carried = 0;
    if (overdue->n) count_shares(trials, n_trials, shares);
    for (size_t i = 0; i < overdue->n; i++) {
        struct weir_overdue_request request = overdue->list[i];
        struct weir_trial *trial = &trials[request.place];
        const struct share *share = &shares[trial->service];
        /* its first request; what is left behind says nothing, and where it went */
        if (is_late(trial) && share->late * LATE_OF > share->all) {
            overdue->carried[overdue->n_carried] = *trial;
            trial->fail = false;
            trial->attempts_fail = (uint32_t)overdue->n_carried++;
        } else if (trial->fail || trial->ok)
            continue; /* decided, whatever comes: it stands in the slot that is over */
        request.place = trial->attempts_fail;
        overdue->list[kept++] = request;
    }
    overdue->n = kept;
}
