"""How a scripted player reaches a server: names, the race of address families, and one connection over HTTP/1.1 or HTTP/2.

A connection may stand for minutes. Between two requests `pump` reads what the server sends by itself (a PING, SETTINGS, the
GOAWAY and end of a connection that was idle too long), as browsers do. Requests are terse: a line and three headers
in HTTP/1.1, 60 to 70 bytes on the wire for later ones in HTTP/2, where headers are compressed.
"""
import http.client
import select
import socket
import ssl
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

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


class Http2:
    """One HTTP/2 connection with a browser's windows. A request that is not answered in time is reset, not the connection;
    a connection on which two in a row were is given up."""

    def __init__(self, host, names):
        self.host, self.socket, self.alive, self.used, self.unanswered = host, secured(host, names, 2), True, False, 0
        if self.socket.selected_alpn_protocol() != "h2":
            self.close()
            raise Failure("no HTTP/2")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        codes = h2.settings.SettingCodes
        self.h2.local_settings = h2.settings.Settings(client=True, initial_values={
            codes.HEADER_TABLE_SIZE: 65536, codes.ENABLE_PUSH: 0, codes.INITIAL_WINDOW_SIZE: 6291456})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(15663105)
        self._send()

    def _send(self):
        try:
            self.socket.sendall(self.h2.data_to_send())
        except OSError as error:
            self.close()
            raise Stale(f"request: {error!r}") from error

    def _receive(self):
        """Events of what comes next. A time-out is the caller's."""
        try:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionResetError("ended by the server")
            return self.h2.receive_data(data)
        except TimeoutError:
            raise
        except (OSError, h2.exceptions.ProtocolError) as error:
            self.close()
            raise Stale(f"request: {error!r}") from error

    def get(self, path):
        fresh, self.used = not self.used, True
        try:
            stream = self.h2.get_next_available_stream_id()
            self.h2.send_headers(stream, [(":method", "GET"), (":authority", self.host), (":scheme", "https"), (":path", path),
                                          ("user-agent", AGENT), ("accept", "*/*")], end_stream=True)
            self._send()
        except h2.exceptions.ProtocolError as error:
            self.close()
            raise Stale(f"request: {error!r}") from error
        size, status = 0, None
        while True:
            try:
                events = self._receive()
            except TimeoutError as error:
                self._give_up(stream)
                raise Failure("no answer") from error
            except Stale as error:
                if size or status or fresh:
                    raise Failure(str(error)) from error
                raise
            for event in events:
                if isinstance(event, h2.events.ConnectionTerminated):
                    self.alive = False
                if getattr(event, "stream_id", None) != stream:
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[":status"])
                elif isinstance(event, h2.events.DataReceived):
                    size += len(event.data)
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamReset):
                    raise Failure("stream reset")
                elif isinstance(event, h2.events.StreamEnded):
                    self._send()
                    self.unanswered = 0
                    if status >= 400:
                        raise Failure(f"status {status}")
                    return size
            self._send()

    def _give_up(self, stream):
        self.unanswered += 1
        if self.unanswered > 1:
            self.close()
            return
        try:
            self.h2.reset_stream(stream, 8)
            self.socket.sendall(self.h2.data_to_send())
        except (OSError, h2.exceptions.ProtocolError):
            self.close()

    def pump(self):
        """Answers what the server says between requests; closes what it has closed."""
        try:
            while self.alive and (self.socket.pending() or select.select([self.socket], [], [], 0)[0]):
                if any(isinstance(event, h2.events.ConnectionTerminated) for event in self._receive()):
                    self.close()
                    return
                self._send()
        except (Failure, TimeoutError):
            pass

    def close(self):
        self.alive = False
        self.socket.close()


class Keeper:
    """The connection to one host, opened when it is needed and kept. Not for two threads at once."""

    def __init__(self, version, names, reopen, chance):
        self.make, self.names, self.reopen, self.chance = {1: Http1, 2: Http2}[version], names, reopen, chance
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
