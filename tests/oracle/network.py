"""A line of five namespaces, in which each hop can lose, delay and reorder, captured at its middle and at both ends.

    o-client --- o-left --- o-gate --- o-right --- o-server
    10.79.1.2    lossy,     captured   lossy,      198.18.80.0/24, 2001:db8:80::/64
    fd79:1::2    delayed    (l0)       delayed

Nothing outside is touched; `close()` takes all down.
"""
import pathlib
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("client", "left", "gate", "right", "server")
SERVERS_4, SERVERS_6 = "198.18.80", "2001:db8:80:"


def run(*command, check=True):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def at(name, *command, check=True):
    return run("ip", "netns", "exec", f"o-{name}", *command, check=check)


class Network:
    def __init__(self, directory, offload=False, timestamps=True):
        self.dir, self.processes = directory, []
        self.relay_program = directory / "relay"
        if not self.relay_program.exists():
            run("cc", "-O2", "-o", self.relay_program, HERE / "relay.c")
        try:
            self._wire(offload, timestamps)
        except BaseException:
            self.close()
            raise

    def _wire(self, offload, timestamps):
        for name in NAMES:
            run("ip", "netns", "add", f"o-{name}")
            at(name, "ip", "link", "set", "lo", "up")
            at(name, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.router_solicitations=0",
               "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
               f"net.ipv4.tcp_timestamps={int(timestamps)}", "net.ipv4.tcp_fastopen=3", "net.ipv4.tcp_no_metrics_save=1")
            at(name, "nft", "add table inet o; add chain inet o forward { type filter hook forward priority 0; }")
        for number, (west, east) in enumerate(zip(NAMES, NAMES[1:]), 1):
            ports = ("eth0" if west == "client" else "r0"), ("eth0" if east == "server" else "l0")
            run("ip", "link", "add", ports[0], "netns", f"o-{west}", "type", "veth", "peer", "name", ports[1], "netns", f"o-{east}")
            for end, name in enumerate((west, east)):
                host = (2 if name == "client" else 1) if end == 0 else (1 if west == "client" else 2)
                at(name, "ip", "addr", "add", f"10.79.{number}.{host}/24", "dev", ports[end])
                at(name, "ip", "addr", "add", f"fd79:{number}::{host}/64", "dev", ports[end])
                at(name, "ip", "link", "set", ports[end], "up")
                state = "on" if offload else "off"
                at(name, "ethtool", "-K", ports[end], "tso", state, "gso", state, "gro", state)
        for i, name in enumerate(NAMES):
            if i + 1 < len(NAMES):
                gate4, gate6 = (f"10.79.{i + 1}.{1 if name == 'client' else 2}", f"fd79:{i + 1}::{1 if name == 'client' else 2}")
                at(name, "ip", "route", "add", "default", "via", gate4)
                at(name, "ip", "-6", "route", "add", "default", "via", gate6)
            if i > 1:
                back4, back6 = f"10.79.{i}.1", f"fd79:{i}::1"
                at(name, "ip", "route", "add", "10.79.1.0/24", "via", back4)
                at(name, "ip", "-6", "route", "add", "fd79:1::/64", "via", back6)
        at("server", "ip", "route", "add", "local", f"{SERVERS_4}.0/24", "dev", "lo")
        at("server", "ip", "-6", "route", "add", "local", f"{SERVERS_6}:/64", "dev", "lo")
        at("server", "sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1", "net.ipv6.ip_nonlocal_bind=1")

    def lose(self, side, permille):
        """Each packet of TCP that passes this side is lost with this chance, whichever way it goes."""
        at(side, "nft", f"add rule inet o forward iifname != tun0 meta l4proto tcp numgen random mod 1000 < {permille} drop")

    def delay(self, side, delay_us, permille=0, extra_us=0):
        at(side, "ip", "tuntap", "add", "tun0", "mode", "tun")
        at(side, "ip", "link", "set", "tun0", "up", "mtu", "1500")
        for family in ("-4", "-6"):
            for port in ("l0", "r0"):
                at(side, "ip", family, "rule", "add", "iif", port, "lookup", "100")
            at(side, "ip", family, "route", "add", "default", "dev", "tun0", "table", "100")
        self.start(side, self.relay_program, "tun0", delay_us, *((permille, extra_us) if permille else ()))

    def start(self, name, *command):
        command = ["ip", "netns", "exec", f"o-{name}", *map(str, command)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def capture(self, name, port, path, snaplen=262144):
        process = self.start(name, "tcpdump", "-Z", "root", "-i", port, "-s", snaplen, "-B", 32768, "-U", "--immediate-mode", "-w", path, "tcp or udp")
        while not path.exists() or path.stat().st_size < 24:
            time.sleep(0.05)
        time.sleep(0.2)
        return process

    def stop(self, process, how=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self):
        for process in reversed(self.processes):
            self.stop(process)
        for name in NAMES:
            run("ip", "netns", "del", f"o-{name}", check=False)
