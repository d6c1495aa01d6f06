/* A directory of signature files for a test, gone at its end. */
#pragma once

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct signature_files {
    char path[64];
};

static inline struct signature_files signature_files_new(void) {
    struct signature_files files = {"/tmp/weir-signatures-XXXXXX"};
    char *made = mkdtemp(files.path);
    assert(made);
    return files;
}

static inline void signature_files_write(const struct signature_files *files, const char *name,
                                         const void *bytes, size_t length) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", files->path, name);
    FILE *file = fopen(path, "wb");
    assert(file);
    size_t written = fwrite(bytes, 1, length, file);
    int closed = fclose(file);
    assert(written == length && closed == 0);
}

static inline void signature_files_add(const struct signature_files *files, const char *name,
                                       const char *text) {
    signature_files_write(files, name, text, strlen(text));
}

static inline void signature_files_free(const struct signature_files *files) {
    DIR *directory = opendir(files->path);
    assert(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (unlinkat(dirfd(directory), entry->d_name, 0) < 0)
            unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
    }
    closedir(directory);
    rmdir(files->path);
}
