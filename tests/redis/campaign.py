"""Runs the faults one by one and prints a table. `--short`: as contrib/test does."""
import pathlib
import sys
import tempfile

import faults

HEAD = "| fault | sent | arrived | lost | doubled | lost to the fleet | in order | lines said | longest wait of the engine | |\n|---|---|---|---|---|---|---|---|---|---|"


def main(arguments):
    full = "--short" not in arguments
    wanted = [name for name in arguments if not name.startswith("-")]
    failed = 0
    print(HEAD, flush=True)
    for fault in faults.ALL:
        if wanted and fault.__name__ not in wanted:
            continue
        with tempfile.TemporaryDirectory(prefix="weir-fault-") as place:
            try:
                row = fault(pathlib.Path(place), full)
            except AssertionError as error:
                failed += 1
                print(f"| {fault.__name__} | FAILED: {error} |", flush=True)
                continue
        if row is None:
            print(f"| {fault.__name__} | skipped: not permitted here |", flush=True)
        else:
            print(f"| {row.fault} | {row.sent} | {row.arrived} | {row.lost} | {row.doubled} | {row.inbox_lost} | {'yes' if row.in_order else 'no'} "
                  f"| {row.said} | {row.longest_ms:.1f} ms | {row.note} |", flush=True)
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
