/* What outlasts the run: the detector's memory and what addresses served (state_file.h), and the
 * names that clients were told (names_file.h). A file that cannot be read or written is said once,
 * and the run goes on without.
 */
#include "base/log.h"
#include "engine/coordinator_inside.h"

enum { STATE_WINDOWS = 60 }; /* from one write of the state to the next, unless there is news */

static void take_fact(void *context, const struct weir_address_fact *fact, int64_t learned_us) {
    struct weir_coordinator *c = context;
    if (c->n_facts < c->facts_max)
        c->facts[c->n_facts++] = *fact; /* the workers are told with the first bulletin */
}

bool coordinator_read_state(struct weir_coordinator *c) {
    struct weir_fault fault = {0};
    c->state_read = true;
    if (!c->options->state) return true;
    int error = weir_state_file_read(c->options->state, c->detector, c->addresses, c->options->set,
                                     c->now_us, &fault);
    if (fault.text[0]) weir_log(WEIR_LOG_WARNING, "%s", fault.text);
    if (error < 0) return false;
    weir_address_memory_each(c->addresses, take_fact, c);
    weir_detector_report(c->detector, c->now_us);
    return true;
}

void coordinator_write_state(struct weir_coordinator *c) {
    struct weir_fault fault = {0};
    if (!c->options->state || !c->detector) return;
    if (weir_state_file_write(c->options->state, c->detector, c->addresses, c->options->set,
                              c->now_us, &fault) < 0 &&
        !c->state_failed)
        weir_log(WEIR_LOG_WARNING, "%s; what was learned will be lost at the end", fault.text);
    c->state_failed = fault.text[0] != '\0';
    c->state_due = STATE_WINDOWS;
}

void coordinator_write_names(struct weir_coordinator *c) {
    struct weir_fault fault = {0};
    if (c->names_taken && weir_names_file_write(c->options->state, c->names_taken, &fault) < 0 &&
        !c->state_failed)
        weir_log(WEIR_LOG_WARNING, "%s; names that clients were told will be lost at the end",
                 fault.text);
    weir_names_file_free(c->names_taken);
    c->names_taken = NULL;
    c->names_due = STATE_WINDOWS;
}

void weir_coordinator_take_names(struct weir_coordinator *c,
                                 const struct weir_classifier *classifier, int64_t now_us) {
    if (!c->options->state || !classifier || c->names_taken) return;
    if (weir_names_file_take(&c->names_taken, classifier, now_us) < 0)
        weir_log(WEIR_LOG_WARNING, "%s/names.state: no memory to write it", c->options->state);
}

int coordinator_read_names(struct weir_coordinator *c) {
    struct weir_fault fault = {0};
    int error = c->options->state ? weir_names_file_read(&c->names, c->options->state, &fault) : 0;
    if (fault.text[0]) weir_log(WEIR_LOG_WARNING, "%s", fault.text);
    c->names_due = STATE_WINDOWS;
    return error;
}
