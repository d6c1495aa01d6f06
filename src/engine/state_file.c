/* What a restart must not forget, in one file: the detector's memory, and what server addresses served.
 *
 *     magic "weirstat" | version | layout | saved (us) | bytes of detector | facts | checksum (XXH3 of all after it) | detector | facts
 *
 * It is written beside itself and renamed, so that a crash leaves the older one whole. A file that is broken, from another build or of
 * another time is told and passed over: to begin anew is safe, to begin with nonsense isn't.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/state_file.h"

enum { VERSION = 1, FILE_MAX = 256 << 20, FACTS_MAX = 65536 };
#define TOO_OLD_US (INT64_C(7) * 86400 * 1000000)
#define AHEAD_US   INT64_C(60000000)

struct head {
    char magic[8];
    uint32_t version, layout;
    int64_t saved_us;
    uint64_t n_detector, n_facts, checksum;
};
struct saved_fact { /* services by name: ids move when signatures change */
    struct weir_addr addr;
    char service[32];
    uint8_t role;
    int64_t learned_us;
};

static uint64_t checksum_of(const struct head *head, const uint8_t *body, size_t n)
{
    return XXH3_64bits_withSeed(body, n, (uint64_t)head->saved_us ^ head->n_detector << 20 ^ head->n_facts);
}

static void path_of(char path[PATH_MAX], const char *directory, const char *suffix)
{
    snprintf(path, PATH_MAX, "%s/engine.state%s", directory, suffix);
}

/* ---- reading ---- */

static int read_whole(const char *path, uint8_t **ret_bytes, size_t *ret_n, struct weir_fault *fault)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat stat;
    if (fd < 0)
        return errno == ENOENT ? WEIR_STATE_NONE : (weir_fault_set(fault, 0, "%s: %s", path, strerror(errno)), WEIR_STATE_NONE);
    uint8_t *bytes = NULL;
    size_t n = 0;
    if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_size >= (off_t)sizeof(struct head) && stat.st_size <= FILE_MAX)
        bytes = malloc((size_t)stat.st_size);
    while (bytes && n < (size_t)stat.st_size) {
        ssize_t got = read(fd, bytes + n, (size_t)stat.st_size - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    if (bytes && n == (size_t)stat.st_size) {
        *ret_bytes = bytes;
        *ret_n = n;
        return 0;
    }
    free(bytes);
    weir_fault_set(fault, 0, "%s: not a state of weir's; what was learned before is not used", path);
    return WEIR_STATE_NONE;
}

static const char *objection(const struct head *head, const uint8_t *body, size_t n, int64_t now_us)
{
    if (memcmp(head->magic, "weirstat", 8) != 0)
        return "not a state of weir's";
    if (head->version != VERSION || head->layout != weir_detector_layout())
        return "written by another version of weir";
    if (head->n_facts > FACTS_MAX || head->n_detector > n || n - head->n_detector != head->n_facts * sizeof(struct saved_fact) ||
        head->checksum != checksum_of(head, body, n))
        return "damaged (its checksum does not fit)";
    if (head->saved_us > now_us + AHEAD_US)
        return "of a later time than these packets";
    return now_us - head->saved_us > TOO_OLD_US ? "more than a week old" : NULL;
}

static void learn(struct weir_address_memory *addresses, const struct weir_service_set *set, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct saved_fact saved;
        memcpy(&saved, bytes + i * sizeof saved, sizeof saved);
        saved.service[sizeof saved.service - 1] = '\0';
        const struct weir_address_fact fact = {
            .addr = saved.addr, .service = weir_service_find(set, saved.service), .role = saved.role <= WEIR_ROLE_MEDIA ? saved.role : WEIR_ROLE_OTHER};
        if (fact.service != WEIR_SERVICE_NONE)
            weir_address_memory_learn(addresses, &fact, saved.learned_us);
    }
}

int weir_state_file_read(const char *directory, struct weir_detector *detector, struct weir_address_memory *addresses,
                         const struct weir_service_set *set, int64_t now_us, struct weir_fault *fault)
{
    char path[PATH_MAX];
    uint8_t *bytes;
    size_t n;
    struct head head;
    path_of(path, directory, "");
    int error = read_whole(path, &bytes, &n, fault);
    if (error)
        return error;
    memcpy(&head, bytes, sizeof head);
    const uint8_t *body = bytes + sizeof head;
    const char *why = objection(&head, body, n - sizeof head, now_us);
    if (why) {
        weir_fault_set(fault, 0, "%s: %s; what was learned before is not used", path, why);
        error = WEIR_STATE_NONE;
    } else if ((error = weir_detector_restore(detector, body, head.n_detector)) < 0)
        weir_fault_set(fault, error, "%s: damaged; what was learned before is not used", path);
    else
        learn(addresses, set, body + head.n_detector, head.n_facts);
    free(bytes);
    return error;
}

/* ---- writing ---- */

struct facts {
    const struct weir_service_set *set;
    struct saved_fact *list;
    size_t n;
};

static void take_fact(void *context, const struct weir_address_fact *fact, int64_t learned_us)
{
    struct facts *facts = context;
    if (facts->n == FACTS_MAX)
        return;
    struct saved_fact *saved = &facts->list[facts->n++];
    *saved = (struct saved_fact){.addr = fact->addr, .role = fact->role, .learned_us = learned_us};
    snprintf(saved->service, sizeof saved->service, "%s", weir_service_get(facts->set, fact->service)->id);
}

static int write_all(int fd, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(fd, (const uint8_t *)bytes + done, n - done);
        if (wrote < 0 && errno != EINTR)
            return -errno;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

static int replace(const char *directory, const struct head *head, const uint8_t *body, size_t n, struct weir_fault *fault)
{
    char path[PATH_MAX], beside[PATH_MAX];
    path_of(path, directory, "");
    path_of(beside, directory, ".new");
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), error = fd < 0 ? -errno : 0;
    if (!error)
        error = write_all(fd, head, sizeof *head);
    if (!error)
        error = write_all(fd, body, n);
    if (!error && fdatasync(fd) < 0)
        error = -errno;
    if (fd >= 0)
        close(fd);
    if (!error && rename(beside, path) < 0)
        error = -errno;
    return error ? weir_fault_set(fault, error, "%s: cannot be written: %s", path, strerror(-error)) : 0;
}

int weir_state_file_write(const char *directory, struct weir_detector *detector, const struct weir_address_memory *addresses,
                          const struct weir_service_set *set, int64_t now_us, struct weir_fault *fault)
{
    struct facts facts = {.set = set, .list = calloc(FACTS_MAX, sizeof *facts.list)};
    uint8_t *body = NULL, *whole = NULL;
    size_t n = 0;
    int error = facts.list ? weir_detector_save(detector, &body, &n) : -ENOMEM;
    if (!error) {
        weir_address_memory_each(addresses, take_fact, &facts);
        whole = realloc(body, n + facts.n * sizeof *facts.list);
        error = whole ? 0 : -ENOMEM;
    }
    if (!error) {
        body = whole;
        memcpy(body + n, facts.list, facts.n * sizeof *facts.list);
        struct head head = {.magic = {'w', 'e', 'i', 'r', 's', 't', 'a', 't'}, .version = VERSION, .layout = weir_detector_layout(),
                            .saved_us = now_us, .n_detector = n, .n_facts = facts.n};
        n += facts.n * sizeof *facts.list;
        head.checksum = checksum_of(&head, body, n);
        error = replace(directory, &head, body, n, fault);
    } else
        weir_fault_set(fault, error, "%s/engine.state: no memory to write it", directory);
    free(body);
    free(facts.list);
    return error;
}
