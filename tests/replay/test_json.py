"""NDJSON: every line fits the schema; the same bytes with any number of workers, from any form of the capture."""
import importlib.util
import json
import pathlib
import subprocess

import jsonschema
import pytest

from conftest import PCAPS, TOP, WEIR, weir

ALL = ("replay", "--json", "--records", "flow,window,service,session,incident,capture", "--site", "test")
VALIDATOR = jsonschema.Draft7Validator(json.loads((TOP / "tests/schema/record.schema.json").read_text()))


def check(text):
    lines = text.splitlines()
    assert lines
    for number, line in enumerate(lines, 1):
        errors = [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in VALIDATOR.iter_errors(json.loads(line))]
        assert not errors, f"line {number}: {errors[:3]} in {line[:300]}"


@pytest.mark.parametrize("name", ["healthy.pcap", "outage.pcap"])
def test_schema(name):
    check(weir(*ALL, PCAPS / name))


def test_the_schema_knows_what_the_program_may_say():
    spec = importlib.util.spec_from_file_location("made", TOP / "tests/schema/made.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.PATH.read_text() == made.made(made.PATH.read_text(), WEIR), f"run: tests/schema/made.py {WEIR}"


def test_schema_on_public_captures(public_capture):
    for capture in sorted(pathlib.Path(public_capture("netflix.pcap")).parent.glob("*.pcap*")):
        check(weir(*ALL, capture))


def test_times_have_six_decimals():
    for line in weir(*ALL, PCAPS / "healthy.pcap").splitlines():
        assert len(line.split('"ts":')[1].split(",")[0].split(".")[1]) == 6


@pytest.mark.parametrize("name", ["healthy.pcap", "outage.pcap"])
def test_same_bytes_with_any_workers_and_form(name, tmp_path):
    whole = (PCAPS / name).read_bytes()
    want = weir(*ALL, PCAPS / name)
    zst, gz = tmp_path / "capture.zst", tmp_path / "capture.gz"
    zst.write_bytes(subprocess.run(["zstd", "-qc"], input=whole, stdout=subprocess.PIPE, check=True).stdout)
    gz.write_bytes(subprocess.run(["gzip", "-c"], input=whole, stdout=subprocess.PIPE, check=True).stdout)
    assert weir(*ALL, "--workers", "2", PCAPS / name) == want
    assert weir(*ALL, "--workers", "5", PCAPS / name) == want
    assert weir(*ALL, zst) == want
    assert weir(*ALL, "--workers", "2", gz) == want
    assert weir(*ALL, "-", stdin=whole) == want
    assert weir(*ALL, "--workers", "2", "-", stdin=zst.read_bytes()) == want


def test_same_bytes_on_public_captures(public_capture):
    for name in ("netflix.pcap", "sites.pcapng", "short_clean_dump.pcap", "android.pcap", "youtube_quic.pcap"):
        capture = public_capture(name)
        assert weir(*ALL, capture) == weir(*ALL, "--workers", "3", capture), name


def test_several_files_are_one_capture(tmp_path):
    """The outage cut into two files, given in the wrong order, says what the whole says."""
    first, second = tmp_path / "b.pcap", tmp_path / "a.pcap"
    subprocess.run(["tshark", "-r", PCAPS / "outage.pcap", "-F", "pcap", "-w", first, "-Y", "frame.number <= 7000"], check=True, capture_output=True)
    subprocess.run(["tshark", "-r", PCAPS / "outage.pcap", "-F", "pcap", "-w", second, "-Y", "frame.number > 7000"], check=True, capture_output=True)
    assert weir(*ALL, second, first) == weir(*ALL, PCAPS / "outage.pcap")


def test_only_the_records_asked_for():
    lines = weir("replay", "--json", "--records", "service,incident", PCAPS / "outage.pcap").splitlines()
    assert {json.loads(line)["type"] for line in lines} == {"service", "incident"}
    default = weir("replay", "--json", PCAPS / "outage.pcap").splitlines()
    assert {json.loads(line)["type"] for line in default} == {"window", "service", "session", "incident", "capture"}


def test_clients_plain_pseudonym_none(tmp_path):
    def clients(*options):
        return {json.loads(line)["client"]["addr"] for line in weir(*ALL, *options, PCAPS / "healthy.pcap").splitlines() if '"type":"flow"' in line}
    assert clients() == {"10.77.0.11", "10.77.0.12", "10.77.0.13"}
    key = tmp_path / "key"
    hidden = clients("--clients", "pseudonym", "--key-file", key)
    assert len(hidden) == 3 and all(name.startswith("c-") for name in hidden)
    assert clients("--clients", "pseudonym", "--key-file", key) == hidden, "the key is kept"
    assert key.stat().st_mode & 0o777 == 0o600
    assert clients("--clients", "pseudonym", "--key-file", tmp_path / "other") != hidden
    assert clients("--clients", "none") == {None}
