"""Failures and successes that real servers, resolvers and dropped packets made (tests/outcomes): what weir says of each
capture must be what the method's rules say of it."""
import json
import sys

import pytest

from conftest import TOP, records

OUTCOMES = TOP / "tests" / "outcomes"
sys.path.insert(0, str(OUTCOMES))
import check  # noqa: E402

EXPECTED = json.loads((OUTCOMES / "expected.json").read_text())


@pytest.mark.parametrize("name", EXPECTED)
def test_outcome(name):
    wrong = check.mismatches(records(OUTCOMES / "captures" / f"{name}.pcap"), EXPECTED[name])
    assert not wrong, f"{EXPECTED[name]['did']}: " + "; ".join(wrong)


def test_every_capture_has_a_case():
    assert {path.stem for path in (OUTCOMES / "captures").glob("*.pcap")} == set(EXPECTED)
