"""What weir tells a service manager (sd_notify), heard on a socket of the test's own: ready, alive, reloading, stopping."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from conftest import WEIR, fresh_namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="only root may capture, and ip makes the namespace")
NETNS = "l-notify"


@pytest.fixture(scope="module")
def namespace():
    if why := fresh_namespace(NETNS):
        pytest.skip(why)
    subprocess.run(["ip", "-n", NETNS, "link", "set", "lo", "up"], check=True)
    yield
    subprocess.run(["ip", "netns", "del", NETNS])


@pytest.fixture
def manager():
    place = pathlib.Path(tempfile.mkdtemp(prefix="weir-notify-"))
    place.chmod(0o755)
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(place / "notify"))
    (place / "notify").chmod(0o777)
    heard.settimeout(20)
    yield heard, str(place / "notify")
    heard.close()
    shutil.rmtree(place)


def start(where, **more):
    return subprocess.Popen(["ip", "netns", "exec", NETNS, WEIR, "live", "-i", "lo", "--json", "--user", "root"],
                            env={**os.environ, "NOTIFY_SOCKET": where, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def next_of(heard, *kinds):
    """The next message that is of one of these kinds."""
    while True:
        message = heard.recv(4096).decode()
        if message.split("=")[0] in kinds:
            return message


def test_ready_reloading_stopping(namespace, manager):
    heard, where = manager
    process = start(where)
    assert heard.recv(4096) == b"READY=1", "the first word"
    process.send_signal(signal.SIGHUP)
    reloading = next_of(heard, "RELOADING", "READY")
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert abs(int(reloading.split("=")[-1]) / 1e6 - time.monotonic()) < 20
    assert next_of(heard, "READY") == "READY=1"
    process.send_signal(signal.SIGTERM)
    assert next_of(heard, "STOPPING") == "STOPPING=1"
    assert process.wait(20) == 0
    process.stderr.close()


def test_alive_as_often_as_the_watchdog_wants(namespace, manager):
    heard, where = manager
    process = start(where, WATCHDOG_USEC="2000000")
    assert next_of(heard, "READY")
    stamps = []
    for _ in range(4):
        assert next_of(heard, "WATCHDOG") == "WATCHDOG=1"
        stamps.append(time.monotonic())
    assert all(after - before < 2 for before, after in zip(stamps, stamps[1:])), "half the time that the manager waits"
    process.send_signal(signal.SIGSTOP)
    heard.settimeout(0.1)
    try:
        while heard.recv(4096):  # what was under way
            pass
    except TimeoutError:
        pass
    heard.settimeout(2.5)
    with pytest.raises(TimeoutError):
        heard.recv(4096)
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stderr.close()


def test_journal_reads_priorities(namespace, manager):
    heard, where = manager
    process = start(where, JOURNAL_STREAM="8:1")
    assert next_of(heard, "READY")
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=20)[1].splitlines()
    assert errors and all(line[0] == "<" and line[2] == ">" for line in errors)


def test_a_manager_that_is_gone_is_no_reason_to_stop(namespace):
    process = start("/nonexistent/notify")
    for line in process.stderr:
        if "watching" in line:
            break
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stderr.close()
