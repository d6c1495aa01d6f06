"""weir live --from -: a capture that grows is followed as it comes, a pipe that stands still alarms nobody, and the end is a report."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import PCAPS, SANITIZED, WEIR, records, weir

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="as root, so that --user can name root")


class Stream:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([WEIR, "live", "--user", "root", "--json", "--from", "-", *map(str, arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.records = []
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.records.append(json.loads(line))

    def send(self, data, size=4096):
        for at in range(0, len(data), size):
            self.process.stdin.write(data[at:at + size])
            self.process.stdin.flush()

    def wait_for(self, kind, seconds=10):
        end = time.time() + seconds
        while time.time() < end and not any(record["type"] == kind for record in self.records):
            time.sleep(0.05)
        return [record for record in self.records if record["type"] == kind]

    def end(self):
        self.process.stdin.close()
        code = self.process.wait(20)
        self.thread.join()
        return code, self.process.stderr.read().decode()


def test_incidents_while_the_stream_is_open(tmp_path):
    whole = (PCAPS / "outage.pcap").read_bytes()
    stream = Stream("--state", tmp_path, "--site", "home")
    stream.send(whole[:len(whole) * 2 // 3])
    raised = stream.wait_for("incident")
    assert raised and raised[0]["event"] == "raised" and raised[0]["service"] == "netflix", "told before the stream has ended"
    evidence = tmp_path / "evidence" / f"{raised[0]['id']}.pcapng"
    end = time.time() + 10
    while not evidence.exists() and time.time() < end:
        time.sleep(0.05)
    proven = records(evidence, kind="incident")
    assert proven and proven[-1]["service"] == "netflix", "and its evidence is there"
    told = json.loads(weir("history", "--state", tmp_path, "--outages", "--json", "--since", "1000d"))["incidents"]
    assert [incident["id"] for incident in told] == [raised[0]["id"]], "and in the history"
    stream.send(whole[len(whole) * 2 // 3:])
    code, errors = stream.end()
    assert code == 0, errors
    last = stream.records[-1]
    assert last["type"] == "capture" and last["packets"] == records(PCAPS / "outage.pcap", kind="capture")[-1]["packets"]


def heap_kib(pid):
    """Resident, of what the C library keeps between two requests."""
    found = re.search(r"\[heap\]\n(?:.*\n)*?Rss: +(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps").read_text())
    return int(found[1])


@pytest.mark.skipif(SANITIZED, reason="sanitizers have an allocator of their own")
def test_what_was_needed_for_a_moment_is_given_back(tmp_path):
    """The state is written each minute of the capture, evidence twice: from some MiB, which the heap would keep."""
    stream = Stream("--state", tmp_path)
    whole = (PCAPS / "outage.pcap").read_bytes()
    stream.send(whole[:len(whole) // 10])
    stream.wait_for("window")
    before = heap_kib(stream.process.pid)
    stream.send(whole[len(whole) // 10:])
    end = time.time() + 10
    while not any(record["type"] == "incident" and record["event"] == "cleared" for record in stream.records) and time.time() < end:
        time.sleep(0.02)
    after = heap_kib(stream.process.pid)
    code, errors = stream.end()
    assert code == 0 and (tmp_path / "engine.state").stat().st_size > 500_000 and list((tmp_path / "evidence").iterdir()), errors
    assert after - before < 1500, (before, after)


def test_a_pipe_that_stands_still_alarms_nobody():
    """In the middle of healthy traffic the pipe hangs for longer than any of its timers runs, then goes on."""
    whole = (PCAPS / "healthy.pcap").read_bytes()
    stream = Stream()
    stream.send(whole[:len(whole) // 2 + 7])  # in mid-record
    time.sleep(7)
    stream.send(whole[len(whole) // 2 + 7:])
    code, errors = stream.end()
    assert code == 0 and not [record for record in stream.records if record["type"] == "incident"], errors


def test_a_cut_stream_and_signals():
    whole = (PCAPS / "healthy.pcap").read_bytes()
    stream = Stream("--workers", 2)
    stream.send(whole[:-5])
    code, errors = stream.end()
    assert code == 1 and "cut in mid-record" in errors and stream.records[-1]["type"] == "capture"
    stream = Stream()
    stream.send(whole[:len(whole) // 2])
    stream.wait_for("window")
    stream.process.send_signal(signal.SIGTERM)
    assert stream.process.wait(10) == 0
    stream.end()
    done = subprocess.run([WEIR, "live", "--from", "-", "-i", "lo"], capture_output=True, text=True)
    assert done.returncode == 2 and "--from" in done.stderr
