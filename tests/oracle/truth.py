"""What really happened at each hop, from captures on both of its sides: which segments went in and never came out, and how long
the others took."""
import collections
import statistics

import frames


def segments(path):
    """(flow, direction, sequence number, length, TSval, IP ID) of each TCP packet with payload -> its stamps."""
    found = collections.defaultdict(list)
    for frame in frames.read(path):
        ip, at, protocol = frame.transport_at()
        if protocol != 6:
            continue
        data, header = frame.data, 4 * (frame.data[at + 12] >> 4)
        length = (int.from_bytes(data[16:18], "big") - (at - ip) if at - ip == 20 else int.from_bytes(data[18:20], "big")) - header
        if length <= 0 or data[at + 13] & 2:
            continue
        stamp = data[at + 24:at + 28] if header >= 32 and data[at + 20:at + 24] == b"\x01\x01\x08\x0a" else b""
        identity = data[ip + 4:ip + 6] if at - ip == 20 else b""
        found[frame.key(), "up" if frames.from_client(frame) else "down", data[at + 4:at + 8], length, stamp, identity].append(frame.ts_us)
    return found


def hop(entered, left, mss):
    """{direction: {lost: segments, their bytes, those of them that had been lost before}, sent, delay_us} between the captures of packets that entered and that left a hop."""
    result = {}
    for direction in ("up", "down"):
        source, sink = (entered, left) if direction == "up" else (left, entered)
        lost = lost_bytes = sent = 0
        distinct, delays = {}, []
        for key, stamps in source.items():
            if key[1] != direction:
                continue
            n = -(-key[3] // mss)
            sent += n * len(stamps)
            missing = len(stamps) - len(sink.get(key, ()))
            if missing > 0:
                lost += n * missing
                lost_bytes += key[3] * missing
                distinct[key[0], key[2]] = n
            elif missing == 0:
                delays += [b - a for a, b in zip(stamps, sink[key])]
        extra = sum(len(stamps) for key, stamps in sink.items() if key[1] == direction and key not in source)
        if extra:
            raise RuntimeError(f"{extra} {direction} segments came out of a hop that never went in")
        result[direction] = {"sent": sent, "lost": lost, "lost_bytes": lost_bytes, "lost_again": lost - sum(distinct.values()),
                             "delay_p50_us": round(statistics.median(delays)) if delays else None}
    return result


def of(client, gate, server, mss):
    """Per side of the vantage."""
    at_client, at_gate, at_server = segments(client), segments(gate), segments(server)
    return {"client": hop(at_client, at_gate, mss), "server": hop(at_gate, at_server, mss)}
