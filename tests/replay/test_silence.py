"""Nobody asks any more: a day and an hour of 230 clients that connect to two services and the web now and then. Then one of
the services is no longer tried, and later it is again."""
import json
import random
import struct

import jsonschema
from conftest import TOP, records

T0, HOUR, CLIENTS = 1795500000 // 3600 * 3600, 3600, 230
HOSTS = {"netflix": ("www.netflix.com", 10), "youtube": ("www.youtube.com", 20), "other": ("www.example.org", 99)}
EVERY = {"netflix": 600, "youtube": 900, "other": 400}  # seconds from one try of a client to the next, on average
SYN, ACK, PSH, FIN = 2, 16, 8, 1
SCHEMA = json.loads((TOP / "tests" / "schema" / "record.schema.json").read_text())


def segment(source, target, source_port, target_port, seq, ack, flags, payload=b""):
    """An Ethernet frame; checksums are left to the card."""
    tcp = struct.pack(">HHIIBBHHH", source_port, target_port, seq, ack, 0x50, flags, 65535, 0, 0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0, source, target)
    return b"\x02" * 6 + b"\x04" * 6 + b"\x08\0" + ip + tcp + payload


def connection(at, client, port, service):
    """(time, frame) of a page that is asked for and comes."""
    host, network = HOSTS[service]
    here, there = bytes([10, 0, client >> 8, client & 255]), bytes([198, 18, network, 1])
    ask, page = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    up, down = 1, 1 + len(ask)
    return [(at, segment(here, there, port, 80, 0, 0, SYN)), (at + 0.02, segment(there, here, 80, port, 0, 1, SYN | ACK)),
            (at + 0.021, segment(here, there, port, 80, up, 1, PSH | ACK, ask)), (at + 0.05, segment(there, here, 80, port, 1, down, PSH | FIN | ACK, page)),
            (at + 0.051, segment(here, there, port, 80, down, 2 + len(page), FIN | ACK)),
            (at + 0.07, segment(there, here, 80, port, 2 + len(page), down + 1, ACK))]


def write(path, silent):
    """`silent`: hours from and to which nobody tries netflix."""
    draw, packets = random.Random(5), []
    for client in range(1, CLIENTS + 1):
        port = 1024
        for service, every in EVERY.items():
            at = draw.random() * every
            while at < 25.6 * HOUR:
                if service != "netflix" or not silent[0] * HOUR <= at < silent[1] * HOUR:
                    port = port + 1 if port < 65535 else 1024
                    packets += connection(at, client, port, service)
                at += every * (0.5 + draw.random())
    packets.sort(key=lambda packet: packet[0])
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for at, frame in packets:
            out.write(struct.pack("<IIII", T0 + int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame)


def test_a_service_falls_silent(tmp_path):
    write(tmp_path / "day.pcap", (25, 25.3))
    told = records(tmp_path / "day.pcap", kind="incident")
    assert [(incident["event"], incident["service"], incident["cause"]) for incident in told] == [
        ("raised", "netflix", "service"), ("cleared", "netflix", "service")], [incident["text"] for incident in told]
    raised = told[0]
    jsonschema.Draft7Validator(SCHEMA).validate(raised)
    assert raised["confidence"] == "low" and raised["silence"]["clients"] <= 0.2 * raised["silence"]["clients_expected"]
    assert abs(raised["onset_ts"] - T0 - 25 * HOUR) <= 60 and raised["ts"] - raised["onset_ts"] <= 600
    assert "nobody asks for it any more" in raised["text"] and "All else is tried as usual" in raised["text"]
