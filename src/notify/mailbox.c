/* Events of one incident are told in order, and one after the other; another incident's need not
 * wait for one that is held back.
 *
 *      at                 settled behind it
 *      v                  v        v
 *      1  2  3  4  [5 held]  6  7  [8 held]  9        later events of 5's incident are held with it
 *
 * What is held is decided anew each time: an incident that must last a while first (after=), or
 * that falls into quiet hours. If it is over before it was told, nobody hears of it at all.
 *
 * One message for one cause: an incident that begins while another stands of which the target was
 * told, with the same cause and the same failing system or prefix, is that same fault seen from
 * another service.
 */
#include <stdlib.h>
#include <string.h>

#include <weir/incident.h>

#include "notify/mailbox.h"

enum { HELD_MAX = 256 };

/* ---- what was told ---- */

static struct weir_told *find_told(const struct weir_mailbox *box, const char *id) {
    for (size_t i = 0; i < box->n_told; i++)
        if (strcmp(box->told[i].id, id) == 0) return (struct weir_told *)&box->told[i];
    return NULL;
}

const char *weir_mailbox_service(const struct weir_mailbox *box,
                                 const struct weir_event_record *event) {
    const struct weir_told *told = find_told(box, event->id);
    return told ? told->service : event->service;
}

static void note_told(struct weir_mailbox *box, const struct weir_event_record *event) {
    struct weir_told *told = find_told(box, event->id);
    bool over = strcmp(event->event, "cleared") == 0;
    if (over && told)
        memmove(told, told + 1, (size_t)(&box->told[--box->n_told] - told) * sizeof *told);
    if (over) return;
    if (!told) {
        if (box->n_told == WEIR_TOLD_MAX) /* the oldest: its end is told as an event of its own */
            memmove(box->told, box->told + 1, --box->n_told * sizeof *box->told);
        told = &box->told[box->n_told++];
        *told = (struct weir_told){0};
        strcpy(told->id, event->id);
        strcpy(told->service, event->service);
    }
    strcpy(told->state, event->state);
    strcpy(told->cause, event->cause);
    strcpy(told->place, event->place);
}

static bool joins(const struct weir_mailbox *box, const struct weir_event_record *event) {
    for (size_t i = 0; i < box->n_told && !box->target.each && event->place[0]; i++)
        if (strcmp(box->told[i].cause, event->cause) == 0 &&
            strcmp(box->told[i].place, event->place) == 0)
            return true;
    return false;
}

/* ---- what is settled ---- */

bool weir_mailbox_is_settled(const struct weir_mailbox *box,
                             const struct weir_event_record *event) {
    if (weir_position_compare(event->position, box->at) <= 0) return true;
    for (size_t i = 0; i < box->n_settled; i++)
        if (strcmp(box->settled[i], event->position) == 0) return true;
    return false;
}

static void settle(struct weir_mailbox *box, struct weir_event_record *const *events, size_t n,
                   const struct weir_event_record *event) {
    if (box->n_settled < WEIR_SETTLED_MAX) strcpy(box->settled[box->n_settled++], event->position);
    for (size_t i = 0; i < n && weir_mailbox_is_settled(box, events[i]); i++)
        if (weir_position_compare(events[i]->position, box->at) > 0)
            strcpy(box->at, events[i]->position);
    size_t kept = 0;
    for (size_t i = 0; i < box->n_settled; i++)
        if (weir_position_compare(box->settled[i], box->at) > 0)
            memmove(box->settled[kept++], box->settled[i], sizeof box->settled[0]);
    box->n_settled = kept;
}

void weir_mailbox_settle(struct weir_mailbox *box, struct weir_event_record *const *events,
                         size_t n, const struct weir_event_record *event, bool taken) {
    if (taken) note_told(box, event);
    *(taken ? &box->delivered : &box->aside) += 1;
    settle(box, events, n, event);
}

/* ---- choosing ---- */

/* The end of the incident, if it came already. */
static const struct weir_event_record *end_of(struct weir_event_record *const *events, size_t n,
                                              const char *id) {
    const struct weir_event_record *end = NULL;
    for (size_t i = 0; i < n; i++)
        if (strcmp(events[i]->id, id) == 0)
            end = strcmp(events[i]->event, "cleared") == 0 ? events[i] : NULL;
    return end;
}

static enum weir_verdict judge(const struct weir_mailbox *box,
                               struct weir_event_record *const *events, size_t n,
                               const struct weir_event_record *event, int64_t now_us,
                               bool silenced) {
    const struct weir_told *told = find_told(box, event->id);
    bool over = strcmp(event->event, "cleared") == 0;
    if (event->maintenance || (silenced && !(told && over))) return WEIR_VERDICT_PASS;
    if (told) {
        bool same = strcmp(told->state, event->state) == 0 &&
                    strcmp(told->cause, event->cause) == 0 && !event->raised_like;
        if (!over && same && box->target.changes) return WEIR_VERDICT_PASS;
        return weir_target_is_quiet(&box->target, now_us) ? WEIR_VERDICT_HOLD : WEIR_VERDICT_TELL;
    }
    if (over || !weir_target_wants_service(&box->target, event->service) ||
        event->severity < box->target.least || joins(box, event))
        return WEIR_VERDICT_PASS;
    const struct weir_event_record *end = end_of(events, n, event->id);
    bool waits = box->target.after_us && now_us - event->onset_us < box->target.after_us;
    bool held_before = box->target.after_us || box->target.quiet_from != box->target.quiet_until;
    if (end && box->target.after_us && end->ts_us - event->onset_us < box->target.after_us)
        return WEIR_VERDICT_PASS; /* it did not last */
    if (end && held_before && weir_target_is_quiet(&box->target, event->ts_us))
        return WEIR_VERDICT_PASS; /* over in the night */
    return waits || weir_target_is_quiet(&box->target, now_us) ? WEIR_VERDICT_HOLD
                                                               : WEIR_VERDICT_TELL;
}

static bool contains(const char *const *ids, size_t n, const char *id) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(ids[i], id) == 0) return true;
    return false;
}

struct weir_event_record *weir_mailbox_next(struct weir_mailbox *box,
                                            struct weir_event_record *const *events, size_t n,
                                            int64_t now_us,
                                            bool (*acknowledged)(void *context, const char *id),
                                            void *context, bool *ret_changed) {
    const char *held[HELD_MAX];
    size_t n_held = 0;
    for (size_t i = 0; i < n && box->n_settled < WEIR_SETTLED_MAX; i++) {
        struct weir_event_record *event = events[i];
        if (weir_mailbox_is_settled(box, event) || contains(held, n_held, event->id)) continue;
        enum weir_verdict verdict =
            judge(box, events, n, event, now_us, acknowledged && acknowledged(context, event->id));
        if (verdict == WEIR_VERDICT_TELL) return event;
        if (verdict == WEIR_VERDICT_PASS) {
            settle(box, events, n, event);
            *ret_changed = true;
        } else if (n_held < HELD_MAX) {
            held[n_held++] = event->id;
        } else {
            return NULL;
        }
    }
    return NULL;
}

/* ---- the cursor ---- */

static void put(struct json_object *object, const char *name, const char *text) {
    json_object_object_add(object, name, json_object_new_string(text));
}

struct json_object *weir_mailbox_save(const struct weir_mailbox *box) {
    struct json_object *object = json_object_new_object(), *settled = json_object_new_array(),
                       *told = json_object_new_array();
    put(object, "to", box->target.shown);
    put(object, "at", box->at);
    for (size_t i = 0; i < box->n_settled; i++)
        json_object_array_add(settled, json_object_new_string(box->settled[i]));
    for (size_t i = 0; i < box->n_told; i++) {
        struct json_object *one = json_object_new_object();
        put(one, "id", box->told[i].id);
        put(one, "service", box->told[i].service);
        put(one, "state", box->told[i].state);
        put(one, "cause", box->told[i].cause);
        put(one, "place", box->told[i].place);
        json_object_array_add(told, one);
    }
    json_object_object_add(object, "settled", settled);
    json_object_object_add(object, "told", told);
    json_object_object_add(object, "delivered", json_object_new_int64((int64_t)box->delivered));
    json_object_object_add(object, "set_aside", json_object_new_int64((int64_t)box->aside));
    return object;
}

static void get(struct json_object *object, const char *name, char *into, size_t size) {
    struct json_object *value;
    const char *text = json_object_object_get_ex(object, name, &value) && value
                           ? json_object_get_string(value)
                           : "";
    size_t length = strlen(text) < size - 1 ? strlen(text) : size - 1;
    memcpy(into, text, length);
    into[length] = '\0';
}

static size_t list_of(struct json_object *object, const char *name, struct json_object **ret_list) {
    bool there = json_object_object_get_ex(object, name, ret_list) &&
                 json_object_is_type(*ret_list, json_type_array);
    return there ? json_object_array_length(*ret_list) : 0;
}

static uint64_t count_of(struct json_object *object, const char *name) {
    struct json_object *value;
    return json_object_object_get_ex(object, name, &value) ? (uint64_t)json_object_get_int64(value)
                                                           : 0;
}

void weir_mailbox_load(struct weir_mailbox *box, struct json_object *from) {
    struct json_object *list;
    size_t n = list_of(from, "settled", &list);
    get(from, "at", box->at, sizeof box->at);
    for (size_t i = 0; i < n && box->n_settled < WEIR_SETTLED_MAX; i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(list, i));
        if (text && strlen(text) < sizeof box->settled[0])
            strcpy(box->settled[box->n_settled++], text);
    }
    n = list_of(from, "told", &list);
    for (size_t i = 0; i < n && box->n_told < WEIR_TOLD_MAX; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        struct weir_told *told = &box->told[box->n_told++];
        get(one, "id", told->id, sizeof told->id);
        get(one, "service", told->service, sizeof told->service);
        get(one, "state", told->state, sizeof told->state);
        get(one, "cause", told->cause, sizeof told->cause);
        get(one, "place", told->place, sizeof told->place);
    }
    box->delivered = count_of(from, "delivered");
    box->aside = count_of(from, "set_aside");
}
