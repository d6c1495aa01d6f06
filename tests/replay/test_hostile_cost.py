"""What others put in weir's way costs little: a giant no memory, stamps that jump no time (test_hostile_state has what it must not do)."""
import os
import struct
import subprocess
import time

import pytest

from conftest import SANITIZED, WEIR, PCAPS
from test_hostile_state import ends_soon, state  # noqa: F401


@pytest.mark.parametrize("name, command", [("status.json", ["status"]), ("spool", ["replay", "-q", "--redis-wait", "1", PCAPS / "healthy.pcap"])])
def test_a_sparse_giant_takes_no_memory(state, name, command, redis):
    (state / name).unlink(missing_ok=True)
    with open(state / name, "wb") as giant:
        giant.truncate(20 << 30)
    where = ["--redis", redis.url] if name == "spool" else []
    before = time.monotonic()
    done = subprocess.run(["/usr/bin/python3", "-c", "import resource, subprocess, sys\n"
                           "print(subprocess.run(sys.argv[1:], capture_output=True).returncode)\n"
                           "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", WEIR, *map(str, command), "--state", str(state), *where],
                          capture_output=True, text=True, timeout=60)
    code, resident_kib = map(int, done.stdout.split())
    assert code >= 0 and time.monotonic() - before < 30
    assert SANITIZED or resident_kib < 300 << 10


def packets_far_apart(path, n=300):
    """A question a packet, each more than an hour after the one before: a clock that is broken, or a stranger's joke."""
    frame = bytes.fromhex("020000000001020000000002" "0800" "4500001c00000000401100000a0000010a000002" "c0000035000800000000")
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(n):
            file.write(struct.pack("<IIII", 1_000_000_000 + i * 4000, 0, len(frame), len(frame)) + frame)


def test_random_time_stamps_cost_little(tmp_path):
    packets_far_apart(tmp_path / "far.pcap")
    before = os.times()
    ends_soon("replay", "-q", tmp_path / "far.pcap", seconds=60)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 300 * (0.03 if SANITIZED else 0.005), f"{used / 300 * 1000:.1f} ms a jump"
