"""A scripted player: one viewer of one service. Looks names up as any program does, keeps its media connection open, asks for a
segment every few seconds, talks to the control host now and then, and tries again when something fails. Says nothing; the
packets are the result. usage: player.py CONTROL_HOST MEDIA_HOST[,MEDIA_HOST...] SECONDS SEED [PAUSE_AT PAUSE_SECONDS]
"""
import http.client
import random
import ssl
import sys
import time

TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE
# Browsers and apps send several hundred bytes of headers with every request.
HEADERS = {"User-Agent": "weir-laboratory-player/1.0", "Cookie": "s=" + "x" * 480, "Accept": "*/*"}


def fetch(connection, path):
    connection.request("GET", path, headers=HEADERS)
    return len(connection.getresponse().read())


def connect(host):
    return http.client.HTTPSConnection(host, timeout=10, context=TLS)


def control(host):
    connection = connect(host)
    try:
        fetch(connection, "/api")
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def main():
    control_host, media_hosts, seconds, seed = sys.argv[1], sys.argv[2].split(","), float(sys.argv[3]), int(sys.argv[4])
    pause_at, pause_seconds = map(float, sys.argv[5:7] or (seconds, 0))
    chance = random.Random(seed)
    start = time.monotonic()
    end = start + seconds
    media, next_control = None, 0.0
    time.sleep(chance.random() * 3)
    while time.monotonic() < end:
        if pause_seconds and time.monotonic() - start >= pause_at:
            time.sleep(pause_seconds)
            pause_seconds = 0
        if time.monotonic() >= next_control:
            control(control_host)
            next_control = time.monotonic() + chance.uniform(8, 14)
        try:
            if media is None or chance.random() < 0.1:
                if media:
                    media.close()
                media = connect(chance.choice(media_hosts))
            fetch(media, "/segment")
            time.sleep(chance.uniform(2.5, 4.5))
        except (OSError, http.client.HTTPException):
            media.close()
            media = None
            time.sleep(chance.uniform(0.5, 2))


main()
