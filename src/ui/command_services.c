/* `weir services [NAME]`: the services that weir knows, and one's roles and host names. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <weir/service.h>

#include "ui/command.h"
#include "ui/service_names.h"

static const char usage[] =
    "Usage: weir services [--signatures DIR] [NAME]\n\n"
    "Without NAME lists the known services; with it, the roles and host names of one.";

static void count_roles(const struct weir_service *service, unsigned counts[3]) {
    memset(counts, 0, 3 * sizeof counts[0]);
    for (size_t i = 0; i < service->n_hosts; i++) counts[service->hosts[i].role]++;
}

static void list(const struct weir_service_set *set) {
    printf("%-15s %-20s %-6s %6s %8s %9s\n", "service", "title", "kind", "media", "control",
           "prefixes");
    for (size_t id = WEIR_SERVICE_FIRST; id < weir_service_set_count(set); id++) {
        const struct weir_service *service = weir_service_get(set, (weir_service_id)id);
        unsigned counts[3];
        count_roles(service, counts);
        printf("%-15s %-20s %-6s %6u %8u %9zu\n", service->id, service->title,
               weir_kind_name(service->kind), counts[WEIR_ROLE_MEDIA], counts[WEIR_ROLE_CONTROL],
               service->n_prefixes);
    }
}

static void show(const struct weir_service *service) {
    printf("%s  %s (%s)\n", service->id, service->title, weir_kind_name(service->kind));
    for (enum weir_role role = WEIR_ROLE_MEDIA + 1; role-- > WEIR_ROLE_OTHER;)
        for (size_t i = 0; i < service->n_hosts; i++)
            if (service->hosts[i].role == role)
                printf("  %-8s %s\n", weir_role_name(role), service->hosts[i].suffix);
    for (size_t i = 0; i < service->n_never_count; i++)
        printf("  %-8s %s\n", "never", service->never_count[i]);
    for (size_t i = 0; i < service->n_prefixes; i++) {
        char text[WEIR_ADDR_TEXT_MAX];
        const struct weir_cidr *prefix = &service->prefixes[i];
        weir_addr_text(&prefix->addr, text);
        printf("  %-8s %s/%d\n", "prefix", text,
               weir_addr_is_v4(&prefix->addr) ? prefix->bits - 96 : prefix->bits);
    }
    for (size_t i = 0; i < service->n_asns; i++) printf("  %-8s AS%u\n", "asn", service->asns[i]);
    for (size_t i = 0; i < service->n_ndpi; i++) printf("  %-8s %s\n", "ndpi", service->ndpi[i]);
}

static int print(const char *directory, const char *name) {
    struct weir_fault fault = {0};
    struct weir_service_set *set;
    if (weir_service_set_load(&set, directory, &fault) < 0) {
        fprintf(stderr, "weir: %s\n", fault.text);
        return WEIR_EXIT_USAGE;
    }
    weir_service_id id = name ? weir_service_find(set, name) : WEIR_SERVICE_NONE;
    int code = WEIR_EXIT_DONE;
    if (!name)
        list(set);
    else if (id >= WEIR_SERVICE_FIRST)
        show(weir_service_get(set, id));
    else {
        weir_service_must_be(set, name, "", &fault);
        fprintf(stderr, "weir: %s\n", fault.text);
        code = WEIR_EXIT_USAGE;
    }
    weir_service_set_unref(set);
    return code;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {
        {"signatures", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *directory = NULL;
    int letter;
    while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (letter == 's')
            directory = optarg;
        else {
            fprintf(letter == 'h' ? stdout : stderr, "%s\n", usage);
            return letter == 'h' ? WEIR_EXIT_DONE : WEIR_EXIT_USAGE;
        }
    }
    if (argc - optind > 1) {
        fprintf(stderr, "%s\n", usage);
        return WEIR_EXIT_USAGE;
    }
    char path[PATH_MAX];
    return print(weir_signatures_path(directory, path), argv[optind]);
}

const struct weir_command weir_command_services = {
    "services", "the services that weir knows, their roles and host names", run};
