"""contrib/KEYS.md and the Grafana dashboard are what the program writes: compared with `weir keys`, and with a Redis after a replay."""
import json
import re

from conftest import PCAPS, TOP, weir


def documented():
    """{heading: [fields]} and the table of keys."""
    text = weir("keys")
    tables = {part.split("\n", 1)[0]: re.findall(r"^\| `([a-z0-9_]+)` \|", part, re.M) for part in text.split("\n## ")[1:]}
    return tables, re.findall(r"^\| `(weir:[^`]+)` \| (\w+)", text, re.M)


def test_the_table_is_the_one_that_the_program_prints():
    assert (TOP / "contrib" / "KEYS.md").read_text() == weir("keys"), "run: weir keys >contrib/KEYS.md"
    assert "|  |\n" not in weir("keys"), "each field has a meaning"


def test_redis_holds_these_keys_and_fields(redis):
    weir("replay", "--redis", redis.url, "--site", "home", PCAPS / "outage.pcap")
    weir("alerts", "--redis", redis.url, "--ack", json.loads(weir("alerts", "--redis", redis.url, "--json").splitlines()[0])["id"])
    tables, keys = documented()
    patterns = {re.compile(re.escape(key).replace(r"\{SITE\}", r"\{home\}").replace("SERVICE", "[a-z0-9]+") + "$"): kind for key, kind in keys}
    for key in redis.cli("KEYS", "*").splitlines():
        kinds = [kind for pattern, kind in patterns.items() if pattern.match(key)]
        assert kinds and kinds[0].lower() == redis.cli("TYPE", key), key

    def hash_fields(key):
        return set(redis.cli("HGETALL", key, as_json=True))

    def entry_fields(key):
        entry = redis.cli("XREVRANGE", key, "+", "-", "COUNT", "1", as_json=True)[0][1]
        return set(entry[::2]) if isinstance(entry, list) else set(entry)
    windows, incidents, probe = (next(set(fields) for title, fields in tables.items() if title.startswith(start)) for start in ("service:", "incidents", "probe"))
    assert hash_fields("weir:{home}:service:netflix") == windows == entry_fields("weir:{home}:metrics:netflix")
    assert entry_fields("weir:{home}:incidents") == incidents
    written = hash_fields("weir:{home}:probe")
    assert {name for name in written if not re.match("redis_|spool_", name)} == probe


def board_of_redis():
    return json.loads((TOP / "contrib" / "grafana" / "dashboard.json").read_text())


def test_the_dashboard_draws_fields_that_exist():
    dashboard = board_of_redis()
    tables, keys = documented()
    fields = {name for names in tables.values() for name in names}
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(targets) >= 8
    for target in targets:
        key = target["keyName"].replace("$site", "SITE").replace("$service", "SERVICE")
        assert any(key == name.replace("{SITE}", "{SITE}") for name, _ in keys), key
    drawn = {name for panel in dashboard["panels"] for step in panel.get("transformations", []) if step["id"] == "filterFieldsByName"
             for name in step["options"]["include"]["names"]}
    assert drawn - {"$time"} <= fields, drawn - fields


def steps_of(panel, target, kind):
    return [step["options"] for step in panel["transformations"] if step["id"] == kind and step["filter"]["options"] == target["refId"]]


def test_the_dashboard_finds_what_redis_holds(redis):
    """Asks as the plugin does: XREVRANGE key END START COUNT n, and the time range where a panel names neither. What is empty in
    Redis was not measured: it is left out before it becomes a number, which it would as 0."""
    weir("replay", "--redis", redis.url, "--site", "home", PCAPS / "outage.pcap")
    drawn = 0
    for panel in board_of_redis()["panels"]:
        for target in panel["targets"]:
            if target["command"] != "xrevrange" or "fleet" in target["keyName"]:
                continue
            key = target["keyName"].replace("$site", "home").replace("$service", "netflix")
            ends = [target.get("end", "1795480000000-0"), target.get("start", "1795460000000-0")]
            entries = redis.cli("XREVRANGE", key, *ends, "COUNT", str(target["count"]), as_json=True)
            assert entries, (panel["title"], ends)
            if panel["type"] != "timeseries":
                continue
            (empty,), (shown,) = (steps_of(panel, target, kind) for kind in ("filterByValue", "filterFieldsByName"))
            name = shown["include"]["names"][1]
            assert empty["type"] == "exclude" and empty["filters"][0]["fieldName"] == name
            pattern = empty["filters"][0]["config"]["options"]["value"]
            values = [dict(zip(fields[::2], fields[1::2]))[name] for _, fields in entries]
            left = [float(value) for value in values if not re.search(pattern, value)]
            assert left, (panel["title"], name)
            drawn += 1
    assert drawn >= 8
