"""weir clients: who is hit, by the names that devices and the configuration give; only where the site shows its clients."""
import json
import struct
import subprocess

import pytest

from conftest import PCAPS, weir


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp(src, dst, sport, dport, payload):
    """An IPv4 packet behind an Ethernet header; no UDP checksum."""
    body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, *(bytes(map(int, addr.split("."))) for addr in (src, dst)))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0" + head + body


def dhcp_request(address, name):
    fixed = struct.pack("!BBBB4sHH4s4s4s4s16s64s128s", 1, 1, 6, 0, b"abcd", 0, 0, bytes(4), bytes(4), bytes(4), bytes(4), bytes(16), bytes(64), bytes(128))
    options = bytes([53, 1, 3, 50, 4, *map(int, address.split("."))]) + bytes([12, len(name)]) + name + b"\xff"
    return udp("0.0.0.0", "255.255.255.255", 68, 67, fixed + b"\x63\x82\x53\x63" + options)


def mdns_answer(src, address, name):
    record = bytes([len(name)]) + name + b"\x05local\0" + struct.pack("!HHIH", 1, 0x8001, 120, 4) + bytes(map(int, address.split(".")))
    return udp(src, "224.0.0.251", 5353, 5353, struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 0) + record)


@pytest.fixture(scope="module")
def clients():
    """Whom the outage of the sample capture hits."""
    lines = weir("replay", "-q", "--json", "--records", "incident", PCAPS / "outage.pcap").splitlines()
    return json.loads(lines[-1])["clients_hit"]


@pytest.fixture
def capture(tmp_path, clients):
    """The sample capture without its end, and before it what devices say of themselves."""
    whole = tmp_path / "cut.pcap"
    subprocess.run(["editcap", "-F", "pcap", "-B", "2026-11-23T21:34:40Z", PCAPS / "outage.pcap", whole], check=True)
    data = whole.read_bytes()
    nano = data[:4] == b"\x4d\x3c\xb2\xa1"
    seconds = struct.unpack("<I", data[24:28])[0]
    frames = [dhcp_request(clients[0], b"living-room-tv"), mdns_answer(clients[1], clients[1], b"Anna's phone"),
              mdns_answer(clients[2], clients[0], b"impostor"), dhcp_request(clients[2], b"\x1b[31mevil\"name"), b"\0" * 60,
              udp(clients[0], "224.0.0.251", 5353, 5353, struct.pack("!HHHHHH", 0, 0x8400, 0, 9, 0, 0) + b"\xc0\x0c" * 5)]
    told = b"".join(struct.pack("<IIII", seconds, (999 if nano else 1), len(frame), len(frame)) + frame for frame in frames)
    path = tmp_path / "named.pcap"
    path.write_bytes(data[:24] + told + data[24:])
    return path


def test_names_of_who_is_hit(capture, clients, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    weir("replay", "-q", "--clients", "plain", "--state", state, capture)
    names = {one["client"]: one["name"] for one in json.loads(weir("clients", "--state", state, "--json"))["clients_hit"]}
    assert names[clients[0]] == "living-room-tv" and names[clients[1]] == "Anna's phone" and names[clients[2]] == "[31mevilname"
    text = weir("clients", "--state", state)
    assert text.startswith("netflix down since ") and "living-room-tv" in text and clients[0] in text
    config = tmp_path / "weir.yaml"
    config.write_text(f"hosts: ['{clients[0]}=the big one']\n")
    assert "the big one" in weir("clients", "--config", config, "--state", state)
    for name in ("living-room-tv", clients[0], "netflix", json.loads(weir("clients", "--state", state, "--json"))["id"]):
        assert "netflix down" in weir("clients", "--state", state, name), name
    weir("clients", "--state", state, "nobody", code=2)


def test_pseudonyms_have_no_names(capture, clients, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    weir("replay", "-q", "--state", state, capture)
    assert not (state / "clients.json").exists()
    text = weir("clients", "--state", state)
    assert "c-" in text and "tv" not in text and not any(client in text for client in clients)


def test_nobody(tmp_path):
    weir("replay", "-q", "--state", tmp_path, PCAPS / "outage.pcap")
    assert "nobody is hit" in weir("clients", "--state", tmp_path)
    for service in ("netflix", "hulu"):  # seen here, and only known
        assert weir("clients", "--state", tmp_path, service) == f"nobody is hit by {service}\n"
    weir("clients", "--state", tmp_path, "netflux", code=2)
    assert "did you mean netflix?" in weir.stderr
    weir("clients", "--state", tmp_path / "nothing", code=2)
