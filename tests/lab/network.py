"""A small internet in network namespaces: clients - gateway (weir's vantage) - servers and a resolver.

    w-c1 w-c2 w-c3        w-gw                       w-net
    10.77.0.11...  ---  br0 10.77.0.1  --- up0 ---   services on 198.18.0.0/15 and 2001:db8::/32, resolver 198.18.1.53
    fd77::11...         ^ captures are taken here, before any address translation

Between gateway and servers lies a cable (veth: large packets, no delay) or the laboratory's own relay (delay, rate). With
`nat` the clients stand behind a router of their own: weir sees one address. Real host names on addresses of our own: a
private CA signs for all of them. Everything is made by `Network(...)` and taken down again by `close()`; nothing outside
the namespaces is touched.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import servers  # noqa: E402
from servers import RESOLVER  # noqa: E402

def run(*command, check=True, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done


def in_ns(namespace, *command):
    return ["ip", "netns", "exec", namespace, *command]


class Network:
    def __init__(self, n_clients=3, offload=True, prefix="w", families=(4,), quic=False, delay_ms=None, nat=False, content=None,
                 keepalive=("75s", 1000)):
        """Networks of different prefixes stand side by side. delay_ms: a relay instead of a cable, so much each way.
        content: a directory of encoded segments; without one, noise. keepalive: nginx's time and number of requests."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-lab-"))
        self.gateway, self.servers = f"{prefix}-gw", f"{prefix}-net"
        self.clients = [f"{prefix}-c{i + 1}" for i in range(n_clients)]
        self.home = f"{prefix}-nat" if nat else self.gateway
        self.namespaces = [self.gateway, self.servers, *self.clients, *([self.home] if nat else [])]
        self.families, self.quic, self.offload, self.content, self.keepalive = families, quic, offload, content, keepalive
        self.processes, self.relay, self.marks = [], None, []
        try:
            self._namespaces()
            self._join(delay_ms)
            self._lan()
            for number in range(n_clients):
                self._client(number)
            self._certificates()
            self._resolver()
            self._web()
        except BaseException:
            self.close()
            raise

    # ---- processes ----

    def start(self, namespace, *command, **options):
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        process = subprocess.Popen(in_ns(namespace, *command), **options)
        self.processes.append(process)
        return process

    def stop(self, process, how=signal.SIGTERM, patience=5):
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self):
        for process in reversed(self.processes):
            self.stop(process)
        for namespace in self.namespaces:
            run("ip", "netns", "del", namespace, check=False)
            shutil.rmtree(f"/etc/netns/{namespace}", ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def at(self, namespace, *command, check=True):
        return run(*in_ns(namespace, *command), check=check)

    # ---- wires ----

    def _namespaces(self):
        for namespace in self.namespaces:
            run("ip", "netns", "del", namespace, check=False)  # of a run that was killed
            run("ip", "netns", "add", namespace)
            self.at(namespace, "ip", "link", "set", "lo", "up")
            self.at(namespace, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                    "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
        for address in [RESOLVER, *(servers.address(host, 4) for host in servers.HOSTS)]:
            self.at(self.servers, "ip", "addr", "add", f"{address}/32", "dev", "lo")
        for host in servers.HOSTS if 6 in self.families else ():
            self.at(self.servers, "ip", "addr", "add", f"{servers.address(host, 6)}/128", "dev", "lo")

    def _join(self, delay_ms):
        """Gateway and servers: up0 there, eth0 here."""
        if delay_ms is None:
            run("ip", "link", "add", "up0", "netns", self.gateway, "type", "veth", "peer", "name", "eth0", "netns", self.servers)
            self.no_offload(self.servers)
        else:
            program = self.dir / "relay"
            run("cc", "-O2", "-o", program, HERE / "relay.c")
            self.relay = self.start(self.gateway, str(program), "up0", self.servers, "eth0", stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)
            if self.relay.stdout.readline() != "ready\n":
                raise RuntimeError("the relay does not start; is /dev/net/tun here?")
            self.tell_relay(f"delay {delay_ms}")
        for namespace, device, v4, v6 in ((self.gateway, "up0", "198.18.0.1/30", "fd70::1/64"),
                                          (self.servers, "eth0", "198.18.0.2/30", "fd70::2/64")):
            self.at(namespace, "ip", "addr", "add", v4, "dev", device)
            self.at(namespace, "ip", "addr", "add", v6, "dev", device)
            self.at(namespace, "ip", "link", "set", device, "up")
        self.at(self.gateway, "ip", "route", "add", "198.18.0.0/15", "via", "198.18.0.2")
        self.at(self.servers, "ip", "route", "add", "10.76.0.0/15", "via", "198.18.0.1")
        self.at(self.gateway, "ip", "route", "add", "2001:db8::/32", "via", "fd70::2")
        self.at(self.servers, "ip", "route", "add", "fd77::/64", "via", "fd70::1")
        self.at(self.gateway, "nft", "add table inet weir; add chain inet weir forward { type filter hook forward priority 0; }")

    def tell_relay(self, line):
        self.relay.stdin.write(line + "\n")
        self.relay.stdin.flush()

    def _lan(self):
        self.at(self.gateway, "ip", "link", "add", "br0", "type", "bridge")
        # Else a reject's reset goes straight to the client's port and br0 never shows it.
        self.at(self.gateway, "sysctl", "-qw", "-e", "net.bridge.bridge-nf-call-iptables=0", "net.bridge.bridge-nf-call-ip6tables=0")
        self.at(self.gateway, "ip", "addr", "add", "10.77.0.1/24", "dev", "br0")
        self.at(self.gateway, "ip", "addr", "add", "fd77::1/64", "dev", "br0")
        self.at(self.gateway, "ip", "link", "set", "br0", "up")
        if self.home != self.gateway:
            run("ip", "link", "add", "home", "netns", self.gateway, "type", "veth", "peer", "name", "wan", "netns", self.home)
            self.at(self.gateway, "ip", "link", "set", "home", "master", "br0", "up")
            for command in ("link add br0 type bridge", "addr add 10.76.0.1/24 dev br0", "link set br0 up",
                            "addr add 10.77.0.2/24 dev wan", "link set wan up", "route add default via 10.77.0.1"):
                self.at(self.home, "ip", *command.split())
            self.at(self.home, "nft", "add table ip nat; add chain ip nat out { type nat hook postrouting priority srcnat; }; "
                    "add rule ip nat out oifname wan masquerade")

    def _client(self, number):
        client, lan = self.clients[number], "10.77.0" if self.home == self.gateway else "10.76.0"
        run("ip", "link", "add", f"c{number}", "netns", self.home, "type", "veth", "peer", "name", "eth0", "netns", client)
        self.at(self.home, "ip", "link", "set", f"c{number}", "master", "br0", "up")
        self.at(client, "ip", "addr", "add", f"{lan}.{11 + number}/24", "dev", "eth0")
        self.at(client, "ip", "link", "set", "eth0", "up")
        self.at(client, "ip", "route", "add", "default", "via", f"{lan}.1")
        if 6 in self.families:
            self.at(client, "ip", "addr", "add", f"fd77::{11 + number}/64", "dev", "eth0")
            self.at(client, "ip", "-6", "route", "add", "default", "via", "fd77::1")
        os.makedirs(f"/etc/netns/{client}", exist_ok=True)
        pathlib.Path(f"/etc/netns/{client}/resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        # Private addresses may speak to public ones: without this IPv6 comes last (RFC 6724).
        pathlib.Path(f"/etc/netns/{client}/gai.conf").write_text("label ::/0 1\nlabel ::ffff:0:0/96 4\nlabel fc00::/7 1\n")
        self.no_offload(client)

    def no_offload(self, namespace):
        if not self.offload:
            self.at(namespace, "ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off")

    # ---- servers ----

    def _certificates(self):
        names = ",".join(f"DNS:{host}" for host in servers.HOSTS)
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        run("openssl", "req", "-x509", *curve, "-days", "30", "-subj", "/CN=weir laboratory CA", "-keyout", self.dir / "ca-key.pem",
            "-out", self.dir / "ca.pem")
        run("openssl", "req", *curve, "-subj", "/CN=weir laboratory", "-keyout", self.dir / "key.pem", "-out", self.dir / "request.pem")
        (self.dir / "names").write_text(f"subjectAltName={names}\n")
        run("openssl", "x509", "-req", "-in", self.dir / "request.pem", "-CA", self.dir / "ca.pem", "-CAkey", self.dir / "ca-key.pem",
            "-CAcreateserial", "-days", "30", "-extfile", self.dir / "names", "-out", self.dir / "leaf.pem")
        (self.dir / "cert.pem").write_text((self.dir / "leaf.pem").read_text() + (self.dir / "ca.pem").read_text())

    def _resolver(self):
        (self.dir / "unbound.conf").write_text(servers.unbound_conf(self.dir, self.families))
        self.resolver = self.start(self.servers, "unbound", "-d", "-c", str(self.dir / "unbound.conf"))

    def _web(self):
        (self.dir / "www").mkdir()
        (self.dir / "www" / "api").write_bytes(b"{}" * 1500)
        shutil.copy(HERE / "watch.html", self.dir / "www")
        if self.content:
            (self.dir / "www" / "vod").symlink_to(self.content)
            (self.dir / "www" / "lib").symlink_to(pathlib.Path(self.content).parent / "node_modules")
        else:
            servers.make_plain_content(self.dir / "www" / "vod")
        (self.dir / "nginx.conf").write_text(servers.nginx_conf(self.dir, self.families, self.quic, self.keepalive))
        os.chmod(self.dir, 0o755)
        self.web = self.start(self.servers, "nginx", "-p", str(self.dir), "-c", str(self.dir / "nginx.conf"))
        self.start(self.servers, "/usr/bin/python3", str(HERE / "backend.py"), str(servers.BACKEND_PORT))
        if self.quic:
            (self.dir / "Caddyfile").write_text(servers.caddy_conf(self.dir, self.families))
            self.caddy = self.start(self.servers, "caddy", "run", "--adapter", "caddyfile", "--config", str(self.dir / "Caddyfile"),
                                    env={**os.environ, "HOME": str(self.dir)}, stderr=open(self.dir / "caddy.log", "w"))
        time.sleep(1.5)
        if self.web.poll() is not None:
            raise RuntimeError((self.dir / "error.log").read_text())
        if self.quic and self.caddy.poll() is not None:
            raise RuntimeError((self.dir / "caddy.log").read_text()[-2000:])

    # ---- impairments, at the gateway, behind the vantage ----

    def rule(self, text):
        self.at(self.gateway, "nft", f"add rule inet weir forward {text}")

    def rules_to(self, numbers, verdict):
        """A verdict on what goes to these networks, in both families. `verdict` may hold {family} (ip, ip6) and {side} (daddr)."""
        self._rules(numbers, "daddr", verdict)

    def rules_from(self, numbers, verdict):
        self._rules(numbers, "saddr", verdict)

    def _rules(self, numbers, side, verdict):
        v4 = ", ".join(f"198.18.{number}.0/24" for number in numbers)
        v6 = ", ".join(f"2001:db8:{number}::/48" for number in numbers)
        for family, addresses in (("ip", v4), ("ip6", v6)):
            self.rule(f"{family} {side} {{ {addresses} }} {verdict.replace('{family}', family)}")

    def clear_rules(self):
        self.at(self.gateway, "nft", "flush chain inet weir forward")

    def _resolver_control(self, *command):
        self.at(self.servers, "unbound-control", "-c", str(self.dir / "unbound.conf"), *command)

    def fail_names(self, *domains):
        """SERVFAIL for these domains, until `heal_names`."""
        for domain in domains:
            for host in servers.BEACONS.values():
                if host.endswith(f".{domain}"):
                    self._resolver_control("local_zone_remove", host)
            self._resolver_control("local_zone_remove", domain)
            self._resolver_control("local_zone", domain, "transparent")

    def heal_names(self, *domains):
        for domain in domains:
            self._resolver_control("local_zone_remove", domain)
            self._resolver_control("local_zone", domain, "static")
        for host in servers.HOSTS:
            for line in servers.zone_data(host, self.families) if host.endswith(domains) else ():
                self._resolver_control("local_data", *line.split())

    def block_name(self, host, how):
        """The resolver begins to block this name as filters do ("always_null": 0.0.0.0, "always_nxdomain", "always_refuse"), until `unblock_name`."""
        self._resolver_control("local_zone", f"{host}.", how)

    def unblock_name(self, host):
        self._resolver_control("local_zone", f"{host}.", "static")

    def reset_connections(self, numbers, idle_s, times=0):
        """resets.py on these networks' servers; `times` rounds a second apart, 0 until stopped. Returns the process."""
        return self.start(self.servers, "/usr/bin/python3", str(HERE / "resets.py"), str(idle_s), str(times),
                          *(f"198.18.{n}." for n in numbers), *(f"2001:db8:{n}:" for n in numbers))

    def mark(self, fault, *hosts):
        """These hosts' servers misbehave so (hollow, hang, late, slow, paced), until `unmark`."""
        for host in hosts:
            (self.dir / f"{fault}-{host}").touch()

    def unmark(self, fault):
        for mark in self.dir.glob(f"{fault}-*"):
            mark.unlink()

    def reject_handshakes(self, numbers):
        """New connections to these networks meet a server that has no certificate for them; open ones are reset."""
        self.rules_from(numbers, "tcp sport 443 reject with tcp reset")
        self.at(self.servers, "nft", "add table inet bad; add chain inet bad in { type nat hook prerouting priority dstnat; }")
        for family, addresses in (("ip", ", ".join(f"198.18.{n}.0/24" for n in numbers)),
                                  ("ip6", ", ".join(f"2001:db8:{n}::/48" for n in numbers))):
            self.at(self.servers, "nft", f"add rule inet bad in {family} daddr {{ {addresses} }} tcp dport 443 "
                    f"redirect to :{servers.REJECTING_PORT}")
        threading.Timer(1.0, self.clear_rules).start()

    def accept_handshakes(self):
        self.at(self.servers, "nft", "delete table inet bad")

    def near_client(self, number, share_percent):
        """Loss between a client and the vantage, both ways; 0 ends it."""
        self.at(self.gateway, "nft", "add table bridge near; delete table bridge near; add table bridge near")
        if share_percent == 0:
            return
        lost = f"numgen random mod 100 < {share_percent} drop" if share_percent < 100 else "drop"
        for hook, match in (("prerouting", "iifname"), ("postrouting", "oifname")):
            self.at(self.gateway, "nft", f"add chain bridge near {hook} {{ type filter hook {hook} priority 0; }}; "
                    f"add rule bridge near {hook} {match} c{number} {lost}")

    def throttle(self, numbers, rate, queue_bytes):
        """What these networks send is queued to `rate` before it reaches the gateway, until `unthrottle`. Without offload
        only: a super-packet fits no short queue."""
        self.at(self.servers, "tc", "qdisc", "add", "dev", "eth0", "root", "handle", "1:", "htb", "default", "10")
        for minor, class_rate in (("10", "10gbit"), ("20", rate)):
            self.at(self.servers, "tc", "class", "add", "dev", "eth0", "parent", "1:", "classid", f"1:{minor}", "htb",
                    "rate", class_rate, "quantum", "1600")
        self.at(self.servers, "tc", "qdisc", "add", "dev", "eth0", "parent", "1:20", "bfifo", "limit", str(queue_bytes))
        self.at(self.servers, "nft", "add table inet slow; add chain inet slow out { type filter hook postrouting priority 0; }")
        for family, addresses in (("ip", ", ".join(f"198.18.{n}.0/24" for n in numbers)),
                                  ("ip6", ", ".join(f"2001:db8:{n}::/48" for n in numbers))):
            self.at(self.servers, "nft", f"add rule inet slow out {family} saddr {{ {addresses} }} meta priority set 1:20")

    def unthrottle(self):
        self.at(self.servers, "nft", "delete table inet slow")
        self.at(self.servers, "tc", "qdisc", "del", "dev", "eth0", "root")

    # ---- the vantage ----

    def capture(self, path):
        process = self.start(self.gateway, "tcpdump", "-Z", "root", "-i", "br0", "-s", "0", "-U", "-B", "16384", "-w", str(path))
        time.sleep(1)
        return process

    def live(self, weir, path):
        """weir on the same interface; its incidents go to `path`."""
        return self.start(self.gateway, weir, "live", "-i", "br0", "--json", "--records", "incident,capture", "--clients", "plain",
                          "--site", self.gateway, stdout=open(path, "w"), stderr=open(f"{path}.err", "w"))
