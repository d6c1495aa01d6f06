"""What others may have put where weir reads and writes: links, pipes, giants, and answers of a Redis that is none.

Every command must end soon, with words, without a crash, without following a link, and without a byte that steers a terminal.
"""
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import pytest

from conftest import PCAPS, WEIR, weir

TERMINAL = ("\x1b", "\x9b", "\u202e")


def ends_soon(*arguments, seconds=20):
    done = subprocess.run([WEIR, *map(str, arguments)], capture_output=True, timeout=seconds)
    assert done.returncode >= 0 and b"Sanitizer" not in done.stderr, done.stderr.decode(errors="replace")[-2000:]
    return done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="surrogateescape")


@pytest.fixture
def state(tmp_path):
    weir("replay", "--state", tmp_path, PCAPS / "outage.pcap")
    return tmp_path


def telling():
    """`weir notify` of all that is kept, to a command."""
    return ["notify", "--once", "--from-start", "--user", "root", "--to", "command /bin/true"]


@pytest.mark.parametrize("names", [["status.json", "history.db"], ["history.db-journal", "engine.state", "names.state"],
                                   ["acknowledged", "clients.json", "notify.cursor", "notify.cursor.new", ".clients.json.new", "evidence/x.pcapng"]],
                         ids=lambda names: names[0])
def test_pipes_in_the_state_directory_hang_nobody(state, names):
    """Those of a group stand in the way of different commands, or of different steps of one."""
    (state / "evidence").mkdir(exist_ok=True)
    for name in names:
        (state / name).unlink(missing_ok=True)
        os.mkfifo(state / name)
    for command in (["status"], ["alerts"], ["history"], ["clients"], ["evidence"], ["evidence", "x"], telling(), ["replay", "-q", PCAPS / "healthy.pcap"]):
        ends_soon(*command, "--state", state)


def test_an_acknowledgement_follows_no_link(state, tmp_path_factory):
    victim = tmp_path_factory.mktemp("other") / "crontab"
    victim.write_text("before\n")
    (state / "acknowledged").symlink_to(victim)
    known = json.loads(weir("alerts", "--state", state, "--json").splitlines()[0])["id"]
    code, _, errors = ends_soon("alerts", "--state", state, "--ack", known)
    assert code == 1 and "acknowledged" in errors and "link" in errors
    assert victim.read_text() == "before\n"


def test_evidence_is_no_link(state, tmp_path_factory):
    victim = tmp_path_factory.mktemp("other") / "shadow"
    victim.write_text("secret")
    (state / "evidence").mkdir(exist_ok=True)
    (state / "evidence" / "x.pcapng").symlink_to(victim)
    code, out, errors = ends_soon("evidence", "--state", state, "x", "--output", "-")
    assert code == 1 and "secret" not in out and "link" in errors


@pytest.mark.parametrize("name", ["status.json", "engine.state"])
def test_a_link_is_replaced_not_written_through(state, name, tmp_path_factory):
    victim = tmp_path_factory.mktemp("other") / "passwd"
    victim.write_text("before")
    (state / name).unlink()
    (state / name).symlink_to(victim)
    ends_soon("replay", "-q", "--state", state, PCAPS / "healthy.pcap")
    assert victim.read_text() == "before" and not (state / name).is_symlink()


def test_what_strangers_write_into_redis_steers_no_terminal(redis):
    evil = "net\x1b]0;pwned\x07\xc2\x9b31m"
    redis.cli("ZADD", "weir:sites", str(int(time.time())), "home")
    redis.cli("HSET", "weir:{home}:probe", "seen_ts", str(time.time()), "services", "netflix")
    redis.cli("HSET", "weir:{home}:service:netflix", "state", "down" + evil, "end_ts", str(time.time()), "trials_ok", "1")
    redis.cli("XADD", "weir:{home}:incidents", "*", "id", "i-1" + evil, "event", "raised", "service", "netflix", "state", "down",
              "cause", "service" + evil, "text", "text" + evil + "\u202e", "onset_ts", "1795469611", "ts", "1795469611", "json", '{"a":"%s"}' % evil)
    for command in (["status"], ["status", "netflix"], ["alerts"], ["alerts", "--json"], ["status", "--json"]):
        _, out, errors = ends_soon(*command, "--redis", redis.url, "--site", "home")
        assert not any(sign in out + errors for sign in TERMINAL), (command, out, errors)


@pytest.mark.parametrize("key", ["weir:{home}:probe", "weir:{home}:incidents", "weir:{home}:service:netflix", "weir:{home}:metrics:netflix",
                                 "weir:{home}:acknowledged", "weir:sites"])
@pytest.mark.parametrize("kind", ["text", "list", "hash", "stream"])
def test_keys_of_another_type_are_told(redis, key, kind):
    redis.cli("ZADD", "weir:sites", str(int(time.time())), "home")
    redis.cli("HSET", "weir:{home}:probe", "seen_ts", str(time.time()), "services", "netflix")
    redis.cli("DEL", key)
    make = {"text": ["SET", key, "x"], "list": ["RPUSH", key, "x"], "hash": ["HSET", key, "", ""], "stream": ["XADD", key, "*", "x", "y"]}[kind]
    redis.cli(*make)
    for command in (["status"], ["alerts"], ["alerts", "--ack", "i-1"]):
        ends_soon(*command, "--redis", redis.url, "--site", "home")


class Stranger:
    """Answers each command with the same bytes."""
    def __init__(self, answer, endless=False):
        self.answer, self.endless = answer, endless
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        try:
            while data := connection.recv(65536):
                for _ in range(max(1, data.count(b"*"))):
                    connection.sendall(b"+PONG\r\n" if b"PING" in data else self.answer)
                while self.endless and b"PING" not in data:
                    connection.sendall(b"x" * 1000)
                    time.sleep(0.05)
        except OSError:
            pass

    def close(self):
        self.server.close()


ANSWERS = [b"*-1\r\n", b"$-1\r\n", b":7\r\n", b"+\r\n", b"*0\r\n", b"*1\r\n:1\r\n", b"*2\r\n:1\r\n:2\r\n", b"*2\r\n*-1\r\n$-1\r\n", b"*1\r\n*2\r\n:1\r\n*2\r\n:1\r\n:2\r\n",
           b"*2\r\n$1\r\na\r\n*1\r\n$-1\r\n", b"-ERR no\r\n", b"-MOVED 1\r\n", b"-ASK \r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer[:16].decode().replace("\r\n", "|"))
def test_answers_of_any_shape(answer):
    stranger = Stranger(answer)
    try:
        for command in (["status"], ["status", "--site", "home"], ["alerts", "--site", "home"], ["status", "--fleet"], ["history", "--site", "home"],
                        ["clients", "--site", "home"]):
            ends_soon(*command, "--redis", f"redis://127.0.0.1:{stranger.port}")
    finally:
        stranger.close()


def test_a_line_without_end_times_out():
    stranger = Stranger(b"+", endless=True)
    try:
        code, _, errors = ends_soon("status", "--site", "home", "--redis", f"redis://127.0.0.1:{stranger.port}", seconds=40)
        assert code != 0 and errors
    finally:
        stranger.close()


@pytest.mark.parametrize("site", ["a\x1b[31m", "a\u009bb", "a\u202eb"])
def test_a_sites_name_is_printable(site):
    code, _, errors = ends_soon("replay", "--site", site, PCAPS / "healthy.pcap")
    assert code == 2 and "printable" in errors and not any(sign in errors for sign in TERMINAL)


def test_file_names_of_any_bytes(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9\x9b\x1b[31m.pcap"
    with open(path, "wb") as copy:
        copy.write((PCAPS / "healthy.pcap").read_bytes())
    for options in ([], ["--json"]):
        done = subprocess.run([WEIR, "replay", *options, path], capture_output=True, timeout=60)
        assert done.returncode == 0
        text = done.stdout.decode()  # valid UTF-8
        assert not any(sign in text for sign in TERMINAL)
        if options:
            assert all(json.loads(line)["site"].startswith("replay:caf") for line in text.splitlines())
    done = subprocess.run([WEIR, "replay", path + b".absent"], capture_output=True, timeout=60)
    assert done.returncode == 1 and not any(sign in done.stderr.decode() for sign in TERMINAL)


def test_names_in_warnings_steer_no_terminal(tmp_path):
    """A damaged state is a line of the log, with its path; an interface's name may hold nearly anything."""
    state = tmp_path / "st\x1b[31m\u009b"
    state.mkdir()
    (state / "engine.state").write_text("nothing")
    _, out, errors = ends_soon("replay", "-q", "--state", state, PCAPS / "healthy.pcap")
    assert "engine.state" in errors and not any(sign in out + errors for sign in TERMINAL)
    for options in ([], ["--json"]):
        _, out, errors = ends_soon("check", "-i", "e\x1b[31m\u009b", *options)
        assert "no such interface" in out and not any(sign in out + errors for sign in TERMINAL)


def test_what_strangers_write_into_the_state_directory_steers_no_terminal(state):
    told = json.loads((state / "status.json").read_text())
    told["site"] = "x\x1b]0;pwn\x07\u009b31m\u202e"
    (state / "status.json").write_text(json.dumps(told))
    (state / "evidence").mkdir(exist_ok=True)
    (state / "evidence" / "a\x1b[31mb-1.pcapng").touch()
    for command in (["status"], ["status", "netflix"], ["alerts"], ["evidence"], ["clients"], ["history"]):
        _, out, errors = ends_soon(*command, "--state", state)
        assert not any(sign in out + errors for sign in TERMINAL), (command, out, errors)


def rewritten(state, change):
    """status.json, after change(of one incident's members) of each of them."""
    told = json.loads((state / "status.json").read_text())
    for incident in told["incidents"]:
        incident["event"] = incident["json"]["event"] = "raised"
        change(incident)
    (state / "status.json").write_text(json.dumps(told))
    return told


READERS = (["status"], ["status", "--json"], ["alerts"], ["alerts", "--json"], ["clients"], ["clients", "netflix"], ["clients", "--json", "netflix"], ["history"])


def test_escapes_inside_records_steer_no_terminal(state):
    """A JSON text without a control character, whose strings have some once they are read."""
    evil = "x\x1b[31m\u009b5m\u202e"
    told = rewritten(state, lambda incident: incident["json"].update(clients_hit=[evil, "10.0.0.1"], text=evil, service=evil))
    (state / "clients.json").write_text(json.dumps({"weir": 1, "type": "clients", "site": told["site"], "names": {"10.0.0.1": evil}}))
    for command in (*READERS, ["clients", "--json", told["incidents"][0]["id"]], ["clients", told["incidents"][0]["id"]]):
        _, out, errors = ends_soon(*command, "--state", state)
        assert not any(sign in out + errors for sign in TERMINAL), (command, out, errors)
    assert "10.0.0.1" in out


@pytest.mark.parametrize("value", [None, [None, 3, {}], {"a": None}, -1e300], ids=str)
def test_values_of_another_kind_crash_no_reader(state, value):
    told = rewritten(state, lambda incident: incident["json"].update({name: value for name in incident["json"] if name not in ("event", "type")}))
    (state / "clients.json").write_text(json.dumps({"site": value, "names": {"10.0.0.1": value}}))
    for command in (*READERS, ["clients", told["incidents"][0]["id"]]):
        ends_soon(*command, "--state", state)
    (state / "notify.cursor").write_text(json.dumps({"site": value, "targets": value}))
    ends_soon(*telling(), "--state", state)


def test_a_fleets_words_of_another_kind(redis):
    for value in (None, "text", [None, 1], {"a": 1}):
        record = {"service": "netflix", "event": "raised", "state": "down", "sites": value, "text": value}
        redis.cli("XADD", "weir:fleet:incidents", "*", "service", "netflix", "event", "raised", "json", json.dumps(record))
        ends_soon("status", "--fleet", "--redis", redis.url)
    redis.cli("XADD", "weir:fleet:incidents", "*", "json", json.dumps({"service": "hulu\x1b[31m", "event": "raised", "state": "down", "sites": ["a\u009b"]}))
    _, out, errors = ends_soon("status", "--fleet", "--redis", redis.url)
    assert "hulu" in out and not any(sign in out + errors for sign in TERMINAL)
