"""A tap that misses one direction of some connections: nobody is blamed for what was not seen, and while
they are few an outage is found all the same."""
import struct

import pytest
from conftest import PCAPS, records

ETHERNET_BYTES, TCP = 14, 6


def to_client_port(frame):
    """The client's port of a TCP packet that comes down to it, or None."""
    if frame[12:14] != b"\x08\0" or frame[23] != TCP or frame[30] != 10:
        return None
    return struct.unpack_from(">HH", frame, ETHERNET_BYTES + (frame[14] & 15) * 4)[1]


def half_blind(source, path, percent):
    """Without the way down of `percent` of the connections."""
    whole, at = source.read_bytes(), 24
    with open(path, "wb") as out:
        out.write(whole[:24])
        while at < len(whole):
            end = at + 16 + struct.unpack_from("<I", whole, at + 8)[0]
            port = to_client_port(whole[at + 16:end])
            if port is None or port * 7919 % 100 >= percent:
                out.write(whole[at:end])
            at = end


def blamed(said):
    return [(record["service"], record["cause"]) for record in said if record["type"] == "incident" and record["event"] == "raised"]


@pytest.mark.parametrize("percent", (35, 60, 100))
@pytest.mark.parametrize("capture, at_most", (("healthy", set()), ("outage", {("netflix", "service")})))
def test_who_works_is_not_blamed(tmp_path, capture, at_most, percent):
    half_blind(PCAPS / f"{capture}.pcap", tmp_path / "half.pcap", percent)
    said = records(tmp_path / "half.pcap")
    assert {who for who in blamed(said) if who[1] != "capture"} <= at_most
    if percent >= 60: # nearly half of the flows have packets in one direction only: told, and nobody is green
        assert (None, "capture") in blamed(said)
        assert {record["state"] for record in said if record["type"] == "service"} == {"unknown"}


def test_a_few_of_them_hide_no_outage(tmp_path):
    half_blind(PCAPS / "outage.pcap", tmp_path / "half.pcap", 10)
    assert blamed(records(tmp_path / "half.pcap")) == [("netflix", "service")]
