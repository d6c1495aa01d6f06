"""A small internet in network namespaces: clients - gateway (weir's vantage) - servers and a resolver.

    w-c1 w-c2 w-c3        w-gw                      w-net
    10.77.0.11...  ---  br0 10.77.0.1  --- up0 ---  services on 198.18.0.0/15, resolver 198.18.1.53
                        ^ captures are taken here, before any address translation

Real host names on addresses of our own: a private CA signs for all of them, nginx serves, unbound answers. Everything is
made by `Network(...)` and taken down again by `close()`; nothing outside the namespaces is touched.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

RESOLVER = "198.18.1.53"

# host -> address. Two services stand on two prefixes each, as CDNs do.
HOSTS = {
    "api-global.netflix.com": "198.18.10.1",
    "ipv4-c001-fra001-ix.1.oca.nflxvideo.net": "198.18.10.2",
    "ipv4-c002-fra001-ix.1.oca.nflxvideo.net": "198.18.11.2",
    "www.youtube.com": "198.18.20.1",
    "rr1---sn-4g5e6nzz.googlevideo.com": "198.18.20.2",
    "www.disneyplus.com": "198.18.30.1",
    "vod-akc-eu.media.dssott.com": "198.18.30.2",
    "example.org": "198.18.90.1",
}
# What players watch: control host, media hosts.
SERVICES = [
    ("api-global.netflix.com", "ipv4-c001-fra001-ix.1.oca.nflxvideo.net,ipv4-c002-fra001-ix.1.oca.nflxvideo.net"),
    ("www.youtube.com", "rr1---sn-4g5e6nzz.googlevideo.com"),
    ("www.disneyplus.com", "vod-akc-eu.media.dssott.com"),
    ("example.org", "example.org"),
]
DOMAINS = sorted({".".join(host.split(".")[-2:]) for host in HOSTS})


def run(*command, check=True, **options):
    return subprocess.run(command, check=check, capture_output=True, text=True, **options)


def in_ns(namespace, *command):
    return ["ip", "netns", "exec", namespace, *command]


class Network:
    def __init__(self, n_clients=3, offload=True, prefix="w"):
        """Networks of different prefixes stand side by side."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-lab-"))
        self.gateway, self.servers = f"{prefix}-gw", f"{prefix}-net"
        self.clients = [f"{prefix}-c{i + 1}" for i in range(n_clients)]
        self.namespaces = [self.gateway, self.servers, *self.clients]
        self.processes = []
        try:
            self._wire(offload)
            self._certificates()
            self._resolver()
            self._web()
        except BaseException:
            self.close()
            raise

    def start(self, namespace, *command, **options):
        process = subprocess.Popen(in_ns(namespace, *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        self.processes.append(process)
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
        for namespace in self.namespaces:
            run("ip", "netns", "del", namespace, check=False)
            shutil.rmtree(f"/etc/netns/{namespace}", ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _wire(self, offload):
        for namespace in self.namespaces:
            run("ip", "netns", "add", namespace)
            run(*in_ns(namespace, "ip", "link", "set", "lo", "up"))
        run(*in_ns(self.gateway, "ip", "link", "add", "br0", "type", "bridge"))
        run(*in_ns(self.gateway, "ip", "addr", "add", "10.77.0.1/24", "dev", "br0"))
        run(*in_ns(self.gateway, "ip", "link", "set", "br0", "up"))
        for i, client in enumerate(self.clients):
            run("ip", "link", "add", f"c{i}", "netns", self.gateway, "type", "veth", "peer", "name", "eth0", "netns", client)
            run(*in_ns(self.gateway, "ip", "link", "set", f"c{i}", "master", "br0", "up"))
            run(*in_ns(client, "ip", "addr", "add", f"10.77.0.{11 + i}/24", "dev", "eth0"))
            run(*in_ns(client, "ip", "link", "set", "eth0", "up"))
            run(*in_ns(client, "ip", "route", "add", "default", "via", "10.77.0.1"))
            os.makedirs(f"/etc/netns/{client}", exist_ok=True)
            pathlib.Path(f"/etc/netns/{client}/resolv.conf").write_text(f"nameserver {RESOLVER}\n")
            if not offload:
                run(*in_ns(client, "ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off"))
        run("ip", "link", "add", "up0", "netns", self.gateway, "type", "veth", "peer", "name", "eth0", "netns", self.servers)
        run(*in_ns(self.gateway, "ip", "addr", "add", "198.18.0.1/30", "dev", "up0"))
        run(*in_ns(self.gateway, "ip", "link", "set", "up0", "up"))
        run(*in_ns(self.gateway, "ip", "route", "add", "198.18.0.0/15", "via", "198.18.0.2"))
        run(*in_ns(self.gateway, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        run(*in_ns(self.servers, "ip", "addr", "add", "198.18.0.2/30", "dev", "eth0"))
        run(*in_ns(self.servers, "ip", "link", "set", "eth0", "up"))
        run(*in_ns(self.servers, "ip", "route", "add", "10.77.0.0/24", "via", "198.18.0.1"))
        if not offload:
            run(*in_ns(self.servers, "ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off"))
        for address in {RESOLVER, *HOSTS.values()}:
            run(*in_ns(self.servers, "ip", "addr", "add", f"{address}/32", "dev", "lo"))
        run(*in_ns(self.gateway, "nft", "add table inet weir; add chain inet weir forward { type filter hook forward priority 0; }"))

    def _certificates(self):
        names = ",".join(f"DNS:{host}" for host in HOSTS)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=weir laboratory", "-addext", f"subjectAltName={names}",
            "-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem")

    def _resolver(self):
        zones = "\n".join(f'  local-data: "{host}. 60 IN A {address}"' for host, address in HOSTS.items())
        static = "\n".join(f'  local-zone: "{domain}" static' for domain in DOMAINS)
        (self.dir / "unbound.conf").write_text(f"""server:
  interface: {RESOLVER}
  access-control: 0.0.0.0/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: "{self.dir}/unbound.pid"
  use-syslog: no
  module-config: "iterator"
{static}
{zones}
remote-control:
  control-enable: yes
  control-interface: {self.dir}/unbound.ctl
  control-use-cert: no
# Nobody answers there: a domain that is taken away from the local zones fails at once.
forward-zone:
  name: "."
  forward-addr: 127.0.0.1
""")
        self.resolver = self.start(self.servers, "unbound", "-d", "-c", str(self.dir / "unbound.conf"))

    def _web(self):
        (self.dir / "www").mkdir()
        (self.dir / "www" / "api").write_bytes(b"{}" * 1500)
        with open(self.dir / "www" / "segment", "wb") as out:
            out.write(os.urandom(150_000))
        listens = "\n".join(f"    listen {address}:443 ssl http2;" for address in sorted(set(HOSTS.values())))
        (self.dir / "nginx.conf").write_text(f"""daemon off;
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_timeout 75s;
  server {{
{listens}
    ssl_certificate {self.dir}/cert.pem;
    ssl_certificate_key {self.dir}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    root {self.dir}/www;
    location /segment {{
      if (-f {self.dir}/hollow-$host) {{ return 503 "{"busy " * 100}"; }}
      try_files /segment =404;
    }}
    location / {{ try_files /api =404; }}
  }}
}}
""")
        os.chmod(self.dir, 0o755)
        self.web = self.start(self.servers, "nginx", "-p", str(self.dir), "-c", str(self.dir / "nginx.conf"))
        time.sleep(1)
        if self.web.poll() is not None:
            raise RuntimeError((self.dir / "error.log").read_text())

    # ---- impairments, at the gateway, behind the vantage ----

    def rule(self, text):
        run(*in_ns(self.gateway, "nft", f"add rule inet weir forward {text}"))

    def resolver_control(self, *command):
        run(*in_ns(self.servers, "unbound-control", "-c", str(self.dir / "unbound.conf"), *command))

    def fail_names(self, *domains):
        """SERVFAIL for these domains, until `heal_names`."""
        for domain in domains:
            self.resolver_control("local_zone_remove", domain)

    def heal_names(self, *domains):
        for domain in domains:
            self.resolver_control("local_zone", domain, "static")
        for host, address in HOSTS.items():
            if host.endswith(domains):
                self.resolver_control("local_data", f"{host}. 60 IN A {address}")

    def hollow(self, *hosts):
        """These hosts answer a request for media with a short error, until `fill`."""
        for host in hosts:
            (self.dir / f"hollow-{host}").touch()

    def fill(self):
        for mark in self.dir.glob("hollow-*"):
            mark.unlink()

    def near_client(self, number, share_percent):
        """Loss between a client and the vantage, both ways; 0 ends it."""
        run(*in_ns(self.gateway, "nft", "add table bridge near; delete table bridge near; add table bridge near"))
        if share_percent == 0:
            return
        lost = f"numgen random mod 100 < {share_percent} drop" if share_percent < 100 else "drop"
        for hook, match in (("prerouting", "iifname"), ("postrouting", "oifname")):
            run(*in_ns(self.gateway, "nft", f"add chain bridge near {hook} {{ type filter hook {hook} priority 0; }}; "
                       f"add rule bridge near {hook} {match} c{number} {lost}"))

    def throttle(self, addresses, rate):
        """What these addresses send is queued to `rate` before it reaches the gateway, until `unthrottle`."""
        run(*in_ns(self.servers, "tc", "qdisc", "add", "dev", "eth0", "root", "handle", "1:", "htb", "default", "10"))
        for minor, class_rate in (("10", "10gbit"), ("20", rate)):
            run(*in_ns(self.servers, "tc", "class", "add", "dev", "eth0", "parent", "1:", "classid", f"1:{minor}", "htb",
                       "rate", class_rate, "quantum", "1600"))
        run(*in_ns(self.servers, "tc", "qdisc", "add", "dev", "eth0", "parent", "1:20", "pfifo", "limit", "60"))
        run(*in_ns(self.servers, "nft", "add table inet slow; "
                   "add chain inet slow out { type filter hook postrouting priority 0; }; "
                   f"add rule inet slow out ip saddr {addresses} meta priority set 1:20"))

    def unthrottle(self):
        run(*in_ns(self.servers, "nft", "delete table inet slow"))
        run(*in_ns(self.servers, "tc", "qdisc", "del", "dev", "eth0", "root"))

    def clear_rules(self):
        run(*in_ns(self.gateway, "nft", "flush chain inet weir forward"))

    def capture(self, path):
        process = self.start(self.gateway, "tcpdump", "-Z", "root", "-i", "br0", "-s", "0", "-U", "-B", "16384", "-w", str(path))
        time.sleep(1)
        return process
