"""Packets made by hand for the tests of faults: every header field is given, checksums are right, nothing is random.

A conversation is a list of (time in s, IP packet); what a test wants of it (copies, tags, tunnels, another order) it does to that
list. `capture` writes the list."""
import ipaddress
import struct

SYN, ACK, PUSH, FIN, RST = 2, 16, 8, 1, 4
MAC_A, MAC_B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
START = 1_700_000_000
LINK_ETHERNET, LINK_RAW = 1, 101


def folded(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def packed(text):
    return ipaddress.ip_address(text).packed


def ip(src, dst, protocol, payload, ttl=64, ident=0):
    if ":" in src:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl) + packed(src) + packed(dst) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, 0x4000 if not ident else 0, ttl, protocol, 0) + packed(src) + packed(dst)
    return head[:10] + struct.pack("!H", folded(head)) + head[12:] + payload


def summed(src, dst, protocol, segment, at):
    pseudo = packed(src) + packed(dst) + struct.pack("!IHBB", len(segment), 0, 0, protocol)
    return segment[:at] + struct.pack("!H", folded(pseudo + segment)) + segment[at + 2:]


def tcp(src, sport, dst, dport, seq, ack, flags, payload=b"", options=b"", window=64240, **ip_fields):
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, (20 + len(options)) << 2, flags, window, 0, 0)
    return ip(src, dst, 6, summed(src, dst, 6, segment + options + payload, 16), **ip_fields)


def udp(src, sport, dst, dport, payload, **ip_fields):
    return ip(src, dst, 17, summed(src, dst, 17, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload, 6), **ip_fields)


def routed(packet, hops=1):
    """The same packet some routers later."""
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes([packet[7] - hops]) + packet[8:]
    head = packet[:8] + bytes([packet[8] - hops, packet[9]]) + b"\0\0" + packet[12:20]
    return head[:10] + struct.pack("!H", folded(head)) + head[12:] + packet[20:]


def source(packet):
    return str(ipaddress.ip_address(packet[8:24] if packet[0] >> 4 == 6 else packet[12:16]))


def frame(packet, tags=(), src=MAC_A, dst=MAC_B):
    kind = struct.pack("!H", 0x86dd if packet[0] >> 4 == 6 else 0x0800)
    return dst + src + b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags) + kind + packet


def capture(path, frames, linktype=LINK_ETHERNET):
    """`frames` (time, bytes) in order of time."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, linktype))
        for at, data in sorted(frames, key=lambda one: one[0]):
            us = round(at * 1e6)
            out.write(struct.pack("<IIII", us // 1_000_000, us % 1_000_000, len(data), len(data)) + data)
    return path


def client_hello(host, padding=0):
    name = host.encode()
    extensions = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name + struct.pack("!HHBH", 43, 3, 2, 0x304)
    extensions = struct.pack("!HH", 21, padding) + bytes(padding) + extensions if padding else extensions
    body = b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0" + struct.pack("!H", len(extensions)) + extensions
    return b"\1" + struct.pack("!I", len(body))[1:] + body


def record(kind, payload):
    return struct.pack("!BHH", kind, 0x303, len(payload)) + payload


def server_hello():
    extensions = struct.pack("!HHH", 43, 2, 0x304)
    body = b"\3\3" + bytes(32) + b"\0\x13\1\0" + struct.pack("!H", len(extensions)) + extensions
    return record(22, b"\2" + struct.pack("!I", len(body))[1:] + body)


class Https:
    """One HTTPS connection with one answer, every round trip 20 ms, seen next to the client (0.5 ms)."""

    def __init__(self, host, client="192.168.1.10", server="198.51.100.10", port=40000, at=START, segments=20, ids=True, mss=1460, pieces=None):
        """`pieces`: of the ClientHello record, as (offset, length) in the order of sending; None: one."""
        self.ends = {"up": (client, port), "down": (server, 443)}
        self.seq, self.ident, self.ids, self.at, self.packets = {"up": 1000, "down": 5000}, 0, ids, at, []
        mss_option = struct.pack("!BBH", 2, 4, mss)
        self.send("up", SYN, options=mss_option)
        self.wait(.020).send("down", SYN | ACK, options=mss_option)
        self.wait(.0005).send("up", ACK)
        hello = record(22, client_hello(host))
        begin = self.seq["up"]
        for offset, length in pieces or [(0, len(hello))]:
            self.wait(.0001).send("up", ACK | PUSH, hello[offset:offset + length], seq=begin + offset)
        self.seq["up"] = begin + len(hello)
        self.wait(.020).send("down", ACK | PUSH, server_hello() + record(23, bytes(1100)))
        self.wait(.0005).send("up", ACK | PUSH, record(23, bytes(53)) + record(23, bytes(400)))
        self.wait(.020)
        sizes = [min(14600, segments * 1460 - at) for at in range(0, segments * 1460, 14600)]
        answer = b"".join(record(23, bytes(size - 5)) for size in sizes)
        for i in range(segments):
            self.wait(.0005).send("down", ACK, answer[i * 1460:(i + 1) * 1460])
            self.send("up", ACK)

    def wait(self, seconds):
        self.at += seconds
        return self

    def send(self, way, flags, payload=b"", seq=None, options=b""):
        back = "down" if way == "up" else "up"
        (src, sport), (dst, dport) = self.ends[way], self.ends[back]
        self.ident += 1
        number = self.seq[way] if seq is None else seq
        self.packets.append((self.at, tcp(src, sport, dst, dport, number, self.seq[back] if flags & ACK else 0, flags, payload, options,
                                          ttl=64 if way == "up" else 57, ident=self.ident if self.ids else 0)))
        if seq is None:
            self.seq[way] += len(payload) + (1 if flags & SYN else 0)
        return self


def labels(host):
    return b"".join(bytes([len(part)]) + part.encode() for part in host.split(".")) + b"\0"


def dns(number, host, addresses=(), kind=1):
    """A question, or with addresses its answer; behind its length, as over TCP."""
    answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 300, len(packed(one))) + packed(one) for one in addresses)
    message = struct.pack("!HHHHHH", number, 0x8180 if addresses else 0x100, 1, len(addresses), 0, 0) + labels(host) + struct.pack("!HH", kind, 1) + answers
    return struct.pack("!H", len(message)) + message


def dns_over_tcp(question, pieces, client="192.168.1.10", resolver="192.168.1.1", port=42000, at=START):
    """`pieces` of the answers' stream: (offset, bytes) in the order of arrival."""
    packets = [(at, tcp(client, port, resolver, 53, 100, 0, SYN)), (at + .001, tcp(resolver, 53, client, port, 700, 101, SYN | ACK)),
               (at + .002, tcp(client, port, resolver, 53, 101, 701, ACK)), (at + .003, tcp(client, port, resolver, 53, 101, 701, ACK | PUSH, question))]
    for i, (offset, data) in enumerate(pieces):
        packets.append((at + .010 + i * .001, tcp(resolver, 53, client, port, 701 + offset, 101 + len(question), ACK | PUSH, data, ident=i + 1)))
    return packets


# ---- QUIC (RFC 9001): Initials that can be opened ----

def _expand(secret, label, length):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
    label = b"tls13 " + label
    return HKDFExpand(hashes.SHA256(), length, struct.pack("!HB", length, len(label)) + label + b"\0").derive(secret)


def initial(dcid, scid, crypto, key_id, from_server=False, number=0, token=b"", size=1200):
    """An Initial with CRYPTO bytes, protected with the keys of `key_id`."""
    import hmac
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    secret = hmac.new(bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), key_id, "sha256").digest()
    secret = _expand(secret, b"server in" if from_server else b"client in", 32)
    key, iv, hp = _expand(secret, b"quic key", 16), _expand(secret, b"quic iv", 12), _expand(secret, b"quic hp", 16)
    frames = b"\6\0" + struct.pack("!H", 0x4000 | len(crypto)) + crypto
    head = bytes([0xc3]) + struct.pack("!IB", 1, len(dcid)) + dcid + bytes([len(scid)]) + scid
    if not from_server:
        head += bytes([len(token)]) + token
    else:
        head += b"\0"
    body = frames + bytes(max(0, size - len(head) - 2 - 4 - 16 - len(frames)))
    head += struct.pack("!HI", 0x4000 | (4 + len(body) + 16), number)
    nonce = bytes(a ^ b for a, b in zip(iv, number.to_bytes(12, "big")))
    sealed = AESGCM(key).encrypt(nonce, body, head)
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sealed[:16])
    head = bytes([head[0] ^ (mask[0] & 0x0f)]) + head[1:-4] + bytes(a ^ b for a, b in zip(head[-4:], mask[1:5]))
    return head + sealed


def long_header(kind, dcid, scid, length):
    return bytes([0xc0 | kind << 4]) + struct.pack("!IB", 1, len(dcid)) + dcid + bytes([len(scid)]) + scid + struct.pack("!H", 0x4000 | length) + bytes(length)


class Quic:
    """One QUIC connection with one answer, every round trip 20 ms."""
    CLIENT_ID, SERVER_ID = b"1" * 8, b"\n" * 8

    def __init__(self, client="192.168.1.10", server="198.51.100.20", port=50000, at=START):
        self.ends, self.at, self.packets = {"up": (client, port), "down": (server, 443)}, at, []

    def send(self, way, datagram, wait=.0):
        self.at += wait
        (src, sport), (dst, dport) = self.ends[way], self.ends["down" if way == "up" else "up"]
        self.packets.append((self.at, udp(src, sport, dst, dport, datagram, ttl=64 if way == "up" else 57)))
        return self

    def open(self, host, key_id=b"\1" * 8, scid=CLIENT_ID, token=b"", wait=.0, size=1200):
        return self.send("up", initial(key_id, scid, client_hello(host), key_id, token=token, size=size), wait)

    def answer(self, key_id=b"\1" * 8, scid=CLIENT_ID, wait=.020, datagrams=30):
        """From the server's first flight on."""
        self.send("down", initial(scid, self.SERVER_ID, server_hello()[5:], key_id, from_server=True), wait)
        self.send("down", long_header(2, scid, self.SERVER_ID, 900), .0001)
        self.send("up", long_header(2, self.SERVER_ID, scid, 120), .0009)
        self.send("up", b"\x40" + self.SERVER_ID + bytes(500), .001)
        for i in range(datagrams):
            self.send("down", b"\x40" + scid + bytes([i]) * 1200, .0005 if i else .020)
        return self
