"""Redis servers of the tests' own, which can be stopped, killed, stalled, clustered and failed over; and the load (drive)."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
WEIR = pathlib.Path(os.environ.get("WEIR", TOP / "build" / "src" / "weir"))
DRIVE = WEIR.parents[1] / "tests" / "redis" / "drive"


def free_port():
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port < 55000:  # a cluster's bus listens 10000 above
            return port


def wait_until(condition, seconds=20, what="it"):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


class Server:
    def __init__(self, directory, *options, password=None, inside=(), program="redis-server"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port, self.password, self.inside = free_port(), password, list(inside)
        self.command = [*self.inside, program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.directory),
                        "--enable-debug-command", "yes", *options, *(["--requirepass", password] if password else [])]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.cli("PING", check=False) == "PONG", what="redis-server")

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def cli(self, *arguments, as_json=False, check=True):
        command = [*self.inside, "redis-cli", "-p", str(self.port), *(["--json"] if as_json else []),
                   *(["-a", self.password, "--no-auth-warning"] if self.password else []), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        text = done.stdout.strip()
        if check and done.returncode:
            raise AssertionError(f"redis-cli {arguments}: {text} {done.stderr}")
        return json.loads(text) if as_json else text

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stall(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process.poll() is None:
            self.resume()
            self.process.kill()
            self.process.wait()


class Sentinel(Server):
    def __init__(self, directory, master, down_ms=1000):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True)
        self.directory, self.password, self.inside, self.port = directory, None, [], free_port()
        (directory / "sentinel.conf").write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {directory}\nsentinel monitor weirmaster 127.0.0.1 {master.port} 2\n"
            f"sentinel down-after-milliseconds weirmaster {down_ms}\nsentinel failover-timeout weirmaster 5000\n")
        self.command = ["redis-server", str(directory / "sentinel.conf"), "--sentinel"]
        self.start()


def make_cluster(directory, n=3):
    nodes = [Server(pathlib.Path(directory) / f"node{i}", "--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for i in range(n)]
    made = subprocess.run(["redis-cli", "--cluster", "create", *(f"127.0.0.1:{node.port}" for node in nodes), "--cluster-yes"],
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    wait_until(lambda: all("cluster_state:ok" in node.cli("CLUSTER", "INFO") for node in nodes), what="the cluster")
    return nodes


class Drive:
    """The load, running. Its incidents are named drive-<first> to drive-<first + n - 1>."""

    def __init__(self, url, place, *, incidents, rate, windows=20, first=0, spool=True, wait=60, site="drive", inside=(), extra=(), environment=None):
        self.place = pathlib.Path(place)
        self.progress = self.place / "progress"
        command = [*inside, DRIVE, "--redis", url, "--incidents", incidents, "--rate", rate, "--windows", windows, "--from", first,
                   "--progress", self.progress, "--wait", wait, "--site", site, *(["--spool", self.place / "spool"] if spool is True else []),
                   *(["--spool", spool] if spool not in (True, False) else []), *extra, TOP / "signatures"]
        self.process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=environment and {**os.environ, **environment})

    def finish(self, code=0, timeout=180):
        out, self.errors = self.process.communicate(timeout=timeout)
        assert code is None or self.process.returncode == code, self.errors
        self.said = [line for line in self.errors.splitlines() if "Redis" in line]
        return json.loads(out) if out else None

    def handed_and_safe(self):
        try:
            handed, safe = map(int, self.progress.read_text().split())
            return handed, safe
        except (FileNotFoundError, ValueError):  # not there yet, or empty
            return 0, 0

    def kill(self):
        self.process.kill()
        self.process.communicate()


def streams(cli, site="drive"):
    """Counts of each incident in the site's stream, and each entry in the fleet's inboxes; `cli(arguments...)` gives JSON."""
    arrived, inbox, ids = {}, {}, []
    for entry, fields in cli("XRANGE", f"weir:{{{site}}}:incidents", "-", "+"):
        pairs = dict(zip(fields[::2], fields[1::2]))
        arrived[pairs["id"]] = arrived.get(pairs["id"], 0) + 1
        ids.append(int(pairs["id"].split("-")[1]))
    for n in range(16):
        for _, fields in cli("XRANGE", f"weir:fleet:inbox:{{{n}}}", "-", "+"):
            pairs = dict(zip(fields[::2], fields[1::2]))
            key = (pairs["site"], pairs["entry"], json.loads(pairs["json"])["id"])
            inbox[key] = inbox.get(key, 0) + 1
    return arrived, inbox, ids
