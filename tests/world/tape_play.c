/* Plays tapes to the detector of this build, and prints its incidents as `weir replay --json` does.
 *
 *     tape-play SIGNATURES [--set NAME=VALUE]... [--trials] TAPE...
 *
 * Each tape is followed by a line {"tape": its path}. --set changes a row of the detector's
 * options.
 * --trials shows what was handed in as well, a line a trial of a closed slot, behind a '#'.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <weir/detect.h>
#include <weir/sink.h>

#include "tape.h"

struct player {
    gzFile tape;
    const char *path;
    struct weir_service_set *set;
    struct weir_json *json;
    struct weir_detect_config config;
    struct weir_detector *detector;
    const char *names[WEIR_SERVICES_MAX];
    bool show;
};

static void refuse(const struct player *player, const char *why) {
    fprintf(stderr, "tape-play: %s: %s\n", player->path, why);
    exit(1);
}

static void get(struct player *player, void *bytes, size_t n) {
    if (n && gzread(player->tape, bytes, (unsigned)n) != (int)n)
        refuse(player, "it ends in the middle of a call: record it again");
}

/* `n` things of `size` bytes; the caller frees them. */
static void *get_all(struct player *player, size_t n, size_t size) {
    void *bytes = malloc(n * size + 1);
    if (!bytes) refuse(player, "no memory");
    get(player, bytes, n * size);
    return bytes;
}

static void on_incident(void *context, const struct weir_incident *incident) {
    struct player *player = context;
    struct weir_record record = {
        .type = WEIR_RECORD_INCIDENT, .ts_us = incident->ts_us, .incident = incident};
    size_t length;
    puts(weir_json_record(player->json, &record, &length));
}

/* ---- what was handed in, for eyes ---- */

static void show_trial(const struct player *player, const struct weir_trial *trial) {
    char client[WEIR_ADDR_TEXT_MAX], place[WEIR_ADDR_TEXT_MAX];
    weir_addr_text(&trial->client, client);
    weir_addr_text(&trial->prefix, place);
    printf("# %.1f %s at %s: %s %s %s%s%s role %u, first %.1f, %u failed (%u overdue), %u useful, "
           "%.1f nats\n",
           (double)(trial->fail ? trial->fail_us : trial->ok_us) / 1e6, client, place,
           player->names[trial->service], weir_layer_name((enum weir_layer)trial->layer),
           weir_outcome_name((enum weir_outcome)trial->kind), trial->ok ? " ok" : "",
           trial->fail ? " FAIL" : "", trial->role, (double)trial->first_us / 1e6,
           trial->attempts_fail, trial->attempts_overdue, trial->attempts_ok,
           (double)trial->wait_nats);
}

static void show_link(const struct weir_detect_window *window,
                      const struct weir_client_link *link) {
    char client[WEIR_ADDR_TEXT_MAX];
    weir_addr_text(&link->client, client);
    printf("# %.1f link of %s: %u down, %u lost beyond, %u before, %u up, %u lost\n",
           (double)window->start_us / 1e6, client, link->segments_down, link->lost_beyond,
           link->lost_before, link->segments_up, link->lost_up);
}

static void show_losses(const struct player *player, const struct weir_detect_window *window,
                        const struct weir_detect_service_window *service) {
    printf("# %.1f %s: %u segments, %.1f %% lost before, %.1f %% beyond\n",
           (double)window->start_us / 1e6, player->names[service->service], service->segments_down,
           100 * service->loss_before, 100 * service->loss_beyond);
}

/* ---- calls ---- */

static void play_slot(struct player *player) {
    char closed;
    uint32_t n;
    struct weir_slot slot = {0};
    get(player, &closed, 1);
    get(player, &slot.start_us, sizeof slot.start_us);
    get(player, &n, sizeof n);
    struct weir_trial *trials = get_all(player, n, sizeof *trials);
    slot.trials = trials;
    slot.n_trials = n;
    for (uint32_t i = 0; player->show && closed && i < n; i++) show_trial(player, &trials[i]);
    weir_detector_slot(player->detector, &slot, closed);
    free(trials);
}

static void play_window(struct player *player) {
    struct weir_detect_window window;
    get(player, &window, sizeof window);
    struct weir_detect_service_window *services =
        get_all(player, window.n_services, sizeof *services);
    struct weir_client_link *links = get_all(player, window.n_links, sizeof *links);
    window.services = services;
    window.links = links;
    for (size_t i = 0; player->show && i < window.n_links; i++)
        if (links[i].lost_beyond * 50 > links[i].segments_down) show_link(&window, &links[i]);
    for (size_t i = 0; player->show && i < window.n_services; i++)
        if (services[i].loss_before > 0.005) show_losses(player, &window, &services[i]);
    weir_detector_window(player->detector, &window);
    free(services);
    free(links);
}

static void play_traffic(struct player *player) {
    int64_t now_us;
    char heard;
    uint64_t asking[WEIR_SERVICES_MAX / 64];
    get(player, &now_us, sizeof now_us);
    get(player, &heard, 1);
    get(player, asking, sizeof asking);
    weir_detector_traffic(player->detector, now_us, heard, asking);
}

static int64_t get_time(struct player *player) {
    int64_t us;
    get(player, &us, sizeof us);
    return us;
}

static void play_call(struct player *player, char call) {
    struct weir_connection_end end;
    struct weir_demand demand;
    struct weir_detect_sight sight;
    switch (call) {
    case TAPE_SLOT: play_slot(player); break;
    case TAPE_WINDOW: play_window(player); break;
    case TAPE_TRAFFIC: play_traffic(player); break;
    case TAPE_END:
        get(player, &end, sizeof end);
        weir_detector_connection_end(player->detector, &end);
        break;
    case TAPE_DEMAND:
        get(player, &demand, sizeof demand);
        weir_detector_demand(player->detector, &demand);
        break;
    case TAPE_SIGHT:
        get(player, &sight, sizeof sight);
        weir_detector_sight(player->detector, &sight);
        break;
    case TAPE_FREEZE: weir_detector_freeze(player->detector, get_time(player)); break;
    case TAPE_STEP: weir_detector_step(player->detector, get_time(player)); break;
    case TAPE_FINISH: weir_detector_finish(player->detector, get_time(player)); break;
    default: refuse(player, "no call has this name: record it again");
    }
}

static void play_head(struct player *player) {
    struct tape_head head, ours = tape_head(weir_service_set_count(player->set));
    get(player, &head, sizeof head);
    if (memcmp(&head, &ours, sizeof head) != 0)
        refuse(player, "recorded by another build, or with other signatures: record it again");
    for (size_t id = 0; id < head.n_services; id++) {
        char name[TAPE_NAME_MAX];
        get(player, name, sizeof name);
        player->names[id] = weir_service_get(player->set, (weir_service_id)id)->id;
        if (strncmp(name, player->names[id], sizeof name - 1) != 0)
            refuse(player, "recorded with other signatures: record it again");
    }
    if (weir_detector_new(&player->detector, &player->config, player->names, head.n_services,
                          on_incident, player) < 0)
        refuse(player, "no detector with these constants");
}

static void play(struct player *player, const char *path) {
    char call = 0;
    player->path = path;
    player->tape = gzopen(path, "rb");
    if (!player->tape) refuse(player, "can't be opened");
    gzbuffer(player->tape, 1 << 17);
    play_head(player);
    while (call != TAPE_FINISH) {
        get(player, &call, 1);
        play_call(player, call);
    }
    weir_detector_free(player->detector);
    gzclose(player->tape);
    printf("{\"tape\": \"%s\"}\n", path);
}

static bool set_constant(struct weir_detect_config *config, char *text) {
    char *value = text ? strchr(text, '=') : NULL;
    if (!value) return false;
    *value = '\0';
    return weir_detect_config_set(config, text, strtod(value + 1, NULL)) == 0;
}

int main(int argc, char **argv) {
    struct player player = {0};
    struct weir_publish_context context = {.site = "tape", .clients = WEIR_CLIENTS_PLAIN};
    struct weir_fault fault = {0};
    if (argc < 3) {
        fputs("usage: tape-play SIGNATURES [--set NAME=VALUE]... [--trials] TAPE...\n", stderr);
        return 2;
    }
    if (weir_service_set_load(&player.set, argv[1], &fault) < 0) {
        fprintf(stderr, "tape-play: %s\n", fault.text);
        return 1;
    }
    context.set = player.set;
    player.json = weir_json_new(&context);
    weir_detect_config_default(&player.config);
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--trials") == 0)
            player.show = true;
        else if (strcmp(argv[i], "--set") == 0) {
            if (!set_constant(&player.config, argv[++i])) {
                fputs("tape-play: --set takes NAME=VALUE of a row of src/detect/options.c\n",
                      stderr);
                return 2;
            }
        } else
            play(&player, argv[i]);
    weir_json_free(player.json);
    weir_service_set_unref(player.set);
    return 0;
}
