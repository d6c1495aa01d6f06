/* What a restart must not forget, in one file: the detector's memory, and what server addresses
 * served.
 *
 *     magic "weirstat" | version | layout | saved (us) | bytes of detector | facts | checksum (XXH3
 * of all after it) | detector | facts
 *
 * A file that is broken, from another build or of another time is told and passed over: to begin
 * anew is safe, to begin with nonsense isn't.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/state_file.h"
#include "engine/state_io.h"

#define NAME "engine.state"
enum { VERSION = 1, FACTS_MAX = 65536 };

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

static uint64_t checksum_of(const struct head *head, const uint8_t *body, size_t n) {
    return XXH3_64bits_withSeed(body, n,
                                (uint64_t)head->saved_us ^ head->n_detector << 20 ^ head->n_facts);
}

/* ---- reading ---- */

static const char *objection(const struct head *head, const uint8_t *body, size_t n,
                             int64_t now_us) {
    if (memcmp(head->magic, "weirstat", 8) != 0) return "not a state of weir's";
    if (head->version != VERSION || head->layout != weir_detector_layout())
        return "written by another version of weir";
    if (head->n_facts > FACTS_MAX || head->n_detector > n ||
        n - head->n_detector != head->n_facts * sizeof(struct saved_fact) ||
        head->checksum != checksum_of(head, body, n))
        return "damaged (its checksum does not fit)";
    return weir_state_io_age(head->saved_us, now_us);
}

static void learn(struct weir_address_memory *addresses, const struct weir_service_set *set,
                  const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct saved_fact saved;
        memcpy(&saved, bytes + i * sizeof saved, sizeof saved);
        saved.service[sizeof saved.service - 1] = '\0';
        const struct weir_address_fact fact = {
            .addr = saved.addr,
            .service = weir_service_find(set, saved.service),
            .role = saved.role <= WEIR_ROLE_MEDIA ? saved.role : WEIR_ROLE_OTHER};
        if (fact.service != WEIR_SERVICE_NONE)
            weir_address_memory_learn(addresses, &fact, saved.learned_us);
    }
}

int weir_state_file_read(const char *directory, struct weir_detector *detector,
                         struct weir_address_memory *addresses, const struct weir_service_set *set,
                         int64_t now_us, struct weir_fault *fault) {
    uint8_t *bytes;
    size_t n;
    struct head head;
    int error = weir_state_io_read(directory, NAME, sizeof head, &bytes, &n, fault);
    if (error) return error;
    memcpy(&head, bytes, sizeof head);
    const uint8_t *body = bytes + sizeof head;
    const char *why = objection(&head, body, n - sizeof head, now_us);
    if (why) {
        weir_fault_set(fault, 0, "%s/" NAME ": %s; what was learned before is not used", directory,
                       why);
        error = WEIR_STATE_NONE;
    } else if ((error = weir_detector_restore(detector, body, head.n_detector)) < 0)
        weir_fault_set(fault, error, "%s/" NAME ": damaged; what was learned before is not used",
                       directory);
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

static void take_fact(void *context, const struct weir_address_fact *fact, int64_t learned_us) {
    struct facts *facts = context;
    if (facts->n == FACTS_MAX) return;
    struct saved_fact *saved = &facts->list[facts->n++];
    *saved = (struct saved_fact){.addr = fact->addr, .role = fact->role, .learned_us = learned_us};
    snprintf(saved->service, sizeof saved->service, "%s",
             weir_service_get(facts->set, fact->service)->id);
}

int weir_state_file_write(const char *directory, struct weir_detector *detector,
                          const struct weir_address_memory *addresses,
                          const struct weir_service_set *set, int64_t now_us,
                          struct weir_fault *fault) {
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
        struct head head = {.magic = {'w', 'e', 'i', 'r', 's', 't', 'a', 't'},
                            .version = VERSION,
                            .layout = weir_detector_layout(),
                            .saved_us = now_us,
                            .n_detector = n,
                            .n_facts = facts.n};
        n += facts.n * sizeof *facts.list;
        head.checksum = checksum_of(&head, body, n);
        error = weir_state_io_replace(directory, NAME, &head, sizeof head, body, n, fault);
    } else
        weir_fault_set(fault, error, "%s/" NAME ": no memory to write it", directory);
    free(body);
    free(facts.list);
    return error;
}
