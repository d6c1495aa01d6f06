"""What the tests of the program share: how to run weir, where captures are, and a Redis of the test's own."""
import hashlib
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(TOP / "build" / "src" / "weir"))
PCAPS = TOP / "pcaps"
OUTAGE_MOMENTS = 1795469605, 1795469650  # before and during: in outage.pcap netflix fails from 1795469611 to about 1795469690
SANITIZED = "sanitize" in WEIR  # contrib/test's second build


def weir(*arguments, code=0, stdin=None):
    """Runs weir; its standard output as text. Fails unless it ends with `code` (None: any)."""
    done = subprocess.run([WEIR, *map(str, arguments)], input=stdin, capture_output=True, timeout=300)
    assert code is None or done.returncode == code, f"exit {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}"
    weir.stderr = done.stderr.decode(errors="replace")
    weir.code = done.returncode
    return done.stdout.decode()


ALL_KINDS = "flow,window,service,session,incident,capture"
REPLAYS = os.environ.get("WEIR_REPLAYS")  # contrib/test's: what was replayed before, by program, name and bytes


def records(*arguments, kind=None, **options):
    """The NDJSON records of a replay: those of one type, or all. The same capture without options is replayed once in a run of contrib/test,
    whichever tests ask for it."""
    if REPLAYS and not options and len(arguments) == 1 and isinstance(arguments[0], pathlib.Path):
        found = map(json.loads, replayed(arguments[0]).splitlines())
        return [record for record in found if record["type"] in (kind or ALL_KINDS).split(",")]
    return [json.loads(line) for line in weir("replay", "--json", "--records", kind or ALL_KINDS, *arguments, **options).splitlines()]


def replayed(path):
    known = hashlib.sha256(f"{WEIR}\0{path.name}\0".encode() + path.read_bytes()).hexdigest()
    kept = pathlib.Path(REPLAYS) / known
    if not kept.exists():
        draft = kept.with_suffix(f".{os.getpid()}")  # another worker may be at the same
        draft.write_text(weir("replay", "--json", "--records", ALL_KINDS, path))
        draft.rename(kept)
    return kept.read_text()


def packets_until(path, second):
    """The bytes of a classic pcap up to the first packet of that second."""
    data, at = path.read_bytes(), 24
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    while at < len(data) and struct.unpack_from(order + "I", data, at)[0] < second:
        at += 16 + struct.unpack_from(order + "I", data, at + 8)[0]
    return data[:at]


@pytest.fixture
def public_capture():
    """Finds a capture of the public collection, which is not part of the project; skips where it is absent."""
    def find(name):
        path = pathlib.Path(os.environ.get("WEIR_SHARED", TOP / ".." / "shared")) / "pcaps" / name
        if not path.exists():
            pytest.skip(f"public capture {name} is not here")
        return path
    return find


class Redis:
    def __init__(self, directory, password=None, program="redis-server"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(directory),
                   "--unixsocket", str(directory / "redis.sock")]
        self.password = password
        if password:
            command += ["--requirepass", password]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if self.cli("PING") == "PONG":
                return
            time.sleep(0.05)
        raise RuntimeError("redis-server does not start")

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def cli(self, *arguments, as_json=False):
        command = ["redis-cli", "-p", str(self.port), *(["--json"] if as_json else []), *(["-a", self.password, "--no-auth-warning"] if self.password else []), *arguments]
        text = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        return json.loads(text) if as_json else text

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def redis(tmp_path):
    if not shutil.which("redis-server"):
        pytest.fail("redis-server is missing: contrib/test installs it")
    server = Redis(tmp_path)
    yield server
    server.close()


def fresh_namespace(name):
    """Makes it, anew where a killed run left one. Why there is none; None where it is there."""
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    return f"no network namespaces here: {made.stderr.strip()}" if made.returncode else None
