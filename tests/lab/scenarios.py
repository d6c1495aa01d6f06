"""What can go wrong, one thing a time: how it is done in the laboratory, and what weir should say of it.

A is netflix, on two prefixes. Every impairment stands behind the vantage, but a client's own, which stands before it.
"""
import dataclasses
import typing

HOSTS_A = ("ipv4-c001-fra001-ix.1.oca.nflxvideo.net", "ipv4-c002-fra001-ix.1.oca.nflxvideo.net")
PREFIXES_A = "{ 198.18.10.0/24, 198.18.11.0/24 }"
RESOLVER = "198.18.1.53"


def rules(*texts):
    def apply(lab):
        for text in texts:
            lab.rule(text)
    return apply


def clear(lab):
    lab.clear_rules()


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    impair: typing.Callable = None       # of the Network, at t0
    heal: typing.Callable = clear        # at t1
    service: str = None                  # expected; None with a cause: an incident of the site
    causes: tuple = ()                   # expected; empty: no incident at all
    states: tuple = ()
    optional: bool = False               # to say nothing is right as well
    before: float = 60                   # seconds
    during: float = 65
    after: float = 40
    pause: float = 0                     # seconds that all players rest from t0 on
    blocked: str = None                  # a rule that stands from the start
    offload: bool = True
    derive: str = None                   # made of another scenario's capture
    how: str = None                      # by this function of derive.py


DOWN, BAD = ("down",), ("down", "partial")

SCENARIOS = (
    Scenario("dropped", rules(f"ip daddr {PREFIXES_A} drop"), service="netflix", causes=("service",), states=DOWN),
    Scenario("refused", rules(f"ip daddr {PREFIXES_A} meta l4proto tcp reject with tcp reset"), service="netflix",
             causes=("service",), states=DOWN),
    Scenario("unreachable", rules(f"ip daddr {PREFIXES_A} reject with icmp type host-unreachable"), service="netflix",
             causes=("service",), states=DOWN),
    Scenario("hello_unanswered", rules(f"ip saddr {PREFIXES_A} ip length > 100 drop"), service="netflix", causes=("service",),
             states=DOWN),
    # A server's reset answers the client's acknowledgement; what the server still sends is lost.
    Scenario("reset_midway", rules(f"ip daddr {PREFIXES_A} ct bytes > 100000 reject with tcp reset",
                                   f"ip saddr {PREFIXES_A} ct bytes > 140000 drop"), service="netflix", causes=("service",),
             states=BAD),
    Scenario("one_prefix", rules("ip daddr 198.18.11.0/24 drop"), service="netflix", causes=("cdn_path",),
             states=("down", "partial")),
    Scenario("uplink", rules("drop"), causes=("uplink",), states=BAD, offload=False),
    Scenario("servfail", lambda lab: lab.fail_names("netflix.com", "nflxvideo.net"),
             lambda lab: lab.heal_names("netflix.com", "nflxvideo.net"), service="netflix", causes=("dns_service",), states=BAD),
    Scenario("resolver", rules(f"ip daddr {RESOLVER} drop"), causes=("dns_resolver",), states=BAD, offload=False),
    Scenario("client_lossy", lambda lab: lab.near_client(0, 30), lambda lab: lab.near_client(0, 0), causes=("client",),
             states=("down", "partial", "degraded"), optional=True),
    Scenario("client_off", lambda lab: lab.near_client(0, 100), lambda lab: lab.near_client(0, 0), causes=("client",),
             states=("down", "partial", "degraded"), optional=True),
    Scenario("throttled", lambda lab: lab.throttle(PREFIXES_A, "120kbit"), lambda lab: lab.unthrottle(), service="netflix",
             causes=("service",), states=("degraded",), offload=False),
    Scenario("hollow", lambda lab: lab.hollow(*HOSTS_A), lambda lab: lab.fill(), service="netflix", causes=("service",),
             states=("down", "partial", "degraded")),
    Scenario("paused", during=120, pause=120),
    Scenario("blocked", during=20, blocked=f"ip daddr {PREFIXES_A} drop"),
    Scenario("healthy", during=20, offload=False),
    Scenario("midstream", derive="healthy", how="late"),
    Scenario("one_way", derive="dropped", how="upward"),
    Scenario("midstream_dropped", derive="dropped", how="late", service="netflix", causes=("service",), states=DOWN),
)
