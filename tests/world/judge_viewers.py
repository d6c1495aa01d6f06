"""What weir said of a world's viewers, against what they went through.

A viewer counts when he alone of his client watches his service, the site is not behind NAT, and the picture had begun. His sessions
are those of his client and service. Said and true stalls of a second and longer are matched when they overlap within two seconds.
While he waits for the picture behind a jump of his own, nothing is asked: what is said of that time is neither right nor wrong.
"""
import ipaddress

STALL_S, NEAR_S = 1, 2
BUFFER = {"empty": "e", "low": "l", "full": "f"}


def stalls_of(sessions, t0):
    return [(stall["start_ts"] - t0, stall["start_ts"] - t0 + stall["duration_us"] / 1e6) for session in sessions for stall in session["stalls"] or []
            if stall["duration_us"] >= STALL_S * 1e6]


def meet(one, other):
    return one[0] < other[1] + NEAR_S and one[1] > other[0] - NEAR_S


def within(stall, spells):
    """Seconds of a stall inside of spells."""
    return sum(max(0, min(stall[1], b) - max(stall[0], a)) for a, b in spells)


def states_said(sessions, viewer, t0):
    """A letter a second from the viewer's begin on, '-' where nothing is said."""
    said = ["-"] * len(viewer["states"])
    for session in sessions:
        changes = session.get("buffer_states") or []
        for at, change in enumerate(changes):
            begin = change["ts"] - t0 - viewer["from"]
            end = (changes[at + 1]["ts"] if at + 1 < len(changes) else session["end_ts"]) - t0 - viewer["from"]
            for second in range(max(0, round(begin)), min(len(said), round(end))):
                said[second] = BUFFER.get(change["state"], "-")
    return said


def judge_states(sessions, viewer, t0):
    """Seconds from the first picture on: right, wrong, and not told."""
    said = states_said(sessions, viewer, t0)
    first = int(viewer["begun"] - viewer["from"]) + 1
    pairs = list(zip(viewer["states"], said, strict=True))[first:]
    told = [(true, word) for true, word in pairs if word != "-"]
    return sum(true == word for true, word in told), len(told), len(pairs)


def judge(viewer, sessions, t0):
    """One viewer's row; None where nothing can be asked."""
    if not viewer["alone"] or viewer["medium"] == "a" or viewer["begun"] is None or viewer["segments"] < 4:
        return None
    addresses = {ipaddress.ip_address(address) for address in viewer["client"]}
    mine = sorted((session for session in sessions
                   if session["service"] == viewer["service"] and ipaddress.ip_address(session["client"]) in addresses),
                  key=lambda session: session["start_ts"])
    life = max(1, viewer["end"] - viewer["begun"])
    true = [stall for stall in viewer["stalls"] if stall[1] - stall[0] >= STALL_S]
    spoken = stalls_of(mine, t0)
    jumps = viewer["jumps"]
    said = [stall for stall in spoken if not within(stall, jumps)]
    row = {"player": viewer["player"], "live": viewer["medium"] != "v", "client": viewer["client"][0], "service": viewer["service"], "found": bool(mine),
           "true": true, "said": [[round(at, 1) for at in stall] for stall in said],
           "hit": sum(any(meet(stall, other) for other in true) for stall in said),
           "missed": sum(not any(meet(stall, other) for other in said) for stall in true)}
    row["false"] = len(said) - row["hit"]
    still = sum((session["stalled_us"] or 0) for session in mine) / 1e6 - sum(within(stall, jumps) for stall in spoken)
    row["ratio_error"] = round(still / life - sum(stall[1] - stall[0] for stall in true) / life, 4)
    startup = mine[0]["startup_us"] if mine else None
    row["startup_error"] = None if startup is None else round(startup / 1e6 - viewer["begun"] + viewer["from"], 3)
    bitrate = mine[0]["bitrate_bps"] if mine else None
    row["bitrate_ratio"] = None if not bitrate or not viewer["bitrate"] else round(bitrate / viewer["bitrate"], 3)
    row["segment_us"] = [session["segment_us"] for session in mine]
    row["segment_s"] = viewer["segment_s"]
    row["states"] = judge_states(mine, viewer, t0) if mine else (0, 0, 0)
    return row


def f1(hit, false, missed):
    return 2 * hit / (2 * hit + false + missed) if hit + false + missed else 1.0


def sums(rows):
    told = sum(row["states"][1] for row in rows)
    one = {"viewers": len(rows), "stalled": sum(bool(row["true"]) for row in rows), "found": sum(row["found"] for row in rows),
           "startup": sum(row["startup_error"] is not None and abs(row["startup_error"]) <= 0.5 for row in rows),
           "rebuffering": sum(row["found"] and abs(row["ratio_error"]) <= 0.01 for row in rows),
           "rebuffering_stalled": sum(row["found"] and abs(row["ratio_error"]) <= 0.01 for row in rows if row["true"]),
           "bitrate": sum(row["bitrate_ratio"] is not None and abs(row["bitrate_ratio"] - 1) <= 0.2 for row in rows),
           "buffer": sum(row["states"][0] for row in rows) / told if told else None,
           "buffer_told": told / max(1, sum(row["states"][2] for row in rows)),
           "hit": sum(row["hit"] for row in rows), "false": sum(row["false"] for row in rows), "missed": sum(row["missed"] for row in rows)}
    one["f1"] = f1(one["hit"], one["false"], one["missed"])
    return one
