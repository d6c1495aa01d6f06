"""Files that are no captures, cut, or lie: one clear line, what was read before is reported, exit 1. Options that are wrong: exit 2."""
import pathlib
import struct
import subprocess

import pytest

from conftest import PCAPS, TOP, WEIR, records, weir



def replay_fails(path, *wanted, code=1):
    weir("replay", path, code=code)
    message = weir.stderr.strip()
    assert len(message.splitlines()) == 1 and message.startswith("weir: "), message
    for words in wanted:
        assert words in message, message
    return message


def test_not_a_capture(tmp_path):
    path = tmp_path / "note.pcap"
    path.write_text("this is a letter, not a capture of packets\n" * 10)
    replay_fails(path, "note.pcap", "0")


def test_empty_file(tmp_path):
    path = tmp_path / "empty.pcap"
    path.write_bytes(b"")
    replay_fails(path, "empty.pcap")


def test_missing_file(tmp_path):
    replay_fails(tmp_path / "nowhere.pcap", "nowhere.pcap", "No such file")


def test_cut_in_mid_record(tmp_path):
    path = tmp_path / "cut.pcap"
    whole = (PCAPS / "healthy.pcap").read_bytes()
    path.write_bytes(whole[:200_001])
    text = weir("replay", path, code=1)
    assert "cut.pcap" in weir.stderr and any(character.isdigit() for character in weir.stderr)
    assert "netflix" in text, "what was read before is still reported"


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_cut_compressed(tmp_path, packer):
    path = tmp_path / "cut.packed"
    whole = subprocess.run([packer, "-qc"], input=(PCAPS / "healthy.pcap").read_bytes(), stdout=subprocess.PIPE, check=True).stdout
    path.write_bytes(whole[:len(whole) // 2])
    weir("replay", path, code=1)
    assert "cut.packed" in weir.stderr


def test_unknown_link_type(tmp_path):
    path = tmp_path / "usb.pcap"
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 189)
    path.write_bytes(head + struct.pack("<IIII", 1, 0, 8, 8) + b"\0" * 8)
    replay_fails(path, "usb.pcap", "189")


def test_a_good_capture_without_packets(tmp_path):
    path = tmp_path / "none.pcap"
    path.write_bytes((PCAPS / "healthy.pcap").read_bytes()[:24])
    assert "no packets" in weir("replay", path)
    (capture,) = records(path, kind="capture")
    assert capture["packets"] == 0 and capture["first_ts"] is None


def test_malformed_packets_are_counted_by_name(tmp_path):
    path = tmp_path / "bad.pcap"
    ethernet = b"\2" * 12 + b"\x08\x00"
    bad = [ethernet + b"\x45", ethernet + b"\x43" + b"\0" * 40, ethernet + b"\x65" + b"\0" * 40, b"\1\2\3",
           ethernet + b"\x45\0\0\x10" + b"\0" * 40]
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(head + b"".join(struct.pack("<IIII", 1, i, len(b), len(b)) + b for i, b in enumerate(bad)))
    (capture,) = records(path, kind="capture")
    assert capture["packets"] == len(bad) and sum(capture["decode"].values()) == len(bad)
    assert capture["decode"]["ok"] == 0


def rewrite(path, change):
    """A copy of the outage capture in which change(i, seconds, micros, captured, wire, data) says what becomes of packet i."""
    whole = (PCAPS / "outage.pcap").read_bytes()
    out, at, number = [whole[:24]], 24, 0
    while at < len(whole):
        seconds, micros, captured, wire = struct.unpack_from("<IIII", whole, at)
        data = whole[at + 16:at + 16 + captured]
        seconds, micros, data, wire = change(number, seconds, micros, data, wire)
        out.append(struct.pack("<IIII", seconds, micros, len(data), wire) + data)
        at += 16 + captured
        number += 1
    path.write_bytes(b"".join(out))


def all_spans(value, key=""):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "unmeasured":
                yield from all_spans(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from all_spans(inner, key)
    elif key.endswith("_us") and value is not None:
        yield key, value


@pytest.mark.parametrize("name,shift", [("stepped back an hour", lambda i: -3600 if i > 8000 else 0), ("stepped on a day", lambda i: 86400 if i > 8000 else 0),
                                        ("one stamp of 2106", lambda i: None if i == 5000 else 0)])
def test_clock_steps_leave_no_negative_span(tmp_path, name, shift):
    path = tmp_path / "steps.pcap"

    def change(i, seconds, micros, data, wire):
        step = shift(i)
        return (0xFFFFFFFF if step is None else seconds + step), micros, data, wire
    rewrite(path, change)
    found = records(path)
    assert found
    for record in found:
        assert all(span >= 0 for _, span in all_spans(record)), record
        if record["type"] == "flow":
            assert record["last_ts"] >= record["first_ts"]


def test_stamps_of_1970(tmp_path):
    path = tmp_path / "1970.pcap"
    first = struct.unpack_from("<I", (PCAPS / "outage.pcap").read_bytes(), 24)[0]
    rewrite(path, lambda i, s, us, data, wire: (s - first, us, data, wire))
    raised = [incident for incident in records(path, kind="incident") if incident["event"] == "raised"]
    assert [incident["service"] for incident in raised] == ["netflix"]


PUBLIC = TOP.parent / "shared" / "pcaps"  # beside the project, where they are at hand
EVERY_CAPTURE = [*PCAPS.glob("*.pcap"), *PUBLIC.glob("*.pcap"), *PUBLIC.glob("*.pcapng"), *(TOP / "tests" / "outcomes" / "captures").glob("*.pcap"), *(TOP / "tests" / "oracle" / "captures").glob("*.pcap.gz")]

def options_cut(frame):
    """An IPv6 header and TCP's with a time stamp are longer than 80 bytes: its echoes are not measured."""
    return ":" in frame["server"]["addr"]


SACKED = ("retransmissions_up", "retransmissions_down", "spurious")


@pytest.mark.parametrize("capture", EVERY_CAPTURE, ids=lambda path: path.name.split(".")[0])
def test_packets_cut_to_80_bytes_give_the_same_flows(tmp_path, capture):
    """What differs is listed as unmeasured, with the reason."""
    path = tmp_path / "cut80.pcapng"
    made = subprocess.run(["editcap", "-s", "80", capture, path], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"editcap: {made.stderr.strip()}")
    key = lambda flow: (flow["first_ts"], flow["client"]["addr"], flow["client"]["port"], flow["server"]["addr"], flow["server"]["port"])
    whole, cut = ({key(flow): flow for flow in records(p, kind="flow")} for p in (capture, path))
    (counted,) = records(path, kind="capture")
    assert cut and cut.keys() <= whole.keys() and (len(cut) == len(whole) or counted["decode"]["transport_cut"] > 0)
    for flow, other in ((whole[name], other) for name, other in cut.items()):
        for name in flow.keys() - {"site", "unmeasured"}:
            unmeasured = name in other["unmeasured"]
            unmeasured |= name in ("rtt_server_us", "rtt_client_us") and options_cut(flow)
            unmeasured |= name in SACKED # blocks of SACK, beside a time stamp, lie behind the 80th byte
            assert other[name] == flow[name] or unmeasured, (name, flow[name], other[name], flow)


@pytest.mark.parametrize("options,words", [(["--workers", "0"], "--workers"), (["--nonsense"], "--nonsense"), (["--local", "10.0.0.0/99"], "10.0.0.0/99"),
                                           (["--records", "flows"], "flows"), (["--clients", "all"], "all"), (["--config", "/nowhere.yaml"], "/nowhere.yaml"),
                                           (["--signatures", "/nowhere"], "/nowhere"), (["--site", "a{b}"], "a{b}")])
def test_wrong_options(options, words):
    weir("replay", *options, PCAPS / "healthy.pcap", code=2)
    assert words in weir.stderr and len(weir.stderr.strip().splitlines()) == 1


def test_wrong_filter():
    weir("replay", "--filter", "tcp and and", PCAPS / "healthy.pcap", code=1)
    assert "filter" in weir.stderr


def test_no_operand():
    weir("replay", code=2)
    assert "name a capture" in weir.stderr
    weir("replay", "--html", "evening.pcap", code=2)
    assert "--html takes the file to write; name a capture as well" in weir.stderr
    assert not pathlib.Path("evening.pcap").exists()


def test_configuration_file(tmp_path):
    path = tmp_path / "weir.yaml"
    path.write_text("site: home\nclients: none\nlocal: [10.77.0.0/16]\ndetect:\n  p0: 0.03\n")
    assert {record["site"] for record in records("--config", path, PCAPS / "healthy.pcap")} == {"home"}
    for text, words in (("sight: home\n", "sight"), ("workers: many\n", "many"), ("detect:\n  p0: 2\n", "p0"), ("detect:\n  nothing: 1\n", "nothing"), ("site: [\n", "weir.yaml")):
        path.write_text(text)
        weir("replay", "--config", path, PCAPS / "healthy.pcap", code=2)
        assert words in weir.stderr, weir.stderr


def test_filter_keeps_only_what_matches():
    (capture,) = records("--filter", "port 53", PCAPS / "healthy.pcap", kind="capture")
    (whole,) = records(PCAPS / "healthy.pcap", kind="capture")
    assert 0 < capture["packets"] < whole["packets"]
    assert {flow["server"]["port"] for flow in records("--filter", "port 53", PCAPS / "healthy.pcap", kind="flow")} == {53}


def test_help_and_services():
    assert "--workers" in weir("replay", "--help")
    listed = weir("services")
    for service in ("netflix", "youtube", "disneyplus", "primevideo", "hulu", "max", "appletv", "peacock", "paramountplus", "twitch", "tiktok", "dazn", "vimeo",
                    "crunchyroll", "plutotv", "tubi", "spotify", "applemusic", "deezer", "soundcloud", "tidal", "pandora", "bbciplayer"):
        assert service in listed
    assert "nflxvideo.net" in weir("services", "netflix")
    weir("services", "nothing", code=2)
    assert "weir" in weir("--version")
    for typed, words in (("nonsense", "'nonsense' is not a command"), ("statsu", "did you mean weir status?")):
        weir(typed, code=2)
        assert words in weir.stderr and "weir help lists" in weir.stderr and len(weir.stderr.splitlines()) == 1
    assert subprocess.run([WEIR], capture_output=True).returncode == 2


def test_a_closed_pipe_ends_it():
    done = subprocess.run(f"'{WEIR}' replay --json --records flow '{PCAPS / 'outage.pcap'}' | head -n 1", shell=True, capture_output=True, timeout=60)
    assert done.stdout.count(b"\n") == 1
