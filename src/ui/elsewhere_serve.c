/* `weir serve`: see web.h. */
#include "ui/command.h"
#include "ui/web.h"

const struct weir_command weir_command_serve = {
    "serve", "a status page, metrics and JSON over HTTP", weir_become_web};
