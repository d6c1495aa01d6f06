/* Fuzzes the whole engine: the bytes become a capture (two bytes choose its link type and how many
 * workers read it; then frames, each behind four bytes: its length, how much of it was cut off, the
 * time before it, and a step back), which is replayed with every record type. Each record must be
 * JSON without a negative number, `decode` must sum to the packets, and several workers must say
 * what one says, to the byte.
 *
 * Tables are the smallest that there are, and the linker puts a pool in front of nDPI (--wrap):
 * making them took most of the time of a short replay. Should several workers differ, new modules
 * have the last word: nDPI's own memories are not what is tested. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <json-c/json.h>

#include <weir/decode.h>

#include "classify/dpi.h"
#include "engine/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAME_HEADER = 4, FRAMES_MAX = 512 };

static const uint8_t linktypes[] = {101, 1, 113, 228, 12, 0, 14, 108};

/* ---- the capture ---- */

struct pcap_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, figures, snaplen, linktype;
};
struct pcap_record {
    uint32_t seconds, micros, captured, wire;
};

static int64_t next_stamp(int64_t *now_us, uint8_t gap, uint8_t step) {
    *now_us += (int64_t)gap * gap * 300; /* up to 20 s */
    if ((step & 0xc0) == 0xc0)
        return (int64_t)(step & 1 ? 0xffffffffu : step) * 1000000; /* 2106, or 1970 */
    return step & 0x80 ? *now_us - (int64_t)(step & 0x3f) * 3000000 : *now_us;
}

static size_t write_capture(FILE *file, const uint8_t *data, size_t size, uint8_t linktype) {
    const struct pcap_header header = {0xa1b2c3d4, 2, 4, 0, 0, 65535, linktype};
    fwrite(&header, sizeof header, 1, file);
    int64_t now_us = INT64_C(1700000000000000);
    size_t n = 0;
    for (; size > FRAME_HEADER && n < FRAMES_MAX; n++) {
        size_t length = data[0] | (size_t)(data[1] & 7) << 8;
        int64_t ts_us = next_stamp(&now_us, data[2], data[3]);
        length = length < size - FRAME_HEADER ? length : size - FRAME_HEADER;
        const struct pcap_record record = {(uint32_t)(ts_us / 1000000), (uint32_t)(ts_us % 1000000),
                                           (uint32_t)length,
                                           (uint32_t)length + (data[1] >> 3) * 40u};
        fwrite(&record, sizeof record, 1, file);
        fwrite(data + FRAME_HEADER, 1, length, file);
        data += FRAME_HEADER + length;
        size -= FRAME_HEADER + length;
    }
    fflush(file);
    return n;
}

/* ---- the records ---- */

static void check_value(const char *key, struct json_object *value) {
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, inner) check_value(name, inner);
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            check_value(key, json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_int) ||
               json_object_is_type(value, json_type_double)) {
        assert(json_object_get_double(value) >= 0);
    }
}

static void check_capture(struct json_object *record, size_t n_frames) {
    struct json_object *decode = json_object_object_get(record, "decode");
    int64_t packets = json_object_get_int64(json_object_object_get(record, "packets")), sum = 0;
    json_object_object_foreach(decode, name, count) sum += name ? json_object_get_int64(count) : 0;
    assert(packets == (int64_t)n_frames && sum == packets);
}

/* `text` is NDJSON; exactly one record, the last, is the capture's. */
static void check_output(char *text, size_t n_frames) {
    unsigned n_captures = 0;
    for (char *line = text, *next; *line; line = next) {
        char *end = strchr(line, '\n');
        assert(end);
        *end = '\0';
        next = end + 1;
        enum json_tokener_error wrong;
        struct json_object *record = json_tokener_parse_verbose(line, &wrong);
        assert(record && wrong == json_tokener_success);
        const char *type = json_object_get_string(json_object_object_get(record, "type"));
        assert(type);
        check_value("", record);
        if (strcmp(type, "capture") == 0) {
            check_capture(record, n_frames);
            n_captures++;
        }
        json_object_put(record);
    }
    assert(n_captures == 1);
}

/* ---- nDPI, kept ---- */

enum { KEPT_MAX = 4 };
static struct dpi *kept[KEPT_MAX];
static unsigned n_kept;
static bool keep = true;

int __real_dpi_new(struct dpi **ret_dpi);
void __real_dpi_free(struct dpi *dpi);
int __wrap_dpi_new(struct dpi **ret_dpi);
void __wrap_dpi_free(struct dpi *dpi);

int __wrap_dpi_new(struct dpi **ret_dpi) {
    if (!keep || n_kept == 0) return __real_dpi_new(ret_dpi);
    *ret_dpi = kept[--n_kept];
    return 0;
}

void __wrap_dpi_free(struct dpi *dpi) {
    if (dpi && keep && n_kept < KEPT_MAX)
        kept[n_kept++] = dpi;
    else
        __real_dpi_free(dpi);
}

/* ---- the engine ---- */

static struct weir_service_set *services(void) {
    static struct weir_service_set *set;
    struct weir_fault fault = {0};
    int error = set ? 0 : weir_service_set_load(&set, WEIR_SIGNATURES, &fault);
    assert(error == 0);
    return set;
}

/* All records of the capture at `path` as text; the caller's to free. */
static char *replay(const char *path, unsigned n_workers, enum weir_clients_mode clients) {
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert(stream);
    struct weir_fault fault = {0};
    struct weir_source *source;
    struct weir_publisher publisher = {0};
    struct weir_detect_config detect;
    const struct weir_publish_context context = {
        .site = "fuzz", .set = services(), .clients = clients};
    const struct weir_source_options how = {.n_workers = n_workers,
                                            .knows_linktype = weir_decode_knows_link};
    int error = weir_source_open_files(&source, &path, 1, &how, &fault);
    assert(error == 0);
    void *sink;
    error = weir_sink_ndjson_new(&sink, &context, (1u << WEIR_RECORD_N) - 1, stream);
    assert(error == 0);
    weir_publisher_add(&publisher, &weir_sink_ndjson, sink);
    weir_detect_config_default(&detect);
    detect.max_clients = detect.max_prefixes = detect.max_destinations = detect.max_resolvers =
        detect.max_history = 256;
    const struct weir_engine_options options = {.set = services(),
                                                .n_workers = n_workers,
                                                .memory_bytes = (size_t)2 << 20,
                                                .want_flows = true,
                                                .detect = &detect,
                                                .publisher = &publisher};
    error = weir_engine_run(source, &options, &fault);
    assert(error == 0);
    weir_publisher_deinit(&publisher);
    weir_source_free(source);
    fclose(stream);
    return text;
}

/* With modules of nDPI that were used before, or, `fresh`, with new ones. */
static bool agree(const char *path, unsigned n_workers, enum weir_clients_mode clients,
                  bool fresh) {
    keep = !fresh;
    char *one = replay(path, 1, clients), *several = replay(path, n_workers, clients);
    keep = true;
    bool same = strcmp(one, several) == 0;
    if (!same && fresh) fprintf(stderr, "one worker:\n%s%u workers:\n%s", one, n_workers, several);
    free(one);
    free(several);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) return 0;
    size_t n_frames =
        write_capture(file, data + 2, size - 2, linktypes[data[0] % sizeof linktypes]);
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum weir_clients_mode clients = (enum weir_clients_mode)((data[1] >> 2) % 3);
    char *text = replay(path, 1, clients);
    check_output(text, n_frames);
    free(text);
    unsigned n_workers = 1 + (data[1] & 3);
    assert(n_workers == 1 || agree(path, n_workers, clients, false) ||
           agree(path, n_workers, clients, true));
    fclose(file);
    return 0;
}
