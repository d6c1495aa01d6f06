"""Captures made of other captures: what a probe sees that was started late, or that hears one direction only."""
import struct


def _copy(path, out_path, keep):
    first = None
    with open(path, "rb") as source, open(out_path, "wb") as out:
        out.write(source.read(24))
        while len(head := source.read(16)) == 16:
            seconds, micros, captured, _ = struct.unpack("<IIII", head)
            frame = source.read(captured)
            at = seconds + micros / 1e6
            first = at if first is None else first
            if keep(at - first, frame):
                out.write(head + frame)


def late(path, out_path):
    """The first half minute is missing."""
    _copy(path, out_path, lambda age, frame: age >= 30)


def upward(path, out_path):
    """Only what the clients send: IPv4 from 10.77.0.0/24."""
    _copy(path, out_path, lambda age, frame: frame[12:14] == b"\x08\x00" and frame[26:29] == bytes((10, 77, 0)))
