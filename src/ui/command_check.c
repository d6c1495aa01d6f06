/* `weir check`: can this machine capture, and how well? One question a function, a table of them
 * below; whatever is wrong comes with what to change. Takes the options of live, so that it checks
 * what live would do. Captures nothing, changes nothing.
 */
#include <errno.h>
#include <limits.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <weir/capture.h>
#include <weir/service.h>

#include "base/printable.h"
#include "base/wrap.h"
#include "publish/redis_client.h"
#include "ui/check.h"
#include "ui/command.h"

static const char usage[] =
    "Usage: weir check [-i IFACE] [OPTIONS]\n\n"
    "Says whether this machine can capture, and what to change. Takes the options of weir "
    "live; give those that live will have.\n\n"
    "Exit: 0 nothing fails (there may be warnings), 1 something fails, 2 usage or "
    "configuration.";

struct weir_check_finding *weir_check_add(struct weir_check *check, enum weir_check_level level,
                                          const char *about) {
    struct weir_check_finding *finding =
        &check->findings[check->n < WEIR_CHECK_MAX ? check->n++ : WEIR_CHECK_MAX - 1];
    *finding = (struct weir_check_finding){.level = level};
    weir_printable_copy(finding->about, sizeof finding->about, about);
    return finding;
}

void weir_check_text(struct weir_check_finding *finding, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    weir_printable(finding->text, false);
    va_end(args);
}

void weir_check_advice(struct weir_check_finding *finding, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(finding->advice, sizeof finding->advice, format, args);
    weir_printable(finding->advice, false);
    va_end(args);
}

/* ---- the questions ---- */

static void check_permission(struct weir_check *check, const struct weir_config *config) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct weir_check_finding *finding =
        weir_check_add(check, fd < 0 ? WEIR_CHECK_FAIL : WEIR_CHECK_OK, "permission");
    if (fd >= 0) {
        weir_check_text(finding, "may open packet sockets");
        close(fd);
        return;
    }
    weir_check_text(finding, "may not open packet sockets: %s", strerror(errno));
    weir_check_advice(
        finding,
        "start weir as root (it gives that up), by its systemd unit, or once: setcap cap_net_raw+ep PATH/TO/weir");
}

static void check_user(struct weir_check *check, const struct weir_config *config) {
    const char *name = config->user ? config->user : "weir";
    bool there = getpwnam(name) != NULL, root = geteuid() == 0;
    enum weir_check_level level = there || !root ? WEIR_CHECK_OK
                                  : config->user ? WEIR_CHECK_FAIL
                                                 : WEIR_CHECK_WARN;
    struct weir_check_finding *finding = weir_check_add(check, level, "user");
    if (!root)
        weir_check_text(finding, "stays the user that starts it (uid %u)", (unsigned)geteuid());
    else if (there)
        weir_check_text(finding, "becomes %s once capture is open", name);
    else
        weir_check_text(finding, "there is no user %s%s", name,
                        config->user ? "" : ": weir would go on as nobody");
    if (level != WEIR_CHECK_OK)
        weir_check_advice(finding, "adduser --system --group --no-create-home %s", name);
}

static bool may_write(const char *path, const char *user) {
    struct passwd *who = geteuid() == 0 ? getpwnam(user ? user : "weir") : NULL;
    if (geteuid() == 0 && !who) who = getpwnam("nobody");
    if (!who || who->pw_uid == 0) return access(path, W_OK | X_OK) == 0;
    gid_t group = getegid();
    uid_t self = geteuid();
    if (setegid(who->pw_gid) < 0 || seteuid(who->pw_uid) < 0) return false;
    bool may = eaccess(path, W_OK | X_OK) == 0;
    return seteuid(self) == 0 && setegid(group) == 0 && may;
}

static void check_state(struct weir_check *check, const struct weir_config *config) {
    const char *path = config->state ? config->state : "/var/lib/weir";
    struct statvfs disk;
    if (access(path, F_OK) < 0) {
        struct weir_check_finding *finding = weir_check_add(check, WEIR_CHECK_WARN, "state");
        weir_check_text(finding, "%s is not there: nothing outlasts a run%s", path,
                        config->state ? " (as root, live makes it)" : "");
        weir_check_advice(finding, "install -d -o weir -g weir -m 750 %s", path);
        return;
    }
    bool may = may_write(path, config->user);
    bool full = statvfs(path, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < (uint64_t)64
                                                                                           << 20;
    struct weir_check_finding *finding = weir_check_add(check,
                                                        !may   ? WEIR_CHECK_FAIL
                                                        : full ? WEIR_CHECK_WARN
                                                               : WEIR_CHECK_OK,
                                                        "state");
    weir_check_text(finding, "%s %s%s", path,
                    may ? "can be written" : "cannot be written by the user that weir becomes",
                    full ? "; less than 64 MiB are free" : "");
    if (!may)
        weir_check_advice(
            finding, "chown weir:weir %s, or name another directory (--state) or user (--user)",
            path);
    else if (full)
        weir_check_advice(finding, "make room: incidents are kept there while Redis is away");
}

static uint64_t memory_available(void) {
    char line[128];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "MemAvailable: %llu", &kib) != 1)
        ;
    if (file) fclose(file);
    return (uint64_t)kib << 10;
}

static void check_memory(struct weir_check *check, const struct weir_config *config) {
    uint64_t rings =
                 (uint64_t)config->ring_bytes * (config->n_interfaces ? config->n_interfaces : 1),
             wanted = rings + config->memory_bytes + config->evidence_bytes;
    unsigned share =
        config->memory_bytes >> 20 < 256 ? (unsigned)(config->memory_bytes >> 20) * 100 / 256 : 100;
    uint64_t available = memory_available();
    if (!available) return; /* no /proc here */
    bool short_of = wanted > available, tight = wanted > available / 2;
    struct weir_check_finding *finding = weir_check_add(check,
                                                        short_of ? WEIR_CHECK_FAIL
                                                        : tight  ? WEIR_CHECK_WARN
                                                                 : WEIR_CHECK_OK,
                                                        "memory");
    weir_check_text(
        finding,
        "%llu MiB of rings, at most %llu MiB of evidence and %llu MiB of flows, all other "
        "tables at %u %% of their size; %llu MiB are available",
        (unsigned long long)rings >> 20, (unsigned long long)config->evidence_bytes >> 20,
        (unsigned long long)config->memory_bytes >> 20, share, (unsigned long long)available >> 20);
    if (short_of || tight) weir_check_advice(finding, "a smaller --memory, --buffer or --evidence");
}

static void check_workers(struct weir_check *check, const struct weir_config *config) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    bool many = config->workers > (unsigned long)processors;
    struct weir_check_finding *finding =
        weir_check_add(check, many ? WEIR_CHECK_WARN : WEIR_CHECK_OK, "workers");
    weir_check_text(finding, "%u on %ld processors", config->workers, processors);
    if (many) weir_check_advice(finding, "--workers %ld", processors);
}

static void check_clock_source(struct weir_check *check, const struct weir_config *config) {
    char name[64] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (!file) return;
    if (fgets(name, sizeof name, file)) name[strcspn(name, "\n")] = '\0';
    fclose(file);
    bool slow =
        strcmp(name, "hpet") == 0 || strcmp(name, "acpi_pm") == 0 || strcmp(name, "jiffies") == 0;
    struct weir_check_finding *finding =
        weir_check_add(check, slow ? WEIR_CHECK_WARN : WEIR_CHECK_OK, "clock source");
    weir_check_text(finding, "%s%s", name,
                    slow ? ": asking it for each packet's stamp is slow or coarse" : "");
    if (slow)
        weir_check_advice(
            finding,
            "boot with tsc=reliable where the processor's counter is sound; in a virtual machine let the host offer kvm-clock");
}

static void check_clock_sync(struct weir_check *check, const struct weir_config *config) {
    struct timex clock = {0};
    int state = adjtimex(&clock);
    bool wild = state == TIME_ERROR || (clock.status & STA_UNSYNC);
    struct weir_check_finding *finding =
        weir_check_add(check, wild ? WEIR_CHECK_WARN : WEIR_CHECK_OK, "clock");
    if (!wild) {
        weir_check_text(finding, "is kept in step, at most %.1f ms off",
                        (double)clock.maxerror / 1000);
        return;
    }
    weir_check_text(finding, "is not kept in step: incidents of several sites cannot be aligned");
    weir_check_advice(finding, "run systemd-timesyncd, chrony or ntpd");
}

static void check_signatures(struct weir_check *check, const struct weir_config *config) {
    struct weir_service_set *set = NULL;
    struct weir_fault fault = {0};
    char path[PATH_MAX];
    const char *directory = weir_signatures_path(config->signatures, path);
    int error = weir_service_set_load(&set, directory, &fault);
    struct weir_check_finding *finding =
        weir_check_add(check, error ? WEIR_CHECK_FAIL : WEIR_CHECK_OK, "signatures");
    if (error)
        weir_check_text(finding, "%.180s", fault.text);
    else
        weir_check_text(finding, "%zu services in %.150s",
                        weir_service_set_count(set) - WEIR_SERVICE_FIRST, directory);
    if (error)
        weir_check_advice(finding, "mend the file, or name another directory (--signatures)");
    weir_service_set_unref(set);
}

static void check_redis(struct weir_check *check, const struct weir_config *config) {
    struct weir_redis *redis = NULL;
    struct weir_fault fault = {0};
    if (!config->redis) return;
    int error = weir_redis_open(&redis, config->redis, config->redis_password_file, &fault);
    struct weir_check_finding *finding =
        weir_check_add(check, error ? WEIR_CHECK_FAIL : WEIR_CHECK_OK, "redis");
    if (error)
        weir_check_text(finding, "%.180s", fault.text);
    else
        weir_check_text(finding, "%.150s answers", weir_redis_shown(redis));
    if (error)
        weir_check_advice(
            finding,
            "capture would go on without it, and publish when it is there; see the URL, the password and the server");
    weir_redis_free(redis);
}

static void (*const questions[])(struct weir_check *check, const struct weir_config *config) = {
    check_permission,   check_user,       check_state,      check_memory, check_workers,
    check_clock_source, check_clock_sync, check_signatures, check_redis};

/* ---- what is said ---- */

static const char *const level_names[] = {"ok", "warn", "fail"};

static void print_table(const struct weir_check *check, bool colour) {
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
    unsigned width = weir_terminal_columns();
    for (size_t i = 0; i < check->n; i++) {
        const struct weir_check_finding *finding = &check->findings[i];
        printf("%s%-4s%s  %-20s ", colour ? colours[finding->level] : "",
               level_names[finding->level], colour ? "\033[0m" : "", finding->about);
        weir_wrap(stdout, finding->text, 27, 27, width);
        if (finding->advice[0]) printf("%27s-> ", "");
        if (finding->advice[0]) weir_wrap(stdout, finding->advice, 30, 30, width);
    }
}

static void print_json(const struct weir_check *check, bool good) {
    struct json_object *all = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < check->n; i++) {
        const struct weir_check_finding *finding = &check->findings[i];
        struct json_object *one = json_object_new_object();
        json_object_object_add(one, "check", json_object_new_string(finding->about));
        json_object_object_add(one, "level", json_object_new_string(level_names[finding->level]));
        json_object_object_add(one, "text", json_object_new_string(finding->text));
        json_object_object_add(one, "advice",
                               finding->advice[0] ? json_object_new_string(finding->advice) : NULL);
        json_object_array_add(list, one);
    }
    json_object_object_add(all, "weir", json_object_new_int(1));
    json_object_object_add(all, "good", json_object_new_boolean(good));
    json_object_object_add(all, "checks", list);
    puts(json_object_to_json_string_ext(all,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(all);
}

static int answer(const struct weir_config *config) {
    static struct weir_check check;
    bool good = true;
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        questions[i](&check, config);
    for (unsigned i = 0; i < config->n_interfaces; i++)
        weir_check_interface(&check, config->interfaces[i], config);
    for (size_t i = 0; i < check.n; i++) good &= check.findings[i].level != WEIR_CHECK_FAIL;
    if (config->json)
        print_json(&check, good);
    else
        print_table(&check, weir_terminal_colour(config->no_colour));
    if (!config->json) {
        puts("");
        weir_wrap(stdout,
                  !good ? "weir live would not run well, or at all: mend what fails."
                  : config->n_interfaces
                      ? "weir live can run here."
                      : "weir live can run here. No interface was named: weir check -i IFACE looks "
                        "at one, too.",
                  0, 0, weir_terminal_columns());
    }
    return good ? WEIR_EXIT_DONE : WEIR_EXIT_FAILED;
}

static int run(int argc, char **argv) {
    struct weir_config config;
    struct weir_fault fault = {0};
    weir_config_init(&config);
    int operand = weir_config_parse(&config, WEIR_CONFIG_CHECK, argc, argv, usage, &fault), code;
    if (operand == WEIR_CONFIG_HELP)
        code = WEIR_EXIT_DONE;
    else if (operand >= 0 && operand < argc)
        code = weir_complain(
            &fault, weir_fault_set(&fault, -EINVAL, "'%s': name interfaces with -i", argv[operand]),
            WEIR_EXIT_USAGE);
    else
        code = operand < 0 ? weir_complain(&fault, operand, WEIR_EXIT_USAGE) : answer(&config);
    weir_config_deinit(&config);
    return code;
}

const struct weir_command weir_command_check = {
    "check", "says whether this machine can capture, and what to change", run};
