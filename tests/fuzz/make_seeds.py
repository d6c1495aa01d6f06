"""Makes seeds for the fuzz targets from the project's own captures (pcaps/, tests/outcomes/captures/) and signatures:
frames, whole captures in several formats, ClientHellos, Initials, DNS messages, and runs of packets in the forms that the
stages' targets read, and a dictionary of the configuration. The same captures give the same seeds, byte for byte;
nothing of it is committed.

usage: make_seeds.py DIRECTORY        (makes DIRECTORY/fuzz_<target>/... and DIRECTORY/fuzz_config.dict)
"""
import gzip
import hashlib
import json
import pathlib
import re
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
SEED_MAX, RUN_MAX, SEEDS_MAX = 4000, 3600, 150
ETHERNET_IN_PIPELINE, RAW_IN_PIPELINE = 1, 0  # places in fuzz_pipeline's and fuzz_decode's lists of link types
LINKS_IN_DECODE = {"ethernet": 0, "sll": 1, "raw": 3, "hdlc": 13, "nflog": 14}
STEP_DATA, STEP_INITIAL, STEP_DNS, STEP_END, STEP_CUT, STEP_TIME, STEP_LEARN = range(7)

HTTP = [b"GET /seg/1.m4s HTTP/1.1\r\nUser-Agent: x\r\nHost: ipv4-c001.oca.nflxvideo.net:80\r\n\r\n",
        b"CONNECT rr1.googlevideo.com:443 HTTP/1.1\r\nHost: rr1.googlevideo.com:443\r\n\r\n",
        b"POST http://user@www.example.org:8080/a?b HTTP/1.0\r\nhost:\twww.example.org \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", b"M-SEARCH * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\n\r\n"]
CONFIG = [b"", b"site: home\nworkers: 2\nmemory: 64\nlocal: [10.0.0.0/8, fd00::/8]\nclients: pseudonym\n",
          b"records: flow,window\nfilter: tcp port 443\nredis: redis://127.0.0.1:6379/0\nsignatures: /nowhere\n",
          b"detect:\n  p0: 0.02\n  h_small: 14\n", b"# nothing\n---\nsite: \"a\\nb\"\n", b"json: true\nlocal:\n  - 192.168.0.0/16\n"]


class Frame:
    """An Ethernet frame of a capture, parsed as far as seeds need it: IPv4 or IPv6 without extension headers, TCP or UDP."""

    def __init__(self, stamp_us, data, wire):
        self.stamp_us, self.data, self.wire = stamp_us, data, wire
        self.ip, self.protocol, self.payload, self.ports, self.seq = data[14:], None, b"", (), 0
        four, six = data[12:14] == b"\x08\x00", data[12:14] == b"\x86\xdd"
        if not (four or six) or len(self.ip) < 40:
            self.ip = b""
            return
        self.protocol = self.ip[9] if four else self.ip[6]
        at = 4 * (self.ip[0] & 15) if four else 40
        end = struct.unpack(">H", self.ip[2:4])[0] if four else 40 + struct.unpack(">H", self.ip[4:6])[0]
        self.ip = self.ip[:end]
        segment = self.ip[at:]
        if self.protocol not in (6, 17) or len(segment) < 20 - 12 * (self.protocol == 17):
            return
        self.ports = struct.unpack(">HH", segment[:4])
        if self.protocol == 6:
            self.seq = struct.unpack(">I", segment[4:8])[0]
        self.payload = segment[8:] if self.protocol == 17 else segment[4 * (segment[12] >> 4):]


def read_capture(path):
    data, at, frames = path.read_bytes(), 24, []
    while len(data) - at >= 16:
        seconds, micros, captured, wire = struct.unpack("<IIII", data[at:at + 16])
        frames.append(Frame(seconds * 1000000 + micros, data[at + 16:at + 16 + captured], wire))
        at += 16 + captured
    return frames


class Seeds:
    def __init__(self, directory):
        self.directory, self.counts = directory, {}

    def add(self, target, data):
        directory = self.directory / f"fuzz_{target}"
        path = directory / hashlib.sha1(data).hexdigest()[:16]
        if len(data) > SEED_MAX or self.counts.get(target, 0) >= SEEDS_MAX or path.exists():
            return
        directory.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.counts[target] = self.counts.get(target, 0) + 1


# ---- one frame ----

def wrapped(frame):
    """The frame as it is, and its IP packet in other wrappings; names are of LINKS_IN_DECODE."""
    ether, ip = frame.data[:14], frame.ip
    kind = ether[12:14]
    outer = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + 8 + len(ip), 1, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    gre = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + 4 + len(ip), 1, 0, 64, 47, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    udp = lambda port, body: outer[:2] + struct.pack(">H", 28 + len(body)) + outer[4:] + struct.pack(">HHHH", 4000, port, 8 + len(body), 0) + body  # noqa: E731
    yield "ethernet", frame.data
    yield "ethernet", ether[:12] + b"\x81\x00\x00\x05" + kind + ip
    yield "ethernet", ether[:12] + b"\x88\xa8\x00\x05\x81\x00\x00\x06" + kind + ip
    yield "ethernet", ether[:12] + b"\x88\x64\x11\x00\x00\x01" + struct.pack(">H", len(ip) + 2) + (b"\0\x21" if ip[0] >> 4 == 4 else b"\0\x57") + ip
    yield "ethernet", ether[:12] + b"\x88\x47\x00\x01\x01\x40" + ip
    yield "raw", ip
    yield "raw", gre + b"\0\0" + kind + ip
    yield "raw", udp(4789, b"\x08\0\0\0\0\0\x05\0" + frame.data)
    yield "raw", udp(2152, b"\x30\xff" + struct.pack(">HI", len(ip), 7) + ip)
    pppd = (b"\xff\3\0\x21" if ip[0] >> 4 == 4 else b"\xff\3\0\x57") + ip
    air = bytes.fromhex("880100000200000000030200000000010200000000020000" + "0000") + b"\xaa\xaa\3\0\0\0" + kind + ip
    over = lambda protocol, body: gre[:2] + struct.pack(">H", 20 + len(body)) + gre[4:9] + bytes([protocol]) + gre[10:20] + body  # noqa: E731
    yield "raw", over(47, b"\0\0\x88\xbe" + frame.data)
    yield "raw", over(47, struct.pack(">HHIHHI", 0x1000, 0x88be, 1, 0x1005, 0x4007, 9) + frame.data)
    yield "raw", over(47, struct.pack(">HHIHHIHHQ", 0x1000, 0x22eb, 1, 0x2005, 7, 99, 0, 1, 0) + frame.data)
    yield "raw", over(115, b"\0\0\0\x2a\1\2\3\4" + frame.data)
    yield "raw", udp(8472, b"\x08\0\0\0\0\0\x05\0" + frame.data)
    yield "raw", udp(4790, b"\x0c\0\0\3\0\0\x05\0" + frame.data)
    yield "raw", udp(1701, b"\0\2\0\5\0\6" + pppd)
    yield "raw", udp(1701, b"\0\3\0\0\0\0\0\x2a" + frame.data)
    yield "raw", udp(5247, b"\0\x10\2\0\0\0\0\0" + frame.data)
    yield "raw", udp(5247, b"\0\x10\3\0\0\0\0\0" + air)
    yield "raw", udp(3544, b"\0\0\x63\xc0\x3f\xff\xff\xfe" + b"\x60" + ip[1:8] + b"\x20\1\0\0" + ip[12:])
    yield "raw", udp(37008, b"\1\0\0\1\x0a\1\xd8\1" + frame.data)
    yield "ethernet", ether[:12] + b"\x89\x26\x80\3\0\x09" + kind + ip
    yield "hdlc", b"\x0f\0" + kind + ip
    yield "nflog", b"\2\0\0\5" + struct.pack("<HH", 7, 10) + b"fw\0\0" + struct.pack("<HH", 4 + len(ip), 9) + ip
    yield "sll", b"\0\0\0\1\0\6" + bytes(8) + kind + ip


def frame_seeds(seeds, frames):
    for frame in [f for f in frames if f.ip][:60:6]:
        for link, data in wrapped(frame):
            seeds.add("decode", bytes([0, LINKS_IN_DECODE[link], (frame.wire - len(frame.data)) // 64 & 255]) + data)


# ---- one message ----

def message_seeds(seeds, frames):
    for frame in frames:
        payload = frame.payload
        if 53 in frame.ports and payload:
            message = payload[2:] if frame.protocol == 6 else payload
            seeds.add("dns", message)
            seeds.add("classify", step(STEP_DNS, 0, message))
        elif frame.protocol == 17 and 443 in frame.ports and payload:
            seeds.add("quic", payload)
            seeds.add("classify", step(STEP_DATA, 1, payload))
        elif frame.protocol == 6 and payload[:1] in (b"\x14", b"\x15", b"\x16", b"\x17"):
            seeds.add("tls", payload)
            if payload[5:6] == b"\x01":
                hello = payload[5:]
                seeds.add("tls", hello)
                seeds.add("quic", crypto_frames(hello[:1100]))
                seeds.add("classify", step(STEP_DATA, 0, payload) + step(STEP_END, 0, b""))
                seeds.add("classify", step(STEP_DATA, 0, payload[:200]) + step(STEP_DATA, 0, payload[200:]) + step(STEP_TIME, 0, b"") + step(STEP_LEARN, 0, b""))
                seeds.add("classify", step(STEP_INITIAL, 1, crypto_frames(hello[:1100])))


def crypto_frames(hello):
    """Two CRYPTO frames, the later part first."""
    varint = lambda value: struct.pack(">H", value | 0x4000)  # noqa: E731
    half = len(hello) // 2
    return b"\x06" + varint(half) + varint(len(hello) - half) + hello[half:] + b"\x06" + varint(0) + varint(half) + hello[:half] + bytes(40)


def step(kind, lane, data, how=0):
    data = data[:2047]
    return bytes([kind << 5 | lane, len(data) & 255, how << 3 | len(data) >> 8]) + data


# ---- runs of packets ----

def run_record(frame, data, gap_us, keep):
    """Four bytes (length, what was cut off, the time before it in steps of a square, a step back) and the bytes."""
    kept = data[:keep]
    cut = min(31, (len(data) - len(kept) + max(0, frame.wire - len(frame.data)) + 39) // 40)
    gap = min(255, round((max(0, gap_us) / 300) ** 0.5))
    return bytes([len(kept) & 255, len(kept) >> 8 | cut << 3, gap, 0]) + kept


def runs(frames, take):
    """Captures cut to runs that fit a seed: first packets of flows keep their hellos, the rest their headers."""
    run, last_us = b"", frames[0].stamp_us
    for frame in frames:
        data = take(frame)
        if not data:
            continue
        keep = 700 if frame.payload[:1] == b"\x16" or 53 in frame.ports else 1250 if frame.payload[:1] >= b"\xc0" and frame.protocol == 17 else 90
        record = run_record(frame, data, frame.stamp_us - last_us, keep)
        last_us = frame.stamp_us
        if len(run) + len(record) > RUN_MAX:
            yield run
            run = b""
        run += record
    if run:
        yield run


def run_seeds(seeds, frames, number):
    for index, run in enumerate(runs(frames, lambda frame: frame.ip)):
        if index < 2:
            seeds.add("flow", run)
    for index, run in enumerate(runs(frames, lambda frame: frame.data)):
        if index < 2:
            seeds.add("pipeline", bytes([ETHERNET_IN_PIPELINE, number % 12]) + run)


# ---- files ----

def pcap(frames, order="<", magic=0xa1b2c3d4):
    return struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, 1) + b"".join(
        struct.pack(order + "IIII", f.stamp_us // 1000000, f.stamp_us % 1000000, len(f.data), f.wire) + f.data for f in frames)


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def pcapng(frames, order="<", options=b""):
    header = block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1), order)
    interface = block(1, struct.pack(order + "HHI", 1, 0, 65535) + options, order)
    packets = b"".join(block(6, struct.pack(order + "IIIII", 0, f.stamp_us >> 32, f.stamp_us & 0xffffffff, len(f.data), f.wire) + f.data +
                             bytes(-len(f.data) % 4), order) for f in frames)
    return header + interface + packets + block(3, struct.pack(order + "I", 60) + bytes(60), order)


def file_seeds(seeds, frames):
    few = [f for f in frames if len(f.data) < 400][:5]
    if not few:
        return
    resolution = struct.pack("<HHB3xHHq", 9, 1, 9, 14, 8, 5) + bytes(4)  # nanoseconds, an offset
    for data in (pcap(few), pcap(few, ">"), pcap(few, magic=0xa1b23c4d), pcap(few, magic=0xa1b2cd34), pcapng(few), pcapng(few, ">"),
                 pcapng(few, options=resolution), pcapng(few[:1]) + pcapng(few[1:]), gzip.compress(pcap(few), mtime=0)):
        seeds.add("capture", data)


def text_seeds(seeds):
    for request in HTTP:
        seeds.add("http", request)
        seeds.add("classify", step(STEP_DATA, 2, request))
    for text in CONFIG:
        seeds.add("config", text)
    for path in sorted((PROJECT / "signatures").glob("*.yaml")):
        seeds.add("signatures", (b"C" if path.stem == "cdn" else b"") + path.read_bytes())
    for request in (b"/", b"/service/netflix", b"/incident/netflix-1795469610854", b"/metrics", b"Bearer a-token-of-some-length",
                    b"Basic bWU6YS10b2tlbi1vZi1zb21lLWxlbmd0aA==", b"application/openmetrics-text; version=1.0.0"):
        seeds.add("serve", request)
    seeds.add("serve", json.dumps({"id": "netflix-1", "event": "raised", "service": "netflix", "state": "down", "cause": "service", "ts": 1795469620, "onset_ts": 1795469605,
        "layer": "connect", "clients": 3, "clients_seen": 3, "clients_hit": ["10.0.0.1"], "prefixes": ["198.18.0.0/24"], "prefix_as": [{"asn": 64496, "as_org": "x"}],
        "kinds": {"syn_timeout": 12}, "alternatives": {"uplink": 0.1}, "controls": {"fail": 0, "total": 4, "by_service": {"youtube": {"fail": 0, "total": 4}}},
        "trials": {"fail": 3, "total": 3, "low": 0.4, "high": 1}, "text": "down", "start_ts": 1, "end_ts": 2, "naming": {}, "decode": {"ok": 1}}).encode())


def config_dictionary(directory):
    """The options' names, read from where they stand, so that none is missing."""
    names = re.findall(r'^    \{"([a-z-]+)",', (PROJECT / "src" / "engine" / "config.c").read_text(), re.M)
    words = [f"{name}: " for name in names] + ["- ", "---", "{", "}", "&a", "*a", "<<: ", "!!int ", "1e9", "-1", "~", "true"]
    (directory / "fuzz_config.dict").write_text("".join(f'"{word}"\n' for word in words))


def make(directory):
    seeds = Seeds(pathlib.Path(directory))
    text_seeds(seeds)
    captures = sorted((PROJECT / "tests" / "outcomes" / "captures").glob("*.pcap")) + sorted((PROJECT / "pcaps").glob("*.pcap"))
    for number, path in enumerate(captures):
        frames = read_capture(path)[:400]
        frame_seeds(seeds, frames)
        message_seeds(seeds, frames)
        run_seeds(seeds, frames, number)
        if number % 12 == 0:
            file_seeds(seeds, frames)
    config_dictionary(seeds.directory)
    return seeds.counts


if __name__ == "__main__":
    print(" ".join(f"{target}:{count}" for target, count in sorted(make(sys.argv[1]).items())))
