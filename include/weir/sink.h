/* publish: records leave weir through sinks. A sink is one const table of functions in
 * src/publish/sink_<name>.c.
 *
 * All sinks get all records, in order, from the coordinator only; each keeps what it wants. What a
 * record looks like outside (field names, units, null and its reason) is the encoder's
 * (src/publish/json.c), shared by all sinks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>
#include <weir/incident.h>
#include <weir/record.h>
#include <weir/service.h>

enum weir_record_type {
    WEIR_RECORD_FLOW,
    WEIR_RECORD_WINDOW,
    WEIR_RECORD_SERVICE,
    WEIR_RECORD_SESSION,
    WEIR_RECORD_INCIDENT,
    WEIR_RECORD_CAPTURE,
    WEIR_RECORD_N
};
const char *weir_record_type_name(enum weir_record_type type); /* "flow", ... */
int weir_record_type_parse(const char *name, size_t length);   /* the type, or -EINVAL */

struct weir_record {
    enum weir_record_type type;
    int64_t ts_us; /* the record's "ts" */
    union {
        const struct weir_flow_record *flow;
        const struct weir_window_record *window;
        const struct weir_service_record *service;
        const struct weir_session_record *session;
        const struct weir_incident *incident;
        const struct weir_capture_record *capture;
    };
};

/* How client addresses leave weir. */
enum weir_clients_mode { WEIR_CLIENTS_PLAIN, WEIR_CLIENTS_PSEUDONYM, WEIR_CLIENTS_NONE };

/* What every sink needs to turn records into text. Lives as long as the sinks. */
struct weir_publish_context {
    const char *site;
    struct weir_service_set *set;
    enum weir_clients_mode clients;
    uint8_t key[32]; /* of the pseudonyms */
};

/* "192.0.2.7", "c-3f9a...", or "" (mode none); `text` holds WEIR_CLIENT_TEXT_MAX bytes. */
#define WEIR_CLIENT_TEXT_MAX 48
const char *weir_client_text(const struct weir_publish_context *context,
                             const struct weir_addr *addr, char *text);
/* Reads the key file, or makes it (mode 0600) where there is none. */
int weir_client_key_load(uint8_t key[32], const char *path, struct weir_fault *fault);

struct weir_sink {
    const char *name, *help;
    /* 0, or < 0 with a fault when the sink is lost for good (a closed pipe, Redis gone in a
     * replay). */
    int (*record)(void *state, const struct weir_record *record, struct weir_fault *fault);
    /* Once a window and at the end: everything given so far is delivered, or kept for later. */
    int (*flush)(void *state, struct weir_fault *fault);
    void (*free)(void *state);
};

/* Makers: *ret_state goes with the sink of that name. */
extern const struct weir_sink weir_sink_history, weir_sink_ndjson, weir_sink_redis,
    weir_sink_snapshot, weir_sink_terminal;
/* `types`: bit mask of 1 << enum weir_record_type. Writes to `stream` (stdio's FILE). */
int weir_sink_ndjson_new(void **ret_state, const struct weir_publish_context *context,
                         unsigned types, void *stream);
/* Publishes by a thread of its own: a record is encoded and queued, and nothing waits for Redis. A
 * replay's sink connects at once (< 0 with the URL, without its password, and Redis' own words),
 * waits while its queue is full, and ends with a flush that waits until all has arrived, or fails.
 */
struct weir_redis_options {
    const char *url;
    const char *password;      /* instead of the URL's; NULL */
    const char *password_file; /* where it came from: read again before each connection; NULL */
    /* file that keeps incidents until Redis has them; NULL: memory only */
    const char *spool;
    int64_t ttl_s; /* of hashes */
    int64_t window_maxlen, incident_maxlen;
    size_t queue_bytes; /* of windows that wait; 0: 16 MiB */
    int64_t patience_s; /* the end waits so long for Redis; 0: 30 s */
    bool replay;        /* stamps are the capture's: no seen_ts of now in weir:sites */
};
int weir_sink_redis_new(void **ret_state, const struct weir_publish_context *context,
                        const struct weir_redis_options *options, struct weir_fault *fault);
/* Keeps DIR/status.json: the latest windows with a short history, the probe, the newest incident
 * events. Written whole and renamed, after each window of an interface, once at the end of a
 * replay; a replay never replaces the file of an interface. */
#define WEIR_STATUS_FILE "status.json"
int weir_sink_snapshot_new(void **ret_state, const struct weir_publish_context *context,
                           const char *directory, bool replay, struct weir_fault *fault);
/* Keeps DIR/history.db: hours of each service and the events of incidents, for 13 months, by a
 * thread of its own. A replay's hours take the place of those of an earlier replay, and its end
 * waits until all is written; an interface's are added to those of an earlier run. */
int weir_sink_history_new(void **ret_state, const struct weir_publish_context *context,
                          const char *directory, bool replay, struct weir_fault *fault);
/* The table per service and the incidents in words, for a person, when the capture is over. */
struct weir_terminal_options {
    bool colour;
    unsigned columns; /* of a line */
    bool verbose;     /* also how flows were named, and what could not be decoded */
};
int weir_sink_terminal_new(void **ret_state, const struct weir_publish_context *context,
                           void *stream, const struct weir_terminal_options *how);

/* One record as a JSON text (no newline), valid until the next call with the same buffer. */
struct weir_json; /* opaque reusable buffer */
struct weir_json *weir_json_new(const struct weir_publish_context *context);
void weir_json_free(struct weir_json *json);
const char *weir_json_record(struct weir_json *json, const struct weir_record *record,
                             size_t *ret_length);

/* The sinks of a run, in the order in which they get each record. */
struct weir_publisher {
    size_t n;
    struct {
        const struct weir_sink *sink;
        void *state;
    } sinks[12];
};
void weir_publisher_add(struct weir_publisher *publisher, const struct weir_sink *sink,
                        void *state);
/* To every sink, also when one fails; returns the first failure. */
int weir_publisher_record(struct weir_publisher *publisher, const struct weir_record *record,
                          struct weir_fault *fault);
int weir_publisher_flush(struct weir_publisher *publisher, struct weir_fault *fault);
void weir_publisher_deinit(struct weir_publisher *publisher);
