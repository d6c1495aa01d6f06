#!/usr/bin/python3
"""Both ends of the captures' connections: ordinary sockets of this kernel, TLS by OpenSSL, one small resolver.

usage: peers.py serve CERTIFICATES
       peers.py client KIND N AT_ONCE SEED FAMILY
A request is a line `SIZE HOW` filled up to 400 bytes; the answer is SIZE bytes. HOW: keep, close (the server closes first),
rst (the server resets in the middle), late (a second passes first), upload (the client sends SIZE bytes, 100 come back).
"""
import concurrent.futures
import random
import socket
import ssl
import struct
import sys
import threading
import time

SERVERS_4, SERVERS_6 = "198.18.80", "2001:db8:80:"
HOSTS = ["ipv4-c001-fra001-ix.1.oca.nflxvideo.net", "rr1---sn-4g5e6nzz.googlevideo.com", "www.netflix.com", "vodmanifest.hulustream.com",
         "www.example.org", "api.spotify.com"]
RST = struct.pack("ii", 1, 0)
REQUEST, PLAIN, TLS = 400, 80, 443
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_FASTOPEN = 19, 20, 21, 23


# ---- server ----

def read(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def answer(sock):
    while True:
        size, how = read(sock, REQUEST).split()[:2]
        size = int(size)
        if how == b"late":
            time.sleep(1)
        if how == b"upload":
            read(sock, size)
            size = 100
        if how == b"rst":
            sock.sendall(bytes(size // 2))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            return
        sock.sendall(bytes(size))
        if how == b"close":
            return
        if how == b"together":   # both ends close at once: the clock says when
            time.sleep(1 - time.time() % 1)
            return


def handle(sock, context):
    try:
        if context:
            sock.settimeout(20)
            sock = context.wrap_socket(sock, server_side=True)
        answer(sock)
    except (OSError, ValueError):
        pass
    finally:
        sock.close()


def listen(port, context):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
    listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 64)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=handle, args=(sock, context), daemon=True).start()


def resolve(family, address):
    """Answers A and AAAA; a first label of nx, bd or rf is NXDOMAIN, SERVFAIL or REFUSED, of lost is heard the second time only."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    lost = set()
    while True:
        query, sender, = sock.recvfrom(2048)[:2]
        if query[13:17] == b"lost" and query[12:] not in lost:
            lost.add(query[12:])
            continue
        code = {b"n": 3, b"b": 2, b"r": 5}.get(query[13:14] if query[12] == 2 else b"", 0)
        kind = query[-3]
        record = b""
        if code == 0:
            address = socket.inet_pton(socket.AF_INET, f"{SERVERS_4}.{number_of(query[13:])}") if kind == 1 else \
                socket.inet_pton(socket.AF_INET6, f"{SERVERS_6}:{number_of(query[13:]):x}")
            record = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(address)) + address
        sock.sendto(query[:2] + bytes([0x81, 0x80 | code]) + struct.pack(">HHHH", 1, bool(record), 0, 0) + query[12:] + record, sender)


def number_of(data):
    return 10 + sum(data[:12]) % 200


def serve(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificates}/cert.pem", f"{certificates}/key.pem")
    for resolver in ((socket.AF_INET, f"{SERVERS_4}.1"), (socket.AF_INET6, f"{SERVERS_6}:1")):
        threading.Thread(target=resolve, args=resolver, daemon=True).start()
    threading.Thread(target=listen, args=(PLAIN, None), daemon=True).start()
    listen(TLS, context)


# ---- client ----

def encode(host):
    return b"".join(bytes([len(label)]) + label.encode() for label in host.split(".")) + b"\0"


def lookup(host, family):
    """The address, by one question of its own, asked again after a second."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    resolver = f"{SERVERS_4}.1" if family == socket.AF_INET else f"{SERVERS_6}:1"
    kind = 1 if family == socket.AF_INET else 28
    query = struct.pack(">HHHHHH", random.getrandbits(16), 0x100, 1, 0, 0, 0) + encode(host) + struct.pack(">HH", kind, 1)
    sock.settimeout(1)
    for _ in range(4):
        sock.sendto(query, (resolver, 53))
        try:
            reply = sock.recv(2048)
            return socket.inet_ntop(family, reply[-4 if family == socket.AF_INET else -16:]) if not reply[3] & 15 else None
        except TimeoutError:
            pass
    return None


def connect(family, address, port, tls_host, source=0, isn=None, first=b""):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(30)
    if source:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", source))
    if isn is not None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, 2)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack("I", isn))
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
    if first:
        sock.settimeout(None)   # else it does not wait for the connection
        sock.sendto(first, socket.MSG_FASTOPEN, (address, port))
        sock.settimeout(30)
    else:
        sock.connect((address, port))
    if not tls_host:
        return sock
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname=tls_host)


def request(size, how):
    return f"{size} {how} ".encode().ljust(REQUEST, b".")


def ask(sock, size, how, sent=False):
    if not sent:
        sock.sendall(request(size, how))
    if how == "upload":
        sock.sendall(bytes(size))
        size = 100
    left = size if how != "rst" else size // 2
    while left > 0:
        more = sock.recv(65536)
        if not more:
            return
        left -= len(more)


def one_mixed(number, dice, family):
    """What ordinary clients do: one connection of a random kind."""
    host = dice.choice(HOSTS)
    address = lookup(dice.choice(["nx", "bd", "rf", "lost"]) + f".{number}.org" if dice.random() < 0.05 else host, family) or lookup(host, family)
    tls = dice.random() < 0.7
    sock = connect(family, address, TLS if tls else PLAIN, tls and host)
    for _ in range(dice.choice([1, 1, 2, 3])):
        ask(sock, int(dice.lognormvariate(9, 1.2)), dice.choice(["keep"] * 12 + ["upload", "late"]))
    ending = dice.random()
    if ending < 0.25:
        ask(sock, 3000, "close")
        sock.recv(1)
    elif ending < 0.35:
        try:
            ask(sock, 6000, "rst")
            sock.recv(1)
        except OSError:
            pass
    elif ending < 0.5:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    sock.close()


def one_bulk(number, dice, family):
    """A long transfer, every third one upwards."""
    sock = connect(family, f"{SERVERS_4}.{10 + number % 100}", PLAIN, None)
    ask(sock, dice.choice([150_000, 300_000]), "upload" if number % 3 == 2 else "keep")
    sock.close()


def one_chat(number, dice, family):
    """Many small questions: a round-trip sample each."""
    sock = connect(family, f"{SERVERS_4}.{10 + number % 100}", PLAIN, None)
    for _ in range(dice.choice([10, 40])):
        ask(sock, dice.choice([500, 4000]), "keep")
    sock.close()


def one_reuse(number, dice, family):
    """The same port again and again, after a RST or a FIN."""
    try:
        sock = connect(family, f"{SERVERS_4}.10", PLAIN, None, source=40000 + number % 8)
    except OSError:
        return
    how = dice.choice(["close", "close", "keep", "keep", "keep"])
    ask(sock, 5000, how)
    if how == "close":
        sock.recv(1)
    if dice.random() < 0.7:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    sock.close()


def one_wrap(number, dice, family):
    """The client's sequence numbers pass 2^32 in the middle of an upload, or at the very beginning."""
    size = dice.choice([20_000, 120_000])
    isn = (1 << 32) - dice.choice([1, 2, 3, 400, 401, 402, size // 2, size])
    sock = connect(family, f"{SERVERS_4}.{10 + number % 100}", PLAIN, None, isn=isn)
    ask(sock, size, "upload")
    sock.close()


def one_fast_open(number, dice, family):
    sock = connect(family, f"{SERVERS_4}.{10 + number % 3}", PLAIN, None, first=request(8000, "keep"))
    ask(sock, 8000, "keep", sent=True)
    ask(sock, 3000, "keep")
    sock.close()


def one_together(number, dice, family):
    sock = connect(family, f"{SERVERS_4}.{10 + number % 100}", PLAIN, None)
    ask(sock, 2000, "together")
    time.sleep(1 - time.time() % 1)
    sock.close()


def one_slow_reader(number, dice, family):
    """Closes its window for a while, so that the server probes; then idles until keep-alives pass."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(30)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    sock.connect((f"{SERVERS_4}.{10 + number % 100}", PLAIN))
    sock.sendall(request(60_000, "keep"))
    time.sleep(1.5)
    left = 60_000
    while left > 0:
        left -= len(sock.recv(65536))
    time.sleep(3.2)
    sock.close()


def client(kind, n, at_once, seed, family):
    family = socket.AF_INET6 if family == "6" else socket.AF_INET
    one = globals()[f"one_{kind}"]

    def guarded(number):
        try:
            one(number, random.Random(seed * 100003 + number), family)
        except OSError as error:
            print(f"{kind} {number}: {error}", file=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        list(pool.map(guarded, range(n)))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        client(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
