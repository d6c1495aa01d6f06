"""One HTTP/2 connection over TLS, as a browser keeps it: large windows, and requests that are reset, not connections."""
import select

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from clients import AGENT, Failure, Stale, secured

FRAME_HEAD = 9


class Http2:
    """One HTTP/2 connection with a browser's windows. A request that is not answered in time is reset, not the connection;
    a connection on which two in a row were is given up."""

    def __init__(self, host, names):
        self.host, self.socket, self.alive, self.used, self.unanswered = host, secured(host, names, 2), True, False, 0
        self.pending = b""
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
            return self._events(data)
        except TimeoutError:
            raise
        except (OSError, h2.exceptions.ProtocolError) as error:
            self.close()
            raise Stale(f"request: {error!r}") from error

    def _events(self, data):
        """Frame by frame: h2 takes GOAWAY for the end, but what was asked before is still answered."""
        self.pending, events = self.pending + data, []
        while len(self.pending) >= FRAME_HEAD and len(self.pending) >= (size := FRAME_HEAD + int.from_bytes(self.pending[:3], "big")):
            events += self.h2.receive_data(self.pending[:size])
            self.pending = self.pending[size:]
            if self.h2.state_machine.state == h2.connection.ConnectionState.CLOSED:
                self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        return events

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
