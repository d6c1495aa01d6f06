/* `weir status --fleet` (in the making). */
#include <errno.h>

#include "ui/status.h"

int weir_status_of_fleet(const struct weir_prompt *prompt, const char *service, struct weir_fault *fault)
{
    return weir_fault_set(fault, -ENOSYS, "--fleet");
}
