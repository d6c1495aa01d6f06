#!/usr/bin/env python3
"""Lines of record.schema.json that the program's rows make: causes, outcomes, watches, what is counted of a flow's segments and of a capture.

usage: tests/schema/made.py WEIR    writes them anew, after a row was added; a test says when that is due
"""
import json
import pathlib
import re
import subprocess
import sys

PATH = pathlib.Path(__file__).with_name("record.schema.json")


COUNT = {"$ref": "#/definitions/count"}


def properties(places):
    """Of "name" and "group.name": as a schema has them, without the outer braces."""
    schema = {}
    for place in places:
        group, _, name = place.rpartition(".")
        inner = schema.setdefault(group, {"type": "object", "additionalProperties": False, "required": [], "properties": {}}) if group else schema
        if group:
            inner["required"].append(name)
        (inner["properties"] if group else schema)[name] = COUNT
    return json.dumps(schema)[1:-1]


def made(text, weir):
    """The schema's text with these lines as `weir keys --names` has them."""
    names = json.loads(subprocess.run([weir, "keys", "--names"], check=True, capture_output=True, text=True).stdout)
    lines = {f'    "{kind}": ': json.dumps({"enum": names[kind]}) for kind in ("cause", "outcome", "watch")}
    for record in ("flow", "capture"):
        first, rest = properties(names[record]).split(": ", 1)
        lines[f"        {first}: "] = rest
    for start, line in lines.items():
        text, n = re.subn(rf"^{re.escape(start)}\{{.*\}},$", lambda _: f"{start}{line},", text, flags=re.MULTILINE)
        assert n == 1, f"{PATH.name}: {n} lines begin with {start.strip()}"
    return text


if __name__ == "__main__":
    PATH.write_text(made(PATH.read_text(), sys.argv[1]))
