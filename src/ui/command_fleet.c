/* `weir fleet`: joins the incidents of all sites that write to one Redis into verdicts, until it is
 * stopped. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "fleet/fleet.h"
#include "ui/command.h"
#include "ui/confined.h"
#include "ui/prompt.h"

static const char usage[] =
    "Usage: weir fleet [OPTIONS] --redis URL\n\n"
    "Joins the incidents of all sites into one verdict: global, regional (with the list) or "
    "local. Reads what weir live writes to Redis or a Redis Cluster, and writes "
    "weir:fleet:incidents. Several may run: one leads, the others take over when it dies. A "
    "site named REGION/NAME is in that region. Replays do not vote.\n\n"
    "Exit: 0 stopped, 1 failed, 2 usage.";

static volatile sig_atomic_t stopped;

static void on_stop(int number) { stopped = 1; }

struct talk {
    bool json;
};

static void heard(void *context, const char *event, const char *text, const char *json) {
    const struct talk *talk = context;
    if (talk->json)
        puts(json);
    else
        printf("%-8s %s\n", event, text);
    fflush(stdout);
}

static void wait_ms(long ms) {
    const struct timespec span = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}

/* Says each change of who leads and of whether Redis answers, once. */
static void run_turns(struct weir_fleet *fleet) {
    int before = -1;
    while (!stopped) {
        struct weir_fault fault = {0};
        int result = weir_fleet_turn(fleet, &fault);
        int now = result < 0 ? -2 : result == WEIR_FLEET_STANDBY;
        if (now != before && now == -2)
            weir_log(WEIR_LOG_ERROR, "%s; trying on", fault.text);
        else if (now != before)
            weir_log(WEIR_LOG_NOTICE, now ? "another fleet leads; standing by"
                                          : "leading; all sites vote but those of replays");
        before = now;
        if (result != WEIR_FLEET_BUSY)
            wait_ms(result < 0 ? 1000 : result == WEIR_FLEET_STANDBY ? 500 : 200);
    }
    const struct weir_fleet_counts *counts = weir_fleet_counts(fleet);
    weir_log(
        WEIR_LOG_NOTICE,
        "%llu events, %llu read again, %llu unusable, %llu of clocks ahead, %llu late, %llu refused",
        (unsigned long long)counts->events, (unsigned long long)counts->again,
        (unsigned long long)counts->bad, (unsigned long long)counts->skewed,
        (unsigned long long)counts->late, (unsigned long long)counts->refused);
}

static int fleet_of(const struct weir_prompt *prompt, struct weir_fault *fault) {
    const char *url = weir_prompt_redis(prompt);
    struct weir_fleet *fleet = NULL;
    struct talk talk = {.json = prompt->json};
    if (!url)
        return weir_fault_set(fault, -EINVAL, "weir fleet needs Redis: name it by --redis URL");
    int error = weir_confine_reader(prompt, false, fault);
    if (!error) error = weir_fleet_new(&fleet, url, prompt->config.redis_password_file, fault);
    if (error) return error;
    const struct sigaction stop = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    weir_fleet_watch(fleet, heard, &talk);
    run_turns(fleet);
    weir_fleet_free(fleet);
    return 0;
}

static int run(int argc, char **argv) {
    struct weir_prompt prompt;
    struct weir_fault fault = {0};
    int operand = weir_prompt_parse(&prompt, argc, argv, usage, NULL, NULL, &fault),
        code = WEIR_EXIT_DONE;
    if (operand >= 0 && operand < argc)
        operand =
            weir_fault_set(&fault, -EINVAL, "'%s': fleet takes options only; see weir fleet --help",
                           argv[operand]);
    if (operand >= 0 && operand != WEIR_CONFIG_HELP) operand = fleet_of(&prompt, &fault);
    if (operand < 0) code = weir_prompt_fail(&fault, operand);
    weir_prompt_deinit(&prompt);
    return code;
}

const struct weir_command weir_command_fleet = {
    "fleet", "joins many sites' incidents into one verdict", run};
