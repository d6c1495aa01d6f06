/* weir-web: the commands that talk HTTP. `weir serve` and `weir notify` become it (ui/web.h). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ui/command.h"
#include "ui/web.h"

int main(int argc, char **argv) {
    tzset(); /* while its file may be read */
    const char *name = argc > 1 ? argv[1] : "";
#ifdef WEIR_HAS_SERVE
    if (strcmp(name, "serve") == 0) return weir_web_serve(argc - 1, argv + 1);
#endif
#ifdef WEIR_HAS_NOTIFY
    if (strcmp(name, "notify") == 0) return weir_web_notify(argc - 1, argv + 1);
#endif
    fprintf(stderr, "weir-web: '%s': this is a part of weir; see weir help\n", name);
    return WEIR_EXIT_USAGE;
}
