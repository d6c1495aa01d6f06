"""rediss://: a real redis-server with TLS. Who shows another authority's certificate, or another name, is told nothing.

Where the build has no TLS to Redis (hiredis before 1), only its refusal is shown. contrib/portability sets WEIR_REDIS_TLS=required where it must be there.
"""
import os
import socket
import subprocess
import time

import pytest

from conftest import PCAPS, WEIR, Redis, weir

CAPTURE = PCAPS / "healthy.pcap"
PROBE = "weir:{replay:healthy.pcap}:probe"


def replay_says(url):
    return subprocess.run([WEIR, "replay", "--redis", url, CAPTURE], capture_output=True, text=True)


@pytest.fixture(scope="module")
def speaks_tls():
    if "speaks no TLS" in replay_says("rediss://127.0.0.1:1").stderr:
        assert os.environ.get("WEIR_REDIS_TLS") != "required", "this build has no TLS to Redis"
        pytest.skip("this build has no TLS to Redis")


def openssl(*arguments, cwd):
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


def authority(directory, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-days", "2",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", cwd=directory)


def certificate(directory, name, names):
    (directory / f"{name}.ext").write_text(f"subjectAltName={names}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr",
            cwd=directory)
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ours.pem", "-CAkey", "ours.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext",
            "-out", f"{name}.pem", cwd=directory)


@pytest.fixture(scope="module")
def papers(tmp_path_factory, speaks_tls):
    directory = tmp_path_factory.mktemp("papers")
    authority(directory, "ours")
    authority(directory, "theirs")
    certificate(directory, "here", "DNS:localhost,IP:127.0.0.1")
    certificate(directory, "elsewhere", "DNS:redis.example")
    certificate(directory, "probe", "DNS:probe.example")
    return directory


class TlsRedis(Redis):
    def __init__(self, papers, name, ask_clients):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.papers = papers
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--tls-port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(papers),
                                         "--tls-cert-file", papers / f"{name}.pem", "--tls-key-file", papers / f"{name}.key",
                                         "--tls-ca-cert-file", papers / "ours.pem", "--tls-auth-clients", "yes" if ask_clients else "no"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if self.cli("PING") == "PONG":
                return
            time.sleep(0.05)
        raise RuntimeError("redis-server does not start with TLS")

    def cli(self, *arguments):
        return subprocess.run(["redis-cli", "--tls", "--insecure", "--cert", self.papers / "probe.pem", "--key", self.papers / "probe.key", "-p", str(self.port),
                               *arguments], capture_output=True, text=True).stdout.strip()

    def url(self, ca="ours", host="127.0.0.1", more=""):
        return f"rediss://{host}:{self.port}?ca={self.papers}/{ca}.pem{more}"


@pytest.fixture(scope="module")
def servers(papers):
    open_to_all, elsewhere, asks = TlsRedis(papers, "here", False), TlsRedis(papers, "elsewhere", False), TlsRedis(papers, "here", True)
    yield open_to_all, elsewhere, asks
    for server in (open_to_all, elsewhere, asks):
        server.close()


def refused(server, url, *words):
    """By the publisher and by a reader; nothing may have arrived."""
    for answer in (replay_says(url), subprocess.run([WEIR, "status", "--redis", url], capture_output=True, text=True)):
        assert answer.returncode == 1, (answer.returncode, answer.stderr)
        assert any(word in answer.stderr for word in words), answer.stderr
    assert server.cli("DBSIZE") == "0"


def test_a_refusal_says_why():
    """A build without TLS, or a port on which nobody listens."""
    answer = replay_says("rediss://127.0.0.1:1")
    assert answer.returncode == 1
    if "speaks no TLS" in answer.stderr:
        assert "tunnel" in answer.stderr
    else:
        assert "127.0.0.1:1" in answer.stderr


def test_who_is_not_trusted_is_told_nothing(servers):
    server, elsewhere, _ = servers
    refused(server, server.url("theirs"), "certificate")
    refused(server, server.url().split("?")[0], "certificate")
    refused(elsewhere, elsewhere.url(), "IP address mismatch")
    refused(elsewhere, elsewhere.url(host="localhost"), "ostname mismatch")


def test_by_name_and_by_address(servers):
    server, elsewhere, _ = servers
    for where, url in ((server, server.url()), (server, server.url(host="localhost")), (elsewhere, elsewhere.url(more="&name=redis.example"))):
        weir("replay", "--redis", url, CAPTURE)
        assert where.cli("EXISTS", PROBE) == "1"
        status = subprocess.run([WEIR, "status", "--redis", url, "--site", "replay:healthy.pcap"], capture_output=True, text=True)
        assert status.returncode == 0 and "rediss://" not in status.stderr, status.stderr
        where.cli("FLUSHALL")


def test_a_server_that_asks_who_we_are(servers):
    *_, server = servers
    papers = server.papers
    refused(server, server.url(), "give cert= and key=")
    weir("replay", "--redis", server.url(more=f"&cert={papers}/probe.pem&key={papers}/probe.key"), CAPTURE)
    assert server.cli("EXISTS", PROBE) == "1"


def test_a_server_that_never_ends_its_handshake(servers):
    """A byte now and then keeps a socket's time-out from ending: the reader ends all the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader = subprocess.Popen([WEIR, "status", "--redis", f"rediss://127.0.0.1:{listener.getsockname()[1]}?ca={servers[0].papers}/ours.pem"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        peer, _ = listener.accept()
        peer.sendall(b"\x16\x03\x03\x40\x00\x02")
        end = time.time() + 30
        while reader.poll() is None and time.time() < end:
            try:
                peer.sendall(b"\x00")
            except OSError:
                pass
            time.sleep(0.2)
        peer.close()
    assert reader.wait(5) == 1 and "TLS" in reader.stderr.read()


def test_what_is_wrong_is_named(servers, redis):
    server, *_ = servers
    for more, name in ((f"&cert={server.papers}/none.pem&key=/x", "none.pem"), (f"&cert={server.papers}/probe.pem&key={server.papers}/here.key", "here.key")):
        answer = replay_says(server.url(more=more))
        assert answer.returncode == 1 and name in answer.stderr
    plain = replay_says(f"rediss://127.0.0.1:{redis.port}?ca={server.papers}/ours.pem")
    assert plain.returncode == 1 and f"127.0.0.1:{redis.port}" in plain.stderr
