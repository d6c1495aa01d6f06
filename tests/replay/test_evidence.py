"""Evidence files: they lead to the same verdict, open in tshark, and hold no client and no stranger's name."""
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import test_worlds
from conftest import PCAPS, TOP, WEIR, weir

os.environ["WEIR"] = WEIR
spec = importlib.util.spec_from_file_location("evidence_table", TOP / "tests" / "evidence" / "table.py")
table = importlib.util.module_from_spec(spec)
spec.loader.exec_module(table)


@pytest.mark.parametrize("name", ["outage.pcap", "lab-unreachable.pcap.zst", "lab-uplink.pcap.zst"])
def test_same_verdict_and_nobody_named(name):
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    found = list(table.rows(PCAPS / name))
    assert found and not [row for row in found if row[2]], found


@pytest.mark.parametrize("seed", [81002, 81007])
def test_a_way_out_that_loses(tmp_path, seed):
    """Made worlds (tests/world) in which 3 % are lost on the way out: all of that, and who starves, finds room."""
    capture, _ = test_worlds.make(seed, tmp_path, "shared-flat", "uplink-lossy")
    weir("replay", "-q", *test_worlds.LOCAL, "--evidence", tmp_path / "evidence", capture)
    (path,) = (tmp_path / "evidence").glob("uplink-*.pcapng")
    told = {table.verdict(record) for record in table.records(path)}
    assert table.comment(path) in told, told
    assert path.stat().st_size <= 1000000


def test_same_bytes_with_any_workers(tmp_path):
    for workers in (1, 3):
        weir("replay", "-q", "--workers", workers, "--evidence", tmp_path / str(workers), PCAPS / "outage.pcap")
    (one,), (three,) = (list((tmp_path / name).glob("*.pcapng")) for name in ("1", "3"))
    assert one.name == three.name and one.read_bytes() == three.read_bytes()


def test_the_command(tmp_path):
    weir("replay", "-q", "--evidence", tmp_path / "evidence", PCAPS / "outage.pcap")
    (name,) = [path.stem for path in (tmp_path / "evidence").iterdir()]
    assert weir("evidence", "--state", tmp_path).split()[0] == name
    path = pathlib.Path(weir("evidence", "--state", tmp_path, name).strip())
    weir("evidence", "--state", tmp_path, "--output", tmp_path / "copy.pcapng", name)
    assert path.read_bytes() == (tmp_path / "copy.pcapng").read_bytes()
    weir("evidence", "--state", tmp_path, "netflix-1", code=2)
    weir("evidence", "--state", tmp_path, "../../etc/passwd", code=2)
    incidents = [json.loads(line) for line in weir("replay", "-q", "--json", "--records", "incident", path).splitlines()]
    assert incidents[-1]["service"] == "netflix" and incidents[-1]["state"] == "down"


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    weir("replay", "-q", "--evidence", tmp_path / "file" / "evidence", PCAPS / "outage.pcap", code=1)
    assert "--evidence" in weir.stderr


def test_its_place_is_made(tmp_path):
    weir("replay", "-q", "--evidence", tmp_path / "new" / "dir", PCAPS / "outage.pcap")
    assert len(list((tmp_path / "new" / "dir").glob("*.pcapng"))) == 1
    weir("replay", "-q", "--evidence", tmp_path / "two" / "levels" / "dir", PCAPS / "outage.pcap", code=1)
    assert not (tmp_path / "two").exists()


def test_its_cost_is_bounded():
    """--evidence takes memory only as it is used, and refuses what is no size."""
    done = subprocess.run([WEIR, "live", "-i", "lo", "--evidence", "1MB"], capture_output=True, text=True)
    assert done.returncode == 2 and "--evidence '1MB'" in done.stderr
