/* `weir top`: services and incidents on a full screen, read again every few seconds. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ui/command.h"
#include "ui/confined.h"
#include "ui/prompt.h"
#include "ui/status.h"
#include "ui/top.h"

static const char usage[] =
    "Usage: weir top [OPTIONS]\n\n"
    "Shows the services by state, with their last minutes, and the incidents below; ? lists "
    "the keys. Where the terminal cannot be drawn on, says once what weir status says.\n\n"
    "Exit: 0 done, 1 could not be read, 2 usage.";

/* Windows come every ten seconds; a file costs less to look at than a server. */
enum { FILE_MS = 1000, REDIS_MS = 3000 };

static volatile sig_atomic_t stopped;

static void on_stop(int number) { stopped = 1; }

struct top_run {
    struct weir_view_source *source;
    /* a view that cannot be read leaves the last one on the screen */
    struct weir_view *shown, *spare;
    struct weir_top top;
    struct weir_fault fault;
};

/* A service that is open shows its hour; the table has room for some minutes. */
static void load(struct top_run *run, bool hour) {
    run->fault.text[0] = '\0';
    if (weir_view_load(run->source, weir_prompt_now_us(),
                       hour ? WEIR_VIEW_POINTS_MAX : WEIR_VIEW_POINTS_RECENT, run->spare,
                       &run->fault) < 0)
        return;
    struct weir_view *old = run->shown;
    run->shown = run->spare;
    run->spare = old;
}

static void run_screen(struct top_run *run, struct weir_top_screen *screen) {
    int64_t loaded_us = weir_prompt_now_us(),
            every_us = (weir_view_source_redis(run->source) ? REDIS_MS : FILE_MS) * INT64_C(1000);
    bool had_hour = false;
    while (!stopped) {
        if (!run->shown->replay) run->shown->now_us = weir_prompt_now_us();
        weir_top_arrange(&run->top, run->shown);
        weir_top_screen_draw(screen, &run->top, run->shown,
                             run->fault.text[0] ? run->fault.text : NULL);
        enum weir_top_wish wish = weir_top_screen_key(screen, &run->top, 500);
        if (wish == WEIR_TOP_QUIT) return;
        int64_t now_us = weir_prompt_now_us();
        bool hour = weir_top_screen_opened(screen) != NULL, opened = hour && !had_hour;
        had_hour = hour;
        if (opened || wish == WEIR_TOP_RELOAD || now_us - loaded_us >= every_us ||
            now_us < loaded_us) {
            load(run, hour);
            loaded_us = now_us;
        }
    }
}

static int top(const struct weir_prompt *prompt, struct weir_fault *fault) {
    struct top_run run = {.shown = calloc(1, sizeof *run.shown),
                          .spare = calloc(1, sizeof *run.spare)};
    const char *why = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) ? NULL : "it is none";
    int error = run.shown && run.spare ? weir_confine_reader(prompt, true, fault) : -ENOMEM;
    char path[PATH_MAX];
    struct weir_fault ignored = {0};
    struct weir_service_set *set = NULL;
    if (weir_service_set_load(&set, weir_signatures_path(NULL, path), &ignored) == 0)
        run.top.set = set;
    if (!error) error = weir_prompt_open(prompt, &run.source, fault);
    if (!error)
        error = weir_view_load(run.source, weir_prompt_now_us(), WEIR_VIEW_POINTS_RECENT, run.shown,
                               fault);
    struct weir_top_screen *screen =
        error || why ? NULL : weir_top_screen_new(weir_prompt_colour(prompt), &why);
    if (screen) {
        const struct sigaction stop = {.sa_handler = on_stop};
        sigaction(SIGINT, &stop, NULL);
        sigaction(SIGTERM, &stop, NULL);
        run_screen(&run, screen);
        weir_top_screen_free(screen);
    } else if (!error) {
        fprintf(stderr, "weir: this terminal cannot be drawn on (%s); weir status says:\n", why);
        struct weir_view_judgement judgement;
        weir_view_judge_site(run.shown, &judgement);
        weir_status_print(run.shown, NULL, &judgement, false);
    }
    for (int i = 0; i < 2; i++) {
        struct weir_view *view = i ? run.spare : run.shown;
        if (view) weir_view_deinit(view);
        free(view);
    }
    weir_view_source_free(run.source);
    weir_service_set_unref(set);
    return error;
}

static int run(int argc, char **argv) {
    struct weir_prompt prompt;
    struct weir_fault fault = {0};
    int operand = weir_prompt_parse(&prompt, argc, argv, usage, NULL, NULL, &fault),
        code = WEIR_EXIT_DONE;
    if (operand >= 0 && operand < argc)
        operand = weir_fault_set(
            &fault, -EINVAL, "'%s': top takes options only; see weir top --help", argv[operand]);
    else if (operand >= 0 && prompt.json)
        operand = weir_fault_set(&fault, -EINVAL,
                                 "--json: top is a screen; weir status --json is for programs");
    if (operand >= 0 && operand != WEIR_CONFIG_HELP) operand = top(&prompt, &fault);
    if (operand < 0) code = weir_prompt_fail(&fault, operand);
    weir_prompt_deinit(&prompt);
    return code;
}

const struct weir_command weir_command_top = {"top", "a live full-screen view", run};
