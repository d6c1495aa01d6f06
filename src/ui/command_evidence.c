/* `weir evidence ID`: where the file is that proves an incident, or a copy of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/printable.h"
#include "base/private_file.h"
#include "ui/command.h"
#include "ui/prompt.h"

static const char usage[] =
    "Usage: weir evidence [OPTIONS] [ID]\n\n"
    "Prints the path of the pcapng file that proves an incident, or copies it (--output). "
    "Without an ID lists all of them, newest last. weir live keeps them in its state "
    "directory, weir replay --evidence DIR in DIR.\n\n"
    "A file holds packets of the flows that speak for the incident, and of those that rule "
    "others out. It has headers and handshakes only, and no client's address. weir replay of "
    "it mostly comes to the same verdict.\n\n"
    "Exit: 0 done, 1 failed, 2 usage, or no such file.";

struct asked {
    struct weir_prompt prompt;
    const char *output;
};

static int read_output(void *context, const char *text, struct weir_fault *fault) {
    ((struct asked *)context)->output = text;
    return *text ? 0 : weir_fault_set(fault, -EINVAL, "--output: name a file, or - for stdout");
}

static const struct weir_prompt_option own[] = {
    {"output", "FILE", "copy it there; - is stdout", read_output},
    {0},
};

static int copy(int from, int to) {
    char bytes[65536];
    ssize_t n;
    while ((n = read(from, bytes, sizeof bytes)) > 0)
        for (ssize_t done = 0, wrote; done < n; done += wrote)
            if ((wrote = write(to, bytes + done, (size_t)(n - done))) < 0) return -errno;
    return n < 0 ? -errno : 0;
}

static int show(const struct asked *asked, const char *path, struct weir_fault *fault) {
    const char *name;
    int directory = weir_private_directory(path, &name);
    int from = directory < 0 ? directory : weir_private_open(directory, name, O_RDONLY, SIZE_MAX);
    int error = from < 0 ? from : 0;
    if (directory >= 0) close(directory);
    if (error == -ENOENT)
        return weir_fault_set(fault, error,
                              "%s: no such file; weir evidence lists those that are there, weir "
                              "alerts the ids of incidents",
                              path);
    if (!error && !asked->output) {
        puts(path);
    } else if (!error) {
        bool is_stdout = strcmp(asked->output, "-") == 0;
        int to = is_stdout ? STDOUT_FILENO
                           : open(asked->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        error = to < 0 ? -errno : copy(from, to);
        if (to >= 0 && !is_stdout && close(to) < 0 && !error) error = -errno;
        if (error)
            weir_fault_set(fault, error, "%s: %s", asked->output, strerror(-error));
        else if (!is_stdout)
            printf("%s is written\n", asked->output);
    } else {
        weir_fault_set(fault, error, "%s: %s", path, weir_private_error(error));
    }
    if (from >= 0) close(from);
    return error;
}

static int older_first(const struct dirent **a, const struct dirent **b) {
    const char *x = strrchr((*a)->d_name, '-'),
               *y = strrchr((*b)->d_name, '-'); /* ids end with their onset in ms */
    long long left = x ? atoll(x + 1) : 0, right = y ? atoll(y + 1) : 0;
    return left != right ? (left < right ? -1 : 1) : strcmp((*a)->d_name, (*b)->d_name);
}

static int is_evidence(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 7 &&
           strcmp(entry->d_name + length - 7, ".pcapng") == 0;
}

static int list(const char *directory, struct weir_fault *fault) {
    struct dirent **entries;
    int n = scandir(directory, &entries, is_evidence, older_first);
    if (n < 0 && errno != ENOENT)
        return weir_fault_set(fault, -errno, "%s: %s", directory, strerror(errno));
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX + 300];
        struct stat stat_of;
        snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        if (lstat(path, &stat_of) == 0 && S_ISREG(stat_of.st_mode) &&
            weir_is_printable(entries[i]->d_name)) /* weir gives no other names */
            printf("%-40.*s %7.1f kB\n", (int)strlen(entries[i]->d_name) - 7, entries[i]->d_name,
                   (double)stat_of.st_size / 1000);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    if (n <= 0) printf("no evidence in %s\n", directory);
    return 0;
}

static int find(const struct asked *asked, const char *id, struct weir_fault *fault) {
    const char *state = weir_state_path(asked->prompt.state, R_OK);
    char directory[PATH_MAX + 16], path[PATH_MAX + 128];
    if (!state)
        return weir_fault_set(fault, -ENOENT,
                              "nothing to read: name by --state DIR the directory where weir live "
                              "keeps its evidence");
    snprintf(directory, sizeof directory, "%s/evidence", state);
    if (access(directory, F_OK) < 0 && access(state, F_OK) == 0 && asked->prompt.state)
        snprintf(directory, sizeof directory, "%s", state); /* of replay --evidence DIR */
    if (!id) return list(directory, fault);
    if (strchr(id, '/') || strlen(id) > 60)
        return weir_fault_set(fault, -EINVAL, "'%.60s': an incident's id, as weir alerts shows it",
                              id);
    snprintf(path, sizeof path, "%s/%s.pcapng", directory, id);
    return show(asked, path, fault);
}

static int run(int argc, char **argv) {
    struct asked asked = {0};
    struct weir_fault fault = {0};
    int operand = weir_prompt_parse(&asked.prompt, argc, argv, usage, own, &asked, &fault),
        code = WEIR_EXIT_DONE;
    if (operand >= 0 && operand != WEIR_CONFIG_HELP && operand + 1 < argc)
        operand = weir_fault_set(&fault, -EINVAL,
                                 "'%s': one incident at a time; see weir evidence --help",
                                 argv[operand + 1]);
    if (operand >= 0 && operand != WEIR_CONFIG_HELP)
        operand = find(&asked, operand < argc ? argv[operand] : NULL, &fault);
    if (operand < 0) code = weir_prompt_fail(&fault, operand);
    weir_prompt_deinit(&asked.prompt);
    return code;
}

const struct weir_command weir_command_evidence = {"evidence", "the packets that prove an incident",
                                                   run};
