"""What changes nothing of what a capture shows must change nothing of what is said: clients renumbered, times shifted, packets wrapped in a
VLAN or GRE or cut to 96 bytes, IPv4 turned into IPv6, healthy traffic of other clients beside it."""
import json

import pytest

import test_worlds
import transform
from conftest import PCAPS, weir

# A seed, a site and a fault: worlds of which the program says what is right, one for each kind of evidence.
WORLDS = {"blackhole": (7001, "shared-flat", "blackhole"), "refused": (7002, "home", "refused"), "hollow": (7003, "shared-flat", "hollow"),
          "uplink": (7004, "shared-flat", "uplink-dead"), "starved": (7005, "shared-flat", "starved"), "healthy": (7006, "shared-flat", "none")}
CHANGES = {
    "renumbered": transform.renumbered,
    "a day and a slot later": lambda packets: transform.later(packets, 86400 + 10),
    "in a VLAN": transform.in_vlan,
    "in GRE": transform.in_gre,
    "over IPv6": transform.in_ipv6,
    "cut to 96 bytes": lambda packets: transform.cut(packets, 96),
}


def verdict(incidents):
    """Who was blamed for what, in order; by the last word."""
    return sorted({test_worlds.judge.words(test_worlds.judge.last_word(records, float("inf"))) for records in incidents})


def blamed(words):
    """Without the state: what was cut off or drowned may be told as weaker."""
    return sorted({(word.split("/")[0], word.split("/")[2]) for word in words})


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metamorphic")
    made = {name: test_worlds.make(seed, folder, site, fault)[0] for name, (seed, site, fault) in WORLDS.items()}
    made["own outage"] = PCAPS / "outage.pcap"
    return {name: (path, verdict(test_worlds.said_of(path))) for name, path in made.items()}


DEEP = ("renumbered", "cut to 96 bytes")  # touch what the verdict is made of; the others only how packets are found
ELSEWHERE = {"over IPv6": ("refused", "hollow", "own outage")}  # these have no IPv6 of their own
CASES = [(name, change) for change in CHANGES for name in [*WORLDS, "own outage"]
         if name in ELSEWHERE.get(change, [*WORLDS, "own outage"] if change in DEEP else ("refused", "healthy"))]


@pytest.mark.parametrize("name, change", CASES)
def test_the_verdict_stays(captures, tmp_path, name, change):
    path, before = captures[name]
    if change == "over IPv6" and name in WORLDS:  # two names of one client, or place, would be two afterwards
        assert not any(transform.network(frame)[1] == 0x86DD for _, _, frame in transform.read(path))
    changed = transform.write(tmp_path / "changed.pcap", CHANGES[change](transform.read(path)))
    after = verdict(test_worlds.said_of(changed))
    if change.startswith("cut"):
        assert blamed(after) == blamed(before)
    else:
        assert after == before


def test_nothing_of_ipv4_is_left(tmp_path):
    """Else the test above would compare a capture with itself. Connections that nobody answers have their name from AAAA lookups."""
    def flows(path):
        told = weir("replay", "--json", "--records", "flow", "--clients", "plain", *test_worlds.LOCAL, path).splitlines()
        return [json.loads(line) for line in told]
    changed = transform.write(tmp_path / "changed.pcap", transform.in_ipv6(transform.read(PCAPS / "outage.pcap")))
    before, after = flows(PCAPS / "outage.pcap"), flows(changed)
    assert all(":" in flow[side]["addr"] for flow in after for side in ("client", "server"))
    named = [sorted((flow["transport"], flow["named_by"], flow["service"]) for flow in of) for of in (before, after)]
    assert named[0] == named[1] and ("tcp", "dns", "netflix") in named[1]


def test_the_worlds_say_something(captures):
    """A program that says nothing would pass all of the above."""
    assert [name for name, (_, words) in captures.items() if not words] == ["healthy"]


@pytest.mark.parametrize("name", WORLDS)
def test_healthy_neighbours_change_nothing(captures, tmp_path, name):
    path, before = captures[name]
    if name == "uplink":
        pytest.skip("who is well beside it refutes a dead uplink")
    neighbours, truth = test_worlds.make(7100, tmp_path, "shared-flat", "none", "apart")
    start = next(transform.read(path))[0] - next(transform.read(neighbours))[0]
    both = transform.joined(transform.read(path), transform.later(transform.read(neighbours), start / 1e6))
    after = verdict(test_worlds.said_of(transform.write(tmp_path / "both.pcap", both)))
    assert blamed(after) == blamed(before), truth["noise"]
