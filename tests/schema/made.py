#!/usr/bin/env python3
"""Lines of record.schema.json that the program's rows make: causes, outcomes, and the counters of a capture.

usage: tests/schema/made.py WEIR    writes them anew, after a row was added; a test says when that is due
"""
import json
import pathlib
import re
import subprocess
import sys

PATH = pathlib.Path(__file__).with_name("record.schema.json")


def made(text, weir):
    """The schema's text with these lines as `weir keys --names` has them."""
    names = json.loads(subprocess.run([weir, "keys", "--names"], check=True, capture_output=True, text=True).stdout)
    lines = {f'    "{kind}": ': json.dumps({"enum": names[kind]}) for kind in ("cause", "outcome")}
    first, *rest = names["capture"]
    lines[f'        "{first}": '] = ", ".join(['{"$ref": "#/definitions/count"}', *(f'"{name}": {{"$ref": "#/definitions/count"}}' for name in rest)])
    for start, line in lines.items():
        text, n = re.subn(rf"^{re.escape(start)}\{{.*\}},$", lambda _: f"{start}{line},", text, flags=re.MULTILINE)
        assert n == 1, f"{PATH.name}: {n} lines begin with {start.strip()}"
    return text


if __name__ == "__main__":
    PATH.write_text(made(PATH.read_text(), sys.argv[1]))
