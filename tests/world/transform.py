"""Captures changed in ways that change nothing of what they show: each function takes and gives (stamp in us, length, bytes) rows."""
import heapq
import struct

ETHERNET = 14


def read(path):
    """Packets of a classic pcap file of little-endian microseconds and Ethernet."""
    with open(path, "rb") as source:
        head = source.read(24)
        if struct.unpack("<I", head[:4])[0] != 0xA1B2C3D4 or struct.unpack("<I", head[20:])[0] != 1:
            raise ValueError(f"{path}: another kind of capture")
        while len(row := source.read(16)) == 16:
            seconds, micros, kept, length = struct.unpack("<IIII", row)
            yield seconds * 1000000 + micros, length, source.read(kept)


def write(path, packets):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for stamp, length, frame in packets:
            out.write(struct.pack("<IIII", stamp // 1000000, stamp % 1000000, len(frame), length) + frame)
    return path


def header_sum(header):
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def network(frame):
    """Where the network header begins, and its EtherType."""
    at = 12
    kind = struct.unpack_from(">H", frame, at)[0]
    while kind in (0x8100, 0x88A8):
        at += 4
        kind = struct.unpack_from(">H", frame, at)[0]
    return at + 2, kind


def later(packets, seconds):
    for stamp, length, frame in packets:
        yield stamp + int(seconds * 1000000), length, frame


def cut(packets, kept):
    """Headers only, but lookups whole: without any name nobody could say whose failure it is."""
    for stamp, length, frame in packets:
        at, kind = network(frame)
        ports = at + (20 if kind == 0x0800 else 40)
        lookup = kind in (0x0800, 0x86DD) and frame[at + (9 if kind == 0x0800 else 6)] == 17 and 53 in struct.unpack_from(">HH", frame, ports)
        yield stamp, length, frame if lookup else frame[:kept]


def in_vlan(packets, tag=77):
    for stamp, length, frame in packets:
        yield stamp, length + 4, frame[:12] + struct.pack(">HH", 0x8100, tag) + frame[12:]


def in_gre(packets):
    """Each packet inside IPv4 and GRE, as a mirror sends it."""
    for stamp, length, frame in packets:
        at, kind = network(frame)
        inner = length - at
        outer = bytearray(struct.pack(">BBHHHBBHII", 0x45, 0, (20 + 4 + inner) & 0xFFFF, 0, 0x4000, 64, 47, 0, 0x0AFF0001, 0x0AFF0002))
        outer[10:12] = struct.pack(">H", header_sum(bytes(outer)))
        yield stamp, ETHERNET + 24 + inner, frame[:12] + b"\x08\0" + bytes(outer) + struct.pack(">HH", 0, kind) + frame[at:]


def renumbered(packets, net=(192, 168)):
    """Clients' IPv4 host numbers turned over, within their network; their IPv6 host numbers too. Renewals of leases are left out."""
    for stamp, length, frame in packets:
        at, kind = network(frame)
        frame = bytearray(frame)
        if kind == 0x0800:
            ports = struct.unpack_from(">HH", frame, at + 20) if frame[at + 9] == 17 else ()
            if 67 in ports or frame[at + 9] == 1:
                if 67 in ports:
                    continue
            for place in (at + 12, at + 16):
                if tuple(frame[place:place + 2]) == net and 2 <= frame[place + 3] < 254:
                    frame[place + 3] = 255 - frame[place + 3]
            frame[at + 10:at + 12] = b"\0\0"
            frame[at + 10:at + 12] = struct.pack(">H", header_sum(bytes(frame[at:at + 20])))
        elif kind == 0x86DD:
            for place in (at + 8, at + 24):
                if frame[place:place + 2] == b"\xfd\x77":
                    frame[place + 15] ^= 0xFF
        yield stamp, length, bytes(frame)


def mapped(address):
    """The IPv6 address that stands for an IPv4 one: what is private stays so, and a /24 becomes a /48."""
    a, b, c, d = address
    private = a == 10 or (a, b) == (192, 168) or (a == 172 and 16 <= b < 32) or (a == 100 and 64 <= b < 128)
    return bytes([0xFD, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if private else [0x26, 0, a, b, c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, d])


def past_name(message, at):
    while message[at]:
        if message[at] >= 0xC0:
            return at + 2
        at += 1 + message[at]
    return at + 1


def with_aaaa(message):
    """A DNS message that speaks of A, of AAAA. Names are compressed to what comes before the first address, so pointers stay right."""
    questions, answers = struct.unpack_from(">HH", message, 4)
    at = 12
    out = bytearray()
    for _ in range(questions):
        at = past_name(message, at)
        kind = struct.unpack_from(">H", message, at)[0]
        out += message[len(out):at] + struct.pack(">H", 28 if kind == 1 else kind) + message[at + 2:at + 4]
        at += 4
    for _ in range(answers):
        begin, at = at, past_name(message, at)
        kind, _, _, size = struct.unpack_from(">HHIH", message, at)
        data = message[at + 10:at + 10 + size]
        if kind == 1:
            out += message[begin:at] + struct.pack(">H", 28) + message[at + 2:at + 8] + struct.pack(">H", 16) + mapped(data)
        else:
            out += message[begin:at + 10] + data
        at += 10 + size
    return bytes(out) + message[at:]


def over_ipv6(packet):
    """An IPv4 packet as the IPv6 packet that says the same; None: it has none (leases, fragments, pings)."""
    head = (packet[0] & 15) * 4
    protocol, payload = packet[9], packet[head:]
    whole = struct.unpack_from(">H", packet, 2)[0] - head
    if struct.unpack_from(">H", packet, 6)[0] & 0x3FFF:
        return None
    if protocol == 17:
        ports = struct.unpack_from(">HH", payload)
        if 67 in ports:
            return None
        if 53 in ports and len(payload) == whole:
            message = with_aaaa(payload[8:])
            whole = 8 + len(message)
            payload = payload[:4] + struct.pack(">HH", whole, 0) + message
    elif protocol == 1:
        reason = {(3, 1): 3, (3, 3): 4, (3, 13): 1}.get(tuple(payload[:2])) if payload[0] == 3 else None
        quoted = over_ipv6(payload[8:]) if reason is not None else None
        if not quoted:
            return None
        protocol, payload = 58, bytes([1, reason, 0, 0, 0, 0, 0, 0]) + quoted
        whole = len(payload)
    return struct.pack(">IHBB", 6 << 28, whole & 0xFFFF, protocol, packet[8]) + mapped(packet[12:16]) + mapped(packet[16:20]) + payload


def in_ipv6(packets):
    """Each IPv4 packet as IPv6, its lookups as lookups of AAAA. ARP is left out."""
    for stamp, length, frame in packets:
        at, kind = network(frame)
        if kind == 0x0806:
            continue
        if kind == 0x0800:
            packet = over_ipv6(frame[at:])
            if not packet:
                continue
            frame = frame[:at - 2] + b"\x86\xdd" + packet
            length = at + 40 + struct.unpack_from(">H", packet, 4)[0]
        yield stamp, length, frame


def joined(*several):
    """Several captures as one, in the order of time."""
    return heapq.merge(*several, key=lambda packet: packet[0])
