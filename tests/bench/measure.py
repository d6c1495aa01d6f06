"""Generates the captures, runs every tool on each of them in turn, and prints what each cost.

Started by `run`, which builds first. Tools are interleaved, a round of all after a round of all, so that whatever else
the machine does meets all of them alike; what counts is the median over the rounds, as a ratio to the floor's.
"""
import argparse
import importlib.machinery
import importlib.util
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = TOP / "build/tests/bench"
WEIR = TOP / "build/src/weir"
SEED = "1"
GENERATED = {"mix": (7_000_000, 1_000_000), "bulk": (2_000_000, 500_000), "churn": (1_000_000, 300_000)}  # full, quick
WOVEN = "woven-"  # the same kinds, from flows of real captures (weave.c): these come first, since nobody designed them
PACKETS = {**{WOVEN + kind: packets for kind, packets in GENERATED.items()}, **GENERATED}
SHARED = TOP / ".." / "shared" / "pcaps"  # public captures, where they are; else the project's own
MIB = 1024  # KiB

FLOOR, ONE, TWO, NDPI = "floor", "weir", "weir, 2 workers", "ndpiReader"


def tools(peers, scratch):
    """Each tool's command; the capture is its last argument. A peer that could not be had is left out.

    What a peer writes goes to files of the scratch directory, never to /dev/null by name: softflowd removes its pid
    file at its end, whatever it is, and run by root that would be the device itself.
    """
    found = {
        FLOOR: [BIN / "floor"],
        ONE: [WEIR, "replay", "--json", "--quiet"],
        TWO: [WEIR, "replay", "--json", "--quiet", "--workers", "2"],
        NDPI: ["ndpiReader", "-q", "-e", "0", "-i"],
    }
    if peers:
        found["tcptrace"] = ["tcptrace", "-n", "-q"]
        found["softflowd"] = ["softflowd", "-m", "1000000", "-p", scratch / "softflowd.pid",
                              "-c", scratch / "softflowd.ctl", "-r"]
        found["argus"] = ["argus", "-X", "-w", scratch / "argus.out", "-r"]
        found["tshark"] = ["tshark", "-q", "-z", "io,stat,0", "-r"]
    return {name: command for name, command in found.items() if shutil.which(command[0])}


class Cost:
    """What the runs of one tool on one capture cost."""

    def __init__(self):
        self.elapsed_s, self.cpu_s, self.rss_kib = [], [], []

    def add(self, line):
        for into, value in zip((self.elapsed_s, self.cpu_s, self.rss_kib), line.split()):
            into.append(float(value))

    @property
    def cpu(self):
        return statistics.median(self.cpu_s)

    @property
    def elapsed(self):
        return statistics.median(self.elapsed_s)

    @property
    def rss_mib(self):
        return statistics.median(self.rss_kib) / MIB


def note(text):
    print(text, file=sys.stderr, flush=True)


def output_of(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def threads(kind, scratch):
    """The captures that a woven one is made of."""
    if not kind.startswith(WOVEN):
        return []
    folder = SHARED if SHARED.is_dir() else TOP / "pcaps"
    found = sorted(path for path in folder.iterdir() if path.suffix in (".pcap", ".pcapng"))
    for packed in [] if folder == SHARED else sorted(folder.glob("*.pcap.zst")):
        opened = scratch / packed.stem
        if not opened.exists():
            subprocess.run(["zstd", "-dqfo", opened, packed], check=True)
        found.append(opened)
    return found


def generate(kind, packets, scratch):
    """Makes a capture unless the last run left it; returns its path and what the generator counted."""
    capture = scratch / f"{kind}-{packets}.pcap"
    counted, maker = capture.with_suffix(".json"), BIN / ("weave" if kind.startswith(WOVEN) else "generate")
    if not counted.exists() or counted.stat().st_mtime < maker.stat().st_mtime:
        note(f"generating {capture}")
        counted.write_text(output_of([maker, kind.removeprefix(WOVEN), SEED, str(packets), capture, *threads(kind, scratch)]))
    return capture, json.loads(counted.read_text())


def run_once(command, capture, scratch, cost):
    out = scratch / "cost"
    done = subprocess.run([BIN / "cost", out, *command, capture], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True)
    if done.returncode:
        sys.exit(f"{command[0]} on {capture} ended with {done.returncode}: {done.stderr[-500:]}")
    cost.add(out.read_text())
    for left in ("softflowd.pid", "softflowd.ctl", "argus.out"):
        (scratch / left).unlink(missing_ok=True)


def check_counts(capture, counted):
    """Fast answers must be right ones: the packets and flows that weir reports are the ones that were generated."""
    said = output_of([WEIR, "replay", "--json", "--quiet", "--records", "capture", capture])
    record = json.loads(said.splitlines()[-1])
    shed = record["flows_refused"] + record["refused"]["flows_shed"]
    if record["packets"] != counted["packets"] or (record["flows"] != counted["flows"] and not shed and not capture.name.startswith(WOVEN)):
        sys.exit(f"{capture}: generated {counted['packets']} packets in {counted['flows']} flows, "
                 f"weir reports {record['packets']} in {record['flows']}")
    if shed:
        note(f"{capture.name}: weir kept its bound by refusing or shedding {shed} flows")


def measure(captures, commands, runs, scratch):
    costs = {(kind, tool): Cost() for kind in captures for tool in commands}
    for kind, (capture, counted) in captures.items():
        check_counts(capture, counted)  # this also brings the file into the page cache
        for round_ in range(runs):
            note(f"{kind}, round {round_ + 1} of {runs}")
            for tool, command in commands.items():
                run_once(command, capture, scratch, costs[kind, tool])
    return costs


def print_table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for index, row in enumerate(rows):
        print("  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(row, widths))).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))


def cost_rows(captures, commands, costs):
    yield ["capture", "tool", "CPU s", "(min-max)", "x floor", "x ndpiReader", "Mpacket/CPU s", "peak RSS MiB"]
    for kind, (_, counted) in captures.items():
        floor = costs[kind, FLOOR].cpu
        for tool in commands:
            cost, ndpi = costs[kind, tool], costs.get((kind, NDPI))
            yield [kind, tool, f"{cost.cpu:.2f}", f"({min(cost.cpu_s):.2f}-{max(cost.cpu_s):.2f})",
                   f"{cost.cpu / floor:.2f}", f"{cost.cpu / ndpi.cpu:.3f}" if ndpi else "-",
                   f"{counted['packets'] / cost.cpu / 1e6:.2f}", f"{cost.rss_mib:.0f}"]


def target_rows(captures, costs, rss_idle_mib):
    """The targets beside what was measured; a bound is a most unless it says otherwise."""
    yield ["capture", "target", "measured", "must", "stretch", ""]

    def row(kind, what, measured, must, stretch=None, least=False):
        def holds(bound):
            return measured >= bound if least else measured <= bound
        verdict = "not met" if not holds(must) else "stretch met" if stretch is not None and holds(stretch) else "met"
        return [kind, what, f"{measured:.3g}", f"{must:.3g}", "-" if stretch is None else f"{stretch:.3g}", verdict]

    bounds = {"mix": (3.0, 2.0), "bulk": (0.8, 0.7), "churn": (12, 8)}
    for kind in captures:
        yield row(kind, "CPU, x floor", costs[kind, ONE].cpu / costs[kind, FLOOR].cpu, *bounds[kind.removeprefix(WOVEN)])
        if kind.endswith("mix"):
            mix = costs[kind, ONE]
            if (kind, NDPI) in costs:
                yield row(kind, "CPU, x ndpiReader", mix.cpu / costs[kind, NDPI].cpu, 1 / 7, 1 / 10)
            yield row(kind, "peak RSS, MiB", mix.rss_mib, 110, 64)
            live = (mix.rss_mib - rss_idle_mib) * MIB * 1024 / captures[kind][1]["alive"]
            yield row(kind, "bytes per live flow", live, 320, 192)
        if kind.endswith("churn"):
            yield row(kind, "peak RSS, MiB", costs[kind, ONE].rss_mib, 160, 96)
        else:
            least = (1.8, 1.95) if kind.endswith("mix") else (1.6, 1.9)
            yield row(kind, "speed of 2 workers, x one", costs[kind, ONE].elapsed / costs[kind, TWO].elapsed, *least, least=True)


def script(name):
    """A script of this folder, as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(pathlib.Path(__file__).with_name(name)))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    count = sum(line.startswith("processor") for line in open("/proc/cpuinfo"))
    return f"{count} x {model}"


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run",
                                     description="Measures weir beside a floor and other tools.")
    parser.add_argument("--quick", action="store_true", help="smaller captures: 1, 0.5 and 0.3 million packets")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="rounds of each capture (default: 5)")
    parser.add_argument("--captures", default=",".join(PACKETS), metavar="LIST",
                        help="of mix, bulk, churn, and of each woven- (default: all)")
    parser.add_argument("--peers", action="store_true", help="also tcptrace, softflowd, argus, tshark (long)")
    parser.add_argument("--scratch", type=pathlib.Path, default=pathlib.Path("/var/tmp/weir-bench"), metavar="DIR",
                        help="where captures are kept for the next run (default: /var/tmp/weir-bench)")
    parser.add_argument("--clean", action="store_true", help="remove the captures and end")
    options = parser.parse_args()
    kinds = options.captures.split(",")
    if options.runs < 1 or any(kind not in PACKETS for kind in kinds):
        parser.error("--runs is at least 1; --captures are of " + ", ".join(PACKETS))
    if options.clean:
        for kind in PACKETS:
            for old in options.scratch.glob(f"{kind}-*.*"):
                old.unlink()
        return
    options.scratch.mkdir(parents=True, exist_ok=True)
    captures = {kind: generate(kind, PACKETS[kind][options.quick], options.scratch) for kind in kinds}
    commands = tools(options.peers, options.scratch)
    costs = measure(captures, commands, options.runs, options.scratch)
    idle, (one_packet, _) = Cost(), generate("churn", 1, options.scratch)
    run_once(commands[ONE], one_packet, options.scratch, idle)

    print(f"\n{machine()}; {options.runs} rounds, medians\n")
    for kind, (_, counted) in captures.items():
        print(f"{kind}: {counted['packets']:,} packets, {counted['bytes'] / 1e9:.2f} GB, {counted['flows']:,} flows, "
              f"{counted['alive']:,} at once")
    print()
    print_table(list(cost_rows(captures, commands, costs)))
    print()
    print_table(list(target_rows(captures, costs, idle.rss_mib)))


if __name__ == "__main__":
    main()
