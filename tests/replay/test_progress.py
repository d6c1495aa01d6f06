"""The bar is gone, line and all, before the report begins: both go to one terminal."""
import os
import pty
import subprocess
import threading
import time

from conftest import PCAPS, WEIR


def feed(stdin):
    data = (PCAPS / "healthy.pcap").read_bytes()
    for part in data[:len(data) // 2], data[len(data) // 2:]:
        stdin.write(part)
        stdin.flush()
        time.sleep(0.3)
    stdin.close()


def on_a_terminal(*arguments):
    """What a terminal is sent while a capture comes in two parts, so that a bar is drawn between them."""
    keeper, terminal = pty.openpty()
    process = subprocess.Popen([WEIR, "replay", *arguments, "-"], stdin=subprocess.PIPE, stdout=terminal, stderr=terminal)
    os.close(terminal)
    feeder = threading.Thread(target=feed, args=(process.stdin,))
    feeder.start()
    sent = b""
    while True:
        try:
            sent += os.read(keeper, 65536)
        except OSError:  # the terminal's other side is closed
            break
    os.close(keeper)
    feeder.join()
    assert process.wait() == 0
    return sent.decode()


def test_the_report_follows_an_empty_line():
    before, _, report = on_a_terminal().partition("replay:stdin:")
    assert "packets" in before and before.endswith("\r\033[K")
    assert "\r\033[K" not in report and "healthy" in report


def test_no_bar_where_records_go_to_the_terminal():
    assert on_a_terminal("--json").startswith("{")
    assert "M/s" not in on_a_terminal("--quiet")
