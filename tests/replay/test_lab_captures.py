"""Captures of the laboratory (tests/lab), cut small: what weir says of each is what was done, and nothing besides.

Each pcaps/lab-NAME.pcap.zst has a label beside it: when which fault began and ended, and what players went through. The same
judge as the laboratory's (tests/lab/score.py) compares; here each must be right.
"""
import importlib.util
import json

import pytest

from conftest import PCAPS, TOP, weir

LABELS = sorted(PCAPS.glob("lab-*.json"))


def load_score():
    spec = importlib.util.spec_from_file_location("score", TOP / "tests" / "lab" / "score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCORE = load_score()


def incidents_of(label_path):
    capture = label_path.with_suffix(".pcap.zst")
    return SCORE.parse_incidents(weir("replay", "--json", "--records", "incident", "--clients", "plain", capture))


def test_captures_are_there():
    assert len(LABELS) >= 10


@pytest.mark.parametrize("label_path", LABELS, ids=[path.stem for path in LABELS])
def test_verdict(label_path):
    label = json.loads(label_path.read_text())
    row = SCORE.judge(label, incidents_of(label_path), "-")
    assert row["verdict"] in ("ok", "ok (nothing)"), f"{row['expected']} expected, said {row['said']}; besides: {row['others']}"
    if row["detect"] is not None:
        assert abs(row["onset"]) <= 20, f"onset off by {row['onset']:.0f} s"


def test_a_sick_service_leaves_the_others_unblamed():
    """Of every incident of one service the sentence and the list of competitors name others that work."""
    told = [records[0] for path in LABELS for records in incidents_of(path) if records[0]["service"] and records[0]["cause"] == "service"]
    assert told
    for incident in told:
        assert incident["controls"]["total"] > 0 and incident["controls"]["fail"] <= incident["controls"]["total"] / 4
