"""Small inputs on which a packet monitor goes wrong: copies, tags, tunnels, cut messages, disguised hellos, missing stamps. Each input
is made here (forge.py) and stands for its kind; the figures are known because the packets were made so."""
import itertools
import json
import re
import struct
import subprocess

import forge
import household
import pytest

from conftest import records, weir

NETFLIX, YOUTUBE = "a.nflxvideo.net", "rr1---sn-test.googlevideo.com"


def flows(tmp_path, frames, **options):
    return records(forge.capture(tmp_path / "made.pcap", frames, **options), kind="flow")


def only_flow(tmp_path, packets, **options):
    found = flows(tmp_path, [(at, forge.frame(packet)) for at, packet in packets], **options)
    assert len(found) == 1, [(flow["client"], flow["server"]) for flow in found]
    return found[0]


def assert_as_alone(flow, alone, duplicates):
    """All that was measured is as without the copies."""
    assert flow["duplicates"] == duplicates
    for name in ("packets_up", "packets_down", "bytes_up", "bytes_down", "payload_up", "payload_down", "retransmissions_up",
                 "retransmissions_down", "spurious", "reordered_up", "reordered_down", "handshake_rtt_server_us", "handshake_rtt_client_us",
                 "tls_handshake_us", "ttfb_p50_us", "service", "host", "outcome"):
        assert flow[name] == alone[name], name


# ---- copies ----

@pytest.mark.parametrize("name, late, hops, ids, addresses", [
    ("router", .005, 1, True, {}), ("queue", .040, 1, True, {}), ("at once", .0, 1, True, {}), ("two routers", .012, 2, True, {}),
    ("no identification", .020, 1, False, {}),
    ("IPv6", .025, 1, False, {"client": "2001:db8:1::10", "server": "2001:db8:2::10"})])
def test_copies_behind_a_router(tmp_path, name, late, hops, ids, addresses):
    packets = forge.Https(NETFLIX, ids=ids, **addresses).packets
    alone = only_flow(tmp_path, packets)
    assert alone["handshake_rtt_server_us"] == 20000 and alone["service"] == "netflix" and alone["duplicates"] == 0
    queue = [late * (1 + i % 3) / 3 for i in range(len(packets))]  # not all equally late: copies overtake packets, not each other
    both = packets + [(at + queue[i], forge.routed(packet, hops)) for i, (at, packet) in enumerate(packets)]
    assert_as_alone(only_flow(tmp_path, both), alone, len(packets))


def test_sent_again_is_no_copy(tmp_path):
    """A fast retransmission 12 ms later has a new identification, or the sender's own TTL."""
    for ids in (True, False):
        made = forge.Https(NETFLIX, ids=ids)
        at, packet = [one for one in made.packets if forge.source(one[1]) == "198.51.100.10"][-3]
        again = packet if not ids else packet[:4] + struct.pack("!H", 999) + packet[6:]
        flow = only_flow(tmp_path, made.packets + [(at + .012, again)])
        assert flow["duplicates"] == 0 and flow["retransmissions_down"]["beyond"] + flow["spurious"]["down"] == 1


def test_quic_copies(tmp_path):
    packets = forge.Quic().open(YOUTUBE).answer().packets
    alone = only_flow(tmp_path, packets)
    flow = only_flow(tmp_path, packets + [(at + .017, forge.routed(packet)) for at, packet in packets])
    assert_as_alone(flow, alone, len(packets))
    assert flow["service"] == "youtube" and flow["handshake_rtt_server_us"] == 20000


# ---- tags ----

def up(packet):
    return forge.source(packet) == "192.168.1.10"


@pytest.mark.parametrize("tags_up, tags_down", [((5,), (6,)), ((), (6,)), ((5,), ()), ((5, 7), (5, 8))])
@pytest.mark.parametrize("make", [lambda: forge.Https(NETFLIX), lambda: forge.Quic().open(NETFLIX).answer()], ids=["tcp", "quic"])
def test_tags_differ_by_direction(tmp_path, make, tags_up, tags_down):
    packets = make().packets
    alone = only_flow(tmp_path, packets)
    found = flows(tmp_path, [(at, forge.frame(packet, tags_up if up(packet) else tags_down)) for at, packet in packets])
    assert len(found) == 1
    assert_as_alone(found[0], alone, 0)


@pytest.mark.parametrize("late", [.0001, .008, .035])
def test_tags_differ_by_copy(tmp_path, late):
    packets = forge.Https(NETFLIX).packets
    alone = only_flow(tmp_path, packets)
    found = flows(tmp_path, [(at, forge.frame(packet, (5,))) for at, packet in packets] +
                  [(at + late, forge.frame(forge.routed(packet), (6,))) for at, packet in packets])
    assert len(found) == 1
    assert_as_alone(found[0], alone, len(packets))


def test_two_customers_with_the_same_addresses(tmp_path):
    """Each in a VLAN of his own, with his own numbers: two flows, whatever the other does."""
    one, other = forge.Https(NETFLIX), forge.Https(YOUTUBE, at=forge.START + .003)
    shift = 0x41000000

    def renumbered(packet):
        seq, ack = struct.unpack_from("!II", packet, 24)
        segment = packet[20:24] + struct.pack("!II", (seq + shift) & 0xffffffff, (ack + shift) & 0xffffffff if ack else 0) + packet[32:]
        return packet[:20] + forge.summed("192.168.1.10", "198.51.100.10", 6, segment[:16] + b"\0\0" + segment[18:], 16)
    found = flows(tmp_path, [(at, forge.frame(packet, (5,))) for at, packet in one.packets] +
                  [(at, forge.frame(renumbered(packet), (6,))) for at, packet in other.packets])
    assert sorted(flow["service"] for flow in found) == ["netflix", "youtube"]
    assert all(flow["duplicates"] == 0 and flow["retransmissions_down"] == {"beyond": 0, "before": 0} for flow in found)


# ---- QUIC begins anew ----

def assert_answered(flow):
    assert (flow["service"], flow["host"], flow["named_by"], flow["name_conf"]) == ("youtube", YOUTUBE, "sni", "high")
    assert flow["handshake_rtt_server_us"] == 20000 and flow["outcome"] == "useful"


@pytest.mark.parametrize("given, token, late", [(b"w" * 8, b"token", .020), (b"w" * 20, b"t" * 60, .020), (b"w", b"token", .200), (b"w" * 8, b"token", .0002)])
def test_quic_retry(tmp_path, given, token, late):
    """Ids and tokens of any length, and a Retry that is quicker or slower than the answer: the answer's round trip counts."""
    quic = forge.Quic().open(YOUTUBE)
    quic.send("down", b"\xf0" + struct.pack("!IB", 1, 8) + quic.CLIENT_ID + bytes([len(given)]) + given + token + bytes(16), late)
    quic.open(YOUTUBE, key_id=given, token=token, wait=.001).answer(key_id=given)
    assert_answered(only_flow(tmp_path, quic.packets))


@pytest.mark.parametrize("same_id, versions, late", [(True, (1,), .020), (False, (1,), .020), (False, (0x4a6a8a9a, 0x6b3343cf, 1), .200), (True, (0x6b3343cf, 1), .0003)])
def test_quic_version_negotiation(tmp_path, same_id, versions, late):
    """The same id or another one afterwards; one version offered or several; quicker or slower than the answer."""
    quic, first = forge.Quic(), b"\1" * 8 if same_id else b"\2" * 8
    quic.send("up", b"\xca\x1a\x2a\x3a\x4a\x08" + first + b"\x08" + quic.CLIENT_ID + bytes(1200))
    quic.send("down", b"\x80\0\0\0\0\x08" + quic.CLIENT_ID + b"\x08" + first + struct.pack(f"!{len(versions)}I", *versions), late)
    quic.open(YOUTUBE, wait=.001).answer()
    assert_answered(only_flow(tmp_path, quic.packets))


@pytest.mark.parametrize("decoys", [1, 3])
@pytest.mark.parametrize("scid", [b"", forge.Quic.CLIENT_ID])
def test_quic_decoy(tmp_path, decoys, scid):
    """Before the real Initial, with or without the same source id; sent again as those who send it do."""
    quic = forge.Quic()
    for _ in range(decoys):
        quic.open("www.example.com", key_id=b"\xde\xad\xbe\xef\1\2\3\4", scid=scid, wait=.0002)
    assert_answered(only_flow(tmp_path, quic.open(YOUTUBE, wait=.001).answer().packets))


def test_quic_decoy_behind(tmp_path):
    quic = forge.Quic().open(YOUTUBE).open("www.example.com", key_id=b"\xde\xad\xbe\xef\1\2\3\4", wait=.001)
    quic.answer(wait=.019)
    assert_answered(only_flow(tmp_path, quic.packets))


@pytest.mark.parametrize("stray", [b"\x41" + bytes(range(60)), b"\0" * 30, b"\xc3noise" + bytes(40), forge.long_header(1, b"\1" * 8, b"1" * 8, 300)],
                         ids=["1-RTT", "zeros", "noise", "0-RTT"])
def test_quic_stray_first_datagram(tmp_path, stray):
    quic = forge.Quic().send("up", stray)
    assert_answered(only_flow(tmp_path, quic.open(YOUTUBE, wait=.05).answer().packets))


# ---- names ----

def cut(stream, sizes):
    """Pieces of a stream by sizes, the last one again and again."""
    at, pieces = 0, []
    for size in itertools.chain(sizes, itertools.repeat(sizes[-1])):
        if at >= len(stream):
            return pieces
        pieces.append((at, stream[at:at + size]))
        at += size


SERVERS = ["198.51.100.%d" % n for n in range(20, 48)] + ["198.51.100.10"]


@pytest.mark.parametrize("arrive", [
    lambda stream: cut(stream, [len(stream)]), lambda stream: cut(stream, [1]), lambda stream: cut(stream, [2, 500]),
    lambda stream: cut(stream, [1, 13, 700, 1]), lambda stream: cut(stream, [300])[::-1],
    lambda stream: [piece for pair in zip(cut(stream, [200]), cut(stream, [200])) for piece in pair],
    lambda stream: [(0, stream[:400])] + [(max(0, at - 90), stream[max(0, at - 90):at + 300]) for at in range(400, len(stream), 300)]],
    ids=["whole", "bytes", "length apart", "odd", "backwards", "twice", "overlapping"])
@pytest.mark.parametrize("others", [0, 3])
def test_dns_over_tcp_cut_anywhere(tmp_path, arrive, others):
    """`others`: answers before the one that names the server, in the same stream and perhaps the same segment."""
    stream = b"".join(forge.dns(2 + n, f"host{n}.example.org", ["203.0.113.%d" % (n + 1)]) for n in range(others))
    stream += forge.dns(1, NETFLIX, SERVERS[:9] + SERVERS[-1:] if others else SERVERS)
    silent = [(forge.START + 2, forge.tcp("192.168.1.10", 41000, "198.51.100.10", 443, 1, 0, forge.SYN))]
    packets = forge.dns_over_tcp(forge.dns(1, NETFLIX), arrive(stream)) + silent
    for workers in (1, 2):
        path = forge.capture(tmp_path / "made.pcap", [(at, forge.frame(packet)) for at, packet in packets])
        found = [flow for flow in records(path, "--workers", workers, kind="flow") if flow["server"]["port"] == 443]
        assert [(flow["service"], flow["named_by"]) for flow in found] == [("netflix", "dns")]


HELLO = len(forge.record(22, forge.client_hello(NETFLIX)))


@pytest.mark.parametrize("pieces", [
    [(at, 1) for at in range(HELLO)], [(at, 1) for at in reversed(range(HELLO))], [(60, HELLO), (0, 60)], [(80, HELLO), (40, 40), (0, 40)],
    [(0, 50), (20, 60), (10, HELLO)], [(0, 1), (1, HELLO)], [(at, 7) for at in range(0, HELLO, 7)]],
    ids=["bytes", "bytes backwards", "two reversed", "three reversed", "overlapping", "first byte", "sevens"])
def test_hello_in_pieces(tmp_path, pieces):
    flow = only_flow(tmp_path, forge.Https(NETFLIX, pieces=pieces).packets)
    assert (flow["service"], flow["named_by"], flow["outcome"]) == ("netflix", "sni", "useful")
    assert flow["retransmissions_up"]["before"] == 0, "nothing was lost: the sender reversed its own segments"
    assert flow["retransmissions_up"]["beyond"] == (2 if pieces[1:2] == [(20, 60)] else 0), "bytes seen twice"
    assert flow["tls_handshake_us"] is not None


def test_hello_behind_noise_left_of_the_window(tmp_path):
    made = forge.Https(NETFLIX)
    at, packet = made.packets[3]
    hello = forge.record(22, forge.client_hello(NETFLIX))
    parts = [forge.tcp("192.168.1.10", 40000, "198.51.100.10", 443, 1001 - 336, 5001, forge.ACK, b"\x16\3\1" + bytes(333) + hello[:40], ttl=64, ident=300),
             forge.tcp("192.168.1.10", 40000, "198.51.100.10", 443, 1041, 5001, forge.ACK, hello[40:], ttl=64, ident=301)]
    made.packets[3:4] = [(at, parts[0]), (at + .0001, parts[1])]
    flow = only_flow(tmp_path, made.packets)
    assert (flow["service"], flow["named_by"], flow["outcome"]) == ("netflix", "sni", "useful")


# ---- time ----

def simple_packets(path, frames):
    """pcapng of Simple Packet Blocks, which have no room for a stamp."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IIIHHqI", 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28) + struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20))
        for _, data in frames:
            padded = data + bytes(-len(data) % 4)
            out.write(struct.pack("<III", 3, 16 + len(padded), len(data)) + padded + struct.pack("<I", 16 + len(padded)))
    return path


def stamped(seconds):
    return lambda path, frames: forge.capture(path, [(seconds, data) for _, data in frames])


TIMES = ("handshake_rtt_server_us", "handshake_rtt_client_us", "tls_handshake_us", "ttfb_p50_us", "goodput_p50_bps")


@pytest.mark.parametrize("write", [simple_packets, stamped(0), stamped(forge.START)], ids=["no stamps", "all zero", "all the same"])
@pytest.mark.parametrize("make", [lambda: forge.Https(NETFLIX), lambda: forge.Quic().open(NETFLIX).answer()], ids=["tcp", "quic"])
def test_without_time_nothing_that_takes_time_is_measured(tmp_path, write, make):
    path = write(tmp_path / "made.pcap", [(at, forge.frame(packet)) for at, packet in make().packets])
    found = records(path)
    flow, = [record for record in found if record["type"] == "flow"]
    capture, = [record for record in found if record["type"] == "capture"]
    assert (flow["service"], flow["outcome"]) == ("netflix", "useful")
    for name in TIMES:
        assert flow[name] is None and flow["unmeasured"][name] == "no time stamps", name
    for side in ("rtt_server", "rtt_client"):
        assert flow[side + "_us"] == {"min": None, "p50": None, "p95": None, "samples": 0}
        assert flow["unmeasured"][side] == "no time stamps"
    for record in found:
        if record["type"] in ("window", "service"):
            assert record["rtt_server"]["p50_us"] is None and record["ttfb"]["p50_us"] is None
        if record["type"] == "session":
            assert record["startup_us"] is None
    timed = write is not simple_packets and capture["last_ts"] is not None
    assert capture["first_ts"] == (forge.START if timed else None)
    assert timed or capture["unmeasured"]["first_ts"] == "no time stamps"


@pytest.mark.parametrize("padding", [3 * 16 + 2, 16, 11, 4096])
def test_zeros_behind_the_last_record_are_padding(tmp_path, padding):
    frames = [(at, forge.frame(packet)) for at, packet in forge.Https(NETFLIX).packets]
    path = forge.capture(tmp_path / "made.pcap", frames)
    before = records(path)
    path.write_bytes(path.read_bytes() + bytes(padding))
    assert records(path) == before
    capture = [record for record in before if record["type"] == "capture"][0]
    assert capture["first_ts"] == forge.START and capture["packets"] == len(frames)


def test_zeros_behind_the_last_block_are_padding(tmp_path):
    path = simple_packets(tmp_path / "made.pcapng", [(at, forge.frame(packet)) for at, packet in forge.Https(NETFLIX).packets])
    before = records(path)
    path.write_bytes(path.read_bytes() + bytes(1000))
    assert records(path) == before


def test_a_stamp_of_zero_among_others_is_none(tmp_path):
    """It gets its predecessor's: neither does the capture begin in 1970 nor does the clock step."""
    frames = [(at, forge.frame(packet)) for at, packet in forge.Https(NETFLIX).packets]
    path = forge.capture(tmp_path / "made.pcap", frames)
    data = bytearray(path.read_bytes())
    at = 24
    for _ in range(9):
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
    data[at:at + 8] = bytes(8)
    path.write_bytes(bytes(data))
    found = records(path)
    capture = [record for record in found if record["type"] == "capture"][0]
    assert capture["first_ts"] == forge.START and capture["clock_steps"] == 0
    assert [record["handshake_rtt_server_us"] for record in found if record["type"] == "flow"] == [20000]


# ---- what is printed ----

@pytest.mark.parametrize("lost", ["beyond", "before", "both", "neither"])
def test_the_report_shows_loss_on_both_sides(tmp_path, lost):
    made = forge.Https(NETFLIX, segments=100)
    data = [i for i, (_, packet) in enumerate(made.packets) if len(packet) == 1500]
    beyond = {"beyond": data[10:90:10], "both": data[10:50:10]}.get(lost, [])
    before = {"before": data[10:90:10], "both": data[50:90:10]}.get(lost, [])
    again = []
    for i in [*beyond, *before]:
        at, packet = made.packets[i]
        repaired = packet[:4] + struct.pack("!H", 30000 + i) + packet[6:]
        again.append((at + .03, repaired))
    made.packets = [one for i, one in enumerate(made.packets) if i not in before]
    for at, packet in again:  # the acknowledgements stand still behind what is missing: nothing is sent twice for nothing
        made.packets = [(when, one) for when, one in made.packets if not (up(one) and at - .031 < when < at)]
    path = forge.capture(tmp_path / "made.pcap", [(at, forge.frame(packet)) for at, packet in made.packets + again])
    service = [record for record in records(path, kind="service") if record["service"] == "netflix"][0]["loss"]
    text = weir("replay", path)
    shown = re.findall(r"([0-9.]+) %", [line for line in text.splitlines() if line.startswith("netflix")][0])
    heading = [line for line in text.splitlines() if line.startswith("service")][0]
    assert "srv loss" in heading and "cli loss" in heading
    assert shown[:2] == ["%.2f" % (100 * service[f"down_{side}_share"]) for side in ("before", "beyond")]
    assert (float(shown[0]) > 1) == bool(before) and (float(shown[1]) > 1) == bool(beyond)


# ---- encapsulations ----

def ether(packet):
    return forge.frame(packet)


def gre(flags, kind, rest):
    return forge.ip("10.9.0.1", "10.9.0.2", 47, struct.pack("!HH", flags, kind) + rest)


def over_udp(port, *between, inner=ether, sport=50000):
    return lambda packet: ether(forge.udp("10.9.0.1", sport, "10.9.0.2", port, b"".join(between) + inner(packet)))


def ethertype(packet):
    return struct.pack("!H", 0x86dd if packet[0] >> 4 == 6 else 0x0800)


def ppp(packet):
    return b"\xff\3\0" + (b"\x57" if packet[0] >> 4 == 6 else b"\x21") + packet


def wifi(packet):
    return bytes.fromhex("88010000 020000000003 020000000001 020000000002 0000 0000") + b"\xaa\xaa\3\0\0\0" + ethertype(packet) + packet


def nflog(packet):
    return bytes([10 if packet[0] >> 4 == 6 else 2, 0, 0, 5]) + struct.pack("<HH", 7, 10) + b"fw\0\0" + struct.pack("<HH", 4 + len(packet), 9) + packet


# name: (link type, how a packet is wrapped, what tshark must be told; None: it does not decode this)
WRAPPED = {
    "ERSPAN I": (1, lambda p: ether(gre(0, 0x88be, ether(p))), ()),
    "ERSPAN II": (1, lambda p: ether(gre(0x1000, 0x88be, struct.pack("!IHHI", 7, 0x1005, 0x4007, 9) + ether(p))), ()),
    "ERSPAN III": (1, lambda p: ether(gre(0x1000, 0x22eb, struct.pack("!IHHIHH", 7, 0x2005, 7, 99, 0, 0) + ether(p))), ()),
    "VXLAN 8472": (1, over_udp(8472, b"\x08\0\0\0\0\0\x07\0"), ("-d", "udp.port==8472,vxlan")),
    "VXLAN-GPE": (1, over_udp(4790, b"\x0c\0\0\3\0\0\x07\0"), ()),
    "L2TPv2": (1, over_udp(1701, b"\0\2\0\5\0\6", inner=ppp), ()),
    "L2TPv2 back": (1, over_udp(50000, b"\0\2\0\5\0\6", inner=ppp, sport=1701), ()),
    "L2TPv3": (1, lambda p: ether(forge.ip("10.9.0.1", "10.9.0.2", 115, b"\0\0\0\x2a" + ether(p))), None),
    "L2TPv3 over UDP": (1, over_udp(1701, b"\0\3\0\0\0\0\0\x2a\1\2\3\4"), None),
    "CAPWAP": (1, over_udp(5247, b"\0\x10\2\0\0\0\0\0"), ()),
    "CAPWAP 802.11": (1, over_udp(5247, b"\0\x10\3\0\0\0\0\0", inner=wifi), ("-o", "capwap.swap_fc:FALSE")),
    "TZSP": (1, over_udp(37008, b"\1\0\0\1\1"), ()),
    "VN-Tag": (1, lambda p: forge.MAC_B + forge.MAC_A + b"\x89\x26\x80\3\0\x09" + ethertype(p) + p, ()),
    "NFLOG": (239, nflog, ()),
    "Cisco HDLC": (104, lambda p: b"\x0f\0" + ethertype(p) + p, ()),
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("addresses", [{}, {"client": "2001:db8:1::10", "server": "2001:db8:2::10"}], ids=["IPv4", "IPv6"])
def test_encapsulations(tmp_path, name, addresses):
    linktype, wrap, options = WRAPPED[name]
    packets = forge.Https(NETFLIX, **addresses).packets
    alone = only_flow(tmp_path, packets)
    found = flows(tmp_path, [(at, wrap(packet)) for at, packet in packets], linktype=linktype)
    assert len(found) == 1
    assert_as_alone(found[0], alone, 0)
    if options is not None and not addresses:
        seen = subprocess.run(["tshark", "-r", str(tmp_path / "made.pcap"), *options, "-T", "fields", "-e", "tcp.port"], capture_output=True, text=True)
        ports = [line for line in seen.stdout.split("\n") if line]
        assert len(ports) == len(packets) and all("443" in line and "40000" in line for line in ports), seen.stdout[:300]


def test_teredo(tmp_path):
    packets = forge.Https(NETFLIX, client="2001:0:53aa:64c:0:efff:3f57:fe3f", server="2001:db8:2::10").packets
    alone = only_flow(tmp_path, packets)
    for sport, port in ((50000, 3544), (3544, 50000)):
        found = flows(tmp_path, [(at, over_udp(port, b"\0\0\x63\xc0\x3f\xff\xff\xfe" if sport == 3544 else b"", inner=bytes, sport=sport)(packet))
                                 for at, packet in packets])
        assert len(found) == 1
        assert_as_alone(found[0], alone, 0)


@pytest.mark.parametrize("port", [1701, 3544, 4790, 5247, 8472, 37008])
def test_a_port_alone_is_no_tunnel(tmp_path, port):
    """QUIC and DNS to these ports stay what they are."""
    quic = forge.Quic(port=port).open(YOUTUBE).answer()
    assert_answered(only_flow(tmp_path, quic.packets))
    questions = [(at, forge.udp("192.168.1.10", port, "192.168.1.1", 53, forge.dns(7, NETFLIX)[2:])) for at in (forge.START, forge.START + 1)]
    assert only_flow(tmp_path, questions)["dns"]["queries"] == 1


# ---- who is a client ----

def evening(macs, ttl=64):
    """Three televisions with IPv4 and IPv6 each watch; after two minutes one service falls silent. `macs` gives each television's."""
    made, homes = household.Capture(), [(f"192.168.1.{10 + i}", f"2a00:1450:1::{i + 1}") for i in range(3)]
    for second in range(0, 240, 4):
        for i, home in enumerate(homes):
            for service, servers in (("netflix", ("45.57.18.20", "2a00:86c0:1001::20")), ("youtube", ("74.125.168.8", "2a00:1450:4007:12::8"))):
                family, host = second // 4 % 2, household.SERVICES[service][1][0]
                made.connect(household.START + second + i * .3 + len(service) * .01, home[family], servers[family], host,
                             "syn_timeout" if service == "netflix" and second >= 120 else "ok")
    frames = []
    for at, packet in made.packets:
        number = next((i for i, home in enumerate(homes) if forge.source(packet) in home), None)
        packet = forge.routed(packet, 64 - ttl) if number is not None and ttl < 64 else packet
        frames.append((at, forge.frame(packet, src=forge.MAC_B if number is None else macs[number])))
    return frames


OWN_MACS = [bytes([2, 0, 0, 0, 9, i]) for i in range(3)]


@pytest.mark.parametrize("name, macs, ttl, clients", [
    ("a network", OWN_MACS, 64, 3), ("behind a router", [forge.MAC_A] * 3, 63, 6), ("one MAC for all, as after rewriting", [forge.MAC_A] * 3, 64, 6),
    ("behind a router that keeps MACs apart", OWN_MACS, 63, 6)])
def test_a_television_is_one_client(tmp_path, name, macs, ttl, clients):
    path = forge.capture(tmp_path / "made.pcap", evening(macs, ttl))
    said = weir("replay", "--json", "--records", "flow,window,service,session,incident,capture", path)
    assert said == weir("replay", "--json", "--records", "flow,window,service,session,incident,capture", "--workers", 2, path)
    found = [json.loads(line) for line in said.splitlines()]
    incidents = [record for record in found if record["type"] == "incident" and record["event"] == "raised"]
    assert [(one["service"], one["cause"]) for one in incidents] == [("netflix", "service")]
    assert [record["clients"] for record in found if record["type"] == "service" and record["service"] == "netflix"] == [clients]
    addresses = {record["client"]["addr"] for record in found if record["type"] == "flow"}
    assert len(addresses) == 6, "a flow's record shows the flow's own address"
    last = [record for record in found if record["type"] == "incident"][-1]
    assert f"{clients} of {clients} clients" in last["text"] or clients == 6
    for mac in OWN_MACS:
        assert ":".join("%02x" % byte for byte in mac) not in said and mac.hex() not in said
