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
    before: float = 60                   # seconds
    during: float = 65
    after: float = 60
    victim: str = "netflix"
    seed: int = 1
    held_out: bool = False
    pause: float = 0                     # seconds that all players rest from t0 on
    leave: tuple = ()                    # numbers of clients that close everything at t0
    habit: tuple = ()                    # of restless.py, and its host, from t0 on
    cap: float = 20                      # players' buffer, seconds
    blocked: typing.Callable = None      # stands from the start
    browsers: bool = False               # real players beside the scripted ones
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
    Scenario("dropped", 1, drop, **SERVICE, states=DOWN, browsers=True, families=BOTH, delay_ms=10, offload=False),
    Scenario("refused", 2, refuse, **SERVICE, states=DOWN, quic=True),
    Scenario("unreachable", 3, unreachable, **SERVICE, states=DOWN, families=BOTH),
    Scenario("hello_unanswered", 4, no_server_hello, **SERVICE, states=BAD, delay_ms=10, offload=False),
    Scenario("tls_alert", 5, lambda lab, v: lab.reject_handshakes(networks(v)), lambda lab, v: lab.accept_handshakes(), **SERVICE, states=BAD),
    Scenario("reset_midway", 6, reset_midway, **SERVICE, states=BAD),
    Scenario("some_connections", 7, some_connections, **SERVICE, states=("partial", "degraded"), during=300),
    # The other family steps in at once: a third of the connections never come to be, and nobody notices.
    Scenario("some_of_two_families", 7, some_connections, **SERVICE, states=("partial", "degraded"), optional=True, families=BOTH),
    Scenario("on_and_off", 8, on_and_off, **SERVICE, states=BAD, during=180),
    Scenario("one_prefix", 9, one_prefix, services=VICTIM, causes=("cdn_path",), states=BAD, delay_ms=10, offload=False),
    Scenario("shared_cdn", 10, lambda lab, v: lab.rules_to([30], "drop"), services=("max", "hulu"), causes=("cdn",), states=BAD, victim="max"),
    Scenario("uplink", 11, lambda lab, v: lab.rule("drop"), causes=("uplink",), states=BAD, families=BOTH, offload=False),
    Scenario("slow_uplink", 12, slow_uplink, lambda lab, v: lab.tell_relay("rate 0 0"), causes=("uplink",), states=ANY, delay_ms=10,
             during=80, offload=False),
    Scenario("lossy_uplink", 13, lambda lab, v: lab.rule("numgen random mod 100 < 5 drop"), causes=("uplink",), states=ANY, optional=True,
             delay_ms=10, offload=False),
    Scenario("client_lossy", 14, lambda lab, v: lab.near_client(0, 30), lambda lab, v: lab.near_client(0, 0), **LOSSY),
    Scenario("client_off", 15, lambda lab, v: lab.near_client(0, 100), lambda lab, v: lab.near_client(0, 0), **LOSSY),
    Scenario("throttled", 16, lambda lab, v: lab.throttle(networks(v), "300kbit", 20000), lambda lab, v: lab.unthrottle(), **SERVICE,
             states=("degraded",), browsers=True, offload=False, during=80),
    Scenario("hangs", 17, lambda lab, v: lab.mark("hang", *media(v)), lambda lab, v: lab.unmark("hang"), **SERVICE, states=ANY),
    Scenario("servfail", 18, lambda lab, v: lab.fail_names(*servers.domains(v)), lambda lab, v: lab.heal_names(*servers.domains(v)),
             services=VICTIM, causes=("dns_service",), states=BAD, families=BOTH),
    Scenario("resolver", 19, lambda lab, v: lab.rule(f"ip daddr {RESOLVER} drop"), causes=("dns_resolver",), states=BAD, offload=False),
    Scenario("quic_blocked", 20, lambda lab, v: lab.rule("udp dport 443 drop"), services=("youtube",), causes=("quic_blocked",),
             states=("degraded",), quic=True, victim="youtube", delay_ms=10, families=BOTH),
    Scenario("tabs", 22, habit=("tabs", "victim"), **NEGATIVE),
    Scenario("paused", 23, pause=120, during=120, cap=40, **NEGATIVE),
    Scenario("held", 23, habit=("held", "victim"), **NEGATIVE),
    Scenario("blocked", 24, blocked=drop, during=40, **NEGATIVE),
    Scenario("dead_ipv6", 24, blocked=lambda lab, v: lab.rule(f"ip6 daddr {{ {', '.join(f'2001:db8:{n}::/48' for n in networks(v))} }} drop"),
             families=BOTH, during=40, **NEGATIVE),
    Scenario("midstream", 25, derive="healthy", how="late", **NEGATIVE),
    Scenario("doubled", 25, derive="healthy", how="doubled", **NEGATIVE),
    Scenario("one_way", 25, derive="refused", how="upward", causes=("capture",), states=ANY, optional=True),
    Scenario("short_packets", 25, derive="healthy", how="short", **NEGATIVE),
    Scenario("lost_packets", 25, derive="healthy", how="lost", causes=("capture",), states=ANY, optional=True),
    Scenario("hollow", 0, lambda lab, v: lab.mark("hollow", *media(v)), lambda lab, v: lab.unmark("hollow"), **SERVICE, states=ANY),
    Scenario("tenth", 0, lambda lab, v: lab.mark("slow", *media(v)), lambda lab, v: lab.unmark("slow"), **SERVICE, states=("degraded",), during=80,
             blocked=lambda lab, v: lab.mark("paced", *media(v)), delay_ms=10),
    Scenario("frozen", 0, freeze, **SERVICE, states=ANY, during=20),
    Scenario("leaves", 0, leave=(0, 1), during=60, **NEGATIVE),
    Scenario("far", 0, delay_ms=150, during=60, families=BOTH, **NEGATIVE),
    Scenario("healthy", 0, during=60, browsers=True, quic=True, families=BOTH, delay_ms=10, offload=False, **NEGATIVE),
    Scenario("nat", 0, drop, **SERVICE, states=DOWN, nat=True),
    Scenario("midstream_dropped", 0, derive="refused", how="late", **SERVICE, states=DOWN),
)

EIGHT = ("dropped", "one_prefix", "uplink", "servfail", "quic_blocked", "throttled", "client_lossy", "healthy")


def held_out():
    """The third that nobody tunes with: every other played scenario again, in other circumstances."""
    victims = ("disneyplus", "youtube", "disneyplus")
    played = [scenario for scenario in SCENARIOS if not scenario.derive]
    for number, scenario in enumerate(played[::2] + [s for s in played[1::2] if s.name in ("one_prefix", "servfail", "refused")]):
        other = victims[number % 3]
        if scenario.victim != "netflix" or other == "youtube" and scenario.name in ("hangs", "hollow", "tenth", "held"):
            other = scenario.victim if scenario.victim != "netflix" else "disneyplus"
        if scenario.name == "one_prefix":
            other = "youtube"
        yield dataclasses.replace(scenario, name=f"{scenario.name}.held_out", victim=other, seed=101 + number, held_out=True, browsers=False,
                                  before=75 + 3 * (number % 5), during=scenario.during * 1.1, offload=not scenario.offload)
