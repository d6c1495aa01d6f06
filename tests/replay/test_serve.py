"""weir serve: the status page in a real browser through an outage, what it refuses, and what a real Prometheus makes of its metrics."""
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from browser import browser, keep  # noqa: F401
from conftest import OUTAGE_MOMENTS, PCAPS, TOP, WEIR, packets_until, weir

BEFORE, DURING = OUTAGE_MOMENTS
RULES = TOP / "contrib" / "prometheus" / "weir.rules.yml"

if b"no serve" in subprocess.run([WEIR, "serve", "--help"], capture_output=True).stderr:
    pytest.skip("this build has no serve", allow_module_level=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def moments(tmp_path_factory):
    """outage.pcap up to before, during and after the outage."""
    directory, paths = tmp_path_factory.mktemp("moments"), {"after": PCAPS / "outage.pcap"}
    for name, second in (("before", BEFORE), ("during", DURING)):
        paths[name] = directory / f"{name}.pcap"
        paths[name].write_bytes(packets_until(PCAPS / "outage.pcap", second))
    return paths


class Serve:
    def __init__(self, *options, headers=None):
        self.port, self.headers = free_port(), headers or {}
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen([WEIR, "serve", "--listen", f"127.0.0.1:{self.port}", *map(str, options)], stderr=subprocess.PIPE)
        for _ in range(200):
            try:
                if self.get("/")[0] != 404:
                    break
            except OSError:
                assert self.process.poll() is None, self.process.stderr.read()
            time.sleep(0.05)

    def get(self, path, method="GET", **headers):
        request = urllib.request.Request(self.url + path, method=method, headers={**self.headers, **headers}, data=b"x" if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers

    def wait(self, path, holds, seconds=5):
        end = time.time() + seconds
        while time.time() < end:
            if holds in self.get(path)[1]:
                return
            time.sleep(0.1)
        raise AssertionError(f"{path} does not hold {holds!r}: {self.get(path)[1][:2000]}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=15) == 0, self.process.stderr.read()[-2000:]


@pytest.fixture
def tmp_path():
    """A directory that nobody can read: pytest's own is its user's alone, and serve becomes somebody else."""
    with tempfile.TemporaryDirectory(prefix="weir-serve-") as path:
        os.chmod(path, 0o755)
        yield pathlib.Path(path)


@pytest.fixture(params=["redis", "state"])
def place(request, tmp_path):
    if request.param == "redis":
        return ["--redis", request.getfixturevalue("redis").url]
    return ["--state", str(tmp_path)]


@pytest.fixture
def serve(place):
    started = []

    def start(*options, **more):
        started.append(Serve(*place, *options, **more))
        return started[-1]
    yield start
    for one in started:
        one.stop()


def tell(place, moment):
    weir("replay", "--quiet", "--site", "home", *place, moment)


STATE = "return document.querySelector('#t-netflix')?.dataset.state"


def wait_for(browser, script, wanted, seconds):
    begin = time.time()
    while time.time() < begin + seconds:
        if browser.run(script) == wanted:
            return time.time() - begin
        time.sleep(0.05)
    raise AssertionError(f"{script} is {browser.run(script)!r}, not {wanted!r}, after {seconds} s")


def test_tile_turns_red_and_green_again(place, serve, moments, browser):
    tell(place, moments["before"])
    server = serve()
    browser.console()  # what others left
    browser.look(1024)
    browser.open(server.url)
    wait_for(browser, STATE, "healthy", 5)
    wait_for(browser, "return document.getElementById('live').textContent", "live", 5)
    tell(place, moments["during"])
    seconds = wait_for(browser, STATE, "down", 3)
    assert seconds < 2, "an open page shows an incident two seconds after it was told"
    assert browser.run("return document.querySelector('h1').textContent").startswith("Netflix is down since 21:33:")
    # the incident is told at once, and again when more has failed: from Redis a page of the first word may come between
    wait_for(browser, "return document.querySelector('article.card').innerText.includes('SYNs unanswered')", True, 5)
    foot = re.search("<footer>(.*?)</footer>", server.get("/")[1], re.S)[1]
    wait_for(browser, "return document.querySelector('footer').textContent", re.sub("<[^>]+>", "", foot), 5)
    assert browser.axe() == []
    keep(browser, "serve-" + place[0][2:])
    browser.look(390)
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    browser.open(server.url + "/service/netflix")
    assert "Netflix is down" in browser.run("return document.querySelector('h1').textContent")
    assert browser.run("return document.querySelector('h1 + p').textContent").startswith("Netflix is down since 21:33:")
    assert browser.run("return document.querySelectorAll('.chart').length") >= 3
    assert browser.axe() == []
    keep(browser, "serve-service", widths=(1024,))
    incident = json.loads(server.get("/api/v2/summary.json")[1])["incidents"][0]["id"]
    browser.open(server.url + "/incident/" + incident)
    assert browser.axe() == []
    browser.open(server.url)
    tell(place, moments["after"])
    wait_for(browser, STATE, "healthy", 3)
    assert "Netflix" in browser.run("return document.querySelector('.past').innerText")
    assert browser.console() == []
    browser.open("about:blank")  # before its server goes


def test_json_as_statuspage_has_it(place, serve, moments):
    tell(place, moments["during"])
    server = serve()
    server.wait("/healthz", "ok")
    summary = json.loads(server.get("/api/v2/summary.json")[1])
    assert summary["status"]["indicator"] == "critical"
    assert {c["id"]: c["status"] for c in summary["components"]} == {"netflix": "major_outage", "youtube": "operational", "disneyplus": "operational"}
    assert [i["status"] for i in summary["incidents"]] == ["identified"]
    assert re.match("2026-11-23T21:33:[23]", summary["incidents"][0]["started_at"])
    tell(place, moments["after"])
    server.wait("/api/v2/status.json", '"none"')
    incidents = json.loads(server.get("/api/v2/incidents.json")[1])["incidents"]
    assert incidents[0]["status"] == "resolved" and re.match("2026-11-23T21:3[45]:", incidents[0]["resolved_at"])
    assert "10.77.0." not in json.dumps(incidents)


def test_blind_is_not_green(tmp_path):
    """No file, a probe that fell silent, a capture that is incomplete: none of these is an operational service."""
    def looks(server):
        summary = json.loads(server.get("/api/v2/summary.json")[1])
        assert summary["status"] == json.loads(server.get("/api/v2/status.json")[1])["status"]
        assert "operational" not in [component["status"] for component in summary["components"]]
        return summary["status"]["indicator"], summary["status"]["description"], {one["id"] for one in summary["unknown"]}

    path, services = tmp_path / "status.json", {"netflix", "youtube", "disneyplus"}
    server = Serve("--state", tmp_path)
    try:
        indicator, why, _ = looks(server)
        assert indicator == "major" and "status.json" in why
        weir("replay", "--quiet", "--site", "home", "--state", tmp_path, PCAPS / "outage.pcap")
        server.wait("/api/v2/status.json", '"none"')
        whole = json.loads(path.read_text())
        whole["mode"] = whole["probe"]["mode"] = "live"
        write = lambda: (path.with_suffix(".new").write_text(json.dumps(whole)), path.with_suffix(".new").rename(path))
        write()
        server.wait("/api/v2/status.json", "of now nothing is known")
        assert looks(server)[0] == "major" and looks(server)[2] == services
        whole["probe"]["seen_ts"] = time.time()
        write()
        server.wait("/api/v2/status.json", '"none"')  # heard, and nobody has used anything for long: unknown, not blind
        assert looks(server)[2] == services
        now = time.time()
        whole["incidents"].append({"weir": 1, "type": "incident", "id": "capture-1", "event": "raised", "site": "home", "ts": now, "service": None, "cause": "capture",
                                   "state": "degraded", "onset_ts": now - 60, "text": "The capture loses packets.", "confidence": "high", "clients_hit": [], "prefixes": []})
        write()
        server.wait("/api/v2/status.json", "The capture loses packets.")
        assert looks(server)[0] == "major" and looks(server)[2] == services
        path.unlink()
        server.wait("/api/v2/status.json", "cannot be read")
        assert looks(server)[0] == "major" and looks(server)[2] == services
    finally:
        server.stop()


def test_metrics_name_the_cause(tmp_path, moments):
    """Of an incident that stands, acknowledged or not, also while the probe is not heard."""
    weir("replay", "--quiet", "--site", "home", "--state", tmp_path, moments["during"])
    path = tmp_path / "status.json"
    whole = json.loads(path.read_text())
    whole["mode"] = whole["probe"]["mode"] = "live"
    path.write_text(json.dumps(whole))
    (tmp_path / "acknowledged").write_text(whole["incidents"][-1]["id"] + "\n")
    server = Serve("--state", tmp_path)
    try:
        text = server.get("/metrics")[1]
        assert f'weir_incident_open{{service="netflix",cause="{whole["incidents"][-1]["cause"]}"}} 1' in text
        assert 'weir_incident_open{service="youtube",cause=""} 0' in text and text.count('weir_incident_open{service="netflix"') == 1
        assert json.loads(server.get("/api/v2/summary.json")[1])["status"]["indicator"] == "critical"
    finally:
        server.stop()


def test_past_comes_from_the_history(tmp_path):
    """An incident that status.json no longer tells is on record still; availability counts what could be judged."""
    weir("replay", "--quiet", "--site", "home", "--state", tmp_path, PCAPS / "outage.pcap")
    status = json.loads((tmp_path / "status.json").read_text())
    incident = status["incidents"][0]["id"]
    status["incidents"] = []
    (tmp_path / "status.json").write_text(json.dumps(status))
    server = Serve("--state", tmp_path)
    try:
        text = server.get("/")[1]
        assert f"/incident/{incident}" in text and "None on record" not in text
        assert server.get(f"/incident/{incident}")[0] == 200
        shares = dict(re.findall(r'weir_availability_ratio\{service="(\w+)"\} ([0-9.]+)', server.get("/metrics")[1]))
        assert shares["youtube"] == "1" and 0.1 < float(shares["netflix"]) < 0.9
        (tmp_path / "history.db").unlink()
    finally:
        server.stop()
    server = Serve("--state", tmp_path)
    try:
        assert "not recorded yet" in server.get("/")[1]
    finally:
        server.stop()


def test_only_by_this_machine_s_names(place, serve, moments):
    tell(place, moments["before"])
    server = serve()
    for host, status in (("localhost", 200), ("127.0.0.1:1", 200), ("rebound.example", 421), ("rebound.example:8470", 421)):
        assert server.get("/", Host=host)[0] == status
    assert serve("--public").get("/", Host="status.example")[0] == 200


def test_what_is_refused(tmp_path):
    for options in (["--listen", "0.0.0.0:0"], ["--listen", ":0"], ["--listen", "[::]:0"]):
        weir("serve", "--state", tmp_path, *options, code=2)
        assert "--token-file" in weir.stderr and "--public" in weir.stderr
    weir("serve", "--listen", "nonsense", code=2)
    token = tmp_path / "token"
    token.write_text("short\n")
    weir("serve", "--state", tmp_path, "--token-file", token, code=2)
    weir("replay", "--quiet", "--state", tmp_path, PCAPS / "outage.pcap")
    token.write_text("a-token-of-some-length\n")
    server = Serve("--state", tmp_path, "--token-file", token)
    try:
        basic = "Basic " + base64.b64encode(b"me:a-token-of-some-length").decode()
        for header, status in ((None, 401), ("Bearer a-token-of-some-lengt", 401), ("Bearer a-token-of-some-length", 200), (basic, 200), ("Basic !!", 401), ("Bearer ", 401)):
            assert server.get("/metrics", **({"Authorization": header} if header else {}))[0] == status, header
        assert "Basic" in server.get("/")[2]["WWW-Authenticate"]
        server.headers = {"Authorization": basic}
        for path in ("/../token", "/..%2ftoken", "/service/../../etc/passwd", "/incident/", "/service/" + "a" * 200, "/status.json", "//", "/service/nobody"):
            assert server.get(path)[0] == 404, path
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            status, _, headers = server.get("/", method=method)
            assert status == 405 and headers["Allow"] == "GET, HEAD"
        assert server.get("/", method="HEAD")[1] == ""
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 40000 + b"\r\n\r\n")
            assert re.match(rb"HTTP/1.. 4(13|14|31)|$", raw.recv(100))
        assert server.get("/")[0] == 200
        text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        assert re.search(r"CapEff:\s+0+\n", text) and re.search(r"NoNewPrivs:\s+1\n", text)
        if "__asan" not in subprocess.run(["nm", "-D", WEIR], capture_output=True, text=True).stdout:
            assert re.search(r"Seccomp:\s+2\n", text)
        if os.geteuid() == 0:
            assert not re.search(r"Uid:\s+0\b", text)
    finally:
        server.stop()


def test_public_shows_no_client(tmp_path, moments):
    weir("replay", "--quiet", "--state", tmp_path, "--clients", "plain", moments["during"])
    shown, hidden = Serve("--state", tmp_path), Serve("--state", tmp_path, "--public")
    try:
        incident = json.loads(shown.get("/api/v2/summary.json")[1])["incidents"][0]["id"]
        for path in ("/", "/service/netflix", f"/incident/{incident}"):
            assert "10.77.0." in shown.get(path)[1]
            assert "10.77.0." not in hidden.get(path)[1] and "3 of 3 clients" in hidden.get(path)[1]
    finally:
        shown.stop()
        hidden.stop()


def test_waits_for_a_probe_and_says_what_is_gone(tmp_path):
    server = Serve("--state", tmp_path)
    try:
        assert "Waiting for a probe" in server.get("/")[1]
        assert server.get("/healthz")[0] == 503
        assert "weir_up 0" in server.get("/metrics")[1]
        weir("replay", "--quiet", "--state", tmp_path, PCAPS / "outage.pcap")
        server.wait("/", "All is well")
        (tmp_path / "status.json").unlink()
        server.wait("/", "Old news.")
        assert "All is well" in server.get("/")[1] and server.get("/healthz")[0] == 503
        weir("replay", "--quiet", "--state", tmp_path, PCAPS / "outage.pcap")
        server.wait("/healthz", "ok")
        assert "Old news." not in server.get("/")[1]
    finally:
        server.stop()


def test_streams_leave_room_for_scrapes(tmp_path):
    weir("replay", "--quiet", "--state", tmp_path, PCAPS / "outage.pcap")
    server, held, statuses = Serve("--state", tmp_path), [], []
    try:
        for _ in range(300):
            raw = socket.create_connection(("127.0.0.1", server.port))
            raw.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            held.append(raw)
        for raw in held:
            raw.settimeout(5)
            statuses.append(raw.recv(4096).split(b" ")[1])
        assert statuses.count(b"200") == 256 and statuses.count(b"503") == 44
        assert server.get("/metrics")[0] == 200
        for raw in held:
            raw.close()
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", server.port)) as raw:  # those that went leave when they are next written to
            assert server.get("/")[0] == 200
    finally:
        server.stop()


# ---- Prometheus ----

def promtool(*arguments, stdin=None):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not here; contrib/test installs it (package prometheus)")
    return subprocess.run(["promtool", *map(str, arguments)], input=stdin, capture_output=True, text=True)


def test_metrics_are_clean(tmp_path, moments):
    weir("replay", "--quiet", "--state", tmp_path, moments["during"])
    server = Serve("--state", tmp_path)
    try:
        server.wait("/metrics", "weir_up 1")
        text = server.get("/metrics")[1]
        checked = promtool("check", "metrics", stdin=text)
        assert checked.returncode == 0 and checked.stdout + checked.stderr == "", checked.stdout + checked.stderr
        assert promtool("check", "metrics", stdin="# TYPE a_total gauge\na_total 1\n").returncode != 0, "the checker finds faults"
        assert 'weir_service_state{service="netflix",state="down"} 1' in text
        assert 'weir_trials_total{service="youtube",layer="connect",result="useful"}' in text
        assert len(text.splitlines()) < 200
        open_text, headers = server.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")[1:]
        assert headers["Content-Type"].startswith("application/openmetrics-text") and open_text.endswith("# EOF\n")
    finally:
        server.stop()


def test_rules():
    tried = promtool("test", "rules", TOP / "contrib" / "prometheus" / "weir.rules.test.yml")
    assert tried.returncode == 0, tried.stdout + tried.stderr


class Prometheus:
    def __init__(self, directory, target):
        self.url = f"http://127.0.0.1:{free_port()}"
        config = directory / "prometheus.yml"
        config.write_text(f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{RULES}]\n"
                          f"scrape_configs: [{{job_name: weir, static_configs: [{{targets: ['{target}']}}]}}]\n")
        self.process = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
                                         f"--web.listen-address={self.url[7:]}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, path, **query):
        text = urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{text}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise  # it has not started yet
            raise AssertionError(error.read().decode()) from error

    def wait(self, expression):
        for _ in range(200):
            try:
                if self.ask("query", query=expression)["result"]:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError(expression)


def queries():
    board = json.loads((TOP / "contrib" / "grafana" / "prometheus.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$service", ".*")
    for note in board["annotations"]["list"]:
        yield note["name"], note["expr"]


def test_dashboard_on_a_real_prometheus(tmp_path, moments):
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is not here; contrib/test installs it")
    state = tmp_path / "state"
    state.mkdir()
    weir("replay", "--quiet", "--site", "home", "--state", state, moments["before"])
    server = Serve("--state", state)
    prometheus = Prometheus(tmp_path, server.url[7:])
    try:
        prometheus.wait("weir_up == 1")
        weir("replay", "--quiet", "--site", "home", "--state", state, moments["during"])
        prometheus.wait('weir_service_state{service="netflix",state="down"} == 1')
        prometheus.wait('rate(weir_capture_packets_total[1m]) >= 0')
        prometheus.wait('ALERTS{alertname="StreamingServiceDown",service="netflix"}')
        assert {a["labels"]["alertname"] for a in prometheus.ask("alerts")["alerts"]} == {"StreamingServiceDown"}
        nothing = []
        for title, expression in queries():
            if not prometheus.ask("query", query=expression)["result"]:
                nothing.append(title)
        assert set(nothing) <= {"Failing trials by layer", "incidents"}, "queries that find nothing"
        down = prometheus.ask("query", query=next(q for t, q in queries() if t == "State of each service"))["result"]
        assert {row["metric"]["service"]: row["value"][1] for row in down} == {"netflix": "4", "youtube": "1", "disneyplus": "1"}
    finally:
        prometheus.process.terminate()
        prometheus.process.wait()
        server.stop()
