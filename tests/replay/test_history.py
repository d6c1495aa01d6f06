"""weir history, from history.db and from Redis: the same answers, a live run's hours, and what a reader without rights can do."""
import json
import os
import pathlib
import re
import sqlite3
import subprocess

import pytest

from conftest import PCAPS, packets_until, weir


@pytest.fixture
def state(tmp_path):
    directory = tmp_path / "state"
    directory.mkdir()
    weir("replay", "-q", "--state", directory, PCAPS / "outage.pcap")
    return directory


def history(*arguments):
    told = json.loads(weir("history", "--json", *arguments))
    for incident in told["incidents"]:
        incident.pop("clients_hit")  # keyed by another key in each run
    return told


def test_outage_and_availability(state):
    told = history("--state", state)
    netflix = told["services"]["netflix"]["all"]
    (incident,) = told["incidents"]
    assert incident["duration_s"] == int((incident["recovered_ts"] or incident["cleared_ts"]) - incident["onset_ts"])
    longer = incident["duration_s"] - netflix["down_s"]
    assert netflix["judged_s"] == 190 and 50 <= netflix["down_s"] <= 60 and -10 <= longer <= (10 if incident["recovered_ts"] else 60), "put right by onset and recovery"
    assert netflix["judged_s"] == sum(netflix[part + "_s"] for part in ("healthy", "degraded", "partial", "down"))
    assert netflix["up"] == pytest.approx(1 - netflix["down_s"] / 190, abs=1e-6)
    assert told["services"]["youtube"]["all"]["up"] == 1
    assert told["services"]["other"]["all"]["up"] is None, "what was never judged has no availability"
    assert incident["service"] == "netflix" and incident["event"] == "cleared" and 50 <= incident["duration_s"] <= 60
    days = told["services"]["netflix"]["day"]
    assert [day["judged_s"] for day in days] == [190], "days in which nothing was judged have no row"


def test_text_csv_and_errors(state, tmp_path):
    text = weir("history", "--state", state, "netflix")
    up = history("--state", state)["services"]["netflix"]["all"]["up"]
    assert f"{up * 100:.3f} %" in text and "netflix    down" in text and "2026-11-23" in text
    rows = [line.split(",") for line in weir("history", "--state", state, "--csv", "--by", "month", "--since", "62d").splitlines()]
    assert {len(row) for row in rows} == {12} and ["netflix", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "190"] in [row[:4] for row in rows]
    outages = weir("history", "--state", state, "--csv", "--outages").splitlines()
    assert len(outages) == 2 and outages[1].startswith("netflix-")
    assert len(re.findall(r"(?m)^2026-\d\d-\d\d  .* %", text)) == 1 and not re.search(r"(?m)^2026-\d\d-\d\d +-", text)
    assert weir("history", "--state", state, "hulu") == "nothing recorded of hulu yet\n"
    weir("history", "--state", state, "netflux", code=2)
    assert "did you mean netflix" in weir.stderr
    weir("history", "--state", state, "nosuch", code=2)
    weir("history", "--state", tmp_path, code=2)
    assert "no history yet" in weir.stderr
    weir("history", "--state", state, "--since", "yesterday", code=2)


def test_an_outage_that_stands_at_a_captures_end(tmp_path):
    """It lasted until the last packet, as far as anybody knows: not until the hour's end, and not until today."""
    capture = tmp_path / "standing.pcap"
    capture.write_bytes(packets_until(PCAPS / "outage.pcap", 1795469650))
    weir("replay", "-q", "--state", tmp_path, capture)
    (incident,) = history("--state", tmp_path)["incidents"]
    assert not incident["cleared_ts"] and 30 <= incident["duration_s"] <= 41
    assert f"{incident['duration_s']} s so far" in weir("history", "--state", tmp_path, "--outages")


def test_replayed_again_nothing_is_counted_twice(state):
    before = history("--state", state)
    weir("replay", "-q", "--state", state, PCAPS / "outage.pcap")
    assert history("--state", state) == before


def test_redis_tells_the_same(redis, state):
    for _ in range(2):
        weir("replay", "-q", "--redis", redis.url, PCAPS / "outage.pcap")
    assert history("--redis", redis.url) == history("--state", state)
    assert set(redis.cli("SMEMBERS", "weir:{replay:outage.pcap}:services").split()) == {"netflix", "youtube", "disneyplus", "other"}
    assert redis.cli("XLEN", "weir:{replay:outage.pcap}:hours:netflix") == "1"
    assert int(redis.cli("TTL", "weir:{replay:outage.pcap}:hours:netflix")) > 90 * 86400
    assert redis.cli("EXISTS", "weir:{replay:outage.pcap}:open") == "0", "all is over"


def test_what_is_open_stands_in_redis(redis, tmp_path):
    cut = tmp_path / "cut.pcap"
    subprocess.run(["editcap", "-B", "2026-11-23T21:34:40Z", PCAPS / "outage.pcap", cut], check=True)
    weir("replay", "-q", "--redis", redis.url, "--site", "home", cut)
    opened = redis.cli("HGETALL", "weir:{home}:open", as_json=True)
    (record,) = [json.loads(text) for text in opened.values()]
    assert list(opened) == [record["id"]] and record["service"] == "netflix" and record["event"] in ("raised", "updated")
    weir("replay", "-q", "--redis", redis.url, "--site", "home", PCAPS / "healthy.pcap")
    assert redis.cli("EXISTS", "weir:{home}:open") == "0", "nothing of an earlier run stays open"


def test_the_tables(state):
    """The tables themselves, as anybody with sqlite3 reads them."""
    database = sqlite3.connect(state / "history.db")
    rows = database.execute("SELECT s.name, healthy, down, ok, fail FROM hours JOIN services s ON s.id = service ORDER BY 1").fetchall()
    assert [row[0] for row in rows] == ["disneyplus", "netflix", "other", "youtube"] and rows[1][1] + rows[1][2] == 190
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert database.execute("SELECT event FROM events ORDER BY seq").fetchall() == [("raised",), ("updated",), ("cleared",)]


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_who_may_only_read(state):
    """Where no probe runs, and the reader may not write there."""
    for path in [state, *state.parents]:
        if pathlib.Path("/tmp") == path:
            break
        path.chmod(0o755)
    done = subprocess.run([os.environ.get("WEIR", "build/src/weir"), "history", "--json", "--state", state], capture_output=True, user="nobody", text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["services"]["netflix"]["all"]["down_s"] > 0
