"""Captures made of other captures: what a probe sees that was started late, hears one direction only, hears everything twice,
keeps too little of each packet, or loses some."""
import struct


def _copy(path, out_path, change):
    """`change(age, number, frame)` gives the frames that take the place of one, each with a delay in us."""
    first, number = None, 0
    with open(path, "rb") as source, open(out_path, "wb") as out:
        out.write(source.read(24))
        while len(head := source.read(16)) == 16:
            seconds, micros, captured, wire = struct.unpack("<IIII", head)
            frame = source.read(captured)
            at = seconds * 1_000_000 + micros
            first, number = at if first is None else first, number + 1
            for late_us, kept in change((at - first) / 1e6, number, frame):
                when = at + late_us
                out.write(struct.pack("<IIII", when // 1_000_000, when % 1_000_000, len(kept), wire) + kept)


def late(path, out_path):
    """The first half minute is missing."""
    _copy(path, out_path, lambda age, number, frame: [(0, frame)] if age >= 30 else [])


def upward(path, out_path):
    """Only what the clients send: IPv4 from 10.77.0.0/24."""
    _copy(path, out_path, lambda age, number, frame: [(0, frame)] if frame[12:14] == b"\x08\x00" and frame[26:29] == bytes((10, 77, 0)) else [])


def doubled(path, out_path):
    """Each packet twice, a few microseconds apart, as a mirror port of two ports shows it."""
    _copy(path, out_path, lambda age, number, frame: [(0, frame), (0, frame)])


def short(path, out_path):
    """96 bytes of each packet."""
    _copy(path, out_path, lambda age, number, frame: [(0, frame[:96])])


def lost(path, out_path):
    """One packet of twenty is missing, drawn by a hash of its number."""
    _copy(path, out_path, lambda age, number, frame: [(0, frame)] if number * 2654435761 % 4294967296 >= 214748365 else [])
