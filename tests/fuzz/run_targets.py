"""Runs the fuzz targets of a build directory side by side, each with its seeds, and sums up what they did.

usage: run_targets.py [--seconds N | --runs N] [--jobs N] [--corpus DIR] [--junit FILE] BUILD_DIR [TARGET...]

Seeds are made from the project's captures (make_seeds.py); to them come the inputs of earlier findings, in
regressions/fuzz_<target>/, and what --corpus DIR has kept of runs before. `-entropic=0`: libFuzzer's default schedule
spends three quarters of its time on its own statistics once seeds are whole captures.
"""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

import make_seeds

HERE = pathlib.Path(__file__).resolve().parent
FINDINGS = HERE.parent.parent / "fuzz-findings"


def run_target(target, corpus, seeds, options):
    corpus.mkdir(parents=True, exist_ok=True)
    FINDINGS.mkdir(exist_ok=True)
    limit = f"-runs={options.runs}" if options.runs else f"-max_total_time={options.seconds}"
    command = [target, limit, "-rss_limit_mb=2048", "-timeout=20", "-entropic=0", "-print_funcs=0", "-max_len=4096", "-print_final_stats=1",
               f"-artifact_prefix={FINDINGS}/{target.name}-"]
    dictionaries = [path for path in (HERE / "dictionaries" / f"{target.name}.dict", seeds / f"{target.name}.dict") if path.is_file()]
    command += [f"-dict={path}" for path in dictionaries]
    command += [corpus, *(d for d in (seeds / target.name, HERE / "regressions" / target.name) if d.is_dir())]
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    executed = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    return target.name, done.returncode, int(executed.group(1)) if executed else 0, time.monotonic() - started, done.stderr


def run_all(targets, options, scratch):
    seeds = scratch / "seeds"
    make_seeds.make(seeds)
    suite, total, failures = ElementTree.Element("testsuite", name="fuzz"), 0, 0
    print(f"{'target':<20} {'executions':>12} {'seconds':>8}  result", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        corpus = pathlib.Path(options.corpus) if options.corpus else scratch / "corpus"
        for name, code, executed, elapsed, log in pool.map(lambda target: run_target(target, corpus / target.name, seeds, options), targets):
            total += executed
            case = ElementTree.SubElement(suite, "testcase", classname="fuzz", name=name)
            good = code == 0 and executed > 0
            print(f"{name:<20} {executed:>12} {elapsed:>8.0f}  {'clean' if good else 'FINDING'}", flush=True)
            if not good:
                failures += 1
                ElementTree.SubElement(case, "failure", message=f"exit {code}")
                print(log[-3000:])
    print(f"{total} executions, {failures} targets with findings")
    return suite, failures


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--corpus")
    parser.add_argument("--junit")
    parser.add_argument("build")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    targets = sorted(path for path in pathlib.Path(options.build).glob("fuzz_*") if path.is_file() and path.stat().st_mode & 0o100)
    targets = [path for path in targets if not options.names or path.name[5:] in options.names]
    if not targets:
        sys.exit(f"no such fuzz targets in {options.build}")
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="weir-fuzz-") as scratch:
        suite, failures = run_all(targets, options, pathlib.Path(scratch))
    if FINDINGS.is_dir() and not any(FINDINGS.iterdir()):
        FINDINGS.rmdir()
    if options.junit:
        ElementTree.ElementTree(suite).write(options.junit)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
