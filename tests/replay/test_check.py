"""`weir check`: what it finds of interfaces, permissions and configuration, and that each failure says what to change."""
import json
import os
import shutil
import subprocess

import pytest

from conftest import WEIR, fresh_namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="only root may make a namespace")
NETNS = "l-check"


@pytest.fixture(scope="module", autouse=True)
def namespace():
    if why := fresh_namespace(NETNS):
        pytest.skip(why)
    for command in (["link", "set", "lo", "up"], ["link", "add", "one", "type", "veth", "peer", "name", "two"]):
        subprocess.run(["ip", "-n", NETNS, *command], check=True)
    yield
    subprocess.run(["ip", "netns", "del", NETNS])


def check(*arguments, as_user=()):
    ended = subprocess.run(["ip", "netns", "exec", NETNS, *as_user, WEIR, "check", *map(str, arguments)], capture_output=True, text=True, timeout=30)
    return ended.returncode, ended.stdout, ended.stderr


def findings(*arguments, as_user=()):
    code, out, errors = check("--json", *arguments, as_user=as_user)
    said = json.loads(out)
    assert said["weir"] == 1 and said["good"] == all(one["level"] != "fail" for one in said["checks"])
    assert all(one["advice"] for one in said["checks"] if one["level"] != "ok"), "who is told that something is wrong is told what to do"
    assert code == (0 if said["good"] else 1), errors
    return {one["check"]: one for one in said["checks"]}


def test_a_good_interface():
    said = findings("-i", "lo")
    assert said["permission"]["level"] == said["lo"]["level"] == said["signatures"]["level"] == "ok"
    assert {"memory", "workers", "clock", "lo offloads", "lo snaplen", "lo counters"} <= set(said)


def test_an_interface_that_is_down_or_not_there():
    said = findings("-i", "one", "-i", "nosuch0")
    assert said["one"]["level"] == said["nosuch0"]["level"] == "fail"
    assert said["one"]["advice"] == "ip link set one up"


def test_offloads_and_how_to_end_them():
    subprocess.run(["ip", "-n", NETNS, "link", "set", "one", "up"], check=True)
    subprocess.run(["ip", "-n", NETNS, "link", "set", "two", "up"], check=True)
    said = findings("-i", "one")["one offloads"]
    assert said["level"] == "warn" and "ethtool -K one" in said["advice"]
    subprocess.run(["ip", "netns", "exec", NETNS, *said["advice"].split(": ", 1)[1].split()], check=True, capture_output=True)
    assert findings("-i", "one")["one offloads"]["level"] == "ok"


def test_a_snaplen_that_cuts():
    said = findings("-i", "lo", "--snaplen", 2048)["lo snaplen"]
    assert said["level"] == "warn" and said["advice"].startswith("--snaplen ")


def test_who_may_not_capture():
    setpriv = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps", "-all", "--bounding-set", "-all"]
    if subprocess.run([*setpriv, WEIR, "--version"], capture_output=True).returncode:
        pytest.skip("another user cannot reach this weir")
    code, out, _ = check("-i", "lo", as_user=setpriv)
    line = next(line for line in out.splitlines() if "permission" in line)
    assert code == 1 and line.startswith("fail") and "setcap cap_net_raw+ep" in out


def test_state_that_the_user_cannot_write(tmp_path):
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    assert findings("--state", directory, "--user", "nobody")["state"]["level"] == "fail"
    assert findings("--state", directory, "--user", "root")["state"]["level"] == "ok"


def test_redis_that_does_not_answer():
    said = findings("--redis", "redis://127.0.0.1:1")["redis"]
    assert said["level"] == "fail"


def test_memory_is_explained():
    """All that grows has its place in one line, and a small router's is a part of a large one's."""
    small = findings("--memory", 16, "--buffer", 1, "--evidence", 8)["memory"]["text"]
    assert "1 MiB of rings" in small and "8 MiB of evidence" in small and "16 MiB of flows" in small and "6 % of their size" in small
    beyond = findings("--memory", 1 << 20)["memory"]
    assert beyond["level"] == "fail" and all(option in beyond["advice"] for option in ("--memory", "--buffer", "--evidence"))


def test_table_for_people():
    code, out, _ = check("-i", "lo")
    lines = [line for line in out.splitlines() if line and not line.startswith(" ")]
    assert code == 0 and all(line.split()[0] in ("ok", "warn") for line in lines[:-1]) and "\033" not in out
    assert lines[-1] == "weir live can run here."


def test_bad_options_are_usage():
    assert check("eth0")[0] == 2 and check("--memory", "lots")[0] == 2
