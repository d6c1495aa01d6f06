"""Replay into a real Redis: keys as documented, a subscriber hears of it, a second replay adds nothing."""
import json
import subprocess
import time

from conftest import PCAPS, Redis, records, weir

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
    for url, words in (("http://x", "redis://"), ("rediss://x", "tunnel"), ("redis://h:99999", "redis://"), ("unix://relative", "unix://")):
        weir("replay", "--redis", url, PCAPS / "healthy.pcap", code=1)
        assert words in weir.stderr
