"""Filters of a household answer for names that they dislike. That is no outage of the service, and the names are told; when all of a
service's names are denied, it is one."""
import json
import struct

import pytest
from conftest import records
from household import RST_ACK, START, SYN, Capture, ip, labels, udp

CLIENTS = [f"192.168.1.{number}" for number in (20, 21, 22)]
ROUTER, TELEMETRY = "192.168.1.1", "logs.netflix.com"
NXDOMAIN, REFUSED = 3, 5
BEGIN = START + 60


class Filtered(Capture):
    """`denied(at, host)`: the code that the resolver denies a name with, or 0. `kept_s`: other names than telemetry's are kept from so
    long before it is blocked, and nobody asks for them again."""

    def __init__(self, denied=lambda at, host: 0, kept_s=None):
        super().__init__()
        self.denied, self.kept_s = denied, kept_s

    def lookup(self, at, client, resolver, host, servers):
        if self.kept_s is not None and host != TELEMETRY and BEGIN - self.kept_s < at < BEGIN + 45:
            return at
        code = self.denied(at, host)
        return self.deny(at, client, host, servers, code) if code else super().lookup(at, client, resolver, host, servers)

    def deny(self, at, client, host, servers, code):
        number, port = self.random.randrange(65536), self.next_port()
        question = labels(host) + struct.pack("!HH", 28 if servers and ":" in servers[0] else 1, 1)
        self.add(at, udp(client, ROUTER, port, 53, struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + question))
        self.add(at + .001, udp(ROUTER, client, 53, port, struct.pack("!HHHHHH", number, 0x8180 | code, 1, 0, 0, 0) + question))
        return at + .001

    def refused(self, at, client, server):
        port = self.next_port()
        self.add(at, ip(client, server, 6, struct.pack("!HHIIBBHHH", port, 443, 1000, 0, 0x50, SYN, 65000, 0, 0)))
        self.add(at + .001, ip(server, client, 6, struct.pack("!HHIIBBHHH", 443, port, 0, 1001, 0x50, RST_ACK, 0, 0, 0)))


def telemetry(capture, seconds, blocked):
    """Each client talks to its service's telemetry every five seconds; `blocked(at, client)` says what happens after a minute."""
    for number, client in enumerate(CLIENTS):
        at = START + 2 + number
        while at < START + seconds:
            if at < BEGIN:
                known = capture.lookup(at, client, ROUTER, TELEMETRY, ["52.31.48.99"])
                capture.connect(known + .001, client, "52.31.48.99", TELEMETRY, size=300)
            else:
                blocked(at, client)
            at += 5


def pointed_at(capture, *servers, then=None):
    def blocked(at, client):
        known = capture.lookup(at, client, ROUTER, TELEMETRY, list(servers))
        if then:
            then(known + .001, client, servers[0])
    return blocked


KINDS = {
    "refused at the filter": lambda c: pointed_at(c, ROUTER, then=c.refused),
    "unanswered at the filter": lambda c: pointed_at(c, "192.168.1.250", then=lambda *who: c.connect(*who, TELEMETRY, "syn_timeout")),
    "a page of the filter's own": lambda c: pointed_at(c, ROUTER, then=lambda *who: c.connect(*who, TELEMETRY, size=900)),
    "0.0.0.0": lambda c: pointed_at(c, "0.0.0.0"),
    "::": lambda c: pointed_at(c, "::"),
    "loopback": lambda c: pointed_at(c, "127.0.0.1"),
    "NXDOMAIN": lambda c: lambda at, client: c.deny(at, client, TELEMETRY, None, NXDOMAIN),
    "REFUSED": lambda c: lambda at, client: c.deny(at, client, TELEMETRY, None, REFUSED),
}


@pytest.mark.parametrize("kind, kept_s", [*((kind, None) for kind in KINDS), ("NXDOMAIN", 45), ("REFUSED", 45)])
def test_a_blocked_name_is_no_outage(tmp_path, kind, kept_s):
    capture = Filtered(kept_s=kept_s)
    capture.household(180, CLIENTS)
    telemetry(capture, 180, KINDS[kind](capture))
    path = capture.write(tmp_path / "filtered.pcap")
    assert not records(path, kind="incident")
    service, = (record for record in records(path, kind="service") if record["service"] == "netflix")
    assert service["state"] == "healthy" and service["blocked_names"] == [TELEMETRY]
    windows = [record for record in records(path, kind="window") if record["service"] == "netflix"]
    assert {record["state"] for record in windows} == {"healthy"}
    assert not windows[2]["blocked_names"] and windows[-1]["blocked_names"] == [TELEMETRY]


def test_an_incident_names_what_a_filter_blocks(tmp_path):
    """The service goes down a minute after a filter began to answer for its telemetry: whoever reads of the one must know of the other."""
    down = lambda at, client, service, server: "syn_timeout" if service == "netflix" and at >= BEGIN + 60 else "ok"
    capture = Filtered()
    capture.household(180, CLIENTS, fate=down)
    telemetry(capture, 180, pointed_at(capture, "0.0.0.0"))
    incidents = records(capture.write(tmp_path / "filtered.pcap"), kind="incident")
    assert incidents and {record["service"] for record in incidents} == {"netflix"}
    assert all(record["blocked_names"] == [TELEMETRY] for record in incidents)


@pytest.mark.parametrize("code", [NXDOMAIN, REFUSED])
def test_a_zone_that_is_gone_is_an_outage(tmp_path, code):
    """All names of the service are denied from one moment on, and so nobody connects any more."""
    gone = lambda at, host: code if at >= BEGIN and host.endswith(("netflix.com", "nflxvideo.net")) else 0
    capture = Filtered(gone)
    connect = capture.connect
    capture.connect = lambda at, client, server, host, *more, **how: gone(at, host) or connect(at, client, server, host, *more, **how)
    capture.household(180, CLIENTS)
    raised = [record for record in records(capture.write(tmp_path / "gone.pcap"), kind="incident") if record["event"] == "raised"]
    assert [record["service"] for record in raised] == ["netflix"] and raised[0]["cause"] == "dns_service"
    assert raised[0]["ts"] - BEGIN < 60


def test_media_stop_for_the_only_name_that_is_asked(tmp_path):
    """Nothing but a host of media is denied, and players know all other names; but no picture goes on. One denied name is a filter's
    doing until then."""
    media = lambda host: host.endswith("nflxvideo.net")
    capture = Filtered(lambda at, host: NXDOMAIN if at >= BEGIN and media(host) else 0)
    lookup, connect, stopped = capture.lookup, capture.connect, lambda at, host: at >= BEGIN and host.endswith(("netflix.com", "nflxvideo.net"))
    capture.lookup = lambda at, client, resolver, host, servers: (
        at if stopped(at, host) and not media(host) else lookup(at, client, resolver, host, servers))
    capture.connect = lambda at, client, server, host, *more, **how: stopped(at, host) or connect(at, client, server, host, *more, **how)
    capture.household(180, CLIENTS)
    raised = [record for record in records(capture.write(tmp_path / "dry.pcap"), kind="incident") if record["event"] == "raised"]
    assert [(record["service"], record["cause"]) for record in raised] == [("netflix", "dns_service")]
    assert 15 <= raised[0]["ts"] - BEGIN < 60
