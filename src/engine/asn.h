/* Whose network is an address in? A database in MaxMind's format (--asn-db) says so: GeoLite2-ASN,
 * or any other whose records have `autonomous_system_number` and `autonomous_system_organization`.
 * asn.c reads it with libmaxminddb; built without, asn_absent.c says so. */
#pragma once

#include <stdbool.h>

#include <weir/error.h>
#include <weir/incident.h>

struct weir_asn;

/* The file is mapped: whoever brings a newer one renames it into place. 0, or < 0 with a fault that
 * names it. */
int weir_asn_open(struct weir_asn **ret_asn, const char *path, struct weir_fault *fault);
void weir_asn_free(struct weir_asn *asn);
/* A weir_as_lookup, its context the database; for any thread. */
bool weir_asn_lookup(void *asn, const struct weir_addr *addr, struct weir_as *ret_as);
