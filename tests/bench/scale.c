/* What does the detector cost when everything fails at once? CPU a failing client and slot, which
 * must not grow with the clients.
 *
 *     scale [--check] [--most CLIENTS]
 *
 * Each row drives the detector of the program as the coordinator does: six slots in which all is
 * well, six in which the row's trouble lasts, ten ticks a slot, trials spread over them. The cost
 * is the CPU time of the last six. --check fails where a row's dearest size costs more than twice
 * its cheapest one above a thousand clients (below, what is fixed weighs).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/detect.h>

enum { SERVICES = 24, SLOTS = 6, TICKS = 10 };

struct row {
    const char *name;
    unsigned failing; /* services */
    bool dns, many_prefixes, ipv6, random_stamps;
};
static const struct row rows[] = {
    {.name = "1 service", .failing = 1},
    {.name = "3 services", .failing = 3},
    {.name = "23 services", .failing = 23},
    {.name = "resolver", .dns = true},
    {.name = "a prefix a client", .failing = 1, .many_prefixes = true},
    {.name = "IPv6, /64s of one /48", .failing = 1, .ipv6 = true},
    {.name = "random time stamps", .failing = 1, .random_stamps = true},
};
static const unsigned sizes[] = {100, 1000, 8000, 20000, 50000, 200000};
enum { ROWS = sizeof rows / sizeof *rows, SIZES = sizeof sizes / sizeof *sizes };

static struct weir_addr client_addr(unsigned i, bool ipv6) {
    struct weir_addr addr = {{0x20, 0x01, 0x0d, 0xb8, 0, 7}};
    if (ipv6) {
        addr.bytes[5] = (uint8_t)(7 + (i >> 16));
        addr.bytes[6] = (uint8_t)(i >> 8);
        addr.bytes[7] = (uint8_t)i;
        return addr;
    }
    return (struct weir_addr){
        {[10] = 0xff, 0xff, 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

static struct weir_addr server_addr(unsigned i) {
    return (struct weir_addr){
        {[10] = 0xff, 0xff, 198, (uint8_t)(18 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)(i % 256)}};
}

/* Each client tries one service, and one other that works. */
static size_t make_slot(const struct row *row, unsigned clients, bool failing, int64_t start_us,
                        struct weir_trial *trials) {
    size_t n = 0;
    unsigned used = row->failing ? row->failing : SERVICES - WEIR_SERVICE_FIRST;
    for (unsigned i = 0; i < clients; i++) {
        int64_t at_us = start_us + 100000 +
                        (row->random_stamps ? (int64_t)(i * 2654435761u) % 9800000
                                            : (int64_t)i * 9800000 / clients);
        struct weir_trial trial = {
            .client = client_addr(i, row->ipv6),
            .prefix = row->dns ? server_addr(53)
                               : server_addr(row->many_prefixes ? 1000 + i : 100 + i % used),
            .service = (weir_service_id)(WEIR_SERVICE_FIRST + i % used),
            .layer = row->dns ? WEIR_LAYER_DNS : WEIR_LAYER_CONNECT,
            .kind = row->dns ? WEIR_OUTCOME_DNS_TIMEOUT : WEIR_OUTCOME_SYN_TIMEOUT,
            .fail = failing,
            .ok = !failing,
            .first_us = at_us - 3000000};
        *(failing ? &trial.fail_us : &trial.ok_us) = at_us;
        if (!failing) trial.kind = WEIR_OUTCOME_USEFUL;
        trials[n++] = trial;
        trial.prefix = server_addr(60000 + i % 7);
        trial.service = WEIR_SERVICE_OTHER;
        trial.layer = WEIR_LAYER_CONNECT;
        trial.kind = WEIR_OUTCOME_USEFUL;
        trial.ok = true;
        trial.fail = false;
        trial.ok_us = at_us;
        trials[n++] = trial;
    }
    return n;
}

static double cpu(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run_slot(struct weir_detector *detector, int64_t start_us,
                     const struct weir_trial *trials, size_t n) {
    for (int tick = 1; tick <= TICKS; tick++) {
        struct weir_slot slot = {
            .start_us = start_us, .trials = trials, .n_trials = n * (size_t)tick / TICKS};
        weir_detector_slot(detector, &slot, tick == TICKS);
        weir_detector_step(detector, start_us + tick * WEIR_SLOT_US / TICKS);
    }
}

static unsigned raised;
static void count(void *context, const struct weir_incident *incident) {
    (void)context;
    raised += incident->event == WEIR_INCIDENT_RAISED;
}

/* us of CPU a failing client and slot. */
static double cost_of(const struct row *row, unsigned clients) {
    static const char *const names[SERVICES] = {"none", "other", "a", "b", "c", "d", "e", "f",
                                                "g",    "h",     "i", "j", "k", "l", "m", "n",
                                                "o",    "p",     "q", "r", "s", "t", "u", "v"};
    struct weir_detect_config config;
    struct weir_detector *detector;
    struct weir_trial *trials = calloc((size_t)clients * 2, sizeof *trials);
    int64_t at_us = INT64_C(1750000000) * 1000000;
    weir_detect_config_default(&config);
    if (!trials || weir_detector_new(&detector, &config, names, SERVICES, count, NULL) < 0) exit(1);
    for (int slot = 0; slot < SLOTS; slot++, at_us += WEIR_SLOT_US)
        run_slot(detector, at_us, trials, make_slot(row, clients, false, at_us, trials));
    raised = 0;
    double begun = cpu(), worked = 0;
    for (int slot = 0; slot < SLOTS; slot++, at_us += WEIR_SLOT_US) {
        size_t n = make_slot(row, clients, true, at_us, trials);
        begun = cpu();
        run_slot(detector, at_us, trials, n);
        worked += cpu() - begun;
    }
    if (!raised) fprintf(stderr, "%s, %u clients: nothing was raised\n", row->name, clients);
    weir_detector_free(detector);
    free(trials);
    return worked * 1e6 / clients / SLOTS;
}

int main(int argc, char **argv) {
    bool check = false, dear = false;
    unsigned most = 200000;
    for (int i = 1; i < argc; i++) {
        check |= strcmp(argv[i], "--check") == 0;
        if (strcmp(argv[i], "--most") == 0 && i + 1 < argc) most = (unsigned)atoi(argv[++i]);
    }
    printf("us of CPU a failing client and slot (ten ticks)\n%-24s", "clients");
    for (size_t s = 0; s < SIZES && sizes[s] <= most; s++) printf("%9u", sizes[s]);
    printf("\n");
    for (size_t r = 0; r < ROWS; r++) {
        double least = 1e9, top = 0;
        printf("%-24s", rows[r].name);
        for (size_t s = 0; s < SIZES && sizes[s] <= most; s++) {
            double cost = cost_of(&rows[r], sizes[s]);
            printf("%9.2f", cost);
            fflush(stdout);
            if (sizes[s] < 1000) continue;
            least = cost < least ? cost : least;
            top = cost > top ? cost : top;
        }
        printf("   x %.1f\n", least < 1e9 ? top / least : 1);
        dear |= top > 2 * least && least < 1e9;
    }
    return check && dear;
}
