/* Whether an interface gives weir what it needs: it is there and up, its packets are those of the
 * wire (offloads merge them), and neither it nor its driver loses any.
 *
 * Offloads are asked for by ethtool's ioctl, counters by getifaddrs: both see the network namespace
 * that weir runs in, which /sys may not. A virtual interface that knows no such setting is not at
 * fault.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ui/check.h"

static int ask(const char *interface, unsigned long request, struct ifreq *answer, void *data) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    memset(answer, 0, sizeof *answer);
    strncpy(answer->ifr_name, interface, IFNAMSIZ - 1);
    if (data) answer->ifr_data = data;
    int error = ioctl(fd, request, answer) < 0 ? -errno : 0;
    close(fd);
    return error;
}

static bool is_on(const char *interface, __u32 command) {
    struct ethtool_value value = {.cmd = command};
    struct ifreq answer;
    return ask(interface, SIOCETHTOOL, &answer, &value) == 0 && value.data;
}

static bool has_lro(const char *interface) {
    struct ethtool_value value = {.cmd = ETHTOOL_GFLAGS};
    struct ifreq answer;
    return ask(interface, SIOCETHTOOL, &answer, &value) == 0 && (value.data & ETH_FLAG_LRO);
}

static bool check_up(struct weir_check *check, const char *interface) {
    struct ifreq answer;
    char about[32];
    snprintf(about, sizeof about, "%.15s", interface);
    if (ask(interface, SIOCGIFFLAGS, &answer, NULL) < 0) {
        struct weir_check_finding *finding = weir_check_add(check, WEIR_CHECK_FAIL, about);
        weir_check_text(finding, "no such interface");
        weir_check_advice(
            finding,
            "ip -brief link lists them; take the one that faces the clients, before address translation");
        return false;
    }
    bool up = answer.ifr_flags & IFF_UP, running = answer.ifr_flags & IFF_RUNNING;
    struct weir_check_finding *finding = weir_check_add(check,
                                                        !up       ? WEIR_CHECK_FAIL
                                                        : running ? WEIR_CHECK_OK
                                                                  : WEIR_CHECK_WARN,
                                                        about);
    weir_check_text(finding, "%s",
                    !up       ? "is down"
                    : running ? "is up"
                              : "is up, without a carrier");
    if (!up)
        weir_check_advice(finding, "ip link set %s up", interface);
    else if (!running)
        weir_check_advice(finding, "look at the cable, or at what is on its other side");
    return up;
}

static void check_offloads(struct weir_check *check, const char *interface,
                           const struct weir_config *config) {
    char about[32];
    snprintf(about, sizeof about, "%.15s offloads", interface);
    bool gro = is_on(interface, ETHTOOL_GGRO), lro = has_lro(interface),
         tso = is_on(interface, ETHTOOL_GTSO), gso = is_on(interface, ETHTOOL_GGSO);
    bool merged = gro || lro || tso || gso;
    struct weir_check_finding *finding =
        weir_check_add(check, merged ? WEIR_CHECK_WARN : WEIR_CHECK_OK, about);
    if (!merged) {
        weir_check_text(finding, "none merges packets");
        return;
    }
    weir_check_text(
        finding,
        "packets are merged (%s%s%s%s): counts of packets and losses are coarser, all else is measured",
        lro ? "LRO " : "", gro ? "GRO " : "", tso ? "TSO " : "", gso ? "GSO" : "");
    weir_check_advice(finding, "where the processor can bear it: ethtool -K %s%s%s%s%s%s",
                      interface, lro ? " lro off" : "", gro ? " gro off" : "",
                      tso ? " tso off" : "", gso ? " gso off" : "",
                      config->snaplen < 65535 ? "; else keep --snaplen at 65535" : "");
}

static void check_card_ring(struct weir_check *check, const char *interface) {
    struct ethtool_ringparam ring = {.cmd = ETHTOOL_GRINGPARAM};
    struct ifreq answer;
    char about[32];
    snprintf(about, sizeof about, "%.15s card", interface);
    if (ask(interface, SIOCETHTOOL, &answer, &ring) < 0 || !ring.rx_max_pending) return;
    bool small = ring.rx_pending < ring.rx_max_pending;
    struct weir_check_finding *finding =
        weir_check_add(check, small ? WEIR_CHECK_WARN : WEIR_CHECK_OK, about);
    weir_check_text(finding, "receives into %u of %u descriptors", ring.rx_pending,
                    ring.rx_max_pending);
    if (small)
        weir_check_advice(finding, "ethtool -G %s rx %u, if packets are dropped", interface,
                          ring.rx_max_pending);
}

static void check_counters(struct weir_check *check, const char *interface) {
    struct ifaddrs *all = NULL;
    char about[32];
    snprintf(about, sizeof about, "%.15s counters", interface);
    if (getifaddrs(&all) < 0) return;
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (strcmp(one->ifa_name, interface) != 0 || !one->ifa_addr ||
            one->ifa_addr->sa_family != AF_PACKET || !one->ifa_data)
            continue;
        const struct rtnl_link_stats *stats = one->ifa_data;
        uint64_t lost = (uint64_t)stats->rx_dropped + stats->rx_missed_errors +
                        stats->rx_fifo_errors + stats->rx_errors,
                 seen = stats->rx_packets;
        bool many = lost > 10 && lost * 10000 > seen;
        struct weir_check_finding *finding =
            weir_check_add(check, many ? WEIR_CHECK_WARN : WEIR_CHECK_OK, about);
        weir_check_text(finding,
                        "%llu packets received, %llu dropped, missed or broken since it came up",
                        (unsigned long long)seen, (unsigned long long)lost);
        if (many)
            weir_check_advice(
                finding,
                "ethtool -S %s says where; a larger ring of the card, or interrupts spread over more processors",
                interface);
    }
    freeifaddrs(all);
}

static void check_snaplen(struct weir_check *check, const char *interface,
                          const struct weir_config *config) {
    struct ifreq answer;
    char about[32];
    snprintf(about, sizeof about, "%.15s snaplen", interface);
    if (ask(interface, SIOCGIFMTU, &answer, NULL) < 0) return;
    bool cut = config->snaplen < (uint32_t)answer.ifr_mtu + 14;
    struct weir_check_finding *finding =
        weir_check_add(check, cut ? WEIR_CHECK_WARN : WEIR_CHECK_OK, about);
    weir_check_text(finding, "%u bytes of a packet are kept, %d are on the wire at most",
                    config->snaplen, answer.ifr_mtu + 14);
    if (cut) weir_check_advice(finding, "--snaplen %d", answer.ifr_mtu + 14);
}

void weir_check_interface(struct weir_check *check, const char *interface,
                          const struct weir_config *config) {
    if (strcmp(interface, "any") == 0) {
        struct weir_check_finding *finding = weir_check_add(check, WEIR_CHECK_WARN, "any");
        weir_check_text(
            finding,
            "all interfaces: forwarded packets are seen several times, before and after address translation");
        weir_check_advice(finding, "name the interface that faces the clients");
        return;
    }
    if (!check_up(check, interface)) return;
    check_offloads(check, interface, config);
    check_card_ring(check, interface);
    check_counters(check, interface);
    check_snaplen(check, interface, config);
}
