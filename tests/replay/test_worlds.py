"""A hundred made worlds (tests/world): the same seed is the same bytes, weir reads them all, and says of most what is right."""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import TOP, WEIR, weir

sys.path.insert(0, str(TOP / "tests" / "world"))
import judge  # noqa: E402

BESIDE = pathlib.Path(WEIR).resolve().parents[1] / "tests" / "world" / "world"
WORLD = os.environ.get("WEIR_WORLD", str(BESIDE if BESIDE.exists() else TOP / "build" / "tests" / "world" / "world"))
LOCAL = ("--local", "192.168.0.0/16", "--local", "10.0.0.0/8", "--local", "100.64.0.0/10", "--local", "fd00::/8")
SEEDS = range(5001, 5101)
# Below what the program reaches on these seeds, so that chance elsewhere in it breaks nothing.
FLOOR = {"found": 0.75, "right": 0.70, "false": 8, "healthy_alarmed": 2}


def make(seed, folder, profile="small", *fault):
    capture, truth = folder / f"{seed}.pcap", folder / f"{seed}.json"
    subprocess.run([WORLD, str(seed), str(capture), str(truth), profile, *fault], check=True, timeout=120)
    return capture, json.loads(truth.read_text())


def said_of(capture):
    lines = weir("replay", "--json", "--records", "incident", "--clients", "plain", *LOCAL, capture).splitlines()
    return judge.parse(lines)


@functools.cache
def hundred(folder):
    """All worlds of SEEDS, judged. Captures do not stay."""
    def one(seed):
        capture, truth = make(seed, folder)
        row = judge.judge(truth, said_of(capture))
        capture.unlink()
        return row

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, SEEDS))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return hundred(tmp_path_factory.mktemp("worlds"))


def test_a_seed_is_a_world(tmp_path):
    sums = []
    for name in "ab":
        (tmp_path / name).mkdir()
        capture, _ = make(4711, tmp_path / name)
        sums.append((hashlib.sha256(capture.read_bytes()).hexdigest(), (tmp_path / name / "4711.json").read_text()))
    assert sums[0] == sums[1]
    other, _ = make(4712, tmp_path)
    assert hashlib.sha256(other.read_bytes()).hexdigest() != sums[0][0]


def test_flows_are_named_and_whole(tmp_path):
    """Weir's own reading of a world without faults: hellos, Initials and lookups are real."""
    capture, truth = make(4713, tmp_path, "home", "none")
    lines = weir("replay", "--json", "--records", "flow,capture", "--clients", "plain", *LOCAL, capture).splitlines()
    parsed = [json.loads(text) for text in lines]
    flows = [row for row in parsed if row["type"] == "flow" and row["server"]["port"] == 443 and row["bytes_down"] > 20000]
    assert flows and all(row["named_by"] == "sni" for row in flows)
    watched = {service for _, service, *_ in truth["watching"]}
    assert watched <= {row["service"] for row in flows}
    assert truth["packets"] == next(row for row in parsed if row["type"] == "capture")["packets"]


def test_recall_and_cause(rows):
    wanted = [told for row in rows for told in row["want"]]
    assert len(wanted) >= 25, "these seeds hold too few faults to judge by"
    found, right = sum(told["found"] for told in wanted), sum(told["right"] for told in wanted)
    wrong = [(row["seed"], told["fault"], told["said"]) for row in rows for told in row["want"] if not told["right"]]
    assert found >= FLOOR["found"] * len(wanted), wrong
    assert right >= FLOOR["right"] * len(wanted), wrong


def test_false_alarms(rows):
    false = [(row["seed"], row["faults"], told["said"], told["at"]) for row in rows for told in row["false"]]
    assert len(false) <= FLOOR["false"], false
    healthy = [row for row in rows if row["healthy"]]
    assert len(healthy) >= 25
    assert sum(bool(row["false"]) for row in healthy) <= FLOOR["healthy_alarmed"], false


@pytest.mark.parametrize("seed", [70003, 70006])
def test_an_api_that_answers_in_errors(tmp_path, seed):
    capture, truth = make(seed, tmp_path, "full", "api-errors")
    row = judge.judge(truth, said_of(capture))
    assert row["want"] and row["right"], row
    told = [line for line in weir("replay", "--json", "--records", "incident", *LOCAL, capture).splitlines() if '"layer":"api"' in line]
    assert any("answers its apps in errors, while who watches goes on" in line for line in told), told
