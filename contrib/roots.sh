# Shared by contrib/portability and contrib/package: small Debian systems below a directory, made once by mmdebstrap and used again.
# Sourced by bash. Root only.

roots=${WEIR_ROOTS:-/var/tmp/weir-roots}

# root_make NAME SUITE [--foreign=A] [package...]: the system, with these packages. Quick where it is there with all of them. With A its
# packages can be of that architecture as well (package:A).
root_make() {
    local name=$1 suite=$2 root=$roots/$1 foreign= wanted
    shift 2
    if [[ ${1:-} = --foreign=* ]]; then foreign=${1#*=}; shift; fi
    wanted="$suite $foreign $*"
    [ "$(cat "$root.made" 2>/dev/null)" != "$wanted" ] || return 0
    mkdir -p "$roots"
    # The lists of sid are valid for a week only, and a machine's clock may be off: these systems build, and serve nobody.
    local options=(-oAcquire::Check-Valid-Until=false -oDPkg::Options::=--force-unsafe-io)
    if [ ! -e "$root/etc/debian_version" ]; then
        rm -rf "$root"
        mmdebstrap --quiet --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt=force-unsafe-io \
            "$suite" "$root" http://deb.debian.org/debian || return 1
    fi
    if [ -n "$foreign" ]; then in_root "$name" dpkg --add-architecture "$foreign" || return 1; fi
    in_root "$name" apt-get "${options[@]}" update -qq || return 1
    if [ $# -gt 0 ]; then
        in_root "$name" apt-get "${options[@]}" install -y -qq --no-install-recommends "$@" || return 1
    fi
    in_root "$name" apt-get clean
    echo "$wanted" >"$root.made"
}

# in_root NAME COMMAND...: runs it there, with this source at /weir (read-only), /proc and the directory of builds at /build.
in_root() {
    local root=$roots/$1
    shift
    mkdir -p "$root/weir" "$root/build" "$root/proc"
    unshare --mount bash -c 'mount --bind -o ro "$1" "$2/weir" && mount -t proc proc "$2/proc" && root=$2 && shift 2 &&
        exec chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' bash "$top" "$root" "$@"
}
