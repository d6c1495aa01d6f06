"""Many sites, one verdict: scopes, silent sites, clocks that are ahead, and two fleets of which one is killed."""
import json
import random
import subprocess
import sys
import time

import pytest

from conftest import TOP, WEIR, weir

sys.path.insert(0, str(TOP / "tests" / "fleet"))
import sites  # noqa: E402


@pytest.fixture
def server(redis):
    server = sites.Server(redis.port)
    yield server
    server.close()


@pytest.fixture
def fleet(redis):
    """Starts fleets; ends them."""
    running = []

    def start():
        running.append(subprocess.Popen([WEIR, "fleet", "--redis", redis.url], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        return running[-1]
    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def said(server):
    entries = server.ask("XRANGE", "weir:fleet:incidents", "-", "+") or []
    return [json.loads(dict(zip(fields[::2], fields[1::2]))["json"]) for _, fields in entries]


def wait_for(server, condition, seconds=25):
    end = time.time() + seconds
    while time.time() < end:
        found = said(server)
        if condition(found):
            return found
        time.sleep(0.2)
    raise AssertionError(f"after {seconds} s only: {[(s['event'], s['service'], s['scope']) for s in said(server)]}")


def healthy(server, names, services=("netflix",)):
    now = sites.now()
    for site in names:
        sites.probe(server, site, now, services)
        for service in services:
            sites.window(server, site, service, now, 12, 0)
    server.flush()


def sick(server, names, service="netflix", event="raised", onset=None, serial=0, **more):
    now = sites.now()
    for site in names:
        sites.probe(server, site, now, [service])
        sites.announce(server, sites.incident(site, service, event, onset or now - 5, now, serial=serial, **more), f"{int(now * 1000)}-{serial}")
    server.flush()


def test_regional_with_the_list_then_global_then_over(server, fleet, redis):
    good, bad = [f"eu/home-{i}" for i in range(8)], ["us/home-1", "us/home-2"]
    onset = sites.now() - 20
    healthy(server, good)
    sick(server, bad, onset=onset)
    fleet()
    first = wait_for(server, lambda found: any(s["scope"] == "regional" for s in found))[-1]
    assert (first["service"], first["region"], first["sites"], first["sites_good"]) == ("netflix", "us", bad, 8)
    assert "us" in first["text"] and "8" in first["text"]
    text = weir("status", "--redis", redis.url, "--fleet", "netflix", code=3)
    assert "region us" in text.splitlines()[0]
    sick(server, good, onset=onset + 1)
    everywhere = wait_for(server, lambda found: found[-1]["scope"] == "global")[-1]
    assert everywhere["id"] == first["id"] and everywhere["sites_bad"] == 10 and everywhere["event"] == "updated"
    sick(server, good + bad, event="cleared", onset=onset, serial=1)  # other ids: the sites' newest word counts
    over = wait_for(server, lambda found: found[-1]["event"] == "cleared")
    assert [s["revision"] for s in over] == list(range(1, len(over) + 1))


def test_who_has_no_vote(server, fleet):
    """One service each, all at once, since a verdict of one site waits ten seconds for others."""
    healthy(server, ["a", "b"], services=("nothing",))
    sick(server, ["c"], service="alone")
    sick(server, ["u1", "u2"], service="uplink", cause="uplink")
    sick(server, ["c1", "c2"], service="client", cause="client")
    sick(server, ["q1", "q2"], service="quic", state="degraded", cause="quic_blocked")
    long_ago = sites.now() - 3600  # a site that a fleet heard an hour ago, and nobody since
    value = "\t".join([f"{int(long_ago * 1000)}-0", "silent", "down", "service", "connect", *[str(int(long_ago * 1e6))] * 3, "0", "12", "12"])
    server.ask("HSET", "weir:fleet:{weir:fleet:incidents}:cases", "dead silent-1", value)
    server.ask("ZADD", "weir:sites", long_ago, "dead")
    ahead = sites.now() + 120  # a site whose clock is two minutes ahead
    sites.probe(server, "ahead", sites.now(), [])
    sites.announce(server, sites.incident("ahead", "skewed", "raised", ahead - 5, ahead), f"{int(ahead * 1000)}-0")
    server.flush()
    fleet()
    wait_for(server, lambda found: len(found) >= 2)
    time.sleep(2)
    found = {s["service"]: s for s in said(server)}
    assert set(found) == {"alone", "skewed"}, "an uplink, a client, a service that works, and a silent site say nothing"
    assert found["alone"]["scope"] == "local" and found["alone"]["sites"] == ["c"] and found["alone"]["sites_good"] == 0
    assert abs(found["skewed"]["onset_ts"] - (sites.now() - 20)) < 20, "the onset is by Redis' clock, not two minutes in the future"


def test_what_is_no_event_is_counted_and_confirmed(server, fleet):
    for words in (["site", "x"], ["site", "x", "entry", "1-0", "json", "{"], ["site", "x y", "entry", "1-0", "json", "{}"], ["a", "b"],
                  ["site", "x", "entry", "1", "json", json.dumps(sites.incident("x", "netflix", "raised", 1, 1))]):
        server.send("XADD", "weir:fleet:inbox:{3}", "*", *words)
    server.flush()
    sick(server, ["c"])
    process = fleet()
    wait_for(server, lambda found: found)
    assert server.ask("XPENDING", "weir:fleet:inbox:{3}", "fleet")[0] == 0
    process.terminate()
    assert "5 unusable" in process.communicate(timeout=20)[1] and process.returncode == 0


def test_two_fleets_one_killed_says_all_once(server, fleet):
    """60 services fail and recover at two sites each, while fleets are killed; each verdict is there once, in order."""
    random.seed(7)
    healthy(server, [f"good-{i}" for i in range(3)], services=("control",))
    running = [fleet(), fleet()]
    services, events, killed = [f"svc{i}" for i in range(60)], 0, 0
    for step in range(2):
        for i, service in enumerate(services):
            now = sites.now()
            for site in ("one", "two"):
                sites.probe(server, site, now, [])
                record = sites.incident(site, service, ("raised", "cleared")[step], 1795469000 + i, now)
                again = random.choice((1, 1, 2))  # the probe sends again what it does not know to have arrived
                sites.announce(server, record, f"{1795469000000 + 1000 * step + i}-0", again)
                events += 1
            server.flush()
            if i in (15, 40):  # whoever leads dies
                leader = server.ask("GET", "weir:fleet:{weir:fleet:incidents}:leader")
                for process in running:
                    if leader and f"-{process.pid}-" in leader:
                        process.kill()
                        killed += 1
                        process.wait()
                        running.remove(process)
                        running.append(fleet())
                        break
            time.sleep(0.02)
        if step == 0:
            wait_for(server, lambda found: len({s["service"] for s in found}) == len(services), 60)
    found = wait_for(server, lambda found: sum(s["event"] == "cleared" for s in found) == len(services), 60)
    time.sleep(2)
    found = said(server)
    for service in services:
        mine = [s for s in found if s["service"] == service]
        assert [s["event"] for s in mine if s["event"] != "updated"] == ["raised", "cleared"], "0 lost, 0 doubled"
        assert [s["revision"] for s in mine] == list(range(1, len(mine) + 1))
        assert mine[-2]["scope"] == "global" and mine[-2]["sites_bad"] == 2
    assert killed >= 2
    stats = server.ask("HGETALL", "weir:fleet:{weir:fleet:incidents}:stats")
    assert int(dict(zip(stats[::2], stats[1::2]))["events"]) == events, "each event counted once, however often it was sent or read"
