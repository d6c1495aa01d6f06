/* decode: one frame -> one packet view. Allocates nothing, trusts no length, keeps no state.
 *
 * Every refusal has a name and a counter: the enum, the counters and the `capture` record all come
 * from the one list below.
 *
 * The view is of the innermost IP packet. A UDP tunnel is known by its port only: where its inside
 * cannot be read as IP, the outer UDP packet is the view.
 *
 * `weir_packet.domain` mixes only ids that both directions of a conversation carry alike: VLAN ids
 * (but 0, which is a priority and no VLAN) and VXLAN or Geneve network ids, outermost first. GTP
 * TEIDs, GRE keys and MPLS labels are chosen by each receiver, PPPoE session ids end before the
 * flows in them: all left out.
 *
 * Of an ICMP error that quotes neither TCP nor UDP, `quoted_transport` is WEIR_TRANSPORT_NONE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <weir/packet.h>

/* X(enumerator, record name, what happened) */
/* clang-format off */
#define WEIR_DECODE_OUTCOMES(X) \
    X(OK, "ok", "decoded") \
    X(FRAGMENT, "fragment", "later fragment of an IP packet: counted, not measured") \
    X(NOT_IP, "not_ip", "ARP, LLDP, spanning tree and other frames without IP") \
    X(NOT_TRANSPORT, "not_transport", "IP that carries neither TCP, UDP nor an ICMP error") \
    X(LINK_UNKNOWN, "link_unknown", "link type or encapsulation that weir does not know") \
    X(LINK_CUT, "link_cut", "link header longer than the captured bytes") \
    X(TUNNEL_DEPTH, "tunnel_depth", "more nested tunnels or tags than the bound") \
    X(TUNNEL_MALFORMED, "tunnel_malformed", "tunnel header that contradicts itself") \
    X(IP_VERSION, "ip_version", "version field neither 4 nor 6, or not what the link said") \
    X(IP_CUT, "ip_cut", "IP header longer than the captured bytes") \
    X(IP_HEADER_LEN, "ip_header_len", "IP header length below 20 or beyond the packet") \
    X(IP_TOTAL_LEN, "ip_total_len", "IP total length shorter than its header or longer than the wire") \
    X(IP6_EXTENSION, "ip6_extension", "IPv6 extension headers malformed or beyond the bound") \
    X(TRANSPORT_CUT, "transport_cut", "transport header longer than the captured bytes") \
    X(TCP_HEADER_LEN, "tcp_header_len", "TCP data offset below 5 or beyond the packet") \
    X(UDP_LEN, "udp_len", "UDP length below 8 or beyond the IP packet") \
    X(ICMP_QUOTE, "icmp_quote", "ICMP error whose quoted packet cannot be read")
/* clang-format on */

enum weir_decode_outcome {
#define X(name, text, help) WEIR_DECODE_##name,
    WEIR_DECODE_OUTCOMES(X)
#undef X
        WEIR_DECODE_N
};

/* Returns 0 (WEIR_DECODE_OK) with *ret_packet filled, or one of the outcomes above, after which
 * *ret_packet holds nothing of use. Never < 0. Of the union only the member of `transport` is
 * written (UDP: none), and fields that are valid by a flag only with that flag. `payload` points
 * into the frame. */
int weir_decode(const struct weir_frame *frame, struct weir_packet *ret_packet);

/* Is this LINKTYPE_ value one that weir_decode() can read? */
bool weir_decode_knows_link(uint16_t linktype);

const char *weir_decode_name(enum weir_decode_outcome outcome);
const char *weir_decode_help(enum weir_decode_outcome outcome);
