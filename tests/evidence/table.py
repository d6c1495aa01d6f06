#!/usr/bin/python3
"""Evidence of captures, checked: size, same verdict when replayed, no complaint of tshark, no client address, no name of others.

    tests/evidence/table.py CAPTURE...        prints one row an incident; exit 1 if any is not as it must be

Environment: WEIR, the program (default: build/src/weir).
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(TOP / "build" / "src" / "weir"))
PSEUDONYM = re.compile(r"10\.119\.\d+\.\d+$|fd77::[0-9a-f:]+$")


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr[-500:]}"
    return done.stdout


def records(capture, *options, kinds="incident"):
    return [json.loads(line) for line in run(WEIR, "replay", "-q", "--json", "--records", kinds, *options, capture).splitlines()]


CHECKED = ("ip", "tcp", "udp")
BAD = [f"{name}.checksum.status" for name in CHECKED]
ADDRESSES = ["ip.addr", "ipv6.addr", "dns.a", "dns.aaaa"]
NAMES = ["dns.qry.name", "tls.handshake.extensions_server_name", "http.host"]


def tshark(path):
    """{field: its values} of a whole file, in one go: starting tshark takes longer than reading a megabyte."""
    fields = ["_ws.malformed", *BAD, *ADDRESSES, *NAMES]
    options = [word for name in CHECKED for word in ("-o", f"{name}.check_checksum:TRUE")]
    done = subprocess.run(["tshark", "-n", "-r", str(path), *options, "-T", "fields", *(word for field in fields for word in ("-e", field))], capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if "super" not in line and "root" not in line]
    assert done.returncode == 0 and not errors, (path, errors)
    columns = zip(*(line.split("\t") for line in done.stdout.splitlines()))
    return {field: {value for cell in column for value in cell.split(",") if value} for field, column in zip(fields, columns)}


def verdict(record):
    return record["service"], record["state"], record["cause"]


def comment(path):
    text = path.read_bytes()[:8192].decode("utf-8", "replace")
    found = dict(re.findall(r"^(\w+): ([\w.:-]+)$", text, re.M))
    return (None if found["service"] == "none" else found["service"]), found["state"], found["cause"]


def check(path, clients, servers):
    """What is wrong with a file, in words."""
    wrong = []
    said = comment(path)
    last = {}
    for record in records(path):
        if record["event"] != "cleared":
            last[record["id"]] = verdict(record)
    if said not in last.values():
        wrong.append(f"verdict {said} became {sorted(map(str, last.values()))}")
    if path.stat().st_size > 1000000:
        wrong.append("too large")
    seen = tshark(path)
    if seen["_ws.malformed"] or any(seen[field] & {"0", "Bad"} for field in BAD):
        wrong.append("tshark finds bad packets")
    shown = set().union(*(seen[field] for field in ADDRESSES))
    strangers = {addr for addr in shown if not PSEUDONYM.match(addr)} - servers
    if strangers & clients:
        wrong.append(f"client addresses {sorted(strangers & clients)[:3]}")
    names = set().union(*(seen[field] for field in NAMES))
    known = [name for name in names if not name.endswith(".invalid")]
    unknown = [name for name in known if not is_known(name)]
    if unknown:
        wrong.append(f"names {sorted(unknown)[:3]}")
    return wrong


SUFFIXES = None


def is_known(name):
    """Is it a host name of a service that weir knows?"""
    global SUFFIXES
    if SUFFIXES is None:
        SUFFIXES = set()
        for path in (TOP / "signatures").glob("*.yaml"):
            SUFFIXES |= set(re.findall(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+", path.read_text()))
    labels = name.lower().split(".")
    return any(".".join(labels[i:]) in SUFFIXES for i in range(len(labels)))


def rows(capture):
    """(id, bytes, what is wrong) of each incident of a capture."""
    flows = records(capture, "--clients", "plain", kinds="flow")
    clients = {flow["client"]["addr"] for flow in flows}
    servers = {flow["server"]["addr"] for flow in flows} - clients
    with tempfile.TemporaryDirectory() as directory:
        told = {record["id"] for record in records(capture, "--evidence", directory)}
        files = {path.stem: path for path in pathlib.Path(directory).glob("*.pcapng")}
        for missing in told - set(files):
            yield missing, 0, ["no file"]
        for name, path in sorted(files.items()):
            yield name, path.stat().st_size, check(path, clients, servers)


def main():
    failed = 0
    for capture in sys.argv[1:]:
        none = True
        for name, size, wrong in rows(capture):
            print(f"{pathlib.Path(capture).name:34} {name:34} {size:8}  {'; '.join(wrong) or 'the same verdict'}", flush=True)
            failed += bool(wrong)
            none = False
        if none:
            print(f"{pathlib.Path(capture).name:34} no incident")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
