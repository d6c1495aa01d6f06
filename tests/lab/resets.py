"""Connections that are cut by a reset, from the servers' side: usage: resets.py IDLE_S TIMES PREFIX...

Each second every connection from an address that begins with a PREFIX ("198.18.10.") is reset on which nothing moved for
IDLE_S seconds (0: all of them); TIMES such rounds, 0 for as long as it runs. A server that limits idle connections this way is
healthy; a box that cuts what usually stands for minutes is not.
"""
import re
import subprocess
import sys
import time

IDLE_MS, TIMES, PREFIXES = 1000 * float(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:])
QUIET = re.compile(r"last(?:snd|rcv):(\d+)")


def connections():
    """(local address, its port, remote address, its port, ms since anything moved), by ss."""
    listed = subprocess.run(["ss", "-Htni", "state", "established", "sport = :443"], capture_output=True, text=True, check=True).stdout
    for ends, details in re.findall(r"^(\S.*)\n(\s.*)", listed, re.M):
        local, remote = ends.split()[2:4]
        moved = [int(value) for value in QUIET.findall(details)]
        yield *local.rsplit(":", 1), *remote.rsplit(":", 1), min(moved, default=0)


done = 0
while not TIMES or done < TIMES:
    for local, local_port, remote, remote_port, idle_ms in list(connections()):
        if local.strip("[]").startswith(PREFIXES) and idle_ms >= IDLE_MS:
            subprocess.run(["ss", "-K", "src", local, "sport", "=", f":{local_port}", "dst", remote, "dport", "=", f":{remote_port}"],
                           capture_output=True, check=False)
    done += 1
    time.sleep(1)
