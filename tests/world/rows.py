"""A world's row as a line, and what many rows come to: found, right, false alarms, times; by kind of fault."""
import collections
import statistics


def line(row):
    faults = "+".join(row["faults"]) or "healthy"
    notes = [f"ERROR {row['error']}"] if row.get("error") else []
    for told in row["want"]:
        wish = f"{'|'.join(map(str, told['services']))}/{'|'.join(told['state'])}/{'|'.join(told['cause'])}"
        if told["right"]:
            notes.append(f"{told['said']} in {told['delay_seen']:.0f} s")
        elif told["found"]:
            notes.append(f"WRONG {told['said']} instead of {wish}")
        else:
            notes.append(f"MISSED {wish}")
    notes += [f"FALSE {false['said']} at {false['at']:.0f} s" for false in row["false"]]
    return f"{row['seed']:>6} {row['site']:<12} {row['clients']:>4}  {faults:<28} {'; '.join(notes) or 'quiet, as it should be'}"


def spread(values):
    values = sorted(value for value in values if value is not None)
    if not values:
        return "-"
    return f"{statistics.median(values):.1f} / {values[min(len(values) - 1, int(0.9 * len(values)))]:.1f}"


def sums(rows):
    wanted = [told for row in rows for told in row["want"]]
    healthy = [row for row in rows if row["healthy"]]
    alarmed = sum(bool(row["false"]) for row in healthy)
    return {"worlds": len(rows), "right": sum(row["right"] for row in rows), "wanted": len(wanted), "found": sum(told["found"] for told in wanted),
            "cause_right": sum(told["right"] for told in wanted), "healthy": len(healthy), "healthy_alarmed": alarmed,
            "false": sum(len(row["false"]) for row in rows), "hours": round(sum(row.get("hours", 0) for row in rows), 2),
            "delay_seen_p50_p90": spread(told["delay_seen"] for told in wanted), "errors": sum("error" in row for row in rows)}


def by_kind(rows):
    """Wanted, found and right for each kind of fault, the worst first; false alarms beside."""
    kinds = collections.defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        for told in row["want"]:
            kind = kinds[told["fault"]]
            kind[0] += 1
            kind[1] += told["found"]
            kind[2] += told["right"]
        for name in row["faults"] or ["healthy"]:
            kinds[name][3] += len(row["false"])
    worst = sorted(kinds.items(), key=lambda item: item[1][2] - item[1][0] - item[1][3])
    return [f"  {name:<20} wanted {w:>3}  found {f:>3}  right {r:>3}  false alarms {a:>3}" for name, (w, f, r, a) in worst]


def summary(told):
    """What `sums` says, in one line."""
    return (f"worlds {told['worlds']}  right {told['right']}  recall {told['found']}/{told['wanted']}  cause {told['cause_right']}/{told['wanted']}  "
            f"healthy worlds with a false alarm {told['healthy_alarmed']}/{told['healthy']}  false alarms {told['false']} in {told['hours']} h  "
            f"p50 / p90 from the first sign {told['delay_seen_p50_p90']} s  errors {told['errors']}")
