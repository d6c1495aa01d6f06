"""Autonomous systems by --asn-db: what an incident says of them, and databases that are none."""
import json
import random
import subprocess

import jsonschema
import pytest

import mmdb
from conftest import PCAPS, TOP, WEIR, records, weir

SCHEMA = json.loads((TOP / "tests/schema/record.schema.json").read_text())

NETFLIX = mmdb.autonomous_system(2906, "Netflix Streaming Services")
SHARED = mmdb.autonomous_system(64500, "Café CDN")
NETWORKS = {"198.18.10.0/23": NETFLIX, "198.18.30.0/24": SHARED, "198.18.33.0/24": SHARED, "2001:db8:10::/47": NETFLIX}


@pytest.fixture(autouse=True)
def built_with_it():
    absent = subprocess.run([WEIR, "replay", "--asn-db", "/dev/null", "-"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if "without libmaxminddb" in absent.stderr:
        pytest.skip("this weir was built without libmaxminddb")


@pytest.fixture
def database(tmp_path):
    return mmdb.write(tmp_path / "asn.mmdb", NETWORKS)


def incidents(database, capture):
    told = records("--asn-db", database, capture, kind="incident")
    for incident in told:
        jsonschema.Draft7Validator(SCHEMA).validate(incident)
    return told


def as_listed(record):
    return {"asn": record["autonomous_system_number"], "as_org": record["autonomous_system_organization"]}


def test_failing_prefixes_are_named(database):
    raised = incidents(database, PCAPS / "outage.pcap")[0]
    assert sorted(raised["prefixes"]) == ["198.18.10.0/24", "198.18.11.0/24"]
    assert raised["prefix_as"] == [as_listed(NETFLIX)] * 2
    assert raised["cause"] == "service" and raised["asn"] is None, "netflix is nowhere else: no network is to blame"
    assert "at 2 prefixes of AS2906 Netflix Streaming Services." in raised["text"]


def test_addresses_of_both_versions(database):
    last = incidents(database, PCAPS / "lab-unreachable.pcap.zst")[-1]
    assert any(":" in prefix for prefix in last["prefixes"]) and any("." in prefix for prefix in last["prefixes"])
    assert last["prefix_as"] == [as_listed(NETFLIX)] * len(last["prefixes"])


def test_a_prefix_is_told_with_its_system(database):
    told = incidents(database, PCAPS / "lab-shared_cdn.pcap.zst")
    assert {incident["cause"] for incident in told} == {"cdn"}
    assert all(incident["asn"] is None for incident in told), "one prefix fails, not the system"
    assert all("fail on 198.18.30.0 (AS64500 Café CDN) as well" in incident["text"] for incident in told if incident["event"] != "cleared")


def two_prefixes(tmp_path):
    """Max and hulu share a prefix in this capture; here hulu's server moves to another one, in packets and DNS answers alike."""
    packed = PCAPS / "lab-shared_cdn.pcap.zst"
    whole = subprocess.run(["zstd", "-dqc", packed], stdout=subprocess.PIPE, check=True).stdout
    hulu = bytes([198, 18, 30, 9])
    assert whole.count(hulu) > 50
    path = tmp_path / "two.pcap"
    path.write_bytes(whole.replace(hulu, bytes([198, 18, 33, 9])))
    return path


def test_two_prefixes_of_one_system_are_one_cdn(database, tmp_path):
    path = two_prefixes(tmp_path)
    told = incidents(database, path)
    assert {(i["service"], i["cause"], i["asn"], i["as_org"]) for i in told} == {(name, "cdn", 64500, "Café CDN") for name in ("max", "hulu")}
    assert all("Other services fail on AS64500 Café CDN as well: a shared CDN." in incident["text"] for incident in told if incident["event"] != "cleared")
    assert all(incident["controls"]["fail"] == 0 for incident in told), "controls are outside the system"
    without = records(path, kind="incident")
    assert {incident["cause"] for incident in without} <= {"cdn_path", "service"}, "nothing joins the two prefixes"
    assert not any({"asn", "as_org", "prefix_as"} & incident.keys() for incident in without)


def test_from_the_configuration(database, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text(f"asn-db: {database}\n")
    assert records("--config", config, PCAPS / "outage.pcap", kind="incident")[0]["prefix_as"] == [as_listed(NETFLIX)] * 2


def test_names_steer_no_terminal_and_break_no_json(tmp_path):
    bad = {b"autonomous_system_number": 7, b"autonomous_system_organization": b"a\x1b[2J\xff\xc3 \xed\xa0\x80b" + b"\xc3\xa9" * 60}
    path = mmdb.write(tmp_path / "bad.mmdb", {"198.18.10.0/23": bad})
    name = incidents(path, PCAPS / "outage.pcap")[0]["prefix_as"][0]["as_org"]
    assert name.startswith("a?[2J?? ???bé") and len(name.encode()) <= 59 and set(name[13:]) <= {"é"}


def refused(path, *wanted):
    weir("replay", "--asn-db", path, PCAPS / "outage.pcap", code=2)
    message = weir.stderr.strip()
    assert len(message.splitlines()) == 1 and message.startswith(f"weir: --asn-db {path}: "), message
    for words in wanted:
        assert words in message, message


def test_no_database(tmp_path, database):
    refused(tmp_path / "nowhere.mmdb", "No such file")
    refused(tmp_path)
    refused(PCAPS / "outage.pcap", "metadata")
    (tmp_path / "empty.mmdb").touch()
    refused(tmp_path / "empty.mmdb")
    (tmp_path / "cut.mmdb").write_bytes(database.read_bytes()[:-40])
    refused(tmp_path / "cut.mmdb")


def test_another_database_of_the_same_format(tmp_path):
    city = mmdb.write(tmp_path / "city.mmdb", {"198.18.0.0/16": {"city": "Paris"}}, kind="Test-City")
    refused(city, "Test-City", "autonomous_system_number", "GeoLite2-ASN")
    refused(mmdb.write(tmp_path / "loop.mmdb", {"198.18.0.0/16": NETFLIX}, tree=[[0, 0]]), "autonomous_system_number")


def test_a_damaged_database_breaks_nothing(tmp_path, database):
    whole, chance = database.read_bytes(), random.Random(7)
    path = tmp_path / "damaged.mmdb"
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        output = weir("replay", "--json", "--records", "incident", "--asn-db", path, PCAPS / "outage.pcap", code=None)
        assert weir.code in (0, 2), weir.stderr
        for line in output.splitlines():
            json.loads(line)
