"""Who can be watched: real host names on addresses of our own, in both families; and the servers that stand behind them.

Host -> (network, number): 198.18.<network>.<number> and 2001:db8:<network>::<number>. Netflix and YouTube stand on two
networks each, as CDNs do; the media of HBO Max and Hulu share one. Players of three services tell a host of theirs how it
goes. YouTube's are served by caddy where HTTP/3 is wanted, all others by nginx. A server misbehaves while a mark, a file
`<fault>-<host>`, lies in the laboratory's directory.
"""
import os

RESOLVER = "198.18.1.53"
HOSTS = {
    "api-global.netflix.com": (10, 1),
    "ipv4-c001-fra001-ix.1.oca.nflxvideo.net": (10, 2),
    "ipv4-c002-fra001-ix.1.oca.nflxvideo.net": (11, 2),
    "logs.netflix.com": (12, 1),
    "www.youtube.com": (20, 1),
    "s.youtube.com": (20, 9),
    "rr1---sn-4g5e6nzz.googlevideo.com": (20, 2),
    "rr2---sn-4g5e6nzz.googlevideo.com": (21, 2),
    "www.disneyplus.com": (31, 1),
    "vod-akc-eu.media.dssott.com": (32, 2),
    "events.disneyplus.com": (31, 9),
    "play.max.com": (40, 1),
    "akm.eu.prd.media.max.com": (30, 7),
    "www.hulu.com": (50, 1),
    "http-v-darwin.hulustream.com": (30, 9),
    "example.org": (90, 1),
}
# service -> control host, media hosts
WATCHED = {
    "netflix": ("api-global.netflix.com", ("ipv4-c001-fra001-ix.1.oca.nflxvideo.net", "ipv4-c002-fra001-ix.1.oca.nflxvideo.net")),
    "youtube": ("www.youtube.com", ("rr1---sn-4g5e6nzz.googlevideo.com", "rr2---sn-4g5e6nzz.googlevideo.com")),
    "disneyplus": ("www.disneyplus.com", ("vod-akc-eu.media.dssott.com",)),
    "max": ("play.max.com", ("akm.eu.prd.media.max.com",)),
    "hulu": ("www.hulu.com", ("http-v-darwin.hulustream.com",)),
    "other": ("example.org", ("example.org",)),
}
BEACONS = {"netflix": "logs.netflix.com", "youtube": "s.youtube.com", "disneyplus": "events.disneyplus.com"}
QUIC_HOSTS = (WATCHED["youtube"][0], *WATCHED["youtube"][1])
DOMAINS = sorted({".".join(host.split(".")[-2:]) for host in HOSTS})
BACKEND_PORT, REJECTING_PORT = 8099, 4431  # backend.py: never, held, late, poll
PACES = {"paced": (8090, "120k"), "slow": (8091, "12k")}  # mark -> port and rate a connection


def address(host, family):
    network, number = HOSTS[host]
    return f"198.18.{network}.{number}" if family == 4 else f"2001:db8:{network}::{number}"


def networks(service):
    """The numbers of a service's networks; those of its media come first."""
    control, media = WATCHED[service]
    beacon = [BEACONS[service]] if service in BEACONS else []
    return list(dict.fromkeys(HOSTS[host][0] for host in (*media, control, *beacon)))


def domains(service):
    control, media = WATCHED[service]
    return sorted({".".join(host.split(".")[-2:]) for host in (control, *media)})


def zone_data(host, families):
    return [f"{host}. 60 IN {'A' if family == 4 else 'AAAA'} {address(host, family)}" for family in families]


def unbound_conf(directory, families):
    # A zone of its own for each name that may be blocked: unbound forgets the zone above one that is added later.
    static = "\n".join(f'  local-zone: "{zone}" static' for zone in (*DOMAINS, *BEACONS.values()))
    data = "\n".join(f'  local-data: "{line}"' for host in HOSTS for line in zone_data(host, families))
    return f"""server:
  interface: {RESOLVER}
  access-control: 0.0.0.0/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: "{directory}/unbound.pid"
  use-syslog: no
  module-config: "iterator"
  local-zone: "." static
{static}
{data}
remote-control:
  control-enable: yes
  control-interface: {directory}/unbound.ctl
  control-use-cert: no
# Nobody answers there: a domain that is taken away from the local zones fails at once.
forward-zone:
  name: "."
  forward-addr: 127.0.0.1
"""


def listens(hosts, families, indent="    "):
    shown = {4: "{}", 6: "[{}]"}
    return "\n".join(f"{indent}listen {shown[family].format(address(host, family))}:443 ssl http2;"
                     for host in hosts for family in families)


def nginx_conf(directory, families, quic, keepalive):
    """keepalive: how long an idle connection stands, and how many requests one serves."""
    hosts = [host for host in HOSTS if not (quic and host in QUIC_HOSTS)]
    paces = "\n".join(f"    if (-f {directory}/{mark}-$host) {{ set $pace {rate}; }}" for mark, (_, rate) in PACES.items())
    paced = "\n".join(f"  server {{ listen 127.0.0.1:{port}; root {directory}/www; limit_rate {rate}; }}" for port, rate in PACES.values())
    return f"""daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  keepalive_timeout {keepalive[0]};
  keepalive_requests {keepalive[1]};
  types {{ video/mp4 m4s mp4; application/dash+xml mpd; application/vnd.apple.mpegurl m3u8; text/html html; text/javascript js; }}
  ssl_certificate {directory}/cert.pem;
  ssl_certificate_key {directory}/key.pem;
  server {{
{listens(hosts, families)}
    ssl_protocols TLSv1.2 TLSv1.3;
    root {directory}/www;
    add_header Access-Control-Allow-Origin * always;
    set $pace 0;
{paces}
    limit_rate $pace;
    location /vod/ {{
      if (-f {directory}/hollow-$host) {{ return 503 "{"busy " * 100}"; }}
      if (-f {directory}/hang-$host) {{ rewrite ^ /hang last; }}
      if (-f {directory}/late-$host) {{ rewrite ^ /late last; }}
    }}
    location /lib/ {{ }}
    location = /hang {{ internal; proxy_read_timeout 300s; proxy_pass http://127.0.0.1:{BACKEND_PORT}; }}
    location /held {{ proxy_pass http://127.0.0.1:{BACKEND_PORT + 1}; }}
    location = /late {{ internal; proxy_pass http://127.0.0.1:{BACKEND_PORT + 2}; }}
    location /poll {{ proxy_pass http://127.0.0.1:{BACKEND_PORT + 3}; }}
    location /watch {{ try_files /watch.html =404; }}
    location / {{ try_files /api =404; }}
  }}
{paced}
  # A server without a certificate for anyone: a fatal alert.
  server {{ listen {REJECTING_PORT} ssl; listen [::]:{REJECTING_PORT} ssl; ssl_reject_handshake on; }}
}}
"""


def caddy_conf(directory, families):
    sites = ", ".join(f"https://{host}" for host in QUIC_HOSTS)
    marked = "\n".join(f"    @{mark} file {{\n      root {directory}\n      try_files {mark}-{{host}}\n    }}\n    {action}" for mark, action in (
        ("hollow", 'respond @hollow "' + "busy " * 100 + '" 503'),
        ("hang", f"reverse_proxy @hang 127.0.0.1:{BACKEND_PORT}"), ("late", f"reverse_proxy @late 127.0.0.1:{BACKEND_PORT + 2}"),
        *((mark, f"reverse_proxy @{mark} 127.0.0.1:{port} {{\n      flush_interval -1\n    }}") for mark, (port, _) in reversed(PACES.items()))))
    bind = " ".join(address(host, family) for host in QUIC_HOSTS for family in families)
    return f"""{{
  admin off
  auto_https off
  default_sni {QUIC_HOSTS[0]}
  storage file_system {directory}/caddy
  servers {{
    protocols h1 h2 h3
  }}
}}
{sites} {{
  bind {bind}
  tls {directory}/cert.pem {directory}/key.pem
  header Access-Control-Allow-Origin *
  root * {directory}/www
  handle /vod/* {{
{marked}
    file_server
  }}
  handle /lib/* {{
    file_server
  }}
  handle /watch* {{
    rewrite * /watch.html
    file_server
  }}
  handle {{
    rewrite * /api
    file_server
  }}
}}
"""


def make_plain_content(directory):
    """Segments of noise, where none were encoded: what a player without a decoder needs."""
    os.makedirs(directory)
    for stream, size in ((0, 600_000), (1, 150_000), (2, 125_000)):
        for number in (1, 2):
            with open(f"{directory}/chunk-stream{stream}-{number:05d}.m4s", "wb") as out:
                out.write(os.urandom(size))
