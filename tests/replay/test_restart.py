"""A restart in the middle of an outage: one incident with one id, told once as raised, cleared when it is over."""
import json
import struct
import subprocess

import pytest

from conftest import PCAPS, WEIR
from test_blind import unread

CAPTURE = PCAPS / "outage.pcap"


def incidents(*arguments):
    done = subprocess.run([WEIR, "replay", "-q", "--json", "--records", "incident", *map(str, arguments)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def cut(directory, at):
    """The capture in two files, before and from `at` on (seconds of the epoch)."""
    data = CAPTURE.read_bytes()
    halves, offset = ([data[:24]], [data[:24]]), 24
    while offset < len(data):
        seconds, micros, length, _ = struct.unpack_from("<IIII", data, offset)
        halves[seconds + micros / 1e6 >= at].append(data[offset:offset + 16 + length])
        offset += 16 + length
    paths = directory / "first.pcap", directory / "second.pcap"
    for path, half in zip(paths, halves):
        path.write_bytes(b"".join(half))
    return paths


@pytest.fixture(scope="module")
def whole():
    return incidents(CAPTURE)[0]


@pytest.fixture
def halves(tmp_path, whole):
    raised = next(i for i in whole if i["event"] == "raised")
    return cut(tmp_path, raised["ts"] + 12)


def test_one_incident(tmp_path, halves, whole):
    state = tmp_path / "state"
    state.mkdir()
    first, _ = incidents("--state", state, halves[0])
    second, said = incidents("--state", state, halves[1])
    assert "not used" not in said
    assert [i["event"] for i in first] == ["raised", "updated"]
    assert second[0]["event"] == "updated" and second[-1]["event"] == "cleared"
    assert not any(i["event"] == "raised" for i in second)
    assert {i["id"] for i in first + second} == {whole[0]["id"]}
    assert second[-1]["onset_ts"] == whole[-1]["onset_ts"] and second[-1]["service"] == whole[-1]["service"]


def test_without_the_state_it_is_forgotten(halves, whole):
    second, _ = incidents(halves[1])
    assert whole[0]["id"] not in {i["id"] for i in second}


def test_blind_before_the_restart_is_over_after_it(tmp_path):
    """Whoever was told that the monitor is blind is told that it sees again."""
    state = tmp_path / "state"
    state.mkdir()
    unread(tmp_path / "unread.pcap", 0.44)
    first, _ = incidents("--state", state, tmp_path / "unread.pcap")
    second, _ = incidents("--state", state, CAPTURE)  # begins seconds later
    ends = [i for i in second if i["cause"] == "capture" and i["event"] == "cleared"]
    assert [i["cause"] for i in first if i["event"] == "raised"] == ["capture"]
    assert [i["id"] for i in ends] == [first[0]["id"]]
    assert any("of the packets could not be decoded until" in i["text"] for i in second), "and why it was blind"


def damaged(data):
    yield "cut", data[:len(data) // 2], "damaged"
    yield "flipped", data[:-1] + bytes([data[-1] ^ 1]), "damaged"
    yield "another version", data[:8] + b"\x63\0\0\0" + data[12:], "another version"
    yield "something else", b"#!/bin/sh\n" * 20, "not a state of weir's"
    yield "empty", b"", "not a state of weir's"


def test_unusable_state_is_told_and_passed_over(tmp_path, halves):
    state = tmp_path / "state"
    state.mkdir()
    incidents("--state", state, halves[0])
    file = state / "engine.state"
    plain, _ = incidents(halves[1])
    for name, data, why in damaged(file.read_bytes()):
        file.write_bytes(data)
        again, said = incidents("--state", state, halves[1])
        assert why in said and str(file) in said, (name, said)
        assert again == plain, name


def test_state_of_a_later_time(tmp_path, halves):
    state = tmp_path / "state"
    state.mkdir()
    incidents("--state", state, CAPTURE)
    first, said = incidents("--state", state, halves[0])
    assert "later time" in said
    assert first == incidents(halves[0])[0]


def early_failures(capture, *arguments):
    """How the connections of the capture's first seconds that nobody answered were named, by clients that do not ask DNS again."""
    done = subprocess.run([WEIR, "replay", "-q", "--json", "--records", "flow", "--filter", "not port 53", *map(str, arguments), str(capture)],
                          capture_output=True, text=True, check=True)
    flows = [json.loads(line) for line in done.stdout.splitlines()]
    begin = min(f["first_ts"] for f in flows)
    failed = [f for f in flows if f["outcome"] == "syn_timeout" and f["first_ts"] < begin + 8]
    return {(f["service"], f["named_by"]) for f in failed}, done.stderr


def test_names_that_clients_were_told_survive(tmp_path, halves):
    """A SYN says no name: what DNS told the client before the restart names it, where nothing of this run could."""
    state = tmp_path / "state"
    state.mkdir()
    incidents("--state", state, halves[0])
    (state / "engine.state").unlink()
    kept = (state / "names.state").read_bytes()
    forgotten, _ = early_failures(halves[1])
    assert forgotten and ("netflix", "dns") not in forgotten
    for workers in 1, 3:
        (state / "names.state").write_bytes(kept)
        named, said = early_failures(halves[1], "--state", state, "--workers", workers)
        assert named == {("netflix", "dns")} and not said
        (state / "engine.state").unlink()
    (state / "names.state").write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    named, said = early_failures(halves[1], "--state", state)
    assert named == forgotten and "names.state: damaged" in said
    early, _ = early_failures(halves[0], "--state", state)
    assert early_failures(halves[0])[0] == early  # of a later time: nothing is made of it
