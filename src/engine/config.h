/* What a person can set: one row an option, read by the command line, the configuration file and
 * --help alike. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <weir/capture.h>
#include <weir/detect.h>
#include <weir/error.h>
#include <weir/packet.h>
#include <weir/sink.h>

#include "engine/maintenance.h"

#define WEIR_LOCAL_MAX        64
#define WEIR_CONFIG_HOSTS_MAX WEIR_LOCAL_MAX /* of entries of a list in the file */

/* Which command reads the options: each has some that the other refuses. The configuration file may
 * hold all of them. */
enum weir_config_command {
    WEIR_CONFIG_REPLAY = 1,
    WEIR_CONFIG_LIVE = 2,
    WEIR_CONFIG_CHECK = 4,
    WEIR_CONFIG_FILE = 8 /* the file only: of other commands */
};

struct weir_config {
    const char *site; /* NULL: host name, or replay:<file> */
    bool json;
    unsigned records; /* bit mask of 1 << enum weir_record_type */
    bool records_set;
    const char *redis;                                /* URL or NULL */
    const char *redis_password, *redis_password_file; /* instead of the URL's; NULL */
    size_t redis_queue_bytes;
    int64_t redis_windows; /* kept a service */
    int64_t redis_wait_s;
    struct weir_cidr local[WEIR_LOCAL_MAX];
    size_t n_local;
    struct weir_detect_region regions[WEIR_LOCAL_MAX];
    size_t n_regions;
    struct weir_asn *asn; /* database of autonomous systems; NULL: none */
    const char *asn_path; /* its file */
    const char *path;     /* of the configuration file that was read; NULL: none */
    struct weir_maintenance maintenance[WEIR_LOCAL_MAX];
    size_t n_maintenance;
    const char *hosts[WEIR_CONFIG_HOSTS_MAX]; /* "address=name" of devices */
    size_t n_hosts;
    const char *to[WEIR_LOCAL_MAX]; /* targets of weir notify, as it reads them */
    size_t n_to;
    const char *filter;
    const char *signatures; /* directory; NULL: the one installed or beside the program */
    unsigned workers;
    enum weir_clients_mode clients;
    bool clients_set;
    const char *key_file; /* of client pseudonyms */
    const char *html;     /* replay: the report's file; NULL */
    /* directory of what outlasts a run; NULL: none (live: /var/lib/weir where it is writable) */
    const char *state;
    size_t evidence_bytes; /* live: of memory for the last packets' headers; 0: none */
    /* replay: directory of the files that prove incidents; NULL: none */
    const char *evidence;
    /* live, started as root: whom to become; NULL: weir, else nobody */
    const char *user;
    size_t memory_bytes;
    bool quiet;   /* no progress bar */
    bool verbose; /* the report tells how well packets could be read and named */
    bool no_colour;
    const char *interfaces[WEIR_LIVE_INTERFACES_MAX]; /* live only, to `write` */
    unsigned n_interfaces;
    const char *from; /* live: a stream of a capture instead, "-" is stdin */
    uint32_t snaplen;
    size_t ring_bytes;
    bool no_promiscuous;
    int64_t duration_us;
    const char *write;
    struct weir_detect_config detect;
};

/* Defaults; of memory those of a large machine. */
void weir_config_init(struct weir_config *config);
/* Frees what a configuration file or the command line put there. */
void weir_config_deinit(struct weir_config *config);

/* `live` and `check`: memory, ring and evidence follow this machine (budget.h). Reads the options
 * of `argv` (from argv[1] on); with --config the file's values come first, so that the command line
 * wins. Returns the index of the first operand, WEIR_CONFIG_HELP after printing help, or < 0 with a
 * fault. */
enum { WEIR_CONFIG_HELP = 1 << 30 };
int weir_config_parse(struct weir_config *config, enum weir_config_command command, int argc,
                      char **argv, const char *usage, struct weir_fault *fault);
/* The configuration file alone (for checks, reloads and fuzzing). */
int weir_config_load(struct weir_config *config, const char *path, struct weir_fault *fault);
