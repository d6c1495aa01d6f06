"""A short round of the mutating replayer (tests/fuzz/mutate_replay; long: `contrib/fuzz --mutate`), always with the same seed;
and that its checks do find what is wrong."""
import importlib.machinery
import importlib.util
import json
import random
import subprocess
import sys

from conftest import PCAPS, TOP, WEIR, weir

SCRIPT = TOP / "tests" / "fuzz" / "mutate_replay"


def test_spoilt_captures(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, "--weir", WEIR, "--seed", "weir", "--rounds", "1", "--seconds", "25", "--keep", tmp_path],
                          capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


def replayer():
    loader = importlib.machinery.SourceFileLoader("mutate_replay", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def test_the_checks_see_what_is_wrong():
    checks = replayer()
    text = weir("replay", "--json", "--records", "flow,capture", "--site", "mutated", PCAPS / "healthy.pcap")
    n_packets = json.loads(text.splitlines()[-1])["packets"]

    def faults(change):
        records = [json.loads(line) for line in text.splitlines()]
        change(records)
        return checks.faults_of("\n".join(map(json.dumps, records)), n_packets, random.Random(1))
    tcp = next(i for i, line in enumerate(text.splitlines()) if '"transport":"tcp"' in line and '"tls_handshake_us":null' not in line)
    assert faults(lambda records: None) == []
    assert "packets_up is -1" in faults(lambda records: records[tcp].update(packets_up=-1))[0]
    assert "null" in faults(lambda records: records[tcp].update(tls_handshake_us=None))[0]
    assert "before" in faults(lambda records: records[tcp].update(last_ts=0))[0]
    assert "sum" in faults(lambda records: records[-1]["decode"].update(ok=0))[0]
    assert "counted" in faults(lambda records: records[-1].update(packets=1))[0]
    assert "schema" in faults(lambda records: records[0].update(outcome="fine"))[0]
    assert "capture records" in faults(lambda records: records.pop())[0]
