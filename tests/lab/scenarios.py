"""What can go wrong, one thing a time: how it is done in the laboratory, and what weir should say of it.

`lab` is the Network, `v` the service that is hit (the victim; "netflix" unless a variant says otherwise). Every impairment stands
behind the vantage, but a client's own, which stands before it. A third of all runs is held out of all tuning: the same faults
with another victim, other seeds, other times and the other kind of wire.
"""
import dataclasses
import threading
import typing

import servers
from servers import RESOLVER, WATCHED, networks

TCP, UDP = "meta l4proto tcp", "meta l4proto udp"


def media(v):
    return WATCHED[v][1]


def drop(lab, v):
    lab.rules_to(networks(v), "drop")


def refuse(lab, v):
    lab.rules_to(networks(v), f"{TCP} reject with tcp reset")
    lab.rules_to(networks(v), f"{UDP} reject with icmpx port-unreachable")


def unreachable(lab, v):
    lab.rules_to(networks(v), "reject with icmpx host-unreachable")


def no_server_hello(lab, v):
    lab.rules_from(networks(v), "tcp sport 443 @ih,0,8 22 drop")


def reset_midway(lab, v):
    """A server's reset answers the client's acknowledgement; what the server still sends is lost."""
    lab.rules_to(networks(v), "ct bytes > 100000 tcp dport 443 reject with tcp reset")
    lab.rules_from(networks(v), "ct bytes > 140000 drop")


def some_connections(lab, v):
    """Three new connections of ten never come to be; all SYNs of one share its fate."""
    lab.rules_to(networks(v), "tcp flags syn / syn,ack jhash {family} saddr . tcp sport mod 100 seed 0x5eed < 30 drop")


def on_and_off(lab, v):
    drop(lab, v)
    threading.Timer(60, lab.clear_rules).start()
    threading.Timer(120, drop, (lab, v)).start()


def one_prefix(lab, v):
    lab.rules_to(networks(v)[1:2], "drop")


def one_address(lab, v):
    """The media host alone fails; its neighbours in the same /24 serve."""
    for host in media(v):
        lab.rule(f"ip daddr {servers.address(host, 4)} drop")
        lab.rule(f"ip6 daddr {servers.address(host, 6)} drop")


def cut_often(lab, v):
    """A box cuts every connection every second, most of them between two segments."""
    lab.cutter = lab.reset_connections(networks(v), 0)


def throttle(rate):
    """All that a service sends shares so much. Three viewers of the smaller picture need 0.8 Mbit/s, of the larger 1.8."""
    return lambda lab, v: lab.throttle(networks(v), rate, 20000)


def unthrottle(lab, v):
    lab.unthrottle()


def marks(fault):
    return {"impair": lambda lab, v: lab.mark(fault, *media(v)), "heal": lambda lab, v: lab.unmark(fault)}


def blocker(how):
    return {"impair": lambda lab, v: lab.block_name(servers.BEACONS[v], how), "heal": lambda lab, v: lab.unblock_name(servers.BEACONS[v])}


def near(share_percent):
    return {"impair": lambda lab, v: lab.near_client(0, share_percent), "heal": lambda lab, v: lab.near_client(0, 0)}


def freeze(lab, v):
    """Everything is acknowledged and nothing answered, on open connections and new ones."""
    lab.rules_from(networks(v), f"{TCP} meta length > 100 drop")


def slow_uplink(lab, v):
    lab.tell_relay("rate 2500 60000")
    for client in lab.clients[:2]:
        lab.start(client, "/usr/bin/python3", str(lab.here / "restless.py"), "bulk", "example.org", str(lab.during), "1")


def clear(lab, v):
    lab.clear_rules()


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    row: int = 0                         # of the method's table of scenarios; 0: beyond that table
    impair: typing.Callable = None       # (lab, victim), at t0
    heal: typing.Callable = clear        # at t1
    services: tuple = ()                 # whose incident is expected: "victim", or names; () with causes: the site's
    causes: tuple = ()                   # expected; empty: no incident at all
    states: tuple = ()
    optional: bool = False               # to say nothing is right as well
    before: float = 50                   # seconds
    during: float = 50
    after: float = 50
    victim: str = "netflix"
    seed: int = 1
    held_out: bool = False
    pause: float = 0                     # seconds that all players rest from t0 on
    leave: tuple = ()                    # numbers of clients that close everything at t0
    habit: tuple = ()                    # of restless.py, and its host, from t0 on
    cap: float = 20                      # players' buffer, seconds
    blocked: typing.Callable = None      # stands from the start
    browsers: bool = False               # real players in place of three of the scripted ones
    clients: int = 3
    watching: str = "many"               # services a client: "many", or "one"
    knows: str = "all"                   # of a service's media hosts a player: "all", "one" (the second), "own" (its own)
    keepalive: tuple = ("75s", 1000)     # servers' limits for a connection: idle time, requests
    offload: bool = True
    delay_ms: int = None                 # a relay instead of a cable
    families: tuple = (4,)
    quic: bool = False
    nat: bool = False
    small: bool = False                  # few services and small segments
    derive: str = None                   # made of another scenario's capture
    how: str = None                      # by this function of derive.py


DOWN, BAD, ANY = ("down",), ("down", "partial"), ("down", "partial", "degraded")
VICTIM = ("victim",)
SERVICE = {"services": VICTIM, "causes": ("service",)}
LOSSY = {"causes": ("client",), "states": ANY, "optional": True}
NEGATIVE = {"states": ()}
BOTH = (4, 6)

SCENARIOS = (
    # ---- connections and handshakes ----
    Scenario("dropped", 1, drop, **SERVICE, states=DOWN, browsers=True, families=BOTH, delay_ms=10, offload=False),
    Scenario("refused", 2, refuse, **SERVICE, states=DOWN, after=75),
    Scenario("unreachable", 3, unreachable, **SERVICE, states=DOWN, families=BOTH),
    Scenario("hello_unanswered", 4, no_server_hello, **SERVICE, states=BAD, delay_ms=10, offload=False),
    Scenario("tls_alert", 5, lambda lab, v: lab.reject_handshakes(networks(v)), lambda lab, v: lab.accept_handshakes(), **SERVICE, states=BAD),
    Scenario("reset_midway", 6, reset_midway, **SERVICE, states=BAD),
    Scenario("reset_between", 6, cut_often, lambda lab, v: lab.stop(lab.cutter), **SERVICE, states=("partial", "degraded")),
    Scenario("some_connections", 7, some_connections, **SERVICE, states=("partial", "degraded"), during=240, keepalive=("75s", 3)),
    # The other family steps in at once: a third of the connections never come to be, and nobody notices.
    Scenario("some_of_two_families", 7, some_connections, **SERVICE, states=("partial", "degraded"), optional=True, families=BOTH, keepalive=("75s", 3)),
    Scenario("on_and_off", 8, on_and_off, **SERVICE, states=BAD, during=180),
    Scenario("nat", 0, drop, **SERVICE, states=DOWN, nat=True),
    Scenario("two_fail", 0, lambda lab, v: (drop(lab, v), drop(lab, "disneyplus")), services=("victim", "disneyplus"), causes=("service",), states=DOWN),
    # ---- clients that watch one thing only, or for a short time ----
    Scenario("single_dropped", 1, drop, **SERVICE, states=DOWN, clients=6, watching="one", after=75),
    Scenario("single_hangs", 17, **marks("hang"), **SERVICE, states=ANY, clients=6, watching="one"),
    Scenario("single_uplink", 11, lambda lab, v: lab.rule("drop"), causes=("uplink",), states=BAD, clients=6, watching="one"),
    # Fewer than thirty segments before it begins.
    Scenario("few_hangs", 17, **marks("hang"), **SERVICE, states=ANY, clients=2, watching="one", before=40),
    Scenario("few_collapse", 16, throttle("80kbit"), unthrottle, **SERVICE, states=ANY, clients=2, watching="one", before=40, offload=False, during=60),
    # ---- paths ----
    Scenario("one_prefix", 9, one_prefix, services=VICTIM, causes=("cdn_path",), states=BAD, delay_ms=10, offload=False),
    Scenario("own_prefix", 9, one_prefix, services=VICTIM, causes=("cdn_path",), states=BAD, knows="own"),
    # All know the failing prefix only: nobody tries the service's other one, so it may be either.
    Scenario("known_prefix", 9, one_prefix, services=VICTIM, causes=("service", "cdn_path"), states=BAD, knows="one"),
    Scenario("shared_cdn", 10, lambda lab, v: lab.rules_to([30], "drop"), services=("max", "hulu"), causes=("cdn",), states=BAD, victim="max"),
    Scenario("neighbours", 0, one_address, **SERVICE, states=BAD, victim="hulu"),
    # ---- the site ----
    Scenario("uplink", 11, lambda lab, v: lab.rule("drop"), causes=("uplink",), states=BAD, families=BOTH, offload=False, after=75),
    Scenario("slow_uplink", 12, slow_uplink, lambda lab, v: lab.tell_relay("rate 0 0"), causes=("uplink",), states=ANY, delay_ms=10,
             during=80, offload=False),
    Scenario("collapsed_uplink", 12, lambda lab, v: lab.tell_relay("rate 800 60000"), lambda lab, v: lab.tell_relay("rate 0 0"), causes=("uplink",),
             states=ANY, delay_ms=10, during=60, offload=False),
    Scenario("lossy_uplink", 13, lambda lab, v: lab.rule("numgen random mod 100 < 5 drop"), causes=("uplink",), states=ANY, optional=True,
             delay_ms=10, offload=False, browsers=True, quic=True),
    Scenario("client_8", 14, **near(8), **LOSSY, during=80, offload=False),
    Scenario("client_25", 14, **near(25), causes=("client",), states=ANY, during=80, offload=False),
    Scenario("client_off", 15, **near(100), **LOSSY),
    Scenario("servfail", 18, lambda lab, v: lab.fail_names(*servers.domains(v)), lambda lab, v: lab.heal_names(*servers.domains(v)),
             services=VICTIM, causes=("dns_service",), states=BAD, families=BOTH, keepalive=("5s", 8), during=60),
    Scenario("resolver", 19, lambda lab, v: lab.rule(f"ip daddr {RESOLVER} drop"), causes=("dns_resolver",), states=BAD, offload=False,
             keepalive=("5s", 8), during=60),
    # ---- quality, over HTTP/2 ----
    Scenario("throttled", 16, throttle("300kbit"), unthrottle, **SERVICE, states=("degraded",), browsers=True, offload=False, during=70),
    Scenario("collapse_3", 16, throttle("600kbit"), unthrottle, **SERVICE, states=("degraded",), optional=True, offload=False, during=70),
    Scenario("collapse_10", 16, throttle("180kbit"), unthrottle, **SERVICE, states=ANY, offload=False, during=60),
    Scenario("collapse_1000", 16, throttle("2kbit"), unthrottle, **SERVICE, states=ANY, offload=False, during=60),
    Scenario("hangs", 17, **marks("hang"), **SERVICE, states=ANY, browsers=True),
    Scenario("late", 17, **marks("late"), **SERVICE, states=ANY, during=70),
    Scenario("hollow", 0, **marks("hollow"), **SERVICE, states=ANY, browsers=True),
    Scenario("tenth", 0, **marks("slow"), **SERVICE, states=("degraded",), during=70, browsers=True, blocked=lambda lab, v: lab.mark("paced", *media(v)), delay_ms=10),
    Scenario("frozen", 0, freeze, **SERVICE, states=ANY, during=20, after=70),
    # A fifth of the packets on 140 ms: by their logs no viewer stands still, and each segment takes 1 to 2 s.
    Scenario("far_lossy", 0, lambda lab, v: lab.rules_from(networks(v), "numgen random mod 100 < 20 drop"), **SERVICE, states=ANY, optional=True, during=70,
             delay_ms=70, offload=False),
    Scenario("closing_hangs", 17, **marks("hang"), **SERVICE, states=ANY, keepalive=("0", 1000)),
    # ---- HTTP/3: one connection a session ----
    Scenario("quic_blocked", 20, lambda lab, v: lab.rule("udp dport 443 drop"), services=("youtube",), causes=("quic_blocked",),
             states=("degraded",), quic=True, victim="youtube", delay_ms=10, families=BOTH, during=60),
    Scenario("quic_dropped", 1, drop, **SERVICE, states=DOWN, quic=True, victim="youtube"),
    Scenario("quic_refused", 2, refuse, **SERVICE, states=DOWN, quic=True, victim="youtube"),
    Scenario("quic_throttled", 16, throttle("200kbit"), unthrottle, **SERVICE, states=ANY, quic=True, browsers=True, victim="youtube", offload=False, during=70),
    Scenario("quic_hangs", 17, **marks("hang"), **SERVICE, states=ANY, quic=True, browsers=True, victim="youtube"),
    Scenario("quic_hollow", 0, **marks("hollow"), **SERVICE, states=ANY, quic=True, victim="youtube"),
    Scenario("quic_tenth", 0, **marks("slow"), **SERVICE, states=("degraded",), quic=True, victim="youtube", during=70,
             blocked=lambda lab, v: lab.mark("paced", *media(v))),
    # ---- nothing is wrong ----
    Scenario("healthy", 0, browsers=True, quic=True, families=BOTH, delay_ms=10, offload=False, after=20, **NEGATIVE),
    Scenario("far", 0, delay_ms=150, browsers=True, quic=True, families=BOTH, after=20, **NEGATIVE),
    Scenario("tabs", 22, habit=("tabs", "victim"), after=20, **NEGATIVE),
    Scenario("paused", 23, pause=120, during=120, cap=40, after=20, **NEGATIVE),
    # Two rests of a minute on connections that stand for four minutes.
    Scenario("lasting", 23, pause=65, during=65, after=120, cap=40, clients=4, watching="one", **NEGATIVE),
    Scenario("limited", 22, keepalive=("5s", 6), pause=15, after=20, **NEGATIVE),
    Scenario("closing", 22, keepalive=("0", 1000), after=20, **NEGATIVE),
    Scenario("idle_resets", 22, blocked=lambda lab, v: lab.reset_connections(networks(v), 2), cap=24, after=20, **NEGATIVE),
    Scenario("drained", 22, lambda lab, v: lab.reset_connections(networks(v), 0, 1), after=20, **NEGATIVE),
    Scenario("held", 23, habit=("held", "victim"), after=20, **NEGATIVE),
    Scenario("polls", 23, habit=("polls", "victim"), during=80, after=20, **NEGATIVE),
    Scenario("blocked", 24, blocked=drop, during=40, after=20, **NEGATIVE),
    Scenario("dead_ipv6", 24, blocked=lambda lab, v: lab.rule(f"ip6 daddr {{ {', '.join(f'2001:db8:{n}::/48' for n in networks(v))} }} drop"),
             families=BOTH, during=40, after=20, **NEGATIVE),
    Scenario("blocker_zero", 24, **blocker("always_null"), after=20, **NEGATIVE),
    Scenario("blocker_nxdomain", 24, **blocker("always_nxdomain"), families=BOTH, after=20, **NEGATIVE),
    Scenario("blocker_refused", 24, **blocker("always_refuse"), after=20, **NEGATIVE),
    Scenario("leaves", 0, leave=(0, 1), after=20, **NEGATIVE),
    # ---- captures made of others ----
    Scenario("midstream", 25, derive="healthy", how="late", **NEGATIVE),
    Scenario("doubled", 25, derive="healthy", how="doubled", **NEGATIVE),
    Scenario("one_way", 25, derive="refused", how="upward", causes=("capture",), states=ANY, optional=True),
    Scenario("short_packets", 25, derive="healthy", how="short", **NEGATIVE),
    Scenario("lost_packets", 25, derive="healthy", how="lost", causes=("capture",), states=ANY, optional=True),
    Scenario("midstream_dropped", 0, derive="refused", how="late", **SERVICE, states=DOWN),
)

EIGHT = ("dropped", "one_prefix", "uplink", "servfail", "quic_blocked", "throttled", "client_25", "healthy")
HELD_BROWSERS = ("throttled", "hollow", "quic_hangs")  # a machine of two cores bears no more


def held_out():
    """The third that nobody tunes with: two of five played scenarios again, in other circumstances."""
    victims = ("disneyplus", "youtube", "hulu", "netflix")
    played = [scenario for scenario in SCENARIOS if not scenario.derive]
    for number, scenario in enumerate(scenario for place, scenario in enumerate(played) if place % 5 in (0, 2)):
        other = victims[number % 4] if scenario.victim == "netflix" else scenario.victim
        # Hulu shares its network with another service: for what servers do, not for what is done to networks.
        if other == "hulu" and not ("hangs" in scenario.name or scenario.states == ()):
            other = "disneyplus"
        if scenario.name in ("one_prefix", "own_prefix", "known_prefix"):
            other = "youtube"
        yield dataclasses.replace(scenario, name=f"{scenario.name}.held_out", victim=other, seed=101 + number, held_out=True,
                                  browsers=scenario.name in HELD_BROWSERS, before=scenario.before + 3 * (number % 5),
                                  during=scenario.during * 1.1, offload=not scenario.offload and not scenario.name.endswith(("throttled", "_3", "_25")))
