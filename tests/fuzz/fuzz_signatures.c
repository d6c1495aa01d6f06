/* Fuzzes the signature loader: the bytes are one file, for a service, or beginning with 'C' the CDN
 * list, beside a sound service. What loads must answer; what does not must say why in one printable
 * line. */
#undef NDEBUG
#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/service.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char sound[] =
    "id: b\ntitle: B\nkind: vod\nndpi: [B]\nhosts: {media: [b.net], control: [m.b.net]}\n"
    "prefixes: {media: [198.18.0.0/15]}\n";
static char directory[64];

static void write_file(const char *name, const void *bytes, size_t length) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(fd >= 0);
    ssize_t n = write(fd, bytes, length);
    assert(n == (ssize_t)length);
    close(fd);
}

static void remove_file(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    unlink(path);
}

static void remove_directory(void) {
    remove_file("a.yaml");
    remove_file("b.yaml");
    remove_file("cdn.yaml");
    rmdir(directory);
}

static void make_directory(void) {
    if (directory[0]) return;
    strcpy(directory, "/dev/shm/weir-fuzz-XXXXXX");
    char *made = mkdtemp(directory);
    assert(made);
    atexit(remove_directory);
    write_file("b.yaml", sound, sizeof sound - 1);
}

static void check_service(const struct weir_service_set *set, weir_service_id id) {
    const struct weir_service *service = weir_service_get(set, id);
    assert(service && service->n_hosts > 0 && weir_service_find(set, service->id) == id);
    for (size_t i = 0; i < service->n_hosts; i++) {
        const char *suffix = service->hosts[i].suffix;
        struct weir_match match = weir_service_match_host(set, suffix, strlen(suffix));
        assert(match.service == id && match.role == service->hosts[i].role && !match.never_count);
    }
    for (size_t i = 0; i < service->n_never_count; i++)
        assert(
            weir_service_match_host(set, service->never_count[i], strlen(service->never_count[i]))
                .never_count);
    for (size_t i = 0; i < service->n_ndpi; i++)
        assert(weir_service_match_ndpi(set, service->ndpi[i]).service == id);
    for (size_t i = 0; i < service->n_prefixes; i++)
        assert(weir_service_match_addr(set, &service->prefixes[i].addr).service >=
               WEIR_SERVICE_FIRST);
    assert(service->buffer_us <= 600u * 1000000u);
    assert(service->segment_us <= 60u * 1000000u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    make_directory();
    bool is_cdn = size > 0 && data[0] == 'C';
    const char *name = is_cdn ? "cdn.yaml" : "a.yaml";
    write_file(name, data + is_cdn, size - is_cdn);

    struct weir_service_set *set = NULL;
    struct weir_fault fault = {""};
    int error = weir_service_set_load(&set, directory, &fault);
    assert(error <= 0 && (error == 0) == (set != NULL) && (error == 0) == (fault.text[0] == '\0'));
    for (const char *at = fault.text; *at; at++) assert(isprint((unsigned char)*at));
    for (size_t id = WEIR_SERVICE_FIRST; set && id < weir_service_set_count(set); id++)
        check_service(set, (weir_service_id)id);
    weir_service_set_unref(set);
    remove_file(name);
    return 0;
}
