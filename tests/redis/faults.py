"""The faults: each breaks Redis (or weir) in one way while incidents flow, and counts what was sent, arrived, lost and doubled.

Sent are the incidents that the engine handed over; where weir itself is killed, those that were safe on disk. `full` says whether
it takes its time (tests/redis/run) or is short (tests/replay/test_redis_faults.py).
"""
import collections
import json
import os
import random
import signal
import subprocess
import time

from redis_servers import TOP, WEIR, Drive, Sentinel, Server, make_cluster, streams, wait_until

INBOX_MAXLEN = 20000
Row = collections.namedtuple("Row", "fault sent arrived lost doubled inbox_lost in_order said longest_ms note")


def count(fault, cli, wanted, drive, result, note="", site="drive"):
    """Compares the streams with the incidents wanted."""
    arrived, inbox, ids = streams(cli, site)
    in_inbox = {key[2] for key in inbox}
    names = [f"drive-{i}" for i in wanted]
    # A site has one inbox, which is bounded: once it is full, only what is younger than its oldest entry can be asked for.
    oldest = min((int(name.split("-")[1]) for name in in_inbox), default=0) if sum(inbox.values()) >= INBOX_MAXLEN else 0
    newest = [f"drive-{i}" for i in wanted if i >= oldest]
    row = Row(fault, len(names), sum(name in arrived for name in names), sum(name not in arrived for name in names),
              sum(n - 1 for n in arrived.values()), sum(name not in in_inbox for name in newest), ids == sorted(ids),
              len(drive.said), result["longest_us"] / 1000 if result else 0, note)
    assert row.lost == 0 and row.doubled == 0 and row.inbox_lost == 0, (row, drive.errors)
    return row


def json_cli(server):
    return lambda *arguments: server.cli(*arguments, as_json=True)


def said_in_pairs(drive, most=4):
    """Told once when it begins and once when it is over, not once a second."""
    assert 1 <= len(drive.said) <= most, drive.errors


# ---- Redis goes away ----

def stopped(place, full):
    """Redis stopped in the middle (with its data kept), and started again."""
    away, n = (60, 8000) if full else (4, 600)
    server = Server(place / "redis", "--appendonly", "yes", "--appendfsync", "always")
    try:
        drive = Drive(server.url, place, incidents=n, rate=n / (away + 6 if full else 8))
        time.sleep(2)
        server.stop()
        time.sleep(away)
        server.start()
        result = drive.finish()
        said_in_pairs(drive, 6)
        return count(f"Redis stopped for {away} s", json_cli(server), range(n), drive, result, f"windows dropped: {result['dropped_windows']}")
    finally:
        server.close()


def killed_with_aof(place, full, policy="always"):
    """kill -9 of Redis with an append-only file, again and again."""
    times, n = (20, 6000) if full else (3, 600)
    server = Server(place / "redis", "--appendonly", "yes", "--appendfsync", policy)
    try:
        drive = Drive(server.url, place, incidents=n, rate=n / (times * 1.5))
        for _ in range(times):
            time.sleep(random.uniform(0.3, 1.2))
            server.kill()
            time.sleep(random.uniform(0, 0.4))
            server.start()
        result = drive.finish()
        return count(f"kill -9 of Redis, AOF {policy}, {times} times", json_cli(server), range(n), drive, result,
                     f"connections: {result['connections']}")
    finally:
        server.close()


def killed_with_aof_everysec(place, full):
    return killed_with_aof(place, full, "everysec")


# ---- weir is killed ----

def weir_killed(place, full):
    """kill -9 of weir at random points between spool and send: what was safe on disk arrives, once."""
    times = 200 if full else 12
    server = Server(place / "redis")
    safe, first, left_in_spool = [], 0, 0
    try:
        for i in range(times):
            (place / "progress").unlink(missing_ok=True)
            if i % 2:  # Redis holds its answers back for a moment: more is under way
                server.cli("CLIENT", "PAUSE", random.randint(5, 60), "WRITE")
            drive = Drive(server.url, place, incidents=100000, rate=random.choice([200, 1000, 3000]), first=first, windows=50)
            wait_until(lambda d=drive: d.handed_and_safe()[0] > 0, what="drive")
            time.sleep(random.uniform(0, 0.12))
            drive.kill()
            handed, safe_here = drive.handed_and_safe()
            safe += range(first, first + min(safe_here, handed))
            first += handed + 1000
            left_in_spool += (place / "spool").stat().st_size > 8
        drive = Drive(server.url, place, incidents=1, rate=100, first=first)
        result = drive.finish()
        return count(f"kill -9 of weir, {times} times", json_cli(server), [*safe, first], drive, result,
                     f"in {left_in_spool} of them something waited in the spool")
    finally:
        server.close()


# ---- no room ----

def disk_full(place, full):
    """The spool's disk is full while Redis is away; then there is room again, and at last Redis comes back."""
    n = 2000 if full else 400
    disk = place / "small"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "d-spool", disk], capture_output=True).returncode:
        return None
    server = Server(place / "redis", "--appendonly", "yes")
    try:
        server.stop()
        (disk / "filler").write_bytes(bytes(44 * 1024))
        drive = Drive(server.url, place, incidents=n, rate=200, spool=disk / "spool")
        time.sleep(n / 400)
        wait_until(lambda: (disk / "spool").stat().st_size > 8, what="the spool")
        (disk / "filler").unlink()
        time.sleep(n / 200)
        server.start()
        result = drive.finish()
        assert result["spool_failures"] > 0, "the disk was not full"
        said_in_pairs(drive, 6)
        return count("spool's disk full", json_cli(server), range(n), drive, result, f"writes that failed: {result['spool_failures']}")
    finally:
        subprocess.run(["umount", disk])
        server.close()


def redis_full(place, full):
    """Redis at its maxmemory, refusing every write (-OOM); then it gets more."""
    seconds, n = (20, 5000) if full else (3, 400)
    server = Server(place / "redis", "--maxmemory-policy", "noeviction")
    try:
        drive = Drive(server.url, place, incidents=n, rate=n / (seconds + 3))
        time.sleep(1)
        server.cli("CONFIG", "SET", "maxmemory", 1)
        time.sleep(seconds)
        server.cli("CONFIG", "SET", "maxmemory", 0)
        result = drive.finish()
        said_in_pairs(drive)
        assert any("OOM" in line for line in drive.said), drive.errors
        return count(f"Redis at maxmemory for {seconds} s", json_cli(server), range(n), drive, result)
    finally:
        server.close()


# ---- slow ----

def debug_sleep(place, full):
    """DEBUG SLEEP, longer than the time-out of an operation."""
    seconds, n = (12, 3000) if full else (6.5, 400)
    server = Server(place / "redis")
    try:
        drive = Drive(server.url, place, incidents=n, rate=n / (seconds + 2))
        time.sleep(1)
        server.cli("DEBUG", "SLEEP", seconds, check=False)
        result = drive.finish()
        said_in_pairs(drive)
        return count(f"DEBUG SLEEP {seconds}", json_cli(server), range(n), drive, result, f"connections: {result['connections']}")
    finally:
        server.close()


def stalled(place, full):
    """A server that takes bytes and answers nothing (SIGSTOP); what it got it executes when it goes on, beside what is sent again."""
    seconds, times, n = (15, 3, 6000) if full else (6.5, 1, 400)
    server = Server(place / "redis")
    try:
        drive = Drive(server.url, place, incidents=n, rate=n / (times * (seconds + 2)))
        for _ in range(times):
            time.sleep(1)
            server.stall()
            time.sleep(seconds)
            server.resume()
        result = drive.finish()
        said_in_pairs(drive, 4 * times)
        return count(f"server stalled for {seconds} s, {times} times", json_cli(server), range(n), drive, result,
                     f"connections: {result['connections']}")
    finally:
        server.close()


def network_cut(place, full):
    """A half-open connection: no packet passes for a while, nobody is told."""
    seconds, n = (30, 4000) if full else (8, 400)
    name = f"d-cut{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
        return None
    inside = ["ip", "netns", "exec", name]
    server = None
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        server = Server(place / "redis", inside=inside)
        drive = Drive(server.url, place, incidents=n, rate=n / (seconds + 2), inside=inside)
        time.sleep(1)
        subprocess.run([*inside, "ip", "link", "set", "lo", "down"], check=True)
        time.sleep(seconds)
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        result = drive.finish()
        said_in_pairs(drive, 6)
        return count(f"network cut for {seconds} s", json_cli(server), range(n), drive, result, f"connections: {result['connections']}")
    finally:
        if server:
            server.close()
        subprocess.run(["ip", "netns", "del", name])


# ---- credentials, types ----

def wrong_password(place, full):
    """A wrong password in the file at first; then the right one. It shows neither in ps nor in what is said."""
    seconds, n = (20, 2000) if full else (2, 200)
    server = Server(place / "redis", password="correct horse")
    secret = place / "password"
    secret.write_text("battery staple\n")
    try:
        drive = Drive(server.url, place, incidents=n, rate=n / (seconds + 1), extra=["--password-file", secret])
        time.sleep(seconds)
        secret.write_text("correct horse\n")
        result = drive.finish()
        said_in_pairs(drive)
        assert "battery" not in drive.errors and "horse" not in drive.errors
        return count(f"wrong password for {seconds} s, then right", json_cli(server), range(n), drive, result)
    finally:
        server.close()


def wrong_type(place, full):
    """Somebody else's key in the place of the incidents' stream, and of a hash; then it is deleted."""
    seconds, n = (10, 1000) if full else (2, 200)
    server = Server(place / "redis")
    server.cli("SET", "weir:{drive}:incidents", "mine")
    server.cli("SET", "weir:{drive}:service:other", "mine too")
    try:
        drive = Drive(server.url, place, incidents=n, rate=n / (seconds + 1))
        time.sleep(seconds)
        server.cli("DEL", "weir:{drive}:incidents", "weir:{drive}:service:other")
        result = drive.finish()
        said_in_pairs(drive)
        return count(f"WRONGTYPE for {seconds} s", json_cli(server), range(n), drive, result, f"windows refused: {result['refused']}")
    finally:
        server.close()


def clock_stepped(place, full):
    """The stream's top is an hour ahead, as after the clock stepped back: entries go under new ids, once, also when sent again."""
    n = 1000 if full else 100
    server = Server(place / "redis", "--appendonly", "yes")
    try:
        server.cli("XADD", "weir:{drive}:incidents", f"{int((time.time() + 3600) * 1000)}-0", "id", "future-0")
        drive = Drive(server.url, place, incidents=n, rate=n / 4)
        for _ in range(3):
            time.sleep(0.8)
            server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        result = drive.finish()
        return count("clock an hour back, connection cut 3 times", json_cli(server), range(n), drive, result)
    finally:
        server.close()


# ---- cluster, Sentinel ----

def cluster_cli(nodes):
    def cli(*arguments):
        for node in nodes:  # whoever has the key
            text = node.cli("--json", *arguments, check=False)
            if text.startswith("["):
                return json.loads(text)
        raise AssertionError(text)
    return cli


def move_slot(slot, source, target):
    ids = {node: node.cli("CLUSTER", "MYID") for node in (source, target)}
    target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    while True:
        keys = source.cli("CLUSTER", "GETKEYSINSLOT", slot, 10).split()
        if not keys:
            break
        time.sleep(0.1)  # under load: some keys are here, some there
        source.cli("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    for node in (target, source):
        node.cli("CLUSTER", "SETSLOT", slot, "NODE", ids[target])


def cluster_moves(place, full):
    """The site's slot moves from node to node of a cluster, under load."""
    times, n = (12, 6000) if full else (2, 400)
    nodes = make_cluster(place)
    try:
        drive = Drive(nodes[0].url, place, incidents=n, rate=n / (times * 1.5 + 1))
        slot = int(nodes[0].cli("CLUSTER", "KEYSLOT", "weir:{drive}:probe"))
        owner = next(i for i in range(3) if nodes[i].cli("CLUSTER", "COUNTKEYSINSLOT", slot) != "0" or owns(nodes[i], slot))
        for _ in range(times):
            time.sleep(1)
            move_slot(slot, nodes[owner], nodes[(owner + 1) % 3])
            owner = (owner + 1) % 3
        result = drive.finish()
        return count(f"cluster slot moved {times} times", cluster_cli(nodes), range(n), drive, result, f"connections: {result['connections']}")
    finally:
        for node in nodes:
            node.close()


def owns(node, slot):
    for line in node.cli("CLUSTER", "NODES").splitlines():
        if "myself" in line:
            for ranges in line.split()[8:]:
                ends = ranges.split("-")
                if ends[0].isdigit() and int(ends[0]) <= slot <= int(ends[-1]):
                    return True
    return False


def sentinel(place, full):
    """kill -9 of the master; Sentinel makes the replica one. What the old one had answered for, and not yet passed on, counts too."""
    n = 6000 if full else 800
    master = Server(place / "master")
    replica = Server(place / "replica", "--replicaof", f"127.0.0.1 {master.port}")
    wait_until(lambda: "master_link_status:up" in replica.cli("INFO", "replication"), what="the replica")
    sentinels = [Sentinel(place / f"sentinel{i}", master) for i in range(3)]
    try:
        wait_until(lambda: all("num-other-sentinels\n2" in s.cli("SENTINEL", "MASTER", "weirmaster") for s in sentinels), what="the Sentinels")
        url = "redis+sentinel://" + ",".join(f"127.0.0.1:{s.port}" for s in sentinels) + "/weirmaster"
        drive = Drive(url, place, incidents=n, rate=n / (30 if full else 8))
        time.sleep(2)
        master.kill()
        wait_until(lambda: "role:master" in replica.cli("INFO", "replication"), 60, "the fail-over")
        result = drive.finish()
        return count("Sentinel fail-over, master killed", json_cli(replica), range(n), drive, result, f"connections: {result['connections']}")
    finally:
        for server in (*sentinels, replica, master):
            server.close()


# ---- capture ----

SEND = """
import socket, struct, sys, time
data = open(sys.argv[1], 'rb').read()
times, seconds = int(sys.argv[3]), float(sys.argv[4])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((sys.argv[2], 0))
frames, at = [], 24
while at < len(data):
    length = struct.unpack('<IIII', data[at:at + 16])[2]
    frames.append(data[at + 16:at + 16 + length])
    at += 16 + length
sent, start = 0, time.time()
for i in range(times * len(frames)):
    if len(frames[i % len(frames)]) <= 1514:
        wire.send(frames[i % len(frames)])
        sent += 1
    if i % 50 == 0:
        time.sleep(max(0, start + seconds * i / (times * len(frames)) - time.time()))
print(sent)
"""


def capture(place, full):
    """`weir live` on a veth while its Redis is stalled, killed and started again: what capture lost of the packets."""
    seconds = 60 if full else 9
    name, pair = f"d-live{os.getpid()}", ("d-a", "d-b")
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
        return None
    inside, server, weir = ["ip", "netns", "exec", name], None, None
    sock, state = place / "redis.sock", place / "state"
    state.mkdir()
    try:
        subprocess.run([*inside, "ip", "link", "add", pair[0], "type", "veth", "peer", "name", pair[1]], check=True)
        for end in pair:
            subprocess.run([*inside, "sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1"], check=False)
            subprocess.run([*inside, "ip", "link", "set", end, "up"], check=True)
        server = Server(place / "redis", "--unixsocket", str(sock), "--appendonly", "yes")
        weir = subprocess.Popen([*inside, WEIR, "live", "-i", pair[1], "--json", "--records", "capture", "--redis", f"unix://{sock}", "--site", "live",
                                 "--state", state, "--user", "root"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: server.cli("EXISTS", "weir:{live}:probe") == "1" or weir.poll() is not None or time.sleep(0.3), 15, "weir live")
        sender = subprocess.Popen([*inside, "/usr/bin/python3", "-c", SEND, TOP / "pcaps" / "outage.pcap", pair[0], str(4 if full else 1), str(seconds)],
                                  stdout=subprocess.PIPE, text=True)
        time.sleep(seconds / 4)
        server.stall()
        time.sleep(seconds / 4)
        server.kill()
        time.sleep(seconds / 4)
        server.start()
        sent = int(sender.communicate()[0])
        time.sleep(1)
        weir.send_signal(signal.SIGTERM)
        out, errors = weir.communicate(timeout=60)
        assert weir.returncode == 0, errors
        record = json.loads(out.splitlines()[-1])
        lost = record["dropped_kernel"] + record["dropped_interface"]
        probe = server.cli("HGET", "weir:{live}:probe", "packets")
        assert lost == 0 and record["packets"] >= sent and int(probe) == record["packets"], (record["packets"], sent, probe, lost, errors)
        said = sum("Redis" in line for line in errors.splitlines())
        return Row("weir live, Redis stalled, killed: packets", sent, record["packets"], lost, 0, 0, True, said, 0, "dropped by kernel and interface: 0")
    finally:
        for process in (weir,):
            if process and process.poll() is None:
                process.kill()
        if server:
            server.close()
        subprocess.run(["ip", "netns", "del", name])


def nothing(place, full):
    """Nothing breaks: what a bare run costs."""
    n = 20000 if full else 500
    server = Server(place / "redis")
    try:
        drive = Drive(server.url, place, incidents=n, rate=n / (10 if full else 1))
        result = drive.finish()
        assert not drive.said, drive.errors
        return count("none", json_cli(server), range(n), drive, result, f"windows: {result['delivered_windows']}")
    finally:
        server.close()


ALL = [nothing, stopped, killed_with_aof, killed_with_aof_everysec, weir_killed, disk_full, redis_full, debug_sleep, stalled, network_cut,
       wrong_password, wrong_type, clock_stepped, cluster_moves, sentinel, capture]
