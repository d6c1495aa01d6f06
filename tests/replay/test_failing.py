"""Calls that fail on purpose, in short (tests/fail/run does it at length)."""
import shutil
import subprocess

import pytest

from conftest import TOP, WEIR


@pytest.mark.skipif("sanitize" in WEIR, reason="sanitizers have an allocator of their own")
@pytest.mark.skipif(not shutil.which("cc") or not shutil.which("redis-server"), reason="needs a compiler and redis-server")
def test_no_crash_no_loss_without_a_word():
    done = subprocess.run([TOP / "tests/fail/run", "--short", "--weir", WEIR], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and ", 0 wrong" in done.stdout, done.stdout[-3000:] + done.stderr[-1000:]
