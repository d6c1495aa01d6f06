#!/usr/bin/python3
"""A second oracle: Ostermann's tcptrace, which counts by bytes seen again and by order alone.

usage: tests/oracle/tcptrace.py [--weir PROGRAM] [CAPTURE...]
Per connection and direction: packets, SYNs, resets, bytes of payload, and what was sent again or came out of order. Both tell the last
by different words: tcptrace calls a segment retransmitted when its bytes were seen before, and out of order when they fill a
hole; weir calls the first lost beyond the vantage or sent needlessly, the second lost before it or overtaken. So the sums
must agree: rexmt = beyond + spurious (+ keep-alives), outoforder = before + reordered. Where they do not, the row says by how much.
"""
import argparse
import collections
import csv
import importlib.machinery
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import compare  # noqa: E402

run = importlib.machinery.SourceFileLoader("run", str(HERE / "run")).load_module()  # it has no suffix

FIELDS = ("packets", "syn", "resets", "payload", "sent again", "out of order")


def traced(path, scratch):
    plain = scratch / "plain.pcap"
    subprocess.run(["tshark", "-r", path, "-F", "pcap", "-w", plain], check=True, capture_output=True)
    out = subprocess.run(["tcptrace", "-n", "-l", "--csv", plain], capture_output=True, text=True).stdout
    lines = [line for line in out.splitlines() if line.strip() and not line.startswith("#")]
    return list(csv.DictReader(lines, skipinitialspace=True)) if lines else []


def of_tcptrace(row, side):
    way = ("a2b", "b2a")[side]

    def number(name):
        return int(row[f"{name}_{way}"])
    return {"packets": number("total_packets"), "syn": int(row[f"SYN/FIN_pkts_sent_{way}"].split("/")[0]), "resets": number("resets_sent"),
            "payload": number("actual_data_bytes"), "sent again": number("rexmt_data_pkts"), "out of order": number("outoforder_pkts")}


def of_weir(record, side):
    way = ("up", "down")[side]
    lost, syn = record[f"retransmissions_{way}"], record["syn_ack" if side else "syn"]
    return {"packets": record[f"packets_{way}"], "syn": syn, "payload": record[f"payload_{way}"],
            "sent again": lost["beyond"] + record["spurious"][way] + max(0, syn - 1), "out of order": lost["before"] + record[f"reordered_{way}"]}


def key(a, port_a, b, port_b, first):
    return a, int(port_a), b, int(port_b), round(float(first), 3)


def compare_capture(weir, path, scratch):
    records = {}
    for record in compare.weir_records(weir, path)["flow"]:
        if record["transport"] == "tcp":
            client, server = record["client"], record["server"]
            records[key(client["addr"], client["port"], server["addr"], server["port"], record["first_ts"])] = record
    agree, differ, joined = collections.Counter(), collections.defaultdict(list), 0
    for row in traced(path, scratch):
        one = key(row["host_a"], row["port_a"], row["host_b"], row["port_b"], row["first_packet"])
        record, turned = records.get(one), False
        if record is None:
            record, turned = records.get((one[2], one[3], one[0], one[1], one[4])), True
        if record is None:
            continue
        joined += 1
        for side in (0, 1):
            theirs, ours = of_tcptrace(row, side ^ turned), of_weir(record, side)
            for field in FIELDS:
                if field not in ours:
                    continue
                if ours[field] == theirs[field]:
                    agree[field] += 1
                else:
                    differ[field].append((one, ("up", "down")[side], ours[field], theirs[field], record["keepalives"], record["duplicates"]))
    return joined, agree, differ


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weir", default=os.environ.get("WEIR", "build/src/weir"))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("captures", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    rows, sums = [("capture", "connections", *(f for f in FIELDS if f != "resets"))], collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for path in options.captures or run.captures():
            joined, agree, differ = compare_capture(options.weir, path, pathlib.Path(scratch))
            if not joined:
                continue
            cells = [f"{agree[f]}/{agree[f] + len(differ[f])}" for f in FIELDS if f != "resets"]
            rows.append((path.name, joined, *cells))
            sums["connections"] += joined
            for field in FIELDS:
                sums[field] += agree[field]
                sums[field, "all"] += agree[field] + len(differ[field])
                for one in differ[field] if options.verbose else ():
                    print(path.name, field, *one, file=sys.stderr)
    rows.append(("all", sums["connections"], *(f"{sums[f]}/{sums[f, 'all']}" for f in FIELDS if f != "resets")))
    run.table(rows)


if __name__ == "__main__":
    main()
