"""The loss-side and the delay table: what was injected on each side of the vantage, measured from captures on both sides of the
impairment (truth.json, written by make_captures), beside what weir says of the capture at the vantage.

Loss: client data lost on the client's side, and server data lost on the server's, never passed the vantage ("before"); the other
two did ("beyond"). A segment that is lost twice before the vantage looks as if it were lost once: `visible` counts it so.
"""
import json
import statistics

import compare
import methods
import packets

# side of the path -> what weir counts there
LOSSES = {"client": (("retransmissions_down", "beyond"), ("retransmissions_up", "before")),
          "server": (("retransmissions_down", "before"), ("retransmissions_up", "beyond"))}
RIGHT_SIDE, TOTALS = 0.95, 0.02     # of one-sided losses charged to that side; of the difference of all totals
DELAY_SLACK_US, DELAY_SHARE = 1500, 0.05   # hosts answer late, the machine is shared, percentiles come from buckets


def loss_row(weir, path, truth):
    """By side: lost segments as injected, those of them that a vantage can know of, weir's."""
    flows = [flow for flow in compare.weir_records(weir, path)["flow"] if flow["transport"] == "tcp"]
    row = {}
    for side, counters in LOSSES.items():
        hop, before = truth[side], "up" if side == "client" else "down"
        injected = hop["up"]["lost"] + hop["down"]["lost"]
        row[side] = {"injected": injected, "visible": injected - hop[before]["lost_again"],
                     "weir": sum(flow[name][which] for flow in flows for name, which in counters)}
    row["reordered"] = sum(flow["reordered_up"] + flow["reordered_down"] for flow in flows)
    row["spurious"] = sum(sum(flow["spurious"].values()) for flow in flows)
    return row


def right_side(row):
    """The share of the segments lost on the one side that weir charges there; None when both sides or neither lost any."""
    sides = [side for side in LOSSES if row[side]["injected"]]
    return row[sides[0]]["weir"] / row[sides[0]]["visible"] if len(sides) == 1 else None


def sent_needlessly(path):
    """Segments that the receiver says it got twice (D-SACK, RFC 2883): sent again, seen twice by the vantage, and never lost. A host
    does that when the machine itself lets packets overtake each other."""
    rows = packets.tshark(path, ["tcp.ack", "tcp.options.sack_le", "tcp.options.sack_re"], [])
    n_bytes = 0
    for row in rows:
        if row["tcp.options.sack_le"]:
            left, right = (int(row[name].split(",")[0]) for name in ("tcp.options.sack_le", "tcp.options.sack_re"))
            n_bytes += methods.signed(right - left) if methods.signed(right - int(row["tcp.ack"])) <= 0 else 0
    return -(-n_bytes // 1448)


def truths(directory):
    said = directory / "truth.json"
    return json.loads(said.read_text()) if said.exists() else {}


def losses(weir, directory):
    """The table's rows, and whether every one-sided loss is charged to its side and the totals are right."""
    rows = [("capture", "client: injected", "visible", "weir", "server: injected", "visible", "weir", "charged there", "sent needlessly", "reordered")]
    shares, shown, said = [], 0, 0
    for name, truth in truths(directory).items():
        if not truth["lose_permille"]:
            continue
        path = directory / f"{name}.pcap.gz"
        row, needless = loss_row(weir, path, truth), sent_needlessly(path)
        share = right_side(row)
        shares += [share] if share is not None else []
        shown += sum(row[side]["visible"] for side in LOSSES) + needless
        said += sum(row[side]["weir"] for side in LOSSES) + row["spurious"]
        rows.append((name, *(row[side][what] for side in LOSSES for what in ("injected", "visible", "weir")),
                     "" if share is None else f"{share:.0%}", needless, row["reordered"]))
    rows.append(("visible and needless, weir's lost and spurious", "", "", "", "", shown, said, f"{said / max(shown, 1) - 1:+.1%}", "", ""))
    return rows, bool(shares) and min(shares) >= RIGHT_SIDE and abs(said / shown - 1) <= TOTALS


def round_trips(weir, path):
    """Per side: weir's values of each flow; the samples of the method's definition, pooled."""
    found = {side: {"handshake": [], "min": [], "p50": [], "p95": [], "definition": []} for side in LOSSES}
    for flow in compare.weir_records(weir, path)["flow"]:
        for side, values in found.items():
            if flow["transport"] == "tcp" and flow[f"rtt_{side}_us"]["samples"]:
                values["handshake"] += [flow[f"handshake_rtt_{side}_us"]] if flow[f"handshake_rtt_{side}_us"] is not None else []
                for name in ("min", "p50", "p95"):
                    values[name].append(flow[f"rtt_{side}_us"][name])
    for flow in methods.flows_of(packets.read(path), {}):
        if flow.transport == "tcp":
            for side, samples in zip(LOSSES, methods.round_trips(flow)):
                found[side]["definition"] += samples
    return found


def delays(weir, directory):
    """The table's rows, and whether handshakes, least and median round trips are the relay's, and the definition's median weir's."""
    rows = [("capture", "side", "relay: set", "measured", "weir: handshake", "min", "p50", "p95", "definition: p50", "p95")]
    fine = True
    for name, truth in truths(directory).items():
        if not name.startswith("delay"):
            continue
        for side, values in round_trips(weir, directory / f"{name}.pcap.gz").items():
            told = truth["delay_us"].get({"client": "left", "server": "right"}[side], 0) * 2
            measured = truth[side]["up"]["delay_p50_us"] + truth[side]["down"]["delay_p50_us"]
            said = [round(statistics.median(values[what])) for what in ("handshake", "min", "p50", "p95")]
            definition = sorted(values["definition"])
            rows.append((name, side, told, measured, *said, round(statistics.median(definition)), definition[len(definition) * 95 // 100]))
            fine = fine and all(abs(value - measured) <= DELAY_SLACK_US + DELAY_SHARE * measured for value in said[:3])
            fine = fine and abs(said[2] - statistics.median(definition)) <= DELAY_SLACK_US / 3 + DELAY_SHARE * measured
    return rows, fine and len(rows) > 1
