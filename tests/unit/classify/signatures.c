#include "signatures.h"

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct weir_service_set *load_signatures(const struct signature_text *files, size_t n_files) {
    char directory[] = "/tmp/weir-classify-XXXXXX", path[128];
    assert(mkdtemp(directory));
    for (size_t i = 0; i < n_files; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i].name);
        FILE *file = fopen(path, "w");
        assert(file);
        fputs(files[i].text, file);
        fclose(file);
    }
    struct weir_service_set *set = NULL;
    struct weir_fault fault = {{0}};
    int r = weir_service_set_load(&set, directory, &fault);
    for (size_t i = 0; i < n_files; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i].name);
        unlink(path);
    }
    rmdir(directory);
    if (r < 0) fprintf(stderr, "%s\n", fault.text);
    assert(r == 0);
    return set;
}
