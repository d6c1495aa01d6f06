"""Adds up JUnit files and prints "N passed, N failed, N skipped" as the last line; names what failed or was skipped.

A test that meson ends for its time stands in meson's JUnit file as if it had passed. So its own log (testlog.json) is read beside it.
"""
import json
import sys
import xml.etree.ElementTree as ElementTree


def count(paths):
    passed, failed, skipped = 0, [], []
    for path in paths:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{case.get('classname') or ''} {case.get('name')}".strip()
            if case.find("failure") is not None or case.find("error") is not None:
                failed.append(name)
            elif case.find("skipped") is not None:
                reason = case.find("skipped").get("message") or ""
                skipped.append(f"{name}{': ' if reason else ''}{reason}")
            else:
                passed += 1
    return passed, failed, skipped


def ended_by_meson(path):
    """Names of tests that did not come to their end."""
    tests = map(json.loads, open(path))
    return [f"{test['name']}: {test['result']}" for test in tests if test["result"] in ("TIMEOUT", "INTERRUPT", "ERROR")]


def main():
    logs = [path for path in sys.argv[1:] if path.endswith(".json")]
    passed, failed, skipped = count(path for path in sys.argv[1:] if path not in logs)
    failed += [name for path in logs for name in ended_by_meson(path)]
    for name in skipped:
        print(f"skipped: {name}")
    for name in failed:
        print(f"FAILED: {name}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
