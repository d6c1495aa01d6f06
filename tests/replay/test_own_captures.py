"""The project's own captures (tests/lab): a healthy evening, and a service that stops answering."""
from conftest import PCAPS, records, weir


def test_healthy():
    assert records(PCAPS / "healthy.pcap", kind="incident") == []
    states = {service["service"]: service["state"] for service in records(PCAPS / "healthy.pcap", kind="service")}
    assert states["netflix"] == states["youtube"] == states["disneyplus"] == "healthy"


def test_outage_is_found_timed_and_blamed():
    incidents = records(PCAPS / "outage.pcap", kind="incident")
    raised = [incident for incident in incidents if incident["event"] == "raised"]
    assert [incident["service"] for incident in raised] == ["netflix"]
    start = records(PCAPS / "outage.pcap", kind="capture")[0]["first_ts"]
    assert 55 <= raised[0]["onset_ts"] - start <= 80, "the servers fell silent 60 s after the players began"
    last = [incident for incident in incidents if incident["id"] == raised[0]["id"]][-1]
    assert last["event"] == "cleared"
    assert raised[0]["cause"] == "service" and raised[0]["state"] == "down"
    assert raised[0]["controls"]["fail"] == 0 and raised[0]["controls"]["total"] > 0
    assert {"netflix"} == {incident["service"] for incident in incidents}


def test_outage_in_words():
    text = weir("replay", PCAPS / "outage.pcap")
    assert "netflix" in text and "down" in text and "cause: service" in text


def test_each_service_is_named_although_it_does_not_answer():
    silent = [flow for flow in records(PCAPS / "outage.pcap", kind="flow") if flow["syn"] and not flow["syn_ack"]]
    assert silent and {flow["service"] for flow in silent} == {"netflix"}
    assert {flow["named_by"] for flow in silent} <= {"dns", "address"}
