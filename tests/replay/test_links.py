"""What connections tell beside requests: resets of idle ones, QUIC that dies in use, what a receiver has although it does not acknowledge it."""
import collections
import struct

import pytest

from conftest import records
from household import ACK, FIN_ACK, PUSH, RST_ACK, SERVICES, START, SYN, SYN_ACK, Capture, client_hello, server_hello, tls, ip, udp


RTT, MEDIA, SERVER = .02, SERVICES["netflix"][1], "45.57.18.20"
CLIENTS = ["192.168.1.10", "192.168.1.11"]


class Connection:
    """TLS, kept open: segments are fetched one by one."""

    def __init__(self, capture, at, client, server, host):
        self.capture, self.ends, self.at, self.port = capture, (client, server), at, capture.next_port()
        self.sequence = {client: 1000, server: 5000}
        for sender, flags, payload in ((client, SYN, b""), (server, SYN_ACK, b""), (client, ACK, b""), (client, PUSH, client_hello(host)),
                                       (server, PUSH, server_hello() + tls(20, b"\1") + tls(23, bytes(900))),
                                       (client, PUSH, tls(20, b"\1") + tls(23, bytes(53)))):
            self.send(self.at, sender, flags, payload)
            self.at += RTT if sender == server or payload or flags == SYN else .001

    def send(self, at, sender, flags, payload=b"", options=b"", sequence=None, acknowledges=None):
        client, server = self.ends
        peer = server if sender == client else client
        ports = (self.port, 443) if sender == client else (443, self.port)
        number = self.sequence[sender] if sequence is None else sequence
        answer = 0 if flags == SYN else self.sequence[peer] if acknowledges is None else acknowledges
        header = struct.pack("!HHIIBBHHH", *ports, number, answer, (5 + len(options) // 4) << 4, flags, 65000, 0, 0) + options
        self.capture.add(at, ip(sender, peer, 6, header + payload, 64 if sender == client else 55))
        if sequence is None:
            self.sequence[sender] += len(payload) + bool(flags & 3)

    def fetch(self, at, size=300_000):
        client, server = self.ends
        self.send(at, client, PUSH, tls(23, bytes(61)))
        answer = b"".join(tls(23, bytes(16000)) for _ in range(size // 16000))
        at += RTT
        for start in range(0, len(answer), 1400):
            self.send(at, server, ACK, answer[start:start + 1400])
            at += .0003
        self.send(at, client, ACK)
        return at


def watch(capture, seconds, reset_after, pause=4):
    """Two viewers fetch a segment every 4 s; from the middle on (`reset_after`(nth rest): seconds, or None) servers reset what rests."""
    for client in CLIENTS:
        at = capture.lookup(START, client, "192.168.1.1", MEDIA[0], MEDIA[1]) + .001
        connection, n = None, 0
        while at < START + seconds:
            if connection is None:
                connection = Connection(capture, at, client, SERVER, MEDIA[0])
                at = connection.at + .01
            done = connection.fetch(at)
            n += 1
            rest = reset_after(n)
            at += pause
            if rest is not None and done + rest < at:
                connection.send(done + rest, SERVER, RST_ACK)
                connection = None
            elif rest is not None:
                at = done + rest + 1
                connection.send(done + rest, SERVER, RST_ACK)
                connection = None


def outcomes(path, *arguments):
    flows = [flow for flow in records(path, *arguments, kind="flow") if flow["transport"] == "tcp"]
    return collections.Counter(flow["outcome"] for flow in flows)


def test_resets_sooner_than_connections_last(tmp_path):
    capture = Capture()
    watch(capture, 100, lambda n: 2.4 if n > 12 else None)
    path = capture.write(tmp_path / "resets.pcap")
    found = outcomes(path)
    assert found["rst_mid"] >= 2 * 8, found
    assert records(path, kind="flow") == records(path, "--workers", "3", kind="flow")
    kinds = {flow["reset"]["kind"] for flow in records(path, kind="flow") if flow["outcome"] == "rst_mid"}
    assert kinds == {"idle"}


@pytest.mark.parametrize("rest", [4.5, 12, 65])
def test_a_keep_alive_limit_is_no_failure(tmp_path, rest):
    """Now and then a player waits for longer, and the server closes by a reset, always after the same time."""
    capture = Capture()
    watch(capture, 160, lambda n: rest if n % 5 == 0 else None)
    path = capture.write(tmp_path / "limit.pcap")
    assert outcomes(path)["rst_mid"] == 0
    assert records(path, kind="incident") == []


def datagram(capture, at, client, port, length, down=False):
    payload = b"\x41" + bytes(length - 1)
    packet = udp(SERVER, client, 443, port, payload) if down else udp(client, SERVER, port, 443, payload)
    capture.add(at, packet)


def quic(capture, seconds, dies_at=None, moves_at=None):
    """A viewer over QUIC, a segment every 4 s; at `dies_at` nothing comes any more, at `moves_at` the client's port changes."""
    client, port, at = CLIENTS[0], capture.next_port(), capture.lookup(START, CLIENTS[0], "192.168.1.1", MEDIA[0], MEDIA[1]) + .1
    while at < START + seconds:
        if moves_at and at > START + moves_at:
            port, moves_at = capture.next_port(), None
        if dies_at and at > START + dies_at:
            for i in range(8):
                datagram(capture, at, client, port, 402)
                at += .06 * 2 ** i
            return at
        datagram(capture, at, client, port, 402)
        for n in range(60):
            datagram(capture, at + RTT + n * .0005, client, port, 1250 if n < 59 else 700, down=True)
            if n % 10 == 9:
                datagram(capture, at + RTT + n * .0005 + .0001, client, port, 28)
        at += 4
    return at


def test_quic_dies_and_tcp_serves(tmp_path):
    capture = Capture()
    old = Connection(capture, START + .5, CLIENTS[0], SERVER, MEDIA[0])  # open from the start, as browsers keep one
    old.fetch(START + 2)
    end = quic(capture, 60, dies_at=30)
    for i in range(10):
        old.fetch(end - 7 + 4 * i)
    path = capture.write(tmp_path / "dies.pcap")
    found = {flow["transport"]: flow for flow in records(path, kind="flow") if flow["server"]["port"] == 443}
    assert found["quic"]["outcome"] == "quic_timeout" and found["quic"]["request_timeouts"] == 0
    assert found["tcp"]["outcome"] == "useful"
    windows = [window for window in records(path, kind="window") if window["service"] == "netflix"]
    assert sum(window["quic_fell_back"] for window in windows) == 1
    assert sum(window["trials_fail"]["total"] for window in windows) == sum(window["trials_fail"]["quic_timeout"] for window in windows) == 1


def test_quic_that_moves_lives(tmp_path):
    capture = Capture()
    quic(capture, 60, moves_at=30)
    path = capture.write(tmp_path / "moves.pcap")
    flows = [flow for flow in records(path, kind="flow") if flow["transport"] == "quic"]
    assert len(flows) == 2 and {flow["outcome"] for flow in flows} == {"useful"}
    assert records(path, kind="incident") == []


@pytest.mark.parametrize("sacks", [True, False])
def test_a_hole_of_the_servers_is_not_the_clients(tmp_path, sacks):
    """A segment is lost on its way to us; the server, timing out, sends all of them again."""
    capture = Capture()
    connection = Connection(capture, START, CLIENTS[0], SERVER, MEDIA[0])
    client, server = connection.ends
    at = connection.at + .1
    for _ in range(20):
        connection.send(at, client, PUSH, tls(23, bytes(61)))
        first, size = connection.sequence[server], 1400
        answer = tls(23, bytes(10 * size - 5))
        for n in range(10):
            if n != 2:
                connection.send(at + RTT + n * .001, server, ACK, answer[n * size:(n + 1) * size], sequence=first + n * size)
            if n > 2:
                block = struct.pack("!BBBBII", 1, 1, 5, 10, first + 3 * size, first + (n + 1) * size) if sacks else b""
                connection.send(at + RTT + n * .001 + .0002, client, ACK, options=block, acknowledges=first + 2 * size)
        for n in range(2, 10):
            connection.send(at + .3 + n * .001, server, ACK, answer[n * size:(n + 1) * size], sequence=first + n * size)
        connection.sequence[server] += 10 * size
        connection.send(at + .35, client, ACK)
        at += 1
    connection.send(at, client, FIN_ACK)
    flow, = records(capture.write(tmp_path / "holes.pcap"), kind="flow")
    assert flow["retransmissions_down"] == {"beyond": 0, "before": 20}
    assert flow["spurious"]["down"] == 20 * 7
