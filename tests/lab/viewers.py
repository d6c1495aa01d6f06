#!/usr/bin/python3
"""What viewers went through: weir's session records against the players' own logs; tuning and held-out runs apart.

usage: tests/lab/viewers.py [--weir PROGRAM] [--misses] DIR [SCENARIO...]

Players that share client and service with another, and those behind a router, are left out: nobody could tell them apart. So are
players that never began. Right is: segments of the picture within a tenth (or one), startup within 0.5 s, rebuffering ratio within a
hundredth, bit rate of the picture within a fifth; a stall spell of a second and more that weir tells is right when a true one lies
within two seconds of it. `--misses` lists each player that is not right in all.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess

SEGMENT_S, SPELL_S, NEAR_S = 4, 1, 2
SOUND = "stream3"


def size_of(event, content):
    return event["size"] if "size" in event else (content / event["name"]).stat().st_size


def truth(logs, content):
    """One entry a player's log: what it asked, saw and got."""
    told = []
    for path in sorted(logs.glob("*.log")):
        service, who = path.stem.split("-")
        events = [json.loads(line) for line in path.read_text().splitlines()]
        first = {}
        for event in events:
            first.setdefault(event["event"], event)
        got = [event for event in events if event["event"] == "segment" and "init" not in event.get("name", "")]
        picture = [event for event in got if SOUND not in event.get("name", "")]
        stalls, since = [], None
        for event in events:
            if event["event"] == "stalled":
                since = event["t"]
            elif event["event"] in ("resumed", "ended") and since:
                stalls.append((since, event["t"]))
                since = None
        if since:
            stalls.append((since, events[-1]["t"]))
        told.append({
            "service": service, "client": int(who[1:]), "program": first.get("asked", {}).get("http", "browser"),
            "asked": first.get("asked", {}).get("t"), "started": first.get("started", {}).get("t"), "ended": events[-1]["t"] if events else None,
            "segments": len(picture), "sound": len(got) - len(picture), "stalls": stalls,
            "bitrate_bps": round(8 * sum(size_of(event, content) for event in picture) / (SEGMENT_S * len(picture))) if picture else None,
            "failed": sum(event["event"] == "failed" for event in events)})
    return told


# ---- comparison ----

def sessions(weir, capture):
    done = subprocess.run([weir, "replay", "-q", "--json", "--records", "session", "--clients", "plain", str(capture)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{capture}: exit {done.returncode}: {done.stderr[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed(stalls):
    """Earlier editions told their number only."""
    return stalls if isinstance(stalls, list) else []


def near(spell, others):
    return any(spell[0] < end + NEAR_S and spell[1] > begin - NEAR_S for begin, end in others)


def compare(viewer, found):
    """{test: right or not; None where there is nothing to be right about}, and the spells (told, false, missed)."""
    true = [tuple(stall) for stall in viewer["stalls"] if stall[1] - stall[0] >= SPELL_S]
    if not found:
        return {"found": False, "chunks": False, "startup": False, "rebuffering": False, "bitrate": False}, (0, 0, len(true))
    first = found[0]
    chunks = sum(session["chunks"] for session in found)
    said = [(stall["start_ts"], stall["start_ts"] + stall["duration_us"] / 1e6) for session in found for stall in listed(session["stalls"])
            if stall["duration_us"] >= 1e6 * SPELL_S]
    life = max(1, viewer["ended"] - viewer["started"])
    stalled = sum(session.get("stalled_us") or 0 for session in found) / 1e6
    true_stalled = sum(end - begin for begin, end in viewer["stalls"])
    rates = [session["bitrate_bps"] for session in found if session.get("bitrate_bps")]
    startup = first["startup_us"] and first["startup_us"] / 1e6
    hit = [spell for spell in said if near(spell, true)]
    return {
        "found": True,
        "chunks": abs(chunks - viewer["segments"]) <= max(1, 0.1 * viewer["segments"]),
        "startup": startup is not None and abs(startup - (viewer["started"] - viewer["asked"])) <= 0.5,
        "rebuffering": abs(stalled - true_stalled) / life <= 0.01,
        "bitrate": bool(rates) and abs(rates[0] / viewer["bitrate_bps"] - 1) <= 0.2 if viewer["bitrate_bps"] else None,
        "numbers": f"chunks {chunks} for {viewer['segments']}, startup {startup} for {viewer['started'] - viewer['asked']:.2f}, "
                   f"stalled {stalled:.1f} for {true_stalled:.1f}, bit rate {rates[:1]} for {viewer['bitrate_bps']}",
    }, (len(hit), len(said) - len(hit), sum(not near(spell, said) for spell in true))


def row(weir, out, name):
    """(label, [(viewer, tests, spells)]) of one capture."""
    label = json.loads((out / f"{name}.json").read_text())
    if label.get("nat") or "viewers" not in label or not (out / f"{name}.replay").exists():  # made of another capture
        return label, []
    found, rows = sessions(weir, out / f"{name}.pcap"), []
    for viewer in label["viewers"]:
        shared = sum((other["client"], other["service"]) == (viewer["client"], viewer["service"]) for other in label["viewers"]) > 1
        if shared or viewer["service"] == "other" or viewer["started"] is None or viewer["asked"] is None:
            continue
        addresses = f"10.77.0.{10 + viewer['client']}", f"fd77::{10 + viewer['client']}"
        mine = [session for session in found if session["service"] == viewer["service"] and session["client"] in addresses]
        rows.append((viewer, *compare(viewer, mine)))
    return label, rows


def line(title, rows):
    def share(test, some=rows):
        judged = [tests[test] for _, tests, _ in some if tests[test] is not None]
        return f"{sum(judged)}/{len(judged)}"
    stalled = [entry for entry in rows if entry[0]["stalls"]]
    hit, false, missed = (sum(spells[i] for _, _, spells in rows) for i in range(3))
    precision, recall = hit / max(1, hit + false), (hit and (1 - missed / max(1, missed + hit)))
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    return (title, *(share(test) for test in ("found", "chunks", "startup", "rebuffering")), share("rebuffering", stalled), share("bitrate"),
            f"{f1:.2f}", f"{precision:.2f}/{recall:.2f}", f"{hit}+{false}-{missed}")


def print_table(lines):
    widths = [max(map(len, column)) for column in zip(*lines)]
    for cells in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = pathlib.Path(__file__).resolve().parents[2] / "build" / "src" / "weir"
    parser.add_argument("--weir", default=os.environ.get("WEIR", str(default)))
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("scenarios", nargs="*")
    options = parser.parse_args()
    names = options.scenarios or sorted(path.stem for path in options.dir.glob("*.json") if (options.dir / f"{path.stem}.pcap").exists())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda name: row(options.weir, options.dir, name), names))
    lines = [("", "found", "chunks", "startup", "rebuffering", "of stalled", "bit rate", "stall F1", "precision/recall", "told+false-missed")]
    for title, held in (("tuning", False), ("held out", True)):
        rows = [entry for label, rows in told for entry in rows if label["held_out"] == held]
        for kind, words in ((None, ""), (1, ", HTTP/1.1"), (2, ", HTTP/2"), ("browser", ", browsers")):
            some = [entry for entry in rows if kind in (None, entry[0]["program"])]
            if some:
                lines.append(line(title + words, some))
    print_table(lines)
    for label, rows in told if options.misses else ():
        for viewer, tests, spells in rows:
            wrong = [test for test in ("found", "chunks", "startup", "rebuffering", "bitrate") if tests[test] is False]
            if wrong or any(spells[1:]):
                print(f"{label['scenario']} {viewer['service']} client {viewer['client']} ({viewer['program']}): {', '.join(wrong)}; "
                      f"spells {spells}; {tests.get('numbers', 'no session')}")


if __name__ == "__main__":
    main()
