"""Makes a capture small without changing what it shows: every packet stays, but after a flow's first packets (which hold the
names) only the first 96 bytes of each are kept (1600 of the first ones: super-packets are larger). Lengths on the wire are kept as they were.

usage: cut.py IN.pcap OUT.pcap
"""
import struct
import sys

FIRST_PACKETS, HELLO_BYTES, HEADER_BYTES = 10, 1600, 96


def flow_key(frame):
    """The 5-tuple of an Ethernet / IPv4 frame, the same in both directions; None for others (kept whole)."""
    if len(frame) < 38 or frame[12:14] != b"\x08\x00" or frame[23] not in (6, 17):
        return None
    header = 14 + 4 * (frame[14] & 15)
    ends = sorted([(frame[26:30], frame[header:header + 2]), (frame[30:34], frame[header + 2:header + 4])])
    return frame[23], *ends[0], *ends[1]


def cut(path, out_path):
    seen, packets = {}, 0
    with open(path, "rb") as source, open(out_path, "wb") as out:
        out.write(source.read(24))
        while len(head := source.read(16)) == 16:
            seconds, micros, captured, wire = struct.unpack("<IIII", head)
            frame = source.read(captured)
            key = flow_key(frame)
            seen[key] = seen.get(key, 0) + 1
            if key is not None and b"\x00\x35" not in (key[2], key[4]):
                frame = frame[:HELLO_BYTES if seen[key] <= FIRST_PACKETS else HEADER_BYTES]
            out.write(struct.pack("<IIII", seconds, micros, len(frame), wire) + frame)
            packets += 1
    return packets


if __name__ == "__main__":
    print(cut(sys.argv[1], sys.argv[2]))
