/* The detector's memory as bytes, for a restart: guards, baselines, tracks, clients, open incidents
 * and the latest trials.
 *
 * One walk over the parts serves both ways, so that writer and reader cannot part. Structs are
 * copied as they are: the bytes are for the same build on the same machine, and `layout` says
 * whether they are. Services are told by name, for a change of signatures moves ids; what belonged
 * to one that is gone is dropped. The open slot isn't saved: it is ten seconds of evidence.
 *
 * Whoever reads checks a sum over the bytes first. What a wrong byte could break all the same (an
 * index, an enum, a number that isn't one) is put right on the way in.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "detect/state.h"

enum { SAVED_ITEMS = 8192 };

struct archive {
    uint8_t *bytes;
    size_t at, size; /* size: of what is read, or what there is room for */
    bool reading;
    int error;
    const weir_service_id *ids; /* reading: from the ids of the file to ours, NONE: gone */
    size_t n_ids;
};

static void walk(struct archive *archive, void *what, size_t n) {
    if (archive->error) return;
    if (archive->reading && n > archive->size - archive->at) {
        archive->error = -EBADMSG;
        return;
    }
    if (!archive->reading && n > archive->size - archive->at) {
        size_t size = archive->size * 2 + n;
        uint8_t *bytes = realloc(archive->bytes, size);
        if (!bytes) {
            archive->error = -ENOMEM;
            return;
        }
        archive->bytes = bytes;
        archive->size = size;
    }
    if (archive->reading)
        memcpy(what, archive->bytes + archive->at, n);
    else
        memcpy(archive->bytes + archive->at, what, n);
    archive->at += n;
}
#define WALK(archive, object) walk(archive, &(object), sizeof(object))

/* ---- what was read may be wrong ---- */

static void truth(bool *value) {
    uint8_t byte;
    memcpy(&byte, value, 1);
    *value = byte != 0;
}

static weir_service_id id_of(const struct archive *archive, unsigned id) {
    return id < archive->n_ids ? archive->ids[id] : WEIR_SERVICE_NONE;
}

static void mend_cusum(struct weir_cusum *cusum) {
    if (!(cusum->s >= 0 && cusum->s <= 1000)) *cusum = (struct weir_cusum){0};
}

static void mend_mixture(struct weir_mixture *mixture) {
    bool sane = isfinite(mixture->s) && mixture->s >= 0;
    for (int i = 0; i < WEIR_ARMS; i++)
        sane = sane && isfinite(mixture->arm[i].r) && mixture->arm[i].r >= 0 &&
               mixture->arm[i].s >= 0 && mixture->arm[i].s <= 1000;
    if (!sane) *mixture = (struct weir_mixture){.s = 0};
}

static void mend_track(struct weir_track *track) {
    struct weir_track_state *state = &track->committed;
    mend_mixture(&state->hard);
    mend_mixture(&state->slow);
    if (!(state->n_ok >= 0 && state->n_fail >= 0 && state->n_ok + state->n_fail < 1e6f))
        state->n_ok = state->n_fail = 0;
    state->fail_client = 0; /* a hash under the key of another process */
    truth(&state->hard_alarm);
    truth(&state->slow_alarm);
    if (!isfinite(state->hard_sprt.llr) || !isfinite(state->slow_sprt.llr))
        state->hard_sprt.llr = state->slow_sprt.llr = 0;
    track->open = track->committed;
    track->generation = 0;
}

static void mend_case(const struct archive *archive, struct weir_case *incident) {
    struct weir_incident *record = &incident->record;
    truth(&incident->exists);
    truth(&incident->open);
    record->id[sizeof record->id - 1] = record->text[sizeof record->text - 1] = '\0';
    bool owned = record->service != WEIR_SERVICE_NONE;
    record->service = id_of(archive, record->service);
    bool sane = record->event < WEIR_INCIDENT_EVENT_N && record->state <= WEIR_STATE_RECOVERING &&
                record->cause < WEIR_CAUSE_N && record->watch < WEIR_WATCH_N &&
                record->confidence <= WEIR_CONFIDENCE_HIGH && record->layer < WEIR_LAYER_N &&
                record->controls.n <= WEIR_INCIDENT_LIST_MAX &&
                record->n_regions <= WEIR_INCIDENT_REGIONS_MAX &&
                (!owned || record->service >= WEIR_SERVICE_OTHER);
    for (unsigned i = 0; sane && i < record->n_regions; i++)
        record->regions[i].name[sizeof record->regions[i].name - 1] = '\0';
    record->as.name[sizeof record->as.name - 1] = '\0';
    for (unsigned i = 0; i < WEIR_INCIDENT_LIST_MAX; i++)
        record->prefix_as[i].name[sizeof record->prefix_as[i].name - 1] = '\0';
    if (!sane) *incident = (struct weir_case){0};
    for (unsigned i = 0; i < incident->record.controls.n; i++) {
        weir_service_id *service = &incident->record.controls.by_service[i].service;
        *service = id_of(archive, *service) ? id_of(archive, *service) : WEIR_SERVICE_OTHER;
    }
}

static void walk_track(struct archive *archive, struct weir_track *track) {
    WALK(archive, *track);
    if (archive->reading) mend_track(track);
}

static void walk_case(struct archive *archive, struct weir_case *incident) {
    WALK(archive, *incident);
    if (archive->reading && !archive->error)
        mend_case(archive, incident);
    else if (archive->reading)
        *incident = (struct weir_case){0};
}

/* ---- services ---- */

static void walk_continuous(struct archive *archive, struct weir_continuous_state *state) {
    for (int i = 0; i < WEIR_CONTINUOUS_N; i++) {
        uint8_t there = state->signals[i] != NULL;
        WALK(archive, there);
        if (archive->error || !there) continue;
        if (archive->reading && !state->signals[i])
            state->signals[i] = calloc(1, sizeof *state->signals[i]);
        if (!state->signals[i]) {
            archive->error = -ENOMEM;
            continue;
        }
        WALK(archive, *state->signals[i]);
        if (archive->reading &&
            !(state->signals[i]->s >= 0 && isfinite(state->signals[i]->median_all) &&
              isfinite(state->signals[i]->scale)))
            memset(state->signals[i], 0, sizeof *state->signals[i]);
    }
}

/* What watches remember of the site, or of one service: `memory` by row. */
static void walk_memory(struct archive *archive, void *memory[WEIR_WATCH_N]) {
    for (int i = 0; i < WEIR_WATCH_N; i++) {
        const struct weir_watch *watch = weir_watches[i];
        if (!watch->memory || !watch->mend) continue;
        uint8_t there = memory[i] != NULL;
        WALK(archive, there);
        if (archive->error || !there) continue;
        if (archive->reading && !memory[i]) memory[i] = calloc(1, watch->memory);
        if (!memory[i]) {
            archive->error = -ENOMEM;
            return;
        }
        walk(archive, memory[i], watch->memory);
        if (archive->reading) watch->mend(memory[i]);
    }
}

static void walk_service(struct archive *archive, struct weir_service_state *service) {
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) walk_track(archive, &service->layer[layer]);
    walk_track(archive, &service->quic_blocked);
    WALK(archive, service->ends);
    if (archive->reading) {
        mend_cusum(&service->ends.cusum);
        truth(&service->ends.alarm);
    }
    walk_continuous(archive, &service->continuous);
    walk_memory(archive, service->memory);
    WALK(archive, service->last_us);
    WALK(archive, service->ok_run);
    walk_case(archive, &service->incident);
}

static void free_learned(struct weir_service_state *service) {
    for (int i = 0; i < WEIR_CONTINUOUS_N; i++) {
        free(service->continuous.signals[i]);
        service->continuous.signals[i] = NULL;
    }
    for (int i = 0; i < WEIR_WATCH_N; i++) {
        free(service->memory[i]);
        service->memory[i] = NULL;
    }
}

static void write_services(struct archive *archive, struct weir_detector *detector) {
    uint32_t n = (uint32_t)detector->n_services;
    WALK(archive, n);
    for (uint32_t i = 0; i < n; i++) WALK(archive, detector->services[i].name);
    for (uint32_t i = 0; i < n; i++) walk_service(archive, &detector->services[i]);
}

static void read_services(struct archive *archive, struct weir_detector *detector,
                          weir_service_id ids[WEIR_SERVICES_MAX]) {
    uint32_t n = 0;
    char name[sizeof detector->services[0].name];
    WALK(archive, n);
    if (n > WEIR_SERVICES_MAX) archive->error = -EBADMSG;
    for (uint32_t i = 0; i < n && !archive->error; i++) {
        WALK(archive, name);
        name[sizeof name - 1] = '\0';
        for (size_t id = 0; id < detector->n_services; id++)
            if (strcmp(detector->services[id].name, name) == 0) ids[i] = (weir_service_id)id;
    }
    archive->n_ids = n;
    for (uint32_t i = 0; i < n && !archive->error; i++) {
        struct weir_service_state gone = {0};
        bool ours = i == 0 || ids[i] != WEIR_SERVICE_NONE;
        walk_service(archive, ours ? &detector->services[ids[i]] : &gone);
        free_learned(&gone);
    }
}

/* ---- tables ---- */

enum table { CLIENTS, ACTIVE, DESTINATIONS, PREFIXES, RESOLVERS, N_TABLES };

/* Entries name services: false when the one that it is about is gone. */
static bool mend_entry(const struct archive *archive, enum table table, void *entry) {
    if (table == CLIENTS)
        for (int i = 0; i < WEIR_NOTES; i++) {
            struct weir_note *note = &((struct weir_client *)entry)->notes[i];
            truth(&note->ok);
            note->service = (uint8_t)id_of(archive, note->service);
            note->at_us = note->service ? note->at_us : 0;
        }
    if (table == DESTINATIONS) {
        uint64_t *bits = ((struct weir_destination *)entry)->services,
                 ours[WEIR_SERVICES_MAX / 64] = {0};
        for (unsigned i = 0; i < WEIR_SERVICES_MAX; i++) {
            weir_service_id id =
                bits[i / 64] >> (i % 64) & 1 ? id_of(archive, i) : WEIR_SERVICE_NONE;
            ours[id / 64] |= id ? UINT64_C(1) << (id % 64) : 0;
        }
        memcpy(bits, ours, sizeof ours);
    }
    if (table == RESOLVERS) mend_track(&((struct weir_resolver *)entry)->track);
    if (table != PREFIXES) return true;
    struct weir_prefix *prefix = entry;
    mend_track(&prefix->track);
    prefix->head.service = (uint8_t)id_of(archive, prefix->head.service);
    return prefix->head.service != WEIR_SERVICE_NONE && prefix->head.layer < WEIR_LAYER_N;
}

static void walk_table(struct archive *archive, enum table table, struct weir_assoc *keyed) {
    union {
        struct weir_keyed_head head;
        struct weir_client client;
        struct weir_destination destination;
        struct weir_prefix prefix;
        struct weir_resolver resolver;
    } one;
    uint32_t n = 0;
    size_t cursor = 0;
    while (!archive->reading && weir_assoc_next(keyed, &cursor)) n++;
    WALK(archive, n);
    cursor = 0;
    for (uint32_t i = 0; i < n && !archive->error; i++) {
        if (!archive->reading) {
            walk(archive, weir_assoc_next(keyed, &cursor), keyed->entry_size);
            continue;
        }
        walk(archive, &one, keyed->entry_size);
        if (archive->error || !mend_entry(archive, table, &one)) continue;
        one.head.used = 1;
        memcpy(weir_keyed_get(keyed, &one.head.addr, one.head.service, one.head.layer,
                              one.head.last_us),
               &one, keyed->entry_size);
    }
}

static void walk_history(struct archive *archive, struct weir_detector *detector) {
    struct weir_history *history = &detector->history;
    uint64_t held = history->n_closed < history->size ? history->n_closed : history->size;
    uint32_t n = (uint32_t)(held < SAVED_ITEMS ? held : SAVED_ITEMS);
    WALK(archive, n);
    uint64_t first = history->n_closed - (archive->reading ? 0 : n);
    for (uint32_t i = 0; i < n && !archive->error; i++) {
        struct weir_item item = {.service = 0};
        if (!archive->reading) item = weir_history_item(history, first + i);
        WALK(archive, item);
        if (!archive->reading || archive->error) continue;
        item.service = (uint8_t)id_of(archive, item.service);
        if (item.service && item.kind < WEIR_OUTCOME_N)
            weir_history_add(history, &item, NULL, true);
    }
}

/* ---- the whole ---- */

/* Why nothing was seen: its sentence needs it. */
static void mend_blind(struct weir_blind *blind) {
    blind->sight.where[sizeof blind->sight.where - 1] = '\0';
    bool sane = (unsigned)blind->sight.blindness < WEIR_BLINDNESS_N &&
                isfinite(blind->sight.share) && isfinite(blind->drop_share) &&
                isfinite(blind->one_way_share) && weir_is_printable(blind->sight.where);
    if (!sane) *blind = (struct weir_blind){.back_us = 0};
}

static void walk_site(struct archive *archive, struct weir_detector *detector) {
    struct weir_assoc *tables[N_TABLES] = {&detector->clients, &detector->active,
                                           &detector->destinations, &detector->prefixes,
                                           &detector->resolvers};
    for (int i = 0; i < N_TABLES; i++) walk_table(archive, (enum table)i, tables[i]);
    walk_history(archive, detector);
    walk_memory(archive, detector->memory);
    walk_track(archive, &detector->uplink);
    walk_case(archive, &detector->uplink_case);
    walk_case(archive, &detector->capture_case);
    WALK(archive, detector->blind);
    if (archive->reading) mend_blind(&detector->blind);
    for (int i = 0; i < WEIR_CLIENT_CASES; i++) walk_case(archive, &detector->client_cases[i]);
    for (int i = 0; i < WEIR_RESOLVER_CASES; i++) walk_case(archive, &detector->resolver_cases[i]);
    WALK(archive, detector->now_us);
    WALK(archive, detector->first_us);
    WALK(archive, detector->uplink_ok_us);
    WALK(archive, detector->n_known);
    WALK(archive, detector->n_active);
    WALK(archive, detector->h_level);
    if (archive->reading && detector->h_level > 2) detector->h_level = 0;
}

uint32_t weir_detector_layout(void) {
    static const size_t sizes[] = {5 /* version of the walk */,
                                   sizeof(struct weir_track),
                                   sizeof(struct weir_ends),
                                   sizeof(struct weir_baseline),
                                   sizeof(struct weir_case),
                                   sizeof(struct weir_blind),
                                   sizeof(struct weir_client),
                                   sizeof(struct weir_destination),
                                   sizeof(struct weir_prefix),
                                   sizeof(struct weir_resolver),
                                   sizeof(struct weir_item),
                                   WEIR_LAYER_N,
                                   WEIR_OUTCOME_N,
                                   WEIR_CAUSE_N,
                                   WEIR_CONTINUOUS_N,
                                   WEIR_CLIENT_CASES,
                                   WEIR_RESOLVER_CASES};
    uint32_t layout = 2166136261;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        layout = (layout ^ (uint32_t)sizes[i]) * 16777619;
    for (int i = 0; i < WEIR_WATCH_N; i++)
        layout = (layout ^ (uint32_t)weir_watches[i]->memory) * 16777619;
    return layout;
}

int weir_detector_save(struct weir_detector *detector, uint8_t **ret_bytes, size_t *ret_n) {
    struct archive archive = {0};
    write_services(&archive, detector);
    walk_site(&archive, detector);
    if (archive.error) {
        free(archive.bytes);
        return archive.error;
    }
    *ret_bytes = archive.bytes;
    *ret_n = archive.at;
    return 0;
}

int weir_detector_restore(struct weir_detector *detector, const uint8_t *bytes, size_t n) {
    weir_service_id ids[WEIR_SERVICES_MAX] = {0};
    struct archive archive = {.bytes = (uint8_t *)bytes, .size = n, .reading = true, .ids = ids};
    read_services(&archive, detector, ids);
    walk_site(&archive, detector);
    return archive.error ? archive.error : archive.at == n ? 0 : -EBADMSG;
}
