/* `weir notify`: see web.h. */
#include "ui/command.h"
#include "ui/web.h"

const struct weir_command weir_command_notify = {
    "notify", "hands incidents to people and pagers until each was taken", weir_become_web};
