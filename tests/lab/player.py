"""A scripted player: one viewer of one service, with a buffer.

Looks names up as any program does, races both address families (a quarter of a second apart), keeps its media connection
open, asks for a segment whenever its buffer has room, chooses the quality by what it just got, talks to the control host
now and then, and tries again when something fails. It was given one media host to prefer: after two failures in a row it
takes another, and comes back after half a minute. With --quic it asks over HTTP/3 first, and that
host over TCP for a minute after it failed. What the viewer sees is the laboratory's truth and goes to --log, one JSON object a line:
{"t", "event": started|stalled|resumed|segment|failed|ended, ...}; "failed" says when that attempt began.

usage: player.py CONTROL_HOST MEDIA_HOST[,MEDIA_HOST...] SECONDS SEED [options]
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import select
import socket
import ssl
import subprocess
import tempfile
import threading
import time

TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE
# Browsers and apps send several hundred bytes of headers with every request.
HEADERS = {"User-Agent": "weir-laboratory-player/1.0", "Cookie": "s=" + "x" * 480, "Accept": "*/*"}
TIMEOUT_S, HEAD_START_S, SEGMENT_S = 10, 0.25, 4
LEVELS = ((2, 250e3), (1, 600e3))  # the content's streams, worst first, and their bit rates
NAMES_LAST_S = 60


class Failure(Exception):
    pass


class Names:
    """getaddrinfo, with or without a cache of its own."""

    def __init__(self, cached):
        self.cached, self.known = cached, {}

    def of(self, host):
        known = self.known.get(host)
        if known and time.monotonic() < known[0]:
            return known[1]
        try:
            found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Failure(f"name: {error}") from error
        if self.cached:
            self.known[host] = time.monotonic() + NAMES_LAST_S, found
        return found


def race(addresses):
    """The first socket that connects; a family has a head start over the next."""
    first_of_family = list({family: (family, address) for family, _, _, _, address in reversed(addresses)}.values())
    waiting, start, end = [], time.monotonic(), time.monotonic() + TIMEOUT_S
    pending = sorted(first_of_family, key=lambda item: item[0] != socket.AF_INET6)
    try:
        while time.monotonic() < end and (pending or waiting):
            if pending and time.monotonic() >= start:
                family, address = pending.pop(0)
                candidate = socket.socket(family, socket.SOCK_STREAM)
                candidate.setblocking(False)
                candidate.connect_ex(address)
                waiting.append(candidate)
                start = time.monotonic() + HEAD_START_S
            until = min(end, start) if pending else end
            for done in select.select([], waiting, [], max(0, until - time.monotonic()))[1]:
                waiting.remove(done)
                if done.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    return done
                done.close()
                start = 0
    finally:
        for loser in waiting:
            loser.close()
    raise Failure("connect")


class Connection:
    """One HTTP/1.1 connection over TLS."""

    def __init__(self, host, names):
        plain = race(names.of(host))
        plain.settimeout(TIMEOUT_S)
        try:
            secured = TLS.wrap_socket(plain, server_hostname=host)
        except OSError as error:
            plain.close()
            raise Failure(f"TLS: {error}") from error
        self.http = http.client.HTTPConnection(host)
        self.http.sock = secured

    def get(self, path):
        try:
            self.http.request("GET", path, headers=HEADERS)
            answer = self.http.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"request: {error!r}") from error
        if answer.status >= 400:
            raise Failure(f"status {answer.status}")
        return len(body)

    def close(self):
        self.http.close()


def quic_get(host, path, names):
    """One QUIC connection for one request, by ngtcp2's client; bytes got."""
    names.of(host)
    with tempfile.TemporaryDirectory(prefix="weir-quic-") as folder:
        try:
            subprocess.run(["gtlsclient", "-q", "--no-quic-dump", "--no-http-dump", "--exit-on-all-streams-close", "--handshake-timeout=4s",
                            "--timeout=10s", f"--download={folder}", host, "443", f"https://{host}{path}"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=40)
        except subprocess.TimeoutExpired as error:
            raise Failure("QUIC: no end") from error
        got = pathlib.Path(folder) / os.path.basename(path)
        size = got.stat().st_size if got.exists() else 0
        if not size:
            raise Failure("QUIC")
        return size


class Player:
    def __init__(self, options):
        self.options, self.chance = options, random.Random(options.seed)
        self.names = Names(options.cache)
        self.log_file = open(options.log, "w", encoding="ascii", buffering=1) if options.log else None
        self.lock = threading.Lock()
        self.start = time.monotonic()
        self.buffer_s, self.playing, self.begun, self.paused, self.seen = 0.0, False, False, False, time.monotonic()
        self.media, self.level, self.no_quic_until, self.over = None, 0, {}, False
        self.failures, self.elsewhere_until = 0, 0.0

    def log(self, event, **more):
        if self.log_file:
            self.log_file.write(json.dumps({"t": round(time.time(), 3), "event": event, "buffer": round(self.buffer_s, 2), **more}) + "\n")

    # ---- the buffer: what the viewer sees ----

    def tick(self, got_s=0.0):
        with self.lock:
            now = time.monotonic()
            if self.playing and not self.paused:
                self.buffer_s -= now - self.seen
                if self.buffer_s <= 0:
                    self.buffer_s, self.playing = 0.0, False
                    self.log("stalled")
            self.seen = now
            self.buffer_s += got_s
            if not self.playing and self.buffer_s >= SEGMENT_S * (1 if self.begun else 2):
                self.playing = True
                self.log("resumed" if self.begun else "started")
                self.begun = True

    def watch_buffer(self):
        while not self.over:
            self.tick()
            time.sleep(0.25)

    # ---- requests ----

    def control(self):
        began = time.time()
        try:
            if self.over_quic(self.options.control, "/api"):
                return
            connection = Connection(self.options.control, self.names)
            connection.get("/api")
            connection.close()
        except Failure as failure:
            self.log("failed", began=began, what="control", why=str(failure))

    def control_often(self):
        while not self.over:
            self.control()
            time.sleep(self.chance.uniform(8, 14))

    def host(self):
        hosts, preferred = self.options.media, self.options.prefer % len(self.options.media)
        away = time.monotonic() < self.elsewhere_until
        return hosts[(preferred + away) % len(hosts)]

    def count_failure(self):
        self.failures += 1
        if self.failures % 2 == 0:
            self.elsewhere_until = 0 if time.monotonic() < self.elsewhere_until else time.monotonic() + 30

    def over_tcp(self, path):
        if self.media is None or self.chance.random() < 0.1:
            self.drop_media()
            self.media = Connection(self.host(), self.names)
        return self.media.get(path)

    def drop_media(self):
        if self.media:
            self.media.close()
        self.media = None

    def over_quic(self, host, path):
        """Bytes got over HTTP/3; 0 if it is not tried or fails."""
        if not self.options.quic or time.monotonic() < self.no_quic_until.get(host, 0):
            return 0
        try:
            return quic_get(host, path, self.names)
        except Failure:
            self.no_quic_until[host] = time.monotonic() + 60
            return 0

    def get(self, path):
        return self.over_quic(self.host(), path) or self.over_tcp(path)

    def segment(self, number):
        stream, rate_bps = LEVELS[self.level]
        began, start = time.time(), time.monotonic()
        try:
            size = self.get(f"/vod/chunk-stream{stream}-{number % self.options.segments + 1:05d}.m4s")
        except Failure as failure:
            self.drop_media()
            self.log("failed", began=began, what="media", why=str(failure))
            self.level = 0
            self.count_failure()
            return False
        self.failures = 0
        took = time.monotonic() - start
        self.tick(SEGMENT_S)
        self.log("segment", took=round(took, 3), size=size, level=self.level)
        self.level = 1 if size * 8 / max(took, 1e-3) > 2 * LEVELS[1][1] else 0
        return True

    def rest(self, seconds, pause):
        self.paused = pause
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.25)
        self.paused = False

    def run(self):
        options = self.options
        time.sleep(self.chance.random() * 3)
        threading.Thread(target=self.watch_buffer, daemon=True).start()
        threading.Thread(target=self.control_often, daemon=True).start()
        number, waits, pause = self.chance.randrange(50), 0.5, options.pause
        while (age := time.monotonic() - self.start) < options.seconds:
            if options.leave and age >= options.leave:
                break
            if pause and age >= pause[0]:
                self.log("paused")
                self.rest(pause[1], True)
                pause = None
            elif self.buffer_s > options.cap - SEGMENT_S:
                self.rest(min(1, self.buffer_s - options.cap + SEGMENT_S), False)
            elif self.segment(number):
                number, waits = number + 1, 0.5
            else:
                time.sleep(self.chance.uniform(0.5, 1) * waits)
                waits = min(4, waits * 2)
        self.over = True
        self.log("ended")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("control")
    parser.add_argument("media", type=lambda text: text.split(","))
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("--log")
    parser.add_argument("--prefer", type=int, default=0, help="which of the media hosts")
    parser.add_argument("--quic", action="store_true")
    parser.add_argument("--cache", action="store_true", help="keep names a minute, as browsers do")
    parser.add_argument("--cap", type=float, default=20, help="buffer in seconds")
    parser.add_argument("--segments", type=int, default=2, help="how many segments the content has")
    parser.add_argument("--pause", type=lambda text: tuple(map(float, text.split(","))), help="AT,SECONDS")
    parser.add_argument("--leave", type=float, help="close after so many seconds")
    return parser.parse_args()


Player(parse()).run()
os._exit(0)
