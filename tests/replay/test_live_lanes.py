"""Several workers and several interfaces: each worker has its own share of the flows, both directions of it, and all the names; a packet
seen on two interfaces counts once; an interface may go down, or away, and come back; and a new configuration takes over.
"""
import json
import signal
import subprocess
import time
import types

import pytest

from conftest import WEIR, fresh_namespace
from test_live import LAB, Live, SERVICES, load_network, why_not

PLAYERS_S = 14


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def lab():
    if why_not():
        pytest.skip(why_not())
    lab = load_network().Network(prefix="l-lane")
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def run(lab, tmp_path_factory):
    """Two workers, and beside them one worker that watches the bridge and its ports, while three viewers play."""
    tmp = tmp_path_factory.mktemp("lanes")
    what = ["--json", "--records", "flow,window,capture", "--clients", "plain", "--site", "lab"]
    two = Live(lab.gateway, "-i", "br0", "--workers", 2, "--write", tmp / "two.pcap", *what)
    ports = Live(lab.gateway, *(word for port in ("br0", "c0", "c1", "c2") for word in ("-i", port)), *what)
    for one in (two, ports):
        one.wait_for_error("watching")
    lab.rule("ip daddr 198.18.11.0/24 reject with icmp host-unreachable")
    for number, client in enumerate(lab.clients):
        for service, (control, media) in enumerate(SERVICES):
            lab.start(client, "/usr/bin/python3", str(LAB / "player.py"), control, media, str(PLAYERS_S), str(10 * number + service),
                      "--http", "1", "--reopen", "1")
    # A SYN that a router answers with ICMP, right after the name was looked up.
    failing = ("import socket, time\nfor i in range(6):\n  s = socket.socket(); s.settimeout(0.5)\n"
               "  s.connect_ex((socket.gethostbyname('ipv4-c002-fra001-ix.1.oca.nflxvideo.net'), 443)); s.close(); time.sleep(0.5)\n")
    lab.start(lab.clients[2], "/usr/bin/python3", "-c", failing)
    time.sleep(PLAYERS_S + 4)
    subprocess.run(["ip", "netns", "exec", lab.clients[0], "ping", "-c1", "-W1", "10.77.0.1"], capture_output=True)
    time.sleep((0.7 - time.time()) % 1)
    codes = [ports.stop(), two.stop()]
    return types.SimpleNamespace(two=two, ports=ports, pcap=tmp / "two.pcap", codes=codes)


def key(flow):
    return flow["transport"], flow["client"]["addr"], flow["client"]["port"], flow["server"]["addr"], flow["server"]["port"]


def replay(path):
    done = subprocess.run([WEIR, "replay", "--json", "--records", "flow,window,capture", "--clients", "plain", "--site", "lab", path],
                          capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def connections(records):
    """Without port 53: its flows leave out the client's ports, and each worker has some of its questions."""
    return {key(flow): flow for flow in records if flow["type"] == "flow" and flow["server"]["port"] != 53}


def untimed(flow):
    """The file has stamps of its own ring, some microseconds away from those of the worker's; what is told apart by the time between
    two packets (a retransmission from disorder, a stall) may differ at its edge."""
    timed = ("ts", "_us", "_bps", "stalls", "reordered_up", "reordered_down", "retransmissions_up", "retransmissions_down", "spurious")
    return {name: value for name, value in flow.items() if not name.endswith(timed)}


def test_two_workers_say_what_a_replay_says(run):
    assert run.codes == [0, 0], run.two.errors + run.ports.errors
    live, replayed = connections(run.two.of("flow")), connections(replay(run.pcap))
    assert len(live) > 30 and live.keys() == replayed.keys()
    differ = [(one, name, live[one][name], replayed[one][name]) for one in live for name in untimed(live[one])
              if live[one][name] != replayed[one][name]]
    assert not differ


def test_names_reach_both_workers(run):
    """Connections that fail never say their name: whichever worker has them, the answer of the resolver must be there before."""
    failed = [flow for flow in run.two.of("flow") if flow["server"]["addr"] == "198.18.11.2" and flow["server"]["port"] == 443]
    assert len(failed) >= 6 and all(flow["named_by"] == "dns" and flow["service"] == "netflix" for flow in failed)


def test_icmp_errors_find_their_flow(run):
    outcomes = [flow["outcome"] for flow in run.two.of("flow") if flow["server"]["addr"] == "198.18.11.2" and flow["server"]["port"] == 443]
    assert outcomes.count("icmp") == len(outcomes), outcomes


def test_a_packet_on_two_interfaces_counts_once(run):
    one, several = connections(run.two.of("flow")), connections(run.ports.of("flow"))
    names = ("packets_up", "packets_down", "bytes_up", "bytes_down", "service", "outcome", "requests", "syn")
    differ = [(one[flow], several[flow]) for flow in one if any(one[flow][name] != several[flow][name] for name in names)]
    # The kernel stamps for each interface anew: on a busy machine now and then more than the millisecond apart that makes a copy one.
    assert one.keys() == several.keys() and len(differ) <= 1, (len(differ), differ[0])
    seen = run.ports.of("capture")[0]
    assert seen["packets"] > 1.9 * run.two.of("capture")[0]["packets"] and seen["duplicates"] > 0.9 * run.two.of("capture")[0]["packets"]


def test_capture_counts_all_workers(run):
    live, replayed = run.two.of("capture")[0], [record for record in replay(run.pcap) if record["type"] == "capture"][0]
    assert live["packets"] == replayed["packets"] and live["bytes"] == replayed["bytes"] and live["dropped_kernel"] == 0
    assert live["decode"] == replayed["decode"]


@pytest.fixture
def pair():
    """A veth pair between two namespaces."""
    if why_not():
        pytest.skip(why_not())
    made = ("l-near", "l-far")
    for namespace in made:
        assert not fresh_namespace(namespace)

    def connect():
        ip("link", "add", "v0", "netns", made[0], "type", "veth", "peer", "name", "v0", "netns", made[1])
        for namespace, address in zip(made, ("10.78.0.1/24", "10.78.0.2/24")):
            ip("-n", namespace, "addr", "add", address, "dev", "v0")
            ip("-n", namespace, "link", "set", "v0", "up")
    connect()
    yield types.SimpleNamespace(near=made[0], far=made[1], connect=connect)
    for namespace in made:
        ip("netns", "del", namespace)


def ping(pair, count=5):
    subprocess.run(["ip", "netns", "exec", pair.near, "ping", f"-c{count}", "-i0.1", "-W1", "10.78.0.2"], capture_output=True, check=True)


@pytest.mark.parametrize("workers", (1, 2))
def test_interface_goes_down_and_comes_back(pair, workers):
    live = Live(pair.near, "-i", "v0", "--json", "--workers", workers)
    live.wait_for_error("watching")
    ping(pair)
    ip("-n", pair.near, "link", "set", "v0", "down")
    time.sleep(1)
    ip("-n", pair.near, "link", "set", "v0", "up")
    time.sleep(0.5)
    ping(pair, 20)
    assert live.stop() == 0, live.errors
    assert live.of("capture")[0]["packets"] >= 50


def test_a_burst_of_answers_finds_room(pair):
    """What reaches every worker has a ring of its own, which must hold more than a few packets while a worker is busy."""
    live = Live(pair.near, "-i", "v0", "--json", "--workers", 2)
    live.wait_for_error("watching")
    ping(pair)
    live.process.send_signal(signal.SIGSTOP)
    subprocess.run(["ip", "netns", "exec", pair.near, "/usr/bin/python3", "-c",
                    "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('10.78.0.1', 53))\n"
                    "for i in range(500): s.sendto(b'x' * 100, ('10.78.0.2', 40000 + i))"], check=True)
    live.process.send_signal(signal.SIGCONT)
    ping(pair)
    assert live.stop() == 0, live.errors
    capture = live.of("capture")[0]
    assert capture["dropped_kernel"] == 0 and capture["packets"] >= 520, capture


def test_interface_is_removed_and_made_again(pair):
    live = Live(pair.near, "-i", "v0", "--json")
    live.wait_for_error("watching")
    ping(pair)
    ip("-n", pair.near, "link", "del", "v0")
    live.wait_for_error("gone")
    pair.connect()
    live.wait_for_error("is back")
    ping(pair, 20)
    assert live.stop() == 0, live.errors
    assert live.of("capture")[0]["packets"] >= 50
    assert sum("gone" in line for line in live.errors) == 1 and sum("is back" in line for line in live.errors) == 1


def test_removed_interface_ends_several_workers_with_words(pair):
    live = Live(pair.near, "-i", "v0", "--json", "--workers", 2)
    live.wait_for_error("watching")
    ip("-n", pair.near, "link", "del", "v0")
    assert live.process.wait(30) == 1
    live.stop()
    assert any("removed" in line and "started again" in line for line in live.errors), live.errors


@pytest.mark.parametrize("workers", (1, 2))
def test_hangup_takes_a_new_configuration(pair, tmp_path, workers):
    """The sockets stay, nothing is lost in between, and what was written holds both halves."""
    (tmp_path / "weir.yaml").write_text("site: before\n")
    live = Live(pair.near, "-i", "v0", "--json", "--workers", workers, "--config", tmp_path / "weir.yaml", "--write", tmp_path / "seen.pcap")
    live.wait_for_error("watching")
    pings = subprocess.Popen(["ip", "netns", "exec", pair.near, "ping", "-c40", "-i0.1", "10.78.0.2"], stdout=subprocess.DEVNULL)
    time.sleep(1)
    (tmp_path / "weir.yaml").write_text("site: after\n")
    live.process.send_signal(signal.SIGHUP)
    pings.wait()
    time.sleep(0.5)
    assert live.stop() == 0, live.errors
    sites = [record["site"] for record in live.of("capture")]
    assert sites == ["before", "after"] and sum("SIGHUP" in line for line in live.errors) == 1
    assert 80 <= sum(record["packets"] for record in live.of("capture")) <= 150, "40 pings, some neighbour discovery, none twice"
    written = [record for record in replay(tmp_path / "seen.pcap") if record["type"] == "capture"][0]["packets"]
    assert written == sum(record["packets"] for record in live.of("capture"))


def test_interfaces_of_other_kinds_of_links_are_refused_in_one_file(pair, tmp_path):
    done = subprocess.run(["ip", "netns", "exec", pair.near, WEIR, "live", "-i", "v0", "-i", "any", "--write", tmp_path / "x.pcap"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "link types" in done.stderr
    done = subprocess.run([WEIR, "live", "-i", "v0", "-i", "v0"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "twice" in done.stderr


def test_workers_begin_together(pair):
    """Begun just before a second's turn, one worker hears of the next second first: it must have the same ticks as the other all the same, or
    that one waits for ever at the end."""
    begun = []
    for part in (0.88, 0.91, 0.94, 0.97):
        time.sleep((part - time.time()) % 1)
        begun.append(Live(pair.near, "-i", "v0", "--json", "--workers", 2))
    for live in begun:
        live.wait_for_error("watching")
    ping(pair, 20)
    time.sleep(1.2)
    for live in begun:
        assert live.stop() == 0, live.errors
        assert live.of("capture")
