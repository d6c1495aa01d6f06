#!/usr/bin/python3
"""Servers and clients that misbehave on purpose, each one small function; run inside a namespace by lab.py.

usage: actors.py NAME CERTIFICATES [ARGUMENT...]
TLS is Python's (OpenSSL); what only raw bytes can show is quicbytes.py's.
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time

import quicbytes as q

BOTH = "both-c001-fra001-ix.1.oca.nflxvideo.net"
LINGER_RST = struct.pack("ii", 1, 0)


def reset(sock):
    """Closes with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RST)
    sock.close()


# ---- servers, TCP ----

def serve(handle):
    listener = socket.create_server(("::", 443), family=socket.AF_INET6, dualstack_ipv6=True, backlog=16)

    def guarded(sock):
        try:
            handle(sock)
        except OSError:
            pass
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=guarded, args=(sock,), daemon=True).start()


def serve_mute(_):
    def handle(sock):
        sock.recv(65536)
        time.sleep(60)
    serve(handle)


def serve_fin(_):
    def handle(sock):
        sock.recv(65536)
        sock.close()
    serve(handle)


def serve_rst(_):
    def handle(sock):
        sock.recv(65536)
        reset(sock)
    serve(handle)


def server_context(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificates}/cert.pem", f"{certificates}/key.pem")
    return context


def serve_tls(certificates, answer):
    context = server_context(certificates)

    def handle(sock):
        tls = context.wrap_socket(sock, server_side=True)
        while tls.recv(65536):
            answer(tls)
    serve(handle)


def body(tls, size):
    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))


def serve_late(certificates, seconds):
    def answer(tls):
        time.sleep(float(seconds))
        body(tls, 20000)
    serve_tls(certificates, answer)


def serve_sizes(certificates):
    """Answers /N with N bytes, whether that is a chunk, a playlist or an error's page: from outside they differ in size alone."""
    context = server_context(certificates)

    def handle(sock):
        tls = context.wrap_socket(sock, server_side=True)
        while request := tls.recv(65536):
            body(tls, int(request.split(b" ")[1][1:]))
    serve(handle)


def serve_paced(certificates, wait_s, *parts):
    """Waits, then sends `parts`: "bytes/seconds" is so many bytes and so long a silence behind them."""
    parts = [part.split("/") for part in parts]

    def answer(tls):
        time.sleep(float(wait_s))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % sum(int(size) for size, _ in parts)
        for size, rest_s in parts:
            tls.sendall(head + bytes(int(size)))
            head = b""
            time.sleep(float(rest_s))
    serve_tls(certificates, answer)


def serve_throttled(certificates, bytes_s, *_):
    """Answers /N with N bytes: at once, but what is odd, at `bytes_s` bytes a second."""
    context = server_context(certificates)

    def handle(sock):
        tls = context.wrap_socket(sock, server_side=True)
        while request := tls.recv(65536):
            size = int(request.split(b" ")[1][1:])
            if size % 2 == 0:
                body(tls, size)
                continue
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for at in range(0, size, int(bytes_s) // 4):
                tls.sendall(bytes(min(size - at, int(bytes_s) // 4)))
                time.sleep(0.25)
    serve(handle)


def serve_hang(certificates):
    serve_tls(certificates, lambda tls: time.sleep(60))


def serve_rst_mid(certificates):
    def answer(tls):
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + bytes(30000))
        time.sleep(0.3)
        reset(tls)
    serve_tls(certificates, answer)


def serve_rst_idle(certificates):
    def answer(tls):
        body(tls, 5000)
        time.sleep(2.5)
        reset(tls)
    serve_tls(certificates, answer)


def serve_slow_tail(certificates):
    """The client has shut its side down; what still comes meets a closed socket."""
    def answer(tls):
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + bytes(20000))
        time.sleep(1)
        tls.sendall(bytes(20000))
    serve_tls(certificates, answer)


# ---- clients, TCP ----

def connected(certificates, host, address, **options):
    context = ssl.create_default_context(cafile=f"{certificates}/cert.pem")
    context.minimum_version = options.get("minimum", ssl.TLSVersion.TLSv1_2)
    sock = socket.create_connection((address, 443), timeout=15)
    return context.wrap_socket(sock, server_hostname=host)


def ask(tls, host, path="/"):
    tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Padding: {'p' * 400}\r\n\r\n".encode())


def read_answer(tls):
    got = tls.recv(65536)
    while b"\r\n\r\n" not in got:
        got += tls.recv(65536)
    head, rest = got.split(b"\r\n\r\n", 1)
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(rest) < size:
        more = tls.recv(65536)
        if not more:
            return
        rest += more


def get(certificates, host, address, times="1", end="fin"):
    """Asks `times` times, then ends: fin; idle-rst: RST after 2.5 s of silence; linger: waits 4 s before FIN. It asks at
    the start of a second: what is over before the next is judged as a whole."""
    tls = connected(certificates, host, address)
    time.sleep(1.05 - time.time() % 1)
    try:
        for _ in range(int(times)):
            ask(tls, host)
            read_answer(tls)
    except OSError:
        return
    if end != "fin":
        time.sleep(4 if end == "linger" else 2.5)
    reset(tls) if end == "idle-rst" else tls.close()


def play(certificates, host, address, *steps):
    """Steps: N asks for N bytes; new: another connection; slot: waits for the next 10 s slot; w1.5: waits so long."""
    tls = connected(certificates, host, address)
    for step in steps:
        if step == "new":
            tls.close()
            tls = connected(certificates, host, address)
        elif step == "slot":
            time.sleep(10.1 - time.time() % 10)
        elif step[0] == "w":
            time.sleep(float(step[1:]))
        else:
            ask(tls, host, "/" + step)
            read_answer(tls)
    tls.close()


def read_late(certificates, host, address, seconds):
    """Asks, and lets its small window fill before it reads."""
    context = ssl.create_default_context(cafile=f"{certificates}/cert.pem")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    sock.connect((address, 443))
    tls = context.wrap_socket(sock, server_hostname=host)
    ask(tls, host)
    time.sleep(float(seconds))
    read_answer(tls)
    tls.close()


def wait_and_close(certificates, host, address, seconds):
    """Asks, waits for an answer that does not come, gives up."""
    tls = connected(certificates, host, address)
    ask(tls, host)
    time.sleep(float(seconds))
    tls.close()


def fin_then_rst(certificates, host, address):
    tls = connected(certificates, host, address)
    ask(tls, host)
    tls.recv(65536)
    tls.shutdown(socket.SHUT_WR)
    time.sleep(0.3)
    tls.close()
    time.sleep(1.5)


def preconnect(_, address, how):
    sock = socket.create_connection((address, 443), timeout=5)
    time.sleep(2)
    sock.close() if how == "fin" else reset(sock)
    time.sleep(0.2)


def connect(_, address, seconds):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(float(seconds))
        try:
            sock.connect((address, 443))
        except OSError:
            pass


def race(_, address, address_6, seconds):
    """The handshakes of a race between the families: IPv6 first, IPv4 a quarter of a second later; IPv6 goes on alone."""
    six = socket.socket(socket.AF_INET6)
    six.setblocking(False)
    six.connect_ex((address_6, 443))
    time.sleep(0.25)
    get(_, BOTH, address)
    time.sleep(float(seconds))
    six.close()


def hello_only(_, host, address, seconds, extra="0"):
    """A raw ClientHello, `extra` bytes of an unknown extension before the name; then silence."""
    message = q.hello(host, q.extension(0x2a2a, bytes(int(extra))) if int(extra) else b"", quic=False, alpn=b"http/1.1")
    sock = socket.create_connection((address, 443), timeout=15)
    sock.sendall(b"\x16\x03\x01" + struct.pack(">H", len(message)) + message)
    sock.settimeout(float(seconds))
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass
    sock.close()


# ---- QUIC ----

def serve_datagrams(answer):
    """`answer(packet, state)` gives the datagrams to send back; state is a dict of one client's flow."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO: answer from the address that was asked
    sock.bind(("0.0.0.0", 443))
    states = {}
    while True:
        packet, ancillary, _, peer = sock.recvmsg(2048, 128)
        mine = ancillary[0][2][4:8]
        for reply in answer(packet, states.setdefault(peer, {})):
            info = struct.pack("=I4s4s", 0, mine, bytes(4))
            sock.sendmsg([reply], [(socket.IPPROTO_IP, 8, info)], 0, peer)


def is_initial(packet):
    return packet[0] & 0xf0 == 0xc0


def established(packet, state):
    """The server's part of a plain handshake, and an answer to each 1-RTT packet."""
    if is_initial(packet):
        _, dcid, scid = q.ids(packet)
        state["client"] = scid
        if state.get("answered"):
            return []
        state["answered"] = True
        mine = b"serverid"
        return [q.initial(b"\x02\x00\x00\x00\x00" + q.crypto(os.urandom(90)), scid, mine, dcid, from_server=True, pad_to=300) +
                q.handshake(scid, mine, 700), q.handshake(scid, mine, 800)]
    if packet[0] & 0x80 or "client" not in state:
        return []
    return [q.short(state["client"], 1150) for _ in range(4)]


def serve_quic(_):
    serve_datagrams(established)


def serve_quic_retry(_, times="1"):
    def answer(packet, state):
        if is_initial(packet) and state.setdefault("retries", 0) < int(times):
            state["retries"] += 1
            return [q.retry(q.ids(packet)[2], b"retryid%d" % state["retries"], b"a token of the server")]
        return established(packet, state)
    serve_datagrams(answer)


def serve_quic_negotiation(_):
    def answer(packet, state):
        version, dcid, scid = q.ids(packet) if packet[0] & 0x80 else (q.V1, b"", b"")
        return established(packet, state) if version == q.V1 else [q.negotiation(scid, dcid)]
    serve_datagrams(answer)


def serve_quic_close(_):
    def answer(packet, state):
        _, dcid, scid = q.ids(packet)
        return [q.initial(b"\x02\x00\x00\x00\x00" + q.close(0x178), scid, b"serverid", dcid, from_server=True, pad_to=0)]
    serve_datagrams(answer)


class QuicClient:
    def __init__(self, host, address, version=q.V1):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect((address, 443))
        self.sock.settimeout(1)
        self.hello, self.dcid, self.scid = q.hello(host), os.urandom(8), os.urandom(8)
        self.version, self.token, self.number = version, b"", 0

    def initial(self):
        self.sock.send(q.initial(q.crypto(self.hello), self.dcid, self.scid, self.dcid, self.number, token=self.token, version=self.version))
        self.number += 1

    def receive(self):
        try:
            return self.sock.recv(2048)
        except OSError:
            return b""

    def finish(self, requests=2):
        """The client's part of a handshake that the server has answered, then requests."""
        server = b"serverid"
        self.receive()
        self.sock.send(q.initial(b"\x02\x00\x00\x00\x00", server, self.scid, self.dcid, self.number) )
        self.sock.send(q.handshake(server, self.scid, 60) + q.short(server, 40))
        for _ in range(requests):
            time.sleep(0.4)
            self.sock.send(q.short(server, 420))
            while self.receive():
                pass


def quic_get(_, host, address, what="plain"):
    """plain; retry: follows one Retry; negotiate: starts with a version that the server has not; negotiate-only: gives up then."""
    client = QuicClient(host, address, 0x6b3343cf + 1 if what.startswith("negotiate") else q.V1)
    client.initial()
    if what == "plain":
        client.finish()
        return
    reply = client.receive()
    if what == "negotiate-only":
        return
    if what == "retry":
        client.dcid, client.token = q.ids(reply)[2], b"a token of the server"
    else:
        client.version, client.dcid = q.V1, os.urandom(8)
    client.initial()
    client.finish()


def quic_retries(_, host, address, times):
    client = QuicClient(host, address)
    client.initial()
    for _ in range(int(times)):
        client.dcid, client.token = q.ids(client.receive())[2], b"a token of the server"
        client.initial()


def quic_initials(_, host, address, *gaps):
    client = QuicClient(host, address)
    client.initial()
    for gap in gaps:
        time.sleep(float(gap))
        try:
            client.initial()
        except OSError:
            pass


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
