#!/usr/bin/python3
"""What weir said of the laboratory's captures, against their labels: a row a scenario, then recall, precision, accuracy of
cause and scope, times, flaps and false alarms; the tuning set and the held-out third apart.

usage: tests/lab/score.py [--weir PROGRAM] [--json FILE] DIR [SCENARIO...]

An incident belongs to a label when service, cause and state (at first and at last) are among the label's and it was raised between
the impairment's begin and 30 s after its end. Right: one such incident, and no other. Times are seconds: "detect" from the
impairment's begin, "failed" from the begin of the first attempt of any player that failed; "onset" is the error of the
incident's own, "over" and "lasted" those of its end and length (less the impairment's);
"felt" is its length less the time from the players' first failed attempt to the first segment after the impairment; "clear" from the impairment's end. No point is adjusted, nothing is counted twice.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import struct
import subprocess
import sys

LATE_S = 30
SCOPE = {"service": "service", "cdn": "cdn", "cdn_path": "prefix", "dns_service": "service", "dns_resolver": "site", "quic_blocked": "protocol",
         "client": "client", "uplink": "site", "capture": "probe"}


def parse_incidents(text):
    """Each incident's records, by id, in order."""
    by_id = {}
    for line in text.splitlines():
        record = json.loads(line)
        if record["type"] == "incident":
            by_id.setdefault(record["id"], []).append(record)
    return list(by_id.values())


def replayed(weir, capture):
    done = subprocess.run([weir, "replay", "--json", "--records", "incident", "--clients", "plain", str(capture)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{capture}: exit {done.returncode}: {done.stderr[-500:]}")
    return parse_incidents(done.stdout)


def words(record):
    return f"{record['service'] or '-'}/{record['state']}/{record['cause']}"


def history(records):
    """How an incident was called, in order, each name once."""
    return " > ".join(dict.fromkeys(words(record) for record in records)) + f" [{'+'.join(records[-1]['kinds']) or '-'}]"


# ---- truth ----

def truth(logs, t0, t1):
    """What players went through, of their logs: per service stalls that touch [t0, t1 + 30], the first failed attempt after t0, and
    the first segment that came after t1."""
    told = {}
    for path in sorted(logs.glob("*.log")):
        service = path.stem.split("-")[0]
        mine = told.setdefault(service, {"players": 0, "stalls": 0, "stalled_s": 0.0, "stalled_clients": 0, "first_stall": None, "first_failed": None,
                                         "first_served": None, "healthy_stalls": 0})
        mine["players"] += 1
        events, since, hit = [json.loads(line) for line in path.read_text().splitlines()], None, False
        for event in [*events, {"t": t1 + LATE_S, "event": "resumed"}]:
            if event["event"] == "failed" and event["t"] >= t0 and event.get("began", 0) <= t1:
                began = max(event["began"], t0)
                mine["first_failed"] = min(began, mine["first_failed"] or began)
            if event["event"] == "segment" and event["t"] >= t1:
                mine["first_served"] = min(event["t"], mine["first_served"] or event["t"])
            if event["event"] == "stalled":
                since = event["t"]
            if event["event"] in ("resumed", "ended") and since:
                if event["t"] > t0 and since < t1 + LATE_S:
                    mine["stalls"] += 1
                    mine["stalled_s"] += round(event["t"] - since, 1)
                    mine["first_stall"] = min(since, mine["first_stall"] or since)
                    hit = True
                else:
                    mine["healthy_stalls"] += 1
                since = None
        mine["stalled_clients"] += hit
    return told


# ---- judgement ----

def fits(label, record):
    services = label["services"] or [None]
    return record["service"] in services and record["cause"] in label["causes"] and record["state"] in label["states"]


def in_time(label, records):
    return label["t0"] <= records[0]["ts"] <= label["t1"] + LATE_S


def last_word(records):
    """The last thing said while the incident was open."""
    return next((record for record in reversed(records) if record["event"] != "cleared"), records[-1])


def is_right(label, records):
    return in_time(label, records) and fits(label, records[0]) and fits(label, last_word(records))


def reopened(records):
    return sum(before["event"] == "cleared" for before in records[:-1])


def best_of(label, said):
    """The incident that means the label: a right one, else one that was right at some time, else the label's service or site, in time."""
    services = label["services"] or [None]
    order = (lambda r: is_right(label, r), lambda r: in_time(label, r) and any(fits(label, record) for record in r),
             lambda r: in_time(label, r) and (r[0]["service"] in services or last_word(r)["service"] in services),
             lambda r: in_time(label, r))
    for test in order:
        for records in said:
            if test(records):
                return records
    return None


def belongs(label, records):
    """Another incident that tells of the same: the second service of a shared CDN."""
    return len(label["services"]) > 1 and is_right(label, records)


def verdict_of(label, said, best, others):
    if not label["causes"]:
        return "FALSE ALARM" if said else "ok"
    if best is None:
        word = "ok (nothing)" if label["optional"] and not said else "MISSED"
    else:
        word = "ok" if is_right(label, best) else "CHANGED" if any(fits(label, r) for r in best) else "WRONG"
    if word == "ok" and reopened(best) and label["scenario"].split(".")[0] != "on_and_off":
        word = "FLAPPED"
    return word + (", BUT MORE" if others else "")


def players_of(label):
    """What the players of the services that were hit went through."""
    return [told for service, told in label["players"].items() if not label["services"] or service in label["services"]]


def ends(label, best):
    """When it was over and how long it lasted, as weir says, each less the truth; None where weir does not say."""
    last = best[-1] if best else {}
    if last.get("recovered_ts") is None:
        return {"over": None, "lasted": None, "felt": None}
    lasted, hit = last["recovered_ts"] - last["onset_ts"], players_of(label)
    failed, served = (min((told[key] for told in hit if told.get(key)), default=None) for key in ("first_failed", "first_served"))
    return {"over": last["recovered_ts"] - label["t1"], "lasted": lasted - (label["t1"] - label["t0"]),
            "felt": lasted - (served - failed) if failed and served else None}


def judge(label, said, same):
    best = best_of(label, said) if label["causes"] else None
    others = [records for records in said if records is not best and not belongs(label, records)]
    verdict = verdict_of(label, said, best, others)
    t0, t1 = label["t0"], label["t1"]
    failed = [told["first_failed"] for told in players_of(label) if told["first_failed"]]
    cleared = best and best[-1]["event"] == "cleared"
    expected = f"{'|'.join(label['services']) or '-'}/{'|'.join(label['states'])}/{'|'.join(label['causes'])}"
    return {
        "scenario": label["scenario"], "expected": (expected if label["causes"] else "none") + (" or none" if label["optional"] else ""),
        "said": history(best) if best else history(said[0]) if said else "none", "verdict": verdict,
        "detect": best[0]["ts"] - t0 if best else None, "failed": best[0]["ts"] - min(failed) if best and failed else None,
        "onset": best[0]["onset_ts"] - t0 if best else None, "clear": best[-1]["ts"] - t1 if cleared else None,
        **ends(label, best), "live": same, "others": [f"{history(records)} at {records[0]['ts'] - t0:+.0f}" for records in others],
        "flaps": sum(reopened(records) for records in said), "label": label,
        "first_cause": best[0]["cause"] if best else "none", "cause": last_word(best)["cause"] if best else "none",
    }


def agreement(out, name):
    """Whether the interface and, that very weir, the capture were told the same incidents."""
    paths = out / f"{name}.replay", out / f"{name}.live"
    if not all(path.exists() for path in paths):
        return "-"
    said, live = (parse_incidents(path.read_text()) for path in paths)
    told = [[(words(record), record["event"]) for record in records] for records in said]
    heard = [[(words(record), record["event"]) for record in records] for records in live]
    if told != heard:
        return "DIFFERS"
    apart = max((abs(a["ts"] - b["ts"]) for one, other in zip(said, live) for a, b in zip(one, other)), default=0)
    return "same" if apart <= 2 else f"{apart:.0f} s apart"


# ---- sums ----

def shown(value):
    return "-" if value is None else f"{value:+.1f}" if isinstance(value, float) else "; ".join(value) or "-" if isinstance(value, list) else str(value)


def table(rows, names=("scenario", "expected", "said", "verdict", "detect", "failed", "onset", "over", "lasted", "felt", "clear", "live", "others")):
    lines = [dict(zip(names, names)), *({name: shown(row[name]) for name in names} for row in rows)]
    widths = {name: max(len(line[name]) for line in lines) for name in names}
    return ["  ".join(line[name].ljust(widths[name]) for name in names).rstrip() for line in lines]


def spread(values):
    values = sorted(value for value in values if value is not None)
    if not values:
        return "-"
    def at(share):
        return values[min(len(values) - 1, int(share * len(values)))]
    return f"{at(0.5):.1f} / {at(0.9):.1f} / {values[-1]:.1f}  ({len(values)})"


def healthy_hours(label):
    """Service-hours without an impairment: services not hit throughout, those hit but for [t0, t1 + 30]."""
    whole = (label["end"] - label["begin"]) / 3600
    hit = (label["t1"] - label["t0"] + LATE_S) / 3600 if label["causes"] else 0
    n_hit = len(label["watched"]) if label["causes"] and not label["services"] else len(label["services"])
    return whole * len(label["watched"]) - hit * n_hit


def confusion(rows):
    counts = {}
    for row in rows:
        truth_is = row["label"]["causes"][0] if row["label"]["causes"] else "none"
        said = row["cause"] if row["label"]["causes"] else ("none" if row["verdict"] == "ok" else "an alarm")
        if said == "none" and row["label"]["optional"]:
            said = "none (allowed)"
        counts.setdefault(truth_is, {}).setdefault(said, []).append(row["scenario"])
    columns = list(dict.fromkeys(said for row in counts.values() for said in row))
    yield "true cause".ljust(16) + "".join(column.rjust(max(9, len(column) + 2)) for column in columns)
    for truth_is, row in counts.items():
        yield truth_is.ljust(16) + "".join(str(len(row.get(column, [])) or ".").rjust(max(9, len(column) + 2)) for column in columns)


def sums(rows):
    positive = [row for row in rows if row["label"]["causes"] and not row["label"]["optional"]]
    raised = [row for row in rows if row["label"]["causes"] and row["detect"] is not None]
    found = [row for row in positive if row["detect"] is not None]
    outages = [row for row in positive if row["label"]["states"] == ["down"] or row["label"]["scenario"].split(".")[0] in ("uplink", "resolver")]
    false = [text for row in rows for text in ([row["said"], *row["others"][1:]] if row["verdict"] == "FALSE ALARM" else row["others"])]
    first = sum(row["first_cause"] in row["label"]["causes"] for row in raised)
    settled = sum(row["cause"] in row["label"]["causes"] for row in raised)
    scope = sum(SCOPE.get(row["cause"]) == row["label"]["scope"] for row in raised)
    hours = sum(healthy_hours(row["label"]) for row in rows)
    yield f"scenarios right            {sum(row['verdict'].startswith('ok') and 'BUT' not in row['verdict'] for row in rows)} of {len(rows)}"
    yield f"recall                     {len(found)} of {len(positive)}; full outages {sum(row in found for row in outages)} of {len(outages)}"
    yield f"precision (incidents)      {len(raised)} of {len(raised) + len(false)}"
    yield f"cause right                first word {first} of {len(raised)}, last word {settled} of {len(raised)}; scope {scope} of {len(raised)}"
    yield f"detect p50 / p90 / max     {spread(row['detect'] for row in found)} s from the impairment"
    yield f"                           {spread(row['failed'] for row in found)} s from the first failed attempt"
    yield f"onset error p50/p90/max    {spread(abs(row['onset']) for row in found)} s"
    for name, words in (("lasted", "of impairment"), ("felt", "of players")):
        errors = [abs(row[name]) for row in found if row[name] is not None]
        yield f"duration, {words}".ljust(27) + f"{spread(errors)} s; within 5 s {sum(error <= 5 for error in errors)} of {len(errors)}"
    yield f"clear p50 / p90 / max      {spread(row['clear'] for row in found)} s"
    yield f"flaps                      {sum(row['flaps'] for row in rows if row['label']['scenario'].split('.')[0] != 'on_and_off')}"
    yield f"false alarms               {len(false)} in {hours:.1f} healthy service-hours" + "".join(f"\n    {text}" for text in false)
    lives = [row["live"] for row in rows if row["live"] != "-"]
    yield f"live says the same         {lives.count('same')} of {len(lives)}"


def span(capture):
    """First and last stamp of a pcap file, without reading all of it into memory."""
    first = last = None
    with open(capture, "rb") as source:
        source.read(24)
        while len(head := source.read(16)) == 16:
            seconds, micros, captured, _ = struct.unpack("<IIII", head)
            last = seconds + micros / 1e6
            first = last if first is None else first
            source.seek(captured, 1)
    return first, last


def row_of(weir, out, name):
    label_path, capture = out / f"{name}.json", out / f"{name}.pcap"
    if not label_path.exists() or not capture.exists():
        return None
    label = json.loads(label_path.read_text())
    label["begin"], label["end"] = span(capture)
    logs = out / f"{name}.players"
    if logs.exists():
        label["players"] = truth(logs, label["t0"], label["t1"])
    return judge(label, replayed(weir, capture), agreement(out, name))


def report(weir, out, names, as_json=None):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        rows = [row for row in pool.map(lambda name: row_of(weir, out, name), names) if row]
    if not rows:
        sys.exit(f"{out} holds no captures of these scenarios")
    for title, part in (("Tuning set", [row for row in rows if not row["label"]["held_out"]]), ("Held out", [row for row in rows if row["label"]["held_out"]])):
        if part:
            print("\n".join((f"== {title}", *table(part), "", *sums(part), "", *confusion(part), "")))
    if as_json:
        as_json.write_text(json.dumps(rows, indent=1) + "\n")
    missing = [name for name in names if not all((out / f"{name}.{end}").exists() for end in ("json", "pcap"))]
    if missing:
        print(f"not played: {', '.join(missing)}")
    return 0 if not missing and all(row["verdict"].startswith("ok") and "BUT" not in row["verdict"] for row in rows) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = pathlib.Path(__file__).resolve().parents[2] / "build" / "src" / "weir"
    parser.add_argument("--weir", default=os.environ.get("WEIR", str(default)))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("scenarios", nargs="*")
    options = parser.parse_args()
    names = options.scenarios or sorted(path.stem for path in options.dir.glob("*.json") if (options.dir / f"{path.stem}.pcap").exists())
    sys.exit(report(options.weir, options.dir, names, options.json))


if __name__ == "__main__":
    main()
