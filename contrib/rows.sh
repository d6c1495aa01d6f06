# Shared by contrib/switches and contrib/portability: rows of a table, one a way to build, and what is done for each. Sourced by bash.
# WEIR_JOBS and WEIR_NICE say how hard a build works. A step that fails names its log; the table comes at the end, and the exit code is 1 where any step failed.

declare -A cells
row_name=
rows_failed=0

# row_step COLUMN LOG COMMAND...: runs it and notes how it went; a text that it leaves in $note stands in the cell as well.
row_step() {
    local column=$1 log=$2 begun=$SECONDS
    shift 2
    note=
    if "$@" >"$log" 2>&1; then
        cells[$row_name,$column]="ok${note:+ $note}"
    else
        cells[$row_name,$column]="FAILED${note:+ $note}"
        rows_failed=1
        printf '%s: %s failed: %s\n' "$row_name" "$column" "$log" >&2
        tail -n 12 "$log" | sed 's/^/    /' >&2
    fi
    printf '%-18s %-6s %s (%d s)\n' "$row_name" "$column" "${cells[$row_name,$column]}" $((SECONDS - begun)) >&2
    [[ ${cells[$row_name,$column]} = ok* ]]
}

# row_skip COLUMN WHY
row_skip() { cells[$row_name,$1]="- ($2)"; }

# build_at DIR CC [meson options]: configures where that is not done, and builds the program and the unit tests; what else the tests have
# (simulator, load, worlds) is left out.
build_at() {
    local dir=$1 compiler=$2 programs
    shift 2
    [ -f "$dir/build.ninja" ] || CC=$compiler meson setup "$dir" "$@" || return 1
    ninja -C "$dir" build.ninja || return 1 # an older one names the tests of its time
    mapfile -t programs < <(ninja -C "$dir" -t targets all | sed -n 's/^\(tests\/unit\/.*\/test_[^:]*\): c_LINKER.*/\1/p')
    nice -n "${WEIR_NICE:-15}" ninja -C "$dir" -j"${WEIR_JOBS:-2}" src/weir "${programs[@]}"
}

# unit_tests DIR [NAME...]: without names all but the one that counts false alarms for minutes.
unit_tests() {
    local dir=$1 summary names=()
    shift
    names=("$@")
    if [ ${#names[@]} = 0 ]; then
        mapfile -t names < <(meson test -C "$dir" --no-rebuild --list 2>/dev/null | sed 's/.* \/ //' | grep -vx detect-healthy)
    fi
    nice -n "${WEIR_NICE:-15}" meson test -C "$dir" --no-rebuild --print-errorlogs -t 10 "${names[@]}" 2>&1 | tee "$dir/unit.txt"
    local code=${PIPESTATUS[0]}
    summary=$(sed -n 's/^Ok: *\([0-9]*\).*/\1/p' "$dir/unit.txt")
    note="${summary:-0}/${#names[@]}"
    return "$code"
}

# main_job WEIR: what contrib/run shows.
main_job() {
    local out
    out=$("$@" replay pcaps/outage.pcap) && grep -q 'netflix is down since' <<<"$out"
}

# main_job_without_seccomp DIR WRAPPER: of a build that was configured otherwise; the wrapper runs its programs.
main_job_without_seccomp() {
    meson configure "$1" -Dseccomp=disabled && nice -n "${WEIR_NICE:-15}" ninja -C "$1" -j"${WEIR_JOBS:-2}" src/weir && main_job "$2" "$1/src/weir"
    local code=$?
    meson configure "$1" -Dseccomp=auto
    return $code
}

# main_job_and_tls WEIR: and TLS to a real Redis. Needs pytest, redis-server and openssl.
main_job_and_tls() {
    note=
    main_job "$1" && WEIR=$1 WEIR_REDIS_TLS=required PYTHONDONTWRITEBYTECODE=1 \
        python3 -m pytest -q -p no:cacheprovider tests/replay/test_redis_tls.py && note='with TLS to Redis'
}

# run_rows NAME...: run_row for each, then the table.
run_rows() {
    for row_name in "$@"; do run_row "$row_name" || true; done
    printf '\n%-18s %-22s %-16s %s\n' row build 'unit tests' 'main job'
    for row_name in "$@"; do
        printf '%-18s %-22s %-16s %s\n' "$row_name" "${cells[$row_name,build]:--}" "${cells[$row_name,unit]:--}" "${cells[$row_name,job]:--}"
    done
    exit $rows_failed
}
