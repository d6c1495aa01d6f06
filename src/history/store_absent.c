/* history.db in a build without SQLite: a probe goes on without a history, a reader is told. */
#include <errno.h>

#include "history/store.h"

static int absent(struct weir_fault *fault) {
    return weir_fault_set(fault, -ENOSYS,
                          "this build keeps no history: it needs SQLite (meson -Dsqlite=enabled)");
}

int weir_history_store_open(struct weir_history_store **ret_store, const char *directory,
                            const char *site, struct weir_fault *fault) {
    return absent(fault);
}

int weir_history_store_open_to_read(struct weir_history_store **ret_store, const char *directory,
                                    const char *site, char *ret_site, struct weir_fault *fault) {
    return absent(fault);
}

void weir_history_store_free(struct weir_history_store *store) {}

int weir_history_store_begin(struct weir_history_store *store, struct weir_fault *fault) {
    return absent(fault);
}

int weir_history_store_end(struct weir_history_store *store, struct weir_fault *fault) {
    return absent(fault);
}

int weir_history_store_hour(struct weir_history_store *store, const char *service,
                            const struct weir_history_hour *hour, struct weir_fault *fault) {
    return absent(fault);
}

int weir_history_store_read_hour(struct weir_history_store *store, const char *service,
                                 int64_t start_us, struct weir_history_hour *ret_hour,
                                 struct weir_fault *fault) {
    return absent(fault);
}

int weir_history_store_event(struct weir_history_store *store,
                             const struct weir_history_incident *incident,
                             struct weir_fault *fault) {
    return absent(fault);
}

int weir_history_store_prune(struct weir_history_store *store, int64_t now_us,
                             struct weir_fault *fault) {
    return absent(fault);
}

int weir_history_store_hours(struct weir_history_store *store, const char *service,
                             int64_t since_us, weir_history_hour_visit visit, void *context,
                             struct weir_fault *fault) {
    return absent(fault);
}

int weir_history_store_incidents(struct weir_history_store *store, const char *service,
                                 int64_t since_us, weir_history_incident_visit visit, void *context,
                                 struct weir_fault *fault) {
    return absent(fault);
}

int weir_history_store_events(struct weir_history_store *store, const char *id, int64_t after,
                              int64_t max, weir_history_event_visit visit, void *context,
                              struct weir_fault *fault) {
    return absent(fault);
}

int64_t weir_history_store_newest(struct weir_history_store *store) { return 0; }
