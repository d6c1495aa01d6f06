"""A capture as tshark sees it: one Packet a TCP or UDP packet, with the raw fields that the method's definitions need
and, beside them, Wireshark's own judgement of it.

Everything that would make tshark put packets together is off, so that each frame speaks for itself: a fragment is no
datagram and a record's bytes belong to the frame that brought them. Only names and QUIC versions come from tshark's
dissectors with reassembly on (`dissect`), since there it is the oracle.
"""
import dataclasses
import ipaddress
import subprocess

RAW_FIELDS = """frame.number frame.time_epoch frame.len frame.cap_len frame.protocols ip.src ip.dst ip.id ip.ttl ipv6.src ipv6.dst ipv6.hlim vlan.id
 tcp.stream tcp.srcport tcp.dstport tcp.seq_raw tcp.ack_raw tcp.flags tcp.window_size_value tcp.len tcp.hdr_len tcp.checksum
 tcp.options.sack_le tcp.options.sack_re tcp.options.mss_val tcp.options.timestamp.tsval tcp.options.timestamp.tsecr tcp.payload
 tcp.analysis.retransmission tcp.analysis.fast_retransmission tcp.analysis.spurious_retransmission tcp.analysis.out_of_order
 tcp.analysis.keep_alive tcp.analysis.zero_window tcp.analysis.zero_window_probe tcp.analysis.ack_rtt tcp.analysis.acks_frame
 udp.stream udp.srcport udp.dstport udp.length udp.checksum udp.payload
 dns.id dns.flags.response dns.flags.rcode dns.time""".split()

NAME_FIELDS = """frame.number tcp.stream udp.stream tls.handshake.type tls.handshake.extensions_server_name http.host
 tls.record.content_type tls.record.opaque_type tls.alert_message.level quic.version quic.header_form quic.long.packet_type quic.long.packet_type_v2 gquic.version
 gquic.tag.sni""".split()

NO_REASSEMBLY = ["ip.defragment:FALSE", "ipv6.defragment:FALSE"]
FIN, SYN, RST, ACK = 1, 2, 4, 16
CLOCK_STEP_US = 60_000_000   # a stamp further back than this is a clock that was set, not frames that overtook each other


@dataclasses.dataclass
class Packet:
    frame: int
    ts_us: int
    transport: str
    src: str
    dst: str
    sport: int
    dport: int
    vlan: str
    stream: int
    ttl: int
    ip_id: int
    checksum: str
    ip_payload_len: int
    payload_len: int
    payload: bytes
    cut: bool               # by the snap length
    header_cut: bool
    seq: int = 0
    ack: int = 0
    flags: int = 0
    window: int = 0
    mss: int = 0
    tsval: str = ""
    tsecr: str = ""
    sack: tuple = ()        # the first block
    judged: str = ""        # Wireshark's: retransmission, fast, spurious, out_of_order, keep_alive or nothing
    zero_window: bool = False
    zero_probe: bool = False
    ack_rtt_us: int | None = None
    acks_frame: int = 0
    dns: dict | None = None     # as read here, as far as it was captured
    dns_judged: dict | None = None  # tshark's
    now_us: int = 0             # a clock that never steps back

    def is_(self, flags):
        return bool(self.flags & flags)

    def key(self):
        """The same for both directions."""
        ends = sorted([(self.src, self.sport), (self.dst, self.dport)])
        return self.transport, *ends[0], *ends[1]


def tshark(path, fields, options, extra=()):
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=\t", "-E", "occurrence=a", "-E", "aggregator=,"]
    for option in options:
        command += ["-o", option]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run([*command, *extra], capture_output=True, text=True)
    if done.returncode not in (0, 2):  # 2: the file is cut short; what was read counts
        raise RuntimeError(f"tshark: {path}: {done.stderr.strip().splitlines()[-1:]}")
    for line in done.stdout.splitlines():
        yield dict(zip(fields, line.split("\t")))


def last(text):
    return text.rsplit(",", 1)[-1]


def number(text, base=0):
    return int(last(text), base) if text else 0


def micros(text):
    """Whole microseconds, cut, of a decimal number of seconds."""
    seconds, _, rest = text.partition(".")
    value = abs(int(seconds)) * 1000000 + int((rest + "000000")[:6])
    return -value if seconds.startswith("-") else value


def judgement(row):
    for name, short in (("keep_alive", "keep_alive"), ("spurious_retransmission", "spurious"), ("out_of_order", "out_of_order"),
                        ("fast_retransmission", "fast"), ("retransmission", "retransmission")):
        if row[f"tcp.analysis.{name}"]:
            return short
    return ""


def dns_of(row):
    if not row["dns.id"]:
        return None
    return {"response": last(row["dns.flags.response"]) in ("1", "True"), "rcode": number(row["dns.flags.rcode"]),
            "time_us": round(float(last(row["dns.time"])) * 1e6) if row["dns.time"] else None}


def dns_name(data, at):
    """(name, offset behind it); raises IndexError where the bytes end."""
    labels, behind = [], None
    for _ in range(128):
        length = data[at]
        if length >= 192:
            behind = behind or at + 2
            at = (length & 63) << 8 | data[at + 1]
        elif length == 0:
            return ".".join(labels).lower(), behind or at + 1
        else:
            labels.append(bytes(data[at + 1 + i] for i in range(length)).decode("latin-1"))
            at += 1 + length
    raise IndexError("a name that does not end")


def hints(body):
    """The addresses that an HTTPS record (RFC 9460) carries."""
    _, at = dns_name(body, 2)
    found = []
    while at + 4 <= len(body):
        key, length = body[at] << 8 | body[at + 1], body[at + 2] << 8 | body[at + 3]
        width = {4: 4, 6: 16}.get(key)
        value = body[at + 4:at + 4 + length]
        found += [str(ipaddress.ip_address(value[i:i + width])) for i in range(0, len(value) - width + 1, width)] if width else []
        at += 4 + length
    return found


def dns_message(data):
    """A DNS message's question and addresses, as many as were captured; None when even the question was not."""
    try:
        name, at = dns_name(data, 12)
        kind = data[at] << 8 | data[at + 1]
    except IndexError:
        return None
    message = {"response": bool(data[2] & 128), "rcode": data[3] & 15, "name": name, "type": kind, "addrs": [], "cut": False}
    at += 4
    try:
        for _ in range(data[6] << 8 | data[7]):
            _, at = dns_name(data, at)
            record, length = data[at] << 8 | data[at + 1], data[at + 8] << 8 | data[at + 9]
            body = data[at + 10:at + 10 + length]
            if (record, len(body)) in ((1, 4), (28, 16)):
                message["addrs"].append(str(ipaddress.ip_address(body)))
            elif record in (64, 65):
                message["addrs"] += hints(body)
            at += 10 + length
    except IndexError:
        message["cut"] = True
    return message


def packet_of(row):
    layers = row["frame.protocols"].split(":")
    if "icmp" in layers or "icmpv6" in layers or not (row["tcp.srcport"] or row["udp.srcport"]):
        return None
    innermost = [layer for layer in layers if layer in ("ip", "ipv6", "tcp", "udp")]
    transport = [layer for layer in innermost if layer in ("tcp", "udp")][-1]
    ip = [layer for layer in innermost if layer in ("ip", "ipv6")][-1]
    tcp = transport == "tcp"
    header = number(row["tcp.hdr_len"]) if tcp else 8
    length = number(row["tcp.len"]) if tcp else max(0, number(row["udp.length"]) - 8)
    ttl, ip_id = (row["ip.ttl"], row["ip.id"]) if ip == "ip" else (row["ipv6.hlim"], "")
    packet = Packet(
        frame=int(row["frame.number"]), ts_us=micros(row["frame.time_epoch"]), transport=transport, src=last(row[f"{ip}.src"]),
        dst=last(row[f"{ip}.dst"]), sport=number(row[f"{transport}.srcport"]), dport=number(row[f"{transport}.dstport"]),
        vlan=row["vlan.id"], stream=number(row[f"{transport}.stream"]), ttl=number(ttl), ip_id=number(ip_id),
        checksum=last(row[f"{transport}.checksum"]), ip_payload_len=header + length, payload_len=length,
        payload=bytes.fromhex(last(row[f"{transport}.payload"]).replace(":", "")), cut=int(row["frame.cap_len"]) < int(row["frame.len"]),
        header_cut=int(row["frame.cap_len"]) + length < int(row["frame.len"]), dns_judged=dns_of(row))
    if 53 in (packet.sport, packet.dport):
        packet.dns = dns_message(packet.payload[2:] if tcp else packet.payload)  # over TCP: the first of a segment
    if tcp:
        packet.seq, packet.ack, packet.flags = number(row["tcp.seq_raw"]), number(row["tcp.ack_raw"]), number(row["tcp.flags"])
        packet.window, packet.mss = number(row["tcp.window_size_value"]), number(row["tcp.options.mss_val"])
        if row["tcp.options.sack_le"] and row["tcp.options.sack_re"]:
            packet.sack = tuple(int(row[f"tcp.options.sack_{edge}"].split(",")[0]) for edge in ("le", "re"))
        packet.tsval, packet.tsecr = last(row["tcp.options.timestamp.tsval"]), last(row["tcp.options.timestamp.tsecr"])
        packet.judged = judgement(row)
        packet.zero_window = bool(row["tcp.analysis.zero_window"])
        packet.zero_probe = bool(row["tcp.analysis.zero_window_probe"])
        packet.acks_frame = number(row["tcp.analysis.acks_frame"])
        if packet.acks_frame:
            packet.ack_rtt_us = 0   # which Wireshark does not print
        if row["tcp.analysis.ack_rtt"]:
            packet.ack_rtt_us = round(float(last(row["tcp.analysis.ack_rtt"])) * 1e6)
    return packet


def read(path):
    """Every TCP and UDP packet of the capture, in its order."""
    rows = tshark(path, RAW_FIELDS, [*NO_REASSEMBLY, "tcp.desegment_tcp_streams:FALSE", "tcp.check_checksum:FALSE",
                                     "tcp.relative_sequence_numbers:FALSE"])
    found, now_us, offset_us = [], None, 0
    for row in rows:
        ts_us = micros(row["frame.time_epoch"])
        if now_us is None:
            now_us = ts_us
        if ts_us + offset_us < now_us - CLOCK_STEP_US:
            offset_us = now_us - ts_us
        now_us = max(now_us, ts_us + offset_us)
        packet = packet_of(row)
        if packet:
            packet.now_us = now_us
            found.append(packet)
    return found


def dissect(path):
    """What tshark's dissectors make of the payloads, by frame number."""
    rows = tshark(path, NAME_FIELDS, NO_REASSEMBLY, ["-Y", "tls or http or quic or gquic"])
    return {int(row["frame.number"]): row for row in rows}
