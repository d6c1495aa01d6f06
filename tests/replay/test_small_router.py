"""A router of 128 MiB: `weir live` with the options that it chooses there holds 2,000 live connections in less than 32 MiB."""
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import time

import pytest

import forge
from conftest import SANITIZED, TOP, WEIR, fresh_namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip") or SANITIZED, reason="only root may make a namespace; sanitizers take more")
NETNS, FLOWS = "l-router", 2000
OPTIONS = ("--memory", "16", "--buffer", "2", "--evidence", "2")  # of 128 MiB: src/engine/budget.c
SEND = """
import socket, struct, sys, time
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("two", 0))
data, at, sent = open(sys.argv[1], "rb").read(), 24, 0
while at < len(data):
    size = struct.unpack_from("<I", data, at + 8)[0]
    sent += wire.send(data[at + 16:at + 16 + size]) == size
    at += 16 + size
    time.sleep(0.004 if sent % 128 == 0 else 0)
print(sent)
"""


@pytest.fixture(scope="module", autouse=True)
def namespace():
    if why := fresh_namespace(NETNS):
        pytest.skip(why)
    subprocess.run(["ip", "-n", NETNS, "link", "add", "one", "type", "veth", "peer", "name", "two"], check=True)
    for name in ("one", "two"):
        subprocess.run(["ip", "-n", NETNS, "link", "set", name, "up"], check=True)
    yield
    subprocess.run(["ip", "netns", "del", NETNS])


def inside(*command, **options):
    return subprocess.Popen(["ip", "netns", "exec", NETNS, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def connections(path):
    """Each a client's handshake, hello and answer to one of three services; none ends. Made once for each service, and given another client
    for each connection; checksums stay the first one's, as where a network card makes them later."""
    made = [forge.Https(host, client="192.168.1.10", server=f"198.51.100.{i + 1}", segments=1).packets
            for i, host in enumerate(("api-global.netflix.com", "www.youtube.com", "www.example.org"))]
    packets = []
    for i in range(FLOWS):
        client, port = bytes([192, 168, 2 + (i >> 8), i & 255]), struct.pack("!H", 20000 + i)
        for order, (_, ip) in enumerate(made[i % 3]):
            up = ip[12:16] == forge.packed("192.168.1.10")
            ip = ip[:12] + client + ip[16:20] + port + ip[22:] if up else ip[:16] + client + ip[20:22] + port + ip[24:]
            packets.append((forge.START + i / 1e4 + order / 1e2, forge.frame(ip)))
    forge.capture(path, packets)
    return len(packets)


def resident_mib(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def test_two_thousand_flows_in_32_mib(tmp_path):
    n_packets = connections(tmp_path / "flows.pcap")
    live = inside(WEIR, "live", "-i", "one", *OPTIONS, "--user", "root", "--signatures", TOP / "signatures", "--json", "--records", "capture")
    first = live.stderr.readline()
    sender = inside("/usr/bin/python3", "-c", SEND, tmp_path / "flows.pcap")
    assert int(sender.communicate(timeout=30)[0]) == n_packets, first
    time.sleep(1)
    peak = resident_mib(live.pid)
    live.send_signal(signal.SIGINT)
    out, errors = live.communicate(timeout=30)
    capture = json.loads(out.splitlines()[-1])
    assert capture["packets"] + capture["dropped_kernel"] >= n_packets, errors
    assert capture["flows"] >= FLOWS * 0.95, "a ring of 2 MiB loses some where the machine is busy, but not more than that"
    assert capture["flows_refused"] == 0 and not any(capture["refused"].values()), capture["refused"]
    print(f"{peak:.1f} MiB, {capture['flows']} flows, {capture['dropped_kernel']} packets lost")
    assert peak < 32, f"{peak:.1f} MiB"
