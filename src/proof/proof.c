/* When a file is written: at the first word of an incident, and again when its state or cause has
 * changed, up to WRITES_MAX times: what was blamed at first may turn out otherwise, and the file is
 * to lead to what was said last. Once more AGAIN_US after each of these, or at the end: a verdict
 * is given when there is just enough evidence for it, and a reader should have more than just
 * enough.
 *
 * A reader of the file needs what went before the fault as well: a service is judged only after it
 * has worked, so the packets begin AHEAD_US before the onset. All is gathered, sorted and chosen in
 * memory of the moment, by a thread where capture goes on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/private_file.h"
#include "proof/pcapng.h"
#include "proof/proof.h"
#include "proof/rewrite.h"
#include "proof/select.h"

enum { WAITING_MAX = 8, TOLD_MAX = 64, WRITES_MAX = 4, ENTRIES_MAX = 1 << 20 };
static const int64_t ahead_us = INT64_C(120000000), again_us = INT64_C(20000000);

struct task {
    struct weir_incident incident;
    int64_t told_us, until_us;
    struct weir_service_set *set; /* a reference */
    char text[4096];
};

struct told {
    struct weir_incident last;
    int64_t changed_us;
    bool again; /* is still to be written once more */
    unsigned writes;
};

struct weir_proof {
    unsigned n_rings;
    struct weir_proof_ring **rings;
    char directory[4096];
    bool live;
    unsigned n_told; /* ever; the last TOLD_MAX are kept */
    struct told told[TOLD_MAX];

    pthread_t thread;
    bool runs, complained;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct task *waiting[WAITING_MAX];
    unsigned n_waiting;
    bool stop;
};

struct proof_sink {
    const struct weir_publish_context *context;
    struct weir_proof *proof;
    int64_t now_us;
    bool over;
};

/* ---- gathering ---- */

struct gathered {
    uint8_t *bytes;
    size_t n, room, n_entries;
};

static int gather(void *context, const struct weir_proof_entry *entry) {
    struct gathered *gathered = context;
    if (gathered->n_entries == ENTRIES_MAX) return 0;
    if (gathered->n + entry->size > gathered->room) {
        size_t room = 2 * gathered->room + ((size_t)1 << 20);
        uint8_t *larger = realloc(gathered->bytes, room);
        if (!larger) return -ENOMEM;
        gathered->bytes = larger;
        gathered->room = room;
    }
    memcpy(gathered->bytes + gathered->n, entry, entry->size);
    gathered->n += entry->size;
    gathered->n_entries++;
    return 0;
}

static struct weir_proof_entry **list_of(const struct gathered *gathered) {
    struct weir_proof_entry **list = calloc(gathered->n_entries + 1, sizeof *list);
    for (size_t at = 0, i = 0; list && i < gathered->n_entries; i++) {
        list[i] = (struct weir_proof_entry *)(gathered->bytes + at);
        at += list[i]->size;
    }
    return list;
}

/* ---- the file ---- */

static int fill(struct weir_pcapng *file, const struct task *task,
                struct weir_proof_entry **entries, size_t n) {
    struct weir_proof_clients clients = {0};
    weir_pcapng_begin(file, task->text);
    for (size_t i = 0; i < n && file->n < WEIR_PROOF_FILE_MAX - WEIR_PROOF_FRAME_MAX; i++) {
        uint8_t frame[WEIR_PROOF_FRAME_MAX];
        uint32_t wire;
        size_t captured = weir_proof_frame(&clients, task->set, entries[i], frame, &wire);
        if (captured) weir_pcapng_packet(file, entries[i]->ts_us, frame, captured, wire);
    }
    weir_proof_clients_deinit(&clients);
    return file->error;
}

static unsigned listed(uint32_t n) {
    return n < WEIR_INCIDENT_LIST_MAX ? n : WEIR_INCIDENT_LIST_MAX;
}

static int build(struct weir_proof *proof, const struct task *task, struct weir_pcapng *file) {
    struct gathered gathered = {0};
    const struct weir_incident *incident = &task->incident;
    const struct weir_proof_case about = {.service = incident->service,
                                          .onset_us = incident->onset_us,
                                          .until_us = task->until_us,
                                          .told_us = task->told_us,
                                          .bytes_max = WEIR_PROOF_FILE_MAX - 8192,
                                          .n_prefixes = listed(incident->n_prefixes),
                                          .prefixes = incident->prefixes,
                                          .n_clients = listed(incident->n_clients),
                                          .clients = incident->clients};
    int error = 0;
    for (unsigned i = 0; !error && i < proof->n_rings; i++)
        error = weir_proof_ring_read(proof->rings[i], about.onset_us - ahead_us, about.until_us,
                                     gather, &gathered);
    struct weir_proof_entry **entries = error ? NULL : list_of(&gathered);
    long n = entries ? weir_proof_select(entries, gathered.n_entries, &about) : -ENOMEM;
    error = n < 0 ? (int)n : fill(file, task, entries, (size_t)n);
    free(entries);
    free(gathered.bytes);
    return error;
}

static int write_file(const struct weir_proof *proof, const char *id,
                      const struct weir_pcapng *file, struct weir_fault *fault) {
    char path[4400];
    const struct weir_piece piece = {file->bytes, file->n};
    snprintf(path, sizeof path, "%s/%s.pcapng", proof->directory, id);
    mkdir(proof->directory, 0750);
    int error = weir_private_replace(path, 0640, false, &piece, 1);
    return error ? weir_fault_set(fault, error, "%s: %s", path, weir_private_error(error)) : 0;
}

/* The oldest go first: WEIR_PROOF_FILES_MAX of a megabyte are kept. */
static void prune(const struct weir_proof *proof) {
    for (;;) {
        DIR *directory = opendir(proof->directory);
        struct dirent *one;
        char oldest[300] = "";
        time_t oldest_s = 0;
        unsigned n = 0;
        while (directory && (one = readdir(directory))) {
            struct stat stat;
            size_t length = strlen(one->d_name);
            if (length < 8 || one->d_name[0] == '.' ||
                strcmp(one->d_name + length - 7, ".pcapng") != 0 ||
                fstatat(dirfd(directory), one->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                continue;
            if (n++ == 0 || stat.st_mtime < oldest_s) {
                oldest_s = stat.st_mtime;
                snprintf(oldest, sizeof oldest, "%s", one->d_name);
            }
        }
        bool many = n > WEIR_PROOF_FILES_MAX && unlinkat(dirfd(directory), oldest, 0) == 0;
        if (directory) closedir(directory);
        if (!many) return;
    }
}

static int write_proof(struct weir_proof *proof, const struct task *task,
                       struct weir_fault *fault) {
    struct weir_pcapng file = {0};
    int error = build(proof, task, &file);
    if (error)
        weir_fault_set(fault, error, "evidence of %s: %s", task->incident.id, strerror(-error));
    else
        error = write_file(proof, task->incident.id, &file, fault);
    weir_pcapng_deinit(&file);
    if (!error) prune(proof);
    return error;
}

/* ---- the comment ---- */

static void add_line(struct task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_line(struct task *task, const char *format, ...) {
    size_t used = strlen(task->text);
    va_list args;
    va_start(args, format);
    vsnprintf(task->text + used, sizeof task->text - used, format, args);
    va_end(args);
}

static void add_time(struct task *task, const char *name, int64_t us) {
    char text[40];
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    if (us && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc)))
        add_line(task, "%s: %s.%06dZ\n", name, text, (int)(us % 1000000));
}

static void write_comment(struct task *task, const struct weir_publish_context *context) {
    const struct weir_incident *incident = &task->incident;
    const char *service =
        incident->service ? weir_service_get(context->set, incident->service)->id : "none";
    add_line(task,
             "%s\n\nincident: %s\nservice: %s\nstate: %s\ncause: %s\nconfidence: %s\nlayer: %s\n",
             incident->text, incident->id, service, weir_state_name(incident->state),
             weir_cause_name(incident->cause), weir_confidence_name(incident->confidence),
             weir_layer_name(incident->layer));
    add_time(task, "onset", incident->onset_us);
    add_time(task, "raised", incident->raised_us);
    add_time(task, "told", incident->ts_us);
    add_time(task, "written", task->until_us);
    add_line(task, "trials: %u of %u failed (95 %%: %.1f to %.1f %%)\n", incident->trials.fail,
             incident->trials.total, incident->trials.low * 100, incident->trials.high * 100);
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++)
        if (incident->kinds[kind])
            add_line(task, "failed by %s: %u\n", weir_outcome_name(kind), incident->kinds[kind]);
    for (unsigned i = 0; i < incident->controls.n; i++)
        add_line(task, "control %s: %u of %u failed\n",
                 weir_service_get(context->set, incident->controls.by_service[i].service)->id,
                 incident->controls.by_service[i].fail, incident->controls.by_service[i].total);
    add_line(task,
             "clients hit: %u of %u\n\nHeaders and handshakes only. Client addresses are numbered, "
             "not real; names of other hosts are left out.\n",
             incident->n_clients, incident->n_clients_seen);
}

/* ---- the thread ---- */

static void task_free(struct task *task) {
    if (task) weir_service_set_unref(task->set);
    free(task);
}

static void *write_all(void *context) {
    struct weir_proof *proof = context;
    pthread_mutex_lock(&proof->lock);
    for (;;) {
        while (!proof->n_waiting && !proof->stop) pthread_cond_wait(&proof->changed, &proof->lock);
        if (!proof->n_waiting) break;
        struct task *task = proof->waiting[0];
        memmove(proof->waiting, proof->waiting + 1, --proof->n_waiting * sizeof proof->waiting[0]);
        pthread_mutex_unlock(&proof->lock);
        struct weir_fault fault = {0};
        int error = write_proof(proof, task, &fault);
        if (error && !proof->complained)
            weir_log(WEIR_LOG_ERROR, "%s; the incident has no evidence file", fault.text);
        proof->complained = error != 0;
        task_free(task);
        pthread_mutex_lock(&proof->lock);
    }
    pthread_mutex_unlock(&proof->lock);
    return NULL;
}

static void put_task(struct weir_proof *proof, struct task *task) {
    pthread_mutex_lock(&proof->lock);
    if (!proof->runs) proof->runs = pthread_create(&proof->thread, NULL, write_all, proof) == 0;
    if (proof->n_waiting == WAITING_MAX || !proof->runs) {
        weir_log(WEIR_LOG_WARNING, "evidence of %s is not written: too many incidents at once",
                 task->incident.id);
        task_free(task);
    } else {
        proof->waiting[proof->n_waiting++] = task;
        pthread_cond_signal(&proof->changed);
    }
    pthread_mutex_unlock(&proof->lock);
}

/* ---- the sink ---- */

static struct told *find_told(struct weir_proof *proof, const struct weir_incident *incident) {
    for (unsigned i = 0; i < TOLD_MAX && i < proof->n_told; i++)
        if (strcmp(proof->told[i].last.id, incident->id) == 0) return &proof->told[i];
    return NULL;
}

static struct told *begin_told(struct weir_proof *proof, const struct weir_incident *incident) {
    struct told *told = &proof->told[proof->n_told++ % TOLD_MAX];
    *told = (struct told){.changed_us = incident->ts_us, .again = true};
    return told;
}

static int write_one(struct proof_sink *sink, struct told *told, struct weir_fault *fault) {
    struct task *task = calloc(1, sizeof *task);
    if (!task) return 0;
    task->incident = told->last;
    task->told_us = told->changed_us;
    task->until_us = sink->now_us;
    task->set = weir_service_set_ref(sink->context->set);
    write_comment(task, sink->context);
    told->writes++;
    if (sink->proof->live) {
        put_task(sink->proof, task);
        return 0;
    }
    int error = write_proof(sink->proof, task, fault);
    task_free(task);
    return error;
}

static int take_incident(struct proof_sink *sink, const struct weir_incident *incident,
                         struct weir_fault *fault) {
    struct told *told = find_told(sink->proof, incident);
    if (incident->event == WEIR_INCIDENT_CLEARED) {
        if (told) told->again = false;
        return 0;
    }
    bool news =
        !told || ((told->last.state != incident->state || told->last.cause != incident->cause) &&
                  told->writes < WRITES_MAX);
    if (!told) told = begin_told(sink->proof, incident);
    if (news) {
        told->changed_us = incident->ts_us;
        told->again = true;
    }
    told->last = *incident;
    return news ? write_one(sink, told, fault) : 0;
}

static int proof_record(void *state, const struct weir_record *record, struct weir_fault *fault) {
    struct proof_sink *sink = state;
    if (record->type == WEIR_RECORD_CAPTURE) sink->over = !record->capture->interim;
    if (record->ts_us > sink->now_us) sink->now_us = record->ts_us;
    return record->type == WEIR_RECORD_INCIDENT ? take_incident(sink, record->incident, fault) : 0;
}

static int proof_flush(void *state, struct weir_fault *fault) {
    struct proof_sink *sink = state;
    int error = 0;
    for (unsigned i = 0; !error && i < TOLD_MAX && i < sink->proof->n_told; i++) {
        struct told *told = &sink->proof->told[i];
        if (!told->again || (sink->now_us - told->changed_us < again_us && !sink->over)) continue;
        told->again = false;
        error = write_one(sink, told, fault);
    }
    return error;
}

static void proof_free(void *state) { free(state); }

int weir_sink_proof_new(void **ret_state, const struct weir_publish_context *context,
                        struct weir_proof *proof) {
    struct proof_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return -ENOMEM;
    *sink = (struct proof_sink){.context = context, .proof = proof};
    *ret_state = sink;
    return 0;
}

const struct weir_sink weir_sink_proof = {.name = "evidence",
                                          .help = "the packets that prove an incident",
                                          .record = proof_record,
                                          .flush = proof_flush,
                                          .free = proof_free};

/* ---- life ---- */

int weir_proof_new(struct weir_proof **ret_proof, unsigned n_workers, size_t bytes,
                   const char *directory, bool live, struct weir_fault *fault) {
    struct weir_proof *proof = calloc(1, sizeof *proof);
    if (!proof) return -ENOMEM;
    proof->live = live;
    pthread_mutex_init(&proof->lock, NULL);
    pthread_cond_init(&proof->changed, NULL);
    snprintf(proof->directory, sizeof proof->directory, "%s", directory);
    proof->rings = calloc(n_workers, sizeof(struct weir_proof_ring *));
    proof->n_rings = proof->rings ? n_workers : 0;
    bool whole = proof->rings;
    for (unsigned i = 0; whole && i < n_workers; i++)
        whole = (proof->rings[i] = weir_proof_ring_new(bytes / n_workers)) != NULL;
    if (!whole) {
        weir_proof_free(proof);
        return weir_fault_set(
            fault, -ENOMEM,
            "no memory for the evidence of incidents; --evidence takes less of it, or 0");
    }
    *ret_proof = proof;
    return 0;
}

void weir_proof_free(struct weir_proof *proof) {
    if (!proof) return;
    pthread_mutex_lock(&proof->lock);
    proof->stop = true;
    pthread_cond_signal(&proof->changed);
    pthread_mutex_unlock(&proof->lock);
    if (proof->runs) pthread_join(proof->thread, NULL);
    for (unsigned i = 0; i < proof->n_rings; i++) weir_proof_ring_free(proof->rings[i]);
    free(proof->rings);
    pthread_cond_destroy(&proof->changed);
    pthread_mutex_destroy(&proof->lock);
    free(proof);
}

struct weir_proof_ring *weir_proof_ring_of(struct weir_proof *proof, unsigned worker) {
    return proof && worker < proof->n_rings ? proof->rings[worker] : NULL;
}
