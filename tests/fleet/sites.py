"""Simulated sites: what probes write to Redis (or a Redis Cluster) of themselves, their services and incidents, over pipelined connections.

The keys and fields are those of src/publish (contrib/KEYS.md); only the fields that `weir fleet` and `weir status` read are written in full.
"""
import json
import socket
import time


def slot(key):
    start = key.find("{")
    end = key.find("}", start + 1)
    if start >= 0 and end > start + 1:
        key = key[start + 1:end]
    crc = 0
    for byte in key.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc % 16384


class Connection:
    """A pipelining RESP client: send() gathers, flush() returns the answers in order."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        self.out, self.waiting, self.bytes, self.commands = [], 0, 0, 0

    def send(self, *words):
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.out.append(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
        self.waiting += 1
        self.commands += 1

    def flush(self):
        data = b"".join(self.out)
        self.bytes += len(data)
        self.out = []
        self.socket.sendall(data)
        answers = [self.answer() for _ in range(self.waiting)]
        self.waiting = 0
        return answers

    def answer(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        return None if rest == b"-1" else [self.answer() for _ in range(int(rest))]

    def ask(self, *words):
        self.send(*words)
        answer = self.flush()[0]
        if isinstance(answer, RuntimeError):
            raise answer
        return answer

    def close(self):
        self.file.close()
        self.socket.close()


class Server:
    """One Redis, or a cluster's masters: finds the connection of a key."""

    def __init__(self, port):
        first = Connection(port)
        self.connections, self.of_slot = {port: first}, None
        if "cluster_enabled:1" in first.ask("INFO", "cluster"):
            self.of_slot = [port] * 16384
            for start, end, master, *_ in first.ask("CLUSTER", "SLOTS"):
                self.connections.setdefault(master[1], None)
                self.of_slot[start:end + 1] = [master[1]] * (end - start + 1)
            for other, connection in self.connections.items():
                if connection is None:
                    self.connections[other] = Connection(other)
        self.port = port

    def at(self, key):
        return self.connections[self.of_slot[slot(key)] if self.of_slot else self.port]

    def send(self, command, key, *words):
        self.at(key).send(command, key, *words)

    def ask(self, command, key, *words):
        return self.at(key).ask(command, key, *words)

    def flush(self):
        for connection in self.connections.values():
            for answer in connection.flush() if connection.waiting else []:
                if isinstance(answer, RuntimeError):
                    raise answer

    def close(self):
        for connection in self.connections.values():
            connection.close()


def window(server, site, service, end, ok, fail, state="healthy", ttl=60, stream=True):
    """A service's window, as the Redis sink writes it."""
    fields = {"ts": end, "start_ts": end - 10, "end_ts": end, "state": state, "trials_ok": ok, "trials_fail_total": fail,
              "trials_by_layer_connect_ok": ok, "trials_by_layer_connect_fail": fail, "clients": 3, "goodput_p50_bps": 20000000,
              "rtt_server_p50_us": 9000, "flows_new": ok + fail, "bytes_down": 20000000}
    flat = [word for pair in fields.items() for word in pair]
    key = "weir:{%s}:service:%s" % (site, service)
    server.send("HSET", key, *flat)
    server.send("EXPIRE", key, ttl)
    if stream:
        server.send("XADD", "weir:{%s}:metrics:%s" % (site, service), "MAXLEN", "~", 60480, "%d-0" % (end * 1000), *flat)


def probe(server, site, now, services, ttl=60):
    key = "weir:{%s}:probe" % site
    server.send("HSET", key, "version", "sim", "mode", "live", "seen_ts", "%.6f" % now, "first_ts", "%.6f" % (now - 3600), "services", " ".join(services),
                "packets", 1000000, "bytes", 1000000000, "dropped_kernel", 0, "dropped_interface", 0)
    server.send("EXPIRE", key, ttl)
    server.send("ZADD", "weir:sites", "%.6f" % now, site)


def incident(site, service, event, onset, ts, fail=12, total=12, cause="service", state="down", serial=0):
    return {"weir": 1, "type": "incident", "site": site, "ts": round(ts, 6), "id": "%s-%d" % (service or cause, onset * 1000 + serial), "event": event,
            "service": service, "state": state, "cause": cause, "onset_ts": round(onset, 6), "layer": "connect", "confidence": "high",
            "trials": {"fail": fail, "total": total, "low": 0.7, "high": 1.0}, "text": "made up"}


def shard(site):
    return sum(site.encode()) % 16  # any fixed function of the site does for the reader


def announce(server, record, entry, times=1):
    """An incident event into the site's inbox; `times` > 1: sent again, as after a lost answer."""
    for _ in range(times):
        server.send("XADD", "weir:fleet:inbox:{%d}" % shard(record["site"]), "MAXLEN", "~", 100000, "*", "site", record["site"], "entry", entry,
                    "json", json.dumps(record, separators=(",", ":")))


def now():
    return time.time()
