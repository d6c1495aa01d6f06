"""The short form of tests/oracle/run: weir against Wireshark and METHODS' definitions on a few captures; nothing unexplained."""
import sys

import pytest

from conftest import PCAPS, TOP, WEIR

sys.path.insert(0, str(TOP / "tests" / "oracle"))
import compare  # noqa: E402
import names  # noqa: E402

OUTCOMES = ["dns_over_tcp", "dns_servfail", "dns_timeout", "icmp6", "quic_retry", "quic_negotiation_only", "rst_mid", "split_hello", "syn_unanswered",
            "tls_alert_version"]
CAPTURES = [PCAPS / "healthy.pcap", *(TOP / "tests" / "outcomes" / "captures" / f"{name}.pcap" for name in OUTCOMES),
            *sorted((TOP / "tests" / "oracle" / "captures").glob("*.pcap.gz"))]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name.split(".")[0])
def test_no_difference_is_unexplained(capture):
    n_flows, results = compare.compare(WEIR, capture, names.Services(TOP / "signatures"))
    wrong = [f"{label}: {field.name}: weir {field.weir}, definition {field.method}, oracle {field.oracle}" for label, field in results
             if field.verdict() == "unexplained"]
    assert n_flows and len(results) > 10 * n_flows and wrong == []
