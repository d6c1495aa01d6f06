/* What should be said of a world, as JSON.
 *
 * `want` has what the packets show beyond doubt, `allow` what may be said besides. Beyond doubt: at
 * least the row's number of failing trials (a client, ten seconds, nothing of the subject useful
 * meanwhile), or of such slots in which a viewer of the subject saw the picture stand still; over
 * 20 s and more; of a service that had answered six times before; and not outnumbered by what went
 * well. A cause is asked for only where the packets can tell it: a path only if the service was
 * useful elsewhere meanwhile, a shared CDN only if both services failed there, a service only if
 * something else worked. */
#include <string.h>

#include "world.h"

enum { BEFORE = 6, CONTROLS = 3 };

static const char *id_of(const struct world *world, int service) {
    return world->services[service].row->id;
}

static void put_words(FILE *out, const char *key, const char *words) {
    fprintf(out, "\"%s\": [", key);
    for (const char *word = words; word && *word;) {
        size_t length = strcspn(word, "|");
        fprintf(out, "%s\"%.*s\"", word == words ? "" : ", ", (int)length, word);
        word += length + (word[length] == '|');
    }
    fputs("]", out);
}

static bool told_by_site(const struct fault *fault) {
    enum fault_scope scope = fault->row->scope;
    return scope == ON_SITE || scope == ON_RESOLVER || scope == ON_CLIENT;
}

/* Only one service met it: nothing tells that it was the site's. */
static bool of_one_service(const struct fault *fault) {
    return fault->row->scope == ON_SITE && __builtin_popcountll(fault->services) < 2;
}

static void put_services(const struct world *world, const struct fault *fault, FILE *out) {
    fputs("\"services\": [", out);
    if (told_by_site(fault)) {
        fputs("null", out);
        for (unsigned i = 0; i < world->n_services && of_one_service(fault); i++)
            if (fault->services >> (i + 1) & 1) fprintf(out, ", \"%s\"", id_of(world, (int)i));
    } else if (fault->row->scope == ON_QUIC) {
        const char *comma = "";
        for (unsigned i = 0; i < world->n_services; i++)
            if (world->services[i].row->quic) {
                fprintf(out, "%s\"%s\"", comma, world->services[i].row->id);
                comma = ", ";
            }
    } else {
        fprintf(out, "\"%s\"", id_of(world, fault->service));
        if (fault->other_service >= 0) fprintf(out, ", \"%s\"", id_of(world, fault->other_service));
    }
    fputs("]", out);
}

static bool visible(const struct fault *fault) {
    const struct fault_row *row = fault->row;
    if (!row->states) return false;
    unsigned needed = row->trials_needed + (fault->part == CONTROL ? 2 : 0);
    unsigned clean =
        fault->n_trials -
        (fault->share >= 1 && !row->by_viewers && row->act != RESET_MID ? fault->n_mixed : 0);
    bool enough = clean >= needed && fault->last_seen_us - fault->first_seen_us >= 20 * SECOND;
    bool known = fault->n_before >= BEFORE || told_by_site(fault);
    bool drowned = !row->by_viewers && !row->flaps && fault->share >= 1 && row->scope != ON_SITE &&
                   row->scope != ON_QUIC && fault->n_well > 2 * fault->n_trials &&
                   row->act != RESET_MID;
    return enough && known && !drowned;
}

static const char *causes_of(const struct fault *fault, char *room, size_t size) {
    const struct fault_row *row = fault->row;
    snprintf(room, size, "%s", row->causes);
    size_t at = strlen(room);
    unsigned n_places = (unsigned)__builtin_popcountll(fault->places);
    if (row->scope == ON_SERVICE && n_places < 2 && fault->part != CONTROL &&
        !fault->n_well_elsewhere)
        at += (size_t)snprintf(room + at, size - at, "|cdn_path");
    if (row->scope == ON_PLACE && fault->n_well_elsewhere < 4)
        at += (size_t)snprintf(room + at, size - at, "|service");
    if (row->scope == ON_SHARED &&
        (fault->n_trials_other < 3 || fault->n_trials - fault->n_trials_other < 3))
        at += (size_t)snprintf(room + at, size - at, "|cdn_path|service");
    if (of_one_service(fault)) at += (size_t)snprintf(room + at, size - at, "|service|cdn_path");
    if ((row->scope == ON_SERVICE || row->scope == ON_API) && fault->n_controls < CONTROLS)
        at += (size_t)snprintf(room + at, size - at, "|uplink|client");
    return room;
}

static void put_expected(const struct world *world, const struct fault *fault, bool wanted,
                         FILE *out) {
    char causes[96];
    const char *states = fault->row->states;
    if (wanted && fault->part == CONTROL) states = "partial|degraded|down";
    fprintf(out, "{\"fault\": \"%s\", ", fault->row->name);
    put_services(world, fault, out);
    fputs(", ", out);
    put_words(out, "state", wanted ? states : "down|partial|degraded");
    fputs(", ", out);
    put_words(out, "cause", causes_of(fault, causes, sizeof causes));
    fprintf(out, ", \"w\": [%.3f, %.3f], \"seen\": %.3f}", (double)fault->from_us / SECOND,
            (double)fault->to_us / SECOND,
            (double)(fault->first_seen_us ? fault->first_seen_us : fault->from_us) / SECOND);
}

static void put_faults(const struct world *world, FILE *out) {
    fputs(" \"faults\": [", out);
    for (unsigned i = 0; i < world->n_faults; i++) {
        const struct fault *fault = &world->faults[i];
        fprintf(out, "%s\n  {\"name\": \"%s\", \"service\": ", i ? "," : "", fault->row->name);
        if (fault->service >= 0)
            fprintf(out, "\"%s\"", id_of(world, fault->service));
        else
            fputs("null", out);
        if (fault->client) fprintf(out, ", \"client\": %u", fault->client->index);
        fprintf(
            out,
            ", \"part\": %d, \"from\": %.3f, \"to\": %.3f, \"share\": %.2f, \"strength\": %.4g, \"trials\": %u,"
            " \"clients\": %u, \"mixed\": %u, \"well\": %u, \"elsewhere\": %u, \"controls\": %u, \"before\": %u, \"places\": %u}",
            fault->part, (double)fault->from_us / SECOND, (double)fault->to_us / SECOND,
            fault->share, fault->strength, fault->n_trials, fault->n_clients, fault->n_mixed,
            fault->n_well, fault->n_well_elsewhere, fault->n_controls, fault->n_before,
            (unsigned)__builtin_popcountll(fault->places));
    }
    fputs("],\n", out);
}

static void put_list(const struct world *world, bool wanted, FILE *out) {
    const char *comma = "";
    fprintf(out, " \"%s\": [", wanted ? "want" : "allow");
    for (unsigned i = 0; i < world->n_faults; i++) {
        const struct fault *fault = &world->faults[i];
        if (wanted ? !visible(fault) : !*fault->row->causes) continue;
        fprintf(out, "%s\n  ", comma);
        put_expected(world, fault, wanted, out);
        comma = ",";
    }
    for (unsigned i = 0; !wanted && i < world->n_clients; i++) {
        const struct client *client = &world->clients[i];
        for (unsigned j = 0; j < client->n_spells; j++)
            if (client->spells[j].loss >= 0.04 &&
                client->spells[j].to_us - client->spells[j].from_us >= 15 * SECOND) {
                fprintf(
                    out,
                    "%s\n  {\"fault\": \"spell\", \"services\": [null], \"state\": [\"degraded\", \"partial\", \"down\"],"
                    " \"cause\": [\"client\"], \"w\": [%.3f, %.3f]}",
                    comma, (double)client->spells[j].from_us / SECOND,
                    (double)client->spells[j].to_us / SECOND);
                comma = ",";
            }
        if (client->lossy_us[0]) {
            fprintf(
                out,
                "%s\n  {\"fault\": \"lossy link\", \"services\": [null], \"state\": [\"degraded\", \"partial\", \"down\"],"
                " \"cause\": [\"client\"], \"w\": [%.3f, %.3f]}",
                comma, (double)client->lossy_us[0] / SECOND, (double)client->lossy_us[1] / SECOND);
            comma = ",";
        }
        if (client->gone_us != NEVER) {
            fprintf(
                out,
                "%s\n  {\"fault\": \"gone\", \"services\": [null], \"state\": [\"degraded\", \"partial\", \"down\"],"
                " \"cause\": [\"client\"], \"w\": [%.3f, %.3f]}",
                comma, (double)client->gone_us / SECOND, (double)world->end_us / SECOND);
            comma = ",";
        }
    }
    fputs(wanted ? "],\n" : "],\n", out);
}

void truth_write(struct world *world, FILE *out) {
    unsigned stalls = 0, segments = 0, failures = 0;
    double stalled_s = 0;
    for (unsigned i = 0; i < world->n_players; i++) {
        const struct player *player = &world->players[i];
        stalls += player->n_stalls;
        segments += player->n_segments;
        failures += player->n_failures;
        stalled_s += (double)player->stalled_us / SECOND;
    }
    fprintf(
        out,
        "{\"seed\": %llu, \"site\": \"%s\", \"vantage\": \"%c\", \"clients\": %u, \"players\": %u, \"t0\": %.6f,"
        " \"end\": %.3f, \"packets\": %llu, \"bytes\": %llu,\n",
        (unsigned long long)world->seed, world->site->name, world->site->vantage, world->n_clients,
        world->n_players, (double)world->epoch_us / SECOND, (double)world->end_us / SECOND,
        (unsigned long long)world->n_packets, (unsigned long long)world->n_bytes);
    fprintf(out, " \"stalls\": %u, \"stalled_s\": %.1f, \"segments\": %u, \"failures\": %u,\n",
            stalls, stalled_s, segments, failures);
    fputs(" \"watching\": [", out);
    for (unsigned i = 0; i < world->n_players && i < 40; i++) {
        const struct player *player = &world->players[i];
        fprintf(out, "%s\n  [%u, \"%s\", \"%s\", %.1f, %u, %u, %.1f]", i ? "," : "",
                player->client->index, id_of(world, player->service), player->row->name,
                player->segment_s, player->n_segments, player->n_stalls,
                (double)player->stalled_us / SECOND);
    }
    fputs("],\n", out);
    viewers_write(world, out);
    put_faults(world, out);
    put_list(world, true, out);
    put_list(world, false, out);
    fprintf(out, " \"noise\": {\"dead_six\": %s, \"blocked\": %s%s%s, \"local_resolver\": %s}}\n",
            world->dead_six ? "true" : "false", world->blocked_service >= 0 ? "\"" : "",
            world->blocked_service >= 0 ? id_of(world, world->blocked_service) : "null",
            world->blocked_service >= 0 ? "\"" : "", world->resolver_local ? "true" : "false");
}
