"""Replay into a real Redis: keys as documented, a subscriber hears of it, a second replay adds nothing."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import PCAPS, TOP, WEIR, Redis, records, weir

DRIVE = pathlib.Path(WEIR).parents[1] / "tests" / "redis" / "drive"

SITE = "replay:outage.pcap"


def key(what):
    return "weir:{" + SITE + "}:" + what


def entries(redis, stream):
    """[(id, {field: value})] of a stream."""
    found = redis.cli("XRANGE", key(stream), "-", "+", as_json=True)
    return [(entry[0], dict(zip(entry[1][::2], entry[1][1::2]))) for entry in found]


def test_outage_arrives_and_only_once(redis):
    listener = subprocess.Popen(["redis-cli", "-p", str(redis.port), "SUBSCRIBE", "weir:alerts"], stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    weir("replay", "--redis", redis.url, PCAPS / "outage.pcap")
    said = records("--clients", "none", PCAPS / "outage.pcap", kind="incident")
    found = entries(redis, "incidents")
    assert [fields["event"] for _, fields in found] == [incident["event"] for incident in said]
    assert found[0][1]["service"] == "netflix" and found[0][1]["event"] == "raised"
    for (entry, fields), incident in zip(found, said):
        assert json.loads(fields["json"])["id"] == incident["id"]
        assert abs(int(entry.split("-")[0]) - incident["ts"] * 1000) < 1

    before = {stream: entries(redis, stream) for stream in ("incidents", "metrics:netflix", "metrics:youtube")}
    assert all(before.values())
    weir("replay", "--redis", redis.url, PCAPS / "outage.pcap")
    assert {stream: entries(redis, stream) for stream in before} == before, "a second replay adds nothing twice"

    time.sleep(0.5)
    listener.terminate()
    heard = [line for line in listener.communicate()[0].splitlines() if line.startswith('{"weir"')]
    assert [json.loads(line)["event"] for line in heard] == [incident["event"] for incident in said]


def test_windows_and_hashes(redis):
    weir("replay", "--redis", redis.url, PCAPS / "outage.pcap")
    windows = records(PCAPS / "outage.pcap", kind="window")
    netflix = [window for window in windows if window["service"] == "netflix"]
    found = entries(redis, "metrics:netflix")
    assert [int(entry.split("-")[0]) for entry, _ in found] == [round(window["end_ts"] * 1000) for window in netflix]
    assert len({tuple(fields) for _, fields in found}) == 1, "every field is always present"
    assert int(found[0][1]["trials_ok"]) == netflix[0]["trials_ok"]
    assert redis.cli("TYPE", key("service:netflix")) == "hash" and int(redis.cli("TTL", key("service:netflix"))) > 0
    assert redis.cli("HGET", key("service:netflix"), "state") == netflix[-1]["state"]
    assert int(redis.cli("HGET", key("probe"), "packets")) > 10_000 and int(redis.cli("TTL", key("probe"))) > 0
    assert redis.cli("ZRANGE", "weir:sites", "0", "-1") == SITE
    slots = {redis.cli("CLUSTER", "KEYSLOT", name) for name in redis.cli("KEYS", "weir:{*").splitlines()}
    assert len(slots) <= 1


def test_clients_are_pseudonyms_unless_asked(redis):
    weir("replay", "--redis", redis.url, PCAPS / "outage.pcap")
    text = redis.cli("XRANGE", key("incidents"), "-", "+")
    assert "10.77.0." not in text


def test_unreachable_redis_is_said_at_once():
    weir("replay", "--redis", "redis://127.0.0.1:1", PCAPS / "outage.pcap", code=1)
    assert "127.0.0.1:1" in weir.stderr and "Redis" in weir.stderr


def test_wrong_and_right_password(tmp_path):
    server = Redis(tmp_path, password="open sesame")
    try:
        weir("replay", "--redis", server.url, PCAPS / "healthy.pcap", code=1)
        assert "NOAUTH" in weir.stderr
        weir("replay", "--redis", f"redis://:wrong@127.0.0.1:{server.port}", PCAPS / "healthy.pcap", code=1)
        assert "WRONGPASS" in weir.stderr and "wrong@" not in weir.stderr
        weir("replay", "--redis", f"redis://:open%20sesame@127.0.0.1:{server.port}", PCAPS / "healthy.pcap")
        assert server.cli("EXISTS", "weir:{replay:healthy.pcap}:probe") == "1"
    finally:
        server.close()


def test_unix_socket(redis, tmp_path):
    weir("replay", "--redis", f"unix://{tmp_path}/redis.sock", PCAPS / "healthy.pcap")
    assert redis.cli("EXISTS", "weir:{replay:healthy.pcap}:probe") == "1"


def test_bad_urls():
    for url, words in (("http://x", "redis://"), ("rediss://x?file=y", "name=HOST"), ("redis://h:99999", "redis://"), ("unix://relative", "unix://")):
        weir("replay", "--redis", url, PCAPS / "healthy.pcap", code=1)
        assert words in weir.stderr


def ttl_of_all(redis):
    return {name: int(redis.cli("TTL", name)) for name in redis.cli("--scan").splitlines()}


def test_everything_expires_and_is_bounded(redis, tmp_path):
    """Also what only a live site writes: the load of the fault tests is one."""
    weir("replay", "--redis", redis.url, "--redis-windows", "10", PCAPS / "outage.pcap")
    subprocess.run([DRIVE, "--redis", redis.url, "--incidents", "50", "--rate", "100", "--windows", "500", "--keep", "10",
                    TOP / "signatures"], check=True, capture_output=True)
    ttls = ttl_of_all(redis)
    assert {name for name, ttl in ttls.items() if ttl <= 0} == set()
    assert any(name.startswith("weir:fleet:inbox:{") for name in ttls)
    assert not any("replay:" in name for name in redis.cli("--scan", "--pattern", "weir:fleet:*").splitlines())
    assert 0 < ttls["weir:{drive}:service:other"] <= 35
    for name in ttls:
        if ":metrics:" in name:
            assert int(redis.cli("XLEN", name)) <= 20, f"MAXLEN ~ 10 of {name}"


def test_inbox_tells_site_and_entry(redis):
    subprocess.run([DRIVE, "--redis", redis.url, "--incidents", "5", "--rate", "100", "--site", "house", TOP / "signatures"], check=True, capture_output=True)
    boxes = redis.cli("--scan", "--pattern", "weir:fleet:inbox:*").splitlines()
    assert len(boxes) == 1
    found = [dict(zip(fields[::2], fields[1::2])) for _, fields in redis.cli("XRANGE", boxes[0], "-", "+", as_json=True)]
    own = redis.cli("XRANGE", "weir:{house}:incidents", "-", "+", as_json=True)
    assert [one["site"] for one in found] == ["house"] * 5
    assert [one["entry"] for one in found] == [entry for entry, _ in own]
    assert [json.loads(one["json"])["id"] for one in found] == [f"drive-{i}" for i in range(5)]


def test_probe_tells_of_delivery(redis):
    weir("replay", "--redis", redis.url, PCAPS / "healthy.pcap")
    probe = key("probe").replace("outage", "healthy")
    for field in ("redis_queue_windows", "redis_queue_incidents", "redis_dropped_windows", "redis_refused", "redis_connections", "spool_records"):
        assert redis.cli("HGET", probe, field).isdigit(), field
    assert redis.cli("HGET", probe, "redis_connections") == "1"
    assert redis.cli("HEXISTS", probe, "redis_last_error") == "1"


def test_least_permissions(redis):
    """What the README lists suffices; without the inbox and the alerts, incidents arrive all the same."""
    commands = "+hset +del +sadd +expire +xadd +xrange +xrevrange +publish +zadd +zremrangebyrank +multi +exec +ping"
    redis.cli("ACL", "SETUSER", "probe", "on", ">secret", "resetkeys", "~weir:*", "resetchannels", "&weir:*", *commands.split())
    weir("replay", "--redis", f"redis://probe:secret@127.0.0.1:{redis.port}", PCAPS / "outage.pcap")
    assert not weir.stderr.strip() and len(entries(redis, "incidents")) == 3  # raised, updated, cleared
    redis.cli("FLUSHALL")
    redis.cli("ACL", "SETUSER", "probe", "resetkeys", "~weir:{*", "-publish")
    done = subprocess.run([DRIVE, "--redis", f"redis://probe:secret@127.0.0.1:{redis.port}", "--incidents", "5", "--rate", "100", TOP / "signatures"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and redis.cli("XLEN", "weir:{drive}:incidents") == "5"
    assert done.stderr.count("NOPERM") == 1


def test_password_from_file_and_environment_and_hidden(tmp_path):
    server = Redis(tmp_path, password="open sesame")
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    try:
        weir("replay", "--redis", server.url, "--redis-password-file", secret, PCAPS / "healthy.pcap")
        subprocess.run([WEIR, "replay", "-q", "--redis", server.url, PCAPS / "healthy.pcap"], check=True, capture_output=True,
                       env={**os.environ, "WEIR_REDIS_PASSWORD": "open sesame"})
        weir("replay", "--redis", server.url, "--redis-password-file", tmp_path / "none", PCAPS / "healthy.pcap", code=2)
        assert str(tmp_path / "none") in weir.stderr
        running = subprocess.Popen([WEIR, "replay", "-q", "--redis", f"redis://:open%20sesame@127.0.0.1:{server.port}", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.time() + 10
        while b"***" not in (shown := pathlib.Path(f"/proc/{running.pid}/cmdline").read_bytes()) and time.time() < deadline:
            time.sleep(0.02)
        running.stdin.close()
        running.wait()
        assert b"***" in shown and b"sesame" not in shown
    finally:
        server.close()


def test_replay_waits_and_says_what_did_not_arrive(redis):
    """Redis stops answering in the middle: exit 1 at the deadline, with the count."""
    running = subprocess.Popen([WEIR, "replay", "-q", "--redis", redis.url, "--redis-wait", "2", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    capture = (PCAPS / "outage.pcap").read_bytes()
    running.stdin.write(capture[:1 << 16])
    running.stdin.flush()
    deadline = time.time() + 10
    while "cmd=cl" not in redis.cli("CLIENT", "LIST").replace("cmd=client", "") and time.time() < deadline:  # it asked for a cluster's slots
        time.sleep(0.05)
    time.sleep(0.3)
    redis.process.send_signal(signal.SIGSTOP)
    try:
        _, errors = running.communicate(capture[1 << 16:], timeout=60)
    finally:
        redis.process.send_signal(signal.SIGCONT)
    assert running.returncode == 1
    assert re.search(rb"not delivered to Redis at redis://127.0.0.1:\d+: 3 incident events, \d+ windows", errors), errors


def test_bad_sentinels():
    weir("replay", "--redis", "redis+sentinel://127.0.0.1:1/master", PCAPS / "healthy.pcap", code=1)
    assert "Sentinel 127.0.0.1:1" in weir.stderr


class TimeSeriesStandIn(threading.Thread):
    """Says OK to everything, and yes to whether it knows TS.ADD: no server at hand has the module."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.commands = self.listener.getsockname()[1], []
        self.start()

    def run(self):
        stream = self.listener.accept()[0].makefile("rwb")
        while line := stream.readline():
            command = []
            for _ in range(int(line[1:])):
                command.append(stream.read(int(stream.readline()[1:]) + 2)[:-2].decode())
            self.commands.append(command)
            answers = {"COMMAND": b"*1\r\n*1\r\n$6\r\nTS.ADD\r\n", "XADD": b"$3\r\n1-0\r\n", "CLUSTER": b"-ERR no cluster\r\n", "EXEC": b"*0\r\n"}
            stream.write(answers.get(command[0], b"+OK\r\n"))
            stream.flush()


def test_time_series_where_the_server_has_them():
    server = TimeSeriesStandIn()
    weir("replay", "--redis", f"redis://127.0.0.1:{server.port}", PCAPS / "outage.pcap")
    added = [command for command in server.commands if command[0] == "TS.ADD"]
    assert any(command[1] == "weir:{replay:outage.pcap}:series:netflix:trials_ok" for command in added)
    assert all(command[2].isdigit() and command[3].lstrip("-").isdigit() for command in added)


def test_time_series_module(redis):
    if not redis.cli("COMMAND", "INFO", "TS.ADD"):
        pytest.skip("RedisTimeSeries is not here (Debian has no package of it); a stand-in server answers for it in the test before")
    weir("replay", "--redis", redis.url, PCAPS / "outage.pcap")
    assert redis.cli("TS.GET", "weir:{replay:outage.pcap}:series:netflix:trials_ok")


def test_valkey(tmp_path):
    if not shutil.which("valkey-server"):
        pytest.skip("valkey-server is not here (Debian 12 has no package of it)")
    server = Redis(tmp_path, program="valkey-server")
    try:
        weir("replay", "--redis", server.url, PCAPS / "outage.pcap")
        assert len(entries(server, "incidents")) == 3
    finally:
        server.close()
