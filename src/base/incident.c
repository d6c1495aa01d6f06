/* Names of what an incident says: as in the records. */
#include <assert.h>
#include <string.h>

#include <weir/incident.h>

static const struct {
    const char *name, *words;
    enum weir_whose whose;
} causes[WEIR_CAUSE_N] = {
#define X(enumerator, name, whose, words) \
    [WEIR_CAUSE_##enumerator] = {name, words, WEIR_WHOSE_##whose},
    WEIR_CAUSES(X)
#undef X
};

const char *weir_incident_event_name(enum weir_incident_event event) {
    static const char *const names[] = {"raised", "updated", "cleared", "reopened"};
    static_assert(sizeof names / sizeof *names == WEIR_INCIDENT_EVENT_N, "one name an event");
    return names[event];
}

const char *weir_state_name(enum weir_state state) {
    static const char *const names[] = {"unknown", "healthy", "suspect",   "degraded",
                                        "partial", "down",    "recovering"};
    static_assert(sizeof names / sizeof *names == WEIR_STATE_RECOVERING + 1, "one name a state");
    return names[state];
}

const char *weir_cause_name(enum weir_cause cause) { return causes[cause].name; }

const char *weir_cause_words(enum weir_cause cause) { return causes[cause].words; }

enum weir_whose weir_cause_whose(enum weir_cause cause) { return causes[cause].whose; }

enum weir_cause weir_cause_find(const char *name) {
    int cause = 0;
    while (cause < WEIR_CAUSE_N && strcmp(name, causes[cause].name) != 0) cause++;
    return (enum weir_cause)cause;
}

const char *weir_part_name(enum weir_part part) {
    static const char *const names[WEIR_PART_N] = {"all", "media", "control", "other"};
    return names[part];
}

const char *weir_confidence_name(enum weir_confidence confidence) {
    static const char *const names[] = {"low", "medium", "high"};
    return names[confidence];
}
