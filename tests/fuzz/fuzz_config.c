/* Fuzzes the configuration file. Loaded on top of defaults, any file either leaves values that the
 * engine may run with, or one line without control characters that says what is wrong. */
#undef NDEBUG
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_values(const struct weir_config *config) {
    assert(config->records > 0 && config->records < 1u << WEIR_RECORD_N);
    assert(config->workers >= 1 && config->workers <= 64);
    assert(config->memory_bytes >= (size_t)16 << 20);
    assert(config->n_local <= WEIR_LOCAL_MAX);
    for (size_t i = 0; i < config->n_local; i++) assert(config->local[i].bits <= 128);
    assert(!config->site || (*config->site && strlen(config->site) <= 128));
    assert(config->clients <= WEIR_CLIENTS_NONE);
}

static void check_fault(const struct weir_fault *fault) {
    assert(fault->text[0] && memchr(fault->text, '\0', sizeof fault->text));
    for (const char *at = fault->text; *at; at++) assert(!iscntrl((unsigned char)*at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0) return 0;
    if (write(fd, data, size) == (ssize_t)size) {
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        struct weir_config config;
        struct weir_fault fault = {0};
        weir_config_init(&config);
        int error = weir_config_load(&config, path, &fault);
        assert(error <= 0);
        if (error)
            check_fault(&fault);
        else
            check_values(&config);
        weir_config_deinit(&config);
    }
    close(fd);
    return 0;
}
