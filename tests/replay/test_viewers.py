"""What viewers went through, as the players' own logs have it, against `session` records: runs of the laboratory in pcaps/, and two real
sessions where the public captures are here."""
import functools
import json

import pytest

from conftest import PCAPS, records

# Runs in which each viewer has an address of his own, of one family, and media of its own service.
STALLED = {"frozen": ["netflix"], "unreachable": ["netflix"], "shared_cdn": ["hulu", "max"]}
HEALTHY = ["blocked", "dead_ipv6", "leaves"]


@functools.lru_cache
def run(name):
    label = json.loads((PCAPS / f"lab-{name}.json").read_text())
    return label, records(PCAPS / f"lab-{name}.pcap.zst", kind="session")


def sessions(name, service):
    return [session for session in run(name)[1] if session["service"] == service]


@pytest.mark.parametrize("name", [*STALLED, *HEALTHY])
def test_nobody_stalls_whose_player_did_not(name):
    label, _ = run(name)
    for service, players in label["players"].items():
        if service == "other" or players["stalls"]:
            continue
        found = sessions(name, service)
        assert len(found) in (0, players["players"]), f"{service}: {len(found)} sessions of {players['players']} players"
        assert [session["stalls"] for session in found if session["stalls"]] == [], service
        assert all(session["confidence"] == "none" and session["stalled_us"] == 0 for session in found), service


@pytest.mark.parametrize("name, service", [(name, service) for name, services in STALLED.items() for service in services])
def test_stalls_are_those_of_the_players(name, service):
    label, _ = run(name)
    truth, found = label["players"][service], sessions(name, service)
    assert len(found) == truth["players"]
    long = [stall for session in found for stall in session["stalls"] if stall["duration_us"] >= 1e6]
    assert len(long) == truth["stalls"]
    assert abs(min(stall["start_ts"] for stall in long) - truth["first_stall"]) < 2
    assert abs(sum(session["stalled_us"] for session in found) / 1e6 - truth["stalled_s"]) < 1.5 * truth["players"]


@pytest.mark.parametrize("name", [*STALLED, *HEALTHY])
def test_the_rhythm_is_that_of_the_segments(name):
    """All players of that laboratory fetch segments of four seconds."""
    known = [session["segment_us"] for session in run(name)[1] if session["segment_us"]]
    assert known and all(3_900_000 < us < 4_100_000 for us in known)


def test_windows_tell_who_watches_and_who_stalls():
    found = records(PCAPS / "lab-unreachable.pcap.zst", kind="window")
    netflix = [window["viewers"] for window in found if window["service"] == "netflix"]
    assert max(viewers["watching"] or 0 for viewers in netflix) == 3
    assert max(viewers["stalled"] or 0 for viewers in netflix) == 3
    assert max(viewers["stalled_share"] or 0 for viewers in netflix) == 1
    others = [window["viewers"] for window in found if window["service"] in ("youtube", "hulu", "max", "disneyplus")]
    assert max(viewers["watching"] or 0 for viewers in others) >= 2
    assert max(viewers["stalled"] or 0 for viewers in others) == 0


def test_a_real_session_that_never_stalled(public_capture):
    found = [session for session in records(public_capture("baseline_Mar22_exp_41.pcap"), kind="session") if session["service"] == "youtube"]
    assert len(found) == 1
    assert found[0]["stalls"] == [] and found[0]["startup_us"] < 3_000_000


def test_a_real_session_that_stood_still(public_capture):
    """A device that walks out of its WiFi's reach; seconds since the capture's first packet, by the player's own log. All
    three stalls are told; they begin up to 5 s off, and end within 3 s."""
    told = records(public_capture("movement_Apr20_exp_135.pcap"))
    (session,) = [record for record in told if record["type"] == "session" and record["service"] == "youtube"]
    (begun,) = [record["first_ts"] for record in told if record["type"] == "capture"]
    said = [(stall["start_ts"] - begun, stall["start_ts"] - begun + stall["duration_us"] / 1e6) for stall in session["stalls"]]
    true = [(121.4, 141.6), (306.4, 332.5), (488.5, 518.3)]
    found = [[i for i, its in enumerate(true) if abs(mine[0] - its[0]) <= 5 and abs(mine[1] - its[1]) <= 3] for mine in said]
    assert session["confidence"] == "possible" and found == [[0], [1], [2]], said
    assert not [record for record in told if record["type"] == "incident" and record["cause"] in ("service", "cdn", "cdn_path")]
