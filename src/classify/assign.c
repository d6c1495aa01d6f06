/* From a host name, an address or nDPI's verdict to service and role, and which of them may replace
 * which.
 *
 * - SNI, HTTP: always. What payload says is the truth. With 0xfe0d an SNI that DNS never gave the
 *   client for this address is an outer one, and the DNS name is taken instead. Without any DNS
 *   name it stays, with low confidence. (Browsers send the extension to everybody as GREASE; then
 *   the SNI is the name they asked DNS for.)
 * - nDPI: a service that it recognised replaces no service, only `other` or nothing, and not the
 *   `other` of a name that is never to be counted. A guess from the address replaces only nothing,
 *   one from the port never anything.
 * - DNS, address: the provisional name.
 *
 * A group address is never a service's server, and nDPI's word does not make a local one: Spotify's
 * discovery on the LAN is no streaming. */
#include <string.h>

#include "classify/classifier.h"

static const char *const doh_suffixes[] = {
    "dns.google",
    "dns.google.com",
    "cloudflare-dns.com",
    "one.one.one.one",
    "dns.quad9.net",
    "dns9.quad9.net",
    "dns10.quad9.net",
    "dns11.quad9.net",
    "doh.opendns.com",
    "dns.nextdns.io",
    "doh.familyshield.opendns.com",
    "dns.adguard.com",
    "dns.adguard-dns.com",
    "doh.xfinity.com",
    "doh.cleanbrowsing.org",
    "doh.dns.apple.com",
    "dns.controld.com",
    "freedns.controld.com",
    "doh.mullvad.net",
    "dns.mullvad.net",
    "doh.libredns.gr",
    "dns.alidns.com",
    "doh.pub",
    "doh.dns.sb",
    "dns0.eu",
    "private.canadianshield.cira.ca",
    "dns.switch.ch",
};

static bool has_suffix(const struct weir_host *host, const char *suffix) {
    size_t length = strlen(suffix);
    if (host->length < length || memcmp(host->text + host->length - length, suffix, length) != 0)
        return false;
    return host->length == length || host->text[host->length - length - 1] == '.';
}

static bool is_doh(const struct weir_host *host) {
    for (size_t i = 0; i < sizeof doh_suffixes / sizeof doh_suffixes[0]; i++) {
        if (has_suffix(host, doh_suffixes[i])) return true;
    }
    return false;
}

bool host_is_name(const struct weir_host *host) {
    return host->length > 0 && strspn(host->text, "0123456789.") < host->length;
}

static bool is_service(weir_service_id service) { return service >= WEIR_SERVICE_FIRST; }

void assign_fact(struct weir_classifier *classifier, struct weir_flow *flow) {
    const struct weir_named *named = weir_flow_named(flow);
    const struct weir_addr *server = weir_flow_addr(flow, WEIR_SERVER);
    bool own_word =
        named->by == WEIR_NAMED_SNI || named->by == WEIR_NAMED_HTTP || named->by == WEIR_NAMED_NDPI;
    if (!own_word || named->service == WEIR_SERVICE_NONE || weir_addr_is_group(server)) return;
    struct weir_address_fact fact = {
        .addr = *server, .service = named->service, .role = named->role};
    facts_add(&classifier->facts, &fact, classifier->secret);
}

/* ---- names from payload ---- */

static void take_name(struct weir_named *named, const struct name *name, enum weir_named_by by) {
    named->host = name->host;
    named->host_hash = name->hash;
    named->service = name->match.service;
    named->role = name->match.role;
    named->by = (uint8_t)by;
    named->never_count = name->match.never_count;
}

static struct name name_of(struct weir_classifier *classifier, const struct weir_host *host,
                           bool group) {
    struct name name = {.hash = weir_host_hash(host->text, host->length),
                        .match = {.service = WEIR_SERVICE_OTHER}};
    if (!group) name.match = weir_service_match_host(classifier->set, host->text, host->length);
    if (is_service(name.match.service))
        name.host = hosts_keep(&classifier->hosts, host->text, host->length);
    return name;
}

/* The name behind an outer SNI, or NULL where DNS knows none, or the SNI is what DNS was asked for.
 * *ret_confirmed tells these apart. */
static const struct name *inner_name(struct weir_classifier *classifier, struct weir_flow *flow,
                                     const struct name *outer, int64_t now_us,
                                     bool *ret_confirmed) {
    const struct weir_addr *client = weir_flow_addr(flow, WEIR_CLIENT),
                           *server = weir_flow_addr(flow, WEIR_SERVER);
    *ret_confirmed = names_confirm(&classifier->names, client, server, outer->hash, now_us);
    if (*ret_confirmed) return NULL;
    bool own;
    const struct name *inner = names_lookup(&classifier->names, client, server, now_us, &own);
    bool same =
        inner && is_service(outer->match.service) && inner->match.service == outer->match.service;
    return same ? NULL : inner;
}

static void count_host(struct weir_classifier *classifier, const struct weir_named *named,
                       const struct weir_host *host) {
    if (is_doh(host)) classifier->stats.doh_flows++;
    if (named->service == WEIR_SERVICE_OTHER &&
        weir_service_is_media_cdn(classifier->set, host->text, host->length))
        drift_add(&classifier->drift, host, named->host_hash, 1, 0);
}

void assign_host(struct weir_classifier *classifier, struct weir_flow *flow,
                 const struct hello *hello, bool whole, int64_t now_us) {
    struct weir_named *named = weir_flow_named(flow);
    struct name name =
        name_of(classifier, &hello->host, weir_addr_is_group(weir_flow_addr(flow, WEIR_SERVER)));
    named->app = (uint8_t)hello->app;
    named->ech = hello->ech;
    named->ndpi = dpi_master(hello->app);
    named->ndpi_app = dpi_match_host(classifier->dpi, hello->host.text, hello->host.length);

    bool confirmed = true;
    const struct name *inner =
        hello->ech ? inner_name(classifier, flow, &name, now_us, &confirmed) : NULL;
    named->low_confidence = hello->ech && !confirmed && !inner;
    if (inner)
        take_name(named, inner, WEIR_NAMED_DNS);
    else
        take_name(named, &name, hello->app == WEIR_APP_HTTP ? WEIR_NAMED_HTTP : WEIR_NAMED_SNI);
    if (!whole) return;
    classifier->stats.names_over_sni += inner != NULL;
    if (!inner) count_host(classifier, named, &hello->host);
}

/* ---- nDPI ---- */

static enum weir_app app_of(const struct dpi_verdict *verdict) {
    static const enum weir_app apps[] = {WEIR_APP_TLS, WEIR_APP_QUIC, WEIR_APP_HTTP, WEIR_APP_DNS};
    for (size_t i = 0; i < sizeof apps / sizeof apps[0]; i++) {
        if (dpi_master(apps[i]) == verdict->master || dpi_master(apps[i]) == verdict->app)
            return apps[i];
    }
    return WEIR_APP_OTHER;
}

/* Whether nDPI named an application, not just the protocol that carries it. */
static bool is_specific(const struct dpi_verdict *verdict, enum weir_app app) {
    return verdict->app != 0 && verdict->app != dpi_master(app);
}

static struct weir_match match_verdict(const struct weir_classifier *classifier,
                                       const struct dpi_verdict *verdict) {
    const uint16_t protocols[] = {verdict->app, verdict->master};
    for (size_t i = 0; i < 2; i++) {
        if (protocols[i] == 0) continue;
        struct weir_match match =
            weir_service_match_ndpi(classifier->set, dpi_name(classifier->dpi, protocols[i]));
        if (is_service(match.service)) return match;
    }
    return (struct weir_match){.service = WEIR_SERVICE_OTHER};
}

static void assign_protocol(struct weir_classifier *classifier, struct weir_flow *flow,
                            const struct dpi_verdict *verdict, enum weir_app app) {
    struct weir_named *named = weir_flow_named(flow);
    const struct weir_addr *server = weir_flow_addr(flow, WEIR_SERVER);
    bool remote = !weir_addr_is_local(server) && !weir_addr_is_group(server);
    struct weir_match match = match_verdict(classifier, verdict);
    if (verdict->guessed_by_port || !remote)
        match = (struct weir_match){.service = WEIR_SERVICE_OTHER};

    bool free_to_name = named->by == WEIR_NAMED_NONE ||
                        (verdict->recognised && !is_service(named->service) && !named->never_count);
    bool by_service = is_service(match.service) && free_to_name;
    bool by_protocol =
        named->by == WEIR_NAMED_NONE && verdict->recognised && is_specific(verdict, app);
    if (!by_service && !by_protocol) return;
    named->service = match.service;
    named->role = match.role;
    named->by = WEIR_NAMED_NDPI;
    if (by_service) { /* the name from DNS was another's */
        named->host = NULL;
        named->host_hash = 0;
    }
    if (verdict->recognised) assign_fact(classifier, flow);
}

void assign_verdict(struct weir_classifier *classifier, struct weir_flow *flow,
                    const struct dpi_verdict *verdict, int64_t now_us) {
    struct weir_named *named = weir_flow_named(flow);
    enum weir_app app = app_of(verdict);
    bool carries_names = app == WEIR_APP_TLS || app == WEIR_APP_QUIC || app == WEIR_APP_HTTP;
    bool named_already = named->by == WEIR_NAMED_SNI || named->by == WEIR_NAMED_HTTP;
    if (!verdict->recognised) classifier->stats.dpi_giveups++;

    if (verdict->recognised && carries_names && host_is_name(&verdict->host) && !named_already) {
        struct hello hello = {.host = verdict->host, .app = app, .ech = named->ech};
        assign_host(classifier, flow, &hello, true, now_us);
        assign_fact(classifier, flow);
    } else if (!named_already) {
        assign_protocol(classifier, flow, verdict, app);
    }
    if (named->app == WEIR_APP_UNKNOWN && verdict->recognised) named->app = (uint8_t)app;
    named->ndpi = verdict->master;
    named->ndpi_app = verdict->app;
}

/* ---- the memories ---- */

void assign_memory(struct weir_classifier *classifier, struct weir_flow *flow, int64_t now_us) {
    struct weir_named *named = weir_flow_named(flow);
    const struct weir_addr *client = weir_flow_addr(flow, WEIR_CLIENT),
                           *server = weir_flow_addr(flow, WEIR_SERVER);
    bool own;
    const struct name *name = names_lookup(&classifier->names, client, server, now_us, &own);
    if (weir_flow_port(flow, WEIR_SERVER) == 443) {
        bool told = own || (name && !weir_addr_is_v4(server));
        classifier->stats.https_flows++;
        classifier->stats.https_blind += !told;
    }
    if (name) {
        take_name(named, name, WEIR_NAMED_DNS);
        return;
    }
    struct weir_match match = {.service = WEIR_SERVICE_NONE};
    enum weir_address_answer answer =
        weir_address_memory_lookup(classifier->addresses, server, now_us, &match);
    if (answer != WEIR_ADDRESS_KNOWN)
        match = answer == WEIR_ADDRESS_AMBIGUOUS ? (struct weir_match){.service = WEIR_SERVICE_NONE}
                                                 : weir_service_match_addr(classifier->set, server);
    if (is_service(match.service) || answer == WEIR_ADDRESS_KNOWN) {
        named->service = match.service;
        named->role = match.role;
        named->by = WEIR_NAMED_ADDRESS;
    }
}
