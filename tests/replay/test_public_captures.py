"""Public captures of real traffic: what each is known to hold (its provenance) must be what weir says."""
from conftest import records, weir


def flows(capture, **wanted):
    found = records(capture, kind="flow")
    return [flow for flow in found if all(flow[name] == value for name, value in wanted.items())]


def test_netflix_is_named_and_healthy_although_clients_reset(public_capture):
    capture = public_capture("netflix.pcap")
    netflix = flows(capture, service="netflix")
    assert {"media", "control"} <= {flow["role"] for flow in netflix}
    assert any(flow["host"] == "ichnaea.netflix.com" for flow in netflix)
    assert any(flow["server"]["addr"].startswith("23.246.") and flow["role"] == "media" for flow in netflix)
    assert any(flow["reset"] and flow["reset"]["by"] == "client" for flow in netflix), "the capture has client resets"
    assert records(capture, kind="incident") == []
    state = [service["state"] for service in records(capture, kind="service") if service["service"] == "netflix"]
    assert state == ["healthy"]


def test_a_capture_that_ends_in_mid_handshake_is_no_outage(public_capture):
    capture = public_capture("short_clean_dump.pcap")
    assert records(capture, kind="incident") == []
    unanswered = [flow for flow in flows(capture, transport="tcp") if flow["syn"] and not flow["syn_ack"]]
    assert len(unanswered) == 19
    assert {flow["outcome"] for flow in unanswered} == {"neutral"}


def test_lan_discovery_is_no_streaming(public_capture):
    capture = public_capture("android.pcap")
    assert flows(capture, service="spotify") == []
    assert "spotify" not in {service["service"] for service in records(capture, kind="service")}


def test_many_services_by_one_handshake_each(public_capture):
    named = {flow["service"] for flow in flows(public_capture("sites.pcapng"))}
    assert {"disneyplus", "hulu", "twitch", "primevideo", "vimeo", "tiktok", "pandora", "deezer", "soundcloud"} <= named


def test_spotify_by_its_own_protocol(public_capture):
    assert [flow["named_by"] for flow in flows(public_capture("spotify_tcp.pcap"), service="spotify")] == ["ndpi"]


def test_youtube_over_old_quic(public_capture):
    youtube = flows(public_capture("youtube_quic.pcap"), service="youtube")
    assert youtube and all(flow["transport"] == "quic" for flow in youtube)


def test_dns_without_answers(public_capture):
    dns = [flow for flow in flows(public_capture("nowebaccess1.pcapng")) if flow["server"]["port"] == 53]
    assert sum(flow["packets_up"] for flow in dns) == 7 and len({flow["server"]["addr"] for flow in dns}) == 2
    assert [flow["requests"] for flow in dns] == [flow["request_timeouts"] for flow in dns] == [1, 1], "one question each, asked again and again"
    assert sum(flow["dns"]["answers"] for flow in dns) == 0
    assert {flow["outcome"] for flow in dns} == {"request_timeout"}


def test_dns_fine_but_syns_unanswered(public_capture):
    found = flows(public_capture("nowebaccess3.pcapng"))
    assert [flow["outcome"] for flow in found if flow["server"]["port"] == 53] == ["useful"]
    assert [(flow["syn"], flow["syn_ack"], flow["outcome"]) for flow in found if flow["transport"] == "tcp"] == [(3, 0, "syn_timeout")]


def test_tls_alert(public_capture):
    assert [flow["outcome"] for flow in flows(public_capture("tls-1.2-handshake-failure.pcap"))] == ["tls_alert"]


def test_servfail(public_capture):
    dns = [flow for flow in flows(public_capture("flow-drop-iponly-02.pcap")) if flow["server"]["port"] == 53]
    assert [flow["outcome"] for flow in dns] == ["dns_servfail"]
    assert (dns[0]["packets_up"], dns[0]["packets_down"]) == (3, 3)
    assert dns[0]["dns"]["queries"] == 1 and dns[0]["dns"]["fail"]["servfail"] == 1, "one question, asked three times"


def test_five_retransmissions(public_capture):
    (flow,) = flows(public_capture("tcp_retransmissions.pcapng"))
    lost = [flow["retransmissions_up"], flow["retransmissions_down"]]
    assert sorted(side["beyond"] for side in lost) == [0, 5]
    assert [side["before"] for side in lost] == [0, 0]


def test_handshake_latency(public_capture):
    assert [flow["handshake_rtt_server_us"] for flow in flows(public_capture("latency1.pcapng"))] == [30107]
    (slow,) = flows(public_capture("latency2.pcapng"))
    assert 878_000 <= slow["handshake_rtt_server_us"] <= 880_000


def test_sequence_anomalies(public_capture):
    found = {flow["server"]["port"]: flow for flow in flows(public_capture("tcpseq_synthetic.pcap"), transport="tcp")}
    assert found[8002]["retransmissions_up"]["beyond"] == 1
    for port in (8001, 8004):
        up = found[port]
        assert up["reordered_up"] + up["retransmissions_up"]["before"] == 1
    assert found[8000]["retransmissions_up"] == {"beyond": 0, "before": 0}
    assert found[8000]["handshake_rtt_server_us"] == 1000


def test_no_public_capture_is_called_sick(public_capture):
    for name in ("netflix.pcap", "youtube_quic.pcap", "sites.pcapng", "android.pcap", "short_clean_dump.pcap", "spotify_tcp.pcap", "tcpseq_synthetic.pcap"):
        assert records(public_capture(name), kind="incident") == [], name


def test_the_report_reads_well(public_capture):
    text = weir("replay", public_capture("netflix.pcap"))
    assert "\033" not in text, "colours go away in a pipe"
    assert "netflix" in text and "healthy" in text and "none" in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_receivers_that_report_a_copy_as_needless(public_capture):
    """As many losses are taken back as Wireshark sees D-SACK blocks; what else was sent again stays a loss."""
    for name, needless, lost in (("android", 1, 17), ("teams", 2, 0), ("wa_video", 4, 0), ("zoom", 1, 4)):
        found = flows(public_capture(f"{name}.pcap"))
        beyond = sum(flow[f"retransmissions_{way}"]["beyond"] for flow in found for way in ("up", "down"))
        spurious = sum(flow["spurious"][way] for flow in found for way in ("up", "down"))
        assert (beyond, spurious) == (lost, needless), name
