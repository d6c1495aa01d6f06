"""Floods beside real sessions: tables stay within their bounds, what is shed or refused is counted, the sessions are measured
as without the flood, and nobody is blamed."""
import struct

import pytest
from conftest import PCAPS, records

WHOLE = 60_000  # if it went on over all of the capture
FLOOD = WHOLE // 3
MEMORY_MIB = 16
ETHERNET = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0"
INSIDE, MEDIA, RESOLVER = bytes([10, 77, 0, 99]), bytes([198, 18, 10, 2]), bytes([198, 18, 1, 53])


def packets(path):
    whole = path.read_bytes()
    at = 24
    while at < len(whole):
        seconds, micros, captured, wire = struct.unpack_from("<IIII", whole, at)
        yield seconds * 1_000_000 + micros, wire, whole[at + 16:at + 16 + captured]
        at += 16 + captured


def scattered(number, net=203):
    """The address of a number: no two are near each other."""
    return bytes([net]) + (number * 2654435761 % (1 << 24)).to_bytes(3, "big")


def ip(source, target, protocol, payload, fragment=0, number=0):
    return ETHERNET + struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), number & 0xFFFF, fragment, 64, protocol, 0) + source + target + payload


def tcp_syn(number):
    return struct.pack(">HHIIHHHH", 1024 + number % 60000, 443, number, 0, 0x5002, 1024, number & 0xFFFF, 0)


def udp(port, payload, number):
    return struct.pack(">HHHH", 1024 + number % 60000, port, 8 + len(payload), 0) + payload


def question(number):
    """Random names under one of a service's own: what a water-torture attack asks."""
    label = b"%08x" % (number * 2654435761 % (1 << 32))
    name = b"".join(bytes([len(part)]) + part for part in (label, b"netflix", b"com")) + b"\0"
    return struct.pack(">HHHHHH", number & 0xFFFF, 0x0100, 1, 0, 0, 0) + name + b"\0\1\0\1"


FLOODS = {
    "SYNs from anywhere to a server": lambda i: ip(scattered(i), MEDIA, 6, tcp_syn(i)),
    "a client that scans addresses": lambda i: ip(INSIDE, scattered(i), 6, tcp_syn(i)),
    "UDP to every port": lambda i: ip(scattered(i), scattered(i * 7, net=204), 17, udp(i % 65536, bytes(20), i)),
    "UDP like QUIC": lambda i: ip(scattered(i), MEDIA, 17, udp(443, b"\xc3\0\0\0\1\x08" + struct.pack(">Q", i) + b"\0\0\x44\xb0" + bytes(1180), i)),
    "questions about random names": lambda i: ip(scattered(i), RESOLVER, 17, udp(53, question(i), i)),
    "answers that nobody asked for": lambda i: ip(scattered(i), INSIDE, 17, struct.pack(">HHHH", 53, 1024 + i % 60000, 12 + 29, 0) + question(i)),
    "first fragments": lambda i: ip(scattered(i), MEDIA, 17, udp(443, bytes(64), i), fragment=0x2000, number=i),
    "later fragments": lambda i: ip(scattered(i), MEDIA, 17, bytes(64), fragment=0x2000 | 1 + i % 180, number=i),
    "resets": lambda i: ip(MEDIA, scattered(i), 6, struct.pack(">HHIIHHHH", 443, 1024 + i % 60000, i, i, 0x5014, 0, i & 0xFFFF, 0)),
}


def flooded(path, make):
    quiet = list(packets(PCAPS / "healthy.pcap"))
    first, last = quiet[0][0], quiet[-1][0]
    flood = ((first + (last - first) * i // WHOLE, make(i)) for i in range(FLOOD))
    with open(path, "wb") as out:
        out.write((PCAPS / "healthy.pcap").read_bytes()[:24])
        for ts, wire, data in sorted([*quiet, *((ts, len(data), data) for ts, data in flood)], key=lambda packet: packet[0]):
            out.write(struct.pack("<IIII", ts // 1_000_000, ts % 1_000_000, len(data), wire) + data)
    return len(quiet) + FLOOD


def sessions(all_records):
    return {(flow["client"]["addr"], flow["client"]["port"], flow["server"]["addr"], flow["first_ts"]):
            (flow["service"], flow["outcome"], flow["packets_down"], flow["bytes_down"], flow["requests"])
            for flow in all_records if flow["type"] == "flow" and flow["client"]["addr"].startswith("10.77.") and flow["transport"] == "tcp"}


@pytest.fixture(scope="module")
def alone():
    return sessions(records("--memory", str(MEMORY_MIB), PCAPS / "healthy.pcap"))


@pytest.mark.parametrize("kind", FLOODS)
def test_flood(tmp_path, alone, kind):
    path = tmp_path / "flood.pcap"
    n = flooded(path, FLOODS[kind])
    found = records("--memory", str(MEMORY_MIB), path)
    path.unlink()
    assert [record["text"] for record in found if record["type"] == "incident"] == []
    (capture,) = [record for record in found if record["type"] == "capture"]
    assert capture["packets"] == n
    accounted = capture["flows"] + capture["flows_refused"] + sum(n for why, n in capture["decode"].items() if why != "ok") + sum(capture["refused"].values())
    assert accounted > FLOOD // 2, "what the flood sent is a flow, refused, or not decoded, and counted as such"
    beside = sessions(found)
    lost = [key for key, value in alone.items() if value[2] > 3 and beside.get(key) != value]
    assert not lost, f"{len(lost)} of {len(alone)} sessions were measured differently"


def test_flows_without_room_are_the_same_ones_with_any_number_of_workers(tmp_path):
    """Of one client's scan more flows wait for a name than have room for it: which they are must not depend on how flows are divided."""
    path, start = tmp_path / "scan.pcap", 1_700_000_000_000_000
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(8000):
            data, ts = FLOODS["a client that scans addresses"](i), start + i * 2000
            out.write(struct.pack("<IIII", ts // 1_000_000, ts % 1_000_000, len(data), len(data)) + data)
    said = [records("--memory", "16", "--records", "window,service,capture", "--workers", str(n), path) for n in (1, 2, 3, 4)]
    assert said[0][-1]["refused"]["pending"] > 1000, "the bound is hit"
    assert said[0] == said[1] == said[2] == said[3]
