"""Handshakes above the transport, names and lookups: TLS records walked again over the payloads' bytes, QUIC by what tshark
dissects, host names by what tshark reads, lookups per service by the signatures."""
import pathlib

import yaml

from fields import NO_ORACLE, Field
from methods import signed
from packets import FIN, RST, SYN

DATA, HANDSHAKE, ALERT = 23, 22, 21
HELD_BYTES = 7           # a record's header, and the two bytes that tell an alert's level or a handshake's type
WALK_LIMIT = 1 << 20
CUT, ANYBODY = "cut", "anybody"


# ---- TLS ----

class Stream:
    """One direction's payload put together: which packet first brought each byte. Bytes behind the snap length are unknown."""

    def __init__(self):
        self.base, self.bytes, self.brought = None, {}, {}

    def add(self, packet):
        if self.base is None:
            self.base = packet.seq
        start = signed(packet.seq - self.base)
        if start < -65536 or start > WALK_LIMIT:
            return
        for i in range(packet.payload_len):
            if start + i not in self.brought:
                self.brought[start + i] = packet
                if i < len(packet.payload):
                    self.bytes[start + i] = packet.payload[i]

    def header(self, at):
        """(type, length) of the record that begins here, or None."""
        if not all(at + i in self.bytes for i in range(5)):
            return None
        kind, length = self.bytes[at], self.bytes[at + 3] << 8 | self.bytes[at + 4]
        return (kind, length) if 20 <= kind <= 23 and self.bytes[at + 1] == 3 and length <= 16384 + 2048 else None

    def records(self):
        """(type, first byte of the body, second, last packet of the header) until a header is unknown: what follows one that was
        not captured may be of any type."""
        at = min(self.brought, default=0)
        while self.header(at):
            kind, length = self.header(at)
            held = [self.brought[at + i] for i in range(5 + min(2, length)) if at + i in self.brought]
            came = max(held, key=lambda p: p.ts_us)
            yield kind, self.bytes.get(at + 5), self.bytes.get(at + 6), came, self.brought[at]
            at += 5 + length

    def overtaken(self):
        order = [self.brought[i].frame for i in sorted(self.brought)]
        return order != sorted(order) or any(b - a > 1 for a, b in zip(sorted(self.brought), sorted(self.brought)[1:]))


def streams_of(flow):
    streams = Stream(), Stream()
    for packet in flow.packets:
        if packet.payload_len and not packet.is_(SYN | RST):
            streams[flow.side(packet)].add(packet)
    return streams


def listed(text):
    return [item for item in text.split(",") if item]


def tls(flow, record, named):
    """Handshake time and alerts; nothing for a flow that does not open with a ClientHello."""
    first = next((p for p in flow.packets if p.payload_len and flow.side(p) == 0 and not p.is_(SYN | RST)), None)
    if flow.mid or not first or not (first.payload[:1] == b"\x16" and first.payload[1:2] == b"\x03" and first.payload[5:6] == b"\x01"):
        return []
    client, server = streams_of(flow)
    hello = next((p for kind, a, _, p, _ in client.records() if kind == HANDSHAKE and a == 1), None)
    data = next((p for kind, *_, p, _ in server.records() if kind == DATA), None)
    method = max(0, data.ts_us - hello.ts_us) if hello and data else None
    rows = [(p, named[p.frame]) for p in flow.packets + flow.copies if p.frame in named]
    rows.sort(key=lambda row: row[0].frame)
    w_hello = next((p for p, row in rows if "1" in listed(row["tls.handshake.type"])), None)
    w_data = next((p for p, row in rows if flow.side(p) == 1 and
                   "23" in listed(row["tls.record.content_type"]) + listed(row["tls.record.opaque_type"])), None)
    oracle = max(0, w_data.ts_us - w_hello.ts_us) if w_hello and w_data else None
    cut = any(len(p.payload) < p.payload_len for p in flow.packets)
    rule = "snap length: a record's header was not captured, or is all that was" if cut else "a record is seen when its header is"
    why = [(rule, p.frame) for p in (w_hello, hello, w_data, data) if p]
    if method is None and any(s.overtaken() for s in (client, server)):
        method = record["tls_handshake_us"]   # no independent walk over bytes that were never captured
    fields = [Field("tls_handshake_us", record["tls_handshake_us"], method, oracle, why, slack=1, frames=[p.frame for p in (hello, data) if p])]
    return fields + [alert(flow, record, server, rows)]


def alert(flow, record, server, rows):
    """A fatal alert of the server before its ServerHello."""
    method = None
    for kind, level, *_ in server.records():
        if kind == HANDSHAKE:
            break
        if kind == ALERT and level == 2:
            method = "tls_alert"
            break
    oracle = None
    for p, row in rows:
        if flow.side(p) == 1 and "2" in listed(row["tls.handshake.type"]):
            break
        if flow.side(p) == 1 and "2" in listed(row["tls.alert_message.level"]):
            oracle = "tls_alert"
            break
    says = "tls_alert" if record["outcome"] == "tls_alert" else None
    return Field("tls_alert", says, method, oracle)


# ---- QUIC ----

LONG_V1, LONG_V2 = {"0": "initial", "2": "handshake", "3": "retry"}, {"1": "initial", "3": "handshake", "0": "retry"}


def quic_types(row):
    kinds = set()
    if "0" in listed(row["quic.header_form"]) or "False" in listed(row["quic.header_form"]):
        kinds.add("short")
    kinds |= {LONG_V1.get(kind, "other") for kind in listed(row["quic.long.packet_type"])}
    return kinds | {LONG_V2.get(kind, "other") for kind in listed(row["quic.long.packet_type_v2"])}


def quic_openings(named):
    """frame -> (may be a client's first Initial, is QUIC): for the side and the idle limit of a flow."""
    found = {}
    for frame, row in named.items():
        if row["quic.version"] or row["quic.header_form"] or row["gquic.version"]:
            found[frame] = ("initial" in quic_types(row), True)
    return found


def other_version(packet):
    """A client's first datagram in a version that tshark does not know: what RFC 8999 says of every version."""
    payload = packet.payload
    return packet.dport == 443 and packet.payload_len >= 1200 and len(payload) > 5 and payload[0] >= 0x80 and any(payload[1:5])


def quic(flow, record, named):
    if flow.transport != "udp":
        return []
    rows = [(p, named[p.frame]) for p in flow.packets if p.frame in named]
    versions = {v for _, row in rows for v in listed(row["quic.version"]) + listed(row["gquic.version"])}
    fields = [Field("quic", record["transport"], "quic" if versions or other_version(flow.packets[0]) else "udp")]
    opening = rows and rows[0][0] is flow.packets[0] and "initial" in quic_types(rows[0][1])
    if not versions or not opening or any(row["gquic.version"] for _, row in rows):
        return fields

    def first(side, kind):
        return next((p for p, row in rows if flow.side(p) == side and kind in quic_types(row)), None)
    start, short, s_initial, s_shake, c_shake = (first(0, "initial"), first(0, "short"), first(1, "initial"),
                                                 first(1, "handshake"), first(0, "handshake"))
    again = [p.frame for p, row in rows if flow.side(p) == 1 and (not s_initial or p.frame < s_initial.frame) and
             ("retry" in quic_types(row) or "0x00000000" in listed(row["quic.version"]))]
    if again:  # the exchange that was answered: behind the last Retry or version negotiation
        start = next((p for p, row in rows if flow.side(p) == 0 and p.frame > again[-1] and "initial" in quic_types(row)), start)
    flights = [p for p, row in rows if flow.side(p) == 0 and "initial" in quic_types(row) and
               start.frame < p.frame and
               (not s_initial or p.frame < s_initial.frame) and p.ts_us - start.ts_us >= 100_000]
    span = lambda a, b: max(0, b.ts_us - a.ts_us) if a and b else None
    server_us = None if flights else span(start, s_initial)
    client_us = span(s_shake, c_shake) if s_shake and c_shake and c_shake.frame > s_shake.frame else None
    return fields + [Field("tls_handshake_us", record["tls_handshake_us"], span(start, short), slack=1),
                     Field("handshake_rtt_server_us", record["handshake_rtt_server_us"], server_us, slack=1),
                     Field("handshake_rtt_client_us", record["handshake_rtt_client_us"], client_us, slack=1)]


# ---- names ----

class Services:
    """Host name -> service by the longest suffix in signatures/."""

    def __init__(self, directory):
        self.suffixes = {}
        for path in sorted(pathlib.Path(directory).glob("*.yaml")):
            signature = yaml.safe_load(path.read_text())
            for hosts in (signature.get("hosts") or {}).values():
                for host in hosts or ():
                    self.suffixes[str(host).lower()] = signature["id"]
            for host in signature.get("never_count") or ():
                self.suffixes[str(host).lower()] = None

    def of(self, host):
        labels = host.lower().split(".")
        for i in range(len(labels)):
            if ".".join(labels[i:]) in self.suffixes:
                return self.suffixes[".".join(labels[i:])]
        return None


def said_names(flow, named):
    """Names that the flow itself said, as tshark reads them, without ports."""
    names = []
    for p in flow.packets:
        row = named.get(p.frame)
        if row and flow.side(p) == 0:
            names += listed(row["tls.handshake.extensions_server_name"]) + listed(row["gquic.tag.sni"])
            names += [host.rsplit(":", 1)[0] for host in listed(row["http.host"])]
    return [name.lower() for name in names]


def host(flow, record, named, resolved, services):
    """What the flow said (by sni, http), or what the client asked for this address before (by dns)."""
    said = said_names(flow, named)
    if record["named_by"] in ("sni", "http") and said:
        known = next((name for name in said if services.of(name)), None)
        return [Field("host", record["host"], known),
                Field("service", record["service"], services.of(said[0]) or "other")]
    if record["host"] and record["named_by"] == "dns":
        asked = resolved.get((flow.client[0], CUT), set()) | (resolved.get((flow.client[0], flow.server[0])) or
                                                              resolved.get((ANYBODY, flow.server[0]), set()))
        return [Field("host", record["host"] if record["host"] in asked else f"{record['host']}: never asked", record["host"])]
    if said and services.of(said[0]) and not flow.mid and record["named_by"] in ("none", "ndpi", "address"):
        return [Field("host", record["host"], said[0])]
    return []


def resolutions(capture):
    """(client, address) -> names whose answers held it; (client, CUT) -> names whose answers were not captured whole;
    (ANYBODY, address): for a client that asked nobody for it, as one with both IPv4 and IPv6 addresses seems to."""
    resolved = {}
    for p in capture:
        if p.dns and p.dns["response"]:
            for addr in p.dns["addrs"]:
                resolved.setdefault((p.dst, addr), set()).add(p.dns["name"])
                resolved.setdefault((ANYBODY, addr), set()).add(p.dns["name"])
            if p.dns["cut"]:
                resolved.setdefault((p.dst, CUT), set()).add(p.dns["name"])
    return resolved


# ---- lookups ----

def quantile(values, percent):
    """Nearest rank."""
    rank = max(1, -(-len(values) * percent // 100))
    return sorted(values)[rank - 1]


def lookups(flows, services):
    """service -> microseconds from the first question (client, resolver, name, type) to its answer; and Wireshark's."""
    open_, times, judged = {}, {}, {}
    packets = sorted((p.frame, p, f) for f in flows if f.kind == "dns" or f.server[1] == 53 for p in f.packets if p.dns)
    for _, p, flow in packets:
        key = (flow.client[0], flow.server[0], p.dns["name"], p.dns["type"])
        service = services.of(p.dns["name"]) or "other"
        if not p.dns["response"]:
            since, sends = open_.get(key, (p, 0))
            stale_at = -(-(since.now_us + (3_000_000 if sends >= 2 else 5_000_000)) // 1_000_000) * 1_000_000
            open_[key] = (p, 1) if p.now_us >= stale_at else (since, sends + 1)
            continue
        since, sends = open_.pop(key, (None, 0))
        if since is not None:
            times.setdefault(service, []).append(max(0, p.ts_us - since.ts_us))
            if p.dns_judged and p.dns_judged["time_us"] is not None:
                judged.setdefault(service, []).append(p.dns_judged["time_us"])
    return times, judged


def latency(flows, records, services):
    times, judged = lookups(flows, services)
    fields = []
    for record in records:
        service, weir = record["service"], record["dns_latency"]
        mine, theirs = times.get(service, []), judged.get(service, [])
        why = [("from the first question, not the last", f"service {service}")]
        fields.append((service, Field("dns_latency samples", weir["samples"], len(mine), len(theirs), why)))
        for percent in (10, 50, 95):
            if mine:
                value = quantile(mine, percent)
                oracle = quantile(theirs, percent) if theirs else None
                fields.append((service, Field(f"dns_latency p{percent}", weir[f"p{percent}_us"], value, oracle, why,
                                              slack=max(1, 0.033 * value))))
    return fields
