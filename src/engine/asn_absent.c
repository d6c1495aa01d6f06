/* In the place of asn.c where weir is built without libmaxminddb. */
#include <errno.h>

#include "engine/asn.h"

int weir_asn_open(struct weir_asn **ret_asn, const char *path, struct weir_fault *fault) {
    return weir_fault_set(
        fault, -ENOTSUP,
        "--asn-db %s: this weir was built without libmaxminddb; install libmaxminddb-dev, and build it "
        "with meson's -Dasn=enabled",
        path);
}

void weir_asn_free(struct weir_asn *asn) {}

bool weir_asn_lookup(void *asn, const struct weir_addr *addr, struct weir_as *ret_as) {
    return false;
}
