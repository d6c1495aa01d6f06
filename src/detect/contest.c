/* Which story explains the trials since the onset best: the service, one of its prefixes, a client's network, the uplink?
 *
 * Each story says which trials are spoiled and which fail by chance only, p0:
 *
 *     the service     all of its trials, none of the controls
 *     a path          its trials at one prefix, or at the prefixes of one autonomous system
 *     a client        all trials of that client, at the service and elsewhere, and its lookups of any name
 *     a client here   what it tries at the service, nothing else: its application, its account, its address
 *     clients         as a client, for several, each for itself
 *     the uplink      everything
 *
 * The share that a trouble spoils isn't known, only what it is like. An outage takes all, or a good part; bad WiFi lets about half
 * through, tried again within the slot, or a client is cut off altogether. So either is a mixture of both kinds, the likelier one
 * three in four: of whom everything fails here and nothing elsewhere, that is neither lossy nor cut off. So each story is scored with its share integrated out over a Beta distribution (the Beta-binomial marginal likelihood),
 * beside all failures being chance, and multiplied by how much of the time such a trouble lasts anywhere (options prior_*). The odds
 * then say what rules of thumb say badly: five failures of one client are the service's or its WiFi's, and one useful trial
 * of the same client elsewhere speaks more than many of others; failures of two clients that have nothing in common but the
 * service are the service's, for two spells of bad WiFi at once are as rare as their product. That is what lets a lower h be
 * safe: correlated failures are met where they arise, instead of by asking for more of them.
 *
 * One client alone, five trials failed at the service and m useful elsewhere: the service leads by 1.85 nat with m = 1, 3.09 with 2, 3.95
 * with 3; `lead` asks for 3. What is useful elsewhere may be a lookup: it came through the client's network, and more are made of
 * them than of connections. Not of the uplink's story: resolvers are often this side of it.
 *
 * How long the odds must be grows with the clients: among forty times as many, forty times as many coincidences are seen.
 *
 * Blind spots: two troubles at once, other than clients', are told as the greater one; a trouble that hits a group of clients
 * (an access point) is not a story.
 */
#include <math.h>

#include "detect/contest.h"

struct share { /* Beta(a, b) of the failing share */
    double a, b;
};
static const struct share whole = {30, 1}, part = {2, 3}, of_path = {2, 1}, lossy = {4, 5}, of_uplink = {2, 1};

static double log_beta(double a, double b)
{
    int sign;
    return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
}

/* Log likelihood of the tally with the share integrated out. */
static double marginal(struct weir_tally tally, struct share share)
{
    double ok = tally.total - tally.fail;
    return log_beta(share.a + tally.fail, share.b + ok) - log_beta(share.a, share.b);
}

static double by_chance(struct weir_tally tally, double p0)
{
    return tally.fail * log(p0) + (tally.total - tally.fail) * log(1 - p0);
}

static double gain(struct weir_tally tally, struct share share, double p0)
{
    return marginal(tally, share) - by_chance(tally, p0);
}

/* Three in four are of the likelier kind. */
static double gain_of_either(struct weir_tally tally, struct share likelier, struct share other, double p0)
{
    double a = marginal(tally, likelier), b = marginal(tally, other), most = fmax(a, b);
    return most + log((3 * exp(a - most) + exp(b - most)) / 4) - by_chance(tally, p0);
}

static double gain_of_service(struct weir_tally tally, double p0)
{
    return gain_of_either(tally, whole, part, p0);
}

static double gain_of_client(struct weir_tally tally, double p0)
{
    return gain_of_either(tally, lossy, whole, p0);
}

static struct weir_tally sum_of(struct weir_tally a, struct weir_tally b)
{
    return (struct weir_tally){.fail = a.fail + b.fail, .total = a.total + b.total};
}

/* An outage may spoil the other layers as well, or leave them alone. */
static double maybe(double gain)
{
    return fmax(0, gain - log(2));
}

/* Clients' stories: each client that they are better with is in bad WiFi. `ret_beside`: what their controls alone gain, which every
 * story may have beside it. */
static double tell_clients(const struct weir_detector *detector, struct weir_contest *contest, unsigned *ret_n, double *ret_beside)
{
    double p0 = detector->config.p0, prior = log(detector->config.prior_client), all = 0, top = 0;
    *ret_n = 0;
    *ret_beside = 0;
    for (size_t i = 0; i < detector->by_client.n; i++) {
        const struct weir_tally_entry *entry = detector->by_client.order[i];
        if (entry->own.fail + entry->other.fail + entry->lookups.fail == 0)
            continue;
        struct weir_tally elsewhere = sum_of(entry->other, entry->lookups);
        double beside = elsewhere.fail ? fmax(0, gain_of_client(elsewhere, p0) + prior) : 0;
        double with = gain_of_client(sum_of(sum_of(entry->own, entry->peer), elsewhere), p0) + prior;
        *ret_beside += beside;
        all += fmax(beside, with);
        if (entry->own.fail == 0 || with <= beside)
            continue;
        *ret_n += 1;
        if (with - beside > top) {
            top = with - beside;
            contest->client = entry;
        }
    }
    return all;
}

static double gain_of_path(struct weir_tally own, struct weir_tally peer, double p0)
{
    return own.fail ? gain(own, of_path, p0) + maybe(gain(peer, of_path, p0)) : -HUGE_VAL;
}

/* The best of the prefixes; or the system of the worst, where several of its prefixes fail while the service is useful outside. */
static double tell_paths(const struct weir_detector *detector, struct weir_contest *contest)
{
    double p0 = detector->config.p0, best = -HUGE_VAL;
    for (size_t i = 0; i < detector->by_prefix.n; i++) {
        const struct weir_tally_entry *entry = detector->by_prefix.order[i];
        double score = gain_of_path(entry->own, entry->peer, p0);
        if (score > best) {
            best = score;
            contest->path = entry;
        }
    }
    const struct weir_tally_entry *top = weir_tally_top(&detector->by_prefix, &(struct weir_tally){0});
    contest->system = weir_system_of(detector, top ? top->as : 0);
    const struct weir_system *system = &contest->system;
    if (system->failing < 2 || system->rest.fail == system->rest.total)
        return best;
    double score = gain_of_path(system->own, system->peer, p0);
    contest->by_system = score > best;
    return fmax(score, best);
}

struct weir_contest weir_contest(const struct weir_detector *detector, bool paths)
{
    const struct weir_detect_config *config = &detector->config;
    struct weir_contest contest = {0};
    struct weir_tally own = {0}, peer = {0}, other = {0};
    double beside;
    unsigned n_clients;
    for (size_t i = 0; i < detector->by_client.n; i++) {
        own = sum_of(own, detector->by_client.order[i]->own);
        peer = sum_of(peer, detector->by_client.order[i]->peer);
        other = sum_of(other, detector->by_client.order[i]->other);
    }
    double clients = tell_clients(detector, &contest, &n_clients, &beside);
    double best_path = paths ? tell_paths(detector, &contest) : -HUGE_VAL;
    double peers = maybe(gain_of_service(peer, config->p0));
    contest.score[WEIR_STORY_CHANCE] = beside;
    contest.score[WEIR_STORY_SERVICE] = gain_of_service(own, config->p0) + log(config->prior_service) + peers + beside;
    contest.score[WEIR_STORY_PATH] = best_path + log(config->prior_path) + beside;
    const struct weir_tally_entry *top = weir_tally_top(&detector->by_client, &(struct weir_tally){0});
    contest.here = top;
    contest.score[WEIR_STORY_HERE] =
        top ? gain_of_service(top->own, config->p0) + log(config->prior_service) - 1 + beside : -HUGE_VAL;
    contest.score[WEIR_STORY_CLIENT] = n_clients == 1 ? clients : -HUGE_VAL;
    contest.score[WEIR_STORY_CLIENTS] = n_clients > 1 ? clients : -HUGE_VAL;
    contest.score[WEIR_STORY_UPLINK] = gain(sum_of(sum_of(own, peer), other), of_uplink, config->p0) + log(config->prior_uplink);
    return contest;
}

double weir_contest_lead(const struct weir_contest *contest, enum weir_story story, unsigned against)
{
    double best = contest->score[WEIR_STORY_CHANCE];
    for (int i = 0; i < WEIR_STORY_N; i++)
        if (i != (int)story && (against >> i & 1))
            best = fmax(best, contest->score[i]);
    return contest->score[story] - best;
}

double weir_lead(const struct weir_detector *detector)
{
    return detector->config.lead + fmax(0, log(detector->n_known / (double)detector->config.medium_clients));
}
