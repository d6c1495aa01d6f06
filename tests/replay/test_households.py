"""Captures that nothing was tuned for: would a network engineer accept what weir says of them?"""
import struct

import pytest
from conftest import records
from household import START, Capture, udp

CLIENTS = [f"192.168.1.{number}" for number in range(10, 16)]


def stun(attribute=None):
    attributes = struct.pack("!HHI", attribute, 4, 1) if attribute else b""
    return struct.pack("!HHI", 1, len(attributes), 0x2112a442) + b"transaction." + attributes


def test_what_ndpi_says_of_a_flow_depends_on_no_other(tmp_path):
    """The second flow, from the same port of the same client, shows nothing of WhatsApp; remembering the first would call it so, or
    not, by which worker saw that."""
    capture, names = Capture(), {}
    for at, server, attribute in ((0, "157.240.1.1", 0x4000), (20, "198.51.100.7", None)):
        for second in range(4):
            capture.add(START + at + second, udp(CLIENTS[0], server, 5000, 3478, stun(attribute)))
            capture.add(START + at + second + .1, udp(server, CLIENTS[0], 3478, 5000, stun(attribute)))
    for flow in records(capture.write(tmp_path / "stun.pcap"), kind="flow"):
        names[flow["server"]["addr"]] = flow["ndpi"]
    assert names == {"157.240.1.1": "STUN.WhatsAppCall", "198.51.100.7": "STUN"}


def events(path, event="raised"):
    return [record for record in records(path, kind="incident") if record["event"] == event]


@pytest.mark.parametrize("seen", ("up", "down"))
def test_a_tap_of_one_direction_is_found_out(tmp_path, seen):
    """Within two minutes, not when the first connections have been idle for five."""
    capture = Capture()
    capture.household(120, CLIENTS, seen=lambda service: seen)
    assert [(record["cause"], record["ts"] < START + 120) for record in events(capture.write(tmp_path / "half.pcap"))] == [("capture", True)]


DUAL = [(client, f"2003:e1:1:1::{number}") for number, client in enumerate(CLIENTS, 16)]


def during(at, begin=60, end=150):
    return START + begin < at < START + end


@pytest.mark.parametrize("services, cause", ((("netflix",), "service"), (("netflix", "youtube", "disneyplus", "other"), "uplink")))
def test_a_dead_ipv6_beside_a_working_ipv4_is_told(tmp_path, services, cause):
    """Happy Eyeballs helps everybody, and the sentence says which half is to be mended."""
    capture = Capture()
    capture.household(180, DUAL, fate=lambda at, client, service, server:
                      "syn_timeout" if ":" in server and service in services and during(at) else "ok")
    told = [record for record in records(capture.write(tmp_path / "six.pcap"), kind="incident") if record["event"] != "cleared"]
    assert {(record["cause"], record["state"]) for record in told} >= {(cause, "partial")}
    assert any("Only IPv6 fails: over IPv4 all " in record["text"] for record in told if record["cause"] == cause)


def test_a_whole_outage_is_of_no_version_of_ip(tmp_path):
    capture = Capture()
    capture.household(180, DUAL, fate=lambda at, client, service, server: "syn_timeout" if service == "netflix" and during(at) else "ok")
    told = events(capture.write(tmp_path / "both.pcap"))
    assert [(record["service"], record["cause"]) for record in told] == [("netflix", "service")]
    assert not any("Only IPv" in record["text"] for record in told)


def test_trials_at_one_place_are_told_as_such(tmp_path):
    """Two services fail on their common CDN alone: `0 of 9` beside `fails in part` would contradict itself."""
    capture = Capture()
    capture.household(180, CLIENTS, services=("netflix", "youtube", "disneyplus", "twitch", "other"),
                      fate=lambda at, client, service, server: "syn_timeout" if server.startswith("23.50.129.") and during(at) else "ok")
    told = events(capture.write(tmp_path / "cdn.pcap"))
    assert sorted((record["service"], record["cause"]) for record in told) == [("disneyplus", "cdn"), ("twitch", "cdn")]
    assert all(" connection trials at 23.50.129.0 useful" in record["text"] for record in told)


def test_a_request_that_was_given_up_is_no_demand(tmp_path):
    """Requests hang for 60 s, and their connections never end, for the server answers no FIN. Who has closed them waits for nothing:
    the service was down, starved nobody longer than that, and is well afterwards."""
    capture = Capture()
    capture.household(210, CLIENTS, fate=lambda at, client, service, server: "hang" if service == "youtube" and during(at, 60, 120) else "ok")
    path = capture.write(tmp_path / "hang.pcap")
    told = [record for record in records(path, kind="incident")]
    assert {record["state"] for record in told} == {"down"} and told[-1]["event"] == "cleared"
    late = [record["ts"] for record in records(path, kind="window") if record["ts"] > START + 150 and record["trials_fail"]["total"]]
    assert late == []
    assert max(record["starved_us"] for record in records(path, kind="session") if record["service"] == "youtube") < 80e6


def test_an_outage_that_spreads_is_told_with_its_scope(tmp_path):
    """The first clients raise it; that it is everybody's is told as well, and not once for each."""
    capture = Capture()
    capture.household(120, [f"10.1.0.{number}" for number in range(10, 50)],
                      fate=lambda at, client, service, server: "syn_timeout" if service == "netflix" and during(at, 60, 100) else "ok")
    told = [record for record in records(capture.write(tmp_path / "many.pcap"), kind="incident") if record["event"] != "cleared"]
    assert {record["service"] for record in told} == {"netflix"}
    assert told[-1]["clients"] >= 30 and f"{told[-1]['clients']} of " in told[-1]["text"]
    assert len(told) <= 4
