"""Clients' everyday habits that look like failures and are none: usage: restless.py HABIT HOST SECONDS SEED

    tabs    connections opened and never used, closed by a reset when idle, in the middle of a transfer, or after the end
    held    requests that the server answers only after six seconds, by design (low-latency playlists)
    polls   one connection on which a question is answered after 25 s and asked again
    bulk    four downloads at once, as fast as they go
"""
import random
import socket
import ssl
import struct
import sys
import threading
import time

TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE
HABIT, HOST, SECONDS, SEED = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
chance, end = random.Random(SEED), time.monotonic() + SECONDS


def connect():
    return socket.create_connection((HOST, 443), timeout=15)


def ask(path):
    peer = TLS.wrap_socket(connect(), server_hostname=HOST)
    peer.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    return peer


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def preconnect():
    peer = connect()
    time.sleep(chance.uniform(0.2, 3))
    peer.close()


def leave_midway():
    peer = ask("/vod/chunk-stream0-00001.m4s")
    peer.recv(5000)
    reset(peer)


def idle_reset():
    peer = ask("/api")
    peer.recv(65536)
    time.sleep(chance.uniform(2, 5))
    reset(peer)


def reset_after_end():
    peer = ask("/api")
    peer.recv(65536)
    raw = peer.detach()
    plain = socket.socket(fileno=raw)
    plain.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    reset(plain)


def held():
    peer = ask("/held")
    while peer.recv(65536):
        pass
    peer.close()


def polls():
    peer = ask("/poll")
    peer.settimeout(60)
    while time.monotonic() < end and peer.recv(65536):
        peer.sendall(f"GET /poll HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    peer.close()


def bulk():
    peer = ask("/vod/chunk-stream0-00001.m4s")
    got = 0
    while got < 500_000 and (part := peer.recv(65536)):
        got += len(part)
    peer.close()


def live(habits, wait):
    while time.monotonic() < end:
        try:
            chance.choice(habits)()
        except OSError:
            pass
        time.sleep(wait * chance.uniform(0.5, 1.5))


if HABIT == "bulk":
    threads = [threading.Thread(target=live, args=([bulk], 0.01)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
else:
    live({"held": [held], "polls": [polls]}.get(HABIT, [preconnect, leave_midway, idle_reset, reset_after_end]), 1.5 if HABIT == "tabs" else 0.5)
