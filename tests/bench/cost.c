/* Runs a command and writes what it cost: cost OUT COMMAND [ARGUMENT...]
 *
 * OUT gets one line: elapsed seconds, CPU seconds (user and system, threads included), peak
 * resident KiB. A program of its own because a child's peak counts what its parent had resident
 * when it forked: under a script's interpreter no program would look smaller than the interpreter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double seconds(const struct timeval *time) {
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: cost OUT COMMAND [ARGUMENT...]\n");
        return 2;
    }
    FILE *out = fopen(argv[1], "we");
    if (!out) {
        perror(argv[1]);
        return 1;
    }
    double start_s = now_s();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        perror("cost");
        return 1;
    }
    double cpu_s = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
    fprintf(out, "%.6f %.6f %ld\n", now_s() - start_s, cpu_s, usage.ru_maxrss);
    if (fclose(out) != 0) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
