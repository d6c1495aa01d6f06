"""Runs the fuzz targets of a build directory side by side, each with its seeds, and sums up what they did.

usage: run_targets.py BUILD_DIR JOBS SECONDS RUNS JUNIT    (RUNS 0: by time; JUNIT "": none)
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
FINDINGS = HERE.parent.parent / "fuzz-findings"


def run_target(target, seconds, runs):
    seeds = HERE / "corpus" / target.name
    with tempfile.TemporaryDirectory(dir="/dev/shm") as corpus:
        FINDINGS.mkdir(exist_ok=True)
        limit = f"-runs={runs}" if runs else f"-max_total_time={seconds}"
        command = [target, limit, "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1",
                   f"-artifact_prefix={FINDINGS}/{target.name}-", corpus]
        if seeds.is_dir():
            command.append(seeds)
        started = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    executed = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    return target.name, done.returncode, int(executed.group(1)) if executed else 0, time.monotonic() - started, done.stderr


def main():
    build, jobs, seconds, runs, junit = sys.argv[1:6]
    targets = sorted(path for path in pathlib.Path(build).glob("fuzz_*") if path.is_file() and path.stat().st_mode & 0o100)
    if not targets:
        sys.exit(f"no fuzz targets in {build}")
    suite = ElementTree.Element("testsuite", name="fuzz")
    total, failures = 0, 0
    print(f"{'target':<20} {'executions':>12} {'seconds':>8}  result")
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        for name, code, executed, elapsed, log in pool.map(lambda target: run_target(target, int(seconds), int(runs)), targets):
            total += executed
            case = ElementTree.SubElement(suite, "testcase", classname="fuzz", name=name)
            good = code == 0 and executed > 0
            print(f"{name:<20} {executed:>12} {elapsed:>8.0f}  {'clean' if good else 'FINDING'}")
            if not good:
                failures += 1
                ElementTree.SubElement(case, "failure", message=f"exit {code}")
                print(log[-3000:])
    print(f"{total} executions, {failures} targets with findings")
    if FINDINGS.is_dir() and not any(FINDINGS.iterdir()):
        FINDINGS.rmdir()
    if junit:
        ElementTree.ElementTree(suite).write(junit)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
