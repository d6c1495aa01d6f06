"""The loss-side and the delay table: what was injected on each side of the vantage, measured from captures on both sides of the
impairment (truth.json, written by make_captures), beside what weir says of the capture at the vantage.

Loss: client data lost on the client's side, and server data lost on the server's, never passed the vantage ("before"); the other
two did ("beyond"). A segment that is lost twice before the vantage looks as if it were lost once: `visible` counts it so.
"""
import statistics

import compare
import methods
import packets

# side of the path -> what weir counts there
LOSSES = {"client": (("retransmissions_down", "beyond"), ("retransmissions_up", "before")),
          "server": (("retransmissions_down", "before"), ("retransmissions_up", "beyond"))}
PERCENTILE_ERROR = 0.063   # src/flow/spread.h: eight buckets an octave


def loss_row(weir, path, truth):
    """(injected, visible, weir's) by side."""
    flows = [flow for flow in compare.weir_records(weir, path)["flow"] if flow["transport"] == "tcp"]
    row = {}
    for side, counters in LOSSES.items():
        hop = truth[side]
        before = "up" if side == "client" else "down"
        injected = hop["up"]["lost"] + hop["down"]["lost"]
        hidden = hop[before]["lost"] - hop[before]["lost_distinct"] if truth["offload"] is False else 0
        row[side] = {"injected": injected, "visible": injected - hidden, "weir": sum(flow[name][which] for flow in flows for name, which in counters)}
    row["reordered"] = sum(flow["reordered_up"] + flow["reordered_down"] for flow in flows)
    row["spurious"] = sum(sum(flow["spurious"].values()) for flow in flows)
    return row


def right_side(row):
    """The share of weir's lost segments that are charged where loss was injected; None when it was on both sides or neither."""
    sides = [side for side in ("client", "server") if row[side]["injected"]]
    if len(sides) != 1:
        return None
    said = row["client"]["weir"] + row["server"]["weir"]
    return row[sides[0]]["weir"] / said if said else 0.0


def pooled(weir, path):
    """Per side: weir's handshake times and medians of each flow; the samples of METHODS' definition, pooled."""
    found = {side: {"handshake": [], "min": [], "p50": [], "p95": [], "definition": []} for side in ("client", "server")}
    for flow in compare.weir_records(weir, path)["flow"]:
        for side, values in found.items():
            if flow["transport"] == "tcp" and flow[f"rtt_{side}_us"]["samples"]:
                values["handshake"].append(flow[f"handshake_rtt_{side}_us"])
                for name in ("min", "p50", "p95"):
                    values[name].append(flow[f"rtt_{side}_us"][name])
    for flow in methods.flows_of(packets.read(path), {}):
        if flow.transport == "tcp":
            for number, side in enumerate(("client", "server")):
                found[side]["definition"] += methods.round_trips(flow)[number]
    return found


def delay_rows(weir, path, truth):
    """Per side: relay's delay there and back, as set and as measured around it; medians of weir's and of the definition's."""
    rows = {}
    for side, values in pooled(weir, path).items():
        hop = {"client": "left", "server": "right"}[side]
        rows[side] = {"set": 2 * truth["delay_us"].get(hop, 0), "measured": truth[side]["up"]["delay_p50_us"] + truth[side]["down"]["delay_p50_us"],
                      "handshake": statistics.median(v for v in values["handshake"] if v is not None), "min": statistics.median(values["min"]),
                      "p50": statistics.median(values["p50"]), "definition": statistics.median(values["definition"])}
    return rows
