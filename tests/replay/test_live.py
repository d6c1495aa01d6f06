"""`weir live` on a real bridge: flows named, an outage heard of while it lasts, the written file says the same in a replay.

One run serves most tests: three viewers behind a gateway of namespaces, some healthy seconds, then one service is cut
off; Redis dies on the way, and SIGINT ends it. Beside it a second weir watches a loopback that falls silent at once.
"""
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import types

import pytest

from conftest import Redis, TOP, WEIR, fresh_namespace

LAB = TOP / "tests" / "lab"
NEEDS = ("ip", "nft", "nginx", "unbound", "openssl", "redis-server")
SERVICES = (("api-global.netflix.com", "ipv4-c001-fra001-ix.1.oca.nflxvideo.net"),
            ("www.youtube.com", "rr1---sn-4g5e6nzz.googlevideo.com"),
            ("www.disneyplus.com", "vod-akc-eu.media.dssott.com"))


def why_not():
    missing = [tool for tool in NEEDS if not shutil.which(tool)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    why = fresh_namespace("l-probe")
    subprocess.run(["ip", "netns", "del", "l-probe"], capture_output=True)
    return why


def load_network():
    spec = importlib.util.spec_from_file_location("network", LAB / "network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Live:
    """A running weir; its records as they come, each with the time at which it was read."""

    def __init__(self, namespace, *arguments, user="root"):  # whose rights reach this test's own directory
        self.process = subprocess.Popen(["ip", "netns", "exec", namespace, WEIR, "live", "--user", user, *map(str, arguments)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.records, self.errors = [], []
        self.threads = [threading.Thread(target=self._read), threading.Thread(target=lambda: self.errors.extend(self.process.stderr))]
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.records.append((time.time(), json.loads(line)))

    def of(self, kind):
        return [record for _, record in list(self.records) if record["type"] == kind]

    def wait_for(self, found, seconds):
        """The first record for which `found` is true, and when it was read; None after `seconds`."""
        end = time.time() + seconds
        while time.time() < end:
            for when, record in list(self.records):
                if found(record):
                    return when, record
            time.sleep(0.1)
        return None

    def wait_for_error(self, words, seconds=30):
        end = time.time() + seconds
        while not any(words in line for line in self.errors):
            assert time.time() < end and self.process.poll() is None, f"no word of '{words}': {self.errors}"
            time.sleep(0.02)

    def stop(self, how=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            for thread in self.threads:
                thread.join()
        return code


def await_part_of_second(part):
    time.sleep((part - time.time()) % 1)


def watch_outage(lab, tmp, redis, quiet):
    run = types.SimpleNamespace(pcap=tmp / "seen.pcap", key=tmp / "key")
    (tmp / "weir.yaml").write_text("memory: 256\n")
    live = Live(lab.gateway, "-i", "br0", "--config", tmp / "weir.yaml", "--json", "--records", "flow,window,service,session,incident,capture", "--write", run.pcap,
                "--site", "lab", "--key-file", run.key, "--redis", f"unix://{tmp}/redis.sock")
    try:
        live.wait_for_error("watching")
        for number, client in enumerate(lab.clients):
            for service, hosts in enumerate(SERVICES):
                lab.start(client, "/usr/bin/python3", str(LAB / "player.py"), *hosts, "90", str(100 * number + service),
                          "--http", "1", "--reopen", "1")
        time.sleep(11)
        lab.rule("ip daddr { 198.18.10.0/24, 198.18.11.0/24 } drop")
        run.cut = time.time()
        run.raised = live.wait_for(lambda record: record["type"] == "incident" and record["service"] == "netflix", 30)
        time.sleep(0.5)
        run.redis_incidents = redis.cli("XLEN", "weir:{lab}:incidents")
        run.redis_seen = redis.cli("HGET", "weir:{lab}:probe", "seen_ts"), redis.cli("ZSCORE", "weir:sites", "lab")
        run.redis_read = time.time()
        redis.close()
        (tmp / "weir.yaml").write_text("memory: lots\n")
        live.process.send_signal(signal.SIGHUP)
        live.wait_for_error("Redis")
        run.quiet_windows, run.quiet_alive = [when for when, record in quiet.records if record["type"] == "window"], quiet.process.poll() is None
        # Ends where no tick lies between the last packet and the signal, so that live and replay know the same.
        await_part_of_second(0.5)
        subprocess.run(["ip", "netns", "exec", lab.clients[0], "ping", "-c1", "-W1", "10.77.0.1"], capture_output=True)
        await_part_of_second(0.8)
    finally:
        run.code = live.stop()
    run.live = live
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    reason = why_not()
    if reason:
        pytest.skip(reason)
    tmp = tmp_path_factory.mktemp("live")
    lab, redis = load_network().Network(prefix="l"), Redis(tmp)
    quiet = Live(lab.servers, "-i", "lo", "--json", "--filter", "tcp port 9")
    try:
        quiet.wait_for_error("watching")
        began = time.time()
        subprocess.run(["ip", "netns", "exec", lab.servers, "/usr/bin/python3", "-c",
                        "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"], check=True)
        run = watch_outage(lab, tmp, redis, quiet)
        run.quiet_began, run.quiet_code = began, quiet.stop(signal.SIGTERM)
        yield run
    finally:
        if quiet.process.poll() is None:
            quiet.stop()
        if redis.process.poll() is None:
            redis.close()
        lab.close()


def test_flows_are_named(run):
    flows = run.live.of("flow")
    named = {record["service"] for record in flows if record["named_by"] in ("sni", "dns")}
    assert {"netflix", "youtube", "disneyplus"} <= named
    assert any(record["outcome"] == "useful" for record in flows)


def test_outage_is_heard_of_while_it_lasts(run):
    assert run.raised, "no incident within 30 s"
    when, incident = run.raised
    assert incident["event"] == "raised" and incident["cause"] in ("service", "cdn") and when - run.cut < 30
    assert abs(incident["onset_ts"] - run.cut) < 10
    assert when - incident["ts"] < 1.5, "said the moment it was decided"
    assert {record["service"] for record in run.live.of("incident")} == {"netflix"}


def test_signal_ends_it_with_a_report(run):
    assert run.code == 0, run.live.errors
    captures = run.live.of("capture")
    assert len(captures) == 1 and run.live.records[-1][1]["type"] == "capture", "one capture record, the last one"
    assert captures[0]["packets"] > 1000 and captures[0]["dropped_kernel"] == 0
    assert {"netflix", "youtube", "disneyplus"} <= {record["service"] for record in run.live.of("service")}


def test_clients_are_pseudonyms(run):
    clients = {record["client"]["addr"] for record in run.live.of("flow")}
    assert clients and all(client.startswith("c-") for client in clients)
    assert not any(f"10.77.0.{11 + i}" in json.dumps(record) for _, record in run.live.records for i in range(3))


def test_replay_of_what_was_written_says_the_same(run):
    done = subprocess.run([WEIR, "replay", "--json", "--records", "flow,window,incident", "--site", "lab", "--clients", "pseudonym",
                           "--key-file", run.key, run.pcap], capture_output=True, text=True, check=True)
    replayed = [json.loads(line) for line in done.stdout.splitlines()]
    for kind in ("flow", "window", "incident"):
        assert run.live.of(kind) == [record for record in replayed if record["type"] == kind], kind


def test_redis_gets_it_and_may_die(run):
    assert int(run.redis_incidents) >= 1
    seen, score = map(float, run.redis_seen)
    assert seen == pytest.approx(score) and 0 <= run.redis_read - seen < 12, "the probe was seen within the last window"
    said = [line for line in run.live.errors if "Redis" in line]
    assert said, "and that is said"


def test_bad_configuration_is_said_and_survived(run):
    said = [line for line in run.live.errors if "SIGHUP" in line]
    assert len(said) == 1 and "memory" in said[0] and "lots" in said[0] and "going on with what was read before" in said[0]


def test_time_goes_on_without_packets(run):
    """The one refused connection's window ends, and is told, although no packet follows."""
    assert run.quiet_windows and run.quiet_windows[0] - run.quiet_began < 13
    assert run.quiet_alive and run.quiet_code == 0


def test_lost_packets_are_counted(tmp_path):
    """A weir that sleeps while its small ring overflows says how much it missed."""
    if why_not():
        pytest.skip(why_not())
    assert not fresh_namespace("l-loss")
    try:
        subprocess.run(["ip", "-n", "l-loss", "link", "set", "lo", "up"], check=True)
        live = Live("l-loss", "-i", "lo", "--json", "--buffer", "1")
        live.wait_for_error("watching")
        live.process.send_signal(signal.SIGSTOP)
        subprocess.run(["ip", "netns", "exec", "l-loss", "/usr/bin/python3", "-c",
                        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                        "for i in range(5000): s.sendto(b'x' * 1400, ('127.0.0.1', 9))"], check=True)
        live.process.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        assert live.stop() == 0
        capture = live.of("capture")[0]
        assert capture["dropped_kernel"] > 1000 and capture["packets"] > 100
    finally:
        subprocess.run(["ip", "netns", "del", "l-loss"])


def test_words_and_duration():
    if why_not():
        pytest.skip(why_not())
    assert not fresh_namespace("l-words")
    try:
        subprocess.run(["ip", "-n", "l-words", "link", "set", "lo", "up"], check=True)
        began = time.monotonic()
        done = subprocess.run(["ip", "netns", "exec", "l-words", WEIR, "live", "-i", "lo", "--duration", "2", "--site", "here"],
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 0 and 2 <= time.monotonic() - began < 6
        assert "here: no packets" in done.stdout and "incidents" in done.stdout
    finally:
        subprocess.run(["ip", "netns", "del", "l-words"])


def complaint(*arguments, **options):
    done = subprocess.run([WEIR, "live", *arguments], capture_output=True, text=True, timeout=20, **options)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_mistakes_are_explained():
    code, words = complaint()
    assert code == 2 and "-i IFACE" in words
    code, words = complaint("-i", "lo", "capture.pcap")
    assert code == 2 and "replay" in words
    code, words = complaint("-i", "lo", "--snaplen", "64")
    assert code == 2 and "2048" in words
    code, words = complaint("-i", "lo", "--write", "-")
    assert code == 2 and "--write" in words


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may capture, and may become another user")
def test_what_the_system_refuses_is_explained():
    code, words = complaint("-i", "weir-none")
    assert code == 1 and "no such interface" in words and "lo" in words
    code, words = complaint("-i", "lo", "--filter", "tcp prot 443")
    assert code == 1 and "tcp prot 443" in words
    code, words = complaint("-i", "lo", "--write", "/nowhere/at/all.pcap")
    assert code == 1 and "/nowhere/at/all.pcap" in words
    if not os.access(WEIR, os.X_OK) or any(not parent.stat().st_mode & 1 for parent in pathlib.Path(WEIR).resolve().parents):
        pytest.skip("another user cannot run this weir")
    code, words = complaint("-i", "lo", "--signatures", str(TOP / "signatures"), user=65534, group=65534, extra_groups=[])
    assert code == 1 and "setcap" in words
