# Shared by contrib/run, contrib/test and contrib/fuzz: packages and builds. Sourced by bash, not run.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

build_packages=(gcc meson ninja-build pkg-config libpcap-dev libndpi-dev libhiredis-dev libuv1-dev libcyaml-dev libyaml-dev libjson-c-dev
    libsodium-dev libxxhash-dev nettle-dev zlib1g-dev libzstd-dev libseccomp-dev libcap-ng-dev libncurses-dev libmaxminddb-dev libmicrohttpd-dev
    libsqlite3-dev libcurl4-openssl-dev libssl-dev)
# What tests in network namespaces, of live capture and of confinement run.
network_packages=(iproute2 iputils-ping ethtool nftables nginx-light unbound openssl tcpdump procps python3-h2)

say() { printf '\n== %s\n' "$*"; }

# Installs what is missing of the named Debian packages; does nothing, quickly, when all are there.
need_packages() {
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "these Debian packages are missing, and only root can install them: ${missing[*]}" >&2; exit 1; }
        as_root=(sudo)
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null' sh "${missing[@]}"
}

# build DIR [meson options]: configures once, then builds what changed.
build() {
    local dir=$1 log
    shift
    log=$(mktemp)
    if [ ! -f "$dir/build.ninja" ]; then
        meson setup "$dir" "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
    fi
    ninja -C "$dir" >"$log" 2>&1 || { grep -v '^\[' "$log" | tail -n 60 >&2; exit 1; }
    rm -f "$log"
}
