"""What a viewer sees: a buffer that a clock empties, and a log of it, the laboratory's truth.

It starts with two segments in the buffer, stalls when there is nothing left, and goes on with one. The log has one JSON object a line:
{"t", "event": asked|started|stalled|resumed|segment|failed|rests|ended, "buffer": seconds, ...}.
"""
import json
import threading
import time

SEGMENT_S = 4


class Picture:
    def __init__(self, log=None):
        self.lock, self.file = threading.Lock(), open(log, "w", encoding="ascii", buffering=1) if log else None
        self.buffer_s, self.playing, self.begun, self.paused, self.seen = 0.0, False, False, False, time.monotonic()

    def log(self, event, **more):
        if self.file:
            self.file.write(json.dumps({"t": round(time.time(), 3), "event": event, "buffer": round(self.buffer_s, 2), **more}) + "\n")

    def tick(self, got_s=0.0):
        """Time goes on; so many seconds of media came."""
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

    def jump(self):
        """To where nothing is buffered: it starts anew."""
        with self.lock:
            self.buffer_s, self.playing, self.begun = 0.0, False, False
        self.log("seeks")
