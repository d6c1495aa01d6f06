"""How a scripted player reaches a server: names, the race of address families, and one connection over HTTP/1.1 or HTTP/2 (http2.py).

A connection may stand for minutes. Between two requests `pump` reads what the server sends by itself (a PING, SETTINGS, the
GOAWAY and end of a connection that was idle too long), as browsers do. Requests are terse: a line and three headers
in HTTP/1.1, 60 to 70 bytes on the wire for later ones in HTTP/2, where headers are compressed.
"""
import http.client
import select
import socket
import ssl
import time

TIMEOUT_S, HEAD_START_S, NAMES_LAST_S = 10, 0.25, 60
AGENT = "Mozilla/5.0 (SmartTV)"


class Failure(Exception):
    pass


class Stale(Failure):
    """A connection that was kept is gone before any byte of an answer: asked again at once on a new one."""


def tls_context(protocol):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


TLS = {1: tls_context("http/1.1"), 2: tls_context("h2")}


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


def secured(host, names, version):
    plain = race(names.of(host))
    plain.settimeout(TIMEOUT_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return TLS[version].wrap_socket(plain, server_hostname=host)
    except OSError as error:
        plain.close()
        raise Failure(f"TLS: {error}") from error


class Http1:
    """One HTTP/1.1 connection over TLS. `get` returns (bytes of the body, bytes that came first in seconds)."""

    def __init__(self, host, names):
        self.socket = secured(host, names, 1)
        self.http, self.used, self.alive = http.client.HTTPConnection(host), False, True
        self.http.sock = self.socket
        self.http.auto_open = 0

    def get(self, path):
        begun, fresh, self.used = False, not self.used, True
        try:
            self.http.request("GET", path, headers={"User-Agent": AGENT})
            answer = self.http.getresponse()
            begun = True
            body = answer.read()
        except TimeoutError as error:
            self.close()
            raise Failure("no answer") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise (Failure if begun or fresh else Stale)(f"request: {error!r}") from error
        self.alive = not answer.will_close
        if answer.status >= 400:
            raise Failure(f"status {answer.status}")
        return len(body)

    def pump(self):
        """Closes what the server has closed."""
        if self.alive and select.select([self.socket], [], [], 0)[0]:
            self.close()

    def close(self):
        self.alive = False
        self.http.close()
        self.socket.close()


def connections(version):
    if version == 1:
        return Http1
    import http2  # takes a while to load, and only some need it
    return http2.Http2


class Keeper:
    """The connection to one host, opened when it is needed and kept. Not for two threads at once."""

    def __init__(self, version, names, reopen, chance):
        self.make, self.names, self.reopen, self.chance = connections(version), names, reopen, chance
        self.host, self.connection = None, None

    def get(self, host, path):
        """Bytes of the answer. `reopen` is the share of requests that begin a new connection."""
        if self.connection and (host != self.host or not self.connection.alive or self.chance.random() < self.reopen):
            self.drop()
        for _ in range(2):
            if self.connection is None:
                self.host, self.connection = host, self.make(host, self.names)
            try:
                return self.connection.get(path)
            except Stale:
                self.drop()
        raise Failure("request: twice on connections that were gone")

    def pump(self):
        if self.connection:
            self.connection.pump()

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None
