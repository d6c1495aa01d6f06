"""What people read: the manual and --help, lines that fit, sentences that are short, local clocks, signs of life, and words about options
that do nothing."""
import fcntl
import importlib.machinery
import importlib.util
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from conftest import OUTAGE_MOMENTS, PCAPS, TOP, WEIR, packets_until, records, weir

COLUMNS = 80


def load(path):
    """A program of contrib/ as a module; no bytecode is left beside it."""
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader(path.name.replace("-", "_"), str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def commands():
    return re.findall(r"(?m)^  (\w+) ", weir("help"))


def too_wide(text, columns=COLUMNS):
    # a path cannot be broken
    return [line for line in text.splitlines() if len(line) > columns and not re.fullmatch(r"\s*\S*/\S+", line)]


# ---- the manual and --help ----

def test_the_manual_is_made_from_help(tmp_path):
    subprocess.run([TOP / "contrib" / "man" / "make", "--weir", WEIR, "--into", tmp_path], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in (TOP / "contrib" / "man").glob("*.1")}
    assert made.keys() == kept.keys() and len(made) == len(commands()) + 1
    for name in made:
        assert made[name] == kept[name], f"{name} has drifted: run contrib/man/make"
    listed = (TOP / "src" / "meson.build").read_text()
    assert all(f"contrib/man/{name}" in listed for name in made), "each page is installed"


def test_each_page_has_all_that_a_page_has():
    for command in commands():
        page = (TOP / "contrib" / "man" / f"weir-{command}.1").read_text()
        wanted = {"NAME", "SYNOPSIS", "DESCRIPTION"} | (set() if command in ("keys", "services") else {"OPTIONS", "EXIT STATUS", "EXAMPLES"})
        assert wanted <= set(re.findall(r"(?m)^\.SH (.*)$", page)), command
        for option in re.findall(r"(?m)^ +(?:-\w, )?--([\w-]+)", weir(command, "--help").partition("Options:")[2]):
            assert option.replace("-", r"\-") in page, (command, option)


def test_help_is_found_in_both_ways_and_fits():
    for command in commands():
        told = weir(command, "--help")
        assert weir("help", command) == told and told.startswith(f"Usage: weir {command}")
        assert too_wide(told) == [], command
    assert weir("version") == weir("--version")


@pytest.mark.parametrize("words, said", [
    (("statsu",), "did you mean weir status?"), (("replay", "--filtr", "x"), "did you mean --filter?"),
    (("status", "--jsno"), "did you mean --json?"), (("status", "--state", PCAPS, "netflx"), None), (("services", "netflx"), "did you mean netflix?"),
    (("replay", "--maintenance", "netflx 02:00/04:00", PCAPS / "healthy.pcap"), "did you mean netflix?"),
    (("replay", "--records", "flow", PCAPS / "healthy.pcap"), "--json, which is not given")])
def test_slips_are_answered(words, said):
    weir(*words, code=2)
    assert said is None or said in weir.stderr


def test_options_that_match_nothing_are_told():
    weir("replay", "-q", "--filter", "port 9", PCAPS / "healthy.pcap")
    assert "matches none of the 5627 packets" in weir.stderr
    weir("replay", "-q", "--local", "203.0.113.0/24", PCAPS / "healthy.pcap")
    assert "--local: none of " in weir.stderr
    weir("replay", "-q", "--local", "10.77.0.0/16", PCAPS / "healthy.pcap")
    assert weir.stderr == ""


# ---- plain English ----

def test_sentences_are_short():
    checker = load(TOP / "contrib" / "plain-english")
    assert list(checker.long_sentences("word " * 26 + "end.")), "the checker finds one"
    assert list(checker.long_sentences("word; " * 26 + "end.")) and not list(checker.long_sentences("A word. " * 26)), "full stops alone end one"
    files = [TOP / "README.md", *(path for part in ("contrib", "pcaps", "signatures", "src", "tests") for path in sorted((TOP / part).rglob("*.md")))]
    assert len(files) > 20
    long = [(str(path.relative_to(TOP)), *found) for path in files for found in checker.long_sentences(path.read_text())]
    for command in commands():  # lines that begin with spaces are forms, not sentences
        told = re.sub(r"(?m)^  .*\n", "", weir(command, "--help").partition("Options:")[0])
        long += [(command, *found) for found in checker.long_sentences(told)]
    assert long == []


# ---- reports ----

def of_width(columns, *arguments, **environment):
    """What weir writes on a terminal of that width, exit 0."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    stdin = environment.pop("stdin", None)
    process = subprocess.Popen([WEIR, *map(str, arguments)], stdin=stdin, stdout=its, stderr=subprocess.DEVNULL,
                               env={**os.environ, "TERM": "xterm-256color", **environment})
    os.close(its)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    assert process.wait() == 0, text.decode()
    return text.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("name", ["outage.pcap", "healthy.pcap", "lab-servfail.pcap.zst", "lab-uplink.pcap.zst"])
def test_reports_fit(name, tmp_path):
    assert too_wide("x" * 81) and too_wide("two words " * 9), "the check finds what is too wide"
    assert too_wide(weir("replay", "-q", "-v", "--state", tmp_path, PCAPS / name)) == []
    assert too_wide(weir("status", "--state", tmp_path, code=None)) == []
    assert too_wide(weir("history", "--state", tmp_path, "netflix")) == []
    assert too_wide(weir("alerts", "--state", tmp_path)) == []
    assert too_wide(weir("check", code=None)) == []


def test_colours_are_on_a_terminal_and_nowhere_else():
    plain = weir("replay", "-q", PCAPS / "outage.pcap")
    assert "\x1b" not in plain
    assert "\x1b[" in of_width(80, "replay", "-q", PCAPS / "outage.pcap", NO_COLOR="")
    for option, environment in (("--no-color", {}), ("--no-colour", {}), ("-q", {"NO_COLOR": "1"})):
        assert of_width(80, "replay", "-q", option, PCAPS / "outage.pcap", **environment) == plain


def test_diagnostics_are_asked_for():
    short, long = weir("replay", "-q", PCAPS / "outage.pcap"), weir("replay", "-q", "-v", PCAPS / "outage.pcap")
    for words in ("how flows were named", "decode: "):
        assert words in long and words not in short
    assert "syn_timeout" not in short and "SYNs unanswered" in short, "in words, as in the sentence"


def test_clocks_are_local_in_words_and_utc_in_records(monkeypatch, tmp_path):
    utc = records(PCAPS / "outage.pcap", kind="incident")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    assert records(PCAPS / "outage.pcap", kind="incident") == utc
    text = weir("replay", "-q", "--state", tmp_path, PCAPS / "outage.pcap")
    assert "2026-11-24" in text and "03:02:29 IST" in text and "is down since 03:03:30 IST" in " ".join(text.split())
    assert "UTC" not in text and "21:3" not in text
    told = weir("alerts", "--state", tmp_path)
    assert "2026-11-24 03:03:" in told and "since 03:03:30 IST" in " ".join(told.split())
    assert "since 21:33:30 UTC" in json.loads(weir("alerts", "--state", tmp_path, "--json").splitlines()[0])["text"]


def test_live_shows_life_on_a_terminal(tmp_path):
    (tmp_path / "part.pcap").write_bytes(packets_until(PCAPS / "outage.pcap", OUTAGE_MOMENTS[1] + 30))
    arguments = ("live", "--from", "-", *(["--user", "root"] if os.geteuid() == 0 else []))
    with open(tmp_path / "part.pcap", "rb") as capture:
        text = of_width(80, *arguments, stdin=capture, TZ="UTC")
    assert "netflix is seen for the first time" in text
    assert re.search(r"(?m)^21:33:\d\d  .* packets in 60 s, .*; 3 services healthy$", text)
    assert too_wide(re.sub("\x1b\\[[0-9;]*m", "", text)) == []
    with open(tmp_path / "part.pcap", "rb") as capture:
        piped = subprocess.run([WEIR, *arguments], stdin=capture, capture_output=True, text=True).stdout
    assert "first time" not in piped and "netflix down: netflix is down since" in piped, "a pipe gets incidents, each in a line"
