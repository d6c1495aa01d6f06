"""What weir says of the viewers of made-up sites (tests/world/viewers), whose players keep a buffer and know what they showed."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

WORLD = pathlib.Path(__file__).resolve().parents[1] / "world"
sys.path.insert(0, str(WORLD))
import judge_viewers  # noqa: E402


def rows(tmp_path, seeds, *options):
    done = subprocess.run([WORLD / "viewers", "--seeds", seeds, "--json", "--keep", tmp_path, *options], capture_output=True, text=True,
                          timeout=500, check=True, env=os.environ)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_viewers_of_worlds(tmp_path):
    """Seeds of no other use. The bounds lie below what was measured on many more worlds, which tests/world/README.md has."""
    found = judge_viewers.sums(rows(tmp_path, "61001-61012"))
    assert found["viewers"] >= 40
    assert found["found"] == found["viewers"]
    assert found["rebuffering"] >= 0.8 * found["viewers"]
    assert found["bitrate"] >= 0.85 * found["viewers"]
    assert found["buffer"] >= 0.88 and found["buffer_told"] >= 0.8


def test_nobody_stalls_at_a_healthy_site(tmp_path):
    """Pauses, jumps, closes and long buffers are among them."""
    films = [row for row in rows(tmp_path, "61101-61106", "--fault", "none") if not row["live"]]
    assert len(films) >= 10
    assert sum(row["false"] for row in films) <= len(films) // 20


@pytest.mark.parametrize("said, true, want", [
    ([(10, 15)], [[11, 16]], (1, 0, 0)),
    ([(10, 15)], [], (0, 1, 0)),
    ([], [[11, 16]], (0, 0, 1)),
    ([(10, 15), (30, 34)], [[9, 36]], (2, 0, 0)),
])
def test_the_judge_counts_stalls(said, true, want):
    viewer = {"alone": True, "medium": "v", "begun": 2.0, "segments": 20, "client": ["10.0.0.1"], "service": "netflix", "from": 1.0, "end": 60.0,
              "stalls": true, "jumps": [], "player": "one", "bitrate": 1e6, "segment_s": 4, "states": "e" + "l" * 5 + "f" * 50}
    session = {"service": "netflix", "client": "10.0.0.1", "start_ts": 101, "end_ts": 160, "startup_us": 1e6, "bitrate_bps": 1e6, "segment_us": 4e6,
               "stalled_us": sum(b - a for a, b in said) * 1e6, "stalls": [{"start_ts": 100 + a, "duration_us": (b - a) * 1e6} for a, b in said],
               "buffer_states": [{"ts": 102, "state": "low"}, {"ts": 107, "state": "full"}]}
    row = judge_viewers.judge(viewer, [session], 100)
    assert (row["hit"], row["false"], row["missed"]) == want
    assert row["states"][0] == row["states"][1] > 40
    assert abs(row["startup_error"]) < 0.001


def test_the_judge_asks_nothing_of_a_jump():
    viewer = {"alone": True, "medium": "v", "begun": 2.0, "segments": 20, "client": ["fd00::1"], "service": "netflix", "from": 1.0, "end": 60.0,
              "stalls": [], "jumps": [[20, 30]], "player": "one", "bitrate": 1e6, "segment_s": 4, "states": "e" + "f" * 55}
    session = {"service": "netflix", "client": "fd00::1", "start_ts": 101, "end_ts": 160, "startup_us": None, "bitrate_bps": None, "segment_us": None,
               "stalled_us": 8e6, "stalls": [{"start_ts": 121, "duration_us": 8e6}], "buffer_states": []}
    row = judge_viewers.judge(viewer, [session], 100)
    assert (row["false"], row["ratio_error"]) == (0, 0)
