"""The method's rules for TCP, written a second time from the definitions, over raw sequence numbers and stamps. It shares nothing
with src/flow but the definitions; where those leave a choice, the choice is named here:

- A flow is a 5-tuple (in one VLAN). It is cut where a SYN brings a new ISN and the flow is closed or idle for over 1 s,
  and where it was idle beyond its limit at a whole second (LIMITS_US).
- Idle times run on a clock that never steps back: it holds still for stamps up to 60 s behind, and is set by others.
- Copies within 1 ms are left out of everything. With IP ID and checksum they must share acknowledgement, window, flags and
  time stamp (or the payload, in UDP): offloaded checksums and IDs of 0 are alike between different packets.
- "Seen before" is decided byte by byte without a bound. A segment with any byte never seen counts by those bytes.
- What fills a hole was sent again when it left its sender after the packet that showed the hole: by TSval where the two differ,
  else by IPv4 identification where they are within 256 of each other, else by the hole's age (over max(3 ms, iRTT)).
- Segments are bytes over the MSS, rounded up; a super-packet is as many as it would have been on the wire.
- Rule 1 (keep-alive) comes before rule 2 (acknowledged already), rule 2 before rule 4; all but new data is below `nxt`.
"""
import dataclasses
import ipaddress

from packets import ACK, FIN, RST, SYN

MS = 1000
LIMITS_US = {"closed": 2_000 * MS, "open": 300_000 * MS, "half": 30_000 * MS, "dns": 10_000 * MS, "quic": 130_000 * MS,
             "udp": 60_000 * MS}
FAR = 1 << 30


def signed(difference):
    return (difference + (1 << 31)) % (1 << 32) - (1 << 31)


def is_copy(packet, recent):
    """Remembers the packet; true when it is one that was captured within the last millisecond."""
    head = (packet.src, packet.sport, packet.dst, packet.dport, packet.transport, packet.vlan, packet.payload_len, packet.ip_id,
            packet.checksum)
    rest = (packet.seq, packet.ack, packet.flags, packet.window, packet.tsval) if packet.transport == "tcp" else packet.payload
    for ts_us, ttl in recent.get((head, rest), []):
        if abs(packet.ts_us - ts_us) < MS and packet.ttl in (ttl, ttl - 1):
            return True
    recent.setdefault((head, rest), []).append((packet.ts_us, packet.ttl))
    del recent[head, rest][:-8]
    return False


# ---- flows ----

def is_local(addr):
    ip = ipaddress.ip_address(addr)
    shared = ip.version == 4 and ip in ipaddress.ip_network("100.64.0.0/10")
    if ip.version == 4:
        blocks = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8")
    else:
        blocks = ("fc00::/7", "fe80::/10", "::1/128")
    return shared or any(ip in ipaddress.ip_network(block) for block in blocks)


def is_group(addr):
    ip = ipaddress.ip_address(addr)
    return ip.is_multicast or addr == "255.255.255.255"


def sent_by_client(packet, quic_initial):
    if packet.transport == "tcp" and packet.is_(SYN):
        return not packet.is_(ACK)
    if (packet.sport == 53) != (packet.dport == 53):
        return packet.dport == 53
    if packet.sport == 53 and packet.dns:
        return not packet.dns["response"]
    if quic_initial:
        return not (packet.sport == 443 and packet.dport != 443)
    if is_group(packet.dst) or is_group(packet.src):
        return is_group(packet.dst)
    if is_local(packet.src) != is_local(packet.dst):
        return is_local(packet.src)
    if packet.sport != packet.dport:
        return packet.sport > packet.dport
    return ipaddress.ip_address(packet.src) <= ipaddress.ip_address(packet.dst)


@dataclasses.dataclass
class Flow:
    client: tuple
    server: tuple
    transport: str
    kind: str                  # of idle limit: tcp, dns, quic, udp
    packets: list = dataclasses.field(default_factory=list)   # without copies
    copies: list = dataclasses.field(default_factory=list)
    state: str = "open"        # syn_sent, syn_acked, open, closed
    mid: bool = False
    isn: dict = dataclasses.field(default_factory=dict)       # side -> sequence numbers of SYNs
    fins: list = dataclasses.field(default_factory=list)
    reset: object = None       # the first RST that counts
    cut_by: str = ""
    last_us: int = 0           # of the engine's clock
    after: bool = False        # Wireshark's stream began before this flow

    def side(self, packet):
        return 0 if (packet.src, packet.sport) == self.client else 1

    def limit_us(self):
        if self.transport == "tcp":
            return LIMITS_US[{"closed": "closed", "open": "open"}.get(self.state, "half")]
        return LIMITS_US[self.kind]

    def expired(self, now_us):
        due = self.last_us // MS * MS + self.limit_us()
        return -(-due // 1_000_000) * 1_000_000 <= now_us

    def reused_by(self, packet):
        if self.transport != "tcp" or packet.flags & (SYN | ACK | RST) != SYN:
            return False
        if packet.seq in self.isn.get(self.side(packet), ()):
            return False
        return self.state == "closed" or packet.now_us // MS - self.last_us // MS > 1000

    def add(self, packet):
        self.packets.append(packet)
        self.last_us = packet.now_us
        if self.transport == "tcp":
            self.step(packet, self.side(packet))

    def step(self, packet, side):
        if packet.is_(RST):
            if self.reset is None and self.rst_counts(packet, side):
                self.reset, self.state = packet, "closed"
        elif packet.is_(SYN):
            self.isn.setdefault(side, set()).add(packet.seq)
            if self.state == "syn_sent" and side == 1 and self.answers_syn(packet):
                self.state = "syn_acked"
        else:
            if self.state in ("syn_sent", "syn_acked") and self.establishes(packet, side):
                self.state = "open"
            if packet.is_(FIN) and self.state != "closed" and side not in self.fins:
                self.fins.append(side)
                if len(self.fins) == 2:
                    self.state = "closed"

    def rst_counts(self, packet, side):
        if self.state != "syn_sent" or side == 0:
            return True
        return packet.is_(ACK) and any(packet.ack == (isn + 1) % (1 << 32) for isn in self.isn.get(0, ()))

    def answers_syn(self, packet):
        return packet.is_(ACK) and any(0 <= signed(packet.ack - isn - 1) <= 65535 for isn in self.isn.get(0, ()))

    def establishes(self, packet, side):
        if self.state == "syn_sent":
            return side == 1 or packet.is_(ACK)
        return side == 0 and packet.is_(ACK) and any(signed(packet.ack - isn) > 0 for isn in self.isn.get(1, ()))


def new_flow(packet, is_initial, is_quic):
    ends = (packet.src, packet.sport), (packet.dst, packet.dport)
    client, server = ends if sent_by_client(packet, is_initial) else ends[::-1]
    kind = "tcp" if packet.transport == "tcp" else "dns" if server[1] == 53 else "quic" if is_quic else "udp"
    flow = Flow(client, server, packet.transport, kind)
    flow.state = "open"
    if packet.transport == "tcp" and packet.is_(SYN):
        flow.state = "syn_acked" if packet.is_(ACK) else "syn_sent"
    flow.mid = packet.transport == "tcp" and not packet.is_(SYN)
    return flow


def flows_of(capture, quic):
    """Cuts the capture into flows. quic: frame -> (is a client's Initial may be, is QUIC at all)."""
    flows, current, recent = [], {}, {}
    streams = {}
    for packet in capture:
        key = (packet.key(), packet.vlan)
        flow = current.get(key)
        if flow and flow.expired(packet.now_us):
            flow.cut_by, flow = "idle", None
        if is_copy(packet, recent):
            if flow:
                flow.copies.append(packet)
            continue
        if flow and flow.reused_by(packet):
            flow.cut_by, flow = "reuse", None
        if not flow:
            flow = current[key] = new_flow(packet, *quic.get(packet.frame, (False, False)))
            flows.append(flow)
            flow.after = (packet.transport, packet.stream) in streams
        streams.setdefault((packet.transport, packet.stream), flow)
        flow.add(packet)
    return flows


# ---- sequence anomalies ----

class Seen:
    """Byte ranges of one direction, and the holes with the stamps at which they opened."""

    def __init__(self):
        self.ranges = []
        self.holes = []

    def missing(self, start, end):
        """The parts of [start, end) never seen."""
        parts, at = [], start
        for low, high in self.ranges:
            if high <= at or low >= end:
                continue
            if low > at:
                parts.append((at, low))
            at = max(at, high)
        if at < end:
            parts.append((at, end))
        return parts

    def add(self, start, end):
        kept = [r for r in self.ranges if r[1] < start or r[0] > end]
        touching = [r for r in self.ranges if not (r[1] < start or r[0] > end)]
        kept.append((min([start, *[r[0] for r in touching]]), max([end, *[r[1] for r in touching]])))
        self.ranges = sorted(kept)


class Direction:
    def __init__(self):
        self.nxt = None      # unwrapped
        self.acked = None    # by the peer, unwrapped in this direction's numbers
        self.seen = Seen()

    def unwrap(self, value):
        return self.nxt + signed(value - self.nxt)


def segment_bytes(flow):
    """The MSS on the wire: the lesser of both options, without the time stamp option's 12 bytes."""
    options = [0, 0]
    stamps = False
    for packet in flow.packets:
        side = flow.side(packet)
        if packet.is_(SYN) and packet.mss and (side == 0) == (not packet.is_(ACK)):
            options[side] = packet.mss
            stamps |= bool(packet.tsval) and packet.is_(ACK)
    if not any(flow.isn.values()):
        stamps = bool(flow.packets[0].tsval)
    given = [mss for mss in options if mss]
    if not options[0] or not options[1]:
        given.append(1460)
    return max(min(given), 100) - (12 if stamps else 0)


def classify(flow, irtt_us):
    """What each packet of a TCP flow is by the method: frame -> (class, segments, reason in words)."""
    directions = Direction(), Direction()
    mss = segment_bytes(flow)
    bound_us = (irtt_us / 2 if irtt_us else 3 * MS, max(3 * MS, irtt_us or 0))
    verdicts = {}
    for packet in flow.packets:
        side = flow.side(packet)
        verdicts[packet.frame] = judge(packet, directions[side], bound_us, mss, flow)
        client = directions[0]
        if side == 1 and packet.is_(SYN) and packet.is_(ACK) and client.nxt is not None and flow.answers_syn(packet):
            client.nxt = client.unwrap(packet.ack)   # data of a fast open is taken or not
        if packet.is_(ACK) and not packet.is_(RST | SYN):
            peer = directions[1 - side]
            if peer.nxt is not None:
                acked = peer.unwrap(packet.ack)
                peer.acked = acked if peer.acked is None else max(peer.acked, acked)
                take_back(packet, flow, 1 - side, verdicts)
    return verdicts


def take_back(ack, flow, side, verdicts):
    """D-SACK (RFC 2883): of the copies told as lost beyond in the last 3 s, the newest in the reported range was needless."""
    if not ack.sack or signed(ack.ack - ack.sack[1]) < 0:
        return
    left, right = ack.sack
    for packet in reversed([p for p in flow.packets if p.frame < ack.frame and p.frame in verdicts and flow.side(p) == side]):
        kind, n, _ = verdicts[packet.frame]
        touches = signed(packet.seq + packet.payload_len - left) > 0 and signed(right - packet.seq) > 0
        if kind == "beyond" and touches and ack.ts_us - packet.ts_us <= 3_000_000:
            verdicts[packet.frame] = "spurious", n, f"reported as a second copy in frame {ack.frame}"
            return


def judge(packet, way, bound_us, mss, flow):
    length, fin = packet.payload_len, int(packet.is_(FIN))
    if packet.is_(SYN):
        if way.nxt is None or len(flow.isn.get(flow.side(packet), ())) > 1:
            way.nxt = packet.seq + 1
        return "syn", 0, ""
    if packet.is_(RST):
        return "rst", 0, ""
    if way.nxt is None:
        way.nxt = packet.seq + length + fin
        way.seen.add(packet.seq, packet.seq + length)
        return "plain", 0, ""
    seq = way.unwrap(packet.seq)
    end = seq + length
    if abs(seq - way.nxt) > FAR:
        return "garbage", 0, ""
    if length <= 1 and seq == way.nxt - 1 and not fin:
        return "keep_alive", 1, ""
    if seq > way.nxt:   # a bare acknowledgement, too, tells what was sent before it
        way.seen.holes.append((way.nxt, seq, packet))
    if length + fin == 0:
        way.nxt = max(way.nxt, seq)
        return "plain", 0, ""
    if seq >= way.nxt:
        way.nxt = end + fin
        way.seen.add(seq, end)
        return "plain", 0, ""
    if length == 0:
        return "bare", 0, ""
    verdict = old(packet, way, seq, end, bound_us, mss)
    way.seen.add(seq, end)
    way.nxt = max(way.nxt, end + fin)
    return verdict


def old(packet, way, seq, end, bound_us, mss):
    if way.acked is not None and end <= way.acked:
        return "spurious", -(-(end - seq) // mss), f"peer had acknowledged {way.acked - end} bytes beyond it"
    top = min(end, way.nxt)
    never = way.seen.missing(seq, top)
    # What lies before the first packet of a flow taken up in the middle was sent before, as far as anyone knows.
    never = [part for part in never if any(part[0] < hole[1] and hole[0] < part[1] for hole in way.seen.holes)]
    if not never:
        return "beyond", -(-(top - seq) // mss), "bytes seen before"
    n_bytes = sum(high - low for low, high in never)
    opener = min((hole[2] for hole in way.seen.holes for part in never if part[0] < hole[1] and hole[0] < part[1]), key=lambda p: p.ts_us)
    kind = "before" if sent_after(packet, opener, bound_us) else "reordered"
    return kind, -(-n_bytes // mss), f"bytes never seen, hole shown by frame {opener.frame}"


def sent_after(packet, opener, bounds_us):
    """Not before anybody can have asked; then by the sender's own clock, else by the hole's age or its count of packets."""
    age_us = packet.ts_us - opener.ts_us
    if age_us < bounds_us[0]:
        return False
    if packet.tsval not in ("", "0") and opener.tsval not in ("", "0") and packet.tsval != opener.tsval:
        return signed(int(packet.tsval) - int(opener.tsval)) > 0
    step = (packet.ip_id - opener.ip_id + (1 << 15)) % (1 << 16) - (1 << 15)
    return age_us > bounds_us[1] or bool(packet.ip_id and opener.ip_id and 0 < step <= 256)


# ---- handshakes ----

def handshake(flow):
    """(syn, syn_ack, server rtt, client rtt): counts, and microseconds or None."""
    syn = syn_ack = 0
    first_syn = syn_ack_us = server_us = client_us = None
    done = flow.mid
    isn = None
    closed = False
    for packet in flow.packets:
        side = flow.side(packet)
        if packet is flow.reset:
            closed = True
        if packet.is_(RST):
            continue
        if packet.is_(SYN):
            if side == 0 and not packet.is_(ACK):
                syn += 1
                first_syn = packet.ts_us if first_syn is None else first_syn
            elif side == 1 and not closed and (syn_ack or syn == 0 or flow.answers_syn(packet)):
                if syn_ack == 0 and syn == 1 and not done:
                    server_us = max(0, packet.ts_us - first_syn)
                syn_ack += 1
                syn_ack_us, isn = packet.ts_us, packet.seq
            continue
        if side == 0 and packet.is_(ACK) and not done:
            if isn is None:
                done = syn > 0
            elif signed(packet.ack - isn - 1) >= 0:
                done = True
                if syn_ack == 1 and packet.ack == (isn + 1) % (1 << 32):
                    client_us = max(0, packet.ts_us - syn_ack_us)
        elif side == 1 and isn is None and syn:
            done = True
    return min(syn, 255), min(syn_ack, 255), server_us, client_us


# ---- round trips ----

def pping(flow):
    """Samples by TSval and TSecr, per side: the first sighting of each value to the first echo of it, within 10 s."""
    samples, first = ([], []), ({}, {})
    for packet in flow.packets:
        if not packet.tsval or packet.is_(RST):
            continue
        side = flow.side(packet)
        since = first[1 - side].get(packet.tsecr) if packet.is_(ACK) else None
        if since is not None:
            first[1 - side][packet.tsecr] = None   # used
            if packet.ts_us - since <= 10_000_000:
                samples[side].append(max(0, packet.ts_us - since))
        if packet.tsval != "0":
            first[side].setdefault(packet.tsval, packet.ts_us)
    return samples


def karn(flow):
    """Samples by sequence number and exact acknowledgement; a segment sent again, or in a stretch with a hole, gives none."""
    samples, waiting, nxt = ([], []), ({}, {}), [None, None]
    for packet in flow.packets:
        side = flow.side(packet)
        if packet.is_(RST):
            continue
        if packet.is_(ACK) and not packet.is_(SYN):
            since = waiting[1 - side].pop(packet.ack, None)
            if since is not None:
                samples[side].append(max(0, packet.ts_us - since))
        end = (packet.seq + packet.payload_len + packet.is_(SYN) + packet.is_(FIN)) % (1 << 32)
        if nxt[side] is not None and packet.payload_len and packet.seq != nxt[side]:
            waiting[side].clear()
        elif packet.payload_len and not packet.is_(SYN):
            waiting[side][(packet.seq + packet.payload_len) % (1 << 32)] = packet.ts_us
        if packet.payload_len or packet.is_(SYN | FIN) or nxt[side] is None:
            nxt[side] = end if nxt[side] is None or signed(end - nxt[side]) > 0 else nxt[side]
    return samples


def has_timestamps(flow):
    """Both ends agreed on them; of a flow taken up in the middle its first packet says."""
    answer = next((p for p in flow.packets if p.is_(SYN) and p.is_(ACK)), None) or \
        next((p for p in flow.packets if not p.is_(SYN | RST)), flow.packets[0])
    return bool(answer.tsval)


def round_trips(flow):
    """All round-trip samples, (client side, server side); the handshake apart. The lists' elements: microseconds."""
    return pping(flow) if has_timestamps(flow) else karn(flow)
