"""The fields that are compared: for each flow what weir says, what the oracle (Wireshark) says and what the method's definition
gives, with the packets on which oracle and definition part.

    weir == definition == oracle                 agree
    weir == definition != oracle, rule known     explained: the rule's name and its packets
    anything else                                unexplained

A field for which Wireshark has no opinion of its own (the split of losses at the vantage) is held to the definition alone.
"""
import dataclasses

from methods import classify, handshake, has_timestamps, round_trips
from packets import ACK, FIN, RST, SYN

TOTAL = ("retransmission", "fast", "spurious", "out_of_order")   # Wireshark's
LOST = ("retransmission", "fast")
SIDES = ("up", "down")
PERCENTILE_ERROR = 0.063   # src/flow/spread.h: eight buckets an octave
NO_ORACLE = object()
NO_OPTIONS = "snap length: Wireshark judges no header that was cut"


@dataclasses.dataclass
class Field:
    name: str
    weir: object
    method: object
    oracle: object = NO_ORACLE
    reasons: list = dataclasses.field(default_factory=list)   # (rule, frame) for each packet on which they part
    slack: float = 0
    frames: list = dataclasses.field(default_factory=list)    # that the definition counted

    def same(self, a, b):
        if self.slack and None not in (a, b):
            return abs(a - b) <= self.slack
        return a == b

    def verdict(self):
        if not self.same(self.weir, self.method):
            return "unexplained"
        if self.oracle is NO_ORACLE or self.same(self.oracle, self.method):
            return "agree"
        return "explained" if self.reasons and all(rule for rule, _ in self.reasons) else "unexplained"


# ---- counts ----

def counts(flow, record):
    fields = []
    for side in (0, 1):
        mine = [p for p in flow.packets if flow.side(p) == side]
        copies = [p for p in flow.copies if flow.side(p) == side]
        why = [("copy within 1 ms", p.frame) for p in copies]
        for name, of in (("packets", lambda p: 1), ("bytes", lambda p: p.ip_payload_len), ("payload", lambda p: p.payload_len)):
            method = sum(map(of, mine))
            fields.append(Field(f"{name}_{SIDES[side]}", record[f"{name}_{SIDES[side]}"], method,
                                method + sum(map(of, copies)), why))
    fields.append(Field("duplicates", record["duplicates"], len(flow.copies), NO_ORACLE, frames=[p.frame for p in flow.copies]))
    return fields


# ---- TCP ----

def handshake_fields(flow, record):
    syn, syn_ack, server_us, client_us = handshake(flow)
    both = flow.packets + flow.copies
    is_copy = {p.frame for p in flow.copies}
    syns = [p for p in both if p.flags & (SYN | ACK | RST) == SYN]
    syn_acks = [p for p in both if p.flags & (SYN | ACK | RST) == SYN | ACK]

    def why(found):
        return [("copy within 1 ms" if p.frame in is_copy else "handshake of another attempt", p.frame) for p in found]
    fields = [Field("syn", record["syn"], syn, len(syns), why(syns[syn:])),
              Field("syn_ack", record["syn_ack"], syn_ack, len(syn_acks), why(syn_acks[syn_ack:]))]
    server_w = next((p.ack_rtt_us for p in syn_acks if p.ack_rtt_us is not None), None)
    opening = {p.frame for p in syn_acks}
    client_w = next((p.ack_rtt_us for p in both if p.acks_frame in opening and flow.side(p) == 0 and not p.is_(RST)), None)
    karn = "the flow is cut here" if flow.after else "Karn: sent again, or no exact acknowledgement"

    def untimed(packets_, known):
        return [(karn if known else NO_OPTIONS if p.cut else None, p.frame) for p in packets_]
    fields.append(Field("handshake_rtt_server_us", record["handshake_rtt_server_us"], server_us, server_w,
                        untimed(syns + syn_acks, flow.after or syn > 1 or syn_ack != 1), slack=1))
    fields.append(Field("handshake_rtt_client_us", record["handshake_rtt_client_us"], client_us, client_w,
                        untimed(syn_acks, flow.after or syn_ack != 1 or syn != 1 or flow.copies), slack=1))
    return fields, (server_us or 0) + (client_us or 0)


def part_rule(packet, kind, n, flow, wanted):
    """Why Wireshark's judgement of one packet is not the method's, or None."""
    judged = packet.judged
    if packet.header_cut:
        return NO_OPTIONS
    if kind == "syn":
        return "SYNs sent again count in syn"
    if kind == "bare":
        return "a bare FIN has no bytes to lose"
    if kind == "rst":
        return "a RST has no bytes to lose"
    if kind == "keep_alive" or judged == "keep_alive":
        return "keep-alive: one byte or none before the next, at any time"
    if judged and kind in wanted and n != 1:
        return "super-packet: counted in segments"
    if kind == "garbage":
        return "sequence number out of any window"
    if judged and kind == "plain":
        if flow.after:
            return "the flow is cut here"
        return None
    if judged == "spurious" and kind in ("beyond", "before", "reordered"):
        return "acknowledged only in part"
    if kind == "spurious" and judged:
        return "acknowledged already, or reported as a second copy"
    if kind == "beyond" and judged:
        return "bytes seen before"
    if kind in ("before", "reordered") and judged:
        return "bytes never seen, by when they were sent"
    if kind in ("before", "reordered", "beyond", "spurious") and not judged:
        if any(p.zero_probe and p.seq == packet.seq for p in flow.packets):
            return "a window probe's byte is a byte sent"
        if flow.packets[0].stream != packet.stream:
            return "Wireshark begins a new stream here"
    return None


def anomaly_fields(flow, record, irtt_us):
    verdicts = classify(flow, irtt_us)
    copies = {p.frame for p in flow.copies}
    groups = {
        "disturbed": (("beyond", "before", "reordered", "spurious"), TOTAL),
        "retransmissions": (("beyond", "before"), LOST),
        "reordered": (("reordered",), ("out_of_order",)),
        "spurious": (("spurious",), ("spurious",)),
    }
    fields = []
    for side in (0, 1):
        both = [p for p in flow.packets + flow.copies if flow.side(p) == side]
        up = SIDES[side]
        lost = record[f"retransmissions_{up}"]
        weir = {"retransmissions": lost["beyond"] + lost["before"], "reordered": record[f"reordered_{up}"],
                "spurious": record["spurious"][up]}
        weir["disturbed"] = sum(weir.values())
        for name, (kinds, judged) in groups.items():
            method = sum(verdicts[p.frame][1] for p in both if p.frame not in copies and verdicts[p.frame][0] in kinds)
            reasons, frames = [], []
            for p in both:
                kind, n, _ = ("copy", 0, "") if p.frame in copies else verdicts[p.frame]
                mine = n if kind in kinds else 0
                frames += [p.frame] if mine else []
                if mine != (1 if p.judged in judged else 0):
                    reasons.append(("copy within 1 ms" if kind == "copy" else part_rule(p, kind, n, flow, kinds), p.frame))
            fields.append(Field(f"{name}_{up}", weir[name], method, sum(p.judged in judged for p in both), reasons, frames=frames))
        for kind in ("beyond", "before"):
            frames = [p.frame for p in both if p.frame not in copies and verdicts[p.frame][0] == kind]
            method = sum(verdicts[frame][1] for frame in frames)
            fields.append(Field(f"{kind}_{up}", lost[kind], method, NO_ORACLE, frames=frames))
        zero = [p for p in both if p.zero_window]
        mine = [p for p in both if p.frame not in copies and p.window == 0 and not p.flags & (SYN | FIN | RST)]
        fields.append(Field(f"zero_window_{up}", record[f"zero_window_{up}"], len(mine), len(zero),
                            [("copy within 1 ms" if p.frame in copies else None, p.frame) for p in zero if p not in mine],
                            frames=[p.frame for p in mine]))
    alive = [f for f, v in verdicts.items() if v[0] == "keep_alive"]
    judged = [p for p in flow.packets + flow.copies if p.judged == "keep_alive"]
    reasons = [("copy within 1 ms" if p.frame in copies else part_rule(p, verdicts[p.frame][0], 1, flow, ()), p.frame)
               for p in judged if p.frame not in alive]
    reasons += [(part_rule(p, "keep_alive", 1, flow, ()), p.frame) for p in flow.packets if p.frame in alive and p not in judged]
    fields.append(Field("keepalives", record["keepalives"], len(alive), len(judged), reasons, frames=alive))
    return fields


def reset_fields(flow, record, capture_end_us):
    rsts = [p for p in flow.packets if p.is_(RST)]
    by = None if flow.reset is None else ("client", "server")[flow.side(flow.reset)]
    oracle = ("client", "server")[flow.side(rsts[0])] if rsts else None
    why = [("a RST that answers no SYN of this flow", p.frame) for p in rsts if p is not flow.reset]
    fields = [Field("reset_by", record["reset"] and record["reset"]["by"], by, oracle, why)]
    if len(flow.fins) == 2:
        end = "fin"
    elif flow.reset is not None:
        end = "rst"
    else:
        end = "idle" if flow.cut_by or flow.expired(capture_end_us) else "open"
    fields.append(Field("end", record["end"], end))
    return fields


def round_trip_fields(flow, record):
    """weir keeps one segment a direction in the air: its samples are some of those that the definition gives, so its least is one
    of them, and its percentiles lie as near to one of them as its histogram's buckets are wide. Without time stamps Wireshark's
    acknowledgement times are held against them, too."""
    fields = []
    both = flow.packets + flow.copies
    for number, side in enumerate(("client", "server")):
        weir, samples = record[f"rtt_{side}_us"], sorted(round_trips(flow)[number])
        known = weir["samples"] <= len(samples)
        fields.append(Field(f"rtt_{side} samples", weir["samples"], weir["samples"] if known else len(samples)))
        judged = sorted(p.ack_rtt_us for p in both if p.ack_rtt_us is not None and flow.side(p) == number)
        for name, bound in (("min", 0), ("p50", PERCENTILE_ERROR), ("p95", PERCENTILE_ERROR)):
            value = weir[name]
            if value is None:
                continue
            near = min(samples, key=lambda sample: abs(sample - value), default=None)
            oracle = NO_ORACLE if has_timestamps(flow) else min(judged, key=lambda sample: abs(sample - value), default=None)
            why = [("copy within 1 ms", p.frame) for p in flow.copies]
            why += [(NO_OPTIONS, p.frame) for p in both if p.cut and p.is_(SYN) and not judged]
            fields.append(Field(f"rtt_{side} {name}", value, near, oracle, why, slack=1 + bound * value))
    return fields


def tcp(flow, record, capture_end_us):
    fields, irtt_us = handshake_fields(flow, record)
    return fields + round_trip_fields(flow, record) + anomaly_fields(flow, record, irtt_us) + reset_fields(flow, record, capture_end_us)


# ---- DNS ----

RCODES = {2: "servfail", 3: "nxdomain", 5: "refused"}


def dns(flow, record, capture_end_us):
    if not record["dns"] or flow.transport != "udp":
        return []
    asked, sends, opened, queries, answers, codes = set(), {}, {}, 0, 0, {}
    repeated, strays = [], []
    raw = [p for p in flow.packets if p.dns]
    for p in raw:
        name = (p.dns["name"], p.dns["type"])
        if not p.dns["response"]:
            repeated += [("asked again: one transaction", p.frame)] if name in asked else []
            queries += name not in asked
            sends[name] = sends.get(name, 0) + 1 if name in asked else 1
            if name not in asked:
                opened[name] = p.now_us
            asked.add(name)
        elif name in asked:
            asked.discard(name)
            answers += 1
            code = RCODES.get(p.dns["rcode"])
            codes[code] = codes.get(code, 0) + 1
        else:
            strays.append(("answered before, or never asked", p.frame))
    strays += [("snap length: the question was cut", p.frame) for p in flow.packets if not p.dns and p.dns_judged and p.cut]
    repeated += [stray for stray in strays if stray[0].startswith("snap")]
    copies = [("copy within 1 ms", p.frame) for p in flow.copies]
    all_ = [p for p in flow.packets + flow.copies if p.dns_judged]
    n_responses = sum(p.dns_judged["response"] for p in all_)
    fields = [Field("dns_queries", record["dns"]["queries"], queries, len(all_) - n_responses, repeated + copies),
              Field("dns_answers", record["dns"]["answers"], answers, n_responses, strays + copies)]
    for code, name in RCODES.items():
        fields.append(Field(f"dns_{name}", record["dns"]["fail"][name], codes.get(name, 0),
                            sum(p.dns_judged["response"] and p.dns_judged["rcode"] == code for p in all_), strays + copies))
    due = flow.last_us // 1000 * 1000 + 10_000_000
    end_us = min(-(-due // 1_000_000) * 1_000_000, capture_end_us)
    lost = sum(end_us - opened[name] >= 5_000_000 or sends[name] >= 2 for name in asked)
    fields.append(Field("dns_timeout", record["dns"]["fail"]["timeout"], lost))
    return fields
