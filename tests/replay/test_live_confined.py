"""What a running `weir live` still may do, read from /proc: user, groups, capabilities, no_new_privs, seccomp, open files."""
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import SANITIZED, WEIR, fresh_namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="only root may capture, and ip makes the namespace")
NETNS = "l-confined"


@pytest.fixture(scope="module")
def namespace():
    if why := fresh_namespace(NETNS):
        pytest.skip(why)
    subprocess.run(["ip", "-n", NETNS, "link", "set", "lo", "up"], check=True)
    yield NETNS
    subprocess.run(["ip", "netns", "del", NETNS])


@pytest.fixture
def place():
    """A directory that every user may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="weir-confined-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def start(*arguments):
    process = subprocess.Popen(["ip", "netns", "exec", NETNS, WEIR, "live", "-i", "lo", "--json", *map(str, arguments)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "watching" in line:
            return process
    raise AssertionError(f"weir did not start: {process.wait()}")


def stop(process, how=signal.SIGTERM):
    process.send_signal(how)
    out, errors = process.communicate(timeout=20)
    return process.returncode, out, errors


def status(process):
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def assert_powerless(process):
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        said = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines() if ":" in line)
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(said[capabilities], 16) == 0, (task.name, capabilities)
        assert said["NoNewPrivs"].strip() == "1" and said["Seccomp"].strip() == "2", task.name


def is_expected(descriptor, own):
    """No file but the tests' own; by what it is, since another mount namespace shows it by another path."""
    if os.readlink(descriptor).startswith(("socket:", "pipe:", "anon_inode:", "/dev/null")):
        return True
    found = descriptor.stat()
    return (found.st_dev, found.st_ino) in own


def test_root_becomes_nobody_with_nothing(namespace, place):
    who = pwd.getpwnam("nobody")
    process = start("--user", "nobody", "--state", place / "state", "--workers", 2, "--write", place / "seen.pcap")
    try:
        said = status(process)
        assert {int(uid) for uid in said["Uid"].split()} == {who.pw_uid} and {int(gid) for gid in said["Gid"].split()} == {who.pw_gid}
        assert 0 not in map(int, said["Groups"].split()) and int(said["CapBnd"], 16) == 0
        assert_powerless(process)
        own = [(path.stat().st_dev, path.stat().st_ino) for path in place.rglob("*")]
        assert all(is_expected(fd, own) for fd in pathlib.Path(f"/proc/{process.pid}/fd").iterdir())
        maps = pathlib.Path(f"/proc/{process.pid}/maps").read_text().splitlines()
        assert SANITIZED or not [line for line in maps if "wx" in line.split()[1]], "no memory is writable and executable"
        subprocess.run(["ip", "netns", "exec", NETNS, "ping", "-c2", "-i0.2", "127.0.0.1"], capture_output=True, check=True)
        time.sleep(1)
    finally:
        code, out, errors = stop(process)
    assert code == 0, errors
    assert (place / "seen.pcap").stat().st_mode & 0o777 == 0o600
    assert json.loads(out.splitlines()[-1])["packets"] >= 4, "it captured all the while"
    assert (place / "state" / "history.db").stat().st_uid == who.pw_uid and "history" not in errors


def test_key_of_pseudonyms_outlasts_a_run(namespace, place):
    keys = []
    for _ in range(2):
        assert stop(start("--user", "nobody", "--state", place / "state"))[0] == 0
        keys.append((place / "state" / "client.key").read_bytes())
    key = (place / "state" / "client.key").stat()
    assert len(keys[0]) == 32 and keys[0] == keys[1]
    assert key.st_mode & 0o777 == 0o600 and key.st_uid == pwd.getpwnam("nobody").pw_uid


def test_state_that_the_user_cannot_write_is_explained(namespace, place):
    (place / "state").mkdir(mode=0o755)
    done = subprocess.run(["ip", "netns", "exec", NETNS, WEIR, "live", "-i", "lo", "--user", "nobody", "--state", place / "state"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "user nobody cannot write there" in done.stderr and "--user" in done.stderr


def test_unknown_user_is_explained(namespace):
    done = subprocess.run(["ip", "netns", "exec", NETNS, WEIR, "live", "-i", "lo", "--user", "weir-none"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "weir-none: there is no such user" in done.stderr


def test_capabilities_of_another_user_go_too(namespace, place):
    """As systemd starts it: an ordinary user with one ambient capability, which packet sockets need and a confined weir has no more."""
    setpriv = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps", "+net_raw",
               "--ambient-caps", "+net_raw"]
    if not shutil.which("setpriv") or any(not parent.stat().st_mode & 1 for parent in pathlib.Path(WEIR).resolve().parents):
        pytest.skip("no setpriv, or another user cannot reach this weir")
    shutil.copytree(pathlib.Path(__file__).parents[2] / "signatures", place / "signatures")
    process = subprocess.Popen(["ip", "netns", "exec", NETNS, *setpriv, WEIR, "live", "-i", "lo", "--json", "--signatures", place / "signatures"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert any("watching" in line for line in process.stderr)
        assert_powerless(process)
    finally:
        code, _, errors = stop(process)
    assert code == 0, errors




def test_what_it_may_not_read_is_not_read(namespace, place):
    """A link to another's file where the configuration was: the reload must not see it. And a replay reads only what it was given."""
    secret = place / "elsewhere" / "secret.yaml"
    secret.parent.mkdir()
    secret.write_text("site: leaked\n")
    own = place / "own"
    own.mkdir()
    (own / "weir.yaml").write_text("site: mine\n")
    process = start("--user", "nobody", "--config", own / "weir.yaml")
    try:
        (own / "weir.yaml").unlink()
        (own / "weir.yaml").symlink_to(secret)
        process.send_signal(signal.SIGHUP)
        time.sleep(1)
    finally:
        _, out, errors = stop(process)
    if not SANITIZED:
        assert "going on with what was read before" in errors and "leaked" not in out


def test_a_replay_gives_up_its_rights(place, tmp_path):
    """Through a pipe, so that it still runs when looked at."""
    process = subprocess.Popen([WEIR, "replay", "--json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    data = (pathlib.Path(__file__).parents[2] / "pcaps" / "healthy.pcap").read_bytes()
    try:
        process.stdin.write(data[:300000])
        process.stdin.flush()
        time.sleep(1)
        assert_powerless(process)
    finally:
        out, errors = process.communicate(data[300000:], timeout=30)
    assert process.returncode == 0 and json.loads(out.splitlines()[-1])["type"] == "capture", errors
