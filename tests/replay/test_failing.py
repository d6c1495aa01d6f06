"""Calls that fail on purpose, in short (tests/fail/run does it at length)."""
import shutil
import subprocess

import pytest

from conftest import PCAPS, SANITIZED, TOP, WEIR


@pytest.mark.skipif(SANITIZED, reason="sanitizers have an allocator of their own")
@pytest.mark.skipif(not shutil.which("cc") or not shutil.which("redis-server"), reason="needs a compiler and redis-server")
def test_no_crash_no_loss_without_a_word():
    done = subprocess.run([TOP / "tests/fail/run", "--short", "--weir", WEIR], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and ", 0 wrong" in done.stdout, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.skipif(SANITIZED, reason="sanitizers have an allocator of their own")
def test_tables_without_memory_name_the_option_to_lower():
    """And lowering it helps: the tables of --memory 16 have room where those of the default have none."""
    def replay(*options):
        command = ["prlimit", f"--as={140000 << 10}", WEIR, "replay", *options, "--quiet", "--json", "--records", "capture", PCAPS / "healthy.pcap"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    assert replay() == (1, "weir: no memory for the tables of --memory 512; lower --memory\n")
    assert replay("--memory", "16") == (0, "")
