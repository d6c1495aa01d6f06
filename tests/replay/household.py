"""Captures of households, built packet by packet without weir's own generator: lookups, TLS handshakes with a name, answers, and
whatever goes wrong with them. Small on purpose: just what a test needs to say what happened to whom."""
import ipaddress
import random
import struct

ETHERNET = bytes.fromhex("020000000001020000000002")
SYN, FIN_ACK, RST_ACK, ACK, SYN_ACK, PUSH = 0x02, 0x11, 0x14, 0x10, 0x12, 0x18
START = 1_764_000_000  # 2025-11-24 16:00:00 UTC
# service: [(host, IPv4 servers, IPv6 servers)]
SERVICES = {
    "netflix": [("api-global.netflix.com", ["52.31.48.10"], ["2a05:d018:76c:b600::10"]),
                ("ipv4-c004-cdg001-ix.1.oca.nflxvideo.net", ["45.57.18.20", "45.57.19.33"], ["2a00:86c0:1001::20"])],
    "youtube": [("www.youtube.com", ["142.250.74.14"], ["2a00:1450:4007:80c::200e"]),
                ("rr3---sn-25ge7nzz.googlevideo.com", ["74.125.168.8", "74.125.160.9"], ["2a00:1450:4007:12::8"])],
    "disneyplus": [("disney.api.edge.bamgrid.com", ["34.110.155.89"], ["2600:1901:1:11::1"]),
                   ("vod-akc-eu-west-1.media.dssott.com", ["23.50.129.10", "23.50.129.11"], [])],
    "twitch": [("gql.twitch.tv", ["151.101.66.167"], []), ("video-edge-c2a1.fra02.hls.ttvnw.net", ["23.50.129.40"], [])],
    "other": [("www.wikipedia.org", ["185.15.58.224"], ["2a02:ec80:600:ed1a::1"]), ("www.heise.de", ["193.99.144.85"], [])],
}


def address(text):
    return ipaddress.ip_address(text).packed


def ip(source, destination, protocol, payload, ttl=64):
    if ":" in source:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl) + address(source) + address(destination) + payload
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, ttl, protocol, 0) + address(source) + address(destination) + payload


def udp(source, destination, source_port, port, payload):
    return ip(source, destination, 17, struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload)


def tls(kind, payload):
    return struct.pack("!BHH", kind, 0x303, len(payload)) + payload


def client_hello(host):
    name = host.encode()
    extensions = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name + struct.pack("!HHBH", 43, 3, 2, 0x304)
    body = b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0" + struct.pack("!H", len(extensions)) + extensions
    return tls(22, b"\1" + struct.pack("!I", len(body))[1:] + body)


def server_hello():
    extensions = struct.pack("!HHH", 43, 2, 0x304)
    body = b"\3\3" + bytes(32) + b"\0\x13\1\0" + struct.pack("!H", len(extensions)) + extensions
    return tls(22, b"\2" + struct.pack("!I", len(body))[1:] + body)


def labels(host):
    return b"".join(bytes([len(part)]) + part.encode() for part in host.split(".")) + b"\0"


class Capture:
    def __init__(self, seed=1):
        self.packets, self.random, self.port = [], random.Random(seed), 20000

    def add(self, at, packet):
        self.packets.append((at, packet))

    def next_port(self):
        self.port += 1
        return self.port

    def lookup(self, at, client, resolver, host, servers):
        """Answered; the time at which it is."""
        kind, number, port = (28 if ":" in servers[0] else 1), self.random.randrange(65536), self.next_port()
        question = labels(host) + struct.pack("!HH", kind, 1)
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(address(one))) + address(one) for one in servers)
        self.add(at, udp(client, resolver, port, 53, struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + question))
        self.add(at + .012, udp(resolver, client, 53, port, struct.pack("!HHHHHH", number, 0x8180, 1, len(servers), 0, 0) + question + answers))
        return at + .012

    def connect(self, at, client, server, host, fate="ok", size=6000, seen="both"):
        """One HTTPS connection with one request; `fate`: ok, syn_timeout, hang (acknowledged, never answered; the client gives up
        after 15 s); `seen`: both, up, down."""
        port, sequence, rtt = self.next_port(), {client: 1000, server: 5000}, .02
        peer = {client: server, server: client}

        def send(when, sender, flags, payload=b""):
            acknowledged = 0 if flags == SYN else sequence[peer[sender]]
            ports = (port, 443) if sender == client else (443, port)
            segment = struct.pack("!HHIIBBHHH", *ports, sequence[sender], acknowledged, 0x50, flags, 65000, 0, 0) + payload
            if seen == "both" or (seen == "up") == (sender == client):
                self.add(when, ip(sender, peer[sender], 6, segment, 64 if sender == client else 55))
            sequence[sender] += len(payload) + bool(flags & 3)

        if fate == "syn_timeout":
            for wait in (0, 1, 3, 7):
                sequence[client] = 1000
                send(at + wait, client, SYN)
            return
        send(at, client, SYN)
        send(at + rtt, server, SYN_ACK)
        at += rtt + .001
        send(at, client, ACK)
        send(at, client, PUSH, client_hello(host))
        send(at + rtt, server, PUSH, server_hello() + tls(20, b"\1") + tls(23, bytes(900)))
        at += rtt + .002
        send(at, client, PUSH, tls(20, b"\1") + tls(23, bytes(53)))
        send(at + .001, client, PUSH, tls(23, bytes(450)))
        if fate == "hang":
            send(at + rtt, server, ACK)
            send(at + 15, client, FIN_ACK)
            return
        at += rtt + .01
        answer = tls(23, bytes(size))
        for start in range(0, len(answer), 1400):
            at += .0005
            send(at, server, ACK, answer[start:start + 1400])
        send(at + .001, client, ACK)
        at += 1
        send(at, client, FIN_ACK)
        send(at + rtt, server, FIN_ACK)
        send(at + rtt + .001, client, ACK)

    def household(self, seconds, clients, services=("netflix", "youtube", "disneyplus", "other"), fate=lambda *who: "ok",
                  seen=lambda service: "both"):
        """`clients` are IPv4 addresses, or pairs of an IPv4 and an IPv6 one of the same device, which then tries IPv6 first and IPv4 a
        quarter of a second later. `fate(at, client, service, server)` says how a connection goes."""
        for client in clients:
            four, six = client if isinstance(client, tuple) else (client, None)
            for service in services:
                at = START + self.random.uniform(0, 8)
                while at < START + seconds:
                    for host, servers4, servers6 in SERVICES[service]:
                        server = self.random.choice(servers4)
                        known = self.lookup(at, four, "192.168.1.1", host, servers4)
                        if six and servers6:
                            known = self.lookup(at, four, "192.168.1.1", host, servers6)
                            first = fate(known, six, service, servers6[0])
                            self.connect(known + .001, six, servers6[0], host, first)
                            if first == "ok":
                                continue
                            known += .25
                        self.connect(known + .001, four, server, host, fate(known, four, service, server), seen=seen(service))
                    at += self.random.uniform(6, 14)

    def write(self, path, link=1, frame=lambda packet: ETHERNET + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0") + packet):
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, link))
            for at, packet in sorted(self.packets, key=lambda one: one[0]):
                framed, stamp = frame(packet), round(at * 1e6)
                out.write(struct.pack("<IIII", stamp // 1_000_000, stamp % 1_000_000, len(framed), len(framed)) + framed)
        return path
