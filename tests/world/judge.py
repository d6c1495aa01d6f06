"""What weir said of a world, against the world's truth.

A wanted incident is found when one of its services is named in an incident that is raised between the fault's begin and 30 s
after its end (a site's fault: by any incident without a service). It is judged by the last word said in that time: right
when service, state and cause are among those wanted. Every incident that was not found so, and that the truth does not
allow, is a false alarm.
"""
import json

LATE_S = 30
ALLOWED_LATE_S = 60


def parse(lines):
    """Each incident's records in order."""
    by_id = {}
    for line in lines:
        record = json.loads(line)
        if record.get("type") == "incident":
            by_id.setdefault(record["id"], []).append(record)
    return list(by_id.values())


def episodes(records):
    """An incident that comes back under its id is said anew: each raise or reopening, with what follows it."""
    parts = []
    for record in records:
        if not parts or record.get("event") == "reopened":
            parts.append([])
        parts[-1].append(record)
    return parts


def last_word(records, until):
    said = [record for record in records if record.get("event") != "cleared" and record["ts"] <= until]
    return said[-1] if said else records[0]


def fits(record, row):
    return record.get("service") in row["services"] and record.get("state") in row["state"] and record.get("cause") in row["cause"]


def words(record):
    return f"{record.get('service') or '-'}/{record.get('state')}/{record.get('cause')}"


def in_window(records, row, t0, late_s):
    return t0 + row["w"][0] - 1 <= records[0]["ts"] <= t0 + row["w"][1] + late_s


def judge_wanted(row, incidents, t0):
    until = t0 + row["w"][1] + LATE_S
    near = [records for records in incidents if in_window(records, row, t0, LATE_S)]
    right = [records for records in near if fits(last_word(records, until), row)]
    named = [records for records in near if any(record.get("service") in row["services"] for record in records)]
    told = {"fault": row["fault"], "services": row["services"], "state": row["state"], "cause": row["cause"], "from": row["w"][0], "to": row["w"][1],
            "found": bool(right or named), "right": bool(right), "said": None, "delay": None, "delay_seen": None, "onset": None}
    best = (right or named or [None])[0]
    if best:
        told["said"] = words(last_word(best, until))
        told["delay"] = round(best[0]["ts"] - t0 - row["w"][0], 1)
        told["delay_seen"] = round(best[0]["ts"] - t0 - max(row["w"][0], row["seen"]), 1)
        if best[-1].get("onset_ts"):
            told["onset"] = round(best[-1]["onset_ts"] - t0 - max(row["w"][0], row["seen"]), 1)
        cleared = [record["ts"] for record in best if record.get("event") == "cleared"]
        told["cleared"] = round(cleared[-1] - t0 - row["w"][1], 1) if cleared else None
    return told, [id(records) for records in right or named]


def judge(truth, incidents):
    """One world's row."""
    t0 = truth["t0"]
    incidents = [part for records in incidents for part in episodes(records)]
    used, wanted = set(), []
    for row in truth["want"]:
        told, mine = judge_wanted(row, incidents, t0)
        wanted.append(told)
        used |= set(mine)
    false = []
    for records in incidents:
        if id(records) in used:
            continue
        last = last_word(records, float("inf"))
        if any(fits(last, row) and in_window(records, row, t0, ALLOWED_LATE_S) for row in truth["allow"]):
            continue
        false.append({"said": words(last), "at": round(records[0]["ts"] - t0, 1), "trials": last.get("trials"), "kinds": last.get("kinds")})
    said = []
    for records in incidents:
        last = last_word(records, float("inf"))
        so = [row for row in [*truth["want"], *truth["allow"]] if in_window(records, row, t0, ALLOWED_LATE_S)
              and last.get("service") in row["services"] and last.get("cause") in row["cause"]]
        said.append({"said": words(last), "at": round(records[0]["ts"] - t0, 1), "probability": last.get("probability"), "right": bool(so)})
    return {"seed": truth["seed"], "site": truth["site"], "clients": truth["clients"], "faults": [fault["name"] for fault in truth["faults"]],
            "want": wanted, "false": false, "said": said, "healthy": not truth["faults"],
            "right": all(row["right"] for row in wanted) and not false}
