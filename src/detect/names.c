/* Names of what an incident says: as in the records. */
#include <assert.h>

#include <weir/incident.h>

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

const char *weir_cause_name(enum weir_cause cause) {
    static const char *const names[WEIR_CAUSE_N] = {
        "service",      "cdn",    "cdn_path", "dns_service", "dns_resolver",
        "quic_blocked", "client", "uplink",   "capture",
    };
    return names[cause];
}

const char *weir_part_name(enum weir_part part) {
    static const char *const names[WEIR_PART_N] = {"all", "media", "control", "other"};
    return names[part];
}

const char *weir_confidence_name(enum weir_confidence confidence) {
    static const char *const names[] = {"low", "medium", "high"};
    return names[confidence];
}
