"""A monitor that cannot see says so, at once and in every face: nothing is green when blind."""
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import pytest

from conftest import PCAPS, WEIR, fresh_namespace, records, weir

NETNS, PEER = "b-blind", "b-peer"


def run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


@pytest.fixture
def link():
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("only root may make interfaces")
    if why := fresh_namespace(NETNS):
        pytest.skip(why)
    assert not fresh_namespace(PEER)
    run("ip", "-n", NETNS, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", PEER)
    for namespace, name, address in ((NETNS, "eth1", "10.9.0.1/24"), (PEER, "eth0", "10.9.0.2/24")):
        run("ip", "-n", namespace, "addr", "add", address, "dev", name)
        run("ip", "-n", namespace, "link", "set", name, "up")
    yield "eth1"
    run("ip", "netns", "del", NETNS)
    run("ip", "netns", "del", PEER)


@pytest.fixture
def state():
    path = pathlib.Path(tempfile.mkdtemp(prefix="weir-blind-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def status(state):
    done = subprocess.run([WEIR, "status", "--state", state], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout


def test_a_link_that_goes_down_is_said_at_once(link, state):
    live = subprocess.Popen(["ip", "netns", "exec", NETNS, WEIR, "live", "-i", link, "--state", str(state), "--user", "root"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        next(line for line in live.stderr if "watching" in line)
        subprocess.run(["ip", "netns", "exec", PEER, "ping", "-c3", "-i0.2", "10.9.0.1"], capture_output=True, check=True)
        run("ip", "-n", PEER, "link", "set", "eth0", "down")  # no carrier at the other end
        down = time.time()
        line = live.stdout.readline()
        assert "eth1 is down, or has no carrier" in line and time.time() - down < 5
        code, text = status(state)
        assert code == 4 and "eth1" in text and "well" not in text
        run("ip", "-n", PEER, "link", "set", "eth0", "up")
        back = time.time()
        line = live.stdout.readline()
        assert "interface eth1 is back since" in line and "is down, or" not in line and time.time() - back < 5
    finally:
        live.send_signal(signal.SIGINT)
        out, errors = live.communicate(timeout=30)
    assert live.returncode == 0, errors


def unread(path, share, seconds=60, per_second=50):
    """outage.pcap's first minute of healthy traffic, with so many frames of an encapsulation that nobody knows among them."""
    data = (PCAPS / "healthy.pcap").read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    out, at, n = [data[:24]], 24, 0
    while at < len(data):
        seconds_, rest, captured, _ = struct.unpack_from(order + "IIII", data, at)
        frame = data[at:at + 16 + captured]
        out.append(frame)
        n += 1
        while n and len(out) - 1 < n / (1 - share):
            bad = bytes.fromhex("020000000001020000000002") + struct.pack(">H", 0x0800) + b"\x4f\xff\x00\x04" + bytes(40)
            out.append(struct.pack(order + "IIII", seconds_, rest, len(bad), len(bad)) + bad)
        at += 16 + captured
    path.write_bytes(b"".join(out))


def test_packets_that_cannot_be_decoded_make_services_unknown(tmp_path):
    unread(tmp_path / "unread.pcap", 0.44)
    said = records(tmp_path / "unread.pcap")
    incidents = [record for record in said if record["type"] == "incident"]
    assert incidents and incidents[0]["cause"] == "capture" and "44 % of the packets cannot be decoded" in incidents[0]["text"]
    assert {record["state"] for record in said if record["type"] == "service"} == {"unknown"}
    weir("replay", "-q", "--state", tmp_path, tmp_path / "unread.pcap")
    assert status(tmp_path)[0] == 4


def test_a_few_of_them_are_only_counted(tmp_path):
    unread(tmp_path / "unread.pcap", 0.05)
    assert not [record for record in records(tmp_path / "unread.pcap") if record["type"] == "incident"]
