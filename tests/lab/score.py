"""What weir said of a capture, against its label: one row a scenario."""
import json
import subprocess

LATE_S = 30  # an incident may be raised this long after the impairment ended


def incidents(weir, capture):
    """Each incident's records, by id, in order."""
    done = subprocess.run([weir, "replay", "--json", "--records", "incident", str(capture)], capture_output=True, text=True,
                          check=True)
    by_id = {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        if record["type"] == "incident":
            by_id.setdefault(record["id"], []).append(record)
    return list(by_id.values())


def words(record):
    return f"{record['service'] or '-'}/{record['state']}/{record['cause']}"


def history(records):
    """How an incident was called, in order, each name once."""
    names = []
    for record in records:
        if words(record) not in names:
            names.append(words(record))
    return " > ".join(names) + f" [{'+'.join(records[-1]['kinds']) or '-'}]"


def fits(scenario, record):
    if record["service"] != scenario.service or record["cause"] not in scenario.causes:
        return False
    return record["state"] in scenario.states


def judge(scenario, label, said):
    """The row: verdict, what fits, what doesn't. An incident is right when its first and its last word are."""
    t0, t1 = label["t0"], label["t1"]
    right = [records for records in said if fits(scenario, records[0]) and fits(scenario, records[-1])
             and t0 <= records[0]["ts"] <= t1 + LATE_S]
    half = [records for records in said if records not in right and any(fits(scenario, record) for record in records)]
    others = [records for records in said if records not in right[:1] and records not in half[:1]]
    best = (right or half or [None])[0]
    if not scenario.causes:
        verdict = "FALSE ALARM" if said else "ok"
    elif best is None:
        verdict = "WRONG" if said else ("ok (nothing)" if scenario.optional else "MISSED")
    else:
        verdict = "FLAPPED" if best[0]["event"] == "raised" and sum(r["event"] == "raised" for r in best) > 1 else \
                  "ok" if right else "CHANGED"
    if verdict.startswith("ok") and others:
        verdict = "ok, BUT MORE"
    expected = "none" if not scenario.causes else \
        f"{scenario.service or '-'}/{'|'.join(scenario.states)}/{'|'.join(scenario.causes)}" + \
        (" or none" if scenario.optional else "")
    return {
        "scenario": scenario.name,
        "expected": expected,
        "said": history(best) if best else (history(said[0]) if said else "none"),
        "verdict": verdict,
        "detect": f"{best[0]['ts'] - t0:+.1f}" if best else "-",
        "onset": f"{best[0]['onset_ts'] - t0:+.1f}" if best else "-",
        "cleared": f"{best[-1]['ts'] - t1:+.1f}" if best and best[-1]["event"] == "cleared" else "-",
        "others": "; ".join(f"{history(records)} at {records[0]['ts'] - t0:+.0f}" for records in others) or "-",
    }


def table(rows):
    names = ("scenario", "expected", "said", "verdict", "detect", "onset", "cleared", "others")
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    for row in ({name: name for name in names}, *rows):
        yield "  ".join(row[name].ljust(widths[name]) for name in names).rstrip()
