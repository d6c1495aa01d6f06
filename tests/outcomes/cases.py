"""The cases: what is done to real connections, and what the method wants to be said of it. What is expected is written
here by hand from those rules, never copied from weir's answer.

flows      every flow but DNS, as "service transport outcome", in any order
dns        per service, what its windows count of lookups; kinds that are not named are 0
trials     per service, all windows together: "<layer>_ok", failed ones by kind, "quic_fell_back"; others are 0
           (`serve_ok` is compared only where it is named: it depends on how large an answer is)
where      facts of the flows that match the first part: every one of them must have the second part
capture    facts of the capture record; dotted names reach inside; ">0" is any number but 0, "set" anything but null
service    facts of the service's record;  session   facts of the service's one session record
           a fact may be a range: [least, most]
"""
import time

from lab import (ACTORS, BOTH, BOTH_6, DOH, FAST, GONE, HINTED, HULU, NETFLIX, NETFLIX_6, NETFLIX_ALIAS, NETFLIX_TARGET, RESOLVER, SECOND, SPARE, YOUTUBE,
                 ADDRESSES)

CASES = {}
NFLX, EDGE, YT = ADDRESSES[NETFLIX], ADDRESSES[NETFLIX_TARGET], ADDRESSES[YOUTUBE]
PAD = ["-H", "X-Padding: " + "p" * 400]


def case(did, **expected):
    def keep(function):
        CASES[function.__name__] = {"run": function, "did": did, "expected": expected}
        return function
    return keep


def netflix(outcome, transport="tcp", times=1):
    return [f"netflix {transport} {outcome}"] * times


def lookup(lab, host=NETFLIX, who=0):
    lab.dig(host, who=who)


# ---- TLS ----

@case("openssl speaks 1.3 only, curl 1.2 only", flows=netflix("tls_alert"), trials={"netflix": {"dns_ok": 1, "tls_alert": 1}})
def tls_alert_version(lab):
    lab.openssl_server("-tls1_3")
    yield
    lookup(lab)
    lab.curl(NETFLIX, "--tls-max", "1.2")


@case("openssl and curl have no cipher in common", flows=netflix("tls_alert"), trials={"netflix": {"dns_ok": 1, "tls_alert": 1}})
def tls_alert_cipher(lab):
    lab.openssl_server("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")
    yield
    lookup(lab)
    lab.curl(NETFLIX, "--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")


@case("the server closes (FIN) upon the ClientHello", flows=netflix("tls_cut"), trials={"netflix": {"dns_ok": 1, "tls_cut": 1}})
def tls_cut_fin(lab):
    lab.server("fin")
    yield
    lookup(lab)
    lab.curl(NETFLIX)


@case("the server resets upon the ClientHello", flows=netflix("tls_cut"), trials={"netflix": {"dns_ok": 1, "tls_cut": 1}},
      where=[[{"service": "netflix", "transport": "tcp"}, {"reset.by": "server", "reset.kind": "handshake", "reset.injected": False}]])
def tls_cut_rst(lab):
    lab.server("rst")
    yield
    lookup(lab)
    lab.curl(NETFLIX)


@case("the server accepts and never answers the ClientHello", flows=netflix("tls_noresponse"),
      trials={"netflix": {"dns_ok": 1, "tls_noresponse": 1}})
def tls_noresponse(lab):
    lab.server("mute")
    yield
    lookup(lab)
    lab.curl(NETFLIX, "-m", "7.5")


def refuse(lab, clients, *arguments):
    for _ in range(2):
        for who in clients:
            lab.curl(NETFLIX, *arguments, who=who, trust=False)


@case("two clients refuse the certificate, TLS 1.3", flows=netflix("suspect_reject", times=4),
      trials={"netflix": {"dns_ok": 2, "suspect_reject": 2}})
def reject_tls13(lab):
    lab.nginx()
    yield
    lookup(lab)
    lookup(lab, who=1)
    refuse(lab, (0, 1))


@case("two clients refuse the certificate, TLS 1.2", flows=netflix("suspect_reject", times=4),
      trials={"netflix": {"dns_ok": 2, "suspect_reject": 2}})
def reject_tls12(lab):
    lab.nginx()
    yield
    lookup(lab)
    lookup(lab, who=1)
    refuse(lab, (0, 1), "--tls-max", "1.2")


@case("one client alone refuses the certificate: no evidence", flows=netflix("suspect_reject", times=2),
      trials={"netflix": {"dns_ok": 1}})
def reject_one_client(lab):
    lab.nginx()
    yield
    lookup(lab)
    refuse(lab, (0,))


def served(lab, *arguments):
    lookup(lab)
    lab.curl(NETFLIX, *PAD, *arguments)


SERVED = dict(flows=netflix("useful"), trials={"netflix": {"dns_ok": 1, "connect_ok": 1}},
              where=[[{"service": "netflix"}, {"named_by": "sni", "tls_handshake_us": "set", "requests": 1, "ttfb_p50_us": "set"}]])


@case("nginx answers over TLS 1.2", **SERVED)
def tls12_success(lab):
    lab.nginx()
    yield
    served(lab, "--tls-max", "1.2", "--http1.1")


@case("nginx answers over TLS 1.3", **SERVED)
def tls13_success(lab):
    lab.nginx()
    yield
    served(lab, "--tlsv1.3", "--http1.1")


@case("nginx answers over HTTP/2", **SERVED)
def http2_success(lab):
    lab.nginx(http2=True)
    yield
    served(lab, "--http2")


@case("openssl's ClientHello of two segments (long ALPN)", flows=netflix("useful"), trials={"netflix": {"connect_ok": 1}},
      where=[[{"service": "netflix"}, {"named_by": "sni", "host": NETFLIX}]])
def split_hello(lab):
    lab.nginx()
    yield
    alpn = ",".join(["http/1.1"] + [letter * 230 for letter in "abcdefgh"])
    openssl(lab, NETFLIX, NFLX, "-alpn", alpn)


@case("a ClientHello of two segments, its name in the second; given up", flows=netflix("neutral"), trials={"netflix": {}},
      where=[[{"service": "netflix"}, {"named_by": "sni", "host": NETFLIX}]])
def split_hello_name_last(lab):
    lab.nginx()
    yield
    lab.client("hello-only", NETFLIX, NFLX, "1", "1600")


def openssl(lab, host, address, *arguments):
    lab.at(lab.clients[0], "openssl", "s_client", "-connect", f"{address}:443", "-servername", host, "-quiet", "-ign_eof", *arguments,
           input=f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Padding: {'p' * 400}\r\nConnection: close\r\n\r\n", check=False, timeout=20)


# ---- opening ----

UNANSWERED = dict(where=[[{"service": "netflix"}, {"named_by": "dns", "syn_ack": 0}]])


@case("SYNs are dropped", flows=netflix("syn_timeout"), trials={"netflix": {"dns_ok": 1, "syn_timeout": 1}}, **UNANSWERED)
def syn_unanswered(lab):
    yield
    lookup(lab)
    lab.rule(f"ip daddr {NFLX} drop")
    lab.client("connect", NFLX, "5")


@case("a SYN sent once, then abandoned", flows=netflix("neutral"), trials={"netflix": {"dns_ok": 1}})
def syn_abandoned(lab):
    yield
    lookup(lab)
    lab.rule(f"ip daddr {NFLX} drop")
    lab.client("connect", NFLX, "0.6")
    time.sleep(4)


@case("nobody listens", flows=netflix("refused"), trials={"netflix": {"dns_ok": 1, "refused": 1}},
      where=[[{"service": "netflix"}, {"reset.by": "server", "reset.kind": "refused"}]])
def refused(lab):
    yield
    lookup(lab)
    lab.client("connect", NFLX, "3")


@case("ICMP 3, codes 0 1 3 9 10 13; code 2 says nothing", flows=netflix("icmp", times=6) + netflix("neutral"),
      trials={"netflix": {"dns_ok": 1, "icmp": 1}}, **UNANSWERED)
def icmp(lab):
    kinds = ("net-unreachable", "host-unreachable", "port-unreachable", "net-prohibited", "host-prohibited", "admin-prohibited",
             "prot-unreachable")
    for address, kind in zip(SPARE, kinds):
        lab.rule(f"ip daddr {address} reject with icmp type {kind}")
    yield
    for number in range(len(kinds)):
        lookup(lab, f"spare{number}.{NETFLIX}")
        lab.client("connect", SPARE[number], "1", wait=False)
    time.sleep(5)


@case("ICMPv6 1, codes 0 1 3 4", flows=netflix("icmp", times=4), trials={"netflix": {"dns_ok": 1, "icmp": 1}}, **UNANSWERED)
def icmp6(lab):
    kinds = ("no-route", "admin-prohibited", "addr-unreachable", "port-unreachable")
    for address, kind in zip(NETFLIX_6, kinds):
        lab.rule(f"ip6 daddr {address} reject with icmpv6 type {kind}")
    yield
    for number in range(len(kinds)):
        lab.dig(f"six{number}.{NETFLIX}", "AAAA")
        lab.client("connect", NETFLIX_6[number], "1", wait=False)
    time.sleep(5)


@case("opened ahead, never used, closed by FIN and by RST", flows=netflix("neutral", times=2), trials={"netflix": {"dns_ok": 1}})
def preconnect(lab):
    lab.nginx()
    yield
    lookup(lab)
    lab.client("preconnect", NFLX, "fin", wait=False)
    lab.client("preconnect", NFLX, "rst")


# ---- transfers ----

@case("the server resets in mid-transfer", flows=netflix("rst_mid"), trials={"netflix": {"dns_ok": 1, "connect_ok": 1, "rst_mid": 1}},
      where=[[{"service": "netflix"}, {"reset.by": "server", "reset.kind": "mid"}]])
def rst_mid(lab):
    lab.server("rst-mid")
    yield
    lookup(lab)
    lab.client("get", NETFLIX, NFLX)


@case("somebody on the way resets a transfer in the server's name", flows=netflix("rst_mid"),
      trials={"netflix": {"dns_ok": 1, "connect_ok": 1, "rst_mid": 1}},
      where=[[{"service": "netflix"}, {"reset.by": "server", "reset.kind": "mid", "reset.injected": True}]])
def rst_injected(lab):
    lab.at(lab.net, "sysctl", "-qw", "net.ipv4.ip_default_ttl=50")
    lab.at(lab.gw, "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1", "net.bridge.bridge-nf-call-iptables=0")
    lab.server("paced", 0, *["3000/0.02"] * 100)
    lab.rule(f"ip daddr {NFLX} tcp dport 443 ct bytes > 40000 reject with tcp reset")
    yield
    lookup(lab)
    lab.client("get", NETFLIX, NFLX)


# The first request of its size that anybody sends: it may be held on purpose, as long polls are, and does not time out.
FIRST = dict(flows=netflix("useful"), where=[[{"service": "netflix"}, {"requests": 1, "request_timeouts": 0}]])


@case("a first request answered after 8 s", **FIRST,
      trials={"netflix": {"dns_ok": 1, "connect_ok": 1, "serve_ok": 1}})
def request_late(lab):
    lab.server("late", 8)
    yield
    lookup(lab)
    lab.client("get", NETFLIX, NFLX)
    time.sleep(1)


@case("a first request answered after 13 s", **FIRST,
      trials={"netflix": {"dns_ok": 1, "connect_ok": 1, "serve_ok": 1}})
def request_very_late(lab):
    lab.server("late", 13)
    yield
    lookup(lab)
    lab.client("get", NETFLIX, NFLX)
    time.sleep(1)


@case("a first request never answered, the client gives up after 7 s", **FIRST,
      trials={"netflix": {"dns_ok": 1, "connect_ok": 1}})
def request_hangs(lab):
    lab.server("hang")
    yield
    lookup(lab)
    lab.client("wait-and-close", NETFLIX, NFLX, 7)


QUIET = {"netflix": {"dns_ok": 1, "connect_ok": 1}}


@case("kept alive, idle, then reset by the client", flows=netflix("useful"), trials=QUIET,
      where=[[{"service": "netflix"}, {"reset.by": "client", "reset.kind": "teardown"}]])
def idle_client_rst(lab):
    lab.nginx()
    yield
    lookup(lab)
    lab.client("get", NETFLIX, NFLX, 2, "idle-rst")


@case("kept alive, idle, then reset by the server", flows=netflix("useful"), trials=QUIET,
      where=[[{"service": "netflix"}, {"reset.by": "server", "reset.kind": "idle"}]])
def idle_server_rst(lab):
    lab.server("rst-idle")
    yield
    lookup(lab)
    lab.client("get", NETFLIX, NFLX, 1, "linger")


@case("the client closes while data still comes: RST after FIN", flows=netflix("useful"), trials=QUIET,
      where=[[{"service": "netflix"}, {"reset.by": "client", "reset.kind": "teardown"}]])
def rst_after_fin(lab):
    lab.server("slow-tail")
    yield
    lookup(lab)
    lab.client("fin-then-rst", NETFLIX, NFLX)


def player(lab, *steps, host=NETFLIX, who=0, first=True):
    if first:
        lookup(lab, host, who=who)
    words = [word for step in steps for word in (step if isinstance(step, list) else [step])]
    lab.at(lab.clients[who], "/usr/bin/python3", ACTORS, "play", lab.certificates, host, ADDRESSES[host], *words, timeout=260)


def flow_facts(**facts):
    return [[{"service": "netflix", "transport": "tcp"}, {name.replace("__", "."): value for name, value in facts.items()}]]


@case("silences of 3 s and of 0.5 s in one transfer: one stall", flows=netflix("useful"), trials=QUIET,
      where=flow_facts(requests=1, stalls__0__duration_us=[2_900_000, 3_300_000], stalls__1=None),
      service={"netflix": {"stalls.count": 1, "stalls.total_us": [2_900_000, 3_300_000]}})
def stall_silence(lab):
    lab.server("paced", 0, "60000/3", "60000/0.5", "60000/0")
    yield
    player(lab, "0")


@case("the client reads nothing for 3 s, its window closes: no stall", flows=netflix("useful"), trials=QUIET,
      where=flow_facts(requests=1, stalls__0=None, zero_window_up=">0"))
def stall_window_closed(lab):
    lab.server("paced", 0, "400000/0")
    yield
    lookup(lab)
    lab.client("read-late", NETFLIX, NFLX, 3)


@case("three answers: 0.4 s of thought, then 300 kB in 1.45 s", flows=netflix("useful"), trials=QUIET,
      where=flow_facts(requests=3, ttfb_p50_us=[395_000, 430_000], goodput_p50_bps=[1_500_000, 1_670_000], stalls__0=None),
      session={"netflix": {"chunks": 3, "media_bytes": [900_000, 915_000], "starved_us": 0}})
def chunk_numbers(lab):
    lab.server("paced", 0.4, *["10000/0.05"] * 29, "10000/0")
    yield
    player(lab, "0", "0", "0")


@case("a healthy player with a full buffer asks for nothing for 120 s", flows=netflix("useful"),
      trials={"netflix": {"dns_ok": 1, "connect_ok": 1}}, where=flow_facts(requests=26, request_timeouts=0, stalls__0=None, end="fin"),
      session={"netflix": {"chunks": 26, "starved_us": 0, "stall_spells": 0, "bitrate_bps": "set", "confidence": "none"}},
      service={"netflix": {"starved_us": 0, "stalls.count": 0, "state": "healthy"}})
def pause_full_buffer(lab):
    lab.server("sizes")
    yield
    player(lab, ["120000"] * 8, ["w4", "120000"] * 16, "w120", ["120000"] * 2)


@case("chunks at full speed, then one at 3 kB/s for 26 s: too early to know what it needs", flows=netflix("useful"),
      trials={"netflix": {"dns_ok": 1, "connect_ok": 1}},
      session={"netflix": {"starved_us": 0, "stall_spells": 0}})
def starved(lab):
    lab.server("throttled", 3000)
    yield
    player(lab, ["150000"] * 7, "slot", str(26 * 3000 + 1))


# ---- hollow answers: a service with chunks of 60 kB; sizes are all that can be seen of an error ----

CHUNKS, ERRORS = ["60000"] * 32, ["new", "300"] * 4


def hollow_case(did, times, connects, **more):
    return case(did, flows=netflix("useful", times=times), trials={"netflix": {"dns_ok": 1, "connect_ok": connects, **more}},
                session={"netflix": {"hollow_answers": 2 if more else 0}})


@hollow_case("chunks, then four error pages in a row on connections of their own", 5, 2, hollow=1)
def hollow(lab):
    lab.server("sizes")
    yield
    player(lab, CHUNKS, "slot", ERRORS)


@hollow_case("error pages by twos, chunks between them", 7, 2)
def hollow_by_twos(lab):
    lab.server("sizes")
    yield
    player(lab, CHUNKS, "slot", ["new", "300"] * 2, "new", "60000", ["new", "300"] * 2, "new", "60000")


@hollow_case("a playlist before each chunk, then only playlists", 1, 1)
def hollow_playlists(lab):
    lab.server("sizes")
    yield
    player(lab, ["1800", "60000"] * 32, "slot", ["1800"] * 5)


@hollow_case("a beacon behind each chunk, then only beacons", 1, 1)
def hollow_beacons(lab):
    lab.server("sizes")
    yield
    player(lab, ["60000", "35"] * 32, "slot", ["35"] * 5)


@hollow_case("a service of small chunks: four small answers say nothing", 5, 2)
def hollow_small_chunks(lab):
    lab.server("sizes")
    yield
    player(lab, ["30000"] * 32, "slot", ERRORS)


@hollow_case("twenty chunks, as a home soon has them, are enough to know their size by", 5, 2, hollow=1)
def hollow_soon(lab):
    lab.server("sizes")
    yield
    player(lab, ["60000"] * 20, "slot", ERRORS)


@case("four small answers of the API, which is no media host", flows=netflix("useful", times=5),
      trials={"netflix": {"dns_ok": 2, "connect_ok": 2}}, session={"netflix": {"hollow_answers": 0}})
def hollow_control_host(lab):
    lab.server("sizes")
    yield
    player(lab, CHUNKS)
    lab.new_slot()
    player(lab, "300", ["new", "300"] * 3, host=HINTED)


@case("two error pages to each of two clients", flows=netflix("useful", times=6), trials={"netflix": {"dns_ok": 2, "connect_ok": 4}})
def hollow_two_clients(lab):
    lab.server("sizes")
    yield
    player(lab, CHUNKS, "w0.1")
    player(lab, ["60000"] * 4, who=1)
    lab.new_slot()
    player(lab, ["300", "new", "300"], first=False)
    player(lab, ["300", "new", "300"], who=1, first=False)


# ---- whom it concerns ----

@case("a speed test's host, by name and by a certificate that names the service", flows=["other tcp useful"] * 2,
      trials={}, where=[[{"service": "other"}, {"service": "other"}]])
def never_counted(lab):
    lab.nginx()
    yield
    lookup(lab, FAST)
    openssl(lab, FAST, ADDRESSES[FAST], "-tls1_2")
    lab.at(lab.clients[0], "openssl", "s_client", "-connect", f"{ADDRESSES[FAST]}:443", "-noservername", "-quiet", "-ign_eof", "-tls1_2",
           input="GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", check=False, timeout=20)


@case("the loser of a race goes on asking for 5 s", flows=netflix("useful") + netflix("syn_timeout"), trials=QUIET)
def race_lost(lab):
    lab.nginx()
    lab.rule(f"ip6 daddr {BOTH_6} drop")
    yield
    lookup(lab, BOTH)
    lab.dig(BOTH, "AAAA")
    lab.client("race", ADDRESSES[BOTH], BOTH_6, "6")


# ---- QUIC ----

@case("chromium gets a page from caddy over HTTP/3", flows=["netflix quic useful"],
      trials={"netflix": {"quic_ok": 1}}, where=[[{"transport": "quic"}, {"named_by": "sni", "host": HINTED, "tls_handshake_us": "set"}]],
      only_transport="quic")
def quic_chromium(lab):
    lab.caddy(HINTED)
    yield
    chromium(lab, HINTED)


def chromium(lab, host, quic=True):
    key = lab.at(lab.net, "sh", "-c", f"openssl x509 -in {lab.certificates}/cert.pem -pubkey -noout | openssl pkey -pubin -outform der | "
                 "openssl dgst -sha256 -binary | base64").stdout.strip()
    lab.at(lab.clients[0], "timeout", "25", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--no-first-run", f"--user-data-dir={lab.dir}/chromium",
           f"--ignore-certificate-errors-spki-list={key}", f"--origin-to-force-quic-on={host}:443" if quic else "--disable-quic", "--timeout=6000", "--dump-dom",
           f"https://{host}/", check=False, timeout=40)


def gtls_command(*arguments, sizes=(30000,)):
    """ngtcp2's client asks for answers of `sizes` bytes."""
    return ["gtlsclient", "-q", "--exit-on-all-streams-close", "--no-http-dump", "--no-quic-dump", *arguments, NETFLIX, "443",
            *(f"https://{NETFLIX}/{'p' * 600}/../{size}" for size in sizes)]


def gtls(lab, *arguments, sizes=(30000,), seconds=6):
    lab.at(lab.clients[0], "timeout", str(seconds), *gtls_command(*arguments, sizes=sizes), check=False, timeout=20)


QUIC_SERVED = dict(flows=netflix("useful", "quic"), trials={"netflix": {"dns_ok": 1, "quic_ok": 1}},
                   where=[[{"transport": "quic"}, {"named_by": "sni", "host": NETFLIX, "tls_handshake_us": "set"}]])


@case("ngtcp2 gets an answer from ngtcp2", **QUIC_SERVED)
def quic_success(lab):
    lab.gtls_server()
    yield
    gtls(lab)


@case("ngtcp2's Initials are dropped", flows=netflix("quic_timeout", "quic"), trials={"netflix": {"dns_ok": 1, "quic_timeout": 1}},
      where=[[{"transport": "quic"}, {"named_by": "sni", "packets_down": 0}]])
def quic_unanswered(lab):
    yield
    lab.rule("udp dport 443 drop")
    gtls(lab)


def kdig(lab, seconds):
    lab.at(lab.clients[0], "kdig", f"@{NFLX}", "-p", "443", f"+tls-sni={NETFLIX}", "+quic", f"+time={seconds}", "+retry=0", "example.org", check=False)


@case("kdig's one Initial is dropped: it gives up", flows=netflix("neutral", "quic"), trials={"netflix": {"dns_ok": 1}})
def quic_abandoned(lab):
    yield
    lookup(lab)
    lab.rule("udp dport 443 drop")
    kdig(lab, 5)


@case("caddy closes on kdig in a Handshake packet, which nobody can read", flows=netflix("neutral", "quic"), trials={"netflix": {"dns_ok": 1}})
def quic_close_hidden(lab):
    lab.caddy(NETFLIX)
    yield
    lookup(lab)
    kdig(lab, 3)


@case("no cipher in common: ngtcp2's server closes in an Initial", flows=netflix("quic_close", "quic"),
      trials={"netflix": {"dns_ok": 1, "quic_close": 1}}, where=[[{"transport": "quic"}, {"named_by": "sni"}]])
def quic_close(lab):
    lab.gtls_server("--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM")
    yield
    gtls(lab, "--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305")


@case("ICMP port unreachable to an Initial", flows=netflix("icmp", "quic"), trials={"netflix": {"dns_ok": 1, "icmp": 1}})
def quic_icmp(lab):
    yield
    lookup(lab)
    lab.client("quic-initials", NETFLIX, NFLX, "1")
    time.sleep(4)


@case("Version Negotiation, then success (made packets)", flows=netflix("useful", "quic"), trials={"netflix": {"dns_ok": 1, "quic_ok": 1}},
      where=[[{"transport": "quic"}, {"named_by": "sni"}]])
def quic_negotiation(lab):
    lab.server("quic-negotiation")
    yield
    lookup(lab)
    lab.client("quic-get", NETFLIX, NFLX, "negotiate")


@case("ngtcp2 begins with a version that caddy has not, and begins anew from another port", flows=netflix("quic_close", "quic") + netflix("useful", "quic"),
      trials={"netflix": {"dns_ok": 1, "quic_ok": 1}}, where=[[{"outcome": "useful"}, {"named_by": "sni", "host": NETFLIX, "tls_handshake_us": "set"}]])
def quic_negotiation_anew(lab):
    lab.caddy(NETFLIX)
    yield
    gtls(lab, "--version=0x1a2a3a4a", "--preferred-versions=v1")
    time.sleep(5)


@case("caddy's Version Negotiation, no Initial after it", flows=netflix("quic_close", "quic"), trials={"netflix": {"dns_ok": 1, "quic_close": 1}},
      where=[[{"transport": "quic"}, {"named_by": "dns"}]])
def quic_negotiation_only(lab):
    lab.caddy(NETFLIX)
    yield
    lookup(lab)
    lab.client("quic-get", NETFLIX, NFLX, "negotiate-only")
    time.sleep(5)


@case("ngtcp2's server sends a Retry, then success", **QUIC_SERVED)
def quic_retry(lab):
    lab.gtls_server("--validate-addr")
    yield
    gtls(lab)


@case("two Retries (made packets)", flows=netflix("quic_close", "quic"), trials={"netflix": {"dns_ok": 1, "quic_close": 1}})
def quic_two_retries(lab):
    lab.server("quic-retry", 2)
    yield
    lookup(lab)
    lab.client("quic-retries", NETFLIX, NFLX, 1)


@case("QUIC dropped, TCP useful within 10 s", flows=netflix("quic_timeout", "quic") + netflix("useful"),
      trials={"netflix": {"dns_ok": 1, "connect_ok": 1, "quic_timeout": 1, "quic_fell_back": 1}})
def quic_blocked(lab):
    lab.nginx()
    lab.rule("udp dport 443 drop")
    yield
    gtls(lab, seconds=4)
    lab.client("get", NETFLIX, NFLX)
    time.sleep(2)


@case("QUIC and TCP dropped", flows=netflix("quic_timeout", "quic") + netflix("syn_timeout"),
      trials={"netflix": {"dns_ok": 1, "quic_timeout": 1, "syn_timeout": 1}})
def quic_and_tcp_blocked(lab):
    lab.rule(f"ip daddr {NFLX} drop")
    yield
    gtls(lab, seconds=4)
    lab.client("connect", NFLX, "5")
    time.sleep(2)


@case("over QUIC, nothing comes from the server any more: the connection dies, and its request with it",
      flows=netflix("quic_timeout", "quic"), trials={"netflix": {"dns_ok": 1, "quic_timeout": 1}},
      where=[[{"transport": "quic"}, {"request_timeouts": 0}]])
def quic_request_hangs(lab):
    lab.gtls_server()
    yield
    client = lab.start(lab.clients[0], *gtls_command("--delay-stream=2s"))
    time.sleep(1)
    lab.rule("udp sport 443 drop")
    time.sleep(7.5)
    lab.stop(client)


@case("over QUIC, a transfer that is silent for 3 s", flows=netflix("useful", "quic"), trials={"netflix": {"dns_ok": 1, "quic_ok": 1}},
      where=[[{"transport": "quic"}, {"requests": 1, "request_timeouts": 0, "stalls.0.duration_us": [2_500_000, 5_000_000]}]])
def quic_stall(lab):
    lab.gtls_server()
    lab.rule("udp sport 443 limit rate over 100 kbytes/second burst 20 kbytes drop")
    yield
    client = lab.start(lab.clients[0], *gtls_command(sizes=(400000,)))
    time.sleep(1.5)
    lab.rule("udp sport 443 drop")
    time.sleep(3)
    lab.clear_rules()
    client.wait(20)


# ---- DNS ----

@case("the name's own server refuses the resolver: SERVFAIL", flows=[], dns={"hulu": {"servfail": 1}}, trials={"hulu": {"dns_servfail": 1}})
def dns_servfail(lab):
    lab.second_resolver()
    yield
    lab.dig("broken.hulu.com", "+tries=1", "+time=9", "A")


@case("the resolver refuses the name", flows=[], dns={"hulu": {"refused": 1}}, trials={"hulu": {"dns_refused": 1}})
def dns_refused(lab):
    yield
    lab.dig("refused.hulu.com")


@case("NXDOMAIN for a name that resolved, in the next slot", flows=[], dns={"netflix": {"useful": 1, "nxdomain": 1}},
      trials={"netflix": {"dns_ok": 1, "dns_nxdomain": 1}})
def dns_nxdomain_known(lab):
    yield
    lookup(lab, GONE)
    lab.forget_name(GONE)
    lab.new_slot()
    lookup(lab, GONE)


@case("NXDOMAIN for a name that never resolved", flows=[], dns={"netflix": {"neutral": 1}}, trials={"netflix": {}})
def dns_nxdomain_unknown(lab):
    yield
    lookup(lab, "never.netflix.com")


@case("the resolver is silent, dig asks twice", flows=[], dns={"netflix": {"timeout": 1}}, trials={"netflix": {"dns_timeout": 1}})
def dns_timeout(lab):
    lab.rule("udp dport 53 drop")
    yield
    lab.dig(NETFLIX, "+tries=2", "+time=2", "A")
    time.sleep(1)


@case("the resolver is silent, dig asks once and waits 6 s", flows=[], dns={"netflix": {"timeout": 1}}, trials={"netflix": {"dns_timeout": 1}})
def dns_timeout_once(lab):
    lab.rule("udp dport 53 drop")
    yield
    lab.dig(NETFLIX, "+tries=1", "+time=6", "A")
    time.sleep(1)


@case("the resolver answers dig's second question", flows=[], dns={"netflix": {"useful": 1}}, trials={"netflix": {"dns_ok": 1}})
def dns_second_try(lab):
    lab.rule("udp dport 53 drop")
    yield
    dig = lab.start(lab.clients[0], "dig", f"@{RESOLVER}", "+tries=2", "+time=2", "A", NETFLIX)
    time.sleep(1)
    lab.clear_rules()
    dig.wait(10)


@case("the first of two resolvers is dead, glibc asks the second", flows=[], dns={"netflix": {"timeout": 2, "useful": 1, "neutral": 1}},
      trials={"netflix": {"dns_timeout": 1, "dns_ok": 1}})
def dns_one_dead(lab):
    lab.second_resolver()
    lab.resolvers(lab.clients[0], RESOLVER, SECOND, options="timeout:2")
    lab.rule(f"ip daddr {RESOLVER} drop")
    yield
    lab.at(lab.clients[0], "getent", "ahosts", NETFLIX, check=False)
    time.sleep(6)


@case("an answer too long for UDP, asked again over TCP; it names a SYN", flows=netflix("syn_timeout"),
      dns={"netflix": {"neutral": 1, "useful": 1}}, trials={"netflix": {"dns_ok": 1, "syn_timeout": 1}}, **UNANSWERED)
def dns_over_tcp(lab):
    lab.rule("ip daddr 198.18.14.0/24 drop")
    yield
    lab.dig(f"many.{NETFLIX}", "+bufsize=512", "A")
    lab.client("connect", "198.18.14.7", "5")


@case("a CNAME chain names a SYN that nobody answers", flows=netflix("syn_timeout"), dns={"netflix": {"useful": 1}},
      trials={"netflix": {"dns_ok": 1, "syn_timeout": 1}},
      where=[[{"service": "netflix"}, {"named_by": "dns", "host": NETFLIX_ALIAS}]])
def dns_cname(lab):
    lab.rule(f"ip daddr {EDGE} drop")
    yield
    lookup(lab, NETFLIX_ALIAS)
    lab.client("connect", EDGE, "5")


@case("the address hint of an HTTPS record names a SYN", flows=netflix("syn_timeout"), dns={"netflix": {"useful": 1}},
      trials={"netflix": {"dns_ok": 1, "syn_timeout": 1}}, where=[[{"service": "netflix"}, {"named_by": "dns", "host": HINTED}]])
def dns_https_hint(lab):
    lab.rule("ip daddr 198.18.13.9 drop")
    yield
    lab.dig(HINTED, "HTTPS")
    lab.client("connect", "198.18.13.9", "5")


@case("no AAAA and no HTTPS record: no data", flows=[], dns={"netflix": {"neutral": 2}}, trials={"netflix": {}})
def dns_nodata(lab):
    yield
    lab.dig(NETFLIX, "AAAA")
    lab.dig(NETFLIX, "HTTPS")


@case("a client on DNS over HTTPS", flows=["other tcp useful"] + netflix("useful", times=3), dns={"netflix": {}},
      trials={"netflix": {"connect_ok": 1}}, capture={"naming.dns": "blind", "naming.flows_doh": 1})
def doh_blind(lab):
    lab.nginx()
    yield
    lab.curl(DOH, *PAD, "--resolve", f"{DOH}:443:{ADDRESSES[DOH]}")
    for _ in range(3):
        lab.curl(NETFLIX, *PAD, "--resolve", f"{NETFLIX}:443:{NFLX}")


@case("a client on DNS over TLS", flows=["none tcp useful"] + netflix("useful", times=3), dns={"netflix": {}},
      trials={"netflix": {"connect_ok": 1}}, capture={"naming.dns": "blind", "naming.flows_dot": 1})
def dot_blind(lab):
    lab.nginx()
    yield
    lab.at(lab.clients[0], "kdig", f"@{RESOLVER}", "+tls", NETFLIX, check=False)
    for _ in range(3):
        lab.curl(NETFLIX, *PAD, "--resolve", f"{NETFLIX}:443:{NFLX}")


# ---- ECH (the extension is openssl's, empty, as GREASE is to whoever watches) ----

ECH = ("-serverinfo", "65037")


@case("0xfe0d in a hello whose name DNS gave", flows=netflix("useful"), capture={"naming.flows_ech": 1},
      where=[[{"service": "netflix"}, {"named_by": "sni", "name_conf": "high", "host": NETFLIX}]])
def ech_grease(lab):
    lab.nginx()
    yield
    lookup(lab)
    openssl(lab, NETFLIX, NFLX, *ECH)


@case("0xfe0d in a hello, no DNS seen", flows=netflix("useful"), capture={"naming.flows_ech": 1},
      where=[[{"service": "netflix"}, {"named_by": "sni", "name_conf": "low", "host": NETFLIX}]])
def ech_without_dns(lab):
    lab.nginx()
    yield
    openssl(lab, NETFLIX, NFLX, *ECH)


@case("0xfe0d, an outer name that DNS did not give", flows=["hulu tcp useful"], capture={"naming.flows_ech": 1},
      where=[[{"service": "hulu"}, {"named_by": "dns", "host": HULU}]])
def ech_outer_name(lab):
    lab.nginx()
    yield
    lookup(lab, HULU)
    openssl(lab, "cloudflare-ech.com", ADDRESSES[HULU], *ECH)


@case("chromium's hello: GREASE 0xfe0d, in two segments", flows=None, capture={"naming.flows_ech": ">0"},
      where=[[{"service": "netflix", "outcome": "useful"}, {"named_by": "sni", "name_conf": "high", "host": HINTED}]], only_transport="tcp")
def ech_chromium(lab):
    lab.nginx()
    yield
    chromium(lab, HINTED, quic=False)
