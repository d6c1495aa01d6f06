/* A year of hours and incidents in one SQLite file.
 *
 *      services   id, site, name
 *      hours      service, hour (of the epoch) -> seconds, trials, medians      13 months
 *      incidents  site, id -> as its last event left it                         13 months
 *      events     seq, site, id, time, kind, record as JSON                     13 months, 100,000
 *
 * The write-ahead log makes a reader see the last whole transaction, whatever the writer does, and
 * a writer that was killed lose only the transaction that it had not finished. synchronous=FULL
 * keeps what was told also when the machine loses its power: there are a few writes an hour.
 *
 * An hour of a service takes about 70 bytes, so that a year of 25 services is some 16 MB; the file
 * can't grow beyond PAGES_MAX, come what may.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/printable.h"
#include "base/private_file.h"
#include "history/store.h"

enum {
    PATIENCE_MS = 5000,
    PAGE_BYTES = 4096,
    PAGES_MAX = 65536,
    EVENTS_MAX = 100000,
    SCHEMA_VERSION = 1
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS services(id INTEGER PRIMARY KEY, site TEXT NOT NULL, name TEXT NOT "
    "NULL, UNIQUE(site, name));"
    "CREATE TABLE IF NOT EXISTS hours(service INTEGER NOT NULL, hour INTEGER NOT NULL, healthy, "
    "degraded, partial, down, ok, fail,"
    " goodput_bps, ttfb_us, rtt_server_us, rtt_client_us, loss_server_ppm, loss_client_ppm, "
    "PRIMARY KEY(service, hour)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS incidents(site TEXT NOT NULL, id TEXT NOT NULL, service TEXT, "
    "state TEXT, cause TEXT, event TEXT,"
    " onset_us INTEGER, raised_us INTEGER, recovered_us INTEGER, cleared_us INTEGER, told_us "
    "INTEGER, maintenance INTEGER, text TEXT,"
    " json TEXT, PRIMARY KEY(site, id));"
    "CREATE TABLE IF NOT EXISTS events(seq INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, "
    "id TEXT NOT NULL, ts_us INTEGER NOT NULL,"
    " event TEXT NOT NULL, json TEXT NOT NULL, UNIQUE(site, id, ts_us, event));";

enum statement {
    ADD_SERVICE,
    PUT_HOUR,
    GET_HOUR,
    ADD_EVENT,
    PUT_INCIDENT,
    PUT_SITE,
    PRUNE_HOURS,
    PRUNE_INCIDENTS,
    PRUNE_EVENTS,
    PRUNE_MANY,
    READ_HOURS,
    READ_INCIDENTS,
    READ_EVENTS,
    READ_NEWEST,
    READ_SITE,
    N_STATEMENTS
};
static const char *const texts[N_STATEMENTS] = {
    [ADD_SERVICE] = "INSERT OR IGNORE INTO services(site, name) VALUES(?1, ?2)",
    [PUT_HOUR] = "INSERT OR REPLACE INTO hours SELECT id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
                 "?12, ?13, ?14, ?15"
                 " FROM services WHERE site = ?1 AND name = ?2",
    [GET_HOUR] = "SELECT s.name, h.* FROM hours h JOIN services s ON s.id = h.service WHERE s.site "
                 "= ?1 AND s.name = ?2 AND h.hour = ?3",
    [ADD_EVENT] =
        "INSERT OR IGNORE INTO events(site, id, ts_us, event, json) VALUES(?1, ?2, ?3, ?4, ?5)",
    [PUT_INCIDENT] =
        "INSERT INTO incidents VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) "
        "ON CONFLICT(site, id) DO UPDATE SET"
        " service = excluded.service, state = excluded.state, cause = excluded.cause, event = "
        "excluded.event,"
        " onset_us = excluded.onset_us, raised_us = excluded.raised_us, recovered_us = "
        "excluded.recovered_us,"
        " cleared_us = excluded.cleared_us, told_us = excluded.told_us, maintenance = "
        "excluded.maintenance,"
        " text = excluded.text, json = excluded.json WHERE excluded.told_us >= told_us",
    [PUT_SITE] = "INSERT OR REPLACE INTO meta VALUES('site', ?1)",
    [PRUNE_HOURS] = "DELETE FROM hours WHERE hour < ?1",
    [PRUNE_INCIDENTS] = "DELETE FROM incidents WHERE told_us < ?1",
    [PRUNE_EVENTS] = "DELETE FROM events WHERE ts_us < ?1",
    [PRUNE_MANY] = "DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?1",
    [READ_HOURS] = "SELECT s.name, h.* FROM hours h JOIN services s ON s.id = h.service WHERE "
                   "s.site = ?1 AND (?2 IS NULL OR s.name = ?2)"
                   " AND h.hour >= ?3 ORDER BY s.name, h.hour",
    [READ_INCIDENTS] = "SELECT id, service, state, cause, event, onset_us, raised_us, "
                       "recovered_us, cleared_us, told_us, maintenance, text, json"
                       " FROM incidents WHERE site = ?1 AND (?2 IS NULL OR service = ?2) AND "
                       "told_us >= ?3 ORDER BY onset_us, id",
    [READ_EVENTS] = "SELECT seq, id, json FROM events WHERE site = ?1 AND (?2 IS NULL OR id = ?2) "
                    "AND seq > ?3 ORDER BY seq LIMIT ?4",
    [READ_NEWEST] = "SELECT max(seq) FROM events",
    [READ_SITE] = "SELECT value FROM meta WHERE key = 'site'",
};

struct weir_history_store {
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    char path[PATH_MAX], site[160];
};

/* ---- SQLite's answers ---- */

static int fail(const struct weir_history_store *store, int code, const char *doing,
                struct weir_fault *fault) {
    int error = code == SQLITE_NOMEM ? -ENOMEM : code == SQLITE_FULL ? -ENOSPC : -EIO;
    return weir_fault_set(fault, error, "%s: %s: %s", store->path, doing,
                          store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code));
}

static int run_text(struct weir_history_store *store, const char *text, struct weir_fault *fault) {
    int code = sqlite3_exec(store->db, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : fail(store, code, "cannot be used", fault);
}

/* A statement, made on its first use; NULL: cannot be made. */
static sqlite3_stmt *statement(struct weir_history_store *store, enum statement which) {
    sqlite3_stmt **slot = &store->statements[which];
    if (!*slot && sqlite3_prepare_v3(store->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, slot,
                                     NULL) != SQLITE_OK)
        return NULL;
    sqlite3_reset(*slot);
    sqlite3_clear_bindings(*slot);
    return *slot;
}

static void bind_text(sqlite3_stmt *row, int at, const char *text) {
    if (text)
        sqlite3_bind_text(row, at, text, -1, SQLITE_STATIC); /* lives until the statement is run */
}

static void bind_value(sqlite3_stmt *row, int at, double value, double scale) {
    if (!isnan(value)) sqlite3_bind_int64(row, at, llround(value * scale));
}

/* Runs a statement that gives no rows. */
static int run(struct weir_history_store *store, sqlite3_stmt *row, struct weir_fault *fault) {
    int code = row ? sqlite3_step(row) : SQLITE_ERROR;
    if (code != SQLITE_DONE) return fail(store, code, "cannot be written", fault);
    sqlite3_reset(row);
    return 0;
}

/* ---- opening ---- */

static const char *text_at(sqlite3_stmt *row, int at) {
    char *text = (char *)sqlite3_column_text(row, at); /* SQLite's own copy, until the next row */
    return text ? weir_printable(text, false) : "";
}

/* SQLite would wait for a pipe's other end, and follow a link. */
static int must_be_plain(const struct weir_history_store *store, struct weir_fault *fault) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char path[PATH_MAX + 16];
        struct stat about;
        snprintf(path, sizeof path, "%s%s", store->path, ends[i]);
        if (lstat(path, &about) == 0 && (!S_ISREG(about.st_mode) || about.st_nlink > 1))
            return weir_fault_set(fault, -ENXIO, "%s: %s", path, weir_private_error(-ENXIO));
    }
    return 0;
}

static int open_file(struct weir_history_store *store, const char *name, int flags) {
    int code = sqlite3_open_v2(name, &store->db,
                               flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(store->db, PATIENCE_MS);
        code = sqlite3_exec(store->db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        sqlite3_close(store->db);
        store->db = NULL;
    }
    return code;
}

static bool is_damage(int code) {
    return (code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT;
}

static void put_aside(const struct weir_history_store *store) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char from[PATH_MAX + 8], to[PATH_MAX + 24];
        snprintf(from, sizeof from, "%s%s", store->path, ends[i]);
        snprintf(to, sizeof to, "%s.damaged%s", store->path, ends[i]);
        rename(from, to);
    }
    weir_log(WEIR_LOG_WARNING, "%s is damaged: put aside as %s.damaged; history begins anew",
             store->path, store->path);
}

/* Whole enough to be written to? The first page, the schema and the newest rows are looked at, not
 * all of it. */
static int prepare(struct weir_history_store *store, struct weir_fault *fault) {
    char text[160];
    snprintf(text, sizeof text,
             "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
             "temp_store=MEMORY;"
             "PRAGMA max_page_count=%d; PRAGMA cache_size=-1024",
             PAGE_BYTES, PAGES_MAX);
    int error = run_text(store, text, fault);
    if (!error) error = run_text(store, schema, fault);
    snprintf(text, sizeof text, "INSERT OR IGNORE INTO meta VALUES('version', %d)", SCHEMA_VERSION);
    if (!error) error = run_text(store, text, fault);
    sqlite3_stmt *site = error ? NULL : statement(store, PUT_SITE);
    if (site) bind_text(site, 1, store->site);
    return error ? error : run(store, site, fault);
}

static struct weir_history_store *store_new(const char *directory, const char *site) {
    struct weir_history_store *store = calloc(1, sizeof *store);
    if (!store) return NULL;
    snprintf(store->path, sizeof store->path, "%s/" WEIR_HISTORY_FILE, directory);
    snprintf(store->site, sizeof store->site, "%s", site ? site : "");
    return store;
}

int weir_history_store_open(struct weir_history_store **ret_store, const char *directory,
                            const char *site, struct weir_fault *fault) {
    enum { HOW = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE };
    struct weir_history_store *store = store_new(directory, site);
    if (!store) return -ENOMEM;
    int plain = must_be_plain(store, fault);
    if (plain) {
        weir_history_store_free(store);
        return plain;
    }
    int code = open_file(store, store->path, HOW),
        error = code == SQLITE_OK ? prepare(store, fault) : 0;
    if (is_damage(code) || (error && store->db && is_damage(sqlite3_extended_errcode(store->db)))) {
        for (int i = 0; i < N_STATEMENTS; i++) {
            sqlite3_finalize(store->statements[i]);
            store->statements[i] = NULL;
        }
        sqlite3_close(store->db);
        put_aside(store);
        code = open_file(store, store->path, HOW);
        error = code == SQLITE_OK ? prepare(store, fault) : 0;
    }
    if (code != SQLITE_OK) error = fail(store, code, "cannot be opened", fault);
    if (error) {
        weir_history_store_free(store);
        return error;
    }
    *ret_store = store;
    return 0;
}

/* The file of a probe that has ended has no log beside it, and a reader that may not write there
 * can't make one: then nothing changes it either. */
static int open_readable(struct weir_history_store *store) {
    char uri[PATH_MAX + 32];
    int code = open_file(store, store->path, SQLITE_OPEN_READONLY);
    if ((code & 0xff) != SQLITE_CANTOPEN && (code & 0xff) != SQLITE_READONLY) return code;
    if (strpbrk(store->path, "?#%")) return code;
    snprintf(uri, sizeof uri, "file:%s?immutable=1", store->path);
    return open_file(store, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

int weir_history_store_open_to_read(struct weir_history_store **ret_store, const char *directory,
                                    const char *site, char *ret_site, struct weir_fault *fault) {
    struct weir_history_store *store = store_new(directory, site);
    if (!store) return -ENOMEM;
    int error = must_be_plain(store, fault);
    int code = !error && access(store->path, F_OK) == 0 ? open_readable(store) : SQLITE_OK;
    if (error)
        ; /* said */
    else if (code != SQLITE_OK)
        error = fail(store, code, "cannot be read", fault);
    else if (!store->db)
        error = weir_fault_set(fault, -ENOENT,
                               "%s: there is no history yet: weir live keeps it, with this --state",
                               store->path);
    sqlite3_stmt *row = error || site ? NULL : statement(store, READ_SITE);
    if (row && sqlite3_step(row) == SQLITE_ROW)
        snprintf(store->site, sizeof store->site, "%s", text_at(row, 0));
    if (row) sqlite3_reset(row);
    if (error) {
        weir_history_store_free(store);
        return error;
    }
    snprintf(ret_site, sizeof store->site, "%s", store->site);
    *ret_store = store;
    return 0;
}

void weir_history_store_free(struct weir_history_store *store) {
    if (!store) return;
    for (int i = 0; i < N_STATEMENTS; i++) sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    free(store);
}

/* ---- writing ---- */

int weir_history_store_begin(struct weir_history_store *store, struct weir_fault *fault) {
    if (!sqlite3_get_autocommit(store->db)) /* an earlier one failed */
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return run_text(store, "BEGIN IMMEDIATE", fault);
}

int weir_history_store_end(struct weir_history_store *store, struct weir_fault *fault) {
    return run_text(store, "COMMIT", fault);
}

int weir_history_store_hour(struct weir_history_store *store, const char *service,
                            const struct weir_history_hour *hour, struct weir_fault *fault) {
    sqlite3_stmt *row = statement(store, ADD_SERVICE);
    if (row) {
        bind_text(row, 1, store->site);
        bind_text(row, 2, service);
    }
    int error = run(store, row, fault);
    row = error ? NULL : statement(store, PUT_HOUR);
    if (!row) return error ? error : fail(store, SQLITE_ERROR, "cannot be written", fault);
    const int64_t counts[] = {hour->healthy_s, hour->degraded_s, hour->partial_s,
                              hour->down_s,    hour->trials_ok,  hour->trials_fail};
    const struct {
        double value, scale;
    } values[] = {{hour->goodput_bps, 1},   {hour->ttfb_us, 1},       {hour->rtt_server_us, 1},
                  {hour->rtt_client_us, 1}, {hour->loss_server, 1e6}, {hour->loss_client, 1e6}};
    bind_text(row, 1, store->site);
    bind_text(row, 2, service);
    sqlite3_bind_int64(row, 3, hour->start_us / WEIR_HOUR_US);
    for (int i = 0; i < 6; i++) {
        sqlite3_bind_int64(row, 4 + i, counts[i]);
        bind_value(row, 10 + i, values[i].value, values[i].scale);
    }
    return run(store, row, fault);
}

int weir_history_store_event(struct weir_history_store *store,
                             const struct weir_history_incident *incident,
                             struct weir_fault *fault) {
    sqlite3_stmt *row = statement(store, ADD_EVENT);
    if (row) {
        bind_text(row, 1, store->site);
        bind_text(row, 2, incident->id);
        sqlite3_bind_int64(row, 3, incident->told_us);
        bind_text(row, 4, incident->event);
        bind_text(row, 5, incident->json);
    }
    int error = run(store, row, fault);
    row = error ? NULL : statement(store, PUT_INCIDENT);
    if (!row) return error ? error : fail(store, SQLITE_ERROR, "cannot be written", fault);
    const char *const words[] = {store->site,     incident->id,    incident->service,
                                 incident->state, incident->cause, incident->event};
    const int64_t times[] = {incident->onset_us,   incident->raised_us, incident->recovered_us,
                             incident->cleared_us, incident->told_us,   incident->maintenance};
    for (int i = 0; i < 6; i++) {
        bind_text(row, 1 + i, words[i]);
        sqlite3_bind_int64(row, 7 + i, times[i]);
    }
    bind_text(row, 13, incident->text);
    bind_text(row, 14, incident->json);
    return run(store, row, fault);
}

int weir_history_store_prune(struct weir_history_store *store, int64_t now_us,
                             struct weir_fault *fault) {
    int64_t oldest_us = now_us - WEIR_HISTORY_DAYS * 24 * WEIR_HOUR_US;
    const struct {
        enum statement which;
        int64_t bound;
    } rows[] = {{PRUNE_HOURS, oldest_us / WEIR_HOUR_US},
                {PRUNE_INCIDENTS, oldest_us},
                {PRUNE_EVENTS, oldest_us},
                {PRUNE_MANY, EVENTS_MAX}};
    int error = 0;
    for (size_t i = 0; !error && i < sizeof rows / sizeof rows[0]; i++) {
        sqlite3_stmt *row = statement(store, rows[i].which);
        if (row) sqlite3_bind_int64(row, 1, rows[i].bound);
        error = run(store, row, fault);
    }
    return error;
}

/* ---- reading ---- */

static double value_at(sqlite3_stmt *row, int at, double scale) {
    return sqlite3_column_type(row, at) == SQLITE_NULL
               ? NAN
               : (double)sqlite3_column_int64(row, at) / scale;
}

/* Columns: name, then those of `hours`. */
static struct weir_history_hour read_hour(sqlite3_stmt *row) {
    struct weir_history_hour hour = {.start_us = sqlite3_column_int64(row, 2) * WEIR_HOUR_US,
                                     .healthy_s = sqlite3_column_int(row, 3),
                                     .degraded_s = sqlite3_column_int(row, 4),
                                     .partial_s = sqlite3_column_int(row, 5),
                                     .down_s = sqlite3_column_int(row, 6),
                                     .trials_ok = sqlite3_column_int64(row, 7),
                                     .trials_fail = sqlite3_column_int64(row, 8),
                                     .goodput_bps = value_at(row, 9, 1),
                                     .ttfb_us = value_at(row, 10, 1),
                                     .rtt_server_us = value_at(row, 11, 1),
                                     .rtt_client_us = value_at(row, 12, 1),
                                     .loss_server = value_at(row, 13, 1e6),
                                     .loss_client = value_at(row, 14, 1e6)};
    hour.judged_s = hour.healthy_s + hour.degraded_s + hour.partial_s + hour.down_s;
    return hour;
}

/* Behind the last row of a query: 0, or < 0 with the fault. */
static int end_rows(struct weir_history_store *store, sqlite3_stmt *row, int code, int error,
                    struct weir_fault *fault) {
    if (!error && code != SQLITE_DONE && code != SQLITE_ROW)
        error = fail(store, code, "cannot be read", fault);
    if (row) sqlite3_reset(row);
    return error;
}

int weir_history_store_read_hour(struct weir_history_store *store, const char *service,
                                 int64_t start_us, struct weir_history_hour *ret_hour,
                                 struct weir_fault *fault) {
    sqlite3_stmt *row = statement(store, GET_HOUR);
    if (row) {
        bind_text(row, 1, store->site);
        bind_text(row, 2, service);
        sqlite3_bind_int64(row, 3, start_us / WEIR_HOUR_US);
    }
    int code = row ? sqlite3_step(row) : SQLITE_ERROR;
    bool there = code == SQLITE_ROW;
    if (there) *ret_hour = read_hour(row);
    int error = end_rows(store, row, code, 0, fault);
    return error ? error : there;
}

int weir_history_store_hours(struct weir_history_store *store, const char *service,
                             int64_t since_us, weir_history_hour_visit visit, void *context,
                             struct weir_fault *fault) {
    sqlite3_stmt *row = statement(store, READ_HOURS);
    int code = row ? SQLITE_ROW : SQLITE_ERROR, error = 0;
    if (row) {
        bind_text(row, 1, store->site);
        bind_text(row, 2, service);
        sqlite3_bind_int64(row, 3, since_us / WEIR_HOUR_US);
    }
    while (row && !error && (code = sqlite3_step(row)) == SQLITE_ROW) {
        struct weir_history_hour hour = read_hour(row);
        error = visit(context, text_at(row, 0), &hour);
    }
    return end_rows(store, row, code, error, fault);
}

static void read_incident(sqlite3_stmt *row, struct weir_history_incident *ret_incident) {
    *ret_incident = (struct weir_history_incident){.onset_us = sqlite3_column_int64(row, 5),
                                                   .raised_us = sqlite3_column_int64(row, 6),
                                                   .recovered_us = sqlite3_column_int64(row, 7),
                                                   .cleared_us = sqlite3_column_int64(row, 8),
                                                   .told_us = sqlite3_column_int64(row, 9),
                                                   .maintenance = sqlite3_column_int(row, 10) != 0,
                                                   .text = (char *)text_at(row, 11),
                                                   .json = (char *)text_at(row, 12)};
    snprintf(ret_incident->id, sizeof ret_incident->id, "%s", text_at(row, 0));
    snprintf(ret_incident->service, sizeof ret_incident->service, "%s", text_at(row, 1));
    snprintf(ret_incident->state, sizeof ret_incident->state, "%s", text_at(row, 2));
    snprintf(ret_incident->cause, sizeof ret_incident->cause, "%s", text_at(row, 3));
    snprintf(ret_incident->event, sizeof ret_incident->event, "%s", text_at(row, 4));
}

int weir_history_store_incidents(struct weir_history_store *store, const char *service,
                                 int64_t since_us, weir_history_incident_visit visit, void *context,
                                 struct weir_fault *fault) {
    sqlite3_stmt *row = statement(store, READ_INCIDENTS);
    int code = row ? SQLITE_ROW : SQLITE_ERROR, error = 0;
    if (row) {
        bind_text(row, 1, store->site);
        bind_text(row, 2, service);
        sqlite3_bind_int64(row, 3, since_us);
    }
    while (row && !error && (code = sqlite3_step(row)) == SQLITE_ROW) {
        struct weir_history_incident incident;
        read_incident(row, &incident);
        error = visit(context, &incident);
    }
    return end_rows(store, row, code, error, fault);
}

int weir_history_store_events(struct weir_history_store *store, const char *id, int64_t after,
                              int64_t max, weir_history_event_visit visit, void *context,
                              struct weir_fault *fault) {
    sqlite3_stmt *row = statement(store, READ_EVENTS);
    int code = row ? SQLITE_ROW : SQLITE_ERROR, error = 0;
    if (row) {
        bind_text(row, 1, store->site);
        bind_text(row, 2, id);
        sqlite3_bind_int64(row, 3, after);
        sqlite3_bind_int64(row, 4, max);
    }
    while (row && !error && (code = sqlite3_step(row)) == SQLITE_ROW)
        error = visit(context, sqlite3_column_int64(row, 0), text_at(row, 1), text_at(row, 2));
    return end_rows(store, row, code, error, fault);
}

int64_t weir_history_store_newest(struct weir_history_store *store) {
    sqlite3_stmt *row = statement(store, READ_NEWEST);
    int64_t newest = row && sqlite3_step(row) == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    if (row) sqlite3_reset(row);
    return newest;
}
