"""One request that is answered for minutes, as YouTube's players do since 2024: a server that decides what comes, and its player.

What is publicly known of it (LuanRT/googlevideo, issues of yt-dlp and of other players) is kept: a POST tells where the picture is and
what is buffered. The answer is a row of parts, picture and sound in turn, each with a type and a length. The server keeps the player a
target ahead and no more, so an answer comes in bursts and rests between them. A last part tells how long to wait before the next POST.
Segments are of four seconds, sizes vary by a quarter. One connection carries POST after POST. It is given up when it brings nothing for ten
seconds in which something should come, and when the viewer pauses or jumps.

usage: stream.py serve CERT KEY DIR PORT       while DIR/silent is there, nothing more is sent
       stream.py play HOST SECONDS SEED LOG [--pause AT,SECONDS] [--seek AT] [--leave AT]
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import socket
import ssl
import struct
import sys
import threading
import time

from picture import SEGMENT_S, Picture

SOUND_BPS, AGENT = 128e3, "Mozilla/5.0 (X11; Linux x86_64)"
PICTURE, SOUND, POLICY = 21, 22, 35


# ---- the server ----

class Stream:
    """One player's: what it was told in its POST, and how far ahead of it the answer is."""

    def __init__(self, ask, here):
        self.ask, self.here, self.chance = ask, here, random.Random(ask["seed"] * 1000 + ask["number"])
        self.sent_s, self.buffered_s, self.begun = 0.0, ask["buffered_s"], time.monotonic()

    def ahead_s(self):
        """As far as the server knows: the picture runs from two segments on."""
        passed = time.monotonic() - self.begun
        return max(0.0, self.buffered_s + self.sent_s - (passed if self.ask["plays"] or self.sent_s >= 2 * SEGMENT_S else 0))

    def part(self, kind, bps):
        size = int(bps * SEGMENT_S / 8 * (self.chance.uniform(0.75, 1.25) if kind == PICTURE else 1))
        return struct.pack("!BI", kind, size) + os.urandom(size)

    def parts(self):
        """Bursts until the answer's time is over; then the policy."""
        until = self.begun + self.ask["answer_s"]
        while time.monotonic() < until:
            if self.ahead_s() > self.ask["target_s"] - self.ask["burst"] * SEGMENT_S or (self.here / "silent").exists():
                time.sleep(0.1)
                continue
            for _ in range(self.ask["burst"]):
                yield self.part(PICTURE, self.ask["bps"]) + self.part(SOUND, SOUND_BPS)
                self.sent_s += SEGMENT_S
        yield struct.pack("!BII", POLICY, 4, self.chance.choice((0, 500, 2000)))


def answer(peer, here):
    with peer, peer.makefile("rb") as lines:
        while lines.readline():
            length = 0
            while (line := lines.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            ask = json.loads(lines.read(length).rstrip(b"x"))
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.yt-ump\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in Stream(ask, here).parts():
                peer.sendall(b"%x\r\n" % len(part) + part + b"\r\n")
            peer.sendall(b"0\r\n\r\n")


def answer_safely(peer, context, here):
    try:
        peer.settimeout(60)
        answer(context.wrap_socket(peer, server_side=True), here)
    except (OSError, ValueError):
        pass  # the player gave it up


def serve(cert, key, here, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("", int(port)), backlog=64)
    while True:
        threading.Thread(target=answer_safely, args=(listener.accept()[0], context, pathlib.Path(here)), daemon=True).start()


# ---- the player ----

class Player:
    def __init__(self, options):
        chance = self.chance = random.Random(options.seed)
        self.options, self.picture = options, Picture(options.log)
        self.target_s, self.burst = chance.choice((15, 20, 30, 60)), chance.choice((1, 2, 3))
        self.answer_s, self.bps = chance.uniform(40, 150), chance.uniform(0.8e6, 2.5e6)
        self.over, self.number, self.link = False, 0, None

    def watch(self):
        """The clock of the picture, and what its viewer does."""
        begin, pause, seek = time.monotonic(), self.options.pause, self.options.seek
        while not self.over:
            self.picture.tick()
            passed = time.monotonic() - begin
            paused = bool(pause) and pause[0] <= passed < sum(pause)
            if paused != self.picture.paused:
                self.picture.paused = paused
                self.picture.log("rests" if paused else "plays")
                if paused:
                    self.drop()
            if seek and passed > seek:
                seek = None
                self.picture.jump()
                self.drop()
            time.sleep(0.1)

    def drop(self):
        link, self.link = self.link, None
        if link and link.sock:
            try:
                link.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            link.close()

    def patience_s(self):
        """Ten seconds from when the server should send again."""
        return 10 + max(0, self.picture.buffer_s - self.target_s + 2 * self.burst * SEGMENT_S)

    def read(self, answered, length):
        got = answered.read(length)
        if len(got) < length:
            raise EOFError
        return got

    def post(self):
        """One POST and its answer; how long to wait before the next."""
        if self.link is None:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.link = http.client.HTTPSConnection(self.options.host, timeout=8, context=context)
        self.number += 1
        ask = json.dumps({"seed": self.options.seed, "number": self.number, "buffered_s": self.picture.buffer_s, "plays": self.picture.playing,
                          "bps": self.bps, "target_s": self.target_s, "burst": self.burst, "answer_s": self.answer_s})
        self.link.sock or self.link.connect()
        self.link.sock.settimeout(self.patience_s())
        self.link.request("POST", "/videoplayback?sabr=1", ask.ljust(self.chance.randrange(1200, 1600), "x"), {"User-Agent": AGENT})
        answered = self.link.getresponse()
        while not self.over:
            kind, size = struct.unpack("!BI", self.read(answered, 5))
            body = self.read(answered, size)
            if kind == POLICY:
                answered.read()
                return struct.unpack("!I", body)[0] / 1000
            if kind == SOUND:
                self.picture.tick(SEGMENT_S)
                self.picture.log("segment", name="stream3", size=size)
            else:
                self.picture.log("segment", name="picture", size=size)
            self.link.sock.settimeout(self.patience_s())
        return 0

    def ask(self):
        while not self.over:
            if self.picture.paused:
                time.sleep(0.1)
                continue
            try:
                time.sleep(self.post())
            except (OSError, EOFError, http.client.HTTPException, AttributeError, ValueError) as error:
                if not self.over and not self.picture.paused:
                    self.picture.log("failed", what="media", why=repr(error))
                self.drop()
                time.sleep(self.chance.uniform(0.5, 2))

    def run(self):
        options = self.options
        time.sleep(self.chance.random() * 5)
        self.picture.log("asked", http="stream", target_s=self.target_s, burst=self.burst, answer_s=round(self.answer_s), bps=round(self.bps))
        for work in (self.watch, self.ask):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(min(options.seconds, options.leave or options.seconds))
        self.over = True
        self.picture.log("ended")
        os._exit(0)


def pair(text):
    return tuple(map(float, text.split(",")))


def main():
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("play",))
    parser.add_argument("host")
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("log")
    parser.add_argument("--pause", type=pair, help="AT,SECONDS")
    parser.add_argument("--seek", type=float, help="jump after so many seconds")
    parser.add_argument("--leave", type=float, help="close after so many seconds")
    Player(parser.parse_args()).run()


main()
