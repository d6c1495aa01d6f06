"""weir notify: a real Alertmanager, receivers that are slow, down, redirecting, refusing or no web servers, commands, filters, and kills."""
import contextlib
import http.server
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import jsonschema
import pytest

from conftest import PCAPS, TOP, WEIR, weir

SITE = "home"
ALERTMANAGER = shutil.which("prometheus-alertmanager")


class Receiver:
    """A web server that answers as `answer(body)` says: a status, or (status, headers); what it took is in `.taken`."""

    def __init__(self, answer=lambda body: 200):
        receiver = self
        self.taken, self.asked, self.headers = [], 0, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                said = answer(body)
                status, headers = said if isinstance(said, tuple) else (said, {})
                if 200 <= status < 300:
                    receiver.taken.append(body.decode())
                    receiver.headers.append(dict(self.headers))
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *words):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def events(self):
        return [(record["id"], record["event"]) for record in map(json.loads, self.taken)]


@pytest.fixture
def receiver():
    made = []

    def make(*arguments):
        made.append(Receiver(*arguments))
        return made[-1]
    yield make
    for one in made:
        one.close()


def add(redis, name, event, at_ms, **fields):
    """One incident event, as a probe publishes it."""
    record = {"weir": 1, "type": "incident", "site": SITE, "ts": at_ms / 1000, "id": name, "event": event, "service": "netflix", "state": "down",
              "cause": "service", "onset_ts": at_ms / 1000 - 10, "prefixes": [], "confidence": "high", "text": f"{name} {event} <&>", **fields}
    redis.cli("XADD", "weir:{home}:incidents", f"{at_ms}-0", "id", name, "event", event, "json", json.dumps(record))


@pytest.fixture
def site(redis):
    redis.cli("ZADD", "weir:sites", str(time.time()), SITE)
    return redis


def command(redis, cursor, *targets, options=("--from-start",)):
    words = [WEIR, "notify", "--user", "root", "--redis", redis.url, "--site", SITE, "--cursor", str(cursor), *options]
    for target in targets:
        words += ["--to", target]
    return words


@contextlib.contextmanager
def running(*arguments, **options):
    process = subprocess.Popen(command(*arguments, **options), stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.errors = process.communicate(timeout=20)[1]
        assert process.returncode in (0, -signal.SIGKILL), process.errors


def wait_for(condition, seconds=20):
    end = time.time() + seconds
    while not condition() and time.time() < end:
        time.sleep(0.05)
    assert condition()


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="names root as its user, so that it reaches the tests' own directory")


def test_no_target_holds_up_another(site, receiver, tmp_path):
    """Beside a receiver that works: one down, one that hangs, one that redirects, one that refuses, one that talks no HTTP."""
    hanging, garbage = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))

    def talk_nonsense():
        with contextlib.suppress(OSError):
            while True:
                connection = garbage.accept()[0]
                connection.sendall(b"SSH-2.0-whatever\r\n" * 100)
                connection.close()
    threading.Thread(target=talk_nonsense, daemon=True).start()
    elsewhere = receiver()
    good, refusing = receiver(), receiver(lambda body: 400 if b"updated" in body else 200)
    redirecting = receiver(lambda body: (302, {"Location": elsewhere.url}))
    for n, event in enumerate(("raised", "updated", "cleared")):
        add(site, "netflix-1", event, 1000 + n)
    targets = [f"json http://127.0.0.1:1/down", f"json http://127.0.0.1:{hanging.getsockname()[1]}/hangs", f"json {redirecting.url}",
               f"json {refusing.url}", f"json http://127.0.0.1:{garbage.getsockname()[1]}/ssh", f"json {good.url}"]
    with running(site, tmp_path / "cursor", *targets) as process:
        wait_for(lambda: len(good.taken) == 3 and len(refusing.taken) == 2, 5)
        add(site, "netflix-2", "raised", 2000)
        wait_for(lambda: len(good.taken) == 4 and len(refusing.taken) == 3, 5)
        wait_for(lambda: redirecting.asked >= 2, 5)
    assert good.events() == [("netflix-1", "raised"), ("netflix-1", "updated"), ("netflix-1", "cleared"), ("netflix-2", "raised")]
    assert refusing.events() == [("netflix-1", "raised"), ("netflix-1", "cleared"), ("netflix-2", "raised")], "what it refuses for good is left out"
    assert not elsewhere.asked, "redirects are not followed"
    assert "set aside" in process.errors and "redirect" in process.errors and process.errors.count("trying on") == 3
    told = json.loads((tmp_path / "cursor").read_text())["targets"].values()
    assert sorted(target["set_aside"] for target in told) == [0, 0, 0, 0, 0, 1] and max(target["delivered"] for target in told) == 4
    hanging.close()
    garbage.close()


def test_what_is_not_taken_comes_again_in_order(site, receiver, tmp_path):
    answers = iter((503, 200, 429, 200, 500, 200))
    flaky = receiver(lambda body: next(answers))
    for n in range(3):
        add(site, "netflix-1", ("raised", "updated", "cleared")[n], 1000 + n)
    with running(site, tmp_path / "cursor", f"json {flaky.url}"):
        wait_for(lambda: len(flaky.taken) == 3, 20)
    assert [json.loads(body)["ts"] for body in flaky.taken] == [(1000 + n) / 1000 for n in range(3)]
    with running(site, tmp_path / "cursor", f"json {flaky.url}"):
        time.sleep(1.5)
    assert len(flaky.taken) == 3, "what was taken is not told again"


def kill_campaign(site, receiver, tmp_path, kills):
    """Killed at any moment while events come: nothing lost, order kept, at most the last event twice."""
    hook = receiver()
    random.seed(7)
    sent, twice, process = 0, 0, None
    for kill in range(kills):
        process = subprocess.Popen(command(site, tmp_path / "cursor", f"json {hook.url}"), stderr=subprocess.DEVNULL)
        for _ in range(random.randrange(1, 4)):
            incident, step = divmod(sent, 3)
            add(site, f"netflix-{incident}", ("raised", "updated", "cleared")[step], 1000 + sent)
            sent += 1
        time.sleep(random.uniform(0.0, 0.35))
        before = len(hook.taken)
        process.kill()
        process.wait()
        assert before <= len(hook.taken)
    with running(site, tmp_path / "cursor", f"json {hook.url}"):
        wait_for(lambda: len({json.loads(body)["ts"] for body in hook.taken}) == sent, 30)
        time.sleep(0.7)
    stamps = [round(json.loads(body)["ts"] * 1000) for body in hook.taken]
    for earlier, later in zip(stamps, stamps[1:]):
        assert later in (earlier, earlier + 1), (earlier, later)
        twice += later == earlier
    assert sorted(set(stamps)) == list(range(1000, 1000 + sent)) and twice <= kills
    return sent, twice


def test_killed_again_and_again(site, receiver, tmp_path):
    """WEIR_KILLS=200 makes it the campaign."""
    kills = int(os.environ.get("WEIR_KILLS", "15"))
    sent, twice = kill_campaign(site, receiver, tmp_path, kills)
    print(f"{kills} kills, {sent} events, {twice} told twice")


def test_filters(site, receiver, tmp_path):
    everything, youtube, down, lasting, changes = (receiver() for _ in range(5))
    now = int(time.time() * 1000)
    add(site, "netflix-1", "raised", now, state="degraded")
    add(site, "netflix-1", "updated", now + 1, state="degraded")
    add(site, "netflix-1", "updated", now + 2, state="down")
    add(site, "netflix-1", "cleared", now + 3)
    add(site, "youtube-1", "raised", now + 4, service="youtube", maintenance=True)
    add(site, "youtube-2", "raised", now + 5, service="youtube", onset_ts=now / 1000 - 100)
    targets = [f"json {everything.url}", f"json services=youtube {youtube.url}", f"json state=down {down.url}", f"json after=60s {lasting.url}",
               f"json changes {changes.url}"]
    weir_done = subprocess.run(command(site, tmp_path / "cursor", *targets, options=("--from-start", "--once")), capture_output=True, text=True, timeout=30)
    assert weir_done.returncode == 0, weir_done.stderr
    first = [("netflix-1", event) for event in ("raised", "updated", "updated", "cleared")]
    assert everything.events() == first + [("youtube-2", "raised")], "announced work alerts nobody"
    assert youtube.events() == [("youtube-2", "raised")]
    assert down.events() == [("netflix-1", "updated"), ("netflix-1", "cleared"), ("youtube-2", "raised")]
    assert lasting.events() == [("youtube-2", "raised")], "what did not last is not told, nor that it is over"
    assert changes.events() == [first[0], first[2], first[3], ("youtube-2", "raised")]


def test_one_message_for_one_cause_quiet_hours_and_acknowledged(site, receiver, tmp_path):
    one, each, quiet = receiver(), receiver(), receiver()
    now = int(time.time() * 1000)
    for n, service in enumerate(("hulu", "max")):
        add(site, f"{service}-1", "raised", now + n, service=service, cause="cdn", prefixes=["198.18.7.0/24"])
    add(site, "netflix-1", "raised", now + 2)
    site.cli("SADD", "weir:{home}:acknowledged", "netflix-1")
    minute = int(time.time()) // 60 % 1440
    hours = "/".join("%02d:%02d" % divmod((minute + shift) % 1440, 60) for shift in (-5, 60))
    targets = [f"json {one.url}", f"json each {each.url}", f"json quiet={hours} {quiet.url}"]
    with running(site, tmp_path / "cursor", *targets):
        wait_for(lambda: len(each.taken) == 2)
        add(site, "hulu-1", "cleared", now + 10, service="hulu", cause="cdn", prefixes=["198.18.7.0/24"])
        wait_for(lambda: len(one.taken) == 2)
        time.sleep(1)
    assert one.events() == [("hulu-1", "raised"), ("hulu-1", "cleared")]
    assert sorted(each.events()) == [("hulu-1", "cleared"), ("hulu-1", "raised"), ("max-1", "raised")]
    assert quiet.asked == 0


def test_formats(site, receiver, tmp_path):
    slack, ntfy, cloud = receiver(), receiver(), receiver()
    (tmp_path / "token").write_text("secret\n")
    add(site, "netflix-1", "raised", 1795469621000)
    add(site, "netflix-1", "cleared", 1795469714000)
    targets = [f"slack {slack.url}", f"ntfy token-file={tmp_path}/token {ntfy.url}", f"cloudevents {cloud.url}"]
    subprocess.run(command(site, tmp_path / "cursor", *targets, options=("--from-start", "--once")), check=True, timeout=30)
    assert json.loads(slack.taken[0]) == {"text": "*netflix is down* (home)\nnetflix-1 raised &lt;&amp;&gt;"}
    assert ntfy.taken[0] == "netflix-1 raised <&>"
    assert {name: ntfy.headers[0][name] for name in ("Title", "Priority", "Tags")} == {"Title": "netflix is down", "Priority": "urgent", "Tags": "red_circle"}
    assert ntfy.headers[0]["Authorization"] == "Bearer secret" and "Authorization" not in slack.headers[0]
    event = json.loads(cloud.taken[0])
    assert cloud.headers[0]["Content-Type"].startswith("application/cloudevents+json")
    assert {name: event[name] for name in ("specversion", "type", "source", "subject", "datacontenttype", "time")} == {
        "specversion": "1.0", "type": "weir.incident.raised", "source": "/weir/home", "subject": "netflix-1", "datacontenttype": "application/json",
        "time": "2026-11-23T21:33:41.000Z"}
    assert event["data"]["text"] == "netflix-1 raised <&>" and event["id"] != json.loads(cloud.taken[1])["id"]


def published(name):
    return jsonschema.Draft7Validator(json.loads((TOP / "tests" / "schema" / f"{name}.schema.json").read_text()))


def test_published_shapes(site, receiver, tmp_path):
    """Bodies as those who take them say that they must be; each schema finds a fault."""
    slack, ntfy, cloud = receiver(), receiver(), receiver()
    for n, (state, event) in enumerate((("down", "raised"), ("partial", "updated"), ("degraded", "updated"), ("degraded", "cleared"))):
        add(site, "netflix-1", event, 1795469621000 + n, state=state, text="<netflix> & \u00fcber " + 300 * "& all < the > rest ")
    targets = [f"slack {slack.url}", f"ntfy {ntfy.url}", f"cloudevents {cloud.url}"]
    subprocess.run(command(site, tmp_path / "cursor", *targets, options=("--from-start", "--once")), check=True, timeout=30)
    assert len(slack.taken) == len(ntfy.taken) == len(cloud.taken) == 4
    for text in slack.taken:
        published("slack").validate(json.loads(text))
    for body, headers in zip(ntfy.taken, ntfy.headers):
        published("ntfy").validate({"body": body, **{name: headers[name] for name in ("Title", "Priority", "Tags")}})
    for body in cloud.taken:
        published("cloudevents").validate(json.loads(body))
    assert {headers["Priority"] for headers in ntfy.headers} == {"urgent", "high", "default"}
    assert not published("slack").is_valid({"text": "a < b"}) and not published("slack").is_valid({"text": "a & b"})
    assert not published("ntfy").is_valid({"body": "x", "Title": "x", "Priority": "highest", "Tags": "x"})
    assert not published("cloudevents").is_valid({key: value for key, value in json.loads(cloud.taken[0]).items() if key != "source"})


def test_a_command(site, tmp_path):
    script = tmp_path / "hook"
    script.write_text(f'#!/bin/sh\nread line || exit 1\ncase "$line" in *updated*) exit 100;; esac\n[ -e {tmp_path}/ready ] || exit 1\necho "$1 $line" >>{tmp_path}/out\n')
    script.chmod(0o755)
    for n, event in enumerate(("raised", "updated", "cleared")):
        add(site, "netflix-1", event, 1000 + n)
    with running(site, tmp_path / "cursor", f"command {script} told") as process:
        time.sleep(1)
        (tmp_path / "ready").touch()
        wait_for(lambda: (tmp_path / "out").exists() and len((tmp_path / "out").read_text().splitlines()) == 2)
    lines = (tmp_path / "out").read_text().splitlines()
    assert [json.loads(line.split(" ", 1)[1])["event"] for line in lines] == ["raised", "cleared"] and lines[0].startswith("told {")
    assert "set aside" in process.errors


@pytest.mark.skipif(not ALERTMANAGER, reason="prometheus-alertmanager is not installed")
def test_a_real_alertmanager(site, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    server = subprocess.Popen([ALERTMANAGER, f"--config.file={config}", f"--storage.path={tmp_path}/am", f"--web.listen-address=127.0.0.1:{port}",
                               "--cluster.listen-address="], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def alerts():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts?active=true", timeout=2) as answer:
                return json.load(answer)
        except OSError:
            return None
    try:
        with running(site, tmp_path / "cursor", f"alertmanager http://127.0.0.1:{port}/"):
            wait_for(lambda: alerts() is not None)
            now = int(time.time() * 1000)
            add(site, "netflix-1", "raised", now, onset_ts=now / 1000 - 10)
            wait_for(lambda: alerts())
            (alert,) = alerts()
            assert alert["labels"] == {"alertname": "WeirIncident", "site": "home", "incident": "netflix-1", "service": "netflix"}
            assert alert["annotations"]["summary"] == "netflix is down" and alert["annotations"]["cause"] == "service"
            add(site, "netflix-1", "updated", now + 1, onset_ts=now / 1000 - 10, service=None, cause="uplink")  # the blame moves: still that alert
            add(site, "netflix-1", "cleared", now + 2, onset_ts=now / 1000 - 10, service=None, cause="uplink", recovered_ts=now / 1000 - 1)
            wait_for(lambda: alerts() == [])
    finally:
        server.terminate()
        server.wait()


def test_from_a_state_directory_and_restart(receiver, tmp_path):
    hook = receiver()
    state = tmp_path / "state"
    state.mkdir()
    words = [WEIR, "notify", "--user", "root", "--state", str(state), "--from-start", "--to", f"json {hook.url}"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert "no history yet" in process.stderr.readline(), "it waits for a probe"
        weir("replay", "-q", "--state", state, PCAPS / "outage.pcap")
        wait_for(lambda: hook.taken and json.loads(hook.taken[-1])["event"] == "cleared")
    finally:
        process.terminate()
        process.communicate(timeout=20)
    first = hook.events()
    assert [event for _, event in first][0] == "raised" and first[-1][1] == "cleared"
    subprocess.run([*words, "--once"], check=True, timeout=30)
    assert hook.events() == first


def test_what_a_fleet_concludes(redis, receiver, tmp_path):
    hook = receiver()
    record = {"weir": 1, "type": "fleet", "ts": 1000.0, "id": "fleet-netflix-1", "event": "raised", "service": "netflix", "state": "down",
              "cause": "service", "scope": "global", "onset_ts": 990.0, "text": "netflix is down at 3 of 4 sites"}
    redis.cli("XADD", "weir:fleet:incidents", "1000-0", "json", json.dumps(record))
    subprocess.run([WEIR, "notify", "--user", "root", "--redis", redis.url, "--fleet", "--from-start", "--once", "--cursor", str(tmp_path / "cursor"),
                    "--to", f"slack {hook.url}"], check=True, timeout=30)
    assert json.loads(hook.taken[0])["text"] == "*netflix is down* (fleet)\nnetflix is down at 3 of 4 sites"


def test_usage(tmp_path, redis):
    for wrong in ("pager http://a/", "json ftp://a/", "slack", "json http://a/ services=", "json quiet=9-5 http://a/", "command rm -rf"):
        done = subprocess.run([WEIR, "notify", "--redis", redis.url, "--cursor", str(tmp_path / "c"), "--to", wrong], capture_output=True, text=True, timeout=20)
        assert done.returncode == 2 and done.stderr, wrong
    config = tmp_path / "weir.yaml"
    config.write_text("site: home\nto: [\"json http://127.0.0.1:1/x\", \"json http://127.0.0.1:1/x\"]\n")
    done = subprocess.run([WEIR, "notify", "-c", str(config), "--redis", redis.url, "--cursor", str(tmp_path / "c")], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "twice" in done.stderr


def test_a_cursor_that_cannot_be_written(site, tmp_path):
    """Of another user's directory: said at once, and nothing is told that would be told again and again."""
    shut = pathlib.Path(tempfile.mkdtemp(prefix="weir-tell-"))
    try:
        done = subprocess.run([WEIR, "notify", "--user", "nobody", "--redis", site.url, "--site", SITE, "--cursor", str(shut / "cursor"), "--to", "json http://127.0.0.1:1/x"],
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and "user nobody cannot write there" in done.stderr and "--user/--cursor" in done.stderr
        assert "waiting" not in done.stderr and len(done.stderr.strip().splitlines()) == 1
    finally:
        shutil.rmtree(shut)


def test_it_is_confined(site, receiver, tmp_path):
    hook = receiver()
    with running(site, tmp_path / "cursor", f"json {hook.url}") as process:
        add(site, "netflix-1", "raised", 1000)
        wait_for(lambda: hook.taken)
        said = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":" in line)
        assert said["Seccomp"].strip() == "2" and said["NoNewPrivs"].strip() == "1" and int(said["CapEff"], 16) == 0
