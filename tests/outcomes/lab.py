"""One case's own small internet: two clients - gateway (weir's vantage) - servers and a real resolver (unbound).

    t<n>-c1 t<n>-c2          t<n>-gw                         t<n>-net
    10.78.0.11, .12     ---  br0 10.78.0.1   --- up0 ---     every address of ADDRESSES, resolvers 198.18.1.53 and .54
    fd78::11, ::12           ^ captured here

Each case has namespaces of its own, so that several run at once. `Lab(...)` makes them, `close()` takes all down; nothing
outside is touched. Segmentation is left to the stack (no TSO, GSO, GRO): a long hello is several packets, as on a wire.
"""
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ACTORS = HERE / "actors.py"
sys.path.insert(0, str(HERE.parent / "lab"))
import cut  # noqa: E402  (the laboratory's own tool)

RESOLVER, SECOND = "198.18.1.53", "198.18.1.54"
CLIENTS = ["10.78.0.11", "10.78.0.12"]
NETFLIX = "ipv4-c001-fra001-ix.1.oca.nflxvideo.net"
NETFLIX_ALIAS, NETFLIX_TARGET = "www.netflix.com", "edge.cdn-target.example"
YOUTUBE = "rr1---sn-4g5e6nzz.googlevideo.com"
HULU = "vodmanifest.hulustream.com"
GONE = "ipv4-c002-fra001-ix.1.oca.nflxvideo.net"  # a name without names below it: it can cease to exist
FAST, BOTH = "fast.com", "both-c001-fra001-ix.1.oca.nflxvideo.net"
PLAIN, DOH, HINTED = "www.example.org", "dns.google", "api-global.netflix.com"

ADDRESSES = {NETFLIX: "198.18.10.2", NETFLIX_TARGET: "198.18.12.1", YOUTUBE: "198.18.20.2", HULU: "198.18.40.1",
             PLAIN: "198.18.90.1", DOH: "198.18.95.1", HINTED: "198.18.13.1", FAST: "198.18.96.1",
             BOTH: "198.18.10.30"}
SPARE = [f"198.18.10.{n}" for n in range(10, 20)]  # more of NETFLIX' network
BOTH_6 = "2001:db8:10::9"
NETFLIX_6 = [f"2001:db8:10::{n}" for n in range(2, 6)]

ZONE = f""". 60 IN SOA a.root.example. h.root.example. 1 3600 600 86400 60
. 60 IN NS a.root.example.
a.root.example. 60 IN A 198.18.1.1
{NETFLIX_ALIAS}. 60 IN CNAME www.dradis.netflix-alias.example.
www.dradis.netflix-alias.example. 60 IN CNAME {NETFLIX_TARGET}.
{HINTED}. 60 IN HTTPS 1 . alpn=h2 ipv4hint=198.18.13.9
broken.hulu.com. 60 IN NS ns.broken.hulu.com.
ns.broken.hulu.com. 60 IN A {SECOND}
""" + "".join(f"{host}. 60 IN A {address}\n" for host, address in ADDRESSES.items()) + \
    "".join(f"many.{NETFLIX}. 60 IN A 198.18.14.{n}\n" for n in range(1, 31)) + \
    f"{BOTH}. 60 IN AAAA {BOTH_6}\n{GONE}. 60 IN A {ADDRESSES[NETFLIX]}\n" + \
    "".join(f"spare{n}.{NETFLIX}. 60 IN A {address}\n" for n, address in enumerate(SPARE)) + \
    "".join(f"six{n}.{NETFLIX}. 60 IN AAAA {address}\n" for n, address in enumerate(NETFLIX_6))


def run(*command, check=True, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace", **options)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done


def make_certificate(directory):
    """One private authority-less certificate for all names; clients that trust it name it as their CA."""
    names = ",".join(f"DNS:{host}" for host in [*ADDRESSES, NETFLIX_ALIAS, f"spare0.{NETFLIX}"])
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=weir outcomes", "-addext", f"subjectAltName={names}",
        "-keyout", directory / "key.pem", "-out", directory / "cert.pem")


class Lab:
    def __init__(self, number, certificates):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="t-outcome-"))
        self.certificates, self.processes = certificates, []
        prefix = f"t{number}-"
        self.gw, self.net = prefix + "gw", prefix + "net"
        self.clients = [prefix + "c1", prefix + "c2"]
        try:
            self._wire()
            self.resolver = self._resolver(RESOLVER)
        except BaseException:
            self.close()
            raise

    def at(self, namespace, *command, check=True, **options):
        return run("ip", "netns", "exec", namespace, *command, check=check, **options)

    def start(self, namespace, *command, **options):
        command = ["ip", "netns", "exec", namespace, *map(str, command)]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        self.processes.append(subprocess.Popen(command, **options))
        return self.processes[-1]

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self):
        for process in reversed(self.processes):
            self.stop(process)
        for namespace in (self.gw, self.net, *self.clients):
            run("ip", "netns", "del", namespace, check=False)
            shutil.rmtree(f"/etc/netns/{namespace}", ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _sysctl(self, namespace, *settings):
        self.at(namespace, "sysctl", "-qw", *settings)

    def _wire(self):
        for namespace in (self.gw, self.net, *self.clients):
            run("ip", "netns", "add", namespace)
            self.at(namespace, "ip", "link", "set", "lo", "up")
            self._sysctl(namespace, "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
                         "net.ipv6.conf.default.router_solicitations=0")
        self.at(self.gw, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        for address in ("10.78.0.1/24", "fd78::1/64"):
            self.at(self.gw, "ip", "addr", "add", address, "dev", "br0")
        self.at(self.gw, "ip", "link", "set", "br0", "up")
        for number, client in enumerate(self.clients):
            run("ip", "link", "add", f"c{number}", "netns", self.gw, "type", "veth", "peer", "name", "eth0", "netns", client)
            self.at(self.gw, "ip", "link", "set", f"c{number}", "master", "br0", "up")
            self._end(client, f"10.78.0.{11 + number}/24", f"fd78::{11 + number}/64", "10.78.0.1", "fd78::1")
            self.resolvers(client, RESOLVER)
        run("ip", "link", "add", "up0", "netns", self.gw, "type", "veth", "peer", "name", "eth0", "netns", self.net)
        for address in ("198.18.0.1/30", "fd79::1/64"):
            self.at(self.gw, "ip", "addr", "add", address, "dev", "up0")
        self.at(self.gw, "ip", "link", "set", "up0", "up")
        self._end(self.net, "198.18.0.2/30", "fd79::2/64", "198.18.0.1", "fd79::1")
        self.at(self.gw, "ip", "route", "add", "198.18.0.0/15", "via", "198.18.0.2")
        self.at(self.gw, "ip", "route", "add", "2001:db8::/32", "via", "fd79::2")
        self._sysctl(self.gw, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.icmp_ratelimit=0",
                     "net.ipv6.icmp.ratelimit=0")
        self._sysctl(self.net, "net.ipv6.icmp.ratelimit=0", "net.ipv4.ip_nonlocal_bind=1", "net.ipv4.icmp_ratelimit=0")
        for block in ("198.18.1.0/24", "198.18.8.0/21", "198.18.20.0/24", "198.18.40.0/24", "198.18.90.0/24", "198.18.95.0/24",
                      "198.18.96.0/24"):
            self.at(self.net, "ip", "route", "add", "local", block, "dev", "lo")
        self.at(self.net, "ip", "-6", "route", "add", "local", "2001:db8:10::/64", "dev", "lo")
        self.at(self.gw, "nft", "add table inet t; add chain inet t forward { type filter hook forward priority 0; }")

    def _end(self, namespace, four, six, via_four, via_six):
        self.at(namespace, "ip", "addr", "add", four, "dev", "eth0")
        self.at(namespace, "ip", "addr", "add", six, "dev", "eth0")
        self.at(namespace, "ip", "link", "set", "eth0", "up")
        self.at(namespace, "ip", "route", "add", "default", "via", via_four)
        self.at(namespace, "ip", "-6", "route", "add", "default", "via", via_six)
        self.at(namespace, "ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off")

    def resolvers(self, client, *addresses, options=""):
        directory = pathlib.Path(f"/etc/netns/{client}")
        directory.mkdir(parents=True, exist_ok=True)
        lines = [f"nameserver {address}" for address in addresses] + ([f"options {options}"] if options else [])
        (directory / "resolv.conf").write_text("\n".join(lines) + "\n")

    def _resolver(self, address, zone=ZONE):
        (self.dir / "zone").write_text(zone)
        config = self.dir / f"unbound-{address}.conf"
        config.write_text(f"""server:
  interface: {address}
  interface: {address}@853
  tls-port: 853
  tls-service-key: "{self.certificates}/key.pem"
  tls-service-pem: "{self.certificates}/cert.pem"
  access-control: 0.0.0.0/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{self.dir}"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  do-ip6: no
  num-threads: 1
  minimal-responses: yes
  local-zone: "{'broken' if address == SECOND else 'refused'}.hulu.com." always_refuse
  local-zone: "org." transparent
auth-zone:
  name: "."
  zonefile: "{self.dir}/zone"
  for-downstream: no
  for-upstream: yes
""")
        process = self.start(self.net, "unbound", "-d", "-c", config)
        for _ in range(100):
            if "status: NOERROR" in self.at(self.net, "dig", f"@{address}", "+tries=1", "+time=1", PLAIN, check=False).stdout:
                return process
            time.sleep(0.1)
        raise RuntimeError("unbound does not answer")

    def second_resolver(self):
        self._resolver(SECOND)

    def forget_name(self, host):
        """The resolver's zone without `host`, its cache empty."""
        self.stop(self.resolver)
        self.resolver = self._resolver(RESOLVER, "".join(line + "\n" for line in ZONE.splitlines() if not line.startswith(host)))

    # ---- servers ----

    def nginx(self, *lines, http2=False):
        config = self.dir / "nginx.conf"
        (self.dir / "www").mkdir()
        (self.dir / "www" / "index.html").write_bytes(bytes(range(256)) * 80)
        self.dir.chmod(0o755)
        config.write_text(f"""daemon off; pid {self.dir}/nginx.pid; error_log {self.dir}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{ access_log off; large_client_header_buffers 4 32k;
  server {{ listen 443 ssl{' http2' if http2 else ''}; ssl_certificate {self.certificates}/cert.pem;
    ssl_certificate_key {self.certificates}/key.pem; ssl_protocols TLSv1.2 TLSv1.3; root {self.dir}/www; {' '.join(lines)} }} }}
""")
        process = self.start(self.net, "nginx", "-p", self.dir, "-c", config)
        self.wait_for("-tln", 443)
        return process

    def caddy(self, host):
        config = self.dir / "Caddyfile"
        config.write_text(f"""{{
  auto_https off
  admin off
  storage file_system {self.dir}/caddy
}}
https://{host} {{
  bind {ADDRESSES[host]}
  tls {self.certificates}/cert.pem {self.certificates}/key.pem
  header Content-Type text/html
  respond "{'x' * 9000}"
}}
""")
        self.start(self.net, "caddy", "run", "--config", config, "--adapter", "caddyfile")
        self.wait_for("-uln", 443)

    def openssl_server(self, *arguments):
        self.start(self.net, "openssl", "s_server", "-accept", "443", "-cert", f"{self.certificates}/cert.pem",
                   "-key", f"{self.certificates}/key.pem", "-www", "-quiet", *arguments)
        self.wait_for("-tln", 443)

    def gtls_server(self, *arguments):
        """ngtcp2's HTTP/3 server at NETFLIX; it answers /N with N bytes."""
        self.start(self.net, "gtlsserver", ADDRESSES[NETFLIX], "443", f"{self.certificates}/key.pem", f"{self.certificates}/cert.pem",
                   "-q", "-d", self.dir, *arguments)
        self.wait_for("-uln", 443)

    def server(self, behaviour, *arguments):
        """One of actors.py's, at port 443 of every address."""
        self.start(self.net, "/usr/bin/python3", ACTORS, "serve-" + behaviour, self.certificates, *arguments)
        self.wait_for("-uln" if behaviour.startswith("quic") else "-tln", 443)

    def wait_for(self, how, port):
        for _ in range(150):
            if f":{port} " in self.at(self.net, "ss", how).stdout:
                return
            time.sleep(0.1)
        raise RuntimeError(f"nothing listens at port {port}")

    # ---- what clients do ----

    def client(self, actor, *arguments, who=0, wait=True):
        command = ["/usr/bin/python3", ACTORS, actor, self.certificates, *arguments]
        if not wait:
            return self.start(self.clients[who], *command)
        return self.at(self.clients[who], *command, timeout=60)

    def curl(self, host, *arguments, who=0, trust=True):
        trusted = ["--cacert", f"{self.certificates}/cert.pem"] if trust else []
        return self.at(self.clients[who], "curl", "-sS", "-o", "/dev/null", "-m", "15", "-4", *trusted, *arguments,
                       f"https://{host}/", check=False)

    def dig(self, host, *arguments, who=0, resolver=RESOLVER):
        return self.at(self.clients[who], "dig", f"@{resolver}", *(arguments or ("A",)), host, check=False).stdout

    # ---- the gateway ----

    def rule(self, text):
        self.at(self.gw, "nft", f"add rule inet t forward {text}")

    def clear_rules(self):
        self.at(self.gw, "nft", "flush chain inet t forward")

    def new_slot(self):
        time.sleep(10.1 - time.time() % 10)

    def next_slot(self, left=9):
        """Sleeps until at least `left` seconds of the present 10 s slot are to come, never less than into a new slot's start."""
        while 10 - time.time() % 10 < left:
            time.sleep(0.05)

    def capture(self, path):
        """Runs until the returned function is called, which also cuts the file to its headers and hellos."""
        whole = self.dir / "whole.pcap"
        process = self.start(self.gw, "tcpdump", "-Z", "root", "-i", "br0", "-s", "0", "-B", "65536", "--immediate-mode", "-w", whole,
                             "not icmp6 or icmp6[0] < 128", stderr=subprocess.PIPE, text=True)
        while not whole.exists():
            time.sleep(0.05)
        time.sleep(0.5)

        def finish():
            self.dig(PLAIN, "+tries=1", "+time=1", "A")  # time goes on only with packets
            time.sleep(0.5)
            self.stop(process)
            if "\n0 packets dropped by kernel" not in (said := process.stderr.read()):
                raise RuntimeError(said)
            cut.cut(whole, path)
        return finish
