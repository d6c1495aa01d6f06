"""Compares what weir says of a capture with what a case expects; no part of it knows the cases."""
import collections

DNS_KINDS = ("useful", "neutral", "timeout", "servfail", "refused", "nxdomain")


def said_flows(records, transport=None):
    flows = [record for record in records if record["type"] == "flow" and record["server"]["port"] != 53]
    return [flow for flow in flows if transport in (None, flow["transport"])]


def as_line(flow):
    return f"{flow['service'] or '-'} {flow['transport']} {flow['outcome']}"


def _summed(records, service, pick, kind):
    total = collections.Counter()
    for record in records:
        if record["type"] == kind and record["service"] == service:
            total.update(pick(record))
    return {name: count for name, count in total.items() if count}


def said_dns(records, service):
    return _summed(records, service, lambda window: {kind: window["dns"][kind] for kind in DNS_KINDS}, "window")


def said_trials(records, service):
    """Of the whole run: its last slot is closed by the capture's end, behind the last window."""
    def pick(window):
        kinds = {kind: count for kind, count in window["trials_fail"].items() if kind != "total"}
        layers = {layer: count for layer, count in window["trials_by_layer"].items() if layer.endswith("_ok")}
        return {**kinds, **layers, "quic_fell_back": window["quic_fell_back"]}
    return _summed(records, service, pick, "service")


def reach(record, path):
    for step in path.split("."):
        if isinstance(record, list):
            record = record[int(step)] if int(step) < len(record) else None
        elif record is not None:
            record = record.get(step)
    return record


def holds(record, path, wanted):
    """`wanted` is a value, "set", ">0", or [least, most]."""
    value = reach(record, path)
    if isinstance(wanted, list) and len(wanted) == 2:
        return value is not None and wanted[0] <= value <= wanted[1]
    if wanted == "set":
        return value is not None
    return value is not None and value > 0 if wanted == ">0" else value == wanted


def _wrong_facts(record, facts, what):
    return [f"{what}: {path} is {reach(record, path)!r}, not {wanted!r}" for path, wanted in facts.items() if not holds(record, path, wanted)]


def mismatches(records, expected):
    """What is not as expected, one sentence each; empty where all is. Nothing here is an incident: there is too little of it."""
    flows = said_flows(records, expected.get("only_transport"))
    wrong = [f"incident: {record['text']}" for record in records if record["type"] == "incident"]
    lines = sorted(as_line(flow) for flow in flows)
    if expected["flows"] is not None and lines != sorted(expected["flows"]):
        wrong.append(f"flows: {lines}, not {sorted(expected['flows'])}")
    for service, wanted in expected.get("dns", {}).items():
        if (said := said_dns(records, service)) != wanted:
            wrong.append(f"dns of {service}: {said}, not {wanted}")
    for service, wanted in expected.get("trials", {}).items():
        said = {name: count for name, count in said_trials(records, service).items() if name in wanted or name != "serve_ok"}
        if expected.get("only_transport") == "quic":
            said = {name: count for name, count in said.items() if not name.startswith(("dns_", "connect_"))}
        if said != wanted:
            wrong.append(f"trials of {service}: {said}, not {wanted}")
    for match, facts in expected.get("where", []):
        matching = [flow for flow in flows if all(holds(flow, path, value) for path, value in match.items())]
        if not matching:
            wrong.append(f"no flow is {match}")
        for flow in matching:
            wrong += _wrong_facts(flow, facts, as_line(flow))
    for kind in ("service", "session"):
        for service, facts in expected.get(kind, {}).items():
            found = [record for record in records if record["type"] == kind and record["service"] == service]
            if len(found) != 1:
                wrong.append(f"{len(found)} {kind} records of {service}")
            for record in found:
                wrong += _wrong_facts(record, facts, f"{kind} {service}")
    capture = [record for record in records if record["type"] == "capture"][0]
    return wrong + _wrong_facts(capture, expected.get("capture", {}), "capture")
