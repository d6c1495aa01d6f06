"""Servers that keep a request waiting, behind nginx and caddy: usage: backend.py FIRST_PORT. Four ports from that on, as servers.py names them:

    never   never answers
    held    60 kB after 6 s: a low-latency playlist, held on purpose
    late    150 kB after 7 s: segments of four seconds, too late
    poll    300 bytes after 25 s: a long poll
"""
import socket
import sys
import threading
import time

FIRST = int(sys.argv[1])
ANSWERS = {1: (6, 60000), 2: (7, 150000), 3: (25, 300)}


def answer(peer, wait_s, size):
    try:
        peer.recv(65536)
        time.sleep(wait_s)
        head = "HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\nAccess-Control-Allow-Origin: *\r\n"
        peer.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode() + b"x" * size)
    except OSError:
        pass  # the viewer gave it up
    peer.close()


def serve(port, wait_s, size):
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0], wait_s, size), daemon=True).start()


never = socket.create_server(("127.0.0.1", FIRST), backlog=4096)
for place, (seconds, length) in ANSWERS.items():
    threading.Thread(target=serve, args=(FIRST + place, seconds, length), daemon=True).start()
threading.Event().wait()
