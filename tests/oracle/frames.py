"""Captures as lists of frames, and what is done to them: cut to headers, other headers put around, copied, halved."""
import dataclasses
import gzip
import pathlib
import random
import struct

MAGIC_MICRO = 0xA1B2C3D4
HELLO_PACKETS, HELLO_BYTES, HEADER_BYTES = 12, 1700, 30


@dataclasses.dataclass
class Frame:
    ts_us: int
    wire: int
    data: bytes

    def transport_at(self):
        """Where the IP and the transport header begin (Ethernet, no tag), the protocol; None for anything else."""
        kind = self.data[12:14]
        if kind == b"\x08\x00":
            return 14, 14 + 4 * (self.data[14] & 15), self.data[23]
        if kind == b"\x86\xdd":
            return 14, 54, self.data[20]
        return None

    def ends(self):
        ip, at, protocol = self.transport_at()
        source, target = (self.data[ip + 12:ip + 16], self.data[ip + 16:ip + 20]) if at - ip == 20 else (self.data[22:38], self.data[38:54])
        return (source, self.data[at:at + 2]), (target, self.data[at + 2:at + 4]), protocol

    def key(self):
        source, target, protocol = self.ends()
        return protocol, *sorted([source, target])


def read(path):
    raw = pathlib.Path(path).read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    frames, at = [], 24
    while at + 16 <= len(raw):
        seconds, micros, captured, wire = struct.unpack_from("<IIII", raw, at)
        frames.append(Frame(seconds * 1_000_000 + micros, wire, raw[at + 16:at + 16 + captured]))
        at += 16 + captured
    return frames


def write(path, frames):
    out = [struct.pack("<IHHiIII", MAGIC_MICRO, 2, 4, 0, 0, 262144, 1)]
    for frame in frames:
        out.append(struct.pack("<IIII", *divmod(frame.ts_us, 1_000_000), len(frame.data), frame.wire) + frame.data)
    raw = b"".join(out)
    pathlib.Path(path).write_bytes(gzip.compress(raw, 9, mtime=0) if str(path).endswith(".gz") else raw)


def headers_only(frames):
    """Every packet stays, but after a flow's first ones little more than its headers; lookups stay whole."""
    seen, out = {}, []
    for frame in frames:
        ip, at, protocol = frame.transport_at()
        key = frame.key()
        seen[key] = seen.get(key, 0) + 1
        header = 4 * (frame.data[at + 12] >> 4) if protocol == 6 else HELLO_BYTES
        keep = HELLO_BYTES if seen[key] <= HELLO_PACKETS and 443 in ports(frame) else at + header + HEADER_BYTES
        out.append(Frame(frame.ts_us, frame.wire, frame.data[:keep]))
    return out


def ports(frame):
    return [int.from_bytes(end[1], "big") for end in frame.ends()[:2]]


def from_client(frame):
    return ports(frame)[1] in (53, 80, 443)


# ---- what a network does to frames ----

def with_header(frames, head):
    """head(frame): what comes in place of the EtherType."""
    out = []
    for frame in frames:
        middle = head(frame)
        out.append(Frame(frame.ts_us, frame.wire + len(middle) - 2, frame.data[:12] + middle + frame.data[14:]))
    return out


def vlan(frames):
    return with_header(frames, lambda frame: b"\x81\x00\x00\x64" + frame.data[12:14])


def pppoe(frames, tag=b""):
    def head(frame):
        protocol = b"\x00\x21" if frame.data[12:14] == b"\x08\x00" else b"\x00\x57"
        return tag + b"\x88\x64\x11\x00\x00\x2a" + struct.pack(">H", frame.wire - 14 + 2) + protocol
    return with_header(frames, head)


def vlan_pppoe(frames):
    return pppoe(frames, b"\x81\x00\x00\x07")


def doubled(frames):
    """A mirror port that copies every frame again within half a millisecond, half of them one hop later."""
    dice, out = random.Random(3), []
    for frame in frames:
        copy = bytearray(frame.data)
        if dice.random() < 0.5 and frame.data[12:14] == b"\x08\x00":
            copy[22] -= 1
            total = (copy[24] << 8 | copy[25]) + 0x100
            copy[24:26] = struct.pack(">H", (total & 0xFFFF) + (total >> 16))
        out += [(frame.ts_us, frame), (frame.ts_us + dice.randrange(5, 500), Frame(0, frame.wire, bytes(copy)))]
    out.sort(key=lambda pair: pair[0])
    return [Frame(ts_us, frame.wire, frame.data) for ts_us, frame in out]


def up_only(frames):
    return [frame for frame in frames if from_client(frame)]


def down_only(frames):
    return [frame for frame in frames if not from_client(frame)]


def midstream(frames):
    """The capture begins in the middle: of each flow the first packets, five to thirty, are missing."""
    dice, skip, out = random.Random(5), {}, []
    for frame in frames:
        key = frame.key()
        skip.setdefault(key, dice.randrange(5, 30) if 53 not in ports(frame) else 0)
        skip[key] -= 1
        if skip[key] < 0:
            out.append(frame)
    return out


def snap80(frames):
    return [Frame(frame.ts_us, frame.wire, frame.data[:80]) for frame in frames]


def server_wraps(frames):
    """The servers' sequence numbers moved so that they pass 2^32 some 3,000 bytes on. TCP's checksum is left as it was."""
    moved, out = {}, []
    for frame in frames:
        ip, at, protocol = frame.transport_at()
        if protocol != 6:
            out.append(frame)
            continue
        data, key, up = bytearray(frame.data), frame.key(), from_client(frame)
        field = at + 8 if up else at + 4
        number = int.from_bytes(data[field:field + 4], "big")
        if not up and data[at + 13] & 2:
            moved[key] = (1 << 32) - 3000 - number
        if key in moved and (not up or data[at + 13] & 16):
            data[field:field + 4] = struct.pack(">I", (number + moved[key]) % (1 << 32))
        out.append(Frame(frame.ts_us, frame.wire, bytes(data)))
    return out


DERIVED = {"mixed": (vlan, pppoe, vlan_pppoe, doubled, up_only, down_only, midstream, snap80, server_wraps),
           "mixed6": (vlan_pppoe, doubled, midstream, snap80), "loss_both": (snap80,), "reordered": (snap80,)}


def derive(captures, into):
    """Writes what the same packets look like in other places; the paths."""
    made = []
    for name, rewrites in DERIVED.items():
        path = pathlib.Path(captures) / f"{name}.pcap.gz"
        whole = read(path) if path.exists() else []
        for rewrite in rewrites if whole else ():
            made.append(pathlib.Path(into) / f"{name}_{rewrite.__name__}.pcap")
            write(made[-1], rewrite(whole))
    return made
