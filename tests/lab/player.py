"""A scripted player: one viewer of one service, with a buffer.

Looks names up as any program does, races both address families (a quarter of a second apart), keeps its connections open
(clients.py), asks for a segment whenever its buffer has room, chooses the quality by what it just got, talks to the control host
now and then, and tries again when something fails. It was given one media host to prefer: after two failures in a row it
takes another, where it knows one, and comes back after half a minute. What the viewer sees goes to --log (picture.py); "failed" says when that
attempt began.

usage: player.py CONTROL_HOST MEDIA_HOST[,MEDIA_HOST...] SECONDS SEED [options]
"""
import argparse
import os
import random
import threading
import time

from clients import Failure, Keeper, Names
from picture import SEGMENT_S, Picture

LEVELS = ((2, 250e3), (1, 600e3))  # the content's streams, worst first, and their bit rates


class Player:
    def __init__(self, options):
        self.options, self.chance = options, random.Random(options.seed)
        names = Names(options.cache)
        self.media = Keeper(options.http, names, options.reopen, self.chance)
        self.other = Keeper(options.http, names, options.reopen, random.Random(options.seed + 1))
        self.picture, self.busy = Picture(options.log), {id(keeper): threading.Lock() for keeper in (self.media, self.other)}
        self.level, self.over, self.failures, self.elsewhere_until = 0, False, 0, 0.0

    def watch(self):
        """The clock of the picture; and connections on which nothing is asked."""
        while not self.over:
            self.picture.tick()
            for keeper in (self.media, self.other):
                lock = self.busy[id(keeper)]
                if lock.acquire(blocking=False):
                    try:
                        keeper.pump()
                    finally:
                        lock.release()
            time.sleep(0.25)

    # ---- requests ----

    def ask(self, keeper, host, path):
        with self.busy[id(keeper)]:
            return keeper.get(host, path)

    def control_often(self):
        while not self.over:
            began = time.time()
            try:
                self.ask(self.other, self.options.control, "/api")
            except Failure as failure:
                self.picture.log("failed", began=began, what="control", why=str(failure))
            time.sleep(self.chance.uniform(8, 14))

    def beacons(self):
        """What a player tells home of itself. Nobody who watches minds when a blocker swallows it."""
        keeper = Keeper(self.options.http, Names(False), 0.5, random.Random(self.options.seed + 2))
        while not self.over:
            try:
                keeper.get(self.options.beacon, "/api")
            except (Failure, OSError) as failure:
                keeper.drop()
                self.picture.log("blocked", why=str(failure))
            time.sleep(self.chance.uniform(5, 12))

    def host(self):
        hosts, preferred = self.options.media, self.options.prefer % len(self.options.media)
        away = time.monotonic() < self.elsewhere_until
        return hosts[(preferred + away) % len(hosts)]

    def count_failure(self):
        self.failures += 1
        if self.failures % 2 == 0:
            self.elsewhere_until = 0 if time.monotonic() < self.elsewhere_until else time.monotonic() + 30

    def segment(self, number):
        stream, rate_bps = LEVELS[self.level]
        began, start, host = time.time(), time.monotonic(), self.host()
        try:
            # No real player asks for the same twice: the whole of such a request would be one index of HPACK's table.
            token = f"{self.chance.getrandbits(24):06x}"
            size = self.ask(self.media, host, f"/vod/chunk-stream{stream}-{number % self.options.segments + 1:05d}.m4s?{token}")
        except Failure as failure:
            self.picture.log("failed", began=began, what="media", why=str(failure), level=self.level)
            self.level = 0
            self.count_failure()
            return False
        self.failures = 0
        took = time.monotonic() - start
        self.picture.tick(SEGMENT_S)
        self.picture.log("segment", began=round(began, 3), took=round(took, 3), size=size, level=self.level)
        self.level = 1 if size * 8 / max(took, 1e-3) > 2 * LEVELS[1][1] else 0
        return True

    def rest(self, seconds, pause):
        self.picture.paused = pause
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.25)
        self.picture.paused = False

    def run(self):
        options = self.options
        begin = time.monotonic()
        time.sleep(self.chance.random() * 3)
        self.picture.log("asked", http=options.http)
        for work in (self.watch, self.control_often, *([self.beacons] if options.beacon else [])):
            threading.Thread(target=work, daemon=True).start()
        number, waits, pause = self.chance.randrange(options.segments), 0.5, options.pause
        while (now := time.monotonic() - begin) < options.seconds and not (options.leave and now > options.leave):
            if pause and now > pause[0]:
                self.picture.log("rests", seconds=pause[1])
                self.rest(pause[1], True)
                pause = None
            elif self.picture.buffer_s + SEGMENT_S > options.cap:
                self.rest(min(1, self.picture.buffer_s - options.cap + SEGMENT_S), False)
            elif self.segment(number):
                number, waits = number + 1, 0.5
            else:
                time.sleep(self.chance.uniform(0.5, 1) * waits)
                waits = min(4, waits * 2)
        self.over = True
        self.picture.log("ended")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("control")
    parser.add_argument("media", type=lambda text: text.split(","))
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("--log")
    parser.add_argument("--http", type=int, choices=(1, 2), default=2)
    parser.add_argument("--reopen", type=float, default=0, help="share of requests that begin a new connection")
    parser.add_argument("--prefer", type=int, default=0, help="which of the media hosts")
    parser.add_argument("--beacon", help="a host that is told how it goes")
    parser.add_argument("--cache", action="store_true", help="keep names a minute, as browsers do")
    parser.add_argument("--cap", type=float, default=20, help="buffer in seconds")
    parser.add_argument("--segments", type=int, default=2, help="how many segments the content has")
    parser.add_argument("--pause", type=lambda text: tuple(map(float, text.split(","))), help="AT,SECONDS")
    parser.add_argument("--leave", type=float, help="close after so many seconds")
    return parser.parse_args()


Player(parse()).run()
os._exit(0)
