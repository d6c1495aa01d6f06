"""The short form of tests/oracle/run: weir against Wireshark and the method's definitions on a few captures; nothing unexplained."""
import sys

import pytest

from conftest import PCAPS, TOP, WEIR

sys.path.insert(0, str(TOP / "tests" / "oracle"))
import compare  # noqa: E402
import frames  # noqa: E402
import names  # noqa: E402
import tables  # noqa: E402

ORACLE = TOP / "tests" / "oracle" / "captures"
OUTCOMES = ["dns_over_tcp", "dns_servfail", "dns_timeout", "icmp6", "quic_retry", "quic_negotiation_only", "rst_mid", "split_hello", "tls_alert_version"]
OWN = ["fast_open", "port_reuse", "simultaneous_close", "slow_reader", "wrap", "reordered_no_timestamps", "loss_server", "loss_client_offload"]
CAPTURES = [PCAPS / "healthy.pcap", *(TOP / "tests" / "outcomes" / "captures" / f"{name}.pcap" for name in OUTCOMES),
            *(ORACLE / f"{name}.pcap.gz" for name in OWN)]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name.split(".")[0])
def test_no_difference_is_unexplained(capture):
    n_flows, results = compare.compare(WEIR, capture, names.Services(TOP / "signatures"))
    wrong = [f"{label}: {field.name}: weir {field.weir}, definition {field.method}, oracle {field.oracle}" for label, field in results
             if field.verdict() == "unexplained"]
    assert n_flows and len(results) > 10 * n_flows and wrong == []


@pytest.mark.parametrize("rewrite", frames.DERIVED["mixed6"], ids=lambda rewrite: rewrite.__name__)
def test_no_difference_is_unexplained_elsewhere(tmp_path, rewrite):
    """The same packets with other headers, copied, from the middle on, cut to 80 bytes."""
    path = tmp_path / "elsewhere.pcap"
    frames.write(path, rewrite(frames.read(ORACLE / "mixed6.pcap.gz")[:1200]))
    test_no_difference_is_unexplained(path)


def test_losses_are_charged_to_their_side():
    rows, fine = tables.losses(WEIR, ORACLE)
    assert len(rows) > 6 and fine, rows


def test_round_trips_are_those_of_the_relay():
    rows, fine = tables.delays(WEIR, ORACLE)
    assert len(rows) > 6 and fine, rows
