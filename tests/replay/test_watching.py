"""What a viewer does by himself is no stall: pauses, jumps, leaving, long buffers, two screens behind one address. And what a service does to
the same viewer is one, or the others would prove nothing."""
import forge
import pytest
import watching
from conftest import records


def told(tmp_path, *viewers):
    """Sessions and incidents of a capture of these."""
    path = forge.capture(tmp_path / "watching.pcap", [one for viewer in viewers for one in viewer.frames])
    found = records(path, "--clients", "plain")
    return [record for record in found if record["type"] == "session"], [record for record in found if record["type"] == "incident"]


def watched():
    """A minute and a half of a film, with a buffer of 24 s."""
    viewer = watching.Viewer()
    viewer.watch(90)
    return viewer


def pauses(viewer):
    viewer.pause(100)
    viewer.watch(30)


def pauses_and_connects_again(viewer):
    viewer.pause(70)
    viewer.leave()
    viewer.ends["up"] = (viewer.ends["up"][0], 40001)
    viewer.pause(1)
    viewer.connect()
    viewer.watch(30)


def jumps(viewer):
    for _ in range(3):
        viewer.jump()
        viewer.watch(30)


def leaves(viewer):
    viewer.leave()


def goes_away_without_a_word(viewer):
    viewer.pause(0)


@pytest.mark.parametrize("does", [pauses, pauses_and_connects_again, jumps, leaves, goes_away_without_a_word])
def test_what_a_viewer_does_is_no_stall(tmp_path, does):
    viewer, other = watched(), watching.Viewer(client="192.168.1.21", port=41000)
    does(viewer)
    other.watch(viewer.at + 60)  # the capture goes on behind whoever left
    sessions, incidents = told(tmp_path, viewer, other)
    assert len(sessions) == 2 and incidents == []
    for session in sessions:
        assert session["stalls"] == [] and session["stalled_us"] == 0 and session["confidence"] == "none"
        assert 3_800_000 < session["segment_us"] < 4_200_000


def test_a_buffer_that_lasts_for_110_seconds_is_no_stall(tmp_path):
    """Filled to two minutes, then left alone until ten seconds are left. Its rhythm is never known, so each
    filling is a session."""
    viewer = watching.Viewer(size=40_000, cap_s=120)
    viewer.watch(600, low_s=10)
    sessions, incidents = told(tmp_path, viewer)
    assert sessions and incidents == []
    assert all(not session["stalls"] and not session["stalled_us"] for session in sessions)
    assert sum(session["chunks"] for session in sessions) == viewer.segments


def test_two_screens_behind_one_address_are_no_stall(tmp_path):
    one, other = watched(), watching.Viewer(port=42000, at=7)
    one.watch(60)
    other.watch(60)  # the first goes on alone
    (session,), incidents = told(tmp_path, one, other)
    assert (session["stalls"], session["stalled_us"] or 0, incidents) == ([], 0, [])


def test_a_service_that_says_nothing_for_a_minute_is_one(tmp_path):
    """The same viewer: its buffer of 24 s is empty before the answer comes."""
    viewer = watched()
    empty = viewer.at + viewer.loaded_s - viewer.played_s
    viewer.segment(answered_s=60)
    resumed = viewer.at
    viewer.watch(40)
    (session,), _ = told(tmp_path, viewer)
    (stall,) = session["stalls"]
    assert abs(stall["start_ts"] - forge.START - empty) < 2
    assert abs(stall["start_ts"] - forge.START + stall["duration_us"] / 1e6 - resumed) < 2
