"""A flood of SYNs beside real sessions: the table stays within its bound, what is shed or refused is counted, the sessions
are measured as without the flood, and nobody is blamed."""
import struct

from conftest import PCAPS, records

FLOOD = 400_000


def packets(path):
    whole = path.read_bytes()
    at = 24
    while at < len(whole):
        seconds, micros, captured, wire = struct.unpack_from("<IIII", whole, at)
        yield seconds * 1_000_000 + micros, wire, whole[at + 16:at + 16 + captured]
        at += 16 + captured


def syn(number):
    """From a random-looking source to a server of the capture's own Netflix prefix, port 443."""
    source = (0xCB000000 + number * 2654435761 % (1 << 24)).to_bytes(4, "big")
    ip = bytes.fromhex("45000028") + struct.pack(">HH", number & 0xFFFF, 0) + b"\x40\x06\0\0" + source + bytes([198, 18, 10, 2])
    tcp = struct.pack(">HHIIHHHH", 1024 + number % 60000, 443, number, 0, 0x5002, 1024, number & 0xFFFF, 0)
    return b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + tcp


def test_syn_flood(tmp_path):
    quiet = list(packets(PCAPS / "healthy.pcap"))
    first, last = quiet[0][0], quiet[-1][0]
    flood = ((first + (last - first) * i // FLOOD, 54, syn(i)) for i in range(FLOOD))
    path = tmp_path / "flood.pcap"
    with open(path, "wb") as out:
        out.write((PCAPS / "healthy.pcap").read_bytes()[:24])
        for ts, wire, data in sorted([*quiet, *flood], key=lambda packet: packet[0]):
            out.write(struct.pack("<IIII", ts // 1_000_000, ts % 1_000_000, len(data), wire) + data)

    bound = ("--memory", "16")
    found = records(*bound, path)
    assert [record for record in found if record["type"] == "incident"] == []
    (capture,) = [record for record in found if record["type"] == "capture"]
    assert capture["packets"] == len(quiet) + FLOOD
    assert capture["flows_refused"] + capture["refused"]["flows_shed"] > FLOOD // 2, "16 MiB hold no 400,000 flows"

    def sessions(all_records):
        return {(flow["client"]["addr"], flow["client"]["port"], flow["server"]["addr"], flow["first_ts"]):
                (flow["service"], flow["outcome"], flow["packets_down"], flow["bytes_down"], flow["requests"])
                for flow in all_records if flow["type"] == "flow" and flow["client"]["addr"].startswith("10.77.") and flow["transport"] == "tcp"}
    alone = sessions(records(*bound, PCAPS / "healthy.pcap"))
    beside = sessions(found)
    lost = [key for key, value in alone.items() if value[2] > 3 and beside.get(key) != value]
    assert not lost, f"{len(lost)} of {len(alone)} sessions were measured differently"
