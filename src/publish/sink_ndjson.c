/* NDJSON: one record a line on a stream, in the order of the records. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/sink.h>

struct ndjson_sink {
    struct weir_json *json;
    unsigned types;
    FILE *stream;
};

static int ndjson_record(void *state, const struct weir_record *record, struct weir_fault *fault) {
    struct ndjson_sink *sink = state;
    if (!(sink->types & 1u << record->type)) return 0;
    size_t length;
    const char *text = weir_json_record(sink->json, record, &length);
    if (fwrite(text, 1, length, sink->stream) != length || fputc('\n', sink->stream) == EOF)
        return weir_fault_set(fault, -EIO, "writing records: %s", strerror(errno));
    return 0;
}

static int ndjson_flush(void *state, struct weir_fault *fault) {
    struct ndjson_sink *sink = state;
    return fflush(sink->stream) == 0
               ? 0
               : weir_fault_set(fault, -EIO, "writing records: %s", strerror(errno));
}

static void ndjson_free(void *state) {
    struct ndjson_sink *sink = state;
    if (sink) weir_json_free(sink->json);
    free(sink);
}

int weir_sink_ndjson_new(void **ret_state, const struct weir_publish_context *context,
                         unsigned types, void *stream) {
    struct ndjson_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return -ENOMEM;
    *sink = (struct ndjson_sink){.json = weir_json_new(context), .types = types, .stream = stream};
    *ret_state = sink;
    return 0;
}

const struct weir_sink weir_sink_ndjson = {
    .name = "ndjson",
    .help = "one JSON object a line",
    .record = ndjson_record,
    .flush = ndjson_flush,
    .free = ndjson_free,
};
