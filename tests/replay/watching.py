"""A viewer of a film in packets: one HTTPS connection, a buffer, segments that are asked for when there is room. What the viewer does
(pauses, jumps, leaves) is up to the test; the truth is in what it did."""
from forge import ACK, FIN, PUSH, START, SYN, client_hello, frame, record, server_hello, tcp

MSS, RTT, SEGMENT_S = 1400, .02, 4


class Viewer:
    """Seen next to the client. `at`: seconds since START, of the next thing that happens."""

    def __init__(self, host="ipv4-c004-cdg001-ix.1.oca.nflxvideo.net", client="192.168.1.20", server="45.57.18.20", port=40000, at=0.0,
                 size=90_000, cap_s=24.0):
        self.host, self.ends, self.at, self.size, self.cap_s = host, {"up": (client, port), "down": (server, 443)}, at, size, cap_s
        self.seq, self.frames, self.segments = {}, [], 0
        self.loaded_s = self.played_s = 0.0
        self.connect()

    def send(self, at, way, flags, payload=b""):
        back = "down" if way == "up" else "up"
        (source, sport), (target, dport) = self.ends[way], self.ends[back]
        packet = tcp(source, sport, target, dport, self.seq[way], self.seq[back] if flags & ACK else 0, flags, payload)
        self.frames.append((START + at, frame(packet)))
        self.seq[way] += len(payload) + bool(flags & (SYN | FIN))

    def connect(self):
        self.seq = {"up": 1000, "down": 5000}
        self.send(self.at, "up", SYN)
        self.send(self.at + RTT, "down", SYN | ACK)
        self.send(self.at + RTT + .001, "up", ACK)
        self.send(self.at + RTT + .002, "up", ACK | PUSH, record(22, client_hello(self.host)))
        self.send(self.at + 2 * RTT, "down", ACK | PUSH, server_hello() + record(23, bytes(1100)))
        self.send(self.at + 2 * RTT + .001, "up", ACK | PUSH, record(23, bytes(53)))
        self.at += 2 * RTT + .01

    def segment(self, answered_s=RTT):
        """Asks now; the answer begins `answered_s` later."""
        asked = self.at
        self.send(self.at, "up", ACK | PUSH, record(23, bytes(70 + self.segments % 7)))
        self.at += answered_s
        size = self.size * (90 + self.segments * 37 % 20) // 100
        answer = record(23, bytes(16000)) * (size // 16000) + record(23, bytes(size % 16000))
        for begin in range(0, len(answer), MSS):
            self.at += .001
            self.send(self.at, "down", ACK, answer[begin:begin + MSS])
            if begin // MSS % 8 == 7:
                self.send(self.at, "up", ACK)
        self.send(self.at + .0005, "up", ACK)
        self.at += .01
        self.segments += 1
        self.play(self.at - asked)
        self.loaded_s += SEGMENT_S

    def play(self, seconds):
        if self.segments >= 2:
            self.played_s = min(self.loaded_s, self.played_s + seconds)

    def watch(self, seconds, low_s=None):
        """Keeps the buffer full; with `low_s` it is filled only when it has sunk to that."""
        until, resting = self.at + seconds, False
        while self.at < until:
            ahead_s = self.loaded_s - self.played_s
            resting = ahead_s + SEGMENT_S > self.cap_s or (resting and low_s is not None and ahead_s > low_s)
            if resting:
                self.at += .1
                self.play(.1)
            else:
                self.segment()

    def pause(self, seconds):
        self.at += seconds

    def jump(self):
        self.loaded_s = self.played_s

    def leave(self):
        self.send(self.at, "up", FIN | ACK)
        self.send(self.at + RTT, "down", FIN | ACK)
        self.send(self.at + RTT + .001, "up", ACK)
