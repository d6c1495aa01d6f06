"""One capture through weir, through tshark and by the method's definitions: flows joined, every field of each compared."""
import collections
import json
import subprocess

import fields
import methods
import names
import packets


def weir_records(weir, path):
    done = subprocess.run([weir, "replay", "--json", "--records", "flow,service,capture", "--workers", "1", str(path)],
                          capture_output=True, text=True)
    if not done.stdout:
        raise RuntimeError(f"weir: {path}: {done.stderr.strip()}")
    by_type = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        record = json.loads(line)
        by_type[record["type"]].append(record)
    return by_type


def ends_of(record):
    ends = sorted([(record["client"]["addr"], record["client"]["port"]), (record["server"]["addr"], record["server"]["port"])])
    return ("tcp" if record["transport"] == "tcp" else "udp", *ends[0], *ends[1])


def join(flows, records):
    """Pairs of the same flow; what has no partner comes as (key, weir's flows, the definition's)."""
    mine, theirs = collections.defaultdict(list), collections.defaultdict(list)
    for flow in flows:
        mine[flow.packets[0].key()].append(flow)
    for record in records:
        theirs[ends_of(record)].append(record)
    pairs, odd = [], []
    for key in mine.keys() | theirs.keys():
        a = sorted(mine[key], key=lambda flow: min(p.ts_us for p in flow.packets))
        b = sorted(theirs[key], key=lambda record: record["first_ts"])
        if len(a) == len(b):
            pairs += zip(a, b)
        else:
            odd.append((key, b, a))
    return sorted(pairs, key=lambda pair: pair[0].packets[0].frame), odd


def compare_flow(flow, record, context):
    sides = (record["client"]["addr"], record["client"]["port"])
    found = [fields.Field("client", sides, flow.client)]
    if found[0].weir != found[0].method:
        return found
    found += fields.counts(flow, record)
    if flow.transport == "tcp":
        found += fields.tcp(flow, record, context["end_us"])
        found += names.tls(flow, record, context["named"])
    found += names.quic(flow, record, context["named"])
    found += fields.dns(flow, record, context["end_us"])
    found += names.host(flow, record, context["named"], context["resolved"], context["services"])
    return found


def key_text(key):
    return f"{key[0]} {key[1]}:{key[2]} - {key[3]}:{key[4]}"


def compare(weir, path, services):
    """(flow, Field) of everything compared in one capture."""
    records = weir_records(weir, path)
    capture, named = packets.read(path), packets.dissect(path)
    flows = methods.flows_of(capture, names.quic_openings(named))
    context = {"named": named, "resolved": names.resolutions(capture), "services": services,
               "end_us": max((p.now_us for p in capture), default=0)}
    pairs, odd = join(flows, records["flow"])
    results = [(key_text(key), fields.Field("flows", len(b), len(a), frames=[f.packets[0].frame for f in a])) for key, b, a in odd]
    for flow, record in pairs:
        label = f"{key_text(flow.packets[0].key())} from frame {flow.packets[0].frame}"
        results += [(label, field) for field in compare_flow(flow, record, context)]
    results += [(f"service {service}", field) for service, field in names.latency(flows, records["service"], services)]
    return len(pairs) + len(odd), results
