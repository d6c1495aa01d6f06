"""Makes a capture small without changing what it shows: every packet stays, but after a flow's first packets (which hold the
names) only the headers of each are kept, and eight bytes of what they carry (a TLS record's header, an alert): 96 bytes at
most. Of the first ones 1600 stay: super-packets are larger. Lengths on the wire are kept as they were.

usage: cut.py IN.pcap OUT.pcap
"""
import struct
import sys

FIRST_PACKETS, HELLO_BYTES, PAYLOAD_BYTES = 8, 1600, 8


def flow_key(frame):
    """The 5-tuple of an Ethernet / IP frame, the same in both directions; None for others (kept whole)."""
    if frame[12:14] == b"\x08\x00" and len(frame) >= 38 and frame[23] in (6, 17):
        proto, at, size, ports = frame[23], 26, 4, 14 + 4 * (frame[14] & 15)
    elif frame[12:14] == b"\x86\xdd" and len(frame) >= 58 and frame[20] in (6, 17):
        proto, at, size, ports = frame[20], 22, 16, 54
    else:
        return None
    ends = sorted([(frame[at:at + size], frame[ports:ports + 2]), (frame[at + size:at + 2 * size], frame[ports + 2:ports + 4])])
    return proto, *ends[0], *ends[1]


def header_bytes(frame):
    """Of an Ethernet / IP / TCP or UDP frame that has a flow key: where its payload begins."""
    four = frame[12:14] == b"\x08\x00"
    at = 14 + (4 * (frame[14] & 15) if four else 40)
    tcp = frame[23 if four else 20] == 6
    return at + (4 * (frame[at + 12] >> 4) if tcp and len(frame) > at + 12 else 8)


def cut(path, out_path, keep=lambda frame, at: True):
    """Returns how many packets were written; `keep` says which."""
    seen, packets = {}, 0
    with open(path, "rb") as source, open(out_path, "wb") as out:
        out.write(source.read(24))
        while len(head := source.read(16)) == 16:
            seconds, micros, captured, wire = struct.unpack("<IIII", head)
            frame = source.read(captured)
            if not keep(frame, seconds + micros / 1e6):
                continue
            key = flow_key(frame)
            seen[key] = seen.get(key, 0) + 1
            if key is not None and b"\x00\x35" not in (key[2], key[4]):
                frame = frame[:HELLO_BYTES if seen[key] <= FIRST_PACKETS else header_bytes(frame) + PAYLOAD_BYTES]
            out.write(struct.pack("<IIII", seconds, micros, len(frame), wire) + frame)
            packets += 1
    return packets


if __name__ == "__main__":
    print(cut(sys.argv[1], sys.argv[2]))
