"""Captures of a laboratory that knew nothing of ours (strangers/README.md)."""
import pathlib

import pytest

from conftest import records

HERE = pathlib.Path(__file__).parent / "strangers"


def told(name):
    return [(record["event"], record["service"], record["cause"]) for record in records(HERE / f"{name}.pcap.zst", kind="incident")
            if record["event"] in ("raised", "cleared")]


@pytest.mark.parametrize("name, services", [("two", ["spotify", "disneyplus"]), ("solospot", ["spotify"]), ("hother", [])])
def test_what_failed_is_told_and_nothing_else(name, services):
    wanted = [("raised", service, "service") for service in services] + [("cleared", service, "service") for service in services]
    assert told(name) == wanted
