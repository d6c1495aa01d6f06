"""What weir says at the prompt: of an outage that stands, of one that is over, of nothing at all; from Redis and from the state directory."""
import json
import re
import os
import pathlib
import signal
import struct
import subprocess
import time

import pytest

from conftest import PCAPS, Redis, WEIR, weir

OUTAGE_STANDS = 1795469650  # netflix stops answering at 1795469611 in outage.pcap, and answers again at about 1795469690


@pytest.fixture(scope="session")
def standing(tmp_path_factory):
    """outage.pcap, cut off while the outage stands."""
    data = (PCAPS / "outage.pcap").read_bytes()
    at, order = 24, "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    while at < len(data):
        seconds, _, captured, _ = struct.unpack_from(order + "IIII", data, at)
        if seconds >= OUTAGE_STANDS:
            break
        at += 16 + captured
    path = tmp_path_factory.mktemp("standing") / "outage.pcap"
    path.write_bytes(data[:at])
    return path


@pytest.fixture(params=["redis", "state"])
def place(request, tmp_path):
    """Where a replay writes and the prompt reads: options for both."""
    if request.param == "redis":
        return ["--redis", request.getfixturevalue("redis").url]
    return ["--state", str(tmp_path)]


def test_outage_then_recovery(place, standing):
    weir("replay", *place, standing)
    text = weir("status", *place, "netflix", code=3)
    first = text.splitlines()[0]
    assert "netflix" in first and "down" in first and re.search("21:33:(2[89]|3[01])", first) and "the service itself" in first
    assert "unanswered" in text and "youtube" in text
    answer = json.loads(weir("status", *place, "--json", "netflix", code=3))
    assert answer["health"] == "sick" and answer["state"] == "down" and answer["incident"]["cause"] == "service"
    assert "netflix is down" in weir("status", *place, code=3)
    weir("status", *place, "youtube", code=0)
    assert text.splitlines()[-1].endswith("weir clients netflix")

    weir("replay", *place, PCAPS / "outage.pcap")
    assert "weir clients" not in weir("status", *place)
    assert "netflix works" in weir("status", *place, "netflix", code=0)
    assert json.loads(weir("status", *place, "--json", code=0))["health"] == "healthy"


def test_all_say_that_a_service_recovers(tmp_path, standing):
    """The incident stands, the newest window is recovering: status says the latter, as the report and the page do, and not that it is down."""
    weir("replay", "--state", tmp_path, standing)
    path = tmp_path / "status.json"
    whole = json.loads(path.read_text())
    assert whole["services"]["netflix"]["window"]["state"] == "down"
    whole["services"]["netflix"]["window"].update(state="recovering", end_ts=whole["incidents"][-1]["ts"] + 1)
    path.write_text(json.dumps(whole))
    for arguments in (["netflix"], []):
        text = weir("status", "--state", tmp_path, *arguments, code=3)
        assert "netflix is recovering" in text and "is down" not in text.splitlines()[0]
    assert json.loads(weir("status", "--state", tmp_path, "--json", "netflix", code=3))["state"] == "recovering"


def test_what_never_worked_is_said_to_be_so(place):
    """Blocked, but looked up: many trials were seen, and no word is of too few."""
    report = weir("replay", *place, PCAPS / "lab-blocked.pcap.zst")
    assert "never worked in this capture, so not judged" in " ".join(report.split())
    said = " ".join(weir("status", *place, "netflix", code=4).split())
    assert "netflix is not known to work at site" in said and "trials failed" in said


def test_too_little_seen_is_unknown_not_healthy(place):
    weir("replay", *place, PCAPS / "healthy.pcap")
    assert "Unknown" in weir("status", *place, "hulu", code=4)
    assert "Unknown" in weir("status", *place, "other", code=4)


def test_a_probe_that_fell_silent_is_unknown(tmp_path):
    weir("replay", "--state", tmp_path, PCAPS / "healthy.pcap")
    path = tmp_path / "status.json"
    whole = json.loads(path.read_text())
    whole["mode"] = whole["probe"]["mode"] = "live"  # as if an interface had been watched until then
    path.write_text(json.dumps(whole))
    assert "of now nothing is known" in weir("status", "--state", tmp_path, "netflix", code=4), "written just now: weir live --from of old packets"
    os.utime(path, (time.time() - 600, time.time() - 600))
    assert "last heard" in weir("status", "--state", tmp_path, "netflix", code=4)
    whole["probe"]["seen_ts"] = time.time()
    path.write_text(json.dumps(whole))
    assert "nobody" in weir("status", "--state", tmp_path, "netflix", code=4)  # heard, but the last window is hours old
    weir("replay", "--state", tmp_path, PCAPS / "healthy.pcap", code=1)
    assert "weir live" in weir.stderr, "a replay does not replace an interface's file"


def test_what_is_wrong_is_said(redis, tmp_path):
    weir("status", "--redis", "redis://127.0.0.1:1", code=1)
    assert "127.0.0.1:1" in weir.stderr and "cannot reach" in weir.stderr
    weir("status", "--redis", redis.url, code=2)
    assert "no site has written" in weir.stderr
    weir("replay", "--redis", redis.url, PCAPS / "healthy.pcap")
    weir("status", "--redis", redis.url, "netflux", code=2)
    assert "did you mean netflix" in weir.stderr
    weir("status", "--redis", redis.url, "--site", "nowhere", code=2)
    assert "nowhere" in weir.stderr and "replay:healthy.pcap" in weir.stderr
    weir("replay", "--redis", redis.url, "--site", "second", PCAPS / "healthy.pcap")
    weir("status", "--redis", redis.url, code=2)
    assert "several sites" in weir.stderr and "second" in weir.stderr and "replay:healthy.pcap" in weir.stderr
    weir("status", "--redis", redis.url, "--site", "second", "netflix", code=0)
    weir("status", "--state", tmp_path / "absent", code=2)
    assert "absent" in weir.stderr
    (tmp_path / "status.json").write_text("[1, 2")
    weir("status", "--state", tmp_path, code=2)
    assert "status.json" in weir.stderr
    if not pathlib.Path("/var/lib/weir").exists():
        for command in ("status", "alerts", "history", "clients", "top", "notify"):
            weir(command, *(["--to", "json http://127.0.0.1:1/", "--cursor", tmp_path / "cursor", "--user", "root"] if command == "notify" else []), code=2)
            assert "/var/lib/weir" in weir.stderr and "is not there" in weir.stderr, command
    weir("status", "--nonsense", code=2)
    weir("alerts", "--since", "yesterday", code=2)
    assert "2h" in weir.stderr


def test_passwords_from_everywhere(tmp_path, monkeypatch):
    server = Redis(tmp_path, password="open sesame")
    try:
        (tmp_path / "password").write_text("open sesame\n")
        file = ["--redis", server.url, "--redis-password-file", tmp_path / "password"]
        weir("replay", *file, PCAPS / "healthy.pcap")
        weir("status", *file, "netflix", code=0)
        weir("status", "--redis", f"redis://:open%20sesame@127.0.0.1:{server.port}", "netflix", code=0)
        weir("status", "--redis", f"redis://:wrong@127.0.0.1:{server.port}", code=1)
        assert "WRONGPASS" in weir.stderr and "wrong@" not in weir.stderr
        monkeypatch.setenv("WEIR_REDIS", server.url)
        monkeypatch.setenv("WEIR_REDIS_PASSWORD", "open sesame")
        weir("status", "netflix", code=0)
    finally:
        server.close()


def test_a_file_that_lies_crashes_nothing(tmp_path):
    weir("replay", "--state", tmp_path, PCAPS / "outage.pcap")
    text = (tmp_path / "status.json").read_text()
    for old, new in (('"services":{', '"services":[{'), ('"incidents":[', '"incidents":["x",5,null,'), ('"history":[', '"history":[7,[],["x",null],'),
                     ('"netflix"', '"\\u001b[2Jnet"'), ('"probe":{', '"probe":7,"x":{'), ('"end_ts":1', '"end_ts":1e300,"x":1')):
        (tmp_path / "status.json").write_text(text.replace(old, new))
        weir("status", "--state", tmp_path, code=None)
        assert weir.code in (0, 2, 3, 4) and "\x1b" not in weir("status", "--state", tmp_path, code=None)


def test_alerts_and_acknowledging(place):
    weir("replay", *place, PCAPS / "outage.pcap")
    text = weir("alerts", *place)
    assert "raised" in text and "cleared" in text and text.index("raised") < text.index("cleared")
    events = [json.loads(line) for line in weir("alerts", *place, "--json").splitlines()]
    assert [event["event"] for event in events if event["event"] != "updated"] == ["raised", "cleared"] and events[0]["service"] == "netflix"
    assert "cleared" in weir("alerts", *place, "--since", "2m") and "raised" not in weir("alerts", *place, "--since", "1m")
    weir("alerts", *place, "--ack", "no-such", code=2)
    weir("alerts", *place, "--ack", events[0]["id"])
    assert "netflix" not in weir("alerts", *place)
    assert "acknowledged" in weir("alerts", *place, "--all")


def test_following_sees_what_comes_and_survives_a_lost_connection(redis, standing):
    weir("replay", "--redis", redis.url, "--site", "home", standing)
    follower = subprocess.Popen([WEIR, "alerts", "--redis", redis.url, "--site", "home", "--follow", "--json"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
    try:
        first = json.loads(follower.stdout.readline())
        assert first["event"] == "raised"
        os.set_blocking(follower.stdout.fileno(), True)
        redis.cli("CLIENT", "KILL", "TYPE", "normal")
        weir("replay", "--redis", redis.url, "--site", "home", PCAPS / "outage.pcap")
        seen = []
        while "cleared" not in seen:
            seen.append(json.loads(follower.stdout.readline())["event"])
    finally:
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=10)
    assert follower.returncode == 0


def test_announced_work_alerts_nobody(place, standing, tmp_path):
    """The same outage, raised inside a window for its service, for all, and in one for another service."""
    def replayed(*windows):
        (tmp_path / "weir.yaml").write_text(json.dumps({"maintenance": list(windows)}) if windows else "{}")
        out = weir("replay", "--config", tmp_path / "weir.yaml", "--json", "--records", "incident", *place, standing)
        marked = {json.loads(line).get("maintenance", False) for line in out.splitlines()}
        return marked, "netflix" in weir("alerts", *place), "maintenance" in weir("alerts", "--all", *place)
    assert replayed("netflix 2026-11-23T21:00Z/2026-11-23T22:00Z") == ({True}, False, True)
    weir("status", *place, "netflix", code=3)  # it is measured all the same
    assert replayed("hulu 2026-11-23T21:00Z/2026-11-23T22:00Z", "all 20:00/21:00")[0] == {False}
    assert replayed("all 21:30/02:00")[0] == {True}, "every day, over midnight"


@pytest.mark.parametrize("window", ["netflix", "netflix 02:00", "netflix 02:00/2026-11-24T02:00Z", "netflix 2026-11-24T02:00Z/2026-11-23T02:00Z",
                                    "netflix 02:00/02:00", "all 25:00/26:00", "all 02:00/04:00 x"])
def test_a_bad_window_is_named(window, standing):
    weir("replay", "--maintenance", window, standing, code=2)
    assert "maintenance" in weir.stderr and window[:20] in weir.stderr


def test_a_service_that_is_only_tried_in_vain(tmp_path):
    """It is blocked from the first packet on: no outage that weir could judge, but nobody may read that all is well."""
    weir("replay", "-q", "--state", tmp_path, PCAPS / "lab-blocked.pcap.zst")
    text = " ".join(weir("status", "--state", tmp_path, code=0).split("\n\n")[0].split())
    assert text == "4 services work. Tried in vain, but never seen to work here, so not judged: netflix."


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody without rights")
def test_a_reader_without_the_right_is_told_so(tmp_path):
    weir("replay", "--state", tmp_path, PCAPS / "outage.pcap")
    tmp_path.chmod(0o700)
    for command in ("status", "top"):
        done = subprocess.run([WEIR, command, "--state", tmp_path], capture_output=True, text=True, timeout=20, user=65534, extra_groups=[])
        assert done.returncode == 1 and "permission denied" in done.stderr and "running" not in done.stderr, done.stderr
