/* Hands each record to every sink. */
#include <assert.h>

#include <weir/sink.h>

void weir_publisher_add(struct weir_publisher *publisher, const struct weir_sink *sink,
                        void *state) {
    assert(publisher->n < sizeof publisher->sinks / sizeof publisher->sinks[0]);
    publisher->sinks[publisher->n].sink = sink;
    publisher->sinks[publisher->n++].state = state;
}

int weir_publisher_record(struct weir_publisher *publisher, const struct weir_record *record,
                          struct weir_fault *fault) {
    int first = 0;
    for (size_t i = 0; i < publisher->n; i++) {
        int error = publisher->sinks[i].sink->record(publisher->sinks[i].state, record,
                                                     first ? NULL : fault);
        first = first ? first : error;
    }
    return first;
}

int weir_publisher_flush(struct weir_publisher *publisher, struct weir_fault *fault) {
    int first = 0;
    for (size_t i = 0; i < publisher->n; i++) {
        int error =
            publisher->sinks[i].sink->flush(publisher->sinks[i].state, first ? NULL : fault);
        first = first ? first : error;
    }
    return first;
}

void weir_publisher_deinit(struct weir_publisher *publisher) {
    for (size_t i = 0; i < publisher->n; i++)
        publisher->sinks[i].sink->free(publisher->sinks[i].state);
    publisher->n = 0;
}
