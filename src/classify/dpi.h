/* The one door to nDPI (dpi.c is the only file that includes it). One `struct dpi` a classifier. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/flow.h>
#include <weir/packet.h>
#include <weir/wire.h>

struct dpi;      /* a detection module */
struct dpi_flow; /* what nDPI keeps of one flow */

enum { DPI_PACKETS_MAX = 8 }; /* payload packets shown to nDPI before it must decide */

/* 0, -ENOMEM or -EIO. nDPI's start is not thread safe: make all modules from one thread. */
int dpi_new(struct dpi **ret_dpi);
void dpi_free(struct dpi *dpi);

/* nDPI's protocol number for what weir saw itself; 0 for UNKNOWN and OTHER. */
uint16_t dpi_master(enum weir_app app);
/* The protocol of a host name by nDPI's own list; 0: not in it. */
uint16_t dpi_match_host(struct dpi *dpi, const char *host, size_t length);
/* "NetFlix"; valid while `dpi` lives. */
const char *dpi_name(const struct dpi *dpi, uint16_t protocol);

struct dpi_flow *dpi_flow_new(void); /* NULL: no memory */
void dpi_flow_free(struct dpi_flow *flow);

struct dpi_verdict {
    uint16_t master, app; /* as in struct weir_named; 0: unknown */
    bool recognised;      /* by payload; else guessed from addresses and ports */
    bool guessed_by_port;
    bool tunnel;           /* nDPI's VPN category */
    struct weir_host host; /* the server's name if it found one */
};
/* nDPI's verdict on a packet that tells it at once; false: nDPI must be asked. */
bool dpi_at_sight(const struct weir_packet *packet, struct dpi_verdict *ret_verdict);
/* Shows one packet; true when there is a verdict. The DPI_PACKETS_MAX-th packet always brings one.
 */
bool dpi_packet(struct dpi *dpi, struct dpi_flow *flow, const struct weir_packet *packet,
                struct dpi_verdict *ret_verdict);
/* The verdict on a flow that ended before: a guess, if nothing better. */
void dpi_end(struct dpi *dpi, struct dpi_flow *flow, struct dpi_verdict *ret_verdict);
